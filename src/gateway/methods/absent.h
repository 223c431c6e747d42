/*
 * gateway/methods/absent.h - rows of methods whose subject this version does not have.
 *
 * Lists are empty because there is nothing to list, and a thing asked for by its id is not found: these
 * answers are true, so the methods are named in hello-ok. What would need the subject refuses with
 * UNAVAILABLE and says what is missing; it is not named (GW_HIDDEN), its parameters are not looked at.
 * A subject that arrives takes its rows out of these tables.
 */
#ifndef CH_GATEWAY_METHODS_ABSENT_H
#define CH_GATEWAY_METHODS_ABSENT_H

#include "gateway/methods/methods.h"

/* The row's JSON, each time the same. */
ch_status gwm_run_fixed(struct gw_call *call, struct ch_err *err);
/* The row's object with `ts` in front. */
ch_status gwm_run_stamped(struct gw_call *call, struct ch_err *err);
/* The row's object with `agentId` in front: the agent that is meant. */
ch_status gwm_run_for_agent(struct gw_call *call, struct ch_err *err);
/* UNAVAILABLE; the row says what is missing. */
ch_status gwm_run_refuse(struct gw_call *call, struct ch_err *err);
/* Nothing has such an id; the row's words. */
ch_status gwm_run_unknown(struct gw_call *call, struct ch_err *err);

/* error.details with one member. */
struct json *gwm_detail(struct gw_call *call, const char *name, const char *value);
/* A parameter for an error's text: "" when absent, cut when long. */
const char *gwm_short_param(struct gw_call *call, const char *name);

#define GWM_ROW(name, run, scope, params, answer) { name, run, GW_SCOPE_##scope, GW_INLINE, params, NULL, answer }
#define GWM_ALWAYS(name, scope, params, json) GWM_ROW(name, gwm_run_fixed, scope, params, json)
#define GWM_REFUSE(name, scope, why) \
	{ name, gwm_run_refuse, GW_SCOPE_##scope, GW_INLINE | GW_HIDDEN | GW_OPEN_PARAMS, NULL, NULL, why }

#endif
