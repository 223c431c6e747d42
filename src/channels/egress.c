/*
 * channels/egress.c - the outbox as a whole: putting, waiting for the end, what failed, keeping house.
 */
#include "channels/egress_priv.h"

#include <string.h>

#include "channels/render.h"
#include "channels/route.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "core/vec.h"

#define KEEPER_MS (10 * 60 * 1000)
#define STALE_AT_ONCE 100
#define DRAIN_GRACE_MS 1500

static void on_due(void *arg)
{
	out_lanes_pump(arg);
}

static void on_keeper(void *arg);

struct chan_egress *egress_new(struct chan_host *h)
{
	struct chan_egress *e = ch_alloc(sizeof(*e));

	e->host = h;
	e->db = chan_host_db(h);
	e->pace = pace_new();
	e->lanes = map_new();
	fiber_cond_init(&e->ended);
	return e;
}

void egress_free(struct chan_egress *e)
{
	if (!e)
		return;
	out_lanes_free(e);
	deadline_heap_done(&e->due);
	loop_timer_free(e->timer);
	loop_timer_free(e->keeper);
	pace_free(e->pace);
	ch_free(e);
}

struct pace *egress_pace(struct chan_egress *e)
{
	return e->pace;
}

/* -- keeping house: only once there is something to keep -- */

static void keep(struct chan_egress *e)
{
	if (e->is_kept || !e->is_started)
		return;
	e->is_kept = true;
	if (!e->timer)
		e->timer = loop_timer_new(chan_host_loop(e->host), on_due, e);
	if (!e->keeper)
		e->keeper = loop_timer_new(chan_host_loop(e->host), on_keeper, e);
	loop_timer_start(e->keeper, KEEPER_MS);
}

static void on_past(void *arg, const char *message)
{
	egress_files_drop(arg, message);
}

struct stale { const struct outbox_row *rows[STALE_AT_ONCE]; size_t count; struct arena *arena; };

static void on_stale(void *arg, const struct outbox_row *r)
{
	struct stale *s = arg;
	struct outbox_row *kept = arena_alloc(s->arena, sizeof(*kept));

	*kept = *r;
	s->rows[s->count++] = kept;
}

/* A lane that is at work decides for itself. */
static bool is_at_work(const struct chan_egress *e, const struct outbox_row *r)
{
	const struct egress_lane *l = map_find(e->lanes, r->lane);

	return l && l->fiber;
}

static void expire(struct chan_egress *e)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct stale s = { .arena = a };
	struct ch_err err = { 0 };

	if (outbox_stale(e->db, now_wall_ms() - CHAN_EXPIRES_MS, STALE_AT_ONCE, a, on_stale, &s, &err))
		log_warn("channels", "looking for messages that waited too long: %s; again in ten minutes", err.text);
	for (size_t i = 0; i < s.count; i++) {
		bool was_sending = s.rows[i]->state == OUTBOX_SENDING;

		if (!is_at_work(e, s.rows[i]) &&
		    egress_give_up(e, s.rows[i], was_sending ? OUTBOX_UNSURE : OUTBOX_FAILED, EGRESS_TOO_LATE, &err))
			log_warn("channels", "message %lld waited too long: %s; again in ten minutes",
				 (long long)s.rows[i]->id, err.text);
	}
}

static void on_keeper(void *arg)
{
	struct chan_egress *e = arg;
	struct ch_err err = { 0 };

	loop_timer_start(e->keeper, KEEPER_MS);
	expire(e);
	if (outbox_prune(e->db, now_wall_ms(), on_past, e, &err))
		log_warn("channels", "forgetting old messages of the outbox: %s; again in ten minutes", err.text);
}

CH_FIBER ch_status egress_start(struct chan_egress *e, struct ch_err *err)
{
	e->is_started = true;
	if (!outbox_has_any(e->db))
		return CH_OK;
	keep(e);
	egress_files_sweep(e);
	return CH_OK;
}

/* What is at the network may end until the deadline; what waits is left to the next start. */
static void cancel_lanes(struct chan_egress *e, bool all)
{
	size_t cursor = 0;
	void *v;

	while (map_each(e->lanes, &cursor, NULL, &v)) {
		struct egress_lane *l = v;

		if (l->fiber && (all || !l->is_sending))
			fiber_cancel(l->fiber);
	}
}

/* What was said last (the answer to /restart) still goes, if that is quick. */
CH_FIBER static void grace(struct chan_egress *e, int64_t deadline_ms)
{
	int64_t until = CH_MIN(deadline_ms, fiber_deadline(DRAIN_GRACE_MS));

	while (e->running && !fiber_cond_wait(&e->ended, until))
		continue;
}

CH_FIBER void egress_drain(struct chan_egress *e, int64_t deadline_ms)
{
	bool is_over = false;

	grace(e, deadline_ms);
	e->is_draining = true;
	if (e->timer)
		loop_timer_stop(e->timer);
	if (e->keeper)
		loop_timer_stop(e->keeper);
	cancel_lanes(e, false);
	fiber_mask(1);
	while (e->running) {
		/* A network that is cancelled comes back at once: this ends without a deadline of its own. */
		ch_status st = fiber_cond_wait(&e->ended, is_over ? FIBER_FOREVER : deadline_ms);

		if (st == CH_E_TIMEOUT && !is_over) {
			is_over = true;
			cancel_lanes(e, true);
		}
	}
	fiber_mask(-1);
	fiber_cond_broadcast(&e->ended);
}

struct lane_list { const char **at; size_t len, cap; };

static void on_lane(void *arg, const char *lane)
{
	struct lane_list *list = arg;

	vec_push(list, lane);
}

void egress_wake(struct chan_egress *e, const char *channel, const char *account)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct lane_list lanes = VEC_INIT;
	struct ch_err err = { 0 };

	if (!e->is_started || e->is_draining)
		return;
	if (outbox_lanes(e->db, channel, account, a, on_lane, &lanes, &err))
		log_warn("channels", "chan=%s account=%s the outbox could not be read: %s; it is read again when the account comes up",
			 channel, account, err.text);
	if (lanes.len)
		keep(e);
	for (size_t i = 0; i < lanes.len; i++)
		egress_poke(e, channel, account, lanes.at[i]);
	vec_done(&lanes);
}

void egress_came_up(struct chan_egress *e, const char *channel, const char *account)
{
	struct ch_err err = { 0 };

	if (e->is_started && !e->is_draining && outbox_due_now(e->db, channel, account, &err))
		log_warn("channels", "chan=%s account=%s the outbox could not be written: %s; what waits goes at its time", channel,
			 account, err.text);
	egress_wake(e, channel, account);
}

/* -- putting -- */

static ch_status check_buttons(const struct chan_ops *ops, const struct chan_message *m, struct ch_err *err)
{
	size_t most = (size_t)CH_MIN(ops->limits.buttons_max ? ops->limits.buttons_max : CHAN_BUTTONS_MAX, CHAN_BUTTONS_MAX);

	if (!m->button_count)
		return CH_OK;
	if (!(ops->caps & CHAN_BUTTONS))
		return ch_fail(err, CH_E_UNSUPPORTED, "%s has no buttons", ops->label);
	if (m->button_count > most)
		return ch_fail(err, CH_E_INVALID, "%s takes at most %zu buttons", ops->label, most);
	for (size_t i = 0; i < m->button_count; i++)
		if (str_empty(m->buttons[i].text) || (!m->buttons[i].url && strlen(m->buttons[i].data ? m->buttons[i].data : "") - 1 > 63))
			return ch_fail(err, CH_E_INVALID, "a button needs a text, and an address or at most 64 bytes of data");
	return CH_OK;
}

static ch_status check_poll(const struct chan_ops *ops, const struct chan_poll *p, struct ch_err *err)
{
	if (!p)
		return CH_OK;
	if (!(ops->caps & CHAN_POLL))
		return ch_fail(err, CH_E_UNSUPPORTED, "%s has no polls", ops->label);
	if (str_empty(p->question) || p->option_count < 2)
		return ch_fail(err, CH_E_INVALID, "a poll needs a question and at least two options");
	if (ops->limits.options_max && p->option_count > (size_t)ops->limits.options_max)
		return ch_fail(err, CH_E_INVALID, "a poll on %s has at most %d options", ops->label, ops->limits.options_max);
	return CH_OK;
}

static ch_status check_files(const struct chan_ops *ops, const struct chan_message *m, struct ch_err *err)
{
	if (m->file_count && !(ops->caps & CHAN_MEDIA))
		return ch_fail(err, CH_E_UNSUPPORTED, "%s takes no files", ops->label);
	if (m->file_count > CHAN_MEDIA_COUNT_MAX)
		return ch_fail(err, CH_E_INVALID, "a message has at most %d files", CHAN_MEDIA_COUNT_MAX);
	for (size_t i = 0; i < m->file_count; i++)
		if (!m->files[i].staged && !m->files[i].url)
			return ch_fail(err, CH_E_INVALID, "the file '%s' was not staged", m->files[i].name ? m->files[i].name : "");
	return CH_OK;
}

static bool is_blank(const char *text)
{
	return !text || !text[strspn(text, " \t\r\n")];
}

static ch_status check(const struct chan_ops *ops, const struct chan_message *m, struct ch_err *err)
{
	ch_status st;

	if (str_empty(m->peer.id) || strlen(m->peer.id) > CHAN_ID_MAX)
		return ch_fail(err, CH_E_INVALID, "a message needs a place to go to");
	if (is_blank(m->text) && !m->file_count && !m->poll && !m->location)
		return ch_fail(err, CH_E_INVALID, "the message is empty");
	if (m->text && strlen(m->text) > RENDER_IN_MAX)
		return ch_fail(err, CH_E_INVALID, "the message has more than %u bytes", RENDER_IN_MAX);
	if (m->location && !(ops->caps & CHAN_LOCATION))
		return ch_fail(err, CH_E_UNSUPPORTED, "%s has no locations", ops->label);
	st = check_buttons(ops, m, err);
	if (!st)
		st = check_poll(ops, m->poll, err);
	return st ? st : check_files(ops, m, err);
}

/* An account that is down does not fill the disk. A key that is there is not one more. */
static ch_status check_room(struct chan_egress *e, const struct chan_message *m, struct ch_err *err)
{
	size_t waiting = 0;
	int64_t id;
	ch_status st = outbox_waiting(e->db, m->channel, m->account, &waiting, err);

	if (st || waiting < EGRESS_OPEN_MAX || (m->key && !outbox_by_key(e->db, m->key, &id, NULL)))
		return st;
	return ch_fail(err, CH_E_BUSY, "%zu messages of %s (account %s) wait to be sent already", waiting, m->channel, m->account);
}

static ch_status add(struct chan_egress *e, const struct chan_message *m, const char *lane, int64_t *ret_id, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	char uuid[UUID_LEN];
	ch_status st = db_begin(e->db, err);

	if (st)
		return st;
	tx = e->db;
	rand_uuid(uuid);
	st = outbox_add(e->db, m, m->key ? m->key : uuid, lane, now_wall_ms(), ret_id, err);
	if (st == CH_E_EXISTS) {
		/* Nothing was written: the caller's transaction is left whole. */
		ch_status done = db_commit(CH_TAKE(tx), NULL);

		return done ? ch_fail(err, done, "the outbox could not be read") : st;
	}
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status egress_put(struct chan_egress *e, const struct chan_message *given, int64_t *ret_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_message m = *given;
	struct chan_acct *acct = chan_acct_find(e->host, m.channel, m.account);
	const char *lane;
	ch_status st;

	if (!acct)
		return ch_fail(err, CH_E_INVALID, "there is no account '%s' of '%s'", m.account ? m.account : "default", m.channel);
	m.account = chan_acct_id(acct);
	st = check(chan_acct_ops(acct), &m, err);
	if (st)
		return st;
	st = check_room(e, &m, err);
	if (st)
		return st;
	lane = chan_lane(a, m.channel, m.account, &m.peer);
	st = add(e, &m, lane, ret_id, err);
	if (st)
		return st;
	keep(e);
	egress_poke(e, m.channel, m.account, lane);
	return CH_OK;
}

/* -- what is learned later -- */

ch_status egress_arrived(struct chan_egress *e, int64_t id, const char *message_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct outbox_row row;
	ch_status st = outbox_get(e->db, id, a, &row, err);

	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	if ((row.state != OUTBOX_SENDING && row.state != OUTBOX_UNSURE) || row.part + 1 != row.parts || is_at_work(e, &row))
		return CH_OK;
	st = outbox_sent(e->db, &row, message_id, now_wall_ms(), err);
	if (st)
		return st;
	egress_files_drop(e, row.message);
	fiber_cond_broadcast(&e->ended);
	return CH_OK;
}

/* -- waiting for the end -- */

static void receipt(const struct outbox_row *row, struct arena *a, struct chan_receipt *ret)
{
	struct json *list = NULL;
	const char **ids;
	size_t n = 0;

	if (row->message_ids && json_parse(a, row->message_ids, strlen(row->message_ids), JSON_STRICT, &list, NULL))
		list = NULL;
	ids = arena_alloc(a, (json_len(list) + 1) * sizeof(*ids));
	json_each(v, list)
		ids[n++] = json_str_or(v, "");
	*ret = (struct chan_receipt){ .id = row->id, .state = outbox_state_name(row->state), .error = row->error,
				      .message_id = n ? ids[n - 1] : NULL, .message_ids = ids, .message_count = n };
}

bool egress_is_waited(const struct chan_egress *e, int64_t id)
{
	for (const struct egress_wait *w = e->waits; w; w = w->next)
		if (w->id == id)
			return true;
	return false;
}

static void unlink_wait(struct chan_egress *e, const struct egress_wait *w)
{
	struct egress_wait **at = &e->waits;

	while (*at != w)
		at = &(*at)->next;
	*at = w->next;
}

/* An account that only a person brings up again: waiting here would end in the same words. */
static ch_status check_waiting(struct chan_egress *e, const struct outbox_row *row, struct ch_err *err)
{
	struct chan_acct *acct = chan_acct_find(e->host, row->channel, row->account);
	struct chan_status s;

	if (!acct)
		return CH_OK;
	chan_acct_status(acct, &s);
	if (s.state != CHAN_NEEDS_LOGIN && (s.state != CHAN_STOPPED || (s.is_enabled && !s.is_stopped_by_person)))
		return CH_OK;
	return ch_fail(err, CH_E_TIMEOUT, "the message waits in the outbox: %s (account %s) is %s%s%s", chan_acct_ops(acct)->label,
		       chan_acct_id(acct), chan_state_name(s.state), s.detail ? ": " : "", s.detail ? s.detail : "");
}

static CH_FIBER ch_status wait_for_end(struct chan_egress *e, int64_t id, int64_t deadline_ms, struct arena *a,
				       struct chan_receipt *ret, struct ch_err *err)
{
	for (;;) {
		struct outbox_row row;
		ch_status st = outbox_get(e->db, id, a, &row, err);

		if (st)
			return st;
		receipt(&row, a, ret);
		if (outbox_is_ended(row.state))
			return CH_OK;
		st = check_waiting(e, &row, err);
		if (st)
			return st;
		st = e->is_draining ? CH_E_CANCELED : fiber_cond_wait(&e->ended, deadline_ms);
		if (st == CH_E_TIMEOUT)
			return ch_fail(err, st, "the message waits in the outbox%s%s", row.error ? ": " : "",
				       row.error ? row.error : "");
		if (st)
			return ch_fail(err, st, "waiting for the message to be sent ended; it stays in the outbox");
	}
}

CH_FIBER ch_status egress_wait(struct chan_egress *e, int64_t id, int64_t deadline_ms, struct arena *a, struct chan_receipt *ret,
			       struct ch_err *err)
{
	struct egress_wait w = { .id = id, .next = e->waits };
	ch_status st;

	e->waits = &w;
	st = wait_for_end(e, id, deadline_ms, a, ret, err);
	unlink_wait(e, &w);
	return st;
}

/* -- what failed -- */

struct dead { void (*each)(void *arg, const struct egress_row *r); void *arg; struct arena *arena; };

static void on_bad(void *arg, const struct outbox_row *r)
{
	struct dead *d = arg;
	const struct outbox_part *parts;
	struct chan_message m = { 0 };
	size_t count;

	if (outbox_read(r->message, d->arena, &m, &parts, &count, NULL))
		m = (struct chan_message){ .text = r->message, .peer.id = "" };
	d->each(d->arg, &(struct egress_row){ .id = r->id, .channel = r->channel, .account = r->account,
					      .state = outbox_state_name(r->state), .error = r->error, .text = m.text,
					      .session_key = r->session_key, .origin = r->origin, .peer = m.peer,
					      .attempts = r->attempts, .created_at = r->created_at, .ended_at = r->ended_at });
}

ch_status egress_dead(struct chan_egress *e, const char *channel, const char *account, size_t limit, struct arena *a,
		      void (*each)(void *arg, const struct egress_row *r), void *arg, struct ch_err *err)
{
	struct dead d = { .each = each, .arg = arg, .arena = a };

	return outbox_bad(e->db, channel, account, limit, a, on_bad, &d, err);
}

ch_status egress_resubmit(struct chan_egress *e, int64_t id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct outbox_row row;
	ch_status st = outbox_get(e->db, id, a, &row, err);

	if (!st)
		st = outbox_resubmit(e->db, id, now_wall_ms(), err);
	if (st)
		return st;
	egress_poke(e, row.channel, row.account, row.lane);
	return CH_OK;
}

size_t egress_waiting(struct chan_egress *e, const char *channel, const char *account)
{
	size_t n = 0;
	struct ch_err err = { 0 };

	if (outbox_waiting(e->db, channel, account, &n, &err))
		log_warn("channels", "chan=%s account=%s counting what waits: %s; shown as none", channel, account, err.text);
	return n;
}
