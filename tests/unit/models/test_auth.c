/* models/auth*: which credential goes out, in which order, and how long one that failed is left alone. */
#include "models/auth_pick.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "../core/in_fiber.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/str.h"
#include "models/keys.h"
#include "models/models_priv.h"

#define NOW INT64_C(1790000000000)
#define HOUR INT64_C(3600000)

static struct db *db;
static struct models *models;
static struct config *snapshot;
static struct arena *arena;
static struct ch_err err;
static int64_t mono = 1000, wall = NOW;

static struct config *current(void *arg)
{
	return snapshot;
}

static void move_clock(int64_t ms)
{
	mono += ms;
	wall += ms;
	clock_fake(mono, wall);
}

static void use_config(const char *text)
{
	config_unref(CH_TAKE(snapshot));
	assert_int_equal(config_parse(text, strlen(text), NULL, &snapshot, &err), CH_OK);
	if (models)
		models_config_changed(models);
}

static int setup(void **state)
{
	static const char *const names[] = { "OPENAI_API_KEY",           "OPENAI_API_KEYS",
					     "OPENAI_API_KEY_1",         "OPENAI_API_KEY_2",
					     "OPENCLAW_LIVE_OPENAI_KEY", "ANTHROPIC_API_KEY",
					     "ANTHROPIC_OAUTH_TOKEN" };

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		unsetenv(names[i]);
	wall = NOW;
	clock_fake(mono, wall);
	err = (struct ch_err){ .text = "" };
	arena = arena_new(0);
	assert_int_equal(db_open(":memory:", DB_CREATE, &db, &err), CH_OK);
	use_config("{}");
	models = models_new(&(struct models_opts){ .db = db, .config = current });
	return 0;
}

static int teardown(void **state)
{
	models_free(CH_TAKE(models));
	db_close(CH_TAKE(db));
	config_unref(CH_TAKE(snapshot));
	arena_unref(arena);
	clock_real();
	return 0;
}

static void put(const char *agent, const char *id, enum auth_kind kind, const char *secret)
{
	const struct auth_profile p = { .agent_id = agent, .id = id, .provider = "openai", .kind = kind };

	if (auth_store_put(db, &p, secret, NULL, &err))
		fail_msg("%s: %s", id, err.text);
}

/* ---- cooldowns ---- */

static void test_ladder(void **state)
{
	static const struct { enum model_error_class c; int64_t ms[4]; } rows[] = {
		{ MODEL_ERR_RATE_LIMIT, { 30000, 60000, 300000, 300000 } },
		{ MODEL_ERR_AUTH, { 30000, 60000, 300000, 300000 } },
		{ MODEL_ERR_BILLING, { 600000, 600000, 600000, 600000 } },
		{ MODEL_ERR_OVERLOADED, { 0, 0, 0, 0 } },
		{ MODEL_ERR_SERVER, { 0, 0, 0, 0 } },
		{ MODEL_ERR_TIMEOUT, { 0, 0, 0, 0 } },
		{ MODEL_ERR_FORMAT, { 0, 0, 0, 0 } },
		{ MODEL_ERR_CONTEXT, { 0, 0, 0, 0 } },
		{ MODEL_ERR_REFUSAL, { 0, 0, 0, 0 } },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		for (int n = 1; n <= 4; n++)
			assert_int_equal(auth_cooldown_ms(rows[i].c, n), rows[i].ms[n - 1]);
	}
}

static struct auth_health health(const char *fingerprint, const char *model)
{
	struct auth_subject s = { "", "p", fingerprint };
	struct auth_health h;

	assert_int_equal(auth_health_get(db, &s, model, wall, &h, &err), CH_OK);
	return h;
}

static int failed(const char *fingerprint, const char *model, enum model_error_class c, int64_t retry_after)
{
	struct auth_subject s = { "", "p", fingerprint };
	int n = 0;

	assert_int_equal(auth_health_failed(db, &s, model, c, retry_after, wall, &n, &err), CH_OK);
	return n;
}

static void test_health_climbs(void **state)
{
	static const int64_t blocks[] = { 30000, 60000, 300000, 300000 };

	for (int i = 0; i < 4; i++) {
		assert_int_equal(failed("", NULL, MODEL_ERR_AUTH, 0), i + 1);
		/* Others that were on their way fail too: that is one failure. */
		assert_int_equal(failed("", NULL, MODEL_ERR_AUTH, 0), i + 1);
		assert_int_equal(health("", "m").blocked_until, wall + blocks[i]);
		move_clock(blocks[i] - 1);
		assert_true(health("", "m").blocked_until > 0);
		move_clock(1);
		assert_int_equal(health("", "m").blocked_until, 0);
		assert_int_equal(health("", "m").failures, i + 1);
	}
	move_clock(AUTH_FORGET_MS);
	assert_int_equal(health("", "m").failures, 0);
	assert_int_equal(failed("", NULL, MODEL_ERR_AUTH, 0), 1);
}

static void test_health_scope(void **state)
{
	struct auth_subject s = { "", "p", "" };
	struct auth_health h;

	failed("", "m1", MODEL_ERR_RATE_LIMIT, 0);
	assert_int_equal(health("", "m1").blocked_until, wall + 30000);
	assert_string_equal(health("", "m1").reason, "rate_limit");
	assert_int_equal(health("", "m2").blocked_until, 0);
	assert_int_equal(auth_health_worst(db, &s, wall, &h, &err), CH_OK);
	assert_int_equal(h.blocked_until, wall + 30000);
	failed("", "m1", MODEL_ERR_BILLING, 0);
	assert_int_equal(health("", "m2").blocked_until, wall + 600000);
	/* A success with one model says nothing of the other's limit. */
	failed("", "m2", MODEL_ERR_RATE_LIMIT, 0);
	assert_int_equal(auth_health_ok(db, &s, "m1", &err), CH_OK);
	assert_int_equal(health("", "m1").failures, 0);
	assert_int_equal(health("", "m2").blocked_until, wall + 30000);
}

static void test_health_retry_after(void **state)
{
	failed("", "m", MODEL_ERR_RATE_LIMIT, 90000);
	assert_int_equal(health("", "m").blocked_until, wall + 90000);
	failed("", "m", MODEL_ERR_RATE_LIMIT, 10);
	assert_int_equal(health("", "m").blocked_until, wall + 90000);
	failed("", "m", MODEL_ERR_RATE_LIMIT, INT64_MAX / 2);
	assert_int_equal(health("", "m").blocked_until, wall + AUTH_BLOCK_MAX_MS);
	assert_int_equal(health("", "m").failures, 1);
}

static void test_health_other_key(void **state)
{
	failed("aaaa", NULL, MODEL_ERR_AUTH, 0);
	assert_true(health("aaaa", "m").blocked_until > 0);
	assert_int_equal(health("bbbb", "m").blocked_until, 0);
	assert_true(health("", "m").blocked_until > 0);          /* not known: no reason to let it in */
	assert_int_equal(failed("bbbb", NULL, MODEL_ERR_AUTH, 0), 1);
}

/* ---- the store ---- */

static void test_ids(void **state)
{
	static const char *const good[] = { "openai:default", "a:b:c", "openai:me@example.org", "x-y:1" };
	static const char *const bad[] = { "",          "openai",      "openai:",      ":x",
					   "open ai:x", "openai:\x07", "openai:\"x\"", NULL };

	for (size_t i = 0; i < CH_ARRAY_LEN(good); i++)
		assert_true(auth_id_is_valid(good[i]));
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		assert_false(auth_id_is_valid(bad[i]));
}

static void test_store(void **state)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;
	CH_AUTO(secret_unref) struct secret *refresh = NULL;
	struct auth_profiles list;
	struct auth_profile p;
	bool found;

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-shared-aaaa");
	put("work", "openai:a", AUTH_KIND_API_KEY, "sk-work-aaaa");
	put("", "openai:b", AUTH_KIND_TOKEN, "tok-b");
	assert_int_equal(auth_store_list(db, arena, NULL, "openai", &list, &err), CH_OK);
	assert_int_equal(list.len, 2);
	assert_string_equal(list.at[0].agent_id, "");
	assert_int_equal(auth_store_list(db, arena, "work", NULL, &list, &err), CH_OK);
	assert_int_equal(list.len, 2);
	assert_string_equal(list.at[0].agent_id, "work");
	assert_int_equal(auth_store_find(db, arena, "other", "openai:a", &p, &err), CH_OK);
	assert_string_equal(p.agent_id, "");
	assert_int_equal(auth_store_secrets(db, &p, &s, &refresh, &err), CH_OK);
	assert_true(secret_equal(s, "sk-shared-aaaa"));
	assert_null(refresh);
	assert_int_equal(auth_store_remove(db, "work", "openai:a", &found, &err), CH_OK);
	assert_true(found);
	assert_int_equal(auth_store_remove(db, "work", "openai:a", &found, &err), CH_OK);
	assert_false(found);
	assert_int_equal(auth_store_find(db, arena, "work", "openai:x", &p, &err), CH_E_NOT_FOUND);
	p = (struct auth_profile){
		.agent_id = "", .id = "openai:a", .provider = "openai", .kind = AUTH_KIND_API_KEY
	};
	assert_int_equal(auth_store_put(db, &p, "", NULL, &err), CH_E_INVALID);
	assert_int_equal(auth_store_put(db, &p, "key\r\nx-evil: 1", NULL, &err), CH_E_INVALID);
	assert_int_equal(auth_store_put(db, &p, "schl\xc3\xbcssel", NULL, &err), CH_E_INVALID);
}

/* An agent that is deleted takes its credentials with it; the shared ones and those of others stay. */
static void test_agent_is_forgotten(void **state)
{
	struct auth_profiles list = { 0 };
	struct json *order = json_new_arr(arena), *got;

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-shared");
	put("work", "openai:w", AUTH_KIND_API_KEY, "sk-work");
	put("play", "openai:p", AUTH_KIND_API_KEY, "sk-play");
	json_push(order, json_new_str(arena, "openai:w"));
	assert_int_equal(auth_order_set(db, "work", "openai", order, &err), CH_OK);
	assert_int_equal(auth_store_forget_agent(db, "work", &err), CH_OK);
	assert_int_equal(auth_store_list(db, arena, "work", NULL, &list, &err), CH_OK);
	assert_int_equal(list.len, 1);
	assert_string_equal(list.at[0].id, "openai:a");
	assert_int_equal(auth_store_list(db, arena, "play", NULL, &list, &err), CH_OK);
	assert_int_equal(list.len, 2);
	assert_int_equal(auth_order_get(db, arena, "work", "openai", &got, NULL, &err), CH_OK);
	assert_null(got);
}

static void test_removed_leaves_order(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *order = json_new_arr(a), *got;

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a");
	json_push(order, json_new_str(a, "openai:a"));
	json_push(order, json_new_str(a, "openai:b"));
	assert_int_equal(auth_order_set(db, "", "openai", order, &err), CH_OK);
	assert_int_equal(auth_store_remove(db, "", "openai:a", NULL, &err), CH_OK);
	assert_int_equal(auth_order_get(db, a, "x", "openai", &got, NULL, &err), CH_OK);
	assert_int_equal(json_len(got), 1);
	assert_int_equal(auth_store_remove(db, "", "openai:b", NULL, &err), CH_OK);
	assert_int_equal(auth_order_get(db, a, "x", "openai", &got, NULL, &err), CH_OK);
	assert_null(got);
}

/* ---- the order ---- */

/* "id id …", unusable ones as "-id". */
static const char *ids(const struct auth_want *want)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = 4096 };
	struct auth_candidates all;

	assert_int_equal(auth_candidates_find(models, snapshot, want, arena, &all, &err), CH_OK);
	for (size_t i = 0; i < all.len; i++)
		buf_printf(&out, "%s%s%s", i ? " " : "", all.at[i].unusable ? "-" : "", all.at[i].id);
	return arena_strdup(arena, buf_str(&out));
}

static const struct auth_want openai = { .provider = "openai" };

static void touch(const char *id, int64_t at)
{
	struct auth_profile p;

	assert_int_equal(auth_store_find(db, arena, NULL, id, &p, &err), CH_OK);
	assert_int_equal(auth_store_touch(db, &p, at, &err), CH_OK);
}

static void put_oauth(const char *id, int64_t expires_at, const char *refresh)
{
	const struct auth_profile p = { .agent_id = "", .id = id, .provider = "openai", .kind = AUTH_KIND_OAUTH,
					.expires_at = expires_at };

	assert_int_equal(auth_store_put(db, &p, "access", refresh, &err), CH_OK);
}

static void test_default_order(void **state)
{
	put("", "openai:key2", AUTH_KIND_API_KEY, "sk-2");
	put("", "openai:key1", AUTH_KIND_API_KEY, "sk-1");
	put("", "openai:tok", AUTH_KIND_TOKEN, "tok");
	put_oauth("openai:old", NOW - HOUR, "r");
	put_oauth("openai:new", NOW + HOUR, "r");
	put_oauth("openai:dead", NOW - HOUR, NULL);
	setenv("OPENAI_API_KEY", "sk-env", 1);
	assert_string_equal(ids(&openai),
			    "openai:new openai:old openai:tok openai:key1 openai:key2 env:OPENAI_API_KEY "
			    "-openai:dead");
	touch("openai:key1", 20);
	touch("openai:key2", 10);
	assert_string_equal(ids(&openai),
			    "openai:new openai:old openai:tok openai:key2 openai:key1 env:OPENAI_API_KEY "
			    "-openai:dead");
}

/* The token of a built-in sign-in does not follow the base URL; one that the owner described does. */
static void test_token_stays_home(void **state)
{
	const struct auth_profile own = { .agent_id = "", .id = "openai:own", .provider = "openai", .kind = AUTH_KIND_OAUTH,
					  .extra = "{\"isTrusted\":true}" };

	put_oauth("openai:me", 0, "r");
	assert_int_equal(auth_store_put(db, &own, "access", NULL, &err), CH_OK);
	assert_string_equal(ids(&openai), "openai:me openai:own");
	use_config("{models: {providers: {openai: {baseUrl: 'https://llm.example.org/v1'}}}}");
	assert_string_equal(ids(&openai), "openai:own -openai:me");
	use_config("{models: {providers: {openai: {baseUrl: 'https://api.openai.com.example.org/v1'}}}}");
	assert_string_equal(ids(&openai), "openai:own -openai:me");
	use_config("{models: {providers: {openai: {baseUrl: 'https://api.openai.com/v1/'}}}}");
	assert_string_equal(ids(&openai), "openai:me openai:own");
}

static void test_blocked_last(void **state)
{
	struct auth_subject a = { "", "openai:a", "" }, b = { "", "openai:b", "" };

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a");
	put("", "openai:b", AUTH_KIND_API_KEY, "sk-b");
	put("", "openai:c", AUTH_KIND_API_KEY, "sk-c");
	assert_int_equal(auth_health_failed(db, &a, NULL, MODEL_ERR_BILLING, 0, wall, NULL, &err), CH_OK);
	assert_int_equal(auth_health_failed(db, &b, NULL, MODEL_ERR_AUTH, 0, wall, NULL, &err), CH_OK);
	assert_string_equal(ids(&openai), "openai:c openai:b openai:a");
	move_clock(30000);
	assert_string_equal(ids(&openai), "openai:b openai:c openai:a");
	/* A new key under the old name starts without a past. */
	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a2");
	assert_string_equal(ids(&openai), "openai:a openai:b openai:c");
}

static void test_explicit_order(void **state)
{
	struct json *order = json_new_arr(arena);

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a");
	put("", "openai:b", AUTH_KIND_API_KEY, "sk-b");
	put("", "openai:c", AUTH_KIND_API_KEY, "sk-c");
	use_config("{auth: {order: {OpenAI: ['openai:c', 'openai:a']}}}");
	assert_string_equal(ids(&openai), "openai:c openai:a -openai:b");
	json_push(order, json_new_str(arena, "openai:b"));
	assert_int_equal(auth_order_set(db, "", "openai", order, &err), CH_OK);
	assert_string_equal(ids(&openai), "openai:b -openai:a -openai:c");
	/* An agent's own order goes before the shared one; a pin before any. */
	json_push(order, json_new_str(arena, "openai:a"));
	assert_int_equal(auth_order_set(db, "work", "openai", order, &err), CH_OK);
	assert_string_equal(ids(&(struct auth_want){ .provider = "openai", .agent_id = "work" }),
			    "openai:b openai:a -openai:c");
	assert_string_equal(ids(&(struct auth_want){ .provider = "openai", .profile = "openai:c" }), "openai:c");
	assert_int_equal(auth_order_set(db, "", "openai", NULL, &err), CH_OK);
	assert_string_equal(ids(&openai), "openai:c openai:a -openai:b");
}

static void test_environment(void **state)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;

	setenv("OPENAI_API_KEYS", "k1, k2;k1", 1);
	setenv("OPENAI_API_KEY", "k3", 1);
	setenv("OPENAI_API_KEY_1", "k2", 1);
	setenv("OPENAI_API_KEY_2", "k4", 1);
	setenv("OPENCLAW_LIVE_OPENAI_KEY", "k0", 1);
	assert_string_equal(ids(&openai),
			    "env:OPENCLAW_LIVE_OPENAI_KEY -env:OPENAI_API_KEYS#1 -env:OPENAI_API_KEYS#2 "
			    "-env:OPENAI_API_KEY -env:OPENAI_API_KEY_2");
	s = key_env_open("openai", "env:OPENAI_API_KEYS#2");
	assert_true(secret_equal(s, "k2"));
	assert_null(key_env_open("openai", "env:OPENAI_API_KEYS#3"));
	assert_null(key_env_open("nobody", "env:OPENAI_API_KEY"));
}

static void test_config_key(void **state)
{
	setenv("OPENAI_API_KEY", "k", 1);
	use_config("{models: {providers: {openai: {apiKey: 'c'}}}}");
	assert_string_equal(ids(&openai), "env:OPENAI_API_KEY config");
	/* A key that was written beside an address goes there, not the one that happens to be around. */
	use_config("{models: {providers: {openai: {apiKey: 'c', baseUrl: 'http://127.0.0.1:1'}}}}");
	assert_string_equal(ids(&openai), "config env:OPENAI_API_KEY");
}

/* ---- acquiring ---- */

static const char *acquire_as(const struct auth_want *want, ch_status expected)
{
	struct auth_lease l;
	ch_status st;
	const char *id;

	err = (struct ch_err){ .text = "" };
	st = auth_acquire(models, snapshot, want, &l, &err);
	if (st != expected)
		fail_msg("%s: %s", ch_status_name(st), err.text);
	id = arena_strdup(arena, l.profile);
	auth_release(&l);
	return st ? "" : id;
}

static void report(const struct auth_want *want, enum model_error_class c)
{
	struct auth_lease l;

	assert_int_equal(auth_acquire(models, snapshot, want, &l, &err), CH_OK);
	auth_report(models, &l, want->model, c, 0);
	auth_release(&l);
}

static void rotation(void *arg)
{
	const struct auth_want want = { .provider = "openai", .model = "m" };

	setenv("OPENAI_API_KEYS", "k1,k2", 1);
	assert_string_equal(acquire_as(&want, CH_OK), "env:OPENAI_API_KEYS#1");
	report(&want, MODEL_ERR_RATE_LIMIT);
	assert_string_equal(acquire_as(&want, CH_OK), "env:OPENAI_API_KEYS#2");
	assert_true(auth_has_usable(models, &want));
	report(&want, MODEL_ERR_RATE_LIMIT);
	acquire_as(&want, CH_E_BUSY);
	assert_int_equal(err.retry_after_ms, 30000);
	assert_non_null(strstr(err.text, "rate_limit"));
	assert_false(auth_has_usable(models, &want));
	assert_true(auth_has_any(models, "openai", NULL));
	assert_true(auth_has_usable(models, &(struct auth_want){ .provider = "openai", .model = "other" }));
	move_clock(30000);
	assert_string_equal(acquire_as(&want, CH_OK), "env:OPENAI_API_KEYS#1");
	report(&want, MODEL_ERR_NONE);
	/* A key that is wrong does not make the next one right. */
	report(&want, MODEL_ERR_AUTH);
	acquire_as(&want, CH_E_BUSY);
	/* … but the same name with another key is another key. */
	setenv("OPENAI_API_KEYS", "k3,k2", 1);
	assert_string_equal(acquire_as(&want, CH_OK), "env:OPENAI_API_KEYS#1");
}

static void test_rotation(void **state)
{
	in_fiber(rotation, NULL);
}

static void sessions(void *arg)
{
	const struct auth_want one = { .provider = "openai", .session_key = "agent:main:one" };
	const struct auth_want two = { .provider = "openai", .session_key = "agent:main:two" };
	const char *first;

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a");
	put("", "openai:b", AUTH_KIND_API_KEY, "sk-b");
	first = acquire_as(&one, CH_OK);
	move_clock(1);
	assert_string_not_equal(acquire_as(&two, CH_OK), first);
	for (int i = 0; i < 3; i++) {
		move_clock(1);
		assert_string_equal(acquire_as(&one, CH_OK), first);
	}
	report(&one, MODEL_ERR_BILLING);
	assert_string_not_equal(acquire_as(&one, CH_OK), first);
	auth_session_forget(models, "agent:main:one");
	auth_session_forget(models, "agent:main:none");
}

static void test_sessions(void **state)
{
	in_fiber(sessions, NULL);
}

static void pins(void *arg)
{
	const struct auth_want pin = { .provider = "openai", .profile = "openai:b" };

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a");
	acquire_as(&pin, CH_E_DENIED);
	assert_non_null(strstr(err.text, "models auth list"));
	put("", "openai:b", AUTH_KIND_API_KEY, "sk-b");
	assert_string_equal(acquire_as(&pin, CH_OK), "openai:b");
	report(&pin, MODEL_ERR_BILLING);
	acquire_as(&pin, CH_E_BUSY);             /* strict: not openai:a instead */
	assert_int_equal(err.retry_after_ms, 600000);
	/* A probe may look whether it is well again, and then it is. */
	report(&(struct auth_want){ .provider = "openai", .profile = "openai:b", .even_blocked = true }, MODEL_ERR_NONE);
	assert_string_equal(acquire_as(&pin, CH_OK), "openai:b");
	put_oauth("openai:c", NOW - HOUR, NULL);
	acquire_as(&(struct auth_want){ .provider = "openai", .profile = "openai:c" }, CH_E_DENIED);
	assert_non_null(strstr(err.text, "expired"));
}

static void test_pins(void **state)
{
	in_fiber(pins, NULL);
}

static void skips(void *arg)
{
	const char *tried[] = { "openai:a", NULL, NULL };
	struct auth_want want = { .provider = "openai", .skip = tried };

	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a");
	put("", "openai:b", AUTH_KIND_API_KEY, "sk-b");
	assert_string_equal(acquire_as(&want, CH_OK), "openai:b");
	tried[1] = "openai:b";
	assert_false(auth_has_usable(models, &want));
	acquire_as(&want, CH_E_BUSY);
}

static void test_skips(void **state)
{
	in_fiber(skips, NULL);
}

static void nothing(void *arg)
{
	acquire_as(&openai, CH_E_NOT_FOUND);
	assert_non_null(strstr(err.text, "OPENAI_API_KEY"));
	assert_non_null(strstr(err.text, "paste-api-key"));
	assert_false(auth_has_any(models, "openai", NULL));
	assert_string_equal(acquire_as(&(struct auth_want){ .provider = "ollama" }, CH_OK), "");
	assert_true(auth_has_any(models, "ollama", NULL));
}

static void test_nothing(void **state)
{
	in_fiber(nothing, NULL);
}

/* Setup tokens are sent as what they are, however they came here. */
static void kinds(void *arg)
{
	struct auth_want want = { .provider = "anthropic" };
	struct auth_lease l;

	setenv("ANTHROPIC_API_KEY", "sk-ant-oat01-xxxxxxxx", 1);
	assert_int_equal(auth_acquire(models, snapshot, &want, &l, &err), CH_OK);
	assert_int_equal(l.kind, AUTH_KIND_TOKEN);
	auth_release(&l);
	setenv("ANTHROPIC_API_KEY", "sk-ant-api03-xxxxxxxx", 1);
	assert_int_equal(auth_acquire(models, snapshot, &want, &l, &err), CH_OK);
	assert_int_equal(l.kind, AUTH_KIND_API_KEY);
	auth_release(&l);
	unsetenv("ANTHROPIC_API_KEY");
	setenv("ANTHROPIC_OAUTH_TOKEN", "anything", 1);
	assert_int_equal(auth_acquire(models, snapshot, &want, &l, &err), CH_OK);
	assert_int_equal(l.kind, AUTH_KIND_TOKEN);
	auth_release(&l);
}

static void test_kinds(void **state)
{
	in_fiber(kinds, NULL);
}

/* A database that fails costs the memory of a failure, not the answer. */
static void broken_store(void *arg)
{
	put("", "openai:a", AUTH_KIND_API_KEY, "sk-a");
	db_fail_nth(db, 1);
	assert_string_equal(acquire_as(&openai, CH_OK), "openai:a");
	db_fail_nth(db, 1);
	report(&openai, MODEL_ERR_BILLING);
	db_fail_nth(db, 0);
}

static void test_broken_store(void **state)
{
	in_fiber(broken_store, NULL);
}

/* docs/providers.md has a word for every provider, and names its variable. */
static void test_documented(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_STR char *path = ch_asprintf("%s/../../docs/providers.md", TEST_FIXTURES);
	CH_AUTO_BUF struct buf text = { 0 };
	size_t n;
	const struct model_endpoint *e = model_endpoints(&n);

	assert_int_equal(file_read(path, 1 << 20, &text, &err), CH_OK);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(e[i].id, "offline"))
			continue;
		if (!strstr(buf_str(&text), arena_printf(a, "`%s`", e[i].id)) &&
		    !strstr(buf_str(&text), arena_printf(a, "--provider %s`", e[i].id)) &&
		    !strstr(buf_str(&text), arena_printf(a, "`%s/", e[i].id)))
			fail_msg("docs/providers.md does not say how to use %s", e[i].id);
		if (e[i].key_env[0] && !e[i].is_local && !strstr(buf_str(&text), e[i].key_env[0]))
			fail_msg("docs/providers.md does not name %s", e[i].key_env[0]);
	}
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ladder),
		T(test_health_climbs),
		T(test_health_scope),
		T(test_health_retry_after),
		T(test_health_other_key),
		cmocka_unit_test(test_ids),
		T(test_store),
		T(test_agent_is_forgotten),
		T(test_removed_leaves_order),
		T(test_default_order),
		T(test_token_stays_home),
		T(test_blocked_last),
		T(test_explicit_order),
		T(test_environment),
		T(test_config_key),
		T(test_rotation),
		T(test_sessions),
		T(test_pins),
		T(test_skips),
		T(test_nothing),
		T(test_kinds),
		T(test_broken_store),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
