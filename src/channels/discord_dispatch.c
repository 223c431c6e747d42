/*
 * channels/discord_dispatch.c - what the Gateway tells: who we are, which rooms there are, and the events, each handed over together
 * with the number that a later connection resumes behind.
 */
#include "channels/discord_gateway.h"

#include <stdio.h>
#include <string.h>

#include "channels/discord_event.h"
#include "channels/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"

#define CURSOR "gateway"
#define AWAIT_MS 30000                   /* for the guilds that READY named */
#define ACK_MS 2500                      /* Discord waits 3 s for the first answer to an interaction */
#define GUILDS_MAX 4096

/* -- the kept session -- */

static ch_status write_cursor(struct discord_gateway *g, struct buf *out, struct ch_err *err)
{
	discord_session_write(&g->s, out);
	return buf_status(out, err, "discord session");
}

ch_status discord_gw_save(struct discord_gateway *g, struct ch_err *err)
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

void discord_gw_forget(struct discord_gateway *g)
{
	memset(g->s.id, 0, sizeof(g->s.id));
	memset(g->s.url, 0, sizeof(g->s.url));
	g->s.seq = 0;
	g->saved_seq = -1;
}

ch_status discord_gw_load(struct discord_gateway *g, struct ch_err *err)
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
		discord_gw_forget(g);
	snprintf(g->s.token_hash, sizeof(g->s.token_hash), "%s", g->d->token_hash);
	return catchup_load(&g->catchup, g->acct, g->d, err);
}

/* Who we are, as READY or the kept session says. */
void discord_gw_know_self(struct discord_gateway *g)
{
	struct discord *d = g->d;

	snprintf(d->self_id, sizeof(d->self_id), "%s", g->s.self_id);
	snprintf(d->app_id, sizeof(d->app_id), "%s", g->s.app_id);
	snprintf(d->username, sizeof(d->username), "%s", g->s.username);
	chan_self(g->acct, d->self_id, d->username, NULL);
}

/* All rooms that had something were asked: from here on the newest message is the mark again. */
void discord_gw_note_caught_up(struct discord_gateway *g)
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

/* -- dispatches -- */

static CH_FIBER ch_status on_ready(struct discord_gateway *g, const struct json *ready, struct ch_err *err)
{
	ch_status st = discord_session_ready(ready, &g->s, err);

	if (st)
		return st;
	discord_gw_know_self(g);
	map_free(g->guilds);
	g->guilds = map_new();
	json_each(guild, json_get(ready, "guilds"))
		if (json_get_str(guild, "id") && map_len(g->guilds) < GUILDS_MAX)
			map_put(g->guilds, json_get_str(guild, "id"), g);
	g->saved_seq = -1;
	catchup_begin(&g->catchup, g->s.last_id, now_wall_ms());
	g->awaited = map_len(g->guilds);
	g->await_until_ms = fiber_deadline(AWAIT_MS);
	g->s.is_behind = *g->s.last_id;
	/* The first time there is nothing to go back to; from now on there is. */
	if (!*g->s.last_id)
		discord_id_at(now_wall_ms(), g->s.last_id);
	return discord_gw_save(g, err);
}

static void on_connected(struct discord_gateway *g)
{
	g->is_ready = true;
	if (chan_cfg_bool(g->d->cfg, "intents.messageContent", true))
		chan_state(g->acct, CHAN_CONNECTED, NULL);
	else
		chan_state(g->acct, CHAN_DEGRADED, "without Message Content Intent only DMs and mentions are read");
}

/* Rooms and our own roles, as the guild tells them. */
static void learn_guild(struct discord_gateway *g, const struct json *guild)
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

static void learn(struct discord_gateway *g, const struct discord_frame *f)
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
static bool is_own_message(struct discord_gateway *g, const struct discord_frame *f)
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
static bool is_worth_telling(struct discord_gateway *g, const struct discord_frame *f)
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
static CH_FIBER void acknowledge(struct discord_gateway *g, const struct json *d)
{
	bool is_command = json_get_int(d, "type", 0) == 2, is_hidden = g->d->hides_answers;
	const char *body = !is_command ? "{\"type\":6}" : is_hidden ? "{\"type\":5,\"data\":{\"flags\":64}}" : "{\"type\":5}";
	const char *id = json_get_str(d, "id");
	struct discord_rs rs;
	struct ch_err why;

	/* Nothing waited since it was handed over, so no answer can have been sent yet. */
	snprintf(g->d->acking, sizeof(g->d->acking), "%s", id);
	if (discord_call(g->d,
			 &(struct discord_rq){ .method = "POST",
					       .path = arena_printf(g->arena, "/interactions/%s/%s/callback", id,
								    json_get_str(d, "token")),
					       .body = body,
					       .body_len = strlen(body),
					       .is_free = true,
					       .is_once = true,
					       .wait_max_ms = ACK_MS,
					       .deadline_ms = fiber_deadline(ACK_MS) },
			 g->arena, &rs, &why))
		log_warn("discord", "account=%s: an interaction was not acknowledged: %s", chan_acct_id(g->acct), why.text);
	g->d->acking[0] = 0;
	fiber_cond_broadcast(&g->d->acked);
}

static ch_status know_dm(struct discord_gateway *g, const char *user, const char *channel, struct ch_err *err)
{
	if (!discord_is_id(user) || !discord_is_id(channel))
		return CH_OK;
	discord_dm_learn(g->d, user, channel);
	return catchup_know(&g->catchup, g->acct, user, channel, err);
}

/* Of a message, an interaction, a reaction or a vote in a DM; NULL: nobody is named. */
static const char *author_of(const struct json *d)
{
	const char *id = json_get_str(json_get(d, "author"), "id");

	id = id ? id : json_get_str(json_get(d, "user"), "id");
	return id ? id : json_get_str(d, "user_id");
}

/* What decoding needs and we may have to ask for: the room (is it a thread?), our roles, and groups that the author is in. */
static CH_FIBER ch_status prepare(struct discord_gateway *g, const struct discord_frame *f, struct discord_ctx *x, struct ch_err *err)
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
	if (!st && !guild)
		x->audiences = discord_audiences(g->d, chan_host_config(chan_acct_host(g->acct)), author_of(f->data), g->arena);
	return st;
}

static CH_FIBER ch_status deliver(struct discord_gateway *g, const struct discord_frame *f, struct ch_err *err)
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

static void note_newest(struct discord_gateway *g, const struct json *message)
{
	const char *id = json_get_str(message, "id");
	char *newest = g->s.is_behind ? g->newest : g->s.last_id;

	if (discord_is_id(id) && discord_id_cmp(id, newest) > 0)
		snprintf(newest, DISCORD_ID_LEN, "%s", id);
}

CH_FIBER ch_status discord_gw_dispatch(struct discord_gateway *g, const struct discord_frame *f, struct ch_err *err)
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
	discord_gw_note_caught_up(g);
	return st;
}

/*
 * One room of those that were missed. Each message is as if it had been told now, under the number of the last event: the
 * session's own numbers go on.
 */
CH_FIBER ch_status discord_gw_catch_up(struct discord_gateway *g, struct ch_err *err)
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
	discord_gw_note_caught_up(g);
	return CH_OK;
}
