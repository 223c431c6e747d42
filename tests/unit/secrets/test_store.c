/*
 * secrets/store: what is kept is sealed, opens with its key and its name only, and is bound to hosts.
 */
#include "../store/scratch.h"

#include <sys/stat.h>

#include "../core/in_fiber.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "secrets/store.h"

#define VALUE "sk-canary-0123456789abcdef"

static struct db *db;
static struct secret_store *store;
static char *in_dir(const char *name)
{
	return ch_asprintf("%s/%s", scratch_dir, name);
}

static int setup(void **state)
{
	int rc = scratch_make(state);

	if (rc)
		return rc;
	ASSERT_OK(db_open(scratch_db, DB_CREATE, &db, err));
	ASSERT_OK(secret_store_open(db, scratch_dir, &store, err));
	return 0;
}

static int teardown(void **state)
{
	secret_store_free(store);
	db_close(db);
	return scratch_remove(state);
}

static void reopen(void)
{
	secret_store_free(store);
	ASSERT_OK(secret_store_open(db, scratch_dir, &store, err));
}

static void set(const char *name, const char *kind, const char *value, const char *const *hosts)
{
	ASSERT_OK(secret_store_set(store, name, kind, value, hosts, "test", err));
}

static void expect(const char *name, const char *value)
{
	CH_AUTO(secret_unref) struct secret *s = NULL;

	ASSERT_OK(secret_store_get(store, name, &s, err));
	assert_string_equal(secret_reveal(s), value);
}

static void test_round_trip(void **state)
{
	set("STRIPE_API_KEY", "secret", VALUE, NULL);
	set("LOG_LEVEL", "env", "debug", NULL);
	expect("STRIPE_API_KEY", VALUE);
	reopen();
	expect("STRIPE_API_KEY", VALUE);
	expect("LOG_LEVEL", "debug");
	set("STRIPE_API_KEY", "secret", "another-value", NULL);
	expect("STRIPE_API_KEY", "another-value");
	ASSERT_OK(secret_store_remove(store, "STRIPE_API_KEY", err));
	ASSERT_FAILS(secret_store_remove(store, "STRIPE_API_KEY", err), CH_E_NOT_FOUND, "STRIPE_API_KEY");
}

static void test_nothing_readable_on_disk(void **state)
{
	static const char *const files[] = { "chela.sqlite", "chela.sqlite-wal", "secrets.key" };
	struct stat st;

	set("STRIPE_API_KEY", "secret", VALUE, NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(files); i++) {
		CH_AUTO_STR char *path = in_dir(files[i]);
		CH_AUTO_BUF struct buf bytes = { 0 };

		if (!file_exists(path))
			continue;
		ASSERT_OK(file_read(path, 64u << 20, &bytes, err));
		assert_null(memmem(bytes.data, bytes.len, VALUE, strlen(VALUE)));
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 077, 0);
	}
}

static void exec_sql(const char *sql)
{
	ASSERT_OK(db_exec(db, sql, err));
}

/* A row cannot be passed off as another one, nor be changed. */
static void test_sealed_to_its_name(void **state)
{
	struct secret *s = NULL;

	set("ONE_TOKEN", "secret", VALUE, NULL);
	set("TWO_TOKEN", "secret", "other", NULL);
	exec_sql("UPDATE secrets SET (nonce, value) = (SELECT nonce, value FROM secrets WHERE name = 'ONE_TOKEN')"
		 " WHERE name = 'TWO_TOKEN'");
	ASSERT_FAILS(secret_store_get(store, "TWO_TOKEN", &s, err), CH_E_IO, "does not open");
	exec_sql("UPDATE secrets SET value = substr(value, 2) WHERE name = 'ONE_TOKEN'");
	ASSERT_FAILS(secret_store_get(store, "ONE_TOKEN", &s, err), CH_E_IO, "does not open");
	exec_sql("UPDATE secrets SET value = x'00' WHERE name = 'ONE_TOKEN'");
	ASSERT_FAILS(secret_store_get(store, "ONE_TOKEN", &s, err), CH_E_IO, "does not open");
	assert_null(s);
}

static void test_lost_key(void **state)
{
	CH_AUTO_STR char *key = in_dir("secrets.key"), *aside = in_dir("aside");
	struct secret *s = NULL;

	set("ONE_TOKEN", "secret", VALUE, NULL);
	assert_int_equal(rename(key, aside), 0);
	reopen();
	ASSERT_FAILS(secret_store_get(store, "ONE_TOKEN", &s, err), CH_E_IO, "is gone: put it back");
	/* A new key would make the old values worthless for good. */
	ASSERT_FAILS(secret_store_set(store, "TWO_TOKEN", "secret", "x", NULL, NULL, err), CH_E_IO, "is gone");
	assert_int_equal(rename(aside, key), 0);
	expect("ONE_TOKEN", VALUE);
	assert_int_equal(chmod(key, 0644), 0);
	reopen();
	ASSERT_FAILS(secret_store_get(store, "ONE_TOKEN", &s, err), CH_E_IO, "chmod 600");
	assert_int_equal(chmod(key, 0600), 0);
}

static void test_key_is_no_link(void **state)
{
	CH_AUTO_STR char *key = in_dir("secrets.key"), *real = in_dir("real");
	struct secret *s = NULL;

	set("ONE_TOKEN", "secret", VALUE, NULL);
	assert_int_equal(rename(key, real), 0);
	assert_int_equal(symlink(real, key), 0);
	reopen();
	ASSERT_FAILS(secret_store_get(store, "ONE_TOKEN", &s, err), CH_E_IO, "secrets.key");
}

static void test_refused(void **state)
{
	static const char *const names[] = { "", "lower", "1A", "A-B", "A B", "A/../B", "\xc3\x84" };
	CH_AUTO_STR char *long_value = ch_alloc(SECRET_VALUE_MAX + 2);
	const char *const bad_hosts[][2] = { { "https://x.org" }, { "*.x.org" }, { "x.org:443" }, { "x..org" }, { "b\xc3\xbc.org" } };

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		ASSERT_FAILS(secret_store_set(store, names[i], "secret", "x", NULL, NULL, err), CH_E_INVALID, "name");
	for (size_t i = 0; i < CH_ARRAY_LEN(bad_hosts); i++)
		ASSERT_FAILS(secret_store_set(store, "A_KEY", "secret", "x", bad_hosts[i], NULL, err), CH_E_INVALID, "is no host");
	ASSERT_FAILS(secret_store_set(store, "A_KEY", "secret", "", NULL, NULL, err), CH_E_INVALID, "empty");
	ASSERT_FAILS(secret_store_set(store, "A_KEY", "other", "x", NULL, NULL, err), CH_E_INVALID, "kind");
	ASSERT_FAILS(secret_store_set(store, "A_KEY", "secret", CONFIG_REDACTED, NULL, NULL, err), CH_E_INVALID, "placeholder");
	memset(long_value, 'x', SECRET_VALUE_MAX + 1);
	ASSERT_FAILS(secret_store_set(store, "A_KEY", "secret", long_value, NULL, NULL, err), CH_E_LIMIT, "longer");
	long_value[SECRET_VALUE_MAX] = '\0';
	set("A_KEY", "secret", long_value, NULL);
	expect("A_KEY", long_value);
}

static void test_hosts(void **state)
{
	static const char *const hosts[] = { "API.stripe.com", "files.stripe.com", NULL }, *const none[] = { NULL };

	set("A_KEY", "secret", "x", hosts);
	assert_true(secret_store_allows(store, "A_KEY", "api.stripe.com"));
	assert_true(secret_store_allows(store, "A_KEY", "FILES.stripe.com"));
	assert_false(secret_store_allows(store, "A_KEY", "stripe.com"));
	assert_false(secret_store_allows(store, "A_KEY", "api.stripe.com.evil.org"));
	assert_false(secret_store_allows(store, "A_KEY", "api.stripe.com."));
	/* A new value keeps them; none given anew takes them away. */
	set("A_KEY", "secret", "y", NULL);
	assert_false(secret_store_allows(store, "A_KEY", "stripe.com"));
	ASSERT_OK(secret_store_set(store, "A_KEY", "secret", NULL, none, NULL, err));
	expect("A_KEY", "y");
	assert_true(secret_store_allows(store, "A_KEY", "stripe.com"));
	assert_false(secret_store_allows(store, "B_KEY", "stripe.com"));
	ASSERT_FAILS(secret_store_set(store, "B_KEY", "secret", NULL, hosts, NULL, err), CH_E_NOT_FOUND, "B_KEY");
}

static bool see(void *arg, const struct secret_entry *e)
{
	struct buf *out = arg;

	buf_printf(out, "%s %s %s %s;", e->name, e->kind, e->value ? e->value : "-", e->allowed_hosts ? e->allowed_hosts[0] : "-");
	return true;
}

static void test_list_shows_no_secret(void **state)
{
	static const char *const hosts[] = { "a.org", NULL };
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	set("B_KEY", "secret", VALUE, hosts);
	set("A_LEVEL", "env", "debug", NULL);
	ASSERT_OK(secret_store_list(store, see, &out, err));
	assert_string_equal(buf_str(&out), "A_LEVEL env debug -;B_KEY secret - a.org;");
}

static CH_FIBER void read_config(void *arg)
{
	static const char text[] = "{gateway:{auth:{token:{source:'store',id:'A_TOKEN'}}}}";
	CH_AUTO(config_unref) struct config *c = NULL;
	struct secret *s = NULL;

	ASSERT_OK(config_parse(text, sizeof(text) - 1, NULL, &c, err));
	ASSERT_FAILS(config_secret(c, "gateway.auth.token", &s, err), CH_E_ABSENT, "gateway.auth.token");
	config_set_secrets(c, secret_store_source(store));
	ASSERT_FAILS(config_secret(c, "gateway.auth.token", &s, err), CH_E_NOT_FOUND, "chela secrets set A_TOKEN");
	set("A_TOKEN", "secret", VALUE, NULL);
	ASSERT_OK(config_secret(c, "gateway.auth.token", &s, err));
	assert_string_equal(secret_reveal(s), VALUE);
	secret_unref(s);
}

static void test_configuration_refers_to_it(void **state)
{
	in_fiber(read_config, NULL);
}

static void test_failed_write_changes_nothing(void **state)
{
	set("A_KEY", "secret", "old", NULL);
	for (int n = 1; n <= 2; n++) {
		db_fail_nth(db, n);
		ASSERT_FAILS(secret_store_set(store, "A_KEY", "secret", "new", NULL, NULL, err), CH_E_IO, "");
		db_fail_nth(db, 0);
		expect("A_KEY", "old");
	}
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_round_trip), T(test_nothing_readable_on_disk), T(test_sealed_to_its_name), T(test_lost_key),
		T(test_key_is_no_link), T(test_refused), T(test_hosts), T(test_list_shows_no_secret),
		T(test_configuration_refers_to_it), T(test_failed_write_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
