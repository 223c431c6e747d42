/*
 * exec/allow: policy, allowlist entries, safe bins, what allow-always remembers, the document.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/clock.h"
#include "exec/allow.h"
#include "exec/allow_priv.h"
#include "run_bound.h"

#define DAY_MS 86400000LL

static struct bench bench;
static struct db *db;
static struct exec_allow *al;
static struct config *cfg;

static void configure(const char *text)
{
	struct ch_err err = { 0 };

	config_unref(cfg);
	cfg = NULL;
	if (config_parse(text, strlen(text), NULL, &cfg, &err))
		fail_msg("%s", err.text);
}

static int set_up(void **state)
{
	(void)state;
	memset(&bench, 0, sizeof(bench));
	bench_init(&bench);
	assert_int_equal(db_open(":memory:", DB_CREATE, &db, NULL), CH_OK);
	assert_int_equal(exec_allow_open(db, &al, NULL), CH_OK);
	configure("{}");
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clock_real();
	config_unref(cfg);
	cfg = NULL;
	exec_allow_free(al);
	db_close(db);
	bench_done(&bench);
	return 0;
}

static ch_status set_document(const char *text, struct ch_err *err)
{
	struct json *v = NULL;
	const char *hash = NULL;

	assert_int_equal(json_parse(bench.a, text, strlen(text), JSON_JSON5, &v, NULL), CH_OK);
	assert_non_null(exec_allow_document(al, bench.a, &hash));
	return exec_allow_set_document(al, v, hash, err);
}

static void document(const char *text)
{
	struct ch_err err = { 0 };

	if (set_document(text, &err))
		fail_msg("%s", err.text);
}

/* Entries of agent main, as the inside of the list. */
static void entries(const char *list)
{
	document(arena_printf(bench.a, "{version: 1, agents: {main: {allowlist: [%s]}}}", list));
}

static const char *path_env(void)
{
	return arena_printf(bench.a, "%s:/usr/bin:/bin", bench.bin);
}

static struct cmd_plan plan_of(const char *text)
{
	struct cmd_plan p;

	assert_int_equal(cmd_parse(text, strlen(text), bench.a, &p, NULL), CH_OK);
	return p;
}

/* Bound as it is now. */
static struct exec_bound *bind_plan(const struct cmd_plan *p, const char *cwd)
{
	const char *const env[] = { arena_printf(bench.a, "PATH=%s", path_env()), NULL };
	const struct exec_want want = { .command = p->text, .plan = p, .cwd = cwd, .env = env, .shell = "/bin/sh" };
	struct exec_bound *b = NULL;
	struct ch_err err = { 0 };

	if (exec_bind(&want, &b, &err))
		fail_msg("%s: %s", p->text, err.text);
	return b;
}

static bool matches_as(const char *agent, const char *cwd, const char *text)
{
	struct cmd_plan p = plan_of(text);
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bind_plan(&p, cwd);
	const char *why = NULL;
	bool yes = exec_allow_covers(al, cfg, agent, &p, b, bench.a, &why);

	assert_true(yes == !why);
	return yes;
}

static bool matches(const char *text)
{
	return matches_as("main", bench.work, text);
}

static void expect(const char *const *list, size_t n, bool want)
{
	for (size_t i = 0; i < n; i++)
		if (matches(list[i]) != want)
			fail_msg("%s: %s", list[i], want ? "does not match" : "matches");
}

#define MATCH(...) expect((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), true)
#define MISS(...) expect((const char *const[]){ __VA_ARGS__ }, sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(char *), false)

/* ---- policy ---- */

static struct exec_policy policy(const char *agent, const char *session)
{
	struct exec_policy p;

	exec_policy(al, cfg, agent, session, bench.a, &p);
	assert_non_null(p.reason);
	return p;
}

static void test_policy_defaults_to_ask(void **state)
{
	struct exec_policy p = policy("main", NULL);

	(void)state;
	assert_int_equal(p.security, EXEC_ALLOWLIST);
	assert_int_equal(p.ask, EXEC_ASK_ON_MISS);
	assert_int_equal(p.ask_fallback, EXEC_DENY);
	assert_false(p.strict_inline_eval);
	assert_string_equal(p.mode, "ask");
}

static void test_policy_stricter_wins(void **state)
{
	static const struct { const char *config, *document, *session, *mode; enum exec_security security; enum exec_ask ask; } rows[] = {
		{ "{tools:{exec:{mode:'full'}}}", "{version:1}", NULL, "full", EXEC_FULL, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'allowlist'}}}", "{version:1}", NULL, "allowlist", EXEC_ALLOWLIST, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'auto'}}}", "{version:1}", NULL, "ask", EXEC_ALLOWLIST, EXEC_ASK_ON_MISS },
		{ "{tools:{exec:{mode:'deny'}}}", "{version:1,defaults:{security:'full',ask:'off'}}", NULL, "deny", EXEC_DENY, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1,defaults:{security:'allowlist'}}", NULL, "allowlist", EXEC_ALLOWLIST, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1,defaults:{ask:'always'}}", NULL, "ask", EXEC_FULL, EXEC_ASK_ALWAYS },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1,defaults:{ask:'always'},agents:{main:{ask:'off'}}}", NULL, "full", EXEC_FULL, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1,agents:{'*':{security:'deny'}}}", NULL, "deny", EXEC_DENY, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1,agents:{other:{security:'deny'}}}", NULL, "full", EXEC_FULL, EXEC_ASK_OFF },
		{ "{}", "{version:1,defaults:{security:'full',ask:'off'}}", NULL, "ask", EXEC_ALLOWLIST, EXEC_ASK_ON_MISS },
		{ "{tools:{exec:{security:'full',ask:'always'}}}", "{version:1}", NULL, "ask", EXEC_FULL, EXEC_ASK_ALWAYS },
		{ "{tools:{exec:{mode:'full'}},agents:{entries:{main:{tools:{exec:{mode:'deny'}}}}}}", "{version:1}", NULL, "deny", EXEC_DENY, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1}", "read-only", "deny", EXEC_DENY, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1}", "guarded", "ask", EXEC_ALLOWLIST, EXEC_ASK_ON_MISS },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1}", "workspace", "ask", EXEC_ALLOWLIST, EXEC_ASK_ON_MISS },
		{ "{tools:{exec:{mode:'full'}}}", "{version:1}", "something", "ask", EXEC_ALLOWLIST, EXEC_ASK_ON_MISS },
		{ "{tools:{exec:{mode:'allowlist'}}}", "{version:1,defaults:{ask:'always'}}", "full", "full", EXEC_FULL, EXEC_ASK_OFF },
		{ "{tools:{exec:{mode:'deny'}}}", "{version:1}", "full", "deny", EXEC_DENY, EXEC_ASK_OFF },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct exec_policy p;

		configure(rows[i].config);
		document(rows[i].document);
		p = policy("main", rows[i].session);
		if (p.security != rows[i].security || p.ask != rows[i].ask || !str_eq(p.mode, rows[i].mode))
			fail_msg("%s %s: %s", rows[i].config, rows[i].document, p.mode);
	}
}

static void test_policy_other_fields(void **state)
{
	(void)state;
	configure("{tools:{exec:{strictInlineEval:true}},agents:{entries:{b:{tools:{exec:{strictInlineEval:false}}}}}}");
	document("{version:1,defaults:{askFallback:'full'},agents:{b:{askFallback:'allowlist'}}}");
	assert_true(policy("main", NULL).strict_inline_eval);
	assert_false(policy("main", "full").strict_inline_eval);
	assert_false(policy("b", NULL).strict_inline_eval);
	assert_int_equal(policy("main", NULL).ask_fallback, EXEC_FULL);
	assert_int_equal(policy("b", NULL).ask_fallback, EXEC_ALLOWLIST);
	assert_non_null(strstr(policy("main", "guarded").reason, "guarded"));
}

/* ---- entries ---- */

static void test_paths(void **state)
{
	(void)state;
	MISS("p", "/usr/bin/ls", "ls");
	entries(arena_printf(bench.a, "{pattern: '%s/p'}, {pattern: '/usr/bin/l?'}, {pattern: '%s/**/x'}", bench.bin, bench.root));
	MATCH("p", "p a b", "../bin/p", "p | p && p", "ls", "ls -l /", "/usr/bin/ls", "/bin/ls");
	MISS("q", "p | q", "p && nope", "cat x", "p > x", "p $x", "A=b p", "p &", "(p)", "sh -c p.sh");
	put_stub(&bench, bench.work, "x");
	MATCH("./x", "./x y");
	assert_false(matches_as("other", bench.work, "p"));
}

/* A bare name is for programs of the system, never for what lies in a folder that others can write. */
static void test_threat_path_poisoning_bare_names(void **state)
{
	(void)state;
	entries("{pattern: 'p'}, {pattern: 'cat'}, {pattern: 'l*'}");
	MATCH("cat x", "ls", "ls | cat");
	MISS("p", "/usr/bin/cat x", "./cat");
	put_stub(&bench, bench.bin, "cat");        /* earlier in PATH */
	MISS("cat x");
	configure(arena_printf(bench.a, "{tools:{exec:{safeBinTrustedDirs:['%s']}}}", bench.bin));
	MATCH("cat x", "p");
}

/* What a link points to is what counts. */
static void test_threat_links_are_resolved(void **state)
{
	(void)state;
	assert_int_equal(symlink(arena_printf(bench.a, "%s/q", bench.bin), arena_printf(bench.a, "%s/link", bench.bin)), 0);
	assert_int_equal(symlink("/bin/sh", arena_printf(bench.a, "%s/tool", bench.bin)), 0);
	entries(arena_printf(bench.a, "{pattern: '%s/link'}, {pattern: '%s/tool'}, {pattern: '/**'}", bench.root, bench.bin));
	MISS("tool x");                             /* an interpreter under another name */
	entries(arena_printf(bench.a, "{pattern: '%s/link'}", bench.bin));
	MISS("link");
	entries(arena_printf(bench.a, "{pattern: '%s/q'}", bench.bin));
	MATCH("link", "q");
}

static void test_cve_2026_53855_interpreters_are_never_matched(void **state)
{
	(void)state;
	entries("{pattern: '/**'}, {pattern: '*'}");
	MISS("sh -c 'rm x; awk 1'", "sh x.sh", "bash", "env sh", "awk 1", "sed s/a/b/", "perl x", "python3 x.py", "python3 -c 1",
	     "find . -exec ls {} \\;", "find . -delete", "xargs ls", "git status", "tar --to-command=sh -xf x", "sort --compress-program=sh x",
	     "env A=b ls", "env -i ls", "nice -x ls", "ls | sh", "eval ls", "exec ls");
	MATCH("ls", "env ls", "nice -n 3 ls", "sort x", "find . -name x", "sh -c 'ls'");
}

static void test_cve_2026_53848_wrapper_and_inner_must_both_match(void **state)
{
	(void)state;
	entries("{pattern: '/usr/bin/nice'}");
	MISS("nice ls", "nice nice ls");
	entries("{pattern: '/usr/bin/ls'}");
	MISS("nice ls", "timeout 3 ls");
	entries("{pattern: '/usr/bin/ls'}, {pattern: '/usr/bin/nice'}");
	MATCH("nice ls", "nice -n 3 nice ls");
	MISS("nice rm x", "timeout 3 ls", "nice env ls");
}

static void test_cve_2026_53853_arg_patterns_are_always_applied(void **state)
{
	(void)state;
	entries("{pattern: 'cat', argPattern: '^safe\\\\.txt$'}, {pattern: '/usr/bin/ls', argPattern: '^-l( /[a-z]+)?$'}");
	MATCH("cat safe.txt", "cat 'safe.txt'", "ls -l", "ls -l /etc");
	MISS("cat", "cat other.txt", "cat safe.txt x", "cat 'safe.txt x'", "cat safe.txt ''", "cat 'safe.txt\n'", "cat safeXtxt", "ls", "ls -l /etc /x",
	     "ls -la", "ls '-l /etc'", "ls -l | cat x");
	entries("{pattern: 'cat', argPattern: '^(a+)+$'}");
	MISS("cat aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab");
}

static void test_use_is_noted(void **state)
{
	const struct json *e;
	const char *hash, *before;

	(void)state;
	clock_fake(1, 1700000000000);
	entries("{pattern: 'ls'}, {pattern: 'cat'}");
	exec_allow_document(al, bench.a, &before);
	MATCH("ls  -l");
	e = json_path(exec_allow_document(al, bench.a, &hash), "agents.main.allowlist.0");
	if (!json_get(e, "lastUsedAt"))
		e = json_path(exec_allow_document(al, bench.a, &hash), "agents.main.allowlist.1");
	assert_int_equal(json_get_int(e, "lastUsedAt", 0), 1700000000000);
	assert_string_equal(json_get_str(e, "lastUsedCommand"), "ls  -l");
	assert_string_equal(json_get_str(e, "lastResolvedPath"), "/usr/bin/ls");
	assert_string_equal(hash, before);          /* a use is no change */
}

/* ---- safe bins ---- */

static void test_safe_bins(void **state)
{
	(void)state;
	MATCH("wc", "wc -l", "wc -lw --bytes", "head -n 5", "head -5", "head --lines=3", "head -c10", "tail -n +3", "cut -d: -f 1,2", "cut -d '/' -f1",
	      "tr a-z A-Z", "tr -d '\\n'", "tr -cs a b", "uniq -c", "uniq -f 1", "wc -l | head -1 | tr a b");
	MISS("wc x", "wc -", "head x", "head -n", "head -n 5 x", "tail -f", "tail -F", "tail --follow", "tail --foll", "tail -n 5 -f", "wc --files0-from=x",
	     "wc --files0-from x", "cut -f1 x", "tr a b c", "tr", "uniq a", "uniq a b", "wc -z", "wc --lin", "wc --lines=3", "sort", "grep -e x",
	     "/usr/bin/wc", "./wc", "nice wc", "cat", "awk 1", "jq .", "sed p", "head -- x", "wc '*'  x", "tail --pid=1", "tail -s1");
}

static void test_safe_bins_of_the_configuration(void **state)
{
	(void)state;
	configure("{tools:{exec:{safeBins:['grep','sort','jq','awk','sed','python3','cat']}}}");
	MATCH("grep -e x", "grep -ne x", "grep --regexp=x -c", "grep --regexp x", "sort -u", "sort -k 2 -t :");
	MISS("wc", "grep x", "grep x y", "grep -e x y", "grep -r -e x", "grep -f x", "grep -R -e x", "grep -e x -f y", "grep --file=x -e y", "grep -d recurse -e x",
	     "sort x", "sort -o x", "sort -ox", "sort --output=x", "sort -T /x", "sort --compress-program=sh", "sort --comp=sh", "sort --random-source=x",
	     "sort --files0-from=x", "jq .", "awk 1", "sed p", "python3 -V", "cat");
	configure("{tools:{exec:{safeBins:['cat','head'],safeBinProfiles:{cat:{maxPositional:1,allowedValueFlags:['-n','--limit'],deniedFlags:['-f']},"
		  "head:{}}}}}");
	MATCH("cat", "cat word", "cat -n 3", "cat --limit=3 word", "head");
	MISS("cat a b", "cat -f x", "cat -x", "cat /etc/passwd", "cat ~x", "cat ..", "cat -n /x", "cat --limit=/x", "cat -n", "head -n 3");
}

static void test_cve_2026_28463_safe_bins_are_literal(void **state)
{
	(void)state;
	MISS("head *", "head $HOME/x", "wc ~/x", "tr a $(cat x)", "head -n `cat x`", "cut -f1 < x", "wc -l > x", "head {a,b}", "sh -c 'head $X'", "sh -c 'head *'");
}

/* A program of that name anywhere else is another program. */
static void test_threat_path_poisoning_safe_bins(void **state)
{
	(void)state;
	put_stub(&bench, bench.bin, "wc");
	MISS("wc", "wc -l");
	configure(arena_printf(bench.a, "{tools:{exec:{safeBinTrustedDirs:['%s']}}}", bench.bin));
	MATCH("wc -l");
}

static void test_cve_2026_22169_sort_runs_no_program(void **state)
{
	(void)state;
	entries("{pattern: '/usr/bin/sort'}");
	MATCH("sort x");
	MISS("sort --compress-program=sh x", "sort --compress-program sh x", "sort --compress-prog=sh", "sort x --c=sh");
}

/* ---- allow-always ---- */

static ch_status remember(const char *agent, const char *cwd, const char *text, int days)
{
	struct cmd_plan p = plan_of(text);
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bind_plan(&p, cwd);

	return exec_allow_grant(al, cfg, agent, &p, b, "ap-1", "{\"kind\":\"device\"}", days, NULL);
}

static void test_allow_always_is_exact(void **state)
{
	(void)state;
	assert_int_equal(remember("main", bench.work, "p a | q 'b c' && wc -l", 0), CH_OK);
	MATCH("p a | q 'b c' && wc -l", "p a", "q b\\ c", "q \"b c\" | p 'a'");
	MISS("p", "p a b", "p b", "q b c", "nice p a", "p a > x", "p 'a ' ");
	assert_false(matches_as("other", bench.work, "p a"));
	assert_false(matches_as("main", bench.root, "p a"));
	/* Another program under that name, the same program with other bytes. */
	put_file(arena_printf(bench.a, "%s/p", bench.bin), "#!/bin/sh\nexit 1\n", 0755);
	MISS("p a");
	MATCH("q 'b c'");
}

static void test_allow_always_wrapped(void **state)
{
	(void)state;
	assert_int_equal(remember("main", bench.work, "nice -n 2 p a", 0), CH_OK);
	MATCH("nice -n 2 p a");
	MISS("p a", "nice p a", "nice -n 3 p a");
}

static void test_allow_always_refuses_what_it_cannot_bind(void **state)
{
	static const char *const texts[] = { "p > x", "p $x", "python3 x.py", "sh -c 'p; awk 1'", "env A=b p", "nope", "p && nope", "sudo p", "find . -delete" };

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		assert_int_not_equal(remember("main", bench.work, texts[i], 0), CH_OK);
	assert_int_equal(db_tx_depth(db), 0);
	MISS("p");
	assert_int_equal(json_len(json_get(exec_allow_document(al, bench.a, &(const char *){ NULL }), "agents")), 0);
}

static bool count_grant(void *arg, const struct exec_grant *g)
{
	const char **id = arg;

	assert_string_equal(g->approval_id, "ap-1");
	assert_string_equal(g->source, "allow-always");
	*id = arena_strdup(bench.a, g->id);
	return true;
}

static void test_grants_expire_and_are_revoked(void **state)
{
	const char *id = NULL;

	(void)state;
	clock_fake(1, 1700000000000);
	assert_int_equal(remember("main", bench.work, "p a", 2), CH_OK);
	configure("{tools:{exec:{grantExpiryDays:1}}}");
	assert_int_equal(remember("main", bench.work, "q a", 0), CH_OK);
	MATCH("p a", "q a");
	clock_fake(1, 1700000000000 + DAY_MS);
	MATCH("p a");
	MISS("q a");
	clock_fake(1, 1700000000000 + 2 * DAY_MS);
	MISS("p a");
	assert_int_equal(exec_grants_list(al, 10, count_grant, &id, NULL), CH_OK);
	assert_null(id);
	configure("{}");
	assert_int_equal(remember("main", bench.work, "r a", 0), CH_OK);
	entries("{pattern: 'cat'}");                /* replaced: the grant is gone with it */
	MISS("r a");
	assert_int_equal(remember("main", bench.work, "r a", 0), CH_OK);
	assert_int_equal(exec_grants_list(al, 10, count_grant, &id, NULL), CH_OK);
	assert_non_null(id);
	MATCH("r a");
	assert_int_equal(exec_grant_revoke(al, id, NULL), CH_OK);
	MISS("r a");
	assert_int_equal(exec_grant_revoke(al, id, NULL), CH_E_NOT_FOUND);
}

/* Half a command is not remembered when the database fails. */
static void test_remembering_is_all_or_nothing(void **state)
{
	(void)state;
	for (int n = 1; n < 12; n++) {
		ch_status st;

		db_fail_nth(db, n);
		st = remember("main", bench.work, "p a && q b", 0);
		db_fail_nth(db, 0);
		if (!st)
			break;
		MISS("p a", "q b");
	}
	MATCH("p a && q b");
}

/* What is judged and remembered is what was bound, whatever lies there now. */
static void test_threat_toctou_judged_as_bound(void **state)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = NULL;
	const char *why;
	struct cmd_plan p = plan_of("p a");

	(void)state;
	assert_int_equal(bind_text(&bench, "p a", &b, NULL), CH_OK);
	put_file(arena_printf(bench.a, "%s/p", bench.bin), "#!/bin/sh\nexit 66\n", 0755);
	assert_int_equal(exec_allow_grant(al, cfg, "main", &p, b, "ap-1", NULL, 0, NULL), CH_OK);
	MISS("p a");
	assert_true(exec_allow_covers(al, cfg, "main", &p, b, bench.a, &why));
	assert_int_equal(exec_bound_check(b, NULL), CH_E_DENIED);
}

/* ---- the document ---- */

static void test_document_round_trip(void **state)
{
	const struct json *doc;
	const char *hash, *again;
	struct ch_err err = { 0 };

	(void)state;
	doc = exec_allow_document(al, bench.a, &hash);
	assert_string_equal(json_to_str(bench.a, doc), "{\"version\":1,\"defaults\":{},\"agents\":{}}");
	assert_false(exec_allow_has_document(al));
	document("{version:1,socket:{path:'/evil',token:'x'},defaults:{security:'allowlist',ask:'always',autoAllowSkills:true},agents:{"
		 "main:{askFallback:'allowlist',allowlist:[{pattern:'ls'},{pattern:'~/bin/*',argPattern:'^a$'}]},'*':{allowlist:[{pattern:'cat'}]}}}");
	assert_int_equal(remember("main", bench.work, "p a", 3), CH_OK);
	doc = exec_allow_document(al, bench.a, &hash);
	assert_null(json_get(doc, "socket"));
	assert_int_equal(json_len(json_path(doc, "agents.main.allowlist")), 3);
	assert_int_equal(json_len(json_get(json_get(json_get(doc, "agents"), "*"), "allowlist")), 1);
	/* Written back as it was read: nothing changes, and the grant keeps what the document does not show. */
	assert_int_equal(exec_allow_set_document(al, doc, hash, &err), CH_OK);
	assert_true(json_equal(doc, exec_allow_document(al, bench.a, &again)));
	assert_string_equal(again, hash);
	MATCH("p a", "ls", "cat x");
	assert_true(matches_as("other", bench.work, "cat x"));
	clock_fake(1, now_wall_ms() + 4 * DAY_MS);
	MISS("p a");
}

static void test_document_hash_is_compared(void **state)
{
	struct json *v = json_new_obj(bench.a);
	const char *hash;

	(void)state;
	json_set(bench.a, v, "version", json_new_int(bench.a, 1));
	assert_int_equal(exec_allow_set_document(al, v, "0000", NULL), CH_E_CONFLICT);
	assert_int_equal(exec_allow_set_document(al, v, NULL, NULL), CH_OK);    /* there was none */
	assert_int_equal(exec_allow_set_document(al, v, NULL, NULL), CH_E_CONFLICT);
	exec_allow_document(al, bench.a, &hash);
	assert_int_equal(exec_allow_set_document(al, v, hash, NULL), CH_OK);
}

static void test_document_refuses(void **state)
{
	static const char *const rows[][2] = {
		{ "{version:2}", "version" },
		{ "{version:1,defaults:{security:'none'}}", "file.defaults.security" },
		{ "{version:1,defaults:{ask:'sometimes'}}", "file.defaults.ask" },
		{ "{version:1,agents:{main:{askFallback:'x'}}}", "file.agents.main.askFallback" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'ls'},{pattern:''}]}}}", "file.agents.main.allowlist.1" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'a/b'}]}}}", "allowlist.0.pattern" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'/a/../b'}]}}}", "allowlist.0.pattern" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'/a/..'}]}}}", "allowlist.0.pattern" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'/a/'}]}}}", "allowlist.0.pattern" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'~'}]}}}", "allowlist.0.pattern" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'ls',argPattern:'('}]}}}", "allowlist.0.argPattern" },
		{ "{version:1,agents:{main:{allowlist:[{pattern:'ls',argPattern:'sha256:argv:00'}]}}}", "allow-always" },
	};

	(void)state;
	entries("{pattern: 'ls'}");
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct ch_err err = { 0 };

		assert_int_equal(set_document(rows[i][0], &err), CH_E_INVALID);
		if (!strstr(err.text, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], err.text);
		MATCH("ls");                        /* what was there is still there */
	}
}

static void test_patterns(void **state)
{
	static const struct { const char *pattern, *path; bool want; } rows[] = {
		{ "/a/b", "/a/b", true }, { "/a/*", "/a/b", true }, { "/a/*", "/a/b/c", false }, { "/a/**", "/a/b/c", true }, { "/a/**/c", "/a/c", true },
		{ "/a/**/c", "/a/b/d/c", true }, { "/a/**/c", "/a/bc", false }, { "/a/b*d", "/a/bcd", true }, { "/a/b*d", "/a/b/d", false },
		{ "/a/?", "/a/b", true }, { "/a?b", "/a/b", false }, { "~/x", "/home/u/x", true }, { "~/x", "/home/user/x", false },
		{ "~/**", "/home/u/a/b", true }, { "~x", "~x", false }, { "ls", "ls", true }, { "l*", "ls", true }, { "*", "/a", false },
		{ "/a/[b]", "/a/b", false }, { "/A", "/a", false }, { "/a", "/ab", false }, { "/ab", "/a", false }, { "/**", "/a/b", true },
		{ "/a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
	};

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		if (exec_pattern_matches(rows[i].pattern, rows[i].path, "/home/u/") != rows[i].want)
			fail_msg("%s %s", rows[i].pattern, rows[i].path);
	assert_false(exec_pattern_matches("~/x", "/x", NULL));
	assert_false(exec_pattern_matches("~/x", "/x", "/"));
}

static void test_cve_2026_53864_variables_are_not_covered(void **state)
{
	static const char *const harmless[] = { "TERM=dumb", "LC_ALL=C", "NO_COLOR=1", NULL };
	static const char *const rows[][2] = { { "RIPGREP_CONFIG_PATH=x" }, { "HOME=/x" }, { "TAR_OPTIONS=x" }, { "EDITOR=x" }, { "TERMINFO=x" },
					       { "LANGUAGE_X=x" }, { "LESSOPEN=x" }, { "TZ=:x" } };
	static const char *const none[] = { NULL };

	(void)state;
	assert_true(exec_env_is_harmless(harmless));
	assert_true(exec_env_is_harmless(none));
	assert_true(exec_env_is_harmless(NULL));
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_false(exec_env_is_harmless(rows[i]));
}

/* When the database fails nothing is allowed. */
static void test_fails_closed(void **state)
{
	(void)state;
	assert_int_equal(db_exec(db, "DROP TABLE exec_grants", NULL), CH_OK);
	configure("{tools:{exec:{mode:'full'}}}");
	MISS("wc -l");
	assert_int_equal(policy("main", NULL).security, EXEC_DENY);
}

#define T(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_policy_defaults_to_ask),
		T(test_policy_stricter_wins),
		T(test_policy_other_fields),
		T(test_paths),
		T(test_threat_path_poisoning_bare_names),
		T(test_threat_links_are_resolved),
		T(test_cve_2026_53855_interpreters_are_never_matched),
		T(test_cve_2026_53848_wrapper_and_inner_must_both_match),
		T(test_cve_2026_53853_arg_patterns_are_always_applied),
		T(test_use_is_noted),
		T(test_safe_bins),
		T(test_safe_bins_of_the_configuration),
		T(test_cve_2026_28463_safe_bins_are_literal),
		T(test_threat_path_poisoning_safe_bins),
		T(test_cve_2026_22169_sort_runs_no_program),
		T(test_allow_always_is_exact),
		T(test_allow_always_wrapped),
		T(test_allow_always_refuses_what_it_cannot_bind),
		T(test_grants_expire_and_are_revoked),
		T(test_remembering_is_all_or_nothing),
		T(test_threat_toctou_judged_as_bound),
		T(test_document_round_trip),
		T(test_document_hash_is_compared),
		T(test_document_refuses),
		T(test_patterns),
		T(test_cve_2026_53864_variables_are_not_covered),
		T(test_fails_closed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
