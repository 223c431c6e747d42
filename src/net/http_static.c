/*
 * net/http_static.c - files over HTTP: embedded ones, and those below a directory.
 *
 * A file is opened by openat2(RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS): the
 * kernel, not string handling, guarantees that it lies below the root. The
 * checks of the path in front of that only keep dot files and odd names out.
 */
#include "net/http_static.h"

#include <errno.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <zlib.h>

#include "core/buf.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "core/work.h"

#define WHOLE_MAX (256u * 1024u)        /* up to this a file is read at once, on the loop's thread */
#define PIECE_BYTES (128u * 1024u)
#define PIECE_MS 30000                  /* a client must take a piece in that time */
#define PLAIN_MAX ((size_t)64 << 20)    /* of an embedded asset, unpacked */

static const struct { const char *suffix, *type; } types[] = {
	{ ".html",        "text/html; charset=utf-8" },
	{ ".js",          "text/javascript; charset=utf-8" },
	{ ".mjs",         "text/javascript; charset=utf-8" },
	{ ".css",         "text/css; charset=utf-8" },
	{ ".json",        "application/json; charset=utf-8" },
	{ ".map",         "application/json; charset=utf-8" },
	{ ".webmanifest", "application/manifest+json" },
	{ ".txt",         "text/plain; charset=utf-8" },
	{ ".md",          "text/markdown; charset=utf-8" },
	{ ".xml",         "text/xml; charset=utf-8" },
	{ ".csv",         "text/csv; charset=utf-8" },
	{ ".svg",         "image/svg+xml" },
	{ ".png",         "image/png" },
	{ ".jpg",         "image/jpeg" },
	{ ".jpeg",        "image/jpeg" },
	{ ".gif",         "image/gif" },
	{ ".webp",        "image/webp" },
	{ ".avif",        "image/avif" },
	{ ".ico",         "image/vnd.microsoft.icon" },
	{ ".woff",        "font/woff" },
	{ ".woff2",       "font/woff2" },
	{ ".ttf",         "font/ttf" },
	{ ".wasm",        "application/wasm" },
	{ ".pdf",         "application/pdf" },
	{ ".mp3",         "audio/mpeg" },
	{ ".ogg",         "audio/ogg" },
	{ ".wav",         "audio/wav" },
	{ ".mp4",         "video/mp4" },
	{ ".webm",        "video/webm" },
	{ ".zip",         "application/zip" },
	{ ".gz",          "application/gzip" },
};

const char *http_content_type(const char *path)
{
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < CH_ARRAY_LEN(types); i++) {
		if (str_ieq(types[i].suffix, dot))
			return types[i].type;
	}
	return "application/octet-stream";
}

/* -- conditions (RFC 9110 12.5.3, 13.1.2) -- */

/* "gzip", "x;q=0, gzip;q=0.5", "*"; not "gzip;q=0". */
static bool accepts_gzip(const struct http_request *rq)
{
	const char *p = http_header(rq, "accept-encoding");
	bool any = false;

	while (p && *p) {
		size_t n, name_len;
		const char *q;
		bool is_zero;

		p += strspn(p, " \t,");
		n = strcspn(p, ",");
		name_len = strcspn(p, " \t;,");
		q = memmem(p, n, "q=", 2);
		is_zero = q && q[2] == '0' && strspn(q + 2, "0.") >= strcspn(q + 2, " \t;,");
		if (name_len == 4 && !strncasecmp(p, "gzip", 4))
			return !is_zero;
		if (name_len == 1 && *p == '*')
			any = !is_zero;
		p += n;
	}
	return any;
}

/* Weak comparison with each of a list; "*" is any. */
static bool has_etag(const char *list, const char *etag)
{
	size_t n = strlen(etag);

	while (list && *list) {
		list += strspn(list, " \t,");
		if (*list == '*')
			return true;
		if (!strncmp(list, "W/", 2))
			list += 2;
		if (!strncmp(list, etag, n) && strchr(" \t,", list[n]))
			return true;
		list += strcspn(list, ",");
	}
	return false;
}

static void put_headers(struct http_call *c, const char *etag, bool is_immutable, bool varies, bool is_gzip)
{
	http_reply_header(c, "ETag", etag);
	if (!http_reply_has_header(c, "cache-control"))
		http_reply_header(c, "Cache-Control",
				  is_immutable ? "public, max-age=31536000, immutable" : "no-cache");
	if (!http_reply_has_header(c, "x-content-type-options"))
		http_reply_header(c, "X-Content-Type-Options", "nosniff");
	if (varies)
		http_reply_header(c, "Vary", "Accept-Encoding");
	if (is_gzip)
		http_reply_header(c, "Content-Encoding", "gzip");
}

/* -- embedded -- */

static bool inflate_all(const unsigned char *data, size_t len, struct buf *out)
{
	z_stream z = { .next_in = (unsigned char *)data, .avail_in = (unsigned)len };
	int st = Z_MEM_ERROR;

	if (inflateInit2(&z, 16 + MAX_WBITS) != Z_OK)
		return false;
	do {
		if (!buf_reserve(out, len + 4096))
			break;
		z.next_out = (unsigned char *)out->data + out->len;
		z.avail_out = (unsigned)(out->cap - out->len - 1);
		st = inflate(&z, Z_NO_FLUSH);
		out->len = (size_t)((char *)z.next_out - out->data);
	} while (st == Z_OK);
	inflateEnd(&z);
	return !out->failed && st == Z_STREAM_END;
}

/* The two forms of one asset are two representations: each has an ETag of its own. */
static const char *plain_etag(struct arena *a, const char *etag)
{
	size_t n = strlen(etag);

	return n && etag[n - 1] == '"' ? arena_printf(a, "%.*s-plain\"", (int)n - 1, etag) : etag;
}

void http_static_asset(struct http_call *c, const struct http_request *rq, const struct http_asset *asset)
{
	CH_AUTO_BUF struct buf plain = { 0 };
	bool as_gzip = asset->is_gzip && accepts_gzip(rq);
	const char *etag = asset->is_gzip && !as_gzip ? plain_etag(rq->arena, asset->etag) : asset->etag;

	buf_init(&plain, PLAIN_MAX);
	if (has_etag(http_header(rq, "if-none-match"), etag)) {
		put_headers(c, etag, asset->is_immutable, asset->is_gzip, false);
		http_reply(c, 304, NULL, NULL, 0);
	} else if (as_gzip == asset->is_gzip) {
		put_headers(c, etag, asset->is_immutable, asset->is_gzip, as_gzip);
		http_reply(c, 200, asset->content_type, asset->data, asset->len);
	} else if (inflate_all(asset->data, asset->len, &plain)) {
		put_headers(c, etag, asset->is_immutable, true, false);
		http_reply(c, 200, asset->content_type, plain.data, plain.len);
	} else {
		http_reply_error(c, 500, "internal", "the asset cannot be unpacked");
	}
}

/* -- from a directory -- */

struct file {
	int fd;
	struct stat info;
};

static void file_done(struct file *f)
{
	if (f->fd >= 0)
		close(f->fd);
}

/* A regular file below root; -1 in ret->fd when there is none that may be served. */
static ch_status open_below(int root, const char *path, struct file *ret, struct ch_err *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, /* a fifo has no one to wait for */
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
	};

	ret->fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
	if (ret->fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EXDEV || errno == ELOOP ||
			    errno == EACCES || errno == ENAMETOOLONG || errno == ENXIO))
		return CH_OK;
	if (ret->fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot open a file below the static root");
	if (!fstat(ret->fd, &ret->info) && S_ISREG(ret->info.st_mode))
		return CH_OK;
	close(ret->fd);
	ret->fd = -1;
	return CH_OK;
}

static bool is_servable(const char *path)
{
	if (!*path || *path == '/' || strchr(path, '\\'))
		return false;
	for (const char *segment = path; segment; segment = strchr(segment, '/')) {
		segment += *segment == '/';
		if (*segment == '.' || *segment == '/' || !*segment)
			return false;
	}
	return true;
}

static const char *file_etag(struct arena *a, const struct stat *info, bool is_gzip)
{
	return arena_printf(a, "\"%llx-%llx-%llx%s\"", (unsigned long long)info->st_ino,
			    (unsigned long long)info->st_size,
			    (unsigned long long)info->st_mtim.tv_sec * 1000000000u +
				    (unsigned long long)info->st_mtim.tv_nsec,
			    is_gzip ? "-gz" : "");
}

struct piece {
	int fd;
	char *at;
	size_t want;
	off_t offset;
	ssize_t got;
	int error;
};

static void read_piece(void *arg)
{
	struct piece *p = arg;

	do {
		p->got = pread(p->fd, p->at, p->want, p->offset);
	} while (p->got < 0 && errno == EINTR);
	p->error = errno;
}

static ch_status fail_read(const struct piece *p, struct ch_err *err)
{
	if (p->got < 0)
		return ch_fail_errno(err, CH_E_IO, p->error, "cannot read a static file");
	return ch_fail(err, CH_E_IO, "a static file became shorter while it was read");
}

/* Small files: read and answered in one go. */
static ch_status reply_whole(struct http_call *c, const struct file *f, const char *type, struct ch_err *err)
{
	CH_AUTO_BUF struct buf bytes = { 0 };
	size_t size = (size_t)f->info.st_size;

	buf_init(&bytes, WHOLE_MAX);
	if (!buf_reserve(&bytes, size))
		return buf_status(&bytes, err, "a static file");
	while (bytes.len < size) {
		struct piece p = { f->fd, bytes.data + bytes.len, size - bytes.len, (off_t)bytes.len };

		read_piece(&p);
		if (p.got <= 0)
			return fail_read(&p, err);
		bytes.len += (size_t)p.got;
	}
	http_reply(c, 200, type, bytes.data, bytes.len);
	return CH_OK;
}

static ch_status send_piece(struct http_call *c, int fd, char *piece, off_t *offset, off_t size,
			    struct ch_err *err)
{
	struct piece p = { fd, piece, (size_t)CH_MIN(size - *offset, (off_t)PIECE_BYTES), *offset };
	ch_status st = work_run(read_piece, &p, err);

	if (st)
		return st;
	if (p.got <= 0)
		return fail_read(&p, err);
	*offset += p.got;
	st = http_stream_write(c, piece, (size_t)p.got, fiber_deadline(PIECE_MS));
	return st ? ch_fail(err, st, "the client does not take a static file") : CH_OK;
}

/*
 * Large files: piece by piece, read on a worker so that a slow disk stops
 * nobody else. Once begun, a failure can only be told by cutting the answer.
 */
static ch_status reply_stream(struct http_call *c, const struct http_request *rq, const struct file *f,
			      const char *type)
{
	bool is_head = !strcmp(rq->method, "HEAD");
	char *piece = arena_alloc(rq->arena, PIECE_BYTES);
	off_t size = f->info.st_size, offset = 0;
	struct ch_err err = { 0 };
	ch_status st;

	http_reply_header(c, "Content-Length", arena_printf(rq->arena, "%lld", (long long)size));
	st = http_stream_begin(c, 200, type);
	while (!st && !is_head && offset < size)
		st = send_piece(c, f->fd, piece, &offset, size, &err);
	if (st)
		log_debug("http", "%s was cut at byte %lld: %s", log_quote(rq->path), (long long)offset,
			  err.text);
	http_stream_end(c);
	return CH_OK;
}

/* The .gz beside the file is taken when the client wants it and it is not older. */
static ch_status open_best(const struct http_request *rq, int root, const char *path, struct file *ret,
			   bool *ret_is_gzip, struct ch_err *err)
{
	__attribute__((cleanup(file_done))) struct file packed = { .fd = -1 };
	ch_status st;

	*ret_is_gzip = false;
	st = open_below(root, path, ret, err);
	if (st || ret->fd < 0 || !accepts_gzip(rq))
		return st;
	st = open_below(root, arena_printf(rq->arena, "%s.gz", path), &packed, err);
	if (st || packed.fd < 0 || packed.info.st_mtim.tv_sec < ret->info.st_mtim.tv_sec)
		return st;
	file_done(ret);
	*ret = packed;
	packed.fd = -1;
	*ret_is_gzip = true;
	return CH_OK;
}

static ch_status serve(struct http_call *c, const struct http_request *rq, const struct file *f,
		       const char *path, bool is_gzip, struct ch_err *err)
{
	const char *etag = file_etag(rq->arena, &f->info, is_gzip);

	if (has_etag(http_header(rq, "if-none-match"), etag)) {
		put_headers(c, etag, false, true, false);
		http_reply(c, 304, NULL, NULL, 0);
		return CH_OK;
	}
	put_headers(c, etag, false, true, is_gzip);
	if (f->info.st_size <= WHOLE_MAX)
		return reply_whole(c, f, http_content_type(path), err);
	return reply_stream(c, rq, f, http_content_type(path));
}

ch_status http_static_file(struct http_call *c, const struct http_request *rq, const char *root,
			   const char *rel_path, struct ch_err *err)
{
	__attribute__((cleanup(file_done))) struct file below = { .fd = -1 }, top = { .fd = -1 };
	bool is_gzip;
	ch_status st;

	if (!is_servable(rel_path))
		return ch_fail(err, CH_E_NOT_FOUND, "no such file");
	/* Closed by file_done(), and on exec. The root itself may be a link: its owner configured it. */
	top.fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top.fd < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "cannot open the static root %s", root);
	st = open_best(rq, top.fd, rel_path, &below, &is_gzip, err);
	if (st)
		return st;
	if (below.fd < 0)
		return ch_fail(err, CH_E_NOT_FOUND, "no such file");
	return serve(c, rq, &below, rel_path, is_gzip, err);
}
