/*
 * channels/ingress_settle.c - what was handed to runs ends with them: the reply into the outbox and the rows' end in one transaction.
 *
 * What a run became is read from the runs' own record (chan_up.run_end), so the same code settles at once, after a failure to write,
 * and after a restart. A message that another run took along ends with that one, at its own place.
 *
 *	done          the reply, or nothing when it is silent
 *	failed        a notice that says so; the error itself is the operator's to see
 *	aborted       a notice, unless who stopped it was told otherwise
 *	interrupted   taken up again, once; a second time the person is asked to say it again
 */
#include "channels/ingress_priv.h"

#include <string.h>

#include "channels/access.h"
#include "channels/egress.h"
#include "channels/live.h"
#include "channels/rooms.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"

#define LIVE_SETTLE_MS 3000              /* for a preview's edit that is on its way; then the reply is a message of its own */
#define ABSORBED_DEPTH_MAX 8
#define ERROR_AGAIN_MS (4 * 3600 * 1000LL)       /* errorPolicy "once" */

/* A run with the rows that end with it. */
struct group { const char *run_id; struct chan_run_end end; VEC(const struct inbox_row *) rows; };

struct settling {
	struct chan_ingress *g;
	struct arena *a;
	const char *session_key;
	bool is_start;
	VEC(struct inbox_row) rows;
	VEC(struct group) groups;
};

static void settling_done(struct settling *s)
{
	for (size_t i = 0; i < s->groups.len; i++)
		vec_done(&s->groups.at[i].rows);
	vec_done(&s->groups);
	vec_done(&s->rows);
	arena_unref(s->a);
}

/* -- who answers what -- */

static void note_row(void *arg, const struct inbox_row *r)
{
	struct settling *s = arg;

	vec_push(&s->rows, *r);
}

/* The run that answers: another one, when it took this one's messages along. */
static ch_status find_end(struct settling *s, const char *run_id, const char **ret_run, struct chan_run_end *ret, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(s->g->host);

	for (int depth = 0; depth < ABSORBED_DEPTH_MAX; depth++) {
		ch_status st;

		*ret = (struct chan_run_end){ 0 };
		st = up->run_end(up->arg, s->session_key, run_id, s->a, ret, err);
		if (st)
			return st;
		*ret_run = run_id;
		if (ret->state != CHAN_RUN_ABSORBED || !ret->absorbed_by)
			return CH_OK;
		run_id = ret->absorbed_by;
	}
	return CH_OK;
}

static struct group *group_of(struct settling *s, const char *run_id, const struct chan_run_end *end)
{
	for (size_t i = 0; i < s->groups.len; i++)
		if (str_eq(s->groups.at[i].run_id, run_id))
			return &s->groups.at[i];
	vec_push(&s->groups, ((struct group){ .run_id = run_id, .end = *end, .rows = VEC_INIT }));
	return &s->groups.at[s->groups.len - 1];
}

static ch_status gather(struct settling *s, struct ch_err *err)
{
	ch_status st = inbox_handed_of(s->g->db, s->session_key, s->a, note_row, s, err);

	for (size_t i = 0; i < s->rows.len && !st; i++) {
		struct chan_run_end end;
		const char *run_id;
		struct group *into;

		st = find_end(s, s->rows.at[i].run_id, &run_id, &end, err);
		if (st)
			break;
		into = group_of(s, run_id, &end);
		vec_push(&into->rows, &s->rows.at[i]);
	}
	return st;
}

/* -- a reply -- */

/* "agent:<id>:…" */
static const char *agent_of(const char *session_key, struct arena *a)
{
	const char *id = str_starts(session_key, "agent:") ? session_key + strlen("agent:") : NULL;

	return id ? arena_strndup(a, id, strcspn(id, ":")) : NULL;
}

/* What is to be said in one place; run: the one that was shown there. */
struct saying { struct chan_message m; struct chan_place at; const char *run; bool is_silent, is_unsent; struct ch_err why; };

static void add_files(struct arena *a, const struct json *media, struct chan_message *m)
{
	struct chan_file *files = arena_alloc(a, (json_len(media) + 1) * sizeof(*files));
	size_t n = 0;

	json_each(file, media) {
		const char *path = json_get_str(file, "path"), *url = json_get_str(file, "url");

		if (path || url)
			files[n++] = (struct chan_file){ .path = path, .url = path ? NULL : url, .name = json_get_str(file, "name") };
	}
	m->files = files;
	m->file_count = n;
}

/* It cannot be sent there: that is told to the operator, and is no reason to keep the message open. */
static void tell_unsent(struct chan_ingress *g, const struct saying *w)
{
	const struct chan_up *up = chan_host_up(g->host);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	log_error("channels", "%s/%s session=%s: a reply cannot be sent: %s; the conversation has it", w->at.channel, w->at.account,
		  w->m.session_key, w->why.text);
	if (up->notice)
		up->notice(up->arg, w->m.session_key,
			   arena_printf(a, "This reply could not be sent on %s/%s: %s", w->at.channel, w->at.account, w->why.text));
}

static bool is_for_later(ch_status st)
{
	return st == CH_E_IO || st == CH_E_NOMEM || st == CH_E_BUSY || st == CH_E_CANCELED;
}

/* Ends what was seen of the run: the reply takes the place of its preview, and says what no block has said. */
CH_FIBER static void take_live(struct chan_ingress *g, const char *run_id, bool is_notice, struct arena *a, struct saying *w)
{
	struct chan_live *live = chan_host_live(g->host);
	struct live_end end;

	live_settle(live, run_id, fiber_deadline(LIVE_SETTLE_MS));
	live_end(live, run_id, is_notice, a, &end);
	if (is_notice)
		return;
	w->m.text = live_rest(&end, w->m.text);
	w->m.draft_id = end.draft_id;
}

/* Files are copied and fetched here, before the transaction. */
CH_FIBER static ch_status prepare(struct chan_ingress *g, const char *run_id, const char *text, const struct json *media, struct arena *a,
				  struct saying *w, struct ch_err *err)
{
	struct ch_err why = { 0 };
	ch_status st;

	w->m.channel = w->at.channel;
	w->m.account = w->at.account;
	w->m.peer = w->at.peer;
	w->m.text = text;
	take_live(g, run_id, str_eq(w->m.origin, "notice"), a, w);
	if (str_eq(w->m.origin, "notice")) {
		w->is_silent = str_empty(text);
		return CH_OK;
	}
	w->m.reply_to = w->at.message_id;
	w->m.may_attach = chan_is_owner_id(chan_host_config(g->host), w->at.channel, w->at.sender_id);
	add_files(a, media, &w->m);
	st = egress_reply(chan_host_egress(g->host), agent_of(w->m.session_key, a), a, &w->m, &w->is_silent, &why);
	if (!st && w->is_silent && w->m.draft_id)        /* the reply says nothing: so does no preview of it */
		live_left_remove(chan_host_live(g->host), w->at.channel, w->at.account, run_id, &w->at.peer, w->m.draft_id);
	if (!st)
		return CH_OK;
	if (is_for_later(st))
		return ch_fail(err, st, "%s", why.text);
	w->why = why;
	w->is_silent = w->is_unsent = true;
	return CH_OK;
}

static ch_status put(struct chan_ingress *g, struct saying *w, struct ch_err *err)
{
	struct ch_err why = { 0 };
	int64_t id;
	ch_status st;

	if (w->is_silent)
		return CH_OK;
	st = egress_put(chan_host_egress(g->host), &w->m, &id, &why);
	if (!st)
		return !w->m.draft_id ? CH_OK
				      : live_left_forget(chan_host_live(g->host), w->at.channel, w->at.account, w->run, err);
	egress_unstage(chan_host_egress(g->host), &w->m);
	if (st == CH_E_EXISTS)
		return CH_OK;
	if (is_for_later(st))
		return ch_fail(err, st, "%s", why.text);
	w->why = why;
	w->is_unsent = true;
	return CH_OK;
}

/* -- ends -- */

/* The last of the rows that came by this lane, and the first one's run. */
static const struct inbox_row *last_of_lane(const struct group *gr, const char *lane, const char **ret_run)
{
	const struct inbox_row *last = NULL;

	for (size_t i = 0; i < gr->rows.len; i++) {
		if (!str_eq(gr->rows.at[i]->lane, lane))
			continue;
		if (!last)
			*ret_run = gr->rows.at[i]->run_id;
		last = gr->rows.at[i];
	}
	return last;
}

static bool is_first_of_lane(const struct group *gr, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (str_eq(gr->rows.at[k]->lane, gr->rows.at[i]->lane))
			return false;
	return true;
}

static const char *with_quote(struct arena *a, const char *notice, const struct inbox_row *row)
{
	struct chan_in in;

	if (!notice || !row->payload || chan_in_read(row->payload, strlen(row->payload), a, &in, NULL))
		return notice;
	return ingress_quoting(a, notice, &in);
}

/* All that the group has of a lane: who is asked to say it again must see what. */
static const char *with_quotes(struct arena *a, const char *notice, const struct group *gr, const char *lane)
{
	for (size_t i = 0; i < gr->rows.len; i++)
		if (str_eq(gr->rows.at[i]->lane, lane))
			notice = with_quote(a, notice, gr->rows.at[i]);
	return notice;
}

/* silentErrorReplies: what is told of a failed turn makes no sound. */
static bool is_error_silent(struct settling *s, const struct inbox_row *row)
{
	const struct chan_acct *acct = chan_acct_find(s->g->host, row->channel, row->account);

	return acct && chan_cfg_bool(chan_acct_cfg(acct), "silentErrorReplies", false);
}

/* *ret: one for each lane, at most as many as there are rows. */
CH_FIBER static ch_status prepare_all(struct settling *s, const struct group *gr, const char *text, bool is_notice,
				      struct saying *ret, size_t *ret_count, struct ch_err *err)
{
	size_t n = 0;
	ch_status st = CH_OK;

	for (size_t i = 0; i < gr->rows.len && !st; i++) {
		const char *run = gr->run_id;
		const struct inbox_row *row;

		if (!is_first_of_lane(gr, i))
			continue;
		row = last_of_lane(gr, gr->rows.at[i]->lane, &run);
		ret[n] = (struct saying){ .run = run,
					  .m = { .key = arena_printf(s->a, "run:%s", run), .session_key = s->session_key,
						 .run_id = gr->run_id, .origin = is_notice ? "notice" : "reply",
						 .is_batch = gr->rows.len > 1,
						 .is_silent = gr->end.state == CHAN_RUN_FAILED && is_error_silent(s, row) } };
		st = place_of_row(row, s->a, &ret[n].at, &ret[n].m.handle, err);
		if (!st)
			st = prepare(s->g, run, is_notice ? with_quotes(s->a, text, gr, row->lane) : text,
				     is_notice ? NULL : gr->end.media, s->a, &ret[n], err);
		n++;
	}
	*ret_count = n;
	return st;
}

static ch_status end_rows(struct settling *s, const struct group *gr, struct saying *said, size_t count, const char *reason,
			  struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(s->g->db, err);

	if (st)
		return st;
	tx = s->g->db;
	for (size_t i = 0; i < count && !st; i++)
		st = put(s->g, &said[i], err);
	for (size_t i = 0; i < gr->rows.len && !st; i++)
		st = inbox_end(s->g->db, gr->rows.at[i]->id, INBOX_ANSWERED, reason, err);
	if (st == CH_E_CONFLICT)
		return CH_OK;            /* settled meanwhile, from a second place: nothing of this is kept */
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* text NULL: nothing is said. */
CH_FIBER static ch_status end_group(struct settling *s, const struct group *gr, const char *text, bool is_notice, const char *reason,
				    struct ch_err *err)
{
	struct saying *said = arena_alloc(s->a, (gr->rows.len + 1) * sizeof(*said));
	size_t count = 0, loud = 0;
	ch_status st = text ? prepare_all(s, gr, text, is_notice, said, &count, err) : CH_OK;

	for (size_t i = 0; i < count; i++)
		loud += !said[i].is_silent;
	for (size_t i = 0; i < gr->rows.len && !st; i++)         /* those that another run answers */
		live_cancel(chan_host_live(s->g->host), gr->rows.at[i]->run_id);
	if (!st)
		st = end_rows(s, gr, said, count, reason ? reason : loud ? NULL : "nothing was to be said", err);
	if (st)
		return st;
	if (!loud)
		log_info("channels", "session=%s run=%s: nothing is said%s%s", s->session_key, gr->run_id, reason ? ": " : "",
			 reason ? reason : "");
	for (size_t i = 0; i < count; i++) {
		if (said[i].is_unsent)
			tell_unsent(s->g, &said[i]);
		egress_wake(chan_host_egress(s->g->host), said[i].at.channel, said[i].at.account);
	}
	return CH_OK;
}

/* -- after a restart -- */

struct taking_up { struct settling *s; const struct group *gr; const char *run_id; };

static ch_status rename_rows(void *arg, struct ch_err *err)
{
	const struct taking_up *t = arg;
	ch_status st = CH_OK;

	for (size_t i = 0; i < t->gr->rows.len && !st; i++)
		st = inbox_rename_run(t->s->g->db, t->gr->rows.at[i]->run_id, t->run_id, err);
	return st;
}

static void show_life_again(struct settling *s, const struct group *gr, const char *run_id)
{
	struct live_turn t = { .run_id = run_id, .session_key = s->session_key, .agent_id = agent_of(s->session_key, s->a) };
	const char *handle = NULL;

	/* What answers a command may be for one person alone. */
	if (place_of_row(gr->rows.at[gr->rows.len - 1], s->a, &t.place, &handle, NULL) || handle)
		return;
	t.is_group = t.place.peer.kind != CHAN_DIRECT;
	live_begin(chan_host_live(s->g->host), &t);
}

CH_FIBER static ch_status take_up(struct settling *s, const struct group *gr, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(s->g->host);
	struct taking_up t = { s, gr, arena_printf(s->a, "%s" INGRESS_AGAIN, gr->run_id) };
	struct ch_err why = { 0 };
	ch_status st = CH_E_UNSUPPORTED;

	if (!str_ends(gr->run_id, INGRESS_AGAIN) && up->resume)
		st = up->resume(up->arg, s->session_key, gr->run_id, t.run_id, rename_rows, &t, &why);
	if (st == CH_E_IO || st == CH_E_BUSY)
		return ch_fail(err, st, "%s", why.text);
	if (st == CH_E_CONFLICT)
		return end_group(s, gr, NULL, false, why.text, err);     /* what is asked stands in the chat; its answer goes on */
	if (!st) {
		show_life_again(s, gr, t.run_id);
		log_info("channels", "session=%s run=%s was cut by the last stop and is taken up again", s->session_key, gr->run_id);
		return CH_OK;
	}
	if (why.text[0])
		log_warn("channels", "session=%s run=%s cannot be taken up again: %s; the person is asked to say it again",
			 s->session_key, gr->run_id, why.text);
	return end_group(s, gr, "⚠️ I was interrupted before I could answer this. Please send it again.", true, "interrupted", err);
}

/* errorPolicy of where the message came from: the room's or person's, else the account's. */
static const char *error_policy(struct settling *s, const struct inbox_row *row)
{
	const struct chan_acct *acct = chan_acct_find(s->g->host, row->channel, row->account);
	const char *own = NULL;
	struct room room;
	struct chan_in in;

	if (!acct)
		return NULL;
	if (row->payload && !chan_in_read(row->payload, strlen(row->payload), s->a, &in, NULL)) {
		room_find(chan_acct_cfg(acct), chan_acct_ops(acct), &in.peer, s->a, &room);
		own = json_str(room_get(&room, "errorPolicy"));
	}
	return own ? own : chan_cfg_str(chan_acct_cfg(acct), "errorPolicy");
}

static ch_status is_error_told(struct settling *s, const struct group *gr, bool *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	const struct inbox_row *first = gr->rows.at[0];
	const char *policy = error_policy(s, first);
	bool was_told;
	ch_status st;

	*ret = !str_eq(policy, "silent");
	if (!str_eq(policy, "once"))
		return CH_OK;
	st = db_prep(s->g->db, "SELECT 1 FROM channel_outbox WHERE channel = ?1 AND account = ?2 AND session_key = ?3 AND "
		     "origin = 'notice' AND created_at > ?4 LIMIT 1", &row, err);
	if (st)
		return st;
	db_bind_text(row, 1, first->channel);
	db_bind_text(row, 2, first->account);
	db_bind_text(row, 3, s->session_key);
	db_bind_int(row, 4, now_wall_ms() - ERROR_AGAIN_MS);
	st = db_step(row, &was_told, err);
	if (!st)
		*ret = !was_told;
	return st;
}

CH_FIBER static ch_status end_failed(struct settling *s, const struct group *gr, struct ch_err *err)
{
	bool is_told;
	ch_status st = is_error_told(s, gr, &is_told, err);

	return st ? st : end_group(s, gr, is_told ? gr->end.error : NULL, true, "the turn failed", err);
}

CH_FIBER static ch_status settle_group(struct settling *s, const struct group *gr, struct ch_err *err)
{
	switch (gr->end.state) {
	case CHAN_RUN_GOING:
		return CH_OK;
	case CHAN_RUN_DONE:
		return end_group(s, gr, gr->end.text ? gr->end.text : "", false, NULL, err);
	case CHAN_RUN_FAILED:
		return end_failed(s, gr, err);
	case CHAN_RUN_ABORTED:
		return end_group(s, gr, gr->end.error, true, "the turn was stopped", err);
	case CHAN_RUN_ABSORBED:
		return end_group(s, gr, NULL, true, "answered with another message", err);
	case CHAN_RUN_INTERRUPTED:
		return s->is_start ? take_up(s, gr, err) : CH_OK;        /* the gateway is going down */
	case CHAN_RUN_UNKNOWN:
		break;
	}
	return end_group(s, gr, NULL, true, "the conversation was deleted", err);
}

/* No later try would end it either: its messages are dead letters, and hold up nothing. */
static ch_status bury(struct settling *s, const struct group *gr, const char *why, struct ch_err *err)
{
	for (size_t i = 0; i < gr->rows.len; i++)
		live_cancel(chan_host_live(s->g->host), gr->rows.at[i]->run_id);
	return ingress_give_up(s->g, gr->rows.at, gr->rows.len, NULL, why, err);
}

ch_status ingress_settle(struct chan_ingress *g, const char *session_key, bool is_start, struct ch_err *err)
{
	CH_AUTO_DONE(settling_done) struct settling s = { .g = g, .a = arena_new(0), .session_key = session_key, .is_start = is_start };
	ch_status st = gather(&s, err);

	for (size_t i = 0; i < s.groups.len && !st; i++) {
		struct ch_err why = { 0 };

		st = settle_group(&s, &s.groups.at[i], &why);
		if (st && is_for_later(st))
			return ch_fail(err, st, "%s", why.text);
		if (st)
			st = bury(&s, &s.groups.at[i], why.text, err);
	}
	return st;
}

/* -- runs of events -- */

/* Does it answer messages of ours too? Then they say where. */
static bool has_group(const struct settling *s, const char *run_id)
{
	for (size_t i = 0; i < s->groups.len; i++)
		if (str_eq(s->groups.at[i].run_id, run_id))
			return true;
	return false;
}

/* The reply and the end of its preview in one: a preview that stayed noted would be taken for one that was left, the reply with it. */
static ch_status put_event(struct chan_ingress *g, struct saying *w, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(g->db, err);

	if (st)
		return st;
	tx = g->db;
	st = put(g, w, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

CH_FIBER static ch_status say_event(struct settling *s, const char *run_id, const char *text, const struct json *media,
				    struct ch_err *err)
{
	struct saying w = { .run = run_id, .m = { .key = arena_printf(s->a, "run:%s", run_id), .run_id = run_id, .session_key = s->session_key,
				   .origin = "reply" } };
	ch_status st = ingress_place(s->g, s->session_key, s->a, &w.at, err);

	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	w.at.message_id = NULL;          /* it answers none */
	st = prepare(s->g, run_id, text, media, s->a, &w, err);
	if (!st)
		st = put_event(s->g, &w, err);
	if (!st && w.is_unsent)
		tell_unsent(s->g, &w);
	if (!st && !w.is_silent)
		egress_wake(chan_host_egress(s->g->host), w.at.channel, w.at.account);
	return st;
}

ch_status ingress_settle_event(struct chan_ingress *g, const char *session_key, const char *run_id, struct ch_err *err)
{
	CH_AUTO_DONE(settling_done) struct settling s = { .g = g, .a = arena_new(0), .session_key = session_key };
	const struct chan_up *up = chan_host_up(g->host);
	struct chan_run_end end = { 0 };
	ch_status st;

	if (!up->follows_channel || !up->follows_channel(up->arg, session_key, run_id))
		return CH_OK;
	st = gather(&s, err);
	if (st || has_group(&s, run_id))
		return st;
	st = up->run_end(up->arg, session_key, run_id, s.a, &end, err);
	if (st || end.state != CHAN_RUN_DONE || str_empty(end.text))
		return st;
	return say_event(&s, run_id, end.text, end.media, err);
}
