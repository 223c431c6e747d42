/*
 * channels/media_in.c - see media_in.h.
 */
#include "channels/media_in.h"

#include <string.h>

#include "channels/ingress_priv.h"
#include "channels/sniff.h"
#include "core/file.h"
#include "core/image.h"
#include "core/log.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/work.h"

#define MEDIA_MAX_DEFAULT (20LL << 20)
#define MEGABYTE (1LL << 20)
#define FETCH_AGAIN_MS 1000

/* -- taking it -- */

struct taking {
	struct chan_acct *acct;
	struct arena *arena;
	const char *workspace;
	int64_t row_id, max_bytes;
	struct json *pictures;
	size_t picture_count, picture_bytes;
	struct buf lines, placeholder;
};

static int64_t max_bytes_of(struct chan_acct *acct)
{
	const struct json *mb = chan_cfg_get(chan_acct_cfg(acct), "mediaMaxMb");
	int64_t own = chan_acct_ops(acct)->limits.media_max_bytes;

	if (mb)
		return (int64_t)(json_num_or(mb, 0) * (double)MEGABYTE);
	return own > 0 ? own : MEDIA_MAX_DEFAULT;
}

struct writing { const char *root, *rel; const struct buf *bytes; ch_status st; struct ch_err err; };

static void write_file(void *arg)
{
	struct writing *w = arg;

	w->st = file_write_beneath(w->root, w->rel, w->bytes->data, w->bytes->len, &w->err);
}

/* Off the loop: files are large. There already: it was kept before the last stop. */
CH_FIBER static ch_status keep(struct taking *t, size_t n, const char *ext, const struct buf *bytes, const char **ret, struct ch_err *err)
{
	struct writing w = { .root = t->workspace, .bytes = bytes };
	ch_status st;

	w.rel = arena_printf(t->arena, MEDIA_FOLDER "/%lld-%zu%s", (long long)t->row_id, n + 1, *ext ? ext : ".bin");
	st = work_run(write_file, &w, err);
	if (st)
		return st;
	if (w.st && w.st != CH_E_EXISTS)
		return ch_fail(err, w.st, "%s", w.err.text);
	*ret = w.rel;
	return CH_OK;
}

static void add_picture(struct taking *t, const char *mime, const struct buf *bytes)
{
	struct json *o;
	char *b64;

	if (t->picture_count >= MEDIA_PICTURES_MAX || t->picture_bytes + bytes->len > MEDIA_PICTURES_BYTES)
		return;
	b64 = arena_try_alloc(t->arena, 4 * ((bytes->len + 2) / 3) + 1);
	if (!b64)
		return;
	b64_encode(bytes->data, bytes->len, b64);
	if (!t->pictures)
		t->pictures = json_new_arr(t->arena);
	o = json_new_obj(t->arena);
	json_set(t->arena, o, "type", json_new_str(t->arena, "image"));
	json_set(t->arena, o, "mimeType", json_new_str(t->arena, mime));
	json_set(t->arena, o, "content", json_new_str(t->arena, b64));
	json_push(t->pictures, o);
	t->picture_count++;
	t->picture_bytes += bytes->len;
}

static void say(struct taking *t, const struct chan_media_in *m, const char *what)
{
	const char *name = ingress_word(t->arena, m->name), *emoji = ingress_word(t->arena, m->emoji);

	buf_printf(&t->lines, "<media:%s>%s%s%s%s%s: %s\n", chan_media_kind_name(m->kind), *emoji ? " " : "", emoji,
		   *name ? " \"" : "", name, *name ? "\"" : "", what);
	buf_printf(&t->placeholder, "%s<media:%s>%s%s", t->placeholder.len ? " " : "", chan_media_kind_name(m->kind),
		   *emoji ? " " : "", emoji);
}

CH_FIBER static ch_status fetch(struct taking *t, const struct chan_media_in *m, struct buf *out, struct ch_err *err)
{
	const struct chan_ops *ops = chan_acct_ops(t->acct);
	ch_status st;

	if (!ops->fetch || str_empty(m->ref))
		return ch_fail(err, CH_E_UNSUPPORTED, "files of this kind cannot be fetched");
	if (m->size > t->max_bytes)
		return ch_fail(err, CH_E_LIMIT, "it is too large");
	buf_init(out, (size_t)t->max_bytes);
	st = ops->fetch(t->acct, m, out, err);
	if (!st || !ch_status_retryable(st))
		return st;
	/* Once more: a network that is busy for a moment is no reason to lose a file. */
	st = fiber_sleep(FETCH_AGAIN_MS);
	if (st)
		return ch_fail(err, st, "the gateway stops");
	buf_clear(out);
	return ops->fetch(t->acct, m, out, err);
}

static const char *why_not(struct taking *t, const struct chan_media_in *m, ch_status st, const struct ch_err *err)
{
	if (st == CH_E_LIMIT && m->size)
		return arena_printf(t->arena, "not taken, it has %.1f MB and at most %.1f MB are taken (mediaMaxMb)",
				    (double)m->size / (double)MEGABYTE, (double)t->max_bytes / (double)MEGABYTE);
	if (st == CH_E_LIMIT)
		return arena_printf(t->arena, "not taken, it is larger than %.1f MB (mediaMaxMb)", (double)t->max_bytes / (double)MEGABYTE);
	if (st == CH_E_UNSUPPORTED)              /* the network says why; trying again would not help */
		return arena_printf(t->arena, "not taken: %s", err->text);
	log_warn("channels", "%s/%s: a file could not be fetched: %s; the message goes on without it", chan_acct_ops(t->acct)->id,
		 chan_acct_id(t->acct), err->text);
	return "it could not be fetched";
}

CH_FIBER static ch_status take_one(struct taking *t, const struct chan_media_in *m, size_t n, struct ch_err *err)
{
	CH_AUTO_BUF struct buf bytes = { 0 };
	const char *mime, *path = NULL;
	struct ch_err why = { 0 };
	ch_status st = fetch(t, m, &bytes, &why);

	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "the gateway stops");
	if (st) {
		say(t, m, why_not(t, m, st, &why));
		return CH_OK;
	}
	mime = sniff_mime(bytes.data, bytes.len, m->name, m->mime);
	if (t->workspace)
		st = keep(t, n, sniff_extension(mime), &bytes, &path, &why);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "the gateway stops");
	if (st)
		log_warn("channels", "%s/%s: a file could not be kept: %s; the message goes on without it", chan_acct_ops(t->acct)->id,
			 chan_acct_id(t->acct), why.text);
	if (bytes.len && image_mime(bytes.data, bytes.len))
		add_picture(t, image_mime(bytes.data, bytes.len), &bytes);
	say(t, m, arena_printf(t->arena, "%s, %zu bytes, %s", ingress_word(t->arena, mime), bytes.len,
			       path ? arena_printf(t->arena, "saved as %s in the workspace", path) : "not saved"));
	return CH_OK;
}

ch_status media_in_take(struct chan_acct *acct, const struct chan_in *in, int64_t row_id, const char *workspace, struct arena *a,
			struct chan_media_taken *ret, struct ch_err *err)
{
	struct taking t = { .acct = acct, .arena = a, .workspace = workspace, .row_id = row_id };
	ch_status st = CH_OK;

	if (!in->media_count)
		return CH_OK;
	t.max_bytes = max_bytes_of(acct);
	buf_init(&t.lines, (size_t)CHAN_MEDIA_COUNT_MAX * 1024);
	buf_init(&t.placeholder, (size_t)CHAN_MEDIA_COUNT_MAX * 128);
	for (size_t i = 0; i < in->media_count && !st; i++)
		st = take_one(&t, &in->media[i], i, err);
	if (!st)
		*ret = (struct chan_media_taken){ .attachments = t.pictures, .lines = arena_strdup(a, buf_str(&t.lines)),
						  .placeholder = arena_strdup(a, buf_str(&t.placeholder)) };
	buf_done(&t.lines);
	buf_done(&t.placeholder);
	return st;
}
