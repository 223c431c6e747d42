/*
 * net/http1_body.c - the body of a request: counted or chunked (RFC 9112 6, 7.1).
 *
 *	chunk    1*HEX [ext] CRLF data CRLF      ext: anything printable, ignored
 *	last     1*"0" [ext] CRLF trailers CRLF  trailers: lines, ignored
 *
 * Decoded here and not by http-parser: the library as Debian builds it takes
 * any two bytes for the CRLF after a chunk, which lets two parsers in a row
 * disagree about where a request ends.
 */
#include "net/http1.h"

static ch_status bad(int *ret_http, struct ch_err *err, const char *what)
{
	*ret_http = 400;
	return ch_fail(err, CH_E_INVALID, "malformed chunked body: %s", what);
}

void http1_body_init(struct http1_body *b, const struct http1_head *head)
{
	*b = (struct http1_body){ .state = head->is_chunked ? HTTP1_CHUNK_SIZE : HTTP1_COUNTED };
	b->left = head->content_length;
	b->is_done = !head->is_chunked && b->left == 0;
}

static ch_status take_size(struct http1_body *b, char c, int *ret_http, struct ch_err *err)
{
	static const char hex[] = "0123456789abcdef";
	char lower = c >= 'A' && c <= 'F' ? (char)(c | 0x20) : c;
	const char *digit = lower ? strchr(hex, lower) : NULL;

	if (digit) {
		if (b->left >> 59 || ++b->digits > 16)
			return bad(ret_http, err, "a chunk size out of range");
		b->left = b->left << 4 | (uint64_t)(digit - hex);
		return CH_OK;
	}
	if (!b->digits)
		return bad(ret_http, err, "a chunk without a size");
	if (c == '\r')
		b->state = HTTP1_CHUNK_SIZE_LF;
	else if (c == ';' || c == ' ' || c == '\t')
		b->state = HTTP1_CHUNK_EXT;
	else
		return bad(ret_http, err, "a chunk size that is not hexadecimal");
	return CH_OK;
}

static void next_chunk(struct http1_body *b)
{
	b->state = HTTP1_CHUNK_SIZE;
	b->left = b->digits = 0;
	b->line_bytes = 0;
}

/* Is c allowed inside a line whose content we ignore? */
static bool is_text(char c)
{
	return (unsigned char)c >= 0x20 ? c != 0x7f : c == '\t';
}

static ch_status take_trailer(struct http1_body *b, char c, int *ret_http, struct ch_err *err)
{
	if (++b->trailer_bytes > HTTP1_TRAILER_MAX) {
		*ret_http = 431;
		return ch_fail(err, CH_E_LIMIT, "more than %u bytes of trailers", HTTP1_TRAILER_MAX);
	}
	if (c == '\r') {
		b->state = HTTP1_TRAILER_LF;
		return CH_OK;
	}
	b->line_bytes++;
	return is_text(c) ? CH_OK : bad(ret_http, err, "a control byte in a trailer");
}

/* One byte of framing. */
static ch_status take_framing(struct http1_body *b, char c, int *ret_http, struct ch_err *err)
{
	switch (b->state) {
	case HTTP1_CHUNK_SIZE:
	case HTTP1_CHUNK_EXT:
		if (++b->line_bytes > HTTP1_CHUNK_LINE_MAX)
			return bad(ret_http, err, "a chunk line that is too long");
		if (b->state == HTTP1_CHUNK_SIZE)
			return take_size(b, c, ret_http, err);
		if (c == '\r')
			b->state = HTTP1_CHUNK_SIZE_LF;
		else if (!is_text(c))
			return bad(ret_http, err, "a control byte in a chunk extension");
		return CH_OK;
	case HTTP1_CHUNK_SIZE_LF:
		b->state = b->left ? HTTP1_CHUNK_DATA : HTTP1_TRAILER;
		b->line_bytes = 0;
		break;
	case HTTP1_CHUNK_DATA_CR:
		b->state = HTTP1_CHUNK_DATA_LF;
		return c == '\r' ? CH_OK : bad(ret_http, err, "no CRLF after a chunk");
	case HTTP1_CHUNK_DATA_LF:
		next_chunk(b);
		break;
	case HTTP1_TRAILER:
		return take_trailer(b, c, ret_http, err);
	case HTTP1_TRAILER_LF:
		b->state = HTTP1_TRAILER;
		b->is_done = b->line_bytes == 0;
		b->line_bytes = 0;
		break;
	case HTTP1_COUNTED:
	case HTTP1_CHUNK_DATA:
		CH_BUG_ON("data is not framing");
	}
	return c == '\n' ? CH_OK : bad(ret_http, err, "a CR without its LF");
}

/* Bytes of content, as many as are there. */
static ch_status take_data(struct http1_body *b, const char *p, size_t n, struct buf *out, int *ret_http,
			   struct ch_err *err)
{
	if (b->left > out->max_bytes - out->len) {      /* the whole chunk, before any of it is kept */
		*ret_http = 413;
		return ch_fail(err, CH_E_LIMIT, "the body is larger than %zu bytes", out->max_bytes);
	}
	buf_append(out, p, n);
	if (out->failed) {
		*ret_http = 503;
		return ch_fail(err, CH_E_NOMEM, "no memory for the body");
	}
	b->left -= n;
	if (b->left)
		return CH_OK;
	if (b->state == HTTP1_COUNTED)
		b->is_done = true;
	else
		b->state = HTTP1_CHUNK_DATA_CR;
	return CH_OK;
}

ch_status http1_body_feed(struct http1_body *b, const char *p, size_t n, struct buf *out, size_t *ret_used,
			  int *ret_http, struct ch_err *err)
{
	size_t used = 0;

	while (used < n && !b->is_done) {
		ch_status st;

		if (b->state == HTTP1_COUNTED || b->state == HTTP1_CHUNK_DATA) {
			size_t take = (size_t)CH_MIN((uint64_t)(n - used), b->left);

			st = take_data(b, p + used, take, out, ret_http, err);
			used += take;
		} else {
			st = take_framing(b, p[used++], ret_http, err);
		}
		if (st)
			return st;
	}
	*ret_used = used;
	return CH_OK;
}
