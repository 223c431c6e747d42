/*
 * gateway/render_channels.c - accounts of messaging networks, as channels.status and health tell of them.
 */
#include "channels/host.h"
#include "core/str.h"
#include "gateway/render_channels.h"

/* The reference's words for what its own manager does with an account. */
static const char *lifecycle(enum chan_state s)
{
	static const char *const words[] = { "stopped", "starting", "running", "running", "starting", "blocked" };

	return words[s];
}

static void write_time(struct jw *w, const char *key, int64_t at_ms)
{
	if (at_ms)
		jw_kint(w, key, at_ms);
	else
		jw_knull(w, key);
}

static bool is_secret_key(const struct chan_ops *ops, const char *key, struct arena *a)
{
	return config_path_is_secret(arena_printf(a, "channels.%s.%s", ops->id, key));
}

/*
 * Where a credential comes from; an account that can log in without the key has it from elsewhere. A network with one credential
 * calls it its token, others name each.
 */
static void write_sources(struct jw *w, const struct chan_acct *acct, bool is_configured)
{
	const struct chan_ops *ops = chan_acct_ops(acct);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t count = 0;

	for (size_t i = 0; ops->secrets && ops->secrets[i]; i++)
		count += is_secret_key(ops, ops->secrets[i], a);
	for (size_t i = 0; ops->secrets && ops->secrets[i]; i++) {
		const char *from = chan_cfg_get(chan_acct_cfg(acct), ops->secrets[i]) ? "config" : is_configured ? "env" : "none";

		if (!is_secret_key(ops, ops->secrets[i], a))
			continue;
		jw_kstr(w, count == 1 ? "tokenSource" : arena_printf(a, "%sSource", ops->secrets[i]), from);
	}
}

static void write_mode(struct jw *w, const struct chan_acct *acct)
{
	const struct chan_ops *ops = chan_acct_ops(acct);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *mode = chan_cfg_str(chan_acct_cfg(acct), "mode");

	if (!mode && ops->webhook_path)
		mode = ops->webhook_path(chan_acct_cfg(acct), a) ? "webhook" : "polling";
	jw_kstr_opt(w, "mode", mode);
}

static void write_probe(struct jw *w, const struct chan_probe *p)
{
	jw_kobj(w, "probe");
	jw_kbool(w, "ok", p->is_ok);
	jw_knull(w, "status");
	jw_kstr(w, "error", p->error);
	jw_kint(w, "elapsedMs", p->elapsed_ms);
	if (p->bot_id || p->bot_name) {
		jw_kobj(w, "bot");
		jw_kstr_opt(w, "id", p->bot_id);
		jw_kstr_opt(w, "username", p->bot_name);
		jw_end(w);
	}
	jw_kstr_opt(w, "warning", p->warning);
	jw_end(w);
}

static void write_probed(struct jw *w, const struct channel_probe *probe)
{
	if (!probe)
		return;
	if (probe->has_result)
		write_probe(w, &probe->result);
	jw_kint(w, "lastProbeAt", probe->at_ms);
}

void gw_render_channel(struct jw *w, const struct chan_acct *acct, const struct channel_probe *probe)
{
	struct chan_status s;

	chan_acct_status(acct, &s);
	jw_kbool(w, "configured", s.is_configured);
	jw_kbool(w, "running", s.is_running);
	write_time(w, "lastStartAt", s.started_at);
	write_time(w, "lastStopAt", s.stopped_at);
	jw_kstr(w, "lastError", s.last_error);
	write_sources(w, acct, s.is_configured);
	write_mode(w, acct);
	if (probe)
		write_probed(w, probe);
	else
		jw_knull(w, "lastProbeAt");
}

void gw_render_channel_account(struct jw *w, const struct chan_acct *acct, const struct channel_probe *probe)
{
	struct chan_status s;
	bool is_failing;

	chan_acct_status(acct, &s);
	is_failing = s.state == CHAN_BACKOFF || s.state == CHAN_NEEDS_LOGIN;
	jw_kstr(w, "accountId", chan_acct_id(acct));
	jw_kstr_opt(w, "name", chan_cfg_str(chan_acct_cfg(acct), "name"));
	jw_kbool(w, "enabled", s.is_enabled);
	jw_kbool(w, "configured", s.is_configured);
	jw_kbool(w, "running", s.is_running);
	jw_kbool(w, "connected", chan_acct_is_up(acct));
	jw_kbool(w, "restartPending", s.retry_at != 0);
	if (s.retry_at)
		jw_kint(w, "nextRetryAt", s.retry_at);
	jw_kint(w, "reconnectAttempts", s.failures);
	jw_kstr(w, "lifecycle", lifecycle(s.state));
	jw_kstr(w, "state", chan_state_name(s.state));
	jw_kstr_opt(w, "detail", s.detail);
	jw_kbool(w, "stoppedByPerson", s.is_stopped_by_person);
	write_time(w, "lastConnectedAt", s.connected_at);
	write_time(w, "lastStartAt", s.started_at);
	write_time(w, "lastStopAt", s.stopped_at);
	write_time(w, "lastInboundAt", s.last_in_at);
	write_time(w, "lastOutboundAt", s.last_out_at);
	write_time(w, "lastTransportActivityAt", s.alive_at);
	jw_kstr(w, "lastError", is_failing || !chan_acct_is_up(acct) ? s.last_error : NULL);
	write_sources(w, acct, s.is_configured);
	write_mode(w, acct);
	jw_kstr_opt(w, "dmPolicy", chan_cfg_str(chan_acct_cfg(acct), "dmPolicy"));
	write_probed(w, probe);
}

/* -- health -- */

static const char *default_account(const struct chan_acct *acct, struct arena *a)
{
	return chan_cfg_default_account(chan_host_config(chan_acct_host(acct)), chan_acct_ops(acct)->id,
					chan_acct_ops(acct)->secrets, a);
}

bool gw_channel_is_default(const struct chan_acct *acct)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return str_eq(default_account(acct, a), chan_acct_id(acct));
}

struct walk { struct jw *w; const struct chan_ops *ops; };

static bool write_health_account(void *arg, struct chan_acct *acct)
{
	struct walk *k = arg;

	if (chan_acct_ops(acct) != k->ops)
		return true;
	jw_kobj(k->w, chan_acct_id(acct));
	gw_render_channel_account(k->w, acct, NULL);
	jw_end(k->w);
	return true;
}

static bool write_health_channel(void *arg, struct chan_acct *acct)
{
	struct walk *k = arg, inner = { k->w, chan_acct_ops(acct) };

	if (!gw_channel_is_default(acct))
		return true;
	jw_kobj(k->w, chan_acct_ops(acct)->id);
	gw_render_channel_account(k->w, acct, NULL);
	jw_kobj(k->w, "accounts");
	chan_acct_each(chan_acct_host(acct), write_health_account, &inner);
	jw_end(k->w);
	jw_end(k->w);
	return true;
}

static bool write_id(void *arg, struct chan_acct *acct)
{
	struct walk *k = arg;

	if (gw_channel_is_default(acct))
		jw_str(k->w, chan_acct_ops(acct)->id);
	return true;
}

static bool write_label(void *arg, struct chan_acct *acct)
{
	struct walk *k = arg;

	if (gw_channel_is_default(acct))
		jw_kstr(k->w, chan_acct_ops(acct)->id, chan_acct_ops(acct)->label);
	return true;
}

void gw_render_health_channels(struct chan_host *h, struct jw *w)
{
	struct walk k = { .w = w };

	jw_kobj(w, "channels");
	if (h)
		chan_acct_each(h, write_health_channel, &k);
	jw_end(w);
	jw_karr(w, "channelOrder");
	if (h)
		chan_acct_each(h, write_id, &k);
	jw_end(w);
	jw_kobj(w, "channelLabels");
	if (h)
		chan_acct_each(h, write_label, &k);
	jw_end(w);
}
