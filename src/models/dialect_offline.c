/*
 * models/dialect_offline.c - offline/demo: answers by rules, without a network.
 *
 * It stands where a model stands: it reads the message array, asks for tools
 * by events and answers their results, and keeps nothing between requests.
 */
#include "core/fiber.h"
#include "core/str.h"
#include "models/dialect.h"
#include "models/offline_rules.h"

#define BREATH_MS 120                    /* terminals that get a whole reply with the acknowledgement of its message wait for ever */
#define NAME "offline/demo"
#define COUNT_GAP_MS 30
#define PIECE_BYTES 48                   /* of a text that is streamed at once */

struct talk {
	struct arena *arena;
	const struct model_call *call;
	struct sink to;
	struct model_result *ret;
	struct history history;
	int64_t said_tokens;
};

static ch_status say_piece(struct talk *t, const char *text, size_t n)
{
	t->said_tokens += model_estimate_tokens(text, n);
	return sink_text(&t->to, MODEL_EV_TEXT, arena_strndup(t->arena, text, n), n);
}

/* In pieces that end behind a word, as a model's reply would come. */
static ch_status say(struct talk *t, const char *text)
{
	ch_status st = CH_OK;

	while (*text && !st) {
		size_t left = strlen(text), n = utf8_cut(text, left, PIECE_BYTES);
		size_t word = n;

		while (n < left && word && text[word - 1] != ' ' && text[word - 1] != '\n')
			word--;
		n = word ? word : n;
		st = say_piece(t, text, n);
		text += n;
	}
	return st;
}

static CH_FIBER ch_status count(struct talk *t, int to)
{
	ch_status st = CH_OK;

	for (int i = 1; i <= to && !st; i++) {
		const char *text = arena_printf(t->arena, i < to ? "%d " : "%d", i);

		st = say_piece(t, text, strlen(text));
		if (!st && i < to)
			st = fiber_sleep(COUNT_GAP_MS);
	}
	return st;
}

static bool has_tool(const struct model_call *call, const char *name)
{
	for (size_t i = 0; i < call->tool_count; i++) {
		if (str_eq(call->tools[i].name, name))
			return true;
	}
	return false;
}

static size_t calls_so_far(const struct history *h)
{
	size_t n = 0;

	for (const struct msg *m = h->first; m; m = m->next)
		n += m->role == MSG_TOOL;
	return n;
}

static ch_status ask_for_tool(struct talk *t, const struct offline_action *act, struct ch_err *err)
{
	struct tool_calls calls = { VEC_INIT };
	struct tool_call *c = NULL;
	const char *text, *id;
	ch_status st;

	if (!has_tool(t->call, act->tool))
		return say(t, arena_printf(t->arena, "I would use the `%s` tool for that, but I am not given it here.",
					   act->tool));
	text = json_to_str(t->arena, act->args);
	id = arena_printf(t->arena, "call_%zu", calls_so_far(&t->history) + 1);
	st = tool_calls_begin(&calls, &t->to, 0, id, act->tool, &c, err);
	if (!st)
		st = tool_call_args(c, &t->to, text, strlen(text), err);
	if (!st)
		st = tool_call_end(c, &t->to);
	tool_calls_done(&calls);
	t->ret->stop = MODEL_STOP_TOOLS;
	return st;
}

static const char *last_user_text(const struct talk *t)
{
	const char *text = "";

	for (const struct msg *m = t->history.first; m; m = m->next) {
		if (m->role == MSG_USER)
			text = msg_text(t->arena, m);
	}
	return text;
}

/* The results behind the last reply; NULL when the user said something after them. */
static const struct msg *open_results(const struct history *h)
{
	const struct msg *first = NULL;

	for (const struct msg *m = h->first; m; m = m->next) {
		if (m->role != MSG_TOOL)
			first = NULL;
		else if (!first)
			first = m;
	}
	return first;
}

static ch_status answer_results(struct talk *t, const struct msg *results)
{
	const char *asked = last_user_text(t);
	ch_status st = CH_OK;

	for (const struct msg *m = results; m && !st; m = m->next) {
		if (m != results)
			st = say(t, "\n\n");
		if (!st)
			st = say(t, offline_summarize(t->arena, m->tool_name ? m->tool_name : "unknown",
						      msg_text(t->arena, m), m->is_error, asked));
	}
	return st;
}

/* A record of a conversation (agent/compact): the headings that were asked for, and that nobody understood what was said. */
static ch_status keep_record(struct talk *t)
{
	const char *p = last_user_text(t);
	bool is_first = true;
	ch_status st = CH_OK;

	for (const char *h = strstr(p, "\n## "); h && !st; h = strstr(h + 1, "\n## ")) {
		size_t n = strcspn(h + 1, "\n");

		st = say(t, arena_printf(t->arena, "%.*s\n%s\n\n", (int)CH_MIN(n, 200), h + 1,
					 is_first ? "offline/demo follows rules and cannot summarise; the transcript has every word."
						  : "none"));
		is_first = false;
	}
	return st;
}

static CH_FIBER ch_status answer(struct talk *t, struct ch_err *err)
{
	const struct msg *results = open_results(&t->history);
	struct offline_action act = { .kind = OFFLINE_SAY };

	if (t->call->reason == MODEL_FOR_COMPACTION)
		return keep_record(t);
	if (results)
		return answer_results(t, results);
	offline_understand(t->arena, last_user_text(t), &act);
	switch (act.kind) {
	case OFFLINE_SAY: return say(t, act.text);
	case OFFLINE_COUNT: return count(t, act.count);
	case OFFLINE_CALL: return ask_for_tool(t, &act, err);
	}
	return CH_OK;
}

static int64_t count_input(const struct talk *t)
{
	const char *prompt = t->call->system_stable;
	int64_t n = prompt ? model_estimate_tokens(prompt, strlen(prompt)) : 0;

	for (const struct msg *m = t->history.first; m; m = m->next) {
		for (const struct block *b = m->first; b; b = b->next) {
			if (b->kind == BLOCK_TEXT)
				n += model_estimate_tokens(b->text, strlen(b->text));
		}
	}
	return n;
}

static CH_FIBER ch_status offline_run(const struct model_call *call, model_event_fn fn, void *arg,
				      struct model_result *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct talk t = { .arena = a, .call = call, .to = { fn, arg }, .ret = ret };
	struct model_usage usage = { 0 };
	ch_status st;

	st = history_prepare(a, call->messages, false, &t.history, err);
	if (st)
		return st;
	ret->stop = MODEL_STOP_END;
	st = sink_start(&t.to, NULL, NAME, ret);
	if (!st)
		st = fiber_sleep(BREATH_MS);
	if (!st)
		st = answer(&t, err);
	usage.input = count_input(&t);
	usage.output = t.said_tokens;
	ret->usage = usage;
	return st ? st : sink_usage(&t.to, &usage, ret);
}

const struct dialect dialect_offline = {
	.api = "offline",
	.stream = STREAM_NONE,
	.auth = AUTH_NONE,
	.run = offline_run,
};
