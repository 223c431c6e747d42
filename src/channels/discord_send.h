/*
 * channels/discord_send.h - a message as Discord takes it; and what sending it and looking for it afterwards share.
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
	DISCORD_BODY_WHISPER,            /* one that only the interaction's user sees */
	DISCORD_BODY_EDIT,
};
void discord_write_body(struct buf *to, const struct discord *d, const struct chan_out *out, enum discord_body what);

/* The text with "@Handle" of mentionAliases as "<@id>", outside of code, and whom that pings. */
struct discord_text { const char *text; const char *users[DISCORD_ALIASES_MAX]; size_t user_count; };
void discord_aliases(struct arena *a, const struct chan_cfg *cfg, const char *text, struct discord_text *ret);

/* -- shared by discord_send.c and discord_reconcile.c -- */

#define DISCORD_EPHEMERAL (1 << 6)       /* MessageFlags */
#define DISCORD_LOADING (1 << 7)

/* The interaction that the message answers; false: there is none, or its time is over. */
bool discord_can_answer(struct arena *a, const struct chan_out *out, struct discord_handle *ret);
/* Where it goes without one: what is for one person alone to their DM. */
struct chan_peer discord_destination(struct arena *a, const struct chan_out *out);
/* What stands in the place of a command's answer. CH_E_NOT_FOUND: it cannot be answered this way any more. */
CH_FIBER CH_MUST_USE ch_status discord_original(struct discord *d, const struct discord_handle *h, struct arena *a,
						struct discord_rs *ret, struct ch_err *err);
/* The "thinking" that a command shows is still there: the first answer takes its place. */
bool discord_is_thinking(const struct json *original);
/* The title of a forum's post: the first line with words. On the arena. */
const char *discord_post_title(struct arena *a, const struct chan_out *out);

#endif
