/*
 * models/attempt.h - one HTTP exchange with a provider. Internal to models/.
 *
 * Owns    a target holds the key and a reference to the configuration from
 *         model_target_init() to model_target_done().
 * Waits   up to `silence_ms` for the answer and for each piece of it.
 */
#ifndef CH_MODELS_ATTEMPT_H
#define CH_MODELS_ATTEMPT_H

#include "models/auth.h"
#include "models/aws_creds.h"
#include "models/aws_sign.h"
#include "models/models_priv.h"
#include "net/http_client.h"

/* Events on their way to the caller; notes what the client must know of them. */
struct relay {
	model_event_fn fn;
	void *arg;
	bool had_output;                 /* something a person may have seen */
	int64_t first_ms;                /* when the first event came; 0: none yet */
};
bool relay_event(void *arg, const struct model_event *ev);

/* What a signature for AWS is made of. */
struct aws_place {
	struct aws_creds creds;
	const char *host, *path, *region;
	char date[AWS_DATE_LEN + 1];
};

struct model_target {
	struct models *m;
	const struct model_entry *entry;
	const struct dialect *dialect;
	struct config *config;
	struct auth_lease lease;
	struct buf credentials;          /* the authorisation header's value; wiped */
	VEC(struct http_header) headers;
	VEC(struct secret *) held;       /* what values of headers point into */
	const char *url;
	const char *body;
	size_t body_len;
	enum guard_policy guard;
	int64_t silence_ms;
	struct aws_place aws;            /* where the dialect's requests are signed */
	bool was_sent;                   /* the last attempt reached the provider */
};

/* Finds the key, builds the request. CH_E_NOT_FOUND: no key. On failure model_target_done() is due all the same. */
CH_FIBER CH_MUST_USE ch_status model_target_init(struct model_target *t, struct models *m, struct arena *a,
						 const struct model_call *call, const struct model_entry *entry,
						 const struct dialect *d, struct buf *body, struct ch_err *err);
void model_target_done(struct model_target *t);
/* Replaces the header of this name, or adds it; the value is borrowed. */
void target_set_header(struct model_target *t, const char *name, const char *value);

/* -- aws_target.c -- */

/* Are this target's credentials AWS's, instead of those of auth.h? */
bool aws_signs(const struct model_target *t);
/* The configured base URL, or the service's in the region of the environment. */
const char *aws_base_url(const struct model_target *t, struct arena *a);
CH_FIBER CH_MUST_USE ch_status aws_prepare(struct model_target *t, struct arena *a, struct ch_err *err);
/* Before each attempt; nothing happens when a bearer token is shown. */
CH_MUST_USE ch_status aws_sign_attempt(struct model_target *t, struct ch_err *err);

/* err->text says what happened, without naming the model. */
CH_FIBER CH_MUST_USE ch_status model_attempt(struct model_target *t, struct relay *relay, struct model_result *ret,
					     struct ch_err *err);
/* "5", "2.5" or a date (RFC 9110 10.2.3) to milliseconds from now; 0 when unreadable. */
int64_t retry_after_parse(const char *text, int64_t now_wall_ms);

#endif
