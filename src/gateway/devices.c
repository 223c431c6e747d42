/*
 * gateway/devices.c - paired devices and open pairing requests in the database.
 */
#include "gateway/devices.h"

#include "core/clock.h"
#include "core/str.h"
#include "core/vec.h"
#include "gateway/device_rows.h"

const char *role_name(enum gw_role role)
{
	return role == GW_ROLE_NODE ? "node" : "operator";
}

enum gw_role role_find(const char *name)
{
	if (str_eq(name, "operator"))
		return GW_ROLE_OPERATOR;
	return str_eq(name, "node") ? GW_ROLE_NODE : 0;
}

void roles_write(struct jw *w, unsigned roles)
{
	jw_arr(w);
	if (roles & GW_ROLE_OPERATOR)
		jw_str(w, "operator");
	if (roles & GW_ROLE_NODE)
		jw_str(w, "node");
	jw_end(w);
}

/* -- columns -- */

char *row_text(struct db_stmt *s, int col, struct arena *a)
{
	return db_is_null(s, col) ? NULL : arena_strndup(a, db_text(s, col), db_text_len(s, col));
}

void row_scopes(struct db_stmt *s, int col, struct arena *a, struct scope_list *ret)
{
	struct json *v;

	*ret = (struct scope_list){0};
	if (!db_is_null(s, col) &&
	    !json_parse(a, db_text(s, col), db_text_len(s, col), JSON_STRICT, &v, NULL))
		scope_list_from_json(ret, v);
}

char *scopes_column(struct arena *a, const struct scope_list *l)
{
	return json_to_str(a, scope_list_json(a, l));
}

static unsigned row_roles(struct db_stmt *s, int col)
{
	const char *text = db_text(s, col);

	return (strstr(text, "\"operator\"") ? GW_ROLE_OPERATOR : 0) |
	       (strstr(text, "\"node\"") ? GW_ROLE_NODE : 0);
}

static const char *roles_column(unsigned roles)
{
	switch (roles & (GW_ROLE_OPERATOR | GW_ROLE_NODE)) {
	case GW_ROLE_OPERATOR: return "[\"operator\"]";
	case GW_ROLE_NODE: return "[\"node\"]";
	case 0: return "[]";
	default: return "[\"operator\",\"node\"]";
	}
}

/* -- devices -- */

#define DEVICE_COLUMNS                                                                                       \
	"device_id, public_key, display_name, label, platform, device_family, client_id, client_mode, "      \
	"role, roles, "                                                                                      \
	"scopes, approved_via, created_at, approved_at, last_seen_at, last_seen_reason, last_ip"

static void read_device(struct db_stmt *s, struct arena *a, struct device *d)
{
	*d = (struct device){
		.id = row_text(s, 0, a),
		.public_key = row_text(s, 1, a),
		.display_name = row_text(s, 2, a),
		.label = row_text(s, 3, a),
		.platform = row_text(s, 4, a),
		.device_family = row_text(s, 5, a),
		.client_id = row_text(s, 6, a),
		.client_mode = row_text(s, 7, a),
		.role = role_find(db_text(s, 8)),
		.roles = row_roles(s, 9),
		.approved_via = row_text(s, 11, a),
		.created_at = db_int(s, 12),
		.approved_at = db_int(s, 13),
		.last_seen_at = db_int(s, 14),
		.last_seen_reason = row_text(s, 15, a),
		.last_ip = row_text(s, 16, a),
	};
	row_scopes(s, 10, a, &d->scopes);
}

ch_status device_find(struct db *db, struct arena *a, const char *id, struct device *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st = db_prep(db, "SELECT " DEVICE_COLUMNS " FROM devices WHERE device_id = ?", &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, id);
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "unknown deviceId");
	read_device(s, a, ret);
	return CH_OK;
}

ch_status device_save(struct db *db, const struct device *d, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *s;
	ch_status st = db_prep(
		db,
		"INSERT INTO devices (" DEVICE_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) "
		"ON CONFLICT (device_id) DO UPDATE SET public_key = excluded.public_key, "
		"display_name = excluded.display_name, label = excluded.label, platform = excluded.platform, "
		"device_family = excluded.device_family, client_id = excluded.client_id, "
		"client_mode = excluded.client_mode, role = excluded.role, roles = excluded.roles, "
		"scopes = excluded.scopes, approved_via = excluded.approved_via, "
		"approved_at = excluded.approved_at, last_seen_at = excluded.last_seen_at, "
		"last_seen_reason = excluded.last_seen_reason, last_ip = excluded.last_ip",
		&s, err);

	if (st)
		return st;
	db_bind_text(s, 1, d->id);
	db_bind_text(s, 2, d->public_key);
	db_bind_text(s, 3, d->display_name);
	db_bind_text(s, 4, d->label);
	db_bind_text(s, 5, d->platform);
	db_bind_text(s, 6, d->device_family);
	db_bind_text(s, 7, d->client_id);
	db_bind_text(s, 8, d->client_mode);
	db_bind_text(s, 9, role_name(d->role));
	db_bind_text(s, 10, roles_column(d->roles));
	db_bind_text(s, 11, scopes_column(a, &d->scopes));
	db_bind_text(s, 12, d->approved_via);
	db_bind_int(s, 13, d->created_at);
	db_bind_int(s, 14, d->approved_at);
	db_bind_int(s, 15, d->last_seen_at);
	db_bind_text(s, 16, d->last_seen_reason);
	db_bind_text(s, 17, d->last_ip);
	return db_run(s, NULL, err);
}

ch_status device_seen(struct db *db, const char *id, int64_t at, const char *reason, const char *ip,
		      const char *display_name, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db,
			       "UPDATE devices SET last_seen_at = ?, last_seen_reason = ?, last_ip = ?, "
			       "display_name = coalesce(?, display_name) WHERE device_id = ?",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, at);
	db_bind_text(s, 2, reason);
	db_bind_text(s, 3, ip);
	db_bind_text(s, 4, display_name);
	db_bind_text(s, 5, id);
	return db_run(s, NULL, err);
}

/* sql sets one text column of one device. */
static ch_status set_text(struct db *db, const char *sql, const char *value, const char *id,
			  struct ch_err *err)
{
	struct db_stmt *s;
	int64_t changes;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, value);
	db_bind_text(s, 2, id);
	st = db_run(s, &changes, err);
	if (!st && changes == 0)
		st = ch_fail(err, CH_E_NOT_FOUND, "unknown deviceId");
	return st;
}

ch_status device_set_label(struct db *db, const char *id, const char *label, struct ch_err *err)
{
	return set_text(db, "UPDATE devices SET label = ? WHERE device_id = ?", label, id, err);
}

ch_status device_set_platform(struct db *db, const char *id, const char *platform, struct ch_err *err)
{
	return set_text(db, "UPDATE devices SET platform = ? WHERE device_id = ?", platform, id, err);
}

/* sql deletes by one id. */
static ch_status delete_by(struct db *db, const char *sql, const char *id, int64_t *ret_changes,
			   struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, id);
	return db_run(s, ret_changes, err);
}

ch_status device_delete(struct db *db, const char *id, struct ch_err *err)
{
	int64_t changes = 0;
	ch_status st = db_begin_durable(db, err);

	if (st)
		return st;
	st = delete_by(db, "DELETE FROM pair_requests WHERE device_id = ?", id, NULL, err);
	if (!st)
		st = delete_by(db, "DELETE FROM devices WHERE device_id = ?", id, &changes, err);
	if (!st && changes == 0)
		st = ch_fail(err, CH_E_NOT_FOUND, "unknown deviceId");
	if (st) {
		db_rollback(db);
		return st;
	}
	return db_commit(db, err);
}

ch_status device_list(struct db *db, struct arena *a, struct device **ret, size_t *ret_count,
		      struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	size_t count = 0, cap = 16;
	struct device *all = arena_alloc(a, cap * sizeof(*all));
	bool has_row;
	ch_status st = db_prep(
		db, "SELECT " DEVICE_COLUMNS " FROM devices ORDER BY approved_at DESC, device_id", &s, err);

	if (st)
		return st;
	while (!(st = db_step(s, &has_row, err)) && has_row) {
		if (count == cap) {
			struct device *more = arena_alloc(a, 2 * cap * sizeof(*more));

			memcpy(more, all, cap * sizeof(*all));
			all = more;
			cap *= 2;
		}
		read_device(s, a, &all[count++]);
	}
	if (st)
		return st;
	*ret = all;
	*ret_count = count;
	return CH_OK;
}

/* -- requests -- */

#define REQUEST_COLUMNS                                                                                    \
	"request_id, device_id, public_key, display_name, platform, device_family, client_id, client_mode, " \
	"role, roles, scopes, reason, remote_ip, silent, is_repair, created_at, expires_at"

static void read_request(struct db_stmt *s, struct arena *a, struct pair_request *r)
{
	*r = (struct pair_request){
		.id = row_text(s, 0, a),
		.device_id = row_text(s, 1, a),
		.public_key = row_text(s, 2, a),
		.display_name = row_text(s, 3, a),
		.platform = row_text(s, 4, a),
		.device_family = row_text(s, 5, a),
		.client_id = row_text(s, 6, a),
		.client_mode = row_text(s, 7, a),
		.role = role_find(db_text(s, 8)),
		.roles = row_roles(s, 9),
		.reason = row_text(s, 11, a),
		.remote_ip = row_text(s, 12, a),
		.is_silent = db_int(s, 13),
		.is_repair = db_int(s, 14),
		.created_at = db_int(s, 15),
		.expires_at = db_int(s, 16),
	};
	row_scopes(s, 10, a, &r->scopes);
}

static ch_status find_request(struct db *db, struct arena *a, const char *sql, const char *key,
			      struct pair_request *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool has_row;
	ch_status st = db_prep(db, sql, &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, key);
	db_bind_int(s, 2, now_wall_ms());
	st = db_step(s, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "unknown requestId");
	read_request(s, a, ret);
	return CH_OK;
}

ch_status pair_request_find(struct db *db, struct arena *a, const char *id, struct pair_request *ret,
			    struct ch_err *err)
{
	return find_request(db, a,
			    "SELECT " REQUEST_COLUMNS
			    " FROM pair_requests WHERE request_id = ? AND expires_at > ?",
			    id, ret, err);
}

ch_status pair_request_of(struct db *db, struct arena *a, const char *device_id, struct pair_request *ret,
			  struct ch_err *err)
{
	return find_request(db, a,
			    "SELECT " REQUEST_COLUMNS
			    " FROM pair_requests WHERE device_id = ? AND expires_at > ? "
			    "ORDER BY created_at DESC LIMIT 1",
			    device_id, ret, err);
}

ch_status pair_request_save(struct db *db, const struct pair_request *r, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct db_stmt *s;
	ch_status st = db_prep(db,
			       "INSERT OR REPLACE INTO pair_requests (" REQUEST_COLUMNS ") "
			       "VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
			       &s, err);

	if (st)
		return st;
	db_bind_text(s, 1, r->id);
	db_bind_text(s, 2, r->device_id);
	db_bind_text(s, 3, r->public_key);
	db_bind_text(s, 4, r->display_name);
	db_bind_text(s, 5, r->platform);
	db_bind_text(s, 6, r->device_family);
	db_bind_text(s, 7, r->client_id);
	db_bind_text(s, 8, r->client_mode);
	db_bind_text(s, 9, role_name(r->role));
	db_bind_text(s, 10, roles_column(r->roles));
	db_bind_text(s, 11, scopes_column(a, &r->scopes));
	db_bind_text(s, 12, r->reason);
	db_bind_text(s, 13, r->remote_ip);
	db_bind_int(s, 14, r->is_silent);
	db_bind_int(s, 15, r->is_repair);
	db_bind_int(s, 16, r->created_at);
	db_bind_int(s, 17, r->expires_at);
	return db_run(s, NULL, err);
}

ch_status pair_request_delete(struct db *db, const char *id, struct ch_err *err)
{
	int64_t changes;
	ch_status st = delete_by(db, "DELETE FROM pair_requests WHERE request_id = ?", id, &changes, err);

	if (!st && changes == 0)
		st = ch_fail(err, CH_E_NOT_FOUND, "unknown requestId");
	return st;
}

ch_status pair_request_list(struct db *db, struct arena *a, struct pair_request **ret, size_t *ret_count,
			    struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	struct pair_request *all = arena_alloc(a, PAIR_PENDING_MAX * sizeof(*all));
	size_t count = 0;
	bool has_row;
	ch_status st = db_prep(db,
			       "SELECT " REQUEST_COLUMNS " FROM pair_requests WHERE expires_at > ? "
			       "ORDER BY created_at DESC LIMIT ?",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, now_wall_ms());
	db_bind_int(s, 2, PAIR_PENDING_MAX);
	while (!(st = db_step(s, &has_row, err)) && has_row)
		read_request(s, a, &all[count++]);
	if (st)
		return st;
	*ret = all;
	*ret_count = count;
	return CH_OK;
}

ch_status pair_request_prune(struct db *db, int64_t now_ms, struct ch_err *err)
{
	struct db_stmt *s;
	ch_status st = db_prep(db,
			       "DELETE FROM pair_requests WHERE expires_at <= ?1 OR request_id NOT IN "
			       "(SELECT request_id FROM pair_requests ORDER BY created_at DESC LIMIT ?2)",
			       &s, err);

	if (st)
		return st;
	db_bind_int(s, 1, now_ms);
	db_bind_int(s, 2, PAIR_PENDING_MAX);
	return db_run(s, NULL, err);
}
