/*
 * models/dialect_anthropic.c - Anthropic's Messages API, streamed.
 *
 * Cache boundaries (four at most): behind the tools, behind the stable system
 * text, and behind the last two user messages, so that each request finds the
 * prefix of the one before. What is volatile stands behind the boundary.
 *
 * Thinking: models from 4.6 on take an effort ("adaptive"), older ones a
 * budget of tokens. Thinking blocks go back only to the model that signed
 * them. A redacted block is kept as a signature "redacted:<data>".
 *
 * Stream: message_start, then per block content_block_start, _delta …, _stop,
 * then message_delta (stop reason, usage), message_stop. Kinds
 * that are not known are ignored, as the API asks.
 */
#include "core/str.h"
#include "models/dialect.h"

#define DEFAULT_MAX_TOKENS 8192          /* when the model's own limit is unknown */
#define USUAL_MAX_TOKENS 32000           /* input and this must fit the window together, so not the most there is */
#define REDACTED "redacted:"

/* -- request -- */

/* "claude-opus-4-6" is 406, "claude-3-7-sonnet-20250219" 307; 0 when the name tells nothing. */
static int model_version(const char *id)
{
	int major = -1;

	for (const char *p = id; *p; p++) {
		int n = 0;
		size_t digits = strspn(p, "0123456789");

		if (digits == 0 || (p > id && p[-1] != '-' && p[-1] != '.'))
			continue;
		for (size_t i = 0; i < digits && digits <= 2; i++)
			n = 10 * n + (p[i] - '0');
		if (digits > 2)         /* a date ends the version */
			break;
		if (major >= 0)
			return 100 * major + n;
		major = n;
		p += digits - 1;
	}
	return major > 0 ? 100 * major : 0;
}

enum think_mode { THINKS_NOT, THINKS_BY_EFFORT, THINKS_BY_BUDGET };

struct plan {
	struct arena *arena;
	const struct model_call *call;
	const struct model_entry *m;
	struct history history;
	enum think_mode mode;
	int64_t max_tokens;
	int64_t budget;
};

static int64_t budget_of(enum thinking_level level)
{
	switch (level) {
	case THINK_OFF: return 0;
	case THINK_MINIMAL: return 1024;
	case THINK_LOW: return 4096;
	case THINK_MEDIUM:
	case THINK_ADAPTIVE: return 10240;
	case THINK_HIGH: return 20480;
	case THINK_XHIGH:
	case THINK_MAX:
	case THINK_ULTRA: return 32768;
	}
	return 0;
}

static const char *effort_of(enum thinking_level level)
{
	switch (level) {
	case THINK_OFF:
	case THINK_ADAPTIVE: return NULL;
	case THINK_MINIMAL:
	case THINK_LOW: return "low";
	case THINK_MEDIUM: return "medium";
	case THINK_HIGH: return "high";
	case THINK_XHIGH: return "xhigh";
	case THINK_MAX:
	case THINK_ULTRA: return "max";
	}
	return NULL;
}

/* With a budget, a turn that goes on after tool calls must begin with the thinking that led to them. */
static bool open_turn_lacks_thinking(const struct plan *p)
{
	const struct msg *reply = NULL;

	for (const struct msg *m = p->history.first; m; m = m->next) {
		if (m->role == MSG_ASSISTANT)
			reply = m;
		else if (m->role == MSG_USER)
			reply = NULL;
	}
	if (!reply || !msg_has(reply, BLOCK_CALL))
		return false;
	return !msg_is_from(reply, p->m) || reply->first->kind != BLOCK_THINKING || !reply->first->signature;
}

static void plan_thinking(struct plan *p)
{
	if (p->call->thinking == THINK_OFF || !p->m->reasoning)
		return;
	if (model_version(p->m->id) >= 406) {
		p->mode = THINKS_BY_EFFORT;
		return;
	}
	if (open_turn_lacks_thinking(p))
		return;
	p->budget = CH_MIN(budget_of(p->call->thinking), p->max_tokens / 2);
	if (p->budget >= 1024)          /* the least that is accepted */
		p->mode = THINKS_BY_BUDGET;
}

static void write_cache_mark(struct jw *w)
{
	jw_kobj(w, "cache_control");
	jw_kstr(w, "type", "ephemeral");
	jw_end(w);
}

static void write_system(struct jw *w, const struct model_call *call)
{
	const char *const texts[] = { call->system_stable, call->system_volatile };

	if (str_empty(texts[0]) && str_empty(texts[1]))
		return;
	jw_karr(w, "system");
	for (int i = 0; i < 2; i++) {
		if (str_empty(texts[i]))
			continue;
		jw_obj(w);
		jw_kstr(w, "type", "text");
		jw_kstr(w, "text", texts[i]);
		if (i == 0)
			write_cache_mark(w);
		jw_end(w);
	}
	jw_end(w);
}

static void write_tools(struct jw *w, const struct model_call *call)
{
	if (!call->tool_count)
		return;
	jw_karr(w, "tools");
	for (size_t i = 0; i < call->tool_count; i++) {
		const struct model_tool *t = &call->tools[i];
		const char *schema = tool_schema(t);

		jw_obj(w);
		jw_kstr(w, "name", t->name);
		jw_kstr_opt(w, "description", t->description);
		jw_kraw(w, "input_schema", schema, strlen(schema));
		if (i + 1 == call->tool_count)
			write_cache_mark(w);
		jw_end(w);
	}
	jw_end(w);
}

static void write_image(struct jw *w, const struct block *b)
{
	jw_kstr(w, "type", "image");
	jw_kobj(w, "source");
	jw_kstr(w, "type", "base64");
	jw_kstr(w, "media_type", b->mime);
	jw_kstr(w, "data", b->text);
	jw_end(w);
}

static void write_thinking(struct jw *w, const struct block *b)
{
	if (str_starts(b->signature, REDACTED)) {
		jw_kstr(w, "type", "redacted_thinking");
		jw_kstr(w, "data", b->signature + strlen(REDACTED));
		return;
	}
	jw_kstr(w, "type", "thinking");
	jw_kstr(w, "thinking", b->text);
	jw_kstr(w, "signature", b->signature);
}

static void write_block(struct jw *w, const struct plan *p, const struct block *b, bool is_boundary)
{
	jw_obj(w);
	switch (b->kind) {
	case BLOCK_TEXT:
		jw_kstr(w, "type", "text");
		jw_kstr(w, "text", b->text);
		break;
	case BLOCK_IMAGE: write_image(w, b); break;
	case BLOCK_THINKING: write_thinking(w, b); break;
	case BLOCK_CALL:
		jw_kstr(w, "type", "tool_use");
		jw_kstr(w, "id", id_fit(p->arena, b->id, &id_form_anthropic));
		jw_kstr(w, "name", b->name);
		jw_kvalue(w, "input", b->args);
		break;
	}
	if (is_boundary)
		write_cache_mark(w);
	jw_end(w);
}

static void write_result(struct jw *w, const struct plan *p, const struct msg *m, bool is_boundary)
{
	jw_obj(w);
	jw_kstr(w, "type", "tool_result");
	jw_kstr(w, "tool_use_id", id_fit(p->arena, m->call_id, &id_form_anthropic));
	jw_karr(w, "content");
	for (const struct block *b = m->first; b; b = b->next)
		write_block(w, p, b, false);
	if (!m->first) {        /* an error without content is refused */
		jw_obj(w);
		jw_kstr(w, "type", "text");
		jw_kstr(w, "text", "(no output)");
		jw_end(w);
	}
	jw_end(w);
	if (m->is_error)
		jw_kbool(w, "is_error", true);
	if (is_boundary)
		write_cache_mark(w);
	jw_end(w);
}

static bool block_goes_back(const struct plan *p, const struct msg *m, const struct block *b)
{
	if (b->kind != BLOCK_THINKING)
		return true;
	return p->mode != THINKS_NOT && b->signature && msg_is_from(m, p->m);
}

static bool msg_goes_back(const struct plan *p, const struct msg *m)
{
	if (m->role != MSG_ASSISTANT)
		return true;
	for (const struct block *b = m->first; b; b = b->next) {
		if (block_goes_back(p, m, b))
			return true;
	}
	return false;
}

static const struct msg *next_sent(const struct plan *p, const struct msg *m)
{
	while (m && !msg_goes_back(p, m))
		m = m->next;
	return m;
}

static bool same_side(const struct msg *a, const struct msg *b)
{
	return a && b && (a->role == MSG_ASSISTANT) == (b->role == MSG_ASSISTANT);
}

/* Neighbours of one side are one message: results and what the user said after them, or two user messages. */
static size_t count_user_groups(const struct plan *p)
{
	const struct msg *before = NULL;
	size_t n = 0;

	for (const struct msg *m = next_sent(p, p->history.first); m; before = m, m = next_sent(p, m->next)) {
		if (m->role != MSG_ASSISTANT && !same_side(before, m))
			n++;
	}
	return n;
}

static void write_message(struct jw *w, const struct plan *p, const struct msg *m, bool ends_boundary_group)
{
	if (m->role == MSG_TOOL) {
		write_result(w, p, m, ends_boundary_group);
		return;
	}
	for (const struct block *b = m->first; b; b = b->next) {
		if (block_goes_back(p, m, b))
			write_block(w, p, b, ends_boundary_group && !b->next);
	}
}

static void write_opening(struct jw *w, const char *role)
{
	jw_obj(w);
	jw_kstr(w, "role", role);
	jw_karr(w, "content");
}

static void write_messages(struct jw *w, const struct plan *p)
{
	size_t groups = count_user_groups(p), group = 0;
	const struct msg *m = next_sent(p, p->history.first), *before = NULL;

	jw_karr(w, "messages");
	if (m && m->role == MSG_ASSISTANT) {    /* the first one must be the user's */
		write_opening(w, "user");
		jw_obj(w);
		jw_kstr(w, "type", "text");
		jw_kstr(w, "text", "(The conversation began earlier.)");
		jw_end(w);
		jw_end(w);
		jw_end(w);
	}
	while (m) {
		const struct msg *next = next_sent(p, m->next);
		bool is_user = m->role != MSG_ASSISTANT;

		if (!same_side(before, m)) {
			write_opening(w, is_user ? "user" : "assistant");
			group += is_user;
		}
		write_message(w, p, m, is_user && group + 2 > groups && !same_side(m, next));
		if (!same_side(m, next)) {
			jw_end(w);
			jw_end(w);
		}
		before = m;
		m = next;
	}
	jw_end(w);
}

static void write_effort(struct jw *w, const struct plan *p)
{
	const char *effort = effort_of(p->call->thinking);

	jw_kobj(w, "thinking");
	if (p->mode == THINKS_BY_EFFORT) {
		jw_kstr(w, "type", "adaptive");
	} else {
		jw_kstr(w, "type", "enabled");
		jw_kint(w, "budget_tokens", p->budget);
	}
	jw_end(w);
	if (p->mode == THINKS_BY_EFFORT && effort) {
		jw_kobj(w, "output_config");
		jw_kstr(w, "effort", effort);
		jw_end(w);
	}
}

static ch_status anthropic_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
				 struct model_http *ret, struct ch_err *err)
{
	static const char *const headers[] = {
		"content-type: application/json",
		"accept: text/event-stream",
		"anthropic-version: 2023-06-01",
		NULL,
	};
	struct plan p = { .arena = a, .call = call, .m = m };
	struct jw w = JW(ret->body);
	ch_status st;

	st = history_prepare(a, call->messages, m->input_image, &p.history, err);
	if (st)
		return st;
	history_drop_trailing_replies(&p.history);
	if (!p.history.first)
		return ch_fail(err, CH_E_INVALID, "there is no message for the model to answer");
	p.max_tokens = call->max_tokens ? call->max_tokens
		       : m->max_tokens ? CH_MIN(m->max_tokens, USUAL_MAX_TOKENS) : DEFAULT_MAX_TOKENS;
	plan_thinking(&p);
	jw_obj(&w);
	jw_kstr(&w, "model", m->id);
	jw_kint(&w, "max_tokens", p.max_tokens);
	jw_kbool(&w, "stream", true);
	if (p.mode != THINKS_NOT)
		write_effort(&w, &p);
	write_tools(&w, call);
	write_system(&w, call);
	write_messages(&w, &p);
	jw_end(&w);
	ret->path = "/v1/messages";
	ret->headers = headers;
	return buf_status(ret->body, err, "the request to the model");
}

/* -- answer -- */

struct dialect_parser {
	struct arena *arena;             /* of one event */
	struct tool_calls calls;
	struct model_usage usage;
	struct buf signature;            /* of the thinking block that is open */
	bool has_started, is_complete;
};

static struct dialect_parser *anthropic_parser_new(void)
{
	struct dialect_parser *p = ch_alloc(sizeof(*p));

	p->arena = arena_new(0);
	buf_init(&p->signature, TOOL_ARGS_MAX);
	return p;
}

static void anthropic_parser_free(struct dialect_parser *p)
{
	if (!p)
		return;
	arena_unref(p->arena);
	tool_calls_done(&p->calls);
	buf_done(&p->signature);
	ch_free(p);
}

static bool anthropic_is_complete(const struct dialect_parser *p)
{
	return p->is_complete;
}

static ch_status take_usage(struct dialect_parser *p, const struct json *usage, const struct sink *to,
			    struct model_result *ret)
{
	if (!json_is(usage, JSON_OBJ))
		return CH_OK;
	p->usage.input = json_get_int(usage, "input_tokens", p->usage.input);
	p->usage.output = json_get_int(usage, "output_tokens", p->usage.output);
	p->usage.cache_read = json_get_int(usage, "cache_read_input_tokens", p->usage.cache_read);
	p->usage.cache_write = json_get_int(usage, "cache_creation_input_tokens", p->usage.cache_write);
	return sink_usage(to, &p->usage, ret);
}

static ch_status on_message_start(struct dialect_parser *p, const struct json *v, const struct sink *to,
				  struct model_result *ret, struct ch_err *err)
{
	const struct json *message = json_get(v, "message");
	ch_status st;

	p->has_started = true;
	st = sink_start(to, json_get_str(message, "id"), json_get_str(message, "model"), ret);
	return st ? st : take_usage(p, json_get(message, "usage"), to, ret);
}

static ch_status on_block_start(struct dialect_parser *p, const struct json *v, const struct sink *to,
				struct model_result *ret, struct ch_err *err)
{
	const struct json *block = json_get(v, "content_block");
	const char *type = json_get_str(block, "type"), *text;
	struct tool_call *call;

	buf_clear(&p->signature);
	if (str_eq(type, "tool_use"))
		return tool_calls_begin(&p->calls, to, json_get_int(v, "index", 0), json_str_or(json_get(block, "id"), ""),
					json_str_or(json_get(block, "name"), ""), &call, err);
	if (str_eq(type, "redacted_thinking")) {
		buf_puts(&p->signature, REDACTED);
		buf_puts(&p->signature, json_str_or(json_get(block, "data"), ""));
		return buf_status(&p->signature, err, "a redacted block");
	}
	text = json_str_or(json_get(block, "text"), "");
	return sink_text(to, MODEL_EV_TEXT, text, strlen(text));
}

static ch_status on_block_delta(struct dialect_parser *p, const struct json *v, const struct sink *to,
				struct model_result *ret, struct ch_err *err)
{
	const struct json *delta = json_get(v, "delta");
	const char *type = json_get_str(delta, "type"), *text;
	struct tool_call *call;

	if (str_eq(type, "text_delta")) {
		text = json_str_or(json_get(delta, "text"), "");
		return sink_text(to, MODEL_EV_TEXT, text, strlen(text));
	}
	if (str_eq(type, "thinking_delta")) {
		text = json_str_or(json_get(delta, "thinking"), "");
		return sink_text(to, MODEL_EV_THINKING, text, strlen(text));
	}
	if (str_eq(type, "signature_delta")) {
		buf_puts(&p->signature, json_str_or(json_get(delta, "signature"), ""));
		return buf_status(&p->signature, err, "a signature");
	}
	if (str_eq(type, "input_json_delta")) {
		call = tool_calls_find(&p->calls, json_get_int(v, "index", 0));
		text = json_str_or(json_get(delta, "partial_json"), "");
		return call ? tool_call_args(call, to, text, strlen(text), err) : CH_OK;
	}
	return CH_OK;   /* citations and what may come */
}

static ch_status on_block_stop(struct dialect_parser *p, const struct json *v, const struct sink *to,
			       struct model_result *ret, struct ch_err *err)
{
	struct tool_call *call = tool_calls_find(&p->calls, json_get_int(v, "index", 0));
	ch_status st = sink_text(to, MODEL_EV_SIGNATURE, buf_str(&p->signature), p->signature.len);

	buf_clear(&p->signature);
	return st || !call ? st : tool_call_end(call, to);
}

static enum model_stop stop_of(const char *reason)
{
	static const struct { const char *name; enum model_stop stop; } rows[] = {
		{ "tool_use", MODEL_STOP_TOOLS },
		{ "max_tokens", MODEL_STOP_LENGTH },
		{ "model_context_window_exceeded", MODEL_STOP_LENGTH },
		{ "refusal", MODEL_STOP_REFUSAL },
		{ "pause_turn", MODEL_STOP_PAUSE },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (str_eq(reason, rows[i].name))
			return rows[i].stop;
	}
	return MODEL_STOP_END;  /* end_turn, stop_sequence */
}

static ch_status on_message_delta(struct dialect_parser *p, const struct json *v, const struct sink *to,
				  struct model_result *ret, struct ch_err *err)
{
	const char *reason = json_str(json_path(v, "delta.stop_reason"));

	if (reason)
		ret->stop = stop_of(reason);
	return take_usage(p, json_get(v, "usage"), to, ret);
}

static ch_status on_message_stop(struct dialect_parser *p, const struct json *v, const struct sink *to,
				 struct model_result *ret, struct ch_err *err)
{
	p->is_complete = true;
	return tool_calls_end_all(&p->calls, to);
}

static ch_status on_error(struct dialect_parser *p, const struct json *v, const struct sink *to,
			  struct model_result *ret, struct ch_err *err)
{
	return error_in_band(json_get(v, "error"), ret, err);
}

static ch_status anthropic_feed(struct dialect_parser *p, const char *event, char *data, size_t len,
				model_event_fn fn, void *arg, struct model_result *ret, struct ch_err *err)
{
	static const struct {
		const char *type;
		ch_status (*run)(struct dialect_parser *p, const struct json *v, const struct sink *to,
				 struct model_result *ret, struct ch_err *err);
	} rows[] = {
		{ "content_block_delta", on_block_delta }, { "content_block_start", on_block_start },
		{ "content_block_stop", on_block_stop },   { "message_delta", on_message_delta },
		{ "message_start", on_message_start },     { "message_stop", on_message_stop },
		{ "error", on_error },
	};
	struct sink to = { fn, arg };
	struct json *v = NULL;
	struct ch_err why;
	const char *type;

	arena_clear(p->arena);
	if (json_parse(p->arena, data, len, JSON_STRICT, &v, &why))
		return error_chunk(&why, ret, err);
	type = json_str_or(json_get(v, "type"), event);
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (str_eq(type, rows[i].type))
			return rows[i].run(p, v, &to, ret, err);
	}
	return CH_OK;   /* ping, and kinds that are yet to come */
}

static ch_status anthropic_end(struct dialect_parser *p, model_event_fn fn, void *arg, struct model_result *ret,
			       struct ch_err *err)
{
	return p->is_complete ? CH_OK : error_cut(ret, err);
}

const struct dialect dialect_anthropic = {
	.api = "anthropic-messages",
	.stream = STREAM_SSE,
	.auth = AUTH_X_API_KEY,
	.build = anthropic_build,
	.parser_new = anthropic_parser_new,
	.feed = anthropic_feed,
	.end = anthropic_end,
	.is_complete = anthropic_is_complete,
	.parser_free = anthropic_parser_free,
	.classify = error_read_body,
};
