/*
 * tools/result.c - what a tool hands back.
 */
#include <stdarg.h>
#include <string.h>

#include "core/str.h"
#include "sessions/text.h"
#include "tools/tool.h"

const char *tool_risk_name(enum tool_risk r)
{
	return r == TOOL_READS ? "low" : r == TOOL_WRITES ? "medium" : "high";
}

void tool_result_text(struct tool_ctx *ctx, struct tool_result *r, const char *text, size_t len)
{
	if (!r->content)
		r->content = json_new_arr(ctx->arena);
	json_push(r->content, tr_text_block(ctx->arena, text, len));
}

void tool_result_textf(struct tool_ctx *ctx, struct tool_result *r, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	text = arena_vprintf(ctx->arena, fmt, ap);
	va_end(ap);
	tool_result_text(ctx, r, text, strlen(text));
}
