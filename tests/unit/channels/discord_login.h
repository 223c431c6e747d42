/* channels/discord_login.h - a login without a network, for the tests of what Discord's codecs do. */
#ifndef TEST_DISCORD_LOGIN_H
#define TEST_DISCORD_LOGIN_H

#include <stdio.h>
#include <string.h>

#include "channels/discord_event.h"
#include "core/mem.h"
#include "core/str.h"

#define SELF "1000000000000009001"
#define ADA "1000000000000001001"
#define BOB "1000000000000001002"
#define GUILD "1000000000000003001"
#define ROOM "1000000000000002001"
#define THREAD "1000000000000002005"
#define DM "1000000000000005001"

/* section: the keys of channels.discord, JSON5. */
static inline struct discord *discord_login(const char *section)
{
	struct discord *d = ch_alloc(sizeof(*d));
	CH_AUTO(config_unref) struct config *c = NULL;
	CH_AUTO_STR char *text = ch_asprintf("{channels:{discord:{%s}}}", section);

	if (config_parse(text, strlen(text), NULL, &c, NULL))
		ch_bug(__FILE__, __LINE__, "the configuration of a test");
	d->refs = 1;
	d->cfg = chan_cfg_new(c, "discord", NULL);
	d->hides_answers = chan_cfg_bool(d->cfg, "slashCommand.ephemeral", true);
	d->api = ch_strdup("https://discord.com/api/v10");
	d->rate = discord_rate_new();
	d->rooms = map_new();
	d->dms = map_new();
	d->roles = map_new();
	d->audiences = map_new();
	snprintf(d->self_id, sizeof(d->self_id), SELF);
	snprintf(d->app_id, sizeof(d->app_id), SELF);
	snprintf(d->username, sizeof(d->username), "chelabot");
	return d;
}

static inline void discord_learn(struct discord *d, struct arena *a, const char *room)
{
	struct json *v;

	if (json_parse(a, room, strlen(room), JSON_JSON5, &v, NULL))
		ch_bug(__FILE__, __LINE__, "the room of a test");
	discord_room_learn(d, v, GUILD);
}

#endif
