/*
 * sessions/text.c - what a message says.
 */
#include "sessions/text.h"

#include <string.h>

#include "core/str.h"

/* NULL when the block is none of text. */
static const struct json *text_block(const struct json *block)
{
	const struct json *text = str_eq(json_get_str(block, "type"), "text") ? json_get(block, "text") : NULL;

	return json_is(text, JSON_STR) ? text : NULL;
}

const char *tr_text(struct arena *a, const struct json *message, const char *between)
{
	const struct json *content = json_get(message, "content");
	size_t between_len = strlen(between), n = 1;
	char *out, *end;

	if (json_str(content))
		return json_str(content);
	json_each(block, content) {
		const struct json *text = text_block(block);

		n += text ? text->len + between_len : 0;
	}
	out = end = arena_alloc(a, n);
	json_each(block, content) {
		const struct json *text = text_block(block);

		if (!text)
			continue;
		if (end > out)
			end = mempcpy(end, between, between_len);
		end = mempcpy(end, text->str, text->len);
	}
	*end = '\0';
	return out;
}
