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
#include "channels/discord_catchup.h"
#include "channels/discord_event.h"

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

#define CURSOR "gateway"
#define CLOSE_KEEP 4000                  /* ours: the session can be resumed; 1000 and 1001 would end it */
#define CONNECT_MS 20000
#define HELLO_MS 20000
#define READY_MS 30000
#define SEND_MS 10000
#define CLOSE_MS 2000
#define ACK_MS 2500                      /* Discord waits 3 s for the first answer to an interaction */
#define IDENTIFY_GAP_MS 5500             /* one identify in 5 s */
#define GUILDS_MAX 4096

enum after { AFTER_RESUME, AFTER_IDENTIFY, AFTER_END };

struct gateway {
	struct chan_acct *acct;
	struct discord *d;
	struct ws_client *ws;
	struct discord_session s;
	int64_t saved_seq;               /* what the kept cursor holds */
	int64_t interval_ms, beat_ms;    /* next heartbeat (mono) */
	int64_t ready_by_ms;             /* READY or RESUMED must have come by then */
	int64_t identified_ms;
	bool is_acked;                   /* the last heartbeat was answered */
	bool is_ready;
	bool may_identify;               /* Discord does not know the session: a new one is worth a try at once */
	bool is_refused;                 /* Discord said that the token is none */
	struct map *guilds;              /* those READY named: another one is one we were added to; NULL: not told */
	struct catchup catchup;
	char newest[DISCORD_ID_LEN];     /* message that was taken, while s.is_behind holds s.last_id back */
	size_t awaited;                  /* guilds that READY named and that did not come yet */
	int64_t await_until_ms;
	struct arena *arena;             /* of one frame */
};

/* -- the kept session -- */

static ch_status write_cursor(struct gateway *g, struct buf *out, struct ch_err *err)
{
	discord_session_write(&g->s, out);
	return buf_status(out, err, "discord session");
}

static ch_status save(struct gateway *g, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 4096 };
	ch_status st;

	if (g->s.seq == g->saved_seq)
		return CH_OK;
	st = write_cursor(g, &text, err);
	if (!st)
		st = chan_cursor_set(g->acct, CURSOR, buf_str(&text), err);
	if (!st)
		g->saved_seq = g->s.seq;
	return st;
}

static void forget(struct gateway *g)
{
	memset(g->s.id, 0, sizeof(g->s.id));
	memset(g->s.url, 0, sizeof(g->s.url));
	g->s.seq = 0;
	g->saved_seq = -1;
}

static ch_status load(struct gateway *g, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text;
	ch_status st = chan_cursor(g->acct, CURSOR, a, &text, err);

	if (st)
		return st;
	g->saved_seq = -1;
	if (discord_session_read(text, g->d->token_hash, &g->s))
		g->saved_seq = g->s.seq;
	/* Which rooms were to be asked is known only to a new session. */
	if (g->s.is_behind)
		forget(g);
	snprintf(g->s.token_hash, sizeof(g->s.token_hash), "%s", g->d->token_hash);
	return catchup_load(&g->catchup, g->acct, g->d, err);
}

/* Who we are, as READY or the kept session says. */
static void know_self(struct gateway *g)
{
	struct discord *d = g->d;

	snprintf(d->self_id, sizeof(d->self_id), "%s", g->s.self_id);
	snprintf(d->app_id, sizeof(d->app_id), "%s", g->s.app_id);
	snprintf(d->username, sizeof(d->username), "%s", g->s.username);
	chan_self(g->acct, d->self_id, d->username, NULL);
}

/* -- out -- */

static CH_FIBER ch_status say(struct gateway *g, const struct buf *text, struct ch_err *err)
{
	ch_status st = buf_status(text, err, "discord gateway");

	return st ? st : ws_client_send(g->ws, buf_str(text), text->len, fiber_deadline(SEND_MS), err);
}

static CH_FIBER ch_status beat(struct gateway *g, struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 256 };

	discord_write_heartbeat(&text, g->s.seq);
	return say(g, &text, err);
}

/* All rooms that had something were asked: from here on the newest message is the mark again. */
static void note_caught_up(struct gateway *g)
{
	if (!g->s.is_behind || catchup_is_due(&g->catchup) || (g->awaited && now_mono_ms() < g->await_until_ms))
		return;
	g->s.is_behind = false;
	g->saved_seq = -1;
	if (discord_id_cmp(g->newest, g->s.last_id) > 0)
		snprintf(g->s.last_id, sizeof(g->s.last_id), "%s", g->newest);
	if (g->catchup.left_out)
		log_warn("discord", "account=%s: %zu rooms were not asked for what was missed", chan_acct_id(g->acct), g->catchup.left_out);
}

/* The next one is due, or the last was never answered. */
static CH_FIBER ch_status beat_due(struct gateway *g, struct ch_err *err)
{
	ch_status st;

	if (!g->is_acked)
		return ch_fail(err, CH_E_PEER, "discord gateway: a heartbeat was not answered");
	g->is_acked = false;
	g->beat_ms = fiber_deadline(g->interval_ms);
	note_caught_up(g);
	st = save(g, err);
	return st ? st : beat(g, err);
}

static CH_FIBER ch_status greet(struct gateway *g, struct ch_err *err)
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

/* -- dispatches -- */

static CH_FIBER ch_status on_ready(struct gateway *g, const struct json *ready, struct ch_err *err)
{
	ch_status st = discord_session_ready(ready, &g->s, err);

	if (st)
		return st;
	know_self(g);
	map_free(g->guilds);
	g->guilds = map_new();
	json_each(guild, json_get(ready, "guilds"))
		if (json_get_str(guild, "id") && map_len(g->guilds) < GUILDS_MAX)
			map_put(g->guilds, json_get_str(guild, "id"), g);
	g->saved_seq = -1;
	catchup_begin(&g->catchup, g->s.last_id, now_wall_ms());
	g->awaited = map_len(g->guilds);
	g->await_until_ms = fiber_deadline(READY_MS);
	g->s.is_behind = *g->s.last_id;
	/* The first time there is nothing to go back to; from now on there is. */
	if (!*g->s.last_id)
		discord_id_at(now_wall_ms(), g->s.last_id);
	return save(g, err);
}

static void on_connected(struct gateway *g)
{
	g->is_ready = true;
	if (chan_cfg_bool(g->d->cfg, "intents.messageContent", true))
		chan_state(g->acct, CHAN_CONNECTED, NULL);
	else
		chan_state(g->acct, CHAN_DEGRADED, "without Message Content Intent only DMs and mentions are read");
}

/* Rooms and our own roles, as the guild tells them. */
static void learn_guild(struct gateway *g, const struct json *guild)
{
	const char *id = json_get_str(guild, "id");

	json_each(channel, json_get(guild, "channels"))
		discord_room_learn(g->d, channel, id);
	json_each(thread, json_get(guild, "threads"))
		discord_room_learn(g->d, thread, id);
	json_each(member, json_get(guild, "members"))
		if (str_eq(json_get_str(json_get(member, "user"), "id"), g->d->self_id))
			discord_roles_learn(g->d, id, json_get(member, "roles"));
}

static void learn(struct gateway *g, const struct discord_frame *f)
{
	const char *t = f->type;

	if (str_eq(t, "GUILD_CREATE")) {
		learn_guild(g, f->data);
		catchup_guild(&g->catchup, f->data);
		g->awaited -= g->awaited > 0;
	} else if (str_eq(t, "CHANNEL_DELETE") || str_eq(t, "THREAD_DELETE"))
		discord_room_forget(g->d, json_get_str(f->data, "id"));
	else if (str_starts(t, "CHANNEL_") || str_starts(t, "THREAD_"))
		discord_room_learn(g->d, f->data, NULL);
	else if (str_eq(t, "GUILD_MEMBER_UPDATE") && str_eq(json_get_str(json_get(f->data, "user"), "id"), g->d->self_id))
		discord_roles_learn(g->d, json_get_str(f->data, "guild_id"), json_get(f->data, "roles"));
}

/* Our own message comes back with the nonce that it was sent with: proof that it arrived. */
static bool is_own_message(struct gateway *g, const struct discord_frame *f)
{
	const char *nonce = json_get_str(f->data, "nonce"), *id = json_get_str(f->data, "id");
	struct discord_nonce *n = &g->d->nonces[g->d->nonce_at % DISCORD_NONCES];

	if (!str_eq(f->type, "MESSAGE_CREATE") || !str_eq(json_get_str(json_get(f->data, "author"), "id"), g->d->self_id))
		return false;
	if (nonce && strlen(nonce) <= DISCORD_NONCE_LEN && discord_is_id(id)) {
		snprintf(n->nonce, sizeof(n->nonce), "%s", nonce);
		snprintf(n->id, sizeof(n->id), "%s", id);
		g->d->nonce_at++;
	}
	return true;
}

/* At start each guild is created once; so is one that was away. Only one that nobody named is new. */
static bool is_worth_telling(struct gateway *g, const struct discord_frame *f)
{
	const char *id = json_get_str(f->data, "id");

	if (str_eq(f->type, "GUILD_DELETE")) {
		if (g->guilds && id && !json_get_bool(f->data, "unavailable", false))
			map_take(g->guilds, id);
		return !json_get_bool(f->data, "unavailable", false);
	}
	if (!str_eq(f->type, "GUILD_CREATE"))
		return discord_is_event(f->type) && !is_own_message(g, f);
	if (!g->guilds || !id || map_find(g->guilds, id) || map_len(g->guilds) >= GUILDS_MAX)
		return false;
	map_put(g->guilds, id, g);
	return true;
}

/* Within 3 seconds, and after it is safe with us. What fails here shows as "did not respond"; the answer then goes to the room. */
static CH_FIBER void acknowledge(struct gateway *g, const struct json *d)
{
	bool is_command = json_get_int(d, "type", 0) == 2, is_hidden = chan_cfg_bool(g->d->cfg, "slashCommand.ephemeral", true);
	const char *body = !is_command ? "{\"type\":6}" : is_hidden ? "{\"type\":5,\"data\":{\"flags\":64}}" : "{\"type\":5}";
	struct discord_rs rs;
	struct ch_err why;

	if (discord_call(g->d,
			 &(struct discord_rq){ .method = "POST",
					       .path = arena_printf(g->arena, "/interactions/%s/%s/callback",
								    json_get_str(d, "id"), json_get_str(d, "token")),
					       .body = body,
					       .body_len = strlen(body),
					       .is_free = true,
					       .is_once = true,
					       .wait_max_ms = ACK_MS,
					       .deadline_ms = fiber_deadline(ACK_MS) },
			 g->arena, &rs, &why))
		log_warn("discord", "account=%s: an interaction was not acknowledged: %s", chan_acct_id(g->acct), why.text);
}

static ch_status know_dm(struct gateway *g, const char *user, const char *channel, struct ch_err *err)
{
	if (!discord_is_id(user) || !discord_is_id(channel))
		return CH_OK;
	discord_dm_learn(g->d, user, channel);
	return catchup_know(&g->catchup, g->acct, user, channel, err);
}

/* What decoding needs and we may have to ask for: the room (is it a thread?) and our roles. */
static CH_FIBER ch_status prepare(struct gateway *g, const struct discord_frame *f, struct discord_ctx *x, struct ch_err *err)
{
	const char *channel = discord_event_channel(f->data), *guild = json_get_str(f->data, "guild_id");
	const struct discord_room *room;
	bool is_interaction = str_eq(f->type, "INTERACTION_CREATE");
	ch_status st = CH_OK;

	*x = (struct discord_ctx){ .d = g->d, .session = g->s.id, .seq = f->seq };
	if (is_interaction)
		discord_room_learn(g->d, json_get(f->data, "channel"), guild);
	if (guild && channel && !is_interaction)
		st = discord_room(g->d, channel, &room, err);
	if (!st && !guild && channel && str_eq(f->type, "MESSAGE_CREATE"))
		st = know_dm(g, json_get_str(json_get(f->data, "author"), "id"), channel, err);
	if (!st && guild && discord_event_mentions_roles(f->data))
		x->roles = discord_roles(g->d, guild);
	return st;
}

static CH_FIBER ch_status deliver(struct gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	CH_AUTO_BUF struct buf cursor = { .max_bytes = 4096 };
	struct discord_ctx x;
	struct ch_err why;
	struct chan_in *in;
	size_t count = 0;
	ch_status st = prepare(g, f, &x, err);

	if (st)
		return st;
	/* What is not understood now will not be the next time either. */
	if (discord_event(g->arena, &x, f->type, f->data, &in, &count, &why)) {
		log_warn("discord", "account=%s: %s; left out", chan_acct_id(g->acct), why.text);
		return CH_OK;
	}
	if (!count)
		return CH_OK;
	g->s.seq = f->seq;
	st = write_cursor(g, &cursor, err);
	if (!st)
		st = chan_deliver(g->acct, in, count, CURSOR, buf_str(&cursor), err);
	if (st == CH_E_INVALID) {
		log_warn("discord", "account=%s: %s %s: %s; left out", chan_acct_id(g->acct), f->type, in->event_id, err->text);
		return CH_OK;
	}
	if (st)
		return st;
	g->saved_seq = f->seq;
	if (in->handle)
		acknowledge(g, f->data);
	return CH_OK;
}

static void note_newest(struct gateway *g, const struct json *message)
{
	const char *id = json_get_str(message, "id");
	char *newest = g->s.is_behind ? g->newest : g->s.last_id;

	if (discord_is_id(id) && discord_id_cmp(id, newest) > 0)
		snprintf(newest, DISCORD_ID_LEN, "%s", id);
}

static CH_FIBER ch_status on_dispatch(struct gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	struct discord_session before = g->s;
	ch_status st = CH_OK;

	if (str_eq(f->type, "MESSAGE_CREATE"))
		note_newest(g, f->data);
	if (str_eq(f->type, "READY"))
		st = on_ready(g, f->data, err);
	if (!st && (str_eq(f->type, "READY") || str_eq(f->type, "RESUMED")))
		on_connected(g);
	if (!st)
		learn(g, f);
	if (!st && is_worth_telling(g, f))
		st = deliver(g, f, err);
	/* What was not taken must come again. */
	if (st)
		g->s = before;
	else
		g->s.seq = CH_MAX(f->seq, g->s.seq);
	note_caught_up(g);
	return st;
}

/*
 * One room of those that were missed. Each message is as if it had been told now, under the number of the last event: the
 * session's own numbers go on.
 */
static CH_FIBER ch_status catch_up(struct gateway *g, struct ch_err *err)
{
	struct json *messages;
	ch_status st;

	arena_clear(g->arena);
	st = catchup_next(&g->catchup, g->d, g->arena, &messages, err);
	for (const struct json *m = st ? NULL : json_first(messages); m && !st; m = m->next) {
		struct discord_frame f = { .op = DISCORD_DISPATCH, .seq = g->s.seq, .type = "MESSAGE_CREATE", .data = m };

		note_newest(g, m);
		if (!is_own_message(g, &f))
			st = deliver(g, &f, err);
	}
	if (st)
		return st;
	catchup_took(&g->catchup);
	note_caught_up(g);
	return CH_OK;
}

/* -- frames -- */

static CH_FIBER ch_status on_hello(struct gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	g->interval_ms = f->interval_ms;
	g->is_acked = true;
	/* The first beat comes at a random moment of the interval, so that all bots of the world do not beat together. */
	g->beat_ms = fiber_deadline((int64_t)rand_below((uint64_t)f->interval_ms));
	g->ready_by_ms = fiber_deadline(READY_MS);
	return greet(g, err);
}

static CH_FIBER ch_status on_invalid(struct gateway *g, const struct discord_frame *f, struct ch_err *err)
{
	ch_status st;

	g->may_identify = !f->can_resume && *g->s.id;
	if (!f->can_resume)
		forget(g);
	st = fiber_sleep(1000 + (int64_t)rand_below(4000));
	return st ? st : ch_fail(err, CH_E_PEER, "discord gateway: the session is not valid any more");
}

/* CH_OK: go on reading. */
static CH_FIBER ch_status on_frame(struct gateway *g, const struct discord_frame *f, struct ch_err *err)
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
static CH_FIBER ch_status read_frames(struct gateway *g, struct ch_err *err)
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
			st = catch_up(g, err);
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

static CH_FIBER ch_status find_gateway(struct gateway *g, char *ret, size_t cap, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *limit;
	struct discord_rs rs;
	const char *url;
	ch_status st = discord_call(g->d, &(struct discord_rq){ .method = "GET", .path = "/gateway/bot", .wait_max_ms = CONNECT_MS }, a,
				    &rs, err);

	if (st == CH_E_DENIED && rs.status == 401) {
		(void)discord_close_means(4004, &url);
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

static CH_FIBER ch_status dial_at(struct gateway *g, const char *address, struct ch_err *err)
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
static CH_FIBER ch_status dial(struct gateway *g, struct ch_err *err)
{
	char address[256];
	ch_status st = *g->s.id ? dial_at(g, g->s.url, err) : CH_E_NOT_FOUND;

	if (!st || st == CH_E_CANCELED)
		return st;
	st = find_gateway(g, address, sizeof(address), err);
	return st ? st : dial_at(g, address, err);
}

/* What the end of a connection means for the next one; err says why it ended. */
static enum after judge(struct gateway *g, ch_status why, struct ch_err *err)
{
	uint16_t code = g->ws ? ws_client_close_code(g->ws) : 0;
	const char *help = NULL;

	if (why == CH_E_CANCELED || g->is_refused)
		return AFTER_END;
	if (!code)
		return AFTER_RESUME;
	switch (discord_close_means(code, &help)) {
	case DISCORD_AFTER_FATAL:
		forget(g);
		(void)ch_fail(err, CH_E_DENIED, "%s", help);
		return AFTER_END;
	case DISCORD_AFTER_IDENTIFY: forget(g); return AFTER_IDENTIFY;
	case DISCORD_AFTER_RESUME: break;
	}
	return AFTER_RESUME;
}

/* One connection, to its end. *ret_after: what comes next. */
static CH_FIBER ch_status connect_once(struct gateway *g, enum after *ret_after, struct ch_err *err)
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
	if (save(g, NULL))
		log_warn("discord", "account=%s: the session was not kept: its last events come again", chan_acct_id(g->acct));
	ws_client_close(CH_TAKE(g->ws), CLOSE_KEEP, "", fiber_deadline(CLOSE_MS));
	fiber_mask(-1);
	return st;
}

static void gateway_done(struct gateway *g)
{
	map_free(g->guilds);
	catchup_done(&g->catchup);
	arena_unref(g->arena);
}

/*
 * A connection that worked and ended is followed by the next one here (Discord moves its clients every few hours); one that did
 * not is for the core, which waits longer each time.
 */
static CH_FIBER ch_status connect_all(struct gateway *g, struct ch_err *err)
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

CH_FIBER ch_status discord_run(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(discord_unref) struct discord *d = NULL;
	struct gateway g = { .acct = acct };
	struct discord **slot = chan_priv(acct);
	ch_status st = discord_new(acct, &d, err);

	if (st)
		return st;
	g.d = *slot = d;
	g.arena = arena_new(0);
	chan_state(acct, CHAN_STARTING, NULL);
	st = load(&g, err);
	if (!st && *g.s.id)
		know_self(&g);
	if (!st)
		st = connect_all(&g, err);
	*slot = NULL;
	gateway_done(&g);
	return st;
}
