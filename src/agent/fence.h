/*
 * agent/fence.h - text from outside, marked so that a model can tell it from its person's words.
 *
 * The marks carry a random number made for this one text, so the text cannot close its own fence; what in it looks like
 * such a mark, or like a mark of a chat template, is taken apart, in whatever letters it is written.
 */
#ifndef CH_AGENT_FENCE_H
#define CH_AGENT_FENCE_H

#include "core/buf.h"
#include "core/json.h"

/* Appends the text between its marks. source: where it comes from, for the mark; or NULL. */
void fence_put(struct buf *out, const char *source, const char *text, size_t len);
/* All text of a tool's content as one fenced block, before its pictures. On the arena. */
struct json *fence_content(struct arena *a, const char *source, const struct json *content);
/* Shows nothing: zero width, direction marks, variation selectors, tags, soft hyphen. */
bool fence_is_unseen(uint32_t cp);

#endif
