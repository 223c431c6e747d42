/*
 * net/url.c - URLs taken apart, strictly.
 *
 *	scheme "://" host [":" port] [path] ["?" query] ["#" fragment]
 *
 * Everything that parsers are known to disagree about is refused rather than
 * repaired: userinfo, backslashes, white space, bytes above 0x7e, percent
 * signs in the host. Host names that spell numbers (0x7f.1) pass as names:
 * what they resolve to is net/guard's business.
 */
#include "net/url.h"

#include <arpa/inet.h>
#include <string.h>

#include "core/str.h"

struct scheme { const char *name; uint16_t port; };

static const struct scheme schemes[] = {
	{ "http",  80 },
	{ "https", 443 },
	{ "ws",    80 },
	{ "wss",   443 },
};

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool is_alnum(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
}

/* RFC 3986 2.3: never needs encoding. */
static bool is_unreserved(char c)
{
	return is_alnum(c) || (c && strchr("-._~", c));
}

static ch_status check_bytes(const char *text, struct ch_err *err)
{
	for (const char *p = text; *p; p++) {
		if (*p <= ' ' || *p > '~')
			return ch_fail(err, CH_E_INVALID,
				       "url: byte 0x%02x at position %zu must be percent-encoded",
				       (unsigned char)*p, (size_t)(p - text));
		if (*p == '\\')
			return ch_fail(err, CH_E_INVALID, "url: a backslash at position %zu",
				       (size_t)(p - text));
	}
	return CH_OK;
}

static ch_status parse_scheme(struct arena *a, const char *text, struct url *u, const char **ret_rest,
			      struct ch_err *err)
{
	const char *colon = strstr(text, "://");
	char *name;

	if (!colon)
		return ch_fail(err, CH_E_INVALID,
			       "url: expected http://, https://, ws:// or wss:// in front");
	name = arena_strndup(a, text, (size_t)(colon - text));
	str_lower(name);
	for (size_t i = 0; i < CH_ARRAY_LEN(schemes); i++) {
		if (!str_eq(schemes[i].name, name))
			continue;
		u->scheme = schemes[i].name;
		u->port = schemes[i].port;
		*ret_rest = colon + 3;
		return CH_OK;
	}
	return ch_fail(err, CH_E_UNSUPPORTED, "url: scheme '%.20s' is not one of http, https, ws, wss", name);
}

static ch_status parse_ipv6(struct arena *a, const char *p, size_t n, struct url *u, struct ch_err *err)
{
	unsigned char address[16];
	char *host = arena_strndup(a, p, n);

	str_lower(host);
	if (inet_pton(AF_INET6, host, address) != 1)
		return ch_fail(err, CH_E_INVALID, "url: '[%.60s]' is not an IPv6 address", host);
	u->host = host;
	u->host_is_ipv6 = true;
	return CH_OK;
}

static ch_status parse_name(struct arena *a, const char *p, size_t n, struct url *u, struct ch_err *err)
{
	char *host;

	if (n && p[n - 1] == '.')
		n--;                            /* the DNS root: "a.b." is "a.b" */
	if (!n)
		return ch_fail(err, CH_E_INVALID, "url: the host is empty");
	for (size_t i = 0; i < n; i++) {
		bool is_empty_label = p[i] == '.' && (i == 0 || p[i - 1] == '.' || i == n - 1);

		if (is_empty_label || !(is_alnum(p[i]) || strchr(".-_", p[i])))
			return ch_fail(err, CH_E_INVALID, "url: '%.*s' is not a host name",
				       (int)CH_MIN(n, 80), p);
	}
	host = arena_strndup(a, p, n);
	str_lower(host);
	u->host = host;
	return CH_OK;
}

static ch_status parse_port(const char *p, size_t n, struct url *u, struct ch_err *err)
{
	uint32_t port = 0;

	for (size_t i = 0; i < n; i++) {
		port = p[i] >= '0' && p[i] <= '9' ? port * 10 + (uint32_t)(p[i] - '0') : 65536;
		if (port > 65535)
			break;
	}
	if (!n)
		return CH_OK;                   /* "http://a:/": the default */
	if (port == 0 || port > 65535)
		return ch_fail(err, CH_E_INVALID, "url: port '%.*s' is not in 1-65535", (int)CH_MIN(n, 10),
			       p);
	u->port = (uint16_t)port;
	return CH_OK;
}

static ch_status parse_authority(struct arena *a, const char *p, size_t n, struct url *u, struct ch_err *err)
{
	const char *end = p + n, *colon, *close;
	ch_status st;

	if (memchr(p, '@', n))
		return ch_fail(err, CH_E_INVALID, "url: user names and passwords do not belong into a url");
	if (n && *p == '[') {
		close = memchr(p, ']', n);
		if (!close || (close + 1 < end && close[1] != ':'))
			return ch_fail(err, CH_E_INVALID, "url: '[' without a matching ']'");
		st = parse_ipv6(a, p + 1, (size_t)(close - p) - 1, u, err);
		colon = close + 1 < end ? close + 1 : NULL;
	} else {
		colon = memchr(p, ':', n);
		st = parse_name(a, p, (size_t)((colon ? colon : end) - p), u, err);
	}
	if (st || !colon)
		return st;
	return parse_port(colon + 1, (size_t)(end - colon) - 1, u, err);
}

ch_status url_parse(struct arena *a, const char *text, struct url *ret, struct ch_err *err)
{
	struct url u = { 0 };
	const char *rest = text, *hash, *question, *end;
	size_t authority;
	ch_status st;

	st = check_bytes(text, err);
	if (st)
		return st;
	st = parse_scheme(a, text, &u, &rest, err);
	if (st)
		return st;
	authority = strcspn(rest, "/?#");
	st = parse_authority(a, rest, authority, &u, err);
	if (st)
		return st;
	rest += authority;
	end = rest + strlen(rest);
	hash = strchr(rest, '#');
	if (hash) {
		u.fragment = arena_strdup(a, hash + 1);
		end = hash;
	}
	question = memchr(rest, '?', (size_t)(end - rest));
	if (question) {
		u.query = arena_strndup(a, question + 1, (size_t)(end - question) - 1);
		end = question;
	}
	u.path = end > rest ? arena_strndup(a, rest, (size_t)(end - rest)) : "/";
	*ret = u;
	return CH_OK;
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return str_eq(a->scheme, b->scheme) && str_eq(a->host, b->host) && a->port == b->port;
}

static char *decode(struct arena *a, const char *s, size_t n, bool plus_is_space)
{
	char *out = arena_alloc(a, n + 1), *to = out;

	for (size_t i = 0; i < n; i++) {
		int high, low;

		if (!s[i])
			return NULL;
		if (s[i] != '%') {
			*to++ = plus_is_space && s[i] == '+' ? ' ' : s[i];
			continue;
		}
		high = i + 1 < n ? hex_value(s[i + 1]) : -1;
		low = i + 2 < n ? hex_value(s[i + 2]) : -1;
		if (high < 0 || low < 0 || (high | low) == 0)
			return NULL;
		*to++ = (char)(high << 4 | low);
		i += 2;
	}
	*to = '\0';
	return out;
}

char *url_decode(struct arena *a, const char *s, size_t n)
{
	return decode(a, s, n, false);
}

char *url_encode(struct arena *a, const char *s)
{
	static const char digits[] = "0123456789ABCDEF";
	char *out = arena_alloc(a, 3 * strlen(s) + 1), *to = out;

	for (; *s; s++) {
		if (is_unreserved(*s)) {
			*to++ = *s;
			continue;
		}
		*to++ = '%';
		*to++ = digits[(unsigned char)*s >> 4];
		*to++ = digits[*s & 15];
	}
	*to = '\0';
	return out;
}

const char *url_query_get(struct arena *a, const char *query, const char *name)
{
	for (const char *p = query; p && *p; ) {
		size_t n = strcspn(p, "&");
		const char *equals = memchr(p, '=', n);
		size_t name_len = equals ? (size_t)(equals - p) : n;
		char *key = decode(a, p, name_len, true);

		if (str_eq(key, name)) {
			if (!equals)
				return "";
			return decode(a, equals + 1, n - name_len - 1, true);
		}
		p += n + (p[n] == '&');
	}
	return NULL;
}
