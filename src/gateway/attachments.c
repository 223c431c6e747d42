/*
 * gateway/attachments.c - what a client attaches to a message, made fit for a turn.
 */
#include "gateway/attachments.h"

#include <string.h>

#include "core/image.h"
#include "core/str.h"

#define NAME_MAX_BYTES 120
#define TEXTS_MAX (2u << 20)             /* all files of a message together */
#define SCRATCH(bytes) ((bytes) / 2 * 3 + 65536)

struct attachment { const char *name; const char *data; size_t len; };  /* base64 without "data:…;base64," */

struct taking { struct arena *a; struct json *images; struct buf text; };

/* For messages and headings: one line, no quotes. */
static const char *plain_name(struct arena *a, const struct json *item)
{
	const char *given = json_str_or(json_get(item, "fileName"), "attachment");
	char *name = arena_strndup(a, given, utf8_cut(given, strlen(given), NAME_MAX_BYTES));

	for (char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f || strchr("\"<>", *p))
			*p = '_';
	return *name ? name : "attachment";
}

static ch_status read_item(struct arena *a, const struct json *item, struct attachment *ret, struct ch_err *err)
{
	const struct json *content = json_get(item, "content");
	const char *comma;

	*ret = (struct attachment){ plain_name(a, item), json_str(content), content ? content->len : 0 };
	if (str_empty(ret->data))
		return ch_fail(err, CH_E_INVALID, "attachment %s has no content (base64 text)", ret->name);
	comma = str_starts(ret->data, "data:") ? memchr(ret->data, ',', CH_MIN(ret->len, 256)) : NULL;
	if (comma) {
		ret->len -= (size_t)(comma + 1 - ret->data);
		ret->data = comma + 1;
	}
	return CH_OK;
}

/* Decodes into at most cap bytes. */
static ch_status decode(struct arena *a, const struct attachment *att, size_t cap, char **ret, size_t *ret_len, struct ch_err *err)
{
	char *bytes;

	if (att->len / 4 > cap / 3 + 1)
		return ch_fail(err, CH_E_LIMIT, "attachment %s is larger than %zu bytes", att->name, cap);
	bytes = arena_try_alloc(a, att->len / 4 * 3 + 4);
	if (!bytes)
		return ch_fail(err, CH_E_LIMIT, "attachment %s does not fit into this request's memory", att->name);
	if (!b64_decode(att->data, att->len, bytes, att->len / 4 * 3 + 3, ret_len))
		return ch_fail(err, CH_E_INVALID, "attachment %s is no valid base64 text", att->name);
	if (*ret_len > cap)
		return ch_fail(err, CH_E_LIMIT, "attachment %s is larger than %zu bytes", att->name, cap);
	*ret = bytes;
	return CH_OK;
}

static const char *image_type(const struct attachment *att)
{
	unsigned char begin[IMAGE_SNIFF_BYTES + 3];
	size_t len = 0, chars = CH_MIN(att->len / 4, (size_t)IMAGE_SNIFF_BYTES / 3) * 4;

	return b64_decode(att->data, chars, begin, sizeof(begin), &len) ? image_mime(begin, len) : NULL;
}

/* The base64 text stays as it came: it is only checked, on memory of its own. */
static ch_status take_image(struct taking *t, struct json *item, const struct attachment *att, const char *type, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *scratch = arena_new(SCRATCH(ATTACHMENT_IMAGE_MAX));
	char *bytes;
	size_t len;
	ch_status st = decode(scratch, att, ATTACHMENT_IMAGE_MAX, &bytes, &len, err);

	if (st)
		return st;
	json_set(t->a, item, "type", json_new_str(t->a, "image"));
	json_set(t->a, item, "mimeType", json_new_str(t->a, type));
	if (!t->images)
		t->images = json_new_arr(t->a);
	json_push(t->images, item);
	return CH_OK;
}

static ch_status take_text(struct taking *t, const struct attachment *att, const struct json *item, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *scratch = arena_new(SCRATCH(ATTACHMENT_TEXT_MAX));
	const char *declared = json_str_or(json_get(item, "mimeType"), "an unknown type");
	char *bytes;
	size_t len;
	ch_status st = decode(scratch, att, ATTACHMENT_TEXT_MAX, &bytes, &len, err);

	if (st)
		return st;
	if (!utf8_valid(bytes, len) || memchr(bytes, '\0', len))
		return ch_fail(err, CH_E_UNSUPPORTED, "attachment %s (%.60s): only PNG, JPEG, GIF and WebP images and text files can be "
			       "attached", att->name, declared);
	buf_printf(&t->text, "%s<file name=\"%s\">\n", t->text.len ? "\n\n" : "", att->name);
	buf_append(&t->text, bytes, len);
	buf_puts(&t->text, len && bytes[len - 1] == '\n' ? "</file>" : "\n</file>");
	return CH_OK;
}

/* Images leave the list that was given: a value can stand in one list only. */
static ch_status take_all(struct taking *t, struct json *given, struct ch_err *err)
{
	for (struct json *item = json_first(given), *next; item; item = next) {
		struct attachment att;
		const char *type;
		ch_status st = read_item(t->a, item, &att, err);

		next = item->next;
		if (st)
			return st;
		type = image_type(&att);
		if (type)
			item->next = NULL;
		st = type ? take_image(t, item, &att, type, err) : take_text(t, &att, item, err);
		if (st)
			return st;
	}
	return buf_status(&t->text, err, "the attached texts");
}

ch_status attachments_take(struct arena *a, struct json *given, const char *text, struct json **ret_images,
			   const char **ret_text, struct ch_err *err)
{
	struct taking t = { .a = a };
	ch_status st = CH_OK;

	*ret_images = NULL;
	*ret_text = text;
	if (!json_len(given))
		return CH_OK;
	if (json_len(given) > ATTACHMENTS_MAX)
		return ch_fail(err, CH_E_LIMIT, "a message can have %d attachments, not %zu", ATTACHMENTS_MAX, json_len(given));
	buf_init(&t.text, TEXTS_MAX);
	buf_puts(&t.text, text ? text : "");
	st = take_all(&t, given, err);
	if (!st) {
		*ret_images = t.images;
		*ret_text = arena_strndup(a, buf_str(&t.text), t.text.len);
	}
	buf_done(&t.text);
	return st;
}
