/*
 * sessions/lane.h - one run per session at a time, in order; and a cap over all.
 *
 * Memory only: what must survive is in the inputs table. A lease is a scope-bound local.
 */
#ifndef CH_SESSIONS_LANE_H
#define CH_SESSIONS_LANE_H

#include "core/err.h"
#include "core/loop.h"

struct lanes;
struct lane_lease;

struct lanes *lanes_new(size_t max_concurrent);
void lanes_free(struct lanes *l);
void lanes_set_max(struct lanes *l, size_t max_concurrent);
size_t lanes_max(const struct lanes *l);
/* First come, first served per key, then the global cap. */
CH_FIBER CH_MUST_USE ch_status lane_enter(struct lanes *l, const char *key, int64_t deadline_ms,
					  struct lane_lease **ret, struct ch_err *err);
struct lane_lease *lane_try(struct lanes *l, const char *key);   /* NULL when busy */
void lane_leave(struct lane_lease *lease);                       /* NULL is fine */
CH_AUTO_DEFINE(lane_leave, struct lane_lease)
bool lane_is_busy(const struct lanes *l, const char *key);
size_t lane_waiting(const struct lanes *l, const char *key);
size_t lanes_active(const struct lanes *l);

#endif
