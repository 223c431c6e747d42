/*
 * tools/fs_patch.c - apply_patch: several files added, changed, moved and deleted together, or none of them.
 */
#include <string.h>

#include "config/config.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"
#include "tools/patch_commit.h"
#include "tools/table.h"

struct step {
	const struct patch_op *op;
	struct ws_place path, move_to;   /* move_to: when the operation has one */
	struct patch_done done;
};

struct job {
	struct patch patch;
	struct step *steps;
	struct patch_tx tx;
	ch_status st;
	struct ch_err err;
};

static void stage_on_thread(void *arg)
{
	struct job *j = arg;

	for (size_t i = 0; !j->st && i < j->patch.count; i++) {
		struct step *s = &j->steps[i];

		j->st = patch_tx_plan(&j->tx, s->op, &s->path, s->op->move_to ? &s->move_to : NULL, &s->done, &j->err);
	}
	if (!j->st)
		j->st = patch_tx_stage(&j->tx, &j->err);
}

static void commit_on_thread(void *arg)
{
	struct job *j = arg;

	j->st = patch_tx_commit(&j->tx, &j->err);
}

static CH_FIBER ch_status on_thread(struct job *j, void (*fn)(void *arg), struct ch_err *err)
{
	ch_status rc = work_run(fn, j, err);

	if (rc || !j->st)
		return rc;
	return ch_fail(err, j->st, "no file was changed: %s", j->err.text);
}

static ch_status find_places(struct tool_ctx *ctx, struct job *j, struct ch_err *err)
{
	unsigned access = WS_WRITE | (ws_patch_is_contained(ctx) ? WS_CONTAINED : 0);
	ch_status rc = CH_OK;

	j->steps = arena_alloc(ctx->arena, j->patch.count * sizeof(*j->steps));
	for (size_t i = 0; !rc && i < j->patch.count; i++) {
		struct step *s = &j->steps[i];

		s->op = &j->patch.ops[i];
		rc = ws_place(ctx, json_new_str(ctx->arena, s->op->path), access, &s->path, err);
		if (!rc && s->op->move_to)
			rc = ws_place(ctx, json_new_str(ctx->arena, s->op->move_to), access, &s->move_to, err);
	}
	return rc;
}

/* Marks what is about to hold text from outside: by this turn, or moved from a file that does. */
static ch_status note_before(struct tool_ctx *ctx, const struct job *j, struct ch_err *err)
{
	ch_status rc = CH_OK;

	for (size_t i = 0; !rc && i < j->patch.count; i++) {
		const struct step *s = &j->steps[i];

		if (s->op->kind == PATCH_DELETE)
			continue;
		rc = ws_note_before_write(ctx, s->op->move_to ? &s->move_to : &s->path, err);
		if (!rc && s->op->move_to && ws_is_tainted(ctx, &s->path))
			rc = ws_note_written(ctx, &s->move_to, true, err);
	}
	return rc;
}

/* Clears the marks of files that are gone, and of those that a clean turn made anew. */
static ch_status note_after(struct tool_ctx *ctx, const struct job *j, struct ch_err *err)
{
	ch_status rc = CH_OK;

	for (size_t i = 0; !rc && i < j->patch.count; i++) {
		const struct step *s = &j->steps[i];

		if (s->op->kind == PATCH_ADD)
			rc = ws_note_after_write(ctx, &s->path, err);
		else if (s->op->kind == PATCH_DELETE || s->op->move_to)
			rc = ws_note_written(ctx, &s->path, false, err);
	}
	return rc;
}

static CH_FIBER ch_status run_job(struct tool_ctx *ctx, struct job *j, struct ch_err *err)
{
	ch_status rc = find_places(ctx, j, err);

	if (!rc)
		rc = on_thread(j, stage_on_thread, err);
	if (!rc)
		rc = note_before(ctx, j, err);
	if (!rc)
		rc = on_thread(j, commit_on_thread, err);
	if (!rc)
		rc = note_after(ctx, j, err);
	return rc;
}

static void tell_step(struct buf *out, const struct step *s)
{
	const struct patch_tally *t = &s->done.tally;

	switch (s->op->kind) {
	case PATCH_ADD:
		buf_printf(out, "A %s (+%zu)", s->op->path, t->added);
		break;
	case PATCH_DELETE:
		buf_printf(out, "D %s", s->op->path);
		break;
	case PATCH_UPDATE:
		buf_printf(out, "%s %s%s%s", s->op->move_to ? "R" : "M", s->op->path, s->op->move_to ? " -> " : "",
			   s->op->move_to ? s->op->move_to : "");
		if (s->done.is_unchanged)
			buf_puts(out, " (no changes: it already is so)");
		else if (s->op->hunk_count)
			buf_printf(out, " (+%zu -%zu)%s", t->added, t->removed,
				   t->is_tolerant ? ", found without regard to white space or typography" : "");
		break;
	}
	buf_putc(out, '\n');
}

static void add_name(struct arena *a, struct json *list, const char *name)
{
	json_push(list, json_new_str(a, name));
}

static void tell(struct tool_ctx *ctx, const struct job *j, struct tool_result *ret)
{
	struct arena *a = ctx->arena;
	struct json *added = json_new_arr(a), *modified = json_new_arr(a), *deleted = json_new_arr(a);
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 1u << 20);
	buf_puts(&out, "The patch is applied:\n");
	for (size_t i = 0; i < j->patch.count; i++) {
		const struct step *s = &j->steps[i];

		tell_step(&out, s);
		if (s->op->kind == PATCH_ADD)
			add_name(a, added, s->op->path);
		else if (s->op->kind == PATCH_DELETE)
			add_name(a, deleted, s->op->path);
		else
			add_name(a, modified, s->op->move_to ? s->op->move_to : s->op->path);
	}
	tool_result_text(ctx, ret, buf_str(&out), out.len - 1);
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "summary", json_new_obj(a));
	json_set(a, json_get(ret->details, "summary"), "added", added);
	json_set(a, json_get(ret->details, "summary"), "modified", modified);
	json_set(a, json_get(ret->details, "summary"), "deleted", deleted);
}

static void finish(struct job *j)
{
	patch_tx_done(&j->tx);
	for (size_t i = 0; j->steps && i < j->patch.count; i++) {
		ws_place_done(&j->steps[i].path);
		ws_place_done(&j->steps[i].move_to);
	}
}

static CH_FIBER ch_status patch_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret, struct ch_err *err)
{
	const struct json *input = json_get(args, "input");
	struct job j = { .steps = NULL };
	ch_status rc;

	rc = patch_parse(ctx->arena, json_str(input), input->len, &j.patch, err);
	if (rc)
		return rc;
	patch_tx_init(&j.tx);
	rc = run_job(ctx, &j, err);
	if (!rc)
		tell(ctx, &j, ret);
	finish(&j);
	return rc;
}

static bool patch_is_available(const struct tool_host *host, const char *agent_id, struct arena *a, const char **ret_why)
{
	const struct config *c = host->config ? host->config(host->arg) : NULL;
	const struct json *own, *mine;

	if (!c)
		return true;
	own = json_get(json_get(config_get(c, "agents.entries"), agent_id), "tools");
	mine = json_path(own, "exec.applyPatch.enabled");

	if (mine ? json_bool_or(mine, true) : config_bool(c, "tools.exec.applyPatch.enabled", true))
		return true;
	*ret_why = "tools.exec.applyPatch.enabled is false";
	return false;
}

static bool patch_has_effects(const struct tool_ctx *ctx, const struct json *args)
{
	const struct json *input = json_get(args, "input");
	struct patch p;

	if (!json_str(input) || patch_parse(ctx->arena, json_str(input), input->len, &p, NULL))
		return false;            /* will be refused */
	for (size_t i = 0; i < p.count; i++)
		if (ws_is_beyond(ctx, p.ops[i].path) || ws_is_beyond(ctx, p.ops[i].move_to))
			return true;
	return false;
}

static const char *patch_meta(struct arena *a, const struct json *args)
{
	struct patch p;
	const struct json *input = json_get(args, "input");

	if (!json_str(input) || patch_parse(a, json_str(input), input->len, &p, NULL))
		return NULL;
	return p.count == 1 ? arena_printf(a, "in %s", p.ops[0].path) : arena_printf(a, "in %s and %zu more", p.ops[0].path, p.count - 1);
}

_Static_assert(PATCH_MAX == 4194304, "the schema below names this limit");

const struct tool tool_apply_patch = {
	.name = "apply_patch",
	.label = "Apply Patch",
	.description = "Change several files together, or none. input: '*** Begin Patch', then per file '*** Add File: p' "
		       "(lines with +), '*** Delete File: p' or '*** Update File: p' ('*** Move to: q' may follow) with hunks of "
		       "'@@ line above' and lines that begin with ' ', '-' or '+'; '*** End Patch'.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"input\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4194304,\"description\":\"the whole patch\"}},"
		       "\"required\":[\"input\"],\"additionalProperties\":false}",
	.risk = TOOL_WRITES,
	.timeout_ms = 60000,
	.out_max_bytes = 16u << 10,
	.group = "fs",
	.has_effects = patch_has_effects,
	.is_available = patch_is_available,
	.meta = patch_meta,
	.run = patch_run,
};
