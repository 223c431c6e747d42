/*
 * channels/telegram.h - what the files of the Telegram network share (Bot API, HTTPS and JSON). Private to channels/telegram*.c.
 *
 * telegram.c       the row, keys, ids, targets, the run: who we are, then polling or the webhook
 * telegram_api.c   one call of the Bot API, and what its answer means
 * telegram_poll.c  getUpdates with a durable offset
 * telegram_hook.c  updates that Telegram posts to us
 * telegram_in.c    an update to struct chan_in; pure (telegram_text.c, telegram_media.c are its parts)
 * telegram_place.c topics of messages, for reactions
 * telegram_vote.c  polls and their votes
 * telegram_out.c   messages, edits, reactions (telegram_upload.c: those with files)
 *
 * The token is part of each URL: URLs are built in telegram_api.c, wiped there, and never named in an error or a log line.
 */
#ifndef CH_CHANNELS_TELEGRAM_H
#define CH_CHANNELS_TELEGRAM_H

#include "channels/channel.h"
#include "core/fiber.h"
#include "net/guard.h"

#define TG_ROOT "https://api.telegram.org"
#define TG_TOKEN_ENV "TELEGRAM_BOT_TOKEN"
#define TG_CALL_MS 30000                 /* a call without files */
#define TG_UPLOAD_MS 300000
#define TG_POLL_S 30                     /* how long getUpdates waits; a poll is given up TG_POLL_SLACK_MS later */
#define TG_POLL_SLACK_MS 20000
#define TG_SILENCE_MS 120000             /* without an answered poll the core begins anew */
#define TG_BATCH 100                     /* the API's most */
#define TG_ANSWER_MAX ((size_t)16 << 20) /* of a JSON answer */
#define TG_DOWNLOAD_MAX ((int64_t)20 << 20)      /* the cloud API's; a server of one's own (apiRoot) has none */
#define TG_UPLOAD_MAX ((int64_t)50 << 20)        /* the same */
#define TG_PHOTO_MAX ((size_t)10 << 20)  /* larger pictures go as documents */
#define TG_COMMANDS_MAX 100
#define TG_GENERAL_TOPIC "1"
#define TG_TOPIC_UNKNOWN "?"             /* of a reaction in a forum, until tg_take() has looked it up */
#define TG_PRESSES_MAX 64                /* buttons whose progress bar is not yet stopped; older ones end by themselves */

struct secret;

#define TG_PLACES_MAX 512                /* messages of forums whose topic is remembered: reactions do not name it */

struct tg_place { int64_t chat, message, topic; };

/* The private part of a running account. */
struct telegram {
	struct secret *token;            /* held from the start of the run */
	bool has_topics;                 /* getMe: private chats have topics */
	struct secret *hook_secret;      /* webhook mode */
	/* Presses to be acknowledged, by a fiber of their own so that polling goes on. */
	char *presses[TG_PRESSES_MAX];
	size_t press_count;
	struct fiber *presser;           /* NULL: none runs */
	struct fiber_cond presser_ended;
	struct tg_place *places;         /* a ring of TG_PLACES_MAX; NULL until a forum's message was seen */
	size_t place_next;
};

/* -- calls -- */

/* What one call needs, held over its waits. */
struct tg_link {
	struct http_client *http;
	struct secret *token;
	struct chan_cfg *cfg;
	const char *root;                /* within cfg */
	const char *proxy;
	enum guard_policy guard;
	bool is_ipv4_only;
};
/* The running account's token, else it is resolved. CH_E_NOT_FOUND: no token is configured. */
CH_FIBER CH_MUST_USE ch_status tg_link_open(struct chan_acct *acct, struct tg_link *ret, struct ch_err *err);
void tg_link_done(struct tg_link *l);
#define CH_AUTO_LINK __attribute__((cleanup(tg_link_done)))
/* tokenFile, botToken, or the environment's. */
CH_FIBER CH_MUST_USE ch_status tg_token(const struct chan_cfg *cfg, struct secret **ret, struct ch_err *err);

/* What became of a call. Strings and trees on the caller's arena. */
struct tg_answer {
	enum chan_outcome outcome;       /* CHAN_SENT: `result` is there */
	int code;                        /* Telegram's error_code, 0 without an answer */
	const char *description;         /* Telegram's words; "" without */
	const struct json *result;
	const char *migrated_to;         /* the chat has this id now; or NULL */
	int64_t retry_after_ms;
};
struct multipart;
/* The method's parameters as JSON, or with files as a form. err says what went wrong unless outcome is CHAN_SENT. */
CH_FIBER CH_MUST_USE ch_status tg_call(const struct tg_link *l, const char *method, const struct json *params, int64_t timeout_ms,
				       struct arena *a, struct tg_answer *ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_call_form(const struct tg_link *l, const char *method, struct multipart *form, struct arena *a,
					    struct tg_answer *ret, struct ch_err *err);
/* The bytes of a file by its path of getFile. */
CH_FIBER CH_MUST_USE ch_status tg_download(const struct tg_link *l, const char *file_path, struct buf *out, struct ch_err *err);
/* An answer's text as the outcome that it is; `ret` is filled from body. For tests of their own. */
CH_MUST_USE ch_status tg_read_answer(const char *method, int status, const char *body, size_t len, struct arena *a,
				     struct tg_answer *ret, struct ch_err *err);

/* -- updates -- */

/* Who the decoder decodes for. */
struct tg_me {
	const char *id, *username;       /* NULL while unknown */
	bool has_topics;
};
#define TG_PER_UPDATE_MAX 16             /* events of one update (a reaction may change several) */
/*
 * The events of one update, none when it is of no interest. False only when it has no update_id: then *ret_count is 0.
 * Everything on the arena.
 */
bool tg_update_read(const struct json *update, const struct tg_me *me, struct arena *a, int64_t *ret_update_id,
		    struct chan_in ret[TG_PER_UPDATE_MAX], size_t *ret_count);
/* Which kinds are asked for: a JSON array. */
extern const char tg_allowed_updates[];

/* Text with its entities (offsets in UTF-16 units) as a person would write it down. */
struct tg_text {
	const char *text;                /* links as [label](url), our own suffix of a leading command gone */
	bool is_mentioned, mentions_others;
};
void tg_text_read(const char *text, size_t len, const struct json *entities, const struct tg_me *me, struct arena *a,
		  struct tg_text *ret);
/* Files of a message; *ret on the arena. */
size_t tg_media_read(const struct json *message, struct arena *a, const struct chan_media_in **ret);
/* What a message is that is not text: "Contact: …", "Poll: …", an animated sticker's emoji; NULL: nothing. */
const char *tg_special_text(const struct json *message, struct arena *a);
bool tg_location_read(const struct json *message, struct chan_location *ret);
const char *tg_user_name(const struct json *user, struct arena *a);
const char *tg_id(const struct json *v, struct arena *a);        /* an integer as text; NULL: it is none */

/* The next update to ask for, and when the last one came. */
struct tg_offset { int64_t next, at_ms; };
#define TG_OFFSET_MS (6LL * 86400000)    /* how long one is good: after a week Telegram's ids begin anywhere */
/* Zero for a cursor that is none, or of another bot. */
struct tg_offset tg_offset_read(const char *cursor, const char *bot_id);
/* What to ask for now; 0: whatever is there. */
int64_t tg_offset_now(const struct tg_offset *o, int64_t now_ms);

/* Commits a batch, with the cursor of this bot (NULL: none), and stops the progress bars of its buttons. */
CH_FIBER CH_MUST_USE ch_status tg_take(struct chan_acct *acct, const struct json *updates, const char *bot_id, struct tg_offset *ret,
				       struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_poll(struct chan_acct *acct, const char *bot_id, const char *warning, struct ch_err *err);
/* setWebhook, a listener, and a look now and then; warning: shown while all is well, or NULL. */
CH_FIBER CH_MUST_USE ch_status tg_hook_run(struct chan_acct *acct, const char *warning, struct ch_err *err);
CH_FIBER void tg_hook(struct chan_acct *acct, const struct http_request *rq, struct chan_webhook_reply *reply);
const char *tg_hook_path(const struct chan_cfg *cfg, struct arena *a);
/* Acknowledging presses ends. */
CH_FIBER void tg_presses_end(struct telegram *tg);

/* -- topics of messages in forums (telegram_place.c) -- */

void tg_place_note(struct telegram *tg, const struct chan_peer *peer, const char *message_id);
/* The topic that a message is in, on the arena; NULL: not known. */
const char *tg_place_find(const struct telegram *tg, const char *chat_id, const char *message_id, struct arena *a);

/* -- polls: which were sent where, so that votes find their way (telegram_vote.c) -- */

void tg_poll_sent(struct chan_acct *acct, const struct chan_out *out, const struct json *message);
/* Fills place and words of a vote; false: the poll is not known. */
bool tg_vote_read(struct chan_acct *acct, struct chan_in *in, struct arena *a);

/* -- the row's functions -- */

CH_FIBER CH_MUST_USE ch_status tg_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
				       struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_edit(struct chan_acct *acct, const char *message_id, const struct chan_out *out, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_remove(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id,
					 struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_react(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, const char *emoji,
					bool is_removed, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_typing(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_fetch(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err);

/* Parts that sends share (telegram_out.c, telegram_upload.c). */
/* chat_id, message_thread_id, reply_parameters, disable_notification, reply_markup. */
struct json *tg_out_params(const struct chan_out *out, struct arena *a);
/* Are the files such as this server takes? */
CH_MUST_USE ch_status tg_upload_check(const struct tg_link *l, const struct chan_out *out, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status tg_upload(const struct tg_link *l, const struct chan_out *out, bool is_plain, bool as_document,
					 struct arena *a, struct tg_answer *ret, struct ch_err *err);

#endif
