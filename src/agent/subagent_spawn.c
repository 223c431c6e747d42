/*
 * agent/subagent_spawn.c - starting a sub-agent: may it be, in which session, with what; then an input like any other.
 */
#include <string.h>

#include "agent/policy.h"
#include "agent/subagent.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"
#include "exec/sandbox.h"
#include "sessions/branch.h"

#define LABEL_MAX 512

struct spawn {
	struct agent_host *h;
	const struct tool_ctx *ctx;
	const struct tool_spawn *s;
	struct arena *a;
	struct sess *from, *child;
	const struct run *parent;        /* the run at hand, or NULL: a client called the tool */
	const char *target;              /* the agent */
	struct subagent row;
	const char *note;                /* what was not done as asked, or NULL */
	bool is_forked;
};

/* -- settings -- */

static const struct json *own_or_shared(const struct config *c, const char *agent_id, const char *key)
{
	char path[AGENT_ID_MAX + 80];
	const struct json *v;

	snprintf(path, sizeof(path), "agents.entries.%s.subagents.%s", agent_id, key);
	v = config_get(c, path);
	if (v)
		return v;
	snprintf(path, sizeof(path), "agents.defaults.subagents.%s", key);
	return config_get(c, path);
}

int64_t subagent_setting(const struct config *c, const char *agent_id, const char *key, int64_t def)
{
	return json_int_or(own_or_shared(c, agent_id, key), def);
}

bool subagent_may_start(const struct config *c, const char *agent_id, const char *target_id)
{
	const struct json *allowed = own_or_shared(c, agent_id, "allowAgents");

	if (!json_is(allowed, JSON_ARR))
		return str_eq(agent_id, target_id);
	json_each(name, allowed)
		if (str_eq(json_str(name), "*") || str_ieq(json_str_or(name, ""), target_id))
			return true;
	return false;
}

/* -- may it? -- */

static ch_status check_target(struct spawn *sp, struct ch_err *err)
{
	const struct config *c = host_config(sp->h);
	const char *own = sp->ctx->agent_id, *wanted = sp->s->agent_id;

	sp->target = str_empty(wanted) ? own : wanted;
	if (str_empty(wanted) && json_bool_or(own_or_shared(c, own, "requireAgentId"), false))
		return ch_fail(err, CH_E_INVALID, "say which agent with agentId (subagents.requireAgentId); agents_list names them");
	if (!agent_is_known(c, sp->target))
		return ch_fail(err, CH_E_INVALID, "there is no agent '%.64s'; agents_list names those that may be started", sp->target);
	if (!str_empty(wanted) && !subagent_may_start(c, own, sp->target))
		return ch_fail(err, CH_E_DENIED, "agent '%.64s' may not start sub-agents of '%.64s' (subagents.allowAgents)", own,
			       sp->target);
	return CH_OK;
}

static ch_status check_limits(struct spawn *sp, struct ch_err *err)
{
	const struct config *c = host_config(sp->h);
	int64_t depth_max = subagent_setting(c, sp->ctx->agent_id, "maxSpawnDepth", SUBAGENT_DEPTH_MAX);
	int64_t children_max = subagent_setting(c, sp->ctx->agent_id, "maxChildrenPerAgent", SUBAGENT_CHILDREN_DEFAULT), running;
	ch_status st;

	depth_max = CH_MIN(CH_MAX(depth_max, 1), SUBAGENT_DEPTH_MAX);
	children_max = CH_MIN(CH_MAX(children_max, 1), SUBAGENT_CHILDREN_MAX);
	sp->row.depth = policy_depth(sp->ctx->session_key) + 1;
	if (sp->row.depth > depth_max)
		return ch_fail(err, CH_E_DENIED, "a sub-agent this deep starts no others (depth %d, maxSpawnDepth %d)",
			       sp->row.depth - 1, (int)depth_max);
	st = subagents_running(sp->h, sp->ctx->session_key, &running, err);
	if (st || running < children_max)
		return st;
	return ch_fail(err, CH_E_LIMIT, "%d sub-agents of this session are running, as many as may (maxChildrenPerAgent); wait for one "
		       "to end", (int)running);
}

/* A sandboxed session must not get out by way of a child, nor one that asked for a sandbox run without. */
static ch_status check_sandbox(struct spawn *sp, struct ch_err *err)
{
	const struct config *c = host_config(sp->h);
	struct sandbox_settings own, childs;

	sandbox_settings(c, sp->ctx->agent_id, sp->ctx->session_key, sp->a, &own);
	sandbox_settings(c, sp->target, arena_printf(sp->a, "agent:%s:subagent:x", sp->target), sp->a, &childs);
	if (childs.is_on || !(own.is_on || sp->s->needs_sandbox))
		return CH_OK;
	return ch_fail(err, CH_E_DENIED, "commands of agent '%.64s' run outside the sandbox (agents.*.sandbox.mode), and %s", sp->target,
		       own.is_on ? "this session's do not" : "a sandbox is required");
}

static ch_status check(struct spawn *sp, struct ch_err *err)
{
	const struct tool_spawn *s = sp->s;
	ch_status st;

	if (str_empty(s->task) || strlen(s->task) > SUBAGENT_TASK_MAX)
		return ch_fail(err, CH_E_INVALID, "the task must have 1 to %u bytes", SUBAGENT_TASK_MAX);
	if (s->label && strlen(s->label) > LABEL_MAX)
		return ch_fail(err, CH_E_INVALID, "the label is longer than %d bytes", LABEL_MAX);
	st = check_target(sp, err);
	if (!st && str_eq(s->context, "fork") && !str_eq(sp->target, sp->ctx->agent_id))
		return ch_fail(err, CH_E_INVALID, "context \"fork\" is for sub-agents of the same agent");
	if (!st)
		st = check_sandbox(sp, err);
	return st ? st : check_limits(sp, err);
}

/* -- its session -- */

static ch_status child_key(struct spawn *sp, struct sess_key *ret, struct ch_err *err)
{
	const char *below = strstr(sp->ctx->session_key, ":subagent:");
	char id[UUID_LEN];

	rand_uuid(id);
	return sess_key_parse(sp->a, arena_printf(sp->a, "agent:%s%s:subagent:%s", sp->target, below ? below : "", id), sp->target, ret,
			      err);
}

static const char *configured_model(const struct config *c, const char *agent_id)
{
	const struct json *v = own_or_shared(c, agent_id, "model");

	return json_is(v, JSON_OBJ) ? json_get_str(v, "primary") : json_str(v);
}

/* Said in the call, else configured; else what the requester's session chose, when it is the same agent. */
static ch_status choose_model(struct spawn *sp, struct ch_err *err)
{
	struct agent_host *h = sp->h;
	const char *said = sp->s->model, *source, *wanted = said;
	struct model_entry m;
	struct ch_err why;

	if (str_empty(wanted))
		wanted = configured_model(host_config(h), sp->target);
	if (str_empty(wanted) && sp->parent && str_eq(sp->target, sp->ctx->agent_id))
		wanted = sp->parent->model;
	if (str_empty(wanted)) {
		if (!str_eq(sp->target, sp->ctx->agent_id) || str_empty(sp->from->model_override_source))
			return CH_OK;
		sess_set_str(sp->child, &sp->child->model_provider, sp->from->model_provider);
		sess_set_str(sp->child, &sp->child->model, sp->from->model);
		sess_set_str(sp->child, &sp->child->model_override_source, sp->from->model_override_source);
		return CH_OK;
	}
	if (h->model_ops.resolve(h->model_ops.arg, wanted, sp->target, sp->a, &m, &source, &why)) {
		sp->note = arena_printf(sp->a, "The model '%s' could not be used (%s); the agent's own model answers.", wanted, why.text);
		return CH_OK;
	}
	agent_pin_model(sp->child, &m);
	return CH_OK;
}

static void choose_thinking(struct spawn *sp)
{
	const char *level = sp->s->thinking;

	if (str_empty(level))
		level = json_str(own_or_shared(host_config(sp->h), sp->target, "thinking"));
	if (str_empty(level) && sp->parent)
		level = sp->parent->thinking;
	if (str_empty(level))
		level = sp->from->thinking_level;
	if (!str_empty(level))
		sess_set_str(sp->child, &sp->child->thinking_level, level);
}

/* The conversation up to the end of the last answer; the turn at hand is not over. */
static ch_status fork_context(struct spawn *sp, struct ch_err *err)
{
	struct tr_entry cut;
	ch_status st;

	if (!str_eq(sp->s->context, "fork"))
		return CH_OK;
	st = branch_fork(sp->from, NULL, sp->child, sp->a, &cut, err);
	if (st == CH_E_INVALID) {
		sp->note = "There is no finished answer to go on from yet, so the sub-agent begins with its task alone.";
		return CH_OK;
	}
	sp->is_forked = !st;
	return st;
}

static ch_status prepare_child(struct spawn *sp, struct ch_err *err)
{
	struct sess *c = sp->child;
	ch_status st;

	sess_set_str(c, &c->spawned_by, sp->ctx->session_key);
	sess_set_str(c, &c->parent_key, sp->ctx->session_key);
	if (!str_empty(sp->s->label))
		sess_set_str(c, &c->label, sp->s->label);
	st = policy_hand_down(sp->h, sp->ctx, c, err);
	if (!st)
		st = choose_model(sp, err);
	if (st)
		return st;
	choose_thinking(sp);
	st = sess_save(c, err);
	return st ? st : fork_context(sp, err);
}

/* -- its task -- */

static const char *task_text(const struct spawn *sp)
{
	return arena_printf(sp->a, "[Sub-agent task]\n%s\n\n[You are a sub-agent that session %s started for this task alone%s. Work by "
			    "yourself: nobody answers questions. Your last message is handed over as your result, so let it say what "
			    "you found or did, and what is open. Reply ANNOUNCE_SKIP and nothing else when there is nothing to hand "
			    "over.]", sp->s->task, sp->ctx->session_key,
			    sp->is_forked ? "; what was said before it is background" : "");
}

static ch_status write_row(void *arg, struct ch_err *err)
{
	const struct spawn *sp = arg;

	return subagent_insert(sp->h, &sp->row, sp->ctx->run_id, err);
}

static ch_status submit(struct spawn *sp, struct ch_err *err)
{
	const struct tool_grant *grant = sp->ctx->grant;
	struct run_origin origin = { .kind = "inter_session", .tool = "sessions_spawn", .session_key = sp->ctx->session_key,
				     .is_tainted = grant->is_tainted,
				     .taint_source = grant->is_tainted ? arena_printf(sp->a, "session %s", sp->ctx->session_key) : NULL };
	struct run_input in = {
		.session_key = sp->row.child_key, .run_id = sp->row.run_id, .text = task_text(sp), .is_plain = true, .origin = &origin,
		.sender_is_owner = grant->is_owner, .session_is_new = true, .also = write_row, .also_arg = sp,
		.timeout_ms = sp->s->run_timeout_ms,
	};
	struct submit_result res;

	if (!in.timeout_ms)
		in.timeout_ms = 1000 * subagent_setting(host_config(sp->h), sp->target, "runTimeoutSeconds", 0);
	return agent_submit(sp->h, &in, sp->a, &res, err);
}

static ch_status start(struct spawn *sp, struct ch_err *err)
{
	struct sess_key key;
	char run_id[UUID_LEN];
	struct ch_err why;
	ch_status st = child_key(sp, &key, err);

	if (!st)
		st = sess_open(sp->h->opts.sessions, &key, "subagent", &sp->child, NULL, err);
	if (st)
		return st;
	rand_uuid(run_id);
	sp->row.run_id = arena_strdup(sp->a, run_id);
	sp->row.child_key = key.key;
	sp->row.requester_key = sp->ctx->session_key;
	sp->row.agent_id = sp->target;
	sp->row.task = sp->s->task;
	sp->row.label = str_empty(sp->s->label) ? NULL : sp->s->label;
	sp->row.cleanup = str_eq(sp->s->cleanup, "delete") ? "delete" : "keep";
	sp->row.announces = !sp->s->is_quiet;
	sp->row.created_at = now_wall_ms();
	st = prepare_child(sp, err);
	if (!st)
		st = submit(sp, err);
	if (st && sess_delete(sp->child, &why))
		log_warn("agent", "session=%s: a sub-agent's session that was not used could not be removed: %s; the clean-up takes it",
			 key.key, why.text);
	return st;
}

static void put_result(const struct spawn *sp, struct buf *out)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "status", "accepted");
	jw_kstr(&w, "childSessionKey", sp->row.child_key);
	jw_kstr(&w, "runId", sp->row.run_id);
	jw_kstr(&w, "mode", "run");
	jw_kstr(&w, "context", sp->is_forked ? "fork" : "isolated");
	jw_kstr_opt(&w, "note", sp->note);
	jw_kbool(&w, "announces", sp->row.announces);
	jw_end(&w);
}

ch_status subagent_spawn(struct agent_host *h, const struct tool_ctx *ctx, const struct tool_spawn *s, struct buf *ret,
			 struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(sess_unref) struct sess *from = NULL;
	struct spawn sp = { .h = h, .ctx = ctx, .s = s, .a = a, .parent = ctx->run_id ? map_find(h->runs, ctx->run_id) : NULL };
	ch_status st = sess_find(h->opts.sessions, ctx->session_key, &from, err);

	sp.from = from;
	if (!st)
		st = check(&sp, err);
	if (!st)
		st = start(&sp, err);
	sess_unref(sp.child);
	if (st)
		return st;
	put_result(&sp, ret);
	return buf_status(ret, err, "the answer");
}
