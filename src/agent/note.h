/*
 * agent/note.h - a line of the gateway's own in a conversation, outside the model's context (private).
 */
#ifndef CH_AGENT_NOTE_H
#define CH_AGENT_NOTE_H

#include "agent/run.h"
#include "sessions/transcript.h"

/*
 * The same in a session that nothing need be running in, told to clients. CH_E_NOT_FOUND: there is no such session.
 */
CH_MUST_USE ch_status agent_note(struct agent_host *h, const char *session_key, const char *text, struct ch_err *err);
/* Written in the open transaction, or in one of its own. key: an idempotency key. ret: for ev_row() after the commit. */
CH_MUST_USE ch_status note_append(struct run *r, const char *key, const char *text, struct tr_entry *ret,
				  struct ch_err *err);

#endif
