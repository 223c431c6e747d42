/*
 * core/fiber_cond.c - fibers waiting in line for an event.
 *
 * A waiter lives in the frame of the fiber that waits and leaves the line
 * either by being signalled or by itself. A signal which finds its fiber
 * cancelled is handed to the next in line, so that none is lost.
 */
#include "core/fiber.h"

struct fiber_waiter {
	struct fiber *fiber;
	struct fiber_waiter *prev, *next;
	bool is_signalled;         /* and out of the list */
};

static void list_push(struct fiber_list *list, struct fiber_waiter *w)
{
	w->prev = list->tail;
	if (list->tail)
		list->tail->next = w;
	else
		list->head = w;
	list->tail = w;
}

static void list_remove(struct fiber_list *list, struct fiber_waiter *w)
{
	if (w->prev)
		w->prev->next = w->next;
	else
		list->head = w->next;
	if (w->next)
		w->next->prev = w->prev;
	else
		list->tail = w->prev;
}

void fiber_cond_init(struct fiber_cond *c)
{
	c->waiters = (struct fiber_list){ NULL, NULL };
}

ch_status fiber_cond_wait(struct fiber_cond *c, int64_t deadline_ms)
{
	struct fiber_waiter w = { .fiber = fiber_self() };
	ch_status st;

	list_push(&c->waiters, &w);
	st = fiber_park(deadline_ms);
	if (!w.is_signalled)
		list_remove(&c->waiters, &w);
	else if (st)
		fiber_cond_signal(c);
	return st;
}

void fiber_cond_signal(struct fiber_cond *c)
{
	struct fiber_waiter *w = c->waiters.head;

	if (!w)
		return;
	list_remove(&c->waiters, w);
	w->is_signalled = true;
	fiber_wake(w->fiber);
}

void fiber_cond_broadcast(struct fiber_cond *c)
{
	while (c->waiters.head)
		fiber_cond_signal(c);
}
