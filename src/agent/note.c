/*
 * agent/note.c - a line of the gateway's own in a conversation, outside the model's context.
 */
#include "agent/note.h"

#include <string.h>

#include "agent/host.h"
#include "agent/messages.h"
#include "core/clock.h"

ch_status note_append(struct run *r, const char *key, const char *text, struct tr_entry *ret, struct ch_err *err)
{
	struct msg_own m = { .text = text, .len = strlen(text), .ts = now_wall_ms(), .idempotency_key = key,
			     .is_context_free = true };
	CH_AUTO_BUF struct buf row = { 0 };
	ch_status st;

	buf_init(&row, TR_MESSAGE_MAX);
	msg_own(&row, &m);
	st = buf_status(&row, err, "a note");
	if (st)
		return st;
	*ret = (struct tr_entry){ .type = "message", .role = "assistant", .idempotency_key = key,
				  .message = arena_strndup(r->arena, row.data, row.len), .message_len = row.len,
				  .meta = "{\"contextFreeCommand\":true}", .created_at = m.ts };
	return tr_append(r->sess, NULL, 0, ret, r->arena, err);
}
