/*
 * cli/models_auth.h - what the `models auth` commands share.
 *
 * They work on the rows themselves, with and without a running gateway: it
 * reads them when it needs them, so it sees a change at once. Secrets come in
 * by standard input or a prompt that does not show them, never by argv.
 */
#ifndef CH_CLI_MODELS_AUTH_H
#define CH_CLI_MODELS_AUTH_H

#include "cli/cli.h"
#include "models/auth_store.h"

/* Whose credentials --agent means: "" the shared ones (also for the default agent). */
CH_MUST_USE ch_status cli_auth_owner(struct cli *c, const struct config *cfg, const char **ret, struct ch_err *err);
/* --provider in lower case; CH_E_INVALID when it is missing. */
CH_MUST_USE ch_status cli_auth_provider(struct cli *c, const char **ret, struct ch_err *err);
/* One line that a terminal does not show; from a pipe it is just read. Trimmed; wiped with the secret. */
CH_FIBER CH_MUST_USE ch_status cli_read_secret(struct cli *c, const char *prompt, struct secret **ret,
					       struct ch_err *err);
/* For people, where stdout may be a document. */
void cli_note(const char *fmt, ...) CH_PRINTF(1, 2);
/* {ok, profileId, provider} or a line. */
void cli_auth_saved(struct cli *c, const char *id, const char *provider);

#endif
