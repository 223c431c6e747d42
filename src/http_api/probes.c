/*
 * http_api/probes.c - is it alive, is it ready, has it started: for supervisors and the CLI.
 *
 * Without credentials and from elsewhere only yes or no is told.
 */
#include "core/clock.h"
#include "core/json.h"
#include "gateway/auth.h"
#include "http_api/handlers.h"

static void reply(struct http_call *call, int status, struct buf *body)
{
	http_reply_header(call, "Cache-Control", "no-store");
	http_reply_json(call, status, buf_str(body), body->len);
}

static int64_t uptime_ms(const struct gw *gw)
{
	return now_mono_ms() - gw->started_mono_ms;
}

void probe_health(struct http_call *call, const struct http_request *rq, void *arg)
{
	static const char live[] = "{\"ok\":true,\"status\":\"live\"}";

	http_reply_header(call, "Cache-Control", "no-store");
	http_reply_json(call, 200, live, sizeof(live) - 1);
}

void probe_ready(struct http_call *call, const struct http_request *rq, void *arg)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);
	struct gw *gw = arg;
	bool is_ready = !gw->is_stopping;

	buf_init(&body, 4096);
	jw_obj(&w);
	jw_kbool(&w, "ready", is_ready);
	if (rq->peer_is_loopback || auth_bearer_ok(gw, rq)) {
		jw_karr(&w, "failing");
		if (!is_ready)
			jw_str(&w, "gateway-stopping");
		jw_end(&w);
		jw_kint(&w, "uptimeMs", uptime_ms(gw));
	}
	jw_end(&w);
	reply(call, is_ready ? 200 : 503, &body);
}

void probe_startup(struct http_call *call, const struct http_request *rq, void *arg)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);
	struct gw *gw = arg;

	buf_init(&body, 4096);
	jw_obj(&w);
	jw_kbool(&w, "ok", !gw->is_stopping);
	jw_kstr(&w, "status", gw->is_stopping ? "stopping" : "started");
	if (rq->peer_is_loopback || auth_bearer_ok(gw, rq))
		jw_kstr(&w, "version", gw->version);
	jw_kint(&w, "uptimeMs", uptime_ms(gw));
	jw_end(&w);
	reply(call, gw->is_stopping ? 503 : 200, &body);
}
