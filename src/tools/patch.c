/*
 * tools/patch.c - patches of several files, parsed.
 */
#include "tools/patch.h"

#include <string.h>

#include "core/str.h"
#include "core/vec.h"

#define PATCH_LINES_MAX 200000           /* of all hunks: an array of them is kept */
#define SHOWN_BYTES 60                   /* of a wrong line */

struct parser {
	struct arena *a;
	const char *p, *end;             /* what is left; NULL: nothing */
	size_t number;                   /* of the current line */
	struct patch_text line;          /* the current one, without its newline */
	bool has_line;
	size_t total;                    /* lines of hunks so far */
	VEC(struct patch_op) ops;
	VEC(struct patch_hunk) hunks;    /* of the operation under way */
	VEC(struct patch_line) lines;    /* of the hunk under way */
	struct ch_err *err;
};

static void next_line(struct parser *x)
{
	const char *nl;

	x->has_line = x->p && x->p < x->end;
	if (!x->has_line)
		return;
	nl = memchr(x->p, '\n', (size_t)(x->end - x->p));
	x->line = (struct patch_text){ x->p, (size_t)((nl ? nl : x->end) - x->p) };
	x->p = nl ? nl + 1 : NULL;
	x->number++;
}

static bool is_blank_byte(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

struct patch_text patch_trim_end(struct patch_text t)
{
	while (t.n && is_blank_byte(t.p[t.n - 1]))
		t.n--;
	return t;
}

struct patch_text patch_trim(struct patch_text t)
{
	while (t.n && is_blank_byte(t.p[0])) {
		t.p++;
		t.n--;
	}
	return patch_trim_end(t);
}

static struct patch_text without_cr(struct patch_text t)
{
	t.n -= t.n && t.p[t.n - 1] == '\r';
	return t;
}

static bool is_blank(struct patch_text t)
{
	return !patch_trim(t).n;
}

/* Is the current line this marker, alone? Blanks at its end do not matter. */
static bool at(const struct parser *x, const char *marker)
{
	struct patch_text t = patch_trim(x->line);

	return x->has_line && x->line.n && x->line.p[0] == marker[0] && t.n == strlen(marker) && !memcmp(t.p, marker, t.n);
}

/* What follows the prefix on the current line; NULL when it does not begin so. */
static bool after(const struct parser *x, const char *prefix, struct patch_text *ret)
{
	size_t n = strlen(prefix);

	if (!x->has_line || x->line.n < n || memcmp(x->line.p, prefix, n) != 0)
		return false;
	*ret = patch_trim((struct patch_text){ x->line.p + n, x->line.n - n });
	return true;
}

static bool at_header(const struct parser *x)
{
	return x->has_line && x->line.n >= 4 && !memcmp(x->line.p, "*** ", 4);
}

static ch_status wrong(struct parser *x, const char *wanted)
{
	if (!x->has_line)
		return ch_fail(x->err, CH_E_INVALID, "the patch ends after line %zu where %s should be", x->number, wanted);
	return ch_fail(x->err, CH_E_INVALID, "line %zu of the patch is '%.*s' where %s should be", x->number,
		       (int)utf8_cut(x->line.p, x->line.n, SHOWN_BYTES), x->line.p, wanted);
}

static ch_status take_path(struct parser *x, struct patch_text t, const char **ret)
{
	if (!t.n)
		return ch_fail(x->err, CH_E_INVALID, "line %zu of the patch names no file", x->number);
	if (memchr(t.p, '\0', t.n))
		return ch_fail(x->err, CH_E_INVALID, "the path in line %zu of the patch holds a NUL byte", x->number);
	*ret = arena_strndup(x->a, t.p, t.n);
	return CH_OK;
}

/* The lines with "+" up to the next header: counted, and copied when out is not NULL. */
static ch_status walk_content(struct parser *x, char *out, size_t *ret_n)
{
	size_t n = 0;

	for (; x->has_line && !at_header(x) && !is_blank(x->line); next_line(x)) {
		if (x->line.p[0] != '+')
			return wrong(x, "a line with '+' before it");
		if (out) {
			memcpy(out + n, x->line.p + 1, x->line.n - 1);
			out[n + x->line.n - 1] = '\n';
		}
		n += x->line.n;
	}
	*ret_n = n;
	return CH_OK;
}

static ch_status parse_content(struct parser *x, struct patch_op *op)
{
	struct parser ahead = *x;
	size_t n = 0;
	char *out;
	ch_status st;

	st = walk_content(&ahead, NULL, &n);
	if (st)
		return st;
	out = arena_try_alloc(x->a, CH_MAX(n, 1));
	if (!out)
		return ch_fail(x->err, CH_E_LIMIT, "the patch is too large");
	op->content.p = out;
	return walk_content(x, out, &op->content.n);
}

/* "-1,4 +1,5 @@ heading": other programs' line numbers say nothing here, the heading does. */
static struct patch_text without_numbers(struct patch_text t)
{
	const char *end;

	if (t.n < 2 || t.p[0] != '-' || t.p[1] < '0' || t.p[1] > '9')
		return t;
	end = memmem(t.p, t.n, "@@", 2);
	return end ? patch_trim((struct patch_text){ end + 2, t.n - (size_t)(end + 2 - t.p) }) : t;
}

static ch_status parse_anchors(struct parser *x, struct patch_hunk *h)
{
	struct patch_text t;

	for (; after(x, "@@", &t); next_line(x)) {
		t = without_numbers(t);
		if (!t.n)
			continue;
		if (h->anchor_count == PATCH_ANCHORS_MAX)
			return ch_fail(x->err, CH_E_INVALID, "the hunk at line %zu of the patch has more than %d lines with @@", h->line,
				       PATCH_ANCHORS_MAX);
		h->anchors[h->anchor_count++] = t;
	}
	return CH_OK;
}

static ch_status push_line(struct parser *x, char sign, struct patch_text t)
{
	if (++x->total > PATCH_LINES_MAX)
		return ch_fail(x->err, CH_E_LIMIT, "the patch has more than %d lines", PATCH_LINES_MAX);
	vec_push(&x->lines, ((struct patch_line){ sign, without_cr(t) }));
	return CH_OK;
}

static ch_status parse_hunk_lines(struct parser *x)
{
	size_t solid = 0;                /* lines before a run of quite empty ones */
	ch_status st = CH_OK;

	for (; !st && x->has_line && !at_header(x); next_line(x)) {
		struct patch_text l = x->line;

		if (l.n >= 2 && !memcmp(l.p, "@@", 2))
			break;
		if (!without_cr(l).n) {
			st = push_line(x, ' ', l);
			continue;
		}
		if (l.p[0] != ' ' && l.p[0] != '+' && l.p[0] != '-')
			return wrong(x, "a line with ' ', '-' or '+' before it");
		st = push_line(x, l.p[0], (struct patch_text){ l.p + 1, l.n - 1 });
		solid = x->lines.len;
	}
	x->lines.len = solid ? solid : x->lines.len;     /* empty lines at the end only part it from what follows */
	return st;
}

static ch_status parse_hunk(struct parser *x)
{
	struct patch_hunk h = { .line = x->number };
	struct patch_line *lines;
	ch_status st;

	x->lines.len = 0;
	st = parse_anchors(x, &h);
	if (!st)
		st = parse_hunk_lines(x);
	if (st)
		return st;
	if (at(x, "*** End of File")) {
		h.is_at_end = true;
		next_line(x);
	}
	if (!x->lines.len)
		return ch_fail(x->err, CH_E_INVALID, "the hunk at line %zu of the patch has no lines", h.line);
	h.count = x->lines.len;
	lines = arena_try_alloc(x->a, h.count * sizeof(*lines));
	if (!lines)
		return ch_fail(x->err, CH_E_LIMIT, "the patch is too large");
	memcpy(lines, x->lines.at, h.count * sizeof(*lines));
	h.lines = lines;
	vec_push(&x->hunks, h);
	return CH_OK;
}

static ch_status parse_update(struct parser *x, struct patch_op *op)
{
	struct patch_hunk *hunks;
	struct patch_text t;
	ch_status st = CH_OK;

	x->hunks.len = 0;
	if (after(x, "*** Move to:", &t)) {
		st = take_path(x, t, &op->move_to);
		next_line(x);
	}
	while (!st && x->has_line) {
		if (is_blank(x->line) && !x->hunks.len && !x->line.n)
			next_line(x);
		else if (at_header(x) && !at(x, "*** End of File"))
			break;
		else
			st = parse_hunk(x);
	}
	if (st)
		return st;
	if (!x->hunks.len && !op->move_to)
		return ch_fail(x->err, CH_E_INVALID, "the update of '%s' (line %zu of the patch) changes nothing", op->path, op->line);
	op->hunk_count = x->hunks.len;
	hunks = arena_try_alloc(x->a, CH_MAX(op->hunk_count, 1) * sizeof(*hunks));
	if (!hunks)
		return ch_fail(x->err, CH_E_LIMIT, "the patch is too large");
	if (op->hunk_count)
		memcpy(hunks, x->hunks.at, op->hunk_count * sizeof(*hunks));
	op->hunks = hunks;
	return CH_OK;
}

static ch_status parse_op(struct parser *x)
{
	struct patch_op op = { .line = x->number };
	struct patch_text t;
	ch_status st;

	if (after(x, "*** Add File:", &t))
		op.kind = PATCH_ADD;
	else if (after(x, "*** Delete File:", &t))
		op.kind = PATCH_DELETE;
	else if (after(x, "*** Update File:", &t))
		op.kind = PATCH_UPDATE;
	else
		return wrong(x, "'*** Add File: ', '*** Update File: ', '*** Delete File: ' or '*** End Patch'");
	if (x->ops.len == PATCH_OPS_MAX)
		return ch_fail(x->err, CH_E_LIMIT, "the patch is of more than %d files", PATCH_OPS_MAX);
	st = take_path(x, t, &op.path);
	next_line(x);
	if (!st && op.kind == PATCH_ADD)
		st = parse_content(x, &op);
	if (!st && op.kind == PATCH_UPDATE)
		st = parse_update(x, &op);
	if (!st)
		vec_push(&x->ops, op);
	return st;
}

static void skip_blank_lines(struct parser *x)
{
	while (x->has_line && is_blank(x->line))
		next_line(x);
}

static ch_status parse_all(struct parser *x)
{
	ch_status st = CH_OK;

	next_line(x);
	skip_blank_lines(x);
	if (!at(x, "*** Begin Patch"))
		return wrong(x, "'*** Begin Patch'");
	next_line(x);
	skip_blank_lines(x);
	while (!st && !at(x, "*** End Patch")) {
		st = parse_op(x);
		skip_blank_lines(x);
	}
	if (st)
		return st;
	next_line(x);
	skip_blank_lines(x);
	if (x->has_line)
		return wrong(x, "the end");
	if (!x->ops.len)
		return ch_fail(x->err, CH_E_INVALID, "the patch names no file");
	return CH_OK;
}

ch_status patch_parse(struct arena *a, const char *text, size_t len, struct patch *ret, struct ch_err *err)
{
	struct parser x = { .a = a, .p = text, .end = text + len, .err = err, .ops = VEC_INIT, .hunks = VEC_INIT, .lines = VEC_INIT };
	struct patch_op *ops;
	ch_status st;

	if (len > PATCH_MAX)
		return ch_fail(err, CH_E_LIMIT, "the patch has %zu bytes; the limit is %u", len, PATCH_MAX);
	st = parse_all(&x);
	if (!st) {
		ops = arena_alloc(a, x.ops.len * sizeof(*ops));
		memcpy(ops, x.ops.at, x.ops.len * sizeof(*ops));
		*ret = (struct patch){ ops, x.ops.len };
	}
	vec_done(&x.ops);
	vec_done(&x.hunks);
	vec_done(&x.lines);
	return st;
}
