/*
 * exec/allow.h - which commands run without asking: modes, the host's approvals document, the allowlist, safe bins.
 *
 * Two owners, the stricter wins: the configuration (tools.exec.mode, or security and ask) and the host's approvals
 * document (exec.approvals.get/set; stored with the grants, hash-guarded). An allowlist entry is a pattern of the resolved
 * absolute path (or a bare name that must resolve into a trusted directory) and may have a grammar of the arguments.
 * Interpreters, shells, inline code, redirections, expansions and substitutions are never matched; a wrapper matches only when
 * it and what it runs both do. Safe bins (cut, uniq, head, tail, tr, wc by default) match without an entry: standard input
 * only, literal options of a per-program list, resolved in /bin or /usr/bin.
 *
 * Entry   a path with * (within a folder) and ** (across), compared with the real path; a bare name fits only programs of
 *         the system's or a trusted folder. argPattern: a regular expression (JavaScript's) of the arguments joined by blanks.
 * Grant   what allow-always adds: exactly these words, programs and directory; a program that others than root could
 *         change also by its content.
 * Source  reference docs on exec approvals; facts in docs/allowlists.md.
 */
#ifndef CH_EXEC_ALLOW_H
#define CH_EXEC_ALLOW_H

#include "config/config.h"
#include "exec/bind.h"
#include "exec/command.h"
#include "store/db.h"

enum exec_security { EXEC_DENY, EXEC_ALLOWLIST, EXEC_FULL };     /* stricter first */
enum exec_ask { EXEC_ASK_ALWAYS, EXEC_ASK_ON_MISS, EXEC_ASK_OFF };      /* stricter first */

/* The effective policy of a command outside the sandbox. */
struct exec_policy {
	enum exec_security security;
	enum exec_ask ask;
	enum exec_security ask_fallback; /* no approver can be reached */
	bool strict_inline_eval;
	const char *mode;                /* "deny", "allowlist", "ask", "full" */
	const char *reason;              /* which keys made it so */
};
struct exec_allow;                       /* the document, the grants, cached */
CH_MUST_USE ch_status exec_allow_open(struct db *db, struct exec_allow **ret, struct ch_err *err);
void exec_allow_free(struct exec_allow *al);
CH_AUTO_DEFINE(exec_allow_free, struct exec_allow)
/* permission_mode: the session's, or NULL. What the sandbox would have held is for the caller to narrow. */
void exec_policy(struct exec_allow *al, const struct config *c, const char *agent_id, const char *permission_mode,
		 struct arena *a, struct exec_policy *ret);

/*
 * Does every segment match? Judged by what the command was bound to, so that what matched is what runs: bind it
 * before (exec_bind), check it afterwards (exec_bound_check). *ret_why: for people, which does not and why. Notes the use.
 */
bool exec_allow_covers(struct exec_allow *al, const struct config *c, const char *agent_id, const struct cmd_plan *plan,
		       const struct exec_bound *bound, struct arena *a, const char **ret_why);
/*
 * Variables that a call gives to its command change what a program does (RIPGREP_CONFIG_PATH, HOME, EDITOR, …), and no entry
 * speaks of them: with others than those of display and language nothing is covered or remembered.
 */
bool exec_env_is_harmless(const char *const *call_env);
/* allow-always: may this command be remembered? */
bool exec_allow_can_remember(const struct cmd_plan *plan);
/* And does so, as it was bound. CH_E_INVALID: it cannot (opaque, interpreter, …). expires_in_days 0: the configuration's. */
CH_MUST_USE ch_status exec_allow_grant(struct exec_allow *al, const struct config *c, const char *agent_id,
				       const struct cmd_plan *plan, const struct exec_bound *bound, const char *approval_id,
				       const char *resolver_json, int expires_in_days, struct ch_err *err);

/* -- the document and the grants, for exec.approvals.* and exec.approval.grants.* -- */
/* {version, defaults, agents} as the reference shows it, grants included; *ret_hash on the arena. NULL: it cannot be read. */
const struct json *exec_allow_document(struct exec_allow *al, struct arena *a, const char **ret_hash);
/* CH_E_CONFLICT when base_hash is not the current one; CH_E_INVALID names the path. */
CH_MUST_USE ch_status exec_allow_set_document(struct exec_allow *al, const struct json *file, const char *base_hash, struct ch_err *err);
/* Was one ever set? */
bool exec_allow_has_document(struct exec_allow *al);
struct exec_grant {
	const char *id, *agent_id, *pattern, *arg_pattern, *source, *command_text, *approval_id, *resolver;
	int64_t created_at, expires_at, last_used_at;
	const char *last_used_command, *last_resolved_path;
};
/* Those of allow-always that have not run out; entries written by hand are in the document only. */
CH_MUST_USE ch_status exec_grants_list(struct exec_allow *al, size_t limit, bool (*each)(void *arg, const struct exec_grant *g),
				       void *arg, struct ch_err *err);
CH_MUST_USE ch_status exec_grant_revoke(struct exec_allow *al, const char *id, struct ch_err *err);
/* All that stands for this agent alone: one of the same name that comes later must not find it. */
CH_MUST_USE ch_status exec_allow_forget_agent(struct exec_allow *al, const char *agent_id, struct ch_err *err);

#endif
