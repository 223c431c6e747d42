/*
 * channels/inbox_json.c - struct chan_in as JSON and back, for the table channel_inbox.
 *
 * {"kind", "event", "peer":{…}, "sender":{"id","name"?,"username"?,"roles"?:[],"bot"?,"self"?}, "at"?, "message"?, "album"?, "text"?,
 *  "mentioned"?, "mentionsOthers"?, "canMention"?, "forwarded"?, "quote"?:{"id","senderId","senderName","text","ours"},
 *  "media"?:[{"kind","ref","name","mime","size","emoji"}], "location"?:{"lat","lon","accuracy","live","name","address"},
 *  "emoji"?, "removed"?, "data"?, "handle"?}
 *
 * What is false, 0 or NULL is left out. Writing refuses ids that are too long and cuts what people wrote; reading takes nothing
 * of a wrong type, too long or missing: a row that somebody changed by hand is no message.
 */
#include <math.h>
#include <string.h>

#include "channels/inbox.h"
#include "channels/route.h"
#include "core/str.h"

#define NAME_MAX_BYTES CHAN_NAME_MAX
#define REF_MAX 8192                     /* bytes of what fetch() needs */
#define HANDLE_MAX 4096
#define DATA_MAX 4096
#define MIME_MAX 128
#define ROLES_MAX 256
#define QUOTE_MAX (16u << 10)            /* bytes of a quoted text: it is context, not the message */
#define CUT_MARK "\n[cut here: the message was longer]"

static const char *const kinds[] = {
	[CHAN_IN_MESSAGE] = "message", [CHAN_IN_COMMAND] = "command", [CHAN_IN_EDIT] = "edit", [CHAN_IN_DELETE] = "delete",
	[CHAN_IN_REACTION] = "reaction", [CHAN_IN_PRESS] = "press", [CHAN_IN_VOTE] = "vote", [CHAN_IN_JOIN] = "join",
	[CHAN_IN_LEAVE] = "leave", [CHAN_IN_MIGRATE] = "migrate",
};
#define MEDIA_KINDS (CHAN_STICKER + 1)

const char *chan_in_kind_name(enum chan_in_kind kind)
{
	CH_BUG_ON((size_t)kind >= CH_ARRAY_LEN(kinds));
	return kinds[kind];
}

bool chan_in_kind_parse(const char *name, enum chan_in_kind *ret)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(kinds); i++) {
		if (!str_eq(kinds[i], name))
			continue;
		*ret = (enum chan_in_kind)i;
		return true;
	}
	return false;
}

/* -- writing -- */

/* What people wrote: cut at a character, and saying so when it is the message itself. */
static void put_cut(struct jw *w, const char *key, const char *text, size_t max, const char *mark)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	size_t n = text ? strlen(text) : 0, keep;

	if (!text)
		return;
	jw_key(w, key);
	if (n <= max) {
		jw_strn(w, text, n);
		return;
	}
	a = arena_new(0);
	keep = utf8_cut(text, n, max - strlen(mark));
	jw_str(w, arena_printf(a, "%.*s%s", (int)keep, text, mark));
}

static void put_flag(struct jw *w, const char *key, bool is_set)
{
	if (is_set)
		jw_kbool(w, key, true);
}

static void put_sender(struct jw *w, const struct chan_sender *s)
{
	jw_kobj(w, "sender");
	jw_kstr_opt(w, "id", s->id);
	put_cut(w, "name", s->name, NAME_MAX_BYTES, "");
	put_cut(w, "username", s->username, NAME_MAX_BYTES, "");
	if (s->roles && s->roles[0]) {
		jw_karr(w, "roles");
		for (size_t i = 0; s->roles[i] && i < ROLES_MAX; i++)
			jw_str(w, s->roles[i]);
		jw_end(w);
	}
	put_flag(w, "bot", s->is_bot);
	put_flag(w, "self", s->is_self);
	jw_end(w);
}

static void put_quote(struct jw *w, const struct chan_quote *q)
{
	if (!q)
		return;
	jw_kobj(w, "quote");
	jw_kstr_opt(w, "id", q->message_id);
	jw_kstr_opt(w, "senderId", q->sender_id);
	put_cut(w, "senderName", q->sender_name, NAME_MAX_BYTES, "");
	put_cut(w, "text", q->text, QUOTE_MAX, "…");
	put_flag(w, "ours", q->is_ours);
	jw_end(w);
}

static void put_media(struct jw *w, const struct chan_in *in)
{
	if (!in->media_count)
		return;
	jw_karr(w, "media");
	for (size_t i = 0; i < in->media_count && i < CHAN_MEDIA_COUNT_MAX; i++) {
		const struct chan_media_in *m = &in->media[i];

		jw_obj(w);
		jw_kstr(w, "kind", chan_media_kind_name(m->kind));
		jw_kstr_opt(w, "ref", m->ref);
		put_cut(w, "name", m->name, NAME_MAX_BYTES, "");
		put_cut(w, "mime", m->mime, MIME_MAX, "");
		if (m->size > 0)
			jw_kint(w, "size", m->size);
		put_cut(w, "emoji", m->emoji, NAME_MAX_BYTES, "");
		jw_end(w);
	}
	jw_end(w);
}

static void put_location(struct jw *w, const struct chan_location *l)
{
	if (!l)
		return;
	jw_kobj(w, "location");
	jw_knum(w, "lat", l->lat);
	jw_knum(w, "lon", l->lon);
	if (l->accuracy_m > 0)
		jw_knum(w, "accuracy", l->accuracy_m);
	put_flag(w, "live", l->is_live);
	put_cut(w, "name", l->name, NAME_MAX_BYTES, "");
	put_cut(w, "address", l->address, NAME_MAX_BYTES * 2, "");
	jw_end(w);
}

static bool fits(const char *s, size_t max)
{
	return !s || strlen(s) <= max;
}

/* Identifiers mean something whole or nothing, so none is cut. */
static const char *what_is_too_long(const struct chan_in *in)
{
	const struct { const char *what, *value; size_t max; } ids[] = {
		{ "the event's id", in->event_id, CHAN_ID_MAX }, { "the peer's id", in->peer.id, CHAN_ID_MAX },
		{ "the thread's id", in->peer.thread, CHAN_ID_MAX }, { "the parent's id", in->peer.parent, CHAN_ID_MAX },
		{ "the guild's id", in->peer.guild, CHAN_ID_MAX }, { "the team's id", in->peer.team, CHAN_ID_MAX },
		{ "the sender's id", in->sender.id, CHAN_ID_MAX }, { "the message's id", in->message_id, CHAN_ID_MAX },
		{ "the album's id", in->group_id, CHAN_ID_MAX }, { "the emoji", in->emoji, CHAN_ID_MAX },
		{ "the data", in->data, DATA_MAX }, { "the handle", in->handle, HANDLE_MAX },
		{ "the quoted message's id", in->quote ? in->quote->message_id : NULL, CHAN_ID_MAX },
		{ "the quoted sender's id", in->quote ? in->quote->sender_id : NULL, CHAN_ID_MAX },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(ids); i++)
		if (!fits(ids[i].value, ids[i].max))
			return ids[i].what;
	for (size_t i = 0; i < in->media_count && i < CHAN_MEDIA_COUNT_MAX; i++)
		if (!fits(in->media[i].ref, REF_MAX))
			return "a file's reference";
	for (size_t i = 0; in->sender.roles && in->sender.roles[i] && i < ROLES_MAX; i++)
		if (!fits(in->sender.roles[i], CHAN_ID_MAX))
			return "a role's id";
	return NULL;
}

static ch_status check(const struct chan_in *in, struct ch_err *err)
{
	const char *what = what_is_too_long(in);

	if (what)
		return ch_fail(err, CH_E_INVALID, "%s is longer than any id of a network", what);
	if (str_empty(in->event_id))
		return ch_fail(err, CH_E_INVALID, "an event without an id");
	if (str_empty(in->peer.id))
		return ch_fail(err, CH_E_INVALID, "an event without a place");
	if (in->location && (!isfinite(in->location->lat) || !isfinite(in->location->lon) || !isfinite(in->location->accuracy_m)))
		return ch_fail(err, CH_E_INVALID, "a location that is nowhere");
	return CH_OK;
}

ch_status chan_in_write(const struct chan_in *in, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct chan_peer peer = in->peer;
	struct jw w = JW(out);
	ch_status st = check(in, err);

	if (st)
		return st;
	if (peer.name)
		peer.name = arena_strndup(a, peer.name, utf8_cut(peer.name, strlen(peer.name), NAME_MAX_BYTES));
	jw_obj(&w);
	jw_kstr(&w, "kind", kinds[in->kind]);
	jw_kstr(&w, "event", in->event_id);
	jw_kvalue(&w, "peer", chan_peer_json(a, &peer));
	put_sender(&w, &in->sender);
	if (in->at_ms)
		jw_kint(&w, "at", in->at_ms);
	jw_kstr_opt(&w, "message", in->message_id);
	jw_kstr_opt(&w, "album", in->group_id);
	put_cut(&w, "text", in->text, CHAN_TEXT_MAX, CUT_MARK);
	put_flag(&w, "mentioned", in->is_mentioned);
	put_flag(&w, "mentionsOthers", in->mentions_others);
	put_flag(&w, "canMention", in->can_mention);
	put_flag(&w, "forwarded", in->is_forwarded);
	put_quote(&w, in->quote);
	put_media(&w, in);
	put_location(&w, in->location);
	jw_kstr_opt(&w, "emoji", in->emoji);
	put_flag(&w, "removed", in->is_removed);
	jw_kstr_opt(&w, "data", in->data);
	jw_kstr_opt(&w, "handle", in->handle);
	jw_end(&w);
	return buf_status(out, err, "an inbound message");
}

/* -- reading: the first fault sticks -- */

struct reader { struct arena *a; struct ch_err *err; ch_status st; };

static void refuse(struct reader *r, const char *key, const char *why)
{
	if (!r->st)
		r->st = ch_fail(r->err, CH_E_INVALID, "a stored message cannot be read: '%s' %s", key, why);
}

/* A member that may be missing; one that is there is of the type. */
static const struct json *member(struct reader *r, const struct json *obj, const char *key, enum json_type type)
{
	const struct json *v = json_get(obj, key);

	if (!v || json_is(v, type))
		return v;
	refuse(r, key, "is of another type");
	return NULL;
}

static const char *text_of(struct reader *r, const struct json *obj, const char *key, size_t max)
{
	const struct json *v = member(r, obj, key, JSON_STR);

	if (!v)
		return NULL;
	if (v->len > max)
		refuse(r, key, "is too long");
	else if (memchr(v->str, 0, v->len))
		refuse(r, key, "has a zero in it");
	return v->str;
}

static const char *needed(struct reader *r, const struct json *obj, const char *key, size_t max)
{
	const char *s = text_of(r, obj, key, max);

	if (str_empty(s))
		refuse(r, key, "is missing");
	return s;
}

static bool flag_of(struct reader *r, const struct json *obj, const char *key)
{
	return json_bool_or(member(r, obj, key, JSON_BOOL), false);
}

static int64_t int_of(struct reader *r, const struct json *obj, const char *key)
{
	int64_t n = json_int_or(member(r, obj, key, JSON_INT), 0);

	if (n < 0)
		refuse(r, key, "is negative");
	return n;
}

/* 1.0 is written as 1. */
static double num_of(struct reader *r, const struct json *obj, const char *key, double most)
{
	const struct json *v = json_get(obj, key);
	double d = json_num_or(v, 0);

	if (v && !json_is(v, JSON_INT) && !json_is(v, JSON_NUM))
		refuse(r, key, "is of another type");
	else if (!isfinite(d) || fabs(d) > most)
		refuse(r, key, "is out of range");
	return d;
}

static const char *const *read_roles(struct reader *r, const struct json *list)
{
	const char **roles;
	size_t n = 0;

	if (!list)
		return NULL;
	if (json_len(list) > ROLES_MAX) {
		refuse(r, "roles", "has too many members");
		return NULL;
	}
	roles = arena_alloc(r->a, (json_len(list) + 1) * sizeof(*roles));
	json_each(role, list) {
		if (!json_str(role) || role->len > CHAN_ID_MAX)
			refuse(r, "roles", "has a member that is no id");
		roles[n++] = json_str(role);
	}
	return roles;
}

static void read_sender(struct reader *r, const struct json *v, struct chan_sender *ret)
{
	*ret = (struct chan_sender){
		.id = text_of(r, v, "id", CHAN_ID_MAX), .name = text_of(r, v, "name", NAME_MAX_BYTES),
		.username = text_of(r, v, "username", NAME_MAX_BYTES), .roles = read_roles(r, member(r, v, "roles", JSON_ARR)),
		.is_bot = flag_of(r, v, "bot"), .is_self = flag_of(r, v, "self"),
	};
}

static const struct chan_quote *read_quote(struct reader *r, const struct json *v)
{
	struct chan_quote *q;

	if (!v)
		return NULL;
	q = arena_alloc(r->a, sizeof(*q));
	*q = (struct chan_quote){
		.message_id = text_of(r, v, "id", CHAN_ID_MAX), .sender_id = text_of(r, v, "senderId", CHAN_ID_MAX),
		.sender_name = text_of(r, v, "senderName", NAME_MAX_BYTES), .text = text_of(r, v, "text", QUOTE_MAX),
		.is_ours = flag_of(r, v, "ours"),
	};
	return q;
}

static enum chan_media_kind read_media_kind(struct reader *r, const struct json *v)
{
	const char *name = json_get_str(v, "kind");

	for (int i = 0; i < MEDIA_KINDS; i++)
		if (str_eq(chan_media_kind_name((enum chan_media_kind)i), name))
			return (enum chan_media_kind)i;
	refuse(r, "media", "has a member of an unknown kind");
	return CHAN_DOCUMENT;
}

static void read_media(struct reader *r, const struct json *list, struct chan_in *ret)
{
	struct chan_media_in *media;
	size_t n = 0;

	if (!list)
		return;
	if (json_len(list) > CHAN_MEDIA_COUNT_MAX) {
		refuse(r, "media", "has too many members");
		return;
	}
	media = arena_alloc(r->a, (json_len(list) + 1) * sizeof(*media));
	json_each(v, list)
		media[n++] = (struct chan_media_in){
			.kind = read_media_kind(r, v), .ref = text_of(r, v, "ref", REF_MAX),
			.name = text_of(r, v, "name", NAME_MAX_BYTES), .mime = text_of(r, v, "mime", MIME_MAX),
			.size = int_of(r, v, "size"), .emoji = text_of(r, v, "emoji", NAME_MAX_BYTES),
		};
	ret->media = media;
	ret->media_count = n;
}

static const struct chan_location *read_location(struct reader *r, const struct json *v)
{
	struct chan_location *l;

	if (!v)
		return NULL;
	l = arena_alloc(r->a, sizeof(*l));
	*l = (struct chan_location){
		.lat = num_of(r, v, "lat", 90), .lon = num_of(r, v, "lon", 180), .accuracy_m = num_of(r, v, "accuracy", 1e8),
		.is_live = flag_of(r, v, "live"), .name = text_of(r, v, "name", NAME_MAX_BYTES),
		.address = text_of(r, v, "address", NAME_MAX_BYTES * 2),
	};
	return l;
}

static void read_all(struct reader *r, const struct json *v, struct chan_in *in)
{
	if (!chan_in_kind_parse(json_get_str(v, "kind"), &in->kind))
		refuse(r, "kind", "is none that is known");
	in->event_id = needed(r, v, "event", CHAN_ID_MAX);
	read_sender(r, member(r, v, "sender", JSON_OBJ), &in->sender);
	in->message_id = text_of(r, v, "message", CHAN_ID_MAX);
	in->group_id = text_of(r, v, "album", CHAN_ID_MAX);
	in->at_ms = int_of(r, v, "at");
	in->text = text_of(r, v, "text", CHAN_TEXT_MAX);
	in->is_mentioned = flag_of(r, v, "mentioned");
	in->mentions_others = flag_of(r, v, "mentionsOthers");
	in->can_mention = flag_of(r, v, "canMention");
	in->is_forwarded = flag_of(r, v, "forwarded");
	in->quote = read_quote(r, member(r, v, "quote", JSON_OBJ));
	read_media(r, member(r, v, "media", JSON_ARR), in);
	in->location = read_location(r, member(r, v, "location", JSON_OBJ));
	in->emoji = text_of(r, v, "emoji", CHAN_ID_MAX);
	in->is_removed = flag_of(r, v, "removed");
	in->data = text_of(r, v, "data", DATA_MAX);
	in->handle = text_of(r, v, "handle", HANDLE_MAX);
}

ch_status chan_in_read(const char *json, size_t len, struct arena *a, struct chan_in *ret, struct ch_err *err)
{
	struct reader r = { .a = a, .err = err };
	struct chan_in in = { 0 };
	struct json *v;
	ch_status st = json_parse(a, json, len, JSON_STRICT, &v, err);

	if (st)
		return err ? ch_wrap(err, "a stored message cannot be read") : st;
	if (!json_is(v, JSON_OBJ) || !json_is(json_get(v, "peer"), JSON_OBJ))
		return ch_fail(err, CH_E_INVALID, "a stored message cannot be read: 'peer' is missing");
	read_all(&r, v, &in);
	if (r.st)
		return r.st;
	st = chan_peer_read(json_get(v, "peer"), a, &in.peer, err);
	if (st)
		return st;
	*ret = in;
	return CH_OK;
}
