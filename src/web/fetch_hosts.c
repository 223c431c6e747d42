/*
 * web/fetch_hosts.c - which hosts web_fetch may ask (tools.web.fetch.ssrfPolicy).
 *
 * Names are compared as url_parse() gives them: lower case, without the root's dot. What a name resolves to is judged
 * when it is connected to, by net/guard.
 */
#include <arpa/inet.h>
#include <string.h>

#include "core/str.h"
#include "web/fetch_priv.h"

#define POLICY "tools.web.fetch.ssrfPolicy."
#define HOST_MAX 256

/* An entry of the configuration in the same spelling; false when it is too long to be a host. */
static bool normal_host(const char *entry, char ret[HOST_MAX])
{
	size_t n = strlen(entry);

	if (n && entry[0] == '[' && entry[n - 1] == ']') {
		entry++;
		n -= 2;
	}
	while (n && entry[n - 1] == '.')
		n--;
	if (n == 0 || n >= HOST_MAX)
		return false;
	memcpy(ret, entry, n);
	ret[n] = '\0';
	str_lower(ret);
	return true;
}

static bool entry_matches(const char *entry, const char *host, bool with_wildcards)
{
	char name[HOST_MAX];

	if (!normal_host(entry, name))
		return false;
	if (with_wildcards && str_starts(name, "*."))
		return str_ends(host, name + 1);
	return str_eq(name, host);
}

/* "0x7f.1", "2130706433", "127.1": resolvers read them as addresses. Only one spelling passes, the dotted one. */
static bool is_odd_number(const char *host)
{
	const char *last = strrchr(host, '.');
	struct in_addr v4;

	last = last ? last + 1 : host;
	if (strchr(host, ':') || !(last[strspn(last, "0123456789")] == '\0' || str_starts(last, "0x")))
		return false;
	return inet_pton(AF_INET, host, &v4) != 1;
}

ch_status fetch_judge_host(const struct config *c, const char *host, enum guard_policy *ret, struct ch_err *err)
{
	const char *const *list = config_list(c, POLICY "blockedHostnames");

	if (is_odd_number(host))
		return ch_fail(err, CH_E_DENIED, "%.120s is an address in disguise; write it as four decimal numbers", host);
	for (; *list; list++)
		if (entry_matches(*list, host, true))
			return ch_fail(err, CH_E_DENIED, "%.120s is blocked by %sblockedHostnames", host, POLICY);
	*ret = GUARD_PUBLIC_ONLY;
	for (list = config_list(c, POLICY "allowedHostnames"); *list; list++)
		if (entry_matches(*list, host, false))
			*ret = GUARD_TRUST_ORIGIN;
	return CH_OK;
}
