/*
 * approvals/approval: states, first answer wins, carried out once, time, restarts, limits, a disk that fails.
 */
#include "approvals_fixture.h"

static void test_create_and_find(void **state)
{
	const char *id = asked(true);
	struct approval row = found(id);

	ASSERT_DIARY("?pending");
	assert_int_equal(strlen(id), 36);
	assert_int_equal(row.kind, APPROVAL_EXEC);
	assert_int_equal(row.status, APPROVAL_PENDING);
	assert_int_equal(row.decision, APPROVAL_NONE);
	assert_int_equal(row.decisions, APPROVAL_ALLOW_ONCE | APPROVAL_ALLOW_ALWAYS | APPROVAL_DENY);
	assert_string_equal(row.session_key, "agent:main:main");
	assert_string_equal(row.tool_call_id, "c1");
	assert_string_equal(row.binding_hash, "abc");
	assert_string_equal(json_get_str(row.request, "command"), "touch x");
	assert_string_equal(json_get_str(row.presentation, "kind"), "exec");
	assert_string_equal(json_get_str(row.binding, "argv"), "touch");
	assert_null(row.resolver);
	assert_null(row.reason);
	assert_int_equal(row.created_at, T0);
	assert_int_equal(row.expires_at, T0 + APPROVAL_TTL_MS);
	assert_int_equal(approvals_pending_count(ap), 1);
	ASSERT_FAILS(approval_find(ap, "nothing", arena, &row, err), CH_E_NOT_FOUND, "nothing");
}

static void test_own_id(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a b", "a/b", "a\nb", "\xe2\x80\xae" };
	struct approval_ask ask = an_ask(false);
	const char *id = NULL;

	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++) {
		ask.id = bad[i];
		ASSERT_FAILS(approval_create(ap, &ask, arena, &id, err), CH_E_INVALID, "id");
	}
	ask.id = "plugin:x-1";
	ASSERT_OK(approval_create(ap, &ask, arena, &id, err));
	assert_string_equal(id, "plugin:x-1");
	ASSERT_FAILS(approval_create(ap, &ask, arena, &id, err), CH_E_EXISTS, "");
	assert_int_equal(approvals_pending_count(ap), 1);
}

static void test_answers(void **state)
{
	static const struct { enum approval_decision d; enum approval_status s; const char *diary; } cases[] = {
		{ APPROVAL_ALLOW_ONCE, APPROVAL_ALLOWED, "?pending =allowed orphan:touch" },
		{ APPROVAL_ALLOW_ALWAYS, APPROVAL_ALLOWED, "?pending =allowed orphan:touch" },
		{ APPROVAL_DENY, APPROVAL_DENIED, "?pending =denied" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const char *id = asked(true);
		struct approval_resolver by = ada;
		struct approval row;

		by.expires_in_days = 7;
		clock_fake(1000, T0 + 5);
		ASSERT_OK(approval_resolve(ap, id, cases[i].d, &by, arena, &row, err));
		ASSERT_DIARY(cases[i].diary);
		assert_int_equal(row.status, cases[i].s);
		assert_int_equal(row.decision, cases[i].d);
		assert_string_equal(row.reason, "user");
		assert_int_equal(row.resolved_at, T0 + 5);
		assert_string_equal(json_get_str(row.resolver, "kind"), "device");
		assert_string_equal(json_get_str(row.resolver, "id"), "d1");
		assert_string_equal(json_get_str(row.resolver, "name"), "Ada");
		assert_int_equal(json_get_int(row.resolver, "grantExpiresInDays", 0), 7);
		assert_true(row.status == APPROVAL_ALLOWED || !row.binding);
		assert_int_equal(approvals_pending_count(ap), 0);
	}
}

static void test_first_answer_wins(void **state)
{
	const char *id = asked(false);
	struct approval row = { 0 };

	answered(id, APPROVAL_DENY);
	ASSERT_DIARY("?pending =denied");
	ASSERT_FAILS(approval_resolve(ap, id, APPROVAL_ALLOW_ONCE, &bob, arena, &row, err), CH_E_CONFLICT, "deny");
	assert_int_equal(row.status, APPROVAL_DENIED);
	assert_string_equal(json_get_str(row.resolver, "name"), "Ada");
	ASSERT_FAILS(approval_resolve(ap, id, APPROVAL_DENY, &bob, arena, &row, err), CH_E_CONFLICT, "deny");
	ASSERT_FAILS(approval_cancel(ap, id, "run-aborted", err), CH_E_CONFLICT, "denied");
	ASSERT_FAILS(approval_claim(ap, id, err), CH_E_CONFLICT, "not allowed");
	ASSERT_DIARY("");
}

static void test_only_offered_answers(void **state)
{
	struct approval_ask ask = an_ask(false);
	struct approval row;
	const char *id;

	ask.decisions = APPROVAL_ALLOW_ONCE;             /* deny is always there */
	ASSERT_OK(approval_create(ap, &ask, arena, &id, err));
	ASSERT_FAILS(approval_resolve(ap, id, APPROVAL_ALLOW_ALWAYS, &ada, arena, &row, err), CH_E_INVALID, "allow-always");
	ASSERT_FAILS(approval_resolve(ap, id, APPROVAL_NONE, &ada, arena, &row, err), CH_E_INVALID, "cannot be chosen");
	ASSERT_FAILS(approval_resolve(ap, id, APPROVAL_ALLOW_ONCE | APPROVAL_DENY, &ada, arena, &row, err), CH_E_INVALID, "cannot");
	assert_int_equal(found(id).status, APPROVAL_PENDING);
	answered(id, APPROVAL_DENY);
}

static void test_claim_once(void **state)
{
	const char *id = asked(true);
	struct approval row;

	ASSERT_FAILS(approval_claim(ap, id, err), CH_E_CONFLICT, "not allowed");
	answered(id, APPROVAL_ALLOW_ONCE);
	ASSERT_OK(approval_claim(ap, id, err));
	ASSERT_FAILS(approval_claim(ap, id, err), CH_E_CONFLICT, "before");
	assert_int_equal(found(id).done_at, 0);
	clock_fake(1000, T0 + 9);
	ASSERT_OK(approval_done(ap, id, err));
	row = found(id);
	assert_int_equal(row.claimed_at, T0);
	assert_int_equal(row.done_at, T0 + 9);
	assert_null(row.binding);
	ASSERT_FAILS(approval_claim(ap, "nothing", err), CH_E_CONFLICT, "nothing");
}

static ch_status note_claim(void *arg, struct ch_err *e)
{
	assert_true(db_tx_depth(db) > 0);
	note("also:", arg);
	return str_eq(arg, "fails") ? ch_fail(e, CH_E_IO, "the disk is full") : CH_OK;
}

/* What is to be known of it is on disk with the claim, or there is no claim. */
static void test_claim_with(void **state)
{
	const char *id = asked(true);

	answered(id, APPROVAL_ALLOW_ONCE);
	diary[0] = '\0';
	ASSERT_FAILS(approval_claim_with(ap, id, note_claim, "fails", err), CH_E_IO, "full");
	assert_int_equal(found(id).claimed_at, 0);
	ASSERT_OK(approval_claim_with(ap, id, note_claim, "works", err));
	ASSERT_FAILS(approval_claim_with(ap, id, note_claim, "again", err), CH_E_CONFLICT, "before");
	ASSERT_DIARY("also:fails also:works");
}

/* The run was aborted between the answer and its use: nothing may carry it out later. */
static void test_given_up(void **state)
{
	const char *id = asked(true);

	answered(id, APPROVAL_ALLOW_ONCE);
	ASSERT_OK(approval_cancel(ap, id, "run-aborted", err));
	ASSERT_FAILS(approval_claim(ap, id, err), CH_E_CONFLICT, "");
	ASSERT_DIARY("?pending =allowed orphan:touch");
	approvals_recover(ap);
	ASSERT_DIARY("");
}

static void test_cancel(void **state)
{
	const char *a = asked(true), *b = asked(true), *c = asked(true), *d = asked(true);

	answered(d, APPROVAL_DENY);
	diary[0] = '\0';
	ASSERT_OK(approval_cancel(ap, a, "run-aborted", err));
	ASSERT_OK(approval_cancel(ap, b, "run-aborted", err));
	ASSERT_FAILS(approval_cancel(ap, d, "run-aborted", err), CH_E_CONFLICT, "denied");
	ASSERT_DIARY("=cancelled =cancelled");
	assert_string_equal(found(a).reason, "run-aborted");
	assert_int_equal(found(b).status, APPROVAL_CANCELLED);
	assert_int_equal(found(c).status, APPROVAL_PENDING);
	assert_int_equal(found(d).status, APPROVAL_DENIED);
	assert_int_equal(approvals_pending_count(ap), 1);
}

static void test_nobody_can_be_reached(void **state)
{
	struct approval_ask ask = an_ask(false);
	const char *id;

	reachable = false;
	ASSERT_FAILS(approval_create(ap, &ask, arena, &id, err), CH_E_DENIED, "open the page");
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM approvals"), 0);
	ASSERT_DIARY("");
}

static void test_limits(void **state)
{
	char *big = memset(arena_alloc(arena, APPROVAL_TEXT_MAX + 1), 'x', APPROVAL_TEXT_MAX);
	struct approval_ask ask = an_ask(false);
	const char *ids[APPROVALS_PENDING_BYTES / APPROVAL_TEXT_MAX], *id;

	ask.request = object("command", big);
	ASSERT_FAILS(approval_create(ap, &ask, arena, &id, err), CH_E_LIMIT, "request");
	big[APPROVAL_TEXT_MAX - 100] = '\0';
	ask.request = object("command", big);
	for (size_t i = 0; i < CH_ARRAY_LEN(ids); i++)
		ASSERT_OK(approval_create(ap, &ask, arena, &ids[i], err));
	ASSERT_FAILS(approval_create(ap, &ask, arena, &id, err), CH_E_LIMIT, "chela approvals list");
	for (size_t i = 0; i < CH_ARRAY_LEN(ids); i++)
		ASSERT_OK(approval_cancel(ap, ids[i], "run-aborted", err));
	ask.request = object("command", "ls");
	for (int i = 0; i < APPROVALS_PENDING_MAX; i++)
		ASSERT_OK(approval_create(ap, &ask, arena, &id, err));
	ASSERT_FAILS(approval_create(ap, &ask, arena, &id, err), CH_E_LIMIT, "chela approvals list");
	answered(id, APPROVAL_DENY);
	ASSERT_OK(approval_create(ap, &ask, arena, &id, err));
}

static void test_pruning(void **state)
{
	const char *old = asked(false), *waiting = asked(true);
	struct approval row;

	answered(old, APPROVAL_DENY);
	answered(waiting, APPROVAL_ALLOW_ONCE);
	clock_fake(1000, T0 + APPROVAL_KEEP_MS);
	asked(false);
	assert_int_equal(found(old).status, APPROVAL_DENIED);
	clock_fake(1000, T0 + APPROVAL_KEEP_MS + 1);
	asked(false);
	ASSERT_FAILS(approval_find(ap, old, arena, &row, err), CH_E_NOT_FOUND, "");
	for (int i = 0; i < APPROVALS_KEPT_MAX + 5; i++)
		answered(asked(false), APPROVAL_DENY);
	asked(false);
	assert_int_equal(scratch_int(db, "SELECT count(*) FROM approvals WHERE resolved_at > 0"), APPROVALS_KEPT_MAX);
}

/* -- lists -- */

struct seen { char text[512]; size_t max; };

static bool see(void *arg, const struct approval *row)
{
	struct seen *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s%s", n ? " " : "", row->id);
	return !s->max || --s->max > 0;
}

static void ask_as(const char *id, const char *session_key, enum approval_kind kind)
{
	struct approval_ask ask = an_ask(false);
	const char *got;

	ask.id = id;
	ask.session_key = session_key;
	ask.kind = kind;
	ASSERT_OK(approval_create(ap, &ask, arena, &got, err));
}

static void test_pending_list(void **state)
{
	struct seen all = { 0 }, one = { 0 }, two = { .max = 2 };

	ask_as("b", "agent:main:main", APPROVAL_EXEC);
	ask_as("a", "agent:main:other", APPROVAL_PLUGIN);
	ask_as("c", NULL, APPROVAL_EXEC);
	ASSERT_OK(approval_pending(ap, NULL, see, &all, err));
	assert_string_equal(all.text, "b a c");
	ASSERT_OK(approval_pending(ap, "agent:main:other", see, &one, err));
	assert_string_equal(one.text, "a");
	ASSERT_OK(approval_pending(ap, NULL, see, &two, err));
	assert_string_equal(two.text, "b a");
}

static void test_history(void **state)
{
	struct seen first = { 0 }, second = { 0 }, plugins = { 0 };
	const char *cursor = NULL, *end = "x";

	for (int i = 0; i < 5; i++) {
		const char *id = arena_printf(arena, "h%d", i);

		ask_as(id, NULL, i == 2 ? APPROVAL_PLUGIN : APPROVAL_EXEC);
		clock_fake(1000, T0 + i / 2);            /* some at the same moment */
		answered(id, APPROVAL_DENY);
	}
	ask_as("waits", NULL, APPROVAL_EXEC);
	ASSERT_OK(approval_history(ap, NULL, 3, NULL, arena, see, &first, &cursor, err));
	assert_string_equal(first.text, "h4 h3 h2");
	assert_non_null(cursor);
	ASSERT_OK(approval_history(ap, cursor, 3, NULL, arena, see, &second, &end, err));
	assert_string_equal(second.text, "h1 h0");
	assert_null(end);
	first = (struct seen){ .max = 2 };               /* a page that ends early goes on where it ended */
	ASSERT_OK(approval_history(ap, NULL, 3, NULL, arena, see, &first, &cursor, err));
	assert_string_equal(first.text, "h4 h3");
	second = (struct seen){ 0 };
	ASSERT_OK(approval_history(ap, cursor, 3, NULL, arena, see, &second, &end, err));
	assert_string_equal(second.text, "h2 h1 h0");
	ASSERT_OK(approval_history(ap, NULL, 3, "plugin", arena, see, &plugins, &end, err));
	assert_string_equal(plugins.text, "h2");
	ASSERT_FAILS(approval_history(ap, "x", 3, NULL, arena, see, &plugins, &end, err), CH_E_INVALID, "cursor");
	ASSERT_FAILS(approval_history(ap, "12.", 3, NULL, arena, see, &plugins, &end, err), CH_E_INVALID, "cursor");
	ASSERT_FAILS(approval_history(ap, "999999999999999999999999999.a", 3, NULL, arena, see, &plugins, &end, err), CH_E_INVALID,
		     "cursor");
}

static void test_match(void **state)
{
	struct approval row;

	ask_as("abc-1", NULL, APPROVAL_EXEC);
	ask_as("abd-2", NULL, APPROVAL_EXEC);
	ask_as("abd", NULL, APPROVAL_EXEC);
	ASSERT_OK(approval_match(ap, "abc", arena, &row, err));
	assert_string_equal(row.id, "abc-1");
	ASSERT_OK(approval_match(ap, "abd", arena, &row, err));          /* all of an id is never ambiguous */
	assert_string_equal(row.id, "abd");
	ASSERT_FAILS(approval_match(ap, "ab", arena, &row, err), CH_E_CONFLICT, "several");
	ASSERT_FAILS(approval_match(ap, "%", arena, &row, err), CH_E_NOT_FOUND, "%");
	ASSERT_FAILS(approval_match(ap, "", arena, &row, err), CH_E_NOT_FOUND, "");
	answered("abc-1", APPROVAL_DENY);
	ASSERT_FAILS(approval_match(ap, "abc", arena, &row, err), CH_E_NOT_FOUND, "abc");
	ASSERT_OK(approval_match(ap, "abc-1", arena, &row, err));
}

/* A row that was damaged hides no other. */
static void test_damaged_row(void **state)
{
	struct seen all = { 0 };
	struct approval row;

	ask_as("bad", NULL, APPROVAL_EXEC);
	ask_as("good", NULL, APPROVAL_EXEC);
	ASSERT_OK(db_exec(db, "UPDATE approvals SET request = '{\"cut' WHERE id = 'bad'", err));
	ASSERT_OK(approval_pending(ap, NULL, see, &all, err));
	assert_string_equal(all.text, "good");
	assert_int_not_equal(approval_resolve(ap, "bad", APPROVAL_ALLOW_ONCE, &ada, arena, &row, NULL), CH_OK);
	assert_int_equal(scratch_int(db, "SELECT status = 'pending' FROM approvals WHERE id = 'bad'"), 1);
}

/* -- restarts -- */

static void reopen(void)
{
	fixture_close();
	diary[0] = '\0';
	fixture_open(scratch_db);
}

static void test_restart(void **state)
{
	const char *bound = asked(true), *unbound = asked(false), *late, *allowed = asked(true), *used = asked(true);
	struct approval_ask soon = an_ask(true);

	soon.ttl_ms = 1000;
	ASSERT_OK(approval_create(ap, &soon, arena, &late, err));
	answered(allowed, APPROVAL_ALLOW_ONCE);
	answered(used, APPROVAL_ALLOW_ONCE);
	ASSERT_OK(approval_claim(ap, used, err));
	clock_fake(1000, T0 + 1000);
	reopen();
	assert_int_equal(approvals_pending_count(ap), 1);
	assert_int_equal(found(bound).status, APPROVAL_PENDING);
	assert_string_equal(found(unbound).reason, "gateway-restart");
	assert_int_equal(found(late).status, APPROVAL_EXPIRED);
	ASSERT_DIARY("");                                /* nobody is there to be told yet */
	approvals_recover(ap);
	/* What ended meanwhile is told; of the yeses `allowed` only: `used` was claimed. */
	ASSERT_DIARY("=cancelled =expired orphan:touch");
	ASSERT_OK(approval_claim(ap, allowed, err));
	clock_fake(1000, T0 + 2000);
	reopen();
	approvals_recover(ap);
	ASSERT_DIARY("");
	/* Killed between the claim and its end: over, and with it what only carrying it out needs. */
	assert_int_equal(found(used).done_at, T0 + 1000);
	assert_int_equal(found(allowed).done_at, T0 + 2000);
	assert_null(found(used).binding);
	answered(bound, APPROVAL_ALLOW_ONCE);
	ASSERT_DIARY("=allowed orphan:touch");
}

static bool is_late(void)
{
	bool late = false;

	ASSERT_OK(approval_is_late(ap, "r1", &late, err));
	return late;
}

/* Who takes up the run that asked must not do what is carried out beside it. */
static void test_late(void **state)
{
	const char *id = asked(true), *unbound = asked(false);

	answered(unbound, APPROVAL_ALLOW_ONCE);
	reopen();
	assert_false(is_late());                         /* pending, and one that nobody carries out any more */
	answered(id, APPROVAL_ALLOW_ONCE);
	clock_fake(1000, T0 + 10);
	reopen();
	assert_true(is_late());
	ASSERT_OK(approval_claim(ap, id, err));
	assert_true(is_late());
	ASSERT_OK(approval_done(ap, id, err));
	assert_true(is_late());
	clock_fake(1000, T0 + 20);
	reopen();
	assert_false(is_late());
}

/* -- fibers -- */

struct waiter {
	const char *id;
	bool is_watcher;
	int64_t deadline_ms;
	struct approval row;
	ch_status status;
	struct fiber *fiber;
};

static void wait_fiber(void *arg)
{
	struct waiter *w = arg;
	struct ch_err err;

	w->status = w->is_watcher ? approval_watch(ap, w->id, w->deadline_ms, arena, &w->row, &err)
				  : approval_wait(ap, w->id, arena, &w->row, &err);
	note("woke:", w->status ? ch_status_name(w->status) : approval_status_name(w->row.status));
}

static void spawn(struct waiter *w)
{
	w->fiber = fiber_spawn(fiber_loop(), "waiter", FIBER_JOINABLE, wait_fiber, w);
}

static void settle(void)
{
	for (int i = 0; i < 10; i++)
		assert_int_equal(fiber_yield(), CH_OK);
}

static void join(struct waiter *w)
{
	assert_int_equal(fiber_join(w->fiber, FIBER_FOREVER), CH_OK);
}

static void in_loop(void (*fn)(void *arg))
{
	fiber_spawn(loop, "test", FIBER_DETACHED, fn, NULL);
	loop_run(loop);
	assert_int_equal(loop_fibers(loop), 0);
}

static void waits(void *arg)
{
	struct waiter w = { .id = asked(true) }, looker = { .id = w.id, .is_watcher = true, .deadline_ms = FIBER_FOREVER };

	spawn(&w);
	spawn(&looker);
	settle();
	answered(w.id, APPROVAL_ALLOW_ONCE);
	join(&w);
	join(&looker);
	ASSERT_DIARY("?pending =allowed woke:allowed woke:allowed");     /* no orphan: somebody waited */
	spawn(&w);                                       /* after the end: at once */
	join(&w);
	ASSERT_DIARY("woke:allowed");
}

static void test_wait(void **state)
{
	in_loop(waits);
}

static void only_watched(void *arg)
{
	struct waiter looker = { .id = asked(true), .is_watcher = true, .deadline_ms = FIBER_FOREVER };

	spawn(&looker);
	settle();
	answered(looker.id, APPROVAL_ALLOW_ONCE);
	join(&looker);
	ASSERT_DIARY("?pending =allowed orphan:touch woke:allowed");
}

static void test_a_watcher_carries_nothing_out(void **state)
{
	in_loop(only_watched);
}

static void cancelled(void *arg)
{
	struct waiter w = { .id = asked(true) };

	spawn(&w);
	settle();
	fiber_cancel(w.fiber);
	join(&w);
	ASSERT_DIARY("?pending woke:canceled");
	ASSERT_OK(approval_cancel(ap, w.id, "run-aborted", err));
	ASSERT_DIARY("=cancelled");
}

static void test_wait_is_cancelled(void **state)
{
	in_loop(cancelled);
}

static void both_at_once(void *arg)
{
	struct waiter w = { .id = asked(true) };

	spawn(&w);
	settle();
	answered(w.id, APPROVAL_ALLOW_ONCE);             /* it was held: no orphan … */
	fiber_cancel(w.fiber);                           /* … and the run is stopped before it could use it */
	join(&w);
	if (w.status)
		ASSERT_OK(approval_cancel(ap, w.id, "run-aborted", err));
	else
		ASSERT_OK(approval_claim(ap, w.id, err));
	ASSERT_FAILS(approval_claim(ap, w.id, err), CH_E_CONFLICT, "");
}

static void test_answer_and_abort_race(void **state)
{
	in_loop(both_at_once);
}

static void expires(void *arg)
{
	struct approval_ask ask = an_ask(true);
	struct waiter w = { 0 };
	struct approval row;

	ask.ttl_ms = 20;
	ASSERT_OK(approval_create(ap, &ask, arena, &w.id, err));
	spawn(&w);
	join(&w);
	ASSERT_DIARY("?pending =expired woke:expired");
	assert_string_equal(w.row.reason, "timeout");
	ASSERT_FAILS(approval_resolve(ap, w.id, APPROVAL_ALLOW_ONCE, &ada, arena, &row, err), CH_E_CONFLICT, "expired");
}

static void test_expiry(void **state)
{
	clock_real();
	in_loop(expires);
}

/* The clock says it is over, the timer has not come yet: an answer comes too late. */
static void test_late_answer(void **state)
{
	const char *id = asked(true);
	struct approval row;

	clock_fake(1000, T0 + APPROVAL_TTL_MS);
	ASSERT_FAILS(approval_resolve(ap, id, APPROVAL_ALLOW_ONCE, &ada, arena, &row, err), CH_E_CONFLICT, "expired");
	assert_int_equal(row.status, APPROVAL_EXPIRED);
	ASSERT_DIARY("?pending =expired");
}

static void watch_deadline(void *arg)
{
	struct waiter looker = { .id = asked(true), .is_watcher = true, .deadline_ms = fiber_deadline(5) };

	spawn(&looker);
	join(&looker);
	ASSERT_DIARY("?pending woke:pending");
	answered(looker.id, APPROVAL_DENY);              /* else the loop waits for its time */
}

static void test_watch_has_a_deadline(void **state)
{
	clock_real();
	in_loop(watch_deadline);
}

/* -- a disk that fails: what was not committed did not happen, and was told to nobody -- */

static void test_failing_disk(void **state)
{
	struct approval_ask ask = an_ask(true);
	struct approval row;
	const char *id = NULL;
	int n;

	for (n = 1;; n++) {
		db_fail_nth(db, n);
		if (!approval_create(ap, &ask, arena, &id, NULL))
			break;
		assert_int_equal(scratch_int(db, "SELECT count(*) FROM approvals"), 0);
		ASSERT_DIARY("");
	}
	assert_true(n > 2);
	ASSERT_DIARY("?pending");
	for (n = 1;; n++) {
		db_fail_nth(db, n);
		if (!approval_resolve(ap, id, APPROVAL_ALLOW_ONCE, &ada, arena, &row, NULL))
			break;
		db_fail_nth(db, 0);
		assert_int_equal(found(id).status, APPROVAL_PENDING);
		ASSERT_DIARY("");
	}
	assert_true(n > 1);
	ASSERT_DIARY("=allowed orphan:touch");
	for (n = 1;; n++) {
		db_fail_nth(db, n);
		if (!approval_claim(ap, id, NULL))
			break;
		db_fail_nth(db, 0);
		assert_int_equal(found(id).claimed_at, 0);
	}
	assert_true(n > 1);
	db_fail_nth(db, 0);
	ASSERT_FAILS(approval_claim(ap, id, err), CH_E_CONFLICT, "");
	assert_int_equal(approvals_pending_count(ap), 0);
}

static void test_failing_disk_when_cancelled(void **state)
{
	const char *id = asked(true), *allowed = asked(true);
	int n;

	answered(allowed, APPROVAL_ALLOW_ONCE);
	diary[0] = '\0';
	for (n = 1;; n++) {
		db_fail_nth(db, n);
		if (!approval_cancel(ap, id, "run-aborted", NULL))
			break;
		db_fail_nth(db, 0);
		assert_int_equal(found(id).status, APPROVAL_PENDING);
		ASSERT_DIARY("");
	}
	assert_true(n > 1);
	ASSERT_DIARY("=cancelled");
	for (n = 1;; n++) {
		db_fail_nth(db, n);
		if (!approval_cancel(ap, allowed, "run-aborted", NULL))
			break;
		db_fail_nth(db, 0);
		assert_int_equal(found(allowed).claimed_at, 0);  /* still somebody's to use */
	}
	assert_true(n > 1);
	db_fail_nth(db, 0);
	ASSERT_FAILS(approval_claim(ap, allowed, err), CH_E_CONFLICT, "");
}

static void test_names(void **state)
{
	enum approval_decision d = APPROVAL_NONE;

	assert_true(approval_decision_parse("allow-always", &d));
	assert_int_equal(d, APPROVAL_ALLOW_ALWAYS);
	assert_false(approval_decision_parse("allow", &d));
	assert_false(approval_decision_parse(NULL, &d));
	assert_null(approval_decision_name(APPROVAL_NONE));
	assert_string_equal(approval_kind_name(APPROVAL_PLUGIN), "plugin");
	assert_string_equal(approval_status_name(APPROVAL_CANCELLED), "cancelled");
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_create_and_find), T(test_own_id), T(test_answers), T(test_first_answer_wins),
		T(test_only_offered_answers), T(test_claim_once), T(test_claim_with), T(test_given_up), T(test_cancel),
		T(test_nobody_can_be_reached), T(test_limits), T(test_pruning), T(test_pending_list), T(test_history),
		T(test_match), T(test_damaged_row), T(test_restart), T(test_late), T(test_wait), T(test_a_watcher_carries_nothing_out),
		T(test_wait_is_cancelled), T(test_answer_and_abort_race), T(test_expiry), T(test_late_answer),
		T(test_watch_has_a_deadline), T(test_failing_disk), T(test_failing_disk_when_cancelled), T(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
