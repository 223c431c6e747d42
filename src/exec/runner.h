/*
 * exec/runner.h - this program re-executed to run a bound command: `chela __exec-run FD` (not for people).
 *
 * Reads the plan from the descriptor FD, a sealed memory file, then forks and fexecve()s each segment with its pipes and
 * connectives, without a shell; an opaque command is one segment, the shell with the exact text. Exits with the last
 * segment's status as a shell would: 126 cannot be executed, 127 not found, 128 + n killed by signal n.
 *
 * Plan    {"env":["A=b"], "segments":[{"argv":["ls"], "join":0, "fd":7, "script":false, "path":"/usr/bin/ls"}]}. fd -1 with
 *         a path: executed by its name (protected scripts keep $0); fd -1 without: there is no such program.
 * Signals INT, TERM, HUP and QUIT reach the programs, which share the group; after one no further segment starts.
 */
#ifndef CH_EXEC_RUNNER_H
#define CH_EXEC_RUNNER_H

#define EXEC_RUNNER_WORD "__exec-run"
#define EXEC_RUNNER_FD_MAX 1048576       /* a number above is no descriptor of ours */

/* argv as main() got it; returns the exit code. */
int exec_runner_main(int argc, char **argv);

#endif
