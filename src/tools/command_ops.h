/*
 * tools/command_ops.h - what is kept of a command while it runs, and of the text from outside that it reads and writes: asked of
 * the agent, which is above the tools and has the database.
 *
 * What a command reads is not seen, so it is judged by what it could: files of the workspace that hold text from outside are
 * on record (tool.h note_written), and a command that may read one gives text from outside. What it writes is found after
 * it by the files' change times, which nobody in the workspace can set.
 */
#ifndef CH_TOOLS_COMMAND_OPS_H
#define CH_TOOLS_COMMAND_OPS_H

#include "exec/command.h"
#include "tools/tool.h"

#define COMMAND_ID_MAX 48

/* What a command can read. */
struct command_reach {
	const char *root;                /* the directory that stands where the workspace does; real, absolute */
	const char *cwd;                 /* absolute, real */
	const struct cmd_plan *plan;     /* what it says; NULL: not known, so everything in reach */
	bool sees_all;                   /* files beyond the root, too */
};
/* A command on record. */
struct command_record {
	const char *id, *session_key, *command;
	const char *root;                /* where it can write; NULL: it cannot, or need not be watched */
	const char *source;              /* of the text from outside that it may write; NULL: it writes none */
	int64_t since_ms;                /* from when on it may; counts when the record is made. changed_now_ms() (tools/changed.h) */
	const char *process;             /* its name, "" before it has one: the session is told when the gateway ends before it; NULL: not */
	const char *wake_kind, *wake_id; /* as its own end would be told (struct tool_wake) */
};
struct tool_command_ops {
	void *arg;
	/* May what it prints hold text from outside? *ret_source on the arena, or static. */
	bool (*may_read)(void *arg, const struct command_reach *r, struct arena *a, const char **ret_source);
	/* The workspace of an agent; NULL: there is no such agent. On the arena. */
	const char *(*workspace)(void *arg, const char *agent_id, struct arena *a);
	/* Puts it on record, or changes the record of that id. Survives a killed gateway when it returns CH_OK. */
	CH_MUST_USE ch_status (*keep)(void *arg, const struct command_record *c, struct ch_err *err);
	/* It has ended: what it wrote is marked, the record goes. A failure leaves the record, and what was written since counts as marked. */
	CH_FIBER void (*settle)(void *arg, const char *id);
};

/* -- around one command (command_watch.c) -- */

struct command_watch {
	struct tool_ctx *ctx;
	const struct tool_command_ops *ops;      /* NULL: nobody keeps records */
	struct command_reach reach;
	const char *command;
	bool is_writable;
	int64_t since_ms;
	char id[COMMAND_ID_MAX];         /* "": not on record */
	const char *source;              /* its output is text from outside, from there; NULL: it is not */
};
/*
 * Before it starts. is_writable: it can change what is below reach->root. outside: why its output is from outside whatever it reads, or
 * NULL. Put on record when it may write such text: by its own reading, or because the turn has some.
 */
CH_MUST_USE ch_status command_watch_begin(struct tool_ctx *ctx, const struct command_reach *reach, bool is_writable,
					  const char *outside, const char *command, struct command_watch *ret, struct ch_err *err);
/* It has ended, or its output is about to be given. Looks again at what it may have read; sets is_outside and source of the call. */
void command_watch_read(struct command_watch *w);
/* It has ended: what it wrote is marked. Later calls do nothing. */
CH_FIBER void command_watch_end(struct command_watch *w);
/* An id for a record. */
void command_id(char ret_id[COMMAND_ID_MAX]);

#endif
