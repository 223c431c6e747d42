/*
 * tools/exec_resume.c - commands whose call is over: ends in the background, and a yes that came after a restart.
 */
#include <string.h>

#include "core/fiber.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/bind_work.h"
#include "tools/exec.h"
#include "tools/exec_priv.h"
#include "tools/exec_text.h"

#define COMPLETION "[OpenClaw exec completion]"

/* -- ends in the background -- */

static const char *completion(struct arena *a, const struct process_info *p, const char *tail, size_t len)
{
	return arena_printf(a, COMPLETION "\nThe background command %s has ended: %s\nCommand: %s\n%s%.*s", p->id,
			    exec_state_text(a, p), exec_shorten(a, p->command, 500), len ? "The end of its output:\n" : "No output.",
			    (int)len, tail);
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
void exec_on_done(const struct tool_host *host, const struct process_info *p, const char *tail, size_t len)
{
	CH_AUTO_STR char *id = ch_asprintf("%s@%lld", p->id, (long long)p->started_at);

	wake(host, "exec", id, p, tail, len);
}

/* -- after a restart -- */

struct late {
	const struct tool_host *host;
	char *id, *agent_id, *session_key, *run_id, *tool_call_id, *command;
	struct arena *arena;
	struct json *binding, *resolver; /* resolver: or NULL */
	const char *binding_hash;
	bool is_always;                  /* allow-always */
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

static void tell_failure(const struct late *l, const char *why)
{
	struct ch_err err = { 0 };
	struct tool_wake w = { .session_key = l->session_key, .kind = "approval", .id = l->id };

	w.text = arena_printf(l->arena, COMPLETION "\nThe command that was allowed after a restart did not run. Exec denied (gateway "
			      "id=%s, %s): %s", l->id, why, l->command);
	if (l->host->wake && l->host->wake(l->host->arg, &w, &err))
		log_warn("exec", "session=%s: approval %s did not run (%s) and its session is not told: %s", l->session_key, l->id,
			 why, err.text);
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

static CH_FIBER ch_status run_late(struct late *l, struct ch_err *err)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *bound = NULL;
	CH_AUTO(config_unref) struct config *config = config_ref(l->host->config(l->host->arg));
	CH_AUTO(process_unref) struct process *p = NULL;
	struct exec_settings set;
	struct exec_policy policy;
	struct process_start s = { .agent_id = l->agent_id, .session_key = l->session_key, .run_id = l->run_id,
				   .tool_call_id = l->tool_call_id, .command = l->command, .host = "gateway" };
	struct process *started;
	struct process_info i;
	struct process_text tail;
	ch_status st;

	exec_settings_read(config, l->agent_id, l->arena, &set);
	if (set.is_denied)
		return ch_fail(err, CH_E_DENIED, "commands are switched off now");
	exec_policy(l->host->exec_allow, config, l->agent_id, NULL, l->arena, &policy);
	if (policy.security == EXEC_DENY)
		return ch_fail(err, CH_E_DENIED, "commands on the host are denied now: %s", policy.reason);
	st = exec_bind_reopen_wait(l->binding, &bound, err);
	if (!st && !str_eq(exec_bound_hash(bound), l->binding_hash))
		st = ch_fail(err, CH_E_DENIED, "the stored command is not the one that was allowed");
	if (!st)
		st = exec_bound_check_wait(bound, err);
	if (st)
		return st;
	if (l->is_always)
		remember(l, config, bound);
	exec_bound_spec(bound, l->arena, &s.child);
	s.timeout_ms = set.timeout_ms;
	s.keep_ms = set.keep_ms;
	/* What the run that asked had read is not known any more. */
	s.is_tainted = true;
	st = process_start(l->host->processes, &s, &started, err);
	if (st)
		return st;
	p = process_ref(started);
	process_background(p);
	/* For ever: its own time limit ends it, or the gateway's end does. */
	st = process_wait(p, UINT64_MAX, FIBER_FOREVER);
	if (st)
		return ch_fail(err, st, "canceled");
	process_info(p, &i);
	process_text(p, i.output_end > EXEC_TAIL_MAX ? i.output_end - EXEC_TAIL_MAX : 0, EXEC_TAIL_MAX, l->arena, &tail);
	wake(l->host, "approval", l->id, &i, tail.text, tail.len);
	return CH_OK;
}

static void late_fiber(void *arg)
{
	struct late *l = arg;
	struct ch_err err = { 0 };
	ch_status st;

	/* First, and committed: whatever happens now, it is not run a second time. */
	st = approval_claim(l->host->approvals, l->id, &err);
	if (st) {
		log_warn("exec", "approval %s: not run: %s", l->id, err.text);
		late_free(l);
		return;
	}
	st = run_late(l, &err);
	if (st && st != CH_E_CANCELED)
		tell_failure(l, err.text);
	if (approval_done(l->host->approvals, l->id, &err))
		log_warn("exec", "the end of approval %s is not on record: %s", l->id, err.text);
	late_free(l);
}

void exec_resume(const struct tool_host *host, const struct approval *row)
{
	struct late *l;

	/* Stays allowed and not claimed: the next start carries it out. */
	if (host->is_closing && host->is_closing(host->arg))
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
	fiber_spawn(host->loop, "exec-late", FIBER_DETACHED, late_fiber, l);
}
