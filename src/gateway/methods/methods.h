/*
 * gateway/methods/methods.h - the families of methods, and what one family renders for another.
 *
 * Each family is a table in its own m_<family>.c; method_table.c lists them.
 */
#ifndef CH_GATEWAY_METHODS_METHODS_H
#define CH_GATEWAY_METHODS_METHODS_H

#include "gateway/gw.h"

/* One line a family. */
#define GWM_FAMILY(name) extern const struct gw_method name[]; extern const size_t name##_count
GWM_FAMILY(gwm_absent);
GWM_FAMILY(gwm_agent);
GWM_FAMILY(gwm_agents);
GWM_FAMILY(gwm_approval_request);
GWM_FAMILY(gwm_approvals);
GWM_FAMILY(gwm_artifacts);
GWM_FAMILY(gwm_audit);
GWM_FAMILY(gwm_catalog);
GWM_FAMILY(gwm_channels);
GWM_FAMILY(gwm_chat);
GWM_FAMILY(gwm_chat_history);
GWM_FAMILY(gwm_commands);
GWM_FAMILY(gwm_config);
GWM_FAMILY(gwm_config_write);
GWM_FAMILY(gwm_cron);
GWM_FAMILY(gwm_dead_letters);
GWM_FAMILY(gwm_device);
GWM_FAMILY(gwm_device_setup);
GWM_FAMILY(gwm_diagnostics);
GWM_FAMILY(gwm_exec_approvals);
GWM_FAMILY(gwm_logs);
GWM_FAMILY(gwm_message);
GWM_FAMILY(gwm_models);
GWM_FAMILY(gwm_models_auth);
GWM_FAMILY(gwm_pairing);
GWM_FAMILY(gwm_people);
GWM_FAMILY(gwm_projects);
GWM_FAMILY(gwm_questions);
GWM_FAMILY(gwm_restart);
GWM_FAMILY(gwm_secrets);
GWM_FAMILY(gwm_sessions);
GWM_FAMILY(gwm_sessions_branch);
GWM_FAMILY(gwm_sessions_create);
GWM_FAMILY(gwm_sessions_groups);
GWM_FAMILY(gwm_sessions_search);
GWM_FAMILY(gwm_sessions_more);
GWM_FAMILY(gwm_sessions_patch);
GWM_FAMILY(gwm_sessions_write);
GWM_FAMILY(gwm_system);
GWM_FAMILY(gwm_usage);
GWM_FAMILY(gwm_tasks);
GWM_FAMILY(gwm_tools);
GWM_FAMILY(gwm_users);
GWM_FAMILY(gwm_voicewake);
GWM_FAMILY(gwm_web);
GWM_FAMILY(gwm_wizard);

/* The agent a client means: by agentId, by sessionKey, else the default one. On the call's arena. */
CH_MUST_USE ch_status gw_call_agent(struct gw_call *call, const struct agent_info **ret, struct ch_err *err);

/* The arrays of models.list and commands.list; chat.metadata carries them too. */
void gw_render_models(struct gw *gw, struct jw *w);
void gw_render_commands(struct gw *gw, struct jw *w);

/* Where a key goes: the one in use is replaced, the first of the order, else of the list; else "provider:manual" is made. */
struct gwm_key_place { const char *provider, *agent_id, *owner; };       /* owner: "" shared */
CH_MUST_USE ch_status gwm_key_profile(struct gw *gw, struct arena *a, const struct gwm_key_place *at, const char **ret,
				      struct ch_err *err);

#endif
