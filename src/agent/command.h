/*
 * agent/command.h - the rows of slash commands and what they share (private to commands.c and cmd_*.c).
 *
 * A command is a const struct slash_command in its family's cmd_<family>.c, a line here and one in
 * the table of commands.c.
 */
#ifndef CH_AGENT_COMMAND_H
#define CH_AGENT_COMMAND_H

#include "agent/host.h"

/* -- cmd_context.c: what the model is given -- */
extern const struct slash_command cmd_compact, cmd_context;
/* -- cmd_info.c: looking -- */
extern const struct slash_command cmd_agents, cmd_commands, cmd_diagnostics, cmd_help, cmd_status, cmd_tools, cmd_whoami;
/* -- cmd_model.c -- */
extern const struct slash_command cmd_model, cmd_models;
/* -- cmd_session.c: the session itself -- */
extern const struct slash_command cmd_name, cmd_new, cmd_reset, cmd_stop;

/* By name or alias, whatever the case; NULL: there is none. */
const struct slash_command *command_find(const char *name);
/* The next word of *args, which moves behind it; NULL at the end. On the arena. */
const char *command_word(struct arena *a, const char **args);
/* Chooses the model for the session and says so. */
CH_MUST_USE ch_status command_pin_model(struct run *r, const char *wanted, struct buf *out, struct ch_err *err);
/* The model that the session's next turn would use. */
CH_MUST_USE ch_status command_model(struct run *r, struct model_entry *ret, const char **ret_source, struct ch_err *err);

#endif
