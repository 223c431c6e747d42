/*
 * sessions/key.h - the grammar of session keys: "agent:<agentId>:<rest>".
 *
 * agentId is ^[a-z0-9][a-z0-9_-]{0,63}$, lower case. <rest> as in
 * docs/compatibility.md ("main", "<channel>:direct:<peer>", "cron:<id>:run:<id>", …).
 */
#ifndef CH_SESSIONS_KEY_H
#define CH_SESSIONS_KEY_H

#include "core/arena.h"
#include "core/err.h"

#define SESS_KEY_MAX 512
#define AGENT_ID_MAX 64

struct sess_key {
	const char *key;                 /* canonical, whole */
	const char *agent_id;
	const char *rest;
};

bool agent_id_valid(const char *id);
/*
 * Canonical form: "main" and "" give agent:<default>:main; a bare key gets the
 * agent's prefix; ASCII letters are lowered but in ids that their network tells apart
 * by case (matrix, signal groups). "global" and "unknown" stand for themselves.
 * CH_E_INVALID for control bytes, over-long keys and bad agent ids. default_agent
 * NULL: "main".
 */
CH_MUST_USE ch_status sess_key_parse(struct arena *a, const char *text, const char *default_agent,
				     struct sess_key *ret, struct ch_err *err);
/* "direct", "group", "global" or "unknown"; and the classification: main|direct|group|cron|subagent|… */
const char *sess_key_kind(const char *key);
/* By the key alone; a key that says nothing is "custom", and a row's chat_type may then say more. */
const char *sess_key_classification(const char *key);
bool sess_key_is_main(const char *key);
/* Runs by itself: cron, subagent, hook, … */
bool sess_key_is_background(const char *key);

#endif
