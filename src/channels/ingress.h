/*
 * channels/ingress.h - from an accepted event to the run that answers it.
 *
 * A fiber per lane that has something, one event after the other: authorise -> (pairing code | tombstone | overheard | go on) ->
 * debounce (messages of one sender that come together are one input; commands and media albums have their own rule) ->
 * media fetched, sniffed, capped -> context (room history since our last reply, quote, location, who speaks) fenced ->
 * route -> chan_up.submit, the inbox rows `handed` in its transaction -> acknowledgement reaction, typing (channels/live.h).
 * When the run ends: reply to the outbox and rows `answered`, in one transaction.
 * Crash   what was received is handled again from the start; what was handed is settled by what became of its run: its reply
 *         is put out if that was not done, a run that was cut is taken up once (chan_up.resume), then said to be lost.
 */
#ifndef CH_CHANNELS_INGRESS_H
#define CH_CHANNELS_INGRESS_H

#include "channels/host.h"

struct chan_ingress *ingress_new(struct chan_host *h);
void ingress_free(struct chan_ingress *g);
CH_FIBER CH_MUST_USE ch_status ingress_start(struct chan_ingress *g, struct ch_err *err);
CH_FIBER void ingress_drain(struct chan_ingress *g, int64_t deadline_ms);
/* Something was committed for this lane. */
void ingress_wake(struct chan_ingress *g, const char *lane);
/* A run of a session ended (the id is its input's). is_event: no person's input made it. Told for each; may be told twice. */
void ingress_run_ended(struct chan_ingress *g, const char *session_key, const char *run_id, bool is_event);

/* Where a session's last message from a channel came from, and may be answered; CH_E_NOT_FOUND. Strings on the arena. */
struct chan_place { const char *channel, *account; struct chan_peer peer; const char *message_id, *sender_id; int64_t at; };
CH_MUST_USE ch_status ingress_place(struct chan_ingress *g, const char *session_key, struct arena *a, struct chan_place *ret,
				    struct ch_err *err);
/* The same for the run: where its input came from; CH_E_NOT_FOUND: not from a channel. */
CH_MUST_USE ch_status ingress_place_of_run(struct chan_ingress *g, const char *run_id, struct arena *a, struct chan_place *ret,
					   struct ch_err *err);

#endif
