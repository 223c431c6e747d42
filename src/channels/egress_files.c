/*
 * channels/egress_files.c - files to send: copied to <state>/media/outbound when they are staged, so that what is sent later, or
 * after a restart, is what was meant then. A name is used once; the file goes with its row.
 */
#include "channels/egress_priv.h"

#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include "channels/sniff.h"
#include "core/clock.h"
#include "core/file.h"
#include "core/log.h"
#include "core/rand.h"
#include "core/str.h"
#include "core/work.h"
#include "net/http_client.h"

#define REDIRECTS_MAX 5
#define NAME_MAX_BYTES 120

static const char *dir_of(const struct chan_egress *e, struct arena *a)
{
	return arena_printf(a, "%s/media/outbound", chan_host_state_dir(e->host));
}

/* Names are ours: 36 characters of a UUID. Anything else in a row was not written by this program. */
static bool is_staged_name(const char *name)
{
	return name && strlen(name) == UUID_LEN - 1 && strspn(name, "0123456789abcdef-") == UUID_LEN - 1;
}

static const char *path_of(const struct chan_egress *e, const char *staged, struct arena *a)
{
	return arena_printf(a, "%s/%s", dir_of(e, a), staged);
}

size_t egress_file_max(const struct chan_ops *ops, const struct chan_cfg *cfg)
{
	double mb = json_num_or(chan_cfg_get(cfg, "mediaMaxMb"), 0);
	double bytes = mb > 0 ? mb * (1 << 20) : (double)ops->limits.media_max_bytes;

	return bytes > 0 ? (size_t)CH_MIN(bytes, 2e9) : (size_t)20 << 20;
}

/* -- staging -- */

struct copy { const char *path; int fd; const void *data; size_t len, max_bytes; ch_status st; struct ch_err err; };

static void copy_work(void *arg)
{
	struct copy *c = arg;

	c->st = c->data ? file_write_new(c->path, c->data, c->len, &c->err)
			: file_copy_new(c->path, c->fd, c->max_bytes, &c->err);
}

static ch_status run_copy(struct copy *c, struct ch_err *err)
{
	ch_status st;

	/* Waited for whole: the descriptor and the bytes are the caller's. */
	fiber_mask(1);
	st = work_run(copy_work, c, err);
	fiber_mask(-1);
	if (!st && c->st)
		return ch_fail(err, c->st, "%s", c->err.text);
	return st;
}

/* A model's path: nothing hidden is sent, wherever it stands. */
static bool has_hidden_part(const char *path)
{
	for (const char *p = path; p; p = strchr(p, '/'), p = p ? p + 1 : NULL)
		if (*p == '.' && p[1] != '/' && p[1] != '\0')
			return true;
	return false;
}

static ch_status stage_path(const struct chan_file *f, const char *root, const char *to, size_t max_bytes, struct ch_err *err)
{
	const char *path = str_starts(f->path, "file://") ? f->path + 7 : f->path;
	FILE_AUTO_FD int fd = -1;
	struct copy c = { .path = to, .max_bytes = max_bytes };
	int64_t size;
	ch_status st;

	if (!root)
		return ch_fail(err, CH_E_DENIED, "no files of this machine are sent from here");
	st = file_open_beneath(root, path, &fd, &size, err);
	if (st)
		return st;
	if (has_hidden_part(str_starts(path, root) ? path + strlen(root) : path))
		return ch_fail(err, CH_E_DENIED, "%s is hidden: such files are not sent", path);
	if (size > (int64_t)max_bytes)
		return ch_fail(err, CH_E_LIMIT, "%s has %lld bytes, at most %zu are sent (mediaMaxMb)", path, (long long)size,
			       max_bytes);
	c.fd = fd;
	return run_copy(&c, err);
}

static ch_status fetch(struct chan_egress *e, const char *url, struct buf *ret, const char **ret_mime, struct arena *a,
		       struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *resp = NULL;
	int64_t deadline = fiber_deadline(EGRESS_FETCH_MS);
	struct http_out rq = { .url = url, .guard = GUARD_PUBLIC_ONLY, .max_redirects = REDIRECTS_MAX,
			       .headers_deadline_ms = deadline };
	ch_status st = http_open(chan_host_http(e->host), &rq, &resp, err);

	if (st)
		return st;
	if (http_resp_status(resp) != 200)
		return ch_fail(err, http_resp_status(resp) >= 500 ? CH_E_PEER : CH_E_NOT_FOUND, "its server answers %d",
			       http_resp_status(resp));
	*ret_mime = arena_strdup(a, http_resp_header(resp, "content-type"));
	st = http_read_all(resp, ret, deadline, err);
	if (st == CH_E_LIMIT)
		return ch_fail(err, st, "it has more than %zu bytes (mediaMaxMb)", ret->max_bytes);
	return st;
}

static ch_status stage_url(struct chan_egress *e, struct chan_file *f, const char *to, size_t max_bytes, struct arena *a,
			   struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct copy c = { .path = to };
	const char *mime = NULL;
	ch_status st;

	buf_init(&body, max_bytes);
	st = fetch(e, f->url, &body, &mime, a, err);
	if (st)
		return st;
	if (!f->mime && mime)
		f->mime = arena_strndup(a, mime, strcspn(mime, "; "));
	c.data = body.len ? body.data : "";
	c.len = body.len;
	return run_copy(&c, err);
}

/* The last part of a path or address, without what a file's name should not hold. */
static const char *name_from(const char *where, struct arena *a)
{
	size_t n = strcspn(where, "?#");
	const char *start = where + n;
	char *name;

	while (start > where && start[-1] != '/')
		start--;
	name = arena_strndup(a, start, utf8_cut(start, (size_t)(where + n - start), NAME_MAX_BYTES));
	for (char *p = name; *p; p++)
		if ((unsigned char)*p < ' ' || strchr("\\\"<>|:*?\x7f", *p))
			*p = '_';
	return name;
}

static const char *clean_name(const struct chan_file *f, struct arena *a)
{
	const char *from = !str_empty(f->name) ? f->name : f->path ? f->path : f->url;
	const char *name = from ? name_from(from, a) : "";

	return *name && *name != '.' ? name : "file";
}

CH_FIBER ch_status egress_file_stage(struct chan_egress *e, const char *root, size_t max_bytes, struct chan_file *f,
				     struct arena *a, struct ch_err *err)
{
	char uuid[UUID_LEN];
	struct copy c = { .data = f->data, .len = f->len };
	ch_status st = file_mkdirs(dir_of(e, a), 0700, err);

	if (st)
		return st;
	rand_uuid(uuid);
	c.path = path_of(e, uuid, a);
	if (f->data && f->len > max_bytes)
		return ch_fail(err, CH_E_LIMIT, "the file has %zu bytes, at most %zu are sent (mediaMaxMb)", f->len, max_bytes);
	if (f->data)
		st = run_copy(&c, err);
	else if (f->path)
		st = stage_path(f, root, c.path, max_bytes, err);
	else if (f->url)
		st = stage_url(e, f, c.path, max_bytes, a, err);
	else
		st = ch_fail(err, CH_E_INVALID, "a file needs a path, an address or bytes");
	if (st)
		return st;
	f->name = clean_name(f, a);
	f->staged = arena_strdup(a, uuid);
	f->path = f->url = f->data = NULL;
	f->len = 0;
	return CH_OK;
}

static void forget(struct chan_egress *e, const char *staged)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	/* What cannot be deleted now is swept at the next start. */
	if (is_staged_name(staged))
		(void)unlink(path_of(e, staged, a));
}

void egress_unstage(struct chan_egress *e, const struct chan_message *m)
{
	for (size_t i = 0; i < m->file_count; i++)
		forget(e, m->files[i].staged);
}

/* Where the agent's files are; NULL: it is not known. */
static const char *workspace(struct chan_egress *e, const char *agent_id, struct arena *a)
{
	const struct chan_up *up = chan_host_up(e->host);
	const char *path = NULL;
	struct ch_err err = { 0 };

	if (!agent_id || !up || !up->workspace)
		return NULL;
	if (up->workspace(up->arg, agent_id, a, &path, &err)) {
		log_warn("channels", "agent=%s its workspace: %s; its files are not sent", agent_id, err.text);
		return NULL;
	}
	return path;
}

CH_FIBER ch_status egress_stage(struct chan_egress *e, const char *agent_id, struct chan_message *m, struct arena *a,
				struct ch_err *err)
{
	struct chan_file *files = arena_alloc(a, (m->file_count + 1) * sizeof(*files));
	const char *root = workspace(e, agent_id, a);
	const struct chan_ops *ops = chan_host_network(e->host, m->channel);
	size_t n = m->file_count;

	if (!ops)
		return ch_fail(err, CH_E_INVALID, "there is no network '%s'", m->channel);
	if (n > CHAN_MEDIA_COUNT_MAX)
		return ch_fail(err, CH_E_INVALID, "a message has at most %d files", CHAN_MEDIA_COUNT_MAX);
	if (n)
		memcpy(files, m->files, n * sizeof(*files));
	m->files = files;
	for (size_t i = 0; i < n; i++) {
		CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = chan_cfg_new(chan_host_config(e->host), m->channel, m->account);
		ch_status st = files[i].staged ? CH_OK
					       : egress_file_stage(e, root, egress_file_max(ops, cfg), &files[i], a, err);

		if (st) {
			egress_unstage(e, m);
			return st;
		}
	}
	return CH_OK;
}

/* -- what is staged -- */

/* The bytes decide; as_voice and as_document are how the author wants them shown. */
static enum chan_media_kind kind_of(const struct chan_file *f, const char *mime)
{
	enum chan_media_kind kind = sniff_kind(mime);

	if (f->as_document)
		return CHAN_DOCUMENT;
	return f->as_voice && kind == CHAN_AUDIO ? CHAN_VOICE : kind;
}

static const char *name_for(const struct chan_file *f, const char *mime, struct arena *a)
{
	const char *name = str_empty(f->name) ? "file" : f->name;

	return strchr(name, '.') ? name : arena_printf(a, "%s%s", name, sniff_extension(mime));
}

ch_status egress_file_load(struct chan_egress *e, const struct chan_file *f, size_t max_bytes, struct arena *a,
			   struct egress_bytes *ret, struct ch_err *err)
{
	ch_status st;

	if (!is_staged_name(f->staged))
		return ch_fail(err, CH_E_INVALID, "the file '%s' is not there", f->name ? f->name : "");
	st = file_read(path_of(e, f->staged, a), max_bytes, &ret->buf, err);
	if (st) {
		buf_done(&ret->buf);
		return st;
	}
	ret->mime = sniff_mime(buf_str(&ret->buf), ret->buf.len, f->name, f->mime);
	ret->name = name_for(f, ret->mime, a);
	ret->kind = kind_of(f, ret->mime);
	return CH_OK;
}

ch_status egress_file_mime(struct chan_egress *e, const struct chan_file *f, const char **ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	FILE_AUTO_FD int fd = -1;
	char head[SNIFF_BYTES];
	int64_t size;
	ssize_t n;
	ch_status st;

	if (!is_staged_name(f->staged))
		return ch_fail(err, CH_E_INVALID, "the file '%s' is not there", f->name ? f->name : "");
	st = file_open_beneath(dir_of(e, a), f->staged, &fd, &size, err);
	if (st)
		return st;
	n = read(fd, head, sizeof(head));
	if (n < 0)
		return ch_fail(err, CH_E_IO, "the file '%s' cannot be read", f->name ? f->name : "");
	*ret = sniff_mime(head, (size_t)n, f->name, f->mime);
	return CH_OK;
}

/* -- and goes -- */

static void each_staged(const char *message, struct arena *a, void (*each)(void *arg, const char *staged), void *arg)
{
	struct json *v;

	if (!strstr(message, "\"staged\"") || json_parse(a, message, strlen(message), JSON_STRICT, &v, NULL))
		return;
	json_each(f, json_get(v, "files"))
		if (is_staged_name(json_get_str(f, "staged")))
			each(arg, json_get_str(f, "staged"));
}

static void on_drop(void *arg, const char *staged)
{
	forget(arg, staged);
}

void egress_files_drop(struct chan_egress *e, const char *message)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	each_staged(message, a, on_drop, e);
}

static void on_named(void *arg, const char *staged)
{
	map_put(arg, staged, arg);
}

static void on_message(void *arg, const char *message)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	each_staged(message, a, on_named, arg);
}

void egress_files_sweep(struct chan_egress *e)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(map_free) struct map *named = map_new();
	struct ch_err err = { 0 };
	const struct dirent *entry;
	DIR *dir = opendir(dir_of(e, a));

	if (!dir)
		return;
	if (outbox_with_files(e->db, on_message, named, &err)) {
		log_warn("channels", "files to send: %s; they are looked through at the next start", err.text);
		closedir(dir);
		return;
	}
	while ((entry = readdir(dir)))
		if (is_staged_name(entry->d_name) && !map_find(named, entry->d_name))
			forget(e, entry->d_name);
	closedir(dir);
}
