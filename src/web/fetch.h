/*
 * web/fetch.h - one GET, read as text.
 *
 * Hosts   each hop of a redirect is judged by itself: names of blockedHostnames are refused, exact names of
 *         allowedHostnames may be private (never link-local or a metadata service), all others must be public at the
 *         moment of connecting.
 * Headers those of the configuration go to the origin that was asked for, not to where it redirects.
 * Limits  tools.web.fetch.*: bytes after decompression, redirects, time, characters.
 * Fails   CH_E_INVALID (the address), CH_E_DENIED (the host), CH_E_UNSUPPORTED (no text: a picture, a PDF, a charset),
 *         CH_E_LIMIT, CH_E_PEER, CH_E_TIMEOUT, CH_E_CANCELED. A status other than 2xx is an answer.
 */
#ifndef CH_WEB_FETCH_H
#define CH_WEB_FETCH_H

#include "web/web.h"

struct fetch_in {
	struct config *config;           /* referenced by the caller for the call */
	const char *url;
	bool is_plain;                   /* extractMode text */
	int64_t max_chars;               /* 0: as configured */
	int64_t deadline_ms;
};
struct fetch_page {
	const char *url, *final_url, *content_type, *title, *extractor, *text, *warning;   /* title, warning: NULL when there is none */
	int status;
	int64_t length, raw_length;      /* characters of text, and of what was extracted */
	int64_t fetched_at, took_ms;     /* wall clock */
	bool is_truncated, is_cached;
};
/* All of ret is on the arena. */
CH_FIBER CH_MUST_USE ch_status web_fetch(struct web *w, const struct fetch_in *in, struct arena *a, struct fetch_page *ret,
					 struct ch_err *err);

#endif
