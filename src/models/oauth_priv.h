/*
 * models/oauth_priv.h - what the oauth_*.c share. Internal to models/.
 */
#ifndef CH_MODELS_OAUTH_PRIV_H
#define CH_MODELS_OAUTH_PRIV_H

#include "models/oauth.h"

/* https, or http to this machine. */
CH_MUST_USE ch_status oauth_check_url(struct arena *a, const char *what, const char *text, struct ch_err *err);
enum guard_policy oauth_guard(struct arena *a, const struct oauth_server *s, const char *url);

#endif
