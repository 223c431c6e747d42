/*
 * agent/from.c - see from.h.
 */
#include "agent/from.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define PARTICIPANTS_MAX 4               /* as many as the protocol shows */
#define FROM_PROMPT_MAX 16384            /* bytes of a room's own prompt */

const struct run_channel *from_copy(struct arena *a, const struct run_channel *c)
{
	struct run_channel *copy;

	if (!c)
		return NULL;
	copy = arena_alloc(a, sizeof(*copy));
	*copy = (struct run_channel){
		.channel = arena_strdup(a, c->channel), .label = arena_strdup(a, c->label), .account = arena_strdup(a, c->account),
		.sender_id = arena_strdup(a, c->sender_id), .sender_name = arena_strdup(a, c->sender_name),
		.chat_type = arena_strdup(a, c->chat_type), .place_name = arena_strdup(a, c->place_name),
		.message_id = arena_strdup(a, c->message_id), .group_prompt = arena_strdup(a, c->group_prompt),
		.tools = c->tools ? json_clone(a, c->tools) : NULL, .has_outside = c->has_outside,
	};
	return copy;
}

void from_put(struct jw *w, const struct run_channel *c)
{
	jw_kobj(w, "from");
	jw_kstr(w, "channel", c->channel);
	jw_kstr_opt(w, "label", c->label);
	jw_kstr_opt(w, "account", c->account);
	jw_kstr_opt(w, "senderId", c->sender_id);
	jw_kstr_opt(w, "senderName", c->sender_name);
	jw_kstr_opt(w, "chatType", c->chat_type);
	jw_kstr_opt(w, "placeName", c->place_name);
	jw_kstr_opt(w, "messageId", c->message_id);
	jw_kstr_opt(w, "groupPrompt", c->group_prompt);
	if (c->tools)
		jw_kvalue(w, "tools", c->tools);
	if (c->has_outside)
		jw_kbool(w, "hasOutside", true);
	jw_end(w);
}

const struct run_channel *from_read(struct arena *a, const struct json *meta)
{
	const struct json *o = json_get(meta, "from");
	const struct run_channel read = {
		.channel = json_get_str(o, "channel"), .label = json_get_str(o, "label"), .account = json_get_str(o, "account"),
		.sender_id = json_get_str(o, "senderId"), .sender_name = json_get_str(o, "senderName"),
		.chat_type = json_get_str(o, "chatType"), .place_name = json_get_str(o, "placeName"),
		.message_id = json_get_str(o, "messageId"), .group_prompt = json_get_str(o, "groupPrompt"),
		.tools = json_get(o, "tools"), .has_outside = json_get_bool(o, "hasOutside", false),
	};

	return read.channel ? from_copy(a, &read) : NULL;
}

bool from_is_same(const struct run_channel *a, const struct run_channel *b)
{
	if (!a || !b)
		return a == b;
	return str_eq(a->channel, b->channel) && str_eq(a->account, b->account) && str_eq(a->sender_id, b->sender_id) &&
	       str_eq(a->group_prompt, b->group_prompt) && (a->tools == b->tools || json_equal(a->tools, b->tools));
}

/* The owner at the gateway may speak into any turn: that of a network has at most the owner's own tools. */
bool from_may_join(const struct run *r, const struct run *active)
{
	return !active || (!r->from && r->sender_is_owner) || from_is_same(r->from, active->from);
}

/* -- the session's row -- */

/* {"identity": {"type": "observation", …}, "label"?}: somebody seen on a network. */
static struct json *participant(struct arena *a, const struct run_channel *c)
{
	struct json *mine = json_new_obj(a), *who = json_new_obj(a);

	json_set(a, who, "type", json_new_str(a, "observation"));
	json_set(a, who, "pluginId", json_new_str(a, c->channel));
	json_set(a, who, "accountId", json_new_str(a, c->account));
	json_set(a, who, "senderKind", json_new_str(a, "human"));
	json_set(a, who, "id", json_new_str(a, c->sender_id));
	json_set(a, mine, "identity", who);
	if (!str_empty(c->sender_name))
		json_set(a, mine, "label", json_new_str(a, c->sender_name));
	return mine;
}

/* The newest last, each once. */
static const char *with_participant(struct arena *a, const char *old, const struct run_channel *c)
{
	struct json *list = NULL, *out = json_new_arr(a), *mine = participant(a, c);
	size_t skip;

	if (!old || json_parse(a, old, strlen(old), JSON_STRICT, &list, NULL) || !json_is(list, JSON_ARR))
		list = json_new_arr(a);
	skip = json_len(list) >= PARTICIPANTS_MAX ? json_len(list) - PARTICIPANTS_MAX + 1 : 0;
	json_each(p, list) {
		if (json_equal(json_get(p, "identity"), json_get(mine, "identity")))
			return old;
		if (skip)
			skip--;
		else
			json_push(out, json_clone(a, p));
	}
	json_push(out, mine);
	return json_to_str(a, out);
}

void from_note_session(struct sess *s, const struct run_channel *c)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *name = c->place_name ? c->place_name : c->sender_name;
	bool is_main = str_ends(s->key, ":main");

	sess_set_str(s, &s->channel, c->channel);
	if (is_main)
		return;          /* the owner's own: it has no room */
	sess_set_str(s, &s->chat_type, c->chat_type);
	if (!str_empty(name))
		sess_set_str(s, &s->display_name, name);
	if (!str_empty(c->sender_id))
		sess_set_str(s, &s->participants, with_participant(a, s->participants, c));
}

/* -- the prompt -- */

void from_prompt(struct buf *out, const struct run_channel *c)
{
	bool is_room = !str_eq(c->chat_type, "direct");

	buf_printf(out, "\n# This conversation\n\nIt takes place on %s, in %s. Your reply is sent there as a message: keep it short, plain "
		   "Markdown is understood.\n", c->label ? c->label : c->channel,
		   is_room ? "a room with several people" : "a direct chat with one person");
	if (is_room)
		buf_puts(out, "- The line in brackets before each message says who wrote it. If there is nothing for you to say, reply with "
			 "exactly NO_REPLY; nothing is sent then.\n");
	buf_puts(out, "- [[reply_to_current]] at the start of a reply quotes the message that you answer. A line `MEDIA: <path in your "
		 "workspace>` sends that file along.\n");
	if (!str_empty(c->group_prompt))
		buf_printf(out, "\n%.*s\n", (int)utf8_cut(c->group_prompt, strlen(c->group_prompt), FROM_PROMPT_MAX), c->group_prompt);
}
