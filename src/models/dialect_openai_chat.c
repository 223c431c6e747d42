/*
 * models/dialect_openai_chat.c - OpenAI's Chat Completions, streamed, as the
 * many services that imitate it speak it.
 *
 * What differs between them is data: the compat flags of a model
 * (models.providers.<id>.models[].compat) and, for services of the endpoint
 * table, the way they take a thinking level (chat_thinking.c) and cache marks
 * (chat_cache.c).
 *
 * Stream: chunks {id, model, choices:[{delta, finish_reason}], usage}, then
 * "[DONE]". Usage comes in a chunk of its own behind the finish reason. A
 * stream that ends behind a finish reason without [DONE] is complete; one
 * without either was cut.
 */
#include "core/str.h"
#include "models/chat_cache.h"
#include "models/chat_thinking.h"
#include "models/dialect_openai.h"

/* -- request -- */

struct writer {
	struct jw w;
	struct arena *arena;
	const struct model_call *call;
	const struct model_entry *m;
	struct history history;
	enum chat_replay replay;
	enum retention mark;             /* NONE: nothing is marked */
	const struct msg *marked;        /* … of the history */
};

static void write_limits(struct writer *x)
{
	const char *field = json_get_str(x->m->compat, "maxTokensField");
	int64_t max = openai_max_tokens(x->call, x->m);

	if (!field)
		field = openai_is_native(x->m) ? "max_completion_tokens" : "max_tokens";
	if (max > 0)
		jw_kint(&x->w, field, max);
}

static void write_mark(struct writer *x)
{
	if (x->mark == RETAIN_NONE)
		return;
	jw_kobj(&x->w, "cache_control");
	jw_kstr(&x->w, "type", "ephemeral");
	if (x->mark == RETAIN_LONG)
		jw_kstr(&x->w, "ttl", "1h");
	jw_end(&x->w);
}

static void write_text_part(struct writer *x, const char *text, bool is_marked)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "text");
	jw_kstr(&x->w, "text", text);
	if (is_marked)
		write_mark(x);
	jw_end(&x->w);
}

static void write_system(struct writer *x)
{
	const char *stable = x->call->system_stable, *more = x->call->system_volatile;
	const char *text = dialect_system(x->arena, x->call);
	bool is_developer = compat_flag(x->m, "supportsDeveloperRole", openai_is_native(x->m) && x->m->reasoning);

	if (!text)
		return;
	jw_obj(&x->w);
	jw_kstr(&x->w, "role", is_developer ? "developer" : "system");
	if (x->marked && !str_empty(stable)) {
		jw_karr(&x->w, "content");
		write_text_part(x, stable, true);
		if (!str_empty(more))
			write_text_part(x, more, false);
		jw_end(&x->w);
	} else {
		jw_kstr(&x->w, "content", text);
	}
	jw_end(&x->w);
}

/* Mistral's models check ids wherever they are served. */
static bool is_mistral(const struct model_entry *m)
{
	static const char *const families[] = { "mistral", "mixtral", "codestral", "devstral", "magistral", "pixtral" };

	for (size_t i = 0; i < CH_ARRAY_LEN(families); i++) {
		if (str_eq(m->provider, families[i]) || strstr(m->id, families[i]))
			return true;
	}
	return false;
}

static const char *fit_id(struct writer *x, const char *id)
{
	return id_fit(x->arena, id, is_mistral(x->m) ? &id_form_mistral : &id_form_openai);
}

static void write_image_part(struct writer *x, const struct block *b)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "image_url");
	jw_kobj(&x->w, "image_url");
	jw_kstr(&x->w, "url", arena_printf(x->arena, "data:%s;base64,%s", b->mime, b->text));
	jw_end(&x->w);
	jw_end(&x->w);
}

static const struct block *last_text(const struct msg *m)
{
	const struct block *last = NULL;

	for (const struct block *b = m->first; b; b = b->next)
		last = b->kind == BLOCK_TEXT ? b : last;
	return last;
}

static void write_user(struct writer *x, const struct msg *m)
{
	const struct block *marked = m == x->marked ? last_text(m) : NULL;

	jw_obj(&x->w);
	jw_kstr(&x->w, "role", "user");
	if (!msg_has(m, BLOCK_IMAGE) && !marked) {
		jw_kstr(&x->w, "content", msg_text(x->arena, m));
	} else {
		jw_karr(&x->w, "content");
		for (const struct block *b = m->first; b; b = b->next) {
			if (b->kind == BLOCK_IMAGE)
				write_image_part(x, b);
			else
				write_text_part(x, b->text, b == marked);
		}
		jw_end(&x->w);
	}
	jw_end(&x->w);
}

static void write_call(struct writer *x, const struct block *b)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "id", fit_id(x, b->id));
	jw_kstr(&x->w, "type", "function");
	jw_kobj(&x->w, "function");
	jw_kstr(&x->w, "name", b->name);
	jw_kstr(&x->w, "arguments", json_to_str(x->arena, b->args));
	jw_end(&x->w);
	jw_end(&x->w);
}

/* What the model thought before it said this, where the service wants that back. */
static void write_reasoning(struct writer *x, const struct msg *m)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = TOOL_ARGS_MAX };

	if (x->replay == CHAT_REPLAY_NONE)
		return;
	for (const struct block *b = m->first; b && msg_is_from(m, x->m); b = b->next) {
		if (b->kind == BLOCK_THINKING)
			buf_puts(&text, b->text);
	}
	if (text.len || x->replay == CHAT_REPLAY_ALWAYS)
		jw_kstr(&x->w, "reasoning_content", buf_str(&text));
}

static void write_assistant(struct writer *x, const struct msg *m)
{
	const char *text = msg_text(x->arena, m);
	bool has_calls = msg_has(m, BLOCK_CALL);

	if (!has_calls && str_empty(text))      /* thinking alone does not go back */
		return;
	jw_obj(&x->w);
	jw_kstr(&x->w, "role", "assistant");
	jw_kstr(&x->w, "content", str_empty(text) ? NULL : text);
	write_reasoning(x, m);
	if (has_calls) {
		jw_karr(&x->w, "tool_calls");
		for (const struct block *b = m->first; b; b = b->next) {
			if (b->kind == BLOCK_CALL)
				write_call(x, b);
		}
		jw_end(&x->w);
	}
	jw_end(&x->w);
}

static void write_result(struct writer *x, const struct msg *m)
{
	const char *text = msg_text(x->arena, m);

	if (str_empty(text))
		text = msg_has(m, BLOCK_IMAGE) ? "(see the image below)" : "(no output)";
	jw_obj(&x->w);
	jw_kstr(&x->w, "role", "tool");
	jw_kstr(&x->w, "tool_call_id", fit_id(x, m->call_id));
	if (compat_flag(x->m, "requiresToolResultName", false) && !compat_flag(x->m, "strictMessageKeys", false))
		jw_kstr_opt(&x->w, "name", m->tool_name);
	if (m == x->marked) {
		jw_karr(&x->w, "content");
		write_text_part(x, text, true);
		jw_end(&x->w);
	} else {
		jw_kstr(&x->w, "content", text);
	}
	jw_end(&x->w);
}

/* A tool's message holds text only, so the images of a row of results follow as the user's. */
static void write_result_images(struct writer *x, const struct msg *from, const struct msg *to)
{
	bool is_open = false;

	for (const struct msg *m = from; m != to; m = m->next) {
		for (const struct block *b = m->first; b; b = b->next) {
			if (b->kind != BLOCK_IMAGE)
				continue;
			if (!is_open) {
				jw_obj(&x->w);
				jw_kstr(&x->w, "role", "user");
				jw_karr(&x->w, "content");
				write_text_part(x, "Images of the tool results above:", false);
				is_open = true;
			}
			write_image_part(x, b);
		}
	}
	if (is_open) {
		jw_end(&x->w);
		jw_end(&x->w);
	}
}

static void write_messages(struct writer *x)
{
	const struct msg *results = NULL;

	jw_karr(&x->w, "messages");
	write_system(x);
	for (const struct msg *m = x->history.first; m; m = m->next) {
		switch (m->role) {
		case MSG_USER: write_user(x, m); break;
		case MSG_ASSISTANT: write_assistant(x, m); break;
		case MSG_TOOL:
			results = results ? results : m;
			write_result(x, m);
			if (!m->next || m->next->role != MSG_TOOL) {
				write_result_images(x, results, m->next);
				results = NULL;
			}
			break;
		}
	}
	jw_end(&x->w);
}

static void write_tools(struct writer *x)
{
	bool is_marked = x->mark != RETAIN_NONE && chat_marks_tools(x->m);

	if (!x->call->tool_count || !compat_flag(x->m, "supportsTools", true))
		return;
	jw_karr(&x->w, "tools");
	for (size_t i = 0; i < x->call->tool_count; i++) {
		jw_obj(&x->w);
		dialect_write_tool(&x->w, &x->call->tools[i]);
		if (is_marked && i + 1 == x->call->tool_count)
			write_mark(x);
		jw_end(&x->w);
	}
	jw_end(&x->w);
}

/* Moonshot's models that think choose for themselves. */
static void write_choice(struct writer *x)
{
	enum tool_mode mode = tool_mode(x->call);
	bool may_force = !str_eq(x->m->provider, "moonshot") || x->call->thinking == THINK_OFF || !x->m->reasoning ||
			 strstr(x->m->id, "kimi-k3");

	if (mode == TOOLS_AUTO || !x->call->tool_count || (mode != TOOLS_NONE && !may_force))
		return;
	if (mode != TOOLS_ONE) {
		jw_kstr(&x->w, "tool_choice", mode == TOOLS_NONE ? "none" : "required");
		return;
	}
	jw_kobj(&x->w, "tool_choice");
	jw_kstr(&x->w, "type", "function");
	jw_kobj(&x->w, "function");
	jw_kstr(&x->w, "name", x->call->tool_choice);
	jw_end(&x->w);
	jw_end(&x->w);
}

/* Kimi K3 samples as it likes. */
static void write_sampling(struct writer *x)
{
	if (!str_eq(x->m->provider, "moonshot") || !strstr(x->m->id, "kimi-k3"))
		openai_write_sampling(&x->w, x->call, x->m);
}

static void write_streaming(struct writer *x)
{
	jw_kbool(&x->w, "stream", true);
	if (!compat_flag(x->m, "supportsUsageInStreaming", true))
		return;
	jw_kobj(&x->w, "stream_options");
	jw_kbool(&x->w, "include_usage", true);
	jw_end(&x->w);
}

/* The size of an Ollama's context, behind its OpenAI-compatible door. */
static void write_num_ctx(struct writer *x)
{
	if (!compat_flag(x->m, "injectNumCtx", false))
		return;
	jw_kobj(&x->w, "options");
	jw_kint(&x->w, "num_ctx", param_num_ctx(x->call, x->m));
	jw_end(&x->w);
}

static ch_status openai_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
			      struct model_http *ret, struct ch_err *err)
{
	static const char *const headers[] = { "content-type: application/json", "accept: text/event-stream", NULL };
	bool wants_strings = compat_flag(m, "requiresStringContent", false);
	struct writer x = {
		.w = JW(ret->body), .arena = a, .call = call, .m = m,
		.replay = chat_replay_for(call, m), .mark = chat_mark_for(call, m),
	};
	ch_status st = history_prepare(a, call->messages, m->input_image && !wants_strings, &x.history, err);

	if (st)
		return st;
	/* Claude refuses to think and to go on with a reply at once. */
	if (m->reasoning && call->thinking != THINK_OFF && str_starts(m->id, "anthropic/"))
		history_drop_trailing_replies(&x.history);
	if (!x.history.first)
		return ch_fail(err, CH_E_INVALID, "there is no message for the model to answer");
	if (x.mark != RETAIN_NONE && !wants_strings)
		x.marked = chat_marked_message(&x.history);
	jw_obj(&x.w);
	jw_kstr(&x.w, "model", m->id);
	write_messages(&x);
	write_tools(&x);
	write_choice(&x);
	write_streaming(&x);
	if (compat_flag(m, "supportsStore", false))
		jw_kbool(&x.w, "store", false);
	write_limits(&x);
	write_sampling(&x);
	param_write_stop(&x.w, call, "stop");
	write_num_ctx(&x);
	chat_write_thinking(&x.w, call, m);
	openai_write_cache(&x.w, call, m, true);
	openai_write_tier(&x.w, call, m);
	jw_end(&x.w);
	ret->path = "/chat/completions";
	ret->headers = headers;
	return buf_status(ret->body, err, "the request to the model");
}

/* -- answer -- */

/* prompt_tokens counts what came from the cache; our `input` does not. */
static ch_status take_usage(const struct json *usage, const struct sink *to, struct model_result *ret)
{
	struct model_usage u = { 0 };
	int64_t prompt;

	if (!json_is(usage, JSON_OBJ))
		return CH_OK;
	prompt = json_get_int(usage, "prompt_tokens", 0);
	u.cache_read = json_int_or(json_path(usage, "prompt_tokens_details.cached_tokens"),
				   json_get_int(usage, "prompt_cache_hit_tokens", 0));
	u.cache_write = json_int_or(json_path(usage, "prompt_tokens_details.cache_write_tokens"), 0);
	u.output = json_get_int(usage, "completion_tokens", 0);
	u.input = CH_MAX(prompt - u.cache_read - u.cache_write, 0);
	return sink_usage(to, &u, ret);
}

/* Some servers leave out the index, some the id, some send all in one piece. */
static struct tool_call *call_of(struct dialect_parser *p, const struct json *v, int64_t *ret_index)
{
	const char *id = json_get_str(v, "id");
	struct tool_call *last = tool_calls_find(&p->calls, p->index);

	if (json_get(v, "index")) {
		*ret_index = json_get_int(v, "index", 0);
		return tool_calls_find(&p->calls, *ret_index);
	}
	if (last && (str_empty(id) || str_eq(last->id, id)))
		return last;
	*ret_index = p->index + 1;
	return NULL;
}

static ch_status take_call(struct dialect_parser *p, const struct json *v, const struct sink *to, struct ch_err *err)
{
	const struct json *function = json_get(v, "function"), *args = json_get(function, "arguments");
	const char *id = json_get_str(v, "id"), *name = json_get_str(function, "name"), *text;
	int64_t index = 0;
	struct tool_call *c = call_of(p, v, &index);
	ch_status st;

	if (!c) {
		if (str_empty(name))
			return CH_OK;   /* nothing to call */
		if (str_empty(id))
			id = arena_printf(p->arena, "call_%lld", (long long)index);
		st = tool_calls_begin(&p->calls, to, index, id, name, &c, err);
		if (st)
			return st;
		p->index = index;
	}
	text = json_is(args, JSON_OBJ) ? json_to_str(p->arena, args) : json_str_or(args, "");
	return tool_call_args(c, to, text, strlen(text), err);
}

/* A text; from Mistral's reasoning models a list of parts, {type:"thinking", thinking:[{text}]} among them. */
static ch_status take_content(const struct json *content, const struct sink *to)
{
	const char *text = json_str_or(content, "");
	ch_status st = sink_text(to, MODEL_EV_TEXT, text, strlen(text));

	if (!json_is(content, JSON_ARR))
		return st;
	json_each(part, content) {
		json_each(thought, json_get(part, "thinking")) {
			text = json_str_or(json_get(thought, "text"), "");
			if (!st)
				st = sink_text(to, MODEL_EV_THINKING, text, strlen(text));
		}
		text = json_str_or(json_get(part, "text"), "");
		if (!st)
			st = sink_text(to, MODEL_EV_TEXT, text, strlen(text));
	}
	return st;
}

static ch_status take_delta(struct dialect_parser *p, const struct json *delta, const struct sink *to,
			    struct ch_err *err)
{
	static const char *const thinking[] = { "reasoning_content", "reasoning", "reasoning_text" };
	const char *text;
	ch_status st = CH_OK;

	for (size_t i = 0; i < CH_ARRAY_LEN(thinking) && !st; i++) {
		text = json_get_str(delta, thinking[i]);
		if (str_empty(text))
			continue;
		st = sink_text(to, MODEL_EV_THINKING, text, strlen(text));
		break;          /* the same words under another name */
	}
	if (!st)
		st = take_content(json_get(delta, "content"), to);
	text = json_str_or(json_get(delta, "refusal"), "");
	p->refused |= *text != '\0';
	if (!st)
		st = sink_text(to, MODEL_EV_TEXT, text, strlen(text));
	json_each(v, json_get(delta, "tool_calls")) {
		if (st)
			break;
		st = take_call(p, v, to, err);
	}
	return st;
}

static enum model_stop stop_of(const struct dialect_parser *p, const char *reason)
{
	if (str_eq(reason, "length"))
		return MODEL_STOP_LENGTH;
	if (p->refused || str_eq(reason, "content_filter"))
		return MODEL_STOP_REFUSAL;
	/* What was called counts, not the word: some say "stop" behind calls, some "tool_calls" behind none. */
	return p->calls.list.len ? MODEL_STOP_TOOLS : MODEL_STOP_END;
}

static ch_status take_choice(struct dialect_parser *p, const struct json *choice, const struct sink *to,
			     struct model_result *ret, struct ch_err *err)
{
	const char *reason = json_get_str(choice, "finish_reason");
	const struct json *delta = json_get(choice, "delta");
	ch_status st;

	if (json_get_int(choice, "index", 0) != 0)
		return CH_OK;   /* we asked for one */
	st = take_delta(p, delta ? delta : json_get(choice, "message"), to, err);
	if (st || str_empty(reason))
		return st;
	p->has_finished = true;
	ret->stop = stop_of(p, reason);
	return tool_calls_end_all(&p->calls, to);
}

static ch_status openai_feed(struct dialect_parser *p, const char *event, char *data, size_t len, model_event_fn fn,
			     void *arg, struct model_result *ret, struct ch_err *err)
{
	struct sink to = { fn, arg };
	struct json *v = NULL;
	struct ch_err why;
	ch_status st = CH_OK;

	if (len == 6 && memcmp(data, "[DONE]", 6) == 0) {
		p->is_complete = true;
		return tool_calls_end_all(&p->calls, &to);
	}
	arena_clear(p->arena);
	if (json_parse(p->arena, data, len, JSON_STRICT, &v, &why))
		return error_chunk(&why, ret, err);
	if (json_is(json_get(v, "error"), JSON_OBJ) || json_is(json_get(v, "error"), JSON_STR))
		return error_in_band(json_get(v, "error"), ret, err);
	if (!p->has_started && json_get(v, "choices")) {
		p->has_started = true;
		st = sink_start(&to, json_get_str(v, "id"), json_get_str(v, "model"), ret);
	}
	json_each(choice, json_get(v, "choices")) {
		if (st)
			break;
		st = take_choice(p, choice, &to, ret, err);
	}
	if (!st)
		st = take_usage(json_get(v, "usage"), &to, ret);
	return st ? st : take_usage(json_path(v, "x_groq.usage"), &to, ret);
}

static ch_status openai_end(struct dialect_parser *p, model_event_fn fn, void *arg, struct model_result *ret,
			    struct ch_err *err)
{
	struct sink to = { fn, arg };

	if (!p->has_started || !(p->has_finished || p->is_complete))
		return error_cut(ret, err);
	if (!p->has_finished)
		ret->stop = stop_of(p, NULL);
	return tool_calls_end_all(&p->calls, &to);
}

const struct dialect dialect_openai_chat = {
	.api = "openai-completions",
	.stream = STREAM_SSE,
	.auth = AUTH_BEARER,
	.build = openai_build,
	.feed = openai_feed,
	.end = openai_end,
	.classify = error_read_body,
};
