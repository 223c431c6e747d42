/*
 * exec/process: the table of commands, their output by offset and by line, how they end, who is told, what is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "exec/process.h"
#include "exec/process_priv.h"
#include "../core/in_fiber.h"

#define SOON_MS 20000
#define SOON() fiber_deadline(SOON_MS)

static struct process_host *host;
static struct arena *arena;
static struct ch_err err;
static struct {
	int count;
	char id[PROCESS_ID_MAX], tail[64];
	enum process_state state;
} told;

static void on_done(void *arg, const struct process_info *p, const char *tail, size_t len)
{
	told.count++;
	snprintf(told.id, sizeof(told.id), "%s", p->id);
	snprintf(told.tail, sizeof(told.tail), "%.*s", (int)len, tail);
	told.state = p->state;
}

static struct process *start_as(const char *agent, const char *script, struct process_start s)
{
	static const char *const env[] = { "PATH=/usr/bin:/bin", NULL };
	const char *const argv[] = { "/bin/sh", "-c", script, NULL };
	struct process *p = NULL;

	s.agent_id = agent;
	s.session_key = s.session_key ? s.session_key : "agent:main:main";
	s.command = script;
	s.host = "gateway";
	s.child.argv = argv;
	s.child.env = env;
	s.child.exe_fd = s.child.cwd_fd = -1;
	assert_int_equal(process_start(host, &s, &p, &err), CH_OK);
	return p;
}

static struct process *start(const char *script)
{
	return start_as("main", script, (struct process_start){ 0 });
}

static struct process_info info_of(const struct process *p)
{
	struct process_info i;

	process_info(p, &i);
	return i;
}

static void await_end(struct process *p)
{
	assert_int_equal(process_wait(p, UINT64_MAX, SOON()), CH_OK);
}

static struct process_text all_of(const struct process *p)
{
	struct process_text t;

	process_text(p, 0, SIZE_MAX, arena, &t);
	return t;
}

static void set_up(void)
{
	host = process_host_new(fiber_loop());
	process_host_set_ops(host, &(struct process_ops){ .on_done = on_done });
	arena = arena_new(0);
	memset(&told, 0, sizeof(told));
}

static void tear_down(void)
{
	process_host_drain(host, SOON());
	process_host_free(host);
	arena_unref(arena);
}

/* ---- output, without a process ---- */

static void add(struct process_ring *r, const char *text)
{
	ring_add(r, text, strlen(text));
}

static void test_ring_offsets(void **state)
{
	struct process_ring r;
	struct process_text t;
	char block[1000];

	arena = arena_new(0);
	ring_init(&r);
	memset(block, 'x', sizeof(block));
	for (int i = 0; i < 500; i++)
		ring_add(&r, block, sizeof(block));
	assert_int_equal(ring_end(&r), 500000);
	assert_true(r.kept.len >= PROCESS_OUTPUT_MAX && r.kept.len <= PROCESS_OUTPUT_MAX + OUTPUT_SLACK);
	ring_text(&r, 0, 10, true, arena, &t);
	assert_int_equal(t.from, r.first);
	assert_int_equal(t.len, 10);
	assert_int_equal(t.upto, t.from + 10);
	add(&r, "the end");
	ring_text(&r, 500000, 100, true, arena, &t);
	assert_string_equal(t.text, "the end");
	assert_int_equal(t.upto, 500007);
	ring_text(&r, 600000, 100, true, arena, &t);
	assert_string_equal(t.text, "");
	assert_int_equal(t.upto, 500007);
	/* More at once than is kept. */
	{
		CH_AUTO(ch_free) void *huge = ch_alloc(1 << 20);

		ring_add(&r, huge, 1 << 20);
	}
	assert_int_equal(ring_end(&r), 500007 + (1 << 20));
	assert_int_equal(r.kept.len, PROCESS_OUTPUT_MAX);
	ring_done(&r);
	arena_unref(arena);
}

static void test_ring_characters(void **state)
{
	struct process_ring r;
	struct process_text t;

	arena = arena_new(0);
	ring_init(&r);
	ring_text(&r, 0, 10, false, arena, &t);
	assert_string_equal(t.text, "");
	assert_int_equal(t.upto, 0);
	add(&r, "a\xe2\x82");
	ring_text(&r, 0, 10, false, arena, &t);
	assert_string_equal(t.text, "a");
	assert_int_equal(t.upto, 1);
	add(&r, "\xac" "b");
	ring_text(&r, 1, 10, false, arena, &t);
	assert_string_equal(t.text, "\u20acb");
	assert_int_equal(t.upto, 5);
	/* A limit does not cut a character either. */
	ring_text(&r, 0, 2, true, arena, &t);
	assert_string_equal(t.text, "a");
	/* What is no text is shown as such, and does not stop anything. */
	add(&r, "\xff\xfe\xe2");
	ring_text(&r, 5, 10, false, arena, &t);
	assert_string_equal(t.text, "\ufffd\ufffd");
	ring_text(&r, t.upto, 10, true, arena, &t);
	assert_string_equal(t.text, "\ufffd");
	assert_int_equal(t.upto, 8);
	ring_done(&r);
	arena_unref(arena);
}

static void test_modes(void **state)
{
	static const struct { const char *out; size_t len; bool has_app_keys; } rows[] = {
		{ "\033[?1h", 5, true }, { "x\033[?1l", 6, false }, { "\033[?", 3, false }, { "1h", 2, true },
		{ "\033[?1\0\0\0\0\0", 9, true }, { "\033[?12l", 6, true }, { "\033\033[?1l", 6, false },
		{ "\033[?1\033[?1h", 9, true },
	};
	struct process_modes m = { 0 };

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		modes_feed(&m, rows[i].out, rows[i].len);
		assert_int_equal(m.has_app_keys, rows[i].has_app_keys);
	}
}

static void test_ring_lines(void **state)
{
	static const struct { size_t first, count; const char *text; } rows[] = {
		{ 0, 2, "one\ntwo\n" }, { 1, 1, "two\n" }, { 2, 10, "three" }, { 0, 0, "" }, { 3, 1, "" },
		{ 0, SIZE_MAX, "one\ntwo\nthree" },
	};
	struct process_ring r;
	struct process_text t;
	size_t lines;

	arena = arena_new(0);
	ring_init(&r);
	ring_lines(&r, 0, 10, arena, &t, &lines);
	assert_int_equal(lines, 0);
	assert_string_equal(t.text, "");
	add(&r, "one\ntwo\nthree");
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		ring_lines(&r, rows[i].first, rows[i].count, arena, &t, &lines);
		assert_int_equal(lines, 3);
		assert_string_equal(t.text, rows[i].text);
	}
	ring_done(&r);
	arena_unref(arena);
}

/* ---- processes ---- */

static void outcomes(void *arg)
{
	static const struct { const char *script, *out; enum process_state state; int code, signal; } rows[] = {
		{ "echo hello; echo err >&2", "hello\nerr\n", PROCESS_DONE, 0, 0 },
		{ "exit 3", "", PROCESS_FAILED, 3, 0 },
		{ "kill -ABRT $$", "", PROCESS_FAILED, -1, SIGABRT },
	};

	set_up();
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct process *p = start(rows[i].script);
		struct process_info info;

		assert_int_equal(info_of(p).state, PROCESS_RUNNING);
		await_end(p);
		info = info_of(p);
		assert_int_equal(info.state, rows[i].state);
		assert_int_equal(info.exit_code, rows[i].code);
		assert_int_equal(info.signal, rows[i].signal);
		assert_string_equal(all_of(p).text, rows[i].out);
		assert_int_equal(process_remove(p, &err), CH_OK);
	}
	assert_int_equal(told.count, 0); /* none was in the background */
	tear_down();
}

static void in_pieces(void *arg)
{
	struct process_text t;
	struct process *p;

	set_up();
	p = start("echo one; read -r x; echo two; read -r x; echo three");
	process_background(p);
	assert_int_equal(process_wait(p, 0, SOON()), CH_OK);
	process_text(p, 0, 100, arena, &t);
	assert_string_equal(t.text, "one\n");
	process_mark_read(p, t.upto);
	assert_int_equal(info_of(p).read_upto, 4);
	assert_int_equal(process_wait(p, t.upto, fiber_deadline(1)), CH_E_TIMEOUT);
	assert_int_equal(process_input(p, "\n", 1, &err), CH_OK);
	assert_int_equal(process_wait(p, t.upto, SOON()), CH_OK);
	process_text(p, t.upto, 100, arena, &t);
	assert_string_equal(t.text, "two\n");
	assert_int_equal(process_remove(p, &err), CH_E_BUSY);
	process_eof(p);
	await_end(p);
	assert_string_equal(all_of(p).text, "one\ntwo\nthree\n");
	assert_int_equal(process_input(p, "\n", 1, &err), CH_E_EOF);
	tear_down();
}

static void killed(void *arg)
{
	struct process *p;

	set_up();
	p = start("echo x; exec sleep 1000");
	process_background(p);
	assert_int_equal(process_wait(p, 0, SOON()), CH_OK);
	process_kill(p);
	await_end(p);
	assert_int_equal(info_of(p).state, PROCESS_KILLED);
	assert_int_equal(info_of(p).signal, SIGTERM);
	assert_int_equal(told.count, 0);
	p = start("trap '' TERM; echo x; while :; do sleep 0.01; done");
	assert_int_equal(process_wait(p, 0, SOON()), CH_OK);
	process_kill_now(p);
	await_end(p);
	assert_int_equal(info_of(p).state, PROCESS_KILLED);
	assert_int_equal(info_of(p).signal, SIGKILL);
	tear_down();
}

static void timed_out(void *arg)
{
	struct process *p;

	set_up();
	p = start_as("main", "echo x; exec sleep 1000", (struct process_start){ .timeout_ms = 5000 });
	process_background(p);
	assert_int_equal(process_wait(p, 0, SOON()), CH_OK);
	clock_fake(now_mono_ms() + 5000, now_wall_ms());
	assert_int_equal(fiber_yield(), CH_OK);
	clock_real();
	while (!told.count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(info_of(p).state, PROCESS_TIMEOUT);
	assert_int_equal(told.state, PROCESS_TIMEOUT);
	assert_string_equal(told.tail, "x\n");
	tear_down();
}

/* Who is told of an end in the background, and when not. */
static void telling(void *arg)
{
	static const struct { const char *script; bool is_quiet, tells_empty; int told; } rows[] = {
		{ "echo done", false, false, 1 },
		{ "exit 1", false, false, 1 },
		{ "exit 0", false, false, 0 },
		{ "exit 0", false, true, 1 },
		{ "echo done", true, false, 0 },
	};

	set_up();
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct process *p = start_as("main", rows[i].script, (struct process_start){
								     .is_quiet = rows[i].is_quiet,
								     .tells_empty_success = rows[i].tells_empty });

		told.count = 0;
		process_background(p);
		while (info_of(p).state == PROCESS_RUNNING)
			assert_int_equal(fiber_sleep(1), CH_OK);
		assert_int_equal(told.count, rows[i].told);
		if (rows[i].told)
			assert_string_equal(told.id, info_of(p).id);
	}
	tear_down();
}

static void wait_in_vain(void *arg)
{
	(void)!process_wait(arg, UINT64_MAX, SOON());
}

/* Somebody waits for it: that is how its end is heard of. Unless the wait comes to nothing. */
static void telling_who_waits(void *arg)
{
	struct process *p;
	struct fiber *f;

	set_up();
	p = start("read -r x; echo done");
	process_background(p);
	assert_int_equal(process_input(p, "\n", 1, &err), CH_OK);
	await_end(p);
	assert_int_equal(told.count, 0);
	p = start("read -r x; echo done");
	process_background(p);
	f = fiber_spawn(fiber_loop(), "waits", FIBER_JOINABLE, wait_in_vain, p);
	assert_int_equal(fiber_yield(), CH_OK);
	fiber_cancel(f);
	assert_int_equal(fiber_join(f, SOON()), CH_OK);
	assert_int_equal(process_input(p, "\n", 1, &err), CH_OK);
	while (!told.count)
		assert_int_equal(fiber_sleep(1), CH_OK);
	tear_down();
}

static void kept(void *arg)
{
	struct process *p;
	char id[PROCESS_ID_MAX];

	set_up();
	p = start("echo x");
	process_background(p);
	snprintf(id, sizeof(id), "%s", info_of(p).id);
	await_end(p);
	assert_ptr_equal(process_find(host, "main", id), p);
	assert_null(process_find(host, "other", id));
	process_ref(p);
	clock_fake(now_mono_ms() + PROCESS_KEEP_MS + 1, now_wall_ms() + PROCESS_KEEP_MS + 1);
	assert_int_equal(fiber_yield(), CH_OK);
	clock_real();
	assert_null(process_find(host, "main", id));
	assert_string_equal(all_of(p).text, "x\n"); /* for who has a reference */
	process_unref(p);
	for (int i = 0; i < PROCESSES_KEPT_MAX + 5; i++) {
		p = start("exit 0");
		process_background(p);
		await_end(p);
	}
	{
		size_t n = host->all.len;

		p = start("exit 0");
		process_background(p);
		await_end(p);
		assert_true(host->all.len <= n + 1 && host->all.len <= PROCESSES_KEPT_MAX + 1);
	}
	tear_down();
}

static void limits(void *arg)
{
	struct process_start s = { .agent_id = "main", .session_key = "k", .command = "c", .host = "gateway",
				   .child = { .argv = (const char *const[]){ "/bin/sleep", "1000", NULL },
					      .exe_fd = -1, .cwd_fd = -1, .is_contained = true } };
	struct process *p;

	set_up();
	for (int i = 0; i < PROCESSES_MAX; i++)
		assert_int_equal(process_start(host, &s, &p, &err), CH_OK);
	assert_int_equal(process_start(host, &s, &p, &err), CH_E_LIMIT);
	assert_int_equal(process_running(host), PROCESSES_MAX);
	s.agent_id = "other";
	assert_int_equal(process_start(host, &s, &p, &err), CH_OK);
	s.child.argv = (const char *const[]){ "/nonexistent", NULL };
	assert_int_equal(process_start(host, &s, &p, &err), CH_E_NOT_FOUND);
	assert_int_equal(process_running(host), PROCESSES_MAX + 1);
	process_host_drain(host, SOON());
	assert_int_equal(process_running(host), 0);
	s.child.argv = (const char *const[]){ "/bin/sleep", "1000", NULL };
	assert_int_equal(process_start(host, &s, &p, &err), CH_E_CANCELED);      /* all is stopping */
	assert_int_equal(process_running(host), 0);
	tear_down();
}

static void sessions(void *arg)
{
	struct process *mine, *others, *ended;

	set_up();
	mine = process_ref(start_as("main", "exec sleep 1000", (struct process_start){ .session_key = "a" }));
	others = process_ref(start_as("main", "exec sleep 1000", (struct process_start){ .session_key = "b" }));
	ended = process_ref(start_as("main", "exit 0", (struct process_start){ .session_key = "a" }));
	process_background(mine);
	process_background(others);
	process_background(ended);
	await_end(ended);
	process_forget_session(host, "a", false);
	assert_int_equal(info_of(mine).state, PROCESS_RUNNING);
	assert_null(process_find(host, "main", info_of(ended).id));
	process_forget_session(host, "a", true);
	assert_int_equal(info_of(mine).state, PROCESS_KILLED);
	assert_null(process_find(host, "main", info_of(mine).id));
	assert_non_null(process_find(host, "main", info_of(others).id));
	process_unref(mine);
	process_unref(others);
	process_unref(ended);
	tear_down();
}

/* A command that writes without end costs little, and stays bounded. */
static void test_threat_flood_body(void *arg)
{
	struct process *p;
	uint64_t before;

	set_up();
	p = start("exec yes");
	assert_int_equal(process_wait(p, PROCESS_READ_MAX / 10, SOON()), CH_OK);
	assert_true(p->output.kept.cap <= PROCESS_OUTPUT_MAX + OUTPUT_SLACK + 4096);
	before = info_of(p).output_end;
	for (int i = 0; i < 20; i++)
		assert_int_equal(fiber_yield(), CH_OK);
	assert_true(info_of(p).output_end - before <= PROCESS_READ_MAX / 10 + (64u << 10));
	process_kill(p);
	await_end(p);
	assert_int_equal(info_of(p).state, PROCESS_KILLED);
	tear_down();
}

static void idle_input(void *arg)
{
	struct process *p;

	set_up();
	p = start("read -r x");
	assert_true(info_of(p).takes_input);
	assert_false(info_of(p).may_wait_for_input);
	clock_fake(now_mono_ms() + PROCESS_IDLE_MS, now_wall_ms());
	assert_true(info_of(p).may_wait_for_input);
	clock_real();
	process_eof(p);
	assert_false(info_of(p).takes_input);
	await_end(p);
	tear_down();
}

#define IN_FIBER(name)                            \
	static void test_##name(void **state)     \
	{                                         \
		in_fiber(name, NULL);             \
	}
IN_FIBER(outcomes)
IN_FIBER(in_pieces)
IN_FIBER(killed)
IN_FIBER(timed_out)
IN_FIBER(telling)
IN_FIBER(telling_who_waits)
IN_FIBER(kept)
IN_FIBER(limits)
IN_FIBER(sessions)
IN_FIBER(idle_input)

static void test_threat_flood(void **state)
{
	in_fiber(test_threat_flood_body, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ring_offsets),
		cmocka_unit_test(test_ring_characters),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_ring_lines),
		cmocka_unit_test(test_outcomes),
		cmocka_unit_test(test_in_pieces),
		cmocka_unit_test(test_killed),
		cmocka_unit_test(test_timed_out),
		cmocka_unit_test(test_telling),
		cmocka_unit_test(test_telling_who_waits),
		cmocka_unit_test(test_kept),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_sessions),
		cmocka_unit_test(test_threat_flood),
		cmocka_unit_test(test_idle_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
