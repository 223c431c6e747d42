/*
 * channels/irc.h - IRC from inside: one connection and what its files share.
 *
 * Owns    a struct irc is one connection's life, counted: the run has it, and so has a fiber that sends. When the run ends it is
 *         `is_over` and everybody who waits is woken.
 * Ids     people are nick!user@host in ASCII lower case: a nick alone can be anybody's tomorrow. Rooms are their names in ASCII
 *         lower case.
 */
#ifndef CH_CHANNELS_IRC_H
#define CH_CHANNELS_IRC_H

#include "channels/channel.h"
#include "channels/irc_line.h"
#include "core/fiber.h"
#include "core/vec.h"
#include "net/line_conn.h"

#define IRC_NICK_MAX 64
#define IRC_ROOMS_MAX 100
#define IRC_SOURCE_GUESS 120             /* bytes of "nick!user@host" before we have seen ours */
#define IRC_ANSWER_MS 30000              /* a server that answers at all */
#define IRC_RECLAIM_MS 60000             /* between tries to get our nick back */
#define IRC_REPLAY_MS 3600000            /* what a bouncer plays back counts when it was said since then */

struct irc_room {
	char *name, *key;                /* as configured; key or NULL */
	bool is_in;
	char why[128];                   /* why not, "" : not told yet */
	int64_t retry_mono_ms;           /* 0: not to be tried again by itself */
};

/* Somebody who waits for an answer of the server; on that fiber's stack. */
struct irc_wait {
	struct irc_wait *next;
	const char *token;               /* of our PING; or NULL */
	const char *target;              /* whom the message is for: an error that names it is ours; or NULL */
	const char *userhost;            /* nick whose USERHOST is asked for; or NULL */
	bool is_done;
	char error[160];                 /* "" : none */
	char answer[160];                /* of USERHOST: "user@host", "" : nobody */
};

struct irc {
	int refs;
	struct line_conn *conn;
	struct chan_acct *acct;          /* borrowed; used by the run alone */
	enum irc_case fold;
	char nick[IRC_NICK_MAX];         /* ours now */
	char wanted[IRC_NICK_MAX];       /* the configured one: taken back when it is free */
	int64_t reclaim_mono_ms;         /* when that is tried next */
	size_t source_len;               /* of "nick!user@host" as others see us */
	char id[17];                     /* of this connection, random */
	uint64_t events, tokens;
	bool has_tags;                   /* messages may carry a msgid */
	bool has_time;                   /* … and when they were said */
	const char *service;             /* NickServ; of the account's keys */
	struct secret *nickserv;         /* our password there; NULL: none */
	bool is_ghosting;                /* the service was asked to end who has our nick */
	bool is_over;
	VEC(struct irc_room) rooms;
	struct irc_wait *waits;
	struct fiber_cond answered;
};
struct irc *irc_ref(struct irc *i);
void irc_unref(struct irc *i);
CH_AUTO_DEFINE(irc_unref, struct irc)

/* What the account keeps for the core (chan_priv). */
struct irc_priv { struct irc *live; };

/* -- irc_cfg.c: its keys, with those from the environment -- */
struct irc_cfg {
	const char *host, *nick, *username, *realname, *sasl_account, *service, *register_email, *ca_file, *fingerprint;
	uint16_t port;
	bool is_tls, has_sasl, has_nickserv, registers;
};
void irc_cfg_read(const struct chan_cfg *cfg, struct arena *a, struct irc_cfg *ret);
CH_MUST_USE ch_status irc_cfg_check(const struct chan_cfg *cfg, struct ch_err *err);
/* *ret NULL: it is not set. what: "password", "nickserv.password", "sasl.password". */
CH_FIBER CH_MUST_USE ch_status irc_cfg_secret(const struct chan_cfg *cfg, const char *what, struct secret **ret, struct ch_err *err);
/* The rooms to be in. */
void irc_cfg_rooms(const struct chan_cfg *cfg, struct irc *i);

/* -- irc_login.c -- */
/* Connects, says who we are, asks for the rooms. CH_E_DENIED: the server does not want us. */
CH_FIBER CH_MUST_USE ch_status irc_login(struct irc *i, const struct chan_cfg *cfg, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status irc_join(struct irc *i, struct irc_room *room, struct ch_err *err);
/* Tells the service that the nick is ours; when somebody else has it, it is asked to end them. */
CH_FIBER CH_MUST_USE ch_status irc_identify(struct irc *i, struct ch_err *err);

/* -- irc_in.c -- */
/* One line of the server; the run ends with what it returns. */
CH_FIBER CH_MUST_USE ch_status irc_on_line(struct irc *i, const struct irc_line *l, struct ch_err *err);
/* CONNECTED, or DEGRADED when we are not in all rooms. */
void irc_tell_state(struct irc *i);
/* "nick!user@host" in lower case, on the arena. */
char *irc_mask(const struct irc_line *l, struct arena *a);

/* -- irc_out.c -- */
CH_FIBER CH_MUST_USE ch_status irc_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
					struct ch_err *err);
/* A line of ours, made fit: control bytes go, at most IRC_LINE_MAX. */
CH_FIBER CH_MUST_USE ch_status irc_say(struct irc *i, struct ch_err *err, const char *fmt, ...) CH_PRINTF(3, 4);
/* Ends every wait; the connection is over. */
void irc_over(struct irc *i);

extern const struct chan_ops chan_irc;

#endif
