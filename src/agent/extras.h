/*
 * agent/extras.h - what a client of an HTTP API brings to a run, and how it hears of it.
 *
 * Such a client has tools of its own. A reply that calls one ends the turn: the agent's own calls of that reply
 * are run first, the client's are handed out with the run's end, and their results come back as the input of
 * the next run of the session (or within its history).
 *
 * Owns    the run keeps copies of the data; the follower is the caller's until it heard the end or
 *         agent_unfollow() was called.
 * Runs    a follower is called from the run's fiber: it must not park, nor call agent_*().
 * Limits  EXTRAS_TOOLS_MAX tools; each message within TR_MESSAGE_MAX.
 * Fails   agent_submit() gives CH_E_INVALID for extras that make no sense.
 */
#ifndef CH_AGENT_EXTRAS_H
#define CH_AGENT_EXTRAS_H

#include "agent/agent.h"

#define EXTRAS_TOOLS_MAX 256             /* a request of tools alone would fill the model's window */

/* A call of one of the client's tools. */
struct run_handed { const char *id, *name, *args_text; const struct json *args; };

struct run_end {
	enum input_state state;          /* DONE, FAILED, ABORTED or CANCELED */
	const char *stop;                /* DONE: model_stop_name() */
	const char *error;               /* FAILED, ABORTED: for a person */
	enum model_error_class error_class;
	ch_status code;                  /* FAILED */
	const char *text; size_t text_len;       /* all that was said */
	struct model_usage usage;        /* of all requests of the turn */
	const struct run_handed *handed; size_t handed_count;
};

/*
 * on_text NULL: only the end is wanted. What on_text was given is not taken back: with it a request that fails
 * after it said something is not tried again.
 */
struct run_follower {
	void (*on_text)(void *arg, const char *delta, size_t len);
	void (*on_end)(void *arg, const struct run_end *end);
	void *arg;
};

struct run_extras {
	/* Messages in the transcript's shape that go before the input: all of them in a session that has none yet,
	 * else only the last `history_new`. NULL: none. */
	const struct json *history;
	size_t history_new;
	/* A toolResult message that stands where the user's message would; run_input.text is then empty. NULL: none. */
	const struct json *result;
	const struct model_tool *tools;  /* one that is named like a tool of the agent's takes its place */
	size_t tool_count;
	const char *tool_choice;         /* as in struct model_call */
	const struct json *params, *stop;
	int64_t max_tokens;
	struct run_follower *follower;
};

/* The follower of that run hears no more. A run that is over or unknown has none. */
void agent_unfollow(struct agent_host *h, const char *run_id);

/* -- private to agent/ -- */

struct run;
struct run_call;

/* Checks and copies. */
CH_MUST_USE ch_status extras_take(struct run *r, const struct run_extras *in, struct ch_err *err);
/* The role of the run's first row. */
const char *extras_role(const struct run *r);
/* The JSON of the row that stands for the input, or NULL: the user's. */
const char *extras_message(const struct run *r);
/* In the open transaction: the rows that go before the input. */
CH_MUST_USE ch_status extras_append_history(struct run *r, struct ch_err *err);
/* After the cache boundary: which tools are the client's. */
void extras_prompt(struct buf *out, const struct run *r);
/* Completes a request; what it adds lives on the round's arena. */
void extras_apply(struct run *r, struct model_call *call);
bool extras_has_tool(const struct run *r, const char *name);
/* Takes the client's calls out of r->calls; true when there were any. */
bool extras_hand_out(struct run *r);
/* The reply grew by this. */
void follow_text(struct run *r, const char *delta, size_t len);
/* May text of the message at hand be taken back? */
bool follow_allows_retry(const struct run *r);
void follow_end(struct run *r);

#endif
