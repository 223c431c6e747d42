/*
 * sessions/session.h - session rows: the live, counted object and its table.
 *
 * Owns    struct sess owns its strings. There is at most one object per key
 *         while anybody holds a reference, so all readers see the same values.
 * Writes  through: sess_save() commits before it returns, within the transaction that is open, if
 *         one is. A save that fails takes the changes back, so an object never shows what is not
 *         stored. Save before you unref. After a rollback sess_reload() puts one object right, and
 *         the next sess_find() all of them, dropping what was not saved.
 * Lives   counted; sess_find()/sess_open() give a reference. After any wait the
 *         object may have changed; it may have been deleted (is_deleted).
 */
#ifndef CH_SESSIONS_SESSION_H
#define CH_SESSIONS_SESSION_H

#include "core/json.h"
#include "sessions/key.h"
#include "store/db.h"

/* Set through sess_set_str(); all may be NULL. Columns of the same name. */
#define SESS_STR_MAP(X)                                                                        \
	X(label) X(display_name) X(derived_title) X(auto_label) X(icon) X(color) X(category)   \
	X(created_via) X(created_actor) X(chat_type) X(channel)                                \
	X(model_provider) X(model) X(model_override_source)                                    \
	X(thinking_level) X(verbose_level) X(reasoning_level) X(response_usage)                \
	X(queue_mode) X(fast_mode) X(spawned_by) X(parent_key)                                 \
	X(status) X(last_run_id) X(last_run_error) X(last_preview) X(participants)             \
	X(active_provider) X(active_model) X(extra)                                            \
	X(auth_profile) X(fallback) X(fork_source)                                              \
	X(taint) X(permission_mode) X(tool_cap)
/* int64_t; times are wall ms, 0: unset; flags 0/1. */
#define SESS_INT_MAP(X)                                                                        \
	X(created_at) X(updated_at) X(last_interaction_at) X(session_started_at)               \
	X(started_at) X(ended_at) X(runtime_ms)                                                \
	X(input_tokens) X(output_tokens) X(total_tokens) X(context_tokens)                     \
	X(archived_at) X(pinned_at) X(marked_unread_at) X(last_read_at) X(system_sent) X(aborted_last_run)               \
	X(compaction_count) X(lifecycle_revision) X(tainted_at)

struct sess_store;

struct sess {
	const char *key, *agent_id, *session_id;
#define X(name) const char *name;
	SESS_STR_MAP(X)
#undef X
#define X(name) int64_t name;
	SESS_INT_MAP(X)
#undef X
	double cost_usd;
	bool is_deleted;
	/* private */
	struct sess_store *store;
	int refs;
	struct sess *idle_prev, *idle_next;
};

struct sess_store *sess_store_new(struct db *db);
void sess_store_free(struct sess_store *st);
struct db *sess_store_db(struct sess_store *st);

/* CH_E_NOT_FOUND when there is no such row. key is canonical. */
CH_MUST_USE ch_status sess_find(struct sess_store *st, const char *key, struct sess **ret, struct ch_err *err);
/* Makes the row when missing (*ret_created may be NULL). created_via: "operator", "channel", … */
CH_MUST_USE ch_status sess_open(struct sess_store *st, const struct sess_key *key, const char *created_via,
				struct sess **ret, bool *ret_created, struct ch_err *err);
struct sess *sess_ref(struct sess *s);
void sess_unref(struct sess *s);
CH_AUTO_DEFINE(sess_unref, struct sess)
/* field is &s->label and the like. Not yet written: call sess_save(). */
void sess_set_str(struct sess *s, const char **field, const char *value);
CH_MUST_USE ch_status sess_save(struct sess *s, struct ch_err *err);
/* Reads the row again; a borrowed string ends here when its value changed. */
CH_MUST_USE ch_status sess_reload(struct sess *s, struct ch_err *err);
/* Forgets the row, its inputs and its transcript in all windows; live objects become is_deleted. */
CH_MUST_USE ch_status sess_delete(struct sess *s, struct ch_err *err);
/*
 * sessions.reset: keeps session_id, appends a "reset" entry, zeroes counters, raises lifecycle_revision.
 * Here and in sess_rotate() what was changed and not saved is dropped, and a run that was writing is
 * superseded: its next append gives CH_E_CONFLICT.
 */
CH_MUST_USE ch_status sess_reset(struct sess *s, const char *reason, struct ch_err *err);
/* /new: a fresh session_id under the same key; the old transcript is kept under the old id. */
CH_MUST_USE ch_status sess_rotate(struct sess *s, const char *reason, struct ch_err *err);

enum sess_order {
	SESS_BY_UPDATE,                  /* updated_at, newest first */
	SESS_BY_PLACE,                   /* pinned ones first, then by update: the list of a page */
	SESS_BY_INTERACTION,             /* last_interaction_at */
	SESS_BY_ACTIVITY,                /* the later of interaction and end of a run */
	SESS_BY_CREATION,
};

/* Zeroed: all that are not archived and do not run by themselves. */
struct sess_query {
	const char *agent_id;            /* NULL: all */
	const char *agents;              /* only of these: a JSON array of ids; NULL: all */
	const char *search;              /* in key, id, label, titles; NULL: all */
	const char *label;
	const char *group;               /* category; "": those without; NULL: all */
	const char *spawned_by;          /* spawned by, or a child of */
	const char *involving;           /* a profile's id: its own sessions and those it wrote to */
	int64_t active_since_ms;         /* 0: all; by the moment that `order` goes by */
	int archived;                    /* -1 both, 0 only live ones, 1 only archived */
	int pinned;                      /* -1 only unpinned, 0 both, 1 only pinned */
	enum sess_order order;
	bool owner_first;                /* those that the profile made come first */
	bool owned;                      /* only those */
	bool include_background;         /* cron, subagent, hook */
	bool without_cron, without_subagents, without_system, without_global, without_unknown;
	bool interacted;                 /* somebody wrote to it */
	bool busy;                       /* has an input that is queued or running */
	bool nothing;                    /* matches none: what was asked for has no subject here */
	size_t limit, offset;
};
/* Walks in order; return false to stop. *ret_total counts the matches regardless of limit. */
CH_MUST_USE ch_status sess_list(struct sess_store *st, const struct sess_query *q, size_t *ret_total,
				bool (*each)(void *arg, const struct sess *s), void *arg, struct ch_err *err);
/* How many match, whatever limit and offset say. */
CH_MUST_USE ch_status sess_count_matches(struct sess_store *st, const struct sess_query *q, size_t *ret_total,
					 struct ch_err *err);
/* The keys of sessions whose parent this one is, newest first. */
CH_MUST_USE ch_status sess_children(struct sess_store *st, const char *key, void (*each)(void *arg, const char *key), void *arg,
				    struct ch_err *err);

#endif
