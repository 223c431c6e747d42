/*
 * gateway/pair_rules.c - who may approve what, and what an approval amounts to.
 */
#include "gateway/pair_rules.h"

#include "core/str.h"

bool pair_covers(const struct pair_request *have, const struct pair_request *ask)
{
	return str_eq(have->public_key, ask->public_key) && have->role == ask->role &&
	       (ask->roles & ~have->roles) == 0 && scope_allows(have->scopes.bits, ask->scopes.bits);
}

struct pair_request pair_merge(const struct pair_request *open, const struct pair_request *ask)
{
	struct pair_request r = *ask;

	if (!str_eq(open->public_key, ask->public_key))
		return r;
	r.roles |= open->roles;
	r.scopes = open->scopes;
	scope_list_add_all(&r.scopes, &ask->scopes);
	r.is_silent = open->is_silent && ask->is_silent;
	r.is_repair = open->is_repair || ask->is_repair;
	if (!r.display_name)
		r.display_name = open->display_name;
	return r;
}

struct device pair_granted(const struct device *known, const struct pair_request *r, const char *via,
			   int64_t now_ms)
{
	struct device d = {
		.id = r->device_id, .public_key = r->public_key, .display_name = r->display_name,
		.platform = r->platform, .device_family = r->device_family, .client_id = r->client_id,
		.client_mode = r->client_mode, .approved_via = via, .last_seen_reason = "connect",
		.last_ip = r->remote_ip, .role = r->role, .roles = r->roles, .scopes = r->scopes,
		.created_at = now_ms, .approved_at = now_ms, .last_seen_at = now_ms,
	};

	if (!known || !str_eq(known->public_key, r->public_key))
		return d;
	d.roles |= known->roles;
	d.scopes = known->scopes;
	scope_list_add_all(&d.scopes, &r->scopes);
	d.label = known->label;
	d.created_at = known->created_at;
	d.last_seen_at = known->last_seen_at;
	d.last_seen_reason = known->last_seen_reason;
	if (!d.display_name)
		d.display_name = known->display_name;
	return d;
}

bool pair_same_kind(const struct device *a, const struct device *b)
{
	return str_eq(a->approved_via, "silent") && str_eq(b->approved_via, "silent") &&
	       str_eq(a->client_id, b->client_id) && str_eq(a->client_mode, b->client_mode) &&
	       str_eq(a->display_name, b->display_name);
}

bool pair_may_approve(const struct pair_request *r, const struct pair_actor *by)
{
	if (scope_allows(by->scopes, GW_SCOPE_ADMIN))
		return true;
	if (r->roles & ~(unsigned)GW_ROLE_OPERATOR)
		return false;
	if (by->device_id && !str_eq(by->device_id, r->device_id))
		return false;
	return scope_allows(by->scopes, r->scopes.bits);
}

bool pair_may_manage(const struct pair_actor *by, const char *device_id, const struct device *d)
{
	if (!by->device_id || scope_allows(by->scopes, GW_SCOPE_ADMIN))
		return true;
	if (!str_eq(by->device_id, device_id))
		return false;
	return !d || !(d->roles & ~(unsigned)GW_ROLE_OPERATOR);
}

bool pair_may_grant(const struct pair_actor *by, const struct device *d, const struct scope_list *scopes)
{
	return scope_allows(d->scopes.bits, scopes->bits) && scope_allows(by->scopes, scopes->bits);
}
