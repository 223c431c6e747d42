/*
 * web/body.c - reading and decompressing a response's body (RFC 9110 8.4, RFC 1952).
 */
#include "web/body.h"

#include <string.h>
#include <zlib.h>

#include "core/str.h"

#define PIECE_BYTES (16u << 10)
#define GZIP_OR_ZLIB (15 + 32)           /* inflateInit2: the header says which of them */

struct reader {
	struct http_resp *resp;
	struct buf *out;
	size_t max_bytes;                /* of out */
	z_stream z;
	bool is_packed, is_cut, is_over;
};

static void keep(struct reader *r, const char *p, size_t n)
{
	size_t room = r->max_bytes - r->out->len;

	if (n > room) {
		r->is_cut = true;
		n = room;
	}
	buf_append(r->out, p, n);
}

/* Until the piece is used up, the output is full, or the stream ends. */
static ch_status unpack(struct reader *r, char *in, size_t n, struct ch_err *err)
{
	char piece[2048];
	int rc = Z_OK;

	r->z.next_in = (Bytef *)in;
	r->z.avail_in = (uInt)n;
	while (!r->is_cut && !r->is_over && (r->z.avail_in || r->z.avail_out == 0)) {
		r->z.next_out = (Bytef *)piece;
		r->z.avail_out = sizeof(piece);
		rc = inflate(&r->z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
			return ch_fail(err, CH_E_PEER, "the compressed response is damaged");
		keep(r, piece, sizeof(piece) - r->z.avail_out);
		r->is_over = rc == Z_STREAM_END;
		if (rc == Z_BUF_ERROR)
			break;
	}
	return CH_OK;
}

static ch_status choose_coding(struct reader *r, struct ch_err *err)
{
	const char *coding = http_resp_header(r->resp, "content-encoding");

	if (str_empty(coding) || str_ieq(coding, "identity"))
		return CH_OK;
	if (!str_ieq(coding, "gzip") && !str_ieq(coding, "x-gzip") && !str_ieq(coding, "deflate"))
		return ch_fail(err, CH_E_UNSUPPORTED, "the response is compressed by '%.40s', which was not asked for", coding);
	if (inflateInit2(&r->z, GZIP_OR_ZLIB) != Z_OK)
		return ch_fail(err, CH_E_NOMEM, "no memory to decompress the response");
	r->is_packed = true;
	return CH_OK;
}

static CH_FIBER ch_status read_pieces(struct reader *r, int64_t deadline_ms, struct ch_err *err)
{
	CH_AUTO_BUF struct buf piece = { 0 };
	ch_status st = CH_OK;

	buf_init(&piece, 2 * PIECE_BYTES);
	if (!buf_reserve(&piece, PIECE_BYTES))
		return buf_status(&piece, err, "the response");
	while (!st && !r->is_cut && !r->is_over) {
		size_t n = 0;

		st = http_read(r->resp, piece.data, PIECE_BYTES, deadline_ms, &n, err);
		if (st || n == 0)
			break;
		if (r->is_packed)
			st = unpack(r, piece.data, n, err);
		else
			keep(r, piece.data, n);
	}
	return st ? st : buf_status(r->out, err, "the response");
}

CH_FIBER ch_status web_body_read(struct http_resp *resp, size_t max_bytes, int64_t deadline_ms, struct buf *out, bool *ret_is_cut,
				 struct ch_err *err)
{
	struct reader r = { .resp = resp, .out = out, .max_bytes = max_bytes };
	ch_status st = choose_coding(&r, err);

	if (!st)
		st = read_pieces(&r, deadline_ms, err);
	if (r.is_packed)
		inflateEnd(&r.z);
	if (!st)
		*ret_is_cut = r.is_cut;
	return st;
}
