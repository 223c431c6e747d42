/*
 * http_api/join.c - GET /j/<code>: opens a join link. What comes back lets one machine in, so the link works
 * once, is never cached, and guessing locks out. A used link is answered like one that never was.
 */
#include "core/str.h"
#include "gateway/auth.h"
#include "gateway/bootstrap.h"
#include "http_api/handlers.h"

#define PAYLOAD_MAX 4096
#define PREFIX "/j/"

static void reply_word(struct http_call *call, const struct http_request *rq, int status, const char *word)
{
	const char *text = arena_printf(rq->arena, "{\"error\":\"%s\"}", word);

	http_reply_json(call, status, text, strlen(text));
}

static ch_status open_link(struct gw *gw, const struct http_request *rq, struct buf *ret)
{
	const char *code = rq->path + strlen(PREFIX);
	char token[BOOTSTRAP_TOKEN_LEN + 1];
	struct jw w = JW(ret);
	struct bootstrap b;
	ch_status st = CH_E_NOT_FOUND;

	if (!rq->query && strlen(code) == BOOTSTRAP_JOIN_LEN)
		st = bootstrap_join(gw->db, rq->arena, code, token, &b, NULL);
	if (!st)
		bootstrap_write_payload(&w, &b, token);
	return st;
}

void join_link(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct gw *gw = arg;
	struct limiter *limiter = gw->auth->limiter;
	int64_t wait_ms = limiter_wait_ms(limiter, AUTH_JOIN, rq->peer_ip);
	CH_AUTO_BUF struct buf body = { 0 };
	ch_status st;

	buf_init(&body, PAYLOAD_MAX);
	http_reply_header(call, "Cache-Control", "no-store");
	if (wait_ms > 0) {
		http_reply_header(call, "Retry-After",
				  arena_printf(rq->arena, "%lld", (long long)(wait_ms + 999) / 1000));
		reply_word(call, rq, 429, "rate_limited");
		return;
	}
	st = open_link(gw, rq, &body);
	if (st && st != CH_E_NOT_FOUND) {
		reply_word(call, rq, 503, "unavailable");
		return;
	}
	if (st) {
		(void)limiter_fail(limiter, AUTH_JOIN, rq->peer_ip,
				   rq->peer_is_loopback && gw->auth->exempt_loopback);
		reply_word(call, rq, 404, "not_found");
		return;
	}
	limiter_reset(limiter, AUTH_JOIN, rq->peer_ip);
	http_reply_json(call, 200, buf_str(&body), body.len);
}
