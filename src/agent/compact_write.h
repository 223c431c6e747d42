/*
 * agent/compact_write.h - has a summary of some messages written (private to compact*.c).
 *
 * Owns    nothing; the text goes to the caller's buffer.
 * Runs    in a fiber; each request has one of its own, so that a deadline can end it alone.
 * Limits  COMPACT_PARTS_MAX requests that go on from each other, COMPACT_TEXT_MAX bytes.
 * Fails   as compact().
 */
#ifndef CH_AGENT_COMPACT_WRITE_H
#define CH_AGENT_COMPACT_WRITE_H

#include "agent/compact.h"

#define COMPACT_TEXT_MAX (256u << 10)    /* of a summary: far more than any budget lets in */
#define COMPACT_PARTS_MAX 64             /* a long conversation and a small window; each costs a request */

struct compact_job {
	struct agent_host *host;
	const struct compact_ask *ask;
	struct compact_settings settings;
	struct model_entry model;        /* who writes */
	struct arena *arena;
	const struct json *messages;
	size_t cut;                      /* of the messages, the first that stays */
	const char *previous;            /* summary so far, or NULL */
	const char *open_ask;            /* of the turn that the cut goes through, or NULL */
	struct pins pins;
	int64_t max_tokens;              /* of the summary */
	double cost_usd;                 /* so far */
	enum model_error_class failure;  /* of the last request */
};
/* The summary, checked. */
CH_FIBER CH_MUST_USE ch_status compact_write(struct compact_job *job, struct buf *ret_summary, struct ch_err *err);

#endif
