/*
 * gateway/methods/m_pairing.c - channels.pairing.*: strangers who wrote to us, and what becomes of them.
 *
 * Those of the protocol never show a code: it is the proof that the person who approves talked to the one who asked. What our
 * own command line needs beyond them (codes, grants) are methods of ours, not named in hello-ok and for administrators.
 */
#include "channels/access.h"
#include "channels/access_list.h"
#include "channels/egress.h"
#include "channels/pairing.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/methods/methods.h"
#include "gateway/scope.h"

#define NOTIFY_MS 10000                  /* until the answer says that the person was not told */
#define APPROVED_TEXT "You are approved. Write to me now, and I will answer."

/* ---- accounts ---- */

static const char *param(const struct gw_call *call, const char *name)
{
	return json_get_str(call->params, name);
}

/* Strangers of this account are given codes. */
static bool pairs(struct chan_acct *acct)
{
	struct chan_status status;

	chan_acct_status(acct, &status);
	return status.is_enabled && status.is_configured && str_eq(chan_cfg_str(chan_acct_cfg(acct), "dmPolicy"), "pairing");
}

/* None given is any. */
static ch_status check_channel(const struct gw_call *call, struct ch_err *err)
{
	const char *channel = param(call, "channel");

	return !channel || chan_find(channel) ? CH_OK
					      : ch_fail(err, CH_E_NOT_FOUND, "unknown pairing channel: %s", log_quote(channel));
}

static ch_status find_account(struct gw_call *call, struct chan_acct **ret, struct ch_err *err)
{
	const char *channel = param(call, "channel"), *account = param(call, "accountId");
	struct chan_acct *acct;
	ch_status st = check_channel(call, err);

	if (st)
		return st;
	acct = chan_acct_find(call->gw->channels, channel, account);
	if (!acct || !pairs(acct))
		return ch_fail(err, CH_E_INVALID, "channel account does not use DM pairing: %s:%s", channel, log_quote(account));
	*ret = acct;
	return CH_OK;
}

static struct chan_pairing *pairing_of(const struct gw_call *call)
{
	return chan_host_pairing(call->gw->channels);
}

/* ---- list ---- */

struct listing {
	struct gw_call *call;
	struct jw *w;
	const char *channel, *account;           /* NULL: all */
	const struct chan_ops *ops;              /* of the account whose requests are written */
	const char *label;                       /* of that account; NULL: none */
	ch_status st;
	struct ch_err *err;
};

static const char *iso(struct arena *a, int64_t ms)
{
	char text[CLOCK_ISO_LEN];

	clock_iso(ms, text);
	return arena_strdup(a, text);
}

static bool is_meant(const struct listing *l, struct chan_acct *acct)
{
	return (!l->channel || str_eq(l->channel, chan_acct_ops(acct)->id)) &&
	       (!l->account || str_ieq(l->account, chan_acct_id(acct))) && pairs(acct);
}

static bool write_account(void *arg, struct chan_acct *acct)
{
	struct listing *l = arg;
	const struct chan_ops *ops = chan_acct_ops(acct);

	if (!is_meant(l, acct))
		return true;
	jw_obj(l->w);
	jw_kstr(l->w, "channel", ops->id);
	jw_kstr(l->w, "channelLabel", ops->label);
	jw_kstr(l->w, "accountId", chan_acct_id(acct));
	jw_kstr_opt(l->w, "accountLabel", chan_cfg_str(chan_acct_cfg(acct), "name"));
	jw_kbool(l->w, "notifySupported", ops->send != NULL);
	jw_end(l->w);
	return true;
}

static void write_request(void *arg, const struct pairing_request *r)
{
	struct listing *l = arg;
	struct arena *a = l->call->arena;

	jw_obj(l->w);
	jw_kstr(l->w, "requestId", r->id);
	jw_kstr(l->w, "channel", r->channel);
	jw_kstr(l->w, "channelLabel", l->ops->label);
	jw_kstr(l->w, "accountId", r->account);
	jw_kstr_opt(l->w, "accountLabel", l->label);
	jw_kstr(l->w, "senderId", r->sender_id);
	jw_kstr(l->w, "senderLabel", arena_printf(a, "%sUserId", r->channel));
	if (r->name || r->username) {
		jw_kobj(l->w, "metadata");
		jw_kstr_opt(l->w, "name", r->name);
		jw_kstr_opt(l->w, "username", r->username);
		jw_end(l->w);
	}
	jw_kstr(l->w, "createdAt", iso(a, r->created_at));
	jw_kstr(l->w, "lastSeenAt", iso(a, r->last_seen_at));
	jw_kstr(l->w, "expiresAt", iso(a, r->expires_at));
	jw_kbool(l->w, "notifySupported", l->ops->send != NULL);
	jw_end(l->w);
}

static bool write_requests(void *arg, struct chan_acct *acct)
{
	struct listing *l = arg;

	if (!is_meant(l, acct))
		return true;
	l->ops = chan_acct_ops(acct);
	l->label = chan_cfg_str(chan_acct_cfg(acct), "name");
	l->st = pairing_list(pairing_of(l->call), l->ops->id, chan_acct_id(acct), l->call->arena, write_request, l, l->err);
	return !l->st;
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	struct listing l = {
		.call = call, .channel = param(call, "channel"), .account = param(call, "accountId"), .err = err,
	};
	ch_status st = check_channel(call, err);

	if (st)
		return st;
	l.w = gw_reply_begin(call);
	jw_obj(l.w);
	jw_karr(l.w, "accounts");
	chan_acct_each(call->gw->channels, write_account, &l);
	jw_end(l.w);
	jw_karr(l.w, "requests");
	chan_acct_each(call->gw->channels, write_requests, &l);
	if (l.st)
		return l.st;
	jw_end(l.w);
	jw_kbool(l.w, "commandOwnerConfigured", access_has_owner(gw_config(call->gw)));
	jw_kobj(l.w, "limits");
	jw_kint(l.w, "pendingPerAccount", PAIRING_PENDING_MAX);
	jw_kint(l.w, "ttlMs", PAIRING_TTL_MS);
	jw_end(l.w);
	jw_end(l.w);
	gw_reply_end(call);
	return CH_OK;
}

/* ---- what follows a decision ---- */

static void record(struct gw_call *call, const char *action, const struct pairing_request *r)
{
	struct json *detail = json_new_obj(call->arena);
	const char *device = gw_conn_device_id(call->conn);

	json_set(call->arena, detail, "channel", json_new_str(call->arena, r->channel));
	json_set(call->arena, detail, "accountId", json_new_str(call->arena, r->account));
	json_set(call->arena, detail, "senderId", json_new_str(call->arena, r->sender_id));
	audit_record(call->gw, &(struct audit_entry){ .kind = "config",
						      .action = action,
						      .status = "succeeded",
						      .actor = device ? device : gw_conn_client_id(call->conn),
						      .detail = detail });
}

static void tell_changed(struct gw_call *call, const struct pairing_request *r)
{
	const struct chan_up *up = chan_host_up(call->gw->channels);

	if (up->on_pairing)
		up->on_pairing(up->arg, r->channel, r->account);
}

/* commandOwnerBootstrap: the first one becomes the owner, later ones never. */
static const char *bootstrap_owner(struct gw_call *call, const struct pairing_request *r)
{
	struct arena *a = call->arena;
	struct json *owners = json_new_arr(a);
	struct ch_err err;

	if (access_has_owner(gw_config(call->gw)))
		return "already-configured";
	json_push(owners, json_new_str(a, arena_printf(a, "%s:%s", r->channel, r->sender_id)));
	if (config_write_set(call->gw->config, "commands.ownerAllowFrom", owners, NULL, &err)) {
		log_warn("channels", "%s was paired, but is not the owner: %s", log_quote(r->sender_id), err.text);
		return "unavailable";
	}
	log_info("channels", "%s:%s is the owner now (commands.ownerAllowFrom)", r->channel, log_quote(r->sender_id));
	record(call, "channels.pairing.owner", r);
	return "configured";
}

/* Where the sender is written to. */
static ch_status place_of(const struct chan_ops *ops, struct arena *a, const struct pairing_request *r, struct chan_peer *ret,
			  struct ch_err *err)
{
	if (ops->target_parse && !ops->target_parse(a, arena_printf(a, "user:%s", r->sender_id), ret, NULL))
		return CH_OK;
	if (ops->target_parse)
		return ops->target_parse(a, r->sender_id, ret, err);
	*ret = (struct chan_peer){ .kind = CHAN_DIRECT, .id = r->sender_id };
	return CH_OK;
}

static CH_FIBER ch_status send_approved(struct gw_call *call, const struct chan_ops *ops, const struct pairing_request *r,
					struct ch_err *err)
{
	struct chan_egress *egress = chan_host_egress(call->gw->channels);
	struct chan_message m = {
		.key = arena_printf(call->arena, "pairing:%s", r->id), .channel = r->channel, .account = r->account,
		.text = APPROVED_TEXT, .origin = "notice",
	};
	struct chan_receipt receipt = { 0 };
	int64_t id = 0;
	ch_status st = place_of(ops, call->arena, r, &m.peer, err);

	if (!st)
		st = egress_put(egress, &m, &id, err);
	if (st)
		return st;
	egress_wake(egress, r->channel, r->account);
	st = egress_wait(egress, id, now_mono_ms() + NOTIFY_MS, call->arena, &receipt, err);
	if (!st && !str_eq(receipt.state, "sent"))
		st = ch_fail(err, CH_E_PEER, "%s", receipt.error ? receipt.error : receipt.state);
	return st;
}

/* notification */
static CH_FIBER const char *notify(struct gw_call *call, const struct pairing_request *r)
{
	const struct chan_ops *ops = chan_find(r->channel);
	struct ch_err err = { 0 };

	if (!ops || !ops->send || !chan_host_egress(call->gw->channels))
		return "unsupported";
	if (!send_approved(call, ops, r, &err))
		return "sent";
	log_warn("channels", "%s was not told of the approval on %s: %s", log_quote(r->sender_id), r->channel, err.text);
	return "failed";
}

/* ---- deciding ---- */

/* A code or an id that is wrong is told in the reference's words. */
static ch_status gone(ch_status st, struct ch_err *err)
{
	return st == CH_E_NOT_FOUND ? ch_fail(err, CH_E_NOT_FOUND, "pending DM access request no longer exists") : st;
}

static CH_FIBER void reply_approved(struct gw_call *call, const struct pairing_request *r)
{
	bool with_owner = json_get_bool(call->params, "bootstrapCommandOwner", false);
	bool with_notice = json_get_bool(call->params, "notify", false);
	const char *owner = with_owner ? bootstrap_owner(call, r) : "not-requested";
	const char *told = with_notice ? notify(call, r) : "not-requested";
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "requestId", r->id);
	jw_kstr(w, "senderId", r->sender_id);
	jw_kstr(w, "notification", told);
	jw_kstr(w, "commandOwnerBootstrap", owner);
	if (call->row->flags & GW_HIDDEN) {
		struct chan_acct *acct = chan_acct_find(call->gw->channels, r->channel, r->account);

		jw_kstr(w, "channel", r->channel);
		jw_kstr(w, "accountId", r->account);
		jw_kbool(w, "sharesConversation", acct && chan_dms_are_shared(acct));
	}
	jw_end(w);
	gw_reply_end(call);
}

static CH_FIBER ch_status run_approve(struct gw_call *call, struct ch_err *err)
{
	struct pairing_request r;
	struct chan_acct *acct;
	ch_status st = find_account(call, &acct, err);

	if (st)
		return st;
	st = pairing_approve(pairing_of(call), chan_acct_ops(acct)->id, chan_acct_id(acct), param(call, "requestId"), call->arena,
			     &r, err);
	if (st)
		return gone(st, err);
	record(call, call->method, &r);
	tell_changed(call, &r);
	reply_approved(call, &r);
	return CH_OK;
}

static ch_status run_dismiss(struct gw_call *call, struct ch_err *err)
{
	struct pairing_request r;
	struct chan_acct *acct;
	struct jw *w;
	ch_status st = find_account(call, &acct, err);

	if (st)
		return st;
	st = pairing_dismiss(pairing_of(call), chan_acct_ops(acct)->id, chan_acct_id(acct), param(call, "requestId"), call->arena,
			     &r, err);
	if (st)
		return gone(st, err);
	record(call, call->method, &r);
	tell_changed(call, &r);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "requestId", r.id);
	jw_kstr(w, "senderId", r.sender_id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* Making an owner takes an administrator. */
static unsigned approve_scope(const struct gw_call *call)
{
	return json_get_bool(call->params, "bootstrapCommandOwner", false) ? GW_SCOPE_PAIRING | GW_SCOPE_ADMIN : GW_SCOPE_PAIRING;
}

/* ---- for our command line ---- */

/* By what the person wrote: the account is the one that has the request. */
static CH_FIBER ch_status run_approve_code(struct gw_call *call, struct ch_err *err)
{
	struct pairing_request r;
	ch_status st = check_channel(call, err);

	if (!st)
		st = pairing_approve(pairing_of(call), param(call, "channel"), param(call, "accountId"), param(call, "code"), call->arena,
				     &r, err);
	if (st)
		return st;
	record(call, "channels.pairing.approve", &r);
	tell_changed(call, &r);
	reply_approved(call, &r);
	return CH_OK;
}

static ch_status run_dismiss_code(struct gw_call *call, struct ch_err *err)
{
	struct pairing_request r;
	struct jw *w;
	ch_status st = check_channel(call, err);

	if (!st)
		st = pairing_dismiss(pairing_of(call), param(call, "channel"), param(call, "accountId"), param(call, "code"), call->arena,
				     &r, err);
	if (st)
		return st;
	record(call, "channels.pairing.dismiss", &r);
	tell_changed(call, &r);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "requestId", r.id);
	jw_kstr(w, "channel", r.channel);
	jw_kstr(w, "accountId", r.account);
	jw_kstr(w, "senderId", r.sender_id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_revoke(struct gw_call *call, struct ch_err *err)
{
	const char *channel = param(call, "channel"), *account = param(call, "accountId"), *sender = param(call, "senderId");
	const struct chan_ops *ops = chan_find(channel);
	const char *why, *id = ops ? access_id(ops, CHAN_ID_SENDER, sender, call->arena, &why) : NULL;
	struct pairing_request r = { .channel = channel, .account = account ? account : "*", .sender_id = id ? id : sender };
	struct jw *w;
	ch_status st = pairing_revoke(pairing_of(call), channel, account, r.sender_id, err);

	if (st)
		return st;
	record(call, call->method, &r);
	tell_changed(call, &r);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "channel", channel);
	jw_kstr(w, "senderId", r.sender_id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static void write_with_code(void *arg, const struct pairing_request *r)
{
	struct jw *w = arg;

	jw_obj(w);
	jw_kstr(w, "requestId", r->id);
	jw_kstr(w, "code", r->code);
	jw_kstr(w, "channel", r->channel);
	jw_kstr(w, "accountId", r->account);
	jw_kstr(w, "senderId", r->sender_id);
	jw_kstr_opt(w, "name", r->name);
	jw_kstr_opt(w, "username", r->username);
	jw_kint(w, "createdAtMs", r->created_at);
	jw_kint(w, "lastSeenAtMs", r->last_seen_at);
	jw_kint(w, "expiresAtMs", r->expires_at);
	jw_end(w);
}

static void write_grant(void *arg, const struct pairing_grant *g)
{
	struct jw *w = arg;

	jw_obj(w);
	jw_kstr(w, "channel", g->channel);
	jw_kstr(w, "accountId", g->account);
	jw_kstr(w, "senderId", g->sender_id);
	jw_kstr_opt(w, "name", g->name);
	jw_kint(w, "grantedAtMs", g->granted_at);
	jw_end(w);
}

static ch_status run_state(struct gw_call *call, struct ch_err *err)
{
	struct chan_pairing *p = pairing_of(call);
	const char *channel = param(call, "channel"), *account = param(call, "accountId");
	struct jw *w = gw_reply_begin(call);
	ch_status st;

	jw_obj(w);
	jw_karr(w, "requests");
	st = pairing_list(p, channel, account, call->arena, write_with_code, w, err);
	jw_end(w);
	jw_karr(w, "grants");
	if (!st)
		st = pairing_grants(p, channel, account, call->arena, write_grant, w, err);
	if (st)
		return st;
	jw_end(w);
	jw_kbool(w, "commandOwnerConfigured", access_has_owner(gw_config(call->gw)));
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* ---- rows ---- */

static const struct gw_param list_params[] = {
	{ "channel", GP_STR, GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param approve_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "requestId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "notify", GP_BOOL },
	{ "bootstrapCommandOwner", GP_BOOL },
	{ 0 },
};
static const struct gw_param dismiss_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "requestId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param code_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{ "code", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "notify", GP_BOOL },
	{ "bootstrapCommandOwner", GP_BOOL },
	{ 0 },
};
static const struct gw_param dismiss_code_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{ "code", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param revoke_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{ "senderId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};

const struct gw_method gwm_pairing[] = {
	/* name                           run               scope             flags      params          dynamic scope */
	{ "channels.pairing.approve",     run_approve,      GW_SCOPE_PAIRING, 0,         approve_params, approve_scope },
	{ "channels.pairing.approveCode", run_approve_code, GW_SCOPE_ADMIN,   GW_HIDDEN, code_params },
	{ "channels.pairing.dismiss",     run_dismiss,      GW_SCOPE_PAIRING, 0,         dismiss_params },
	{ "channels.pairing.dismissCode", run_dismiss_code, GW_SCOPE_ADMIN,   GW_HIDDEN, dismiss_code_params },
	{ "channels.pairing.list",        run_list,         GW_SCOPE_PAIRING, GW_INLINE, list_params },
	{ "channels.pairing.revoke",      run_revoke,       GW_SCOPE_ADMIN,   GW_HIDDEN, revoke_params },
	{ "channels.pairing.state",       run_state,        GW_SCOPE_ADMIN,   GW_INLINE | GW_HIDDEN, list_params },
};
const size_t gwm_pairing_count = CH_ARRAY_LEN(gwm_pairing);
