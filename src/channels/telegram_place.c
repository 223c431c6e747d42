/*
 * channels/telegram_place.c - which topic of a forum a message is in.
 *
 * A reaction names the chat and the message, not the topic, and a topic is a conversation of its own. The last messages seen and sent
 * are remembered, in memory; a reaction to an older one is not heard, rather than told to the wrong conversation.
 */
#include "channels/telegram.h"

#include "core/mem.h"
#include "core/str.h"

void tg_place_note(struct telegram *tg, const struct chan_peer *peer, const char *message_id)
{
	struct tg_place place;

	if (peer->kind != CHAN_GROUP || !peer->thread || !str_to_i64(peer->id, &place.chat) ||
	    !str_to_i64(message_id, &place.message) || !str_to_i64(peer->thread, &place.topic))
		return;
	if (!tg->places)
		tg->places = ch_calloc(TG_PLACES_MAX, sizeof(*tg->places));
	tg->places[tg->place_next++ % TG_PLACES_MAX] = place;
}

const char *tg_place_find(const struct telegram *tg, const char *chat_id, const char *message_id, struct arena *a)
{
	int64_t chat, message;

	if (!tg->places || !str_to_i64(chat_id, &chat) || !str_to_i64(message_id, &message))
		return NULL;
	for (size_t i = 0; i < TG_PLACES_MAX; i++) {
		const struct tg_place *p = &tg->places[i];

		if (p->message == message && p->chat == chat)
			return arena_printf(a, "%lld", (long long)p->topic);
	}
	return NULL;
}
