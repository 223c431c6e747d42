/*
 * channels/ingress_batch.c - messages of one sender that come together are one input.
 *
 * Texts join within a quiet time (messages.inbound.byChannel, messages.inbound.debounceMs, the network's own), parts of an album
 * by its id. Commands, buttons, single files and other people's messages do not join, and end the waiting. The rows stay `received`
 * until the input made of them is accepted.
 */
#include "channels/ingress_priv.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define ALBUM_QUIET_MS 500               /* its parts are events of their own */
#define LONG_QUIET_MS 1500               /* after a text that a client may have cut at the network's limit */
#define LONG_TEXT_SLACK 96               /* units below the limit at which clients cut */
#define FORWARD_QUIET_MS 80              /* a forwarded message comes with its comment, at once */

static int64_t window_of(struct chan_acct *acct)
{
	const struct chan_ops *ops = chan_acct_ops(acct);
	const struct config *c = chan_cfg_config(chan_acct_cfg(acct));
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct json *own = config_get(c, arena_printf(a, "messages.inbound.byChannel[\"%s\"]", ops->id));

	if (!own)
		own = config_get(c, "messages.inbound.debounceMs");
	return own ? json_int_or(own, 0) : ops->limits.debounce_ms;
}

/* How long more may be expected after this message. */
static int64_t quiet_ms(struct chan_acct *acct, const struct chan_in *in)
{
	int limit = chan_acct_ops(acct)->limits.text_max;
	int64_t window = window_of(acct);

	if (in->group_id)
		return CH_MAX(window, ALBUM_QUIET_MS);
	if (in->media_count || window <= 0)
		return 0;
	if (in->is_forwarded)
		return CH_MIN(window, FORWARD_QUIET_MS);
	if (in->text && limit > LONG_TEXT_SLACK && strlen(in->text) >= (size_t)(limit - LONG_TEXT_SLACK))
		return CH_MAX(window, LONG_QUIET_MS);
	return window;
}

/* "/cmd@us args" is "/cmd args"; NULL: it is for another bot, so not a command of ours. */
static const char *without_our_name(struct chan_acct *acct, const char *text, struct arena *a)
{
	const char *us = chan_acct_self_username(acct);
	size_t word = strcspn(text, " \t\r\n"), at = strcspn(text, "@ \t\r\n");

	if (at >= word)
		return text;
	if (!us || !str_ieq(arena_strndup(a, text + at + 1, word - at - 1), us))
		return NULL;
	return arena_printf(a, "%.*s%s", (int)at, text, text + word);
}

/* The command that the message is; NULL: it is none. */
static const char *command_of(struct chan_acct *acct, const struct heard *m, struct arena *a)
{
	const char *text = chan_access_text(m->access);

	if (!text || text[0] != '/' || m->in.is_forwarded || m->in.media_count || !chan_access_may_command(m->access))
		return NULL;
	return without_our_name(acct, text, a);
}

static bool is_joinable(const struct heard *m)
{
	enum chan_verdict v = chan_access_verdict(m->access);

	return m->in.kind == CHAN_IN_MESSAGE && (v == CHAN_ADMIT || (v == CHAN_OVERHEAR && m->in.group_id));
}

static bool joins(struct chan_acct *acct, const struct heard *last, const struct heard *next, struct arena *a)
{
	if (!is_joinable(next) || !str_eq(last->in.sender.id, next->in.sender.id))
		return false;
	if (last->in.group_id && str_eq(last->in.group_id, next->in.group_id))
		return true;
	if (last->in.media_count || next->in.media_count || chan_access_verdict(next->access) != CHAN_ADMIT ||
	    command_of(acct, next, a))
		return false;
	return next->row.received_at - last->row.received_at <= quiet_ms(acct, &last->in);
}

static size_t text_bytes(const struct batch *b)
{
	size_t sum = 0;

	for (size_t i = 0; i < b->len; i++)
		sum += b->at[i]->in.text ? strlen(b->at[i]->in.text) : 0;
	return sum;
}

/* What the person says in it. Forwarded words are others': they are context. */
static const char *words_of(const struct heard *m)
{
	const char *text = chan_access_text(m->access);

	if (m->in.is_forwarded)
		return "[forwarded message]";
	return text ? text : "";
}

static const char *join_texts(const struct batch *b, struct arena *a)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, (size_t)BATCH_MAX * (CHAN_TEXT_MAX + 256));
	for (size_t i = 0; i < b->len; i++) {
		const char *words = words_of(b->at[i]);

		if (!*words)
			continue;
		if (out.len)
			buf_putc(&out, '\n');
		buf_puts(&out, words);
	}
	return arena_strndup(a, buf_str(&out), out.len);
}

static void join_media(struct batch *b, struct arena *a)
{
	struct chan_media_in *media = arena_alloc(a, CHAN_MEDIA_COUNT_MAX * sizeof(*media));
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		for (size_t k = 0; k < b->at[i]->in.media_count && n < CHAN_MEDIA_COUNT_MAX; k++)
			media[n++] = b->at[i]->in.media[k];
	b->in.media = media;
	b->in.media_count = n;
}

static void combine(struct batch *b, struct arena *a)
{
	b->in = b->at[0]->in;
	b->text = join_texts(b, a);
	if (b->len == 1)
		return;
	for (size_t i = 1; i < b->len; i++) {
		const struct chan_in *in = &b->at[i]->in;

		b->in.quote = b->in.quote ? b->in.quote : in->quote;
		b->in.location = b->in.location ? b->in.location : in->location;
		b->in.is_mentioned |= in->is_mentioned;
		b->in.message_id = in->message_id ? in->message_id : b->in.message_id;
	}
	join_media(b, a);
}

void batch_of(struct heard *first, const char *text, struct arena *a, struct batch *ret)
{
	ret->at[0] = first;
	ret->len = 1;
	combine(ret, a);
	if (text)
		ret->text = text;
}

/* CH_E_NOT_FOUND: nothing is behind it. */
static ch_status read_next(struct lane *l, struct chan_acct *acct, int64_t after, struct arena *a, struct heard **ret, struct ch_err *err)
{
	struct heard *m = arena_alloc(a, sizeof(*m));
	ch_status st = inbox_after(l->g->db, l->key, after, a, &m->row, err);

	if (st)
		return st;
	*ret = m;
	if (chan_in_read(m->row.payload, strlen(m->row.payload), a, &m->in, NULL))
		m->in.kind = CHAN_IN_DELETE;     /* joins nothing; it is judged by itself */
	m->access = chan_authorise(acct, &m->in, a);
	return CH_OK;
}

CH_FIBER static ch_status wait_for_more(struct lane *l, struct chan_acct *acct, const struct heard *last, int64_t until_ms, bool *ret_over)
{
	int64_t quiet = quiet_ms(acct, &last->in), left = last->row.received_at + quiet - now_wall_ms();
	ch_status st;

	left = CH_MIN(left, quiet);      /* the wall clock may have been set */
	left = CH_MIN(left, until_ms - now_mono_ms());
	*ret_over = left <= 0;
	if (*ret_over)
		return CH_OK;
	st = fiber_cond_wait(&l->more, fiber_deadline(left));
	return st == CH_E_CANCELED ? st : CH_OK;
}

ch_status batch_gather(struct lane *l, struct chan_acct *acct, struct heard *first, struct arena *a, struct batch *ret,
		       struct ch_err *err)
{
	const char *command = command_of(acct, first, a);
	int64_t until_ms = now_mono_ms() + BATCH_WAIT_MAX_MS;
	bool is_over = command || first->in.kind == CHAN_IN_COMMAND || !quiet_ms(acct, &first->in);

	ret->at[0] = first;
	ret->len = 1;
	while (!is_over && ret->len < BATCH_MAX && text_bytes(ret) < BATCH_TEXT_MAX) {
		struct heard *last = ret->at[ret->len - 1], *next;
		ch_status st = read_next(l, acct, last->row.id, a, &next, err);

		if (!st && !joins(acct, last, next, a))
			break;
		if (!st)
			ret->at[ret->len++] = next;
		else if (st == CH_E_NOT_FOUND)
			st = wait_for_more(l, acct, last, until_ms, &is_over);
		if (st)
			return st == CH_E_CANCELED ? ch_fail(err, st, "the gateway stops") : st;
	}
	combine(ret, a);
	ret->is_command = command != NULL;
	if (command)
		ret->text = command;
	return CH_OK;
}
