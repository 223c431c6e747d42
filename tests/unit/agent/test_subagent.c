/*
 * Sub-agents and the tools on sessions: limits, results told once, stops that cascade, restarts, and who sees whom.
 */
#include "agent_fixture.h"

#include "agent/policy.h"
#include "agent/sessions_ops.h"
#include "agent/subagent.h"

#define TEXT(t) { ST_TEXT, t }
#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }
#define MAIN "agent:main:main"

static const struct step hello[] = { TEXT("hello"), DONE };
static const struct step found[] = { TEXT("I found it."), DONE };
static const struct step skip[] = { TEXT(" ANNOUNCE_SKIP\n"), DONE };
static const struct step waits[] = { TEXT("working "), { ST_WAIT }, TEXT("done"), DONE };
static const struct step silent[] = { { ST_WAIT }, TEXT("done"), DONE };
static const struct step noted[] = { TEXT("Noted."), DONE };

/* -- doing -- */

static void open_session(struct fixture *f, const char *key, struct sess **ret)
{
	struct sess_key parsed;

	assert_int_equal(sess_key_parse(f->arena, key, "main", &parsed, &f->err), CH_OK);
	assert_int_equal(sess_open(f->sessions, &parsed, "operator", ret, NULL, &f->err), CH_OK);
}

static void make(struct fixture *f, const char *key, const char *spawned_by)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	open_session(f, key, &s);
	sess_set_str(s, &s->spawned_by, spawned_by);
	assert_int_equal(sess_save(s, &f->err), CH_OK);
}

struct caller { struct tool_grant grant; struct tool_ctx ctx; };

static struct tool_ctx *as(struct fixture *f, struct caller *c, const char *key, bool is_owner)
{
	struct sess_key parsed;

	assert_int_equal(sess_key_parse(f->arena, key, "main", &parsed, &f->err), CH_OK);
	c->grant = (struct tool_grant){ .is_owner = is_owner, .depth = policy_depth(key) };
	c->ctx = (struct tool_ctx){ .agent_id = parsed.agent_id, .session_key = parsed.key, .arena = f->arena,
				    .host = &f->host->tool_host, .grant = &c->grant };
	return &c->ctx;
}

static struct json *spawn(struct fixture *f, const char *key, const char *task, ch_status expected)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct tool_spawn s = { .task = task, .label = task };
	struct caller c;

	buf_init(&out, 65536);
	assert_int_equal(f->host->sessions_ops.spawn(f->host, as(f, &c, key, true), &s, &out, &f->err), expected);
	return expected ? NULL : fx_parse(f, buf_str(&out));
}

typedef ch_status (*op)(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err);

static ch_status call(struct fixture *f, op fn, struct tool_ctx *ctx, const char *args, struct json **ret)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct json *v;
	ch_status st;

	buf_init(&out, 1u << 20);
	assert_int_equal(json_parse(f->arena, args, strlen(args), JSON_JSON5, &v, &f->err), CH_OK);
	st = fn(f->host, ctx, v, &out, &f->err);
	if (!st && ret)
		*ret = fx_parse(f, buf_str(&out));
	return st;
}

static void wait_for(struct fixture *f, const char *run)
{
	fx_turns(f);
	fx_wait_run(f, run);
}

static struct subagent row(struct fixture *f, const struct json *spawned)
{
	struct subagent s;

	assert_int_equal(subagent_by_run(f->host, json_get_str(spawned, "runId"), f->arena, &s, &f->err), CH_OK);
	return s;
}

static void greet(struct fixture *f)
{
	fx_send(f, "r1", "hi");
	fx_wait_run(f, "r1");
}

/* -- a result -- */

static void result_body(struct fixture *f)
{
	struct json *spawned;
	struct subagent s;
	const char *event;

	greet(f);
	spawned = spawn(f, KEY, "look for it", CH_OK);
	assert_string_equal(json_get_str(spawned, "status"), "accepted");
	assert_non_null(strstr(json_get_str(spawned, "childSessionKey"), "agent:main:subagent:"));
	event = arena_printf(f->arena, "subagent:%s", json_get_str(spawned, "runId"));
	fx_wait_run(f, json_get_str(spawned, "runId"));
	assert_non_null(strstr(f->asked.at[1], "look for it"));
	wait_for(f, event);
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	assert_non_null(strstr(fx_text(f, 2), "I found it."));
	assert_non_null(strstr(fx_text(f, 2), "Status: completed"));
	assert_string_equal(json_str(json_path(json_at(fx_rows(f), 2), "provenance.sourceTool")), "subagent_announce");
	s = row(f, spawned);
	assert_string_equal(s.status, "done");
	assert_string_equal(s.result, "I found it.");
	assert_true(s.announced_at > 0 && s.archive_at == s.ended_at + SUBAGENT_ARCHIVE_MINUTES * 60000);
	subagents_kick(f->host);
	fx_turns(f);
	assert_int_equal(f->at, 3);
	clock_fake(now_mono_ms() + 3601000, now_wall_ms() + 3601000);
	subagents_kick(f->host);
	fx_turns(f);
	{
		CH_AUTO(sess_unref) struct sess *child = NULL;

		assert_int_equal(sess_find(f->sessions, s.child_key, &child, &f->err), CH_OK);
		assert_true(child->archived_at > 0);
		assert_string_equal(child->spawned_by, KEY);
		assert_string_equal(child->label, "look for it");
	}
}

static void a_result_is_told_once(void **state)
{
	static const struct step *const script[] = { hello, found, noted, NULL };

	fx_run(*state, script, result_body);
}

static void skip_body(struct fixture *f)
{
	struct json *spawned;

	greet(f);
	spawned = spawn(f, KEY, "nothing to say", CH_OK);
	fx_wait_run(f, json_get_str(spawned, "runId"));
	fx_turns(f);
	assert_int_equal(f->at, 2);
	assert_true(row(f, spawned).announced_at > 0);
}

static void announce_skip_is_silent(void **state)
{
	static const struct step *const script[] = { hello, skip, NULL };

	fx_run(*state, script, skip_body);
}

/* -- limits -- */

static void limits_body(struct fixture *f)
{
	struct json *first;

	fx_set_config(f, "{agents:{defaults:{subagents:{maxSpawnDepth:1,maxChildrenPerAgent:1}},entries:{main:{},other:{}}}}");
	greet(f);
	first = spawn(f, KEY, "one", CH_OK);
	spawn(f, KEY, "two", CH_E_LIMIT);
	make(f, "agent:main:subagent:x", KEY);
	spawn(f, "agent:main:subagent:x", "deeper", CH_E_DENIED);
	spawn(f, KEY, "", CH_E_INVALID);
	{
		struct caller c;
		CH_AUTO_BUF struct buf out = { 0 };
		struct tool_spawn s = { .task = "t", .agent_id = "other" };

		buf_init(&out, 65536);
		fx_set_config(f, "{agents:{entries:{main:{},other:{}}}}");
		assert_int_equal(subagent_spawn(f->host, as(f, &c, KEY, true), &s, &out, &f->err), CH_E_DENIED);
		s.agent_id = "nobody";
		assert_int_equal(subagent_spawn(f->host, &c.ctx, &s, &out, &f->err), CH_E_INVALID);
	}
	assert_true(subagent_may_start(f->config, "main", "main"));
	assert_false(subagent_may_start(f->config, "main", "other"));
	fx_wait_run(f, json_get_str(first, "runId"));
	wait_for(f, arena_printf(f->arena, "subagent:%s", json_get_str(first, "runId")));
}

static void there_are_limits(void **state)
{
	static const struct step *const script[] = { hello, found, noted, NULL };

	fx_run(*state, script, limits_body);
}

/* A sandboxed session does not get out by way of a child that is not. */
static void test_cve_2026_32048_sessions_spawn(void **state)
{
	struct fixture *f = *state;
	struct caller c;
	CH_AUTO_BUF struct buf out = { 0 };
	struct tool_spawn s = { .task = "t", .agent_id = "free" };

	buf_init(&out, 65536);
	fx_set_config(f, "{agents:{defaults:{sandbox:{mode:'all'}},entries:{main:{subagents:{allowAgents:['*']}},"
			 "free:{sandbox:{mode:'off'}}}}}");
	make(f, KEY, NULL);
	assert_int_equal(subagent_spawn(f->host, as(f, &c, KEY, true), &s, &out, &f->err), CH_E_DENIED);
	assert_non_null(strstr(f->err.text, "sandbox"));
	fx_set_config(f, "{agents:{defaults:{sandbox:{mode:'off'}}}}");
	s = (struct tool_spawn){ .task = "t", .needs_sandbox = true };
	assert_int_equal(subagent_spawn(f->host, &c.ctx, &s, &out, &f->err), CH_E_DENIED);
}

/* -- rights -- */

/* Where of a long text only the beginning is read for secrets, nothing of one shows. */
static char lengthy[40000];

static void lengthy_body(struct fixture *f)
{
	struct caller c;
	struct json *v;
	const char *text;

	fx_send(f, "r1", "hi");
	fx_wait_run(f, "r1");
	assert_int_equal(call(f, ops_history, as(f, &c, KEY, true), "{sessionKey:'current'}", &v), CH_OK);
	text = json_get_str(json_at(json_get(v, "messages"), 1), "text");
	assert_non_null(text);
	assert_null(strstr(text, "canary"));
	assert_non_null(strstr(text, "[redacted]"));
	assert_non_null(strstr(text, "[cut here: "));
	assert_true(json_get_bool(v, "contentRedacted", false));
	assert_true(strlen(text) < OPS_TEXT_CHARS + 100);
}

static void test_threat_secret_disclosure_long_text(void **state)
{
	static const struct step says[] = { TEXT(lengthy), DONE };
	static const struct step *const script[] = { says, NULL };

	/* All secrets, so that little is left of what is read first. */
	for (size_t i = 0; i + 40 < sizeof(lengthy); i += 40)
		memcpy(lengthy + i, "token=canary-canary-canary-canary-canar ", 40);
	fx_run(*state, script, lengthy_body);
}

/* Text that grows by being fenced must not keep the end from being told. */
static char forged[131000];

static void forged_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *parent = NULL;
	struct json *spawned;

	greet(f);
	assert_int_equal(sess_find(f->sessions, KEY, &parent, &f->err), CH_OK);
	parent->tainted_at = 5;
	assert_int_equal(sess_save(parent, &f->err), CH_OK);
	spawned = spawn(f, KEY, "go", CH_OK);
	fx_wait_run(f, json_get_str(spawned, "runId"));
	wait_for(f, arena_printf(f->arena, "subagent:%s", json_get_str(spawned, "runId")));
	assert_non_null(strstr(fx_text(f, 2), "sessions_history shows"));
	assert_true(row(f, spawned).announced_at > 0);
	assert_non_null(row(f, spawned).result);
}

static void test_threat_dos_forged_result_is_told(void **state)
{
	static const struct step much[] = { TEXT(forged), DONE };
	static const struct step *const script[] = { hello, much, noted, NULL };

	memset(forged, '<', sizeof(forged) - 1);
	fx_run(*state, script, forged_body);
}

static void rights_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *parent = NULL, *child = NULL;
	struct json *spawned, *meta;
	struct input_row in;

	fx_set_config(f, "{tools:{deny:['write']}}");
	greet(f);
	assert_int_equal(sess_find(f->sessions, KEY, &parent, &f->err), CH_OK);
	sess_set_str(parent, &parent->permission_mode, "read-only");
	parent->tainted_at = 5;
	sess_set_str(parent, &parent->taint, "[{\"kind\":\"web\",\"ref\":\"https://evil.example\"}]");
	assert_int_equal(sess_save(parent, &f->err), CH_OK);
	spawned = spawn(f, KEY, "go", CH_OK);
	assert_int_equal(sess_find(f->sessions, json_get_str(spawned, "childSessionKey"), &child, &f->err), CH_OK);
	assert_string_equal(child->permission_mode, "read-only");
	assert_true(child->tainted_at > 0);
	assert_non_null(strstr(child->taint, "evil.example"));
	assert_non_null(child->tool_cap);
	assert_null(strstr(child->tool_cap, "\"write\""));
	assert_int_equal(input_find(f->sessions, child->key, json_get_str(spawned, "runId"), f->arena, &in, &f->err), CH_OK);
	meta = fx_parse(f, in.meta);
	assert_true(json_get_bool(meta, "senderIsOwner", false));
	fx_wait_run(f, json_get_str(spawned, "runId"));
	wait_for(f, arena_printf(f->arena, "subagent:%s", json_get_str(spawned, "runId")));
	assert_int_equal(input_find(f->sessions, KEY, arena_printf(f->arena, "subagent:%s", json_get_str(spawned, "runId")), f->arena, &in,
				    &f->err), CH_OK);
	assert_true(json_get_bool(json_get(fx_parse(f, in.meta), "origin"), "tainted", false));
	assert_null(strstr(fx_text(f, 2), "Result:\nI found it."));      /* fenced */
}

static void test_threat_loopback_children_have_no_more_rights(void **state)
{
	static const struct step *const script[] = { hello, found, noted, NULL };

	fx_run(*state, script, rights_body);
}

/* -- stopping -- */

static void stop_body(struct fixture *f)
{
	const char *const *ids;
	struct json *one, *below;
	struct input_row in;

	greet(f);
	one = spawn(f, KEY, "long", CH_OK);
	fx_reach(f, 1);
	below = spawn(f, json_get_str(one, "childSessionKey"), "longer", CH_OK);
	assert_int_equal(row(f, below).depth, 2);
	fx_reach(f, 2);
	assert_int_equal(agent_abort(f->host, KEY, NULL, "rpc", f->arena, &ids, &f->err), CH_OK);
	in = fx_wait_run(f, json_get_str(one, "runId"));
	assert_int_equal(in.state, INPUT_ABORTED);
	in = fx_wait_run(f, json_get_str(below, "runId"));
	assert_int_equal(in.state, INPUT_ABORTED);
	fx_turns(f);
	assert_string_equal(row(f, one).status, "stopped");
	assert_string_equal(row(f, below).status, "stopped");
	assert_int_equal(f->at, 3);      /* nobody is told of what they stopped */
	assert_string_equal(fx_roles(f), "user assistant");
}

static void a_stop_cascades(void **state)
{
	static const struct step *const script[] = { hello, waits, waits, NULL };

	fx_run(*state, script, stop_body);
}

static void timeout_body(struct fixture *f)
{
	struct json *one;

	fx_set_config(f, "{agents:{defaults:{subagents:{runTimeoutSeconds:30}}}}");
	greet(f);
	one = spawn(f, KEY, "long", CH_OK);
	fx_reach(f, 1);
	clock_fake(now_mono_ms() + 31000, now_wall_ms() + 31000);
	fx_wait_run(f, json_get_str(one, "runId"));
	wait_for(f, arena_printf(f->arena, "subagent:%s", json_get_str(one, "runId")));
	assert_string_equal(row(f, one).status, "timeout");
	assert_non_null(strstr(fx_text(f, 2), "ran out of time"));
}

static void a_timeout_is_told(void **state)
{
	static const struct step *const script[] = { hello, waits, noted, NULL };

	fx_run(*state, script, timeout_body);
}

/* -- a restart -- */

static void crash_body(struct fixture *f)
{
	struct json *one;
	const char *run;

	greet(f);
	one = spawn(f, KEY, "long", CH_OK);
	run = json_get_str(one, "runId");
	fx_reach(f, 1);
	assert_string_equal(row(f, one).status, "running");
	/* As a kill leaves it: the run is in the database, and in no memory. */
	assert_int_equal(db_exec(f->db, "CREATE TABLE kept AS SELECT * FROM inputs WHERE state = 'running'", &f->err), CH_OK);
	agent_host_drain(f->host, now_mono_ms());
	agent_host_free(f->host);
	assert_int_equal(db_exec(f->db, "DELETE FROM inputs WHERE run_id IN (SELECT run_id FROM kept);", &f->err), CH_OK);
	assert_int_equal(db_exec(f->db, "INSERT INTO inputs SELECT * FROM kept", &f->err), CH_OK);
	assert_int_equal(input_recover(f->sessions, NULL, NULL, &f->err), CH_OK);
	fx_new_host(f);
	assert_int_equal(agent_host_recover(f->host, &f->err), CH_OK);
	wait_for(f, arena_printf(f->arena, "subagent:%s", run));
	assert_string_equal(row(f, one).status, "lost");
	assert_non_null(strstr(fx_text(f, 2), "interrupted"));
	subagents_kick(f->host);
	fx_turns(f);
	assert_int_equal(f->at, 3);
}

static void a_crash_is_told_once(void **state)
{
	static const struct step *const script[] = { hello, silent, noted, NULL };

	fx_run(*state, script, crash_body);
}

/* A write that fails tells nothing, or all of it: the next look goes on. */
static void disk_body(struct fixture *f)
{
	struct json *one;

	greet(f);
	one = spawn(f, KEY, "find it", CH_OK);
	fx_reach(f, 1);
	f->host->is_draining = true;     /* nobody looks yet */
	fx_release(f);
	fx_wait_run(f, json_get_str(one, "runId"));
	fx_turns(f);
	f->host->is_draining = false;
	db_fail_nth(f->db, 1);
	subagents_kick(f->host);
	fx_turns(f);
	assert_string_equal(row(f, one).status, "running");
	db_fail_nth(f->db, 0);
	clock_fake(now_mono_ms() + 6000, now_wall_ms() + 6000);
	wait_for(f, arena_printf(f->arena, "subagent:%s", json_get_str(one, "runId")));
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	assert_int_equal(f->at, 3);
}

static void a_failing_disk_delays(void **state)
{
	static const struct step *const script[] = { hello, waits, noted, NULL };

	fx_run(*state, script, disk_body);
}

/* -- who sees whom -- */

static const char *const keys[] = {
	MAIN, KEY, "agent:main:subagent:a", "agent:main:subagent:a:subagent:b", "agent:other:main", "agent:other:subagent:c",
	"agent:other:x",
};

/* Who may see whom, by another way than ops_may_see(): the property that it is checked against. */
static bool expected(const char *level, const char *from, const char *to, bool is_owner, bool agents_meet)
{
	bool is_same_agent = strncmp(from, to, 9) == 0;
	bool is_below = (str_eq(from, KEY) && (str_eq(to, keys[2]) || str_eq(to, keys[3]))) ||
			(str_eq(from, keys[2]) && str_eq(to, keys[3])) || (str_eq(from, MAIN) && str_eq(to, keys[5]));
	bool is_clamped = !is_owner || strstr(from, ":subagent:");

	if (str_eq(from, to))
		return true;
	if (str_eq(level, "self"))
		return false;
	if (is_clamped || str_eq(level, "tree"))
		return is_below || (!is_clamped && str_eq(from + strlen(from) - 5, ":main") && is_same_agent);
	if (str_eq(level, "agent"))
		return is_same_agent;
	return is_same_agent || agents_meet || is_below;
}

static void check_pair(struct fixture *f, const char *level, const char *from, const char *to, bool is_owner, bool agents_meet)
{
	bool may = expected(level, from, to, is_owner, agents_meet), is_listed = false, is_found = false;
	struct caller c;
	struct json *v;
	ch_status st;

	as(f, &c, from, is_owner);
	st = call(f, ops_history, &c.ctx, arena_printf(f->arena, "{sessionKey:'%s'}", to), &v);
	if ((st == CH_OK) != may)
		fail_msg("history %s: %s -> %s owner %d: %d", level, from, to, is_owner, st);
	assert_int_equal(call(f, ops_list, &c.ctx, "{}", &v), CH_OK);
	json_each(s, json_get(v, "sessions"))
		is_listed |= str_eq(json_get_str(s, "key"), to);
	assert_int_equal(is_listed, may);
	assert_int_equal(call(f, ops_search, &c.ctx, "{query:'canary',limit:25}", &v), CH_OK);
	json_each(hit, json_get(v, "results"))
		is_found |= str_eq(json_get_str(hit, "sessionKey"), to);
	assert_int_equal(is_found, may);
	if (!may)
		assert_int_equal(call(f, ops_send, &c.ctx, arena_printf(f->arena, "{sessionKey:'%s',message:'x',timeoutSeconds:0}", to), NULL),
				 CH_E_NOT_FOUND);
}

static void say_canary(struct fixture *f, const char *key)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct tr_entry e = { .type = "message", .role = "user", .message = "{\"role\":\"user\",\"content\":\"canary\"}",
			      .search_text = "canary" };

	open_session(f, key, &s);
	e.message_len = strlen(e.message);
	assert_int_equal(tr_append(s, NULL, 0, &e, f->arena, &f->err), CH_OK);
}

static void test_threat_leakage_no_session_outside_the_policy(void **state)
{
	static const char *const levels[] = { "self", "tree", "agent", "all" };
	struct fixture *f = *state;

	make(f, keys[0], NULL);
	make(f, keys[1], NULL);
	make(f, keys[2], KEY);
	make(f, keys[3], keys[2]);
	make(f, keys[4], NULL);
	make(f, keys[5], MAIN);
	make(f, keys[6], NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(keys); i++)
		say_canary(f, keys[i]);
	for (size_t i = 0; i < CH_ARRAY_LEN(levels) * 4; i++) {
		bool agents_meet = i & 1, is_owner = i & 2;
		const char *level = levels[i / 4];

		fx_set_config(f, arena_printf(f->arena, "{agents:{entries:{main:{},other:{}}},tools:{sessions:{visibility:'%s'},agentToAgent:{"
					      "%s}}}", level, agents_meet ? "" : "allow:['main']"));
		for (size_t from = 0; from < CH_ARRAY_LEN(keys); from++)
			for (size_t to = 0; to < CH_ARRAY_LEN(keys); to++)
				check_pair(f, level, keys[from], keys[to], is_owner, agents_meet);
	}
}

/* -- messages -- */

static void send_body(struct fixture *f)
{
	struct caller c;
	struct input_row in;
	struct json *v;

	make(f, MAIN, NULL);
	greet(f);
	as(f, &c, MAIN, false);
	fx_set_config(f, "{}");
	assert_int_equal(call(f, ops_send, &c.ctx, "{sessionKey:'" KEY "',message:'hello there'}", &v), CH_E_NOT_FOUND);
	as(f, &c, MAIN, true);
	c.grant.is_tainted = true;
	assert_int_equal(call(f, ops_send, &c.ctx, "{sessionKey:'" MAIN "',message:'me'}", &v), CH_E_INVALID);
	assert_int_equal(call(f, ops_send, &c.ctx, "{sessionKey:'" KEY "',message:'hello there'}", &v), CH_OK);
	assert_string_equal(json_get_str(v, "status"), "ok");
	assert_string_equal(json_get_str(v, "reply"), "I found it.");
	assert_int_equal(input_find(f->sessions, KEY, json_get_str(v, "runId"), f->arena, &in, &f->err), CH_OK);
	assert_true(json_get_bool(json_get(fx_parse(f, in.meta), "origin"), "tainted", false));
	assert_true(c.ctx.is_outside);           /* the answer comes from a session that is tainted now */
	assert_non_null(strstr(fx_text(f, 2), "not of your user"));
	assert_string_equal(json_str(json_path(json_at(fx_rows(f), 2), "provenance.sourceSessionKey")), MAIN);
}

static void a_message_carries_its_taint(void **state)
{
	static const struct step *const script[] = { hello, found, NULL };

	fx_run(*state, script, send_body);
}

static void history_body(struct fixture *f)
{
	char *text = arena_alloc(f->arena, 9001);
	struct caller c;
	struct json *v;

	memset(text, 'x', 9000);
	fx_send(f, "r1", arena_printf(f->arena, "key sk-ant-REDACTED %s", text));
	fx_wait_run(f, "r1");
	as(f, &c, KEY, true);
	assert_int_equal(call(f, ops_history, &c.ctx, "{sessionKey:'current'}", &v), CH_OK);
	assert_true(json_get_bool(v, "contentTruncated", false));
	assert_int_equal(json_len(json_get(v, "messages")), 2);
	assert_true(strlen(json_str(json_path(v, "messages.0.text"))) < OPS_TEXT_CHARS + 64);
	assert_int_equal(call(f, ops_history, &c.ctx, "{sessionKey:'current',offset:1,limit:5}", &v), CH_OK);
	assert_int_equal(json_len(json_get(v, "messages")), 1);
	assert_int_equal(call(f, ops_history, &c.ctx, "{sessionKey:'current',sessionId:'not-mine'}", &v), CH_E_NOT_FOUND);
}

static void histories_are_bounded(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, history_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(a_result_is_told_once), FX_TEST(announce_skip_is_silent), FX_TEST(there_are_limits),
		FX_TEST(test_cve_2026_32048_sessions_spawn), FX_TEST(test_threat_loopback_children_have_no_more_rights),
		FX_TEST(test_cve_2026_32048_sessions_spawn), FX_TEST(test_threat_secret_disclosure_long_text),
		FX_TEST(test_threat_dos_forged_result_is_told),
		FX_TEST(a_stop_cascades), FX_TEST(a_timeout_is_told), FX_TEST(a_crash_is_told_once), FX_TEST(a_failing_disk_delays),
		FX_TEST(test_threat_leakage_no_session_outside_the_policy), FX_TEST(a_message_carries_its_taint),
		FX_TEST(histories_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
