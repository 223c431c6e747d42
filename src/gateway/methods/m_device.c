/*
 * gateway/methods/m_device.c - device.pair.* and device.token.*: who may come in, and with what.
 *
 * Live sockets of a device that lost rights are closed after the reply, as one of them may be the caller's.
 */
#include "core/clock.h"
#include "core/str.h"
#include "gateway/hub.h"
#include "gateway/methods/methods.h"
#include "gateway/pair.h"

static struct pair_actor actor_of(const struct gw_call *call)
{
	const struct conn_client *cl = call->conn->client;

	return (struct pair_actor){.scopes = cl->scopes.bits,
				   .device_id = cl->is_device_token ? cl->device_id : NULL};
}

/* Who came in by a device's token sees that device only, unless it is an administrator. */
static bool may_see(const struct pair_actor *by, const char *device_id)
{
	return !by->device_id || scope_allows(by->scopes, GW_SCOPE_ADMIN) || str_eq(by->device_id, device_id);
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	struct pair_actor by = actor_of(call);
	struct pair_request *requests;
	struct device *devices;
	size_t pending, paired;
	struct jw *w;
	ch_status st = pair_request_list(call->gw->db, call->arena, &requests, &pending, err);

	if (!st)
		st = device_list(call->gw->db, call->arena, &devices, &paired, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_karr(w, "pending");
	for (size_t i = 0; i < pending; i++)
		if (may_see(&by, requests[i].device_id))
			pair_write_request(w, &requests[i]);
	jw_end(w);
	jw_karr(w, "paired");
	for (size_t i = 0; !st && i < paired; i++)
		if (may_see(&by, devices[i].id))
			st = pair_write_device(call->gw, call->arena, w, &devices[i], true, err);
	if (st)
		return st;
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_approve(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "requestId");
	struct pair_actor by = actor_of(call);
	struct device d;
	struct jw *w;
	ch_status st = pair_approve(call->gw, call->arena, id, &by, &d, err);

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "requestId", id);
	jw_key(w, "device");
	st = pair_write_device(call->gw, call->arena, w, &d, false, err);
	if (st)
		return st;
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_reject(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "requestId");
	struct pair_actor by = actor_of(call);
	struct pair_request r;
	struct jw *w;
	ch_status st = pair_reject(call->gw, call->arena, id, &by, &r, err);

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "requestId", id);
	jw_kstr(w, "deviceId", r.device_id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_remove(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "deviceId");
	struct pair_actor by = actor_of(call);
	struct jw *w;
	ch_status st = pair_remove(call->gw, call->arena, id, &by, err);

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "deviceId", id);
	jw_end(w);
	gw_reply_end(call);
	hub_close_device(call->gw->hub, id, 0, "device removed");
	return CH_OK;
}

static ch_status run_rename(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "deviceId");
	const char *label = str_trim(call->arena, json_get_str(call->params, "label"));
	struct pair_actor by = actor_of(call);
	struct jw *w;
	ch_status st;

	if (!*label)
		return ch_fail(err, CH_E_INVALID,
			       "invalid device.pair.rename params: at /label: must not be blank");
	st = pair_rename(call->gw, id, label, &by, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "deviceId", id);
	jw_kstr(w, "label", label);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* The new token is told to the device itself only; to others just that there is one. */
static ch_status run_rotate(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "deviceId");
	enum gw_role role = role_find(json_get_str(call->params, "role"));
	const struct json *wanted = json_get(call->params, "scopes");
	struct pair_actor by = actor_of(call);
	bool is_own = by.device_id && str_eq(by.device_id, id);
	char token[DEVICE_TOKEN_LEN + 1];
	struct scope_list scopes = {0};
	struct device_token t;
	struct jw *w;
	ch_status st;

	scope_list_from_json(&scopes, wanted);
	st = pair_rotate(call->gw, call->arena, id, role, wanted ? &scopes : NULL, &by, token, &t, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "deviceId", id);
	jw_kstr(w, "role", role_name(role));
	if (is_own)
		jw_kstr(w, "token", token);
	jw_key(w, "scopes");
	scope_list_write(w, &t.scopes);
	jw_kint(w, "rotatedAtMs", t.rotated_at);
	jw_kstr(w, "tokenDelivery", is_own ? "in-band" : "withheld-cross-device");
	jw_end(w);
	gw_reply_end(call);
	hub_close_device(call->gw->hub, id, role, "client invalidated: device-token-rotated");
	return CH_OK;
}

static ch_status run_revoke(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "deviceId");
	enum gw_role role = role_find(json_get_str(call->params, "role"));
	struct pair_actor by = actor_of(call);
	int64_t revoked_at = 0;
	struct jw *w;
	ch_status st = pair_revoke(call->gw, call->arena, id, role, &by, &revoked_at, err);

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "deviceId", id);
	jw_kstr(w, "role", role_name(role));
	jw_kint(w, "revokedAtMs", revoked_at);
	jw_end(w);
	gw_reply_end(call);
	hub_close_device(call->gw->hub, id, role, "client invalidated: device-token-revoked");
	return CH_OK;
}

static const struct gw_param request_params[] = {
	{ "requestId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param device_params[] = {
	{ "deviceId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param rename_params[] = {
	{ "deviceId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "label", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 64 },
	{0},
};
static const struct gw_param rotate_params[] = {
	{ "deviceId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "role", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "scopes", GP_ARR, GP_NON_EMPTY, .item = GP_STR },
	{0},
};
static const struct gw_param revoke_params[] = {
	{ "deviceId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "role", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};

const struct gw_method gwm_device[] = {
	/* name                  run          scope             flags             params */
	{ "device.pair.approve", run_approve, GW_SCOPE_PAIRING, 0,                request_params },
	{ "device.pair.list",    run_list,    GW_SCOPE_PAIRING, 0 },
	{ "device.pair.reject",  run_reject,  GW_SCOPE_PAIRING, 0,                request_params },
	{ "device.pair.remove",  run_remove,  GW_SCOPE_PAIRING, 0,                device_params },
	{ "device.pair.rename",  run_rename,  GW_SCOPE_PAIRING, 0,                rename_params },
	{ "device.token.revoke", run_revoke,  GW_SCOPE_PAIRING, 0,                revoke_params },
	{ "device.token.rotate", run_rotate,  GW_SCOPE_PAIRING, 0,                rotate_params },
};
const size_t gwm_device_count = CH_ARRAY_LEN(gwm_device);
