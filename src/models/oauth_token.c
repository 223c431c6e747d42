/*
 * models/oauth_token.c - requests to an authorization server, and the tokens it answers with.
 */
#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "models/dialect.h"
#include "models/oauth_priv.h"

#define FORM_MAX (64u * 1024u)
#define LIFE_MAX_S (INT64_C(10) * 366 * 24 * 3600)       /* a longer promise is a mistake */

/* ---- forms ---- */

void oauth_form_init(struct oauth_form *f)
{
	buf_init(&f->body, FORM_MAX);
	/* One block from the start: growing would leave copies of secrets behind. */
	(void)!buf_reserve(&f->body, FORM_MAX - 1);
}

void oauth_form_done(struct oauth_form *f)
{
	if (f->body.data)
		explicit_bzero(f->body.data, f->body.cap);
	buf_done(&f->body);
}

/* application/x-www-form-urlencoded, with %20 for a blank, which every decoder takes. */
static void add_encoded(struct buf *b, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (const char *p = text; *p; p++) {
		if (strchr(plain, *p))
			buf_putc(b, *p);
		else
			buf_printf(b, "%%%02X", (unsigned)(unsigned char)*p);
	}
}

void oauth_form_add(struct oauth_form *f, const char *name, const char *value)
{
	if (!value)
		return;
	if (f->body.len)
		buf_putc(&f->body, '&');
	add_encoded(&f->body, name);
	buf_putc(&f->body, '=');
	add_encoded(&f->body, value);
}

/* ---- requests ---- */

static void read_error(struct oauth_reply *r)
{
	const struct json *error = json_get(r->body, "error");
	const char *code = json_str(error);

	/* RFC 6749 5.2 has a string; OpenAI's is an object. */
	if (!code)
		code = json_get_str(error, "code");
	if (!code)
		code = json_get_str(r->body, "code");
	FIELD_SET(r->error, code);
}

static CH_FIBER ch_status exchange(struct http_client *http, const struct http_out *rq, struct buf *body,
				   struct oauth_reply *ret, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	ch_status st = http_open(http, rq, &r, err);

	if (st)
		return st;
	ret->status = http_resp_status(r);
	return http_read_all(r, body, rq->headers_deadline_ms, err);
}

CH_FIBER ch_status oauth_post(struct http_client *http, const struct oauth_server *s, const char *url,
			      struct oauth_form *f, struct arena *a, struct oauth_reply *ret, struct ch_err *err)
{
	static const struct http_header headers[] = {
		{ "content-type", "application/x-www-form-urlencoded" },
		{ "accept", "application/json" },
	};
	const struct http_out rq = {
		.method = "POST",
		.url = url,
		.headers = headers,
		.header_count = CH_ARRAY_LEN(headers),
		.body = buf_str(&f->body),
		.body_len = f->body.len,
		.guard = oauth_guard(a, s, url),
		.headers_deadline_ms = fiber_deadline(OAUTH_REQUEST_MS),
		.is_single_use = true,   /* codes and refresh tokens are good once; a second use is taken for theft */
	};
	struct buf body;
	ch_status st = buf_status(&f->body, err, "the request");

	*ret = (struct oauth_reply){ .status = 0 };
	if (st)
		return st;
	buf_init(&body, OAUTH_REPLY_MAX);
	st = exchange(http, &rq, &body, ret, err);
	if (!st && body.len && json_parse(a, body.data, body.len, JSON_STRICT, &ret->body, NULL))
		ret->body = NULL;
	if (ret->body && !json_is(ret->body, JSON_OBJ))
		ret->body = NULL;
	if (body.data)
		explicit_bzero(body.data, body.cap);
	buf_done(&body);
	if (!st)
		read_error(ret);
	return st ? ch_wrap(err, "%s", s->provider) : CH_OK;
}

static const char *words_of(const struct oauth_reply *r)
{
	const char *text = json_get_str(r->body, "error_description");

	if (!text)
		text = json_get_str(json_get(r->body, "error"), "message");
	return text ? text : json_get_str(r->body, "message");
}

/* Servers that want to be asked later; everything else that is no success is a no. */
static bool is_passing(const struct oauth_reply *r)
{
	return r->status >= 500 || r->status == 429 || r->status == 408 ||
	       str_eq(r->error, "temporarily_unavailable") || str_eq(r->error, "server_error");
}

ch_status oauth_refused(const struct oauth_reply *r, const char *what, struct ch_err *err)
{
	CH_AUTO_STR char *words = log_redacted(words_of(r) ? words_of(r) : "no reason given");

	return ch_fail(err, is_passing(r) ? CH_E_PEER : CH_E_DENIED, "%s was refused: HTTP %d %s: %s", what,
		       r->status, log_quote(r->error), log_quote(words));
}

CH_FIBER ch_status oauth_request_tokens(struct http_client *http, const struct oauth_server *s,
					struct oauth_form *f, struct arena *a, const char *what,
					struct oauth_tokens *ret, struct oauth_reply *ret_reply,
					struct ch_err *err)
{
	struct oauth_reply r;
	ch_status st;

	oauth_form_add(f, "client_id", s->client_id);
	oauth_form_add(f, "client_secret", secret_reveal(s->client_secret));
	st = oauth_post(http, s, s->token_url, f, a, &r, err);
	if (st)
		return st;
	if (ret_reply)
		*ret_reply = r;
	if (r.status != 200 || r.error[0])
		return oauth_refused(&r, what, err);
	st = oauth_tokens_parse(a, r.body, now_wall_ms(), ret, err);
	return st ? ch_wrap(err, "%s", s->provider) : CH_OK;
}

/* ---- tokens ---- */

void oauth_tokens_done(struct oauth_tokens *t)
{
	secret_unref(CH_TAKE(t->access));
	secret_unref(CH_TAKE(t->refresh));
}

struct json *oauth_jwt_claims(struct arena *a, const char *jwt)
{
	const char *dot = jwt ? strchr(jwt, '.') : NULL, *end = dot ? strchr(dot + 1, '.') : NULL;
	size_t n = end ? (size_t)(end - dot - 1) : 0, len = 0;
	char *text = n && n <= AUTH_SECRET_MAX ? arena_alloc(a, n) : NULL;
	struct json *v = NULL;

	if (!text || !b64_decode(dot + 1, n, text, n, &len) || json_parse(a, text, len, JSON_STRICT, &v, NULL))
		return NULL;
	return json_is(v, JSON_OBJ) ? v : NULL;
}

/* A token as a handle; the text it was read from is wiped. */
static struct secret *take_token(const struct json *v)
{
	struct secret *s;

	if (!auth_secret_is_valid(json_str(v)) || strlen(v->str) != v->len)
		return NULL;
	s = secret_new(v->str);
	explicit_bzero((char *)v->str, v->len);
	return s;
}

static const char *account_of(const struct json *claims)
{
	const char *id = json_get_str(json_get(claims, "https://api.openai.com/auth"), "chatgpt_account_id");

	return id;
}

ch_status oauth_tokens_parse(struct arena *a, struct json *reply, int64_t now_wall, struct oauth_tokens *ret,
			     struct ch_err *err)
{
	const struct json *id_claims = oauth_jwt_claims(a, json_get_str(reply, "id_token"));
	const struct json *claims = oauth_jwt_claims(a, json_get_str(reply, "access_token"));
	int64_t life_s = json_get_int(reply, "expires_in", 0);
	const char *type = json_get_str(reply, "token_type");

	if (type && !str_ieq(type, "bearer"))
		return ch_fail(err, CH_E_UNSUPPORTED,
			       "the server gives tokens of the kind %s, which are not spoken here",
			       log_quote(type));
	*ret = (struct oauth_tokens){
		.access = take_token(json_get(reply, "access_token")),
		.refresh = take_token(json_get(reply, "refresh_token")),
		.email = json_get_str(id_claims, "email"),
		.account_id = account_of(claims) ? account_of(claims) : account_of(id_claims),
	};
	if (!ret->access) {
		oauth_tokens_done(ret);
		return ch_fail(err, CH_E_PEER, "the server's answer has no access token");
	}
	if (life_s > 0)
		ret->expires_at = now_wall + CH_MIN(life_s, LIFE_MAX_S) * 1000;
	return CH_OK;
}
