/*
 * agent/command.h - the rows of slash commands and what they share (private to commands.c and cmd_*.c).
 *
 * A command is a const struct slash_command in its family's cmd_<family>.c, a line here and one in
 * the table of commands.c.
 */
#ifndef CH_AGENT_COMMAND_H
#define CH_AGENT_COMMAND_H

#include "agent/host.h"

/* -- cmd_activation.c -- */
extern const struct slash_command cmd_activation;
/* -- cmd_approve.c -- */
extern const struct slash_command cmd_approve;
/* -- cmd_answer.c -- */
extern const struct slash_command cmd_answer;
/* Is a plain message the answer that the active turn waits for? */
bool command_answers(struct run *r, const struct desk *d);
/* -- cmd_context.c: what the model is given -- */
extern const struct slash_command cmd_compact, cmd_context;
/* -- cmd_info.c: looking -- */
extern const struct slash_command cmd_agents, cmd_commands, cmd_diagnostics, cmd_help, cmd_status, cmd_tools, cmd_whoami;
/* -- cmd_model.c -- */
extern const struct slash_command cmd_model, cmd_models;
/* -- cmd_options.c: settings of the session that are directives in messages too -- */
extern const struct slash_command cmd_fast, cmd_queue, cmd_reasoning, cmd_think, cmd_verbose;
/* -- cmd_subagents.c -- */
extern const struct slash_command cmd_subagents;
/* -- cmd_usage.c -- */
extern const struct slash_command cmd_usage;
/* -- cmd_absent.c: known elsewhere, without a subject here -- */
extern const struct slash_command cmd_elevated, cmd_exec, cmd_login, cmd_openclaw, cmd_session, cmd_tasks,
	cmd_trace, cmd_update;
/* -- cmd_admin.c -- */
extern const struct slash_command cmd_config, cmd_restart;
/* -- cmd_export.c -- */
extern const struct slash_command cmd_export_session;
/* -- cmd_session.c: the session itself -- */
extern const struct slash_command cmd_name, cmd_new, cmd_reset, cmd_steer, cmd_stop;

/* By name or alias, whatever the case; NULL: there is none. */
const struct slash_command *command_find(const char *name);
/* The next word of *args, which moves behind it; NULL at the end. On the arena. */
const char *command_word(struct arena *a, const char **args);
/* Chooses the model for the session and says so. */
CH_MUST_USE ch_status command_pin_model(struct run *r, const char *wanted, struct buf *out, struct ch_err *err);
/* The model that the session's next turn would use. */
CH_MUST_USE ch_status command_model(struct run *r, struct model_entry *ret, const char **ret_source, struct ch_err *err);

/* -- directive.c: settings within messages -- */
struct directive { const struct slash_command *command; const char *args; };
struct directives { const char *rest; struct directive at[8]; size_t len; };
/* Finds them; *ret->rest is the text without them. Not within fenced code. */
void directives_find(struct arena *a, const char *text, struct directives *ret);
/* What holds for this turn only and needs no session. */
void directives_apply(struct run *r, const struct directives *d);
/* The rest, once r->sess is there: how the turn thinks; the model, which is chosen for the session. */
CH_MUST_USE ch_status directives_choose(struct run *r, const struct directives *d, struct ch_err *err);
/* A message of nothing but directives: each is a setting of the session. */
extern const struct slash_command command_of_directives;
/* What a word means as a value of the option; NULL: nothing. "" is the default again. */
const char *option_value(const struct slash_command *option, const char *word);
/* Does this model think that way? CH_E_INVALID with the levels that it has. */
CH_MUST_USE ch_status option_check_thinking(const struct model_entry *m, const char *level, struct ch_err *err);

#endif
