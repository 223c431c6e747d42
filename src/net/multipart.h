/*
 * net/multipart.h - the body of an upload: multipart/form-data (RFC 7578).
 *
 * Owns    the body and the boundary, 32 random hex digits: what is put in cannot end a part.
 * Limits  max_bytes over all parts, heads included; past it multipart_end() fails.
 * Fails   CH_E_LIMIT, CH_E_NOMEM at multipart_end(); names and types with line ends cannot break out of their head.
 */
#ifndef CH_NET_MULTIPART_H
#define CH_NET_MULTIPART_H

#include "core/buf.h"

#define MULTIPART_TYPE_LEN 96

struct multipart {
	struct buf body;                 /* complete after multipart_end() */
	char type[MULTIPART_TYPE_LEN];   /* for the header content-type */
	const char *boundary;            /* within type */
};

void multipart_init(struct multipart *m, size_t max_bytes);
void multipart_done(struct multipart *m);
#define CH_AUTO_MULTIPART __attribute__((cleanup(multipart_done)))
void multipart_field(struct multipart *m, const char *name, const char *value);
/* mime NULL: application/octet-stream. */
void multipart_file(struct multipart *m, const char *name, const char *file_name, const char *mime, const void *p, size_t n);
CH_MUST_USE ch_status multipart_end(struct multipart *m, struct ch_err *err);

#endif
