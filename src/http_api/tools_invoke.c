/*
 * http_api/tools_invoke.c - POST /tools/invoke: one tool, without a model.
 *
 * agent/invoke.h decides whether the agent has it and whether it may be called from here. Who has the gateway's
 * secret is its owner, so nothing is asked back.
 */
#include "agent/invoke.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/audit.h"
#include "http_api/api.h"
#include "http_api/handlers.h"
#include "sessions/key.h"

static void refuse(struct http_call *call, int status, const char *type, const char *message)
{
	CH_AUTO_BUF struct buf body = { 0 };

	buf_init(&body, 1u << 20);
	api_gateway.write(&body, status, message, type);
	http_reply_json(call, status, buf_str(&body), body.len);
}

static ch_status find_place(struct gw *gw, struct arena *a, const struct json *body, struct tool_invocation *in,
			    struct ch_err *err)
{
	const char *named = json_get_str(body, "agentId"), *key = json_get_str(body, "sessionKey");
	struct sess_key k;
	ch_status st = sess_key_parse(a, str_empty(key) ? "main" : key,
				      str_empty(named) ? agent_default_id(gw_config(gw), a) : named, &k, err);

	if (st)
		return st;
	if (!str_empty(named) && !str_ieq(named, k.agent_id))
		return ch_fail(err, CH_E_INVALID, "agent id \"%.64s\" does not match session agent \"%s\"", named, k.agent_id);
	if (!agent_find(gw_config(gw), gw->state_dir, a, k.agent_id))
		return ch_fail(err, CH_E_INVALID, "unknown agent id \"%.64s\"", k.agent_id);
	in->agent_id = k.agent_id;
	in->session_key = k.key;
	return CH_OK;
}

/* `action` is an argument like others for tools that know one of that name. */
static const struct json *args_of(struct arena *a, const struct json *body, const char *tool_name)
{
	struct json *args = json_get(body, "args"), *schema = NULL;
	const char *action = json_get_str(body, "action");
	const struct tool *tool = tool_find(tool_name);

	args = json_is(args, JSON_OBJ) ? args : json_new_obj(a);
	if (str_empty(action) || !tool || json_get(args, "action"))
		return args;
	if (!json_parse(a, tool->schema_json, strlen(tool->schema_json), JSON_STRICT, &schema, NULL) &&
	    json_path(schema, "properties.action"))
		json_set(a, args, "action", json_new_str(a, action));
	return args;
}

static ch_status read_body(struct gw *gw, const struct http_request *rq, struct tool_invocation *in, struct ch_err *err)
{
	struct arena *a = rq->arena;
	struct json *body;
	const char *wanted;
	char id[UUID_LEN];
	ch_status st = json_parse(a, rq->body, rq->body_len, JSON_STRICT, &body, err);

	if (st || !json_is(body, JSON_OBJ))
		return ch_fail(err, CH_E_INVALID, "the body must be a JSON object");
	in->name = json_get_str(body, "name");
	if (str_empty(in->name))
		in->name = json_get_str(body, "tool");
	if (str_empty(in->name))
		return ch_fail(err, CH_E_INVALID, "tools.invoke requires name");
	rand_uuid(id);
	wanted = json_get_str(body, "idempotencyKey");
	in->call_id = arena_printf(a, "http-direct-operator-%.256s", str_empty(wanted) ? id : wanted);
	in->args = args_of(a, body, in->name);
	in->is_confirmed = true;
	return find_place(gw, a, body, in, err);
}

static void record(struct gw *gw, struct arena *a, const struct tool_invocation *in, const struct tool_invoked *done)
{
	bool is_good = done->outcome == INVOKE_RAN && !done->is_error;
	struct json *detail = json_new_obj(a);

	if (done->outcome != INVOKE_RAN && done->outcome != INVOKE_FAILED)
		return;
	json_set(a, detail, "toolName", json_new_str(a, in->name));
	json_set(a, detail, "toolCallId", json_new_str(a, in->call_id));
	if (!is_good)
		json_set(a, detail, "errorCode", json_new_str(a, "tool_failed"));
	audit_record(gw, &(struct audit_entry){ .kind = "tool_action", .action = "tool.action.finished",
						.status = is_good ? "succeeded" : "failed", .agent_id = in->agent_id,
						.session_key = in->session_key, .run_id = in->call_id, .detail = detail });
}

static void reply_result(struct http_call *call, const struct tool_invoked *done)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);

	buf_init(&body, API_OUT_MAX);
	jw_obj(&w);
	jw_kbool(&w, "ok", true);
	jw_kobj(&w, "result");
	jw_kvalue(&w, "content", done->content);
	if (done->details)
		jw_kvalue(&w, "details", done->details);
	jw_end(&w);
	jw_end(&w);
	http_reply_header(call, "Cache-Control", "no-store");
	http_reply_json(call, 200, buf_str(&body), body.len);
}

static void reply(struct http_call *call, struct arena *a, const struct tool_invocation *in, const struct tool_invoked *done)
{
	const char *said = json_str(json_path(done->content, "0.text"));

	switch (done->outcome) {
	case INVOKE_RAN:
		if (done->is_error)
			refuse(call, 400, "tool_error", said ? said : "the tool reports an error");
		else
			reply_result(call, done);
		return;
	case INVOKE_UNKNOWN:
		refuse(call, 404, "not_found", arena_printf(a, "Tool not available: %.80s", in->name));
		return;
	case INVOKE_UNCONFIRMED:
		refuse(call, 403, "tool_call_blocked", arena_printf(a, "%.80s needs a person's consent", in->name));
		return;
	case INVOKE_BAD_ARGS:
		refuse(call, 400, "tool_error", done->text);
		return;
	case INVOKE_FAILED:
		refuse(call, 500, "tool_error", done->text);
		return;
	}
}

void tools_invoke(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct gw *gw = arg;
	struct tool_invocation in = { 0 };
	struct tool_invoked done;
	struct http_caller who;
	struct ch_err err;
	ch_status st = read_body(gw, rq, &in, &err);

	if (st) {
		refuse(call, 400, "invalid_request", err.text);
		return;
	}
	who = http_caller_of(gw, rq);
	in.is_owner = http_caller_has(&who, GW_SCOPE_ADMIN);
	st = agent_invoke_tool(gw->agents, rq->arena, &in, &done, &err);
	if (st) {
		refuse(call, st == CH_E_CANCELED ? 503 : api_status_of(st), NULL, err.text);
		return;
	}
	record(gw, rq->arena, &in, &done);
	reply(call, rq->arena, &in, &done);
}
