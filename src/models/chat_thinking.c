/*
 * models/chat_thinking.c - thinking in Chat Completions: a table of who takes
 * it how. The first row that fits wins; compat.thinkingFormat names a format
 * for a model of one's own.
 */
#include "models/chat_thinking.h"

#include <string.h>

#include "core/str.h"
#include "models/dialect_openai.h"

enum think_format {
	AS_EFFORT,                       /* reasoning_effort: "low" */
	AS_REASONING_OBJECT,             /* reasoning: {effort: "low"} */
	AS_THINKING_TYPE,                /* thinking: {type: "enabled"} */
	AS_THINKING_OFF_ONLY,            /* thinking: {type: "disabled"}, else nothing */
	AS_NEVER,                        /* always disabled: its thoughts would stand in the text */
	AS_ENABLE_FLAG,                  /* enable_thinking: true */
	AS_TEMPLATE_FLAG,                /* chat_template_kwargs: {enable_thinking: true} */
	AS_TYPE_AND_EFFORT,              /* DeepSeek: type, and effort high or max */
	AS_OFF_OR_EFFORT,                /* GLM-5.2: disabled, or effort high or max */
	AS_THREE_EFFORTS,                /* GLM-5.3: low, high or max; never off */
	AS_NONE_OR_HIGH,                 /* Mistral */
	AS_MAX_ONLY,                     /* Kimi K3 */
	AS_ITS_OWN,                      /* thinks as it likes and takes no field */
};

static const struct {
	const char *provider;            /* or the name of compat.thinkingFormat */
	const char *part;                /* of the model's id; NULL: any */
	enum think_format format;
} rows[] = {
	{ "openai", NULL, AS_EFFORT },
	{ "openrouter", NULL, AS_REASONING_OBJECT },
	{ "deepseek", NULL, AS_TYPE_AND_EFFORT },
	{ "zai", "glm-5.2", AS_OFF_OR_EFFORT },
	{ "zai", "glm-5.3", AS_THREE_EFFORTS },
	{ "zai", NULL, AS_THINKING_OFF_ONLY },
	{ "moonshot", "kimi-k3", AS_MAX_ONLY },
	{ "moonshot", "kimi-k2.7-code", AS_ITS_OWN },
	{ "moonshot", NULL, AS_THINKING_TYPE },
	{ "fireworks", "kimi", AS_NEVER },
	{ "longcat", NULL, AS_THINKING_TYPE },
	{ "mistral", NULL, AS_NONE_OR_HIGH },
	{ "qwen", NULL, AS_ENABLE_FLAG },
	{ "qwen-chat-template", NULL, AS_TEMPLATE_FLAG },
};

static const char *format_name(const struct model_entry *m)
{
	const char *name = json_get_str(m->compat, "thinkingFormat");

	return name ? name : m->provider;
}

static enum think_format format_of(const struct model_entry *m)
{
	const char *name = format_name(m);

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		if (str_eq(name, rows[i].provider) && (!rows[i].part || strstr(m->id, rows[i].part)))
			return rows[i].format;
	}
	return AS_EFFORT;
}

static bool is_most(enum thinking_level level)
{
	return level == THINK_XHIGH || level == THINK_MAX || level == THINK_ULTRA;
}

static bool is_least(enum thinking_level level)
{
	return level == THINK_OFF || level == THINK_MINIMAL || level == THINK_LOW;
}

static void write_type(struct jw *w, bool is_on)
{
	jw_kobj(w, "thinking");
	jw_kstr(w, "type", is_on ? "enabled" : "disabled");
	jw_end(w);
}

/* From 5.4 on this API takes function tools from OpenAI's own models only with reasoning off. */
static bool tools_exclude_effort(const struct model_call *call, const struct model_entry *m)
{
	return openai_is_native(m) && call->tool_count && openai_version(m->id) >= 504 &&
	       !compat_flag(m, "supportsReasoningEffort", false);
}

/* With tools and reasoning excluding each other, "none" is what works, where the model knows it. */
static const char *effort_of(const struct model_call *call, const struct model_entry *m)
{
	return openai_effort(m, tools_exclude_effort(call, m) ? THINK_OFF : call->thinking);
}

static void write_nested(struct jw *w, const char *object, const char *key, const char *value)
{
	if (!value)
		return;
	jw_kobj(w, object);
	jw_kstr(w, key, value);
	jw_end(w);
}

void chat_write_thinking(struct jw *w, const struct model_call *call, const struct model_entry *m)
{
	enum thinking_level level = call->thinking;
	enum think_format format = format_of(m);
	bool is_on = level != THINK_OFF;

	if (format == AS_NEVER)
		write_type(w, false);
	if (!m->reasoning || !compat_flag(m, "supportsReasoningEffort", true))
		return;
	switch (format) {
	case AS_EFFORT: jw_kstr_opt(w, "reasoning_effort", effort_of(call, m)); break;
	case AS_REASONING_OBJECT: write_nested(w, "reasoning", "effort", effort_of(call, m)); break;
	case AS_THINKING_TYPE: write_type(w, is_on); break;
	case AS_THINKING_OFF_ONLY:
		if (!is_on)
			write_type(w, false);
		break;
	case AS_ENABLE_FLAG: jw_kbool(w, "enable_thinking", is_on); break;
	case AS_TEMPLATE_FLAG:
		jw_kobj(w, "chat_template_kwargs");
		jw_kbool(w, "enable_thinking", is_on);
		jw_end(w);
		break;
	case AS_TYPE_AND_EFFORT:
		write_type(w, is_on);
		if (is_on)
			jw_kstr(w, "reasoning_effort", is_most(level) ? "max" : "high");
		break;
	case AS_OFF_OR_EFFORT:
		if (is_on)
			jw_kstr(w, "reasoning_effort", is_most(level) ? "max" : "high");
		else
			write_type(w, false);
		break;
	case AS_THREE_EFFORTS:
		jw_kstr(w, "reasoning_effort", is_least(level) ? "low"
					       : level == THINK_MEDIUM || level == THINK_HIGH ? "high" : "max");
		break;
	case AS_NONE_OR_HIGH: jw_kstr(w, "reasoning_effort", is_on && level != THINK_MINIMAL ? "high" : "none"); break;
	case AS_MAX_ONLY: jw_kstr(w, "reasoning_effort", "max"); break;
	case AS_NEVER:
	case AS_ITS_OWN: break;
	}
}

enum chat_replay chat_replay_for(const struct model_call *call, const struct model_entry *m)
{
	const char *name = format_name(m);

	if (!m->reasoning || call->thinking == THINK_OFF || compat_flag(m, "strictMessageKeys", false))
		return CHAT_REPLAY_NONE;
	if (str_eq(name, "deepseek") || str_eq(name, "moonshot"))
		return CHAT_REPLAY_ALWAYS;
	return m->configured && !model_endpoint_find(m->provider) ? CHAT_REPLAY_OWN : CHAT_REPLAY_NONE;
}
