/*
 * channels/target.h - a person's or a tool's words for a place: "telegram:123", "@name", "channel:C1", "-100123:topic:4".
 *
 * The network is the one that is named, the one whose name the target begins with, else the only one that is configured; the
 * account the one that is named, else the network's default. No I/O: names that only the platform knows are the platform's
 * to refuse.
 * Lives   until the next wait: the account is borrowed; strings are on the arena.
 */
#ifndef CH_CHANNELS_TARGET_H
#define CH_CHANNELS_TARGET_H

#include "channels/host.h"

struct chan_target {
	const struct chan_ops *ops;
	const char *account;             /* its id */
	struct chan_peer peer;
};

/*
 * channel, account, thread may be NULL; text NULL: the account's defaultTo. CH_E_INVALID names what there is, or why the words
 * are no place there.
 */
CH_MUST_USE ch_status chan_target(struct chan_host *h, const char *channel, const char *account, const char *text,
				  const char *thread, struct arena *a, struct chan_target *ret, struct ch_err *err);
/* Do messages there have buttons? capabilities.inlineButtons: off, dm, group; else wherever the network has them. */
bool chan_has_buttons(struct chan_host *h, const char *channel, const char *account, const struct chan_peer *peer);
/* The same place? Threads count. */
bool chan_same_place(const struct chan_peer *a, const struct chan_peer *b);

#endif
