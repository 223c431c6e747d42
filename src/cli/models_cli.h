/*
 * cli/models_cli.h - what the `models` commands share: the configuration file and the models it describes, without a gateway.
 */
#ifndef CH_CLI_MODELS_CLI_H
#define CH_CLI_MODELS_CLI_H

#include "cli/models_auth.h"
#include "models/route.h"

struct cli_models {
	struct config_store *store;
	struct config *config;           /* borrowed from the store, until it is written */
	struct db *db;                   /* or NULL */
	struct models *models;
};
void cli_models_done(struct cli_models *x);
#define AUTO_CLI_MODELS CH_AUTO_DONE(cli_models_done) struct cli_models

/* On failure too, cli_models_done() is due. */
CH_MUST_USE ch_status cli_models_begin(struct cli *c, bool with_db, struct cli_models *ret, struct ch_err *err);

#endif
