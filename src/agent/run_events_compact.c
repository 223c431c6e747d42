/*
 * agent/run_events_compact.c - what clients see of a summary being written.
 *
 *	start   agent compaction start
 *	end     agent compaction end; session compact when it is done
 */
#include "agent/run_events.h"

#include "agent/run_frames.h"
#include "core/str.h"

void ev_compaction_start(struct run *r, const char *item_id)
{
	struct jw w;

	rf_flush_agent(r);
	w = rf_data(r);
	jw_kstr(&w, "phase", "start");
	jw_kstr(&w, "itemId", item_id);
	rf_agent(r, &w, (struct rf_frame){ .stream = "compaction" });
}

void ev_compaction_end(struct run *r, const char *item_id, const char *outcome, const char *reason, bool will_retry)
{
	struct jw w = rf_data(r);

	jw_kstr(&w, "phase", "end");
	jw_kstr(&w, "itemId", item_id);
	jw_kbool(&w, "completed", str_eq(outcome, "completed"));
	jw_kbool(&w, "willRetry", will_retry);
	jw_kstr(&w, "outcome", outcome);
	jw_kstr_opt(&w, "reason", reason);
	rf_agent(r, &w, (struct rf_frame){ .stream = "compaction" });
}

void ev_compacted(struct run *r)
{
	rf_session(r, "compact", NULL);
}
