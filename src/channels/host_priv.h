/*
 * channels/host_priv.h - the host and an account from inside; for host.c, acct.c, supervise.c, deliver.c and webhook.c.
 *
 * An account's life
 *
 *	         settle(): wanted, no fiber, no retry pending
 *	(created) ----------------------> [fiber: check, ops->run] --> ended
 *	    ^                                   |  cancelled by end_run()   |
 *	    |                                   v                           v
 *	    +---- retry timer <---- BACKOFF   stopped, keys changed:      CH_E_DENIED, CH_E_UNPAIRED:
 *	                                      settle() decides anew       NEEDS_LOGIN until keys change
 *
 * Each run has a fiber of its own, so that a cancelled one never has to be used again and a waiting account costs a timer.
 */
#ifndef CH_CHANNELS_HOST_PRIV_H
#define CH_CHANNELS_HOST_PRIV_H

#include "channels/host.h"
#include "core/fiber.h"
#include "core/vec.h"

struct chan_log_line { int64_t at_ms; char *text; };

struct chan_acct {
	int refs;
	struct chan_host *host;          /* outlives what uses it */
	const struct chan_ops *ops;
	char *id;
	struct chan_cfg *cfg;            /* of the run, or for the next one */
	struct chan_cfg *next_cfg;       /* the keys changed while a run is ending; NULL: they did not */

	/* What is wanted. */
	bool is_enabled, is_stopped_by_person, is_removed;
	bool is_gone;                    /* not in the host's list any more: nothing comes of it */
	bool is_configured;              /* as far as can be told without logging in */

	/* What is. */
	enum chan_state state;
	char *detail, *last_error;
	char *self_id, *self_name, *self_username;
	struct fiber *fiber;             /* of the run; NULL: none */
	struct fiber *menu;              /* telling the network its commands; NULL: none */
	uint64_t menu_hash;              /* of what it was told in this run; 0: nothing */
	bool is_ending;                  /* the fiber was cancelled by us */
	bool is_silent;                  /* … because the platform gave no sign of life */
	bool needs_login;                /* no run before the keys change or a person starts it */
	struct fiber_cond changed;       /* the fiber ended */
	struct loop_timer *retry, *silence;
	int64_t backoff_ms;              /* of the next failure */
	int64_t up_mono_ms;              /* since when it is up; 0: it is not */
	int64_t alive_mono_ms;
	int64_t connected_at, started_at, stopped_at, last_error_at, alive_at, last_in_at, last_out_at, retry_at;
	int64_t reconnects, failures;
	bool has_connected;              /* in this process */
	size_t inbox_room;               /* at least so many more messages can be taken; 0: to be counted */
	bool is_refused;                 /* a message was refused for the login's sake, and the operator was told */
	void *priv;
	VEC(struct chan_log_line) log;   /* oldest first; at most CHAN_LOG_LINES */
};

struct chan_host {
	struct loop *loop;
	struct db *db;
	struct http_client *http;
	char *state_dir;
	const struct chan_ops *const *networks;  /* NULL-ended, sorted by id */
	struct config *(*config)(void *arg);
	void *config_arg;
	struct chan_up up;
	VEC(struct chan_acct *) accts;   /* sorted by network and id */
	bool is_started, is_draining;
	struct chan_ingress *ingress;
	struct chan_egress *egress;
	struct chan_pairing *pairing;
	struct chan_gate *gate;
	struct chan_live *live;
	struct webhook_pace *webhook_pace;       /* NULL: none came yet */
};

/* -- acct.c -- */
struct chan_acct *acct_new(struct chan_host *h, const struct chan_ops *ops, const char *id);
/* Reads what is kept of it (table channel_accounts). */
CH_MUST_USE ch_status acct_load(struct chan_acct *acct, struct ch_err *err);
CH_MUST_USE ch_status acct_keep_stopped(struct chan_acct *acct, bool is_stopped, struct ch_err *err);
/* It is not in the list any more; who has a reference may still read it. */
void acct_gone(struct chan_acct *acct);
/* Sets the state, tells it up and to the log of the account. */
void acct_set_state(struct chan_acct *acct, enum chan_state state, const char *detail);
void acct_set_error(struct chan_acct *acct, const char *text);

/* -- supervise.c -- */
/* Reads the accounts of the configuration and brings each to what is wanted. */
void supervise_all(struct chan_host *h);
/* Starts, ends or leaves it, as wanted; safe at any time. */
void supervise(struct chan_acct *acct);
/* Waits until no account (NULL) or this one has a run that is ending. */
CH_FIBER CH_MUST_USE ch_status supervise_wait(struct chan_host *h, struct chan_acct *acct, int64_t deadline_ms,
					      struct ch_err *err);

/* -- webhook.c -- */
void webhook_free(struct chan_host *h);

/* -- menu.c -- */
/* It came up, or the configuration changed: tells the network its commands unless it knows them. */
void menu_offer(struct chan_acct *acct);
/* The run is over. */
CH_FIBER void menu_end(struct chan_acct *acct);

#endif
