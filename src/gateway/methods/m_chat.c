/*
 * gateway/methods/m_chat.c - chat.send, abort, inject, message.get: writing to a conversation.
 *
 * chat.send is durable before its answer: agent_submit() has committed the input when
 * the client reads "started". The idempotency key is the run's id.
 */
#include <string.h>

#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"
#include "gateway/attachments.h"
#include "gateway/methods/chat_common.h"
#include "gateway/methods/session_common.h"
#include "gateway/render.h"
#include "sessions/branch.h"

/* -- what chat.send, sessions.send, sessions.create and agent share -- */

/* A device-less client is only an observation; a paired device speaks for the owner. */
static void put_identity(struct jw *w, const struct gw_conn *c)
{
	jw_obj(w);
	jw_kobj(w, "identity");
	if (gw_conn_device_id(c)) {
		jw_kstr(w, "type", "profile");
		jw_kstr(w, "id", GW_OWNER_PROFILE);
	} else {
		jw_kstr(w, "type", "observation");
		jw_knull(w, "pluginId");
		jw_knull(w, "accountId");
		jw_kstr(w, "senderKind", "unknown");
		jw_kstr(w, "id", gw_conn_client_id(c));
	}
	jw_end(w);
	jw_end(w);
}

/* Adds the sender to the session's participants; true when it was new. */
static bool add_participant(struct sess *s, const struct gw_conn *c)
{
	CH_AUTO_BUF struct buf me = { 0 };
	CH_AUTO_BUF struct buf all = { 0 };
	struct jw w = JW(&me);
	size_t n = s->participants ? strlen(s->participants) : 0;

	buf_init(&me, 4096);
	buf_init(&all, CHAT_PARTICIPANTS_MAX);
	put_identity(&w, c);
	if (n && strstr(s->participants, me.data))
		return false;
	if (n > 2)
		buf_printf(&all, "%.*s,%s]", (int)n - 1, s->participants, me.data);
	else
		buf_printf(&all, "[%s]", me.data);
	if (buf_status(&all, NULL, "participants"))
		return false;            /* a session with that many senders shows the first ones */
	sess_set_str(s, &s->participants, all.data);
	return true;
}

ch_status chat_submit(struct gw_call *call, const struct sess_key *key, struct run_input *in, struct chat_sent *ret,
		      struct ch_err *err)
{
	struct gw *gw = call->gw;
	int64_t started = now_mono_ms();
	struct json *images;
	struct sess *s;
	ch_status st = attachments_take(call->arena, (struct json *)in->attachments, in->text, &images, &in->text, err);

	if (!st)
		st = sess_open(gw->sessions, key, "operator", &s, &ret->created, err);
	if (st)
		return st;
	in->attachments = images;
	ret->sess = s;
	ret->load_session_ms = now_mono_ms() - started;
	if (ret->created)
		session_mark_owner(s, call->conn);
	if (add_participant(s, call->conn) || ret->created) {
		st = sess_save(s, err);
		if (st)
			return st;
	}
	in->session_key = s->key;
	in->client_id = gw_conn_client_id(call->conn);
	in->client_mode = gw_conn_client_mode(call->conn);
	in->client_name = gw_conn_client_name(call->conn);
	in->owner_conn = gw_conn_id(call->conn);
	in->sender_is_admin = gw_conn_has(call->conn, GW_SCOPE_ADMIN);
	in->sender_is_owner = in->sender_is_admin;       /* who may only write speaks for nobody else */
	in->may_command = true;
	in->session_is_new = ret->created;
	return agent_submit(gw->agents, in, call->arena, &ret->result, err);
}

const char *chat_status_word(const struct submit_result *r)
{
	switch (r->status) {
	case SUBMIT_IN_FLIGHT: return "in_flight";
	case SUBMIT_ENDED: return r->known.state == INPUT_FAILED ? "error" : "ok";
	default: return "started";
	}
}

/* The command line measures by itself; a page shows these. */
static void put_timing(struct gw_call *call, struct jw *w, const struct chat_sent *sent)
{
	if (str_in(gw_conn_client_mode(call->conn), (const char *const[]){ "cli", "backend", "probe" }, 3))
		return;
	jw_kobj(w, "serverTiming");
	jw_kint(w, "receivedToAckMs", now_mono_ms() - call->received_mono_ms);
	jw_kint(w, "loadSessionMs", sent->load_session_ms);
	jw_end(w);
}

void chat_put_ack(struct gw_call *call, struct jw *w, const char *run_id, const struct chat_sent *sent)
{
	jw_kstr(w, "runId", run_id);
	jw_kstr(w, "status", chat_status_word(&sent->result));
	if (sent->result.status == SUBMIT_ENDED && sent->result.known.state == INPUT_FAILED)
		jw_kstr_opt(w, "summary", sent->result.known.error);
	if (sent->result.interrupted_active)
		jw_kbool(w, "interruptedActiveRun", true);
	put_timing(call, w, sent);
}

/* -- chat.send -- */

static const char *const queue_modes[] = { "steer", "followup", "collect", "interrupt", NULL };

const struct gw_param chat_attachment_params[] = {
	{ "type", GP_STR }, { "mimeType", GP_STR }, { "fileName", GP_STR }, { "content", GP_ANY }, { "sizeBytes", GP_NUM },
	{ "durationMs", GP_NUM }, { "width", GP_NUM }, { "height", GP_NUM }, { "origin", GP_ANY }, { 0 },
};
const struct gw_param chat_mention_params[] = {
	{ "profileId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "start", GP_INT, GP_REQUIRED, .min = 0, .max = INT64_MAX },
	{ "end", GP_INT, GP_REQUIRED, .min = 0, .max = INT64_MAX },
	{ 0 },
};

static const char *const fast_words[] = { "auto", NULL };
static const char *const permissions[] = { "read-only", "guarded", "workspace", "full", NULL };
static const char *const provenances[] = { "external_user", "inter_session", "internal_system", NULL };
static const char *const intents[] = { "session-goal-start", NULL };

static const struct gw_param work_params[] = {
	{ "page", GP_STR, GP_REQUIRED }, { "title", GP_STR }, { "sessionKey", GP_STR }, { "sessionId", GP_STR }, { "agentId", GP_STR },
	{ "workspace", GP_ANY }, { "file", GP_ANY }, { "selection", GP_ANY }, { 0 },
};
static const struct gw_param intent_params[] = {
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = intents }, { "version", GP_INT, GP_REQUIRED, .min = 0, .max = 1 },
	{ "issuedAtMs", GP_INT, GP_REQUIRED, .min = 0, .max = INT64_MAX }, { 0 },
};
static const struct gw_param provenance_params[] = {
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = provenances }, { "originSessionId", GP_STR }, { "sourceSessionKey", GP_STR },
	{ "sourceChannel", GP_STR }, { "sourceTool", GP_STR }, { "sourceRole", GP_STR }, { "sourcePromptPrefix", GP_STR },
	{ "jobId", GP_STR }, { "runId", GP_STR }, { 0 },
};

static const struct gw_param tool_override_params[] = {
	{ "mcpServers", GP_OBJ, .item = GP_BOOL },
	{ "mcpToolsDeny", GP_OBJ, .item = GP_ARR },
	{ "skills", GP_OBJ, .item = GP_BOOL },
	{ "webSearch", GP_BOOL },
	{ 0 },
};
static const struct gw_param send_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY, 1, SESS_KEY_MAX },
	{ "message", GP_STR, GP_REQUIRED },
	{ "idempotencyKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionId", GP_STR, GP_NON_EMPTY },
	{ "mentions", GP_ARR, .item = GP_OBJ, .members = chat_mention_params },
	{ "workContext", GP_OBJ, .members = work_params },
	{ "intent", GP_OBJ, .members = intent_params },
	{ "thinking", GP_STR },
	{ "fastMode", GP_BOOL_OR_ENUM, .choices = fast_words },
	{ "fastAutoOnSeconds", GP_INT, .min = 1, .max = INT64_MAX },
	{ "queueMode", GP_ENUM, .choices = queue_modes },
	{ "deliver", GP_BOOL },
	{ "originatingChannel", GP_STR },
	{ "originatingTo", GP_STR },
	{ "originatingAccountId", GP_STR },
	{ "originatingThreadId", GP_STR },
	{ "replyToId", GP_STR, GP_NON_EMPTY },
	{ "attachments", GP_ARR, GP_OPEN, .item = GP_OBJ, .members = chat_attachment_params },
	{ "toolBindings", GP_OBJ, 0, 0, 16, .item = GP_ANY },
	{ "timeoutMs", GP_INT, .min = 0, .max = INT64_MAX },
	{ "systemInputProvenance", GP_OBJ, .members = provenance_params },
	{ "systemProvenanceReceipt", GP_STR },
	{ "suppressCommandInterpretation", GP_BOOL },
	{ "expectedLeafEntryId", GP_STR, GP_NON_EMPTY | GP_NULLABLE },
	{ "expectedSessionRoutingContract", GP_STR, GP_NON_EMPTY },
	{ "expectedPermissionMode", GP_ENUM, GP_NULLABLE, .choices = permissions },
	{ "expectedToolOverrides", GP_OBJ, GP_NULLABLE, .members = tool_override_params },
	{ 0 },
};

ch_status chat_check_message(const char *method, const char *message, const struct json *attachments, struct ch_err *err)
{
	if (str_empty(message) && !json_len(attachments))
		return ch_fail(err, CH_E_INVALID, "%s needs a message or an attachment", method);
	return CH_OK;
}

/* Where the answer goes beside the session, when the client says so: messages of one place are answered together. */
static const char *thread_of(const struct gw_call *call)
{
	const char *channel = json_get_str(call->params, "originatingChannel");

	if (str_empty(channel))
		return NULL;
	return arena_printf(call->arena, "%s:%s:%s:%s", channel,
			    json_str_or(json_get(call->params, "originatingAccountId"), ""),
			    json_str_or(json_get(call->params, "originatingTo"), ""),
			    json_str_or(json_get(call->params, "originatingThreadId"), ""));
}

static ch_status refuse(struct gw_call *call, const char *reason, const char *text, struct ch_err *err)
{
	struct json *details = json_new_obj(call->arena);

	json_set(call->arena, details, "reason", json_new_str(call->arena, reason));
	return gw_fail_details(call, err, CH_E_INVALID, details, "%s", text);
}

/*
 * expectedLeafEntryId: what the sender saw last. It must still be the end of the conversation, or, from a sender that names
 * the window, stand somewhere in it; after a rewind or a switch the message was meant for something else.
 */
static ch_status is_leaf_active(struct gw_call *call, const char *key, bool *ret, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	const char *expected = json_get_str(call->params, "expectedLeafEntryId");
	const char *window = json_get_str(call->params, "sessionId");
	char leaf[BRANCH_ID_MAX] = "";
	struct tr_entry e;
	ch_status st = sess_find(call->gw->sessions, key, &s, err);

	if (st == CH_E_NOT_FOUND) {
		*ret = !expected;
		return CH_OK;
	}
	if (!st)
		st = branch_leaf(call->gw->sessions, s->session_id, leaf, err);
	if (st)
		return st;
	*ret = str_eq(expected ? expected : "", leaf) && (!window || str_eq(window, s->session_id));
	if (*ret || !window || !str_eq(window, s->session_id))
		return CH_OK;
	st = expected ? tr_find(call->gw->sessions, s->session_id, expected, call->arena, &e, err) : CH_OK;
	*ret = st == CH_OK;
	return st == CH_E_NOT_FOUND ? CH_OK : st;
}

static ch_status check_leaf(struct gw_call *call, const char *key, const char *run_id, struct ch_err *err)
{
	struct input_row known;
	bool active = true;
	ch_status st;

	if (!json_get(call->params, "expectedLeafEntryId") || str_eq(json_get_str(call->params, "queueMode"), "steer"))
		return CH_OK;
	/* A repeated request gets the answer of the first, wherever the conversation is by now. */
	st = input_find(call->gw->sessions, key, run_id, call->arena, &known, err);
	if (st == CH_E_NOT_FOUND)
		st = is_leaf_active(call, key, &active, err);
	return st || active ? st : refuse(call, "active-leaf-changed", "active branch changed; review and retry", err);
}

/* No session has a permission mode or tool overrides: whoever expects some saw another gateway. */
static ch_status check_settings(struct gw_call *call, struct ch_err *err)
{
	const struct json *overrides = json_get(call->params, "expectedToolOverrides");

	if (json_get_str(call->params, "expectedPermissionMode") || json_len(overrides))
		return refuse(call, "session-settings-changed", "Session settings changed before send. Retry.", err);
	if (json_get(call->params, "intent"))
		return ch_fail(err, CH_E_ABSENT, "chat.send: this build has no goals");
	return CH_OK;
}

/* Who says where a message came from, or that it is no command, speaks for others. */
static ch_status check_origin(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	bool is_system = json_get(p, "systemInputProvenance") || !str_empty(json_get_str(p, "systemProvenanceReceipt")) ||
			 json_get_bool(p, "suppressCommandInterpretation", false);

	if (gw_conn_has(call->conn, GW_SCOPE_ADMIN))
		return CH_OK;
	if (is_system)
		return ch_fail(err, CH_E_INVALID, "system provenance fields require admin scope");
	if (!str_empty(json_get_str(p, "originatingChannel")))
		return ch_fail(err, CH_E_INVALID, "originating route fields require admin scope");
	return CH_OK;
}

static CH_FIBER ch_status run_send(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct run_input in = {
		.run_id = json_get_str(p, "idempotencyKey"),
		.text = json_get_str(p, "message"),
		.attachments = json_get(p, "attachments"),
		.thinking = json_get_str(p, "thinking"),
		.queue_mode = json_get_str(p, "queueMode"),
		.thread = thread_of(call),
		.fast = session_fast_word(json_get(p, "fastMode")),
		.is_plain = json_get_bool(p, "suppressCommandInterpretation", false),
		.timeout_ms = json_get_int(p, "timeoutMs", 0),
	};
	CH_AUTO_DONE(chat_sent_done) struct chat_sent sent = { 0 };
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = chat_check_message("chat.send", in.text, in.attachments, err);
	if (!st)
		st = check_origin(call, err);
	if (!st)
		st = check_settings(call, err);
	if (!st)
		st = check_leaf(call, key.key, in.run_id, err);
	if (!st)
		st = chat_submit(call, &key, &in, &sent, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	chat_put_ack(call, w, in.run_id, &sent);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- chat.abort -- */

static const struct gw_param abort_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "runId", GP_STR, GP_NON_EMPTY },
	{ "preserveSideRuns", GP_BOOL },
	{ 0 },
};

static CH_FIBER ch_status run_abort(struct gw_call *call, struct ch_err *err)
{
	const char *const *ids = NULL;
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = agent_abort(call->gw->agents, key.key, json_get_str(call->params, "runId"), "rpc", call->arena, &ids, err);
	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kbool(w, "aborted", ids[0] != NULL);
	jw_karr(w, "runIds");
	for (size_t i = 0; ids[i]; i++)
		jw_str(w, ids[i]);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- chat.inject -- */

static const struct gw_param inject_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "message", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "label", GP_STR, .min = 0, .max = 100 },
	{ 0 },
};

/* An assistant message that no model wrote. */
static const char *injected_message(struct arena *a, const char *text, const char *label)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, TR_MESSAGE_MAX);
	jw_obj(&w);
	jw_kstr(&w, "role", "assistant");
	jw_karr(&w, "content");
	jw_obj(&w);
	jw_kstr(&w, "type", "text");
	jw_key(&w, "text");
	if (label)
		jw_str(&w, arena_printf(a, "[%s]\n\n%s", label, text));
	else
		jw_str(&w, text);
	jw_end(&w);
	jw_end(&w);
	jw_kstr(&w, "api", "openai-responses");
	jw_kstr(&w, "provider", "openclaw");
	jw_kstr(&w, "model", "gateway-injected");
	jw_kraw(&w, "usage", CHAT_ZERO_USAGE, sizeof(CHAT_ZERO_USAGE) - 1);
	jw_kstr(&w, "stopReason", "stop");
	jw_kint(&w, "timestamp", now_wall_ms());
	jw_end(&w);
	return buf_status(&out, NULL, "message") ? NULL : arena_strdup(a, out.data);
}

static CH_FIBER ch_status run_inject(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct tr_entry e = { .type = "message", .role = "assistant" };
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	if (st == CH_E_NOT_FOUND)
		return ch_fail(err, CH_E_INVALID, "session not found: %s", key.key);
	if (st)
		return st;
	e.message = injected_message(call->arena, json_get_str(call->params, "message"), json_get_str(call->params, "label"));
	if (!e.message)
		return ch_fail(err, CH_E_LIMIT, "chat.inject: the message is larger than %u bytes", TR_MESSAGE_MAX);
	e.message_len = strlen(e.message);
	e.search_text = json_get_str(call->params, "message");
	st = tr_append(s, NULL, 0, &e, call->arena, err);
	if (st)
		return st;
	struct run_event final = {
		.kind = RUN_EV_CHAT, .run_id = arena_printf(call->arena, "inject-%s", e.id), .session_key = s->key,
		.session_id = s->session_id, .agent_id = s->agent_id, .sess = s, .ts = now_wall_ms(), .state = CHAT_FINAL,
		.message_json = e.message,
	};
	struct run_event row = final;

	row.kind = RUN_EV_ROW;
	row.run_id = NULL;
	row.entry = &e;
	gw_on_run_event(call->gw, &final);
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "messageId", e.id);
	jw_end(w);
	gw_reply_end(call);
	gw_on_run_event(call->gw, &row);
	return CH_OK;
}

/* -- chat.message.get -- */

static const struct gw_param message_get_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "messageId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "maxChars", GP_INT, .min = 1, .max = 2000000 },
	{ 0 },
};

static CH_FIBER ch_status run_message_get(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	size_t max = (size_t)json_get_int(call->params, "maxChars", 2000000);
	const char *missing = NULL;
	struct tr_entry e = { 0 };
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	if (!st)
		st = tr_find(call->gw->sessions, s->session_id, json_get_str(call->params, "messageId"), call->arena, &e, err);
	if (st == CH_E_NOT_FOUND)
		missing = "not_found";
	else if (st)
		return st;
	else if (!e.seq)
		missing = "not_visible";
	else if (e.message_len > max)
		missing = "oversized";
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", !missing);
	if (missing) {
		jw_kstr(w, "unavailableReason", missing);
	} else {
		jw_key(w, "message");
		gw_render_message(w, &e);
	}
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

const struct gw_method gwm_chat[] = {
	/* name                run              scope            flags      params */
	{ "chat.abort",        run_abort,       GW_SCOPE_WRITE,  0,         abort_params },
	{ "chat.inject",       run_inject,      GW_SCOPE_ADMIN,  GW_HIDDEN, inject_params },
	{ "chat.message.get",  run_message_get, GW_SCOPE_READ,   0,         message_get_params },
	{ "chat.send",         run_send,        GW_SCOPE_WRITE,  0,         send_params },
};
const size_t gwm_chat_count = CH_ARRAY_LEN(gwm_chat);
