/*
 * models/auth_priv.h - what the gateway remembers of credentials beside their rows. Internal to models/.
 */
#ifndef CH_MODELS_AUTH_PRIV_H
#define CH_MODELS_AUTH_PRIV_H

#include "core/fiber.h"
#include "core/map.h"
#include "models/auth_pick.h"

#define AUTH_STICKY_MAX 4096             /* sessions; past it all are forgotten and choose anew */

/* A refresh under way. It outlives who waits for it: the server may have used up the old token already. */
struct oauth_flight {
	struct models *m;
	struct auth_profile profile;     /* on its own arena */
	struct arena *arena;
	struct fiber *fiber;             /* its own; good until is_done */
	struct fiber_cond done;
	bool is_done;
	ch_status st;
	struct ch_err err;
	int refs;                        /* the fiber and those who wait */
	struct oauth_flight *next;
};

struct auth_state {
	struct map *sticky;              /* "provider session" -> char *profile id */
	struct oauth_flight *flights;    /* those not done */
};

struct auth_state *auth_state_of(struct models *m);

/*
 * A new access token for the profile, by its refresh token; whoever asks for
 * the same one meanwhile waits for the same answer. CH_E_DENIED: the sign-in is
 * over (and is marked so); other failures pass.
 */
CH_FIBER CH_MUST_USE ch_status oauth_refresh(struct models *m, const struct auth_profile *p, struct ch_err *err);
#endif
