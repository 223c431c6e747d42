/*
 * agent/history.h - the conversation as the model is given it, parsed once and kept (private).
 *
 * Owns    an arena with the message array. Valid for one session_id up to raw_seq.
 * Holds   messages since the last reset; when the older ones were summarised (agent/compact.h), the newest summary
 *         and the messages that it left. Left out: what is marked excludeFromContext. Failed and
 *         stopped replies appear as a short marker, so that they are neither replayed nor forgotten.
 */
#ifndef CH_AGENT_HISTORY_H
#define CH_AGENT_HISTORY_H

#include "core/json.h"
#include "sessions/transcript.h"

struct history;

/*
 * Old tool results are shortened in the view (agent/prune.h), the same way until more of them are: how far that
 * went is a hidden entry of the transcript.
 */
struct prune_mark {
	int64_t trim_to, clear_to;       /* raw_seq: results up to here keep their ends, or a placeholder */
	const char *placeholder;
	const struct json *keep;         /* names of tools whose results stay; an array or NULL */
};

struct history *history_new(void);
void history_free(struct history *h);
CH_AUTO_DEFINE(history_free, struct history)
/* Is it of this session and does it hold everything before raw_seq? */
bool history_is_at(const struct history *h, const char *session_id, int64_t raw_seq);
/* Rows came between that it does not hold: it must be read anew. */
bool history_is_stale(const struct history *h);
/* Reads it anew. */
CH_MUST_USE ch_status history_load(struct history *h, struct sess *s, struct ch_err *err);
/* A row that was just committed. One that does not follow on the last makes the whole stale. */
void history_add(struct history *h, const struct tr_entry *e);
size_t history_bytes(const struct history *h);
bool history_has_reply(const struct history *h);         /* of the assistant */
/*
 * What fits into budget_tokens: the summary and the newest complete turns, at least the last one. The view borrows
 * from h and lives until h is changed or viewed again. *ret_dropped: messages left out at the front.
 */
void history_view(struct history *h, int64_t budget_tokens, struct json *ret_view, size_t *ret_dropped);

/* -- its parts, by number; the summary is not one of the messages -- */
size_t history_len(const struct history *h);
const struct json *history_messages(const struct history *h);    /* an array of history_len() */
int64_t history_raw_seq(const struct history *h, size_t i);
bool history_starts_turn(const struct history *h, size_t i);
/* The first from i on that may follow a cut: no result is parted from its call. history_len(): none. */
size_t history_next_begin(const struct history *h, size_t i);
int64_t history_tokens(const struct history *h, size_t from, size_t to);
int64_t history_total(const struct history *h);          /* with the summary */
int64_t history_message_bytes(const struct history *h);  /* as JSON, without the summary */
const char *history_summary(const struct history *h);    /* or NULL; lives until h is read anew */
/* Nothing was said since the summary. */
bool history_is_summarised_to_end(const struct history *h);
/* -- history_prune.c -- */
const struct prune_mark *history_mark(const struct history *h);
int64_t history_replied_at(const struct history *h);     /* wall ms of the newest reply; 0: there is none */
/* The raw_seq before which results are old: three replies came since. 0: none is. */
int64_t history_old_until(const struct history *h);
/* Bytes of results up to raw_seq that are neither cleared nor kept for their tool. */
int64_t history_prunable_bytes(const struct history *h, const struct prune_mark *m);
/* True when something became shorter. m is copied. */
bool history_prune(struct history *h, const struct prune_mark *m);
void history_render_mark(const struct prune_mark *m, struct buf *out);
/* An entry of ours that is not a message was appended. */
void history_skip(struct history *h, int64_t raw_seq);

/* What a summary costs in the window. */
int64_t history_summary_tokens(const char *text);

#endif
