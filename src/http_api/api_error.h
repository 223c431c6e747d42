/*
 * http_api/api_error.h - errors in the shape that an API's clients read.
 */
#ifndef CH_HTTP_API_API_ERROR_H
#define CH_HTTP_API_API_ERROR_H

#include "core/buf.h"
#include "net/http_server.h"

struct api_style {
	/* Appends the JSON object of an error; code may be NULL. */
	void (*write)(struct buf *out, int status, const char *message, const char *code);
};
extern const struct api_style api_openai, api_anthropic, api_gateway;

void api_error_reply(struct http_call *call, const struct api_style *style, int status, const char *message);
/* The status that stands for a code of ours, 500 when it is no fault of the request. */
int api_status_of(ch_status st);
/* Answers with err's text. */
void api_error_fail(struct http_call *call, const struct api_style *style, ch_status st, const struct ch_err *err);

#endif
