/*
 * channels/irc_line.h - one line of IRC (RFC 1459, 2812; IRCv3 tags): taken apart, and text made fit for one. No I/O.
 *
 * Limits  IRC_PARAMS_MAX parameters, IRC_LINE_MAX bytes of what we send with its end; what comes may be longer (tags).
 * Fails   CH_E_PEER for a line without a command.
 */
#ifndef CH_CHANNELS_IRC_LINE_H
#define CH_CHANNELS_IRC_LINE_H

#include "core/arena.h"
#include "core/err.h"

#define IRC_LINE_MAX 512
#define IRC_PARAMS_MAX 15

/* Strings lie in the text that was given; "" instead of NULL for what is not there. */
struct irc_line {
	const char *tags;                /* without '@': irc_tag() reads them */
	const char *nick, *user, *host;  /* of the source; a server is a nick with a point in it */
	const char *command;             /* upper case, or three digits */
	const char *params[IRC_PARAMS_MAX];
	size_t param_count;
};
/* Takes the text apart in place. */
CH_MUST_USE ch_status irc_line_parse(char *text, struct irc_line *ret, struct ch_err *err);
/* A parameter, "" when there are not so many. */
const char *irc_param(const struct irc_line *l, size_t i);
/* A tag's value, unescaped, on the arena; NULL: it is not there. */
const char *irc_tag(const struct irc_line *l, const char *name, struct arena *a);

/* How the server compares names: CASEMAPPING. */
enum irc_case { IRC_RFC1459, IRC_STRICT_RFC1459, IRC_ASCII };
char irc_fold(enum irc_case c, char ch);
bool irc_same(enum irc_case c, const char *a, const char *b);

/*
 * What a PRIVMSG says, for people: colours and other marks taken out, invalid UTF-8 mended. *ret_is_action: "/me". NULL: it is a
 * request between programs (CTCP) that is nobody's to answer. On the arena.
 */
const char *irc_text(const char *text, struct arena *a, bool *ret_is_action);
/* Is the name a word of the text, as the server compares names? */
bool irc_mentions(enum irc_case c, const char *text, const char *nick);
/*
 * How many bytes of the text go into one line of at most max bytes: cut at a space where there is one in the last third, never
 * inside a character. 0 for an empty text.
 */
size_t irc_cut(const char *text, size_t len, size_t max);
/* The tag `time` ("2026-11-22T09:12:53.123Z") as wall time; false: it is none. */
bool irc_time(const char *text, int64_t *ret_wall_ms);
/* A word that may stand in a line as a parameter: no space, no control byte, no ':' in front. */
bool irc_is_word(const char *s);
bool irc_is_channel(const char *s);      /* "#room", "&local", "+x", "!x" without space, comma, bell */
bool irc_is_nick(const char *s);

#endif
