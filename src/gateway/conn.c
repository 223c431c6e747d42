/*
 * gateway/conn.c - the life of a client connection: queueing, sending, closing, subscriptions.
 *
 * What comes in before hello-ok is judged by connect.c, what comes after goes to dispatch.c.
 */
#include "gateway/conn.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/map.h"
#include "core/str.h"
#include "gateway/connect.h"
#include "gateway/dispatch.h"
#include "gateway/event_priv.h"
#include "gateway/hub.h"

struct gw_conn *conn_new(struct gw *gw, struct conn_peer *peer)
{
	struct gw_conn *c = ch_alloc(sizeof(*c));

	c->gw = gw;
	c->refs = 1;
	c->hs = ch_alloc(sizeof(*c->hs));
	c->hs->peer = *peer;
	*peer = (struct conn_peer){0};
	c->hs->deadline_ms = now_mono_ms() + GW_HANDSHAKE_MS;
	rand_uuid(c->id);
	rand_uuid(c->nonce);
	hub_add(gw->hub, c);
	return c;
}

void conn_peer_done(struct conn_peer *p)
{
	ch_free(p->ip);
	ch_free(p->host);
	ch_free(p->origin);
	ch_free(p->scopes_cap);
	ch_free(p->user_agent);
}

static void handshake_free(struct conn_handshake *hs)
{
	if (!hs)
		return;
	for (size_t i = 0; i < hs->queued.len; i++)
		ch_free(hs->queued.at[i].text);
	vec_done(&hs->queued);
	conn_peer_done(&hs->peer);
	ch_free(hs);
}

static void client_free(struct conn_client *client)
{
	if (!client)
		return;
	ch_free(client->id);
	ch_free(client->mode);
	ch_free(client->version);
	ch_free(client->platform);
	ch_free(client->display_name);
	ch_free(client->device_family);
	ch_free(client->model_identifier);
	ch_free(client->time_zone);
	ch_free(client->instance_id);
	ch_free(client->device_id);
	ch_free(client->ip);
	ch_free(client->caps);
	ch_free(client);
}

struct gw_conn *conn_ref(struct gw_conn *c)
{
	c->refs++;
	return c;
}

void conn_unref(struct gw_conn *c)
{
	if (!c || --c->refs > 0)
		return;
	event_drop_held(c);
	vec_done(&c->held);
	handshake_free(c->hs);
	client_free(c->client);
	map_free(c->message_keys);
	ch_free(c->watched);
	if (c->ws)
		ws_unref(c->ws);
	ch_free(c);
}

/* The connection leaves all lists: nothing is sent to it any more. */
static void leave(struct gw_conn *c)
{
	if (c->phase == CONN_CLOSED)
		return;
	if (c->phase != CONN_OPEN)
		hub_preauth_left(c->gw->hub, c->hs->peer.ip);
	c->phase = CONN_CLOSED;
	event_drop_held(c);
	hub_remove(c->gw->hub, c);
	dispatch_client_left(c);
	if (c->judge)
		fiber_cancel(c->judge);
}

void conn_close(struct gw_conn *c, uint16_t code, const char *reason)
{
	if (c->phase == CONN_CLOSED)
		return;
	log_debug("gateway", "closing conn=%s code=%u reason=%s", c->id, code,
		  reason ? log_quote(reason) : "-");
	leave(c);
	if (!c->ws)
		return;
	ws_pause(c->ws, false);          /* its CLOSE must be seen */
	ws_close(c->ws, code, reason);
}

/*
 * The hub's reference is given back here, once, when the socket is gone; at shutdown the gateway may be
 * gone before it.
 */
static void on_close(struct ws_conn *ws, uint16_t code, const char *reason, void *arg)
{
	struct gw_conn *c = arg;

	log_debug("gateway", "closed conn=%s code=%u reason=%s", c->id, code, log_quote(reason));
	leave(c);
	conn_unref(c);
}

void conn_abandon(struct gw_conn *c)
{
	leave(c);
	conn_unref(c);
}

static void send_challenge(struct gw_conn *c)
{
	char text[256];
	int n = snprintf(text, sizeof(text),
			 "{\"type\":\"event\",\"event\":\"connect.challenge\",\"payload\":{\"nonce\":\"%s\","
			 "\"ts\":%lld,"
			 "\"capabilities\":[]}}",
			 c->nonce, (long long)now_wall_ms());

	ws_send_text(c->ws, text, (size_t)n);
}

void conn_attach(struct gw_conn *c, struct ws_conn *ws)
{
	c->ws = ws;
	ws_keepalive(ws, GW_PING_MS);
	send_challenge(c);
}

static void enqueue(struct gw_conn *c, const char *text, size_t len)
{
	struct conn_handshake *hs = c->hs;
	struct conn_frame f;

	if (hs->queued.len >= GW_PREAUTH_QUEUE) {
		conn_close(c, 1008, "too many pending handshake frames");
		return;
	}
	f = (struct conn_frame){ ch_strndup(text, len), len };
	vec_push(&hs->queued, f);
}

static void on_text(struct ws_conn *ws, char *text, size_t len, void *arg)
{
	struct gw_conn *c = arg;

	switch (c->phase) {
	case CONN_CHALLENGED:
		connect_first_frame(c, text, len);
		return;
	case CONN_JUDGED:
		enqueue(c, text, len);
		return;
	case CONN_OPEN:
		dispatch_text(c, text, len);
		return;
	case CONN_CLOSED:
		return;
	}
}

static void on_drain(struct ws_conn *ws, void *arg)
{
	struct gw_conn *c = arg;

	if (c->phase != CONN_OPEN)
		return;
	c->over_soft_since_ms = 0;
	ws_pause(c->ws, false);
	event_flush_held(c);
}

const struct ws_conn_ops conn_ws_ops = {
	.message_max = GW_PREAUTH_FRAME_MAX,
	.on_text = on_text,
	.on_close = on_close,
	.on_drain = on_drain,
};

bool conn_check_queue(struct gw_conn *c, int64_t now_ms)
{
	size_t queued = ws_queued(c->ws);

	if (queued <= GW_OUT_SOFT) {
		c->over_soft_since_ms = 0;
		return true;
	}
	if (c->over_soft_since_ms == 0) {
		/* Who does not read our answers need not be read either; on_drain() goes on. */
		ws_pause(c->ws, true);
		hub_poke(c->gw->hub);
	}
	if (c->over_soft_since_ms == 0 || queued + WS_DRAIN <= c->over_soft_bytes) {
		c->over_soft_since_ms = now_ms; /* slow, but it moves: a large reply over a thin line */
		c->over_soft_bytes = queued;
	}
	if (queued <= GW_OUT_HARD && now_ms - c->over_soft_since_ms < GW_OUT_SOFT_MS)
		return true;
	log_warn("gateway", "conn=%s does not read, %zu bytes waiting: closing it", c->id, queued);
	conn_close(c, 1008, "slow consumer");
	return false;
}

void conn_send(struct gw_conn *c, const char *text, size_t len)
{
	if (c->phase == CONN_CLOSED || !c->ws)
		return;
	ws_send_text(c->ws, text, len);
	(void)conn_check_queue(c, now_mono_ms());
}

void conn_open(struct gw_conn *c, struct conn_client *client)
{
	c->client = client;
	c->phase = CONN_OPEN;
	hub_preauth_left(c->gw->hub, c->hs->peer.ip);
	ws_set_message_max(c->ws, GW_FRAME_MAX);
}

void conn_replay(struct gw_conn *c)
{
	struct conn_handshake *hs = CH_TAKE(c->hs);

	for (size_t i = 0; i < hs->queued.len && c->phase == CONN_OPEN; i++)
		dispatch_text(c, hs->queued.at[i].text, hs->queued.at[i].len);
	handshake_free(hs);
}

/* -- what others may ask (gateway/gw.h) -- */

const char *gw_conn_id(const struct gw_conn *c)
{
	return c->id;
}

bool gw_conn_has(const struct gw_conn *c, unsigned scope)
{
	return c->client && scope_allows(c->client->scopes.bits, scope);
}

bool gw_conn_has_cap(const struct gw_conn *c, const char *cap)
{
	size_t n = strlen(cap);

	for (const char *p = c->client ? c->client->caps : NULL; p && *p; p = strchr(p + 1, '\n'))
		if (!strncmp(p + 1, cap, n) && p[n + 1] == '\n')
			return true;
	return false;
}

bool gw_conn_is_open(const struct gw_conn *c)
{
	return c->phase == CONN_OPEN;
}

const char *gw_conn_client_id(const struct gw_conn *c)
{
	return c->client ? c->client->id : NULL;
}

const char *gw_conn_client_mode(const struct gw_conn *c)
{
	return c->client ? c->client->mode : NULL;
}

const char *gw_conn_client_name(const struct gw_conn *c)
{
	return c->client ? c->client->display_name : NULL;
}

const char *gw_conn_device_id(const struct gw_conn *c)
{
	return c->client ? c->client->device_id : NULL;
}

void gw_conn_subscribe_sessions(struct gw_conn *c, bool on)
{
	c->wants_sessions = on;
}

void gw_conn_subscribe_messages(struct gw_conn *c, const char *session_key, bool on)
{
	if (!on) {
		if (c->message_keys)
			map_take(c->message_keys, session_key);
		return;
	}
	if (!c->message_keys)
		c->message_keys = map_new();
	if (map_len(c->message_keys) < CONN_MESSAGE_KEYS && !map_find(c->message_keys, session_key))
		map_put(c->message_keys, session_key, c);
}

void gw_conn_subscribe_approvals(struct gw_conn *c, const char *session_key)
{
	gw_conn_subscribe_messages(c, session_key, true);
	if (map_find(c->message_keys, session_key))
		map_put(c->message_keys, session_key, c->id);    /* the value says what is wanted */
}

bool gw_conn_wants_approvals(const struct gw_conn *c, const char *session_key)
{
	return c->message_keys && map_find(c->message_keys, session_key) == c->id;
}

bool gw_conn_wants_sessions(const struct gw_conn *c)
{
	return c->wants_sessions;
}

bool gw_conn_wants_messages(const struct gw_conn *c, const char *session_key)
{
	return c->wants_sessions || (c->message_keys && map_find(c->message_keys, session_key));
}
