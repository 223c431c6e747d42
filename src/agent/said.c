/*
 * agent/said.c - see said.h.
 */
#include "agent/said.h"

#include <string.h>

#include "agent/history.h"
#include "agent/host.h"
#include "core/str.h"
#include "sessions/text.h"

static bool is_part_of_address(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c < 0 || strchr("-_~%/?#=&+@:$*;", c);
}

/* "…/a." and "…/a," end a sentence; "…/a.b" goes on. */
static bool ends_address(const char *rest)
{
	while (*rest && strchr(".,!", *rest))
		rest++;
	return !*rest || !is_part_of_address(*rest);
}

bool said_whole(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; len && (at = strstr(at, word)); at++)
		if ((at == text || !is_part_of_address(at[-1])) && ends_address(at + len))
			return true;
	return false;
}

/* What the call with this id was given, as JSON text; the newest before message i. NULL: it is not there. */
static const char *args_of(struct arena *a, const struct json *messages, const struct json *result)
{
	const char *id = json_get_str(result, "toolCallId"), *found = NULL;

	json_each(m, messages) {
		if (m == result)
			break;
		if (!str_eq(json_get_str(m, "role"), "assistant"))
			continue;
		json_each(block, json_get(m, "content"))
			if (str_eq(json_get_str(block, "type"), "toolCall") && str_eq(json_get_str(block, "id"), id))
				found = json_to_str(a, json_get(block, "arguments"));
	}
	return found;
}

static bool brings_in(struct arena *a, const struct json *messages, const struct json *m, const char *text)
{
	static const char *const readers[] = { "web_fetch", "web_search" };
	const char *args;

	if (!str_in(json_get_str(m, "toolName"), readers, CH_ARRAY_LEN(readers)) || !said_whole(tr_text(a, m, "\n"), text))
		return false;
	args = args_of(a, messages, m);
	/* An answer repeats what it was asked: that says nothing of who thought of it. */
	return args && !strstr(args, text);
}

/* The context that a message of a network came with is not its sender's word. */
static bool says(struct arena *a, const struct json *m, const char *text)
{
	const struct json *blocks = json_get(m, "content");
	bool is_context = json_get(m, TR_CONTEXT) != NULL;

	if (!is_context)
		return said_whole(tr_text(a, m, "\n"), text);
	json_each(block, blocks) {
		const char *part = json_get_str(block, "text");

		if (!is_context && part && said_whole(part, text))
			return true;
		is_context = false;
	}
	return false;
}

bool said_before(void *arg, const struct tool_ctx *ctx, const char *text)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct desk *d = desk_find(arg, ctx->session_key);
	const struct json *messages = d && d->history ? history_messages(d->history) : NULL;

	json_each(m, messages) {
		const char *role = json_get_str(m, "role");

		if (str_eq(role, "user") ? says(a, m, text)
					 : str_eq(role, "toolResult") && brings_in(a, messages, m, text))
			return true;
	}
	return false;
}
