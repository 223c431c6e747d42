/*
 * http_api/http_auth.c - credentials, scopes and origins of requests to the HTTP APIs.
 */
#include "http_api/http_auth.h"

#include "core/str.h"
#include "gateway/auth.h"
#include "gateway/devices.h"
#include "gateway/origin.h"
#include "gateway/upgrade.h"
#include "http_api/api_error.h"

enum verdict { ADMITTED, NO_CREDENTIALS, WRONG_CREDENTIALS, LOCKED_OUT };

#define OPERATOR_DEFAULT                                                                                          \
	(GW_SCOPE_ADMIN | GW_SCOPE_APPROVALS | GW_SCOPE_PAIRING | GW_SCOPE_READ | GW_SCOPE_TALK_SECRETS |         \
	 GW_SCOPE_WRITE)

/* What follows "Bearer ", else the key that Anthropic's clients send. */
static const char *credential(const struct http_request *rq)
{
	const char *header = http_header(rq, "authorization");

	if (header && strlen(header) > 7 && str_ieq(arena_strndup(rq->arena, header, 7), "bearer "))
		return str_trim(rq->arena, header + 7);
	return str_starts(rq->path, "/v1/messages") || http_header(rq, "anthropic-version") ? http_header(rq, "x-api-key")
											    : NULL;
}

static bool is_device_token(struct gw *gw, struct arena *a, const char *token, struct http_caller *ret)
{
	struct device_token t;

	if (strlen(token) != DEVICE_TOKEN_LEN || device_token_find(gw->db, a, token, &t, NULL))
		return false;
	if (t.revoked_at || t.role != GW_ROLE_OPERATOR)
		return false;
	*ret = (struct http_caller){ .scopes = t.scopes.bits };
	return true;
}

/* Without credentials to show, the request may ask for less than all. */
static struct http_caller anybody(const struct http_request *rq)
{
	const char *asked = http_header(rq, "x-openclaw-scopes");
	struct scope_list l = { 0 };

	if (!asked)
		return (struct http_caller){ .scopes = OPERATOR_DEFAULT };
	scope_list_from_text(&l, asked);
	return (struct http_caller){ .scopes = l.bits };
}

static bool is_right(struct gw *gw, const struct http_request *rq, const char *token, struct http_caller *ret)
{
	if (auth_check_shared(gw->auth, token, NULL) == AUTH_OK) {
		*ret = (struct http_caller){ .scopes = OPERATOR_DEFAULT, .is_shared_secret = true };
		return true;
	}
	return is_device_token(gw, rq->arena, token, ret);
}

/* Pages on this machine guess under their own name, as at the socket. */
static const char *source_of(struct gw *gw, const struct http_request *rq, bool *ret_is_exempt)
{
	const char *origin = http_header(rq, "origin");
	bool is_local;
	const char *ip = gw_client_ip(gw, rq, &is_local);

	*ret_is_exempt = is_local && !origin && gw->auth->exempt_loopback;
	return is_local && origin ? arena_printf(rq->arena, "browser-origin:%s", origin) : ip;
}

static enum verdict judge(struct gw *gw, const struct http_request *rq, struct http_caller *ret, int64_t *ret_wait_ms)
{
	const char *token = credential(rq), *source;
	bool is_exempt;

	if (gw->auth->mode == AUTH_MODE_NONE) {
		*ret = anybody(rq);
		return ADMITTED;
	}
	if (str_empty(token))
		return NO_CREDENTIALS;
	source = source_of(gw, rq, &is_exempt);
	*ret_wait_ms = limiter_wait_ms(gw->auth->limiter, AUTH_SHARED, source);
	if (*ret_wait_ms > 0)
		return LOCKED_OUT;
	if (is_right(gw, rq, token, ret))
		return ADMITTED;
	(void)limiter_fail(gw->auth->limiter, AUTH_SHARED, source, is_exempt);
	return WRONG_CREDENTIALS;
}

static bool is_origin_allowed(struct gw *gw, const struct http_request *rq)
{
	struct origin_query q = {
		.origin = http_header(rq, "origin"),
		.host = http_header(rq, "host"),
		.is_tls = rq->is_tls,
		.allowed = config_list(gw_config(gw), "gateway.controlUi.allowedOrigins"),
		.allow_host_fallback =
			config_bool(gw_config(gw), "gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback", false),
	};

	(void)gw_client_ip(gw, rq, &q.is_local);
	q.via_proxy = gw_is_forwarded(rq);
	return !q.origin || origin_check(rq->arena, &q) < ORIGIN_INVALID;
}

/* With no credential that a foreign page lacks, only what such a page cannot send without asking first is taken. */
static bool is_cross_site(struct gw *gw, const struct http_request *rq)
{
	const char *type = http_header(rq, "content-type"), *site = http_header(rq, "sec-fetch-site");

	if (gw->auth->mode != AUTH_MODE_NONE)
		return false;
	if (str_eq(site, "cross-site"))
		return true;
	return str_eq(rq->method, "POST") && !(type && str_starts(type, "application/json"));
}

static bool is_switched_on(struct gw *gw, const struct http_request *rq, const struct http_gate *gate)
{
	for (const char *const *name = gate->endpoints; name && *name; name++)
		if (config_bool(gw_config(gw), arena_printf(rq->arena, "gateway.http.endpoints.%s.enabled", *name), false))
			return true;
	return !gate->endpoints;
}

const struct http_gate *http_gate_find(const struct http_gate *gates, const char *path)
{
	for (const struct http_gate *g = gates; g->path; g++) {
		const char *star = strchr(g->path, '*');

		if (star ? !strncmp(g->path, path, (size_t)(star - g->path)) && str_ends(path, star + 1)
			 : str_eq(g->path, path))
			return g;
	}
	return NULL;
}

static void refuse_locked(struct http_call *call, const struct http_request *rq, const struct http_gate *gate,
			  int64_t wait_ms)
{
	http_reply_header(call, "Retry-After", arena_printf(rq->arena, "%lld", (long long)((wait_ms + 999) / 1000)));
	api_error_reply(call, gate->style, 429, "Too many failed authentication attempts. Please try again later.");
}

bool http_gate_admit(const struct http_gate *gate, struct http_call *call, const struct http_request *rq, struct gw *gw)
{
	struct http_caller who = { 0 };
	int64_t wait_ms = 0;
	unsigned missing;

	if (!is_switched_on(gw, rq, gate)) {
		api_error_reply(call, gate->style, 404, "Not Found");
		return false;
	}
	if (!is_origin_allowed(gw, rq) || is_cross_site(gw, rq)) {
		api_error_reply(call, gate->style, 403, "origin not allowed (requests of pages must come from an origin in "
							"gateway.controlUi.allowedOrigins and carry JSON)");
		return false;
	}
	switch (judge(gw, rq, &who, &wait_ms)) {
	case ADMITTED:
		break;
	case LOCKED_OUT:
		refuse_locked(call, rq, gate, wait_ms);
		return false;
	case NO_CREDENTIALS:
	case WRONG_CREDENTIALS:
		http_reply_header(call, "WWW-Authenticate", "Bearer");
		api_error_reply(call, gate->style, 401, "Unauthorized");
		return false;
	}
	missing = scope_missing(who.scopes, gate->scope);
	if (!missing)
		return true;
	api_error_reply(call, gate->style, 403, arena_printf(rq->arena, "missing scope: %s", scope_name(missing)));
	return false;
}

struct http_caller http_caller_of(struct gw *gw, const struct http_request *rq)
{
	const char *token = credential(rq);
	struct http_caller who = { 0 };

	if (gw->auth->mode == AUTH_MODE_NONE)
		return anybody(rq);
	if (!str_empty(token))
		(void)is_right(gw, rq, token, &who);
	return who;
}

bool http_caller_has(const struct http_caller *who, unsigned scope)
{
	return scope_allows(who->scopes, scope);
}
