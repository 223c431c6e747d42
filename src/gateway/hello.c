/*
 * gateway/hello.c - the hello-ok payload.
 *
 * features lists what works and nothing else: methods come from the method table, events from the
 * event table, capabilities from the list below, each of which has a test.
 */
#include "core/clock.h"
#include "gateway/auth.h"
#include "gateway/connect.h"
#include "gateway/event_priv.h"
#include "gateway/hub.h"

#define ATTACHMENT_MAX_BYTES 19464192
#define IMAGE_MAX_BYTES 6291456

/*
 * published-model-catalog: models.list is complete by itself. gateway-restart-target-safe-v1: a restart with
 * a target restarts that process or none.
 */
static const char *const capabilities[] = { "published-model-catalog", "gateway-restart-target-safe-v1", NULL };

static void write_names(struct jw *w, const char *key, const char *const *names)
{
	jw_karr(w, key);
	for (; *names; names++)
		jw_str(w, *names);
	jw_end(w);
}

static void write_features(struct jw *w)
{
	size_t families;
	const struct gw_method_family *f = gw_method_families(&families);

	jw_kobj(w, "features");
	jw_karr(w, "methods");
	for (size_t i = 0; i < families; i++)
		for (size_t k = 0; k < *f[i].count; k++)
			if (!(f[i].rows[k].flags & GW_HIDDEN))
				jw_str(w, f[i].rows[k].name);
	jw_end(w);
	write_names(w, "events", gw_event_names());
	write_names(w, "capabilities", capabilities);
	jw_end(w);
}

static void write_session_defaults(struct gw *gw, struct jw *w)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *agent = agent_default_id(gw_config(gw), a);

	jw_kobj(w, "sessionDefaults");
	jw_kstr(w, "defaultAgentId", agent);
	jw_kbool(w, "modelConfigured", true);
	jw_kstr(w, "ownership", "sole");
	jw_kbool(w, "selectionRequired", false);
	jw_kstr(w, "mainKey", "main");
	jw_kstr(w, "mainSessionKey", arena_printf(a, "agent:%s:main", agent));
	jw_kstr(w, "scope", "per-sender");
	jw_end(w);
}

static void write_snapshot(struct gw *gw, struct jw *w, const struct connect_outcome *o)
{
	const struct buf *health = hub_health(gw->hub);

	jw_kobj(w, "snapshot");
	jw_kobj(w, "suspension");
	jw_kstr(w, "phase", "accepting");
	jw_end(w);
	jw_key(w, "presence");
	if (scope_allows(o->scopes.bits, GW_SCOPE_READ)) {
		gw_render_presence(gw, w);
	} else {
		jw_arr(w);
		jw_end(w);
	}
	jw_kraw(w, "health", health->data, health->len);
	jw_kobj(w, "stateVersion");
	jw_kint(w, "presence", gw->presence_version);
	jw_kint(w, "health", gw->health_version);
	jw_end(w);
	jw_kint(w, "uptimeMs", now_mono_ms() - gw->started_mono_ms);
	jw_kstr(w, "appliedConfigHash", config_hash(gw_config(gw)));
	write_session_defaults(gw, w);
	if (scope_allows(o->scopes.bits, GW_SCOPE_ADMIN)) {
		jw_kstr(w, "configPath", config_store_path(gw->config));
		jw_kstr(w, "stateDir", gw->state_dir);
		jw_kstr(w, "authMode", auth_mode_name(gw->auth->mode));
	}
	jw_end(w);
}

static void write_handed_over(struct jw *w, const struct connect_outcome *o)
{
	jw_karr(w, "deviceTokens");
	jw_obj(w);
	jw_kstr(w, "deviceToken", o->handed_over.token);
	jw_kstr(w, "role", role_name(o->handed_over.role));
	jw_key(w, "scopes");
	scope_list_write(w, &o->handed_over.scopes);
	jw_kint(w, "issuedAtMs", o->token_issued_at);
	jw_end(w);
	jw_end(w);
}

static void write_auth(struct jw *w, const struct connect_outcome *o)
{
	jw_kobj(w, "auth");
	jw_kstr(w, "method", auth_method_name(o->method));
	jw_kstr(w, "role", role_name(o->role));
	jw_key(w, "scopes");
	scope_list_write(w, &o->scopes);
	if (o->device_token) {
		jw_kstr(w, "deviceToken", o->device_token);
		jw_kint(w, "issuedAtMs", o->token_issued_at);
	}
	if (o->handed_over.token)
		write_handed_over(w, o);
	jw_end(w);
}

static void write_policy(struct jw *w)
{
	jw_kobj(w, "policy");
	jw_kint(w, "maxPayload", GW_FRAME_MAX);
	jw_kint(w, "maxBufferedBytes", GW_OUT_HARD);
	jw_kint(w, "tickIntervalMs", GW_TICK_MS);
	jw_kobj(w, "attachments");
	jw_kint(w, "maxBytes", ATTACHMENT_MAX_BYTES);
	jw_kint(w, "maxImageBytes", IMAGE_MAX_BYTES);
	jw_end(w);
	write_names(w, "allowedSessionVisibilities", (const char *const[]){ "shared", NULL });
	jw_kbool(w, "hasMultipleSessionSharingIdentities", false);
	jw_end(w);
}

void hello_write(struct gw *gw, struct jw *w, const struct gw_conn *c, const struct connect_outcome *o)
{
	jw_obj(w);
	jw_kstr(w, "type", "hello-ok");
	jw_kint(w, "protocol", GW_PROTOCOL);
	jw_kobj(w, "server");
	jw_kstr(w, "version", gw->version);
	jw_kstr(w, "bootId", gw->boot_id);
	jw_kstr(w, "connId", c->id);
	jw_end(w);
	write_features(w);
	write_snapshot(gw, w, o);
	write_auth(w, o);
	write_policy(w);
	jw_end(w);
}
