/*
 * models/aws_sign.h - AWS Signature Version 4 of one request, without I/O.
 * Internal to models/.
 *
 * Our own rather than libcurl's: 7.88 signs the path as it stands, while all
 * services but S3 want it encoded once more, and ids of models hold colons.
 * Signed are content-type, host, x-amz-date and, if there is one, the session
 * token; the request must carry exactly these values.
 */
#ifndef CH_MODELS_AWS_SIGN_H
#define CH_MODELS_AWS_SIGN_H

#include "core/buf.h"

#define AWS_DATE_LEN 16                  /* "20261122T091253Z" */

struct aws_request {
	const char *method;
	const char *host;                /* as the Host header has it, with a port that is not the scheme's own */
	const char *path;                /* as it is sent: encoded once */
	const char *content_type;
	const char *service, *region;
	const char *body;
	size_t body_len;
	int64_t wall_ms;
};

struct aws_keys {
	const char *id, *secret;
	const char *token;               /* of a session, or NULL */
};

/* The values of x-amz-date and authorization (appended). Failures are the buffer's. */
void aws_sign(const struct aws_request *rq, const struct aws_keys *keys, char ret_date[AWS_DATE_LEN + 1],
	      struct buf *ret_authorization);

#endif
