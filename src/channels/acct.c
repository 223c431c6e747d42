/*
 * channels/acct.c - an account: what is kept of it, how it stands, and what a network says of it.
 */
#include "channels/egress.h"
#include "channels/host_priv.h"
#include "channels/live.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define LINE_MAX_BYTES 400               /* of a line of the account's log */

struct chan_acct *acct_new(struct chan_host *h, const struct chan_ops *ops, const char *id)
{
	struct chan_acct *acct = ch_alloc(sizeof(*acct));

	acct->refs = 1;
	acct->host = h;
	acct->ops = ops;
	acct->id = ch_strdup(id);
	acct->state = CHAN_STOPPED;
	acct->priv = ops->priv_size ? ch_alloc(ops->priv_size) : NULL;
	acct->backoff_ms = CHAN_BACKOFF_MIN_MS;
	fiber_cond_init(&acct->changed);
	return acct;
}

struct chan_acct *chan_acct_ref(struct chan_acct *acct)
{
	acct->refs++;
	return acct;
}

void chan_acct_unref(struct chan_acct *acct)
{
	if (!acct || --acct->refs)
		return;
	chan_cfg_unref(acct->cfg);
	chan_cfg_unref(acct->next_cfg);
	for (size_t i = 0; i < acct->log.len; i++)
		ch_free(acct->log.at[i].text);
	vec_done(&acct->log);
	ch_free(acct->detail);
	ch_free(acct->last_error);
	ch_free(acct->self_id);
	ch_free(acct->self_name);
	ch_free(acct->self_username);
	ch_free(acct->priv);
	ch_free(acct->id);
	ch_free(acct);
}

void acct_gone(struct chan_acct *acct)
{
	loop_timer_free(CH_TAKE(acct->retry));
	loop_timer_free(CH_TAKE(acct->silence));
	acct->is_removed = acct->is_gone = true;
}

static void set_str(char **at, const char *text)
{
	char *copy = text ? ch_strdup(text) : NULL;      /* first: text may be what is there */

	ch_free(*at);
	*at = copy;
}

/* -- what is kept -- */

ch_status acct_load(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status st = db_prep(acct->host->db,
			       "SELECT is_stopped, self_id, self_name, self_username FROM channel_accounts"
			       " WHERE channel = ?1 AND account = ?2", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, acct->ops->id);
	db_bind_text(s, 2, acct->id);
	st = db_step(s, &row, err);
	if (st || !row)
		return st;
	acct->is_stopped_by_person = db_int(s, 0);
	set_str(&acct->self_id, db_text(s, 1));
	set_str(&acct->self_name, db_text(s, 2));
	set_str(&acct->self_username, db_text(s, 3));
	return CH_OK;
}

static ch_status keep(struct chan_acct *acct, bool is_stopped, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(acct->host->db,
			       "INSERT INTO channel_accounts (channel, account, is_stopped, self_id, self_name, self_username,"
			       " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (channel, account) DO UPDATE SET"
			       " is_stopped = excluded.is_stopped, self_id = excluded.self_id, self_name = excluded.self_name,"
			       " self_username = excluded.self_username, updated_at = excluded.updated_at", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, acct->ops->id);
	db_bind_text(s, 2, acct->id);
	db_bind_int(s, 3, is_stopped);
	db_bind_text(s, 4, acct->self_id);
	db_bind_text(s, 5, acct->self_name);
	db_bind_text(s, 6, acct->self_username);
	db_bind_int(s, 7, now_wall_ms());
	return db_run(s, NULL, err);
}

ch_status acct_keep_stopped(struct chan_acct *acct, bool is_stopped, struct ch_err *err)
{
	ch_status st = acct->is_stopped_by_person == is_stopped ? CH_OK : keep(acct, is_stopped, err);

	if (!st)
		acct->is_stopped_by_person = is_stopped;
	return st;
}

/* -- the account's own log -- */

static void log_line(struct chan_acct *acct, const char *text)
{
	CH_AUTO_STR char *clean = log_redacted(text);

	if (acct->log.len == CHAN_LOG_LINES) {
		ch_free(acct->log.at[0].text);
		vec_remove(&acct->log, 0);
	}
	vec_push(&acct->log, ((struct chan_log_line){ now_wall_ms(), CH_TAKE(clean) }));
}

void chan_acct_log(struct chan_acct *acct, const char *fmt, ...)
{
	char text[LINE_MAX_BYTES];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text[utf8_valid_prefix(text, strlen(text))] = 0;         /* it may have been cut inside a character */
	log_line(acct, text);
}

void chan_acct_log_each(struct chan_acct *acct, void (*each)(void *arg, int64_t at_ms, const char *line), void *arg)
{
	for (size_t i = 0; i < acct->log.len; i++)
		each(arg, acct->log.at[i].at_ms, acct->log.at[i].text);
}

/* -- how it stands -- */

void acct_set_error(struct chan_acct *acct, const char *text)
{
	CH_AUTO_STR char *clean = log_redacted(text);

	set_str(&acct->last_error, clean);
	acct->last_error_at = now_wall_ms();
}

static bool is_up(enum chan_state s)
{
	return s == CHAN_CONNECTED || s == CHAN_DEGRADED;
}

static void came_up(struct chan_acct *acct)
{
	acct->up_mono_ms = acct->alive_mono_ms = now_mono_ms();
	acct->connected_at = acct->alive_at = now_wall_ms();
	acct->reconnects += acct->has_connected;
	acct->has_connected = true;
	if (acct->ops->silence_max_ms && acct->silence)
		loop_timer_start(acct->silence, acct->ops->silence_max_ms);
}

void acct_set_state(struct chan_acct *acct, enum chan_state state, const char *detail)
{
	struct chan_host *h = acct->host;
	bool was_up = is_up(acct->state);

	if (acct->state == state && str_eq(acct->detail, detail))
		return;
	acct->state = state;
	set_str(&acct->detail, detail);
	if (is_up(state) && !was_up)
		came_up(acct);
	else if (!is_up(state)) {
		acct->up_mono_ms = 0;
		if (acct->silence)
			loop_timer_stop(acct->silence);
	}
	chan_acct_log(acct, "%s%s%s", chan_state_name(state), detail ? ": " : "", detail ? detail : "");
	log_debug("channels", "%s/%s is %s", acct->ops->id, acct->id, chan_state_name(state));
	if (is_up(state) && !was_up && !acct->is_gone) {
		egress_came_up(h->egress, acct->ops->id, acct->id);
		live_came_up(h->live, acct);
	}
	if (!acct->is_gone && h->up.on_state)
		h->up.on_state(h->up.arg, acct->ops->id, acct->id);
}

void chan_state(struct chan_acct *acct, enum chan_state state, const char *detail)
{
	CH_BUG_ON(state != CHAN_STARTING && !is_up(state));
	if (acct->is_ending || !acct->fiber)
		return;          /* a run that is being ended has nothing to say any more */
	acct_set_state(acct, state, detail);
	if (!is_up(state))
		return;
	chan_alive(acct);
	menu_offer(acct);
	if (fiber_self() == acct->fiber)
		fiber_trim();    /* logging in took more stack than waiting does */
}

void chan_alive(struct chan_acct *acct)
{
	acct->alive_mono_ms = now_mono_ms();
	acct->alive_at = now_wall_ms();
}

void chan_self(struct chan_acct *acct, const char *id, const char *username, const char *name)
{
	struct ch_err err = { 0 };

	if (str_eq(acct->self_id, id) && str_eq(acct->self_username, username) && str_eq(acct->self_name, name))
		return;
	set_str(&acct->self_id, id);
	set_str(&acct->self_username, username);
	set_str(&acct->self_name, name);
	if (!acct->is_gone && keep(acct, acct->is_stopped_by_person, &err))
		log_warn("channels", "%s/%s: who we are there could not be kept: %s; it is asked for again at the next start",
			 acct->ops->id, acct->id, err.text);
}

bool chan_acct_is_up(const struct chan_acct *acct)
{
	return is_up(acct->state);
}

void chan_acct_status(const struct chan_acct *acct, struct chan_status *ret)
{
	*ret = (struct chan_status){
		.state = acct->state,
		.detail = acct->detail,
		.last_error = acct->last_error,
		.is_enabled = acct->is_enabled,
		.is_configured = acct->is_configured,
		.is_running = acct->fiber && !acct->is_ending,
		.is_stopped_by_person = acct->is_stopped_by_person,
		.connected_at = acct->connected_at,
		.started_at = acct->started_at,
		.stopped_at = acct->stopped_at,
		.last_error_at = acct->last_error_at,
		.alive_at = acct->alive_at,
		.last_in_at = acct->last_in_at,
		.last_out_at = acct->last_out_at,
		.retry_at = acct->retry_at,
		.reconnects = acct->reconnects,
		.failures = acct->failures,
		.self_id = acct->self_id,
		.self_name = acct->self_name,
		.self_username = acct->self_username,
	};
}

void chan_note_in(struct chan_acct *acct)
{
	acct->last_in_at = now_wall_ms();
	chan_alive(acct);
}

void chan_note_out(struct chan_acct *acct)
{
	acct->last_out_at = now_wall_ms();
	acct->is_refused = false;
}

bool chan_note_refused(struct chan_acct *acct)
{
	bool is_news = !acct->is_refused;

	acct->is_refused = true;
	return is_news;
}

static ch_status count_dead(const struct chan_acct *acct, int64_t since_ms, size_t *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;
	ch_status st = db_prep(acct->host->db,
			       "SELECT (SELECT count(*) FROM channel_inbox WHERE channel = ?1 AND account = ?2 AND state = 'dead'"
			       " AND ended_at >= ?3) + (SELECT count(*) FROM channel_outbox WHERE channel = ?1 AND account = ?2"
			       " AND state IN ('failed', 'unsure') AND ended_at >= ?3)", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, acct->ops->id);
	db_bind_text(s, 2, acct->id);
	db_bind_int(s, 3, since_ms);
	st = db_step(s, &row, err);
	if (!st)
		*ret = (size_t)db_int(s, 0);
	return st;
}

size_t chan_acct_dead_letters(const struct chan_acct *acct, int64_t since_ms)
{
	size_t n = 0;
	struct ch_err err = { 0 };

	if (count_dead(acct, since_ms, &n, &err))
		log_warn("channels", "%s/%s: counting dead letters: %s; shown as none", acct->ops->id, acct->id, err.text);
	return n;
}

/* -- as a network sees it -- */

void *chan_priv(struct chan_acct *acct)
{
	return acct->priv;
}

const char *chan_acct_id(const struct chan_acct *acct)
{
	return acct->id;
}

const char *chan_acct_self_id(const struct chan_acct *acct)
{
	return acct->self_id;
}

const char *chan_acct_self_username(const struct chan_acct *acct)
{
	return acct->self_username;
}

const struct chan_cfg *chan_acct_cfg(const struct chan_acct *acct)
{
	return acct->cfg;
}

const struct chan_ops *chan_acct_ops(const struct chan_acct *acct)
{
	return acct->ops;
}

struct chan_host *chan_acct_host(const struct chan_acct *acct)
{
	return acct->host;
}

struct loop *chan_loop(const struct chan_acct *acct)
{
	return acct->host->loop;
}

struct http_client *chan_http(const struct chan_acct *acct)
{
	return acct->host->http;
}
