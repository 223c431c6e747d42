/*
 * core/child.h - a child process whose input and output are streams, awaited from fibers.
 *
 * core/proc.h is for programs that run to their end at once; this is for those that are watched, fed and left running.
 *
 * Owns    the child and its process group (a session of its own). child_free() kills what is left of the group,
 *         reaps, and closes; nothing of it outlives the object.
 * Output  is handed to on_output as it comes, on the loop, never after on_exit; reading pauses while child_pause()d.
 * Exit    on_exit comes once, when the process has ended and its output was read (or CHILD_DRAIN_MS later: somebody
 *         else holds the pipe; that one is killed with the group).
 * PTY     with a terminal stdout and stderr are one stream, and the terminal is the controlling one.
 * Safety  no shell; only fds 0-2 and `fds` are inherited; the environment is exactly `env`. Nothing that it starts
 *         outlives it or a killed gateway, not even what left its group: a guard (core/child_guard.h) stands in between,
 *         unless `is_contained` says that somebody else sees to that, or `outlives` that it is wanted.
 * Fails   as child_start() says; a child that cannot be watched was killed.
 */
#ifndef CH_CORE_CHILD_H
#define CH_CORE_CHILD_H

#include "core/auto.h"
#include "core/err.h"
#include "core/loop.h"

#define CHILD_DRAIN_MS 500
#define CHILD_GRACE_MS 2000
#define CHILD_START_MS 20000             /* for the guard to report: long, as a machine under load is slow */
#define CHILD_STDIN_MAX (1u << 20)       /* bytes waiting to be read by it */

struct child;
enum child_stream { CHILD_STDOUT, CHILD_STDERR };
struct child_exit { int code; int signal; };     /* code -1 when killed by a signal */

struct child_spec {
	const char *const *argv;         /* argv[0] is an absolute path */
	int exe_fd;                      /* >= 0: this file is executed, whatever argv[0] names now (fexecve); -1: argv[0] */
	const char *const *env;
	const char *cwd;                 /* NULL: as ours */
	int cwd_fd;                      /* >= 0: goes before cwd; -1: none */
	const int *fds; size_t fd_count; /* inherited under the same numbers */
	bool has_tty;
	int columns, rows;               /* with a terminal; 0: 120 x 30 */
	bool outlives;                   /* neither it nor its group are killed with the gateway */
	bool is_contained;               /* what it starts dies with it (a pid namespace): no guard; it dies with the gateway */
	void (*on_output)(void *arg, enum child_stream s, const char *data, size_t len);
	void (*on_exit)(void *arg, const struct child_exit *e);
	void *arg;
};
/* CH_E_NOT_FOUND, CH_E_DENIED, CH_E_IO: it was not started and no callback comes. */
CH_FIBER CH_MUST_USE ch_status child_start(struct loop *l, const struct child_spec *spec, struct child **ret, struct ch_err *err);
int child_pid(const struct child *c);
/* Queued; CH_E_LIMIT over CHILD_STDIN_MAX, CH_E_EOF when it reads no more. */
CH_MUST_USE ch_status child_write(struct child *c, const char *data, size_t len, struct ch_err *err);
/* Can it still be written to? */
bool child_reads(const struct child *c);
void child_close_stdin(struct child *c);         /* a terminal gets its end-of-file character */
void child_pause(struct child *c, bool paused);
/* To the whole group; with a guard to all that it started. */
void child_signal(struct child *c, int signo);
/* SIGTERM, then SIGKILL after CHILD_GRACE_MS. Does not wait: on_exit comes. */
void child_stop(struct child *c);
/* Kills at once what still runs; no callback comes after this. */
void child_free(struct child *c);

#endif
