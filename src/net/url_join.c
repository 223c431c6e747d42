/*
 * net/url_join.c - what a reference on a page or in a Location header leads to (RFC 3986 5.2), as browsers read it.
 *
 * Browsers take more than the RFC: white space around it is dropped, tabs and line ends inside too, backslashes are
 * slashes, bytes that need it are percent-encoded. The result passes url_parse() or is NULL.
 */
#include <string.h>

#include "core/buf.h"
#include "core/str.h"
#include "net/url.h"

#define REFERENCE_MAX 8192               /* bytes; no server takes longer addresses */

/* As browsers clean a reference before they read it. */
static char *cleaned(struct arena *a, const char *ref)
{
	static const char digits[] = "0123456789ABCDEF";
	size_t n = strlen(ref);
	char *out, *to;
	bool is_path = true;

	while (n && (unsigned char)ref[n - 1] <= ' ')
		n--;
	while (n && (unsigned char)*ref <= ' ') {
		ref++;
		n--;
	}
	if (n > REFERENCE_MAX)
		return NULL;
	out = to = arena_alloc(a, 3 * n + 1);
	for (const char *end = ref + n; ref < end; ref++) {
		unsigned char c = (unsigned char)*ref;

		is_path = is_path && c != '?' && c != '#';
		if (c == '\t' || c == '\n' || c == '\r')
			continue;
		if (c == '\\' && is_path) {
			*to++ = '/';
		} else if (c <= ' ' || c > '~' || strchr("\"<>`\\^{|}", c)) {
			*to++ = '%';
			*to++ = digits[c >> 4];
			*to++ = digits[c & 15];
		} else {
			*to++ = (char)c;
		}
	}
	*to = '\0';
	return out;
}

/* The length of "scheme:" in front, 0 when there is none. */
static size_t scheme_len(const char *s)
{
	size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

	return n && s[n] == ':' && !strchr("0123456789+-.", s[0]) ? n + 1 : 0;
}

/* RFC 3986 5.2.4, segment by segment. */
static void put_path(struct buf *out, const char *path, size_t n)
{
	size_t start = out->len;

	for (const char *p = path, *end = path + n; p < end;) {
		const char *slash = memchr(p + 1, '/', (size_t)(end - p - 1));
		size_t len = (size_t)((slash ? slash : end) - p);
		bool is_last = !slash;

		if (len == 2 && memcmp(p, "/.", 2) == 0) {
			if (is_last)
				buf_putc(out, '/');
		} else if (len == 3 && memcmp(p, "/..", 3) == 0) {
			while (out->len > start && out->data[out->len - 1] != '/')
				buf_truncate(out, out->len - 1);
			if (out->len > start)
				buf_truncate(out, out->len - 1);
			if (is_last)
				buf_putc(out, '/');
		} else {
			buf_append(out, p, len);
		}
		p += len;
	}
	if (out->len == start)
		buf_putc(out, '/');
}

static void put_origin(struct buf *out, const struct url *u)
{
	buf_printf(out, u->host_is_ipv6 ? "%s://[%s]" : "%s://%s", u->scheme, u->host);
	if (u->port != (str_eq(u->scheme, "https") || str_eq(u->scheme, "wss") ? 443 : 80))
		buf_printf(out, ":%u", u->port);
}

/* ref has neither scheme nor authority. */
static void put_relative(struct arena *a, struct buf *out, const struct url *base, const char *ref)
{
	size_t n = strcspn(ref, "?#");
	const char *merged = ref, *slash;

	put_origin(out, base);
	if (n == 0) {
		put_path(out, base->path, strlen(base->path));
		if (*ref != '?' && base->query)
			buf_printf(out, "?%s", base->query);
	} else {
		if (*ref != '/') {
			slash = strrchr(base->path, '/');
			merged = arena_printf(a, "%.*s/%s", (int)(slash ? slash - base->path : 0), base->path, ref);
			n = strcspn(merged, "?#");
		}
		put_path(out, merged, n);
		ref = merged;
	}
	buf_puts(out, ref + n);
}

char *url_join(struct arena *a, const char *base, const char *ref)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct url b, check;
	char *clean = cleaned(a, ref);
	size_t scheme;

	buf_init(&out, 8 * REFERENCE_MAX);
	if (!clean || url_parse(a, base, &b, NULL))
		return NULL;
	scheme = scheme_len(clean);
	if (scheme)
		buf_puts(&out, clean);
	else if (clean[0] == '/' && clean[1] == '/')
		buf_printf(&out, "%s:%s", b.scheme, clean);
	else
		put_relative(a, &out, &b, clean);
	if (out.failed || url_parse(a, buf_str(&out), &check, NULL))
		return NULL;
	return arena_strndup(a, out.data, out.len);
}
