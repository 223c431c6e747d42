/*
 * models/names.c - the words for thinking levels, stop reasons and error
 * classes, and the rough token count.
 */
#include <string.h>

#include "core/str.h"
#include "models/model.h"

static const char *const thinking_names[] = {
	[THINK_OFF] = "off",       [THINK_MINIMAL] = "minimal", [THINK_LOW] = "low",           [THINK_MEDIUM] = "medium",
	[THINK_HIGH] = "high",     [THINK_XHIGH] = "xhigh",     [THINK_ADAPTIVE] = "adaptive", [THINK_MAX] = "max",
	[THINK_ULTRA] = "ultra",
};

bool thinking_parse(const char *name, enum thinking_level *ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(thinking_names); i++) {
		if (str_ieq(name, thinking_names[i])) {
			*ret = (enum thinking_level)i;
			return true;
		}
	}
	return false;
}

const char *const *thinking_options(bool is_reasoning)
{
	static const char *const none[] = { "off", NULL };
	static const char *const levels[] = { "off", "minimal", "low", "medium", "high", NULL };

	return is_reasoning ? levels : none;
}

const char *thinking_name(enum thinking_level l)
{
	return thinking_names[l];
}

const char *model_stop_name(enum model_stop s)
{
	static const char *const names[] = {
		[MODEL_STOP_END] = "stop",        [MODEL_STOP_TOOLS] = "toolUse", [MODEL_STOP_LENGTH] = "length",
		[MODEL_STOP_REFUSAL] = "refusal", [MODEL_STOP_PAUSE] = "pause",
	};

	return names[s];
}

struct class_row {
	const char *name, *wire;
	bool is_transient;
};

static const struct class_row class_rows[] = {
	[MODEL_ERR_NONE] = { "none", "none", false },
	[MODEL_ERR_RATE_LIMIT] = { "rate_limit", "rate_limit", true },
	[MODEL_ERR_OVERLOADED] = { "overloaded", "overloaded", true },
	[MODEL_ERR_TIMEOUT] = { "timeout", "timeout", true },
	[MODEL_ERR_SERVER] = { "server_error", "server_error", true },
	[MODEL_ERR_NETWORK] = { "network", "timeout", true },
	[MODEL_ERR_CUT] = { "cut", "timeout", true },
	[MODEL_ERR_AUTH] = { "auth", "auth", false },
	[MODEL_ERR_BILLING] = { "billing", "billing", false },
	[MODEL_ERR_NOT_FOUND] = { "model_not_found", "model_not_found", false },
	[MODEL_ERR_FORMAT] = { "format", "format", false },
	[MODEL_ERR_CONTEXT] = { "context_overflow", "context_overflow", false },
	[MODEL_ERR_REFUSAL] = { "refusal", "refusal", false },
};

const char *model_error_class_name(enum model_error_class c)
{
	return class_rows[c].name;
}

const char *model_error_class_wire(enum model_error_class c)
{
	return class_rows[c].wire;
}

bool model_error_is_transient(enum model_error_class c)
{
	return class_rows[c].is_transient;
}

/* A lead byte of 0xe3 to 0xed begins kana, Han or Hangul: about a token each. The rest: 4 bytes a token. */
int64_t model_estimate_tokens(const char *text, size_t len)
{
	int64_t wide = 0;

	for (size_t i = 0; i < len; i++)
		wide += (unsigned char)text[i] >= 0xe3 && (unsigned char)text[i] <= 0xed;
	return wide + ((int64_t)len - 3 * wide + 3) / 4;
}
