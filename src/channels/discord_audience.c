/*
 * channels/discord_audience.c - accessGroups of the type discord.channelAudience: everybody of a guild who may see a channel now.
 *
 * A DM does not say which roles its author has somewhere, so Discord is asked. What it says goes with the event, as roles that
 * access_audience() names; whoever cannot be judged is in no group. An answer holds for AUDIENCE_MS.
 */
#include "channels/discord.h"

#include <string.h>

#include "channels/access_list.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"

#define AUDIENCE_MS 60000
#define AUDIENCES_MAX 16                 /* groups that are asked for: each costs requests by message */
#define WAIT_MS 5000
#define ASK_MS 10000
#define VIEW_CHANNEL (1LL << 10)         /* Discord's PermissionFlagsBits */
#define ADMINISTRATOR (1LL << 3)

/* -- permissions -- */

/* Bits as decimal digits. What is none grants nothing, and denies all. */
static int64_t bits(const struct json *of, const char *key, int64_t if_none)
{
	const char *text = json_get_str(of, key);
	int64_t v;

	return text && str_to_i64(text, &v) && v >= 0 ? v : if_none;
}

static bool has_role(const struct json *member, const char *role)
{
	json_each(own, json_get(member, "roles"))
		if (str_eq(json_str(own), role))
			return true;
	return false;
}

static int64_t base_of(const struct json *guild, const struct json *member)
{
	int64_t base = 0;

	json_each(role, json_get(guild, "roles")) {
		const char *id = json_get_str(role, "id");

		if (id && (str_eq(id, json_get_str(guild, "id")) || has_role(member, id)))
			base |= bits(role, "permissions", 0);
	}
	return base;
}

bool discord_may_view(const struct json *guild, const struct json *channel, const struct json *member, const char *user)
{
	const char *everyone = json_get_str(guild, "id");
	int64_t base = base_of(guild, member), allow = 0, deny = 0;
	const struct json *own = NULL;

	if (!everyone || !json_is(json_get(member, "roles"), JSON_ARR))
		return false;
	if (str_eq(json_get_str(guild, "owner_id"), user) || base & ADMINISTRATOR)
		return true;
	/* For everybody, then for all roles together, then for the person: each takes back what the one before said. */
	json_each(over, json_get(channel, "permission_overwrites")) {
		const char *id = json_get_str(over, "id");

		if (str_eq(id, everyone))
			base = (base & ~bits(over, "deny", -1)) | bits(over, "allow", 0);
		else if (str_eq(id, user))
			own = over;
		else if (id && has_role(member, id)) {
			allow |= bits(over, "allow", 0);
			deny |= bits(over, "deny", -1);
		}
	}
	base = (base & ~deny) | allow;
	if (own)
		base = (base & ~bits(own, "deny", -1)) | bits(own, "allow", 0);
	return base & VIEW_CHANNEL;
}

/* -- asking -- */

static CH_FIBER ch_status ask(struct discord *d, const char *path, struct arena *a, const struct json **ret, struct ch_err *err)
{
	struct discord_rs rs;
	ch_status st = discord_call(d,
				    &(struct discord_rq){ .method = "GET", .path = path, .wait_max_ms = WAIT_MS,
							  .deadline_ms = fiber_deadline(ASK_MS) },
				    a, &rs, err);

	if (!st)
		*ret = rs.body;
	return st;
}

/* Who is not in the guild may see nothing of it. */
static CH_FIBER ch_status look_up(struct discord *d, const char *guild_id, const char *channel_id, const char *user, struct arena *a,
				  bool *ret, struct ch_err *err)
{
	const struct json *guild, *channel, *member;
	ch_status st = ask(d, arena_printf(a, "/guilds/%s/members/%s", guild_id, user), a, &member, err);

	*ret = false;
	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	st = ask(d, arena_printf(a, "/channels/%s", channel_id), a, &channel, err);
	if (!st)
		st = ask(d, arena_printf(a, "/guilds/%s", guild_id), a, &guild, err);
	if (st)
		return st;
	if (!str_eq(json_get_str(channel, "guild_id"), guild_id))
		return ch_fail(err, CH_E_INVALID, "channel %s is of another server", channel_id);
	*ret = discord_may_view(guild, channel, member, user);
	return CH_OK;
}

struct seen { bool may_view; int64_t until_ms; };

static CH_FIBER bool may_view(struct discord *d, const char *guild, const char *channel, const char *user, struct arena *a)
{
	const char *key = arena_printf(a, "%s %s %s", guild, channel, user);
	const struct seen *known = map_find(d->audiences, key);
	struct seen *now;
	struct ch_err err;
	bool may;

	if (known && now_mono_ms() < known->until_ms)
		return known->may_view;
	if (look_up(d, guild, channel, user, a, &may, &err)) {
		log_warn("discord", "user %s counts as nobody who sees channel %s: %s", log_quote(user), log_quote(channel), err.text);
		return false;
	}
	if (map_len(d->audiences) >= DISCORD_ROOMS_MAX)
		map_clear(d->audiences, ch_free);
	now = ch_alloc(sizeof(*now));
	*now = (struct seen){ may, now_mono_ms() + AUDIENCE_MS };
	ch_free(map_put(d->audiences, key, now));
	return may;
}

CH_FIBER const char *const *discord_audiences(struct discord *d, struct config *now, const char *user, struct arena *a)
{
	CH_AUTO(config_unref) struct config *c = config_ref(now);
	const char **list = NULL;
	size_t n = 0;

	if (!discord_is_id(user))
		return NULL;
	json_each(group, config_get(c, "accessGroups")) {
		const char *name = access_audience(group, a), *guild, *channel;

		if (!name || n == AUDIENCES_MAX)
			continue;
		guild = name + strlen(ACCESS_AUDIENCE_ROLE);
		guild = arena_strndup(a, guild, strcspn(guild, ":"));
		channel = strrchr(name, ':') + 1;
		if (!list)
			list = arena_alloc(a, (AUDIENCES_MAX + 1) * sizeof(*list));
		if (discord_is_id(guild) && discord_is_id(channel) && may_view(d, guild, channel, user, a))
			list[n++] = name;
	}
	return list;
}
