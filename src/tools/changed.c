/*
 * tools/changed.c - see changed.h.
 */
#include "tools/changed.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "core/str.h"
#include "tools/path.h"

/* Directories that wait to be looked into, by their path below the root. */
struct walk {
	struct ws_root root;
	int64_t since_ms;
	const struct map *missed;
	struct changed *out;
	VEC(char *) left;
	size_t seen;
};

static void walk_done(struct walk *w)
{
	while (w->left.len)
		ch_free(vec_pop(&w->left));
	vec_done(&w->left);
}

static void dir_done(DIR **d)
{
	if (*d)
		closedir(*d);
}

static void drop_paths(struct changed *c)
{
	while (c->paths.len)
		ch_free(vec_pop(&c->paths));
}

void changed_done(struct changed *c)
{
	drop_paths(c);
	vec_done(&c->paths);
}

static int64_t in_ms(int64_t seconds, int64_t ns)
{
	return 1000 * seconds + ns / 1000000;
}

int64_t changed_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return in_ms(now.tv_sec, now.tv_nsec);
}

bool changed_at(const char *path, int64_t *ret_ms)
{
	struct stat st;

	if (lstat(path, &st) != 0)
		return false;
	*ret_ms = in_ms(st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
	return true;
}

/* -- what is found -- */

static bool has(const struct changed *c, const char *path)
{
	for (size_t i = c->paths.len; i-- > 0; )
		if (str_eq(c->paths.at[i], path))
			return true;
	return false;
}

/* By the folder of the top that it is in. */
static void add_coarse(struct changed *c, const char *path)
{
	CH_AUTO_STR char *top = ch_strndup(path, strchr(path, '/') ? (size_t)(strchr(path, '/') - path) + 1 : strlen(path));

	if (!has(c, top))
		vec_push(&c->paths, CH_TAKE(top));
}

static void add_all(struct changed *c)
{
	drop_paths(c);
	c->is_coarse = true;
	vec_push(&c->paths, ch_strdup(CHANGED_ALL));
}

static void add(struct changed *c, const char *path)
{
	struct changed fine = *c;

	if (c->is_coarse) {
		add_coarse(c, path);
	} else if (c->paths.len < CHANGED_MAX) {
		vec_push(&c->paths, ch_strdup(path));
	} else {
		*c = (struct changed){ .is_coarse = true };
		for (size_t i = 0; i < fine.paths.len; i++)
			add_coarse(c, fine.paths.at[i]);
		add_coarse(c, path);
		changed_done(&fine);
	}
	if (c->is_coarse && c->paths.len > CHANGED_MAX)
		add_all(c);
}

static void add_below(struct changed *c, const char *place)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/", *place ? place : ".");

	add(c, path);
}

static bool is_all(const struct changed *c)
{
	return c->paths.len == 1 && str_eq(c->paths.at[0], CHANGED_ALL);
}

/* -- the walk -- */

static bool is_missed(const struct walk *w, const char *name)
{
	return w->missed && map_find(w->missed, name);
}

/* A directory's own change time is that of its entries. Where births are not kept, none is taken for new. */
static void judge_dir(struct walk *w, const struct statx *st, const char *path)
{
	if (st->stx_mask & STATX_BTIME && in_ms(st->stx_btime.tv_sec, st->stx_btime.tv_nsec) >= w->since_ms)
		add(w->out, path);
	else if (is_missed(w, CHANGED_FOLDER) && in_ms(st->stx_ctime.tv_sec, st->stx_ctime.tv_nsec) >= w->since_ms)
		add_below(w->out, path);
}

static void look_at(struct walk *w, int dir_fd, const char *place, const char *name)
{
	CH_AUTO_STR char *path = *place ? ch_asprintf("%s/%s", place, name) : ch_strdup(name);
	struct statx st;

	w->seen++;
	if (statx(dir_fd, name, AT_SYMLINK_NOFOLLOW, STATX_TYPE | STATX_CTIME | STATX_BTIME, &st) != 0)
		return;
	if (S_ISDIR(st.stx_mode)) {
		judge_dir(w, &st, path);
		vec_push(&w->left, CH_TAKE(path));
	} else if (in_ms(st.stx_ctime.tv_sec, st.stx_ctime.tv_nsec) >= w->since_ms || is_missed(w, name)) {
		add(w->out, path);
	}
}

static void look_into(struct walk *w, const char *place)
{
	WS_AUTO_FD int fd = -1;
	CH_AUTO_DONE(dir_done) DIR *d = NULL;
	const struct dirent *e;

	ch_status st = wk_open(&w->root, *place ? place : ".", O_RDONLY | O_DIRECTORY, &fd, NULL);

	d = st ? NULL : fdopendir(fd);
	if (!d) {
		/* Closed to us, or too deep: what is in it cannot be told. */
		if (st != CH_E_NOT_FOUND)
			add_below(w->out, place);
		return;
	}
	fd = -1;
	while (!is_all(w->out) && (e = readdir(d))) {
		if (str_eq(e->d_name, ".") || str_eq(e->d_name, ".."))
			continue;
		if (w->seen >= CHANGED_SEEN_MAX)
			add_all(w->out);
		else
			look_at(w, dirfd(d), place, e->d_name);
	}
}

ch_status changed_since(const char *root, int64_t since_ms, const struct map *missed, struct changed *ret, struct ch_err *err)
{
	WS_AUTO_FD int fd = openat(AT_FDCWD, root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	CH_AUTO_DONE(walk_done) struct walk w = { .since_ms = since_ms, .missed = missed, .out = ret };

	*ret = (struct changed){ 0 };
	if (fd < 0 && errno == ENOENT)
		return CH_OK;
	if (fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "%s", root);
	w.root = ws_root_of(fd);
	w.root.extra = RESOLVE_NO_SYMLINKS;
	vec_push(&w.left, ch_strdup(""));
	while (w.left.len && !is_all(ret)) {
		CH_AUTO_STR char *place = vec_pop(&w.left);

		look_into(&w, place);
	}
	return CH_OK;
}
