/*
 * tools/exec_resume.c - commands whose call is over: ends in the background, and a yes that came after a restart.
 */
#include <string.h>

#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/bind_work.h"
#include "tools/changed.h"
#include "tools/command_ops.h"
#include "tools/exec.h"
#include "tools/exec_priv.h"
#include "tools/exec_text.h"

#define COMPLETION "[OpenClaw exec completion]"
#define TICK_MS 10                       /* files' times may be so much behind the clock */

/* -- ends in the background -- */

static const char *completion(struct arena *a, const struct process_info *p, const char *tail, size_t len)
{
	return arena_printf(a, COMPLETION "\nThe background command %s has ended: %s\nCommand: %s\n%s%.*s", p->id,
			    exec_state_text(a, p), exec_shorten(a, p->command, 500), len ? "The end of its output:\n" : "No output.",
			    (int)len, tail);
}

const char *exec_lost_text(struct arena *a, const char *process, const char *command)
{
	if (!*process)
		return arena_printf(a, COMPLETION "\nThe command that was allowed after a restart was about to run when the gateway stopped "
				    "again. It is not known whether it ran; look before you start it again.\nCommand: %s",
				    exec_shorten(a, command ? command : "", 500));
	return arena_printf(a, COMPLETION "\nThe background command %s has ended: the gateway stopped, and the command with it. What it "
			    "wrote is lost, and how far it came is not known; look before you start it again.\nCommand: %s", process,
			    exec_shorten(a, command ? command : "", 500));
}

static void wake(const struct tool_host *h, const char *kind, const char *id, const struct process_info *p, const char *tail,
		 size_t len)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct ch_err err = { 0 };
	struct tool_wake w = { .session_key = p->session_key, .kind = kind, .id = id, .text = completion(a, p, tail, len),
			       .is_tainted = p->is_tainted,
			       .source = p->is_tainted ? arena_printf(a, "command %s", p->id) : NULL };

	if (h->wake && h->wake(h->arg, &w, &err))
		log_warn("exec", "session=%s: the end of %s is not told: %s; process poll shows it", p->session_key, p->id, err.text);
}

/* Names of processes come again; with the time they do not. */
static const char *wake_id(struct arena *a, const struct process_info *p)
{
	return arena_printf(a, "%s@%lld", p->id, (long long)p->started_at);
}

void exec_on_done(const struct tool_host *host, const struct process_info *p, const char *tail, size_t len)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct process_info told = *p;
	const char *source;

	told.is_tainted = p->is_tainted || exec_may_have_read(host, p, a, &source);
	wake(host, "exec", wake_id(a, p), &told, tail, len);
}

/* -- on record -- */

bool exec_may_have_read(const struct tool_host *host, const struct process_info *p, struct arena *a, const char **ret_source)
{
	const struct tool_command_ops *ops = host->command_ops;
	struct command_reach reach = { .root = p->root, .cwd = p->root, .sees_all = !str_eq(p->host, "sandbox") };

	return ops && p->root && ops->may_read(ops->arg, &reach, a, ret_source);
}

static ch_status keep(const struct tool_host *h, struct process *p, const char *kind, const char *kind_id, struct arena *a,
		      struct ch_err *err)
{
	char id[COMMAND_ID_MAX];
	struct command_record record;
	struct process_info i;
	ch_status st;

	process_info(p, &i);
	command_id(id);
	record = (struct command_record){
		.id = i.record ? i.record : id, .session_key = i.session_key, .command = i.command, .root = i.root,
		.source = i.is_tainted ? arena_printf(a, "command %s", i.id) : NULL, .process = i.is_quiet ? NULL : i.id,
		.since_ms = i.started_at - TICK_MS,
		.wake_kind = kind, .wake_id = kind_id,
	};
	st = h->command_ops->keep(h->command_ops->arg, &record, err);
	if (!st && !i.record)
		process_set_record(p, id);
	return st;
}

ch_status exec_keep_record(const struct tool_host *h, struct process *p, struct arena *a, struct ch_err *err)
{
	struct process_info i;

	process_info(p, &i);
	return keep(h, p, "exec", wake_id(a, &i), a, err);
}

ch_status exec_taint(const struct tool_host *host, struct process *p, struct arena *a, struct ch_err *err)
{
	struct process_info i;

	process_info(p, &i);
	if (i.is_tainted)
		return CH_OK;
	process_taint(p);
	return host->command_ops && i.state == PROCESS_RUNNING ? exec_keep_record(host, p, a, err) : CH_OK;
}

/* -- after a restart -- */

struct late {
	const struct tool_host *host;
	char *id, *agent_id, *session_key, *run_id, *tool_call_id, *command;
	struct arena *arena;
	struct json *binding, *resolver; /* resolver: or NULL */
	const char *binding_hash;
	bool is_always;                  /* allow-always */
	char record[COMMAND_ID_MAX];     /* "": not on record */
	const char *root;                /* where it writes; or NULL */
};

static void late_free(struct late *l)
{
	ch_free(l->id);
	ch_free(l->agent_id);
	ch_free(l->session_key);
	ch_free(l->run_id);
	ch_free(l->tool_call_id);
	ch_free(l->command);
	arena_unref(l->arena);
	ch_free(l);
}

/* Told, or there is nobody to tell. */
static bool tell_failure(const struct late *l, const char *why)
{
	struct ch_err err = { 0 };
	struct tool_wake w = { .session_key = l->session_key, .kind = "approval", .id = l->id };
	ch_status st;

	w.text = arena_printf(l->arena, COMPLETION "\nThe command that was allowed after a restart did not run. Exec denied (gateway "
			      "id=%s, %s): %s", l->id, why, l->command);
	st = l->host->wake ? l->host->wake(l->host->arg, &w, &err) : CH_OK;

	if (st)
		log_warn("exec", "session=%s: approval %s did not run (%s) and its session is not told: %s", l->session_key, l->id,
			 why, err.text);
	return !st || st == CH_E_NOT_FOUND;
}

static void remember(const struct late *l, const struct config *config, const struct exec_bound *bound)
{
	const char *command = json_str_or(json_get(l->binding, "command"), "");
	struct cmd_plan plan;
	struct ch_err err = { 0 };
	ch_status st = cmd_parse(command, strlen(command), l->arena, &plan, &err);

	if (!st)
		st = exec_allow_grant(l->host->exec_allow, config, l->agent_id, &plan, bound, l->id,
				      l->resolver ? json_to_str(l->arena, l->resolver) : NULL,
				      (int)json_get_int(l->resolver, "grantExpiresInDays", 0), &err);
	if (st)
		log_warn("exec", "approval %s: it runs, but the next one is asked for again: %s", l->id, err.text);
}

/*
 * With the claim, before it starts: when the gateway is killed from here on the session hears that it may have run, and what it
 * writes in its agent's workspace is known after it.
 */
static ch_status record_late(void *arg, struct ch_err *err)
{
	struct late *l = arg;
	const struct tool_command_ops *ops = l->host->command_ops;
	struct command_record record = { .id = l->record, .session_key = l->session_key, .command = l->command, .source = "a command",
					 .since_ms = changed_now_ms(), .process = "", .wake_kind = "approval", .wake_id = l->id };

	if (!ops)
		return CH_OK;
	command_id(l->record);
	record.root = l->root = ops->workspace(ops->arg, l->agent_id, l->arena);
	return ops->keep(ops->arg, &record, err);
}

/* May it still run, and is it what was allowed? Nothing has happened yet when this fails. */
static CH_FIBER ch_status check_late(const struct late *l, struct config *config, const struct exec_settings *set,
				     struct exec_bound **ret, struct ch_err *err)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *bound = NULL;
	struct exec_policy policy;
	ch_status st;

	if (set->is_denied)
		return ch_fail(err, CH_E_DENIED, "commands are switched off now");
	exec_policy(l->host->exec_allow, config, l->agent_id, NULL, l->arena, &policy);
	if (policy.security == EXEC_DENY)
		return ch_fail(err, CH_E_DENIED, "commands on the host are denied now: %s", policy.reason);
	st = exec_bind_reopen_wait(l->binding, &bound, err);
	if (!st && !str_eq(exec_bound_hash(bound), l->binding_hash))
		st = ch_fail(err, CH_E_DENIED, "the stored command is not the one that was allowed");
	if (!st)
		st = exec_bound_check_wait(bound, err);
	if (!st)
		*ret = CH_TAKE(bound);
	return st;
}

static CH_FIBER ch_status start_late(struct late *l, const struct exec_settings *set, struct exec_bound *bound, struct process **ret,
				     struct ch_err *err)
{
	struct process_start s = { .agent_id = l->agent_id, .session_key = l->session_key, .run_id = l->run_id,
				   .tool_call_id = l->tool_call_id, .command = l->command, .host = "gateway",
				   .root = l->root, .record = l->record[0] ? l->record : NULL };
	struct ch_err why = { 0 };
	struct process *started;
	ch_status st;

	exec_bound_spec(bound, l->arena, &s.child);
	s.timeout_ms = set->timeout_ms;
	s.keep_ms = set->keep_ms;
	/* What the run that asked had read is not known any more. */
	s.is_tainted = true;
	st = process_start(l->host->processes, &s, &started, err);
	if (st)
		return st;
	*ret = process_ref(started);
	process_background(*ret);
	if (s.record && keep(l->host, *ret, "approval", l->id, l->arena, &why))
		log_warn("exec", "approval %s: the name of its command is not on record: %s; when the gateway is killed it is told without",
			 l->id, why.text);
	return CH_OK;
}

static CH_FIBER void tell_late(const struct late *l, struct process *p)
{
	struct process_info i;
	struct process_text tail;

	/* For ever: its own time limit ends it, or the gateway's end does, of which the next start tells. */
	if (process_wait(p, UINT64_MAX, FIBER_FOREVER))
		return;
	process_info(p, &i);
	process_text(p, i.output_end > EXEC_TAIL_MAX ? i.output_end - EXEC_TAIL_MAX : 0, EXEC_TAIL_MAX, l->arena, &tail);
	wake(l->host, "approval", l->id, &i, tail.text, tail.len);
}

/* It does not run: the record goes once that was told. What could not be told now is by the next start. */
static CH_FIBER void end_unrun(const struct late *l, const char *why_not)
{
	if (tell_failure(l, why_not) && l->record[0])
		l->host->command_ops->settle(l->host->command_ops->arg, l->record);
}

/* From the claim, which is committed first, nothing cancels it until it runs: it is not run a second time, and not forgotten. */
static CH_FIBER void claim_late(struct late *l, struct config *config, const struct exec_settings *set, struct exec_bound *bound,
				const char *why_not, struct process **ret)
{
	struct ch_err err = { 0 };
	ch_status st;

	if (approval_claim_with(l->host->approvals, l->id, record_late, l, &err)) {
		log_warn("exec", "approval %s: not run: %s", l->id, err.text);
		return;
	}
	if (!why_not) {
		if (l->is_always)
			remember(l, config, bound);
		st = start_late(l, set, bound, ret, &err);
		why_not = !st ? NULL : st == CH_E_CANCELED ? "the gateway was stopped" : err.text;
	}
	if (why_not)
		end_unrun(l, why_not);
	if (approval_done(l->host->approvals, l->id, &err))
		log_warn("exec", "the end of approval %s is not on record: %s", l->id, err.text);
}

static void late_fiber(void *arg)
{
	struct late *l = arg;
	CH_AUTO(config_unref) struct config *config = config_ref(l->host->config(l->host->arg));
	CH_AUTO(exec_bound_unref) struct exec_bound *bound = NULL;
	CH_AUTO(process_unref) struct process *p = NULL;
	struct exec_settings set;
	struct ch_err err = { 0 };
	ch_status st;

	exec_settings_read(config, l->agent_id, l->arena, &set);
	st = check_late(l, config, &set, &bound, &err);
	/* When the gateway ends it stays allowed and not claimed: the next start carries it out. */
	if (!tool_host_is_closing(l->host)) {
		fiber_mask(+1);
		claim_late(l, config, &set, bound, st ? err.text : NULL, &p);
		fiber_mask(-1);
	}
	if (p)
		tell_late(l, p);
	late_free(l);
}

void exec_resume(const struct tool_host *host, const struct approval *row)
{
	struct late *l;

	if (tool_host_is_closing(host))
		return;
	l = ch_alloc(sizeof(*l));
	l->host = host;
	l->arena = arena_new(0);
	l->id = ch_strdup(row->id);
	l->agent_id = ch_strdup(row->agent_id);
	l->session_key = ch_strdup(row->session_key);
	l->run_id = ch_strdup(row->run_id);
	l->tool_call_id = ch_strdup(row->tool_call_id);
	l->command = ch_strdup(json_str_or(json_get(row->request, "command"), ""));
	l->binding = json_clone(l->arena, row->binding);
	l->resolver = row->resolver ? json_clone(l->arena, row->resolver) : NULL;
	l->binding_hash = arena_strdup(l->arena, row->binding_hash);
	l->is_always = row->decision == APPROVAL_ALLOW_ALWAYS;
	host->spawn(host->arg, "exec-late", late_fiber, l);
}
