/*
 * gateway/methods/m_agent.c - agent, agent.wait: a turn as one call, for scripts and the command line.
 *
 * `agent` answers twice under one id: accepted, then the result.
 */
#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "gateway/methods/chat_common.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"

#define AGENT_WAIT_DEFAULT_MS 30000
#define AGENT_WAIT_MAX_MS 3600000
#define AGENT_TIMEOUT_DEFAULT_S 600

static const struct gw_param agent_params[] = {
	{ "message", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "idempotencyKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "provider", GP_STR },
	{ "model", GP_STR },
	{ "to", GP_STR },
	{ "replyTo", GP_STR },
	{ "sessionId", GP_STR },
	{ "sessionKey", GP_STR },
	{ "expectedExistingSessionId", GP_STR },
	{ "thinking", GP_STR },
	{ "deliver", GP_BOOL },
	{ "attachments", GP_ARR },
	{ "channel", GP_STR },
	{ "replyChannel", GP_STR },
	{ "accountId", GP_STR },
	{ "replyAccountId", GP_STR },
	{ "threadId", GP_STR },
	{ "groupId", GP_STR },
	{ "timeout", GP_INT, .min = 0, .max = INT64_MAX / 1000 },
	{ "bestEffortDeliver", GP_BOOL },
	{ "lane", GP_STR },
	{ "extraSystemPrompt", GP_STR },
	{ "label", GP_STR },
	{ 0 },
};

/* Which session: its key, an explicit id, or the agent's main one. */
static ch_status agent_key(struct gw_call *call, struct sess_key *ret, struct ch_err *err)
{
	const char *key = json_get_str(call->params, "sessionKey");
	const char *id = json_get_str(call->params, "sessionId");

	if (json_get_bool(call->params, "deliver", false))
		return ch_fail(err, CH_E_UNSUPPORTED, "agent: deliver needs a channel, and no channel is configured");
	if (str_empty(key) && !str_empty(id))
		return gw_session_key(call, arena_printf(call->arena, "explicit:%s", id), ret, err);
	return gw_session_key(call, str_empty(key) ? "main" : key, ret, err);
}

static void put_meta(struct gw_call *call, struct jw *w, const struct input_row *row, const struct json *outcome)
{
	const struct json *effective = json_path(outcome, "terminalReceipt.effective");

	jw_kobj(w, "meta");
	jw_kint(w, "durationMs", row->ended_at > row->started_at ? row->ended_at - row->started_at : 0);
	jw_kobj(w, "agentMeta");
	jw_kstr(w, "sessionId", row->session_id);
	jw_kstr_opt(w, "provider", json_get_str(effective, "provider"));
	jw_kstr_opt(w, "model", json_get_str(effective, "model"));
	if (json_get(outcome, "usage"))
		jw_kvalue(w, "usage", json_get(outcome, "usage"));
	jw_end(w);
	jw_end(w);
}

static void reply_result(struct gw_call *call, const struct input_row *row)
{
	struct json *outcome = NULL;
	bool ok = row->state == INPUT_DONE || row->state == INPUT_ABSORBED;

	if (row->outcome && json_parse(call->arena, row->outcome, strlen(row->outcome), JSON_STRICT, &outcome, NULL))
		outcome = NULL;
	const char *text = json_str(json_path(outcome, "terminalReply.text"));
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "runId", row->run_id);
	jw_kstr(w, "status", ok ? "ok" : "error");
	jw_kstr(w, "summary", ok ? "completed" : str_empty(row->error) ? input_state_name(row->state) : row->error);
	jw_kobj(w, "result");
	jw_karr(w, "payloads");
	if (text) {
		jw_obj(w);
		jw_kstr(w, "text", text);
		jw_knull(w, "mediaUrl");
		jw_end(w);
	}
	jw_end(w);
	put_meta(call, w, row, outcome);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
}

/* Which model answers is what a turn costs, and to whom its words go. */
static ch_status check_override(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;

	if (str_empty(json_get_str(p, "model")) && str_empty(json_get_str(p, "provider")))
		return CH_OK;
	if (gw_conn_has(call->conn, GW_SCOPE_ADMIN))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "provider/model overrides are not authorized for this caller.");
}

static CH_FIBER ch_status run_agent(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	CH_AUTO_DONE(chat_sent_done) struct chat_sent sent = { 0 };
	int64_t timeout_s = json_get_int(p, "timeout", AGENT_TIMEOUT_DEFAULT_S);
	const char *model = json_get_str(p, "model"), *provider = json_get_str(p, "provider");
	struct run_input in = {
		.run_id = json_get_str(p, "idempotencyKey"),
		.text = json_get_str(p, "message"),
		.attachments = json_get(p, "attachments"),
		.thinking = json_get_str(p, "thinking"),
		.model = model && !str_empty(provider) ? arena_printf(call->arena, "%s/%s", provider, model) : model,
		.extra_system = json_get_str(p, "extraSystemPrompt"),
		.timeout_ms = timeout_s * 1000,
	};
	struct sess_key key;
	struct input_row row;
	ch_status st = check_override(call, err);

	if (!st)
		st = agent_key(call, &key, err);
	if (!st)
		st = chat_submit(call, &key, &in, &sent, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "runId", in.run_id);
	jw_kstr(w, "sessionKey", key.key);
	jw_kstr(w, "agentId", key.agent_id);
	jw_kstr(w, "status", "accepted");
	jw_kint(w, "acceptedAt", sent.result.accepted_at);
	jw_end(w);
	gw_reply_more_end(call);
	st = agent_wait(call->gw->agents, in.run_id, timeout_s ? fiber_deadline(timeout_s * 1000) : fiber_deadline(AGENT_WAIT_MAX_MS),
			call->arena, &row, err);
	if (st == CH_E_TIMEOUT)
		return ch_fail(err, CH_E_TIMEOUT, "the turn did not end in %lld s; it goes on, agent.wait waits for it",
			       (long long)timeout_s);
	if (st)
		return st;
	reply_result(call, &row);
	return CH_OK;
}

/* /new and /reset as a message end conversations: that takes admin. */
static unsigned agent_scope(const struct gw_call *call)
{
	char *text = str_trim(call->arena, json_str_or(json_get(call->params, "message"), ""));
	bool resets;

	str_lower(text);                 /* commands are known in any case, after blanks too */
	resets = str_starts(text, "/new") || str_starts(text, "/reset");

	return resets ? GW_SCOPE_ADMIN : GW_SCOPE_WRITE;
}

/* -- agent.wait -- */

static const struct gw_param wait_params[] = {
	{ "runId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "timeoutMs", GP_INT, .min = 0, .max = INT64_MAX },
	{ 0 },
};

static void reply_wait(struct gw_call *call, const char *run_id, const struct input_row *row)
{
	struct json *outcome = NULL;
	struct jw *w = gw_reply_begin(call);

	if (row && row->outcome && json_parse(call->arena, row->outcome, strlen(row->outcome), JSON_STRICT, &outcome, NULL))
		outcome = NULL;
	jw_obj(w);
	jw_kstr(w, "runId", run_id);
	jw_kstr(w, "status", !row ? "timeout" : row->state == INPUT_DONE || row->state == INPUT_ABSORBED ? "ok" : "error");
	if (row && row->started_at)
		jw_kint(w, "startedAt", row->started_at);
	if (row && row->ended_at)
		jw_kint(w, "endedAt", row->ended_at);
	if (row)
		jw_kstr_opt(w, "error", row->error);
	if (json_get(outcome, "terminalReceipt"))
		jw_kvalue(w, "terminalReceipt", json_get(outcome, "terminalReceipt"));
	if (json_get(outcome, "terminalReply"))
		jw_kvalue(w, "terminalReply", json_get(outcome, "terminalReply"));
	jw_end(w);
	gw_reply_end(call);
}

static CH_FIBER ch_status run_wait(struct gw_call *call, struct ch_err *err)
{
	const char *run_id = json_get_str(call->params, "runId");
	int64_t wait_ms = CH_MIN(json_get_int(call->params, "timeoutMs", AGENT_WAIT_DEFAULT_MS), AGENT_WAIT_MAX_MS);
	struct input_row row;
	ch_status st = agent_wait(call->gw->agents, run_id, fiber_deadline(wait_ms), call->arena, &row, err);

	/* As the reference: a run that nobody heard of (yet) is a wait that timed out. */
	if (st && st != CH_E_TIMEOUT && st != CH_E_NOT_FOUND)
		return st;
	reply_wait(call, run_id, st ? NULL : &row);
	return CH_OK;
}

const struct gw_method gwm_agent[] = {
	/* name        run        scope            flags     params        dynamic scope */
	{ "agent",      run_agent, GW_SCOPE_WRITE,  GW_WAITS, agent_params, agent_scope },
	{ "agent.wait", run_wait,  GW_SCOPE_WRITE,  GW_WAITS, wait_params },
};
const size_t gwm_agent_count = CH_ARRAY_LEN(gwm_agent);
