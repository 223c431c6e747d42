/*
 * web/body.h - the body of a response, decompressed, up to a ceiling.
 *
 * The ceiling is on what comes out: a small body that swells to gigabytes is cut like any other long one. We ask for
 * gzip only and undo it here, piece by piece; libcurl would do it behind our back and without a bound.
 */
#ifndef CH_WEB_BODY_H
#define CH_WEB_BODY_H

#include "net/http_client.h"

#define BODY_ACCEPT_ENCODING "gzip"

/* Appends to out, whose ceiling must be above max_bytes. ret_is_cut: there was more. */
CH_FIBER CH_MUST_USE ch_status web_body_read(struct http_resp *r, size_t max_bytes, int64_t deadline_ms, struct buf *out,
					     bool *ret_is_cut, struct ch_err *err);

#endif
