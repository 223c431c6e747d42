/*
 * channels/slack_names.c - who U… is and what kind of room C… is: asked of Slack once an hour, kept in memory.
 *
 * Events carry ids alone. What cannot be found out in time stays unknown for a minute: an event does not wait for a name.
 */
#include "channels/slack.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"

#define KNOWN_MS (60LL * 60 * 1000)
#define UNKNOWN_MS (60LL * 1000)

struct slack_user { char *name; int64_t until_ms; };
struct slack_room { enum chan_peer_kind kind; bool has_kind; char *name; int64_t until_ms; };

static void user_free(void *v)
{
	struct slack_user *u = v;

	ch_free(u->name);
	ch_free(u);
}

static void room_free(void *v)
{
	struct slack_room *r = v;

	ch_free(r->name);
	ch_free(r);
}

static void map_drop(struct map **m, void (*drop)(void *v))
{
	map_clear(*m, drop);
	map_free(CH_TAKE(*m));
}

void slack_names_free(struct slack *s)
{
	map_drop(&s->users, user_free);
	map_drop(&s->rooms, room_free);
	map_drop(&s->direct, ch_free);
}

/* Past the limit everything is forgotten: it is asked again. */
static struct map *room_for_one(struct map **m, void (*drop)(void *v))
{
	if (*m && map_len(*m) >= SLACK_NAMES_MAX)
		map_drop(m, drop);
	if (!*m)
		*m = map_new();
	return *m;
}

/* -- people -- */

static const char *best_name(const struct json *user)
{
	const struct json *profile = json_get(user, "profile");
	const char *const names[] = { json_get_str(profile, "display_name"), json_get_str(profile, "real_name"),
				      json_get_str(user, "real_name"), json_get_str(user, "name") };

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++)
		if (!str_empty(names[i]))
			return names[i];
	return NULL;
}

static const char *user_keep(struct slack *s, const char *id, const char *name)
{
	struct slack_user *u, *before;
	struct map *m;

	if (!s->is_running)
		return NULL;
	m = room_for_one(&s->users, user_free);
	u = ch_alloc(sizeof(*u));
	u->name = ch_strdup(name);
	u->until_ms = now_mono_ms() + (name ? KNOWN_MS : UNKNOWN_MS);
	before = map_put(m, id, u);
	if (before)
		user_free(before);
	return u->name;
}

CH_FIBER const char *slack_user_name(struct chan_acct *acct, const char *user_id, int64_t deadline_ms)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack *s = chan_priv(acct);
	const struct slack_user *u = s->users ? map_find(s->users, user_id) : NULL;
	struct slack_answer answer;
	ch_status st;

	if (!slack_is_id(user_id, "UW"))
		return NULL;
	if (u && u->until_ms > now_mono_ms())
		return u->name;
	if (now_mono_ms() >= deadline_ms)
		return u ? u->name : NULL;
	slack_form_add(&form, "user", user_id);
	st = slack_call(acct, SLACK_BOT, "users.info", &form, deadline_ms, a, &answer, NULL);
	if (st == CH_E_CANCELED)
		return NULL;
	return user_keep(chan_priv(acct), user_id, st ? NULL : best_name(json_get(answer.body, "user")));
}

/* -- rooms -- */

/* NULL: nothing is kept now. */
static struct slack_room *room_get(struct slack *s, const char *id)
{
	struct slack_room *r = s->rooms ? map_find(s->rooms, id) : NULL;

	if (r || !s->is_running)
		return r;
	r = ch_alloc(sizeof(*r));
	map_put(room_for_one(&s->rooms, room_free), id, r);
	return r;
}

void slack_room_learn(struct slack *s, const char *room_id, enum chan_peer_kind kind)
{
	struct slack_room *r = room_get(s, room_id);

	if (!r)
		return;
	r->kind = kind;
	r->has_kind = true;
}

static void room_read(struct slack_room *r, const struct json *channel)
{
	r->kind = json_get_bool(channel, "is_im", false)     ? CHAN_DIRECT
		  : json_get_bool(channel, "is_mpim", false) ? CHAN_GROUP
							     : CHAN_CHANNEL;
	r->has_kind = true;
	ch_free(r->name);
	r->name = ch_strdup(json_get_str(channel, "name"));
}

CH_FIBER enum chan_peer_kind slack_room_kind(struct chan_acct *acct, const char *room_id, enum chan_peer_kind otherwise,
					     int64_t deadline_ms, const char **ret_name)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack_room *r = room_get(chan_priv(acct), room_id);
	struct slack_answer answer;
	ch_status st;

	*ret_name = NULL;
	if (r && r->until_ms <= now_mono_ms() && now_mono_ms() < deadline_ms) {
		slack_form_add(&form, "channel", room_id);
		st = slack_call(acct, SLACK_BOT, "conversations.info", &form, deadline_ms, a, &answer, NULL);
		r = room_get(chan_priv(acct), room_id);
		if (!r)
			return otherwise;
		r->until_ms = now_mono_ms() + (st ? UNKNOWN_MS : KNOWN_MS);
		if (!st)
			room_read(r, json_get(answer.body, "channel"));
	}
	if (!r)
		return otherwise;
	*ret_name = r->name;
	return r->has_kind ? r->kind : otherwise;
}

/* -- DMs -- */

void slack_direct_learn(struct slack *s, const char *user_id, const char *room_id)
{
	struct map *m;

	if (!s->is_running)
		return;
	m = room_for_one(&s->direct, ch_free);
	if (!str_eq(map_find(m, user_id), room_id))
		ch_free(map_put(m, user_id, ch_strdup(room_id)));
}

CH_FIBER ch_status slack_channel_of(struct chan_acct *acct, const struct chan_peer *peer, struct arena *a, const char **ret,
				    enum chan_outcome *ret_outcome, struct ch_err *err)
{
	SLACK_AUTO_FORM struct slack_form form = SLACK_FORM;
	struct slack *s = chan_priv(acct);
	const char *known = s->direct ? map_find(s->direct, peer->id) : NULL, *id;
	struct slack_answer answer;
	ch_status st;

	*ret_outcome = CHAN_SENT;
	if (known || peer->kind != CHAN_DIRECT || !slack_is_id(peer->id, "UW")) {
		*ret = arena_strdup(a, known ? known : peer->id);
		return CH_OK;
	}
	slack_form_add(&form, "users", peer->id);
	st = slack_call(acct, SLACK_BOT, "conversations.open", &form, fiber_deadline(SLACK_CALL_MS), a, &answer, err);
	id = json_get_str(json_get(answer.body, "channel"), "id");
	if (st && str_eq(answer.error, "missing_scope")) {
		/* Without im:write a plain message may still go to the person's id. */
		*ret = arena_strdup(a, peer->id);
		return CH_OK;
	}
	/* Opening shows nothing: whatever became of it, no message is there. */
	*ret_outcome = answer.outcome == CHAN_REFUSED ? CHAN_REFUSED : CHAN_NOT_SENT;
	if (st)
		return st;
	if (!id)
		return ch_fail(err, CH_E_PEER, "conversations.open: Slack named no channel");
	*ret_outcome = CHAN_SENT;
	slack_direct_learn(chan_priv(acct), peer->id, id);
	*ret = arena_strdup(a, id);
	return CH_OK;
}
