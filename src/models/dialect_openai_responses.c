/*
 * models/dialect_openai_responses.c - OpenAI's Responses API, streamed; xAI,
 * Azure and the service behind ChatGPT subscriptions speak it too.
 *
 * Nothing is stored at the provider (store: false), so a reply's reasoning
 * comes back encrypted and is sent again with the history: the reasoning item
 * as JSON is the signature of a thinking block. It goes back only to the model
 * that made it and only together with what followed it; item ids of calls do
 * not, since their reasoning might be missing.
 *
 * Stream: typed events {type, …}. response.created, then per output item
 * output_item.added, its deltas, output_item.done; the last one is
 * response.completed, .incomplete or .failed. A stream without that was cut.
 */
#include "core/str.h"
#include "models/dialect_openai.h"

#define CALL_ID_MAX 64

static const struct id_form call_ids = { 1, CALL_ID_MAX, false };

/* -- request -- */

struct writer {
	struct jw w;
	struct arena *arena;
	const struct model_call *call;
	const struct model_entry *m;
	struct history history;
	bool is_chatgpt;                 /* a subscription's service takes fewer members */
};

static void write_image(struct writer *x, const struct block *b)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "input_image");
	jw_kstr(&x->w, "detail", "auto");
	jw_kstr(&x->w, "image_url", arena_printf(x->arena, "data:%s;base64,%s", b->mime, b->text));
	jw_end(&x->w);
}

static void write_text(struct writer *x, const char *type, const char *text)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "type", type);
	jw_kstr(&x->w, "text", text);
	jw_end(&x->w);
}

/* The parts of a user's message or of a tool's result. */
static void write_parts(struct writer *x, const char *key, const struct msg *m)
{
	jw_karr(&x->w, key);
	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind == BLOCK_IMAGE)
			write_image(x, b);
		else
			write_text(x, "input_text", b->text);
	}
	jw_end(&x->w);
}

static void write_user(struct writer *x, const struct msg *m)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "message");
	jw_kstr(&x->w, "role", "user");
	write_parts(x, "content", m);
	jw_end(&x->w);
}

static void write_said(struct writer *x, const char *text)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "message");
	jw_kstr(&x->w, "role", "assistant");
	jw_karr(&x->w, "content");
	write_text(x, "output_text", text);
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_call(struct writer *x, const struct block *b)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "function_call");
	jw_kstr(&x->w, "call_id", id_fit(x->arena, b->id, &call_ids));
	jw_kstr(&x->w, "name", b->name);
	jw_kstr(&x->w, "arguments", json_to_str(x->arena, b->args));
	jw_end(&x->w);
}

/* The item that a thinking block's signature holds, or NULL. */
static const struct json *reasoning_of(struct writer *x, const struct msg *m, const struct block *b)
{
	struct json *item = NULL;

	if (!b->signature || b->signature[0] != '{' || !x->m->reasoning || !msg_is_from(m, x->m))
		return NULL;
	if (json_parse(x->arena, b->signature, strlen(b->signature), JSON_STRICT, &item, NULL))
		return NULL;
	if (!str_eq(json_get_str(item, "type"), "reasoning") || str_empty(json_get_str(item, "encrypted_content")))
		return NULL;
	return item;
}

static void write_reasoning(struct writer *x, const struct json *item)
{
	const struct json *summary = json_get(item, "summary");

	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "reasoning");
	jw_kstr_opt(&x->w, "id", json_get_str(item, "id"));
	if (json_is(summary, JSON_ARR)) {
		jw_kvalue(&x->w, "summary", summary);
	} else {
		jw_karr(&x->w, "summary");
		jw_end(&x->w);
	}
	jw_kstr(&x->w, "encrypted_content", json_get_str(item, "encrypted_content"));
	jw_end(&x->w);
}

/* Reasoning that nothing followed is refused, so it waits until something does. */
static bool is_followed(const struct block *b)
{
	for (b = b->next; b; b = b->next) {
		if (b->kind != BLOCK_THINKING)
			return true;
	}
	return false;
}

static void write_assistant(struct writer *x, const struct msg *m)
{
	for (const struct block *b = m->first; b; b = b->next) {
		const struct json *item;

		switch (b->kind) {
		case BLOCK_TEXT: write_said(x, b->text); break;
		case BLOCK_CALL: write_call(x, b); break;
		case BLOCK_THINKING:
			item = is_followed(b) ? reasoning_of(x, m, b) : NULL;
			if (item)
				write_reasoning(x, item);
			break;
		case BLOCK_IMAGE: break;
		}
	}
}

static void write_result(struct writer *x, const struct msg *m)
{
	const char *text = msg_text(x->arena, m);

	jw_obj(&x->w);
	jw_kstr(&x->w, "type", "function_call_output");
	jw_kstr(&x->w, "call_id", id_fit(x->arena, m->call_id, &call_ids));
	if (msg_has(m, BLOCK_IMAGE))
		write_parts(x, "output", m);
	else
		jw_kstr(&x->w, "output", str_empty(text) ? "(no output)" : text);
	jw_end(&x->w);
}

static void write_input(struct writer *x, const char *prompt)
{
	jw_karr(&x->w, "input");
	if (prompt) {
		jw_obj(&x->w);
		jw_kstr(&x->w, "type", "message");
		jw_kstr(&x->w, "role", compat_flag(x->m, "supportsDeveloperRole", openai_is_native(x->m) && x->m->reasoning) ? "developer" : "system");
		jw_kstr(&x->w, "content", prompt);
		jw_end(&x->w);
	}
	for (const struct msg *m = x->history.first; m; m = m->next) {
		switch (m->role) {
		case MSG_USER: write_user(x, m); break;
		case MSG_ASSISTANT: write_assistant(x, m); break;
		case MSG_TOOL: write_result(x, m); break;
		}
	}
	jw_end(&x->w);
}

static void write_tool_choice(struct writer *x)
{
	switch (tool_mode(x->call)) {
	case TOOLS_AUTO: return;
	case TOOLS_NONE: jw_kstr(&x->w, "tool_choice", "none"); return;
	case TOOLS_ANY: jw_kstr(&x->w, "tool_choice", "required"); return;
	case TOOLS_ONE:
		jw_kobj(&x->w, "tool_choice");
		jw_kstr(&x->w, "type", "function");
		jw_kstr(&x->w, "name", x->call->tool_choice);
		jw_end(&x->w);
		return;
	}
}

static void write_tools(struct writer *x)
{
	if (!x->call->tool_count || !compat_flag(x->m, "supportsTools", true))
		return;
	jw_karr(&x->w, "tools");
	for (size_t i = 0; i < x->call->tool_count; i++) {
		const struct model_tool *t = &x->call->tools[i];
		const char *schema = tool_schema(t);

		jw_obj(&x->w);
		jw_kstr(&x->w, "type", "function");
		jw_kstr(&x->w, "name", t->name);
		jw_kstr_opt(&x->w, "description", t->description);
		jw_kraw(&x->w, "parameters", schema, strlen(schema));
		if (compat_flag(x->m, "supportsStrictMode", true))
			jw_kbool(&x->w, "strict", false);
		jw_end(&x->w);
	}
	jw_end(&x->w);
	write_tool_choice(x);
}

/* xAI's models choose for themselves and refuse the object unless a person says otherwise. */
static bool takes_effort(const struct model_entry *m)
{
	bool by_default = !str_eq(m->provider, "xai") || compat_has(m, "supportedReasoningEfforts");

	return compat_flag(m, "supportsReasoningEffort", by_default);
}

static void write_thinking(struct writer *x)
{
	const char *effort = takes_effort(x->m) ? openai_effort(x->m, x->call->thinking) : NULL;
	bool is_on = x->call->thinking != THINK_OFF;

	if (x->is_chatgpt && !is_on)
		effort = NULL;
	if (!x->m->reasoning)
		return;
	if (takes_effort(x->m) && (effort || is_on)) {
		jw_kobj(&x->w, "reasoning");
		jw_kstr_opt(&x->w, "effort", effort);
		if (is_on)
			jw_kstr(&x->w, "summary", "auto");
		jw_end(&x->w);
	}
	jw_karr(&x->w, "include");
	jw_str(&x->w, "reasoning.encrypted_content");
	jw_end(&x->w);
}

/* Imitations may not know the member, or refuse it; a message of the system is understood by all. */
static bool takes_instructions(const struct model_entry *m)
{
	return compat_flag(m, "supportsInstructions", openai_is_native(m) || str_eq(m->api, "azure-openai-responses"));
}

/* Limits and sampling: a subscription's service has its own. */
static void write_limits(struct writer *x)
{
	int64_t max = openai_max_tokens(x->call, x->m);

	if (x->is_chatgpt)
		return;
	if (max > 0)
		jw_kint(&x->w, "max_output_tokens", max);
	openai_write_sampling(&x->w, x->call, x->m);
}

static ch_status responses_body(struct arena *a, const struct model_call *call, const struct model_entry *m,
				bool is_chatgpt, struct model_http *ret, struct ch_err *err)
{
	bool with_instructions = is_chatgpt || takes_instructions(m);
	const char *prompt = dialect_system(a, call);
	struct writer x = { .w = JW(ret->body), .arena = a, .call = call, .m = m, .is_chatgpt = is_chatgpt };
	ch_status st = history_prepare(a, call->messages, m->input_image, &x.history, err);

	if (st)
		return st;
	jw_obj(&x.w);
	jw_kstr(&x.w, "model", m->id);
	jw_kbool(&x.w, "stream", true);
	if (compat_flag(m, "supportsStore", true))
		jw_kbool(&x.w, "store", false);
	if (with_instructions)
		jw_kstr_opt(&x.w, "instructions", prompt || !is_chatgpt ? prompt : "You are a helpful assistant.");
	write_tools(&x);
	write_input(&x, with_instructions ? NULL : prompt);
	write_limits(&x);
	write_thinking(&x);
	openai_write_cache(&x.w, call, m, !is_chatgpt);
	openai_write_tier(&x.w, call, m);
	jw_end(&x.w);
	return buf_status(ret->body, err, "the request to the model");
}

static const char *const headers[] = { "content-type: application/json", "accept: text/event-stream", NULL };

static ch_status responses_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
				 struct model_http *ret, struct ch_err *err)
{
	ret->path = "/responses";
	ret->headers = headers;
	return responses_body(a, call, m, false, ret, err);
}

/* Behind a ChatGPT subscription (https://chatgpt.com/backend-api/codex); the account stands in a header (target.c). */
static ch_status chatgpt_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
			       struct model_http *ret, struct ch_err *err)
{
	ret->path = "/responses";
	ret->headers = headers;
	return responses_body(a, call, m, true, ret, err);
}

/* The model is the deployment's name; the version of the API is a parameter of the URL. */
static ch_status azure_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
			     struct model_http *ret, struct ch_err *err)
{
	const char *version = json_str(param_get(call, "apiVersion", "azureApiVersion"));

	ret->path = arena_printf(a, "/responses?api-version=%s", str_empty(version) ? "v1" : version);
	ret->headers = headers;
	return responses_body(a, call, m, false, ret, err);
}

/* -- answer -- */

struct step {
	struct dialect_parser *p;
	const struct json *v;
	struct sink to;
	struct model_result *ret;
	struct ch_err *err;
};

static ch_status on_created(struct step *s)
{
	const struct json *response = json_get(s->v, "response");

	if (s->p->has_started)
		return CH_OK;
	s->p->has_started = true;
	return sink_start(&s->to, json_get_str(response, "id"), json_get_str(response, "model"), s->ret);
}

static ch_status on_item_added(struct step *s)
{
	const struct json *item = json_get(s->v, "item");
	const char *id = json_get_str(item, "call_id"), *name = json_get_str(item, "name");
	int64_t index = json_get_int(s->v, "output_index", 0);
	struct tool_call *call;

	s->p->index = index;
	s->p->item_has_text = false;
	if (!str_eq(json_get_str(item, "type"), "function_call") || str_empty(name) || tool_calls_find(&s->p->calls, index))
		return CH_OK;
	if (str_empty(id))
		id = arena_printf(s->p->arena, "call_%lld", (long long)index);
	return tool_calls_begin(&s->p->calls, &s->to, index, id, name, &call, s->err);
}

static ch_status tell_delta(struct step *s, enum model_event_kind kind)
{
	const char *text = json_str_or(json_get(s->v, "delta"), "");

	s->p->item_has_text |= *text != '\0';
	return sink_text(&s->to, kind, text, strlen(text));
}

static ch_status on_text(struct step *s)
{
	return tell_delta(s, MODEL_EV_TEXT);
}

static ch_status on_refusal(struct step *s)
{
	s->p->refused = true;
	return tell_delta(s, MODEL_EV_TEXT);
}

static ch_status on_thinking(struct step *s)
{
	return tell_delta(s, MODEL_EV_THINKING);
}

/* Parts of a summary are paragraphs. */
static ch_status on_summary_part(struct step *s)
{
	return s->p->item_has_text ? sink_text(&s->to, MODEL_EV_THINKING, "\n\n", 2) : CH_OK;
}

static ch_status on_args(struct step *s)
{
	struct tool_call *call = tool_calls_find(&s->p->calls, json_get_int(s->v, "output_index", 0));
	const char *text = json_str_or(json_get(s->v, "delta"), "");

	return call ? tool_call_args(call, &s->to, text, strlen(text), s->err) : CH_OK;
}

static ch_status end_call(struct step *s, const struct json *item)
{
	int64_t index = json_get_int(s->v, "output_index", 0);
	const char *text = json_str_or(json_get(item, "arguments"), "");
	struct tool_call *call = tool_calls_find(&s->p->calls, index);
	ch_status st = CH_OK;

	if (!call) {            /* it comes whole, or not at all */
		st = on_item_added(s);
		call = tool_calls_find(&s->p->calls, index);
	}
	if (st || !call)
		return st;
	if (!call->args.len)
		st = tool_call_args(call, &s->to, text, strlen(text), s->err);
	return st ? st : tool_call_end(call, &s->to);
}

/* What is needed to send it again, and no more. */
static ch_status keep_reasoning(struct step *s, const struct json *item)
{
	struct arena *a = s->p->arena;
	const char *secret = json_get_str(item, "encrypted_content"), *text;
	const struct json *summary = json_get(item, "summary");
	struct json *kept;

	if (str_empty(secret))
		return CH_OK;
	kept = json_new_obj(a);
	json_set(a, kept, "type", json_new_str(a, "reasoning"));
	json_set(a, kept, "id", json_new_str(a, json_get_str(item, "id")));
	json_set(a, kept, "summary", json_is(summary, JSON_ARR) ? json_clone(a, summary) : json_new_arr(a));
	json_set(a, kept, "encrypted_content", json_new_str(a, secret));
	text = json_to_str(a, kept);
	return sink_text(&s->to, MODEL_EV_SIGNATURE, text, strlen(text));
}

/* Some servers send a message only when it is whole. */
static ch_status tell_whole_message(struct step *s, const struct json *item)
{
	ch_status st = CH_OK;

	if (s->p->item_has_text && s->p->index == json_get_int(s->v, "output_index", 0))
		return CH_OK;
	json_each(part, json_get(item, "content")) {
		const char *refusal = json_get_str(part, "refusal");
		const char *text = refusal ? refusal : json_str_or(json_get(part, "text"), "");

		s->p->refused |= refusal != NULL;
		if (!st)
			st = sink_text(&s->to, MODEL_EV_TEXT, text, strlen(text));
	}
	return st;
}

static ch_status on_item_done(struct step *s)
{
	const struct json *item = json_get(s->v, "item");
	const char *type = json_get_str(item, "type");

	if (str_eq(type, "function_call"))
		return end_call(s, item);
	if (str_eq(type, "reasoning"))
		return keep_reasoning(s, item);
	return str_eq(type, "message") ? tell_whole_message(s, item) : CH_OK;
}

/* input_tokens counts what came from the cache; our `input` does not. */
static ch_status take_usage(struct step *s, const struct json *usage)
{
	struct model_usage u = { 0 };

	if (!json_is(usage, JSON_OBJ))
		return CH_OK;
	u.cache_read = json_int_or(json_path(usage, "input_tokens_details.cached_tokens"), 0);
	u.cache_write = json_int_or(json_path(usage, "input_tokens_details.cache_write_tokens"), 0);
	u.output = json_get_int(usage, "output_tokens", 0);
	u.input = CH_MAX(json_get_int(usage, "input_tokens", 0) - u.cache_read - u.cache_write, 0);
	return sink_usage(&s->to, &u, s->ret);
}

static enum model_stop stop_of(struct step *s, const struct json *response)
{
	const char *reason = json_str(json_path(response, "incomplete_details.reason"));

	if (str_eq(reason, "content_filter") || s->p->refused)
		return MODEL_STOP_REFUSAL;
	if (str_eq(json_get_str(response, "status"), "incomplete"))
		return MODEL_STOP_LENGTH;
	if (s->p->calls.list.len)
		return MODEL_STOP_TOOLS;
	/* The model has more to say but ended the response. */
	return json_get_bool(response, "end_turn", true) ? MODEL_STOP_END : MODEL_STOP_PAUSE;
}

/* completed and incomplete; a server that sent only this still tells who answered. */
static ch_status on_end(struct step *s)
{
	const struct json *response = json_get(s->v, "response");
	ch_status st = on_created(s);

	s->p->is_complete = true;
	if (str_eq(json_get_str(response, "status"), "failed"))
		return error_in_band(json_get(response, "error"), s->ret, s->err);
	s->ret->stop = stop_of(s, response);
	if (!st)
		st = tool_calls_end_all(&s->p->calls, &s->to);
	return st ? st : take_usage(s, json_get(response, "usage"));
}

static ch_status on_failed(struct step *s)
{
	const struct json *error = json_path(s->v, "response.error");

	return error_in_band(json_is(error, JSON_OBJ) ? error : s->v, s->ret, s->err);
}

/* {type:"error", code, message}, or as the other API has it {error:{…}} */
static ch_status on_error(struct step *s)
{
	const struct json *error = json_get(s->v, "error");

	return error_in_band(json_is(error, JSON_OBJ) ? error : s->v, s->ret, s->err);
}

static ch_status responses_feed(struct dialect_parser *p, const char *event, char *data, size_t len,
				model_event_fn fn, void *arg, struct model_result *ret, struct ch_err *err)
{
	static const struct {
		const char *type;
		ch_status (*run)(struct step *s);
	} rows[] = {
		{ "response.output_text.delta", on_text },
		{ "response.function_call_arguments.delta", on_args },
		{ "response.reasoning_summary_text.delta", on_thinking },
		{ "response.reasoning_text.delta", on_thinking },
		{ "response.reasoning_summary_part.added", on_summary_part },
		{ "response.refusal.delta", on_refusal },
		{ "response.output_item.added", on_item_added },
		{ "response.output_item.done", on_item_done },
		{ "response.created", on_created },
		{ "response.completed", on_end },
		{ "response.incomplete", on_end },
		{ "response.done", on_end },
		{ "response.failed", on_failed },
		{ "error", on_error },
	};
	struct step s = { .p = p, .to = { fn, arg }, .ret = ret, .err = err };
	struct json *v = NULL;
	struct ch_err why;
	const char *type;

	if (len == 6 && memcmp(data, "[DONE]", 6) == 0)
		return CH_OK;   /* some imitations end so; the terminal event came before */
	arena_clear(p->arena);
	if (json_parse(p->arena, data, len, JSON_STRICT, &v, &why))
		return error_chunk(&why, ret, err);
	s.v = v;
	type = json_str_or(json_get(v, "type"), event);
	if (!json_get(v, "type") && json_get(v, "error"))
		type = "error";
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (str_eq(type, rows[i].type))
			return rows[i].run(&s);
	}
	return CH_OK;   /* kinds of the provider's own tools, and what may come */
}

static ch_status responses_end(struct dialect_parser *p, model_event_fn fn, void *arg, struct model_result *ret,
			       struct ch_err *err)
{
	return p->is_complete ? CH_OK : error_cut(ret, err);
}

/* The three differ in what they send and under which key; what comes back is the same. */
#define READS_RESPONSES \
	.stream = STREAM_SSE, .feed = responses_feed, .end = responses_end, .classify = error_read_body

const struct dialect dialect_openai_responses = {
	.api = "openai-responses",
	.auth = AUTH_BEARER,
	.build = responses_build,
	READS_RESPONSES,
};

const struct dialect dialect_azure_responses = {
	.api = "azure-openai-responses",
	.auth = AUTH_API_KEY_HEADER,
	.build = azure_build,
	READS_RESPONSES,
};

const struct dialect dialect_chatgpt_responses = {
	.api = "openai-chatgpt-responses",
	.auth = AUTH_BEARER,
	.build = chatgpt_build,
	READS_RESPONSES,
};
