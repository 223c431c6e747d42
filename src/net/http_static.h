/*
 * net/http_static.h - files over HTTP: from a directory or embedded in the binary.
 *
 * Strong ETags and 304, precompressed bodies (.gz beside the file, or the
 * embedded gzip) when the client accepts gzip, HEAD, content types from a
 * table, X-Content-Type-Options and Cache-Control unless the caller gave
 * them already. Directory access is by openat2 with
 * RESOLVE_BENEATH and no symlinks; dot files are never served.
 */
#ifndef CH_NET_HTTP_STATIC_H
#define CH_NET_HTTP_STATIC_H

#include "net/http_server.h"

struct http_asset {
	const char *path;                /* "/assets/app-1a2b3c.js" */
	const char *content_type;
	const unsigned char *data;       /* gzip when is_gzip */
	size_t len;
	bool is_gzip;
	bool is_immutable;               /* fingerprinted name: cached for a year */
	const char *etag;                /* quoted */
};

/* Serves one embedded asset (decompresses for clients without gzip). */
void http_static_asset(struct http_call *c, const struct http_request *rq, const struct http_asset *asset);
/*
 * Serves rel_path below root. An error, CH_E_NOT_FOUND when there is no such
 * file, means that nothing was answered; a file that cannot be read to its
 * end is a cut answer, logged, and CH_OK.
 */
CH_FIBER CH_MUST_USE ch_status http_static_file(struct http_call *c, const struct http_request *rq,
						const char *root, const char *rel_path, struct ch_err *err);
const char *http_content_type(const char *path);

#endif
