/*
 * agent/settings.c - what holds for a session's turns when several places may say it.
 */
#include <string.h>

#include "agent/home.h"
#include "agent/queue.h"
#include "core/str.h"

static const char *const fast_words[] = { "off", "on", "auto" };
static const char *const verbose_words[] = { "off", "on", "full" };
static const char *const reasoning_words[] = { "off", "on", "stream" };
static const char *const usage_words[] = { "off", "tokens", "full", "on" };

#define IS_ONE_OF(word, words) ((word) && str_in((word), (words), CH_ARRAY_LEN(words)))

/* -- what the configuration says -- */

static const char *configured(const struct config *c, const char *agent_id, const char *key, const char *const *words, size_t n)
{
	const char *said = agent_id ? home_setting_str(c, agent_id, key) : NULL;

	return said && str_in(said, words, n) ? said : words[0];
}

/* Written as a word or as true and false. */
static const char *fast_word(const struct json *v)
{
	if (json_is(v, JSON_BOOL))
		return json_bool_or(v, false) ? "on" : "off";
	return IS_ONE_OF(json_str(v), fast_words) ? json_str(v) : NULL;
}

static void pick_fast(const struct config *c, const char *agent_id, struct agent_settings *ret)
{
	const struct json *entry = agent_id ? json_get(config_get(c, "agents.entries"), agent_id) : NULL;
	const char *own = fast_word(json_get(entry, "fastModeDefault"));
	const char *shared = own ? NULL : fast_word(config_get(c, "agents.defaults.fastModeDefault"));

	ret->fast = own ? own : shared ? shared : "off";
	ret->fast_source = own ? "agent" : "default";
}

/* messages.responseUsage is one word, or one per channel with a "default". */
static const char *pick_usage(const struct config *c, const char *channel)
{
	const struct json *v = config_get(c, "messages.responseUsage");
	const char *said = json_str(v);

	if (!said && channel)
		said = json_get_str(v, channel);
	if (!said)
		said = json_get_str(v, "default");
	if (!IS_ONE_OF(said, usage_words))
		return "off";
	return str_eq(said, "on") ? "tokens" : said;
}

void agent_settings_default(const struct config *c, const char *agent_id, const char *channel, struct agent_settings *ret)
{
	static const struct sess nothing_chosen;
	struct queue_settings q;

	pick_fast(c, agent_id, ret);
	ret->verbose = configured(c, agent_id, "verboseDefault", verbose_words, CH_ARRAY_LEN(verbose_words));
	ret->reasoning = configured(c, agent_id, "reasoningDefault", reasoning_words, CH_ARRAY_LEN(reasoning_words));
	ret->usage = pick_usage(c, channel);
	queue_settings_of(c, &nothing_chosen, channel, &q);
	ret->queue_mode = queue_mode_name(q.mode);
}

/* -- what the session chose -- */

void agent_settings_choose(struct agent_settings *in, const struct sess *s)
{
	enum queue_mode mode;

	if (IS_ONE_OF(s->fast_mode, fast_words)) {
		in->fast = s->fast_mode;
		in->fast_source = "session";
	}
	if (IS_ONE_OF(s->verbose_level, verbose_words))
		in->verbose = s->verbose_level;
	if (IS_ONE_OF(s->reasoning_level, reasoning_words))
		in->reasoning = s->reasoning_level;
	if (IS_ONE_OF(s->response_usage, usage_words))
		in->usage = str_eq(s->response_usage, "on") ? "tokens" : s->response_usage;
	if (queue_mode_parse(s->queue_mode, &mode))
		in->queue_mode = queue_mode_name(mode);
}

void agent_settings_of(const struct config *c, const struct sess *s, struct agent_settings *ret)
{
	agent_settings_default(c, s->agent_id, s->channel, ret);
	agent_settings_choose(ret, s);
}
