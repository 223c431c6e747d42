/*
 * fuzz_http1.c - requests, one after the other as on a connection: the same
 * in one piece as in steps, and what passes keeps the promises of its header.
 *
 * The first byte chooses the steps; the rest is what the client sends.
 */
#include "fuzz.h"

#include "core/str.h"
#include "net/http1.h"

#define BODY_MAX 200
#define REQUESTS_MAX 20

enum outcome { INCOMPLETE = 0, FINE = 1 };      /* or the status to answer */

/* Bytes that arrive in steps: the reader may look at [at, seen). */
struct input {
	const char *bytes;
	size_t n, at, seen, step;
};

static bool more(struct input *in)
{
	if (in->seen == in->n)
		return false;
	in->seen += CH_MIN(in->step, in->n - in->seen);
	return true;
}

static void check_text(const char *s)
{
	for (; *s; s++)
		FUZZ_ASSERT((unsigned char)*s >= 0x20 ? *s != 0x7f : *s == '\t');
}

static void check_head(const struct http1_head *h)
{
	const char *dots;

	FUZZ_ASSERT(h->path[0] == '/' && utf8_valid(h->path, strlen(h->path)));
	check_text(h->path);
	FUZZ_ASSERT(!strstr(h->path, "/../") && !strstr(h->path, "/./") && !str_ends(h->path, "/..") &&
		    !str_ends(h->path, "/."));
	for (dots = h->target; *dots; dots++)
		FUZZ_ASSERT(*dots > ' ' && *dots <= '~');
	FUZZ_ASSERT(h->header_count <= HTTP_HEADER_COUNT_MAX);
	for (size_t i = 0; i < h->header_count; i++) {
		const char *value = h->headers[i].value;
		size_t n = strlen(value);

		check_text(value);
		FUZZ_ASSERT(*h->headers[i].name &&
			    !strpbrk(h->headers[i].name, " \t:\r\nABCDEFGHIJKLMNOPQRSTUVWXYZ"));
		FUZZ_ASSERT(!n || (!strchr(" \t", value[0]) && !strchr(" \t", value[n - 1])));
	}
	FUZZ_ASSERT(!(h->is_chunked && h->content_length) && !(h->is_chunked && h->is_http10));
	FUZZ_ASSERT(!h->is_upgrade || (strlen(h->ws_key) == 24 && !h->is_chunked && !h->content_length));
}

static int read_head(struct arena *a, struct input *in, struct http1_head *h)
{
	struct http1_scan scan = { 0 };
	struct ch_err err = { 0 };
	size_t len = 0;
	int http = 0;

	do {
		if (http1_scan(&scan, in->bytes + in->at, in->seen - in->at, &len, &http, &err)) {
			FUZZ_ASSERT(http >= 400 && *err.text);
			return http;
		}
		FUZZ_ASSERT(len || in->seen - in->at < HTTP_HEADER_MAX);
	} while (!len && more(in));
	if (!len)
		return INCOMPLETE;
	FUZZ_ASSERT(len <= HTTP_HEADER_MAX);
	if (http1_parse(a, in->bytes + in->at, len, h, &http, &err)) {
		FUZZ_ASSERT(http >= 400 && *err.text);
		return http;
	}
	check_head(h);
	in->at += len;
	return FINE;
}

static int read_body(struct input *in, const struct http1_head *h, struct buf *out)
{
	struct http1_body b;
	struct ch_err err = { 0 };
	int http = 0;

	http1_body_init(&b, h);
	if (h->content_length > BODY_MAX)
		return 413;             /* as the server does it */
	while (!b.is_done) {
		size_t used = 0, n = in->seen - in->at;

		if (http1_body_feed(&b, in->bytes + in->at, n, out, &used, &http, &err)) {
			FUZZ_ASSERT(http >= 400 && *err.text);
			return http;
		}
		FUZZ_ASSERT(used == n || (b.is_done && used < n));
		in->at += used;
		if (!b.is_done && !more(in))
			return INCOMPLETE;
	}
	FUZZ_ASSERT(h->is_chunked ? out->len <= BODY_MAX : out->len == h->content_length);
	return FINE;
}

static void trace_request(struct buf *trace, const struct http1_head *h)
{
	buf_printf(trace, "%s %s %s %s %d%d%d%d%d\n", h->method, h->target, h->path,
		   h->query ? h->query : "-", h->is_http10, h->keep_alive, h->expects_continue, h->is_chunked,
		   h->is_upgrade);
	for (size_t i = 0; i < h->header_count; i++)
		buf_printf(trace, "%s: %s\n", h->headers[i].name, h->headers[i].value);
}

static void run(const uint8_t *data, size_t size, size_t step, struct buf *trace)
{
	struct input in = { .bytes = (const char *)data, .n = size, .step = step };
	int outcome = FINE;

	more(&in);
	for (int i = 0; i < REQUESTS_MAX && outcome == FINE; i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		CH_AUTO_BUF struct buf body = { 0 };
		struct http1_head h;

		buf_init(&body, BODY_MAX);
		outcome = read_head(a, &in, &h);
		if (outcome == FINE) {
			trace_request(trace, &h);
			outcome = read_body(&in, &h, &body);
			buf_append(trace, buf_str(&body), body.len);
		}
		buf_printf(trace, "\n= %d\n", outcome);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO_BUF struct buf whole = { 0 }, stepped = { 0 };

	buf_init(&whole, SIZE_MAX);
	buf_init(&stepped, SIZE_MAX);
	if (!size)
		return 0;
	run(data + 1, size - 1, SIZE_MAX / 2, &whole);
	run(data + 1, size - 1, 1 + data[0] % 64, &stepped);
	FUZZ_ASSERT(whole.len == stepped.len && !memcmp(buf_str(&whole), buf_str(&stepped), whole.len));
	return 0;
}
