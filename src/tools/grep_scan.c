/*
 * tools/grep_scan.c - the lines of one file that match, with those around them, a piece of the file at a time.
 *
 * The buffer holds the lines that may still be shown before a match, then the piece under way. Positions are counted
 * from its begin and move when it is shifted.
 */
#include "tools/grep_scan.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"
#include "tools/path.h"

#define SNIFF_BYTES 8192
#define PIECE_MS 40                      /* a slow pattern ends the piece; looked at every CLOCK_LINES lines */
#define CLOCK_LINES 256
#define KEPT_BYTES (SCAN_BUFFER_BYTES / 4)       /* of lines before a match: the rest of the buffer is for what comes */

struct line { size_t at, len; };

struct scan {
	const struct scan_opts *opts;
	int fd;
	char *data;
	size_t have, at;                 /* bytes in the buffer; where the next line begins */
	bool is_eof, is_started, in_long_line;
	int64_t number;                  /* of the next line, from 1 */
	struct line before[SCAN_CONTEXT_MAX];
	int before_count, after_left;
	int64_t last_written, matches;
};

struct scan *scan_new(const struct scan_opts *opts, int take_fd)
{
	struct scan *s = ch_calloc(1, sizeof(*s));

	s->opts = opts;
	s->fd = take_fd;
	s->data = ch_alloc(SCAN_BUFFER_BYTES);
	s->number = 1;
	return s;
}

void scan_free(struct scan *s)
{
	if (!s)
		return;
	wk_close(&s->fd);
	ch_free(s->data);
	ch_free(s);
}

int64_t scan_matches(const struct scan *s)
{
	return s->matches;
}

/* Makes room behind what must be kept, and fills it. */
static void refill(struct scan *s)
{
	size_t keep = s->before_count ? s->before[0].at : s->at;

	memmove(s->data, s->data + keep, s->have - keep);
	s->have -= keep;
	s->at -= keep;
	for (int i = 0; i < s->before_count; i++)
		s->before[i].at -= keep;
	while (!s->is_eof && s->have < SCAN_BUFFER_BYTES) {
		ssize_t n = read(s->fd, s->data + s->have, SCAN_BUFFER_BYTES - s->have);

		if (n < 0 && errno == EINTR)
			continue;
		s->is_eof = n <= 0;
		s->have += n > 0 ? (size_t)n : 0;
	}
}

/* -- showing lines -- */

/* At most SCAN_SHOWN bytes, those around the match. */
static void put_line(const struct scan *s, struct buf *out, struct line l, int64_t number, char sign, size_t match_at)
{
	const char *p = s->data + l.at;
	size_t from = 0, n = l.len;

	buf_printf(out, "%lld%c ", (long long)number, sign);
	if (n > SCAN_SHOWN) {
		from = match_at > SCAN_SHOWN / 3 ? match_at - SCAN_SHOWN / 3 : 0;
		while (from < n && from && ((unsigned char)p[from] & 0xc0) == 0x80)
			from++;
		n = utf8_cut(p + from, n - from, SCAN_SHOWN);
	}
	if (from)
		buf_puts(out, "\xe2\x80\xa6");
	buf_append(out, p + from, n);
	buf_puts(out, from + n < l.len ? "\xe2\x80\xa6\n" : "\n");
}

static void put_gap(struct scan *s, struct buf *out, int64_t number)
{
	if (s->opts->context && s->last_written && number > s->last_written + 1)
		buf_puts(out, "--\n");
}

static void put_match(struct scan *s, struct buf *out, struct line l, size_t match_at)
{
	int64_t first = s->number - s->before_count;

	put_gap(s, out, first);
	for (int i = 0; i < s->before_count; i++)
		put_line(s, out, s->before[i], first + i, '-', 0);
	put_line(s, out, l, s->number, ':', match_at);
	s->last_written = s->number;
	s->before_count = 0;
	s->after_left = s->opts->context;
}

static void forget_first(struct scan *s)
{
	s->before_count--;
	memmove(s->before, s->before + 1, (size_t)s->before_count * sizeof(s->before[0]));
}

static void remember(struct scan *s, struct line l)
{
	if (s->opts->only_count || !s->opts->context)
		return;
	if (s->before_count == s->opts->context)
		forget_first(s);
	s->before[s->before_count++] = l;
	while (s->before_count && s->at - s->before[0].at > KEPT_BYTES)
		forget_first(s);
}

/* -- looking -- */

/* One line, or as much of a very long one as the buffer holds. False: enough of this file. */
static bool look(struct scan *s, struct line l, struct buf *out, struct scan_tally *tally)
{
	size_t at = 0;
	ch_status st = regex_find(s->opts->regex, s->data + l.at, l.len, 0, &at, NULL);

	if (!st && !s->in_long_line) {   /* a line counts once */
		if (!s->opts->only_count)
			put_match(s, out, l, at);
		s->matches++;
		tally->matches++;
		return !s->opts->only_first && tally->matches < s->opts->limit;
	}
	tally->gave_up += st == CH_E_LIMIT;
	if (s->after_left && !s->in_long_line) {
		s->after_left--;
		put_line(s, out, l, s->number, '-', 0);
		s->last_written = s->number;
	} else {
		remember(s, l);
	}
	return tally->gave_up < SCAN_GAVE_UP_MAX;
}

/* The next line of the buffer; false: its end is not there yet. */
static bool next_line(struct scan *s, struct line *ret, bool *ret_is_whole)
{
	const char *p = s->data + s->at, *nl = memchr(p, '\n', s->have - s->at);

	*ret_is_whole = nl || s->is_eof;
	if (!nl && !s->is_eof && s->have - s->at < SCAN_BUFFER_BYTES / 2)
		return false;
	*ret = (struct line){ s->at, nl ? (size_t)(nl - p) : s->have - s->at };
	s->at += ret->len + (nl ? 1 : 0);
	ret->len -= nl && ret->len && p[ret->len - 1] == '\r';
	return true;
}

static bool look_at_lines(struct scan *s, struct buf *out, struct scan_tally *tally)
{
	int64_t until_ms = now_mono_ms() + PIECE_MS;
	size_t from = s->at;
	bool is_whole = true, go_on = true;
	struct line l;

	for (unsigned n = 1; go_on && s->at < s->have && next_line(s, &l, &is_whole); n++) {
		go_on = look(s, l, out, tally);
		s->in_long_line = !is_whole;
		s->number += is_whole;
		if (!is_whole)
			s->before_count = 0;     /* too long to be kept */
		if (n % CLOCK_LINES == 0 && now_mono_ms() > until_ms)
			break;
	}
	tally->bytes += (int64_t)(s->at - from);
	return go_on && (!s->is_eof || s->at < s->have);
}

bool scan_piece(struct scan *s, struct buf *out, struct scan_tally *tally)
{
	if (!s->is_eof)
		refill(s);
	if (!s->is_started && memchr(s->data, '\0', CH_MIN(s->have, SNIFF_BYTES))) {
		tally->binary++;
		return false;
	}
	s->is_started = true;
	return look_at_lines(s, out, tally);
}
