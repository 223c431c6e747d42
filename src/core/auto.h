/*
 * core/auto.h - scope-bound ownership and the attributes every header uses.
 *
 * A local that owns something says so and is initialised where it is declared:
 *
 *	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
 *
 * Never mix these with goto: clang refuses it, gcc warns.
 */
#ifndef CH_CORE_AUTO_H
#define CH_CORE_AUTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Defines the helper that CH_AUTO(fn) needs; fn must accept NULL. */
#define CH_AUTO_DEFINE(fn, type) \
	static inline void fn##_at_scope_end(type **p) { fn(*p); }
#define CH_AUTO(fn) __attribute__((cleanup(fn##_at_scope_end)))

/* For values in the caller's memory: fn takes a pointer to the value. */
#define CH_AUTO_DONE(fn) __attribute__((cleanup(fn)))

/* Moves a pointer out of its owner. */
#define CH_TAKE(p) __extension__({ __typeof__(p) taken_ = (p); (p) = NULL; taken_; })

#define CH_MUST_USE __attribute__((warn_unused_result))
#define CH_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define CH_NORETURN __attribute__((noreturn))
#define CH_UNUSED __attribute__((unused))

/* May park: call only from a fiber, and look everything up again afterwards. */
#define CH_FIBER

#define CH_ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CH_CONTAINER_OF(p, type, member) ((type *)(void *)((char *)(p) - offsetof(type, member)))
#define CH_MIN(a, b) ((a) < (b) ? (a) : (b))
#define CH_MAX(a, b) ((a) > (b) ? (a) : (b))

#endif
