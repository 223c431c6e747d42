/*
 * models/auth_store.c - the rows of credentials and of their order.
 */
#include "models/auth_store.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"

#define COLUMNS                                                                                          \
	"agent_id, profile_id, provider, kind, created_at, updated_at, last_used_at, expires_at, email," \
	" account_id, extra, refused, refresh_token IS NOT NULL"

static const char *const kind_names[] = {
	[AUTH_KIND_NONE] = "none",
	[AUTH_KIND_API_KEY] = "api_key",
	[AUTH_KIND_TOKEN] = "token",
	[AUTH_KIND_OAUTH] = "oauth",
};

const char *auth_kind_name(enum auth_kind k)
{
	CH_BUG_ON((size_t)k >= CH_ARRAY_LEN(kind_names));
	return kind_names[k];
}

/* The table admits no other names. */
static enum auth_kind kind_from(const char *name)
{
	size_t i = 0;

	while (!str_eq(kind_names[i], name)) {
		i++;
		CH_BUG_ON(i == CH_ARRAY_LEN(kind_names));
	}
	return (enum auth_kind)i;
}

bool auth_id_is_valid(const char *id)
{
	const char *colon = id ? strchr(id, ':') : NULL;
	size_t n = id ? strlen(id) : 0;

	if (!colon || colon == id || !colon[1] || n > AUTH_ID_MAX)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (id[i] <= ' ' || id[i] > '~' || strchr("\"'\\", id[i]))
			return false;
	}
	return true;
}

bool auth_secret_is_valid(const char *text)
{
	size_t n = text ? strlen(text) : 0;

	for (size_t i = 0; i < n; i++) {
		if (text[i] < ' ' || text[i] > '~')
			return false;
	}
	return n > 0 && n <= AUTH_SECRET_MAX;
}

/* ---- reading ---- */

static const char *copy(struct arena *a, struct db_stmt *s, int column)
{
	return arena_strdup(a, db_text(s, column));
}

static struct auth_profile read_row(struct arena *a, struct db_stmt *s)
{
	return (struct auth_profile){
		.agent_id = copy(a, s, 0),
		.id = copy(a, s, 1),
		.provider = copy(a, s, 2),
		.kind = kind_from(db_text(s, 3)),
		.created_at = db_int(s, 4),
		.updated_at = db_int(s, 5),
		.last_used_at = db_int(s, 6),
		.expires_at = db_int(s, 7),
		.email = copy(a, s, 8),
		.account_id = copy(a, s, 9),
		.extra = copy(a, s, 10),
		.refused = copy(a, s, 11),
		.has_refresh = db_int(s, 12) != 0,
	};
}

ch_status auth_store_list(struct db *db, struct arena *a, const char *agent_id, const char *provider,
			  struct auth_profiles *ret, struct ch_err *err)
{
	/* An agent's own row comes before the shared one of the same id, which is then left out. */
	static const char sql[] = "SELECT " COLUMNS " FROM auth_profiles WHERE agent_id IN ('', ?1)"
				  " AND (?2 IS NULL OR provider = ?2)"
				  " ORDER BY provider, profile_id, agent_id DESC";
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	struct auth_profile *list = NULL;
	size_t len = 0, cap = 0;
	bool row = false;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, agent_id ? agent_id : "");
	db_bind_text(s, 2, provider);
	for (st = db_step(s, &row, err); !st && row; st = db_step(s, &row, err)) {
		if (len && str_eq(list[len - 1].id, db_text(s, 1)))
			continue;
		if (len == cap) {
			struct auth_profile *more = arena_alloc(a, (cap ? cap * 2 : 4) * sizeof(*more));

			if (len)
				memcpy(more, list, len * sizeof(*more));
			list = more;
			cap = cap ? cap * 2 : 4;
		}
		list[len++] = read_row(a, s);
	}
	if (!st)
		*ret = (struct auth_profiles){ list, len };
	return st;
}

ch_status auth_store_find(struct db *db, struct arena *a, const char *agent_id, const char *id,
			  struct auth_profile *ret, struct ch_err *err)
{
	static const char sql[] = "SELECT " COLUMNS " FROM auth_profiles WHERE agent_id IN ('', ?1)"
				  " AND profile_id = ?2 ORDER BY agent_id DESC LIMIT 1";
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = false;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, agent_id ? agent_id : "");
	db_bind_text(s, 2, id);
	st = db_step(s, &row, err);
	if (st)
		return st;
	if (!row)
		return ch_fail(err, CH_E_NOT_FOUND,
			       "there is no auth profile '%.100s' (see: chela models auth list)", id);
	*ret = read_row(a, s);
	return CH_OK;
}

ch_status auth_store_secrets(struct db *db, const struct auth_profile *p, struct secret **ret_secret,
			     struct secret **ret_refresh, struct ch_err *err)
{
	static const char sql[] =
		"SELECT secret, refresh_token FROM auth_profiles WHERE agent_id = ?1 AND profile_id = ?2";
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = false;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, p->agent_id);
	db_bind_text(s, 2, p->id);
	st = db_step(s, &row, err);
	if (st)
		return st;
	if (!row)
		return ch_fail(err, CH_E_NOT_FOUND, "the auth profile '%s' was removed", p->id);
	*ret_secret = secret_new(db_text(s, 0));
	if (ret_refresh)
		*ret_refresh = db_is_null(s, 1) ? NULL : secret_new(db_text(s, 1));
	return CH_OK;
}

/* ---- writing ---- */

/* Statements with the two parts of a row's key first. */
static ch_status prep_keyed(struct db *db, const char *sql, const char *agent_id, const char *id,
			    struct db_stmt **ret, struct ch_err *err)
{
	ch_status st = db_prep(db, sql, ret, err);

	if (st)
		return st;
	db_bind_text(*ret, 1, agent_id ? agent_id : "");
	db_bind_text(*ret, 2, id);
	return CH_OK;
}

static ch_status forget_health(struct db *db, const char *agent_id, const char *id, struct ch_err *err)
{
	struct db_stmt *s = NULL;
	ch_status st = prep_keyed(db, "DELETE FROM auth_health WHERE agent_id = ?1 AND profile_id = ?2",
				  agent_id, id, &s, err);

	return st ? st : db_run(s, NULL, err);
}

static ch_status upsert(struct db *db, const struct auth_profile *p, const char *secret, const char *refresh,
			struct ch_err *err)
{
	static const char sql[] =
		"INSERT INTO auth_profiles (agent_id, profile_id, provider, kind, created_at, updated_at, "
		"expires_at,"
		" email, account_id, extra, refresh_token, secret) VALUES "
		"(?1,?2,?3,?4,?5,?5,?6,?7,?8,?9,?10,?11)"
		" ON CONFLICT (agent_id, profile_id) DO UPDATE SET provider = ?3, kind = ?4, updated_at = ?5,"
		" expires_at = ?6, email = ?7, account_id = ?8, extra = ?9, refused = NULL, refresh_token = "
		"?10,"
		" secret = ?11";
	struct db_stmt *s = NULL;
	ch_status st = prep_keyed(db, sql, p->agent_id, p->id, &s, err);

	if (st)
		return st;
	db_bind_text(s, 3, p->provider);
	db_bind_text(s, 4, auth_kind_name(p->kind));
	db_bind_int(s, 5, now_wall_ms());
	db_bind_int(s, 6, p->expires_at);
	db_bind_text(s, 7, p->email);
	db_bind_text(s, 8, p->account_id);
	db_bind_text(s, 9, p->extra);
	db_bind_text(s, 10, refresh);
	db_bind_text(s, 11, secret);
	return db_run(s, NULL, err);
}

ch_status auth_store_put(struct db *db, const struct auth_profile *p, const char *secret, const char *refresh,
			 struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st;

	if (!auth_id_is_valid(p->id))
		return ch_fail(err, CH_E_INVALID, "'%.80s' is no profile id: write provider:name", p->id);
	if (!auth_secret_is_valid(secret))
		return ch_fail(err, CH_E_INVALID, "%s: the key is empty, longer than %d bytes, or holds what keys do not",
			       p->id, AUTH_SECRET_MAX);
	st = db_begin_durable(db, err);
	if (st)
		return st;
	tx = db;
	st = upsert(db, p, secret, refresh, err);
	if (!st)
		st = forget_health(db, p->agent_id, p->id, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* An id that is gone is not left in the orders; an order that would be empty goes too. */
static ch_status drop_from_order(struct db *db, const char *agent_id, const char *id, struct ch_err *err)
{
	static const char update[] = "UPDATE auth_order SET profiles = (SELECT json_group_array(value) FROM"
				     " json_each(profiles) WHERE value <> ?2) WHERE agent_id = ?1";
	struct db_stmt *s = NULL;
	ch_status st = prep_keyed(db, update, agent_id, id, &s, err);

	if (!st)
		st = db_run(s, NULL, err);
	return st ? st : db_exec(db, "DELETE FROM auth_order WHERE profiles = '[]'", err);
}

ch_status auth_store_remove(struct db *db, const char *agent_id, const char *id, bool *ret_found,
			    struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db_stmt *s = NULL;
	int64_t changes = 0;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	tx = db;
	st = prep_keyed(db, "DELETE FROM auth_profiles WHERE agent_id = ?1 AND profile_id = ?2", agent_id, id,
			&s, err);
	if (!st)
		st = db_run(s, &changes, err);
	if (!st)
		st = forget_health(db, agent_id, id, err);
	if (!st)
		st = drop_from_order(db, agent_id, id, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (!st && ret_found)
		*ret_found = changes > 0;
	return st;
}

ch_status auth_store_forget_agent(struct db *db, const char *agent_id, struct ch_err *err)
{
	static const char *const sql[] = {
		"DELETE FROM auth_profiles WHERE agent_id = ?1",
		"DELETE FROM auth_health WHERE agent_id = ?1",
		"DELETE FROM auth_order WHERE agent_id = ?1",
	};
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st;

	CH_BUG_ON(str_empty(agent_id));          /* "" are everybody's */
	st = db_begin_durable(db, err);
	if (st)
		return st;
	tx = db;
	for (size_t i = 0; i < CH_ARRAY_LEN(sql) && !st; i++) {
		struct db_stmt *s = NULL;

		st = db_prep(db, sql[i], &s, err);
		if (st)
			break;
		db_bind_text(s, 1, agent_id);
		st = db_run(s, NULL, err);
	}
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status auth_store_renew(struct db *db, const struct auth_profile *p, const char *was, const char *secret,
			   const char *refresh, int64_t expires_at, struct ch_err *err)
{
	static const char sql[] =
		"UPDATE auth_profiles SET secret = ?4, refresh_token = coalesce(?5, refresh_token),"
		" expires_at = ?6, updated_at = ?7, refused = NULL"
		" WHERE agent_id = ?1 AND profile_id = ?2 AND refresh_token = ?3";
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db_stmt *s = NULL;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	tx = db;
	st = prep_keyed(db, sql, p->agent_id, p->id, &s, err);
	if (st)
		return st;
	db_bind_text(s, 3, was);
	db_bind_text(s, 4, secret);
	db_bind_text(s, 5, refresh);
	db_bind_int(s, 6, expires_at);
	db_bind_int(s, 7, now_wall_ms());
	st = db_run(s, NULL, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status auth_store_refuse(struct db *db, const struct auth_profile *p, const char *was, const char *why,
			    struct ch_err *err)
{
	struct db_stmt *s = NULL;
	ch_status st = prep_keyed(db,
				  "UPDATE auth_profiles SET refused = ?4 WHERE agent_id = ?1 AND profile_id = ?2"
				  " AND refresh_token = ?3",
				  p->agent_id, p->id, &s, err);

	if (st)
		return st;
	db_bind_text(s, 3, was);
	db_bind_text(s, 4, why);
	return db_run(s, NULL, err);
}

ch_status auth_store_stale(struct db *db, const char *agent_id, const char *id, struct ch_err *err)
{
	struct db_stmt *s = NULL;
	ch_status st = prep_keyed(db,
				  "UPDATE auth_profiles SET expires_at = 1 WHERE agent_id = ?1"
				  " AND profile_id = ?2 AND refresh_token IS NOT NULL",
				  agent_id, id, &s, err);

	return st ? st : db_run(s, NULL, err);
}

ch_status auth_store_touch(struct db *db, const struct auth_profile *p, int64_t now_wall, struct ch_err *err)
{
	struct db_stmt *s = NULL;
	ch_status st = prep_keyed(
		db, "UPDATE auth_profiles SET last_used_at = ?3 WHERE agent_id = ?1 AND profile_id = ?2",
		p->agent_id, p->id, &s, err);

	if (st)
		return st;
	db_bind_int(s, 3, now_wall);
	return db_run(s, NULL, err);
}

/* ---- the order ---- */

ch_status auth_order_get(struct db *db, struct arena *a, const char *agent_id, const char *provider,
			 struct json **ret, bool *ret_own, struct ch_err *err)
{
	static const char sql[] = "SELECT profiles, agent_id FROM auth_order WHERE agent_id IN ('', ?1)"
				  " AND provider = ?2 ORDER BY agent_id DESC LIMIT 1";
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = false;
	ch_status st = prep_keyed(db, sql, agent_id, provider, &s, err);

	if (!st)
		st = db_step(s, &row, err);
	if (st)
		return st;
	*ret = NULL;
	if (ret_own)
		*ret_own = row && str_eq(db_text(s, 1), agent_id ? agent_id : "");
	return row ? json_parse(a, db_text(s, 0), db_text_len(s, 0), JSON_STRICT, ret, err) : CH_OK;
}

ch_status auth_order_set(struct db *db, const char *agent_id, const char *provider, const struct json *ids,
			 struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *s = NULL;
	ch_status st = prep_keyed(
		db,
		ids ? "INSERT OR REPLACE INTO auth_order (agent_id, provider, profiles) VALUES (?1, ?2, ?3)"
		    : "DELETE FROM auth_order WHERE agent_id = ?1 AND provider = ?2",
		agent_id, provider, &s, err);
	const char *text = ids ? json_to_str(a, ids) : NULL;

	if (st)
		return st;
	if (text)
		db_bind_text(s, 3, text);
	return db_run(s, NULL, err);
}
