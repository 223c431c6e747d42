/*
 * tools/view_image.c - view_image: images of the workspace, as images.
 *
 * Files are told by how they begin, not by their names. All images of a call share one limit, since they
 * go to the model and into the transcript together.
 */
#include <string.h>

#include "core/image.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"
#include "tools/fs_place.h"
#include "tools/table.h"

#define IMAGES_MAX 20                    /* of one call */
#define IMAGES_BYTES_MAX 6000000         /* together; 8 MB as base64, which a transcript row can hold */

struct image {
	const char *shown;               /* the path as the model wrote it */
	struct ws_place place;
	struct buf bytes;
	const char *mime;
};
struct job {
	struct image *images;
	size_t count, total;
	ch_status st;
	struct ch_err err;
};

static ch_status load_one(struct job *j, struct image *im)
{
	struct ws_stamp stamp;
	ch_status rc;

	buf_init(&im->bytes, IMAGES_BYTES_MAX - j->total);
	rc = ws_load_in(&im->place.root, im->place.rel, &im->bytes, &stamp, &j->err);
	if (rc == CH_E_LIMIT)
		return ch_fail(&j->err, rc, "'%s' does not fit: the images of one call have at most %d bytes together", im->shown,
			       IMAGES_BYTES_MAX);
	if (rc)
		return rc;
	j->total += im->bytes.len;
	im->mime = image_mime(im->bytes.data, im->bytes.len);
	if (!im->mime)
		return ch_fail(&j->err, CH_E_INVALID, "'%s' is no PNG, JPEG, GIF or WebP image", im->shown);
	return CH_OK;
}

static void load_on_thread(void *arg)
{
	struct job *j = arg;

	for (size_t i = 0; !j->st && i < j->count; i++)
		j->st = load_one(j, &j->images[i]);
}

static ch_status add_image(struct tool_ctx *ctx, struct job *j, const struct json *path, struct ch_err *err)
{
	struct image *im = &j->images[j->count];
	ch_status rc;

	if (j->count == IMAGES_MAX)
		return ch_fail(err, CH_E_INVALID, "at most %d images can be viewed in one call", IMAGES_MAX);
	*im = (struct image){ .shown = json_str(path) };
	rc = ws_place(ctx, path, WS_READ, &im->place, err);
	if (!rc)
		j->count++;
	return rc;
}

static ch_status find_images(struct tool_ctx *ctx, const struct json *args, struct job *j, struct ch_err *err)
{
	const struct json *path = json_get(args, "path");
	ch_status rc = CH_OK;

	j->images = arena_alloc(ctx->arena, IMAGES_MAX * sizeof(*j->images));
	if (path)
		rc = add_image(ctx, j, path, err);
	json_each(item, json_get(args, "paths"))
		if (!rc)
			rc = add_image(ctx, j, item, err);
	if (!rc && !j->count)
		rc = ch_fail(err, CH_E_INVALID, "'path' or 'paths' is missing");
	return rc;
}

static void give_one(struct tool_ctx *ctx, const struct image *im, struct tool_result *ret)
{
	struct json *block = json_new_obj(ctx->arena);
	CH_AUTO_STR char *text = ch_alloc(4 * ((im->bytes.len + 2) / 3) + 1);

	b64_encode(im->bytes.data, im->bytes.len, text);
	tool_result_textf(ctx, ret, "%s [%s, %zu bytes]", im->shown, im->mime, im->bytes.len);
	json_set(ctx->arena, block, "type", json_new_str(ctx->arena, "image"));
	json_set(ctx->arena, block, "data", json_new_str(ctx->arena, text));
	json_set(ctx->arena, block, "mimeType", json_new_str(ctx->arena, im->mime));
	json_push(ret->content, block);
}

static void give(struct tool_ctx *ctx, const struct json *args, const struct job *j, struct tool_result *ret)
{
	const char *prompt = json_get_str(args, "prompt");

	for (size_t i = 0; i < j->count; i++) {
		ws_note_read_below(ctx, &j->images[i].place, j->images[i].place.rel);
		give_one(ctx, &j->images[i], ret);
	}
	if (!str_empty(prompt))
		tool_result_textf(ctx, ret, "Look for: %s", prompt);
	ret->details = json_new_obj(ctx->arena);
	json_set(ctx->arena, ret->details, "count", json_new_int(ctx->arena, (int64_t)j->count));
}

static CH_FIBER ch_status view_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	struct job j = { .images = NULL };
	ch_status rc;

	rc = find_images(ctx, args, &j, err);
	if (!rc)
		rc = work_run(load_on_thread, &j, err);
	if (!rc && j.st)
		rc = ch_fail(err, j.st, "%s", j.err.text);
	if (!rc)
		give(ctx, args, &j, ret);
	for (size_t i = 0; i < j.count; i++) {
		buf_done(&j.images[i].bytes);
		ws_place_done(&j.images[i].place);
	}
	return rc;
}

static const char *view_meta(struct arena *a, const struct json *args)
{
	const char *path = json_get_str(args, "path");
	size_t n = json_len(json_get(args, "paths"));

	if (!path)
		path = json_str(json_path(args, "paths.0"));
	return !path ? NULL : n > 1 ? arena_printf(a, "%s and more", path) : arena_strdup(a, path);
}

_Static_assert(IMAGES_MAX == 20, "the schema below names this limit");

const struct tool tool_view_image = {
	.name = "view_image",
	.label = "View Image",
	.description = "Look at images of the workspace (PNG, JPEG, GIF, WebP), up to 20 at once.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"path\":{\"type\":\"string\",\"minLength\":1},"
		       "\"paths\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":20,\"items\":{\"type\":\"string\",\"minLength\":1}},"
		       "\"prompt\":{\"type\":\"string\",\"maxLength\":4000,\"description\":\"what to look for\"}},"
		       "\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 20000,
	.out_max_bytes = 16u << 10,
	.is_parallel = true,
	.group = "media",
	.meta = view_meta,
	.run = view_run,
};
