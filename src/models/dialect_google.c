/*
 * models/dialect_google.c - Gemini's generateContent, streamed.
 *
 * Roles are "user" and "model" and take turns; results of calls stand in a
 * user's turn of their own. The model signs parts of its replies and wants the
 * signatures back where they were: on a thought, on a call, or on a text. Our
 * transcript has signatures on thinking blocks only, so those of a call and of
 * a text are marked ("call:…", "text:…"; base64 has no colon) and stand in a
 * block before the call or behind the text.
 *
 * Stream: chunks {candidates:[{content:{parts}, finishReason}], usageMetadata}.
 * There is no terminal event: the reply is complete when a finish reason came.
 */
#include "models/dialect_google.h"

#include "core/crypto.h"
#include "core/str.h"

#define MARK_CALL "call:"
#define MARK_TEXT "text:"
#define BEGAN_EARLIER "(The conversation began earlier.)"
/* Google's word for a call that another model made, or that was made before there were signatures. */
#define NO_SIGNATURE "skip_thought_signature_validator"
#define STOPS_MAX 5

/* -- request -- */

struct writer {
	struct jw w;
	struct arena *arena;
	const struct model_call *call;
	const struct model_entry *m;
	struct history history;
};

static void write_text(struct writer *x, const char *text, const char *signature)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "text", text);
	jw_kstr_opt(&x->w, "thoughtSignature", signature);
	jw_end(&x->w);
}

static void write_image(struct writer *x, const struct block *b)
{
	jw_obj(&x->w);
	jw_kobj(&x->w, "inlineData");
	jw_kstr(&x->w, "mimeType", b->mime);
	jw_kstr(&x->w, "data", b->text);
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_thought(struct writer *x, const struct block *b)
{
	if (str_starts(b->signature, MARK_TEXT)) {
		write_text(x, "", b->signature + strlen(MARK_TEXT));
		return;
	}
	jw_obj(&x->w);
	jw_kstr(&x->w, "text", b->text);
	jw_kbool(&x->w, "thought", true);
	jw_kstr(&x->w, "thoughtSignature", b->signature);
	jw_end(&x->w);
}

static void write_call(struct writer *x, const struct block *b, const char *signature)
{
	jw_obj(&x->w);
	jw_kobj(&x->w, "functionCall");
	jw_kstr(&x->w, "id", id_fit(x->arena, b->id, &id_form_google));
	jw_kstr(&x->w, "name", b->name);
	jw_kvalue(&x->w, "args", b->args);
	jw_end(&x->w);
	jw_kstr_opt(&x->w, "thoughtSignature", signature);
	jw_end(&x->w);
}

/* Does anything of a reply go back? Unsigned thoughts do not. */
static bool block_goes_back(const struct writer *x, const struct msg *m, const struct block *b)
{
	if (b->kind != BLOCK_THINKING)
		return true;
	return b->signature && msg_is_from(m, x->m) && !str_starts(b->signature, MARK_CALL);
}

static bool msg_goes_back(const struct writer *x, const struct msg *m)
{
	for (const struct block *b = m->first; b && m->role == MSG_ASSISTANT; b = b->next) {
		if (block_goes_back(x, m, b))
			return true;
	}
	return m->role != MSG_ASSISTANT;
}

/* From Gemini 3 on the first call of a reply must be signed. */
static const char *signature_of_call(const struct writer *x, const struct msg *m, const struct block *b,
				     const char *marked, bool is_first)
{
	bool is_own = msg_is_from(m, x->m);

	if (marked && is_own)
		return marked;
	if (b->signature && is_own)
		return b->signature;
	return is_first && google_version(x->m->id) >= 300 ? NO_SIGNATURE : NULL;
}

static void write_reply(struct writer *x, const struct msg *m)
{
	const char *marked = NULL;       /* waits for the call that follows */
	bool is_first = true;

	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind == BLOCK_THINKING && b->signature && str_starts(b->signature, MARK_CALL)) {
			marked = b->signature + strlen(MARK_CALL);
		} else if (b->kind == BLOCK_CALL) {
			write_call(x, b, signature_of_call(x, m, b, marked, is_first));
			marked = NULL;
			is_first = false;
		} else if (b->kind == BLOCK_TEXT) {
			write_text(x, b->text, NULL);
		} else if (block_goes_back(x, m, b)) {
			write_thought(x, b);
		}
	}
}

static void write_user(struct writer *x, const struct msg *m)
{
	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind == BLOCK_IMAGE)
			write_image(x, b);
		else
			write_text(x, b->text, NULL);
	}
}

static void write_images(struct writer *x, const struct msg *m)
{
	for (const struct block *b = m->first; b; b = b->next) {
		if (b->kind == BLOCK_IMAGE)
			write_image(x, b);
	}
}

static void write_result(struct writer *x, const struct msg *m)
{
	const char *text = msg_text(x->arena, m);

	if (str_empty(text))
		text = msg_has(m, BLOCK_IMAGE) ? "(an image)" : "(no output)";
	jw_obj(&x->w);
	jw_kobj(&x->w, "functionResponse");
	jw_kstr(&x->w, "id", id_fit(x->arena, m->call_id, &id_form_google));
	jw_kstr(&x->w, "name", m->tool_name ? m->tool_name : "unknown");
	jw_kobj(&x->w, "response");
	jw_kstr(&x->w, m->is_error ? "error" : "output", text);
	jw_end(&x->w);
	if (msg_has(m, BLOCK_IMAGE) && google_version(x->m->id) >= 300) {
		jw_karr(&x->w, "parts");
		write_images(x, m);
		jw_end(&x->w);
	}
	jw_end(&x->w);
	jw_end(&x->w);
}

static void open_turn(struct writer *x, enum msg_role role)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "role", role == MSG_ASSISTANT ? "model" : "user");
	jw_karr(&x->w, "parts");
}

static void close_turn(struct writer *x)
{
	jw_end(&x->w);
	jw_end(&x->w);
}

/* Before Gemini 3 a result holds text only, so the images of a row of results follow as the user's. */
static void write_late_images(struct writer *x, const struct msg *from, const struct msg *to)
{
	bool is_open = false;

	if (google_version(x->m->id) >= 300)
		return;
	for (const struct msg *m = from; m != to; m = m->next) {
		if (!msg_has(m, BLOCK_IMAGE))
			continue;
		if (!is_open) {
			open_turn(x, MSG_USER);
			write_text(x, "Images of the tool results above:", NULL);
			is_open = true;
		}
		write_images(x, m);
	}
	if (is_open)
		close_turn(x);
}

static const struct msg *next_sent(const struct writer *x, const struct msg *m)
{
	while (m && !msg_goes_back(x, m))
		m = m->next;
	return m;
}

/* Neighbours of one role are one turn. */
static void write_contents(struct writer *x)
{
	const struct msg *m = next_sent(x, x->history.first), *turn = m;

	jw_karr(&x->w, "contents");
	if (m && m->role == MSG_ASSISTANT) {    /* the first one must be the user's */
		open_turn(x, MSG_USER);
		write_text(x, BEGAN_EARLIER, NULL);
		close_turn(x);
	}
	while (m) {
		const struct msg *next = next_sent(x, m->next);

		if (m == turn)
			open_turn(x, m->role);
		switch (m->role) {
		case MSG_USER: write_user(x, m); break;
		case MSG_ASSISTANT: write_reply(x, m); break;
		case MSG_TOOL: write_result(x, m); break;
		}
		if (!next || next->role != m->role) {
			close_turn(x);
			if (m->role == MSG_TOOL)
				write_late_images(x, turn, next);
			turn = next;
		}
		m = next;
	}
	jw_end(&x->w);
}

static void write_choice(struct writer *x)
{
	static const char *const modes[] = {
		[TOOLS_AUTO] = "AUTO", [TOOLS_NONE] = "NONE", [TOOLS_ANY] = "ANY", [TOOLS_ONE] = "ANY",
	};
	enum tool_mode mode = tool_mode(x->call);

	if (mode == TOOLS_AUTO)
		return;
	jw_kobj(&x->w, "toolConfig");
	jw_kobj(&x->w, "functionCallingConfig");
	jw_kstr(&x->w, "mode", modes[mode]);
	if (mode == TOOLS_ONE) {
		jw_karr(&x->w, "allowedFunctionNames");
		jw_str(&x->w, x->call->tool_choice);
		jw_end(&x->w);
	}
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_tools(struct writer *x)
{
	if (!x->call->tool_count || !compat_flag(x->m, "supportsTools", true))
		return;
	jw_karr(&x->w, "tools");
	jw_obj(&x->w);
	jw_karr(&x->w, "functionDeclarations");
	for (size_t i = 0; i < x->call->tool_count; i++) {
		const struct model_tool *t = &x->call->tools[i];

		jw_obj(&x->w);
		jw_kstr(&x->w, "name", t->name);
		jw_kstr(&x->w, "description", t->description ? t->description : "");
		jw_kvalue(&x->w, "parametersJsonSchema", google_schema(x->arena, tool_schema(t)));
		jw_end(&x->w);
	}
	jw_end(&x->w);
	jw_end(&x->w);
	jw_end(&x->w);
	write_choice(x);
}

static void write_stops(struct writer *x)
{
	size_t n = 0;

	if (!json_len(x->call->stop))
		return;
	jw_karr(&x->w, "stopSequences");
	json_each(v, x->call->stop) {
		if (n++ < STOPS_MAX)
			jw_value(&x->w, v);
	}
	jw_end(&x->w);
}

static void write_generation(struct writer *x)
{
	int64_t max = param_max_tokens(x->call);

	if (!max && x->m->configured)
		max = x->m->max_tokens;
	jw_kobj(&x->w, "generationConfig");
	if (max > 0)
		jw_kint(&x->w, "maxOutputTokens", max);
	param_write_sampling(&x->w, x->call, x->m, "temperature", "topP");
	write_stops(x);
	google_write_thinking(&x->w, x->m, x->call->thinking);
	jw_end(&x->w);
}

static ch_status google_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
			      struct model_http *ret, struct ch_err *err)
{
	static const char *const headers[] = { "content-type: application/json", "accept: text/event-stream", NULL };
	const char *cached = json_str(param_get(call, "cachedContent", "cached_content"));
	const char *prompt = dialect_system(a, call);
	struct writer x = { .w = JW(ret->body), .arena = a, .call = call, .m = m };
	ch_status st = history_prepare(a, call->messages, m->input_image, &x.history, err);

	if (st)
		return st;
	jw_obj(&x.w);
	jw_kstr_opt(&x.w, "cachedContent", cached);
	/* The system text and the tools are in the cached content then; saying them again is refused. */
	if (!cached && prompt) {
		jw_kobj(&x.w, "systemInstruction");
		jw_karr(&x.w, "parts");
		write_text(&x, prompt, NULL);
		jw_end(&x.w);
		jw_end(&x.w);
	}
	if (!cached)
		write_tools(&x);
	write_contents(&x);
	write_generation(&x);
	jw_end(&x.w);
	ret->path = arena_printf(a, "/models/%s:streamGenerateContent?alt=sse", google_bare_id(m->id));
	ret->headers = headers;
	return buf_status(ret->body, err, "the request to the model");
}

/* -- answer -- */

static ch_status start(struct dialect_parser *p, const struct json *v, const struct sink *to, struct model_result *ret)
{
	const char *id = json_get_str(v, "responseId");
	char digest[2 * SHA256_LEN + 1];

	p->has_started = true;
	sha256_hex(id ? id : "", id ? strlen(id) : 0, digest);
	memcpy(p->id_stem, digest, sizeof(p->id_stem) - 1);
	return sink_start(to, id, json_get_str(v, "modelVersion"), ret);
}

static ch_status tell_signature(struct dialect_parser *p, const struct sink *to, const char *mark, const char *signature)
{
	const char *text;

	if (str_empty(signature))
		return CH_OK;
	text = arena_printf(p->arena, "%s%s", mark, signature);
	return sink_text(to, MODEL_EV_SIGNATURE, text, strlen(text));
}

/* Calls come whole. */
static ch_status take_call(struct dialect_parser *p, const struct json *function, const struct sink *to,
			   struct ch_err *err)
{
	const char *name = json_get_str(function, "name"), *id = json_get_str(function, "id"), *text;
	const struct json *args = json_get(function, "args");
	size_t n = p->calls.list.len;
	struct tool_call *c = NULL;
	ch_status st;

	if (str_empty(name))
		return CH_OK;
	if (str_empty(id))
		id = arena_printf(p->arena, "call%s%zu", p->id_stem, n);
	st = tool_calls_begin(&p->calls, to, (int64_t)n, id, name, &c, err);
	if (st)
		return st;
	text = args ? json_to_str(p->arena, args) : "";
	st = tool_call_args(c, to, text, strlen(text), err);
	return st ? st : tool_call_end(c, to);
}

static ch_status take_part(struct dialect_parser *p, const struct json *part, const struct sink *to, struct ch_err *err)
{
	const struct json *function = json_get(part, "functionCall");
	const char *signature = json_get_str(part, "thoughtSignature"), *text = json_str_or(json_get(part, "text"), "");
	bool is_thought = json_get_bool(part, "thought", false);
	ch_status st;

	if (function) {
		st = tell_signature(p, to, MARK_CALL, signature);
		return st ? st : take_call(p, function, to, err);
	}
	st = sink_text(to, is_thought ? MODEL_EV_THINKING : MODEL_EV_TEXT, text, strlen(text));
	return st ? st : tell_signature(p, to, is_thought ? "" : MARK_TEXT, signature);
}

static ch_status take_usage(const struct json *usage, const struct sink *to, struct model_result *ret)
{
	struct model_usage u = { 0 };
	int64_t prompt;

	if (!json_is(usage, JSON_OBJ))
		return CH_OK;
	prompt = json_get_int(usage, "promptTokenCount", 0) + json_get_int(usage, "toolUsePromptTokenCount", 0);
	u.cache_read = json_get_int(usage, "cachedContentTokenCount", 0);
	u.input = CH_MAX(prompt - u.cache_read, 0);
	u.output = json_get_int(usage, "candidatesTokenCount", 0) + json_get_int(usage, "thoughtsTokenCount", 0);
	return sink_usage(to, &u, ret);
}

static ch_status fail_finish(const char *reason, struct model_result *ret, struct ch_err *err)
{
	ret->error_class = MODEL_ERR_SERVER;
	return ch_fail(err, CH_E_PEER, "the model broke off: %.60s", reason);
}

static ch_status take_finish(struct dialect_parser *p, const char *reason, struct model_result *ret,
			     struct ch_err *err)
{
	static const char *const refusals[] = {
		"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "IMAGE_SAFETY",
		"IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION",
	};
	/* A call that is no call, and what has no name. */
	static const char *const failures[] = {
		"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "OTHER",
		"FINISH_REASON_UNSPECIFIED", "NO_IMAGE", "IMAGE_OTHER",
	};

	p->has_finished = true;
	if (str_in(reason, failures, CH_ARRAY_LEN(failures)))
		return fail_finish(reason, ret, err);
	if (str_eq(reason, "MAX_TOKENS"))
		ret->stop = MODEL_STOP_LENGTH;
	else if (str_in(reason, refusals, CH_ARRAY_LEN(refusals)))
		ret->stop = MODEL_STOP_REFUSAL;
	else
		ret->stop = p->calls.list.len ? MODEL_STOP_TOOLS : MODEL_STOP_END;
	return CH_OK;
}

static ch_status take_candidate(struct dialect_parser *p, const struct json *candidate, const struct sink *to,
				struct model_result *ret, struct ch_err *err)
{
	const char *reason = json_get_str(candidate, "finishReason");
	ch_status st = CH_OK;

	if (json_get_int(candidate, "index", 0) != 0)
		return CH_OK;   /* we asked for one */
	json_each(part, json_path(candidate, "content.parts")) {
		if (!st)
			st = take_part(p, part, to, err);
	}
	return st || str_empty(reason) ? st : take_finish(p, reason, ret, err);
}

static ch_status google_feed(struct dialect_parser *p, const char *event, char *data, size_t len, model_event_fn fn,
			     void *arg, struct model_result *ret, struct ch_err *err)
{
	struct sink to = { fn, arg };
	struct json *v = NULL;
	struct ch_err why;
	ch_status st = CH_OK;

	arena_clear(p->arena);
	if (json_parse(p->arena, data, len, JSON_STRICT, &v, &why))
		return error_chunk(&why, ret, err);
	if (json_get(v, "error"))
		return error_in_band(json_get(v, "error"), ret, err);
	if (!p->has_started)
		st = start(p, v, &to, ret);
	json_each(candidate, json_get(v, "candidates")) {
		if (!st)
			st = take_candidate(p, candidate, &to, ret, err);
	}
	if (json_path(v, "promptFeedback.blockReason")) {
		p->has_finished = true;
		ret->stop = MODEL_STOP_REFUSAL;
	}
	if (!st)
		st = take_usage(json_get(v, "usageMetadata"), &to, ret);
	p->is_complete = p->has_finished && json_get(v, "usageMetadata");
	return st;
}

static ch_status google_end(struct dialect_parser *p, model_event_fn fn, void *arg, struct model_result *ret,
			    struct ch_err *err)
{
	return p->has_finished ? CH_OK : error_cut(ret, err);
}

const struct dialect dialect_google = {
	.api = "google-generative-ai",
	.stream = STREAM_SSE,
	.auth = AUTH_X_GOOG_API_KEY,
	.build = google_build,
	.feed = google_feed,
	.end = google_end,
	.classify = error_read_body,
};
