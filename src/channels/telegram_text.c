/*
 * channels/telegram_text.c - text with entities (Bot API: MessageEntity) as a person would write it down.
 *
 * Entities count in UTF-16 units, our text is UTF-8. Both are walked once, side by side: entities come sorted by offset. Those
 * that lie outside the text or inside a character are left out; nested ones (a link within bold) each do their own.
 * Only what carries meaning is written: the target of a link, the id behind a name without username.
 */
#include "channels/telegram.h"

#include "core/str.h"

#define ENTITIES_MAX 256                 /* Telegram itself allows 100 */
#define LINK_MAX 2048

struct mark {
	const struct json *entity;
	int64_t begin, end;              /* UTF-16 */
	size_t begin_byte, end_byte;     /* set once found; is_placed says so */
	bool is_placed;
};

static const char *type_of(const struct mark *m)
{
	return json_str_or(json_get(m->entity, "type"), "");
}

/* Finds the bytes of all marks in one walk each; n is small and the text bounded, marks are few. */
static void place(struct mark *m, const char *text, size_t len)
{
	int64_t unit = 0;
	size_t at = 0;
	bool has_begin = false;

	while (at <= len) {
		uint32_t cp = 0;
		size_t n;

		if (unit == m->begin) {
			m->begin_byte = at;
			has_begin = true;
		}
		if (unit == m->end) {
			m->end_byte = at;
			m->is_placed = has_begin;
			return;
		}
		n = at < len ? utf8_decode(text + at, len - at, &cp) : 0;
		if (!n || unit > m->end)
			return;
		unit += cp > 0xffff ? 2 : 1;
		at += n;
	}
}

static size_t read_marks(const struct json *entities, const char *text, size_t len, struct mark *marks)
{
	size_t n = 0;

	json_each(e, entities) {
		int64_t offset = json_get_int(e, "offset", -1), length = json_get_int(e, "length", 0);

		if (n == ENTITIES_MAX)
			break;
		if (offset < 0 || length <= 0 || offset > CHAN_TEXT_MAX || length > CHAN_TEXT_MAX)
			continue;
		marks[n] = (struct mark){ .entity = e, .begin = offset, .end = offset + length };
		place(&marks[n], text, len);
		n += marks[n].is_placed;
	}
	return n;
}

static bool is_our_name(const char *name, size_t len, const struct tg_me *me)
{
	return me->username && strlen(me->username) == len && strncasecmp(name, me->username, len) == 0;
}

/* Does it address us, or somebody else? */
static void judge(const struct mark *m, const char *text, const struct tg_me *me, struct arena *a, struct tg_text *ret)
{
	const char *s = text + m->begin_byte;
	size_t n = m->end_byte - m->begin_byte;
	const char *type = type_of(m);
	const char *at;

	if (str_eq(type, "mention") && n > 1) {
		if (is_our_name(s + 1, n - 1, me))
			ret->is_mentioned = true;
		else
			ret->mentions_others = true;
	} else if (str_eq(type, "text_mention")) {
		const char *id = tg_id(json_get(json_get(m->entity, "user"), "id"), a);

		if (id && str_eq(id, me->id))
			ret->is_mentioned = true;
		else
			ret->mentions_others = true;
	} else if (str_eq(type, "bot_command") && (at = memchr(s, '@', n))) {
		if (is_our_name(at + 1, (size_t)(s + n - at) - 1, me))
			ret->is_mentioned = true;
		else
			ret->mentions_others = true;
	}
}

/* What is put in before and after a mark's text; "/new@us" at the start of a text loses its suffix. */
static void write_begin(const struct mark *m, struct buf *out)
{
	const char *url = json_get_str(m->entity, "url");

	if (str_eq(type_of(m), "text_link") && url && strlen(url) <= LINK_MAX)
		buf_putc(out, '[');
}

static void write_end(const struct mark *m, struct arena *a, struct buf *out)
{
	const char *url = json_get_str(m->entity, "url");
	const char *id;

	if (str_eq(type_of(m), "text_link") && url && strlen(url) <= LINK_MAX) {
		buf_printf(out, "](%s)", url);
		return;
	}
	id = str_eq(type_of(m), "text_mention") ? tg_id(json_get(json_get(m->entity, "user"), "id"), a) : NULL;
	if (id)
		buf_printf(out, " (id:%s)", id);
}

/* Where "@us" of a leading command stands: [from, to); empty when there is none. */
static void find_suffix(const struct mark *marks, size_t n, const char *text, const struct tg_me *me, size_t *ret_from, size_t *ret_to)
{
	*ret_from = *ret_to = 0;
	for (size_t i = 0; i < n; i++) {
		const char *s = text + marks[i].begin_byte;
		size_t len = marks[i].end_byte - marks[i].begin_byte;
		const char *at = marks[i].begin_byte == 0 && str_eq(type_of(&marks[i]), "bot_command") ? memchr(s, '@', len) : NULL;

		if (at && is_our_name(at + 1, (size_t)(s + len - at) - 1, me)) {
			*ret_from = (size_t)(at - text);
			*ret_to = marks[i].end_byte;
		}
	}
}

static const char *write_text(const char *text, size_t len, const struct mark *marks, size_t n, const struct tg_me *me, struct arena *a)
{
	CH_AUTO_BUF struct buf out = { 0 };
	size_t skip_from, skip_to;

	buf_init(&out, 2 * CHAN_TEXT_MAX);
	find_suffix(marks, n, text, me, &skip_from, &skip_to);
	for (size_t at = 0; at <= len; at++) {
		for (size_t i = n; i-- > 0;)             /* inner marks end first */
			if (marks[i].end_byte == at)
				write_end(&marks[i], a, &out);
		for (size_t i = 0; i < n; i++)
			if (marks[i].begin_byte == at)
				write_begin(&marks[i], &out);
		if (at < len && !(at >= skip_from && at < skip_to))
			buf_putc(&out, text[at]);
	}
	return out.failed ? arena_strndup(a, text, len) : arena_strndup(a, out.data ? out.data : "", out.len);
}

void tg_text_read(const char *text, size_t len, const struct json *entities, const struct tg_me *me, struct arena *a,
		  struct tg_text *ret)
{
	size_t count = CH_MIN(json_len(entities), (size_t)ENTITIES_MAX);
	struct mark *marks = arena_alloc(a, (count + 1) * sizeof(*marks));
	size_t n;

	*ret = (struct tg_text){ 0 };
	len = strlen(text) < len ? strlen(text) : len;   /* a NUL in it ends it */
	len = utf8_cut(text, len, CHAN_TEXT_MAX);
	n = count ? read_marks(entities, text, len, marks) : 0;
	for (size_t i = 0; i < n; i++)
		judge(&marks[i], text, me, a, ret);
	ret->text = n ? write_text(text, len, marks, n, me, a) : arena_strndup(a, text, len);
}
