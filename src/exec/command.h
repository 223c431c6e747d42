/*
 * exec/command.h - what a shell command would do, read without running it.
 *
 * A command is taken apart into segments (simple commands) joined by | && || ; and newlines. A segment is literal
 * when each of its words is known here to the byte: quotes and backslashes resolved, no expansion of any kind
 * ($, `, ~, globs, braces, arithmetic, process substitution), no redirection, no assignment before the name, no
 * keyword, function, here-document, background &, builtin of the shell, hidden character. A command whose segments are all
 * literal is run without a shell (exec/runner.h). Everything else is opaque: it can run only when a person allows its
 * exact text, or inside the sandbox.
 *
 * Plain is what an allowlist may match: literal, and no program of it does what other text tells it (interpreters, inline
 * code, wrappers that change the environment or that cannot be read).
 *
 * Wrappers (env, nice, nohup, timeout, stdbuf, setsid, ionice, chrt, taskset, flock, time, sudo, doas, xargs, …) are looked
 * through: the segment's chain holds the wrapper and what it runs, the inner argv being the tail of the outer one.
 * `sh -c TEXT` is taken for TEXT itself where both mean the same: alone, or when TEXT is one simple command.
 *
 * Pure    no I/O, no locale. Errors never mean "allowed".
 * Limits  CMD_TEXT_MAX bytes, CMD_SEGMENTS_MAX segments, CMD_WORDS_MAX words each, CMD_NESTING_MAX wrappers.
 * Source  POSIX.1-2017 XCU 2 (Shell Command Language); bash(1) where it differs.
 */
#ifndef CH_EXEC_COMMAND_H
#define CH_EXEC_COMMAND_H

#include "core/arena.h"
#include "core/err.h"

#define CMD_TEXT_MAX (32u << 10)
#define CMD_SEGMENTS_MAX 64
#define CMD_WORDS_MAX 1024
#define CMD_NESTING_MAX 8

enum cmd_join { CMD_END, CMD_PIPE, CMD_AND, CMD_OR, CMD_SEQ };           /* what stands after a segment */
enum cmd_trait {                                                        /* bits: why an allowlist does not apply, or what to warn of */
	CMD_T_REDIRECT = 1 << 0, CMD_T_SUBSTITUTION = 1 << 1, CMD_T_EXPANSION = 1 << 2, CMD_T_GLOB = 1 << 3,
	CMD_T_ASSIGNMENT = 1 << 4, CMD_T_KEYWORD = 1 << 5, CMD_T_BACKGROUND = 1 << 6, CMD_T_HEREDOC = 1 << 7,
	CMD_T_INTERPRETER = 1 << 8, CMD_T_INLINE_CODE = 1 << 9, CMD_T_WRAPPER_UNREADABLE = 1 << 10,
	CMD_T_PRIVILEGE = 1 << 11,       /* sudo, doas, su, pkexec */
	CMD_T_UNPARSED = 1 << 12, CMD_T_HIDDEN_CHARS = 1 << 13,          /* bidi, zero-width, control characters in it */
	CMD_T_BUILTIN = 1 << 14,         /* eval, source, ., exec, command, trap, … */
	CMD_T_ENV = 1 << 15,             /* a wrapper changes the environment: env A=b, env -i */
};
#define CMD_TRAIT_COUNT 16
/* These leave a segment literal; of them only CMD_T_PRIVILEGE leaves it plain. */
#define CMD_T_LITERAL (CMD_T_INTERPRETER | CMD_T_INLINE_CODE | CMD_T_WRAPPER_UNREADABLE | CMD_T_PRIVILEGE | CMD_T_ENV)

struct cmd_exec {                        /* one program of a segment's chain, outermost first */
	const char *const *argv;         /* literal words, NULL-ended */
	size_t argc;
};
struct cmd_segment {
	size_t start, end;               /* bytes of the text */
	enum cmd_join join;
	unsigned traits;
	bool is_literal;                 /* no traits but those of CMD_T_LITERAL */
	struct cmd_exec *chain; size_t chain_len;        /* chain[0].argv is what would be executed; is_literal only */
	const struct cmd_exec *seen; size_t seen_len;    /* the same as far as words are known: never to be executed or matched */
	const char *name;                /* first word as far as it is known, for people; or NULL */
};
struct cmd_plan {
	const char *text; size_t len;
	struct cmd_segment *segments; size_t count;
	unsigned traits;                 /* of all segments */
	bool is_literal;                 /* all are */
	bool is_plain;                   /* an allowlist may match it */
	const char *why_opaque;          /* why not plain, a sentence for people; NULL when it is */
};
/* Never fails on what a command says: CH_E_LIMIT and CH_E_INVALID (NUL, invalid UTF-8) are for texts that are no command. */
CH_MUST_USE ch_status cmd_parse(const char *text, size_t len, struct arena *a, struct cmd_plan *ret, struct ch_err *err);
const char *cmd_trait_text(enum cmd_trait t);    /* "a redirection", … */
/* May code hide in it that no argument names as a file: inline code, or anything that cannot be read? For strictInlineEval. */
bool cmd_may_inline(const struct cmd_plan *plan);
/* Does a program of this name (no folder) do what other text tells it? For the real name behind a link. */
bool cmd_is_interpreter(const char *name);

/* exec/show.c: every byte visible: controls, bidi, zero-width, line and paragraph separators as \u{…}; newlines kept when asked. */
const char *cmd_show(struct arena *a, const char *text, size_t len, bool keep_newlines);
bool cmd_has_hidden(const char *text, size_t len);

#endif
