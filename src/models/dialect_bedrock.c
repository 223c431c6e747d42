/*
 * models/dialect_bedrock.c - Amazon Bedrock's Converse API, streamed as a
 * binary event stream (eventstream.h).
 *
 * One shape for the models of many makers; what is theirs goes into
 * additionalModelRequestFields. Roles take turns, a text must not be blank,
 * tools must be declared as long as the history has calls. Claude and Nova
 * take cache points; thinking is Claude's.
 *
 * Stream: messageStart, then per block contentBlockStart, -Delta …, -Stop,
 * then messageStop (why), metadata (usage). Exceptions come as messages of
 * their own; attempt.c marks their names with DIALECT_EXCEPTION.
 */
#include "core/str.h"
#include "models/claude.h"
#include "models/dialect.h"
#include "net/url.h"

#define REDACTED "redacted:"
#define CACHES_FROM 307

static const struct id_form call_ids = { 1, 64, false };

/* -- request -- */

enum maker { MAKER_OTHER, MAKER_CLAUDE, MAKER_NOVA };

struct writer {
	struct jw w;
	struct arena *arena;
	const struct model_call *call;
	const struct model_entry *m;
	struct history history;
	enum maker maker;
	struct claude_plan thinking;
	enum retention keep;             /* NONE: no cache points */
};

/* "us.anthropic.claude-opus-4-6-v1", "amazon.nova-pro-v1:0", an ARN with either in it. */
static enum maker maker_of(const char *id)
{
	if (strstr(id, "claude"))
		return MAKER_CLAUDE;
	return strstr(id, "amazon.nova-") ? MAKER_NOVA : MAKER_OTHER;
}

/*
 * Claude's prompts are cached unless that is switched off, from 3.7 on: older
 * ones refuse cache points unless they are among the few that a person knows
 * to take them. Nova's are cached when a person asks for it.
 */
static enum retention retention_for(const struct model_call *call, const struct model_entry *m, enum maker maker)
{
	bool is_explicit;
	enum retention keep = param_retention(call, &is_explicit);

	if (maker == MAKER_CLAUDE && (is_explicit || claude_version(m->id) >= CACHES_FROM))
		return keep;
	return is_explicit && maker == MAKER_NOVA && keep != RETAIN_NONE ? RETAIN_SHORT : RETAIN_NONE;
}

static void write_cache_point(struct writer *x)
{
	if (x->keep == RETAIN_NONE)
		return;
	jw_obj(&x->w);
	jw_kobj(&x->w, "cachePoint");
	jw_kstr(&x->w, "type", "default");
	if (x->keep == RETAIN_LONG)
		jw_kstr(&x->w, "ttl", "1h");
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_text(struct writer *x, const char *text)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "text", text);
	jw_end(&x->w);
}

static void write_system(struct writer *x)
{
	const char *stable = x->call->system_stable, *more = x->call->system_volatile;

	if (str_empty(stable) && str_empty(more))
		return;
	jw_karr(&x->w, "system");
	if (!str_empty(stable)) {
		write_text(x, stable);
		write_cache_point(x);
	}
	if (!str_empty(more))
		write_text(x, more);
	jw_end(&x->w);
}

static void write_image(struct writer *x, const struct block *b)
{
	const char *format = strrchr(b->mime, '/');

	jw_obj(&x->w);
	jw_kobj(&x->w, "image");
	jw_kstr(&x->w, "format", format ? format + 1 : b->mime);
	jw_kobj(&x->w, "source");
	jw_kstr(&x->w, "bytes", b->text);
	jw_end(&x->w);
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_thinking(struct writer *x, const struct block *b)
{
	jw_obj(&x->w);
	jw_kobj(&x->w, "reasoningContent");
	if (str_starts(b->signature, REDACTED)) {
		jw_kstr(&x->w, "redactedContent", b->signature + strlen(REDACTED));
	} else {
		jw_kobj(&x->w, "reasoningText");
		jw_kstr(&x->w, "text", b->text);
		jw_kstr(&x->w, "signature", b->signature);
		jw_end(&x->w);
	}
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_call(struct writer *x, const struct block *b)
{
	jw_obj(&x->w);
	jw_kobj(&x->w, "toolUse");
	jw_kstr(&x->w, "toolUseId", id_fit(x->arena, b->id, &call_ids));
	jw_kstr(&x->w, "name", b->name);
	jw_kvalue(&x->w, "input", b->args);
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_block(struct writer *x, const struct block *b)
{
	switch (b->kind) {
	case BLOCK_TEXT: write_text(x, b->text); break;
	case BLOCK_IMAGE: write_image(x, b); break;
	case BLOCK_THINKING: write_thinking(x, b); break;
	case BLOCK_CALL: write_call(x, b); break;
	}
}

static void write_result(struct writer *x, const struct msg *m)
{
	jw_obj(&x->w);
	jw_kobj(&x->w, "toolResult");
	jw_kstr(&x->w, "toolUseId", id_fit(x->arena, m->call_id, &call_ids));
	jw_karr(&x->w, "content");
	for (const struct block *b = m->first; b; b = b->next)
		write_block(x, b);
	if (!m->first)
		write_text(x, "(no output)");
	jw_end(&x->w);
	if (m->is_error)
		jw_kstr(&x->w, "status", "error");
	jw_end(&x->w);
	jw_end(&x->w);
}

static bool block_goes_back(const struct writer *x, const struct msg *m, const struct block *b)
{
	if (b->kind != BLOCK_THINKING)
		return true;
	return x->thinking.mode != CLAUDE_THINKS_NOT && b->signature && msg_is_from(m, x->m);
}

/* Bedrock needs both sides to take turns, so a reply that lost all it had keeps its place. */
static void write_message(struct writer *x, const struct msg *m)
{
	size_t n = 0;

	if (m->role == MSG_TOOL) {
		write_result(x, m);
		return;
	}
	for (const struct block *b = m->first; b; b = b->next) {
		if (!block_goes_back(x, m, b))
			continue;
		write_block(x, b);
		n++;
	}
	if (!n)
		write_text(x, "(Reasoning left out.)");
}

static bool same_side(const struct msg *a, const struct msg *b)
{
	return a && b && (a->role == MSG_ASSISTANT) == (b->role == MSG_ASSISTANT);
}

static size_t count_user_turns(const struct writer *x)
{
	const struct msg *before = NULL;
	size_t n = 0;

	for (const struct msg *m = x->history.first; m; before = m, m = m->next)
		n += m->role != MSG_ASSISTANT && !same_side(before, m);
	return n;
}

static void open_turn(struct writer *x, bool is_user)
{
	jw_obj(&x->w);
	jw_kstr(&x->w, "role", is_user ? "user" : "assistant");
	jw_karr(&x->w, "content");
}

static void close_turn(struct writer *x)
{
	jw_end(&x->w);
	jw_end(&x->w);
}

/* Neighbours of one side are one turn; the last two of the user end with a cache point. */
static void write_messages(struct writer *x)
{
	size_t turns = count_user_turns(x), turn = 0;
	const struct msg *before = NULL;

	jw_karr(&x->w, "messages");
	if (x->history.first->role == MSG_ASSISTANT) {  /* the first one must be the user's */
		open_turn(x, true);
		write_text(x, "(The conversation began earlier.)");
		close_turn(x);
	}
	for (const struct msg *m = x->history.first; m; before = m, m = m->next) {
		bool is_user = m->role != MSG_ASSISTANT;

		if (!same_side(before, m)) {
			open_turn(x, is_user);
			turn += is_user;
		}
		write_message(x, m);
		if (same_side(m, m->next))
			continue;
		if (is_user && turn + 2 > turns)
			write_cache_point(x);
		close_turn(x);
	}
	jw_end(&x->w);
}

static bool history_has_calls(const struct writer *x)
{
	for (const struct msg *m = x->history.first; m; m = m->next) {
		if (m->role == MSG_TOOL)
			return true;
	}
	return false;
}

static void write_choice(struct writer *x)
{
	enum tool_mode mode = x->thinking.mode == CLAUDE_THINKS_NOT ? tool_mode(x->call) : TOOLS_AUTO;

	if (mode == TOOLS_AUTO || mode == TOOLS_NONE)
		return;
	jw_kobj(&x->w, "toolChoice");
	jw_kobj(&x->w, mode == TOOLS_ANY ? "any" : "tool");
	if (mode == TOOLS_ONE)
		jw_kstr(&x->w, "name", x->call->tool_choice);
	jw_end(&x->w);
	jw_end(&x->w);
}

static void write_tool(struct writer *x, const char *name, const char *description, const char *schema)
{
	jw_obj(&x->w);
	jw_kobj(&x->w, "toolSpec");
	jw_kstr(&x->w, "name", name);
	if (!str_empty(description))
		jw_kstr(&x->w, "description", description);
	jw_kobj(&x->w, "inputSchema");
	jw_kraw(&x->w, "json", schema, strlen(schema));
	jw_end(&x->w);
	jw_end(&x->w);
	jw_end(&x->w);
}

/* Without any tool, the calls of the history still want a declaration. */
static void write_tools(struct writer *x)
{
	bool has_tools = x->call->tool_count && compat_flag(x->m, "supportsTools", true) && tool_mode(x->call) != TOOLS_NONE;
	bool needs_tools = history_has_calls(x);

	if (!has_tools && !needs_tools)
		return;
	jw_kobj(&x->w, "toolConfig");
	jw_karr(&x->w, "tools");
	for (size_t i = 0; i < x->call->tool_count; i++) {
		const struct model_tool *t = &x->call->tools[i];

		write_tool(x, t->name, t->description, tool_schema(t));
	}
	if (!x->call->tool_count)
		write_tool(x, "none", "There is nothing to call any more.", "{\"type\":\"object\",\"properties\":{}}");
	if (x->maker == MAKER_CLAUDE)
		write_cache_point(x);
	jw_end(&x->w);
	write_choice(x);
	jw_end(&x->w);
}

static void write_inference(struct writer *x, int64_t max_tokens)
{
	jw_kobj(&x->w, "inferenceConfig");
	if (max_tokens > 0)
		jw_kint(&x->w, "maxTokens", max_tokens);
	if (x->maker != MAKER_CLAUDE || claude_takes_sampling(&x->thinking))
		param_write_sampling(&x->w, x->call, x->m, "temperature", "topP");
	param_write_stop(&x->w, x->call, "stopSequences");
	jw_end(&x->w);
}

static void write_own_fields(struct writer *x)
{
	if (x->thinking.mode == CLAUDE_THINKS_NOT && !x->thinking.is_said_off)
		return;
	jw_kobj(&x->w, "additionalModelRequestFields");
	claude_write_thinking(&x->w, &x->thinking);
	jw_end(&x->w);
}

static ch_status bedrock_build(struct arena *a, const struct model_call *call, const struct model_entry *m,
			       struct model_http *ret, struct ch_err *err)
{
	static const char *const headers[] = {
		"content-type: application/json", "accept: application/vnd.amazon.eventstream", NULL,
	};
	struct writer x = { .w = JW(ret->body), .arena = a, .call = call, .m = m, .maker = maker_of(m->id) };
	const char *tier = param_tier(call);
	ch_status st = history_prepare(a, call->messages, m->input_image, &x.history, err);

	if (st)
		return st;
	history_drop_trailing_replies(&x.history);
	if (!x.history.first)
		return ch_fail(err, CH_E_INVALID, "there is no message for the model to answer");
	x.keep = retention_for(call, m, x.maker);
	x.thinking = claude_plan(call, m, &x.history, x.maker == MAKER_CLAUDE);
	jw_obj(&x.w);
	write_system(&x);
	write_messages(&x);
	write_tools(&x);
	write_inference(&x, x.maker == MAKER_CLAUDE || param_max_tokens(call) || m->configured ? x.thinking.max_tokens : 0);
	write_own_fields(&x);
	if (tier) {
		jw_kobj(&x.w, "serviceTier");
		jw_kstr(&x.w, "type", tier);
		jw_end(&x.w);
	}
	jw_end(&x.w);
	ret->path = arena_printf(a, "/model/%s/converse-stream", url_encode(a, m->id));
	ret->headers = headers;
	return buf_status(ret->body, err, "the request to the model");
}

/* -- answer -- */

struct step {
	struct dialect_parser *p;
	const struct json *v;
	struct sink to;
	struct model_result *ret;
	struct ch_err *err;
};

static ch_status on_start(struct step *s)
{
	if (s->p->has_started)
		return CH_OK;
	s->p->has_started = true;
	return sink_start(&s->to, NULL, NULL, s->ret);
}

static ch_status on_block_start(struct step *s)
{
	const struct json *use = json_path(s->v, "start.toolUse");
	struct tool_call *call;

	buf_clear(&s->p->signature);
	if (!use)
		return CH_OK;
	return tool_calls_begin(&s->p->calls, &s->to, json_get_int(s->v, "contentBlockIndex", 0),
				json_str_or(json_get(use, "toolUseId"), ""), json_str_or(json_get(use, "name"), ""), &call,
				s->err);
}

static ch_status on_thinking_delta(struct step *s, const struct json *reasoning)
{
	const char *text = json_str_or(json_get(reasoning, "text"), "");
	const char *redacted = json_get_str(reasoning, "redactedContent");

	buf_puts(&s->p->signature, json_str_or(json_get(reasoning, "signature"), ""));
	if (redacted) {
		if (!s->p->signature.len)
			buf_puts(&s->p->signature, REDACTED);
		buf_puts(&s->p->signature, redacted);
	}
	if (s->p->signature.failed)
		return buf_status(&s->p->signature, s->err, "a signature");
	return sink_text(&s->to, MODEL_EV_THINKING, text, strlen(text));
}

static ch_status on_block_delta(struct step *s)
{
	const struct json *delta = json_get(s->v, "delta"), *reasoning = json_get(delta, "reasoningContent");
	const char *text = json_str_or(json_get(delta, "text"), ""), *input = json_str(json_path(delta, "toolUse.input"));
	struct tool_call *call;

	if (reasoning)
		return on_thinking_delta(s, reasoning);
	if (!input)
		return sink_text(&s->to, MODEL_EV_TEXT, text, strlen(text));
	call = tool_calls_find(&s->p->calls, json_get_int(s->v, "contentBlockIndex", 0));
	return call ? tool_call_args(call, &s->to, input, strlen(input), s->err) : CH_OK;
}

static ch_status on_block_stop(struct step *s)
{
	struct tool_call *call = tool_calls_find(&s->p->calls, json_get_int(s->v, "contentBlockIndex", 0));
	ch_status st = sink_text(&s->to, MODEL_EV_SIGNATURE, buf_str(&s->p->signature), s->p->signature.len);

	buf_clear(&s->p->signature);
	return st || !call ? st : tool_call_end(call, &s->to);
}

static ch_status on_stop(struct step *s)
{
	static const struct { const char *name; enum model_stop stop; } rows[] = {
		{ "tool_use", MODEL_STOP_TOOLS },
		{ "max_tokens", MODEL_STOP_LENGTH },
		{ "model_context_window_exceeded", MODEL_STOP_LENGTH },
		{ "guardrail_intervened", MODEL_STOP_REFUSAL },
		{ "content_filtered", MODEL_STOP_REFUSAL },
		{ "refusal", MODEL_STOP_REFUSAL },
	};
	const char *reason = json_str_or(json_get(s->v, "stopReason"), "end_turn");

	s->p->has_finished = true;
	if (str_starts(reason, "malformed_")) {
		s->ret->error_class = MODEL_ERR_SERVER;
		return ch_fail(s->err, CH_E_PEER, "the model broke off: %.60s", reason);
	}
	s->ret->stop = MODEL_STOP_END;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (str_eq(reason, rows[i].name))
			s->ret->stop = rows[i].stop;
	}
	return tool_calls_end_all(&s->p->calls, &s->to);
}

static ch_status on_metadata(struct step *s)
{
	const struct json *usage = json_get(s->v, "usage");
	struct model_usage u = {
		.input = json_get_int(usage, "inputTokens", 0),
		.output = json_get_int(usage, "outputTokens", 0),
		.cache_read = json_get_int(usage, "cacheReadInputTokens", 0),
		.cache_write = json_get_int(usage, "cacheWriteInputTokens", 0),
	};

	s->p->is_complete = s->p->has_finished;
	return sink_usage(&s->to, &u, s->ret);
}

/* The status that the exception has when it comes before the stream. */
static int status_of(const char *name)
{
	static const struct { const char *name; int status; } rows[] = {
		{ "throttlingException", 429 },
		{ "validationException", 400 },
		{ "serviceUnavailableException", 503 },
		{ "modelTimeoutException", 408 },
		{ "accessDeniedException", 403 },
		{ "resourceNotFoundException", 404 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (str_ieq(name, rows[i].name))
			return rows[i].status;
	}
	return 500;
}

static ch_status on_exception(struct step *s, const char *name, const char *data, size_t len)
{
	char text[128] = "";

	s->ret->error_class = error_read_body(status_of(name), data, len, text, sizeof(text));
	return ch_fail(s->err, CH_E_PEER, "the provider broke off: %.60s%s%s", name, *text ? ": " : "", text);
}

static ch_status bedrock_feed(struct dialect_parser *p, const char *event, char *data, size_t len, model_event_fn fn,
			      void *arg, struct model_result *ret, struct ch_err *err)
{
	static const struct {
		const char *name;
		ch_status (*run)(struct step *s);
	} rows[] = {
		{ "contentBlockDelta", on_block_delta }, { "contentBlockStart", on_block_start },
		{ "contentBlockStop", on_block_stop },   { "messageStart", on_start },
		{ "messageStop", on_stop },              { "metadata", on_metadata },
	};
	struct step s = { .p = p, .to = { fn, arg }, .ret = ret, .err = err };
	struct json *v = NULL;
	struct ch_err why;

	if (event && event[0] == DIALECT_EXCEPTION)
		return on_exception(&s, event + 1, data, len);
	arena_clear(p->arena);
	if (json_parse(p->arena, data, len, JSON_STRICT, &v, &why))
		return error_chunk(&why, ret, err);
	s.v = v;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (str_eq(event, rows[i].name))
			return rows[i].run(&s);
	}
	return CH_OK;
}

static ch_status bedrock_end(struct dialect_parser *p, model_event_fn fn, void *arg, struct model_result *ret,
			     struct ch_err *err)
{
	struct sink to = { fn, arg };

	return p->has_finished ? tool_calls_end_all(&p->calls, &to) : error_cut(ret, err);
}

const struct dialect dialect_bedrock = {
	.api = "bedrock-converse-stream",
	.stream = STREAM_EVENTSTREAM,
	.auth = AUTH_AWS,
	.build = bedrock_build,
	.feed = bedrock_feed,
	.end = bedrock_end,
	.classify = error_read_body,
};
