/*
 * config/secret_source.c - where a credential comes from: the text itself, a
 * variable ("$NAME"), or a reference {source: env|file|exec|store, provider, id}.
 *
 * A file must be ours and private; a program must be ours or the system's,
 * no symbolic link, and writable by nobody else. The program gets
 * {"protocolVersion":1,"provider":…,"ids":[…]} on its standard input and
 * answers {"protocolVersion":1,"values":{id: value}} or "errors".
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config/path.h"
#include "config/snapshot.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/proc.h"
#include "core/str.h"

#define ARGS_MAX 64
#define ENV_MAX 64
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define LOWER "abcdefghijklmnopqrstuvwxyz"

/* One look-up. */
struct lookup {
	const struct config *c;
	const char *path;                /* of the setting, for messages */
	const char *source, *provider, *id;
	const struct json *conf;         /* secrets.providers.<provider>, NULL when there is none */
	struct arena *a;
	struct ch_err *err;
};

static bool is_spelled(const char *s, const char *first, const char *rest, size_t max)
{
	return *s && strchr(first, *s) && strspn(s, rest) == strlen(s) && strlen(s) <= max;
}

static const char *setting(const struct lookup *k, const char *name)
{
	return arena_printf(k->a, "%s.%s", config_path_join(k->a, "secrets.providers", k->provider), name);
}

static const char *expand_home(struct arena *a, const char *path)
{
	const char *home = getenv("HOME");

	return path && str_starts(path, "~/") && home ? arena_printf(a, "%s%s", home, path + 1) : path;
}

/* ---- env ---- */

static ch_status from_env(const struct lookup *k, struct secret **ret)
{
	const struct json *allowed = json_get(k->conf, "allowlist");
	const char *v;
	bool found = !allowed;

	if (!is_spelled(k->id, UPPER, UPPER DIGITS "_", 128))
		return ch_fail(k->err, CH_E_INVALID, "%s: '%s' is no name of a variable", k->path, k->id);
	json_each(it, allowed)
		found = found || str_eq(json_str(it), k->id);
	if (!found)
		return ch_fail(k->err, CH_E_DENIED, "%s: %s is not in the allowlist of provider %s", k->path,
			       k->id, k->provider);
	v = config_env(k->c, k->id);
	if (!v)
		return ch_fail(k->err, CH_E_NOT_FOUND, "%s: the environment variable %s is not set", k->path,
			       k->id);
	*ret = secret_new(v);
	return CH_OK;
}

/* ---- file ---- */

/* Opened first and judged by its descriptor, so that it cannot be exchanged in between. */
static ch_status open_private(const struct lookup *k, const char *file, int *ret_fd, size_t *ret_size)
{
	int fd = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int64_t max = config_int(k->c, setting(k, "maxBytes"), 1 << 20);
	const char *wrong = NULL;
	struct stat st;

	if (fd < 0)
		return ch_fail_errno(k->err, CH_E_NOT_FOUND, errno, "%s: %s", k->path, file);
	if (fstat(fd, &st))
		wrong = "cannot be examined";
	else if (!S_ISREG(st.st_mode))
		wrong = "is not a regular file";
	else if (st.st_uid != geteuid())
		wrong = "belongs to somebody else";
	else if (st.st_mode & 077)
		wrong = "can be read by others (chmod 600)";
	else if (st.st_nlink != 1)
		wrong = "has further hard links";
	else if (st.st_size > max)
		wrong = "is larger than its provider's maxBytes";
	if (wrong) {
		close(fd);
		return ch_fail(k->err, CH_E_DENIED, "%s: %s %s", k->path, file, wrong);
	}
	*ret_fd = fd;
	*ret_size = (size_t)st.st_size;
	return CH_OK;
}

/* Heap, wiped by the caller. */
static ch_status read_private(const struct lookup *k, const char *file, char **ret_text, size_t *ret_len)
{
	size_t size = 0, len = 0;
	char *text = NULL;
	ssize_t n;
	int fd = -1;
	ch_status st = open_private(k, file, &fd, &size);

	if (st)
		return st;
	text = ch_alloc(size + 1);
	while (len < size && (n = read(fd, text + len, size - len)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			break;
		len += (size_t)n;
	}
	close(fd);
	if (len < size) {
		ch_free_wipe(text, size + 1);
		return ch_fail(k->err, CH_E_IO, "%s: %s cannot be read", k->path, file);
	}
	*ret_text = text;
	*ret_len = len;
	return CH_OK;
}

/* RFC 6901; the tree is an object. */
static const struct json *pointer(const struct lookup *k, const struct json *v, const char *p)
{
	while (v && *p == '/') {
		size_t n = strcspn(p + 1, "/"), index;
		char *name = arena_strndup(k->a, p + 1, n), *out = name;

		for (const char *s = name; *s; s++) {
			bool tilde = s[0] == '~' && (s[1] == '0' || s[1] == '1');

			*out++ = tilde ? (s[1] == '1' ? '/' : '~') : *s;
			s += tilde;
		}
		*out = '\0';
		if (json_is(v, JSON_ARR))
			v = config_path_index(name, &index) ? json_at(v, index) : NULL;
		else
			v = json_get(v, name);
		p += n + 1;
	}
	return *p ? NULL : v;
}

static ch_status pick(const struct lookup *k, const char *file, char *text, size_t len, struct secret **ret)
{
	struct ch_err why = { 0 };
	struct json *tree;
	const char *v;

	if (str_eq(config_str(k->c, setting(k, "mode")), "singleValue")) {
		if (!str_eq(k->id, "value"))
			return ch_fail(k->err, CH_E_INVALID,
				       "%s: a file with one value needs the id \"value\"", k->path);
		if (len && text[len - 1] == '\n')
			text[--len] = '\0';
		if (len && text[len - 1] == '\r')
			text[--len] = '\0';
		v = text;
	} else {
		if (k->id[0] != '/')
			return ch_fail(k->err, CH_E_INVALID,
				       "%s: the id must be a JSON pointer as /providers/x", k->path);
		if (json_parse(k->a, text, len, JSON_STRICT, &tree, &why))
			return ch_fail(k->err, CH_E_INVALID, "%s: %s: %s", k->path, file, why.text);
		v = json_str(pointer(k, tree, k->id));
	}
	if (str_empty(v))
		return ch_fail(k->err, CH_E_NOT_FOUND, "%s: %s has no text at '%s'", k->path, file, k->id);
	*ret = secret_new(v);
	return CH_OK;
}

static ch_status from_file(const struct lookup *k, struct secret **ret)
{
	const char *file = expand_home(k->a, json_get_str(k->conf, "path"));
	char *text = NULL;
	size_t len = 0;
	ch_status st;

	if (!file || file[0] != '/')
		return ch_fail(k->err, CH_E_INVALID, "%s: provider %s needs an absolute path", k->path,
			       k->provider);
	st = read_private(k, file, &text, &len);
	if (st)
		return st;
	st = pick(k, file, text, len, ret);
	ch_free_wipe(text, len + 1);
	return st;
}

/* ---- exec ---- */

static bool is_exec_id(const char *id)
{
	if (!is_spelled(id, UPPER LOWER DIGITS, UPPER LOWER DIGITS "._:/#-", 256))
		return false;
	for (const char *p = id; *p; p += strcspn(p, "/"), p += *p == '/') {
		size_t n = strcspn(p, "/");

		if ((n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
	}
	return true;
}

static ch_status check_program(const struct lookup *k, const char *program)
{
	const struct json *dirs = json_get(k->conf, "trustedDirs");
	const char *wrong = NULL;
	bool trusted = !dirs;
	struct stat st;

	if (lstat(program, &st))
		return ch_fail_errno(k->err, CH_E_NOT_FOUND, errno, "%s: %s", k->path, program);
	json_each(it, dirs) {
		const char *dir = expand_home(k->a, json_str_or(it, ""));
		size_t n = strlen(dir);

		n -= n && dir[n - 1] == '/';
		trusted = trusted || (n && strncmp(program, dir, n) == 0 && program[n] == '/');
	}
	if (S_ISLNK(st.st_mode))
		wrong = "is a symbolic link (give the path it leads to)";
	else if (!S_ISREG(st.st_mode))
		wrong = "is not a program";
	else if (st.st_uid != geteuid() && st.st_uid != 0)
		wrong = "belongs to somebody else";
	else if (st.st_mode & 022)
		wrong = "can be changed by others (chmod go-w)";
	else if (!trusted || strstr(program, "/../"))
		wrong = "is not in one of the provider's trustedDirs";
	return wrong ? ch_fail(k->err, CH_E_DENIED, "%s: %s %s", k->path, program, wrong) : CH_OK;
}

static ch_status list_args(const struct lookup *k, const char *program, const char **ret_argv)
{
	const char *const *args = config_list(k->c, setting(k, "args"));
	size_t n = 0;

	ret_argv[n++] = program;
	for (; *args; args++) {
		if (n == ARGS_MAX)
			return ch_fail(k->err, CH_E_LIMIT, "%s: provider %s has too many arguments", k->path,
				       k->provider);
		ret_argv[n++] = *args;
	}
	ret_argv[n] = NULL;
	return CH_OK;
}

static ch_status list_env(const struct lookup *k, const char **ret_env)
{
	const char *const *pass = config_list(k->c, setting(k, "passEnv"));
	bool has_path = false;
	size_t n = 0;

	for (; *pass && n < ENV_MAX; pass++) {
		const char *v = getenv(*pass);

		has_path = has_path || (v && str_eq(*pass, "PATH"));
		if (v)
			ret_env[n++] = arena_printf(k->a, "%s=%s", *pass, v);
	}
	json_each(it, json_get(k->conf, "env")) {
		if (n == ENV_MAX)
			break;
		has_path = has_path || str_eq(it->key, "PATH");
		ret_env[n++] = arena_printf(k->a, "%s=%s", it->key, json_str_or(it, ""));
	}
	if (n == ENV_MAX)
		return ch_fail(k->err, CH_E_LIMIT, "%s: provider %s has too many variables", k->path,
			       k->provider);
	if (!has_path)
		ret_env[n++] = "PATH=/usr/bin:/bin";
	ret_env[n] = NULL;
	return CH_OK;
}

static ch_status read_answer(const struct lookup *k, const struct proc_result *r, struct secret **ret)
{
	const char *text = buf_str(&r->out), *v, *code;
	struct json *tree;

	if (r->exit_code || r->truncated)
		return ch_fail(k->err, CH_E_PEER, "%s: the program of provider %s %s", k->path, k->provider,
			       r->truncated ? "answered more than maxOutputBytes" : "failed");
	if (json_parse(k->a, text, r->out.len, JSON_STRICT, &tree, NULL) || !json_is(tree, JSON_OBJ)) {
		size_t n = strcspn(text, "\r\n");

		if (config_bool(k->c, setting(k, "jsonOnly"), true) || n == 0 || strlen(text) != r->out.len)
			return ch_fail(k->err, CH_E_PEER, "%s: the answer of provider %s is not JSON",
				       k->path, k->provider);
		*ret = secret_new(arena_strndup(k->a, text, n));
		return CH_OK;
	}
	v = json_get_str(json_get(tree, "values"), k->id);
	/* Only codes that are known are shown: anything else might hold the credential. */
	code = json_get_str(json_get(json_get(tree, "errors"), k->id), "code");
	if (str_empty(v))
		return ch_fail(k->err, CH_E_NOT_FOUND, "%s: provider %s has no value for '%s'%s", k->path,
			       k->provider, k->id,
			       str_eq(code, "AMBIGUOUS_DUPLICATE_KEY") ? " (more than one match)" : "");
	*ret = secret_new(v);
	return CH_OK;
}

static CH_FIBER ch_status run_program(const struct lookup *k, const char *program, struct secret **ret)
{
	const char *argv[ARGS_MAX + 2], *env[ENV_MAX + 2];
	struct json *ask = json_new_obj(k->a), *ids = json_new_arr(k->a);
	struct proc_spec spec = { .argv = argv, .env = env };
	struct proc_result result = { 0 };
	ch_status st = list_args(k, program, argv);

	if (!st)
		st = list_env(k, env);
	if (st)
		return st;
	json_push(ids, json_new_str(k->a, k->id));
	json_set(k->a, ask, "protocolVersion", json_new_int(k->a, 1));
	json_set(k->a, ask, "provider", json_new_str(k->a, k->provider));
	json_set(k->a, ask, "ids", ids);
	spec.input = json_to_str(k->a, ask);
	spec.input_len = strlen(spec.input);
	spec.out_max_bytes = (size_t)config_int(k->c, setting(k, "maxOutputBytes"), 1 << 20);
	spec.deadline_ms = fiber_deadline(config_int(k->c, setting(k, "timeoutMs"), 5000));
	st = proc_run(&spec, &result, k->err);
	st = st ? ch_wrap(k->err, "%s: provider %s", k->path, k->provider) : read_answer(k, &result, ret);
	if (result.out.data)
		explicit_bzero(result.out.data, result.out.len);
	proc_result_done(&result);
	return st;
}

static CH_FIBER ch_status from_exec(const struct lookup *k, struct secret **ret)
{
	const char *program = expand_home(k->a, json_get_str(k->conf, "command"));
	ch_status st;

	if (!is_exec_id(k->id))
		return ch_fail(k->err, CH_E_INVALID, "%s: '%s' is no id for a program", k->path, k->id);
	if (!program || program[0] != '/')
		return ch_fail(k->err, CH_E_INVALID, "%s: provider %s needs an absolute command", k->path,
			       k->provider);
	st = check_program(k, program);
	return st ? st : run_program(k, program, ret);
}

/* ---- store ---- */

static ch_status from_store(const struct lookup *k, struct secret **ret)
{
	const struct config_secrets *s = k->c->secrets;
	ch_status st;

	if (!s)
		return ch_fail(k->err, CH_E_ABSENT, "%s: the secret store cannot be read here", k->path);
	st = s->get(s->arg, k->id, ret, k->err);
	return st ? ch_wrap(k->err, "%s", k->path) : CH_OK;
}

void config_set_secrets(struct config *c, const struct config_secrets *s)
{
	c->secrets = s;
}

/* ---- which ---- */

static CH_FIBER ch_status from_reference(struct lookup *k, const struct json *ref, struct secret **ret)
{
	const char *of_source;

	k->source = json_get_str(ref, "source");
	k->id = json_get_str(ref, "id");
	k->provider = json_get_str(ref, "provider");
	if (!k->source || str_empty(k->id))
		return ch_fail(k->err, CH_E_INVALID, "%s: a reference needs source and id", k->path);
	of_source = config_str(k->c, config_path_join(k->a, "secrets.defaults", k->source));
	if (!k->provider)
		k->provider = of_source ? of_source : "default";
	if (!is_spelled(k->provider, LOWER, LOWER DIGITS "_-", 64))
		return ch_fail(k->err, CH_E_INVALID, "%s: '%s' is no name of a provider", k->path,
			       k->provider);
	k->conf = config_get(k->c, config_path_join(k->a, "secrets.providers", k->provider));
	if (k->conf && !str_eq(json_get_str(k->conf, "source"), k->source))
		k->conf = NULL;
	if (str_eq(k->source, "env") &&
	    (k->conf || str_eq(k->provider, "default") || str_eq(k->provider, of_source)))
		return from_env(k, ret);
	if (str_eq(k->source, "store") &&
	    (k->conf || str_eq(k->provider, "default") || str_eq(k->provider, of_source)))
		return from_store(k, ret);
	if (!k->conf)
		return ch_fail(k->err, CH_E_INVALID, "%s: secrets.providers has no %s provider '%s'", k->path,
			       k->source, k->provider);
	if (str_eq(k->source, "file"))
		return from_file(k, ret);
	if (str_eq(k->source, "exec"))
		return from_exec(k, ret);
	return ch_fail(k->err, CH_E_UNSUPPORTED, "%s: source '%s' is not supported", k->path, k->source);
}

CH_FIBER ch_status config_secret(const struct config *c, const char *path, struct secret **ret,
				 struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(config_unref) struct config *held = config_ref((struct config *)c);
	struct lookup k = {
		.c = held, .path = path, .provider = "default", .source = "env", .a = a, .err = err
	};
	const struct json *v = config_get(c, path);
	const char *text = json_str(v);

	if (json_is(v, JSON_OBJ))
		return from_reference(&k, v, ret);
	if (str_empty(text))
		return ch_fail(err, CH_E_NOT_FOUND, "%s is not set", path);
	if (text[0] == '$' && is_spelled(text + 1, UPPER, UPPER DIGITS "_", 128)) {
		k.id = text + 1;
		return from_env(&k, ret);
	}
	*ret = secret_new(text);
	return CH_OK;
}
