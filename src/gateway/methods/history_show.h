/*
 * gateway/methods/history_show.h - a message of the transcript as a page of history shows it.
 *
 * Long texts are cut, pictures are named instead of sent (chat.message.get has them whole, and GET /api/chat/media), and the tool calls of a
 * row become items beside the messages, as the live `item` frames show them.
 */
#ifndef CH_GATEWAY_METHODS_HISTORY_SHOW_H
#define CH_GATEWAY_METHODS_HISTORY_SHOW_H

#include "gateway/gw.h"

#define HISTORY_TEXT_DEFAULT 200000      /* characters shown of one text block */
#define HISTORY_INLINE_IMAGE 65536       /* base64 characters: a thumbnail still travels with its message */

struct history_show {
	struct arena *a;
	size_t max_chars;
	const char *session_key;         /* whose current transcript it is: pictures get a URL; NULL: none */
	struct buf activity;             /* a JSON array, open until history_show_activity() */
	struct jw w;
};

void history_show_init(struct history_show *h, struct arena *a, size_t max_chars);
void history_show_done(struct history_show *h);
/* An event that is for the model only (agent/wake.h). */
bool history_is_hidden(const struct tr_entry *e);
void history_show_message(struct history_show *h, struct jw *w, const struct tr_entry *e);
/* The member `activity`, when there is any. */
void history_show_activity(struct history_show *h, struct jw *w);

#endif
