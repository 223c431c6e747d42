/*
 * gateway/gw_start.c - making and ending the gateway: each step once, in order, with the way out when it
 * fails.
 *
 *	state directory and database (lock) -> configuration -> log -> credentials -> sessions -> models
 *	-> agents -> sockets
 *
 * gw_free() takes apart whatever stands, in reverse, so a failed start uses it as well.
 */
#include "agent/tool_journal.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/file.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/auth.h"
#include "gateway/dispatch.h"
#include "gateway/gw_parts.h"
#include "gateway/hub.h"
#include "gateway/pair.h"
#include "gateway/render.h"
#include "gateway/services.h"
#include "models/auth.h"
#include "net/http_client.h"
#include "secrets/store.h"

#define TOKEN_BYTES 32
#define QUIET_MS 5000                    /* for what was cancelled to return; then we say that we wait */
#define SOCKETS_MS 2000                  /* for closing handshakes */

/* How long a repeated chat.send still finds its first one; the transcript itself stays. */
#define INPUT_KEPT_MS (30LL * 24 * 3600 * 1000)

static struct config *current_config(void *gw)
{
	return gw_config(gw);
}

/* -- steps -- */

static ch_status open_db(struct gw *gw, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	return db_open(arena_printf(a, "%s/chela.sqlite", gw->state_dir), DB_CREATE | DB_LOCK, &gw->db, err);
}

static ch_status open_config(struct gw *gw, const char *path, struct ch_err *err)
{
	struct config_store_opts opts = {
		.path = path, .state_dir = gw->state_dir, .on_change = gw_config_changed, .arg = gw};
	ch_status st = secret_store_open(gw->db, gw->state_dir, &gw->secrets, err);

	if (st)
		return st;
	opts.secrets = secret_store_source(gw->secrets);
	return config_store_open(gw->loop, &opts, &gw->config, err);
}

static ch_status open_log(struct gw *gw, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *file = config_str(gw_config(gw), "logging.file");
	const char *dir = arena_printf(a, "%s/logs", gw->state_dir);
	ch_status st;

	gw->log_path = str_empty(file) ? ch_asprintf("%s/gateway.log", dir) : ch_strdup(file);
	st = str_empty(file) ? file_mkdirs(dir, 0700, err) : CH_OK;
	return st ? st : gw_log_open(gw, gw_config(gw), gw->is_verbose, err);
}

static bool needs_token(const struct gw *gw)
{
	const struct config *c = gw_config((struct gw *)gw);
	const char *mode = json_str(config_get(c, "gateway.auth.mode"));

	if (gw->auth->override_token || config_get(c, "gateway.auth.token"))
		return false;
	return str_empty(mode) ? !auth_wants_password(c) : str_eq(mode, "token");
}

/* First start: a token nobody could guess, in the configuration file (0600). */
static ch_status make_token(struct gw *gw, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char token[64];
	ch_status st;

	if (!needs_token(gw))
		return CH_OK;
	rand_token(TOKEN_BYTES, token);
	st = config_write_set(gw->config, "gateway.auth.token", json_new_str(a, token), NULL, err);
	if (st)
		return ch_wrap(err, "no gateway.auth.token is configured and none can be written to %s",
			       config_store_path(gw->config));
	log_info("gateway", "made a gateway token and wrote it to %s", config_store_path(gw->config));
	return CH_OK;
}

CH_FIBER static ch_status load_auth(struct gw *gw, const char *override_token, struct ch_err *err)
{
	bool changed;
	ch_status st;

	gw->auth = auth_new(override_token);
	st = make_token(gw, err);
	if (!st)
		st = auth_load(gw->auth, gw_config(gw), true, &changed,
			       err); /* gw_bind_decide() judges none */
	if (st)
		return st;
	if (gw->auth->mode == AUTH_MODE_NONE)
		log_warn("gateway",
			 "gateway.auth.mode is none: every program on this machine may use the gateway");
	return CH_OK;
}

static bool tell_interrupted(void *arg, const struct input_row *in)
{
	if (in->state == INPUT_QUEUED)
		return true;     /* an event; the agents take it up */
	log_warn("gateway", "run=%s session=%s was cut by the last stop; its history says so", in->run_id,
		 in->session_key);
	return true;
}

/* users.self says since when there is an owner. */
static ch_status note_owner(struct gw *gw, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *since, now[24];
	ch_status st = kv_get(gw->db, a, "owner.created_at", &since, err);

	if (st != CH_E_NOT_FOUND)
		return st;
	snprintf(now, sizeof(now), "%lld", (long long)now_wall_ms());
	return kv_put(gw->db, "owner.created_at", now, err);
}

static ch_status open_sessions(struct gw *gw, struct ch_err *err)
{
	ch_status st;

	gw->sessions = sess_store_new(gw->db);
	st = journal_recover(gw->sessions, err);
	if (st)
		return st;
	st = input_recover(gw->sessions, tell_interrupted, gw, err);
	if (!st)
		st = input_prune(gw->sessions, now_wall_ms() - INPUT_KEPT_MS, err);
	if (!st)
		st = pair_identity_load(gw->db, &gw->devices, err);
	return st ? st : note_owner(gw, err);
}

CH_FIBER static ch_status start_agents(struct gw *gw, struct ch_err *err)
{
	struct agent_host_opts opts = {
		.loop = gw->loop, .sessions = gw->sessions, .config = current_config, .config_arg = gw,
		.state_dir = gw->state_dir, .git = "/usr/bin/git", .ops = { .on_event = gw_on_run_event, .arg = gw },
		.restart = gw_restart_by_command, .restart_arg = gw,
	};

	ch_status st;

	gw->http = http_client_new(gw->loop);
	st = gw_services_open(gw, err);
	if (st)
		return st;
	gw->models = models_new(&(struct models_opts){ .loop = gw->loop, .db = gw->db, .http = gw->http,
						       .config = current_config, .arg = gw });
	models_discover(gw->models);
	opts.models = gw->models;
	opts.services = &gw->services->host;
	gw->hub = hub_new(gw);
	gw->render = gw_render_new(gw);
	gw->agents = agent_host_new(&opts);
	st = agent_host_recover(gw->agents, err);
	return st ? st : gw_services_join(gw, err);
}

static ch_status start_http(struct gw *gw, const struct gw_opts *opts, struct ch_err *err)
{
	struct http_server_opts http = *opts->http;
	struct gw_bind bind;
	ch_status st = gw_bind_decide(opts, gw_config(gw), gw->auth->mode != AUTH_MODE_NONE, &bind, err);

	if (st)
		return st;
	http.arg = gw;
	gw->server = http_server_new(gw->loop, &http);
	return gw_listen(gw, &bind, err);
}

CH_FIBER static ch_status start_all(struct gw *gw, const struct gw_opts *opts, struct ch_err *err)
{
	ch_status st = open_db(gw, err);

	if (!st)
		st = open_config(gw, opts->config_path, err);
	if (!st)
		st = open_log(gw, err);
	if (!st)
		st = load_auth(gw, opts->token, err);
	if (!st)
		st = open_sessions(gw, err);
	if (!st)
		st = start_agents(gw, err);
	if (!st)
		st = start_http(gw, opts, err);
	return st;
}

CH_FIBER ch_status gw_start(struct loop *l, const struct gw_opts *opts, struct gw **ret, struct ch_err *err)
{
	struct gw *gw = ch_alloc(sizeof(*gw));
	ch_status st;

	gw->loop = l;
	gw->state_dir = ch_strdup(opts->state_dir);
	gw->version = CHELA_VERSION;
	gw->is_verbose = opts->verbose;
	gw->on_restart = opts->on_restart;
	gw->on_restart_arg = opts->on_restart_arg;
	gw->started_wall_ms = now_wall_ms();
	gw->started_mono_ms = now_mono_ms();
	rand_uuid(gw->boot_id);
	rand_uuid(gw->instance_id);
	st = start_all(gw, opts, err);
	if (st) {
		gw_stop(gw, "start failed", now_mono_ms());
		gw_free(gw);
		return st;
	}
	log_info("gateway", "chela %s started in %lld ms port=%u state=%s", gw->version,
		 (long long)(now_mono_ms() - gw->started_mono_ms), gw->port, gw->state_dir);
	db_shrink(gw->db);       /* starting took more than waiting does */
	mem_trim();
	mem_trim_code();
	*ret = gw;
	return CH_OK;
}

/* -- stopping -- */

static void tell_shutdown(struct gw *gw, const char *reason)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, 1024);
	jw_obj(&w);
	jw_kstr(&w, "reason", reason);
	if (gw->restart_expected_ms)
		jw_kint(&w, "restartExpectedMs", gw->restart_expected_ms);
	jw_end(&w);
	if (!out.failed)
		gw_broadcast(gw, &(struct gw_event){.name = "shutdown", .payload = out.data, .len = out.len});
}

static bool is_quiet(const struct gw_hub *h)
{
	return !h->calls && !h->judging && !h->reloading && !h->restarting && !h->is_presence_deferred;
}

/* Everything was cancelled; each ends at its next wait. One that does not would use what is freed next: all that can be done is wait. */
CH_FIBER static void wait_quiet(struct gw_hub *h)
{
	int64_t tell_ms = fiber_deadline(QUIET_MS);

	while (!is_quiet(h) && !fiber_sleep(1)) {
		if (now_mono_ms() < tell_ms)
			continue;
		log_error("gateway", "%s has not ended yet; waiting for it",
			  h->calls ? h->calls->call.method : h->reloading ? "the reading of credentials" : "a handshake");
		tell_ms = fiber_deadline(QUIET_MS);
	}
}

CH_FIBER void gw_stop(struct gw *gw, const char *reason, int64_t deadline_ms)
{
	if (gw->is_stopping)
		return;
	fiber_mask(1);           /* half a stop helps nobody */
	if (gw->hub && gw->server)
		tell_shutdown(gw, reason);
	gw->is_stopping = true;
	if (gw->agents)
		agent_host_drain(gw->agents, deadline_ms);
	if (gw->services)
		gw_services_drain(gw, deadline_ms);
	if (gw->models)
		auth_drain(gw->models, fiber_deadline(QUIET_MS));
	if (gw->hub) {
		dispatch_cancel_all(gw->hub);
		gw_reload_end(gw);
		hub_close_all(gw->hub, 1012, "service restart");
		wait_quiet(gw->hub);
	}
	if (gw->server)
		http_server_stop(gw->server, fiber_deadline(SOCKETS_MS));
	if (gw->server)
		log_info("gateway", "stopped: %s", reason);
	fiber_mask(-1);
}

void gw_free(struct gw *gw)
{
	if (!gw)
		return;
	if (gw->server)
		http_server_free(gw->server);
	tls_ctx_free(gw->tls);
	agent_host_free(gw->agents);
	gw_services_free(gw);
	gw_wizard_free(gw);
	gw_render_free(gw->render);
	hub_free(gw->hub);
	models_free(gw->models);
	if (gw->http)
		http_client_free(gw->http);
	pair_identity_free(gw->devices);
	sess_store_free(gw->sessions);
	auth_free(gw->auth);
	config_store_close(gw->config);
	secret_store_free(gw->secrets);
	db_close(gw->db);
	log_close();
	ch_free(gw->log_path);
	ch_free((char *)gw->state_dir);
	ch_free(gw);
}
