/*
 * tools/tool.h - what an agent can do: one file per family, one row per tool.
 *
 * The dispatcher (agent/dispatch) has parsed the arguments, checked them against the
 * schema, and set deadline and cancel before run() is called. run() reports what
 * the model must know in the result; a returned status other than CH_OK is turned into an error result with err's text.
 */
#ifndef CH_TOOLS_TOOL_H
#define CH_TOOLS_TOOL_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"

enum tool_risk { TOOL_READS, TOOL_WRITES, TOOL_RUNS, TOOL_SENDS };
const char *tool_risk_name(enum tool_risk r);    /* of the protocol: "low", "medium", "high" */
enum tool_flag {
	TOOL_OUTSIDE = 1,                /* what it returns comes from outside: fenced by the dispatcher, taints the turn */
	TOOL_OWNER_ONLY = 2,             /* only for turns that speak for the owner */
	TOOL_NOT_SUBAGENT = 4,
	TOOL_OPTIONAL = 8,               /* not part of a profile: only by allow or alsoAllow */
};
/* A session's permission mode (reference: gateway/permission-modes). */
enum tool_mode { TOOL_MODE_UNSET, TOOL_MODE_READ_ONLY, TOOL_MODE_GUARDED, TOOL_MODE_WORKSPACE, TOOL_MODE_FULL };

struct approvals;
struct exec_allow;
struct http_client;
struct loop;
struct process_host;
struct progress;
struct questions;
struct secret_store;
struct sess_store;
struct web;

/* Who a call is for and how far it may go: the dispatcher's parameter, from the effective policy (agent/policy.h). */
struct tool_grant {
	bool is_owner;                   /* the turn speaks for the owner */
	bool is_tainted;                 /* text from outside is in it; may become true while the turn goes on */
	enum tool_mode mode;
	int depth;                       /* 0: a session of a person; > 0: a sub-agent's */
	const char *channel, *sender;    /* where it came from and the sender's immutable id; NULL: the gateway's own clients */
};

/* What a call may touch. */
struct tool_ctx {
	const struct tool *tool;
	const char *agent_id, *session_key, *session_id, *run_id, *tool_call_id;
	const char *workspace;           /* absolute path */
	int workspace_fd;                /* O_PATH directory, for openat2(RESOLVE_BENEATH) */
	int64_t deadline_ms;             /* the dispatcher ends the call then; tools with timeout_ms 0 bound themselves */
	struct arena *arena;             /* lives until the result was recorded */
	const struct tool_host *host;    /* what tools may ask of the layers above */
	const struct tool_grant *grant;  /* never NULL */
	bool is_outside;                 /* set by the tool: this result comes from outside, whatever the row says */
	const char *source;              /* set by the tool: where from ("https://example.org/x"); for the fence and the taint */
	/* Progress while running; NULL: nobody listens. */
	void (*on_update)(void *arg, const char *text, size_t len);
	void *update_arg;
	/* Waiting for a person: told as lifecycle waiting-approval / approval-resolved; approval_id NULL: it goes on. NULL: nobody listens. */
	void (*on_approval)(void *arg, const char *approval_id, const char *status);
};

/* Something that a session should hear of, with a turn of its own when it is quiet. */
struct tool_wake {
	const char *session_key;
	const char *kind;                /* "exec", "subagent", "approval", "question" */
	const char *id;                  /* once per (kind, id): a second one is not told */
	const char *text;
	bool is_tainted;
	const char *source;              /* when tainted */
};
struct tool_command_ops;
struct tool_sessions_ops;                /* tools/sessions_ops.h: what session and sub-agent tools ask of the agent */

/* The services and up-calls that tools use; the gateway and the agent fill it. A service that is not there is NULL. */
struct tool_host {
	void *arg;
	/* session_status: a JSON object about the session. */
	CH_MUST_USE ch_status (*session_status)(void *arg, const char *session_key, struct buf *ret_json, struct ch_err *err);
	/* Borrowed until the next wait. */
	struct config *(*config)(void *arg);
	/* The gateway is going down: what waits for a person stays pending, it can be answered after the restart. NULL: no. */
	bool (*is_closing)(void *arg);
	/* Runs fn(fn_arg) in a fiber that the gateway's end cancels and waits for. */
	void (*spawn)(void *arg, const char *name, void (*fn)(void *fn_arg), void *fn_arg);
	/* Durable when it returns CH_OK (agent/wake.h). */
	CH_MUST_USE ch_status (*wake)(void *arg, const struct tool_wake *w, struct ch_err *err);
	/*
	 * Which files hold text from outside (agent/taint). `path` is the file's real place: relative to ctx->workspace, or
	 * absolute when it lies in another root. note_written: the file is about to hold (true) or now holds (false) what
	 * is_tainted says; durable when it returns CH_OK. is_tainted_file: *ret_source on ctx->arena says where from, or NULL.
	 */
	CH_MUST_USE ch_status (*note_written)(void *arg, const struct tool_ctx *ctx, const char *path, bool is_tainted,
					      struct ch_err *err);
	bool (*is_tainted_file)(void *arg, const struct tool_ctx *ctx, const char *path, const char **ret_source);
	/* Does it stand, whole, in what people and the web said in this conversation? (agent/said.h); NULL: it does not. */
	bool (*was_said)(void *arg, const struct tool_ctx *ctx, const char *text);
	const struct tool_sessions_ops *sessions_ops;
	const struct tool_command_ops *command_ops;      /* tools/command_ops.h */
	const char *state_dir;
	struct loop *loop;
	struct http_client *http;
	struct sess_store *sessions;
	struct approvals *approvals;
	struct questions *questions;
	struct process_host *processes;
	struct progress *progress;
	struct exec_allow *exec_allow;
	struct secret_store *secrets;
	struct web *web;
	struct chan_host *channels;      /* channels/host.h */
};
static inline bool tool_host_is_closing(const struct tool_host *h) { return h->is_closing && h->is_closing(h->arg); }

struct tool_result {
	struct json *content;            /* array of {type:"text",text} / {type:"image",data,mimeType} on ctx->arena */
	struct json *details;            /* object for clients, or NULL */
	bool is_error;
};
void tool_result_text(struct tool_ctx *ctx, struct tool_result *r, const char *text, size_t len);
void tool_result_textf(struct tool_ctx *ctx, struct tool_result *r, const char *fmt, ...) CH_PRINTF(3, 4);

struct tool {
	const char *name;
	const char *label;               /* "Read" */
	const char *description;         /* what the model reads */
	const char *schema_json;         /* JSON Schema of the arguments: an object with properties, closed */
	enum tool_risk risk;
	int64_t timeout_ms;
	size_t out_max_bytes;            /* of the text given to the model; the dispatcher cuts with a notice */
	bool is_parallel;                /* may run beside others of the same reply */
	unsigned flags;                  /* enum tool_flag */
	const char *group;               /* "fs", "runtime", "web", "sessions", …: group:<name> in policies */
	const void *data;                /* of tools that are not rows (tool_source) */
	/* Does this call act beyond the workspace and the sandbox (send, run on the host, change settings)? Then a tainted turn
	 * needs a person's yes. NULL: risk TOOL_SENDS does, others do not. */
	bool (*has_effects)(const struct tool_ctx *ctx, const struct json *args);
	/* The tool asks for approval itself (exec), so the dispatcher does not ask for a tainted turn. */
	bool asks_itself;
	/* Can it be used as things are configured? false: *ret_why (on the arena or static) says what to do. NULL: always. */
	bool (*is_available)(const struct tool_host *host, const char *agent_id, struct arena *a, const char **ret_why);
	/* One line for people ("from notes.txt"); NULL or returns NULL: none. */
	const char *(*meta)(struct arena *a, const struct json *args);
	CH_FIBER CH_MUST_USE ch_status (*run)(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err);
};
/* All tools, sorted by name (the order is part of the cacheable prompt). */
const struct tool *const *tool_table(size_t *ret_count);
const struct tool *tool_find(const char *name);
/*
 * Tools that are not rows: endpoints of the configuration, executables of the workspace. Found anew for each turn whose
 * stamp differs; all they give lives on the arena. Names must not be those of rows; `problem` rows (run NULL,
 * description says why) are shown by `chela tools` and never offered.
 */
struct tool_source {
	const char *id;                  /* "http", "user" */
	/* Changes when the list may have changed; cheap. */
	uint64_t (*stamp)(const struct tool_host *host, const char *agent_id, const char *workspace);
	CH_MUST_USE ch_status (*list)(const struct tool_host *host, const char *agent_id, const char *workspace, struct arena *a,
				      const struct tool *const **ret, size_t *ret_count, struct ch_err *err);
};
const struct tool_source *const *tool_sources(size_t *ret_count);
/* Checks args against schema_json: the supported subset is type, properties, required, enum, items, minimum, maximum, minLength, maxLength, additionalProperties. */
CH_MUST_USE ch_status tool_check_args(const struct tool *t, const struct json *args, struct ch_err *err);

#endif
