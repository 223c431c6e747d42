/*
 * web/charset.h - the bytes of a page as UTF-8.
 *
 * The order of the HTML standard: byte order mark, the header's charset, the page's own <meta>, and then what the
 * bytes look like. UTF-8, UTF-16, and the windows-1252 family (which Latin-1 and ASCII mean on the web) are decoded.
 */
#ifndef CH_WEB_CHARSET_H
#define CH_WEB_CHARSET_H

#include "core/arena.h"
#include "core/buf.h"

struct charset_in {
	const char *data;
	size_t len;
	const char *content_type;        /* the header, or NULL */
	bool is_html;                    /* look for <meta charset> */
};
/* ret_name: static. CH_E_UNSUPPORTED names the charset when it is another one. */
CH_MUST_USE ch_status charset_to_utf8(const struct charset_in *in, struct buf *out, const char **ret_name, struct ch_err *err);

#endif
