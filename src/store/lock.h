/*
 * store/lock.h - one gateway per state directory.
 *
 * An exclusive lock of the kernel on "<dir>/gateway.lock", held as long as the
 * descriptor lives: a dead gateway never leaves a stale one. The file's text
 * tells people and other programs who holds it:
 *
 *	pid 4711
 *	started 2026-11-22T09:12:53.123Z
 *	host kitchen
 */
#ifndef CH_STORE_LOCK_H
#define CH_STORE_LOCK_H

#include "core/err.h"

struct lock;

struct lock_info {
	int64_t pid;
	char started[32];
	char host[65];
};

/* CH_E_BUSY when held; the text names the holder. */
CH_MUST_USE ch_status lock_take(const char *dir, struct lock **ret, struct ch_err *err);
void lock_release(struct lock *lock);            /* NULL is fine */
/* Who holds it now; asking does not disturb. CH_E_NOT_FOUND when nobody does. */
CH_MUST_USE ch_status lock_holder(const char *dir, struct lock_info *ret, struct ch_err *err);

#endif
