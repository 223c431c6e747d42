/*
 * http_api/api_target.c - for which agent, in which session and with which model a request runs.
 *
 * The name of a model is the name of an agent. A request that names no session gets one of its own; with a user it
 * gets that user's.
 */
#include "core/rand.h"
#include "core/str.h"
#include "http_api/api.h"
#include "sessions/key.h"

#define INVALID_MODEL "Invalid `model`. Use `openclaw` or `openclaw/<agentId>`."

static ch_status known_agent(struct gw *gw, struct arena *a, const char *id, const char **ret_agent, struct ch_err *err)
{
	char *lower = arena_strdup(a, id);

	str_lower(lower);
	if (!agent_id_valid(lower) || !agent_find(gw_config(gw), gw->state_dir, a, lower))
		return ch_fail(err, CH_E_INVALID, "Unknown agent '%.64s'.", id);
	*ret_agent = lower;
	return CH_OK;
}

/* The id behind one of the prefixes; "" for the default agent, NULL when the name is none of ours. */
static const char *agent_part(const char *model)
{
	static const char *const prefixes[] = { "openclaw/", "openclaw:", "agent:" };

	if (str_ieq(model, "openclaw") || str_ieq(model, "openclaw/default"))
		return "";
	for (size_t i = 0; i < CH_ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i]);

		if (!strncasecmp(model, prefixes[i], n) && model[n])
			return model + n;
	}
	return NULL;
}

ch_status api_agent_of_model(struct gw *gw, struct arena *a, const char *model, const char **ret_agent, struct ch_err *err)
{
	const char *id = agent_part(str_trim(a, model));

	if (!id)
		return ch_fail(err, CH_E_INVALID, INVALID_MODEL);
	if (*id)
		return known_agent(gw, a, id, ret_agent, err);
	*ret_agent = agent_default_id(gw_config(gw), a);
	return CH_OK;
}

ch_status api_agent_of_request(struct gw *gw, const struct http_request *rq, const char *model, const char **ret_agent,
			       struct ch_err *err)
{
	const char *named = http_header(rq, "x-openclaw-agent-id");
	ch_status st;

	if (str_empty(named))
		named = http_header(rq, "x-openclaw-agent");
	st = api_agent_of_model(gw, rq->arena, str_empty(model) ? "openclaw" : model, ret_agent, err);
	if (str_empty(named) || (st && !agent_part(str_trim(rq->arena, model))))
		return st;
	return known_agent(gw, rq->arena, named, ret_agent, err);
}

ch_status api_model_override(const struct http_request *rq, const struct http_caller *who, const char **ret_model,
			     struct ch_err *err)
{
	const char *named = http_header(rq, "x-openclaw-model");

	*ret_model = NULL;
	if (str_empty(named))
		return CH_OK;
	if (!http_caller_has(who, GW_SCOPE_ADMIN))
		return ch_fail(err, CH_E_DENIED, "missing scope: operator.admin");
	*ret_model = str_trim(rq->arena, named);
	return CH_OK;
}

/* A model that cannot be used is the request's fault: told before a session is made for it. */
static ch_status check_model(struct api_turn *t, struct ch_err *err)
{
	struct model_entry entry;
	const char *source;
	struct ch_err why;

	if (!t->model_override || !model_resolve(t->gw->models, t->model_override, t->agent_id, t->arena, &entry, &source, &why))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "%s", why.text);
}

static ch_status named_session(struct api_turn *t, const char *named, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = sess_key_parse(t->arena, named, t->agent_id, &key, err);

	if (st)
		return st;
	if (sess_key_is_background(key.key))
		return ch_fail(err, CH_E_INVALID, "`x-openclaw-session-key` cannot use reserved internal session namespaces.");
	t->session_key = key.key;
	return known_agent(t->gw, t->arena, key.agent_id, &t->agent_id, err);
}

static ch_status own_session(struct api_turn *t, const char *prefix, const char *user, struct ch_err *err)
{
	char id[UUID_LEN];
	struct sess_key key;
	ch_status st;

	rand_uuid(id);
	user = user ? str_trim(t->arena, user) : "";
	st = sess_key_parse(t->arena,
			    *user ? arena_printf(t->arena, "agent:%s:%s-user:%s", t->agent_id, prefix, user)
				  : arena_printf(t->arena, "agent:%s:%s:%s", t->agent_id, prefix, id),
			    t->agent_id, &key, err);
	if (st)
		return st;
	t->session_key = key.key;
	return CH_OK;
}

ch_status api_turn_target(struct api_turn *t, const char *prefix, const char *user, struct ch_err *err)
{
	const char *named = http_header(t->rq, "x-openclaw-session-key");
	const char *channel = http_header(t->rq, "x-openclaw-message-channel");
	ch_status st = api_agent_of_request(t->gw, t->rq, t->model, &t->agent_id, err);

	if (!st)
		st = str_empty(named) ? own_session(t, prefix, user, err) : named_session(t, named, err);
	if (!st)
		st = api_model_override(t->rq, &t->who, &t->model_override, err);
	if (!st)
		st = check_model(t, err);
	t->channel = str_empty(channel) ? NULL : str_trim(t->arena, channel);
	return st;
}
