/*
 * exec/allow_store.c - the grants in the database, and the host's approvals document that is made of them.
 *
 * The document's policy is one JSON value (table kv); its allowlists are rows of exec_grants, so that a use or an expiry
 * changes one row. A row without source was written by hand. Agent '' is every agent, "*" in the document.
 */
#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"
#include "exec/allow_priv.h"

#define COLUMNS "id, agent_id, pattern, arg_pattern, source, command_text, approval_id, resolver, created_at, expires_at, " \
		"last_used_at, last_used_command, last_resolved_path"
#define GRANTS_MAX 4096          /* a person does not read more; a list that only grows is a mistake */

static struct exec_grant read_row(struct db_stmt *q, struct arena *a)
{
	return (struct exec_grant){
		.id = arena_strdup(a, db_text(q, 0)),
		.agent_id = arena_strdup(a, db_text(q, 1)),
		.pattern = arena_strdup(a, db_text(q, 2)),
		.arg_pattern = arena_strdup(a, db_text(q, 3)),
		.source = arena_strdup(a, db_text(q, 4)),
		.command_text = arena_strdup(a, db_text(q, 5)),
		.approval_id = arena_strdup(a, db_text(q, 6)),
		.resolver = arena_strdup(a, db_text(q, 7)),
		.created_at = db_int(q, 8),
		.expires_at = db_int(q, 9),
		.last_used_at = db_int(q, 10),
		.last_used_command = arena_strdup(a, db_text(q, 11)),
		.last_resolved_path = arena_strdup(a, db_text(q, 12)),
	};
}

/* Bound in the order of COLUMNS. */
static void bind_row(struct db_stmt *q, const struct exec_grant *g)
{
	const char *const texts[] = { g->id, g->agent_id, g->pattern, g->arg_pattern, g->source, g->command_text, g->approval_id,
				      g->resolver };

	for (size_t i = 0; i < CH_ARRAY_LEN(texts); i++)
		db_bind_text(q, (int)i + 1, texts[i]);
	db_bind_int(q, 9, g->created_at);
	db_bind_int(q, 10, g->expires_at);
	db_bind_int(q, 11, g->last_used_at);
	db_bind_text(q, 12, g->last_used_command);
	db_bind_text(q, 13, g->last_resolved_path);
}

struct rows {
	struct exec_grant *at;
	size_t count;
};

static ch_status read_rows(struct db_stmt *q, struct arena *a, struct rows *ret, struct ch_err *err)
{
	struct rows all = { arena_alloc(a, 8 * sizeof(struct exec_grant)), 0 };
	size_t room = 8;
	bool row = false;
	ch_status st;

	while (!(st = db_step(q, &row, err)) && row) {
		if (all.count == room) {
			struct exec_grant *more = arena_alloc(a, 2 * room * sizeof(*more));

			memcpy(more, all.at, room * sizeof(*more));
			all.at = more;
			room *= 2;
		}
		all.at[all.count++] = read_row(q, a);
	}
	if (!st)
		*ret = all;
	return st;
}

ch_status exec_grants_load(struct exec_allow *al, const char *agent_id, int64_t now_ms, struct arena *a, struct exec_grant **ret,
			   size_t *ret_count, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	struct rows all = { 0 };
	ch_status st;

	st = db_prep(al->db, "SELECT " COLUMNS " FROM exec_grants WHERE agent_id IN ('', ?1) AND (expires_at = 0 OR expires_at > ?2) "
			     "ORDER BY created_at, id", &q, err);
	if (st)
		return st;
	db_bind_text(q, 1, agent_id ? agent_id : "");
	db_bind_int(q, 2, now_ms);
	st = read_rows(q, a, &all, err);
	if (st)
		return st;
	*ret = all.at;
	*ret_count = all.count;
	return CH_OK;
}

/* All that count, those that have run out aside. */
static ch_status load_all(struct exec_allow *al, struct arena *a, struct rows *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	ch_status st;

	st = db_prep(al->db, "SELECT " COLUMNS " FROM exec_grants WHERE expires_at = 0 OR expires_at > ?1 ORDER BY agent_id, created_at, id",
		     &q, err);
	if (st)
		return st;
	db_bind_int(q, 1, now_wall_ms());
	return read_rows(q, a, ret, err);
}

static ch_status drop_expired(struct exec_allow *al, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	ch_status st;

	st = db_prep(al->db, "DELETE FROM exec_grants WHERE expires_at > 0 AND expires_at <= ?1", &q, err);
	if (st)
		return st;
	db_bind_int(q, 1, now_wall_ms());
	return db_run(CH_TAKE(q), NULL, err);
}

static ch_status check_room(struct exec_allow *al, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	bool row = false;
	ch_status st;

	st = db_prep(al->db, "SELECT count(*) FROM exec_grants", &q, err);
	if (!st)
		st = db_step(q, &row, err);
	if (st)
		return st;
	return db_int(q, 0) < GRANTS_MAX ? CH_OK
					 : ch_fail(err, CH_E_LIMIT, "there are %d allowlist entries; revoke some", GRANTS_MAX);
}

ch_status exec_grant_insert(struct exec_allow *al, const struct exec_grant *g, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	ch_status st;

	st = drop_expired(al, err);
	if (!st)
		st = check_room(al, err);
	if (!st)
		st = db_prep(al->db, "INSERT INTO exec_grants (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
			     &q, err);
	if (st)
		return st;
	bind_row(q, g);
	return db_run(CH_TAKE(q), NULL, err);
}

ch_status exec_grant_used(struct exec_allow *al, const char *id, int64_t now_ms, const char *command, const char *path,
			  struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	ch_status st;

	st = db_prep(al->db, "UPDATE exec_grants SET last_used_at = ?2, last_used_command = ?3, last_resolved_path = ?4 WHERE id = ?1", &q,
		     err);
	if (st)
		return st;
	db_bind_text(q, 1, id);
	db_bind_int(q, 2, now_ms);
	db_bind_text(q, 3, command);
	db_bind_text(q, 4, path);
	return db_run(CH_TAKE(q), NULL, err);
}

ch_status exec_grants_list(struct exec_allow *al, size_t limit, bool (*each)(void *arg, const struct exec_grant *g), void *arg,
			   struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct rows all = { 0 };
	ch_status st = load_all(al, a, &all, err);

	if (st)
		return st;
	for (size_t i = 0; i < all.count && limit; i++) {
		if (!all.at[i].approval_id)
			continue; /* written by hand: a row of the document, no grant */
		limit--;
		if (!each(arg, &all.at[i]))
			break;
	}
	return CH_OK;
}

ch_status exec_grant_revoke(struct exec_allow *al, const char *id, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	int64_t changes = 0;
	ch_status st;

	st = db_prep(al->db, "DELETE FROM exec_grants WHERE id = ?1", &q, err);
	if (st)
		return st;
	db_bind_text(q, 1, id);
	st = db_run(CH_TAKE(q), &changes, err);
	if (st)
		return st;
	return changes ? CH_OK : ch_fail(err, CH_E_NOT_FOUND, "there is no grant '%s'", id);
}

/* ---- the document ---- */

static struct json *entry_json(const struct exec_grant *g, bool has_use, struct arena *a)
{
	struct json *e = json_new_obj(a);

	json_set(a, e, "id", json_new_str(a, g->id));
	json_set(a, e, "pattern", json_new_str(a, g->pattern));
	if (g->source)
		json_set(a, e, "source", json_new_str(a, g->source));
	if (g->arg_pattern)
		json_set(a, e, "argPattern", json_new_str(a, g->arg_pattern));
	if (!has_use || !g->last_used_at)
		return e;
	json_set(a, e, "lastUsedAt", json_new_int(a, g->last_used_at));
	if (g->last_used_command)
		json_set(a, e, "lastUsedCommand", json_new_str(a, g->last_used_command));
	if (g->last_resolved_path)
		json_set(a, e, "lastResolvedPath", json_new_str(a, g->last_resolved_path));
	return e;
}

/* The member of that name, made when it is not there. */
static struct json *member(struct arena *a, struct json *obj, const char *key, struct json *(*make)(struct arena *a))
{
	struct json *v = json_get(obj, key);

	if (!v) {
		json_set(a, obj, key, make(a));
		v = json_get(obj, key);
	}
	return v;
}

static ch_status read_document(struct exec_allow *al, struct arena *a, bool has_use, struct json **ret, struct ch_err *err)
{
	struct json *doc = json_new_obj(a), *stored = NULL, *agents;
	struct rows all = { 0 };
	char *text = NULL;
	ch_status st;

	st = kv_get(al->db, a, EXEC_KV, &text, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (!st)
		st = json_parse(a, text, strlen(text), JSON_STRICT, &stored, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	st = load_all(al, a, &all, err);
	if (st)
		return st;
	json_set(a, doc, "version", json_new_int(a, 1));
	json_set(a, doc, "defaults", json_get(stored, "defaults") ? json_clone(a, json_get(stored, "defaults")) : json_new_obj(a));
	json_set(a, doc, "agents", json_get(stored, "agents") ? json_clone(a, json_get(stored, "agents")) : json_new_obj(a));
	agents = json_get(doc, "agents");
	for (size_t i = 0; i < all.count; i++) {
		const char *name = *all.at[i].agent_id ? all.at[i].agent_id : "*";
		struct json *agent = member(a, agents, name, json_new_obj);

		json_push(member(a, agent, "allowlist", json_new_arr), entry_json(&all.at[i], has_use, a));
	}
	*ret = doc;
	return CH_OK;
}

/* Of what a person decides; when an entry was used is not in it. */
static ch_status document_hash(struct exec_allow *al, struct arena *a, const char **ret, struct ch_err *err)
{
	char *hash = arena_alloc(a, 2 * SHA256_LEN + 1);
	struct json *doc = NULL;
	const char *text;
	ch_status st = read_document(al, a, false, &doc, err);

	if (st)
		return st;
	text = json_to_str(a, doc);
	sha256_hex(text, strlen(text), hash);
	*ret = hash;
	return CH_OK;
}

const struct json *exec_allow_document(struct exec_allow *al, struct arena *a, const char **ret_hash)
{
	struct json *doc = NULL;

	if (read_document(al, a, true, &doc, NULL) || document_hash(al, a, ret_hash, NULL))
		return NULL;
	return doc;
}

bool exec_allow_has_document(struct exec_allow *al)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = NULL;

	return kv_get(al->db, a, EXEC_KV, &text, NULL) == CH_OK;
}

/* ---- a new document ---- */

static const char *const security_names[] = { "deny", "allowlist", "full" };
static const char *const ask_names[] = { "off", "on-miss", "always" };

static ch_status check_choice(const struct json *o, const char *where, const char *key, const char *const *names, size_t n,
			      struct ch_err *err)
{
	const struct json *v = json_get(o, key);

	if (!v || (json_str(v) && str_in(json_str(v), names, n)))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "%s.%s must be %s, %s or %s", where, key, names[0], names[1], names[2]);
}

static ch_status check_fields(const struct json *o, const char *where, struct ch_err *err)
{
	ch_status st;

	st = check_choice(o, where, "security", security_names, CH_ARRAY_LEN(security_names), err);
	if (!st)
		st = check_choice(o, where, "ask", ask_names, CH_ARRAY_LEN(ask_names), err);
	if (!st)
		st = check_choice(o, where, "askFallback", security_names, CH_ARRAY_LEN(security_names), err);
	return st;
}

static ch_status check_entry(const struct json *e, const char *where, struct ch_err *err)
{
	const char *pattern = json_get_str(e, "pattern"), *args = json_get_str(e, "argPattern");
	struct ch_err why = { 0 };

	if (!pattern || !exec_pattern_is_valid(pattern))
		return ch_fail(err, CH_E_INVALID, "%s.pattern must be a command's name, or an absolute path or one under ~/ without ..", where);
	if (args && strlen(args) > EXEC_PATTERN_MAX)
		return ch_fail(err, CH_E_INVALID, "%s.argPattern is longer than %d bytes", where, EXEC_PATTERN_MAX);
	if (args && exec_args_check(args, &why))
		return ch_fail(err, CH_E_INVALID, "%s.argPattern: %s", where, why.text);
	return CH_OK;
}

static ch_status check_agents(const struct json *agents, struct ch_err *err)
{
	json_each(agent, agents) {
		char where[160];
		size_t i = 0;
		ch_status st;

		snprintf(where, sizeof(where), "file.agents.%.60s", agent->key);
		st = check_fields(agent, where, err);
		json_each(e, json_get(agent, "allowlist")) {
			snprintf(where, sizeof(where), "file.agents.%.60s.allowlist.%zu", agent->key, i++);
			if (!st)
				st = check_entry(e, where, err);
		}
		if (st)
			return st;
	}
	return CH_OK;
}

static const struct exec_grant *known(const struct rows *before, const char *id, const char *agent_id)
{
	for (size_t i = 0; id && i < before->count; i++)
		if (str_eq(before->at[i].id, id) && str_eq(before->at[i].agent_id, agent_id))
			return &before->at[i];
	return NULL;
}

/*
 * An entry that is there already keeps what is not in the document: who granted it, when, until when. One that was made by
 * allow-always and is changed becomes an entry written by hand. A new one cannot claim to have been made so.
 */
static ch_status insert_entry(struct exec_allow *al, const struct rows *before, const char *agent_id, const struct json *e,
			      struct ch_err *err)
{
	const char *args = json_get_str(e, "argPattern"), *pattern = json_get_str(e, "pattern");
	const struct exec_grant *old = known(before, json_get_str(e, "id"), agent_id);
	struct exec_grant g = { .agent_id = agent_id, .created_at = now_wall_ms() };
	char id[UUID_LEN];

	if (old && str_eq(old->pattern, pattern) && str_eq(old->arg_pattern, args))
		return exec_grant_insert(al, old, err);
	if (args && str_starts(args, EXEC_ARGV_PREFIX))
		return ch_fail(err, CH_E_INVALID, "an argPattern of the form %s… is only made by allow-always", EXEC_ARGV_PREFIX);
	rand_uuid(id);
	g.id = id;
	g.pattern = pattern;
	g.arg_pattern = args;
	return exec_grant_insert(al, &g, err);
}

/* The policy without its allowlists, and without the socket: that is not for anybody to set. */
static const char *policy_text(const struct json *file, struct arena *a)
{
	struct json *doc = json_new_obj(a), *agents = json_new_obj(a);

	json_set(a, doc, "version", json_new_int(a, 1));
	json_set(a, doc, "defaults", json_get(file, "defaults") ? json_clone(a, json_get(file, "defaults")) : json_new_obj(a));
	json_each(agent, json_get(file, "agents")) {
		struct json *copy = json_clone(a, agent);

		json_unset(copy, "allowlist");
		if (json_len(copy))
			json_set(a, agents, agent->key, copy);
	}
	json_set(a, doc, "agents", agents);
	return json_to_str(a, doc);
}

static ch_status replace_rows(struct exec_allow *al, const struct json *file, struct arena *a, struct ch_err *err)
{
	struct rows before = { 0 };
	ch_status st = load_all(al, a, &before, err);

	if (!st)
		st = db_exec(al->db, "DELETE FROM exec_grants", err);
	json_each(agent, json_get(file, "agents")) {
		const char *id = str_eq(agent->key, "*") ? "" : agent->key;

		json_each(e, json_get(agent, "allowlist"))
			if (!st)
				st = insert_entry(al, &before, id, e, err);
	}
	return st;
}

ch_status exec_allow_set_document(struct exec_allow *al, const struct json *file, const char *base_hash, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	const char *hash = NULL;
	ch_status st;

	if (json_get_int(file, "version", 0) != 1)
		return ch_fail(err, CH_E_INVALID, "file.version must be 1");
	st = check_fields(json_get(file, "defaults"), "file.defaults", err);
	if (!st)
		st = check_agents(json_get(file, "agents"), err);
	if (!st)
		st = document_hash(al, a, &hash, err);
	if (st)
		return st;
	if (base_hash ? !str_eq(base_hash, hash) : exec_allow_has_document(al))
		return ch_fail(err, CH_E_CONFLICT, "exec approvals changed since last load; re-run exec.approvals.get and retry");
	st = db_begin_durable(al->db, err);
	if (st)
		return st;
	tx = al->db;
	st = kv_put(al->db, EXEC_KV, policy_text(file, a), err);
	if (!st)
		st = replace_rows(al, file, a, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

static ch_status forget_policy(struct exec_allow *al, const char *agent_id, struct arena *a, struct ch_err *err)
{
	struct json *doc = NULL;
	char *text;
	ch_status st = kv_get(al->db, a, EXEC_KV, &text, err);

	if (!st)
		st = json_parse(a, text, strlen(text), JSON_STRICT, &doc, err);
	if (st)
		return st == CH_E_NOT_FOUND ? CH_OK : st;
	if (!json_get(json_get(doc, "agents"), agent_id))
		return CH_OK;
	json_unset(json_get(doc, "agents"), agent_id);
	return kv_put(al->db, EXEC_KV, json_to_str(a, doc), err);
}

ch_status exec_allow_forget_agent(struct exec_allow *al, const char *agent_id, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	struct db_stmt *q;
	ch_status st = db_begin_durable(al->db, err);

	if (st)
		return st;
	tx = al->db;
	st = db_prep(al->db, "DELETE FROM exec_grants WHERE agent_id = ?1", &q, err);
	if (st)
		return st;
	db_bind_text(q, 1, agent_id);
	st = db_run(q, NULL, err);
	if (!st)
		st = forget_policy(al, agent_id, a, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}
