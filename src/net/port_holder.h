/*
 * net/port_holder.h - who listens on a TCP port of this machine, as /proc tells.
 */
#ifndef CH_NET_PORT_HOLDER_H
#define CH_NET_PORT_HOLDER_H

#include "core/auto.h"

/*
 * Best effort: false when nobody is found, or when the holder's descriptors
 * are not ours to read. text gets "pid 123 (nginx)".
 */
bool port_holder_find(uint16_t port, char *ret_text, size_t size);

#endif
