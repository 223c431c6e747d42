/*
 * gateway/channels_live.c - what a run tells while it goes on, for those who wait on a messaging network.
 *
 * The text is that of the message at hand: what was said before a tool's call is not the reply.
 */
#include "gateway/channels.h"

#include "channels/live.h"
#include "core/str.h"

static void tell_text(struct chan_live *live, const char *run_id, const struct json *data)
{
	const struct json *text = json_get(data, "text");

	if (json_is(text, JSON_STR))
		live_text(live, run_id, text->str, text->len);
}

static void tell_item(struct chan_live *live, const char *run_id, const struct json *data)
{
	const char *phase = json_get_str(data, "phase"), *name = json_get_str(data, "name");

	if (name && (str_eq(phase, "start") || str_eq(phase, "end")))
		live_tool(live, run_id, name, json_get_str(data, "meta"), str_eq(phase, "end"),
			  str_eq(json_get_str(data, "status"), "failed"));
}

void gw_channels_live(struct gw *gw, const struct run_event *ev)
{
	static const char *const streams[] = { "assistant", "item", "thinking", "compaction" };
	struct chan_live *live = chan_host_live(gw->channels);
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct json *data;

	if (ev->kind != RUN_EV_AGENT || !str_in(ev->stream, streams, CH_ARRAY_LEN(streams)) || !live_follows(live, ev->input_id))
		return;
	a = arena_new(0);
	if (json_parse(a, ev->data, ev->data_len, JSON_STRICT, &data, NULL))
		return;
	if (str_eq(ev->stream, "assistant"))
		tell_text(live, ev->input_id, data);
	else if (str_eq(ev->stream, "item"))
		tell_item(live, ev->input_id, data);
	else
		live_phase(live, ev->input_id, str_eq(ev->stream, "compaction") && str_eq(json_get_str(data, "phase"), "start")
						      ? "compacting" : "thinking");
}
