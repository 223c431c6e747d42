/*
 * cli/channels_cli.h - what the `channels` commands share.
 */
#ifndef CH_CLI_CHANNELS_CLI_H
#define CH_CLI_CHANNELS_CLI_H

#include "channels/channel.h"
#include "cli/rpc.h"

#define CHANNEL_OPT { "channel", 0, "<id>", "the network: telegram, slack, discord, irc" }
#define ACCOUNT_OPT { "account", 0, "<id>", "the account (default: the network's default one)" }

/*
 * --channel (or the first argument) and --account. A blank value is refused: an empty variable of a script must not mean
 * another one. CH_E_NOT_FOUND: no such network. ops NULL is allowed only when is_needed is false.
 */
CH_MUST_USE ch_status cli_channel_opts(struct cli *c, bool is_needed, const struct chan_ops **ret_ops, const char **ret_account,
				       struct ch_err *err);
/* {channel?, accountId?} for a call. */
struct json *cli_channel_params(struct cli *c, const struct chan_ops *ops, const char *account);

#endif
