/*
 * web/html_write.c - a subtree as Markdown or plain text.
 *
 * One pass over the list of nodes; a stack of what is open stands in the nodes' own parent links. Text goes through
 * put_text(), which collapses white space and writes what is due before it: line breaks, the prefix of quotes and
 * lists, markers. A marker ("**", "[") is written when the first text comes after it, so that empty elements leave
 * nothing behind.
 */
#include <string.h>

#include "core/buf.h"
#include "core/str.h"
#include "core/vec.h"
#include "net/url.h"
#include "web/html_priv.h"

#define LIST_DEPTH_MAX 16
#define MARKERS_MAX 16                   /* opened and not written yet; more than that are left out */
#define LINK_MAX 2048                    /* bytes of a target; longer ones are no addresses to fetch */

struct list {
	int number;                      /* of the next item; 0: unordered */
};

struct marker {
	uint32_t node;
	const char *text;
};

struct writer {
	const struct html_write *in;
	const struct html_tree *t;
	struct arena *a;
	struct buf *out;
	size_t start;
	int breaks;                      /* line breaks due before the next text */
	bool is_blank;                   /* a blank is due */
	bool is_item;                    /* right behind a list item's mark: its first block goes there */
	int in_pre, in_cell;
	int in_line;                     /* in a link, heading or cell, where blocks do not break lines */
	int quotes;
	struct list lists[LIST_DEPTH_MAX];
	int list_depth;
	struct marker due[MARKERS_MAX];
	size_t due_count;
	bool *is_marked;                 /* by node: its opening marker was written */
	int fence;                       /* backticks around the code block that is open */
};

/* -- characters -- */

static void end_line(struct writer *w)
{
	while (w->out->len > w->start && strchr(" \t", w->out->data[w->out->len - 1]))
		buf_truncate(w->out, w->out->len - 1);
	buf_putc(w->out, '\n');
}

static void begin_line(struct writer *w, int indent)
{
	for (int i = 0; i < w->quotes; i++)
		buf_puts(w->out, w->in->is_plain ? "  " : "> ");
	for (int i = 0; i < indent; i++)
		buf_puts(w->out, "  ");
}

/* Line breaks and blanks that are due. */
static void flush_space(struct writer *w)
{
	if (w->out->len == w->start) {
		begin_line(w, CH_MAX(w->list_depth - 1, 0));
	} else if (w->breaks) {
		end_line(w);
		for (int i = 1; i < w->breaks; i++) {
			if (w->quotes)
				begin_line(w, 0);
			end_line(w);
		}
		begin_line(w, w->list_depth);
	} else if (w->is_blank && w->out->data[w->out->len - 1] != ' ') {
		buf_putc(w->out, ' ');
	}
	w->breaks = 0;
	w->is_blank = w->is_item = false;
}

static void flush_markers(struct writer *w)
{
	for (size_t i = 0; i < w->due_count; i++) {
		buf_puts(w->out, w->due[i].text);
		w->is_marked[w->due[i].node] = true;
	}
	w->due_count = 0;
}

static void want_break(struct writer *w, int lines)
{
	if (w->in_line)
		w->is_blank = true;
	else if (!w->is_item)
		w->breaks = CH_MAX(w->breaks, lines);
}

static bool is_space(uint32_t cp)
{
	return cp == ' ' || cp == '\n' || cp == '\t' || cp == '\r' || cp == '\f' || cp == 0xa0;
}

static void put_char(struct writer *w, const char *p, size_t n, uint32_t cp)
{
	if (html_drops_cp(cp))
		return;
	if (w->in_pre && cp == '\n') {
		flush_space(w);
		buf_putc(w->out, '\n');
		begin_line(w, w->list_depth);
		return;
	}
	if (!w->in_pre && is_space(cp)) {
		w->is_blank = true;
		return;
	}
	flush_space(w);
	flush_markers(w);
	/* A '|' would end the cell. */
	if (cp == '|' && w->in_cell && !w->in->is_plain)
		buf_putc(w->out, '\\');
	buf_append(w->out, p, n);
}

static void put_text(struct writer *w, const char *text)
{
	size_t left = strlen(text);

	while (left && !w->out->failed) {
		uint32_t cp = 0;
		size_t n = utf8_decode(text, left, &cp);

		if (n)
			put_char(w, text, n, cp);
		else
			n = 1;
		text += n;
		left -= n;
	}
}

static void put_words(struct writer *w, const char *words)
{
	flush_space(w);
	flush_markers(w);
	buf_puts(w->out, words);
}

/* -- markers -- */

static void open_marker(struct writer *w, uint32_t i, const char *text)
{
	if (w->due_count < MARKERS_MAX)
		w->due[w->due_count++] = (struct marker){ i, text };
}

/* Was there any text since it was opened? */
static bool close_marker(struct writer *w, uint32_t i)
{
	if (w->is_marked[i])
		return true;
	while (w->due_count && w->due[w->due_count - 1].node >= i)
		w->due_count--;
	return false;
}

static const char *inline_marker(unsigned tag)
{
	switch (tag) {
	case GUMBO_TAG_B: case GUMBO_TAG_STRONG: return "**";
	case GUMBO_TAG_I: case GUMBO_TAG_EM: return "*";
	case GUMBO_TAG_DEL: case GUMBO_TAG_S: case GUMBO_TAG_STRIKE: return "~~";
	case GUMBO_TAG_CODE: case GUMBO_TAG_KBD: case GUMBO_TAG_SAMP: case GUMBO_TAG_TT: return "`";
	default: return NULL;
	}
}

/* -- links -- */

/* With the characters that a reader would not see in their percent-encoded form: browsers send those so, too. */
static const char *visible_target(struct arena *a, const char *target)
{
	CH_AUTO_BUF struct buf out = { 0 };
	size_t left = strlen(target);

	buf_init(&out, 3 * left + 1);
	while (left) {
		uint32_t cp = 0;
		size_t n = utf8_decode(target, left, &cp);

		if (!n)
			return NULL;
		if (html_drops_cp(cp))
			for (size_t i = 0; i < n; i++)
				buf_printf(&out, "%%%02X", (unsigned char)target[i]);
		else
			buf_append(&out, target, n);
		target += n;
		left -= n;
	}
	return arena_strndup(a, buf_str(&out), out.len);
}

/* The absolute target, or NULL when there is nothing to go to. */
static const char *link_target(struct writer *w, uint32_t i)
{
	const char *href = html_attr(&w->t->at[i], "href"), *absolute;

	if (w->in->is_plain || !href)
		return NULL;
	href = str_trim(w->a, href);
	if (!*href || *href == '#' || strlen(href) > LINK_MAX)
		return NULL;
	absolute = w->in->base ? url_join(w->a, w->in->base, href) : href;
	if (!absolute || !(str_starts(absolute, "http://") || str_starts(absolute, "https://") || !w->in->base))
		return NULL;
	return strpbrk(absolute, " \n\r\t()<>") ? NULL : visible_target(w->a, absolute);
}

static void enter_link(struct writer *w, uint32_t i)
{
	w->in_line++;
	if (link_target(w, i))
		open_marker(w, i, "[");
}

static void leave_link(struct writer *w, uint32_t i)
{
	w->in_line--;
	if (!close_marker(w, i))
		return;
	buf_puts(w->out, "](");
	buf_puts(w->out, link_target(w, i));
	buf_putc(w->out, ')');
}

static void image(struct writer *w, uint32_t i)
{
	const char *alt = html_attr(&w->t->at[i], "alt");

	if (!alt || !*str_trim(w->a, alt))
		return;
	put_words(w, "[image: ");
	w->in_line++;
	put_text(w, alt);
	w->in_line--;
	w->is_blank = false;
	buf_putc(w->out, ']');
	w->is_blank = true;
}

/* -- code -- */

static int longest_ticks(const struct html_tree *t, uint32_t i)
{
	int most = 0, run = 0;

	for (uint32_t k = i; k < t->at[i].end; k++)
		for (const char *p = t->at[k].text; p && *p; p++) {
			run = *p == '`' ? run + 1 : 0;
			most = CH_MAX(most, run);
		}
	return most;
}

/* "language-c" and "lang-c" are what highlighters look for. */
static void put_language(struct writer *w, uint32_t i)
{
	uint32_t code = html_find(w->t, i, GUMBO_TAG_CODE);
	const char *class = html_attr(&w->t->at[code == HTML_NONE ? i : code], "class");
	const char *at = class ? strstr(class, "lang") : NULL;
	const char *dash = at ? strchr(at, '-') : NULL;

	if (!dash || (dash != at + 4 && !str_starts(at, "language-")))
		return;
	buf_append(w->out, dash + 1, CH_MIN(strspn(dash + 1, "abcdefghijklmnopqrstuvwxyz0123456789+#"), 20));
}

static void put_fence(struct writer *w)
{
	for (int i = 0; i < w->fence; i++)
		buf_putc(w->out, '`');
}

static void enter_pre(struct writer *w, uint32_t i)
{
	want_break(w, 2);
	w->in_pre++;
	if (w->in->is_plain || w->in_line || w->fence)
		return;
	w->fence = CH_MAX(3, longest_ticks(w->t, i) + 1);
	flush_space(w);
	flush_markers(w);
	put_fence(w);
	put_language(w, i);
	w->breaks = 1;
	w->is_marked[i] = true;
}

static void leave_pre(struct writer *w, uint32_t i)
{
	w->in_pre--;
	w->is_item = false;
	if (w->is_marked[i]) {
		while (w->out->len > w->start && strchr(" \n", w->out->data[w->out->len - 1]))
			buf_truncate(w->out, w->out->len - 1);
		w->breaks = 1;
		flush_space(w);
		put_fence(w);
		w->fence = 0;
	}
	want_break(w, 2);
}

/* -- lists, tables -- */

static void enter_list(struct writer *w, uint32_t i)
{
	const char *start = html_attr(&w->t->at[i], "start");
	int64_t n = 1;

	want_break(w, w->list_depth ? 1 : 2);
	if (w->list_depth >= LIST_DEPTH_MAX)
		return;
	if (start && (!str_to_i64(start, &n) || n < 0 || n > 1000000))
		n = 1;
	w->lists[w->list_depth++].number = w->t->at[i].tag == GUMBO_TAG_OL ? (int)n : 0;
	w->is_marked[i] = true;
}

static void leave_list(struct writer *w, uint32_t i)
{
	if (w->is_marked[i])
		w->list_depth--;
	want_break(w, w->list_depth ? 1 : 2);
}

static void enter_item(struct writer *w)
{
	struct list *l = w->list_depth ? &w->lists[w->list_depth - 1] : NULL;

	w->is_item = false;
	want_break(w, 1);
	if (w->in_line)
		return;
	/* The mark stands one level further out than the item's own lines. */
	w->list_depth -= l != NULL;
	flush_space(w);
	w->list_depth += l != NULL;
	if (l && l->number)
		buf_printf(w->out, "%d. ", l->number++);
	else
		buf_puts(w->out, "- ");
	w->is_item = true;
}

static uint32_t row_cells(const struct html_tree *t, uint32_t row)
{
	uint32_t n = 0;

	for (uint32_t i = row + 1; i < t->at[row].end; i = t->at[i].end)
		n += t->at[i].tag == GUMBO_TAG_TD || t->at[i].tag == GUMBO_TAG_TH;
	return n;
}

static uint32_t table_of(const struct html_tree *t, uint32_t i)
{
	while (i != HTML_NONE && t->at[i].tag != GUMBO_TAG_TABLE)
		i = t->at[i].parent;
	return i;
}

/* Rows and columns, as opposed to a page's layout: no table in it, and its first row has two cells. */
static bool is_data_table(const struct html_tree *t, uint32_t i)
{
	for (uint32_t k = i + 1; k < t->at[i].end; k++)
		if (t->at[k].tag == GUMBO_TAG_TABLE)
			return false;
	for (uint32_t k = i + 1; k < t->at[i].end; k++)
		if (t->at[k].tag == GUMBO_TAG_TR)
			return row_cells(t, k) >= 2;
	return false;
}

static void enter_table(struct writer *w, uint32_t i)
{
	want_break(w, 2);
	w->is_marked[i] = !w->in_line && is_data_table(w->t, i);
}

static bool in_data_table(const struct writer *w, uint32_t i)
{
	uint32_t table = table_of(w->t, i);

	return table != HTML_NONE && table >= w->in->root && w->is_marked[table];
}

static void enter_row(struct writer *w, uint32_t i)
{
	want_break(w, 1);
	if (in_data_table(w, i)) {
		flush_space(w);
		buf_puts(w->out, w->in->is_plain ? "" : "|");
		w->in_line++;
		w->in_cell++;
	}
}

/* The first row of a Markdown table is its head. */
static void leave_row(struct writer *w, uint32_t i)
{
	uint32_t table = table_of(w->t, i), cells;

	if (!in_data_table(w, i))
		return;
	w->in_line--;
	w->in_cell--;
	w->is_blank = false;
	w->breaks = 1;
	for (uint32_t k = table + 1; k < i; k++)
		if (w->t->at[k].tag == GUMBO_TAG_TR)
			return;
	if (w->in->is_plain)
		return;
	flush_space(w);
	cells = CH_MIN(row_cells(w->t, i), 200u);
	buf_puts(w->out, "|");
	while (cells--)
		buf_puts(w->out, " --- |");
	w->breaks = 1;
}

static void enter_cell(struct writer *w, uint32_t i)
{
	if (!in_data_table(w, i))
		want_break(w, 1);
	else
		w->is_blank = !w->in->is_plain;
}

static void leave_cell(struct writer *w, uint32_t i)
{
	if (!in_data_table(w, i))
		return;
	w->is_blank = false;
	buf_puts(w->out, w->in->is_plain ? "\t" : " |");
}

/* -- elements -- */

static void enter_heading(struct writer *w, uint32_t i)
{
	static const char *const marks[] = { "# ", "## ", "### ", "#### ", "##### ", "###### " };

	want_break(w, 2);
	if (!w->in->is_plain && !w->in_line)
		open_marker(w, i, marks[w->t->at[i].tag - GUMBO_TAG_H1]);
	w->in_line++;
}

static void enter(struct writer *w, uint32_t i)
{
	const struct html_node *n = &w->t->at[i];
	const char *marker = w->in->is_plain || w->in_pre ? NULL : inline_marker(n->tag);

	if (marker)
		open_marker(w, i, marker);
	switch (n->tag) {
	case GUMBO_TAG_H1: case GUMBO_TAG_H2: case GUMBO_TAG_H3: case GUMBO_TAG_H4: case GUMBO_TAG_H5: case GUMBO_TAG_H6:
		enter_heading(w, i);
		return;
	case GUMBO_TAG_A: enter_link(w, i); return;
	case GUMBO_TAG_IMG: image(w, i); return;
	case GUMBO_TAG_BR: want_break(w, 1); return;
	case GUMBO_TAG_PRE: enter_pre(w, i); return;
	case GUMBO_TAG_UL: case GUMBO_TAG_OL: case GUMBO_TAG_MENU: enter_list(w, i); return;
	case GUMBO_TAG_LI: enter_item(w); return;
	case GUMBO_TAG_BLOCKQUOTE:
		want_break(w, 2);
		w->quotes += !w->in_line;
		return;
	case GUMBO_TAG_TABLE: enter_table(w, i); return;
	case GUMBO_TAG_TR: enter_row(w, i); return;
	case GUMBO_TAG_TD: case GUMBO_TAG_TH: enter_cell(w, i); return;
	case GUMBO_TAG_HR:
		want_break(w, 2);
		if (!w->in_line && !w->in->is_plain)
			put_words(w, "---");
		want_break(w, 2);
		return;
	default:
		if (html_is_block(n->tag))
			want_break(w, n->tag == GUMBO_TAG_P || n->tag == GUMBO_TAG_FIGURE || n->tag == GUMBO_TAG_DL ? 2 : 1);
	}
}

static void leave(struct writer *w, uint32_t i)
{
	const struct html_node *n = &w->t->at[i];
	const char *marker = w->in->is_plain || w->in_pre ? NULL : inline_marker(n->tag);

	if (marker && close_marker(w, i))
		buf_puts(w->out, marker);
	switch (n->tag) {
	case GUMBO_TAG_H1: case GUMBO_TAG_H2: case GUMBO_TAG_H3: case GUMBO_TAG_H4: case GUMBO_TAG_H5: case GUMBO_TAG_H6:
		w->in_line--;
		(void)close_marker(w, i);
		want_break(w, 2);
		return;
	case GUMBO_TAG_A: leave_link(w, i); return;
	case GUMBO_TAG_PRE: leave_pre(w, i); return;
	case GUMBO_TAG_UL: case GUMBO_TAG_OL: case GUMBO_TAG_MENU: leave_list(w, i); return;
	case GUMBO_TAG_BLOCKQUOTE:
		w->quotes -= !w->in_line;
		want_break(w, 2);
		return;
	case GUMBO_TAG_TR: leave_row(w, i); return;
	case GUMBO_TAG_TD: case GUMBO_TAG_TH: leave_cell(w, i); return;
	case GUMBO_TAG_TABLE: want_break(w, 2); return;
	default:
		if (html_is_block(n->tag))
			want_break(w, n->tag == GUMBO_TAG_P || n->tag == GUMBO_TAG_FIGURE || n->tag == GUMBO_TAG_DL ? 2 : 1);
	}
}

void html_write(const struct html_write *in, struct buf *out)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(HTML_MEMORY_MAX);
	struct writer w = { .in = in, .t = in->tree, .a = a, .out = out, .start = out->len };
	VEC(uint32_t) open = VEC_INIT;

	w.is_marked = arena_alloc(in->tree->arena, in->tree->len + 1);
	for (uint32_t i = in->root; i < in->tree->at[in->root].end && !out->failed;) {
		const struct html_node *n = &in->tree->at[i];

		while (open.len && in->tree->at[open.at[open.len - 1]].end <= i)
			leave(&w, vec_pop(&open));
		if (n->is_hidden || (in->skip && in->skip[i])) {
			i = n->end;
			continue;
		}
		if (n->text) {
			put_text(&w, n->text);
		} else {
			enter(&w, i);
			vec_push(&open, i);
		}
		i++;
	}
	while (open.len)
		leave(&w, vec_pop(&open));
	vec_done(&open);
	while (out->len > w.start && strchr(" \n\t", out->data[out->len - 1]))
		buf_truncate(out, out->len - 1);
}
