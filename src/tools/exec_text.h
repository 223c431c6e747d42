/*
 * tools/exec_text.h - how commands and their ends are put into words, for exec and process.
 */
#ifndef CH_TOOLS_EXEC_TEXT_H
#define CH_TOOLS_EXEC_TEXT_H

#include "core/arena.h"
#include "exec/process.h"

/* "SIGTERM", "signal 35". */
const char *exec_signal_name(struct arena *a, int signo);
/* "1.5 s", "12 min". */
const char *exec_duration(struct arena *a, int64_t ms);
/* At most max bytes on one line, with "…" when something is missing. */
const char *exec_shorten(struct arena *a, const char *text, size_t max);
/* Its first words: "npm run", for lists. */
const char *exec_short_name(struct arena *a, const char *command);
/* One sentence: running since, exit code, signal, time limit. */
const char *exec_state_text(struct arena *a, const struct process_info *i);

#endif
