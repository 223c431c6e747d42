/*
 * http_api/openai_chat.c - POST /v1/chat/completions: reading a request of OpenAI's Chat Completions.
 *
 * openai_chat_write.c has the answers.
 */
#include "core/rand.h"
#include "core/str.h"
#include "http_api/api.h"
#include "http_api/handlers.h"
#include "http_api/openai.h"

#define STOPS_MAX 4

/* -- messages -- */

/* Adds a part to a message's content, or its text to the system's. */
static CH_FIBER ch_status read_part(struct api_turn *t, const struct json *part, struct json *message, struct ch_err *err)
{
	const char *type = json_get_str(part, "type");
	const struct json *image = json_get(part, "image_url");
	struct json *block;
	const char *url;
	ch_status st;

	if (str_in(type ? type : "", (const char *const[]){ "text", "input_text", "refusal" }, 3)) {
		const char *text = json_get_str(part, str_eq(type, "refusal") ? "refusal" : "text");

		if (!text)
			return ch_fail(err, CH_E_INVALID, "messages: a text part has no text");
		if (message)
			json_push(json_get(message, "content"), api_text_block(t->arena, text));
		else
			api_system_add(t, text);
		return CH_OK;
	}
	if (!str_eq(type, "image_url") || !message)
		return ch_fail(err, CH_E_UNSUPPORTED, "messages: parts of type '%.40s' are not supported", type ? type : "");
	url = json_str(image) ? json_str(image) : json_get_str(image, "url");
	if (str_empty(url))
		return ch_fail(err, CH_E_INVALID, "messages: an image_url part has no valid URL");
	st = api_image_url(t, url, &block, err);
	if (!st)
		json_push(json_get(message, "content"), block);
	return st;
}

/* message NULL: to the system prompt. */
static CH_FIBER ch_status read_content(struct api_turn *t, const struct json *content, struct json *message,
				       struct ch_err *err)
{
	ch_status st = CH_OK;

	if (!content || content->type == JSON_NULL)
		return CH_OK;
	if (json_str(content)) {
		if (message)
			json_push(json_get(message, "content"), api_text_block(t->arena, json_str(content)));
		else
			api_system_add(t, json_str(content));
		return CH_OK;
	}
	if (content->type != JSON_ARR)
		return ch_fail(err, CH_E_INVALID, "messages: content must be a string or an array of parts");
	json_each(part, content) {
		st = read_part(t, part, message, err);
		if (st)
			return st;
	}
	return CH_OK;
}

static const char *plain_text(struct api_turn *t, const struct json *content)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, API_BODY_MAX);
	if (json_str(content))
		return json_str(content);
	json_each(part, content)
		if (json_get_str(part, "text"))
			buf_printf(&out, "%s%s", out.len ? "\n" : "", json_get_str(part, "text"));
	return arena_strdup(t->arena, buf_str(&out));
}

static CH_FIBER ch_status read_assistant(struct api_turn *t, const struct json *m, struct ch_err *err)
{
	struct json *message = api_assistant(t);
	const struct json *old = json_get(m, "function_call");
	ch_status st = read_content(t, json_get(m, "content"), message, err);

	if (st)
		return st;
	json_each(call, json_get(m, "tool_calls")) {
		const struct json *fn = json_get(call, "function");
		const char *id = json_get_str(call, "id"), *name = json_get_str(fn, "name");

		if (str_empty(id) || str_empty(name))
			return ch_fail(err, CH_E_INVALID, "messages: a tool call needs an id and a function's name");
		api_call_block(t->arena, message, id, name, json_get_str(fn, "arguments"));
	}
	if (json_get_str(old, "name"))
		api_call_block(t->arena, message, arena_printf(t->arena, "fn_%s", json_get_str(old, "name")),
			       json_get_str(old, "name"), json_get_str(old, "arguments"));
	return CH_OK;
}

static ch_status read_result(struct api_turn *t, const struct json *m, bool is_old, struct ch_err *err)
{
	const char *name = json_get_str(m, "name"), *id = json_get_str(m, "tool_call_id");
	const struct json *content = json_get(m, "content");

	if (is_old && !str_empty(name))
		id = arena_printf(t->arena, "fn_%s", name);
	if (str_empty(id))
		return ch_fail(err, CH_E_INVALID, "messages: a tool's result needs its tool_call_id");
	if (content && content->type != JSON_STR && content->type != JSON_ARR && !is_old)
		return ch_fail(err, CH_E_INVALID, "messages: a tool's content must be a string or text parts");
	api_tool_result(t, id, is_old ? name : NULL, plain_text(t, content), false);
	return CH_OK;
}

static CH_FIBER ch_status read_message(struct api_turn *t, const struct json *m, struct ch_err *err)
{
	const char *role = json_get_str(m, "role");

	if (str_eq(role, "system") || str_eq(role, "developer"))
		return read_content(t, json_get(m, "content"), NULL, err);
	if (str_eq(role, "user"))
		return read_content(t, json_get(m, "content"), api_message(t, "user"), err);
	if (str_eq(role, "assistant"))
		return read_assistant(t, m, err);
	if (str_eq(role, "tool") || str_eq(role, "function"))
		return read_result(t, m, str_eq(role, "function"), err);
	return ch_fail(err, CH_E_INVALID, "messages: the role '%.40s' is not known", role ? role : "");
}

/* -- tools -- */

static ch_status read_tools(struct api_turn *t, struct ch_err *err)
{
	const struct json *tools = json_get(t->body, "tools"), *choice = json_get(t->body, "tool_choice");
	const char *name = json_str(json_path(choice, "function.name"));
	ch_status st;

	if (tools && tools->type != JSON_ARR && tools->type != JSON_NULL)
		return ch_fail(err, CH_E_INVALID, "Invalid tools/tool_choice: tools must be an array");
	json_each(tool, json_is(tools, JSON_ARR) ? tools : NULL) {
		const struct json *fn = json_get(tool, "function");

		if (!str_eq(json_get_str(tool, "type"), "function"))
			return ch_fail(err, CH_E_INVALID, "Invalid tools/tool_choice: only function tools are supported");
		st = api_tool_add(t, json_get_str(fn, "name"), json_get_str(fn, "description"), json_get(fn, "parameters"),
				  err);
		if (st)
			return st;
	}
	if (json_is(choice, JSON_OBJ) && (!str_eq(json_get_str(choice, "type"), "function") || !name))
		return ch_fail(err, CH_E_INVALID, "Invalid tools/tool_choice: only a function can be chosen");
	return api_tool_choose(t, json_str(choice), name, err);
}

/* -- wishes -- */

static ch_status read_stop(struct api_turn *t, struct ch_err *err)
{
	struct json *stop = json_get(t->body, "stop"), *list;

	if (!stop || stop->type == JSON_NULL)
		return CH_OK;
	list = stop;
	if (stop->type == JSON_STR) {
		list = json_new_arr(t->arena);
		json_push(list, json_clone(t->arena, stop));
	}
	if (list->type != JSON_ARR || json_len(list) > STOPS_MAX)
		return ch_fail(err, CH_E_INVALID, "Invalid stop: a string or an array of at most %d strings", STOPS_MAX);
	json_each(s, list)
		if (str_empty(json_str(s)))
			return ch_fail(err, CH_E_INVALID, "Invalid stop: entries must be non-empty strings");
	t->stop = json_len(list) ? list : NULL;
	return CH_OK;
}

ch_status openai_read_format(struct api_turn *t, const struct json *format, const struct json *schema, struct ch_err *err)
{
	const char *type = json_get_str(format, "type");

	if (!format || format->type == JSON_NULL || str_eq(type, "text"))
		return CH_OK;
	if (str_eq(type, "json_object"))
		api_system_add(t, "Answer with one JSON object and nothing else: no prose, no code fence.");
	else if (str_eq(type, "json_schema") && json_is(schema, JSON_OBJ))
		api_system_add(t, arena_printf(t->arena, "Answer with one JSON value and nothing else: no prose, no code fence. "
					       "It must be valid by this JSON Schema: %s", json_to_str(t->arena, schema)));
	else
		return ch_fail(err, CH_E_INVALID, "Invalid response_format: the type must be text, json_object or json_schema");
	return CH_OK;
}

static ch_status read_wishes(struct api_turn *t, struct ch_err *err)
{
	static const struct { const char *key; double min, max; } sampling[] = {
		{ "temperature", 0, 2 }, { "top_p", 0, 1 }, { "frequency_penalty", -2, 2 }, { "presence_penalty", -2, 2 },
	};
	const struct json *format = json_get(t->body, "response_format");
	int64_t old_max = 0, seed = INT64_MIN, n = 1;
	ch_status st = api_int(t->body, "max_completion_tokens", 1, &t->max_tokens, err);

	if (!st)
		st = api_int(t->body, "max_tokens", 1, &old_max, err);
	if (!st)
		st = api_int(t->body, "seed", -((int64_t)1 << 53), &seed, err);
	if (!st)
		st = api_int(t->body, "n", 1, &n, err);
	for (size_t i = 0; !st && i < CH_ARRAY_LEN(sampling); i++)
		st = api_sampling(t, sampling[i].key, sampling[i].min, sampling[i].max, err);
	if (!st && n != 1)
		st = ch_fail(err, CH_E_INVALID, "n must be 1: a turn has one answer");
	if (!st && seed != INT64_MIN)
		st = api_sampling(t, "seed", -0x1p53, 0x1p53, err);
	if (!st)
		st = read_stop(t, err);
	if (!st)
		st = openai_read_format(t, format, json_path(format, "json_schema.schema"), err);
	if (!st)
		st = openai_read_effort(t, json_get(t->body, "reasoning_effort"), err);
	t->max_tokens = t->max_tokens ? t->max_tokens : old_max;
	return st;
}

ch_status openai_read_effort(struct api_turn *t, const struct json *effort, struct ch_err *err)
{
	enum thinking_level level;

	if (!effort || effort->type == JSON_NULL)
		return CH_OK;
	t->thinking = str_eq(json_str(effort), "none") ? "off" : json_str(effort);
	if (!t->thinking || !thinking_parse(t->thinking, &level))
		return ch_fail(err, CH_E_INVALID, "reasoning effort must be none, minimal, low, medium, high or xhigh");
	return CH_OK;
}

static CH_FIBER ch_status read_request(struct api_turn *t, struct ch_err *err)
{
	const struct json *messages = json_get(t->body, "messages");
	const char *user = NULL;
	ch_status st;

	t->model = "openclaw";
	st = api_str(t->body, "model", &t->model, err);
	if (!st)
		st = api_str(t->body, "user", &user, err);
	if (!st)
		st = api_bool(t->body, "stream", &t->is_stream, err);
	if (!st)
		st = api_bool(json_get(t->body, "stream_options"), "include_usage", &t->with_usage, err);
	if (!st)
		st = api_turn_target(t, "openai", user, err);
	if (!st)
		st = read_wishes(t, err);
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

void openai_chat(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct api_turn t;
	char id[UUID_LEN];
	struct ch_err err;
	ch_status st;

	if (!api_turn_init(&t, call, rq, arg, &api_openai, "chatCompletions"))
		return;
	rand_uuid(id);
	t.run_id = arena_printf(t.arena, "chatcmpl_%s", id);
	st = read_request(&t, &err);
	if (st)
		api_error_fail(call, t.style, st, &err);
	else
		api_turn_run(&t, &openai_chat_writer);
	api_turn_done(&t);
}
