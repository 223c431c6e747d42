/*
 * models/aws_target.c - a request to Amazon Bedrock: where it goes, and its
 * signature, which is made anew for each attempt since it holds the time.
 *
 * A key of the configuration (models.providers.<id>.apiKey) is a Bedrock API
 * key and shown as a bearer token; then nothing here is asked.
 */
#include "core/clock.h"
#include "core/str.h"
#include "models/attempt.h"
#include "net/url.h"

#define SERVICE "bedrock"

static const struct json *conf_of(const struct model_target *t)
{
	return provider_object(t->config, t->entry->provider);
}

bool aws_signs(const struct model_target *t)
{
	return t->dialect->auth == AUTH_AWS && !json_get(conf_of(t), "apiKey");
}

static const char *region_for(const struct model_target *t, struct arena *a)
{
	const char *region = json_get_str(conf_of(t), "region");

	return str_empty(region) ? aws_region(a) : region;
}

const char *aws_base_url(const struct model_target *t, struct arena *a)
{
	if (json_get(conf_of(t), "baseUrl"))
		return t->entry->base_url;
	return arena_printf(a, "https://bedrock-runtime.%s.amazonaws.com", region_for(t, a));
}

/* Host as it will stand in the request. */
static ch_status set_place(struct model_target *t, struct arena *a, struct ch_err *err)
{
	struct url url;
	ch_status st = url_parse(a, t->url, &url, err);
	const char *region = aws_region_of_url(a, t->url);
	bool is_usual;

	if (st)
		return st;
	is_usual = url.port == (str_eq(url.scheme, "https") ? 443 : 80);
	t->aws.host = url.host_is_ipv6 ? arena_printf(a, "[%s]", url.host) : url.host;
	if (!is_usual)
		t->aws.host = arena_printf(a, "%s:%u", t->aws.host, url.port);
	t->aws.path = url.path;
	t->aws.region = region ? region : region_for(t, a);
	return CH_OK;
}

CH_FIBER ch_status aws_prepare(struct model_target *t, struct arena *a, struct ch_err *err)
{
	const struct aws_want want = {
		.http = t->m->opts.http,
		.cache = &t->m->aws,
		.may_ask_instance = str_eq(json_get_str(conf_of(t), "auth"), "aws-sdk"),
	};
	ch_status st = set_place(t, a, err);

	if (st)
		return st;
	st = aws_creds_load(&want, &t->aws.creds, err);
	if (st || !t->aws.creds.bearer)
		return st;
	buf_printf(&t->credentials, "Bearer %s", secret_reveal(t->aws.creds.bearer));
	target_set_header(t, "authorization", buf_str(&t->credentials));
	return buf_status(&t->credentials, err, "the key");
}

ch_status aws_sign_attempt(struct model_target *t, struct ch_err *err)
{
	const struct aws_creds *c = &t->aws.creds;
	const struct aws_keys keys = { secret_reveal(c->id), secret_reveal(c->key), secret_reveal(c->token) };
	const struct aws_request rq = {
		.method = "POST", .host = t->aws.host, .path = t->aws.path, .content_type = "application/json",
		.service = SERVICE, .region = t->aws.region, .body = t->body, .body_len = t->body_len,
		.wall_ms = now_wall_ms(),
	};

	if (!c->id)
		return CH_OK;
	buf_clear(&t->credentials);
	aws_sign(&rq, &keys, t->aws.date, &t->credentials);
	target_set_header(t, "x-amz-date", t->aws.date);
	if (keys.token)
		target_set_header(t, "x-amz-security-token", keys.token);
	target_set_header(t, "authorization", buf_str(&t->credentials));
	return buf_status(&t->credentials, err, "the signature");
}
