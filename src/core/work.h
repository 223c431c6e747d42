/*
 * core/work.h - blocking work on libuv's thread pool, awaited from a fiber.
 *
 * fn runs on another thread: it may touch only what `arg` points to and
 * nothing that the loop thread uses meanwhile. Cancelling waits for fn to
 * return (the memory is the caller's), then gives CH_E_CANCELED.
 */
#ifndef CH_CORE_WORK_H
#define CH_CORE_WORK_H

#include "core/auto.h"
#include "core/err.h"

CH_FIBER CH_MUST_USE ch_status work_run(void (*fn)(void *arg), void *arg, struct ch_err *err);

#endif
