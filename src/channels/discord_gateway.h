/*
 * channels/discord_gateway.h - one login's stay at the Gateway; private to discord_gateway.c (connections, frames) and
 * discord_dispatch.c (what is told).
 *
 * Owns    the connection, the session that can be resumed, and the list of what is still to be asked for.
 * Lives   on run()'s stack.
 */
#ifndef CH_CHANNELS_DISCORD_GATEWAY_H
#define CH_CHANNELS_DISCORD_GATEWAY_H

#include "channels/discord_catchup.h"

struct ws_client;

struct discord_gateway {
	struct chan_acct *acct;
	struct discord *d;
	struct ws_client *ws;
	struct discord_session s;
	int64_t saved_seq;               /* what the kept cursor holds */
	int64_t interval_ms, beat_ms;    /* next heartbeat (mono) */
	int64_t ready_by_ms;             /* READY or RESUMED must have come by then */
	int64_t identified_ms;
	bool is_acked;                   /* the last heartbeat was answered */
	bool is_ready;
	bool may_identify;               /* Discord does not know the session: a new one is worth a try at once */
	bool is_refused;                 /* Discord said that the token is none */
	struct map *guilds;              /* those READY named: another one is one we were added to; NULL: not told */
	struct catchup catchup;
	char newest[DISCORD_ID_LEN];     /* message that was taken, while s.is_behind holds s.last_id back */
	size_t awaited;                  /* guilds that READY named and that did not come yet */
	int64_t await_until_ms;
	struct arena *arena;             /* of one frame */
};

/* -- the kept session -- */

CH_MUST_USE ch_status discord_gw_load(struct discord_gateway *g, struct ch_err *err);
/* Nothing to do when it stands there already. */
CH_MUST_USE ch_status discord_gw_save(struct discord_gateway *g, struct ch_err *err);
/* The session is over; the next connection begins a new one. */
void discord_gw_forget(struct discord_gateway *g);
/* Who we are, as READY or the kept session says. */
void discord_gw_know_self(struct discord_gateway *g);

/* -- what is told -- */

/* CH_OK: taken, or nothing to take. Else the connection must end, so that it comes again. */
CH_FIBER CH_MUST_USE ch_status discord_gw_dispatch(struct discord_gateway *g, const struct discord_frame *f, struct ch_err *err);
/* One room of those that were missed, while catchup_is_due(). */
CH_FIBER CH_MUST_USE ch_status discord_gw_catch_up(struct discord_gateway *g, struct ch_err *err);
/* All rooms that had something were asked: from here on the newest message is the mark again. */
void discord_gw_note_caught_up(struct discord_gateway *g);

#endif
