/*
 * models/model.h - talking to language models.
 *
 * Three layers. A dialect (struct dialect) knows a wire format and does no I/O:
 * build() writes the HTTP request, feed() eats response bytes and emits events.
 * An endpoint (struct model_endpoint) is a row of data: a service, its base URL,
 * its dialect, its key. The client (model_stream) owns sockets, retries, deadlines and the ledger.
 *
 * Messages are JSON in the protocol's transcript shape:
 *	{role:"user", content: string | [{type:"text"|"image",…}]}
 *	{role:"assistant", content:[{type:"text"|"thinking"|"toolCall",…}], stopReason, …}
 *	{role:"toolResult", toolCallId, toolName, content:[…], isError}
 */
#ifndef CH_MODELS_MODEL_H
#define CH_MODELS_MODEL_H

#include "config/config.h"
#include "core/json.h"
#include "core/loop.h"
#include "store/db.h"

struct http_client;

/* -- what is asked -- */

struct model_tool { const char *name, *description, *schema_json; };

enum thinking_level { THINK_OFF, THINK_MINIMAL, THINK_LOW, THINK_MEDIUM, THINK_HIGH, THINK_XHIGH, THINK_ADAPTIVE, THINK_MAX, THINK_ULTRA };
bool thinking_parse(const char *name, enum thinking_level *ret);
const char *thinking_name(enum thinking_level l);
/* The levels that a model can be set to; NULL-ended. */
const char *const *thinking_options(bool is_reasoning);

/* MODEL_FOR_SILENT: upkeep that nobody asked for just then. */
enum model_reason { MODEL_FOR_TURN, MODEL_FOR_TITLE, MODEL_FOR_COMPACTION, MODEL_FOR_PROBE, MODEL_FOR_SILENT, MODEL_FOR_EMBEDDING };

struct model_call {
	const char *ref;                 /* "provider/model", resolved by model_resolve() */
	const char *system_stable;       /* cacheable prefix, byte-identical from turn to turn */
	const char *system_volatile;     /* after the cache boundary; NULL */
	const struct json *messages;     /* array */
	const struct model_tool *tools;
	size_t tool_count;
	int64_t max_tokens;              /* 0: the model's */
	enum thinking_level thinking;
	enum model_reason reason;
	const char *agent_id, *session_key, *run_id;   /* for the ledger and cache keys */
	/* What a user or the configuration asks beyond that; all may be left zero. */
	const char *auth_profile;        /* this credential and no other (models/auth.h) */
	const struct json *params;       /* agents.defaults.models[ref].params and the agent's, merged: temperature, cacheRetention, … */
	const char *tool_choice;         /* NULL: "auto"; "none", "required", or a tool's name */
	const struct json *stop;         /* array of strings */
	bool is_fast;                    /* the provider's faster service tier, where it has one */
	struct secret *trial_key;        /* shown instead of what is kept, for a key not stored yet; no health is noted of it */
	const char *const *auth_skip;    /* set by the client: credentials that failed this request, NULL-ended */
};

/* -- what comes back -- */

enum model_event_kind {
	MODEL_EV_START,                  /* text: response id (may be NULL), name: the model that answers */
	MODEL_EV_TEXT,                   /* text: delta */
	MODEL_EV_THINKING,               /* text: delta */
	MODEL_EV_SIGNATURE,              /* text: of the thinking block that ends; store it as the block's thinkingSignature, also
					    when the block had no text ("redacted:…" is an encrypted block) */
	MODEL_EV_TOOL_START,             /* id, name */
	MODEL_EV_TOOL_ARGS,              /* id, text: delta of the arguments' JSON */
	MODEL_EV_TOOL_END,               /* id, name, text: the whole arguments JSON as sent (may be malformed: the agent answers that) */
	MODEL_EV_USAGE,                  /* usage so far, cumulative */
	MODEL_EV_RETRY,                  /* by the client: text says why; attempt (the one that comes, 2…), max_attempts, delay_ms. Everything
					    emitted since the last START is void. Returning false: no retry, the failure stands */
};

struct model_usage { int64_t input, output, cache_read, cache_write; };

struct model_event {
	enum model_event_kind kind;
	const char *text; size_t len;    /* NUL-terminated */
	const char *id, *name;
	struct model_usage usage;
	int attempt, max_attempts; int64_t delay_ms;
	const char *error_class;         /* RETRY: model_error_class_wire() */
	bool had_output;                 /* RETRY: something had been emitted */
};
/* Return false to stop the stream (it then ends with CH_E_CANCELED). Called from the caller's fiber; may park. */
typedef bool (*model_event_fn)(void *arg, const struct model_event *ev);

enum model_stop { MODEL_STOP_END, MODEL_STOP_TOOLS, MODEL_STOP_LENGTH, MODEL_STOP_REFUSAL, MODEL_STOP_PAUSE };
const char *model_stop_name(enum model_stop s);   /* "stop" "toolUse" "length" "refusal" "pause" */

enum model_error_class {
	MODEL_ERR_NONE, MODEL_ERR_RATE_LIMIT, MODEL_ERR_OVERLOADED, MODEL_ERR_TIMEOUT, MODEL_ERR_SERVER, MODEL_ERR_NETWORK, MODEL_ERR_CUT,
	MODEL_ERR_AUTH, MODEL_ERR_BILLING, MODEL_ERR_NOT_FOUND, MODEL_ERR_FORMAT, MODEL_ERR_CONTEXT, MODEL_ERR_REFUSAL,
};
const char *model_error_class_name(enum model_error_class c);   /* "rate_limit", "server_error", "auth", "context_overflow", … */
/* The protocol's failover reason: as the name, but "timeout" for network and cut. */
const char *model_error_class_wire(enum model_error_class c);
bool model_error_is_transient(enum model_error_class c);

struct model_cost { double input, output, cache_read, cache_write, total; };   /* USD */

struct model_result {
	enum model_stop stop;
	enum model_error_class error_class;
	int http_status;
	int64_t retry_after_ms;
	struct model_usage usage;
	struct model_cost cost;
	bool has_cost;
	char provider[64], model[160], api[40], response_id[128], response_model[160];
	int64_t first_byte_ms, total_ms;
	int attempts;
};

/* -- dialects: no I/O -- */

struct model_entry;                       /* catalog.h-side; below */

struct model_http {                       /* what build() makes; on the call's arena */
	const char *path;                 /* appended to the base URL, e.g. "/v1/messages" */
	const char *const *headers;       /* "name: value", NULL-ended; without credentials */
	struct buf *body;                 /* given by the caller, filled by build() */
};

enum dialect_stream { STREAM_SSE, STREAM_NDJSON, STREAM_EVENTSTREAM, STREAM_NONE };
/* How a key is shown: authorization: Bearer, x-api-key, api-key (Azure), x-goog-api-key; AWS signs instead. */
enum dialect_auth { AUTH_BEARER, AUTH_X_API_KEY, AUTH_API_KEY_HEADER, AUTH_X_GOOG_API_KEY, AUTH_AWS, AUTH_NONE };

struct dialect_parser;                    /* per response: models/dialect.h */

struct dialect {
	const char *api;                  /* "anthropic-messages" */
	enum dialect_stream stream;
	enum dialect_auth auth;
	CH_MUST_USE ch_status (*build)(struct arena *a, const struct model_call *call, const struct model_entry *m,
				       struct model_http *ret, struct ch_err *err);
	/* One SSE event (event name, data), NDJSON line (event NULL) or AWS event (its type; an exception's is marked, dialect.h).
	   An in-band error fills ret->error_class and gives CH_E_PEER. */
	CH_MUST_USE ch_status (*feed)(struct dialect_parser *p, const char *event, char *data, size_t len,
				      model_event_fn fn, void *arg, struct model_result *ret, struct ch_err *err);
	/* The body ended cleanly: CH_OK only when the dialect's terminal event was seen (else CH_E_PEER "cut"). */
	CH_MUST_USE ch_status (*end)(struct dialect_parser *p, model_event_fn fn, void *arg, struct model_result *ret, struct ch_err *err);
	/* A non-2xx answer: class and a person's text from status, headers (retry-after is done by the client) and body. */
	enum model_error_class (*classify)(int status, const char *body, size_t len, char *ret_text, size_t cap);
	/* Dialects without a network (offline): instead of all the above. */
	CH_FIBER ch_status (*run)(const struct model_call *call, model_event_fn fn, void *arg, struct model_result *ret, struct ch_err *err);
};
extern const struct dialect dialect_anthropic, dialect_openai_chat, dialect_openai_responses, dialect_azure_responses,
	dialect_chatgpt_responses, dialect_google, dialect_bedrock, dialect_ollama, dialect_offline;
const struct dialect *dialect_find(const char *api);

/* -- endpoints and catalog -- */

struct model_endpoint {                   /* a row of models/endpoints.c */
	const char *id, *label, *base_url, *api;
	const char *const *key_env;       /* NULL-ended, in order */
	const char *default_model;        /* used when only the key is known; NULL: none */
	bool key_optional;
	bool is_local;                    /* longer deadlines, guard trusts it */
};
const struct model_endpoint *model_endpoints(size_t *ret_count);
const struct model_endpoint *model_endpoint_find(const char *id);
/* The dialect that the endpoint speaks for this model. */
const char *model_endpoint_api(const struct model_endpoint *e, const char *model);

struct model_entry {                      /* one usable model */
	const char *provider, *id, *name, *api, *base_url;
	const char *ref;                  /* "provider/id" */
	int64_t context_window, max_tokens;
	bool reasoning, input_image, input_text;
	bool has_cost; double cost_input, cost_output, cost_cache_read, cost_cache_write;  /* USD per million tokens */
	const struct json *headers, *compat;   /* from the configuration, or NULL */
	bool configured;                  /* from models.providers */
	const char *auth_profile;         /* of a reference with "@profile"; NULL: whichever fits */
};

/* -- the client -- */

struct models;
struct models_opts {
	struct loop *loop;
	struct db *db;                    /* ledger; NULL: none */
	struct http_client *http;
	struct config *(*config)(void *arg);   /* the current snapshot, borrowed; NULL result: defaults */
	void *arg;
	int64_t retry_base_ms;           /* first backoff; 0: 1000 */
	int64_t silence_ms;              /* how long a provider may say nothing; 0: 120 s, local 300 s, or timeoutSeconds when longer */
	const char *ollama_url;          /* where models_discover() asks; NULL: models.providers.ollama.baseUrl or http://127.0.0.1:11434 */
};
struct models *models_new(const struct models_opts *opts);
void models_free(struct models *m);
/* Asks an Ollama (see ollama_url) for its models (500 ms at most); called once at start and by models.list refresh. */
CH_FIBER void models_discover(struct models *m);
/* The configuration changed. */
void models_config_changed(struct models *m);

/*
 * The model to use: `wanted` (NULL or an alias or ref) -> agent's -> defaults' primary -> environment keys -> a local Ollama -> offline/demo.
 * *ret_source: "session", "agent", "config", "environment", "ollama", "offline" (static). What may follow it: models/route.h.
 * CH_E_DENIED: `wanted` is known, but modelPolicy.allow leaves it out.
 */
CH_MUST_USE ch_status model_resolve(struct models *m, const char *wanted, const char *agent_id, struct arena *a,
				    struct model_entry *ret, const char **ret_source, struct ch_err *err);
/* All known models; entries are borrowed for the call. */
void models_each(struct models *m, bool (*each)(void *arg, const struct model_entry *e), void *arg);
/* True when the provider has what it takes (a key, or none needed). */
bool models_provider_ready(struct models *m, const char *provider);

/*
 * One request with its retries: events go to fn, the sum to *ret. Retries happen only while nothing visible was emitted or when the caller's
 * fn accepts the MODEL_EV_RETRY (returns true). Every attempt that reached the provider is in the ledger.
 */
CH_FIBER CH_MUST_USE ch_status model_stream(struct models *m, const struct model_call *call, model_event_fn fn, void *arg,
					    struct model_result *ret, struct ch_err *err);
/* Rough token count of a text (about 4 bytes a token, CJK 1 per character). */
int64_t model_estimate_tokens(const char *text, size_t len);

#endif
