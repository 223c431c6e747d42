/*
 * agent/prune.c - when old tool results leave the view, and which.
 */
#include "agent/prune.h"

#include <string.h>

#include "agent/history.h"
#include "agent/home.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define TTL_MS (5 * 60 * 1000)
#define TTL_ANTHROPIC_MS (60 * 60 * 1000)
#define TRIM_PERCENT 30                  /* of the window: less is not worth a new cache */
#define CLEAR_PERCENT 50
#define CLEAR_BYTES_MIN 50000            /* of results that would go */
#define PLACEHOLDER "[Old tool result content cleared]"

struct rules {
	int64_t ttl_ms;                  /* 0: off */
	bool may_clear;
	const char *placeholder;
	const char *const *allow, *const *deny;  /* tools; NULL-ended */
};

static const char *const *tool_list(const struct config *c, const char *agent_id, const char *key)
{
	char path[AGENT_ID_MAX + 80];

	snprintf(path, sizeof(path), "agents.entries.%s.contextPruning.tools.%s", agent_id, key);
	if (config_get(c, path))
		return config_list(c, path);
	snprintf(path, sizeof(path), "agents.defaults.contextPruning.tools.%s", key);
	return config_list(c, path);
}

static struct rules rules_of(const struct run *r)
{
	const struct config *c = host_config(r->host);
	const char *mode = home_setting_str(c, r->agent_id, "contextPruning.mode");
	const char *placeholder = home_setting_str(c, r->agent_id, "contextPruning.hardClear.placeholder");
	bool is_default = !mode && str_eq(r->entry.provider, "anthropic");
	struct rules x = {
		.placeholder = str_empty(placeholder) ? PLACEHOLDER : placeholder,
		.may_clear = home_setting_bool(c, r->agent_id, "contextPruning.hardClear.enabled", true),
		.allow = tool_list(c, r->agent_id, "allow"), .deny = tool_list(c, r->agent_id, "deny"),
	};

	if (is_default || str_eq(mode, "cache-ttl"))
		x.ttl_ms = home_setting(c, r->agent_id, "contextPruning.ttl", is_default ? TTL_ANTHROPIC_MS : TTL_MS);
	return x;
}

static bool in_list(const char *const *list, const char *name)
{
	for (; *list; list++)
		if (str_wild(*list, name))
			return true;
	return false;
}

/* The tools of the conversation whose results stay, by name. */
static struct json *kept_tools(const struct run *r, const struct rules *x)
{
	struct json *keep = json_new_arr(r->arena);

	json_each(m, history_messages(r->desk->history)) {
		const char *name = json_get_str(m, "toolName");
		bool is_known = false;

		if (!name || !((*x->allow && !in_list(x->allow, name)) || in_list(x->deny, name)))
			continue;
		json_each(k, keep)
			is_known |= str_eq(json_str(k), name);
		if (!is_known)
			json_push(keep, json_new_str(r->arena, name));
	}
	return keep;
}

static int64_t fill_percent(const struct run *r)
{
	int64_t window = r->entry.context_window ? r->entry.context_window : WINDOW_UNKNOWN;

	return (history_total(r->desk->history) + r->prompt->tokens) * 100 / window;
}

static bool is_due(const struct run *r, const struct rules *x, int64_t old_until)
{
	const struct history *h = r->desk->history;

	return x->ttl_ms > 0 && old_until > history_mark(h)->trim_to && history_replied_at(h) &&
	       now_wall_ms() - history_replied_at(h) >= x->ttl_ms && fill_percent(r) >= TRIM_PERCENT;
}

static ch_status write_mark(struct run *r, const struct prune_mark *m, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct tr_entry e = { .type = TR_PRUNE, .run_id = r->event_id };
	ch_status st;

	buf_init(&out, 1u << 16);
	history_render_mark(m, &out);
	st = buf_status(&out, err, "the mark of pruned results");
	if (st)
		return st;
	e.message = buf_str(&out);
	e.message_len = out.len;
	st = tr_append(r->sess, r->event_id, r->epoch, &e, r->arena, err);
	if (!st)
		history_skip(r->desk->history, e.raw_seq);
	return st;
}

ch_status prune_if_due(struct run *r, struct ch_err *err)
{
	struct history *h = r->desk->history;
	struct rules x = rules_of(r);
	struct prune_mark m = *history_mark(h);
	int64_t old_until = history_old_until(h), before = history_total(h);
	bool is_changed;
	ch_status st;

	if (!is_due(r, &x, old_until))
		return CH_OK;
	m.trim_to = old_until;
	m.placeholder = arena_strdup(r->arena, x.placeholder);
	m.keep = kept_tools(r, &x);
	is_changed = history_prune(h, &m);
	if (x.may_clear && fill_percent(r) >= CLEAR_PERCENT && history_prunable_bytes(h, &m) >= CLEAR_BYTES_MIN) {
		m.clear_to = old_until;
		is_changed |= history_prune(h, &m);
	}
	if (!is_changed)
		return CH_OK;
	st = write_mark(r, &m, err);
	if (!st)
		log_info("agent", "session=%s run=%s: old tool results are pruned, %lld -> %lld tokens of messages", r->session_key,
			 r->event_id, (long long)before, (long long)history_total(h));
	return st;
}
