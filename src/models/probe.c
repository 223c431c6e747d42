/*
 * models/probe.c - does a model answer?
 */
#include "models/probe.h"

#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "models/dialect.h"
#include "models/models_priv.h"

#define PROBE_TOKENS 16                  /* the least that every provider takes */
#define UNWIND_MS 5000

static const char *const names[] = {
	[PROBE_OK] = "ok", [PROBE_AUTH] = "auth", [PROBE_RATE_LIMIT] = "rate_limit", [PROBE_BILLING] = "billing",
	[PROBE_TIMEOUT] = "timeout", [PROBE_FORMAT] = "format", [PROBE_NO_MODEL] = "no_model", [PROBE_UNKNOWN] = "unknown",
};

const char *probe_status_name(enum probe_status s)
{
	return names[s];
}

static enum probe_status status_of(enum model_error_class c)
{
	switch (c) {
	case MODEL_ERR_AUTH: return PROBE_AUTH;
	case MODEL_ERR_RATE_LIMIT:
	case MODEL_ERR_OVERLOADED: return PROBE_RATE_LIMIT;
	case MODEL_ERR_BILLING: return PROBE_BILLING;
	case MODEL_ERR_TIMEOUT:
	case MODEL_ERR_NETWORK:
	case MODEL_ERR_CUT: return PROBE_TIMEOUT;
	case MODEL_ERR_FORMAT: return PROBE_FORMAT;
	case MODEL_ERR_NOT_FOUND: return PROBE_NO_MODEL;
	case MODEL_ERR_NONE:
	case MODEL_ERR_SERVER:
	case MODEL_ERR_CONTEXT:
	case MODEL_ERR_REFUSAL: break;
	}
	return PROBE_UNKNOWN;
}

/* The request runs in a fiber of its own, so that it can be ended in time. */
struct job {
	struct models *m;
	struct model_call call;
	struct model_result result;
	struct ch_err err;
	ch_status st;
};

static bool on_event(void *arg, const struct model_event *ev)
{
	return ev->kind != MODEL_EV_RETRY;
}

static void run(void *arg)
{
	struct job *j = arg;

	j->st = model_stream(j->m, &j->call, on_event, j, &j->result, &j->err);
}

static const struct json *question(struct arena *a)
{
	struct json *list = json_new_arr(a), *msg = json_new_obj(a);

	json_set(a, msg, "role", json_new_str(a, "user"));
	json_set(a, msg, "content", json_new_str(a, "Reply with OK."));
	json_push(list, msg);
	return list;
}

/* false: it was cut short. */
static CH_FIBER bool run_until(struct job *j, int64_t timeout_ms)
{
	struct fiber *f = fiber_spawn(fiber_loop(), "probe", FIBER_JOINABLE, run, j);
	bool is_in_time = fiber_join(f, fiber_deadline(timeout_ms)) == CH_OK;

	if (is_in_time)
		return true;
	/* j is on our stack: we do not leave before the fiber has. */
	fiber_cancel(f);
	fiber_mask(1);
	while (fiber_join(f, fiber_deadline(UNWIND_MS)) != CH_OK) {
	}
	fiber_mask(-1);
	return false;
}

CH_FIBER void model_probe(struct models *m, const struct probe *p, struct probe_result *ret)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct job j = {
		.m = m,
		.call = { .ref = p->ref, .system_stable = "You answer with one word.", .messages = question(a),
			  .max_tokens = PROBE_TOKENS, .thinking = THINK_OFF, .reason = MODEL_FOR_PROBE, .agent_id = p->agent_id,
			  .auth_profile = p->auth_profile, .trial_key = p->trial_key },
		.err = { .text = "" },
	};
	int64_t began_ms = now_mono_ms();
	bool is_in_time = run_until(&j, p->timeout_ms);

	*ret = (struct probe_result){ .status = PROBE_OK, .latency_ms = now_mono_ms() - began_ms };
	if (is_in_time && !j.st)
		return;
	ret->status = is_in_time ? status_of(j.result.error_class) : PROBE_TIMEOUT;
	if (is_in_time)
		FIELD_SET(ret->error, j.err.text);
	else
		snprintf(ret->error, sizeof(ret->error), "%s: no answer within %lld ms", p->ref, (long long)p->timeout_ms);
}

const char *model_probe_ref(struct models *m, const char *agent_id, const char *provider, struct arena *a)
{
	const struct model_endpoint *endpoint = model_endpoint_find(provider);
	const struct model_entry *e;
	struct model_entry chosen;

	if (!model_resolve(m, NULL, agent_id, a, &chosen, NULL, NULL) && str_ieq(chosen.provider, provider))
		return chosen.ref;
	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		if (str_ieq(e->provider, provider) && e->configured)
			return arena_strdup(a, e->ref);
	}
	if (endpoint && endpoint->default_model)
		return arena_printf(a, "%s/%s", endpoint->id, endpoint->default_model);
	for (size_t i = 0; (e = catalog_at(m, i)); i++) {
		if (str_ieq(e->provider, provider))
			return arena_strdup(a, e->ref);
	}
	return NULL;
}
