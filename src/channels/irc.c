/*
 * channels/irc.c - IRC: the row, ids and targets, and the run of an account.
 *
 * The network has no ids of messages, no edits, no files and keeps nothing for who is away: what the core needs of these it
 * gets from here as best as can be (an id per message of this connection, a PING behind what is sent), or not at all.
 */
#include "channels/irc.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"

#define QUIET_MS 60000                   /* nothing came: we ask */
#define SILENT_MS 120000                 /* … and nothing came still: it is gone */
#define FAREWELL_MS 500

/* -- a connection -- */

static struct irc *irc_new(struct chan_acct *acct)
{
	struct irc *i = ch_alloc(sizeof(*i));
	uint8_t id[8];

	i->refs = 1;
	i->acct = acct;
	rand_bytes(id, sizeof(id));
	hex_encode(id, sizeof(id), i->id);
	fiber_cond_init(&i->answered);
	irc_cfg_rooms(chan_acct_cfg(acct), i);
	return i;
}

struct irc *irc_ref(struct irc *i)
{
	i->refs++;
	return i;
}

void irc_unref(struct irc *i)
{
	if (!i || --i->refs)
		return;
	for (size_t k = 0; k < i->rooms.len; k++) {
		ch_free(i->rooms.at[k].name);
		ch_free(i->rooms.at[k].key);
	}
	vec_done(&i->rooms);
	secret_unref(i->nickserv);
	line_conn_unref(i->conn);
	ch_free(i);
}

/* -- ids and places -- */

static const char *without_prefix(const char *text)
{
	static const char *const prefixes[] = { "irc:", "channel:", "user:" };

	for (size_t k = 0; k < CH_ARRAY_LEN(prefixes); k++)
		if (!strncasecmp(text, prefixes[k], strlen(prefixes[k])))
			text += strlen(prefixes[k]);
	return text;
}

/* nick!user@host */
static bool is_mask(const char *s, struct arena *a)
{
	const char *bang = strchr(s, '!'), *at = bang ? strchr(bang, '@') : NULL;

	return at && irc_is_word(s) && irc_is_nick(arena_strndup(a, s, (size_t)(bang - s))) && at > bang + 1 && at[1] &&
	       !strchr(at + 1, '@') && !strpbrk(s, "*?");
}

static const char *irc_id_parse(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why)
{
	char *id = arena_strdup(a, without_prefix(str_trim(a, text)));

	str_lower(id);
	if (use == CHAN_ID_SENDER ? is_mask(id, a) : irc_is_channel(id))
		return id;
	if (use == CHAN_ID_GROUP)
		*ret_why = "the name of a channel is needed (#room)";
	else if (irc_is_channel(id))
		*ret_why = "that is a channel: channels stand under `groups`, here are people as nick!user@host";
	else
		*ret_why = "nick!user@host is needed (WHOIS shows it): a nick alone can be somebody else's tomorrow";
	return NULL;
}

static ch_status irc_target_parse(struct arena *a, const char *text, struct chan_peer *ret, struct ch_err *err)
{
	char *id = arena_strdup(a, without_prefix(str_trim(a, text)));

	str_lower(id);
	*ret = (struct chan_peer){ .kind = irc_is_channel(id) ? CHAN_GROUP : CHAN_DIRECT, .id = id };
	if (irc_is_channel(id) || irc_is_nick(id) || is_mask(id, a))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "%s is no place on IRC: #channel, a nick or nick!user@host is", log_quote(text));
}

/* -- the run -- */

/* The nick that somebody else had when we came; a server that still says no is ignored. */
static CH_FIBER ch_status reclaim_nick(struct irc *i, int64_t *ret_next, struct ch_err *err)
{
	ch_status st = CH_OK;

	if (irc_same(i->fold, i->nick, i->wanted))
		return CH_OK;
	if (i->reclaim_mono_ms <= now_mono_ms()) {
		i->reclaim_mono_ms = now_mono_ms() + IRC_RECLAIM_MS;
		st = irc_say(i, err, "NICK %s", i->wanted);
	}
	*ret_next = i->reclaim_mono_ms;
	return st;
}

/* What has to be tried again: our nick, rooms that we are not in. *ret_next is when there is more of that. */
static CH_FIBER ch_status try_again(struct irc *i, int64_t *ret_next, struct ch_err *err)
{
	ch_status st;

	*ret_next = INT64_MAX;
	st = reclaim_nick(i, ret_next, err);
	for (size_t k = 0; !st && k < i->rooms.len; k++) {
		struct irc_room *r = &i->rooms.at[k];

		if (r->is_in || !r->retry_mono_ms)
			continue;
		if (r->retry_mono_ms <= now_mono_ms())
			st = irc_join(i, r, err);
		else
			*ret_next = CH_MIN(*ret_next, r->retry_mono_ms);
	}
	return st;
}

static CH_FIBER ch_status take_line(struct irc *i, int64_t deadline_ms, bool *ret_came, struct ch_err *err)
{
	struct irc_line l;
	char *text;
	size_t len;
	ch_status st = line_conn_read(i->conn, deadline_ms, &text, &len, err);

	*ret_came = !st;
	if (st)
		return st == CH_E_TIMEOUT ? CH_OK : st;
	if (irc_line_parse(text, &l, NULL))
		return CH_OK;    /* an empty line */
	return irc_on_line(i, &l, err);
}

static CH_FIBER ch_status serve(struct irc *i, struct ch_err *err)
{
	int64_t heard_ms = now_mono_ms(), asked_ms = 0, next_ms;
	ch_status st = CH_OK;
	bool came;

	while (!st) {
		st = try_again(i, &next_ms, err);
		if (!st)
			st = take_line(i, CH_MIN(next_ms, CH_MAX(heard_ms, asked_ms) + QUIET_MS), &came, err);
		if (st)
			break;
		if (came) {
			heard_ms = now_mono_ms();
		} else if (now_mono_ms() - heard_ms >= SILENT_MS) {
			st = ch_fail(err, CH_E_TIMEOUT, "the server has been silent for %d s", SILENT_MS / 1000);
		} else if (now_mono_ms() - CH_MAX(heard_ms, asked_ms) >= QUIET_MS) {
			asked_ms = now_mono_ms();
			st = irc_say(i, err, "PING :%s", i->id);
		}
	}
	return st;
}

static CH_FIBER ch_status irc_run(struct chan_acct *acct, struct ch_err *err)
{
	CH_AUTO(irc_unref) struct irc *i = irc_new(acct);
	struct irc_priv *priv = chan_priv(acct);
	ch_status st = irc_login(i, chan_acct_cfg(acct), err);

	if (!st) {
		priv->live = i;
		chan_self(acct, i->nick, i->nick, i->nick);
		irc_tell_state(i);
		st = serve(i, err);
		priv->live = NULL;
	}
	irc_over(i);
	if (i->conn) {
		if (st == CH_E_CANCELED)
			(void)!irc_say(i, NULL, "QUIT :going down");
		line_conn_close(i->conn, FAREWELL_MS);
	}
	return st;
}

static CH_FIBER ch_status irc_probe(struct chan_acct *acct, struct arena *a, struct chan_probe *ret, struct ch_err *err)
{
	/* Its texts are borrowed while we connect; the account's own may be replaced meanwhile. */
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_ref((struct chan_cfg *)chan_acct_cfg(acct));
	CH_AUTO(line_conn_unref) struct line_conn *conn = NULL;
	struct irc_priv *priv = chan_priv(acct);
	int64_t begun_ms = now_mono_ms();
	struct irc_cfg c;
	struct ch_err why;
	ch_status st;

	irc_cfg_read(cfg, a, &c);
	if (priv->live) {
		*ret = (struct chan_probe){ .is_ok = true, .bot_id = arena_strdup(a, priv->live->nick),
					    .bot_name = arena_strdup(a, priv->live->nick) };
		return CH_OK;
	}
	/* A second login would take our own nick away: whether the server answers is all that is tried. */
	st = line_conn_open(chan_loop(acct), chan_http(acct),
			    &(struct line_conn_opts){ .host = c.host, .port = c.port, .is_tls = c.is_tls, .guard = GUARD_TRUST_ORIGIN,
						      .ca_file = c.ca_file, .tls_fingerprint = c.fingerprint,
						      .deadline_ms = fiber_deadline(IRC_ANSWER_MS) }, &conn, &why);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "%s", why.text);
	if (conn)
		line_conn_close(conn, 0);
	*ret = (struct chan_probe){ .is_ok = false, .error = st ? arena_strdup(a, why.text) : "the server answers, but we are not logged in",
				    .elapsed_ms = now_mono_ms() - begun_ms };
	return CH_OK;
}

/* A nick at the network's root is a login, too: that of the account "default". */
static const char *const irc_secrets[] = { "nick", "password", NULL };
static const struct chan_rooms irc_rooms = { .map = "groups", .senders = "allowFrom", .has_own_senders = true };

const struct chan_ops chan_irc = {
	.id = "irc",
	.label = "IRC",
	.detail_label = "IRC",
	.image = "network",
	.caps = CHAN_GROUPS,
	.flavour = CHAN_PLAIN,
	/*
	 * A line of 512 bytes holds about 350 of text; a message is one line, so that the outbox knows which line was taken. Servers
	 * punish more than a line every two seconds after a few at once.
	 */
	.limits = { .text_max = 350, .text_default = 350, .lines_max = 1, .unit = CHAN_BYTES, .rate = 0.5, .burst = 5 },
	.streaming = "off",
	.reply_mode = "all",
	.history_default = 50,
	.priv_size = sizeof(struct irc_priv),
	.rooms = &irc_rooms,
	.secrets = irc_secrets,
	.id_parse = irc_id_parse,
	.target_parse = irc_target_parse,
	.check = irc_cfg_check,
	.run = irc_run,
	.probe = irc_probe,
	.send = irc_send,
};
