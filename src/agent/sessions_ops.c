/*
 * agent/sessions_ops.c - sessions_list, sessions_history, sessions_search, agents_list.
 *
 * What goes out is redacted and bounded. Text of a session that holds text from outside is from outside here, too.
 */
#include "agent/sessions_ops.h"

#include <string.h>

#include "agent/subagent.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "sessions/branch.h"
#include "sessions/search.h"
#include "sessions/text.h"
#include "sessions/transcript.h"

#define LIST_LIMIT_DEFAULT 100
#define LIST_LIMIT_MAX 200
#define LIST_BYTES_MAX (64u << 10)
#define SCAN_MAX 5000                    /* session.maintenance.maxEntries: more are never kept */
#define HISTORY_LIMIT_DEFAULT 50
#define PREVIEW_CHARS 200
#define SEARCH_LIMIT_DEFAULT 10
#define LOOKED_AT_CHARS (4 * OPS_TEXT_CHARS)     /* of a text, for secrets */

/* Marks the call's result as text from outside when the session's is. */
static void mark_outside(struct tool_ctx *ctx, const struct sess *s)
{
	if (!s->tainted_at || str_eq(s->key, ctx->session_key))
		return;
	ctx->is_outside = true;
	ctx->source = arena_printf(ctx->arena, "session %s", s->key);
}

/* -- sessions_list -- */

static const char *kind_of(const struct sess *s)
{
	static const char *const groups[] = { "group", "channel", "thread", "topic" };
	const char *word = sess_key_classification(s->key);

	if (sess_key_is_main(s->key))
		return "main";
	if (str_in(word, groups, CH_ARRAY_LEN(groups)))
		return "group";
	return str_eq(word, "cron") || str_eq(word, "hook") || str_eq(word, "node") ? word : "other";
}

struct listing {
	struct ops_access x;
	struct tool_ctx *ctx;
	const struct json *kinds;
	bool with_titles, with_last, is_full, has_more;
	size_t skip, limit, count;
	struct jw *w;
};

static bool wants_kind(const struct listing *l, const struct sess *s)
{
	if (!json_len(l->kinds))
		return true;
	json_each(k, l->kinds)
		if (str_eq(json_str(k), kind_of(s)))
			return true;
	return false;
}

static void put_text(struct jw *w, const char *key, const char *text)
{
	CH_AUTO_STR char *clean = NULL;

	if (str_empty(text))
		return;
	clean = log_redacted(text);
	jw_key(w, key);
	jw_strn(w, clean, utf8_cut(clean, strlen(clean), PREVIEW_CHARS));
}

static void put_session(const struct listing *l, const struct sess *s)
{
	struct jw *w = l->w;

	jw_obj(w);
	jw_kstr(w, "key", s->key);
	jw_kstr(w, "sessionId", s->session_id);
	jw_kstr(w, "agentId", s->agent_id);
	jw_kstr(w, "kind", kind_of(s));
	jw_kstr_opt(w, "channel", s->channel);
	jw_kstr_opt(w, "label", s->label);
	jw_kstr_opt(w, "displayName", s->display_name);
	if (l->with_titles)
		put_text(w, "derivedTitle", s->derived_title);
	if (l->with_last)
		put_text(w, "lastMessage", s->last_preview);
	jw_kstr_opt(w, "status", s->status);
	jw_kint(w, "updatedAt", s->updated_at);
	jw_kstr_opt(w, "model", s->model);
	if (s->total_tokens)
		jw_kint(w, "totalTokens", s->total_tokens);
	if (s->archived_at)
		jw_kbool(w, "archived", true);
	if (s->pinned_at)
		jw_kbool(w, "pinned", true);
	if (str_eq(s->spawned_by, l->x.key))
		jw_kstr(w, "spawnedBy", s->spawned_by);
	jw_end(w);
}

static bool on_session(void *arg, const struct sess *s)
{
	struct listing *l = arg;

	if (!ops_may_see(&l->x, s) || !wants_kind(l, s))
		return true;
	if (l->skip) {
		l->skip--;
		return true;
	}
	if (l->count == l->limit || l->w->out->len > LIST_BYTES_MAX) {
		l->has_more = true;
		l->is_full = l->count < l->limit;
		return false;
	}
	l->count++;
	put_session(l, s);
	if (l->with_titles || l->with_last)
		mark_outside(l->ctx, s);
	return true;
}

static void query_of(const struct json *args, struct sess_query *q)
{
	const struct json *archived = json_get(args, "archived");
	int64_t minutes = json_get_int(args, "activeMinutes", 0);

	*q = (struct sess_query){
		.include_background = true, .limit = SCAN_MAX, .search = json_get_str(args, "search"),
		.label = json_get_str(args, "label"), .agent_id = json_get_str(args, "agentId"), .group = json_get_str(args, "group"),
		.without_subagents = json_get_bool(args, "excludeSubagents", false), .busy = json_get_bool(args, "activeOnly", false),
	};
	if (minutes > 0)
		q->active_since_ms = now_wall_ms() - minutes * 60000;
	if (str_eq(json_str(archived), "all"))
		q->archived = -1;
	else
		q->archived = json_bool_or(archived, false);
}

ch_status ops_list(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err)
{
	int64_t offset = CH_MAX(json_get_int(args, "offset", 0), 0);
	struct jw w = JW(ret);
	struct listing l = { .ctx = ctx, .kinds = json_get(args, "kinds"), .w = &w, .skip = (size_t)offset,
			     .with_titles = json_get_bool(args, "includeDerivedTitles", false),
			     .with_last = json_get_bool(args, "includeLastMessage", false),
			     .limit = (size_t)CH_MIN(CH_MAX(json_get_int(args, "limit", LIST_LIMIT_DEFAULT), 1), LIST_LIMIT_MAX) };
	struct sess_query q;
	size_t total;
	ch_status st;

	ops_access_of(arg, ctx, &l.x);
	query_of(args, &q);
	jw_obj(&w);
	jw_karr(&w, "sessions");
	st = sess_list(l.x.h->opts.sessions, &q, &total, on_session, &l, err);
	if (st)
		return st;
	jw_end(&w);
	jw_kint(&w, "count", (int64_t)l.count);
	jw_kint(&w, "limitApplied", (int64_t)l.limit);
	jw_kbool(&w, "hasMore", l.has_more);
	if (l.has_more)
		jw_kint(&w, "nextOffset", offset + (int64_t)l.count);
	if (l.is_full)
		jw_kstr(&w, "truncationReason", "byte-limit");
	if (l.x.level != OPS_ALL) {
		jw_kobj(&w, "visibility");
		jw_kstr(&w, "scope", ops_visibility_name(l.x.level));
		jw_kstr(&w, "because", l.x.why);
		jw_end(&w);
	}
	jw_end(&w);
	return buf_status(ret, err, "the list of sessions");
}

/* -- messages -- */

struct page {
	const struct ops_page *want;
	struct arena *a;
	struct json *rows;               /* of {role, text, …}, oldest first */
	struct ops_page_told *told;
};

/*
 * Looking for what may be a secret takes time for each byte, so of a long text only the beginning is looked at: more than is
 * shown, as one that is cut in two is not seen. A text that holds a known one, or of which much is hidden, is read whole.
 */
static char *redacted_start(struct arena *a, const char *text, size_t n, size_t *ret_looked_at)
{
	size_t start = log_holds_secret(text, n) ? n : utf8_cut(text, n, LOOKED_AT_CHARS);
	char *clean = log_redacted(start < n ? arena_strndup(a, text, start) : text);

	*ret_looked_at = start;
	if (start == n || strlen(clean) >= LOOKED_AT_CHARS / 2)
		return clean;
	ch_free(clean);
	*ret_looked_at = n;
	return log_redacted(text);
}

static struct json *safe_text(struct page *p, const char *text)
{
	size_t whole = strlen(text), looked_at;
	CH_AUTO_STR char *clean = redacted_start(p->a, text, whole, &looked_at);
	size_t n = strlen(clean), keep = utf8_cut(clean, n, OPS_TEXT_CHARS);

	p->told->is_redacted |= n != looked_at || memcmp(clean, text, n) != 0;
	if (keep == n && looked_at == whole)
		return json_new_str(p->a, clean);
	p->told->is_cut = true;
	return json_new_str(p->a, arena_printf(p->a, "%.*s\n[cut here: %zu more bytes]", (int)keep, clean,
					       n - keep + (whole - looked_at)));
}

static struct json *calls_of(struct page *p, const struct json *message)
{
	struct json *calls = json_new_arr(p->a);

	json_each(block, json_get(message, "content")) {
		struct json *call;

		if (!str_eq(json_get_str(block, "type"), "toolCall"))
			continue;
		call = json_new_obj(p->a);
		json_set(p->a, call, "name", json_new_str(p->a, json_get_str(block, "name")));
		json_set(p->a, call, "arguments", safe_text(p, json_to_str(p->a, json_get(block, "arguments"))));
		json_push(calls, call);
	}
	return calls;
}

static bool on_entry(void *arg, const struct tr_entry *e)
{
	struct page *p = arg;
	struct json *message, *row, *calls = NULL;
	const char *text;

	if (str_eq(e->role, "system") || (str_eq(e->role, "toolResult") && !p->want->with_tools))
		return true;
	if (json_parse(p->a, e->message, e->message_len, JSON_STRICT, &message, NULL))
		return true;     /* we wrote it: it parses */
	text = tr_text(p->a, message, "\n");
	if (p->want->with_tools)
		calls = calls_of(p, message);
	if (!*text && !json_len(calls))
		return true;
	row = json_new_obj(p->a);
	json_set(p->a, row, "id", json_new_str(p->a, e->id));
	json_set(p->a, row, "seq", json_new_int(p->a, e->seq));
	json_set(p->a, row, "role", json_new_str(p->a, e->role));
	json_set(p->a, row, "timestamp", json_new_int(p->a, e->created_at));
	if (json_get_str(message, "toolName"))
		json_set(p->a, row, "toolName", json_new_str(p->a, json_get_str(message, "toolName")));
	json_set(p->a, row, "text", safe_text(p, text));
	if (json_len(calls))
		json_set(p->a, row, "toolCalls", calls);
	json_push(p->rows, row);
	return true;
}

/* The newest that fit; what is older is left out. */
static void put_rows(struct page *p, struct jw *w)
{
	size_t n = json_len(p->rows), first = n, bytes = 0;
	const char **texts = arena_alloc(p->a, (n + 1) * sizeof(*texts));

	for (size_t i = 0; i < n; i++)
		texts[i] = json_to_str(p->a, json_at(p->rows, i));
	while (first && bytes + strlen(texts[first - 1]) <= OPS_PAGE_BYTES)
		bytes += strlen(texts[--first]) + 1;
	jw_arr(w);
	for (size_t i = first; i < n; i++)
		jw_raw(w, texts[i], strlen(texts[i]));
	jw_end(w);
	p->told->count = n - first;
	p->told->dropped = first;
	if (first < n)
		p->told->first_seq = json_get_int(json_at(p->rows, first), "seq", 0);
}

ch_status ops_put_messages(struct agent_host *h, const struct sess *s, const struct ops_page *page, struct jw *w,
			   struct ops_page_told *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct page p = { .want = page, .a = a, .rows = json_new_arr(a), .told = ret };
	struct tr_range range = { .before_seq = page->before_seq, .limit = CH_MIN(page->limit, OPS_PAGE_MESSAGES),
				  .max_bytes = 4u << 20, .from_reset = !page->session_id && !page->before_seq };
	ch_status st;

	*ret = (struct ops_page_told){ 0 };
	st = tr_read(h->opts.sessions, page->session_id ? page->session_id : s->session_id, &range, on_entry, &p, err);
	if (!st)
		put_rows(&p, w);
	return st;
}

/* -- sessions_history -- */

/* By offset from the end, or around a message. */
static ch_status place(struct agent_host *h, const struct sess *s, const struct json *args, struct arena *a, struct ops_page *page,
		       struct ch_err *err)
{
	const char *message_id = json_get_str(args, "messageId"), *window = json_get_str(args, "sessionId");
	int64_t offset = json_get_int(args, "offset", 0);
	struct tr_entry at;
	struct tr_stat stat;
	bool is_of = true;
	ch_status st = CH_OK;

	if (window && !str_eq(window, s->session_id)) {
		st = window_is_of(h->opts.sessions, window, s->key, &is_of, err);
		if (st || !is_of)
			return st ? st : ch_fail(err, CH_E_NOT_FOUND, "session '%.200s' has no window '%.64s'", s->key, window);
		page->session_id = arena_strdup(a, window);
	}
	if (message_id) {
		st = tr_find(h->opts.sessions, page->session_id ? page->session_id : s->session_id, message_id, a, &at, err);
		page->before_seq = st ? 0 : at.seq + (int64_t)page->limit / 2 + 1;
	} else if (offset > 0) {
		st = tr_stat(h->opts.sessions, page->session_id ? page->session_id : s->session_id, &stat, err);
		page->before_seq = st ? 0 : CH_MAX(stat.last_seq + 1 - offset, 1);
	}
	return st;
}

ch_status ops_history(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct ops_page page = { .limit = (size_t)CH_MAX(json_get_int(args, "limit", HISTORY_LIMIT_DEFAULT), 1),
				 .with_tools = json_get_bool(args, "includeTools", false) };
	struct ops_page_told told;
	struct jw w = JW(ret);
	struct ops_access x;
	ch_status st;

	ops_access_of(arg, ctx, &x);
	st = ops_find(&x, json_get_str(args, "sessionKey"), ctx->arena, &s, err);
	if (!st)
		st = place(x.h, s, args, ctx->arena, &page, err);
	if (st)
		return st;
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", s->key);
	jw_key(&w, "messages");
	st = ops_put_messages(x.h, s, &page, &w, &told, err);
	if (st)
		return st;
	jw_kbool(&w, "truncated", told.dropped || told.is_cut);
	jw_kbool(&w, "droppedMessages", told.dropped > 0);
	jw_kbool(&w, "contentTruncated", told.is_cut);
	jw_kbool(&w, "contentRedacted", told.is_redacted);
	jw_kint(&w, "bytes", (int64_t)ret->len);
	jw_kbool(&w, "hasMore", told.first_seq > 1);
	jw_end(&w);
	mark_outside(ctx, s);
	return buf_status(ret, err, "the history");
}

/* -- sessions_search -- */

struct roster { struct ops_access x; struct arena *a; struct json *keys; };

static bool enlist(void *arg, const struct sess *s)
{
	struct roster *r = arg;

	if (ops_may_see(&r->x, s))
		json_push(r->keys, json_new_str(r->a, s->key));
	return true;
}

static ch_status scope_of(struct roster *r, const char *session_key, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_query q = { .include_background = true, .archived = -1, .limit = SCAN_MAX };
	size_t total;
	ch_status st;

	if (!session_key)
		return sess_list(r->x.h->opts.sessions, &q, &total, enlist, r, err);
	st = ops_find(&r->x, session_key, r->a, &s, err);
	if (!st)
		json_push(r->keys, json_new_str(r->a, s->key));
	return st;
}

static void put_hit(struct tool_ctx *ctx, struct agent_host *h, const struct search_hit *hit, struct jw *w)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	CH_AUTO_STR char *snippet = log_redacted(hit->snippet);

	if (sess_find(h->opts.sessions, hit->session_key, &s, NULL))
		return;
	mark_outside(ctx, s);
	jw_obj(w);
	jw_kstr(w, "sessionKey", hit->session_key);
	jw_kstr(w, "sessionId", hit->session_id);
	jw_kstr(w, "messageId", hit->message_id);
	jw_kstr(w, "role", hit->role);
	jw_kint(w, "timestamp", hit->created_at);
	jw_kstr(w, "snippet", snippet);
	jw_knum(w, "score", hit->score);
	jw_end(w);
}

ch_status ops_search(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err)
{
	struct roster r = { .a = ctx->arena, .keys = json_new_arr(ctx->arena) };
	struct search_query q = { .text = json_get_str(args, "query"),
				  .limit = (size_t)CH_MIN(CH_MAX(json_get_int(args, "limit", SEARCH_LIMIT_DEFAULT), 1), SEARCH_LIMIT_MAX) };
	const struct search_hit *hits;
	struct jw w = JW(ret);
	bool has_more;
	size_t n;
	ch_status st;

	ops_access_of(arg, ctx, &r.x);
	st = scope_of(&r, json_get_str(args, "sessionKey"), err);
	q.session_keys = json_to_str(ctx->arena, r.keys);
	if (!st)
		st = search_messages(r.x.h->opts.sessions, &q, ctx->arena, &hits, &n, &has_more, err);
	if (st)
		return st;
	jw_obj(&w);
	jw_karr(&w, "results");
	for (size_t i = 0; i < n; i++)
		put_hit(ctx, r.x.h, &hits[i], &w);
	jw_end(&w);
	if (has_more)
		jw_kbool(&w, "truncated", true);
	jw_end(&w);
	return buf_status(ret, err, "what was found");
}

/* -- session_status -- */

ch_status ops_status(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct ops_access x;
	ch_status st;

	ops_access_of(arg, ctx, &x);
	st = ops_find(&x, json_get_str(args, "sessionKey"), ctx->arena, &s, err);
	if (st)
		return st;
	mark_outside(ctx, s);            /* its title may be somebody else's words */
	return status_json(arg, s, ret, err);
}

/* -- agents_list -- */

ch_status ops_agents(void *arg, struct tool_ctx *ctx, struct buf *ret, struct ch_err *err)
{
	struct agent_host *h = arg;
	const struct config *c = host_config(h);
	const struct agent_info *list;
	size_t n = agents_list(c, h->opts.state_dir, ctx->arena, &list);
	struct jw w = JW(ret);

	jw_obj(&w);
	jw_kstr(&w, "requester", ctx->agent_id);
	jw_kbool(&w, "allowAny", subagent_may_start(c, ctx->agent_id, "*"));
	jw_karr(&w, "agents");
	for (size_t i = 0; i < n; i++) {
		if (!subagent_may_start(c, ctx->agent_id, list[i].id) && !str_eq(list[i].id, ctx->agent_id))
			continue;
		jw_obj(&w);
		jw_kstr(&w, "id", list[i].id);
		jw_kstr_opt(&w, "name", list[i].name);
		jw_kbool(&w, "configured", true);
		jw_kstr_opt(&w, "model", list[i].model_ref);
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	return buf_status(ret, err, "the list of agents");
}
