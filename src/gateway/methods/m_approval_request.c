/*
 * gateway/methods/m_approval_request.c - a client asks for a person's yes: exec.approval.request and
 * plugin.approval.request.
 *
 * The client carries out what was allowed; nothing here does (the row has no binding). What it says is shown with every
 * byte visible. With twoPhase it learns at once that the question is out, and the answer later.
 */
#include <string.h>

#include "core/fiber.h"
#include "core/rand.h"
#include "core/str.h"
#include "exec/command.h"
#include "gateway/approval_events.h"
#include "gateway/conn.h"
#include "gateway/methods/approval_common.h"
#include "gateway/render.h"
#include "gateway/services.h"

#define PLUGIN_TTL_MS 120000
#define PLUGIN_TTL_MAX_MS 600000
#define PLUGIN_PREFIX "plugin:"
#define TITLE_MAX 80
#define DESCRIPTION_MAX 512
#define DETAIL_MAX 16384

/* -- scope: what the action reaches, one of four forms -- */

static const char *const send_kind[] = { "message-send", NULL }, *const pay_kind[] = { "payment", NULL };
static const char *const post_kind[] = { "external-post", NULL }, *const grant_kind[] = { "standing-grant", NULL };
static const char *const audiences[] = { "internal", "external", NULL };
static const char *const visibilities[] = { "public", "restricted", NULL };
static const struct gw_param send_scope[] = {
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = send_kind },
	{ "target", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 128 },
	{ "recipientCount", GP_INT, GP_REQUIRED, .min = 1, .max = 1000000 },
	{ "recipients", GP_ARR, .max = 5, .item = GP_STR },
	{ "audience", GP_ENUM, .choices = audiences },
	{0},
};
static const struct gw_param pay_scope[] = {
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = pay_kind },
	{ "amount", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 40 },
	{ "currency", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 12 },
	{ "target", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 128 },
	{0},
};
static const struct gw_param post_scope[] = {
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = post_kind },
	{ "target", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 128 },
	{ "visibility", GP_ENUM, GP_REQUIRED, .choices = visibilities },
	{0},
};
static const struct gw_param grant_scope[] = {
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = grant_kind },
	{ "automation", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 128 },
	{ "command", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = 256 },
	{ "expiresInDays", GP_INT, .min = 1, .max = 3650 },
	{0},
};
static const struct { const char *kind; const struct gw_param *members; } scopes[] = {
	{ "message-send", send_scope }, { "payment", pay_scope }, { "external-post", post_scope }, { "standing-grant", grant_scope },
};

static ch_status check_scope(const struct gw_call *call, const struct json *scope, struct ch_err *err)
{
	const char *kind = json_get_str(scope, "kind");
	const char *title = arena_printf(call->arena, "invalid %s params: at /scope", call->method);

	for (size_t i = 0; i < CH_ARRAY_LEN(scopes); i++)
		if (str_eq(scopes[i].kind, kind))
			return gw_params_check_as(title, scopes[i].members, false, scope, err);
	return ch_fail(err, CH_E_INVALID, "%s/kind: must be equal to one of the allowed values", title);
}

/* What a table of parameters cannot say: members of several types. */
static ch_status check_unions(const struct gw_call *call, struct ch_err *err)
{
	const struct json *scope = json_get(call->params, "scope"), *thread = json_get(call->params, "turnSourceThreadId");

	if (thread && !json_is(thread, JSON_STR) && !json_is(thread, JSON_INT) && !json_is(thread, JSON_NUM) &&
	    !json_is(thread, JSON_NULL))
		return ch_fail(err, CH_E_INVALID, "invalid %s params: at /turnSourceThreadId: must be string", call->method);
	return json_is(scope, JSON_OBJ) ? check_scope(call, scope, err) : CH_OK;
}

/* -- text from outside, every byte of it visible -- */

static struct json *shown(struct gw_call *call, const struct json *text, bool keep_newlines)
{
	if (!json_is(text, JSON_STR) || text->len == 0)
		return json_new_null(call->arena);
	return json_new_str(call->arena, cmd_show(call->arena, text->str, text->len, keep_newlines));
}

static struct json *shown_param(struct gw_call *call, const char *name, bool keep_newlines)
{
	return shown(call, json_get(call->params, name), keep_newlines);
}

static struct json *shown_scope(struct gw_call *call)
{
	const struct json *scope = json_get(call->params, "scope");
	struct arena *a = call->arena;
	struct json *copy;

	if (!json_is(scope, JSON_OBJ))
		return json_new_null(a);
	copy = json_clone(a, scope);
	json_each(member, scope)
		if (json_is(member, JSON_STR))
			json_set(a, copy, member->key, shown(call, member, false));
	if (json_get(scope, "recipients")) {
		struct json *list = json_new_arr(a);

		json_each(name, json_get(scope, "recipients"))
			json_push(list, shown(call, name, false));
		json_set(a, copy, "recipients", list);
	}
	return copy;
}

static struct json *decisions_json(struct arena *a, unsigned decisions)
{
	struct json *list = json_new_arr(a);

	for (unsigned d = APPROVAL_ALLOW_ONCE; d <= APPROVAL_DENY; d <<= 1)
		if (decisions & d)
			json_push(list, json_new_str(a, approval_decision_name(d)));
	return list;
}

/* Whose session and agent it is said to be; the key in canonical form, or NULL. */
static ch_status find_session(struct gw_call *call, struct approval_ask *ask, struct ch_err *err)
{
	const char *key = json_get_str(call->params, "sessionKey"), *agent = json_get_str(call->params, "agentId");
	struct sess_key parsed;
	ch_status st;

	ask->agent_id = str_empty(agent) ? NULL : agent;
	if (str_empty(key))
		return CH_OK;
	st = gw_session_key(call, key, &parsed, err);
	if (st)
		return st;
	if (ask->agent_id && !str_eq(ask->agent_id, parsed.agent_id))
		return ch_fail(err, CH_E_INVALID, "session '%.80s' belongs to agent %s, not %.80s", parsed.key, parsed.agent_id, agent);
	ask->session_key = parsed.key;
	ask->agent_id = parsed.agent_id;
	return CH_OK;
}

static void set_text(struct arena *a, struct json *obj, const char *key, const char *text)
{
	json_set(a, obj, key, json_new_str(a, text));
}

/* -- the question is out: tell so, wait, tell the answer -- */

CH_FIBER static ch_status ask_and_wait(struct gw_call *call, const struct approval_ask *ask, struct ch_err *err)
{
	struct approvals *ap = call->gw->services->host.approvals;
	struct approval row;
	const char *id;
	ch_status st;

	st = approval_create(ap, ask, call->arena, &id, err);
	if (st == CH_E_EXISTS)
		return ch_fail(err, CH_E_INVALID, "approval id already pending");
	if (!st)
		st = approval_find(ap, id, call->arena, &row, err);
	if (st)
		return st;
	if (json_get_bool(call->params, "twoPhase", false)) {
		struct jw *w = gw_reply_begin(call);

		jw_obj(w);
		jw_kstr(w, "status", "accepted");
		jw_kstr(w, "id", id);
		jw_kstr(w, "deliveryRoute", "approval-client");
		jw_kint(w, "createdAtMs", row.created_at);
		jw_kint(w, "expiresAtMs", row.expires_at);
		jw_end(w);
		gw_reply_more_end(call);
	}
	/* For ever: the approval's own time ends it. When its client leaves it stays: the client may come back and wait. */
	st = approval_watch(ap, id, FIBER_FOREVER, call->arena, &row, err);
	if (st)
		return st;
	gwm_approval_put_decision(gw_reply_begin(call), &row, false);
	gw_reply_end(call);
	return CH_OK;
}

/* -- exec.approval.request -- */

static const char *const optional_decisions[] = { "allow-always", NULL };
static const struct gw_param allowlist_rule[] = {
	{ "pattern", GP_STR, GP_REQUIRED },
	{ "argPattern", GP_STR },
	{ "source", GP_STR },
	{0},
};
static const char *const securities[] = { "deny", "allowlist", "full", NULL }, *const asks[] = { "off", "on-miss", "always", NULL };
static const struct gw_param policy_snapshot[] = {
	{ "security", GP_ENUM, GP_REQUIRED, .choices = securities },
	{ "ask", GP_ENUM, GP_REQUIRED, .choices = asks },
	{ "askFallback", GP_ENUM, GP_REQUIRED, .choices = securities },
	{ "autoAllowSkills", GP_BOOL, GP_REQUIRED },
	{ "allowlistRules", GP_ARR, GP_REQUIRED, .members = allowlist_rule, .item = GP_OBJ },
	{0},
};
static const struct gw_param file_operand[] = {
	{ "argvIndex", GP_INT, GP_REQUIRED, .min = 0, .max = INT32_MAX },
	{ "path", GP_STR, GP_REQUIRED },
	{ "sha256", GP_STR, GP_REQUIRED },
	{0},
};
static const struct gw_param run_plan[] = {
	{ "argv", GP_ARR, GP_REQUIRED, .item = GP_STR },
	{ "cwd", GP_STR_OR_NULL, GP_REQUIRED },
	{ "commandText", GP_STR, GP_REQUIRED },
	{ "commandPreview", GP_STR_OR_NULL },
	{ "agentId", GP_STR_OR_NULL, GP_REQUIRED },
	{ "sessionKey", GP_STR_OR_NULL, GP_REQUIRED },
	{ "policySnapshot", GP_OBJ, .members = policy_snapshot },
	{ "mutableFileOperand", GP_OBJ, GP_NULLABLE, .members = file_operand },
	{0},
};
static const struct gw_param span[] = {
	{ "startIndex", GP_INT, GP_REQUIRED, .min = 0, .max = INT32_MAX },
	{ "endIndex", GP_INT, GP_REQUIRED, .min = 1, .max = INT32_MAX },
	{0},
};
static const struct gw_param exec_request_params[] = {
	{ "id", GP_STR, GP_NON_EMPTY },
	{ "command", GP_STR, GP_NON_EMPTY },
	{ "commandArgv", GP_ARR, .item = GP_STR },
	{ "systemRunPlan", GP_OBJ, .members = run_plan },
	{ "env", GP_OBJ, .item = GP_STR },
	{ "cwd", GP_STR_OR_NULL },
	{ "nodeId", GP_STR_OR_NULL, GP_NON_EMPTY },
	{ "host", GP_STR_OR_NULL },
	{ "security", GP_STR_OR_NULL },
	{ "ask", GP_STR_OR_NULL },
	{ "warningText", GP_STR_OR_NULL },
	{ "scope", GP_OBJ, GP_OPEN },
	{ "unavailableDecisions", GP_ARR, .item = GP_STR, .choices = optional_decisions },
	{ "commandSpans", GP_ARR, .members = span, .item = GP_OBJ },
	{ "agentId", GP_STR_OR_NULL },
	{ "resolvedPath", GP_STR_OR_NULL },
	{ "sessionKey", GP_STR_OR_NULL },
	{ "sessionId", GP_STR_OR_NULL },
	{ "runId", GP_STR_OR_NULL },
	{ "toolCallId", GP_STR_OR_NULL },
	{ "turnSourceChannel", GP_STR_OR_NULL },
	{ "turnSourceTo", GP_STR_OR_NULL },
	{ "turnSourceAccountId", GP_STR_OR_NULL },
	{ "turnSourceThreadId", GP_ANY },
	{ "approvalReviewerDeviceIds", GP_ARR, GP_NON_EMPTY, .item = GP_STR },
	{ "requireDeliveryRoute", GP_BOOL },
	{ "suppressDelivery", GP_BOOL },
	{ "deliverToApprovalClientsOnly", GP_BOOL },
	{ "timeoutMs", GP_INT, .min = 1, .max = INT32_MAX },
	{ "twoPhase", GP_BOOL },
	{0},
};

static unsigned exec_decisions(const struct gw_call *call)
{
	unsigned all = APPROVAL_ALLOW_ONCE | APPROVAL_ALLOW_ALWAYS | APPROVAL_DENY;

	if (str_eq(json_get_str(call->params, "ask"), "always") || json_len(json_get(call->params, "unavailableDecisions")))
		all &= ~(unsigned)APPROVAL_ALLOW_ALWAYS;
	return all;
}

static struct json *env_keys(struct gw_call *call)
{
	struct json *keys = json_new_arr(call->arena);

	json_each(member, json_get(call->params, "env"))
		json_push(keys, json_new_str(call->arena, cmd_show(call->arena, member->key, member->key_len, false)));
	return keys;
}

/* What clients show; names of the environment, never its values. */
static struct json *exec_request(struct gw_call *call, const struct approval_ask *ask, struct json *command)
{
	static const char *const as_given[] = { "turnSourceChannel", "turnSourceTo", "turnSourceAccountId", "turnSourceThreadId" };
	struct arena *a = call->arena;
	struct json *r = json_new_obj(a);

	json_set(a, r, "command", command);
	if (json_len(json_get(call->params, "env")))
		json_set(a, r, "envKeys", env_keys(call));
	json_set(a, r, "cwd", shown_param(call, "cwd", false));
	json_set(a, r, "nodeId", json_new_null(a));
	json_set(a, r, "host", shown_param(call, "host", false));
	json_set(a, r, "security", shown_param(call, "security", false));
	json_set(a, r, "ask", shown_param(call, "ask", false));
	json_set(a, r, "warningText", shown_param(call, "warningText", true));
	json_set(a, r, "scope", shown_scope(call));
	json_set(a, r, "commandAnalysis", json_new_null(a));
	if (!(ask->decisions & APPROVAL_ALLOW_ALWAYS))
		json_set(a, r, "unavailableDecisions", decisions_json(a, APPROVAL_ALLOW_ALWAYS));
	json_set(a, r, "allowedDecisions", decisions_json(a, ask->decisions));
	set_text(a, r, "agentId", ask->agent_id);
	json_set(a, r, "resolvedPath", shown_param(call, "resolvedPath", false));
	set_text(a, r, "sessionKey", ask->session_key);
	json_set(a, r, "sessionId", shown_param(call, "sessionId", false));
	json_set(a, r, "runId", shown_param(call, "runId", false));
	json_set(a, r, "toolCallId", shown_param(call, "toolCallId", false));
	for (size_t i = 0; i < CH_ARRAY_LEN(as_given); i++) {
		const struct json *v = json_get(call->params, as_given[i]);

		json_set(a, r, as_given[i], json_is(v, JSON_INT) ? json_clone(a, v) : shown(call, v, false));
	}
	return r;
}

static struct json *exec_presentation(struct gw_call *call, const struct json *request, const struct approval_ask *ask)
{
	static const char *const copied[][2] = {
		{ "commandText", "command" }, { "commandPreview", NULL }, { "warningText", "warningText" }, { "host", "host" },
		{ "nodeId", NULL }, { "agentId", "agentId" },
	};
	struct arena *a = call->arena;
	struct json *p = json_new_obj(a);

	set_text(a, p, "kind", "exec");
	for (size_t i = 0; i < CH_ARRAY_LEN(copied); i++)
		json_set(a, p, copied[i][0], copied[i][1] ? json_clone(a, json_get(request, copied[i][1])) : json_new_null(a));
	if (json_is(json_get(request, "scope"), JSON_OBJ))
		json_set(a, p, "scope", json_clone(a, json_get(request, "scope")));
	json_set(a, p, "allowedDecisions", decisions_json(a, ask->decisions));
	return p;
}

/* The command's text: as given, or the words of its argv. */
static ch_status exec_command(struct gw_call *call, struct json **ret, struct ch_err *err)
{
	const struct json *text = json_get(call->params, "command"), *argv = json_get(call->params, "commandArgv");
	CH_AUTO_BUF struct buf words = { 0 };

	if (!text)
		text = json_path(call->params, "systemRunPlan.commandText");
	if (text) {
		*ret = shown(call, text, true);
	} else {
		buf_init(&words, APPROVAL_TEXT_MAX);
		json_each(word, argv) {
			buf_puts(&words, words.len ? " " : "");
			buf_append(&words, word->str, word->len);
		}
		if (words.failed)
			return ch_fail(err, CH_E_LIMIT, "the command is too long to be shown");
		*ret = json_new_str(call->arena, cmd_show(call->arena, buf_str(&words), words.len, true));
	}
	if (!json_is(*ret, JSON_STR) || strspn((*ret)->str, " \t\r\n") == (*ret)->len)
		return ch_fail(err, CH_E_INVALID, "command is required");
	return CH_OK;
}

CH_FIBER static ch_status run_exec_request(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct approval_ask ask = { .kind = APPROVAL_EXEC, .id = json_get_str(p, "id"), .ttl_ms = json_get_int(p, "timeoutMs", 0) };
	struct json *command = NULL;
	ch_status st;

	if (str_eq(json_get_str(p, "host"), "node"))
		return ch_fail(err, CH_E_ABSENT, "exec.approval.request: this version has no nodes that run commands");
	st = check_unions(call, err);
	if (!st)
		st = exec_command(call, &command, err);
	if (st)
		return st;
	if (ask.id && str_starts(ask.id, PLUGIN_PREFIX))
		return ch_fail(err, CH_E_INVALID, "approval ids starting with " PLUGIN_PREFIX " are reserved");
	st = find_session(call, &ask, err);
	if (st)
		return st;
	ask.run_id = json_get_str(p, "runId");
	ask.tool_call_id = json_get_str(p, "toolCallId");
	ask.session_id = json_get_str(p, "sessionId");
	ask.decisions = exec_decisions(call);
	ask.request = exec_request(call, &ask, command);
	ask.presentation = exec_presentation(call, ask.request, &ask);
	return ask_and_wait(call, &ask, err);
}

/* -- plugin.approval.request -- */

static const char *const severities[] = { "info", "warning", "critical", NULL };
static const char *const all_decisions[] = { "allow-once", "allow-always", "deny", NULL };
static const struct gw_param mcp_tool[] = {
	{ "server", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "tool", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{0},
};
static const struct gw_param plugin_request_params[] = {
	{ "pluginId", GP_STR, GP_NON_EMPTY | GP_NULLABLE },
	{ "title", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = TITLE_MAX },
	{ "description", GP_STR, GP_REQUIRED | GP_NON_EMPTY, .max = DESCRIPTION_MAX },
	{ "detail", GP_STR, GP_NON_EMPTY | GP_NULLABLE, .max = DETAIL_MAX },
	{ "severity", GP_ENUM, GP_NULLABLE, .choices = severities },
	{ "scope", GP_OBJ, GP_OPEN | GP_NULLABLE },
	{ "toolName", GP_STR_OR_NULL },
	{ "toolCallId", GP_STR_OR_NULL },
	{ "mcpTool", GP_OBJ, .members = mcp_tool },
	{ "allowedDecisions", GP_ARR, GP_NULLABLE, .min = 1, .max = 3, .choices = all_decisions, .item = GP_STR },
	{ "agentId", GP_STR_OR_NULL },
	{ "sessionKey", GP_STR_OR_NULL },
	{ "approvalReviewerDeviceIds", GP_ARR, GP_NULLABLE | GP_NON_EMPTY, .item = GP_STR },
	{ "turnSourceChannel", GP_STR_OR_NULL },
	{ "turnSourceTo", GP_STR_OR_NULL },
	{ "turnSourceAccountId", GP_STR_OR_NULL },
	{ "turnSourceThreadId", GP_ANY },
	{ "timeoutMs", GP_INT, .min = 1, .max = PLUGIN_TTL_MAX_MS },
	{ "twoPhase", GP_BOOL },
	{0},
};

static unsigned plugin_decisions(const struct gw_call *call)
{
	unsigned bits = 0;

	json_each(name, json_get(call->params, "allowedDecisions")) {
		enum approval_decision d;

		if (approval_decision_parse(json_str(name), &d))
			bits |= d;
	}
	return bits ? bits | APPROVAL_DENY : APPROVAL_ALLOW_ONCE | APPROVAL_ALLOW_ALWAYS | APPROVAL_DENY;
}

static struct json *plugin_request(struct gw_call *call, const struct approval_ask *ask)
{
	static const struct { const char *name; bool keep_newlines; } texts[] = {
		{ "pluginId", false }, { "title", false }, { "description", true }, { "detail", true }, { "severity", false },
		{ "toolName", false }, { "toolCallId", false }, { "turnSourceChannel", false }, { "turnSourceTo", false },
		{ "turnSourceAccountId", false },
	};
	struct arena *a = call->arena;
	struct json *r = json_new_obj(a);

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		json_set(a, r, texts[i].name, shown_param(call, texts[i].name, texts[i].keep_newlines));
	json_set(a, r, "scope", shown_scope(call));
	json_set(a, r, "allowedDecisions", decisions_json(a, ask->decisions));
	set_text(a, r, "agentId", ask->agent_id);
	set_text(a, r, "sessionKey", ask->session_key);
	return r;
}

static struct json *plugin_presentation(struct gw_call *call, const struct json *request, const struct approval_ask *ask)
{
	static const char *const copied[] = { "title", "description", "pluginId", "toolName", "agentId" };
	struct arena *a = call->arena;
	struct json *p = json_new_obj(a);

	set_text(a, p, "kind", "plugin");
	for (size_t i = 0; i < CH_ARRAY_LEN(copied); i++)
		json_set(a, p, copied[i], json_clone(a, json_get(request, copied[i])));
	set_text(a, p, "severity", json_str_or(json_get(request, "severity"), "warning"));
	if (json_is(json_get(request, "detail"), JSON_STR))
		json_set(a, p, "detail", json_clone(a, json_get(request, "detail")));
	if (json_is(json_get(request, "scope"), JSON_OBJ))
		json_set(a, p, "scope", json_clone(a, json_get(request, "scope")));
	json_set(a, p, "allowedDecisions", decisions_json(a, ask->decisions));
	return p;
}

/* Characters as clients count them: UTF-16 units. */
static size_t utf16_len(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80 ? ((unsigned char)*s >= 0xf0 ? 2 : 1) : 0;
	return n;
}

CH_FIBER static ch_status run_plugin_request(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct approval_ask ask = { .kind = APPROVAL_PLUGIN, .ttl_ms = json_get_int(p, "timeoutMs", PLUGIN_TTL_MS) };
	char uuid[UUID_LEN];
	ch_status st = check_unions(call, err);

	if (!st)
		st = find_session(call, &ask, err);
	if (st)
		return st;
	rand_uuid(uuid);
	ask.id = arena_printf(call->arena, PLUGIN_PREFIX "%s", uuid);
	ask.tool_call_id = json_get_str(p, "toolCallId");
	ask.decisions = plugin_decisions(call);
	ask.request = plugin_request(call, &ask);
	if (utf16_len(json_str_or(json_get(ask.request, "title"), "")) > TITLE_MAX ||
	    utf16_len(json_str_or(json_get(ask.request, "description"), "")) > DESCRIPTION_MAX ||
	    utf16_len(json_str_or(json_get(ask.request, "detail"), "")) > DETAIL_MAX)
		return ch_fail(err, CH_E_INVALID, "title, description or detail is too long once its invisible characters are shown");
	ask.presentation = plugin_presentation(call, ask.request, &ask);
	return ask_and_wait(call, &ask, err);
}

const struct gw_method gwm_approval_request[] = {
	{ "exec.approval.request", run_exec_request, GW_SCOPE_APPROVALS, GW_WAITS, exec_request_params },
	{ "plugin.approval.request", run_plugin_request, GW_SCOPE_APPROVALS, GW_WAITS, plugin_request_params },
};
const size_t gwm_approval_request_count = CH_ARRAY_LEN(gwm_approval_request);
