/*
 * gateway/methods/m_agents.c - agents: who there is, making, changing and removing them, their files.
 */
#include "agent/agents_edit.h"
#include "agent/taint.h"

#include <string.h>

#include "core/file.h"
#include "core/str.h"
#include "gateway/agent_delete.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"

/* -- agents.list -- */

static void put_identity(struct jw *w, const struct agent_info *a)
{
	if (!a->name && !a->emoji && !a->theme && !a->avatar)
		return;
	jw_kobj(w, "identity");
	jw_kstr_opt(w, "name", a->name);
	jw_kstr_opt(w, "theme", a->theme);
	jw_kstr_opt(w, "emoji", a->emoji);
	jw_kstr_opt(w, "avatar", a->avatar);
	jw_end(w);
}

static void put_model(struct gw_call *call, struct jw *w, const char *agent_id, const struct gw_model_facts *m)
{
	const struct json *entry = json_get(config_get(gw_config(call->gw), "agents.entries"), agent_id);
	const struct json *fallbacks = json_get(json_get(entry, "model"), "fallbacks");

	if (!fallbacks)
		fallbacks = json_get(config_get(gw_config(call->gw), "agents.defaults.model"), "fallbacks");
	jw_kobj(w, "model");
	jw_kstr(w, "primary", arena_printf(call->arena, "%s/%s", m->provider, m->model));
	if (json_len(fallbacks))
		jw_kvalue(w, "fallbacks", fallbacks);
	jw_end(w);
}

static void put_agent(struct gw_call *call, struct jw *w, const struct agent_info *a)
{
	const struct gw_model_facts *m = gw_render_model(call->gw->render, a->id, NULL);

	jw_obj(w);
	jw_kstr(w, "id", a->id);
	jw_kstr(w, "kind", "agent");
	jw_kstr_opt(w, "name", a->name);
	put_identity(w, a);
	if (a->workspace) {
		jw_kstr(w, "workspace", a->workspace);
		jw_kbool(w, "workspaceGit", file_exists(arena_printf(call->arena, "%s/.git", a->workspace)));
	}
	gw_render_runtime(w);
	gw_render_thinking(w, m);
	put_model(call, w, a->id, m);
	jw_kstr(w, "defaultPermissionMode", "workspace");
	jw_end(w);
}

static bool any_is_marked(const struct config *c)
{
	json_each(e, config_get(c, "agents.entries"))
		if (json_get_bool(e, "default", false))
			return true;
	return false;
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	const struct config *c = gw_config(call->gw);
	const struct agent_info *agents;
	size_t count = agents_list(c, call->gw->state_dir, call->arena, &agents);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "defaultId", agent_default_id(c, call->arena));
	jw_kstr(w, "ownership", count == 1 ? "sole" : any_is_marked(c) ? "explicit" : "legacy");
	jw_kbool(w, "selectionRequired", false);
	jw_kstr(w, "mainKey", "main");
	jw_kstr(w, "scope", "per-sender");
	jw_karr(w, "agents");
	for (size_t i = 0; i < count; i++)
		put_agent(call, w, &agents[i]);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- agent.identity.get -- */

ch_status gw_call_agent(struct gw_call *call, const struct agent_info **ret, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "agentId"),
		   *key = json_get_str(call->params, "sessionKey");
	struct sess_key parsed;
	ch_status st;

	if (!id && !str_empty(key)) {
		st = gw_session_key(call, key, &parsed, err);
		if (st)
			return st;
		id = parsed.agent_id;
	}
	if (!id)
		id = agent_default_id(gw_config(call->gw), call->arena);
	*ret = agent_find(gw_config(call->gw), call->gw->state_dir, call->arena, id);
	if (*ret)
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "unknown agent id \"%.*s\"", (int)utf8_cut(id, strlen(id), 64), id);
}

static const char *first_letter(struct arena *a, const char *name)
{
	uint32_t cp;
	size_t n = utf8_decode(name, strlen(name), &cp);
	char *letter = arena_strndup(a, name, CH_MAX(n, (size_t)1));

	if (*letter >= 'a' && *letter <= 'z')
		*letter = (char)(*letter - 'a' + 'A');
	return letter;
}

static const char *avatar_status(const char *avatar)
{
	if (str_empty(avatar))
		return "none";
	if (str_starts(avatar, "data:"))
		return "data";
	return str_starts(avatar, "https://") || str_starts(avatar, "http://") ? "remote" : "local";
}

static ch_status run_identity(struct gw_call *call, struct ch_err *err)
{
	const struct agent_info *a;
	ch_status st = gw_call_agent(call, &a, err);
	const char *name;
	struct jw *w;

	if (st)
		return st;
	name = str_empty(a->name) ? "Assistant" : a->name;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "agentId", a->id);
	jw_kstr(w, "name", name);
	jw_kstr(w, "nameSource", str_empty(a->name) ? "default" : a->is_named_by_file ? "workspace" : "agent");
	jw_kstr(w, "avatar", str_empty(a->avatar) ? first_letter(call->arena, name) : a->avatar);
	if (!str_empty(a->avatar))
		jw_kstr(w, "avatarSource", a->avatar);
	jw_kstr(w, "avatarStatus", avatar_status(a->avatar));
	jw_kstr_opt(w, "emoji", a->emoji);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- agents.create, update, delete -- */

static struct agent_change change_of(const struct json *p)
{
	return (struct agent_change){ .name = json_get_str(p, "name"), .workspace = json_get_str(p, "workspace"),
				      .model = json_get_str(p, "model"), .emoji = json_get_str(p, "emoji"),
				      .avatar = json_get_str(p, "avatar") };
}

static ch_status check_model(struct gw_call *call, const char *ref, struct ch_err *err)
{
	struct model_entry m;
	const char *source;

	if (str_empty(ref))
		return CH_OK;
	return model_resolve(call->gw->models, ref, NULL, call->arena, &m, &source, err);
}

static CH_FIBER ch_status run_create(struct gw_call *call, struct ch_err *err)
{
	struct agent_change change = change_of(call->params);
	const struct agent_info *made;
	struct jw *w;
	ch_status st = check_model(call, change.model, err);

	if (!st)
		st = agent_create(call->gw->config, call->gw->state_dir, &change, call->arena, &made, err);
	if (!st)
		st = agent_home_prepare(call->gw->agents, made->id, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "agentId", made->id);
	jw_kstr(w, "name", change.name);
	jw_kstr(w, "workspace", made->workspace);
	jw_kstr_opt(w, "model", change.model);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* The protocol knows "not found" as a wrong parameter, by this text. */
static ch_status configured(struct gw_call *call, const char *id, const struct agent_info **ret, struct ch_err *err)
{
	*ret = agent_find(gw_config(call->gw), call->gw->state_dir, call->arena, id);
	if (*ret)
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "agent \"%.*s\" not found", (int)utf8_cut(id, strlen(id), 64), id);
}

static CH_FIBER ch_status run_update(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct agent_change change = change_of(p);
	const char *id = json_get_str(p, "agentId"), *runtime = json_get_str(p, "agentRuntime");
	const struct agent_info *info;
	struct jw *w;
	ch_status st = configured(call, id, &info, err);

	if (!st && runtime && !str_in(runtime, (const char *const[]){ "auto", "openclaw" }, 2))
		st = ch_fail(err, CH_E_UNSUPPORTED, "agent runtime '%.60s': agents run in the gateway itself here", runtime);
	if (!st)
		st = check_model(call, change.model, err);
	if (json_is(json_get(p, "model"), JSON_NULL) && json_get(p, "model"))
		change.model = "";       /* null: the defaults' again */
	if (!st)
		st = agent_update(call->gw->config, call->gw->state_dir, id, &change, call->arena, err);
	if (!st && change.workspace)
		st = agent_home_prepare(call->gw->agents, id, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "agentId", id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static void put_place(struct jw *w, const char *list, bool is_in, const struct agent_deleted *gone)
{
	jw_karr(w, list);
	if (is_in) {
		jw_obj(w);
		jw_kstr(w, "path", gone->workspace);
		jw_kstr(w, gone->reason ? "reason" : "method", gone->reason ? gone->reason : gone->method);
		jw_end(w);
	}
	jw_end(w);
}

static ch_status run_delete(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "agentId");
	struct agent_deleted gone;
	const struct agent_info *info;
	struct jw *w;
	ch_status st = configured(call, id, &info, err);

	if (!st)
		st = gw_agent_delete(call->gw, info->id, json_get_bool(call->params, "deleteFiles", true), call->arena, &gone, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "agentId", id);
	jw_kint(w, "removedBindings", gone.bindings);
	put_place(w, "removed", gone.workspace && !gone.reason, &gone);
	put_place(w, "failed", gone.workspace && gone.reason, &gone);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- agents.files.* -- */

static void put_file(struct jw *w, const struct agent_file *f)
{
	jw_obj(w);
	jw_kstr(w, "name", f->name);
	jw_kstr(w, "path", f->path);
	jw_kbool(w, "missing", f->is_missing);
	if (f->is_missing) {
		if (f->is_optional)
			jw_kbool(w, "expectedAbsent", true);
		jw_end(w);
		return;
	}
	jw_kint(w, "size", f->size);
	jw_kint(w, "updatedAtMs", f->updated_at);
	if (f->content) {
		jw_kstr(w, "hash", f->hash);
		jw_key(w, "content");
		jw_strn(w, f->content, f->len);
	}
	jw_end(w);
}

static struct jw *begin_files(struct gw_call *call, const struct agent_info *a, bool with_ok)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	if (with_ok)
		jw_kbool(w, "ok", true);
	jw_kstr(w, "agentId", a->id);
	jw_kstr(w, "workspace", a->workspace);
	return w;
}

/* IDENTITY.md has a form of its own; BOOTSTRAP.md is of interest while the ritual is open. */
static bool is_listed(const struct agent_file *f)
{
	return !str_eq(f->name, "IDENTITY.md") && !(f->is_missing && str_eq(f->name, "BOOTSTRAP.md"));
}

static ch_status run_files_list(struct gw_call *call, struct ch_err *err)
{
	const char *const *names = agent_file_names();
	struct agent_file files[8];
	const struct agent_info *a;
	size_t n = 0;
	struct jw *w;
	ch_status st = configured(call, json_get_str(call->params, "agentId"), &a, err);

	for (size_t i = 0; names[i] && !st; i++)
		st = agent_file_look(a->workspace, names[i], false, call->arena, &files[n++], err);
	if (st)
		return st;
	w = begin_files(call, a, false);
	jw_karr(w, "files");
	for (size_t i = 0; i < n; i++)
		if (is_listed(&files[i]))
			put_file(w, &files[i]);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static void reply_file(struct gw_call *call, const struct agent_info *a, const struct agent_file *f, bool with_ok)
{
	struct jw *w = begin_files(call, a, with_ok);

	jw_key(w, "file");
	put_file(w, f);
	jw_end(w);
	gw_reply_end(call);
}

static ch_status run_files_get(struct gw_call *call, struct ch_err *err)
{
	const struct agent_info *a;
	struct agent_file f;
	ch_status st = configured(call, json_get_str(call->params, "agentId"), &a, err);

	if (!st)
		st = agent_file_look(a->workspace, json_get_str(call->params, "name"), true, call->arena, &f, err);
	if (!st)
		reply_file(call, a, &f, false);
	return st;
}

static ch_status run_files_set(struct gw_call *call, struct ch_err *err)
{
	const struct json *content = json_get(call->params, "content");
	const char *expected = json_get_str(call->params, "expectedHash");
	const struct agent_info *a;
	struct agent_file f = { 0 };
	struct json *details;
	ch_status st = configured(call, json_get_str(call->params, "agentId"), &a, err);

	if (!st)
		st = agent_file_put(a->workspace, json_get_str(call->params, "name"), content->str, content->len,
				    str_empty(expected) ? NULL : expected, call->arena, &f, err);
	if (!st)
		st = taint_forget_file(call->gw->db, a->workspace, f.name, err); /* what a person writes is the person's word */
	if (!st)
		reply_file(call, a, &f, true);
	if (st != CH_E_CONFLICT)
		return st;
	details = json_new_obj(call->arena);
	json_set(call->arena, details, "type", json_new_str(call->arena, "agent_file_conflict"));
	json_set(call->arena, details, "name", json_new_str(call->arena, f.name));
	if (f.hash[0])
		json_set(call->arena, details, "currentHash", json_new_str(call->arena, f.hash));
	return gw_fail_details(call, err, CH_E_CONFLICT, details, "agent file \"%s\" changed since it was read", f.name);
}

/* -- the table -- */

static const struct gw_param identity_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR },
	{0},
};
static const struct gw_param create_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "workspace", GP_STR, GP_NON_EMPTY },
	{ "model", GP_STR, GP_NON_EMPTY },
	{ "emoji", GP_STR },
	{ "avatar", GP_STR },
	{0},
};
static const struct gw_param update_params[] = {
	{ "agentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "name", GP_STR, GP_NON_EMPTY },
	{ "workspace", GP_STR, GP_NON_EMPTY },
	{ "model", GP_STR_OR_NULL, GP_NON_EMPTY },
	{ "agentRuntime", GP_STR, GP_NON_EMPTY },
	{ "emoji", GP_STR },
	{ "avatar", GP_STR },
	{0},
};
static const struct gw_param delete_params[] = {
	{ "agentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "deleteFiles", GP_BOOL },
	{0},
};
static const struct gw_param files_params[] = {
	{ "agentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param file_params[] = {
	{ "agentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param file_set_params[] = {
	{ "agentId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "content", GP_STR, GP_REQUIRED },
	{ "expectedHash", GP_STR, GP_NON_EMPTY },
	{0},
};

const struct gw_method gwm_agents[] = {
	/* name                  run             scope           flags             params */
	{ "agent.identity.get",  run_identity,   GW_SCOPE_READ,  0,                identity_params },
	{ "agents.create",       run_create,     GW_SCOPE_ADMIN, GW_CONTROL_WRITE, create_params },
	{ "agents.delete",       run_delete,     GW_SCOPE_ADMIN, GW_CONTROL_WRITE, delete_params },
	{ "agents.files.get",    run_files_get,  GW_SCOPE_READ,  0,                file_params },
	{ "agents.files.list",   run_files_list, GW_SCOPE_READ,  0,                files_params },
	{ "agents.files.set",    run_files_set,  GW_SCOPE_ADMIN, 0,                file_set_params },
	{ "agents.list",         run_list,       GW_SCOPE_READ,  0 },
	{ "agents.update",       run_update,     GW_SCOPE_ADMIN, GW_CONTROL_WRITE, update_params },
};
const size_t gwm_agents_count = CH_ARRAY_LEN(gwm_agents);
