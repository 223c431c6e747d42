/*
 * channels/slack_blocks.c - a text with buttons as Block Kit: sections of mrkdwn, then rows of buttons.
 *
 * A section takes 3,000 characters, a row 25 buttons, a message 50 blocks. A text is cut between lines; a code fence that a
 * cut falls into is closed and opened again.
 */
#include "channels/slack.h"

#include <string.h>

#include "core/str.h"

#define SECTION_BYTES 2900               /* below 3,000 characters, with room for a fence */
#define SECTIONS_MAX 20
#define BUTTON_TEXT_BYTES 75             /* characters, and so at least as many bytes */

static void put_section(struct jw *w, const char *text, size_t len, bool opens_fence, bool closes_fence)
{
	CH_AUTO_BUF struct buf b = { .max_bytes = 4096 };

	if (opens_fence)
		buf_puts(&b, "```\n");
	buf_append(&b, text, len);
	if (closes_fence)
		buf_puts(&b, "\n```");
	jw_obj(w);
	jw_kstr(w, "type", "section");
	jw_kobj(w, "text");
	jw_kstr(w, "type", "mrkdwn");
	jw_kstr(w, "text", buf_str(&b));
	jw_end(w);
	jw_end(w);
}

/* Where to cut at most max bytes: after a line, else between characters. */
static size_t cut_at(const char *text, size_t len, size_t max)
{
	size_t n = utf8_cut(text, len, max);

	if (n == len)
		return n;
	for (size_t i = n; i > n / 2; i--)
		if (text[i - 1] == '\n')
			return i;
	return n;
}

static bool toggles_fence(const char *text, size_t len)
{
	bool is_odd = false;

	for (size_t i = 0; i + 2 < len; i++)
		if (!memcmp(text + i, "```", 3)) {
			is_odd = !is_odd;
			i += 2;
		}
	return is_odd;
}

static void put_text(struct jw *w, const char *text)
{
	size_t len = text ? strlen(text) : 0;
	bool in_fence = false;

	for (int i = 0; len && i < SECTIONS_MAX; i++) {
		const size_t n = cut_at(text, len, SECTION_BYTES);
		const bool was_in = in_fence;

		in_fence = in_fence != toggles_fence(text, n);
		put_section(w, text, n, was_in, in_fence && n < len);
		text += n;
		len -= n;
	}
}

static void put_button(struct jw *w, const struct chan_button *b, size_t index)
{
	char id[sizeof(SLACK_ACTION_PREFIX) + 24];

	snprintf(id, sizeof(id), "%s%zu", SLACK_ACTION_PREFIX, index);
	jw_obj(w);
	jw_kstr(w, "type", "button");
	jw_kstr(w, "action_id", id);
	jw_kobj(w, "text");
	jw_kstr(w, "type", "plain_text");
	jw_key(w, "text");
	jw_strn(w, b->text, utf8_cut(b->text, strlen(b->text), BUTTON_TEXT_BYTES));
	jw_kbool(w, "emoji", true);
	jw_end(w);
	if (b->url)
		jw_kstr(w, "url", b->url);
	else
		jw_kstr(w, "value", b->data);
	if (b->style == CHAN_BUTTON_PRIMARY)
		jw_kstr(w, "style", "primary");
	else if (b->style == CHAN_BUTTON_DANGER)
		jw_kstr(w, "style", "danger");
	jw_end(w);
}

void slack_blocks_write(struct buf *out, const char *text, const struct chan_button *buttons, size_t count)
{
	struct jw w = JW(out);

	jw_arr(&w);
	put_text(&w, text);
	for (size_t i = 0; i < count; ) {
		jw_obj(&w);
		jw_kstr(&w, "type", "actions");
		jw_karr(&w, "elements");
		do
			put_button(&w, &buttons[i], i);
		while (!buttons[i++].ends_row && i < count);
		jw_end(&w);
		jw_end(&w);
	}
	jw_end(&w);
}
