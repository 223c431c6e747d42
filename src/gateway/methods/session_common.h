/*
 * gateway/methods/session_common.h - what the methods on sessions share (gateway/methods/session_common.c).
 */
#ifndef CH_GATEWAY_METHODS_SESSION_COMMON_H
#define CH_GATEWAY_METHODS_SESSION_COMMON_H

#include "gateway/render.h"

/* The parameters of sessions.list; sessions.subscribe and the scope of a search have the same. */
extern const struct gw_param gwm_session_list_params[];

/* params.key or params.sessionKey; CH_E_INVALID when there is no such session. */
CH_MUST_USE ch_status session_find(struct gw_call *call, struct sess_key *ret_key, struct sess **ret, struct ch_err *err);
/*
 * expectedSessionId and expectedLifecycleRevision of `p`: a client that acted on an older window must not hit the new
 * one. CH_E_INVALID with details.reason "session-changed", as clients expect it.
 */
CH_MUST_USE ch_status session_check_expected(struct gw_call *call, const struct json *p, const struct sess *s, struct ch_err *err);
/* That refusal. doing: "patch", "reset", … */
ch_status session_changed(struct gw_call *call, const char *key, const char *doing, struct ch_err *err);
/* By params.shortId, slugHint and agentId, as links have them; CH_E_INVALID when none or several match. */
CH_MUST_USE ch_status session_by_short_id(struct gw_call *call, struct sess_key *ret, struct ch_err *err);
/* The owner's client made this session: says so in the row. */
void session_mark_owner(struct sess *s, const struct gw_conn *c);
/* The choices that a conversation was held with go along into a fork of it. Not yet saved. */
void session_inherit(struct sess *to, const struct sess *from);
/* Aborts what runs and waits in the session, and waits until it has settled. */
CH_FIBER CH_MUST_USE ch_status session_settle(struct gw_call *call, const char *key, const char *origin, struct ch_err *err);
/* ok, key, entry, resolved: the answer of create, patch and reset, into an open object. */
void session_put_entry(struct gw_call *call, struct jw *w, const struct sess *s);
/* A category that is used for the first time becomes a group of the list. */
CH_MUST_USE ch_status session_register_category(struct gw_call *call, const struct sess *s, struct ch_err *err);
/* fastMode as it is stored: "on", "off" or "auto"; NULL for null and nothing. */
const char *session_fast_word(const struct json *v);
/* NULL or "default": the agent's own model. CH_E_INVALID when it is not available. */
CH_MUST_USE ch_status session_set_model(struct gw *gw, struct sess *s, const char *ref, struct ch_err *err);
/* NULL: the model's own level. CH_E_INVALID names the levels that the session's model has. */
CH_MUST_USE ch_status session_set_thinking(struct gw *gw, struct sess *s, const char *level, struct ch_err *err);

#endif
