/*
 * agent/invoke.c - see invoke.h.
 */
#include "agent/invoke.h"

#include "agent/dispatch_one.h"
#include "agent/home.h"
#include "core/fiber.h"
#include "core/str.h"

/* Not from outside a turn, unless gateway.tools.allow names them, nor what runs programs: they steer the gateway. */
static const char *const not_from_here[] = {
	"apply_patch", "cron", "exec", "fs_delete", "fs_move", "fs_write", "gateway",
	"nodes", "process", "sessions_send", "sessions_spawn", "shell", "spawn",
};

static bool is_listed(const struct config *c, const char *path, const char *name)
{
	for (const char *const *p = config_list(c, path); *p; p++)
		if (str_ieq(*p, name))
			return true;
	return false;
}

static bool is_exposed(const struct config *c, const struct tool *t)
{
	if (is_listed(c, "gateway.tools.deny", t->name))
		return false;
	return (t->risk != TOOL_RUNS && !str_in(t->name, not_from_here, CH_ARRAY_LEN(not_from_here))) ||
	       is_listed(c, "gateway.tools.allow", t->name);
}

static void settle(const struct one_call *one, struct tool_invoked *ret)
{
	*ret = (struct tool_invoked){ .outcome = one->has_failed ? INVOKE_FAILED : INVOKE_RAN, .content = one->content,
				      .details = one->details, .is_error = one->is_error };
	if (one->has_failed)
		ret->text = json_str(json_path(one->content, "0.text"));
}

static ch_status run_tool(struct agent_host *h, struct arena *a, const struct tool_invocation *in, const struct home *home,
			  struct policy *policy, const struct tool *t, struct tool_invoked *ret, struct ch_err *err)
{
	struct one_call one = { .host = h, .policy = policy, .tool = t, .args = in->args };
	ch_status st;

	one.ctx = (struct tool_ctx){ .agent_id = in->agent_id, .session_key = in->session_key, .run_id = in->call_id,
				     .tool_call_id = in->call_id, .workspace = home->workspace, .workspace_fd = home->fd,
				     .arena = a };
	one_start(&one);
	st = one_join(&one);
	if (st || one.is_canceled)
		return ch_fail(err, CH_E_CANCELED, "canceled");
	settle(&one, ret);
	return CH_OK;
}

ch_status agent_invoke_tool(struct agent_host *h, struct arena *a, const struct tool_invocation *in,
			    struct tool_invoked *ret, struct ch_err *err)
{
	CH_AUTO(policy_unref) struct policy *policy = NULL;
	CH_AUTO(home_unref) struct home *home = NULL;
	struct tool_invocation call = *in;
	const struct tool *t;
	struct ch_err why;
	ch_status st;

	*ret = (struct tool_invoked){ .outcome = INVOKE_UNKNOWN };
	st = home_open(h, in->agent_id, &home, err);
	if (!st)
		st = agent_policy(h, in->agent_id, in->session_key, in->is_owner, &policy, err);
	if (st)
		return st;
	t = policy_tool(policy, in->name);
	if (!t || !is_exposed(host_config(h), t))
		return CH_OK;
	if (!call.args)
		call.args = json_new_obj(a);
	if (tool_check_args(t, call.args, &why)) {
		*ret = (struct tool_invoked){ .outcome = INVOKE_BAD_ARGS, .text = arena_strdup(a, why.text) };
		return CH_OK;
	}
	if (t->risk != TOOL_READS && !in->is_confirmed) {
		ret->outcome = INVOKE_UNCONFIRMED;
		return CH_OK;
	}
	return run_tool(h, a, &call, home, policy, t, ret, err);
}
