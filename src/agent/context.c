/*
 * agent/context.c - what fills the window of a session's next request: gathered.
 *
 * All counts are estimates made the way the turn makes them (model_estimate_tokens), so they agree with what it
 * decides. How it is written down is in context_text.c.
 */
#include "agent/context.h"

#include <string.h>

#include "agent/history.h"
#include "core/str.h"

void context_report_done(struct context_report *r)
{
	prompt_unref(CH_TAKE(r->prompt));
}

static void add_section(struct context_report *r, struct arena *a, const char *start, size_t n)
{
	struct context_section *s = &r->sections[r->section_count];
	bool has_name = str_starts(start, "# ");

	if (r->section_count == CONTEXT_SECTIONS_MAX || !n)
		return;
	s->name = has_name ? arena_strndup(a, start + 2, strcspn(start + 2, "\n")) : "Introduction";
	s->bytes = n;
	s->tokens = model_estimate_tokens(start, n);
	r->section_count++;
}

/* The prompt's own words, by their headings of the first level. */
static void split_prompt(struct context_report *r, struct arena *a)
{
	const char *text = r->prompt->text, *start = text, *end = text + r->prompt->files_at;

	for (const char *at = text; at < end; at++) {
		if (at == text || at[-1] != '\n' || !str_starts(at, "# "))
			continue;
		add_section(r, a, start, (size_t)(at - start));
		start = at;
	}
	add_section(r, a, start, (size_t)(end - start));
}

static ch_status gather_prompt(struct agent_host *h, struct sess *s, struct arena *a, struct context_report *r,
			       struct ch_err *err)
{
	CH_AUTO(home_unref) struct home *home = NULL;
	const struct config *c = host_config(h);
	CH_AUTO(policy_unref) struct policy *policy = NULL;
	enum prompt_mode mode = prompt_mode_for(c, s->agent_id, &r->model);
	ch_status st = home_open(h, s->agent_id, &home, err);

	if (st)
		return st;
	policy = policy_of_session(h, home, s->key, s, &r->model, &(struct policy_want){ .is_owner = true });
	st = home_prompt(h, home, policy, mode, true, &r->prompt, err);
	if (st)
		return st;
	r->workspace = arena_strdup(a, home->workspace);
	r->limits = home_limits(c, s->agent_id, mode);
	r->file_count = home_files_sizes(home->files, &r->limits, r->files);
	r->prompt_tokens = r->prompt->tokens - r->prompt->tool_tokens;
	r->files_tokens = model_estimate_tokens(r->prompt->text + r->prompt->files_at,
						strlen(r->prompt->text + r->prompt->files_at));
	split_prompt(r, a);
	return CH_OK;
}

static ch_status gather_history(struct sess *s, struct context_report *r, struct ch_err *err)
{
	CH_AUTO(history_free) struct history *h = history_new();
	ch_status st = history_load(h, s, err);

	if (st)
		return st;
	r->messages = history_len(h);
	r->message_tokens = history_tokens(h, 0, history_len(h));
	r->summary_tokens = history_total(h) - r->message_tokens;
	return CH_OK;
}

ch_status context_report(struct agent_host *h, struct sess *s, struct arena *a, struct context_report *ret,
			 struct ch_err *err)
{
	struct context_report r = { .used_tokens = s->total_tokens };
	const char *source;
	ch_status st;

	st = h->model_ops.resolve(h->model_ops.arg, agent_wanted_model(s, a), s->agent_id, a, &r.model, &source, err);
	if (!st)
		st = gather_prompt(h, s, a, &r, err);
	if (!st)
		st = gather_history(s, &r, err);
	if (st) {
		context_report_done(&r);
		return st;
	}
	r.window = r.model.context_window;
	r.reserve = r.window ? r.window - window_tokens(&r.model) : 0;
	r.total_tokens = r.prompt->tokens + r.summary_tokens + r.message_tokens;
	*ret = r;
	return CH_OK;
}
