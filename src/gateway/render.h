/*
 * gateway/render.h - the facts behind a session's row, and the cache that makes them cheap.
 *
 * A row shows which model the session would use, so rendering it asks the model
 * catalog. The answers are kept per (agent, wanted model) until the configuration or the
 * catalog changes.
 */
#ifndef CH_GATEWAY_RENDER_H
#define CH_GATEWAY_RENDER_H

#include "gateway/gw.h"

struct gw_render;

struct gw_model_facts {
	const char *provider, *model;
	const char *source;              /* as model_resolve() says */
	int64_t context_tokens;
	bool is_reasoning;
};

struct gw_render *gw_render_new(struct gw *gw);
void gw_render_free(struct gw_render *r);        /* NULL is fine */
/* The catalog or the configuration changed. */
void gw_render_forget(struct gw_render *r);
/* wanted NULL: the agent's own model. Lives until the next gw_render_forget(). */
const struct gw_model_facts *gw_render_model(struct gw_render *r, const char *agent_id, const char *wanted);
/* What this session uses: its override, else the agent's. */
const struct gw_model_facts *gw_render_session_model(struct gw_render *r, const struct sess *s);

/* thinkingLevels, thinkingOptions, thinkingDefault, agentRuntime: members of rows and of `defaults`. */
void gw_render_thinking(struct jw *w, const struct gw_model_facts *m);
void gw_render_runtime(struct jw *w);
/* The `defaults` object of sessions.list and chat.history. */
void gw_render_session_defaults(struct gw *gw, struct jw *w, const char *agent_id);
/* A row with what a reader asked for; gw_render_session_row() has all of it. */
enum gw_row_flags {
	GW_ROW_TITLE = 1,                /* derivedTitle */
	GW_ROW_PREVIEW = 2,              /* lastMessagePreview */
	GW_ROW_LEAF = 4,                 /* activeLeafEntryId: one more query */
};
void gw_render_session_row_as(struct gw *gw, struct jw *w, const struct sess *s, unsigned flags);
/* Derived, as nobody counts: something happened since it was last read, or somebody marked it. */
bool gw_session_is_unread(const struct sess *s);
/* What the owner is called in createdActor and owner, as JSON; for sess.created_actor. */
#define GW_OWNER_ACTOR                                                                                     \
	"{\"type\":\"human\",\"id\":\"" GW_OWNER_PROFILE "\",\"identity\":{\"type\":\"profile\",\"id\":\"" GW_OWNER_PROFILE "\"}}"
/* The levels that this model can think at, NULL-ended. */
const char *const *gw_thinking_levels(const struct gw_model_facts *m);
/* The `entry` object of sessions.create, patch and reset. */
void gw_render_session_entry(struct jw *w, const struct sess *s);
/* {modelProvider, model} */
void gw_render_resolved(struct gw *gw, struct jw *w, const struct sess *s);

/* The key a client meant, in canonical form; bad ones are CH_E_INVALID. On the call's arena. */
CH_MUST_USE ch_status gw_session_key(struct gw_call *call, const char *text, struct sess_key *ret, struct ch_err *err);
/* params.key or params.sessionKey, in that order, with params.agentId for bare keys. */
CH_MUST_USE ch_status gw_session_key_param(struct gw_call *call, struct sess_key *ret, struct ch_err *err);

#endif
