/*
 * agent/messages.h - transcript messages in the protocol's shape (private).
 *
 * All append one JSON object to out. The wire names "openclaw" and "gateway-injected" are
 * what the protocol's clients look for.
 */
#ifndef CH_AGENT_MESSAGES_H
#define CH_AGENT_MESSAGES_H

#include "agent/run.h"

#define WIRE_PROVIDER "openclaw"
#define WIRE_MODEL "gateway-injected"
#define WIRE_API "openai-responses"

/* attachments: NULL, or an array of images already checked. is_command: kept out of the model's context. */
void msg_user(struct buf *out, const struct run_input *in, int64_t ts, bool is_command);
void msg_user_meta(struct buf *out, const struct run_input *in, bool is_command);
/* The members usage, with its cost; into an open object. */
void msg_usage(struct jw *w, const struct model_usage *u, const struct model_cost *cost);
/* A message of ours, not of a model: command answers, partial texts. extra: further members, or NULL. */
struct msg_own {
	const char *text; size_t len;
	int64_t ts;
	const char *idempotency_key;
	bool is_context_free;
	const char *abort_origin, *abort_run;    /* openclawAbort */
	bool with_openclaw;                      /* the frame's __openclaw{contextFreeCommand} */
};
void msg_own(struct buf *out, const struct msg_own *m);
/* content: an array's text. */
void msg_assistant(struct buf *out, const char *content, size_t len, const struct model_result *res, int64_t ts);
void msg_failed(struct buf *out, const char *text, const struct model_result *res, const char *idempotency_key,
		int64_t ts);
void msg_tool_result(struct buf *out, const struct run_call *call, const struct json *content, bool is_error,
		     int64_t ts);
/* A user's message with other text, attachments kept; on the arena. */
const char *msg_with_text(struct arena *a, const char *message, const char *text);
/* First line of the user's text, cut at 60 graphemes; on the arena. */
char *msg_title(struct arena *a, const char *text);

#endif
