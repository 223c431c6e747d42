/*
 * cli/approval.h - approvals in a terminal: showing one, and asking the person who sits there.
 */
#ifndef CH_CLI_APPROVAL_H
#define CH_CLI_APPROVAL_H

#include "cli/rpc.h"

/* The whole of what is asked, on stdout: each line marked, so that no text of it can look like ours. */
void cli_approval_print(struct cli *c, const struct json *approval);
/* Is there a terminal to ask? */
bool cli_approval_can_ask(void);
/*
 * Shows what waits and, in a terminal, asks until it has ended: by the answer given here, or by somebody else's.
 * Without a terminal it says how to answer. approval: of approval.get or session.approval.
 */
CH_FIBER CH_MUST_USE ch_status cli_approval_prompt(struct cli *c, const struct json *approval, struct ch_err *err);
/* approval.get; on the cli's arena. */
CH_FIBER CH_MUST_USE ch_status cli_approval_get(struct cli *c, const char *id, const struct json **ret, struct ch_err *err);
/* Answers and says what came of it; CH_E_CONFLICT when something else was answered before. expires_in_days 0: as configured. */
CH_FIBER CH_MUST_USE ch_status cli_approval_resolve(struct cli *c, const struct json *approval, const char *decision,
						    int64_t expires_in_days, struct json **ret_reply, struct ch_err *err);

#endif
