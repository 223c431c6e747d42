/*
 * core/fiber.h - sequential code on one thread: stackful fibers.
 *
 * Owns    a fiber owns its stack (FIBER_STACK_BYTES, lazily committed, guard
 *         page below); stacks are pooled.
 * Lives   from fiber_spawn() until its function returns. A handle stays valid
 *         while it is referenced; the spawner holds one reference when it
 *         asked for it by FIBER_JOINABLE and drops it with fiber_join() or fiber_detach().
 * Waits   every wait has a deadline (now_mono_ms() based; FIBER_FOREVER must
 *         be argued for in a comment). Waits tolerate spurious wakes: loop
 *         over your own condition.
 * Cancel  fiber_cancel() is sticky: the current and each later wait gives
 *         CH_E_CANCELED until the fiber ends; fiber_mask() defers it for
 *         clean-up that must park. A parked stack is never dropped.
 * Rules   no errno or thread-local across a wait; no wait inside a database
 *         transaction (fiber_set_switch_check() asserts it).
 */
#ifndef CH_CORE_FIBER_H
#define CH_CORE_FIBER_H

#include "core/auto.h"
#include "core/err.h"
#include "core/loop.h"

#define FIBER_STACK_BYTES (256u * 1024u)
#define FIBER_FOREVER INT64_MAX

struct fiber;
typedef void (*fiber_fn)(void *arg);

enum fiber_flags { FIBER_DETACHED = 0, FIBER_JOINABLE = 1 };

/* Starts at the end of the current turn. name is for logs and is copied (24 bytes). */
struct fiber *fiber_spawn(struct loop *l, const char *name, int flags, fiber_fn fn, void *arg);
/* The running fiber, NULL outside of one. */
struct fiber *fiber_self(void);
struct loop *fiber_loop(void);
const char *fiber_name(const struct fiber *f);

/* Parks until fiber_wake(), the deadline or a cancel. CH_OK, CH_E_TIMEOUT or CH_E_CANCELED. */
CH_FIBER CH_MUST_USE ch_status fiber_park(int64_t deadline_ms);
/* Queues f for running; f may be running, parked or already queued. NULL is fine. */
void fiber_wake(struct fiber *f);
void fiber_cancel(struct fiber *f);
bool fiber_canceled(void);                       /* of the running fiber, mask ignored */
/* Defers cancellation while > 0; give back what you took. */
void fiber_mask(int delta);
/* CH_OK after the time, or CH_E_CANCELED. */
CH_FIBER CH_MUST_USE ch_status fiber_sleep(int64_t ms);
/* Lets others run; CH_E_CANCELED when cancelled. */
CH_FIBER CH_MUST_USE ch_status fiber_yield(void);
/* Waits for f to end and drops the reference. On timeout or cancel the reference is kept. */
CH_FIBER CH_MUST_USE ch_status fiber_join(struct fiber *f, int64_t deadline_ms);
void fiber_detach(struct fiber *f);
/* now_mono_ms() + ms, saturating. */
int64_t fiber_deadline(int64_t ms);
/* Gives back the caller's stack memory below its own frame: for a fiber about to wait long after deep work. */
void fiber_trim(void);
/* Called before each switch away; for the "no transaction open" assertion. */
void fiber_set_switch_check(void (*check)(void));

/* A one-shot or repeating event that fibers can wait on. Embeddable, no memory of its own. */
struct fiber_list { struct fiber_waiter *head, *tail; };
struct fiber_cond { struct fiber_list waiters; };
void fiber_cond_init(struct fiber_cond *c);
CH_FIBER CH_MUST_USE ch_status fiber_cond_wait(struct fiber_cond *c, int64_t deadline_ms);
void fiber_cond_signal(struct fiber_cond *c);    /* wakes the first waiter */
void fiber_cond_broadcast(struct fiber_cond *c);

#endif
