/*
 * agent/cmd_context.c - commands on what the model is given: /compact, /context.
 */
#include "agent/command.h"

#include "agent/compact.h"
#include "agent/context.h"
#include "agent/run_events.h"
#include "core/rand.h"
#include "core/str.h"

#define JSON_MAX (200u << 10)

/* -- /compact -- */

/* "812", "14k". */
static const char *short_count(struct arena *a, int64_t n)
{
	return n < 10000 ? arena_printf(a, "%lld", (long long)n) : arena_printf(a, "%lldk", (long long)(n + 500) / 1000);
}

/* The summary being written, as clients see it. */
struct writing { struct run *run; char id[UUID_LEN]; bool is_started; };

static void on_start(void *arg)
{
	struct writing *x = arg;

	x->is_started = true;
	ev_compaction_start(x->run, x->id);
}

static void tell_end(const struct writing *x, ch_status st, const struct ch_err *err)
{
	struct run *r = x->run;

	if (!x->is_started)
		return;
	if (!st)
		ev_compaction_end(r, x->id, "completed", NULL, false);
	else if (r->abort_origin)
		ev_compaction_end(r, x->id, "aborted", NULL, false);
	else
		ev_compaction_end(r, x->id, "failed", err->text, false);
}

static ch_status do_compact(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct writing x = { .run = r };
	struct compact_want want = { .run_id = r->event_id, .entry_id = x.id, .focus = *args ? args : NULL,
				     .on_start = on_start, .arg = &x };
	struct compact_done done;
	ch_status st;

	rand_uuid(x.id);
	st = compact_session(r->host, r->sess, &want, r->arena, &done, err);
	tell_end(&x, st, err);
	if (st)
		return ch_wrap(err, "Compaction failed, the conversation is as it was");
	if (done.why_not) {
		buf_printf(out, "⚙️ Compaction skipped: %s.", done.why_not);
		return CH_OK;
	}
	ev_compacted(r);
	buf_printf(out, "⚙️ Compacted (%s → %s tokens). The newest %zu messages stay as they were said; nothing is deleted.",
		   short_count(r->arena, done.tokens_before), short_count(r->arena, done.tokens_after), done.kept);
	return CH_OK;
}

const struct slash_command cmd_compact = {
	.name = "compact",
	.description = "Summarise the older part of this conversation to make room.",
	.args_hint = "[instructions]",
	.category = "session",
	.args = (const struct slash_arg[]){ { "instructions", "What the summary must keep above all" }, { 0 } },
	.when = SLASH_IN_TURN,
	.flags = SLASH_PARKS,
	.run = do_compact,
};

/* -- /context -- */

/* Indented, in a code block. */
static ch_status put_json(struct run *r, const struct context_report *report, struct buf *out, struct ch_err *err)
{
	CH_AUTO_BUF struct buf b = { 0 };
	struct json *v;
	ch_status st;

	buf_init(&b, JSON_MAX);
	context_json(report, r->sess, &b);
	st = buf_status(&b, err, "the report");
	if (!st)
		st = json_parse(r->arena, buf_str(&b), b.len, JSON_STRICT, &v, err);
	if (st)
		return st;
	buf_puts(out, "```json\n");
	json_write(out, v, 2);
	buf_puts(out, "\n```");
	return CH_OK;
}

static ch_status do_context(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	static const char *const modes[] = { "", "list", "show", "detail", "deep", "json" };
	struct context_report report;
	ch_status st;

	if (!str_in(args, modes, CH_ARRAY_LEN(modes)))
		return ch_fail(err, CH_E_INVALID, "/context takes list, detail or json, not '%.40s'", args);
	st = context_report(r->host, r->sess, r->arena, &report, err);
	if (st)
		return st;
	if (str_eq(args, "json"))
		st = put_json(r, &report, out, err);
	else
		context_text(&report, str_eq(args, "detail") || str_eq(args, "deep"), out);
	context_report_done(&report);
	return st;
}

const struct slash_command cmd_context = {
	.name = "context",
	.description = "Show what fills the model's window.",
	.args_hint = "[list | detail | json]",
	.category = "status",
	.args = (const struct slash_arg[]){
		{ "mode", "How much to show", (const char *const[]){ "list", "detail", "json", NULL } }, { 0 } },
	.run = do_context,
};
