/*
 * Makes a database of the current schema with a row or more in each table;
 * scripts/make-db-fixture.sh runs it, test_migrate.c says what must be found.
 */
#include <stdio.h>
#include <unistd.h>

#include "core/clock.h"
#include "sessions/input.h"

static const char other_tables[] =
	"INSERT INTO devices (device_id, public_key, role, roles, scopes, approved_via, created_at, approved_at) "
	"VALUES ('d1', 'key', 'operator', '[\"operator\"]', '[\"operator.read\"]', 'silent', 1, 2);"
	"INSERT INTO device_tokens (device_id, role, token_hash, scopes, created_at) VALUES ('d1', 'operator', 't1', '[]', 3);"
	"INSERT INTO pair_requests (request_id, device_id, public_key, role, roles, scopes, reason, created_at, expires_at) "
	"VALUES ('p1', 'd2', 'key2', 'node', '[\"node\"]', '[]', 'not-paired', 4, 5);"
	"INSERT INTO ledger (at, provider, model, api, reason, outcome, input_tokens, cost_total) "
	"VALUES (6, 'offline', 'demo', 'offline', 'turn', 'ok', 7, 0.5);"
	"INSERT INTO kv (name, value, updated_at) VALUES ('fixture', 'yes', 8);";

static ch_status say(struct sess *s, const char *role, const char *text, struct arena *a, struct ch_err *err)
{
	struct tr_entry e = {
		.type = "message", .role = role, .search_text = text,
		.message = arena_printf(a, "{\"role\":\"%s\",\"content\":\"%s\"}", role, text),
	};

	return tr_append(s, NULL, 0, &e, a, err);
}

static ch_status fill_session(struct sess_store *store, struct arena *a, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct input_row in = { .run_id = "r1", .message = "{\"role\":\"user\",\"content\":\"open\"}" };
	struct sess_key key;
	ch_status st = sess_key_parse(a, "main", "main", &key, err);

	if (!st)
		st = sess_open(store, &key, "operator", &s, NULL, err);
	if (st)
		return st;
	sess_set_str(s, &s->label, "The fixture");
	st = sess_save(s, err);
	if (!st)
		st = say(s, "user", "a question of long ago", a, err);
	if (!st)
		st = say(s, "assistant", "an answer of long ago", a, err);
	if (!st)
		st = sess_rotate(s, "new", err);
	if (!st)
		st = say(s, "user", "a question", a, err);
	if (!st)
		st = input_accept(s, &in, a, NULL, err);
	return st;
}

int main(int argc, char **argv)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct sess_store *store;
	struct ch_err err;
	struct db *db;
	ch_status st;

	if (argc != 2 || access(argv[1], F_OK) == 0) {
		fprintf(stderr, "usage: make_db_fixture NEW_FILE\n");
		return 2;
	}
	clock_fake(0, 1800000000000);
	st = db_open(argv[1], DB_CREATE, &db, &err);
	if (!st) {
		store = sess_store_new(db);
		st = fill_session(store, a, &err);
		if (!st)
			st = db_exec(db, other_tables, &err);
		sess_store_free(store);
		db_close(db);
	}
	if (st)
		fprintf(stderr, "%s\n", err.text);
	return st ? 1 : 0;
}
