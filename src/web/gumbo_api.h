/*
 * web/gumbo_api.h - libgumbo, the HTML parser, loaded when the first page is parsed.
 *
 * Only its headers are used at build time. The process that parses pages is a child of the gateway
 * (web/html_child), so the gateway itself never loads it.
 *
 * Lives   from gumbo_api_load() to the end of the process.
 * Fails   CH_E_NOT_FOUND when the library is not installed (text says how to get it).
 */
#ifndef CH_WEB_GUMBO_API_H
#define CH_WEB_GUMBO_API_H

#include <gumbo.h>

#include "core/err.h"

struct gumbo_api {
	GumboOutput *(*parse)(const GumboOptions *options, const char *text, size_t len);
	const GumboOptions *defaults;
};

/* A process has one libgumbo. */
CH_MUST_USE ch_status gumbo_api_load(const struct gumbo_api **ret, struct ch_err *err);

#endif
