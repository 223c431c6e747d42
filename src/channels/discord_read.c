/*
 * channels/discord_read.c - what is asked of Discord: files, history, who we are; and the commands that it is told.
 */
#include "channels/discord_event.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "net/http_client.h"
#include "net/url.h"

#define FETCH_MS 120000
#define WAIT_MS 10000
#define HISTORY_MAX 100
#define COMMANDS_MAX 100
#define COMMANDS_CURSOR "commands"
#define PROBE_MS 10000

/* -- files -- */

/* CH_E_NOT_FOUND: the address has run out. */
static CH_FIBER ch_status get_file(const struct discord *d, const char *address, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	int64_t deadline_ms = fiber_deadline(FETCH_MS);
	struct url u;
	ch_status st = url_parse(a, address, &u, err);

	if (st)
		return st;
	if (!discord_may_reach(d, &u, false))
		return ch_fail(err, CH_E_DENIED, "discord: a file at %s is not Discord's", log_quote(u.host));
	st = http_open(d->http, &(struct http_out){ .url = address, .guard = d->guard, .proxy = d->proxy, .headers_deadline_ms = deadline_ms }, &r, err);
	if (st)
		return ch_wrap(err, "discord: a file");
	if (http_resp_status(r) == 404 || http_resp_status(r) == 403)
		return ch_fail(err, CH_E_NOT_FOUND, "discord: the file is not there any more");
	if (http_resp_status(r) != 200)
		return ch_fail(err, CH_E_PEER, "discord: the file's server said HTTP %d", http_resp_status(r));
	st = http_read_all(r, out, deadline_ms, err);
	return st ? ch_wrap(err, "discord: a file") : CH_OK;
}

/* The address that the message has for it now; NULL: none. */
static CH_FIBER const char *fresh_address(struct discord *d, const struct json *ref, struct arena *a)
{
	const char *channel = json_get_str(ref, "channel"), *message = json_get_str(ref, "message"), *id = json_get_str(ref, "id");
	struct discord_rs rs;

	if (!discord_is_id(channel) || !discord_is_id(message) || !id ||
	    discord_call(d,
			 &(struct discord_rq){ .method = "GET", .path = arena_printf(a, "/channels/%s/messages/%s", channel, message),
					       .wait_max_ms = WAIT_MS },
			 a, &rs, NULL))
		return NULL;
	json_each(file, json_get(rs.body, "attachments"))
		if (str_eq(json_get_str(file, "id"), id))
			return json_get_str(file, "url");
	return NULL;
}

CH_FIBER ch_status discord_fetch(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(discord_unref) struct discord *d = NULL;
	struct json *ref;
	const char *address;
	ch_status st = discord_of(acct, &d, err);

	if (!st)
		st = json_parse(a, m->ref, strlen(m->ref), JSON_STRICT, &ref, err);
	if (st)
		return st;
	address = json_get_str(ref, "url");
	if (!address)
		return ch_fail(err, CH_E_INVALID, "discord: a file without an address");
	st = get_file(d, address, out, err);
	if (st != CH_E_NOT_FOUND)
		return st;
	address = fresh_address(d, ref, a);
	return address ? get_file(d, address, out, err) : st;
}

/* -- history -- */

static struct json *history_row(struct arena *a, const struct discord *d, const struct json *m)
{
	const struct discord_ctx x = { .d = d };
	const struct json *author = json_get(m, "author");
	const char *id = json_get_str(m, "id"), *text = json_str_or(json_get(m, "content"), "");
	struct chan_sender who;
	struct json *row = json_new_obj(a);

	if (!discord_is_id(id) || !discord_sender(a, &x, author, NULL, &who))
		return NULL;
	text = discord_readable(a, &x, text, json_get(m, "mentions"));
	json_each(file, json_get(m, "attachments"))
		text = arena_printf(a, "%s%s[file: %s]", text, *text ? " " : "", json_str_or(json_get(file, "filename"), "?"));
	json_set(a, row, "id", json_new_str(a, id));
	json_set(a, row, "senderId", json_new_str(a, json_get_str(m, "webhook_id") && !who.is_self
							 ? arena_printf(a, "webhook:%s", json_get_str(m, "webhook_id"))
							 : who.id));
	json_set(a, row, "senderName", json_new_str(a, who.name));
	json_set(a, row, "text", json_new_str(a, text));
	json_set(a, row, "at", json_new_int(a, discord_id_ms(id)));
	return row;
}

CH_FIBER ch_status discord_history(struct chan_acct *acct, const struct chan_peer *peer, int limit, struct arena *a, struct json **ret,
				   struct ch_err *err)
{
	CH_AUTO(discord_unref) struct discord *d = NULL;
	const struct json *rows[HISTORY_MAX];
	struct json *list = json_new_arr(a);
	struct discord_rs rs;
	const char *channel;
	size_t n = 0;
	ch_status st = discord_of(acct, &d, err);

	if (!st)
		st = discord_channel_of(d, peer, a, &channel, err);
	if (!st)
		st = discord_call(d,
				  &(struct discord_rq){ .method = "GET",
							.path = arena_printf(a, "/channels/%s/messages?limit=%d", channel,
									     CH_MIN(CH_MAX(limit, 1), HISTORY_MAX)),
							.wait_max_ms = WAIT_MS },
				  a, &rs, err);
	if (st)
		return st;
	/* Discord gives the newest first. */
	json_each(m, rs.body)
		if (n < HISTORY_MAX)
			rows[n++] = m;
	while (n > 0) {
		struct json *row = history_row(a, d, rows[--n]);

		if (row)
			json_push(list, row);
	}
	*ret = list;
	return CH_OK;
}

/* -- commands -- */

/* Discord's names: lower case, 1 to 32 characters. */
static bool is_command_name(const char *s)
{
	size_t n = strlen(s);

	return n >= 1 && n <= 32 && strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static void write_command(struct jw *w, const struct chan_menu *m)
{
	const char *words = str_empty(m->description) ? m->name : m->description;

	jw_obj(w);
	jw_kint(w, "type", 1);
	jw_kstr(w, "name", m->name);
	jw_key(w, "description");
	jw_strn(w, words, utf8_cut(words, strlen(words), 100));
	jw_karr(w, "options");
	jw_obj(w);
	jw_kint(w, "type", 3);
	jw_kstr(w, "name", "args");
	jw_kstr(w, "description", "What follows the command");
	jw_kbool(w, "required", false);
	jw_end(w);
	jw_end(w);
	jw_end(w);
}

/* commands.native of the account, else of the gateway: "auto" is on here. */
static bool wants_commands(const struct chan_cfg *cfg)
{
	const struct json *own = chan_cfg_get(cfg, "commands.native");
	const struct json *set = own ? own : config_get(chan_cfg_config(cfg), "commands.native");

	return json_bool_or(set, true);
}

CH_FIBER ch_status discord_commands(struct chan_acct *acct, const struct chan_menu *menu, size_t count, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(discord_unref) struct discord *d = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = 256u << 10 };
	char hash[2 * SHA256_LEN + 1];
	struct jw w = JW(&body);
	struct discord_rs rs;
	const char *kept;
	size_t n = 0;
	ch_status st = discord_of(acct, &d, err);

	if (st || !wants_commands(d->cfg))
		return st;
	jw_arr(&w);
	for (size_t i = 0; i < count && n < COMMANDS_MAX; i++) {
		if (!is_command_name(menu[i].name))
			continue;
		write_command(&w, &menu[i]);
		n++;
	}
	jw_end(&w);
	st = buf_status(&body, err, "discord: the commands");
	if (!st)
		st = chan_cursor(acct, COMMANDS_CURSOR, a, &kept, err);
	if (st)
		return st;
	/* The list is rarely another one, and writing it is limited per day. */
	sha256_hex(arena_printf(a, "%s %s", d->app_id, buf_str(&body)), strlen(d->app_id) + 1 + body.len, hash);
	if (str_eq(kept, hash))
		return CH_OK;
	st = discord_call(d,
			  &(struct discord_rq){ .method = "PUT", .path = arena_printf(a, "/applications/%s/commands", d->app_id),
						.body = buf_str(&body), .body_len = body.len, .wait_max_ms = WAIT_MS },
			  a, &rs, err);
	return st ? st : chan_cursor_set(acct, COMMANDS_CURSOR, hash, err);
}

/* -- probe -- */

/* What would keep it silent: a switch of the portal that the keys need, or no guild that is read. */
static CH_FIBER const char *find_warning(struct discord *d, struct arena *a)
{
	const char *policy = chan_cfg_str(d->cfg, "groupPolicy"), *off = "";
	struct discord_rs rs;

	if (!discord_call(d, &(struct discord_rq){ .method = "GET", .path = "/applications/@me", .wait_max_ms = WAIT_MS,
						   .deadline_ms = fiber_deadline(PROBE_MS) }, a, &rs, NULL) &&
	    json_get(rs.body, "flags"))
		off = discord_switches(d->cfg, json_get_int(rs.body, "flags", 0), a);
	if (*off)
		return arena_printf(a, "off at https://discord.com/developers/applications (Bot): %s", off);
	if ((!policy || str_eq(policy, "allowlist")) && !json_len(chan_cfg_get(d->cfg, "guilds")))
		return arena_printf(a, "no server is listed, so only direct messages are read: add its id under %s",
				    chan_cfg_path(d->cfg, "guilds", a));
	return NULL;
}

CH_FIBER ch_status discord_probe(struct chan_acct *acct, struct arena *a, struct chan_probe *ret, struct ch_err *err)
{
	CH_AUTO(discord_unref) struct discord *d = NULL;
	int64_t begin_ms = now_mono_ms();
	struct chan_probe p = { .is_ok = false };
	struct discord_rs rs;
	struct ch_err why = { 0 };
	ch_status st = discord_of(acct, &d, NULL);

	if (st)
		st = discord_new(acct, &d, &why);
	if (!st)
		st = discord_call(d, &(struct discord_rq){ .method = "GET", .path = "/users/@me", .wait_max_ms = WAIT_MS,
							   .deadline_ms = fiber_deadline(PROBE_MS) }, a, &rs, &why);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "discord: the probe was cancelled");
	p.is_ok = !st;
	p.elapsed_ms = now_mono_ms() - begin_ms;
	p.error = st ? arena_strdup(a, why.text) : NULL;
	if (!st) {
		p.bot_id = json_get_str(rs.body, "id");
		p.bot_name = json_get_str(rs.body, "username");
		p.warning = find_warning(d, a);
	}
	*ret = p;
	return CH_OK;
}
