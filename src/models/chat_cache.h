/*
 * models/chat_cache.h - cache marks in Chat Completions. Internal to models/.
 *
 * Services in front of Claude, and a few others, cache what is marked: the
 * last tool, the stable system text, the last text of the user or of a tool.
 */
#ifndef CH_MODELS_CHAT_CACHE_H
#define CH_MODELS_CHAT_CACHE_H

#include "models/dialect.h"

/* For how long what is marked shall be kept; NONE: nothing is marked. */
enum retention chat_mark_for(const struct model_call *call, const struct model_entry *m);
/* The last message whose text can carry a mark, or NULL. */
const struct msg *chat_marked_message(const struct history *h);
/* DashScope counts the tools to the system text and takes no mark on them. */
bool chat_marks_tools(const struct model_entry *m);

#endif
