/*
 * Telegram: any bytes as an update and as an answer. What comes out of an update is what the core may rely on: ids, valid UTF-8, names
 * of one line; an answer is never taken for a success without saying so.
 */
#include <string.h>

#include "fuzz.h"

#include "channels/telegram.h"
#include "core/str.h"

static void check_text(const char *s, size_t max, bool is_line)
{
	if (!s)
		return;
	FUZZ_ASSERT(strlen(s) <= max && utf8_valid(s, strlen(s)));
	for (; is_line && *s; s++)
		FUZZ_ASSERT((unsigned char)*s >= ' ');
}

static void check_event(const struct chan_in *in)
{
	FUZZ_ASSERT(in->event_id && in->peer.id && in->sender.id);
	FUZZ_ASSERT(strlen(in->event_id) < CHAN_ID_MAX && strlen(in->peer.id) < CHAN_ID_MAX && strlen(in->sender.id) < CHAN_ID_MAX);
	check_text(in->text, 4 * CHAN_TEXT_MAX, false);
	check_text(in->sender.name, 2 * CHAN_NAME_MAX, true);
	check_text(in->sender.username, CHAN_NAME_MAX, true);
	check_text(in->peer.name, CHAN_NAME_MAX, true);
	check_text(in->emoji, CHAN_NAME_MAX, true);
	FUZZ_ASSERT(in->media_count <= 1 && in->at_ms >= 0);
	if (in->media_count)
		FUZZ_ASSERT(in->media[0].ref && in->media[0].size >= 0);
	if (in->quote)
		check_text(in->quote->text, CHAN_TEXT_MAX, false);
	if (in->kind == CHAN_IN_PRESS)
		FUZZ_ASSERT(in->data && in->handle && in->message_id);
	if (in->kind == CHAN_IN_REACTION)
		FUZZ_ASSERT(in->emoji && in->message_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct tg_me me = { .id = "7000", .username = "chela_bot", .has_topics = true };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_in events[TG_PER_UPDATE_MAX];
	struct tg_answer answer;
	struct json *v = NULL;
	size_t n = 0;
	int64_t id;

	if (!tg_read_answer("x", 200, (const char *)data, size, a, &answer, NULL))
		FUZZ_ASSERT(answer.outcome == CHAN_SENT);
	else
		FUZZ_ASSERT(answer.outcome != CHAN_SENT && strlen(answer.description) <= 160);
	if (json_parse(a, (const char *)data, size, JSON_STRICT, &v, NULL))
		return 0;
	if (!tg_update_read(v, &me, a, &id, events, &n))
		FUZZ_ASSERT(n == 0);
	FUZZ_ASSERT(n <= TG_PER_UPDATE_MAX);
	for (size_t i = 0; i < n; i++)
		check_event(&events[i]);
	return 0;
}
