/*
 * config/text_edit.c - changing one value in JSON5 text and nothing else.
 *
 * A value is replaced in place; a new member is put behind the last one, on
 * a line of its own where the others have theirs, its key quoted as theirs
 * are; a removed one goes with its comma, and with its lines when nothing
 * else is on them. Comments stay, except inside a value that is replaced.
 */
#include <string.h>

#include "config/config.h"
#include "config/text.h"
#include "core/str.h"

#define INDENT_MAX 64

struct edit {
	struct text t;
	const char *unit, *line_end;     /* one step of indentation; "\n" or "\r\n" */
	struct arena *a;
	struct buf *out;
	struct ch_err *err;
};

static void copy(struct edit *e, size_t from, size_t to)
{
	buf_append(e->out, e->t.p + from, to - from);
}

/* ---- layout ---- */

static bool is_line_end(char c)
{
	return c == '\n' || c == '\r';
}

static size_t line_start(const struct text *t, size_t at)
{
	while (at > 0 && !is_line_end(t->p[at - 1]))
		at--;
	return at;
}

/* The white space that begins the line of `at`. */
static const char *indent_of(struct edit *e, size_t at)
{
	size_t start = line_start(&e->t, at), n = 0;

	while (start + n < at && n < INDENT_MAX && (e->t.p[start + n] == ' ' || e->t.p[start + n] == '\t'))
		n++;
	return arena_strndup(e->a, e->t.p + start, n);
}

/* Only white space between the start of its line and `at`. */
static bool begins_line(const struct text *t, size_t at)
{
	while (at > 0 && (t->p[at - 1] == ' ' || t->p[at - 1] == '\t'))
		at--;
	return at == 0 || is_line_end(t->p[at - 1]);
}

/* One step of indentation: what the root's first member has, or two blanks. */
static const char *indent_unit(struct edit *e)
{
	struct text_part part = { .end = 0 };
	size_t root = text_skip_blank(&e->t, 0);
	const char *first;

	if (e->t.p[root] == '{' && text_next_part(&e->t, root, &part) && begins_line(&e->t, part.key_start)) {
		first = indent_of(e, part.key_start);
		if (*first)
			return first;
	}
	return "  ";
}

static const char *line_end_of(const struct text *t)
{
	const char *nl = memchr(t->p, '\n', t->len);

	return nl && nl > t->p && nl[-1] == '\r' ? "\r\n" : "\n";
}

static bool is_bare_key(const char *key)
{
	static const char first[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$";

	return *key && strchr(first, *key) &&
	       strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_$"
			   "0123456789") == strlen(key);
}

/* Are keys written without quotes here? Where there are none the root's first one tells; JSON is the safe guess. */
static bool keys_are_bare(struct edit *e, size_t open)
{
	struct text_part part = { .end = 0 };
	size_t root = text_skip_blank(&e->t, 0);

	if ((e->t.p[open] != '{' || !text_next_part(&e->t, open, &part)) &&
	    (e->t.p[root] != '{' || !text_next_part(&e->t, root, &part)))
		return false;
	return part.key_end > part.key_start && !strchr("\"'", e->t.p[part.key_start]);
}

/* How new text is to look. */
struct style {
	const char *indent; /* of the line that the value begins on; NULL: everything on one line */
	bool bare;                       /* names without quotes where they can be */
	bool spaced;                     /* a blank behind colons, also on one line */
};

static void put_break(struct edit *e, const struct style *s, int depth)
{
	if (!s->indent)
		return;
	buf_puts(e->out, e->line_end);
	buf_puts(e->out, s->indent);
	while (depth-- > 0)
		buf_puts(e->out, e->unit);
}

static void put_name(struct edit *e, const char *name, size_t n, const struct style *s)
{
	if (s->bare && strlen(name) == n && is_bare_key(name))
		buf_puts(e->out, name);
	else
		json_write(e->out, json_new_strn(e->a, name, n), 0);
	buf_puts(e->out, s->indent || s->spaced ? ": " : ":");
}

/* Depth is that of a parsed value. */
static void put_value(struct edit *e, const struct json *v, const struct style *s, int depth)
{
	bool is_object = v->type == JSON_OBJ;
	const char *comma = s->indent ? "," : s->spaced ? ", " : ",";

	if (!json_len(v)) {
		json_write(e->out, v, 0);
		return;
	}
	buf_putc(e->out, is_object ? '{' : '[');
	json_each(it, v) {
		if (it != json_first(v))
			buf_puts(e->out, comma);
		put_break(e, s, depth + 1);
		if (is_object)
			put_name(e, it->key, it->key_len, s);
		put_value(e, it, s, depth + 1);
	}
	put_break(e, s, depth);
	buf_putc(e->out, is_object ? '}' : ']');
}

/* "name: value" in the object at `open`, or just the value of a list's item. */
static void put_part(struct edit *e, size_t open, const char *name, const struct json *v,
		     const struct style *s)
{
	if (e->t.p[open] == '{')
		put_name(e, name, strlen(name), s);
	put_value(e, v, s, 0);
}

/* ---- inserting ---- */

/*
 * Behind the last part of a container: over its comma and over comments that
 * follow on the same line. *ret_own_line says that a line ends there.
 */
static size_t after_last(const struct text *t, const struct text_part *last, bool *ret_own_line)
{
	size_t at = last->comma == SIZE_MAX ? last->end : last->comma + 1, next;

	*ret_own_line = false;
	for (size_t look = at; (next = text_skip_piece(t, look)) > look; look = next) {
		if (text_is_line_end(t, look)) {
			*ret_own_line = true;
			break;
		}
		if (t->p[look] == '/')
			at = next;
	}
	return at;
}

static void insert_after(struct edit *e, size_t open, const struct text_part *last, const char *key,
			 const struct json *v)
{
	bool own_line, had_comma = last->comma != SIZE_MAX;
	size_t at = after_last(&e->t, last, &own_line);
	struct style style = {
		.indent = own_line ? indent_of(e, last->key_start) : NULL,
		.bare = keys_are_bare(e, open),
		.spaced = own_line || last->start > last->key_end + 1,
	};

	copy(e, 0, last->end);
	if (!had_comma)
		buf_putc(e->out, ',');
	copy(e, last->end, at);
	if (own_line)
		put_break(e, &style, 0);
	else
		buf_putc(e->out, ' ');
	put_part(e, open, key, v, &style);
	if (had_comma)
		buf_putc(e->out, ',');
	copy(e, at, e->t.len);
}

/* Into an empty container: on its own line when the container spans lines or stands in a text that does. */
static void insert_first(struct edit *e, size_t open, const char *key, const struct json *v)
{
	size_t close = text_close(&e->t, open), end = open + 1, next;
	bool spread = memchr(e->t.p, '\n', e->t.len) || open == text_skip_blank(&e->t, 0);
	const char *outer = indent_of(e, open);
	struct style style = { .bare = keys_are_bare(e, open) };

	/* Behind the last comment. */
	for (size_t at = open + 1; at < close; at = next) {
		next = text_skip_piece(&e->t, at);
		if (e->t.p[at] == '/')
			end = next;
	}
	copy(e, 0, end);
	/* A line comment in there needs its line end. */
	if (spread || end > open + 1) {
		style.indent = arena_printf(e->a, "%s%s", outer, e->unit);
		put_break(e, &style, 0);
		put_part(e, open, key, v, &style);
		style.indent = outer;
		put_break(e, &style, 0);
	} else {
		put_part(e, open, key, v, &style);
	}
	copy(e, close, e->t.len);
}

static void insert(struct edit *e, size_t open, const char *key, const struct json *v)
{
	struct text_part part = { .end = 0 }, last = { .end = 0 };

	while (text_next_part(&e->t, open, &part))
		last = part;
	if (last.end)
		insert_after(e, open, &last, key, v);
	else
		insert_first(e, open, key, v);
}

/* ---- setting ---- */

static void replace(struct edit *e, size_t open, const struct text_part *part, const struct json *v)
{
	bool spread = begins_line(&e->t, part->key_start) || part->key_start == text_skip_blank(&e->t, 0);
	struct style style = {
		.indent = spread ? indent_of(e, part->key_start) : NULL,
		.bare = keys_are_bare(e, open),
		.spaced = part->start > part->key_end + 1,
	};

	copy(e, 0, part->start);
	put_value(e, v, &style, 0);
	copy(e, part->end, e->t.len);
}

/* {names[0]: {names[1]: … v}} */
static const struct json *wrap(struct edit *e, const char *const *names, size_t n, const struct json *v)
{
	struct json *inner = json_clone(e->a, v), *outer;

	while (n-- > 0) {
		outer = json_new_obj(e->a);
		json_set(e->a, outer, names[n], inner);
		inner = outer;
	}
	return inner;
}

static const char *path_text(struct edit *e, const struct config_path *p, size_t n)
{
	const char *text = "";

	for (size_t i = 0; i < n; i++)
		text = config_path_join(e->a, text, p->name[i]);
	return *text ? text : "the configuration";
}

static bool same_value(struct edit *e, const struct text_part *part, const struct json *v)
{
	struct json *old;

	return json_parse(e->a, e->t.p + part->start, part->end - part->start, JSON_JSON5, &old, NULL) ==
		       CH_OK &&
	       json_equal(old, v);
}

static ch_status set_at(struct edit *e, const struct config_path *p, const struct json *v)
{
	struct text_part part = { .start = text_skip_blank(&e->t, 0) };
	size_t open = part.start;

	part.key_start = part.key_end = part.start;
	part.end = text_skip_value(&e->t, part.start);
	for (size_t i = 0; i < p->n; i++) {
		open = part.start;
		if (e->t.p[open] != '{' && e->t.p[open] != '[')
			return ch_fail(e->err, CH_E_INVALID, "%s is not an object", path_text(e, p, i));
		if (text_find_part(&e->t, open, p->name[i], e->a, &part))
			continue;
		if (e->t.p[open] == '[') {
			struct text_part item = { .end = 0 };
			size_t index, count = 0;

			while (text_next_part(&e->t, open, &item))
				count++;
			if (!config_path_index(p->name[i], &index) || index != count)
				return ch_fail(e->err, CH_E_INVALID, "%s has %zu items; '%s' is none of them",
					       path_text(e, p, i), count, p->name[i]);
		}
		insert(e, open, p->name[i], wrap(e, p->name + i + 1, p->n - i - 1, v));
		return CH_OK;
	}
	if (same_value(e, &part, v))
		copy(e, 0, e->t.len);
	else
		replace(e, open, &part, v);
	return CH_OK;
}

/* ---- removing ---- */

/* White space (no line ends) before `at`. */
static size_t back_over_blanks(const struct text *t, size_t at)
{
	while (at > 0 && (t->p[at - 1] == ' ' || t->p[at - 1] == '\t'))
		at--;
	return at;
}

/*
 * Widens [*from, *to) to whole lines when only white space is left on them,
 * else takes the blanks behind it, or before a closing bracket those in front.
 */
static void widen(const struct text *t, size_t *from, size_t *to)
{
	size_t start = back_over_blanks(t, *from), end = *to;

	while (end < t->len && (t->p[end] == ' ' || t->p[end] == '\t'))
		end++;
	if (end < t->len && is_line_end(t->p[end]) && begins_line(t, *from) && start > 0) {
		end += t->p[end] == '\r' && end + 1 < t->len && t->p[end + 1] == '\n' ? 2 : 1;
		*from = start;
		*to = end;
	} else if (end < t->len && (t->p[end] == '}' || t->p[end] == ']') && !begins_line(t, *from)) {
		*from = start;
	} else {
		*to = end;
	}
}

/* Removes one part; `prev` is the part before it (end == 0: none). */
static void cut_part(struct edit *e, const struct text_part *prev, const struct text_part *part)
{
	size_t from = part->key_start, to = part->end;

	if (part->comma != SIZE_MAX) {
		/* The comma may stand behind comments, which stay. */
		if (text_skip_blank(&e->t, part->end) == part->comma && part->comma == part->end)
			to = part->comma + 1;
		widen(&e->t, &from, &to);
		copy(e, 0, from);
		if (to <= part->comma) {
			copy(e, to, part->comma);
			to = part->comma + 1;
		}
	} else {
		/* The last one without a comma: the one before loses its own. */
		widen(&e->t, &from, &to);
		if (prev->end && prev->comma < from) {
			copy(e, 0, prev->comma);
			copy(e, prev->comma + 1, from);
		} else {
			copy(e, 0, from);
		}
	}
	copy(e, to, e->t.len);
}

/* The container that holds the path's last name. */
static bool find_parent(struct edit *e, const struct config_path *p, size_t *ret_open)
{
	struct text_part part = { .start = text_skip_blank(&e->t, 0) };

	for (size_t i = 0; i < p->n; i++) {
		if (e->t.p[part.start] != '{' && e->t.p[part.start] != '[')
			return false;
		*ret_open = part.start;
		if (i + 1 < p->n && !text_find_part(&e->t, *ret_open, p->name[i], e->a, &part))
			return false;
	}
	return p->n > 0;
}

/* Removes the first part of that name; false when there is none. */
static bool unset_first(struct edit *e, const struct config_path *p)
{
	struct text_part part = { .end = 0 }, prev = { .end = 0 };
	const char *name = p->name[p->n - 1];
	size_t open = 0, index = SIZE_MAX;

	if (!find_parent(e, p, &open) || (e->t.p[open] == '[' && !config_path_index(name, &index)))
		return false;
	for (; text_next_part(&e->t, open, &part); prev = part) {
		if (e->t.p[open] == '[' ? part.index != index : !text_key_is(&e->t, &part, name, e->a))
			continue;
		cut_part(e, &prev, &part);
		return true;
	}
	return false;
}

static bool parent_is_list(struct edit *e, const struct config_path *p)
{
	size_t open = 0;

	return find_parent(e, p, &open) && e->t.p[open] == '[';
}

/* ---- the two functions of config.h ---- */

static ch_status begin(struct edit *e, const char *path, struct config_path *ret_path)
{
	struct json *v;
	ch_status st = json_parse(e->a, e->t.p, e->t.len, JSON_JSON5, &v, e->err);

	if (st)
		return st;
	e->unit = indent_unit(e);
	e->line_end = line_end_of(&e->t);
	return config_path_parse(e->a, path, ret_path, e->err);
}

/* Text without a value, an empty file say, counts as {}. */
static const char *with_root(struct arena *a, const char *text, size_t *len)
{
	struct text t = { .p = text, .len = *len };
	const char *whole = text;
	size_t at = text_skip_blank(&t, 0);

	if (at == *len) {
		CH_AUTO_BUF struct buf b = { 0 };

		buf_init(&b, CONFIG_FILE_MAX + 8);
		buf_append(&b, text, *len);
		buf_puts(&b, *len && !is_line_end(text[*len - 1]) ? "\n{}\n" : "{}\n");
		*len = b.len;
		whole = arena_strndup(a, buf_str(&b), b.len);
	}
	return whole;
}

ch_status config_text_set(const char *text, size_t len, const char *path, const struct json *value,
			  struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct edit e = { .a = a, .out = out, .err = err };
	struct config_path p;
	ch_status st;

	e.t.p = with_root(a, text, &len);
	e.t.len = len;
	st = begin(&e, path, &p);
	if (!st)
		st = set_at(&e, &p, value);
	return st ? st : buf_status(out, err, "the configuration");
}

ch_status config_text_unset(const char *text, size_t len, const char *path, struct buf *out,
			    struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct edit e = { .t = { .p = text, .len = len }, .a = a, .out = out, .err = err };
	CH_AUTO_BUF struct buf again = { 0 };
	struct config_path p;
	size_t start = out->len;
	ch_status st = begin(&e, path, &p);

	buf_init(&again, out->max_bytes);
	if (st)
		return st;
	if (p.n == 0 || !unset_first(&e, &p))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set", *path ? path : "the root");
	/* A key written twice: the earlier one must not come back to life. */
	while (!out->failed && !parent_is_list(&e, &p)) {
		buf_clear(&again);
		buf_append(&again, out->data + start, out->len - start);
		e.t = (struct text){ .p = buf_str(&again), .len = again.len };
		buf_truncate(out, start);
		if (!unset_first(&e, &p)) {
			buf_append(out, again.data, again.len);
			break;
		}
	}
	return buf_status(out, err, "the configuration");
}
