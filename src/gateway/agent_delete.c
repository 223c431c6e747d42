/*
 * gateway/agent_delete.c - see agent_delete.h. Each step may be done again; the record goes last.
 */
#include "gateway/agent_delete.h"

#include <string.h>

#include "agent/agents_edit.h"
#include "core/log.h"
#include "core/str.h"
#include "core/vec.h"
#include "exec/allow.h"
#include "gateway/services.h"
#include "models/auth_store.h"

#define RECORD "agents.deleting"         /* kv: {agentId, workspace, withFiles} of the removal under way; there is one at a time */

/* -- the record -- */

struct removal { const char *id, *workspace; bool with_files; };

static ch_status note(struct gw *gw, const struct removal *x, struct arena *a, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct json *v = json_new_obj(a);
	ch_status st = db_begin_durable(gw->db, err);

	if (st)
		return st;
	tx = gw->db;
	json_set(a, v, "agentId", json_new_str(a, x->id));
	if (x->workspace)
		json_set(a, v, "workspace", json_new_str(a, x->workspace));
	json_set(a, v, "withFiles", json_new_bool(a, x->with_files));
	st = kv_put(gw->db, RECORD, json_to_str(a, v), err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* CH_E_NOT_FOUND: nothing is under way. */
static ch_status noted(struct gw *gw, struct arena *a, struct removal *ret, struct ch_err *err)
{
	struct json *v = NULL;
	char *text;
	ch_status st = kv_get(gw->db, a, RECORD, &text, err);

	if (!st)
		st = json_parse(a, text, strlen(text), JSON_STRICT, &v, err);
	if (st)
		return st;
	*ret = (struct removal){ json_get_str(v, "agentId"), json_get_str(v, "workspace"), json_get_bool(v, "withFiles", false) };
	return ret->id ? CH_OK : ch_fail(err, CH_E_INVALID, "the record of an agent that is being removed names none");
}

/* -- sessions: nobody could answer in them -- */

struct keys { struct arena *a; VEC(const char *) at; };

static bool note_key(void *arg, const struct sess *s)
{
	struct keys *k = arg;

	vec_push(&k->at, arena_strdup(k->a, s->key));
	return true;
}

static ch_status purge_sessions(struct gw *gw, const char *agent_id, struct arena *a, struct ch_err *err)
{
	struct sess_query q = { .agent_id = agent_id, .archived = -1, .include_background = true, .limit = SIZE_MAX / 2 };
	struct keys keys = { .a = a };
	size_t total;
	ch_status st = sess_list(gw->sessions, &q, &total, note_key, &keys, err);

	for (size_t i = 0; i < keys.at.len && !st; i++) {
		CH_AUTO(sess_unref) struct sess *s = NULL;

		st = sess_find(gw->sessions, keys.at.at[i], &s, err);
		if (!st)
			st = sess_delete(s, err);
		if (!st)
			gw_services_session_gone(gw, s->key, true);
		if (!st)
			gw_session_changed(gw, s, "delete", NULL, NULL);
	}
	vec_done(&keys.at);
	return st;
}

/* -- the workspace -- */

/* Does another agent live in this directory, or below or above it? */
static bool is_shared(struct gw *gw, const char *workspace, struct arena *a)
{
	const struct agent_info *all;
	size_t n = agents_list(gw_config(gw), gw->state_dir, a, &all), len = strlen(workspace);

	for (size_t i = 0; i < n; i++) {
		const char *other = all[i].workspace;
		size_t other_len = other ? strlen(other) : 0;

		if (!other)
			continue;
		if ((!strncmp(other, workspace, len) && (!other[len] || other[len] == '/')) ||
		    (!strncmp(workspace, other, other_len) && workspace[other_len] == '/'))
			return true;
	}
	return false;
}

/* A workspace that cannot be moved stays; that is told, and is no reason to keep the agent. */
static void trash(struct gw *gw, const char *workspace, struct arena *a, struct agent_deleted *ret)
{
	struct ch_err err = { 0 };
	const char *to;
	ch_status st;

	ret->workspace = workspace;
	if (is_shared(gw, workspace, a)) {
		ret->reason = "another agent lives there";
		return;
	}
	st = agent_trash(gw->state_dir, workspace, a, &to, &err);
	if (!st || st == CH_E_NOT_FOUND)
		ret->method = st ? "missing" : "trash";
	else
		ret->reason = arena_strdup(a, err.text);
}

/* -- all of it -- */

/* The agent is out of the configuration. */
static ch_status settle(struct gw *gw, const struct removal *x, struct arena *a, struct agent_deleted *ret, struct ch_err *err)
{
	ch_status st = purge_sessions(gw, x->id, a, err);

	if (!st)
		st = auth_store_forget_agent(gw->db, x->id, err);
	if (!st)
		st = exec_allow_forget_agent(gw->services->host.exec_allow, x->id, err);
	if (!st && x->workspace)
		st = agent_home_forget(gw->agents, x->id, x->workspace, err);
	if (st)
		return st;
	if (x->with_files && x->workspace)
		trash(gw, x->workspace, a, ret);
	return kv_delete(gw->db, RECORD, err);
}

ch_status gw_agent_delete_finish(struct gw *gw, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct agent_deleted done = { 0 };
	struct removal x;
	ch_status st = noted(gw, a, &x, err);

	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	if (agent_find(gw_config(gw), gw->state_dir, a, x.id))
		return kv_delete(gw->db, RECORD, err);   /* it never left the configuration: nothing was answered, nothing is removed */
	st = settle(gw, &x, a, &done, err);
	if (!st)
		log_info("gateway", "the removal of agent '%s' was cut; what was its own is gone now%s%s", x.id,
			 done.reason ? ", its workspace aside: " : "", done.reason ? done.reason : "");
	return st;
}

ch_status gw_agent_delete(struct gw *gw, const char *id, bool with_files, struct arena *a, struct agent_deleted *ret,
			  struct ch_err *err)
{
	const struct agent_info *info = agent_find(gw_config(gw), gw->state_dir, a, id);
	struct agent_deleted done = { 0 };
	struct removal x = { id, info ? info->workspace : NULL, with_files };
	size_t busy = agent_run_count(gw->agents, id);
	ch_status st;

	if (!info)
		return ch_fail(err, CH_E_NOT_FOUND, "agent \"%.80s\" not found", id);
	if (busy)
		return ch_fail(err, CH_E_BUSY, "agent \"%s\" has %zu runs in flight; abort them or wait, then delete it", id, busy);
	st = gw_agent_delete_finish(gw, err);
	if (!st)
		st = note(gw, &x, a, err);
	if (st)
		return st;
	st = agent_remove(gw->config, id, a, &done.bindings, err);
	if (st) {
		(void)!kv_delete(gw->db, RECORD, NULL);  /* if it stays, the next start finds the agent there and drops it */
		return st;
	}
	st = settle(gw, &x, a, &done, err);
	if (!st)
		*ret = done;
	return st;
}
