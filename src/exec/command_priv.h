/*
 * exec/command_priv.h - what command.c and command_programs.c share; nobody else includes it.
 */
#ifndef CH_EXEC_COMMAND_PRIV_H
#define CH_EXEC_COMMAND_PRIV_H

#include "exec/command.h"

/* Words of the shell's grammar and commands that change the shell itself: no program of that name is meant. */
bool cmd_is_keyword(const char *word);
bool cmd_is_builtin(const char *word);

/* What a simple command runs: the chain of programs, and what kind they are. */
struct cmd_look {
	struct cmd_exec *chain;
	size_t chain_len;
	unsigned traits;
	const char *shell_text;          /* chain_len 1, exactly `sh -c TEXT`: TEXT; else NULL */
};
/* argv is kept; argc >= 1. depth counts shells around it. */
void cmd_look(struct arena *a, const char *const *argv, size_t argc, int depth, struct cmd_look *ret);
/* As cmd_parse(), inside `depth` shells. */
CH_MUST_USE ch_status cmd_parse_inside(const char *text, size_t len, struct arena *a, int depth, struct cmd_plan *ret,
				       struct ch_err *err);

#endif
