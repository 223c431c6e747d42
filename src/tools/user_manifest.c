/*
 * tools/user_manifest.c - see user_manifest.h.
 */
#include "tools/user_manifest.h"

#include <ctype.h>
#include <string.h>

#include "core/str.h"
#include "exec/proxy.h"

#define SCHEMA_DEPTH_MAX 8
#define TIMEOUT_DEFAULT_S 60

/* -- the schema of the arguments -- */

/* Is v what this word of JSON Schema holds? */
static bool is_type_word(const struct json *v)
{
	static const char *const types[] = { "string", "integer", "number", "boolean", "array", "object" };

	return json_is(v, JSON_STR) && str_in(v->str, types, CH_ARRAY_LEN(types));
}

static bool is_size_word(const struct json *v)
{
	return json_is(v, JSON_INT) && v->i >= 0;
}

static bool is_number_word(const struct json *v)
{
	return json_is(v, JSON_INT) || json_is(v, JSON_NUM);
}

static bool is_text_word(const struct json *v)
{
	return json_is(v, JSON_STR);
}

static bool is_flag_word(const struct json *v)
{
	return json_is(v, JSON_BOOL);
}

static bool is_any_word(const struct json *v)
{
	return true;
}

static bool is_list_word(const struct json *v)
{
	return json_is(v, JSON_ARR) && json_len(v) > 0;
}

static bool is_names_word(const struct json *v)
{
	json_each(it, v)
		if (!json_is(it, JSON_STR))
			return false;
	return json_is(v, JSON_ARR);
}

static bool is_object_word(const struct json *v)
{
	return json_is(v, JSON_OBJ);
}

static const struct { const char *word; bool (*is_right)(const struct json *v); } words[] = {
	{ "additionalProperties", is_flag_word }, { "default", is_any_word }, { "description", is_text_word }, { "enum", is_list_word },
	{ "items", is_object_word }, { "maxItems", is_size_word }, { "maxLength", is_size_word }, { "maximum", is_number_word },
	{ "minItems", is_size_word }, { "minLength", is_size_word }, { "minimum", is_number_word }, { "properties", is_object_word },
	{ "required", is_names_word }, { "title", is_text_word }, { "type", is_type_word },
};

static ch_status check_schema(const struct json *schema, int depth, struct ch_err *err)
{
	ch_status st = CH_OK;

	if (depth > SCHEMA_DEPTH_MAX)
		return ch_fail(err, CH_E_INVALID, "parameters: nested deeper than %d", SCHEMA_DEPTH_MAX);
	if (!json_is(schema, JSON_OBJ) || !json_get(schema, "type"))
		return ch_fail(err, CH_E_INVALID, "parameters: each schema is an object with a \"type\"");
	json_each(it, schema) {
		size_t i = 0;

		while (i < CH_ARRAY_LEN(words) && !str_eq(words[i].word, it->key))
			i++;
		if (i == CH_ARRAY_LEN(words))
			return ch_fail(err, CH_E_INVALID, "parameters: \"%.40s\" is no word that arguments are checked against here", it->key);
		if (!words[i].is_right(it))
			return ch_fail(err, CH_E_INVALID, "parameters: \"%s\" has a value that it cannot have", it->key);
	}
	json_each(p, json_get(schema, "properties"))
		if (!st)
			st = check_schema(p, depth + 1, err);
	if (!st && json_get(schema, "items"))
		st = check_schema(json_get(schema, "items"), depth + 1, err);
	return st;
}

static ch_status read_schema(struct arena *a, const struct json *schema, const char **ret, struct ch_err *err)
{
	struct json *closed;
	ch_status st;

	if (!schema) {
		*ret = "{\"type\":\"object\",\"properties\":{},\"additionalProperties\":false}";
		return CH_OK;
	}
	st = check_schema(schema, 0, err);
	if (!st && !str_eq(json_get_str(schema, "type"), "object"))
		st = ch_fail(err, CH_E_INVALID, "parameters: the outermost type is \"object\"");
	if (st)
		return st;
	closed = json_clone(a, schema);
	if (!json_get(closed, "properties"))
		json_set(a, closed, "properties", json_new_obj(a));
	json_set(a, closed, "additionalProperties", json_new_bool(a, false));
	*ret = json_to_str(a, closed);
	return CH_OK;
}

/* -- the other keys -- */

static bool is_name(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > USER_NAME_MAX || !islower((unsigned char)s[0]))
		return false;
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)s[i]) && !isdigit((unsigned char)s[i]) && s[i] != '_')
			return false;
	return true;
}

/* A list of strings; a single string stands for a list of one. */
static ch_status read_list(struct arena *a, const struct json *v, const char *key, size_t max, const char *const **ret, struct ch_err *err)
{
	const char **list = arena_alloc(a, (max + 1) * sizeof(*list));
	size_t n = 0;

	if (json_is(v, JSON_STR))
		list[n++] = v->str;
	else if (v && !json_is(v, JSON_ARR))
		return ch_fail(err, CH_E_INVALID, "%s: a list of strings", key);
	json_each(it, json_is(v, JSON_ARR) ? v : NULL) {
		if (n == max)
			return ch_fail(err, CH_E_INVALID, "%s: more than %zu", key, max);
		if (!json_is(it, JSON_STR) || strlen(it->str) != it->len)
			return ch_fail(err, CH_E_INVALID, "%s: a list of strings", key);
		list[n++] = it->str;
	}
	*ret = list;
	return CH_OK;
}

static ch_status read_command(struct arena *a, const struct json *v, struct user_manifest *m, struct ch_err *err)
{
	const char *const *list = NULL;
	ch_status st = read_list(a, v, "command", USER_ARGS_MAX, &list, err);

	if (st)
		return st;
	if (!list[0])
		return ch_fail(err, CH_E_INVALID, "command: the program's file name, and what always stands behind it");
	m->program = str_starts(list[0], "./") ? list[0] + 2 : list[0];
	if (!m->program[0] || strchr(m->program, '/') || m->program[0] == '.')
		return ch_fail(err, CH_E_INVALID, "command: '%.60s' is not the name of a file beside the manifest", list[0]);
	m->args = list + 1;
	return CH_OK;
}

static ch_status read_hosts(struct arena *a, const struct json *network, struct user_manifest *m, struct ch_err *err)
{
	ch_status st;

	if (network && !json_is(network, JSON_OBJ))
		return ch_fail(err, CH_E_INVALID, "network: an object with \"hosts\"");
	json_each(it, network)
		if (!str_eq(it->key, "hosts"))
			return ch_fail(err, CH_E_INVALID, "network: \"%.40s\" is not known; it has \"hosts\"", it->key);
	st = read_list(a, json_get(network, "hosts"), "network.hosts", USER_HOSTS_MAX, &m->hosts, err);
	for (size_t i = 0; !st && m->hosts[i]; i++)
		if (!proxy_host_valid(m->hosts[i]) || strchr(m->hosts[i], '*'))
			st = ch_fail(err, CH_E_INVALID, "network.hosts: '%.60s' is not a host's name", m->hosts[i]);
	return st;
}

/* One of the words; *ret is its number. Unset: the first. */
static ch_status read_word(const struct json *v, const char *key, const char *const *choices, size_t n, size_t *ret, struct ch_err *err)
{
	*ret = 0;
	if (!v)
		return CH_OK;
	for (size_t i = 0; i < n; i++) {
		if (json_is(v, JSON_STR) && str_eq(v->str, choices[i])) {
			*ret = i;
			return CH_OK;
		}
	}
	return ch_fail(err, CH_E_INVALID, "%s: one of %s, %s%s%s", key, choices[0], choices[1], n > 2 ? ", " : "", n > 2 ? choices[2] : "");
}

static ch_status read_words(const struct json *o, struct user_manifest *m, struct ch_err *err)
{
	static const char *const risks[] = { "runs", "reads", "writes", "sends" };
	static const enum tool_risk risk_of[] = { TOOL_RUNS, TOOL_READS, TOOL_WRITES, TOOL_SENDS };
	static const char *const inputs[] = { "json", "args" }, *const outputs[] = { "text", "json" };
	size_t risk, input, output;
	ch_status st = read_word(json_get(o, "risk"), "risk", risks, CH_ARRAY_LEN(risks), &risk, err);

	if (!st)
		st = read_word(json_get(o, "stdin"), "stdin", inputs, CH_ARRAY_LEN(inputs), &input, err);
	if (!st)
		st = read_word(json_get(o, "output"), "output", outputs, CH_ARRAY_LEN(outputs), &output, err);
	if (st)
		return st;
	m->risk = risk_of[risk];
	m->takes_args = input == 1;
	m->gives_json = output == 1;
	return CH_OK;
}

static ch_status read_texts(struct arena *a, const struct json *o, const char *stem, struct user_manifest *m, struct ch_err *err)
{
	const struct json *name = json_get(o, "name"), *title = json_get(o, "title"), *timeout = json_get(o, "timeoutSeconds");
	int64_t seconds = json_int_or(timeout, timeout ? 0 : TIMEOUT_DEFAULT_S);

	m->description = json_get_str(o, "description");
	if (!is_name(stem))
		return ch_fail(err, CH_E_INVALID, "the name is of a-z, 0-9 and _, begins with a letter and has at most %d characters", USER_NAME_MAX);
	if (name && !str_eq(json_str(name), stem))
		return ch_fail(err, CH_E_INVALID, "name: it is '%s', as the file", stem);
	if (title && !json_is(title, JSON_STR))
		return ch_fail(err, CH_E_INVALID, "title: a text");
	if (str_empty(m->description) || strlen(m->description) > USER_DESCRIPTION_MAX)
		return ch_fail(err, CH_E_INVALID, "description: a text of at most %d bytes that says what the tool does", USER_DESCRIPTION_MAX);
	if (seconds < 1 || seconds > USER_TIMEOUT_MAX_S)
		return ch_fail(err, CH_E_INVALID, "timeoutSeconds: from 1 to %d", USER_TIMEOUT_MAX_S);
	m->name = arena_printf(a, "user_%s", stem);
	m->label = title ? title->str : stem;
	m->timeout_ms = seconds * 1000;
	return CH_OK;
}

static ch_status check_keys(const struct json *o, struct ch_err *err)
{
	static const char *const keys[] = { "command", "description", "name", "network", "output", "parameters", "risk", "stdin", "timeoutSeconds",
					    "title" };

	if (!json_is(o, JSON_OBJ))
		return ch_fail(err, CH_E_INVALID, "an object");
	json_each(it, o) {
		const char *near = str_nearest(it->key, keys, CH_ARRAY_LEN(keys));

		if (!str_in(it->key, keys, CH_ARRAY_LEN(keys)))
			return ch_fail(err, CH_E_INVALID, "\"%.40s\" is not known%s%s%s", it->key, near ? " (did you mean " : "", near ? near : "",
				       near ? "?)" : "");
	}
	return CH_OK;
}

ch_status user_manifest_parse(struct arena *a, const char *text, size_t len, const char *stem, struct user_manifest *ret, struct ch_err *err)
{
	struct user_manifest m = { 0 };
	struct json *o = NULL;
	ch_status st = json_parse(a, text, len, JSON_STRICT, &o, err);

	if (!st)
		st = check_keys(o, err);
	if (!st)
		st = read_texts(a, o, stem, &m, err);
	if (!st)
		st = read_command(a, json_get(o, "command"), &m, err);
	if (!st)
		st = read_schema(a, json_get(o, "parameters"), &m.schema_json, err);
	if (!st)
		st = read_hosts(a, json_get(o, "network"), &m, err);
	if (!st)
		st = read_words(o, &m, err);
	if (!st)
		*ret = m;
	return st;
}
