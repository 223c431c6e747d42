/*
 * config/subst.c - ${NAME} in strings becomes the value of the variable.
 *
 * A name is [A-Z_][A-Z0-9_]*; "$${NAME}" stands for the text "${NAME}"; all
 * else is left alone. A variable that is missing or empty takes the whole
 * key out of the resolved tree, so that nobody sends "${API_KEY}" as a key.
 */
#include <stdlib.h>
#include <string.h>

#include "config/snapshot.h"
#include "core/mem.h"
#include "core/str.h"

/* Length of "${NAME}" at s, 0 when there is none. */
static size_t reference_len(const char *s)
{
	size_t n;

	if (s[0] != '$' || s[1] != '{')
		return 0;
	n = strspn(s + 2, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	if (n == 0 || (s[2] >= '0' && s[2] <= '9') || s[2 + n] != '}')
		return 0;
	return n + 3;
}

const char *config_env(const struct config *c, const char *name)
{
	const char *v = getenv(name);

	if (str_empty(v))
		v = json_get_str(json_get(json_get(c->merged, "env"), "vars"), name);
	return str_empty(v) ? NULL : v;
}

/* Appends s with its references replaced; false with *ret_missing (heap) set when one is missing. */
static bool expand(const struct config *c, const char *s, struct buf *out, char **ret_missing)
{
	size_t n;

	while (*s) {
		if (s[0] == '$' && (n = reference_len(s + 1)) > 0) {
			buf_append(out, s + 1, n);
			s += n + 1;
		} else if ((n = reference_len(s)) > 0) {
			CH_AUTO_STR char *name = ch_strndup(s + 2, n - 3);
			const char *v = config_env(c, name);

			if (!v) {
				*ret_missing = CH_TAKE(name);
				return false;
			}
			buf_puts(out, v);
			s += n;
		} else {
			n = 1 + strcspn(s + 1, "$");
			buf_append(out, s, n);
			s += n;
		}
	}
	return true;
}

static struct json *expand_str(struct config *c, const struct json *v, const struct config_trail *at)
{
	CH_AUTO_STR char *missing = NULL;
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, CONFIG_FILE_MAX - c->expanded_bytes);
	if (!strstr(v->str, "${"))
		return json_new_strn(c->arena, v->str, v->len);
	if (!expand(c, v->str, &out, &missing)) {
		config_issue(c, CONFIG_WARNING, at,
			     "the environment variable %s is not set, so this is treated as not set",
			     missing);
		return NULL;
	}
	if (out.failed) {
		config_issue(c, CONFIG_ERROR, at,
			     "with its variables the configuration is larger than %u bytes", CONFIG_FILE_MAX);
		return NULL;
	}
	c->expanded_bytes += out.len;
	return json_new_strn(c->arena, buf_str(&out), out.len);
}

/* A resolved copy; NULL when the value falls away. Depth is bounded by the reader's and include.c's. */
static struct json *resolve(struct config *c, const struct json *v, const struct config_trail *at)
{
	struct config_trail here = { .up = at };
	struct json *copy, *child;

	if (v->type == JSON_STR)
		return expand_str(c, v, at);
	if (v->type != JSON_OBJ && v->type != JSON_ARR)
		return json_clone(c->arena, v);
	copy = v->type == JSON_OBJ ? json_new_obj(c->arena) : json_new_arr(c->arena);
	json_each(it, v) {
		here.name = v->type == JSON_OBJ ? it->key : NULL;
		child = resolve(c, it, &here);
		if (child && v->type == JSON_OBJ)
			json_set(c->arena, copy, it->key, child);
		else if (child)
			json_push(copy, child);
		here.index++;
	}
	return copy;
}

void config_substitute(struct config *c)
{
	c->resolved = resolve(c, c->merged, NULL);
}
