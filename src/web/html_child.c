/*
 * web/html_child.c - both sides of the process that parses pages.
 *
 *	input    {"kind":0,"url":"…","plain":false,"whole":false}\n<the page>
 *	output   {"title":"…","text":"…",…}, or {"error":"…"}
 */
#include "web/html_child.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/fiber.h"
#include "core/mem.h"
#include "core/proc.h"
#include "core/sanitize.h"
#include "core/str.h"
#include "web/gumbo_api.h"
#include "web/html.h"

#define CHILD_MARK "CHELA_WEB_HTML"      /* in the child's environment */
#define EXIT_LIMIT 9                     /* of the child: the page needs more memory than it may have */
#define ADDRESS_SPACE ((rlim_t)1 << 30)
#define OUT_MAX (HTML_OUT_MAX * 2)       /* JSON escapes */

#if defined(SANITIZE_ADDRESS) || defined(SANITIZE_THREAD)
#define IS_SANITIZED 1                   /* shadow memory and reports need more than a page's reader may */
#endif

/* -- the child's rights -- */

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#endif

#if defined(OUR_ARCH) && !defined(IS_SANITIZED)
#define ALLOW(nr) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (nr), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

/* Memory, the two pipes, the end. Everything else kills. */
static int confine(void)
{
	static const struct sock_filter rules[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCH, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(__NR_read), ALLOW(__NR_write), ALLOW(__NR_brk), ALLOW(__NR_mmap), ALLOW(__NR_munmap),
		ALLOW(__NR_mremap), ALLOW(__NR_mprotect), ALLOW(__NR_madvise), ALLOW(__NR_futex), ALLOW(__NR_getrandom),
		ALLOW(__NR_clock_gettime), ALLOW(__NR_rt_sigreturn), ALLOW(__NR_exit), ALLOW(__NR_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { .len = CH_ARRAY_LEN(rules), .filter = (struct sock_filter *)rules };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}
#else
static int confine(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}
#endif

static int bound(void)
{
	struct rlimit cpu = { HTML_CHILD_CPU_S, HTML_CHILD_CPU_S }, none = { 0, 0 };

	if (setrlimit(RLIMIT_CPU, &cpu) || setrlimit(RLIMIT_CORE, &none))
		return -1;
#ifndef IS_SANITIZED
	struct rlimit space = { ADDRESS_SPACE, ADDRESS_SPACE };

	return setrlimit(RLIMIT_AS, &space);
#else
	return 0;
#endif
}

static void over_limit(void)
{
	_exit(EXIT_LIMIT);
}

/* -- the child's work -- */

static bool read_input(struct buf *in)
{
	for (;;) {
		ssize_t n;

		if (!buf_reserve(in, 64u << 10))
			return false;
		n = read(0, in->data + in->len, 64u << 10);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0;
		in->len += (size_t)n;
		in->data[in->len] = '\0';
	}
}

static void write_output(const struct buf *out)
{
	for (size_t at = 0; at < out->len;) {
		ssize_t n = write(1, out->data + at, out->len - at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			_exit(1);
		at += (size_t)n;
	}
}

static ch_status write_page(const struct html_in *in, struct arena *a, struct jw *w, struct ch_err *err)
{
	struct html_out page = { 0 };
	ch_status st;

	buf_init(&page.text, HTML_OUT_MAX);
	st = html_convert(in, a, &page, err);
	/* What is over the cap is more than anybody asked for. */
	if (st == CH_E_LIMIT && page.title) {
		page.is_cut = true;
		st = CH_OK;
	}
	if (!st) {
		jw_kstr(w, "title", page.title);
		jw_key(w, "text");
		jw_strn(w, buf_str(&page.text), page.text.len);
		jw_kbool(w, "isMain", page.is_main);
		jw_kbool(w, "isCut", page.is_cut);
	}
	buf_done(&page.text);
	return st;
}

static ch_status write_hits(const struct html_in *in, struct arena *a, struct jw *w, struct ch_err *err)
{
	const struct html_hit *hits = NULL;
	bool is_challenge = false;
	size_t count = 0;
	ch_status st = html_duckduckgo(in, a, &hits, &count, &is_challenge, err);

	if (st)
		return st;
	jw_karr(w, "hits");
	for (size_t i = 0; i < count; i++) {
		jw_obj(w);
		jw_kstr(w, "title", hits[i].title);
		jw_kstr(w, "url", hits[i].url);
		jw_kstr(w, "snippet", hits[i].snippet);
		jw_end(w);
	}
	jw_end(w);
	jw_kbool(w, "isChallenge", is_challenge);
	return CH_OK;
}

static void work(const struct buf *in, struct buf *out)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(HTML_MEMORY_MAX);
	const char *line_end = memchr(buf_str(in), '\n', in->len);
	struct json *head = NULL;
	struct ch_err err = { .text = "the head is missing" };
	struct jw w = JW(out);
	struct html_in page;
	ch_status st = CH_E_INVALID;

	jw_obj(&w);
	if (line_end)
		st = json_parse(a, in->data, (size_t)(line_end - in->data), JSON_STRICT, &head, &err);
	if (!st) {
		page = (struct html_in){ .text = line_end + 1, .len = in->len - (size_t)(line_end + 1 - in->data),
					 .url = json_get_str(head, "url"), .is_plain = json_get_bool(head, "plain", false),
					 .is_whole = json_get_bool(head, "whole", false), .on_limit = over_limit };
		st = json_get_int(head, "kind", HTML_PAGE) == HTML_DUCKDUCKGO ? write_hits(&page, a, &w, &err)
									       : write_page(&page, a, &w, &err);
	}
	if (st)
		jw_kstr(&w, "error", err.text);
	jw_end(&w);
}

int html_child_main(void)
{
	CH_AUTO_BUF struct buf in = { 0 }, out = { 0 };
	const struct gumbo_api *api;
	struct ch_err err = { 0 };

	buf_init(&in, HTML_CHILD_IN_MAX);
	buf_init(&out, OUT_MAX);
	/* The library first: afterwards no file can be opened. */
	if (gumbo_api_load(&api, &err)) {
		struct jw w = JW(&out);

		jw_obj(&w);
		jw_kstr(&w, "error", err.text);
		jw_end(&w);
	} else if (bound() || confine()) {
		return 1;
	} else if (!read_input(&in)) {
		return EXIT_LIMIT;
	} else {
		work(&in, &out);
	}
	if (out.failed)
		return EXIT_LIMIT;
	write_output(&out);
	return 0;
}

/* -- the gateway's side -- */

static ch_status build_input(const struct html_job *job, struct buf *in, struct ch_err *err)
{
	struct jw w = JW(in);

	jw_obj(&w);
	jw_kint(&w, "kind", job->kind);
	jw_kstr_opt(&w, "url", job->url);
	jw_kbool(&w, "plain", job->is_plain);
	jw_kbool(&w, "whole", job->is_whole);
	jw_end(&w);
	buf_putc(in, '\n');
	buf_append(in, job->text, job->len);
	return buf_status(in, err, "the page");
}

static ch_status read_result(const struct proc_result *r, struct arena *a, struct json **ret, struct ch_err *err)
{
	struct json *v = NULL;
	const char *error;

	if (r->exit_code == EXIT_LIMIT || r->signal == SIGXCPU || r->signal == SIGKILL || r->truncated)
		return ch_fail(err, CH_E_LIMIT, "the page is too complicated to be read within its limits of time and memory");
	if (r->exit_code != 0)
		return ch_fail(err, CH_E_PEER, "the reader of pages ended with %s %d", r->signal ? "signal" : "code",
			       r->signal ? r->signal : r->exit_code);
	if (json_parse(a, buf_str(&r->out), r->out.len, JSON_STRICT, &v, err))
		return ch_wrap(err, "the reader of pages");
	error = json_get_str(v, "error");
	if (error)
		return ch_fail(err, CH_E_PEER, "%s", error);
	*ret = v;
	return CH_OK;
}

CH_FIBER ch_status html_child_run(const struct html_job *job, struct arena *a, struct json **ret, struct ch_err *err)
{
	static const char *const argv[] = { "/proc/self/exe", HTML_CHILD_ARG, NULL }, *const env[] = { CHILD_MARK "=1", NULL };
	CH_AUTO_BUF struct buf in = { 0 };
	struct proc_spec spec = { .argv = argv, .env = env, .out_max_bytes = OUT_MAX,
				  .deadline_ms = CH_MIN(job->deadline_ms, fiber_deadline(HTML_CHILD_MS)) };
	struct proc_result result = { 0 };
	ch_status st;

	/* A program that does not know the argument would start itself for ever. */
	if (getenv(CHILD_MARK))
		return ch_fail(err, CH_E_BUG, "the reader of pages was started in a program that is none");
	buf_init(&in, HTML_CHILD_IN_MAX);
	st = build_input(job, &in, err);
	if (st)
		return st;
	spec.input = in.data;
	spec.input_len = in.len;
	st = proc_run(&spec, &result, err);
	st = st ? ch_wrap(err, "reading the page") : read_result(&result, a, ret, err);
	proc_result_done(&result);
	return st;
}
