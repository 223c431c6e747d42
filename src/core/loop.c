/*
 * core/loop.c - the phases of a turn, deadlines on one libuv timer, deferred
 * calls, timers for callbacks. See loop_priv.h for the order of things.
 */
#include "core/loop.h"

#include <signal.h>
#include <string.h>

#include "core/clock.h"
#include "core/err.h"
#include "core/fiber.h"
#include "core/loop_priv.h"
#include "core/mem.h"

struct loop_timer {
	struct loop *loop;
	struct deadline deadline;
	void (*fn)(void *arg);
	void *arg;
};

static void on_idle(uv_idle_t *h)
{
	/* It is enough that the handle is active: poll does not block then. */
}

static void on_timer(uv_timer_t *h)
{
	struct loop *l = h->data;

	l->armed_ms = INT64_MAX;
}

/* Makes the libuv timer fire when the first deadline is due. */
static void arm_timer(struct loop *l)
{
	struct deadline *first = deadline_first(&l->deadlines);
	int64_t at_ms = first ? first->at_ms : INT64_MAX;
	int64_t delay_ms;

	if (at_ms == l->armed_ms)
		return;
	l->armed_ms = at_ms;
	if (at_ms == INT64_MAX) {
		uv_timer_stop(&l->timer);
		return;
	}
	delay_ms = at_ms - now_mono_ms();
	uv_timer_start(&l->timer, on_timer, (uint64_t)CH_MAX(delay_ms, (int64_t)0), 0);
}

static bool is_due(const struct loop *l)
{
	struct deadline *first = deadline_first(&l->deadlines);

	return first && first->at_ms <= now_mono_ms();
}

/* Chooses how long the next poll may block. */
static void arm(struct loop *l)
{
	arm_timer(l);
	if (l->sched.ready.head || l->deferred_len || is_due(l))
		uv_idle_start(&l->idle, on_idle);
	else
		uv_idle_stop(&l->idle);
}

static void run_due(struct loop *l)
{
	CH_BUG_ON(l->is_in_phase);
	l->is_in_phase = true;
	if (is_due(l))
		deadline_expire(&l->deadlines, now_mono_ms());
	fiber_run_ready(l);
	l->is_in_phase = false;
}

/* What these calls defer runs in the next turn. */
static void run_deferred(struct loop *l)
{
	struct loop_deferred *calls = l->deferred;
	size_t n = l->deferred_len;

	if (!n)
		return;
	l->deferred = NULL;
	l->deferred_len = l->deferred_cap = 0;
	for (size_t i = 0; i < n; i++)
		calls[i].fn(calls[i].arg);
	ch_free(calls);
}

static void on_prepare(uv_prepare_t *h)
{
	struct loop *l = h->data;

	run_due(l);
	arm(l);
}

static void on_check(uv_check_t *h)
{
	struct loop *l = h->data;

	run_due(l);
	run_deferred(l);
	arm(l);
}

struct loop *loop_new(void)
{
	struct loop *l = ch_alloc(sizeof(*l));

	/* A peer or child that leaves early is an error of write(), not the end of the program. */
	signal(SIGPIPE, SIG_IGN);
	/* Fails only when the kernel gives no epoll or event descriptor; nothing works then. */
	if (uv_loop_init(&l->uv))
		ch_bug(__FILE__, __LINE__, "uv_loop_init failed: out of file descriptors?");
	uv_prepare_init(&l->uv, &l->prepare);
	uv_check_init(&l->uv, &l->check);
	uv_idle_init(&l->uv, &l->idle);
	uv_timer_init(&l->uv, &l->timer);
	l->prepare.data = l->check.data = l->idle.data = l->timer.data = l;
	l->armed_ms = INT64_MAX;
	uv_prepare_start(&l->prepare, on_prepare);
	uv_check_start(&l->check, on_check);
	/* These two are always there and must not keep loop_run() going. */
	uv_unref((uv_handle_t *)&l->prepare);
	uv_unref((uv_handle_t *)&l->check);
	return l;
}

static void close_one(uv_handle_t *h, void *arg)
{
	if (!uv_is_closing(h))
		uv_close(h, NULL);
}

void loop_free(struct loop *l)
{
	int st;

	if (!l)
		return;
	fiber_sched_done(l);
	do {
		while (l->deferred_len)
			run_deferred(l);
		uv_walk(&l->uv, close_one, NULL);
		/* A loop_stop() from outside of loop_run() makes the first call return at once. */
		uv_run(&l->uv, UV_RUN_DEFAULT);
	} while (l->deferred_len || uv_loop_alive(&l->uv));
	st = uv_loop_close(&l->uv);
	CH_BUG_ON(st != 0);
	deadline_heap_done(&l->deadlines);
	ch_free(l->deferred);
	ch_free(l);
}

void loop_run(struct loop *l)
{
	CH_BUG_ON(fiber_self() != NULL);
	uv_run(&l->uv, UV_RUN_DEFAULT);
}

void loop_stop(struct loop *l)
{
	uv_stop(&l->uv);
}

uv_loop_t *loop_uv(struct loop *l)
{
	return &l->uv;
}

void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg)
{
	if (l->deferred_len == l->deferred_cap) {
		l->deferred_cap = l->deferred_cap ? 2 * l->deferred_cap : 8;
		l->deferred = ch_realloc(l->deferred, l->deferred_cap * sizeof(*l->deferred));
	}
	l->deferred[l->deferred_len++] = (struct loop_deferred){ fn, arg };
	loop_kick(l);
}

size_t loop_fibers(const struct loop *l)
{
	return l->sched.live_count;
}

void loop_kick(struct loop *l)
{
	/* In a phase arm() does it once at the end. */
	if (!l->is_in_phase && !uv_is_closing((uv_handle_t *)&l->idle))
		uv_idle_start(&l->idle, on_idle);
}

void loop_deadline_add(struct loop *l, struct deadline *d, int64_t at_ms)
{
	deadline_add(&l->deadlines, d, at_ms);
	if (!l->is_in_phase && deadline_first(&l->deadlines) == d)
		arm_timer(l);
}

void loop_deadline_remove(struct loop *l, struct deadline *d)
{
	deadline_remove(&l->deadlines, d);
}

static void timer_fire(struct deadline *d)
{
	struct loop_timer *t = CH_CONTAINER_OF(d, struct loop_timer, deadline);

	t->fn(t->arg); /* may free t */
}

struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg)
{
	struct loop_timer *t = ch_alloc(sizeof(*t));

	t->loop = l;
	t->deadline.fire = timer_fire;
	t->fn = fn;
	t->arg = arg;
	return t;
}

void loop_timer_start(struct loop_timer *t, int64_t delay_ms)
{
	loop_deadline_remove(t->loop, &t->deadline);
	loop_deadline_add(t->loop, &t->deadline, fiber_deadline(delay_ms));
}

void loop_timer_stop(struct loop_timer *t)
{
	loop_deadline_remove(t->loop, &t->deadline);
}

void loop_timer_free(struct loop_timer *t)
{
	if (!t)
		return;
	loop_timer_stop(t);
	ch_free(t);
}
