/*
 * core/vec.h - a growing array of one type, by macro.
 *
 *	VEC(struct foo *) list = VEC_INIT;
 *	vec_push(&list, foo);
 *	for (size_t i = 0; i < list.len; i++) use(list.at[i]);
 *	vec_done(&list);
 *
 * For our own counts: growth aborts when there is no memory. A count that a
 * peer decides is checked against a named limit before the push.
 */
#ifndef CH_CORE_VEC_H
#define CH_CORE_VEC_H

#include <string.h>

#include "core/mem.h"

#define VEC(type) struct { type *at; size_t len, cap; }
#define VEC_INIT { NULL, 0, 0 }

#define vec_reserve(v, n)                                                                \
	do {                                                                             \
		if ((v)->cap < (n)) {                                                    \
			size_t cap_ = (v)->cap ? (v)->cap : 8;                           \
			while (cap_ < (n))                                               \
				cap_ *= 2;                                               \
			(v)->at = ch_realloc((v)->at, cap_ * sizeof(*(v)->at));          \
			(v)->cap = cap_;                                                 \
		}                                                                        \
	} while (0)
#define vec_push(v, x)                                                                   \
	do {                                                                             \
		vec_reserve((v), (v)->len + 1);                                          \
		(v)->at[(v)->len++] = (x);                                               \
	} while (0)
#define vec_pop(v) ((v)->at[--(v)->len])
/* Keeps the order. */
#define vec_remove(v, i)                                                                 \
	do {                                                                             \
		memmove(&(v)->at[i], &(v)->at[(i) + 1],                                  \
			((v)->len - (i) - 1) * sizeof(*(v)->at));                        \
		(v)->len--;                                                              \
	} while (0)
#define vec_done(v)                                                                      \
	do {                                                                             \
		ch_free((v)->at);                                                        \
		(v)->at = NULL;                                                          \
		(v)->len = (v)->cap = 0;                                                 \
	} while (0)

#endif
