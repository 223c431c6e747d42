/*
 * agent/taint.c - see taint.h.
 */
#include "agent/taint.h"

#include "agent/from.h"
#include "agent/policy.h"
#include "agent/running.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"
#include "tools/changed.h"

#define REF_MAX 500                      /* bytes of an address that are kept */

/* -- a turn and its session -- */

static const char *short_ref(struct arena *a, const char *ref)
{
	return ref ? arena_strndup(a, ref, utf8_cut(ref, strlen(ref), REF_MAX)) : NULL;
}

void taint_note(struct run *r, const char *kind, const char *ref)
{
	if (r->policy)
		policy_taint(r->policy);
	for (size_t i = 0; i < r->taints.len; i++)
		if (str_eq(r->taints.at[i].kind, kind) && str_eq(r->taints.at[i].ref, ref))
			return;
	vec_push(&r->taints, ((struct run_taint){ arena_strdup(r->arena, kind), short_ref(r->arena, ref), now_wall_ms() }));
}

void taint_input(struct run *r, const struct run *other)
{
	if (other->origin && other->origin->is_tainted)
		taint_note(r, other->origin->kind, other->origin->taint_source);
	if (other->from && other->from->has_outside)
		taint_note(r, "channel", other->from->channel);
	if (other->sender_is_owner)
		return;
	if (other->from)
		taint_note(r, "channel", arena_printf(r->arena, "%s:%s", other->from->channel,
						      other->from->sender_id ? other->from->sender_id : "?"));
	else
		taint_note(r, "sender", other->channel);
	if (r->policy)
		policy_disown(r->policy);
}

static struct json *sources_of(struct arena *a, const struct sess *s)
{
	struct json *list = NULL;

	if (s->taint && !json_parse(a, s->taint, strlen(s->taint), JSON_STRICT, &list, NULL) && json_is(list, JSON_ARR))
		return list;
	return json_new_arr(a);
}

static struct json *source_json(struct arena *a, const char *kind, const char *ref)
{
	struct json *o = json_new_obj(a);

	json_set(a, o, "kind", json_new_str(a, kind));
	if (ref)
		json_set(a, o, "ref", json_new_str(a, ref));
	return o;
}

static bool is_same(const struct json *source, const struct run_taint *t)
{
	return str_eq(json_get_str(source, "kind"), t->kind) && str_eq(json_get_str(source, "ref"), t->ref);
}

/* The newest stay, each once. */
static const char *with_source(struct arena *a, const struct json *old, const struct run_taint *t)
{
	struct json *list = json_new_arr(a), *mine = source_json(a, t->kind, t->ref);
	size_t skip = json_len(old) >= TAINT_SOURCES_MAX ? json_len(old) - TAINT_SOURCES_MAX + 1 : 0;

	json_each(source, old) {
		if (is_same(source, t))
			continue;
		if (skip) {
			skip--;
			continue;
		}
		json_push(list, json_clone(a, source));
	}
	json_set(a, mine, "at", json_new_int(a, t->at));
	json_push(list, mine);
	return json_to_str(a, list);
}

void taint_add(struct sess *s, const struct run_taint *t, size_t n)
{
	CH_AUTO(arena_unref) struct arena *a = n ? arena_new(0) : NULL;

	for (size_t i = 0; i < n; i++)
		sess_set_str(s, &s->taint, with_source(a, sources_of(a, s), &t[i]));
	if (n && !s->tainted_at)
		s->tainted_at = t[0].at;
}

bool taint_apply(struct run *r)
{
	taint_add(r->sess, r->taints.at, r->taints.len);
	return r->taints.len > 0;
}

const char *taint_meta(struct arena *a, const char *kind, const char *ref)
{
	struct json *meta = json_new_obj(a);

	json_set(a, meta, "taint", source_json(a, kind, short_ref(a, ref)));
	return json_to_str(a, meta);
}

void taint_copy(const struct sess *from, struct sess *to)
{
	if (!from->tainted_at)
		return;
	if (!to->tainted_at)
		to->tainted_at = now_wall_ms();
	sess_set_str(to, &to->taint, from->taint);
}

const char *taint_sources(struct arena *a, const struct sess *s)
{
	CH_AUTO_BUF struct buf out = { 0 };

	if (!s->tainted_at)
		return NULL;
	buf_init(&out, 16384);
	json_each(source, sources_of(a, s)) {
		const char *kind = json_get_str(source, "kind"), *ref = json_get_str(source, "ref");

		buf_printf(&out, "%s%s%s%s", out.len ? ", " : "", kind ? kind : "?", ref ? " " : "", ref ? ref : "");
	}
	return arena_strdup(a, out.len ? buf_str(&out) : "unknown");
}

/* -- files -- */

/* The table's key: files of other roots have no workspace. */
static const char *root_of(const char *workspace, const char *path)
{
	return path[0] == '/' ? "" : workspace;
}

ch_status taint_mark(struct db *db, const char *workspace, const char *path, const char *session_key, const char *source,
		     struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "INSERT OR REPLACE INTO tainted_files (workspace, path, at, session_key, source) "
			       "VALUES (?1, ?2, ?3, ?4, ?5)", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, root_of(workspace, path));
	db_bind_text(row, 2, path);
	db_bind_int(row, 3, now_wall_ms());
	db_bind_text(row, 4, session_key);
	db_bind_text(row, 5, source);
	return db_run(row, NULL, err);
}

static ch_status write_mark(struct db *db, const struct tool_ctx *ctx, const char *path, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *source = NULL;

	if (ctx->host->sessions && !sess_find(ctx->host->sessions, ctx->session_key, &s, NULL))
		source = taint_sources(a, s);
	return taint_mark(db, ctx->workspace, path, ctx->session_key, source, err);
}

ch_status taint_forget_file(struct db *db, const char *workspace, const char *path, struct ch_err *err)
{
	struct db_stmt *row;
	ch_status st = db_prep(db, "DELETE FROM tainted_files WHERE workspace = ?1 AND path = ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, root_of(workspace, path));
	db_bind_text(row, 2, path);
	return db_run(row, NULL, err);
}

ch_status taint_file_written(void *arg, const struct tool_ctx *ctx, const char *path, bool is_tainted, struct ch_err *err)
{
	struct agent_host *h = arg;
	struct db *db = sess_store_db(h->opts.sessions);

	return is_tainted ? write_mark(db, ctx, path, err) : taint_forget_file(db, ctx->workspace, path, err);
}

struct mark { bool is_found; int64_t at; const char *source; };

static ch_status find_mark(struct db *db, const char *workspace, const char *path, struct arena *a, struct mark *ret,
			   struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	ch_status st = db_prep(db, "SELECT source, at FROM tainted_files WHERE workspace = ?1 AND path = ?2", &row, err);

	if (st)
		return st;
	db_bind_text(row, 1, root_of(workspace, path));
	db_bind_text(row, 2, path);
	st = db_step(row, &ret->is_found, err);
	if (!st && ret->is_found) {
		ret->source = db_is_null(row, 0) ? NULL : arena_strdup(a, db_text(row, 0));
		ret->at = db_int(row, 1);
	}
	return st;
}

/* A folder's mark counts for what has not been changed since. A file that is not there has nothing in it. */
static bool was_there(const char *file, int64_t marked_at)
{
	int64_t at;

	return changed_at(file, &at) && at <= marked_at;
}

/* The marks of the folders that it is in, from the nearest. */
static ch_status find_above(struct db *db, const char *workspace, const char *path, struct arena *a, struct mark *ret,
			    struct ch_err *err)
{
	const char *file = arena_printf(a, "%s/%s", workspace, path);
	size_t n = strlen(path);
	ch_status st;

	for (;;) {
		while (n && path[n - 1] != '/')
			n--;
		st = find_mark(db, workspace, n ? arena_strndup(a, path, n) : CHANGED_ALL, a, ret, err);
		if (st || (ret->is_found && was_there(file, ret->at)))
			return st;
		ret->is_found = false;
		if (!n)
			return CH_OK;
		n--;
	}
}

bool taint_find_file(struct db *db, const char *workspace, const char *path, struct arena *a, const char **ret_source)
{
	struct mark mark = { .is_found = false };
	struct ch_err err;
	ch_status st = find_mark(db, workspace, path, a, &mark, &err);

	*ret_source = NULL;
	if (!st && !mark.is_found && path[0] != '/')
		st = find_above(db, workspace, path, a, &mark, &err);
	if (st) {
		log_warn("agent", "whether %s holds text from outside cannot be told: %s; it is taken to", log_quote(path), err.text);
		return true;
	}
	if (!mark.is_found)
		return path[0] != '/' && running_has_written(db, workspace, arena_printf(a, "%s/%s", workspace, path));
	*ret_source = mark.source;
	return true;
}

bool taint_is_file(void *arg, const struct tool_ctx *ctx, const char *path, const char **ret_source)
{
	struct agent_host *h = arg;

	return taint_find_file(sess_store_db(h->opts.sessions), ctx->workspace, path, ctx->arena, ret_source);
}
