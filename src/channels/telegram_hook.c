/*
 * channels/telegram_hook.c - updates that Telegram posts to us (setWebhook), instead of polling.
 *
 * Two doors, one check: a listener of the account's own (webhookHost, webhookPort), for a proxy in front of it, and the same path on the
 * gateway's port (chan_ops.webhook). X-Telegram-Bot-Api-Secret-Token is compared in constant time before the body is looked at,
 * at our own listener before it is even read. 200 is said after the commit, with x-openclaw-delivery-accepted: durable;
 * 503 when it could not be committed: Telegram brings it again, and what comes twice is known by its update_id.
 */
#include "channels/telegram.h"

#include "config/config.h"
#include "core/file.h"
#include "core/log.h"
#include "core/str.h"
#include "net/http_server.h"
#include "net/multipart.h"

#define PATH_DEFAULT "/telegram-webhook"
#define PATH_HEALTH "/healthz"
#define BODY_MAX (1u << 20)
#define SECRET_MAX 256
#define CERT_MAX (64u << 10)
#define LOOK_MS 60000                    /* between looks at how Telegram gets on with our address; under TG_SILENCE_MS */
#define STOP_MS 5000

/* -- a post -- */

static bool secret_fits(const struct telegram *tg, const struct http_request *rq)
{
	const char *given = http_header(rq, "x-telegram-bot-api-secret-token");

	return tg->hook_secret && given && secret_equal(tg->hook_secret, given);
}

CH_FIBER void tg_hook(struct chan_acct *acct, const struct http_request *rq, struct chan_webhook_reply *reply)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct telegram *tg = chan_priv(acct);
	struct json *update = NULL, *updates = json_new_arr(a);
	struct tg_offset unused;
	struct ch_err err;

	if (!str_eq(rq->method, "POST")) {
		reply->status = 405;
		return;
	}
	if (!tg || !secret_fits(tg, rq)) {
		reply->status = 401;
		return;
	}
	if (json_parse(a, rq->body, rq->body_len, JSON_STRICT, &update, NULL) || !json_is(json_get(update, "update_id"), JSON_INT)) {
		reply->status = 400;
		return;
	}
	json_push(updates, update);
	if (tg_take(acct, updates, NULL, &unused, &err)) {
		log_warn("telegram", "%s: an update could not be kept: %s; Telegram brings it again", chan_acct_id(acct), err.text);
		reply->status = 503;
		return;
	}
	chan_alive(acct);
	reply->status = 200;
	reply->is_accepted = true;
}

const char *tg_hook_path(const struct chan_cfg *cfg, struct arena *a)
{
	const char *path = chan_cfg_str(cfg, "webhookPath");

	if (str_empty(chan_cfg_str(cfg, "webhookUrl")))
		return NULL;
	return arena_strdup(a, str_empty(path) ? PATH_DEFAULT : path);
}

/* -- the listener of our own -- */

/* The head alone: strangers are turned away before their body is read. */
static bool admit(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct chan_acct *acct = arg;

	if (str_eq(rq->path, PATH_HEALTH) || secret_fits(chan_priv(acct), rq))
		return true;
	http_reply(call, 401, "text/plain", NULL, 0);
	return false;
}

static CH_FIBER void on_health(struct http_call *call, const struct http_request *rq, void *arg)
{
	http_reply(call, 200, "text/plain", "ok", 2);
}

static CH_FIBER void on_post(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct chan_webhook_reply reply = { .status = 500 };

	tg_hook(arg, rq, &reply);
	if (reply.is_accepted)
		http_reply_header(call, "x-openclaw-delivery-accepted", "durable");
	http_reply(call, reply.status, "text/plain", NULL, 0);
}

struct listener {
	struct http_server *server;      /* NULL: the gateway's port alone serves the path */
	struct http_route routes[3];     /* referenced by the server */
};

static void listener_done(struct listener *w)
{
	if (!w->server)
		return;
	fiber_mask(1);
	http_server_stop(w->server, fiber_deadline(STOP_MS));
	fiber_mask(-1);
	http_server_free(CH_TAKE(w->server));
}

/* A taken port is no reason to be deaf: the path is served on the gateway's port as well. */
static ch_status listen_at(struct chan_acct *acct, const char *path, struct listener *w, char *ret_detail, size_t cap)
{
	const struct chan_cfg *cfg = chan_acct_cfg(acct);
	const char *host = chan_cfg_str(cfg, "webhookHost");
	uint16_t want = (uint16_t)chan_cfg_int(cfg, "webhookPort", 8787), port = 0;
	struct ch_err err;

	w->routes[0] = (struct http_route){ "GET", PATH_HEALTH, 0, on_health };
	w->routes[1] = (struct http_route){ NULL, path, BODY_MAX, on_post };
	w->server = http_server_new(chan_loop(acct), &(struct http_server_opts){ .routes = w->routes, .arg = acct, .admit = admit });
	if (!http_server_listen(w->server, str_empty(host) ? "127.0.0.1" : host, want, NULL, &port, &err)) {
		log_info("telegram", "%s: the webhook listens on port %u", chan_acct_id(acct), port);
		return CH_OK;
	}
	listener_done(w);
	snprintf(ret_detail, cap, "the webhook is served on the gateway's port only: %s", err.text);
	return CH_E_BUSY;
}

/* -- telling Telegram -- */

static ch_status load_secret(struct chan_acct *acct, struct ch_err *err)
{
	struct telegram *tg = chan_priv(acct);
	const char *text;
	size_t n;
	ch_status st = chan_cfg_secret(chan_acct_cfg(acct), "webhookSecret", NULL, &tg->hook_secret, err);

	if (st)
		return st;
	text = secret_reveal(tg->hook_secret);
	n = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
	if (n < 1 || n > SECRET_MAX || text[n])
		return ch_fail(err, CH_E_DENIED, "webhookSecret must be 1 to %d letters, digits, _ and -", SECRET_MAX);
	return CH_OK;
}

/* With a certificate of our own making it goes along, as a file. */
static ch_status call_set_webhook(const struct tg_link *l, const struct json *params, const char *cert_path, struct arena *a,
				  struct tg_answer *ret, struct ch_err *err)
{
	CH_AUTO_MULTIPART struct multipart form = { 0 };
	CH_AUTO_BUF struct buf cert = { 0 };
	ch_status st;

	if (str_empty(cert_path))
		return tg_call(l, "setWebhook", params, TG_CALL_MS, a, ret, err);
	multipart_init(&form, CERT_MAX + 65536);
	st = file_read(cert_path, CERT_MAX, &cert, err);
	if (st)
		return ch_wrap(err, "webhookCertPath");
	json_each(v, params)
		multipart_field(&form, v->key, json_str(v) ? json_str(v) : json_to_str(a, v));
	multipart_file(&form, "certificate", "cert.pem", "application/x-pem-file", cert.data, cert.len);
	return tg_call_form(l, "setWebhook", &form, a, ret, err);
}

static ch_status set_webhook(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_LINK struct tg_link l = { 0 };
	const struct telegram *tg = chan_priv(acct);
	struct json *params = json_new_obj(a), *kinds = NULL;
	struct tg_answer answer = { 0 };
	ch_status st = json_parse(a, tg_allowed_updates, strlen(tg_allowed_updates), JSON_STRICT, &kinds, err);

	if (!st)
		st = tg_link_open(acct, &l, err);
	if (st)
		return st;
	json_set(a, params, "url", json_new_str(a, chan_cfg_str(l.cfg, "webhookUrl")));
	json_set(a, params, "secret_token", json_new_str(a, secret_reveal(tg->hook_secret)));
	json_set(a, params, "allowed_updates", kinds);
	st = call_set_webhook(&l, params, chan_cfg_str(l.cfg, "webhookCertPath"), a, &answer, err);
	/* An address that Telegram does not take: only a person can put it right. */
	return answer.code == 400 ? ch_fail(err, CH_E_DENIED, "Telegram does not take webhookUrl: %s", answer.description) : st;
}

/* -- while it stands -- */

struct look { int64_t last_error_s; bool is_ours; const char *error; };

static ch_status look(struct chan_acct *acct, struct arena *a, struct look *ret, struct ch_err *err)
{
	CH_AUTO_LINK struct tg_link l = { 0 };
	struct tg_answer answer;
	ch_status st = tg_link_open(acct, &l, err);

	if (!st)
		st = tg_call(&l, "getWebhookInfo", NULL, TG_CALL_MS, a, &answer, err);
	if (st)
		return st;
	*ret = (struct look){
		.last_error_s = json_get_int(answer.result, "last_error_date", 0),
		.is_ours = str_eq(json_get_str(answer.result, "url"), chan_cfg_str(l.cfg, "webhookUrl")),
		.error = json_str_or(json_get(answer.result, "last_error_message"), ""),
	};
	return CH_OK;
}

/* Until something is wrong that a new run can put right. */
static ch_status watch(struct chan_acct *acct, const char *detail, bool is_degraded, struct ch_err *err)
{
	int64_t seen_s = -1;
	ch_status st = CH_OK;

	while (!st) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct look now;

		st = fiber_sleep(LOOK_MS);
		if (!st)
			st = look(acct, a, &now, err);
		if (st)
			return st;
		chan_alive(acct);
		if (!now.is_ours)
			return ch_fail(err, CH_E_CONFLICT, "the webhook was changed by another program; it is set again");
		if (seen_s >= 0 && now.last_error_s > seen_s)
			chan_state(acct, CHAN_DEGRADED, arena_printf(a, "Telegram cannot reach webhookUrl: %.160s", now.error));
		else
			chan_state(acct, is_degraded ? CHAN_DEGRADED : CHAN_CONNECTED, detail);
		seen_s = now.last_error_s;
	}
	return st;
}

CH_FIBER ch_status tg_hook_run(struct chan_acct *acct, const char *warning, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *path = tg_hook_path(chan_acct_cfg(acct), a);
	__attribute__((cleanup(listener_done))) struct listener own = { 0 };
	char detail[CH_ERR_TEXT_MAX + 64] = "";
	bool is_degraded;
	ch_status st;

	if (path[0] != '/' || str_eq(path, PATH_HEALTH) || strpbrk(path, "*?#"))
		return ch_fail(err, CH_E_DENIED, "webhookPath must be a path of its own, not %s", PATH_HEALTH);
	st = load_secret(acct, err);
	if (st)
		return st;
	is_degraded = listen_at(acct, path, &own, detail, sizeof(detail)) != CH_OK;
	st = set_webhook(acct, err);
	if (st)
		return st;
	chan_state(acct, is_degraded ? CHAN_DEGRADED : CHAN_CONNECTED, is_degraded ? detail : warning);
	return watch(acct, is_degraded ? detail : warning, is_degraded, err);
}
