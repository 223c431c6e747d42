/*
 * models/dialect_openai.c - what OpenAI's two APIs share: efforts, the key and
 * the life of the prompt cache, the service tier.
 */
#include "models/dialect_openai.h"

#include <string.h>

#include "core/crypto.h"
#include "core/str.h"

#define CACHE_KEY_LEN 32
#define CACHE_TTL_FROM 506               /* GPT-5.6 took prompt_cache_options, older ones a retention */

bool openai_is_native(const struct model_entry *m)
{
	return str_eq(m->provider, "openai");
}

/* … at its own address: what stands in its place may refuse the cache's and the tier's members. */
static bool is_direct(const struct model_entry *m)
{
	return openai_is_native(m) && (!m->base_url || strstr(m->base_url, "//api.openai.com"));
}

static bool takes_effort(const struct model_entry *m, const char *effort)
{
	const struct json *list = json_get(m->compat, "supportedReasoningEfforts");

	if (!list)
		return str_eq(effort, "low") || str_eq(effort, "medium") || str_eq(effort, "high");
	json_each(v, list) {
		if (str_eq(json_str(v), effort))
			return true;
	}
	return false;
}

/* The nearest effort at or below `at`; when there is none, the smallest above. */
static const char *nearest_effort(const struct model_entry *m, int at)
{
	static const char *const words[] = { "minimal", "low", "medium", "high", "xhigh", "max" };

	for (int i = at; i >= 0; i--) {
		if (takes_effort(m, words[i]))
			return words[i];
	}
	for (int i = at + 1; i < (int)CH_ARRAY_LEN(words); i++) {
		if (takes_effort(m, words[i]))
			return words[i];
	}
	return NULL;
}

const char *openai_effort(const struct model_entry *m, enum thinking_level level)
{
	switch (level) {
	case THINK_OFF: return takes_effort(m, "none") ? "none" : NULL;
	case THINK_ADAPTIVE: return NULL;
	case THINK_MINIMAL: return nearest_effort(m, 0);
	case THINK_LOW: return nearest_effort(m, 1);
	case THINK_MEDIUM: return nearest_effort(m, 2);
	case THINK_HIGH: return nearest_effort(m, 3);
	case THINK_XHIGH: return nearest_effort(m, 4);
	case THINK_MAX:
	case THINK_ULTRA: return nearest_effort(m, 5);
	}
	return NULL;
}

int openai_version(const char *id)
{
	int major = 0, minor = 0;

	if (!str_starts(id, "gpt-"))
		return 0;
	for (id += 4; *id >= '0' && *id <= '9' && major < 100; id++)
		major = 10 * major + (*id - '0');
	if (*id == '.' && id[1] >= '0' && id[1] <= '9')
		minor = id[1] - '0';
	return 100 * major + minor;
}

/* Before 5.6 only some models keep a cache for a day. */
static bool keeps_a_day(const struct model_entry *m)
{
	static const char *const families[] = { "gpt-5.5", "gpt-5.4", "gpt-5.2", "gpt-5.1", "gpt-4.1" };

	if (!openai_is_native(m) || str_eq(m->id, "gpt-5") || str_starts(m->id, "gpt-5-codex"))
		return true;
	for (size_t i = 0; i < CH_ARRAY_LEN(families); i++) {
		size_t n = strlen(families[i]);

		if (strncmp(m->id, families[i], n) == 0 && (m->id[n] == '\0' || m->id[n] == '-'))
			return true;
	}
	return false;
}

void openai_write_cache(struct jw *w, const struct model_call *call, const struct model_entry *m, bool may_last)
{
	enum retention keep = param_retention(call, NULL);
	char digest[2 * SHA256_LEN + 1];

	if (!call->session_key || keep == RETAIN_NONE || !compat_flag(m, "supportsPromptCacheKey", is_direct(m)))
		return;
	sha256_hex(call->session_key, strlen(call->session_key), digest);
	jw_key(w, "prompt_cache_key");
	jw_strn(w, digest, CACHE_KEY_LEN);
	if (!may_last || keep != RETAIN_LONG || !compat_flag(m, "supportsLongCacheRetention", true))
		return;
	if (openai_version(m->id) >= CACHE_TTL_FROM) {
		jw_kobj(w, "prompt_cache_options");
		jw_kstr(w, "ttl", "30m");
		jw_end(w);
	} else if (keeps_a_day(m)) {
		jw_kstr(w, "prompt_cache_retention", "24h");
	}
}

void openai_write_tier(struct jw *w, const struct model_call *call, const struct model_entry *m)
{
	const char *tier = param_tier(call);

	if (!tier && param_is_fast(call) && is_direct(m))
		tier = "priority";
	jw_kstr_opt(w, "service_tier", tier);
}

void openai_write_sampling(struct jw *w, const struct model_call *call, const struct model_entry *m)
{
	if (openai_is_native(m) && m->reasoning && !compat_has(m, "supportsTemperature"))
		return;
	param_write_sampling(w, call, m, "temperature", "top_p");
}

int64_t openai_max_tokens(const struct model_call *call, const struct model_entry *m)
{
	int64_t max = param_max_tokens(call);

	return max || !m->configured ? max : m->max_tokens;
}
