/*
 * gateway/methods/chat_common.h - what the methods that start or show a turn share.
 */
#ifndef CH_GATEWAY_METHODS_CHAT_COMMON_H
#define CH_GATEWAY_METHODS_CHAT_COMMON_H

#include "gateway/gw.h"

#define CHAT_PARTICIPANTS_MAX (16u * 1024u)
#define CHAT_ZERO_USAGE                                                                                    \
	"{\"input\":0,\"output\":0,\"totalTokens\":0,\"cacheRead\":0,\"cacheWrite\":0,"                    \
	"\"cost\":{\"input\":0,\"output\":0,\"cacheRead\":0,\"cacheWrite\":0,\"total\":0}}"

extern const struct gw_param chat_attachment_params[];
extern const struct gw_param chat_mention_params[];

/* A submitted input and the session it went to; sess is referenced. */
struct chat_sent {
	struct sess *sess;
	bool created;
	int64_t load_session_ms;
	struct submit_result result;
};
static inline void chat_sent_done(struct chat_sent *sent)
{
	sess_unref(sent->sess);
}

/* Opens the session, notes the sender, submits; `in` needs only what the client said. */
CH_MUST_USE ch_status chat_submit(struct gw_call *call, const struct sess_key *key, struct run_input *in, struct chat_sent *ret,
				  struct ch_err *err);
/* Something to answer; the attachments themselves are looked at by chat_submit(). */
CH_MUST_USE ch_status chat_check_message(const char *method, const char *message, const struct json *attachments, struct ch_err *err);
/* "started", "in_flight", "ok" or "error". */
const char *chat_status_word(const struct submit_result *r);
/* runId, status, … into an open object. */
void chat_put_ack(struct gw_call *call, struct jw *w, const char *run_id, const struct chat_sent *sent);

#endif
