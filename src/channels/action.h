/*
 * channels/action.h - one thing done on a channel, as message.action, `send`, `poll` and the message tool ask for it.
 *
 * Two steps, so that the caller judges between them who may: chan_action_read() understands the parameters and touches nothing;
 * chan_action_run() does it. Parameters keep the reference's names with their aliases (to | target, messageId, message | text,
 * media | mediaUrl | path | buffer, replyTo, threadId, emoji, remove, pollQuestion, …).
 * Fails   CH_E_INVALID for what is missing or wrong, CH_E_UNSUPPORTED names what the network can do.
 */
#ifndef CH_CHANNELS_ACTION_H
#define CH_CHANNELS_ACTION_H

#include "channels/egress.h"
#include "channels/target.h"

#define ACTION_WAIT_MS 25000             /* for a message to be out; then it is left to the outbox */
#define ACTION_READ_MAX 100

enum chan_action_kind { ACTION_SEND, ACTION_POLL, ACTION_REACT, ACTION_EDIT, ACTION_DELETE, ACTION_READ };

struct chan_action_in {
	const char *channel, *account;   /* NULL: the target tells, or the only one, or the default */
	const char *action;              /* "send", … */
	const struct json *params;
	const struct chan_place *here;   /* where no target is named; NULL: none */
	const char *key;                 /* once per key; NULL: none */
	const char *agent_id, *session_key, *run_id, *origin;
};
struct chan_action {
	enum chan_action_kind kind;
	struct chan_target target;
	struct chan_message message;     /* SEND, POLL; files not staged yet */
	const char *message_id;          /* REACT, EDIT, DELETE */
	const char *text;                /* EDIT */
	const char *emoji; bool is_removed;
	int limit;                       /* READ */
	const char *agent_id;            /* whose files may be sent */
	bool is_here;                    /* the target is the place of `here` */
	bool has_buttons;                /* … and may show some */
};
CH_MUST_USE ch_status chan_action_read(struct chan_host *h, const struct chan_action_in *in, struct arena *a,
				       struct chan_action *ret, struct ch_err *err);
/*
 * *ret: {ok, messageId, chatId, …} by the kind, on the arena. A message that is not out within ACTION_WAIT_MS stays in the outbox:
 * CH_E_BUSY says so. One that failed is CH_E_PEER with the reason.
 */
CH_FIBER CH_MUST_USE ch_status chan_action_run(struct chan_host *h, const struct chan_action *x, struct arena *a, struct json **ret,
					       struct ch_err *err);

#endif
