/*
 * tools/exec_priv.h - one call of exec on its way (private to tools/exec*.c).
 *
 *	exec.c        arguments -> exec_place: sandbox or host?
 *	exec_host.c   host: policy, allowlist, approval, binding -> what to start
 *	exec_run.c    start it, tell of its output, wait, hand over to the background -> result
 */
#ifndef CH_TOOLS_EXEC_PRIV_H
#define CH_TOOLS_EXEC_PRIV_H

#include "approvals/approval.h"
#include "config/config.h"
#include "exec/allow.h"
#include "exec/bind.h"
#include "exec/process.h"
#include "tools/tool.h"

#define EXEC_YIELD_MIN_MS 10
#define EXEC_YIELD_MAX_MS 120000
#define EXEC_TEXT_MAX (48u << 10)        /* of a command's output in one answer */
#define EXEC_TAIL_MAX 4096               /* of one that runs on, and of what is told meanwhile */

/* tools.exec, with what agents.entries.<id>.tools.exec says instead. */
struct exec_settings {
	const char *host;                /* "auto", "sandbox", "gateway", "node" */
	int64_t yield_ms, timeout_ms, keep_ms;
	bool notifies, tells_empty_success;
	bool is_denied;                  /* everywhere, the sandbox too */
	const char *const *path_prepend; /* NULL-ended, absolute */
};
void exec_settings_read(const struct config *c, const char *agent_id, struct arena *a, struct exec_settings *ret);
/* tools.elevated: may this turn leave the sandbox? NULL: yes; else why not and the way out. */
const char *exec_elevated_refusal(const struct config *c, const char *agent_id, const struct tool_grant *g);
/* The owner has said so in the configuration. Otherwise each time is asked for, whatever tools.exec.mode is. */
bool exec_elevation_is_granted(const struct config *c);

struct exec_call {
	struct tool_ctx *ctx;
	struct tool_result *ret;
	struct json *details;
	struct config *config;           /* a reference */
	struct exec_settings set;
	/* the arguments */
	const char *command;
	size_t command_len;
	const char *workdir, *host;
	const char *const *env;          /* NAME=value, checked; NULL-ended */
	int64_t yield_ms, timeout_ms;
	bool is_background, has_tty, is_elevated;
	enum exec_ask ask;               /* what the call wants at least; EXEC_ASK_OFF: nothing */
	/* where */
	bool is_sandboxed;
	struct sandbox_settings sandbox;
	const char *no_sandbox;          /* one is configured and cannot be had: why; NULL else */
	const char *cwd;                 /* absolute */
	const char *cwd_in_workspace;    /* relative to it, "" for its top; NULL: outside of it */
	/* on the host */
	struct cmd_plan plan;
	struct exec_policy policy;
	struct exec_bound *bound;        /* a reference, or NULL: full mode, the shell runs it */
	const char *const *host_env;
	const char *path_env;
	const char *approval_id;         /* claimed; NULL: nobody was asked */
};
/* -- exec_env.c -- */
/* The call's env argument as NAME=value; CH_E_INVALID names what is refused. */
CH_MUST_USE ch_status exec_call_env(struct arena *a, const struct json *env, const char *const **ret, struct ch_err *err);
/* The whole environment of a command on the host, and its PATH: nothing of ours but names of the person and the language. */
void exec_host_env(struct exec_call *c);
const char *exec_shell(void);

/* -- exec_place.c -- */
/* Decides is_sandboxed and cwd. */
CH_FIBER CH_MUST_USE ch_status exec_place(struct exec_call *c, struct ch_err *err);

/* -- exec_host.c -- */
/*
 * Policy, allowlist, a person's yes. CH_OK: it may run as c->bound (or by the shell) says. CH_E_DENIED: the text is for the
 * model. CH_E_CANCELED.
 */
CH_FIBER CH_MUST_USE ch_status exec_permit(struct exec_call *c, struct ch_err *err);

/* -- exec_approval.c -- */
/* What people and clients are shown; c->plan and c->policy are set. */
struct json *exec_approval_request(const struct exec_call *c, unsigned decisions);
struct json *exec_approval_presentation(const struct exec_call *c, unsigned decisions);

/* -- exec_resume.c -- */
/* Puts a command in the background on record, or what has changed of it (tools/command_ops.h). */
CH_MUST_USE ch_status exec_keep_record(const struct tool_host *h, struct process *p, struct arena *a, struct ch_err *err);

/* -- exec_run.c -- */
/* Starts it and waits as long as the call does; fills the result. */
CH_FIBER CH_MUST_USE ch_status exec_run_call(struct exec_call *c, struct ch_err *err);

#endif
