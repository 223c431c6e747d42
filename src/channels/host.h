/*
 * channels/host.h - the accounts: which there are, who runs, how each stands; and the services that all of them share.
 *
 * Owns    every struct chan_acct, its fiber and its private part; the inbox and outbox workers.
 * Starts  an account for each that the configuration names unless enabled is false, or it was stopped by a person (kept over a
 *         restart). A change of the configuration ends and starts only the accounts whose effective keys changed.
 * Retries run() that ended: backoff from CHAN_BACKOFF_MIN_MS to CHAN_BACKOFF_MAX_MS with jitter, back to the least after
 *         CHAN_BACKOFF_RESET_MS of being connected. CH_E_DENIED and CH_E_UNPAIRED: CHAN_NEEDS_LOGIN, no retry before the keys
 *         change or a person starts it.
 * Lives   chan_host_new() before the agents (tools use it), chan_host_start() when runs can be taken, chan_host_drain(),
 *         chan_host_free() after the agents.
 */
#ifndef CH_CHANNELS_HOST_H
#define CH_CHANNELS_HOST_H

#include "channels/channel.h"
#include "channels/up.h"
#include "store/db.h"

#define CHAN_BACKOFF_MIN_MS 2000
#define CHAN_BACKOFF_MAX_MS 60000
#define CHAN_BACKOFF_RESET_MS 60000
#define CHAN_WEBHOOK_MAX 120             /* requests of one peer to one path */
#define CHAN_WEBHOOK_WINDOW_MS 60000     /* … within this time */
#define CHAN_LOG_LINES 200               /* of what happened, kept per account in memory */

struct chan_host;
struct chan_ingress;                     /* channels/ingress.h */
struct chan_egress;                      /* channels/egress.h */
struct chan_pairing;                     /* channels/pairing.h */
struct chan_gate;                        /* channels/gate.h */
struct chan_live;                        /* channels/live.h */

struct chan_host_opts {
	struct loop *loop;
	struct db *db;
	struct http_client *http;
	const char *state_dir;
	struct config *(*config)(void *arg);     /* borrowed snapshot */
	void *config_arg;
	const struct chan_ops *const *networks;  /* NULL-ended, sorted by id; NULL: those of table.c (tests give their own) */
};
struct chan_host *chan_host_new(const struct chan_host_opts *opts);
void chan_host_free(struct chan_host *h);
/* Who takes runs, hears of states and notices; before chan_host_start(). */
void chan_host_set_up(struct chan_host *h, const struct chan_up *up);
const struct chan_up *chan_host_up(const struct chan_host *h);
/* Takes up what a restart left (inbox, outbox), then starts the accounts. */
CH_FIBER CH_MUST_USE ch_status chan_host_start(struct chan_host *h, struct ch_err *err);
/* First half of going down: no account receives any more; what is being sent may end. */
CH_FIBER void chan_host_drain(struct chan_host *h, int64_t deadline_ms);
void chan_host_config_changed(struct chan_host *h);

struct loop *chan_host_loop(const struct chan_host *h);
struct db *chan_host_db(const struct chan_host *h);
struct http_client *chan_host_http(const struct chan_host *h);
const char *chan_host_state_dir(const struct chan_host *h);
struct config *chan_host_config(const struct chan_host *h);      /* borrowed until the next wait */
struct chan_ingress *chan_host_ingress(const struct chan_host *h);
struct chan_egress *chan_host_egress(const struct chan_host *h);
struct chan_pairing *chan_host_pairing(const struct chan_host *h);
struct chan_gate *chan_host_gate(const struct chan_host *h);     /* chan_gate_new() with the pairing, freed with it */
struct chan_live *chan_host_live(const struct chan_host *h);
/* A network of this host, or NULL. Use this where there is a host, not chan_find(). */
const struct chan_ops *chan_host_network(const struct chan_host *h, const char *id);

/* -- accounts -- */

struct chan_acct *chan_acct_ref(struct chan_acct *acct);
void chan_acct_unref(struct chan_acct *acct);
CH_AUTO_DEFINE(chan_acct_unref, struct chan_acct)
/* Borrowed; NULL: no such account. account NULL: the network's default one. */
struct chan_acct *chan_acct_find(struct chan_host *h, const char *channel, const char *account);
/* All, sorted by network and id; false ends the walk. */
void chan_acct_each(struct chan_host *h, bool (*each)(void *arg, struct chan_acct *acct), void *arg);
const struct chan_ops *chan_acct_ops(const struct chan_acct *acct);
struct chan_host *chan_acct_host(const struct chan_acct *acct);
/* Can it send now (CONNECTED or DEGRADED)? */
bool chan_acct_is_up(const struct chan_acct *acct);

struct chan_status {
	enum chan_state state;
	const char *detail;              /* or NULL */
	const char *last_error;          /* or NULL */
	bool is_enabled, is_configured, is_running, is_stopped_by_person;
	int64_t connected_at, started_at, stopped_at, last_error_at, alive_at, last_in_at, last_out_at, retry_at;  /* wall; 0: never */
	int64_t reconnects, failures;    /* failures: since it was last up for CHAN_BACKOFF_RESET_MS, or started by a person */
	const char *self_id, *self_name, *self_username;
};
void chan_acct_status(const struct chan_acct *acct, struct chan_status *ret);    /* borrowed until the next wait */
/* A line of what happened, for `chela channels logs`. */
void chan_acct_log(struct chan_acct *acct, const char *fmt, ...) CH_PRINTF(2, 3);
/* Messages that came to nothing since then: could not be handled, or sent, or may not have arrived. */
size_t chan_acct_dead_letters(const struct chan_acct *acct, int64_t since_ms);
void chan_acct_log_each(struct chan_acct *acct, void (*each)(void *arg, int64_t at_ms, const char *line), void *arg);

/* account NULL: all of the network. Stopping is remembered; starting forgets it. CH_E_NOT_FOUND names what there is. */
CH_FIBER CH_MUST_USE ch_status chan_start(struct chan_host *h, const char *channel, const char *account, struct ch_err *err);
CH_FIBER CH_MUST_USE ch_status chan_stop(struct chan_host *h, const char *channel, const char *account, struct ch_err *err);
/* Ends the login there, forgets cursors and pairing state of the account; the configuration's credential is the caller's. */
CH_FIBER CH_MUST_USE ch_status chan_logout(struct chan_host *h, const char *channel, const char *account, struct ch_err *err);

/* Does some account listen at this path? */
bool chan_webhook_takes(struct chan_host *h, const char *path);
/* Before the body is read: counts a request of the peer; > 0: it came too often (CHAN_WEBHOOK_MAX in CHAN_WEBHOOK_WINDOW_MS). */
int64_t chan_webhook_wait_ms(struct chan_host *h, const char *path, const char *peer_ip);
/* The whole request. reply->body is the caller's; 503 while the account does not run. One that is taken is not counted. */
CH_FIBER void chan_webhook(struct chan_host *h, const struct http_request *rq, struct chan_webhook_reply *reply);

/* -- private to channels/: events of an account's life, for the workers -- */
void chan_note_in(struct chan_acct *acct);
void chan_note_out(struct chan_acct *acct);
/* A message was refused for the login's sake. true: the first one since one went out. */
bool chan_note_refused(struct chan_acct *acct);

#endif
