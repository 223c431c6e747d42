/*
 * agent/cmd_usage.c - /usage: the line under replies, and what was spent.
 */
#include "agent/command.h"

#include <inttypes.h>
#include <string.h>

#include "agent/footer.h"
#include "core/clock.h"
#include "core/str.h"
#include "models/usage.h"

#define DAY_MS (24 * 60 * 60 * 1000LL)
#define SPAN_DAYS 30

struct totals {
	struct arena *a;
	const char *session_key;
	int64_t today_ms;
	struct usage_sum session, today, span;
};

static bool add(void *arg, const struct usage_row *row)
{
	struct totals *t = arg;

	usage_sum_add(&t->span, t->a, row);
	if (row->at >= t->today_ms)
		usage_sum_add(&t->today, t->a, row);
	if (str_eq(row->session_key, t->session_key))
		usage_sum_add(&t->session, t->a, row);
	return true;
}

static void put(struct buf *out, struct arena *a, const char *label, const struct usage_sum *s)
{
	buf_printf(out, "- %s: $%.4f, %s tokens in %" PRId64 " requests", label, s->cost.total,
		   footer_count(a, usage_tokens(&s->usage)), s->count);
	if (s->missing)
		buf_printf(out, "; %" PRId64 " of them without a known price", s->missing);
	buf_putc(out, '\n');
}

static ch_status show_cost(struct run *r, struct buf *out, struct ch_err *err)
{
	int64_t now = now_wall_ms(), offset = (int64_t)clock_utc_offset_min(now) * 60000;
	struct totals t = { .a = r->arena, .session_key = r->session_key,
			    .today_ms = (now + offset) / DAY_MS * DAY_MS - offset };
	struct usage_query q = { .from_ms = t.today_ms - (SPAN_DAYS - 1) * DAY_MS, .to_ms = now + 1 };
	ch_status st = usage_each(sess_store_db(r->host->opts.sessions), &q, add, &t, err);

	if (st)
		return st;
	buf_puts(out, "Cost:\n\n");
	put(out, r->arena, "This session", &t.session);
	put(out, r->arena, "Today", &t.today);
	put(out, r->arena, "Last 30 days", &t.span);
	buf_puts(out, "\nPrices are the configuration's or the built-in table's; `chela usage` shows more.");
	return CH_OK;
}

/* What a word sets the column to; "" the configuration's again. */
static const char *mode_of(const char *word)
{
	static const char *const again[] = { "reset", "default", "inherit", "inherited", "clear", "unpin" };

	if (str_in(word, (const char *const[]){ "off", "tokens", "full" }, 3))
		return word;
	if (str_eq(word, "on"))
		return "tokens";
	return str_in(word, again, CH_ARRAY_LEN(again)) ? "" : NULL;
}

/* off -> tokens -> full -> off */
static const char *next_of(const char *now)
{
	return str_eq(now, "off") ? "tokens" : str_eq(now, "tokens") ? "full" : "off";
}

static ch_status do_usage(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct agent_settings now;
	char *word = arena_strdup(r->arena, args);
	const char *mode;
	ch_status st;

	str_lower(word);
	if (str_eq(word, "cost"))
		return show_cost(r, out, err);
	agent_settings_of(host_config(r->host), r->sess, &now);
	mode = *word ? mode_of(word) : next_of(now.usage);
	if (!mode)
		return ch_fail(err, CH_E_INVALID, "'%.40s' is not one of off, tokens, full, reset, cost", args);
	sess_set_str(r->sess, &r->sess->response_usage, *mode ? mode : NULL);
	st = sess_save(r->sess, err);
	if (st)
		return st;
	agent_settings_of(host_config(r->host), r->sess, &now);
	buf_printf(out, "⚙️ Line under replies: %s%s.", now.usage, *mode ? "" : ", as configured");
	return CH_OK;
}

const struct slash_command cmd_usage = {
	.name = "usage",
	.description = "Choose the line under replies that says what they took, or show the cost.",
	.args_hint = "[off | tokens | full | reset | cost]",
	.category = "options",
	.args = (const struct slash_arg[]){
		{ "mode", "off, tokens, full, reset or cost",
		  (const char *const[]){ "off", "tokens", "full", "reset", "cost", NULL } }, { 0 } },
	.run = do_usage,
};
