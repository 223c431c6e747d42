/*
 * tools/fs_walk.c - the files below a directory, one after the other, sorted, in slices.
 */
#include "tools/fs_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"
#include "tools/fs_ignore.h"

#define PATH_BYTES_MAX 4096              /* of an entry; deeper ones are left out */
#define LEVEL_ARENA_MAX (64u << 20)
#define ABOVE_ARENA_MAX (32u << 20)      /* of the rules above the place where the walk begins */

struct name { const char *text; enum walk_type type; };
struct level {
	int fd;
	struct arena *arena;             /* the names, the rules */
	VEC(struct name) names;
	size_t next;
	size_t path_len;                 /* of the directory with its '/' */
	const struct ignore *ignore;
};
/* Rules of directories above the one where the walk begins. */
struct above { const struct ignore *ignore; size_t path_len; };

struct walk {
	struct walk_opts opts;
	int start;                       /* the first directory, until it is read: by walk_next(), on the caller's thread */
	struct arena *arena;
	VEC(struct level) levels;
	VEC(struct above) above;
	char path[PATH_BYTES_MAX];
	struct walk_tally tally;
};

/* -- a directory -- */

static enum walk_type type_of(int fd, const struct dirent *d)
{
	struct stat st;
	mode_t mode = DTTOIF(d->d_type);

	if (d->d_type == DT_UNKNOWN && !fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW))
		mode = st.st_mode;
	switch (mode & S_IFMT) {
	case S_IFREG:
		return WALK_FILE;
	case S_IFDIR:
		return WALK_DIR;
	case S_IFLNK:
		return WALK_LINK;
	default:
		return WALK_OTHER;
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void read_names(struct walk *w, struct level *l)
{
	int copy = fcntl(l->fd, F_DUPFD_CLOEXEC, 0);
	DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *d;

	if (!dir) {
		wk_close(&copy);
		w->tally.unreadable++;
		return;
	}
	while ((d = readdir(dir))) {
		size_t n = strlen(d->d_name) + 1;
		char *text;

		if (str_eq(d->d_name, ".") || str_eq(d->d_name, ".."))
			continue;
		text = l->names.len < WALK_DIR_MAX ? arena_try_alloc(l->arena, n) : NULL;
		if (!text) {
			w->tally.is_cut = true;
			break;
		}
		memcpy(text, d->d_name, n);
		vec_push(&l->names, ((struct name){ text, type_of(l->fd, d) }));
	}
	closedir(dir);
	if (l->names.len)
		qsort(l->names.at, l->names.len, sizeof(l->names.at[0]), by_name);
}

static const struct ignore *read_ignore(struct arena *a, int dir_fd)
{
	WS_AUTO_FD int fd = openat(dir_fd, ".gitignore", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	const struct ignore *ret;
	struct stat st;
	size_t len = 0;
	char *text;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return NULL;
	text = ch_alloc(IGNORE_FILE_MAX);
	while (len < IGNORE_FILE_MAX) {
		ssize_t n = read(fd, text + len, IGNORE_FILE_MAX - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += (size_t)n;
	}
	ret = ignore_parse(a, text, len);
	ch_free(text);
	return ret;
}

static bool is_kept(const struct walk *w, int fd)
{
	char real[2 * WS_PATH_MAX];

	return w->opts.root.guard && (!wk_real_path(fd, real, sizeof(real)) || wk_is_guarded(w->opts.root.guard, real));
}

static void push_level(struct walk *w, int fd, size_t path_len)
{
	struct level l = { .fd = fd, .arena = arena_new(LEVEL_ARENA_MAX), .names = VEC_INIT, .path_len = path_len };

	read_names(w, &l);
	if (!w->opts.no_ignore)
		l.ignore = read_ignore(l.arena, fd);
	vec_push(&w->levels, l);
}

static void pop_level(struct walk *w)
{
	struct level l = vec_pop(&w->levels);

	wk_close(&l.fd);
	vec_done(&l.names);
	arena_unref(l.arena);
}

/* -- the beginning -- */

/* The .gitignore files between the root and the directory where the walk begins. */
static void read_above(struct walk *w)
{
	size_t n = strlen(w->path);

	if (strstr(w->path, "..") || !n || n >= WS_PATH_MAX)
		return;
	for (size_t i = 0; i < n && arena_used(w->arena) < ABOVE_ARENA_MAX; i++) {
		WS_AUTO_FD int fd = -1;
		const struct ignore *ig;
		char dir[WS_PATH_MAX + 2];

		if (i && w->path[i - 1] != '/')
			continue;
		memcpy(dir, w->path, i);
		dir[i ? i - 1 : 0] = '\0';
		if (wk_open(&w->opts.root, i ? dir : ".", O_RDONLY | O_DIRECTORY, &fd, NULL))
			continue;
		ig = read_ignore(w->arena, fd);
		if (ig)
			vec_push(&w->above, ((struct above){ ig, i }));
	}
}

/* "./a//b/" is "a/b/", "." is "". */
static bool clean_path(const char *rel, char *ret, size_t cap)
{
	size_t n = 0;

	while (*rel) {
		size_t part = strcspn(rel, "/");

		if (part && !(part == 1 && rel[0] == '.')) {
			if (n + part + 2 > cap)
				return false;
			memcpy(ret + n, rel, part);
			n += part;
			ret[n++] = '/';
		}
		rel += part + (rel[part] == '/');
	}
	ret[n] = '\0';
	return true;
}

ch_status walk_open(const struct walk_opts *opts, struct walk **ret, struct ch_err *err)
{
	CH_AUTO(walk_free) struct walk *w = ch_calloc(1, sizeof(*w));
	ch_status rc;

	w->start = -1;
	w->opts = *opts;
	w->arena = arena_new(0);
	if (!clean_path(opts->rel, w->path, sizeof(w->path)))
		return ch_fail(err, CH_E_INVALID, "'%.60s…' is too long a name", opts->rel);
	rc = wk_open(&opts->root, opts->rel, O_RDONLY | O_DIRECTORY, &w->start, err);
	if (!rc)
		*ret = CH_TAKE(w);
	return rc;
}

static void begin(struct walk *w)
{
	if (!w->opts.no_ignore)
		read_above(w);
	push_level(w, w->start, strlen(w->path));
	w->start = -1;
}

void walk_free(struct walk *w)
{
	if (!w)
		return;
	wk_close(&w->start);
	while (w->levels.len)
		pop_level(w);
	vec_done(&w->levels);
	vec_done(&w->above);
	arena_unref(w->arena);
	ch_free(w);
}

/* -- the next entry -- */

/* The nearest file that says something of the entry decides. */
static bool is_ignored(const struct walk *w, bool is_dir)
{
	for (size_t i = w->levels.len; i-- > 0;) {
		const struct level *l = &w->levels.at[i];
		enum ignore_verdict v = l->ignore ? ignore_judge(l->ignore, w->path + l->path_len, is_dir) : IGNORE_UNSAID;

		if (v != IGNORE_UNSAID)
			return v == IGNORE_YES;
	}
	for (size_t i = w->above.len; i-- > 0;) {
		enum ignore_verdict v = ignore_judge(w->above.at[i].ignore, w->path + w->above.at[i].path_len, is_dir);

		if (v != IGNORE_UNSAID)
			return v == IGNORE_YES;
	}
	return false;
}

static bool is_left_out(struct walk *w, const struct name *n)
{
	bool is_dir = n->type == WALK_DIR;

	if (n->text[0] == '.' && (!w->opts.hidden || (str_eq(n->text, ".git") && !w->opts.no_ignore)))
		return true;
	return !w->opts.no_ignore && is_ignored(w, is_dir);
}

static void descend(struct walk *w, const struct level *l, const struct name *n)
{
	size_t len = l->path_len + strlen(n->text);
	int fd;

	if ((int)w->levels.len >= CH_MIN(w->opts.max_depth, WALK_DEPTH_MAX)) {
		w->tally.is_cut = w->tally.is_cut || w->levels.len >= WALK_DEPTH_MAX;
		return;
	}
	fd = openat(l->fd, n->text, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || is_kept(w, fd)) {
		wk_close(&fd);
		w->tally.unreadable++;
		return;
	}
	w->path[len] = '/';
	w->path[len + 1] = '\0';
	push_level(w, fd, len + 1);
	w->path[len] = '\0';             /* the entry is still to be given */
}

/* The path of a name in the directory that is open; false: too long. */
static bool set_path(struct walk *w, const struct level *l, const char *name)
{
	size_t n = strlen(name);

	if (l->path_len + n + 2 > sizeof(w->path))
		return false;
	memcpy(w->path + l->path_len, name, n + 1);
	return true;
}

/* After descend() cut the path at its last '/', it is put back when its first entry is asked for. */
static void restore_slash(struct walk *w, const struct level *l)
{
	if (l->path_len)
		w->path[l->path_len - 1] = '/';
}

bool walk_next(struct walk *w, struct walk_entry *ret)
{
	if (w->start >= 0)
		begin(w);
	while (w->levels.len && w->tally.seen < WALK_ENTRIES_MAX) {
		struct level *l = &w->levels.at[w->levels.len - 1];
		struct name n;

		if (l->next == l->names.len) {
			pop_level(w);
			continue;
		}
		restore_slash(w, l);
		n = l->names.at[l->next++];
		if (!set_path(w, l, n.text)) {
			w->tally.is_cut = true;
			continue;
		}
		if (is_left_out(w, &n)) {
			w->tally.left_out++;
			continue;
		}
		*ret = (struct walk_entry){ .path = w->path, .name = w->path + l->path_len, .type = n.type, .dir_fd = l->fd };
		w->tally.seen++;
		if (n.type == WALK_DIR)
			descend(w, &(struct level){ .fd = l->fd, .path_len = l->path_len }, &n);
		return true;
	}
	w->tally.is_cut = w->tally.is_cut || w->levels.len;
	return false;
}

const struct walk_tally *walk_tally(const struct walk *w)
{
	return &w->tally;
}
