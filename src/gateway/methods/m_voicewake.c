/*
 * gateway/methods/m_voicewake.c - the words that wake a client's microphone: one list for all clients.
 *
 * Kept in kv as a JSON array. An empty list means the words that clients come with.
 */
#include "core/str.h"
#include "gateway/methods/methods.h"

#define TRIGGERS_KEY "voicewake.triggers"
#define TRIGGERS_MAX 32
#define TRIGGER_UNITS 64                 /* UTF-16, as the clients count */

static struct json *defaults(struct arena *a)
{
	static const char *const words[] = { "openclaw", "claude", "computer" };
	struct json *list = json_new_arr(a);

	for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
		json_push(list, json_new_str(a, words[i]));
	return list;
}

/* The bytes of s that are at most TRIGGER_UNITS UTF-16 units long. */
static size_t cut_units(const char *s, size_t len)
{
	size_t at = 0, units = 0;

	while (at < len) {
		uint32_t cp;
		size_t n = utf8_decode(s + at, len - at, &cp);

		units += cp >= 0x10000 ? 2 : 1;
		if (n == 0 || units > TRIGGER_UNITS)
			break;
		at += n;
	}
	return at;
}

static struct json *normalize(struct arena *a, const struct json *wanted)
{
	struct json *list = json_new_arr(a);

	json_each(it, wanted) {
		char *word = str_trim(a, json_str_or(it, ""));

		word[cut_units(word, strlen(word))] = '\0';
		if (*word && json_len(list) < TRIGGERS_MAX)
			json_push(list, json_new_str(a, word));
	}
	return json_len(list) ? list : defaults(a);
}

static char *render(struct arena *a, struct json *triggers)
{
	struct json *o = json_new_obj(a);

	json_set(a, o, "triggers", triggers);
	return json_to_str(a, o);
}

static void reply_text(struct gw_call *call, const char *text)
{
	jw_raw(gw_reply_begin(call), text, strlen(text));
	gw_reply_end(call);
}

static ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	struct json *triggers = NULL;
	char *stored = NULL;
	ch_status st = kv_get(call->gw->db, call->arena, TRIGGERS_KEY, &stored, err);

	if (!st)
		st = json_parse(call->arena, stored, strlen(stored), JSON_STRICT, &triggers, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	reply_text(call, render(call->arena, st ? defaults(call->arena) : triggers));
	return CH_OK;
}

static ch_status run_set(struct gw_call *call, struct ch_err *err)
{
	struct json *triggers = normalize(call->arena, json_get(call->params, "triggers"));
	ch_status st = kv_put(call->gw->db, TRIGGERS_KEY, json_to_str(call->arena, triggers), err);
	char *text;

	if (st)
		return st;
	text = render(call->arena, triggers);
	gw_broadcast(call->gw, &(struct gw_event){ .name = "voicewake.changed", .payload = text,
						   .len = strlen(text), .flags = GW_EV_DROP_IF_SLOW });
	reply_text(call, text);
	return CH_OK;
}

/* Which agent a word wakes cannot be chosen: the current one, always. */
static ch_status run_routing(struct gw_call *call, struct ch_err *err)
{
	reply_text(call, "{\"config\":{\"version\":1,\"defaultTarget\":{\"mode\":\"current\"},\"routes\":[],"
			 "\"updatedAtMs\":0}}");
	return CH_OK;
}

static const struct gw_param set_params[] = {
	{ "triggers", GP_ARR, GP_REQUIRED, .item = GP_STR },
	{0},
};

const struct gw_method gwm_voicewake[] = {
	/* name                     run          scope           flags           params */
	{ "voicewake.get",          run_get,     GW_SCOPE_READ,  GW_OPEN_PARAMS },
	{ "voicewake.routing.get",  run_routing, GW_SCOPE_READ,  GW_INLINE | GW_OPEN_PARAMS },
	{ "voicewake.set",          run_set,     GW_SCOPE_WRITE, GW_OPEN_PARAMS, set_params },
};
const size_t gwm_voicewake_count = CH_ARRAY_LEN(gwm_voicewake);
