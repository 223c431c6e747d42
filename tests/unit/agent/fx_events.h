/*
 * The recorder of events: one line of JSON each, ids and times replaced, as the fixtures of tests/scenario have them.
 */
#ifndef TEST_FX_EVENTS_H
#define TEST_FX_EVENTS_H

#include "fx_types.h"

static inline const char *fx_run_name(struct fixture *f, const char *id)
{
	size_t i = 0;

	while (i < f->runs.len && !str_eq(f->runs.at[i], id))
		i++;
	if (i == f->runs.len)
		vec_push(&f->runs, ch_strdup(id));
	return arena_printf(f->arena, "<run%zu>", i + 1);
}

static inline struct json *fx_norm(struct fixture *f, const struct json *v, const char *key)
{
	static const char *const times[] = { "startedAt", "endedAt", "timestamp", "ts" };
	struct arena *a = f->arena;
	struct json *out;

	if (key && json_is(v, JSON_INT) && str_in(key, times, CH_ARRAY_LEN(times)))
		return json_new_str(a, "<ts>");
	if (json_is(v, JSON_STR) && (str_eq(key, "runId") || str_eq(key, "turnId")))
		return json_new_str(a, fx_run_name(f, json_str(v)));
	if (json_is(v, JSON_STR) && str_eq(key, "sessionId"))
		return json_new_str(a, "<session>");
	if (json_is(v, JSON_STR) && str_eq(key, "itemId") && v->len > 37 && v->str[36] == ':')
		return json_new_str(a, arena_printf(a, "<item>%s", v->str + 36));
	if (json_is(v, JSON_OBJ)) {
		out = json_new_obj(a);
		json_each(m, v)
			json_set(a, out, m->key, fx_norm(f, m, m->key));
		return out;
	}
	if (json_is(v, JSON_ARR)) {
		out = json_new_arr(a);
		json_each(m, v)
			json_push(out, fx_norm(f, m, NULL));
		return out;
	}
	return json_clone(a, v);
}

static inline struct json *fx_parse(struct fixture *f, const char *text)
{
	struct json *v;

	if (json_parse(f->arena, text, strlen(text), JSON_STRICT, &v, &f->err))
		fail_msg("%s: %s", f->err.text, text);
	return v;
}

static inline void fx_chat_payload(struct jw *w, const struct run_event *ev)
{
	static const char *const states[] = { "status", "delta", "final", "error", "aborted" };

	jw_kstr(w, "runId", ev->run_id);
	jw_kstr(w, "sessionKey", "<key>");
	jw_kstr_opt(w, "agentId", ev->agent_id);
	jw_kint(w, "seq", ev->seq);
	jw_kstr(w, "state", states[ev->state]);
	jw_kstr_opt(w, "phase", ev->phase);
	jw_kstr_opt(w, "stopReason", ev->stop_reason);
	jw_kstr_opt(w, "errorMessage", ev->error_message);
	if (ev->error_detail)
		jw_kraw(w, "errorDetail", ev->error_detail, strlen(ev->error_detail));
	if (ev->state == CHAT_DELTA) {
		jw_key(w, "deltaText");
		jw_strn(w, ev->delta, ev->delta_len);
		if (ev->replace)
			jw_kbool(w, "replace", true);
	}
	if (ev->message_json) {
		jw_kraw(w, "message", ev->message_json, strlen(ev->message_json));
	} else if (ev->state == CHAT_DELTA || ev->has_message) {
		jw_kobj(w, "message");
		jw_kstr(w, "role", "assistant");
		jw_karr(w, "content");
		jw_obj(w);
		jw_kstr(w, "type", "text");
		jw_key(w, "text");
		jw_strn(w, ev->text, ev->text_len);
		jw_end(w);
		jw_end(w);
		jw_kint(w, "timestamp", ev->ts);
		jw_end(w);
	}
}

static inline void fx_agent_payload(struct jw *w, const struct run_event *ev)
{
	jw_kstr(w, "runId", ev->run_id);
	jw_kstr(w, "sessionKey", "<key>");
	if (ev->with_session_id)
		jw_kstr(w, "sessionId", ev->session_id);
	jw_kstr(w, "agentId", ev->agent_id);
	jw_kstr_opt(w, "lane", ev->lane);
	jw_kstr(w, "stream", ev->stream);
	jw_kraw(w, "data", ev->data, ev->data_len);
	jw_kint(w, "seq", ev->seq);
	jw_kint(w, "ts", ev->ts);
	jw_kbool(w, "isHeartbeat", false);
}

static inline void fx_row_payload(struct fixture *f, struct jw *w, const struct run_event *ev)
{
	struct json *m = fx_parse(f, ev->entry->message), *meta = NULL;

	if (ev->entry->meta)
		meta = fx_parse(f, ev->entry->meta);
	jw_kstr(w, "role", ev->entry->role);
	jw_kstr_opt(w, "stopReason", json_get_str(m, "stopReason"));
	if (json_get(meta, "steerTargetRunId"))
		jw_kbool(w, "steered", true);
}

static inline void fx_on_event(void *arg, const struct run_event *ev)
{
	struct fixture *f = arg;
	CH_AUTO_BUF struct buf b = { 0 }, line = { 0 };
	struct jw w = JW(&b);

	buf_init(&b, 64u << 20);
	buf_init(&line, 64u << 20);
	assert_int_equal(db_tx_depth(f->db), 0);         /* told only after the commit */
	if (f->on_event)
		f->on_event(f, ev);
	if (ev->kind == RUN_EV_TIMING)
		return;
	jw_obj(&w);
	if (ev->kind == RUN_EV_AGENT || ev->kind == RUN_EV_CHAT) {
		jw_kstr(&w, "event", ev->kind == RUN_EV_AGENT ? "agent" : "chat");
		jw_kobj(&w, "payload");
		if (ev->kind == RUN_EV_AGENT)
			fx_agent_payload(&w, ev);
		else
			fx_chat_payload(&w, ev);
		jw_end(&w);
	} else if (ev->kind == RUN_EV_ROW) {
		jw_kstr(&w, "event", "session.message");
		fx_row_payload(f, &w, ev);
	} else {
		jw_kstr(&w, "event", "sessions.changed");
		jw_kstr(&w, "key", ev->reason ? ev->reason : ev->phase);
	}
	jw_end(&w);
	json_write(&line, fx_norm(f, fx_parse(f, b.data), NULL), 0);
	vec_push(&f->lines, buf_take(&line, NULL));
}

/* How many told lines hold this text. */
static inline size_t fx_count(const struct fixture *f, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < f->lines.len; i++)
		n += strstr(f->lines.at[i], text) != NULL;
	return n;
}

static inline void fx_dump(const struct fixture *f)
{
	for (size_t i = 0; i < f->lines.len; i++)
		fprintf(stderr, "  %s\n", f->lines.at[i]);
}

#endif
