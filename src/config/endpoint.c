/*
 * config/endpoint.c - reading and checking tools.http.<name>.
 */
#include "config/endpoint.h"

#include <string.h>

#include "core/str.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
#define HEADER_CHARS NAME_CHARS "-!#$%&'*+.^`|~"
#define BYTES_DEFAULT (256u << 10)
#define BYTES_MAX (10u << 20)

struct reader {
	struct arena *a;
	struct endpoint *e;
	const struct json *conf;
	struct ch_err *err;
};

/* -- templates -- */

static size_t name_len(const char *p)
{
	return *p >= '0' && *p <= '9' ? 0 : strspn(p, NAME_CHARS);
}

bool endpoint_next(const char **at, struct endpoint_part *ret)
{
	const char *p = *at;
	size_t n;

	if (!*p)
		return false;
	if ((p[0] == '{' && p[1] == '{') || (p[0] == '}' && p[1] == '}')) {
		*ret = (struct endpoint_part){ p, 1, false };
		*at = p + 2;
		return true;
	}
	if (*p == '{') {
		n = name_len(p + 1);
		if (!n || p[n + 1] != '}')
			return false;
		*ret = (struct endpoint_part){ p + 1, n, true };
		*at = p + n + 2;
		return true;
	}
	n = strcspn(p, "{}");
	if (!n)
		return false;
	*ret = (struct endpoint_part){ p, n, false };
	*at = p + n;
	return true;
}

static const struct json *properties(const struct endpoint *e)
{
	return json_get(e->schema, "properties");
}

static bool is_required(const struct endpoint *e, const char *name)
{
	json_each(r, json_get(e->schema, "required"))
		if (str_eq(json_str(r), name))
			return true;
	return false;
}

/* Every placeholder is an argument; must_have: one that every call has. */
static ch_status check_template(struct reader *r, const char *key, const char *text, bool must_have)
{
	struct endpoint_part part;
	const char *at = text;

	while (endpoint_next(&at, &part)) {
		const char *name = part.is_arg ? arena_strndup(r->a, part.text, part.len) : NULL;

		if (name && !json_get(properties(r->e), name))
			return ch_fail(r->err, CH_E_INVALID, "%s: {%.60s} is no property of schema", key, name);
		if (name && must_have && !is_required(r->e, name))
			return ch_fail(r->err, CH_E_INVALID, "%s: {%.60s} stands in the path, so schema must require it", key, name);
	}
	if (*at)
		return ch_fail(r->err, CH_E_INVALID, "%s: a brace at '%.30s' begins no {name}; {{ and }} are braces", key, at);
	return CH_OK;
}

/* depth is at most ENDPOINT_DEPTH_MAX, so is the recursion. */
static ch_status check_tree(struct reader *r, const char *key, const struct json *v, int depth)
{
	ch_status st = CH_OK;

	if (depth > ENDPOINT_DEPTH_MAX)
		return ch_fail(r->err, CH_E_INVALID, "%s: nested deeper than %d", key, ENDPOINT_DEPTH_MAX);
	if (v && json_is(v, JSON_STR))
		return check_template(r, key, v->str, false);
	if (!v || (!json_is(v, JSON_OBJ) && !json_is(v, JSON_ARR)))
		return CH_OK;
	json_each(m, v) {
		st = st ? st : check_tree(r, key, m, depth + 1);
	}
	return st;
}

/* -- keys -- */

static ch_status read_name(struct reader *r)
{
	size_t n = strlen(r->e->name);

	if (!n || n > ENDPOINT_NAME_MAX || r->e->name[strspn(r->e->name, NAME_CHARS "-")])
		return ch_fail(r->err, CH_E_INVALID, "the name of an endpoint has 1 to %d letters, digits, '_' or '-'", ENDPOINT_NAME_MAX);
	return CH_OK;
}

static ch_status read_schema(struct reader *r)
{
	r->e->schema = json_get(r->conf, "schema");
	return r->e->schema ? endpoint_check_schema(r->e->schema, r->err) : CH_OK;
}

/* The host stands there as it is: who it is sent to is never a model's choice. */
static ch_status read_host(struct reader *r, const char *rest, size_t len)
{
	char *host = arena_strndup(r->a, rest, len), *end;

	if (strpbrk(host, "{}"))
		return ch_fail(r->err, CH_E_INVALID, "url: host and port must not hold placeholders");
	if (!*host || host[strspn(host, NAME_CHARS "-.:[]")])
		return ch_fail(r->err, CH_E_INVALID, "url: '%.80s' is not a host with an optional port", host);
	str_lower(host);
	if (*host == '[') {
		end = strchr(host, ']');
		if (!end)
			return ch_fail(r->err, CH_E_INVALID, "url: '[' without a matching ']'");
		host++;
	} else {
		end = host + strcspn(host, ":");
	}
	while (end > host && end[-1] == '.')
		end--;
	*end = '\0';
	r->e->host = host;
	return *host ? CH_OK : ch_fail(r->err, CH_E_INVALID, "url: the host is empty");
}

static ch_status read_url(struct reader *r)
{
	const char *url = json_get_str(r->conf, "url"), *rest;
	size_t scheme, authority, path;
	ch_status st;

	if (str_empty(url))
		return ch_fail(r->err, CH_E_INVALID, "url: is missing");
	if (strlen(url) > ENDPOINT_URL_MAX)
		return ch_fail(r->err, CH_E_INVALID, "url: longer than %d bytes", ENDPOINT_URL_MAX);
	for (const char *p = url; *p; p++)
		if (*p <= ' ' || *p > '~' || *p == '\\' || *p == '#')
			return ch_fail(r->err, CH_E_INVALID, "url: byte 0x%02x must be percent-encoded, and a fragment is not sent",
				       (unsigned char)*p);
	scheme = str_starts(url, "https://") ? 8 : str_starts(url, "http://") ? 7 : 0;
	if (!scheme)
		return ch_fail(r->err, CH_E_INVALID, "url: must begin with https:// or http://, without a placeholder");
	rest = url + scheme;
	authority = strcspn(rest, "/?");
	st = read_host(r, rest, authority);
	if (st)
		return st;
	path = strcspn(rest + authority, "?");
	r->e->url = url;
	r->e->scheme = scheme == 8 ? "https" : "http";
	st = check_template(r, "url", arena_strndup(r->a, rest + authority, path), true);
	return st ? st : check_template(r, "url", rest + authority + path, false);
}

static ch_status read_headers(struct reader *r)
{
	static const char *const refused[] = { "host", "content-length", "transfer-encoding", "connection", "upgrade", "expect", "te",
					       "accept-encoding" };
	ch_status st = CH_OK;

	r->e->headers = json_get(r->conf, "headers");
	r->e->has_bearer = json_get(r->conf, "bearer") != NULL;
	if (r->e->headers && !json_is(r->e->headers, JSON_OBJ))
		return ch_fail(r->err, CH_E_INVALID, "headers: must be an object of names and texts");
	if (json_len(r->e->headers) > ENDPOINT_HEADERS_MAX)
		return ch_fail(r->err, CH_E_INVALID, "headers: more than %d", ENDPOINT_HEADERS_MAX);
	json_each(h, r->e->headers) {
		char *lower = arena_strdup(r->a, h->key);

		str_lower(lower);
		if (!*lower || lower[strspn(lower, HEADER_CHARS)] || str_in(lower, refused, CH_ARRAY_LEN(refused)))
			return ch_fail(r->err, CH_E_INVALID, "headers: '%.60s' is no header that can be set", h->key);
		if (r->e->has_bearer && str_eq(lower, "authorization"))
			return ch_fail(r->err, CH_E_INVALID, "headers: 'authorization' and bearer exclude each other");
		/* Texts as "$NAME" name a variable; the others may hold placeholders. */
		if (json_is(h, JSON_STR) && h->str[0] != '$')
			st = strpbrk(h->str, "\r\n") ? ch_fail(r->err, CH_E_INVALID, "headers: '%.60s' holds a line end", h->key)
						     : check_template(r, "headers", h->str, true);
		if (st)
			return st;
	}
	return CH_OK;
}

static ch_status read_body(struct reader *r)
{
	struct endpoint *e = r->e;
	bool has_none = str_eq(e->method, "GET") || str_eq(e->method, "HEAD");
	ch_status st;

	e->body = json_get(r->conf, "body");
	e->form = json_get(r->conf, "form");
	if ((e->body || e->form) && has_none)
		return ch_fail(r->err, CH_E_INVALID, "%s: a %s has no body", e->body ? "body" : "form", e->method);
	if (e->body && e->form)
		return ch_fail(r->err, CH_E_INVALID, "form: give either body or form");
	if (e->form && !json_is(e->form, JSON_OBJ))
		return ch_fail(r->err, CH_E_INVALID, "form: must be an object of fields");
	json_each(f, e->form)
		if (!json_is(f, JSON_STR))
			return ch_fail(r->err, CH_E_INVALID, "form: '%.60s' must be a text", f->key);
	st = check_tree(r, "body", e->body, 0);
	return st ? st : check_tree(r, "form", e->form, 0);
}

static bool is_pointer(const struct json *v)
{
	const char *p = json_str(v);

	return p && (!*p || *p == '/') && strlen(p) < 512;
}

static ch_status read_select(struct reader *r)
{
	const struct json *s = json_get(r->conf, "select");

	r->e->select = s;
	if (!s || is_pointer(s))
		return CH_OK;
	if ((!json_is(s, JSON_ARR) && !json_is(s, JSON_OBJ)) || !json_len(s) || json_len(s) > ENDPOINT_SELECT_MAX)
		return ch_fail(r->err, CH_E_INVALID, "select: must be a JSON pointer as /a/0, a list or an object of up to %d", ENDPOINT_SELECT_MAX);
	json_each(p, s)
		if (!is_pointer(p))
			return ch_fail(r->err, CH_E_INVALID, "select: '%.60s' is no JSON pointer as /a/0/b", json_str_or(p, "?"));
	return CH_OK;
}

static ch_status read_hosts(struct reader *r)
{
	bool is_in = false;

	r->e->hosts = json_get(r->conf, "hosts");
	if (!r->e->hosts)
		return CH_OK;
	json_each(h, r->e->hosts) {
		const char *name = json_str(h);

		if (str_empty(name) || strpbrk(name, "/*{} "))
			return ch_fail(r->err, CH_E_INVALID, "hosts: '%.60s' is no exact host", name ? name : "?");
		is_in |= str_ieq(name, r->e->host);
	}
	return is_in ? CH_OK : ch_fail(r->err, CH_E_INVALID, "hosts: %.80s, the url's own, is not among them", r->e->host);
}

static ch_status read_risk(struct reader *r)
{
	const char *risk = json_get_str(r->conf, "risk");
	bool reads = str_eq(r->e->method, "GET") || str_eq(r->e->method, "HEAD");

	if (str_eq(risk, "reads") && !reads)
		return ch_fail(r->err, CH_E_INVALID, "risk: a %s sends; only GET and HEAD read", r->e->method);
	r->e->is_sending = !reads || str_eq(risk, "sends");
	return CH_OK;
}

static size_t bytes_of(const struct json *v)
{
	int64_t n = json_int_or(v, BYTES_DEFAULT);

	if (json_is(v, JSON_STR) && !str_to_bytes(v->str, &n))
		n = BYTES_DEFAULT;
	return (size_t)CH_MIN(CH_MAX(n, 1), BYTES_MAX);
}

ch_status endpoint_read(struct arena *a, const char *name, const struct json *conf, struct endpoint *ret, struct ch_err *err)
{
	static ch_status (*const readers[])(struct reader *r) = {
		read_name, read_schema, read_url, read_headers, read_body, read_select, read_hosts, read_risk,
	};
	struct endpoint e = {
		.name = name, .description = json_get_str(conf, "description"), .method = json_str_or(json_get(conf, "method"), "GET"),
		.is_enabled = json_get_bool(conf, "enabled", true), .timeout_ms = json_get_int(conf, "timeoutSeconds", 30) * 1000,
		.max_bytes = bytes_of(json_get(conf, "maxBytes")),
	};
	struct reader r = { .a = a, .e = &e, .conf = conf, .err = err };

	if (!json_is(conf, JSON_OBJ))
		return ch_fail(err, CH_E_INVALID, "an endpoint is an object");
	for (size_t i = 0; i < CH_ARRAY_LEN(readers); i++) {
		ch_status st = readers[i](&r);

		if (st)
			return st;
	}
	*ret = e;
	return CH_OK;
}
