/*
 * channels/slack_press.c - buttons, menus, views, shortcuts and slash commands of Slack to what the core takes. No I/O.
 *
 * A press carries what its button was sent with, whoever presses it: the core asks whether that person may. Buttons of ours
 * have action ids that begin with SLACK_ACTION_PREFIX; those of other origin come too, and nobody knows their data.
 */
#include "channels/slack.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define HANDLE_MS (29 * 60 * 1000)       /* response_url lives 30 minutes */

static const char *str(const struct json *v, const char *key)
{
	return json_get_str(v, key);
}

/* -- answer addresses -- */

const char *slack_handle(struct arena *a, bool is_command, const char *response_url, const char *user_id, int64_t now_ms)
{
	const int64_t until_ms = now_ms + HANDLE_MS;

	if (str_empty(response_url))
		return NULL;
	return arena_printf(a, "%c%lld %s %s", is_command ? 'c' : 'a', (long long)until_ms, response_url, user_id);
}

bool slack_handle_read(struct arena *a, const char *handle, int64_t now_ms, struct slack_handle *ret)
{
	char *url = handle ? strchr(arena_strdup(a, handle), ' ') : NULL, *user_id;
	int64_t until_ms;

	if (!url || (*handle != 'c' && *handle != 'a'))
		return false;
	*url++ = '\0';
	user_id = strchr(url, ' ');
	if (user_id)
		*user_id++ = '\0';
	if (!str_to_i64(arena_strndup(a, handle + 1, strcspn(handle, " ") - 1), &until_ms))
		return false;
	*ret = (struct slack_handle){ .is_command = *handle == 'c', .url = until_ms > now_ms ? url : NULL, .user_id = user_id };
	return true;
}

/* -- places and people -- */

/*
 * Interactions name their room by words: "privategroup", "mpdm-a--b-1", else the channel's name. Anybody can give a
 * channel such a name: what could be a group DM is looked up.
 */
static struct chan_peer place(const struct slack_known *known, const char *id, const char *name, const char *user_id, const char *team_id)
{
	struct chan_peer peer = { .kind = CHAN_CHANNEL, .id = id, .team = team_id };

	if (!id || *id == 'D') {
		peer.kind = CHAN_DIRECT;
		peer.id = user_id;
	} else if (*id == 'G' || str_empty(name) || str_eq(name, "privategroup") || str_starts(name, "mpdm-")) {
		peer.kind = str_starts(name ? name : "", "mpdm-") ? CHAN_GROUP : CHAN_CHANNEL;
		if (known->room_kind)
			peer.kind = known->room_kind(known->arg, id, peer.kind, &peer.name);
	} else {
		peer.name = name;
	}
	return peer;
}

static struct chan_sender sender_of(const struct slack_known *known, const char *id, const char *username)
{
	struct chan_sender s = { .id = id, .username = username };

	if (known->user_name)
		s.name = known->user_name(known->arg, id);
	return s;
}

/* -- buttons and menus -- */

static const char *data_of(const struct json *action)
{
	const struct json *option = json_get(action, "selected_option");
	static const char *const fields[] = { "value", "selected_user", "selected_channel", "selected_conversation", "selected_date",
					      "selected_time" };

	if (option)
		return str(option, "value");
	for (size_t i = 0; i < CH_ARRAY_LEN(fields); i++)
		if (str(action, fields[i]))
			return str(action, fields[i]);
	return NULL;
}

static ch_status take_actions(const struct json *p, const struct slack_known *known, struct arena *a, struct slack_batch *out,
			      struct ch_err *err)
{
	const struct json *container = json_get(p, "container"), *channel = json_get(p, "channel"), *user = json_get(p, "user");
	const char *channel_id = str(channel, "id") ? str(channel, "id") : str(container, "channel_id"), *user_id = str(user, "id");
	const char *team_id = str(json_get(p, "team"), "id");
	const char *ts = str(container, "message_ts") ? str(container, "message_ts") : str(json_get(p, "message"), "ts");
	const char *thread = str(container, "thread_ts") ? str(container, "thread_ts") : str(json_get(p, "message"), "thread_ts");

	if (!user_id)
		return ch_fail(err, CH_E_INVALID, "slack: a press without a person");
	json_each(action, json_get(p, "actions")) {
		const char *data = data_of(action), *id = str(action, "action_id"), *at = str(action, "action_ts");
		struct chan_in *in;

		/* Buttons with addresses tell us too, and carry nothing. */
		if (!data || out->count == SLACK_IN_MAX)
			continue;
		in = &out->at[out->count++];
		*in = (struct chan_in){
			.kind = CHAN_IN_PRESS,
			.event_id = arena_printf(a, "p:%s:%s:%s:%s:%s", channel_id ? channel_id : "", ts ? ts : "", user_id, at ? at : "",
						 id ? id : ""),
			.peer = place(known, channel_id, str(channel, "name"), user_id, team_id),
			.sender = sender_of(known, user_id, str(user, "username")),
			.message_id = ts,
			.at_ms = slack_ts_ms(at),
			.data = data,
			.handle = slack_handle(a, false, str(p, "response_url"), user_id, now_wall_ms()),
			.is_mentioned = true,
			.can_mention = true,
		};
		in->peer.thread = in->peer.kind != CHAN_DIRECT && str_eq(thread, ts) ? NULL : thread;
	}
	return CH_OK;
}

/* Views and shortcuts: what they were made with, from the person's DM. */
static ch_status take_view(const struct json *p, const struct slack_known *known, struct arena *a, struct slack_batch *out,
			   struct ch_err *err)
{
	const struct json *view = json_get(p, "view"), *user = json_get(p, "user");
	const char *user_id = str(user, "id"), *data = str(view, "private_metadata"), *unique = str(p, "trigger_id");

	if (!user_id)
		return ch_fail(err, CH_E_INVALID, "slack: a view without a person");
	if (str_empty(data))
		data = str(view, "callback_id") ? str(view, "callback_id") : str(p, "callback_id");
	if (str_empty(data))
		return CH_OK;
	if (!unique)
		unique = str(p, "action_ts") ? str(p, "action_ts") : str(view, "hash");
	out->at[out->count++] = (struct chan_in){
		.kind = CHAN_IN_PRESS,
		.event_id = arena_printf(a, "v:%s:%s:%s:%s", str(p, "type"), user_id, str(view, "id") ? str(view, "id") : "",
					 unique ? unique : ""),
		.peer = place(known, NULL, NULL, user_id, str(json_get(p, "team"), "id")),
		.sender = sender_of(known, user_id, str(user, "username")),
		.data = data,
		.is_mentioned = true,
		.can_mention = true,
	};
	return CH_OK;
}

ch_status slack_decode_interaction(const struct json *payload, const struct slack_known *known, struct arena *a,
				   struct slack_batch *ret, struct ch_err *err)
{
	const char *type = str(payload, "type");

	ret->count = 0;
	ret->ack_text = NULL;
	if (!type)
		return ch_fail(err, CH_E_INVALID, "slack: an interaction without a type");
	if (str_eq(type, "block_actions"))
		return take_actions(payload, known, a, ret, err);
	if (str_eq(type, "view_submission") || str_eq(type, "shortcut") || str_eq(type, "message_action"))
		return take_view(payload, known, a, ret, err);
	return CH_OK;
}

/* -- slash commands -- */

/* "/agentstatus" is ours under another name: "/status" is Slack's own. */
static const char *native_name(const char *command)
{
	return str_eq(command, "/agentstatus") ? "/status" : command;
}

/* What the person means; NULL: the command is not switched on. *ret_is_command: it is one of ours, not words for the agent. */
static const char *meaning(const struct slack_known *known, const char *command, const char *text, struct arena *a, bool *ret_is_command)
{
	if (known->command_name && str_eq(command + 1, known->command_name)) {
		text = str_trim(a, text);
		*ret_is_command = !*text || *text == '/';
		return *text ? text : "/help";
	}
	*ret_is_command = true;
	if (!known->has_native_commands)
		return NULL;
	return str_trim(a, arena_printf(a, "%s %s", native_name(command), text));
}

ch_status slack_decode_command(const struct json *payload, const struct slack_known *known, struct arena *a, struct slack_batch *ret,
			       struct ch_err *err)
{
	const char *command = str(payload, "command"), *user_id = str(payload, "user_id"), *channel = str(payload, "channel_id");
	const char *text = str(payload, "text") ? str(payload, "text") : "", *trigger = str(payload, "trigger_id"), *said;
	bool is_command, has_self = false, has_others = false;
	struct chan_in *in;

	ret->count = 0;
	ret->ack_text = NULL;
	if (!command || *command != '/' || !user_id || !channel || !trigger)
		return ch_fail(err, CH_E_INVALID, "slack: a slash command without its name, person, channel or trigger");
	said = meaning(known, command, text, a, &is_command);
	if (!said) {
		ret->ack_text = arena_printf(a, "%s is not switched on: set channels.slack.slashCommand.enabled with this name, or "
						"channels.slack.commands.native.", command);
		return CH_OK;
	}
	in = &ret->at[ret->count++];
	*in = (struct chan_in){
		.kind = is_command ? CHAN_IN_COMMAND : CHAN_IN_MESSAGE,
		.event_id = arena_printf(a, "c:%s", trigger),
		.peer = place(known, channel, str(payload, "channel_name"), user_id, str(payload, "team_id")),
		.sender = sender_of(known, user_id, str(payload, "user_name")),
		.text = slack_plain(said, known, a, &has_self, &has_others),
		.handle = slack_handle(a, true, str(payload, "response_url"), user_id, now_wall_ms()),
		.is_mentioned = true,
		.mentions_others = has_others,
		.can_mention = true,
	};
	return CH_OK;
}
