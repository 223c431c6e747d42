/*
 * exec/bind.h - a command bound to what was shown: its text, argv, directory, environment and executables.
 *
 * The executables and the directory are opened when the approval is asked for; what runs is those descriptors
 * (fexecve, fchdir). An executable that others than root could change runs from a sealed copy in memory, so that what was
 * hashed is what runs; $0 of such a script is /dev/fd/N. What a wrapper runs is named by its absolute path. A file that an
 * interpreter is told to run is compared right before it runs. After a restart the descriptors are gone: exec_bind_reopen()
 * opens the paths again and compares device, inode, size, change time and the SHA-256. Any drift is a denial.
 *
 * Lives  counted; on the loop thread. Names in env that change what a program loads or runs (LD_*, NODE_OPTIONS, …) are
 *        refused here too, whoever has checked them before.
 * Fails  CH_E_NOT_FOUND for a directory or shell that is not there. A program that is not there is bound as missing: the
 *        command runs and says so with status 127, as a shell would.
 */
#ifndef CH_EXEC_BIND_H
#define CH_EXEC_BIND_H

#include "core/json.h"
#include "exec/command.h"
#include "exec/resolve.h"

struct exec_want {
	const char *command;             /* exact text */
	const struct cmd_plan *plan;
	const char *cwd;                 /* absolute, canonical */
	const char *const *env;          /* complete environment of the child, NAME=value */
	const char *shell;               /* absolute; runs opaque commands */
	const char *const *secret_env;   /* names in env whose values must not be written down, NULL-ended; or NULL */
};
struct exec_bound;                       /* counted; holds the descriptors */
CH_MUST_USE ch_status exec_bind(const struct exec_want *want, struct exec_bound **ret, struct ch_err *err);
struct exec_bound *exec_bound_ref(struct exec_bound *b);
void exec_bound_unref(struct exec_bound *b);
CH_AUTO_DEFINE(exec_bound_unref, struct exec_bound)
const char *exec_bound_hash(const struct exec_bound *b);         /* SHA-256 over all of it, lower-case hex */
const char *exec_bound_cwd(const struct exec_bound *b);
/* What a program's name was bound to; the file is borrowed, *ret_sha256 is "" when protected or too large. False: nothing. */
bool exec_bound_program(const struct exec_bound *b, const char *name, struct exec_file *ret_file, const char **ret_sha256);
/* For approval_ask.binding; without values of the environment that are secret. */
struct json *exec_bound_json(const struct exec_bound *b, struct arena *a);
/* Again from that; CH_E_DENIED names what changed. */
CH_MUST_USE ch_status exec_bind_reopen(const struct json *binding, struct exec_bound **ret, struct ch_err *err);
/* Right before it runs: everything is still what was bound. CH_E_DENIED names what changed. */
CH_MUST_USE ch_status exec_bound_check(struct exec_bound *b, struct ch_err *err);
/* What to start: this program as the runner (exec/runner.h) with the plan and the descriptors. On the arena. */
struct child_spec;
void exec_bound_spec(struct exec_bound *b, struct arena *a, struct child_spec *ret);

#endif
