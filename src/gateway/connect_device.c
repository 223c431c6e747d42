/*
 * gateway/connect_device.c - pairing within the handshake, silent or by request, and the device's token.
 */
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/connect_judge.h"
#include "gateway/pair.h"

#define SEEN_EVERY_MS 60000              /* how exact "last seen" is */

static struct pair_request make_ask(const struct judge *j, enum pair_reason r, bool is_silent)
{
	const struct conn_peer *peer = &j->c->hs->peer;

	return (struct pair_request){
		.device_id = j->p.device.id,
		.public_key = j->public_key,
		.display_name = j->p.client.display_name,
		.platform = j->p.client.platform,
		.device_family = j->p.client.device_family,
		.client_id = j->p.client.id,
		.client_mode = j->p.client.mode,
		.reason = pair_reason_text(r)->name,
		.remote_ip = peer->is_local ? NULL : peer->ip,
		.role = j->facts.role,
		.roles = j->facts.role,
		.scopes = j->scopes,
		.is_silent = is_silent,
		.is_repair = j->is_paired,
	};
}

static bool refuse_unpaired(struct judge *j, enum pair_reason r, const struct pair_request *request)
{
	const struct pair_reason_text *t = pair_reason_text(r);
	struct json *d = judge_details(j, "PAIRING_REQUIRED");
	struct frame_error e = { .code = "NOT_PAIRED", .message = t->message, .details = d };
	char close_reason[160];

	judge_put(j, d, "reason", t->name);
	judge_put(j, d, "requestId", request->id);
	judge_put(j, d, "remediationHint", arena_printf(j->a, "%s %s", t->hint, request->id));
	if (connect_is_control_ui(&j->p) || connect_is_webchat(&j->p)) {
		judge_put(j, d, "recommendedNextStep", "wait_then_retry");
		json_set(j->a, d, "retryable", json_new_bool(j->a, true));
		json_set(j->a, d, "pauseReconnect", json_new_bool(j->a, false));
	}
	judge_put(j, d, "deviceId", j->p.device.id);
	judge_put(j, d, "requestedRole", role_name(j->facts.role));
	if (j->scopes.count)
		json_set(j->a, d, "requestedScopes", scope_list_json(j->a, &j->scopes));
	if (j->is_paired) {
		struct json *roles = json_new_arr(j->a);

		if (j->device.roles & GW_ROLE_OPERATOR)
			json_push(roles, json_new_str(j->a, "operator"));
		if (j->device.roles & GW_ROLE_NODE)
			json_push(roles, json_new_str(j->a, "node"));
		json_set(j->a, d, "approvedRoles", roles);
		if (j->device.scopes.count)
			json_set(j->a, d, "approvedScopes", scope_list_json(j->a, &j->device.scopes));
	}
	snprintf(close_reason, sizeof(close_reason), "%s (requestId: %s)", t->message, request->id);
	judge_refuse(j, &e, 1008, close_reason);
	return false;
}

/* Gets the device approved for r, silently where the rules allow. */
static bool require_pairing(struct judge *j, enum pair_reason r)
{
	bool auto_local = config_bool(gw_config(j->gw), "gateway.nodes.pairing.autoApproveLocal", true);
	bool is_silent = policy_is_silent(&j->facts, r, j->is_paired, auto_local);
	struct pair_request ask = make_ask(j, r, is_silent), filed;
	struct ch_err err = {0};

	if (is_silent) {
		if (pair_approve_silently(j->gw, j->a, &ask, &j->device, &err))
			return judge_refuse_internal(j, &err);
		j->is_paired = true;
		j->out.device_token = NULL;      /* the grant changed: its tokens are void */
		return true;
	}
	if (r != PAIR_NOT_PAIRED)
		log_warn("gateway", "device=%.12s asks for more: %s", j->p.device.id,
			 pair_reason_text(r)->name);
	if (pair_ask(j->gw, j->a, &ask, &filed, &err))
		return judge_refuse_internal(j, &err);
	return refuse_unpaired(j, r, &filed);
}

static bool note_seen(struct judge *j)
{
	const char *reason = j->facts.method == AUTH_BY_DEVICE_TOKEN ? "device-token-auth" : "connect";
	int64_t now = now_wall_ms();
	struct ch_err err = {0};
	ch_status st = CH_OK;

	if (policy_platform_refresh(j->a, &j->p, &j->device))
		st = device_set_platform(j->gw->db, j->device.id, j->p.client.platform, &err);
	if (!st && now - j->device.last_seen_at >= SEEN_EVERY_MS)
		st = device_seen(j->gw->db, j->device.id, now, reason,
				 j->c->hs->peer.is_local ? NULL : j->c->hs->peer.ip, j->p.client.display_name,
				 &err);
	if (!st && j->out.device_token && now - j->device.last_seen_at >= SEEN_EVERY_MS)
		st = device_token_used(j->gw->db, j->out.device_token, now, &err);
	return st ? judge_refuse_internal(j, &err) : true;
}

/* The administrator who made the code has approved this device, for what the code's profile says. */
CH_FIBER static bool pair_with_code(struct judge *j)
{
	struct pair_request ask = make_ask(j, PAIR_NOT_PAIRED, true);
	struct pair_code_grant g;
	struct ch_err err = {0};
	ch_status st = pair_by_code(j->gw, j->a, &ask, &j->code, j->p.bootstrap_token, &g, &err);

	if (st == CH_E_NOT_FOUND)
		return judge_refuse_code(j);
	if (st)
		return judge_refuse_internal(j, &err);
	j->device = g.device;
	j->is_paired = true;
	j->out.device_token = g.own.token;
	j->out.token_issued_at = g.issued_at;
	j->out.handed_over = g.other;
	return true;
}

CH_FIBER bool judge_pairing(struct judge *j)
{
	bool skips = policy_skips_pairing(&j->facts) ||
		     (connect_is_control_ui(&j->p) && j->gw->auth->mode == AUTH_MODE_NONE);
	enum pair_reason r = PAIR_NOTHING;
	struct ch_err err = {0};
	ch_status st;

	if (!j->p.has_device)
		return true;
	st = device_find(j->gw->db, j->a, j->p.device.id, &j->device, &err);
	if (st && st != CH_E_NOT_FOUND)
		return judge_refuse_internal(j, &err);
	j->is_paired = !st;
	if (j->facts.method == AUTH_BY_BOOTSTRAP)
		return pair_with_code(j) && note_seen(j);
	if (skips)
		return !j->is_paired || note_seen(j);
	if (!j->is_paired)
		return require_pairing(j, PAIR_NOT_PAIRED);
	while ((r = policy_next_reason(j->a, &j->facts, &j->device, &j->scopes, r)) != PAIR_NOTHING)
		if (!require_pairing(j, r))
			return false;
	return note_seen(j);
}

/* A paired device leaves with a token: the one it came with, or a new one. */
bool judge_token(struct judge *j)
{
	struct scope_list scopes = j->device.scopes;
	char *token;
	struct ch_err err = {0};

	if (!j->is_paired || !(j->device.roles & j->facts.role) || j->out.device_token)
		return true;
	if (j->facts.role == GW_ROLE_NODE)
		scopes = (struct scope_list){0};
	token = arena_alloc(j->a, DEVICE_TOKEN_LEN + 1);
	j->out.token_issued_at = now_wall_ms();
	if (device_token_issue(j->gw->db, j->device.id, j->facts.role, &scopes, j->out.token_issued_at, false,
			       token, &err))
		return judge_refuse_internal(j, &err);
	j->out.device_token = token;
	return true;
}
