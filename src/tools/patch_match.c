/*
 * tools/patch_match.c - what an update makes of a text: each hunk finds its place, then all are put in.
 */
#include <stdlib.h>
#include <string.h>

#include "core/str.h"
#include "core/vec.h"
#include "tools/patch.h"

#define FILE_LINES_MAX 500000            /* an array of them is kept */
#define COMPARES_MAX 30000000            /* of lines, in one update: bounds the time that a hostile patch takes */
#define PLACES_SHOWN 6                   /* of a hunk that fits in several */
#define ANCHOR_PLACES_MAX 64
#define SHOWN_BYTES 50
#define BOM "\xef\xbb\xbf"

enum level { EXACT, NO_END_BLANKS, NO_BLANKS, PLAIN, LEVELS };

struct file_line {
	struct patch_text text;          /* without its end */
	size_t end;                      /* bytes of the end: 0, 1 or 2 */
};
struct place { size_t at, count; const struct patch_hunk *hunk; };       /* lines of the file that the hunk stands for */

struct matcher {
	const struct patch_op *op;
	VEC(struct file_line) lines;
	VEC(struct patch_text) old;      /* of the hunk under way: what it expects */
	VEC(struct place) places;
	size_t cursor;                   /* after the hunk before */
	size_t compares;
	enum level worst;
	struct ch_err *err;
};

/* -- comparing lines -- */

static bool same_bytes(struct patch_text a, struct patch_text b)
{
	return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

/* Typographic dashes, quotes and spaces as one types them. */
static uint32_t plain(uint32_t c)
{
	if ((c >= 0x2010 && c <= 0x2015) || c == 0x2212)
		return '-';
	if (c >= 0x2018 && c <= 0x201b)
		return '\'';
	if (c >= 0x201c && c <= 0x201f)
		return '"';
	if (c == 0xa0 || (c >= 0x2002 && c <= 0x200a) || c == 0x202f || c == 0x205f || c == 0x3000)
		return ' ';
	return c;
}

/* The next character; bytes that are not UTF-8 stand for themselves. */
static uint32_t take_plain(struct patch_text *t)
{
	uint32_t c = 0;
	size_t n = utf8_decode(t->p, t->n, &c);

	if (!n) {
		c = 0xdc00u + (unsigned char)t->p[0];
		n = 1;
	}
	t->p += n;
	t->n -= n;
	return plain(c);
}

static bool same_plain(struct patch_text a, struct patch_text b)
{
	while (a.n && b.n)
		if (take_plain(&a) != take_plain(&b))
			return false;
	return !a.n && !b.n;
}

static bool same(enum level level, struct patch_text a, struct patch_text b)
{
	switch (level) {
	case EXACT:
		return same_bytes(a, b);
	case NO_END_BLANKS:
		return same_bytes(patch_trim_end(a), patch_trim_end(b));
	case NO_BLANKS:
		return same_bytes(patch_trim(a), patch_trim(b));
	case PLAIN:
	case LEVELS:
		break;
	}
	return same_plain(patch_trim(a), patch_trim(b));
}

/* -- the text as lines -- */

static ch_status split(struct matcher *m, const char *text, size_t len)
{
	const char *p = text, *end = text + len;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		struct file_line l = { { p, (size_t)((nl ? nl : end) - p) }, nl ? 1 : 0 };

		if (nl && l.text.n && nl[-1] == '\r') {
			l.text.n--;
			l.end = 2;
		}
		if (m->lines.len == FILE_LINES_MAX)
			return ch_fail(m->err, CH_E_LIMIT, "'%s' has more than %d lines", m->op->path, FILE_LINES_MAX);
		vec_push(&m->lines, l);
		p = nl ? nl + 1 : end;
	}
	return CH_OK;
}

/* -- places -- */

struct found {
	size_t at[ANCHOR_PLACES_MAX];
	size_t count;                    /* counted up to ANCHOR_PLACES_MAX + 1 */
	enum level level;
};

static void add_found(struct found *f, size_t at)
{
	for (size_t i = 0; i < CH_MIN(f->count, ANCHOR_PLACES_MAX); i++)
		if (f->at[i] == at)
			return;
	if (f->count < ANCHOR_PLACES_MAX)
		f->at[f->count] = at;
	if (f->count <= ANCHOR_PLACES_MAX)
		f->count++;
}

/* Of looking at a line: long ones count as several. */
static size_t cost_of(struct patch_text t)
{
	return 1 + t.n / 64;
}

/* Does the hunk's old text stand at this line? */
static bool fits(struct matcher *m, enum level level, size_t at)
{
	if (m->old.len > m->lines.len || at > m->lines.len - m->old.len)
		return false;
	for (size_t i = 0; i < m->old.len; i++) {
		m->compares += cost_of(m->lines.at[at + i].text);
		if (!same(level, m->lines.at[at + i].text, m->old.at[i]))
			return false;
	}
	return true;
}

/* Where the hunk's end is the file's, blank lines aside. */
static void find_at_end(struct matcher *m, struct found *f)
{
	if (m->old.len > m->lines.len)
		return;
	for (f->level = EXACT; f->level < LEVELS; f->level++) {
		for (size_t at = m->lines.len - m->old.len;; at--) {
			size_t end = at + m->old.len;

			if (m->compares >= COMPARES_MAX || (end < m->lines.len && patch_trim(m->lines.at[end].text).n))
				break;
			if (fits(m, f->level, at)) {
				add_found(f, at);
				return;
			}
			if (!at)
				break;
		}
	}
}

/* All places in [from, end of file], at the strictest level that has any. */
static void find_all(struct matcher *m, size_t from, struct found *f)
{
	for (f->level = EXACT; f->level < LEVELS; f->level++) {
		for (size_t at = from; at < m->lines.len && f->count <= ANCHOR_PLACES_MAX && m->compares < COMPARES_MAX; at++)
			if (fits(m, f->level, at))
				add_found(f, at);
		if (f->count)
			return;
	}
}

/* A heading may be cut short: "class A" for "class A(B):". */
static bool begins_with(struct patch_text line, struct patch_text prefix)
{
	line = patch_trim(line);
	return line.n >= prefix.n && !memcmp(line.p, prefix.p, prefix.n);
}

static bool anchor_fits(struct matcher *m, unsigned level, size_t at, struct patch_text anchor)
{
	m->compares += cost_of(m->lines.at[at].text);
	return level < LEVELS ? same((enum level)level, m->lines.at[at].text, anchor) : begins_with(m->lines.at[at].text, anchor);
}

/* Lines after `from` where the anchor stands; `first`: only the nearest. */
static void find_anchor(struct matcher *m, struct patch_text anchor, size_t from, bool first, struct found *f)
{
	size_t before = f->count;

	for (unsigned level = EXACT; level <= LEVELS && f->count == before; level++) {
		for (size_t at = from; at < m->lines.len && f->count <= ANCHOR_PLACES_MAX && m->compares < COMPARES_MAX; at++) {
			if (!anchor_fits(m, level, at, anchor))
				continue;
			add_found(f, at);
			if (first)
				return;
		}
	}
}

/* The lines where all anchors were found, one after the other. */
static void follow_anchors(struct matcher *m, const struct patch_hunk *h, size_t from, struct found *ret)
{
	find_anchor(m, h->anchors[0], from, false, ret);
	for (size_t i = 1; i < h->anchor_count; i++) {
		struct found next = { .count = 0 };

		for (size_t k = 0; k < CH_MIN(ret->count, ANCHOR_PLACES_MAX); k++)
			find_anchor(m, h->anchors[i], ret->at[k] + 1, true, &next);
		*ret = next;
	}
}

/* The first place at or after each anchor; an addition goes right below it. */
static void find_after_anchors(struct matcher *m, const struct patch_hunk *h, struct found *anchors, struct found *f)
{
	if (!m->old.len) {
		for (size_t k = 0; k < CH_MIN(anchors->count, ANCHOR_PLACES_MAX); k++)
			add_found(f, anchors->at[k] + 1);
		return;
	}
	for (f->level = EXACT; f->level < LEVELS; f->level++) {
		for (size_t k = 0; k < CH_MIN(anchors->count, ANCHOR_PLACES_MAX); k++) {
			size_t at = anchors->at[k];

			while (at < m->lines.len && m->compares < COMPARES_MAX && !fits(m, f->level, at))
				at++;
			if (at < m->lines.len)
				add_found(f, at);
		}
		if (f->count)
			return;
	}
}

/* -- telling what is wrong -- */

static size_t number_of(const struct matcher *m, const struct patch_hunk *h)
{
	return (size_t)(h - m->op->hunks) + 1;
}

static ch_status refuse_several(struct matcher *m, const struct patch_hunk *h, const struct found *f, size_t from)
{
	char lines[96];
	size_t n = 0, shown = 0, count = 0;

	for (size_t i = 0; i < CH_MIN(f->count, ANCHOR_PLACES_MAX); i++) {
		if (f->at[i] < from)
			continue;
		count++;
		if (shown == PLACES_SHOWN)
			continue;
		n += (size_t)snprintf(lines + n, sizeof(lines) - n, "%s%zu", shown ? ", " : "", f->at[i] + 1);
		shown++;
	}
	return ch_fail(m->err, CH_E_INVALID, "hunk %zu (line %zu of the patch) fits in '%s' at lines %s%s; add lines around it, or @@ "
		       "with a line above it", number_of(m, h), h->line, m->op->path, lines, count > shown ? " and more" : "");
}

static ch_status refuse_none(struct matcher *m, const struct patch_hunk *h)
{
	struct patch_text first = m->old.len ? m->old.at[0] : (struct patch_text){ "", 0 };
	int shown = (int)utf8_cut(first.p, first.n, SHOWN_BYTES);

	if (m->compares >= COMPARES_MAX)
		return ch_fail(m->err, CH_E_LIMIT, "hunk %zu of '%s' takes too long to be found; use smaller hunks", number_of(m, h),
			       m->op->path);
	for (size_t at = 0; m->old.len && at < m->lines.len && patch_trim(first).n; at++)
		if (same(PLAIN, m->lines.at[at].text, first))
			return ch_fail(m->err, CH_E_INVALID, "hunk %zu (line %zu of the patch) is not in '%s': '%.*s' is at line %zu, but what "
				       "follows there differs%s; read the file again", number_of(m, h), h->line, m->op->path, shown,
				       first.p, at + 1, h->is_at_end ? " or is not its end" : "");
	return ch_fail(m->err, CH_E_INVALID, "hunk %zu (line %zu of the patch) is not in '%s': there is no line '%.*s'; read the file "
		       "again", number_of(m, h), h->line, m->op->path, shown, first.p);
}

static ch_status refuse_anchor(struct matcher *m, const struct patch_hunk *h)
{
	struct patch_text t = h->anchors[h->anchor_count - 1];

	return ch_fail(m->err, CH_E_INVALID, "hunk %zu (line %zu of the patch): no line of '%s' is '%.*s', which stands after its @@",
		       number_of(m, h), h->line, m->op->path, (int)utf8_cut(t.p, t.n, SHOWN_BYTES), t.p);
}

/* -- the place of a hunk -- */

/* Without anchors: the only place after the hunk before, or else the only one at all. */
static ch_status choose(struct matcher *m, const struct patch_hunk *h, const struct found *f, size_t *ret_at)
{
	size_t behind = 0, at = 0, n = CH_MIN(f->count, ANCHOR_PLACES_MAX);

	if (!f->count)
		return refuse_none(m, h);
	for (size_t i = 0; i < n; i++) {
		if (f->at[i] < m->cursor)
			continue;
		behind++;
		at = f->at[i];
	}
	if (behind > 1 || f->count > ANCHOR_PLACES_MAX)
		return refuse_several(m, h, f, behind > 1 ? m->cursor : 0);
	if (!behind && f->count > 1)
		return refuse_several(m, h, f, 0);
	*ret_at = behind ? at : f->at[0];
	return CH_OK;
}

static ch_status locate_anchored(struct matcher *m, const struct patch_hunk *h, struct found *f, size_t *ret_at)
{
	struct found anchors = { .count = 0 };

	follow_anchors(m, h, m->cursor, &anchors);
	if (!anchors.count)
		follow_anchors(m, h, 0, &anchors);
	if (!anchors.count)
		return refuse_anchor(m, h);
	find_after_anchors(m, h, &anchors, f);
	if (!f->count)
		return refuse_none(m, h);
	if (f->count > 1)
		return refuse_several(m, h, f, 0);
	*ret_at = f->at[0];
	return CH_OK;
}

static ch_status locate(struct matcher *m, const struct patch_hunk *h, size_t *ret_at)
{
	struct found f = { .count = 0 };
	ch_status st;

	if (h->is_at_end) {
		find_at_end(m, &f);
		st = f.count ? CH_OK : refuse_none(m, h);
		*ret_at = f.at[0];
	} else if (h->anchor_count) {
		st = locate_anchored(m, h, &f, ret_at);
	} else if (!m->old.len) {
		*ret_at = m->lines.len;
		return CH_OK;
	} else {
		find_all(m, 0, &f);
		st = choose(m, h, &f, ret_at);
	}
	if (!st)
		m->worst = CH_MAX(m->worst, f.level);
	return st;
}

static ch_status place_hunk(struct matcher *m, const struct patch_hunk *h)
{
	struct place p = { .hunk = h };
	ch_status st;

	m->old.len = 0;
	for (size_t i = 0; i < h->count; i++)
		if (h->lines[i].sign != '+')
			vec_push(&m->old, h->lines[i].text);
	st = locate(m, h, &p.at);
	if (st)
		return st;
	p.count = m->old.len;
	m->cursor = p.at + p.count;
	vec_push(&m->places, p);
	return CH_OK;
}

static int by_place(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->at != y->at)
		return (x->at > y->at) - (x->at < y->at);
	return (x->hunk > y->hunk) - (x->hunk < y->hunk);        /* all are of one array */
}

static ch_status sort_places(struct matcher *m)
{
	if (m->places.len)
		qsort(m->places.at, m->places.len, sizeof(m->places.at[0]), by_place);
	for (size_t i = 1; i < m->places.len; i++) {
		const struct place *a = &m->places.at[i - 1], *b = &m->places.at[i];

		if (a->at + a->count > b->at)
			return ch_fail(m->err, CH_E_INVALID, "hunks %zu and %zu of '%s' change the same lines (%zu); join them",
				       number_of(m, a->hunk), number_of(m, b->hunk), m->op->path, b->at + 1);
	}
	return CH_OK;
}

/* -- putting it together -- */

struct writer {
	struct buf *out;
	const char *newline;
	bool is_open;                    /* the last line that was written has no end yet */
};

static void write_line(struct writer *w, struct patch_text t, const char *end, size_t end_len)
{
	if (w->is_open)
		buf_puts(w->out, w->newline);
	buf_append(w->out, t.p, t.n);
	buf_append(w->out, end, end_len);
	w->is_open = !end_len;
}

static void keep_line(struct writer *w, const struct file_line *l)
{
	write_line(w, l->text, l->text.p + l->text.n, l->end);
}

static void write_place(const struct matcher *m, struct writer *w, const struct place *p, struct patch_tally *tally)
{
	size_t at = p->at;

	CH_BUG_ON(p->at + p->count > m->lines.len);
	for (size_t i = 0; i < p->hunk->count; i++) {
		const struct patch_line *l = &p->hunk->lines[i];

		if (l->sign != ' ' && (!tally->first_line || at + 1 < tally->first_line))
			tally->first_line = at + 1;
		if (l->sign == '+') {
			write_line(w, l->text, w->newline, strlen(w->newline));
			tally->added++;
			continue;
		}
		if (l->sign == '-')
			tally->removed++;
		else if (at < m->lines.len)
			keep_line(w, &m->lines.at[at]);
		at++;
	}
}

static void write_all(const struct matcher *m, struct buf *out, struct patch_tally *tally)
{
	struct writer w = { .out = out, .newline = m->lines.len && m->lines.at[0].end == 2 ? "\r\n" : "\n" };
	size_t at = 0;

	for (size_t i = 0; i < m->places.len; i++) {
		for (; at < m->places.at[i].at && at < m->lines.len; at++)
			keep_line(&w, &m->lines.at[at]);
		write_place(m, &w, &m->places.at[i], tally);
		at += m->places.at[i].count;
	}
	for (; at < m->lines.len; at++)
		keep_line(&w, &m->lines.at[at]);
}

ch_status patch_update(const struct patch_op *op, const char *text, size_t len, struct buf *out, struct patch_tally *ret,
		       struct ch_err *err)
{
	struct matcher m = { .op = op, .err = err, .lines = VEC_INIT, .old = VEC_INIT, .places = VEC_INIT };
	struct patch_tally tally = { 0 };
	size_t bom = len >= strlen(BOM) && !memcmp(text, BOM, strlen(BOM)) ? strlen(BOM) : 0;
	ch_status st;

	st = split(&m, text + bom, len - bom);
	for (size_t i = 0; !st && i < op->hunk_count; i++)
		st = place_hunk(&m, &op->hunks[i]);
	if (!st)
		st = sort_places(&m);
	if (!st) {
		buf_append(out, text, bom);
		write_all(&m, out, &tally);
		tally.is_tolerant = m.worst > EXACT;
		*ret = tally;
		st = buf_status(out, err, "the patched file");
	}
	vec_done(&m.lines);
	vec_done(&m.old);
	vec_done(&m.places);
	return st;
}
