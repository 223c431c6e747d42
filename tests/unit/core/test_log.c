/*
 * core/log: lines, levels, rotation, a full disk, quoting, redaction.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/json.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "../temp_dir.h"

static char dir[64];
static char path[80];
static int saved_stderr;           /* stderr is a file while a test runs, so that the console can be read */

static int setup(void **state)
{
	char console[80];
	int fd;

	temp_dir_make(dir, "log");
	snprintf(path, sizeof(path), "%s/gateway.log", dir);
	snprintf(console, sizeof(console), "%s/console", dir);
	saved_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
	fd = open(console, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && saved_stderr >= 0);
	dup2(fd, STDERR_FILENO);
	close(fd);
	clock_fake(0, 1795338773123);
	setenv("TZ", "UTC", 1);
	return 0;
}

static int teardown(void **state)
{
	static const char *const names[] = { "console",       "gateway.log",   "gateway.log.1",
					     "gateway.log.2", "gateway.log.3", "else" };
	char name[120];

	log_close();
	log_set_level(LOG_INFO, LOG_INFO);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	clock_real();
	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		snprintf(name, sizeof(name), "%s/%s", dir, names[i]);
		unlink(name);
	}
	return rmdir(dir);
}

static void open_log(struct log_opts opts)
{
	struct ch_err err;

	if (!opts.file_path)
		opts.file_path = path;
	assert_int_equal(log_open(&opts, &err), CH_OK);
}

/* The contents of a file in the test's directory; static memory. */
static const char *contents(const char *name)
{
	static char text[1 << 16];
	char full[120];
	size_t n = 0;
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	f = fopen(full, "re");
	if (f) {
		n = fread(text, 1, sizeof(text) - 1, f);
		fclose(f);
	}
	text[n] = '\0';
	return text;
}

/* ---- lines ---- */

static void test_lines(void **state)
{
	struct stat info;

	open_log((struct log_opts){ .file_level = LOG_DEBUG, .console_level = LOG_WARN });
	errno = 42;
	log_info("gateway", "listening on %s port=%d", "127.0.0.1", 18789);
	log_warn("config", "a \"quote\"\nand a line; retry in %d ms", 2000);
	assert_int_equal(errno, 42);
	log_at(LOG_TRACE, "gateway", "not shown");
	assert_string_equal(contents("gateway.log"),
			    "{\"time\":\"2026-11-22T09:12:53.123Z\",\"level\":\"info\","
			    "\"subsystem\":\"gateway\",\"message\":\"listening on 127.0.0.1 port=18789\"}\n"
			    "{\"time\":\"2026-11-22T09:12:53.123Z\",\"level\":\"warn\","
			    "\"subsystem\":\"config\",\"message\":\"a \\\"quote\\\"\\nand a line; retry in 2000 ms\"}\n");
	assert_string_equal(contents("console"),
			    "09:12:53 warn  [config] a \"quote\"\\nand a line; retry in 2000 ms\n");
	assert_int_equal(stat(path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0600);
}

static void test_console_json(void **state)
{
	open_log((struct log_opts){ .console_level = LOG_INFO, .console_json = true, .console_color = true });
	log_info("x", "y");
	assert_string_equal(contents("console"),
			    "{\"time\":\"2026-11-22T09:12:53.123Z\",\"level\":\"info\",\"subsystem\":\"x\","
			    "\"message\":\"y\"}\n");
}

static void test_color_needs_a_terminal(void **state)
{
	open_log((struct log_opts){ .console_level = LOG_INFO, .console_color = true });
	log_error("x", "y");
	assert_string_equal(contents("console"), "09:12:53 error [x] y\n");
}

static void test_levels(void **state)
{
	static const struct {
		const char *name;
		enum log_level level;
	} rows[] = {
		{ "silent", LOG_SILENT }, { "fatal", LOG_ERROR }, { "error", LOG_ERROR }, { "warn", LOG_WARN },
		{ "info", LOG_INFO },	  { "debug", LOG_DEBUG }, { "trace", LOG_TRACE },
	};
	enum log_level level;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		assert_true(log_level_parse(rows[i].name, &level));
		assert_int_equal(level, rows[i].level);
	}
	assert_false(log_level_parse("loud", &level));
	assert_false(log_level_parse(NULL, &level));
	open_log((struct log_opts){ .file_level = LOG_SILENT, .console_level = LOG_SILENT });
	assert_false(log_enabled(LOG_ERROR));
	log_error("x", "unheard");
	log_set_level(LOG_WARN, LOG_SILENT);
	assert_true(log_enabled(LOG_WARN));
	assert_false(log_enabled(LOG_INFO));
	log_warn("x", "heard");
	assert_null(strstr(contents("gateway.log"), "unheard"));
	assert_non_null(strstr(contents("gateway.log"), "heard"));
	assert_string_equal(contents("console"), "");
}

/* Long, invalid, and both: always one valid JSON object a line. */
static void test_hostile_messages(void **state)
{
	char *long_text = ch_alloc(300001);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *v;
	char *line, *rest;

	open_log((struct log_opts){ .file_level = LOG_INFO, .console_level = LOG_INFO });
	for (size_t i = 0; i < 300000; i += 3)
		memcpy(long_text + i, "€", 3);
	log_info("x", "%.5001s", long_text);
	log_info("x", "%s", long_text);
	log_info("x", "bytes \xff\xfe \x01\x1b[31m");
	log_info("x", "%s", "");
	line = arena_strdup(a, contents("gateway.log"));
	for (int i = 0; i < 4; i++, line = rest + 1) {
		rest = strchr(line, '\n');
		assert_non_null(rest);
		assert_int_equal(json_parse(a, line, (size_t)(rest - line), JSON_STRICT, &v, NULL), CH_OK);
		assert_true(strlen(json_get_str(v, "message")) <= LOG_TEXT_MAX + 3);
	}
	assert_null(strchr(contents("console"), '\x1b'));
	ch_free(long_text);
}

/* ---- the file ---- */

static void test_rotation(void **state)
{
	static const char *const names[] = { "gateway.log", "gateway.log.1", "gateway.log.2" };

	open_log((struct log_opts){
		.file_max_bytes = 300, .keep = 2, .file_level = LOG_INFO, .console_level = LOG_ERROR });
	for (int i = 0; i < 12; i++)
		log_info("rotate", "line number %02d of the test", i);
	/* Three lines fit; four files were filled and the oldest is gone. */
	for (size_t k = 0; k < CH_ARRAY_LEN(names); k++) {
		char expected[40];
		const char *text = contents(names[k]);

		assert_in_range(strlen(text), 200, 300);
		snprintf(expected, sizeof(expected), "line number %02d", 11 - 2 * (int)k);
		assert_non_null(strstr(text, expected));
	}
	assert_string_equal(contents("gateway.log.3"), "");
	/* A file that was there before counts. */
	open_log((struct log_opts){
		.file_max_bytes = 300, .keep = 2, .file_level = LOG_INFO, .console_level = LOG_ERROR });
	log_info("rotate", "after reopening");
	assert_null(strstr(contents("gateway.log"), "line number 11"));
	assert_non_null(strstr(contents("gateway.log.1"), "line number 11"));
}

static void test_rotation_without_old_files(void **state)
{
	open_log((struct log_opts){
		.file_max_bytes = 300, .keep = 0, .file_level = LOG_INFO, .console_level = LOG_ERROR });
	for (int i = 0; i < 12; i++)
		log_info("rotate", "line number %02d of the test", i);
	assert_in_range(strlen(contents("gateway.log")), 100, 300);
	assert_string_equal(contents("gateway.log.1"), "");
}

static void test_open_fails(void **state)
{
	struct log_opts opts = { .file_level = LOG_INFO, .console_level = LOG_INFO };
	struct ch_err err;
	char name[120];

	opts.file_path = "/nonexistent/dir/x.log";
	assert_int_equal(log_open(&opts, &err), CH_E_IO);
	assert_non_null(strstr(err.text, "/nonexistent/dir/x.log: cannot open"));
	/* Somebody else's file behind a symbolic link is not written to. */
	snprintf(name, sizeof(name), "%s/else", dir);
	assert_int_equal(symlink("/etc/hostname", name), 0);
	opts.file_path = name;
	assert_int_equal(log_open(&opts, &err), CH_E_IO);
	log_info("x", "the console still works");
	assert_string_equal(contents("console"), "09:12:53 info  [x] the console still works\n");
}

/* RLIMIT_FSIZE stands in for a full disk. */
static void test_disk_full(void **state)
{
	struct rlimit small = { 0, 0 }, before;

	signal(SIGXFSZ, SIG_IGN);
	open_log((struct log_opts){ .file_level = LOG_INFO, .console_level = LOG_ERROR });
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small.rlim_max = before.rlim_max;
	dup2(saved_stderr, STDERR_FILENO); /* the console is a file too */
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 3; i++)
		log_info("x", "lost");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_string_equal(contents("gateway.log"), "");
	log_info("x", "back");
	assert_non_null(strstr(contents("gateway.log"), "back"));
	assert_non_null(strstr(contents("gateway.log"), "3 lines were lost"));
	log_info("x", "once");
	assert_null(strstr(strstr(contents("gateway.log"), "were lost") + 1, "were lost"));
}

/* ---- quoting ---- */

static void test_quote(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{ "plain ünïcode", "plain ünïcode" },
		{ "", "" },
		{ NULL, "(null)" },
		{ "a\nb\tc\rd", "a\\nb\\tc\\rd" },
		{ "\x1b[2J\x07\x7f", "\\x1b[2J\\a\\x7f" },
		{ "back\\slash", "back\\\\slash" },
		{ "\xff\xc0\x80", "\\xff\\xc0\\x80" },
		{ "\xc2\x9b" "31m", "\\u{9b}31m" },
		{ "user\u202egnp.exe", "user\\u{202e}gnp.exe" },
		{ "zero\u200bwidth", "zero\\u{200b}width" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_string_equal(log_quote(rows[i].text), rows[i].shown);
	assert_string_equal(log_quoten("a\0b", 3), "a\\x00b");
}

static void test_quote_is_cut(void **state)
{
	char text[600];

	for (size_t shift = 0; shift < 4; shift++) {
		const char *shown;

		memset(text, '.', shift);
		for (size_t i = shift; i + 3 < sizeof(text); i += 3)
			memcpy(text + i, "€", 4);
		shown = log_quote(text);
		assert_in_range(strlen(shown), LOG_QUOTE_MAX - 2, LOG_QUOTE_MAX + 3);
		assert_true(utf8_valid(shown, strlen(shown)));
		assert_true(str_ends(shown, "…"));
	}
	memset(text, 'x', LOG_QUOTE_MAX);
	text[LOG_QUOTE_MAX] = '\0';
	assert_string_equal(log_quote(text), text);
}

static void test_quote_ring(void **state)
{
	const char *shown[8];
	char text[8];

	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "n%d", i);
		shown[i] = log_quote(text);
	}
	for (int i = 0; i < 8; i++) {
		snprintf(text, sizeof(text), "n%d", i);
		assert_string_equal(shown[i], text);
	}
}

/* ---- redaction ---- */

#define HIDDEN "[redacted]"

static void test_redact_patterns(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		/* hidden */
		{ "Bearer abcdef0123456789", "Bearer " HIDDEN },
		{ "authorization: bearer abc.def-ghi_jkl=", "authorization: bearer " HIDDEN },
		{ "Authorization: Basic dXNlcjpwYXNz x", "Authorization: Basic " HIDDEN " x" },
		{ "Authorization: abc", "Authorization: " HIDDEN },
		{ "/ws?token=s3cret&x=1", "/ws?token=" HIDDEN "&x=1" },
		{ "gatewayToken = s3cret, next", "gatewayToken = " HIDDEN ", next" },
		{ "{\"apiKey\":\"a b,c\",\"n\":1}", "{\"apiKey\":\"" HIDDEN "\",\"n\":1}" },
		{ "{\"apiKey\" : \"k\"}", "{\"apiKey\" : \"" HIDDEN "\"}" },
		{ "{\\\"password\\\":\\\"pw\\\"}", "{\\\"password\\\":\\\"" HIDDEN "\\\"}" },
		{ "{password:'it is'}", "{password:'" HIDDEN "'}" },
		{ "x-api-key: k1", "x-api-key: " HIDDEN },
		{ "CLIENT_SECRET=abc", "CLIENT_SECRET=" HIDDEN },
		{ "key sk-ant-api03-abcdefghijklmnop ok", "key " HIDDEN " ok" },
		{ "ghp_0123456789abcdefghij", HIDDEN },
		{ "xoxb-123456-abcdef", HIDDEN },
		{ "http://user:pw@host/p", "http://user:" HIDDEN "@host/p" },
		{ "token=a token=b", "token=" HIDDEN " token=" HIDDEN },
		/* shown */
		{ "", "" },
		{ "bearer token missing", "bearer token missing" },
		{ "basic functionality", "basic functionality" },
		{ "maxTokens: 5 tokens=7", "maxTokens: 5 tokens=7" },
		{ "key=agent:main:main", "key=agent:main:main" },
		{ "token=", "token=" },
		{ "{\"token\":\"\",\"x\":1}", "{\"token\":\"\",\"x\":1}" },
		{ "task-management-and-other-things", "task-management-and-other-things" },
		{ "sk-short", "sk-short" },
		{ "http://host:80/a@b", "http://host:80/a@b" },
		{ "a:b=c", "a:b=c" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO_STR char *once = log_redacted(rows[i].text);
		CH_AUTO_STR char *twice = log_redacted(once);

		assert_string_equal(once, rows[i].shown);
		assert_string_equal(twice, rows[i].shown);
	}
}

static void assert_redacted(const char *text, const char *shown)
{
	CH_AUTO_STR char *got = log_redacted(text);

	assert_string_equal(got, shown);
}

static void test_redact_registered(void **state)
{
	char other[32];

	log_redact("hunter2222");
	log_redact("hunter2222-and-more");
	log_redact("short");
	log_redact(NULL);
	assert_redacted("xhunter2222x hunter2222-and-more", "x" HIDDEN "x " HIDDEN);
	assert_redacted("short words stay", "short words stay");
	assert_true(log_holds_secret("a hunter2222 b", 14));
	assert_false(log_holds_secret("a hunter222", 11));
	/* Registered twice, forgotten once: still a secret. */
	log_redact("hunter2222");
	log_redact_forget("hunter2222");
	assert_redacted("hunter2222", HIDDEN);
	/* Nobody holds them any more: remembered until as many others have gone. */
	log_redact_forget("hunter2222");
	log_redact_forget("hunter2222-and-more");
	log_redact_forget("hunter2222");
	log_redact_forget(NULL);
	assert_redacted("hunter2222", HIDDEN);
	for (int i = 0; i < 16; i++) {
		snprintf(other, sizeof(other), "another-secret-%d", i);
		log_redact(other);
		log_redact_forget(other);
	}
	assert_redacted("hunter2222", "hunter2222");
	assert_redacted("another-secret-0", HIDDEN);
}

/* Neither the end of a message nor that of a quote may leave half of a secret. */
static void test_redact_before_cutting(void **state)
{
	char text[LOG_TEXT_MAX + 100];

	log_redact("a-registered-secret");
	open_log((struct log_opts){ .file_level = LOG_INFO, .console_level = LOG_INFO });
	for (size_t at = LOG_TEXT_MAX - 20; at < LOG_TEXT_MAX; at += 3) {
		memset(text, '.', at);
		snprintf(text + at, sizeof(text) - at, "a-registered-secret");
		log_info("x", "%s", text);
	}
	assert_null(strstr(contents("gateway.log"), "a-reg"));
	assert_null(strstr(contents("console"), "a-reg"));
	memset(text, '.', LOG_QUOTE_MAX - 5);
	snprintf(text + LOG_QUOTE_MAX - 5, 50, "a-registered-secret");
	assert_null(strstr(log_quote(text), "a-r"));
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lines),
		TEST(test_console_json),
		TEST(test_color_needs_a_terminal),
		TEST(test_levels),
		TEST(test_hostile_messages),
		TEST(test_rotation),
		TEST(test_rotation_without_old_files),
		TEST(test_open_fails),
		TEST(test_disk_full),
		cmocka_unit_test(test_quote),
		cmocka_unit_test(test_quote_is_cut),
		cmocka_unit_test(test_quote_ring),
		cmocka_unit_test(test_redact_patterns),
		cmocka_unit_test(test_redact_registered),
		TEST(test_redact_before_cutting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
