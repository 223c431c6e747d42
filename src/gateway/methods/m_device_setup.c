/*
 * gateway/methods/m_device_setup.c - device.pair.setupCode, setupStatus: letting a device in without the secret.
 *
 * A setup code is base64url of a small JSON object (bootstrap_write_payload). It is told once, in the answer.
 */
#include "core/str.h"
#include "gateway/auth.h"
#include "gateway/bootstrap.h"
#include "gateway/hub.h"
#include "gateway/methods/methods.h"
#include "gateway/setup_url.h"

#define PAYLOAD_MAX 4096

struct setup {
	struct setup_url place;
	const char *join_base;           /* or NULL */
	const struct bootstrap_profile *profile;
	bool is_downgraded;
	struct bootstrap_issued issued;
};

/* The profile that is asked for; on a path that others may read along full access is not given. */
static ch_status decide_profile(const struct json *params, struct setup *s, struct ch_err *err)
{
	const char *name = json_get_str(params, "bootstrapProfile");
	bool is_join = json_get(params, "joinUrl") != NULL;

	if (is_join && name && !str_eq(name, "node"))
		return ch_fail(err, CH_E_INVALID, "joinUrl goes with bootstrapProfile node only");
	if (is_join)
		name = "node";
	s->is_downgraded = !name && !s->place.is_private_path;
	if (!name)
		name = s->is_downgraded ? "limited" : "full";
	s->profile = bootstrap_profile_find(name);
	return CH_OK;
}

static ch_status decide(struct gw_call *call, struct setup *s, struct ch_err *err)
{
	ch_status st;

	if (call->gw->auth->mode == AUTH_MODE_NONE)
		return ch_fail(err, CH_E_INVALID, "setup codes need gateway.auth.mode token or password; it is none");
	if (json_get_bool(call->params, "includeQr", false))
		return ch_fail(err, CH_E_INVALID,
			       "includeQr: this gateway draws no QR codes; leave it out and use setupCode");
	if (json_get_bool(call->params, "preferRemoteUrl", false))
		return ch_fail(err, CH_E_INVALID,
			       "preferRemoteUrl: this gateway knows no remote one; give its address as publicUrl");
	st = setup_url_decide(call->gw, call->arena, json_get_str(call->params, "publicUrl"), &s->place, err);
	if (!st)
		st = decide_profile(call->params, s, err);
	if (st || !json_get(call->params, "joinUrl"))
		return st;
	s->join_base = setup_url_http(call->arena, &s->place);
	if (!s->join_base)
		return ch_fail(err, CH_E_INVALID,
			       "a join link needs an address with TLS (or on this machine); use the setup code by itself");
	return CH_OK;
}

/* base64url of the payload; NULL when it does not fit. */
static const char *encode(struct gw_call *call, const struct setup *s)
{
	struct bootstrap b = { .url = s->place.url, .tls_fingerprint = s->place.tls_fingerprint,
			       .expires_at = s->issued.expires_at };
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	char *code;

	buf_init(&out, PAYLOAD_MAX);
	bootstrap_write_payload(&w, &b, s->issued.token);
	if (out.failed)
		return NULL;
	code = arena_alloc(call->arena, b64url_encoded_len(out.len) + 1);
	b64url_encode(out.data, out.len, code);
	return code;
}

static void reply(struct gw_call *call, const struct setup *s, const char *code)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "setupId", s->issued.setup_id);
	jw_kint(w, "expiresAtMs", s->issued.expires_at);
	jw_kstr(w, "setupCode", code);
	if (s->join_base)
		jw_kstr(w, "joinUrl", arena_printf(call->arena, "%s/j/%s", s->join_base, s->issued.join));
	jw_kstr(w, "gatewayUrl", s->place.url);
	jw_kstr(w, "auth", auth_mode_name(call->gw->auth->mode));
	jw_kstr(w, "urlSource", s->place.source);
	jw_kstr(w, "access", s->profile->access);
	if (s->is_downgraded)
		jw_kbool(w, "accessDowngraded", true);
	jw_end(w);
	gw_reply_end(call);
}

static ch_status run_code(struct gw_call *call, struct ch_err *err)
{
	const struct conn_client *cl = call->conn->client;
	struct setup s = {0};
	const char *code;
	ch_status st = decide(call, &s, err);

	if (st)
		return st;
	st = bootstrap_issue(call->gw->db,
			     &(struct bootstrap_ask){ .profile = s.profile, .url = s.place.url,
						      .tls_fingerprint = s.place.tls_fingerprint,
						      .issued_by = cl->is_device_token ? cl->device_id : NULL,
						      .with_join = s.join_base != NULL },
			     &s.issued, err);
	if (st)
		return st;
	code = encode(call, &s);
	if (!code)
		return ch_fail(err, CH_E_INVALID, "the address for devices is too long");
	reply(call, &s, code);
	return CH_OK;
}

static ch_status run_status(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "setupId");
	struct bootstrap b;
	struct jw *w;
	ch_status st = bootstrap_outcome(call->gw->db, call->arena, id, &b, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	if (!st) {
		jw_key(w, b.told_at ? "completion" : "deliveryUncertain");
		bootstrap_write_outcome(w, &b);
	}
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const char *const profile_names[] = { "limited", "node", "voice-node", NULL };

static const struct gw_param code_params[] = {
	{ "publicUrl", GP_STR, GP_NON_EMPTY },
	{ "preferRemoteUrl", GP_BOOL },
	{ "includeQr", GP_BOOL },
	{ "bootstrapProfile", GP_ENUM, .choices = profile_names },
	{ "joinUrl", GP_TRUE },
	{0},
};
static const struct gw_param status_params[] = {
	{ "setupId", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 128 },
	{0},
};

const struct gw_method gwm_device_setup[] = {
	/* name                      run         scope           flags      params */
	{ "device.pair.setupCode",   run_code,   GW_SCOPE_ADMIN, GW_HIDDEN, code_params },
	{ "device.pair.setupStatus", run_status, GW_SCOPE_ADMIN, GW_HIDDEN, status_params },
};
const size_t gwm_device_setup_count = CH_ARRAY_LEN(gwm_device_setup);
