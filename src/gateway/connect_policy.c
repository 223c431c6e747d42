/*
 * gateway/connect_policy.c - who needs a device, who needs approval, who gets it silently.
 */
#include "gateway/connect_policy.h"

#include "core/str.h"
#include "gateway/device_auth.h"

const char *auth_method_name(enum auth_method m)
{
	static const char *const names[] = {
		[AUTH_BY_NONE] = "none", [AUTH_BY_TOKEN] = "token", [AUTH_BY_PASSWORD] = "password",
		[AUTH_BY_DEVICE_TOKEN] = "device-token", [AUTH_BY_BOOTSTRAP] = "bootstrap-token",
	};

	return names[m];
}

/* Probes from before v4 are answered so that they can tell what they found; v3 nodes may still come in. */
bool policy_protocol_fits(const struct connect_params *p)
{
	if (p->max_protocol >= GW_PROTOCOL && p->min_protocol <= GW_PROTOCOL)
		return true;
	if (str_eq(p->client.mode, "probe"))
		return p->max_protocol >= 3 && p->min_protocol <= GW_PROTOCOL;
	return str_eq(p->client.mode, "node") && str_eq(p->role, "node") && p->max_protocol >= 3 &&
	       p->min_protocol <= 3;
}

bool policy_skips_pairing(const struct connect_facts *f)
{
	if (!connect_is(f->params, "gateway-client", "backend") || !f->is_local || f->has_origin)
		return false;
	return f->method == AUTH_BY_NONE || f->method == AUTH_BY_DEVICE_TOKEN || f->shared_ok;
}

bool policy_keeps_scopes(const struct connect_facts *f)
{
	if (policy_skips_pairing(f))
		return true;
	return connect_is(f->params, "cli", "cli") && f->is_local && !f->has_origin && f->shared_ok;
}

enum device_need policy_device_need(const struct connect_facts *f)
{
	if (f->params->has_device)
		return DEVICE_NOT_NEEDED;
	if (policy_skips_pairing(f) && f->role == GW_ROLE_OPERATOR)
		return DEVICE_NOT_NEEDED;
	if (connect_is_control_ui(f->params))
		return DEVICE_NEEDED_BY_UI;
	if (f->role == GW_ROLE_OPERATOR && f->shared_ok)
		return DEVICE_NOT_NEEDED;
	if (!f->auth_ok && (f->params->token || f->params->password))
		return DEVICE_NEED_UNAUTHORIZED;
	return DEVICE_NEEDED;
}

const struct pair_reason_text *pair_reason_text(enum pair_reason r)
{
	static const struct pair_reason_text texts[] = {
		[PAIR_NOTHING] = {0},
		[PAIR_NOT_PAIRED] = {"not-paired", "pairing required: device is not approved yet",
				     "Approve it on the gateway: chela devices approve"},
		[PAIR_METADATA] =
			{"metadata-upgrade",
			 "pairing required: device identity changed and must be re-approved",
			 "The device now says it is another platform; check, then: chela devices approve"},
		[PAIR_ROLE] = {"role-upgrade",
			       "pairing required: device is asking for a higher role than currently approved",
			       "Check the role it wants, then: chela devices approve"},
		[PAIR_SCOPE] = {"scope-upgrade",
				"pairing required: device is asking for more scopes than currently approved",
				"Check the scopes it wants, then: chela devices approve"},
	};

	return &texts[r];
}

/*
 * "macos" of "macos 15.1", when the client may report its operating system's version; ipados counts as ios.
 */
static const char *native_family(struct arena *a, const struct connect_params *p, const char *platform)
{
	char *word;

	if (!connect_is_native_app(p) && !str_eq(p->client.id, "openclaw-watchos"))
		return NULL;
	word = arena_strndup(a, platform, strcspn(platform, " "));
	return str_eq(word, "ipados") ? "ios" : word;
}

bool policy_platform_refresh(struct arena *a, const struct connect_params *p, const struct device *d)
{
	const char *claimed = device_metadata(a, p->client.platform),
		   *pinned = device_metadata(a, d->platform);
	const char *family = native_family(a, p, claimed);

	return family && *pinned && !str_eq(claimed, pinned) && str_eq(family, native_family(a, p, pinned));
}

static bool metadata_differs(struct arena *a, const struct connect_params *p, const struct device *d)
{
	const char *platform = device_metadata(a, d->platform),
		   *family = device_metadata(a, d->device_family);

	if (*family && !str_eq(family, device_metadata(a, p->client.device_family)))
		return true;
	if (!*platform || str_eq(platform, device_metadata(a, p->client.platform)))
		return false;
	return !policy_platform_refresh(a, p, d);
}

enum pair_reason policy_next_reason(struct arena *a, const struct connect_facts *f, const struct device *d,
				    const struct scope_list *scopes, enum pair_reason done)
{
	if (done < PAIR_METADATA && metadata_differs(a, f->params, d))
		return PAIR_METADATA;
	if (done < PAIR_ROLE && !(d->roles & f->role))
		return PAIR_ROLE;
	if (done < PAIR_SCOPE && !scope_allows(d->scopes.bits, scopes->bits))
		return PAIR_SCOPE;
	return PAIR_NOTHING;
}

bool policy_is_silent(const struct connect_facts *f, enum pair_reason r, bool is_known,
		      bool auto_approve_local)
{
	bool is_page = connect_is_control_ui(f->params) || connect_is_webchat(f->params);

	if (!f->is_local || (is_known && f->role != GW_ROLE_OPERATOR))
		return false;
	if (f->has_origin && !is_page)
		return false;
	if (r == PAIR_METADATA)
		return !f->has_origin && !is_page &&
		       (connect_is_native_app(f->params) ||
			(connect_is(f->params, "cli", "cli") && f->shared_ok));
	if (!auto_approve_local)
		return false;
	return r != PAIR_SCOPE || f->method != AUTH_BY_DEVICE_TOKEN;
}
