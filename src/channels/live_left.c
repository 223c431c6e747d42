/*
 * channels/live_left.c - previews that were left in a chat.
 *
 * Each stands in a cursor of its account, "preview:<run>", from when it is shown until the reply took its place or it was taken away.
 * What is there when the account comes up, and belongs to no turn of this process, was left by a crash or a lost connection: it goes.
 */
#include "channels/live_priv.h"

#include <string.h>

#include "channels/egress.h"
#include "channels/inbox.h"
#include "channels/route.h"
#include "core/log.h"
#include "core/str.h"

#define PREFIX "preview:"
#define PREFIX_END "preview;"            /* behind all that begin with it */
#define LEFT_AT_ONCE 100

struct left { const char *run_id, *message_id; struct chan_peer peer; };

/* Of one account, at work. */
struct live_sweep {
	struct chan_live *live;
	struct chan_acct *acct;
	struct fiber *fiber;
	struct arena *arena;
	struct left at[LEFT_AT_ONCE];
	size_t len;
};

/* -- noting -- */

void live_left_note(const struct live_state *t, const struct chan_acct *acct)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct chan_ops *ops = chan_acct_ops(acct);
	struct json *v = json_new_obj(a);
	struct ch_err err;

	if (!ops->remove)
		return;
	json_set(a, v, "peer", chan_peer_json(a, &t->place.peer));
	json_set(a, v, "message", json_new_str(a, t->draft_id));
	if (inbox_cursor_set(chan_host_db(t->live->host), ops->id, chan_acct_id(acct), arena_printf(a, PREFIX "%s", t->run_id),
			     json_to_str(a, v), &err))
		log_info("channels", "chan=%s account=%s run=%s a preview could not be noted: %s; a crash would leave it", ops->id,
			 chan_acct_id(acct), t->run_id, err.text);
}

ch_status live_left_forget(struct chan_live *l, const char *channel, const char *account, const char *run_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return inbox_cursor_set(chan_host_db(l->host), channel, account, arena_printf(a, PREFIX "%s", run_id), NULL, err);
}

void live_left_gone(struct chan_live *l, const char *channel, const char *account, const char *run_id, ch_status st,
		    const struct ch_err *why)
{
	struct ch_err err;
	bool is_later = st == CH_E_CANCELED || ch_status_retryable(st);

	if (st)
		log_info("channels", "chan=%s account=%s run=%s a preview could not be taken away: %s; %s", channel, account, run_id,
			 why->text, is_later ? "tried again when the account comes up" : "it stays");
	if (!is_later && live_left_forget(l, channel, account, run_id, &err))
		log_info("channels", "chan=%s account=%s run=%s %s; the preview is looked for once more", channel, account, run_id,
			 err.text);
}

CH_FIBER void live_left_remove(struct chan_live *l, const char *channel, const char *account, const char *run_id,
			       const struct chan_peer *peer, const char *message_id)
{
	struct ch_err err = { 0 };
	ch_status st = egress_remove(chan_host_egress(l->host), channel, account, peer, message_id, &err);

	live_left_gone(l, channel, account, run_id, st, &err);
}

/* -- taking away -- */

static bool is_known(const struct chan_live *l, const char *run_id)
{
	for (size_t i = 0; i < l->turns.len; i++)
		if (str_eq(l->turns.at[i]->run_id, run_id))
			return true;
	/* A reply that is about to be queued takes its place. */
	for (size_t i = 0; i < LIVE_ENDED_MAX; i++)
		if (l->ended_runs[i].draft_id && str_eq(l->ended_runs[i].run_id, run_id))
			return true;
	return false;
}

static bool read_one(struct db_stmt *row, struct arena *a, struct left *ret)
{
	struct json *v = NULL;

	*ret = (struct left){ .run_id = arena_strdup(a, db_text(row, 0) + strlen(PREFIX)) };
	if (json_parse(a, db_text(row, 1), db_text_len(row, 1), JSON_STRICT, &v, NULL) ||
	    chan_peer_read(json_get(v, "peer"), a, &ret->peer, NULL))
		return false;
	ret->message_id = json_get_str(v, "message");
	return ret->message_id != NULL;
}

static ch_status find_left(struct live_sweep *s, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	bool found;
	ch_status st = db_prep(chan_host_db(s->live->host), "SELECT name, value FROM channel_cursors WHERE channel = ?1 AND "
			       "account = ?2 AND name >= '" PREFIX "' AND name < '" PREFIX_END "' LIMIT ?3", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, chan_acct_ops(s->acct)->id);
	db_bind_text(row, 2, chan_acct_id(s->acct));
	db_bind_int(row, 3, LEFT_AT_ONCE);
	while (!(st = db_step(row, &found, err)) && found)
		if (read_one(row, s->arena, &s->at[s->len]) && !is_known(s->live, s->at[s->len].run_id))
			s->len++;
	return st;
}

static void sweep_done(struct live_sweep *s)
{
	chan_acct_unref(s->acct);
	arena_unref(s->arena);
	ch_free(s);
}

static void sweep_fiber(void *arg)
{
	struct live_sweep *s = arg;
	struct chan_live *l = s->live;

	for (size_t i = 0; i < s->len && !fiber_canceled() && chan_acct_is_up(s->acct); i++)
		live_left_remove(l, chan_acct_ops(s->acct)->id, chan_acct_id(s->acct), s->at[i].run_id, &s->at[i].peer,
				 s->at[i].message_id);
	for (size_t i = 0; i < l->sweeps.len; i++) {
		if (l->sweeps.at[i] != s)
			continue;
		vec_remove(&l->sweeps, i);
		break;
	}
	sweep_done(s);
	fiber_cond_broadcast(&l->ended);
}

static bool is_swept(const struct chan_live *l, const struct chan_acct *acct)
{
	for (size_t i = 0; i < l->sweeps.len; i++)
		if (l->sweeps.at[i]->acct == acct)
			return true;
	return false;
}

void live_came_up(struct chan_live *l, struct chan_acct *acct)
{
	struct live_sweep *s;
	struct ch_err err;

	if (l->is_draining || !chan_acct_ops(acct)->remove || is_swept(l, acct))
		return;
	s = ch_alloc(sizeof(*s));
	*s = (struct live_sweep){ .live = l, .acct = chan_acct_ref(acct), .arena = arena_new(0) };
	if (find_left(s, &err))
		log_info("channels", "chan=%s account=%s previews that were left: %s; looked for again when it comes up",
			 chan_acct_ops(acct)->id, chan_acct_id(acct), err.text);
	if (!s->len) {
		sweep_done(s);
		return;
	}
	vec_push(&l->sweeps, s);
	s->fiber = fiber_spawn(chan_host_loop(l->host), "previews", FIBER_DETACHED, sweep_fiber, s);
}

void live_left_stop(struct chan_live *l)
{
	for (size_t i = 0; i < l->sweeps.len; i++)
		fiber_cancel(l->sweeps.at[i]->fiber);
}
