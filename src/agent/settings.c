/*
 * agent/settings.c - what holds for a session's turns when several places may say it.
 */
#include <string.h>

#include "agent/home.h"
#include "agent/queue.h"
#include "core/str.h"

/* The first that is one of the values. */
static const char *first_of(const char *const *values, size_t n, const char *const *said, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (said[i] && str_in(said[i], values, n))
			return said[i];
	return values[0];
}

static const char *pick(const struct config *c, const char *agent_id, const char *own, const char *key,
			const char *const *values, size_t n)
{
	const char *const said[] = { own, agent_id ? home_setting_str(c, agent_id, key) : NULL };

	return first_of(values, n, said, CH_ARRAY_LEN(said));
}

/* Written as a word or as true and false. */
static const char *fast_word(const struct json *v)
{
	if (json_is(v, JSON_BOOL))
		return json_bool_or(v, false) ? "on" : "off";
	return json_str(v);
}

static void pick_fast(const struct config *c, const struct sess *s, struct agent_settings *ret)
{
	static const char *const values[] = { "off", "on", "auto" };
	const struct json *entry = json_get(config_get(c, "agents.entries"), s->agent_id);
	const struct { const char *word, *source; } said[] = {
		{ s->fast_mode, "session" },
		{ fast_word(json_get(entry, "fastModeDefault")), "agent" },
		{ fast_word(config_get(c, "agents.defaults.fastModeDefault")), "default" },
	};

	ret->fast = "off";
	ret->fast_source = "default";
	for (size_t i = 0; i < CH_ARRAY_LEN(said); i++) {
		if (!said[i].word || !str_in(said[i].word, values, CH_ARRAY_LEN(values)))
			continue;
		ret->fast = said[i].word;
		ret->fast_source = said[i].source;
		return;
	}
}

/* messages.responseUsage is one word, or one per channel with a "default". */
static const char *pick_usage(const struct config *c, const struct sess *s)
{
	static const char *const values[] = { "off", "tokens", "full", "on" };
	const struct json *v = config_get(c, "messages.responseUsage");
	const char *const said[] = { s->response_usage, json_str(v), s->channel ? json_get_str(v, s->channel) : NULL,
				     json_get_str(v, "default") };
	const char *mode = first_of(values, CH_ARRAY_LEN(values), said, CH_ARRAY_LEN(said));

	return str_eq(mode, "on") ? "tokens" : mode;
}

void agent_settings_of(const struct config *c, const struct sess *s, struct agent_settings *ret)
{
	static const char *const verbose[] = { "off", "on", "full" }, *const reasoning[] = { "off", "on", "stream" };
	struct queue_settings q;

	pick_fast(c, s, ret);
	ret->verbose = pick(c, s->agent_id, s->verbose_level, "verboseDefault", verbose, CH_ARRAY_LEN(verbose));
	ret->reasoning = pick(c, s->agent_id, s->reasoning_level, "reasoningDefault", reasoning, CH_ARRAY_LEN(reasoning));
	ret->usage = pick_usage(c, s);
	queue_settings_of(c, s, s->channel, &q);
	ret->queue_mode = queue_mode_name(q.mode);
}
