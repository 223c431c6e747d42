/*
 * channels/channel.h - a messaging network: one file and one row in table.c.
 *
 * A network knows its platform's wire and nothing else. The core owns what all have in common: who may speak (access),
 * where a message goes (route), that nothing is lost or done twice (inbox, outbox), rendering, chunking, pace and retries.
 *
 * Up      chan_deliver() hands over what came in, chan_state() how the login stands. That is all a network says.
 * Down    the pointers of struct chan_ops. What a network lacks is NULL; caps say the same (a test compares them).
 * Runs    on the loop thread. run() is the account's fiber; the others are called from fibers of the core while run() may be
 *         parked, so they find what they need in the account's private part and look it up again after a wait.
 * Memory  texts given down are borrowed for the call; what is given up is copied before chan_deliver() returns.
 * Fails   see enum chan_outcome for sends: the core must know whether the platform may have it already.
 */
#ifndef CH_CHANNELS_CHANNEL_H
#define CH_CHANNELS_CHANNEL_H

#include "channels/cfg.h"
#include "channels/limits.h"
#include "channels/room_keys.h"
#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"
#include "core/json.h"

#define CHAN_ID_MAX 256                  /* bytes of a platform's id; longer ones are refused */
#define CHAN_NAME_MAX 256                /* … of a name for people; cut */
#define CHAN_TEXT_MAX (256u << 10)       /* … of an inbound text; cut, and the model is told so */
#define CHAN_MEDIA_COUNT_MAX 32          /* files of one inbound message */
#define CHAN_BUTTONS_MAX 25              /* of one outbound message */

struct chan_acct;                        /* one login on a network; channels/host.h */
struct http_client;
struct http_request;
struct loop;

/* -- where -- */

enum chan_peer_kind { CHAN_DIRECT, CHAN_GROUP, CHAN_CHANNEL };   /* one person; some people; a room of a team or guild */
const char *chan_peer_kind_name(enum chan_peer_kind k);          /* "direct", "group", "channel" */

/* A place that messages come from and go to. Ids are the platform's immutable ones. */
struct chan_peer {
	enum chan_peer_kind kind;
	const char *id;                  /* chat, channel, user; for CHAN_DIRECT the sender's id where the platform has no chat ids */
	const char *thread;              /* topic or thread id; NULL: none */
	const char *parent;              /* the channel a thread hangs off, when `id` is the thread itself; or NULL */
	const char *guild, *team;        /* Discord guild, Slack workspace; or NULL */
	const char *name;                /* for people; not trusted; or NULL */
};

struct chan_sender {
	const char *id;                  /* immutable; the only thing that allowlists compare */
	const char *name, *username;     /* not trusted, changeable; or NULL */
	const char *const *roles;        /* NULL-ended ids of roles; or NULL */
	bool is_bot, is_self;
};

/* -- what comes in -- */

enum chan_in_kind {
	CHAN_IN_MESSAGE,                 /* a person (or bot) said something */
	CHAN_IN_COMMAND,                 /* the platform's own slash command: `text` is "/name args" */
	CHAN_IN_EDIT,                    /* `message_id` now reads `text` */
	CHAN_IN_DELETE,
	CHAN_IN_REACTION,                /* `emoji` on `message_id`, is_removed */
	CHAN_IN_PRESS,                   /* a button or menu: `data` is what the sent button carried; message_id is the card's */
	CHAN_IN_VOTE,                    /* poll answer: `data` */
	CHAN_IN_JOIN,                    /* we were added to a room */
	CHAN_IN_LEAVE,
	CHAN_IN_MIGRATE,                 /* the chat has a new id: `data` */
};

enum chan_media_kind { CHAN_IMAGE, CHAN_VIDEO, CHAN_AUDIO, CHAN_VOICE, CHAN_DOCUMENT, CHAN_STICKER };
const char *chan_media_kind_name(enum chan_media_kind k);        /* "image", …, "sticker" */

/* A file of an inbound message: fetched later, when the message was let in, by chan_ops.fetch. */
struct chan_media_in {
	enum chan_media_kind kind;
	const char *ref;                 /* whatever fetch() needs: id, URL, JSON; opaque to the core */
	const char *name, *mime;         /* as the sender says: not trusted; or NULL */
	int64_t size;                    /* bytes; 0: unknown */
	const char *emoji;               /* of a sticker; or NULL */
};

struct chan_quote {                      /* the message this one answers */
	const char *message_id, *sender_id, *sender_name, *text;
	bool is_ours;
};

struct chan_location { double lat, lon; double accuracy_m; bool is_live; const char *name, *address; };

struct chan_in {
	enum chan_in_kind kind;
	const char *event_id;            /* the same for every redelivery, another for every other event of the account */
	struct chan_peer peer;
	struct chan_sender sender;
	const char *message_id;          /* the platform's, within the peer */
	const char *group_id;            /* of an album: parts with one id belong together; or NULL */
	int64_t at_ms;                   /* when it was said (wall); 0: now */
	const char *text;                /* plain text, mentions of others readable; NULL: none */
	bool is_mentioned;               /* natively addressed to us */
	bool mentions_others;
	bool can_mention;                /* the platform could tell: false for networks without native mentions */
	bool is_forwarded;               /* others' words: never a command */
	const struct chan_quote *quote;
	const struct chan_media_in *media; size_t media_count;
	const struct chan_location *location;
	const char *emoji; bool is_removed;
	const char *data;                /* PRESS, VOTE, MIGRATE */
	const char *handle;              /* what an answer to a command or press needs (interaction token, response_url); or NULL */
};

/*
 * Commits what came in, all or nothing, together with the account's cursor (name and value; NULL: none): when it returns CH_OK
 * the platform may be acknowledged, before it must not. An event id seen before is not taken again and is CH_OK.
 * Does not wait for what comes of it. A failure means nothing was taken: the platform will bring it again.
 */
CH_MUST_USE ch_status chan_deliver(struct chan_acct *acct, const struct chan_in *in, size_t count, const char *cursor,
				   const char *cursor_value, struct ch_err *err);
/* What chan_deliver() last kept under the name; *ret on the arena, NULL when there is none. */
CH_MUST_USE ch_status chan_cursor(struct chan_acct *acct, const char *cursor, struct arena *a, const char **ret, struct ch_err *err);
/* Keeps one without events (session ids for resuming, …). */
CH_MUST_USE ch_status chan_cursor_set(struct chan_acct *acct, const char *cursor, const char *value, struct ch_err *err);

/* -- how the login stands -- */

enum chan_state {
	CHAN_STOPPED,                    /* by a person, or not enabled */
	CHAN_STARTING,
	CHAN_CONNECTED,                  /* said by the network when the platform has let us in */
	CHAN_DEGRADED,                   /* connected, and something is missing: detail says what */
	CHAN_BACKOFF,                    /* run() failed; the core tries again */
	CHAN_NEEDS_LOGIN,                /* run() ended with CH_E_DENIED or CH_E_UNPAIRED: only a person can help */
};
const char *chan_state_name(enum chan_state s);                  /* "stopped", …, "needs-login" */
/* From the network: STARTING, CONNECTED or DEGRADED. detail may be NULL; no secrets. */
void chan_state(struct chan_acct *acct, enum chan_state state, const char *detail);
/* The platform gave a sign of life (pong, poll answered, ACK). */
void chan_alive(struct chan_acct *acct);
/* Who we are there, once known; copied. Compared with senders (is_self) and mentions. */
void chan_self(struct chan_acct *acct, const char *id, const char *username, const char *name);

/* -- an account, as a network sees it -- */

void *chan_priv(struct chan_acct *acct);                         /* priv_size bytes, zeroed before run(), kept until after it */
const char *chan_acct_id(const struct chan_acct *acct);          /* "default", "work" */
const char *chan_acct_self_id(const struct chan_acct *acct);     /* NULL: not known yet */
const char *chan_acct_self_username(const struct chan_acct *acct);
/* Effective keys; held for the life of this run: a change of the account's keys ends run() and starts it anew. */
const struct chan_cfg *chan_acct_cfg(const struct chan_acct *acct);
struct loop *chan_loop(const struct chan_acct *acct);
struct http_client *chan_http(const struct chan_acct *acct);

/* -- what goes out -- */

struct chan_media_out {
	enum chan_media_kind kind;
	const char *data; size_t len;
	const char *name, *mime;         /* both set; checked by the core against the bytes */
	bool is_round;                   /* a film to be shown as a video note; it has no text then */
};
enum chan_button_style { CHAN_BUTTON_PLAIN, CHAN_BUTTON_PRIMARY, CHAN_BUTTON_DANGER };
struct chan_button {
	const char *text;
	const char *data;                /* comes back as chan_in.data; at most 64 bytes, made by the core */
	const char *url;                 /* instead of data: opens; or NULL */
	bool opens_app;                  /* … within the network's own program, where it does that */
	enum chan_button_style style;
	bool ends_row;
};
struct chan_poll { const char *question; const char *const *options; size_t option_count; int max_selections;
		   int64_t duration_s; bool is_anonymous; };

/* One platform message, within the network's limits: rendered, cut and paced by the core. */
struct chan_out {
	struct chan_peer peer;           /* id and thread are used */
	const char *reply_to;            /* message id; or NULL */
	const char *text;                /* in the network's flavour; NULL: none */
	const char *plain;               /* the same without markup, for when the platform refuses the markup */
	const struct chan_media_out *media; size_t media_count;  /* > 1 only with limits.album_max */
	const struct chan_button *buttons; size_t button_count;
	const struct chan_poll *poll;
	const struct chan_location *location;
	const char *key;                 /* the same for every attempt of this message, 32 hex digits: the platform's nonce */
	const char *handle;              /* answer by this interaction, if it still can be; or NULL */
	const char *ephemeral_to;        /* only this user sees it, where the network can; or NULL */
	bool is_silent, has_previews;    /* no sound; links unfold */
	bool is_pinned;                  /* with CHAN_PIN: pin it; that this fails is no failure of the send */
};

/* A message that grows: what comes next, as Markdown. What was sent of it cannot be taken back. */
struct chan_growth {
	const struct chan_out *whole;    /* where it stands, what it answers, and `text` as it is after this piece */
	const char *message_id;          /* NULL: it begins */
	const char *markdown;            /* the piece; "" only at the end */
	const char *for_user;            /* whose message it answers; or NULL */
	bool is_end;
};

enum chan_outcome {
	CHAN_SENT,                       /* with CH_OK: message_id is the platform's */
	CHAN_NOT_SENT,                   /* it certainly has not got it: may be tried again (429, refused connection, 5xx with an answer
					  * that says so); err.retry_after_ms when the platform said */
	CHAN_UNSURE,                     /* the request left and no answer came: it may have it */
	CHAN_REFUSED,                    /* it never will take it as it is: bad id, forbidden, too long */
};
struct chan_sent { enum chan_outcome outcome; const char *message_id;        /* strings on the arena */
		   const char *thread; /* one that the message opened: the rest of it goes there; or NULL */
		   bool is_place_only; /* retry_after_ms holds for this place, not for the account */ };

struct chan_probe {                      /* what `channels.status` with probe tells; all on the arena */
	bool is_ok; const char *error; int64_t elapsed_ms;
	const char *bot_id, *bot_name;
	const char *warning;             /* a missing scope, privacy mode, … ; or NULL */
};

/* is_accepted: what came is committed; told by the header x-openclaw-delivery-accepted: durable. */
struct chan_webhook_reply { int status; const char *content_type; struct buf *body; bool is_accepted; };

struct chan_menu { const char *name, *description; };

/* -- the row -- */

enum chan_flavour { CHAN_PLAIN, CHAN_TELEGRAM_HTML, CHAN_SLACK_MRKDWN, CHAN_DISCORD_MD };

/* A kind of id that its allowlists take. */
enum chan_id_use { CHAN_ID_SENDER, CHAN_ID_GROUP };

struct chan_ops {
	const char *id;                  /* "telegram" */
	const char *label;               /* "Telegram" */
	const char *detail_label;        /* "Telegram Bot" */
	const char *image;               /* SF symbol that Apple clients draw; or NULL */
	unsigned caps;
	enum chan_flavour flavour;
	struct chan_limits limits;
	const char *streaming;           /* default of streaming.mode: "off", "partial", "progress" */
	const char *reply_mode;          /* default of replyToMode: "off", "all" */
	bool replies_hide;               /* an answer to a message is not seen in the room: replyToMode "off" holds for tags too */
	const char *ack_shortcode;       /* "eyes" where reactions are names; NULL: they are emoji */
	int history_default;             /* default of historyLimit */
	const struct chan_rooms *rooms;  /* NULL: all as the first words say */
	size_t priv_size;
	int64_t silence_max_ms;          /* up, and no chan_alive() for this long: the core ends run() and starts it anew; 0: never */
	const char *const *secrets;      /* keys that hold credentials, NULL-ended: the account is configured when the needed are set */
	/* The normal form of an allowlist's entry, on the arena; NULL: not an id of this network, *ret_why says what would be. */
	const char *(*id_parse)(struct arena *a, enum chan_id_use use, const char *text, const char **ret_why);
	/* A person's or a tool's words for a place ("@name", "#room", "user:U1", "-100123:topic:4"), without I/O. */
	CH_MUST_USE ch_status (*target_parse)(struct arena *a, const char *text, struct chan_peer *ret, struct ch_err *err);
	/* Are the keys there that it needs? No I/O: err says which is missing. */
	CH_MUST_USE ch_status (*check)(const struct chan_cfg *cfg, struct ch_err *err);
	/* Logs in, receives until cancelled or lost. CH_E_DENIED, CH_E_UNPAIRED: no use without a person; others: tried again. */
	CH_FIBER CH_MUST_USE ch_status (*run)(struct chan_acct *acct, struct ch_err *err);
	CH_FIBER CH_MUST_USE ch_status (*probe)(struct chan_acct *acct, struct arena *a, struct chan_probe *ret, struct ch_err *err);
	/* err is set unless outcome is CHAN_SENT. */
	CH_FIBER CH_MUST_USE ch_status (*send)(struct chan_acct *acct, const struct chan_out *out, struct arena *a,
					       struct chan_sent *ret, struct ch_err *err);
	/* CHAN_UNSURE before: did it arrive? *ret: SENT with its id, NOT_SENT, or UNSURE still. NULL: cannot be found out. */
	CH_FIBER CH_MUST_USE ch_status (*reconcile)(struct chan_acct *acct, const struct chan_out *out, int64_t since_ms,
						    struct arena *a, struct chan_sent *ret, struct ch_err *err);
	/* text, buttons of out; repeating it is harmless. */
	CH_FIBER CH_MUST_USE ch_status (*edit)(struct chan_acct *acct, const char *message_id, const struct chan_out *out,
					       struct ch_err *err);
	/*
	 * Begins, continues or ends a growing message, in a thread or as an answer. A failure without retry_after_ms: it grows no more,
	 * and what follows is an edit. edit() and remove() end one that still grows.
	 */
	CH_FIBER CH_MUST_USE ch_status (*stream)(struct chan_acct *acct, const struct chan_growth *g, struct arena *a,
						 struct chan_sent *ret, struct ch_err *err);
	CH_FIBER CH_MUST_USE ch_status (*remove)(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id,
						 struct ch_err *err);
	/* emoji "" with is_removed: all of ours. */
	CH_FIBER CH_MUST_USE ch_status (*react)(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id,
						const char *emoji, bool is_removed, struct ch_err *err);
	/* Shows that we write, until the platform's own time is over or is_on is false. */
	CH_FIBER CH_MUST_USE ch_status (*typing)(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err);
	/* The bytes of an inbound file; more than out's ceiling is CH_E_LIMIT. */
	CH_FIBER CH_MUST_USE ch_status (*fetch)(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err);
	/* Newest `limit` messages of a place, oldest first: an array of {id, senderId, senderName, text, at} on the arena. */
	CH_FIBER CH_MUST_USE ch_status (*history)(struct chan_acct *acct, const struct chan_peer *peer, int limit, struct arena *a,
						  struct json **ret, struct ch_err *err);
	/* The commands a person is offered (NULL-ended rows of {name, description}); called when connected and when they change. */
	CH_FIBER CH_MUST_USE ch_status (*commands)(struct chan_acct *acct, const struct chan_menu *menu, size_t count, struct ch_err *err);
	/* A webhook arrived at one of our paths: check the signature over the raw body, chan_deliver(), answer. NULL: none. */
	CH_FIBER void (*webhook)(struct chan_acct *acct, const struct http_request *rq, struct chan_webhook_reply *reply);
	/* The path it listens at, from its keys; NULL: it does not. On the arena. */
	const char *(*webhook_path)(const struct chan_cfg *cfg, struct arena *a);
	/* Ends the login at the platform where that means something. */
	CH_FIBER CH_MUST_USE ch_status (*logout)(struct chan_acct *acct, struct ch_err *err);
};

/* All networks, sorted by id. */
const struct chan_ops *const *chan_table(size_t *ret_count);
const struct chan_ops *chan_find(const char *id);                /* NULL: none */

#endif
