/*
 * models/dialect_anthropic.c - Anthropic's Messages API, streamed.
 *
 * Cache boundaries (four at most): behind the tools, behind the stable system
 * text, and behind the last two user messages, so that each request finds the
 * prefix of the one before. What is volatile stands behind the boundary.
 *
 * Thinking is planned in claude.c. Thinking blocks go back only to the model
 * that signed them. A redacted block is kept as a signature "redacted:<data>".
 *
 * Stream: message_start, then per block content_block_start, _delta …, _stop,
 * then message_delta (stop reason, usage), message_stop. Kinds
 * that are not known are ignored, as the API asks.
 */
#include "core/str.h"
#include "models/claude.h"
#include "models/dialect.h"

#define REDACTED "redacted:"

/* -- request -- */

struct plan {
	struct arena *arena;
	const struct model_call *call;
	const struct model_entry *m;
	struct history history;
	struct claude_plan thinking;
	enum retention keep;             /* NONE: no boundaries */
};

/* The service itself, as opposed to others that speak its language. */
static bool is_native(const struct model_entry *m)
{
	return str_eq(m->provider, "anthropic");
}

static bool is_at_anthropic(const struct model_entry *m)
{
	return is_native(m) && (!m->base_url || strstr(m->base_url, "api.anthropic.com"));
}

/* Prompts are cached unless that is switched off; elsewhere than at Anthropic when a person asks for it. */
static enum retention retention_for(const struct model_call *call, const struct model_entry *m)
{
	bool is_explicit;
	enum retention keep = param_retention(call, &is_explicit);

	if (keep == RETAIN_DEFAULT || (keep == RETAIN_LONG && !is_explicit && !is_at_anthropic(m)))
		return RETAIN_SHORT;
	return keep;
}

static void write_cache_mark(struct jw *w, const struct plan *p)
{
	if (p->keep == RETAIN_NONE)
		return;
	jw_kobj(w, "cache_control");
	jw_kstr(w, "type", "ephemeral");
	if (p->keep == RETAIN_LONG)
		jw_kstr(w, "ttl", "1h");
	jw_end(w);
}

static void write_system(struct jw *w, const struct plan *p)
{
	const char *const texts[] = { p->call->system_stable, p->call->system_volatile };

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
			write_cache_mark(w, p);
		jw_end(w);
	}
	jw_end(w);
}

/* A model that thinks may only choose for itself, or be kept from calling. */
static void write_choice(struct jw *w, const struct plan *p)
{
	static const char *const types[] = {
		[TOOLS_AUTO] = "auto", [TOOLS_NONE] = "none", [TOOLS_ANY] = "any", [TOOLS_ONE] = "tool",
	};
	enum tool_mode mode = tool_mode(p->call);

	if (mode == TOOLS_AUTO || (mode != TOOLS_NONE && p->thinking.mode != CLAUDE_THINKS_NOT))
		return;
	jw_kobj(w, "tool_choice");
	jw_kstr(w, "type", types[mode]);
	if (mode == TOOLS_ONE)
		jw_kstr(w, "name", p->call->tool_choice);
	jw_end(w);
}

static void write_tools(struct jw *w, const struct plan *p)
{
	const struct model_call *call = p->call;

	if (!call->tool_count || !compat_flag(p->m, "supportsTools", true))
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
			write_cache_mark(w, p);
		jw_end(w);
	}
	jw_end(w);
	write_choice(w, p);
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
		write_cache_mark(w, p);
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
		write_cache_mark(w, p);
	jw_end(w);
}

static bool block_goes_back(const struct plan *p, const struct msg *m, const struct block *b)
{
	if (b->kind != BLOCK_THINKING)
		return true;
	return p->thinking.mode != CLAUDE_THINKS_NOT && b->signature && msg_is_from(m, p->m);
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

/*
 * The faster tier: two models have a speed of their own, the others a service
 * tier. Only Anthropic itself takes either.
 */
static bool has_speed(const struct model_entry *m)
{
	return str_starts(m->id, "claude-opus-4-8") ||
	       (str_starts(m->id, "claude-opus-5") && !str_starts(m->id, "claude-opus-5-5"));
}

static bool is_sped_up(const struct model_call *call, const struct model_entry *m)
{
	return is_at_anthropic(m) && has_speed(m) && !param_tier(call) && param_is_fast(call);
}

static void write_tier(struct jw *w, const struct plan *p)
{
	const char *tier = param_tier(p->call);

	if (!is_at_anthropic(p->m))
		return;
	if (is_sped_up(p->call, p->m)) {
		jw_kstr(w, "speed", "fast");
		return;
	}
	if (!tier && param_is_fast(p->call) && !str_starts(p->m->id, "claude-sonnet-5"))
		tier = "auto";
	jw_kstr_opt(w, "service_tier", tier);
}

static const char *const *headers_for(const struct model_call *call, const struct model_entry *m)
{
	static const char *const usual[] = {
		"content-type: application/json", "accept: text/event-stream", "anthropic-version: 2023-06-01", NULL,
	};
	static const char *const fast[] = {
		"content-type: application/json", "accept: text/event-stream", "anthropic-version: 2023-06-01",
		"anthropic-beta: fast-mode-2026-02-01", NULL,
	};

	return is_sped_up(call, m) ? fast : usual;
}

static ch_status anthropic_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
				 struct model_http *ret, struct ch_err *err)
{
	struct plan p = { .arena = a, .call = call, .m = m, .keep = retention_for(call, m) };
	struct jw w = JW(ret->body);
	ch_status st;

	st = history_prepare(a, call->messages, m->input_image, &p.history, err);
	if (st)
		return st;
	history_drop_trailing_replies(&p.history);
	if (!p.history.first)
		return ch_fail(err, CH_E_INVALID, "there is no message for the model to answer");
	p.thinking = claude_plan(call, m, &p.history, true);
	jw_obj(&w);
	jw_kstr(&w, "model", m->id);
	jw_kint(&w, "max_tokens", p.thinking.max_tokens);
	jw_kbool(&w, "stream", true);
	claude_write_thinking(&w, &p.thinking);
	if (claude_takes_sampling(&p.thinking))
		param_write_sampling(&w, call, m, "temperature", "top_p");
	param_write_stop(&w, call, "stop_sequences");
	write_tier(&w, &p);
	write_tools(&w, &p);
	write_system(&w, &p);
	write_messages(&w, &p);
	jw_end(&w);
	ret->path = "/v1/messages";
	ret->headers = headers_for(call, m);
	return buf_status(ret->body, err, "the request to the model");
}

/* -- answer -- */

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
	.feed = anthropic_feed,
	.end = anthropic_end,
	.classify = error_read_body,
};
