/*
 * tools/fs_write.c - write: a whole file of the workspace, made or replaced.
 */
#include <inttypes.h>

#include "core/work.h"
#include "tools/file.h"
#include "tools/fs_place.h"
#include "tools/table.h"

#define WRITE_MAX (4u << 20)             /* bytes of one file: a model does not write more in one call */

struct job {
	struct ws_place place;
	const char *data;
	size_t len;
	bool created;
	ch_status st;
	struct ch_err err;
};

static void write_on_thread(void *arg)
{
	struct job *j = arg;

	j->st = ws_replace_in(&j->place.root, j->place.rel, j->data, j->len, NULL, &j->created, &j->err);
}

static CH_FIBER ch_status write_placed(struct tool_ctx *ctx, struct job *j, struct ch_err *err)
{
	ch_status rc = ws_note_before_write(ctx, &j->place, err);

	if (!rc)
		rc = work_run(write_on_thread, j, err);
	if (rc)
		return rc;
	if (j->st)
		return ch_fail(err, j->st, "%s", j->err.text);
	return ws_note_after_write(ctx, &j->place, err);
}

static CH_FIBER ch_status write_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret,
				    struct ch_err *err)
{
	const struct json *content = json_get(args, "content");
	struct job j = { .data = json_str(content), .len = content->len };
	struct arena *a = ctx->arena;
	ch_status rc;

	rc = ws_place(ctx, json_get(args, "path"), WS_WRITE, &j.place, err);
	if (rc)
		return rc;
	rc = write_placed(ctx, &j, err);
	ws_place_done(&j.place);
	if (rc)
		return rc;
	tool_result_textf(ctx, ret, "%s %s (%zu bytes).", j.created ? "Created" : "Replaced", json_get_str(args, "path"), j.len);
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "path", json_new_str(a, j.place.rel));
	json_set(a, ret->details, "bytes", json_new_int(a, (int64_t)j.len));
	json_set(a, ret->details, "created", json_new_bool(a, j.created));
	return CH_OK;
}

static const char *write_meta(struct arena *a, const struct json *args)
{
	const char *path = json_get_str(args, "path");

	return path ? arena_printf(a, "to %s", path) : NULL;
}

_Static_assert(WRITE_MAX == 4194304, "the schema below names this limit");

const struct tool tool_write = {
	.name = "write",
	.label = "Write",
	.description = "Write a whole file of the workspace: makes it and its directories, or replaces what it holds. "
		       "To change a part of a file use edit.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"file, relative to the workspace\"},"
		       "\"content\":{\"type\":\"string\",\"maxLength\":4194304,\"description\":\"all of its text\"}},"
		       "\"required\":[\"path\",\"content\"],\"additionalProperties\":false}",
	.risk = TOOL_WRITES,
	.timeout_ms = 20000,
	.out_max_bytes = 4096,
	.group = "fs",
	.has_effects = ws_writes_beyond,
	.meta = write_meta,
	.run = write_run,
};
