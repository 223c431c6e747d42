/*
 * channels/render_flavour.c - what of an author's styles a network can show.
 *
 * Telegram  code holds no other style, and none holds code; a link shows before code.
 * Slack     a mark counts only between a word's edge and the text it is at: what would be read as stars is shown without. There
 *           is no way to write a star that is none. A link is one line's: its address comes again on each, if that is not too much.
 * Discord   marks can be escaped; code cannot hold a fence.
 */
#include "channels/render_pen.h"

#include <string.h>

#include "core/str.h"

static unsigned styles_of(enum chan_flavour flavour)
{
	switch (flavour) {
	case CHAN_TELEGRAM_HTML:
	case CHAN_DISCORD_MD:
		return MD_BOLD | MD_ITALIC | MD_UNDER | MD_STRIKE | MD_SPOILER | MD_CODE | MD_LINK;
	case CHAN_SLACK_MRKDWN:
		return MD_BOLD | MD_ITALIC | MD_STRIKE | MD_CODE | MD_LINK;
	default:
		return 0;
	}
}

/* -- Slack and Discord: marks that would not be read as such are left out -- */

static char mark_of(unsigned style)
{
	return style == MD_BOLD ? '*' : style == MD_ITALIC ? '_' : '~';
}

/* White space or punctuation: a mark beside it counts. */
static bool is_edge(uint32_t cp)
{
	if (cp < 0x80)
		return !((cp | 32) - 'a' < 26u || cp - '0' < 10u || cp == '_' || cp == '*' || cp == '~' || cp == '`');
	return (cp >= 0x2000 && cp < 0x2070) || (cp >= 0x3000 && cp < 0x3040) || (cp >= 0xff00 && cp < 0xff10) || cp == 0xa0;
}

static uint32_t char_before(const struct md_doc *doc, const struct md_block *b, uint32_t at)
{
	uint32_t cp = ' ', i = at;

	while (i > b->at && ((unsigned char)doc->text.data[i - 1] & 0xc0) == 0x80)
		i--;
	if (i > b->at)
		utf8_decode(doc->text.data + i - 1, at - i + 1, &cp);
	return cp;
}

static uint32_t char_after(const struct md_doc *doc, const struct md_block *b, uint32_t at)
{
	uint32_t cp = ' ';

	if (at < b->at + b->len)
		utf8_decode(doc->text.data + at, b->at + b->len - at, &cp);
	return cp;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

/* Would Slack read marks around these bytes? */
static bool slack_reads(const struct md_doc *doc, const struct md_block *b, unsigned style, uint32_t from, uint32_t to)
{
	const char *text = doc->text.data;

	return !is_blank(text[from]) && !is_blank(text[to - 1]) && !memchr(text + from, mark_of(style), to - from) &&
	       is_edge(char_before(doc, b, from)) && is_edge(char_after(doc, b, to));
}

static bool discord_reads(const struct md_doc *doc, uint32_t from, uint32_t to)
{
	return !is_blank(doc->text.data[from]) && !is_blank(doc->text.data[to - 1]);
}

/* Each stretch of runs that have the style is shown in it or not. */
static void check_stretches(struct md_doc *doc, const struct md_block *b, enum chan_flavour flavour, unsigned style)
{
	for (size_t i = b->run, end; i < b->run + b->runs; i = end) {
		struct md_run *r = &doc->runs.at[i], *last;
		uint32_t to;

		end = i + 1;
		if (!(r->shown & style))
			continue;
		while (end < b->run + b->runs && doc->runs.at[end].shown & style)
			end++;
		last = &doc->runs.at[end - 1];
		to = last->at + last->len;
		if (flavour == CHAN_SLACK_MRKDWN ? slack_reads(doc, b, style, r->at, to) : discord_reads(doc, r->at, to))
			continue;
		for (size_t k = i; k < end; k++)
			doc->runs.at[k].shown &= (uint16_t)~style;
	}
}

/* -- -- */

static bool holds(const struct md_doc *doc, uint32_t at, uint32_t len, const char *what)
{
	return memmem(doc->text.data + at, len, what, strlen(what)) != NULL;
}

static uint16_t shown_of(const struct md_doc *doc, const struct md_block *b, const struct md_run *r, enum chan_flavour flavour)
{
	unsigned shown = r->style;
	bool is_link = r->style & MD_LINK && r->link >= 0 && doc->links.at[r->link].is_shown;

	if (b->kind == MD_CODE_BLOCK)
		return 0;
	if (r->style & (MD_TAIL | MD_MARK))
		is_link = false;
	if (b->kind == MD_HEADING && (flavour != CHAN_DISCORD_MD || b->level > 3))
		shown |= MD_BOLD;
	shown &= styles_of(flavour);
	if (!is_link)
		shown &= ~(unsigned)MD_LINK;
	if (!(shown & MD_CODE))
		return (uint16_t)shown;
	if (flavour == CHAN_TELEGRAM_HTML)
		return shown & MD_LINK ? (uint16_t)(shown & ~(unsigned)MD_CODE) : MD_CODE;
	if (memchr(doc->text.data + r->at, '\n', r->len) || memchr(doc->text.data + r->at, '`', r->len))
		shown &= ~(unsigned)MD_CODE;
	return (uint16_t)shown;
}

static uint32_t line_ends_of(const char *s, size_t n)
{
	uint32_t count = 0;

	for (const char *end = s + n; (s = memchr(s, '\n', (size_t)(end - s))); s++)
		count++;
	return count;
}

/* Bare addresses are left to the network, but for Slack, which wants them marked; Discord shows no link whose text is an address. */
static void check_links(struct md_doc *doc, enum chan_flavour flavour, size_t url_max)
{
	for (size_t i = 0; i < doc->links.len; i++) {
		struct md_link *l = &doc->links.at[i];

		if (flavour != CHAN_SLACK_MRKDWN && l->is_bare)
			l->is_shown = false;
		if (strlen(l->url) > url_max || flavour == CHAN_PLAIN)
			l->is_shown = false;
		if (flavour == CHAN_DISCORD_MD && str_starts(l->url, "mailto:"))
			l->is_shown = false;
	}
	if (flavour != CHAN_DISCORD_MD && flavour != CHAN_SLACK_MRKDWN)
		return;
	for (size_t i = 0; i < doc->runs.len; i++) {
		const struct md_run *r = &doc->runs.at[i];
		struct md_link *l = r->style & MD_LINK && r->link >= 0 && !(r->style & MD_TAIL) ? &doc->links.at[r->link] : NULL;

		if (!l)
			continue;
		l->line_ends += line_ends_of(doc->text.data + r->at, r->len);
		if (flavour == CHAN_SLACK_MRKDWN ? l->line_ends * strlen(l->url) > url_max
						 : l->line_ends || holds(doc, r->at, r->len, "://"))
			l->is_shown = false;
	}
}

void render_flavour(struct md_doc *doc, enum chan_flavour flavour, size_t url_max)
{
	static const unsigned marks[] = { MD_BOLD, MD_ITALIC, MD_UNDER, MD_STRIKE };

	check_links(doc, flavour, url_max);
	for (size_t i = 0; i < doc->blocks.len; i++) {
		struct md_block *b = &doc->blocks.at[i];

		if (b->kind == MD_CODE_BLOCK && (flavour == CHAN_SLACK_MRKDWN || flavour == CHAN_DISCORD_MD) &&
		    holds(doc, b->at, b->len, "```"))
			b->kind = MD_PARA;
		for (size_t k = b->run; k < b->run + b->runs; k++) {
			struct md_run *r = &doc->runs.at[k];

			r->shown = shown_of(doc, b, r, flavour);
			r->is_hidden = r->style & MD_TAIL ? doc->links.at[r->link].is_shown :
				       r->style & MD_MARK && styles_of(flavour) & MD_SPOILER;
		}
		for (size_t k = 0; k < CH_ARRAY_LEN(marks); k++)
			if (flavour == CHAN_SLACK_MRKDWN || flavour == CHAN_DISCORD_MD)
				check_stretches(doc, b, flavour, marks[k]);
	}
}
