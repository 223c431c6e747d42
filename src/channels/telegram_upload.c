/*
 * channels/telegram_upload.c - files: up with a message (multipart/form-data), and down by getFile.
 *
 * One file goes by the method of its kind, several as an album (sendMediaGroup): pictures and films together, sound alone, anything
 * else as documents, since Telegram mixes no others. What a method does not take is sent as a document instead.
 */
#include "channels/telegram.h"

#include "core/mem.h"
#include "core/str.h"
#include "net/multipart.h"

struct way { const char *method, *field; };

static const struct way ways[] = {
	[CHAN_IMAGE] = { "sendPhoto", "photo" },
	[CHAN_VIDEO] = { "sendVideo", "video" },
	[CHAN_AUDIO] = { "sendAudio", "audio" },
	[CHAN_VOICE] = { "sendVoice", "voice" },
	[CHAN_DOCUMENT] = { "sendDocument", "document" },
};
static const struct way animation = { "sendAnimation", "animation" }, video_note = { "sendVideoNote", "video_note" };

static bool is_photo(const struct chan_media_out *m)
{
	return m->kind == CHAN_IMAGE && m->len <= TG_PHOTO_MAX &&
	       (str_eq(m->mime, "image/jpeg") || str_eq(m->mime, "image/png") || str_eq(m->mime, "image/webp"));
}

/* Opus in Ogg is what a voice message is; two more kinds are taken. */
static bool is_voice(const char *mime)
{
	return str_starts(mime, "audio/ogg") || str_eq(mime, "audio/opus") || str_eq(mime, "audio/mpeg") || str_eq(mime, "audio/mp4");
}

static const struct way *way_of(const struct chan_media_out *m, bool as_document)
{
	if (as_document)
		return &ways[CHAN_DOCUMENT];
	if (str_eq(m->mime, "image/gif"))
		return m->kind == CHAN_IMAGE ? &animation : &ways[CHAN_DOCUMENT];
	switch (m->kind) {
	case CHAN_IMAGE: return &ways[is_photo(m) ? CHAN_IMAGE : CHAN_DOCUMENT];
	case CHAN_VIDEO:
		if (!str_eq(m->mime, "video/mp4"))
			return &ways[CHAN_DOCUMENT];
		return m->is_round ? &video_note : &ways[CHAN_VIDEO];
	case CHAN_AUDIO: return &ways[str_starts(m->mime, "audio/") ? CHAN_AUDIO : CHAN_DOCUMENT];
	case CHAN_VOICE: return &ways[is_voice(m->mime) ? CHAN_VOICE : str_starts(m->mime, "audio/") ? CHAN_AUDIO : CHAN_DOCUMENT];
	default: return &ways[CHAN_DOCUMENT];
	}
}

/* Parameters as the fields of a form: texts as they are, everything else as JSON. */
static void put_params(struct multipart *form, const struct json *params, struct arena *a)
{
	json_each(v, params)
		multipart_field(form, v->key, json_str(v) ? json_str(v) : json_to_str(a, v));
}

static void set_caption(struct json *v, const struct chan_out *out, bool is_plain, struct arena *a)
{
	if (str_empty(out->text))
		return;
	json_set(a, v, "caption", json_new_str(a, is_plain && out->plain ? out->plain : out->text));
	if (!is_plain)
		json_set(a, v, "parse_mode", json_new_str(a, "HTML"));
}

/* What the files of an album go as. */
static enum chan_media_kind album_kind(const struct chan_out *out, size_t i, bool as_document)
{
	bool all_seen = true, all_heard = true;

	for (size_t j = 0; j < out->media_count; j++) {
		const struct way *w = way_of(&out->media[j], as_document);

		all_seen &= w == &ways[CHAN_IMAGE] || w == &ways[CHAN_VIDEO];
		all_heard &= w == &ways[CHAN_AUDIO];
	}
	if (all_seen)
		return is_photo(&out->media[i]) ? CHAN_IMAGE : CHAN_VIDEO;
	return all_heard ? CHAN_AUDIO : CHAN_DOCUMENT;
}

static void put_album(struct multipart *form, const struct chan_out *out, bool is_plain, bool as_document, struct arena *a)
{
	struct json *media = json_new_arr(a);

	for (size_t i = 0; i < out->media_count; i++) {
		struct json *v = json_new_obj(a);

		json_set(a, v, "type", json_new_str(a, ways[album_kind(out, i, as_document)].field));
		json_set(a, v, "media", json_new_str(a, arena_printf(a, "attach://file%zu", i)));
		if (i == 0)
			set_caption(v, out, is_plain, a);
		json_push(media, v);
	}
	multipart_field(form, "media", json_to_str(a, media));
	for (size_t i = 0; i < out->media_count; i++)
		multipart_file(form, arena_printf(a, "file%zu", i), out->media[i].name, out->media[i].mime, out->media[i].data,
			       out->media[i].len);
}

ch_status tg_upload_check(const struct tg_link *l, const struct chan_out *out, struct ch_err *err)
{
	for (size_t i = 0; i < out->media_count; i++)
		if (str_eq(l->root, TG_ROOT) && out->media[i].len > (size_t)TG_UPLOAD_MAX)
			return ch_fail(err, CH_E_LIMIT, "Telegram takes files of at most %lld MB from bots, %s has %zu; a Bot API server of "
				       "your own (apiRoot) takes more", (long long)(TG_UPLOAD_MAX >> 20), out->media[i].name,
				       out->media[i].len >> 20);
	return CH_OK;
}

CH_FIBER ch_status tg_upload(const struct tg_link *l, const struct chan_out *out, bool is_plain, bool as_document, struct arena *a,
			     struct tg_answer *ret, struct ch_err *err)
{
	CH_AUTO_MULTIPART struct multipart form = { 0 };
	struct json *params = tg_out_params(out, a);
	const struct way *way = way_of(&out->media[0], as_document);
	size_t bytes = 0;

	for (size_t i = 0; i < out->media_count; i++)
		bytes += out->media[i].len;
	multipart_init(&form, bytes + (1u << 20));
	if (out->media_count > 1) {
		put_params(&form, params, a);
		put_album(&form, out, is_plain, as_document, a);
		return tg_call_form(l, "sendMediaGroup", &form, a, ret, err);
	}
	if (way != &video_note)
		set_caption(params, out, is_plain, a);
	put_params(&form, params, a);
	multipart_file(&form, way->field, out->media[0].name, out->media[0].mime, out->media[0].data, out->media[0].len);
	return tg_call_form(l, way->method, &form, a, ret, err);
}

/* A server of one's own in local mode gives an absolute path instead of one to fetch: there is nothing we may open. */
CH_FIBER ch_status tg_fetch(struct chan_acct *acct, const struct chan_media_in *m, struct buf *out, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_LINK struct tg_link l = { 0 };
	struct json *params = json_new_obj(a);
	struct tg_answer answer;
	const char *path;
	ch_status st;

	if (m->size > 0 && (uint64_t)m->size > out->max_bytes)
		return ch_fail(err, CH_E_LIMIT, "the file has %lld bytes; at most %zu are taken", (long long)m->size, out->max_bytes);
	st = tg_link_open(acct, &l, err);
	if (st)
		return st;
	json_set(a, params, "file_id", json_new_str(a, m->ref));
	st = tg_call(&l, "getFile", params, TG_CALL_MS, a, &answer, err);
	if (st && strstr(answer.description, "file is too big"))
		return ch_fail(err, CH_E_UNSUPPORTED, "Telegram gives bots no file over %lld MB", (long long)(TG_DOWNLOAD_MAX >> 20));
	if (st)
		return st;
	path = json_get_str(answer.result, "file_path");
	if (str_empty(path) || path[0] == '/')
		return ch_fail(err, CH_E_UNSUPPORTED, "Telegram getFile: %s",
			       path ? "the server keeps files on its own disk (--local); files over HTTP are needed" : "no path");
	return tg_download(&l, path, out, err);
}
