/*
 * channels/egress.h - what goes out, durable before it is sent: table channel_outbox.
 *
 * States  pending -> sending (intent committed, part n) -> … -> sent
 *         pending | sending -> failed (refused for good, or CHAN_TRIES used up) | unsure (it may have arrived; never repeated unless
 *         the platform makes repeats harmless) : both end as a notice to the operator (chan_up.notice) and stay listed.
 * Order   per place, first in first out; different places go side by side. An account that is not up keeps what it has.
 * Pace    limits.rate and peer_rate of the network; Retry-After is obeyed for the account or the place it was said for.
 * Retries CHAN_NOT_SENT: up to CHAN_TRIES with jittered backoff, or as long as the account is down, within CHAN_EXPIRES_MS.
 * Key     a message with a key that was there before is not made again (runs, tools and `send` give theirs).
 */
#ifndef CH_CHANNELS_EGRESS_H
#define CH_CHANNELS_EGRESS_H

#include "channels/host.h"
#include "channels/ingress.h"

#define CHAN_TRIES 8
#define CHAN_EXPIRES_MS (24LL * 3600000)
#define EGRESS_KEEP_MS (30LL * 86400000)
#define EGRESS_KEEP_MAX 20000
#define EGRESS_BUTTON_VALUE "v:"         /* what a button of an agent or a client carries begins with: never a token of our own cards */
#define EGRESS_OPEN_MAX 10000            /* waiting, of an account: past it egress_put() is CH_E_BUSY */

/*
 * A file to send: a path below the agent's workspace, an address (public ones only), or bytes. It is copied to
 * <state>/media/outbound when it is staged, and stays there as long as its row may be sent.
 */
struct chan_file {
	const char *path, *url, *name;
	bool as_voice, as_document, as_round;    /* round: a film as a video note, where the network has them */
	const char *data; size_t len;    /* instead of path and url; or NULL */
	const char *mime;                /* what the sender says, for bytes that do not tell; or NULL */
	const char *staged;              /* its name in media/outbound; set by egress_stage() */
};

/* A message as its author means it: Markdown of any length; the core renders and cuts. */
struct chan_message {
	const char *key;                 /* once per key; NULL: a new one */
	const char *channel, *account;   /* account NULL: the default one */
	struct chan_peer peer;
	const char *reply_to;            /* message id for the first part (or all, by replyToMode); or NULL */
	const char *text;                /* Markdown; or NULL */
	const struct chan_file *files; size_t file_count;
	const struct chan_button *buttons; size_t button_count;
	const struct chan_poll *poll;
	const struct chan_location *location;
	const char *handle, *ephemeral_to;
	const char *session_key, *run_id;        /* for notices and traces; or NULL */
	const char *origin;              /* "reply", "notice", "tool", "send", "card": what made it */
	const char *draft_id;            /* a message of ours that the first part replaces by an edit; or NULL */
	bool may_attach;                 /* egress_reply(): MEDIA: lines of the text name files of the workspace; the owner's turns */
	bool is_silent;
	bool is_pinned;                  /* its first part stays at the top of the chat; CHAN_PIN */
	bool is_batch;                   /* answers several messages at once (replyToMode "batched") */
	const char *prefix;              /* put in front of the text; set by egress_put() */
};
struct chan_receipt {
	int64_t id;                      /* of the outbox row */
	const char *state;               /* "pending", "sent", … */
	const char *message_id;          /* of the last part */
	const char *const *message_ids; size_t message_count;
	const char *error;
};

struct chan_egress *egress_new(struct chan_host *h);
void egress_free(struct chan_egress *e);
CH_FIBER CH_MUST_USE ch_status egress_start(struct chan_egress *e, struct ch_err *err);
CH_FIBER void egress_drain(struct chan_egress *e, int64_t deadline_ms);
/* The account has logged in: what waited for that, or for a next try, goes at once. */
void egress_came_up(struct chan_egress *e, const char *channel, const char *account);
/* Something was put, or the account's keys changed. */
void egress_wake(struct chan_egress *e, const char *channel, const char *account);

/*
 * Committed when it returns CH_OK (within the caller's transaction, if one is open: then call egress_wake() after it).
 * *ret_id is the row's; CH_E_EXISTS: the key was there, *ret_id is the one that has it. CH_E_INVALID: such a message cannot be sent
 * there (no such account, too many buttons, an empty text).
 */
CH_MUST_USE ch_status egress_put(struct chan_egress *e, const struct chan_message *m, int64_t *ret_id, struct ch_err *err);
/*
 * Copies and fetches the files of a message, so that egress_put() has nothing to wait for: *m gets them staged (arena). Paths are
 * those of the agent's workspace (agent_id). What is not put afterwards is given to egress_unstage().
 */
CH_FIBER CH_MUST_USE ch_status egress_stage(struct chan_egress *e, const char *agent_id, struct chan_message *m, struct arena *a,
					    struct ch_err *err);
void egress_unstage(struct chan_egress *e, const struct chan_message *m);
/*
 * A reply as the model wrote it: tags and MEDIA: lines are taken out of m->text and obeyed, files staged (those that cannot be
 * are named in the text), replyToMode and responsePrefix applied; strings on the arena. m->reply_to comes in as the message
 * that is answered. *ret_is_silent: nothing is to be said (NO_REPLY), do not put it.
 */
CH_FIBER CH_MUST_USE ch_status egress_reply(struct chan_egress *e, const char *agent_id, struct arena *a, struct chan_message *m,
					    bool *ret_is_silent, struct ch_err *err);
/* Until it was sent, failed or is unsure, or the deadline (CH_E_TIMEOUT: it stays in the queue). */
CH_FIBER CH_MUST_USE ch_status egress_wait(struct chan_egress *e, int64_t id, int64_t deadline_ms, struct arena *a,
					   struct chan_receipt *ret, struct ch_err *err);
/* Its last part is known to have arrived as this message, a button of it having been pressed: one whose answer was lost is sent. */
CH_MUST_USE ch_status egress_arrived(struct chan_egress *e, int64_t id, const char *message_id, struct ch_err *err);
/* Failed and unsure ones, newest first; and again: CH_E_CONFLICT when it is neither. */
struct egress_row { int64_t id; const char *channel, *account, *state, *error, *text, *session_key, *origin; struct chan_peer peer;
		    int attempts; int64_t created_at, ended_at; };
CH_MUST_USE ch_status egress_dead(struct chan_egress *e, const char *channel, const char *account, size_t limit, struct arena *a,
				  void (*each)(void *arg, const struct egress_row *r), void *arg, struct ch_err *err);
CH_MUST_USE ch_status egress_resubmit(struct chan_egress *e, int64_t id, struct ch_err *err);
/* How many wait, of an account. */
size_t egress_waiting(struct chan_egress *e, const char *channel, const char *account);

/*
 * Things that are done at once and not kept: for `message.action` and the tool. CH_E_UNSUPPORTED names what the network can.
 * They obey the same pace.
 */
CH_FIBER CH_MUST_USE ch_status egress_edit(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
					   const char *message_id, const char *markdown, const struct chan_button *buttons,
					   size_t button_count, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status egress_remove(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
					     const char *message_id, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status egress_react(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
					    const char *message_id, const char *emoji, bool is_removed, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status egress_read(struct chan_egress *e, const char *channel, const char *account, const struct chan_peer *peer,
					   int limit, struct arena *a, struct json **ret, struct ch_err *err);

#endif
