/*
 * approvals/approval.h - what waits for a person's yes, as durable objects.
 *
 * States  pending -> allowed | denied | expired | cancelled; the first explicit answer of a person wins, everything
 *         later is told what won. No surface answers by itself; a deadline gives "expired", the end of the run
 *         that asked gives "cancelled".
 * Durable approval_create() and approval_resolve() have committed when they return. A pending one survives a
 *         restart: the run that waited is gone then, so who asked is called back (on_orphan) when it is allowed.
 * Claimed approval_claim() succeeds exactly once per allowed approval and is committed before what was allowed is
 *         carried out; so nothing is carried out twice, whatever crashes. What must be known of it then is committed
 *         with the claim (approval_claim_with()), or before it (agent/tool_journal.h).
 * Shown   to every operator with the scope, by on_event. The texts in request and presentation are complete and
 *         have been made safe to show by who asked (exec/show.h).
 * Limits  APPROVALS_PENDING_MAX pending at once; request, presentation and binding of APPROVAL_TEXT_MAX bytes each;
 *         ended ones are kept APPROVAL_KEEP_MS.
 * Source  reference protocol, events "exec.approval.*", "plugin.approval.*", "session.approval".
 */
#ifndef CH_APPROVALS_APPROVAL_H
#define CH_APPROVALS_APPROVAL_H

#include "core/arena.h"
#include "core/err.h"
#include "core/json.h"
#include "core/loop.h"
#include "store/db.h"

#define APPROVALS_PENDING_MAX 256                /* a turn that asks in a loop must not fill the page */
#define APPROVAL_TEXT_MAX (256u << 10)
#define APPROVALS_PENDING_BYTES (12u << 20)      /* … their requests together: a list must fit into one frame */
#define APPROVAL_TTL_MS (30 * 60 * 1000LL)
#define APPROVAL_KEEP_MS (30LL * 86400000)
#define APPROVALS_KEPT_MAX 1000                  /* … and at most so many: a loop of asking must not fill the disk */
#define APPROVAL_ID_MAX 128

enum approval_kind { APPROVAL_EXEC, APPROVAL_PLUGIN };
enum approval_status { APPROVAL_PENDING, APPROVAL_ALLOWED, APPROVAL_DENIED, APPROVAL_EXPIRED, APPROVAL_CANCELLED };
/* Bits, so that a mask says which may be chosen. */
enum approval_decision { APPROVAL_NONE = 0, APPROVAL_ALLOW_ONCE = 1, APPROVAL_ALLOW_ALWAYS = 2, APPROVAL_DENY = 4 };

const char *approval_kind_name(enum approval_kind k);            /* "exec", "plugin" */
const char *approval_status_name(enum approval_status s);
const char *approval_decision_name(enum approval_decision d);    /* "allow-once", … */
bool approval_decision_parse(const char *name, enum approval_decision *ret);

struct approvals;

/* Who answered. */
struct approval_resolver {
	const char *kind;                /* "device", "user", "command", "channel" */
	const char *id;                  /* of that kind */
	const char *name;                /* for people */
	int expires_in_days;             /* allow-always: the grant's life; 0: the configuration's */
};

/* A row; strings live on the arena it was read to. */
struct approval {
	const char *id;
	enum approval_kind kind;
	enum approval_status status;
	enum approval_decision decision;
	unsigned decisions;              /* which may be chosen */
	const char *reason;              /* terminal: "user", "timeout", "run-aborted", "no-approver", "superseded" */
	const char *agent_id, *session_key, *session_id, *run_id, *tool_call_id;
	const char *binding_hash;
	const struct json *request, *presentation, *binding, *resolver;  /* binding, resolver: or NULL */
	int64_t created_at, expires_at, resolved_at, claimed_at, done_at;
};

struct approval_ask {
	enum approval_kind kind;
	const char *id;                  /* NULL: a new one; CH_E_EXISTS when there is one of that id */
	const char *agent_id, *session_key, *session_id, *run_id, *tool_call_id;
	const struct json *request;      /* `request` of exec.approval.requested / plugin.approval.requested */
	const struct json *presentation; /* ApprovalPresentation of the protocol's schema */
	const struct json *binding;      /* what on_orphan needs to carry it out; NULL: it ends with the run */
	const char *binding_hash;        /* or NULL */
	unsigned decisions;              /* 0: all three */
	int64_t ttl_ms;                  /* 0: APPROVAL_TTL_MS */
};

enum approval_event { APPROVAL_EV_REQUESTED, APPROVAL_EV_RESOLVED };

/* The layers above fill this in. Called after the commit; must not park. */
struct approval_ops {
	void *arg;
	void (*on_event)(void *arg, enum approval_event ev, const struct approval *row);
	/* Can anybody answer now? False: *ret_way_out says what to do (static or on the arena). */
	bool (*is_reachable)(void *arg, const char *session_key, struct arena *a, const char **ret_way_out);
	/* Allowed, and nobody waits for it any more: the one who asked is gone (a restart). Not called without binding. */
	void (*on_orphan)(void *arg, const struct approval *row);
};

/* Left-over pending ones whose time is over become expired; those without binding cancelled. What was claimed is over. */
CH_MUST_USE ch_status approvals_open(struct loop *l, struct db *db, struct approvals **ret, struct ch_err *err);
void approvals_free(struct approvals *ap);
void approvals_set_ops(struct approvals *ap, const struct approval_ops *ops);
/* Start-up, once ops are set and runs can be started: what opening ended is told, on_orphan for what was allowed and never claimed. */
void approvals_recover(struct approvals *ap);

/* *ret_id is on the arena. CH_E_DENIED: no approver can be reached (err says the way out); CH_E_LIMIT. */
CH_MUST_USE ch_status approval_create(struct approvals *ap, const struct approval_ask *ask, struct arena *a,
				      const char **ret_id, struct ch_err *err);
/*
 * Until it has ended; *ret is the row. CH_E_CANCELED when the caller is cancelled: it is still pending, so cancel
 * it (approval_cancel) unless it may be answered later.
 */
CH_FIBER CH_MUST_USE ch_status approval_wait(struct approvals *ap, const char *id, struct arena *a,
					     struct approval *ret, struct ch_err *err);
/* CH_OK: this answer won. CH_E_CONFLICT: it had ended before; *ret says how. CH_E_NOT_FOUND, CH_E_INVALID. */
CH_MUST_USE ch_status approval_resolve(struct approvals *ap, const char *id, enum approval_decision decision,
				       const struct approval_resolver *by, struct arena *a, struct approval *ret,
				       struct ch_err *err);
/* As approval_wait(), for who only looks on: at most until the deadline, then the row as it is. */
CH_FIBER CH_MUST_USE ch_status approval_watch(struct approvals *ap, const char *id, int64_t deadline_ms, struct arena *a,
					      struct approval *ret, struct ch_err *err);
/* One that is allowed and not claimed is given up by this: nothing will carry it out. */
CH_MUST_USE ch_status approval_cancel(struct approvals *ap, const char *id, const char *reason, struct ch_err *err);
/* allowed -> claimed, once. CH_E_CONFLICT: it was claimed before, or is not allowed. */
CH_MUST_USE ch_status approval_claim(struct approvals *ap, const char *id, struct ch_err *err);
/* The same; `also` in its transaction: that of a claim which is on disk it is known who tells of it after a crash. */
CH_MUST_USE ch_status approval_claim_with(struct approvals *ap, const char *id,
					  CH_MUST_USE ch_status (*also)(void *arg, struct ch_err *err), void *arg,
					  struct ch_err *err);
/* Was something that this run of an earlier start asked for allowed, and is on_orphan's to carry out, or was since this start? */
CH_MUST_USE ch_status approval_is_late(struct approvals *ap, const char *run_id, bool *ret, struct ch_err *err);
/* What was claimed is over. */
CH_MUST_USE ch_status approval_done(struct approvals *ap, const char *id, struct ch_err *err);

CH_MUST_USE ch_status approval_find(struct approvals *ap, const char *id, struct arena *a, struct approval *ret,
				    struct ch_err *err);
/* By the id or the only pending one that begins so; CH_E_CONFLICT: several do. */
CH_MUST_USE ch_status approval_match(struct approvals *ap, const char *prefix, struct arena *a, struct approval *ret,
				     struct ch_err *err);
/* Pending ones, oldest first; session_key NULL: all. Borrowed for the call. */
CH_MUST_USE ch_status approval_pending(struct approvals *ap, const char *session_key,
				       bool (*each)(void *arg, const struct approval *row), void *arg, struct ch_err *err);
/* Ended ones, newest first, before the cursor (NULL: from the newest). each: false ends the page behind that row. */
CH_MUST_USE ch_status approval_history(struct approvals *ap, const char *cursor, size_t limit, const char *kind,
				       struct arena *a, bool (*each)(void *arg, const struct approval *row), void *arg,
				       const char **ret_cursor, struct ch_err *err);
size_t approvals_pending_count(const struct approvals *ap);

#endif
