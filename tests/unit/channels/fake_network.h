/*
 * fake_network.h - two networks that do what a test says, for unit tests of the channel core.
 *
 * "telegram" (all abilities, Telegram's keys, so that the schema's defaults hold) and "irc" (none: no ids, edits, media).
 * What is sent is recorded; the next answers are queued by fake_answer(). Nothing is sent anywhere, nothing waits unless told.
 *
 *	fake_reset();
 *	h = chan_host_new(&(struct chan_host_opts){ …, .networks = fake_networks });
 *	fake_answer((struct fake_answer){ CHAN_NOT_SENT, .retry_after_ms = 2000 });
 */
#ifndef CH_TESTS_FAKE_NETWORK_H
#define CH_TESTS_FAKE_NETWORK_H

#include "channels/host.h"

/* NULL-ended: fake_full ("telegram") and fake_plain ("irc"), sorted by id. */
extern const struct chan_ops *const fake_networks[];
extern const struct chan_ops fake_full, fake_plain;

enum fake_what { FAKE_SEND, FAKE_EDIT, FAKE_REMOVE, FAKE_REACT, FAKE_TYPING, FAKE_RECONCILE, FAKE_STREAM, FAKE_FETCH };
/* A call of the core, in the order they came; texts are copies, NULL stays NULL. */
struct fake_call {
	enum fake_what what;
	char *channel, *account, *peer, *thread, *message_id, *reply_to, *text, *plain, *key, *handle, *emoji, *ephemeral_to;
	size_t media_count, button_count;
	char *media_name;                /* of the first */
	char *button_data;               /* of the first */
	bool is_removed, is_on, is_silent, has_poll, is_end;
};
/* How the next call of a kind ends; without one: sent, with the ids "m1", "m2", … */
struct fake_answer {
	enum chan_outcome outcome;
	ch_status code;                  /* CH_OK: by outcome (BUSY, TIMEOUT, INVALID) */
	int retry_after_ms;
	const char *text;                /* of err, or the bytes of FAKE_FETCH; or NULL */
	const char *thread;              /* that a send opened; or NULL */
	bool hangs;                      /* waits until fake_release() or a cancel first */
};

void fake_reset(void);
size_t fake_count(enum fake_what what);
const struct fake_call *fake_at(enum fake_what what, size_t i);  /* fails the test when there is none */
void fake_answer(struct fake_answer a);                          /* of send */
void fake_answer_to(enum fake_what what, struct fake_answer a);
void fake_release(void);
size_t fake_hanging(void);
/* Runs of accounts: how many were begun; the next one ends by itself at once, or this one does now. */
size_t fake_runs(const char *channel, const char *account);
void fake_next_run(ch_status st, const char *text);
void fake_end_run(struct chan_acct *acct, ch_status st, const char *text);
/* The run says STARTING and goes no further until fake_connect(). */
void fake_hold_login(bool is_held);
void fake_connect(struct chan_acct *acct);

/* A message, ready for changes and chan_deliver(). */
struct chan_in fake_message(const char *event_id, enum chan_peer_kind kind, const char *peer, const char *sender, const char *text);

#endif
