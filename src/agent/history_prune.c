/*
 * agent/history_prune.c - the view with less in it: old images, and tool results that were pruned.
 *
 * Images of all but the last turns are named, not sent: the model has seen them. That moves on with each user
 * message only, so requests of one turn begin with the same bytes. Tool results change when a mark says so.
 */
#include "agent/history_priv.h"

#include <string.h>

#include "core/str.h"
#include "models/model.h"
#include "sessions/text.h"

#define IMAGE_TURNS 3                    /* completed turns whose images are still sent */
#define REPLIES_KEPT 3                   /* newest replies; results since the oldest of them stay */
#define TRIM_OVER 4000                   /* bytes of a result; longer ones keep their ends */
#define TRIM_END 1500
#define IMAGE_GONE "[An image stood here; it was removed after the model had seen it.]"

/* -- changing a message -- */

static void recount(struct item *item, const struct json *message)
{
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, TR_MESSAGE_MAX);
	json_write(&b, message, 0);
	if (!b.failed)
		item->tokens = model_estimate_tokens(b.data, b.len);
}

static void replace_content(struct history *h, struct item *item, struct json *message, const char *text)
{
	struct json *content = json_new_arr(h->arena);

	json_push(content, tr_text_block(h->arena, text, strlen(text)));
	json_set(h->arena, message, "content", content);
	recount(item, message);
}

/* -- images -- */

static bool drop_images(struct history *h, struct item *item, struct json *message)
{
	struct json *content = json_get(message, "content"), *fresh = json_new_arr(h->arena);
	bool has_image = false;

	if (!json_is(content, JSON_ARR))
		return false;
	json_each(block, content)
		has_image |= str_eq(json_get_str(block, "type"), "image");
	if (!has_image)
		return false;
	json_each(block, content)
		json_push(fresh, str_eq(json_get_str(block, "type"), "image") ? tr_text_block(h->arena, IMAGE_GONE, strlen(IMAGE_GONE))
									     : json_clone(h->arena, block));
	json_set(h->arena, message, "content", fresh);
	recount(item, message);
	return true;
}

/* Where the turns begin that are still sent with their images. */
static size_t images_from(const struct history *h)
{
	int turns = 0;

	for (size_t i = h->items.len; i-- > 0;)
		if (h->items.at[i].starts_turn && turns++ == IMAGE_TURNS)
			return i;
	return 0;
}

/* -- tool results -- */

static bool is_kept(const struct prune_mark *m, const struct json *message)
{
	json_each(name, m->keep)
		if (str_eq(json_str(name), json_get_str(message, "toolName")))
			return true;
	return false;
}

static bool is_result(const struct json *message)
{
	return str_eq(json_get_str(message, "role"), "toolResult");
}

/* Its text when that is all it has; NULL: nothing to shorten, or more than text. */
static const struct json *only_text(const struct json *message)
{
	const struct json *content = json_get(message, "content"), *block = json_first(content);

	return json_len(content) == 1 && str_eq(json_get_str(block, "type"), "text") ? json_get(block, "text") : NULL;
}

static bool trim(struct history *h, struct item *item, struct json *message)
{
	const struct json *text = only_text(message);
	size_t head, tail;

	if (!json_str(text) || text->len <= TRIM_OVER)
		return false;
	head = utf8_cut(text->str, text->len, TRIM_END);
	tail = text->len - TRIM_END;
	while (tail < text->len && ((unsigned char)text->str[tail] & 0xc0) == 0x80)
		tail++;
	replace_content(h, item, message,
			arena_printf(h->arena, "%.*s\n…\n%s", (int)head, text->str, text->str + tail));
	return true;
}

static bool clear(struct history *h, struct item *item, struct json *message, const char *placeholder)
{
	const struct json *text = only_text(message);

	if (json_str(text) && text->len <= strlen(placeholder))
		return false;
	replace_content(h, item, message, placeholder);
	return true;
}

static bool prune_results(struct history *h)
{
	struct json *message = json_first(h->messages);
	const struct prune_mark *m = &h->mark;
	bool is_changed = false;

	for (size_t i = 0; i < h->items.len; i++, message = message->next) {
		struct item *item = &h->items.at[i];

		if (!is_result(message) || is_kept(m, message))
			continue;
		if (item->raw_seq <= m->clear_to)
			is_changed |= clear(h, item, message, m->placeholder);
		else if (item->raw_seq <= m->trim_to)
			is_changed |= trim(h, item, message);
	}
	return is_changed;
}

/* -- marks -- */

const struct prune_mark *history_mark(const struct history *h)
{
	return &h->mark;
}

int64_t history_replied_at(const struct history *h)
{
	return h->replied_at;
}

int64_t history_old_until(const struct history *h)
{
	int replies = 0;

	for (size_t i = h->items.len; i-- > 0;)
		if (h->items.at[i].is_reply && ++replies == REPLIES_KEPT)
			return h->items.at[i].raw_seq - 1;
	return 0;
}

int64_t history_prunable_bytes(const struct history *h, const struct prune_mark *m)
{
	const struct json *message = json_first(h->messages);
	int64_t sum = 0;

	for (size_t i = 0; i < h->items.len; i++, message = message->next) {
		const struct json *text = only_text(message);

		if (h->items.at[i].raw_seq <= m->trim_to && is_result(message) && !is_kept(m, message) && text &&
		    !str_eq(json_str(text), m->placeholder))
			sum += (int64_t)text->len;
	}
	return sum;
}

static void set_mark(struct history *h, const struct prune_mark *m)
{
	h->mark = (struct prune_mark){ .trim_to = m->trim_to, .clear_to = m->clear_to,
				       .placeholder = arena_strdup(h->arena, m->placeholder),
				       .keep = m->keep ? json_clone(h->arena, m->keep) : NULL };
}

bool history_prune(struct history *h, const struct prune_mark *m)
{
	set_mark(h, m);
	return prune_results(h);
}

void history_render_mark(const struct prune_mark *m, struct buf *out)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kint(&w, "trimTo", m->trim_to);
	jw_kint(&w, "clearTo", m->clear_to);
	jw_kstr(&w, "placeholder", m->placeholder);
	if (m->keep)
		jw_kvalue(&w, "keep", m->keep);
	jw_end(&w);
}

void history_skip(struct history *h, int64_t raw_seq)
{
	if (raw_seq == h->raw_seq + 1)
		h->raw_seq = raw_seq;
	else
		h->is_stale = true;
}

ch_status history_read_mark(struct history *h, struct sess *s, struct ch_err *err)
{
	struct tr_entry e;
	struct json *v;
	ch_status st = tr_hidden(s->store, s->session_id, TR_PRUNE, h->arena, &e, err);

	if (st == CH_E_NOT_FOUND)
		return CH_OK;
	if (!st)
		st = json_parse(h->arena, e.message, e.message_len, JSON_STRICT, &v, err);
	if (st)
		return st;
	h->mark = (struct prune_mark){ .trim_to = json_get_int(v, "trimTo", 0), .clear_to = json_get_int(v, "clearTo", 0),
				       .placeholder = json_str_or(json_get(v, "placeholder"), ""),
				       .keep = json_get(v, "keep") };
	h->raw_seq = CH_MAX(h->raw_seq, e.raw_seq);
	return CH_OK;
}

void history_apply(struct history *h)
{
	struct json *message = json_first(h->messages);
	size_t until = images_from(h);

	for (size_t i = 0; i < until; i++, message = message->next)
		drop_images(h, &h->items.at[i], message);
	if (h->mark.trim_to || h->mark.clear_to)
		prune_results(h);
}
