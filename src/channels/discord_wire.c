/*
 * channels/discord_wire.c - see discord_wire.h.
 */
#include "channels/discord_wire.h"

#include <stdio.h>
#include <string.h>

#include "core/str.h"

/* Discord's bits; discord-api-types names them GatewayIntentBits. */
enum intent {
	GUILDS = 1 << 0, GUILD_MEMBERS = 1 << 1, GUILD_PRESENCES = 1 << 8, GUILD_MESSAGES = 1 << 9, GUILD_MESSAGE_REACTIONS = 1 << 10,
	DIRECT_MESSAGES = 1 << 12, DIRECT_MESSAGE_REACTIONS = 1 << 13, MESSAGE_CONTENT = 1 << 15, GUILD_MESSAGE_POLLS = 1 << 24,
	DIRECT_MESSAGE_POLLS = 1 << 25,
};

#define INTERVAL_MIN_MS 100
#define INTERVAL_MAX_MS (10 * 60 * 1000)

/* -- in -- */

ch_status discord_frame_read(struct arena *a, const char *text, size_t len, struct discord_frame *ret, struct ch_err *err)
{
	struct discord_frame f = { .seq = -1 };
	struct json *v;
	struct ch_err why;

	if (json_parse(a, text, len, JSON_STRICT, &v, &why))
		return ch_fail(err, CH_E_PEER, "discord gateway: not JSON: %s", why.text);
	if (!json_is(json_get(v, "op"), JSON_INT))
		return ch_fail(err, CH_E_PEER, "discord gateway: a message without an opcode");
	f.op = (int)CH_MIN(CH_MAX(json_get_int(v, "op", -1), -1), 1000);
	f.seq = json_get_int(v, "s", -1);
	f.type = json_get_str(v, "t");
	f.data = json_get(v, "d");
	if (f.op == DISCORD_DISPATCH && (!f.type || f.seq < 0))
		return ch_fail(err, CH_E_PEER, "discord gateway: a dispatch without its type or number");
	if (f.op == DISCORD_HELLO) {
		f.interval_ms = json_get_int(f.data, "heartbeat_interval", 0);
		if (f.interval_ms < INTERVAL_MIN_MS || f.interval_ms > INTERVAL_MAX_MS)
			return ch_fail(err, CH_E_PEER, "discord gateway: HELLO without a sensible heartbeat_interval");
	}
	f.can_resume = f.op == DISCORD_INVALID_SESSION && json_bool_or(f.data, false);
	*ret = f;
	return CH_OK;
}

/* -- the session -- */

/* false when it does not fit: such a value is not what Discord sends. */
static bool take(char *dst, size_t cap, const char *src)
{
	if (str_empty(src) || strlen(src) >= cap)
		return false;
	memcpy(dst, src, strlen(src) + 1);
	return true;
}

void discord_session_write(const struct discord_session *s, struct buf *out)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "session", s->id);
	jw_kstr(&w, "url", s->url);
	jw_kint(&w, "seq", s->seq);
	jw_kstr(&w, "token", s->token_hash);
	jw_kstr(&w, "self", s->self_id);
	jw_kstr(&w, "app", s->app_id);
	jw_kstr(&w, "username", s->username);
	jw_kstr(&w, "last", s->last_id);
	if (s->is_behind)
		jw_kbool(&w, "behind", true);
	jw_end(&w);
}

bool discord_session_read(const char *text, const char *token_hash, struct discord_session *ret)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct discord_session s = { .seq = 0 };
	struct json *v;

	*ret = s;
	if (!text || json_parse(a, text, strlen(text), JSON_STRICT, &v, NULL) || !str_eq(json_get_str(v, "token"), token_hash))
		return false;
	s.seq = json_get_int(v, "seq", -1);
	if (s.seq < 0 || !take(s.id, sizeof(s.id), json_get_str(v, "session")) ||
	    !take(s.url, sizeof(s.url), json_get_str(v, "url")) || !take(s.token_hash, sizeof(s.token_hash), token_hash) ||
	    !take(s.self_id, sizeof(s.self_id), json_get_str(v, "self")) ||
	    !take(s.app_id, sizeof(s.app_id), json_get_str(v, "app")) ||
	    !take(s.username, sizeof(s.username), json_get_str(v, "username")))
		s = (struct discord_session){ .seq = 0 };
	/* What was taken is known also when the session is over. */
	if (!take(s.last_id, sizeof(s.last_id), json_get_str(v, "last")))
		s.last_id[0] = 0;
	s.is_behind = json_get_bool(v, "behind", false);
	*ret = s;
	return *s.id;
}

ch_status discord_session_ready(const struct json *ready, struct discord_session *s, struct ch_err *err)
{
	const struct json *user = json_get(ready, "user");
	const char *app = json_get_str(json_get(ready, "application"), "id");

	if (!take(s->id, sizeof(s->id), json_get_str(ready, "session_id")) ||
	    !take(s->url, sizeof(s->url), json_get_str(ready, "resume_gateway_url")) ||
	    !take(s->self_id, sizeof(s->self_id), json_get_str(user, "id")) ||
	    !take(s->username, sizeof(s->username), json_get_str(user, "username")))
		return ch_fail(err, CH_E_PEER, "discord gateway: READY without session, address or user");
	/* Bots made before 2016 have an application id of their own. */
	if (!take(s->app_id, sizeof(s->app_id), app ? app : s->self_id))
		return ch_fail(err, CH_E_PEER, "discord gateway: READY with an application id that is none");
	return CH_OK;
}

/* -- out -- */

/* Those that the portal must grant. flags: of the application that has it, for all guilds or for few (ApplicationFlags). */
static const struct { const char *key, *label; bool def; unsigned bit, flags; } privileged[] = {
	{ "intents.messageContent", "Message Content Intent", true, MESSAGE_CONTENT, 3 << 18 },
	{ "intents.guildMembers", "Server Members Intent", false, GUILD_MEMBERS, 3 << 14 },
	{ "intents.presence", "Presence Intent", false, GUILD_PRESENCES, 3 << 12 },
};

unsigned discord_intents(const struct chan_cfg *cfg)
{
	unsigned bits = GUILDS | GUILD_MESSAGES | GUILD_MESSAGE_REACTIONS | DIRECT_MESSAGES | DIRECT_MESSAGE_REACTIONS |
			GUILD_MESSAGE_POLLS | DIRECT_MESSAGE_POLLS;

	for (size_t i = 0; i < CH_ARRAY_LEN(privileged); i++)
		if (chan_cfg_bool(cfg, privileged[i].key, privileged[i].def))
			bits |= privileged[i].bit;
	return bits;
}

const char *discord_switches(const struct chan_cfg *cfg, int64_t app_flags, struct arena *a)
{
	const char *list = "";

	for (size_t i = 0; i < CH_ARRAY_LEN(privileged); i++)
		if (chan_cfg_bool(cfg, privileged[i].key, privileged[i].def) && !(app_flags & privileged[i].flags))
			list = arena_printf(a, "%s%s%s", list, *list ? ", " : "", privileged[i].label);
	return list;
}

void discord_write_heartbeat(struct buf *out, int64_t seq)
{
	if (seq > 0)
		buf_printf(out, "{\"op\":1,\"d\":%lld}", (long long)seq);
	else
		buf_puts(out, "{\"op\":1,\"d\":null}");
}

/* channels.discord.status, activity, activityType, activityUrl. */
static void put_presence(struct jw *w, const char *key, const struct chan_cfg *cfg)
{
	const char *status = chan_cfg_str(cfg, "status"), *activity = chan_cfg_str(cfg, "activity");
	int64_t type = chan_cfg_int(cfg, "activityType", 4);

	jw_kobj(w, key);
	jw_knull(w, "since");
	jw_karr(w, "activities");
	if (!str_empty(activity)) {
		jw_obj(w);
		jw_kint(w, "type", type);
		/* A custom status has its words in `state`; its name is not shown. */
		jw_kstr(w, "name", type == 4 ? "Custom Status" : activity);
		if (type == 4)
			jw_kstr(w, "state", activity);
		if (type == 1)
			jw_kstr_opt(w, "url", chan_cfg_str(cfg, "activityUrl"));
		jw_end(w);
	}
	jw_end(w);
	jw_kstr(w, "status", str_empty(status) ? "online" : status);
	jw_kbool(w, "afk", false);
	jw_end(w);
}

void discord_write_identify(struct buf *out, const char *token, const struct chan_cfg *cfg)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kint(&w, "op", DISCORD_IDENTIFY);
	jw_kobj(&w, "d");
	jw_kstr(&w, "token", token);
	jw_kint(&w, "intents", discord_intents(cfg));
	jw_kobj(&w, "properties");
	jw_kstr(&w, "os", "linux");
	jw_kstr(&w, "browser", "chela");
	jw_kstr(&w, "device", "chela");
	jw_end(&w);
	/* Guilds above this many members come without those who are offline. 50 is the least that Discord takes. */
	jw_kint(&w, "large_threshold", 50);
	if (!str_empty(chan_cfg_str(cfg, "status")) || !str_empty(chan_cfg_str(cfg, "activity")))
		put_presence(&w, "presence", cfg);
	jw_end(&w);
	jw_end(&w);
}

void discord_write_presence(struct buf *out, const struct chan_cfg *cfg)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kint(&w, "op", DISCORD_PRESENCE);
	put_presence(&w, "d", cfg);
	jw_end(&w);
}

void discord_write_resume(struct buf *out, const char *token, const struct discord_session *s)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kint(&w, "op", DISCORD_RESUME);
	jw_kobj(&w, "d");
	jw_kstr(&w, "token", token);
	jw_kstr(&w, "session_id", s->id);
	jw_kint(&w, "seq", s->seq);
	jw_end(&w);
	jw_end(&w);
}

/* -- close codes -- */

#define DISALLOWED_INTENTS 4014

static const struct close_code {
	unsigned code;
	enum discord_after after;
	const char *help;
} close_codes[] = {
	{ 1000, DISCORD_AFTER_IDENTIFY, NULL },
	{ 1001, DISCORD_AFTER_IDENTIFY, NULL },
	{ 4003, DISCORD_AFTER_IDENTIFY, NULL },
	{ 4004, DISCORD_AFTER_FATAL, "Discord refuses the bot token: reset it at https://discord.com/developers/applications (Bot), "
				     "then set channels.discord.token or DISCORD_BOT_TOKEN" },
	{ 4007, DISCORD_AFTER_IDENTIFY, NULL },
	{ 4009, DISCORD_AFTER_IDENTIFY, NULL },
	{ 4010, DISCORD_AFTER_FATAL, "Discord refuses the shard: the bot is in more guilds than one login may serve" },
	{ 4011, DISCORD_AFTER_FATAL, "Discord requires sharding: the bot is in more guilds than one login may serve" },
	{ 4012, DISCORD_AFTER_FATAL, "Discord no longer speaks Gateway version 10: update chela" },
	{ 4013, DISCORD_AFTER_FATAL, "Discord does not know the intents: check channels.discord.intents, or update chela" },
};

enum discord_after discord_close_means(unsigned code, const struct chan_cfg *cfg, struct arena *a, const char **ret_help)
{
	*ret_help = NULL;
	if (code == DISALLOWED_INTENTS) {
		/* Which of them it is, Discord does not say. */
		*ret_help = arena_printf(a, "Discord refuses a privileged intent: switch on %s at "
					 "https://discord.com/developers/applications (Bot), or set it to false in "
					 "channels.discord.intents", discord_switches(cfg, 0, a));
		return DISCORD_AFTER_FATAL;
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(close_codes); i++) {
		if (close_codes[i].code == code) {
			*ret_help = close_codes[i].help;
			return close_codes[i].after;
		}
	}
	return DISCORD_AFTER_RESUME;
}
