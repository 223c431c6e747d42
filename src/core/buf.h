/*
 * core/buf.h - growing byte buffer with a ceiling.
 *
 * Owns    data; it is always NUL-terminated at data[len] once anything was
 *         appended (the terminator is not counted).
 * Limits  max_bytes given at birth. An append that would pass it, or that the
 *         system has no memory for, changes nothing but sets `failed`, which
 *         sticks: build a whole text and check buf_status() once.
 */
#ifndef CH_CORE_BUF_H
#define CH_CORE_BUF_H

#include <stdarg.h>

#include "core/auto.h"
#include "core/err.h"

struct buf {
	char *data;          /* NULL while nothing was appended */
	size_t len;
	size_t cap;
	size_t max_bytes;
	ch_status failed;    /* CH_OK, CH_E_LIMIT or CH_E_NOMEM */
};

void buf_init(struct buf *b, size_t max_bytes);
void buf_done(struct buf *b);
#define CH_AUTO_BUF __attribute__((cleanup(buf_done)))
void buf_clear(struct buf *b);                                   /* keeps the memory, resets failed */
bool buf_reserve(struct buf *b, size_t more);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_puts(struct buf *b, const char *s);
void buf_putc(struct buf *b, char c);
void buf_printf(struct buf *b, const char *fmt, ...) CH_PRINTF(2, 3);
void buf_vprintf(struct buf *b, const char *fmt, va_list ap) CH_PRINTF(2, 0);
/* The text as a code block of Markdown, between fences longer than any within, so that it cannot leave them. */
void buf_put_block(struct buf *b, const char *text);
/* Drops the first n bytes. */
void buf_consume(struct buf *b, size_t n);
void buf_truncate(struct buf *b, size_t len);
const char *buf_str(const struct buf *b);                        /* "" when empty */
CH_MUST_USE ch_status buf_status(const struct buf *b, struct ch_err *err, const char *what);
/* Moves the bytes out (heap, NUL-terminated, ch_free); b is empty afterwards. */
char *buf_take(struct buf *b, size_t *ret_len);

#endif
