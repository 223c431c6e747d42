/*
 * gateway/methods/m_sessions_more.c - sessions.resolve, get and cleanup.
 */
#include <string.h>

#include "core/str.h"
#include "gateway/methods/methods.h"
#include "gateway/methods/session_common.h"
#include "sessions/cleanup.h"

#define CANDIDATES_MAX 10
#define SHORT_ID_MIN 8
#define SHORT_ID_MAX 32
#define GET_LIMIT_DEFAULT 200
#define GET_LIMIT_MAX 1000
#define DAY_MS 86400000ll

/* -- sessions.resolve -- */

static const struct gw_param reference_params[] = {
	{ "key", GP_STR, GP_REQUIRED | GP_NON_EMPTY }, { "slug", GP_STR }, { 0 },
};

static const struct gw_param resolve_params[] = {
	{ "key", GP_STR, GP_NON_EMPTY },
	{ "sessionId", GP_STR, GP_NON_EMPTY },
	{ "label", GP_STR, GP_NON_EMPTY, 1, 512 },
	{ "reference", GP_OBJ, .members = reference_params },
	{ "shortId", GP_STR, GP_NON_EMPTY },
	{ "slugHint", GP_STR, GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "spawnedBy", GP_STR, GP_NON_EMPTY },
	{ "includeGlobal", GP_BOOL },
	{ "includeUnknown", GP_BOOL },
	{ "allowMissing", GP_BOOL },
	{ 0 },
};

struct candidate { const char *key, *agent_id, *name; };
struct search {
	struct gw_call *call;
	const char *session_id, *label, *short_id, *slug;       /* one of them, slug beside short_id */
	struct candidate found[CANDIDATES_MAX];
	size_t count;
};

/* A name as links have it: words in lower case with one dash between. */
static const char *slug_of(struct arena *a, const char *name)
{
	char *out = arena_alloc(a, strlen(name) + 1);
	size_t n = 0;

	for (const char *p = name; *p; p++) {
		char c = *p >= 'A' && *p <= 'Z' ? (char)(*p + 'a' - 'A') : *p;
		bool is_word = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (unsigned char)c >= 0x80;

		if (is_word)
			out[n++] = c;
		else if (n && out[n - 1] != '-')
			out[n++] = '-';
	}
	while (n && out[n - 1] == '-')
		n--;
	out[n] = '\0';
	return out;
}

static const char *name_of(const struct sess *s)
{
	return s->label ? s->label : s->display_name ? s->display_name : s->derived_title;
}

/* The hexadecimal digits of the uuid at the key's end begin with this; NULL when there is no uuid. */
static bool ends_in_id(const char *key, const char *digits)
{
	const char *uuid = strlen(key) >= 36 ? key + strlen(key) - 36 : NULL;
	size_t n = 0, want = strlen(digits);

	if (!uuid || uuid[8] != '-' || uuid[13] != '-')
		return false;
	for (const char *p = uuid; *p && n < want; p++) {
		if (*p == '-')
			continue;
		if (*p != digits[n])
			return false;
		n++;
	}
	return n == want;
}

static bool on_session(void *arg, const struct sess *s)
{
	struct search *f = arg;
	const char *name = name_of(s);
	bool hit = (f->session_id && (str_eq(f->session_id, s->session_id) || str_eq(f->session_id, s->key))) ||
		   (f->label && str_eq(f->label, s->label)) || (f->short_id && ends_in_id(s->key, f->short_id)) ||
		   (!f->short_id && f->slug && name && str_eq(slug_of(f->call->arena, name), f->slug));

	if (hit)
		f->found[f->count++] = (struct candidate){ arena_strdup(f->call->arena, s->key),
							   arena_strdup(f->call->arena, s->agent_id),
							   name ? arena_strdup(f->call->arena, name) : NULL };
	return f->count < CANDIDATES_MAX;
}

static ch_status look(struct search *f, struct ch_err *err)
{
	const struct json *p = f->call->params;
	struct sess_query q = { .agent_id = json_get_str(p, "agentId"), .spawned_by = json_get_str(p, "spawnedBy"),
				.label = f->label, .archived = -1, .include_background = true,
				.without_global = !json_get_bool(p, "includeGlobal", false),
				.without_unknown = !json_get_bool(p, "includeUnknown", false) };

	return sess_list(f->call->gw->sessions, &q, NULL, on_session, f, err);
}

/* Of several with the same beginning, those that are called as the link says. */
static void narrow(struct search *f)
{
	size_t kept = 0;

	if (!f->short_id || !f->slug)
		return;
	for (size_t i = 0; i < f->count; i++)
		if (f->found[i].name && str_eq(slug_of(f->call->arena, f->found[i].name), f->slug))
			f->found[kept++] = f->found[i];
	f->count = kept ? kept : f->count;
}

static void put_candidate(struct jw *w, const struct candidate *c)
{
	jw_kstr(w, "key", c->key);
	jw_kstr(w, "agentId", c->agent_id);
	jw_kstr_opt(w, "displayName", c->name);
}

static ch_status reply_found(struct gw_call *call, const struct candidate *c, size_t count)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kbool(w, "ok", count == 1);
	if (count == 1)
		put_candidate(w, c);
	if (count > 1) {
		jw_karr(w, "candidates");
		for (size_t i = 0; i < count; i++) {
			jw_obj(w);
			put_candidate(w, &c[i]);
			jw_end(w);
		}
		jw_end(w);
	}
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status reply_missing(struct gw_call *call, const char *what, struct ch_err *err)
{
	if (json_get_bool(call->params, "allowMissing", false))
		return reply_found(call, NULL, 0);
	return ch_fail(err, CH_E_INVALID, "No session found: %s", what);
}

/* An agent's main session is always there, also before its first message. */
static ch_status find_key(struct gw_call *call, const char *text, struct candidate *ret, bool *ret_found, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;
	ch_status st = gw_session_key(call, text, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	*ret = (struct candidate){ key.key, key.agent_id, NULL };
	*ret_found = s || sess_key_is_main(key.key);
	return CH_OK;
}

static ch_status resolve_key(struct gw_call *call, const char *text, struct ch_err *err)
{
	struct candidate c;
	bool found;
	ch_status st = find_key(call, text, &c, &found, err);

	if (st)
		return st;
	return found ? reply_found(call, &c, 1) : reply_missing(call, text, err);
}

static ch_status resolve_search(struct search *f, const char *what, struct ch_err *err)
{
	ch_status st = look(f, err);

	if (st)
		return st;
	narrow(f);
	if (!f->count)
		return reply_missing(f->call, what, err);
	if (f->count > 1 && (f->session_id || f->label))
		return ch_fail(err, CH_E_INVALID, "Multiple sessions found for %s: %s (%s, %s)", f->label ? "label" : "sessionId", what,
			       f->found[0].key, f->found[1].key);
	return reply_found(f->call, f->found, f->count);
}

static ch_status take_short_id(struct search *f, const char *text, struct ch_err *err)
{
	char *digits = arena_strdup(f->call->arena, text);
	size_t n = strlen(digits);

	str_lower(digits);
	if (n < SHORT_ID_MIN || n > SHORT_ID_MAX || strspn(digits, "0123456789abcdef") != n)
		return ch_fail(err, CH_E_INVALID, "shortId must be %d-%d hexadecimal characters", SHORT_ID_MIN, SHORT_ID_MAX);
	f->short_id = digits;
	f->slug = json_get_str(f->call->params, "slugHint");
	return CH_OK;
}

static ch_status resolve_short(struct search *f, const char *text, struct ch_err *err)
{
	ch_status st = take_short_id(f, text, err);

	return st ? st : resolve_search(f, f->short_id, err);
}

/* A link's key; when that is gone, the name that the link carries. */
static ch_status resolve_reference(struct search *f, const struct json *reference, struct ch_err *err)
{
	const char *text = json_get_str(reference, "key"), *slug = json_get_str(reference, "slug");
	struct candidate c;
	bool found;
	ch_status st = find_key(f->call, text, &c, &found, err);

	if (st)
		return st;
	if (found)
		return reply_found(f->call, &c, 1);
	f->slug = str_empty(slug) ? NULL : slug;
	return f->slug ? resolve_search(f, text, err) : reply_missing(f->call, text, err);
}

ch_status session_by_short_id(struct gw_call *call, struct sess_key *ret, struct ch_err *err)
{
	const char *text = json_get_str(call->params, "shortId");
	struct search f = { .call = call };
	ch_status st = take_short_id(&f, text, err);

	if (!st)
		st = look(&f, err);
	if (st)
		return st;
	narrow(&f);
	if (f.count != 1)
		return ch_fail(err, CH_E_INVALID, f.count ? "Multiple sessions found for shortId: %s" : "No session found: %s", text);
	return gw_session_key(call, f.found[0].key, ret, err);
}

static CH_FIBER ch_status run_resolve(struct gw_call *call, struct ch_err *err)
{
	static const char *const ways[] = { "key", "sessionId", "label", "shortId", "reference" };
	const struct json *p = call->params;
	struct search f = { .call = call, .session_id = json_get_str(p, "sessionId"), .label = json_get_str(p, "label") };
	size_t given = 0;

	for (size_t i = 0; i < CH_ARRAY_LEN(ways); i++)
		given += json_get(p, ways[i]) != NULL;
	if (json_get(p, "slugHint") && !json_get(p, "shortId"))
		return ch_fail(err, CH_E_INVALID, "slugHint requires shortId");
	if (given != 1)
		return ch_fail(err, CH_E_INVALID, given ? "Provide either key, sessionId, label, shortId, or reference (not multiple)" :
							  "Either key, sessionId, label, shortId, or reference is required");
	if (json_get(p, "key"))
		return resolve_key(call, json_get_str(p, "key"), err);
	if (json_get(p, "shortId"))
		return resolve_short(&f, json_get_str(p, "shortId"), err);
	if (json_get(p, "reference"))
		return resolve_reference(&f, json_get(p, "reference"), err);
	return resolve_search(&f, f.label ? f.label : f.session_id, err);
}

/* -- sessions.get -- */

static const struct gw_param get_params[] = {
	{ "key", GP_STR },
	{ "sessionKey", GP_STR },
	{ "agentId", GP_STR },
	{ "limit", GP_NUM },
	{ 0 },
};

static bool on_entry(void *arg, const struct tr_entry *e)
{
	gw_render_message(arg, e);
	return true;
}

static CH_FIBER ch_status run_get(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	double limit = json_num_or(json_get(call->params, "limit"), GET_LIMIT_DEFAULT);
	struct tr_range range = { .limit = (size_t)CH_MAX(1, CH_MIN(limit, GET_LIMIT_MAX)), .max_bytes = GW_FRAME_MAX / 4 };
	struct sess_key key;
	ch_status st;

	if (str_empty(json_get_str(call->params, "key")) && str_empty(json_get_str(call->params, "sessionKey")))
		return ch_fail(err, CH_E_INVALID, "key required");
	st = gw_session_key_param(call, &key, err);
	if (!st)
		st = sess_find(call->gw->sessions, key.key, &s, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_karr(w, "messages");
	st = s ? tr_read(call->gw->sessions, s->session_id, &range, on_entry, w, err) : CH_OK;
	if (st)
		return st;
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- sessions.cleanup -- */

static const struct gw_param cleanup_params[] = {
	{ "agent", GP_STR, GP_NON_EMPTY },
	{ "allAgents", GP_BOOL },
	{ "enforce", GP_BOOL },
	{ "activeKey", GP_STR, GP_NON_EMPTY },
	{ "fixMissing", GP_BOOL },
	{ "fixDmScope", GP_BOOL },
	{ 0 },
};

static int64_t duration_or(const struct json *v, int64_t def)
{
	int64_t ms;

	if (json_is(v, JSON_BOOL) || json_int_or(v, -1) == 0)
		return 0;
	return json_str(v) && str_to_duration_ms(json_str(v), 1, &ms) ? ms : json_int_or(v, def);
}

static void read_rules(const struct config *c, struct cleanup_rules *ret)
{
	*ret = (struct cleanup_rules){
		.prune_after_ms = config_int(c, "session.maintenance.pruneAfter", 30 * DAY_MS),
		.dashboard_after_ms = duration_or(config_get(c, "session.maintenance.archiveDashboardAfter"), 7 * DAY_MS),
		.max_entries = config_int(c, "session.maintenance.maxEntries", 5000),
		.max_bytes = config_int(c, "session.maintenance.maxDiskBytes", 10ll << 30),
		.is_enforced = !str_eq(config_str(c, "session.maintenance.mode"), "warn"),
	};
}

/* fixMissing and fixDmScope repair what this storage cannot have: rows without transcript, keys of another scope. */
static void put_summary(struct gw_call *call, struct jw *w, const struct cleanup_rules *rules, const struct cleanup_result *r)
{
	static const char *const zeros[] = { "missing", "dmScopeRetired", "modelRunPruned" };
	bool mutates = r->archived + r->cap_archived + r->pruned > 0;

	jw_obj(w);
	jw_kstr(w, "agentId", rules->agent_id);
	jw_kstr(w, "storePath", db_path(call->gw->db));
	jw_kstr(w, "mode", rules->is_enforced ? "enforce" : "warn");
	jw_kbool(w, "dryRun", false);
	jw_kint(w, "beforeCount", r->before);
	jw_kint(w, "afterCount", rules->is_enforced ? r->after : r->before);
	for (size_t i = 0; i < CH_ARRAY_LEN(zeros); i++)
		jw_kint(w, zeros[i], 0);
	jw_kint(w, "archived", r->archived);
	jw_kint(w, "capArchived", r->cap_archived);
	jw_kint(w, "pruned", r->pruned);
	jw_kint(w, "capped", 0);
	jw_kobj(w, "unreferencedArtifacts");
	jw_kint(w, "scannedFiles", 0);
	jw_kint(w, "removedFiles", 0);
	jw_kint(w, "freedBytes", 0);
	jw_kint(w, "olderThanMs", rules->prune_after_ms);
	jw_end(w);
	jw_kobj(w, "diskBudget");
	jw_kint(w, "totalBytesBefore", r->file_bytes);
	jw_kint(w, "totalBytesAfter", r->file_bytes);
	jw_kint(w, "removedFiles", 0);
	jw_kint(w, "removedEntries", 0);
	jw_kint(w, "freedBytes", 0);
	jw_kint(w, "maxBytes", rules->max_bytes);
	jw_kint(w, "highWaterBytes", rules->max_bytes / 10 * 8);
	jw_kbool(w, "overBudget", r->file_bytes > rules->max_bytes);
	jw_end(w);
	jw_kbool(w, "wouldMutate", mutates);
	jw_kbool(w, "applied", rules->is_enforced);
	jw_kint(w, "appliedCount", rules->is_enforced ? r->after : r->before);
	jw_end(w);
}

static ch_status clean_agent(struct gw_call *call, const char *agent_id, struct jw *w, bool *io_changed, struct ch_err *err)
{
	struct cleanup_rules rules;
	struct cleanup_result result;
	struct sess_key keep = { 0 };
	const char *active = json_get_str(call->params, "activeKey");
	ch_status st = active ? gw_session_key(call, active, &keep, err) : CH_OK;

	read_rules(gw_config(call->gw), &rules);
	rules.agent_id = agent_id;
	rules.keep_key = keep.key;
	rules.is_enforced |= json_get_bool(call->params, "enforce", false);
	if (!st)
		st = sess_cleanup(call->gw->sessions, &rules, rules.is_enforced, &result, err);
	if (st)
		return st;
	*io_changed |= rules.is_enforced && result.archived + result.cap_archived + result.pruned > 0;
	put_summary(call, w, &rules, &result);
	return CH_OK;
}

/* The configured agents, as one object that says so. */
static ch_status clean_all(struct gw_call *call, struct jw *w, bool *io_changed, struct ch_err *err)
{
	const struct agent_info *agents;
	size_t n = agents_list(gw_config(call->gw), call->gw->state_dir, call->arena, &agents);
	ch_status st = CH_OK;

	if (n == 1)
		return clean_agent(call, agents[0].id, w, io_changed, err);
	jw_obj(w);
	jw_kbool(w, "allAgents", true);
	jw_kstr(w, "mode", str_eq(config_str(gw_config(call->gw), "session.maintenance.mode"), "warn") &&
			   !json_get_bool(call->params, "enforce", false) ? "warn" : "enforce");
	jw_kbool(w, "dryRun", false);
	jw_karr(w, "stores");
	for (size_t i = 0; !st && i < n; i++)
		st = clean_agent(call, agents[i].id, w, io_changed, err);
	jw_end(w);
	jw_end(w);
	return st;
}

static CH_FIBER ch_status run_cleanup(struct gw_call *call, struct ch_err *err)
{
	const char *agent = json_get_str(call->params, "agent");
	bool all = json_get_bool(call->params, "allAgents", false), changed = false;
	struct jw *w;
	ch_status st;

	if (agent && all)
		return ch_fail(err, CH_E_INVALID, "sessions.cleanup takes agent or allAgents, not both");
	if (agent && !agent_find(gw_config(call->gw), call->gw->state_dir, call->arena, agent))
		return ch_fail(err, CH_E_INVALID, "unknown agent: %s", agent);
	w = gw_reply_begin(call);
	st = all ? clean_all(call, w, &changed, err) :
		   clean_agent(call, agent ? agent : agent_default_id(gw_config(call->gw), call->arena), w, &changed, err);
	if (st)
		return st;
	gw_reply_end(call);
	if (changed)
		gw_sessions_changed(call->gw, "cleanup");
	return CH_OK;
}

const struct gw_method gwm_sessions_more[] = {
	/* name                run          scope           flags                          params */
	{ "sessions.cleanup",  run_cleanup, GW_SCOPE_ADMIN, 0,                             cleanup_params },
	{ "sessions.get",      run_get,     GW_SCOPE_READ,  GW_HIDDEN | GW_OPEN_PARAMS,    get_params },
	{ "sessions.resolve",  run_resolve, GW_SCOPE_READ,  GW_HIDDEN,                     resolve_params },
};
const size_t gwm_sessions_more_count = CH_ARRAY_LEN(gwm_sessions_more);
