/*
 * http_api/openai.h - what the files of OpenAI's two APIs share (private to openai_*.c).
 */
#ifndef CH_HTTP_API_OPENAI_H
#define CH_HTTP_API_OPENAI_H

#include "http_api/api.h"

/* What a stream of POST /v1/responses keeps between its events. */
struct openai_response {
	const char *message_id;
	int64_t sequence;                /* number of the next event */
};

extern const struct api_writer openai_chat_writer, openai_responses_writer;

/* JSON answers are asked for in words: every model understands them. */
CH_MUST_USE ch_status openai_read_format(struct api_turn *t, const struct json *format, const struct json *schema,
					 struct ch_err *err);
/* reasoning_effort to a thinking level. */
CH_MUST_USE ch_status openai_read_effort(struct api_turn *t, const struct json *effort, struct ch_err *err);

#endif
