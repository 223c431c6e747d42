/*
 * exec/process_output.c - the last bytes that a command wrote, and how they are shown as text.
 */
#include <string.h>

#include "core/str.h"
#include "exec/process_priv.h"

#define UTF8_MAX 4

void modes_feed(struct process_modes *m, const char *data, size_t len)
{
	static const char start[] = "\033[?1";

	for (size_t i = 0; i < len; i++) {
		if (m->at == sizeof(start) - 1) {
			if (data[i] == 'h' || data[i] == 'l')
				m->has_app_keys = data[i] == 'h';
			m->at = data[i] == start[0];
		} else if (data[i] == start[m->at]) {
			m->at++;
		} else {
			m->at = data[i] == start[0];
		}
	}
}

void ring_init(struct process_ring *r)
{
	buf_init(&r->kept, PROCESS_OUTPUT_MAX + OUTPUT_SLACK);
	r->first = 0;
}

void ring_done(struct process_ring *r)
{
	buf_done(&r->kept);
}

static void drop(struct process_ring *r, size_t n)
{
	buf_consume(&r->kept, n);
	r->first += n;
}

void ring_add(struct process_ring *r, const char *data, size_t len)
{
	if (len > PROCESS_OUTPUT_MAX) {
		size_t lost = len - PROCESS_OUTPUT_MAX;

		drop(r, r->kept.len);
		r->first += lost;
		data += lost;
		len -= lost;
	}
	if (r->kept.len + len > PROCESS_OUTPUT_MAX + OUTPUT_SLACK)
		drop(r, r->kept.len + len - PROCESS_OUTPUT_MAX);
	buf_append(&r->kept, data, len);
	if (r->kept.failed) {
		/* No memory for it: it is lost like what is too old. */
		buf_clear(&r->kept);
		r->first += len;
	}
}

uint64_t ring_end(const struct process_ring *r)
{
	return r->first + r->kept.len;
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* Bytes of an unfinished character at the end: at most three, when they could still become one. */
static size_t unfinished(const char *s, size_t n)
{
	size_t back = 0;
	unsigned char lead;
	size_t want;

	while (back < n && back < UTF8_MAX - 1 && is_continuation(s[n - 1 - back]))
		back++;
	if (back >= n)
		return 0;
	lead = (unsigned char)s[n - 1 - back];
	want = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc2 ? 2 : 1;
	return want > back + 1 ? back + 1 : 0;
}

void ring_text(const struct process_ring *r, uint64_t from, size_t max, bool is_whole, struct arena *a, struct process_text *ret)
{
	size_t at, len;
	const char *s;

	from = CH_MIN(CH_MAX(from, r->first), ring_end(r));
	at = (size_t)(from - r->first);
	s = buf_str(&r->kept) + at;
	len = r->kept.len - at;
	/* What was dropped may have taken the beginning of a character with it. */
	for (int i = 0; from == r->first && r->first && i < UTF8_MAX - 1 && len && is_continuation(*s); i++) {
		s++;
		len--;
		from++;
	}
	if (len > max) {
		len = max;
		is_whole = false;
	}
	if (!is_whole && len) {
		size_t cut = unfinished(s, len);

		len -= cut < len ? cut : 0;
	}
	ret->from = from;
	ret->upto = from + len;
	ret->text = len ? utf8_repair(a, s, len, &ret->len) : "";
	if (!len)
		ret->len = 0;
}

void ring_lines(const struct process_ring *r, size_t first, size_t count, struct arena *a, struct process_text *ret, size_t *ret_lines)
{
	const char *s = buf_str(&r->kept), *end = s + r->kept.len;
	const char *from = NULL, *upto = end;
	size_t line = 0;

	for (const char *p = s; p < end; line++) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (line == first)
			from = p;
		if (line >= first && line - first == count)
			upto = upto == end ? p : upto;
		p = nl ? nl + 1 : end;
	}
	*ret_lines = line;
	if (!from)
		from = upto = end;
	ret->from = r->first + (uint64_t)(from - s);
	ret->upto = r->first + (uint64_t)(upto - s);
	ret->text = from < upto ? utf8_repair(a, from, (size_t)(upto - from), &ret->len) : "";
	if (from == upto)
		ret->len = 0;
}
