/*
 * models/client.c - one request to a model with its retries.
 *
 *	resolve -> budget -> key -> build -> attempt … -> ledger
 *
 * An attempt is model_attempt() (attempt.c). What failed for a reason that
 * passes is tried again: at most RATE_ATTEMPTS times when the provider limits
 * requests, else OTHER_ATTEMPTS times within RETRY_WINDOW_MS. The caller hears
 * of it by MODEL_EV_RETRY before the wait and can say no. When a credential is
 * at fault, the request goes out once more with another one of the provider.
 */
#include "models/attempt.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/map.h"
#include "core/rand.h"
#include "core/str.h"
#include "models/budget.h"
#include "models/dialect.h"
#include "models/models_priv.h"

#define RATE_ATTEMPTS 10
#define OTHER_ATTEMPTS 9
#define RETRY_WINDOW_MS 90000
#define BACKOFF_BASE_MS 1000
#define BACKOFF_MAX_MS 30000
#define RETRY_AFTER_MAX_MS 60000         /* a provider that wants longer has nothing to offer now */
#define ROTATIONS_MAX 1                  /* credentials of one provider to change to in one request */
#define BODY_MAX ((size_t)64 << 20)

struct models *models_new(const struct models_opts *opts)
{
	struct models *m = ch_alloc(sizeof(*m));

	m->opts = *opts;
	return m;
}

void models_free(struct models *m)
{
	if (!m)
		return;
	auth_state_free(m->auth);
	CH_BUG_ON(m->holds);
	map_free(m->unpriced);
	aws_cache_free(m->aws);
	catalog_drop(m);
	vec_done(&m->entries);
	arena_unref(m->found_arena);
	vec_done(&m->found);
	ch_free(m);
}

void models_config_changed(struct models *m)
{
	catalog_drop(m);
}

/* One call on its way: what stays the same over its attempts. */
struct request {
	struct models *m;
	struct model_call call;          /* the caller's, with what is decided here */
	struct model_entry entry;
	struct budget_hold hold;
	struct model_target target;      /* of attempt.h */
	struct relay relay;
	int64_t started_ms;
	int attempts;
	char tried[ROTATIONS_MAX + 1][sizeof((struct auth_lease){ 0 }.profile)];
	const char *skip[ROTATIONS_MAX + 2];     /* those of tried, NULL-ended */
	size_t tried_count;
};

/* -- retries -- */

static int attempts_max(enum model_error_class c)
{
	return c == MODEL_ERR_RATE_LIMIT ? RATE_ATTEMPTS : OTHER_ATTEMPTS;
}

static int64_t backoff_ms(const struct request *rq, int64_t floor_ms)
{
	int64_t base = rq->m->opts.retry_base_ms ? rq->m->opts.retry_base_ms : BACKOFF_BASE_MS;
	int64_t d = BACKOFF_MAX_MS;

	if (rq->attempts <= 15)
		d = CH_MIN(base << (rq->attempts - 1), BACKOFF_MAX_MS);
	/* 80 to 120 %, so that many callers do not come back as one. */
	d = d - d / 5 + (int64_t)rand_below((uint64_t)(2 * d / 5) + 1);
	return CH_MAX(d, floor_ms);
}

/* Is there a point in another attempt, and when? */
static bool plan_retry(const struct request *rq, ch_status st, const struct model_result *r, int64_t *ret_delay_ms)
{
	int64_t waited_ms = now_mono_ms() - rq->started_ms;

	/* CH_E_DENIED is the guard, CH_E_INVALID a URL: neither passes. */
	if (!model_error_is_transient(r->error_class) || (st != CH_E_PEER && st != CH_E_TIMEOUT))
		return false;
	if (rq->attempts >= attempts_max(r->error_class) || r->retry_after_ms > RETRY_AFTER_MAX_MS)
		return false;
	*ret_delay_ms = backoff_ms(rq, r->retry_after_ms);
	return r->error_class == MODEL_ERR_RATE_LIMIT || waited_ms + *ret_delay_ms <= RETRY_WINDOW_MS;
}

/* Tells the caller; CH_OK after the wait, CH_E_BUSY when the caller wants none. */
static CH_FIBER ch_status announce_and_wait(struct request *rq, const struct model_result *r, int64_t delay_ms,
					    const struct ch_err *why)
{
	struct model_event ev = {
		.kind = MODEL_EV_RETRY,
		.text = why->text,
		.len = strlen(why->text),
		.attempt = rq->attempts + 1,
		.max_attempts = attempts_max(r->error_class),
		.delay_ms = delay_ms,
		.error_class = model_error_class_wire(r->error_class),
		.had_output = rq->relay.had_output,
	};

	log_debug("models", "%s: attempt %d failed (%s), next in %lld ms", rq->entry.ref, rq->attempts,
		  model_error_class_name(r->error_class), (long long)delay_ms);
	if (!rq->relay.fn(rq->relay.arg, &ev))
		return CH_E_BUSY;
	return fiber_sleep(delay_ms);
}

/* -- the result -- */

static void result_begin(const struct request *rq, struct model_result *ret)
{
	*ret = (struct model_result){ .first_byte_ms = -1, .attempts = rq->attempts };
	FIELD_SET(ret->provider, rq->entry.provider);
	FIELD_SET(ret->model, rq->entry.id);
	FIELD_SET(ret->api, rq->entry.api);
}

static void result_end(const struct request *rq, ch_status st, int64_t began_ms, struct model_result *ret)
{
	ret->has_cost = cost_of(&rq->entry, &ret->usage, &ret->cost);
	ret->total_ms = now_mono_ms() - began_ms;
	if (rq->relay.first_ms)
		ret->first_byte_ms = rq->relay.first_ms - began_ms;
	if (!rq->target.was_sent)
		return;
	ledger_add(rq->m->opts.db, &(struct ledger_row){
					   .call = &rq->call,
					   .result = ret,
					   .auth_profile = rq->target.lease.profile,
					   .outcome = !st                  ? "ok"
						      : st == CH_E_CANCELED ? "canceled"
									    : model_error_class_name(ret->error_class),
					   .attempt = rq->attempts,
				   });
}

static CH_FIBER ch_status attempt_once(struct request *rq, struct model_result *ret, struct ch_err *err)
{
	int64_t began_ms = now_mono_ms();
	ch_status st;

	rq->attempts++;
	rq->relay.had_output = false;
	rq->relay.first_ms = 0;
	rq->target.was_sent = false;
	result_begin(rq, ret);
	st = model_attempt(&rq->target, &rq->relay, ret, err);
	result_end(rq, st, began_ms, ret);
	return st;
}

/*
 * The provider's answer in the words of whoever has to act on it. `why` is
 * what happened, without names.
 */
static ch_status explain(const struct request *rq, ch_status st, const struct model_result *r, const char *why,
			 struct ch_err *err)
{
	const char *ref = rq->entry.ref;
	char hint[160];

	key_hint(rq->entry.provider, hint, sizeof(hint));
	switch (r->error_class) {
	case MODEL_ERR_AUTH: return ch_fail(err, st, "%s: the key was refused (%s). Check %s.", ref, why, hint);
	case MODEL_ERR_BILLING:
		return ch_fail(err, st, "%s: the account has no credit left (%s). Choose another model or top it up.", ref, why);
	case MODEL_ERR_NOT_FOUND:
		return ch_fail(err, st, "%s: the provider does not know this model (%s). Choose one of `chela models list`.", ref,
			       why);
	case MODEL_ERR_CONTEXT:
		return ch_fail(err, st, "%s: the conversation is longer than the model takes (%s). /new begins a fresh one.", ref,
			       why);
	case MODEL_ERR_RATE_LIMIT:
		return ch_fail(err, st, "%s: the provider limits requests (%s). Wait, or choose another model.", ref, why);
	case MODEL_ERR_OVERLOADED: return ch_fail(err, st, "%s: the provider is overloaded (%s). Try again later.", ref, why);
	case MODEL_ERR_NETWORK: return ch_fail(err, st, "%s: no connection (%s).", ref, why);
	case MODEL_ERR_CUT: return ch_fail(err, st, "%s: the reply was cut off (%s).", ref, why);
	default: return ch_fail(err, st, "%s: %s", ref, why);
	}
}

static ch_status give_up(const struct request *rq, ch_status st, const struct model_result *r, const char *why,
			 struct ch_err *err)
{
	st = explain(rq, st, r, why, err);
	if (err)
		err->retry_after_ms = (int)CH_MIN(r->retry_after_ms, INT32_MAX);
	return st;
}

/* How the request went, for the one that it went out with. */
static void report(struct request *rq, ch_status st, const struct model_result *r)
{
	if (!st)
		auth_report(rq->m, &rq->target.lease, rq->entry.id, MODEL_ERR_NONE, 0);
	else if (st != CH_E_CANCELED && r->error_class)
		auth_report(rq->m, &rq->target.lease, rq->entry.id, r->error_class, r->retry_after_ms);
}

static CH_FIBER ch_status run_attempts(struct request *rq, struct model_result *ret, struct ch_err *err)
{
	for (;;) {
		struct ch_err why = { .text = "" };
		ch_status st = attempt_once(rq, ret, &why), waited;
		int64_t delay_ms = 0;

		if (!st)
			return CH_OK;
		if (st == CH_E_CANCELED)
			return ch_fail(err, st, "%s: cancelled", rq->entry.ref);
		if (!plan_retry(rq, st, ret, &delay_ms))
			return give_up(rq, st, ret, why.text, err);
		waited = announce_and_wait(rq, ret, delay_ms, &why);
		if (waited == CH_E_BUSY)
			return give_up(rq, st, ret, why.text, err);
		if (waited)
			return ch_fail(err, waited, "%s: cancelled", rq->entry.ref);
		/* What was tried may have cost something, and others spend too. */
		if (budget_take(rq->m, &rq->call, &rq->entry, &rq->hold, err)) {
			ret->error_class = MODEL_ERR_NONE;
			return CH_E_LIMIT;
		}
	}
}

/* The request with one credential. */
static CH_FIBER ch_status run_credential(struct request *rq, const struct dialect *d, struct arena *a,
					 struct model_result *ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { .max_bytes = BODY_MAX };
	ch_status st;

	result_begin(rq, ret);
	st = model_target_init(&rq->target, rq->m, a, &rq->call, &rq->entry, d, &body, err);
	if (st == CH_E_NOT_FOUND || st == CH_E_DENIED)
		ret->error_class = MODEL_ERR_AUTH;
	else if (st == CH_E_BUSY)
		ret->error_class = MODEL_ERR_RATE_LIMIT;
	else if (st == CH_E_PEER || st == CH_E_TIMEOUT)
		ret->error_class = MODEL_ERR_SERVER;     /* of the sign-in, which could not be renewed just now */
	if (!st) {
		st = run_attempts(rq, ret, err);
		report(rq, st, ret);
	}
	snprintf(rq->tried[rq->tried_count], sizeof(rq->tried[0]), "%s", rq->target.lease.profile);
	model_target_done(&rq->target);
	return st;
}

static bool is_of_credential(enum model_error_class c)
{
	return c == MODEL_ERR_RATE_LIMIT || c == MODEL_ERR_OVERLOADED || c == MODEL_ERR_AUTH || c == MODEL_ERR_BILLING;
}

/* Is there another credential for it, and may it be used? */
static bool rotate(struct request *rq, const struct model_result *r, const struct ch_err *why)
{
	const char *last = rq->tried[rq->tried_count];
	const struct auth_want want = {
		.provider = rq->entry.provider, .model = rq->entry.id, .agent_id = rq->call.agent_id,
		.session_key = rq->call.session_key, .skip = rq->skip,
	};
	struct model_event ev = {
		.kind = MODEL_EV_RETRY, .text = why->text, .len = strlen(why->text),
		.attempt = rq->attempts + 1, .max_attempts = CH_MAX(attempts_max(r->error_class), rq->attempts + 1),
		.error_class = model_error_class_wire(r->error_class), .had_output = rq->relay.had_output,
	};

	if (!is_of_credential(r->error_class) || rq->call.auth_profile || str_empty(last) ||
	    rq->tried_count == ROTATIONS_MAX)
		return false;
	rq->skip[rq->tried_count++] = last;
	rq->call.auth_skip = rq->skip;
	if (!auth_has_usable(rq->m, &want) || budget_take(rq->m, &rq->call, &rq->entry, &rq->hold, NULL))
		return false;
	log_info("models", "%s: %s failed (%s), the request goes out once more with another credential", rq->entry.ref, last,
		 model_error_class_name(r->error_class));
	return rq->relay.fn(rq->relay.arg, &ev);
}

static CH_FIBER ch_status run_request(struct request *rq, const struct dialect *d, struct arena *a,
				      struct model_result *ret, struct ch_err *err)
{
	for (;;) {
		struct ch_err why = { .text = "" };
		ch_status st = run_credential(rq, d, a, ret, &why);

		if (!st)
			return CH_OK;
		if (!rotate(rq, ret, &why)) {
			if (err)
				*err = why;
			return st;
		}
	}
}

static CH_FIBER ch_status run_offline(struct request *rq, const struct dialect *d, struct model_result *ret,
				      struct ch_err *err)
{
	int64_t began_ms = now_mono_ms();
	ch_status st;

	rq->attempts = 1;
	rq->target.was_sent = true;
	result_begin(rq, ret);
	st = d->run(&rq->call, relay_event, &rq->relay, ret, err);
	result_end(rq, st, began_ms, ret);
	return st == CH_E_CANCELED ? ch_fail(err, st, "%s: cancelled", rq->entry.ref) : st;
}

/* Within the budgets? The answer may have to be a short one. */
static ch_status keep_within(struct request *rq, struct ch_err *err)
{
	ch_status st = budget_take(rq->m, &rq->call, &rq->entry, &rq->hold, err);

	if (!st && rq->hold.max_tokens) {
		log_info("models", "%s: the budget leaves %lld tokens of output", rq->entry.ref, (long long)rq->hold.max_tokens);
		rq->call.max_tokens = rq->hold.max_tokens;
	}
	return st;
}

CH_FIBER ch_status model_stream(struct models *m, const struct model_call *call, model_event_fn fn, void *arg,
				struct model_result *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct request rq = { .m = m, .call = *call, .relay = { .fn = fn, .arg = arg }, .started_ms = now_mono_ms() };
	const struct dialect *d;
	ch_status st;

	result_begin(&rq, ret);
	st = str_empty(call->ref) ? model_resolve(m, NULL, call->agent_id, a, &rq.entry, NULL, err)
				  : resolve_name(m, call->ref, a, &rq.entry, err);
	if (st)
		return st;
	if (!rq.call.auth_profile)
		rq.call.auth_profile = rq.entry.auth_profile;
	d = dialect_find(rq.entry.api);
	if (!d)
		return ch_fail(err, CH_E_UNSUPPORTED, "%s: the API '%s' is not spoken by this version", rq.entry.ref,
			       rq.entry.api);
	result_begin(&rq, ret);
	st = keep_within(&rq, err);
	if (st)
		return st;
	st = d->run ? run_offline(&rq, d, ret, err) : run_request(&rq, d, a, ret, err);
	budget_release(&rq.hold);
	return st;
}
