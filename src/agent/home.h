/*
 * agent/home.h - an agent's workspace: its directory, its files for the prompt (private).
 *
 * Owns    the directory's descriptor (what tools resolve names under) and the prompt built from it.
 * Lives   counted; one per agent and path, made at the first turn. A changed path makes a new one.
 */
#ifndef CH_AGENT_HOME_H
#define CH_AGENT_HOME_H

#include "agent/host.h"

/* The stable front of the system prompt: byte-identical until a file or the configuration changes. */
struct prompt {
	int refs;
	char *text;
	int64_t tokens;
};
void prompt_unref(struct prompt *p);
CH_AUTO_DEFINE(prompt_unref, struct prompt)

struct home {
	int refs;
	char *agent_id, *workspace;
	int fd;                          /* O_PATH directory */
	struct prompt *prompt;
	struct config *config;           /* what the prompt was built with */
	struct home_files *files;        /* home_files.c */
};
/* Makes and seeds the directory when it is missing. The caller gets a reference. */
CH_MUST_USE ch_status home_open(struct agent_host *h, const char *agent_id, struct home **ret, struct ch_err *err);
void home_unref(struct home *home);
CH_AUTO_DEFINE(home_unref, struct home)
/* The prompt as of now; looks at the files' times, reads what changed. A reference. */
CH_MUST_USE ch_status home_prompt(struct agent_host *h, struct home *home, struct prompt **ret, struct ch_err *err);

/* -- home_files.c: what the workspace puts into the prompt -- */
struct home_files *home_files_new(void);
void home_files_free(struct home_files *f);
/* True when some file is not what it was at the last call. */
CH_MUST_USE bool home_files_refresh(struct home_files *f, int workspace_fd);
/* Appends the section, within the limits. */
void home_files_render(const struct home_files *f, const struct config *c, struct buf *out);

/* -- home_seed.c -- */
CH_MUST_USE ch_status home_seed(const char *workspace, int fd, struct ch_err *err);

/* -- prompt.c -- */
void prompt_stable(struct buf *out, const struct agent_host *h, const struct home *home, const struct config *c);
/* After the cache boundary: date, channel, model, what the caller added. */
void prompt_volatile(struct buf *out, const struct run *r);

#endif
