/*
 * channels/md.c - see md.h: what md4c tells, made a flat list.
 *
 * Whether an empty line stands before a block is what the source says, not what kind of list it is in: md4c's texts point into
 * the source, so that the gap between two of them can be looked at.
 */
#include "channels/md.h"

#include <string.h>

#include "channels/md_api.h"
#include "core/str.h"

#define FLAGS (MD_FLAG_PERMISSIVEAUTOLINKS | MD_FLAG_STRIKETHROUGH | MD_FLAG_TASKLISTS | MD_FLAG_NOHTMLBLOCKS)
#define STYLES 6                         /* those that have a bit below MD_LINK */

struct list { bool is_ordered; unsigned next; int width; };

struct reader {
	struct md_doc *doc;
	const char *source;
	size_t len, budget;
	enum render_tables tables;
	struct md_block open;
	bool is_open, is_untouched;      /* a block is open; no text of it was seen */
	struct list lists[RENDER_DEPTH_MAX];
	int depth, nesting, quotes;
	bool has_marker;                 /* of the item whose first block comes next */
	enum md_marker marker;
	unsigned number;
	int styles[STYLES], html[STYLES];        /* how often each is open, by Markdown and by tags */
	unsigned style;                  /* those that are open */
	int links, link;                 /* how many are open; the outermost */
	struct buf url;                  /* of the link that is being opened */
	uint32_t link_at;
	const char *last_end;            /* of the text before, in the source */
	struct md_table table;
	bool in_cell;
};

/* -- building -- */

void md_doc_done(struct md_doc *doc)
{
	for (size_t i = 0; i < doc->links.len; i++)
		ch_free(doc->links.at[i].url);
	vec_done(&doc->links);
	vec_done(&doc->blocks);
	vec_done(&doc->runs);
	buf_done(&doc->text);
}

static bool is_shown_char(unsigned char c)
{
	return (c >= 0x20 && c != 0x7f) || c == '\n' || c == '\t';
}

void md_append(struct md_doc *doc, const char *text, size_t len, unsigned style, int link)
{
	struct md_run *last = doc->runs.len ? &doc->runs.at[doc->runs.len - 1] : NULL;
	uint32_t at = (uint32_t)doc->text.len;

	for (size_t i = 0, from = 0; from < len; from = ++i) {
		while (i < len && is_shown_char((unsigned char)text[i]))
			i++;
		buf_append(&doc->text, text + from, i - from);
	}
	if (doc->text.len == at)
		return;
	if (last && last->at + last->len == at && last->style == style && last->link == link) {
		last->len = (uint32_t)doc->text.len - last->at;
		return;
	}
	vec_push(&doc->runs, ((struct md_run){ .at = at, .len = (uint32_t)doc->text.len - at, .style = (uint16_t)style, .link = link }));
}

void md_begin(struct md_doc *doc, struct md_block *b)
{
	b->at = (uint32_t)doc->text.len;
	b->run = doc->runs.len;
	/* A run never goes on over the end of a block. */
	buf_putc(&doc->text, '\n');
	b->at++;
}

void md_end(struct md_doc *doc, struct md_block *b)
{
	b->len = (uint32_t)doc->text.len - b->at;
	b->runs = doc->runs.len - b->run;
	vec_push(&doc->blocks, *b);
}

/* -- spoilers: md4c does not know "||" -- */

/* The next "||" of the block outside code and links. */
static bool next_mark(const struct md_doc *doc, const struct md_block *b, size_t run, uint32_t from, size_t *ret_run, uint32_t *ret_at)
{
	for (size_t i = run; i < b->run + b->runs; i++) {
		const struct md_run *r = &doc->runs.at[i];
		uint32_t start = CH_MAX(r->at, from);
		const char *found;

		if (r->style & (MD_CODE | MD_LINK) || start >= r->at + r->len)
			continue;
		found = memmem(doc->text.data + start, r->at + r->len - start, "||", 2);
		if (!found)
			continue;
		*ret_run = i;
		*ret_at = (uint32_t)(found - doc->text.data);
		return true;
	}
	return false;
}

/* [at, end) of a run becomes a run of its own behind the block's. */
static void push_piece(struct md_doc *doc, size_t run, uint32_t at, uint32_t end, unsigned style)
{
	struct md_run r = doc->runs.at[run];

	if (at >= end)
		return;
	r.at = at;
	r.len = end - at;
	r.style |= (uint16_t)style;
	vec_push(&doc->runs, r);
}

static void find_spoilers(struct md_doc *doc, struct md_block *b)
{
	size_t first_new = doc->runs.len, open_run, close_run, run = b->run, end_run = b->run + b->runs;
	uint32_t open, close, from = b->at;

	if (b->kind == MD_CODE_BLOCK || !memchr(doc->text.data + b->at, '|', b->len) ||
	    !next_mark(doc, b, run, from, &open_run, &open))
		return;
	while (next_mark(doc, b, run, from, &open_run, &open) && next_mark(doc, b, open_run, open + 2, &close_run, &close)) {
		if (close == open + 2) /* "||||" hides nothing */
			break;
		for (size_t i = run; i <= close_run; i++) {
			const uint32_t at = CH_MAX(doc->runs.at[i].at, from), end = doc->runs.at[i].at + doc->runs.at[i].len;

			push_piece(doc, i, at, CH_MIN(end, open), 0);
			if (i == open_run)
				push_piece(doc, i, open, open + 2, MD_MARK);
			push_piece(doc, i, CH_MAX(at, open + 2), CH_MIN(end, close), MD_SPOILER);
			if (i == close_run)
				push_piece(doc, i, close, close + 2, MD_MARK);
		}
		run = close_run;
		from = close + 2;
	}
	for (size_t i = run; i < end_run; i++)
		push_piece(doc, i, CH_MAX(doc->runs.at[i].at, from), doc->runs.at[i].at + doc->runs.at[i].len, 0);
	b->run = first_new;
	b->runs = doc->runs.len - first_new;
}

/* -- styles -- */

static void add_style(struct reader *r, int *counts, int style, int n)
{
	counts[style] += n;
	if (r->styles[style] + r->html[style] > 0)
		r->style |= 1u << style;
	else
		r->style &= ~(1u << style);
}

/* Tags that are not closed end with their block. */
static void close_tags(struct reader *r)
{
	for (int i = 0; i < STYLES; i++)
		if (r->html[i])
			add_style(r, r->html, i, -r->html[i]);
}

/* -- leaves -- */

static void close_leaf(struct reader *r)
{
	struct md_doc *doc = r->doc;
	struct md_block *b = &r->open;

	if (!r->is_open)
		return;
	r->is_open = false;
	close_tags(r);
	b->runs = doc->runs.len - b->run;
	while (b->kind == MD_CODE_BLOCK && doc->text.len > b->at && doc->text.data[doc->text.len - 1] == '\n') {
		buf_truncate(&doc->text, doc->text.len - 1);
		if (!--doc->runs.at[doc->runs.len - 1].len)
			doc->runs.len--;
	}
	b->len = (uint32_t)doc->text.len - b->at;
	b->runs = doc->runs.len - b->run;
	if (!b->len && !b->marker && b->kind != MD_RULE)
		return;
	find_spoilers(doc, b);
	vec_push(&doc->blocks, *b);
}

static int list_indent(const struct reader *r, int depth)
{
	int columns = 0;

	for (int i = 0; i < depth; i++)
		columns += r->lists[i].width;
	return columns;
}

/* Fields of a block that begins here: it takes the marker of its item. */
static struct md_block place(struct reader *r, enum md_kind kind)
{
	struct md_block b = { .kind = kind, .is_quote = r->quotes > 0, .indent = list_indent(r, r->depth) };

	if (r->has_marker) {
		r->has_marker = false;
		b.marker = r->marker;
		b.number = r->number;
		b.outdent = list_indent(r, r->depth - 1);
		b.is_tight = true;
	}
	return b;
}

static void open_leaf(struct reader *r, enum md_kind kind)
{
	close_leaf(r);
	r->open = place(r, kind);
	md_begin(r->doc, &r->open);
	r->is_open = r->is_untouched = true;
}

/* An item that has nothing of its own to carry its marker. */
static void spend_marker(struct reader *r)
{
	if (!r->has_marker)
		return;
	open_leaf(r, MD_PARA);
	close_leaf(r);
}

/* Is there an empty line (quote marks apart) between two places of the source? */
static bool has_gap(const char *from, const char *to)
{
	const char *line = memchr(from, '\n', (size_t)(to - from)), *p;

	while (line) {
		for (p = ++line; p < to && (*p == ' ' || *p == '\t' || *p == '>' || *p == '\r'); p++)
			;
		if (p < to && *p == '\n')
			return true;
		line = p < to ? memchr(p, '\n', (size_t)(to - p)) : NULL;
	}
	return false;
}

/* A text that md4c gave: where in the source it stands says how far it is from the one before. */
static void touch(struct reader *r, const char *text, size_t len)
{
	bool is_ours = text >= r->source && text + len <= r->source + r->len;

	if (r->is_open && r->is_untouched && is_ours) {
		r->is_untouched = false;
		r->open.is_tight = r->last_end && text >= r->last_end && !has_gap(r->last_end, text);
	}
	if (is_ours)
		r->last_end = text + len;
}

/* -- links -- */

/* Characters that no address has, and those that would end one in some flavour. */
static bool is_encoded(unsigned char c)
{
	switch (c) {
	case '<':
	case '>':
	case '"':
	case '`':
	case '|':
	case '\\':
	case '^':
	case '{':
	case '}':
	case 0x7f:
		return true;
	default:
		return c <= 0x20;
	}
}

static void put_address(struct buf *out, const char *s, size_t n)
{
	static const char hex[] = "0123456789ABCDEF";

	for (size_t i = 0, from = 0; i <= n; i++) {
		unsigned char c = i < n ? (unsigned char)s[i] : 0;
		char code[3] = { '%', hex[c >> 4], hex[c & 15] };

		if (i < n && !is_encoded(c))
			continue;
		buf_append(out, s + from, i - from);
		if (i < n)
			buf_append(out, code, sizeof(code));
		from = i + 1;
	}
}

static void put_attribute(struct buf *out, const MD_ATTRIBUTE *at)
{
	char decoded[8];

	for (size_t i = 0; at->text && at->substr_offsets[i] < at->size; i++) {
		const char *s = at->text + at->substr_offsets[i];
		size_t n = at->substr_offsets[i + 1] - at->substr_offsets[i];
		size_t of_entity = at->substr_types[i] == MD_TEXT_ENTITY ? md_entity(s, n, decoded) : 0;

		put_address(out, of_entity ? decoded : s, of_entity ? of_entity : n);
	}
}

static void open_link(struct reader *r, const MD_ATTRIBUTE *target)
{
	if (r->links++)
		return;
	buf_clear(&r->url);
	put_attribute(&r->url, target);
	vec_push(&r->doc->links, ((struct md_link){ .url = ch_strdup(buf_str(&r->url)) }));
	r->link = (int)r->doc->links.len - 1;
	r->link_at = (uint32_t)r->doc->text.len;
}

static bool is_linkable(const char *url)
{
	static const char schemes[][10] = { "http://", "https://", "tg://", "mailto:" };

	for (size_t i = 0; i < CH_ARRAY_LEN(schemes); i++)
		if (!strncasecmp(url, schemes[i], strlen(schemes[i])) && url[strlen(schemes[i])])
			return strlen(url) <= MD_URL_MAX;
	return false;
}

static bool is_same(const struct md_doc *doc, uint32_t at, const char *text)
{
	size_t n = doc->text.len - at;

	return n == strlen(text) && !memcmp(doc->text.data + at, text, n);
}

static void close_link(struct reader *r)
{
	struct md_doc *doc = r->doc;
	struct md_link *link = &doc->links.at[r->link];
	bool can_link = is_linkable(link->url);

	if (--r->links)
		return;
	if (doc->text.len == r->link_at)         /* no text: the address is it */
		md_append(doc, link->url, strlen(link->url), r->style | MD_LINK, r->link);
	link->is_bare = is_same(doc, r->link_at, link->url) ||
			(str_starts(link->url, "mailto:") && is_same(doc, r->link_at, link->url + strlen("mailto:"))) ||
			(str_starts(link->url, "http://www.") && is_same(doc, r->link_at, link->url + strlen("http://")));
	if (!link->is_bare && *link->url && *link->url != '#') {
		unsigned style = can_link ? MD_TAIL | MD_LINK : 0;

		md_append(doc, " (", 2, r->style | style, r->link);
		md_append(doc, link->url, strlen(link->url), r->style | style, r->link);
		md_append(doc, ")", 1, r->style | style, r->link);
	}
	link->is_shown = can_link;
	r->link = -1;
}

/* -- md4c's calls; what is below 0 ends the reading (md4c 0.4.8 goes on after others) -- */

#define END_READING (-1)

static int check_budget(const struct reader *r)
{
	bool is_past = r->doc->text.failed || r->doc->text.len > r->budget || r->doc->runs.len + r->table.cells.len > r->budget / 8;

	return is_past ? END_READING : 0;
}

static void open_item(struct reader *r, const MD_BLOCK_LI_DETAIL *d)
{
	struct list *l = &r->lists[r->depth - 1];

	close_leaf(r);
	r->depth--;
	spend_marker(r);
	r->depth++;
	r->has_marker = true;
	r->number = l->next;
	r->marker = d->is_task ? (d->task_mark == ' ' ? MD_TASK_OPEN : MD_TASK_DONE) : l->is_ordered ? MD_NUMBER : MD_BULLET;
	l->next += l->next < 999999999;
}

static int open_list(struct reader *r, bool is_ordered, unsigned start)
{
	close_leaf(r);
	if (r->depth >= RENDER_DEPTH_MAX)
		return END_READING;
	r->lists[r->depth++] = (struct list){ .is_ordered = is_ordered, .next = start, .width = is_ordered ? 3 : 2 };
	return 0;
}

static void open_code(struct reader *r, const MD_BLOCK_CODE_DETAIL *d)
{
	size_t n = 0;

	open_leaf(r, MD_CODE_BLOCK);
	for (size_t i = 0; i < d->lang.size && n < MD_LANG_MAX; i++) {
		unsigned char c = (unsigned char)d->lang.text[i];

		if ((c | 32) - 'a' < 26u || c - '0' < 10u || strchr("+-_#.", c))
			r->open.lang[n++] = (char)c;
		else
			break;
	}
	r->open.lang[n] = '\0';
}

static int on_enter_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
	struct reader *r = arg;

	if (++r->nesting > RENDER_DEPTH_MAX || check_budget(r))
		return END_READING;
	switch (type) {
	case MD_BLOCK_QUOTE:
		close_leaf(r);
		r->quotes++;
		break;
	case MD_BLOCK_UL:
		return open_list(r, false, 0);
	case MD_BLOCK_OL:
		return open_list(r, true, ((MD_BLOCK_OL_DETAIL *)detail)->start);
	case MD_BLOCK_LI:
		open_item(r, detail);
		break;
	case MD_BLOCK_HR:
		open_leaf(r, MD_RULE);
		break;
	case MD_BLOCK_H:
		open_leaf(r, MD_HEADING);
		r->open.level = (int)((MD_BLOCK_H_DETAIL *)detail)->level;
		break;
	case MD_BLOCK_CODE:
		open_code(r, detail);
		break;
	case MD_BLOCK_P:
		open_leaf(r, MD_PARA);
		break;
	case MD_BLOCK_TABLE:
		close_leaf(r);
		r->open = place(r, MD_CODE_BLOCK);
		r->table.cells.len = 0;
		r->table.columns = ((MD_BLOCK_TABLE_DETAIL *)detail)->col_count;
		break;
	case MD_BLOCK_TH:
	case MD_BLOCK_TD:
		r->in_cell = true;
		buf_putc(&r->doc->text, '\n');
		vec_push(&r->table.cells, ((struct md_cell){ .at = (uint32_t)r->doc->text.len, .run = r->doc->runs.len }));
		break;
	default:
		break;
	}
	return 0;
}

static int on_leave_block(MD_BLOCKTYPE type, void *detail, void *arg)
{
	struct reader *r = arg;
	struct md_cell *cell;

	r->nesting--;
	switch (type) {
	case MD_BLOCK_QUOTE:
		close_leaf(r);
		r->quotes--;
		break;
	case MD_BLOCK_UL:
	case MD_BLOCK_OL:
		close_leaf(r);
		r->depth--;
		break;
	case MD_BLOCK_LI:
		close_leaf(r);
		spend_marker(r);
		break;
	case MD_BLOCK_TH:
	case MD_BLOCK_TD:
		cell = &r->table.cells.at[r->table.cells.len - 1];
		cell->len = (uint32_t)r->doc->text.len - cell->at;
		cell->runs = r->doc->runs.len - cell->run;
		r->in_cell = false;
		close_tags(r);
		break;
	case MD_BLOCK_TABLE:
		if (check_budget(r))
			return END_READING;
		md_table_blocks(r->doc, &r->table, r->tables, &r->open);
		break;
	default:
		close_leaf(r);
		break;
	}
	return 0;
}

static int style_of_span(MD_SPANTYPE type)
{
	switch (type) {
	case MD_SPAN_EM:
		return 1;
	case MD_SPAN_STRONG:
		return 0;
	case MD_SPAN_DEL:
		return 3;
	case MD_SPAN_CODE:
		return 5;
	default:
		return -1;
	}
}

static int on_enter_span(MD_SPANTYPE type, void *detail, void *arg)
{
	struct reader *r = arg;
	int style = style_of_span(type);

	if (!r->is_open && !r->in_cell)
		open_leaf(r, MD_PARA);
	if (style >= 0)
		add_style(r, r->styles, style, 1);
	else if (type == MD_SPAN_A)
		open_link(r, &((MD_SPAN_A_DETAIL *)detail)->href);
	else if (type == MD_SPAN_IMG)
		open_link(r, &((MD_SPAN_IMG_DETAIL *)detail)->src);
	return check_budget(r);
}

static int on_leave_span(MD_SPANTYPE type, void *detail, void *arg)
{
	struct reader *r = arg;
	int style = style_of_span(type);

	if (style >= 0)
		add_style(r, r->styles, style, -1);
	else if (type == MD_SPAN_A || type == MD_SPAN_IMG)
		close_link(r);
	return 0;
}

/* A tag that says no more than Markdown does; false: it is shown as it is written. */
static bool take_tag(struct reader *r, const char *s, size_t n)
{
	static const struct { char name[8]; signed char style; } tags[] = {
		{ "b", 0 }, { "strong", 0 }, { "i", 1 }, { "em", 1 }, { "u", 2 }, { "ins", 2 }, { "s", 3 }, { "del", 3 },
		{ "strike", 3 }, { "br", -1 }, { "br/", -1 }, { "br /", -1 },
	};
	bool is_end = n > 2 && s[1] == '/';
	size_t len = n < 3 ? 0 : n - 2 - is_end;

	for (size_t i = 0; i < CH_ARRAY_LEN(tags); i++) {
		if (len != strlen(tags[i].name) || strncasecmp(s + 1 + is_end, tags[i].name, len) != 0)
			continue;
		if (tags[i].style < 0)
			md_append(r->doc, r->in_cell ? " " : "\n", 1, r->style | (r->links ? MD_LINK : 0), r->links ? r->link : -1);
		else if (!is_end)
			add_style(r, r->html, tags[i].style, 1);
		else if (r->html[tags[i].style] > 0)
			add_style(r, r->html, tags[i].style, -1);
		return true;
	}
	return false;
}

static int on_text(MD_TEXTTYPE type, const MD_CHAR *text, MD_SIZE size, void *arg)
{
	struct reader *r = arg;
	char decoded[8];
	size_t n = size, of_entity;

	if (!r->is_open && !r->in_cell)
		open_leaf(r, MD_PARA);
	touch(r, text, n);
	if (text >= r->source && text < r->source + r->len)
		n = CH_MIN(n, (size_t)(r->source + r->len - text));
	if (type == MD_TEXT_HTML && take_tag(r, text, n))
		return check_budget(r);
	if (type == MD_TEXT_BR || type == MD_TEXT_SOFTBR) {
		text = r->in_cell || r->styles[STYLES - 1] ? " " : "\n";   /* code is one line */
		n = 1;
	} else if (type == MD_TEXT_NULLCHAR) {
		text = "\xef\xbf\xbd";
		n = 3;
	} else if (type == MD_TEXT_ENTITY && (of_entity = md_entity(text, n, decoded)) > 0) {
		text = decoded;
		n = of_entity;
	}
	md_append(r->doc, text, n, r->style | (r->links ? MD_LINK : 0), r->links ? r->link : -1);
	return check_budget(r);
}

/* -- the whole -- */

/* Text that is not Markdown: paragraphs at empty lines. */
static void read_plain(struct md_doc *doc, const char *s, size_t len)
{
	const char *end = s + len;

	while (s < end) {
		struct md_block b = { .kind = MD_PARA };
		const char *gap = memmem(s, (size_t)(end - s), "\n\n", 2), *to = gap ? gap : end;

		while (s < to && (*s == '\n' || *s == '\r'))
			s++;
		while (s < to && strchr(" \t\r\n", to[-1]))
			to--;
		if (s < to) {
			md_begin(doc, &b);
			md_append(doc, s, (size_t)(to - s), 0, -1);
			md_end(doc, &b);
		}
		s = gap ? gap + 2 : end;
	}
}

/* s is as md_source() makes it. */
static int read_markdown(struct md_doc *doc, const char *s, size_t len, enum render_tables tables)
{
	__typeof__(&md_parse) parse = md_api_parse();
	struct reader r = { .doc = doc, .source = s, .len = len, .budget = len * MD_GROW + 4096, .tables = tables, .link = -1 };
	MD_PARSER parser = { .flags = FLAGS | (tables == RENDER_TABLES_OFF ? 0u : MD_FLAG_TABLES), .enter_block = on_enter_block,
			     .leave_block = on_leave_block, .enter_span = on_enter_span, .leave_span = on_leave_span,
			     .text = on_text };
	int failed;

	buf_init(&r.url, len * 3 + 16);
	failed = !parse || len > MD_IN_MAX || parse(s, (MD_SIZE)len, &parser, &r);
	vec_done(&r.table.cells);
	buf_done(&r.url);
	return failed;
}

ch_status md_read(struct md_doc *doc, const char *markdown, size_t len, enum render_tables tables, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	CH_AUTO_BUF struct buf source = { 0 };

	*doc = (struct md_doc){ .runs = VEC_INIT, .blocks = VEC_INIT, .links = VEC_INIT };
	if (!utf8_valid(markdown, len)) {
		a = arena_new(0);
		markdown = utf8_repair(a, markdown, len, &len);
		if (!markdown)
			return ch_fail(err, CH_E_NOMEM, "there is no memory to show a message");
	}
	buf_init(&source, len * 3 + 4096);
	md_source(&source, markdown, len);
	if (source.failed)
		return buf_status(&source, err, "a message");
	buf_init(&doc->text, source.len * (MD_GROW + 8) + 65536);
	if (read_markdown(doc, source.data, source.len, tables)) {
		md_doc_done(doc);
		buf_init(&doc->text, len * 2 + 4096);
		read_plain(doc, markdown, len);
	}
	return buf_status(&doc->text, err, "a message");
}
