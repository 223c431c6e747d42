/*
 * agent/slash.h - slash commands: what is told of them, and their rows.
 *
 * Part of agent/agent.h, which includes it. A row is in its family's cmd_*.c and in the table of commands.c.
 */
#ifndef CH_AGENT_SLASH_H
#define CH_AGENT_SLASH_H

#include "config/config.h"
#include "core/buf.h"

struct run;
struct slash_arg {
	const char *name, *description;
	const char *const *choices;      /* NULL-ended, or NULL */
	bool is_required;
	bool is_dynamic;                 /* the choices depend on the session's model: its thinking levels */
};
enum slash_when {
	SLASH_BESIDE,                    /* answered at once, also while a turn runs */
	SLASH_IN_TURN,                   /* in the session's lane: after the turn that runs, before what waits */
	SLASH_ENDS_RUNS,                 /* ends what runs, cancels what waits, then runs in the lane */
};
enum slash_flags {
	SLASH_HIDDEN = 1,                /* answers that it has no subject here; not listed */
	SLASH_DIRECTIVE = 2,             /* also within a message, for that message (directive.c) */
	SLASH_PARKS = 4,                 /* run() may park: BESIDE gives it a fiber of its own */
	SLASH_ADMIN = 8,                 /* acts on the gateway: who may only write is refused */
};
struct slash_command {
	const char *name;                /* "status" */
	const char *const *aliases;      /* NULL-ended, or NULL */
	const char *description;
	const char *args_hint;           /* "[model]", or NULL: takes none, "/status of what" goes to the model */
	const char *category;
	const struct slash_arg *args;    /* {0}-ended, or NULL */
	enum slash_when when;
	unsigned flags;
	bool (*takes)(const char *args); /* NULL: any; false: with these it is no command but a message */
	const char *needs;               /* configuration flag without which it is not there, or NULL */
	/* Appends the answer; an error's text is the answer. */
	ch_status (*run)(struct run *r, const char *args, struct buf *out, struct ch_err *err);
};
/* All of them, sorted by name. */
const struct slash_command *const *slash_commands(size_t *ret_count);
/* Is it there for users by this configuration? */
bool slash_is_listed(const struct slash_command *cmd, const struct config *c);
/* Does the text begin with one that is there, "/name", "/name:…" or "/name@bot"? */
bool slash_is_command(const char *text, const struct config *c);

#endif
