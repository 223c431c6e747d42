/*
 * config/include.c - {$include: "file"} and {$include: ["a", "b"]}.
 *
 * The object that holds $include becomes the file's value; several files are
 * merged in order, and the object's other keys go on top. Merging joins
 * objects member by member and lists end to end; else the later value wins.
 *
 * Files are named relative to the one that includes them. The kernel keeps
 * them below the directory of the main file (openat2, RESOLVE_BENEATH): "..",
 * absolute names and symbolic links work only when they stay inside.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "config/snapshot.h"
#include "core/mem.h"
#include "core/str.h"

struct including {
	struct config *c;
	const char *base_dir;
	int base_fd;
	int depth;                       /* files that are open around this value */
	int files;                       /* read so far */
	struct { dev_t dev; ino_t ino; } open_file[CONFIG_INCLUDE_DEPTH];
	const char *dir;                 /* of the current file, relative to base_dir, "" for itself */
	struct ch_err *err;
};

static ch_status expand(struct including *in, const struct json *v, int depth, struct json **ret);

/* ---- merging ---- */

static struct json *merge(struct arena *a, const struct json *low, const struct json *high)
{
	struct json *out;

	if (json_is(low, JSON_ARR) && json_is(high, JSON_ARR)) {
		out = json_clone(a, low);
		json_each(it, high)
			json_push(out, json_clone(a, it));
		return out;
	}
	if (!json_is(low, JSON_OBJ) || !json_is(high, JSON_OBJ))
		return json_clone(a, high);
	out = json_clone(a, low);
	json_each(it, high) {
		const struct json *below = json_get(out, it->key);

		json_set(a, out, it->key, below ? merge(a, below, it) : json_clone(a, it));
	}
	return out;
}

/* ---- one file ---- */

/* The name relative to base_dir: beside the current file, or absolute with base_dir in front. */
static const char *relative_name(struct including *in, const char *name)
{
	size_t n = strlen(in->base_dir);

	if (name[0] != '/')
		return arena_printf(in->c->arena, "%s%s%s", in->dir, *in->dir ? "/" : "", name);
	if (strncmp(name, in->base_dir, n) == 0 && name[n] == '/')
		return name + n + 1;
	return NULL;
}

static int open_beneath(int dir_fd, const char *name)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	return (int)syscall(SYS_openat2, dir_fd, name, &how, sizeof(how));
}

static ch_status read_fd(int fd, off_t size, struct buf *out)
{
	ssize_t n;

	if (!buf_reserve(out, (size_t)size))
		return CH_E_LIMIT;
	do {
		char piece[2048];

		n = read(fd, piece, sizeof(piece));
		if (n > 0)
			buf_append(out, piece, (size_t)n);
	} while (n > 0 || (n < 0 && errno == EINTR));
	return n < 0 ? CH_E_IO : out->failed;
}

static ch_status open_include(struct including *in, const char *name, int *ret_fd, struct stat *ret_st)
{
	const char *rel = relative_name(in, name);
	int fd = rel ? open_beneath(in->base_fd, rel) : -1;

	if (!rel || (fd < 0 && (errno == EXDEV || errno == ELOOP)))
		return ch_fail(in->err, CH_E_DENIED, "$include \"%s\" leaves the directory %s", name,
			       in->base_dir);
	if (fd < 0)
		return ch_fail_errno(in->err, CH_E_INVALID, errno, "$include \"%s\"", name);
	if (fstat(fd, ret_st) || !S_ISREG(ret_st->st_mode)) {
		close(fd);
		return ch_fail(in->err, CH_E_INVALID, "$include \"%s\" is not a regular file", name);
	}
	for (int i = 0; i < in->depth; i++) {
		if (in->open_file[i].dev == ret_st->st_dev && in->open_file[i].ino == ret_st->st_ino) {
			close(fd);
			return ch_fail(in->err, CH_E_INVALID, "$include \"%s\" includes itself", name);
		}
	}
	*ret_fd = fd;
	return CH_OK;
}

/* Parses the text of an included file and expands what it includes. */
static ch_status expand_file(struct including *in, const char *name, const struct buf *text, int depth,
			     struct json **ret)
{
	const char *outer = in->dir, *rel = relative_name(in, name), *slash = strrchr(rel, '/');
	struct json *v = NULL;
	ch_status st = config_parse_file(in->c, buf_str(text), text->len, &v, in->err);

	if (st)
		return ch_wrap(in->err, "%s", name);
	vec_push(&in->c->includes, arena_printf(in->c->arena, "%s/%s", in->base_dir, rel));
	in->dir = slash ? arena_strndup(in->c->arena, rel, (size_t)(slash - rel)) : "";
	in->depth++;
	st = expand(in, v, depth, ret);
	in->depth--;
	in->dir = outer;
	return st ? ch_wrap(in->err, "%s", name) : CH_OK;
}

static ch_status include_file(struct including *in, const struct json *name, int depth, struct json **ret)
{
	CH_AUTO_BUF struct buf text = { 0 };
	struct stat st_file = { 0 };
	ch_status st;
	int fd = -1;

	buf_init(&text, CONFIG_FILE_MAX);
	if (!json_is(name, JSON_STR) || strlen(name->str) != name->len || !name->len)
		return ch_fail(in->err, CH_E_INVALID, "$include: expected a file name or a list of them");
	if (in->depth == CONFIG_INCLUDE_DEPTH)
		return ch_fail(in->err, CH_E_LIMIT, "$include \"%s\": more than %d files deep", name->str,
			       CONFIG_INCLUDE_DEPTH);
	if (in->files++ == CONFIG_INCLUDE_FILES_MAX)
		return ch_fail(in->err, CH_E_LIMIT, "$include: more than %d files", CONFIG_INCLUDE_FILES_MAX);
	st = open_include(in, name->str, &fd, &st_file);
	if (st)
		return st;
	in->open_file[in->depth].dev = st_file.st_dev;
	in->open_file[in->depth].ino = st_file.st_ino;
	st = read_fd(fd, st_file.st_size, &text);
	close(fd);
	if (st == CH_E_LIMIT)
		return ch_fail(in->err, st, "$include \"%s\": larger than %u bytes", name->str,
			       CONFIG_FILE_MAX);
	if (st)
		return ch_fail(in->err, st, "$include \"%s\": cannot be read", name->str);
	return expand_file(in, name->str, &text, depth, ret);
}

/* ---- the tree ---- */

static ch_status include_all(struct including *in, const struct json *names, int depth, struct json **ret)
{
	struct json *all = NULL, *one = NULL;
	ch_status st;

	if (!in->base_dir)
		return ch_fail(in->err, CH_E_DENIED, "$include works only in a configuration file");
	if (!json_is(names, JSON_ARR))
		return include_file(in, names, depth, ret);
	json_each(it, names) {
		st = include_file(in, it, depth, &one);
		if (st)
			return st;
		if (!json_is(one, JSON_OBJ))
			return ch_fail(in->err, CH_E_INVALID,
				       "$include \"%s\": a file in a list must hold an object", it->str);
		all = all ? merge(in->c->arena, all, one) : one;
	}
	*ret = all ? all : json_new_obj(in->c->arena);
	return CH_OK;
}

static ch_status expand_members(struct including *in, const struct json *v, int depth, struct json *out)
{
	struct json *child = NULL;
	ch_status st;

	json_each(it, v) {
		if (v->type == JSON_OBJ && str_eq(it->key, "$include"))
			continue;
		st = expand(in, it, depth + 1, &child);
		if (st)
			return st;
		if (v->type == JSON_OBJ)
			json_set(in->c->arena, out, it->key, child);
		else
			json_push(out, child);
	}
	return CH_OK;
}

/* A copy of v with every $include below it replaced. */
static ch_status expand(struct including *in, const struct json *v, int depth, struct json **ret)
{
	struct arena *a = in->c->arena;
	const struct json *names = json_get(v, "$include");
	struct json *included = NULL, *rest;
	ch_status st;

	if (depth > JSON_DEPTH_MAX)
		return ch_fail(in->err, CH_E_LIMIT, "nested deeper than %d levels with what is included",
			       JSON_DEPTH_MAX);
	if (!json_is(v, JSON_OBJ) && !json_is(v, JSON_ARR)) {
		*ret = json_clone(a, v);
		return CH_OK;
	}
	rest = json_is(v, JSON_OBJ) ? json_new_obj(a) : json_new_arr(a);
	st = expand_members(in, v, depth, rest);
	if (st || !names) {
		*ret = rest;
		return st;
	}
	st = include_all(in, names, depth, &included);
	if (st)
		return st;
	if (json_len(rest) && !json_is(included, JSON_OBJ))
		return ch_fail(in->err, CH_E_INVALID,
			       "$include with other keys beside it needs files that hold objects");
	*ret = json_len(rest) ? merge(a, included, rest) : included;
	return CH_OK;
}

/* Any $include at all? Most files have none and keep their tree. */
static bool has_include(const struct json *v)
{
	if (json_get(v, "$include"))
		return true;
	json_each(it, v)
		if (has_include(it))
			return true;
	return false;
}

ch_status config_include(struct config *c, const char *base_dir, struct ch_err *err)
{
	struct including in = { .c = c, .base_dir = base_dir, .base_fd = -1, .dir = "", .err = err };
	ch_status st;

	c->merged = c->source;
	if (!has_include(c->source))
		return CH_OK;
	if (base_dir) {
		/* A path descriptor for openat2(); the kernel resolves every include below it. */
		in.base_fd = open(base_dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
		if (in.base_fd < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "%s", base_dir);
	}
	st = expand(&in, c->source, 0, &c->merged);
	if (in.base_fd >= 0)
		close(in.base_fd);
	if (!st && !json_is(c->merged, JSON_OBJ))
		return ch_fail(err, CH_E_INVALID, "$include: the configuration is not an object");
	return st;
}
