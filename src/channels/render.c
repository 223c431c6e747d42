/*
 * channels/render.c - see render.h: fills parts with blocks, and cuts the blocks that do not fit.
 *
 * A part is written block by block. One that does not fit begins the next part, unless this one is not half full yet: then it is
 * cut at the last line, sentence, word or grapheme that fits. A heading is never the last of a part that holds more.
 */
#include "channels/render.h"

#include <string.h>

#include "channels/md_api.h"
#include "channels/render_pen.h"
#include "core/str.h"

/* What a part was when something might have to be taken back. */
struct mark { size_t text_len, plain_len; struct pen pen, twin; };

struct cutter {
	struct arena *a;
	const struct render_opts *opts;
	struct md_doc *doc;
	struct buf text, plain;          /* of the part that is being written */
	struct pen pen, twin;            /* … in the flavour, and without markup */
	bool is_empty;
	size_t first_in_part;            /* its first block */
	struct mark before_heading;      /* when the last block is a heading that may move on */
	size_t heading;
	bool has_heading;
	struct render_part *parts;
	size_t count, cap;
	bool is_out_of_memory;
};

/* -- parts -- */

static void begin_part(struct cutter *c)
{
	int max = !c->count && c->opts->first_max > 0 ? c->opts->first_max : c->opts->text_max;

	buf_clear(&c->text);
	buf_clear(&c->plain);
	pen_init(&c->pen, c->opts->flavour, c->opts->unit, c->doc, &c->text);
	pen_init(&c->twin, CHAN_PLAIN, c->opts->unit, c->doc, &c->plain);
	c->twin.is_fallback = c->opts->flavour != CHAN_PLAIN;
	c->pen.max = c->twin.max = (size_t)max;
	c->pen.lines_max = c->twin.lines_max = c->opts->lines_max;
	c->is_empty = true;
	c->has_heading = false;
}

static char *copy(struct cutter *c, const struct buf *b)
{
	char *s = arena_try_alloc(c->a, b->len + 1);

	if (s)
		memcpy(s, buf_str(b), b->len + 1);
	return s;
}

static void end_part(struct cutter *c)
{
	struct render_part *grown, part;

	pen_end(&c->pen);
	pen_end(&c->twin);
	if (c->is_empty)
		return;
	if (c->count == c->cap) {
		c->cap = c->cap ? c->cap * 2 : 4;
		grown = arena_try_alloc(c->a, c->cap * sizeof(*grown));
		if (!grown) {
			c->is_out_of_memory = true;
			return;
		}
		if (c->count)
			memcpy(grown, c->parts, c->count * sizeof(*grown));
		c->parts = grown;
	}
	part = (struct render_part){ .text = copy(c, &c->text), .plain = copy(c, &c->plain) };
	if (part.text && part.plain && !*part.text)
		part.text = render_escape(c->a, c->opts->flavour, part.plain);
	c->is_out_of_memory |= !part.text || !part.plain || c->text.failed || c->plain.failed;
	if (!c->is_out_of_memory)
		c->parts[c->count++] = part;
	begin_part(c);
}

static struct mark mark_here(const struct cutter *c)
{
	return (struct mark){ c->text.len, c->plain.len, c->pen, c->twin };
}

static void take_back(struct cutter *c, const struct mark *m)
{
	buf_truncate(&c->text, m->text_len);
	buf_truncate(&c->plain, m->plain_len);
	c->text.failed = c->plain.failed = CH_OK;
	c->pen = m->pen;
	c->twin = m->twin;
}

/* -- pieces of a block -- */

/* The run that holds `from`, or the first behind it. */
static size_t run_at(const struct md_doc *doc, const struct md_block *b, uint32_t from)
{
	size_t low = b->run, high = b->run + b->runs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (doc->runs.at[mid].at + doc->runs.at[mid].len <= from)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void write_piece(struct pen *p, const struct md_block *b, uint32_t from, uint32_t to)
{
	const struct md_run *runs = p->doc->runs.at;

	pen_begin_block(p, b, from > b->at);
	/* Runs follow each other without a gap, and plain text knows none. */
	for (size_t i = run_at(p->doc, b, from), end = b->run + b->runs; i < end && from < to && pen_fits(p, 0); i++) {
		uint32_t stop = p->flavour == CHAN_PLAIN ? to : CH_MIN(runs[i].at + runs[i].len, to);

		pen_text(p, b, i, from, stop);
		from = stop;
	}
	pen_end_block(p, b);
}

/* false: it did not fit, and nothing is changed. */
static bool put_piece(struct cutter *c, const struct md_block *b, uint32_t from, uint32_t to)
{
	struct mark before = mark_here(c);
	bool fits;

	if (to - from > c->pen.max * 4)  /* no unit is longer than four bytes */
		return false;
	if (!c->is_empty) {
		pen_between(&c->pen, b);
		pen_between(&c->twin, b);
	}
	write_piece(&c->pen, b, from, to);
	fits = !c->text.failed && pen_fits(&c->pen, 0);
	if (fits) {
		write_piece(&c->twin, b, from, to);
		fits = !c->plain.failed && pen_fits(&c->twin, 0);
	}
	if (fits)
		c->is_empty = false;
	else
		take_back(c, &before);
	return fits;
}

/* -- where to cut -- */

struct places { uint32_t line, sentence, space, any; };  /* ends of a piece; 0: none */

static bool is_white(char ch)
{
	return ch == ' ' || ch == '\n' || ch == '\t';
}

/* Does a sentence end before `at`? */
static bool ends_sentence(const char *text, uint32_t from, uint32_t at)
{
	static const char wide[][4] = { "。", "！", "？", "…" };

	while (at > from && (text[at - 1] == '"' || text[at - 1] == ')' || text[at - 1] == '\'' || text[at - 1] == '*'))
		at--;
	if (at > from && (text[at - 1] == '.' || text[at - 1] == '!' || text[at - 1] == '?'))
		return true;
	for (size_t i = 0; i < CH_ARRAY_LEN(wide); i++)
		if (at >= from + 3 && !memcmp(text + at - 3, wide[i], 3))
			return true;
	return false;
}

static void note_place(struct places *at, const struct md_block *b, const struct md_run *r, const char *text, uint32_t from,
		       uint32_t pos)
{
	bool in_link = r->style & MD_LINK && !(r->style & MD_TAIL);

	if (pos <= from)
		return;
	if (text[pos] == '\n' && pos <= b->at + b->head)
		return;                  /* a table's head stays with its first row */
	if (text[pos] == '\n')
		at->line = pos;
	else if (is_white(text[pos]) && b->kind != MD_CODE_BLOCK && ends_sentence(text, from, pos))
		at->sentence = pos;
	else if (is_white(text[pos]) && !(in_link && pos > r->at))
		at->space = pos;
}

/* How far into a block a part reaches: copies of its pens go on with the block, and write nothing. */
struct reach { size_t run; uint32_t at; struct pen pen, twin; };

static struct reach reach_begin(const struct cutter *c, const struct md_block *b, uint32_t from)
{
	struct reach r = { .run = run_at(c->doc, b, from), .at = from, .pen = c->pen, .twin = c->twin };
	struct pen *const pens[] = { &r.pen, &r.twin };

	for (size_t i = 0; i < CH_ARRAY_LEN(pens); i++) {
		pens[i]->out = NULL;
		if (!c->is_empty)
			pen_between(pens[i], b);
		pen_begin_block(pens[i], b, from > b->at);
	}
	return r;
}

/* Goes on to `to`, in the same run. false: that does not fit, and the reach is of no more use. */
static bool reach_to(struct reach *r, const struct md_block *b, uint32_t to)
{
	pen_text(&r->pen, b, r->run, r->at, to);
	pen_text(&r->twin, b, r->run, r->at, to);
	if (!pen_fits(&r->pen, b->kind == MD_CODE_BLOCK) || !pen_fits(&r->twin, 0))
		return false;
	r->at = to;
	return true;
}

/* Notes the places before white space and gives the last of them that is shown, or where it began: no grapheme holds white space. */
static struct reach reach_by_words(const struct cutter *c, const struct md_block *b, uint32_t from, struct places *at)
{
	const char *text = c->doc->text.data;
	struct reach here = reach_begin(c, b, from), last = here;

	for (; here.run < b->run + b->runs; here.run++) {
		const struct md_run *r = &c->doc->runs.at[here.run];
		uint32_t end = r->at + r->len, to;

		for (here.at = CH_MAX(r->at, from); here.at < end; ) {
			if (is_white(text[here.at]) && !r->is_hidden) {
				note_place(at, b, r, text, from, here.at);
				last = here;
			}
			for (to = here.at + 1; to < end && !is_white(text[to]); to++)
				;
			if (!reach_to(&here, b, to))
				return last;
		}
	}
	return last;
}

/* The last place of each kind up to which the piece from `from` fits; *ret_reach is how far it would fit. */
static struct places find_places(const struct cutter *c, const struct md_block *b, uint32_t from, uint32_t *ret_reach)
{
	const char *text = c->doc->text.data;
	struct places at = { 0 };
	struct reach here = reach_by_words(c, b, from, &at);
	uint32_t start = here.at, cp = 0, before = 0;
	int32_t state = 0;

	*ret_reach = start;
	for (; here.run < b->run + b->runs; here.run++) {
		const struct md_run *r = &c->doc->runs.at[here.run];
		uint32_t end = r->at + r->len;

		for (here.at = CH_MAX(r->at, start); here.at < end; *ret_reach = here.at) {
			/* What the flavour does not show stays with what it belongs to. */
			utf8_decode(text + here.at, end - here.at, &cp);
			if (here.at > from && md_api_is_break(before, cp, &state) && !r->is_hidden)
				at.any = here.at;
			before = cp;
			if (!reach_to(&here, b, here.at + (uint32_t)pen_atom(c->opts->flavour, text + here.at, end - here.at)))
				return at;
		}
	}
	return at;
}

/* The end of the piece to write: the best kind of place that leaves it not too small; 0: none. */
static uint32_t choose(const struct places *at, const struct md_block *b, uint32_t from, uint32_t reach)
{
	uint32_t least = from + (reach - from) / 3;

	if (at->line > (b->kind == MD_CODE_BLOCK ? from : least))
		return at->line;
	if (at->sentence > least)
		return at->sentence;
	if (CH_MAX(at->space, CH_MAX(at->sentence, at->line)) > from + (reach - from) / 8)
		return CH_MAX(at->space, CH_MAX(at->sentence, at->line));
	return at->any;
}

/* Cuts off what fits of [*from, end); false: nothing does. */
static bool put_cut(struct cutter *c, const struct md_block *b, uint32_t *from)
{
	const char *text = c->doc->text.data;
	uint32_t reach, end = b->at + b->len;
	struct places at = find_places(c, b, *from, &reach);
	uint32_t to = choose(&at, b, *from, reach);

	if (to <= *from && c->is_empty)
		to = reach;              /* one grapheme that is longer than a message */
	if (to <= *from || !put_piece(c, b, *from, to))
		return false;
	if (b->kind == MD_CODE_BLOCK)
		to += to < end && text[to] == '\n';
	while (b->kind != MD_CODE_BLOCK && to < end && is_white(text[to]))
		to++;
	*from = to;
	return true;
}

static void strip(struct md_doc *doc, struct md_block *b)
{
	b->indent = b->outdent = 0;
	b->marker = MD_NO_MARKER;
	b->is_quote = false;
	b->head = 0;
	if (b->kind != MD_RULE)
		b->kind = MD_PARA;
	for (size_t i = b->run; i < b->run + b->runs; i++) {
		doc->runs.at[i].shown = 0;
		doc->runs.at[i].is_hidden = false;
	}
}

/* A block whose marks alone would take half of a message is shown without. */
static void check_marks(struct cutter *c, struct md_block *b)
{
	size_t least = (size_t)CH_MIN(c->opts->text_max, c->opts->first_max > 0 ? c->opts->first_max : c->opts->text_max);
	unsigned shown = 0;
	struct pen p;

	if (b->head > least / 2)
		b->head = 0;
	pen_init(&p, c->opts->flavour, c->opts->unit, c->doc, NULL);
	pen_begin_block(&p, b, false);
	for (size_t i = b->run; i < b->run + b->runs; i++)
		shown |= c->doc->runs.at[i].shown;
	if (p.used + p.closing + (size_t)b->indent + pen_marks_len(c->opts->flavour, shown) + (shown & MD_LINK ? least / 4 : 0) > least / 2)
		strip(c->doc, b);
}

/* Ends the part; a heading that would be its last goes on to the next: *ret_block is the block to go on with. */
static void turn_page(struct cutter *c, size_t *ret_block)
{
	if (c->has_heading && c->heading > c->first_in_part) {
		take_back(c, &c->before_heading);
		*ret_block = c->heading;
	}
	end_part(c);
	c->first_in_part = *ret_block;
}

/* Is so much in the part already that a block which does not fit begins the next one? */
static bool is_half_full(const struct cutter *c, const struct md_block *b)
{
	if (c->is_empty)
		return false;
	return c->opts->by_paragraph || c->pen.used >= c->pen.max / 2 ||
	       (c->opts->lines_max > 0 && c->pen.lines * 2 >= c->opts->lines_max) ||
	       (b->kind == MD_CODE_BLOCK && b->len < c->pen.max / 2);
}

/* Writes what fits of the block that goes on at *from. true: all of it is written. */
static bool write_block(struct cutter *c, size_t *block, uint32_t *from)
{
	struct md_block *b = &c->doc->blocks.at[*block];
	struct mark before = mark_here(c);
	bool was_empty = c->is_empty;
	size_t next = *block;

	if (put_piece(c, b, *from, b->at + b->len)) {
		c->has_heading = b->kind == MD_HEADING && !was_empty && *from == b->at;
		c->before_heading = before;
		c->heading = *block;
		return true;
	}
	if (!is_half_full(c, b) && put_cut(c, b, from)) {
		end_part(c);
		c->first_in_part = *block;
		return *from >= b->at + b->len;
	}
	if (c->is_empty) {
		strip(c->doc, b);        /* its marks do not fit: without them every character does */
		return false;
	}
	turn_page(c, &next);
	if (next != *block) {
		*block = next;
		*from = c->doc->blocks.at[next].at;
	}
	return false;
}

static void write_blocks(struct cutter *c)
{
	for (size_t i = 0; i < c->doc->blocks.len && !c->is_out_of_memory; i++) {
		uint32_t from = c->doc->blocks.at[i].at;

		check_marks(c, &c->doc->blocks.at[i]);
		while (!c->is_out_of_memory && !write_block(c, &i, &from))
			;
	}
	end_part(c);
}

/* -- the whole -- */

static enum render_tables tables_of(enum render_tables t)
{
	return t == RENDER_TABLES_DEFAULT || t == RENDER_TABLES_BLOCK ? RENDER_TABLES_CODE : t;
}

ch_status render_message(struct arena *a, const char *markdown, size_t len, const struct render_opts *opts,
			 const struct render_part **ret, size_t *ret_count, struct ch_err *err)
{
	CH_AUTO_DONE(md_doc_done) struct md_doc doc = { .runs = VEC_INIT };
	struct cutter c = { .a = a, .opts = opts, .doc = &doc };
	ch_status st;

	if (len > RENDER_IN_MAX)
		return ch_fail(err, CH_E_LIMIT, "a message of %zu bytes is too long to be shown: %u at most", len, RENDER_IN_MAX);
	if (opts->text_max < RENDER_TEXT_MIN || (opts->first_max > 0 && opts->first_max < RENDER_TEXT_MIN))
		return ch_fail(err, CH_E_INVALID, "a message of less than %d characters cannot be made", RENDER_TEXT_MIN);
	st = md_read(&doc, markdown, len, tables_of(opts->tables), err);
	if (st)
		return st;
	render_flavour(&doc, opts->flavour, (size_t)CH_MIN(opts->text_max, opts->first_max > 0 ? opts->first_max : opts->text_max) / 4);
	buf_init(&c.text, (size_t)opts->text_max * 64 + 65536);
	buf_init(&c.plain, (size_t)opts->text_max * 64 + 65536);
	begin_part(&c);
	write_blocks(&c);
	buf_done(&c.text);
	buf_done(&c.plain);
	if (c.is_out_of_memory)
		return ch_fail(err, CH_E_NOMEM, "there is no memory to show a message");
	*ret = c.parts;
	*ret_count = c.count;
	return CH_OK;
}

const char *render_escape(struct arena *a, enum chan_flavour flavour, const char *text)
{
	struct md_block b = { .kind = MD_PARA, .runs = 1, .len = (uint32_t)strlen(text) };
	struct md_run run = { .link = -1, .len = (uint32_t)strlen(text) };
	struct md_doc doc = { .text = { .data = (char *)(uintptr_t)text }, .runs = { &run, 1, 1 } };
	struct buf out;
	struct pen p;
	const char *ret;

	buf_init(&out, strlen(text) * 8 + 64);
	pen_init(&p, flavour, CHAN_BYTES, &doc, &out);
	pen_text(&p, &b, 0, 0, run.len);
	ret = arena_strndup(a, buf_str(&out), out.len);
	buf_done(&out);
	return ret;
}
