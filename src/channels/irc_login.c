/*
 * channels/irc_login.c - the beginning of a connection: capabilities, SASL, password, nick, NickServ, rooms.
 *
 *	CAP LS, PASS, NICK, USER -> (CAP REQ -> ACK -> AUTHENTICATE … 903) -> CAP END -> 001 … 376 -> IDENTIFY or GHOST, JOIN
 *
 * A server that knows no CAP goes straight to 001.
 */
#include "channels/irc.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"

#define CONNECT_MS 30000
#define LOGIN_MS 60000                   /* from the first line to the welcome */
#define NICK_TRIES 6
#define SASL_CHUNK 400
#define GHOST_MS 5000                    /* our nick is tried when the service has answered, or after this */

struct login {
	struct irc *i;
	const struct irc_cfg *cfg;
	struct secret *sasl;
	bool offers_sasl, offers_tags, offers_time;
	bool is_asking;                  /* CAP REQ was sent */
	bool is_sasl_done, is_welcome, is_over;
	int nick_tries;
	bool saw_password_error;
};

static ch_status refused(const struct irc_line *l, const char *what, struct ch_err *err)
{
	return ch_fail(err, CH_E_DENIED, "%s: %s", what, log_quote(irc_param(l, l->param_count ? l->param_count - 1 : 0)));
}

/* -- capabilities and SASL -- */

static bool lists(const char *caps, const char *name)
{
	size_t n = strlen(name);

	for (const char *s = caps; *s; s += strcspn(s, " "), s += strspn(s, " "))
		if (!strncmp(s, name, n) && (!s[n] || s[n] == ' ' || s[n] == '='))
			return true;
	return false;
}

static CH_FIBER ch_status ask_caps(struct login *g, struct ch_err *err)
{
	const struct { const char *name; bool is_wanted; } caps[] = {
		{ "message-tags", g->offers_tags }, { "server-time", g->offers_time }, { "sasl", g->sasl && g->offers_sasl },
	};
	char list[64] = "";

	if (g->sasl && !g->offers_sasl)
		return ch_fail(err, CH_E_DENIED, "the server offers no SASL: take sasl out, or use nickserv");
	for (size_t k = 0; k < CH_ARRAY_LEN(caps); k++)
		if (caps[k].is_wanted)
			snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", list[0] ? " " : "", caps[k].name);
	g->is_asking = list[0] != '\0';
	return g->is_asking ? irc_say(g->i, err, "CAP REQ :%s", list) : irc_say(g->i, err, "CAP END");
}

static CH_FIBER ch_status on_cap(struct login *g, const struct irc_line *l, struct ch_err *err)
{
	const char *verb = irc_param(l, 1), *caps = irc_param(l, l->param_count ? l->param_count - 1 : 0);

	if (str_eq(verb, "LS") && !g->is_asking) {
		g->offers_sasl |= lists(caps, "sasl");
		g->offers_tags |= lists(caps, "message-tags");
		g->offers_time |= lists(caps, "server-time");
		return str_eq(irc_param(l, 2), "*") ? CH_OK : ask_caps(g, err);          /* "*": more of the list comes */
	}
	if (str_eq(verb, "ACK")) {
		g->i->has_tags |= lists(caps, "message-tags");
		g->i->has_time |= lists(caps, "server-time");
		return lists(caps, "sasl") ? irc_say(g->i, err, "AUTHENTICATE PLAIN") : irc_say(g->i, err, "CAP END");
	}
	if (str_eq(verb, "NAK") && g->sasl)
		return ch_fail(err, CH_E_DENIED, "the server takes no SASL now");
	return str_eq(verb, "NAK") ? irc_say(g->i, err, "CAP END") : CH_OK;
}

/* "\0account\0password" in base64, in pieces of SASL_CHUNK; a last full one is followed by "+". */
static CH_FIBER ch_status send_plain(struct login *g, struct ch_err *err)
{
	CH_AUTO_BUF struct buf raw = { 0 };
	CH_AUTO_STR char *text = NULL;
	ch_status st = CH_OK;
	size_t len;

	buf_init(&raw, 4096);
	buf_append(&raw, "", 1);
	buf_puts(&raw, g->cfg->sasl_account);
	buf_append(&raw, "", 1);
	buf_puts(&raw, secret_reveal(g->sasl));
	st = buf_status(&raw, err, "the SASL password");
	if (st)
		return st;
	text = ch_alloc(4 * ((raw.len + 2) / 3) + 1);
	b64_encode(raw.data, raw.len, text);
	explicit_bzero(raw.data, raw.len);
	len = strlen(text);
	for (size_t at = 0; !st && at <= len; at += SASL_CHUNK) {
		size_t n = CH_MIN(len - at, (size_t)SASL_CHUNK);

		st = n ? irc_say(g->i, err, "AUTHENTICATE %.*s", (int)n, text + at) : irc_say(g->i, err, "AUTHENTICATE +");
		if (n < SASL_CHUNK)
			break;
	}
	explicit_bzero(text, len);
	return st;
}

/* -- nicks -- */

static CH_FIBER ch_status next_nick(struct login *g, struct ch_err *err)
{
	if (++g->nick_tries > NICK_TRIES)
		return ch_fail(err, CH_E_PEER, "%s and nicks like it are taken", g->cfg->nick);
	if (g->nick_tries <= 2)
		snprintf(g->i->nick, sizeof(g->i->nick), "%s%.*s", g->cfg->nick, g->nick_tries, "__");
	else
		snprintf(g->i->nick, sizeof(g->i->nick), "%.20s%03u", g->cfg->nick, (unsigned)rand_below(1000));
	return irc_say(g->i, err, "NICK %s", g->i->nick);
}

/* -- lines until the welcome -- */

static ch_status on_error(struct login *g, const struct irc_line *l, struct ch_err *err)
{
	if (g->saw_password_error || strcasestr(irc_param(l, 0), "password"))
		return refused(l, "the server's password is wrong", err);
	return ch_fail(err, CH_E_PEER, "the server closed the connection: %s", log_quote(irc_param(l, 0)));
}

static CH_FIBER ch_status on_numeric(struct login *g, const struct irc_line *l, int n, struct ch_err *err)
{
	switch (n) {
	case 1:
		if (g->sasl && !g->is_sasl_done)
			return ch_fail(err, CH_E_DENIED, "the server let us in without SASL");
		g->is_welcome = true;
		snprintf(g->i->nick, sizeof(g->i->nick), "%.*s", IRC_NICK_MAX - 1, irc_param(l, 0));
		return CH_OK;
	case 376: case 422:              /* the end of the message of the day, or none */
		g->is_over = g->is_welcome;
		return CH_OK;
	case 433: case 436: case 437:    /* in use; collision; reserved for now */
		return g->is_welcome ? CH_OK : next_nick(g, err);
	case 432: return refused(l, "the server does not take the nick", err);
	case 464:
		g->saw_password_error = true;
		return refused(l, "the server's password is wrong", err);
	case 465: return refused(l, "the server has banned us", err);
	case 903: case 907:              /* logged in; already */
		g->is_sasl_done = true;
		return irc_say(g->i, err, "CAP END");
	case 902: case 904: case 905: case 906: case 908:
		return refused(l, "SASL was refused", err);
	default: return CH_OK;
	}
}

static CH_FIBER ch_status on_login_line(struct login *g, const struct irc_line *l, struct ch_err *err)
{
	int64_t n;
	ch_status st;

	if (str_eq(l->command, "CAP"))
		return on_cap(g, l, err);
	if (str_eq(l->command, "AUTHENTICATE"))
		return str_eq(irc_param(l, 0), "+") && g->sasl ? send_plain(g, err) : CH_OK;
	if (str_eq(l->command, "ERROR"))
		return on_error(g, l, err);
	if (strlen(l->command) == 3 && str_to_i64(l->command, &n)) {
		st = on_numeric(g, l, (int)n, err);
		if (st)
			return st;
	}
	return irc_on_line(g->i, l, err);
}

static CH_FIBER ch_status read_welcome(struct login *g, struct ch_err *err)
{
	int64_t deadline_ms = fiber_deadline(LOGIN_MS);

	while (!g->is_over) {
		struct irc_line l;
		char *text;
		size_t len;
		ch_status st = line_conn_read(g->i->conn, deadline_ms, &text, &len, err);

		if (st == CH_E_TIMEOUT)
			return ch_fail(err, st, "the server has not let us in within %d s", LOGIN_MS / 1000);
		if (st)
			return st;
		if (!irc_line_parse(text, &l, NULL))
			st = on_login_line(g, &l, err);
		if (st)
			return st;
	}
	return CH_OK;
}

static CH_FIBER ch_status register_us(struct login *g, const struct chan_cfg *cfg, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *password = NULL;
	ch_status st = irc_cfg_secret(cfg, "password", &password, err);

	if (!st)
		st = irc_cfg_secret(cfg, "sasl.password", &g->sasl, err);
	if (!st)
		st = irc_say(g->i, err, "CAP LS 302");
	if (!st && password)
		st = irc_say(g->i, err, "PASS :%s", secret_reveal(password));
	if (!st)
		st = irc_say(g->i, err, "NICK %s", g->i->nick);
	if (!st)
		st = irc_say(g->i, err, "USER %s 0 * :%s", g->cfg->username, g->cfg->realname ? g->cfg->realname : g->cfg->nick);
	return st ? st : read_welcome(g, err);
}

/* -- after the welcome -- */

CH_FIBER ch_status irc_identify(struct irc *i, struct ch_err *err)
{
	if (!i->nickserv)
		return CH_OK;
	if (irc_same(i->fold, i->nick, i->wanted))
		return irc_say(i, err, "PRIVMSG %s :IDENTIFY %s", i->service, secret_reveal(i->nickserv));
	/* Mostly it is our own last connection, which the server has not given up yet. */
	i->is_ghosting = true;
	i->reclaim_mono_ms = now_mono_ms() + GHOST_MS;
	return irc_say(i, err, "PRIVMSG %s :GHOST %s %s", i->service, i->wanted, secret_reveal(i->nickserv));
}

static CH_FIBER ch_status tell_nickserv(struct irc *i, const struct irc_cfg *c, const struct chan_cfg *cfg, struct ch_err *err)
{
	ch_status st = c->has_nickserv ? irc_cfg_secret(cfg, "nickserv.password", &i->nickserv, err) : CH_OK;

	if (st || !i->nickserv)
		return st;
	i->service = c->service;
	if (c->registers && irc_same(i->fold, i->nick, i->wanted))
		st = irc_say(i, err, "PRIVMSG %s :REGISTER %s %s", c->service, secret_reveal(i->nickserv), c->register_email);
	return st ? st : irc_identify(i, err);
}

CH_FIBER ch_status irc_join(struct irc *i, struct irc_room *room, struct ch_err *err)
{
	room->retry_mono_ms = 0;
	return irc_say(i, err, "JOIN %s%s%s", room->name, room->key ? " " : "", room->key ? room->key : "");
}

static CH_FIBER ch_status connect_us(struct irc *i, const struct irc_cfg *c, struct ch_err *err)
{
	struct line_conn_opts opts = {
		.host = c->host,
		.port = c->port,
		.is_tls = c->is_tls,
		.guard = GUARD_TRUST_ORIGIN,     /* the owner named it */
		.ca_file = c->ca_file,
		.tls_fingerprint = c->fingerprint,
		.deadline_ms = fiber_deadline(CONNECT_MS),
	};

	return line_conn_open(chan_loop(i->acct), chan_http(i->acct), &opts, &i->conn, err);
}

CH_FIBER ch_status irc_login(struct irc *i, const struct chan_cfg *cfg, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct irc_cfg c;
	struct login g = { .i = i, .cfg = &c };
	ch_status st;

	irc_cfg_read(cfg, a, &c);
	snprintf(i->nick, sizeof(i->nick), "%s", c.nick);
	snprintf(i->wanted, sizeof(i->wanted), "%s", c.nick);
	i->source_len = IRC_SOURCE_GUESS;
	st = connect_us(i, &c, err);
	if (!st)
		st = register_us(&g, cfg, err);
	secret_unref(g.sasl);
	if (!st)
		st = tell_nickserv(i, &c, cfg, err);
	for (size_t k = 0; !st && k < i->rooms.len; k++)
		st = irc_join(i, &i->rooms.at[k], err);
	return st;
}
