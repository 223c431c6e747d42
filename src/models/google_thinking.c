/*
 * models/google_thinking.c - thinking levels as Gemini takes them: from
 * version 3 on a level, before that a budget of tokens (-1: as the model
 * likes). Not every model takes every level or none at all.
 */
#include <string.h>

#include "core/str.h"
#include "models/dialect_google.h"

#define NEWEST 999
#define BUDGET_OF_ITS_OWN (-1)

const char *google_bare_id(const char *id)
{
	return str_starts(id, "models/") ? id + strlen("models/") : id;
}

int google_version(const char *id)
{
	int major = 0, minor = 0;

	id = google_bare_id(id);
	if (!str_starts(id, "gemini-"))
		return 0;
	id += strlen("gemini-");
	if (str_ends(id, "-latest") && (*id < '0' || *id > '9'))
		return NEWEST;
	for (; *id >= '0' && *id <= '9' && major < 10; id++)
		major = 10 * major + (*id - '0');
	if (*id == '.' && id[1] >= '0' && id[1] <= '9')
		minor = id[1] - '0';
	return 100 * major + minor;
}

static const char *const levels[] = { "minimal", "low", "medium", "high" };

static bool takes_level(const struct model_entry *m, size_t level)
{
	const struct json *list = json_get(m->compat, "supportedReasoningEfforts");

	json_each(v, list) {
		if (str_eq(json_str(v), levels[level]))
			return true;
	}
	if (list)
		return false;
	if (str_starts(google_bare_id(m->id), "gemma-"))
		return level == 0 || level == 3;
	if (!strstr(m->id, "pro"))
		return true;
	return level == 1 || level == 3 || (level == 2 && google_version(m->id) >= 301);
}

/* The nearest at or below, else the smallest above. */
static const char *nearest_level(const struct model_entry *m, size_t at)
{
	for (size_t i = at + 1; i-- > 0;) {
		if (takes_level(m, i))
			return levels[i];
	}
	for (size_t i = at + 1; i < CH_ARRAY_LEN(levels); i++) {
		if (takes_level(m, i))
			return levels[i];
	}
	return NULL;
}

static void write_level(struct jw *w, const struct model_entry *m, enum thinking_level level)
{
	static const size_t at[] = {
		[THINK_OFF] = 0,  [THINK_MINIMAL] = 0, [THINK_LOW] = 1, [THINK_MEDIUM] = 2,
		[THINK_HIGH] = 3, [THINK_XHIGH] = 3,   [THINK_MAX] = 3, [THINK_ULTRA] = 3,
	};
	const char *name = level == THINK_ADAPTIVE ? NULL : nearest_level(m, at[level]);
	char upper[16];
	size_t n = 0;

	for (; name && name[n]; n++)
		upper[n] = (char)(name[n] - 'a' + 'A');
	upper[n] = '\0';
	jw_kobj(w, "thinkingConfig");
	if (level != THINK_OFF)
		jw_kbool(w, "includeThoughts", true);
	if (name)
		jw_kstr(w, "thinkingLevel", upper);
	jw_end(w);
}

static int64_t budget_of(const struct model_entry *m, enum thinking_level level)
{
	bool is_pro = strstr(m->id, "pro") != NULL;

	switch (level) {
	case THINK_OFF: return 0;
	case THINK_MINIMAL: return strstr(m->id, "lite") ? 512 : 128;
	case THINK_LOW: return 2048;
	case THINK_MEDIUM: return 8192;
	case THINK_ADAPTIVE: return BUDGET_OF_ITS_OWN;
	default: return is_pro ? 32768 : 24576;
	}
}

void google_write_thinking(struct jw *w, const struct model_entry *m, enum thinking_level level)
{
	bool is_gemma = str_starts(google_bare_id(m->id), "gemma-");
	int64_t budget;

	if (!m->reasoning)
		return;
	if (is_gemma || google_version(m->id) >= 300) {
		if (!is_gemma || level != THINK_OFF)
			write_level(w, m, level);
		return;
	}
	budget = budget_of(m, level);
	if (budget == 0 && strstr(m->id, "pro"))        /* it always thinks and refuses to be told not to */
		return;
	jw_kobj(w, "thinkingConfig");
	if (budget)
		jw_kbool(w, "includeThoughts", true);
	jw_kint(w, "thinkingBudget", budget);
	jw_end(w);
}
