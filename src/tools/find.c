/*
 * tools/find.c - find: names of files below a directory, by pattern.
 *
 * Walks on the thread pool, SLICE_ENTRIES at a time, so that an abort or the deadline is noticed in between; what was
 * found until then is given with a note.
 */
#include <inttypes.h>
#include <string.h>

#include "core/clock.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"
#include "tools/fs_glob.h"
#include "tools/fs_near.h"
#include "tools/fs_search.h"
#include "tools/table.h"

#define SLICE_ENTRIES 5000
#define FIND_LIMIT 200
#define FIND_LIMIT_MAX 2000
#define FIND_TEXT_MAX (48u << 10)
#define COUNTED_MORE 2000                /* matches beyond the limit that are still counted */

struct job {
	struct walk *walk;
	const struct glob *glob;         /* NULL: every name */
	const char *type;                /* "file", "directory", "any" */
	const char *prefix;              /* before each path that is shown */
	int64_t limit;
	size_t rel_len;                  /* of the part of a path that is the directory searched */
	struct buf out;
	int64_t shown, more;
	bool is_done;
};

static bool is_wanted(const struct job *j, const struct walk_entry *e)
{
	if (str_eq(j->type, "file") && e->type != WALK_FILE)
		return false;
	if (str_eq(j->type, "directory") && e->type != WALK_DIR)
		return false;
	return !j->glob || glob_match_name(j->glob, e->path + j->rel_len);
}

static void take(struct job *j, const struct walk_entry *e)
{
	if (j->shown >= j->limit || j->out.len > FIND_TEXT_MAX) {
		j->more++;
		return;
	}
	search_put_path(&j->out, j->prefix, e->path);
	buf_puts(&j->out, e->type == WALK_DIR ? "/\n" : e->type == WALK_LINK ? "@\n" : "\n");
	j->shown++;
}

static void find_slice(void *arg)
{
	struct job *j = arg;
	struct walk_entry e;

	for (int i = 0; i < SLICE_ENTRIES && !j->is_done; i++) {
		if (!walk_next(j->walk, &e) || j->more >= COUNTED_MORE)
			j->is_done = true;
		else if (is_wanted(j, &e))
			take(j, &e);
	}
}

static void tell(struct tool_ctx *ctx, struct job *j, const char *shown_dir, bool is_late, struct tool_result *ret)
{
	const struct walk_tally *t = walk_tally(j->walk);
	struct arena *a = ctx->arena;

	if (!j->shown)
		buf_printf(&j->out, "Nothing in '%s' matches.\n", shown_dir);
	if (j->more)
		buf_printf(&j->out, "[%" PRId64 "%s more match: narrow the pattern or the path]\n", j->more,
			   j->more >= COUNTED_MORE || is_late ? " or" : "");
	search_put_notes(&j->out, t, is_late, !j->shown);
	tool_result_text(ctx, ret, buf_str(&j->out), j->out.len - 1);
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "count", json_new_int(a, j->shown));
	json_set(a, ret->details, "truncated", json_new_bool(a, j->more || t->is_cut || is_late));
}

static CH_FIBER ch_status find_all(struct tool_ctx *ctx, struct job *j, bool *ret_late, struct ch_err *err)
{
	ch_status rc = CH_OK;

	while (!rc && !j->is_done && !*ret_late) {
		rc = work_run(find_slice, j, err);
		*ret_late = search_is_late(ctx);
	}
	return rc ? rc : buf_status(&j->out, err, "what was found");
}

static CH_FIBER ch_status find_in(struct tool_ctx *ctx, const struct json *args, struct ws_place *place, struct job *j,
				  struct tool_result *ret, struct ch_err *err)
{
	struct walk_opts opts = search_walk_opts(args, place);
	bool is_late = false;
	ch_status rc;

	rc = search_open(ctx, &opts, place, json_str_or(json_get(args, "path"), "."), &j->walk, ret, err);
	if (rc || ret->is_error)
		return rc;
	j->rel_len = search_rel_len(place);
	rc = find_all(ctx, j, &is_late, err);
	if (!rc)
		tell(ctx, j, json_str_or(json_get(args, "path"), "."), is_late, ret);
	return rc;
}

static CH_FIBER ch_status find_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	const struct json *pattern = json_get(args, "pattern");
	WS_AUTO_PLACE struct ws_place place = { 0 };
	struct job j = { .type = json_str_or(json_get(args, "type"), "any"), .limit = json_get_int(args, "limit", FIND_LIMIT) };
	struct glob *glob = NULL;
	ch_status rc = CH_OK;

	if (pattern && pattern->len)
		rc = glob_new(ctx->arena, json_str(pattern), pattern->len, false, &glob, err);
	if (!rc)
		rc = search_place(ctx, args, &place, err);
	if (rc)
		return rc;
	j.glob = glob;
	j.prefix = search_prefix(ctx, &place);
	buf_init(&j.out, FIND_TEXT_MAX + (64u << 10));
	rc = find_in(ctx, args, &place, &j, ret, err);
	walk_free(j.walk);
	buf_done(&j.out);
	return rc;
}

static const char *find_meta(struct arena *a, const struct json *args)
{
	return arena_printf(a, "%s in %s", json_str_or(json_get(args, "pattern"), "all"),
			    json_str_or(json_get(args, "path"), "the workspace"));
}

_Static_assert(FIND_LIMIT_MAX == 2000 && WALK_DEPTH_MAX == 64, "the schema below names these limits");

const struct tool tool_fs_find = {
	.name = "find",
	.label = "Find",
	.description = "Find files by name below a directory: pattern is a glob ('*.c', 'src/**/test_*'). Sorted; what .gitignore "
		       "names and hidden files are left out unless asked for.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"pattern\":{\"type\":\"string\",\"description\":\"glob; with '/' it is for the whole path below path\"},"
		       "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"directory; default: the workspace\"},"
		       "\"type\":{\"type\":\"string\",\"enum\":[\"any\",\"file\",\"directory\"]},"
		       "\"maxDepth\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":64},"
		       "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":2000,\"description\":\"default 200\"},"
		       "\"hidden\":{\"type\":\"boolean\"},"
		       "\"noIgnore\":{\"type\":\"boolean\"}},"
		       "\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 30000,
	.out_max_bytes = 64u << 10,
	.is_parallel = true,
	.group = "fs",
	.meta = find_meta,
	.run = find_run,
};
