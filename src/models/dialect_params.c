/*
 * models/dialect_params.c - what a request says besides its messages, as the
 * dialects share it: settings of the configuration, the choice of tools, the
 * ids of calls.
 */
#include <stdlib.h>

#include "core/crypto.h"
#include "core/str.h"
#include "models/dialect.h"

const struct json *param_get(const struct model_call *call, const char *name, const char *snake_name)
{
	const struct json *v = json_get(call->params, name);

	return v || !snake_name ? v : json_get(call->params, snake_name);
}

static enum retention retention_of(const char *word)
{
	static const char *const words[] = {
		[RETAIN_NONE] = "none", [RETAIN_SHORT] = "short", [RETAIN_LONG] = "long",
	};

	for (size_t i = RETAIN_NONE; i < CH_ARRAY_LEN(words); i++) {
		if (str_eq(word, words[i]))
			return (enum retention)i;
	}
	return RETAIN_DEFAULT;
}

enum retention param_retention(const struct model_call *call, bool *ret_is_explicit)
{
	enum retention r = retention_of(json_str(param_get(call, "cacheRetention", "cache_retention")));

	if (ret_is_explicit)
		*ret_is_explicit = r != RETAIN_DEFAULT;
	return r != RETAIN_DEFAULT ? r : retention_of(getenv("OPENCLAW_CACHE_RETENTION"));
}

int64_t param_num_ctx(const struct model_call *call, const struct model_entry *m)
{
	int64_t asked = json_int_or(param_get(call, "num_ctx", "numCtx"), 0);

	return asked > 0 ? asked : CH_MAX(m->context_window, 0);
}

int64_t param_max_tokens(const struct model_call *call)
{
	if (call->max_tokens > 0)
		return call->max_tokens;
	return CH_MAX(json_int_or(param_get(call, "maxTokens", "max_tokens"), 0), 0);
}

bool param_is_fast(const struct model_call *call)
{
	return call->is_fast || json_bool_or(param_get(call, "fastMode", "fast_mode"), false);
}

const char *param_tier(const struct model_call *call)
{
	const char *tier = json_str(param_get(call, "serviceTier", "service_tier"));

	return str_empty(tier) ? NULL : tier;
}

static void write_number(struct jw *w, const char *name, const struct json *v)
{
	if (name && (json_is(v, JSON_INT) || json_is(v, JSON_NUM)))
		jw_kvalue(w, name, v);
}

void param_write_sampling(struct jw *w, const struct model_call *call, const struct model_entry *m,
			  const char *temperature, const char *top_p)
{
	if (!compat_flag(m, "supportsTemperature", true))
		return;
	write_number(w, temperature, param_get(call, "temperature", NULL));
	write_number(w, top_p, param_get(call, "topP", "top_p"));
}

void param_write_stop(struct jw *w, const struct model_call *call, const char *name)
{
	if (json_len(call->stop))
		jw_kvalue(w, name, call->stop);
}

enum tool_mode tool_mode(const struct model_call *call)
{
	if (str_empty(call->tool_choice) || str_eq(call->tool_choice, "auto"))
		return TOOLS_AUTO;
	if (str_eq(call->tool_choice, "none"))
		return TOOLS_NONE;
	if (str_eq(call->tool_choice, "required"))
		return call->tool_count ? TOOLS_ANY : TOOLS_AUTO;
	for (size_t i = 0; i < call->tool_count; i++) {
		if (str_eq(call->tools[i].name, call->tool_choice))
			return TOOLS_ONE;
	}
	return TOOLS_AUTO;
}

const char *tool_schema(const struct model_tool *t)
{
	return t->schema_json ? t->schema_json : "{\"type\":\"object\",\"properties\":{}}";
}

const char *dialect_system(struct arena *a, const struct model_call *call)
{
	const char *stable = call->system_stable, *more = call->system_volatile;

	if (str_empty(stable))
		return str_empty(more) ? NULL : more;
	return str_empty(more) ? stable : arena_printf(a, "%s\n\n%s", stable, more);
}

/* -- ids -- */

const struct id_form id_form_anthropic = { 1, 64, false };
const struct id_form id_form_openai = { 1, 40, false };
const struct id_form id_form_mistral = { 9, 9, true };
const struct id_form id_form_google = { 1, 64, true };

static bool is_word_char(char c, bool is_alnum)
{
	if ((c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z'))
		return true;
	return !is_alnum && (c == '_' || c == '-');
}

const char *id_fit(struct arena *a, const char *id, const struct id_form *form)
{
	size_t n = strcspn(id, "|"), i = 0;
	char digest[2 * SHA256_LEN + 1];

	while (i < n && is_word_char(id[i], form->is_alnum))
		i++;
	if (i == n && n >= form->min && n <= form->max)
		return id[n] ? arena_strndup(a, id, n) : id;
	sha256_hex(id, n ? n : strlen(id), digest);
	return arena_strndup(a, digest, CH_MIN(form->max, 40));
}
