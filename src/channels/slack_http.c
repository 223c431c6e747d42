/*
 * channels/slack_http.c - requests from Slack: one path for events, interactivity and slash commands.
 *
 * The signature is over the raw body and the moment; nothing of the body is read before it holds. A request that is sent again
 * within five minutes is the same event, and the inbox takes it once. Slack is answered when the event is durable; a failure is
 * answered by 503, and Slack brings it again (three times over an hour).
 */
#include "channels/slack.h"

#include <string.h>

#include "channels/host.h"
#include "core/clock.h"
#include "core/str.h"
#include "net/url.h"

/* -- answers -- */

static void say(struct chan_webhook_reply *reply, int status, const char *text)
{
	reply->status = status;
	reply->content_type = "text/plain";
	buf_puts(reply->body, text);
}

static void say_json(struct chan_webhook_reply *reply, const char *key, const char *text)
{
	struct jw w = JW(reply->body);

	reply->status = 200;
	reply->content_type = "application/json";
	jw_obj(&w);
	jw_kstr(&w, key, text);
	jw_end(&w);
}

/* -- bodies -- */

/* The decoded value of a form's field; '+' is a space there. */
static const char *form_value(struct arena *a, const char *body, size_t len, const char *name)
{
	char *text = arena_strndup(a, body, len);

	for (char *p = text; *p; p++)
		if (*p == '+')
			*p = ' ';
	return url_query_get(a, text, name);
}

/* A slash command's fields, as Socket Mode would bring them. */
static struct json *command_of(struct arena *a, const char *body, size_t len)
{
	static const char *const names[] = { "command", "text", "response_url", "trigger_id", "user_id", "user_name", "team_id",
					     "channel_id", "channel_name", "api_app_id", "enterprise_id", "is_enterprise_install" };
	struct json *v = json_new_obj(a);

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		const char *value = form_value(a, body, len, names[i]);

		if (value)
			json_set(a, v, names[i], json_new_str(a, value));
	}
	return v;
}

struct incoming { enum slack_source source; struct json *payload; };

static bool read_body(const struct http_request *rq, struct arena *a, struct incoming *ret)
{
	const char *type = http_header(rq, "content-type"), *payload;

	if (!str_starts(type ? type : "", "application/x-www-form-urlencoded")) {
		ret->source = SLACK_EVENT;
		return json_parse(a, rq->body, rq->body_len, JSON_STRICT, &ret->payload, NULL) == CH_OK;
	}
	payload = form_value(a, rq->body, rq->body_len, "payload");
	if (payload) {
		ret->source = SLACK_INTERACTION;
		return json_parse(a, payload, strlen(payload), JSON_STRICT, &ret->payload, NULL) == CH_OK;
	}
	ret->source = SLACK_COMMAND;
	ret->payload = command_of(a, rq->body, rq->body_len);
	return true;
}

/* -- the request -- */

static CH_FIBER bool is_signed(struct chan_acct *acct, const struct http_request *rq)
{
	CH_AUTO(secret_unref) struct secret *secret = NULL;

	if (chan_cfg_secret(chan_acct_cfg(acct), "signingSecret", "SLACK_SIGNING_SECRET", &secret, NULL))
		return false;
	return slack_signature_ok(secret_reveal(secret), http_header(rq, "x-slack-request-timestamp"), http_header(rq, "x-slack-signature"),
				  rq->body, rq->body_len, now_wall_ms());
}

CH_FIBER void slack_webhook(struct chan_acct *acct, const struct http_request *rq, struct chan_webhook_reply *reply)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct incoming in = { 0 };
	const char *text = NULL;
	struct ch_err err;
	ch_status st;

	if (!str_eq(rq->method, "POST")) {
		say(reply, 405, "POST only");
		return;
	}
	if (!is_signed(acct, rq)) {
		say(reply, 401, "the signature does not hold");
		return;
	}
	if (!read_body(rq, a, &in)) {
		say(reply, 400, "the body cannot be read");
		return;
	}
	chan_alive(acct);
	if (in.source == SLACK_EVENT && str_eq(json_get_str(in.payload, "type"), "url_verification")) {
		say_json(reply, "challenge", json_get_str(in.payload, "challenge"));
		return;
	}
	if (!chan_acct_is_up(acct)) {
		say(reply, 503, "not logged in"); /* without that we do not know who we are */
		return;
	}
	if (in.source == SLACK_EVENT && !str_eq(json_get_str(in.payload, "type"), "event_callback")) {
		say(reply, 200, ""); /* app_rate_limited and the like */
		return;
	}
	st = slack_take(acct, in.source, in.payload, a, &text, &err);
	if (st) {
		chan_acct_log(acct, "an event was not taken, Slack brings it again: %s", err.text);
		say(reply, 503, "not now");
	} else if (text) {
		say_json(reply, "text", text);
	} else {
		say(reply, 200, "");
	}
}
