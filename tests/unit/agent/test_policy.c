/*
 * Which tools a turn has: each layer, its reason, and that no layer ever gives a tool that another took.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "agent/policy.h"
#include "core/mem.h"
#include "core/str.h"

#define NAMES_MAX 64

static CH_FIBER ch_status run_none(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	return CH_OK;
}

static bool needs_a_key(const struct tool_host *host, const char *agent_id, struct arena *a, const char **ret_why)
{
	*ret_why = "it has no key: set tools.web.search";
	return false;
}

#define TOOL(n, g, r, f) { .name = n, .label = n, .description = "", .schema_json = "{}", .group = g, .risk = r, .flags = f, .run = run_none }

/* The names that the documentation lists, sorted. */
static const struct tool all[] = {
	TOOL("agents_list", "agents", TOOL_READS, 0),
	TOOL("apply_patch", "fs", TOOL_WRITES, 0),
	TOOL("ask_user", "agents", TOOL_READS, 0),
	TOOL("edit", "fs", TOOL_WRITES, 0),
	TOOL("exec", "runtime", TOOL_RUNS, 0),
	TOOL("extra", "extra", TOOL_READS, TOOL_OPTIONAL),
	TOOL("find", "fs", TOOL_READS, 0),
	TOOL("http_ticket", "web", TOOL_SENDS, 0),
	TOOL("owners_own", "extra", TOOL_WRITES, TOOL_OWNER_ONLY),
	TOOL("process", "runtime", TOOL_RUNS, 0),
	TOOL("progress_card", "ui", TOOL_READS, 0),
	TOOL("read", "fs", TOOL_READS, 0),
	TOOL("session_status", "sessions", TOOL_READS, 0),
	TOOL("sessions_send", "sessions", TOOL_SENDS, 0),
	TOOL("sessions_spawn", "sessions", TOOL_RUNS, 0),
	TOOL("subagents", "sessions", TOOL_RUNS, 0),
	TOOL("user_lint", "user", TOOL_RUNS, 0),
	TOOL("view_image", "media", TOOL_READS, 0),
	TOOL("web_fetch", "web", TOOL_READS, TOOL_OUTSIDE),
	{ .name = "web_search", .label = "", .description = "", .schema_json = "{}", .group = "web", .run = run_none,
	  .is_available = needs_a_key },
	TOOL("write", "fs", TOOL_WRITES, 0),
};

static struct tool_set *set_of_all(void)
{
	static struct tool_item items[CH_ARRAY_LEN(all)];
	struct tool_set *s = ch_alloc(sizeof(*s));

	for (size_t i = 0; i < CH_ARRAY_LEN(all); i++)
		items[i] = (struct tool_item){ &all[i], str_starts(all[i].name, "user_") ? "user" :
							str_starts(all[i].name, "http_") ? "http" : NULL };
	*s = (struct tool_set){ .refs = 1, .arena = arena_new(0), .at = items, .len = CH_ARRAY_LEN(all) };
	return s;
}

static struct config *parse(const char *text)
{
	struct config *c = NULL;
	struct ch_err err;

	if (config_parse(text, strlen(text), NULL, &c, &err))
		fail_msg("%s: %s", text, err.text);
	return c;
}

static struct policy *make(const char *config, struct policy_want want)
{
	CH_AUTO(config_unref) struct config *c = parse(config);
	CH_AUTO(tool_set_unref) struct tool_set *set = set_of_all();

	want.config = c;
	want.tools = set;
	if (!want.agent_id)
		want.agent_id = "main";
	if (!want.depth_max)
		want.depth_max = 5;
	return policy_make(&want);
}

static const char *names(const struct policy *p, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < p->tools->len; i++)
		if (policy_tool(p, p->tools->at[i].tool->name))
			n += (size_t)snprintf(out + n, cap - n, "%s%s", n ? " " : "", p->tools->at[i].tool->name);
	return out;
}

#define ALL_BUT_OPTIONAL                                                                                                     \
	"agents_list apply_patch ask_user edit exec find http_ticket owners_own process progress_card read session_status " \
	"sessions_send sessions_spawn subagents user_lint view_image web_fetch web_search write"

struct row {
	const char *config;
	struct policy_want want;
	const char *expected;
};

static void check(const struct row *r)
{
	CH_AUTO(policy_unref) struct policy *p = make(r->config, r->want);
	char out[1024];

	if (!str_eq(names(p, out, sizeof(out)), r->expected))
		fail_msg("%s\n has      %s\n expected %s", r->config, out, r->expected);
}

static void layers_take_away(void **state)
{
	static const struct tool_host host = { 0 };
	static const struct row rows[] = {
		{ "{}", { .is_owner = true }, ALL_BUT_OPTIONAL },
		{ "{tools:{profile:'minimal'}}", { 0 }, "session_status" },
		{ "{tools:{profile:'messaging'}}", { 0 },
		  "ask_user session_status sessions_send sessions_spawn subagents" },
		{ "{tools:{profile:'minimal',alsoAllow:['group:web','extra']}}", { 0 },
		  "extra http_ticket session_status web_fetch web_search" },
		{ "{tools:{profile:'full',allow:['group:fs','bash']}}", { 0 }, "apply_patch edit exec find read write" },
		{ "{tools:{profile:'minimal'},agents:{entries:{main:{tools:{profile:'full',allow:['extra','READ']}}}}}", { 0 },
		  "extra read" },
		{ "{tools:{allow:['*'],deny:['group:plugins','group:openclaw']}}", { 0 },
		  "apply_patch edit exec find process read write" },
		/* Who may write may patch; who may not write may still patch. */
		{ "{tools:{allow:['write']}}", { 0 }, "apply_patch write" },
		{ "{tools:{allow:['write','apply_patch'],deny:['write']}}", { 0 }, "apply_patch" },
		{ "{tools:{allow:[]}}", { 0 }, "" },
		{ "{tools:{allow:['read','exec'],byProvider:{acme:{deny:['exec']},'acme/big':{allow:['exec']}}}}",
		  { .provider = "acme", .model = "small" }, "read" },
		{ "{tools:{allow:['read','exec'],byProvider:{acme:{deny:['exec']},'acme/big':{allow:['exec']}}}}",
		  { .provider = "acme", .model = "big" }, "exec" },
		{ "{tools:{byProvider:{acme:{profile:'minimal',alsoAllow:['read']}}}}", { .provider = "acme", .model = "x" },
		  "read session_status" },
		{ "{tools:{allow:['read','exec'],toolsBySender:{'id:u1':{deny:['exec']},'*':{deny:['*']}}}}",
		  { .channel = "telegram", .sender = "u1" }, "read" },
		{ "{tools:{allow:['read','exec'],toolsBySender:{'channel:telegram:u1':{allow:['exec']},'id:u1':{deny:['*']}}}}",
		  { .channel = "telegram", .sender = "u1" }, "exec" },
		{ "{tools:{allow:['read','exec'],toolsBySender:{'*':{deny:['exec']}}}}", { .channel = "x", .sender = "u9" }, "read" },
		{ "{tools:{allow:['read','exec'],toolsBySender:{'*':{deny:['exec']}}}}", { .is_owner = true }, "exec read" },
		{ "{tools:{allow:['read','exec'],toolsBySender:{'*':{deny:['exec']}}}}", { 0 }, "read" },
		{ "{tools:{sandbox:{tools:{allow:['read','exec']}}}}", { .is_sandboxed = true }, "exec read" },
		{ "{tools:{allow:['read'],sandbox:{tools:{allow:['exec']}}}}", { 0 }, "read" },
		{ "{tools:{allow:['read','write'],sandbox:{tools:{deny:['*']}}},agents:{entries:{main:{tools:{sandbox:{tools:{deny:['write']}}}}}}}",
		  { .is_sandboxed = true }, "apply_patch read" },
		{ "{tools:{allow:['group:sessions','agents_list','progress_card','read']}}", { .depth = 1 },
		  "read sessions_spawn subagents" },
		{ "{tools:{allow:['group:sessions','read']}}", { .depth = 2, .depth_max = 2 }, "read" },
		{ "{tools:{allow:['read','exec'],subagents:{tools:{deny:['exec'],alsoAllow:['web_fetch']}}}}", { .depth = 1 },
		  "read" },
		{ "{}", { .requester_tools = "[\"read\",\"nope\"]", .depth = 1 }, "read" },
		{ "{}", { .requester_tools = "broken", .depth = 1 }, "" },
		{ "{}", { .mode = TOOL_MODE_READ_ONLY, .is_owner = true },
		  "agents_list ask_user find progress_card read session_status view_image web_fetch web_search" },
		{ "{tools:{allow:['owners_own','read']}}", { .is_owner = false }, "read" },
		{ "{tools:{allow:['web_*']}}", { .host = &host }, "web_fetch" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		check(&rows[i]);
}

static void every_refusal_has_a_reason(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(policy_unref) struct policy *p =
		make("{tools:{profile:'coding',deny:['group:web'],sandbox:{tools:{deny:['write']}}},"
		     "agents:{entries:{main:{tools:{allow:['read','edit','write','exec','owners_own']}}}}}",
		     (struct policy_want){ .is_sandboxed = true, .mode = TOOL_MODE_READ_ONLY });
	static const struct { const char *name; enum policy_layer layer; const char *reason; } expected[] = {
		{ "read", POLICY_ALLOWED, NULL },
		{ "extra", POLICY_PROFILE, "it is optional: tools.alsoAllow adds it" },
		{ "agents_list", POLICY_PROFILE, "tools.profile is \"coding\", which does not have it (tools.alsoAllow adds it)" },
		{ "web_fetch", POLICY_GLOBAL, "tools.deny names it (\"group:web\")" },
		{ "process", POLICY_AGENT, "agents.entries.main.tools.allow does not name it" },
		{ "write", POLICY_SANDBOX, "tools.sandbox.tools.deny names it (\"write\")" },
		{ "edit", POLICY_MODE, "the session's permission mode is read-only" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(expected); i++) {
		const struct policy_verdict *v = &p->verdicts[tool_set_index(p->tools, expected[i].name)];

		assert_int_equal(v->layer, expected[i].layer);
		if (expected[i].reason)
			assert_string_equal(v->reason, expected[i].reason);
	}
	assert_string_equal(policy_why_not(p, a, "nope"), "There is no tool 'nope'.");
	assert_string_equal(p->profile, "coding");
}

/* -- monotonic -- */

/* Parts of a configuration that each add one rule. */
static const char *const rules[] = {
	"deny:['exec']", "allow:['group:fs','exec','web_fetch']", "profile:'coding'", "byProvider:{acme:{deny:['edit']}}",
	"byProvider:{acme:{profile:'minimal'}}", "toolsBySender:{'*':{deny:['read']}}", "toolsBySender:{'id:u':{allow:['read']}}",
	"sandbox:{tools:{deny:['write']}}", "sandbox:{tools:{allow:['read','exec']}}", "subagents:{tools:{allow:['read']}}",
	"subagents:{tools:{deny:['find']}}",
};

static uint64_t next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return *seed >> 33;
}

static struct policy_want some_want(uint64_t *seed)
{
	return (struct policy_want){
		.provider = "acme", .model = "m", .is_owner = next(seed) % 2, .is_sandboxed = next(seed) % 2,
		.depth = (int)(next(seed) % 3), .depth_max = 2, .mode = (enum tool_mode)(next(seed) % 5),
		.channel = "telegram", .sender = next(seed) % 2 ? "u" : "v",
		.requester_tools = next(seed) % 3 ? NULL : "[\"read\",\"exec\",\"find\",\"write\"]",
	};
}

static bool gives(const struct policy *p, size_t i)
{
	return p->verdicts[i].layer == POLICY_ALLOWED;
}

static void assert_within(const struct policy *narrow, const struct policy *wide, const char *what)
{
	for (size_t i = 0; i < wide->tools->len; i++)
		if (gives(narrow, i) && !gives(wide, i))
			fail_msg("%s gives '%s'", what, wide->tools->at[i].tool->name);
}

/* One more rule of any layer, anywhere, never gives a tool. */
static void test_threat_monotonic_policy_a_rule_never_gives(void **state)
{
	uint64_t seed = 7;

	for (int round = 0; round < 3000; round++) {
		struct policy_want want = some_want(&seed);
		char base[512], more[1024];
		size_t a = next(&seed) % CH_ARRAY_LEN(rules), b = next(&seed) % CH_ARRAY_LEN(rules);
		bool is_agents = next(&seed) % 2;

		if (a == b || (!strncmp(rules[a], rules[b], 5)))
			continue;        /* the same key: one replaces the other */
		snprintf(base, sizeof(base), "{tools:{%s}}", rules[a]);
		/* An agent's own profile, sender and sandbox lists stand in place of the global ones, as documented. */
		if (is_agents && !strstr(rules[b], "profile:") && !strstr(rules[b], "Sender") && !str_starts(rules[b], "sandbox"))
			snprintf(more, sizeof(more), "{tools:{%s},agents:{entries:{main:{tools:{%s}}}}}", rules[a], rules[b]);
		else
			snprintf(more, sizeof(more), "{tools:{%s,%s}}", rules[a], rules[b]);
		CH_AUTO(policy_unref) struct policy *wide = make(base, want);
		CH_AUTO(policy_unref) struct policy *narrow = make(more, want);

		assert_within(narrow, wide, more);
	}
}

/* What takes part of a turn's standing away never gives a tool either. */
static void test_threat_monotonic_policy_less_standing_never_gives(void **state)
{
	uint64_t seed = 11;

	for (int round = 0; round < 3000; round++) {
		struct policy_want want = some_want(&seed), less = want;
		char config[512];

		snprintf(config, sizeof(config), "{tools:{%s}}", rules[next(&seed) % CH_ARRAY_LEN(rules)]);
		switch (next(&seed) % 5) {
		case 0: less.is_owner = false; break;
		case 1: less.is_sandboxed = true; break;
		case 2: less.mode = TOOL_MODE_READ_ONLY; break;
		case 3: less.depth++; break;
		default: less.requester_tools = "[\"read\"]"; want.requester_tools = NULL; break;
		}
		CH_AUTO(policy_unref) struct policy *wide = make(config, want);
		CH_AUTO(policy_unref) struct policy *narrow = make(config, less);

		assert_within(narrow, wide, config);
	}
}

/* A child has at most what its parent had, under any configuration of its own. */
static void test_threat_monotonic_policy_child_within_parent(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	uint64_t seed = 13;

	for (int round = 0; round < 3000; round++) {
		struct policy_want want = some_want(&seed), child = some_want(&seed);
		char config[512], others[512];

		snprintf(config, sizeof(config), "{tools:{%s}}", rules[next(&seed) % CH_ARRAY_LEN(rules)]);
		snprintf(others, sizeof(others), "{tools:{%s}}", rules[next(&seed) % CH_ARRAY_LEN(rules)]);
		CH_AUTO(policy_unref) struct policy *parent = make(config, want);

		arena_clear(a);
		child.requester_tools = policy_for_child(parent, a);
		child.depth = want.depth + 1;
		CH_AUTO(policy_unref) struct policy *under = make(others, child);

		assert_within(under, parent, others);
	}
}

/* Somebody who joins the turn takes the owner's tools from it at once. */
static void test_threat_scope_self_claim_disowned_turn(void **state)
{
	CH_AUTO(policy_unref) struct policy *p = make("{}", (struct policy_want){ .is_owner = true });

	assert_non_null(policy_tool(p, "owners_own"));
	policy_disown(p);
	assert_null(policy_tool(p, "owners_own"));
	assert_non_null(policy_tool(p, "read"));
}

static void modes_and_depths(void **state)
{
	assert_int_equal(tool_mode_parse(NULL), TOOL_MODE_UNSET);
	assert_int_equal(tool_mode_parse("full"), TOOL_MODE_FULL);
	assert_int_equal(tool_mode_parse("Full"), TOOL_MODE_READ_ONLY);      /* what is no mode is the narrowest */
	assert_string_equal(tool_mode_name(TOOL_MODE_GUARDED), "guarded");
	assert_null(tool_mode_name(TOOL_MODE_UNSET));
	assert_string_equal(policy_layer_name(POLICY_REQUESTER), "requester");
	assert_int_equal(policy_depth("agent:main:main"), 0);
	assert_int_equal(policy_depth("agent:main:subagent:a"), 1);
	assert_int_equal(policy_depth("agent:main:subagent:a:subagent:b"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(layers_take_away),
		cmocka_unit_test(every_refusal_has_a_reason),
		cmocka_unit_test(test_threat_monotonic_policy_a_rule_never_gives),
		cmocka_unit_test(test_threat_monotonic_policy_less_standing_never_gives),
		cmocka_unit_test(test_threat_monotonic_policy_child_within_parent),
		cmocka_unit_test(test_threat_scope_self_claim_disowned_turn),
		cmocka_unit_test(modes_and_depths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
