/*
 * channels/egress_act.c - what is done at once: editing, deleting, reacting, reading; at the pace of what is sent.
 */
#include "channels/egress_priv.h"

#include <string.h>

#include "channels/render.h"
#include "core/clock.h"
#include "core/str.h"

#define ACT_WAIT_MS 30000

/* What the network can do, in words. */
static const char *abilities(const struct chan_ops *ops, struct arena *a)
{
	static const struct { unsigned cap; const char *word; } words[] = {
		{ CHAN_EDIT, "edit" }, { CHAN_DELETE, "delete" }, { CHAN_REACT, "react" }, { CHAN_POLL, "poll" },
		{ CHAN_HISTORY, "read" },
	};
	const char *list = "send";

	for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
		if (ops->caps & words[i].cap)
			list = arena_printf(a, "%s, %s", list, words[i].word);
	return list;
}

/* The account, up and able, when it is our turn; a reference. */
static ch_status begin(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer, unsigned cap,
		       const char *action, struct chan_acct **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	struct chan_acct *found = chan_acct_find(e->host, channel, account);
	ch_status st;

	if (!found)
		return ch_fail(err, CH_E_INVALID, "there is no account '%s' of '%s'", account ? account : "default", channel);
	if (!(chan_acct_ops(found)->caps & cap))
		return ch_fail(err, CH_E_UNSUPPORTED, "%s cannot %s messages; it can: %s", chan_acct_ops(found)->label, action,
			       abilities(chan_acct_ops(found), a));
	acct = chan_acct_ref(found);
	st = pace_wait(acct, peer, fiber_deadline(ACT_WAIT_MS), err);
	if (st)
		return st;
	if (!chan_acct_is_up(acct))
		return ch_fail(err, CH_E_BUSY, "%s (account %s) is not connected", chan_acct_ops(acct)->label, chan_acct_id(acct));
	*ret = CH_TAKE(acct);
	return CH_OK;
}

/* Retry-After of something that was done at once holds for the account, unless messages have limits of their own. */
static ch_status end(struct chan_egress *e, struct chan_acct *acct, ch_status st, const struct ch_err *err)
{
	if (st && err && err->retry_after_ms > 0 && !chan_acct_ops(acct)->limits.peer_counts_posts)
		pace_pause(e->pace, chan_acct_ops(acct)->id, chan_acct_id(acct), NULL, err->retry_after_ms);
	return st;
}

CH_FIBER ch_status egress_edit(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
			       const char *message_id, const char *markdown, const struct chan_button *buttons, size_t button_count,
			       struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	const struct render_part *parts = NULL;
	struct chan_out out = { .peer = *peer, .buttons = buttons, .button_count = button_count };
	struct render_opts opts;
	size_t count = 0;
	ch_status st = begin(e, channel, account, peer, CHAN_EDIT, "edit", &acct, err);

	if (st)
		return st;
	egress_render_opts(chan_acct_ops(acct), chan_acct_cfg(acct), &opts);
	opts.text_max = egress_edit_max(chan_acct_ops(acct));
	opts.lines_max = 0;
	if (markdown) {
		st = render_message(a, markdown, strlen(markdown), &opts, &parts, &count, err);
		if (st)
			return st;
		if (count != 1)
			return ch_fail(err, CH_E_INVALID, count ? "the text is too long for an edited message of %s"
								 : "the text is empty: %s cannot show that",
				       chan_acct_ops(acct)->label);
		out.text = parts[0].text;
		out.plain = parts[0].plain;
	}
	return end(e, acct, chan_acct_ops(acct)->edit(acct, message_id, &out, err), err);
}

CH_FIBER ch_status egress_remove(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
				 const char *message_id, struct ch_err *err)
{
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	ch_status st = begin(e, channel, account, peer, CHAN_DELETE, "delete", &acct, err);

	return st ? st : end(e, acct, chan_acct_ops(acct)->remove(acct, peer, message_id, err), err);
}

CH_FIBER ch_status egress_react(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
				const char *message_id, const char *emoji, bool is_removed, struct ch_err *err)
{
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	ch_status st = begin(e, channel, account, peer, CHAN_REACT, "react to", &acct, err);

	return st ? st : end(e, acct, chan_acct_ops(acct)->react(acct, peer, message_id, emoji, is_removed, err), err);
}

CH_FIBER ch_status egress_read(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
			       int limit, struct arena *a, struct json **ret, struct ch_err *err)
{
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = NULL;
	ch_status st = begin(e, channel, account, peer, CHAN_HISTORY, "read", &acct, err);

	return st ? st : end(e, acct, chan_acct_ops(acct)->history(acct, peer, limit, a, ret, err), err);
}
