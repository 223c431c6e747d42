/* web/fetch: what is fetched, what is refused, and what a server can do to it. */
#include <zlib.h>

#include "web_fixture.h"

#include "core/clock.h"
#include "web/cache.h"
#include "web/fetch.h"

#define ALLOWED "tools:{web:{fetch:{ssrfPolicy:{allowedHostnames:['127.0.0.1']}"

static char *packed;
static size_t packed_len;

/* 64 MiB of blanks, as 64 KiB. */
static int make_bomb(void **state)
{
	static char blanks[1 << 16];
	z_stream z = { 0 };
	size_t cap = 1u << 20;

	memset(blanks, ' ', sizeof(blanks));
	packed = malloc(cap);
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 9, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = (Bytef *)packed;
	z.avail_out = (uInt)cap;
	for (int i = 0; i < 1024; i++) {
		z.next_in = (Bytef *)blanks;
		z.avail_in = sizeof(blanks);
		assert_int_equal(deflate(&z, i == 1023 ? Z_FINISH : Z_NO_FLUSH), i == 1023 ? Z_STREAM_END : Z_OK);
	}
	packed_len = cap - z.avail_out;
	deflateEnd(&z);
	return 0;
}

static void answer_redirect(struct peer_conn *pc, const char *location)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	fx_text(pc, "302 Found", NULL, arena_printf(a, "Location: %s\r\n", location), "");
}

static const struct { const char *path, *status, *type, *body; } plain[] = {
	{ "/html ", "200 OK", "text/html; charset=utf-8", "<title>A page</title><h1>Head</h1><p>Text <b>bold</b>, <a href=x>link</a></p>" },
	{ "/json ", "200 OK", "application/json", "{\"a\":[1,2]}" },
	{ "/feed ", "200 OK", "application/rss+xml", "<rss><item>x</item></rss>" },
	{ "/md ", "200 OK", "text/markdown", "# T\u200b\n" },
	{ "/latin ", "200 OK", "text/plain; charset=iso-8859-1", "caf\xe9" },
	{ "/cyrillic ", "200 OK", "text/html; charset=koi8-r", "<p>\xc1\xc2\xc3</p>" },
	{ "/pdf ", "200 OK", "application/pdf", "%PDF-1.7" },
	{ "/liar ", "200 OK", "text/html", "%PDF-1.7 says it is a page" },
	{ "/png ", "200 OK", "image/png", "\x89PNG" },
	{ "/untyped ", "200 OK", NULL, "<!doctype html><p>sniffed</p>" },
	{ "/missing ", "404 Not Found", "text/html", "<h1>Nothing here</h1>" },
	{ "/empty ", "200 OK", "text/html", "" },
	{ "/long ", "200 OK", "text/plain", "\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9\u00e9" },
};

static bool answer_plain(struct peer_conn *pc, const char *path)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(plain); i++) {
		if (!str_starts(path, plain[i].path))
			continue;
		fx_text(pc, plain[i].status, plain[i].type, "", plain[i].body);
		return true;
	}
	return false;
}

static void answer_odd(struct peer_conn *pc, struct fixture *f, const char *path, const char *head)
{
	if (str_starts(path, "/echo"))
		fx_text(pc, "200 OK", "text/plain", "", head);
	else if (str_starts(path, "/away "))
		answer_redirect(pc, arena_printf(f->arena, "http://127.0.0.1:%u/echo", f->other.port));
	else if (str_starts(path, "/localhost "))
		answer_redirect(pc, arena_printf(f->arena, "http://localhost:%u/echo", f->other.port));
	else if (str_starts(path, "/to?"))
		answer_redirect(pc, arena_strndup(f->arena, path + 4, strcspn(path + 4, " ")));
	else if (str_starts(path, "/loop "))
		answer_redirect(pc, "/loop");
	else if (str_starts(path, "/bomb "))
		fx_answer(pc, "200 OK", "text/plain", "Content-Encoding: gzip\r\n", packed, packed_len);
	else if (str_starts(path, "/brotli "))
		fx_text(pc, "200 OK", "text/plain", "Content-Encoding: br\r\n", "x");
	else if (str_starts(path, "/damaged "))
		fx_text(pc, "200 OK", "text/plain", "Content-Encoding: gzip\r\n", "\x1f\x8b\x08nonsense");
	else if (str_starts(path, "/cut "))
		peer_puts(pc, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\nonly this");
	else if (str_starts(path, "/endless ")) {
		peer_puts(pc, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n");
		while (peer_puts(pc, "again and again and again and again and again and again and again and again\n") && !pc->is_eof)
			if (fiber_yield())
				break;
	} else {
		peer_puts(pc, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 10\r\n\r\nslow");
		peer_wait_eof(pc);
	}
}

static void serve(struct peer_conn *pc)
{
	struct fixture *f = pc->peer->arg;
	const char *head;

	while (*(head = peer_head(pc))) {
		char *copy = arena_strdup(f->arena, head);
		const char *path = strchr(copy, ' ') + 1;

		f->requests++;
		peer_drop(pc, 0);
		if (answer_plain(pc, path))
			continue;
		answer_odd(pc, f, path, copy);
		if (str_starts(path, "/cut ") || str_starts(path, "/endless "))
			return;
	}
}

static ch_status fetch(struct fixture *f, const char *url, struct fetch_page *p, struct ch_err *err)
{
	struct fetch_in in = { .config = f->config, .url = url, .deadline_ms = fiber_deadline(5000) };

	*err = (struct ch_err){ 0 };
	return web_fetch(f->web, &in, f->arena, p, err);
}

static struct fetch_page must_fetch(struct fixture *f, const char *path)
{
	struct fetch_page p = { 0 };
	struct ch_err err;

	if (fetch(f, fx_url(f, path), &p, &err))
		fail_msg("%s: %s", path, err.text);
	return p;
}

static void must_fail(struct fixture *f, const char *url, ch_status want, const char *text)
{
	struct fetch_page p = { 0 };
	struct ch_err err;
	ch_status st = fetch(f, url, &p, &err);

	if (st != want || !strstr(err.text, text))
		fail_msg("%s: %s (%s)", url, ch_status_name(st), err.text);
}

/* -- what is read -- */

static void run_forms(struct loop *l, void *arg)
{
	static const struct { const char *path, *extractor, *text; int status; } rows[] = {
		{ "/html", "html", "# Head\n\nText **bold**, [link](", 200 }, { "/json", "json", "{\"a\":[1,2]}", 200 },
		{ "/feed", "raw", "<rss><item>x</item></rss>", 200 },       { "/md", "markdown", "# T\n", 200 },
		{ "/latin", "raw", "caf\u00e9", 200 },                      { "/untyped", "html", "sniffed", 200 },
		{ "/missing", "html", "# Nothing here", 404 },              { "/empty", "html", "", 200 },
	};
	struct fixture f;
	struct fetch_page p;

	fx_open(&f, l, serve);
	fx_use(&f, "{" ALLOWED "}}}}");
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		p = must_fetch(&f, rows[i].path);
		assert_int_equal(p.status, rows[i].status);
		assert_string_equal(p.extractor, rows[i].extractor);
		if (!str_starts(p.text, rows[i].text))
			fail_msg("%s: %s", rows[i].path, p.text);
	}
	p = must_fetch(&f, "/html#part");
	assert_string_equal(p.title, "A page");
	assert_string_equal(p.url, fx_url(&f, "/html"));
	must_fail(&f, fx_url(&f, "/pdf"), CH_E_UNSUPPORTED, "PDF");
	must_fail(&f, fx_url(&f, "/liar"), CH_E_UNSUPPORTED, "PDF");
	must_fail(&f, fx_url(&f, "/png"), CH_E_UNSUPPORTED, "image/png");
	must_fail(&f, fx_url(&f, "/cyrillic"), CH_E_UNSUPPORTED, "'koi8-r'");
	must_fail(&f, fx_url(&f, "/brotli"), CH_E_UNSUPPORTED, "'br'");
	must_fail(&f, fx_url(&f, "/damaged"), CH_E_PEER, "damaged");
	must_fail(&f, fx_url(&f, "/cut"), CH_E_PEER, "cut");
	fx_close(&f);
}

static void forms(void **state)
{
	in_fiber(run_forms, NULL);
}

static void run_lengths(struct loop *l, void *arg)
{
	struct fixture f;
	struct fetch_page p;
	struct ch_err err;
	struct fetch_in in = { .max_chars = 500 };

	fx_open(&f, l, serve);
	fx_use(&f, "{" ALLOWED ",maxChars:5,maxCharsCap:10}}}}");
	p = must_fetch(&f, "/long");
	assert_string_equal(p.text, "\u00e9\u00e9\u00e9\u00e9\u00e9");
	assert_int_equal(p.length, 5);
	assert_int_equal(p.raw_length, 12);
	assert_true(p.is_truncated);
	/* A call may ask for more, up to the cap. */
	in.config = f.config;
	in.url = fx_url(&f, "/long");
	in.deadline_ms = fiber_deadline(5000);
	assert_int_equal(web_fetch(f.web, &in, f.arena, &p, &err), CH_OK);
	assert_int_equal(p.length, 10);
	assert_true(p.is_cached);
	fx_close(&f);
}

static void lengths(void **state)
{
	in_fiber(run_lengths, NULL);
}

static void run_cache(struct loop *l, void *arg)
{
	struct fixture f;

	fx_open(&f, l, serve);
	fx_use(&f, "{" ALLOWED ",cacheTtlMinutes:10,headers:{'x-a':'one'}}}}}");
	assert_false(must_fetch(&f, "/html").is_cached);
	assert_true(must_fetch(&f, "/html").is_cached);
	assert_int_equal(f.requests, 1);
	/* What is sent decides what is kept. */
	fx_use(&f, "{" ALLOWED ",cacheTtlMinutes:10,headers:{'x-a':'two'}}}}}");
	assert_false(must_fetch(&f, "/html").is_cached);
	assert_true(must_fetch(&f, "/html").is_cached);
	/* A failure is asked again. */
	must_fetch(&f, "/missing");
	assert_false(must_fetch(&f, "/missing").is_cached);
	fx_use(&f, "{" ALLOWED ",cacheTtlMinutes:0}}}}");
	must_fetch(&f, "/json");
	assert_false(must_fetch(&f, "/json").is_cached);
	fx_close(&f);
}

static const char *kept(struct web_cache *c, const char *key, int64_t ttl_ms)
{
	size_t len;

	return web_cache_get(c, key, ttl_ms, &len);
}

static void cache_forgets(void **state)
{
	struct web_cache *c = web_cache_new();
	static char big[200u << 10];
	char key[16];

	memset(big, 'x', sizeof(big));
	clock_fake(1000, 1000);
	web_cache_put(c, "a", 500, "one", 3);
	assert_string_equal(kept(c, "a", 500), "one");
	clock_fake(1200, 1200);
	/* A shorter time counts at once, a longer one does not prolong. */
	assert_null(kept(c, "a", 200));
	assert_non_null(kept(c, "a", 9000));
	clock_fake(1500, 1500);
	assert_null(kept(c, "a", 9000));
	web_cache_put(c, "b", 0, "two", 3);
	assert_null(kept(c, "b", 100));
	web_cache_put(c, "huge", 500, big, sizeof(big));
	assert_non_null(kept(c, "huge", 500));
	/* There is room for ten of those; the ones not used go first. */
	for (int i = 0; i < 9; i++) {
		snprintf(key, sizeof(key), "k%d", i);
		web_cache_put(c, key, 500, big, sizeof(big));
	}
	assert_non_null(kept(c, "huge", 500));
	web_cache_put(c, "k9", 500, big, sizeof(big));
	assert_non_null(kept(c, "huge", 500));
	assert_null(kept(c, "k0", 500));
	assert_non_null(kept(c, "k9", 500));
	clock_real();
	web_cache_free(c);
}

static void cache(void **state)
{
	in_fiber(run_cache, NULL);
}

/* -- threats -- */

static void run_ssrf(struct loop *l, void *arg)
{
	static const char *const hosts[] = {
		"127.0.0.1", "127.1", "0x7f000001", "0x7f.1", "0177.0.0.1", "2130706433", "localhost", "localhost.", "127.0.0.1.",
		"0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]",
		"[::127.0.0.1]", "169.254.169.254", "[fd00:ec2::254]", "10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1",
		"[fe80::1]", "[fc00::1]", "x.localhost",
	};
	struct fixture f;

	fx_open(&f, l, serve);
	fx_use(&f, "{}");
	for (size_t i = 0; i < CH_ARRAY_LEN(hosts); i++) {
		struct fetch_page p;
		struct ch_err err = { 0 };
		ch_status st = fetch(&f, arena_printf(f.arena, "http://%s:%u/echo", hosts[i], f.peer.port), &p, &err);

		/* Not to be an address for the resolver is fine, too. */
		if (st != CH_E_DENIED && st != CH_E_INVALID && st != CH_E_PEER)
			fail_msg("%s: %s (%s)", hosts[i], ch_status_name(st), err.text);
	}
	must_fail(&f, "http://user:pw@example.org/", CH_E_INVALID, "user names");
	must_fail(&f, "file:///etc/passwd", CH_E_UNSUPPORTED, "scheme");
	must_fail(&f, "ws://example.org/", CH_E_INVALID, "only http");
	must_fail(&f, "http://exa mple.org/", CH_E_INVALID, "percent-encoded");
	assert_int_equal(f.requests, 0);
	fx_close(&f);
}

static void test_threat_ssrf_private_addresses(void **state)
{
	in_fiber(run_ssrf, NULL);
}

static void run_allowed(struct loop *l, void *arg)
{
	struct fixture f;

	fx_open(&f, l, serve);
	fx_use(&f, "{" ALLOWED "}}}}");
	must_fetch(&f, "/echo");
	/* The exact spelling, not what it resolves to; and each hop by itself. */
	must_fail(&f, arena_printf(f.arena, "http://localhost:%u/echo", f.peer.port), CH_E_DENIED, "loopback");
	must_fail(&f, fx_url(&f, "/localhost"), CH_E_DENIED, "loopback");
	must_fail(&f, fx_url(&f, "/to?http://2130706433/"), CH_E_DENIED, "in disguise");
	must_fail(&f, fx_url(&f, "/to?http://169.254.169.254/latest/"), CH_E_DENIED, "metadata");
	must_fail(&f, fx_url(&f, "/to?http://[::ffff:127.0.0.2]/"), CH_E_DENIED, "loopback");
	must_fail(&f, fx_url(&f, "/to?file:///etc/passwd"), CH_E_PEER, "not a URL");
	must_fail(&f, fx_url(&f, "/loop"), CH_E_LIMIT, "more than 3 redirects");
	/* A metadata service stays closed, also when it is named. */
	fx_use(&f, "{tools:{web:{fetch:{ssrfPolicy:{allowedHostnames:['169.254.169.254']}}}}}");
	must_fail(&f, "http://169.254.169.254/latest/", CH_E_DENIED, "metadata");
	fx_use(&f, "{" ALLOWED ",ssrfPolicy:{allowedHostnames:['127.0.0.1'],blockedHostnames:['127.0.0.1','*.evil.example']}}}}}");
	must_fail(&f, fx_url(&f, "/echo"), CH_E_DENIED, "blockedHostnames");
	must_fail(&f, "https://a.evil.example./", CH_E_DENIED, "blockedHostnames");
	fx_close(&f);
}

static void test_threat_ssrf_each_hop_is_judged(void **state)
{
	in_fiber(run_allowed, NULL);
}

/* CVE-2026-53840: headers followed redirects. */
static void run_headers(struct loop *l, void *arg)
{
	struct fixture f;
	struct fetch_page p;

	fx_open(&f, l, serve);
	fx_use(&f, "{" ALLOWED ",headers:{'X-Route':'s3cret-route','Host':'evil','Content-Length':'9','bad name':'x','x-line':'a\\r\\nb',"
		   "'User-Agent':'x','x-twice':'1','X-Twice':'2'}}}}}");
	p = must_fetch(&f, "/echo");
	assert_non_null(strstr(p.text, "X-Route: s3cret-route\r\n"));
	assert_non_null(strstr(p.text, "X-Twice: 2\r\n"));
	assert_null(strstr(p.text, "x-twice: 1"));
	assert_null(strstr(p.text, "evil"));
	assert_null(strcasestr(p.text, "x-line"));
	assert_null(strcasestr(p.text, "content-length"));
	assert_non_null(strstr(p.text, "user-agent: Mozilla/5.0 (compatible; chela/"));
	p = must_fetch(&f, "/away");
	assert_string_equal(p.final_url, arena_printf(f.arena, "http://127.0.0.1:%u/echo", f.other.port));
	assert_null(strcasestr(p.text, "x-route"));
	assert_null(strstr(p.text, "s3cret"));
	assert_non_null(strstr(p.text, "accept-language: "));
	fx_close(&f);
}

static void test_cve_2026_53840_headers_stay_with_their_origin(void **state)
{
	in_fiber(run_headers, NULL);
}

static void run_bombs(struct loop *l, void *arg)
{
	struct fixture f;
	struct fetch_page p;
	struct ch_err err;
	struct fetch_in slow = { 0 };

	fx_open(&f, l, serve);
	fx_use(&f, "{" ALLOWED ",maxResponseBytes:40000}}}}");
	p = must_fetch(&f, "/bomb");
	assert_int_equal(p.raw_length, 40000);
	assert_non_null(strstr(p.warning, "longer than 40000 bytes"));
	p = must_fetch(&f, "/endless");
	assert_int_equal(p.raw_length, 40000);
	assert_true(p.is_truncated);
	slow.config = f.config;
	slow.url = fx_url(&f, "/slow");
	slow.deadline_ms = fiber_deadline(100);
	assert_int_equal(web_fetch(f.web, &slow, f.arena, &p, &err), CH_E_TIMEOUT);
	fx_close(&f);
}

static void test_threat_dos_bombs_and_slow_bodies(void **state)
{
	in_fiber(run_bombs, NULL);
}

/* A page that the parser cannot manage within its limits ends the child, not the gateway. */
static void run_heavy(struct loop *l, void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf page = { 0 };
	struct json *v;
	struct ch_err err = { 0 };
	struct html_job job = { .kind = HTML_PAGE, .deadline_ms = fiber_deadline(20000) };

	buf_init(&page, 8u << 20);
	/* Each paragraph gets all the open elements anew. */
	buf_puts(&page, "<p>");
	for (int i = 0; i < 1000; i++)
		buf_printf(&page, "<b id='%01000d'>", i);
	for (int i = 0; i < 3000; i++)
		buf_puts(&page, "</p><p>x");
	job.text = page.data;
	job.len = page.len;
	assert_int_equal(html_child_run(&job, a, &v, &err), CH_E_LIMIT);
	assert_non_null(strstr(err.text, "too complicated"));
	job.text = "<p>next";
	job.len = strlen(job.text);
	assert_int_equal(html_child_run(&job, a, &v, &err), CH_OK);
	assert_string_equal(json_get_str(v, "text"), "next");
}

static void test_threat_dos_pages_that_explode(void **state)
{
	in_fiber(run_heavy, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(forms),
	cmocka_unit_test(lengths),
	cmocka_unit_test(cache),
	cmocka_unit_test(cache_forgets),
	cmocka_unit_test(test_threat_ssrf_private_addresses),
	cmocka_unit_test(test_threat_ssrf_each_hop_is_judged),
	cmocka_unit_test(test_cve_2026_53840_headers_stay_with_their_origin),
	cmocka_unit_test(test_threat_dos_bombs_and_slow_bodies),
	cmocka_unit_test(test_threat_dos_pages_that_explode),
};
FX_MAIN(tests, make_bomb)
