/*
 * tools/fs_near.c - what to say when a name is no file: similar names, or what a directory holds.
 */
#include "tools/fs_near.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"

#define NEAR_ENTRIES_MAX 2000            /* of a directory that are looked at */
#define NEAR_NAMES 3
#define NEAR_SHOWN 20                    /* entries of a directory that are named */

struct names { VEC(const char *) list; };

/* Such a name could draw something that is not there. */
static bool is_clean(const char *name)
{
	for (const char *p = name; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7f)
			return false;
	return utf8_valid(name, strlen(name));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Names in the directory, sorted, directories with "/". */
static bool read_names(struct arena *a, const struct ws_root *root, const char *rel, struct names *ret)
{
	int fd = -1;
	struct dirent *d;
	DIR *dir;

	if (wk_open(root, rel, O_RDONLY | O_DIRECTORY, &fd, NULL))
		return false;
	dir = fdopendir(fd);
	if (!dir) {
		wk_close(&fd);
		return false;
	}
	while (ret->list.len < NEAR_ENTRIES_MAX && (d = readdir(dir))) {
		if (str_eq(d->d_name, ".") || str_eq(d->d_name, "..") || !is_clean(d->d_name))
			continue;
		vec_push(&ret->list, arena_printf(a, "%s%s", d->d_name, d->d_type == DT_DIR ? "/" : ""));
	}
	closedir(dir);
	if (ret->list.len)
		qsort(ret->list.at, ret->list.len, sizeof(ret->list.at[0]), by_text);
	return true;
}

/* How far a name is from what was asked for; SIZE_MAX: not alike. */
static size_t distance(const char *name, const char *wanted)
{
	size_t n = strlen(wanted), far = CH_MAX(n / 3, 1), d;

	if (str_ieq(name, wanted))
		return 0;
	if (strlen(name) > WS_PATH_MAX / 4 || n > WS_PATH_MAX / 4)
		return SIZE_MAX;
	d = str_distance(name, wanted, far + 1);
	if (d <= far)
		return d;
	/* The same name with another ending, or without one. */
	n = strcspn(wanted, ".");
	return n >= 3 && strcspn(name, ".") == n && !strncmp(name, wanted, n) ? far + 1 : SIZE_MAX;
}

const char *near_names(struct arena *a, const struct ws_place *p)
{
	const char *slash = strrchr(p->rel, '/'), *wanted = slash ? slash + 1 : p->rel, *out = NULL;
	const char *dir = slash ? arena_strndup(a, p->rel, (size_t)(slash - p->rel)) : ".";
	const char *best[NEAR_NAMES] = { NULL };
	size_t how[NEAR_NAMES] = { 0 };
	struct names names = { VEC_INIT };

	if (!read_names(a, &p->root, *dir ? dir : ".", &names))
		return NULL;
	for (size_t i = 0; i < names.list.len; i++) {
		const char *name = names.list.at[i];
		size_t d = distance(arena_strndup(a, name, strcspn(name, "/")), wanted), at = NEAR_NAMES;

		for (; at > 0 && d != SIZE_MAX && (!best[at - 1] || how[at - 1] > d); at--)
			if (at < NEAR_NAMES) {
				best[at] = best[at - 1];
				how[at] = how[at - 1];
			}
		if (at < NEAR_NAMES && d != SIZE_MAX) {
			best[at] = name;
			how[at] = d;
		}
	}
	vec_done(&names.list);
	for (size_t i = 0; i < NEAR_NAMES && best[i]; i++)
		out = arena_printf(a, "%s%s%s%s%s", out ? out : "", out ? ", " : "", slash ? dir : "", slash ? "/" : "", best[i]);
	return out;
}

const char *near_directory(struct arena *a, const struct ws_place *p)
{
	struct names names = { VEC_INIT };
	const char *out = NULL;
	size_t n;

	if (!read_names(a, &p->root, p->rel, &names))
		return NULL;
	n = names.list.len;
	out = arena_printf(a, "a directory with %zu%s %s%s", n, n == NEAR_ENTRIES_MAX ? " or more" : "", n == 1 ? "entry" : "entries",
			   n ? ": " : "");
	for (size_t i = 0; i < CH_MIN(n, NEAR_SHOWN); i++)
		out = arena_printf(a, "%s%s%s", out, i ? ", " : "", names.list.at[i]);
	vec_done(&names.list);
	return n > NEAR_SHOWN ? arena_printf(a, "%s and %zu more", out, n - NEAR_SHOWN) : out;
}
