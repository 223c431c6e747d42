/*
 * What Slack sends: any JSON as an event, an interaction or a slash command, and any text as a message's. What comes of it has
 * what the core needs, and is within the limits that were promised. The first byte chooses.
 */
#include <string.h>

#include "fuzz.h"

#include "channels/slack.h"
#include "core/str.h"

static const char *name_of(void *arg, const char *user_id)
{
	return strlen(user_id) % 2 ? "Ada <b>" : NULL;
}

static enum chan_peer_kind kind_of(void *arg, const char *room_id, enum chan_peer_kind otherwise, const char **ret_name)
{
	*ret_name = NULL;
	return strlen(room_id) % 3 == 0 ? CHAN_GROUP : CHAN_CHANNEL;
}

static bool threads(void *arg, enum chan_peer_kind kind, const char *room_id, bool is_mentioned)
{
	return kind == CHAN_GROUP && is_mentioned;
}

static const struct slack_known known = { .self_id = "U1", .self_name = "chela", .bot_id = "B1", .team_id = "T1", .user_name = name_of,
					  .room_kind = kind_of, .threads_roots = threads, .command_name = "chela", .has_native_commands = true };

static void check(const struct slack_batch *batch)
{
	FUZZ_ASSERT(batch->count <= SLACK_IN_MAX);
	for (size_t i = 0; i < batch->count; i++) {
		const struct chan_in *in = &batch->at[i];

		FUZZ_ASSERT(in->event_id && *in->event_id);
		FUZZ_ASSERT(in->peer.id && in->sender.id);
		FUZZ_ASSERT(in->media_count <= SLACK_FILES_MAX);
		FUZZ_ASSERT(in->kind != CHAN_IN_PRESS || in->data);
		FUZZ_ASSERT(in->kind != CHAN_IN_COMMAND || (in->text && *in->text == '/'));
		FUZZ_ASSERT(!in->text || utf8_valid(in->text, strlen(in->text)));
	}
}

static void decode(uint8_t which, const char *text, size_t len, struct arena *a)
{
	struct slack_batch *batch = arena_alloc(a, sizeof(*batch));
	struct json *v = NULL;
	ch_status st;

	if (json_parse(a, text, len, JSON_STRICT, &v, NULL))
		return;
	st = which == 0 ? slack_decode_event(v, &known, a, batch, NULL)
	     : which == 1 ? slack_decode_interaction(v, &known, a, batch, NULL)
			  : slack_decode_command(v, &known, a, batch, NULL);
	if (!st)
		check(batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf out = { .max_bytes = 1 << 22 };
	struct json *v = NULL;
	const char *text;
	bool self, others;
	size_t len;

	if (!size)
		return 0;
	if (data[0] % 5 < 3) {
		decode(data[0] % 5, (const char *)data + 1, size - 1, a);
		return 0;
	}
	text = utf8_repair(a, (const char *)data + 1, size - 1, &len);
	if (data[0] % 5 == 3) {
		FUZZ_ASSERT(utf8_valid(slack_plain(text, &known, a, &self, &others), 0));
		(void)slack_emoji_name(a, text);
		(void)slack_emoji_text(a, text);
		return 0;
	}
	slack_blocks_write(&out, text, NULL, 0);
	if (!out.failed)
		FUZZ_ASSERT(json_parse(a, out.data, out.len, JSON_STRICT, &v, NULL) == CH_OK);
	json_each(b, v)
		FUZZ_ASSERT(strlen(json_str(json_path(b, "text.text"))) <= 3000);
	return 0;
}
