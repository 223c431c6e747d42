/*
 * gateway/watch.h - who follows a session without a socket: told that something is new, asks what by itself.
 *
 * Owns    nothing: a watch is its owner's, and removed before that goes.
 * Runs    on the loop thread; on_news must not park, nor add or remove watches.
 */
#ifndef CH_GATEWAY_WATCH_H
#define CH_GATEWAY_WATCH_H

#include "gateway/gw.h"

struct gw_watch {
	struct gw_watch *next;           /* private */
	const char *session_key;
	void (*on_news)(void *arg);
	void *arg;
};
void gw_watch_add(struct gw *gw, struct gw_watch *w);
void gw_watch_remove(struct gw *gw, struct gw_watch *w);
/* Rows were written, or the session began anew. */
void gw_watch_tell(struct gw *gw, const char *session_key);

#endif
