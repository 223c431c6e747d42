/*
 * channels/slack.h - Slack's parts among themselves; nobody else includes it.
 *
 *	slack.c         the row, ids and targets, keys, run(), probe
 *	slack_api.c     one call of the Web API: form in, JSON out, what an error means
 *	slack_socket.c  Socket Mode: a WebSocket of envelopes, each acknowledged when it is durable
 *	slack_http.c    requests from Slack, signed (slack_sign.c): events, interactivity, slash commands
 *	slack_take.c    what both bring, handed to the core
 *	slack_home.c    the app's Home tab
 *	slack_event.c   JSON of Slack to struct chan_in (no I/O)
 *	slack_press.c   … of buttons, views, shortcuts and slash commands (no I/O)
 *	slack_text.c    Slack's text to plain text (no I/O)
 *	slack_names.c   who is U…, which kind of room is C…: asked once
 *	slack_send.c    messages, edits, deletions; slack_files.c files both ways; slack_blocks.c Block Kit
 *	slack_stream.c  a message that grows while the agent writes it
 *	slack_react.c   reactions, status, history; slack_emoji.c names of emoji
 *
 * Memory  what an account knows of Slack is in struct slack, the core's private part of the account. It is looked up again after
 *         each wait; its maps are freed when run() ends.
 */
#ifndef CH_CHANNELS_SLACK_H
#define CH_CHANNELS_SLACK_H

#include "channels/channel.h"
#include "core/map.h"
#include "net/http_client.h"

#define SLACK_ROOT "https://slack.com/api"
#define SLACK_ENVELOPE_MAX (4u << 20)    /* bytes of an event: Slack's are far below; stops a broken server */
#define SLACK_ANSWER_MAX (8u << 20)      /* … of an answer */
#define SLACK_CALL_MS 30000
#define SLACK_LOOKUP_MS 1500             /* for a name while an event waits: Slack wants its answer within 3 s */
#define SLACK_FILES_MAX 8                /* of one message */
#define SLACK_NAMES_MAX 4000             /* people and rooms known by name; then forgotten all */
#define SLACK_ACTION_PREFIX "chela:"     /* action_id of our buttons: what they carry is theirs alone */
#define SLACK_METADATA_TYPE "chela_message"

extern const struct chan_ops chan_slack;

struct slack {
	bool is_running;                 /* between run()'s begin and end; else nothing is kept here: nobody would free it */
	char *team_id, *bot_id, *url;    /* of the login, by auth.test; NULL: not yet */
	char *app_id;                    /* the app that the bot token is of; NULL: not known */
	bool is_refused;                 /* a call said so: run() looks whether the login is still good */
	bool is_org;                     /* the login holds for several workspaces */
	struct map *users;               /* id -> struct slack_user; slack_names.c */
	struct map *rooms;               /* id -> struct slack_room */
	struct map *direct;              /* user id -> id of our DM channel */
	struct map *streams;             /* ts of a message that grows, or grew -> struct slack_stream; slack_stream.c */
	bool no_status;                  /* assistant.threads.setStatus is not for us */
	bool no_streams;                 /* nor is chat.startStream */
};

/* -- slack_api.c -- */

enum slack_token { SLACK_BOT, SLACK_APP, SLACK_READ };   /* READ: the user's token when there is one */

/* Arguments of a method, as Slack's own clients send them: a form, values that are not text as JSON. */
struct slack_form { struct buf body; };
#define SLACK_FORM { .body = { .max_bytes = 1u << 20 } }
void slack_form_done(struct slack_form *f);
#define SLACK_AUTO_FORM __attribute__((cleanup(slack_form_done)))
void slack_form_add(struct slack_form *f, const char *name, const char *value);  /* NULL: nothing is added */
void slack_form_int(struct slack_form *f, const char *name, int64_t value);
void slack_form_bool(struct slack_form *f, const char *name, bool value);

struct slack_answer {
	const struct json *body;         /* NULL: none that could be read */
	const char *error;               /* Slack's word ("channel_not_found"); NULL: it did not answer, or all is well */
	const char *scopes;              /* of the token, comma separated; NULL: not said */
	enum chan_outcome outcome;       /* was it done? */
	bool is_login;                   /* the login is not valid any more */
};
/*
 * CH_OK: done, outcome is CHAN_SENT. Else err tells people what went wrong and ret->outcome whether Slack may have done it.
 * CH_E_UNPAIRED: the login; only a person can help. deadline_ms is a point in time.
 */
CH_FIBER CH_MUST_USE ch_status slack_call(struct chan_acct *acct, enum slack_token token, const char *method,
					  const struct slack_form *form, int64_t deadline_ms, struct arena *a,
					  struct slack_answer *ret, struct ch_err *err);
/* What Slack's word means for a message, and what to do about it. */
struct slack_error { const char *code; enum chan_outcome outcome; ch_status status; const char *hint; };
const struct slack_error *slack_error_find(const char *code);    /* never NULL */
/* The credential itself; CH_E_NOT_FOUND: not set. */
CH_FIBER CH_MUST_USE ch_status slack_secret(const struct chan_cfg *cfg, enum slack_token token, struct secret **ret, struct ch_err *err);
/* May this address be sent our token, or be dialled: Slack's own hosts by TLS, or the configured root's origin? */
bool slack_is_ours(const struct chan_cfg *cfg, const char *url);
/* For an address that slack_is_ours() knows. */
enum guard_policy slack_guard(const struct chan_cfg *cfg, const char *url);
const char *slack_root(const struct chan_cfg *cfg);
/* auth.test: fills the private part and tells the core who we are. *ret_scopes on the arena; NULL is fine. */
CH_FIBER CH_MUST_USE ch_status slack_login(struct chan_acct *acct, struct arena *a, const char **ret_scopes, struct ch_err *err);
/* After a call was refused for its login: CH_E_UNPAIRED when it is really not valid any more. */
CH_FIBER CH_MUST_USE ch_status slack_check_login(struct chan_acct *acct, struct ch_err *err);

/* -- slack_socket.c -- */

/* Reads until cancelled or lost for good; a new socket that Slack asks for is opened here. */
CH_FIBER CH_MUST_USE ch_status slack_socket_run(struct chan_acct *acct, struct ch_err *err);

/* -- slack_http.c -- */

CH_FIBER void slack_webhook(struct chan_acct *acct, const struct http_request *rq, struct chan_webhook_reply *reply);

/* -- slack_sign.c -- */

/* "v0=<hex>" over "v0:<timestamp>:<body>", not older or newer than five minutes. */
bool slack_signature_ok(const char *secret, const char *timestamp, const char *signature, const char *body, size_t len,
			int64_t now_wall_ms);

/* -- slack_take.c -- */

enum slack_source { SLACK_EVENT, SLACK_INTERACTION, SLACK_COMMAND };
/*
 * One payload of Slack, durable when it returns CH_OK: it may be acknowledged. *ret_text on the arena: what the acknowledgement
 * says to the person (slash commands that are not switched on); NULL: nothing.
 */
CH_FIBER CH_MUST_USE ch_status slack_take(struct chan_acct *acct, enum slack_source source, const struct json *payload, struct arena *a,
					  const char **ret_text, struct ch_err *err);

/* -- slack_home.c -- */

/* Shows the Home tab to who opened it for the first time; command: the slash command's name, or NULL. */
CH_FIBER void slack_home_opened(struct chan_acct *acct, const struct json *event, const char *command, int64_t deadline_ms,
				struct arena *a);

/* -- decoding: slack_event.c, slack_press.c, slack_text.c -- */

/* What the decoder must know; lookups may wait and may give NULL. */
struct slack_known {
	const char *self_id, *self_name, *bot_id, *team_id;
	const char *(*user_name)(void *arg, const char *user_id);        /* for people; NULL: not known */
	/* The kind of a room whose event does not say it (otherwise: when it cannot be found out), and its name. */
	enum chan_peer_kind (*room_kind)(void *arg, const char *room_id, enum chan_peer_kind otherwise, const char **ret_name);
	/* Does a message there open a thread that is a conversation of its own? */
	bool (*threads_roots)(void *arg, enum chan_peer_kind kind, const char *room_id, bool is_mentioned);
	const char *(*thread_root)(void *arg, const char *room_id, const char *ts);      /* what a thread began with; NULL: not known */
	const char *command_name;        /* slashCommand.name; NULL: it is not switched on */
	bool has_native_commands;
	void *arg;
};
#define SLACK_IN_MAX 25                  /* one payload gives at most so many */
struct slack_batch { struct chan_in at[SLACK_IN_MAX]; size_t count; const char *ack_text; };
/* Strings live on the arena or in the payload. Nothing for us is CH_OK and no events; CH_E_INVALID: it is broken. */
CH_MUST_USE ch_status slack_decode_event(const struct json *payload, const struct slack_known *known, struct arena *a,
					 struct slack_batch *ret, struct ch_err *err);
CH_MUST_USE ch_status slack_decode_interaction(const struct json *payload, const struct slack_known *known, struct arena *a,
					       struct slack_batch *ret, struct ch_err *err);
CH_MUST_USE ch_status slack_decode_command(const struct json *payload, const struct slack_known *known, struct arena *a,
					   struct slack_batch *ret, struct ch_err *err);
/* Plain text; on the arena. *ret_self and *ret_others: who is mentioned by it. */
const char *slack_plain(const char *text, const struct slack_known *known, struct arena *a, bool *ret_self, bool *ret_others);
/* "1700000000.000100" to wall ms; 0: not a timestamp. */
int64_t slack_ts_ms(const char *ts);
/* Is it an id that begins with one of these letters? */
bool slack_is_id(const char *text, const char *letters);
/* An interaction's answer address with what it is for, until when, and whose: chan_in.handle. NULL in, NULL out. */
const char *slack_handle(struct arena *a, bool is_command, const char *response_url, const char *user_id, int64_t now_ms);
struct slack_handle { bool is_command; const char *url, *user_id; };     /* url NULL: too old */
/* Strings on the arena; false: it is none. */
bool slack_handle_read(struct arena *a, const char *handle, int64_t now_ms, struct slack_handle *ret);

/* -- slack_names.c: the names and kinds that this account has learnt -- */

void slack_names_free(struct slack *s);
/* Borrowed until the next wait; NULL: not known and not to be found by the deadline. */
CH_FIBER const char *slack_user_name(struct chan_acct *acct, const char *user_id, int64_t deadline_ms);
CH_FIBER enum chan_peer_kind slack_room_kind(struct chan_acct *acct, const char *room_id, enum chan_peer_kind otherwise,
					     int64_t deadline_ms, const char **ret_name);
/* An event said it. */
void slack_room_learn(struct slack *s, const char *room_id, enum chan_peer_kind kind);
void slack_direct_learn(struct slack *s, const char *user_id, const char *room_id);
/* The channel id to send to: rooms are theirs, a person's DM is opened. *ret on the arena. */
CH_FIBER CH_MUST_USE ch_status slack_channel_of(struct chan_acct *acct, const struct chan_peer *peer, struct arena *a,
						const char **ret, enum chan_outcome *ret_outcome, struct ch_err *err);

/* -- what goes out -- */

CH_FIBER CH_MUST_USE ch_status slack_send(struct chan_acct *acct, const struct chan_out *out, struct arena *a, struct chan_sent *ret,
					  struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_reconcile(struct chan_acct *acct, const struct chan_out *out, int64_t since_ms, struct arena *a,
					       struct chan_sent *ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_edit(struct chan_acct *acct, const char *message_id, const struct chan_out *out, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_remove(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id,
					    struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_react(struct chan_acct *acct, const struct chan_peer *peer, const char *message_id, const char *emoji,
					   bool is_removed, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_typing(struct chan_acct *acct, const struct chan_peer *peer, bool is_on, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_history(struct chan_acct *acct, const struct chan_peer *peer, int limit, struct arena *a,
					     struct json **ret, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_fetch(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status slack_send_files(struct chan_acct *acct, const struct chan_out *out, const char *channel,
						const char *thread, struct arena *a, struct chan_sent *ret, struct ch_err *err);
/* What is answered by a message stands in its thread. */
const char *slack_thread_of(const struct chan_out *out);
/* Appends the blocks of a text with its buttons: an array as JSON. */
void slack_blocks_write(struct buf *out, const char *text, const struct chan_button *buttons, size_t count);

/* -- slack_stream.c -- */

#define SLACK_STREAMS_MAX 256            /* known at once; then forgotten all: what still grows is noticed when it is changed */

CH_FIBER CH_MUST_USE ch_status slack_grow(struct chan_acct *acct, const struct chan_growth *g, struct arena *a, struct chan_sent *ret,
					  struct ch_err *err);
void slack_streams_free(struct slack *s);
/* It grew to exactly this text and has ended: no edit is needed. Said once. */
bool slack_stream_ended_as(struct chan_acct *acct, const char *ts, const char *text);
/* chat.update or chat.delete: what still grows, whoever knew of it, is ended first. */
CH_FIBER CH_MUST_USE ch_status slack_change(struct chan_acct *acct, const char *method, const struct slack_form *form, const char *channel,
					    const char *ts, struct arena *a, struct slack_answer *ret, struct ch_err *err);

/* -- slack_emoji.c -- */

/* Slack's name of an emoji, given as itself, as ":name:" or as a name; NULL: not known. On the arena. */
const char *slack_emoji_name(struct arena *a, const char *emoji);
/* The emoji of a name, else ":name:"; on the arena. */
const char *slack_emoji_text(struct arena *a, const char *name);

#endif
