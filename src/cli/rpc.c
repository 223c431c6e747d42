/*
 * cli/rpc.c - connect, call, events: one socket for one command.
 */
#include "cli/rpc.h"

#include <stdlib.h>
#include <string.h>

#include "cli/identity.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/rand.h"
#include "core/str.h"
#include "core/vec.h"
#include "net/http_client.h"
#include "net/url.h"
#include "net/ws_client.h"

#define RPC_EVENTS_MAX 4096      /* events kept while a call waits; a turn's worth and more */
#define RPC_GOODBYE_MS 200

struct kept { struct arena *arena; struct json *frame; };

struct rpc {
	struct cli *c;
	struct http_client *http;        /* only for hosts that need curl */
	struct ws_client *ws;
	const char *url;
	unsigned last_id;
	struct json *error, *hello;
	VEC(struct kept) events;
	struct arena *event_arena;       /* of the event handed out last */
	int64_t connect_ms;
};

ch_status cli_gateway_url(struct cli *c, const char *scheme, const char **ret, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	const char *given = getenv("CHELA_GATEWAY_URL");
	const char *port_text = getenv("CHELA_GATEWAY_PORT");
	uint16_t port = 0;
	ch_status st;

	if (!str_empty(given)) {
		bool tls = str_starts(given, "wss://") || str_starts(given, "https://");
		const char *rest = strstr(given, "://");

		if (!rest)
			return ch_fail(err, CH_E_INVALID, "CHELA_GATEWAY_URL must be like ws://host:18789, not '%s'", given);
		*ret = arena_printf(c->arena, "%s%s%s", scheme, tls ? "s" : "", rest);
		return CH_OK;
	}
	if (!str_empty(port_text) && !str_to_u16(port_text, &port))
		return ch_fail(err, CH_E_INVALID, "CHELA_GATEWAY_PORT must be a port number, not '%s'", port_text);
	st = cli_config(c, &cfg, err);
	if (st)
		return st;
	if (!port)
		port = (uint16_t)config_int(cfg, "gateway.port", 18789);
	*ret = arena_printf(c->arena, "%s%s://127.0.0.1:%u", scheme, config_bool(cfg, "gateway.tls.enabled", false) ? "s" : "",
			    port);
	return CH_OK;
}

ch_status cli_gateway_secret(struct cli *c, struct secret **ret, bool *ret_is_password, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	const char *token = getenv("CHELA_GATEWAY_TOKEN");
	const char *password = getenv("CHELA_GATEWAY_PASSWORD");
	ch_status st;

	*ret_is_password = false;
	*ret = NULL;
	if (!str_empty(token) || !str_empty(password)) {
		*ret_is_password = str_empty(token);
		*ret = secret_new(str_empty(token) ? password : token);
		return CH_OK;
	}
	st = cli_config(c, &cfg, err);
	if (st)
		return st;
	const char *mode = config_str(cfg, "gateway.auth.mode");

	if (str_eq(mode, "none"))
		return CH_OK;
	*ret_is_password = str_eq(mode, "password");
	st = config_secret(cfg, *ret_is_password ? "gateway.auth.password" : "gateway.auth.token", ret, err);
	return st == CH_E_NOT_FOUND ? CH_OK : st;
}

/* -- connect -- */

static const char *connect_scopes(struct arena *a, const char *scopes, struct json *list)
{
	CH_AUTO_BUF struct buf joined = { 0 };
	const char *p = scopes;

	buf_init(&joined, 1024);
	while (*p) {
		size_t n = strcspn(p, ",");
		const char *scope = arena_printf(a, "operator.%.*s", (int)n, p);

		json_push(list, json_new_str(a, scope));
		buf_printf(&joined, "%s%s", joined.len ? "," : "", scope);
		p += n + (p[n] == ',');
	}
	return arena_strdup(a, buf_str(&joined));
}

static void add_words(struct arena *a, struct json *list, const char *words)
{
	for (const char *p = words; p && *p;) {
		size_t n = strcspn(p, ",");

		json_push(list, json_new_strn(a, p, n));
		p += n + (p[n] == ',');
	}
}

/* The device proof of protocol v4, payload version 3; only for gateways on other hosts. */
static ch_status add_device(struct rpc *r, struct json *params, const char *scopes, const char *token,
			    const struct json *challenge, struct ch_err *err)
{
	struct arena *a = r->c->arena;
	const char *nonce = json_str_or(json_get(challenge, "nonce"), "");
	int64_t ts = json_get_int(challenge, "ts", 0);
	struct identity id;
	char sig[96];
	ch_status st = identity_load(r->c->state_dir, &id, err);

	if (st)
		return st;
	const char *payload = arena_printf(a, "v3|%s|cli|cli|operator|%s|%lld|%s|%s|linux|", id.device_id, scopes,
					   (long long)ts, token ? token : "", nonce);
	struct json *device = json_new_obj(a);

	identity_sign(&id, payload, strlen(payload), sig);
	json_set(a, device, "id", json_new_str(a, id.device_id));
	json_set(a, device, "publicKey", json_new_str(a, id.public_text));
	json_set(a, device, "signature", json_new_str(a, sig));
	json_set(a, device, "signedAt", json_new_int(a, ts));
	json_set(a, device, "nonce", json_new_str(a, nonce));
	json_set(a, params, "device", device);
	return CH_OK;
}

static ch_status connect_params(struct rpc *r, const char *scopes, const char *caps, bool is_local,
				const struct json *challenge, struct json **ret, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *secret = NULL;
	struct arena *a = r->c->arena;
	struct json *params = json_new_obj(a), *client = json_new_obj(a), *auth = json_new_obj(a);
	struct json *scope_list = json_new_arr(a), *cap_list = json_new_arr(a);
	const char *scope_text = connect_scopes(a, scopes, scope_list);
	const char *token = NULL;
	bool is_password = false;
	ch_status st = cli_gateway_secret(r->c, &secret, &is_password, err);

	if (st)
		return st;
	json_set(a, client, "id", json_new_str(a, "cli"));
	json_set(a, client, "version", json_new_str(a, CHELA_VERSION));
	json_set(a, client, "platform", json_new_str(a, "linux"));
	json_set(a, client, "mode", json_new_str(a, "cli"));
	json_set(a, params, "minProtocol", json_new_int(a, 4));
	json_set(a, params, "maxProtocol", json_new_int(a, 4));
	json_set(a, params, "client", client);
	json_set(a, params, "role", json_new_str(a, "operator"));
	json_set(a, params, "scopes", scope_list);
	add_words(a, cap_list, caps);
	json_set(a, params, "caps", cap_list);
	if (!is_local && !secret) {
		token = identity_token(r->c->state_dir, r->url, a);
		json_set(a, auth, "deviceToken", json_new_str(a, token));
	} else if (secret) {
		token = is_password ? NULL : secret_reveal(secret);
		json_set(a, auth, is_password ? "password" : "token", json_new_str(a, secret_reveal(secret)));
	}
	if (json_first(auth))
		json_set(a, params, "auth", auth);
	if (!is_local) {
		st = add_device(r, params, scope_text, token, challenge, err);
		if (st)
			return st;
	}
	*ret = params;
	return CH_OK;
}

/* -- frames -- */

static ch_status read_frame(struct rpc *r, struct arena *a, int64_t deadline, struct json **ret, struct ch_err *err)
{
	char *text;
	size_t n;
	ch_status st = ws_client_read(r->ws, deadline, &text, &n, err);

	if (st == CH_E_EOF)
		return ch_fail(err, CH_E_PEER, "the gateway closed the connection (%u %s)", ws_client_close_code(r->ws),
			       ws_client_close_reason(r->ws));
	if (st == CH_E_TIMEOUT)
		return ch_fail(err, CH_E_TIMEOUT, "the gateway at %s did not answer in time (--timeout <ms> waits longer)", r->url);
	if (st)
		return st;
	return json_parse(a, text, n, JSON_STRICT, ret, err);
}

static void drop_event(struct rpc *r)
{
	arena_unref(r->event_arena);
	r->event_arena = NULL;
}

/* Reads until the reply with this id; what else arrives is an event. */
static ch_status read_reply(struct rpc *r, const char *id, int64_t deadline, struct json **ret, struct ch_err *err)
{
	for (;;) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct json *frame;
		ch_status st = read_frame(r, a, deadline, &frame, err);

		if (st)
			return st;
		const char *type = json_get_str(frame, "type");

		if (str_eq(type, "event")) {
			if (r->events.len >= RPC_EVENTS_MAX)
				return ch_fail(err, CH_E_LIMIT, "the gateway sent more than %d events before its reply",
					       RPC_EVENTS_MAX);
			struct kept k = { CH_TAKE(a), frame };

			vec_push(&r->events, k);
			continue;
		}
		if (!str_eq(type, "res") || !str_eq(json_get_str(frame, "id"), id))
			continue;
		if (json_get_bool(frame, "ok", false)) {
			*ret = json_clone(r->c->arena, json_get(frame, "payload"));
			return CH_OK;
		}
		r->error = json_clone(r->c->arena, json_get(frame, "error"));
		return ch_fail(err, CH_E_PEER, "%s", json_str_or(json_get(r->error, "message"), "refused without a message"));
	}
}

static ch_status send_request(struct rpc *r, const char *method, const char *params_json, char ret_id[24], struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	snprintf(ret_id, 24, "%u", ++r->last_id);
	buf_init(&out, RPC_MESSAGE_MAX);
	jw_obj(&w);
	jw_kstr(&w, "type", "req");
	jw_kstr(&w, "id", ret_id);
	jw_kstr(&w, "method", method);
	if (params_json)
		jw_kraw(&w, "params", params_json, strlen(params_json));
	jw_end(&w);
	ch_status st = buf_status(&out, err, method);

	return st ? st : ws_client_send(r->ws, out.data, out.len, fiber_deadline(r->c->timeout_ms), err);
}

ch_status rpc_call_until(struct rpc *r, const char *method, const char *params_json, int64_t deadline_ms, struct json **ret,
			 struct ch_err *err)
{
	char id[24];
	ch_status st = send_request(r, method, params_json, id, err);

	r->error = NULL;
	return st ? st : read_reply(r, id, deadline_ms, ret, err);
}

ch_status rpc_call(struct rpc *r, const char *method, const char *params_json, struct json **ret, struct ch_err *err)
{
	return rpc_call_until(r, method, params_json, fiber_deadline(r->c->timeout_ms), ret, err);
}

ch_status rpc_event(struct rpc *r, int64_t deadline_ms, struct json **ret, struct ch_err *err)
{
	drop_event(r);
	if (r->events.len) {
		struct kept k = r->events.at[0];

		vec_remove(&r->events, 0);
		r->event_arena = k.arena;
		*ret = k.frame;
		return CH_OK;
	}
	for (;;) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct json *frame;
		ch_status st = read_frame(r, a, deadline_ms, &frame, err);

		if (st)
			return st;
		if (!str_eq(json_get_str(frame, "type"), "event"))
			continue;
		r->event_arena = CH_TAKE(a);
		*ret = frame;
		return CH_OK;
	}
}

/* -- open and close -- */

static ch_status handshake(struct rpc *r, const char *scopes, const char *caps, bool is_local, struct ch_err *err)
{
	struct arena *a = r->c->arena;
	int64_t deadline = fiber_deadline(r->c->timeout_ms);
	struct json *frame, *params;
	ch_status st = read_frame(r, a, deadline, &frame, err);

	if (st)
		return st;
	if (!str_eq(json_get_str(frame, "event"), "connect.challenge"))
		return ch_fail(err, CH_E_PEER, "%s does not speak the gateway protocol", r->url);
	st = connect_params(r, scopes, caps, is_local, json_get(frame, "payload"), &params, err);
	if (st)
		return st;
	st = rpc_call(r, "connect", json_to_str(a, params), &r->hello, err);
	if (st && r->error) {
		const char *hint = json_get_str(json_get(r->error, "details"), "remediationHint");

		return hint ? ch_fail(err, CH_E_DENIED, "%s (%s)", json_str_or(json_get(r->error, "message"), "refused"), hint) : st;
	}
	if (st)
		return st;
	const char *token = json_get_str(json_get(r->hello, "auth"), "deviceToken");

	return token && !is_local ? identity_keep_token(r->c->state_dir, r->url, token, err) : CH_OK;
}

static ch_status open_socket(struct rpc *r, bool *ret_is_local, struct ch_err *err)
{
	struct url url;
	ch_status st = url_parse(r->c->arena, r->url, &url, err);

	if (st)
		return st;
	*ret_is_local = str_eq(url.host, "127.0.0.1") || str_eq(url.host, "localhost") || str_eq(url.host, "::1");
	struct ws_client_opts opts = {
		.url = r->url,
		.guard = GUARD_TRUST_ORIGIN,
		.message_max = RPC_MESSAGE_MAX,
		.deadline_ms = fiber_deadline(r->c->timeout_ms),
	};

	if (!*ret_is_local || str_eq(url.scheme, "wss"))
		r->http = http_client_new(r->c->loop);
	if (str_eq(url.scheme, "wss") && *ret_is_local)
		opts.ca_file = arena_printf(r->c->arena, "%s/tls/gateway-cert.pem", r->c->state_dir);
	st = ws_client_open(r->c->loop, r->http, &opts, &r->ws, err);
	return st && *ret_is_local ? ch_fail(err, st, "no gateway answers at %s; start one with: chela gateway run", r->url) : st;
}

ch_status rpc_open(struct cli *c, const char *scopes, const char *caps, struct rpc **ret, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = ch_calloc(1, sizeof(*r));
	int64_t started = now_mono_ms();
	bool is_local;
	ch_status st;

	r->c = c;
	st = cli_gateway_url(c, "ws", &r->url, err);
	if (!st)
		st = open_socket(r, &is_local, err);
	if (!st)
		st = handshake(r, scopes, caps, is_local, err);
	if (st)
		return st;
	r->connect_ms = now_mono_ms() - started;
	*ret = CH_TAKE(r);
	return CH_OK;
}

void rpc_close(struct rpc *r)
{
	if (!r)
		return;
	ws_client_close(r->ws, 1000, "", fiber_deadline(RPC_GOODBYE_MS));
	http_client_free(r->http);
	for (size_t i = 0; i < r->events.len; i++)
		arena_unref(r->events.at[i].arena);
	vec_done(&r->events);
	drop_event(r);
	ch_free(r);
}

const struct json *rpc_error(const struct rpc *r)
{
	return r->error;
}

const struct json *rpc_hello(const struct rpc *r)
{
	return r->hello;
}

bool rpc_is_open(const struct rpc *r)
{
	return ws_client_close_code(r->ws) == 0;
}

int64_t rpc_connect_ms(const struct rpc *r)
{
	return r->connect_ms;
}

const char *rpc_url(const struct rpc *r)
{
	return r->url;
}

ch_status rpc_once(struct cli *c, const char *scopes, const char *method, const char *params_json, struct json **ret,
		   struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	ch_status st = rpc_open(c, scopes, NULL, &r, err);

	return st ? st : rpc_call(r, method, params_json, ret, err);
}
