/*
 * gateway/methods/history_show.c - a message of the transcript as a page of history shows it.
 */
#include "gateway/methods/history_show.h"

#include <string.h>

#include "core/str.h"
#include "tools/tool.h"

#define ACTIVITY_BYTES_MAX (6u << 20)

void history_show_init(struct history_show *h, struct arena *a, size_t max_chars)
{
	*h = (struct history_show){ .a = a, .max_chars = max_chars };
	buf_init(&h->activity, ACTIVITY_BYTES_MAX);
	h->w = JW(&h->activity);
	jw_arr(&h->w);
}

void history_show_done(struct history_show *h)
{
	buf_done(&h->activity);
}

void history_show_activity(struct history_show *h, struct jw *w)
{
	jw_end(&h->w);
	if (h->activity.len > 2 && !buf_status(&h->activity, NULL, "activity"))          /* more than "[]" */
		jw_kraw(w, "activity", h->activity.data, h->activity.len);
}

/* -- tool calls -- */

/* A tool call of an assistant row, as the live `item` frames show it. */
static void put_activity_item(struct history_show *h, const struct json *block)
{
	const char *id = json_str_or(json_get(block, "id"), "");
	const char *name = json_str_or(json_get(block, "name"), "");
	const struct tool *t = tool_find(name);
	const char *meta = t && t->meta ? t->meta(h->a, json_get(block, "arguments")) : NULL;
	struct jw *w = &h->w;

	jw_obj(w);
	jw_kstr(w, "itemId", arena_printf(h->a, "tool:%s", id));
	jw_kstr(w, "toolCallId", id);
	jw_kstr(w, "name", name);
	jw_kstr(w, "kind", "tool");
	jw_kstr(w, "phase", "end");
	jw_kstr(w, "title", meta ? arena_printf(h->a, "%s %s", t->label, meta) : t ? t->label : name);
	jw_kstr(w, "status", "completed");
	jw_kbool(w, "commandBearing", t && t->risk == TOOL_RUNS);
	jw_end(w);
}

static void put_activity(struct history_show *h, const struct tr_entry *e, const struct json *message)
{
	struct jw *w = &h->w;
	bool any = false;

	json_each(block, json_get(message, "content")) {
		if (!str_eq(json_get_str(block, "type"), "toolCall"))
			continue;
		if (!any) {
			jw_obj(w);
			jw_kstr(w, "messageId", e->id);
			jw_karr(w, "items");
		}
		any = true;
		put_activity_item(h, block);
	}
	if (any) {
		jw_end(w);
		jw_end(w);
	}
}

/* -- what is too much -- */

static struct json *cut_text(struct history_show *h, const char *text, size_t len)
{
	size_t n = utf8_cut(text, len, h->max_chars);

	return json_new_str(h->a, arena_printf(h->a, "%.*s\n... (%zu bytes not shown)", (int)n, text, len - n));
}

/* As a part of a path: what is not plain is escaped (RFC 3986). */
static void put_path_part(struct buf *out, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:";

	for (; *text; text++) {
		if (strchr(plain, *text))
			buf_putc(out, *text);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)*text);
	}
}

/* Where http_api/media.c serves the n-th picture of a message. */
static const char *image_url(struct history_show *h, const char *message_id, size_t n)
{
	CH_AUTO_BUF struct buf url = { 0 };

	buf_init(&url, 8192);
	buf_puts(&url, "/api/chat/media/");
	put_path_part(&url, h->session_key);
	buf_putc(&url, '/');
	put_path_part(&url, message_id);
	buf_printf(&url, "/%zu", n);
	return buf_status(&url, NULL, "url") ? NULL : arena_strndup(h->a, url.data, url.len);
}

/* Its bytes are counted, not sent. */
static void name_image(struct history_show *h, struct json *block, const struct json *data, const char *url)
{
	size_t n = data->len, pad = 0;

	while (pad < 2 && n > pad && data->str[n - 1 - pad] == '=')
		pad++;
	json_unset(block, "data");
	json_set(h->a, block, "omitted", json_new_bool(h->a, true));
	json_set(h->a, block, "bytes", json_new_int(h->a, (int64_t)(n / 4 * 3 - pad)));
	if (url)
		json_set(h->a, block, "url", json_new_str(h->a, url));
}

static void shorten(struct history_show *h, struct json *message, const char *message_id)
{
	struct json *content = json_get(message, "content");
	size_t images = 0;

	if (json_str(content) && content->len > h->max_chars) {
		json_set(h->a, message, "content", cut_text(h, content->str, content->len));
		return;
	}
	json_each(block, content) {
		struct json *text = json_get(block, "text"), *data = json_get(block, "data");

		if (json_str(text) && text->len > h->max_chars)
			json_set(h->a, block, "text", cut_text(h, text->str, text->len));
		if (!str_eq(json_get_str(block, "type"), "image"))
			continue;
		if (json_str(data) && data->len > HISTORY_INLINE_IMAGE)
			name_image(h, block, data, h->session_key ? image_url(h, message_id, images) : NULL);
		images++;
	}
}

static bool may_hold(const struct tr_entry *e, const char *word)
{
	return memmem(e->message, e->message_len, word, strlen(word)) != NULL;
}

/* Strings escape their quotes, so in a user's message only the member itself reads like this. */
bool history_is_hidden(const struct tr_entry *e)
{
	return str_eq(e->role, "user") && may_hold(e, "\"display\":false");
}

/* Most messages go out as they are stored; only what has something to change is taken apart. */
void history_show_message(struct history_show *h, struct jw *w, const struct tr_entry *e)
{
	bool has_calls = str_eq(e->role, "assistant") && may_hold(e, "\"toolCall\"");
	bool is_long = e->message_len > h->max_chars || (e->message_len > HISTORY_INLINE_IMAGE && may_hold(e, "\"image\""));
	struct tr_entry shown = *e;
	struct json *message = NULL;

	if ((has_calls || is_long) && json_parse(h->a, e->message, e->message_len, JSON_STRICT, &message, NULL) == CH_OK) {
		if (has_calls)
			put_activity(h, e, message);
		if (is_long) {
			shorten(h, message, e->id);
			shown.message = json_to_str(h->a, message);
			shown.message_len = strlen(shown.message);
		}
	}
	gw_render_message(w, &shown);
}
