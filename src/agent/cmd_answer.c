/*
 * agent/cmd_answer.c - /answer: what an agent asked, answered in the conversation.
 *
 * A plain message answers too while the turn that asked waits (command_answers): a person who types does not want to hear
 * after a quarter of an hour that the panel was meant. Nobody but the owner, and no text of a model, gets here.
 */
#include "agent/command.h"

#include <string.h>

#include "approvals/question.h"
#include "core/str.h"

struct seek { struct run *r; struct question found; bool is_found; };

static bool on_pending(void *arg, const struct question *q)
{
	struct seek *k = arg;
	const struct desk *d = desk_find(k->r->host, k->r->session_key);
	const struct run *active = d ? d->active : NULL;

	if (!str_eq(q->session_key, k->r->session_key))
		return true;
	k->is_found = true;
	k->found = *q;
	k->found.id = arena_strdup(k->r->arena, q->id);
	k->found.run_id = arena_strdup(k->r->arena, q->run_id);
	k->found.questions = json_clone(k->r->arena, q->questions);
	return !(active && str_eq(active->event_id, q->run_id));         /* the one that a turn waits for, else the newest */
}

static bool find_pending(struct run *r, struct question *ret)
{
	struct seek k = { .r = r };

	if (!r->host->tool_host.questions || question_pending(r->host->tool_host.questions, on_pending, &k, NULL))
		return false;
	*ret = k.found;
	return k.is_found;
}

bool command_answers(struct run *r, const struct desk *d)
{
	struct question q;

	return d && d->active && !d->active->abort_origin && !r->has_attachments && find_pending(r, &q) &&
	       str_eq(q.run_id, d->active->event_id) && json_len(q.questions) == 1 &&
	       !json_get_bool(json_at(q.questions, 0), "isSecret", false);
}

static void put_question(const struct question *q, struct buf *out)
{
	json_each(one, q->questions) {
		size_t n = 0;

		buf_printf(out, "**%s**: %s\n", json_get_str(one, "header"), json_get_str(one, "question"));
		json_each(option, json_get(one, "options"))
			buf_printf(out, "%zu. %s\n", ++n, json_get_str(option, "label"));
	}
	buf_puts(out, "\n`/answer <number or text>`, or `/answer skip`");
}

static ch_status do_answer(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct json *answers = NULL;
	struct question q;
	ch_status st = CH_OK;

	if (!find_pending(r, &q)) {
		buf_puts(out, "Nothing is asked in this session.");
		return CH_OK;
	}
	if (!*args) {
		put_question(&q, out);
		return CH_OK;
	}
	if (!str_ieq(args, "skip"))
		st = question_from_text(q.questions, args, r->arena, &answers, err);
	if (!st)
		st = question_resolve(r->host->tool_host.questions, q.id, answers, json_new_str(r->arena, "chat"), NULL, r->arena, &q, err);
	if (st)
		return st;
	buf_puts(out, answers ? "✅ Answered." : "Skipped.");
	return CH_OK;
}

const struct slash_command cmd_answer = {
	.name = "answer",
	.description = "Answer what the agent asks.",
	.args_hint = "[<number or text> | skip]",
	.category = "session",
	.args = (const struct slash_arg[]){ { "answer", "Its number, its text, or your own words; without one: shows the question" },
					    { 0 } },
	.when = SLASH_BESIDE,
	.run = do_answer,
};
