/*
 * agent/history_priv.h - what the history_*.c share; nobody else includes it.
 */
#ifndef CH_AGENT_HISTORY_PRIV_H
#define CH_AGENT_HISTORY_PRIV_H

#include "agent/history.h"
#include "core/vec.h"

#define SESSION_ID_MAX 64
#define IMAGE_TOKENS 1600                /* what a provider charges for one, about */

struct item {
	int64_t tokens, raw_seq;
	bool starts_turn, is_reply;
	bool can_begin;                  /* no call before it waits for a result behind it */
};

struct history {
	struct arena *arena;
	struct json *messages;
	VEC(struct item) items;          /* as many as messages, same order */
	int64_t raw_seq;
	int64_t message_bytes;
	int64_t replied_at;              /* wall ms of the newest reply; 0: there is none */
	struct prune_mark mark;
	int open_calls;                  /* of the last reply, not yet answered */
	/* What stands for everything before the messages; NULL: nothing was summarised. */
	struct json *summary;            /* the message that the model is given */
	const char *summary_text;
	int64_t summary_tokens, summary_raw_seq;
	struct json head;                /* the summary as the first of a view's messages */
	char session_id[SESSION_ID_MAX];
	bool is_stale;
	bool is_full;                    /* a row did not fit the arena */
};

/* history_prune.c: after reading, and after each user message. */
CH_MUST_USE ch_status history_read_mark(struct history *h, struct sess *s, struct ch_err *err);
void history_apply(struct history *h);

#endif
