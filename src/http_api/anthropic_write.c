/*
 * http_api/anthropic_write.c - the answers of POST /v1/messages: a message, or its events.
 *
 *	message_start, then per block: content_block_start, content_block_delta …, content_block_stop,
 *	then message_delta (why it stopped, what it cost), message_stop
 */
#include "core/str.h"
#include "http_api/anthropic.h"

static const char *stop_reason(const struct run_end *end)
{
	if (end->handed_count)
		return "tool_use";
	if (str_eq(end->stop, "length"))
		return "max_tokens";
	return str_eq(end->stop, "refusal") ? "refusal" : "end_turn";
}

static void put_usage(struct jw *w, const struct model_usage *u)
{
	jw_kobj(w, "usage");
	jw_kint(w, "input_tokens", u->input);
	jw_kint(w, "cache_creation_input_tokens", u->cache_write);
	jw_kint(w, "cache_read_input_tokens", u->cache_read);
	jw_kint(w, "output_tokens", u->output);
	jw_end(w);
}

static void put_head(const struct api_turn *t, struct jw *w)
{
	jw_kstr(w, "id", t->run_id);
	jw_kstr(w, "type", "message");
	jw_kstr(w, "role", "assistant");
	jw_kstr(w, "model", t->model);
}

static void message_whole(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	struct jw w = JW(out);

	jw_obj(&w);
	put_head(t, &w);
	jw_karr(&w, "content");
	if (end->text_len || !end->handed_count) {
		jw_obj(&w);
		jw_kstr(&w, "type", "text");
		jw_key(&w, "text");
		jw_strn(&w, end->text, end->text_len);
		jw_end(&w);
	}
	for (size_t i = 0; i < end->handed_count; i++) {
		jw_obj(&w);
		jw_kstr(&w, "type", "tool_use");
		jw_kstr(&w, "id", end->handed[i].id);
		jw_kstr(&w, "name", end->handed[i].name);
		jw_kvalue(&w, "input", end->handed[i].args);
		jw_end(&w);
	}
	jw_end(&w);
	jw_kstr(&w, "stop_reason", stop_reason(end));
	jw_knull(&w, "stop_sequence");
	put_usage(&w, &end->usage);
	jw_end(&w);
}

/* -- events -- */

/* One event; after open_event() the writer stands inside its object. */
struct event { struct buf json; struct jw w; const char *type; };

static void open_event(struct event *e, const char *type)
{
	buf_init(&e->json, API_OUT_MAX);
	e->w = JW(&e->json);
	e->type = type;
	jw_obj(&e->w);
	jw_kstr(&e->w, "type", type);
}

static void close_event(struct event *e, struct buf *out)
{
	jw_end(&e->w);
	api_sse(out, e->type, &e->json);
	buf_done(&e->json);
}

static void open_block_event(struct event *e, const char *type, size_t index)
{
	open_event(e, type);
	jw_kint(&e->w, "index", (int64_t)index);
}

static void stop_block(size_t index, struct buf *out)
{
	struct event e;

	open_block_event(&e, "content_block_stop", index);
	close_event(&e, out);
}

static void message_begin(struct api_turn *t, struct buf *out)
{
	static const struct model_usage none;
	struct event e;

	open_event(&e, "message_start");
	jw_kobj(&e.w, "message");
	put_head(t, &e.w);
	jw_karr(&e.w, "content");
	jw_end(&e.w);
	jw_knull(&e.w, "stop_reason");
	jw_knull(&e.w, "stop_sequence");
	put_usage(&e.w, &none);
	jw_end(&e.w);
	close_event(&e, out);
}

static void start_text(struct buf *out)
{
	struct event e;

	open_block_event(&e, "content_block_start", 0);
	jw_kobj(&e.w, "content_block");
	jw_kstr(&e.w, "type", "text");
	jw_kstr(&e.w, "text", "");
	jw_end(&e.w);
	close_event(&e, out);
}

static void message_text(struct api_turn *t, const char *delta, size_t len, struct buf *out)
{
	struct event e;

	if (!t->told)
		start_text(out);
	open_block_event(&e, "content_block_delta", 0);
	jw_kobj(&e.w, "delta");
	jw_kstr(&e.w, "type", "text_delta");
	jw_key(&e.w, "text");
	jw_strn(&e.w, delta, len);
	jw_end(&e.w);
	close_event(&e, out);
}

static void tell_call(size_t index, const struct run_handed *call, struct buf *out)
{
	struct event e;

	open_block_event(&e, "content_block_start", index);
	jw_kobj(&e.w, "content_block");
	jw_kstr(&e.w, "type", "tool_use");
	jw_kstr(&e.w, "id", call->id);
	jw_kstr(&e.w, "name", call->name);
	jw_kobj(&e.w, "input");
	jw_end(&e.w);
	jw_end(&e.w);
	close_event(&e, out);
	open_block_event(&e, "content_block_delta", index);
	jw_kobj(&e.w, "delta");
	jw_kstr(&e.w, "type", "input_json_delta");
	jw_kstr(&e.w, "partial_json", str_empty(call->args_text) ? "{}" : call->args_text);
	jw_end(&e.w);
	close_event(&e, out);
	stop_block(index, out);
}

static void message_end(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	struct event e;
	size_t index = 0;

	if (!t->told && !end->handed_count)
		start_text(out);
	if (t->told || !end->handed_count)
		stop_block(index++, out);
	for (size_t i = 0; i < end->handed_count; i++)
		tell_call(index++, &end->handed[i], out);
	open_event(&e, "message_delta");
	jw_kobj(&e.w, "delta");
	jw_kstr(&e.w, "stop_reason", stop_reason(end));
	jw_knull(&e.w, "stop_sequence");
	jw_end(&e.w);
	put_usage(&e.w, &end->usage);
	close_event(&e, out);
	open_event(&e, "message_stop");
	close_event(&e, out);
}

static void message_fail(struct api_turn *t, int status, const char *message, const char *code, struct buf *out)
{
	CH_AUTO_BUF struct buf json = { 0 };

	buf_init(&json, 65536);
	api_anthropic.write(&json, status, message, code);
	api_sse(out, "error", &json);
}

static void message_ping(struct api_turn *t, struct buf *out)
{
	struct event e;

	open_event(&e, "ping");
	close_event(&e, out);
}

const struct api_writer anthropic_writer = {
	message_begin, message_text, message_end, message_fail, message_ping, message_whole,
};
