/*
 * tools/fs_read.c - read: text by lines, or an image, from the workspace.
 *
 * A text that does not fit is given in pieces. Each piece ends with a note that
 * names the lines shown and a cursor "<line>:<byte>:<stamp>": where the next piece
 * begins, and a stamp of size and time so that a changed file is noticed instead of
 * being read from a wrong place. Memory and time are bounded whatever the file's size.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/image.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"
#include "tools/fs_near.h"
#include "tools/table.h"

#define READ_TEXT_MAX (48u << 10)        /* of one call: what a model can use at once */
#define READ_LINES_MAX 2000
#define READ_SCAN_MAX (64ll << 20)       /* bytes looked at to find a line: bounds the time of one call */
#define READ_INLINE_MAX (256 << 10)      /* smaller files are read on the loop thread: cheaper than a switch */
#define READ_IMAGE_MAX 6000000           /* bytes; 8 MB as base64, which a transcript row can hold */
#define CHUNK_BYTES (64u << 10)
#define SNIFF_BYTES 8192

struct job {
	const char *rel;                 /* as the model wrote it */
	int64_t offset, limit;           /* lines; offset counts from 1 */
	int64_t cursor_line, cursor_byte;        /* with a cursor; else 1, 0 */
	uint64_t cursor_stamp;
	bool has_cursor;
	/* out */
	struct buf out;
	const char *mime;                /* an image */
	int64_t size, first_line, next_line, next_byte;
	bool more, ends_with_newline;
	uint64_t stamp;
	ch_status st;
	struct ch_err err;
};

static uint64_t stamp_of(const struct stat *st)
{
	return ((uint64_t)st->st_size * 1000003u) ^ (uint64_t)st->st_mtim.tv_sec ^
	       ((uint64_t)st->st_mtim.tv_nsec << 20);
}

static ssize_t read_at(struct job *j, int fd, char *p, size_t n, int64_t at)
{
	ssize_t got;

	do
		got = pread(fd, p, n, at);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		j->st = ch_fail_errno(&j->err, CH_E_IO, errno, "cannot read '%s'", j->rel);
	return got;
}

static void read_image(struct job *j, int fd, char *chunk)
{
	if (j->size > READ_IMAGE_MAX) {
		j->st = ch_fail(&j->err, CH_E_LIMIT, "'%s' is an image of %" PRId64 " bytes; the limit is %d", j->rel,
				j->size, READ_IMAGE_MAX);
		return;
	}
	buf_init(&j->out, READ_IMAGE_MAX);
	for (;;) {
		ssize_t n = read_at(j, fd, chunk, CHUNK_BYTES, (int64_t)j->out.len);

		if (n <= 0)
			break;
		buf_append(&j->out, chunk, (size_t)n);
		if (j->out.failed)
			break;
	}
	if (!j->st)
		j->st = buf_status(&j->out, &j->err, j->rel);
}

/* Takes what this chunk has for us; false when the piece is complete. */
static bool take_lines(struct job *j, const char *p, size_t n)
{
	size_t used = 0;

	while (used < n) {
		const char *nl = memchr(p + used, '\n', n - used);
		size_t len = nl ? (size_t)(nl - (p + used)) + 1 : n - used;

		if (j->next_line >= j->offset) {
			size_t room = READ_TEXT_MAX - j->out.len;

			if (!j->out.len)
				j->first_line = j->next_line;
			if (!room || j->next_line - j->first_line >= j->limit)
				break;
			if (len > room && j->out.len)
				break;           /* whole lines, if there is at least one */
			if (len > room)
				len = CH_MAX(utf8_cut(p + used, len, room), 1);
			buf_append(&j->out, p + used, len);
		}
		used += len;
		j->ends_with_newline = p[used - 1] == '\n';
		j->next_line += j->ends_with_newline;
	}
	j->next_byte += (int64_t)used;
	return used == n;
}

static void read_text(struct job *j, int fd, char *chunk, size_t have)
{
	int64_t scanned = 0;

	j->next_line = j->cursor_line;
	j->next_byte = j->cursor_byte;
	j->first_line = j->cursor_line;
	buf_init(&j->out, READ_TEXT_MAX + 8);
	if (j->has_cursor)
		have = 0;                /* the chunk read for sniffing is not where we begin */
	for (;;) {
		ssize_t n = (ssize_t)have;

		if (!n)
			n = read_at(j, fd, chunk, CHUNK_BYTES, j->next_byte);
		have = 0;
		if (n <= 0)
			return;
		if (!take_lines(j, chunk, (size_t)n)) {
			j->more = true;
			return;
		}
		scanned += n;
		if (scanned > READ_SCAN_MAX) {
			j->st = ch_fail(&j->err, CH_E_LIMIT, "line %" PRId64 " of '%s' is more than %lld bytes into it",
					j->offset, j->rel, READ_SCAN_MAX);
			return;
		}
	}
}

static void read_opened(struct job *j, int fd)
{
	CH_AUTO(ch_free) void *chunk = ch_alloc(CHUNK_BYTES);
	ssize_t n;

	n = read_at(j, fd, chunk, CHUNK_BYTES, 0);
	if (n < 0)
		return;
	j->mime = image_mime(chunk, (size_t)n);
	if (j->mime) {
		read_image(j, fd, chunk);
		return;
	}
	if (memchr(chunk, '\0', CH_MIN((size_t)n, SNIFF_BYTES))) {
		j->st = ch_fail(&j->err, CH_E_INVALID, "'%s' is a binary file (%" PRId64 " bytes); only text and PNG, JPEG, "
				"GIF or WebP images can be read", j->rel, j->size);
		return;
	}
	if (j->has_cursor && j->cursor_stamp != j->stamp) {
		j->st = ch_fail(&j->err, CH_E_CONFLICT, "'%s' changed since that cursor was given; read it again with offset",
				j->rel);
		return;
	}
	read_text(j, fd, chunk, (size_t)n);
}

struct opened { struct job *job; int fd; };

static void read_on_thread(void *arg)
{
	struct opened *o = arg;

	read_opened(o->job, o->fd);
}

static ch_status parse_cursor(struct job *j, const char *text, struct ch_err *err)
{
	int end = 0;

	if (!text)
		return CH_OK;
	if (sscanf(text, "%" SCNd64 ":%" SCNd64 ":%" SCNx64 "%n", &j->cursor_line, &j->cursor_byte, &j->cursor_stamp,
		   &end) != 3 || text[end] || j->cursor_line < 1 || j->cursor_byte < 0)
		return ch_fail(err, CH_E_INVALID, "the cursor '%.60s' is not one that read gave", text);
	j->has_cursor = true;
	return CH_OK;
}

static void give_image(struct tool_ctx *ctx, struct job *j, struct tool_result *ret)
{
	struct json *block = json_new_obj(ctx->arena);
	CH_AUTO(ch_free) void *text = ch_alloc(4 * ((j->out.len + 2) / 3) + 1);

	b64_encode(j->out.data, j->out.len, text);
	tool_result_textf(ctx, ret, "Read image file [%s]", j->mime);
	json_set(ctx->arena, block, "type", json_new_str(ctx->arena, "image"));
	json_set(ctx->arena, block, "data", json_new_str(ctx->arena, text));
	json_set(ctx->arena, block, "mimeType", json_new_str(ctx->arena, j->mime));
	json_push(ret->content, block);
}

static void give_text(struct tool_ctx *ctx, struct job *j, struct tool_result *ret)
{
	struct arena *a = ctx->arena;
	size_t len = j->out.len;
	const char *text = buf_str(&j->out);
	bool is_clean = utf8_valid(text, len);
	CH_AUTO_BUF struct buf all = { 0 };

	if (!is_clean)
		text = utf8_repair(a, text, len, &len);
	buf_init(&all, READ_TEXT_MAX * 4);
	buf_append(&all, text, len);
	if (!len)
		buf_puts(&all, "[the file is empty]");
	if (j->more || j->first_line > 1 || j->has_cursor) {
		int64_t last = j->next_line - j->ends_with_newline;

		buf_printf(&all, "%s[lines %" PRId64 "-%" PRId64 "%s, %" PRId64 " of %" PRId64 " bytes so far.",
			   len && text[len - 1] != '\n' ? "\n" : "", j->first_line, last,
			   j->more ? "" : " (end of file)", j->next_byte, j->size);
		if (j->more)
			buf_printf(&all, " Continue with cursor \"%" PRId64 ":%" PRId64 ":%" PRIx64 "\".", j->next_line,
				   j->next_byte, j->stamp);
		buf_putc(&all, ']');
	}
	if (!is_clean)
		buf_puts(&all, "\n[bytes that are not UTF-8 are shown as U+FFFD]");
	tool_result_text(ctx, ret, buf_str(&all), all.len);
	ret->details = json_new_obj(a);
	json_set(a, ret->details, "kind", json_new_str(a, "text"));
	json_set(a, ret->details, "content", json_new_strn(a, text, len));
	if (j->more)
		json_set(a, ret->details, "truncated", json_new_bool(a, true));
}

static ch_status give(struct tool_ctx *ctx, struct job *j, struct tool_result *ret, struct ch_err *err)
{
	if (j->st)
		return ch_fail(err, j->st, "%s", j->err.text);
	if (j->mime) {
		give_image(ctx, j, ret);
		return CH_OK;
	}
	if (j->offset > 1 && !j->out.len)
		return ch_fail(err, CH_E_INVALID, "offset %" PRId64 " is past the end of '%s', which has %" PRId64 " lines",
			       j->offset, j->rel, j->next_line - (!j->next_byte || j->ends_with_newline));
	give_text(ctx, j, ret);
	return CH_OK;
}

/* A directory, or a name that is not there: an answer that helps to the next call. True when it was given. */
static bool give_help(struct tool_ctx *ctx, const struct ws_place *p, const char *shown, ch_status rc, struct tool_result *ret)
{
	const char *help;

	if (rc == CH_E_INVALID && (help = near_directory(ctx->arena, p)))
		tool_result_textf(ctx, ret, "'%s' is %s. Read one of its files; list and find show more.", shown, help);
	else if (rc == CH_E_NOT_FOUND && (help = near_names(ctx->arena, p)))
		tool_result_textf(ctx, ret, "'%s' does not exist. Similar names: %s", shown, help);
	else
		return false;
	ret->is_error = true;
	return true;
}

static CH_FIBER ch_status read_file(struct tool_ctx *ctx, struct job *j, int fd, const struct stat *st, struct tool_result *ret,
				    struct ch_err *err)
{
	struct opened o = { .job = j, .fd = fd };
	ch_status rc = CH_OK;

	j->size = st->st_size;
	j->stamp = stamp_of(st);
	if (st->st_size <= READ_INLINE_MAX)
		read_opened(j, fd);
	else
		rc = work_run(read_on_thread, &o, err);
	return rc ? rc : give(ctx, j, ret, err);
}

static CH_FIBER ch_status read_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret,
				   struct ch_err *err)
{
	struct job j = {
		.rel = json_get_str(args, "path"),
		.offset = json_get_int(args, "offset", 1),
		.limit = json_get_int(args, "limit", READ_LINES_MAX),
		.cursor_line = 1,
	};
	WS_AUTO_PLACE struct ws_place place = { 0 };
	WS_AUTO_FD int fd = -1;
	struct stat st;
	ch_status rc;

	rc = ws_place(ctx, json_get(args, "path"), WS_READ, &place, err);
	if (!rc)
		rc = parse_cursor(&j, json_get_str(args, "cursor"), err);
	if (rc)
		return rc;
	if (j.has_cursor)
		j.offset = j.cursor_line;
	rc = wk_open_file(&place.root, place.rel, &fd, &st, err);
	if (rc)
		return give_help(ctx, &place, j.rel, rc, ret) ? CH_OK : rc;
	ws_note_read(ctx, fd);
	rc = read_file(ctx, &j, fd, &st, ret, err);
	buf_done(&j.out);
	return rc;
}

static const char *read_meta(struct arena *a, const struct json *args)
{
	const char *path = json_get_str(args, "path");
	int64_t offset = json_get_int(args, "offset", 0);

	if (!path)
		return NULL;
	if (offset > 1)
		return arena_printf(a, "from %s, line %" PRId64, path, offset);
	return arena_printf(a, "from %s", path);
}

const struct tool tool_read = {
	.name = "read",
	.label = "Read",
	.description = "Read a file of the workspace. Text comes by lines (at most 2000 lines or 48 KiB a call); a longer "
		       "file ends with a note and a cursor for the next call. PNG, JPEG, GIF and WebP come as an image.",
	.schema_json = "{\"type\":\"object\",\"properties\":{"
		       "\"path\":{\"type\":\"string\",\"minLength\":1,\"description\":\"file, relative to the workspace\"},"
		       "\"offset\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"first line, from 1\"},"
		       "\"limit\":{\"type\":\"integer\",\"minimum\":1,\"maximum\":2000,\"description\":\"lines\"},"
		       "\"cursor\":{\"type\":\"string\",\"description\":\"from the note of the call before\"}},"
		       "\"required\":[\"path\"],\"additionalProperties\":false}",
	.risk = TOOL_READS,
	.timeout_ms = 20000,
	.out_max_bytes = 64u << 10,
	.group = "fs",
	.is_parallel = true,
	.meta = read_meta,
	.run = read_run,
};
