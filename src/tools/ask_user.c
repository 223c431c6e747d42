/*
 * tools/ask_user.c - ask_user: up to three questions to the person, with options, and the wait for the answers.
 *
 * The question is durable: when the gateway stops while it waits, it stays open, and a later answer wakes the session.
 */
#include <string.h>

#include "approvals/question.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "tools/table.h"

#define WAIT_MIN_S 30
#define WAIT_MAX_S 3600
#define WAIT_DEFAULT_S 900
#define HEADER_UNITS 12

/* Models write long headers; the protocol takes 12 characters. */
static const char *header_of(struct arena *a, const char *text)
{
	size_t at = 0, units = 0, len = strlen(text);
	uint32_t cp;

	while (at < len) {
		size_t step = CH_MAX(utf8_decode(text + at, len - at, &cp), 1);

		units += cp >= 0x10000 ? 2 : 1;
		if (units > HEADER_UNITS)
			break;
		at += step;
	}
	return arena_strndup(a, text, at);
}

/* In the protocol's words. A person may always answer in their own. */
static struct json *to_protocol(struct arena *a, const struct json *given)
{
	struct json *list = json_new_arr(a);

	json_each(q, given) {
		struct json *out = json_new_obj(a);

		json_set(a, out, "questionId", json_new_str(a, json_get_str(q, "id")));
		json_set(a, out, "header", json_new_str(a, header_of(a, json_get_str(q, "header"))));
		json_set(a, out, "question", json_new_str(a, json_get_str(q, "question")));
		json_set(a, out, "options", json_clone(a, json_get(q, "options")));
		if (json_get_bool(q, "multiSelect", false))
			json_set(a, out, "multiSelect", json_new_bool(a, true));
		json_set(a, out, "isOther", json_new_bool(a, true));
		json_push(list, out);
	}
	return list;
}

static ch_status check_asked(const struct json *questions, struct ch_err *err)
{
	json_each(q, questions)
		if (!json_len(json_get(q, "options")))
			return ch_fail(err, CH_E_INVALID, "question '%.80s' needs 2 to 4 options", json_get_str(q, "id"));
	return CH_OK;
}

static void answer(struct tool_ctx *ctx, const struct question *q, struct tool_result *ret)
{
	struct arena *a = ctx->arena;
	struct json *details = json_new_obj(a), *answers;
	const char *text;

	if (q->status == QUESTION_ANSWERED) {
		answers = json_new_obj(a);
		json_set(a, answers, "answers", json_clone(a, q->answers));
		json_set(a, details, "status", json_new_str(a, "answered"));
		json_set(a, details, "answers", answers);
	} else {
		json_set(a, details, "status", json_new_str(a, "no_answer"));
	}
	text = json_to_str(a, details);
	ret->details = details;
	tool_result_text(ctx, ret, text, strlen(text));
}

static ch_status ask_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	int64_t wait_s = json_get_int(args, "timeoutSeconds", WAIT_DEFAULT_S);
	struct question_ask ask = { .agent_id = ctx->agent_id, .session_key = ctx->session_key, .run_id = ctx->run_id,
				    .wakes = true };
	struct question q;
	const char *id;
	ch_status st;

	if (!ctx->host->questions)
		return ch_fail(err, CH_E_UNSUPPORTED, "ask_user is not available here: nobody can be asked");
	st = check_asked(json_get(args, "questions"), err);
	if (st)
		return st;
	ask.questions = to_protocol(ctx->arena, json_get(args, "questions"));
	ask.ttl_ms = CH_MIN(CH_MAX(wait_s, WAIT_MIN_S), WAIT_MAX_S) * 1000;
	st = question_create(ctx->host->questions, &ask, ctx->arena, &id, err);
	if (!st)
		st = question_wait(ctx->host->questions, id, FIBER_FOREVER, ctx->arena, &q, err);
	if (st)
		return st;
	answer(ctx, &q, ret);
	return CH_OK;
}

static const char *ask_meta(struct arena *a, const struct json *args)
{
	return json_get_str(json_at(json_get(args, "questions"), 0), "header");
}

const struct tool tool_ask_user = {
	.name = "ask_user",
	.label = "Ask User",
	.description = "Asks the user one to three questions and waits for the answers. Only for decisions that are theirs to make "
		       "and without which you cannot go on; not to ask whether to continue, nor for what you can find out. Ask one "
		       "question a call unless answers belong together. Put every choice into options, the one you would take "
		       "first with \"(Recommended)\" behind it; the user can always answer in their own words. Never ask for a "
		       "password or a key. On no_answer go on as you judge best.",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{\"questions\":{\"type\":\"array\",\"description\":\"1 to 3.\",\"items\":{\"type\":"
		"\"object\",\"properties\":{\"id\":{\"type\":\"string\",\"description\":\"Key of the answer, in snake_case.\"},"
		"\"header\":{\"type\":\"string\",\"description\":\"A word or two.\"},\"question\":{\"type\":\"string\",\"minLength\":1},"
		"\"options\":{\"type\":\"array\",\"description\":\"2 to 4.\",\"items\":{\"type\":\"object\",\"properties\":{\"label\":"
		"{\"type\":\"string\",\"minLength\":1},\"description\":{\"type\":\"string\"}},\"required\":[\"label\"],"
		"\"additionalProperties\":false}},\"multiSelect\":{\"type\":\"boolean\"}},\"required\":[\"id\",\"header\",\"question\","
		"\"options\"],\"additionalProperties\":false}},\"timeoutSeconds\":{\"type\":\"integer\",\"description\":\"30 to 3600; "
		"900 when absent.\"}},\"required\":[\"questions\"],\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = (WAIT_MAX_S + 60) * 1000LL,        /* the question's own time is shorter */
	.out_max_bytes = QUESTION_TEXT_MAX,
	.flags = TOOL_NOT_SUBAGENT,
	.group = "agents",
	.meta = ask_meta,
	.run = ask_run,
};
