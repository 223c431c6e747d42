/*
 * secrets/store.c - the table of sealed values, and the key file that opens them.
 */
#include "secrets/store.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"

#define KEY_NAME "secrets.key"
#define SEAL_AAD "chela secret 1: %s"
#define HOSTS_MAX 128
#define HOST_MAX 253

struct secret_store {
	struct db *db;
	char *key_path;
	bool has_key;
	uint8_t key[GCM_KEY_LEN];
	struct config_secrets source;
};

static ch_status get_for_config(void *arg, const char *name, struct secret **ret, struct ch_err *err)
{
	return secret_store_get(arg, name, ret, err);
}

ch_status secret_store_open(struct db *db, const char *state_dir, struct secret_store **ret, struct ch_err *err)
{
	struct secret_store *s = ch_alloc(sizeof(*s));

	s->db = db;
	s->key_path = ch_asprintf("%s/" KEY_NAME, state_dir);
	s->source = (struct config_secrets){ .arg = s, .get = get_for_config };
	*ret = s;
	return CH_OK;
}

void secret_store_free(struct secret_store *s)
{
	if (!s)
		return;
	explicit_bzero(s->key, sizeof(s->key));
	ch_free(s->key_path);
	ch_free(s);
}

const struct config_secrets *secret_store_source(struct secret_store *s)
{
	return &s->source;
}

/* ---- the key ---- */

/* Opened first and judged by its descriptor, so that it cannot be exchanged in between. */
static ch_status read_key(struct secret_store *s, struct ch_err *err)
{
	int fd = open(s->key_path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	const char *wrong = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0 && errno == ENOENT)
		return CH_E_NOT_FOUND;
	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "%s", s->key_path);
	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		wrong = "is not a file";
	else if (st.st_uid != geteuid())
		wrong = "belongs to somebody else";
	else if (st.st_mode & 077)
		wrong = "can be read by others (chmod 600)";
	else if (st.st_size != sizeof(s->key))
		wrong = "is not a key of this program";
	n = wrong ? 0 : read(fd, s->key, sizeof(s->key));
	close(fd);
	if (wrong)
		return ch_fail(err, CH_E_IO, "%s %s", s->key_path, wrong);
	if (n != (ssize_t)sizeof(s->key))
		return ch_fail(err, CH_E_IO, "%s cannot be read", s->key_path);
	s->has_key = true;
	return CH_OK;
}

/* Values are there but the key is not: it must be put back, or they must be given again. */
static ch_status lost_key(const struct secret_store *s, struct ch_err *err)
{
	return ch_fail(err, CH_E_IO,
		       "%s is gone: put it back from a backup, or remove and set each secret again (chela secrets list)",
		       s->key_path);
}

static ch_status count_sealed(struct secret_store *s, int64_t *ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	bool has_row;
	ch_status st = db_prep(s->db, "SELECT count(*) FROM secrets WHERE kind = 'secret'", &q, err);

	if (!st)
		st = db_step(q, &has_row, err);
	if (!st)
		*ret = db_int(q, 0);
	return st;
}

static ch_status make_key(struct secret_store *s, struct ch_err *err)
{
	int64_t sealed = 0;
	ch_status st = count_sealed(s, &sealed, err);

	if (st)
		return st;
	if (sealed)
		return lost_key(s, err);
	rand_bytes(s->key, sizeof(s->key));
	st = file_write_atomic(s->key_path, s->key, sizeof(s->key), 0600, err);
	s->has_key = !st;
	return st;
}

static ch_status need_key(struct secret_store *s, bool may_make, struct ch_err *err)
{
	ch_status st = s->has_key ? CH_OK : read_key(s, err);

	if (st != CH_E_NOT_FOUND)
		return st;
	return may_make ? make_key(s, err) : lost_key(s, err);
}

/* ---- what may be kept ---- */

bool secret_name_is_valid(const char *name)
{
	static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
	size_t n = strlen(name);

	return n > 0 && n <= SECRET_NAME_MAX && name[0] >= 'A' && name[0] <= 'Z' && strspn(name, rest) == n;
}

const char *secret_kind_of(const char *name)
{
	static const char *const endings[] = { "_API_KEY", "_KEY", "_TOKEN", "_PASSWORD", "_PASSPHRASE", "_PRIVATE_KEY", "_SECRET",
					       "_CREDENTIALS" };

	for (size_t i = 0; i < CH_ARRAY_LEN(endings); i++)
		if (str_ends(name, endings[i]))
			return "secret";
	return "env";
}

static ch_status check_name(const char *name, struct ch_err *err)
{
	if (secret_name_is_valid(name))
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "'%.40s' is no name of a secret: capital letters, digits and _, as STRIPE_API_KEY", name);
}

static ch_status check_value(const char *kind, const char *value, struct ch_err *err)
{
	size_t n = strlen(value);

	if (!str_eq(kind, "secret") && !str_eq(kind, "env"))
		return ch_fail(err, CH_E_INVALID, "the kind is \"secret\" or \"env\"");
	if (n > SECRET_VALUE_MAX)
		return ch_fail(err, CH_E_LIMIT, "the value is longer than %u bytes", SECRET_VALUE_MAX);
	if (str_eq(value, CONFIG_REDACTED))
		return ch_fail(err, CH_E_INVALID, "that is the placeholder for a secret, not one");
	if (!n && str_eq(kind, "secret"))
		return ch_fail(err, CH_E_INVALID, "a secret cannot be empty");
	return CH_OK;
}

static bool is_host(const char *h)
{
	size_t n = strlen(h);
	bool is_six = n > 2 && h[0] == '[' && h[n - 1] == ']';

	if (!n || n > HOST_MAX || h[0] == '.' || h[n - 1] == '.' || strstr(h, ".."))
		return false;
	if (is_six)
		return strspn(h + 1, "0123456789abcdefABCDEF:.") == n - 2;
	return strspn(h, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") == n;
}

/* As JSON, in lower case; *ret NULL when no host is named. */
static ch_status hosts_json(struct arena *a, const char *const *hosts, const char **ret, struct ch_err *err)
{
	struct json *list = json_new_arr(a);

	*ret = NULL;
	for (; hosts && *hosts; hosts++) {
		char *low = arena_strdup(a, *hosts);

		str_lower(low);
		if (!is_host(low))
			return ch_fail(err, CH_E_INVALID, "'%.80s' is no host: a name as api.example.org, without scheme, port or *",
				       low);
		json_push(list, json_new_str(a, low));
		if (json_len(list) > HOSTS_MAX)
			return ch_fail(err, CH_E_LIMIT, "more than %d hosts", HOSTS_MAX);
	}
	if (json_len(list))
		*ret = json_to_str(a, list);
	return CH_OK;
}

/* ---- writing ---- */

static ch_status check_room(struct secret_store *s, const char *name, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	bool has_row;
	ch_status st = db_prep(s->db, "SELECT count(*) FROM secrets WHERE name <> ?1", &q, err);

	if (st)
		return st;
	db_bind_text(q, 1, name);
	st = db_step(q, &has_row, err);
	if (!st && db_int(q, 0) >= SECRETS_MAX)
		return ch_fail(err, CH_E_LIMIT, "there are %d stored values already", SECRETS_MAX);
	return st;
}

struct sealed {
	uint8_t nonce[GCM_NONCE_LEN];
	uint8_t *value;                  /* on the arena */
	size_t len;
};

static void seal(struct secret_store *s, struct arena *a, const char *name, const char *value, struct sealed *ret)
{
	size_t n = strlen(value);

	rand_bytes(ret->nonce, sizeof(ret->nonce));
	ret->len = n + GCM_TAG_LEN;
	ret->value = arena_alloc(a, ret->len);
	gcm_seal(s->key, ret->nonce, arena_printf(a, SEAL_AAD, name), value, n, ret->value);
}

static ch_status put(struct secret_store *s, const char *name, const char *kind, const char *value, const struct sealed *x,
		     const char *hosts, bool keeps_hosts, const char *by, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	ch_status st = db_prep(s->db,
			       "INSERT INTO secrets (name, kind, allowed_hosts, created_at, updated_at, updated_by, nonce, value)"
			       " VALUES (?1, ?2, ?3, ?4, ?4, ?5, ?6, ?7)"
			       " ON CONFLICT (name) DO UPDATE SET kind = ?2, updated_at = ?4, updated_by = ?5, nonce = ?6, value = ?7,"
			       " allowed_hosts = CASE WHEN ?8 THEN allowed_hosts ELSE ?3 END",
			       &q, err);

	if (st)
		return st;
	db_bind_text(q, 1, name);
	db_bind_text(q, 2, kind);
	db_bind_text(q, 3, hosts);
	db_bind_int(q, 4, now_wall_ms());
	db_bind_text(q, 5, by);
	if (x)
		db_bind_blob(q, 6, x->nonce, sizeof(x->nonce));
	else
		db_bind_null(q, 6);
	db_bind_blob(q, 7, x ? (const void *)x->value : value, x ? x->len : strlen(value));
	db_bind_int(q, 8, keeps_hosts);
	return db_run(CH_TAKE(q), NULL, err);
}

static ch_status put_hosts(struct secret_store *s, const char *name, const char *hosts, const char *by, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	int64_t changed = 0;
	ch_status st = db_prep(s->db, "UPDATE secrets SET allowed_hosts = ?2, updated_at = ?3, updated_by = ?4 WHERE name = ?1", &q, err);

	if (st)
		return st;
	db_bind_text(q, 1, name);
	db_bind_text(q, 2, hosts);
	db_bind_int(q, 3, now_wall_ms());
	db_bind_text(q, 4, by);
	st = db_run(CH_TAKE(q), &changed, err);
	if (!st && !changed)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no stored secret %s (chela secrets set %s)", name, name);
	return st;
}

ch_status secret_store_set(struct secret_store *s, const char *name, const char *kind, const char *value,
			   const char *const *hosts, const char *by, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	const char *hosts_text = NULL;
	struct sealed x = { 0 };
	bool is_secret = str_eq(kind, "secret");
	ch_status st = check_name(name, err);

	if (!st && value)
		st = check_value(kind, value, err);
	if (!st)
		st = hosts_json(a, hosts, &hosts_text, err);
	if (!st && value && is_secret)
		st = need_key(s, true, err);
	if (!st)
		st = check_room(s, name, err);
	if (!st)
		st = db_begin_durable(s->db, err);
	if (st)
		return st;
	tx = s->db;
	if (value && is_secret)
		seal(s, a, name, value, &x);
	st = value ? put(s, name, kind, value, is_secret ? &x : NULL, hosts_text, !hosts, by, err)
		   : put_hosts(s, name, hosts_text, by, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

ch_status secret_store_remove(struct secret_store *s, const char *name, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	int64_t changed = 0;
	ch_status st = db_prep(s->db, "DELETE FROM secrets WHERE name = ?1", &q, err);

	if (st)
		return st;
	db_bind_text(q, 1, name);
	st = db_run(CH_TAKE(q), &changed, err);
	if (!st && !changed)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no stored secret %.80s", name);
	return st;
}

/* ---- reading ---- */

static ch_status open_sealed(struct secret_store *s, struct db_stmt *q, const char *name, struct secret **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t nonce_len, len;
	const void *nonce = db_blob(q, 1, &nonce_len), *value = db_blob(q, 2, &len);
	char *plain;
	ch_status st = need_key(s, false, err);

	if (st)
		return st;
	plain = ch_alloc(len + 1);
	if (nonce_len == GCM_NONCE_LEN &&
	    gcm_open(s->key, nonce, arena_printf(a, SEAL_AAD, name), value, len, (uint8_t *)plain))
		*ret = secret_new(plain);
	else
		st = ch_fail(err, CH_E_IO, "the stored secret %s does not open with %s: set it again (chela secrets set %s)", name,
			     s->key_path, name);
	ch_free_wipe(plain, len + 1);
	return st;
}

ch_status secret_store_get(struct secret_store *s, const char *name, struct secret **ret, struct ch_err *err)
{
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	CH_AUTO_STR char *plain = NULL;
	bool has_row = false;
	const void *value;
	size_t len;
	ch_status st = check_name(name, err);

	if (!st)
		st = db_prep(s->db, "SELECT kind, nonce, value FROM secrets WHERE name = ?1", &q, err);
	if (st)
		return st;
	db_bind_text(q, 1, name);
	st = db_step(q, &has_row, err);
	if (st)
		return st;
	if (!has_row)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no stored secret %s (chela secrets set %s)", name, name);
	if (str_eq(db_text(q, 0), "secret"))
		return open_sealed(s, q, name, ret, err);
	value = db_blob(q, 2, &len);
	plain = ch_strndup(len ? value : "", len);
	*ret = secret_new(plain);
	return CH_OK;
}

static const char *const *hosts_list(struct arena *a, const char *text)
{
	struct json *list = NULL;
	const char **out;
	size_t n = 0;

	if (!text || json_parse(a, text, strlen(text), JSON_STRICT, &list, NULL))
		return NULL;
	out = arena_alloc(a, (json_len(list) + 1) * sizeof(*out));
	json_each(h, list)
		out[n++] = json_str_or(h, "");
	out[n] = NULL;
	return out;
}

bool secret_store_allows(struct secret_store *s, const char *name, const char *host)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	const char *const *hosts;
	bool has_row = false;

	if (db_prep(s->db, "SELECT allowed_hosts FROM secrets WHERE name = ?1", &q, NULL))
		return false;
	db_bind_text(q, 1, name);
	if (db_step(q, &has_row, NULL) || !has_row)
		return false;
	if (db_is_null(q, 0))
		return true;
	hosts = hosts_list(a, db_text(q, 0));
	for (; hosts && *hosts; hosts++)
		if (str_ieq(*hosts, host))
			return true;
	return false;
}

ch_status secret_store_list(struct secret_store *s, bool (*each)(void *arg, const struct secret_entry *e), void *arg,
			    struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(db_done) struct db_stmt *q = NULL;
	bool has_row = false;
	ch_status st = db_prep(s->db,
			       "SELECT name, kind, allowed_hosts, created_at, updated_at, updated_by,"
			       " CASE kind WHEN 'env' THEN value END FROM secrets ORDER BY name", &q, err);

	while (!st && !(st = db_step(q, &has_row, err)) && has_row) {
		size_t len = 0;
		const char *value = db_blob(q, 6, &len);
		struct secret_entry e = { .name = db_text(q, 0),
					  .kind = db_text(q, 1),
					  .allowed_hosts = hosts_list(a, db_text(q, 2)),
					  .created_at = db_int(q, 3),
					  .updated_at = db_int(q, 4),
					  .updated_by = db_text(q, 5) };

		if (str_eq(e.kind, "env"))
			e.value = arena_strndup(a, len ? value : "", len);
		if (!each(arg, &e))
			break;
	}
	return st;
}
