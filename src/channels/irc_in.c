/*
 * channels/irc_in.c - what the server says: messages, who comes and goes, our rooms, errors.
 */
#include "channels/irc.h"

#include <stdio.h>
#include <string.h>

#include "channels/host.h"
#include "core/clock.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/str.h"

#define REJOIN_MS 60000
#define DELIVER_TRIES 5
#define DELIVER_FIRST_MS 100

/* -- who is who -- */

char *irc_mask(const struct irc_line *l, struct arena *a)
{
	char *mask = arena_printf(a, "%s!%s@%s", l->nick, l->user, l->host);

	str_lower(mask);
	return mask;
}

static bool is_us(const struct irc *i, const char *nick)
{
	return irc_same(i->fold, nick, i->nick);
}

/* A line of ours as others see it tells how much of theirs our name takes. */
static void note_source(struct irc *i, const struct irc_line *l)
{
	if (*l->user && *l->host && is_us(i, l->nick))
		i->source_len = strlen(l->nick) + strlen(l->user) + strlen(l->host) + 2;
}

/* -- our rooms -- */

static struct irc_room *room_of(struct irc *i, const char *name)
{
	for (size_t k = 0; k < i->rooms.len; k++)
		if (irc_same(i->fold, i->rooms.at[k].name, name))
			return &i->rooms.at[k];
	return NULL;
}

void irc_tell_state(struct irc *i)
{
	char text[256] = "";
	size_t at = 0;

	for (size_t k = 0; k < i->rooms.len && at < sizeof(text); k++) {
		const struct irc_room *r = &i->rooms.at[k];

		if (!r->is_in && r->why[0])
			at += (size_t)snprintf(text + at, sizeof(text) - at, "%snot in %s: %s", at ? "; " : "", r->name, r->why);
	}
	text[utf8_valid_prefix(text, strlen(text))] = 0;
	chan_state(i->acct, text[0] ? CHAN_DEGRADED : CHAN_CONNECTED, text[0] ? text : NULL);
}

static void left_room(struct irc *i, const char *name, const char *why)
{
	struct irc_room *r = room_of(i, name);

	if (!r)
		return;
	r->is_in = false;
	snprintf(r->why, sizeof(r->why), "%s", why);
	r->retry_mono_ms = now_mono_ms() + REJOIN_MS;
	irc_tell_state(i);
}

/* We are logged in: rooms for those who are let us in now. */
static void retry_rooms(struct irc *i)
{
	for (size_t k = 0; k < i->rooms.len; k++)
		if (!i->rooms.at[k].is_in && i->rooms.at[k].retry_mono_ms)
			i->rooms.at[k].retry_mono_ms = now_mono_ms();
}

static void on_join(struct irc *i, const struct irc_line *l)
{
	struct irc_room *r = is_us(i, l->nick) ? room_of(i, irc_param(l, 0)) : NULL;

	if (!r)
		return;
	r->is_in = true;
	r->why[0] = '\0';
	irc_tell_state(i);
}

static void on_kick(struct irc *i, const struct irc_line *l)
{
	char why[100];

	if (!is_us(i, irc_param(l, 1)))
		return;
	snprintf(why, sizeof(why), "kicked by %s (%s)", l->nick, log_quote(irc_param(l, 2)));
	left_room(i, irc_param(l, 0), why);
}

/* We go where we are wanted only if the configuration wants it too. */
static CH_FIBER ch_status on_invite(struct irc *i, const struct irc_line *l, struct ch_err *err)
{
	struct irc_room *r = room_of(i, irc_param(l, 1));

	return r && !r->is_in ? irc_join(i, r, err) : CH_OK;
}

/* Whoever had the nick that we want does not have it any more. */
static void note_free(struct irc *i, const char *nick)
{
	if (irc_same(i->fold, nick, i->wanted))
		i->reclaim_mono_ms = 0;
}

/* Ours again: the service is told, or it would take it away. Taken away: at once it would be again. */
static CH_FIBER ch_status on_our_nick(struct irc *i, const char *nick, struct ch_err *err)
{
	i->source_len = i->source_len - CH_MIN(strlen(i->nick), i->source_len) + strlen(nick);
	snprintf(i->nick, sizeof(i->nick), "%.*s", IRC_NICK_MAX - 1, nick);
	chan_self(i->acct, i->nick, i->nick, i->nick);
	if (irc_same(i->fold, i->nick, i->wanted))
		return irc_identify(i, err);
	i->reclaim_mono_ms = now_mono_ms() + IRC_RECLAIM_MS;
	return CH_OK;
}

static CH_FIBER ch_status on_nick(struct irc *i, const struct irc_line *l, struct ch_err *err)
{
	if (is_us(i, l->nick))
		return on_our_nick(i, irc_param(l, 0), err);
	note_free(i, l->nick);
	return CH_OK;
}

/* What the service says of our nick is for the operator. Once it has ended who had it, the nick is free. */
static void on_notice(struct irc *i, const struct irc_line *l, struct arena *a)
{
	const char *text;
	bool is_action;

	if (!i->nickserv || !irc_same(i->fold, l->nick, i->service) || !is_us(i, irc_param(l, 0)))
		return;
	text = irc_text(irc_param(l, 1), a, &is_action);
	if (!str_empty(text))
		chan_acct_log(i->acct, "%s says: %s", i->service, log_quote(text));
	if (i->is_ghosting)
		i->reclaim_mono_ms = 0;
	i->is_ghosting = false;
}

/* -- messages -- */

/* The durable part may fail for a moment (a full disk); the server will not say it again, so we insist for a while. */
static CH_FIBER ch_status deliver(struct irc *i, const struct chan_in *in, struct ch_err *err)
{
	int64_t wait_ms = DELIVER_FIRST_MS;
	ch_status st = CH_OK;

	for (int tries = 0; tries < DELIVER_TRIES; tries++) {
		st = chan_deliver(i->acct, in, 1, NULL, NULL, err);
		if (!st || fiber_sleep(wait_ms))
			return st;
		wait_ms *= 2;
	}
	return ch_wrap(err, "a message is lost");
}

/* Who said what where and when is one message, in whichever connection it is told: a bouncer plays back what we may have had. */
static const char *id_by_time(const struct irc_line *l, int64_t at_ms, struct arena *a)
{
	char *said = arena_printf(a, "%s %s %s", irc_mask(l, a), irc_param(l, 0), irc_param(l, 1)), hex[2 * SHA256_LEN + 1];

	sha256_hex(said, strlen(said), hex);
	return arena_printf(a, "time:%lld:%.32s", (long long)at_ms, hex);
}

/* at_ms 0: the server does not say. */
static const char *event_id(struct irc *i, const struct irc_line *l, int64_t at_ms, struct arena *a)
{
	const char *msgid = i->has_tags ? irc_tag(l, "msgid", a) : NULL;

	if (msgid && *msgid && strlen(msgid) < CHAN_ID_MAX - 8)
		return arena_printf(a, "msgid:%s", msgid);
	if (at_ms)
		return id_by_time(l, at_ms, a);
	return arena_printf(a, "%s:%llu", i->id, (unsigned long long)++i->events);
}

/* When it was said; 0: not known. */
static int64_t time_of(const struct irc *i, const struct irc_line *l, struct arena *a)
{
	const char *time = i->has_time ? irc_tag(l, "time", a) : NULL;
	int64_t at_ms;

	return time && irc_time(time, &at_ms) && at_ms > 0 ? at_ms : 0;
}

/* The room's name in ASCII lower case, as it stands in the configuration where it does. */
static const char *room_id(struct irc *i, const char *name, struct arena *a)
{
	const struct irc_room *r = room_of(i, name);
	char *id = arena_strdup(a, r ? r->name : name);

	str_lower(id);
	return id;
}

/* "@#room" is for those in the room who have a rank, us among them. */
static const char *without_rank(const char *target)
{
	const char *bare = target + strspn(target, "@+%~&");

	return *bare == '#' ? bare : target;
}

static CH_FIBER ch_status on_privmsg(struct irc *i, const struct irc_line *l, struct arena *a, struct ch_err *err)
{
	const char *target = without_rank(irc_param(l, 0)), *text;
	struct chan_in in = { .kind = CHAN_IN_MESSAGE, .can_mention = true };
	int64_t at_ms = time_of(i, l, a);
	bool is_action;

	if (!*l->user || !*l->host || is_us(i, l->nick))
		return CH_OK;            /* a server's own words, or an echo of ours */
	if (at_ms && at_ms < now_wall_ms() - IRC_REPLAY_MS)
		return CH_OK;            /* played back, and of long ago: nobody waits for an answer */
	text = irc_text(irc_param(l, 1), a, &is_action);
	if (str_empty(text) || (!irc_is_channel(target) && !is_us(i, target)))
		return CH_OK;
	in.at_ms = CH_MIN(at_ms, now_wall_ms());
	in.event_id = event_id(i, l, at_ms, a);
	in.message_id = in.event_id;
	in.sender = (struct chan_sender){ .id = irc_mask(l, a), .name = l->nick, .username = l->nick };
	in.text = is_action ? arena_printf(a, "* %s %s", l->nick, text) : text;
	in.is_mentioned = irc_mentions(i->fold, text, i->nick);
	if (irc_is_channel(target))
		in.peer = (struct chan_peer){ .kind = CHAN_GROUP, .id = room_id(i, target, a), .name = target };
	else
		in.peer = (struct chan_peer){ .kind = CHAN_DIRECT, .id = in.sender.id, .name = l->nick };
	return deliver(i, &in, err);
}

/* -- answers -- */

static struct irc_wait *wait_for_target(struct irc *i, const char *target)
{
	for (struct irc_wait *w = i->waits; w; w = w->next)
		if (w->target && irc_same(i->fold, w->target, target))
			return w;
	return NULL;
}

static void on_pong(struct irc *i, const struct irc_line *l)
{
	const char *token = irc_param(l, l->param_count ? l->param_count - 1 : 0);

	for (struct irc_wait *w = i->waits; w; w = w->next)
		if (w->token && str_eq(w->token, token))
			w->is_done = true;
	fiber_cond_broadcast(&i->answered);
}

/* "nick*=+user@host", one per nick asked for; nothing when nobody has it. */
static void on_userhost(struct irc *i, const struct irc_line *l)
{
	const char *text = irc_param(l, 1), *equals = strchr(text, '=');
	size_t n = equals ? (size_t)(equals - text) : 0;

	while (n && text[n - 1] == '*')
		n--;
	for (struct irc_wait *w = i->waits; w; w = w->next) {
		if (!w->userhost || w->is_done)
			continue;
		w->is_done = true;
		if (n && strlen(w->userhost) == n && !strncasecmp(text, w->userhost, n) && equals[1])
			snprintf(w->answer, sizeof(w->answer), "%.*s", (int)strcspn(equals + 2, " "), equals + 2);
		break;           /* answers come in the order of the questions */
	}
	fiber_cond_broadcast(&i->answered);
}

/* Errors about a message or a room; the name is the second parameter. */
static void on_error_numeric(struct irc *i, const struct irc_line *l)
{
	const char *name = irc_param(l, 1), *text = irc_param(l, l->param_count ? l->param_count - 1 : 0);
	struct irc_wait *w = wait_for_target(i, name);
	struct irc_room *r = room_of(i, name);

	if (w)
		snprintf(w->error, sizeof(w->error), "%s", log_quote(text));
	else if (r && !r->is_in)
		left_room(i, name, log_quote(text));
}

/* What the server supports: only how it compares names is of interest. */
static void on_support(struct irc *i, const struct irc_line *l)
{
	for (size_t k = 1; k < l->param_count; k++) {
		if (str_eq(l->params[k], "CASEMAPPING=ascii"))
			i->fold = IRC_ASCII;
		else if (str_eq(l->params[k], "CASEMAPPING=strict-rfc1459"))
			i->fold = IRC_STRICT_RFC1459;
	}
}

static void on_numeric(struct irc *i, const struct irc_line *l, int64_t n)
{
	if (n == 5)
		on_support(i, l);
	else if (n == 302)
		on_userhost(i, l);
	else if (n == 900)
		retry_rooms(i);
	else if (n == 396)
		i->source_len = CH_MAX(i->source_len, (size_t)IRC_SOURCE_GUESS);         /* we have another host for others now */
	else if (n >= 400 && n < 500 && !(n >= 431 && n <= 437))                 /* those name a nick that we cannot have */
		on_error_numeric(i, l);
}

CH_FIBER ch_status irc_on_line(struct irc *i, const struct irc_line *l, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	int64_t n;

	chan_alive(i->acct);
	note_source(i, l);
	if (str_eq(l->command, "PING"))
		return irc_say(i, err, "PONG :%s", irc_param(l, 0));
	if (str_eq(l->command, "PRIVMSG"))
		return on_privmsg(i, l, a, err);
	if (str_eq(l->command, "INVITE"))
		return on_invite(i, l, err);
	if (str_eq(l->command, "NICK"))
		return on_nick(i, l, err);
	if (str_eq(l->command, "ERROR"))
		return ch_fail(err, CH_E_PEER, "the server closed the connection: %s", log_quote(irc_param(l, 0)));
	if (str_eq(l->command, "PONG"))
		on_pong(i, l);
	else if (str_eq(l->command, "JOIN"))
		on_join(i, l);
	else if (str_eq(l->command, "KICK"))
		on_kick(i, l);
	else if (str_eq(l->command, "PART") && is_us(i, l->nick))
		left_room(i, irc_param(l, 0), "we were taken out");
	else if (str_eq(l->command, "NOTICE"))
		on_notice(i, l, a);
	else if (str_eq(l->command, "QUIT"))
		note_free(i, l->nick);
	else if (strlen(l->command) == 3 && str_to_i64(l->command, &n))
		on_numeric(i, l, n);
	return CH_OK;
}
