/*
 * exec/proxy_request.c - the head of a proxy request from bytes, and the list of hosts it is held against.
 *
 *	CONNECT example.org:443 HTTP/1.1
 *	GET http://example.org/path HTTP/1.1
 *
 * A strict reading: what two programs could understand differently is refused. The Host header that goes on is made from the
 * target, whatever the request said.
 */
#include <ctype.h>
#include <string.h>

#include "core/buf.h"
#include "core/str.h"
#include "exec/proxy.h"
#include "net/url.h"

#define METHOD_MAX 16
#define HOST_MAX 253             /* RFC 1035 2.3.4 */

static bool is_token_char(char c)
{
	return isalnum((unsigned char)c) || (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_token_char(s[i]))
			return false;
	return n > 0;
}

/* Letters, digits, '-', '.', '_'; or an IPv6 address's hex digits and colons. */
static bool is_host(const char *s, size_t n, bool is_ipv6)
{
	if (!n || n > HOST_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (is_ipv6 ? !isxdigit((unsigned char)s[i]) && s[i] != ':' && s[i] != '.'
			    : !isalnum((unsigned char)s[i]) && !strchr("-._", s[i]))
			return false;
	}
	return s[0] != '.' && s[0] != '-';
}

/* Lower case, without the dot that roots a name. */
static const char *normal_host(struct arena *a, const char *s, size_t n)
{
	char *host = arena_strndup(a, s, n && s[n - 1] == '.' ? n - 1 : n);

	str_lower(host);
	return host;
}

/* "host:port" or "[v6]:port"; the port must be there. */
static ch_status parse_authority(struct arena *a, const char *s, size_t n, struct proxy_target *t, struct ch_err *err)
{
	const char *text = arena_strndup(a, s, n), *host = text, *colon = strrchr(text, ':');
	size_t len;

	if (!colon || !str_to_u16(colon + 1, &t->port) || !t->port)
		return ch_fail(err, CH_E_INVALID, "CONNECT is asked for host:port");
	len = (size_t)(colon - text);
	t->is_ipv6 = host[0] == '[';
	if (t->is_ipv6) {
		if (len < 3 || host[len - 1] != ']')
			return ch_fail(err, CH_E_INVALID, "the address is malformed");
		host++;
		len -= 2;
	}
	if (!is_host(host, len, t->is_ipv6))
		return ch_fail(err, CH_E_INVALID, "the host is malformed");
	t->host = normal_host(a, host, len);
	return CH_OK;
}

static ch_status parse_absolute(struct arena *a, const char *s, size_t n, struct proxy_target *t, struct url *u, struct ch_err *err)
{
	ch_status st = url_parse(a, arena_strndup(a, s, n), u, err);

	if (st)
		return ch_fail(err, CH_E_INVALID, "the target is neither host:port nor a whole http:// URL");
	if (!str_eq(u->scheme, "http"))
		return ch_fail(err, CH_E_INVALID, "%s goes through the proxy by CONNECT", u->scheme);
	if (!is_host(u->host, strlen(u->host), u->host_is_ipv6))
		return ch_fail(err, CH_E_INVALID, "the host is malformed");
	t->host = normal_host(a, u->host, strlen(u->host));
	t->port = u->port;
	t->is_ipv6 = u->host_is_ipv6;
	return CH_OK;
}

/* -- the head that goes on -- */

/* Between us and the client only, or made anew here. */
static bool stays_here(const char *name, size_t n)
{
	static const char *const names[] = { "connection", "host", "keep-alive", "te", "upgrade" };

	if (n >= 6 && !strncasecmp(name, "proxy-", 6))
		return true;
	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (strlen(names[i]) == n && !strncasecmp(name, names[i], n))
			return true;
	return false;
}

/* One line without its end; CH_E_INVALID for what is no header. */
static ch_status copy_header(struct buf *out, const char *line, size_t n, struct ch_err *err)
{
	const char *colon = memchr(line, ':', n);

	if (!colon || !is_token(line, (size_t)(colon - line)))
		return ch_fail(err, CH_E_INVALID, "a header is malformed");
	for (const char *p = colon; p < line + n; p++)
		if ((unsigned char)*p < 0x20 && *p != '\t')
			return ch_fail(err, CH_E_INVALID, "a header has control characters");
	if (!stays_here(line, (size_t)(colon - line))) {
		buf_append(out, line, n);
		buf_puts(out, "\r\n");
	}
	return CH_OK;
}

static ch_status copy_headers(struct buf *out, const char *p, const char *end, struct ch_err *err)
{
	ch_status st = CH_OK;

	while (!st && p < end) {
		const char *eol = memmem(p, (size_t)(end - p), "\r\n", 2);

		if (!eol)
			return ch_fail(err, CH_E_INVALID, "the request's head is cut");
		if (eol == p)
			return eol + 2 == end ? CH_OK : ch_fail(err, CH_E_INVALID, "the head ends too early");
		st = copy_header(out, p, (size_t)(eol - p), err);
		p = eol + 2;
	}
	return st ? st : ch_fail(err, CH_E_INVALID, "the request's head is cut");
}

/* Fills head; with CONNECT the headers are only checked. */
static ch_status make_head(struct arena *a, const char *method, const struct url *u, const char *headers, const char *end,
			   struct proxy_target *t, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	ch_status st;

	buf_init(&out, 2 * PROXY_HEAD_MAX);
	if (!t->is_connect) {
		buf_printf(&out, "%s %s%s%s HTTP/1.1\r\n", method, u->path, u->query ? "?" : "", u->query ? u->query : "");
		buf_printf(&out, t->is_ipv6 ? "Host: [%s]" : "Host: %s", t->host);
		if (t->port != 80)
			buf_printf(&out, ":%u", t->port);
		buf_puts(&out, "\r\nConnection: close\r\n");
	}
	st = copy_headers(&out, headers, end, err);
	buf_puts(&out, "\r\n");
	if (!st)
		st = buf_status(&out, err, "the request's head");
	if (st || t->is_connect)
		return st;
	t->head = arena_strndup(a, out.data, out.len);
	t->head_len = out.len;
	return CH_OK;
}

ch_status proxy_request_parse(struct arena *a, const char *bytes, size_t n, struct proxy_target *ret, struct ch_err *err)
{
	const char *end = bytes + n, *eol = memmem(bytes, n, "\r\n", 2);
	const char *method_end = eol ? memchr(bytes, ' ', (size_t)(eol - bytes)) : NULL;
	const char *target = method_end ? method_end + 1 : NULL;
	const char *target_end = target ? memchr(target, ' ', (size_t)(eol - target)) : NULL;
	struct proxy_target t = { 0 };
	struct url u = { 0 };
	const char *method;
	ch_status st;

	if (!target_end || memchr(bytes, '\0', n) || !is_token(bytes, (size_t)(method_end - bytes)) || method_end - bytes > METHOD_MAX)
		return ch_fail(err, CH_E_INVALID, "this is no HTTP request");
	if (eol - target_end != 9 || (memcmp(target_end, " HTTP/1.1", 9) != 0 && memcmp(target_end, " HTTP/1.0", 9) != 0))
		return ch_fail(err, CH_E_INVALID, "the proxy speaks HTTP/1.1");
	for (const char *p = target; p < target_end; p++)
		if (*p <= ' ' || *p >= 0x7f)
			return ch_fail(err, CH_E_INVALID, "the target has characters that belong encoded");
	method = arena_strndup(a, bytes, (size_t)(method_end - bytes));
	t.is_connect = str_eq(method, "CONNECT");
	st = t.is_connect ? parse_authority(a, target, (size_t)(target_end - target), &t, err)
			  : parse_absolute(a, target, (size_t)(target_end - target), &t, &u, err);
	if (!st)
		st = make_head(a, method, &u, eol + 2, end, &t, err);
	if (!st)
		*ret = t;
	return st;
}

/* -- the list -- */

/* Splits off ":port"; 0 when there is none. An IPv6 address is written in brackets. False when malformed. */
static bool entry_parts(const char *entry, const char **ret_name, size_t *ret_len, uint16_t *ret_port)
{
	const char *close = entry[0] == '[' ? strchr(entry, ']') : NULL;
	const char *colon = close ? (close[1] == ':' ? close + 1 : NULL) : strchr(entry, ':');
	size_t len = colon ? (size_t)(colon - entry) : strlen(entry);

	*ret_port = 0;
	if (colon && (!str_to_u16(colon + 1, ret_port) || !*ret_port))
		return false;
	if (entry[0] == '[' && (!close || (size_t)(close - entry) + 1 != len))
		return false;
	*ret_name = close ? entry + 1 : entry;
	*ret_len = close ? len - 2 : len;
	return *ret_len > 0;
}

bool proxy_host_valid(const char *entry)
{
	const char *name;
	uint16_t port;
	size_t n;

	if (!entry_parts(entry, &name, &n, &port))
		return false;
	if (n == 1 && name[0] == '*')
		return true;
	if (n > 2 && name[0] == '*' && name[1] == '.')
		return is_host(name + 2, n - 2, false);
	return is_host(name, n, entry[0] == '[');
}

static bool name_matches(const char *pattern, size_t n, const char *host)
{
	size_t len = strlen(host);

	if (n == 1 && pattern[0] == '*')
		return true;
	if (n > 2 && pattern[0] == '*' && pattern[1] == '.')
		return len > n - 1 && !strncasecmp(host + len - (n - 1), pattern + 1, n - 1);
	if (n > 1 && pattern[n - 1] == '.')
		n--;
	return len == n && !strncasecmp(host, pattern, n);
}

bool proxy_host_allowed(const char *const *hosts, const char *host, uint16_t port)
{
	for (; hosts && *hosts; hosts++) {
		const char *name;
		uint16_t want;
		size_t n;

		if (!proxy_host_valid(*hosts) || !entry_parts(*hosts, &name, &n, &want))
			continue;
		if (want ? want != port : port != 80 && port != 443)
			continue;
		if (name_matches(name, n, host))
			return true;
	}
	return false;
}
