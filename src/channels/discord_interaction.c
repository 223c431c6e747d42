/*
 * channels/discord_interaction.c - slash commands, presses and forms, and the handles by which they are answered.
 *
 * A handle lives for 15 minutes, as long as Discord takes follow-ups: "c:<app>:<interaction>:<only>:<expires>:<token>".
 */
#include "channels/discord_event.h"

#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define ANSWER_MS (15 * 60 * 1000)
#define ARGS_MAX 8192
#define DEPTH_MAX 3                      /* command, group, sub-command */

/* Discord's numbers: InteractionType, ApplicationCommandOptionType, InteractionContextType. */
enum { COMMAND = 2, COMPONENT = 3, MODAL = 5 };
enum { OPTION_SUB = 1, OPTION_GROUP = 2 };
enum { CONTEXT_PRIVATE = 2 };

/* -- handles -- */

const char *discord_handle_write(struct arena *a, const struct discord_handle *h)
{
	return arena_printf(a, "%c:%s:%s:%s:%lld:%s", h->kind, h->app, h->id, h->only ? h->only : "", (long long)h->expires_ms, h->token);
}

/* The part up to the next colon; NULL: there is none. */
static char *part(char **at)
{
	char *s = *at, *colon = strchr(s, ':');

	if (!colon)
		return NULL;
	*colon = 0;
	*at = colon + 1;
	return s;
}

bool discord_handle_read(struct arena *a, const char *text, struct discord_handle *ret)
{
	char *at = arena_strdup(a, text), *kind, *expires;
	struct discord_handle h = { .kind = 0 };

	if (!at || !(kind = part(&at)) || (!str_eq(kind, "c") && !str_eq(kind, "u")) || !(h.app = part(&at)) || !(h.id = part(&at)) ||
	    !(h.only = part(&at)) || !(expires = part(&at)) || !str_to_i64(expires, &h.expires_ms))
		return false;
	h.kind = *kind;
	h.token = at;
	/* It goes into a path: Discord's tokens are base64url and dots. */
	if (!discord_is_id(h.app) || !discord_is_id(h.id) || (*h.only && !discord_is_id(h.only)) || !*h.token ||
	    strspn(h.token, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.=") != strlen(h.token))
		return false;
	h.only = *h.only ? h.only : NULL;
	*ret = h;
	return true;
}

/* -- what was asked -- */

static void add_value(struct buf *out, const struct json *v)
{
	switch (json_type(v)) {
	case JSON_STR: buf_printf(out, " %s", json_str(v)); break;
	case JSON_INT: buf_printf(out, " %lld", (long long)v->i); break;
	case JSON_NUM: buf_printf(out, " %g", v->num); break;
	case JSON_BOOL: buf_puts(out, json_bool_or(v, false) ? " true" : " false"); break;
	default: break;
	}
}

/* "/name sub value value" */
static const char *command_text(struct arena *a, const struct json *data)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = ARGS_MAX };
	const struct json *level = data;

	buf_printf(&out, "/%s", json_str_or(json_get(data, "name"), ""));
	for (int depth = 0; level && depth < DEPTH_MAX; depth++) {
		const struct json *next = NULL;

		json_each(option, json_get(level, "options")) {
			int64_t type = json_get_int(option, "type", 0);

			if (type == OPTION_SUB || type == OPTION_GROUP) {
				buf_printf(&out, " %s", json_str_or(json_get(option, "name"), ""));
				next = option;
			} else {
				add_value(&out, json_get(option, "value"));
			}
		}
		level = next;
	}
	return out.failed || out.len < 2 ? NULL : arena_strdup(a, buf_str(&out));
}

/* A menu's choices; a button has none. */
static const char *chosen(struct arena *a, const struct json *data)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = ARGS_MAX };

	json_each(value, json_get(data, "values"))
		if (json_str(value))
			buf_printf(&out, "%s%s", out.len ? ", " : "", json_str(value));
	return out.len && !out.failed ? arena_strdup(a, buf_str(&out)) : NULL;
}

/* The fields of a form, a line each; they stand in rows or in labels. */
static const char *form_text(struct arena *a, const struct json *data)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = ARGS_MAX };

	json_each(row, json_get(data, "components")) {
		const struct json *field = json_get(row, "component");
		const char *value;

		field = field ? field : json_at(json_get(row, "components"), 0);
		value = json_get_str(field, "value");
		value = value ? value : chosen(a, field);
		if (value)
			buf_printf(&out, "%s%s: %s", out.len ? "\n" : "", json_str_or(json_get(field, "custom_id"), "field"), value);
	}
	return out.len && !out.failed ? arena_strdup(a, buf_str(&out)) : NULL;
}

static bool take_place(struct arena *a, const struct discord_ctx *x, const struct json *d, const struct json *user, struct chan_in *in)
{
	const struct json *channel = json_get(d, "channel");
	const char *id = json_get_str(d, "channel_id");

	id = id ? id : json_get_str(channel, "id");
	if (!discord_peer(a, x, id, json_get_str(d, "guild_id"), user, &in->peer))
		return false;
	/* Somebody's DM with others, where our user runs our command: not a DM with us. */
	if (json_get_int(d, "context", 0) == CONTEXT_PRIVATE || json_get_int(channel, "type", 0) == DISCORD_GROUP_DM) {
		in->peer.kind = CHAN_GROUP;
		in->peer.id = id;
	}
	if (in->peer.guild && !in->peer.name)
		in->peer.name = json_get_str(channel, "name");
	if (!in->peer.parent && discord_is_thread((int)json_get_int(channel, "type", 0)))
		in->peer.parent = json_get_str(channel, "parent_id");
	return true;
}

bool discord_interaction(struct arena *a, const struct discord_ctx *x, const struct json *d, struct chan_in *ret)
{
	const struct json *member = json_get(d, "member"), *data = json_get(d, "data");
	const struct json *user = member ? json_get(member, "user") : json_get(d, "user");
	const char *id = json_get_str(d, "id"), *token = json_get_str(d, "token"), *app = json_get_str(d, "application_id");
	int64_t type = json_get_int(d, "type", 0);
	struct chan_in in = { .can_mention = true, .is_mentioned = true };

	if (!discord_is_id(id) || !discord_is_id(app) || str_empty(token) || !discord_sender(a, x, user, member, &in.sender) ||
	    in.sender.is_self || !take_place(a, x, d, user, &in))
		return false;
	in.event_id = arena_printf(a, "i:%s", id);
	in.at_ms = discord_id_ms(id);
	in.message_id = json_get_str(json_get(d, "message"), "id");
	in.handle = discord_handle_write(a, &(struct discord_handle){
						    .kind = type == COMMAND ? 'c' : 'u', .app = app, .id = id, .token = token,
						    .only = type == COMMAND && x->d->hides_answers ? in.sender.id : NULL,
						    .expires_ms = now_wall_ms() + ANSWER_MS });
	if (type == COMMAND) {
		in.kind = CHAN_IN_COMMAND;
		in.text = command_text(a, data);
		in.message_id = NULL;    /* a command is no message of the room */
	} else if (type == COMPONENT || type == MODAL) {
		in.kind = CHAN_IN_PRESS;
		in.data = json_get_str(data, "custom_id");
		in.text = type == MODAL ? form_text(a, data) : chosen(a, data);
	}
	*ret = in;
	return type == COMMAND ? in.text != NULL : in.data != NULL;
}
