/*
 * http_api/channel_hook.c - webhooks of messaging networks: POST to exactly the path that an account listens at.
 *
 * They carry no credential of the gateway and come under whatever name the tunnel has, so neither is asked for: the network
 * checks its own signature over the raw body. Before the body is read, only the path and the pace are looked at.
 */
#include "channels/host.h"
#include "core/str.h"
#include "http_api/handlers.h"

#define HOOK_BODY_MAX (1u << 20)
#define HOOK_REPLY_MAX (64u << 10)

static void channel_hook(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct gw *gw = arg;
	CH_AUTO_BUF struct buf body = { 0 };
	struct chan_webhook_reply reply = { .body = &body };

	buf_init(&body, HOOK_REPLY_MAX);
	chan_webhook(gw->channels, rq, &reply);
	http_reply_header(call, "Cache-Control", "no-store");
	if (reply.status >= 200 && reply.status < 300)
		http_reply_header(call, "x-openclaw-delivery-accepted", "durable");
	if (reply.status == 503)
		http_reply_header(call, "Retry-After", "5");
	http_reply(call, reply.status, reply.content_type ? reply.content_type : "text/plain; charset=utf-8", buf_str(&body),
		   body.len);
}

const struct http_route *channel_hook_route(struct http_call *call, const struct http_request *rq, void *arg)
{
	static const struct http_route route = { "POST", "", HOOK_BODY_MAX, channel_hook };
	struct gw *gw = arg;
	int64_t wait_ms;

	if (!str_eq(rq->method, "POST") || !gw->channels || !chan_webhook_takes(gw->channels, rq->path))
		return NULL;
	wait_ms = chan_webhook_wait_ms(gw->channels, rq->path, rq->peer_ip);
	if (wait_ms > 0) {
		http_reply_header(call, "Retry-After", arena_printf(rq->arena, "%lld", (long long)(wait_ms + 999) / 1000));
		http_reply_error(call, 429, "rate_limited", "Too many requests");
	}
	return &route;
}
