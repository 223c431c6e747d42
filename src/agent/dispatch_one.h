/*
 * agent/dispatch_one.h - one call of one tool, whoever makes it (private to dispatch*.c and invoke.c).
 *
 * Runs    in a fiber of its own, so that a deadline or an abort ends it where it waits.
 * Policy  the caller passes the policy and asked it for the tool; the tool is told its grant.
 * Asks    a person first when the turn is tainted and the call would act beyond the workspace (struct tool has_effects).
 *         The time that a person takes does not count.
 * Fenced  what comes from outside is one block between marks that it cannot forge (agent/fence.h).
 * Limits  the row's deadline and out_max_bytes.
 */
#ifndef CH_AGENT_DISPATCH_ONE_H
#define CH_AGENT_DISPATCH_ONE_H

#include "agent/host.h"
#include "agent/policy.h"

struct one_call {
	/* set by who makes it */
	struct agent_host *host;
	struct policy *policy;
	const struct tool *tool;
	const struct json *args;         /* checked */
	struct tool_ctx ctx;             /* ids, workspace and arena; the rest is filled in here */
	void (*on_done)(void *arg);      /* in the call's fiber, when the result is there; not when it was cancelled */
	void *arg;
	/* the result, for on_done and after one_join() */
	struct json *content, *details;
	bool is_error, is_canceled;
	bool has_failed;                 /* the tool gave no result; the content says why */
	uint64_t result_hash;            /* of the text before it was fenced: the same result, the same number */
	bool is_outside;                 /* fenced; ctx.source says where from */
	const char *approval_id;         /* of the yes or no that was asked for here; NULL: none was */
	/* private */
	struct fiber *fiber;
	struct loop_timer *timer;
	const char *waits_for;           /* the approval under way, or NULL */
	int64_t left_ms;                 /* of the deadline, meanwhile */
	bool is_late, is_claimed;
	/* the caller's, which ctx.update_arg and its functions stand before */
	void (*tell_update)(void *arg, const char *text, size_t len);
	void (*tell_approval)(void *arg, const char *approval_id, const char *status);
	void *tell_arg;
};
/* ctx.on_update, on_approval and update_arg are the caller's; approval_id is told with the end of a wait too. */
void one_start(struct one_call *c);
/* Until it is over. CH_E_CANCELED: the caller was cancelled, and so was the call; it is over too. */
CH_FIBER CH_MUST_USE ch_status one_join(struct one_call *c);
/* Ends it where it waits; what it holds on the pool is waited for. */
CH_FIBER void one_stop(struct one_call *c);


/* -- dispatch_ask.c -- */
/* Must a person say yes to this call first? */
bool one_needs_yes(const struct one_call *c);
/* CH_OK: somebody did. CH_E_DENIED: somebody did not, or nobody could be asked. */
CH_FIBER CH_MUST_USE ch_status one_ask(struct one_call *c, struct ch_err *err);

#endif
