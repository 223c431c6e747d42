/*
 * agent/agent.h - runs: one turn of an agent, from accepted input to settled reply.
 *
 * Owns    the runs in flight (a fiber each, holding the session's lane) and the queue behind them.
 * Order   everything a client sees of a run comes out of on_event in the protocol's
 *         order (docs/compatibility.md); agent and chat events of a run share one counter.
 * Keeps   input durable before agent_submit() returns; each transcript row committed
 *         before its event is told.
 * Lives   agent_host_new() to agent_host_free(); agent_host_drain() and agent_host_join() end what it runs first.
 * Model   a session is pinned to model_provider/model while its model_override_source is set
 *         ("user"); otherwise the two columns show what the last run used.
 */
#ifndef CH_AGENT_AGENT_H
#define CH_AGENT_AGENT_H

#include "agent/agents.h"
#include "agent/slash.h"
#include "models/model.h"
#include "models/route.h"
#include "sessions/input.h"
#include "sessions/lane.h"

struct agent_host;
struct run_extras;
struct tool_host;

/* -- what is told upwards -- */

enum run_event_kind {
	RUN_EV_AGENT,    /* an `agent` frame: stream, data (a JSON object) */
	RUN_EV_CHAT,     /* a `chat` frame: state + what belongs to it */
	RUN_EV_ROW,      /* a user or assistant row was committed: entry. Tool results travel as AGENT "tool" frames only */
	RUN_EV_SESSION,  /* the session's row changed: reason or phase */
	RUN_EV_TIMING,   /* chat.send_timing: phase (+ data) */
};
enum chat_state { CHAT_STATUS, CHAT_DELTA, CHAT_FINAL, CHAT_ERROR, CHAT_ABORTED };

/* What the trail keeps of a tool call besides its frame. */
struct run_tool_facts {
	const char *risk;                /* "low", "medium", "high"; NULL: there is no such tool */
	const char *approval_id;         /* that a person was asked for, or NULL */
	bool is_tainted;                 /* the turn had seen text from outside */
	bool is_refused;                 /* it did not run: the policy, or what it repeats */
};

struct run_event {
	enum run_event_kind kind;
	const char *run_id, *session_key, *session_id, *agent_id;        /* agent_id NULL: the frame has none */
	struct sess *sess;               /* borrowed; NULL when the session is gone */
	int64_t seq;                     /* the run's counter (AGENT, CHAT) */
	int64_t ts;                      /* wall ms */
	bool with_session_id;            /* AGENT: the frame carries sessionId */
	const char *lane;                /* AGENT: or NULL */
	const struct run_tool_facts *tool;       /* AGENT "tool": or NULL */
	const char *stream;              /* AGENT: "lifecycle", "assistant", "tool", "item", "run_status", "usage", … */
	const char *data; size_t data_len;       /* AGENT, TIMING: JSON object text */
	enum chat_state state;           /* CHAT */
	const char *phase;               /* CHAT status, SESSION phase, TIMING */
	const char *reason;              /* SESSION */
	const char *delta; size_t delta_len;     /* CHAT_DELTA */
	const char *text; size_t text_len;       /* CHAT: cumulative text of the reply */
	bool replace;                    /* CHAT_DELTA: text was rewritten */
	bool has_message;                /* CHAT_FINAL, ABORTED: false = input consumed without a reply of its own */
	const char *stop_reason;         /* CHAT_FINAL, ABORTED */
	const char *error_message;       /* CHAT_ERROR */
	const char *error_detail;        /* CHAT_ERROR: JSON object text, or NULL */
	const char *message_json;        /* CHAT_FINAL of a command: the whole message object, or NULL */
	const struct tr_entry *entry;    /* ROW */
	const char *owner_conn;          /* connection id that sent the input, or NULL */
	const char *input_id;            /* run id of the input that is answered: run_id may be one of the turn's own */
	bool is_event;                   /* no person typed that input */
};

/* Called between steps of the run: it must not call agent_*() functions that change anything. */
struct agent_ops {
	void (*on_event)(void *arg, const struct run_event *ev);
	void *arg;
};

/* -- what is asked -- */

/* Who speaks in an input that no person typed. */
struct run_origin {
	const char *kind;                /* as the protocol's provenance: "internal_system", "inter_session" */
	const char *tool;                /* what made it: "exec", "subagent_announce", "sessions_send", … */
	const char *session_key;         /* the session that it came from, or NULL */
	bool is_hidden;                  /* for the model only: pages do not show it */
	bool is_tainted;                 /* text from outside is in it */
	const char *taint_source;        /* where that came from, or NULL */
};

/* Where an input came from on a messaging network, and what holds there for its sender. */
struct run_channel {
	const char *channel, *label;     /* "telegram", "Telegram" */
	const char *account;             /* or NULL */
	const char *sender_id;           /* immutable */
	const char *sender_name;         /* for people; not trusted */
	const char *chat_type;           /* "direct", "group", "channel" */
	const char *place_name;          /* of the room; not trusted; or NULL */
	const char *message_id;
	const char *context;             /* what the model is told before the text: already between marks; or NULL */
	const char *group_prompt;        /* the room's own system prompt, of the configuration; or NULL */
	const struct json *tools;        /* {allow, alsoAllow, deny} of the room for this sender; takes away only; or NULL */
	bool has_outside;                /* others' words are in the context */
};

struct run_input {
	const char *session_key;         /* canonical */
	const char *run_id;              /* the idempotency key */
	const char *text;
	const struct json *attachments;  /* array of {type,mimeType,content(base64)} or NULL */
	const char *model;               /* override for this run, or NULL */
	const char *thinking;            /* or NULL */
	const char *fast;                /* "on", "off", "auto" for this message, or NULL: the session's */
	const char *queue_mode;          /* or NULL: the session's */
	const char *extra_system;        /* or NULL */
	const char *thread;              /* channel, peer and thread the answer goes to; NULL: the session itself */
	int64_t timeout_ms;              /* 0: the configuration's */
	const char *client_id, *client_mode, *client_name;   /* transport facts for the transcript */
	const char *owner_conn;          /* connection id, or NULL */
	bool sender_is_owner;            /* what it asks for is the owner's word; else the turn is tainted */
	bool may_command;                /* slash commands are understood, as they are of the owner */
	bool sender_is_admin;            /* may do what commands with SLASH_ADMIN do */
	bool session_is_new;             /* the caller has just made the session for this input */
	bool is_plain;                   /* slash commands are text like any other */
	const struct run_channel *from;  /* NULL: from the gateway's own clients */
	const struct run_origin *origin; /* NULL: a person typed it. Else it starts within WAKE_BURST (agent/wake.h) and is
					  * not refused for shutting down: the next start takes it up */
	/* Called in the transaction that accepts it (not when it was known already); NULL: nothing. */
	CH_MUST_USE ch_status (*also)(void *arg, struct ch_err *err);
	void *also_arg;
	const struct run_extras *extras; /* agent/extras.h: what a client of an HTTP API brings along, or NULL */
};

enum submit_status { SUBMIT_STARTED, SUBMIT_QUEUED, SUBMIT_IN_FLIGHT, SUBMIT_ENDED, SUBMIT_COMMAND };

struct submit_result {
	enum submit_status status;       /* IN_FLIGHT, ENDED: the run id was known already */
	bool interrupted_active;         /* queue mode interrupt */
	struct input_row known;          /* IN_FLIGHT, ENDED: what is known of it; on the arena given */
	int64_t load_session_ms;
	int64_t accepted_at;
};

/* How a run reaches a model; tests put a script here. */
struct agent_model_ops {
	void *arg;
	CH_MUST_USE ch_status (*resolve)(void *arg, const char *wanted, const char *agent_id, struct arena *a,
					 struct model_entry *ret, const char **ret_source, struct ch_err *err);
	CH_FIBER CH_MUST_USE ch_status (*stream)(void *arg, const struct model_call *call, model_event_fn fn, void *fn_arg,
						 struct model_result *ret, struct ch_err *err);
	/* The models of a turn, in order; NULL: only the one that resolve() gives. */
	CH_MUST_USE ch_status (*route)(void *arg, const struct model_route_want *want, struct arena *a,
				       struct model_route *ret, struct ch_err *err);
	/* How the model stands; one that rests is passed over. NULL: it is always ready. */
	void (*state)(void *arg, const char *agent_id, const struct model_entry *e, struct model_state *ret);
};

struct agent_host_opts {
	struct loop *loop;
	struct sess_store *sessions;
	struct models *models;
	struct lanes *lanes;             /* NULL: the host makes its own (agents.defaults.maxConcurrent) */
	const struct agent_model_ops *model_ops;         /* NULL: model_resolve() and model_stream() on models */
	struct config *(*config)(void *arg);     /* borrowed snapshot */
	void *config_arg;
	const char *state_dir;
	const char *git;                 /* the program, for new workspaces; NULL: none. Borrowed */
	/* The services of tools/tool.h; what the agent gives itself is filled in here. Copied; NULL: none. */
	const struct tool_host *services;
	struct agent_ops ops;
	/* Starts the gateway anew when it is quiet; NULL: nobody starts it again. */
	CH_MUST_USE ch_status (*restart)(void *arg, const char *session_key, struct ch_err *err);
	void *restart_arg;
};

struct agent_host *agent_host_new(const struct agent_host_opts *opts);
void agent_host_free(struct agent_host *h);
/* What tools are given: the services, with what the agents add. Lives with the host. */
const struct tool_host *agent_tool_host(const struct agent_host *h);
/* Start-up, after input_recover(). */
CH_MUST_USE ch_status agent_host_recover(struct agent_host *h, struct ch_err *err);
/* Refuses new input, aborts what is still running at the deadline (partial text kept). */
CH_FIBER void agent_host_drain(struct agent_host *h, int64_t deadline_ms);
/* After it, and when no command runs any more: the fibers beside the runs are cancelled and waited for. */
CH_FIBER void agent_host_join(struct agent_host *h);
void agent_config_changed(struct agent_host *h);

/* Durable when it returns CH_OK. Slash commands are recognised here. Does not wait for the run. */
CH_MUST_USE ch_status agent_submit(struct agent_host *h, const struct run_input *in, struct arena *a,
				   struct submit_result *ret, struct ch_err *err);

/* Aborts one run (run_id) or everything queued and running in the session. ids: NULL-ended on the arena. */
CH_MUST_USE ch_status agent_abort(struct agent_host *h, const char *session_key, const char *run_id, const char *origin,
				  struct arena *a, const char *const **ret_run_ids, struct ch_err *err);

/*
 * Waits until the run ended (CH_OK, *ret filled on the arena) or the deadline (CH_E_TIMEOUT). CH_E_NOT_FOUND: never heard of it.
 * ret->outcome is an object {terminalReceipt?, terminalReply?, stopReason, usage, provider, model, thinkingLevel, durationMs}.
 */
CH_FIBER CH_MUST_USE ch_status agent_wait(struct agent_host *h, const char *run_id, int64_t deadline_ms, struct arena *a,
					  struct input_row *ret, struct ch_err *err);

/* The run in flight of a session: the reply so far, and who is asked for it (NULL: not known yet). CH_E_NOT_FOUND: none. */
struct run_in_flight { const char *run_id, *text, *provider, *model, *thinking; int64_t started_at; };
CH_MUST_USE ch_status agent_in_flight(struct agent_host *h, const char *session_key, struct arena *a, struct run_in_flight *ret, struct ch_err *err);
/* Ids of all runs of a session, running first; NULL-ended on the arena. */
const char *const *agent_active_runs(struct agent_host *h, const char *session_key, struct arena *a);
bool agent_is_active(struct agent_host *h, const char *session_key);
/* How much is going on over all sessions. */
struct agent_load {
	size_t active, queued, max;      /* runs; how many may be active at once */
	bool is_draining;
};
struct agent_load agent_load(struct agent_host *h);

/* -- the model of a session -- */

/* What its user chose, "provider/model[@profile]" on the arena; NULL: nothing, the configuration decides. */
const char *agent_wanted_model(const struct sess *s, struct arena *a);
/* Chooses; NULL: the choice is taken back. Not yet saved. */
void agent_pin_model(struct sess *s, const struct model_entry *m);

/* -- summarising what was said (agent/compact.h) -- */

struct agent_compact {
	const char *session_key;
	const char *operation_id;        /* a uuid: the writer of the entry, and in the ledger */
	const char *instructions;        /* what to keep above all; or NULL */
	size_t max_entries;              /* > 0: no summary, the newest messages stay */
	void (*on_start)(void *arg);     /* a summary is about to be written; or NULL */
	void *arg;
};
struct agent_compacted {
	bool is_compacted;
	const char *reason;              /* why not */
	int64_t tokens_before, tokens_after;
	const char *summary, *first_kept_id;
	size_t kept;
};
/* CH_E_INVALID: something runs or waits in the session. On any failure the conversation is as it was. */
/* Would it be refused now? CH_E_NOT_FOUND: there is no such session. */
CH_MUST_USE ch_status agent_compact_check(struct agent_host *h, const char *session_key, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status agent_compact(struct agent_host *h, const struct agent_compact *want, struct arena *a,
					     struct agent_compacted *ret, struct ch_err *err);

#endif
