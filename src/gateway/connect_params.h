/*
 * gateway/connect_params.h - the parameters of `connect`, checked and taken apart.
 */
#ifndef CH_GATEWAY_CONNECT_PARAMS_H
#define CH_GATEWAY_CONNECT_PARAMS_H

#include "core/json.h"

/* Strings are borrowed from the frame's arena; optional ones are NULL when absent. */
struct connect_params {
	int64_t min_protocol, max_protocol;
	struct {
		const char *id, *mode, *version, *platform;
		const char *display_name, *build_id, *device_family, *model_identifier, *time_zone,
			*instance_id;
	} client;
	const char *role;                /* as sent; "operator" when absent */
	const struct json *scopes;       /* array of strings, or NULL */
	const struct json *caps;
	bool has_device;
	struct {
		const char *id, *public_key, *signature, *nonce;
		int64_t signed_at;
	} device;
	const char *token, *password, *device_token, *bootstrap_token;
};

/* CH_E_INVALID with the whole message, "invalid connect params: …". */
CH_MUST_USE ch_status connect_params_parse(const struct json *params, struct connect_params *ret,
					   struct ch_err *err);
/* Speaks of being a worker: refused without an answer, before anything else is looked at. */
bool connect_claims_worker(const struct json *params);

/* What kinds of client there are; several rules of the handshake turn on it. */
bool connect_is(const struct connect_params *p, const char *id, const char *mode);   /* NULL: any */
bool connect_is_control_ui(const struct connect_params *p); /* operator surfaces that must prove a device */
bool connect_is_webchat(const struct connect_params *p);
bool connect_is_native_app(const struct connect_params *p);
/* Short-lived tools: not in presence, no profile. */
bool connect_is_ephemeral(const struct connect_params *p);

#endif
