/*
 * core/child_guard.h - this program, re-executed to stand between the gateway and a command: `chela __guard`.
 *
 * A command may leave processes behind that left its group (setsid, double fork); when the gateway is killed nobody
 * would end them. The guard is their subreaper: each orphan becomes its child, so it finds all of them.
 *
 * Ends    when the command ends: kills whatever it left, and ends as the command did (same code, same signal). When
 *         its control socket closes, that is when the gateway freed the child or died: kills all.
 * Control to it: a byte, a signal for all that it guards. From it: one struct child_report.
 * Limits  GUARD_SWEEP_MS for what does not die (another user's, by sudo; uninterruptible).
 */
#ifndef CH_CORE_CHILD_GUARD_H
#define CH_CORE_CHILD_GUARD_H

#define CHILD_GUARD_WORD "__guard"
#define GUARD_SWEEP_MS 3000

/* argv: program, CHILD_GUARD_WORD, "<control fd>,<exe fd or -1>,<tty 0|1>", then the command's argv. Gives the exit code. */
int child_guard_main(int argc, char **argv);

#endif
