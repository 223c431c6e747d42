/*
 * agent/verbose.c - what a turn says of itself when the session wants to know: /verbose, /reasoning, /fast.
 *
 * Read anew for each request and each call, so that a setting changed while the turn runs holds at once.
 */
#include "agent/verbose.h"

#include <string.h>

#include "agent/history.h"
#include "agent/host.h"
#include "agent/note.h"
#include "agent/run_events.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define OUTPUT_SHOWN 2000                /* bytes of a tool's output in its line */
#define FAST_AUTO_MS 60000               /* how long "auto" is fast */

void verbose_prepare(struct run *r)
{
	struct agent_settings now;
	const char *fast, *reasoning;

	agent_settings_of(host_config(r->host), r->sess, &now);
	fast = r->over.fast ? r->over.fast : now.fast;
	reasoning = r->over.reasoning ? r->over.reasoning : now.reasoning;
	r->is_fast = str_eq(fast, "on") || (str_eq(fast, "auto") && now_wall_ms() - r->started_at < FAST_AUTO_MS);
	r->shows_thinking = !str_eq(reasoning, "off");
}

static const char *level_of(const struct run *r)
{
	struct agent_settings now;

	if (r->over.verbose)
		return r->over.verbose;
	agent_settings_of(host_config(r->host), r->sess, &now);
	return now.verbose;
}

static void say(struct run *r, const char *key, const char *text)
{
	struct tr_entry e;
	struct ch_err err;

	if (note_append(r, key, text, &e, &err)) {
		log_warn("agent", "session=%s run=%s: a line on a tool call is left out: %s", r->session_key, r->event_id,
			 err.text);
		return;
	}
	if (r->desk && r->desk->history)
		history_add(r->desk->history, &e);
	ev_row(r, &e);
}

static const char *title_of(struct run *r, const struct tool *t, const struct run_call *call, bool is_full)
{
	const char *meta = is_full && t->meta ? t->meta(r->arena, call->args) : NULL;

	return arena_printf(r->arena, "🛠️ %s%s%s", t->label, meta ? ": " : "", meta ? meta : "");
}

void verbose_started(struct run *r, const struct tool *t, const struct run_call *call)
{
	const char *level = level_of(r);

	if (str_eq(level, "off"))
		return;
	say(r, arena_printf(r->arena, "%s:verbose:%d:%s", r->event_id, r->rounds, call->id),
	    title_of(r, t, call, str_eq(level, "full")));
}

void verbose_ended(struct run *r, const struct tool *t, const struct run_call *call)
{
	const struct json *block = json_first(call->content);
	const char *text = json_get_str(block, "text");
	size_t n;

	if (!text || !str_eq(level_of(r), "full"))
		return;
	n = utf8_cut(text, strlen(text), OUTPUT_SHOWN);
	say(r, arena_printf(r->arena, "%s:output:%d:%s", r->event_id, r->rounds, call->id),
	    arena_printf(r->arena, "%s%s\n\n```\n%.*s%s\n```", title_of(r, t, call, true), call->is_error ? " (failed)" : "", (int)n,
			 text, text[n] ? "…" : ""));
}
