/*
 * agent/status.c - what can be said of a session: for the session_status tool and for /status.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/host.h"
#include "core/clock.h"
#include "core/str.h"
#include "models/budget.h"

static const char *const days[] = { "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday" };
static const char *const months[] = { "January", "February", "March", "April", "May", "June", "July", "August",
				      "September", "October", "November", "December" };

void status_date(int64_t wall_ms, bool with_time, char *ret_text, size_t cap)
{
	time_t local = (time_t)(wall_ms / 1000 + (int64_t)clock_utc_offset_min(wall_ms) * 60);
	struct tm tm;
	int n;

	gmtime_r(&local, &tm);   /* local time already: nothing to look up, no locale */
	n = snprintf(ret_text, cap, "%s, %d %s %d", days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900);
	if (with_time && n > 0 && (size_t)n < cap)
		snprintf(ret_text + n, cap - (size_t)n, ", %02d:%02d", tm.tm_hour, tm.tm_min);
}

/* The model that the next turn of the session would use. */
static ch_status model_of(struct agent_host *h, const struct sess *s, struct arena *a, struct model_entry *ret,
			  struct ch_err *err)
{
	const char *source;

	return h->model_ops.resolve(h->model_ops.arg, agent_wanted_model(s, a), s->agent_id, a, ret, &source, err);
}

static const char *mode_name(struct agent_host *h, const struct sess *s)
{
	struct agent_settings now;

	agent_settings_of(host_config(h), s, &now);
	return now.queue_mode;
}

ch_status status_json(struct agent_host *h, struct sess *s, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct agent_info *info = agent_find(host_config(h), h->opts.state_dir, a, s->agent_id);
	char date[STATUS_DATE_MAX], iso[CLOCK_ISO_LEN];
	int64_t now = now_wall_ms();
	struct model_entry m;
	struct jw w = JW(out);
	bool has_model = !model_of(h, s, a, &m, NULL);

	status_date(now, true, date, sizeof(date));
	clock_iso(now, iso);
	jw_obj(&w);
	jw_kstr(&w, "time", date);
	jw_kstr(&w, "timeZone", clock_zone());
	jw_kstr(&w, "utc", iso);
	jw_kstr(&w, "session", s->key);
	jw_kstr(&w, "agent", s->agent_id);
	jw_kstr_opt(&w, "title", s->label ? s->label : s->derived_title);
	jw_kstr(&w, "model", has_model ? m.ref : "none that can be used");
	if (has_model && m.context_window)
		jw_kint(&w, "contextWindow", m.context_window);
	jw_kobj(&w, "tokens");
	jw_kint(&w, "context", s->total_tokens);
	jw_kint(&w, "lastInput", s->input_tokens);
	jw_kint(&w, "lastOutput", s->output_tokens);
	jw_end(&w);
	jw_kint(&w, "compactions", s->compaction_count);
	jw_knum(&w, "costUsd", s->cost_usd);
	jw_kstr(&w, "queueMode", mode_name(h, s));
	if (info)
		jw_kstr_opt(&w, "workspace", info->workspace);
	jw_kstr(&w, "version", "chela " CHELA_VERSION);
	jw_end(&w);
	return buf_status(out, err, "the session's status");
}

/* The chosen model, what would follow it, and who answered instead. */
static void model_lines(struct agent_host *h, const struct sess *s, struct arena *a, struct buf *out)
{
	const struct model_route_want want = { .wanted = agent_wanted_model(s, a), .agent_id = s->agent_id };
	struct json *moved = NULL;
	struct model_route route = { 0 };
	struct model_entry m;
	struct ch_err err;

	if (model_of(h, s, a, &m, &err)) {
		buf_printf(out, "- Model: none can be used: %s\n", err.text);
		return;
	}
	buf_printf(out, "- Model: `%s`%s\n", m.ref, want.wanted ? " (chosen for this session: no other answers)" : "");
	if (h->model_ops.route && !h->model_ops.route(h->model_ops.arg, &want, a, &route, NULL) && route.len > 1) {
		buf_puts(out, "- Fallbacks: ");
		for (size_t i = 1; i < route.len; i++)
			buf_printf(out, "%s`%s`", i > 1 ? ", " : "", route.at[i].ref);
		buf_putc(out, '\n');
	}
	if (s->fallback && !json_parse(a, s->fallback, strlen(s->fallback), JSON_STRICT, &moved, NULL))
		buf_printf(out, "- The last answer came from `%s`: `%s` failed (%s)\n", json_str_or(json_get(moved, "active"), "?"),
			   json_str_or(json_get(moved, "selected"), "?"), json_str_or(json_get(moved, "reason"), "?"));
}

/* The limits that hold, and what of them is used. */
static void budget_lines_of(struct agent_host *h, const struct sess *s, struct arena *a, struct buf *out)
{
	const struct budget_line *lines;
	size_t n;

	if (!h->opts.models || budget_lines(h->opts.models, s->agent_id, s->key, NULL, a, &lines, &n, NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		const struct budget_line *l = &lines[i];

		if (l->is_usd)
			buf_printf(out, "- Budget: $%.4f of $%.2f %s (`%s`)", l->spent, l->limit, l->of, l->path);
		else
			buf_printf(out, "- Budget: %.0f of %.0f tokens %s (`%s`)", l->spent, l->limit, l->of, l->path);
		if (l->unpriced)
			buf_printf(out, "; %" PRId64 " requests without a known price are not in it", l->unpriced);
		buf_putc(out, '\n');
	}
}

ch_status status_text(struct agent_host *h, struct sess *s, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char date[STATUS_DATE_MAX];
	int64_t messages = 0;
	ch_status st;

	st = tr_count(h->opts.sessions, s->session_id, &messages, err);
	if (st)
		return st;
	status_date(now_wall_ms(), true, date, sizeof(date));
	buf_printf(out, "🦀 **chela %s** · %s (%s)\n\n", CHELA_VERSION, date, clock_zone());
	model_lines(h, s, a, out);
	buf_printf(out, "- Session: `%s`, %" PRId64 " messages\n", s->key, messages);
	buf_printf(out, "- Last turn: %" PRId64 " tokens in, %" PRId64 " out\n", s->input_tokens, s->output_tokens);
	if (s->context_tokens)
		buf_printf(out, "- Context: %" PRId64 " of %" PRId64 " tokens (%" PRId64 " %%)\n", s->total_tokens,
			   s->context_tokens, s->total_tokens * 100 / s->context_tokens);
	if (s->compaction_count)
		buf_printf(out, "- Compactions: %" PRId64 "\n", s->compaction_count);
	buf_printf(out, "- Cost of this session: $%.4f\n", s->cost_usd);
	budget_lines_of(h, s, a, out);
	buf_printf(out, "- Queue: %s, thinking: %s", mode_name(h, s), s->thinking_level ? s->thinking_level : "default");
	return buf_status(out, err, "the session's status");
}
