/*
 * core/buf.c - growing byte buffer with a ceiling.
 *
 * Invariant: data is NULL iff cap is 0; otherwise len < cap and data[len] is
 * NUL. cap counts the terminator, max_bytes does not.
 */
#include "core/buf.h"

#include <stdio.h>
#include <string.h>

#include "core/mem.h"

#define FIRST_CAP 64u

void buf_init(struct buf *b, size_t max_bytes)
{
	*b = (struct buf){ .max_bytes = max_bytes };
}

void buf_done(struct buf *b)
{
	ch_free(b->data);
	*b = (struct buf){ .max_bytes = b->max_bytes };
}

void buf_clear(struct buf *b)
{
	b->failed = CH_OK;
	buf_truncate(b, 0);
}

static bool fail(struct buf *b, ch_status st)
{
	b->failed = st;
	return false;
}

bool buf_reserve(struct buf *b, size_t more)
{
	size_t need, cap;
	char *data;

	if (b->failed)
		return false;
	if (more < b->cap - b->len)
		return true;
	if (more > b->max_bytes - b->len || b->len + more == SIZE_MAX)
		return fail(b, CH_E_LIMIT);
	need = b->len + more + 1;
	cap = b->cap ? b->cap : FIRST_CAP;
	while (cap < need)
		cap = cap > SIZE_MAX / 2 ? need : 2 * cap;
	if (b->max_bytes < SIZE_MAX)
		cap = CH_MIN(cap, b->max_bytes + 1);
	data = ch_try_realloc(b->data, cap);
	if (!data)
		return fail(b, CH_E_NOMEM);
	data[b->len] = '\0';
	b->data = data;
	b->cap = cap;
	return true;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
	/* Mostly there is room. */
	if (!n || ((b->failed || n >= b->cap - b->len) && !buf_reserve(b, n)))
		return;
	memcpy(b->data + b->len, p, n);
	b->len += n;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *s)
{
	buf_append(b, s, strlen(s));
}

void buf_putc(struct buf *b, char c)
{
	buf_append(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	size_t room = b->failed ? 0 : b->cap - b->len;
	va_list again;
	int n;

	va_copy(again, ap);
	n = vsnprintf(room ? b->data + b->len : NULL, room, fmt, ap);
	CH_BUG_ON(n < 0);
	if (buf_reserve(b, (size_t)n)) {
		if ((size_t)n >= room)
			vsnprintf(b->data + b->len, (size_t)n + 1, fmt, again);
		b->len += (size_t)n;
	} else if (room) {
		b->data[b->len] = '\0';
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

void buf_consume(struct buf *b, size_t n)
{
	CH_BUG_ON(n > b->len);
	if (!n)
		return;
	b->len -= n;
	memmove(b->data, b->data + n, b->len + 1);
}

void buf_truncate(struct buf *b, size_t len)
{
	CH_BUG_ON(len > b->len);
	b->len = len;
	if (b->data)
		b->data[len] = '\0';
}

const char *buf_str(const struct buf *b)
{
	return b->data ? b->data : "";
}

ch_status buf_status(const struct buf *b, struct ch_err *err, const char *what)
{
	if (b->failed == CH_E_LIMIT)
		return ch_fail(err, CH_E_LIMIT, "%s is larger than %zu bytes", what, b->max_bytes);
	if (b->failed)
		return ch_fail(err, b->failed, "%s: no memory after %zu bytes", what, b->len);
	return CH_OK;
}

char *buf_take(struct buf *b, size_t *ret_len)
{
	char *data = b->data ? b->data : ch_alloc(1);

	if (ret_len)
		*ret_len = b->len;
	*b = (struct buf){ .max_bytes = b->max_bytes };
	return data;
}

void buf_put_block(struct buf *b, const char *text)
{
	size_t longest = 2, run = 0;

	for (const char *p = text; *p; p++) {
		run = *p == '`' ? run + 1 : 0;
		longest = CH_MAX(longest, run);
	}
	for (size_t i = 0; i <= longest; i++)
		buf_putc(b, '`');
	buf_printf(b, "\n%s\n", text);
	for (size_t i = 0; i <= longest; i++)
		buf_putc(b, '`');
	buf_putc(b, '\n');
}
