/*
 * gateway/methods/m_wizard.c - wizard.*: setting the gateway up by question and answer.
 *
 * One wizard at a time. It belongs to who started it: while that connection
 * is there, nobody else can start one. Whoever knows its id may go on with it,
 * so that a client that lost its connection can.
 */
#include "gateway/wizard.h"

#include <string.h>

#include "agent/agents_edit.h"
#include "config/path.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/conn.h"
#include "gateway/gw_parts.h"
#include "gateway/hub.h"
#include "gateway/methods/methods.h"
#include "models/auth_status.h"

#define APPLY_MS 30000
#define LOOK_AGAIN_MS 1000               /* an answer is being dealt with when the time is up */

struct gw_wizard {
	struct gw *gw;
	struct wizard *now;              /* the last one that was started */
	struct loop_timer *timer;
	char owner[UUID_LEN];            /* a connection */
	char actor[128];                 /* who that was, for the record */
};

/* ---- what can be chosen ---- */

enum rank { RANK_READY, RANK_KEY, RANK_LOCAL, RANKS };

struct offer {
	struct gw *gw;
	struct arena *a;
	struct wizard_provider *at;
	enum rank *rank;
	size_t len, cap;
};

struct presence { const char *provider; bool is_there; };

static bool note_presence(void *arg, const struct model_entry *e)
{
	struct presence *p = arg;

	p->is_there = str_ieq(e->provider, p->provider);
	return !p->is_there;
}

/* A server that takes no key is ready when it was found, or when a person configured it. */
static bool is_ready(struct gw *gw, const struct model_endpoint *e, const char *provider)
{
	struct presence p = { provider, false };

	if (!e || !e->key_optional)
		return models_provider_ready(gw->models, provider);
	models_each(gw->models, note_presence, &p);
	return p.is_there;
}

static const char *hint_of(struct offer *o, const char *provider, enum rank rank)
{
	struct auth_profiles stored = { 0 };
	struct auth_key_source key;

	if (rank == RANK_LOCAL)
		return "a server of your own that takes no key; it was not found yet";
	if (rank == RANK_KEY)
		return "takes an API key";
	if (!auth_store_list(o->gw->db, o->a, NULL, provider, &stored, NULL) && stored.len)
		return "ready: a credential is stored";
	if (!auth_key_source(o->gw->models, gw_config(o->gw), provider, o->a, &key))
		return "ready: it can be asked without a key";
	return key.env_var ? arena_printf(o->a, "ready: its key is in %s", key.env_var)
			   : "ready: its key is in the configuration";
}

static void add(struct offer *o, const char *name, const struct model_endpoint *e)
{
	bool ready = is_ready(o->gw, e, name), takes_key = auth_takes_keys(name);
	enum rank rank = ready ? RANK_READY : e && e->key_optional ? RANK_LOCAL : RANK_KEY;
	const struct json *conf = json_get(config_get(gw_config(o->gw), "models.providers"), name);

	/* Without an address, or where no key can be given here, choosing it leads nowhere. */
	if ((e && !*e->base_url && !json_get(conf, "baseUrl")) || (rank == RANK_KEY && !takes_key))
		return;
	o->rank[o->len] = rank;
	o->at[o->len++] = (struct wizard_provider){
		.id = arena_strdup(o->a, name),
		.label = e ? e->label : arena_strdup(o->a, name),
		.hint = hint_of(o, name, rank),
		.model = model_probe_ref(o->gw->models, NULL, name, o->a),
		.is_ready = ready || rank == RANK_LOCAL,
		.takes_key = takes_key,
	};
}

static ch_status list_providers(void *arg, struct arena *a, struct wizard_providers *ret, struct ch_err *err)
{
	struct gw *gw = ((struct gw_wizard *)arg)->gw;
	size_t endpoints, n = 0;
	const struct model_endpoint *e = model_endpoints(&endpoints);
	const struct json *configured = config_get(gw_config(gw), "models.providers");
	struct offer o = { .gw = gw, .a = a, .cap = endpoints + json_len(configured) };
	struct wizard_provider *sorted = arena_alloc(a, o.cap * sizeof(*sorted));

	o.at = arena_alloc(a, o.cap * sizeof(*o.at));
	o.rank = arena_alloc(a, o.cap * sizeof(*o.rank));
	json_each(v, configured) {
		if (!model_endpoint_find(v->key))
			add(&o, v->key, NULL);
	}
	for (size_t i = 0; i < endpoints; i++) {
		if (!str_eq(e[i].id, "offline"))
			add(&o, e[i].id, &e[i]);
	}
	for (int rank = 0; rank < RANKS; rank++) {
		for (size_t i = 0; i < o.len; i++) {
			if (o.rank[i] == (enum rank)rank)
				sorted[n++] = o.at[i];
		}
	}
	*ret = (struct wizard_providers){ sorted, n };
	return CH_OK;
}

static const struct agent_info *default_agent(struct gw *gw, struct arena *a)
{
	return agent_find(gw_config(gw), gw->state_dir, a, agent_default_id(gw_config(gw), a));
}

static const char *agent_name(void *arg, struct arena *a)
{
	const struct agent_info *agent = default_agent(((struct gw_wizard *)arg)->gw, a);

	return arena_strdup(a, str_empty(agent->name) ? agent->id : agent->name);
}

static CH_FIBER void probe(void *arg, const struct probe *p, struct probe_result *ret)
{
	model_probe(((struct gw_wizard *)arg)->gw->models, p, ret);
}

/* ---- carrying it out ---- */

/* {agents: {defaults: {model: {primary}}}} */
static struct json *model_patch(struct arena *a, const char *ref)
{
	static const char *const path[] = { "primary", "model", "defaults", "agents" };
	struct json *v = json_new_str(a, ref);

	for (size_t i = 0; i < CH_ARRAY_LEN(path); i++) {
		struct json *outer = json_new_obj(a);

		json_set(a, outer, path[i], v);
		v = outer;
	}
	return v;
}

static ch_status store_key(struct gw *gw, struct arena *a, const struct wizard_plan *plan, struct ch_err *err)
{
	const struct gwm_key_place place = { plan->provider, agent_default_id(gw_config(gw), a), "" };
	const char *id = NULL;
	ch_status st = gwm_key_profile(gw, a, &place, &id, err);

	if (st)
		return st;
	return auth_store_put(gw->db,
			      &(struct auth_profile){ .agent_id = "", .id = id, .provider = plan->provider,
						      .kind = AUTH_KIND_API_KEY },
			      secret_reveal(plan->key), NULL, err);
}

static void record(struct gw_wizard *z, struct arena *a, const struct config *before)
{
	const struct json *now = config_resolved(gw_config(z->gw));
	const char *const *paths = config_changed_paths(a, config_resolved(before), now);
	struct json *detail = json_new_obj(a), *list = json_new_arr(a);

	for (size_t i = 0; paths[i]; i++)
		json_push(list, json_new_str(a, paths[i]));
	json_set(a, detail, "paths", list);
	audit_record(z->gw, &(struct audit_entry){ .kind = "config", .action = "wizard.next", .status = "succeeded",
						   .actor = z->actor, .detail = detail });
	log_info("config", "set up by the wizard, by %s: %zu keys", z->actor, json_len(list));
}

/* An agent with a model of its own does not take the default. */
static bool has_own_model(struct gw *gw, struct arena *a, const char *agent_id)
{
	const char *entry = config_path_join(a, "agents.entries", agent_id);

	return config_get(gw_config(gw), config_path_join(a, entry, "model")) != NULL;
}

/*
 * The configuration first, because it is what can be refused; each part may
 * be written once more when a later one fails and the person tries again.
 */
static CH_FIBER ch_status save(void *arg, const struct wizard_plan *plan, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct gw_wizard *z = arg;
	struct gw *gw = z->gw;
	CH_AUTO(config_unref) struct config *before = config_ref(gw_config(gw));
	const struct agent_info *agent = default_agent(gw, a);
	const struct agent_change change = {
		.name = plan->agent_name,
		.model = has_own_model(gw, a, agent->id) ? plan->model : NULL,
	};
	const struct config_write_how how = { .is_remote = true };
	ch_status st = config_write_patch_as(gw->config, model_patch(a, plan->model), &how, err);

	if (!st && (change.name || change.model))
		st = agent_update(gw->config, gw->state_dir, agent->id, &change, a, err);
	if (!st && plan->key)
		st = store_key(gw, a, plan, err);
	if (st)
		return st;
	record(z, a, before);
	return gw_reload_wait(gw, now_mono_ms() + APPLY_MS, err);
}

/* ---- the one wizard ---- */

static void on_time(void *arg)
{
	struct gw_wizard *z = arg;

	if (z->now && wizard_look(z->now) == WIZARD_RUNNING)
		loop_timer_start(z->timer, CH_MAX(wizard_ends_at(z->now) - now_mono_ms(), LOOK_AGAIN_MS));
}

static struct gw_wizard *seat_of(struct gw *gw)
{
	if (!gw->wizard) {
		gw->wizard = ch_alloc(sizeof(*gw->wizard));
		gw->wizard->gw = gw;
		gw->wizard->timer = loop_timer_new(gw->loop, on_time, gw->wizard);
	}
	return gw->wizard;
}

void gw_wizard_free(struct gw *gw)
{
	if (!gw->wizard)
		return;
	wizard_unref(gw->wizard->now);
	loop_timer_free(gw->wizard->timer);
	ch_free(gw->wizard);
	gw->wizard = NULL;
}

static bool is_connected(const struct gw *gw, const char *conn_id)
{
	for (const struct gw_conn *c = gw->hub->head; c; c = c->next) {
		if (str_eq(c->id, conn_id) && gw_conn_is_open(c))
			return true;
	}
	return false;
}

/* The wizard that the call names; the caller drops it. */
static ch_status find(struct gw_call *call, struct wizard **ret, struct ch_err *err)
{
	struct gw_wizard *z = call->gw->wizard;
	struct json *details;

	if (z && z->now && str_eq(wizard_id(z->now), json_get_str(call->params, "sessionId"))) {
		*ret = wizard_ref(z->now);
		return CH_OK;
	}
	details = json_new_obj(call->arena);
	json_set(call->arena, details, "code", json_new_str(call->arena, "WIZARD_NOT_FOUND"));
	return gw_fail_details(call, err, CH_E_NOT_FOUND, details, "wizard not found");
}

/* ---- methods ---- */

static ch_status check_start(const struct gw_call *call, struct ch_err *err)
{
	const char *why = NULL;

	if (str_eq(json_get_str(call->params, "flow"), "channels"))
		why = "this version has no channels";
	else if (str_eq(json_get_str(call->params, "mode"), "remote"))
		why = "the wizard sets up the gateway that it runs in";
	else if (!str_empty(json_get_str(call->params, "workspace")))
		why = "the wizard leaves workspaces alone (see agents.defaults.workspace)";
	else if (json_get_bool(call->params, "installDaemon", false))
		why = "the wizard installs no service";
	return why ? ch_fail(err, CH_E_ABSENT, "wizard.start is not available: %s", why) : CH_OK;
}

static ch_status make_room(struct gw_wizard *z, const struct gw_call *call, struct ch_err *err)
{
	if (!z->now || wizard_look(z->now) != WIZARD_RUNNING)
		return CH_OK;
	if (!str_eq(z->owner, gw_conn_id(call->conn)) && is_connected(call->gw, z->owner))
		return ch_fail(err, CH_E_BUSY, "wizard already running");
	return wizard_cancel(z->now) ? CH_OK : ch_fail(err, CH_E_BUSY, "wizard already running");
}

static CH_FIBER ch_status run_start(struct gw_call *call, struct ch_err *err)
{
	struct gw_wizard *z = seat_of(call->gw);
	const struct wizard_ports ports = { list_providers, agent_name, probe, save, z };
	const char *device = gw_conn_device_id(call->conn);
	CH_AUTO(wizard_unref) struct wizard *made = NULL;
	struct jw *w;
	ch_status st = check_start(call, err);

	if (st)
		return st;
	models_discover(call->gw->models);
	st = make_room(z, call, err);
	if (!st)
		st = wizard_new(&ports, &made, err);
	if (st)
		return st;
	wizard_unref(z->now);
	z->now = wizard_ref(made);
	snprintf(z->owner, sizeof(z->owner), "%s", gw_conn_id(call->conn));
	snprintf(z->actor, sizeof(z->actor), "%s", device ? device : gw_conn_client_id(call->conn));
	loop_timer_start(z->timer, WIZARD_IDLE_MS);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "sessionId", wizard_id(made));
	wizard_render(made, w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static CH_FIBER ch_status run_next(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(wizard_unref) struct wizard *z = NULL;
	const struct json *answer = json_get(call->params, "answer");
	struct jw *w;
	ch_status st = find(call, &z, err);

	if (!st && answer) {
		snprintf(call->gw->wizard->owner, sizeof(call->gw->wizard->owner), "%s", gw_conn_id(call->conn));
		st = wizard_answer(z, json_get_str(answer, "stepId"), json_get(answer, "value"), err);
	}
	if (st)
		return st;
	(void)wizard_look(z);
	w = gw_reply_begin(call);
	jw_obj(w);
	wizard_render(z, w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static void reply_status(struct gw_call *call, struct wizard *z)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "status", wizard_status_name(wizard_look(z)));
	jw_kstr_opt(w, "error", wizard_error(z));
	jw_end(w);
	gw_reply_end(call);
}

static ch_status run_status(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(wizard_unref) struct wizard *z = NULL;
	ch_status st = find(call, &z, err);

	if (!st)
		reply_status(call, z);
	return st;
}

static ch_status run_cancel(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(wizard_unref) struct wizard *z = NULL;
	ch_status st = find(call, &z, err);

	if (!st && !wizard_cancel(z))
		st = ch_fail(err, CH_E_BUSY, "the answers are being written");
	if (!st)
		reply_status(call, z);
	return st;
}

static const char *const modes[] = { "local", "remote", NULL };
static const char *const flows[] = { "setup", "channels", NULL };
static const struct gw_param start_params[] = {
	{ "mode", GP_ENUM, .choices = modes },
	{ "workspace", GP_STR },
	{ "installDaemon", GP_BOOL },
	{ "flow", GP_ENUM, .choices = flows },
	{ "channel", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param answer_params[] = {
	{ "stepId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "value", GP_ANY },
	{0},
};
static const struct gw_param next_params[] = {
	{ "sessionId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "answer", GP_OBJ, .members = answer_params },
	{0},
};
static const struct gw_param session_params[] = {
	{ "sessionId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};

const struct gw_method gwm_wizard[] = {
	{ "wizard.cancel", run_cancel, GW_SCOPE_ADMIN, GW_INLINE, session_params },
	{ "wizard.next", run_next, GW_SCOPE_ADMIN, 0, next_params },
	{ "wizard.start", run_start, GW_SCOPE_ADMIN, 0, start_params },
	{ "wizard.status", run_status, GW_SCOPE_ADMIN, GW_INLINE, session_params },
};
const size_t gwm_wizard_count = CH_ARRAY_LEN(gwm_wizard);
