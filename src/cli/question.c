/*
 * cli/question.c - see question.h. Text of the agent's is made safe before it is shown.
 */
#include "cli/question.h"

#include "approvals/question.h"
#include "cli/approval.h"
#include "cli/models_auth.h"
#include "core/mem.h"
#include "core/str.h"

static void show(struct cli *c, const struct json *q)
{
	size_t n = 0;

	cli_note("\n%s%s%s: %s\n", cli_on(c, CLI_BOLD), cli_safe(c->arena, json_str_or(json_get(q, "header"), "Question")),
		 cli_off(c), cli_safe(c->arena, json_str_or(json_get(q, "question"), "")));
	json_each(option, json_get(q, "options")) {
		const char *more = json_get_str(option, "description");

		cli_note("  %zu. %s%s%s\n", ++n, cli_safe(c->arena, json_str_or(json_get(option, "label"), "")), more ? " - " : "",
			 more ? cli_safe(c->arena, more) : "");
	}
}

static ch_status resolve(struct cli *c, const char *id, struct json *answers, struct ch_err *err)
{
	struct arena *a = c->arena;
	struct json *params = json_new_obj(a), *outer = json_new_obj(a), *reply;
	struct ch_err why;

	json_set(a, params, "id", json_new_str(a, id));
	if (answers) {
		json_set(a, outer, "answers", answers);
		json_set(a, params, "answers", outer);
	} else {
		json_set(a, params, "cancel", json_new_bool(a, true));
	}
	if (rpc_once(c, "questions", "question.resolve", json_to_str(a, params), &reply, &why))
		cli_note("  %s\n", why.text);    /* somebody was faster, or it is over: the turn goes on */
	return CH_OK;
}

/* Until it is an answer; *ret NULL: skipped. */
static CH_FIBER ch_status read_answer(struct cli *c, const struct json *q, struct json **ret, struct ch_err *err)
{
	struct json *one = json_new_arr(c->arena);

	json_push(one, json_clone(c->arena, q));
	for (;;) {
		CH_AUTO_STR char *line = NULL;
		struct ch_err why;
		ch_status st;

		cli_note("%s: ", json_get_bool(q, "multiSelect", false) ? "Numbers or text, with commas between" : "Number or text");
		st = cli_read_line(c, &line, err);
		if (st && st != CH_E_EOF)
			return st;
		*ret = NULL;
		if (st || !line || !*str_trim(c->arena, line))
			return CH_OK;
		if (!question_from_text(one, line, c->arena, ret, &why))
			return CH_OK;
		cli_note("  %s\n", why.text);
	}
}

ch_status cli_question_prompt(struct cli *c, const struct json *question, struct ch_err *err)
{
	const char *id = json_get_str(question, "id");
	struct json *answers = json_new_obj(c->arena);

	json_each(q, json_get(question, "questions")) {
		struct json *answer;
		ch_status st;

		show(c, q);
		if (!cli_approval_can_ask())
			continue;
		st = read_answer(c, q, &answer, err);
		if (st)
			return st;
		if (!answer)
			return resolve(c, id, NULL, err);
		json_each(member, answer)
			json_set(c->arena, answers, member->key, json_clone(c->arena, member));
	}
	if (cli_approval_can_ask())
		return resolve(c, id, answers, err);
	cli_note("  Answer on the page, or in this session with: /answer <number or text>\n");
	return CH_OK;
}
