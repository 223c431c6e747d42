/*
 * models/target.c - where a request goes and what its head says: the URL, the
 * headers, the key, how much silence is borne.
 */
#include <stdlib.h>

#include "config/path.h"
#include "core/str.h"
#include "models/attempt.h"
#include "models/call_params.h"
#include "models/dialect.h"

#define SILENCE_MS 120000
#define SILENCE_LOCAL_MS 300000          /* a local model reads a long prompt before its first word */
#define CREDENTIALS_MAX (16u * 1024u)

/* What people leave out of these services' base URLs, and every request needs. */
static const struct { const char *host, *prefix; } prefixes[] = {
	{ ".openai.azure.com", "/openai/v1" },
	{ ".services.ai.azure.com", "/openai/v1" },
	{ ".cognitiveservices.azure.com", "/openai/v1" },
	{ "//generativelanguage.googleapis.com", "/v1beta" },
};

static const char *missing_prefix(const char *base, size_t n)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(prefixes); i++) {
		size_t len = strlen(prefixes[i].host);

		if (n > len && memcmp(base + n - len, prefixes[i].host, len) == 0)
			return prefixes[i].prefix;
	}
	return "";
}

/* base + path; a base that ends in /v1 and a path that begins with it share it, and Ollama's own API has none. */
static const char *join_url(struct arena *a, const char *base, const char *path, bool is_ollama)
{
	size_t n = strlen(base);
	bool has_v1;

	while (n && base[n - 1] == '/')
		n--;
	has_v1 = n >= 3 && memcmp(base + n - 3, "/v1", 3) == 0;
	if (has_v1 && (is_ollama || str_starts(path, "/v1/")))
		n -= 3;
	return arena_printf(a, "%.*s%s%s", (int)n, base, missing_prefix(base, n), path);
}

static void push_line(struct model_target *t, struct arena *a, const char *line)
{
	const char *colon = strchr(line, ':');

	vec_push(&t->headers, ((struct http_header){
				      .name = arena_strndup(a, line, (size_t)(colon - line)),
				      .value = colon + 1 + strspn(colon + 1, " "),
			      }));
}

void target_set_header(struct model_target *t, const char *name, const char *value)
{
	for (size_t i = 0; i < t->headers.len; i++) {
		if (str_ieq(t->headers.at[i].name, name)) {
			t->headers.at[i].value = value;
			return;
		}
	}
	vec_push(&t->headers, ((struct http_header){ name, value }));
}

/* A configured header's value may be a secret reference, which config_secret() resolves at its path. */
static CH_FIBER ch_status take_headers(struct model_target *t, struct arena *a, const char *base_path,
				       const struct json *headers, struct ch_err *err)
{
	json_each(v, headers) {
		struct secret *s = NULL;
		ch_status st = config_secret(t->config, config_path_join(a, base_path, v->key), &s, err);

		if (st)
			return st;
		vec_push(&t->held, s);
		target_set_header(t, v->key, secret_reveal(s));
	}
	return CH_OK;
}

/* The provider's headers, then those of the model. */
static CH_FIBER ch_status configured_headers(struct model_target *t, struct arena *a, struct ch_err *err)
{
	const struct json *conf = provider_object(t->config, t->entry->provider);
	const char *base, *list;
	size_t i = 0;
	ch_status st;

	if (!conf)
		return CH_OK;
	base = config_path_join(a, "models.providers", conf->key);
	list = config_path_join(a, base, "models");
	st = take_headers(t, a, config_path_join(a, base, "headers"), json_get(conf, "headers"), err);
	json_each(v, json_get(conf, "models")) {
		const char *at = config_path_join(a, list, arena_printf(a, "%zu", i++));

		if (!st && str_eq(json_get_str(v, "id"), t->entry->id))
			st = take_headers(t, a, config_path_join(a, at, "headers"), json_get(v, "headers"), err);
	}
	return st;
}

/* A person may want a bearer token where the dialect has a header of its own. */
static bool wants_bearer(const struct model_target *t)
{
	const struct json *conf = provider_object(t->config, t->entry->provider);
	const char *auth = json_get_str(conf, "auth");

	if (t->dialect->auth == AUTH_BEARER || t->dialect->auth == AUTH_AWS || t->lease.kind == AUTH_KIND_TOKEN || t->lease.kind == AUTH_KIND_OAUTH)
		return true;
	return str_eq(auth, "token") || str_eq(auth, "oauth") || json_get_bool(conf, "authHeader", false);
}

static const char *key_header(enum dialect_auth auth)
{
	switch (auth) {
	case AUTH_API_KEY_HEADER: return "api-key";
	case AUTH_X_GOOG_API_KEY: return "x-goog-api-key";
	default: return "x-api-key";
	}
}

/* Anthropic takes a sign-in's token only from who says that it is one. */
static void announce_sign_in(struct model_target *t, struct arena *a)
{
	static const char feature[] = "oauth-2025-04-20";

	if (t->lease.kind == AUTH_KIND_API_KEY || !str_eq(t->dialect->api, "anthropic-messages") ||
	    !str_eq(t->entry->provider, "anthropic"))
		return;
	for (size_t i = 0; i < t->headers.len; i++) {
		if (str_ieq(t->headers.at[i].name, "anthropic-beta")) {
			t->headers.at[i].value = arena_printf(a, "%s,%s", t->headers.at[i].value, feature);
			return;
		}
	}
	target_set_header(t, "anthropic-beta", feature);
}

static CH_FIBER ch_status find_credential(struct model_target *t, const struct model_call *call, struct ch_err *err)
{
	const struct auth_want want = {
		.provider = t->entry->provider, .model = t->entry->id, .agent_id = call->agent_id,
		.session_key = call->session_key, .profile = call->auth_profile, .skip = call->auth_skip,
		.even_blocked = call->reason == MODEL_FOR_PROBE,
	};

	if (call->trial_key) {
		t->lease = (struct auth_lease){ .kind = AUTH_KIND_API_KEY, .secret = secret_ref(call->trial_key) };
		return CH_OK;
	}
	return auth_acquire(t->m, t->config, &want, &t->lease, err);
}

static ch_status show_credential(struct model_target *t, struct arena *a, struct ch_err *err)
{
	const char *key = secret_reveal(t->lease.secret);

	if (str_empty(key))
		return CH_OK;
	if (wants_bearer(t)) {
		buf_printf(&t->credentials, "Bearer %s", key);
		target_set_header(t, "authorization", buf_str(&t->credentials));
		announce_sign_in(t, a);
	} else {
		buf_puts(&t->credentials, key);
		target_set_header(t, key_header(t->dialect->auth), buf_str(&t->credentials));
	}
	return buf_status(&t->credentials, err, "the key");
}

/* -- ChatGPT -- */

#define CHATGPT_URL "https://chatgpt.com/backend-api/codex"

/*
 * OpenAI's platform takes keys; the token of a sign-in belongs to a ChatGPT
 * subscription, whose requests go to a service of their own.
 */
static bool is_subscription(const struct model_target *t)
{
	return t->lease.kind == AUTH_KIND_OAUTH && str_eq(t->entry->provider, "openai") &&
	       t->dialect == &dialect_openai_responses && strstr(t->entry->base_url, "//api.openai.com");
}

static void name_account(struct model_target *t)
{
	if (t->dialect != &dialect_chatgpt_responses)
		return;
	if (t->lease.account_id[0])
		target_set_header(t, "chatgpt-account-id", t->lease.account_id);
	target_set_header(t, "originator", "chela");
}

bool has_env_proxy(void)
{
	static const char *const names[] = { "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		if (!str_empty(getenv(names[i])))
			return true;
	}
	return false;
}

/*
 * A base URL that a person wrote is trusted with its exact origin. A built-in
 * one must lead to a public address, unless a proxy is configured: then the
 * address is the proxy's, and the name, which is ours, is not in doubt.
 */
static enum guard_policy guard_for(const struct model_target *t, const struct json *conf)
{
	const struct model_endpoint *e = model_endpoint_find(t->entry->provider);

	if (!e || e->is_local || json_get(conf, "baseUrl") || has_env_proxy())
		return GUARD_TRUST_ORIGIN;
	return GUARD_PUBLIC_ONLY;
}

static int64_t silence_for(const struct model_target *t, const struct json *conf)
{
	const struct model_endpoint *e = model_endpoint_find(t->entry->provider);
	bool is_local = (e && e->is_local) || strstr(t->entry->base_url, "//127.") ||
			strstr(t->entry->base_url, "//localhost") || strstr(t->entry->base_url, "//[::1]");
	int64_t ms = is_local ? SILENCE_LOCAL_MS : SILENCE_MS;

	if (t->m->opts.silence_ms)
		return t->m->opts.silence_ms;
	return CH_MAX(ms, json_get_int(conf, "timeoutSeconds", 0) * 1000);
}

CH_FIBER ch_status model_target_init(struct model_target *t, struct models *m, struct arena *a,
				     const struct model_call *call, const struct model_entry *entry,
				     const struct dialect *d, struct buf *body, struct ch_err *err)
{
	struct model_http http = { .body = body };
	struct model_call asked = *call;
	const char *base = entry->base_url;
	const struct json *conf;
	ch_status st;

	*t = (struct model_target){ .m = m, .entry = entry, .dialect = d };
	buf_init(&t->credentials, CREDENTIALS_MAX);
	(void)catalog_config(m);
	t->config = m->config ? config_ref(m->config) : NULL;
	conf = provider_object(t->config, entry->provider);
	t->guard = guard_for(t, conf);
	t->silence_ms = silence_for(t, conf);
	asked.params = call_params(t->config, call, entry, a);
	st = aws_signs(t) ? CH_OK : find_credential(t, call, err);
	if (st)
		return st;
	if (is_subscription(t)) {
		t->dialect = &dialect_chatgpt_responses;
		base = CHATGPT_URL;
	} else if (d->auth == AUTH_AWS) {
		base = aws_base_url(t, a);
	}
	st = t->dialect->build(a, &asked, entry, &http, err);
	if (st)
		return st;
	t->url = join_url(a, base, http.path, str_eq(d->api, "ollama"));
	t->body = body->data;
	t->body_len = body->len;
	for (size_t i = 0; http.headers[i]; i++)
		push_line(t, a, http.headers[i]);
	name_account(t);
	st = aws_signs(t) ? aws_prepare(t, a, err) : show_credential(t, a, err);
	return st ? st : configured_headers(t, a, err);
}

void model_target_done(struct model_target *t)
{
	if (t->credentials.data)
		explicit_bzero(t->credentials.data, t->credentials.cap);
	buf_done(&t->credentials);
	vec_done(&t->headers);
	for (size_t i = 0; i < t->held.len; i++)
		secret_unref(t->held.at[i]);
	vec_done(&t->held);
	auth_release(&t->lease);
	aws_creds_done(&t->aws.creds);
	config_unref(t->config);
}
