/*
 * tools/grep.c - grep: lines of files that match a pattern.
 *
 * Works on the thread pool in slices, so that an abort or the deadline is noticed in between. Files are shown with
 * their lines below them, in the order of their names.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"
#include "core/work.h"
#include "tools/fs_glob.h"
#include "tools/fs_search.h"
#include "tools/grep_scan.h"
#include "tools/table.h"

#define SLICE_STEPS 2000                 /* files, or pieces of them */
#define SLICE_BYTES (8 << 20)
#define GREP_LIMIT 100
#define GREP_LIMIT_MAX 1000
#define GREP_TEXT_MAX (48u << 10)
#define FILES_MAX 1000                   /* that have matches */

struct hit { char *path; int64_t matches; };

struct job {
	struct walk *walk;               /* NULL: one file alone */
	struct scan *scan;               /* the file under way */
	struct scan_opts opts;
	struct scan_tally tally;
	const struct glob *include, *exclude;
	const char *prefix, *path;       /* of the file under way */
	char path_buf[2 * WS_PATH_MAX];
	size_t rel_len;
	bool list_files, counts;
	struct buf out;
	VEC(struct hit) hits;
	size_t searched, at_header;      /* files; where the lines of the one under way begin in out */
	bool is_done;
};

/* -- a file -- */

static void begin_file(struct job *j, int take_fd, const char *path)
{
	snprintf(j->path_buf, sizeof(j->path_buf), "%s", path);
	j->path = j->path_buf;
	j->scan = scan_new(&j->opts, take_fd);
	j->at_header = j->out.len;
	j->searched++;
	if (j->opts.only_count)
		return;
	if (j->out.len)
		buf_putc(&j->out, '\n');
	search_put_path(&j->out, j->prefix, path);
	buf_putc(&j->out, '\n');
}

static void end_file(struct job *j)
{
	int64_t n = scan_matches(j->scan);

	scan_free(j->scan);
	j->scan = NULL;
	if (!n)
		buf_truncate(&j->out, j->at_header);     /* nothing below its name */
	else
		vec_push(&j->hits, ((struct hit){ ch_strdup(j->path), n }));
}

static bool is_wanted(const struct job *j, const struct walk_entry *e)
{
	const char *path = e->path + j->rel_len;

	return e->type == WALK_FILE && (!j->include || glob_match_name(j->include, path)) &&
	       !(j->exclude && glob_match_name(j->exclude, path));
}

/* A name that the directory said is a regular file; it may have become something else. */
static int open_entry(const struct walk_entry *e)
{
	struct stat st;
	int fd = openat(e->dir_fd, e->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

	if (fd >= 0 && (fstat(fd, &st) || !S_ISREG(st.st_mode)))
		wk_close(&fd);
	return fd;
}

static void next_file(struct job *j)
{
	struct walk_entry e;
	int fd;

	if (!j->walk || !walk_next(j->walk, &e)) {
		j->is_done = true;
		return;
	}
	if (!is_wanted(j, &e))
		return;
	fd = open_entry(&e);
	if (fd >= 0)
		begin_file(j, fd, e.path);
}

static bool is_full(const struct job *j)
{
	return j->tally.matches >= j->opts.limit || j->out.len > GREP_TEXT_MAX || j->hits.len >= FILES_MAX || j->tally.gave_up >= SCAN_GAVE_UP_MAX;
}

static void grep_slice(void *arg)
{
	struct job *j = arg;
	int64_t until = j->tally.bytes + SLICE_BYTES;

	for (int i = 0; i < SLICE_STEPS && !j->is_done && j->tally.bytes < until; i++) {
		if (!j->scan)
			next_file(j);
		else if (!scan_piece(j->scan, &j->out, &j->tally) || is_full(j))
			end_file(j);
		j->is_done = j->is_done || (!j->scan && is_full(j));
	}
}

/* -- the answer -- */

static void tell_files(struct job *j)
{
	for (size_t i = 0; i < j->hits.len; i++) {
		search_put_path(&j->out, j->prefix, j->hits.at[i].path);
		if (j->counts)
			buf_printf(&j->out, ": %" PRId64, j->hits.at[i].matches);
		buf_putc(&j->out, '\n');
	}
}

static void tell_notes(struct job *j, bool is_late)
{
	static const struct walk_tally none;

	if (!j->hits.len)
		buf_printf(&j->out, "No line matches (%zu file%s searched).\n", j->searched, j->searched == 1 ? "" : "s");
	if (j->tally.gave_up >= SCAN_GAVE_UP_MAX)
		buf_puts(&j->out, "[stopped: the pattern takes too long; make it simpler]\n");
	else if (j->tally.gave_up)
		buf_printf(&j->out, "[%zu lines were too much for the pattern and count as not matching]\n", j->tally.gave_up);
	else if (is_full(j))
		buf_printf(&j->out, "[stopped after %" PRId64 " lines in %zu files; there may be more: narrow the pattern, path or glob]\n",
			   j->tally.matches, j->hits.len);
	if (j->tally.binary && (!j->walk || !j->hits.len))
		buf_printf(&j->out, "[%zu binary file%s left out]\n", j->tally.binary, j->tally.binary == 1 ? "" : "s");
	search_put_notes(&j->out, j->walk ? walk_tally(j->walk) : &none, is_late, !j->hits.len);
}

static void tell(struct tool_ctx *ctx, struct job *j, const struct ws_place *place, bool is_late, struct tool_result *ret)
{
	struct arena *a = ctx->arena;
	const char *text;
	size_t len;

	if (j->list_files || j->counts)
		tell_files(j);
	tell_notes(j, is_late);
	for (size_t i = 0; i < j->hits.len; i++)
		ws_note_read_below(ctx, place, j->hits.at[i].path);
	text = utf8_repair(a, buf_str(&j->out), j->out.len - 1, &len);
	tool_result_text(ctx, ret, text, len);
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "matches", json_new_int(a, j->tally.matches));
	json_set(a, ret->details, "files", json_new_int(a, (int64_t)j->hits.len));
	json_set(a, ret->details, "truncated", json_new_bool(a, is_full(j) || is_late || (j->walk && walk_tally(j->walk)->is_cut)));
}

/* -- the call -- */

static ch_status take_glob(struct tool_ctx *ctx, const struct json *arg, const struct glob **ret, struct ch_err *err)
{
	struct glob *g = NULL;
	ch_status rc = CH_OK;

	if (arg && arg->len)
		rc = glob_new(ctx->arena, json_str(arg), arg->len, false, &g, err);
	if (!rc)
		*ret = g;
	return rc;
}

static ch_status take_args(struct tool_ctx *ctx, const struct json *args, struct job *j, struct regex **ret_regex, struct ch_err *err)
{
	const struct json *pattern = json_get(args, "pattern");
	const char *output = json_str_or(json_get(args, "output"), "lines");
	int flags = REGEX_ANY_BYTES | (json_get_bool(args, "ignoreCase", false) ? REGEX_CASELESS : 0) |
		    (json_get_bool(args, "literal", false) ? REGEX_LITERAL : 0);
	ch_status rc;

	j->list_files = str_eq(output, "files");
	j->counts = str_eq(output, "count");
	j->opts = (struct scan_opts){
		.context = (int)json_get_int(args, "context", 0),
		.only_count = j->list_files || j->counts,
		.only_first = j->list_files,
		.limit = json_get_int(args, "limit", GREP_LIMIT),
	};
	if (j->counts)
		j->opts.limit = INT64_MAX;
	rc = take_glob(ctx, json_get(args, "glob"), &j->include, err);
	if (!rc)
		rc = take_glob(ctx, json_get(args, "exclude"), &j->exclude, err);
	if (!rc)
		rc = regex_compile(json_str(pattern), pattern->len, flags, ret_regex, err);
	if (!rc)
		j->opts.regex = *ret_regex;
	return rc;
}

/* One file, or a directory and what is below. */
static ch_status open_place(struct tool_ctx *ctx, const struct json *args, const struct ws_place *place, struct job *j,
			    struct tool_result *ret, struct ch_err *err)
{
	struct walk_opts opts = search_walk_opts(args, place);
	WS_AUTO_FD int probe = -1;
	struct stat st;
	int fd;
	ch_status rc;

	if (!wk_open(&place->root, place->rel, O_PATH, &probe, NULL) && !fstat(probe, &st) && !S_ISDIR(st.st_mode)) {
		rc = wk_open_file(&place->root, place->rel, &fd, &st, err);
		if (!rc)
			begin_file(j, fd, place->rel);
		return rc;
	}
	j->rel_len = search_rel_len(place);
	return search_open(ctx, &opts, place, json_str_or(json_get(args, "path"), "."), &j->walk, ret, err);
}

static CH_FIBER ch_status grep_all(struct tool_ctx *ctx, struct job *j, bool *ret_late, struct ch_err *err)
{
	ch_status rc = CH_OK;

	while (!rc && !j->is_done && !*ret_late) {
		rc = work_run(grep_slice, j, err);
		*ret_late = search_is_late(ctx);
	}
	if (j->scan)
		end_file(j);
	return rc ? rc : buf_status(&j->out, err, "what was found");
}

static CH_FIBER ch_status grep_in(struct tool_ctx *ctx, const struct json *args, const struct ws_place *place, struct job *j,
				  struct tool_result *ret, struct ch_err *err)
{
	bool is_late = false;
	ch_status rc;

	j->prefix = search_prefix(ctx, place);
	rc = open_place(ctx, args, place, j, ret, err);
	if (rc || ret->is_error)
		return rc;
	rc = grep_all(ctx, j, &is_late, err);
	if (!rc)
		tell(ctx, j, place, is_late, ret);
	return rc;
}

static void finish(struct job *j)
{
	walk_free(j->walk);
	scan_free(j->scan);
	for (size_t i = 0; i < j->hits.len; i++)
		ch_free(j->hits.at[i].path);
	vec_done(&j->hits);
	buf_done(&j->out);
}

static CH_FIBER ch_status grep_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	CH_AUTO(regex_free) struct regex *regex = NULL;
	WS_AUTO_PLACE struct ws_place place = { 0 };
	struct job j = { .hits = VEC_INIT };
	ch_status rc;

	buf_init(&j.out, 4u << 20);
	rc = take_args(ctx, args, &j, &regex, err);
	if (!rc)
		rc = search_place(ctx, args, &place, err);
	if (!rc)
		rc = grep_in(ctx, args, &place, &j, ret, err);
	finish(&j);
	return rc;
}

static const char *grep_meta(struct arena *a, const struct json *args)
{
	const char *pattern = json_get_str(args, "pattern");

	return pattern ? arena_printf(a, "'%.*s' in %s", (int)utf8_cut(pattern, strlen(pattern), 60), pattern,
				      json_str_or(json_get(args, "path"), "the workspace")) : NULL;
}

_Static_assert(GREP_LIMIT_MAX == 1000 && SCAN_CONTEXT_MAX == 10 && REGEX_PATTERN_MAX == 4096, "the schema below names these limits");

const struct tool tool_grep = {
	.name = "grep",
	.label = "Grep",
	.description = "Search the text of files for a regular expression (PCRE), line by line. Binary files, hidden files and what "
		       ".gitignore names are left out unless asked for.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"pattern\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4096},"
		       "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"file or directory; default: the workspace\"},"
		       "\"glob\":{\"type\":\"string\",\"description\":\"only files whose name matches, like '*.{c,h}'\"},"
		       "\"exclude\":{\"type\":\"string\",\"description\":\"not those\"},"
		       "\"literal\":{\"type\":\"boolean\",\"description\":\"pattern is plain text\"},"
		       "\"ignoreCase\":{\"type\":\"boolean\"},"
		       "\"context\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":10,\"description\":\"lines around a match\"},"
		       "\"output\":{\"type\":\"string\",\"enum\":[\"lines\",\"files\",\"count\"]},"
		       "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000,\"description\":\"lines; default 100\"},"
		       "\"hidden\":{\"type\":\"boolean\"},"
		       "\"noIgnore\":{\"type\":\"boolean\"}},"
		       "\"required\":[\"pattern\"],\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 60000,
	.out_max_bytes = 64u << 10,
	.is_parallel = true,
	.group = "fs",
	.meta = grep_meta,
	.run = grep_run,
};
