/*
 * gateway/methods/m_secrets.c - secrets.reload, secrets.resolve, and secrets.store.*: what the gateway keeps sealed.
 *
 * A value goes in and never comes out: the list shows names, hosts and dates, and the values of kind "env", which are
 * settings. Changing one takes it up at once where the configuration refers to it.
 *
 * reload reads every credential afresh: files, commands and the environment may have changed without the
 * configuration. resolve is for commands of a client that need a credential of the gateway; no command of
 * ours does, so it knows no target and gives no value.
 */
#include "core/clock.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/gw_parts.h"
#include "gateway/methods/methods.h"
#include "secrets/store.h"

#define RELOAD_MS 30000

static ch_status run_reload(struct gw_call *call, struct ch_err *err)
{
	struct jw *w;
	ch_status st;

	gw_reload_secrets(call->gw);
	st = gw_reload_wait(call->gw, now_mono_ms() + RELOAD_MS, err);
	if (st)
		return st;
	if (call->gw->reload_error[0])
		return ch_fail(err, CH_E_IO, "%s; the old credentials stay in force", call->gw->reload_error);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kint(w, "warningCount", 0);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_resolve(struct gw_call *call, struct ch_err *err)
{
	const struct json *first = json_first(json_get(call->params, "targetIds"));
	struct jw *w;

	if (first)
		return ch_fail(err, CH_E_INVALID, "invalid secrets.resolve params: unknown target id \"%.*s\"",
			       (int)utf8_cut(first->str, first->len, 80), first->str);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_karr(w, "assignments");
	jw_end(w);
	jw_karr(w, "diagnostics");
	jw_end(w);
	jw_karr(w, "inactiveRefPaths");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- secrets.store.* -- */

static bool write_entry(void *arg, const struct secret_entry *e)
{
	struct jw *w = arg;

	jw_obj(w);
	jw_kstr(w, "name", e->name);
	jw_kstr(w, "kind", e->kind);
	jw_kstr(w, "scopeKind", "team");
	jw_kstr(w, "scopeId", "");
	jw_kint(w, "createdAtMs", e->created_at);
	jw_kint(w, "updatedAtMs", e->updated_at);
	if (e->updated_by)
		jw_kstr(w, "updatedBy", e->updated_by);
	if (e->value) {
		jw_kstr(w, "value", e->value);
	} else if (e->allowed_hosts) {
		jw_karr(w, "allowedHosts");
		for (const char *const *h = e->allowed_hosts; *h; h++)
			jw_str(w, *h);
		jw_end(w);
	}
	jw_end(w);
	return true;
}

static ch_status run_store_list(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	ch_status st;

	buf_init(&out, GW_FRAME_MAX);
	jw_obj(&w);
	jw_karr(&w, "entries");
	st = secret_store_list(call->gw->secrets, write_entry, &w, err);
	jw_end(&w);
	jw_end(&w);
	if (!st)
		st = buf_status(&out, err, "the list of secrets");
	if (st)
		return st;
	jw_raw(gw_reply_begin(call), out.data, out.len);
	gw_reply_end(call);
	return CH_OK;
}

static void record(struct gw_call *call, const char *action, const char *name)
{
	struct json *detail = json_new_obj(call->arena);
	const char *device = gw_conn_device_id(call->conn);

	json_set(call->arena, detail, "name", json_new_str(call->arena, name));
	audit_record(call->gw, &(struct audit_entry){ .kind = "config",
						      .action = action,
						      .status = "succeeded",
						      .actor = device ? device : gw_conn_client_id(call->conn),
						      .detail = detail });
}

/* It is stored, whatever the reading of the others says: that is a warning. */
static CH_FIBER void reply_stored(struct gw_call *call)
{
	struct ch_err why = { 0 };
	bool is_reloaded;
	struct jw *w;

	gw_reload_secrets(call->gw);
	is_reloaded = !gw_reload_wait(call->gw, now_mono_ms() + RELOAD_MS, &why) && !call->gw->reload_error[0];
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kbool(w, "reloaded", is_reloaded);
	if (!is_reloaded)
		jw_kint(w, "warningCount", 1);
	jw_end(w);
	gw_reply_end(call);
}

static const char *const *hosts_param(struct gw_call *call)
{
	const struct json *list = json_get(call->params, "allowedHosts");
	const char **out;
	size_t n = 0;

	if (!list)
		return NULL;
	out = arena_alloc(call->arena, (json_len(list) + 1) * sizeof(*out));
	json_each(h, list)
		out[n++] = json_str_or(h, "");
	out[n] = NULL;
	return out;
}

static ch_status run_store_set(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	const char *name = json_get_str(p, "name"), *device = gw_conn_device_id(call->conn);
	ch_status st = secret_store_set(call->gw->secrets, name, json_get_str(p, "kind"), json_get_str(p, "value"),
					hosts_param(call), device ? device : gw_conn_client_id(call->conn), err);

	if (st)
		return st;
	record(call, "secrets.store.set", name);
	reply_stored(call);
	return CH_OK;
}

static ch_status run_store_delete(struct gw_call *call, struct ch_err *err)
{
	const char *name = json_get_str(call->params, "name");
	ch_status st = secret_store_remove(call->gw->secrets, name, err);

	if (st)
		return st;
	record(call, "secrets.store.delete", name);
	reply_stored(call);
	return CH_OK;
}

static const char *const store_kinds[] = { "secret", "env", NULL };
static const struct gw_param set_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = SECRET_NAME_MAX },
	{ "value", GP_STR, GP_REQUIRED, .max = SECRET_VALUE_MAX },
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = store_kinds },
	{ "allowedHosts", GP_ARR, .max = 128, .item = GP_STR },
	{0},
};
static const struct gw_param delete_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = SECRET_NAME_MAX },
	{0},
};

static const struct gw_param override_params[] = {
	{ "webSearch", GP_STR, GP_NON_EMPTY },
	{ "webFetch", GP_STR, GP_NON_EMPTY },
	{0},
};
static const struct gw_param resolve_params[] = {
	{ "commandName", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "targetIds", GP_ARR, GP_REQUIRED, .item = GP_STR },
	{ "allowedPaths", GP_ARR, .item = GP_STR },
	{ "forcedActivePaths", GP_ARR, .item = GP_STR },
	{ "optionalActivePaths", GP_ARR, .item = GP_STR },
	{ "providerOverrides", GP_OBJ, .members = override_params },
	{0},
};

const struct gw_method gwm_secrets[] = {
	/* name              run          scope           flags  params */
	{ "secrets.reload",  run_reload,  GW_SCOPE_ADMIN, 0 },
	{ "secrets.resolve", run_resolve, GW_SCOPE_ADMIN, 0,     resolve_params },
	{ "secrets.store.delete", run_store_delete, GW_SCOPE_ADMIN, GW_CONTROL_WRITE, delete_params },
	{ "secrets.store.list",   run_store_list,   GW_SCOPE_ADMIN, 0 },
	{ "secrets.store.set",    run_store_set,    GW_SCOPE_ADMIN, GW_CONTROL_WRITE, set_params },
};
const size_t gwm_secrets_count = CH_ARRAY_LEN(gwm_secrets);
