/*
 * gateway/agent_delete.h - an agent removed with all that was its own: sessions, credentials, standing grants, workspace.
 *
 * It leaves the configuration first; from then on nobody can speak to it. What is being removed is on record before that, so a crash
 * or a failure in the middle leaves nothing for an agent of the same name that comes later: the next start ends it.
 */
#ifndef CH_GATEWAY_AGENT_DELETE_H
#define CH_GATEWAY_AGENT_DELETE_H

#include "gateway/gw.h"

struct agent_deleted {
	int64_t bindings;                /* removed with it */
	const char *workspace;           /* NULL: its files stay where they are */
	const char *method;              /* "trash", "missing"; NULL: */
	const char *reason;              /* … why the workspace stays */
};
/* CH_E_NOT_FOUND, CH_E_BUSY (it has runs), CH_E_INVALID (the only one). Strings on the arena. */
CH_MUST_USE ch_status gw_agent_delete(struct gw *gw, const char *id, bool with_files, struct arena *a, struct agent_deleted *ret,
				      struct ch_err *err);
/* Ends what was begun. At the start, when sessions and services are there. */
CH_MUST_USE ch_status gw_agent_delete_finish(struct gw *gw, struct ch_err *err);

#endif
