/*
 * agent/queue.c - the settings of a session's queue: configured, chosen with /queue, parsed.
 *
 * The mode has a column of its own; debounce, cap and drop stand in the row's `extra`, under "queue".
 */
#include "agent/queue.h"

#include <string.h>

#include "core/str.h"

static const char *const drops[] = {
	[QUEUE_DROP_SUMMARIZE] = "summarize",
	[QUEUE_DROP_OLD] = "old",
	[QUEUE_DROP_NEW] = "new",
};

const char *queue_drop_name(enum queue_drop d)
{
	return drops[d];
}

static bool drop_parse(const char *name, enum queue_drop *ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(drops); i++) {
		if (!str_ieq(drops[i], name))
			continue;
		*ret = (enum queue_drop)i;
		return true;
	}
	return false;
}

/* -- what holds -- */

static struct json *extra_of(struct arena *a, const struct sess *s)
{
	struct json *extra;

	if (str_empty(s->extra) || json_parse(a, s->extra, strlen(s->extra), JSON_STRICT, &extra, NULL) ||
	    !json_is(extra, JSON_OBJ))
		return json_new_obj(a);
	return extra;
}

static void from_config(const struct config *c, const char *channel, struct queue_settings *ret)
{
	const struct json *debounces = config_get(c, "messages.queue.debounceMsByChannel");

	*ret = (struct queue_settings){ .mode = QUEUE_STEER };
	if (!channel || !queue_mode_parse(json_get_str(config_get(c, "messages.queue.byChannel"), channel), &ret->mode))
		queue_mode_parse(config_str(c, "messages.queue.mode"), &ret->mode);
	drop_parse(config_str(c, "messages.queue.drop"), &ret->drop);
	ret->cap = config_int(c, "messages.queue.cap", QUEUE_CAP_DEFAULT);
	ret->debounce_ms = config_int(c, "messages.queue.debounceMs", QUEUE_DEBOUNCE_MS);
	if (channel)
		ret->debounce_ms = json_get_int(debounces, channel, ret->debounce_ms);
}

void queue_settings_of(const struct config *c, const struct sess *s, const char *channel, struct queue_settings *ret)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	const struct json *own;

	from_config(c, channel, ret);
	queue_mode_parse(s->queue_mode, &ret->mode);
	if (str_empty(s->extra))
		return;
	a = arena_new(0);
	own = json_get(extra_of(a, s), "queue");
	drop_parse(json_get_str(own, "drop"), &ret->drop);
	ret->cap = json_get_int(own, "cap", ret->cap);
	ret->debounce_ms = json_get_int(own, "debounceMs", ret->debounce_ms);
}

/* -- /queue -- */

static ch_status parse_option(const char *name, const char *value, struct queue_choice *ret, struct ch_err *err)
{
	if (str_ieq(name, "debounce")) {
		ret->has_debounce = str_to_duration_ms(value, 1, &ret->to.debounce_ms) && ret->to.debounce_ms >= 0 &&
				    ret->to.debounce_ms <= QUEUE_DEBOUNCE_MAX_MS;
		if (!ret->has_debounce)
			return ch_fail(err, CH_E_INVALID, "debounce:%.40s is no duration; write 500ms, 0.5s or 2m", value);
	} else if (str_ieq(name, "cap")) {
		ret->has_cap = str_to_i64(value, &ret->to.cap) && ret->to.cap >= 1 && ret->to.cap <= QUEUE_CAP_MAX;
		if (!ret->has_cap)
			return ch_fail(err, CH_E_INVALID, "cap:%.40s is no number from 1 to %d", value, QUEUE_CAP_MAX);
	} else if (str_ieq(name, "drop")) {
		ret->has_drop = drop_parse(value, &ret->to.drop);
		if (!ret->has_drop)
			return ch_fail(err, CH_E_INVALID, "drop:%.40s is not one of summarize, old, new", value);
	} else {
		return ch_fail(err, CH_E_INVALID, "/queue knows debounce:, cap: and drop:, not '%.40s:'", name);
	}
	return CH_OK;
}

static ch_status parse_word(struct arena *a, const char *word, struct queue_choice *ret, struct ch_err *err)
{
	size_t n = strcspn(word, ":=");

	if (word[n])
		return parse_option(arena_strndup(a, word, n), word + n + 1, ret, err);
	if (str_in(word, (const char *const[]){ "default", "reset", "inherit", "clear" }, 4)) {
		ret->is_reset = true;
		return CH_OK;
	}
	if (ret->has_mode || !queue_mode_parse(word, &ret->to.mode))
		return ch_fail(err, CH_E_INVALID, "'%.40s' is not one of steer, followup, collect, interrupt, default", word);
	ret->has_mode = true;
	return CH_OK;
}

ch_status queue_parse(struct arena *a, const char *text, struct queue_choice *ret, struct ch_err *err)
{
	struct queue_choice choice = { 0 };

	while (*(text += strspn(text, " \t"))) {
		size_t n = strcspn(text, " \t");
		ch_status st = parse_word(a, arena_strndup(a, text, n), &choice, err);

		if (st)
			return st;
		text += n;
	}
	if (choice.is_reset && (choice.has_mode || choice.has_drop || choice.has_cap || choice.has_debounce))
		return ch_fail(err, CH_E_INVALID, "'default' takes back all settings of the queue; say it alone");
	*ret = choice;
	return CH_OK;
}

void queue_choose(struct arena *a, struct sess *s, const struct queue_choice *choice)
{
	struct json *extra = extra_of(a, s), *own = json_get(extra, "queue");

	if (choice->is_reset) {
		sess_set_str(s, &s->queue_mode, NULL);
		json_unset(extra, "queue");
	} else if (choice->has_drop || choice->has_cap || choice->has_debounce) {
		if (!json_is(own, JSON_OBJ)) {
			own = json_new_obj(a);
			json_set(a, extra, "queue", own);
		}
		if (choice->has_drop)
			json_set(a, own, "drop", json_new_str(a, queue_drop_name(choice->to.drop)));
		if (choice->has_cap)
			json_set(a, own, "cap", json_new_int(a, choice->to.cap));
		if (choice->has_debounce)
			json_set(a, own, "debounceMs", json_new_int(a, choice->to.debounce_ms));
	}
	if (choice->has_mode)
		sess_set_str(s, &s->queue_mode, queue_mode_name(choice->to.mode));
	sess_set_str(s, &s->extra, json_len(extra) ? json_to_str(a, extra) : NULL);
}
