/*
 * gateway/methods/m_message.c - send, poll, message.action: messages that a client puts on a channel.
 *
 * The idempotency key is the outbox's: a repeated call waits for the first one's message and answers with it.
 */
#include "channels/action.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/methods/methods.h"

#define POLL_OPTIONS_MAX 12
#define POLL_SECONDS_MAX 604800

/* One namespace a method: a client may count its keys anew for each. */
static const char *outbox_key(struct gw_call *call)
{
	return arena_printf(call->arena, "%s:%s", call->method, json_get_str(call->params, "idempotencyKey"));
}

static ch_status read_action(struct gw_call *call, const char *action, const struct json *params, struct chan_action *ret,
			     struct ch_err *err)
{
	struct chan_action_in in = { .channel = json_get_str(call->params, "channel"),
				     .account = json_get_str(call->params, "accountId"),
				     .action = action,
				     .params = params,
				     .key = outbox_key(call),
				     .session_key = json_get_str(call->params, "sessionKey"),
				     .origin = "send" };
	const struct agent_info *agent;
	ch_status st = gw_call_agent(call, &agent, err);

	if (st)
		return st;
	in.agent_id = agent->id;
	return chan_action_read(call->gw->channels, &in, call->arena, ret, err);
}

/* -- send, poll -- */

static CH_FIBER ch_status run_as(struct gw_call *call, const char *action, struct ch_err *err)
{
	struct chan_action x;
	struct json *done;
	struct jw *w;
	ch_status st = read_action(call, action, call->params, &x, err);

	if (!st)
		st = chan_action_run(call->gw->channels, &x, call->arena, &done, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "runId", json_get_str(call->params, "idempotencyKey"));
	jw_kstr(w, "messageId", json_str_or(json_get(done, "messageId"), ""));
	jw_kstr(w, "channel", x.target.ops->id);
	jw_kstr(w, "chatId", x.target.peer.id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static CH_FIBER ch_status run_send(struct gw_call *call, struct ch_err *err)
{
	return run_as(call, "send", err);
}

static CH_FIBER ch_status run_poll(struct gw_call *call, struct ch_err *err)
{
	return run_as(call, "poll", err);
}

/* -- message.action -- */

/*
 * A client that acts for somebody else than the owner may act where that person is, and nowhere else: what it says of that
 * person narrows the call, it never widens it.
 */
static ch_status check_requester(struct gw_call *call, const struct chan_action *x, struct ch_err *err)
{
	const struct json *context = json_get(call->params, "toolContext");
	const char *there = json_get_str(context, "currentMessagingTarget");
	struct chan_target at;

	if (json_get_bool(call->params, "senderIsOwner", true))
		return CH_OK;
	if (!there)
		there = json_get_str(context, "currentChannelId");
	if (there && str_eq(json_get_str(context, "currentChannelProvider"), x->target.ops->id) &&
	    !chan_target(call->gw->channels, x->target.ops->id, json_get_str(call->params, "requesterAccountId"), there,
			 json_get_str(context, "currentThreadTs"), call->arena, &at, NULL) &&
	    str_eq(at.account, x->target.account) && chan_same_place(&at.peer, &x->target.peer))
		return CH_OK;
	return ch_fail(err, CH_E_DENIED, "who is not the owner may act in their own conversation only");
}

/* The parameters with what the call says beside them. */
static const struct json *with_reply(struct gw_call *call)
{
	const struct json *params = json_get(call->params, "params");
	const char *reply_to = json_get_str(json_get(call->params, "reply"), "replyToId");
	struct json *all;

	if (!reply_to || json_get(params, "replyTo") || json_get(params, "replyToId"))
		return params;
	all = json_clone(call->arena, params);
	json_set(call->arena, all, "replyTo", json_new_str(call->arena, reply_to));
	return all;
}

static CH_FIBER ch_status run_action(struct gw_call *call, struct ch_err *err)
{
	struct chan_action x;
	struct json *done;
	ch_status st = read_action(call, json_get_str(call->params, "action"), with_reply(call), &x, err);

	if (!st)
		st = check_requester(call, &x, err);
	if (!st)
		st = chan_action_run(call->gw->channels, &x, call->arena, &done, err);
	if (st)
		return st;
	gw_reply_json(call, done);
	return CH_OK;
}

/* -- parameters (SendParams, PollParams, MessageActionParams) -- */

static const char *const parse_modes[] = { "HTML", NULL };
static const struct gw_param send_params[] = {
	{ "to", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "message", GP_STR },
	{ "mediaUrl", GP_STR },
	{ "mediaUrls", GP_ARR, .item = GP_STR },
	{ "buffer", GP_STR },
	{ "filename", GP_STR },
	{ "contentType", GP_STR },
	{ "asVoice", GP_BOOL },
	{ "gifPlayback", GP_BOOL },
	{ "channel", GP_STR },
	{ "accountId", GP_STR },
	{ "agentId", GP_STR },
	{ "replyToId", GP_STR },
	{ "threadId", GP_STR },
	{ "forceDocument", GP_BOOL },
	{ "silent", GP_BOOL },
	{ "parseMode", GP_ENUM, .choices = parse_modes },
	{ "sessionKey", GP_STR },
	{ "idempotencyKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param poll_params[] = {
	{ "to", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "question", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "options", GP_ARR, GP_REQUIRED | GP_NON_EMPTY, .min = 2, .max = POLL_OPTIONS_MAX, .item = GP_STR },
	{ "maxSelections", GP_INT, .min = 1, .max = POLL_OPTIONS_MAX },
	{ "durationSeconds", GP_INT, .min = 1, .max = POLL_SECONDS_MAX },
	{ "durationHours", GP_INT, .min = 1, .max = INT64_MAX },
	{ "silent", GP_BOOL },
	{ "isAnonymous", GP_BOOL },
	{ "threadId", GP_STR },
	{ "channel", GP_STR },
	{ "accountId", GP_STR },
	{ "idempotencyKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};
static const char *const reply_sources[] = { "explicit", "implicit", NULL };
static const char *const reply_modes[] = { "first", "all", NULL };
static const struct gw_param reply_params[] = {
	{ "replyToId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "source", GP_ENUM, GP_REQUIRED, .choices = reply_sources },
	{ "mode", GP_ENUM, .choices = reply_modes },
	{ 0 },
};
static const char *const turn_kinds[] = { "user_request", "room_event", NULL };
static const char *const read_origins[] = { "direct-operator", NULL };
static const char *const reply_to_modes[] = { "off", "first", "all", "batched", NULL };
static const struct gw_param has_replied_params[] = {
	{ "value", GP_BOOL, GP_REQUIRED },
	{ 0 },
};
static const struct gw_param context_params[] = {
	{ "currentChannelId", GP_STR },
	{ "currentMessagingTarget", GP_STR },
	{ "currentGraphChannelId", GP_STR },
	{ "currentChannelProvider", GP_STR },
	{ "currentThreadTs", GP_STR },
	{ "currentMessageId", GP_ANY },
	{ "replyToMode", GP_ENUM, .choices = reply_to_modes },
	{ "hasRepliedRef", GP_OBJ, .members = has_replied_params },
	{ "sameChannelThreadRequired", GP_BOOL },
	{ "skipCrossContextDecoration", GP_BOOL },
	{ 0 },
};
static const struct gw_param action_params[] = {
	{ "channel", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "action", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "params", GP_OBJ, GP_REQUIRED | GP_OPEN },
	{ "reply", GP_OBJ, .members = reply_params },
	{ "accountId", GP_STR },
	{ "requesterAccountId", GP_STR },
	{ "requesterSenderId", GP_STR },
	{ "senderIsOwner", GP_BOOL },
	{ "sessionKey", GP_STR },
	{ "sessionId", GP_STR },
	{ "inboundTurnKind", GP_ENUM, .choices = turn_kinds },
	{ "agentId", GP_STR },
	{ "toolContext", GP_OBJ, .members = context_params },
	{ "conversationReadOrigin", GP_ENUM, .choices = read_origins },
	{ "idempotencyKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};

const struct gw_method gwm_message[] = {
	/* name              run         scope            flags      params */
	{ "message.action",  run_action, GW_SCOPE_WRITE,  0,         action_params },
	{ "poll",            run_poll,   GW_SCOPE_WRITE,  GW_HIDDEN, poll_params },
	{ "send",            run_send,   GW_SCOPE_WRITE,  0,         send_params },
};
const size_t gwm_message_count = CH_ARRAY_LEN(gwm_message);
