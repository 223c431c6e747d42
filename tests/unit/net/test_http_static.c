/* net/http_static: embedded assets and directories, conditions, encodings, and ways out of the directory. */
#include "net/http_static.h"

#include <sys/stat.h>
#include <zlib.h>

#include "core/mem.h"
#include "core/str.h"
#include "raw_client.h"

static char root[64], outside[64];

static void put_file(const char *dir, const char *name, const char *text, size_t n)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	assert_int_equal(fclose(f), 0);
}

static void put(const char *name, const char *text)
{
	put_file(root, name, text, strlen(text));
}

static void in_root(char *ret_path, size_t size, const char *name)
{
	snprintf(ret_path, size, "%s/%s", root, name);
}

#define BIG (3u << 20)

static int setup(void **state)
{
	char path[200];
	char *big = ch_alloc(BIG);

	snprintf(root, sizeof(root), "/tmp/chela-test-static-%d", (int)getpid());
	snprintf(outside, sizeof(outside), "/tmp/chela-test-static-%d-outside", (int)getpid());
	if (mkdir(root, 0700) || mkdir(outside, 0700))
		return -1;
	in_root(path, sizeof(path), "sub");
	if (mkdir(path, 0700))
		return -1;
	in_root(path, sizeof(path), ".git");
	if (mkdir(path, 0700))
		return -1;
	put("index.html", "<html>");
	put("a b.txt", "spaces");
	put("app.js", "plain");
	put("app.js.gz", "packed");
	put("sub/x.css", "css");
	put(".env", "secret");
	put(".git/config", "secret");
	put("empty.txt", "");
	for (size_t i = 0; i < BIG; i++)
		big[i] = (char)('a' + i % 23);
	put_file(root, "big.bin", big, BIG);
	put_file(outside, "secret.txt", "secret", 6);
	ch_free(big);
	in_root(path, sizeof(path), "link.txt");
	if (symlink("index.html", path))
		return -1;
	in_root(path, sizeof(path), "out.txt");
	if (symlink("../../etc/passwd", path))
		return -1;
	in_root(path, sizeof(path), "outdir");
	if (symlink(outside, path))
		return -1;
	in_root(path, sizeof(path), "fifo");
	return mkfifo(path, 0600);
}

static int teardown(void **state)
{
	static const char *const names[] = {
		"index.html", "a b.txt", "app.js", "app.js.gz", "sub/x.css", ".env", ".git/config",
		"empty.txt", "big.bin", "link.txt", "out.txt", "outdir", "fifo",
	};
	char path[200];

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		in_root(path, sizeof(path), names[i]);
		unlink(path);
	}
	in_root(path, sizeof(path), "sub");
	rmdir(path);
	in_root(path, sizeof(path), ".git");
	rmdir(path);
	snprintf(path, sizeof(path), "%s/secret.txt", outside);
	unlink(path);
	rmdir(outside);
	return rmdir(root);
}

/* -- server -- */

static struct http_asset asset = {
	.path = "/app.js",
	.content_type = "text/javascript",
	.etag = "\"abc\"",
	.is_gzip = true,
	.is_immutable = true,
};
static const struct http_asset plain_asset = {
	.path = "/plain",
	.content_type = "text/plain",
	.data = (const unsigned char *)"plain text",
	.len = 10,
	.etag = "\"p\"",
};

static void run_file(struct http_call *c, const struct http_request *rq, void *arg)
{
	struct ch_err err = { 0 };
	ch_status st = http_static_file(c, rq, root, rq->path + strlen("/files/"), &err);

	if (st == CH_E_NOT_FOUND)
		http_reply_error(c, 404, "not_found", "Not Found");
	else if (st)
		http_reply_error(c, 500, "internal", err.text);
}

static void run_no_root(struct http_call *c, const struct http_request *rq, void *arg)
{
	struct ch_err err = { 0 };

	assert_int_equal(http_static_file(c, rq, "/nonexistent/root", "x", &err), CH_E_IO);
	assert_true(strstr(err.text, "/nonexistent/root") != NULL);
	http_reply_error(c, 500, "internal", "no root");
}

static void run_asset(struct http_call *c, const struct http_request *rq, void *arg)
{
	http_static_asset(c, rq, &asset);
}

static void run_plain_asset(struct http_call *c, const struct http_request *rq, void *arg)
{
	if (str_eq(rq->query, "own")) {
		http_reply_header(c, "x-content-type-options", "nosniff");
		http_reply_header(c, "CACHE-CONTROL", "no-store");
		http_reply_header(c, "X-E", "");
	}
	http_static_asset(c, rq, &plain_asset);
}

static const struct http_route routes[] = {
	{ "GET", "/files/*", 0, run_file },
	{ "GET", "/noroot",  0, run_no_root },
	{ "GET", "/asset",   0, run_asset },
	{ "GET", "/plain",   0, run_plain_asset },
	{ 0 },
};
static struct http_server *server;
static uint16_t port;

static void begin(struct loop *l)
{
	static const struct http_server_opts opts = { .routes = routes };
	struct ch_err err;

	server = http_server_new(l, &opts);
	assert_int_equal(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err), CH_OK);
}

static void end(void)
{
	http_server_stop(server, fiber_deadline(0));
	http_server_free(server);
}

#define TEST(name)                                                                                \
	static void name##_in(void *loop);                                                        \
	static void name(void **state) { in_loop(name##_in); }                                    \
	static void name##_in(void *loop)

/* The answer, head and body. */
static struct buf ask(const char *method, const char *target, const char *headers)
{
	char request[2000];

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%s\r\n", method,
		 target, headers);
	return client_ask(port, request);
}

static void expect(const char *target, const char *headers, const char *const *wanted, const char *body)
{
	struct buf answer = ask("GET", target, headers);
	const char *end_of_head = strstr(buf_str(&answer), "\r\n\r\n");

	for (; *wanted; wanted++) {
		bool is_absent = **wanted == '!';

		if ((strstr(buf_str(&answer), *wanted + is_absent) != NULL) == is_absent)
			fail_msg("%s: '%s' missing or unwanted in '%s'", target, *wanted, buf_str(&answer));
	}
	if (!end_of_head || !str_eq(end_of_head + 4, body))
		fail_msg("%s: body '%s'", target, end_of_head ? end_of_head + 4 : "(none)");
	buf_done(&answer);
}
#define EXPECT(target, headers, body, ...) \
	expect(target, headers, (const char *const[]){ __VA_ARGS__, NULL }, body)

/* -- directories -- */

TEST(test_files)
{
	begin(loop);
	EXPECT("/files/index.html", "", "<html>", "HTTP/1.1 200 OK\r\n",
	       "Content-Type: text/html; charset=utf-8\r\n", "X-Content-Type-Options: nosniff\r\n",
	       "Cache-Control: no-cache\r\n", "ETag: \"", "Content-Length: 6\r\n", "!Content-Encoding");
	EXPECT("/files/a%20b.txt", "", "spaces", "text/plain");
	EXPECT("/files/sub/x.css", "", "css", "text/css");
	EXPECT("/files/sub%2Fx.css", "", "css", "text/css");
	EXPECT("/files/empty.txt", "", "", "200 OK", "Content-Length: 0\r\n");
	EXPECT("/noroot", "", "{\"error\":{\"message\":\"no root\",\"type\":\"internal\"}}", "500");
	struct buf head = ask("HEAD", "/files/index.html", "");

	assert_true(strstr(head.data, "Content-Length: 6\r\n") && str_ends(head.data, "\r\n\r\n"));
	buf_done(&head);
	end();
}

TEST(test_big_file)
{
	begin(loop);
	struct buf got = ask("GET", "/files/big.bin", ""), head = ask("HEAD", "/files/big.bin", "");
	const char *body = strstr(got.data, "\r\n\r\n") + 4;

	assert_true(strstr(got.data, "Content-Length: 3145728\r\n") != NULL);
	assert_null(strstr(got.data, "chunked"));
	assert_int_equal(got.data + got.len - body, BIG);
	for (size_t i = 0; i < BIG; i++) {
		if (body[i] != (char)('a' + i % 23))
			fail_msg("byte %zu is wrong", i);
	}
	assert_true(strstr(head.data, "Content-Length: 3145728\r\n") && str_ends(head.data, "\r\n\r\n"));
	buf_done(&got);
	buf_done(&head);
	/* after HEAD the connection goes on */
	struct client c = client_open(port);

	client_puts(&c,
		    "HEAD /files/big.bin HTTP/1.1\r\nHost: a\r\n\r\nGET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
	client_expect(&c, "Content-Length: 3145728\r\n\r\nHTTP/1.1 200 OK\r\n");
	client_expect(&c, "plain text");
	client_close(&c);
	end();
}

TEST(test_not_found)
{
	static const char *const targets[] = {
		"/files/",
		"/files/nothing",
		"/files/sub",
		"/files/sub/",
		"/files/index.html/",
		"/files/index.html/x",
		"/files//index.html",
		"/files//etc/passwd",
		"/files/sub//x.css",
		"/files/.env",
		"/files/.git/config",
		"/files/sub/.x",
		"/files/...",
		"/files/link.txt",
		"/files/out.txt",
		"/files/outdir/secret.txt",
		"/files/outdir",
		"/files/fifo",
		"/files/%5c..%5cetc",
		"/files/..%5c..%5cetc%5cpasswd",
		"/files/a%5c",
		"/files/%2fetc%2fpasswd",
		"/files/~",
		"/files/c:",
	};

	begin(loop);
	for (size_t i = 0; i < CH_ARRAY_LEN(targets); i++) {
		struct buf answer = ask("GET", targets[i], "");

		if (!str_starts(buf_str(&answer), "HTTP/1.1 404 ") || strstr(answer.data, "secret"))
			fail_msg("%s gave %s", targets[i], buf_str(&answer));
		buf_done(&answer);
	}
	end();
}

TEST(test_traversal)
{
	static const char *const targets[] = {
		"/files/../../../etc/passwd",
		"/files/%2e%2e/%2e%2e/etc/passwd",
		"/files/%2E%2E%2Fetc%2Fpasswd",
		"/files/..%2f..%2fetc%2fpasswd",
		"/files/sub/../index.html",
		"/files/./index.html",
		"/files/%2e/index.html",
		"/files/.%2e/x",
		"/files/..%00/x",
		"/files/index.html%00.png",
		"/files/%c0%ae%c0%ae/etc/passwd",
		"/files/%ff",
		"/files/..",
		"/files/sub/%2e%2e",
		"/files/%",
		"/files/%2",
		"/files/a%0ab",
	};

	begin(loop);
	for (size_t i = 0; i < CH_ARRAY_LEN(targets); i++) {
		struct buf answer = ask("GET", targets[i], "");

		if (!str_starts(buf_str(&answer), "HTTP/1.1 400 "))
			fail_msg("%s gave %s", targets[i], buf_str(&answer));
		buf_done(&answer);
	}
	end();
}

/* Below HTTP the same again: rel_path is not trusted to have gone through it. */
static void check_direct(struct http_call *c, const struct http_request *rq, const char *rel_path)
{
	struct ch_err err;

	if (http_static_file(c, rq, root, rel_path, &err) != CH_E_NOT_FOUND)
		fail_msg("'%s' was served", rel_path);
}

static void run_direct(struct http_call *c, const struct http_request *rq, void *arg)
{
	check_direct(c, rq, "");
	check_direct(c, rq, "/etc/passwd");
	check_direct(c, rq, "../outside/secret.txt");
	check_direct(c, rq, "sub/../../x");
	check_direct(c, rq, "sub/../index.html");
	check_direct(c, rq, "./index.html");
	check_direct(c, rq, "outdir/secret.txt");
	http_reply(c, 200, NULL, "fine", 4);
}

TEST(test_direct)
{
	static const struct http_route direct[] = { { "GET", "*", 0, run_direct }, { 0 } };
	static const struct http_server_opts opts = { .routes = direct };
	struct ch_err err;

	server = http_server_new(loop, &opts);
	assert_int_equal(http_server_listen(server, "127.0.0.1", 0, NULL, &port, &err), CH_OK);
	EXPECT("/", "", "fine", "200 OK");
	end();
}

/* -- encodings and conditions -- */

TEST(test_precompressed)
{
	static const struct { const char *accept; bool packed; } rows[] = {
		{ "", false },
		{ "Accept-Encoding: gzip\r\n", true },
		{ "Accept-Encoding: deflate, GZIP;q=0.5, br\r\n", true },
		{ "Accept-Encoding: br;q=1.0, *\r\n", true },
		{ "Accept-Encoding: gzip;q=0\r\n", false },
		{ "Accept-Encoding: gzip; q=0.000\r\n", false },
		{ "Accept-Encoding: gzip;q=0.001\r\n", true },
		{ "Accept-Encoding: *, gzip;q=0\r\n", false },
		{ "Accept-Encoding: *;q=0\r\n", false },
		{ "Accept-Encoding: xgzip, gzipx\r\n", false },
		{ "Accept-Encoding: identity\r\nAccept-Encoding: gzip\r\n", true },
	};

	begin(loop);
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (rows[i].packed)
			EXPECT("/files/app.js", rows[i].accept, "packed", "Content-Encoding: gzip\r\n",
			       "Vary: Accept-Encoding\r\n",
			       "Content-Type: text/javascript; charset=utf-8\r\n");
		else
			EXPECT("/files/app.js", rows[i].accept, "plain", "!Content-Encoding",
			       "Vary: Accept-Encoding\r\n");
	}
	EXPECT("/files/index.html", "Accept-Encoding: gzip\r\n", "<html>", "!Content-Encoding");
	end();
}

static void copy_etag(const char *target, const char *headers, char *ret_etag, size_t size)
{
	struct buf answer = ask("GET", target, headers);
	const char *etag = strstr(answer.data, "ETag: ") + 6;

	snprintf(ret_etag, size, "%.*s", (int)strcspn(etag, "\r"), etag);
	buf_done(&answer);
}

static void check_conditions(const char *target, const char *etag, const char *accept)
{
	static const char *const match[] = { "%s", "W/%s", "\"x\", %s", "%s,\"x\"", "*" };
	static const char *const differ[] = { "\"x\"", "", "x%s", "\"%s" };

	for (size_t i = 0; i < CH_ARRAY_LEN(match) + CH_ARRAY_LEN(differ); i++) {
		bool matches = i < CH_ARRAY_LEN(match);
		const char *row = matches ? match[i] : differ[i - CH_ARRAY_LEN(match)];
		const char *spot = strstr(row, "%s");
		char headers[600];
		struct buf answer;

		snprintf(headers, sizeof(headers), "%sIf-None-Match: %.*s%s%s\r\n", accept,
			 spot ? (int)(spot - row) : (int)strlen(row), row, spot ? etag : "",
			 spot ? spot + 2 : "");
		answer = ask("GET", target, headers);
		if (str_starts(answer.data, "HTTP/1.1 304 Not Modified\r\n") != matches)
			fail_msg("%s: %s gave %s", target, headers, answer.data);
		if (matches && (!strstr(answer.data, etag) || !str_ends(answer.data, "\r\n\r\n") ||
				strstr(answer.data, "Content-Length")))
			fail_msg("%s: not a proper 304: %s", target, answer.data);
		buf_done(&answer);
	}
}

TEST(test_conditions)
{
	char etag[200], packed[200];

	begin(loop);
	copy_etag("/files/app.js", "", etag, sizeof(etag));
	copy_etag("/files/app.js", "Accept-Encoding: gzip\r\n", packed, sizeof(packed));
	assert_string_not_equal(etag, packed);
	check_conditions("/files/app.js", etag, "");
	check_conditions("/files/app.js", packed, "Accept-Encoding: gzip\r\n");
	check_conditions("/asset", "\"abc\"", "Accept-Encoding: gzip\r\n");
	check_conditions("/asset", "\"abc-plain\"", "");
	check_conditions("/plain", "\"p\"", "");
	/* a changed file has another */
	put("app.js", "changed");
	EXPECT("/files/app.js", "If-None-Match: \"x\"\r\n", "changed", "200 OK");
	put("app.js", "plain");
	put("app.js.gz", "packed");
	end();
}

TEST(test_assets)
{
	begin(loop);
	EXPECT("/asset", "", "console.log('hello hello hello');", "200 OK", "ETag: \"abc-plain\"\r\n",
	       "!Content-Encoding", "Vary: Accept-Encoding\r\n",
	       "Cache-Control: public, max-age=31536000, immutable\r\n", "Content-Type: text/javascript\r\n",
	       "X-Content-Type-Options: nosniff\r\n");
	EXPECT("/plain", "Accept-Encoding: gzip\r\n", "plain text", "200 OK", "Cache-Control: no-cache\r\n",
	       "!Vary");
	/* what the caller said already is not said again */
	EXPECT("/plain?own", "", "plain text", "CACHE-CONTROL: no-store\r\n",
	       "x-content-type-options: nosniff\r\n", "!Cache-Control", "!X-Content-Type-Options");
	struct buf answer = ask("GET", "/asset", "Accept-Encoding: gzip\r\n");
	const char *body = strstr(answer.data, "\r\n\r\n") + 4;

	assert_true(strstr(answer.data, "Content-Encoding: gzip\r\n") != NULL);
	assert_int_equal(answer.data + answer.len - body, asset.len);
	assert_memory_equal(body, asset.data, asset.len);
	buf_done(&answer);
	/* damaged */
	asset.len -= 5;
	EXPECT("/asset", "",
	       "{\"error\":{\"message\":\"the asset cannot be unpacked\",\"type\":\"internal\"}}", "500");
	asset.len += 5;
	end();
}

static void test_content_types(void **state)
{
	assert_string_equal(http_content_type("a/b.HTML"), "text/html; charset=utf-8");
	assert_string_equal(http_content_type("x.tar.gz"), "application/gzip");
	assert_string_equal(http_content_type("font.woff2"), "font/woff2");
	assert_string_equal(http_content_type("Makefile"), "application/octet-stream");
	assert_string_equal(http_content_type("a.html.exe"), "application/octet-stream");
	assert_string_equal(http_content_type("x."), "application/octet-stream");
}

static void pack_asset(void)
{
	static const char text[] = "console.log('hello hello hello');";
	static unsigned char packed[200];
	z_stream z = { .next_in = (unsigned char *)text, .avail_in = sizeof(text) - 1, .next_out = packed,
		       .avail_out = sizeof(packed) };

	deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
	deflate(&z, Z_FINISH);
	asset.data = packed;
	asset.len = z.total_out;
	deflateEnd(&z);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_files),
		cmocka_unit_test(test_big_file),
		cmocka_unit_test(test_not_found),
		cmocka_unit_test(test_traversal),
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_precompressed),
		cmocka_unit_test(test_conditions),
		cmocka_unit_test(test_assets),
		cmocka_unit_test(test_content_types),
	};

	pack_asset();
	return cmocka_run_group_tests(tests, setup, teardown);
}
