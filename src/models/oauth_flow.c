/*
 * models/oauth_flow.c - the code flow: PKCE, the loopback callback, a pasted redirect.
 *
 *	begin -> url shown -> callback or paste -> wait returns -> exchange
 *
 * The callback answers only on loopback and only to a request that carries our
 * state; anything else that comes by is told so and forgotten.
 */
#include <string.h>

#include "core/crypto.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "models/oauth_priv.h"
#include "net/http_server.h"
#include "net/url.h"

#define STATE_BYTES 24
#define CODE_MAX 4096
#define STOP_MS 500

struct oauth_attempt {
	struct arena *arena;
	const struct oauth_server *server;
	struct http_server *http;        /* NULL: the port was taken */
	struct http_route routes[2];
	char verifier[OAUTH_VERIFIER_LEN + 1];
	char state[2 * STATE_BYTES];
	const char *redirect_uri, *url;
	struct secret *code;             /* once it is there */
	struct ch_err refusal;           /* code set: the server said no */
	struct fiber_cond changed;
};

/* ---- PKCE and the URL ---- */

void oauth_challenge(const char *verifier, char ret_text[OAUTH_VERIFIER_LEN + 1])
{
	uint8_t digest[SHA256_LEN];

	sha256(verifier, strlen(verifier), digest);
	b64url_encode(digest, sizeof(digest), ret_text);
}

char *oauth_authorize_url(struct arena *a, const struct oauth_server *s, const char *redirect_uri,
			  const char *verifier, const char *state)
{
	char challenge[OAUTH_VERIFIER_LEN + 1];
	struct oauth_form f;
	char *url;

	oauth_challenge(verifier, challenge);
	oauth_form_init(&f);
	oauth_form_add(&f, "response_type", "code");
	oauth_form_add(&f, "client_id", s->client_id);
	oauth_form_add(&f, "redirect_uri", redirect_uri);
	oauth_form_add(&f, "scope", s->scope);
	oauth_form_add(&f, "code_challenge", challenge);
	oauth_form_add(&f, "code_challenge_method", "S256");
	oauth_form_add(&f, "state", state);
	for (size_t i = 0; s->extra && s->extra[i]; i += 2)
		oauth_form_add(&f, s->extra[i], s->extra[i + 1]);
	url = arena_printf(a, "%s%c%s", s->authorize_url, strchr(s->authorize_url, '?') ? '&' : '?',
			   buf_str(&f.body));
	oauth_form_done(&f);
	return url;
}

/* ---- what comes back ---- */

static ch_status read_query(struct arena *a, const struct oauth_server *s, const char *query, const char *state,
			    const char **ret_code, struct ch_err *err)
{
	const char *got = url_query_get(a, query, "state"), *iss = url_query_get(a, query, "iss");
	const char *error = url_query_get(a, query, "error"),
		   *words = url_query_get(a, query, "error_description");
	const char *code = url_query_get(a, query, "code");

	if (!ct_str_equal(got, state))
		return ch_fail(err, CH_E_INVALID,
			       "this answer belongs to another sign-in: open the link once more");
	if (iss && s->issuer && !str_eq(iss, s->issuer))
		return ch_fail(err, CH_E_INVALID, "the answer is from %s, not from %s", log_quote(iss),
			       s->issuer);
	if (error)
		return ch_fail(err, CH_E_DENIED, "%s refused the sign-in: %s (%s)", s->provider, log_quote(error),
			       log_quote(words ? words : "no reason given"));
	if (str_empty(code) || strlen(code) > CODE_MAX)
		return ch_fail(err, CH_E_INVALID, "the answer holds no code");
	*ret_code = code;
	return CH_OK;
}

ch_status oauth_read_redirect(struct arena *a, const struct oauth_server *s, const char *text, const char *state,
			      const char **ret_code, struct ch_err *err)
{
	const char *line = str_trim(a, text), *query = strchr(line, '?'), *scheme = strstr(line, "://");

	/* A query may hold an address as it is: scopes are such, and issuers. */
	if (scheme && (!query || scheme < query) && !memchr(line, '&', (size_t)(scheme - line))) {
		struct url u;
		ch_status st = url_parse(a, line, &u, err);

		return st ? st : read_query(a, s, u.query ? u.query : "", state, ret_code, err);
	}
	if (strstr(line, "state=") || strstr(line, "error="))
		return read_query(a, s, query ? query + 1 : line, state, ret_code, err);
	if (!*line || strlen(line) > CODE_MAX || strpbrk(line, " \t\r\n&=?"))
		return ch_fail(err, CH_E_INVALID,
			       "paste the whole address that the browser was sent to, or the code in it");
	*ret_code = line;
	return CH_OK;
}

/* ---- an attempt ---- */

static void settle(struct oauth_attempt *t, const char *code, const struct ch_err *refusal)
{
	if (t->code || t->refusal.code)
		return;                  /* the other way was faster */
	if (code)
		t->code = secret_new(code);
	else
		t->refusal = *refusal;
	fiber_cond_broadcast(&t->changed);
}

static ch_status take_answer(struct oauth_attempt *t, const char *text, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ch_err why = { .text = "" };
	const char *code = NULL;
	ch_status st = oauth_read_redirect(a, t->server, text, t->state, &code, &why);

	if (!st || st == CH_E_DENIED)
		settle(t, code, &why);
	return st ? ch_fail(err, st, "%s", why.text) : CH_OK;
}

static void reply_page(struct http_call *call, int status, const char *title, const char *words)
{
	CH_AUTO_BUF struct buf page = { 0 };

	buf_init(&page, 4096);
	buf_printf(&page,
		   "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>%s</title>"
		   "<body style=\"font:1rem/1.5 sans-serif;margin:4rem "
		   "auto;max-width:30rem\"><h1>%s</h1><p>%s</p></body></html>",
		   title, title, words);
	http_reply_header(call, "cache-control", "no-store");
	http_reply_header(call, "referrer-policy", "no-referrer");
	http_reply_header(call, "content-security-policy", "default-src 'none'; style-src 'unsafe-inline'");
	http_reply(call, status, "text/html; charset=utf-8", page.data, page.len);
}

static CH_FIBER void on_callback(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct oauth_attempt *t = arg;
	const char *text = arena_printf(rq->arena, "?%s", rq->query ? rq->query : "");
	ch_status st = take_answer(t, strstr(text, "state=") ? text : "?state=", NULL);

	/* What the server says is not put into the page: it comes through the browser's address bar. */
	if (!st)
		reply_page(call, 200, "Signed in", "Close this window and go back to chela.");
	else if (st == CH_E_DENIED)
		reply_page(call, 200, "Not signed in", "The sign-in was refused. chela shows the reason.");
	else
		reply_page(call, 400, "Not for us", "This is not the answer to the sign-in that is under way.");
}

/* Both loopbacks: a browser may take "localhost" for either. */
static bool start_listening(struct oauth_attempt *t, struct loop *l, uint16_t *port, struct ch_err *err)
{
	const struct http_server_opts opts = { .routes = t->routes, .arg = t, .conns_max = 16 };

	t->routes[0] =
		(struct http_route){ .method = "GET", .path = t->server->callback_path, .run = on_callback };
	t->http = http_server_new(l, &opts);
	if (http_server_listen(t->http, "127.0.0.1", *port, NULL, port, err)) {
		http_server_free(CH_TAKE(t->http));
		return false;
	}
	if (str_eq(t->server->callback_host, "localhost") &&
	    http_server_listen(t->http, "::1", *port, NULL, NULL, NULL))
		log_debug("models", "no callback on ::1");
	return true;
}

ch_status oauth_attempt_begin(struct loop *l, const struct oauth_server *s, struct oauth_attempt **ret,
			      struct ch_err *err)
{
	struct oauth_attempt *t;
	uint16_t port = s->callback_port;

	if (!s->authorize_url)
		return ch_fail(err, CH_E_UNSUPPORTED, "%s has no sign-in by browser: use --device", s->provider);
	t = ch_alloc(sizeof(*t));
	t->arena = arena_new(0);
	t->server = s;
	fiber_cond_init(&t->changed);
	rand_token(32, t->verifier);
	rand_token(STATE_BYTES, t->state);
	(void)!start_listening(t, l, &port, err);        /* pasting works without; see oauth_attempt_listens() */
	t->redirect_uri =
		arena_printf(t->arena, "http://%s:%u%s", s->callback_host, port ? port : 1, s->callback_path);
	t->url = oauth_authorize_url(t->arena, s, t->redirect_uri, t->verifier, t->state);
	*ret = t;
	return CH_OK;
}

const char *oauth_attempt_url(const struct oauth_attempt *t)
{
	return t->url;
}

bool oauth_attempt_listens(const struct oauth_attempt *t)
{
	return t->http != NULL;
}

ch_status oauth_attempt_paste(struct oauth_attempt *t, const char *text, struct ch_err *err)
{
	return take_answer(t, text, err);
}

CH_FIBER ch_status oauth_attempt_wait(struct oauth_attempt *t, int64_t deadline_ms, struct ch_err *err)
{
	while (!t->code && !t->refusal.code) {
		ch_status st = fiber_cond_wait(&t->changed, deadline_ms);

		if (st)
			return ch_fail(err, st,
				       st == CH_E_TIMEOUT ? "nobody signed in in time"
							  : "the sign-in was given up");
	}
	return t->code ? CH_OK : ch_fail(err, t->refusal.code, "%s", t->refusal.text);
}

CH_FIBER ch_status oauth_attempt_exchange(struct oauth_attempt *t, struct http_client *http, struct arena *a,
					  struct oauth_tokens *ret, struct ch_err *err)
{
	struct oauth_form f;
	ch_status st;

	oauth_form_init(&f);
	oauth_form_add(&f, "grant_type", "authorization_code");
	oauth_form_add(&f, "code", secret_reveal(t->code));
	oauth_form_add(&f, "redirect_uri", t->redirect_uri);
	oauth_form_add(&f, "code_verifier", t->verifier);
	st = oauth_request_tokens(http, t->server, &f, a, "the sign-in", ret, NULL, err);
	oauth_form_done(&f);
	return st;
}

CH_FIBER void oauth_attempt_free(struct oauth_attempt *t)
{
	if (!t)
		return;
	if (t->http) {
		http_server_stop(t->http, fiber_deadline(STOP_MS));
		http_server_free(t->http);
	}
	secret_unref(t->code);
	arena_unref(t->arena);
	ch_free_wipe(t, sizeof(*t));
}
