/*
 * tools/table.h - one declaration per tool, for table.c and the tests.
 */
#ifndef CH_TOOLS_TABLE_H
#define CH_TOOLS_TABLE_H

#include "tools/tool.h"

extern const struct tool tool_edit, tool_list, tool_read, tool_session_status, tool_web_fetch, tool_write;

#endif
