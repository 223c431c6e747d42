/*
 * channels/target.c - see target.h.
 */
#include "channels/target.h"

#include <string.h>

#include "core/log.h"
#include "core/str.h"

/* "telegram:…" names its network; *ret_rest is what follows. */
static const struct chan_ops *named_by_prefix(struct chan_host *h, const char *text, struct arena *a, const char **ret_rest)
{
	const char *colon = text ? strchr(text, ':') : NULL;
	const struct chan_ops *ops;

	if (!colon)
		return NULL;
	ops = chan_host_network(h, arena_strndup(a, text, (size_t)(colon - text)));
	if (ops)
		*ret_rest = colon + 1;
	return ops;
}

struct networks { const struct chan_ops *first; size_t count; const char *names; struct arena *arena; };

static bool on_acct(void *arg, struct chan_acct *acct)
{
	struct networks *n = arg;
	const struct chan_ops *ops = chan_acct_ops(acct);

	if (n->first && str_eq(n->first->id, ops->id))
		return true;
	n->names = n->names ? arena_printf(n->arena, "%s, %s", n->names, ops->id) : ops->id;
	n->first = ops;
	n->count++;
	return true;
}

static ch_status only_network(struct chan_host *h, struct arena *a, const struct chan_ops **ret, struct ch_err *err)
{
	struct networks n = { .arena = a };

	chan_acct_each(h, on_acct, &n);
	if (!n.count)
		return ch_fail(err, CH_E_INVALID, "no channel is configured: `chela channels add` does that");
	if (n.count > 1)
		return ch_fail(err, CH_E_INVALID, "channel is required when several are configured: %s", n.names);
	*ret = n.first;
	return CH_OK;
}

static ch_status find_network(struct chan_host *h, const char *channel, const char **text, struct arena *a,
			      const struct chan_ops **ret, struct ch_err *err)
{
	const char *rest = NULL;
	const struct chan_ops *by_prefix = named_by_prefix(h, *text, a, &rest);

	if (str_empty(channel) && !by_prefix)
		return only_network(h, a, ret, err);
	*ret = str_empty(channel) ? by_prefix : chan_host_network(h, channel);
	if (!*ret)
		return ch_fail(err, CH_E_INVALID, "unsupported channel: %s", log_quote(channel));
	if (by_prefix && by_prefix != *ret)
		return ch_fail(err, CH_E_INVALID, "'%s' is a place of %s, not of %s", log_quote(*text), by_prefix->label, (*ret)->label);
	if (by_prefix)
		*text = rest;
	return CH_OK;
}

ch_status chan_target(struct chan_host *h, const char *channel, const char *account, const char *text, const char *thread,
		      struct arena *a, struct chan_target *ret, struct ch_err *err)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = NULL;
	struct ch_err why = { 0 };
	const struct chan_ops *ops;
	struct chan_acct *acct;
	struct chan_peer peer;
	ch_status st = find_network(h, channel, &text, a, &ops, err);

	if (st)
		return st;
	acct = chan_acct_find(h, ops->id, str_empty(account) ? NULL : account);
	if (!acct)
		return ch_fail(err, CH_E_INVALID, "Channel is unavailable: %s has no account '%s'", ops->id,
			       str_empty(account) ? "default" : log_quote(account));
	cfg = chan_cfg_new(chan_host_config(h), ops->id, chan_acct_id(acct));
	if (str_empty(text))
		text = arena_strdup(a, chan_cfg_str(cfg, "defaultTo"));
	if (str_empty(text))
		return ch_fail(err, CH_E_INVALID, "a target is needed: where on %s?", ops->label);
	if (ops->target_parse(a, text, &peer, &why))
		return ch_fail(err, CH_E_INVALID, "Unknown target \"%s\" for %s. %s", log_quote(text), ops->label, why.text);
	if (!str_empty(thread))
		peer.thread = arena_strdup(a, thread);
	*ret = (struct chan_target){ .ops = ops, .account = arena_strdup(a, chan_acct_id(acct)), .peer = peer };
	return CH_OK;
}

bool chan_has_buttons(struct chan_host *h, const char *channel, const char *account, const struct chan_peer *peer)
{
	const struct chan_acct *acct = chan_acct_find(h, channel, account);
	const char *where = acct ? json_str(chan_cfg_get(chan_acct_cfg(acct), "capabilities.inlineButtons")) : NULL;

	if (!acct || !(chan_acct_ops(acct)->caps & CHAN_BUTTONS) || str_eq(where, "off"))
		return false;
	if (str_eq(where, "dm") || str_eq(where, "group"))
		return str_eq(where, "dm") == (peer->kind == CHAN_DIRECT);
	return true;
}

bool chan_same_place(const struct chan_peer *a, const struct chan_peer *b)
{
	return str_eq(a->id, b->id) && str_eq(a->thread, b->thread);
}
