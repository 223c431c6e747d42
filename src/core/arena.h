/*
 * core/arena.h - memory that dies together.
 *
 * Owns    its chunks. Everything handed out lives until arena_clear() or the
 *         last arena_unref(); nothing is freed alone.
 * Lives   counted; arena_new() gives the first reference.
 * Limits  the ceiling given at birth (0: ARENA_DEFAULT_MAX). Past it
 *         arena_try_alloc() gives NULL; arena_alloc() aborts and is for our
 *         own small sizes only.
 */
#ifndef CH_CORE_ARENA_H
#define CH_CORE_ARENA_H

#include <stdarg.h>

#include "core/auto.h"

#define ARENA_DEFAULT_MAX ((size_t)256 << 20)   /* stops one request from eating the machine */

struct arena;

struct arena *arena_new(size_t max_bytes);
struct arena *arena_ref(struct arena *a);
void arena_unref(struct arena *a);
CH_AUTO_DEFINE(arena_unref, struct arena)
/* Forgets everything, keeps the first chunk. */
void arena_clear(struct arena *a);
size_t arena_used(const struct arena *a);

/* 16-byte aligned, not zeroed; NULL past the ceiling. */
void *arena_try_alloc(struct arena *a, size_t size);
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull)); /* zeroed */
char *arena_strdup(struct arena *a, const char *s);              /* NULL in, NULL out */
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) CH_PRINTF(2, 3);
char *arena_vprintf(struct arena *a, const char *fmt, va_list ap) CH_PRINTF(2, 0);

#endif
