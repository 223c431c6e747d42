/*
 * channels/pace.h - how fast an account may speak: what a platform allows, before it has to say so.
 *
 * Two rates hold at once, those of the network's limits: over the account and to one peer, each with a burst. A turn is
 * reserved when it is asked for, so that those who wait are served in the order in which they asked. A platform that said
 * Retry-After pauses the account, or the one peer that it said it for.
 *
 * Owns    a few numbers for each account and peer that spoke lately.
 * Runs    on the loop thread; only pace_wait() parks.
 * Limits  PACE_KEPT of those; the ones that have nothing to wait for are forgotten.
 */
#ifndef CH_CHANNELS_PACE_H
#define CH_CHANNELS_PACE_H

#include "channels/channel.h"

#define PACE_KEPT 1024

struct pace;

struct pace *pace_new(void);
void pace_free(struct pace *p);
/*
 * Milliseconds until it is our turn, which is taken with this call; -1: that would be more than max_wait_ms, nothing was
 * taken. peer NULL: the account alone is asked.
 */
int64_t pace_take(struct pace *p, const char *channel, const char *account, const char *peer, const struct chan_limits *limits,
		  int64_t max_wait_ms);
/* Nothing more for so long, by the account (peer NULL) or to the peer. */
void pace_pause(struct pace *p, const char *channel, const char *account, const char *peer, int64_t ms);
/* What is left of a pause, 0: none. A turn that was taken before the pause holds after it. */
int64_t pace_paused_ms(const struct pace *p, const char *channel, const char *account, const char *peer);

/*
 * For what is not kept (edits of a preview, typing, reactions): waits for its turn. CH_E_TIMEOUT at once, with no turn taken,
 * when that would come after the deadline.
 */
CH_FIBER CH_MUST_USE ch_status pace_wait(struct chan_acct *acct, const struct chan_peer *peer, int64_t deadline_ms,
					 struct ch_err *err);

#endif
