/*
 * net/sse.h - decoders of streamed bodies, without I/O.
 *
 * SSE: WHATWG HTML 9.2 "event stream" (CR, LF and CRLF; BOM; data joined by \n).
 * NDJSON: one JSON text a line, blank lines skipped.
 * Limits  max_bytes per event or line (CH_E_LIMIT).
 */
#ifndef CH_NET_SSE_H
#define CH_NET_SSE_H

#include "core/buf.h"
#include "core/err.h"

struct sse_event {
	const char *event;               /* "message" by default */
	const char *data;                /* NUL-terminated */
	size_t data_len;
	const char *id;                  /* last seen id, or NULL */
	int64_t retry_ms;                /* -1: not given */
};

struct sse { struct buf line, data, event, id; int64_t retry_ms; bool skip_lf, started, has_data; };
void sse_init(struct sse *s, size_t max_bytes);
void sse_done(struct sse *s);
/* on_event returns false to stop (not an error). */
CH_MUST_USE ch_status sse_feed(struct sse *s, const char *p, size_t n,
			       bool (*on_event)(void *arg, const struct sse_event *ev), void *arg, struct ch_err *err);

struct ndjson { struct buf line; };
void ndjson_init(struct ndjson *d, size_t max_bytes);
void ndjson_done(struct ndjson *d);
CH_MUST_USE ch_status ndjson_feed(struct ndjson *d, const char *p, size_t n,
				  bool (*on_line)(void *arg, const char *line, size_t len), void *arg, struct ch_err *err);
/* The last line may lack its newline. */
CH_MUST_USE ch_status ndjson_end(struct ndjson *d, bool (*on_line)(void *arg, const char *line, size_t len),
				 void *arg, struct ch_err *err);

#endif
