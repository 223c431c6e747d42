/*
 * gateway/methods/m_tasks.c - tasks.*: the work that goes on behind conversations. Here that is sub-agents.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/subagent.h"
#include "core/str.h"
#include "gateway/methods/absent.h"

#define TITLE_CHARS 120

/* The protocol's words; one that the gateway cut has failed for who waits for it. */
static const char *status_of(const struct subagent *s)
{
	static const struct { const char *own, *wire; } words[] = {
		{ "running", "running" }, { "done", "completed" }, { "failed", "failed" }, { "lost", "failed" },
		{ "stopped", "cancelled" }, { "timeout", "timed_out" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(words); i++)
		if (str_eq(words[i].own, s->status))
			return words[i].wire;
	return "failed";
}

static void put_title(struct jw *w, const struct subagent *s)
{
	jw_key(w, "title");
	if (s->label)
		jw_str(w, s->label);
	else
		jw_strn(w, s->task, utf8_cut(s->task, strcspn(s->task, "\r\n"), TITLE_CHARS));
}

static void put_task(struct jw *w, const struct subagent *s, bool is_whole)
{
	jw_obj(w);
	jw_kstr(w, "id", s->run_id);
	jw_kstr(w, "taskId", s->run_id);
	jw_kstr(w, "kind", "subagent");
	jw_kstr(w, "runtime", "subagent");
	jw_kstr(w, "status", status_of(s));
	put_title(w, s);
	jw_kstr(w, "agentId", s->agent_id);
	jw_kstr(w, "sessionKey", s->requester_key);
	jw_kstr(w, "ownerKey", s->requester_key);
	jw_kstr(w, "childSessionKey", s->child_key);
	jw_kstr(w, "runId", s->run_id);
	jw_kint(w, "createdAt", s->created_at);
	jw_kint(w, "startedAt", s->created_at);
	jw_kint(w, "updatedAt", s->ended_at ? s->ended_at : s->created_at);
	if (s->ended_at)
		jw_kint(w, "endedAt", s->ended_at);
	jw_kstr(w, "deliveryStatus", !s->announces ? "not_applicable" : s->announced_at ? "delivered" : "pending");
	if (is_whole) {
		jw_kstr(w, "prompt", s->task);
		jw_kstr_opt(w, "result", s->result);
	}
	jw_end(w);
}

/* -- tasks.list -- */

static bool wants_status(const struct json *wanted, const struct subagent *s)
{
	if (!wanted)
		return true;
	if (json_str(wanted))
		return str_eq(json_str(wanted), status_of(s));
	json_each(one, wanted)
		if (str_eq(json_str(one), status_of(s)))
			return true;
	return false;
}

static bool is_wanted(const struct json *p, const struct subagent *s)
{
	const char *agent_id = json_get_str(p, "agentId"), *key = json_get_str(p, "sessionKey");

	return wants_status(json_get(p, "status"), s) && (!agent_id || str_eq(agent_id, s->agent_id)) &&
	       (!key || str_eq(key, s->requester_key) || str_eq(key, s->child_key));
}

/* Newest first; the table keeps SUBAGENT_LIST_MAX of them in reach, so a page is all there is. */
static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	int64_t left = json_get_int(call->params, "limit", SUBAGENT_LIST_MAX);
	const struct subagent *all;
	struct jw *w;
	size_t n;
	ch_status st = subagents_list(call->gw->agents, NULL, call->arena, &all, &n, err);

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_karr(w, "tasks");
	for (size_t i = 0; i < n && left > 0; i++) {
		if (!is_wanted(call->params, &all[i]))
			continue;
		put_task(w, &all[i], false);
		left--;
	}
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- one task -- */

static ch_status find(struct gw_call *call, struct subagent *ret, struct ch_err *err)
{
	ch_status st = subagent_by_run(call->gw->agents, json_get_str(call->params, "taskId"), call->arena, ret, err);

	return st == CH_E_NOT_FOUND ? ch_fail(err, st, "task not found: %s", gwm_short_param(call, "taskId")) : st;
}

static ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	struct subagent s;
	struct jw *w;
	ch_status st = find(call, &s, err);

	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_key(w, "task");
	put_task(w, &s, true);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status reply_cancel(struct gw_call *call, const struct subagent *s, bool is_cancelled, const char *reason)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "found", s != NULL);
	jw_kbool(w, "cancelled", is_cancelled);
	jw_kstr_opt(w, "reason", reason);
	if (s) {
		jw_key(w, "task");
		put_task(w, s, false);
	}
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_cancel(struct gw_call *call, struct ch_err *err)
{
	struct subagent s;
	ch_status st = find(call, &s, err);

	if (st == CH_E_NOT_FOUND)
		return reply_cancel(call, NULL, false, "Task not found.");
	if (st)
		return st;
	st = subagent_stop(call->gw->agents, &s, "rpc", err);
	if (st == CH_E_CONFLICT)
		return reply_cancel(call, &s, false, "Task is already over.");
	if (!st)
		st = find(call, &s, err);
	return st ? st : reply_cancel(call, &s, true, NULL);
}

/* -- parameters -- */

static const char *const statuses[] = { "queued", "running", "completed", "failed", "cancelled", "timed_out", NULL };
static const char *const sorts[] = { "updatedAt", "endedAt", NULL };
static const struct gw_param list_params[] = {
	{ "status", GP_STR_OR_ARR, .item = GP_STR, .choices = statuses },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "limit", GP_INT, .min = 1, .max = 500 },
	{ "cursor", GP_STR },
	{ "sortBy", GP_ENUM, .choices = sorts },
	{ 0 },
};
static const struct gw_param task_params[] = {
	{ "taskId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param cancel_params[] = {
	{ "taskId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "reason", GP_STR },
	{ 0 },
};

const struct gw_method gwm_tasks[] = {
	/* name           run         scope           flags      params */
	{ "tasks.cancel", run_cancel, GW_SCOPE_WRITE, 0,         cancel_params },
	{ "tasks.get",    run_get,    GW_SCOPE_READ,  GW_INLINE, task_params },
	{ "tasks.list",   run_list,   GW_SCOPE_READ,  GW_INLINE, list_params },
};
const size_t gwm_tasks_count = CH_ARRAY_LEN(gwm_tasks);
