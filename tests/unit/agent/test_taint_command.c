/*
 * Commands and the files that hold text from outside: which of them may have read one, what they wrote, and what becomes of that
 * when the gateway is killed meanwhile.
 */
#include "agent_fixture.h"

#include <fcntl.h>

#include "agent/host.h"
#include "agent/running.h"
#include "agent/taint_command.h"
#include "core/file.h"
#include "exec/command.h"
#include "exec/process.h"

#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, DONE };

/* -- the workspace of a test -- */

static const char *at(struct fixture *f, const char *rel)
{
	return arena_printf(f->arena, "%s/ws%s%s", f->base, *rel ? "/" : "", rel);
}

static void put(struct fixture *f, const char *rel)
{
	const char *path = at(f, rel);
	const char *slash = strrchr(path, '/');

	assert_int_equal(file_mkdirs(arena_strndup(f->arena, path, (size_t)(slash - path)), 0755, &f->err), CH_OK);
	assert_int_equal(file_write_atomic(path, "x\n", 2, 0644, &f->err), CH_OK);
}

static void mark(struct fixture *f, const char *rel)
{
	assert_int_equal(taint_mark(f->db, at(f, ""), rel, KEY, "https://evil.example", &f->err), CH_OK);
}

/* Files' times come from the system, so the clock is real here. Text of now is not older than what is changed from now on. */
static void begin(struct fixture *f)
{
	clock_real();
	put(f, "clean.txt");
	put(f, "sub/clean.txt");
}

static int64_t later(void)
{
	struct timespec tick = { .tv_nsec = 20000000 };

	nanosleep(&tick, NULL); /* the clock of files' times stands still for some milliseconds */
	return changed_now_ms();
}

/* -- what a command reads -- */

static bool reads_in(struct fixture *f, const char *cwd, const char *command)
{
	struct cmd_plan plan;
	struct command_reach reach = { .root = at(f, ""), .cwd = at(f, cwd), .plan = &plan };
	const char *source = NULL;
	bool reads;

	assert_int_equal(cmd_parse(command, strlen(command), f->arena, &plan, &f->err), CH_OK);
	reads = taint_command_reads(f->host, &reach, f->arena, &source);
	assert_int_equal(reads, source != NULL);
	return reads;
}

static void assert_reads(struct fixture *f, const char *command, bool expected)
{
	if (reads_in(f, "", command) != expected)
		fail_msg("%s: %s", command, expected ? "is taken to read nothing from outside" : "is taken to read it");
}

static void test_threat_laundering_by_a_command_that_reads(void **state)
{
	static const char *const reading[] = {
		"cat evil.txt", "cat clean.txt evil.txt", "cat ./sub/../evil.txt", "head -n 3 evil.txt", "head -n3 clean.txt && tail evil.txt",
		"cp evil.txt copy.txt", "mv evil.txt sub/b.txt", "ln evil.txt b.txt", "cat link", "cat sub/link", "grep -e x evil.txt",
		"grep -fevil.txt clean.txt", "sort --output=evil.txt clean.txt", "wc --files0-from=clean.txt", "cut -c1 < evil.txt",
		"cat *", "cat e*", "cat $X", "cat ~/x", "cat $(echo evil.txt)", "echo `cat evil.txt`", "X=evil.txt; cat $X", "ls", "ls -la",
		"ls .", "ls sub/..", "ls deep", "ls -R deep/er", "grep -r x", "grep -r x sub", "grep x sub", "cp -r sub sub2", "mv deep other",
		"find . -type f", "find . -exec cat {} +", "awk 1 clean.txt", "sed -n p clean.txt", "sh -c 'cat evil.txt'", "sh script.sh",
		"./clean.txt", "python3 -c 'print(open(\"evil\"+\".txt\").read())'", "make", "git log", "tar cf - .", "xargs cat", "cat < evil.txt",
		"cat <<E\nx\nE", "env cat clean.txt", "date -f clean.txt", "file -f clean.txt", "md5sum -c clean.txt", "rg x", "tac evil.txt", "deep/cat x",
		"cat /proc/self/cwd/evil.txt", "exec 3<evil.txt", "while read x; do echo $x; done", "cat 'evil.txt'", "cat ev\\il.txt", "\"cat\" evil.txt",
	};
	static const char *const harmless[] = {
		"cat clean.txt", "echo hello", "date", "cat sub/clean.txt | wc -l", "ls sub", "mkdir -p new/dir", "touch new.txt", "test -f clean.txt",
		"head -n 3 clean.txt", "cp clean.txt other.txt", "grep -e x clean.txt", "echo a && echo b; pwd", "cat missing.txt", "sleep 0",
		"/bin/cat clean.txt", "cat 'clean.txt'", "cat /etc/hostname", "sh -c 'cat clean.txt'",
	};
	struct fixture *f = *state;

	begin(f);
	put(f, "evil.txt");
	put(f, "deep/er/evil2.txt");
	assert_int_equal(symlink("evil.txt", at(f, "link")), 0);
	assert_int_equal(symlink("../evil.txt", at(f, "sub/link")), 0);
	for (size_t i = 0; i < CH_ARRAY_LEN(reading); i++)
		assert_reads(f, reading[i], false);      /* nothing is marked yet */
	mark(f, "evil.txt");
	mark(f, "deep/er/evil2.txt");
	for (size_t i = 0; i < CH_ARRAY_LEN(reading); i++)
		assert_reads(f, reading[i], true);
	for (size_t i = 0; i < CH_ARRAY_LEN(harmless); i++)
		assert_reads(f, harmless[i], false);
	assert_true(reads_in(f, "deep/er", "cat ../../evil.txt"));
	assert_true(reads_in(f, "deep", "ls"));
	assert_false(reads_in(f, "sub", "ls"));
	/* What is gone cannot be read. */
	assert_int_equal(unlink(at(f, "evil.txt")), 0);
	assert_int_equal(unlink(at(f, "deep/er/evil2.txt")), 0);
	assert_reads(f, "make", false);
	assert_reads(f, "ls", false);
}

/* On the host other places are in reach, too. */
static void files_beyond_the_workspace(void **state)
{
	struct fixture *f = *state;
	struct command_reach sandboxed = { .root = at(f, ""), .cwd = at(f, "") }, host = sandboxed;
	const char *other = arena_printf(f->arena, "%s/other.txt", f->base), *source = NULL;

	begin(f);
	host.sees_all = true;
	assert_int_equal(file_write_atomic(other, "x", 1, 0644, &f->err), CH_OK);
	assert_int_equal(taint_mark(f->db, at(f, ""), other, KEY, NULL, &f->err), CH_OK);
	assert_false(taint_command_reads(f->host, &sandboxed, f->arena, &source));
	assert_true(taint_command_reads(f->host, &host, f->arena, &source));
}

/* -- what a command writes -- */

static const char *marked(struct fixture *f)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	CH_AUTO_BUF struct buf out = { 0 };
	bool found;

	buf_init(&out, 1u << 20);
	assert_int_equal(db_prep(f->db, "SELECT path FROM tainted_files WHERE workspace = ?1 ORDER BY path", &row, &f->err), CH_OK);
	db_bind_text(row, 1, at(f, ""));
	while (!db_step(row, &found, &f->err) && found)
		buf_printf(&out, "%s%s", out.len ? " " : "", db_text(row, 0));
	return arena_strdup(f->arena, buf_str(&out));
}

static bool is_tainted(struct fixture *f, const char *rel)
{
	const char *source;

	return taint_find_file(f->db, at(f, ""), rel, f->arena, &source);
}

static struct command_record record_of(struct fixture *f, const char *id)
{
	return (struct command_record){ .id = id, .session_key = KEY, .command = "make", .root = at(f, ""), .source = "https://evil.example",
					.since_ms = later() };
}

static void keep(struct fixture *f, const struct command_record *r)
{
	assert_int_equal(running_keep(f->host, r, &f->err), CH_OK);
}

static void written_body(struct fixture *f)
{
	struct command_record r;
	const char *source = NULL;
	struct command_reach reach = { .root = at(f, ""), .cwd = at(f, "") };

	begin(f);
	assert_false(taint_command_reads(f->host, &reach, f->arena, &source));
	r = record_of(f, "one");
	keep(f, &r);
	/* While it runs, what changes counts, and what did not change does not. */
	put(f, "sub/new.txt");
	assert_int_equal(mkdir(at(f, "made"), 0755), 0);
	assert_int_equal(symlink("/etc/passwd", at(f, "pointer")), 0);
	assert_int_equal(link(at(f, "clean.txt"), at(f, "second name")), 0);
	assert_true(is_tainted(f, "sub/new.txt"));
	assert_false(is_tainted(f, "sub/clean.txt"));
	assert_true(taint_command_reads(f->host, &reach, f->arena, &source));
	/* A file that is given an old time by whoever writes it. */
	put(f, "dated.txt");
	assert_int_equal(utimensat(AT_FDCWD, at(f, "dated.txt"), (struct timespec[]){ { .tv_sec = 1 }, { .tv_sec = 1 } }, 0), 0);
	running_settle(f->host, "one");
	assert_string_equal(marked(f), "clean.txt dated.txt made pointer second name sub/new.txt");
	/* Later changes are somebody else's. */
	(void)later();
	put(f, "after.txt");
	assert_false(is_tainted(f, "after.txt"));
	running_settle(f->host, "one");
}

static void test_threat_laundering_by_a_command_that_writes(void **state)
{
	fx_run(*state, NULL, written_body);
}

/* A folder that is moved keeps the times of its files, and their marks find them. */
static void moved_body(struct fixture *f)
{
	struct command_record r;

	begin(f);
	put(f, "deep/er/evil.txt");
	put(f, "deep/er/good.txt");
	put(f, "clone/a/b");
	mark(f, "deep/er/evil.txt");
	mark(f, "clone/");
	(void)later();
	r = record_of(f, "one");
	keep(f, &r);
	assert_int_equal(rename(at(f, "deep"), at(f, "sub/elsewhere")), 0);
	assert_int_equal(rename(at(f, "clone"), at(f, "mine")), 0);
	running_settle(f->host, "one");
	assert_true(is_tainted(f, "sub/elsewhere/er/evil.txt"));
	assert_true(is_tainted(f, "mine/a/b"));
	assert_false(is_tainted(f, "clean.txt"));
	assert_null(strstr(marked(f), "deep/"));
	assert_null(strstr(marked(f), "clone/"));
}

static void test_threat_laundering_by_moving_a_folder(void **state)
{
	fx_run(*state, NULL, moved_body);
}

/* More than can be listed: folders of the top stand for what was in them then. */
static void many_body(struct fixture *f)
{
	struct command_record r;

	begin(f);
	put(f, "tree/old.txt");
	r = record_of(f, "one");
	keep(f, &r);
	for (int i = 0; i < CHANGED_MAX + 10; i++)
		put(f, arena_printf(f->arena, "tree/d%d/f", i));
	put(f, "top.txt");
	running_settle(f->host, "one");
	assert_string_equal(marked(f), "top.txt tree/");
	assert_true(is_tainted(f, "tree/d3/f"));
	assert_true(is_tainted(f, "tree/old.txt"));
	assert_false(is_tainted(f, "clean.txt"));
	assert_reads(f, "ls tree", true);
	assert_reads(f, "cat tree/d3/f", true);
	assert_reads(f, "cat clean.txt", false);
	/* What a clean turn writes there is clean. */
	(void)later();
	put(f, "tree/d3/f");
	assert_false(is_tainted(f, "tree/d3/f"));
}

static void many_files_are_marked_by_their_folder(void **state)
{
	fx_run(*state, NULL, many_body);
}

/* Too many for that, too deep or closed to us: nothing is taken for clean. */
static void test_threat_laundering_in_what_cannot_be_looked_at(void **state)
{
	struct fixture *f = *state;
	CH_AUTO_DONE(changed_done) struct changed c = { .is_coarse = false }, d = c, none = c;
	int64_t since;
	int fd;

	begin(f);
	since = later();
	for (int i = 0; i < CHANGED_MAX + 10; i++)
		put(f, arena_printf(f->arena, "d%d/f", i));
	assert_int_equal(changed_since(at(f, ""), since, NULL, &c, &f->err), CH_OK);
	assert_int_equal(c.paths.len, 1);
	assert_string_equal(c.paths.at[0], CHANGED_ALL);
	/* Deeper than a path can say. */
	since = later();
	fd = open(at(f, ""), O_PATH | O_DIRECTORY);
	for (int i = 0; i < 40; i++) {
		char name[201];
		int next;

		memset(name, 'a', 200);
		name[200] = '\0';
		assert_int_equal(mkdirat(fd, name, 0755), 0);
		next = openat(fd, name, O_PATH | O_DIRECTORY);
		assert_true(next >= 0);
		close(fd);
		fd = next;
	}
	close(fd);
	assert_int_equal(changed_since(at(f, ""), since, NULL, &d, &f->err), CH_OK);
	assert_true(d.paths.len > 0);
	assert_true(str_ends(d.paths.at[d.paths.len - 1], "a/"));
	assert_int_equal(changed_since(at(f, "nowhere"), since, NULL, &none, &f->err), CH_OK);
	assert_int_equal(none.paths.len, 0);
}

/* -- a gateway that was killed -- */

static size_t events_of(struct fixture *f)
{
	size_t n = 0;

	json_each(m, fx_rows(f))
		n += strstr(json_str_or(json_get(m, "content"), ""), "the gateway stopped, and the command with it") != NULL;
	return n;
}

static void killed_body(struct fixture *f)
{
	struct command_record r;

	begin(f);
	fx_send(f, "r1", "hi");
	fx_wait_run(f, "r1");
	r = record_of(f, "one");
	r.process = "amber-otter-3";
	r.wake_kind = "exec";
	r.wake_id = "amber-otter-3@1";
	r.source = NULL;
	keep(f, &r);
	r = record_of(f, "two");         /* one that the call waited for: nobody is told */
	keep(f, &r);
	put(f, "written.txt");
	running_recover(f->host);
	running_recover(f->host);        /* a start that was cut, and the next one */
	fx_turns(f);
	fx_wait_run(f, "exec:amber-otter-3@1");
	while (running_writes(f->db, at(f, "")))
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_int_equal(events_of(f), 1);
	assert_non_null(strstr(fx_text(f, 2), "amber-otter-3"));
	assert_non_null(strstr(fx_text(f, 2), "make"));
	assert_string_equal(marked(f), "written.txt");
	/* Nothing is left for the next start. */
	running_recover(f->host);
	fx_turns(f);
	assert_int_equal(events_of(f), 1);
	agent_host_join(f->host);
}

static void a_killed_gateways_commands_are_told_once_and_what_they_wrote_is_marked(void **state)
{
	static const struct step *const script[] = { hello, hello, hello, NULL };

	fx_run(*state, script, killed_body);
}

/* A yes that came late was claimed, and the gateway killed before the command had a name: it is told that it may have run. */
static void late_body(struct fixture *f)
{
	struct process_info p = { .record = "one", .state = PROCESS_DONE };
	struct command_record r;

	begin(f);
	fx_send(f, "r1", "hi");
	fx_wait_run(f, "r1");
	r = record_of(f, "one");
	r.process = "";
	r.wake_kind = "approval";
	r.wake_id = "yes-1";
	keep(f, &r);
	put(f, "written.txt");
	running_ended(f->host, &p);      /* … or between its end and the telling of it, which is that of who waited */
	running_recover(f->host);
	fx_turns(f);
	fx_wait_run(f, "approval:yes-1");
	while (running_writes(f->db, at(f, "")))
		assert_int_equal(fiber_sleep(1), CH_OK);
	assert_non_null(strstr(fx_text(f, 2), "It is not known whether it ran"));
	assert_non_null(strstr(fx_text(f, 2), "make"));
	assert_string_equal(marked(f), "written.txt");
	agent_host_join(f->host);
}

static void a_late_yes_that_a_kill_cut_is_told(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, late_body);
}

/* Its end was told; only what it wrote was not settled. */
static void told_body(struct fixture *f)
{
	struct process_info p = { .record = "one", .state = PROCESS_DONE };
	struct command_record r;

	begin(f);
	fx_send(f, "r1", "hi");
	fx_wait_run(f, "r1");
	r = record_of(f, "one");
	r.process = "amber-otter-3";
	r.wake_kind = "exec";
	r.wake_id = "amber-otter-3@1";
	keep(f, &r);
	running_ended(f->host, &p);
	running_recover(f->host);        /* before the fiber had its turn */
	while (running_writes(f->db, at(f, "")))
		assert_int_equal(fiber_sleep(1), CH_OK);
	fx_turns(f);
	assert_int_equal(events_of(f), 0);
	agent_host_join(f->host);
}

static void an_end_that_was_told_is_not_told_again(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, told_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(test_threat_laundering_by_a_command_that_reads),
		FX_TEST(files_beyond_the_workspace),
		FX_TEST(test_threat_laundering_by_a_command_that_writes),
		FX_TEST(test_threat_laundering_by_moving_a_folder),
		FX_TEST(many_files_are_marked_by_their_folder),
		FX_TEST(test_threat_laundering_in_what_cannot_be_looked_at),
		FX_TEST(a_killed_gateways_commands_are_told_once_and_what_they_wrote_is_marked),
		FX_TEST(a_late_yes_that_a_kill_cut_is_told),
		FX_TEST(an_end_that_was_told_is_not_told_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
