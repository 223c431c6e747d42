/*
 * models/key_origin.c - where the keys of a provider go, before a change and after it.
 */
#include "models/key_origin.h"

#include <string.h>

#include "core/str.h"
#include "models/keys.h"
#include "net/url.h"

#define PROVIDERS "models.providers"

/* One provider of the wanted configuration, and what it was. */
struct move {
	struct db *db;
	struct arena *a;
	const char *name;
	const struct json *before, *after;       /* before: NULL when it was not there */
	bool is_moved;                   /* to another origin */
	struct ch_err *err;
};

static ch_status refuse(const struct move *m, const char *what)
{
	return ch_fail(m->err, CH_E_DENIED, "models.providers.%.60s: %s would go to an address that is set from afar. Send the key "
		       "along in plain text, or change it on the gateway's machine (chela config set)", m->name, what);
}

/* -- the parts of a provider that are secret -- */

typedef bool (*secret_fn)(const void *arg, const struct json *secret);

static bool any_header(const struct json *owner, secret_fn fn, const void *arg)
{
	json_each(h, json_get(owner, "headers"))
		if (fn(arg, h))
			return true;
	return false;
}

static bool any_secret(const struct json *provider, secret_fn fn, const void *arg)
{
	const struct json *key = json_get(provider, "apiKey");
	bool has_key = key && !(json_is(key, JSON_STR) && str_empty(json_str(key)));

	if ((has_key && fn(arg, key)) || any_header(provider, fn, arg))
		return true;
	json_each(model, json_get(provider, "models"))
		if (any_header(model, fn, arg))
			return true;
	return false;
}

/* Not the secret itself but where it is to be found. */
static bool is_reference(const struct json *v)
{
	const char *text = json_str(v);

	return !text || text[0] == '$' || strstr(text, "${") || key_follow_name(text) != text;
}

static bool is_same(const void *arg, const struct json *secret)
{
	return json_equal(arg, secret);
}

/* What is new and given in full goes where it is meant to go. */
static bool is_astray(const void *arg, const struct json *secret)
{
	const struct move *m = arg;
	bool is_new = !any_secret(m->before, is_same, secret);

	return is_new ? is_reference(secret) : m->is_moved;
}

/* -- addresses -- */

static bool same_origin(struct arena *a, const char *one, const char *other)
{
	struct url u, v;

	return !str_empty(one) && !str_empty(other) && !url_parse(a, one, &u, NULL) && !url_parse(a, other, &v, NULL) &&
	       url_same_origin(&u, &v);
}

static const struct json *find(const struct json *tree, const char *name)
{
	json_each(p, json_path(tree, PROVIDERS))
		if (str_ieq(p->key, name))
			return p;
	return NULL;
}

static const char *url_of(const struct json *provider, const struct model_endpoint *e)
{
	const char *url = json_get_str(provider, "baseUrl");

	return str_empty(url) && e ? e->base_url : url;
}

/* -- keys beside the configuration -- */

static ch_status check_others(const struct move *m)
{
	CH_AUTO(db_done) struct db_stmt *row = NULL;
	char *id = arena_strdup(m->a, m->name);
	struct env_key *keys;
	bool found = false;
	ch_status st;

	str_lower(id);
	if (key_env_list(m->a, id, &keys))
		return refuse(m, "the key of the gateway's environment");
	st = db_prep(m->db, "SELECT 1 FROM auth_profiles WHERE provider = ?1 LIMIT 1", &row, m->err);
	if (st)
		return st;
	db_bind_text(row, 1, id);
	st = db_step(row, &found, m->err);
	return st ? st : found ? refuse(m, "its stored credential") : CH_OK;
}

static ch_status check(struct move *m)
{
	const struct model_endpoint *e = model_endpoint_find(m->name);
	const char *own = json_get_str(m->after, "baseUrl");

	if (str_empty(own) || (e && same_origin(m->a, own, e->base_url)))
		return CH_OK;            /* the service's own address */
	m->is_moved = !same_origin(m->a, own, url_of(m->before, e));
	if (strstr(own, "${") || any_secret(m->after, is_astray, m))
		return refuse(m, "a key that is here");
	return m->is_moved ? check_others(m) : CH_OK;
}

ch_status key_origin_check(struct db *db, const struct json *before, const struct json *after, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	ch_status st = CH_OK;

	json_each(p, json_path(after, PROVIDERS)) {
		struct move m = { .db = db, .a = a, .name = p->key, .before = find(before, p->key), .after = p, .err = err };

		st = check(&m);
		if (st)
			break;
	}
	return st;
}
