/*
 * gateway/methods/methods.h - the families of methods, and what one family renders for another.
 *
 * Each family is a table in its own m_<family>.c; method_table.c lists them.
 */
#ifndef CH_GATEWAY_METHODS_METHODS_H
#define CH_GATEWAY_METHODS_METHODS_H

#include "gateway/gw.h"

extern const struct gw_method gwm_agent[], gwm_chat[], gwm_chat_history[], gwm_sessions[],
	gwm_sessions_write[];
extern const size_t gwm_agent_count, gwm_chat_count, gwm_chat_history_count, gwm_sessions_count,
	gwm_sessions_write_count;
extern const struct gw_method gwm_system[], gwm_logs[], gwm_config[], gwm_models[], gwm_catalog[],
	gwm_device[], gwm_users[];
extern const size_t gwm_system_count, gwm_logs_count, gwm_config_count, gwm_models_count, gwm_catalog_count,
	gwm_device_count, gwm_users_count;

/* The arrays of models.list and commands.list; chat.metadata carries them too. */
void gw_render_models(struct gw *gw, struct jw *w);
void gw_render_commands(struct jw *w);

#endif
