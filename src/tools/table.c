/*
 * tools/table.c - the tools there are. A new tool is a file and a row here.
 */
#include "tools/table.h"

#include "core/str.h"

/* Sorted by name: the order is part of the cacheable prompt. */
static const struct tool *const tools[] = {
	&tool_agents_list,
	&tool_apply_patch,
	&tool_ask_user,
	&tool_edit,
	&tool_exec,
	&tool_fs_find,
	&tool_grep,
	&tool_list,
	&tool_message,
	&tool_process,
	&tool_progress_card,
	&tool_read,
	&tool_session_status,
	&tool_sessions_history,
	&tool_sessions_list,
	&tool_sessions_search,
	&tool_sessions_send,
	&tool_sessions_spawn,
	&tool_subagents,
	&tool_view_image,
	&tool_web_fetch,
	&tool_web_search,
	&tool_write,
};

const struct tool *const *tool_table(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(tools);
	return tools;
}

const struct tool *tool_find(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(tools); i++)
		if (str_eq(tools[i]->name, name))
			return tools[i];
	return NULL;
}

/* Sorted by id. */
static const struct tool_source *const sources[] = {
	&tool_source_http,
	&tool_source_user,
	NULL,
};

const struct tool_source *const *tool_sources(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(sources) - 1;
	return sources;
}
