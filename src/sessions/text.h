/*
 * sessions/text.h - what a message says, without its pictures, calls and thoughts.
 */
#ifndef CH_SESSIONS_TEXT_H
#define CH_SESSIONS_TEXT_H

#include "core/arena.h"
#include "core/json.h"

/*
 * The texts of a message in the transcript's shape (content: a string, or an array of blocks), `between` standing
 * between two of them. "" when there is none; borrowed from the message, or on the arena.
 */
const char *tr_text(struct arena *a, const struct json *message, const char *between);
/* A block {type:"text", text}, and a content that is this one block. */
struct json *tr_text_block(struct arena *a, const char *text, size_t len);
struct json *tr_text_content(struct arena *a, const char *text);

#endif
