/*
 * agent/run_events.h - everything a client sees of a run, in the protocol's order (private).
 *
 * The one place where order and fields of the frames are decided; docs/compatibility.md lists
 * where they differ from the recorded ones. agent and chat frames of a run share its
 * counter: each tells the number it reached, text that is merged into one frame takes the
 * last. Nothing here touches the database: call after the commit.
 */
#ifndef CH_AGENT_RUN_EVENTS_H
#define CH_AGENT_RUN_EVENTS_H

#include "agent/run.h"
#include "sessions/transcript.h"
#include "tools/tool.h"

#define EV_COALESCE_MS 75        /* text is told at once, then at most this often: frames carry all text so far */

/* -- accepted -- */
void ev_accepted(struct run *r);
/* Queued behind a run as a turn of its own: the input's id is settled now. */
void ev_queued(struct run *r);
/* Folded into `into`; entry is the user's row. */
void ev_absorbed(struct run *r, struct run *into, const struct tr_entry *entry);
/* Cancelled while it was queued. */
void ev_cancelled(struct run *r, const char *reason);

/* -- the turn -- */
void ev_preparing(struct run *r);
/* The user's row is written and the session is ours. */
void ev_started(struct run *r, const struct tr_entry *entry);
void ev_model(struct run *r);
/* r->reply grew (or shrank, see agent_replace): tells now or later. */
void ev_text(struct run *r);
/* When held back text must be told (monotonic; 0: there is none), and doing so. */
int64_t ev_text_due_ms(const struct run *r);
void ev_text_tell_due(struct run *r);
/* Of len bytes of thinking, those from `from` are new. */
void ev_thinking(struct run *r, const char *text, size_t len, size_t from);
void ev_usage(struct run *r);
void ev_row(struct run *r, const struct tr_entry *entry);
void ev_retrying(struct run *r, const struct model_event *ev);
void ev_resumed(struct run *r);

/* The text of the message at hand is void: frames say so. */
void ev_text_void(struct run *r);
/* A model is begun with: lifecycle start, starting_model. */
void ev_begin_model(struct run *r);

/* -- which model answers, run_events_route.c -- */
/* Candidates from number `from` on were passed over. */
void ev_route_skipped(struct run *r, size_t from);
/* The one at hand failed, another follows. */
void ev_route_left(struct run *r, const char *error);
void ev_route_resumed(struct run *r);

/* -- run_events_compact.c: a summary being written; outcome: "completed", "skipped", "failed", "aborted" -- */
void ev_compaction_start(struct run *r, const char *item_id);
void ev_compaction_end(struct run *r, const char *item_id, const char *outcome, const char *reason, bool will_retry);
/* The session's row shows it. */
void ev_compacted(struct run *r);

/* -- tools -- */
void ev_tool_start(struct run *r, const struct tool *t, const struct run_call *call, int64_t ts);
void ev_tool_update(struct run *r, const struct tool *t, const struct run_call *call, const char *text, size_t len);
void ev_tool_end(struct run *r, const struct tool *t, const struct run_call *call, const struct json *content,
		 const struct json *details, bool is_error, int64_t started);
/* A call waits for a person (status NULL), or goes on. */
void ev_approval(struct run *r, const struct run_call *call, const char *approval_id, const char *status);

/* -- the end -- */
void ev_finishing(struct run *r);
void ev_done(struct run *r);
void ev_failed(struct run *r, const struct tr_entry *entry);
/* An abort is told at once, and its consequences when the run has unwound. */
void ev_aborted(struct run *r);
void ev_abort_settled(struct run *r, const struct tr_entry *entry);
/* A command's answer: message is the row's JSON, in_frame what the chat frame shows of it. */
void ev_command(struct run *r, const char *in_frame, size_t len, const struct tr_entry *user,
		const struct tr_entry *answer);
/* terminalReceipt and friends, for the input's row. */
void ev_outcome(struct run *r, bool is_done, struct buf *out);

#endif
