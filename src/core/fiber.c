/*
 * core/fiber.c - stackful fibers: scheduling, waiting, cancelling, switching.
 *
 *	spawn -> QUEUED -> RUNNING -> ENDED
 *	            ^        |
 *	            |        v
 *	            +----- PARKED      (wake, deadline, cancel)
 *
 * A stack is entered for the first time by setcontext(), which is slow but
 * portable, and from then on by longjmp() from the scheduler's frame to the
 * fiber's and back. It never leaves trampoline(): a pooled stack waits there
 * for its next fiber.
 */
#include "core/fiber.h"

#include <stdio.h>
#include <string.h>
#include <ucontext.h>

#include "core/clock.h"
#include "core/loop_priv.h"
#include "core/mem.h"
#include "core/sanitize.h"

#define NAME_BYTES 24u
#define PHASE_BUDGET 1024          /* resumes before the loop looks at its sockets again */

enum fiber_state { FIBER_QUEUED, FIBER_RUNNING, FIBER_PARKED, FIBER_ENDED };

struct fiber {
	struct loop *loop;
	struct fiber *next;                      /* in a fiber_queue */
	struct fiber *live_prev, *live_next;
	struct fiber_stack *stack;               /* from its first run to its end */
	fiber_fn fn;
	void *arg;
	struct deadline deadline;                /* in the loop's heap only while PARKED */
	struct fiber_cond ended;
	int mask;
	enum fiber_state state;
	bool is_joinable;                        /* somebody holds the handle */
	bool is_woken;                           /* fiber_wake() since it last ran */
	bool is_late;                            /* its deadline passed while it was parked */
	bool is_canceled;
	char name[NAME_BYTES];
};

/* The one running; the loop's thread is the only one that has fibers. */
static struct fiber *current;
static void (*switch_check)(void);

/*
 * _longjmp() by a name of its own: with _FORTIFY_SOURCE the C library's header
 * maps the usual ones to a version that aborts when the stack changes.
 */
extern CH_NORETURN void fiber_longjmp(jmp_buf env, int value) __asm__("_longjmp");

/* ---- queues ---- */

static void queue_push(struct fiber_queue *q, struct fiber *f)
{
	f->next = NULL;
	if (q->tail)
		q->tail->next = f;
	else
		q->head = f;
	q->tail = f;
}

static struct fiber *queue_pop(struct fiber_queue *q)
{
	struct fiber *f = q->head;

	if (!f)
		return NULL;
	q->head = f->next;
	if (!q->head)
		q->tail = NULL;
	return f;
}

static void queue_move_all(struct fiber_queue *to, struct fiber_queue *from)
{
	if (!from->head)
		return;
	if (to->tail)
		to->tail->next = from->head;
	else
		to->head = from->head;
	to->tail = from->tail;
	*from = (struct fiber_queue){ NULL, NULL };
}

static void make_ready(struct fiber *f)
{
	f->state = FIBER_QUEUED;
	queue_push(&f->loop->sched.ready, f);
	loop_kick(f->loop);
}

/* ---- switching ---- */

/* Leaves the running fiber for the scheduler; returns when its stack is entered again. */
static __attribute__((noinline)) void leave(struct fiber *f)
{
	struct fiber_sched *sched = &f->loop->sched;
	struct fiber_stack *s = f->stack;
	bool is_end = f->state == FIBER_ENDED;

	if (switch_check)
		switch_check();
	if (is_end)
		s->asan_fake_stack = NULL;
	sanitize_leave(is_end ? NULL : &s->asan_fake_stack, sched->asan_base, sched->asan_size);
	sanitize_fiber_switch(sched->tsan_fiber);
	if (!_setjmp(s->env))
		fiber_longjmp(sched->env, 1);
	sanitize_arrive(s->asan_fake_stack, &sched->asan_base, &sched->asan_size);
}

static void end(struct fiber *f)
{
	CH_BUG_ON(f->mask);
	f->state = FIBER_ENDED;
	if (f->live_prev)
		f->live_prev->live_next = f->live_next;
	else
		f->loop->sched.live = f->live_next;
	if (f->live_next)
		f->live_next->live_prev = f->live_prev;
	f->loop->sched.live_count--;
	fiber_cond_broadcast(&f->ended);
}

/* The bottom frame of every stack: one fiber after the other, for ever. */
static void trampoline(void)
{
	sanitize_arrive(NULL, &current->loop->sched.asan_base, &current->loop->sched.asan_size);
	for (;;) {
		current->fn(current->arg);
		end(current);
		leave(current);
	}
}

/*
 * Its frame is never unwound, so AddressSanitizer must not poison it: the
 * scheduler's later calls use that memory again.
 */
static CH_NORETURN __attribute__((noinline, no_sanitize("address"))) void start(struct fiber_stack *s)
{
	ucontext_t context;

	s->is_started = true;
	if (getcontext(&context))
		ch_bug(__FILE__, __LINE__, "getcontext failed");
	context.uc_stack.ss_sp = s->base;
	context.uc_stack.ss_size = FIBER_STACK_BYTES;
	context.uc_link = NULL;
	makecontext(&context, trampoline, 0);
	setcontext(&context);
	ch_bug(__FILE__, __LINE__, "setcontext returned");
}

/* Runs f until it parks, yields or ends. */
static __attribute__((noinline)) void enter(struct fiber *f)
{
	struct fiber_sched *sched = &f->loop->sched;
	struct fiber_stack *s = f->stack;

	sched->tsan_fiber = sanitize_fiber_current();
	sanitize_leave(&sched->asan_fake_stack, s->base, FIBER_STACK_BYTES);
	sanitize_fiber_switch(s->tsan_fiber);
	if (!_setjmp(sched->env)) {
		if (s->is_started)
			fiber_longjmp(s->env, 1);
		start(s);
	}
	sanitize_arrive(sched->asan_fake_stack, NULL, NULL);
}

static void resume(struct fiber *f)
{
	struct fiber_stack_pool *pool = &f->loop->sched.pool;

	loop_deadline_remove(f->loop, &f->deadline);
	if (!f->stack)
		f->stack = fiber_stack_take(pool);
	f->state = FIBER_RUNNING;
	current = f;
	enter(f);
	current = NULL;
	if (f->state != FIBER_ENDED)
		return;
	fiber_stack_give(pool, CH_TAKE(f->stack));
	if (!f->is_joinable)
		ch_free(f);
}

void fiber_run_ready(struct loop *l)
{
	struct fiber *f;

	for (int left = PHASE_BUDGET; left > 0 && (f = queue_pop(&l->sched.ready)); left--)
		resume(f);
	queue_move_all(&l->sched.ready, &l->sched.yielded);
}

void fiber_sched_done(struct loop *l)
{
	for (struct fiber *f = l->sched.live; f; f = f->live_next)
		fprintf(stderr, "chela: fiber '%s' outlives its loop\n", f->name);
	CH_BUG_ON(l->sched.live_count);
	fiber_stack_pool_done(&l->sched.pool);
}

/* ---- life ---- */

static void on_deadline(struct deadline *d)
{
	struct fiber *f = CH_CONTAINER_OF(d, struct fiber, deadline);

	/* One that was woken in time is queued already and not late. */
	if (f->state != FIBER_PARKED)
		return;
	f->is_late = true;
	make_ready(f);
}

struct fiber *fiber_spawn(struct loop *l, const char *name, int flags, fiber_fn fn, void *arg)
{
	struct fiber *f = ch_alloc(sizeof(*f));

	f->loop = l;
	f->fn = fn;
	f->arg = arg;
	f->deadline.fire = on_deadline;
	f->is_joinable = flags & FIBER_JOINABLE;
	snprintf(f->name, sizeof(f->name), "%s", name);
	fiber_cond_init(&f->ended);
	f->live_next = l->sched.live;
	if (f->live_next)
		f->live_next->live_prev = f;
	l->sched.live = f;
	l->sched.live_count++;
	make_ready(f);
	return f;
}

struct fiber *fiber_self(void)
{
	return current;
}

struct loop *fiber_loop(void)
{
	return current ? current->loop : NULL;
}

const char *fiber_name(const struct fiber *f)
{
	return f->name;
}

ch_status fiber_join(struct fiber *f, int64_t deadline_ms)
{
	ch_status st;

	CH_BUG_ON(!f->is_joinable || f == current);
	while (f->state != FIBER_ENDED) {
		st = fiber_cond_wait(&f->ended, deadline_ms);
		if (st && f->state != FIBER_ENDED)
			return st;
	}
	fiber_detach(f);
	return CH_OK;
}

void fiber_detach(struct fiber *f)
{
	CH_BUG_ON(!f->is_joinable);
	f->is_joinable = false;
	/* With a stack it is still inside resume(), which frees it. */
	if (f->state == FIBER_ENDED && !f->stack)
		ch_free(f);
}

/* ---- waiting ---- */

static bool must_stop(const struct fiber *f)
{
	return f->is_canceled && !f->mask;
}

ch_status fiber_park(int64_t deadline_ms)
{
	struct fiber *f = current;
	bool is_late;

	CH_BUG_ON(!f);
	if (must_stop(f))
		return CH_E_CANCELED;
	if (!f->is_woken) {
		if (deadline_ms != FIBER_FOREVER) {
			if (deadline_ms <= now_mono_ms())
				return CH_E_TIMEOUT;
			loop_deadline_add(f->loop, &f->deadline, deadline_ms);
		}
		f->state = FIBER_PARKED;
		leave(f);
	}
	is_late = f->is_late && !f->is_woken;
	f->is_woken = f->is_late = false;
	if (must_stop(f))
		return CH_E_CANCELED;
	return is_late ? CH_E_TIMEOUT : CH_OK;
}

void fiber_wake(struct fiber *f)
{
	if (!f || f->state == FIBER_ENDED)
		return;
	f->is_woken = true;
	if (f->state == FIBER_PARKED)
		make_ready(f);
}

void fiber_cancel(struct fiber *f)
{
	if (!f || f->state == FIBER_ENDED)
		return;
	f->is_canceled = true;
	if (f->state == FIBER_PARKED && !f->mask)
		make_ready(f);
}

bool fiber_canceled(void)
{
	CH_BUG_ON(!current);
	return current->is_canceled;
}

void fiber_mask(int delta)
{
	CH_BUG_ON(!current || current->mask + delta < 0);
	current->mask += delta;
}

ch_status fiber_sleep(int64_t ms)
{
	int64_t deadline_ms = fiber_deadline(ms);
	ch_status st;

	if (ms <= 0)
		return fiber_yield();
	do
		st = fiber_park(deadline_ms);
	while (st == CH_OK);
	return st == CH_E_TIMEOUT ? CH_OK : st;
}

ch_status fiber_yield(void)
{
	struct fiber *f = current;

	CH_BUG_ON(!f);
	if (must_stop(f))
		return CH_E_CANCELED;
	f->state = FIBER_QUEUED;
	queue_push(&f->loop->sched.yielded, f);
	leave(f);
	return must_stop(f) ? CH_E_CANCELED : CH_OK;
}

int64_t fiber_deadline(int64_t ms)
{
	int64_t now_ms = now_mono_ms();

	return ms > FIBER_FOREVER - now_ms ? FIBER_FOREVER : now_ms + ms;
}

void fiber_trim(void)
{
	CH_BUG_ON(!current);
	/* The margin covers the red zone and the frames of the call itself. */
	fiber_stack_trim(current->stack, (char *)__builtin_frame_address(0) - 1024);
}

void fiber_set_switch_check(void (*check)(void))
{
	switch_check = check;
}
