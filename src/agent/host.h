/*
 * agent/host.h - what the files of agent/ share (private).
 *
 * A desk is a session's place in memory: its active run, the queue behind it and the
 * parsed history. Desks without runs are kept for a while so that a following turn need not
 * read the transcript again.
 */
#ifndef CH_AGENT_HOST_H
#define CH_AGENT_HOST_H

#include "agent/run.h"
#include "agent/wake.h"
#include "core/map.h"
#include "tools/command_ops.h"
#include "tools/sessions_ops.h"
#include "tools/tool.h"

#define DESKS_IDLE_MAX 32                /* kept without runs, least recently used first to go */
#define DESK_HISTORY_IDLE_MAX (64u << 10)       /* bytes of parsed history kept without a run */
#define WINDOW_UNKNOWN 128000            /* tokens, of a model that does not say */
#define WINDOW_RESERVE 20000             /* of the window, for the reply; a quarter at most */
#define DESK_DROPPED_MAX 100             /* summarized messages that wait for the next turn */
#define QUEUE_CAP_DEFAULT 20             /* messages.queue.cap */

struct desk {
	struct agent_host *host;
	char *key;
	struct run *active;
	struct run *head, *tail;         /* queued, oldest first; head is NULL iff tail is */
	size_t queued;
	int64_t queued_ms;               /* when the last one was queued, monotonic */
	struct loop_timer *quiet;        /* starts the queue after its quiet time */
	VEC(struct run *) dropped;       /* dropped to a line of the next turn, oldest first; referenced */
	struct history *history;         /* NULL: not read yet */
	int64_t used_ms;
	int64_t compact_failed_ms;       /* when a summary failed last (monotonic); 0: not since then */
	int64_t wakes[WAKE_BURST];       /* when the last turns for events began (monotonic), a ring */
	size_t wake_at;                  /* its oldest */
};

struct agent_host {
	struct agent_host_opts opts;
	struct agent_model_ops model_ops;
	struct lanes *lanes;
	bool owns_lanes, is_draining;
	struct map *desks;               /* session key -> struct desk */
	struct map *runs;                /* run id and event id -> struct run, queued or active */
	struct map *homes;               /* agent id -> struct home */
	size_t active;                   /* runs */
	struct fiber_cond idle;          /* active became 0 */
	VEC(struct run *) to_announce;   /* accepted, their events not yet told; referenced */
	struct loop_timer *announcer;
	struct loop_timer *trimmer;      /* gives memory back after turns */
	bool is_trim_due;                /* it is set */
	int64_t trim_wait_ms;            /* until it looks again */
	struct loop_timer *subagents;    /* subagent.h: looks for those that have ended */
	struct lanes *sub_lanes;         /* how many sub-agents run at once; within `lanes` */
	struct tool_host tool_host;
	struct tool_sessions_ops sessions_ops;
	struct tool_command_ops command_ops;
	VEC(struct fiber *) fibers;      /* of host_spawn() */
	struct fiber_cond fiber_ended;   /* one of them */
};

static inline struct config *host_config(const struct agent_host *h) { return h->opts.config(h->opts.config_arg); }

/* -- desk.c -- */
struct desk *desk_find(struct agent_host *h, const char *key);
struct desk *desk_open(struct agent_host *h, const char *key);
void desk_free(struct desk *d);
bool desk_is_busy(const struct desk *d);
struct run *desk_find_run(struct desk *d, const char *run_id);
void desk_push(struct desk *d, struct run *r, bool in_front);
/* Starts the next queued run when none is active. */
void desk_go(struct desk *d);
/* Takes out the first queued run that may be folded into the active one; the caller gets the reference. */
struct run *desk_take_steered(struct desk *d);
bool desk_has_steered(const struct desk *d);
bool desk_remove(struct desk *d, struct run *r);
/* The next turn reads the conversation and the workspace anew. */
void desk_forget_history(struct agent_host *h, const char *key);
/* The run is over: it leaves its desk, waiters wake. Its last events are told after this. */
void run_ended(struct run *r);
/* Tells what is due of accepted runs and answers commands that need no turn. */
void host_announce(void *host);

/* -- host.c -- */
/* One of h->active is over; wakes the drain when it was the last. */
void host_left(struct agent_host *h);
/* struct tool_host spawn; host is a struct agent_host. */
void host_spawn(void *host, const char *name, void (*fn)(void *arg), void *arg);
/* A queued run ends without having run: durable, then told. */
CH_MUST_USE ch_status host_cancel_queued(struct run *r, const char *reason, struct ch_err *err);

/* -- commands.c -- */
const struct slash_command *command_parse(const struct config *c, const char *text, struct arena *a,
					  const char **ret_args);
/* Answers it: in the caller, or in a fiber of its own when it may park. */
void command_start(struct run *r);
/* Answers it in the caller. */
void command_run(struct run *r);

/* -- turn_window.c -- */
/* Tokens that a request may have: the window without the reserve. */
int64_t window_tokens(const struct model_entry *m);

/* -- status.c -- */
CH_MUST_USE ch_status status_json(struct agent_host *h, struct sess *s, struct buf *out, struct ch_err *err);
CH_MUST_USE ch_status status_text(struct agent_host *h, struct sess *s, struct buf *out, struct ch_err *err);
/* "Sunday, 22 November 2026", and "08:15" after it when with_time, in local time. */
void status_date(int64_t wall_ms, bool with_time, char *ret_text, size_t cap);
#define STATUS_DATE_MAX 64

#endif
