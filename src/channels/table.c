/*
 * channels/table.c - the networks, sorted by id, and the words for what they share.
 */
#include "channels/channel.h"

#include "channels/irc.h"
#include "core/str.h"

extern const struct chan_ops chan_discord, chan_slack, chan_telegram;

/* One row a network. */
static const struct chan_ops *const table[] = {
	&chan_discord,
	&chan_irc,
	&chan_slack,
	&chan_telegram,
	NULL,
};

const struct chan_ops *const *chan_table(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(table) - 1;
	return table;
}

const struct chan_ops *chan_find(const char *id)
{
	for (size_t i = 0; table[i]; i++)
		if (str_eq(table[i]->id, id))
			return table[i];
	return NULL;
}

const char *chan_peer_kind_name(enum chan_peer_kind k)
{
	static const char *const names[] = { "direct", "group", "channel" };

	return names[k];
}

const char *chan_media_kind_name(enum chan_media_kind k)
{
	static const char *const names[] = { "image", "video", "audio", "voice", "document", "sticker" };

	return names[k];
}

const char *chan_state_name(enum chan_state s)
{
	static const char *const names[] = { "stopped", "starting", "connected", "degraded", "backoff", "needs-login" };

	return names[s];
}
