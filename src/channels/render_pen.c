/*
 * channels/render_pen.c - see render_pen.h: the marks and escapes of each flavour.
 *
 *	           bold   italic  strike  code   link             quote         fence
 *	Telegram   <b>    <i>     <s>     <code> <a href="u">t</a> <blockquote>  <pre>, <pre><code class="language-x">
 *	Slack      *      _       ~       `      <u|t>            "> " a line   ```
 *	Discord    **     *       ~~      `      [t](u)           "> " a line   ```x
 *	plain      -      -       -       -      t (u)            "> "          -
 *
 * Slack and Discord read marks line by line, so every line end closes and opens them.
 */
#include "channels/render_pen.h"

#include <string.h>

#include "core/num.h"
#include "core/str.h"

struct mark { char open[13], close[14]; };

/* In the order of the bits of enum md_style, up to MD_CODE. */
static const struct mark marks[][6] = {
	[CHAN_TELEGRAM_HTML] = { { "<b>", "</b>" }, { "<i>", "</i>" }, { "<u>", "</u>" }, { "<s>", "</s>" },
				 { "<tg-spoiler>", "</tg-spoiler>" }, { "<code>", "</code>" } },
	[CHAN_SLACK_MRKDWN] = { { "*", "*" }, { "_", "_" }, { "", "" }, { "~", "~" }, { "", "" }, { "`", "`" } },
	[CHAN_DISCORD_MD] = { { "**", "**" }, { "*", "*" }, { "__", "__" }, { "~~", "~~" }, { "||", "||" }, { "`", "`" } },
};

/* -- putting -- */

static void put(struct pen *p, const char *s, size_t n)
{
	if (!n)
		return;
	if (p->out)
		buf_append(p->out, s, n);
	p->used += render_len(s, n, p->unit);
	p->at_line_start = false;
}

static void puts_mark(struct pen *p, const char *s)
{
	put(p, s, strlen(s));
}

static bool is_marked(const struct pen *p)
{
	return p->flavour == CHAN_SLACK_MRKDWN || p->flavour == CHAN_DISCORD_MD;
}

void pen_init(struct pen *p, enum chan_flavour flavour, enum chan_unit unit, const struct md_doc *doc, struct buf *out)
{
	*p = (struct pen){ .flavour = flavour, .unit = unit, .doc = doc, .out = out, .max = SIZE_MAX, .open_link = -1, .at_line_start = true };
}

bool pen_fits(const struct pen *p, int lines_to_come)
{
	return p->used + p->closing <= p->max && (p->lines_max <= 0 || p->lines + lines_to_come < p->lines_max);
}

/* -- links -- */

/* Discord's link ends at a parenthesis; markup has "&" of its own. */
static void put_url(struct pen *p, const char *url)
{
	const char *special = p->flavour == CHAN_DISCORD_MD ? "()" : "&";
	size_t n;

	for (; *url; url += n + (url[n] != '\0')) {
		n = strcspn(url, special);
		put(p, url, n);
		if (url[n])
			puts_mark(p, url[n] == '&' ? "&amp;" : url[n] == '(' ? "%28" : "%29");
	}
}

static bool is_own_text(const struct pen *p, const struct md_link *l)
{
	return l->is_bare && p->flavour == CHAN_SLACK_MRKDWN && !str_starts(l->url, "mailto:") && !str_starts(l->url, "http://www.");
}

static void put_link_open(struct pen *p, const struct md_link *l)
{
	puts_mark(p, p->flavour == CHAN_TELEGRAM_HTML ? "<a href=\"" : p->flavour == CHAN_SLACK_MRKDWN ? "<" : "[");
	if (p->flavour == CHAN_DISCORD_MD || is_own_text(p, l))
		return;
	put_url(p, l->url);
	puts_mark(p, p->flavour == CHAN_TELEGRAM_HTML ? "\">" : "|");
}

static void put_link_close(struct pen *p, const struct md_link *l)
{
	if (p->flavour == CHAN_DISCORD_MD) {
		puts_mark(p, "](");
		put_url(p, l->url);
		puts_mark(p, ")");
	} else {
		puts_mark(p, p->flavour == CHAN_TELEGRAM_HTML ? "</a>" : ">");
	}
}

/* -- styles: a stack -- */

static int index_of(unsigned style)
{
	return __builtin_ctz(style);
}

static void put_style(struct pen *p, unsigned style, bool is_open)
{
	if (style == MD_LINK) {
		const struct md_link *l = &p->doc->links.at[p->open_link];

		if (is_open)
			put_link_open(p, l);
		else
			put_link_close(p, l);
	} else {
		const struct mark *m = &marks[p->flavour][index_of(style)];

		puts_mark(p, is_open ? m->open : m->close);
	}
}

size_t pen_marks_len(enum chan_flavour flavour, unsigned styles)
{
	size_t len = 0;

	for (int i = 0; i < 6 && flavour != CHAN_PLAIN; i++)
		if (styles & 1u << i)
			len += strlen(marks[flavour][i].open) + strlen(marks[flavour][i].close);
	return len;
}

/* What closing it would take, in units. */
static size_t cost_of_closing(const struct pen *p, unsigned style)
{
	struct pen dry;

	if (style != MD_LINK)
		return strlen(marks[p->flavour][index_of(style)].close);
	dry = *p;
	dry.out = NULL;
	put_style(&dry, style, false);
	return dry.used - p->used;
}

static void push_style(struct pen *p, unsigned style)
{
	put_style(p, style, true);
	p->open[p->depth++] = style;
	p->closing += cost_of_closing(p, style);
}

static void pop_style(struct pen *p)
{
	unsigned style = p->open[--p->depth];

	p->closing -= cost_of_closing(p, style);
	put_style(p, style, false);
	if (style == MD_LINK)
		p->open_link = -1;
}

static void pop_all(struct pen *p)
{
	while (p->depth)
		pop_style(p);
}

/* Of several styles that begin with run i, the one that lasts longest goes outermost. Looks a few runs ahead. */
static unsigned outermost(const struct pen *p, const struct md_block *b, size_t i, unsigned styles)
{
	size_t last = CH_MIN(b->run + b->runs, i + 32);

	for (size_t k = i + 1; k < last && styles & (styles - 1); k++) {
		const struct md_run *r = &p->doc->runs.at[k];

		if (r->is_hidden)
			continue;
		if (!(r->shown & styles))
			break;
		styles &= r->shown;
	}
	return styles & -styles;
}

static void set_styles(struct pen *p, const struct md_block *b, size_t i)
{
	const struct md_run *r = &p->doc->runs.at[i];
	unsigned want = p->flavour == CHAN_PLAIN ? 0 : r->shown & (MD_LINK | (MD_LINK - 1)), have = 0;
	int keep = 0;

	while (keep < p->depth && p->open[keep] & want && (p->open[keep] != MD_LINK || p->open_link == r->link) &&
	       (p->open[keep] != MD_CODE || want == (have | MD_CODE)))
		have |= p->open[keep++];
	while (p->depth > keep)
		pop_style(p);
	for (want &= ~have; want; ) {
		unsigned next = outermost(p, b, i, want);

		if (next == MD_CODE && want != MD_CODE)  /* code is literal inside: always innermost */
			next = (want & ~(unsigned)MD_CODE) & -(want & ~(unsigned)MD_CODE);
		if (next == MD_LINK)
			p->open_link = r->link;
		push_style(p, next);
		want &= ~next;
	}
}

/* -- lines -- */

static void put_spaces(struct pen *p, int n)
{
	static const char spaces[] = "                                ";

	for (; n > 0; n -= (int)sizeof(spaces) - 1)
		put(p, spaces, (size_t)CH_MIN(n, (int)sizeof(spaces) - 1));
}

static void put_line_end(struct pen *p)
{
	put(p, "\n", 1);
	p->lines++;
	p->at_line_start = true;
}

static void put_quote(struct pen *p, const struct md_block *b)
{
	if (b->is_quote && p->flavour != CHAN_TELEGRAM_HTML && b->kind != MD_CODE_BLOCK)
		puts_mark(p, "> ");
}

/* A line end within a block: what every line begins with comes again. */
static void put_next_line(struct pen *p, const struct md_block *b, size_t i)
{
	if (is_marked(p))
		pop_all(p);
	put_line_end(p);
	if (b->kind == MD_CODE_BLOCK)
		return;
	if (!p->is_fallback)
		put_quote(p, b);
	put_spaces(p, b->indent);
	p->at_line_start = true;
	if (is_marked(p))
		set_styles(p, b, i);
}

void pen_between(struct pen *p, const struct md_block *next)
{
	if (p->in_quote && !next->is_quote) {
		puts_mark(p, "</blockquote>");
		p->closing -= strlen("</blockquote>");
		p->in_quote = false;
	}
	put_line_end(p);
	if (next->is_tight)
		return;
	/* A quote goes on over its empty lines. */
	put_line_end(p);
}

/* -- blocks -- */

static void put_marker(struct pen *p, const struct md_block *b)
{
	char number[NUM_TEXT_LEN];

	switch (b->marker) {
	case MD_NO_MARKER:
		break;
	case MD_BULLET:
		puts_mark(p, p->flavour == CHAN_DISCORD_MD || p->flavour == CHAN_PLAIN ? "- " : "• ");
		break;
	case MD_NUMBER:
		put(p, number, num_format_i64(b->number, number));
		put(p, ". ", 2);
		break;
	case MD_TASK_OPEN:
		puts_mark(p, "☐ ");
		break;
	case MD_TASK_DONE:
		puts_mark(p, "☑ ");
		break;
	}
}

static const char *fence_close(const struct pen *p, const struct md_block *b)
{
	if (p->flavour == CHAN_TELEGRAM_HTML)
		return *b->lang ? "</code></pre>" : "</pre>";
	return is_marked(p) ? "\n```" : "";
}

static void open_fence(struct pen *p, const struct md_block *b)
{
	if (p->flavour == CHAN_TELEGRAM_HTML) {
		puts_mark(p, "<pre>");
		if (*b->lang) {
			puts_mark(p, "<code class=\"language-");
			puts_mark(p, b->lang);
			puts_mark(p, "\">");
		}
	} else if (is_marked(p)) {
		if (!p->at_line_start)
			put_line_end(p);
		puts_mark(p, "```");
		if (p->flavour == CHAN_DISCORD_MD)
			puts_mark(p, b->lang);
		put_line_end(p);
	} else if (!p->at_line_start) {
		put_line_end(p);
	}
	p->closing += render_len(fence_close(p, b), strlen(fence_close(p, b)), p->unit);
}

static void escape_text(struct pen *p, const char *s, size_t n, size_t avail, bool is_code);

/* The first lines of a table, again. */
static void put_head(struct pen *p, const struct md_block *b)
{
	const char *s = p->doc->text.data + b->at, *end = s + b->head;

	while (s < end) {
		const char *eol = memchr(s, '\n', (size_t)(end - s));
		size_t n = (size_t)((eol ? eol : end) - s);

		escape_text(p, s, n, n, true);
		put_line_end(p);
		s += n + 1;
	}
}

void pen_begin_block(struct pen *p, const struct md_block *b, bool is_rest)
{
	if (b->is_quote && !p->in_quote && p->flavour == CHAN_TELEGRAM_HTML) {
		puts_mark(p, "<blockquote>");
		p->in_quote = true;
		p->closing += strlen("</blockquote>");
	}
	put_quote(p, b);
	if (b->kind != MD_CODE_BLOCK || b->marker)
		put_spaces(p, b->marker && !is_rest ? b->outdent : b->indent);
	p->at_line_start = true;
	if (!is_rest)
		put_marker(p, b);
	if (b->kind == MD_HEADING && p->flavour == CHAN_DISCORD_MD && b->level <= 3) {
		put(p, "###", (size_t)b->level);
		put(p, " ", 1);
	}
	if (b->kind == MD_RULE)
		puts_mark(p, "———");
	if (b->kind != MD_CODE_BLOCK)
		return;
	open_fence(p, b);
	if (is_rest && b->head)
		put_head(p, b);
}

void pen_end_block(struct pen *p, const struct md_block *b)
{
	const char *fence = fence_close(p, b);

	pop_all(p);
	if (b->kind != MD_CODE_BLOCK)
		return;
	puts_mark(p, fence);
	p->lines += *fence == '\n';
	p->closing -= render_len(fence, strlen(fence), p->unit);
}

void pen_end(struct pen *p)
{
	pop_all(p);
	if (!p->in_quote)
		return;
	puts_mark(p, "</blockquote>");
	p->closing -= strlen("</blockquote>");
	p->in_quote = false;
}

/* -- text -- */

/* "<@U123>", "<#C123|name>": what Slack and Discord show as a name, said by its id. 0: it is none. */
static size_t mention_len(enum chan_flavour flavour, const char *s, size_t n)
{
	const char *end = n > 3 && s[0] == '<' ? memchr(s, '>', CH_MIN(n, 100)) : NULL;
	size_t i = 2;

	if (!end || (s[1] != '@' && s[1] != '#'))
		return 0;
	if (flavour == CHAN_SLACK_MRKDWN) {
		if (!strchr(s[1] == '@' ? "UW" : "CG", s[i]))
			return 0;
		while (s + i < end && ((s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9')))
			i++;
		return s + i == end && i > 4 ? i + 1 : 0;
	}
	while (s + i < end && s[i] >= '0' && s[i] <= '9')
		i++;
	return s + i == end && i > 6 ? i + 1 : 0;
}

/* "@everyone": Discord would ring all. */
static size_t ring_len(const char *s, size_t n)
{
	if (n >= 9 && !memcmp(s, "@everyone", 9))
		return 9;
	return n >= 5 && !memcmp(s, "@here", 5) ? 5 : 0;
}

size_t pen_atom(enum chan_flavour flavour, const char *s, size_t n)
{
	size_t mention = 0;
	uint32_t cp;

	if (flavour == CHAN_SLACK_MRKDWN || flavour == CHAN_DISCORD_MD)
		mention = mention_len(flavour, s, n);
	return mention ? mention : CH_MAX(utf8_decode(s, n, &cp), 1);
}

static bool is_wordy(char c)
{
	return (c | 32) - 'a' < 26u || c - '0' < 10u || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t';
}

/* Is this character one that Discord takes for a mark where it stands? Backslashes are put no more often than needed. */
static bool discord_escapes(const struct pen *p, const char *s, size_t n)
{
	char before = s > p->doc->text.data ? s[-1] : '\n', after = n > 1 ? s[1] : '\n';

	switch (*s) {
	case '`':
	case '\\':
		return true;
	case '*':
		return !(is_blank(before) && is_blank(after)) || p->at_line_start;
	case '_':
		return !(is_wordy(before) && is_wordy(after)) || before == '_' || after == '_';
	case '~':
	case '|':
		return before == *s || after == *s;
	case '[':
		return p->open_link >= 0;
	case ']':
		return p->open_link >= 0 || after == '(';
	case '#':
		return p->at_line_start && (after == '#' || is_blank(after));
	case '-':
		return p->at_line_start && (after == '#' || is_blank(after));
	case '+':
		return p->at_line_start && is_blank(after);
	case '>':
		return p->at_line_start;
	case '<':
		return n > 2 && strchr("@#:at/", after) != NULL;
	default:
		return false;
	}
}

#define OF_TELEGRAM (1 << CHAN_TELEGRAM_HTML)
#define OF_SLACK (1 << CHAN_SLACK_MRKDWN)
#define OF_DISCORD (1 << CHAN_DISCORD_MD)

/* Characters that are not written as they are, by flavour. */
static const unsigned char special[256] = {
	['<'] = OF_TELEGRAM | OF_SLACK | OF_DISCORD, ['>'] = OF_TELEGRAM | OF_SLACK | OF_DISCORD, ['&'] = OF_TELEGRAM | OF_SLACK,
	['"'] = OF_TELEGRAM, ['*'] = OF_DISCORD, ['_'] = OF_DISCORD, ['~'] = OF_DISCORD, ['`'] = OF_DISCORD, ['|'] = OF_DISCORD,
	['\\'] = OF_DISCORD, ['['] = OF_DISCORD, [']'] = OF_DISCORD, ['#'] = OF_DISCORD, ['-'] = OF_DISCORD, ['+'] = OF_DISCORD,
	['@'] = OF_DISCORD,
};

static void put_special(struct pen *p, const char *s, size_t n, size_t atom, bool is_code)
{
	if (p->flavour == CHAN_DISCORD_MD) {
		if (*s == '@' && !is_code && ring_len(s, (size_t)(p->block_end - s))) {
			/* A character without width after the sign: no name, and the same to the eye. */
			puts_mark(p, "@\xe2\x80\x8b");
			return;
		}
		if (!is_code && atom == 1 && discord_escapes(p, s, n))
			put(p, "\\", 1);
		put(p, s, atom);
		return;
	}
	is_code |= p->open_link >= 0;    /* neither holds a mention */
	if (atom > 1 && !is_code)
		put(p, s, atom);
	else if (*s == '&')
		puts_mark(p, "&amp;");
	else if (*s == '<')
		puts_mark(p, "&lt;");
	else if (*s == '>')
		puts_mark(p, "&gt;");
	else
		puts_mark(p, p->flavour == CHAN_TELEGRAM_HTML ? "&quot;" : "\"");
	/* The rest of what would have been a mention holds nothing special but its end. */
	if (atom > 1 && is_code) {
		put(p, s + 1, atom - 2);
		puts_mark(p, "&gt;");
	}
}

/* A line, or a piece of one; of `avail` bytes that could be looked at. */
static void escape_text(struct pen *p, const char *s, size_t n, size_t avail, bool is_code)
{
	const unsigned char here = (unsigned char)(1 << p->flavour);
	size_t i = 0;

	while (i < n && p->used <= p->max) {
		size_t from = i, atom;

		while (i < n && !(special[(unsigned char)s[i]] & here))
			i++;
		put(p, s + from, i - from);
		if (i == n)
			break;
		atom = CH_MIN(pen_atom(p->flavour, s + i, avail - i), n - i);
		put_special(p, s + i, avail - i, atom, is_code);
		i += atom;
	}
}

/* An address for Discord: no escapes, which would be part of it, and nobody rung. */
static void put_address(struct pen *p, const struct md_run *r, const char *s, size_t n)
{
	bool is_web = r->link >= 0 && str_starts(p->doc->links.at[r->link].url, "http");

	for (size_t i = 0, from = 0; i <= n; i++) {
		if (i < n && (s[i] != '@' || !ring_len(s + i, (size_t)(p->block_end - s) - i)))
			continue;
		put(p, s + from, i - from);
		if (i < n)
			puts_mark(p, is_web ? "%40" : "@\xe2\x80\x8b");
		from = i + 1;
	}
}

void pen_text(struct pen *p, const struct md_block *b, size_t i, uint32_t from, uint32_t to)
{
	const struct md_run *r = &p->doc->runs.at[i];
	const char *s = p->doc->text.data + from, *end = p->doc->text.data + to, *run_end = p->doc->text.data + r->at + r->len;
	bool is_code = b->kind == MD_CODE_BLOCK || r->shown & MD_CODE;
	bool is_address = r->style & (MD_TAIL | MD_MARK) || (r->style & MD_LINK && r->link >= 0 && p->doc->links.at[r->link].is_bare);

	if (p->flavour != CHAN_PLAIN && r->is_hidden)
		return;
	p->block_end = p->doc->text.data + b->at + b->len;
	set_styles(p, b, i);
	while (s < end && p->used <= p->max) {
		const char *eol = memchr(s, '\n', (size_t)(end - s)), *line_end = eol ? eol : end;

		if (p->flavour == CHAN_PLAIN)
			put(p, s, (size_t)(line_end - s));
		else if (is_address && p->flavour == CHAN_DISCORD_MD)
			put_address(p, r, s, (size_t)(line_end - s));
		else
			escape_text(p, s, (size_t)(line_end - s), (size_t)(run_end - s), is_code);
		if (eol)
			put_next_line(p, b, i);
		s = line_end + (eol != NULL);
	}
}
