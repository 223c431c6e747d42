/*
 * channels/discord.c - Discord: the row, its ids, and what a login is made of.
 *
 * The Gateway is discord_gateway.c (its texts: discord_wire.c), what comes in discord_event.c and discord_interaction.c, what
 * goes out discord_send.c, what is asked discord_read.c, requests discord_api.c with their limits in discord_rate.c.
 */
#include "channels/discord.h"

#include <stdio.h>
#include <string.h>

#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "net/url.h"

#define TOKEN_ENV "DISCORD_BOT_TOKEN"
#define EPOCH_MS 1420070400000LL         /* 2015-01-01, where Discord's ids begin to count */
#define SILENCE_MAX_MS (3 * 60 * 1000)   /* heartbeats are answered every 41 s or so */

/* -- ids -- */

bool discord_is_id(const char *s)
{
	size_t n = s ? strspn(s, "0123456789") : 0;

	return n >= 17 && n <= 20 && !s[n];
}

int64_t discord_id_ms(const char *id)
{
	unsigned long long v = 0;

	if (!discord_is_id(id))
		return 0;
	for (const char *s = id; *s; s++)
		if (__builtin_mul_overflow(v, 10ull, &v) || __builtin_add_overflow(v, (unsigned long long)(*s - '0'), &v))
			return 0;
	return (int64_t)(v >> 22) + EPOCH_MS;
}

void discord_id_at(int64_t wall_ms, char ret[DISCORD_ID_LEN])
{
	snprintf(ret, DISCORD_ID_LEN, "%llu", (unsigned long long)CH_MAX(wall_ms - EPOCH_MS, 0) << 22);
}

int discord_id_cmp(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	return n != m ? (n < m ? -1 : 1) : strcmp(a, b);
}

static const char *skip_prefix(const char *s, const char *prefix)
{
	return s && str_starts(s, prefix) ? s + strlen(prefix) : s;
}

/* What stands in "<@1>", "<@!1>", "<#1>" with this mark; NULL: it is none. */
static const char *unwrap(struct arena *a, const char *s, const char *mark)
{
	size_t n = strlen(s), skip = strlen(mark);

	if (n < skip + 2 || s[0] != '<' || s[n - 1] != '>' || strncmp(s + 1, mark, skip) != 0)
		return NULL;
	skip += s[1] == '@' && s[1 + skip] == '!';
	return arena_strndup(a, s + 1 + skip, n - skip - 2);
}

static const char *parse_id(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why)
{
	const char *s = skip_prefix(str_trim(a, text), "discord:");
	const char *inner = unwrap(a, s, use == CHAN_ID_SENDER ? "@" : "#");

	s = inner ? inner : s;
	if (use == CHAN_ID_SENDER)
		s = skip_prefix(s, "user:");
	else
		s = skip_prefix(skip_prefix(s, "channel:"), "guild:");
	if (discord_is_id(s))
		return s;
	*ret_why = use == CHAN_ID_SENDER ? "a Discord user is known by an id of 17 to 20 digits (Developer Mode, Copy User ID); names can be "
					   "changed by anybody"
					 : "a Discord channel or guild is known by an id of 17 to 20 digits (Developer Mode, Copy Channel ID)";
	return NULL;
}

static ch_status parse_target(struct arena *a, const char *text, struct chan_peer *ret, struct ch_err *err)
{
	const char *s = skip_prefix(str_trim(a, text), "discord:");
	const char *user = unwrap(a, s, "@"), *channel = unwrap(a, s, "#");

	user = str_starts(s, "user:") ? s + 5 : user;
	channel = str_starts(s, "channel:") ? s + 8 : str_starts(s, "thread:") ? s + 7 : channel;
	if (discord_is_id(user))
		*ret = (struct chan_peer){ .kind = CHAN_DIRECT, .id = arena_strdup(a, user) };
	else if (discord_is_id(channel))
		*ret = (struct chan_peer){ .kind = CHAN_CHANNEL, .id = arena_strdup(a, channel) };
	else if (discord_is_id(s))
		return ch_fail(err, CH_E_INVALID, "discord: say user:%s for a DM or channel:%s for a channel", s, s);
	else
		return ch_fail(err, CH_E_INVALID, "discord: '%s' is no place: user:<id> or channel:<id>, an id has 17 to 20 digits",
			       log_quote(s));
	return CH_OK;
}

static ch_status check(const struct chan_cfg *cfg, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	if (!chan_cfg_has_secret(cfg, "token", TOKEN_ENV))
		return ch_fail(err, CH_E_INVALID, "%s is not set: the bot's token from https://discord.com/developers/applications, or "
			       TOKEN_ENV, chan_cfg_path(cfg, "token", a));
	return CH_OK;
}

/* -- a login -- */

/* It goes into a header and a JSON text; "Bot " in front is a common mistake. */
static ch_status take_token(struct discord *d, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(secret_unref) struct secret *set = NULL;
	char hash[2 * SHA256_LEN + 1];
	const char *text;
	ch_status st = chan_cfg_secret(d->cfg, "token", TOKEN_ENV, &set, err);

	if (st)
		return st == CH_E_CANCELED ? st : ch_fail(err, CH_E_DENIED, "%s", err ? err->text : "no token");
	text = skip_prefix(secret_reveal(set), "Bot ");
	if (str_empty(text) || strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=") != strlen(text))
		return ch_fail(err, CH_E_DENIED, "%s is not a bot token: copy it anew from https://discord.com/developers/applications "
			       "(Bot, Reset Token)", chan_cfg_path(d->cfg, "token", a));
	d->token = secret_new(text);
	sha256_hex(text, strlen(text), hash);
	snprintf(d->token_hash, sizeof(d->token_hash), "%.16s", hash);
	return CH_OK;
}

static void free_values(struct map *m)
{
	map_clear(m, ch_free);
	map_free(m);
}

CH_FIBER ch_status discord_new(struct chan_acct *acct, struct discord **ret, struct ch_err *err)
{
	CH_AUTO(discord_unref) struct discord *d = ch_alloc(sizeof(*d));
	const struct chan_cfg *cfg = chan_acct_cfg(acct);
	const char *root = chan_cfg_str(cfg, "apiRoot");
	size_t n;
	ch_status st;

	d->refs = 1;
	d->http = chan_http(acct);
	d->loop = chan_loop(acct);
	d->cfg = chan_cfg_new(chan_cfg_config(cfg), chan_cfg_channel(cfg), chan_cfg_account(cfg));
	d->has_own_root = !str_empty(root);
	d->hides_answers = chan_cfg_bool(cfg, "slashCommand.ephemeral", true);
	d->proxy = str_empty(chan_cfg_str(cfg, "proxy")) ? NULL : chan_cfg_str(d->cfg, "proxy");
	/* Behind a proxy that was named nobody can check the address; the hosts are Discord's either way. */
	d->guard = d->has_own_root || d->proxy ? GUARD_TRUST_ORIGIN : GUARD_PUBLIC_ONLY;
	root = d->has_own_root ? root : DISCORD_API;
	n = strlen(root);
	while (n && root[n - 1] == '/')
		n--;
	d->api = ch_strndup(root, n);
	d->rate = discord_rate_new();
	d->rooms = map_new();
	d->dms = map_new();
	d->roles = map_new();
	d->audiences = map_new();
	st = take_token(d, err);
	if (st)
		return st;
	*ret = CH_TAKE(d);
	return CH_OK;
}

struct discord *discord_ref(struct discord *d)
{
	d->refs++;
	return d;
}

void discord_unref(struct discord *d)
{
	if (!d || --d->refs)
		return;
	free_values(d->rooms);
	free_values(d->dms);
	free_values(d->roles);
	free_values(d->audiences);
	discord_rate_free(d->rate);
	secret_unref(d->token);
	chan_cfg_unref(d->cfg);
	ch_free(d->api);
	ch_free(d);
}

ch_status discord_of(struct chan_acct *acct, struct discord **ret, struct ch_err *err)
{
	struct discord **slot = chan_priv(acct);

	if (!*slot)
		return ch_fail(err, CH_E_BUSY, "discord: account %s is not connected", chan_acct_id(acct));
	*ret = discord_ref(*slot);
	return CH_OK;
}

/* -- where requests may go -- */

static bool is_host(const char *host, const char *domain)
{
	size_t n = strlen(host), m = strlen(domain);

	return str_eq(host, domain) || (n > m + 1 && host[n - m - 1] == '.' && str_eq(host + n - m, domain));
}

bool discord_may_reach(const struct discord *d, const struct url *u, bool is_gateway)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct url root;

	/* With a root of one's own nothing goes anywhere else; its parts may listen at different ports. */
	if (d->has_own_root)
		return !url_parse(a, d->api, &root, NULL) && str_eq(root.host, u->host);
	if (is_gateway)
		return str_eq(u->scheme, "wss") && is_host(u->host, "discord.gg");
	return str_eq(u->scheme, "https") && (str_eq(u->host, "cdn.discordapp.com") || str_eq(u->host, "media.discordapp.net"));
}

/* -- the row -- */

static const char *const secrets[] = { "token", NULL };
static const struct chan_rooms rooms = {
	.map = "channels",
	.guilds = "guilds",
	.senders = "users",
	.are_listed_open = true,
	.has_group_dms = true,
};

const struct chan_ops chan_discord = {
	.id = "discord",
	.label = "Discord",
	.detail_label = "Discord Bot",
	.image = "bubble.left.and.bubble.right",
	.caps = CHAN_EDIT | CHAN_DELETE | CHAN_REACT | CHAN_TYPING | CHAN_MEDIA | CHAN_THREADS | CHAN_POLL | CHAN_BUTTONS | CHAN_HISTORY |
		CHAN_REPLY | CHAN_GROUPS | CHAN_NATIVE_COMMANDS | CHAN_EPHEMERAL,
	.flavour = CHAN_DISCORD_MD,
	.limits = {
		.text_max = DISCORD_TEXT_MAX,
		.text_default = DISCORD_TEXT_MAX,
		.lines_max = 17,
		.caption_max = DISCORD_TEXT_MAX,
		.album_max = 10,
		.media_max_bytes = 100ll << 20,
		.buttons_max = 25,
		.options_max = 10,
		.unit = CHAN_UTF16,
		/* Rooms have buckets of their own, which discord_rate.c knows from the answers. */
		.rate = 40,
		.burst = 40,
	},
	.streaming = "off",
	.reply_mode = "off",
	.history_default = 20,
	.rooms = &rooms,
	.priv_size = sizeof(struct discord *),
	.silence_max_ms = SILENCE_MAX_MS,
	.secrets = secrets,
	.id_parse = parse_id,
	.target_parse = parse_target,
	.check = check,
	.run = discord_run,
	.probe = discord_probe,
	.send = discord_send,
	.reconcile = discord_reconcile,
	.edit = discord_edit,
	.remove = discord_remove,
	.react = discord_react,
	.typing = discord_typing,
	.fetch = discord_fetch,
	.history = discord_history,
	.commands = discord_commands,
};
