/*
 * gateway/connect_params.c - the closed schema of `connect`.
 */
#include "gateway/connect_params.h"

#include "core/str.h"
#include "gateway/params.h"

static const char *const client_ids[] = {
	"webchat-ui",
	"openclaw-control-ui",
	"openclaw-browser-copilot",
	"openclaw-tui",
	"webchat",
	"cli",
	"gateway-client",
	"openclaw-macos",
	"openclaw-linux",
	"openclaw-ios",
	"openclaw-watchos",
	"openclaw-android",
	"node-host",
	"openclaw-worker",
	"test",
	"fingerprint",
	"openclaw-probe",
	NULL,
};
static const char *const client_modes[] = {"webchat", "cli",   "ui",   "backend", "node",
					   "worker",  "probe", "test", NULL};

static const struct gw_param client_schema[] = {
	{ "id", GP_ENUM, GP_REQUIRED, .choices = client_ids },
	{ "displayName", GP_STR, GP_NON_EMPTY },
	{ "version", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "buildId", GP_STR, GP_NON_EMPTY, .max = 96 },
	{ "platform", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "deviceFamily", GP_STR, GP_NON_EMPTY },
	{ "modelIdentifier", GP_STR, GP_NON_EMPTY },
	{ "timeZone", GP_STR, GP_NON_EMPTY, .max = 64 },
	{ "mode", GP_ENUM, GP_REQUIRED, .choices = client_modes },
	{ "instanceId", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param device_schema[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "publicKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "signature", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "signedAt", GP_INT, GP_REQUIRED, .min = 0, .max = INT64_MAX },
	{ "nonce", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param auth_schema[] = {
	{ "token", GP_STR },
	{ "bootstrapToken", GP_STR },
	{ "deviceToken", GP_STR },
	{ "password", GP_STR },
	{ "approvalRuntimeToken", GP_STR },
	{ "agentRuntimeIdentityToken", GP_STR },
	{0},
};
static const struct gw_param connect_schema[] = {
	{ "minProtocol", GP_INT, GP_REQUIRED, .min = 1, .max = INT32_MAX },
	{ "maxProtocol", GP_INT, GP_REQUIRED, .min = 1, .max = INT32_MAX },
	{ "client", GP_OBJ, GP_REQUIRED, .members = client_schema },
	{ "caps", GP_ARR, GP_NON_EMPTY, .item = GP_STR },
	{ "commands", GP_ARR, GP_NON_EMPTY, .item = GP_STR },
	{ "computerUse", GP_ANY },
	{ "workerRuns", GP_ANY },
	{ "modelCatalog", GP_ANY },
	{ "permissions", GP_OBJ, GP_OPEN },
	{ "pathEnv", GP_STR },
	{ "role", GP_STR, GP_NON_EMPTY },
	{ "scopes", GP_ARR, GP_NON_EMPTY, .item = GP_STR },
	{ "device", GP_OBJ, .members = device_schema },
	{ "auth", GP_OBJ, .members = auth_schema },
	{ "locale", GP_STR },
	{ "userAgent", GP_STR },
	{0},
};

static const char *filled(const struct json *obj, const char *key)
{
	const char *s = json_get_str(obj, key);

	return str_empty(s) ? NULL : s;
}

ch_status connect_params_parse(const struct json *params, struct connect_params *ret, struct ch_err *err)
{
	const struct json *client = json_get(params, "client"), *device = json_get(params, "device");
	const struct json *auth = json_get(params, "auth");
	ch_status st;

	if (!params)                             /* other methods may leave them out */
		return ch_fail(err, CH_E_INVALID, "invalid connect params: must be object");
	st = gw_params_check("connect", connect_schema, params, err);
	if (st)
		return st;
	*ret = (struct connect_params){
		.min_protocol = json_get_int(params, "minProtocol", 0),
		.max_protocol = json_get_int(params, "maxProtocol", 0),
		.client =
			{
				.id = json_get_str(client, "id"),
				.mode = json_get_str(client, "mode"),
				.version = json_get_str(client, "version"),
				.platform = json_get_str(client, "platform"),
				.display_name = json_get_str(client, "displayName"),
				.build_id = json_get_str(client, "buildId"),
				.device_family = json_get_str(client, "deviceFamily"),
				.model_identifier = json_get_str(client, "modelIdentifier"),
				.time_zone = json_get_str(client, "timeZone"),
				.instance_id = json_get_str(client, "instanceId"),
			},
		.role = json_str_or(json_get(params, "role"), "operator"),
		.scopes = json_get(params, "scopes"),
		.caps = json_get(params, "caps"),
		.has_device = device != NULL,
		.device =
			{
				.id = json_get_str(device, "id"),
				.public_key = json_get_str(device, "publicKey"),
				.signature = json_get_str(device, "signature"),
				.nonce = json_get_str(device, "nonce"),
				.signed_at = json_get_int(device, "signedAt", 0),
			},
		.token = filled(auth, "token"),
		.password = filled(auth, "password"),
		.device_token = filled(auth, "deviceToken"),
		.bootstrap_token = filled(auth, "bootstrapToken"),
	};
	return CH_OK;
}

bool connect_claims_worker(const struct json *params)
{
	return str_eq(json_get_str(params, "role"), "worker") ||
	       str_eq(json_str(json_path(params, "client.mode")), "worker");
}

bool connect_is(const struct connect_params *p, const char *id, const char *mode)
{
	return (!id || str_eq(p->client.id, id)) && (!mode || str_eq(p->client.mode, mode));
}

bool connect_is_control_ui(const struct connect_params *p)
{
	return connect_is(p, "openclaw-control-ui", NULL) || connect_is(p, "openclaw-tui", NULL);
}

bool connect_is_webchat(const struct connect_params *p)
{
	return connect_is(p, NULL, "webchat") || connect_is(p, "webchat-ui", NULL);
}

bool connect_is_native_app(const struct connect_params *p)
{
	static const char *const apps[] = {"openclaw-macos", "openclaw-linux", "openclaw-ios",
					   "openclaw-android"};

	return connect_is(p, NULL, "ui") && str_in(p->client.id, apps, CH_ARRAY_LEN(apps));
}

bool connect_is_ephemeral(const struct connect_params *p)
{
	return connect_is(p, NULL, "cli") || connect_is(p, NULL, "backend") || connect_is(p, NULL, "probe");
}
