/* Which model answers: moving on to the next one, resting ones passed over, and what clients are told. */
#include "agent_fixture.h"

#include <string.h>

#include "models/route.h"

#define TEXT(s) { ST_TEXT, s }
#define DONE { ST_USAGE, .n = 100, .m = 10 }, { ST_END }
#define FAIL(text, class) { ST_FAIL, text, .n = class }, { ST_END }

/* What the double of models/ knows: set by each test, which is a process of its own in spirit. */
static struct {
	const char *chain;               /* ids, "abc": mock/a, mock/b, mock/c */
	int64_t rests_until[3];          /* wall ms */
	char asked[64];                  /* ids in order */
	struct buf trace;
} world;

static ch_status route(void *arg, const struct model_route_want *want, struct arena *a, struct model_route *ret,
		       struct ch_err *err)
{
	const char *ids = want->wanted ? strchr(want->wanted, '/') + 1 : world.chain;
	size_t n = want->wanted ? 1 : strlen(ids);
	struct model_entry *at = arena_alloc(a, n * sizeof(*at));

	for (size_t i = 0; i < n; i++)
		at[i] = (struct model_entry){
			.provider = "mock", .id = arena_strndup(a, ids + i, 1), .name = "Mock", .api = "openai-completions",
			.ref = arena_printf(a, "mock/%c", ids[i]), .context_window = 200000, .max_tokens = 8000,
		};
	*ret = (struct model_route){ .at = at, .len = n, .source = "config", .is_strict = want->wanted != NULL };
	return CH_OK;
}

static ch_status resolve(void *arg, const char *wanted, const char *agent_id, struct arena *a, struct model_entry *ret,
			 const char **ret_source, struct ch_err *err)
{
	const struct model_route_want want = { .wanted = wanted, .agent_id = agent_id };
	struct model_route chain;
	ch_status st = route(arg, &want, a, &chain, err);

	if (!st) {
		*ret = chain.at[0];
		*ret_source = wanted ? "session" : "config";
	}
	return st;
}

static void state(void *arg, const char *agent_id, const struct model_entry *e, struct model_state *ret)
{
	int64_t until = world.rests_until[e->id[0] - 'a'];

	*ret = (struct model_state){ .standing = until > now_wall_ms() ? MODEL_RESTS : MODEL_READY, .until = until,
				     .reason = "rate_limit" };
}

static ch_status stream(void *arg, const struct model_call *call, model_event_fn fn, void *fn_arg,
			struct model_result *ret, struct ch_err *err)
{
	size_t n = strlen(world.asked);
	ch_status st;

	world.asked[n] = call->ref[5];
	snprintf(ret->provider, sizeof(ret->provider), "mock");
	snprintf(ret->model, sizeof(ret->model), "%s", call->ref + 5);
	st = fx_stream(arg, call, fn, fn_arg, ret, err);
	if (st && ret->error_class == MODEL_ERR_AUTH)
		world.rests_until[call->ref[5] - 'a'] = now_wall_ms() + 30000;
	return st;
}

/* "agent:lifecycle.start chat:delta …" */
static void trace(struct fixture *f, const struct run_event *ev)
{
	static const char *const states[] = { "status", "delta", "final", "error", "aborted" };
	struct json *data;

	if (ev->kind == RUN_EV_CHAT && ev->state != CHAT_STATUS) {
		buf_printf(&world.trace, "chat:%s\n", states[ev->state]);
	} else if (ev->kind == RUN_EV_AGENT) {
		data = fx_parse(f, arena_strndup(f->arena, ev->data, ev->data_len));
		buf_printf(&world.trace, "%s%s%s%s%s\n", ev->stream, json_get(data, "phase") ? "." : "",
			   json_str_or(json_get(data, "phase"), ""),
			   json_get(data, "fallbackStepFinalOutcome") ? " " : "",
			   json_str_or(json_get(data, "fallbackStepFinalOutcome"),
				       json_get(data, "model") ? (json_get_str(data, "model") ? " <model>" : " <none>") : ""));
	}
}

static void expect_trace(const char *expected)
{
	if (strcmp(buf_str(&world.trace), expected) != 0)
		fail_msg("told:\n%s\nexpected:\n%s", buf_str(&world.trace), expected);
	buf_clear(&world.trace);
}

static void play(struct fixture *f, const char *chain, const struct step *const *script, void (*body)(struct fixture *f))
{
	struct agent_model_ops ops = { f, resolve, stream, route, state };
	struct agent_host_opts opts = {
		.loop = f->loop, .sessions = f->sessions, .model_ops = &ops, .config = fx_config, .config_arg = f,
		.state_dir = f->base, .ops = { fx_on_event, f },
	};

	memset(&world, 0, sizeof(world));
	buf_init(&world.trace, 1 << 16);
	world.chain = chain;
	agent_host_free(f->host);
	f->host = agent_host_new(&opts);
	f->on_event = trace;
	fx_run(f, script, body);
	buf_done(&world.trace);
}

static enum input_state turn(struct fixture *f, const char *run)
{
	fx_send(f, run, "hi");
	return fx_wait_run(f, run).state;
}

static void expect_session(struct fixture *f, const char *model, const char *active)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	assert_string_equal(s->model, model);
	if (active)
		assert_string_equal(s->active_model, active);
	else
		assert_null(s->active_model);
}

#define PREPARING "run_status.preparing_workspace\nrun_status.preparing_context\n"
#define STARTING "lifecycle.start\nrun_status.starting_model\n"

static const struct step hello[] = { TEXT("hello"), DONE };
static const struct step auth[] = { FAIL("401", MODEL_ERR_AUTH) };
static const struct step billing[] = { FAIL("402", MODEL_ERR_BILLING) };

/* -- the next one answers; a resting one is passed over; the first is back when it is rested -- */

static void moves_body(struct fixture *f)
{
	assert_int_equal(turn(f, "r1"), INPUT_DONE);
	assert_string_equal(world.asked, "ab");
	expect_trace(PREPARING STARTING
		     "lifecycle.model <model>\nlifecycle.finishing\nlifecycle.model <none>\n"
		     "lifecycle.fallback_step next_fallback\nassistant\n" PREPARING STARTING
		     "lifecycle.model <model>\nassistant\nchat:delta\nusage\nlifecycle.finishing\nlifecycle.model <none>\n"
		     "lifecycle.fallback_step succeeded\nlifecycle.end\nchat:final\nlifecycle.fallback\nchat:final\n");
	expect_session(f, "a", "b");
	/* 10 s later the first still rests: no request, no second notice. */
	clock_fake(1010000, 1795332748000);
	assert_int_equal(turn(f, "r2"), INPUT_DONE);
	assert_string_equal(world.asked, "abb");
	expect_trace(PREPARING "lifecycle.model <none>\nlifecycle.fallback_step next_fallback\n" PREPARING STARTING
			       "lifecycle.model <model>\nassistant\nchat:delta\nusage\nlifecycle.finishing\nlifecycle.model <none>\n"
			       "lifecycle.fallback_step succeeded\nlifecycle.end\nchat:final\n");
	/* Rested: the turn begins with it again, and says so once. */
	clock_fake(1040000, 1795332778001);
	assert_int_equal(turn(f, "r3"), INPUT_DONE);
	assert_string_equal(world.asked, "abba");
	expect_trace(PREPARING STARTING
		     "lifecycle.model <model>\nassistant\nchat:delta\nusage\nlifecycle.finishing\nlifecycle.model <none>\n"
		     "lifecycle.end\nchat:final\nlifecycle.fallback_cleared\nchat:final\n");
	expect_session(f, "a", NULL);
	assert_int_equal(turn(f, "r4"), INPUT_DONE);
	assert_null(strstr(buf_str(&world.trace), "fallback"));
	assert_string_equal(fx_roles(f), "user assistant user assistant user assistant user assistant");
}

static void moves_and_comes_back(void **state)
{
	static const struct step *const script[] = { auth, hello, hello, hello, hello, NULL };

	play(*state, "abc", script, moves_body);
}

/* A fresh conversation knows nothing of who answered in the old one. */
static void new_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	assert_int_equal(turn(f, "r1"), INPUT_DONE);
	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	assert_non_null(s->fallback);
	assert_string_equal(s->active_model, "b");
	fx_send(f, "r2", "/new");
	fx_wait_run(f, "r2");
	assert_null(s->fallback);
	assert_null(s->active_model);
}

static void a_new_conversation_forgets(void **state)
{
	static const struct step *const script[] = { auth, hello, NULL };

	play(*state, "ab", script, new_body);
}

/* -- nobody is left -- */

static void exhausted_body(struct fixture *f)
{
	assert_int_equal(turn(f, "r1"), INPUT_FAILED);
	assert_string_equal(world.asked, "abc");
	expect_trace(PREPARING STARTING
		     "lifecycle.model <model>\nlifecycle.finishing\nlifecycle.model <none>\n"
		     "lifecycle.fallback_step next_fallback\nassistant\n" PREPARING STARTING
		     "lifecycle.model <model>\nlifecycle.finishing\nlifecycle.model <none>\n"
		     "lifecycle.fallback_step next_fallback\nassistant\n" PREPARING STARTING
		     "lifecycle.model <model>\nlifecycle.finishing\nlifecycle.model <none>\n"
		     "lifecycle.fallback_step chain_exhausted\nlifecycle.error\nchat:error\nchat:error\n");
	assert_non_null(strstr(fx_text(f, 1), "All 3 models failed: mock/a (auth), mock/b (billing), mock/c (auth)"));
	/* One terminal error in the transcript, not one per model. */
	assert_string_equal(fx_roles(f), "user assistant");
	/* a and c rest, b failed for good: of the next turn only b is asked. */
	assert_int_equal(turn(f, "r2"), INPUT_FAILED);
	assert_string_equal(world.asked, "abcb");
}

static void the_chain_ends(void **state)
{
	static const struct step *const script[] = { auth, billing, auth, billing, NULL };

	play(*state, "abc", script, exhausted_body);
}

static void all_rest_body(struct fixture *f)
{
	world.rests_until[0] = world.rests_until[1] = now_wall_ms() + 20000;
	assert_int_equal(turn(f, "r1"), INPUT_FAILED);
	assert_string_equal(world.asked, "");
	expect_trace(PREPARING "lifecycle.model <none>\nlifecycle.fallback_step next_fallback\n" PREPARING
			       "lifecycle.model <none>\nlifecycle.fallback_step chain_exhausted\nlifecycle.error\n"
			       "chat:error\nchat:error\n");
	assert_non_null(strstr(fx_text(f, 1), "rest until"));
	clock_fake(1021000, 1795332759000);
	assert_int_equal(turn(f, "r2"), INPUT_DONE);
	assert_string_equal(world.asked, "a");
}

static void all_rest(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	play(*state, "ab", script, all_rest_body);
}

static void last_rests_body(struct fixture *f)
{
	world.rests_until[1] = now_wall_ms() + 20000;
	assert_int_equal(turn(f, "r1"), INPUT_FAILED);
	assert_string_equal(world.asked, "a");
	assert_non_null(strstr(buf_str(&world.trace), "fallback_step next_fallback\nassistant\n" PREPARING "lifecycle.model <none>\n"
						      "lifecycle.fallback_step chain_exhausted\nlifecycle.error\n"));
}

static void the_last_one_rests(void **state)
{
	static const struct step *const script[] = { billing, NULL };

	play(*state, "ab", script, last_rests_body);
}

/* -- what does not move -- */

static void strict_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "hi", .model = "mock/b", .client_id = "c",
				.sender_is_owner = true };

	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_OK);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_FAILED);
	assert_string_equal(world.asked, "b");
	assert_string_equal(fx_text(f, 1), "401");
}

static void a_choice_is_strict(void **state)
{
	static const struct step *const script[] = { auth, NULL };

	play(*state, "abc", script, strict_body);
}

static void stays_body(struct fixture *f)
{
	assert_int_equal(turn(f, "r1"), INPUT_FAILED);
	assert_int_equal(turn(f, "r2"), INPUT_FAILED);
	assert_string_equal(world.asked, "aa");
}

static void format_and_refusal_stay(void **state)
{
	static const struct step format[] = { FAIL("400", MODEL_ERR_FORMAT) };
	static const struct step refusal[] = { FAIL("no", MODEL_ERR_REFUSAL) };
	static const struct step *const script[] = { format, refusal, NULL };

	play(*state, "abc", script, stays_body);
}

/* -- in the middle -- */

static void cut_body(struct fixture *f)
{
	assert_int_equal(turn(f, "r1"), INPUT_DONE);
	/* The tool ran once; its result went to the next model, the half reply did not. */
	assert_string_equal(world.asked, "aab");
	assert_string_equal(fx_roles(f), "user assistant toolResult assistant");
	assert_string_equal(fx_text(f, 3), "hello");
	assert_non_null(strstr(f->asked.at[2], "\"toolCallId\":\"c1\""));
	assert_null(strstr(f->asked.at[2], "half"));
	assert_int_equal(world.trace.len ? 1 : 0, 1);
	assert_non_null(strstr(buf_str(&world.trace), "chat:delta\nlifecycle.finishing"));
}

static void a_cut_reply_repeats_no_tool(void **state)
{
	static const struct step call[] = { { ST_TOOL, "c1", "session_status", "{}" }, DONE };
	static const struct step cut[] = { TEXT("half of it"), { ST_TOOL, "c2", "session_status", "{}" }, FAIL("cut", MODEL_ERR_CUT) };
	static const struct step *const script[] = { call, cut, hello, NULL };

	play(*state, "ab", script, cut_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(moves_and_comes_back), FX_TEST(a_new_conversation_forgets), FX_TEST(the_chain_ends), FX_TEST(all_rest),
		FX_TEST(the_last_one_rests),
		FX_TEST(a_choice_is_strict), FX_TEST(format_and_refusal_stay), FX_TEST(a_cut_reply_repeats_no_tool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
