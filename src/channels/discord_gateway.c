/*
 * channels/discord_gateway.c - the fiber of a login: Gateway version 10 over a WebSocket.
 *
 *	HELLO -> IDENTIFY | RESUME -> READY | (missed events) RESUMED -> dispatches
 *
 * One fiber reads, beats and hands over. What it handed over is committed together with the session and the number of the event,
 * so that a later connection, also one of a later process, resumes behind it: nothing is lost, and what comes again is known by
 * its id. A connection whose heartbeat is not answered before the next one is due is dead: it is closed with a code of ours,
 * which keeps the session at Discord. After a longer absence the session is gone, and discord_catchup.c asks for what was said.
 */
#include "channels/discord_gateway.h"

#include <stdio.h>
#include <string.h>

#include "channels/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "net/url.h"
#include "net/ws_client.h"

#define CLOSE_KEEP 4000                  /* ours: the session can be resumed; 1000 and 1001 would end it */
#define CONNECT_MS 20000
#define HELLO_MS 20000
#define READY_MS 30000
#define SEND_MS 10000
#define CLOSE_MS 2000
#define IDENTIFY_GAP_MS 5500             /* one identify in 5 s */

enum after { AFTER_RESUME, AFTER_IDENTIFY, AFTER_END };

/* -- out -- */

static CH_FIBER ch_status say(struct discord_gateway *g, const struct buf *text, struct ch_err *err)
{
	ch_status st = buf_status(text, err, "discord gateway");

	return st ? st : ws_client_send(g->ws, buf_str(text), text->len, fiber_deadline(SEND_MS), err);
}

static CH_FIBER ch_status beat(struct discord_gateway *g, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 256 };

	discord_write_heartbeat(&text, g->s.seq);
	return say(g, &text, err);
}

/* The next one is due, or the last was never answered. */
static CH_FIBER ch_status beat_due(struct discord_gateway *g, struct ch_err *err)
{
	ch_status st;

	if (!g->is_acked)
		return ch_fail(err, CH_E_PEER, "discord gateway: a heartbeat was not answered");
	g->is_acked = false;
	g->beat_ms = fiber_deadline(g->interval_ms);
	discord_gw_note_caught_up(g);
	st = discord_gw_save(g, err);
	return st ? st : beat(g, err);
}

static CH_FIBER ch_status greet(struct discord_gateway *g, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 16384 };
	int64_t wait_ms = g->identified_ms ? g->identified_ms + IDENTIFY_GAP_MS - now_mono_ms() : 0;
	ch_status st = CH_OK;

	if (*g->s.id) {
		discord_write_resume(&text, secret_reveal(g->d->token), &g->s);
	} else {
		if (wait_ms > 0)
			st = fiber_sleep(wait_ms);
		g->identified_ms = now_mono_ms();
		discord_write_identify(&text, secret_reveal(g->d->token), g->d->cfg);
	}
	if (!st)
		st = say(g, &text, err);
	if (text.data)
		memset(text.data, 0, text.len);
	return st;
}

/* -- frames -- */

static CH_FIBER ch_status on_hello(struct discord_gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	g->interval_ms = f->interval_ms;
	g->is_acked = true;
	/* The first beat comes at a random moment of the interval, so that all bots of the world do not beat together. */
	g->beat_ms = fiber_deadline((int64_t)rand_below((uint64_t)f->interval_ms));
	g->ready_by_ms = fiber_deadline(READY_MS);
	return greet(g, err);
}

static CH_FIBER ch_status on_invalid(struct discord_gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	ch_status st;

	g->may_identify = !f->can_resume && *g->s.id;
	if (!f->can_resume)
		discord_gw_forget(g);
	st = fiber_sleep(1000 + (int64_t)rand_below(4000));
	return st ? st : ch_fail(err, CH_E_PEER, "discord gateway: the session is not valid any more");
}

static CH_FIBER ch_status on_dispatch(struct discord_gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 16384 };
	ch_status st = discord_gw_dispatch(g, f, err);

	if (st || !str_eq(f->type, "RESUMED"))
		return st;
	discord_write_presence(&text, g->d->cfg);
	return say(g, &text, err);
}

/* CH_OK: go on reading. */
static CH_FIBER ch_status on_frame(struct discord_gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	switch (f->op) {
	case DISCORD_DISPATCH: return on_dispatch(g, f, err);
	case DISCORD_HEARTBEAT: return beat(g, err);
	case DISCORD_HEARTBEAT_ACK:
		g->is_acked = true;
		chan_alive(g->acct);
		return CH_OK;
	case DISCORD_HELLO: return on_hello(g, f, err);
	case DISCORD_RECONNECT: return ch_fail(err, CH_E_PEER, "discord gateway: asked to connect again");
	case DISCORD_INVALID_SESSION: return on_invalid(g, f, err);
	default: return CH_OK;
	}
}

/* Until the connection is of no use; never CH_OK. */
static CH_FIBER ch_status read_frames(struct discord_gateway *g, struct ch_err *err)
{
	g->beat_ms = fiber_deadline(HELLO_MS);
	g->interval_ms = 0;
	g->ready_by_ms = FIBER_FOREVER;
	for (;;) {
		struct discord_frame f;
		bool is_idle;
		size_t len;
		char *text;
		ch_status st;

		if (g->interval_ms && now_mono_ms() >= g->beat_ms) {
			st = beat_due(g, err);
			if (st)
				return st;
		}
		if (g->is_ready)
			g->ready_by_ms = FIBER_FOREVER;
		is_idle = g->is_ready && catchup_is_due(&g->catchup);
		st = ws_client_read(g->ws, is_idle ? now_mono_ms() : CH_MIN(g->beat_ms, g->ready_by_ms), &text, &len, err);
		if (st == CH_E_TIMEOUT && is_idle) {
			st = discord_gw_catch_up(g, err);
			if (st)
				return st;
			continue;
		}
		if (st == CH_E_TIMEOUT && g->interval_ms && now_mono_ms() < g->ready_by_ms)
			continue;
		if (st)
			return st;
		arena_clear(g->arena);
		st = discord_frame_read(g->arena, text, len, &f, err);
		if (!st)
			st = on_frame(g, &f, err);
		if (st)
			return st;
	}
}

/* -- connections -- */

static CH_FIBER ch_status find_gateway(struct discord_gateway *g, char *ret, size_t cap, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *limit;
	struct discord_rs rs;
	const char *url;
	ch_status st = discord_call(g->d, &(struct discord_rq){ .method = "GET", .path = "/gateway/bot", .wait_max_ms = CONNECT_MS }, a,
				    &rs, err);

	if (st == CH_E_DENIED && rs.status == 401) {
		(void)discord_close_means(4004, g->d->cfg, a, &url);
		g->is_refused = true;
		return ch_fail(err, CH_E_DENIED, "%s", url);
	}
	if (st)
		return st == CH_E_DENIED ? ch_fail(err, CH_E_PEER, "%s", err->text) : st;
	url = json_get_str(rs.body, "url");
	limit = json_get(rs.body, "session_start_limit");
	if (str_empty(url) || strlen(url) >= cap)
		return ch_fail(err, CH_E_PEER, "discord: /gateway/bot names no address");
	if (limit && json_get_int(limit, "remaining", 1) <= 0) {
		st = ch_fail(err, CH_E_BUSY, "discord: no logins are left for today");
		err->retry_after_ms = (int)CH_MIN(CH_MAX(json_get_int(limit, "reset_after", 0), 1000), INT32_MAX);
		return st;
	}
	snprintf(ret, cap, "%s", url);
	return CH_OK;
}

static CH_FIBER ch_status dial_at(struct discord_gateway *g, const char *address, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct url u;
	ch_status st = url_parse(a, address, &u, err);

	if (st)
		return st;
	/* The token goes there. */
	if (!discord_may_reach(g->d, &u, true))
		return ch_fail(err, CH_E_PEER, "discord: the gateway's address %s is not Discord's", log_quote(u.host));
	return ws_client_open(g->d->loop, g->d->http,
			      &(struct ws_client_opts){
				      .url = arena_printf(a, "%s://%s%s%s:%u/?v=%d&encoding=json", u.scheme, u.host_is_ipv6 ? "[" : "", u.host,
							  u.host_is_ipv6 ? "]" : "", u.port, DISCORD_GATEWAY_VERSION),
				      .guard = g->d->guard,
				      .proxy = g->d->proxy,
				      .message_max = DISCORD_FRAME_MAX,
				      .deadline_ms = fiber_deadline(CONNECT_MS),
			      },
			      &g->ws, err);
}

/* A session is resumed where it was; when nobody is there any more, where all begin. */
static CH_FIBER ch_status dial(struct discord_gateway *g, struct ch_err *err)
{
	char address[256];
	ch_status st = *g->s.id ? dial_at(g, g->s.url, err) : CH_E_NOT_FOUND;

	if (!st || st == CH_E_CANCELED)
		return st;
	st = find_gateway(g, address, sizeof(address), err);
	return st ? st : dial_at(g, address, err);
}

/* What the end of a connection means for the next one; err says why it ended. */
static enum after judge(struct discord_gateway *g, ch_status why, struct ch_err *err)
{
	uint16_t code = g->ws ? ws_client_close_code(g->ws) : 0;
	const char *help = NULL;

	if (why == CH_E_CANCELED || g->is_refused)
		return AFTER_END;
	if (!code)
		return AFTER_RESUME;
	switch (discord_close_means(code, g->d->cfg, g->arena, &help)) {
	case DISCORD_AFTER_FATAL:
		discord_gw_forget(g);
		(void)ch_fail(err, CH_E_DENIED, "%s", help);
		return AFTER_END;
	case DISCORD_AFTER_IDENTIFY: discord_gw_forget(g); return AFTER_IDENTIFY;
	case DISCORD_AFTER_RESUME: break;
	}
	return AFTER_RESUME;
}

/* One connection, to its end. *ret_after: what comes next. */
static CH_FIBER ch_status connect_once(struct discord_gateway *g, enum after *ret_after, struct ch_err *err)
{
	ch_status st;

	g->is_ready = g->may_identify = false;
	st = dial(g, err);
	if (!st)
		st = read_frames(g, err);
	*ret_after = judge(g, st, err);
	/* Denied is only what a person must mend; a guard's or a proxy's refusal may pass. */
	if (st != CH_E_CANCELED)
		st = *ret_after == AFTER_END ? CH_E_DENIED : st == CH_E_DENIED || st == CH_E_EOF ? CH_E_PEER : st;
	fiber_mask(1);
	if (discord_gw_save(g, NULL))
		log_warn("discord", "account=%s: the session was not kept: its last events come again", chan_acct_id(g->acct));
	ws_client_close(CH_TAKE(g->ws), CLOSE_KEEP, "", fiber_deadline(CLOSE_MS));
	fiber_mask(-1);
	return st;
}

static void gateway_done(struct discord_gateway *g)
{
	map_free(g->guilds);
	catchup_done(&g->catchup);
	arena_unref(g->arena);
}

/*
 * A connection that worked and ended is followed by the next one here (Discord moves its clients every few hours); one that did
 * not is for the core, which waits longer each time.
 */
static CH_FIBER ch_status connect_all(struct discord_gateway *g, struct ch_err *err)
{
	for (;;) {
		enum after after;
		ch_status st = connect_once(g, &after, err);

		if (after == AFTER_END || (!g->is_ready && !g->may_identify))
			return st;
		log_info("discord", "account=%s: %s; connecting again", chan_acct_id(g->acct), err->text);
		chan_acct_log(g->acct, "%s; connecting again", err->text);
		chan_state(g->acct, CHAN_STARTING, "connecting again");
		st = fiber_sleep((int64_t)rand_below(1000));
		if (st)
			return ch_fail(err, st, "discord: stopped");
	}
}

/* Two logins of one bot would both hear, and answer, everything. */
struct twin { struct chan_acct *acct; const char *token_hash; const char *found; };

static bool find_twin(void *arg, struct chan_acct *other)
{
	struct twin *t = arg;
	struct discord *const *slot = chan_acct_ops(other) == chan_acct_ops(t->acct) ? chan_priv(other) : NULL;

	if (other != t->acct && slot && *slot && str_eq((*slot)->token_hash, t->token_hash))
		t->found = chan_acct_id(other);
	return !t->found;
}

CH_FIBER ch_status discord_run(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(discord_unref) struct discord *d = NULL;
	struct discord_gateway g = { .acct = acct };
	struct discord **slot = chan_priv(acct);
	struct twin twin = { .acct = acct };
	ch_status st = discord_new(acct, &d, err);

	if (st)
		return st;
	twin.token_hash = d->token_hash;
	chan_acct_each(chan_acct_host(acct), find_twin, &twin);
	if (twin.found)
		return ch_fail(err, CH_E_DENIED, "duplicate bot token: account %s has it; each account needs a bot of its own", twin.found);
	g.d = *slot = d;
	g.arena = arena_new(0);
	chan_state(acct, CHAN_STARTING, NULL);
	st = discord_gw_load(&g, err);
	if (!st && *g.s.id)
		discord_gw_know_self(&g);
	if (!st)
		st = connect_all(&g, err);
	*slot = NULL;
	gateway_done(&g);
	return st;
}
