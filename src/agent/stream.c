/*
 * agent/stream.c - one reply as it comes.
 *
 * What clients see is the text without white space at its ends, so blanks are held back
 * until more text follows; the transcript keeps what the model sent.
 */
#include "agent/stream.h"

#include <string.h>

#include "agent/run_events.h"
#include "core/clock.h"
#include "core/str.h"

#define CONTENT_MAX (8 * (size_t)RUN_REPLY_MAX)
#define BLANKS " \t\r\n\f\v"

void stream_init(struct stream *s, struct run *r)
{
	*s = (struct stream){ .run = r };
	buf_init(&s->content, CONTENT_MAX);
	buf_init(&s->block, RUN_REPLY_MAX);
}

void stream_done(struct stream *s)
{
	buf_done(&s->content);
	buf_done(&s->block);
}

static void forget(struct stream *s)
{
	buf_clear(&s->content);
	buf_clear(&s->block);
	s->w = JW(&s->content);
	jw_arr(&s->w);
	s->kind = STREAM_NO_BLOCK;
	s->told = 0;
	s->run->calls.len = 0;
}

void stream_begin(struct stream *s)
{
	struct run *r = s->run;

	forget(s);
	s->started_at = now_wall_ms();
	r->msg_start = r->msg_end = r->reply.len;
	r->is_followed = false;
}

/* What the model thinks, when the session wants to see it: all of it so far and what is new. */
static void tell_thinking(struct stream *s, bool is_last)
{
	int64_t now = now_mono_ms();

	if (!s->run->shows_thinking || s->told == s->block.len)
		return;
	if (!is_last && now - s->thought_ms < EV_COALESCE_MS)
		return;
	s->thought_ms = now;
	ev_thinking(s->run, buf_str(&s->block), s->block.len, s->told);
	s->told = s->block.len;
}

static void close_block(struct stream *s, const char *signature)
{
	if (s->kind == STREAM_THINKING)
		tell_thinking(s, true);
	if (s->kind != STREAM_NO_BLOCK && (s->block.len || signature)) {
		jw_obj(&s->w);
		jw_kstr(&s->w, "type", s->kind == STREAM_TEXT ? "text" : "thinking");
		jw_key(&s->w, s->kind == STREAM_TEXT ? "text" : "thinking");
		jw_strn(&s->w, buf_str(&s->block), s->block.len);
		jw_kstr_opt(&s->w, "thinkingSignature", signature);
		jw_end(&s->w);
	}
	s->kind = STREAM_NO_BLOCK;
	buf_clear(&s->block);
	s->told = 0;
}

static void open_block(struct stream *s, enum stream_kind kind)
{
	if (s->kind == kind)
		return;
	close_block(s, NULL);
	s->kind = kind;
}

/* Moves what became visible of the block into the reply. */
static void tell_text(struct stream *s)
{
	struct run *r = s->run;
	const char *text = buf_str(&s->block);
	size_t end = s->block.len, before;

	while (end > s->told && strchr(BLANKS, text[end - 1]))
		end--;
	if (end == s->told)
		return;
	before = r->reply.len;
	if (!s->told) {
		s->told = strspn(text, BLANKS);
		if (r->reply.len)
			buf_puts(&r->reply, "\n\n");
		if (r->msg_end == r->msg_start)
			r->msg_start = r->reply.len;     /* the first text of this message */
	}
	buf_append(&r->reply, text + s->told, end - s->told);
	s->told = end;
	r->msg_end = r->reply.len;
	if (!r->reply.failed)
		follow_text(r, buf_str(&r->reply) + before, r->reply.len - before);
	ev_text(r);
}

static void add_call(struct stream *s, const struct model_event *ev)
{
	struct run *r = s->run;
	struct arena *a = r->round;
	struct run_call call = {
		.id = arena_strdup(a, ev->id),
		.name = arena_strdup(a, ev->name),
		.args_text = arena_strndup(a, ev->text, ev->len),
	};
	struct ch_err err;

	if (!ev->len)
		call.args = json_new_obj(a);     /* no arguments at all is how some models say {} */
	else if (json_parse(a, ev->text, ev->len, JSON_STRICT, &call.args, &err))
		call.args_error = arena_strdup(a, err.text);
	else if (!json_is(call.args, JSON_OBJ))
		call.args_error = "they are not a JSON object";
	if (call.args_error)
		call.args = json_new_obj(a);
	close_block(s, NULL);
	jw_obj(&s->w);
	jw_kstr(&s->w, "type", "toolCall");
	jw_kstr(&s->w, "id", call.id);
	jw_kstr(&s->w, "name", call.name);
	jw_kvalue(&s->w, "arguments", call.args);
	jw_end(&s->w);
	vec_push(&r->calls, call);
}

void stream_give_up(struct stream *s)
{
	struct run *r = s->run;
	bool was_told = r->agent_sent > r->msg_start || r->chat_sent > r->msg_start;

	forget(s);
	if (was_told) {
		buf_truncate(&r->reply, r->msg_start);
		r->chat_replace = r->chat_sent > r->reply.len;
		r->chat_sent = CH_MIN(r->chat_sent, r->reply.len);
	} else {
		buf_truncate(&r->reply, CH_MIN(r->msg_start, r->reply.len));
	}
	r->msg_start = r->msg_end = r->reply.len;
	r->agent_sent = r->reply.len;
}

/* The client tries again: what came since the request began is void. */
static void start_over(struct stream *s, const struct model_event *ev)
{
	struct run *r = s->run;

	stream_give_up(s);
	ev_retrying(r, ev);
	r->resume_ms = now_mono_ms() + ev->delay_ms;
	run_timer_arm(r);
}

bool stream_event(void *stream, const struct model_event *ev)
{
	struct stream *s = stream;
	struct run *r = s->run;

	if (r->abort_origin)
		return false;
	if (r->resume_ms && ev->kind != MODEL_EV_RETRY) {
		r->resume_ms = 0;        /* it came before the timer */
		ev_resumed(r);
	}
	switch (ev->kind) {
	case MODEL_EV_TEXT:
		open_block(s, STREAM_TEXT);
		buf_append(&s->block, ev->text, ev->len);
		tell_text(s);
		break;
	case MODEL_EV_THINKING:
		open_block(s, STREAM_THINKING);
		buf_append(&s->block, ev->text, ev->len);
		tell_thinking(s, false);
		break;
	case MODEL_EV_SIGNATURE:
		open_block(s, STREAM_THINKING);
		close_block(s, ev->text);
		break;
	case MODEL_EV_TOOL_END:
		add_call(s, ev);
		break;
	case MODEL_EV_RETRY:
		if (!follow_allows_retry(r))
			return false;
		start_over(s, ev);
		break;
	case MODEL_EV_START:
	case MODEL_EV_TOOL_START:
	case MODEL_EV_TOOL_ARGS:
	case MODEL_EV_USAGE:
		break;                   /* told whole by later events, or by the result */
	}
	return !s->block.failed && !r->reply.failed && !s->content.failed;
}

ch_status stream_finish(struct stream *s, struct ch_err *err)
{
	if (s->block.failed || s->run->reply.failed)
		return ch_fail(err, CH_E_LIMIT, "the reply is longer than %u bytes", RUN_REPLY_MAX);
	close_block(s, NULL);
	jw_end(&s->w);
	return buf_status(&s->content, err, "the reply");
}
