/*
 * cli/again.h - this program started anew in its own process.
 */
#ifndef CH_CLI_AGAIN_H
#define CH_CLI_AGAIN_H

#include "core/err.h"

/*
 * Replaces the process by the program that stands at our path now (a newer one after an update), with our
 * arguments and environment. Returns only when that fails. Nothing of ours may still be open but what has
 * close-on-exec.
 */
CH_MUST_USE ch_status cli_exec_again(struct ch_err *err);

#endif
