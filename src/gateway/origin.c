/*
 * gateway/origin.c - parsing and judging Origin and Host headers.
 */
#include "gateway/origin.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "core/str.h"
#include "net/guard.h"

static bool name_is_clean(const char *s)
{
	for (const char *p = s; *p; p++) {
		bool is_plain = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9');

		if (!is_plain && *p != '-' && *p != '.' && *p != '_')
			return false;
	}
	return *s && *s != '.' && s[strlen(s) - 1] != '.';
}

/* Splits "[v6]:port" or "host:port"; the host is lowered in place. */
static bool split_host(struct arena *a, const char *text, uint16_t default_port, struct origin *ret)
{
	char *host = arena_strdup(a, text), *port = NULL;
	struct in6_addr v6;

	str_lower(host);
	if (*host == '[') {
		char *end = strchr(host, ']');

		if (!end || (end[1] && end[1] != ':'))
			return false;
		port = end[1] ? end + 2 : NULL;
		*end = '\0';
		host++;
		if (inet_pton(AF_INET6, host, &v6) != 1)
			return false;
	} else {
		port = strchr(host, ':');
		if (port)
			*port++ = '\0';
		if (!name_is_clean(host))
			return false;
	}
	ret->host = host;
	ret->port = default_port;
	return !port || (str_to_u16(port, &ret->port) && ret->port > 0);
}

bool origin_parse_host(struct arena *a, const char *text, uint16_t default_port, struct origin *ret)
{
	struct origin o = { .scheme = default_port == 443 ? "https" : "http" };

	if (str_empty(text) || !split_host(a, text, default_port, &o))
		return false;
	*ret = o;
	return true;
}

bool origin_parse(struct arena *a, const char *text, struct origin *ret)
{
	struct origin o = {0};
	char *lower;

	if (str_empty(text))
		return false;
	lower = arena_strdup(a, text);
	str_lower(lower);
	if (str_starts(lower, "http://"))
		o.scheme = "http";
	else if (str_starts(lower, "https://"))
		o.scheme = "https";
	else
		return false;
	if (!split_host(a, lower + strlen(o.scheme) + 3, o.scheme[4] == 's' ? 443 : 80, &o))
		return false;
	*ret = o;
	return true;
}

static bool to_sockaddr(const char *host, struct sockaddr_storage *ret)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		return true;
	}
	if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		return true;
	}
	return false;
}

bool host_is_ip(const char *host)
{
	struct sockaddr_storage addr;

	return host && to_sockaddr(host, &addr);
}

static bool v4_is_loopback(const void *addr)
{
	return *(const unsigned char *)addr == 127;
}

static bool v6_is_loopback(const struct in6_addr *addr)
{
	return IN6_IS_ADDR_LOOPBACK(addr) ||
	       (IN6_IS_ADDR_V4MAPPED(addr) && v4_is_loopback(&addr->s6_addr[12]));
}

bool host_is_loopback(const char *host)
{
	struct sockaddr_storage addr;

	if (!host)
		return false;
	if (str_eq(host, "localhost"))
		return true;
	/* Not guard_classify(): there 0.0.0.0 counts as loopback, as connecting to it ends here. */
	if (!to_sockaddr(host, &addr))
		return false;
	if (addr.ss_family == AF_INET)
		return v4_is_loopback(&((struct sockaddr_in *)&addr)->sin_addr);
	return v6_is_loopback(&((struct sockaddr_in6 *)&addr)->sin6_addr);
}

bool host_is_private_ip(const char *host)
{
	struct sockaddr_storage addr;
	enum guard_class c;

	if (!host || !to_sockaddr(host, &addr))
		return false;
	c = guard_classify((struct sockaddr *)&addr);
	return c == GUARD_PRIVATE || c == GUARD_LOOPBACK || c == GUARD_LINK_LOCAL;
}

static bool same_origin(const struct origin *a, const struct origin *b)
{
	return str_eq(a->scheme, b->scheme) && str_eq(a->host, b->host) && a->port == b->port;
}

static bool in_allowlist(struct arena *a, const char *const *allowed, const struct origin *o)
{
	for (size_t i = 0; allowed && allowed[i]; i++) {
		struct origin entry;

		if (str_eq(allowed[i], "*"))
			return true;
		if (origin_parse(a, allowed[i], &entry) && same_origin(&entry, o))
			return true;
	}
	return false;
}

/* Names that only this machine or its own network can hand out. */
static bool host_is_near(const char *host, bool is_local)
{
	if (host_is_loopback(host))
		return is_local;
	return host_is_private_ip(host) || str_ends(host, ".local") || str_ends(host, ".ts.net");
}

enum origin_verdict origin_check(struct arena *a, const struct origin_query *q)
{
	struct origin o, us;
	bool is_same = false;

	if (!origin_parse(a, q->origin, &o))
		return ORIGIN_INVALID;
	if (in_allowlist(a, q->allowed, &o))
		return ORIGIN_ALLOWLIST;
	if (origin_parse_host(a, q->host, q->is_tls ? 443 : 80, &us)) {
		if (q->via_proxy) {
			us.scheme = o.scheme;
			is_same = str_eq(us.host, o.host) &&
				  (us.port == o.port || !strchr(q->host, ':'));
		} else {
			is_same = same_origin(&us, &o);
		}
	}
	if (is_same && q->allow_host_fallback)
		return ORIGIN_HOST_FALLBACK;
	if (is_same && host_is_near(us.host, q->is_local))
		return ORIGIN_SAME_HOST;
	if (q->is_local && host_is_loopback(o.host))
		return ORIGIN_LOCAL;
	return ORIGIN_DENIED;
}

bool origin_host_allowed(struct arena *a, const struct host_query *q)
{
	struct origin us, entry;

	if (!origin_parse_host(a, q->host, 80, &us))
		return false;
	if (host_is_loopback(us.host))
		return true;
	if (!q->bind_is_loopback && (host_is_ip(us.host) || str_ends(us.host, ".local") ||
				     str_ends(us.host, ".ts.net") || str_ieq(us.host, q->machine_name)))
		return true;
	if (q->public_origin && origin_parse(a, q->public_origin, &entry) && str_eq(entry.host, us.host))
		return true;
	for (size_t i = 0; q->allowed && q->allowed[i]; i++) {
		if (str_eq(q->allowed[i], "*"))
			return true;
		if (origin_parse(a, q->allowed[i], &entry) && str_eq(entry.host, us.host))
			return true;
	}
	return false;
}
