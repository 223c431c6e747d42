/*
 * gateway/event_priv.h - the event table, and what event.c does for connections.
 */
#ifndef CH_GATEWAY_EVENT_PRIV_H
#define CH_GATEWAY_EVENT_PRIV_H

#include "gateway/conn.h"

enum event_row_flags {
	EVENT_ANY_ROLE = 1,              /* nodes too, no scope asked */
	EVENT_HIDDEN = 2,                /* sent, but not in features.events */
};
struct event_row {
	const char *name;
	unsigned scope;
	unsigned flags;
};
const struct event_row *event_rows(size_t *ret_count);
const struct event_row *event_find(const char *name);   /* NULL: never delivered */

/* The deltas held back for a lagging client: send them now, or forget them. */
void event_flush_held(struct gw_conn *c);
void event_drop_held(struct gw_conn *c);
/* Puts the delta text of an older payload in front of a newer one's; both ranges as in struct gw_event. */
void event_join_delta(struct conn_held *held, const struct gw_event *newer);
/* Everything behind the payload: `,"seq":7,…}`. */
size_t event_suffix(char *buf, size_t cap, int64_t seq, const struct gw_event *ev, bool has_profile);

#endif
