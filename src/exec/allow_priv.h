/*
 * exec/allow_priv.h - what the files of the allowlist share; nobody else includes it.
 */
#ifndef CH_EXEC_ALLOW_PRIV_H
#define CH_EXEC_ALLOW_PRIV_H

#include "exec/allow.h"

#define EXEC_ARGV_PREFIX "sha256:argv:"  /* an arg_pattern that was made by allow-always */
#define EXEC_PATTERN_MAX 4096
#define EXEC_KV "exec.approvals"         /* the document without its allowlists */

struct exec_allow {
	struct db *db;
};

/* A command that is looked at, with what does not change between its segments. */
struct exec_scene {
	struct exec_allow *al;
	const struct config *config;
	const char *agent_id, *home;
	const struct exec_bound *bound;
	struct arena *arena;
};

/* -- allow_pattern.c -- */

/* Is it a pattern: a name, or an absolute path or one under ~/, without ".."? */
bool exec_pattern_is_valid(const char *pattern);
/* * and ? within a folder's name, ** across, ~/ at the start is home (NULL: never matches then). */
bool exec_pattern_matches(const char *pattern, const char *path, const char *home);
/* A hand-written arg_pattern: a regular expression of the arguments joined by blanks. */
CH_MUST_USE ch_status exec_args_check(const char *arg_pattern, struct ch_err *err);
bool exec_args_match(const char *arg_pattern, const struct cmd_exec *e);
/* The generated one of a segment: its programs, words and directory. False: something in it was not found. */
bool exec_args_exact(const struct exec_scene *s, const struct cmd_segment *seg, char ret_text[96], const char **ret_path);

/* -- safe_bins.c -- */

/* Does it only filter its standard input? `file` is what its name means. */
bool exec_is_safe_bin(const struct exec_scene *s, const struct cmd_exec *e, const struct exec_file *file);
/* In a folder that tools.exec.safeBinTrustedDirs or the built-in list names. */
bool exec_is_trusted_dir(const struct exec_scene *s, const char *path);

/* -- allow_policy.c -- */

/* tools.exec.<key> of the agent, else the global one; NULL: not set. */
const struct json *exec_setting(const struct config *c, const char *agent_id, const char *key, struct arena *a);

/* -- allow_store.c -- */

CH_MUST_USE ch_status exec_grants_load(struct exec_allow *al, const char *agent_id, int64_t now_ms, struct arena *a,
				       struct exec_grant **ret, size_t *ret_count, struct ch_err *err);
CH_MUST_USE ch_status exec_grant_insert(struct exec_allow *al, const struct exec_grant *g, struct ch_err *err);
CH_MUST_USE ch_status exec_grant_used(struct exec_allow *al, const char *id, int64_t now_ms, const char *command, const char *path,
				      struct ch_err *err);

#endif
