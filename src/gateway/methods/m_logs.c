/*
 * gateway/methods/m_logs.c - logs.tail: the end of the log file, or what came since a cursor.
 *
 * A cursor is a byte offset. Only whole lines are given; a line not yet finished is left for the next
 * call. The file is read from the end, at most maxBytes of it, so its size does not matter.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/str.h"
#include "gateway/methods/methods.h"

#define LIMIT_DEFAULT 500
#define LIMIT_MAX 5000
#define BYTES_DEFAULT 250000
#define BYTES_MAX 1000000

struct tail {
	int64_t size, start, end;        /* of the bytes read: [start, end) */
	bool is_truncated, is_reset;
	struct buf text;
};

static void tail_done(struct tail *t)
{
	buf_done(&t->text);
}

static void fd_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static ch_status read_range(int fd, struct tail *t, struct ch_err *err)
{
	size_t want = (size_t)(t->end - t->start);

	if (!buf_reserve(&t->text, want + 1))
		return buf_status(&t->text, err, "logs.tail");
	while (t->text.len < want) {
		ssize_t n = pread(fd, t->text.data + t->text.len, want - t->text.len,
				  t->start + (int64_t)t->text.len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "reading the log file");
		if (n == 0)
			break;
		t->text.len += (size_t)n;
	}
	return CH_OK;
}

/* Cuts to whole lines: the front when we began inside one, the back where one is unfinished. */
static void keep_whole_lines(struct tail *t, bool began_inside)
{
	size_t len = t->text.len;

	while (len > 0 && t->text.data[len - 1] != '\n')
		len--;
	buf_truncate(&t->text, len);
	t->end = t->start + (int64_t)len;
	if (began_inside && len > 0) {
		size_t skip = (size_t)((char *)memchr(t->text.data, '\n', len) - t->text.data) + 1;

		buf_consume(&t->text, skip);
		t->start += (int64_t)skip;
	}
}

/* Drops lines from the front until at most `limit` are left. */
static void keep_last(struct tail *t, int64_t limit)
{
	size_t at = t->text.len;
	int64_t lines = 0;

	while (at > 0) {
		if (t->text.data[at - 1] == '\n' && lines++ == limit)
			break;
		at--;
	}
	if (at > 0) {
		buf_consume(&t->text, at);
		t->is_truncated = true;
	}
}

/* cursor < 0: none given. */
static ch_status read_tail(const char *path, int64_t cursor, int64_t limit, int64_t max_bytes, struct tail *t,
			   struct ch_err *err)
{
	__attribute__((cleanup(fd_close))) int fd =
		open(path, O_RDONLY | O_CLOEXEC); /* raw: offsets, not whole files */
	bool began_inside;
	struct stat info;
	ch_status st;

	if (fd < 0 && errno == ENOENT)
		return CH_OK;
	if (fd < 0 || fstat(fd, &info))
		return ch_fail_errno(err, CH_E_IO, errno, "opening the log file %s", path);
	t->size = t->end = info.st_size;
	t->is_reset = cursor > t->size;          /* rotated meanwhile */
	t->start = cursor < 0 || t->is_reset ? 0 : cursor;
	began_inside = t->end - t->start > max_bytes;
	if (began_inside) {
		t->is_truncated = cursor >= 0 && !t->is_reset;
		t->start = t->end - max_bytes;
	}
	st = read_range(fd, t, err);
	if (st)
		return st;
	keep_whole_lines(t, began_inside);
	keep_last(t, limit);
	return CH_OK;
}

static void write_lines(struct jw *w, struct arena *a, const struct tail *t)
{
	const char *p = t->text.data, *end = p + t->text.len;

	jw_karr(w, "lines");
	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));
		size_t len = 0;
		char *line = utf8_repair(a, p, (size_t)(nl - p), &len);

		jw_strn(w, line, len);
		p = nl + 1;
	}
	jw_end(w);
}

static ch_status run_tail(struct gw_call *call, struct ch_err *err)
{
	const char *path = call->gw->log_path;
	struct tail t __attribute__((cleanup(tail_done))) = {0};
	ch_status st;
	struct jw *w;

	buf_init(&t.text, BYTES_MAX + 1);
	st = read_tail(path, json_get_int(call->params, "cursor", -1),
		       json_get_int(call->params, "limit", LIMIT_DEFAULT),
		       json_get_int(call->params, "maxBytes", BYTES_DEFAULT), &t, err);
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kstr(w, "file", path);
	jw_kint(w, "cursor", t.end);
	jw_kint(w, "size", t.size);
	write_lines(w, call->arena, &t);
	jw_kbool(w, "truncated", t.is_truncated);
	jw_kbool(w, "reset", t.is_reset);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param tail_params[] = {
	{ "cursor", GP_INT, .min = 0, .max = INT64_MAX },
	{ "limit", GP_INT, .min = 1, .max = LIMIT_MAX },
	{ "maxBytes", GP_INT, .min = 1, .max = BYTES_MAX },
	{0},
};

const struct gw_method gwm_logs[] = {
	/* name         run       scope          flags  params */
	{ "logs.tail",  run_tail, GW_SCOPE_READ, 0,     tail_params },
};
const size_t gwm_logs_count = CH_ARRAY_LEN(gwm_logs);
