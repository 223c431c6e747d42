/*
 * fuzz_config_edit.c - editing JSON5 text against editing the tree.
 *
 * Input: a path, a line end, a value (empty: unset), a line end, the text.
 * The edited text parses, means what the edited tree means, and keeps every
 * comment outside of what was replaced or removed.
 */
#include <math.h>
#include <string.h>

#include "config/config.h"
#include "config/path.h"
#include "config/text.h"
#include "core/vec.h"
#include "fuzz.h"

struct span {
	size_t start, end;
};
typedef VEC(struct span) span_list;

/* ---- the tree ---- */

static bool set_in_tree(struct arena *a, struct json *tree, const struct config_path *p, const struct json *v)
{
	struct json *at = tree, *next;
	size_t index;

	for (size_t i = 0; i < p->n; i++) {
		bool is_last = i + 1 == p->n;

		if (json_is(at, JSON_OBJ)) {
			next = json_get(at, p->name[i]);
			if (is_last || !next) {
				next = is_last ? json_clone(a, v) : json_new_obj(a);
				json_set(a, at, p->name[i], next);
			}
		} else if (json_is(at, JSON_ARR) && config_path_index(p->name[i], &index) &&
			   index <= at->len) {
			next = json_at(at, index);
			if (!next) {
				next = is_last ? json_clone(a, v) : json_new_obj(a);
				json_push(at, next);
			} else if (is_last) {
				struct json *value = json_clone(a, v);

				value->next = next->next;
				value->key = NULL;
				*next = *value;
			}
		} else {
			return false;
		}
		at = next;
	}
	return true;
}

static bool unset_in_tree(struct arena *a, struct json *tree, const struct config_path *p)
{
	struct json *at = tree, *kept;
	size_t index, i;

	for (i = 0; i + 1 < p->n && at; i++) {
		if (json_is(at, JSON_ARR))
			at = config_path_index(p->name[i], &index) ? json_at(at, index) : NULL;
		else
			at = json_get(at, p->name[i]);
	}
	if (!p->n || !at)
		return false;
	if (json_is(at, JSON_OBJ))
		return json_unset(at, p->name[i]);
	if (!json_is(at, JSON_ARR) || !config_path_index(p->name[i], &index) || index >= at->len)
		return false;
	kept = json_new_arr(a);
	i = 0;
	json_each(it, at)
		if (i++ != index)
			json_push(kept, json_clone(a, it));
	at->first = kept->first;
	at->last = kept->last;
	at->len = kept->len;
	return true;
}

static bool all_finite(const struct json *v)
{
	if (json_is(v, JSON_NUM) && !v->str)
		return isfinite(v->num);
	json_each(it, v)
		if (!all_finite(it))
			return false;
	return true;
}

/* ---- comments ---- */

/* Adds what a container holds below: names, then values; everything else is blanks and comments. */
static void find_comments(const struct text *t, size_t from, size_t to, span_list *out)
{
	size_t at = from, next;

	while (at < to) {
		next = text_skip_piece(t, at);
		if (next > at) {
			struct span s = { at, next };

			if (t->p[at] == '/')
				vec_push(out, s);
			at = next;
		} else if (t->p[at] == '"' || t->p[at] == '\'') {
			at = text_skip_value(t, at);
		} else {
			at++;
		}
	}
}

/* The spans that the edit may take away. */
static void find_edited(const struct text *t, const struct config_path *p, bool is_set, struct arena *a,
			span_list *out)
{
	struct text_part part = { .start = text_skip_blank(t, 0) }, found;
	struct span s;

	part.end = text_skip_value(t, part.start);
	for (size_t i = 0; i < p->n; i++) {
		size_t open = part.start;

		if ((t->p[open] != '{' && t->p[open] != '[') ||
		    !text_find_part(t, open, p->name[i], a, &found))
			return;
		if (!is_set && i + 1 == p->n && t->p[open] == '{') {
			for (part.end = 0; text_next_part(t, open, &part);) {
				s = (struct span){ part.key_start, part.end };
				if (text_key_is(t, &part, p->name[i], a))
					vec_push(out, s);
			}
			return;
		}
		part = found;
	}
	s = (struct span){ is_set ? part.start : part.key_start, part.end };
	vec_push(out, s);
}

static void comments_survive(const struct text *before, const struct text *after, const span_list *edited)
{
	span_list old = VEC_INIT, new = VEC_INIT;
	size_t k = 0;

	find_comments(before, 0, before->len, &old);
	find_comments(after, 0, after->len, &new);
	for (size_t i = 0; i < old.len; i++) {
		size_t n = old.at[i].end - old.at[i].start;
		bool inside = false;

		for (size_t j = 0; j < edited->len; j++)
			inside = inside || (old.at[i].start >= edited->at[j].start &&
					    old.at[i].end <= edited->at[j].end);
		if (inside)
			continue;
		while (k < new.len &&
		       (new.at[k].end - new.at[k].start != n ||
			memcmp(after->p + new.at[k].start, before->p + old.at[i].start, n) != 0))
			k++;
		FUZZ_ASSERT(k < new.len);
		k++;
	}
	vec_done(&old);
	vec_done(&new);
}

/* ---- one input ---- */

struct input {
	struct config_path path;
	struct json *value;              /* NULL: unset */
	struct text text;
	struct json *tree;
};

static bool read_input(struct arena *a, const char *data, size_t size, struct input *in)
{
	const char *path_end = memchr(data, '\n', size), *value_end;
	char *path;

	if (!path_end)
		return false;
	value_end = memchr(path_end + 1, '\n', size - (size_t)(path_end + 1 - data));
	if (!value_end || memchr(data, 0, (size_t)(path_end - data)))
		return false;
	path = arena_strndup(a, data, (size_t)(path_end - data));
	in->value = NULL;
	if (value_end > path_end + 1 &&
	    (json_parse(a, path_end + 1, (size_t)(value_end - path_end - 1), JSON_JSON5, &in->value, NULL) ||
	     !all_finite(in->value)))
		return false;
	in->text.p = value_end + 1;
	in->text.len = size - (size_t)(in->text.p - data);
	return config_path_parse(a, path, &in->path, NULL) == CH_OK &&
	       json_parse(a, in->text.p, in->text.len, JSON_JSON5, &in->tree, NULL) == CH_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf out = { 0 };
	span_list edited = VEC_INIT;
	struct text result;
	struct input in;
	struct json *back;
	const char *path;
	ch_status st;
	bool ok;

	buf_init(&out, 16 << 20);
	if (!read_input(a, (const char *)data, size, &in))
		return 0;
	path = arena_strndup(a, (const char *)data,
			     (size_t)((const char *)memchr(data, '\n', size) - (const char *)data));
	if (in.value)
		st = config_text_set(in.text.p, in.text.len, path, in.value, &out, NULL);
	else
		st = config_text_unset(in.text.p, in.text.len, path, &out, NULL);
	if (in.path.n == 0 && in.value) {
		in.tree = in.value;
		ok = true;
	} else {
		ok = in.value ? set_in_tree(a, in.tree, &in.path, in.value)
			      : unset_in_tree(a, in.tree, &in.path);
	}
	FUZZ_ASSERT(ok == (st == CH_OK));
	if (!ok)
		return 0;
	st = json_parse(a, out.data, out.len, JSON_JSON5, &back, NULL);
	/* Wrapping a deep value in a long path may pass the limit of depth. */
	if (st == CH_E_LIMIT)
		return 0;
	FUZZ_ASSERT(st == CH_OK);
	FUZZ_ASSERT(json_equal(back, in.tree));
	result = (struct text){ .p = out.data, .len = out.len };
	find_edited(&in.text, &in.path, in.value != NULL, a, &edited);
	comments_survive(&in.text, &result, &edited);
	vec_done(&edited);
	return 0;
}
