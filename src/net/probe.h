/*
 * net/probe.h - does anybody listen there? Asked before libcurl is worth loading.
 */
#ifndef CH_NET_PROBE_H
#define CH_NET_PROBE_H

#include "core/err.h"
#include "core/loop.h"

/*
 * True when a TCP connection to the URL's host and port was accepted by the deadline; it is closed
 * at once. Only for numeric hosts and "localhost"; for others (names need a resolver) it is true: ask and see.
 */
CH_FIBER bool probe_listens(struct loop *l, const char *base_url, int64_t deadline_ms);

#endif
