/*
 * http_api/anthropic_messages.c - POST /v1/messages and /v1/messages/count_tokens: reading a request of
 * Anthropic's Messages API.
 *
 * anthropic_write.c has the answers. Each request is a session of its own; the header x-openclaw-session-key
 * names another. Signatures of thinking belong to another provider's key and are left out.
 */
#include "core/rand.h"
#include "core/str.h"
#include "http_api/anthropic.h"
#include "http_api/handlers.h"

#define STOPS_MAX 8192

/* -- blocks -- */

static CH_FIBER ch_status read_image(struct api_turn *t, const struct json *source, struct json **ret, struct ch_err *err)
{
	const char *type = json_get_str(source, "type"), *data = json_get_str(source, "data"), *mime;
	ch_status st;

	if (str_eq(type, "url") && json_get_str(source, "url"))
		return api_image_url(t, json_get_str(source, "url"), ret, err);
	if (!str_eq(type, "base64") || str_empty(data))
		return ch_fail(err, CH_E_INVALID, "messages: an image's source must be base64 with its data, or a url");
	st = api_image_check(t, data, &mime, err);
	if (!st)
		*ret = api_image_block(t->arena, mime, data);
	return st;
}

static ch_status read_document(struct api_turn *t, const struct json *block, struct json **ret, struct ch_err *err)
{
	const struct json *source = json_get(block, "source");
	const char *title = json_get_str(block, "title"), *data = json_get_str(source, "data");

	if (!str_eq(json_get_str(source, "type"), "text") || !data)
		return ch_fail(err, CH_E_UNSUPPORTED, "messages: documents are taken as plain text only");
	*ret = api_text_block(t->arena, arena_printf(t->arena, "<document title=\"%s\">\n%s\n</document>",
						     title ? title : "", data));
	return CH_OK;
}

/* A block that people write: text, an image, a document. */
static CH_FIBER ch_status read_part(struct api_turn *t, const struct json *block, struct json **ret, struct ch_err *err)
{
	const char *type = json_get_str(block, "type"), *text = json_get_str(block, "text");

	if (str_eq(type, "image"))
		return read_image(t, json_get(block, "source"), ret, err);
	if (str_eq(type, "document"))
		return read_document(t, block, ret, err);
	if (!str_eq(type, "text") || !text)
		return ch_fail(err, CH_E_UNSUPPORTED, "messages: blocks of type '%.40s' are not supported here",
			       type ? type : "");
	*ret = api_text_block(t->arena, text);
	return CH_OK;
}

static CH_FIBER ch_status read_result(struct api_turn *t, const struct json *block, struct ch_err *err)
{
	const struct json *content = json_get(block, "content");
	const char *id = json_get_str(block, "tool_use_id");
	struct json *message, *part;
	ch_status st;

	if (str_empty(id))
		return ch_fail(err, CH_E_INVALID, "messages: a tool_result needs its tool_use_id");
	if (!json_is(content, JSON_ARR)) {
		api_tool_result(t, id, NULL, json_str_or(content, ""), json_get_bool(block, "is_error", false));
		return CH_OK;
	}
	message = api_tool_result(t, id, NULL, json_len(content) ? NULL : "", json_get_bool(block, "is_error", false));
	json_each(b, content) {
		st = read_part(t, b, &part, err);
		if (st)
			return st;
		json_push(json_get(message, "content"), part);
	}
	return CH_OK;
}

/* Results of tools first, each a message; what the user says besides is another. */
static CH_FIBER ch_status read_user(struct api_turn *t, const struct json *content, struct ch_err *err)
{
	struct json *message = NULL, *part;
	ch_status st;

	json_each(block, content) {
		if (!str_eq(json_get_str(block, "type"), "tool_result"))
			continue;
		st = read_result(t, block, err);
		if (st)
			return st;
	}
	json_each(block, content) {
		if (str_eq(json_get_str(block, "type"), "tool_result"))
			continue;
		st = read_part(t, block, &part, err);
		if (st)
			return st;
		message = message ? message : api_message(t, "user");
		json_push(json_get(message, "content"), part);
	}
	return CH_OK;
}

static ch_status read_assistant(struct api_turn *t, const struct json *content, struct ch_err *err)
{
	struct json *message = api_assistant(t);

	json_each(block, content) {
		const char *type = json_get_str(block, "type"), *text = json_get_str(block, "text");
		const char *id = json_get_str(block, "id"), *name = json_get_str(block, "name");

		if (str_eq(type, "thinking") || str_eq(type, "redacted_thinking"))
			continue;
		if (str_eq(type, "text") && text)
			json_push(json_get(message, "content"), api_text_block(t->arena, text));
		else if (str_eq(type, "tool_use") && !str_empty(id) && !str_empty(name))
			api_call_block(t->arena, message, id, name, json_to_str(t->arena, json_get(block, "input")));
		else
			return ch_fail(err, CH_E_UNSUPPORTED, "messages: blocks of type '%.40s' are not supported in replies",
				       type ? type : "");
	}
	return CH_OK;
}

static CH_FIBER ch_status read_message(struct api_turn *t, const struct json *m, struct ch_err *err)
{
	const struct json *content = json_get(m, "content");
	const char *role = json_get_str(m, "role"), *text = json_str(content);
	bool is_user = str_eq(role, "user");

	if (!is_user && !str_eq(role, "assistant"))
		return ch_fail(err, CH_E_INVALID, "messages: the role must be user or assistant");
	if (!text && !json_is(content, JSON_ARR))
		return ch_fail(err, CH_E_INVALID, "messages: content must be a string or an array of blocks");
	if (text) {
		struct json *message = is_user ? api_message(t, "user") : api_assistant(t);

		json_push(json_get(message, "content"), api_text_block(t->arena, text));
		return CH_OK;
	}
	return is_user ? read_user(t, content, err) : read_assistant(t, content, err);
}

/* -- the rest -- */

static ch_status read_instructions(struct api_turn *t, struct ch_err *err)
{
	const struct json *v = json_get(t->body, "system");

	if (!v || v->type == JSON_NULL || json_str(v)) {
		api_system_add(t, json_str(v));
		return CH_OK;
	}
	json_each(block, v) {
		if (!json_get_str(block, "text"))
			return ch_fail(err, CH_E_INVALID, "system must be a string or an array of text blocks");
		api_system_add(t, json_get_str(block, "text"));
	}
	return CH_OK;
}

static ch_status read_tools(struct api_turn *t, struct ch_err *err)
{
	const struct json *choice = json_get(t->body, "tool_choice");
	const char *type = json_get_str(choice, "type");
	ch_status st;

	json_each(tool, json_get(t->body, "tools")) {
		const char *kind = json_get_str(tool, "type");

		if (kind && !str_eq(kind, "custom"))
			return ch_fail(err, CH_E_UNSUPPORTED, "tools: '%.60s' runs at its provider and is not offered here", kind);
		st = api_tool_add(t, json_get_str(tool, "name"), json_get_str(tool, "description"),
				  json_get(tool, "input_schema"), err);
		if (st)
			return st;
	}
	if (str_eq(type, "any"))
		return api_tool_choose(t, "required", NULL, err);
	if (str_eq(type, "tool"))
		return api_tool_choose(t, NULL, json_get_str(choice, "name") ? json_get_str(choice, "name") : "", err);
	return api_tool_choose(t, type, NULL, err);
}

static ch_status read_thinking(struct api_turn *t, struct ch_err *err)
{
	const struct json *v = json_get(t->body, "thinking");
	const char *type = json_get_str(v, "type"), *effort = json_str(json_path(t->body, "output_config.effort"));
	int64_t budget = json_get_int(v, "budget_tokens", 0);
	enum thinking_level level;

	if (effort && !thinking_parse(effort, &level))
		return ch_fail(err, CH_E_INVALID, "output_config.effort '%.40s' is not known", effort);
	if (str_eq(type, "disabled"))
		t->thinking = "off";
	else if (effort)
		t->thinking = effort;
	else if (str_eq(type, "adaptive"))
		t->thinking = "adaptive";
	else if (str_eq(type, "enabled"))
		t->thinking = budget < 4096 ? "low" : budget < 16384 ? "medium" : "high";
	else if (type)
		return ch_fail(err, CH_E_INVALID, "thinking.type must be enabled, disabled or adaptive");
	return CH_OK;
}

static ch_status read_stop(struct api_turn *t, struct ch_err *err)
{
	struct json *list = json_get(t->body, "stop_sequences");

	if (!list || list->type == JSON_NULL)
		return CH_OK;
	if (list->type != JSON_ARR || json_len(list) > STOPS_MAX)
		return ch_fail(err, CH_E_INVALID, "stop_sequences must be an array of strings");
	json_each(s, list)
		if (str_empty(json_str(s)))
			return ch_fail(err, CH_E_INVALID, "stop_sequences must be an array of non-empty strings");
	t->stop = json_len(list) ? list : NULL;
	return CH_OK;
}

static CH_FIBER ch_status read_conversation(struct api_turn *t, struct ch_err *err)
{
	const struct json *messages = json_get(t->body, "messages");
	ch_status st = read_instructions(t, err);

	if (!st)
		st = read_tools(t, err);
	if (!st && !json_is(messages, JSON_ARR))
		st = ch_fail(err, CH_E_INVALID, "messages must be an array");
	json_each(m, st ? NULL : messages) {
		st = read_message(t, m, err);
		if (st)
			return st;
	}
	return st;
}

/* A model that there is not is 404 in this API. */
static ch_status read_model(struct api_turn *t, struct ch_err *err)
{
	const char *agent;
	ch_status st = api_str(t->body, "model", &t->model, err);

	if (!st && str_empty(t->model))
		st = ch_fail(err, CH_E_INVALID, "model: Field required");
	if (st || !api_agent_of_model(t->gw, t->arena, t->model, &agent, NULL))
		return st;
	return ch_fail(err, CH_E_NOT_FOUND, "model: %.120s (the models are openclaw and openclaw/<agentId>)", t->model);
}

static CH_FIBER ch_status read_request(struct api_turn *t, struct ch_err *err)
{
	ch_status st = read_model(t, err);

	if (!st)
		st = api_int(t->body, "max_tokens", 1, &t->max_tokens, err);
	if (!st && !t->max_tokens)
		st = ch_fail(err, CH_E_INVALID, "max_tokens: Field required");
	if (!st)
		st = api_bool(t->body, "stream", &t->is_stream, err);
	if (!st)
		st = api_turn_target(t, "anthropic", NULL, err);
	if (!st)
		st = api_sampling(t, "temperature", 0, 1, err);
	if (!st)
		st = api_sampling(t, "top_p", 0, 1, err);
	if (!st)
		st = api_sampling(t, "top_k", 0, 1e9, err);
	if (!st)
		st = read_stop(t, err);
	if (!st)
		st = read_thinking(t, err);
	return st ? st : read_conversation(t, err);
}

void anthropic_messages(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct api_turn t;
	char id[UUID_LEN];
	struct ch_err err;
	ch_status st;

	if (!api_turn_init(&t, call, rq, arg, &api_anthropic, "messages"))
		return;
	rand_uuid(id);
	t.run_id = arena_printf(t.arena, "msg_%s", id);
	http_reply_header(call, "request-id", t.run_id);
	st = read_request(&t, &err);
	if (st)
		api_error_fail(call, t.style, st, &err);
	else
		api_turn_run(&t, &anthropic_writer);
	api_turn_done(&t);
}

/* -- counting -- */

#define IMAGE_TOKENS 1600                /* about, for a picture of the usual size */

/* Of what the request says; what the agent's own prompt adds is not the client's. */
static int64_t count(struct api_turn *t)
{
	int64_t n = model_estimate_tokens(buf_str(&t->instructions), t->instructions.len);

	for (size_t i = 0; i < t->tool_count; i++)
		n += model_estimate_tokens(t->tools[i].schema_json, strlen(t->tools[i].schema_json)) +
		     model_estimate_tokens(t->tools[i].description, strlen(t->tools[i].description));
	json_each(m, t->messages) {
		json_each(b, json_get(m, "content")) {
			const char *text = json_get_str(b, "text");
			const struct json *args = json_get(b, "arguments");

			n += text ? model_estimate_tokens(text, strlen(text)) : 0;
			if (args)
				text = json_to_str(t->arena, args);
			n += args ? model_estimate_tokens(text, strlen(text)) : 0;
			n += str_eq(json_get_str(b, "type"), "image") ? IMAGE_TOKENS : 0;
		}
	}
	return n;
}

void anthropic_count_tokens(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct api_turn t;
	struct ch_err err;
	ch_status st;

	if (!api_turn_init(&t, call, rq, arg, &api_anthropic, "messages"))
		return;
	st = read_model(&t, &err);
	if (!st)
		st = read_conversation(&t, &err);
	if (st) {
		api_error_fail(call, t.style, st, &err);
	} else {
		const char *body = arena_printf(t.arena, "{\"input_tokens\":%lld}", (long long)count(&t));

		http_reply_json(call, 200, body, strlen(body));
	}
	api_turn_done(&t);
}
