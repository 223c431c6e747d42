/* models/budget: limits that are set, what is spent of them, and that nothing goes out beyond them. */
#include "models_fixture.h"

#include "core/clock.h"
#include "models/budget.h"
#include "models/models_priv.h"

#define NOW 1795351200000                /* 2026-11-22 12:40 UTC */
#define KEY "agent:main:main"

static struct config *snapshot;

static struct config *current(void *arg)
{
	return snapshot;
}

struct bench { struct db *db; struct models *m; struct arena *arena; struct ch_err err; };

static void configure(const char *budgets)
{
	CH_AUTO_STR char *text = ch_asprintf(
		"{%s, models: {providers: {acme: {baseUrl: 'http://127.0.0.1:9/v1', models: ["
		"{id: 'm', maxTokens: 100000, cost: {input: 10, output: 20, cacheWrite: 15}}, {id: 'free', cost: {input: 0, output: 0}},"
		" {id: 'unpriced'}]}}}}", budgets);
	struct ch_err err = { .text = "" };

	config_unref(CH_TAKE(snapshot));
	if (config_parse(text, strlen(text), NULL, &snapshot, &err))
		fail_msg("%s", err.text);
}

static void start(struct bench *b)
{
	struct models_opts opts = { .config = current };

	clock_fake(1000, NOW);
	*b = (struct bench){ .arena = arena_new(0) };
	assert_int_equal(db_open(":memory:", DB_CREATE, &b->db, NULL), CH_OK);
	opts.db = b->db;
	b->m = models_new(&opts);
}

static void stop(struct bench *b)
{
	models_free(b->m);
	db_close(b->db);
	arena_unref(b->arena);
	config_unref(CH_TAKE(snapshot));
	clock_real();
}

/* usd < 0: the price is not known. */
static void spend(struct bench *b, int64_t at, const char *agent, const char *key, const char *run, double usd,
		  int64_t tokens)
{
	struct model_call call = { .agent_id = agent, .session_key = key, .run_id = run };
	struct model_result r = { .usage = { .input = tokens }, .has_cost = usd >= 0, .cost = { .total = usd } };

	clock_fake(1000, at);
	ledger_add(b->db, &(struct ledger_row){ .call = &call, .result = &r, .outcome = "ok", .attempt = 1 });
	clock_fake(1000, NOW);
}

/* A prompt of 1,000 tokens (and 266 for safety), to acme/<id>. */
static ch_status take(struct bench *b, const char *id, const char *agent, struct budget_hold *hold)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *list = json_new_arr(a), *msg = json_new_obj(a);
	char *words = arena_alloc(a, 4001);
	struct model_call call = { .messages = list, .agent_id = agent, .session_key = KEY, .run_id = "r1" };
	struct model_entry e;

	memset(words, 'x', 4000 - 16);
	json_set(a, msg, "role", json_new_str(a, "user"));
	json_set(a, msg, "content", json_new_str(a, words));
	json_push(list, msg);
	assert_int_equal(model_resolve(b->m, arena_printf(a, "acme/%s", id), NULL, a, &e, NULL, NULL), CH_OK);
	b->err = (struct ch_err){ .text = "" };
	return budget_take(b->m, &call, &e, hold, &b->err);
}

static void refused(struct bench *b, const char *id, const char *agent, const char *says)
{
	struct budget_hold hold = { 0 };

	assert_int_equal(take(b, id, agent, &hold), CH_E_LIMIT);
	assert_null(hold.at);
	if (!strstr(b->err.text, says))
		fail_msg("%s", b->err.text);
}

static void taken(struct bench *b, const char *id, const char *agent, int64_t max_tokens)
{
	struct budget_hold hold = { 0 };

	if (take(b, id, agent, &hold))
		fail_msg("%s", b->err.text);
	assert_int_equal(hold.max_tokens, max_tokens);
	budget_release(&hold);
	budget_release(&hold);
	assert_null(b->m->holds);
}

static void test_scopes(void **state)
{
	struct bench b;

	start(&b);
	configure("agents: {entries: {small: {budgets: {perDayUsd: 0.5, perTurnUsd: 0.1}}}},"
		  " budgets: {perTurnUsd: 1, perSessionUsd: 2, perDayUsd: 3}");
	taken(&b, "m", "main", 24524);                   /* $0.98 left of the turn, half of it at $20 a million */
	spend(&b, NOW - 1000, "main", KEY, "r1", 0.99, 10);
	refused(&b, "m", "main", "budgets.perTurnUsd is $1.00, this turn has spent $0.99");
	taken(&b, "free", "main", 0);
	spend(&b, NOW - 2000, "main", KEY, "r0", 1, 10);
	configure("budgets: {perSessionUsd: 2, perDayUsd: 3}");
	refused(&b, "m", "main", "Raise it: chela config set budgets.perSessionUsd 4.00");
	configure("budgets: {perDayUsd: 3}");
	spend(&b, NOW - 40000000, "other", "agent:other:x", "r9", 1, 10);
	refused(&b, "m", "main", "budgets.perDayUsd is $3.00, today has spent $2.99");
	/* What was spent before midnight is of another day. */
	configure("budgets: {perDayUsd: 4}");
	spend(&b, NOW - 46800000, "main", KEY, "r8", 100, 10);
	taken(&b, "m", "main", 24774);
	/* An agent's own limits. */
	configure("agents: {entries: {small: {budgets: {perDayUsd: 0.5, perSessionUsd: 1000}}}}, budgets: {perDayUsd: 4, perSessionUsd: 0.1}");
	taken(&b, "m", "small", 12024);
	spend(&b, NOW, "small", "agent:small:main", "r7", 0.49, 1);
	refused(&b, "m", "small", "agents.entries.small.budgets.perDayUsd is $0.50, this agent today has spent $0.49");
	stop(&b);
}

static void test_tokens(void **state)
{
	struct bench b;

	start(&b);
	configure("budgets: {perSessionTokens: 10000}");
	taken(&b, "m", "main", 8192);
	spend(&b, NOW, "main", KEY, "r0", -1, 7000);
	taken(&b, "unpriced", "main", 1731);
	spend(&b, NOW, "main", KEY, "r0", -1, 1600);
	refused(&b, "m", "main", "this session has used 8600 tokens, this request needs 1525 tokens or more");
	/* /new begins another window: the session starts from nothing again. */
	assert_int_equal(db_exec(b.db, "INSERT INTO sessions (key, agent_id, session_id, updated_at, created_at)"
				 " VALUES ('" KEY "', 'main', 's1', 1, 1);"
				 "INSERT INTO session_windows VALUES ('s1', '" KEY "', 1795351200001, 0, 'new', NULL, NULL)", &b.err), CH_OK);
	taken(&b, "m", "main", 8192);
	stop(&b);
}

static void test_unknown_price(void **state)
{
	const struct budget_line *lines;
	struct bench b;
	size_t n;

	start(&b);
	configure("budgets: {perSessionUsd: 0.01, perDayUsd: 5}");
	spend(&b, NOW, "main", KEY, "r1", -1, 1000000);
	taken(&b, "unpriced", "main", 0);
	refused(&b, "m", "main", "budgets.perSessionUsd is $0.01");
	assert_int_equal(budget_lines(b.m, "main", KEY, NULL, b.arena, &lines, &n, &b.err), CH_OK);
	assert_int_equal(n, 2);
	assert_string_equal(lines[0].path, "budgets.perSessionUsd");
	assert_int_equal(lines[0].unpriced, 1);
	assert_true(lines[0].is_usd && lines[0].spent < 0.001);
	assert_string_equal(lines[1].of, "today");
	stop(&b);
}

static void test_several_at_once(void **state)
{
	struct budget_hold one = { 0 }, two = { 0 }, three = { 0 };
	struct bench b;

	start(&b);
	configure("budgets: {perDayUsd: 0.5}");
	assert_int_equal(take(&b, "m", "main", &one), CH_OK);
	assert_int_equal(one.max_tokens, 12024);
	assert_int_equal(take(&b, "m", "main", &two), CH_OK);
	assert_int_equal(two.max_tokens, 8192);
	assert_int_equal(take(&b, "m", "main", &three), CH_OK);
	assert_true(one.usd + two.usd + three.usd <= 0.5);
	refused(&b, "m", "main", "budgets.perDayUsd");
	/* The same request once more still fits; from the middle of the list. */
	assert_int_equal(take(&b, "m", "main", &two), CH_E_LIMIT);       /* but it had been cut to 8192, this asks for all */
	budget_release(&one);
	budget_release(&three);
	assert_null(b.m->holds);
	taken(&b, "m", "main", 12024);
	stop(&b);
}

static void test_nothing_set(void **state)
{
	struct bench b;

	start(&b);
	configure("logging: {}");
	spend(&b, NOW, "main", KEY, "r1", 1000, 1000000);
	taken(&b, "m", "main", 0);
	configure("budgets: {perDayUsd: 0}");
	refused(&b, "m", "main", "budgets.perDayUsd is $0.00");
	taken(&b, "free", "main", 0);
	stop(&b);
}

static void test_prompts(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char text[] = "[{role:'user',content:[{type:'text',text:'1234'},{type:'image',mimeType:'image/png',data:'"
				   "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'}]}]";
	const struct model_tool tool = { "t", "d", "{}" };
	struct model_call call = { 0 };
	struct json *v;
	int64_t plain;

	assert_int_equal(json_parse(a, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	call.messages = v;
	plain = budget_prompt_tokens(&call);
	assert_in_range(plain, 3000, 4000);              /* the picture, not its letters */
	call.system_stable = "12345678";
	call.tools = &tool;
	call.tool_count = 1;
	assert_in_range(budget_prompt_tokens(&call), plain + 5, plain + 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scopes),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_unknown_price),
		cmocka_unit_test(test_several_at_once),
		cmocka_unit_test(test_nothing_set),
		cmocka_unit_test(test_prompts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
