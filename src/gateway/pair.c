/*
 * gateway/pair.c - the state machine of pairing.
 */
#include "gateway/pair.h"

#include <inttypes.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/hub.h"
#include "gateway/pair_rules.h"

#define SILENT_KEPT 64                   /* silently paired devices of one kind that are kept */

/* -- identity -- */

static void derive_identity(struct gw_devices *d)
{
	uint8_t key[ED25519_KEY_LEN];

	ed25519_public(d->private_key, key);
	sha256_hex(key, sizeof(key), d->device_id);
	b64url_encode(key, sizeof(key), d->public_key);
}

ch_status pair_identity_load(struct db *db, struct gw_devices **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct gw_devices *d = ch_alloc(sizeof(*d));
	char *seed = NULL, hex[2 * ED25519_KEY_LEN + 1];
	uint8_t unused[ED25519_KEY_LEN];
	ch_status st = kv_get(db, a, "gateway.identity", &seed, err);

	if (st == CH_E_NOT_FOUND) {
		ed25519_generate(d->private_key, unused);
		hex_encode(d->private_key, sizeof(d->private_key), hex);
		st = kv_put(db, "gateway.identity", hex, err);
	} else if (!st &&
		   (strlen(seed) != 2 * ED25519_KEY_LEN || !hex_decode(seed, strlen(seed), d->private_key))) {
		st = ch_fail(err, CH_E_INVALID, "the gateway's identity in the database is damaged");
	}
	if (st) {
		pair_identity_free(d);
		return st;
	}
	derive_identity(d);
	*ret = d;
	return CH_OK;
}

void pair_identity_free(struct gw_devices *d)
{
	ch_free_wipe(d, sizeof(*d));
}

/* -- telling -- */

void pair_write_request(struct jw *w, const struct pair_request *r)
{
	jw_obj(w);
	jw_kstr(w, "requestId", r->id);
	jw_kstr(w, "deviceId", r->device_id);
	jw_kstr(w, "publicKey", r->public_key);
	jw_kstr_opt(w, "displayName", r->display_name);
	jw_kstr_opt(w, "platform", r->platform);
	jw_kstr_opt(w, "deviceFamily", r->device_family);
	jw_kstr_opt(w, "clientId", r->client_id);
	jw_kstr_opt(w, "clientMode", r->client_mode);
	jw_kstr(w, "role", role_name(r->role));
	jw_key(w, "roles");
	roles_write(w, r->roles);
	jw_key(w, "scopes");
	scope_list_write(w, &r->scopes);
	jw_kstr_opt(w, "remoteIp", r->remote_ip);
	jw_kbool(w, "silent", r->is_silent);
	jw_kbool(w, "isRepair", r->is_repair);
	jw_kint(w, "ts", r->created_at);
	jw_end(w);
}

static void write_token(struct jw *w, const struct device_token *t)
{
	jw_obj(w);
	jw_kstr(w, "role", role_name(t->role));
	jw_key(w, "scopes");
	scope_list_write(w, &t->scopes);
	jw_kint(w, "createdAtMs", t->created_at);
	if (t->rotated_at)
		jw_kint(w, "rotatedAtMs", t->rotated_at);
	if (t->revoked_at)
		jw_kint(w, "revokedAtMs", t->revoked_at);
	if (t->last_used_at)
		jw_kint(w, "lastUsedAtMs", t->last_used_at);
	jw_end(w);
}

ch_status pair_write_device(struct gw *gw, struct arena *a, struct jw *w, const struct device *d,
			    bool with_connected, struct ch_err *err)
{
	struct device_token tokens[2];
	size_t count = 0;
	ch_status st = device_token_list(gw->db, a, d->id, tokens, &count, err);

	if (st)
		return st;
	jw_obj(w);
	jw_kstr(w, "deviceId", d->id);
	jw_kstr(w, "publicKey", d->public_key);
	jw_kstr_opt(w, "displayName", d->display_name);
	jw_kstr_opt(w, "operatorLabel", d->label);
	jw_kstr_opt(w, "platform", d->platform);
	jw_kstr_opt(w, "deviceFamily", d->device_family);
	jw_kstr_opt(w, "clientId", d->client_id);
	jw_kstr_opt(w, "clientMode", d->client_mode);
	jw_kstr(w, "role", role_name(d->role));
	jw_key(w, "roles");
	roles_write(w, d->roles);
	jw_key(w, "scopes");
	scope_list_write(w, &d->scopes);
	jw_kstr_opt(w, "remoteIp", d->last_ip);
	jw_kstr(w, "approvedVia", d->approved_via);
	jw_kint(w, "createdAtMs", d->created_at);
	jw_kint(w, "approvedAtMs", d->approved_at);
	if (d->last_seen_at)
		jw_kint(w, "lastSeenAtMs", d->last_seen_at);
	jw_kstr_opt(w, "lastSeenReason", d->last_seen_reason);
	if (with_connected)
		jw_kbool(w, "connected", hub_has_device(gw->hub, d->id));
	jw_karr(w, "tokens");
	for (size_t i = 0; i < count; i++)
		write_token(w, &tokens[i]);
	jw_end(w);
	jw_end(w);
	return CH_OK;
}

static void tell(struct gw *gw, const char *event, const struct buf *payload)
{
	if (payload->failed)
		return;
	gw_broadcast(gw, &(struct gw_event){ .name = event, .payload = payload->data, .len = payload->len,
					     .flags = GW_EV_DROP_IF_SLOW });
}

static void tell_requested(struct gw *gw, const struct pair_request *r)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, GW_PREAUTH_FRAME_MAX * 2);
	pair_write_request(&w, r);
	tell(gw, "device.pair.requested", &out);
}

static void tell_resolved(struct gw *gw, const char *request_id, const char *device_id, const char *decision)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, 4096);
	jw_obj(&w);
	jw_kstr(&w, "requestId", request_id);
	jw_kstr(&w, "deviceId", device_id);
	jw_kstr(&w, "decision", decision);
	jw_kint(&w, "ts", now_wall_ms());
	jw_end(&w);
	tell(gw, "device.pair.resolved", &out);
}

static void tell_changed(struct gw *gw)
{
	gw_broadcast(gw, &(struct gw_event){ .name = "device.pair.changed", .payload = "{}", .len = 2,
					     .flags = GW_EV_DROP_IF_SLOW });
}

/* -- asking -- */

static char *new_id(struct arena *a)
{
	char *id = arena_alloc(a, UUID_LEN);

	rand_uuid(id);
	return id;
}

/* Writes r in place of `old` (when given), in one transaction. */
static ch_status store_request(struct gw *gw, const struct pair_request *r, const struct pair_request *old,
			       struct ch_err *err)
{
	ch_status st = db_begin_durable(gw->db, err);

	if (st)
		return st;
	if (old && !str_eq(old->id, r->id))
		st = pair_request_delete(gw->db, old->id, err);
	if (!st)
		st = pair_request_save(gw->db, r, err);
	if (!st)
		st = pair_request_prune(gw->db, now_wall_ms(), err);
	if (st) {
		db_rollback(gw->db);
		return st;
	}
	return db_commit(gw->db, err);
}

ch_status pair_ask(struct gw *gw, struct arena *a, const struct pair_request *ask, struct pair_request *ret,
		   struct ch_err *err)
{
	struct pair_request open, r;
	int64_t now = now_wall_ms();
	ch_status st = pair_request_of(gw->db, a, ask->device_id, &open, err);
	bool is_open = st == CH_OK, is_refresh;

	if (st && st != CH_E_NOT_FOUND)
		return st;
	r = is_open ? pair_merge(&open, ask) : *ask;
	is_refresh = is_open && pair_covers(&open, ask);
	r.id = is_refresh ? open.id : new_id(a);
	r.created_at = is_refresh ? open.created_at : now;
	r.expires_at = now + PAIR_TTL_MS;
	st = store_request(gw, &r, is_open ? &open : NULL, err);
	if (st)
		return st;
	if (!is_refresh) {
		if (is_open)
			tell_resolved(gw, open.id, open.device_id, "rejected");
		log_info("gateway", "pairing requested device=%.12s role=%s reason=%s request=%s",
			 r.device_id, role_name(r.role), r.reason, r.id);
		tell_requested(gw, &r);
	}
	*ret = r;
	return CH_OK;
}

/* -- approving -- */

ch_status pair_grant(struct gw *gw, struct arena *a, const struct pair_request *r, const char *via,
		     struct device *ret, struct ch_err *err)
{
	struct device known, d;
	ch_status st = device_find(gw->db, a, r->device_id, &known, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	d = pair_granted(st ? NULL : &known, r, via, now_wall_ms());
	st = device_save(gw->db, &d, err);
	if (!st && (r->roles & GW_ROLE_OPERATOR))
		st = device_token_drop(gw->db, d.id, GW_ROLE_OPERATOR, err);
	if (!st && (r->roles & GW_ROLE_NODE))
		st = device_token_drop(gw->db, d.id, GW_ROLE_NODE, err);
	if (!st)
		*ret = d;
	return st;
}

void pair_tell_approved(struct gw *gw, struct arena *a, const char *device_id)
{
	tell_resolved(gw, new_id(a), device_id, "approved");
}

/* Old silent pairings of the same kind of client go, beyond a number: private windows pair anew each time. */
static ch_status prune_silent(struct gw *gw, struct arena *a, const struct device *fresh, struct ch_err *err)
{
	struct device *all;
	size_t count, seen = 0;
	ch_status st = device_list(gw->db, a, &all, &count, err);

	for (size_t i = 0; !st && i < count; i++) {
		if (!pair_same_kind(fresh, &all[i]) || ++seen <= SILENT_KEPT ||
		    hub_has_device(gw->hub, all[i].id))
			continue;
		st = device_delete(gw->db, all[i].id, err);
	}
	return st;
}

static ch_status in_transaction_silently(struct gw *gw, struct arena *a, const struct pair_request *ask,
					 struct device *ret, struct ch_err *err)
{
	struct pair_request open;
	ch_status st = pair_grant(gw, a, ask, "silent", ret, err);

	if (!st && !pair_request_of(gw->db, a, ask->device_id, &open, NULL) && pair_covers(ask, &open))
		st = pair_request_delete(gw->db, open.id, err);
	if (!st)
		st = prune_silent(gw, a, ret, err);
	return st;
}

ch_status pair_approve_silently(struct gw *gw, struct arena *a, const struct pair_request *ask,
				struct device *ret, struct ch_err *err)
{
	ch_status st = db_begin_durable(gw->db, err);

	if (st)
		return st;
	st = in_transaction_silently(gw, a, ask, ret, err);
	if (st) {
		db_rollback(gw->db);
		return st;
	}
	st = db_commit(gw->db, err);
	if (st)
		return st;
	log_info("gateway", "device paired without asking (local) device=%.12s role=%s reason=%s client=%s",
		 ask->device_id, role_name(ask->role), ask->reason, log_quote(ask->client_id));
	pair_tell_approved(gw, a, ask->device_id);
	return CH_OK;
}

ch_status pair_approve(struct gw *gw, struct arena *a, const char *request_id, const struct pair_actor *by,
		       struct device *ret, struct ch_err *err)
{
	struct pair_request r;
	ch_status st = pair_request_find(gw->db, a, request_id, &r, err);

	if (st == CH_E_NOT_FOUND && !scope_allows(by->scopes, GW_SCOPE_ADMIN))
		return ch_fail(err, CH_E_INVALID, "device pairing approval denied");
	if (st)
		return st;
	if (!pair_may_approve(&r, by)) {
		log_warn("gateway", "approval of request=%s denied: it grants more than its approver holds",
			 request_id);
		return ch_fail(err, CH_E_INVALID, "device pairing approval denied");
	}
	st = db_begin_durable(gw->db, err);
	if (st)
		return st;
	st = pair_grant(gw, a, &r, "owner", ret, err);
	if (!st)
		st = pair_request_delete(gw->db, r.id, err);
	if (st) {
		db_rollback(gw->db);
		return st;
	}
	st = db_commit(gw->db, err);
	if (st)
		return st;
	log_info("gateway", "device approved device=%.12s role=%s request=%s", r.device_id, role_name(r.role),
		 r.id);
	tell_resolved(gw, r.id, r.device_id, "approved");
	return CH_OK;
}

ch_status pair_reject(struct gw *gw, struct arena *a, const char *request_id, const struct pair_actor *by,
		      struct pair_request *ret, struct ch_err *err)
{
	bool is_tied = by->device_id && !scope_allows(by->scopes, GW_SCOPE_ADMIN);
	ch_status st = pair_request_find(gw->db, a, request_id, ret, err);

	if (is_tied && (st == CH_E_NOT_FOUND || (!st && !str_eq(ret->device_id, by->device_id))))
		return ch_fail(err, CH_E_INVALID, "device pairing rejection denied");
	if (!st)
		st = pair_request_delete(gw->db, request_id, err);
	if (st)
		return st;
	log_info("gateway", "pairing rejected device=%.12s request=%s", ret->device_id, request_id);
	tell_resolved(gw, request_id, ret->device_id, "rejected");
	return CH_OK;
}

/* -- devices -- */

/* The setup codes that a device issued go with it: they would outlive its rights. */
static ch_status delete_with_codes(struct db *db, const char *device_id, struct ch_err *err)
{
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	st = bootstrap_revoke(db, device_id, err);
	if (!st)
		st = device_delete(db, device_id, err);
	if (st) {
		db_rollback(db);
		return st;
	}
	return db_commit(db, err);
}

static ch_status revoke_with_codes(struct db *db, const char *device_id, enum gw_role role, int64_t now,
				   struct ch_err *err)
{
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	if (role == GW_ROLE_OPERATOR)
		st = bootstrap_revoke(db, device_id, err);
	if (!st)
		st = device_token_revoke(db, device_id, role, now, err);
	if (st) {
		db_rollback(db);
		return st;
	}
	return db_commit(db, err);
}

ch_status pair_remove(struct gw *gw, struct arena *a, const char *device_id, const struct pair_actor *by,
		      struct ch_err *err)
{
	struct device d;
	ch_status st = device_find(gw->db, a, device_id, &d, err);

	if (!pair_may_manage(by, device_id, st ? NULL : &d))
		return ch_fail(err, CH_E_INVALID, "device pairing removal denied");
	if (!st)
		st = delete_with_codes(gw->db, device_id, err);
	if (st)
		return st;
	log_info("gateway", "device removed device=%.12s", device_id);
	tell_changed(gw);
	return CH_OK;
}

ch_status pair_rename(struct gw *gw, const char *device_id, const char *label, const struct pair_actor *by,
		      struct ch_err *err)
{
	ch_status st;

	if (!pair_may_manage(by, device_id, NULL))
		return ch_fail(err, CH_E_INVALID, "device rename denied");
	st = device_set_label(gw->db, device_id, label, err);
	if (!st)
		tell_changed(gw);
	return st;
}

ch_status pair_rotate(struct gw *gw, struct arena *a, const char *device_id, enum gw_role role,
		      const struct scope_list *scopes, const struct pair_actor *by, char *ret_token,
		      struct device_token *ret, struct ch_err *err)
{
	struct scope_list wanted = {0};
	struct device d;
	int64_t now = now_wall_ms();
	ch_status st = device_find(gw->db, a, device_id, &d, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (!st && role == GW_ROLE_OPERATOR)
		wanted = scopes ? *scopes : d.scopes;
	if (st || !role || !(d.roles & role) || !pair_may_manage(by, device_id, &d) ||
	    !pair_may_grant(by, &d, &wanted))
		return ch_fail(err, CH_E_INVALID, "device token rotation denied");
	st = db_begin_durable(gw->db, err);
	if (st)
		return st;
	st = device_token_drop(gw->db, device_id, role, err);
	if (!st)
		st = device_token_issue(gw->db, device_id, role, &wanted, now, true, ret_token, err);
	if (st) {
		db_rollback(gw->db);
		return st;
	}
	st = db_commit(gw->db, err);
	if (st)
		return st;
	log_info("gateway", "device token rotated device=%.12s role=%s", device_id, role_name(role));
	tell_changed(gw);
	*ret = (struct device_token){ .device_id = d.id, .role = role, .scopes = wanted, .rotated_at = now };
	return CH_OK;
}

ch_status pair_revoke(struct gw *gw, struct arena *a, const char *device_id, enum gw_role role,
		      const struct pair_actor *by, int64_t *ret_revoked_at, struct ch_err *err)
{
	struct device d;
	int64_t now = now_wall_ms();
	ch_status st = device_find(gw->db, a, device_id, &d, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (!st && role && pair_may_manage(by, device_id, &d) && pair_may_grant(by, &d, &d.scopes))
		st = revoke_with_codes(gw->db, device_id, role, now, err);
	else
		st = CH_E_NOT_FOUND;
	if (st == CH_E_NOT_FOUND)
		return ch_fail(err, CH_E_INVALID, "device token revocation denied");
	if (st)
		return st;
	log_info("gateway", "device tokens revoked device=%.12s role=%s", device_id, role_name(role));
	tell_changed(gw);
	*ret_revoked_at = now;
	return CH_OK;
}

void pair_expire(struct gw *gw)
{
	struct ch_err err = {0};

	if (pair_request_prune(gw->db, now_wall_ms(), &err) || bootstrap_prune(gw->db, &err))
		log_warn("gateway", "pairing requests could not be tidied: %s; next try in %d s", err.text,
			 GW_TICK_MS / 1000);
}
