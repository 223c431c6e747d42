/*
 * tools/edit_match.c - where does this text stand, and is it the only place?
 */
#include "tools/edit_match.h"

#include <stdlib.h>
#include <string.h>

static size_t line_of(const char *text, size_t at)
{
	size_t line = 1;

	for (const char *p = text; (p = memchr(p, '\n', (size_t)(text + at - p))); p++)
		line++;
	return line;
}

static void add(struct edit_match *m, const char *text, size_t at, size_t len)
{
	if (!m->count) {
		m->at = at;
		m->len = len;
	}
	if (m->count < EDIT_CANDIDATES_MAX)
		m->lines[m->count] = line_of(text, at);
	m->count++;
}

static void find_exact(const char *text, size_t len, const char *old, size_t old_len, struct edit_match *m)
{
	const char *p = text, *end = text + len;

	while (m->count <= EDIT_CANDIDATES_MAX && (p = memmem(p, (size_t)(end - p), old, old_len))) {
		add(m, text, (size_t)(p - text), old_len);
		p++;             /* overlapping places are places too */
	}
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

struct line { const char *p; size_t n; };        /* without its newline */

/* The line at p; gives where the next one begins, NULL after the last. */
static const char *next_line(const char *p, const char *end, struct line *ret)
{
	const char *nl = memchr(p, '\n', (size_t)(end - p));

	*ret = (struct line){ p, (size_t)((nl ? nl : end) - p) };
	return nl ? nl + 1 : NULL;
}

static void skip_blanks(struct line *l)
{
	for (; l->n && is_blank(*l->p); l->p++)
		l->n--;
}

/* Runs of blanks count as one, so they must stand at the same places, but for both ends. */
static bool same_but_for_blanks(struct line a, struct line b)
{
	skip_blanks(&a);
	skip_blanks(&b);
	while (a.n && b.n) {
		if (is_blank(*a.p) && is_blank(*b.p)) {
			skip_blanks(&a);
			skip_blanks(&b);
			continue;
		}
		if (*a.p != *b.p)
			break;
		a.p++, a.n--, b.p++, b.n--;
	}
	skip_blanks(&a);
	skip_blanks(&b);
	return !a.n && !b.n;
}

/* Do the lines from p on match all of old's? Gives the bytes they cover. */
static bool lines_match(const char *p, const char *end, const char *old, const char *old_end, size_t *ret_len)
{
	const char *start = p;

	while (old) {
		struct line a, b;

		if (!p)
			return false;
		p = next_line(p, end, &a);
		old = next_line(old, old_end, &b);
		if (!same_but_for_blanks(a, b))
			return false;
		a.n -= a.n && a.p[a.n - 1] == '\r';      /* stays with its newline */
		*ret_len = (size_t)(a.p + a.n - start);
		if (old == old_end) {            /* old ends with a newline: cover ours too */
			if (p)
				*ret_len = (size_t)(p - start);
			return p != NULL;
		}
	}
	return true;
}

static bool is_all_blank(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!is_blank(p[i]) && p[i] != '\n')
			return false;
	return true;
}

static void find_tolerant(const char *text, size_t len, const char *old, size_t old_len, struct edit_match *m)
{
	const char *p = text, *end = text + len;

	if (is_all_blank(old, old_len))
		return;          /* would be everywhere */
	while (p && m->count <= EDIT_CANDIDATES_MAX) {
		struct line skip;
		size_t covered = 0;

		if (lines_match(p, end, old, old + old_len, &covered)) {
			size_t indent = is_blank(*old) ? 0 : strspn(p, " \t");

			add(m, text, (size_t)(p - text) + indent, covered - indent);    /* ours stays when old has none */
		}
		p = next_line(p, end, &skip);
	}
}

void edit_find(const char *text, size_t len, const char *old, size_t old_len, struct edit_match *ret)
{
	*ret = (struct edit_match){ 0 };
	find_exact(text, len, old, old_len, ret);
	if (ret->count)
		return;
	ret->is_tolerant = true;
	find_tolerant(text, len, old, old_len, ret);
}

static ch_status refuse_several(const struct edit_match *m, size_t number, struct ch_err *err)
{
	char lines[96];
	size_t n = 0;

	for (size_t i = 0; i < CH_MIN(m->count, EDIT_CANDIDATES_MAX); i++)
		if (!i || m->lines[i] != m->lines[i - 1])
			n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s%zu", i ? ", " : "", m->lines[i]);
	return ch_fail(err, CH_E_INVALID, "edit %zu: oldText is in the file more than once (at lines %s%s); "
		       "take more of the text around it", number, lines,
		       m->count > EDIT_CANDIDATES_MAX ? " and more" : "");
}

/* Where the first line of old stands, to help when the whole is nowhere; 0: nowhere either. */
static size_t near_line(const char *text, size_t len, const char *old, size_t old_len)
{
	struct edit_match m = { 0 };
	const char *p = old, *end = old + old_len;
	struct line first = { old, 0 };

	while (p && is_all_blank(first.p, first.n))
		p = next_line(p, end, &first);
	if (is_all_blank(first.p, first.n))
		return 0;
	find_tolerant(text, len, first.p, first.n, &m);
	return m.count ? m.lines[0] : 0;
}

static ch_status place(const char *text, size_t len, struct edit *e, size_t number, struct ch_err *err)
{
	struct edit_match m;
	size_t near;

	if (!e->old_len)
		return ch_fail(err, CH_E_INVALID, "edit %zu: oldText is empty", number);
	edit_find(text, len, e->old, e->old_len, &m);
	if (m.count > 1)
		return refuse_several(&m, number, err);
	if (!m.count) {
		near = near_line(text, len, e->old, e->old_len);
		if (near)
			return ch_fail(err, CH_E_INVALID, "edit %zu: oldText is not in the file; its first line is at line %zu, "
				       "what follows there differs: read it again", number, near);
		return ch_fail(err, CH_E_INVALID, "edit %zu: oldText is not in the file; read the file and copy the text "
			       "as it is", number);
	}
	e->at = m.at;
	e->len = m.len;
	e->line = m.lines[0];
	e->is_tolerant = m.is_tolerant;
	return CH_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct edit *x = a, *y = b;

	return (x->at > y->at) - (x->at < y->at);
}

static bool uses_crlf(const char *text, size_t len)
{
	const char *nl = memchr(text, '\n', len);

	return nl && nl > text && nl[-1] == '\r';
}

static void append_new(struct buf *out, const struct edit *e, bool crlf)
{
	for (size_t i = 0; i < e->new_len; i++) {
		if (crlf && e->new[i] == '\n' && (!i || e->new[i - 1] != '\r'))
			buf_putc(out, '\r');
		buf_putc(out, e->new[i]);
	}
}

ch_status edit_apply(const char *text, size_t len, struct edit *edits, size_t n, struct buf *out, struct ch_err *err)
{
	bool crlf = uses_crlf(text, len);
	size_t done = 0;
	ch_status st;

	for (size_t i = 0; i < n; i++) {
		st = place(text, len, &edits[i], i + 1, err);
		if (st)
			return st;
	}
	qsort(edits, n, sizeof(*edits), by_place);
	for (size_t i = 1; i < n; i++)
		if (edits[i - 1].at + edits[i - 1].len > edits[i].at)
			return ch_fail(err, CH_E_INVALID, "two edits overlap at line %zu; join them into one", edits[i].line);
	for (size_t i = 0; i < n; i++) {
		buf_append(out, text + done, edits[i].at - done);
		append_new(out, &edits[i], crlf);
		done = edits[i].at + edits[i].len;
	}
	buf_append(out, text + done, len - done);
	return buf_status(out, err, "the edited file");
}
