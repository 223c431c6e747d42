/*
 * agent/run.h - one accepted input and the turn that answers it (private to agent/).
 *
 * Owns    its arena (what was asked), its buffers (what was said so far).
 * Lives   counted: the desk's queue or active slot, each waiter and the run's fiber hold a reference.
 * States  QUEUED -> ACTIVE -> ENDED, or QUEUED -> ENDED (cancelled, absorbed). `fiber` is set
 *         iff a fiber works for it; `sess` is held all along.
 */
#ifndef CH_AGENT_RUN_H
#define CH_AGENT_RUN_H

#include "agent/extras.h"
#include "core/fiber.h"
#include "core/vec.h"

#define RUN_ID_MAX 256                   /* bytes of a client's idempotency key */
#define RUN_ROUNDS_MAX 100               /* model requests of one turn: a loop that does not end costs money */
#define RUN_REPLY_MAX (4u << 20)         /* bytes of text of one turn */
#define RUN_SAME_CALLS_MAX 5             /* identical tool calls with one result before the model is told, then stopped */
#define LOOP_WINDOW 30                   /* calls that are looked back on */

struct desk;
struct directives;
struct run;
struct home;
struct policy;
struct history;
struct prompt;

enum queue_mode { QUEUE_STEER, QUEUE_FOLLOWUP, QUEUE_COLLECT, QUEUE_INTERRUPT };
bool queue_mode_parse(const char *name, enum queue_mode *ret);
const char *queue_mode_name(enum queue_mode m);

/* What directives in the message ask for this turn only; NULL: the session's. */
struct run_overrides { const char *fast, *verbose, *reasoning; };
bool run_overrides_equal(const struct run_overrides *a, const struct run_overrides *b);

enum run_phase { RUN_QUEUED, RUN_ACTIVE, RUN_ENDED };

/* A tool call of a reply; on the round's arena. */
struct run_call {
	const char *id, *name;
	const char *args_text;           /* as the model sent it */
	const char *args_error;          /* why it is no JSON object; NULL when it is */
	struct json *args;               /* an object, empty when malformed */
	/* the result, once is_done */
	struct json *content, *details;
	bool is_done, is_error;
	bool is_refused;                 /* it did not run */
	bool is_begun;                   /* on record as such (agent/tool_journal.h) */
	const char *approval_id;         /* a person was asked; or NULL */
	bool is_told;                    /* answered instead of run, since it repeats */
	uint64_t result_hash;
	const char *outside;             /* where the result came from; NULL: nothing of it is from outside */
};

/* Where outside text in the turn comes from. */
struct run_taint { const char *kind, *ref; int64_t at; };

/* What the turn spent so far. */
struct run_spent {
	struct model_usage sum;
	int64_t last_prompt;             /* tokens of the last request: the context's size */
	struct model_cost cost;
	bool has_cost;
	int requests;
};

/* The models that may answer this turn. An answer moves on only for this turn: the next begins with the first again. */
enum run_route_notice { ROUTE_SAME, ROUTE_MOVED, ROUTE_BACK };
struct run_failed { const char *ref, *reason, *detail; };
struct run_route {
	struct model_route chain;        /* on the arena; len 0: not known yet */
	size_t at;                       /* the one at hand, which is run->entry */
	struct run_failed *failed;       /* those given up, in order of the chain; on the arena */
	size_t failed_len;               /* at, or at + 1 when the chain is exhausted */
	bool is_asked;                   /* the one at hand was sent a request */
	enum run_route_notice notice;    /* what is to be said of it when the turn is done */
	const char *was_active;          /* ROUTE_BACK: who answered before */
};

struct run {
	int refs;
	struct agent_host *host;
	struct desk *desk;               /* NULL once ended */
	struct run *next;                /* behind us in the queue */
	struct fiber *fiber;
	struct fiber_cond ended;
	enum run_phase phase;
	enum queue_mode mode;

	/* what was asked; on the arena */
	struct arena *arena;
	struct sess *sess;
	const char *run_id;              /* of the input: the client's idempotency key */
	const char *event_id;            /* in events and transcript rows: run_id, or a new id for a drained input */
	const char *session_key, *session_id, *agent_id;
	const char *text;
	const char *message, *meta;      /* JSON of the user's row */
	const char *model, *thinking, *extra_system, *channel, *owner_conn;
	struct run_overrides over;
	const char *queue_mode;          /* a directive's, or NULL */
	const struct directives *directives;     /* of a message that is nothing else */
	const char *thread;              /* channel, peer and thread the answer goes to; NULL: the session itself */
	bool has_attachments;
	bool sender_is_admin, sender_is_owner;
	const struct run_origin *origin; /* NULL: a person's input */
	const struct run_channel *from;  /* NULL: from the gateway's own clients */
	const struct slash_command *command;     /* this is a command, not a turn */
	const char *command_args;
	size_t stopped;                  /* runs that this command ended */
	int64_t timeout_ms;
	int64_t accepted_at, accepted_mono_ms;
	bool is_new_session, is_announced, was_queued, is_told_settled;
	struct run_extras *extras;       /* NULL: none; history and the like of an API client */
	int64_t debounce_ms;             /* quiet before it starts when it was queued */
	VEC(struct run *) merged;        /* answered by this turn too; referenced, queue.h */

	/* the turn */
	int64_t seq, started_at, ended_at, epoch;
	struct home *home;
	struct policy *policy;           /* which tools the turn has, and what they are told of it */
	VEC(struct run_taint) taints;    /* what this turn saw; strings on the arena */
	struct prompt *prompt;           /* with those of them that the model is told of */
	struct run_route route;
	struct model_entry entry;        /* the model at hand; on the arena */
	const char *stop_reason;
	struct arena *round;             /* cleared before each model request */
	VEC(struct run_call) calls;      /* of the reply at hand; gone once their results are in the transcript */
	VEC(const char *) tools_used;    /* names that succeeded, once each */
	VEC(struct run_handed) handed;   /* calls of the client's tools: the turn ends with them */
	bool is_fast, shows_thinking;    /* of the request at hand */
	const char *told_thinking;       /* its level of thinking; NULL: it does not think */
	bool is_followed;                /* the follower was told text of the message at hand */
	struct run_spent spent;
	struct model_result result;      /* of the last request */
	int rounds;
	bool has_side_effects;           /* a tool did more than read */
	bool is_journaled;               /* some reply made calls that act (agent/tool_journal.h) */
	int64_t calls_made;              /* of tools */
	/* the last calls with their results, a ring; dispatch_loop.c */
	struct { struct run_step { uint64_t call, result; } at[LOOP_WINDOW]; size_t next, len, told; } loop;

	/* text that clients see: `reply` is all of it, trimmed; the message at hand begins at msg_start */
	struct buf reply;
	size_t msg_start, msg_end;       /* of the message at hand; end <= reply.len */
	size_t agent_sent, chat_sent;    /* offsets into reply that frames have told */
	bool agent_replace, chat_replace;        /* told text was taken back */
	char item_id[64];                /* "<uuid>:<round>" */
	bool is_first_told;
	int64_t agent_told_ms, chat_told_ms, dispatched_ms;      /* monotonic */
	struct loop_timer *timer;        /* throttled text, the resume after a retry, the run's deadline */
	int64_t deadline_ms, resume_ms;  /* monotonic; 0: none */
	const char *deadline_key;        /* the setting that makes it */
	int64_t timer_ms;                /* what the timer is set to; 0: not running */
	int pauses;                      /* reasons why the deadline stands still: people are asked */
	int64_t paused_at;               /* since then (monotonic), while pauses > 0 */

	/* ending before its time */
	const char *abort_origin;        /* "rpc", "timeout", …; NULL while it may go on */
	const char *abort_reason;        /* stopReason in frames */
	const char *abort_error;
	struct ch_err failure;
	enum model_error_class failure_class;
	const struct run_tool_facts *tool_facts; /* of the tool frame at hand; NULL: none is */
	struct buf scratch;              /* JSON of the event at hand */
};

struct run *run_new(struct agent_host *h);
struct run *run_ref(struct run *r);
void run_unref(struct run *r);
CH_AUTO_DEFINE(run_unref, struct run)
/* The turn, from the user's row to the last event. Runs in the run's fiber, in its lane. */
CH_FIBER void run_turn(struct run *r);
/* Marks it for ending and wakes what it waits for. Tells clients at once. */
void run_abort(struct run *r, const char *origin, const char *reason, const char *error);
void run_timer_arm(struct run *r);
/* A person is asked (true) or has answered: the turn's time does not run meanwhile. Pauses add up. */
void run_pause(struct run *r, bool is_asked);

#endif
