/* models/oauth*: PKCE, what comes back from a browser, tokens, and refreshing with one flight per profile. */
#include "models/oauth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../net/raw_peer.h"
#include "core/clock.h"
#include "core/str.h"
#include "models/auth_priv.h"
#include "models/auth_status.h"
#include "models/models_priv.h"
#include "models/oauth_priv.h"
#include "net/url.h"

static struct ch_err err;

/* ---- PKCE ---- */

/* RFC 7636 appendix B. */
static void test_challenge(void **state)
{
	char got[OAUTH_VERIFIER_LEN + 1];

	oauth_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", got);
	assert_string_equal(got, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
}

static const struct oauth_server plain = {
	.provider = "acme",
	.issuer = "https://id.example.org",
	.authorize_url = "https://id.example.org/auth",
	.token_url = "https://id.example.org/token",
	.client_id = "c&1",
	.scope = "openid email",
};

static void test_authorize_url(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct oauth_server s = plain;
	const char *const extra[] = { "prompt", "login now", NULL };

	assert_string_equal(
		oauth_authorize_url(a, &s, "http://127.0.0.1:7/cb",
				    "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "st"),
		"https://id.example.org/auth?response_type=code&client_id=c%261&redirect_uri="
		"http%3A%2F%2F127.0.0.1%3A7%2Fcb&scope=openid%20email&code_challenge="
		"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM&code_challenge_method=S256&state=st");
	s.authorize_url = "https://id.example.org/auth?tenant=x";
	s.extra = extra;
	assert_non_null(strstr(oauth_authorize_url(a, &s, "r", "v", "st"), "/auth?tenant=x&response_type=code"));
	assert_non_null(strstr(oauth_authorize_url(a, &s, "r", "v", "st"), "&prompt=login%20now"));
}

static void test_redirects(void **state)
{
	static const struct { const char *text; ch_status st; const char *code; } rows[] = {
		{ "http://localhost:1455/auth/callback?code=abc&state=S", CH_OK, "abc" },
		{ "  http://localhost:1455/auth/callback?state=S&code=a%2Fb&scope=x \r\n", CH_OK, "a/b" },
		{ "http://127.0.0.1:1/cb?code=abc&state=S&iss=https%3A%2F%2Fid.example.org", CH_OK, "abc" },
		{ "?code=abc&state=S", CH_OK, "abc" },
		{ "code=abc&state=S", CH_OK, "abc" },
		{ "?code=abc&state=S&scope=openid+https://www.example.org/auth/email", CH_OK, "abc" },
		{ "?iss=https://id.example.org&code=abc&state=S", CH_OK, "abc" },
		{ "code=abc&state=S&iss=https://id.example.org", CH_OK, "abc" },
		{ "abc", CH_OK, "abc" },
		{ "http://127.0.0.1:1/cb?code=abc&state=X", CH_E_INVALID, NULL },
		{ "http://127.0.0.1:1/cb?code=abc", CH_E_INVALID, NULL },
		{ "http://127.0.0.1:1/cb?state=S", CH_E_INVALID, NULL },
		{ "http://127.0.0.1:1/cb?state=S&code=", CH_E_INVALID, NULL },
		{ "http://127.0.0.1:1/cb?code=abc&state=S&iss=https%3A%2F%2Fevil.example", CH_E_INVALID, NULL },
		{ "http://127.0.0.1:1/cb", CH_E_INVALID, NULL },
		{ "http://127.0.0.1:1/cb?error=access_denied&state=S", CH_E_DENIED, NULL },
		{ "error=access_denied&error_description=no&state=S", CH_E_DENIED, NULL },
		{ "error=access_denied", CH_E_INVALID, NULL },
		{ "", CH_E_INVALID, NULL },
		{ "two words", CH_E_INVALID, NULL },
		{ "https://", CH_E_INVALID, NULL },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		const char *code = NULL;
		ch_status st = oauth_read_redirect(a, &plain, rows[i].text, "S", &code, &err);

		if (st != rows[i].st)
			fail_msg("'%s': %s (%s)", rows[i].text, ch_status_name(st), err.text);
		if (rows[i].code)
			assert_string_equal(code, rows[i].code);
	}
}

/* ---- tokens ---- */

/* {"email":"me@example.org","https://api.openai.com/auth":{"chatgpt_account_id":"acc-1"}} */
#define CLAIMS                                                                                               \
	"eyJlbWFpbCI6Im1lQGV4YW1wbGUub3JnIiwiaHR0cHM6Ly9hcGkub3BlbmFpLmNvbS9hdXRoIjp7ImNoYXRncHRfYWNjb3VudF" \
	"9pZCI6ImFjYy0xIn19"

static struct json *parse(struct arena *a, const char *text)
{
	struct json *v = NULL;

	assert_int_equal(json_parse(a, text, strlen(text), JSON_STRICT, &v, &err), CH_OK);
	return v;
}

static void test_tokens(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct oauth_tokens t;
	struct json *v =
		parse(a, "{\"access_token\":\"x." CLAIMS ".y\",\"refresh_token\":\"r-1\",\"expires_in\":60,"
			 "\"token_type\":\"Bearer\",\"id_token\":\"x." CLAIMS ".y\"}");

	assert_int_equal(oauth_tokens_parse(a, v, 1000, &t, &err), CH_OK);
	assert_true(secret_equal(t.access, "x." CLAIMS ".y"));
	assert_true(secret_equal(t.refresh, "r-1"));
	assert_int_equal(t.expires_at, 61000);
	assert_string_equal(t.email, "me@example.org");
	assert_string_equal(t.account_id, "acc-1");
	/* The text they were read from holds them no more. */
	assert_string_equal(json_get_str(v, "refresh_token"), "");
	oauth_tokens_done(&t);
	assert_int_equal(oauth_tokens_parse(a, parse(a, "{\"access_token\":\"a\"}"), 1000, &t, &err), CH_OK);
	assert_null(t.refresh);
	assert_int_equal(t.expires_at, 0);
	assert_null(t.email);
	oauth_tokens_done(&t);
}

static void test_bad_tokens(void **state)
{
	static const char *const bodies[] = {
		"{}",
		"{\"access_token\":\"\"}",
		"{\"access_token\":7}",
		"{\"access_token\":\"a\\u0000b\"}",
		"{\"access_token\":\"a\\r\\nx-evil: 1\"}",
		"{\"access_token\":\"a\",\"token_type\":\"DPoP\"}",
	};
	static const char *const jwts[] = { "", "a", "a.b", "a..c", "a.!!.c", "a.bnVsbA.c", "a.eyJ4Ijo.c" };

	for (size_t i = 0; i < CH_ARRAY_LEN(bodies); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct oauth_tokens t;

		assert_int_not_equal(oauth_tokens_parse(a, parse(a, bodies[i]), 0, &t, &err), CH_OK);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(jwts); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);

		assert_null(oauth_jwt_claims(a, jwts[i]));
	}
}

/* ---- servers ---- */

static void test_builtin(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t n;
	const struct oauth_server *s = oauth_builtin_servers(&n);

	for (size_t i = 0; i < n; i++) {
		assert_true(model_endpoint_find(s[i].provider) != NULL);
		assert_int_equal(oauth_check_url(a, "x", s[i].authorize_url, &err), CH_OK);
		assert_int_equal(oauth_check_url(a, "x", s[i].token_url, &err), CH_OK);
		assert_true(str_starts(s[i].token_url, "https://"));
		assert_false(s[i].is_trusted);
		assert_null(s[i].client_secret);
	}
}

static void test_urls(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	assert_int_equal(oauth_check_url(a, "x", "http://127.0.0.1:9/t", &err), CH_OK);
	assert_int_equal(oauth_check_url(a, "x", "http://localhost/t", &err), CH_OK);
	assert_int_equal(oauth_check_url(a, "x", "http://id.example.org/t", &err), CH_E_INVALID);
	assert_int_equal(oauth_check_url(a, "x", "file:///etc/passwd", &err), CH_E_UNSUPPORTED);
}

CH_FIBER static void find_bad(struct loop *loop, void *arg)
{
	static const struct { const char *config; ch_status st; const char *words; } rows[] = {
		{ "{}", CH_E_NOT_FOUND, "paste-api-key" },
		{ "{auth: {oauth: {acme: {tokenUrl: 'https://x/t'}}}}", CH_E_INVALID, "clientId" },
		{ "{auth: {oauth: {acme: {clientId: 'c'}}}}", CH_E_INVALID, "tokenUrl" },
		{ "{auth: {oauth: {acme: {clientId: 'c', tokenUrl: 'https://x/t', callbackPath: 'cb'}}}}", CH_E_INVALID,
		  "callbackPath" },
		{ "{auth: {oauth: {acme: {clientId: 'c', tokenUrl: 'http://x/t'}}}}", CH_E_INVALID, "https" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		CH_AUTO(config_unref) struct config *cfg = NULL;
		struct oauth_server s = { 0 };

		assert_int_equal(config_parse(rows[i].config, strlen(rows[i].config), NULL, &cfg, &err), CH_OK);
		assert_int_equal(oauth_server_find(NULL, cfg, "acme", a, &s, &err), rows[i].st);
		assert_non_null(strstr(err.text, rows[i].words));
	}
}

static void test_find_bad(void **state)
{
	in_fiber(find_bad, NULL);
}

/* ---- discovery ---- */

struct page { const char *path, *body; };        /* body NULL: 404 */
struct site { struct peer peer; struct page pages[2]; };

static void serve_site(struct peer_conn *pc)
{
	struct site *s = CH_CONTAINER_OF(pc->peer, struct site, peer);
	const char *head;

	while (*(head = peer_head(pc))) {
		CH_AUTO_STR char *out = NULL;
		const char *body = NULL;

		for (size_t i = 0; i < 2; i++) {
			CH_AUTO_STR char *line = ch_asprintf("GET %s HTTP", s->pages[i].path);

			if (str_starts(head, line))
				body = s->pages[i].body;
		}
		peer_drop(pc, 0);
		out = body ? ch_asprintf("HTTP/1.1 200 X\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body)
			   : ch_asprintf("HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n");
		if (!peer_write(pc, out, strlen(out)))
			return;
	}
}

static ch_status discover_at(struct site *s, struct http_client *http, const char *path, struct arena *a,
			     struct oauth_server *ret)
{
	CH_AUTO(config_unref) struct config *cfg = NULL;
	char *text = arena_printf(a, "{auth: {oauth: {acme: {issuer: 'http://127.0.0.1:%u%s', clientId: 'c'}}}}",
				  s->peer.port, path);

	assert_int_equal(config_parse(text, strlen(text), NULL, &cfg, &err), CH_OK);
	return oauth_server_find(http, cfg, "acme", a, ret, &err);
}

CH_FIBER static void discovery(struct loop *loop, void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct http_client *http = http_client_new(loop);
	struct site s = { 0 };
	struct oauth_server found = { 0 };
	const char *issuer;

	peer_start(&s.peer, loop, serve_site, NULL);
	issuer = arena_printf(a, "http://127.0.0.1:%u", s.peer.port);
	s.pages[0] = (struct page){ "/realm/.well-known/openid-configuration",
				    arena_printf(a, "{\"issuer\":\"%s/realm\",\"token_endpoint\":\"%s/t1\"}",
						 issuer, issuer) };
	s.pages[1] = (struct page){ "/.well-known/oauth-authorization-server/plain",
				    arena_printf(a, "{\"issuer\":\"%s/plain\",\"token_endpoint\":\"%s/t2\"}",
						 issuer, issuer) };
	assert_int_equal(discover_at(&s, http, "/realm", a, &found), CH_OK);
	assert_true(str_ends(found.token_url, "/t1"));
	assert_int_equal(discover_at(&s, http, "/plain", a, &found), CH_OK);
	assert_true(str_ends(found.token_url, "/t2"));
	assert_int_equal(discover_at(&s, http, "/none", a, &found), CH_E_NOT_FOUND);
	/* Who calls itself something else is somebody else. */
	s.pages[0].path = "/other/.well-known/openid-configuration";
	assert_int_equal(discover_at(&s, http, "/other", a, &found), CH_E_PEER);
	assert_non_null(strstr(err.text, "calls itself"));
	s.pages[0] = (struct page){ "/bad/.well-known/openid-configuration", "{\"issuer\":" };
	assert_int_not_equal(discover_at(&s, http, "/bad", a, &found), CH_OK);
	s.pages[0] = (struct page){
		"/http/.well-known/openid-configuration",
		arena_printf(a, "{\"issuer\":\"%s/http\",\"token_endpoint\":\"http://id.example.org/t\"}",
			     issuer)
	};
	assert_int_equal(discover_at(&s, http, "/http", a, &found), CH_E_INVALID);
	http_client_free(http);
	peer_stop(&s.peer);
}

static void test_discovery(void **state)
{
	in_fiber(discovery, NULL);
}

/* ---- refreshing ---- */

struct token_server {
	struct peer peer;
	const char *const *answers;      /* bodies; "" cuts the connection, "!" is a 500 */
	size_t served;
	struct buf last;
};

static void serve_tokens(struct peer_conn *pc)
{
	struct token_server *s = CH_CONTAINER_OF(pc->peer, struct token_server, peer);
	const char *head;

	while (*(head = peer_head(pc))) {
		size_t head_len = (size_t)(strstr(head, "\r\n\r\n") - head) + 4;
		size_t n = (size_t)strtoll(strcasestr(head, "\r\ncontent-length:") + 17, NULL, 10);
		const char *body = s->answers[s->served++];
		CH_AUTO_STR char *out = NULL;

		assert_true(peer_want(pc, head_len + n));
		buf_clear(&s->last);
		buf_append(&s->last, pc->in.data + head_len, n);
		buf_consume(&pc->in, head_len + n);
		if (!*body)
			return;
		if (str_eq(body, "!"))
			out = ch_asprintf("HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n");
		else
			out = ch_asprintf("HTTP/1.1 %d X\r\nContent-Length: %zu\r\n\r\n%s",
					  strstr(body, "\"error\"") ? 400 : 200, strlen(body), body);
		if (!peer_write(pc, out, strlen(out)))
			return;
	}
}

struct fixture {
	struct token_server server;
	struct http_client *http;
	struct db *db;
	struct models *models;
};

static struct config *no_config(void *arg)
{
	return NULL;
}

static void begin(struct fixture *f, const char *const *answers, int64_t expires_at)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct auth_profile p = { .agent_id = "", .id = "acme:me", .provider = "openai", .kind = AUTH_KIND_OAUTH,
				  .expires_at = expires_at };

	*f = (struct fixture){ .server.answers = answers };
	err = (struct ch_err){ .text = "" };
	buf_init(&f->server.last, 65536);
	peer_start(&f->server.peer, fiber_loop(), serve_tokens, NULL);
	f->http = http_client_new(fiber_loop());
	assert_int_equal(db_open(":memory:", DB_CREATE, &f->db, &err), CH_OK);
	f->models = models_new(&(struct models_opts){
		.loop = fiber_loop(), .http = f->http, .db = f->db, .config = no_config });
	p.extra = arena_printf(
		a, "{\"tokenUrl\":\"http://127.0.0.1:%u/token\",\"clientId\":\"c1\",\"isTrusted\":true}",
		f->server.peer.port);
	assert_int_equal(auth_store_put(f->db, &p, "old-access", "old-refresh", &err), CH_OK);
}

static void end(struct fixture *f)
{
	auth_drain(f->models, fiber_deadline(1000));
	models_free(f->models);
	http_client_free(f->http);
	peer_stop(&f->server.peer);
	db_close(f->db);
	buf_done(&f->server.last);
}

static const struct auth_want want = { .provider = "openai", .profile = "acme:me" };

/* "access refresh" of the row. */
static const char *stored(struct fixture *f, struct arena *a)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;
	CH_AUTO(secret_unref) struct secret *r = NULL;
	struct auth_profile p;

	assert_int_equal(auth_store_find(f->db, a, NULL, "acme:me", &p, &err), CH_OK);
	assert_int_equal(auth_store_secrets(f->db, &p, &s, &r, &err), CH_OK);
	return arena_printf(a, "%s %s%s", secret_reveal(s), secret_reveal(r), p.refused ? " refused" : "");
}

struct asker { struct fixture *f; ch_status st; char got[32]; int64_t expires_at; };

static void ask(void *arg)
{
	struct asker *x = arg;
	struct auth_lease l;
	struct ch_err e = { .text = "" };

	x->st = auth_acquire(x->f->models, NULL, &want, &l, &e);
	if (!x->st) {
		snprintf(x->got, sizeof(x->got), "%s", secret_reveal(l.secret));
		x->expires_at = l.expires_at;
		auth_release(&l);
	}
}

CH_FIBER static void two_at_once(struct loop *loop, void *arg)
{
	static const char *const answers[] = {
		"{\"access_token\":\"new-access\",\"refresh_token\":\"new-refresh\",\"expires_in\":3600}"
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct fixture f;
	struct asker x[3] = { { &f }, { &f }, { &f } };
	struct fiber *fibers[3];

	begin(&f, answers, now_wall_ms() - 1000);
	for (size_t i = 0; i < 3; i++)
		fibers[i] = fiber_spawn(fiber_loop(), "asker", FIBER_JOINABLE, ask, &x[i]);
	/* One who gives up takes nothing from the others. */
	assert_int_equal(fiber_yield(), CH_OK);
	fiber_cancel(fibers[0]);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(fiber_join(fibers[i], fiber_deadline(10000)), CH_OK);
	assert_int_equal(x[0].st, CH_E_CANCELED);
	for (size_t i = 1; i < 3; i++) {
		assert_int_equal(x[i].st, CH_OK);
		assert_string_equal(x[i].got, "new-access");
		assert_true(x[i].expires_at > now_wall_ms() + 3500000);
	}
	assert_int_equal(f.server.served, 1);
	assert_string_equal(buf_str(&f.server.last),
			    "grant_type=refresh_token&refresh_token=old-refresh&client_id=c1");
	assert_string_equal(stored(&f, a), "new-access new-refresh");
	end(&f);
}

static void test_two_at_once(void **state)
{
	in_fiber(two_at_once, NULL);
}

/* The refresh token is used up on the server although nobody waits any more: the new one must be kept. */
CH_FIBER static void nobody_waits(struct loop *loop, void *arg)
{
	static const char *const answers[] = {
		"{\"access_token\":\"new-access\",\"refresh_token\":\"new-refresh\",\"expires_in\":3600}"
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct fixture f;
	struct asker x = { &f };
	struct fiber *fiber;

	begin(&f, answers, now_wall_ms() - 1000);
	fiber = fiber_spawn(fiber_loop(), "asker", FIBER_JOINABLE, ask, &x);
	assert_int_equal(fiber_yield(), CH_OK);
	fiber_cancel(fiber);
	assert_int_equal(fiber_join(fiber, fiber_deadline(10000)), CH_OK);
	assert_int_equal(x.st, CH_E_CANCELED);
	auth_drain(f.models, fiber_deadline(10000));
	assert_string_equal(stored(&f, a), "new-access new-refresh");
	end(&f);
}

static void test_nobody_waits(void **state)
{
	in_fiber(nobody_waits, NULL);
}

CH_FIBER static void same_refresh_token(struct loop *loop, void *arg)
{
	static const char *const answers[] = { "{\"access_token\":\"new-access\",\"expires_in\":3600}" };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct fixture f;
	struct asker x = { &f };

	begin(&f, answers, now_wall_ms() - 1000);
	ask(&x);
	assert_string_equal(x.got, "new-access");
	assert_string_equal(stored(&f, a), "new-access old-refresh");
	ask(&x);
	assert_int_equal(f.server.served, 1);            /* it is fresh now */
	end(&f);
}

static void test_same_refresh_token(void **state)
{
	in_fiber(same_refresh_token, NULL);
}

CH_FIBER static void refused(struct loop *loop, void *arg)
{
	static const char *const answers[] = {
		"{\"error\":\"invalid_grant\",\"error_description\":\"revoked old-refresh\"}"
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct fixture f;
	struct auth_lease l;
	struct auth_profile p;

	begin(&f, answers, now_wall_ms() - 1000);
	assert_int_equal(auth_acquire(f.models, NULL, &want, &l, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "chela models auth login --provider openai"));
	assert_string_equal(stored(&f, a), "old-access old-refresh refused");
	assert_int_equal(auth_store_find(f.db, a, NULL, "acme:me", &p, &err), CH_OK);
	assert_int_equal(auth_profile_status(&p, now_wall_ms()), AUTH_EXPIRED);
	assert_null(strstr(p.refused, "old-refresh"));   /* servers quote what they refuse */
	/* Not asked again. */
	assert_int_equal(auth_acquire(f.models, NULL, &want, &l, &err), CH_E_DENIED);
	assert_int_equal(f.server.served, 1);
	end(&f);
}

static void test_refused(void **state)
{
	in_fiber(refused, NULL);
}

/* A server that is away: the old token serves until its end; after it the failure passes. */
CH_FIBER static void away(struct loop *loop, void *arg)
{
	static const char *const answers[] = { "!", "", "{\"error\":\"temporarily_unavailable\"}",
					       "{\"access_token\":\"new-access\",\"expires_in\":3600}" };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct fixture f;
	struct asker x = { &f };
	struct auth_profile p;

	begin(&f, answers, now_wall_ms() + 3600000);
	/* In its last quarter. */
	assert_int_equal(db_exec(f.db, "UPDATE auth_profiles SET updated_at = updated_at - 10800000 * 5,"
				       " expires_at = expires_at - 3500000", &err), CH_OK);
	assert_int_equal(auth_store_find(f.db, a, NULL, "acme:me", &p, &err), CH_OK);
	assert_true(auth_wants_refresh(&p, now_wall_ms()));
	ask(&x);
	assert_int_equal(x.st, CH_OK);
	assert_string_equal(x.got, "old-access");
	assert_int_equal(db_exec(f.db, "UPDATE auth_profiles SET expires_at = 1", &err), CH_OK);
	for (int i = 0; i < 2; i++) {
		ask(&x);
		assert_int_not_equal(x.st, CH_OK);
		assert_string_equal(stored(&f, a), "old-access old-refresh");
	}
	ask(&x);
	assert_string_equal(x.got, "new-access");
	end(&f);
}

static void test_away(void **state)
{
	in_fiber(away, NULL);
}

/* What cannot be kept is not used: the next refresh would be taken for theft. */
CH_FIBER static void disk_full(struct loop *loop, void *arg)
{
	static const char *const answers[] = {
		"{\"access_token\":\"new-access\",\"refresh_token\":\"new-refresh\",\"expires_in\":3600}"
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct fixture f;
	struct asker x = { &f };

	begin(&f, answers, now_wall_ms() - 1000);
	db_fail_nth(f.db, 1);
	ask(&x);
	assert_int_not_equal(x.st, CH_OK);
	assert_string_equal(stored(&f, a), "old-access old-refresh");
	end(&f);
}

static void test_disk_full(void **state)
{
	in_fiber(disk_full, NULL);
}

/* Somebody signed in anew while the refresh was on its way: that one stays. */
CH_FIBER static void overtaken(struct loop *loop, void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char *const none[] = { NULL };
	struct fixture f;
	struct auth_profile p;

	begin(&f, none, now_wall_ms() - 1000);
	assert_int_equal(auth_store_find(f.db, a, NULL, "acme:me", &p, &err), CH_OK);
	assert_int_equal(auth_store_put(f.db, &p, "login-access", "login-refresh", &err), CH_OK);
	assert_int_equal(auth_store_renew(f.db, &p, "old-refresh", "new-access", "new-refresh", 1, &err), CH_OK);
	assert_int_equal(auth_store_refuse(f.db, &p, "old-refresh", "gone", &err), CH_OK);
	assert_string_equal(stored(&f, a), "login-access login-refresh");
	end(&f);
}

static void test_overtaken(void **state)
{
	in_fiber(overtaken, NULL);
}

/* A token refused before its time is fetched anew once; one that is brand-new and refused is left alone. */
CH_FIBER static void refused_early(struct loop *loop, void *arg)
{
	static const char *const answers[] = {
		"{\"access_token\":\"new-access\",\"refresh_token\":\"new-refresh\",\"expires_in\":3600}"
	};
	struct fixture f;
	struct asker x = { &f };
	struct auth_lease l;

	begin(&f, answers, now_wall_ms() + 3600000);
	assert_int_equal(db_exec(f.db, "UPDATE auth_profiles SET updated_at = updated_at - 120000", &err), CH_OK);
	assert_int_equal(auth_acquire(f.models, NULL, &want, &l, &err), CH_OK);
	auth_report(f.models, &l, "m", MODEL_ERR_AUTH, 0);
	auth_release(&l);
	ask(&x);
	assert_string_equal(x.got, "new-access");
	assert_int_equal(auth_acquire(f.models, NULL, &want, &l, &err), CH_OK);
	auth_report(f.models, &l, "m", MODEL_ERR_AUTH, 0);
	auth_release(&l);
	ask(&x);
	assert_int_equal(x.st, CH_E_BUSY);
	assert_int_equal(f.server.served, 1);
	end(&f);
}

static void test_refused_early(void **state)
{
	in_fiber(refused_early, NULL);
}

/* ---- the callback ---- */

static void browse(struct http_client *http, const char *url, int expected)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = 65536 };

	assert_int_equal(http_open(http,
				   &(struct http_out){ .url = url,
						       .guard = GUARD_TRUST_ORIGIN,
						       .headers_deadline_ms = fiber_deadline(5000) },
				   &r, &err),
			 CH_OK);
	assert_int_equal(http_resp_status(r), expected);
	assert_int_equal(http_read_all(r, &body, fiber_deadline(5000), &err), CH_OK);
	assert_null(strstr(buf_str(&body), "script"));
}

CH_FIBER static void callback(struct loop *loop, void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct oauth_server s = plain;
	struct http_client *http = http_client_new(fiber_loop());
	struct oauth_attempt *t = NULL;
	const char *url, *state, *redirect;

	s.callback_host = "127.0.0.1";
	s.callback_path = "/cb";
	assert_int_equal(oauth_attempt_begin(fiber_loop(), &s, &t, &err), CH_OK);
	assert_true(oauth_attempt_listens(t));
	url = strchr(oauth_attempt_url(t), '?') + 1;
	state = url_query_get(a, url, "state");
	redirect = url_query_get(a, url, "redirect_uri");
	browse(http, arena_printf(a, "%s?code=1", redirect), 400);
	browse(http, arena_printf(a, "%s?code=1&state=%s0", redirect, state), 400);
	browse(http, arena_printf(a, "%s?error=<script>&state=x", redirect), 400);
	browse(http,
	       arena_printf(a, "%.*s/other?code=1&state=%s", (int)(strlen(redirect) - 3), redirect, state),
	       404);
	assert_int_equal(oauth_attempt_paste(t, "http://x/?code=1&state=wrong", &err), CH_E_INVALID);
	assert_int_equal(oauth_attempt_wait(t, fiber_deadline(0), &err), CH_E_TIMEOUT);
	browse(http, arena_printf(a, "%s?code=good&state=%s", redirect, state), 200);
	assert_int_equal(oauth_attempt_wait(t, fiber_deadline(5000), &err), CH_OK);
	oauth_attempt_free(t);
	/* Refused there. */
	assert_int_equal(oauth_attempt_begin(fiber_loop(), &s, &t, &err), CH_OK);
	url = strchr(oauth_attempt_url(t), '?') + 1;
	browse(http, arena_printf(a, "%s?error=access_denied&state=%s", url_query_get(a, url, "redirect_uri"),
				  url_query_get(a, url, "state")), 200);
	assert_int_equal(oauth_attempt_wait(t, fiber_deadline(5000), &err), CH_E_DENIED);
	oauth_attempt_free(t);
	http_client_free(http);
}

static void test_callback(void **state)
{
	in_fiber(callback, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_challenge),
		cmocka_unit_test(test_authorize_url),
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_bad_tokens),
		cmocka_unit_test(test_builtin),
		cmocka_unit_test(test_urls),
		cmocka_unit_test(test_find_bad),
		cmocka_unit_test(test_discovery),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_nobody_waits),
		cmocka_unit_test(test_same_refresh_token),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_away),
		cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_overtaken),
		cmocka_unit_test(test_refused_early),
		cmocka_unit_test(test_callback),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
