/*
 * gateway/hub.c - the list of connections and the one timer that looks after them.
 */
#include "gateway/hub.h"

#include <inttypes.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/map.h"
#include "core/str.h"
#include "gateway/dispatch.h"
#include "gateway/pair.h"

#define SWEEP_MS 1000
#define HEALTH_KEPT_MS 1000
#define LOG_WINDOW_MS 60000
#define LOG_LINES 120                    /* of refused clients a minute */
#define PRESENCE_GAP_MS 100
#define PRESENCE_GAP_PER_CLIENT_MS 5

static void on_timer(void *arg);

struct gw_hub *hub_new(struct gw *gw)
{
	struct gw_hub *h = ch_alloc(sizeof(*h));

	h->gw = gw;
	fiber_cond_init(&h->reloaded);
	h->replay = replay_new();
	h->control_writes = limiter_new(&(struct limiter_opts){ .max_attempts = HUB_CONTROL_WRITES,
								.window_ms = HUB_CONTROL_WINDOW_MS,
								.lockout_ms = HUB_CONTROL_WINDOW_MS });
	h->preauth_by_ip = map_new();
	h->timer = loop_timer_new(gw->loop, on_timer, h);
	h->self_since_ms = now_wall_ms();
	h->is_idle = true;
	buf_init(&h->health, GW_FRAME_MAX);
	gw->presence_version = 1;
	gw->health_version = 1;
	return h;
}

void hub_free(struct gw_hub *h)
{
	if (!h)
		return;
	CH_BUG_ON(h->head != NULL || h->calls != NULL || h->is_presence_deferred);
	loop_timer_free(h->timer);
	map_free(h->preauth_by_ip);
	limiter_free(h->control_writes);
	replay_free(h->replay);
	for (size_t i = 0; i < h->arena_count; i++)
		arena_unref(h->arenas[i]);
	for (size_t i = 0; i < h->buf_count; i++)
		ch_free(h->bufs[i]);
	buf_done(&h->health);
	ch_free(h);
}

/* -- pools -- */

struct arena *hub_take_arena(struct gw_hub *h)
{
	return h->arena_count ? h->arenas[--h->arena_count] : arena_new(0);
}

void hub_give_arena(struct gw_hub *h, struct arena *a)
{
	arena_clear(a);
	if (h->arena_count < HUB_POOL)
		h->arenas[h->arena_count++] = a;
	else
		arena_unref(a);
}

void hub_take_buf(struct gw_hub *h, struct buf *b, size_t max_bytes)
{
	buf_init(b, max_bytes);
	if (h->buf_count == 0)
		return;
	h->buf_count--;
	b->data = h->bufs[h->buf_count];
	b->cap = h->buf_caps[h->buf_count];
}

void hub_give_buf(struct gw_hub *h, struct buf *b)
{
	if (!b->data || b->cap > HUB_POOLED_BUF_BYTES || h->buf_count == HUB_POOL) {
		buf_done(b);
		return;
	}
	h->bufs[h->buf_count] = b->data;
	h->buf_caps[h->buf_count++] = b->cap;
	b->data = NULL;
	b->len = b->cap = 0;
}

/* -- coming and going -- */

static intptr_t preauth_of(const struct gw_hub *h, const char *ip)
{
	return (intptr_t)map_find(h->preauth_by_ip, ip);
}

bool hub_admits(const struct gw_hub *h, const char *ip)
{
	return preauth_of(h, ip) < GW_PREAUTH_PER_IP;
}

void hub_poke(struct gw_hub *h)
{
	if (h->is_idle) {
		h->is_idle = false;
		h->next_tick_ms = now_mono_ms() + GW_TICK_MS;
		h->next_health_ms = now_mono_ms() + GW_HEALTH_MS;
	}
	loop_timer_start(h->timer, SWEEP_MS);
}

void hub_add(struct gw_hub *h, struct gw_conn *c)
{
	const char *ip = c->hs->peer.ip;

	c->prev = h->tail;
	if (h->tail)
		h->tail->next = c;
	else
		h->head = c;
	h->tail = c;
	h->count++;
	h->preauth_count++;
	map_put(h->preauth_by_ip, ip, (void *)(preauth_of(h, ip) + 1));
	hub_poke(h);
}

void hub_remove(struct gw_hub *h, struct gw_conn *c)
{
	if (c->prev)
		c->prev->next = c->next;
	else
		h->head = c->next;
	if (c->next)
		c->next->prev = c->prev;
	else
		h->tail = c->prev;
	/* next stays: a walk that stands on this connection goes on from it. */
	h->count--;
	if (c->client && c->client->is_tracked)
		hub_presence_changed(h);
}

void hub_preauth_left(struct gw_hub *h, const char *ip)
{
	intptr_t left = preauth_of(h, ip) - 1;

	h->preauth_count--;
	if (left > 0)
		map_put(h->preauth_by_ip, ip, (void *)left);
	else
		map_take(h->preauth_by_ip, ip);
}

bool hub_may_log(struct gw_hub *h)
{
	int64_t now = now_mono_ms();

	if (now - h->log_window_ms >= LOG_WINDOW_MS) {
		if (h->log_lines > LOG_LINES)
			log_warn("gateway", "%u refusals were not logged within the last minute",
				 h->log_lines - LOG_LINES);
		h->log_window_ms = now;
		h->log_lines = 0;
	}
	return ++h->log_lines <= LOG_LINES;
}

/* -- closing groups -- */

bool hub_has_device(const struct gw_hub *h, const char *device_id)
{
	for (const struct gw_conn *c = h->head; c; c = c->next)
		if (c->client && str_eq(c->client->device_id, device_id))
			return true;
	return false;
}

void hub_close_device(struct gw_hub *h, const char *device_id, enum gw_role role, const char *reason)
{
	struct gw_conn *next;

	for (struct gw_conn *c = h->head; c; c = next) {
		next = c->next;
		if (c->client && str_eq(c->client->device_id, device_id) &&
		    (!role || c->client->role == role))
			conn_close(c, 4001, reason);
	}
}

void hub_close_shared_auth(struct gw_hub *h, const char *reason)
{
	struct gw_conn *next;

	for (struct gw_conn *c = h->head; c; c = next) {
		next = c->next;
		if (c->client && c->client->uses_shared_auth)
			conn_close(c, 4001, reason);
	}
}

void hub_close_all(struct gw_hub *h, uint16_t code, const char *reason)
{
	while (h->head)
		conn_close(h->head, code, reason);
}

/* -- presence and health -- */

const struct buf *hub_health(struct gw_hub *h)
{
	int64_t now = now_mono_ms();
	struct jw w = JW(&h->health);

	if (h->health.len > 0 && now < h->health_until_ms)
		return &h->health;
	buf_clear(&h->health);
	gw_render_health(h->gw, &w);
	h->health_until_ms = now + HEALTH_KEPT_MS;
	return &h->health;
}

static void send_health(struct gw_hub *h, struct gw_conn *only)
{
	const struct buf *health = hub_health(h);
	struct gw_event ev = {.name = "health",
			      .payload = health->data,
			      .len = health->len,
			      .flags = GW_EV_DROP_IF_SLOW,
			      .presence_version = h->gw->presence_version,
			      .health_version = h->gw->health_version};

	if (only)
		gw_send_event(only, &ev);
	else
		gw_broadcast(h->gw, &ev);
}

/* Who has come in learns who is here, then how things are. */
static void greet(struct gw_hub *h)
{
	struct gw_conn *next;

	for (struct gw_conn *c = h->head; c; c = next) {
		next = c->next;
		if (!c->awaits_health)
			continue;
		c->awaits_health = false;
		send_health(h, c);
	}
}

static void broadcast_presence(struct gw_hub *h)
{
	struct gw *gw = h->gw;
	struct buf out;
	struct jw w = JW(&out);

	h->presence_due_ms = 0;
	h->presence_sent_ms = now_mono_ms();
	hub_take_buf(h, &out, GW_FRAME_MAX);
	jw_obj(&w);
	jw_key(&w, "presence");
	gw_render_presence(gw, &w);
	jw_end(&w);
	if (!out.failed)
		gw_broadcast(gw, &(struct gw_event){ .name = "presence", .payload = out.data, .len = out.len,
						     .flags = GW_EV_DROP_IF_SLOW,
						     .presence_version = gw->presence_version,
						     .health_version = gw->health_version });
	hub_give_buf(h, &out);
	greet(h);
}

static void presence_turn_ends(void *arg)
{
	struct gw_hub *h = arg;

	h->is_presence_deferred = false;
	if (h->presence_due_ms && !h->gw->is_stopping)
		broadcast_presence(h);
}

/*
 * Never sends at once: we may be inside a broadcast. The more clients, the rarer, so that a crowd costs no
 * square.
 */
void hub_presence_changed(struct gw_hub *h)
{
	int64_t now = now_mono_ms(), gap = PRESENCE_GAP_MS + (int64_t)h->count * PRESENCE_GAP_PER_CLIENT_MS;

	h->gw->presence_version++;
	if (h->presence_due_ms)
		return;
	h->presence_due_ms = CH_MAX(now, h->presence_sent_ms + gap);
	if (h->presence_due_ms > now) {
		hub_poke(h);
	} else if (!h->is_presence_deferred) {
		h->is_presence_deferred = true;
		loop_defer(h->gw->loop, presence_turn_ends, h);
	}
}

void hub_health_changed(struct gw_hub *h)
{
	h->health_until_ms = 0;
	h->gw->health_version++;
}

void hub_health_soon(struct gw_hub *h)
{
	hub_health_changed(h);
	if (!h->head)
		return;
	hub_poke(h);
	h->next_health_ms = CH_MIN(h->next_health_ms, now_mono_ms() + SWEEP_MS);
}

static void broadcast_tick(struct gw_hub *h)
{
	char payload[40];
	int n = snprintf(payload, sizeof(payload), "{\"ts\":%" PRId64 "}", now_wall_ms());

	gw_broadcast(h->gw, &(struct gw_event){ .name = "tick", .payload = payload, .len = (size_t)n,
						.flags = GW_EV_DROP_IF_SLOW });
}

/* -- the clock -- */

static void sweep(struct gw_hub *h, int64_t now)
{
	struct gw_conn *next;

	for (struct gw_conn *c = h->head; c; c = next) {
		next = c->next;
		if (c->hs && c->phase != CONN_OPEN && now >= c->hs->deadline_ms) {
			if (hub_may_log(h))
				log_warn("gateway", "handshake timeout conn=%s peer=%s", c->id,
					 c->hs->peer.ip);
			conn_close(c, 1000, NULL);
		} else if (c->over_soft_since_ms) {
			(void)conn_check_queue(c, now);
		}
	}
}

/*
 * While somebody is not yet authenticated or does not keep up, once a second; else at the next
 * tick. Nothing runs while nobody is connected.
 */
static int64_t next_due_ms(const struct gw_hub *h, int64_t now)
{
	if (h->preauth_count > 0 || h->presence_due_ms)
		return SWEEP_MS;
	for (const struct gw_conn *c = h->head; c; c = c->next)
		if (c->over_soft_since_ms)
			return SWEEP_MS;
	return CH_MAX(CH_MIN(h->next_tick_ms, h->next_health_ms) - now, 1);
}

static void on_timer(void *arg)
{
	struct gw_hub *h = arg;
	int64_t now = now_mono_ms();

	sweep(h, now);
	if (h->presence_due_ms && now >= h->presence_due_ms)
		broadcast_presence(h);
	if (now >= h->next_tick_ms) {
		broadcast_tick(h);
		pair_expire(h->gw);
		h->next_tick_ms = now + GW_TICK_MS;
	}
	if (now >= h->next_health_ms) {
		hub_health_changed(h);
		send_health(h, NULL);
		h->next_health_ms = now + GW_HEALTH_MS;
	}
	if (!h->head) {
		h->is_idle = true;
		return;
	}
	loop_timer_start(h->timer, next_due_ms(h, now));
}
