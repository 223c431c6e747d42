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

struct json *tr_text_block(struct arena *a, const char *text, size_t len)
{
	struct json *block = json_new_obj(a);

	json_set(a, block, "type", json_new_str(a, "text"));
	json_set(a, block, "text", json_new_strn(a, text, len));
	return block;
}

struct json *tr_text_content(struct arena *a, const char *text)
{
	struct json *content = json_new_arr(a);

	json_push(content, tr_text_block(a, text, strlen(text)));
	return content;
}
