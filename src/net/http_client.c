/*
 * net/http_client.c - outbound HTTP, read from a fiber.
 *
 * A response is one transfer of net/curl_loop. Header and body callbacks fill
 * it and wake the reading fiber; a full buffer pauses the transfer and the
 * reader resumes it.
 *
 * Redirects are followed here and not by libcurl, which would carry headers
 * such as x-api-key along: each hop is a new transfer to a target that is
 * checked anew. On another origin only the headers of safe_headers[] go along
 * and trust in a configured origin ends.
 */
#include "net/http_client.h"

#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"
#include "net/curl_loop.h"

#define HEADERS_MAX_BYTES (64u * 1024u)      /* libcurl 7.88 limits a line only */
#define HEADERS_MAX_COUNT 256u

struct http_client {
	struct loop *loop;
	struct curl_loop *curl;          /* NULL until the first request */
};

struct http_resp {
	struct curl_xfer xfer;
	struct curl_slist *request_headers;
	char *body;                      /* of the request */
	size_t body_len;
	struct arena *arena;             /* response headers */
	VEC(struct http_header) headers;
	size_t header_bytes;
	int status;
	bool has_headers;
	bool headers_too_large;
	struct buf in;                   /* received, not read yet */
	bool is_paused;
	char *url;
};

/* One request of a chain of redirects. */
struct hop {
	char *url;
	const char *method;
	const char *body;
	size_t body_len;
	enum guard_policy guard;
	bool is_foreign;                 /* another origin than the caller's URL */
};

static const char *const safe_headers[] = {
	"accept", "accept-language", "content-type", "user-agent",
};

struct http_client *http_client_new(struct loop *l)
{
	struct http_client *c = ch_alloc(sizeof(*c));

	c->loop = l;
	return c;
}

void http_client_free(struct http_client *c)
{
	if (!c)
		return;
	curl_loop_free(c->curl);
	ch_free(c);
}

ch_status http_client_curl(struct http_client *c, struct curl_loop **ret, struct ch_err *err)
{
	ch_status st = c->curl ? CH_OK : curl_loop_new(c->loop, &c->curl, err);

	if (!st)
		*ret = c->curl;
	return st;
}

/* -- callbacks of libcurl: record and wake -- */

static void start_header_block(struct http_resp *r, const char *line)
{
	const char *space = strchr(line, ' ');

	arena_clear(r->arena);
	r->headers.len = 0;
	r->header_bytes = 0;
	r->status = 0;
	for (const char *p = space ? space + 1 : ""; *p >= '0' && *p <= '9' && r->status < 1000; p++)
		r->status = 10 * r->status + (*p - '0');
}

static void add_header(struct http_resp *r, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	char *name, *value;

	if (!colon || colon == line)
		return;
	name = arena_strndup(r->arena, line, (size_t)(colon - line));
	str_lower(name);
	value = arena_strndup(r->arena, colon + 1, (size_t)(line + n - colon - 1));
	vec_push(&r->headers, ((struct http_header){ name, str_trim(r->arena, value) }));
}

/* Repeated headers become one, joined by ", " (RFC 9110 5.2); at most HEADERS_MAX_BYTES are copied in all. */
static void join_repeats(struct http_resp *r)
{
	for (size_t i = 0; i < r->headers.len; i++) {
		struct http_header *h = &r->headers.at[i];
		CH_AUTO_BUF struct buf joined = { .max_bytes = 2 * HEADERS_MAX_BYTES };

		for (size_t j = i + 1; j < r->headers.len;) {
			if (!str_eq(r->headers.at[j].name, h->name)) {
				j++;
				continue;
			}
			if (!joined.len)
				buf_puts(&joined, h->value);
			buf_puts(&joined, ", ");
			buf_puts(&joined, r->headers.at[j].value);
			vec_remove(&r->headers, j);
		}
		if (joined.len)
			h->value = arena_strndup(r->arena, joined.data, joined.len);
	}
}

static size_t on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_resp *r = arg;
	char *line;

	if (r->has_headers)
		return n; /* trailers */
	if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) {
		line = ch_strndup(p, n);
		start_header_block(r, line);
		ch_free(line);
		return n;
	}
	r->header_bytes += n;
	if (r->header_bytes > HEADERS_MAX_BYTES || r->headers.len >= HEADERS_MAX_COUNT) {
		r->headers_too_large = true;
		return 0;
	}
	if (p[0] != '\r' && p[0] != '\n') {
		add_header(r, p, n);
		return n;
	}
	r->has_headers = r->status >= 200 || r->status == 101;
	if (r->has_headers) {
		join_repeats(r);
		fiber_wake(r->xfer.waiter);
	}
	return n;
}

static size_t on_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_resp *r = arg;

	if (r->in.len && r->in.len + n > HTTP_CLIENT_BUFFER) {
		r->is_paused = true;
		return CURL_WRITEFUNC_PAUSE;
	}
	buf_append(&r->in, p, n);
	fiber_wake(r->xfer.waiter);
	return r->in.failed ? 0 : n;
}

/* -- a request -- */

#define SET(option, value)                                                               \
	do {                                                                             \
		if (!rc)                                                                 \
			rc = curl_easy_setopt(r->xfer.easy, option, value);              \
	} while (0)

static bool header_is_sound(const struct http_header *h)
{
	if (str_empty(h->name) || !h->value || strpbrk(h->name, " :\r\n\t"))
		return false;
	return !strpbrk(h->value, "\r\n");
}

static void push_line(struct http_resp *r, const char *line)
{
	struct curl_slist *longer = curl_slist_append(r->request_headers, line);

	CH_BUG_ON(!longer);
	r->request_headers = longer;
}

static void push_header(struct http_resp *r, const char *name, const char *value)
{
	/* "name;" is libcurl's way to say an empty value, "name:" would remove the header. */
	CH_AUTO_STR char *line = *value ? ch_asprintf("%s: %s", name, value) : ch_asprintf("%s;", name);

	push_line(r, line);
}

static ch_status push_headers(struct http_resp *r, const struct http_out *rq, const struct hop *hop,
			      struct ch_err *err)
{
	bool has_agent = false, has_type = false;

	for (size_t i = 0; i < rq->header_count; i++) {
		const struct http_header *h = &rq->headers[i];
		CH_AUTO_STR char *lower = ch_strdup(h->name);

		if (!header_is_sound(h))
			return ch_fail(err, CH_E_INVALID, "%s: request header %zu is malformed", r->xfer.origin, i);
		str_lower(lower);
		if (hop->is_foreign && !str_in(lower, safe_headers, CH_ARRAY_LEN(safe_headers)))
			continue;
		if (!hop->body && str_eq(lower, "content-type"))
			continue;
		has_agent |= str_eq(lower, "user-agent");
		has_type |= str_eq(lower, "content-type");
		push_header(r, h->name, h->value);
	}
	if (!has_agent)
		push_header(r, "user-agent", "chela/" CHELA_VERSION);
	/* "name:" keeps libcurl from adding its own: a form's type, and a wait of a second for "100 Continue". */
	if (hop->body && !has_type)
		push_line(r, "Content-Type:");
	push_line(r, "Expect:");
	return CH_OK;
}

/* Our copy unless it stays, since the server may answer before it has read everything. */
static ch_status set_body(struct http_resp *r, const struct http_out *rq, const struct hop *hop, struct ch_err *err)
{
	CURLcode rc = CURLE_OK;

	if (!hop->body)
		return CH_OK;
	if (!rq->body_stays) {
		r->body = ch_try_alloc(hop->body_len + 1);
		if (!r->body)
			return ch_fail(err, CH_E_NOMEM, "%s: no memory for a request of %zu bytes", r->xfer.origin,
				       hop->body_len);
		memcpy(r->body, hop->body, hop->body_len);
	}
	r->body_len = hop->body_len;
	SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)hop->body_len);
	SET(CURLOPT_POSTFIELDS, r->body ? r->body : hop->body);
	return rc ? ch_fail(err, CH_E_NOMEM, "%s: %s", r->xfer.origin, curl_easy_strerror(rc)) : CH_OK;
}

static ch_status set_request(struct http_resp *r, const struct http_out *rq, const struct hop *hop,
			     struct ch_err *err)
{
	CURLcode rc = CURLE_OK;
	ch_status st;

	st = push_headers(r, rq, hop, err);
	if (!st)
		st = set_body(r, rq, hop, err);
	if (st)
		return st;
	if (str_eq(hop->method, "HEAD"))
		SET(CURLOPT_NOBODY, 1L);
	else
		SET(CURLOPT_CUSTOMREQUEST, hop->method);
	SET(CURLOPT_HTTPHEADER, r->request_headers);
	SET(CURLOPT_HEADERFUNCTION, on_header);
	SET(CURLOPT_HEADERDATA, r);
	SET(CURLOPT_WRITEFUNCTION, on_body);
	SET(CURLOPT_WRITEDATA, r);
	if (rq->is_single_use) {
		SET(CURLOPT_FRESH_CONNECT, 1L);
		SET(CURLOPT_FORBID_REUSE, 1L);
	}
	if (rc)
		return ch_fail(err, CH_E_NOMEM, "%s: %s", r->xfer.origin, curl_easy_strerror(rc));
	return CH_OK;
}

static ch_status resp_fail(const struct http_resp *r, struct ch_err *err)
{
	if (r->headers_too_large)
		return ch_fail(err, CH_E_LIMIT, "%s: response headers are over %u bytes or %u lines", r->xfer.origin,
			       HEADERS_MAX_BYTES, HEADERS_MAX_COUNT);
	if (r->in.failed)
		return ch_fail(err, r->in.failed, "%s: no memory for the response", r->xfer.origin);
	return curl_xfer_fail(&r->xfer, err);
}

/* The copy is of no use once it is sent: nothing is sent again after an answer has begun. */
static void drop_sent_body(struct http_resp *r)
{
	curl_off_t sent = 0;

	if (r->body && !curl_easy_getinfo(r->xfer.easy, CURLINFO_SIZE_UPLOAD_T, &sent) && sent == r->body_len)
		ch_free(CH_TAKE(r->body));
}

static ch_status resp_await_headers(struct http_resp *r, int64_t deadline_ms, struct ch_err *err)
{
	while (!r->has_headers) {
		ch_status st;

		if (r->xfer.is_done)
			return r->xfer.result ? resp_fail(r, err)
					      : ch_fail(err, CH_E_PEER, "%s: not an HTTP answer", r->xfer.origin);
		st = curl_xfer_wait(&r->xfer, deadline_ms, "answer", err);
		if (st)
			return st;
	}
	drop_sent_body(r);
	return CH_OK;
}

/* One hop up to its response headers. */
static ch_status hop_open(struct http_client *c, const struct http_out *rq, const struct hop *hop,
			  struct http_resp **ret, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	struct curl_xfer_opts opts = { .url = hop->url, .guard = hop->guard, .ca_file = rq->ca_file,
				       .proxy = hop->is_foreign ? NULL : rq->proxy, .is_ipv4_only = rq->is_ipv4_only };
	struct curl_loop *cl = NULL;
	ch_status st;

	st = http_client_curl(c, &cl, err);
	if (st)
		return st;
	r = ch_alloc(sizeof(*r));
	r->arena = arena_new(4 * HEADERS_MAX_BYTES);
	r->url = ch_strdup(hop->url);
	buf_init(&r->in, HTTP_CLIENT_BUFFER + CURL_MAX_WRITE_SIZE);
	st = curl_xfer_init(&r->xfer, cl, &opts, err);
	if (!st)
		st = set_request(r, rq, hop, err);
	if (!st)
		st = curl_xfer_start(&r->xfer, err);
	if (!st)
		st = resp_await_headers(r, rq->headers_deadline_ms, err);
	if (rq->ret_sent)
		*rq->ret_sent |= r->xfer.is_sent;
	if (st)
		return st;
	*ret = CH_TAKE(r);
	return CH_OK;
}

/* -- redirects -- */

static bool same_origin(CURLU *a, CURLU *b)
{
	static const CURLUPart parts[] = { CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT };
	bool same = true;

	for (size_t i = 0; same && i < CH_ARRAY_LEN(parts); i++) {
		char *x = NULL, *y = NULL;

		same = !curl_url_get(a, parts[i], &x, CURLU_DEFAULT_PORT) &&
		       !curl_url_get(b, parts[i], &y, CURLU_DEFAULT_PORT) && str_ieq(x, y);
		curl_free(x);
		curl_free(y);
	}
	return same;
}

/* The absolute target of a redirect, and whether it leaves the origin. */
static ch_status resolve_location(const char *base, const char *location, char **ret_url, bool *ret_leaves,
				  struct ch_err *err)
{
	CURLU *from = curl_url();
	CURLU *to = from ? curl_url_dup(from) : NULL;
	char *text = NULL;
	ch_status st = CH_OK;

	if (!to || curl_url_set(from, CURLUPART_URL, base, 0) || curl_url_set(to, CURLUPART_URL, base, 0) ||
	    curl_url_set(to, CURLUPART_URL, location, CURLU_DISALLOW_USER) ||
	    curl_url_get(to, CURLUPART_URL, &text, 0)) {
		st = ch_fail(err, CH_E_PEER, "redirected to something that is not a URL");
	} else {
		*ret_url = ch_strdup(text);
		*ret_leaves = !same_origin(from, to);
	}
	curl_free(text);
	curl_url_cleanup(from);
	curl_url_cleanup(to);
	return st;
}

static const char *redirect_location(const struct http_resp *r)
{
	switch (r->status) {
	case 301:
	case 302:
	case 303:
	case 307:
	case 308: return http_resp_header(r, "location");
	default: return NULL;
	}
}

/* Turns the hop into the next one, after RFC 9110 15.4. */
static ch_status hop_follow(struct hop *hop, const struct http_resp *r, const char *location, struct ch_err *err)
{
	bool leaves = false, becomes_get;
	char *url = NULL;
	ch_status st;

	st = resolve_location(hop->url, location, &url, &leaves, err);
	if (st)
		return ch_wrap(err, "%s", r->xfer.origin);
	ch_free(hop->url);
	hop->url = url;
	if (leaves) {
		hop->is_foreign = true;
		hop->guard = GUARD_PUBLIC_ONLY;
	}
	becomes_get = r->status == 303 ? !str_eq(hop->method, "HEAD")
				       : r->status <= 302 && str_eq(hop->method, "POST");
	if (becomes_get) {
		hop->method = "GET";
		hop->body = NULL;
		hop->body_len = 0;
	}
	return CH_OK;
}

static ch_status open_following(struct http_client *c, const struct http_out *rq, struct hop *hop,
				struct http_resp **ret, struct ch_err *err)
{
	for (int followed = 0;; followed++) {
		CH_AUTO(http_resp_free) struct http_resp *r = NULL;
		const char *location;
		ch_status st;

		st = hop_open(c, rq, hop, &r, err);
		if (st)
			return st;
		location = rq->max_redirects > 0 ? redirect_location(r) : NULL;
		if (!location) {
			*ret = CH_TAKE(r);
			return CH_OK;
		}
		if (followed == rq->max_redirects)
			return ch_fail(err, CH_E_LIMIT, "%s: more than %d redirects", r->xfer.origin, followed);
		st = hop_follow(hop, r, location, err);
		if (st)
			return st;
	}
}

/* -- the interface -- */

static bool method_is_sound(const char *method)
{
	size_t n = strspn(method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ-");

	return n > 0 && method[n] == '\0' && !str_eq(method, "CONNECT");
}

CH_FIBER ch_status http_open(struct http_client *c, const struct http_out *rq, struct http_resp **ret,
			     struct ch_err *err)
{
	struct hop hop = {
		.url = ch_strdup(rq->url),
		.method = rq->method ? rq->method : rq->body ? "POST" : "GET",
		.body = rq->body,
		.body_len = rq->body ? rq->body_len : 0,
		.guard = rq->guard,
	};
	ch_status st;

	if (!hop.body && (str_eq(hop.method, "POST") || str_eq(hop.method, "PUT") || str_eq(hop.method, "PATCH")))
		hop.body = ""; /* so that Content-Length: 0 is said */
	if (method_is_sound(hop.method))
		st = open_following(c, rq, &hop, ret, err);
	else
		st = ch_fail(err, CH_E_INVALID, "an HTTP method is a word in capitals");
	ch_free(hop.url);
	return st;
}

int http_resp_status(const struct http_resp *r)
{
	return r->status;
}

const char *http_resp_header(const struct http_resp *r, const char *name)
{
	for (size_t i = 0; i < r->headers.len; i++) {
		if (str_eq(r->headers.at[i].name, name))
			return r->headers.at[i].value;
	}
	return NULL;
}

const char *http_resp_url(const struct http_resp *r)
{
	return r->url;
}

/* Lets libcurl go on once half of the buffer is free. */
static void resp_resume(struct http_resp *r)
{
	if (!r->is_paused || r->in.len > HTTP_CLIENT_BUFFER / 2)
		return;
	r->is_paused = false;
	curl_easy_pause(r->xfer.easy, CURLPAUSE_CONT);
}

CH_FIBER ch_status http_read(struct http_resp *r, void *p, size_t cap, int64_t deadline_ms, size_t *ret_n,
			     struct ch_err *err)
{
	size_t n;

	while (!r->in.len) {
		ch_status st;

		resp_resume(r);
		if (r->in.len)
			break;
		if (r->xfer.is_done) {
			if (r->xfer.result)
				return resp_fail(r, err);
			*ret_n = 0;
			return CH_OK;
		}
		st = curl_xfer_wait(&r->xfer, deadline_ms, "data", err);
		if (st)
			return st;
	}
	n = CH_MIN(cap, r->in.len);
	memcpy(p, r->in.data, n);
	buf_consume(&r->in, n);
	resp_resume(r);
	*ret_n = n;
	return CH_OK;
}

CH_FIBER ch_status http_read_all(struct http_resp *r, struct buf *ret, int64_t deadline_ms, struct ch_err *err)
{
	for (;;) {
		size_t n = 0;
		char *at;
		ch_status st;

		if (!r->in.len && r->xfer.is_done && !r->xfer.result)
			return CH_OK;
		if (!buf_reserve(ret, 1))
			return buf_status(ret, err, "response body");
		at = ret->data + ret->len;
		st = http_read(r, at, ret->cap - ret->len - 1, deadline_ms, &n, err);
		if (st || n == 0)
			return st;
		ret->len += n;
		ret->data[ret->len] = '\0';
	}
}

void http_resp_free(struct http_resp *r)
{
	if (!r)
		return;
	curl_xfer_done(&r->xfer);
	curl_slist_free_all(r->request_headers);
	ch_free(r->body);
	vec_done(&r->headers);
	arena_unref(r->arena);
	buf_done(&r->in);
	ch_free(r->url);
	ch_free(r);
}
