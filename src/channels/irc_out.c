/*
 * channels/irc_out.c - sending: a text becomes lines, and a PING behind them tells that the server has taken them.
 *
 * A DM goes to a nick, but is meant for nick!user@host: who has the nick now is asked each time (USERHOST), since the server tells
 * us of people's coming and going only in rooms that we share. If it is somebody else, nothing is sent.
 */
#include "channels/irc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/log.h"
#include "core/str.h"

#define OUT_MAX (64u << 10)              /* of one message, as lines */

/* -- lines -- */

CH_FIBER ch_status irc_say(struct irc *i, struct ch_err *err, const char *fmt, ...)
{
	char line[IRC_LINE_MAX + 1];
	size_t n = 0;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line) - 2, fmt, ap);
	va_end(ap);
	for (const char *s = line; *s; s++)
		if (*s != '\r' && *s != '\n')
			line[n++] = *s;
	line[n++] = '\r';
	line[n++] = '\n';
	return line_conn_send(i->conn, line, n, fiber_deadline(IRC_ANSWER_MS), err);
}

/* No control byte of a text is a mark or a request to another program. */
static char *clean(const char *text, struct arena *a)
{
	char *out = arena_alloc(a, strlen(text) + 1), *at = out;

	for (; *text; text++)
		if ((unsigned char)*text >= ' ' ? *text != 0x7f : *text == '\n')
			*at++ = *text;
		else if (*text == '\t')
			*at++ = ' ';
	*at = '\0';
	return out;
}

static void put_line(struct buf *out, const char *target, const char *text, size_t len, size_t max)
{
	while (len && *text == ' ')
		text++, len--;
	while (len) {
		size_t n = irc_cut(text, len, max);

		buf_printf(out, "PRIVMSG %s :%.*s\r\n", target, (int)n, text);
		text += n;
		len -= n;
		while (len && *text == ' ')
			text++, len--;
	}
}

static void put_text(struct irc *i, struct buf *out, const char *target, const char *text)
{
	size_t around = strlen(": PRIVMSG  :\r\n") + i->source_len + strlen(target);
	size_t max = around + 64 < IRC_LINE_MAX ? IRC_LINE_MAX - around : 64;

	while (*text) {
		size_t n = strcspn(text, "\n");

		put_line(out, target, text, n, max);
		text += n + (text[n] == '\n');
	}
}

/* -- waiting -- */

void irc_over(struct irc *i)
{
	i->is_over = true;
	fiber_cond_broadcast(&i->answered);
}

static void take_back(struct irc *i, struct irc_wait *w)
{
	for (struct irc_wait **at = &i->waits; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			return;
		}
	}
}

/* Sends the text and waits until w is answered; w is in the list meanwhile, behind those that asked before. */
static CH_FIBER ch_status ask(struct irc *i, struct irc_wait *w, const char *text, size_t len, struct ch_err *err)
{
	int64_t deadline_ms = fiber_deadline(IRC_ANSWER_MS);
	struct irc_wait **last = &i->waits;
	ch_status st;

	while (*last)
		last = &(*last)->next;
	*last = w;
	st = line_conn_send(i->conn, text, len, deadline_ms, err);
	while (!st && !w->is_done && !i->is_over) {
		st = fiber_cond_wait(&i->answered, deadline_ms);
		if (st)
			ch_fail(err, st, "the server has not answered in %d s", IRC_ANSWER_MS / 1000);
	}
	take_back(i, w);
	if (!st && !w->is_done)
		return ch_fail(err, CH_E_PEER, "the connection ended before the server took the message");
	return st;
}

/* -- whom a DM is for -- */

static ch_status somebody_else(struct chan_sent *ret, const char *nick, bool is_there, struct ch_err *err)
{
	ret->outcome = CHAN_REFUSED;
	return is_there ? ch_fail(err, CH_E_DENIED, "the nick %s belongs to somebody else now", nick)
			: ch_fail(err, CH_E_NOT_FOUND, "nobody has the nick %s now", nick);
}

/* mask is nick!user@host: is it still them? */
static CH_FIBER ch_status check_person(struct irc *i, const char *mask, const char *nick, struct chan_sent *ret, struct ch_err *err)
{
	struct irc_wait w = { .userhost = nick };
	char line[IRC_LINE_MAX];
	ch_status st;

	snprintf(line, sizeof(line), "USERHOST %s\r\n", nick);
	st = ask(i, &w, line, strlen(line), err);
	if (st)
		return st;
	return str_ieq(w.answer, strchr(mask, '!') + 1) ? CH_OK : somebody_else(ret, nick, w.answer[0], err);
}

/* -- sending -- */

static CH_FIBER ch_status send_lines(struct irc *i, const char *target, const char *text, struct arena *a, struct chan_sent *ret,
				     struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	char *token = arena_printf(a, "%s-%llu", i->id, (unsigned long long)++i->tokens);
	struct irc_wait w = { .token = token, .target = target };
	ch_status st;

	buf_init(&out, OUT_MAX);
	put_text(i, &out, target, clean(text, a));
	ret->outcome = CHAN_REFUSED;
	if (!out.len && !out.failed)
		return ch_fail(err, CH_E_INVALID, "nothing is left of the text that IRC could show");
	buf_printf(&out, "PING :%s\r\n", token);
	st = buf_status(&out, err, "a message as lines");
	if (st)
		return st;
	ret->outcome = CHAN_UNSURE;
	st = ask(i, &w, out.data, out.len, err);
	if (st)
		return st;
	ret->outcome = w.error[0] ? CHAN_REFUSED : CHAN_SENT;
	ret->message_id = w.error[0] ? NULL : token;
	return w.error[0] ? ch_fail(err, CH_E_DENIED, "%s: %s", target, w.error) : CH_OK;
}

CH_FIBER ch_status irc_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
			    struct ch_err *err)
{
	struct irc_priv *priv = chan_priv(acct);
	CH_AUTO(irc_unref) struct irc *i = priv->live ? irc_ref(priv->live) : NULL;
	const char *bang = out->peer.id ? strchr(out->peer.id, '!') : NULL;
	const char *target = bang ? arena_strndup(a, out->peer.id, (size_t)(bang - out->peer.id)) : out->peer.id;
	ch_status st = CH_OK;

	*ret = (struct chan_sent){ .outcome = CHAN_NOT_SENT };
	if (!i || i->is_over)
		return ch_fail(err, CH_E_BUSY, "not connected");
	ret->outcome = CHAN_REFUSED;
	if (!target || !(irc_is_channel(target) || irc_is_nick(target)))
		return ch_fail(err, CH_E_INVALID, "%s is no place on IRC", log_quote(target));
	if (str_empty(out->text))
		return ch_fail(err, CH_E_INVALID, "IRC takes text alone, and there is none");
	ret->outcome = CHAN_NOT_SENT;
	if (bang)
		st = check_person(i, out->peer.id, target, ret, err);
	return st ? st : send_lines(i, target, out->text, a, ret, err);
}
