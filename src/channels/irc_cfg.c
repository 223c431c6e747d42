/*
 * channels/irc_cfg.c - the keys of an IRC account. The environment fills what the account "default" does not set.
 */
#include "channels/irc.h"

#include <string.h>

#include "core/file.h"
#include "core/str.h"
#include "net/guard.h"

#define PORT_TLS 6697
#define PORT_PLAIN 6667
#define PASSWORD_FILE_MAX 4096

static const char *from_env(const struct chan_cfg *cfg, const char *env)
{
	const char *account = chan_cfg_account(cfg);

	if (account && !str_eq(account, CHAN_DEFAULT_ACCOUNT))
		return NULL;
	return config_env(chan_cfg_config(cfg), env);
}

static const char *text(const struct chan_cfg *cfg, const char *key, const char *env)
{
	const char *set = chan_cfg_get(cfg, key) || !env ? chan_cfg_str(cfg, key) : from_env(cfg, env);

	return set ? set : chan_cfg_str(cfg, key);
}

static bool is_tls(const struct chan_cfg *cfg)
{
	const char *env = chan_cfg_get(cfg, "tls") ? NULL : from_env(cfg, "IRC_TLS");

	return env ? !(str_ieq(env, "false") || str_eq(env, "0")) : chan_cfg_bool(cfg, "tls", true);
}

void irc_cfg_read(const struct chan_cfg *cfg, struct arena *a, struct irc_cfg *ret)
{
	const char *port = chan_cfg_get(cfg, "port") ? NULL : from_env(cfg, "IRC_PORT");

	*ret = (struct irc_cfg){
		.host = text(cfg, "host", "IRC_HOST"),
		.nick = text(cfg, "nick", "IRC_NICK"),
		.username = text(cfg, "username", "IRC_USERNAME"),
		.realname = text(cfg, "realname", "IRC_REALNAME"),
		.service = chan_cfg_str(cfg, "nickserv.service"),
		.register_email = text(cfg, "nickserv.registerEmail", "IRC_NICKSERV_REGISTER_EMAIL"),
		.sasl_account = chan_cfg_str(cfg, "sasl.account"),
		.ca_file = chan_cfg_str(cfg, "tlsCaFile"),
		.fingerprint = chan_cfg_str(cfg, "tlsFingerprint"),
		.is_tls = is_tls(cfg),
		.has_sasl = chan_cfg_has_secret(cfg, "sasl.password", NULL),
		.has_nickserv = chan_cfg_bool(cfg, "nickserv.enabled", true) &&
				(chan_cfg_has_secret(cfg, "nickserv.password", "IRC_NICKSERV_PASSWORD") ||
				 !str_empty(chan_cfg_str(cfg, "nickserv.passwordFile"))),
		.registers = chan_cfg_bool(cfg, "nickserv.register", false),
	};
	if (str_empty(ret->username))
		ret->username = ret->nick;
	if (str_empty(ret->sasl_account))
		ret->sasl_account = ret->nick;
	if (!port || !str_to_u16(port, &ret->port) || !ret->port)
		ret->port = (uint16_t)chan_cfg_int(cfg, "port", ret->is_tls ? PORT_TLS : PORT_PLAIN);
}

static bool is_this_machine(const char *host)
{
	return str_ieq(host, "localhost") || str_starts(host, "127.") || str_eq(host, "::1");
}

ch_status irc_cfg_check(const struct chan_cfg *cfg, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct irc_cfg c;

	irc_cfg_read(cfg, a, &c);
	if (str_empty(c.host))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set", chan_cfg_path(cfg, "host", a));
	if (!irc_is_word(c.host))
		return ch_fail(err, CH_E_INVALID, "%s is no host name", chan_cfg_path(cfg, "host", a));
	if (str_empty(c.nick))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set", chan_cfg_path(cfg, "nick", a));
	if (!irc_is_nick(c.nick) || strlen(c.nick) >= IRC_NICK_MAX - 8)
		return ch_fail(err, CH_E_INVALID, "%s is no nick: letters, digits and -_[]\\`^{}| are, and no digit in front",
			       chan_cfg_path(cfg, "nick", a));
	if (!irc_is_word(c.username) || strchr(c.username, '@') || strchr(c.username, '!'))
		return ch_fail(err, CH_E_INVALID, "%s is no user name", chan_cfg_path(cfg, "username", a));
	if (!irc_is_nick(c.service))
		return ch_fail(err, CH_E_INVALID, "%s is no nick", chan_cfg_path(cfg, "nickserv.service", a));
	if (c.has_sasl && !c.is_tls && !is_this_machine(c.host))
		return ch_fail(err, CH_E_INVALID, "%s without tls would send the password for everybody to read",
			       chan_cfg_path(cfg, "sasl.password", a));
	if (c.registers && (str_empty(c.register_email) || !irc_is_word(c.register_email)))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set: registering a nick needs it",
			       chan_cfg_path(cfg, "nickserv.registerEmail", a));
	return CH_OK;
}

static ch_status from_file(const char *path, const char *key, struct secret **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf bytes = { 0 };
	ch_status st;

	if (path[0] != '/')
		return ch_fail(err, CH_E_DENIED, "%s must be an absolute path", key);
	st = file_read_no_link(path, PASSWORD_FILE_MAX, &bytes, err);
	if (st)
		return ch_wrap(err, "%s", key);
	*ret = secret_new(str_trim(a, buf_str(&bytes)));
	return CH_OK;
}

CH_FIBER ch_status irc_cfg_secret(const struct chan_cfg *cfg, const char *what, struct secret **ret, struct ch_err *err)
{
	static const struct { const char *key, *file, *env; } rows[] = {
		{ "password", "passwordFile", "IRC_PASSWORD" },
		{ "nickserv.password", "nickserv.passwordFile", "IRC_NICKSERV_PASSWORD" },
		{ "sasl.password", NULL, NULL },
	};
	CH_AUTO(secret_unref) struct secret *s = NULL;
	ch_status st = CH_OK;

	*ret = NULL;
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *file = rows[i].file ? chan_cfg_str(cfg, rows[i].file) : NULL;

		if (!str_eq(rows[i].key, what))
			continue;
		if (file && *file && !chan_cfg_get(cfg, what))
			st = from_file(file, rows[i].file, &s, err);
		else if (chan_cfg_has_secret(cfg, what, rows[i].env))
			st = chan_cfg_secret(cfg, what, rows[i].env, &s, err);
	}
	if (!st && s && strpbrk(secret_reveal(s), "\r\n"))
		return ch_fail(err, CH_E_DENIED, "%s has a line end in it", what);
	if (!st)
		*ret = CH_TAKE(s);
	return st;
}

/* -- rooms -- */

static void add_room(struct irc *i, const char *entry)
{
	size_t n = strcspn(entry, " ");
	CH_AUTO_STR char *name = ch_strndup(entry, n);

	if (!irc_is_channel(name) || i->rooms.len == IRC_ROOMS_MAX)
		return;
	for (size_t k = 0; k < i->rooms.len; k++)
		if (irc_same(IRC_RFC1459, i->rooms.at[k].name, name))
			return;
	vec_push(&i->rooms, ((struct irc_room){ .name = CH_TAKE(name) }));
	entry += n + strspn(entry + n, " ");
	if (irc_is_word(entry))
		i->rooms.at[i->rooms.len - 1].key = ch_strdup(entry);
}

void irc_cfg_rooms(const struct chan_cfg *cfg, struct irc *i)
{
	const struct json *list = chan_cfg_get(cfg, "channels");
	const char *env = list ? NULL : from_env(cfg, "IRC_CHANNELS");

	json_each(entry, list)
		if (json_str(entry))
			add_room(i, json_str(entry));
	while (env && *env) {
		size_t n = strcspn(env, ",");
		CH_AUTO_STR char *entry = ch_strndup(env + strspn(env, " "), n - CH_MIN(n, strspn(env, " ")));

		add_room(i, entry);
		env += n + (env[n] == ',');
	}
	json_each(group, chan_cfg_get(cfg, "groups"))
		if (json_get_bool(group, "enabled", true))
			add_room(i, group->key);
}
