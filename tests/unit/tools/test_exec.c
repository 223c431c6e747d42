/*
 * tools/exec: where a command runs, who is asked, what stands in the way, what its end is called.
 */
#include "../store/scratch.h"

#include "../core/in_fiber.h"
#include "approvals/approval.h"
#include "config/config.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/allow.h"
#include "exec/process.h"
#include "tools/command_ops.h"
#include "tools/exec.h"
#include "tools/table.h"
#include "../temp_dir.h"

#define SOON() fiber_deadline(20000)
#define HOST_FULL "{agents:{defaults:{sandbox:{mode:'off'}}},tools:{exec:{mode:'full'}}}"
#define HOST_ASK "{agents:{defaults:{sandbox:{mode:'off'}}},tools:{exec:{mode:'ask'}}}"
#define HOST_ALLOWLIST "{agents:{defaults:{sandbox:{mode:'off'}}},tools:{exec:{mode:'allowlist'}}}"

static struct db *db;
static struct arena *arena;
static struct approvals *ap;
static struct tool_host host;
static struct tool_grant grant;
static struct config *config;
static enum approval_decision reply;     /* to the next question; 0: it is left open */
static bool reachable, is_closing;
static int asked_count, woken_count, late_count;
static void (*late_fn)(void *arg);
static char asked_id[64], woken[2048], workspace[64];
static struct json *last_request, *last_presentation;

static struct tool_ctx ctx;
static struct tool_result result;

static void on_event(void *arg, enum approval_event ev, const struct approval *row)
{
	if (ev != APPROVAL_EV_REQUESTED)
		return;
	asked_count++;
	snprintf(asked_id, sizeof(asked_id), "%s", row->id);
	last_request = json_clone(arena, row->request);
	last_presentation = json_clone(arena, row->presentation);
}

static bool is_reachable(void *arg, const char *session_key, struct arena *a, const char **ret_way_out)
{
	*ret_way_out = "open the page";
	return reachable;
}

static void on_orphan(void *arg, const struct approval *row)
{
	exec_resume(&host, row);
}

static const struct approval_ops approval_ops = { .on_event = on_event, .is_reachable = is_reachable, .on_orphan = on_orphan };

static struct config *get_config(void *arg)
{
	return config;
}

static bool closing(void *arg)
{
	return is_closing;
}

static void spawned(void *arg)
{
	late_fn(arg);
	late_count--;
}

static void spawn(void *arg, const char *name, void (*fn)(void *fn_arg), void *fn_arg)
{
	late_fn = fn;
	late_count++;
	fiber_spawn(fiber_loop(), name, FIBER_DETACHED, spawned, fn_arg);
}

static ch_status wake(void *arg, const struct tool_wake *w, struct ch_err *e)
{
	woken_count++;
	snprintf(woken, sizeof(woken), "%s %s %s", w->kind, w->is_tainted ? "tainted" : "clean", w->text);
	return CH_OK;
}

static void on_process_done(void *arg, const struct process_info *p, const char *tail, size_t len)
{
	exec_on_done(&host, p, tail, len);
}

static void configure(const char *text)
{
	config_unref(config);
	config = NULL;
	ASSERT_OK(config_parse(text, strlen(text), NULL, &config, err));
}

/* Answers when the question is there; the call waits meanwhile. */
static void answering(void *arg)
{
	struct approval row;
	struct approval_resolver by = { .kind = "device", .id = "d1", .name = "Ada" };
	int before = *(int *)arg;

	while (asked_count == before)
		if (fiber_sleep(1))
			return;
	if (reply)
		ASSERT_OK(approval_resolve(ap, asked_id, reply, &by, arena, &row, err));
}

static void begin(void)
{
	host = (struct tool_host){ .config = get_config, .wake = wake, .is_closing = closing, .spawn = spawn, .loop = fiber_loop() };
	grant = (struct tool_grant){ .is_owner = true };
	reachable = true;
	is_closing = false;
	reply = APPROVAL_NONE;
	asked_count = woken_count = 0;
	arena = arena_new(0);
	temp_dir_make(workspace, "exec");
	ASSERT_OK(db_open(scratch_db, DB_CREATE, &db, err));
	ASSERT_OK(approvals_open(fiber_loop(), db, &ap, err));
	approvals_set_ops(ap, &approval_ops);
	ASSERT_OK(exec_allow_open(db, &host.exec_allow, err));
	host.approvals = ap;
	host.processes = process_host_new(fiber_loop());
	process_host_set_ops(host.processes, &(struct process_ops){ .on_done = on_process_done });
	configure(HOST_FULL);
}

static void end(void)
{
	process_host_drain(host.processes, SOON());
	process_host_free(host.processes);
	exec_allow_free(host.exec_allow);
	approvals_free(ap);
	db_close(db);
	config_unref(config);
	config = NULL;
	arena_unref(arena);
	assert_int_equal(rmdir(workspace), 0);
}

/* The text of the result or, when there is none, of the error. */
static const char *exec(const char *args_json)
{
	struct json *args = NULL;
	struct fiber *f;
	int before = asked_count;
	ch_status st;

	result = (struct tool_result){ 0 };
	ctx = (struct tool_ctx){ .tool = &tool_exec, .agent_id = "main", .session_key = "agent:main:main", .session_id = "s",
				 .run_id = "r", .tool_call_id = "c", .workspace = workspace, .workspace_fd = -1,
				 .arena = arena, .host = &host, .grant = &grant };
	ASSERT_OK(json_parse(arena, args_json, strlen(args_json), JSON_JSON5, &args, err));
	ASSERT_OK(tool_check_args(&tool_exec, args, err));
	f = fiber_spawn(fiber_loop(), "answers", FIBER_JOINABLE, answering, &before);
	st = tool_exec.run(&ctx, args, &result, &scratch_err);
	fiber_cancel(f);
	fiber_mask(+1);
	assert_int_equal(fiber_join(f, SOON()), CH_OK);
	fiber_mask(-1);
	return st ? arena_strdup(arena, scratch_err.text) : json_str(json_path(result.content, "0.text"));
}

#define ASSERT_SAYS(args, part)                                                            \
	do {                                                                               \
		const char *said_ = exec(args);                                            \
		if (!strstr(said_, part))                                                  \
			fail_msg("%s: \"%s\" is not in \"%s\"", args, part, said_);        \
	} while (0)

static void modes(void *arg)
{
	begin();
	ASSERT_SAYS("{command:'echo $((1+1))'}", "2\n");
	assert_int_equal(asked_count, 0);
	configure(HOST_ASK);
	reply = APPROVAL_ALLOW_ONCE;
	ASSERT_SAYS("{command:'echo $((1+1))'}", "2\n");
	assert_int_equal(asked_count, 1);
	reply = APPROVAL_DENY;
	ASSERT_SAYS("{command:'echo x'}", "user-denied): echo x");
	assert_true(result.is_error);
	configure(HOST_ALLOWLIST);
	ASSERT_SAYS("{command:'touch x'}", "Exec denied (allowlist-miss): touch x");
	configure("{tools:{exec:{mode:'deny'}}}");
	ASSERT_SAYS("{command:'echo x'}", "security=deny");
	configure(HOST_FULL);
	grant.mode = TOOL_MODE_READ_ONLY;
	ASSERT_SAYS("{command:'echo x'}", "read-only");
	grant.mode = TOOL_MODE_GUARDED;
	ASSERT_SAYS("{command:'touch x'}", "user-denied");
	grant.mode = TOOL_MODE_UNSET;
	/* The call can only be stricter. */
	ASSERT_SAYS("{command:'touch x',ask:'always'}", "user-denied");
	configure(HOST_ASK);
	ASSERT_SAYS("{command:'touch x',ask:'off'}", "user-denied");
	end();
}

/* Text from outside may be what wants it: always a person's word, whatever the mode and the list say. */
static void threat_taint_asks(void *arg)
{
	begin();
	grant.is_tainted = true;
	reply = APPROVAL_DENY;
	ASSERT_SAYS("{command:'touch x'}", "user-denied");
	assert_non_null(strstr(json_get_str(last_request, "warningText"), "outside"));
	assert_int_equal(json_len(json_get(last_request, "allowedDecisions")), 2);
	grant.mode = TOOL_MODE_FULL;
	ASSERT_SAYS("{command:'touch x'}", "user-denied");
	reachable = false;
	ASSERT_SAYS("{command:'touch x'}", "no-approver");
	assert_int_equal(asked_count, 2);
	end();
}

static void threat_no_sandbox_is_said(void *arg)
{
	begin();
	/* A backend that is not here: the sandbox is configured and cannot be had. */
	configure("{agents:{defaults:{sandbox:{mode:'all',backend:'docker'}}},tools:{exec:{mode:'full'}}}");
	reply = APPROVAL_DENY;
	ASSERT_SAYS("{command:'touch x'}", "user-denied");
	assert_non_null(strstr(json_get_str(last_presentation, "warningText"), "no sandbox"));
	reply = APPROVAL_ALLOW_ONCE;
	ASSERT_SAYS("{command:'echo x'}", "there is no sandbox");
	ASSERT_SAYS("{command:'echo x',host:'sandbox'}", "was not run");
	reachable = false;
	ASSERT_SAYS("{command:'touch x'}", "no-approver");
	end();
}

static void places(void *arg)
{
	begin();
	ASSERT_SAYS("{command:'echo x',host:'sandbox'}", "no sandbox");
	ASSERT_SAYS("{command:'echo x',host:'node'}", "nodes");
	ASSERT_SAYS("{command:'pwd',workdir:'/usr'}", "/usr\n");
	ASSERT_SAYS("{command:'pwd'}", workspace);
	ASSERT_SAYS("{command:'pwd',workdir:'/nonexistent'}", "workdir");
	ASSERT_SAYS("{command:'pwd',workdir:'/etc/passwd'}", "no directory");
	ASSERT_SAYS("{command:'  '}", "command");
	ASSERT_SAYS("{command:'/approve x allow-once'}", "people");
	end();
}

static void elevated(void *arg)
{
	static const char on[] = "{agents:{defaults:{sandbox:{mode:'all'}}},tools:{exec:{mode:'full'},elevated:{enabled:true,"
				 "allowFrom:{telegram:['id:7','8']}}}}";

	begin();
	configure("{agents:{defaults:{sandbox:{mode:'all'}}},tools:{exec:{mode:'full'},elevated:{enabled:false}}}");
	ASSERT_SAYS("{command:'pwd',workdir:'/usr',elevated:true}", "tools.elevated");
	ASSERT_SAYS("{command:'pwd',workdir:'/usr',host:'gateway'}", "sandbox");
	/* The configuration says nothing: mode "full" is not for leaving the sandbox. */
	configure("{agents:{defaults:{sandbox:{mode:'all'}}},tools:{exec:{mode:'full'}}}");
	reply = APPROVAL_DENY;
	ASSERT_SAYS("{command:'pwd',workdir:'/usr',elevated:true}", "user-denied");
	configure(on);
	reply = APPROVAL_ALLOW_ONCE; /* where there is no sandbox it is asked for all the same */
	ASSERT_SAYS("{command:'pwd',workdir:'/usr',elevated:true}", "/usr\n");
	grant.is_owner = false;
	ASSERT_SAYS("{command:'pwd',workdir:'/usr',elevated:true}", "tools.elevated");
	grant.channel = "telegram";
	grant.sender = "7";
	ASSERT_SAYS("{command:'pwd',workdir:'/usr',elevated:true}", "/usr\n");
	grant.sender = "9";
	ASSERT_SAYS("{command:'pwd',workdir:'/usr',elevated:true}", "tools.elevated");
	end();
}

static void threat_environment(void *arg)
{
	static const char *const refused[] = { "PATH", "LD_PRELOAD", "DYLD_X", "NODE_OPTIONS", "PYTHONSTARTUP", "BASH_ENV", "ENV",
					       "GIT_SSH_COMMAND", "OPENCLAW_SHELL", "A B", "" };

	begin();
	for (size_t i = 0; i < CH_ARRAY_LEN(refused); i++)
		ASSERT_SAYS(arena_printf(arena, "{command:'echo x',env:{'%s':'y'}}", refused[i]), "env");
	ASSERT_SAYS("{command:'echo x',env:{A:1}}", "env");
	ASSERT_SAYS("{command:'echo \"$A $GIT_PAGER\"',env:{A:'b',GIT_PAGER:'cat'}}", "b \n");
	setenv("CHELA_TEST_SECRET", "canary", 1);
	grant.channel = "telegram";
	grant.sender = "7";
	ASSERT_SAYS("{command:'env'}", "OPENCLAW_CHANNEL_CONTEXT={\"channel\":\"telegram\",\"senderId\":\"7\"}");
	assert_null(strstr(exec("{command:'env'}"), "canary"));
	unsetenv("CHELA_TEST_SECRET");
	configure("{agents:{defaults:{sandbox:{mode:'off'}}},tools:{exec:{mode:'full',pathPrepend:['/opt/a','b','/opt/c']}}}");
	ASSERT_SAYS("{command:'echo $PATH'}", "/opt/a:/opt/c:/usr/local/");
	end();
}

static void what_is_shown(void *arg)
{
	begin();
	configure(HOST_ASK);
	reply = APPROVAL_ALLOW_ONCE;
	ASSERT_SAYS("{command:'echo x'}", "x");
	assert_null(strstr(json_get_str(last_request, "command"), "\\u"));
	assert_string_equal(json_get_str(last_request, "cwd"), workspace);
	assert_string_equal(json_get_str(last_presentation, "commandText"), "echo x");
	assert_int_equal(json_get_int(json_path(last_request, "commandSpans.0"), "endIndex", 0), 6);
	end();
}

static void in_waiting(void *arg)
{
	reply = APPROVAL_NONE;
	(void)exec("{command:'echo late'}");
}

/* Cancelled: its question is taken back. The gateway going down: it stays, and is carried out once when it is answered. */
static void waits_end(void *arg)
{
	struct approval row;
	struct approval_resolver by = { .kind = "device", .id = "d1", .name = "Ada" };
	struct fiber *f;

	begin();
	configure(HOST_ASK);
	for (int i = 0; i < 2; i++) {
		int before = asked_count;

		is_closing = i == 1;
		f = fiber_spawn(fiber_loop(), "waits", FIBER_JOINABLE, in_waiting, NULL);
		while (asked_count == before)
			assert_int_equal(fiber_sleep(1), CH_OK);
		assert_int_equal(fiber_sleep(1), CH_OK);
		fiber_cancel(f);
		assert_int_equal(fiber_join(f, SOON()), CH_OK);
		ASSERT_OK(approval_find(ap, asked_id, arena, &row, err));
		assert_int_equal(row.status, is_closing ? APPROVAL_PENDING : APPROVAL_CANCELLED);
	}
	is_closing = false;              /* as after the next start, which ends as the yes comes: it stays allowed */
	ASSERT_OK(approval_resolve(ap, asked_id, APPROVAL_ALLOW_ONCE, &by, arena, &row, err));
	is_closing = true;
	while (late_count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	ASSERT_OK(approval_find(ap, asked_id, arena, &row, err));
	assert_int_equal(row.status, APPROVAL_ALLOWED);
	assert_int_equal(row.claimed_at, 0);
	assert_int_equal(woken_count, 0);
	is_closing = false;
	approvals_recover(ap);
	while (!woken_count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_non_null(strstr(woken, "approval tainted [OpenClaw exec completion]"));
	assert_non_null(strstr(woken, "late\n"));
	ASSERT_OK(approval_find(ap, asked_id, arena, &row, err));
	assert_int_equal(approval_claim(ap, asked_id, &scratch_err), CH_E_CONFLICT);
	exec_resume(&host, &row);
	while (late_count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(woken_count, 1);
	end();
}

/* -- a late yes on record -- */

static char kept[512];
static bool keep_fails;

static ch_status keep_record(void *arg, const struct command_record *c, struct ch_err *e)
{
	size_t n = strlen(kept);

	snprintf(kept + n, sizeof(kept) - n, "%s%s %s %d;", n ? " " : "", *c->process ? "named" : "unnamed", c->wake_kind,
		 db_tx_depth(db) > 0);
	assert_string_equal(c->wake_id, asked_id);
	return keep_fails ? ch_fail(e, CH_E_IO, "the disk is full") : CH_OK;
}

static void settle_record(void *arg, const char *id)
{
	size_t n = strlen(kept);

	snprintf(kept + n, sizeof(kept) - n, " settled after %d;", woken_count);
}

static const char *workspace_of(void *arg, const char *agent_id, struct arena *a)
{
	return workspace;
}

static const struct tool_command_ops record_ops = { .workspace = workspace_of, .keep = keep_record, .settle = settle_record };

/* A question that its run has left open, as a restart leaves it. */
static void leave_open(void)
{
	int before = asked_count;
	struct fiber *f;

	host.command_ops = NULL;
	is_closing = true;
	f = fiber_spawn(fiber_loop(), "waits", FIBER_JOINABLE, in_waiting, NULL);
	while (asked_count == before)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(fiber_sleep(1), CH_OK);
	fiber_cancel(f);
	assert_int_equal(fiber_join(f, SOON()), CH_OK);
	is_closing = false;
	host.command_ops = &record_ops;
	kept[0] = '\0';
	woken_count = 0;
}

static struct approval say_yes(void)
{
	struct approval_resolver by = { .kind = "device", .id = "d1", .name = "Ada" };
	struct approval row;

	ASSERT_OK(approval_resolve(ap, asked_id, APPROVAL_ALLOW_ONCE, &by, arena, &row, err));
	while (late_count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	ASSERT_OK(approval_find(ap, asked_id, arena, &row, err));
	return row;
}

/* Killed at any moment from the claim on, its session hears of it: the record is on disk with the claim. */
static void late_yes_is_on_record(void *arg)
{
	struct approval row;

	begin();
	configure(HOST_ASK);
	leave_open();
	row = say_yes();
	assert_string_equal(kept, "unnamed approval 1; named approval 0;");
	assert_int_equal(woken_count, 1);
	assert_true(row.claimed_at > 0 && row.done_at > 0);
	/* Without the record no claim, and nothing runs. */
	leave_open();
	keep_fails = true;
	row = say_yes();
	keep_fails = false;
	assert_string_equal(kept, "unnamed approval 1;");
	assert_int_equal(row.claimed_at, 0);
	assert_int_equal(process_running(host.processes), 0);
	assert_int_equal(woken_count, 0);
	/* What may not run any more: the record goes when that was told. */
	leave_open();
	configure("{agents:{defaults:{sandbox:{mode:'off'}}},tools:{exec:{mode:'deny'}}}");
	row = say_yes();
	assert_string_equal(kept, "unnamed approval 1; settled after 1;");
	assert_non_null(strstr(woken, "did not run"));
	assert_true(row.done_at > 0);
	host.command_ops = NULL;
	end();
}

static void in_foreground(void *arg)
{
	(void)exec("{command:'sleep 1000 & echo $! > pid; wait'}");
}

/* Stopped in the foreground: all of the command goes, too. */
static void stopped(void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct fiber *f;
	const char *file;

	begin();
	file = arena_printf(a, "%s/pid", workspace);
	f = fiber_spawn(fiber_loop(), "runs", FIBER_JOINABLE, in_foreground, NULL);
	while (access(file, F_OK))
		assert_int_equal(fiber_sleep(1), CH_OK);
	fiber_cancel(f);
	assert_int_equal(fiber_join(f, SOON()), CH_OK);
	assert_int_equal(process_running(host.processes), 0);
	assert_int_equal(unlink(file), 0);
	end();
}

static void background(void *arg)
{
	begin();
	ASSERT_SAYS("{command:'sleep 0.1; echo the end',background:true}", "in the background as");
	assert_string_equal(json_get_str(result.details, "status"), "running");
	while (!woken_count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_non_null(strstr(woken, "exec clean"));
	assert_non_null(strstr(woken, "the end"));
	grant.depth = 1; /* a sub-agent collects its results itself */
	ASSERT_SAYS("{command:'sleep 0.1; echo the end',yieldMs:10}", "in the background as");
	while (process_running(host.processes))
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(woken_count, 1);
	end();
}

/* What a peer may have said is marked, and so is its end. */
static void outside(void *arg)
{
	begin();
	(void)exec("{command:'curl --version'}");
	assert_true(ctx.is_outside);
	(void)exec("{command:'echo curl'}");
	assert_false(ctx.is_outside);
	(void)exec("{command:'nice /usr/bin/wget --version | head -1'}");
	assert_true(ctx.is_outside);
	end();
}

/* What the owner says while the question is open counts, not what stood there when it was asked. */
static void shut_door(void *arg)
{
	while (!asked_count)
		if (fiber_sleep(1))
			return;
	configure("{agents:{defaults:{sandbox:{mode:'off'}}},tools:{exec:{mode:'deny'}}}");
}

static void threat_late_yes_after_deny(void *arg)
{
	struct fiber *f;

	begin();
	configure(HOST_ASK);
	reply = APPROVAL_ALLOW_ONCE;
	f = fiber_spawn(fiber_loop(), "shuts", FIBER_JOINABLE, shut_door, NULL);
	ASSERT_SAYS("{command:'touch x'}", "policy-changed");
	assert_int_equal(fiber_join(f, SOON()), CH_OK);
	end();
}

/* A yes that comes while all stops is left for the next start: neither lost nor carried out by half. */
static void yes_while_closing(void *arg)
{
	struct approval_resolver by = { .kind = "device", .id = "d1" };
	struct fiber *f;
	struct approval row;

	begin();
	configure(HOST_ASK);
	f = fiber_spawn(fiber_loop(), "runs", FIBER_JOINABLE, in_foreground, NULL);
	while (!asked_count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	is_closing = true;
	fiber_cancel(f);
	assert_int_equal(fiber_join(f, SOON()), CH_OK);
	ASSERT_OK(approval_resolve(ap, asked_id, APPROVAL_ALLOW_ONCE, &by, arena, &row, err));
	assert_int_equal(fiber_sleep(20), CH_OK);
	ASSERT_OK(approval_find(ap, asked_id, arena, &row, err));
	assert_int_equal(row.status, APPROVAL_ALLOWED);
	assert_int_equal(row.claimed_at, 0);
	assert_int_equal(process_running(host.processes), 0);
	end();
}

#define IN_FIBER(name)                            \
	static void test_##name(void **state)     \
	{                                         \
		in_fiber(name, NULL);             \
	}
IN_FIBER(modes)
IN_FIBER(threat_taint_asks)
IN_FIBER(threat_no_sandbox_is_said)
IN_FIBER(places)
IN_FIBER(elevated)
IN_FIBER(threat_environment)
IN_FIBER(what_is_shown)
IN_FIBER(waits_end)
IN_FIBER(late_yes_is_on_record)
IN_FIBER(stopped)
IN_FIBER(background)
IN_FIBER(outside)
IN_FIBER(threat_late_yes_after_deny)
IN_FIBER(yes_while_closing)

#define WITH_SCRATCH(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_SCRATCH(test_modes),
		WITH_SCRATCH(test_threat_taint_asks),
		WITH_SCRATCH(test_threat_no_sandbox_is_said),
		WITH_SCRATCH(test_places),
		WITH_SCRATCH(test_elevated),
		WITH_SCRATCH(test_threat_environment),
		WITH_SCRATCH(test_what_is_shown),
		WITH_SCRATCH(test_waits_end),
		WITH_SCRATCH(test_late_yes_is_on_record),
		WITH_SCRATCH(test_stopped),
		WITH_SCRATCH(test_background),
		WITH_SCRATCH(test_outside),
		WITH_SCRATCH(test_threat_late_yes_after_deny),
		WITH_SCRATCH(test_yes_while_closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
