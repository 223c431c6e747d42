/*
 * agent/agents_edit.h - making, changing and removing agents; their files.
 *
 * The configuration is changed by merge patch, so comments and what others wrote stay. Files are
 * those of a workspace that an agent is made of, by name, never by path.
 */
#ifndef CH_AGENT_AGENTS_EDIT_H
#define CH_AGENT_AGENTS_EDIT_H

#include "agent/agent.h"

#define AGENT_FILE_MAX (2u << 20)        /* bytes of a workspace file that is shown or written */
#define AGENT_TEXT_MAX 200               /* bytes of a name, an emoji, a theme; they stand in prompts and lists */

/* NULL: not said. "" takes it away. */
struct agent_change { const char *name, *workspace, *model, *emoji, *avatar, *theme; };

/* "My Agent!" -> "my-agent"; NULL when nothing remains. */
const char *agent_id_of_name(struct arena *a, const char *name);

/* CH_E_EXISTS when there is one of that name. */
CH_MUST_USE ch_status agent_create(struct config_store *cs, const char *state_dir, const struct agent_change *as, struct arena *a,
				   const struct agent_info **ret, struct ch_err *err);
/* CH_E_NOT_FOUND for an unknown one. What is said of its identity goes into IDENTITY.md too, when that is there. */
CH_MUST_USE ch_status agent_update(struct config_store *cs, const char *state_dir, const char *id, const struct agent_change *to,
				   struct arena *a, struct ch_err *err);
/* Takes the agent and its bindings out of the configuration. The last one stays. */
CH_MUST_USE ch_status agent_remove(struct config_store *cs, const char *id, struct arena *a, int64_t *ret_bindings,
				   struct ch_err *err);
/* Moves a directory into <state>/trash; *ret_to (arena) is where it is now. CH_E_NOT_FOUND: it is not there. */
CH_MUST_USE ch_status agent_trash(const char *state_dir, const char *path, struct arena *a, const char **ret_to,
				  struct ch_err *err);
/* Writes what the configuration says of the agent into its IDENTITY.md, when that is there. */
CH_MUST_USE ch_status agent_identity_write(const struct agent_info *info, struct ch_err *err);
/* The agent is gone and so is its workspace: the next one there begins anew. */
CH_MUST_USE ch_status agent_home_forget(struct agent_host *h, const char *agent_id, const char *workspace, struct ch_err *err);
/* Runs of that agent, running and waiting. */
size_t agent_run_count(struct agent_host *h, const char *agent_id);
/* Makes and seeds the agent's workspace now, not at its first turn. */
CH_FIBER CH_MUST_USE ch_status agent_home_prepare(struct agent_host *h, const char *agent_id, struct ch_err *err);

/* -- files -- */
struct agent_file {
	const char *name, *path;
	bool is_missing, is_optional;    /* optional: its absence is usual */
	int64_t size, updated_at;
	const char *content; size_t len; /* arena; NULL when not asked for or missing */
	char hash[65];                   /* SHA-256 of the content, hex; "" without */
};
/* The names that there are, in the prompt's order; NULL-ended. */
const char *const *agent_file_names(void);
/* CH_E_INVALID for another name, CH_E_DENIED for what leads out of the workspace. */
CH_MUST_USE ch_status agent_file_look(const char *workspace, const char *name, bool with_content, struct arena *a,
				      struct agent_file *ret, struct ch_err *err);
/* expected_hash NULL: whatever is there. CH_E_CONFLICT: it is another one; ret->hash says which. */
CH_MUST_USE ch_status agent_file_put(const char *workspace, const char *name, const char *content, size_t len,
				     const char *expected_hash, struct arena *a, struct agent_file *ret, struct ch_err *err);

/* -- IDENTITY.md: lines like "- Name: Chela" -- */
/* The value behind the label, whatever marks are around; NULL: none. On the arena. */
const char *identity_get(struct arena *a, const char *text, const char *label);
/* The text with the value changed, or a line added. */
const char *identity_set(struct arena *a, const char *text, const char *label, const char *value);

#endif
