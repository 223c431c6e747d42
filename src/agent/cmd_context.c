/*
 * agent/cmd_context.c - commands on what the model is given: /compact, /context.
 */
#include "agent/command.h"

#include "agent/compact.h"
#include "agent/run_events.h"
#include "core/rand.h"
#include "core/str.h"

/* "812", "14k". */
static const char *short_count(struct arena *a, int64_t n)
{
	return n < 10000 ? arena_printf(a, "%lld", (long long)n) : arena_printf(a, "%lldk", (long long)(n + 500) / 1000);
}

static ch_status do_compact(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	char *id = arena_alloc(r->arena, UUID_LEN);
	struct compact_want want = { .run_id = r->event_id, .entry_id = id, .focus = *args ? args : NULL };
	struct compact_done done;
	ch_status st;

	rand_uuid(id);
	ev_compaction_start(r, id);
	st = compact_session(r->host, r->sess, &want, r->arena, &done, err);
	if (st) {
		ev_compaction_end(r, id, r->abort_origin ? "aborted" : "failed", r->abort_origin ? NULL : err->text, false);
		return ch_wrap(err, "Compaction failed, the conversation is as it was");
	}
	if (done.why_not) {
		ev_compaction_end(r, id, "skipped", done.why_not, false);
		buf_printf(out, "⚙️ Compaction skipped: %s.", done.why_not);
		return CH_OK;
	}
	ev_compaction_end(r, id, "completed", NULL, false);
	ev_compacted(r);
	buf_printf(out, "⚙️ Compacted (%s → %s tokens). The newest %zu messages stay as they were said; nothing is deleted.",
		   short_count(r->arena, done.tokens_before), short_count(r->arena, done.tokens_after), done.kept);
	return CH_OK;
}

const struct slash_command cmd_compact = {
	.name = "compact",
	.description = "Summarise the older part of this conversation to make room.",
	.args_hint = "[instructions]",
	.category = "session",
	.args = (const struct slash_arg[]){ { "instructions", "What the summary must keep above all" }, { 0 } },
	.when = SLASH_IN_TURN,
	.flags = SLASH_PARKS,
	.run = do_compact,
};
