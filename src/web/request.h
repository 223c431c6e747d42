/*
 * web/request.h - one call of an endpoint of the configuration (config/endpoint.h).
 *
 * Arguments  are percent-encoded in path and query, refused where they would leave their path segment, and written by
 *            the JSON writer in bodies; header values with line ends or NULs are refused.
 * Secrets    go to the host that the owner wrote, over TLS or into his own network; stored ones also ask their own list
 *            of hosts. What the answer echoes of them is blotted out.
 * Redirects  of GET and HEAD only, to hosts of the endpoint's list; on another origin without the configured headers.
 * Addresses  public ones, unless the owner wrote a private host.
 * Fails      CH_E_INVALID (an argument), CH_E_DENIED (a host, a secret), CH_E_UNSUPPORTED (an answer that is no text),
 *            CH_E_LIMIT, CH_E_PEER, CH_E_TIMEOUT, CH_E_CANCELED.
 */
#ifndef CH_WEB_REQUEST_H
#define CH_WEB_REQUEST_H

#include "config/endpoint.h"
#include "secrets/store.h"
#include "web/web.h"

#define REQUEST_HEADERS_MAX (ENDPOINT_HEADERS_MAX + 4)
#define REQUEST_REDIRECTS_MAX 3
#define REQUEST_BODY_MAX (4u << 20)

/* What is sent. Pure: no secret is in it yet. */
struct request {
	const char *url, *body;          /* body NULL: none */
	const char *body_type;
	struct http_header headers[REQUEST_HEADERS_MAX];
	size_t header_count;
};
CH_MUST_USE ch_status request_expand(struct arena *a, const struct endpoint *e, const struct json *args, struct request *ret,
				     struct ch_err *err);
/* The parts of an answer that the endpoint selects; NULL-free: what is missing is null. */
struct json *request_select(struct arena *a, const struct json *select, const struct json *answer);
/* A copy without the secret, in any of the spellings that an answer may have it in. */
const char *request_blot(struct arena *a, const char *text, const char *secret);

struct request_in {
	struct config *config;           /* referenced by the caller for the call */
	const struct endpoint *endpoint;
	const struct json *args;
	struct secret_store *secrets;    /* or NULL */
	int64_t deadline_ms;
};
struct request_out {
	int status;
	const char *url, *content_type;
	const char *text;                /* JSON when is_json */
	bool is_json, is_truncated;
};
/* All of ret is on the arena. */
CH_FIBER CH_MUST_USE ch_status request_run(struct web *w, const struct request_in *in, struct arena *a, struct request_out *ret,
					   struct ch_err *err);

#endif
