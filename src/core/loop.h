/*
 * core/loop.h - the one event loop (libuv) and what runs on it.
 *
 * Lives   loop_new() to loop_free(); there is one per program (tests make one each).
 * Runs    everything on the thread that calls loop_run(). Woken fibers run
 *         in prepare and check phases, never inside a libuv or curl callback, so
 *         callbacks only record and wake.
 *         loop_run() also returns when nothing can happen any more: no
 *         handle, request, deadline or ready fiber is left.
 * Ends    loop_stop() makes loop_run() return after the current turn;
 *         loop_free() runs deferred work, closes what is left and checks that no fiber is alive.
 *         Timers do not outlive their loop. loop_new() ignores SIGPIPE for the process.
 */
#ifndef CH_CORE_LOOP_H
#define CH_CORE_LOOP_H

#include <uv.h>

#include "core/auto.h"

struct loop;

struct loop *loop_new(void);
void loop_free(struct loop *l);
void loop_run(struct loop *l);
void loop_stop(struct loop *l);
uv_loop_t *loop_uv(struct loop *l);
/* Runs fn(arg) at the end of this loop turn: how counted objects are freed safely. */
void loop_defer(struct loop *l, void (*fn)(void *arg), void *arg);
/* Number of live fibers (tests, shutdown). */
size_t loop_fibers(const struct loop *l);

/* Timers for code that is not a fiber. One-shot; restarting re-arms. */
struct loop_timer;
struct loop_timer *loop_timer_new(struct loop *l, void (*fn)(void *arg), void *arg);
void loop_timer_start(struct loop_timer *t, int64_t delay_ms);
void loop_timer_stop(struct loop_timer *t);
void loop_timer_free(struct loop_timer *t);       /* NULL is fine; safe inside fn */

#endif
