/*
 * gateway/event.c - who gets which event, in what order, and what happens when they do not read.
 *
 * A payload is rendered once by the caller; each connection adds its own seq behind it. Deltas of a run
 * that a lagging client has not got yet are merged, and any other event for it waits behind them.
 */
#include "gateway/event_priv.h"

#include <inttypes.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/hub.h"

#define HELD_MAX_BYTES (1u << 20)        /* one merged delta; past it the client gets it as it is */

/* Sorted by name; a unit test checks. An event that is not here reaches nobody. */
static const struct event_row event_table[] = {
	{ "agent",                  GW_SCOPE_READ,    0 },
	{ "channels.pairing.changed", GW_SCOPE_PAIRING, EVENT_HIDDEN },
	{ "chat",                   GW_SCOPE_READ,    0 },
	{ "chat.metadata.changed",  GW_SCOPE_READ,    0 },
	{ "chat.send_timing",       GW_SCOPE_READ,    EVENT_HIDDEN },
	{ "config.changed",         GW_SCOPE_READ,    EVENT_HIDDEN },
	{ "connect.challenge",      0,                EVENT_ANY_ROLE },
	{ "device.pair.changed",    GW_SCOPE_PAIRING, 0 },
	{ "device.pair.requested",  GW_SCOPE_PAIRING, 0 },
	{ "device.pair.resolved",   GW_SCOPE_PAIRING, 0 },
	{ "device.pair.setup.completed",         GW_SCOPE_PAIRING, 0 },
	{ "device.pair.setup.deliveryUncertain", GW_SCOPE_PAIRING, 0 },
	{ "exec.approval.requested",   GW_SCOPE_APPROVALS, 0 },
	{ "exec.approval.resolved",    GW_SCOPE_APPROVALS, 0 },
	{ "health",                 0,                EVENT_ANY_ROLE },
	{ "plugin.approval.requested", GW_SCOPE_APPROVALS, 0 },
	{ "plugin.approval.resolved",  GW_SCOPE_APPROVALS, 0 },
	{ "presence",               GW_SCOPE_READ,    0 },
	{ "progressCard.changed",   GW_SCOPE_READ,    0 },
	{ "question.requested",     GW_SCOPE_QUESTIONS, 0 },
	{ "question.resolved",      GW_SCOPE_QUESTIONS, 0 },
	{ "session.approval",       GW_SCOPE_APPROVALS, 0 },
	{ "session.message",        GW_SCOPE_READ,    0 },
	{ "session.operation",      GW_SCOPE_READ,    0 },
	{ "session.tool",           GW_SCOPE_READ,    0 },
	{ "sessions.changed",       GW_SCOPE_READ,    0 },
	{ "shutdown",               0,                EVENT_ANY_ROLE },
	{ "tick",                   0,                EVENT_ANY_ROLE },
	{ "users.prefs.changed",    GW_SCOPE_READ,    0 },
	{ "voicewake.changed",      GW_SCOPE_READ,    0 },
};

/* What features.events says: the rows above that are not hidden. */
static const char *const advertised[] = {
	"agent",
	"chat",
	"chat.metadata.changed",
	"connect.challenge",
	"device.pair.changed",
	"device.pair.requested",
	"device.pair.resolved",
	"device.pair.setup.completed",
	"device.pair.setup.deliveryUncertain",
	"exec.approval.requested",
	"exec.approval.resolved",
	"health",
	"plugin.approval.requested",
	"plugin.approval.resolved",
	"presence",
	"progressCard.changed",
	"question.requested",
	"question.resolved",
	"session.approval",
	"session.message",
	"session.operation",
	"session.tool",
	"sessions.changed",
	"shutdown",
	"tick",
	"users.prefs.changed",
	"voicewake.changed",
	NULL,
};

const struct event_row *event_rows(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(event_table);
	return event_table;
}

const char *const *gw_event_names(void)
{
	return advertised;
}

const struct event_row *event_find(const char *name)
{
	size_t lo = 0, hi = CH_ARRAY_LEN(event_table);

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int cmp = strcmp(name, event_table[mid].name);

		if (cmp == 0)
			return &event_table[mid];
		if (cmp < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

size_t event_suffix(char *buf, size_t cap, int64_t seq, const struct gw_event *ev, bool has_profile)
{
	size_t n = 0;

	if (!(ev->flags & GW_EV_NO_SEQ))
		n += (size_t)snprintf(buf + n, cap - n, ",\"seq\":%" PRId64, seq);
	if (ev->presence_version && ev->health_version)
		n += (size_t)snprintf(buf + n, cap - n,
				      ",\"stateVersion\":{\"presence\":%" PRId64 ",\"health\":%" PRId64 "}",
				      ev->presence_version, ev->health_version);
	else if (ev->presence_version || ev->health_version)
		n += (size_t)snprintf(buf + n, cap - n, ",\"stateVersion\":{\"%s\":%" PRId64 "}",
				      ev->presence_version ? "presence" : "health",
				      ev->presence_version ? ev->presence_version : ev->health_version);
	if (has_profile && !(ev->flags & GW_EV_NO_SEQ))
		n += (size_t)snprintf(buf + n, cap - n, ",\"recipientProfileId\":\"gateway-owner\"");
	n += (size_t)snprintf(buf + n, cap - n, "}");
	return n;
}

/* Sends now, whatever the queue; the caller has decided. */
static void send_now(struct gw_conn *c, const struct gw_event *ev)
{
	char prefix[96], suffix[192];
	size_t n = (size_t)snprintf(prefix, sizeof(prefix),
				    "{\"type\":\"event\",\"event\":\"%s\",\"payload\":", ev->name);
	struct ws_part parts[3] = { { prefix, n }, { ev->payload, ev->len }, { suffix, 0 } };

	if (!(ev->flags & GW_EV_NO_SEQ))
		c->seq++;
	parts[2].n = event_suffix(suffix, sizeof(suffix), c->seq, ev, c->client && c->client->is_tracked);
	ws_send_parts(c->ws, parts, 3);
	(void)conn_check_queue(c, now_mono_ms());
}

/* -- deltas held back -- */

static void held_done(struct conn_held *h)
{
	ch_free(h->key);
	buf_done(&h->payload);
}

void event_drop_held(struct gw_conn *c)
{
	for (size_t i = 0; i < c->held.len; i++)
		held_done(&c->held.at[i]);
	c->held.len = 0;
}

void event_flush_held(struct gw_conn *c)
{
	/* send_now() may close the connection, which empties the list under us. */
	while (c->held.len > 0 && c->phase == CONN_OPEN) {
		struct conn_held h = c->held.at[0];

		vec_remove(&c->held, 0);
		send_now(c, &(struct gw_event){
				    .name = h.event, .payload = h.payload.data, .len = h.payload.len});
		held_done(&h);
	}
}

void event_join_delta(struct conn_held *held, const struct gw_event *newer)
{
	struct buf joined;
	size_t old_len = newer->delta_len || newer->delta_at ? held->delta_len : 0;

	buf_init(&joined, HELD_MAX_BYTES);
	buf_append(&joined, newer->payload, newer->delta_at);
	buf_append(&joined, held->payload.data + held->delta_at, old_len);
	buf_append(&joined, newer->payload + newer->delta_at, newer->len - newer->delta_at);
	buf_done(&held->payload);
	held->payload = joined;
	held->delta_at = newer->delta_at;
	held->delta_len = old_len + newer->delta_len;
}

static struct conn_held *find_held(struct gw_conn *c, const struct event_row *row, const char *key)
{
	for (size_t i = 0; i < c->held.len; i++)
		if (c->held.at[i].event == row->name && str_eq(c->held.at[i].key, key))
			return &c->held.at[i];
	return NULL;
}

/* True when the delta was kept for later. */
static bool hold(struct gw_conn *c, const struct event_row *row, const struct gw_event *ev)
{
	struct conn_held *h, fresh;

	if (ws_queued(c->ws) <= WS_DRAIN || ev->len > HELD_MAX_BYTES)
		return false;
	h = find_held(c, row, ev->coalesce_key);
	if (h && h->payload.len + ev->len <= HELD_MAX_BYTES) {
		event_join_delta(h, ev);
		return true;
	}
	if (h || c->held.len >= CONN_HELD)
		return false;
	fresh = (struct conn_held){.event = row->name,
				   .key = ch_strdup(ev->coalesce_key),
				   .delta_at = ev->delta_at,
				   .delta_len = ev->delta_len};
	buf_init(&fresh.payload, HELD_MAX_BYTES);
	buf_append(&fresh.payload, ev->payload, ev->len);
	vec_push(&c->held, fresh);
	return true;
}

/* -- delivery -- */

static bool may_see(const struct gw_conn *c, const struct event_row *row)
{
	if (row->flags & EVENT_ANY_ROLE)
		return true;
	return c->client->role == GW_ROLE_OPERATOR && scope_allows(c->client->scopes.bits, row->scope);
}

static void deliver(struct gw_conn *c, const struct event_row *row, const struct gw_event *ev)
{
	if (ev->coalesce_key && hold(c, row, ev))
		return;
	if ((ev->flags & GW_EV_DROP_IF_SLOW) && ws_queued(c->ws) > GW_OUT_SOFT) {
		c->seq++;        /* the gap tells the client that it missed something */
		(void)conn_check_queue(c, now_mono_ms());
		return;
	}
	event_flush_held(c);
	if (c->phase == CONN_OPEN)
		send_now(c, ev);
}

void gw_send_event(struct gw_conn *c, const struct gw_event *ev)
{
	const struct event_row *row = event_find(ev->name);

	if (!row) {
		log_error("gateway", "event %s is not in the event table: not sent", ev->name);
		return;
	}
	if (c->phase == CONN_OPEN && may_see(c, row))
		deliver(c, row, ev);
}

static bool hears(struct gw_conn *c, const struct event_row *row, gw_event_filter filter, void *arg)
{
	return c->phase == CONN_OPEN && may_see(c, row) && (!filter || filter(c, arg));
}

bool gw_is_heard(struct gw *gw, const char *name, gw_event_filter filter, void *filter_arg)
{
	const struct event_row *row = event_find(name);
	struct gw_conn *c = row ? gw->hub->head : NULL;

	while (c && !hears(c, row, filter, filter_arg))
		c = c->next;
	return c != NULL;
}

void gw_broadcast(struct gw *gw, const struct gw_event *ev)
{
	const struct event_row *row = event_find(ev->name);
	struct gw_conn *next;

	if (!row) {
		log_error("gateway", "event %s is not in the event table: not sent", ev->name);
		return;
	}
	/* A delivery may close its own connection, never another one. */
	for (struct gw_conn *c = gw->hub->head; c; c = next) {
		next = c->next;
		if (hears(c, row, ev->filter, ev->filter_arg))
			deliver(c, row, ev);
	}
}
