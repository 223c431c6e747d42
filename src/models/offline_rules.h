/*
 * models/offline_rules.h - what the offline model makes of a text. Pure:
 * words in, an action out. Internal to models/.
 */
#ifndef CH_MODELS_OFFLINE_RULES_H
#define CH_MODELS_OFFLINE_RULES_H

#include "core/json.h"

enum offline_kind { OFFLINE_SAY, OFFLINE_COUNT, OFFLINE_CALL };

struct offline_action {
	enum offline_kind kind;
	const char *text;                /* SAY: Markdown */
	int count;                       /* COUNT: up to this number */
	const char *tool;                /* CALL: "list", "exec", … */
	struct json *args;               /* CALL: an object */
};

#define OFFLINE_COUNT_MAX 500

/* On the arena. Never fails: what is not understood is echoed with a hint. */
void offline_understand(struct arena *a, const char *text, struct offline_action *ret);
/* A tool's answer in words. asked: the user's text, to pick what it was about. */
const char *offline_summarize(struct arena *a, const char *tool, const char *result, bool is_error, const char *asked);

#endif
