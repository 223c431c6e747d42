/*
 * gateway/methods/m_questions.c - question.*: what agents ask people; and progressCard.*: what they tell of long work.
 */
#include "core/fiber.h"
#include "core/str.h"
#include "gateway/methods/absent.h"
#include "gateway/questions.h"
#include "gateway/render.h"
#include "gateway/services.h"

static struct questions *questions_of(const struct gw_call *call)
{
	return call->gw->services->host.questions;
}

/* The protocol's reason beside the text. */
static ch_status failed(struct gw_call *call, ch_status st, struct ch_err *err)
{
	const char *reason = st == CH_E_NOT_FOUND ? "QUESTION_NOT_FOUND" : st == CH_E_CONFLICT ? "QUESTION_ALREADY_TERMINAL"
			   : st == CH_E_EXISTS ? "QUESTION_ID_IN_USE" : NULL;

	return reason ? gw_fail_details(call, err, st, gwm_detail(call, "reason", reason), "%s",
					arena_strdup(call->arena, err->text)) : st;
}

/* -- question.* -- */

static ch_status run_request(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct question_ask ask = { .id = json_get_str(p, "id"), .agent_id = json_get_str(p, "agentId"),
				    .session_key = json_get_str(p, "sessionKey"), .run_id = json_get_str(p, "runId"),
				    .questions = json_get(p, "questions"), .ttl_ms = json_get_int(p, "timeoutMs", 0) };
	struct question q;
	const char *id;
	struct jw *w;
	ch_status st;

	json_each(one, ask.questions)
		if (json_get(one, "secretStore"))        /* only an agent's own tool may ask for one: it names its store */
			return ch_fail(err, CH_E_INVALID, "secret store questions require trusted agent runtime authority");
	st = question_create(questions_of(call), &ask, call->arena, &id, err);
	if (!st)
		st = question_find(questions_of(call), id, call->arena, &q, err);
	if (st)
		return failed(call, st, err);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "id", id);
	jw_kint(w, "expiresAtMs", q.expires_at);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	struct question q;
	ch_status st = question_find(questions_of(call), json_get_str(call->params, "id"), call->arena, &q, err);
	struct jw *w;

	if (st)
		return failed(call, st, err);
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_key(w, "question");
	gw_render_question(w, &q);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static bool put_question(void *arg, const struct question *q)
{
	gw_render_question(arg, q);
	return true;
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO_BUF struct buf list = { 0 };
	struct jw body = JW(&list), *w;
	ch_status st;

	buf_init(&list, QUESTIONS_PENDING_MAX * 4 * (size_t)QUESTION_TEXT_MAX);
	jw_obj(&body);
	jw_karr(&body, "questions");
	st = question_pending(questions_of(call), put_question, &body, err);
	jw_end(&body);
	jw_end(&body);
	if (!st)
		st = buf_status(&list, err, "the list of questions");
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_raw(w, list.data, list.len);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status reply_answer(struct gw_call *call, const struct question *q)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	gw_render_answer(w, q);
	if (q->resolution_id && json_get_bool(call->params, "includeResolutionId", false))
		jw_kstr(w, "resolutionId", q->resolution_id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* Which of the two forms of the parameters it is; both have the id. */
static ch_status check_form(const struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	bool answers = json_get(p, "answers") != NULL, cancels = json_get(p, "cancel") != NULL;

	if (answers == cancels)
		return ch_fail(err, CH_E_INVALID, "invalid question.resolve params: at root: must have either property 'answers' or "
			       "property 'cancel'");
	if (cancels && (json_get(p, "secretStoreAllowedHosts") || json_get(p, "resolutionId")))
		return ch_fail(err, CH_E_INVALID, "invalid question.resolve params: at root: unexpected property beside 'cancel'");
	if (json_get(p, "secretStoreAllowedHosts"))
		return ch_fail(err, CH_E_INVALID, "Secret store allowed hosts require a store-bound question.");
	return CH_OK;
}

static ch_status run_resolve(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params, *by = json_get(p, "resolvedBy");
	struct question q;
	ch_status st = check_form(call, err);

	if (st)
		return st;
	if (!by)
		by = json_new_str(call->arena, gw_conn_client_id(call->conn));
	st = question_resolve(questions_of(call), json_get_str(p, "id"), json_path(p, "answers.answers"), by,
			      json_get_str(p, "resolutionId"), call->arena, &q, err);
	if (st == CH_E_INVALID)
		return gw_fail_details(call, err, st, gwm_detail(call, "reason", "QUESTION_INVALID_ANSWER"), "%s",
				       arena_strdup(call->arena, err->text));
	return st ? failed(call, st, err) : reply_answer(call, &q);
}

/* At the deadline: as it is then. */
static CH_FIBER ch_status run_wait(struct gw_call *call, struct ch_err *err)
{
	int64_t ms = json_get_int(call->params, "timeoutMs", 0);
	struct question q;
	ch_status st = question_wait(questions_of(call), json_get_str(call->params, "id"), ms ? fiber_deadline(ms) : FIBER_FOREVER,
				     call->arena, &q, err);

	return st && st != CH_E_TIMEOUT ? failed(call, st, err) : reply_answer(call, &q);
}

/* -- progressCard.* -- */

static ch_status card_key(struct gw_call *call, const char **ret_key, struct ch_err *err)
{
	const char *agent_id = json_get_str(call->params, "agentId");
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (st)
		return st;
	if (agent_id && !str_eq(agent_id, key.agent_id))
		return ch_fail(err, CH_E_INVALID, "the session '%.200s' is not one of agent '%.64s'", key.key, agent_id);
	*ret_key = key.key;
	return CH_OK;
}

static ch_status reply_card(struct gw_call *call, const char *key, const struct progress_card *card)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_key(w, "card");
	gw_render_progress(w, key, card);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_card_get(struct gw_call *call, struct ch_err *err)
{
	struct progress_card card;
	const char *key;
	ch_status st = card_key(call, &key, err);

	if (!st)
		st = progress_get(call->gw->services->host.progress, key, call->arena, &card, err);
	return st ? st : reply_card(call, key, &card);
}

static ch_status run_card_put(struct gw_call *call, struct ch_err *err)
{
	const struct json *p = call->params;
	struct progress_put put = { .note = json_get_str(p, "markdown"), .steps = json_get(p, "plan"),
				    .expected_revision = json_get_int(p, "expectedRevision", 0) };
	struct progress_card card;
	ch_status st = card_key(call, &put.session_key, err);

	if (!st)
		st = progress_put(call->gw->services->host.progress, &put, call->arena, &card, err);
	return st ? st : reply_card(call, put.session_key, &card);
}

/* -- parameters -- */

static const char *const secret_kinds[] = { "secret", "env", NULL };
static const char *const step_states[] = { "pending", "in_progress", "completed", NULL };
static const struct gw_param option_params[] = {
	{ "label", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "description", GP_STR },
	{ 0 },
};
static const struct gw_param store_params[] = {
	{ "name", GP_STR, GP_REQUIRED | GP_NON_EMPTY, 1, 128 },
	{ "kind", GP_ENUM, GP_REQUIRED, .choices = secret_kinds },
	{ "allowedHosts", GP_ARR, GP_UNIQUE, 0, 128, .item = GP_STR },
	{ "reason", GP_STR, .max = 200 },
	{ 0 },
};
static const struct gw_param question_params[] = {
	{ "questionId", GP_STR, GP_REQUIRED },
	{ "header", GP_STR, GP_REQUIRED, .max = 12 },
	{ "question", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "options", GP_ARR, GP_REQUIRED, .max = 4, .item = GP_OBJ, .members = option_params },
	{ "multiSelect", GP_BOOL },
	{ "isOther", GP_BOOL },
	{ "isSecret", GP_BOOL },
	{ "secretStore", GP_OBJ, .members = store_params },
	{ 0 },
};
static const struct gw_param request_params[] = {
	{ "id", GP_STR, GP_NON_EMPTY },
	{ "questions", GP_ARR, GP_REQUIRED, 1, 3, .item = GP_OBJ, .members = question_params },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "sessionKey", GP_STR, GP_NON_EMPTY },
	{ "runId", GP_STR, GP_NON_EMPTY },
	{ "timeoutMs", GP_INT, .min = 1, .max = INT64_MAX },
	{ 0 },
};
static const struct gw_param answers_params[] = {
	{ "answers", GP_OBJ, GP_REQUIRED, .item = GP_ARR },
	{ 0 },
};
static const struct gw_param resolve_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "answers", GP_OBJ, .members = answers_params },
	{ "cancel", GP_TRUE },
	{ "secretStoreAllowedHosts", GP_ARR, GP_UNIQUE, 0, 128, .item = GP_STR },
	{ "resolvedBy", GP_STR, GP_NON_EMPTY },
	{ "resolutionId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param wait_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "timeoutMs", GP_INT, .min = 1, .max = INT64_MAX },
	{ "includeResolutionId", GP_BOOL },
	{ 0 },
};
static const struct gw_param id_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param card_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};
static const struct gw_param step_params[] = {
	{ "step", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "status", GP_ENUM, GP_REQUIRED, .choices = step_states },
	{ 0 },
};
static const struct gw_param card_put_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "markdown", GP_STR },
	{ "plan", GP_ARR, .max = 50, .item = GP_OBJ, .members = step_params },
	{ "expectedRevision", GP_INT, .min = 1, .max = INT64_MAX },
	{ 0 },
};

const struct gw_method gwm_questions[] = {
	/* name                  run           scope               flags      params */
	{ "progressCard.get",    run_card_get, GW_SCOPE_READ,      GW_INLINE, card_params },
	{ "progressCard.put",    run_card_put, GW_SCOPE_WRITE,     GW_INLINE, card_put_params },
	{ "question.get",        run_get,      GW_SCOPE_QUESTIONS, GW_INLINE, id_params },
	{ "question.list",       run_list,     GW_SCOPE_QUESTIONS, GW_INLINE },
	{ "question.request",    run_request,  GW_SCOPE_QUESTIONS, GW_INLINE, request_params },
	{ "question.resolve",    run_resolve,  GW_SCOPE_QUESTIONS, 0,         resolve_params },
	{ "question.waitAnswer", run_wait,     GW_SCOPE_QUESTIONS, GW_WAITS,  wait_params },
};
const size_t gwm_questions_count = CH_ARRAY_LEN(gwm_questions);
