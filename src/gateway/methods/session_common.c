/*
 * gateway/methods/session_common.c - what the methods on sessions share.
 */
#include "gateway/methods/session_common.h"

#include <string.h>

#include "core/fiber.h"
#include "core/str.h"
#include "gateway/conn.h"
#include "sessions/groups.h"

#define SETTLE_MS 15000          /* an aborted run ends at its next await; tools get their grace */

ch_status session_find(struct gw_call *call, struct sess_key *ret_key, struct sess **ret, struct ch_err *err)
{
	ch_status st = gw_session_key_param(call, ret_key, err);

	if (!st)
		st = sess_find(call->gw->sessions, ret_key->key, ret, err);
	return st == CH_E_NOT_FOUND ? ch_fail(err, CH_E_INVALID, "session not found: %s", ret_key->key) : st;
}

ch_status session_changed(struct gw_call *call, const char *key, const char *doing, struct ch_err *err)
{
	struct json *details = json_new_obj(call->arena);

	json_set(call->arena, details, "reason", json_new_str(call->arena, "session-changed"));
	return gw_fail_details(call, err, CH_E_INVALID, details, "Session %s changed before %s. Retry.", key, doing);
}

ch_status session_check_expected(struct gw_call *call, const struct json *p, const struct sess *s, struct ch_err *err)
{
	const char *id = json_get_str(p, "expectedSessionId");
	const char *revision = json_get_str(p, "expectedLifecycleRevision");
	const char *dot = strrchr(call->method, '.');
	char now[24];

	snprintf(now, sizeof(now), "%lld", (long long)s->lifecycle_revision);
	if ((id && !str_eq(id, s->session_id)) || (revision && !str_eq(revision, now)))
		return session_changed(call, s->key, dot ? dot + 1 : call->method, err);
	return CH_OK;
}

void session_mark_owner(struct sess *s, const struct gw_conn *c)
{
	if (c->client->is_tracked)
		sess_set_str(s, &s->created_actor, GW_OWNER_ACTOR);
}

void session_inherit(struct sess *to, const struct sess *from)
{
	const struct { const char **to; const char *from; } choices[] = {
		{ &to->thinking_level, from->thinking_level }, { &to->verbose_level, from->verbose_level },
		{ &to->reasoning_level, from->reasoning_level }, { &to->response_usage, from->response_usage },
		{ &to->queue_mode, from->queue_mode }, { &to->fast_mode, from->fast_mode }, { &to->category, from->category },
		{ &to->derived_title, from->derived_title },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(choices); i++)
		sess_set_str(to, choices[i].to, choices[i].from);
	if (str_empty(from->model_override_source))
		return;
	sess_set_str(to, &to->model_provider, from->model_provider);
	sess_set_str(to, &to->model, from->model);
	sess_set_str(to, &to->model_override_source, from->model_override_source);
}

ch_status session_settle(struct gw_call *call, const char *key, const char *origin, struct ch_err *err)
{
	const char *const *ids;
	struct input_row row;
	ch_status st = agent_abort(call->gw->agents, key, NULL, origin, call->arena, &ids, err);

	for (size_t i = 0; !st && ids[i]; i++) {
		st = agent_wait(call->gw->agents, ids[i], fiber_deadline(SETTLE_MS), call->arena, &row, err);
		if (st == CH_E_NOT_FOUND)
			st = CH_OK;
	}
	if (st == CH_E_TIMEOUT)
		return ch_fail(err, CH_E_BUSY, "session '%s' still has a run that does not end; try again", key);
	return st;
}

void session_put_entry(struct gw_call *call, struct jw *w, const struct sess *s)
{
	jw_kbool(w, "ok", true);
	jw_kstr(w, "key", s->key);
	jw_key(w, "entry");
	gw_render_session_entry(w, s);
	jw_key(w, "resolved");
	gw_render_resolved(call->gw, w, s);
}

ch_status session_register_category(struct gw_call *call, const struct sess *s, struct ch_err *err)
{
	bool is_new = false;
	ch_status st = str_empty(s->category) ? CH_OK : group_register(call->gw->sessions, s->category, &is_new, err);

	if (!st && is_new)
		gw_sessions_changed(call->gw, "groups");
	return st;
}

const char *session_fast_word(const struct json *v)
{
	if (json_is(v, JSON_BOOL))
		return json_bool_or(v, false) ? "on" : "off";
	return json_str(v);
}

ch_status session_set_model(struct gw *gw, struct sess *s, const char *ref, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_entry m = { 0 };
	const char *source;
	ch_status st;

	if (!ref || str_eq(ref, "default")) {
		agent_pin_model(s, NULL);
		return CH_OK;
	}
	st = model_resolve(gw->models, ref, s->agent_id, a, &m, &source, err);
	if (st == CH_E_DENIED)
		return ch_fail(err, CH_E_INVALID, "model not allowed: %s (agents.defaults.modelPolicy.allow)", ref);
	if (st)
		return ch_fail(err, CH_E_INVALID, "model not available: %s (see: chela models list)", ref);
	agent_pin_model(s, &m);
	return CH_OK;
}

ch_status session_set_thinking(struct gw *gw, struct sess *s, const char *level, struct ch_err *err)
{
	const struct gw_model_facts *m = gw_render_session_model(gw->render, s);
	const char *const *levels = gw_thinking_levels(m);
	enum thinking_level parsed;
	char list[128] = "";

	if (!level) {
		sess_set_str(s, &s->thinking_level, NULL);
		return CH_OK;
	}
	for (size_t i = 0; levels[i]; i++) {
		size_t n = strlen(list);

		if (str_eq(levels[i], level)) {
			sess_set_str(s, &s->thinking_level, level);
			return CH_OK;
		}
		snprintf(list + n, sizeof(list) - n, "%s%s", n ? "|" : "", levels[i]);
	}
	if (!thinking_parse(level, &parsed))
		return ch_fail(err, CH_E_INVALID, "invalid thinkingLevel (use %s)", list);
	return ch_fail(err, CH_E_INVALID, "thinkingLevel \"%s\" is not supported for %s/%s (use %s)", level, m->provider, m->model, list);
}
