/*
 * agent/stream.h - one reply as it comes: content blocks for the transcript, text for clients, calls for the tools (private).
 *
 * Owns    the buffers; the calls go to run->calls on run->round.
 */
#ifndef CH_AGENT_STREAM_H
#define CH_AGENT_STREAM_H

#include "agent/run.h"

enum stream_kind { STREAM_NO_BLOCK, STREAM_TEXT, STREAM_THINKING };

struct stream {
	struct run *run;
	struct buf content;              /* the array of blocks, JSON */
	struct jw w;
	enum stream_kind kind;           /* of the block at hand */
	struct buf block;                /* its text */
	size_t told;                     /* bytes of the block that are in run->reply, or were told as thinking */
	int64_t thought_ms;              /* when thinking was told last, monotonic */
	int64_t started_at;
};

void stream_init(struct stream *s, struct run *r);
void stream_done(struct stream *s);
/* A new request begins: forgets everything. */
void stream_begin(struct stream *s);
/* model_event_fn */
bool stream_event(void *stream, const struct model_event *ev);
/* The model failed: what clients saw of its reply is void. */
void stream_give_up(struct stream *s);
/* The reply is complete: closes what is open. CH_E_LIMIT when it was too long. */
CH_MUST_USE ch_status stream_finish(struct stream *s, struct ch_err *err);

#endif
