/*
 * exec/sandbox_priv.h - what the sandbox*.c share; nobody else includes it.
 */
#ifndef CH_EXEC_SANDBOX_PRIV_H
#define CH_EXEC_SANDBOX_PRIV_H

#include "core/buf.h"
#include "exec/sandbox.h"

/* -- places (sandbox_places.c): which of the host's may be shown, as canonical absolute paths -- */

/* Is path dir itself or below it? Both canonical. */
bool sandbox_is_below(const char *path, const char *dir);
/* The canonical path, on the arena; CH_E_NOT_FOUND. */
CH_MUST_USE ch_status sandbox_canonical(struct arena *a, const char *path, const char **ret, struct ch_err *err);
/* NULL: the directory may be a workspace; else why not. */
const char *sandbox_workspace_refusal(struct arena *a, const char *path, const char *state_dir);
/* NULL: it may be shown where the bind says; else why not. state_dir may be NULL. */
const char *sandbox_bind_refusal(struct arena *a, const struct sandbox_bind *b, const char *state_dir);
/* "source:target[:ro|rw]" as in docker.binds; CH_E_INVALID. */
CH_MUST_USE ch_status sandbox_bind_parse(struct arena *a, const char *text, struct sandbox_bind *ret, struct ch_err *err);

/* -- bubblewrap's arguments, NUL-separated (sandbox_mounts.c) -- */

struct sandbox_plan {
	const struct sandbox_settings *settings;
	const struct sandbox_cmd *cmd;
	const char *workspace;           /* canonical */
	const char *shown;               /* the host's directory that stands there: the workspace, the scratch one; NULL: none */
	bool is_shown_writable;
	const char *own_dir;             /* settings->own_dir, canonical; NULL: none */
	const char *program;             /* this program, canonical */
	const char *const *read_only;    /* canonical */
	int seccomp_fd;
	int etc_fds[4];                  /* by sandbox_etc_files() */
	bool has_network;
};
/* The small files of /etc that are made for the sandbox. */
struct sandbox_etc { const char *path, *text; };
const struct sandbox_etc *sandbox_etc_files(void);       /* four */
void sandbox_mounts_args(const struct sandbox_plan *p, struct buf *out);

/* The program, absolute; NULL: it is not installed. */
const char *sandbox_bwrap(void);
/* As sandbox_wrap(), without asking first whether it can work. */
CH_MUST_USE ch_status sandbox_wrap_unprobed(struct loop *l, const struct sandbox_settings *s, const struct sandbox_cmd *cmd,
					    struct arena *a, struct sandbox_wrapped *ret, struct ch_err *err);
/* Runs it to its end (sandbox_run.c); the wrapped command stays the caller's. */
struct proc_result;
CH_FIBER CH_MUST_USE ch_status sandbox_run_wrapped(struct loop *l, const struct sandbox_wrapped *w, const struct sandbox_run_spec *run,
						   struct proc_result *ret, struct ch_err *err);

/* -- inside -- */

/* become(arg) in a child, with at most about max tasks; the exit code (sandbox_count.c). */
int sandbox_run_counted(int64_t max, int (*become)(void *arg), void *arg);
/* One descriptor over a socket pair (fd_pass.c); receiving waits, -1 when none came. */
bool fd_send(int sock, int fd);
int fd_receive(int sock);

/* -- the proxy's way out (sandbox_inside.c sends it, proxy.c takes it) -- */
#define SANDBOX_PROXY_PORT 3128

#endif
