/*
 * core/mailbox: order, cap, readers that are cancelled.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "core/clock.h"
#include "core/mailbox.h"
#include "in_fiber.h"

#define CAP 20

static int dropped;

static void count_drop(void *item)
{
	dropped += *(int *)item;
}

static void test_cap_and_drop(void **state)
{
	struct mailbox *m = mailbox_new(CAP, count_drop);
	int one = 1;

	dropped = 0;
	for (int i = 0; i < CAP; i++)
		assert_true(mailbox_post(m, &one));
	assert_false(mailbox_post(m, &one));
	mailbox_free(m);
	assert_int_equal(dropped, CAP);
	mailbox_free(NULL);
	m = mailbox_new(0, NULL);
	assert_false(mailbox_post(m, &one));
	mailbox_free(m);
}

/* Puts in and takes out in uneven steps, so that the ring wraps while it grows. */
static void keep_order(void *arg)
{
	struct mailbox *m = mailbox_new(CAP, NULL);
	int items[200], posted = 0, taken = 0;
	void *item;

	while (taken < 200) {
		for (int i = 0; i < 7 && posted < 200; i++)
			if (mailbox_post(m, &items[posted]))
				posted++;
		for (int i = 0; i < 3 && taken < posted; i++) {
			assert_int_equal(mailbox_take(m, now_mono_ms(), &item), CH_OK);
			assert_ptr_equal(item, &items[taken]);
			taken++;
		}
	}
	assert_int_equal(mailbox_take(m, now_mono_ms(), &item), CH_E_TIMEOUT);
	mailbox_free(m);
}

static void test_order(void **state)
{
	in_fiber(keep_order, NULL);
}

struct reader {
	struct mailbox *m;
	struct fiber *fiber;
	int *item;
	ch_status st;
};

static void read_one(void *arg)
{
	struct reader *r = arg;
	void *item = NULL;

	r->st = mailbox_take(r->m, fiber_deadline(5000), &item);
	r->item = item;
}

static void start_readers(struct mailbox *m, struct reader *readers, int n)
{
	for (int i = 0; i < n; i++) {
		readers[i] = (struct reader){ .m = m };
		readers[i].fiber = fiber_spawn(fiber_loop(), "reader", FIBER_JOINABLE, read_one, &readers[i]);
	}
	assert_int_equal(fiber_yield(), CH_OK);
}

static void join_readers(struct reader *readers, int n)
{
	for (int i = 0; i < n; i++)
		assert_int_equal(fiber_join(readers[i].fiber, fiber_deadline(5000)), CH_OK);
}

static void wake_one_each(void *arg)
{
	struct mailbox *m = mailbox_new(CAP, NULL);
	struct reader readers[3];
	int items[2];

	start_readers(m, readers, 3);
	assert_true(mailbox_post(m, &items[0]));
	/* The first reader has been signalled already; its item must reach another one. */
	fiber_cancel(readers[0].fiber);
	assert_true(mailbox_post(m, &items[1]));
	join_readers(readers, 3);
	assert_int_equal(readers[0].st, CH_E_CANCELED);
	assert_ptr_equal(readers[1].item, &items[0]);
	assert_ptr_equal(readers[2].item, &items[1]);
	mailbox_free(m);
}

static void test_canceled_reader_loses_nothing(void **state)
{
	in_fiber(wake_one_each, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cap_and_drop),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_canceled_reader_loses_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
