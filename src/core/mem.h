/*
 * core/mem.h - heap memory.
 *
 * ch_alloc() and friends abort when the system has no memory: they are for
 * our own fixed sizes. A size that a peer can influence goes through
 * ch_try_alloc() or a struct buf, which fail with NULL or CH_E_NOMEM.
 * Everything is released by ch_free(). All memory is zeroed except realloc's
 * growth.
 */
#ifndef CH_CORE_MEM_H
#define CH_CORE_MEM_H

#include "core/auto.h"

void *ch_alloc(size_t size) __attribute__((malloc, returns_nonnull));
void *ch_calloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *ch_realloc(void *p, size_t size) __attribute__((returns_nonnull));
void *ch_try_alloc(size_t size) __attribute__((malloc));
void *ch_try_realloc(void *p, size_t size);
char *ch_strdup(const char *s) __attribute__((malloc));          /* NULL in, NULL out */
char *ch_strndup(const char *s, size_t n) __attribute__((malloc));
char *ch_asprintf(const char *fmt, ...) CH_PRINTF(1, 2) __attribute__((malloc));
void ch_free(void *p);                                           /* NULL is fine */
/* Gives what is free back to the system: after a phase that needed much more than what follows. */
void mem_trim(void);
/* Unmaps the pages of code and constants; those in use are mapped again at the next touch, from memory. */
void mem_trim_code(void);
/* Wipes before freeing; for secrets. */
void ch_free_wipe(void *p, size_t size);
CH_AUTO_DEFINE(ch_free, void)
/* CH_AUTO_STR char *s = …; frees at scope end. */
static inline void ch_str_at_scope_end(char **p) { ch_free(*p); }
#define CH_AUTO_STR __attribute__((cleanup(ch_str_at_scope_end)))

#endif
