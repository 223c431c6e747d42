/*
 * gateway/gw_reload.c - what a changed configuration changes while we run.
 *
 * The file's watcher calls us outside a fiber; reading a secret may run a program, so the work gets
 * a fiber of its own. A change that fails keeps the old state and says so.
 */
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/auth.h"
#include "gateway/bootstrap.h"
#include "gateway/gw_parts.h"
#include "gateway/hub.h"
#include "gateway/render.h"
#include "gateway/services.h"

#define LOG_MAX_BYTES (100 << 20)
#define LOG_KEEP 3

static enum log_level level_of(const struct config *c, const char *path, enum log_level def)
{
	enum log_level level;

	return log_level_parse(config_str(c, path), &level) ? level : def;
}

/* A person at the console wants to hear of trouble only, unless the configuration says otherwise. */
static enum log_level console_level(const struct config *c, bool verbose)
{
	if (verbose)
		return LOG_DEBUG;
	return config_get(c, "logging.consoleLevel") ? level_of(c, "logging.consoleLevel", LOG_WARN)
						     : LOG_WARN;
}

ch_status gw_log_open(struct gw *gw, const struct config *c, bool verbose, struct ch_err *err)
{
	struct log_opts opts = {
		.file_path = gw->log_path,
		.file_max_bytes = config_int(c, "logging.maxFileBytes", LOG_MAX_BYTES),
		.keep = LOG_KEEP,
		.file_level = level_of(c, "logging.level", LOG_INFO),
		.console_level = console_level(c, verbose),
		.console_json = str_eq(config_str(c, "logging.consoleStyle"), "json"),
	};

	return log_open(&opts, err);
}

/* Which models there are may have changed. */
static void tell_catalog(struct gw *gw)
{
	gw_broadcast(gw, &(struct gw_event){ .name = "chat.metadata.changed", .payload = "{}", .len = 2,
					     .flags = GW_EV_DROP_IF_SLOW });
}

static void tell_changed(struct gw *gw)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, 8192);
	jw_obj(&w);
	jw_kstr(&w, "path", config_store_path(gw->config));
	jw_kstr(&w, "hash", config_hash(gw_config(gw)));
	jw_kint(&w, "ts", now_wall_ms());
	jw_end(&w);
	if (out.failed)
		return;
	gw_broadcast(gw, &(struct gw_event){ .name = "config.changed", .payload = out.data, .len = out.len });
	tell_catalog(gw);
}

/* Setup codes stand for the secret that was in force when they were made. */
static void revoke_codes(struct gw *gw)
{
	struct ch_err err = {0};

	if (bootstrap_revoke(gw->db, NULL, &err))
		log_error("gateway", "setup codes could not be revoked: %s; they lapse within 10 minutes", err.text);
}

/* Reads what depends on the configuration afresh. False: we are stopping, or a newer change is being read. */
CH_FIBER static bool apply(struct gw *gw)
{
	CH_AUTO(config_unref) struct config *c = config_ref(gw_config(gw));
	struct ch_err err = {0};
	bool auth_changed = false;
	ch_status st = auth_load(gw->auth, c, gw->bind_is_loopback, &auth_changed, &err);

	if (gw->is_stopping || fiber_canceled())
		return false;
	snprintf(gw->reload_error, sizeof(gw->reload_error), "%s", st ? err.text : "");
	if (st)
		log_error("config", "%s; the old credentials stay in force", err.text);
	else if (auth_changed) {
		log_info("config", "credentials changed: clients that used the old ones are closed");
		hub_close_shared_auth(gw->hub, "gateway auth changed");
		revoke_codes(gw);
	}
	log_set_level(level_of(c, "logging.level", LOG_INFO), console_level(c, gw->is_verbose));
	models_config_changed(gw->models);
	agent_config_changed(gw->agents);
	gw_services_config_changed(gw);
	gw_render_forget(gw->render);
	hub_health_changed(gw->hub);
	return true;
}

CH_FIBER static void reload(void *arg)
{
	struct gw *gw = arg;
	struct gw_hub *h = gw->hub;
	bool is_applied = apply(gw);

	if (h->reload == fiber_self())
		h->reload = NULL;
	h->reloading--;
	fiber_cond_broadcast(&h->reloaded);
	if (!is_applied)
		return;
	if (h->is_config_untold)
		tell_changed(gw);
	else
		tell_catalog(gw);
	h->is_config_untold = false;
}

/* One that is still reading an older state is ended: its credentials would come after the new ones and replace them. */
static void reload_start(struct gw *gw)
{
	struct gw_hub *h = gw->hub;

	fiber_cancel(h->reload);
	h->reloading++;
	h->reload = fiber_spawn(gw->loop, "reload", FIBER_DETACHED, reload, gw);
}

void gw_reload_secrets(struct gw *gw)
{
	reload_start(gw);
}

void gw_reload_end(struct gw *gw)
{
	fiber_cancel(gw->hub->reload);
}

static void warn_restart(const struct config_change *ch)
{
	for (size_t i = 0; ch->paths && ch->paths[i]; i++) {
		const struct config_row *row = config_row_find(ch->paths[i]);

		if (row && (row->flags & CFG_RESTART))
			log_warn("config", "%s changed: takes effect when the gateway is restarted",
				 ch->paths[i]);
	}
}

void gw_config_changed(void *arg, const struct config_change *ch)
{
	struct gw *gw = arg;

	if (!gw->hub || gw->is_stopping)
		return;
	if (ch->before == ch->after) {
		log_error("config",
			  "%s is broken: the last good configuration stays; see chela config validate",
			  config_store_path(gw->config));
		return;
	}
	if (ch->needs_restart)
		warn_restart(ch);
	log_info("config", "configuration changed%s", ch->by_us ? "" : " on disk");
	gw->hub->is_config_untold = true;
	reload_start(gw);
}

ch_status gw_reload_wait(struct gw *gw, int64_t deadline_ms, struct ch_err *err)
{
	while (gw->hub->reloading > 0) {
		ch_status st = fiber_cond_wait(&gw->hub->reloaded, deadline_ms);

		if (st)
			return ch_fail(err, st, "the configuration is written but not yet in force");
	}
	return CH_OK;
}
