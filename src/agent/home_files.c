/*
 * agent/home_files.c - the workspace's files in the prompt, read when they changed.
 *
 * Order and limits are fixed so that the prompt is the same bytes as long as the files are.
 * A file is known by device, inode, size and time; a look costs one fstatat().
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/fence.h"
#include "agent/home.h"
#include "agent/taint.h"
#include "core/mem.h"
#include "core/str.h"
#include "tools/file.h"

#define FILE_READ_MAX (2u << 20)         /* bytes; a larger one is named, not read */
#define USER_CHARS_MAX 4000

struct spec { const char *name; bool is_required; };

static const struct spec specs[] = {
	{ "AGENTS.md", true },
	{ "SOUL.md", true },
	{ "IDENTITY.md", true },
	{ "USER.md", true },
	{ "BOOTSTRAP.md", false },       /* there as long as the first talk is due */
	{ "MEMORY.md", false },
};

struct file {
	bool exists;
	struct stat st;
	char *text;                      /* NULL: not there, or not readable (then `why`) */
	size_t len;
	char why[160];
	bool is_outside;                 /* holds text from outside */
};

struct home_files { struct file at[CH_ARRAY_LEN(specs)]; bool is_read; };

struct home_files *home_files_new(void)
{
	return ch_alloc(sizeof(struct home_files));
}

void home_files_free(struct home_files *f)
{
	if (!f)
		return;
	for (size_t i = 0; i < CH_ARRAY_LEN(specs); i++)
		ch_free(f->at[i].text);
	ch_free(f);
}

static bool is_same(const struct file *f, bool exists, const struct stat *st)
{
	if (f->exists != exists)
		return false;
	return !exists || (f->st.st_ino == st->st_ino && f->st.st_dev == st->st_dev && f->st.st_size == st->st_size &&
			   f->st.st_mtim.tv_sec == st->st_mtim.tv_sec && f->st.st_mtim.tv_nsec == st->st_mtim.tv_nsec);
}

static void read_file(struct file *f, int workspace_fd, const char *name)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf b = { 0 };
	struct ws_stamp stamp;
	struct ch_err err;

	buf_init(&b, FILE_READ_MAX);
	ch_free(f->text);
	f->text = NULL;
	f->why[0] = '\0';
	if (!f->exists)
		return;
	if (ws_load(workspace_fd, name, &b, &stamp, &err)) {
		snprintf(f->why, sizeof(f->why), "%.150s", err.text);
		return;
	}
	if (utf8_valid(buf_str(&b), b.len) && !memchr(buf_str(&b), '\0', b.len)) {
		f->text = buf_take(&b, &f->len);
		return;
	}
	f->text = ch_strdup(utf8_repair(a, buf_str(&b), b.len, &f->len));
	f->len = strlen(f->text);        /* a NUL ends it */
}

bool home_files_refresh(struct home_files *f, int workspace_fd)
{
	bool is_changed = !f->is_read;

	for (size_t i = 0; i < CH_ARRAY_LEN(specs); i++) {
		struct stat st;
		bool exists = !fstatat(workspace_fd, specs[i].name, &st, 0);

		if (f->is_read && is_same(&f->at[i], exists, &st))
			continue;
		f->at[i].exists = exists;
		if (exists)
			f->at[i].st = st;
		read_file(&f->at[i], workspace_fd, specs[i].name);
		is_changed = true;
	}
	f->is_read = true;
	return is_changed;
}

void home_files_mark(struct home_files *f, struct db *db, const char *workspace)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *source;

	for (size_t i = 0; i < CH_ARRAY_LEN(specs); i++)
		f->at[i].is_outside = f->at[i].text && taint_find_file(db, workspace, specs[i].name, a, &source);
}

/* -- what of them goes into the prompt -- */

/* The first max_chars characters. */
struct cut { size_t bytes; int64_t chars; };

static struct cut cut_chars(const char *s, size_t n, int64_t max_chars)
{
	struct cut c = { 0 };
	uint32_t cp;

	while (c.bytes < n && c.chars < max_chars) {
		size_t len = utf8_decode(s + c.bytes, n - c.bytes, &cp);

		c.bytes += len ? len : 1;
		c.chars++;
	}
	return c;
}

static bool is_blank(const struct file *f)
{
	return f->text && strspn(f->text, " \t\r\n") == f->len;
}

static bool is_shown(const struct spec *spec, const struct file *f, const struct home_limits *l)
{
	return f->exists ? !is_blank(f) : spec->is_required && l->names_missing;
}

/* What of a file that can be read is shown; *left: characters that all of them may still have. */
static struct cut share(const struct spec *spec, const struct file *f, const struct home_limits *l, int64_t *left)
{
	int64_t room = CH_MIN(l->file_chars, *left);
	struct cut c;

	if (str_eq(spec->name, "USER.md"))
		room = CH_MIN(room, USER_CHARS_MAX);
	c = cut_chars(f->text, f->len, room);
	*left -= c.chars;
	return c;
}

const char *home_files_outside(const struct home_files *f)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(specs); i++)
		if (f->at[i].is_outside && !is_blank(&f->at[i]))
			return specs[i].name;
	return NULL;
}

static void render_one(const struct spec *spec, const struct file *f, const struct home_limits *l, int64_t *left,
		       struct buf *out)
{
	struct cut c;

	if (!is_shown(spec, f, l))
		return;
	buf_printf(out, "\n## %s\n\n", spec->name);
	if (!f->exists) {
		buf_puts(out, "(this file is missing)\n");
		return;
	}
	if (!f->text) {
		buf_printf(out, "(cannot be shown: %s)\n", f->why);
		return;
	}
	c = share(spec, f, l, left);
	if (f->is_outside)
		fence_put(out, spec->name, f->text, c.bytes);
	else
		buf_append(out, f->text, c.bytes);
	if (f->is_outside)
		buf_putc(out, '\n');
	else if (c.bytes && f->text[c.bytes - 1] != '\n')
		buf_putc(out, '\n');
	if (c.bytes < f->len)
		buf_printf(out, "[%s is cut here: %zu of %zu bytes are shown; read it for the rest]\n", spec->name, c.bytes,
			   f->len);
}

void home_files_render(const struct home_files *f, const struct home_limits *l, struct buf *out)
{
	int64_t left = l->total_chars;

	buf_puts(out, "\n# Files of the workspace\n\nThese were read from the workspace when this turn began.\n");
	for (size_t i = 0; i < CH_ARRAY_LEN(specs); i++)
		render_one(&specs[i], &f->at[i], l, &left, out);
}

size_t home_files_sizes(const struct home_files *f, const struct home_limits *l, struct home_file_size *ret)
{
	int64_t left = l->total_chars;
	size_t n = 0;

	for (size_t i = 0; i < CH_ARRAY_LEN(specs); i++) {
		const struct file *file = &f->at[i];
		struct home_file_size *size = &ret[n];
		struct cut c = { 0 };

		if (!file->exists && !specs[i].is_required)
			continue;
		n++;
		*size = (struct home_file_size){ .name = specs[i].name, .is_missing = !file->exists,
						 .is_unreadable = file->exists && !file->text };
		if (!file->text)
			continue;
		if (!is_blank(file))
			c = share(&specs[i], file, l, &left);
		size->raw_chars = cut_chars(file->text, file->len, INT64_MAX).chars;
		size->raw_tokens = model_estimate_tokens(file->text, file->len);
		size->shown_chars = c.chars;
		size->shown_tokens = model_estimate_tokens(file->text, c.bytes);
		size->is_cut = c.bytes < file->len && !is_blank(file);
	}
	return n;
}
