/*
 * fake_network.c - see fake_network.h.
 */
#include "fake_network.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "channels/host_priv.h"
#include "core/str.h"

#define KINDS (FAKE_FETCH + 1)
#define HANG_MS 60000

/* What a run keeps: how it is to end. */
struct fake_run { bool is_over, may_connect; ch_status st; char text[96]; struct fiber_cond changed; };
struct begun { char channel[16], account[32]; };

static struct {
	VEC(struct fake_call) calls;
	VEC(struct fake_answer) answers[KINDS];
	VEC(struct begun) begun;
	struct fake_answer next_run;
	bool has_next_run, holds_login;
	unsigned ids;
	size_t hanging;
	uint64_t released;
	struct fiber_cond release;
} fake;

static void free_call(struct fake_call *c)
{
	char *const texts[] = { c->channel, c->account, c->peer, c->thread, c->message_id, c->reply_to, c->text, c->plain, c->key,
				c->handle, c->emoji, c->ephemeral_to, c->media_name, c->button_data };

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		ch_free(texts[i]);
}

void fake_reset(void)
{
	for (size_t i = 0; i < fake.calls.len; i++)
		free_call(&fake.calls.at[i]);
	vec_done(&fake.calls);
	for (int k = 0; k < KINDS; k++)
		vec_done(&fake.answers[k]);
	vec_done(&fake.begun);
	fake.has_next_run = fake.holds_login = false;
	fake.ids = 0;
	fake.hanging = 0;
	fiber_cond_init(&fake.release);
}

size_t fake_count(enum fake_what what)
{
	size_t n = 0;

	for (size_t i = 0; i < fake.calls.len; i++)
		n += fake.calls.at[i].what == what;
	return n;
}

const struct fake_call *fake_at(enum fake_what what, size_t i)
{
	for (size_t k = 0; k < fake.calls.len; k++)
		if (fake.calls.at[k].what == what && !i--)
			return &fake.calls.at[k];
	fail_msg("there is no such call");
	return NULL;
}

void fake_answer_to(enum fake_what what, struct fake_answer a)
{
	vec_push(&fake.answers[what], a);
}

void fake_answer(struct fake_answer a)
{
	fake_answer_to(FAKE_SEND, a);
}

void fake_release(void)
{
	fake.released++;
	fiber_cond_broadcast(&fake.release);
}

size_t fake_hanging(void)
{
	return fake.hanging;
}

/* -- answering -- */

static bool next_answer(enum fake_what what, struct fake_answer *ret)
{
	*ret = (struct fake_answer){ CHAN_SENT };
	if (!fake.answers[what].len)
		return false;
	*ret = fake.answers[what].at[0];
	vec_remove(&fake.answers[what], 0);
	return true;
}

CH_FIBER static ch_status hang(struct ch_err *err)
{
	uint64_t seen = fake.released;
	ch_status st = CH_OK;

	fake.hanging++;
	while (!st && seen == fake.released)
		st = fiber_cond_wait(&fake.release, fiber_deadline(HANG_MS));
	fake.hanging--;
	return st ? ch_fail(err, st, "the fake network was left hanging") : CH_OK;
}

static ch_status fail_as(const struct fake_answer *a, struct ch_err *err)
{
	static const ch_status codes[] = { CH_OK, CH_E_BUSY, CH_E_TIMEOUT, CH_E_INVALID };
	ch_status st = a->code ? a->code : codes[a->outcome];

	if (!st)
		return CH_OK;
	st = ch_fail(err, st, "%s", a->text ? a->text : "the fake network says no");
	if (err)
		err->retry_after_ms = a->retry_after_ms;
	return st;
}

CH_FIBER static ch_status answer(enum fake_what what, struct fake_answer *ret, struct ch_err *err)
{
	ch_status st = CH_OK;

	next_answer(what, ret);
	if (ret->hangs)
		st = hang(err);
	if (st)
		ret->outcome = CHAN_UNSURE;
	return st ? st : fail_as(ret, err);
}

/* -- recording -- */

static struct fake_call *record(enum fake_what what, struct chan_acct *acct, const struct chan_peer *peer)
{
	vec_push(&fake.calls, ((struct fake_call){ .what = what }));
	struct fake_call *c = &fake.calls.at[fake.calls.len - 1];

	c->channel = ch_strdup(chan_acct_ops(acct)->id);
	c->account = ch_strdup(chan_acct_id(acct));
	c->peer = ch_strdup(peer ? peer->id : NULL);
	c->thread = ch_strdup(peer ? peer->thread : NULL);
	return c;
}

static void record_out(struct fake_call *c, const struct chan_out *out)
{
	c->reply_to = ch_strdup(out->reply_to);
	c->text = ch_strdup(out->text);
	c->plain = ch_strdup(out->plain);
	c->key = ch_strdup(out->key);
	c->handle = ch_strdup(out->handle);
	c->ephemeral_to = ch_strdup(out->ephemeral_to);
	c->media_count = out->media_count;
	c->media_name = ch_strdup(out->media_count ? out->media[0].name : NULL);
	c->button_count = out->button_count;
	c->button_data = ch_strdup(out->button_count ? out->buttons[0].data : NULL);
	c->is_silent = out->is_silent;
	c->has_poll = out->poll;
}

CH_FIBER static ch_status fake_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
				    struct ch_err *err)
{
	struct fake_answer ans;
	ch_status st;

	record_out(record(FAKE_SEND, acct, &out->peer), out);
	st = answer(FAKE_SEND, &ans, err);
	ret->outcome = ans.outcome;
	ret->message_id = st ? NULL : arena_printf(a, "m%u", ++fake.ids);
	ret->thread = ans.thread;
	return st;
}

CH_FIBER static ch_status fake_reconcile(struct chan_acct *acct, const struct chan_out *out, int64_t since_ms, struct arena *a,
					 struct chan_sent *ret, struct ch_err *err)
{
	struct fake_answer ans;
	ch_status st;

	record_out(record(FAKE_RECONCILE, acct, &out->peer), out);
	st = answer(FAKE_RECONCILE, &ans, err);
	ret->outcome = ans.outcome;
	ret->message_id = st ? NULL : arena_printf(a, "m%u", ++fake.ids);
	return ans.code ? st : CH_OK;    /* that it is not there is an answer */
}

CH_FIBER static ch_status fake_edit(struct chan_acct *acct, const char *message_id, const struct chan_out *out, struct ch_err *err)
{
	struct fake_call *c = record(FAKE_EDIT, acct, &out->peer);
	struct fake_answer ans;

	c->message_id = ch_strdup(message_id);
	record_out(c, out);
	return answer(FAKE_EDIT, &ans, err);
}

/* text: the piece; plain: the whole as it is rendered. */
CH_FIBER static ch_status fake_stream(struct chan_acct *acct, const struct chan_growth *g, struct arena *a, struct chan_sent *ret,
				      struct ch_err *err)
{
	struct fake_call *c = record(FAKE_STREAM, acct, &g->whole->peer);
	struct fake_answer ans;
	ch_status st;

	c->message_id = ch_strdup(g->message_id);
	c->reply_to = ch_strdup(g->whole->reply_to);
	c->text = ch_strdup(g->markdown);
	c->plain = ch_strdup(g->whole->text);
	c->is_end = g->is_end;
	st = answer(FAKE_STREAM, &ans, err);
	ret->outcome = ans.outcome;
	ret->message_id = st ? NULL : g->message_id ? g->message_id : arena_printf(a, "m%u", ++fake.ids);
	return st;
}

CH_FIBER static ch_status fake_remove(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, struct ch_err *err)
{
	struct fake_answer ans;

	record(FAKE_REMOVE, acct, peer)->message_id = ch_strdup(message_id);
	return answer(FAKE_REMOVE, &ans, err);
}

CH_FIBER static ch_status fake_react(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id,
				     const char *emoji, bool is_removed, struct ch_err *err)
{
	struct fake_call *c = record(FAKE_REACT, acct, peer);
	struct fake_answer ans;

	c->message_id = ch_strdup(message_id);
	c->emoji = ch_strdup(emoji);
	c->is_removed = is_removed;
	return answer(FAKE_REACT, &ans, err);
}

CH_FIBER static ch_status fake_typing(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err)
{
	struct fake_answer ans;

	record(FAKE_TYPING, acct, peer)->is_on = is_on;
	return answer(FAKE_TYPING, &ans, err);
}

CH_FIBER static ch_status fake_fetch(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err)
{
	struct fake_answer ans;
	ch_status st;

	record(FAKE_FETCH, acct, NULL)->message_id = ch_strdup(m->ref);
	st = answer(FAKE_FETCH, &ans, err);
	if (!st)
		buf_puts(out, ans.text ? ans.text : "bytes of a file");
	return st ? st : buf_status(out, err, "a file of the fake network");
}

/* -- runs -- */

size_t fake_runs(const char *channel, const char *account)
{
	size_t n = 0;

	for (size_t i = 0; i < fake.begun.len; i++)
		n += str_eq(fake.begun.at[i].channel, channel) && str_eq(fake.begun.at[i].account, account);
	return n;
}

void fake_next_run(ch_status st, const char *text)
{
	fake.next_run = (struct fake_answer){ .code = st, .text = text };
	fake.has_next_run = true;
}

void fake_end_run(struct chan_acct *acct, ch_status st, const char *text)
{
	struct fake_run *r = chan_priv(acct);

	r->is_over = true;
	r->st = st;
	snprintf(r->text, sizeof(r->text), "%s", text ? text : "");
	fiber_cond_broadcast(&r->changed);
}

void fake_hold_login(bool is_held)
{
	fake.holds_login = is_held;
}

void fake_connect(struct chan_acct *acct)
{
	struct fake_run *r = chan_priv(acct);

	r->may_connect = true;
	fiber_cond_broadcast(&r->changed);
}

CH_FIBER static ch_status fake_run(struct chan_acct *acct, struct ch_err *err)
{
	struct fake_run *r = chan_priv(acct);
	struct begun b;
	ch_status st = CH_OK;

	snprintf(b.channel, sizeof(b.channel), "%s", chan_acct_ops(acct)->id);
	snprintf(b.account, sizeof(b.account), "%s", chan_acct_id(acct));
	vec_push(&fake.begun, b);
	fiber_cond_init(&r->changed);
	if (fake.has_next_run) {
		fake.has_next_run = false;
		return ch_fail(err, fake.next_run.code, "%s", fake.next_run.text);
	}
	r->may_connect |= !fake.holds_login;
	while (!st && !r->may_connect && !r->is_over)
		st = fiber_cond_wait(&r->changed, FIBER_FOREVER);        /* the test's word */
	if (!st && !r->is_over) {
		chan_self(acct, "fake-self", "fakebot", "Fake Bot");
		chan_state(acct, CHAN_CONNECTED, NULL);
	}
	while (!st && !r->is_over)
		st = fiber_cond_wait(&r->changed, FIBER_FOREVER);
	if (st)
		return ch_fail(err, st, "cancelled");
	return r->st ? ch_fail(err, r->st, "%s", r->text) : CH_OK;
}

CH_FIBER static ch_status fake_probe(struct chan_acct *acct, struct arena *a, struct chan_probe *ret, struct ch_err *err)
{
	*ret = (struct chan_probe){ .is_ok = true, .elapsed_ms = 1, .bot_id = "fake-self", .bot_name = "fakebot" };
	return CH_OK;
}

static ch_status fake_check(const struct chan_cfg *cfg, struct ch_err *err)
{
	if (chan_cfg_has_secret(cfg, "botToken", "TELEGRAM_BOT_TOKEN"))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "channels.telegram.botToken is not set");
}

/* Digits, "-" in front for groups; "tg:" and "telegram:" may stand before. */
static const char *fake_id(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why)
{
	const char *s = str_starts(text, "telegram:") ? text + 9 : str_starts(text, "tg:") ? text + 3 : text;
	const char *digits = use == CHAN_ID_GROUP && *s == '-' ? s + 1 : s;

	if (*digits && strspn(digits, "0123456789") == strlen(digits))
		return arena_strdup(a, s);
	*ret_why = "a number is wanted";
	return NULL;
}

static const char *fake_nick(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why)
{
	if (*text && (use == CHAN_ID_GROUP) == (*text == '#'))
		return arena_strdup(a, text);
	*ret_why = use == CHAN_ID_GROUP ? "a channel (#name) is wanted" : "nick!user@host is wanted";
	return NULL;
}

static ch_status fake_target(struct arena *a, const char *text, struct chan_peer *ret, struct ch_err *err)
{
	if (str_empty(text))
		return ch_fail(err, CH_E_INVALID, "no target");
	*ret = (struct chan_peer){ .kind = *text == '-' || *text == '#' ? CHAN_GROUP : CHAN_DIRECT, .id = arena_strdup(a, text) };
	return CH_OK;
}

static const char *const full_secrets[] = { "botToken", NULL };

const struct chan_ops fake_full = {
	.id = "telegram",
	.label = "Telegram",
	.detail_label = "Telegram Bot",
	.image = "paperplane",
	.caps = CHAN_EDIT | CHAN_DELETE | CHAN_REACT | CHAN_TYPING | CHAN_MEDIA | CHAN_THREADS | CHAN_POLL | CHAN_BUTTONS |
		CHAN_REPLY | CHAN_GROUPS | CHAN_STREAM,
	.flavour = CHAN_PLAIN,
	.limits = { .text_max = 4096, .text_default = 4000, .caption_max = 1024, .album_max = 10, .media_max_bytes = 1 << 20,
		    .buttons_max = 25, .options_max = 10, .unit = CHAN_UTF16 },
	.streaming = "partial",
	.reply_mode = "off",
	.history_default = 50,
	.priv_size = sizeof(struct fake_run),
	.silence_max_ms = 90000,
	.secrets = full_secrets,
	.id_parse = fake_id,
	.target_parse = fake_target,
	.check = fake_check,
	.run = fake_run,
	.probe = fake_probe,
	.send = fake_send,
	.reconcile = fake_reconcile,
	.edit = fake_edit,
	.stream = fake_stream,
	.remove = fake_remove,
	.react = fake_react,
	.typing = fake_typing,
	.fetch = fake_fetch,
};
const struct chan_ops fake_plain = {
	.id = "irc",
	.label = "IRC",
	.detail_label = "IRC",
	.caps = CHAN_GROUPS,
	.flavour = CHAN_PLAIN,
	.limits = { .text_max = 400, .text_default = 350, .lines_max = 5, .unit = CHAN_BYTES },
	.streaming = "off",
	.reply_mode = "off",
	.history_default = 50,
	.priv_size = sizeof(struct fake_run),
	.id_parse = fake_nick,
	.target_parse = fake_target,
	.run = fake_run,
	.send = fake_send,
};
const struct chan_ops *const fake_networks[] = { &fake_plain, &fake_full, NULL };

struct chan_in fake_message(const char *event_id, enum chan_peer_kind kind, const char *peer, const char *sender, const char *text)
{
	return (struct chan_in){
		.kind = CHAN_IN_MESSAGE,
		.event_id = event_id,
		.message_id = event_id,
		.peer = { .kind = kind, .id = peer },
		.sender = { .id = sender, .name = sender },
		.text = text,
		.can_mention = true,
	};
}
