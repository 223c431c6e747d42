/*
 * cli/question.h - an agent's question in a terminal.
 */
#ifndef CH_CLI_QUESTION_H
#define CH_CLI_QUESTION_H

#include "cli/rpc.h"

/*
 * Shows what is asked and, in a terminal, reads the answers and gives them; without one it says how to answer. An empty
 * line skips the question. question: of question.requested.
 */
CH_FIBER CH_MUST_USE ch_status cli_question_prompt(struct cli *c, const struct json *question, struct ch_err *err);

#endif
