/*
 * http_api/openai_responses_write.c - the answers of POST /v1/responses: a response, or its events.
 *
 *	created, in_progress
 *	output_item.added, content_part.added, output_text.delta …, output_text.done, content_part.done,
 *	output_item.done                                           the message, when there is text
 *	output_item.added, function_call_arguments.delta, .done, output_item.done     each call
 *	completed | incomplete | failed, then [DONE]
 */
#include "core/str.h"
#include "http_api/openai.h"

static bool is_cut(const struct run_end *end)
{
	return end && str_eq(end->stop, "length");
}

/* -- objects -- */

static void put_usage(struct jw *w, const struct run_end *end)
{
	static const struct model_usage none;
	const struct model_usage *u = end ? &end->usage : &none;

	jw_kobj(w, "usage");
	jw_kint(w, "input_tokens", api_prompt_tokens(u));
	jw_kobj(w, "input_tokens_details");
	jw_kint(w, "cached_tokens", u->cache_read);
	jw_end(w);
	jw_kint(w, "output_tokens", u->output);
	jw_kobj(w, "output_tokens_details");
	jw_kint(w, "reasoning_tokens", 0);
	jw_end(w);
	jw_kint(w, "total_tokens", api_prompt_tokens(u) + u->output);
	jw_end(w);
}

static void put_part(struct jw *w, const char *text, size_t len)
{
	jw_obj(w);
	jw_kstr(w, "type", "output_text");
	jw_key(w, "text");
	jw_strn(w, text, len);
	jw_karr(w, "annotations");
	jw_end(w);
	jw_end(w);
}

/* text NULL: the message has just begun. */
static void put_message(struct jw *w, const struct api_turn *t, const char *text, size_t len, const struct run_end *end)
{
	const struct openai_response *r = t->priv;

	jw_obj(w);
	jw_kstr(w, "type", "message");
	jw_kstr(w, "id", r->message_id);
	jw_kstr(w, "role", "assistant");
	jw_karr(w, "content");
	if (text)
		put_part(w, text, len);
	jw_end(w);
	if (end)
		jw_kstr(w, "phase", end->handed_count ? "commentary" : "final_answer");
	jw_kstr(w, "status", !end ? "in_progress" : is_cut(end) ? "incomplete" : "completed");
	jw_end(w);
}

static const char *args_of(const struct run_handed *call)
{
	return str_empty(call->args_text) ? "{}" : call->args_text;
}

static const char *item_id(const struct api_turn *t, size_t i)
{
	return arena_printf(t->arena, "fc_%zu_%s", i, t->run_id + strlen("resp_"));
}

static void put_call(struct jw *w, const struct api_turn *t, const struct run_end *end, size_t i, bool is_done)
{
	const struct run_handed *call = &end->handed[i];

	jw_obj(w);
	jw_kstr(w, "type", "function_call");
	jw_kstr(w, "id", item_id(t, i));
	jw_kstr(w, "call_id", call->id);
	jw_kstr(w, "name", call->name);
	jw_kstr(w, "arguments", is_done ? args_of(call) : "");
	jw_kstr(w, "status", is_done ? "completed" : "in_progress");
	jw_end(w);
}

static bool has_message(const struct run_end *end)
{
	return end->text_len || !end->handed_count;
}

struct failing { const char *message, *code; };

/* end NULL: it is under way, or it failed. */
static void put_response(struct jw *w, const struct api_turn *t, const char *status, const struct run_end *end,
			 const struct failing *failing)
{
	jw_obj(w);
	jw_kstr(w, "id", t->run_id);
	jw_kstr(w, "object", "response");
	jw_kint(w, "created_at", t->created_s);
	jw_kstr(w, "status", status);
	jw_kstr(w, "model", t->model);
	jw_karr(w, "output");
	if (end && has_message(end))
		put_message(w, t, end->text, end->text_len, end);
	for (size_t i = 0; end && i < end->handed_count; i++)
		put_call(w, t, end, i, true);
	jw_end(w);
	put_usage(w, end);
	if (failing) {
		jw_kobj(w, "error");
		jw_kstr(w, "code", failing->code ? failing->code : "server_error");
		jw_kstr(w, "message", failing->message);
		jw_end(w);
	} else {
		jw_knull(w, "error");
	}
	if (is_cut(end)) {
		jw_kobj(w, "incomplete_details");
		jw_kstr(w, "reason", "max_output_tokens");
		jw_end(w);
	} else {
		jw_knull(w, "incomplete_details");
	}
	jw_kvalue(w, "instructions", json_get(t->body, "instructions"));
	jw_kvalue(w, "previous_response_id", json_get(t->body, "previous_response_id"));
	jw_kbool(w, "parallel_tool_calls", true);
	jw_kstr(w, "tool_choice", !t->must_call ? "auto" : "required");
	jw_karr(w, "tools");
	jw_end(w);
	jw_kobj(w, "metadata");
	jw_end(w);
	jw_end(w);
}

static void response_whole(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	struct jw w = JW(out);

	put_response(&w, t, is_cut(end) ? "incomplete" : "completed", end, NULL);
}

/* -- events -- */

struct event { struct buf json; struct jw w; const char *type; };

static void open_event(struct api_turn *t, struct event *e, const char *type)
{
	struct openai_response *r = t->priv;

	buf_init(&e->json, API_OUT_MAX);
	e->w = JW(&e->json);
	e->type = type;
	jw_obj(&e->w);
	jw_kstr(&e->w, "type", type);
	jw_kint(&e->w, "sequence_number", r->sequence++);
}

static void close_event(struct event *e, struct buf *out)
{
	jw_end(&e->w);
	api_sse(out, e->type, &e->json);
	buf_done(&e->json);
}

static void response_event(struct api_turn *t, const char *type, const char *status, const struct run_end *end,
			   const struct failing *failing, struct buf *out)
{
	struct event e;

	open_event(t, &e, type);
	jw_key(&e.w, "response");
	put_response(&e.w, t, status, end, failing);
	close_event(&e, out);
}

static void response_begin(struct api_turn *t, struct buf *out)
{
	response_event(t, "response.created", "in_progress", NULL, NULL, out);
	response_event(t, "response.in_progress", "in_progress", NULL, NULL, out);
}

/* An event of the message's only part; more members may follow. */
static void open_part_event(struct api_turn *t, struct event *e, const char *type)
{
	const struct openai_response *r = t->priv;

	open_event(t, e, type);
	jw_kstr(&e->w, "item_id", r->message_id);
	jw_kint(&e->w, "output_index", 0);
	jw_kint(&e->w, "content_index", 0);
}

static void start_message(struct api_turn *t, struct buf *out)
{
	struct event e;

	open_event(t, &e, "response.output_item.added");
	jw_kint(&e.w, "output_index", 0);
	jw_key(&e.w, "item");
	put_message(&e.w, t, NULL, 0, NULL);
	close_event(&e, out);
	open_part_event(t, &e, "response.content_part.added");
	jw_key(&e.w, "part");
	put_part(&e.w, "", 0);
	close_event(&e, out);
}

static void response_text(struct api_turn *t, const char *delta, size_t len, struct buf *out)
{
	struct event e;

	if (!t->told)
		start_message(t, out);
	open_part_event(t, &e, "response.output_text.delta");
	jw_key(&e.w, "delta");
	jw_strn(&e.w, delta, len);
	jw_karr(&e.w, "logprobs");
	jw_end(&e.w);
	close_event(&e, out);
}

static void stop_message(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	struct event e;

	open_part_event(t, &e, "response.output_text.done");
	jw_key(&e.w, "text");
	jw_strn(&e.w, end->text, end->text_len);
	jw_karr(&e.w, "logprobs");
	jw_end(&e.w);
	close_event(&e, out);
	open_part_event(t, &e, "response.content_part.done");
	jw_key(&e.w, "part");
	put_part(&e.w, end->text, end->text_len);
	close_event(&e, out);
	open_event(t, &e, "response.output_item.done");
	jw_kint(&e.w, "output_index", 0);
	jw_key(&e.w, "item");
	put_message(&e.w, t, end->text, end->text_len, end);
	close_event(&e, out);
}

static void call_item(struct api_turn *t, const struct run_end *end, size_t i, size_t index, bool is_done, struct buf *out)
{
	struct event e;

	open_event(t, &e, is_done ? "response.output_item.done" : "response.output_item.added");
	jw_kint(&e.w, "output_index", (int64_t)index);
	jw_key(&e.w, "item");
	put_call(&e.w, t, end, i, is_done);
	close_event(&e, out);
}

static void call_args(struct api_turn *t, const struct run_end *end, size_t i, size_t index, bool is_done, struct buf *out)
{
	struct event e;

	open_event(t, &e, is_done ? "response.function_call_arguments.done" : "response.function_call_arguments.delta");
	jw_kstr(&e.w, "item_id", item_id(t, i));
	jw_kint(&e.w, "output_index", (int64_t)index);
	if (is_done)
		jw_kstr(&e.w, "name", end->handed[i].name);
	jw_kstr(&e.w, is_done ? "arguments" : "delta", args_of(&end->handed[i]));
	close_event(&e, out);
}

static void response_end(struct api_turn *t, const struct run_end *end, struct buf *out)
{
	size_t index = 0;

	if (!t->told && has_message(end))
		start_message(t, out);
	if (has_message(end)) {
		stop_message(t, end, out);
		index++;
	}
	for (size_t i = 0; i < end->handed_count; i++, index++) {
		call_item(t, end, i, index, false, out);
		call_args(t, end, i, index, false, out);
		call_args(t, end, i, index, true, out);
		call_item(t, end, i, index, true, out);
	}
	response_event(t, is_cut(end) ? "response.incomplete" : "response.completed", is_cut(end) ? "incomplete" : "completed",
		       end, NULL, out);
	buf_puts(out, "data: [DONE]\n\n");
}

static void response_fail(struct api_turn *t, int status, const char *message, const char *code, struct buf *out)
{
	struct failing failing = { message, code };

	response_event(t, "response.failed", "failed", NULL, &failing, out);
	buf_puts(out, "data: [DONE]\n\n");
}

static void response_ping(struct api_turn *t, struct buf *out)
{
	buf_puts(out, ": still working\n\n");
}

const struct api_writer openai_responses_writer = {
	response_begin, response_text, response_end, response_fail, response_ping, response_whole,
};
