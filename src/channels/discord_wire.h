/*
 * channels/discord_wire.h - Discord's Gateway protocol, version 10, as texts. No I/O.
 *
 *	{"op":0,"s":42,"t":"MESSAGE_CREATE","d":{…}}
 *
 * Fails   CH_E_PEER: not a payload of the protocol.
 */
#ifndef CH_CHANNELS_DISCORD_WIRE_H
#define CH_CHANNELS_DISCORD_WIRE_H

#include "channels/cfg.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"

#define DISCORD_GATEWAY_VERSION 10
#define DISCORD_FRAME_MAX (16u << 20)    /* of one message: GUILD_CREATE of a big guild comes to some megabytes */

enum discord_op {
	DISCORD_DISPATCH = 0, DISCORD_HEARTBEAT = 1, DISCORD_IDENTIFY = 2, DISCORD_PRESENCE = 3, DISCORD_RESUME = 6,
	DISCORD_RECONNECT = 7, DISCORD_INVALID_SESSION = 9, DISCORD_HELLO = 10, DISCORD_HEARTBEAT_ACK = 11,
};

struct discord_frame {
	int op;
	int64_t seq;                     /* of a dispatch; -1: none */
	const char *type;                /* of a dispatch: "MESSAGE_CREATE" */
	const struct json *data;         /* may be NULL */
	int64_t interval_ms;             /* of HELLO */
	bool can_resume;                 /* of INVALID_SESSION */
};
/* Strings and data on the arena. */
CH_MUST_USE ch_status discord_frame_read(struct arena *a, const char *text, size_t len, struct discord_frame *ret, struct ch_err *err);

/* What resuming takes, kept over restarts. Empty session: none. */
#define DISCORD_ID_LEN 24
struct discord_session {
	char id[128];
	char url[256];                   /* resume_gateway_url */
	int64_t seq;
	char token_hash[17];             /* of the bot that has it: another token begins anew */
	char self_id[DISCORD_ID_LEN], app_id[DISCORD_ID_LEN];
	char username[128];
	char last_id[DISCORD_ID_LEN];    /* all messages up to this one were taken; outlives the session */
	bool is_behind;                  /* rooms are still to be asked for what came after it */
};
void discord_session_write(const struct discord_session *s, struct buf *out);
/* false: there is none, or another token's; of our own *ret has at least last_id and is_behind. */
bool discord_session_read(const char *text, const char *token_hash, struct discord_session *ret);
/* What READY says of the session; CH_E_PEER: it lacks what we need. */
CH_MUST_USE ch_status discord_session_ready(const struct json *ready, struct discord_session *s, struct ch_err *err);

/* The intents that these keys ask for. */
unsigned discord_intents(const struct chan_cfg *cfg);
/* Switches of the portal that they need and that the application's flags do not have: "Message Content Intent, …"; "": none. */
const char *discord_switches(const struct chan_cfg *cfg, int64_t app_flags, struct arena *a);
void discord_write_heartbeat(struct buf *out, int64_t seq);
void discord_write_identify(struct buf *out, const char *token, const struct chan_cfg *cfg);
void discord_write_resume(struct buf *out, const char *token, const struct discord_session *s);
/* What the keys say now: a session that goes on shows what an earlier login said. */
void discord_write_presence(struct buf *out, const struct chan_cfg *cfg);

/* What a close code means for the next connection. */
enum discord_after { DISCORD_AFTER_RESUME, DISCORD_AFTER_IDENTIFY, DISCORD_AFTER_FATAL };
/* *ret_help: what a person must do, for FATAL, on the arena; else NULL. */
enum discord_after discord_close_means(unsigned code, const struct chan_cfg *cfg, struct arena *a, const char **ret_help);

#endif
