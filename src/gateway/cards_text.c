/*
 * gateway/cards_text.c - see cards.h: what stands on a card.
 */
#include "gateway/cards.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define CARD_TEXT_MAX (512u << 10)

static const char *take(struct arena *a, struct buf *out)
{
	return arena_strndup(a, buf_str(out), out->len);
}

static void put_subject(struct buf *out, const struct approval *row)
{
	const struct json *p = row->presentation;
	bool is_exec = row->kind == APPROVAL_EXEC;
	const char *warning = json_get_str(p, "warningText");

	buf_printf(out, "**%s**\n", is_exec ? "Run this command?" : json_str_or(json_get(p, "title"), "Allow this?"));
	if (is_exec) {
		buf_put_block(out, json_str_or(json_get(p, "commandText"), ""));
		buf_printf(out, "In `%s`\n", json_str_or(json_get(row->request, "cwd"), "?"));
	} else {
		buf_printf(out, "%s\n", json_str_or(json_get(p, "description"), ""));
		if (!str_empty(json_get_str(p, "detail")))
			buf_put_block(out, json_get_str(p, "detail"));
	}
	if (!str_empty(warning))
		buf_printf(out, "⚠️ %s\n", warning);
}

static void put_commands(struct buf *out, const struct approval *row)
{
	buf_puts(out, "\nAnswer with");
	for (unsigned d = APPROVAL_ALLOW_ONCE; d <= APPROVAL_DENY; d <<= 1)
		if (row->decisions & d)
			buf_printf(out, "\n`/approve %s %s`", row->id, approval_decision_name(d));
	buf_putc(out, '\n');
}

static void put_ending(struct buf *out, const struct approval *row)
{
	const char *who = json_get_str(row->resolver, "name");

	switch (row->status) {
	case APPROVAL_ALLOWED:
		buf_puts(out, row->decision == APPROVAL_ALLOW_ALWAYS ? "\n✅ Allowed, always" : "\n✅ Allowed once");
		break;
	case APPROVAL_DENIED: buf_puts(out, "\n⛔ Denied"); break;
	case APPROVAL_EXPIRED: buf_puts(out, "\n⌛ Nobody answered in time: not done"); break;
	default: buf_puts(out, "\n⌛ No longer asked"); break;
	}
	if (!str_empty(who))
		buf_printf(out, " by %s", who);
	buf_putc(out, '\n');
}

const char *card_approval_text(struct arena *a, const struct approval *row, bool has_buttons)
{
	CH_AUTO_BUF struct buf out = { 0 };
	int64_t left_ms = row->expires_at - now_wall_ms();

	buf_init(&out, CARD_TEXT_MAX);
	put_subject(&out, row);
	if (row->status != APPROVAL_PENDING) {
		put_ending(&out, row);
		return take(a, &out);
	}
	if (!has_buttons)
		put_commands(&out, row);
	buf_printf(&out, "\nIt waits %lld minutes.", (long long)CH_MAX(1, (left_ms + 59999) / 60000));
	return take(a, &out);
}

const char *card_question_text(struct arena *a, const struct question *q, bool has_buttons)
{
	CH_AUTO_BUF struct buf out = { 0 };
	bool is_single = json_len(q->questions) == 1;

	buf_init(&out, CARD_TEXT_MAX);
	json_each(one, q->questions) {
		size_t n = 0;

		buf_printf(&out, "**%s**: %s\n", json_str_or(json_get(one, "header"), "Question"),
			   json_str_or(json_get(one, "question"), ""));
		if (json_get_bool(one, "isSecret", false)) {
			buf_puts(&out, "\nThis is a secret: answer it on the page or in the terminal, not here.\n");
			continue;
		}
		json_each(option, json_get(one, "options")) {
			const char *more = json_get_str(option, "description");

			buf_printf(&out, "%zu. %s%s%s\n", ++n, json_str_or(json_get(option, "label"), ""), str_empty(more) ? "" : ": ",
				   str_empty(more) ? "" : more);
		}
	}
	if (is_single && has_buttons)
		buf_puts(&out, "\nPress one, or answer in your own words.");
	else if (is_single)
		buf_puts(&out, "\nAnswer with its number or in your own words.");
	else
		buf_puts(&out, "\nThese are several questions: answer them on the page.");
	return take(a, &out);
}

const char *card_answer_text(struct arena *a, const struct question *q)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, CARD_TEXT_MAX);
	json_each(one, q->questions) {
		const char *sep = " ";

		buf_printf(&out, "**%s**: %s\n", json_str_or(json_get(one, "header"), "Question"),
			   json_str_or(json_get(one, "question"), ""));
		if (q->status != QUESTION_ANSWERED)
			continue;
		buf_puts(&out, "✅");
		json_each(v, json_get(q->answers, json_get_str(one, "questionId"))) {
			buf_printf(&out, "%s%s", sep, json_str_or(v, ""));
			sep = ", ";
		}
		buf_putc(&out, '\n');
	}
	if (q->status != QUESTION_ANSWERED)
		buf_puts(&out, q->status == QUESTION_EXPIRED ? "\n⌛ Nobody answered in time" : "\n⌛ No longer asked");
	return take(a, &out);
}
