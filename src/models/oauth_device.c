/*
 * models/oauth_device.c - signing in on another device (RFC 8628): a short code is typed there while we ask.
 */
#include <string.h>

#include "core/fiber.h"
#include "core/str.h"
#include "models/oauth_priv.h"

#define GRANT "urn:ietf:params:oauth:grant-type:device_code"
#define INTERVAL_MS 5000                 /* RFC 8628 3.2: where the server does not say; also the step of slow_down */
#define INTERVAL_MAX_MS 60000
#define LIFETIME_MS 900000
#define LIFETIME_MAX_MS 3600000

void oauth_device_done(struct oauth_device *d)
{
	secret_unref(CH_TAKE(d->code));
}

static int64_t seconds_between(const struct json *body, const char *name, int64_t def_ms, int64_t min_ms,
			       int64_t max_ms)
{
	int64_t s = json_get_int(body, name, -1);

	return s < 0 ? def_ms : CH_MIN(CH_MAX(CH_MIN(s, INT32_MAX) * 1000, min_ms), max_ms);
}

static ch_status read_codes(const struct json *body, struct oauth_device *ret, struct ch_err *err)
{
	const char *code = json_get_str(body, "device_code");

	*ret = (struct oauth_device){
		.user_code = json_get_str(body, "user_code"),
		.url = json_get_str(body, "verification_uri"),
		.url_complete = json_get_str(body, "verification_uri_complete"),
		.interval_ms = seconds_between(body, "interval", INTERVAL_MS, 1000, INTERVAL_MAX_MS),
		.lifetime_ms = seconds_between(body, "expires_in", LIFETIME_MS, 1000, LIFETIME_MAX_MS),
	};
	if (str_empty(code) || str_empty(ret->user_code) || str_empty(ret->url))
		return ch_fail(err, CH_E_PEER, "the server's answer has no code to type in");
	ret->code = secret_new(code);
	return CH_OK;
}

CH_FIBER ch_status oauth_device_begin(struct http_client *http, const struct oauth_server *s, struct arena *a,
				      struct oauth_device *ret, struct ch_err *err)
{
	struct oauth_form f;
	struct oauth_reply r = { 0 };
	ch_status st;

	if (!s->device_url)
		return ch_fail(err, CH_E_UNSUPPORTED, "%s has no sign-in by device code", s->provider);
	oauth_form_init(&f);
	oauth_form_add(&f, "client_id", s->client_id);
	oauth_form_add(&f, "client_secret", secret_reveal(s->client_secret));
	oauth_form_add(&f, "scope", s->scope);
	st = oauth_post(http, s, s->device_url, &f, a, &r, err);
	oauth_form_done(&f);
	if (st)
		return st;
	if (r.status != 200)
		return oauth_refused(&r, "asking for a device code", err);
	return read_codes(r.body, ret, err);
}

/* CH_OK with tokens; CH_E_BUSY: not decided yet. */
static CH_FIBER ch_status poll_once(struct http_client *http, const struct oauth_server *s,
				    struct oauth_device *d, struct arena *a, struct oauth_tokens *ret,
				    struct ch_err *err)
{
	struct oauth_reply r = { 0 };
	struct oauth_form f;
	ch_status st;

	oauth_form_init(&f);
	oauth_form_add(&f, "grant_type", GRANT);
	oauth_form_add(&f, "device_code", secret_reveal(d->code));
	st = oauth_request_tokens(http, s, &f, a, "the sign-in", ret, &r, err);
	oauth_form_done(&f);
	if (!st || st == CH_E_CANCELED)
		return st;
	if (str_eq(r.error, "slow_down"))
		d->interval_ms = CH_MIN(d->interval_ms + INTERVAL_MS, INTERVAL_MAX_MS);
	else if (str_eq(r.error, "expired_token"))
		return ch_fail(err, CH_E_DENIED, "the code has expired before anybody typed it in: start again");
	else if (str_eq(r.error, "access_denied"))
		return ch_fail(err, CH_E_DENIED, "the sign-in was refused there");
	else if (!str_eq(r.error, "authorization_pending") && st == CH_E_DENIED)
		return st;
	else if (!r.error[0])
		d->interval_ms = CH_MIN(d->interval_ms * 2, INTERVAL_MAX_MS);   /* RFC 8628 3.5: back off when it cannot be reached */
	return CH_E_BUSY;
}

CH_FIBER ch_status oauth_device_wait(struct http_client *http, const struct oauth_server *s,
				     struct oauth_device *d, struct arena *a, struct oauth_tokens *ret,
				     struct ch_err *err)
{
	int64_t deadline_ms = fiber_deadline(d->lifetime_ms);
	struct ch_err last = { .text = "" };

	while (fiber_deadline(d->interval_ms) <= deadline_ms) {
		ch_status st = fiber_sleep(d->interval_ms);

		if (st)
			return ch_fail(err, st, "the sign-in was given up");
		st = poll_once(http, s, d, a, ret, &last);
		if (st != CH_E_BUSY)
			return st ? ch_fail(err, st, "%s", last.text) : CH_OK;
	}
	return ch_fail(err, CH_E_DENIED, "the code has expired before anybody typed it in: start again");
}
