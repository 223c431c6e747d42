/*
 * gateway/methods/m_tools.c - tools.effective and tools.invoke: what an agent may use, and one tool called
 * by a client.
 */
#include "agent/invoke.h"
#include "agent/policy.h"
#include "agent/taint.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "gateway/hub.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"
#include "tools/tool.h"

/* The agent that is meant, and its session: the main one when none is named. */
static ch_status find_place(struct gw_call *call, const struct agent_info **ret_agent, const char **ret_key,
			    struct ch_err *err)
{
	const char *key = json_get_str(call->params, "sessionKey"), *id = json_get_str(call->params, "agentId");
	struct sess_key parsed;
	ch_status st = gw_call_agent(call, ret_agent, err);

	if (!st)
		st = gw_session_key(call, key ? key : arena_printf(call->arena, "agent:%s:main", (*ret_agent)->id),
				    &parsed, err);
	if (st)
		return st;
	if (id && parsed.agent_id && !str_eq(parsed.agent_id, (*ret_agent)->id))
		return ch_fail(err, CH_E_INVALID, "agent id \"%s\" does not own session \"%.80s\"",
			       (*ret_agent)->id, parsed.key);
	*ret_key = parsed.key;
	return CH_OK;
}

/* -- tools.effective -- */

static void write_tool(struct jw *w, const struct tool *t, const char *source)
{
	jw_obj(w);
	jw_kstr(w, "id", t->name);
	jw_kstr(w, "label", t->label);
	jw_kstr(w, "description", t->description);
	jw_kstr(w, "rawDescription", t->description);
	jw_kstr(w, "source", source ? "plugin" : "core");
	jw_kstr_opt(w, "pluginId", source);
	jw_kstr(w, "risk", tool_risk_name(t->risk));
	jw_end(w);
}

/* Those of the program, or those that the configuration and the workspace add; no group when there are none. */
static void write_group(struct jw *w, const struct policy *policy, const char *id, const char *label, bool is_core)
{
	const struct tool_set *set = policy->tools;
	size_t shown = 0;

	for (size_t i = 0; i < set->len; i++) {
		if (!set->at[i].source != is_core || !policy_tool(policy, set->at[i].tool->name))
			continue;
		if (!shown++) {
			jw_obj(w);
			jw_kstr(w, "id", id);
			jw_kstr(w, "label", label);
			jw_kstr(w, "source", id);
			jw_karr(w, "tools");
		}
		write_tool(w, set->at[i].tool, set->at[i].source);
	}
	if (!shown)
		return;
	jw_end(w);
	jw_end(w);
}

static void write_notice(struct jw *w, const char *id, bool is_warning, const char *message)
{
	jw_obj(w);
	jw_kstr(w, "id", id);
	jw_kstr(w, "severity", is_warning ? "warning" : "info");
	jw_kstr(w, "message", message);
	jw_end(w);
}

static void write_taint(struct gw_call *call, struct jw *w, const struct policy *policy, const char *key)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	if (!policy->grant.is_tainted || sess_find(call->gw->sessions, key, &s, NULL))
		return;
	write_notice(w, "tainted", true,
		     arena_printf(call->arena, "Text from outside is in this conversation (%s), so what acts beyond the workspace needs a "
				  "person's yes. /new begins without it.", taint_sources(call->arena, s)));
}

/* Why each of the other tools is not among them, what is wrong with added ones, and what holds for the session. */
static void write_notices(struct gw_call *call, struct jw *w, const struct policy *policy, const char *key)
{
	const struct tool_set *set = policy->tools;
	struct arena *a = call->arena;

	jw_karr(w, "notices");
	write_taint(call, w, policy, key);
	if (policy->grant.mode)
		write_notice(w, "mode", false, arena_printf(a, "The session's permission mode is %s.", tool_mode_name(policy->grant.mode)));
	for (size_t i = 0; i < set->len; i++) {
		const struct policy_verdict *v = &policy->verdicts[i];

		if (v->layer != POLICY_ALLOWED)
			write_notice(w, arena_printf(a, "tool:%s", set->at[i].tool->name), false,
				     arena_printf(a, "%s: %s", policy_layer_name(v->layer), v->reason));
	}
	for (size_t i = 0; i < set->problem_count; i++)
		write_notice(w, arena_printf(a, "problem:%s", set->problems[i]->name), true, set->problems[i]->description);
	jw_end(w);
}

static ch_status run_effective(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(policy_unref) struct policy *policy = NULL;
	const struct agent_info *agent;
	const char *key;
	struct jw *w;
	ch_status st = find_place(call, &agent, &key, err);

	if (!st)
		st = agent_policy(call->gw->agents, agent->id, key, true, &policy, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "agentId", agent->id);
	jw_kstr(w, "profile", policy->profile);
	jw_karr(w, "groups");
	write_group(w, policy, "core", "Built-in tools", true);
	write_group(w, policy, "plugin", "Added tools", false);
	jw_end(w);
	write_notices(call, w, policy, key);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- tools.invoke -- */

static void write_error(struct jw *w, const char *code, const char *message)
{
	jw_kobj(w, "error");
	jw_kstr(w, "code", code);
	jw_kstr(w, "message", message);
	jw_end(w);
}

static void write_output(struct jw *w, const struct tool_invoked *done)
{
	jw_kobj(w, "output");
	jw_kvalue(w, "content", done->content);
	if (done->details)
		jw_kvalue(w, "details", done->details);
	if (done->is_error)
		jw_kbool(w, "isError", true);
	jw_end(w);
	jw_kstr(w, "source", "core");
}

static void write_outcome(struct gw_call *call, struct jw *w, const struct tool_invocation *in,
			  const struct tool_invoked *done)
{
	const char *name = arena_strndup(call->arena, in->name, utf8_cut(in->name, strlen(in->name), 80));

	jw_obj(w);
	jw_kbool(w, "ok", done->outcome == INVOKE_RAN && !done->is_error);
	jw_kstr(w, "toolName", name);
	switch (done->outcome) {
	case INVOKE_RAN:
		write_output(w, done);
		if (done->is_error)
			write_error(w, "tool_error", "the tool reports an error; see its output");
		break;
	case INVOKE_UNKNOWN:
		write_error(w, "not_found", arena_printf(call->arena, "Tool not available: %s", name));
		break;
	case INVOKE_UNCONFIRMED:
		jw_kbool(w, "requiresApproval", true);
		write_error(w, "requires_approval",
			    arena_printf(call->arena, "%s changes something: ask a person, then call again with confirm", name));
		break;
	case INVOKE_BAD_ARGS:
		write_error(w, "invalid_request", done->text);
		break;
	case INVOKE_FAILED:
		write_error(w, "tool_error", done->text);
		break;
	}
	jw_end(w);
}

static void record(struct gw_call *call, const struct tool_invocation *in, const struct tool_invoked *done)
{
	bool is_good = done->outcome == INVOKE_RAN && !done->is_error;
	struct json *detail = json_new_obj(call->arena);

	if (done->outcome != INVOKE_RAN && done->outcome != INVOKE_FAILED)
		return;
	json_set(call->arena, detail, "toolName", json_new_str(call->arena, in->name));
	json_set(call->arena, detail, "toolCallId", json_new_str(call->arena, in->call_id));
	if (!is_good)
		json_set(call->arena, detail, "errorCode", json_new_str(call->arena, "tool_failed"));
	audit_record(call->gw, &(struct audit_entry){ .kind = "tool_action",
						      .action = "tool.action.finished",
						      .status = is_good ? "succeeded" : "failed",
						      .agent_id = in->agent_id,
						      .session_key = in->session_key,
						      .run_id = in->call_id,
						      .detail = detail });
}

static ch_status invoke(struct gw_call *call, const struct tool_invocation *in, struct buf *out, struct ch_err *err)
{
	struct tool_invoked done;
	struct jw w = JW(out);
	ch_status st = agent_invoke_tool(call->gw->agents, call->arena, in, &done, err);

	if (st)
		return st;
	record(call, in, &done);
	write_outcome(call, &w, in, &done);
	return buf_status(out, err, "the tool's output");
}

static void reply_text(struct gw_call *call, const char *text, size_t len)
{
	jw_raw(gw_reply_begin(call), text, len);
	gw_reply_end(call);
}

/* Keys are a client's own. */
static const char *actor_name(const struct gw_conn *c)
{
	const char *device = gw_conn_device_id(c);

	return device ? device : gw_conn_client_id(c);
}

/* A key that was used before gives the answer that it gave then. */
static ch_status invoke_once(struct gw_call *call, const struct tool_invocation *in, const char *key, struct ch_err *err)
{
	struct replay *kept = call->gw->hub->replay;
	CH_AUTO_BUF struct buf out = { 0 };
	const char *known = NULL;
	ch_status st;

	buf_init(&out, GW_FRAME_MAX);
	switch (replay_begin(kept, call->arena, key, &known)) {
	case REPLAY_UNDER_WAY:
		return ch_fail(err, CH_E_BUSY, "a call with this idempotency key is under way");
	case REPLAY_KNOWN:
		if (!known)
			return ch_fail(err, CH_E_EXISTS, "this call was made; its answer was too long to keep");
		reply_text(call, known, strlen(known));
		return CH_OK;
	case REPLAY_FRESH:
		break;
	}
	st = invoke(call, in, &out, err);
	if (st) {
		replay_drop(kept, key);
		return st;
	}
	replay_put(kept, key, out.data, out.len);
	reply_text(call, out.data, out.len);
	return CH_OK;
}

static ch_status run_invoke(struct gw_call *call, struct ch_err *err)
{
	const char *wanted = json_get_str(call->params, "idempotencyKey");
	const struct agent_info *agent;
	struct tool_invocation in = { .name = json_get_str(call->params, "name"),
				      .args = json_get(call->params, "args"),
				      .is_confirmed = json_get_bool(call->params, "confirm", false),
				      .is_owner = gw_conn_has(call->conn, GW_SCOPE_ADMIN) };
	CH_AUTO_BUF struct buf out = { 0 };
	char id[UUID_LEN];
	ch_status st = find_place(call, &agent, &in.session_key, err);

	buf_init(&out, GW_FRAME_MAX);
	if (st)
		return st;
	rand_uuid(id);
	in.agent_id = agent->id;
	in.call_id = wanted ? arena_printf(call->arena, "invoke-%s", wanted) :
			      arena_printf(call->arena, "invoke-%s", id);
	if (wanted)
		return invoke_once(call, &in,
				   arena_printf(call->arena, "tools.invoke|%s|%s", actor_name(call->conn), wanted), err);
	st = invoke(call, &in, &out, err);
	if (!st)
		reply_text(call, out.data, out.len);
	return st;
}

static const struct gw_param effective_params[] = {
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const char *const origins[] = { "direct-operator", NULL };
static const struct gw_param invoke_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "args", GP_OBJ, GP_OPEN },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "confirm", GP_BOOL },
	{ "idempotencyKey", GP_STR, GP_NON_EMPTY, .max = 512 },
	{ "conversationReadOrigin", GP_ENUM, .choices = origins },
	{0},
};

const struct gw_method gwm_tools[] = {
	/* name               run            scope           flags  params */
	{ "tools.effective",  run_effective, GW_SCOPE_READ,  0,     effective_params },
	{ "tools.invoke",     run_invoke,    GW_SCOPE_WRITE, 0,     invoke_params },
};
const size_t gwm_tools_count = CH_ARRAY_LEN(gwm_tools);
