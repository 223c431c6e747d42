/*
 * models/dialect.h - what the dialects share. Internal to models/.
 *
 * Emitting, the tool calls of a reply while they stream in, the history as
 * dialects want it, and what an error means. No I/O.
 */
#ifndef CH_MODELS_DIALECT_H
#define CH_MODELS_DIALECT_H

#include "core/vec.h"
#include "models/model.h"

/* The first character of an AWS event's name when it is an exception. */
#define DIALECT_EXCEPTION '!'

/* -- emitting: CH_OK, or CH_E_CANCELED when the caller wants no more -- */

struct sink {
	model_event_fn fn;
	void *arg;
};
CH_MUST_USE ch_status sink_event(const struct sink *to, const struct model_event *ev);
/* TEXT, THINKING, SIGNATURE. Nothing is told of an empty text. */
CH_MUST_USE ch_status sink_text(const struct sink *to, enum model_event_kind kind, const char *text, size_t len);
/* START; also keeps id and model in ret. */
CH_MUST_USE ch_status sink_start(const struct sink *to, const char *id, const char *model, struct model_result *ret);
CH_MUST_USE ch_status sink_usage(const struct sink *to, const struct model_usage *usage, struct model_result *ret);

/* Copies into a fixed field, cut at a character. */
void field_set(char *field, size_t cap, const char *text);
#define FIELD_SET(field, text) field_set((field), sizeof(field), (text))

/* -- the tool calls of one reply -- */

#define TOOL_CALLS_MAX 128               /* stops a model that has lost its mind */
#define TOOL_ARGS_MAX ((size_t)4 << 20)

struct tool_call {
	int64_t index;                   /* the provider's */
	char *id, *name;
	struct buf args;
	bool is_ended;
};
struct tool_calls {
	VEC(struct tool_call) list;
};
void tool_calls_done(struct tool_calls *t);
struct tool_call *tool_calls_find(struct tool_calls *t, int64_t index);
/* Tells TOOL_START. */
CH_MUST_USE ch_status tool_calls_begin(struct tool_calls *t, const struct sink *to, int64_t index, const char *id,
				       const char *name, struct tool_call **ret, struct ch_err *err);
/* Tells TOOL_ARGS. */
CH_MUST_USE ch_status tool_call_args(struct tool_call *c, const struct sink *to, const char *text, size_t len,
				     struct ch_err *err);
/* Tells TOOL_END, once; no arguments at all become "{}". */
CH_MUST_USE ch_status tool_call_end(struct tool_call *c, const struct sink *to);
CH_MUST_USE ch_status tool_calls_end_all(struct tool_calls *t, const struct sink *to);

/* -- a reply while it is read -- */

/* What is remembered of a reply between its chunks; each dialect uses what its wire needs. */
struct dialect_parser {
	struct arena *arena;             /* of one chunk */
	struct tool_calls calls;
	struct model_usage usage;        /* so far, where it comes in parts */
	struct buf signature;            /* of the thinking block that is open */
	char id_stem[9];                 /* of our ids for calls that the provider gives none */
	int64_t index;                   /* of the call or item that streams; -1: none yet */
	bool item_has_text;              /* … and whether any of it came */
	bool has_started, has_finished, refused;
	bool is_complete;                /* the terminal event was seen: nothing that follows matters */
};
struct dialect_parser *dialect_parser_new(void);
void dialect_parser_free(struct dialect_parser *p);      /* NULL is fine */

/* -- the history, made fit to be sent -- */

enum msg_role { MSG_USER, MSG_ASSISTANT, MSG_TOOL };
enum block_kind { BLOCK_TEXT, BLOCK_THINKING, BLOCK_IMAGE, BLOCK_CALL };

struct block {
	struct block *next;
	enum block_kind kind;
	const char *text;                /* TEXT, THINKING; IMAGE: base64 */
	const char *mime;                /* IMAGE */
	const char *signature;           /* THINKING, CALL (Google signs calls); or NULL */
	const char *id, *name;           /* CALL */
	const struct json *args;         /* CALL: an object */
};
struct msg {
	struct msg *next;
	enum msg_role role;
	struct block *first, *last;
	const char *call_id, *tool_name; /* TOOL */
	bool is_error;                   /* TOOL */
	const char *api, *model;         /* ASSISTANT: who said it, or NULL */
};
struct history {
	struct msg *first, *last;
};
/*
 * After it: only known roles and usable blocks; each call is followed at once by exactly one
 * result (a missing one is made up as an error, surplus ones are gone); no reply that failed
 * before it said anything; images only when the model takes them. Nothing is copied.
 * CH_E_INVALID when nothing is left to be answered.
 */
CH_MUST_USE ch_status history_prepare(struct arena *a, const struct json *messages, bool with_images,
				      struct history *ret, struct ch_err *err);
/* Said by this very model over this API: only then do signatures and encrypted reasoning mean anything to it. */
bool msg_is_from(const struct msg *m, const struct model_entry *e);
/* Replies behind the last user's or tool's message go: they would be continued instead of answered. */
void history_drop_trailing_replies(struct history *h);
/* The texts of a message, joined by newlines; "" when there is none. */
const char *msg_text(struct arena *a, const struct msg *m);
bool msg_has(const struct msg *m, enum block_kind kind);

/* -- ids of tool calls: providers differ in what they take; calls and results change alike -- */

struct id_form {
	size_t min, max;
	bool is_alnum;                   /* letters and digits only; else '_' and '-' too */
};
extern const struct id_form id_form_anthropic, id_form_openai, id_form_mistral, id_form_google;
/* The id itself when it has the form (a part behind '|' is another API's item id and goes), else one made of it. */
const char *id_fit(struct arena *a, const char *id, const struct id_form *form);

/* -- what the configuration asks of a request (call->params), by either spelling of a name -- */

const struct json *param_get(const struct model_call *call, const char *name, const char *snake_name);
enum retention { RETAIN_DEFAULT, RETAIN_NONE, RETAIN_SHORT, RETAIN_LONG };
/* params.cacheRetention, else OPENCLAW_CACHE_RETENTION; *ret_is_explicit (NULL is fine) tells the first. */
enum retention param_retention(const struct model_call *call, bool *ret_is_explicit);
/* params.num_ctx, else what the model is configured to take; 0: unknown. */
int64_t param_num_ctx(const struct model_call *call, const struct model_entry *m);
/* The call's limit, else params.maxTokens; 0: none. */
int64_t param_max_tokens(const struct model_call *call);
bool param_is_fast(const struct model_call *call);
/* params.serviceTier, or NULL. */
const char *param_tier(const struct model_call *call);
/* temperature and topP as members of these names, where the model takes them (compat.supportsTemperature). */
void param_write_sampling(struct jw *w, const struct model_call *call, const struct model_entry *m, const char *temperature,
			  const char *top_p);
/* call->stop as a member of this name. */
void param_write_stop(struct jw *w, const struct model_call *call, const char *name);

/* -- what may be called -- */

enum tool_mode { TOOLS_AUTO, TOOLS_NONE, TOOLS_ANY, TOOLS_ONE };
/* call->tool_choice; AUTO also when what it names is not offered. */
enum tool_mode tool_mode(const struct model_call *call);
/* The tool's schema, or that of no parameters. */
const char *tool_schema(const struct model_tool *t);

/* -- errors -- */

/*
 * The class of a failure from its status (0: in-band), the provider's own type or code and its words. What the
 * words say weighs more than the status: providers send context overflows as 400, 413, 422 and 500.
 */
enum model_error_class error_classify(int status, const char *type, const char *message);
/* Reads {error:{message,type,code}}, {error:"…"}, {message}, {detail} or plain text. For dialect.classify. */
enum model_error_class error_read_body(int status, const char *body, size_t len, char *ret_text, size_t cap);
/* How long the body asks to wait; 0: it does not say. */
int64_t error_retry_ms(const char *body, size_t len);
/* An in-band error object: fills ret->error_class, gives CH_E_PEER with the provider's words. */
ch_status error_in_band(const struct json *error, struct model_result *ret, struct ch_err *err);
/* The reply ended without its end. */
ch_status error_cut(struct model_result *ret, struct ch_err *err);
/* A chunk that is not what the dialect promised. */
ch_status error_chunk(const struct ch_err *why, struct model_result *ret, struct ch_err *err);

/* A flag of models.providers.<id>.models[].compat. */
bool compat_flag(const struct model_entry *m, const char *name, bool def);
bool compat_has(const struct model_entry *m, const char *name);
/* The stable and the volatile system text in one; NULL when there is none. */
const char *dialect_system(struct arena *a, const struct model_call *call);
/* The members of one of the "tools" in OpenAI's form, which Ollama took over. */
void dialect_write_tool(struct jw *w, const struct model_tool *t);

#endif
