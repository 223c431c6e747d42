/*
 * channels/sniff.h - what a file is, by its bytes: names and types that others give are not believed. No I/O.
 */
#ifndef CH_CHANNELS_SNIFF_H
#define CH_CHANNELS_SNIFF_H

#include "channels/channel.h"

#define SNIFF_BYTES 512                  /* enough to tell */

/*
 * "image/png", …; static memory. Bytes that tell nothing are what `claimed` (a MIME type) or else the name says they are, if
 * that is a kind of document (text/csv, application/vnd…); "text/plain" or "application/octet-stream" when nobody knows.
 */
const char *sniff_mime(const void *p, size_t n, const char *name, const char *claimed);
enum chan_media_kind sniff_kind(const char *mime);
/* ".png" for a name that has none; "" when there is no usual one. */
const char *sniff_extension(const char *mime);

#endif
