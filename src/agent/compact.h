/*
 * agent/compact.h - the older part of a conversation, told in a summary (private).
 *
 * A view, not a cut: the transcript keeps every message. One entry of type "compaction" is appended; it
 * holds the summary and names the first message that is still sent as it was said. What the model is given from then
 * on is system prompt, summary, messages from there on (agent/history.h). Appended in one transaction with the
 * session's row: after a crash there is the old view or the new one.
 *
 * Holds   the caller has the session's lane throughout, and the lease that is named.
 * Runs    in a fiber; waits for the model.
 * Fails   history and transcript are as before; what was spent is in the session's cost all the same. CH_E_CANCELED
 *         when the caller was cancelled; CH_E_CONFLICT when the session was reset or deleted meanwhile.
 */
#ifndef CH_AGENT_COMPACT_H
#define CH_AGENT_COMPACT_H

#include "agent/history.h"
#include "agent/host.h"

enum compact_reason { COMPACT_MANUAL, COMPACT_THRESHOLD, COMPACT_OVERFLOW };

/* agents.entries.<id>.compaction, else agents.defaults.compaction. */
struct compact_settings {
	bool is_automatic;               /* enabled */
	bool is_guarded;                 /* mode safeguard with its qualityGuard */
	bool keeps_identifiers;          /* identifierPolicy strict */
	bool tells_user;                 /* notifyUser */
	int retries;                     /* of a summary that fails its check */
	int64_t keep_tokens, keep_turns, timeout_ms;
	int64_t max_bytes;               /* of the messages, maxActiveTranscriptBytes; 0: no limit */
	const char *model, *thinking;    /* on the arena, or NULL */
};
void compact_settings(const struct config *c, const char *agent_id, struct arena *a, struct compact_settings *ret);

struct compact_ask {
	struct sess *sess;
	struct history *history;         /* as the transcript is; read anew when the summary is in */
	const struct model_entry *model; /* of the session: what must fit, and who writes unless another is configured */
	const char *run_id;              /* the lease's holder */
	int64_t epoch;
	const char *entry_id;            /* a uuid for the entry */
	enum compact_reason reason;
	const char *focus;               /* what the user wants kept above all; or NULL */
	int64_t overhead_tokens;         /* what each request carries besides the messages */
	int64_t room_tokens;             /* what summary and messages may take together; 0: any */
	void (*on_start)(void *arg);     /* there is something to summarise; or NULL. Must not park */
	void *arg;
};

struct compact_done {
	const char *why_not;             /* there was nothing to do; NULL: done */
	int64_t tokens_before, tokens_after;     /* of a whole request, estimated */
	const char *summary, *first_kept_id, *model;
	size_t kept;                     /* messages that stay as they were said */
};
/* Strings of *ret are on the arena. */
CH_FIBER CH_MUST_USE ch_status compact(struct agent_host *h, const struct compact_ask *ask, struct arena *a,
				       struct compact_done *ret, struct ch_err *err);
/* Without a summary: leaves the newest max_entries messages in the view. */
CH_MUST_USE ch_status compact_trim(struct agent_host *h, const struct compact_ask *ask, size_t max_entries,
				   struct arena *a, struct compact_done *ret, struct ch_err *err);

/* -- compact_session.c: outside of a turn -- */
struct compact_want {
	const char *run_id, *entry_id;
	const char *focus;               /* or NULL */
	size_t max_entries;              /* > 0: compact_trim() */
	void (*on_start)(void *arg);     /* as in struct compact_ask */
	void *arg;
};
/* In the session's lane; takes the lease. */
CH_FIBER CH_MUST_USE ch_status compact_session(struct agent_host *h, struct sess *s, const struct compact_want *want,
					       struct arena *a, struct compact_done *ret, struct ch_err *err);

/* -- compact_plan.c -- */
/*
 * The first message to keep: what does not exceed keep_tokens, more when keep_turns ask for it, never more than
 * max_tokens. Turns stay whole unless the last one alone is too long. 0: there is nothing to summarise.
 */
size_t compact_plan(const struct history *h, int64_t keep_tokens, int64_t keep_turns, int64_t max_tokens);

/* -- compact_text.c: what the model that writes is told -- */
extern const char compact_system[];
/* "## Open asks" and so on; NULL-ended. */
extern const char *const compact_headings[];
/* One message as text; at most max_bytes of each of its parts. */
void compact_render(struct buf *out, const struct json *message, size_t max_bytes);

struct pins;
struct compact_brief {
	const char *previous;            /* summary, or NULL */
	const char *conversation;
	const char *focus, *open_ask;    /* or NULL */
	const struct pins *pins;         /* or NULL */
	const char *complaint;           /* what was wrong with the last attempt, or NULL */
	int64_t max_tokens;
};
void compact_instruct(struct buf *out, const struct compact_brief *b);

/* -- compact_check.c: what must not get lost -- */
#define PINS_MAX 100             /* identifiers; more would crowd out the summary itself */
#define PIN_BYTES_MAX 200

/* Exact identifiers: paths, URLs, addresses, ids, numbers, what stands in backticks. On the arena, each once. */
struct pins { struct arena *arena; const char *at[PINS_MAX]; size_t len; };
void pins_collect(struct pins *p, const char *text, size_t len, size_t max);
/* Writes those that the text lacks, in backticks; how many there are. */
size_t pins_missing(const struct pins *p, const char *text, struct buf *out);
/* Is the summary one? Headings, length. */
CH_MUST_USE ch_status compact_check(const char *summary, size_t len, int64_t max_tokens, struct ch_err *err);

#endif
