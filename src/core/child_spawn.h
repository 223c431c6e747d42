/*
 * core/child_spawn.h - one program started as a child, with what posix_spawn() cannot give (private to core/child*).
 *
 * That is: a descriptor instead of a path, a controlling terminal, a signal for when we die, descriptors that stay.
 * The child shares our memory until it executes, as with posix_spawn(): no page is copied, and an error is simply there.
 */
#ifndef CH_CORE_CHILD_SPAWN_H
#define CH_CORE_CHILD_SPAWN_H

#include <sys/types.h>

#include "core/auto.h"

enum child_stage { CHILD_STARTED, CHILD_AT_SETUP, CHILD_AT_CWD, CHILD_AT_TTY, CHILD_AT_EXEC };

struct child_plan {
	const char *path;                /* executed, unless exe_fd >= 0 */
	int exe_fd;
	const char *const *argv, *const *env;
	const char *cwd;                 /* NULL: as ours */
	int cwd_fd;                      /* >= 0: goes before cwd */
	int stdio[3];                    /* become 0, 1, 2 */
	const int *keep;                 /* besides them, under the same numbers */
	size_t keep_count;
	bool keeps_all;                  /* all that is not close-on-exec stays */
	bool has_tty;                    /* stdio[0] becomes the controlling terminal */
	bool dies_with_us;               /* SIGKILL when the calling thread ends */
};
struct child_report {
	int pid;
	int error;                       /* errno; 0: it runs */
	int stage;                       /* enum child_stage: where it failed */
};

/* In a session of its own. Waits until the program is executed, or was not; then it has been reaped. */
void child_spawn(const struct child_plan *plan, struct child_report *ret);

#endif
