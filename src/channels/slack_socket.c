/*
 * channels/slack_socket.c - Socket Mode: a WebSocket of envelopes.
 *
 *	apps.connections.open -> wss address with a ticket -> hello -> envelope … -> {"envelope_id"} …
 *
 * An envelope is acknowledged when what it brings is durable; without that Slack brings it again, here or on another socket.
 * Slack renews its sockets every few hours and says so before: the next one is open before the old one is closed.
 * Liveness is that of the WebSocket: Slack pings, and is pinged when it is silent.
 * The address holds a ticket: it is kept as a secret and never logged.
 */
#include "channels/slack.h"

#include "channels/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "net/ws_client.h"

#define OPEN_MS 15000
#define PING_MS 10000                    /* silence before we ask */
#define SILENCE_MS 30000                 /* … before the socket is taken for dead */
#define CLOSE_MS 2000
#define RENEWALS_MAX 6                   /* … within RENEWALS_MS; more often is a failure, with the core's backoff */
#define RENEWALS_MS 60000

enum turn { GO_ON, RENEW };

static CH_FIBER ch_status dial(struct chan_acct *acct, const char *address, struct ws_client **ret, struct ch_err *err)
{
	const struct chan_cfg *cfg = chan_acct_cfg(acct);
	CH_AUTO(secret_unref) CH_UNUSED struct secret *hidden = secret_new(address);     /* no log shows the ticket */
	ch_status st;

	if (!slack_is_ours(cfg, address))
		return ch_fail(err, CH_E_PEER, "apps.connections.open: Slack named an address that is not its own");
	st = ws_client_open(chan_loop(acct), chan_http(acct),
			    &(struct ws_client_opts){
				    .url = address,
				    .guard = slack_guard(cfg, address),
				    .message_max = SLACK_ENVELOPE_MAX,
				    .deadline_ms = fiber_deadline(OPEN_MS),
			    },
			    ret, err);
	return st == CH_E_CANCELED || !st ? st : ch_fail(err, st, "the socket to Slack could not be opened (%s)", ch_status_name(st));
}

static CH_FIBER ch_status open_socket(struct chan_acct *acct, struct ws_client **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct slack_answer answer;
	const char *address;
	ch_status st = slack_call(acct, SLACK_APP, "apps.connections.open", NULL, fiber_deadline(SLACK_CALL_MS), a, &answer, err);

	/* A refusal here is not of a message but of the mode: appToken, its scope connections:write, the app's switch. */
	if (st && answer.outcome == CHAN_REFUSED)
		return ch_fail(err, CH_E_DENIED, "Socket Mode: %s: switch it on for the app, and give appToken connections:write",
			       answer.error ? answer.error : "refused");
	if (st)
		return st;
	address = json_get_str(answer.body, "url");
	return address ? dial(acct, address, ret, err) : ch_fail(err, CH_E_PEER, "apps.connections.open: Slack named no address");
}

/* -- envelopes -- */

static CH_FIBER ch_status acknowledge(struct ws_client *ws, const char *envelope_id, const char *text, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = 16384 };
	struct jw w = JW(&out);
	ch_status st;

	jw_obj(&w);
	jw_kstr(&w, "envelope_id", envelope_id);
	if (text) {
		jw_kobj(&w, "payload");
		jw_kstr(&w, "text", text);
		jw_end(&w);
	}
	jw_end(&w);
	st = buf_status(&out, err, "an acknowledgement");
	return st ? st : ws_client_send(ws, out.data, out.len, fiber_deadline(OPEN_MS), err);
}

static CH_FIBER ch_status take_envelope(struct chan_acct *acct, struct ws_client *ws, const char *type, const struct json *frame,
					struct arena *a, struct ch_err *err)
{
	const char *id = json_get_str(frame, "envelope_id"), *text = NULL;
	enum slack_source source;
	ch_status st;

	if (!id)
		return CH_OK;
	if (str_eq(type, "events_api"))
		source = SLACK_EVENT;
	else if (str_eq(type, "interactive"))
		source = SLACK_INTERACTION;
	else if (str_eq(type, "slash_commands"))
		source = SLACK_COMMAND;
	else
		return acknowledge(ws, id, NULL, err); /* nothing we asked for */
	st = slack_take(acct, source, json_get(frame, "payload"), a, &text, err);
	if (st == CH_E_CANCELED)
		return st;
	if (st) {
		chan_acct_log(acct, "an event was not taken, Slack brings it again: %s", err->text);
		return CH_OK;
	}
	return acknowledge(ws, id, text, err);
}

static ch_status on_disconnect(const struct json *frame, enum turn *ret, struct ch_err *err)
{
	const char *reason = json_get_str(frame, "reason");

	if (str_eq(reason, "link_disabled"))
		return ch_fail(err, CH_E_DENIED, "Socket Mode was switched off for the app: switch it on at api.slack.com/apps");
	if (str_eq(reason, "too_many_websockets"))
		return ch_fail(err, CH_E_PEER, "the app has as many sockets open as it may (10): end other programs that use this appToken");
	*ret = RENEW; /* "warning", "refresh_requested" */
	return CH_OK;
}

/* Two tokens of two apps: each is good, and no event of the one that speaks ever comes. */
static void on_hello(struct chan_acct *acct, const struct json *frame)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct slack *s = chan_priv(acct);
	const char *app_id = json_get_str(json_get(frame, "connection_info"), "app_id");

	if (!app_id || !s->app_id || str_eq(app_id, s->app_id))
		chan_state(acct, CHAN_CONNECTED, NULL);
	else
		chan_state(acct, CHAN_DEGRADED, arena_printf(a, "appToken is of the app %s and botToken of %s: take both from one app",
							      app_id, s->app_id));
}

static CH_FIBER ch_status take_frame(struct chan_acct *acct, struct ws_client *ws, const char *text, size_t len, enum turn *ret,
				     struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *frame = NULL;
	const char *type;

	if (json_parse(a, text, len, JSON_STRICT, &frame, NULL))
		return ch_fail(err, CH_E_PEER, "Slack sent something that is not JSON");
	type = json_get_str(frame, "type");
	if (str_eq(type, "hello")) {
		on_hello(acct, frame);
		return CH_OK;
	}
	if (str_eq(type, "disconnect"))
		return on_disconnect(frame, ret, err);
	return take_envelope(acct, ws, type, frame, a, err);
}

/* -- the life of a socket -- */

/* Nothing came for a while: is anybody there? */
static ch_status on_silence(struct ws_client *ws, struct ch_err *err)
{
	if (now_mono_ms() - ws_client_heard_ms(ws) >= SILENCE_MS)
		return ch_fail(err, CH_E_TIMEOUT, "Slack has been silent for %d s", SILENCE_MS / 1000);
	ws_client_ping(ws);
	return CH_OK;
}

static CH_FIBER ch_status serve(struct chan_acct *acct, struct ws_client *ws, struct ch_err *err)
{
	enum turn turn = GO_ON;
	ch_status st = CH_OK;

	while (!st && turn == GO_ON) {
		char *text;
		size_t len;

		st = slack_check_login(acct, err);
		if (st)
			break;
		st = ws_client_read(ws, fiber_deadline(PING_MS), &text, &len, err);
		if (now_mono_ms() - ws_client_heard_ms(ws) < PING_MS)
			chan_alive(acct);
		if (st == CH_E_TIMEOUT)
			st = on_silence(ws, err);
		else if (!st)
			st = take_frame(acct, ws, text, len, &turn, err);
	}
	return st == CH_E_EOF ? ch_fail(err, CH_E_PEER, "Slack closed the socket") : st;
}

static CH_FIBER void close_socket(struct ws_client *ws)
{
	if (!ws)
		return;
	fiber_mask(1);
	ws_client_close(ws, 1000, "", fiber_deadline(CLOSE_MS));
	fiber_mask(-1);
}

CH_FIBER ch_status slack_socket_run(struct chan_acct *acct, struct ch_err *err)
{
	struct ws_client *ws = NULL, *before = NULL;
	int64_t since_ms = now_mono_ms();
	int renewals = 0;
	ch_status st;

	do {
		st = open_socket(acct, &ws, err);
		close_socket(CH_TAKE(before));
		if (st)
			return st;
		st = serve(acct, ws, err);
		before = CH_TAKE(ws);
		if (now_mono_ms() - since_ms >= RENEWALS_MS) {
			since_ms = now_mono_ms();
			renewals = 0;
		}
		if (!st && ++renewals > RENEWALS_MAX)
			st = ch_fail(err, CH_E_PEER, "Slack renews its sockets too fast");
	} while (!st);
	close_socket(before);
	return st;
}
