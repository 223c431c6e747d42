/*
 * channels/supervise.c - which accounts run: by the configuration, by what a person said, by how the last run ended.
 *
 * supervise() compares what is wanted with what is and does one step; everything that may change either calls it.
 */
#include "channels/host_priv.h"

#include <stdio.h>
#include <string.h>

#include "channels/access.h"
#include "channels/pairing.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"

#define STOP_WAIT_MS 10000               /* a run that was told to end */
#define JITTER_PERCENT 20

static void reap(struct chan_host *h);

/* -- one run -- */

static void end_run(struct chan_acct *acct)
{
	acct->is_ending = true;
	fiber_cancel(acct->fiber);
}

static void on_silence(void *arg)
{
	struct chan_acct *acct = arg;
	int64_t left = acct->alive_mono_ms + acct->ops->silence_max_ms - now_mono_ms();

	if (!acct->fiber || acct->is_ending || !chan_acct_is_up(acct))
		return;
	if (left > 0) {
		loop_timer_start(acct->silence, left);
		return;
	}
	acct->is_silent = true;
	end_run(acct);
}

static void on_retry(void *arg)
{
	struct chan_acct *acct = arg;

	acct->retry_at = 0;
	supervise(acct);
}

/* The next wait, with jitter, so that many accounts do not come back at once; `least` is what the platform asked for. */
static int64_t next_backoff(struct chan_acct *acct, int64_t least)
{
	int64_t spread = acct->backoff_ms * JITTER_PERCENT / 100;
	int64_t wait = acct->backoff_ms - spread + (int64_t)rand_below((uint64_t)(2 * spread + 1));

	acct->backoff_ms = CH_MIN(acct->backoff_ms * 2, CHAN_BACKOFF_MAX_MS);
	return CH_MAX(wait, least);
}

static void failed(struct chan_acct *acct, ch_status st, const struct ch_err *err)
{
	bool is_known = str_eq(acct->last_error, err->text);
	int64_t wait;

	acct_set_error(acct, err->text);
	if (st == CH_E_DENIED || st == CH_E_UNPAIRED) {
		acct->needs_login = true;
		/* Each change of the configuration tries again: what was said is not said anew. */
		log_at(is_known ? LOG_DEBUG : LOG_ERROR, "channels",
		       "%s/%s: %s; it is not tried again before its keys change or `chela channels start %s`", acct->ops->id, acct->id,
		       err->text, acct->ops->id);
		acct_set_state(acct, CHAN_NEEDS_LOGIN, acct->last_error);
		return;
	}
	if (acct->up_mono_ms && now_mono_ms() - acct->up_mono_ms >= CHAN_BACKOFF_RESET_MS) {
		acct->backoff_ms = CHAN_BACKOFF_MIN_MS;
		acct->failures = 0;
	}
	acct->failures++;
	wait = next_backoff(acct, err->retry_after_ms);
	acct->retry_at = now_wall_ms() + wait;
	if (!acct->retry)
		acct->retry = loop_timer_new(acct->host->loop, on_retry, acct);
	loop_timer_start(acct->retry, wait);
	log_warn("channels", "%s/%s: %s; trying again in %.1f s", acct->ops->id, acct->id, err->text, (double)wait / 1000);
	acct_set_state(acct, CHAN_BACKOFF, acct->last_error);
}

/* The run is over: what its end means. */
static void settle(struct chan_acct *acct, ch_status st, struct ch_err *err)
{
	bool was_ending = acct->is_ending, was_silent = acct->is_silent;

	acct->is_ending = acct->is_silent = false;
	acct->stopped_at = now_wall_ms();
	if (was_silent)
		st = ch_fail(err, CH_E_TIMEOUT, "no sign of life for %lld s", (long long)acct->ops->silence_max_ms / 1000);
	else if (was_ending) {
		acct_set_state(acct, CHAN_STOPPED, NULL);
		return;
	}
	if (!st)
		st = ch_fail(err, CH_E_PEER, "the connection ended");
	failed(acct, st, err);
}

/* CH_E_DENIED when the keys are not such that logging in could be tried. */
static ch_status check_keys(struct chan_acct *acct, struct ch_err *err)
{
	ch_status st = acct->ops->check ? acct->ops->check(acct->cfg, err) : CH_OK;

	acct->is_configured = !st;
	if (!st)
		st = chan_check_account(acct->cfg, acct->ops, err);
	return st ? CH_E_DENIED : CH_OK;
}

CH_FIBER static void run(void *arg)
{
	struct chan_acct *acct = arg;
	struct chan_host *h = acct->host;
	struct ch_err err = { 0 };
	ch_status st = check_keys(acct, &err);

	if (!st && acct->ops->priv_size)
		memset(acct->priv, 0, acct->ops->priv_size);
	if (!st)
		st = acct->ops->run(acct, &err);
	menu_end(acct);
	acct->fiber = NULL;
	settle(acct, st, &err);
	supervise(acct);
	fiber_cond_broadcast(&acct->changed);
	reap(h);
	chan_acct_unref(acct);
}

static void start_run(struct chan_acct *acct)
{
	char name[24];

	if (acct->ops->silence_max_ms && !acct->silence)
		acct->silence = loop_timer_new(acct->host->loop, on_silence, acct);
	acct->started_at = now_wall_ms();
	snprintf(name, sizeof(name), "%s/%s", acct->ops->id, acct->id);
	acct->fiber = fiber_spawn(acct->host->loop, name, FIBER_DETACHED, run, chan_acct_ref(acct));
	acct_set_state(acct, CHAN_STARTING, NULL);
}

static void forget_failures(struct chan_acct *acct)
{
	acct->needs_login = false;
	acct->backoff_ms = CHAN_BACKOFF_MIN_MS;
	acct->failures = 0;
	acct->retry_at = 0;
	if (acct->retry)
		loop_timer_stop(acct->retry);
}

static bool is_wanted(const struct chan_acct *acct)
{
	const struct chan_host *h = acct->host;

	return h->is_started && !h->is_draining && !acct->is_removed && acct->is_enabled && !acct->is_stopped_by_person;
}

void supervise(struct chan_acct *acct)
{
	if (acct->is_gone)
		return;
	if (acct->fiber) {
		if ((!is_wanted(acct) || acct->next_cfg) && !acct->is_ending)
			end_run(acct);
		return;
	}
	if (acct->next_cfg) {
		chan_cfg_unref(acct->cfg);
		acct->cfg = CH_TAKE(acct->next_cfg);
	}
	if (!is_wanted(acct)) {
		forget_failures(acct);
		acct_set_state(acct, CHAN_STOPPED, NULL);
	} else if (!acct->needs_login && !acct->retry_at) {
		start_run(acct);
	}
}

CH_FIBER ch_status supervise_wait(struct chan_host *h, struct chan_acct *acct, int64_t deadline_ms, struct ch_err *err)
{
	ch_status st = CH_OK;

	for (;;) {
		CH_AUTO(chan_acct_unref) struct chan_acct *ending = NULL;

		for (size_t i = 0; i < h->accts.len && !ending; i++) {
			struct chan_acct *x = h->accts.at[i];

			if ((!acct || x == acct) && x->fiber && x->is_ending)
				ending = chan_acct_ref(x);
		}
		if (!ending)
			return CH_OK;
		if (st)
			return ch_fail(err, st, "%s/%s has not ended yet", ending->ops->id, ending->id);
		st = fiber_cond_wait(&ending->changed, deadline_ms);
	}
}

/* -- which there are -- */

static void take_out(struct chan_host *h, size_t i)
{
	struct chan_acct *acct = h->accts.at[i];

	vec_remove(&h->accts, i);
	acct_gone(acct);
	chan_acct_unref(acct);
}

/* Accounts that went and whose run has ended. */
static void reap(struct chan_host *h)
{
	for (size_t i = h->accts.len; i-- > 0; )
		if (h->accts.at[i]->is_removed && !h->accts.at[i]->fiber)
			take_out(h, i);
}

/* Everything that the account's keys may come from, apart from its own and its network's. */
static bool same_surroundings(const struct config *a, const struct config *b)
{
	static const char *const paths[] = { "channels.defaults", "env", "secrets" };

	for (size_t i = 0; i < CH_ARRAY_LEN(paths); i++)
		if (!json_equal(config_get(a, paths[i]), config_get(b, paths[i])))
			return false;
	return true;
}

static bool is_for_all(const char *key)
{
	return !str_eq(key, "accounts") && !str_eq(key, "defaultAccount");
}

/* Every member of a that all accounts have is in b. */
static bool has_all_of(const struct json *a, const struct json *b)
{
	json_each(m, a)
		if (is_for_all(m->key) && !json_equal(m, json_get(b, m->key)))
			return false;
	return true;
}

static bool same_keys(const struct chan_cfg *x, const struct chan_cfg *y)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *path = arena_printf(a, "channels[\"%s\"]", chan_cfg_channel(x));
	const struct config *c = chan_cfg_config(x), *d = chan_cfg_config(y);
	const struct json *p = config_get(c, path), *q = config_get(d, path);

	return same_surroundings(c, d) && has_all_of(p, q) && has_all_of(q, p) &&
	       json_equal(json_get(json_get(p, "accounts"), chan_cfg_account(x)),
			  json_get(json_get(q, "accounts"), chan_cfg_account(y)));
}

/* Takes the configuration's present keys over; a run goes on with the ones it has while they say the same. */
static void set_keys(struct chan_acct *acct, struct config *c)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(c, acct->ops->id, acct->id);
	CH_AUTO(chan_cfg_unref) struct chan_cfg *network = chan_cfg_new(c, acct->ops->id, NULL);
	bool is_same = acct->cfg && same_keys(acct->cfg, cfg);

	acct->is_enabled = chan_cfg_bool(network, "enabled", true) && chan_cfg_bool(cfg, "enabled", true);
	chan_cfg_unref(CH_TAKE(acct->next_cfg));
	if (!is_same)
		forget_failures(acct);
	acct->needs_login = false;       /* a credential may be another one behind the same reference */
	if (acct->fiber && !is_same) {
		acct->next_cfg = CH_TAKE(cfg);
	} else if (!acct->fiber) {
		chan_cfg_unref(acct->cfg);
		acct->cfg = CH_TAKE(cfg);
	}
	if (!acct->fiber)
		acct->is_configured = !acct->ops->check || !acct->ops->check(acct->cfg, NULL);
}

/* The place of an account in the list; true when it is there. */
static bool find_place(const struct chan_host *h, const char *channel, const char *id, size_t *ret)
{
	size_t i = 0;

	for (; i < h->accts.len; i++) {
		int order = strcmp(h->accts.at[i]->ops->id, channel);

		order = order ? order : strcmp(h->accts.at[i]->id, id);
		if (order >= 0) {
			*ret = i;
			return !order;
		}
	}
	*ret = i;
	return false;
}

static struct chan_acct *have_account(struct chan_host *h, const struct chan_ops *ops, const char *id)
{
	struct ch_err err = { 0 };
	struct chan_acct *acct;
	size_t at;

	if (find_place(h, ops->id, id, &at))
		return h->accts.at[at];
	acct = acct_new(h, ops, id);
	if (acct_load(acct, &err))
		log_warn("channels", "%s/%s: what was kept of it could not be read: %s; it is taken as new", ops->id, id, err.text);
	vec_push(&h->accts, acct);
	memmove(&h->accts.at[at + 1], &h->accts.at[at], (h->accts.len - 1 - at) * sizeof(h->accts.at[0]));
	h->accts.at[at] = acct;
	return acct;
}

void supervise_all(struct chan_host *h)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(config_unref) struct config *c = config_ref(chan_host_config(h));

	for (size_t i = 0; i < h->accts.len; i++)
		h->accts.at[i]->is_removed = true;
	for (size_t n = 0; h->networks[n]; n++) {
		const char *const *ids = chan_cfg_accounts(c, h->networks[n]->id, h->networks[n]->secrets, a);

		for (size_t i = 0; ids[i]; i++) {
			struct chan_acct *acct = have_account(h, h->networks[n], ids[i]);

			acct->is_removed = false;
			set_keys(acct, c);
		}
	}
	for (size_t i = 0; i < h->accts.len; i++)
		supervise(h->accts.at[i]);
	reap(h);
}

/* -- by a person -- */

static ch_status no_such(struct chan_host *h, const char *channel, const char *account, struct ch_err *err)
{
	char have[128] = "";

	if (!chan_host_network(h, channel))
		return ch_fail(err, CH_E_NOT_FOUND, "unknown channel: %s", log_quote(channel));
	for (size_t i = 0; i < h->accts.len; i++) {
		const struct chan_acct *x = h->accts.at[i];
		size_t at = strlen(have);

		if (str_eq(x->ops->id, channel) && !x->is_removed)
			snprintf(have + at, sizeof(have) - at, "%s%s", at ? ", " : "", x->id);
	}
	if (!*have)
		return ch_fail(err, CH_E_NOT_FOUND, "channels.%s is not in the configuration: `chela channels add --channel %s`",
			       channel, channel);
	return ch_fail(err, CH_E_NOT_FOUND, "%s has no account %s; there is %s", channel, log_quote(account), have);
}

/* Those that are meant, each with a reference; CH_E_NOT_FOUND when there are none. */
struct meant { VEC(struct chan_acct *) accts; };
static void meant_done(struct meant *m)
{
	for (size_t i = 0; i < m->accts.len; i++)
		chan_acct_unref(m->accts.at[i]);
	vec_done(&m->accts);
}

static ch_status find_meant(struct chan_host *h, const char *channel, const char *account, struct meant *m, struct ch_err *err)
{
	for (size_t i = 0; i < h->accts.len; i++) {
		struct chan_acct *x = h->accts.at[i];

		if (str_eq(x->ops->id, channel) && !x->is_removed && (!account || str_eq(x->id, account)))
			vec_push(&m->accts, chan_acct_ref(x));
	}
	return m->accts.len ? CH_OK : no_such(h, channel, account, err);
}

CH_FIBER ch_status chan_start(struct chan_host *h, const char *channel, const char *account, struct ch_err *err)
{
	__attribute__((cleanup(meant_done))) struct meant m = { 0 };
	ch_status st = find_meant(h, channel, account, &m, err);

	for (size_t i = 0; !st && i < m.accts.len; i++) {
		struct chan_acct *acct = m.accts.at[i];

		st = acct_keep_stopped(acct, false, err);
		if (st)
			break;
		forget_failures(acct);
		supervise(acct);
	}
	return st;
}

CH_FIBER ch_status chan_stop(struct chan_host *h, const char *channel, const char *account, struct ch_err *err)
{
	__attribute__((cleanup(meant_done))) struct meant m = { 0 };
	ch_status st = find_meant(h, channel, account, &m, err);

	for (size_t i = 0; !st && i < m.accts.len; i++) {
		st = acct_keep_stopped(m.accts.at[i], true, err);
		if (!st)
			supervise(m.accts.at[i]);
	}
	for (size_t i = 0; !st && i < m.accts.len; i++)
		st = supervise_wait(h, m.accts.at[i], fiber_deadline(STOP_WAIT_MS), err);
	return st;
}

static ch_status forget_cursors(struct chan_acct *acct, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(acct->host->db, "DELETE FROM channel_cursors WHERE channel = ?1 AND account = ?2", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, acct->ops->id);
	db_bind_text(s, 2, acct->id);
	return db_run(s, NULL, err);
}

/* It is stopped. Afterwards it waits for new keys; that a person stopped it is forgotten. */
CH_FIBER static ch_status logout_one(struct chan_acct *acct, struct ch_err *err)
{
	struct chan_host *h = acct->host;
	ch_status st = CH_OK;

	if (acct->ops->logout && acct->is_configured)
		st = acct->ops->logout(acct, err);
	if (!st)
		st = forget_cursors(acct, err);
	if (!st)
		st = pairing_forget_account(h->pairing, acct->ops->id, acct->id, err);
	if (!st)
		st = acct_keep_stopped(acct, false, err);
	if (st)
		return st;
	acct->needs_login = true;
	acct_set_state(acct, CHAN_NEEDS_LOGIN, "logged out");
	return CH_OK;
}

CH_FIBER ch_status chan_logout(struct chan_host *h, const char *channel, const char *account, struct ch_err *err)
{
	__attribute__((cleanup(meant_done))) struct meant m = { 0 };
	ch_status st = find_meant(h, channel, account, &m, err);

	if (!st)
		st = chan_stop(h, channel, account, err);
	for (size_t i = 0; !st && i < m.accts.len; i++)
		st = logout_one(m.accts.at[i], err);
	return st;
}
