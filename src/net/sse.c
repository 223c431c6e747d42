/*
 * net/sse.c - event streams and NDJSON, bytes in and events out.
 *
 * Both walk the input line by line. A line that lies whole in the input is
 * used where it is; only one cut by the end of the input is copied.
 *
 * Departures from WHATWG HTML 9.2: bytes are handed on as they came (no U+FFFD
 * for invalid UTF-8; the reader of the data decides), and a `retry` seen in a
 * block without data is told with the next event instead of being lost.
 */
#include "net/sse.h"

#include <string.h>

#include "core/str.h"

static const char utf8_bom[3] = "\xef\xbb\xbf";

void sse_init(struct sse *s, size_t max_bytes)
{
	*s = (struct sse){ .retry_ms = -1 };
	buf_init(&s->line, max_bytes);
	buf_init(&s->data, max_bytes);
	buf_init(&s->event, max_bytes);
	buf_init(&s->id, max_bytes);
}

void sse_done(struct sse *s)
{
	buf_done(&s->line);
	buf_done(&s->data);
	buf_done(&s->event);
	buf_done(&s->id);
}

static void sse_set(struct buf *b, const char *value, size_t n)
{
	buf_clear(b);
	buf_append(b, value, n);
}

/* Digits only, else the field is ignored (9.2.6). */
static int64_t parse_retry(const char *value, size_t n)
{
	int64_t ms = 0;

	if (n == 0 || n > 12)
		return -1;
	for (size_t i = 0; i < n; i++) {
		if (value[i] < '0' || value[i] > '9')
			return -1;
		ms = ms * 10 + (value[i] - '0');
	}
	return ms;
}

static bool field_is(const char *line, size_t n, const char *name)
{
	return n == strlen(name) && memcmp(line, name, n) == 0;
}

static void sse_field(struct sse *s, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	size_t name_len = colon ? (size_t)(colon - line) : n;
	const char *value = colon ? colon + 1 : line + n;
	size_t value_len = (size_t)(line + n - value);
	int64_t retry_ms;

	if (value_len && *value == ' ') {
		value++;
		value_len--;
	}
	if (field_is(line, name_len, "data")) {
		if (s->has_data)
			buf_putc(&s->data, '\n');
		buf_append(&s->data, value, value_len);
		s->has_data = true;
	} else if (field_is(line, name_len, "event")) {
		sse_set(&s->event, value, value_len);
	} else if (field_is(line, name_len, "id")) {
		if (!memchr(value, '\0', value_len))
			sse_set(&s->id, value, value_len);
	} else if (field_is(line, name_len, "retry")) {
		retry_ms = parse_retry(value, value_len);
		if (retry_ms >= 0)
			s->retry_ms = retry_ms;
	}
}

/* The empty line: gives what on_event said, true when there was nothing to tell. */
static bool sse_dispatch(struct sse *s, bool (*on_event)(void *arg, const struct sse_event *ev), void *arg)
{
	struct sse_event ev = {
		.event = s->event.len ? buf_str(&s->event) : "message",
		.data = buf_str(&s->data),
		.data_len = s->data.len,
		.id = s->id.len ? buf_str(&s->id) : NULL,
		.retry_ms = s->retry_ms,
	};
	bool go_on = true;

	if (s->has_data) {
		go_on = on_event(arg, &ev);
		s->retry_ms = -1;
	}
	buf_clear(&s->data);
	buf_clear(&s->event);
	s->has_data = false;
	return go_on;
}

/* One line without its end. False: stop. */
static bool sse_line(struct sse *s, const char *line, size_t n,
		     bool (*on_event)(void *arg, const struct sse_event *ev), void *arg)
{
	if (!s->started && n >= sizeof(utf8_bom) && memcmp(line, utf8_bom, sizeof(utf8_bom)) == 0) {
		line += sizeof(utf8_bom);
		n -= sizeof(utf8_bom);
	}
	s->started = true;
	if (n == 0) {
		/* An event that failed to fit is not told cut; the caller sees the failure. */
		return s->data.failed || sse_dispatch(s, on_event, arg);
	}
	if (*line != ':')
		sse_field(s, line, n);
	return true;
}

static ch_status sse_status(const struct sse *s, struct ch_err *err)
{
	if (s->line.failed)
		return buf_status(&s->line, err, "event stream: one line");
	if (s->data.failed)
		return buf_status(&s->data, err, "event stream: one event");
	if (s->event.failed)
		return buf_status(&s->event, err, "event stream: an event name");
	return buf_status(&s->id, err, "event stream: an event id");
}

static size_t line_length(const char *p, size_t n)
{
	const char *lf = memchr(p, '\n', n);
	const char *cr = memchr(p, '\r', lf ? (size_t)(lf - p) : n);

	if (cr)
		return (size_t)(cr - p);
	return lf ? (size_t)(lf - p) : n;
}

ch_status sse_feed(struct sse *s, const char *p, size_t n,
		   bool (*on_event)(void *arg, const struct sse_event *ev), void *arg, struct ch_err *err)
{
	while (n && !sse_status(s, NULL)) {
		size_t len;
		bool go_on;

		if (s->skip_lf) {
			s->skip_lf = false;
			if (*p == '\n') {
				p++;
				n--;
				continue;
			}
		}
		len = line_length(p, n);
		if (len > s->line.max_bytes) {
			s->line.failed = CH_E_LIMIT;
			break;
		}
		if (len == n || s->line.len) {
			buf_append(&s->line, p, len);
			if (len == n || s->line.failed)
				break;
			go_on = sse_line(s, buf_str(&s->line), s->line.len, on_event, arg);
			buf_clear(&s->line);
		} else {
			go_on = sse_line(s, p, len, on_event, arg);
		}
		s->skip_lf = p[len] == '\r';
		p += len + 1;
		n -= len + 1;
		if (!go_on)
			break;
	}
	return sse_status(s, err);
}

void ndjson_init(struct ndjson *d, size_t max_bytes)
{
	buf_init(&d->line, max_bytes);
}

void ndjson_done(struct ndjson *d)
{
	buf_done(&d->line);
}

static bool ndjson_line(const char *line, size_t n, bool (*on_line)(void *arg, const char *line, size_t len),
			void *arg)
{
	while (n && memchr(" \t\r", line[n - 1], 3))
		n--;
	while (n && memchr(" \t\r", line[0], 3)) {
		line++;
		n--;
	}
	return n == 0 || on_line(arg, line, n);
}

ch_status ndjson_feed(struct ndjson *d, const char *p, size_t n,
		      bool (*on_line)(void *arg, const char *line, size_t len), void *arg, struct ch_err *err)
{
	while (n && !d->line.failed) {
		const char *lf = memchr(p, '\n', n);
		size_t len = lf ? (size_t)(lf - p) : n;
		bool go_on;

		if (len > d->line.max_bytes) {
			d->line.failed = CH_E_LIMIT;
			break;
		}
		if (!lf || d->line.len) {
			buf_append(&d->line, p, len);
			if (!lf || d->line.failed)
				break;
			go_on = ndjson_line(buf_str(&d->line), d->line.len, on_line, arg);
			buf_clear(&d->line);
		} else {
			go_on = ndjson_line(p, len, on_line, arg);
		}
		p += len + 1;
		n -= len + 1;
		if (!go_on)
			break;
	}
	return buf_status(&d->line, err, "NDJSON: one line");
}

ch_status ndjson_end(struct ndjson *d, bool (*on_line)(void *arg, const char *line, size_t len), void *arg,
		     struct ch_err *err)
{
	ch_status st = buf_status(&d->line, err, "NDJSON: one line");

	if (st)
		return st;
	(void)ndjson_line(buf_str(&d->line), d->line.len, on_line, arg);
	buf_clear(&d->line);
	return CH_OK;
}
