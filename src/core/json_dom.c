/*
 * core/json_dom.c - the tree: lookups, building, comparing, merging.
 *
 * Functions that walk two trees or copy one recurse, at most
 * JSON_TREE_DEPTH_MAX deep, which reader and builders together keep to.
 */
#include <math.h>

#include "core/hash.h"
#include "core/json_priv.h"
#include "core/str.h"

/* ---- index of large objects ---- */

/* The slot that holds the key, or the empty one where it belongs. */
static struct json **index_slot(struct json_index *index, const char *key, size_t n)
{
	size_t i = hash_bytes(key, n) & (index->slots - 1);

	while (index->slot[i] && !json_key_is(index->slot[i], key, n))
		i = (i + 1) & (index->slots - 1);
	return &index->slot[i];
}

/* Takes over value and children of `from`; key and place stay. */
static void move_value(struct json *to, const struct json *from)
{
	struct json kept = *to;

	*to = *from;
	to->key = kept.key;
	to->key_len = kept.key_len;
	to->next = kept.next;
}

static void index_fill(struct json_index *index, struct json *obj)
{
	struct json *last = NULL, **slot;

	memset(index->slot, 0, index->slots * sizeof(*index->slot));
	for (struct json *v = obj->first; v; v = v->next) {
		slot = index_slot(index, v->key, v->key_len);
		if (*slot) {
			CH_BUG_ON(!last);
			move_value(*slot, v);
			last->next = v->next;
			obj->len--;
		} else {
			*slot = v;
			last = v;
		}
	}
	obj->last = last;
	obj->index = index;
}

bool json_index_build(struct arena *a, struct json *obj)
{
	struct json_index *index;
	size_t slots = 4 * JSON_INDEX_ABOVE;

	while (slots < 2 * obj->len)
		slots *= 2;
	index = arena_try_alloc(a, sizeof(*index) + slots * sizeof(*index->slot));
	if (!index)
		return false;
	index->slots = slots;
	index_fill(index, obj);
	return true;
}

static struct json *find(const struct json *obj, const char *key, size_t n)
{
	if (!obj || obj->type != JSON_OBJ)
		return NULL;
	if (obj->index)
		return *index_slot(obj->index, key, n);
	for (struct json *v = obj->first; v; v = v->next)
		if (json_key_is(v, key, n))
			return v;
	return NULL;
}

/* ---- looking ---- */

struct json *json_get(const struct json *obj, const char *key)
{
	return find(obj, key, strlen(key));
}

struct json *json_path(const struct json *v, const char *dotted)
{
	struct json *at = (struct json *)v;

	while (at && *dotted) {
		size_t n = strcspn(dotted, "."), i = 0;

		if (at->type == JSON_ARR) {
			if (n == 0 || n > 9 || strspn(dotted, "0123456789") < n)
				return NULL;
			for (size_t k = 0; k < n; k++)
				i = i * 10 + (size_t)(dotted[k] - '0');
			at = json_at(at, i);
		} else {
			at = find(at, dotted, n);
		}
		dotted += n + (dotted[n] == '.');
	}
	return at;
}

struct json *json_at(const struct json *arr, size_t i)
{
	struct json *v = arr && arr->type == JSON_ARR ? arr->first : NULL;

	while (v && i-- > 0)
		v = v->next;
	return v;
}

size_t json_len(const struct json *v)
{
	return v && json_is_container(v) ? v->len : 0;
}

enum json_type json_type(const struct json *v)
{
	return v ? v->type : JSON_NULL;
}

bool json_is(const struct json *v, enum json_type type)
{
	return v && v->type == type;
}

const char *json_str(const struct json *v)
{
	return json_is(v, JSON_STR) ? v->str : NULL;
}

const char *json_str_or(const struct json *v, const char *def)
{
	return json_is(v, JSON_STR) ? v->str : def;
}

int64_t json_int_or(const struct json *v, int64_t def)
{
	if (json_is(v, JSON_INT))
		return v->i;
	/* -2^63 and 2^63: the doubles around int64_t. */
	if (json_is(v, JSON_NUM) && v->num >= -9223372036854775808.0 && v->num < 9223372036854775808.0 &&
	    v->num == trunc(v->num))
		return (int64_t)v->num;
	return def;
}

double json_num_or(const struct json *v, double def)
{
	if (json_is(v, JSON_INT))
		return (double)v->i;
	return json_is(v, JSON_NUM) ? v->num : def;
}

bool json_bool_or(const struct json *v, bool def)
{
	return json_is(v, JSON_BOOL) ? v->b : def;
}

const char *json_get_str(const struct json *obj, const char *key)
{
	return json_str(json_get(obj, key));
}

int64_t json_get_int(const struct json *obj, const char *key, int64_t def)
{
	return json_int_or(json_get(obj, key), def);
}

bool json_get_bool(const struct json *obj, const char *key, bool def)
{
	return json_bool_or(json_get(obj, key), def);
}

struct json *json_first(const struct json *container)
{
	return container && json_is_container(container) ? container->first : NULL;
}

/* ---- comparing ---- */

static bool same_bytes(const struct json *a, const struct json *b)
{
	return a->len == b->len && (a->len == 0 || memcmp(a->str, b->str, a->len) == 0);
}

static bool is_big_integer(const struct json *v)
{
	return v->str && strspn(v->str, "-0123456789") == v->len;
}

/* By value; integers too large for a double to tell apart, by their text. */
static bool numbers_equal(const struct json *a, const struct json *b)
{
	if (a->type == JSON_INT && b->type == JSON_INT)
		return a->i == b->i;
	if (a->type == JSON_INT)
		return json_int_or(b, ~a->i) == a->i;
	if (b->type == JSON_INT)
		return json_int_or(a, ~b->i) == b->i;
	if (is_big_integer(a) && is_big_integer(b))
		return same_bytes(a, b);
	return a->num == b->num || (isnan(a->num) && isnan(b->num));
}

static bool equal(const struct json *a, const struct json *b, int depth);

static bool members_equal(const struct json *a, const struct json *b, int depth)
{
	const struct json *y = b->first;

	for (const struct json *x = a->first; x; x = x->next) {
		const struct json *other = y;

		if (a->type == JSON_OBJ && !json_key_is(y, x->key, x->key_len))
			other = find(b, x->key, x->key_len);
		if (!other || !equal(x, other, depth))
			return false;
		y = y->next;
	}
	return true;
}

static bool equal(const struct json *a, const struct json *b, int depth)
{
	bool both_numbers = (a->type == JSON_INT || a->type == JSON_NUM) &&
			    (b->type == JSON_INT || b->type == JSON_NUM);

	if (both_numbers)
		return numbers_equal(a, b);
	if (a->type != b->type)
		return false;
	switch (a->type) {
	case JSON_BOOL: return a->b == b->b;
	case JSON_STR: return same_bytes(a, b);
	case JSON_ARR:
	case JSON_OBJ:
		return a->len == b->len && depth < JSON_TREE_DEPTH_MAX && members_equal(a, b, depth + 1);
	default: return true;
	}
}

bool json_equal(const struct json *a, const struct json *b)
{
	if (!a || !b)
		return a == b;
	return equal(a, b, 0);
}

/* ---- building ---- */

static struct json *new_value(struct arena *a, enum json_type type)
{
	struct json *v = arena_alloc(a, sizeof(*v));

	v->type = type;
	return v;
}

struct json *json_new_null(struct arena *a)
{
	return new_value(a, JSON_NULL);
}

struct json *json_new_bool(struct arena *a, bool b)
{
	struct json *v = new_value(a, JSON_BOOL);

	v->b = b;
	return v;
}

struct json *json_new_int(struct arena *a, int64_t i)
{
	struct json *v = new_value(a, JSON_INT);

	v->i = i;
	return v;
}

struct json *json_new_num(struct arena *a, double d)
{
	struct json *v = new_value(a, JSON_NUM);

	v->num = d;
	return v;
}

struct json *json_new_str(struct arena *a, const char *s)
{
	return s ? json_new_strn(a, s, strlen(s)) : json_new_null(a);
}

struct json *json_new_strn(struct arena *a, const char *s, size_t n)
{
	struct json *v = new_value(a, JSON_STR);
	char *copy = arena_alloc(a, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	v->str = copy;
	v->len = n;
	return v;
}

struct json *json_new_arr(struct arena *a)
{
	return new_value(a, JSON_ARR);
}

struct json *json_new_obj(struct arena *a)
{
	return new_value(a, JSON_OBJ);
}

static void append(struct json *parent, struct json *v)
{
	v->next = NULL;
	if (parent->last)
		parent->last->next = v;
	else
		parent->first = v;
	parent->last = v;
	parent->len++;
}

void json_push(struct json *arr, struct json *v)
{
	CH_BUG_ON(arr->type != JSON_ARR || v->next);
	v->key = NULL;
	v->key_len = 0;
	append(arr, v);
}

/* The member before the one with this key, NULL when that is the first. */
static struct json *before(struct json *obj, const struct json *member)
{
	struct json *v = NULL;

	for (struct json *at = obj->first; at != member; at = at->next)
		v = at;
	return v;
}

static void replace(struct json *obj, struct json *old, struct json *v)
{
	struct json *prev = before(obj, old);

	v->next = old->next;
	if (prev)
		prev->next = v;
	else
		obj->first = v;
	if (obj->last == old)
		obj->last = v;
	old->next = NULL;
}

static void set_member(struct arena *a, struct json *obj, const char *key, size_t n, struct json *v)
{
	struct json_index *index = obj->index;
	struct json *old;

	CH_BUG_ON(obj->type != JSON_OBJ || v->next || n >= UINT32_MAX);
	old = find(obj, key, n);
	if (old == v)
		return;
	v->key = old ? old->key : arena_strndup(a, key, n);
	v->key_len = (uint32_t)n;
	if (old) {
		replace(obj, old, v);
		if (index)
			*index_slot(index, key, n) = v;
		return;
	}
	append(obj, v);
	if (index && 2 * obj->len <= index->slots) {
		*index_slot(index, key, n) = v;
	} else if (obj->len > JSON_INDEX_ABOVE) {
		/* Without room for an index lookups walk the list. */
		obj->index = NULL;
		(void)!json_index_build(a, obj);
	}
}

void json_set(struct arena *a, struct json *obj, const char *key, struct json *v)
{
	set_member(a, obj, key, strlen(key), v);
}

bool json_unset(struct json *obj, const char *key)
{
	struct json *old = json_get(obj, key), *prev;

	if (!old)
		return false;
	prev = before(obj, old);
	if (prev)
		prev->next = old->next;
	else
		obj->first = old->next;
	if (obj->last == old)
		obj->last = prev;
	obj->len--;
	old->next = NULL;
	if (obj->index)
		index_fill(obj->index, obj);
	return true;
}

static struct json *clone(struct arena *a, const struct json *v, int depth)
{
	struct json *copy = new_value(a, v->type);

	CH_BUG_ON(depth > JSON_TREE_DEPTH_MAX);
	switch (v->type) {
	case JSON_NULL: break;
	case JSON_BOOL: copy->b = v->b; break;
	case JSON_INT: copy->i = v->i; break;
	case JSON_NUM:
		copy->num = v->num;
		copy->len = v->len;
		copy->str = v->str ? arena_strndup(a, v->str, v->len) : NULL;
		break;
	case JSON_STR:
		copy->len = v->len;
		copy->str = memcpy(arena_alloc(a, v->len + 1), v->str, v->len);
		break;
	case JSON_ARR:
	case JSON_OBJ:
		for (const struct json *it = v->first; it; it = it->next) {
			struct json *child = clone(a, it, depth + 1);

			if (v->type == JSON_OBJ) {
				child->key = memcpy(arena_alloc(a, it->key_len + 1u), it->key, it->key_len);
				child->key_len = it->key_len;
			}
			append(copy, child);
		}
		if (copy->type == JSON_OBJ && copy->len > JSON_INDEX_ABOVE)
			(void)!json_index_build(a, copy);
		break;
	}
	return copy;
}

struct json *json_clone(struct arena *a, const struct json *v)
{
	return v ? clone(a, v, 0) : NULL;
}

static struct json *merge(struct arena *a, const struct json *base, const struct json *patch, int depth)
{
	struct json *out;

	CH_BUG_ON(depth > JSON_TREE_DEPTH_MAX);
	if (patch->type != JSON_OBJ)
		return clone(a, patch, depth);
	out = json_new_obj(a);
	json_each(it, json_is(base, JSON_OBJ) ? base : NULL) {
		const struct json *change = find(patch, it->key, it->key_len);

		if (!change)
			set_member(a, out, it->key, it->key_len, clone(a, it, depth + 1));
		else if (change->type != JSON_NULL)
			set_member(a, out, it->key, it->key_len, merge(a, it, change, depth + 1));
	}
	json_each(it, patch)
		if (it->type != JSON_NULL && !find(base, it->key, it->key_len))
			set_member(a, out, it->key, it->key_len, merge(a, NULL, it, depth + 1));
	return out;
}

struct json *json_merge(struct arena *a, const struct json *base, const struct json *patch)
{
	if (!patch)
		return json_clone(a, base);
	return merge(a, base, patch, 0);
}
