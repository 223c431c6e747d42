/*
 * core/mailbox.h - a queue of pointers between fibers and callbacks.
 *
 * Owns    the slots, not the pointers; mailbox_free() hands what is left to
 *         the drop function.
 * Limits  `cap` items; mailbox_post() says false when full.
 */
#ifndef CH_CORE_MAILBOX_H
#define CH_CORE_MAILBOX_H

#include "core/auto.h"
#include "core/err.h"

struct mailbox;

struct mailbox *mailbox_new(size_t cap, void (*drop)(void *item));
void mailbox_free(struct mailbox *m);
bool mailbox_post(struct mailbox *m, void *item);
CH_FIBER CH_MUST_USE ch_status mailbox_take(struct mailbox *m, int64_t deadline_ms, void **ret_item);

#endif
