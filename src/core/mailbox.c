/*
 * core/mailbox.c - a ring that grows up to its cap, and a line of readers.
 */
#include "core/mailbox.h"

#include "core/fiber.h"
#include "core/mem.h"

#define FIRST_SIZE 8u

struct mailbox {
	void **ring;               /* item i is ring[(head + i) % size] */
	size_t size, head, len;    /* len <= size <= cap */
	size_t cap;
	struct fiber_cond readers;
	void (*drop)(void *item);
};

struct mailbox *mailbox_new(size_t cap, void (*drop)(void *item))
{
	struct mailbox *m = ch_alloc(sizeof(*m));

	m->cap = cap;
	m->drop = drop;
	fiber_cond_init(&m->readers);
	return m;
}

void mailbox_free(struct mailbox *m)
{
	if (!m)
		return;
	CH_BUG_ON(m->readers.waiters.head);
	for (size_t i = 0; m->drop && i < m->len; i++)
		m->drop(m->ring[(m->head + i) % m->size]);
	ch_free(m->ring);
	ch_free(m);
}

static void grow(struct mailbox *m)
{
	size_t size = CH_MIN(m->size ? 2 * m->size : FIRST_SIZE, m->cap);
	void **ring = ch_calloc(size, sizeof(*ring));

	for (size_t i = 0; i < m->len; i++)
		ring[i] = m->ring[(m->head + i) % m->size];
	ch_free(m->ring);
	m->ring = ring;
	m->size = size;
	m->head = 0;
}

bool mailbox_post(struct mailbox *m, void *item)
{
	if (m->len == m->cap)
		return false;
	if (m->len == m->size)
		grow(m);
	m->ring[(m->head + m->len) % m->size] = item;
	m->len++;
	fiber_cond_signal(&m->readers);
	return true;
}

ch_status mailbox_take(struct mailbox *m, int64_t deadline_ms, void **ret_item)
{
	ch_status st;

	while (!m->len) {
		st = fiber_cond_wait(&m->readers, deadline_ms);
		if (st)
			return st;
	}
	*ret_item = m->ring[m->head];
	m->head = (m->head + 1) % m->size;
	m->len--;
	return CH_OK;
}
