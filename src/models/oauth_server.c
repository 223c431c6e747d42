/*
 * models/oauth_server.c - the authorization servers: built in, configured, discovered.
 */
#include <string.h>

#include "config/path.h"
#include "core/fiber.h"
#include "core/str.h"
#include "models/models_priv.h"
#include "models/oauth.h"
#include "models/oauth_priv.h"
#include "net/url.h"

#define SCOPE_DEFAULT "openid email offline_access"

/* Public clients only: what stands here is no secret. */
static const struct oauth_server builtin[] = {
	{
		.provider = "openai",
		.issuer = "https://auth.openai.com",
		.authorize_url = "https://auth.openai.com/oauth/authorize",
		.token_url = "https://auth.openai.com/oauth/token",
		.client_id = "app_EMoamEEZ73f0CkXaXp7hrann",
		.scope = "openid profile email offline_access",
		.extra = (const char *const[]){ "id_token_add_organizations", "true",
						"codex_cli_simplified_flow", "true", "originator", "chela",
						NULL },
		.callback_host = "localhost",
		.callback_port = 1455,
		.callback_path = "/auth/callback",
	},
};

const struct oauth_server *oauth_builtin_servers(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(builtin);
	return builtin;
}

static const struct oauth_server *find_builtin(const char *provider)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(builtin); i++) {
		if (str_ieq(builtin[i].provider, provider))
			return &builtin[i];
	}
	return NULL;
}

static const struct json *find_configured(const struct config *cfg, const char *provider)
{
	json_each(v, cfg ? config_get(cfg, "auth.oauth") : NULL) {
		if (str_ieq(v->key, provider) && json_is(v, JSON_OBJ))
			return v;
	}
	return NULL;
}

bool oauth_is_configured(const struct config *cfg, const char *provider)
{
	return find_configured(cfg, provider) != NULL;
}

void oauth_server_done(struct oauth_server *s)
{
	secret_unref(CH_TAKE(s->client_secret));
}

/* ---- addresses ---- */

static bool is_loopback(const char *host)
{
	return str_eq(host, "localhost") || str_starts(host, "127.") || str_eq(host, "::1");
}

ch_status oauth_check_url(struct arena *a, const char *what, const char *text, struct ch_err *err)
{
	struct url u;
	ch_status st = url_parse(a, text, &u, err);

	if (st)
		return ch_wrap(err, "%s", what);
	if (!str_eq(u.scheme, "https") && !(str_eq(u.scheme, "http") && is_loopback(u.host)))
		return ch_fail(err, CH_E_INVALID, "%s: '%.100s' is not https", what, text);
	return CH_OK;
}

/* An address that the owner wrote, or that the written issuer names on its own origin, is trusted; others must be public. */
enum guard_policy oauth_guard(struct arena *a, const struct oauth_server *s, const char *text)
{
	struct url u, home;

	if (!s->is_trusted)
		return has_env_proxy() ? GUARD_TRUST_ORIGIN : GUARD_PUBLIC_ONLY;
	if (s->issuer && !url_parse(a, s->issuer, &home, NULL) && !url_parse(a, text, &u, NULL) &&
	    !url_same_origin(&u, &home))
		return GUARD_PUBLIC_ONLY;
	return GUARD_TRUST_ORIGIN;
}

/* ---- configured ones ---- */

static const char *scope_of(struct arena *a, const struct json *scopes)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	json_each(v, scopes) {
		if (!str_empty(json_str(v)))
			buf_printf(&out, "%s%s", out.len ? " " : "", json_str(v));
	}
	return out.len ? arena_strdup(a, buf_str(&out)) : SCOPE_DEFAULT;
}

static void read_configured(struct arena *a, const struct json *v, struct oauth_server *s)
{
	s->issuer = arena_strdup(a, json_get_str(v, "issuer"));
	s->authorize_url = arena_strdup(a, json_get_str(v, "authorizeUrl"));
	s->token_url = arena_strdup(a, json_get_str(v, "tokenUrl"));
	s->device_url = arena_strdup(a, json_get_str(v, "deviceUrl"));
	s->client_id = arena_strdup(a, json_get_str(v, "clientId"));
	s->scope = scope_of(a, json_get(v, "scopes"));
	s->callback_host = "127.0.0.1";
	s->callback_port = (uint16_t)json_get_int(v, "callbackPort", 0);
	s->callback_path = arena_strdup(a, json_str_or(json_get(v, "callbackPath"), "/callback"));
	s->is_trusted = true;
}

static CH_FIBER ch_status read_secret(const struct config *cfg, struct arena *a, const char *key,
				      struct oauth_server *s, struct ch_err *err)
{
	const char *path = config_path_join(a, config_path_join(a, "auth.oauth", key), "clientSecret");

	return config_get(cfg, path) ? config_secret(cfg, path, &s->client_secret, err) : CH_OK;
}

/* ---- discovery (OpenID Connect Discovery 1.0, RFC 8414) ---- */

/* CH_E_NOT_FOUND: there is nothing at that address. */
static CH_FIBER ch_status get_json(struct http_client *http, const struct oauth_server *s, const char *url,
				   struct arena *a, struct json **ret, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { 0 };
	int64_t deadline_ms = fiber_deadline(OAUTH_REQUEST_MS);
	const struct http_out rq = { .url = url,
				     .guard = oauth_guard(a, s, url),
				     .headers_deadline_ms = deadline_ms };
	ch_status st;

	buf_init(&body, OAUTH_REPLY_MAX);
	st = http_open(http, &rq, &r, err);
	if (!st && http_resp_status(r) != 200)
		return ch_fail(err, http_resp_status(r) == 404 ? CH_E_NOT_FOUND : CH_E_PEER,
			       "%s answers HTTP %d", url, http_resp_status(r));
	if (!st)
		st = http_read_all(r, &body, deadline_ms, err);
	return st ? st : json_parse(a, buf_str(&body), body.len, JSON_STRICT, ret, err);
}

static CH_FIBER ch_status get_metadata(struct http_client *http, const struct oauth_server *s, struct arena *a,
				       struct json **ret, struct ch_err *err)
{
	size_t n = strlen(s->issuer), host_end;
	ch_status st;

	while (n && s->issuer[n - 1] == '/')
		n--;
	/* OpenID Connect puts its name behind the issuer's path, RFC 8414 before it. */
	host_end = (size_t)(strstr(s->issuer, "://") + 3 - s->issuer);
	host_end += strcspn(s->issuer + host_end, "/");
	st = get_json(http, s, arena_printf(a, "%.*s/.well-known/openid-configuration", (int)n, s->issuer), a,
		      ret, err);
	if (st == CH_E_NOT_FOUND)
		st = get_json(http, s,
			      arena_printf(a, "%.*s/.well-known/oauth-authorization-server%.*s",
					   (int)host_end, s->issuer, (int)(n > host_end ? n - host_end : 0),
					   s->issuer + host_end),
			      a, ret, err);
	return st ? ch_wrap(err, "asking %.80s how one signs in", s->issuer) : CH_OK;
}

static CH_FIBER ch_status discover(struct http_client *http, struct arena *a, struct oauth_server *s,
				   struct ch_err *err)
{
	struct json *v = NULL;
	ch_status st = get_metadata(http, s, a, &v, err);

	if (st)
		return st;
	/* Anybody could name anybody's endpoints otherwise (RFC 8414 3.3). */
	if (!str_eq(json_get_str(v, "issuer"), s->issuer))
		return ch_fail(err, CH_E_PEER,
			       "auth.oauth.%s.issuer is '%.60s', but the server there calls itself '%.60s'",
			       s->provider, s->issuer, json_str_or(json_get(v, "issuer"), "nothing"));
	if (!s->authorize_url)
		s->authorize_url = json_get_str(v, "authorization_endpoint");
	if (!s->token_url)
		s->token_url = json_get_str(v, "token_endpoint");
	if (!s->device_url)
		s->device_url = json_get_str(v, "device_authorization_endpoint");
	return CH_OK;
}

static ch_status check_server(struct arena *a, const struct oauth_server *s, struct ch_err *err)
{
	const struct { const char *name, *url; } urls[] = {
		{ "issuer", s->issuer },
		{ "authorizeUrl", s->authorize_url },
		{ "tokenUrl", s->token_url },
		{ "deviceUrl", s->device_url },
	};

	if (str_empty(s->client_id))
		return ch_fail(err, CH_E_INVALID,
			       "auth.oauth.%s.clientId is missing: register a public client with the server",
			       s->provider);
	if (s->callback_path[0] != '/')
		return ch_fail(err, CH_E_INVALID, "auth.oauth.%s.callbackPath must begin with '/'", s->provider);
	for (size_t i = 0; i < CH_ARRAY_LEN(urls); i++) {
		const char *what = arena_printf(a, "auth.oauth.%s.%s", s->provider, urls[i].name);
		ch_status st = urls[i].url ? oauth_check_url(a, what, urls[i].url, err) : CH_OK;

		if (st)
			return st;
	}
	return CH_OK;
}

CH_FIBER ch_status oauth_server_find(struct http_client *http, const struct config *cfg, const char *provider,
				     struct arena *a, struct oauth_server *ret, struct ch_err *err)
{
	const struct json *v = find_configured(cfg, provider);
	const struct oauth_server *row = find_builtin(provider);
	struct oauth_server s = { 0 };
	char *name = arena_strdup(a, provider);
	ch_status st;

	str_lower(name);
	if (!v && row) {
		*ret = *row;
		return CH_OK;
	}
	if (!v)
		return ch_fail(err, CH_E_NOT_FOUND,
			       "%s has no sign-in: use `chela models auth paste-api-key --provider %s`, or "
			       "describe its "
			       "server in auth.oauth.%s",
			       name, name, name);
	s.provider = name;
	read_configured(a, v, &s);
	st = check_server(a, &s, err);
	if (!st && s.issuer && (!s.authorize_url || !s.token_url || !s.device_url))
		st = discover(http, a, &s, err);
	if (!st)
		st = check_server(a, &s, err);
	if (!st && !s.token_url)
		st = ch_fail(err, CH_E_INVALID, "auth.oauth.%s needs an issuer or a tokenUrl", name);
	if (!st)
		st = read_secret(cfg, a, v->key, &s, err);
	if (st)
		return st;
	*ret = s;
	return CH_OK;
}

/* ---- what a refresh needs ---- */

ch_status oauth_server_of_profile(const struct auth_profile *p, struct arena *a, struct oauth_server *ret,
				  struct ch_err *err)
{
	struct json *v = NULL;
	ch_status st = CH_OK;

	if (p->extra)
		st = json_parse(a, p->extra, strlen(p->extra), JSON_STRICT, &v, err);
	if (st)
		return ch_wrap(err, "%s", p->id);
	*ret = (struct oauth_server){
		.provider = p->provider,
		.issuer = json_get_str(v, "issuer"),
		.token_url = json_get_str(v, "tokenUrl"),
		.client_id = json_get_str(v, "clientId"),
		.is_trusted = json_get_bool(v, "isTrusted", false),
	};
	if (!ret->token_url || !ret->client_id)
		return ch_fail(err, CH_E_DENIED, "%s does not say where it is refreshed", p->id);
	return oauth_check_url(a, p->id, ret->token_url, err);
}

static char *extra_of(struct arena *a, const struct oauth_server *s)
{
	struct json *v = json_new_obj(a);

	if (s->issuer)
		json_set(a, v, "issuer", json_new_str(a, s->issuer));
	json_set(a, v, "tokenUrl", json_new_str(a, s->token_url));
	json_set(a, v, "clientId", json_new_str(a, s->client_id));
	json_set(a, v, "isTrusted", json_new_bool(a, s->is_trusted));
	return json_to_str(a, v);
}

static const char *id_for(const struct oauth_server *s, const struct oauth_tokens *t, struct arena *a)
{
	const char *id = t->email ? arena_printf(a, "%s:%s", s->provider, t->email) : NULL;

	return id && auth_id_is_valid(id) ? id : arena_printf(a, "%s:default", s->provider);
}

ch_status oauth_save(struct db *db, const struct oauth_server *s, const char *agent_id, const char *id,
		     const struct oauth_tokens *t, struct arena *a, const char **ret_id, struct ch_err *err)
{
	const struct auth_profile p = {
		.agent_id = agent_id ? agent_id : "",
		.id = id ? id : id_for(s, t, a),
		.provider = s->provider,
		.kind = AUTH_KIND_OAUTH,
		.expires_at = t->expires_at,
		.email = t->email,
		.account_id = t->account_id,
		.extra = extra_of(a, s),
	};
	ch_status st = auth_store_put(db, &p, secret_reveal(t->access), secret_reveal(t->refresh), err);

	if (!st)
		*ret_id = p.id;
	return st;
}
