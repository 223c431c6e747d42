/*
 * core/image.h - what kind of picture some bytes are, by how they begin.
 */
#ifndef CH_CORE_IMAGE_H
#define CH_CORE_IMAGE_H

#include "core/auto.h"

#define IMAGE_SNIFF_BYTES 16             /* enough to tell */

/* "image/png" and the like; NULL: none that browsers and models both take. */
const char *image_mime(const void *p, size_t n);

#endif
