/*
 * net/guard.h - the SSRF guard: which addresses an outbound connection may reach.
 *
 * Checked on the resolved address at the moment of connecting (so DNS
 * rebinding gains nothing), for each hop of a redirect. Denied unless the
 * exact origin was configured: loopback, private, link-local, unique-local,
 * CGNAT, multicast, reserved, and their IPv4-mapped, 6to4 and NAT64 forms.
 * Cloud metadata addresses are never allowed, but for the one caller that
 * fetches this machine's own role (models/aws_creds).
 */
#ifndef CH_NET_GUARD_H
#define CH_NET_GUARD_H

#include <sys/socket.h>

#include "core/auto.h"

enum guard_class { GUARD_PUBLIC, GUARD_PRIVATE, GUARD_LOOPBACK, GUARD_LINK_LOCAL, GUARD_METADATA, GUARD_RESERVED };

enum guard_policy {
	GUARD_PUBLIC_ONLY,       /* web tools */
	GUARD_TRUST_ORIGIN,      /* a configured base URL: anything but metadata and link-local */
	GUARD_CLOUD_METADATA,    /* the metadata service and nothing else; never with a URL from outside */
};

enum guard_class guard_classify(const struct sockaddr *addr);
bool guard_allows(enum guard_policy policy, const struct sockaddr *addr);
const char *guard_class_name(enum guard_class c);

#endif
