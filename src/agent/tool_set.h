/*
 * agent/tool_set.h - every tool an agent could have: the rows of tools/table.c and what its sources give.
 *
 * Lives   counted and never changed: a turn keeps the one it began with. home_tools() keeps the newest of an agent and makes
 *         another when a source's stamp or the configuration changed.
 * Fails   a source that cannot be read gives no tools, says so in the log, and is asked again at the next turn.
 */
#ifndef CH_AGENT_TOOL_SET_H
#define CH_AGENT_TOOL_SET_H

#include "config/config.h"
#include "tools/tool.h"

#define TOOL_SET_MAX 256                 /* a folder or a configuration full of tools must not fill a prompt */

struct tool_set {
	int refs;
	struct arena *arena;             /* what the sources gave */
	struct tool_item {
		const struct tool *tool;
		const char *source;      /* id of the tool_source; NULL: a row */
	} *at;                           /* sorted by name, each name once */
	size_t len;
	const struct tool **problems;    /* what a source found and cannot offer; the description says why */
	size_t problem_count;
	struct config *config;           /* what it was made with; NULL: some source failed, so it is not kept */
	uint64_t stamp;
};

/* What tool_set_new() would see now; changes with any source's list. */
uint64_t tool_set_stamp(const struct tool_host *host, const char *agent_id, const char *workspace);
struct tool_set *tool_set_new(const struct tool_host *host, struct config *c, const char *agent_id, const char *workspace);
struct tool_set *tool_set_ref(struct tool_set *s);
void tool_set_unref(struct tool_set *s);
CH_AUTO_DEFINE(tool_set_unref, struct tool_set)
/* Number of the tool, or len when there is none of that name. */
size_t tool_set_index(const struct tool_set *s, const char *name);
const struct tool *tool_set_find(const struct tool_set *s, const char *name);

#endif
