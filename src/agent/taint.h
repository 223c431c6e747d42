/*
 * agent/taint.h - which conversations and files hold text from outside.
 *
 * Outside is what nobody here wrote: pages, files and tool output of remote origin, messages of people who are not the owner,
 * the results of sub-agents that read such text. A model may take it for orders, so a turn that has seen it needs a person's
 * yes for what acts beyond the workspace and the sandbox.
 *
 * Session  columns tainted_at and taint (the newest TAINT_SOURCES_MAX sources) are set in the transaction that writes the text
 *          into the transcript, and cleared by /new and /reset only: a summary of such text is such text.
 * Turn     the grant of its policy says so at once, also to calls of the same reply that have not begun.
 * Files    what a tainted turn writes is listed in tainted_files until somebody else writes it; reading it taints. The
 *          workspace's own files (MEMORY.md, …) are fenced in the prompt then, and taint the turns that they are part of. A row
 *          whose path ends in a slash stands for what was below that folder when it was made (`at`); "./" for all.
 * Commands taint_command.h.
 */
#ifndef CH_AGENT_TAINT_H
#define CH_AGENT_TAINT_H

#include "agent/host.h"

#define TAINT_SOURCES_MAX 8

/* The turn has seen text from there ("tool", "https://…"). ref may be NULL. */
void taint_note(struct run *r, const char *kind, const char *ref);
/* What the input brings along: its sender, the event that it tells of; other: another input that this turn answers too. */
void taint_input(struct run *r, const struct run *other);
/* In the open transaction, before sess_save(): the session remembers. True when something is new. */
bool taint_apply(struct run *r);
/* The meta of a row that holds text from there; on the arena. */
const char *taint_meta(struct arena *a, const char *kind, const char *ref);
struct run_taint;
/* Those sources besides what it has; not yet saved. */
void taint_add(struct sess *s, const struct run_taint *t, size_t n);
/* Another session's conversation goes on in this one; not yet saved. */
void taint_copy(const struct sess *from, struct sess *to);
/* `where from` in a few words, for people; NULL: not tainted. On the arena. */
const char *taint_sources(struct arena *a, const struct sess *s);

/* -- files: struct tool_host note_written, is_tainted_file; arg is the host -- */
CH_MUST_USE ch_status taint_file_written(void *arg, const struct tool_ctx *ctx, const char *path, bool is_tainted,
					 struct ch_err *err);
bool taint_is_file(void *arg, const struct tool_ctx *ctx, const char *path, const char **ret_source);
/* By the workspace; *ret_source is on the arena. A table that cannot be read says that the file is tainted. */
bool taint_find_file(struct db *db, const char *workspace, const char *path, struct arena *a, const char **ret_source);
/* One row. A file's path is its real place, see root_of(). session_key, source: or NULL. */
CH_MUST_USE ch_status taint_mark(struct db *db, const char *workspace, const char *path, const char *session_key, const char *source,
				 struct ch_err *err);
/* A person wrote it anew. */
CH_MUST_USE ch_status taint_forget_file(struct db *db, const char *workspace, const char *path, struct ch_err *err);

#endif
