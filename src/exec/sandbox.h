/*
 * exec/sandbox.h - the sandbox that commands run in: bubblewrap, a seccomp filter, limits.
 *
 * What a command sees: the workspace (read-write, read-only or not at all), the system's /usr, /bin, /lib*, a few
 * files of /etc read-only, its own /tmp, /proc, /dev, HOME=/tmp-like scratch; an empty environment but for a fixed
 * list and what the call names; no network, or one way out: the filtering proxy with the hosts that the
 * configuration names. No new privileges, no capabilities, its own user, pid, ipc, uts, net and cgroup namespaces; the
 * filter refuses what a command has no use for (namespaces, mount, ptrace of others, keyring, bpf, perf, io_uring, …).
 * Never: the state directory, other agents' workspaces, sockets of the host, the home directory.
 *
 * Probe   sandbox_probe() runs bubblewrap once and remembers the answer and the reason; it never guesses.
 * Fails   a command is never run unsandboxed by this file: without bubblewrap sandbox_wrap() is CH_E_ABSENT.
 * Source  bubblewrap(1) 0.8, seccomp(2), reference configuration `agents.defaults.sandbox`.
 */
#ifndef CH_EXEC_SANDBOX_H
#define CH_EXEC_SANDBOX_H

#include "config/config.h"
#include "core/arena.h"
#include "core/err.h"
#include "core/loop.h"

enum sandbox_access { SANDBOX_NONE, SANDBOX_RO, SANDBOX_RW };
enum sandbox_scope { SANDBOX_SESSION, SANDBOX_AGENT, SANDBOX_SHARED };

/* What the configuration asks for; on the arena given. */
struct sandbox_settings {
	bool is_on;                      /* mode "all", or "non-main" and this is not the main session */
	const char *mode;                /* "off", "non-main", "all" */
	const char *backend;             /* "bubblewrap" */
	enum sandbox_scope scope;
	enum sandbox_access access;      /* to the workspace */
	const char *const *hosts;        /* reachable through the proxy; empty: no network. "*": any public host */
	int64_t memory_max, cpu_seconds_max, file_max, processes_max;    /* 0: the built-in limit */
	const char *reason;              /* one line: which keys made it so, for `chela sandbox explain` */
};
void sandbox_settings(const struct config *c, const char *agent_id, const char *session_key, struct arena *a,
		      struct sandbox_settings *ret);

/* Can commands be sandboxed here? Asked once, then remembered; *ret_why (static or kept) says why not and the way out. */
CH_FIBER bool sandbox_probe(struct loop *l, const char **ret_why);
/* Forget the answer (tests; a changed PATH). */
void sandbox_probe_forget(void);

struct sandbox_cmd {
	const char *const *argv;         /* what runs inside; argv[0] absolute there */
	const char *const *env;          /* NAME=value, besides the fixed ones; checked: no LD_*, no loader or interpreter start-up names */
	const char *workspace;           /* absolute, outside */
	const char *cwd;                 /* relative to the workspace; NULL: its top */
	const char *const *read_only;    /* further absolute paths shown as they are, NULL-ended, or NULL */
	bool wants_tty;                  /* the caller gives it a terminal */
};
/*
 * The command outside: argv, env and the descriptors to hand over (core/child.h). Lives on the arena; the fds are closed
 * by sandbox_wrapped_done(). The proxy, when one is needed, belongs to the wrapped command and ends with it.
 */
struct sandbox_wrapped {
	const char *const *argv, *const *env;
	int fds[4];                      /* same numbers in the child; -1: unused */
	struct sandbox_proxy *proxy;     /* or NULL */
};
CH_FIBER CH_MUST_USE ch_status sandbox_wrap(struct loop *l, const struct sandbox_settings *s, const struct sandbox_cmd *cmd,
					    struct arena *a, struct sandbox_wrapped *ret, struct ch_err *err);
void sandbox_wrapped_done(struct sandbox_wrapped *w);    /* for CH_AUTO_DONE */
/* Where the workspace stands inside: the same absolute path as outside, so that names in output are right. */

#endif
