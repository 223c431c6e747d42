/*
 * channels/mention.h - are we addressed by a text: patterns of the configuration, else the agent's name and emoji.
 *
 * Source  agents.entries.<id>.groupChat.mentionPatterns, else messages.groupChat.mentionPatterns, else derived from the identity;
 *         an empty list is a decision for none. channels.<id>.mentionPatterns says in which rooms they count.
 * Safe    a pattern in which something repeated is repeated again ("(a+)+") is not used, as are constructs that JavaScript does
 *         not have; what is left is bounded by core/regex.h. A text whose match gives up does not match.
 */
#ifndef CH_CHANNELS_MENTION_H
#define CH_CHANNELS_MENTION_H

#include "channels/channel.h"
#include "channels/gate.h"

/* Whose names and whose room. */
struct mention_of {
	const struct config *config;
	const struct chan_cfg *cfg;
	struct chan_gate *gate;
	const struct chan_ops *ops;
	const struct chan_peer *peer;
	const char *agent_id;
	const char *name, *emoji;        /* of the agent; or NULL */
};

enum mention { MENTION_NO_PATTERNS, MENTION_NOT, MENTION_YES };
enum mention mention_test(const struct mention_of *m, const char *text, struct arena *a);

/* May this expression be used? err says why not. */
CH_MUST_USE ch_status mention_pattern_check(const char *pattern, struct ch_err *err);

/* The text without our own name in front ("@bot /new", "<@U1> /new", "bot: /new") and in a command ("/new@bot"). */
const char *mention_strip(struct arena *a, const char *text, const char *self_id, const char *self_username);

#endif
