/*
 * gateway/methods/approval_common.h - what the methods of approvals share.
 */
#ifndef CH_GATEWAY_METHODS_APPROVAL_COMMON_H
#define CH_GATEWAY_METHODS_APPROVAL_COMMON_H

#include "approvals/approval.h"
#include "gateway/methods/methods.h"

/* "unknown or expired approval id". */
ch_status gwm_approval_unknown(struct gw_call *call, struct ch_err *err);
/* {id, decision, createdAtMs, expiresAtMs[, terminalReason]}; decision null: it ended without one. */
void gwm_approval_put_decision(struct jw *w, const struct approval *row, bool with_reason);

#endif
