/*
 * tools/progress_card.c - progress_card: what a person sees of long work without reading the conversation.
 */
#include <inttypes.h>
#include <string.h>

#include "sessions/progress.h"
#include "tools/table.h"

static ch_status card_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	struct progress_put put = { .session_key = ctx->session_key, .note = json_get_str(args, "markdown"),
				    .steps = json_get(args, "plan") };
	struct arena *a = ctx->arena;
	struct json *steps = NULL;
	struct progress_card card;
	ch_status st;

	if (!ctx->host->progress)
		return ch_fail(err, CH_E_UNSUPPORTED, "progress_card is not available here");
	st = progress_put(ctx->host->progress, &put, a, &card, err);
	if (st)
		return st;
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "revision", card.revision ? json_new_int(a, card.revision) : json_new_null(a));
	if (card.total) {
		steps = json_new_obj(a);
		json_set(a, steps, "completed", json_new_int(a, (int64_t)card.done));
		json_set(a, steps, "total", json_new_int(a, (int64_t)card.total));
	}
	json_set(a, ret->details, "steps", steps ? steps : json_new_null(a));
	if (!card.revision)
		tool_result_textf(ctx, ret, "Progress card cleared");
	else if (card.total)
		tool_result_textf(ctx, ret, "Progress card updated (rev %" PRId64 ", %zu/%zu done)", card.revision, card.done,
				  card.total);
	else
		tool_result_textf(ctx, ret, "Progress card updated (rev %" PRId64 ")", card.revision);
	return CH_OK;
}

const struct tool tool_progress_card = {
	.name = "progress_card",
	.label = "Progress Card",
	.description = "Puts this session's progress card: a note (markdown), an ordered plan, or both, for somebody who follows "
		       "the work without reading along. Only for work of several steps, never for a quick answer. Each call "
		       "replaces the whole card; a call with neither clears it. Where the total is known begin the note with "
		       "<progress aria-label=\"Files read - 3/7\" value=\"3\" max=\"7\"></progress> and count what was really done.",
	.schema_json = "{\"type\":\"object\",\"properties\":{\"markdown\":{\"type\":\"string\",\"description\":\"At most 8 KB.\"},"
		       "\"plan\":{\"type\":\"array\",\"description\":\"At most 50 steps, one in_progress.\",\"items\":{\"type\":\"object\","
		       "\"properties\":{\"step\":{\"type\":\"string\",\"minLength\":1},\"status\":{\"type\":\"string\",\"enum\":"
		       "[\"pending\",\"in_progress\",\"completed\"]}},\"required\":[\"step\",\"status\"],\"additionalProperties\":false}}},"
		       "\"additionalProperties\":false}",
	.risk = TOOL_READS,              /* of the workspace it changes nothing: the card is the session's own */
	.timeout_ms = 5000,
	.out_max_bytes = 1024,
	.flags = TOOL_NOT_SUBAGENT,
	.group = "agents",
	.run = card_run,
};
