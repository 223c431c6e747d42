/*
 * agent/cmd_approve.c - /approve: answering in a conversation what waits for a yes.
 *
 * Only a person's message becomes a command (submit.c: the owner's, and not one that a tool, a wake or a sub-agent made),
 * and only an administrator's gets here. So no text of a model can answer for its person.
 */
#include "agent/command.h"

#include <string.h>

#include "approvals/approval.h"
#include "core/str.h"

static void put_choices(struct buf *out, unsigned decisions)
{
	for (unsigned d = APPROVAL_ALLOW_ONCE; d <= APPROVAL_DENY; d <<= 1)
		if (decisions & d)
			buf_printf(out, "%s%s", d == APPROVAL_ALLOW_ONCE ? "" : " | ", approval_decision_name(d));
}

struct shown { struct buf *out; size_t count; };

static bool put_pending(void *arg, const struct approval *row)
{
	const struct json *p = row->presentation;
	struct shown *s = arg;

	s->count++;
	buf_printf(s->out, "\n**%s**%s%s\n", row->kind == APPROVAL_EXEC ? "Command" : json_str_or(json_get(p, "title"), "Action"),
		   json_get_str(p, "warningText") ? " - " : "", json_str_or(json_get(p, "warningText"), ""));
	buf_put_block(s->out, json_str_or(json_get(p, row->kind == APPROVAL_EXEC ? "commandText" : "description"), ""));
	if (json_get_str(p, "detail"))
		buf_put_block(s->out, json_get_str(p, "detail"));
	buf_printf(s->out, "`/approve %s ", row->id);
	put_choices(s->out, row->decisions);
	buf_puts(s->out, "`\n");
	return !s->out->failed;
}

static ch_status list(struct run *r, struct approvals *ap, struct buf *out, struct ch_err *err)
{
	struct shown s = { .out = out };
	ch_status st = approval_pending(ap, r->session_key, put_pending, &s, err);

	if (st)
		return st;
	if (s.count == 0)
		buf_printf(out, "Nothing waits for your answer in this session%s.",
			   approvals_pending_count(ap) ? "; in others something does (`chela approvals list`)" : "");
	return out->failed ? ch_fail(err, CH_E_LIMIT, "it is too much to show here: use `chela approvals list` or the page") : CH_OK;
}

/* As people type them. */
static bool read_decision(const char *word, enum approval_decision *ret)
{
	static const struct { const char *word; enum approval_decision decision; } words[] = {
		{ "once", APPROVAL_ALLOW_ONCE }, { "allow", APPROVAL_ALLOW_ONCE }, { "yes", APPROVAL_ALLOW_ONCE },
		{ "always", APPROVAL_ALLOW_ALWAYS }, { "no", APPROVAL_DENY }, { "reject", APPROVAL_DENY },
	};

	for (size_t i = 0; word && i < CH_ARRAY_LEN(words); i++) {
		if (!str_ieq(words[i].word, word))
			continue;
		*ret = words[i].decision;
		return true;
	}
	return approval_decision_parse(word, ret);
}

/* Who typed it, as far as it is known: the person of a network, or whoever may write here with the owner's rights. */
static struct approval_resolver resolver_of(const struct run *r)
{
	const struct run_channel *from = r->from;

	if (!from || !from->sender_id)
		return (struct approval_resolver){ .kind = "command", .id = arena_printf(r->arena, "/approve in %s", r->session_key),
						   .name = "/approve" };
	return (struct approval_resolver){ .kind = "channel", .id = arena_printf(r->arena, "%s:%s", from->channel, from->sender_id),
					   .name = from->sender_name ? from->sender_name : from->sender_id };
}

static ch_status answer(struct run *r, struct approvals *ap, const char *id, enum approval_decision decision, struct buf *out,
			struct ch_err *err)
{
	const struct approval_resolver by = resolver_of(r);
	struct approval row;
	ch_status st;

	st = approval_match(ap, id, r->arena, &row, err);
	if (!st)
		st = approval_resolve(ap, row.id, decision, &by, r->arena, &row, err);
	if (st)
		return st;
	buf_printf(out, "%s %s", decision == APPROVAL_DENY ? "⛔ Denied:" : decision == APPROVAL_ALLOW_ONCE ? "✅ Allowed once:" :
		   "✅ Allowed always:", row.id);
	return CH_OK;
}

static ch_status do_approve(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	const char *id = command_word(r->arena, &args), *word = command_word(r->arena, &args);
	struct approvals *ap = r->host->tool_host.approvals;
	enum approval_decision decision;

	if (!ap)
		return ch_fail(err, CH_E_UNSUPPORTED, "/approve: nothing here asks for approval");
	if (!id)
		return list(r, ap, out, err);
	if (!read_decision(word, &decision) || command_word(r->arena, &args))
		return ch_fail(err, CH_E_INVALID, "`/approve <id> allow-once | allow-always | deny`");
	return answer(r, ap, id, decision, out, err);
}

const struct slash_command cmd_approve = {
	.name = "approve",
	.description = "Answer what waits for your approval.",
	.args_hint = "[<id> allow-once | allow-always | deny]",
	.category = "management",
	.args = (const struct slash_arg[]){
		{ "id", "Which; without one: shows what waits here" },
		{ "decision", "What you answer", (const char *const[]){ "allow-once", "allow-always", "deny", NULL } }, { 0 } },
	.when = SLASH_BESIDE,
	.flags = SLASH_ADMIN,
	.run = do_approve,
};
