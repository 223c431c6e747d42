/*
 * tools/exec_host.c - may this command run on the host? The policy, the allowlist, and a person's yes.
 *
 *	deny                                            -> no
 *	full, nothing to ask                            -> the shell runs it
 *	allowlist and every part matches                -> run as bound, without a shell
 *	else, where asking is allowed                   -> bound, shown, asked, claimed, compared again, run as bound
 *
 * What is asked for is bound before it is shown (exec/bind.h), so that what runs is what was seen. A tainted turn is
 * always asked for, whatever list the command is on. So is a command that leaves the sandbox when the configuration does
 * not say that it may, and one whose sandbox cannot be had.
 */
#include <string.h>

#include "core/log.h"
#include "core/str.h"
#include "exec/bind_work.h"
#include "tools/exec_priv.h"

#define ASKED_COMMAND_MAX CMD_TEXT_MAX

static ch_status denied(const struct exec_call *c, const char *id, const char *reason, const char *more, struct ch_err *err)
{
	struct arena *a = c->ctx->arena;
	const char *text = id ? arena_printf(a, "Exec denied (gateway id=%s, %s): %s", id, reason, c->command)
			      : arena_printf(a, "Exec denied (%s): %s", reason, c->command);

	tool_result_textf(c->ctx, c->ret, "%s%s%s", text, more ? "\n" : "", more ? more : "");
	json_set(a, c->details, "status", json_new_str(a, "failed"));
	json_set(a, c->details, "reason", json_new_str(a, reason));
	if (id)
		json_set(a, c->details, "approvalId", json_new_str(a, id));
	c->ret->is_error = true;
	return ch_fail(err, CH_E_DENIED, "%s", reason);
}

/* -- the policy, and what makes it stricter for this call -- */

static const char *mode_name(enum tool_mode m)
{
	static const char *const names[] = { NULL, "read-only", "guarded", "workspace", "full" };

	return names[m];
}

static bool must_ask(const struct exec_call *c)
{
	return c->ctx->grant->is_tainted || (c->is_elevated && c->sandbox.is_on && !exec_elevation_is_granted(c->config));
}

static void read_policy(struct exec_call *c, const struct config *config, struct exec_policy *ret)
{
	exec_policy(c->ctx->host->exec_allow, config, c->ctx->agent_id, mode_name(c->ctx->grant->mode), c->ctx->arena, ret);
	ret->ask = CH_MIN(ret->ask, c->ask);
	if (c->no_sandbox) {
		ret->security = CH_MIN(ret->security, EXEC_ALLOWLIST);
		ret->ask = CH_MIN(ret->ask, EXEC_ASK_ON_MISS);
	}
	if (must_ask(c))
		ret->ask = EXEC_ASK_ALWAYS;
	if (c->no_sandbox || must_ask(c))
		ret->ask_fallback = EXEC_DENY;
}

/* Neither a match nor a yes is needed. Strict about inline code: what cannot be read well may hide some. */
static bool is_free(const struct exec_call *c)
{
	const struct exec_policy *p = &c->policy;

	return p->security == EXEC_FULL && p->ask != EXEC_ASK_ALWAYS && !(p->strict_inline_eval && cmd_may_inline(&c->plan));
}

static bool is_covered(const struct exec_call *c, const char **ret_why)
{
	if (!exec_env_is_harmless(c->env)) {
		*ret_why = "the call sets variables of the environment";
		return false;
	}
	return exec_allow_covers(c->ctx->host->exec_allow, c->config, c->ctx->agent_id, &c->plan, c->bound, c->ctx->arena, ret_why);
}

/* What is to be done with a bound command that is not free. */
enum verdict { RUN, ASK, DENY };

static enum verdict judge(const struct exec_call *c, const char **ret_why)
{
	const struct exec_policy *p = &c->policy;
	bool matches = p->security == EXEC_ALLOWLIST && is_covered(c, ret_why);

	if (matches && p->ask != EXEC_ASK_ALWAYS)
		return RUN;
	return p->ask == EXEC_ASK_OFF && p->security == EXEC_ALLOWLIST ? DENY : ASK;
}

static CH_FIBER ch_status bind_call(struct exec_call *c, struct ch_err *err)
{
	return exec_bind_wait(&(struct exec_want){ .command = c->command, .plan = &c->plan, .cwd = c->cwd, .env = c->host_env,
					      .shell = exec_shell() },
			      &c->bound, err);
}

/* What was judged is still there. */
static CH_FIBER ch_status check_bound(struct exec_call *c, const char *id, struct ch_err *err)
{
	struct ch_err why = { 0 };
	ch_status st = exec_bound_check_wait(c->bound, &why);

	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "canceled");
	if (st)
		return denied(c, id, "changed-since-shown", arena_strdup(c->ctx->arena, why.text), err);
	return CH_OK;
}

/* -- asking -- */

/* Nobody can be asked: what the host's document says of that, which makes nothing looser than the policy is. */
static CH_FIBER ch_status without_approver(struct exec_call *c, const char *way_out, struct ch_err *err)
{
	enum exec_security limit = CH_MIN(c->policy.ask_fallback, c->policy.security);
	bool is_strict = c->policy.strict_inline_eval && cmd_may_inline(&c->plan);
	const char *why;

	if (!is_strict && (limit == EXEC_FULL || (limit == EXEC_ALLOWLIST && is_covered(c, &why))))
		return check_bound(c, NULL, err);
	return denied(c, NULL, "no-approver",
		      arena_printf(c->ctx->arena, "A person has to allow this and none can be reached: %s.", way_out), err);
}

static void tell(const struct exec_call *c, const char *id, const char *status)
{
	if (c->ctx->on_approval)
		c->ctx->on_approval(c->ctx->update_arg, id, status);
}

/* Whoever asked is being stopped. When all of the gateway is, the question stays: it can be answered after a restart. */
static ch_status give_up(struct exec_call *c, const char *id, struct ch_err *err)
{
	const struct tool_host *h = c->ctx->host;
	struct ch_err why;

	if (tool_host_is_closing(h))
		return CH_E_CANCELED;
	if (approval_cancel(h->approvals, id, "run-aborted", &why))
		log_warn("exec", "session=%s: approval %s stays open: %s; its answer will do nothing", c->ctx->session_key, id,
			 why.text);
	tell(c, NULL, approval_status_name(APPROVAL_CANCELLED));
	return ch_fail(err, CH_E_CANCELED, "canceled");
}

static CH_FIBER ch_status answer(struct exec_call *c, const struct approval *row, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *latest = config_ref(c->ctx->host->config(c->ctx->host->arg));
	struct arena *a = c->ctx->arena;
	struct exec_policy now;
	struct ch_err why = { 0 };
	ch_status st;

	if (row->status == APPROVAL_EXPIRED)
		return denied(c, row->id, "approval-timeout", "Nobody answered. Tell the user what you wanted to do.", err);
	if (row->status == APPROVAL_CANCELLED)
		return denied(c, row->id, str_eq(row->reason, "no-approver") ? "no-approver" : "run-aborted", NULL, err);
	if (row->status != APPROVAL_ALLOWED)
		return denied(c, row->id, "user-denied", "The user said no. Do not try it another way.", err);
	if (approval_claim(c->ctx->host->approvals, row->id, &why))
		return denied(c, row->id, "already-used", arena_strdup(a, why.text), err);
	c->approval_id = row->id;
	/* The owner may have shut the door meanwhile: c->config is as things were when the call began. */
	read_policy(c, latest, &now);
	if (now.security == EXEC_DENY)
		return denied(c, row->id, "policy-changed", now.reason, err);
	st = check_bound(c, row->id, err);
	if (st)
		return st;
	if (row->decision == APPROVAL_ALLOW_ALWAYS &&
	    exec_allow_grant(c->ctx->host->exec_allow, c->config, c->ctx->agent_id, &c->plan, c->bound, row->id,
			     row->resolver ? json_to_str(a, row->resolver) : NULL,
			     (int)json_get_int(row->resolver, "grantExpiresInDays", 0), &why))
		log_warn("exec", "approval %s: it runs, but the next one is asked for again: %s", row->id, why.text);
	return CH_OK;
}

static CH_FIBER ch_status ask(struct exec_call *c, struct ch_err *err)
{
	const struct tool_ctx *ctx = c->ctx;
	unsigned decisions = APPROVAL_ALLOW_ONCE | APPROVAL_DENY;
	struct approval_ask want = { .kind = APPROVAL_EXEC, .agent_id = ctx->agent_id, .session_key = ctx->session_key,
				     .session_id = ctx->session_id, .run_id = ctx->run_id, .tool_call_id = ctx->tool_call_id };
	struct approval row = { 0 };
	struct ch_err why = { 0 };
	const char *id;
	ch_status st;

	/* A yes for always is for what can be recognised again, and means nothing where each time is asked for. */
	if (c->policy.ask != EXEC_ASK_ALWAYS && exec_allow_can_remember(&c->plan) && exec_env_is_harmless(c->env))
		decisions |= APPROVAL_ALLOW_ALWAYS;
	want.decisions = decisions;
	want.request = exec_approval_request(c, decisions);
	want.presentation = exec_approval_presentation(c, decisions);
	want.binding = exec_bound_json(c->bound, ctx->arena);
	want.binding_hash = exec_bound_hash(c->bound);
	if (!ctx->host->approvals)
		return without_approver(c, "approvals do not run here", err);
	st = approval_create(ctx->host->approvals, &want, ctx->arena, &id, &why);
	if (st == CH_E_DENIED)
		return without_approver(c, arena_strdup(ctx->arena, why.text), err);
	if (st)
		return denied(c, NULL, "approval-request-failed", arena_strdup(ctx->arena, why.text), err);
	tell(c, id, "pending");
	st = approval_wait(ctx->host->approvals, id, ctx->arena, &row, &why);
	if (st == CH_E_CANCELED)
		return give_up(c, id, err);
	tell(c, NULL, st ? "failed" : approval_status_name(row.status));
	if (st && approval_cancel(ctx->host->approvals, id, "run-aborted", &(struct ch_err){ 0 }))
		log_warn("exec", "session=%s: approval %s stays open; do not allow it", ctx->session_key, id);
	if (st)
		return denied(c, id, "approval-request-failed", arena_strdup(ctx->arena, why.text), err);
	return answer(c, &row, err);
}

ch_status exec_permit(struct exec_call *c, struct ch_err *err)
{
	const char *reason = NULL;
	struct ch_err why = { 0 };
	enum verdict verdict;
	ch_status st;

	if (!c->ctx->host->exec_allow)
		return denied(c, NULL, "policy-missing", "Commands on the host are not available here.", err);
	exec_host_env(c);
	st = cmd_parse(c->command, c->command_len, c->ctx->arena, &c->plan, err);
	if (st)
		return st;
	read_policy(c, c->config, &c->policy);
	reason = c->policy.reason;
	if (c->policy.security == EXEC_DENY)
		return denied(c, NULL, "security=deny", reason, err);
	if (is_free(c))
		return CH_OK;
	st = bind_call(c, &why);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "canceled");
	if (st)
		return denied(c, NULL, "cannot-bind", arena_strdup(c->ctx->arena, why.text), err);
	verdict = judge(c, &reason);
	if (verdict == DENY)
		return denied(c, NULL, "allowlist-miss", reason, err);
	return verdict == ASK ? ask(c, err) : check_bound(c, NULL, err);
}
