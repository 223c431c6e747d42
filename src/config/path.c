/*
 * config/path.c - paths as text:
 *
 *	path    = "" | first *( next )
 *	first   = plain | "[" quoted "]"
 *	next    = "." plain | "[" ( quoted | digits ) "]"
 *	plain   = 1*( any byte but . [ ] )
 *	quoted  = a JSON5 string
 */
#include "config/path.h"

#include <string.h>

#include "core/json.h"
#include "core/str.h"

static bool is_plain(const char *name)
{
	return *name && !strpbrk(name, ".[]\"'");
}

/* Length of the bracketed part at s, which begins with '['; 0 when it is not closed. */
static size_t bracket_len(const char *s)
{
	char quote = s[1] == '"' || s[1] == '\'' ? s[1] : 0;
	const char *p = s + 1;

	if (quote) {
		for (p++; *p && *p != quote; p++)
			p += *p == '\\' && p[1];
		p += *p == quote;
	} else {
		p += strspn(p, "0123456789");
	}
	return *p == ']' ? (size_t)(p - s) + 1 : 0;
}

static ch_status read_bracket(struct arena *a, const char *s, size_t n, const char **ret_name,
			      struct ch_err *err)
{
	struct json *v;
	ch_status st;

	if (n < 3)
		return ch_fail(err, CH_E_INVALID, "config path: nothing between brackets");
	if (s[1] != '"' && s[1] != '\'') {
		*ret_name = arena_strndup(a, s + 1, n - 2);
		return CH_OK;
	}
	st = json_parse(a, s + 1, n - 2, JSON_JSON5, &v, err);
	if (st)
		return ch_wrap(err, "config path");
	if (strlen(v->str) != v->len)
		return ch_fail(err, CH_E_INVALID, "config path: a name cannot hold a NUL");
	*ret_name = v->str;
	return CH_OK;
}

ch_status config_path_parse(struct arena *a, const char *text, struct config_path *ret, struct ch_err *err)
{
	const char *p = text;
	ch_status st;
	size_t n;

	ret->n = 0;
	if (!utf8_valid(text, strlen(text)))
		return ch_fail(err, CH_E_INVALID, "config path: invalid UTF-8");
	while (*p) {
		if (ret->n == CONFIG_PATH_MAX)
			return ch_fail(err, CH_E_LIMIT, "config path: more than %d names", CONFIG_PATH_MAX);
		if (*p == '[') {
			n = bracket_len(p);
			if (n == 0)
				return ch_fail(err, CH_E_INVALID,
					       "config path '%s': expected [number] or [\"name\"]", text);
			st = read_bracket(a, p, n, &ret->name[ret->n], err);
			if (st)
				return st;
		} else {
			p += *p == '.' && ret->n > 0;
			n = strcspn(p, ".[]");
			if (n == 0)
				return ch_fail(err, CH_E_INVALID, "config path '%s': an empty name", text);
			ret->name[ret->n] = arena_strndup(a, p, n);
		}
		ret->n++;
		p += n;
	}
	return CH_OK;
}

char *config_path_join(struct arena *a, const char *base, const char *name)
{
	if (is_plain(name))
		return arena_printf(a, "%s%s%s", base, *base ? "." : "", name);
	return arena_printf(a, "%s[%s]", base, json_to_str(a, json_new_str(a, name)));
}

bool config_path_index(const char *name, size_t *ret_index)
{
	int64_t i;

	/* One spelling per item: no sign, no leading zero. */
	if (*name < '0' || *name > '9' || (name[0] == '0' && name[1]) || strlen(name) > 9 ||
	    !str_to_i64(name, &i))
		return false;
	*ret_index = (size_t)i;
	return true;
}
