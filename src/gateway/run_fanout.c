/*
 * gateway/run_fanout.c - what a run tells, to the connections that may and want to hear it.
 *
 *	agent, chat          every operator with read; with the cap session-scoped-events only
 *	                     when subscribed to the session
 *	agent stream=tool    connections with the cap tool-events that sent the input or subscribed
 *	session.tool         the same payload for other subscribers
 *	session.message      subscribers of the session, or of all sessions
 *	sessions.changed     subscribers of sessions
 *
 * Each payload is rendered once, and not at all when nobody would hear it: then a person of a network talks to the agent, and
 * no page is open.
 */
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/channels.h"
#include "gateway/methods/history_show.h"
#include "gateway/questions.h"
#include "gateway/render.h"
#include "gateway/watch.h"

#define EVENT_MAX (32u << 20)    /* more than any message: TR_MESSAGE_MAX and a row around it */

/* -- who hears it -- */

struct audience {
	const char *session_key;
	const char *owner_conn;
};

static bool is_owner(const struct gw_conn *c, const struct audience *who)
{
	return who->owner_conn && str_eq(gw_conn_id(c), who->owner_conn);
}

static bool hears_session(const struct gw_conn *c, const struct audience *who)
{
	return is_owner(c, who) || gw_conn_wants_messages(c, who->session_key);
}

static bool hears_run(const struct gw_conn *c, void *arg)
{
	return !gw_conn_has_cap(c, "session-scoped-events") || hears_session(c, arg);
}

static bool hears_tools(const struct gw_conn *c, void *arg)
{
	return gw_conn_has_cap(c, "tool-events") && hears_session(c, arg);
}

/* Only user interfaces are told how the time was spent; they draw it. */
static bool hears_timing(const struct gw_conn *c, void *arg)
{
	const char *mode = gw_conn_client_mode(c);

	return (str_eq(mode, "ui") || str_eq(mode, "webchat")) && hears_tools(c, arg);
}

static bool hears_tools_as_session(const struct gw_conn *c, void *arg)
{
	const struct audience *who = arg;

	return !hears_tools(c, arg) && (gw_conn_wants_messages(c, who->session_key) || gw_conn_wants_sessions(c));
}

static bool hears_messages(const struct gw_conn *c, void *arg)
{
	const struct audience *who = arg;

	return gw_conn_wants_messages(c, who->session_key) || gw_conn_wants_sessions(c);
}

static bool hears_sessions(const struct gw_conn *c, void *arg)
{
	return gw_conn_wants_sessions(c);
}

static void tell(struct gw *gw, const char *name, const struct buf *payload, gw_event_filter filter, struct audience *who)
{
	struct gw_event ev = { .name = name, .payload = buf_str(payload), .len = payload->len, .filter = filter, .filter_arg = who };

	gw_broadcast(gw, &ev);
}

/* -- agent -- */

static void render_agent(struct jw *w, const struct run_event *ev, struct gw *gw)
{
	bool is_tool = str_eq(ev->stream, "tool");

	jw_obj(w);
	jw_kstr(w, "runId", ev->run_id);
	jw_kstr(w, "stream", ev->stream);
	jw_kraw(w, "data", ev->data, ev->data_len);
	jw_kstr(w, "sessionKey", ev->session_key);
	if (ev->with_session_id || is_tool)
		jw_kstr(w, "sessionId", ev->session_id);
	jw_kstr(w, "agentId", ev->agent_id);
	jw_kstr_opt(w, "lane", ev->lane);
	jw_kint(w, "seq", ev->seq);
	jw_kint(w, "ts", ev->ts);
	jw_kbool(w, "isHeartbeat", false);
	if (is_tool && ev->sess) {
		jw_key(w, "session");
		gw_render_session_row(gw, w, ev->sess);
	}
	jw_end(w);
}

/* Where the characters of "delta":"…" stand, so that skipped deltas can be joined; the writer escapes, so a quote ends it. */
static void find_delta(const struct buf *payload, const char *name, struct gw_event *ev)
{
	CH_AUTO_STR char *mark = ch_asprintf("\"%s\":\"", name);
	const char *at = strstr(buf_str(payload), mark);

	if (!at)
		return;
	at += strlen(mark);
	const char *end = at;

	while (*end && *end != '"')
		end += *end == '\\' && end[1] ? 2 : 1;
	ev->delta_at = (size_t)(at - payload->data);
	ev->delta_len = (size_t)(end - at);
}

static void on_agent(struct gw *gw, const struct run_event *ev, struct audience *who)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);
	bool is_tool = str_eq(ev->stream, "tool");

	if (is_tool ? !gw_is_heard(gw, "agent", hears_tools, who) && !gw_is_heard(gw, "session.tool", hears_tools_as_session, who)
		    : !gw_is_heard(gw, "agent", hears_run, who))
		return;
	buf_init(&payload, EVENT_MAX);
	render_agent(&w, ev, gw);
	if (is_tool) {
		tell(gw, "agent", &payload, hears_tools, who);
		tell(gw, "session.tool", &payload, hears_tools_as_session, who);
		return;
	}
	struct gw_event frame = { .name = "agent", .payload = buf_str(&payload), .len = payload.len, .filter = hears_run,
				  .filter_arg = who };

	if (str_eq(ev->stream, "assistant")) {
		frame.coalesce_key = ev->run_id;
		find_delta(&payload, "delta", &frame);
	}
	gw_broadcast(gw, &frame);
}

/* -- chat -- */

static void put_text_message(struct jw *w, const struct run_event *ev)
{
	jw_kobj(w, "message");
	jw_kstr(w, "role", "assistant");
	jw_karr(w, "content");
	jw_obj(w);
	jw_kstr(w, "type", "text");
	jw_key(w, "text");
	jw_strn(w, ev->text ? ev->text : "", ev->text_len);
	jw_end(w);
	jw_end(w);
	jw_kint(w, "timestamp", ev->ts);
	jw_end(w);
}

static void render_chat(struct jw *w, const struct run_event *ev)
{
	static const char *const states[] = {
		[CHAT_STATUS] = "status", [CHAT_DELTA] = "delta", [CHAT_FINAL] = "final", [CHAT_ERROR] = "error",
		[CHAT_ABORTED] = "aborted",
	};

	jw_obj(w);
	jw_kstr(w, "runId", ev->run_id);
	jw_kstr(w, "sessionKey", ev->session_key);
	jw_kstr_opt(w, "agentId", ev->agent_id);
	jw_kint(w, "seq", ev->seq);
	jw_kstr(w, "state", states[ev->state]);
	jw_kstr_opt(w, "phase", ev->phase);
	jw_kstr_opt(w, "stopReason", ev->stop_reason);
	if (ev->state == CHAT_DELTA) {
		jw_key(w, "deltaText");
		jw_strn(w, ev->delta ? ev->delta : "", ev->delta_len);
		if (ev->replace)
			jw_kbool(w, "replace", true);
	}
	jw_kstr_opt(w, "errorMessage", ev->error_message);
	if (ev->error_detail)
		jw_kraw(w, "errorDetail", ev->error_detail, strlen(ev->error_detail));
	if (ev->message_json)
		jw_kraw(w, "message", ev->message_json, strlen(ev->message_json));
	else if (ev->state == CHAT_DELTA || ev->has_message)
		put_text_message(w, ev);
	jw_end(w);
}

static void on_chat(struct gw *gw, const struct run_event *ev, struct audience *who)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);

	if (!gw_is_heard(gw, "chat", hears_run, who))
		return;
	buf_init(&payload, EVENT_MAX);
	render_chat(&w, ev);
	struct gw_event frame = { .name = "chat", .payload = buf_str(&payload), .len = payload.len, .filter = hears_run,
				  .filter_arg = who };

	if (ev->state == CHAT_DELTA) {
		frame.coalesce_key = ev->run_id;
		find_delta(&payload, "deltaText", &frame);
	}
	gw_broadcast(gw, &frame);
}

/* -- rows, sessions, timing -- */

/* As history shows it: a picture of megabytes is not sent to everybody who listens. */
static void put_row(struct jw *w, const char *session_key, const struct tr_entry *e)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct history_show show;

	if (e->message_len <= HISTORY_INLINE_IMAGE) {
		gw_render_message(w, e);
		return;
	}
	a = arena_new(0);
	history_show_init(&show, a, TR_MESSAGE_MAX);
	show.session_key = session_key;
	history_show_message(&show, w, e);
	history_show_done(&show);
}

static void on_row(struct gw *gw, const struct run_event *ev, struct audience *who)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);
	bool is_user = str_eq(ev->entry->role, "user");

	if (!ev->sess || !ev->entry->seq || !gw_is_heard(gw, "session.message", hears_messages, who))
		return;
	buf_init(&payload, EVENT_MAX);
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", ev->session_key);
	if (is_user)
		jw_kbool(&w, "senderIsOwner", true);
	jw_kstr(&w, "agentId", ev->agent_id);
	jw_key(&w, "message");
	put_row(&w, ev->session_key, ev->entry);
	jw_kstr(&w, "messageId", ev->entry->id);
	jw_kint(&w, "messageSeq", ev->entry->seq);
	jw_key(&w, "session");
	gw_render_session_row(gw, &w, ev->sess);
	gw_render_session_tombstones(gw, &w, ev->sess);
	if (!is_user)
		jw_kstr_opt(&w, "runId", ev->run_id);
	jw_end(&w);
	tell(gw, "session.message", &payload, hears_messages, who);
}

static void tell_changed(struct gw *gw, struct sess *s, const char *reason, const char *phase, const char *run_id)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);

	if (!gw_is_heard(gw, "sessions.changed", hears_sessions, NULL))
		return;
	buf_init(&payload, EVENT_MAX);
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", s->key);
	jw_kstr(&w, "agentId", s->agent_id);
	jw_kstr_opt(&w, "reason", reason);
	jw_kstr_opt(&w, "phase", phase);
	jw_kstr_opt(&w, "runId", run_id);
	jw_kint(&w, "ts", now_wall_ms());
	if (!s->is_deleted) {
		jw_key(&w, "session");
		gw_render_session_row(gw, &w, s);
		gw_render_session_tombstones(gw, &w, s);
	} else {
		jw_kstr(&w, "sessionId", s->session_id);
	}
	jw_end(&w);
	tell(gw, "sessions.changed", &payload, hears_sessions, NULL);
}

void gw_session_changed(struct gw *gw, struct sess *s, const char *reason, const char *phase, const char *run_id)
{
	tell_changed(gw, s, reason, phase, run_id);
	gw_watch_tell(gw, s->key);
}

void gw_sessions_changed(struct gw *gw, const char *reason)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);

	buf_init(&payload, 4096);
	jw_obj(&w);
	jw_kstr(&w, "reason", reason);
	jw_kint(&w, "ts", now_wall_ms());
	jw_end(&w);
	tell(gw, "sessions.changed", &payload, hears_sessions, NULL);
}

static void on_timing(struct gw *gw, const struct run_event *ev, struct audience *who)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);

	if (!gw_is_heard(gw, "chat.send_timing", hears_timing, who))
		return;
	buf_init(&payload, EVENT_MAX);
	jw_obj(&w);
	jw_kstr(&w, "runId", ev->run_id);
	jw_kstr(&w, "sessionKey", ev->session_key);
	jw_kstr(&w, "phase", ev->phase);
	jw_kint(&w, "ts", ev->ts);
	if (ev->data)
		jw_kraw(&w, "data", ev->data, ev->data_len);
	jw_end(&w);
	tell(gw, "chat.send_timing", &payload, hears_timing, who);
}

void gw_on_run_event(void *arg, const struct run_event *ev)
{
	struct gw *gw = arg;
	struct audience who = { ev->session_key, ev->owner_conn };

	audit_on_run_event(gw, ev);
	gw_channels_on_run_event(gw, ev);
	gw_questions_on_run_event(gw, ev);
	switch (ev->kind) {
	case RUN_EV_AGENT:
		on_agent(gw, ev, &who);
		break;
	case RUN_EV_CHAT:
		on_chat(gw, ev, &who);
		break;
	case RUN_EV_ROW:
		on_row(gw, ev, &who);
		gw_watch_tell(gw, ev->session_key);
		break;
	case RUN_EV_SESSION:
		if (ev->sess)
			gw_session_changed(gw, ev->sess, ev->reason, ev->phase, ev->phase ? ev->run_id : NULL);
		break;
	case RUN_EV_TIMING:
		on_timing(gw, ev, &who);
		break;
	}
}
