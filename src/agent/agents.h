/*
 * agent/agents.h - agents as the configuration knows them, and what holds for a session's turns.
 *
 * Part of agent/agent.h, which includes it. Changing agents is agents_edit.h.
 */
#ifndef CH_AGENT_AGENTS_H
#define CH_AGENT_AGENTS_H

#include "config/config.h"
#include "sessions/session.h"

struct agent_info {
	const char *id, *name, *emoji, *avatar, *theme, *workspace, *model_ref;
	bool is_default, is_named_by_file;
};
/* "main" exists even when nothing is configured. All on the arena: it outlives the configuration. */
size_t agents_list(const struct config *c, const char *state_dir, struct arena *a, const struct agent_info **ret);
const struct agent_info *agent_find(const struct config *c, const char *state_dir, struct arena *a, const char *id);
bool agent_is_known(const struct config *c, const char *id);
const char *agent_default_id(const struct config *c, struct arena *a);

/*
 * What holds for a session's turns: what it chose, else its agent, else the defaults. Never NULL; borrowed
 * from the session and the configuration.
 */
struct agent_settings {
	const char *fast;                /* "on", "off", "auto" */
	const char *fast_source;         /* "session", "agent", "default" */
	const char *verbose;             /* "off", "on", "full" */
	const char *reasoning;           /* "off", "on", "stream" */
	const char *usage;               /* the line under a reply: "off", "tokens", "full" */
	const char *queue_mode;
};
void agent_settings_of(const struct config *c, const struct sess *s, struct agent_settings *ret);
/* The same in two steps, for lists: what the configuration says (channel may be NULL), then what the session chose. */
void agent_settings_default(const struct config *c, const char *agent_id, const char *channel, struct agent_settings *ret);
void agent_settings_choose(struct agent_settings *in, const struct sess *s);

#endif
