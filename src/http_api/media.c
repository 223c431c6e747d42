/*
 * http_api/media.c - GET /api/chat/media/<session key>/<message id>/<n>: the n-th picture of a message.
 *
 * Histories name large pictures instead of carrying them; here they are, for whoever may read the history. What is
 * sent is what the bytes are, and nothing in them can run.
 */
#include "core/image.h"
#include "core/str.h"
#include "http_api/api_error.h"
#include "http_api/api_path.h"
#include "http_api/handlers.h"
#include "sessions/transcript.h"

#define PARTS 6                          /* api, chat, media, key, message, number */

static const struct json *nth_image(const struct json *message, int64_t n)
{
	json_each(block, json_get(message, "content"))
		if (str_eq(json_get_str(block, "type"), "image") && n-- == 0)
			return json_get(block, "data");
	return NULL;
}

static ch_status find_data(struct gw *gw, struct arena *a, const char *const *parts, const struct json **ret,
			   struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;
	struct tr_entry e;
	struct json *message;
	int64_t n;
	ch_status st;

	if (!str_to_i64(parts[5], &n) || n < 0)
		return ch_fail(err, CH_E_NOT_FOUND, "Not Found");
	st = sess_key_parse(a, parts[3], agent_default_id(gw_config(gw), a), &key, err);
	if (!st)
		st = sess_find(gw->sessions, key.key, &s, err);
	if (!st)
		st = tr_find(gw->sessions, s->session_id, parts[4], a, &e, err);
	if (!st)
		st = json_parse(a, e.message, e.message_len, JSON_STRICT, &message, err);
	if (st)
		return st;
	*ret = nth_image(message, n);
	return json_str(*ret) ? CH_OK : ch_fail(err, CH_E_NOT_FOUND, "Not Found");
}

void media(struct http_call *call, const struct http_request *rq, void *arg)
{
	const char *parts[PARTS], *mime;
	const struct json *data;
	size_t n, len = 0;
	char *bytes;
	struct ch_err err = { .text = "Not Found" };

	if (!api_path_parts(rq, parts, PARTS, &n) || n != PARTS || find_data(arg, rq->arena, parts, &data, &err)) {
		api_error_reply(call, &api_gateway, 404, "Not Found");
		return;
	}
	bytes = arena_try_alloc(rq->arena, data->len + 4);
	mime = bytes && b64_decode(data->str, data->len, bytes, data->len, &len) ? image_mime(bytes, len) : NULL;
	if (!mime) {
		api_error_reply(call, &api_gateway, 404, "Not Found");
		return;
	}
	http_reply_header(call, "X-Content-Type-Options", "nosniff");
	http_reply_header(call, "Content-Security-Policy", "default-src 'none'; sandbox");
	http_reply_header(call, "Content-Disposition", "inline");
	http_reply_header(call, "Cache-Control", "private, max-age=31536000, immutable");
	http_reply_header(call, "Vary", "Authorization");
	http_reply(call, 200, mime, bytes, len);
}
