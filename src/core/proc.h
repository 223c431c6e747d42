/*
 * core/proc.h - child processes awaited from a fiber.
 *
 * Owns    the child: leaving proc_run() means that it is reaped; on a
 *         deadline or cancel its process group gets SIGTERM, then SIGKILL
 *         after PROC_GRACE_MS. What it leaves behind in its group is killed
 *         when it exits; it has a session of its own and no terminal.
 * Safety  no shell; no inherited descriptors but 0-2; the environment is
 *         exactly `env` (NULL: empty but PATH=/usr/bin:/bin).
 * Limits  stdout and stderr are kept up to out_max_bytes each; the rest is
 *         read and dropped, and `truncated` is set.
 * Fails   CH_E_INVALID for a spec that cannot be run, CH_E_NOT_FOUND when
 *         there is no such program, CH_E_IO when it cannot be started,
 *         CH_E_TIMEOUT, CH_E_CANCELED. On the last two `ret` holds what was
 *         printed until then. proc_result_done() is right after each return.
 */
#ifndef CH_CORE_PROC_H
#define CH_CORE_PROC_H

#include "core/auto.h"
#include "core/buf.h"
#include "core/err.h"

#define PROC_GRACE_MS 2000

struct proc_spec {
	const char *const *argv;         /* argv[0] is an absolute path */
	const char *const *env;
	const char *cwd;                 /* NULL: as ours */
	const char *input;               /* for stdin; NULL: /dev/null */
	size_t input_len;
	size_t out_max_bytes;
	int64_t deadline_ms;
};

struct proc_result {
	struct buf out, errout;
	int exit_code;                   /* -1 when killed by a signal */
	int signal;
	bool truncated;
};

CH_FIBER CH_MUST_USE ch_status proc_run(const struct proc_spec *spec, struct proc_result *ret,
					struct ch_err *err);
void proc_result_done(struct proc_result *r);

#endif
