/*
 * tools/exec_text.c - how commands and their ends are put into words.
 */
#include "tools/exec_text.h"

#include <inttypes.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define SHORT_NAME_BYTES 60
#define SHORT_NAME_WORDS 2
#define MS_PER_MIN 60000
#define MINS_IN_SECONDS 2                /* up to here seconds say more */

const char *exec_signal_name(struct arena *a, int signo)
{
	const char *name = sigabbrev_np(signo);

	return name ? arena_printf(a, "SIG%s", name) : arena_printf(a, "signal %d", signo);
}

const char *exec_duration(struct arena *a, int64_t ms)
{
	if (ms < 10000)
		return arena_printf(a, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms % 1000 / 100);
	if (ms < MINS_IN_SECONDS * MS_PER_MIN)
		return arena_printf(a, "%" PRId64 " s", ms / 1000);
	return arena_printf(a, "%" PRId64 " min", ms / MS_PER_MIN);
}

const char *exec_shorten(struct arena *a, const char *text, size_t max)
{
	size_t len = strcspn(text, "\r\n"), keep;

	if (len <= max && !text[len])
		return text;
	keep = utf8_cut(text, len, CH_MIN(len, max));
	return arena_printf(a, "%.*s…", (int)keep, text);
}

const char *exec_short_name(struct arena *a, const char *command)
{
	const char *p = command + strspn(command, " \t\r\n");
	size_t len = 0;

	for (int i = 0; i < SHORT_NAME_WORDS; i++) {
		len += strspn(p + len, " \t");
		len += strcspn(p + len, " \t\r\n;|&<>()");
	}
	len = utf8_cut(p, strlen(p), CH_MIN(len, SHORT_NAME_BYTES));
	return len ? arena_strndup(a, p, len) : "command";
}

const char *exec_state_text(struct arena *a, const struct process_info *i)
{
	const char *took = exec_duration(a, (i->ended_at ? i->ended_at : now_wall_ms()) - i->started_at);

	switch (i->state) {
	case PROCESS_RUNNING:
		return arena_printf(a, "%s is still running (pid %d, %s).", i->id, i->pid, took);
	case PROCESS_KILLED:
		return arena_printf(a, "%s was stopped on request after %s.", i->id, took);
	case PROCESS_TIMEOUT:
		return arena_printf(a, "%s reached its time limit and was ended after %s. Give it more time (timeoutSeconds), or "
				       "timeoutSeconds 0 for a service.", i->id, took);
	case PROCESS_DONE:
	case PROCESS_FAILED:
		break;
	}
	if (i->signal)
		return arena_printf(a, "%s was ended by %s after %s.", i->id, exec_signal_name(a, i->signal), took);
	return arena_printf(a, "%s ended with exit code %d after %s.", i->id, i->exit_code, took);
}
