/*
 * gateway/methods/m_channels.c - accounts of messaging networks: how they stand, starting, stopping, logging out, their log.
 *
 * channels.logs is ours: OpenClaw's command line reads its own files for it.
 */
#include "channels/access.h"
#include "channels/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "core/vec.h"
#include "gateway/hub.h"
#include "gateway/methods/absent.h"
#include "gateway/render_channels.h"

#define NO_WEB_LOGIN "no provider of this version logs in by QR code"
#define PROBE_MS 10000
#define PROBE_MAX_MS 60000
#define LETTERS_SINCE_MS 86400000LL      /* older ones are listed, and no issue any more */

/* -- status -- */

struct one { struct chan_acct *acct; struct channel_probe probe; struct fiber *fiber; struct arena *arena; };
struct all { VEC(struct one) at; const struct chan_ops *only; bool is_probe; };

static void all_done(struct all *all)
{
	for (size_t i = 0; i < all->at.len; i++)
		chan_acct_unref(all->at.at[i].acct);
	vec_done(&all->at);
}

static bool collect(void *arg, struct chan_acct *acct)
{
	struct all *all = arg;

	if (!all->only || all->only == chan_acct_ops(acct))
		vec_push(&all->at, ((struct one){ .acct = chan_acct_ref(acct) }));
	return true;
}

CH_FIBER static void probe_one(void *arg)
{
	struct one *o = arg;
	struct ch_err err = { 0 };
	int64_t begun = now_mono_ms();
	ch_status st = chan_acct_ops(o->acct)->probe(o->acct, o->arena, &o->probe.result, &err);

	o->probe.has_result = true;
	o->probe.at_ms = now_wall_ms();
	if (st) {
		o->probe.result = (struct chan_probe){ .error = arena_strdup(o->arena, st == CH_E_CANCELED ? "no answer in time"
													   : err.text) };
		o->probe.result.elapsed_ms = now_mono_ms() - begun;
	}
}

/* All side by side, so that one that hangs costs the others nothing. */
CH_FIBER static ch_status probe_all(struct gw_call *call, struct all *all, struct ch_err *err)
{
	int64_t wait_ms = json_get_int(call->params, "timeoutMs", PROBE_MS);
	int64_t deadline_ms = fiber_deadline(CH_MIN(wait_ms, PROBE_MAX_MS));
	ch_status st, worst = CH_OK;

	for (size_t i = 0; i < all->at.len; i++) {
		struct one *o = &all->at.at[i];
		struct chan_status s;

		chan_acct_status(o->acct, &s);
		o->arena = call->arena;
		o->probe.at_ms = now_wall_ms();
		if (chan_acct_ops(o->acct)->probe && s.is_configured && s.is_enabled)
			o->fiber = fiber_spawn(call->gw->loop, "channel-probe", FIBER_JOINABLE, probe_one, o);
	}
	for (size_t i = 0; i < all->at.len; i++) {
		if (!all->at.at[i].fiber)
			continue;
		st = fiber_join(all->at.at[i].fiber, deadline_ms);
		if (!st)
			continue;
		if (st == CH_E_CANCELED)
			worst = st;
		fiber_cancel(all->at.at[i].fiber);
		fiber_mask(1);           /* its stack has ours in it */
		(void)!fiber_join(all->at.at[i].fiber, FIBER_FOREVER);     /* cancelled: it ends at its next wait */
		fiber_mask(-1);
	}
	return worst ? ch_fail(err, worst, "the client left") : CH_OK;
}

/* One member per network, in the order of the accounts. */
enum per_channel { PER_ORDER, PER_LABEL, PER_DETAIL, PER_IMAGE, PER_META, PER_CHANNEL, PER_ACCOUNTS, PER_DEFAULT };

static void write_meta(struct jw *w, const struct chan_ops *ops)
{
	jw_obj(w);
	jw_kstr(w, "id", ops->id);
	jw_kstr(w, "label", ops->label);
	jw_kstr(w, "detailLabel", ops->detail_label);
	jw_kstr_opt(w, "systemImage", ops->image);
	jw_end(w);
}

static const struct channel_probe *probed(const struct all *all, const struct one *o)
{
	return all->is_probe ? &o->probe : NULL;
}

static void write_accounts(struct jw *w, const struct all *all, size_t first)
{
	jw_karr(w, chan_acct_ops(all->at.at[first].acct)->id);
	for (size_t i = first; i < all->at.len; i++) {
		if (chan_acct_ops(all->at.at[i].acct) != chan_acct_ops(all->at.at[first].acct))
			break;
		jw_obj(w);
		gw_render_channel_account(w, all->at.at[i].acct, probed(all, &all->at.at[i]));
		jw_end(w);
	}
	jw_end(w);
}

/* The account that stands for its network: the default one. */
static const struct one *standing_for(const struct all *all, size_t first)
{
	const struct chan_ops *ops = chan_acct_ops(all->at.at[first].acct);

	for (size_t i = first; i < all->at.len && chan_acct_ops(all->at.at[i].acct) == ops; i++)
		if (gw_channel_is_default(all->at.at[i].acct))
			return &all->at.at[i];
	return &all->at.at[first];
}

static void write_one(struct jw *w, const struct all *all, size_t first, enum per_channel what)
{
	const struct one *o = standing_for(all, first);
	const struct chan_ops *ops = chan_acct_ops(o->acct);

	switch (what) {
	case PER_ORDER: jw_str(w, ops->id); break;
	case PER_LABEL: jw_kstr(w, ops->id, ops->label); break;
	case PER_DETAIL: jw_kstr(w, ops->id, ops->detail_label); break;
	case PER_IMAGE: jw_kstr_opt(w, ops->id, ops->image); break;
	case PER_META: write_meta(w, ops); break;
	case PER_ACCOUNTS: write_accounts(w, all, first); break;
	case PER_DEFAULT: jw_kstr(w, ops->id, chan_acct_id(o->acct)); break;
	case PER_CHANNEL:
		jw_kobj(w, ops->id);
		gw_render_channel(w, o->acct, probed(all, o));
		jw_end(w);
		break;
	}
}

static void write_each(struct jw *w, const struct all *all, enum per_channel what)
{
	const struct chan_ops *last = NULL;

	for (size_t i = 0; i < all->at.len; i++) {
		if (chan_acct_ops(all->at.at[i].acct) != last)
			write_one(w, all, i, what);
		last = chan_acct_ops(all->at.at[i].acct);
	}
	jw_end(w);
}

static void write_issue(struct jw *w, const struct chan_acct *acct, const char *kind, const char *message, const char *fix)
{
	jw_obj(w);
	jw_kstr(w, "channel", chan_acct_ops(acct)->id);
	jw_kstr(w, "accountId", chan_acct_id(acct));
	jw_kstr(w, "kind", kind);
	jw_kstr(w, "message", message);
	jw_kstr(w, "fix", fix);
	jw_end(w);
}

static void write_issues_of(struct jw *w, const struct one *o, struct arena *a)
{
	const char *channel = chan_acct_ops(o->acct)->id;
	bool is_default = str_eq(chan_acct_id(o->acct), CHAN_DEFAULT_ACCOUNT);
	struct chan_status s;
	size_t dead = chan_acct_dead_letters(o->acct, now_wall_ms() - LETTERS_SINCE_MS);

	chan_acct_status(o->acct, &s);
	if (s.state == CHAN_NEEDS_LOGIN)
		write_issue(w, o->acct, s.is_configured ? "auth" : "config", s.last_error ? s.last_error : "needs a login",
			    arena_printf(a, "chela channels %s %s%s%s", s.is_configured ? "login" : "add", channel,
					 is_default ? "" : " --account ", is_default ? "" : chan_acct_id(o->acct)));
	else if (s.state == CHAN_DEGRADED)
		write_issue(w, o->acct, "permissions", s.detail ? s.detail : "something is missing", "chela channels logs");
	if (o->probe.has_result && o->probe.result.warning)
		write_issue(w, o->acct, "permissions", o->probe.result.warning, "chela channels status --probe");
	if (dead)
		write_issue(w, o->acct, "runtime", arena_printf(a, "%zu message%s of the last day could not be handled or sent", dead,
								dead == 1 ? "" : "s"), "chela channels dead-letters list");
	if (s.is_enabled && chan_dms_are_shared(o->acct))
		write_issue(w, o->acct, "config", "several people who may write direct messages share one conversation",
			    "chela config set session.dmScope per-channel-peer");
}

/* What a person should do something about. */
static void write_issues(struct jw *w, const struct all *all, struct arena *a)
{
	jw_karr(w, "statusIssues");
	for (size_t i = 0; i < all->at.len; i++)
		write_issues_of(w, &all->at.at[i], a);
	jw_end(w);
}

static void write_status(struct gw_call *call, const struct all *all)
{
	static const struct { const char *key; enum per_channel what; bool is_list; } parts[] = {
		{ "channelOrder", PER_ORDER, true },
		{ "channelLabels", PER_LABEL, false },
		{ "channelDetailLabels", PER_DETAIL, false },
		{ "channelSystemImages", PER_IMAGE, false },
		{ "channelMeta", PER_META, true },
		{ "channels", PER_CHANNEL, false },
		{ "channelAccounts", PER_ACCOUNTS, false },
		{ "channelDefaultAccountId", PER_DEFAULT, false },
	};
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kint(w, "ts", now_wall_ms());
	for (size_t i = 0; i < CH_ARRAY_LEN(parts); i++) {
		if (parts[i].is_list)
			jw_karr(w, parts[i].key);
		else
			jw_kobj(w, parts[i].key);
		write_each(w, all, parts[i].what);
	}
	write_issues(w, all, call->arena);
	jw_end(w);
	gw_reply_end(call);
}

CH_FIBER static ch_status run_status(struct gw_call *call, struct ch_err *err)
{
	__attribute__((cleanup(all_done))) struct all all = { .is_probe = json_get_bool(call->params, "probe", false) };
	const char *channel = json_get_str(call->params, "channel");
	ch_status st;

	if (channel)
		all.only = chan_host_network(call->gw->channels, channel);
	if (channel && !all.only)
		return ch_fail(err, CH_E_NOT_FOUND, "unknown channel: %s", gwm_short_param(call, "channel"));
	chan_acct_each(call->gw->channels, collect, &all);
	st = all.is_probe ? probe_all(call, &all, err) : CH_OK;
	if (!st)
		write_status(call, &all);
	return st;
}

/* -- starting, stopping, logging out -- */

/* The account that is meant, which must be there; its id on the arena. */
static ch_status find_account(struct gw_call *call, const char **ret_id, struct ch_err *err)
{
	const char *channel = json_get_str(call->params, "channel"), *id = json_get_str(call->params, "accountId");
	struct chan_acct *acct;

	if (!chan_host_network(call->gw->channels, channel))
		return ch_fail(err, CH_E_INVALID, "invalid %s channel", call->method);
	acct = chan_acct_find(call->gw->channels, channel, str_empty(id) ? NULL : id);
	if (!acct && str_empty(id))
		return ch_fail(err, CH_E_NOT_FOUND, "channels.%s is not in the configuration: chela channels add %s", channel, channel);
	if (!acct)
		return ch_fail(err, CH_E_NOT_FOUND, "%s has no account %s", channel, gwm_short_param(call, "accountId"));
	*ret_id = arena_strdup(call->arena, chan_acct_id(acct));
	return CH_OK;
}

static struct jw *begin_answer(struct gw_call *call, const char *id)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "channel", json_get_str(call->params, "channel"));
	jw_kstr(w, "accountId", id);
	return w;
}

static struct chan_status status_of(struct gw_call *call, const char *id)
{
	struct chan_acct *acct = chan_acct_find(call->gw->channels, json_get_str(call->params, "channel"), id);
	struct chan_status s = { 0 };

	if (acct)
		chan_acct_status(acct, &s);
	return s;
}

static void write_outcome(struct jw *w, const struct chan_status *before)
{
	const char *skipped = !before->is_enabled ? "disabled" : !before->is_configured ? "unconfigured" : NULL;

	jw_kobj(w, "outcome");
	jw_kstr(w, "status", skipped ? "skipped" : before->is_running ? "retry" : "handed-off");
	jw_kstr_opt(w, "reason", skipped ? skipped : before->is_running ? "task-owned" : NULL);
	jw_end(w);
}

CH_FIBER static ch_status run_start(struct gw_call *call, struct ch_err *err)
{
	struct chan_status before;
	const char *id;
	struct jw *w;
	ch_status st = find_account(call, &id, err);

	if (st)
		return st;
	before = status_of(call, id);
	st = chan_start(call->gw->channels, json_get_str(call->params, "channel"), id, err);
	if (st)
		return st;
	w = begin_answer(call, id);
	jw_kbool(w, "started", status_of(call, id).is_running);
	write_outcome(w, &before);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

CH_FIBER static ch_status run_stop(struct gw_call *call, struct ch_err *err)
{
	const char *id;
	struct jw *w;
	ch_status st = find_account(call, &id, err);

	if (!st)
		st = chan_stop(call->gw->channels, json_get_str(call->params, "channel"), id, err);
	if (st)
		return st;
	w = begin_answer(call, id);
	jw_kbool(w, "stopped", !status_of(call, id).is_running);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* A network's list names what makes a login; a name of ours is none to take out. */
static bool is_credential(const char *key, const char *path)
{
	return config_path_is_secret(path) || str_ends(key, "File");
}

/* Takes the account's credentials out of the configuration; those in the environment stay. */
static ch_status clear_credentials(struct gw_call *call, const char *channel, const char *id, size_t *ret_cleared, struct ch_err *err)
{
	const struct chan_ops *ops = chan_host_network(call->gw->channels, channel);
	const char *const roots[] = {
		arena_printf(call->arena, "channels[\"%s\"].accounts[\"%s\"]", channel, id),
		str_eq(id, CHAN_DEFAULT_ACCOUNT) ? arena_printf(call->arena, "channels[\"%s\"]", channel) : NULL,
	};

	*ret_cleared = 0;
	for (size_t r = 0; r < CH_ARRAY_LEN(roots); r++) {
		for (size_t i = 0; roots[r] && ops->secrets && ops->secrets[i]; i++) {
			const char *path = arena_printf(call->arena, "%s.%s", roots[r], ops->secrets[i]);
			ch_status st;

			if (!config_get(gw_config(call->gw), path) || !is_credential(ops->secrets[i], path))
				continue;
			st = config_write_unset(call->gw->config, path, NULL, err);
			if (st)
				return st;
			++*ret_cleared;
		}
	}
	return CH_OK;
}

CH_FIBER static ch_status run_logout(struct gw_call *call, struct ch_err *err)
{
	const char *channel = json_get_str(call->params, "channel"), *id;
	size_t cleared = 0;
	struct jw *w;
	ch_status st = find_account(call, &id, err);

	if (!st)
		st = chan_logout(call->gw->channels, channel, id, err);
	if (!st)
		st = clear_credentials(call, channel, id, &cleared, err);
	if (st)
		return st;
	w = begin_answer(call, id);
	jw_kbool(w, "cleared", cleared > 0);
	jw_kbool(w, "loggedOut", cleared > 0);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- what happened -- */

struct lines { struct gw_call *call; struct jw *w; const struct chan_ops *only; const char *account; struct chan_acct *acct; };

static void write_line(void *arg, int64_t at_ms, const char *text)
{
	struct lines *l = arg;

	jw_obj(l->w);
	jw_kint(l->w, "ts", at_ms);
	jw_kstr(l->w, "channel", chan_acct_ops(l->acct)->id);
	jw_kstr(l->w, "accountId", chan_acct_id(l->acct));
	jw_kstr(l->w, "text", text);
	jw_end(l->w);
}

static bool write_lines(void *arg, struct chan_acct *acct)
{
	struct lines *l = arg;

	l->acct = acct;
	if ((!l->only || l->only == chan_acct_ops(acct)) && (!l->account || str_eq(l->account, chan_acct_id(acct))))
		chan_acct_log_each(acct, write_line, l);
	return true;
}

static ch_status run_logs(struct gw_call *call, struct ch_err *err)
{
	const char *channel = json_get_str(call->params, "channel");
	struct lines l = { .call = call, .account = json_get_str(call->params, "accountId") };

	if (channel)
		l.only = chan_host_network(call->gw->channels, channel);
	if (channel && !l.only)
		return ch_fail(err, CH_E_NOT_FOUND, "unknown channel: %s", gwm_short_param(call, "channel"));
	l.w = gw_reply_begin(call);
	jw_obj(l.w);
	jw_karr(l.w, "lines");
	chan_acct_each(call->gw->channels, write_lines, &l);
	jw_end(l.w);
	jw_end(l.w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- rows -- */

static const struct gw_param status_params[] = {
	{ "probe", GP_BOOL },
	{ "timeoutMs", GP_INT, .max = INT64_MAX },
	{ "channel", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param account_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "accountId", GP_STR },
	{0},
};
static const struct gw_param logs_params[] = {
	{ "channel", GP_STR, GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{0},
};

const struct gw_method gwm_channels[] = {
	{ "channels.logout", run_logout, GW_SCOPE_ADMIN, GW_CONTROL_WRITE, account_params },
	{ "channels.logs", run_logs, GW_SCOPE_READ, GW_INLINE | GW_HIDDEN, logs_params },
	{ "channels.start", run_start, GW_SCOPE_ADMIN, GW_CONTROL_WRITE, account_params },
	{ "channels.status", run_status, GW_SCOPE_READ, GW_WAITS, status_params },
	{ "channels.stop", run_stop, GW_SCOPE_ADMIN, GW_CONTROL_WRITE, account_params },
	GWM_REFUSE("web.login.start", ADMIN, NO_WEB_LOGIN),
	GWM_REFUSE("web.login.wait", ADMIN, NO_WEB_LOGIN),
};
const size_t gwm_channels_count = CH_ARRAY_LEN(gwm_channels);
