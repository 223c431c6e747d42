/*
 * sessions/lane: order within a key, turns between keys, the cap, leaving the line.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../core/in_fiber.h"
#include "core/clock.h"
#include "sessions/lane.h"

static struct lanes *lanes;
static char diary[512];

static void note(const char *what, const char *name)
{
	size_t len = strlen(diary);

	snprintf(diary + len, sizeof(diary) - len, "%s%s%s", len ? " " : "", what, name);
}

static void check_diary(const char *expected)
{
	assert_string_equal(diary, expected);
	diary[0] = '\0';
}

/* One that wants the lane `key`, keeps it until told, and notes what happens. */
struct guest {
	const char *name, *key;
	int64_t deadline_ms;
	struct fiber *fiber;
	ch_status status;
	bool is_in, may_go;
};

static void visit(void *arg)
{
	struct guest *g = arg;
	CH_AUTO(lane_leave) struct lane_lease *lease = NULL;
	struct ch_err err;

	g->status = lane_enter(lanes, g->key, g->deadline_ms ? g->deadline_ms : FIBER_FOREVER, &lease, &err);
	if (g->status) {
		note("-", g->name);
		return;
	}
	note("+", g->name);
	g->is_in = true;
	while (!g->may_go && !fiber_park(FIBER_FOREVER))
		;
	g->is_in = false;
}

static void arrive(struct guest *g)
{
	g->fiber = fiber_spawn(fiber_loop(), g->name, FIBER_JOINABLE, visit, g);
}

/* Lets all others run until nothing moves any more. */
static void settle(void)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(fiber_yield(), CH_OK);
}

static void let_go(struct guest *g)
{
	g->may_go = true;
	fiber_wake(g->fiber);
	assert_int_equal(fiber_join(g->fiber, FIBER_FOREVER), CH_OK);
	settle();
}

static void run(void (*fn)(void *arg), size_t max)
{
	lanes = lanes_new(max);
	in_fiber(fn, NULL);
	lanes_free(lanes);                       /* aborts when a lane is left */
}

static void order_within_key(void *arg)
{
	struct guest a = { "a", "k" }, b = { "b", "k" }, c = { "c", "k" };

	assert_false(lane_is_busy(lanes, "k"));
	arrive(&a);
	arrive(&b);
	arrive(&c);
	settle();
	check_diary("+a");
	assert_true(lane_is_busy(lanes, "k"));
	assert_int_equal(lane_waiting(lanes, "k"), 2);
	assert_int_equal(lanes_active(lanes), 1);
	let_go(&a);
	check_diary("+b");
	let_go(&b);
	let_go(&c);
	check_diary("+c");
	assert_false(lane_is_busy(lanes, "k"));
	assert_int_equal(lanes_active(lanes), 0);
}

static void test_order_within_key(void **state)
{
	run(order_within_key, 8);
}

/* With one place, a session with three waiting does not keep the other from its turn. */
static void turns_between_keys(void *arg)
{
	struct guest a1 = { "a1", "a" }, a2 = { "a2", "a" }, a3 = { "a3", "a" }, b1 = { "b1", "b" }, b2 = { "b2", "b" };

	arrive(&a1);
	arrive(&a2);
	arrive(&a3);
	arrive(&b1);
	arrive(&b2);
	settle();
	assert_int_equal(lanes_active(lanes), 1);
	assert_int_equal(lane_waiting(lanes, "b"), 2);
	let_go(&a1);
	let_go(&b1);
	let_go(&a2);
	let_go(&b2);
	let_go(&a3);
	check_diary("+a1 +b1 +a2 +b2 +a3");
}

static void test_turns_between_keys(void **state)
{
	run(turns_between_keys, 1);
}

static void cap_moves(void *arg)
{
	struct guest a = { "a", "a" }, b = { "b", "b" }, c = { "c", "c" };

	arrive(&a);
	arrive(&b);
	arrive(&c);
	settle();
	check_diary("+a");
	assert_null(lane_try(lanes, "free"));
	lanes_set_max(lanes, 2);
	settle();
	check_diary("+b");
	lanes_set_max(lanes, 1);                 /* nobody is thrown out */
	settle();
	assert_int_equal(lanes_active(lanes), 2);
	let_go(&a);
	check_diary("");
	let_go(&b);
	check_diary("+c");
	let_go(&c);
}

static void test_cap_moves(void **state)
{
	run(cap_moves, 1);
}

static void try_lane(void *arg)
{
	CH_AUTO(lane_leave) struct lane_lease *lease = lane_try(lanes, "k");
	struct guest a = { "a", "k" };

	assert_non_null(lease);
	assert_null(lane_try(lanes, "k"));
	arrive(&a);
	settle();
	check_diary("");
	lane_leave(CH_TAKE(lease));
	assert_null(lane_try(lanes, "k"));       /* it is a's turn already, though a has not run yet */
	settle();
	check_diary("+a");
	let_go(&a);
	lease = lane_try(lanes, "k");
	assert_non_null(lease);
	lane_leave(NULL);
}

static void test_try(void **state)
{
	run(try_lane, 8);
}

static void cancel_in_line(void *arg)
{
	struct guest a = { "a", "k" }, b = { "b", "k" }, c = { "c", "k" };

	arrive(&a);
	arrive(&b);
	arrive(&c);
	settle();
	fiber_cancel(b.fiber);
	settle();
	check_diary("+a -b");
	assert_int_equal(b.status, CH_E_CANCELED);
	assert_int_equal(lane_waiting(lanes, "k"), 1);
	fiber_detach(b.fiber);
	let_go(&a);
	check_diary("+c");
	let_go(&c);
}

static void test_cancel_in_line(void **state)
{
	run(cancel_in_line, 8);
}

/* Holding the key but not a place: the key passes on. */
static void cancel_before_place(void *arg)
{
	struct guest a = { "a", "a" }, b = { "b", "b" }, b2 = { "b2", "b" };

	arrive(&a);
	arrive(&b);
	arrive(&b2);
	settle();
	assert_int_equal(lane_waiting(lanes, "b"), 2);
	fiber_cancel(b.fiber);
	settle();
	check_diary("+a -b");
	fiber_detach(b.fiber);
	let_go(&a);
	check_diary("+b2");
	let_go(&b2);
}

static void test_cancel_before_place(void **state)
{
	run(cancel_before_place, 1);
}

/* The turn and the cancel come together: the lease is not lost. */
static void cancel_at_turn(void *arg)
{
	struct lane_lease *lease = lane_try(lanes, "k");
	struct guest b = { "b", "k" }, c = { "c", "k" };

	arrive(&b);
	arrive(&c);
	settle();
	lane_leave(lease);
	fiber_cancel(b.fiber);                   /* b has its lease, but has not run since */
	settle();
	check_diary("-b +c");
	assert_int_equal(b.status, CH_E_CANCELED);
	fiber_detach(b.fiber);
	let_go(&c);
}

static void test_cancel_at_turn(void **state)
{
	run(cancel_at_turn, 8);
}

static void canceled_before(void *arg)
{
	struct guest a = { "a", "k" };

	arrive(&a);
	fiber_cancel(a.fiber);
	settle();
	check_diary("-a");
	assert_false(lane_is_busy(lanes, "k"));
	fiber_detach(a.fiber);
}

static void test_canceled_before(void **state)
{
	run(canceled_before, 8);
}

static void deadline(void *arg)
{
	struct guest a = { "a", "k" }, b = { "b", "k", .deadline_ms = now_mono_ms() + 1 };

	arrive(&a);
	arrive(&b);
	assert_int_equal(fiber_sleep(5), CH_OK);
	settle();
	check_diary("+a -b");
	assert_int_equal(b.status, CH_E_TIMEOUT);
	assert_int_equal(lane_waiting(lanes, "k"), 0);
	fiber_detach(b.fiber);
	let_go(&a);
}

static void test_deadline(void **state)
{
	run(deadline, 8);
}

/* Many sessions, few places: never more than the cap, everyone gets in, each key in order. */
#define CROWD 200

static void crowd(void *arg)
{
	static struct guest guests[CROWD];
	static char names[CROWD][8];
	static const char *const keys[] = { "a", "b", "c", "d", "e", "f", "g" };
	size_t entered[7] = { 0 }, in;

	for (size_t i = 0; i < CROWD; i++) {
		snprintf(names[i], sizeof(names[i]), "%zu", i);
		guests[i] = (struct guest){ .name = names[i], .key = keys[i % 7] };
		arrive(&guests[i]);
	}
	settle();
	for (size_t left = CROWD; left > 0; ) {
		in = 0;
		for (size_t i = 0; i < CROWD; i++)
			in += guests[i].is_in;
		assert_int_equal(in, CH_MIN(left, 3));
		for (size_t i = 0; i < CROWD; i++) {
			if (!guests[i].is_in)
				continue;
			assert_int_equal(i / 7, entered[i % 7]++);
			let_go(&guests[i]);
			left--;
			break;
		}
	}
	diary[0] = '\0';
}

static void test_crowd(void **state)
{
	run(crowd, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order_within_key),
		cmocka_unit_test(test_turns_between_keys),
		cmocka_unit_test(test_cap_moves),
		cmocka_unit_test(test_try),
		cmocka_unit_test(test_cancel_in_line),
		cmocka_unit_test(test_cancel_before_place),
		cmocka_unit_test(test_cancel_at_turn),
		cmocka_unit_test(test_canceled_before),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_crowd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
