/*
 * channels/context.h - what a turn is told besides the person's words: what was said in the room, what is quoted or forwarded, where
 * it was said and by whom.
 *
 * Words of others are between marks (chan_up.fence) and taint the turn; names in our own lines are cut to harmless words. What the
 * sender of the turn may not show to the model (contextVisibility) is left out.
 * Limits  CONTEXT_MAX bytes; historyLimit messages, CONTEXT_LINE_MAX bytes of each.
 */
#ifndef CH_CHANNELS_CONTEXT_H
#define CH_CHANNELS_CONTEXT_H

#include "channels/ingress_priv.h"
#include "channels/media_in.h"

#define CONTEXT_MAX (256u << 10)
#define CONTEXT_LINE_MAX 2000
#define CONTEXT_QUOTE_MAX 4000

/*
 * Fills context, has_outside, and a text for a message that has none. earlier: what the network says was said before, as
 * chan_ops.history() tells it; NULL: what we overheard ourselves.
 */
CH_MUST_USE ch_status context_make(struct chan_ingress *g, struct chan_acct *acct, const struct chan_access *x, const struct batch *b,
				   const struct chan_media_taken *media, const struct json *earlier, struct arena *a,
				   struct chan_turn *turn, struct ch_err *err);

#endif
