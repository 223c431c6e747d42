/*
 * channels/activation.h - what /activation said of a room's session, in place of requireMention.
 *
 * Lives   in table kv, by the session's key. Reading that fails is ACTIVATION_UNSET and a line in the log.
 */
#ifndef CH_CHANNELS_ACTIVATION_H
#define CH_CHANNELS_ACTIVATION_H

#include "store/db.h"

enum activation { ACTIVATION_UNSET, ACTIVATION_MENTION, ACTIVATION_ALWAYS };
enum activation activation_of(struct db *db, const char *session_key);
/* ACTIVATION_UNSET: the configuration's again. */
CH_MUST_USE ch_status activation_set(struct db *db, const char *session_key, enum activation a, struct ch_err *err);

#endif
