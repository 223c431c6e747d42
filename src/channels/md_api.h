/*
 * channels/md_api.h - md4c and utf8proc, loaded when they are first needed. Private to the renderer.
 *
 * Either may be missing: then Markdown is shown as it is written, and characters are kept whole instead of graphemes.
 */
#ifndef CH_CHANNELS_MD_API_H
#define CH_CHANNELS_MD_API_H

#include <md4c.h>

#include "core/auto.h"

/* md_parse() of md4c; NULL: not installed, which is said once. */
__typeof__(&md_parse) md_api_parse(void);
/* May text be cut between these two characters? *state is 0 at the start of a text. */
bool md_api_is_break(uint32_t before, uint32_t after, int32_t *state);
/* Columns of a character: 0, 1 or 2. */
int md_api_width(uint32_t cp);

#endif
