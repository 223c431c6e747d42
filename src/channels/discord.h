/*
 * channels/discord.h - what the discord*.c share; nobody else includes it.
 *
 * Owns    struct discord: one login, its token, what was learned of rooms and rate limits.
 * Lives   counted: run() holds it, and each call of the core while it is under way. A stranger to run() (a probe of a login that
 *         is not up) makes one of its own.
 * Runs    on the loop thread.
 */
#ifndef CH_CHANNELS_DISCORD_H
#define CH_CHANNELS_DISCORD_H

#include "channels/channel.h"
#include "channels/discord_rate.h"
#include "channels/discord_wire.h"
#include "core/fiber.h"
#include "core/map.h"
#include "net/guard.h"

#define DISCORD_API "https://discord.com/api/v10"
#define DISCORD_TEXT_MAX 2000
#define DISCORD_ROOMS_MAX 4096           /* remembered; then all are forgotten and asked for anew */
#define DISCORD_NONCES 64                /* of our own last messages, as the gateway told them */
#define DISCORD_NONCE_LEN 25             /* what the platform takes */

struct url;

/* A channel, thread or DM. */
struct discord_room {
	int type;                        /* enum discord_channel_type */
	char parent[DISCORD_ID_LEN];     /* of a thread: its channel; else "" */
	char guild[DISCORD_ID_LEN];
	char name[104];
};
enum discord_channel_type {
	DISCORD_GUILD_TEXT = 0, DISCORD_DM = 1, DISCORD_GROUP_DM = 3, DISCORD_NEWS_THREAD = 10, DISCORD_PUBLIC_THREAD = 11,
	DISCORD_PRIVATE_THREAD = 12, DISCORD_FORUM = 15, DISCORD_MEDIA = 16,
};
bool discord_is_thread(int channel_type);
bool discord_is_forum(int channel_type); /* takes posts, not messages */

struct discord_nonce { char nonce[DISCORD_NONCE_LEN + 1]; char id[DISCORD_ID_LEN]; };

struct discord {
	int refs;
	struct http_client *http;
	struct loop *loop;
	struct secret *token;
	struct chan_cfg *cfg;
	char token_hash[17];
	char *api;                       /* without a slash at the end */
	bool has_own_root;               /* apiRoot is set: nothing goes anywhere else */
	bool hides_answers;              /* slashCommand.ephemeral: what answers a command is for its user alone */
	const char *proxy;               /* of the configuration; or NULL */
	enum guard_policy guard;
	struct discord_rate *rate;
	char self_id[DISCORD_ID_LEN], app_id[DISCORD_ID_LEN];    /* "" until known */
	char username[128];
	struct map *rooms;               /* id -> struct discord_room */
	struct map *dms;                 /* user id -> char *: the channel of the DM */
	struct map *roles;               /* guild id -> char *: our own roles, each followed by a space */
	struct map *audiences;           /* who may see what, for a minute (discord_audience.c) */
	struct discord_nonce nonces[DISCORD_NONCES];
	size_t nonce_at;
	char acking[DISCORD_ID_LEN];     /* the interaction that is being acknowledged: until then it takes no answer; "": none */
	struct fiber_cond acked;
};
/* Reads the keys and the token. CH_E_DENIED: there is none, or it cannot be one. */
CH_FIBER CH_MUST_USE ch_status discord_new(struct chan_acct *acct, struct discord **ret, struct ch_err *err);
struct discord *discord_ref(struct discord *d);
void discord_unref(struct discord *d);
CH_AUTO_DEFINE(discord_unref, struct discord)
/* The login of a running account, with a reference; CH_E_BUSY when it is not up. */
CH_MUST_USE ch_status discord_of(struct chan_acct *acct, struct discord **ret, struct ch_err *err);
bool discord_is_id(const char *s);       /* 17 to 20 digits */
/* When the thing with this id was made (wall). */
int64_t discord_id_ms(const char *id);
/* The least id of that moment. */
void discord_id_at(int64_t wall_ms, char ret[DISCORD_ID_LEN]);
/* Ids are numbers: longer is greater. */
int discord_id_cmp(const char *a, const char *b);

/* May a file be fetched from there, or the gateway be reached (is_gateway)? By host: Discord's own, or those of apiRoot. */
bool discord_may_reach(const struct discord *d, const struct url *u, bool is_gateway);

/* -- what was learned (discord_rooms.c) -- */

const struct discord_room *discord_room_find(const struct discord *d, const char *id);
void discord_room_learn(struct discord *d, const struct json *channel, const char *guild);
void discord_room_forget(struct discord *d, const char *id);
/* Asks Discord when it is not known. *ret NULL: Discord does not show it to us. Borrowed until the next wait. */
CH_FIBER CH_MUST_USE ch_status discord_room(struct discord *d, const char *id, const struct discord_room **ret, struct ch_err *err);
void discord_dm_learn(struct discord *d, const char *user, const char *channel);
/* Whose DM a channel is, if that was learned; on the arena, or NULL. */
const char *discord_dm_user(struct arena *a, const struct discord *d, const char *channel);
/* The channel that a peer's messages go to; on the arena. */
CH_FIBER CH_MUST_USE ch_status discord_channel_of(struct discord *d, const struct chan_peer *peer, struct arena *a, const char **ret,
						  struct ch_err *err);
void discord_roles_learn(struct discord *d, const char *guild, const struct json *roles);
/* Our own roles in a guild, each followed by a space; NULL: they could not be learned. */
CH_FIBER const char *discord_roles(struct discord *d, const char *guild);

/* -- accessGroups of the type discord.channelAudience (discord_audience.c) -- */

/* Those that the user is in, each as access_audience() names it, NULL-ended on the arena; NULL: the configuration has none. */
CH_FIBER const char *const *discord_audiences(struct discord *d, struct config *now, const char *user, struct arena *a);
/* May this member see the channel? Of the objects as Discord gives them; no I/O. What they do not say is no. */
bool discord_may_view(const struct json *guild, const struct json *channel, const struct json *member, const char *user);

/* -- requests (discord_api.c) -- */

struct discord_rq {
	const char *method, *path;       /* path behind the root: "/channels/1/messages?limit=50" */
	const char *body; size_t body_len;
	const char *content_type;        /* NULL: JSON */
	bool is_free;                    /* interactions: outside the global limit */
	bool is_once;                    /* a repeat would show twice: never on a connection that may be dead */
	int64_t wait_max_ms;             /* how long a limit may be waited out here; past it CH_E_BUSY */
	int64_t deadline_ms;             /* 0: DISCORD_CALL_MS from now */
};
#define DISCORD_CALL_MS 30000
struct discord_rs {
	int status;                      /* 0: no answer */
	int code;                        /* Discord's own, of an error; 0: none */
	const struct json *body;         /* or NULL */
	bool may_have_acted;             /* no answer, or one that does not say: it may have been done */
	bool is_global;                  /* the limit that was met holds for the whole login */
};
/* CH_OK for 2xx; else err says what Discord said. ret is always filled. */
CH_FIBER CH_MUST_USE ch_status discord_call(struct discord *d, const struct discord_rq *rq, struct arena *a, struct discord_rs *ret,
					    struct ch_err *err);
enum chan_outcome discord_outcome(ch_status st, const struct discord_rs *rs);
/* What a person can do about an error of Discord's; NULL: nothing is known. */
const char *discord_way_out(int code);
/* The errors of a 50035, "content: Must be 2000 or fewer in length.", and the way out; no I/O. */
void discord_error_text(const struct json *body, struct buf *out);

/* -- the row's functions -- */

CH_FIBER CH_MUST_USE ch_status discord_run(struct chan_acct *acct, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
					    struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_reconcile(struct chan_acct *acct, const struct chan_out *out, int64_t since_ms, struct arena *a,
						 struct chan_sent *ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_edit(struct chan_acct *acct, const char *message_id, const struct chan_out *out,
					    struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_remove(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id,
					      struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_react(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id,
					     const char *emoji, bool is_removed, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_typing(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_fetch(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_history(struct chan_acct *acct, const struct chan_peer *peer, int limit, struct arena *a,
					       struct json **ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_commands(struct chan_acct *acct, const struct chan_menu *menu, size_t count, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status discord_probe(struct chan_acct *acct, struct arena *a, struct chan_probe *ret, struct ch_err *err);

#endif
