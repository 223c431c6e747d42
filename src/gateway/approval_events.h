/*
 * gateway/approval_events.h - approvals as clients see them: one form for replies and events, and who is told.
 *
 *	exec.approval.requested, .resolved     every operator with the scope approvals
 *	plugin.approval.requested, .resolved   the same
 *	session.approval                       those of them who subscribed to the session's approvals; a sub-agent's
 *	                                       is told to the sessions above it too
 */
#ifndef CH_GATEWAY_APPROVAL_EVENTS_H
#define CH_GATEWAY_APPROVAL_EVENTS_H

#include "approvals/approval.h"
#include "gateway/gw.h"

/* Sets the ops: from now on operators are told, and somebody can be reached. */
void gw_approvals_join(struct gw *gw);

/* {id, status, presentation, urlPath, …}; with_source adds who asked and who answered, for one that has ended. */
void gw_render_approval(struct gw *gw, struct jw *w, const struct approval *row, bool with_source);
/* {id, request, createdAtMs, expiresAtMs, approvalKind}: an item of *.approval.list. */
void gw_render_approval_request(struct jw *w, const struct approval *row);
/* The value of approvalReplay: what waits in this session and below it. */
CH_MUST_USE ch_status gw_render_approval_replay(struct gw *gw, struct jw *w, const char *session_key, struct ch_err *err);
/* The names of the decisions that may be chosen, an array. */
void gw_render_decisions(struct jw *w, unsigned decisions);
/* Who a connection answers as; on the arena or the connection's own. */
struct approval_resolver gw_approval_resolver(const struct gw_conn *c);

#endif
