/*
 * net/http1.c - the head of a request: finding its end, and what it says.
 *
 * http-parser splits the head and does the arithmetic of framing; around it
 * stand the checks it leaves out. http1_scan() sees each byte once and knows
 * only lines; http1_parse() gets a head whose lines all end in CRLF and which
 * holds no control byte but TAB.
 */
#include "net/http1.h"

#include <http_parser.h>
#include <strings.h>

#include "core/str.h"
#include "net/url.h"

static ch_status refuse(int *ret_http, int http, struct ch_err *err, const char *what)
{
	*ret_http = http;
	return ch_fail(err, http == 414 || http == 431 ? CH_E_LIMIT : CH_E_INVALID, "%s", what);
}

/* -- finding the end -- */

/* A line that begins at scan->line_start ends with the LF at scan->at. */
static ch_status end_line(struct http1_scan *scan, const char *bytes, bool *ret_is_end, int *ret_http,
			  struct ch_err *err)
{
	bool is_empty = scan->at == scan->line_start + 1;

	if (scan->at == scan->line_start || bytes[scan->at - 1] != '\r')
		return refuse(ret_http, 400, err, "a line that does not end in CRLF");
	if (is_empty && scan->lines == 0)
		scan->skip += 2;
	else if (is_empty)
		*ret_is_end = true;
	else if (scan->lines && (bytes[scan->line_start] == ' ' || bytes[scan->line_start] == '\t'))
		return refuse(ret_http, 400, err, "a folded header line");
	else if (++scan->lines > HTTP_HEADER_COUNT_MAX + 1)
		return refuse(ret_http, 431, err, "too many header lines");
	scan->line_start = scan->at + 1;
	return CH_OK;
}

static ch_status check_room(const struct http1_scan *scan, int *ret_http, struct ch_err *err)
{
	if (scan->lines == 0 && scan->at - scan->line_start > HTTP1_TARGET_MAX + 32)
		return refuse(ret_http, 414, err, "the request line is too long");
	if (scan->at >= HTTP_HEADER_MAX)
		return refuse(ret_http, 431, err, "the header block is too large");
	return CH_OK;
}

ch_status http1_scan(struct http1_scan *scan, const char *bytes, size_t n, size_t *ret_len, int *ret_http,
		     struct ch_err *err)
{
	bool is_end = false;
	ch_status st;

	for (; scan->at < n && !is_end; scan->at++) {
		unsigned char c = (unsigned char)bytes[scan->at];
		bool is_after_cr = scan->at > scan->line_start && bytes[scan->at - 1] == '\r';

		if (c >= 0x20 && c != 0x7f && !is_after_cr)
			continue;
		st = check_room(scan, ret_http, err);
		if (st)
			return st;
		if (c == '\n') {
			st = end_line(scan, bytes, &is_end, ret_http, err);
			if (st)
				return st;
		} else if (is_after_cr || (c != '\r' && c != '\t')) {
			return refuse(ret_http, 400, err, "a control byte in the header block");
		}
	}
	*ret_len = is_end ? scan->at : 0;
	return check_room(scan, ret_http, err);
}

/* -- splitting, by http-parser -- */

struct row { const char *name, *value; size_t name_len, value_len; };

struct split {
	struct row *rows;
	size_t count, count_max;
	bool is_complete;
};

static int on_header_field(http_parser *p, const char *at, size_t n)
{
	struct split *s = p->data;

	if (s->count == s->count_max)
		return 1;
	s->rows[s->count++] = (struct row){ .name = at, .name_len = n };
	return 0;
}

static int on_header_value(http_parser *p, const char *at, size_t n)
{
	struct split *s = p->data;

	if (!s->count || s->rows[s->count - 1].value)
		return 1;                       /* a value in two parts: only folding does that */
	s->rows[s->count - 1].value = at;
	s->rows[s->count - 1].value_len = n;
	return 0;
}

static int on_headers_complete(http_parser *p)
{
	struct split *s = p->data;

	s->is_complete = true;
	return 0;
}

static const http_parser_settings settings = {
	.on_header_field = on_header_field,
	.on_header_value = on_header_value,
	.on_headers_complete = on_headers_complete,
};

static ch_status split_error(const http_parser *p, int *ret_http, struct ch_err *err)
{
	switch (HTTP_PARSER_ERRNO(p)) {
	case HPE_INVALID_METHOD:
		return refuse(ret_http, 501, err, "a method this server does not know");
	case HPE_INVALID_TRANSFER_ENCODING:
		return refuse(ret_http, 501, err, "a transfer coding other than chunked");
	case HPE_INVALID_CONTENT_LENGTH:
		return refuse(ret_http, 400, err, "a malformed Content-Length");
	case HPE_UNEXPECTED_CONTENT_LENGTH:
		return refuse(ret_http, 400, err, "more than one statement of the body's length");
	case HPE_INVALID_HEADER_TOKEN:
		return refuse(ret_http, 400, err, "a malformed header line");
	default:
		return refuse(ret_http, 400, err, "a malformed request");
	}
}

/* -- the request line -- */

static bool is_token(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char lower = (char)(p[i] | 0x20);

		if (!p[i] || !((p[i] >= '0' && p[i] <= '9') || (lower >= 'a' && lower <= 'z') ||
			       strchr("!#$%&'*+-.^_`|~", p[i])))
			return false;
	}
	return n > 0;
}

/* METHOD SP target SP "HTTP/" DIGIT "." DIGIT, before http-parser guesses at it. */
static ch_status check_request_line(const char *line, size_t n, const char **ret_target, int *ret_http,
				    struct ch_err *err)
{
	const char *space = memchr(line, ' ', n), *target, *second, *version;

	if (!space || !is_token(line, (size_t)(space - line)))
		return refuse(ret_http, 400, err, "a malformed request line");
	target = space + 1;
	second = memchr(target, ' ', n - (size_t)(target - line));
	if (!second || second == target)
		return refuse(ret_http, 400, err, "a malformed request line");
	for (const char *p = target; p < second; p++) {
		if (*p <= ' ' || *p > '~')
			return refuse(ret_http, 400, err,
				      "a request target with bytes that must be percent-encoded");
	}
	if ((size_t)(second - target) > HTTP1_TARGET_MAX)
		return refuse(ret_http, 414, err, "the request target is too long");
	version = second + 1;
	if (line + n - version != 8 || memcmp(version, "HTTP/", 5) != 0 || version[6] != '.' ||
	    version[5] < '0' || version[5] > '9' || version[7] < '0' || version[7] > '9')
		return refuse(ret_http, 400, err, "a malformed HTTP version");
	if (version[5] != '1')
		return refuse(ret_http, 505, err, "an HTTP version other than 1.x");
	*ret_target = target;
	return CH_OK;
}

static const char *decode_path(struct arena *a, const char *raw, size_t n)
{
	char *path = url_decode(a, raw, n);
	size_t len = path ? strlen(path) : 0;

	if (!len || path[0] != '/' || !utf8_valid(path, len))
		return NULL;
	for (const char *p = path; *p; p++) {
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return NULL;
	}
	for (const char *segment = path; segment; segment = strchr(segment + 1, '/')) {
		size_t segment_len = strcspn(segment + 1, "/");

		if ((segment_len == 1 && segment[1] == '.') ||
		    (segment_len == 2 && !memcmp(segment + 1, "..", 2)))
			return NULL;
	}
	return path;
}

/* The authority of "http://host:port/path" must be what Host says: nobody gets to pick between two. */
static const char *origin_form(struct arena *a, const char *target, const char *host)
{
	const char *authority;
	struct url u;
	size_t n;

	if (*target == '/')
		return target;
	if (url_parse(a, target, &u, NULL) || !str_starts(u.scheme, "http"))
		return NULL;
	authority = target + strcspn(target, ":") + 3;
	n = strcspn(authority, "/?#");
	if (!host || !str_ieq(arena_strndup(a, authority, n), host))
		return NULL;
	return authority[n] == '/' ? authority + n : arena_printf(a, "/%s", authority + n);
}

static ch_status read_target(struct arena *a, struct http1_head *h, const char *host, int *ret_http,
			     struct ch_err *err)
{
	const char *origin, *question;
	size_t path_len;

	if (str_eq(h->method, "CONNECT") || str_eq(h->target, "*"))
		return refuse(ret_http, 501, err, "a form of request target this server does not know");
	origin = strchr(h->target, '#') ? NULL : origin_form(a, h->target, host);
	if (!origin)
		return refuse(ret_http, 400, err, "a malformed request target");
	path_len = strcspn(origin, "?");
	question = origin[path_len] ? origin + path_len : NULL;
	h->path = decode_path(a, origin, path_len);
	h->query = question ? question + 1 : NULL;
	if (!h->path)
		return refuse(ret_http, 400, err, "a malformed request path");
	return CH_OK;
}

/* -- headers -- */

/* NULL when absent; *ret_count says how often it was sent. */
static const char *find(const struct http1_head *h, const char *name, unsigned *ret_count)
{
	const char *value = NULL;

	*ret_count = 0;
	for (size_t i = 0; i < h->header_count; i++) {
		if (strcmp(h->headers[i].name, name) != 0)
			continue;
		value = h->headers[i].value;
		++*ret_count;
	}
	return value;
}

/* Is the token among the comma-separated ones of any header of that name? */
static bool has_token(const struct http1_head *h, const char *name, const char *token)
{
	size_t token_len = strlen(token);

	for (size_t i = 0; i < h->header_count; i++) {
		const char *p = h->headers[i].value;

		if (strcmp(h->headers[i].name, name) != 0)
			continue;
		while (*p) {
			size_t n;

			p += strspn(p, " \t,");
			n = strcspn(p, " \t,");
			if (n == token_len && !strncasecmp(p, token, n))
				return true;
			p += n;
		}
	}
	return false;
}

/* Terminates names and values where they are, in `text`, which http-parser is done with. */
static ch_status take_headers(struct arena *a, char *text, const struct split *s, struct http1_head *h,
			      int *ret_http, struct ch_err *err)
{
	h->headers = arena_alloc(a, (s->count + 1) * sizeof(*h->headers));
	for (size_t i = 0; i < s->count; i++) {
		const struct row *row = &s->rows[i];
		char *name = text + (row->name - text), *value = NULL;
		size_t n = row->value ? row->value_len : 0;

		if (!is_token(name, row->name_len))
			return refuse(ret_http, 400, err, "a malformed header name");
		while (n && (row->value[n - 1] == ' ' || row->value[n - 1] == '\t'))
			n--;
		if (n) {
			value = text + (row->value - text);
			value[n] = '\0';
		}
		name[row->name_len] = '\0';
		str_lower(name);
		h->headers[i] = (struct http_header){ name, value ? value : "" };
	}
	h->header_count = s->count;
	return CH_OK;
}

/* uri-host [":" port], with the same idea of a host as our URLs have. */
static bool is_host(struct arena *a, const char *host)
{
	struct url u;

	return !strpbrk(host, "/?#") && url_parse(a, arena_printf(a, "http://%s/", host), &u, NULL) == CH_OK;
}

static ch_status check_host(struct arena *a, const struct http1_head *h, const char **ret_host, int *ret_http,
			    struct ch_err *err)
{
	unsigned count;
	const char *host = find(h, "host", &count);

	if (count > 1 || (count == 0 && !h->is_http10))
		return refuse(ret_http, 400, err, "not exactly one Host header");
	if (host && !is_host(a, host))
		return refuse(ret_http, 400, err, "a malformed Host header");
	*ret_host = host;
	return CH_OK;
}

/* How long the body is, and that there is one answer to that (RFC 9112 6.3). */
static ch_status check_framing(const http_parser *p, struct http1_head *h, int *ret_http, struct ch_err *err)
{
	unsigned lengths, codings;
	const char *length = find(h, "content-length", &lengths);
	const char *coding = find(h, "transfer-encoding", &codings);

	if (lengths + codings > 1)
		return refuse(ret_http, 400, err, "more than one statement of the body's length");
	if (coding && h->is_http10)
		return refuse(ret_http, 400, err, "a transfer coding in HTTP/1.0");
	if (coding && !str_ieq(coding, "chunked"))
		return refuse(ret_http, 501, err, "a transfer coding other than chunked");
	if (length && (!*length || length[strspn(length, "0123456789")]))
		return refuse(ret_http, 400, err, "a malformed Content-Length");
	h->is_chunked = coding != NULL;
	h->content_length = length ? p->content_length : 0;
	return CH_OK;
}

static ch_status check_expect(struct http1_head *h, int *ret_http, struct ch_err *err)
{
	unsigned count;
	const char *expect = find(h, "expect", &count);

	if (!expect || h->is_http10)
		return CH_OK;
	if (count > 1 || !str_ieq(expect, "100-continue"))
		return refuse(ret_http, 417, err, "an expectation other than 100-continue");
	h->expects_continue = h->is_chunked || h->content_length > 0;
	return CH_OK;
}

/* RFC 6455 4.2.1; anything else that wants to leave HTTP is refused. */
static ch_status check_upgrade(const http_parser *p, struct http1_head *h, int *ret_http, struct ch_err *err)
{
	unsigned keys, versions;
	const char *key = find(h, "sec-websocket-key", &keys);
	const char *version = find(h, "sec-websocket-version", &versions);
	unsigned char nonce[18];
	size_t nonce_len;

	if (!p->upgrade)
		return CH_OK;
	if (!has_token(h, "upgrade", "websocket"))
		return refuse(ret_http, 400, err, "an upgrade to something other than websocket");
	if (!str_eq(h->method, "GET") || h->is_http10 || h->is_chunked || h->content_length)
		return refuse(ret_http, 400, err, "a websocket upgrade that is not a plain GET of HTTP/1.1");
	if (versions != 1 || !str_eq(version, "13"))
		return refuse(ret_http, 426, err, "a websocket version other than 13");
	if (keys != 1 || strlen(key) != 24 || !b64_decode(key, 24, nonce, sizeof(nonce), &nonce_len) ||
	    nonce_len != 16)
		return refuse(ret_http, 400, err, "a malformed Sec-WebSocket-Key");
	h->is_upgrade = true;
	h->ws_key = key;
	return CH_OK;
}

static ch_status interpret(struct arena *a, const http_parser *p, struct http1_head *h, int *ret_http,
			   struct ch_err *err)
{
	const char *host = NULL;
	ch_status st;

	st = check_host(a, h, &host, ret_http, err);
	if (st)
		return st;
	st = read_target(a, h, host, ret_http, err);
	if (st)
		return st;
	st = check_framing(p, h, ret_http, err);
	if (st)
		return st;
	st = check_expect(h, ret_http, err);
	if (st)
		return st;
	return check_upgrade(p, h, ret_http, err);
}

ch_status http1_parse(struct arena *a, const char *bytes, size_t n, struct http1_head *ret, int *ret_http,
		      struct ch_err *err)
{
	struct http1_head h = { .target = "" };
	struct split s = { 0 };
	size_t line_len;
	http_parser p;
	char *text;
	ch_status st;

	while (n >= 2 && bytes[0] == '\r' && bytes[1] == '\n') {
		bytes += 2;
		n -= 2;
	}
	text = arena_strndup(a, bytes, n);
	line_len = strcspn(text, "\r");
	st = check_request_line(text, line_len, &h.target, ret_http, err);
	if (st)
		return st;
	for (const char *lf = text; (lf = strchr(lf, '\n')); lf++)
		s.count_max++;
	s.rows = arena_alloc(a, s.count_max * sizeof(*s.rows));
	http_parser_init(&p, HTTP_REQUEST);
	p.data = &s;
	if (http_parser_execute(&p, &settings, text, n) != n || !s.is_complete)
		return split_error(&p, ret_http, err);
	h.method = http_method_str(p.method);
	h.is_http10 = p.http_minor == 0;
	h.keep_alive = http_should_keep_alive(&p);
	text[line_len - strlen(" HTTP/1.1")] = '\0';
	st = take_headers(a, text, &s, &h, ret_http, err);
	if (st)
		return st;
	st = interpret(a, &p, &h, ret_http, err);
	if (st)
		return st;
	*ret = h;
	return CH_OK;
}
