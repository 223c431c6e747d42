/*
 * agent/home.h - an agent's workspace: its directory, its files for the prompt (private).
 *
 * Owns    the directory's descriptor (what tools resolve names under) and the prompt built from it.
 * Lives   counted; one per agent and path, made at the first turn. A changed path makes a new one.
 */
#ifndef CH_AGENT_HOME_H
#define CH_AGENT_HOME_H

#include "agent/host.h"
#include "agent/policy.h"

/*
 * The stable front of a request: byte-identical until a file or the configuration changes. A turn
 * keeps the one it began with, so its tools do not change under it.
 */
enum prompt_mode {
	PROMPT_FULL,
	PROMPT_LEAN,                     /* for small models on this machine: PROMPT_LEAN_TOKENS at most, tools and files included */
};
#define PROMPT_LEAN_TOKENS 1500
#define HOME_PROMPTS_MAX 8               /* kept of an agent: its sessions may have different tools */

struct prompt {
	int refs;
	enum prompt_mode mode;
	bool with_files;
	uint64_t policy_hash;            /* which tools the policy gives */
	struct tool_set *tool_set;       /* what `tools` point into */
	char *text;
	size_t files_at;                 /* where the workspace's files begin in text; its length: there are none */
	struct model_tool *tools;        /* those that the policy gives and the mode has room for */
	size_t tool_count;
	int64_t tokens;                  /* of text and tools, estimated */
	int64_t tool_tokens;             /* of the tools alone */
	const char *outside;             /* a file in it that holds text from outside, or NULL */
	struct arena *arena;             /* shortened tools; NULL: they are the table's own */
};
bool prompt_has_tool(const struct prompt *p, const char *name);
void prompt_unref(struct prompt *p);
CH_AUTO_DEFINE(prompt_unref, struct prompt)

struct home {
	int refs;
	char *agent_id, *workspace;
	int fd;                          /* O_PATH directory */
	struct prompt *prompts[HOME_PROMPTS_MAX];        /* used last first; NULL behind them */
	struct config *config;           /* what they were built with */
	struct tool_set *tools;          /* the newest; NULL: not asked for yet */
	struct home_files *files;        /* home_files.c */
};
/*
 * Makes and seeds the directory when it is missing. One that was there before and is gone is CH_E_NOT_FOUND: what
 * was in it is not silently made anew. The caller gets a reference.
 */
CH_MUST_USE ch_status home_open(struct agent_host *h, const char *agent_id, struct home **ret, struct ch_err *err);
void home_unref(struct home *home);
CH_AUTO_DEFINE(home_unref, struct home)
/* The prompt as of now; looks at the files' times, reads what changed. A reference. */
CH_MUST_USE ch_status home_prompt(struct agent_host *h, struct home *home, const struct policy *policy, enum prompt_mode mode,
				  bool with_files, struct prompt **ret, struct ch_err *err);
/* All tools that the agent could have, as of now. A reference. */
struct tool_set *home_tools(struct agent_host *h, struct home *home);
/* agents.entries.<id>.<key>, else agents.defaults.<key>. */
int64_t home_setting(const struct config *c, const char *agent_id, const char *key, int64_t def);
bool home_setting_bool(const struct config *c, const char *agent_id, const char *key, bool def);
const char *home_setting_str(const struct config *c, const char *agent_id, const char *key);

/* -- home_files.c: what the workspace puts into the prompt -- */
struct home_files *home_files_new(void);
void home_files_free(struct home_files *f);
/* True when some file is not what it was at the last call. */
CH_MUST_USE bool home_files_refresh(struct home_files *f, int workspace_fd);
struct home_limits {
	int64_t file_chars, total_chars; /* of one file, of all */
	bool names_missing;              /* says which of the usual ones are not there */
};
struct home_limits home_limits(const struct config *c, const char *agent_id, enum prompt_mode mode);
/* Looks up which of them hold text from outside (agent/taint.h). */
void home_files_mark(struct home_files *f, struct db *db, const char *workspace);
/* The name of one that does and is shown, or NULL. */
const char *home_files_outside(const struct home_files *f);
/* Appends the section, within the limits. Text from outside is fenced. */
void home_files_render(const struct home_files *f, const struct home_limits *l, struct buf *out);
#define HOME_FILES_MAX 8
struct home_file_size {
	const char *name;
	bool is_missing, is_unreadable, is_cut;
	int64_t raw_chars, raw_tokens, shown_chars, shown_tokens;
};
/* ret: HOME_FILES_MAX of them; how many there are. */
size_t home_files_sizes(const struct home_files *f, const struct home_limits *l, struct home_file_size *ret);

/* -- home_seed.c -- */
/* None of the first files is there. */
bool home_seed_is_due(int fd);
/* with_ritual: the agent and its person have not met, BOOTSTRAP.md is among them. */
CH_MUST_USE ch_status home_seed(const char *workspace, int fd, bool with_ritual, struct ch_err *err);
/* What that file begins as, or NULL. */
const char *home_seed_text(const char *name);
/* Who the agent is and for whom has been written down: SOUL.md, IDENTITY.md or USER.md changed, or there is memory/. */
bool home_is_configured(int fd);
/* Takes BOOTSTRAP.md away when it has done its work; true when it did. */
bool home_end_ritual(int fd);

/* -- home_git.c: goes on by itself -- */
void home_git_init(struct agent_host *h, const char *workspace);

/* -- home_attest.c: workspaces that were set up once -- */
CH_MUST_USE ch_status attest_find(struct db *db, const char *path, bool *ret_known, struct ch_err *err);
CH_MUST_USE ch_status attest_note(struct db *db, const char *path, const char *agent_id, struct ch_err *err);
CH_MUST_USE ch_status attest_configured(struct db *db, const char *path, struct ch_err *err);
CH_MUST_USE ch_status attest_forget(struct db *db, const char *path, struct ch_err *err);

/* -- prompt.c -- */
/* Lean for a small window, above all on this machine; experimental.localModelLean decides when it is set. */
enum prompt_mode prompt_mode_for(const struct config *c, const char *agent_id, const struct model_entry *m);
void prompt_stable(struct buf *out, const struct agent_host *h, const struct home *home, const struct prompt *p);
/* After the cache boundary: date, channel, model, what the caller added. */
void prompt_volatile(struct buf *out, const struct run *r);

/* -- prompt_tools.c -- */
/* The tools that the policy gives, as the mode shows them. */
void prompt_add_tools(struct prompt *p, const struct policy *policy);

#endif
