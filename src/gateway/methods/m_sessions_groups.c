/*
 * gateway/methods/m_sessions_groups.c - sessions.groups.*: the groups of the session list.
 */
#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "sessions/groups.h"

/* -- looking -- */

static void put_group(void *arg, const struct group *g)
{
	struct jw *w = arg;

	jw_obj(w);
	jw_kstr(w, "name", g->name);
	jw_kint(w, "position", g->position);
	jw_end(w);
}

static void put_defaults_of(void *arg, const struct group *g)
{
	struct jw *w = arg;

	if (!g->cwd && !g->worktree)
		return;
	jw_obj(w);
	jw_kstr(w, "name", g->name);
	jw_kstr_opt(w, "cwd", g->cwd);
	if (g->worktree)
		jw_kbool(w, "worktree", true);
	jw_end(w);
}

/* Members `groups` and `sectionOrder` into an open object. */
static ch_status put_groups(struct gw_call *call, struct jw *w, struct ch_err *err)
{
	const char *order;
	ch_status st = groups_section_order(call->gw->sessions, call->arena, &order, err);

	if (st)
		return st;
	jw_karr(w, "groups");
	st = groups_each(call->gw->sessions, put_group, w, err);
	jw_end(w);
	jw_kraw(w, "sectionOrder", order, strlen(order));
	return st;
}

static ch_status put_defaults(struct gw_call *call, struct jw *w, struct ch_err *err)
{
	ch_status st;

	jw_karr(w, "defaults");
	st = groups_each(call->gw->sessions, put_defaults_of, w, err);
	jw_end(w);
	return st;
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	ch_status st;

	jw_obj(w);
	st = put_groups(call, w, err);
	if (st)
		return st;
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_defaults(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	ch_status st;

	jw_obj(w);
	st = put_defaults(call, w, err);
	if (st)
		return st;
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- changing -- */

/* The answer of put, rename and delete; members < 0: not told. */
static ch_status reply_mutation(struct gw_call *call, int64_t members, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);
	ch_status st;

	jw_obj(w);
	jw_kbool(w, "ok", true);
	st = put_groups(call, w, err);
	if (st)
		return st;
	if (members >= 0)
		jw_kint(w, "updatedSessions", members);
	jw_end(w);
	gw_reply_end(call);
	gw_sessions_changed(call->gw, "groups");
	return CH_OK;
}

static const struct gw_param put_params[] = {
	{ "names", GP_ARR, GP_REQUIRED | GP_NON_EMPTY, 0, GROUPS_MAX, .item = GP_STR },
	{ "sectionOrder", GP_ARR, GP_NON_EMPTY, 0, GROUPS_MAX, .item = GP_STR },
	{ 0 },
};

static ch_status check_lengths(const char *where, const struct json *names, struct ch_err *err)
{
	size_t i = 0;

	json_each(item, names) {
		if (item->len > GROUP_NAME_MAX)
			return ch_fail(err, CH_E_INVALID, "invalid sessions.groups.put params: at /%s/%zu: must not have more than %d characters",
				       where, i, GROUP_NAME_MAX);
		i++;
	}
	return CH_OK;
}

static ch_status run_put(struct gw_call *call, struct ch_err *err)
{
	const struct json *names = json_get(call->params, "names"), *order = json_get(call->params, "sectionOrder");
	ch_status st = check_lengths("names", names, err);

	if (!st)
		st = check_lengths("sectionOrder", order, err);
	if (!st)
		st = groups_put(call->gw->sessions, names, order, err);
	return st ? st : reply_mutation(call, -1, err);
}

static const struct gw_param rename_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY, 1, GROUP_NAME_MAX },
	{ "to", GP_STR, GP_REQUIRED | GP_NON_EMPTY, 1, GROUP_NAME_MAX },
	{ 0 },
};

/* A group that is not there is the caller's mistake. */
static ch_status as_invalid(ch_status st, struct ch_err *err)
{
	if (st == CH_E_NOT_FOUND)
		err->code = CH_E_INVALID;
	return st == CH_E_NOT_FOUND ? CH_E_INVALID : st;
}

static const char *name_param(struct gw_call *call, const char *member)
{
	return str_trim(call->arena, json_get_str(call->params, member));
}

static ch_status run_rename(struct gw_call *call, struct ch_err *err)
{
	const char *to = name_param(call, "to");
	int64_t members;
	ch_status st;

	if (!*to)
		return ch_fail(err, CH_E_INVALID, "session group name must not be empty");
	st = group_rename(call->gw->sessions, name_param(call, "name"), to, &members, err);
	return st ? as_invalid(st, err) : reply_mutation(call, members, err);
}

static const struct gw_param delete_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY, 1, GROUP_NAME_MAX },
	{ 0 },
};

static ch_status run_delete(struct gw_call *call, struct ch_err *err)
{
	int64_t members;
	ch_status st = group_delete(call->gw->sessions, name_param(call, "name"), &members, err);

	return st ? st : reply_mutation(call, members, err);
}

static const struct gw_param update_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY, 1, GROUP_NAME_MAX },
	{ "cwd", GP_STR, GP_REQUIRED | GP_NON_EMPTY | GP_NULLABLE },
	{ "worktree", GP_BOOL, GP_REQUIRED },
	{ 0 },
};

/* A directory outside of the workspace would let a writer choose what an agent can touch. */
static ch_status check_cwd(struct gw_call *call, const char *cwd, struct ch_err *err)
{
	if (!cwd)
		return CH_OK;
	if (cwd[0] != '/')
		return ch_fail(err, CH_E_INVALID, "session group cwd must be absolute");
	if (!gw_conn_has(call->conn, GW_SCOPE_ADMIN))
		return ch_fail(err, CH_E_DENIED, "missing scope: operator.admin (a group's cwd decides what its sessions can touch)");
	return CH_OK;
}

static ch_status run_update(struct gw_call *call, struct ch_err *err)
{
	const char *cwd = json_get_str(call->params, "cwd");
	bool worktree = json_get_bool(call->params, "worktree", false);
	ch_status st = check_cwd(call, cwd, err);

	if (!st)
		st = as_invalid(group_set_defaults(call->gw->sessions, name_param(call, "name"), cwd, worktree, err), err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	st = put_defaults(call, w, err);
	if (st)
		return st;
	jw_end(w);
	gw_reply_end(call);
	gw_sessions_changed(call->gw, "groups");
	return CH_OK;
}

const struct gw_method gwm_sessions_groups[] = {
	/* name                       run           scope            flags      params */
	{ "sessions.groups.defaults", run_defaults, GW_SCOPE_WRITE,  GW_INLINE },
	{ "sessions.groups.delete",   run_delete,   GW_SCOPE_WRITE,  GW_INLINE, delete_params },
	{ "sessions.groups.list",     run_list,     GW_SCOPE_READ,   GW_INLINE },
	{ "sessions.groups.put",      run_put,      GW_SCOPE_WRITE,  GW_INLINE, put_params },
	{ "sessions.groups.rename",   run_rename,   GW_SCOPE_WRITE,  GW_INLINE, rename_params },
	{ "sessions.groups.update",   run_update,   GW_SCOPE_WRITE,  GW_INLINE, update_params },
};
const size_t gwm_sessions_groups_count = CH_ARRAY_LEN(gwm_sessions_groups);
