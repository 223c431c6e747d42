/*
 * agent/dispatch_loop.c - see dispatch_loop.h.
 */
#include "agent/dispatch_loop.h"

#include "agent/home.h"
#include "core/hash.h"
#include "core/str.h"

#define LOOP_SAME 10
#define LOOP_PAIRS 6

static uint64_t hash_call(const struct run_call *call)
{
	uint64_t both[2] = { hash_bytes(call->name, strlen(call->name)), hash_bytes(call->args_text, strlen(call->args_text)) };

	return hash_bytes(both, sizeof(both));
}

/* The i-th from the newest; there are r->loop.len of them. */
static const struct run_step *step(const struct run *r, size_t i)
{
	return &r->loop.at[(r->loop.next + LOOP_WINDOW - 1 - i) % LOOP_WINDOW];
}

/* How often it was made last, without a break and with one result. */
static int streak(const struct run *r, uint64_t call)
{
	size_t n = 0;

	while (n < r->loop.len && step(r, n)->call == call && step(r, n)->result == step(r, 0)->result)
		n++;
	return (int)n;
}

/* How often it gave its newest result within the window. */
static int repeats(const struct run *r, uint64_t call)
{
	const struct run_step *newest = NULL;
	int n = 0;

	for (size_t i = 0; i < r->loop.len; i++) {
		if (step(r, i)->call != call)
			continue;
		if (!newest)
			newest = step(r, i);
		n += step(r, i)->result == newest->result;
	}
	return n;
}

static bool is_same(const struct run_step *a, const struct run_step *b)
{
	return a->call == b->call && a->result == b->result;
}

/* A B A B …, and this is A again. */
static bool takes_turns(const struct run *r, uint64_t call)
{
	size_t n = 2 * LOOP_PAIRS;

	if (r->loop.len < n || step(r, 1)->call != call || step(r, 0)->call == call)
		return false;
	for (size_t i = 2; i < n; i++)
		if (!is_same(step(r, i), step(r, i - 2)))
			return false;
	return true;
}

static bool is_enabled(const struct run *r)
{
	const struct config *c = host_config(r->host);
	char path[AGENT_ID_MAX + 80];

	snprintf(path, sizeof(path), "agents.entries.%s.tools.loopDetection.enabled", r->agent_id);
	return config_bool(c, config_get(c, path) ? path : "tools.loopDetection.enabled", false);
}

static ch_status check_patterns(struct run *r, const struct run_call *call, uint64_t hash, const char **ret_why, struct ch_err *err)
{
	bool is_turning = takes_turns(r, hash);

	if (!is_turning && repeats(r, hash) < LOOP_SAME)
		return CH_OK;
	if (r->loop.told)
		return ch_fail(err, CH_E_LIMIT, "stopped: the model made the same calls again and again without news, '%.80s' the last",
			       call->name);
	*ret_why = is_turning ? "These two calls took turns again and again, and their answers did not change. Do something else, or tell "
				"the user what is in the way."
			      : "This call was made again and again, and its answer did not change. Do something else, or tell the user "
				"what is in the way.";
	return CH_OK;
}

ch_status loop_check(struct run *r, const struct run_call *call, const char **ret_why, struct ch_err *err)
{
	uint64_t hash = hash_call(call);
	int times = streak(r, hash) + 1;

	*ret_why = NULL;
	if (times > RUN_SAME_CALLS_MAX)
		return ch_fail(err, CH_E_LIMIT, "stopped: the model made the same call of '%.80s' %d times in a row", call->name, times);
	if (times == RUN_SAME_CALLS_MAX) {
		*ret_why = arena_printf(r->round, "This same call was made %d times in a row; its answer will not change. Do something "
					"else, or tell the user what is in the way.", times);
		return CH_OK;
	}
	return is_enabled(r) ? check_patterns(r, call, hash, ret_why, err) : CH_OK;
}

void loop_note(struct run *r, const struct run_call *call)
{
	uint64_t hash = hash_call(call), result = call->result_hash;

	/* Being told is no news: the result is the one before. */
	for (size_t i = 0; i < r->loop.len && call->is_told; i++) {
		if (step(r, i)->call != hash)
			continue;
		result = step(r, i)->result;
		break;
	}
	r->loop.told += call->is_told;
	r->loop.at[r->loop.next] = (struct run_step){ hash, result };
	r->loop.next = (r->loop.next + 1) % LOOP_WINDOW;
	r->loop.len = CH_MIN(r->loop.len + 1, LOOP_WINDOW);
}
