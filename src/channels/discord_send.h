/*
 * channels/discord_send.h - a message as Discord takes it. No I/O.
 */
#ifndef CH_CHANNELS_DISCORD_SEND_H
#define CH_CHANNELS_DISCORD_SEND_H

#include "channels/discord_event.h"

#define DISCORD_ALIASES_MAX 32           /* people that one message may ping */

/* What a body is for. */
enum discord_body {
	DISCORD_BODY_NEW,                /* a message: nonce, reply */
	DISCORD_BODY_POST,               /* the first message of a forum's post */
	DISCORD_BODY_FOLLOW_UP,          /* of an interaction */
	DISCORD_BODY_EDIT,
};
void discord_write_body(struct buf *to, const struct discord *d, const struct chan_out *out, enum discord_body what);

/* The text with "@Handle" of mentionAliases as "<@id>", outside of code, and whom that pings. */
struct discord_text { const char *text; const char *users[DISCORD_ALIASES_MAX]; size_t user_count; };
void discord_aliases(struct arena *a, const struct chan_cfg *cfg, const char *text, struct discord_text *ret);

#endif
