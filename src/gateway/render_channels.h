/*
 * gateway/render_channels.h - accounts of messaging networks for clients: one writer, shared by channels.status and health.
 */
#ifndef CH_GATEWAY_RENDER_CHANNELS_H
#define CH_GATEWAY_RENDER_CHANNELS_H

#include "channels/host.h"
#include "core/json.h"

/* What asking the platform gave; has_result is false when it was asked and the network cannot tell. */
struct channel_probe { struct chan_probe result; bool has_result; int64_t at_ms; };

/* Members into an open object; probe NULL: the platform was not asked. */
void gw_render_channel(struct jw *w, const struct chan_acct *acct, const struct channel_probe *probe);
void gw_render_channel_account(struct jw *w, const struct chan_acct *acct, const struct channel_probe *probe);
/* Is it the account that is meant when none is named? */
bool gw_channel_is_default(const struct chan_acct *acct);
/* channels, channelOrder and channelLabels of health. host may be NULL. */
void gw_render_health_channels(struct chan_host *h, struct jw *w);

#endif
