/*
 * http_api/api_run.c - the turn itself: split into history and input, run, told as it comes.
 *
 * The run talks to us by its follower: text gathers in `ear.text` while the client is slow to read. A stream is
 * opened by the first text, by the end, or after a while, so that a turn which fails at once is an HTTP error. A
 * client that leaves ends its run.
 */
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"
#include "http_api/api.h"
#include "sessions/text.h"

#define OPEN_AFTER_MS 5000               /* a proxy between gives up on an answer without a head */
#define PING_MS 15000
#define WRITE_MS 60000                   /* for a client that does not read */
#define TEXT_MAX (8u << 20)
#define HAS_LEFT "The client closed its side of the connection: its turn was not run to the end."

struct ear {
	struct api_turn *t;
	struct fiber_cond news;
	struct buf text;                 /* not yet told */
	struct run_end end;              /* on the turn's arena, once is_over */
	bool is_over, has_left;
};

/* -- what is asked -- */

/* The last message is the input, what comes before it the history. */
struct split {
	struct json *history, *input;
	size_t fresh;                    /* of the history: messages after the last reply */
};

static ch_status split(struct api_turn *t, struct split *ret, struct ch_err *err)
{
	struct split s = { .history = json_new_arr(t->arena) };
	struct json *next;

	for (struct json *m = json_first(t->messages); m; m = next) {
		next = m->next;
		if (!next) {
			s.input = m;
			break;
		}
		m->next = NULL;
		json_push(s.history, m);
		s.fresh = str_eq(json_get_str(m, "role"), "assistant") ? 0 : s.fresh + 1;
	}
	if (!s.input)
		return ch_fail(err, CH_E_INVALID, "Missing user message.");
	if (str_eq(json_get_str(s.input, "role"), "assistant"))
		return ch_fail(err, CH_E_INVALID, "The last message must be the user's or a tool's.");
	*ret = s;
	return CH_OK;
}

static ch_status images_of(struct api_turn *t, const struct json *message, struct json **ret, struct ch_err *err)
{
	struct json *list = json_new_arr(t->arena);

	json_each(b, json_get(message, "content")) {
		struct json *att;

		if (!str_eq(json_get_str(b, "type"), "image"))
			continue;
		att = json_new_obj(t->arena);
		json_set(t->arena, att, "type", json_new_str(t->arena, "image"));
		json_set(t->arena, att, "mimeType", json_new_str(t->arena, json_get_str(b, "mimeType")));
		json_set(t->arena, att, "content", json_new_str(t->arena, json_get_str(b, "data")));
		json_push(list, att);
	}
	if (json_len(list) > API_IMAGES_MAX)
		return ch_fail(err, CH_E_INVALID, "Too many images (%zu; at most %d).", json_len(list), API_IMAGES_MAX);
	*ret = json_len(list) ? list : NULL;
	return CH_OK;
}

/* -- what is heard -- */

static void on_text(void *arg, const char *delta, size_t len)
{
	struct ear *e = arg;

	buf_append(&e->text, delta, len);
	fiber_cond_broadcast(&e->news);
}

static void on_end(void *arg, const struct run_end *end)
{
	struct ear *e = arg;
	struct arena *a = e->t->arena;
	struct run_handed *handed = arena_alloc(a, (end->handed_count + 1) * sizeof(*handed));

	for (size_t i = 0; i < end->handed_count; i++)
		handed[i] = (struct run_handed){ arena_strdup(a, end->handed[i].id), arena_strdup(a, end->handed[i].name),
						 arena_strdup(a, end->handed[i].args_text),
						 json_clone(a, end->handed[i].args) };
	e->end = *end;
	e->end.stop = arena_strdup(a, end->stop);
	e->end.error = arena_strdup(a, end->error);
	e->end.text = arena_strndup(a, end->text, end->text_len);
	e->end.handed = handed;
	e->is_over = true;
	fiber_cond_broadcast(&e->news);
}

static void on_leave(void *arg)
{
	struct ear *e = arg;

	e->has_left = true;
	fiber_cond_broadcast(&e->news);
}

/* -- what is told -- */

int64_t api_prompt_tokens(const struct model_usage *u)
{
	return u->input + u->cache_read + u->cache_write;
}

void api_sse(struct buf *out, const char *event, const struct buf *data)
{
	if (event)
		buf_printf(out, "event: %s\n", event);
	buf_puts(out, "data: ");
	buf_append(out, buf_str(data), data->len);
	buf_puts(out, "\n\n");
}

static CH_FIBER ch_status send_out(struct api_turn *t, struct buf *out)
{
	ch_status st = out->failed;

	if (!st && !t->is_open) {
		http_reply_header(t->call, "Cache-Control", "no-cache");
		http_reply_header(t->call, "X-Content-Type-Options", "nosniff");
		st = http_stream_begin(t->call, 200, "text/event-stream; charset=utf-8");
		t->is_open = !st;
	}
	if (!st && out->len)
		st = http_stream_write(t->call, out->data, out->len, fiber_deadline(WRITE_MS));
	buf_clear(out);
	return st;
}

static void begin(struct api_turn *t, const struct api_writer *w, struct buf *out)
{
	if (!t->is_open)
		w->begin(t, out);
}

static CH_FIBER ch_status tell_text(struct ear *e, const struct api_writer *w, struct buf *out)
{
	struct api_turn *t = e->t;

	if (!e->text.len)
		return CH_OK;
	begin(t, w, out);
	w->text(t, e->text.data, e->text.len, out);
	t->told += e->text.len;
	buf_clear(&e->text);
	return send_out(t, out);
}

/* Until the run is over. CH_E_PEER: nobody is there any more; CH_E_CANCELED: the gateway stops. */
static CH_FIBER ch_status listen_on(struct ear *e, const struct api_writer *w, struct buf *out)
{
	struct api_turn *t = e->t;
	int64_t quiet_ms = OPEN_AFTER_MS;
	ch_status st = CH_OK;

	while (!st && !e->is_over) {
		if (e->has_left)
			return CH_E_PEER;
		st = fiber_cond_wait(&e->news, fiber_deadline(quiet_ms));
		if (st == CH_E_TIMEOUT && t->is_stream) {
			begin(t, w, out);
			w->ping(t, out);
			st = send_out(t, out);
			quiet_ms = PING_MS;
		} else if (st == CH_E_TIMEOUT) {
			st = CH_OK;
		} else if (!st && t->is_stream) {
			st = tell_text(e, w, out);
		}
	}
	return st;
}

struct failure { int status; const char *code; };

/* A turn that failed, as the status of an answer. */
static struct failure failure_of(const struct run_end *end)
{
	if (end->state != INPUT_FAILED)
		return (struct failure){ 500, NULL };
	if (end->code == CH_E_LIMIT && end->error_class == MODEL_ERR_NONE)
		return (struct failure){ 429, "insufficient_quota" };    /* a budget, or a turn without end */
	switch (end->error_class) {
	case MODEL_ERR_RATE_LIMIT: return (struct failure){ 429, "rate_limit_exceeded" };
	case MODEL_ERR_OVERLOADED: return (struct failure){ 503, NULL };
	case MODEL_ERR_TIMEOUT:    return (struct failure){ 504, NULL };
	case MODEL_ERR_CONTEXT:    return (struct failure){ 400, "context_length_exceeded" };
	case MODEL_ERR_NONE:       return (struct failure){ 500, NULL };
	default:                   return (struct failure){ 502, NULL };
	}
}

/* The turn has run and may have done things: clients that would repeat a failed request by themselves must not. */
static void reply_failed(struct api_turn *t, int status, const char *message, const char *code)
{
	CH_AUTO_BUF struct buf body = { 0 };

	buf_init(&body, API_OUT_MAX);
	t->style->write(&body, status, message, code);
	http_reply_header(t->call, "x-should-retry", "false");
	http_reply_json(t->call, status, buf_str(&body), body.len);
}

static CH_FIBER void answer_failed(struct api_turn *t, const struct api_writer *w, struct failure f, const char *message,
				   struct buf *out)
{
	if (!t->is_open) {
		reply_failed(t, f.status, message, f.code);
		return;
	}
	w->fail(t, f.status, message, f.code, out);
	if (!send_out(t, out))
		http_stream_end(t->call);
}

static bool is_choice_kept(const struct api_turn *t, const struct run_end *end)
{
	if (!t->must_call)
		return true;
	for (size_t i = 0; i < end->handed_count; i++)
		if (!*t->must_call || str_eq(end->handed[i].name, t->must_call))
			return true;
	return false;
}

static CH_FIBER void answer_done(struct ear *e, const struct api_writer *w, struct buf *out)
{
	struct api_turn *t = e->t;
	const struct run_end *end = &e->end;

	if (!t->is_stream) {
		w->whole(t, end, out);
		http_reply_header(t->call, "Cache-Control", "no-store");
		if (out->failed)
			reply_failed(t, 500, "the answer is too large", NULL);
		else
			http_reply_json(t->call, 200, buf_str(out), out->len);
		return;
	}
	if (t->must_call)
		buf_append(&e->text, end->text, end->text_len);
	if (tell_text(e, w, out))
		return;
	begin(t, w, out);
	w->end(t, end, out);
	if (!send_out(t, out))
		http_stream_end(t->call);
}

static CH_FIBER void answer(struct ear *e, const struct api_writer *w, struct buf *out)
{
	struct api_turn *t = e->t;

	if (e->end.state != INPUT_DONE)
		answer_failed(t, w, failure_of(&e->end), e->end.error ? e->end.error : "The run was stopped.", out);
	else if (!is_choice_kept(t, &e->end))
		answer_failed(t, w, (struct failure){ 502, NULL }, *t->must_call
			      ? arena_printf(t->arena, "The agent did not call the required tool '%s'.", t->must_call)
			      : "The agent did not call a tool although one was required.", out);
	else
		answer_done(e, w, out);
}

/* Nobody listens: the run ends too, unless the whole gateway does, which lets it finish. */
static void let_go(struct ear *e, ch_status st, const struct api_writer *w, struct buf *out)
{
	struct api_turn *t = e->t;
	const char *const *ids;
	struct ch_err err;

	agent_unfollow(t->gw->agents, t->run_id);
	if (st == CH_E_CANCELED) {
		answer_failed(t, w, (struct failure){ 503, NULL }, "The gateway is stopping.", out);
		return;
	}
	if (agent_abort(t->gw->agents, t->session_key, t->run_id, "client", t->arena, &ids, &err))
		log_warn("http", "session=%s run=%s: its client left, but it could not be stopped: %s", t->session_key,
			 t->run_id, err.text);
	if (!t->is_open)
		reply_failed(t, 400, HAS_LEFT, NULL);    /* one that closed only its side may still read */
}

static ch_status submit(struct api_turn *t, struct run_follower *follower, struct ch_err *err)
{
	struct split s;
	struct json *images = NULL;
	struct submit_result sent;
	struct run_extras x = {
		.tools = t->tools, .tool_count = t->tool_count, .tool_choice = t->tool_choice, .params = t->params,
		.stop = t->stop, .max_tokens = t->max_tokens, .follower = follower,
	};
	struct run_input in = {
		.session_key = t->session_key, .run_id = t->run_id, .model = t->model_override, .thinking = t->thinking,
		.queue_mode = "followup", .extra_system = t->instructions.len ? buf_str(&t->instructions) : NULL,
		.client_id = "http-api", .client_mode = t->channel ? t->channel : "webchat",
		.sender_is_owner = http_caller_has(&t->who, GW_SCOPE_ADMIN), .is_plain = true, .extras = &x,
	};
	ch_status st = split(t, &s, err);

	if (!st)
		st = buf_status(&t->instructions, err, "the system message");
	if (!st)
		st = images_of(t, s.input, &images, err);
	if (st)
		return st;
	x.history = s.history;
	x.history_new = s.fresh;
	if (str_eq(json_get_str(s.input, "role"), "toolResult"))
		x.result = s.input;
	in.text = x.result ? "" : tr_text(t->arena, s.input, "\n");
	in.attachments = images;
	return agent_submit(t->gw->agents, &in, t->arena, &sent, err);
}

void api_turn_run(struct api_turn *t, const struct api_writer *w)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct ear e = { .t = t };
	bool tells_text = t->is_stream && !t->must_call;
	struct run_follower follower = { tells_text ? on_text : NULL, on_end, &e };
	struct ch_err err;
	ch_status st;

	if (!http_call_alive(t->call)) {         /* while its pictures were fetched */
		api_error_reply(t->call, t->style, 400, HAS_LEFT);
		return;
	}
	buf_init(&out, API_OUT_MAX);
	buf_init(&e.text, TEXT_MAX);
	fiber_cond_init(&e.news);
	st = submit(t, &follower, &err);
	if (st) {
		buf_done(&e.text);
		api_error_fail(t->call, t->style, st, &err);
		return;
	}
	http_call_on_leave(t->call, on_leave, &e);
	st = listen_on(&e, w, &out);
	http_call_on_leave(t->call, NULL, NULL);
	if (e.is_over && !e.has_left)
		answer(&e, w, &out);
	else
		let_go(&e, st, w, &out);
	buf_done(&e.text);
}
