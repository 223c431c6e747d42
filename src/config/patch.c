/*
 * config/patch.c - see patch.h. Depth is that of parsed trees.
 */
#include "config/patch.h"

#include "config/path.h"
#include "core/str.h"

struct patching {
	struct arena *a;
	const struct json *replace_paths;
	struct ch_err *err;
};

static ch_status patch_object(struct patching *p, const char *path, const struct json *base,
			      const struct json *patch, struct json **ret);

static bool may_replace(const struct patching *p, const char *path)
{
	if (!p->replace_paths)
		return true;
	json_each(it, p->replace_paths)
		if (str_eq(json_str(it), path))
			return true;
	return false;
}

static ch_status refuse(struct patching *p, const char *path)
{
	return ch_fail(p->err, CH_E_INVALID,
		       "config.patch would remove entries from array path(s): %s. Name it in replacePaths when that "
		       "is meant, or use config.apply",
		       path);
}

static bool has_ids(const struct json *list)
{
	json_each(it, list)
		if (str_empty(json_get_str(it, "id")))
			return false;
	return json_len(list) > 0;
}

static const struct json *find_id(const struct json *list, const char *id)
{
	json_each(it, list)
		if (str_eq(json_get_str(it, "id"), id))
			return it;
	return NULL;
}

/* Every entry of base is in list, each as often. */
static bool keeps_entries(struct arena *a, const struct json *base, const struct json *list)
{
	bool *taken = arena_alloc(a, json_len(list) + 1);

	json_each(old, base) {
		size_t i = 0;
		bool found = false;

		json_each(it, list) {
			found = !taken[i] && json_equal(it, old);
			if (found)
				break;
			i++;
		}
		if (!found)
			return false;
		taken[i] = true;
	}
	return true;
}

/* Known ids are merged in place, new entries follow. */
static ch_status merge_by_id(struct patching *p, const char *path, const struct json *base,
			     const struct json *patch, struct json **ret)
{
	const char *inner = arena_printf(p->a, "%s[]", path);
	struct json *out = json_new_arr(p->a), *changes = NULL;

	json_each(old, base) {
		const struct json *entry = find_id(patch, json_get_str(old, "id"));
		ch_status st = entry ? patch_object(p, inner, old, entry, &changes) : CH_OK;

		if (st)
			return st;
		json_push(out, entry ? json_merge(p->a, old, changes) : json_clone(p->a, old));
	}
	json_each(it, patch) {
		const char *id = json_get_str(it, "id");

		if (!id || !find_id(base, id))
			json_push(out, json_clone(p->a, it));
	}
	*ret = out;
	return CH_OK;
}

static ch_status patch_list(struct patching *p, const char *path, const struct json *base,
			    const struct json *patch, struct json **ret)
{
	if (p->replace_paths && json_is(patch, JSON_ARR) && has_ids(base) && !may_replace(p, path))
		return merge_by_id(p, path, base, patch, ret);
	if (!may_replace(p, path) && (!json_is(patch, JSON_ARR) || !keeps_entries(p->a, base, patch)))
		return refuse(p, path);
	*ret = json_clone(p->a, patch);
	return CH_OK;
}

/* An object goes as a whole: so do the lists in it. */
static ch_status check_lost(struct patching *p, const char *path, const struct json *base)
{
	if (json_is(base, JSON_ARR))
		return may_replace(p, path) ? CH_OK : refuse(p, path);
	if (!json_is(base, JSON_OBJ))
		return CH_OK;
	json_each(it, base) {
		ch_status st = check_lost(p, config_path_join(p->a, path, it->key), it);

		if (st)
			return st;
	}
	return CH_OK;
}

static ch_status patch_value(struct patching *p, const char *path, const struct json *base,
			     const struct json *patch, struct json **ret)
{
	ch_status st;

	if (json_is(base, JSON_ARR))
		return patch_list(p, path, base, patch, ret);
	if (json_is(patch, JSON_OBJ))
		return patch_object(p, path, base, patch, ret);
	st = check_lost(p, path, base);
	if (!st)
		*ret = json_clone(p->a, patch);
	return st;
}

static ch_status patch_object(struct patching *p, const char *path, const struct json *base,
			      const struct json *patch, struct json **ret)
{
	struct json *out = json_new_obj(p->a), *v = NULL;

	json_each(it, patch) {
		const char *at = config_path_join(p->a, path, it->key);
		ch_status st = patch_value(p, at, json_get(base, it->key), it, &v);

		if (st)
			return st;
		json_set(p->a, out, it->key, v);
	}
	*ret = out;
	return CH_OK;
}

ch_status config_patch_lists(struct arena *a, const struct json *base, const struct json *patch,
			     const struct json *replace_paths, struct json **ret, struct ch_err *err)
{
	struct patching p = { .a = a, .replace_paths = replace_paths, .err = err };

	return patch_object(&p, "", base, patch, ret);
}
