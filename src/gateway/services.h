/*
 * gateway/services.h - what the tools of agents use beside the agent: approvals, questions, processes, secrets, the web.
 *
 * Owns    each of them, made before the agents and ended after them. A service says what happened through its ops, which are
 *         set once the agents are there (gw_services_join).
 * Fails   opening names the service.
 */
#ifndef CH_GATEWAY_SERVICES_H
#define CH_GATEWAY_SERVICES_H

#include "approvals/approval.h"
#include "gateway/gw.h"
#include "tools/tool.h"

struct gw_services {
	struct tool_host host;           /* for agent_host_opts.services */
	/* Allowed, and the run that asked is gone: carry it out. Set before gw_services_join() ends; must not park. */
	void (*on_approved)(struct gw *gw, const struct approval *row);
};
CH_FIBER CH_MUST_USE ch_status gw_services_open(struct gw *gw, struct ch_err *err);
/* The agents are there: ops are set, what a restart left over is taken up. */
CH_FIBER CH_MUST_USE ch_status gw_services_join(struct gw *gw, struct ch_err *err);
/* Runs have ended: ends what they left in the background. */
CH_FIBER void gw_services_drain(struct gw *gw, int64_t deadline_ms);
/* A session was reset (false) or deleted (true): what it left in the background. */
void gw_services_session_gone(struct gw *gw, const char *session_key, bool is_deleted);
void gw_services_free(struct gw *gw);
void gw_services_config_changed(struct gw *gw);

#endif
