/*
 * The scripted model: each request plays the next list of steps.
 */
#ifndef TEST_FX_MODEL_H
#define TEST_FX_MODEL_H

#include "fx_types.h"

static inline ch_status fx_resolve(void *arg, const char *wanted, const char *agent_id, struct arena *a,
				   struct model_entry *ret, const char **ret_source, struct ch_err *err)
{
	const struct fixture *f = arg;

	if (wanted && !str_eq(wanted, "mock/mock-1") && !str_eq(wanted, "mock/mock-2"))
		return ch_fail(err, CH_E_NOT_FOUND, "there is no model '%s'", wanted);
	*ret = (struct model_entry){ .provider = "mock", .id = wanted ? wanted + 5 : "mock-1", .name = "Mock",
				     .api = "openai-completions", .ref = wanted ? arena_strdup(a, wanted) : "mock/mock-1",
				     .context_window = f->window ? f->window : 200000, .max_tokens = 8000 };
	*ret_source = wanted ? "session" : "config";
	return CH_OK;
}

static inline bool fx_tell(model_event_fn fn, void *arg, enum model_event_kind kind, const char *text)
{
	struct model_event ev = { .kind = kind, .text = text, .len = text ? strlen(text) : 0 };

	return fn(arg, &ev);
}

static inline bool fx_tool(model_event_fn fn, void *arg, const struct step *s)
{
	struct model_event ev = { .kind = MODEL_EV_TOOL_END, .id = s->a, .name = s->b, .text = s->c, .len = strlen(s->c) };

	return fn(arg, &ev);
}

static inline bool fx_retry(model_event_fn fn, void *arg, const struct step *s)
{
	struct model_event ev = { .kind = MODEL_EV_RETRY, .text = s->a, .len = strlen(s->a), .attempt = (int)s->m,
				  .max_attempts = (int)s->k, .delay_ms = s->n, .error_class = "timeout" };

	return fn(arg, &ev);
}

static inline ch_status fx_wait(struct fixture *f)
{
	int mine = ++f->waits_reached;

	fiber_cond_broadcast(&f->reached);
	while (f->waits_open < mine) {
		ch_status st = fiber_cond_wait(&f->gate, fiber_deadline(WAIT_MS));

		if (st)
			return st;
	}
	return CH_OK;
}

static inline ch_status fx_step(struct fixture *f, const struct step *s, model_event_fn fn, void *arg,
				struct model_result *ret, struct ch_err *err)
{
	bool go_on = true;

	switch (s->kind) {
	case ST_TEXT:
		go_on = fx_tell(fn, arg, MODEL_EV_TEXT, s->a);
		break;
	case ST_THINK:
		go_on = fx_tell(fn, arg, MODEL_EV_THINKING, s->a);
		break;
	case ST_SIGN:
		go_on = fx_tell(fn, arg, MODEL_EV_SIGNATURE, s->a);
		break;
	case ST_TOOL:
		ret->stop = MODEL_STOP_TOOLS;
		go_on = fx_tool(fn, arg, s);
		break;
	case ST_RETRY:
		go_on = fx_retry(fn, arg, s);
		break;
	case ST_WAIT:
		return fx_wait(f) ? ch_fail(err, CH_E_CANCELED, "canceled") : CH_OK;
	case ST_FAIL:
		ret->error_class = (enum model_error_class)s->n;
		return ch_fail(err, CH_E_PEER, "%s", s->a);
	case ST_USAGE:
		ret->usage = (struct model_usage){ .input = s->n, .output = s->m };
		ret->has_cost = s->k > 0;
		ret->cost = (struct model_cost){ .total = (double)s->k };
		break;
	case ST_STOP:
		ret->stop = (enum model_stop)s->n;
		break;
	case ST_END:
		break;
	}
	return go_on ? CH_OK : ch_fail(err, CH_E_CANCELED, "stopped");
}

static inline ch_status fx_stream(void *arg, const struct model_call *call, model_event_fn fn, void *fn_arg,
				  struct model_result *ret, struct ch_err *err)
{
	struct fixture *f = arg;
	const struct step *s = f->requests ? f->requests[f->at] : NULL;
	CH_AUTO_BUF struct buf b = { 0 };

	assert_non_null(s);
	f->at++;
	buf_init(&b, 64u << 20);
	json_write(&b, call->messages, 0);
	vec_push(&f->asked, buf_take(&b, NULL));
	vec_push(&f->prompts, ch_strdup(call->system_stable));
	snprintf(f->volatile_prompt, sizeof(f->volatile_prompt), "%s", call->system_volatile ? call->system_volatile : "");
	f->last_reason = call->reason;
	f->tools = call->tool_count;
	snprintf(ret->response_id, sizeof(ret->response_id), "resp-1");
	snprintf(ret->response_model, sizeof(ret->response_model), "mock-1");
	for (; s->kind != ST_END; s++) {
		ch_status st = fx_step(f, s, fn, fn_arg, ret, err);

		if (st)
			return st;
	}
	return CH_OK;
}

#endif
