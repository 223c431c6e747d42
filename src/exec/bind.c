/*
 * exec/bind.c - see bind.h.
 *
 * Everything that is bound stands in one JSON value, whose SHA-256 is the binding's hash: a field that is not in it is
 * not bound, and after a restart that value is all there is.
 */
#include "exec/bind.h"

#include <errno.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/child.h"
#include "core/mem.h"
#include "core/str.h"
#include "exec/runner.h"
#include "exec/sandbox.h"

#define FILES_MAX (CMD_SEGMENTS_MAX * 4)
#define BINDING_VERSION 1
#define NS_PER_S 1000000000LL

enum file_kind { FILE_PROGRAM, FILE_SCRIPT };

struct bound_file {
	const char *name;                /* what is looked up again */
	enum file_kind kind;
	bool is_missing;
	bool is_protected, is_script;
	struct exec_file file;
	char sha256[2 * SHA256_LEN + 1]; /* "" when protected or too large */
	int run_fd;                      /* the sealed copy; -1: none yet */
};

struct bound_step {
	const char **argv;
	enum cmd_join join;
	size_t file;
};

struct exec_bound {
	unsigned refs;
	struct arena *arena;
	const char *command, *cwd, *shell, *path_env;
	const char **env, **secret_env;
	bool is_literal;
	int dir_fd;
	struct stat dir;
	struct bound_file *files;
	size_t file_count;
	struct bound_step steps[CMD_SEGMENTS_MAX];
	size_t step_count;
	char hash[2 * SHA256_LEN + 1];
	int plan_fd;
};

/* ---- life ---- */

static struct exec_bound *bound_new(void)
{
	struct exec_bound *b = ch_alloc(sizeof(*b));

	b->refs = 1;
	b->arena = arena_new(0);
	b->files = ch_calloc(FILES_MAX, sizeof(*b->files));
	b->dir_fd = b->plan_fd = -1;
	return b;
}

struct exec_bound *exec_bound_ref(struct exec_bound *b)
{
	b->refs++;
	return b;
}

void exec_bound_unref(struct exec_bound *b)
{
	if (!b || --b->refs)
		return;
	for (size_t i = 0; i < b->file_count; i++) {
		exec_file_done(&b->files[i].file);
		exec_fd_close(&b->files[i].run_fd);
	}
	exec_fd_close(&b->dir_fd);
	exec_fd_close(&b->plan_fd);
	ch_free(b->files);
	arena_unref(b->arena);
	ch_free(b);
}

const char *exec_bound_hash(const struct exec_bound *b)
{
	return b->hash;
}

const char *exec_bound_cwd(const struct exec_bound *b)
{
	return b->cwd;
}

bool exec_bound_program(const struct exec_bound *b, const char *name, struct exec_file *ret_file, const char **ret_sha256)
{
	for (size_t i = 0; i < b->file_count; i++) {
		const struct bound_file *f = &b->files[i];

		if (f->kind == FILE_PROGRAM && !f->is_missing && str_eq(f->name, name)) {
			*ret_file = f->file;
			*ret_sha256 = f->sha256;
			return true;
		}
	}
	return false;
}

/* ---- the directory ---- */

/* No link anywhere in it: what was shown is where it runs (CVE-2026-27545). */
static ch_status open_dir(const char *path, int *ret_fd, struct stat *ret_st, struct ch_err *err)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS };
	CH_AUTO_DONE(exec_fd_close) int fd = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof(how));
	struct stat st;

	if (*path != '/')
		return ch_fail(err, CH_E_INVALID, "the directory '%s' is not absolute", path);
	if (fd < 0 && errno == ELOOP)
		return ch_fail(err, CH_E_DENIED, "the directory '%s' goes through a symbolic link", path);
	if (fd < 0)
		return ch_fail_errno(err, CH_E_NOT_FOUND, errno, "the directory '%s'", path);
	if (fstat(fd, &st) < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "the directory '%s'", path);
	*ret_st = st;
	*ret_fd = exec_fd_take(&fd);
	return CH_OK;
}

static bool same_dir(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

/* ---- the environment ---- */

static ch_status copy_env(struct exec_bound *b, const char *const *env, struct ch_err *err)
{
	size_t n = 0;

	while (env[n])
		n++;
	b->env = arena_alloc(b->arena, (n + 1) * sizeof(*b->env));
	for (size_t i = 0; i < n; i++) {
		const char *why = sandbox_env_refusal(b->arena, env[i]);

		if (why)
			return ch_fail(err, CH_E_DENIED, "%s", why);
		b->env[i] = arena_strdup(b->arena, env[i]);
		if (str_starts(env[i], "PATH="))
			b->path_env = b->env[i] + strlen("PATH=");
	}
	return CH_OK;
}

static void copy_secret_names(struct exec_bound *b, const char *const *names)
{
	size_t n = 0;

	while (names && names[n])
		n++;
	b->secret_env = arena_alloc(b->arena, (n + 1) * sizeof(*b->secret_env));
	for (size_t i = 0; i < n; i++)
		b->secret_env[i] = arena_strdup(b->arena, names[i]);
}

static bool is_secret(const struct exec_bound *b, const char *entry)
{
	size_t n = strcspn(entry, "=");

	for (const char **name = b->secret_env; *name; name++)
		if (strlen(*name) == n && memcmp(*name, entry, n) == 0)
			return true;
	return false;
}

/* ---- files ---- */

static ch_status look_up(struct exec_bound *b, const char *name, enum file_kind kind, struct exec_file *ret, struct ch_err *err)
{
	if (kind == FILE_SCRIPT)
		return exec_file_open(b->arena, name, b->dir_fd, b->cwd, ret, err);
	return exec_resolve(b->arena, name, b->path_env, b->dir_fd, b->cwd, ret, err);
}

/* Opens what is to be bound; *ret_i is its number. A file that is there already is not opened twice. */
static ch_status add_file(struct exec_bound *b, const char *name, enum file_kind kind, size_t *ret_i, struct ch_err *err)
{
	struct bound_file *f;
	ch_status st;

	for (size_t i = 0; i < b->file_count; i++)
		if (b->files[i].kind == kind && str_eq(b->files[i].name, name)) {
			*ret_i = i;
			return CH_OK;
		}
	if (b->file_count == FILES_MAX)
		return ch_fail(err, CH_E_LIMIT, "the command names more than %d files", FILES_MAX);
	f = &b->files[b->file_count];
	*f = (struct bound_file){ .name = arena_strdup(b->arena, name), .kind = kind, .file = EXEC_FILE_NONE, .run_fd = -1 };
	*ret_i = b->file_count++;
	st = look_up(b, name, kind, &f->file, err);
	if (st) {
		f->is_missing = true;
		return CH_OK;
	}
	f->is_protected = exec_file_is_protected(&f->file);
	f->is_script = exec_file_is_script(&f->file);
	if (f->is_protected)
		return CH_OK;
	st = exec_file_seal(&f->file, NULL, f->sha256, err);
	return st == CH_E_LIMIT ? CH_OK : st;
}

/* The first argument that names a file: what an interpreter runs, unless it is told otherwise. */
static ch_status add_script(struct exec_bound *b, const struct cmd_exec *e, struct ch_err *err)
{
	struct stat st;
	size_t i;

	for (size_t k = 1; k < e->argc; k++)
		if (e->argv[k][0] != '-' && e->argv[k][0] && fstatat(b->dir_fd, e->argv[k], &st, 0) == 0 && S_ISREG(st.st_mode))
			return add_file(b, e->argv[k], FILE_SCRIPT, &i, err);
	return CH_OK;
}

/* ---- what runs ---- */

/* Words of the outermost program; the names of what wrappers run become absolute, so that PATH is not asked again. */
static ch_status add_step(struct exec_bound *b, const struct cmd_segment *seg, struct ch_err *err)
{
	struct bound_step *s = &b->steps[b->step_count++];
	const struct cmd_exec *outer = &seg->chain[0];
	size_t file = 0;
	ch_status st;

	s->join = seg->join;
	s->argv = arena_alloc(b->arena, (outer->argc + 1) * sizeof(*s->argv));
	for (size_t i = 0; i < outer->argc; i++)
		s->argv[i] = arena_strdup(b->arena, outer->argv[i]);
	for (size_t k = seg->chain_len; k-- > 0;) {
		st = add_file(b, seg->chain[k].argv[0], FILE_PROGRAM, &file, err);
		if (st)
			return st;
		if (k && !b->files[file].is_missing)
			s->argv[seg->chain[k].argv - outer->argv] = b->files[file].file.path;
	}
	s->file = file;
	if (seg->traits & CMD_T_INTERPRETER)
		return add_script(b, &seg->chain[seg->chain_len - 1], err);
	return CH_OK;
}

/* The shell with the exact text; what is known of the programs in it is compared, though the shell looks them up itself. */
static ch_status add_shell(struct exec_bound *b, const struct cmd_plan *plan, struct ch_err *err)
{
	struct bound_step *s = &b->steps[b->step_count++];
	size_t file;
	ch_status st;

	st = add_file(b, b->shell, FILE_PROGRAM, &s->file, err);
	if (st)
		return st;
	if (*b->shell != '/' || b->files[s->file].is_missing)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no shell '%s'", b->shell);
	s->argv = arena_alloc(b->arena, 5 * sizeof(*s->argv));
	s->argv[0] = b->shell;
	s->argv[1] = "-c";
	s->argv[2] = "--"; /* a text that begins with - or + is a command, no option */
	s->argv[3] = b->command;
	for (size_t i = 0; i < plan->count; i++) {
		const struct cmd_segment *seg = &plan->segments[i];

		for (size_t k = 0; k < seg->seen_len; k++) {
			st = add_file(b, seg->seen[k].argv[0], FILE_PROGRAM, &file, err);
			if (!st && k + 1 == seg->seen_len && seg->traits & CMD_T_INTERPRETER)
				st = add_script(b, &seg->seen[k], err);
			if (st)
				return st;
		}
	}
	return CH_OK;
}

/* ---- as JSON ---- */

static struct json *file_json(const struct bound_file *f, struct arena *a)
{
	struct json *o = json_new_obj(a);
	const struct stat *st = &f->file.st;

	json_set(a, o, "name", json_new_str(a, f->name));
	json_set(a, o, "kind", json_new_str(a, f->kind == FILE_SCRIPT ? "script" : "program"));
	if (f->is_missing)
		return o;
	json_set(a, o, "path", json_new_str(a, f->file.path));
	json_set(a, o, "realPath", json_new_str(a, f->file.real));
	json_set(a, o, "device", json_new_int(a, (int64_t)st->st_dev));
	json_set(a, o, "inode", json_new_int(a, (int64_t)st->st_ino));
	json_set(a, o, "size", json_new_int(a, st->st_size));
	json_set(a, o, "changed", json_new_int(a, st->st_ctim.tv_sec * NS_PER_S + st->st_ctim.tv_nsec));
	if (*f->sha256)
		json_set(a, o, "sha256", json_new_str(a, f->sha256));
	return o;
}

static struct json *strings_json(const char *const *list, struct arena *a)
{
	struct json *arr = json_new_arr(a);

	for (; *list; list++)
		json_push(arr, json_new_str(a, *list));
	return arr;
}

/* Values that are secret are represented by their hash: they are bound, and cannot be read here. */
static struct json *env_json(const struct exec_bound *b, struct arena *a)
{
	struct json *arr = json_new_arr(a), *hidden;
	char digest[2 * SHA256_LEN + 1];

	for (const char **e = b->env; *e; e++) {
		if (!is_secret(b, *e)) {
			json_push(arr, json_new_str(a, *e));
			continue;
		}
		hidden = json_new_obj(a);
		sha256_hex(*e, strlen(*e), digest);
		json_set(a, hidden, "name", json_new_strn(a, *e, strcspn(*e, "=")));
		json_set(a, hidden, "sha256", json_new_str(a, digest));
		json_push(arr, hidden);
	}
	return arr;
}

struct json *exec_bound_json(const struct exec_bound *b, struct arena *a)
{
	struct json *o = json_new_obj(a), *dir = json_new_obj(a), *steps = json_new_arr(a), *files = json_new_arr(a);

	json_set(a, o, "version", json_new_int(a, BINDING_VERSION));
	json_set(a, o, "command", json_new_str(a, b->command));
	json_set(a, dir, "path", json_new_str(a, b->cwd));
	json_set(a, dir, "device", json_new_int(a, (int64_t)b->dir.st_dev));
	json_set(a, dir, "inode", json_new_int(a, (int64_t)b->dir.st_ino));
	json_set(a, o, "cwd", dir);
	json_set(a, o, "env", env_json(b, a));
	json_set(a, o, "shell", json_new_str(a, b->shell));
	json_set(a, o, "isLiteral", json_new_bool(a, b->is_literal));
	for (size_t i = 0; i < b->step_count; i++) {
		struct json *s = json_new_obj(a);

		json_set(a, s, "argv", strings_json((const char *const *)b->steps[i].argv, a));
		json_set(a, s, "join", json_new_int(a, b->steps[i].join));
		json_set(a, s, "file", json_new_int(a, (int64_t)b->steps[i].file));
		json_push(steps, s);
	}
	json_set(a, o, "steps", steps);
	for (size_t i = 0; i < b->file_count; i++)
		json_push(files, file_json(&b->files[i], a));
	json_set(a, o, "files", files);
	return o;
}

static void set_hash(struct exec_bound *b)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text = json_to_str(a, exec_bound_json(b, a));

	sha256_hex(text, strlen(text), b->hash);
}

/* ---- binding ---- */

ch_status exec_bind(const struct exec_want *want, struct exec_bound **ret, struct ch_err *err)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound_new();
	ch_status st;

	b->command = arena_strdup(b->arena, want->command);
	b->cwd = arena_strdup(b->arena, want->cwd);
	b->shell = arena_strdup(b->arena, want->shell);
	b->is_literal = want->plan->is_literal;
	copy_secret_names(b, want->secret_env);
	st = copy_env(b, want->env, err);
	if (!st)
		st = open_dir(b->cwd, &b->dir_fd, &b->dir, err);
	if (st)
		return st;
	if (!b->is_literal)
		st = add_shell(b, want->plan, err);
	for (size_t i = 0; !st && b->is_literal && i < want->plan->count; i++)
		st = add_step(b, &want->plan->segments[i], err);
	if (st)
		return st;
	set_hash(b);
	*ret = CH_TAKE(b);
	return CH_OK;
}

/* ---- after a restart ---- */

static ch_status read_env(struct exec_bound *b, const struct json *list, struct ch_err *err)
{
	const char **env = arena_alloc(b->arena, (json_len(list) + 1) * sizeof(*env));
	size_t n = 0;

	json_each(it, list) {
		if (!json_str(it))
			return ch_fail(err, CH_E_DENIED, "its environment held the secret '%s', which was not kept; ask again",
				       json_str_or(json_get(it, "name"), ""));
		env[n++] = json_str(it);
	}
	return copy_env(b, env, err);
}

static ch_status read_steps(struct exec_bound *b, const struct json *list, size_t file_count, struct ch_err *err)
{
	json_each(it, list) {
		const struct json *words = json_get(it, "argv");
		int64_t file = json_get_int(it, "file", -1), join = json_get_int(it, "join", -1);
		struct bound_step *s;
		size_t n = 0;

		if (b->step_count == CMD_SEGMENTS_MAX || !json_len(words) || file < 0 || (size_t)file >= file_count || join < CMD_END ||
		    join > CMD_SEQ)
			return ch_fail(err, CH_E_DENIED, "the stored command cannot be read");
		s = &b->steps[b->step_count++];
		s->join = (enum cmd_join)join;
		s->file = (size_t)file;
		s->argv = arena_alloc(b->arena, (json_len(words) + 1) * sizeof(*s->argv));
		json_each(w, words)
			s->argv[n++] = arena_strdup(b->arena, json_str_or(w, ""));
	}
	return b->step_count ? CH_OK : ch_fail(err, CH_E_DENIED, "the stored command cannot be read");
}

/* Opens again what was bound and compares it with what is written. */
static ch_status read_files(struct exec_bound *b, const struct json *list, struct ch_err *err)
{
	json_each(it, list) {
		const char *name = json_str_or(json_get(it, "name"), "");
		enum file_kind kind = str_eq(json_get_str(it, "kind"), "script") ? FILE_SCRIPT : FILE_PROGRAM;
		size_t i = b->file_count, at;
		ch_status st = add_file(b, name, kind, &at, err);

		if (st || at != i)
			return ch_fail(err, CH_E_DENIED, "'%s' cannot be bound again", name);
		if (!json_equal(it, file_json(&b->files[i], b->arena)))
			return ch_fail(err, CH_E_DENIED, "'%s' is not the file any more that was shown", name);
	}
	return CH_OK;
}

static ch_status read_dir(struct exec_bound *b, const struct json *dir, struct ch_err *err)
{
	ch_status st;

	b->cwd = arena_strdup(b->arena, json_str_or(json_get(dir, "path"), ""));
	st = open_dir(b->cwd, &b->dir_fd, &b->dir, err);
	if (st)
		return ch_fail(err, CH_E_DENIED, "the directory '%s' is not there any more", b->cwd);
	if (json_get_int(dir, "device", -1) != (int64_t)b->dir.st_dev || json_get_int(dir, "inode", -1) != (int64_t)b->dir.st_ino)
		return ch_fail(err, CH_E_DENIED, "the directory '%s' is not the one any more that was shown", b->cwd);
	return CH_OK;
}

ch_status exec_bind_reopen(const struct json *binding, struct exec_bound **ret, struct ch_err *err)
{
	CH_AUTO(exec_bound_unref) struct exec_bound *b = bound_new();
	const struct json *files = json_get(binding, "files");
	ch_status st;

	if (json_get_int(binding, "version", 0) != BINDING_VERSION || !json_get_str(binding, "command"))
		return ch_fail(err, CH_E_DENIED, "the stored command cannot be read");
	b->command = arena_strdup(b->arena, json_get_str(binding, "command"));
	b->shell = arena_strdup(b->arena, json_str_or(json_get(binding, "shell"), ""));
	b->is_literal = json_get_bool(binding, "isLiteral", false);
	copy_secret_names(b, NULL);
	st = read_env(b, json_get(binding, "env"), err);
	if (!st)
		st = read_dir(b, json_get(binding, "cwd"), err);
	if (!st)
		st = read_files(b, files, err);
	if (!st)
		st = read_steps(b, json_get(binding, "steps"), json_len(files), err);
	if (st)
		return st;
	set_hash(b);
	*ret = CH_TAKE(b);
	return CH_OK;
}

/* ---- right before it runs ---- */

static bool same_file(const struct exec_file *a, const struct exec_file *b)
{
	return a->st.st_dev == b->st.st_dev && a->st.st_ino == b->st.st_ino && a->st.st_size == b->st.st_size &&
	       a->st.st_ctim.tv_sec == b->st.st_ctim.tv_sec && a->st.st_ctim.tv_nsec == b->st.st_ctim.tv_nsec;
}

/* The bytes are those that were hashed; the copy is kept for running. */
static ch_status check_bytes(struct bound_file *f, struct ch_err *err)
{
	char now[2 * SHA256_LEN + 1];
	ch_status st;

	if (!*f->sha256 || f->run_fd >= 0)
		return CH_OK;
	st = exec_file_seal(&f->file, &f->run_fd, now, err);
	if (st || !str_eq(now, f->sha256))
		return ch_fail(err, CH_E_DENIED, "'%s' has changed since it was shown", f->name);
	return CH_OK;
}

static ch_status check_file(const struct exec_bound *b, struct bound_file *f, struct ch_err *err)
{
	CH_AUTO_DONE(exec_file_done) struct exec_file now = EXEC_FILE_NONE;
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	ch_status st;

	if (f->kind == FILE_SCRIPT)
		st = exec_file_open(a, f->name, b->dir_fd, b->cwd, &now, NULL);
	else
		st = exec_resolve(a, f->name, b->path_env, b->dir_fd, b->cwd, &now, NULL);
	if (f->is_missing)
		return st ? CH_OK : ch_fail(err, CH_E_DENIED, "'%s' was not there when the command was shown, and is now", f->name);
	if (st)
		return ch_fail(err, CH_E_DENIED, "'%s' is not there any more", f->name);
	if (!same_file(&now, &f->file))
		return ch_fail(err, CH_E_DENIED, "'%s' is not the file any more that was shown", f->name);
	return check_bytes(f, err);
}

ch_status exec_bound_check(struct exec_bound *b, struct ch_err *err)
{
	CH_AUTO_DONE(exec_fd_close) int fd = -1;
	struct stat now;
	ch_status st;

	st = open_dir(b->cwd, &fd, &now, err);
	if (st)
		return ch_fail(err, CH_E_DENIED, "the directory '%s' is not there any more", b->cwd);
	if (!same_dir(&now, &b->dir))
		return ch_fail(err, CH_E_DENIED, "the directory '%s' is not the one any more that was shown", b->cwd);
	for (size_t i = 0; i < b->file_count && !st; i++)
		st = check_file(b, &b->files[i], err);
	return st;
}

/* ---- starting it ---- */

struct fd_list {
	int *fds;
	size_t count;
};

static void add_fd(struct fd_list *l, int fd)
{
	for (size_t i = 0; i < l->count; i++)
		if (l->fds[i] == fd)
			return;
	l->fds[l->count++] = fd;
}

/* A protected script is executed by its name, so that it finds what lies beside it; everything else by descriptor. */
static int fd_to_run(const struct bound_file *f)
{
	if (f->is_missing || (f->is_protected && f->is_script))
		return -1;
	return f->run_fd >= 0 ? f->run_fd : f->file.fd;
}

static void write_plan(const struct exec_bound *b, struct buf *out, struct fd_list *fds)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_karr(&w, "env");
	for (const char **e = b->env; *e; e++)
		jw_str(&w, *e);
	jw_end(&w);
	jw_karr(&w, "segments");
	for (size_t i = 0; i < b->step_count; i++) {
		const struct bound_file *f = &b->files[b->steps[i].file];

		jw_obj(&w);
		jw_karr(&w, "argv");
		for (const char **word = b->steps[i].argv; *word; word++)
			jw_str(&w, *word);
		jw_end(&w);
		jw_kint(&w, "join", b->steps[i].join);
		jw_kint(&w, "fd", fd_to_run(f));
		jw_kbool(&w, "script", f->is_script);
		if (!f->is_missing)
			jw_kstr(&w, "path", f->file.path);
		jw_end(&w);
		if (fd_to_run(f) >= 0)
			add_fd(fds, fd_to_run(f));
	}
	jw_end(&w);
	jw_end(&w);
}

void exec_bound_spec(struct exec_bound *b, struct arena *a, struct child_spec *ret)
{
	static const char *const no_env[] = { NULL };
	struct fd_list fds = { .fds = arena_alloc(a, (CMD_SEGMENTS_MAX + 1) * sizeof(int)) };
	const char **argv = arena_alloc(a, 4 * sizeof(*argv));
	CH_AUTO_BUF struct buf plan = { 0 };

	buf_init(&plan, 16u << 20);
	write_plan(b, &plan, &fds);
	exec_fd_close(&b->plan_fd);
	/* Without memory the runner gets no plan, says so and runs nothing. */
	b->plan_fd = exec_memory_file("plan", buf_str(&plan), plan.len);
	argv[0] = "/proc/self/exe";
	argv[1] = EXEC_RUNNER_WORD;
	argv[2] = arena_printf(a, "%d", b->plan_fd);
	if (b->plan_fd >= 0)
		add_fd(&fds, b->plan_fd);
	*ret = (struct child_spec){
		.argv = argv,
		.exe_fd = -1,
		.env = no_env,
		.cwd_fd = b->dir_fd,
		.fds = fds.fds,
		.fd_count = fds.count,
	};
}
