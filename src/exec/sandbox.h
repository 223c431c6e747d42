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
 * Inside  bubblewrap starts this program (shown at SANDBOX_HELPER), which sets the limits, checks that the workspace
 *         that was mounted is the one that was meant, closes what it does not hand on, and becomes the command.
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

struct http_client;
struct json;

#define SANDBOX_HELPER "/run/chela"      /* where this program stands inside */
#define SANDBOX_HOME "/tmp/home"
#define SANDBOX_FDS_MAX 8
#define SANDBOX_BINDS_MAX 32
#define SANDBOX_ENV_MAX (64u << 10)      /* bytes of the environment that a call names: an argument list has an end */

/* The built-in limits; see docs/sandbox.md on what each holds back. */
#define SANDBOX_MEMORY_BYTES (INT64_C(4) << 30)  /* private writable memory of one process */
#define SANDBOX_CPU_SECONDS 3600                 /* of one process */
#define SANDBOX_FILE_BYTES (INT64_C(2) << 30)    /* one file */
#define SANDBOX_PROCESSES 256                    /* with threads */
#define SANDBOX_TMP_BYTES (512 << 20)            /* /tmp */
#define SANDBOX_FILES 1024                       /* open, of one process */

enum sandbox_access { SANDBOX_NONE, SANDBOX_RO, SANDBOX_RW };
enum sandbox_scope { SANDBOX_SESSION, SANDBOX_AGENT, SANDBOX_SHARED };

/* A directory or file of the host that the configuration shows inside. */
struct sandbox_bind {
	const char *source, *target;     /* absolute; source canonical */
	bool is_writable;
};

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
	const char *own_dir;             /* of the workspace, read-only inside although the rest is not; made when missing. NULL: none */
	const char *scope_key;           /* whose scratch workspace it is with SANDBOX_NONE: a file name */
	const struct sandbox_bind *binds; size_t bind_count;
	const char *problem;             /* why these settings cannot be had (another backend, a bind that is refused); or NULL */
};
void sandbox_settings(const struct config *c, const char *agent_id, const char *session_key, struct arena *a,
		      struct sandbox_settings *ret);

/* Can commands be sandboxed here? Asked once, then remembered; *ret_why (static or kept) says why not and the way out. */
CH_FIBER bool sandbox_probe(struct loop *l, const char **ret_why);
/* Without asking: false when it is known that they cannot be; *ret_why as above. */
bool sandbox_seems_possible(const char **ret_why);
/* Forget the answer (tests; a changed PATH). */
void sandbox_probe_forget(void);

struct sandbox_cmd {
	const char *const *argv;         /* what runs inside; argv[0] absolute there */
	const char *const *env;          /* NAME=value, besides the fixed ones; checked: no LD_*, no loader or interpreter start-up names */
	const char *workspace;           /* absolute, outside */
	const char *cwd;                 /* relative to the workspace; NULL: its top */
	const char *const *read_only;    /* further absolute paths shown as they are, NULL-ended, or NULL */
	bool wants_tty;                  /* the caller gives it a terminal */
	const char *state_dir;           /* never shown; scratch workspaces are made below it. NULL: there is none */
	struct http_client *http;        /* resolves names for the proxy; NULL: no network whatever the settings say */
};
/*
 * The command outside: argv, env and the descriptors to hand over (core/child.h, with is_contained: all that runs inside
 * dies with bubblewrap). Lives on the arena; the fds are closed by sandbox_wrapped_done(). The proxy, when one is needed, belongs to the wrapped command and ends with it.
 */
struct sandbox_wrapped {
	const char *const *argv, *const *env;
	int fds[SANDBOX_FDS_MAX];        /* same numbers in the child; the first fd_count, the rest are -1 */
	size_t fd_count;
	struct sandbox_proxy *proxy;     /* or NULL */
};
CH_FIBER CH_MUST_USE ch_status sandbox_wrap(struct loop *l, const struct sandbox_settings *s, const struct sandbox_cmd *cmd,
					    struct arena *a, struct sandbox_wrapped *ret, struct ch_err *err);
void sandbox_wrapped_done(struct sandbox_wrapped *w);    /* for CH_AUTO_DONE */
/* NULL: fit for sandbox_cmd.env; else why not, on the arena. */
const char *sandbox_env_refusal(struct arena *a, const char *name_and_value);
/* What a command sees, as rows {path, source?, access} for people; on the arena. */
struct json *sandbox_mounts_json(const struct sandbox_settings *s, const char *workspace, struct arena *a);

/* Runs a wrapped command to its end; what it printed is cut at out_max_bytes each. */
struct proc_result;
struct sandbox_run_spec {
	const char *input; size_t input_len;     /* for stdin; NULL: none */
	size_t out_max_bytes;
	int64_t deadline_ms;
};
/* As proc_run() (core/proc.h): CH_E_TIMEOUT, CH_E_CANCELED after it was ended; ret is initialised here. */
CH_FIBER CH_MUST_USE ch_status sandbox_run(struct loop *l, const struct sandbox_settings *s, const struct sandbox_cmd *cmd,
					   const struct sandbox_run_spec *run, struct proc_result *ret, struct ch_err *err);

/* The part inside (exec/sandbox_inside.c): argv as main() got it; returns only on failure, the exit code. */
#define SANDBOX_INSIDE "__sandbox-run"
int sandbox_inside_main(int argc, char **argv);

/* Where the workspace stands inside: the same absolute path as outside, so that names in output are right. */

#endif
