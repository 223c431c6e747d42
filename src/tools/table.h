/*
 * tools/table.h - one declaration per tool, for table.c and the tests.
 */
#ifndef CH_TOOLS_TABLE_H
#define CH_TOOLS_TABLE_H

#include "tools/tool.h"

/* One to a line, sorted, so that additions do not collide. */
extern const struct tool tool_agents_list;
extern const struct tool tool_apply_patch;
extern const struct tool tool_ask_user;
extern const struct tool tool_edit;
extern const struct tool tool_exec;
extern const struct tool tool_fs_find;
extern const struct tool tool_grep;
extern const struct tool tool_list;
extern const struct tool tool_message;
extern const struct tool tool_process;
extern const struct tool tool_progress_card;
extern const struct tool tool_read;
extern const struct tool tool_session_status;
extern const struct tool tool_sessions_history;
extern const struct tool tool_sessions_list;
extern const struct tool tool_sessions_search;
extern const struct tool tool_sessions_send;
extern const struct tool tool_sessions_spawn;
extern const struct tool tool_subagents;
extern const struct tool tool_view_image;
extern const struct tool tool_web_fetch;
extern const struct tool tool_web_search;
extern const struct tool tool_write;

/* Sources, sorted by id. */
extern const struct tool_source tool_source_http;
extern const struct tool_source tool_source_user;

#endif
