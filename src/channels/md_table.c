/*
 * channels/md_table.c - tables for networks that have none: aligned in a code block, or a line "head: value" per cell.
 */
#include "channels/md.h"

#include <string.h>

#include "channels/md_api.h"
#include "core/str.h"

#define PAD_MAX 40                       /* columns that a cell is filled up to: one long cell must not widen every row */

static const struct md_cell *cell_at(const struct md_table *t, size_t row, size_t column)
{
	size_t i = row * t->columns + column;

	return i < t->cells.len ? &t->cells.at[i] : NULL;
}

static size_t row_count(const struct md_table *t)
{
	return t->columns ? t->cells.len / t->columns : 0;
}

/* Columns on a screen. */
static size_t width_of(const struct md_doc *doc, const struct md_cell *c)
{
	const char *s = doc->text.data + c->at, *end = s + c->len;
	size_t width = 0;
	uint32_t cp;

	while (s < end) {
		if (!(*s & 0x80)) {
			width++;
			s++;
			continue;
		}
		s += utf8_decode(s, (size_t)(end - s), &cp);
		width += (size_t)CH_MAX(md_api_width(cp), 0);
	}
	return width;
}

/* What stands in the document already, once more. */
static void append_again(struct md_doc *doc, uint32_t at, uint32_t len, unsigned style, int link)
{
	if (buf_reserve(&doc->text, len))
		md_append(doc, doc->text.data + at, len, style, link);
}

static void append_times(struct md_doc *doc, char c, size_t n)
{
	char filled[PAD_MAX];

	memset(filled, c, sizeof(filled));
	md_append(doc, filled, CH_MIN(n, sizeof(filled)), 0, -1);
}

static void append_row(struct md_doc *doc, const struct md_table *t, size_t row, const size_t *widths)
{
	for (size_t c = 0; c < t->columns; c++) {
		const struct md_cell cell = *cell_at(t, row, c);
		size_t width = width_of(doc, &cell);

		append_again(doc, cell.at, cell.len, 0, -1);
		if (c + 1 == t->columns)
			break;
		append_times(doc, ' ', widths[c] > width ? widths[c] - width : 0);
		md_append(doc, " | ", 3, 0, -1);
	}
	md_append(doc, "\n", 1, 0, -1);
}

static void as_code(struct md_doc *doc, const struct md_table *t, struct md_block b)
{
	size_t *widths = ch_calloc(t->columns, sizeof(*widths));

	for (size_t i = 0; i < t->cells.len; i++)
		widths[i % t->columns] = CH_MIN(CH_MAX(widths[i % t->columns], width_of(doc, &t->cells.at[i])), PAD_MAX);
	md_begin(doc, &b);
	append_row(doc, t, 0, widths);
	for (size_t c = 0; c < t->columns; c++) {
		append_times(doc, '-', CH_MAX(widths[c], 1));
		if (c + 1 < t->columns)
			md_append(doc, "-+-", 3, 0, -1);
	}
	b.head = (uint32_t)doc->text.len - b.at;
	for (size_t row = 1; row < row_count(t); row++) {
		/* The last line has no end: what comes between two rows is the end of the one before. */
		md_append(doc, "\n", 1, 0, -1);
		append_row(doc, t, row, widths);
		buf_truncate(&doc->text, doc->text.len - 1);
		doc->runs.at[doc->runs.len - 1].len--;
	}
	ch_free(widths);
	md_end(doc, &b);
}

static void append_cell(struct md_doc *doc, const struct md_cell *c, unsigned style)
{
	for (size_t i = 0; i < c->runs; i++) {
		const struct md_run r = doc->runs.at[c->run + i];

		append_again(doc, r.at, r.len, r.style | (r.style & (MD_CODE | MD_TAIL) ? 0 : style), r.link);
	}
}

static void as_bullets(struct md_doc *doc, const struct md_table *t, const struct md_block *like)
{
	for (size_t row = 1; row < row_count(t); row++) {
		bool is_first = true;

		for (size_t c = 0; c < t->columns; c++) {
			struct md_block b = *like;
			const struct md_cell head = *cell_at(t, 0, c), cell = *cell_at(t, row, c);

			if (!cell.len)
				continue;
			b.kind = MD_PARA;
			b.marker = MD_BULLET;
			b.outdent = like->indent;
			b.indent = like->indent + 2;
			b.is_tight = !is_first;
			is_first = false;
			md_begin(doc, &b);
			append_cell(doc, &head, MD_BOLD);
			if (head.len)
				md_append(doc, ": ", 2, 0, -1);
			append_cell(doc, &cell, 0);
			md_end(doc, &b);
		}
	}
}

void md_table_blocks(struct md_doc *doc, const struct md_table *t, enum render_tables mode, const struct md_block *like)
{
	if (!row_count(t))
		return;
	if (mode == RENDER_TABLES_BULLETS && row_count(t) > 1)
		as_bullets(doc, t, like);
	else
		as_code(doc, t, *like);
}
