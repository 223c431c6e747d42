/*
 * core/fiber_stack.c - mapping, pooling and trimming of fiber stacks.
 *
 *	map                       base                               base + FIBER_STACK_BYTES
 *	| GUARD_BYTES, no access  | committed page by page as it grows down  <- starts here |
 *
 * The guard is wider than the largest frame the build allows (4096 bytes) and
 * than what the libraries put on the stack, so that an overflow cannot step over it.
 */
#include "core/fiber_stack.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/err.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/sanitize.h"

#define GUARD_BYTES (16u * 1024u)
#define KEEP_BYTES (8u * 1024u)    /* stays committed in a pooled stack; deeper use is given back */
#define MAP_BYTES (GUARD_BYTES + FIBER_STACK_BYTES)

static CH_NORETURN void die(const char *what)
{
	fprintf(stderr, "chela: %s for a fiber stack: %s (see vm.max_map_count, ulimit -v)\n", what,
		strerror(errno));
	ch_bug(__FILE__, __LINE__, "no fiber stack");
}

static struct fiber_stack *stack_new(void)
{
	struct fiber_stack *s = ch_alloc(sizeof(*s));
	char *map = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);

	if (map == MAP_FAILED)
		die("mmap");
	if (mprotect(map, GUARD_BYTES, PROT_NONE))
		die("mprotect");
	s->base = map + GUARD_BYTES;
	s->valgrind_id = VALGRIND_STACK_REGISTER(s->base, s->base + FIBER_STACK_BYTES);
	s->tsan_fiber = sanitize_fiber_new();
	return s;
}

static void stack_free(struct fiber_stack *s)
{
	sanitize_unpoison(s->base, FIBER_STACK_BYTES);
	sanitize_fiber_free(s->tsan_fiber);
	VALGRIND_STACK_DEREGISTER(s->valgrind_id);
	munmap(s->base - GUARD_BYTES, MAP_BYTES);
	ch_free(s);
}

struct fiber_stack *fiber_stack_take(struct fiber_stack_pool *pool)
{
	return pool->len ? pool->free[--pool->len] : stack_new();
}

void fiber_stack_give(struct fiber_stack_pool *pool, struct fiber_stack *s)
{
	if (pool->len == STACK_POOL_MAX) {
		stack_free(s);
		return;
	}
	fiber_stack_trim(s, s->base + FIBER_STACK_BYTES - KEEP_BYTES);
	pool->free[pool->len++] = s;
}

void fiber_stack_pool_done(struct fiber_stack_pool *pool)
{
	while (pool->len)
		stack_free(pool->free[--pool->len]);
}

void fiber_stack_trim(struct fiber_stack *s, const void *from)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	uintptr_t end = (uintptr_t)from & ~(page - 1);

	CH_BUG_ON(end < (uintptr_t)s->base || end > (uintptr_t)s->base + FIBER_STACK_BYTES);
	/* Only advice: when it fails the pages merely stay. */
	(void)madvise(s->base, end - (uintptr_t)s->base, MADV_DONTNEED);
}
