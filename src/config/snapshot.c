/*
 * config/snapshot.c - one immutable snapshot: made from text, asked by path.
 */
#include "config/snapshot.h"

#include <stdio.h>
#include <string.h>

#include "config/path.h"
#include "config/redact.h"
#include "core/mem.h"
#include "core/str.h"

#define HASH_PREFIX "hmac-sha256:v1:"
#define CONFIG_TRAIL_MAX (JSON_DEPTH_MAX + 1)

/* ---- life ---- */

struct config *config_ref(struct config *c)
{
	c->refs++;
	return c;
}

static void free_lists(struct map *lists)
{
	size_t cursor = 0;
	void *list;

	while (map_each(lists, &cursor, NULL, &list))
		ch_free(list);
	map_free(lists);
}

void config_unref(struct config *c)
{
	if (!c || --c->refs)
		return;
	redact_release(c);
	free_lists(c->lists);
	ch_free(c->defaults);
	vec_done(&c->issues);
	vec_done(&c->includes);
	/* The text and the trees hold credentials. */
	ch_free_wipe(c->raw, c->raw_len);
	arena_unref(c->arena);
	ch_free(c);
}

void config_hash_text(const uint8_t *key, const char *text, size_t len, char ret_hash[CONFIG_HASH_LEN])
{
	static const uint8_t fixed[CONFIG_KEY_LEN];
	uint8_t mac[SHA256_LEN];

	hmac_sha256(key ? key : fixed, CONFIG_KEY_LEN, text, len, mac);
	memcpy(ret_hash, HASH_PREFIX, strlen(HASH_PREFIX));
	b64url_encode(mac, sizeof(mac), ret_hash + strlen(HASH_PREFIX));
}

char *config_trail_path(struct arena *a, const struct config_trail *t)
{
	const struct config_trail *way[CONFIG_TRAIL_MAX];
	char *path = arena_strdup(a, "");
	size_t n = 0;

	for (; t && n < CONFIG_TRAIL_MAX; t = t->up)
		way[n++] = t;
	while (n-- > 0)
		path = way[n]->name ? config_path_join(a, path, way[n]->name)
				    : arena_printf(a, "%s.%zu", path, way[n]->index);
	return path;
}

void config_issue(struct config *c, enum config_severity severity, const struct config_trail *at,
		  const char *fmt, ...)
{
	struct config_issue issue = { .severity = severity, .path = "" };
	va_list ap;

	c->errors += severity == CONFIG_ERROR;
	if (c->issues_cut)
		return;
	if (c->issues.len == CONFIG_ISSUES_MAX) {
		c->issues_cut = true;
		issue.severity = CONFIG_WARNING;
		issue.message = "there are more issues than are shown";
	} else {
		issue.path = config_trail_path(c->arena, at);
		va_start(ap, fmt);
		issue.message = arena_vprintf(c->arena, fmt, ap);
		va_end(ap);
	}
	vec_push(&c->issues, issue);
}

static size_t count_values(const struct json *v)
{
	size_t n = 1;

	json_each(it, v)
		n += count_values(it);
	return n;
}

/* Each file's text goes into the digest that tells whether anything changed on disk. */
static void digest_file(struct config *c, const char *text, size_t len)
{
	uint8_t both[2 * SHA256_LEN];

	memcpy(both, c->digest, SHA256_LEN);
	sha256(text, len, both + SHA256_LEN);
	sha256(both, sizeof(both), c->digest);
}

ch_status config_parse_file(struct config *c, const char *text, size_t len, struct json **ret,
			    struct ch_err *err)
{
	ch_status st;

	digest_file(c, text, len);
	c->bytes += len;
	if (c->bytes > CONFIG_FILE_MAX)
		return ch_fail(err, CH_E_LIMIT, "the configuration is larger than %u bytes", CONFIG_FILE_MAX);
	st = json_parse(c->arena, text, len, JSON_JSON5, ret, err);
	if (st)
		return st;
	c->values += count_values(*ret);
	if (c->values > CONFIG_VALUES_MAX)
		return ch_fail(err, CH_E_LIMIT, "the configuration has more than %d values",
			       CONFIG_VALUES_MAX);
	return CH_OK;
}

static ch_status build(struct config *c, const struct config_input *in, struct ch_err *err)
{
	ch_status st =
		config_parse_file(c, in->len ? in->text : "{}", in->len ? in->len : 2, &c->source, err);

	if (st)
		return st;
	if (!json_is(c->source, JSON_OBJ))
		return ch_fail(err, CH_E_INVALID,
			       "line 1 column 1: the configuration is not an object: expected '{'");
	st = config_include(c, in->base_dir, err);
	if (st)
		return st;
	config_substitute(c);
	config_validate(c);
	return CH_OK;
}

ch_status config_load(const struct config_input *in, struct config **ret, struct ch_err *err)
{
	CH_AUTO(config_unref) struct config *c = ch_alloc(sizeof(*c));
	size_t rows;
	ch_status st;

	(void)config_rows(&rows);
	c->refs = 1;
	c->arena = arena_new(0);
	c->lists = map_new();
	c->defaults = ch_calloc(rows, sizeof(struct json *));
	st = build(c, in, err);
	if (in->ret_digest)
		memcpy(in->ret_digest, c->digest, SHA256_LEN);
	if (st)
		return st;
	c->raw = ch_strndup(in->len ? in->text : "", in->len);
	c->raw_len = in->len;
	config_hash_text(in->hash_key, in->text, in->len, c->hash);
	vec_push(&c->includes, NULL);
	redact_hold(c);
	*ret = CH_TAKE(c);
	return CH_OK;
}

ch_status config_parse(const char *text, size_t len, const char *base_dir, struct config **ret,
		       struct ch_err *err)
{
	struct config_input in = { .text = text, .len = len, .base_dir = base_dir };

	return config_load(&in, ret, err);
}

/* ---- asking ---- */

static struct json *find_bracketed(const struct json *tree, const char *path)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *at = (struct json *)tree;
	struct config_path p;
	size_t index;

	if (config_path_parse(a, path, &p, NULL))
		return NULL;
	for (size_t i = 0; i < p.n && at; i++) {
		if (json_is(at, JSON_ARR))
			at = config_path_index(p.name[i], &index) ? json_at(at, index) : NULL;
		else
			at = json_get(at, p.name[i]);
	}
	return at;
}

struct json *config_find(const struct json *tree, const char *path)
{
	return strchr(path, '[') ? find_bracketed(tree, path) : json_path(tree, path);
}

struct json *config_get(const struct config *c, const char *path)
{
	return config_find(c->resolved, path);
}

/* The schema's default; lives with the snapshot. */
static const struct json *default_of(const struct config *c, const struct config_row *row)
{
	size_t count;
	struct json **slot;

	if (!row || !row->def)
		return NULL;
	slot = &c->defaults[row - config_rows(&count)];
	if (!*slot)
		CH_BUG_ON(json_parse(c->arena, row->def, strlen(row->def), JSON_STRICT, slot, NULL) != CH_OK);
	return *slot;
}

/* "x.primary" where x is written as a plain string. */
static const struct json *find_short_form(const struct config *c, const char *path)
{
	size_t n = strlen(path) - CH_MIN(strlen(path), strlen(".primary"));
	CH_AUTO_STR char *parent = str_eq(path + n, ".primary") ? ch_strndup(path, n) : NULL;
	const struct config_row *row = parent ? config_row_find(parent) : NULL;
	const struct json *v = row && row->type == CFG_STR_OR_OBJ ? config_get(c, parent) : NULL;

	return json_is(v, JSON_STR) ? v : NULL;
}

static bool is_choice(const struct config_row *row, const char *s)
{
	if (!row || row->type != CFG_ENUM)
		return true;
	for (const char *const *at = row->choices; *at; at++)
		if (str_eq(*at, s))
			return true;
	return false;
}

const char *config_str(const struct config *c, const char *path)
{
	const struct config_row *row = config_row_find(path);
	const struct json *v = config_get(c, path);

	if (!v)
		v = find_short_form(c, path);
	if (json_is(v, JSON_STR) && is_choice(row, v->str))
		return v->str;
	return json_str(default_of(c, row));
}

static bool as_int(const struct config_row *row, const struct json *v, int64_t *ret)
{
	const char *s = json_str(v);

	if (s && row && row->type == CFG_DURATION)
		return str_to_duration_ms(s, 1, ret);
	if (s && row && row->type == CFG_BYTES)
		return str_to_bytes(s, ret);
	*ret = json_int_or(v, INT64_MIN);
	return *ret != INT64_MIN;
}

int64_t config_int(const struct config *c, const char *path, int64_t def)
{
	const struct config_row *row = config_row_find(path);
	int64_t i;

	if (as_int(row, config_get(c, path), &i) &&
	    (!row || row->max <= row->min || (i >= row->min && i <= row->max)))
		return i;
	return as_int(row, default_of(c, row), &i) ? i : def;
}

bool config_bool(const struct config *c, const char *path, bool def)
{
	return json_bool_or(config_get(c, path), json_bool_or(default_of(c, config_row_find(path)), def));
}

const char *const *config_list(const struct config *c, const char *path)
{
	const struct json *v = config_get(c, path);
	const char **list = map_find(c->lists, path);
	size_t n = 0;

	if (list)
		return list;
	if (!json_is(v, JSON_ARR))
		v = default_of(c, config_row_find(path));
	list = ch_calloc(json_len(v) + 1, sizeof(*list));
	json_each(it, v)
		if (json_str(it))
			list[n++] = it->str;
	map_put(c->lists, path, list);
	return list;
}

const struct json *config_source(const struct config *c)
{
	return c->source;
}

const struct json *config_resolved(const struct config *c)
{
	return c->resolved;
}

const char *config_raw(const struct config *c, size_t *ret_len)
{
	*ret_len = c->raw_len;
	return c->raw;
}

const char *const *config_includes(const struct config *c)
{
	return c->includes.at;
}

const char *config_hash(const struct config *c)
{
	return c->hash;
}

const struct config_issue *config_issues(const struct config *c, size_t *ret_count)
{
	*ret_count = c->issues.len;
	return c->issues.at;
}
