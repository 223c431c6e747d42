/*
 * models/aws_creds.h - the credentials for Amazon Bedrock, in the order of
 * AWS's own programs:
 *
 *	AWS_BEARER_TOKEN_BEDROCK                                a Bedrock API key: shown, nothing is signed
 *	AWS_ACCESS_KEY_ID, _SECRET_ACCESS_KEY, _SESSION_TOKEN
 *	the profile AWS_PROFILE (or "default") of ~/.aws/credentials and ~/.aws/config
 *	the instance's role, from its metadata service (IMDSv2), when the configuration asks for it
 *
 * Owns    struct aws_creds owns its secrets; aws_creds_done() wipes them. The cache keeps a role's until they end.
 * Waits   only for the metadata service, a few seconds at most.
 * Fails   CH_E_NOT_FOUND there are none (err says how to get some); CH_E_DENIED a profile that needs another program.
 */
#ifndef CH_MODELS_AWS_CREDS_H
#define CH_MODELS_AWS_CREDS_H

#include "config/config.h"
#include "core/loop.h"

struct http_client;
struct aws_cache;

struct aws_creds {
	struct secret *bearer;           /* then nothing else is set */
	struct secret *id, *key;
	struct secret *token;            /* of a session, or NULL */
	int64_t expires_at;              /* wall ms; 0: does not expire */
};

struct aws_want {
	struct http_client *http;
	struct aws_cache **cache;        /* made when it is needed */
	bool may_ask_instance;
};

CH_FIBER CH_MUST_USE ch_status aws_creds_load(const struct aws_want *want, struct aws_creds *ret, struct ch_err *err);
void aws_creds_done(struct aws_creds *c);
void aws_cache_free(struct aws_cache *cache);
/* AWS_REGION, AWS_DEFAULT_REGION, the profile's, "us-east-1". On the arena. */
const char *aws_region(struct arena *a);
/* The region in "https://bedrock-runtime.eu-west-1.amazonaws.com", or NULL. On the arena. */
const char *aws_region_of_url(struct arena *a, const char *url);

/* -- for tests -- */

/* The value of a key in a section of an AWS profile file, trimmed, on the arena; NULL when absent. */
const char *aws_ini_get(struct arena *a, const char *text, const char *section, const char *key);

#endif
