/*
 * exec/bind.h - a command bound to what was shown: its text, argv, directory, environment and executables.
 *
 * The executables and the directory are opened when the approval is asked for; what runs is those descriptors
 * (fexecve, fchdir). After a restart the descriptors are gone: exec_bind_reopen() opens the paths again and compares
 * device, inode, size, change time and, where the file is writable by others than root, the SHA-256. Any drift is a denial.
 */
#ifndef CH_EXEC_BIND_H
#define CH_EXEC_BIND_H

#include "core/json.h"
#include "exec/command.h"

struct exec_want {
	const char *command;             /* exact text */
	const struct cmd_plan *plan;
	const char *cwd;                 /* absolute, canonical */
	const char *const *env;          /* complete environment of the child, NAME=value */
	const char *shell;               /* absolute; runs opaque commands */
};
struct exec_bound;                       /* counted; holds the descriptors */
CH_MUST_USE ch_status exec_bind(const struct exec_want *want, struct exec_bound **ret, struct ch_err *err);
struct exec_bound *exec_bound_ref(struct exec_bound *b);
void exec_bound_unref(struct exec_bound *b);
CH_AUTO_DEFINE(exec_bound_unref, struct exec_bound)
const char *exec_bound_hash(const struct exec_bound *b);         /* SHA-256 over all of it, lower-case hex */
/* For approval_ask.binding; without values of the environment that are secret. */
struct json *exec_bound_json(const struct exec_bound *b, struct arena *a);
/* Again from that; CH_E_DENIED names what changed. */
CH_MUST_USE ch_status exec_bind_reopen(const struct json *binding, struct exec_bound **ret, struct ch_err *err);
/* Right before it runs: everything is still what was bound. CH_E_DENIED names what changed. */
CH_MUST_USE ch_status exec_bound_check(const struct exec_bound *b, struct ch_err *err);
/* What to start: this program as the runner (exec/runner.h) with the plan and the descriptors. On the arena. */
struct child_spec;
void exec_bound_spec(const struct exec_bound *b, struct arena *a, struct child_spec *ret);

#endif
