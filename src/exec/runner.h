/*
 * exec/runner.h - this program re-executed to run a bound command: `chela __exec-run` (not for people).
 *
 * Reads the plan from descriptor 3, then forks and fexecve()s each literal segment with its pipes and connectives, without a
 * shell; or one shell with the exact text for an opaque command. Exits with the last segment's status as a shell would.
 */
#ifndef CH_EXEC_RUNNER_H
#define CH_EXEC_RUNNER_H

/* argv as main() got it; returns the exit code. */
int exec_runner_main(int argc, char **argv);

#endif
