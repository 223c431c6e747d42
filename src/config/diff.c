/*
 * config/diff.c - see diff.h. Depth is that of parsed trees.
 */
#include "config/diff.h"

#include <string.h>

#include "config/path.h"
#include "core/str.h"

void config_edits_done(struct config_edits *e)
{
	vec_done(&e->list);
}

void config_edit_add(struct config_edits *e, const char *path, const struct json *value)
{
	struct config_edit edit = { .path = path, .value = value };

	if (e->list.len == CONFIG_EDITS_MAX)
		e->too_many = true;
	else
		vec_push(&e->list, edit);
}

/* ---- changed paths ---- */

static bool has_members(const struct json *v)
{
	return json_is(v, JSON_OBJ) && json_len(v);
}

/* Down to the values: what comes or goes as a whole object is told member by member. */
static void changed(struct config_edits *e, const char *path, const struct json *before,
		    const struct json *after)
{
	if (before && after && json_equal(before, after))
		return;
	if ((before && !json_is(before, JSON_OBJ)) || (after && !json_is(after, JSON_OBJ)) ||
	    (!has_members(before) && !has_members(after))) {
		config_edit_add(e, path, after);
		return;
	}
	json_each(it, before)
		changed(e, config_path_join(e->arena, path, it->key), it, json_get(after, it->key));
	json_each(it, after)
		if (!json_get(before, it->key))
			changed(e, config_path_join(e->arena, path, it->key), NULL, it);
}

const char *const *config_changed_paths(struct arena *a, const struct json *before, const struct json *after)
{
	struct config_edits e = { .arena = a };
	const char **paths;

	changed(&e, "", before, after);
	paths = arena_alloc(a, (e.list.len + 1) * sizeof(*paths));
	for (size_t i = 0; i < e.list.len; i++)
		paths[i] = e.list.at[i].path;
	config_edits_done(&e);
	return paths;
}

/* ---- edits ---- */

static void diff(struct config_edits *e, const char *path, const struct json *merged,
		 const struct json *resolved, const struct json *wanted)
{
	const char *at;

	if (json_equal(merged, wanted) || (resolved && json_equal(resolved, wanted)))
		return;
	if (!json_is(merged, JSON_OBJ) || !json_is(wanted, JSON_OBJ)) {
		config_edit_add(e, path, wanted);
		return;
	}
	json_each(it, merged) {
		at = config_path_join(e->arena, path, it->key);
		/* What had no value in the resolved tree was not shown, so its absence means nothing. */
		if (!json_get(wanted, it->key) && json_get(resolved, it->key))
			config_edit_add(e, at, NULL);
	}
	json_each(it, wanted) {
		const struct json *old = json_get(merged, it->key);

		at = config_path_join(e->arena, path, it->key);
		if (old)
			diff(e, at, old, json_get(resolved, it->key), it);
		else
			config_edit_add(e, at, it);
	}
}

void config_diff(struct config_edits *e, const struct json *merged, const struct json *resolved,
		 const struct json *wanted)
{
	diff(e, "", merged, resolved, wanted);
}

/* A patch below which nothing stands yet: nulls in it mean nothing. */
static struct json *without_nulls(struct arena *a, const struct json *patch)
{
	struct json *empty = json_new_obj(a);

	return json_merge(a, empty, patch);
}

static void diff_patch(struct config_edits *e, const char *path, const struct json *merged,
		       const struct json *patch)
{
	json_each(it, patch) {
		const struct json *old = json_get(merged, it->key);
		const char *at = config_path_join(e->arena, path, it->key);

		if (json_is(it, JSON_NULL)) {
			if (old)
				config_edit_add(e, at, NULL);
		} else if (json_is(it, JSON_OBJ) && json_is(old, JSON_OBJ)) {
			diff_patch(e, at, old, it);
		} else if (!old || !json_equal(old, it)) {
			config_edit_add(e, at, json_is(it, JSON_OBJ) ? without_nulls(e->arena, it) : it);
		}
	}
}

void config_diff_patch(struct config_edits *e, const struct json *merged, const struct json *patch)
{
	diff_patch(e, "", merged, patch);
}

/* ---- redacted values that come back ---- */

bool config_has_redacted(const struct json *v)
{
	if (str_eq(json_str(v), CONFIG_REDACTED))
		return true;
	json_each(it, v)
		if (config_has_redacted(it))
			return true;
	return false;
}

/* The item of `list` that v, at position i of a list of n, was before. */
static const struct json *same_item(const struct json *list, const struct json *v, size_t i, size_t n)
{
	static const char *const names[] = { "id", "name" };

	for (size_t k = 0; k < CH_ARRAY_LEN(names); k++) {
		const char *name = json_get_str(v, names[k]);

		if (!name)
			continue;
		json_each(it, list)
			if (str_eq(json_get_str(it, names[k]), name))
				return it;
		return NULL;
	}
	return json_len(list) == n ? json_at(list, i) : NULL;
}

ch_status config_restore(struct arena *a, const struct json *v, const struct json *original, const char *path,
			 struct json **ret, struct ch_err *err)
{
	struct json *copy, *child = NULL;
	size_t i = 0;
	ch_status st;

	if (str_eq(json_str(v), CONFIG_REDACTED)) {
		if (!original)
			return ch_fail(err, CH_E_INVALID, "%s: there is no secret to keep here; give a value",
				       path);
		*ret = json_clone(a, original);
		return CH_OK;
	}
	if (!json_is(v, JSON_OBJ) && !json_is(v, JSON_ARR)) {
		*ret = json_clone(a, v);
		return CH_OK;
	}
	copy = json_is(v, JSON_OBJ) ? json_new_obj(a) : json_new_arr(a);
	json_each(it, v) {
		bool is_member = v->type == JSON_OBJ;
		const struct json *old = is_member ? json_get(original, it->key)
						   : same_item(original, it, i, json_len(v));
		const char *at =
			is_member ? config_path_join(a, path, it->key) : arena_printf(a, "%s.%zu", path, i);

		st = config_restore(a, it, old, at, &child, err);
		if (st)
			return st;
		if (is_member)
			json_set(a, copy, it->key, child);
		else
			json_push(copy, child);
		i++;
	}
	*ret = copy;
	return CH_OK;
}
