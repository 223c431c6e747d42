/*
 * core/map and core/hash: against a plain array as the model.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/hash.h"
#include "core/map.h"
#include "core/mem.h"
#include "core/rand.h"

static void test_put_find_take(void **state)
{
	CH_AUTO(map_free) struct map *m = map_new();
	int one = 1, two = 2;

	(void)state;
	assert_null(map_find(m, "a"));
	assert_null(map_take(m, "a"));
	assert_null(map_put(m, "a", &one));
	assert_null(map_put(m, "", &two));
	assert_int_equal(map_len(m), 2);
	assert_ptr_equal(map_find(m, "a"), &one);
	assert_ptr_equal(map_find(m, ""), &two);
	assert_null(map_find(m, "A"));
	assert_ptr_equal(map_put(m, "a", &two), &one);
	assert_int_equal(map_len(m), 2);
	assert_ptr_equal(map_take(m, "a"), &two);
	assert_null(map_take(m, "a"));
	assert_int_equal(map_len(m), 1);
	map_free(NULL);
}

static void test_keys_are_copied(void **state)
{
	CH_AUTO(map_free) struct map *m = map_new();
	char key[] = "key";
	int v;

	(void)state;
	map_put(m, key, &v);
	key[0] = 'x';
	assert_ptr_equal(map_find(m, "key"), &v);
	assert_null(map_find(m, "xey"));
}

static void test_order_and_removal_while_walking(void **state)
{
	CH_AUTO(map_free) struct map *m = map_new();
	static int values[100];
	char name[16];
	const char *key;
	void *value;
	size_t cursor = 0;
	int i = 0;

	(void)state;
	for (i = 0; i < 100; i++) {
		values[i] = i;
		snprintf(name, sizeof(name), "k%d", i);
		map_put(m, name, &values[i]);
	}
	for (i = 0; map_each(m, &cursor, &key, &value); i++) {
		snprintf(name, sizeof(name), "k%d", i);
		assert_string_equal(key, name);
		assert_int_equal(*(int *)value, i);
		if (i % 2)
			assert_ptr_equal(map_take(m, name), value);
	}
	assert_int_equal(i, 100);
	assert_int_equal(map_len(m), 50);
	cursor = 0;
	for (i = 0; map_each(m, &cursor, NULL, &value); i += 2)
		assert_int_equal(*(int *)value, i);
	assert_int_equal(i, 100);
}

/* Random puts and takes; the table never loses or invents a key. */
static void test_against_a_model(void **state)
{
	enum { KEYS = 300, STEPS = 20000 };
	CH_AUTO(map_free) struct map *m = map_new();
	static int pool[KEYS];
	void *model[KEYS] = { NULL };
	size_t live = 0;
	char key[16];

	(void)state;
	for (int step = 0; step < STEPS; step++) {
		size_t k = rand_below(KEYS);
		bool put = rand_below(5) < (step / 2000 % 2 ? 1 : 4);

		snprintf(key, sizeof(key), "key-%zu", k);
		assert_ptr_equal(map_find(m, key), model[k]);
		if (put) {
			assert_ptr_equal(map_put(m, key, &pool[k]), model[k]);
			live += !model[k];
			model[k] = &pool[k];
		} else {
			assert_ptr_equal(map_take(m, key), model[k]);
			live -= !!model[k];
			model[k] = NULL;
		}
		assert_int_equal(map_len(m), live);
	}
	for (size_t k = 0; k < KEYS; k++) {
		snprintf(key, sizeof(key), "key-%zu", k);
		assert_ptr_equal(map_find(m, key), model[k]);
	}
}

static int dropped;

static void drop(void *value)
{
	dropped++;
	ch_free(value);
}

static void test_clear_gives_every_value_once(void **state)
{
	CH_AUTO(map_free) struct map *m = map_new();
	char key[16];

	for (int round = 1; round <= 2; round++) {
		for (int i = 0; i < 100; i++) {
			snprintf(key, sizeof(key), "%d", i);
			assert_null(map_put(m, key, ch_alloc(8)));
		}
		map_clear(m, drop);
		assert_int_equal(map_len(m), 0);
		assert_null(map_find(m, "7"));
		assert_int_equal(dropped, 100 * round);
	}
	map_clear(NULL, drop);
	assert_int_equal(dropped, 200);
}

static void test_hash(void **state)
{
	static const char bytes[] = "0123456789abcdef";

	(void)state;
	/* Every prefix differs from every other, whatever this process's key is. */
	for (size_t i = 0; i < sizeof(bytes); i++) {
		assert_true(hash_bytes(bytes, i) == hash_bytes(bytes, i));
		for (size_t j = 0; j < i; j++)
			assert_true(hash_bytes(bytes, i) != hash_bytes(bytes, j));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_put_find_take),
		cmocka_unit_test(test_keys_are_copied),
		cmocka_unit_test(test_order_and_removal_while_walking),
		cmocka_unit_test(test_against_a_model),
		cmocka_unit_test(test_clear_gives_every_value_once),
		cmocka_unit_test(test_hash),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
