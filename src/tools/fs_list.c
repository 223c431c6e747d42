/*
 * tools/fs_list.c - list: names, types and sizes of a directory of the workspace.
 *
 * Links are named, never followed. Names are shown repaired: control bytes and
 * invalid UTF-8 must not draw a listing that is not there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"
#include "core/work.h"
#include "tools/fs_place.h"
#include "tools/table.h"

#define LIST_ENTRIES_MAX 1000            /* of one call */
#define LIST_DEPTH_MAX 5

struct entry {
	char *path;
	const char *type;
	int64_t size;                    /* of files */
};

struct job {
	int fd;                          /* the directory; the job closes it */
	const struct ws_guard *guard;
	int depth;
	VEC(struct entry) found;
	bool more;
	ch_status st;
	struct ch_err err;
};

static const char *type_name(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return "file";
	case S_IFDIR:
		return "directory";
	case S_IFLNK:
		return "link";
	default:
		return "special";
	}
}

static char *shown_name(const char *prefix, const char *name)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	size_t len;
	char *clean = utf8_repair(a, name, strlen(name), &len);

	for (char *p = clean; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			*p = '?';
	return ch_asprintf("%s%s%s", prefix, prefix[0] ? "/" : "", clean);
}

/* Named, but not looked into. */
static bool is_kept(const struct job *j, int fd)
{
	char real[2 * WS_PATH_MAX];

	return j->guard && (!wk_real_path(fd, real, sizeof(real)) || wk_is_guarded(j->guard, real));
}

static void list_dir(struct job *j, int fd, const char *prefix, int depth);

/* depth is at most LIST_DEPTH_MAX, so is the recursion. */
static void list_one(struct job *j, DIR *dir, const char *prefix, const char *name, int depth)
{
	struct entry e = { 0 };
	struct stat st;
	int fd;

	if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW))
		return;                  /* gone meanwhile */
	e.path = shown_name(prefix, name);
	e.type = type_name(st.st_mode);
	e.size = S_ISREG(st.st_mode) ? st.st_size : 0;
	vec_push(&j->found, e);
	if (!S_ISDIR(st.st_mode) || depth <= 1)
		return;
	fd = openat(dirfd(dir), name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0 && !is_kept(j, fd))
		list_dir(j, fd, e.path, depth - 1);
	else
		wk_close(&fd);
}

static void list_dir(struct job *j, int fd, const char *prefix, int depth)
{
	DIR *dir = fdopendir(fd);
	struct dirent *d;

	if (!dir) {
		close(fd);
		return;
	}
	while ((d = readdir(dir))) {
		if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		if (j->found.len >= LIST_ENTRIES_MAX) {
			j->more = true;
			break;
		}
		list_one(j, dir, prefix, d->d_name, depth);
	}
	closedir(dir);
}

static int by_path(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static void list_on_thread(void *arg)
{
	struct job *j = arg;

	list_dir(j, j->fd, "", j->depth);
	j->fd = -1;
	if (j->found.len)
		qsort(j->found.at, j->found.len, sizeof(j->found.at[0]), by_path);
}

static void tell(struct tool_ctx *ctx, const struct job *j, const char *rel, struct tool_result *ret)
{
	struct arena *a = ctx->arena;
	struct json *entries = json_new_arr(a);
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, LIST_ENTRIES_MAX * 4096ul);
	for (size_t i = 0; i < j->found.len; i++) {
		const struct entry *e = &j->found.at[i];
		struct json *o = json_new_obj(a);

		json_set(a, o, "name", json_new_str(a, e->path));
		json_set(a, o, "type", json_new_str(a, e->type));
		if (str_eq(e->type, "file")) {
			buf_printf(&out, "%s\tfile\t%" PRId64 " bytes\n", e->path, e->size);
			json_set(a, o, "size", json_new_int(a, e->size));
		} else {
			buf_printf(&out, "%s%s\t%s\n", e->path, str_eq(e->type, "directory") ? "/" : "", e->type);
		}
		json_push(entries, o);
	}
	if (!j->found.len)
		buf_printf(&out, "'%s' is empty.\n", rel);
	if (j->more)
		buf_printf(&out, "[only %d entries are shown; list a directory inside]\n", LIST_ENTRIES_MAX);
	tool_result_text(ctx, ret, buf_str(&out), out.len - 1);
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "entries", entries);
}

static CH_FIBER ch_status list_placed(struct tool_ctx *ctx, const struct ws_place *p, struct job *j, struct ch_err *err)
{
	ch_status rc = wk_open(&p->root, p->rel, O_RDONLY | O_DIRECTORY, &j->fd, err);

	j->guard = p->root.guard;
	return rc ? rc : work_run(list_on_thread, j, err);
}

static CH_FIBER ch_status list_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret,
				   struct ch_err *err)
{
	struct job j = { .fd = -1, .depth = (int)json_get_int(args, "depth", 1), .found = VEC_INIT };
	WS_AUTO_PLACE struct ws_place place = { 0 };
	const struct json *path = json_get(args, "path");
	ch_status rc;

	rc = ws_place(ctx, path ? path : json_new_str(ctx->arena, "."), WS_READ, &place, err);
	if (!rc)
		rc = list_placed(ctx, &place, &j, err);
	if (!rc)
		tell(ctx, &j, json_str_or(path, "."), ret);
	wk_close(&j.fd);
	for (size_t i = 0; i < j.found.len; i++)
		ch_free(j.found.at[i].path);
	vec_done(&j.found);
	return rc;
}

static const char *list_meta(struct arena *a, const struct json *args)
{
	return arena_printf(a, "in %s", json_str_or(json_get(args, "path"), "the workspace"));
}

_Static_assert(LIST_DEPTH_MAX == 5, "the schema below names this limit");

const struct tool tool_list = {
	.name = "list",
	.label = "List",
	.description = "List a directory of the workspace: names, types and sizes, sorted. depth shows what is below too.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"directory; default: the workspace\"},"
		       "\"depth\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":5,\"description\":\"default 1\"}},"
		       "\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 20000,
	.out_max_bytes = 64u << 10,
	.group = "fs",
	.is_parallel = true,
	.meta = list_meta,
	.run = list_run,
};
