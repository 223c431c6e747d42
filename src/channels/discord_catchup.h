/*
 * channels/discord_catchup.h - what was said while no session was kept for us.
 *
 * Discord repeats missed events only to a session that it still knows, which is some minutes. After a longer absence the rooms
 * are asked: those that GUILD_CREATE says have newer messages than the newest one we took, and the DMs that we know of. What comes
 * of it are the same events with the same ids, so that nothing is taken twice.
 *
 * Owns    the list of rooms still to be asked, and the DMs kept for it.
 * Limits  CATCHUP_ROOMS_MAX rooms, one page of CATCHUP_PAGE messages each, not older than CATCHUP_AGE_MS; CATCHUP_DMS_MAX DMs. What
 *         is left out is logged.
 */
#ifndef CH_CHANNELS_DISCORD_CATCHUP_H
#define CH_CHANNELS_DISCORD_CATCHUP_H

#include "channels/discord.h"
#include "core/vec.h"

#define CATCHUP_ROOMS_MAX 200
#define CATCHUP_DMS_MAX 100
#define CATCHUP_PAGE 100
#define CATCHUP_AGE_MS (24LL * 3600000)

struct catchup_dm { char user[DISCORD_ID_LEN], channel[DISCORD_ID_LEN]; };
struct catchup_room { char id[DISCORD_ID_LEN], guild[DISCORD_ID_LEN]; };
struct catchup {
	char after[DISCORD_ID_LEN];      /* messages newer than this one; "": none are asked for */
	VEC(struct catchup_room) rooms;  /* still to be asked */
	VEC(struct catchup_dm) dms;      /* oldest acquaintance first */
	size_t left_out;
};
void catchup_done(struct catchup *c);
/* The DMs that were kept, for the login too. */
CH_MUST_USE ch_status catchup_load(struct catchup *c, struct chan_acct *acct, struct discord *d, struct ch_err *err);
/* Somebody wrote a DM: kept, so that it can be asked later. */
CH_MUST_USE ch_status catchup_know(struct catchup *c, struct chan_acct *acct, const char *user, const char *channel, struct ch_err *err);
/* A new session began; last_id is the newest message that was taken ("": never one). */
void catchup_begin(struct catchup *c, const char *last_id, int64_t now_ms);
/* Rooms of a guild that have something newer. */
void catchup_guild(struct catchup *c, const struct json *guild);
bool catchup_is_due(const struct catchup *c);
/*
 * Asks the next room; catchup_next() again asks the same, until catchup_took() says that all of it was taken. *ret: messages, oldest first, each with channel_id, guild_id and member as MESSAGE_CREATE has them; on the
 * arena. A room that cannot be read gives none.
 */
CH_FIBER CH_MUST_USE ch_status catchup_next(struct catchup *c, struct discord *d, struct arena *a, struct json **ret, struct ch_err *err);
void catchup_took(struct catchup *c);

#endif
