/*
 * gateway/channels.h - between the messaging networks and the agents: what channels/up.h asks is answered here.
 */
#ifndef CH_GATEWAY_CHANNELS_H
#define CH_GATEWAY_CHANNELS_H

#include "gateway/gw.h"

/* The agents are there: the networks may give them messages. */
void gw_channels_join(struct gw *gw);
/* What a run tells: the networks show it, and send its reply when it ends. */
void gw_channels_on_run_event(struct gw *gw, const struct run_event *ev);

/* -- private to gateway/channels*.c -- */
void gw_channels_live(struct gw *gw, const struct run_event *ev);

#endif
