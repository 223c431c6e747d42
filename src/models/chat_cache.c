/*
 * models/chat_cache.c - who takes cache marks in Chat Completions.
 *
 * A service is known by its host as well as by its name: marks would be
 * refused by another one that a person put in its place, unless
 * compat.cacheControlFormat says otherwise.
 */
#include "models/chat_cache.h"

#include <string.h>

#include "core/str.h"

static bool is_at(const struct model_entry *m, const char *host)
{
	return !m->base_url || strstr(m->base_url, host);
}

static bool is_openrouter(const struct model_entry *m)
{
	return (str_eq(m->provider, "openrouter") && is_at(m, "openrouter.ai")) ||
	       (m->base_url && strstr(m->base_url, "//openrouter.ai/"));
}

static bool is_dashscope(const struct model_entry *m)
{
	return str_eq(m->provider, "qwen") && is_at(m, "dashscope");
}

static bool takes_marks(const struct model_entry *m)
{
	if (compat_has(m, "cacheControlFormat"))
		return str_eq(json_get_str(m->compat, "cacheControlFormat"), "anthropic");
	if (str_starts(m->id, "anthropic/"))
		return is_openrouter(m) || (str_eq(m->provider, "deepinfra") && is_at(m, "deepinfra.com"));
	return is_dashscope(m);
}

enum retention chat_mark_for(const struct model_call *call, const struct model_entry *m)
{
	enum retention keep = param_retention(call, NULL);

	if (keep == RETAIN_NONE || !takes_marks(m))
		return RETAIN_NONE;
	if (keep == RETAIN_LONG && compat_flag(m, "supportsLongCacheRetention", is_openrouter(m)))
		return RETAIN_LONG;
	return RETAIN_SHORT;
}

const struct msg *chat_marked_message(const struct history *h)
{
	const struct msg *last = NULL;

	for (const struct msg *m = h->first; m; m = m->next) {
		if (m->role != MSG_ASSISTANT && msg_has(m, BLOCK_TEXT))
			last = m;
	}
	return last;
}

bool chat_marks_tools(const struct model_entry *m)
{
	return !is_dashscope(m);
}
