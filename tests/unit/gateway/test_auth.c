/*
 * gateway/auth: modes, the shared secret, what reloading changes, what the refused are told.
 */
#include "gwtest.h"

#include "core/fiber.h"
#include "core/str.h"
#include "gateway/auth.h"

struct load {
	struct loop *loop;
	struct gw_auth *auth;
	const char *config;
	bool none_allowed, changed;
	ch_status st;
	struct ch_err err;
};

static void load_in_fiber(void *arg)
{
	CH_AUTO(config_unref) struct config *c = NULL;
	struct load *l = arg;

	l->st = config_parse(l->config, strlen(l->config), NULL, &c, &l->err);
	if (!l->st)
		l->st = auth_load(l->auth, c, l->none_allowed, &l->changed, &l->err);
	loop_stop(l->loop);
}

static ch_status load(struct load *l, const char *config)
{
	l->config = config;
	l->changed = false;
	fiber_spawn(l->loop, "load", FIBER_DETACHED, load_in_fiber, l);
	loop_run(l->loop);
	return l->st;
}

static void begin(struct load *l, const char *override_token)
{
	*l = (struct load){ .loop = loop_new(), .auth = auth_new(override_token), .none_allowed = true };
}

static void end(struct load *l)
{
	auth_free(l->auth);
	loop_free(l->loop);
}

struct mode_case {
	const char *config;
	enum auth_mode mode;
	const char *secret, *error;      /* error: refused, holding this */
};

static void test_modes(void **state)
{
	static const struct mode_case rows[] = {
		{ "{gateway:{auth:{token:'tok'}}}", AUTH_MODE_TOKEN, "tok", NULL },
		{ "{gateway:{auth:{mode:'token',token:'tok',password:'pw'}}}", AUTH_MODE_TOKEN, "tok", NULL },
		{ "{gateway:{auth:{mode:'password',token:'tok',password:'pw'}}}", AUTH_MODE_PASSWORD,
		  "pw", NULL },
		{ "{gateway:{auth:{password:'pw'}}}", AUTH_MODE_PASSWORD, "pw", NULL },
		{ "{gateway:{auth:{token:'tok',password:'pw'}}}", AUTH_MODE_TOKEN, "tok", NULL },
		{ "{gateway:{auth:{mode:'none'}}}", AUTH_MODE_NONE, NULL, NULL },
		{ "{}", 0, NULL, "gateway.auth.token is not set" },
		{ "{gateway:{auth:{mode:'password',token:'tok'}}}", 0, NULL,
		  "gateway.auth.password is not set" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct load l;

		begin(&l, NULL);
		if (rows[i].error) {
			assert_int_not_equal(load(&l, rows[i].config), CH_OK);
			assert_non_null(strstr(l.err.text, rows[i].error));
		} else {
			if (load(&l, rows[i].config))
				fail_msg("row %zu: %s", i, l.err.text);
			assert_int_equal(l.auth->mode, rows[i].mode);
			assert_int_equal(secret_equal(l.auth->secret, rows[i].secret ? rows[i].secret : ""),
					 rows[i].secret != NULL);
		}
		end(&l);
	}
}

static void test_override(void **state)
{
	struct load l;

	begin(&l, "given");
	assert_int_equal(load(&l, "{gateway:{auth:{token:'tok'}}}"), CH_OK);
	assert_true(secret_equal(l.auth->secret, "given"));
	assert_int_equal(load(&l, "{gateway:{auth:{token:'other'}}}"), CH_OK);
	assert_false(l.changed);
	end(&l);
}

/* What cannot be used leaves what was in force. */
static void test_reload(void **state)
{
	struct load l;

	begin(&l, NULL);
	assert_int_equal(load(&l, "{gateway:{auth:{token:'one'}}}"), CH_OK);
	assert_false(l.changed);                 /* the first time nobody is connected */
	assert_int_equal(load(&l, "{gateway:{auth:{token:'one'}},ui:{}}"), CH_OK);
	assert_false(l.changed);
	assert_int_equal(load(&l, "{gateway:{auth:{token:'two'}}}"), CH_OK);
	assert_true(l.changed);
	assert_int_not_equal(load(&l, "{}"), CH_OK);
	assert_true(secret_equal(l.auth->secret, "two"));
	assert_int_not_equal(load(&l, "{gateway:{auth:{token:'${NO_SUCH_VARIABLE_HERE}'}}}"), CH_OK);
	assert_true(secret_equal(l.auth->secret, "two"));
	l.none_allowed = false;
	assert_int_equal(load(&l, "{gateway:{auth:{mode:'none'}}}"), CH_E_DENIED);
	assert_int_equal(l.auth->mode, AUTH_MODE_TOKEN);
	l.none_allowed = true;
	assert_int_equal(load(&l, "{gateway:{auth:{mode:'none'}}}"), CH_OK);
	assert_true(l.changed);
	assert_int_equal(load(&l, "{gateway:{auth:{mode:'password',password:'two'}}}"), CH_OK);
	assert_true(l.changed);
	end(&l);
}

static void test_shared(void **state)
{
	struct load l;

	begin(&l, NULL);
	load(&l, "{gateway:{auth:{token:'tok'}}}");
	assert_int_equal(auth_check_shared(l.auth, "tok", NULL), AUTH_OK);
	assert_int_equal(auth_check_shared(l.auth, NULL, "tok"), AUTH_OK); /* either field may carry it */
	assert_int_equal(auth_check_shared(l.auth, "bad", "tok"), AUTH_OK);
	assert_int_equal(auth_check_shared(l.auth, "to", NULL), AUTH_TOKEN_MISMATCH);
	assert_int_equal(auth_check_shared(l.auth, "tok ", NULL), AUTH_TOKEN_MISMATCH);
	assert_int_equal(auth_check_shared(l.auth, "", ""), AUTH_TOKEN_MISSING);
	assert_int_equal(auth_check_shared(l.auth, NULL, NULL), AUTH_TOKEN_MISSING);
	assert_int_equal(auth_shared_method(l.auth), AUTH_BY_TOKEN);
	load(&l, "{gateway:{auth:{mode:'password',password:'pw'}}}");
	assert_int_equal(auth_check_shared(l.auth, "pw", NULL), AUTH_OK);
	assert_int_equal(auth_check_shared(l.auth, NULL, "x"), AUTH_PASSWORD_MISMATCH);
	assert_int_equal(auth_check_shared(l.auth, NULL, NULL), AUTH_PASSWORD_MISSING);
	load(&l, "{gateway:{auth:{mode:'none'}}}");
	assert_int_equal(auth_check_shared(l.auth, NULL, NULL), AUTH_OK);
	assert_int_equal(auth_shared_method(l.auth), AUTH_BY_NONE);
	end(&l);
}

static void test_texts(void **state)
{
	struct connect_params cli = { .client = { .id = "cli", .mode = "cli" } };
	struct connect_params app = { .client = { .id = "openclaw-macos", .mode = "ui" } };
	struct connect_params page = { .client = { .id = "webchat-ui", .mode = "webchat" } };

	assert_string_equal(auth_message(AUTH_TOKEN_MISMATCH, &cli, true),
			    "unauthorized: gateway token mismatch (use this gateway's gateway.auth.token or "
			    "pair the device)");
	assert_string_equal(auth_message(AUTH_TOKEN_MISMATCH, &app, true),
			    "unauthorized: gateway token mismatch (provide gateway auth token)");
	assert_non_null(strstr(auth_message(AUTH_TOKEN_MISMATCH, &cli, false), "gateway.remote.token"));
	assert_non_null(strstr(auth_message(AUTH_TOKEN_MISSING, &page, true), "chela dashboard"));
	for (enum auth_reason r = AUTH_TOKEN_MISSING; r < AUTH_REASONS; r++) {
		assert_true(str_starts(auth_message(r, &cli, true), "unauthorized: "));
		assert_true(strlen(auth_message(r, &cli, true)) <= 123);         /* fits a close frame */
		assert_non_null(auth_reason_text(r)->name);
		assert_true(str_starts(auth_reason_text(r)->code, "AUTH_"));
		assert_true(*auth_reason_text(r)->next_step);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_modes),  cmocka_unit_test(test_override), cmocka_unit_test(test_reload),
		cmocka_unit_test(test_shared), cmocka_unit_test(test_texts),
	};

	return cmocka_run_group_tests_name("gateway/auth", tests, NULL, NULL);
}
