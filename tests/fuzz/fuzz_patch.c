/*
 * fuzz_patch.c - patches, and what they make of a text.
 *
 * The input is a patch, a NUL, and the text that each of its updates is applied to. What is parsed points into what was
 * given; an update takes away and adds as many lines as it says; and a text that was taken apart and put together
 * without changes is the same.
 */
#include <string.h>

#include "core/str.h"
#include "fuzz.h"
#include "tools/patch.h"

static size_t lines_of(const char *p, size_t n)
{
	size_t lines = 0;

	for (size_t i = 0; i < n; i++)
		lines += p[i] == '\n';
	return lines + (n && p[n - 1] != '\n');
}

static bool keeps_all(const struct patch_op *op)
{
	for (size_t i = 0; i < op->hunk_count; i++)
		for (size_t k = 0; k < op->hunks[i].count; k++)
			if (op->hunks[i].lines[k].sign != ' ')
				return false;
	return true;
}

static void update(const struct patch_op *op, const char *text, size_t len)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct patch_tally tally;
	struct ch_err err;
	ch_status st;

	buf_init(&out, 1u << 20);
	st = patch_update(op, text, len, &out, &tally, &err);
	FUZZ_ASSERT(!st || st == CH_E_INVALID || st == CH_E_LIMIT);
	if (st)
		return;
	FUZZ_ASSERT(lines_of(buf_str(&out), out.len) + tally.removed == lines_of(text, len) + tally.added);
	if (keeps_all(op))
		FUZZ_ASSERT(out.len == len && (!len || !memcmp(out.data, text, len)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *patch = (const char *)data, *nul = memchr(patch, 0, size), *text = nul ? nul + 1 : "";
	size_t patch_len = nul ? (size_t)(nul - patch) : size, text_len = nul ? size - patch_len - 1 : 0;
	struct patch p;
	struct ch_err err;

	if (patch_parse(a, patch, patch_len, &p, &err))
		return 0;
	FUZZ_ASSERT(p.count > 0 && p.count <= PATCH_OPS_MAX);
	for (size_t i = 0; i < p.count; i++) {
		const struct patch_op *op = &p.ops[i];

		FUZZ_ASSERT(op->path && *op->path && (!op->move_to || op->kind == PATCH_UPDATE));
		FUZZ_ASSERT(op->kind != PATCH_ADD || op->content.n <= patch_len);
		if (op->kind == PATCH_UPDATE)
			update(op, text, text_len);
	}
	return 0;
}
