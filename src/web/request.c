/*
 * web/request.c - one call of a configured endpoint, from its secrets to what is told of the answer.
 */
#include "web/request.h"

#include <string.h>

#include "core/fiber.h"
#include "core/str.h"
#include "net/url.h"
#include "web/body.h"
#include "web/fetch_priv.h"

#define SECRETS_CALL_MAX (ENDPOINT_HEADERS_MAX + 1)

struct call {
	struct web *web;
	const struct request_in *in;
	const struct endpoint *e;
	struct arena *a;
	struct request rq;
	struct url origin, at_url;
	const char *at;                  /* where the redirects have led */
	struct secret *secrets[SECRETS_CALL_MAX];
	size_t secret_count;
};

/* -- secrets -- */

/* A stored secret says itself where it may go. */
static ch_status check_stored(struct call *c, const struct json *ref, const char *what, struct ch_err *err)
{
	const char *id = json_get_str(ref, "id");

	if (!str_eq(json_get_str(ref, "source"), "store"))
		return CH_OK;
	if (!c->in->secrets || !secret_store_allows(c->in->secrets, id, c->origin.host))
		return ch_fail(err, CH_E_DENIED, "%s: the secret %.60s may not be sent to %.80s; see its allowed hosts", what, id, c->origin.host);
	return CH_OK;
}

static bool names_secret(const char *header)
{
	static const char *const words[] = { "authorization", "cookie", "key", "token", "secret", "password", "auth" };

	for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
		if (strcasestr(header, words[i]))
			return true;
	return false;
}

/* The value at `path` of the endpoint, kept until the end of the call. */
static CH_FIBER ch_status take_secret(struct call *c, const char *path, const char *what, const char **ret, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;
	ch_status st = check_stored(c, config_get(c->in->config, path), what, err);

	if (!st)
		st = config_secret(c->in->config, path, &s, err);
	if (st)
		return st;
	for (const char *p = secret_reveal(s); *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return ch_fail(err, CH_E_INVALID, "%s: the secret holds a control byte, which no header can carry", what);
	*ret = secret_reveal(s);
	c->secrets[c->secret_count++] = CH_TAKE(s);
	return CH_OK;
}

static CH_FIBER ch_status add_secret_header(struct call *c, const char *key, struct ch_err *err)
{
	const char *path = arena_printf(c->a, "tools.http[\"%s\"].headers[\"%s\"]", c->e->name, key), *value = NULL;
	ch_status st = take_secret(c, path, key, &value, err);

	if (!st)
		c->rq.headers[c->rq.header_count++] = (struct http_header){ key, value };
	return st;
}

static CH_FIBER ch_status add_secrets(struct call *c, struct ch_err *err)
{
	bool has_any = c->e->has_bearer;
	const char *token = NULL;
	ch_status st = CH_OK;

	json_each(h, c->e->headers) {
		if (json_is(h, JSON_STR) && h->str[0] != '$') {
			has_any |= names_secret(h->key);
			if (names_secret(h->key))
				c->secrets[c->secret_count++] = secret_new(h->str);
			continue;
		}
		has_any = true;
		st = add_secret_header(c, h->key, err);
		if (st)
			return st;
	}
	if (c->e->has_bearer)
		st = take_secret(c, arena_printf(c->a, "tools.http[\"%s\"].bearer", c->e->name), "bearer", &token, err);
	if (token)
		c->rq.headers[c->rq.header_count++] = (struct http_header){ "authorization", arena_printf(c->a, "Bearer %s", token) };
	if (!st && has_any && str_eq(c->origin.scheme, "http") && !web_host_is_local(c->origin.host))
		st = ch_fail(err, CH_E_DENIED, "a credential is not sent to %.80s unencrypted: use https://", c->origin.host);
	return st;
}

/* -- hops -- */

static bool is_listed(const struct endpoint *e, const char *host)
{
	if (!e->hosts)
		return str_eq(e->host, host);
	json_each(h, e->hosts)
		if (str_ieq(json_str(h), host))
			return true;
	return false;
}

static bool has_header(const struct call *c, const char *name)
{
	for (size_t i = 0; i < c->rq.header_count; i++)
		if (str_ieq(c->rq.headers[i].name, name))
			return true;
	return false;
}

/* Ours, where the endpoint does not say otherwise; what the owner wrote for his origin is for that one only. */
static size_t list_headers(const struct call *c, bool is_at_origin, struct http_header *out)
{
	size_t n = 0;

	out[n++] = (struct http_header){ "accept-encoding", BODY_ACCEPT_ENCODING };
	if (!is_at_origin || !has_header(c, "accept"))
		out[n++] = (struct http_header){ "accept", "application/json, text/*;q=0.8" };
	if (c->rq.body && !has_header(c, "content-type"))
		out[n++] = (struct http_header){ "content-type", c->rq.body_type };
	for (size_t i = 0; is_at_origin && i < c->rq.header_count; i++)
		out[n++] = c->rq.headers[i];
	return n;
}

static CH_FIBER ch_status open_hop(struct call *c, struct http_resp **ret, struct ch_err *err)
{
	struct http_header headers[REQUEST_HEADERS_MAX + 4];
	struct http_out rq = { .method = c->e->method, .url = c->at, .body = c->rq.body, .headers = headers,
			       .body_len = c->rq.body ? strlen(c->rq.body) : 0, .headers_deadline_ms = c->in->deadline_ms,
			       .is_single_use = c->e->is_sending };
	ch_status st = url_parse(c->a, c->at, &c->at_url, err);

	if (st)
		return st;
	if (!str_starts(c->at_url.scheme, "http") || !is_listed(c->e, c->at_url.host))
		return ch_fail(err, CH_E_DENIED, "%.80s is not among the hosts of this endpoint", c->at_url.host);
	rq.guard = web_host_is_local(c->at_url.host) ? GUARD_TRUST_ORIGIN : GUARD_PUBLIC_ONLY;
	rq.header_count = list_headers(c, url_same_origin(&c->at_url, &c->origin), headers);
	return http_open(web_http(c->web), &rq, ret, err);
}

static const char *redirect_of(const struct call *c, const struct http_resp *r)
{
	int status = http_resp_status(r);

	if (c->e->is_sending || status < 301 || status > 308 || (status > 303 && status < 307))
		return NULL;
	return http_resp_header(r, "location");
}

static CH_FIBER ch_status open_following(struct call *c, struct http_resp **ret, struct ch_err *err)
{
	c->at = c->rq.url;
	for (int followed = 0;; followed++) {
		CH_AUTO(http_resp_free) struct http_resp *r = NULL;
		const char *location;
		ch_status st = open_hop(c, &r, err);

		if (st)
			return followed ? ch_wrap(err, "after a redirect") : st;
		location = redirect_of(c, r);
		if (!location) {
			*ret = CH_TAKE(r);
			return CH_OK;
		}
		if (followed == REQUEST_REDIRECTS_MAX)
			return ch_fail(err, CH_E_LIMIT, "more than %d redirects", REQUEST_REDIRECTS_MAX);
		location = url_join(c->a, c->at, location);
		if (!location)
			return ch_fail(err, CH_E_PEER, "redirected to something that is not a URL");
		c->at = arena_strndup(c->a, location, strcspn(location, "#"));
	}
}

/* -- the answer -- */

static ch_status select_parts(struct call *c, struct request_out *out, struct ch_err *err)
{
	struct json *v = NULL;

	if (json_parse(c->a, out->text, strlen(out->text), JSON_STRICT, &v, NULL)) {
		if (out->is_truncated && c->e->select)
			return ch_fail(err, CH_E_LIMIT, "the answer is longer than maxBytes (%zu), so nothing can be selected of it", c->e->max_bytes);
		out->is_json = false;
		return CH_OK;
	}
	/* An error's body says what is wrong; it does not have the parts. */
	if (c->e->select && out->status >= 200 && out->status < 300)
		v = request_select(c->a, c->e->select, v);
	out->text = json_to_str(c->a, v);
	return CH_OK;
}

static CH_FIBER ch_status read_answer(struct call *c, struct http_resp *r, struct request_out *out, struct ch_err *err)
{
	struct fetch_body body = { .url = c->at, .is_whole = true, .deadline_ms = c->in->deadline_ms };
	CH_AUTO_BUF struct buf data = { 0 };
	struct fetch_page page = { 0 };
	ch_status st;

	buf_init(&data, c->e->max_bytes + 1024);
	*out = (struct request_out){ .status = http_resp_status(r), .url = c->at, .text = "",
				     .content_type = arena_strdup(c->a, http_resp_header(r, "content-type")) };
	st = web_body_read(r, c->e->max_bytes, c->in->deadline_ms, &data, &out->is_truncated, err);
	if (st || !data.len)
		return st;
	body.data = buf_str(&data);
	body.len = data.len;
	body.content_type = out->content_type;
	st = fetch_extract(&body, c->a, &page, err);
	if (st)
		return ch_wrap(err, "HTTP %d", out->status);
	out->text = page.text;
	out->is_json = str_eq(page.extractor, "json");
	return out->is_json ? select_parts(c, out, err) : CH_OK;
}

static CH_FIBER ch_status run(struct call *c, struct request_out *ret, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	ch_status st = request_expand(c->a, c->e, c->in->args, &c->rq, err);

	if (!st)
		st = url_parse(c->a, c->rq.url, &c->origin, err);
	/* The template's host and the parsed one are the same, or one of the two was misread. */
	if (!st && !str_eq(c->origin.host, c->e->host))
		st = ch_fail(err, CH_E_DENIED, "the address leads to %.80s instead of %.80s", c->origin.host, c->e->host);
	if (!st)
		st = add_secrets(c, err);
	if (!st)
		st = open_following(c, &r, err);
	return st ? st : read_answer(c, r, ret, err);
}

CH_FIBER ch_status request_run(struct web *w, const struct request_in *in, struct arena *a, struct request_out *ret, struct ch_err *err)
{
	struct call c = { .web = w, .in = in, .e = in->endpoint, .a = a };
	struct ch_err why = { 0 };
	ch_status st = run(&c, ret, &why);

	for (size_t i = 0; i < c.secret_count; i++) {
		const char *secret = secret_reveal(c.secrets[i]);

		if (!st) {
			ret->text = request_blot(a, ret->text, secret);
			ret->url = request_blot(a, ret->url, secret);
			ret->content_type = ret->content_type ? request_blot(a, ret->content_type, secret) : NULL;
		} else {
			snprintf(why.text, sizeof(why.text), "%s", request_blot(a, arena_strdup(a, why.text), secret));
		}
		secret_unref(c.secrets[i]);
	}
	return st ? ch_fail(err, st, "%s", why.text) : CH_OK;
}
