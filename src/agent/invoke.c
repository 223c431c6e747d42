/*
 * agent/invoke.c - see invoke.h. The tool runs in a fiber of its own, so that its deadline or the caller's
 * leaving ends it where it waits.
 */
#include "agent/invoke.h"

#include "agent/home.h"
#include "agent/policy.h"
#include "core/fiber.h"
#include "core/str.h"

/* Not from outside a turn, unless gateway.tools.allow names them: they run programs or steer the gateway. */
static const char *const not_from_here[] = {
	"apply_patch", "cron", "exec", "fs_delete", "fs_move", "fs_write", "gateway",
	"nodes", "sessions_send", "sessions_spawn", "shell", "spawn",
};

struct invocation {
	const struct tool *tool;
	const struct tool_invocation *in;
	struct tool_ctx ctx;
	struct tool_result result;
	struct ch_err err;
	ch_status st;
};

static bool is_listed(const struct config *c, const char *path, const char *name)
{
	for (const char *const *p = config_list(c, path); *p; p++)
		if (str_ieq(*p, name))
			return true;
	return false;
}

static bool is_exposed(const struct config *c, const char *name)
{
	if (is_listed(c, "gateway.tools.deny", name))
		return false;
	return !str_in(name, not_from_here, CH_ARRAY_LEN(not_from_here)) ||
	       is_listed(c, "gateway.tools.allow", name);
}

const bool *agent_tools(const struct config *c, struct arena *a, const char *agent_id)
{
	size_t count;
	bool *allowed;

	(void)tool_table(&count);
	allowed = arena_alloc(a, (count + 1) * sizeof(*allowed));
	policy_tools(c, agent_id, allowed);
	return allowed;
}

const char *agent_tool_profile(const struct config *c, const char *agent_id)
{
	const struct json *own = json_get(json_get(config_get(c, "agents.entries"), agent_id), "tools");
	const char *profile = json_get_str(own, "profile");

	if (!profile)
		profile = config_str(c, "tools.profile");
	return str_empty(profile) ? "full" : profile;
}

static const struct tool *usable(struct agent_host *h, struct arena *a, const struct tool_invocation *in)
{
	const struct config *c = host_config(h);
	const bool *allowed = agent_tools(c, a, in->agent_id);
	size_t count;
	const struct tool *const *all = tool_table(&count);

	for (size_t i = 0; i < count; i++)
		if (str_eq(all[i]->name, in->name))
			return allowed[i] && is_exposed(c, in->name) ? all[i] : NULL;
	return NULL;
}

static void run_tool(void *arg)
{
	struct invocation *v = arg;

	v->st = v->tool->run(&v->ctx, v->in->args, &v->result, &v->err);
}

/* For ever: the fiber uses the caller's frame. Its own waits fail once it is cancelled. */
static void stop_and_join(struct fiber *f)
{
	fiber_cancel(f);
	fiber_mask(+1);
	while (fiber_join(f, FIBER_FOREVER)) {
		/* Only a spurious status brings us round again. */
	}
	fiber_mask(-1);
}

static ch_status run_bounded(struct agent_host *h, struct invocation *v, struct ch_err *err)
{
	struct fiber *f = fiber_spawn(h->opts.loop, "invoke", FIBER_JOINABLE, run_tool, v);
	ch_status st = fiber_join(f, v->ctx.deadline_ms);

	if (!st)
		return CH_OK;
	stop_and_join(f);
	if (st != CH_E_TIMEOUT)
		return ch_fail(err, st, "canceled");
	v->st = ch_fail(&v->err, CH_E_TIMEOUT, "%s did not finish within %lld seconds", v->tool->name,
			(long long)(v->tool->timeout_ms / 1000));
	return CH_OK;
}

static void settle(struct arena *a, const struct invocation *v, struct tool_invoked *ret)
{
	if (v->st) {
		*ret = (struct tool_invoked){ .outcome = INVOKE_FAILED, .text = arena_strdup(a, v->err.text) };
		return;
	}
	*ret = (struct tool_invoked){ .outcome = INVOKE_RAN,
				      .content = v->result.content ? v->result.content : json_new_arr(a),
				      .details = v->result.details,
				      .is_error = v->result.is_error };
}

ch_status agent_invoke_tool(struct agent_host *h, struct arena *a, const struct tool_invocation *in,
			    struct tool_invoked *ret, struct ch_err *err)
{
	CH_AUTO(home_unref) struct home *home = NULL;
	struct tool_invocation call = *in;
	struct invocation v = { .tool = usable(h, a, in), .in = &call };
	ch_status st;

	*ret = (struct tool_invoked){.outcome = INVOKE_UNKNOWN};
	if (!v.tool)
		return CH_OK;
	if (!call.args)
		call.args = json_new_obj(a);
	if (tool_check_args(v.tool, call.args, &v.err)) {
		*ret = (struct tool_invoked){ .outcome = INVOKE_BAD_ARGS, .text = arena_strdup(a, v.err.text) };
		return CH_OK;
	}
	if (v.tool->risk != TOOL_READS && !in->is_confirmed) {
		ret->outcome = INVOKE_UNCONFIRMED;
		return CH_OK;
	}
	st = home_open(h, in->agent_id, &home, err);
	if (st)
		return st;
	v.ctx = (struct tool_ctx){ .agent_id = in->agent_id,
				   .session_key = in->session_key,
				   .run_id = in->call_id,
				   .tool_call_id = in->call_id,
				   .workspace = home->workspace,
				   .workspace_fd = home->fd,
				   .deadline_ms = fiber_deadline(v.tool->timeout_ms),
				   .arena = a,
				   .host = &h->tool_host };
	st = run_bounded(h, &v, err);
	if (!st)
		settle(a, &v, ret);
	return st;
}
