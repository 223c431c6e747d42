/*
 * channels/telegram_poll.c - updates by getUpdates, and what both ways of getting them share.
 *
 * The cursor "updates" is "<bot id>:<next update id>:<when>": it is committed with the batch (chan_deliver), and the next getUpdates tells
 * it to Telegram, which forgets what came before. So a crash anywhere between brings the batch again, and its event ids
 * are known. A cursor of another bot (the token was changed) does not count. Nor does one
 * of days ago: after a week without updates Telegram goes on with an id at random, and a higher offset would hide it. Without an
 * offset whatever was not confirmed comes.
 *
 * Trouble  a poll that fails is tried again here TRIES times, so that a hiccup does not take the login down; then the run ends and
 *          the core decides. 409 says that somebody else polls: the login stays, degraded, and goes on trying.
 */
#include "channels/telegram.h"

#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define CURSOR "updates"
#define TRIES 3
#define TRY_AGAIN_MS 1000                /* times the number of failures */
#define CONFLICT_WAIT_MS 5000
#define EMPTY_MS 500                     /* least time between polls that bring nothing: some servers do not wait */
#define EVENTS_MAX ((size_t)TG_BATCH * TG_PER_UPDATE_MAX)

/* -- acknowledging presses -- */

static ch_status acknowledge(struct chan_acct *acct, const char *id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_LINK struct tg_link l = { 0 };
	struct json *params = json_new_obj(a);
	struct tg_answer answer;
	ch_status st = tg_link_open(acct, &l, err);

	json_set(a, params, "callback_query_id", json_new_str(a, id));
	return st ? st : tg_call(&l, "answerCallbackQuery", params, TG_CALL_MS, a, &answer, err);
}

/* The progress bar on a pressed button stops when it is answered; it is of no use to do so much later. The run waits for our end. */
CH_FIBER static void presser(void *arg)
{
	struct chan_acct *acct = arg;
	struct telegram *tg = chan_priv(acct);

	while (tg->press_count && !fiber_canceled()) {
		CH_AUTO_STR char *id = tg->presses[0];
		struct ch_err err;

		memmove(tg->presses, tg->presses + 1, --tg->press_count * sizeof(tg->presses[0]));
		if (acknowledge(acct, id, &err))
			log_debug("telegram", "%s: a press is not acknowledged: %s", chan_acct_id(acct), err.text);
	}
	tg->presser = NULL;
	fiber_cond_broadcast(&tg->presser_ended);
}

static void press(struct chan_acct *acct, const char *id)
{
	struct telegram *tg = chan_priv(acct);

	if (tg->press_count == TG_PRESSES_MAX)
		return;
	tg->presses[tg->press_count++] = ch_strdup(id);
}

static void start_presser(struct chan_acct *acct)
{
	struct telegram *tg = chan_priv(acct);

	if (tg->press_count && !tg->presser)
		tg->presser = fiber_spawn(chan_loop(acct), "telegram-press", FIBER_DETACHED, presser, acct);
}

CH_FIBER void tg_presses_end(struct telegram *tg)
{
	/* Without an end of its own: the fiber is cancelled, so each of its waits ends. */
	fiber_mask(1);
	if (tg->presser)
		fiber_cancel(tg->presser);
	while (tg->presser)
		if (fiber_cond_wait(&tg->presser_ended, FIBER_FOREVER))
			break;
	fiber_mask(-1);
	while (tg->press_count)
		ch_free(tg->presses[--tg->press_count]);
}

/* -- a batch -- */

/* A reaction in a forum gets the topic of its message; false when that is not known any more. */
static bool find_topic(struct chan_acct *acct, struct chan_in *in, struct arena *a)
{
	if (!str_eq(in->peer.thread, TG_TOPIC_UNKNOWN))
		return true;
	in->peer.thread = tg_place_find(chan_priv(acct), in->peer.id, in->message_id, a);
	return in->peer.thread != NULL;
}

/* Votes get the place of their poll; those in polls that we do not know have none. Gives how many are left. */
static size_t keep_known(struct chan_acct *acct, struct chan_in *events, size_t n, struct arena *a)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		struct chan_in *in = &events[i];

		if (in->kind == CHAN_IN_MESSAGE)
			tg_place_note(chan_priv(acct), &in->peer, in->message_id);
		if (in->kind == CHAN_IN_VOTE ? tg_vote_read(acct, in, a) : find_topic(acct, in, a))
			events[kept++] = *in;
	}
	return kept;
}

static ch_status commit(struct chan_acct *acct, const struct chan_in *events, size_t n, const char *cursor, struct ch_err *err)
{
	if (n)
		return chan_deliver(acct, events, n, cursor ? CURSOR : NULL, cursor, err);
	return cursor ? chan_cursor_set(acct, CURSOR, cursor, err) : CH_OK;
}

CH_FIBER ch_status tg_take(struct chan_acct *acct, const struct json *updates, const char *bot_id, struct tg_offset *ret,
			   struct ch_err *err)
{
	const struct telegram *tg = chan_priv(acct);
	const struct tg_me me = { .id = chan_acct_self_id(acct), .username = chan_acct_self_username(acct),
				  .has_topics = tg->has_topics };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t n = 0, room = CH_MIN(json_len(updates) * TG_PER_UPDATE_MAX, EVENTS_MAX) + TG_PER_UPDATE_MAX;
	struct chan_in *events = arena_alloc(a, room * sizeof(*events));
	struct tg_offset next = { .at_ms = now_wall_ms() };
	ch_status st;

	json_each(update, updates) {
		int64_t id;
		size_t count;

		if (room - n < TG_PER_UPDATE_MAX)
			break;
		if (tg_update_read(update, &me, a, &id, events + n, &count)) {
			next.next = CH_MAX(next.next, id + 1);
			n += keep_known(acct, events + n, count, a);
		}
	}
	st = commit(acct, events, n, bot_id ? arena_printf(a, "%s:%lld:%lld", bot_id, (long long)next.next, (long long)next.at_ms) : NULL,
		    err);
	if (st)
		return st;
	*ret = next;
	for (size_t i = 0; i < n; i++)
		if (events[i].kind == CHAN_IN_PRESS)
			press(acct, events[i].handle);
	start_presser(acct);
	return CH_OK;
}

/* -- polling -- */

struct poll {
	struct chan_acct *acct;
	const char *bot_id;
	const char *warning;             /* shown while all is well; or NULL */
	struct tg_offset offset;
	int failures;                    /* in a row */
	bool is_degraded;
	bool is_warm;                    /* one poll has been answered: from now on they wait */
};

struct tg_offset tg_offset_read(const char *cursor, const char *bot_id)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct tg_offset offset = { 0 };
	size_t n = strlen(bot_id);
	char *next, *when;

	if (!cursor || strncmp(cursor, bot_id, n) != 0 || cursor[n] != ':')
		return offset;
	next = arena_strdup(a, cursor + n + 1);
	when = strchr(next, ':');
	if (when)
		*when++ = '\0';
	if (!when || !str_to_i64(next, &offset.next) || !str_to_i64(when, &offset.at_ms))
		return (struct tg_offset){ 0 };
	return offset;
}

int64_t tg_offset_now(const struct tg_offset *o, int64_t now_ms)
{
	return now_ms - o->at_ms < TG_OFFSET_MS ? o->next : 0;
}

static ch_status load_cursor(struct poll *p, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *value = NULL;
	ch_status st = chan_cursor(p->acct, CURSOR, a, &value, err);

	if (!st)
		p->offset = tg_offset_read(value, p->bot_id);
	return st;
}

static ch_status get_updates(const struct poll *p, struct arena *a, struct tg_answer *ret, struct ch_err *err)
{
	CH_AUTO_LINK struct tg_link l = { 0 };
	struct json *params = json_new_obj(a), *kinds = NULL;
	int64_t offset = tg_offset_now(&p->offset, now_wall_ms());
	ch_status st = json_parse(a, tg_allowed_updates, strlen(tg_allowed_updates), JSON_STRICT, &kinds, err);

	if (!st)
		st = tg_link_open(p->acct, &l, err);
	if (st)
		return st;
	if (offset)
		json_set(a, params, "offset", json_new_int(a, offset));
	json_set(a, params, "limit", json_new_int(a, TG_BATCH));
	/* The first one of a run is short: it tells at once that the login works. */
	json_set(a, params, "timeout", json_new_int(a, p->is_warm ? TG_POLL_S : 0));
	json_set(a, params, "allowed_updates", kinds);
	return tg_call(&l, "getUpdates", params, TG_POLL_S * 1000 + TG_POLL_SLACK_MS, a, ret, err);
}

static void degraded(struct poll *p, const char *detail)
{
	p->is_degraded = true;
	chan_state(p->acct, CHAN_DEGRADED, detail);
}

/* What a failed poll means: CH_OK to try again after a wait. */
static CH_FIBER ch_status on_failure(struct poll *p, const struct tg_answer *answer, ch_status st, struct ch_err *err)
{
	if (st == CH_E_CANCELED || answer->code == 401 || answer->code == 404)
		return st == CH_E_NOT_FOUND ? ch_fail(err, CH_E_DENIED, "Telegram does not know this bot: check the token") : st;
	if (answer->code)
		chan_alive(p->acct);
	if (answer->code == 409) {
		p->is_warm = false;
		if (strstr(answer->description, "webhook"))
			return ch_fail(err, CH_E_CONFLICT, "a webhook was set for this bot meanwhile; it is taken back");
		degraded(p, "another program polls with this bot's token: stop it, or make a bot of its own for it");
		return fiber_sleep(CONFLICT_WAIT_MS);
	}
	if (answer->code == 429)
		return fiber_sleep(answer->retry_after_ms);
	p->is_warm = false;
	if (++p->failures >= TRIES)
		return st;
	degraded(p, err->text);
	return fiber_sleep((int64_t)p->failures * TRY_AGAIN_MS);
}

static void on_success(struct poll *p)
{
	p->failures = 0;
	p->is_warm = true;
	if (p->is_degraded)
		chan_state(p->acct, CHAN_CONNECTED, p->warning);
	p->is_degraded = false;
	chan_alive(p->acct);
}

CH_FIBER ch_status tg_poll(struct chan_acct *acct, const char *bot_id, const char *warning, struct ch_err *err)
{
	struct poll p = { .acct = acct, .bot_id = bot_id, .warning = warning };
	struct ch_err why;
	ch_status st;

	err = err ? err : &why;
	st = load_cursor(&p, err);
	while (!st) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct tg_answer answer = { 0 };
		int64_t begun_ms = now_mono_ms();
		bool was_warm = p.is_warm;

		st = get_updates(&p, a, &answer, err);
		if (st) {
			st = on_failure(&p, &answer, st, err);
			continue;
		}
		on_success(&p);
		if (json_len(answer.result))
			st = tg_take(acct, answer.result, bot_id, &p.offset, err);
		else if (now_mono_ms() - begun_ms < EMPTY_MS && was_warm)
			st = fiber_sleep(EMPTY_MS);
	}
	return st;
}
