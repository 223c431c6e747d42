/*
 * gateway/frame.h - the frames of protocol v4, apart from their payloads.
 *
 *	{"type":"req","id":…,"method":…,"params"?:…,"traceparent"?:…,"expectedProfileId"?:…}
 *	{"type":"res","id":…,"ok":true,"payload":…}
 *	{"type":"res","id":…,"ok":false,"error":{code,message,details?,retryable?,retryAfterMs?}}
 *	{"type":"event","event":…,"payload":…,"seq"?:…,"stateVersion"?:{…},"recipientProfileId"?:…}
 */
#ifndef CH_GATEWAY_FRAME_H
#define CH_GATEWAY_FRAME_H

#include "core/json.h"

enum frame_kind {
	FRAME_NOT_JSON,                  /* ignored after the handshake, fatal before */
	FRAME_BAD,                       /* JSON, but not a request: err says what is wrong */
	FRAME_REQ,
};

struct frame {
	enum frame_kind kind;
	const char *id; /* of the request; for FRAME_BAD what could be found, else "invalid" */
	const char *method;
	const struct json *params;       /* NULL when absent */
};

/* Parses one text message. For FRAME_BAD err->text is the message of the answer. */
void frame_parse(struct arena *a, const char *text, size_t len, struct frame *ret, struct ch_err *err);

/* Opens a successful response up to `"payload":`; close it with frame_res_end() after one value. */
void frame_res_begin(struct jw *w, const char *id);
void frame_res_end(struct jw *w);

struct frame_error {
	const char *code;
	const char *message;
	const struct json *details;      /* or NULL */
	bool is_retryable;
	int64_t retry_after_ms;          /* 0: not told */
};
/* A whole failed response. */
void frame_res_error(struct jw *w, const char *id, const struct frame_error *e);

#endif
