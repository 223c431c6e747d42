/*
 * models/dialect_ollama.c - Ollama's own /api/chat, streamed as NDJSON.
 *
 * The context window is always said (options.num_ctx): Ollama's default cuts
 * the prompt without a word. Calls come whole and without ids; ours are made
 * of the reply's time stamp and their number, so that they are the same each
 * time the same reply is read and differ between replies.
 */
#include "core/crypto.h"
#include "core/str.h"
#include "models/dialect.h"

#define DEFAULT_NUM_CTX 8192

/* -- request -- */

struct writer {
	struct jw w;
	struct arena *arena;
	const struct model_call *call;
	const struct model_entry *m;
	struct history history;
};

static void write_system(struct writer *x)
{
	const char *text = dialect_system(x->arena, x->call);

	if (!text)
		return;
	jw_obj(&x->w);
	jw_kstr(&x->w, "role", "system");
	jw_kstr(&x->w, "content", text);
	jw_end(&x->w);
}

static void write_images(struct writer *x, const struct msg *m)
{
	if (!msg_has(m, BLOCK_IMAGE))
		return;
	jw_karr(&x->w, "images");
	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind == BLOCK_IMAGE)
			jw_str(&x->w, b->text);
	}
	jw_end(&x->w);
}

static void write_calls(struct writer *x, const struct msg *m)
{
	if (!msg_has(m, BLOCK_CALL))
		return;
	jw_karr(&x->w, "tool_calls");
	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind != BLOCK_CALL)
			continue;
		jw_obj(&x->w);
		jw_kobj(&x->w, "function");
		jw_kstr(&x->w, "name", b->name);
		jw_kvalue(&x->w, "arguments", b->args);
		jw_end(&x->w);
		jw_end(&x->w);
	}
	jw_end(&x->w);
}

static void write_message(struct writer *x, const struct msg *m)
{
	static const char *const roles[] = { [MSG_USER] = "user", [MSG_ASSISTANT] = "assistant", [MSG_TOOL] = "tool" };
	const char *text = msg_text(x->arena, m);

	if (m->role == MSG_ASSISTANT && str_empty(text) && !msg_has(m, BLOCK_CALL))
		return; /* thinking alone does not go back */
	if (m->role == MSG_TOOL && str_empty(text))
		text = "(no output)";
	jw_obj(&x->w);
	jw_kstr(&x->w, "role", roles[m->role]);
	jw_kstr(&x->w, "content", text);
	if (m->role == MSG_TOOL)
		jw_kstr_opt(&x->w, "tool_name", m->tool_name);
	write_images(x, m);
	write_calls(x, m);
	jw_end(&x->w);
}

/* Families that take a level instead of yes or no, and "max" above "high". */
static bool takes_levels(const char *id)
{
	return str_starts(id, "gpt-oss") || str_starts(id, "glm-5.2") || str_starts(id, "deepseek-v4");
}

/* Models that do not think refuse the field; gpt-oss cannot stop. */
static void write_think(struct writer *x)
{
	static const char *const levels[] = {
		[THINK_OFF] = "low",   [THINK_MINIMAL] = "low", [THINK_LOW] = "low",         [THINK_MEDIUM] = "medium",
		[THINK_HIGH] = "high", [THINK_XHIGH] = "high",  [THINK_ADAPTIVE] = "medium", [THINK_MAX] = "max",
		[THINK_ULTRA] = "max",
	};
	enum thinking_level level = x->call->thinking;
	bool is_oss = str_starts(x->m->id, "gpt-oss");
	const char *word = levels[level];

	if (!x->m->reasoning)
		return;
	if (!takes_levels(x->m->id) || (level == THINK_OFF && !is_oss))
		jw_kbool(&x->w, "think", level != THINK_OFF);
	else
		jw_kstr(&x->w, "think", is_oss && str_eq(word, "max") ? "high" : word);
}

static void write_options(struct writer *x)
{
	int64_t window = param_num_ctx(x->call, x->m), max = param_max_tokens(x->call);

	jw_kobj(&x->w, "options");
	jw_kint(&x->w, "num_ctx", window ? window : DEFAULT_NUM_CTX);
	if (max > 0)
		jw_kint(&x->w, "num_predict", max);
	param_write_sampling(&x->w, x->call, x->m, "temperature", "top_p");
	param_write_stop(&x->w, x->call, "stop");
	jw_end(&x->w);
}

static void write_optional(struct writer *x, const char *key, const struct json *v)
{
	if (v)
		jw_kvalue(&x->w, key, v);
}

static void write_tools(struct writer *x)
{
	if (!x->call->tool_count || !compat_flag(x->m, "supportsTools", true) || tool_mode(x->call) == TOOLS_NONE)
		return;
	jw_karr(&x->w, "tools");
	for (size_t i = 0; i < x->call->tool_count; i++) {
		jw_obj(&x->w);
		dialect_write_tool(&x->w, &x->call->tools[i]);
		jw_end(&x->w);
	}
	jw_end(&x->w);
}

static ch_status ollama_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
			      struct model_http *ret, struct ch_err *err)
{
	static const char *const headers[] = { "content-type: application/json", "accept: application/x-ndjson", NULL };
	struct writer x = { .w = JW(ret->body), .arena = a, .call = call, .m = m };
	ch_status st;

	st = history_prepare(a, call->messages, m->input_image, &x.history, err);
	if (st)
		return st;
	jw_obj(&x.w);
	jw_kstr(&x.w, "model", m->id);
	jw_karr(&x.w, "messages");
	write_system(&x);
	for (const struct msg *msg = x.history.first; msg; msg = msg->next)
		write_message(&x, msg);
	jw_end(&x.w);
	write_tools(&x);
	jw_kbool(&x.w, "stream", true);
	write_think(&x);
	write_options(&x);
	write_optional(&x, "keep_alive", param_get(call, "keep_alive", "keepAlive"));
	write_optional(&x, "format", param_get(call, "format", NULL));
	jw_end(&x.w);
	ret->path = "/api/chat";
	ret->headers = headers;
	return buf_status(ret->body, err, "the request to the model");
}

/* -- answer -- */

static void make_stem(struct dialect_parser *p, const struct json *v)
{
	const char *at = json_str_or(json_get(v, "created_at"), "");
	char digest[2 * SHA256_LEN + 1];

	sha256_hex(at, strlen(at), digest);
	memcpy(p->id_stem, digest, sizeof(p->id_stem) - 1);
}

static ch_status take_call(struct dialect_parser *p, const struct json *v, const struct sink *to, struct ch_err *err)
{
	const struct json *function = json_get(v, "function"), *args = json_get(function, "arguments");
	const char *name = json_get_str(function, "name"), *text, *id;
	size_t n = p->calls.list.len;
	struct tool_call *c = NULL;
	ch_status st;

	if (str_empty(name))
		return CH_OK;
	id = arena_printf(p->arena, "call_%s_%zu", p->id_stem, n);
	st = tool_calls_begin(&p->calls, to, (int64_t)n, id, name, &c, err);
	if (st)
		return st;
	text = json_is(args, JSON_STR) ? json_str(args) : args ? json_to_str(p->arena, args) : "";
	st = tool_call_args(c, to, text, strlen(text), err);
	return st ? st : tool_call_end(c, to);
}

static ch_status take_end(struct dialect_parser *p, const struct json *v, const struct sink *to,
			  struct model_result *ret)
{
	struct model_usage u = {
		.input = json_get_int(v, "prompt_eval_count", 0),
		.output = json_get_int(v, "eval_count", 0),
	};

	p->is_complete = true;
	if (p->calls.list.len)
		ret->stop = MODEL_STOP_TOOLS;
	else
		ret->stop = str_eq(json_get_str(v, "done_reason"), "length") ? MODEL_STOP_LENGTH : MODEL_STOP_END;
	return sink_usage(to, &u, ret);
}

static ch_status ollama_feed(struct dialect_parser *p, const char *event, char *data, size_t len, model_event_fn fn,
			     void *arg, struct model_result *ret, struct ch_err *err)
{
	struct sink to = { fn, arg };
	const struct json *message;
	struct json *v = NULL;
	struct ch_err why;
	const char *text;
	ch_status st = CH_OK;

	arena_clear(p->arena);
	if (json_parse(p->arena, data, len, JSON_STRICT, &v, &why))
		return error_chunk(&why, ret, err);
	if (json_get(v, "error"))
		return error_in_band(json_get(v, "error"), ret, err);
	message = json_get(v, "message");
	if (!p->has_started) {
		p->has_started = true;
		make_stem(p, v);
		st = sink_start(&to, NULL, json_get_str(v, "model"), ret);
	}
	text = json_str_or(json_get(message, "thinking"), "");
	if (!st)
		st = sink_text(&to, MODEL_EV_THINKING, text, strlen(text));
	text = json_str_or(json_get(message, "content"), "");
	if (!st)
		st = sink_text(&to, MODEL_EV_TEXT, text, strlen(text));
	json_each(call, json_get(message, "tool_calls")) {
		if (st)
			break;
		st = take_call(p, call, &to, err);
	}
	if (!st && json_get_bool(v, "done", false))
		st = take_end(p, v, &to, ret);
	return st;
}

static ch_status ollama_end(struct dialect_parser *p, model_event_fn fn, void *arg, struct model_result *ret,
			    struct ch_err *err)
{
	return p->is_complete ? CH_OK : error_cut(ret, err);
}

const struct dialect dialect_ollama = {
	.api = "ollama",
	.stream = STREAM_NDJSON,
	.auth = AUTH_BEARER,
	.build = ollama_build,
	.feed = ollama_feed,
	.end = ollama_end,
	.classify = error_read_body,
};
