/*
 * tools/fs_edit.c - edit: parts of a text file replaced, all of them or none.
 */
#include <string.h>

#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"
#include "tools/edit_match.h"
#include "tools/file.h"
#include "tools/fs_place.h"
#include "tools/table.h"

#define EDIT_FILE_MAX (4u << 20)         /* bytes of a file that can be edited */
#define EDITS_MAX 100                    /* of one call */
#define DIFF_LINES_MAX 200               /* shown to people; the file has the rest */

struct job {
	struct ws_place place;
	const char *shown;               /* the path as the model wrote it */
	struct edit *edits;
	size_t count;
	struct buf before, after;
	bool is_unchanged;
	ch_status st;
	struct ch_err err;
};

static ch_status edit_file(struct job *j)
{
	struct ws_stamp stamp;
	bool created;
	ch_status st;

	st = ws_load_in(&j->place.root, j->place.rel, &j->before, &stamp, &j->err);
	if (st)
		return st;
	if (memchr(buf_str(&j->before), '\0', j->before.len))
		return ch_fail(&j->err, CH_E_INVALID, "'%s' is a binary file", j->shown);
	st = edit_apply(buf_str(&j->before), j->before.len, j->edits, j->count, &j->after, &j->err);
	if (st)
		return ch_wrap(&j->err, "'%s' is unchanged", j->shown);
	j->is_unchanged = j->before.len == j->after.len &&
			  !memcmp(buf_str(&j->before), buf_str(&j->after), j->after.len);
	if (j->is_unchanged)
		return CH_OK;
	return ws_replace_in(&j->place.root, j->place.rel, buf_str(&j->after), j->after.len, &stamp, &created,
			     &j->err);
}

static void edit_on_thread(void *arg)
{
	struct job *j = arg;

	j->st = edit_file(j);
}

/* Each line of text with a sign before it, as far as *room goes. */
static void diff_side(struct buf *out, char sign, const char *text, size_t len, size_t *room)
{
	const char *p = text, *end = text + len;

	while (p < end && *room) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		buf_putc(out, sign);
		buf_append(out, p, (size_t)((nl ? nl : end) - p));
		buf_putc(out, '\n');
		p = nl ? nl + 1 : end;
		(*room)--;
	}
}

static char *diff(struct arena *a, const struct job *j, size_t *ret_len)
{
	size_t room = DIFF_LINES_MAX;
	CH_AUTO_BUF struct buf out = { 0 };
	const char *text;

	buf_init(&out, EDIT_FILE_MAX * 2);
	for (size_t i = 0; i < j->count && room; i++) {
		const struct edit *e = &j->edits[i];

		buf_printf(&out, "@@ line %zu @@\n", e->line);
		diff_side(&out, '-', buf_str(&j->before) + e->at, e->len, &room);
		diff_side(&out, '+', e->new, e->new_len, &room);
	}
	if (!room)
		buf_puts(&out, "[the rest is not shown]\n");
	text = buf_str(&out);
	return utf8_repair(a, text, out.len, ret_len);
}

static void tell(struct tool_ctx *ctx, const struct job *j, struct tool_result *ret)
{
	struct arena *a = ctx->arena;
	size_t tolerant = 0, len;
	char *text;

	if (j->is_unchanged) {
		tool_result_textf(ctx, ret, "No changes: %s already is as the edits want it.", j->shown);
		return;
	}
	for (size_t i = 0; i < j->count; i++)
		tolerant += j->edits[i].is_tolerant;
	tool_result_textf(ctx, ret, "Edited %s: %zu replacement%s%s.", j->shown, j->count, j->count == 1 ? "" : "s",
			  tolerant ? ", some found without regard to white space" : "");
	text = diff(a, j, &len);
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "diff", json_new_strn(a, text, len));
	json_set(a, ret->details, "firstChangedLine", json_new_int(a, (int64_t)j->edits[0].line));
}

static void take_edits(struct tool_ctx *ctx, const struct json *list, struct job *j)
{
	j->edits = arena_alloc(ctx->arena, CH_MAX(json_len(list), 1) * sizeof(*j->edits));
	json_each(e, list) {
		const struct json *old = json_get(e, "oldText"), *new = json_get(e, "newText");

		j->edits[j->count++] = (struct edit){ .old = json_str(old), .old_len = old->len,
						      .new = json_str(new), .new_len = new->len };
	}
}

/* A part of the file stays, so a mark of the file stays, too. */
static CH_FIBER ch_status edit_placed(struct tool_ctx *ctx, struct job *j, struct ch_err *err)
{
	ch_status rc = ws_note_before_write(ctx, &j->place, err);

	if (!rc)
		rc = work_run(edit_on_thread, j, err);
	if (!rc && j->st)
		rc = ch_fail(err, j->st, "%s", j->err.text);
	return rc;
}

static CH_FIBER ch_status edit_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret,
				   struct ch_err *err)
{
	struct job j = { .shown = json_get_str(args, "path") };
	ch_status rc;

	rc = ws_place(ctx, json_get(args, "path"), WS_WRITE, &j.place, err);
	if (rc)
		return rc;
	take_edits(ctx, json_get(args, "edits"), &j);
	buf_init(&j.before, EDIT_FILE_MAX);
	buf_init(&j.after, EDIT_FILE_MAX);
	rc = edit_placed(ctx, &j, err);
	if (!rc)
		tell(ctx, &j, ret);
	buf_done(&j.before);
	buf_done(&j.after);
	ws_place_done(&j.place);
	return rc;
}

static const char *edit_meta(struct arena *a, const struct json *args)
{
	const char *path = json_get_str(args, "path");

	return path ? arena_printf(a, "in %s", path) : NULL;
}

_Static_assert(EDITS_MAX == 100, "the schema below names this limit");

const struct tool tool_edit = {
	.name = "edit",
	.label = "Edit",
	.description = "Replace parts of a text file of the workspace. Every oldText must be in the file exactly once "
		       "and edits must not overlap; if one fails, nothing is changed. Copy oldText from the file.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"file, relative to the workspace\"},"
		       "\"edits\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":100,\"items\":{\"type\":\"object\","
		       "\"properties\":{\"oldText\":{\"type\":\"string\",\"minLength\":1},"
		       "\"newText\":{\"type\":\"string\"}},"
		       "\"required\":[\"oldText\",\"newText\"],\"additionalProperties\":false}}},"
		       "\"required\":[\"path\",\"edits\"],\"additionalProperties\":false}",
	.risk = TOOL_WRITES,
	.timeout_ms = 20000,
	.out_max_bytes = 4096,
	.group = "fs",
	.has_effects = ws_writes_beyond,
	.meta = edit_meta,
	.run = edit_run,
};
