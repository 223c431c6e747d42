/*
 * config/redact.c - trees without their secrets, for config.get and the CLI.
 */
#include "config/redact.h"

#include <string.h>

#include "config/path.h"
#include "config/snapshot.h"
#include "core/log.h"
#include "core/str.h"

/* Names that hold credentials wherever they stand: an unknown key must not show what it holds. */
static bool is_secret_name(const char *name)
{
	static const char *const endings[] = {
		"token",       "password",  "passwd",     "passphrase", "secret",     "apikey",
		"api_key",     "api-key",   "privatekey", "private_key", "secretkey", "secret_key",
		"accesskey",   "access_key", "credential", "credentials", "authorization", "cookie",
	};
	size_t n = strlen(name);

	for (size_t i = 0; i < CH_ARRAY_LEN(endings); i++) {
		size_t m = strlen(endings[i]);

		if (n >= m && str_ieq(name + n - m, endings[i]))
			return true;
	}
	return false;
}

/* Rows say it for their keys; names for keys without a row, and for free-form values. */
static bool place_is_secret(const struct redact_at *at, const char *name)
{
	const struct config_row *row = at->is_known ? at->node.row : NULL;

	if (row && (row->type == CFG_SECRET || row->flags & CFG_SENSITIVE))
		return true;
	if (row && row->type != CFG_ANY && row->type != CFG_STR)
		return false;
	return name && is_secret_name(name);
}

void redact_root(struct redact_at *ret)
{
	*ret = (struct redact_at){ .is_known = true };
	schema_root(&ret->node);
}

void redact_child(const struct redact_at *parent, const char *name, struct redact_at *ret)
{
	bool below_secret = parent->is_secret;

	if (ret != parent)
		*ret = *parent;
	ret->is_known = ret->is_known && schema_step(&ret->node, name ? name : "*");
	ret->is_secret = below_secret || place_is_secret(ret, name);
}

/* The place that a path leads to. */
static void find_place(const char *path, struct redact_at *ret)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct config_path p;

	redact_root(ret);
	if (config_path_parse(a, path, &p, NULL))
		return;
	for (size_t i = 0; i < p.n; i++)
		redact_child(ret, p.name[i], ret);
}

bool config_path_is_secret(const char *path)
{
	struct redact_at at;

	find_place(path, &at);
	return at.is_secret;
}

bool redact_is_reference(const struct json *v)
{
	static const char *const sources[] = { "env", "file", "exec", "store" };

	return str_in(json_get_str(v, "source"), sources, CH_ARRAY_LEN(sources)) && json_get_str(v, "id");
}

bool redact_hides(const struct json *v)
{
	size_t n;

	if (v->type == JSON_INT || v->type == JSON_NUM)
		return true;
	if (v->type != JSON_STR || v->len == 0)
		return false;
	/* "${NAME}" and "$NAME" name a variable and hold nothing. */
	n = strspn(v->str, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_${}");
	return v->str[0] != '$' || n < v->len;
}

/* Depth is that of a parsed tree. */
static struct json *redacted(struct arena *a, const struct json *v, const struct redact_at *at)
{
	struct redact_at child;
	struct json *copy, *part;

	if (v->type != JSON_OBJ && v->type != JSON_ARR) {
		if (at->is_secret && redact_hides(v))
			return json_new_str(a, CONFIG_REDACTED);
		return json_clone(a, v);
	}
	if (at->is_secret && redact_is_reference(v))
		return json_clone(a, v);
	copy = v->type == JSON_OBJ ? json_new_obj(a) : json_new_arr(a);
	json_each(it, v) {
		redact_child(at, v->type == JSON_OBJ ? it->key : NULL, &child);
		part = redacted(a, it, &child);
		if (v->type == JSON_OBJ)
			json_set(a, copy, it->key, part);
		else
			json_push(copy, part);
	}
	return copy;
}

struct json *config_redact_at(struct arena *a, const struct json *part, const char *path)
{
	struct redact_at at;

	find_place(path, &at);
	return redacted(a, part, &at);
}

struct json *config_redact(struct arena *a, const struct json *tree)
{
	return config_redact_at(a, tree, "");
}

#define HELD_MIN 12u                     /* shorter ones, or without a digit, would hide ordinary words */

static bool is_like_credential(const char *text)
{
	return strlen(text) >= HELD_MIN && strpbrk(text, "0123456789") && !strstr(text, "://");
}

/* Depth is that of a parsed tree. */
static void hold(struct config *c, const struct json *v, const struct redact_at *at)
{
	struct redact_at child;

	if (json_is(v, JSON_STR) && at->is_secret && redact_hides(v) && is_like_credential(v->str)) {
		log_redact(v->str);
		vec_push(&c->held, v->str);
	}
	if (at->is_secret && redact_is_reference(v))
		return;
	json_each(it, v) {
		redact_child(at, v->type == JSON_OBJ ? it->key : NULL, &child);
		hold(c, it, &child);
	}
}

void redact_hold(struct config *c)
{
	struct redact_at root;

	redact_root(&root);
	hold(c, c->resolved, &root);
}

void redact_release(struct config *c)
{
	for (size_t i = 0; i < c->held.len; i++)
		log_redact_forget(c->held.at[i]);
	vec_done(&c->held);
}

/* Is a variable put in that holds a credential, by its name or because env.vars keeps it? */
static bool puts_in_secret(const struct json *vars, const char *text)
{
	char name[128];

	for (const char *p = text; (p = strstr(p, "${")); p += 2) {
		snprintf(name, sizeof(name), "%.*s", (int)CH_MIN(strcspn(p + 2, "}"), sizeof(name) - 1), p + 2);
		if (is_secret_name(name) || json_get(vars, name))
			return true;
	}
	return false;
}

/* Depth is that of parsed trees. A list that lost items is taken as it is written: nobody knows which they were. */
static struct json *as_shown(struct arena *a, const struct json *vars, const struct json *resolved,
			     const struct json *written)
{
	const struct json *w = json_first(written);
	const char *text = json_str(written);
	struct json *copy, *part;

	if (json_is(resolved, JSON_STR))
		return json_clone(a, text && puts_in_secret(vars, text) ? written : resolved);
	if (!json_is(resolved, JSON_OBJ) && !json_is(resolved, JSON_ARR))
		return json_clone(a, resolved);
	if (resolved->type == JSON_ARR && json_len(resolved) != json_len(written))
		return json_clone(a, written);
	copy = resolved->type == JSON_OBJ ? json_new_obj(a) : json_new_arr(a);
	json_each(it, resolved) {
		part = as_shown(a, vars, it, resolved->type == JSON_OBJ ? json_get(written, it->key) : w);
		if (resolved->type == JSON_OBJ)
			json_set(a, copy, it->key, part);
		else
			json_push(copy, part);
		w = w ? w->next : NULL;
	}
	return copy;
}

struct json *config_redact_resolved(struct arena *a, const struct config *c, const char *path)
{
	const struct json *vars = json_get(json_get(c->merged, "env"), "vars");

	return config_find(config_redact(a, as_shown(a, vars, c->resolved, c->merged)), path);
}
