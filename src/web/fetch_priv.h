/*
 * web/fetch_priv.h - what the files of web_fetch share (private).
 */
#ifndef CH_WEB_FETCH_PRIV_H
#define CH_WEB_FETCH_PRIV_H

#include "net/url.h"
#include "web/fetch.h"

/* -- fetch_hosts.c -- */
/* May this host be asked, and under which rule? CH_E_DENIED names the host and the setting. */
CH_MUST_USE ch_status fetch_judge_host(const struct config *c, const char *host, enum guard_policy *ret, struct ch_err *err);

/* -- fetch_headers.c -- */
#define FETCH_HEADERS_MAX 32
struct fetch_headers {
	struct http_header at[FETCH_HEADERS_MAX + 4];    /* the configuration's, then ours */
	size_t count, own_count;
	struct secret *secrets[FETCH_HEADERS_MAX];       /* whose values they are */
};
CH_FIBER CH_MUST_USE ch_status fetch_headers_read(const struct config *c, struct arena *a, struct fetch_headers *ret, struct ch_err *err);
void fetch_headers_done(struct fetch_headers *h);

/* -- fetch_text.c -- */
struct fetch_body {
	const char *data;
	size_t len;
	const char *content_type;        /* or NULL */
	const char *url;
	bool is_plain, is_whole;
	int64_t deadline_ms;
};
/* Fills title, extractor, text and warning of ret. */
CH_FIBER CH_MUST_USE ch_status fetch_extract(const struct fetch_body *in, struct arena *a, struct fetch_page *ret, struct ch_err *err);

#endif
