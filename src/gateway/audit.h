/*
 * gateway/audit.h - the trail of what was done: runs, tool calls, changes to the configuration.
 *
 * Says who, what and when, never what was said, nor a value of a setting.
 *
 * Owns    the table audit. Rows are written once and leave after AUDIT_KEEP_MS, or when there are more than
 *         AUDIT_ROWS_MAX.
 * Fails   recording logs and goes on: a full disk must not keep a run from ending.
 */
#ifndef CH_GATEWAY_AUDIT_H
#define CH_GATEWAY_AUDIT_H

#include "gateway/gw.h"

#define AUDIT_KEEP_MS (30LL * 86400000)
#define AUDIT_ROWS_MAX 100000

struct audit_entry {
	const char *kind, *action, *status;
	const char *actor;               /* an agent's or a device's id, "gateway-owner", or NULL: the system */
	const char *agent_id, *session_key, *run_id;
	const struct json *detail;       /* an object, or NULL */
};
void audit_record(struct gw *gw, const struct audit_entry *e);
/* Notes the beginning and the end of runs and tool calls. */
void audit_on_run_event(struct gw *gw, const struct run_event *ev);

/* -- reading, newest first -- */

struct audit_query {
	const char *kinds[3];            /* any of these; all NULL: any */
	const char *agent_id, *session_key, *run_id, *status;    /* NULL: any */
	int64_t after_ms, before_ms;     /* of `at`, both exclusive; 0: open */
	int64_t below_id;                /* 0: from the newest */
	int64_t limit;
};
struct audit_row {
	int64_t id, at;
	const char *kind, *action, *status, *actor, *agent_id, *session_key, *run_id;
	const struct json *detail;       /* or NULL */
};
/* On the arena. ret_more: there are older ones. */
CH_MUST_USE ch_status audit_list(struct gw *gw, struct arena *a, const struct audit_query *q, struct audit_row **ret,
				 size_t *ret_count, bool *ret_more, struct ch_err *err);

#endif
