/*
 * channels/menu.c - the slash commands that a network shows in a menu of its own: told to it when an account is up, and again when
 * the list has changed.
 *
 * A fiber does it, so that receiving does not wait; it ends with the run at the latest. A failure costs the menu only.
 */
#include "channels/host_priv.h"

#include "core/hash.h"
#include "core/log.h"

/* commands.native of the account, else of the gateway as it is now; "auto" is on wherever a network has a menu. */
static bool is_wanted(const struct chan_acct *acct)
{
	const struct json *own = chan_cfg_get(acct->cfg, "commands.native");

	return json_bool_or(own ? own : config_get(chan_host_config(acct->host), "commands.native"), true);
}

static uint64_t hash_of(const struct chan_menu *menu, size_t count)
{
	CH_AUTO_BUF struct buf text = { .max_bytes = 1u << 20 };

	for (size_t i = 0; i < count; i++)
		buf_printf(&text, "%s %s\n", menu[i].name, menu[i].description ? menu[i].description : "");
	return hash_bytes(buf_str(&text), text.len) | 1;
}

CH_FIBER static void offer(void *arg)
{
	CH_AUTO(chan_acct_unref) struct chan_acct *acct = arg;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct chan_up *up = chan_host_up(acct->host);
	const struct chan_menu *menu = NULL;
	size_t count = is_wanted(acct) ? up->menu(up->arg, a, &menu) : 0;
	uint64_t hash = hash_of(menu, count);
	struct ch_err err = { 0 };

	if (hash != acct->menu_hash) {
		if (!acct->ops->commands(acct, menu, count, &err))
			acct->menu_hash = hash;
		else if (!fiber_canceled())
			log_warn("channels", "%s/%s: the command menu could not be set: %s; it stays as it was", acct->ops->id, acct->id,
				 err.text);
	}
	acct->menu = NULL;
	fiber_cond_broadcast(&acct->changed);
}

void menu_offer(struct chan_acct *acct)
{
	const struct chan_up *up = chan_host_up(acct->host);

	if (!acct->ops->commands || !up || !up->menu || acct->menu || !acct->fiber || acct->is_ending || !chan_acct_is_up(acct))
		return;
	acct->menu = fiber_spawn(acct->host->loop, "channel-menu", FIBER_DETACHED, offer, chan_acct_ref(acct));
}

CH_FIBER void menu_end(struct chan_acct *acct)
{
	/* Without an end of its own: the fiber is cancelled, so each of its waits ends. */
	fiber_mask(1);
	if (acct->menu)
		fiber_cancel(acct->menu);
	while (acct->menu)
		if (fiber_cond_wait(&acct->changed, FIBER_FOREVER))
			break;
	fiber_mask(-1);
	acct->menu_hash = 0;             /* the next run may be another login */
}
