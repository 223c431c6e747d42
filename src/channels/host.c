/*
 * channels/host.c - the host: what all accounts share, and its life.
 */
#include "channels/host_priv.h"

#include "channels/access.h"
#include "channels/egress.h"
#include "channels/gate.h"
#include "channels/ingress.h"
#include "channels/live.h"
#include "channels/pairing.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

struct chan_host *chan_host_new(const struct chan_host_opts *opts)
{
	struct chan_host *h = ch_alloc(sizeof(*h));
	size_t n;

	h->loop = opts->loop;
	h->db = opts->db;
	h->http = opts->http;
	h->state_dir = ch_strdup(opts->state_dir);
	h->networks = opts->networks ? opts->networks : chan_table(&n);
	h->config = opts->config;
	h->config_arg = opts->config_arg;
	h->pairing = pairing_new(h->db);
	h->gate = chan_gate_new();
	h->egress = egress_new(h);
	h->ingress = ingress_new(h);
	h->live = live_new(h);
	return h;
}

void chan_host_free(struct chan_host *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->accts.len; i++) {
		CH_BUG_ON(h->accts.at[i]->fiber);        /* chan_host_drain() waits for them */
		acct_gone(h->accts.at[i]);
		chan_acct_unref(h->accts.at[i]);
	}
	vec_done(&h->accts);
	live_free(h->live);
	ingress_free(h->ingress);
	egress_free(h->egress);
	chan_gate_free(h->gate);
	webhook_free(h);
	pairing_free(h->pairing);
	ch_free(h->state_dir);
	ch_free(h);
}

void chan_host_set_up(struct chan_host *h, const struct chan_up *up)
{
	h->up = *up;
}

const struct chan_up *chan_host_up(const struct chan_host *h)
{
	return &h->up;
}

CH_FIBER ch_status chan_host_start(struct chan_host *h, struct ch_err *err)
{
	ch_status st;

	h->is_started = true;
	chan_check_tell(h);
	supervise_all(h);        /* what was left is of accounts that must be known */
	st = egress_start(h->egress, err);
	return st ? st : ingress_start(h->ingress, err);
}

CH_FIBER void chan_host_drain(struct chan_host *h, int64_t deadline_ms)
{
	struct ch_err err = { 0 };

	h->is_draining = true;
	ingress_drain(h->ingress, deadline_ms);          /* replies of the last runs go to the outbox */
	live_drain(h->live, now_mono_ms() + (deadline_ms - now_mono_ms()) / 4);
	egress_drain(h->egress, now_mono_ms() + (deadline_ms - now_mono_ms()) / 2);      /* before its connections end */
	for (size_t i = 0; i < h->accts.len; i++)
		supervise(h->accts.at[i]);
	/* A fiber that does not end would use what is freed next: waiting for it is all that can be done. */
	while (supervise_wait(h, NULL, CH_MAX(deadline_ms, fiber_deadline(1000)), &err))
		log_error("channels", "%s; waiting for it", err.text);
}

void chan_host_config_changed(struct chan_host *h)
{
	if (!h->is_started || h->is_draining)
		return;
	chan_check_tell(h);
	supervise_all(h);
	for (size_t i = 0; i < h->accts.len; i++)
		menu_offer(h->accts.at[i]);
}

/* -- what it has -- */

struct loop *chan_host_loop(const struct chan_host *h)
{
	return h->loop;
}

struct db *chan_host_db(const struct chan_host *h)
{
	return h->db;
}

struct http_client *chan_host_http(const struct chan_host *h)
{
	return h->http;
}

const char *chan_host_state_dir(const struct chan_host *h)
{
	return h->state_dir;
}

struct config *chan_host_config(const struct chan_host *h)
{
	return h->config(h->config_arg);
}

struct chan_ingress *chan_host_ingress(const struct chan_host *h)
{
	return h->ingress;
}

struct chan_egress *chan_host_egress(const struct chan_host *h)
{
	return h->egress;
}

struct chan_pairing *chan_host_pairing(const struct chan_host *h)
{
	return h->pairing;
}

struct chan_gate *chan_host_gate(const struct chan_host *h)
{
	return h->gate;
}

struct chan_live *chan_host_live(const struct chan_host *h)
{
	return h->live;
}

/* -- networks and accounts -- */

const struct chan_ops *chan_host_network(const struct chan_host *h, const char *id)
{
	for (size_t i = 0; h->networks[i]; i++)
		if (str_eq(h->networks[i]->id, id))
			return h->networks[i];
	return NULL;
}

struct chan_acct *chan_acct_find(struct chan_host *h, const char *channel, const char *account)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct chan_ops *ops = chan_host_network(h, channel);

	if (!ops)
		return NULL;
	if (!account)
		account = chan_cfg_default_account(chan_host_config(h), channel, ops->secrets, a);
	for (size_t i = 0; account && i < h->accts.len; i++) {
		struct chan_acct *acct = h->accts.at[i];

		if (acct->ops == ops && !acct->is_removed && str_eq(acct->id, account))
			return acct;
	}
	return NULL;
}

void chan_acct_each(struct chan_host *h, bool (*each)(void *arg, struct chan_acct *acct), void *arg)
{
	for (size_t i = 0; i < h->accts.len; i++)
		if (!h->accts.at[i]->is_removed && !each(arg, h->accts.at[i]))
			return;
}
