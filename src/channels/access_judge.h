/*
 * channels/access_judge.h - the judgement behind chan_authorise(), with all it depends on given in: for access.c and its tests.
 */
#ifndef CH_CHANNELS_ACCESS_JUDGE_H
#define CH_CHANNELS_ACCESS_JUDGE_H

#include "channels/access.h"
#include "channels/gate.h"
#include "channels/pairing.h"

struct access_env {
	const struct chan_ops *ops;
	const struct config *config;     /* the current snapshot: groups of senders, owners, bindings, patterns */
	const struct chan_cfg *cfg;      /* the account's keys */
	const char *account;
	const char *self_id, *self_username;     /* or NULL */
	struct chan_pairing *pairing;    /* NULL: nobody was paired */
	struct chan_gate *gate;
	struct db *db;                   /* what /activation said; NULL: nothing */
	const struct chan_up *up;        /* is_command and identity are asked; or NULL */
	/* Did we answer in this thread? For networks with rooms.follows_threads; NULL: no. */
	bool (*is_in_thread)(void *arg, const char *session_key);
	void *is_in_thread_arg;
};
/* All on the arena; `in` is borrowed, the configuration is not. */
const struct chan_access *access_judge(const struct access_env *env, const struct chan_in *in, struct arena *a);
bool access_context_allows(const struct access_env *env, const struct chan_access *x, const char *sender_id, bool is_quote);
bool access_dms_are_shared(const struct access_env *env);

/* chan_check_config() for these networks. */
void access_check_all(const struct chan_ops *const *networks, size_t count, struct config *c,
		      void (*issue)(void *arg, bool is_error, const char *path, const char *text), void *arg);

#endif
