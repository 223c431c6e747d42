/*
 * agent/taint_command.h - text from outside in the files that commands read and write (tools/command_ops.h).
 *
 * Reads    a command whose programs read nothing but what they are told to, each by name, gives text from outside when one of
 *          those names leads to a marked file, or to a folder with one. Of every other command (interpreters, builds, patterns,
 *          recursive searches, whatever a shell decides) it is not known: it does when there is any marked file in its reach.
 * Writes   what is below its root and was changed since it began, by the kernel's word (tools/changed.h). A marked file that is
 *          gone may have been moved: its mark goes to the files of that name.
 * Not seen what is beyond the root: binds of the sandbox, files of the host elsewhere.
 */
#ifndef CH_AGENT_TAINT_COMMAND_H
#define CH_AGENT_TAINT_COMMAND_H

#include "agent/taint.h"
#include "tools/changed.h"
#include "tools/command_ops.h"

/* struct tool_command_ops may_read; arg is the host. */
bool taint_command_reads(void *arg, const struct command_reach *r, struct arena *a, const char **ret_source);

struct taint_written {
	const char *root;                /* NULL: nowhere */
	struct changed changed;
	VEC(const char *) gone;          /* marks whose files are not there */
};
void taint_written_done(struct taint_written *w);        /* for CH_AUTO_DONE */
CH_FIBER CH_MUST_USE ch_status taint_find_written(struct db *db, const char *root, int64_t since_ms, struct arena *a,
						  struct taint_written *ret, struct ch_err *err);
/* In the open transaction. */
CH_MUST_USE ch_status taint_mark_written(struct db *db, const struct taint_written *w, const char *session_key, const char *source,
					 struct ch_err *err);

#endif
