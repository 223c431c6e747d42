/*
 * gateway/connect_refuse.c - how a connect is turned away: one answer, one line in the log, one close.
 */
#include "core/log.h"
#include "gateway/connect_judge.h"
#include "gateway/dispatch.h"
#include "gateway/hub.h"

void judge_refuse(struct judge *j, const struct frame_error *e, uint16_t close_code, const char *close_reason)
{
	if (hub_may_log(j->gw->hub))
		log_warn("gateway", "refused conn=%s peer=%s client=%s: %s", j->c->id, j->c->hs->peer.ip,
			 j->p.client.id ? log_quote(j->p.client.id) : "-", log_quote(e->message));
	dispatch_error(j->c, j->frame_id, e);
	conn_close(j->c, close_code, close_reason ? close_reason : e->message);
}

struct json *judge_details(struct judge *j, const char *code)
{
	struct json *d = json_new_obj(j->a);

	json_set(j->a, d, "code", json_new_str(j->a, code));
	return d;
}

void judge_put(struct judge *j, struct json *d, const char *key, const char *value)
{
	if (value)
		json_set(j->a, d, key, json_new_str(j->a, value));
}

bool judge_refuse_plain(struct judge *j, ch_status st, const char *message, const struct json *details,
			uint16_t close_code)
{
	judge_refuse(
		j, &(struct frame_error){.code = ch_status_wire(st), .message = message, .details = details},
		close_code, NULL);
	return false;
}

bool judge_refuse_internal(struct judge *j, const struct ch_err *err)
{
	log_error("gateway", "handshake of conn=%s failed: %s; the client may retry", j->c->id, err->text);
	judge_refuse(j,
		     &(struct frame_error){.code = "UNAVAILABLE",
					   .message = "the gateway could not read its device table",
					   .is_retryable = true,
					   .retry_after_ms = 1000},
		     1013, NULL);
	return false;
}
