/*
 * tools/fs_search.c - what find and grep share: where they look, and what they say of what was left out.
 */
#include "tools/fs_search.h"

#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "tools/fs_near.h"

#define TIME_TO_TELL_MS 3000

ch_status search_place(struct tool_ctx *ctx, const struct json *args, struct ws_place *ret, struct ch_err *err)
{
	const struct json *path = json_get(args, "path");

	return ws_place(ctx, path ? path : json_new_str(ctx->arena, "."), WS_READ, ret, err);
}

struct walk_opts search_walk_opts(const struct json *args, const struct ws_place *place)
{
	return (struct walk_opts){
		.root = place->root,
		.rel = place->rel,
		.max_depth = (int)json_get_int(args, "maxDepth", WALK_DEPTH_MAX),
		.hidden = json_get_bool(args, "hidden", false),
		.no_ignore = json_get_bool(args, "noIgnore", false),
	};
}

ch_status search_open(struct tool_ctx *ctx, const struct walk_opts *opts, const struct ws_place *place, const char *shown,
		      struct walk **ret_walk, struct tool_result *ret, struct ch_err *err)
{
	ch_status rc = walk_open(opts, ret_walk, err);
	const char *near;

	if (rc != CH_E_NOT_FOUND || !(near = near_names(ctx->arena, place)))
		return rc;
	tool_result_textf(ctx, ret, "'%s' does not exist. Similar names: %s", shown, near);
	ret->is_error = true;
	return CH_OK;
}

const char *search_prefix(struct tool_ctx *ctx, const struct ws_place *place)
{
	if (!place->is_owned)
		return "";
	return str_eq(place->root.path, "/") ? "/" : arena_printf(ctx->arena, "%s/", place->root.path);
}

size_t search_rel_len(const struct ws_place *place)
{
	const char *rel = place->rel;
	size_t n = 0;

	while (*rel) {
		size_t part = strcspn(rel, "/");

		if (part && !(part == 1 && rel[0] == '.'))
			n += part + 1;
		rel += part + (rel[part] == '/');
	}
	return n;
}

void search_put_path(struct buf *out, const char *prefix, const char *path)
{
	size_t n = strlen(path);

	buf_puts(out, prefix);
	while (n) {
		uint32_t cp;
		size_t len = utf8_decode(path, n, &cp);

		if (!len || cp < 0x20 || cp == 0x7f)
			buf_puts(out, len ? "?" : "\xef\xbf\xbd");
		else
			buf_append(out, path, len);
		len += !len;
		path += len;
		n -= len;
	}
}

void search_put_notes(struct buf *out, const struct walk_tally *t, bool is_late, bool is_empty)
{
	if (is_late)
		buf_puts(out, "[time was up before everything was looked at: search a smaller directory]\n");
	else if (t->is_cut)
		buf_puts(out, "[too many files: not everything was looked at; search a smaller directory]\n");
	if (is_empty && t->left_out)
		buf_printf(out, "[%zu hidden or ignored name%s left out; hidden and noIgnore look there too]\n", t->left_out,
			   t->left_out == 1 ? " was" : "s were");
	if (t->unreadable)
		buf_printf(out, "[%zu director%s could not be opened]\n", t->unreadable, t->unreadable == 1 ? "y" : "ies");
}

bool search_is_late(const struct tool_ctx *ctx)
{
	return now_mono_ms() > ctx->deadline_ms - TIME_TO_TELL_MS;
}
