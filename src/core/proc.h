/*
 * core/proc.h - child processes awaited from a fiber.
 *
 * Owns    the child: leaving proc_run() means that it is reaped; on a
 *         deadline or cancel its process group gets SIGTERM, then SIGKILL
 *         after PROC_GRACE_MS.
 * Safety  no shell; no inherited descriptors but 0-2; the environment is
 *         exactly `env` (NULL: empty but PATH=/usr/bin:/bin).
 * Limits  stdout and stderr are kept up to out_max_bytes each; the rest is
 *         read and dropped, and `truncated` is set.
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
