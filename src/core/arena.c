/*
 * core/arena.c - a list of chunks, newest first; allocation moves a pointer.
 *
 * The first chunk is part of the arena's own block, so that a small request
 * costs one malloc. Later chunks double up to CHUNK_MAX. What does not fit and
 * is big gets a chunk of its own, put behind the current one, whose rest stays
 * usable.
 *
 * Under ASan free room is poisoned and a gap is left between allocations, so
 * overruns and uses after arena_clear() are reported as on the heap.
 */
#include "core/arena.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/err.h"
#include "core/sanitize.h"

#ifdef SANITIZE_ADDRESS
#define GAP_BYTES 16u              /* unusable room after each allocation */
#else
#define GAP_BYTES 0u
#endif

#define ALIGN 16u
#define FIRST_BYTES 2048u          /* whole block of a new arena */
#define CHUNK_MAX ((size_t)256 << 10)

struct chunk {
	struct chunk *next;
	size_t size;                   /* bytes in data */
	size_t used;                   /* <= size, a multiple of ALIGN */
	_Alignas(ALIGN) char data[];
};

struct arena {
	unsigned refs;
	size_t max_bytes;
	size_t used_bytes;             /* the sum of what was handed out, rounded up */
	size_t next_chunk_bytes;
	struct chunk *head;            /* where small allocations come from; never NULL */
	_Alignas(ALIGN) struct chunk first; /* in the list too; its data follow */
};

#define FIRST_DATA_BYTES (FIRST_BYTES - sizeof(struct arena))

static void reset(struct arena *a)
{
	a->head = &a->first;
	a->used_bytes = 0;
	a->next_chunk_bytes = 2 * FIRST_BYTES;
	a->first.next = NULL;
	a->first.used = 0;
	sanitize_poison(a->first.data, a->first.size);
}

static void free_chunks(struct arena *a)
{
	struct chunk *next;

	for (struct chunk *c = a->head; c; c = next) {
		next = c->next;
		sanitize_unpoison(c->data, c->size);
		if (c != &a->first)
			free(c);
	}
}

struct arena *arena_new(size_t max_bytes)
{
	struct arena *a = aligned_alloc(ALIGN, FIRST_BYTES);

	if (!a)
		ch_bug(__FILE__, __LINE__, "out of memory");
	a->refs = 1;
	a->max_bytes = max_bytes ? max_bytes : ARENA_DEFAULT_MAX;
	a->first.size = FIRST_DATA_BYTES;
	reset(a);
	return a;
}

struct arena *arena_ref(struct arena *a)
{
	a->refs++;
	return a;
}

void arena_unref(struct arena *a)
{
	if (!a || --a->refs)
		return;
	free_chunks(a);
	free(a);
}

void arena_clear(struct arena *a)
{
	free_chunks(a);
	reset(a);
}

size_t arena_used(const struct arena *a)
{
	return a->used_bytes;
}

/* A chunk with room for `need` bytes, linked in; NULL when the system has no memory. */
static struct chunk *add_chunk(struct arena *a, size_t need)
{
	bool is_own = need > a->next_chunk_bytes / 4;
	size_t size = is_own ? need : a->next_chunk_bytes;
	struct chunk *c = malloc(sizeof(*c) + size);

	if (!c)
		return NULL;
	c->size = size;
	c->used = 0;
	sanitize_poison(c->data, c->size);
	if (is_own) {
		c->next = a->head->next;
		a->head->next = c;
		return c;
	}
	c->next = a->head;
	a->head = c;
	a->next_chunk_bytes = CH_MIN(2 * size, CHUNK_MAX);
	return c;
}

void *arena_try_alloc(struct arena *a, size_t size)
{
	struct chunk *c = a->head;
	size_t need;
	char *p;

	if (size > a->max_bytes || a->max_bytes - size < ALIGN + GAP_BYTES)
		return NULL;
	need = (CH_MAX(size, (size_t)1) + ALIGN - 1 + GAP_BYTES) & ~(size_t)(ALIGN - 1);
	if (need > a->max_bytes - a->used_bytes)
		return NULL;
	if (need > c->size - c->used) {
		c = add_chunk(a, need);
		if (!c)
			return NULL;
	}
	p = c->data + c->used;
	c->used += need;
	a->used_bytes += need;
	sanitize_unpoison(p, size);
	return p;
}

/* For callers that have no way to fail. */
static void *alloc_or_die(struct arena *a, size_t size)
{
	void *p = arena_try_alloc(a, size);

	if (!p)
		ch_bug(__FILE__, __LINE__, "arena is full");
	return p;
}

void *arena_alloc(struct arena *a, size_t size)
{
	return memset(alloc_or_die(a, size), 0, size);
}

char *arena_strdup(struct arena *a, const char *s)
{
	return s ? arena_strndup(a, s, strlen(s)) : NULL;
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *copy;

	if (!s)
		return NULL;
	n = strnlen(s, n);
	copy = alloc_or_die(a, n + 1);
	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

char *arena_vprintf(struct arena *a, const char *fmt, va_list ap)
{
	va_list again;
	char small[256];
	char *text;
	int n;

	va_copy(again, ap);
	n = vsnprintf(small, sizeof(small), fmt, ap);
	CH_BUG_ON(n < 0);
	text = alloc_or_die(a, (size_t)n + 1);
	if ((size_t)n < sizeof(small))
		memcpy(text, small, (size_t)n + 1);
	else
		vsnprintf(text, (size_t)n + 1, fmt, again);
	va_end(again);
	return text;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = arena_vprintf(a, fmt, ap);
	va_end(ap);
	return text;
}
