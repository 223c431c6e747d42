/*
 * gateway/connect_policy.h - the rules of the handshake as pure functions.
 *
 * Each takes facts and gives a verdict; none touches a connection or the database.
 */
#ifndef CH_GATEWAY_CONNECT_POLICY_H
#define CH_GATEWAY_CONNECT_POLICY_H

#include "gateway/connect_params.h"
#include "gateway/devices.h"

/* How a connection proved itself; names are those of hello-ok's auth.method. */
enum auth_method { AUTH_BY_NONE, AUTH_BY_TOKEN, AUTH_BY_PASSWORD, AUTH_BY_DEVICE_TOKEN,
		   AUTH_BY_BOOTSTRAP };
const char *auth_method_name(enum auth_method m);

/* What is known of a connect when its fate is decided. */
struct connect_facts {
	const struct connect_params *params;
	enum gw_role role;
	bool is_local;                   /* loopback, not forwarded */
	bool has_origin;
	bool shared_ok;                  /* the shared secret was right */
	bool auth_ok;
	enum auth_method method;
};

bool policy_protocol_fits(const struct connect_params *p);

/* A connect without a device. */
enum device_need { DEVICE_NOT_NEEDED, DEVICE_NEEDED_BY_UI, DEVICE_NEEDED, DEVICE_NEED_UNAUTHORIZED };
enum device_need policy_device_need(const struct connect_facts *f);
/*
 * A connect without a device that keeps the scopes it asks for: the local CLI and backends with the shared
 * secret.
 */
bool policy_keeps_scopes(const struct connect_facts *f);
/* Local backends need no pairing, even with a device. */
bool policy_skips_pairing(const struct connect_facts *f);

enum pair_reason { PAIR_NOTHING, PAIR_NOT_PAIRED, PAIR_METADATA, PAIR_ROLE, PAIR_SCOPE };
struct pair_reason_text {
	const char *name, *message, *hint;
}; /* the request's id belongs behind the hint */
const struct pair_reason_text *pair_reason_text(enum pair_reason r);

/*
 * What a paired device has to be approved for, after `done` (PAIR_NOTHING first): metadata, then role, then
 * scopes.
 */
enum pair_reason policy_next_reason(struct arena *a, const struct connect_facts *f, const struct device *d,
				    const struct scope_list *scopes, enum pair_reason done);
/* The claimed platform is a newer version of the pinned one (native apps): taken over without asking. */
bool policy_platform_refresh(struct arena *a, const struct connect_params *p, const struct device *d);
/* May this be approved without a person? is_known: the device is paired already. */
bool policy_is_silent(const struct connect_facts *f, enum pair_reason r, bool is_known,
		      bool auto_approve_local);

#endif
