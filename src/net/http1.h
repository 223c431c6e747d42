/*
 * net/http1.h - HTTP/1.1 requests from bytes, without I/O (RFC 9112).
 *
 * One request is: http1_scan() over the bytes as they arrive until the head
 * is whole, http1_parse() of the head, http1_body_feed() until body.is_done.
 * This is the seam in front of http-parser; what that library lets pass and a
 * proxy might read otherwise (bare LF, folded lines, white space around
 * names, sloppy chunks, doubled framing headers) is refused here.
 *
 * Limits  HTTP_HEADER_MAX bytes and HTTP_HEADER_COUNT_MAX lines of head,
 *         HTTP1_TARGET_MAX of target, HTTP1_CHUNK_LINE_MAX, HTTP1_TRAILER_MAX;
 *         the body's ceiling is that of the buffer it goes to.
 * Fails   with the HTTP status to answer in *ret_http; err->text says what was wrong
 *         without quoting the peer. The connection cannot be used afterwards.
 */
#ifndef CH_NET_HTTP1_H
#define CH_NET_HTTP1_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "net/http_server.h"

#define HTTP1_TARGET_MAX (8u * 1024u)
#define HTTP1_CHUNK_LINE_MAX 256         /* chunk extensions nobody uses */
#define HTTP1_TRAILER_MAX (4u * 1024u)

/* Where the end of the head is looked for; zero to begin with. */
struct http1_scan {
	size_t at;                       /* bytes seen */
	size_t line_start;
	unsigned lines;                  /* complete, without leading empty ones */
	size_t skip;                     /* empty lines in front (RFC 9112 2.2) */
};

/*
 * Looks at bytes[scan->at .. n): *ret_len is the length of the head with its
 * empty line, 0 while it is incomplete.
 */
CH_MUST_USE ch_status http1_scan(struct http1_scan *scan, const char *bytes, size_t n, size_t *ret_len,
				 int *ret_http, struct ch_err *err);

struct http1_head {
	const char *method, *target, *path, *query;
	struct http_header *headers;     /* names in lower case, values trimmed */
	size_t header_count;
	bool is_http10;
	bool keep_alive;
	bool expects_continue;
	bool is_chunked;
	uint64_t content_length;         /* 0 when absent or chunked */
	bool is_upgrade;                 /* a well-formed WebSocket upgrade */
	const char *ws_key;              /* of that upgrade */
};

/* bytes[0..n) is what http1_scan() measured; everything in *ret lives on the arena. */
CH_MUST_USE ch_status http1_parse(struct arena *a, const char *bytes, size_t n, struct http1_head *ret,
				  int *ret_http, struct ch_err *err);

enum http1_body_state {
	HTTP1_COUNTED,
	HTTP1_CHUNK_SIZE,
	HTTP1_CHUNK_EXT,
	HTTP1_CHUNK_SIZE_LF,
	HTTP1_CHUNK_DATA,
	HTTP1_CHUNK_DATA_CR,
	HTTP1_CHUNK_DATA_LF,
	HTTP1_TRAILER,
	HTTP1_TRAILER_LF,
};

struct http1_body {
	enum http1_body_state state;
	bool is_done;
	uint64_t left;                   /* of the content, or of the chunk */
	unsigned digits;                 /* of the chunk size so far */
	size_t line_bytes;               /* of the chunk line or trailer line so far */
	size_t trailer_bytes;
};

void http1_body_init(struct http1_body *b, const struct http1_head *head);
/* Appends decoded bytes to out; *ret_used of the input belong to this body. */
CH_MUST_USE ch_status http1_body_feed(struct http1_body *b, const char *p, size_t n, struct buf *out,
				      size_t *ret_used, int *ret_http, struct ch_err *err);

#endif
