/*
 * core/deadline: the heap keeps its order whatever is added and removed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/deadline.h"

#define COUNT 300

static struct deadline_heap heap;
static struct deadline entries[COUNT];
static int64_t last_ms;
static int fired;

static void on_fire(struct deadline *d)
{
	assert_int_equal(d->slot, 0);
	assert_true(d->at_ms >= last_ms);
	last_ms = d->at_ms;
	fired++;
}

static void on_fire_add_again(struct deadline *d)
{
	fired++;
	deadline_add(&heap, d, d->at_ms);
}

static int setup(void **state)
{
	for (size_t i = 0; i < COUNT; i++)
		entries[i] = (struct deadline){ .fire = on_fire };
	last_ms = INT64_MIN;
	fired = 0;
	return 0;
}

static int teardown(void **state)
{
	deadline_heap_done(&heap);
	return 0;
}

/* Every seed is another mix of moments and removals; the generator is Knuth's MMIX one. */
static void test_random_mix(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++) {
		uint64_t x = seed;
		int in = 0;

		for (int step = 0; step < 2000; step++) {
			struct deadline *d;

			x = x * 6364136223846793005u + 1442695040888963407u;
			d = &entries[(x >> 33) % COUNT];
			if (d->slot) {
				deadline_remove(&heap, d);
				in--;
			} else {
				deadline_add(&heap, d, (int64_t)(x >> 40) % 100);
				in++;
			}
			if (step % 50 == 0)
				deadline_check(&heap);
		}
		assert_int_equal(heap.len, in);
		last_ms = INT64_MIN;
		fired = 0;
		deadline_expire(&heap, 49);
		assert_true(!deadline_first(&heap) || deadline_first(&heap)->at_ms >= 50);
		deadline_expire(&heap, INT64_MAX);
		assert_int_equal(fired, in);
		assert_null(deadline_first(&heap));
	}
}

static void test_ties_keep_their_order(void **state)
{
	for (size_t i = 0; i < COUNT; i++)
		deadline_add(&heap, &entries[i], 7);
	for (size_t i = 0; i < COUNT; i++) {
		assert_ptr_equal(deadline_first(&heap), &entries[i]);
		deadline_remove(&heap, &entries[i]);
		deadline_remove(&heap, &entries[i]); /* not in it any more: nothing happens */
	}
}

static void test_added_while_firing_waits(void **state)
{
	entries[0].fire = on_fire_add_again;
	deadline_add(&heap, &entries[0], 5);
	deadline_expire(&heap, 10);
	assert_int_equal(fired, 1);
	assert_ptr_equal(deadline_first(&heap), &entries[0]);
	deadline_remove(&heap, &entries[0]);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_random_mix),
		TEST(test_ties_keep_their_order),
		TEST(test_added_while_firing_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
