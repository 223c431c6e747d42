/*
 * http_api/openai_chat_write.c - the answers of POST /v1/chat/completions: a completion, or its chunks.
 */
#include "core/str.h"
#include "http_api/openai.h"

#define ARGS_PIECE 2048                  /* bytes of a call's arguments in one chunk */

static void put_usage(struct jw *w, const struct model_usage *u)
{
	int64_t prompt = api_prompt_tokens(u);

	jw_kobj(w, "usage");
	jw_kint(w, "prompt_tokens", prompt);
	jw_kint(w, "completion_tokens", u->output);
	jw_kint(w, "total_tokens", prompt + u->output);
	jw_kobj(w, "prompt_tokens_details");
	jw_kint(w, "cached_tokens", u->cache_read);
	jw_end(w);
	jw_end(w);
}

static const char *finish_reason(const struct run_end *end)
{
	if (end->handed_count)
		return "tool_calls";
	if (str_eq(end->stop, "length"))
		return "length";
	return str_eq(end->stop, "refusal") ? "content_filter" : "stop";
}

static void put_head(const struct api_turn *t, struct jw *w, const char *object)
{
	jw_obj(w);
	jw_kstr(w, "id", t->run_id);
	jw_kstr(w, "object", object);
	jw_kint(w, "created", t->created_s);
	jw_kstr(w, "model", t->model);
}

/* -- whole -- */

static void put_calls(struct jw *w, const struct run_end *end)
{
	jw_karr(w, "tool_calls");
	for (size_t i = 0; i < end->handed_count; i++) {
		const struct run_handed *call = &end->handed[i];

		jw_obj(w);
		jw_kstr(w, "id", call->id);
		jw_kstr(w, "type", "function");
		jw_kobj(w, "function");
		jw_kstr(w, "name", call->name);
		jw_kstr(w, "arguments", str_empty(call->args_text) ? "{}" : call->args_text);
		jw_end(w);
		jw_end(w);
	}
	jw_end(w);
}

static void chat_whole(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	struct jw w = JW(out);

	put_head(t, &w, "chat.completion");
	jw_karr(&w, "choices");
	jw_obj(&w);
	jw_kint(&w, "index", 0);
	jw_kobj(&w, "message");
	jw_kstr(&w, "role", "assistant");
	jw_key(&w, "content");
	jw_strn(&w, end->text, end->text_len);
	jw_knull(&w, "refusal");
	if (end->handed_count)
		put_calls(&w, end);
	jw_end(&w);
	jw_knull(&w, "logprobs");
	jw_kstr(&w, "finish_reason", finish_reason(end));
	jw_end(&w);
	jw_end(&w);
	put_usage(&w, &end->usage);
	jw_end(&w);
}

/* -- chunks -- */

/* One chunk; open_delta() leaves the writer inside "delta", close_delta() sends it. */
struct chunk { struct buf json; struct jw w; };

static void open_delta(const struct api_turn *t, struct chunk *c)
{
	buf_init(&c->json, API_OUT_MAX);
	c->w = JW(&c->json);
	put_head(t, &c->w, "chat.completion.chunk");
	jw_karr(&c->w, "choices");
	jw_obj(&c->w);
	jw_kint(&c->w, "index", 0);
	jw_kobj(&c->w, "delta");
}

static void close_delta(const struct api_turn *t, struct chunk *c, const char *finish, struct buf *out)
{
	jw_end(&c->w);
	jw_knull(&c->w, "logprobs");
	jw_kstr(&c->w, "finish_reason", finish);
	jw_end(&c->w);
	jw_end(&c->w);
	if (t->with_usage)
		jw_knull(&c->w, "usage");
	jw_end(&c->w);
	api_sse(out, NULL, &c->json);
	buf_done(&c->json);
}

static void chat_begin(struct api_turn *t, struct buf *out)
{
	struct chunk c;

	open_delta(t, &c);
	jw_kstr(&c.w, "role", "assistant");
	jw_kstr(&c.w, "content", "");
	close_delta(t, &c, NULL, out);
}

static void chat_text(struct api_turn *t, const char *delta, size_t len, struct buf *out)
{
	struct chunk c;

	open_delta(t, &c);
	jw_key(&c.w, "content");
	jw_strn(&c.w, delta, len);
	close_delta(t, &c, NULL, out);
}

/* id and name NULL: a further piece of the arguments. */
static void call_chunk(struct api_turn *t, size_t index, const char *id, const char *name, const char *args, size_t len,
		       struct buf *out)
{
	struct chunk c;

	open_delta(t, &c);
	jw_karr(&c.w, "tool_calls");
	jw_obj(&c.w);
	jw_kint(&c.w, "index", (int64_t)index);
	jw_kstr_opt(&c.w, "id", id);
	if (id)
		jw_kstr(&c.w, "type", "function");
	jw_kobj(&c.w, "function");
	jw_kstr_opt(&c.w, "name", name);
	jw_key(&c.w, "arguments");
	jw_strn(&c.w, args, len);
	jw_end(&c.w);
	jw_end(&c.w);
	jw_end(&c.w);
	close_delta(t, &c, NULL, out);
}

static void tell_call(struct api_turn *t, size_t index, const struct run_handed *call, struct buf *out)
{
	const char *args = str_empty(call->args_text) ? "{}" : call->args_text;
	size_t left = strlen(args);

	call_chunk(t, index, call->id, call->name, "", 0, out);
	while (left) {
		size_t n = utf8_cut(args, left, ARGS_PIECE);

		call_chunk(t, index, NULL, NULL, args, n, out);
		args += n;
		left -= n;
	}
}

static void usage_chunk(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	CH_AUTO_BUF struct buf json = { 0 };
	struct jw w = JW(&json);

	buf_init(&json, 65536);
	put_head(t, &w, "chat.completion.chunk");
	jw_karr(&w, "choices");
	jw_end(&w);
	put_usage(&w, &end->usage);
	jw_end(&w);
	api_sse(out, NULL, &json);
}

static void chat_end(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	struct chunk c;

	for (size_t i = 0; i < end->handed_count; i++)
		tell_call(t, i, &end->handed[i], out);
	open_delta(t, &c);
	close_delta(t, &c, finish_reason(end), out);
	if (t->with_usage)
		usage_chunk(t, end, out);
	buf_puts(out, "data: [DONE]\n\n");
}

static void chat_fail(struct api_turn *t, int status, const char *message, const char *code, struct buf *out)
{
	CH_AUTO_BUF struct buf json = { 0 };

	buf_init(&json, 65536);
	api_openai.write(&json, status, message, code);
	api_sse(out, NULL, &json);
	buf_puts(out, "data: [DONE]\n\n");
}

static void chat_ping(struct api_turn *t, struct buf *out)
{
	buf_puts(out, ": still working\n\n");
}

const struct api_writer openai_chat_writer = {
	chat_begin, chat_text, chat_end, chat_fail, chat_ping, chat_whole,
};
