/*
 * gateway/wizard: which question follows which answer, that nothing is written before the last one, and that
 * a key is seen nowhere.
 */
#include "gwtest.h"

#include <stdlib.h>

#include "core/clock.h"
#include "core/str.h"
#include "gateway/wizard.h"

#define KEY "sk-canary-0123456789"

struct fixture {
	struct arena *a;
	struct wizard *w;
	struct json *seen;               /* of the last look() */
	/* The ports. */
	enum probe_status outcome;
	const char *words;
	bool cancels, save_fails;        /* during the probe; the next save */
	bool cancel_was_late;
	int probes, saves;
	char probed[256], probed_key[64], saved[256], saved_key[64], saved_name[64];
};

static const struct wizard_provider offers[] = {
	{ "ready", "Ready", "ready", "ready/m1", .is_ready = true, .takes_key = true },
	{ "acme", "Acme", "takes an API key", NULL, .takes_key = true },
	{ "box", "Box", NULL, "box/m2", .is_ready = true },
};

static ch_status give_providers(void *arg, struct arena *a, struct wizard_providers *ret, struct ch_err *err)
{
	*ret = (struct wizard_providers){ offers, CH_ARRAY_LEN(offers) };
	return CH_OK;
}

static const char *give_name(void *arg, struct arena *a)
{
	return "main";
}

static void fake_probe(void *arg, const struct probe *p, struct probe_result *ret)
{
	struct fixture *f = arg;
	struct ch_err err;

	f->probes++;
	assert_int_equal(wizard_answer(f->w, "model-1", NULL, &err), CH_E_BUSY);
	if (f->cancels)
		assert_true(wizard_cancel(f->w));
	/* What was given outlives the cancelling. */
	snprintf(f->probed, sizeof(f->probed), "%s", p->ref);
	snprintf(f->probed_key, sizeof(f->probed_key), "%s", p->trial_key ? secret_reveal(p->trial_key) : "");
	ret->status = f->outcome;
	snprintf(ret->error, sizeof(ret->error), "%s", f->words ? f->words : "");
}

static ch_status fake_save(void *arg, const struct wizard_plan *plan, struct ch_err *err)
{
	struct fixture *f = arg;

	f->cancel_was_late = !wizard_cancel(f->w);
	if (f->save_fails)
		return ch_fail(err, CH_E_IO, "the disk is full");
	f->saves++;
	snprintf(f->saved, sizeof(f->saved), "%s %s", plan->provider, plan->model);
	snprintf(f->saved_key, sizeof(f->saved_key), "%s", plan->key ? secret_reveal(plan->key) : "");
	snprintf(f->saved_name, sizeof(f->saved_name), "%s", plan->agent_name ? plan->agent_name : "");
	return CH_OK;
}

static int set_up(void **state)
{
	static struct fixture f;
	const struct wizard_ports ports = { give_providers, give_name, fake_probe, fake_save, &f };

	f = (struct fixture){ .a = arena_new(0) };
	*state = &f;
	clock_fake(1000, 1000);
	return wizard_new(&ports, &f.w, NULL);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	wizard_unref(f->w);
	arena_unref(f->a);
	clock_real();
	return 0;
}

/* What a client sees now; never the key. */
static void look(struct fixture *f)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, 65536);
	jw_obj(&w);
	wizard_render(f->w, &w);
	jw_end(&w);
	assert_null(strstr(buf_str(&out), KEY));
	assert_int_equal(json_parse(f->a, out.data, out.len, JSON_STRICT, &f->seen, NULL), CH_OK);
}

static const char *message(struct fixture *f)
{
	return json_str(json_path(f->seen, "step.message"));
}

static ch_status reply(struct fixture *f, const char *step, const char *value, struct ch_err *err)
{
	const char *id;

	look(f);
	id = json_str_or(json_path(f->seen, "step.id"), "");
	if (strncmp(id, step, strlen(step)) != 0 || id[strlen(step)] != '-')
		fail_msg("the wizard asks %s, not %s", id, step);
	return wizard_answer(f->w, id, value ? quoted(f->a, value) : NULL, err);
}

static void answer(struct fixture *f, const char *step, const char *value)
{
	struct ch_err err;

	if (reply(f, step, value, &err))
		fail_msg("%s: %s", step, err.text);
}

static void refuses(struct fixture *f, const char *step, const char *value)
{
	struct ch_err err = { .text = "" };

	assert_int_equal(reply(f, step, value, &err), CH_E_INVALID);
	assert_null(strstr(err.text, KEY));
	assert_int_equal(wizard_look(f->w), WIZARD_RUNNING);
}

static void begin(struct fixture *f, const char *provider)
{
	answer(f, "security", NULL);
	answer(f, "accept", "true");
	answer(f, "provider", provider);
}

static void test_new_key(void **state)
{
	struct fixture *f = *state;

	begin(f, "'acme'");
	look(f);
	assert_true(json_get_bool(json_get(f->seen, "step"), "sensitive", false));
	answer(f, "key", "' " KEY "\\n'");
	answer(f, "model", "'m9'");
	assert_string_equal(f->probed, "acme/m9");
	assert_string_equal(f->probed_key, KEY);
	answer(f, "name", "'Kim'");
	assert_int_equal(f->saves, 0);
	answer(f, "confirm", "true");
	assert_int_equal(f->saves, 1);
	assert_true(f->cancel_was_late);
	assert_string_equal(f->saved, "acme acme/m9");
	assert_string_equal(f->saved_key, KEY);
	assert_string_equal(f->saved_name, "Kim");
	answer(f, "next", NULL);
	look(f);
	assert_true(json_get_bool(f->seen, "done", false));
	assert_string_equal(json_get_str(f->seen, "status"), "done");
	assert_null(json_get(f->seen, "step"));
}

static void test_ready(void **state)
{
	struct fixture *f = *state;

	begin(f, "'ready'");
	answer(f, "model", NULL);        /* the proposed one */
	assert_string_equal(f->probed, "ready/m1");
	assert_string_equal(f->probed_key, "");
	answer(f, "name", "'main'");
	answer(f, "confirm", "true");
	assert_string_equal(f->saved, "ready ready/m1");
	assert_string_equal(f->saved_key, "");
	assert_string_equal(f->saved_name, "");
}

static void test_skip(void **state)
{
	struct fixture *f = *state;

	begin(f, "'offline'");
	answer(f, "name", "''");
	answer(f, "confirm", "true");
	assert_int_equal(f->probes, 0);
	assert_string_equal(f->saved, "offline offline/demo");
}

/* Every way on from a test that failed; another provider is never chosen by itself. */
static void test_failed(void **state)
{
	struct fixture *f = *state;

	f->outcome = PROBE_AUTH;
	f->words = "Incorrect API key provided: " KEY ", and again " KEY;
	begin(f, "'acme'");
	answer(f, "key", "'" KEY "'");
	answer(f, "model", "'acme/m9'");
	look(f);
	assert_non_null(strstr(message(f), "acme/m9 did not answer: Incorrect API key provided: ***"));
	refuses(f, "failed", "'no such way'");
	answer(f, "failed", "'key'");
	f->words = "refused";
	answer(f, "key", "'sk-other'");
	answer(f, "model", NULL);        /* what was said before */
	assert_string_equal(f->probed_key, "sk-other");
	answer(f, "failed", "'model'");
	f->words = "no such model";
	answer(f, "model", "'m8'");
	answer(f, "failed", "'provider'");
	answer(f, "provider", "'box'");
	answer(f, "model", NULL);
	assert_string_equal(f->probed_key, "");  /* acme's key is not shown to box */
	refuses(f, "failed", "'key'");           /* box takes none */
	answer(f, "failed", "'keep'");
	answer(f, "name", NULL);
	look(f);
	assert_null(strstr(message(f), "it answered"));
	answer(f, "confirm", "true");
	assert_string_equal(f->saved, "box box/m2");
	assert_string_equal(f->saved_key, "");
}

static void test_wrong_answers(void **state)
{
	struct fixture *f = *state;
	struct ch_err err;

	answer(f, "security", NULL);
	refuses(f, "accept", "'yes'");
	assert_int_equal(wizard_answer(f->w, "security-1", NULL, &err), CH_E_INVALID);
	answer(f, "accept", "true");
	refuses(f, "provider", "'nobody'");
	refuses(f, "provider", "7");
	answer(f, "provider", "'acme'");
	refuses(f, "key", "''");
	refuses(f, "key", "'" KEY " x'");
	refuses(f, "key", NULL);
	answer(f, "key", "'" KEY "'");
	refuses(f, "model", NULL);
	refuses(f, "model", "'a b'");
	answer(f, "model", "'m'");
	refuses(f, "name", "'a\\u0007b'");
	refuses(f, "name", "7");
	answer(f, "name", NULL);
	refuses(f, "confirm", NULL);
	assert_int_equal(f->saves, 0);
}

static void test_save_fails(void **state)
{
	struct fixture *f = *state;
	struct ch_err err;

	begin(f, "'ready'");
	answer(f, "model", NULL);
	answer(f, "name", NULL);
	f->save_fails = true;
	assert_int_equal(reply(f, "confirm", "true", &err), CH_E_IO);
	f->save_fails = false;
	answer(f, "confirm", "true");
	assert_int_equal(f->saves, 1);
}

static void ended(struct fixture *f, const char *status)
{
	struct ch_err err;

	assert_string_equal(wizard_status_name(wizard_look(f->w)), status);
	look(f);
	assert_true(json_get_bool(f->seen, "done", false));
	assert_non_null(json_get_str(f->seen, "error"));
	assert_int_equal(wizard_answer(f->w, "security-1", NULL, &err), CH_E_INVALID);
	assert_int_equal(f->saves, 0);
}

static void test_declined(void **state)
{
	struct fixture *f = *state;

	answer(f, "security", NULL);
	answer(f, "accept", "false");
	ended(f, "cancelled");
}

static void test_not_confirmed(void **state)
{
	struct fixture *f = *state;

	begin(f, "'offline'");
	answer(f, "name", NULL);
	answer(f, "confirm", "false");
	ended(f, "cancelled");
}

static void test_cancelled_in_test(void **state)
{
	struct fixture *f = *state;

	f->cancels = true;
	begin(f, "'acme'");
	answer(f, "key", "'" KEY "'");
	answer(f, "model", "'m'");
	assert_string_equal(f->probed_key, KEY);
	ended(f, "cancelled");
}

static void test_expires(void **state)
{
	struct fixture *f = *state;

	answer(f, "security", NULL);
	clock_fake(1000 + WIZARD_IDLE_MS - 1, 1000);
	assert_int_equal(wizard_look(f->w), WIZARD_RUNNING);
	answer(f, "accept", "true");     /* each answer gives new time */
	clock_fake(1000 + WIZARD_IDLE_MS, 1000);
	assert_int_equal(wizard_look(f->w), WIZARD_RUNNING);
	clock_fake(1000 + 2 * WIZARD_IDLE_MS, 1000);
	ended(f, "error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_new_key, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_ready, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_skip, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_failed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_wrong_answers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_save_fails, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_declined, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_not_confirmed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_cancelled_in_test, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expires, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("gateway/wizard", tests, NULL, NULL);
}
