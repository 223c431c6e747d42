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

/* What a call may touch; filled by the agent from the effective policy of the turn. */
struct tool_ctx {
	const char *agent_id, *session_key, *run_id, *tool_call_id;
	const char *workspace;           /* absolute path */
	int workspace_fd;                /* O_PATH directory, for openat2(RESOLVE_BENEATH) */
	int64_t deadline_ms;
	struct arena *arena;             /* lives until the result was recorded */
	const struct tool_host *host;    /* what tools may ask of the layers above */
	/* Progress while running; NULL: nobody listens. */
	void (*on_update)(void *arg, const char *text, size_t len);
	void *update_arg;
};

/* Up-calls that the agent fills. */
struct tool_host {
	void *arg;
	/* session_status: a JSON object about the session. */
	CH_MUST_USE ch_status (*session_status)(void *arg, const char *session_key, struct buf *ret_json, struct ch_err *err);
};

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
	/* One line for people ("from notes.txt"); NULL or returns NULL: none. */
	const char *(*meta)(struct arena *a, const struct json *args);
	CH_FIBER CH_MUST_USE ch_status (*run)(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err);
};
/* All tools, sorted by name (the order is part of the cacheable prompt). */
const struct tool *const *tool_table(size_t *ret_count);
const struct tool *tool_find(const char *name);
/* Checks args against schema_json: the supported subset is type, properties, required, enum, items, minimum, maximum, minLength, maxLength, additionalProperties. */
CH_MUST_USE ch_status tool_check_args(const struct tool *t, const struct json *args, struct ch_err *err);

#endif
