/*
 * gateway/pair_rules.h - pairing's decisions as pure functions.
 */
#ifndef CH_GATEWAY_PAIR_RULES_H
#define CH_GATEWAY_PAIR_RULES_H

#include "gateway/pair.h"

/* Does what `have` asks for include all that `ask` does, for the same key and role? */
bool pair_covers(const struct pair_request *have, const struct pair_request *ask);
/* ask, with what the open request asked for as well. */
struct pair_request pair_merge(const struct pair_request *open, const struct pair_request *ask);
/* The device after approval; known NULL: a new one. */
struct device pair_granted(const struct device *known, const struct pair_request *r, const char *via,
			   int64_t now_ms);
/* Silently paired by the same kind of client. */
bool pair_same_kind(const struct device *a, const struct device *b);

/* A non-operator role takes an administrator; scopes take an approver who holds them. */
bool pair_may_approve(const struct pair_request *r, const struct pair_actor *by);
/*
 * Who came in by a device token manages that device only, and not one that has other roles. d NULL: only
 * whose it is.
 */
bool pair_may_manage(const struct pair_actor *by, const char *device_id, const struct device *d);
/* Within what the device is approved for, and what the actor holds. */
bool pair_may_grant(const struct pair_actor *by, const struct device *d, const struct scope_list *scopes);

#endif
