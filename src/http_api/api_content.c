/*
 * http_api/api_content.c - parts of messages in the transcript's shape; images that come as bytes or by address.
 */
#include "core/clock.h"
#include "core/fiber.h"
#include "core/image.h"
#include "core/mem.h"
#include "core/str.h"
#include "http_api/api.h"
#include "net/http_client.h"
#include "net/url.h"

/* -- the transcript's shape -- */

static struct json *block(struct arena *a, const char *type)
{
	struct json *b = json_new_obj(a);

	json_set(a, b, "type", json_new_str(a, type));
	return b;
}

struct json *api_text_block(struct arena *a, const char *text)
{
	struct json *b = block(a, "text");

	json_set(a, b, "text", json_new_str(a, text));
	return b;
}

struct json *api_image_block(struct arena *a, const char *mime, const char *data)
{
	struct json *b = block(a, "image");

	json_set(a, b, "data", json_new_str(a, data));
	json_set(a, b, "mimeType", json_new_str(a, mime));
	return b;
}

struct json *api_message(struct api_turn *t, const char *role)
{
	struct arena *a = t->arena;
	struct json *m = json_new_obj(a);

	json_set(a, m, "role", json_new_str(a, role));
	json_set(a, m, "content", json_new_arr(a));
	json_set(a, m, "timestamp", json_new_int(a, now_wall_ms()));
	json_push(t->messages, m);
	return m;
}

struct json *api_assistant(struct api_turn *t)
{
	struct arena *a = t->arena;
	struct json *m = api_message(t, "assistant");

	json_set(a, m, "api", json_new_str(a, "openai-responses"));
	json_set(a, m, "provider", json_new_str(a, "openclaw"));
	json_set(a, m, "model", json_new_str(a, "gateway-injected"));
	json_set(a, m, "stopReason", json_new_str(a, "stop"));
	return m;
}

/* Arguments that are no object were malformed when the model sent them; it is told so by the result. */
void api_call_block(struct arena *a, struct json *message, const char *id, const char *name, const char *args_text)
{
	struct json *b = block(a, "toolCall"), *args = NULL;

	if (!args_text || json_parse(a, args_text, strlen(args_text), JSON_STRICT, &args, NULL) || !json_is(args, JSON_OBJ))
		args = json_new_obj(a);
	json_set(a, b, "id", json_new_str(a, id));
	json_set(a, b, "name", json_new_str(a, name));
	json_set(a, b, "arguments", args);
	json_push(json_get(message, "content"), b);
	json_set(a, message, "stopReason", json_new_str(a, "toolUse"));
}

/* The name under which an earlier reply made the call. */
static const char *called_name(const struct api_turn *t, const char *call_id)
{
	const char *name = NULL;

	json_each(m, t->messages)
		json_each(b, json_get(m, "content"))
			if (str_eq(json_get_str(b, "type"), "toolCall") && str_eq(json_get_str(b, "id"), call_id))
				name = json_get_str(b, "name");
	return name;
}

struct json *api_tool_result(struct api_turn *t, const char *call_id, const char *name, const char *text, bool is_error)
{
	struct arena *a = t->arena;
	const char *known = name ? name : called_name(t, call_id);
	struct json *m = api_message(t, "toolResult");

	json_set(a, m, "toolCallId", json_new_str(a, call_id));
	json_set(a, m, "toolName", json_new_str(a, known ? known : "tool"));
	if (text)
		json_push(json_get(m, "content"), api_text_block(a, *text ? text : "(no output)"));
	json_set(a, m, "isError", json_new_bool(a, is_error));
	return m;
}

/* -- images -- */

static const char *limit_path(const struct api_turn *t, const char *what, const char *key)
{
	return arena_printf(t->arena, "gateway.http.endpoints.%s.%s.%s", t->limits.endpoint, what, key);
}

static bool is_listed(const struct api_turn *t, const char *what, const char *key, const char *value)
{
	const char *const *list = config_list(gw_config(t->gw), limit_path(t, what, key));

	if (!list || !list[0])
		return true;
	for (; *list; list++)
		if (str_ieq(*list, value))
			return true;
	return false;
}

static bool is_base64(const char *s, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_";
	size_t good = strspn(s, digits);

	return n && n - good <= 2 && strspn(s + good, "=") == n - good;
}

ch_status api_take_bytes(struct api_turn *t, size_t n, struct ch_err *err)
{
	if (n > t->limits.bytes_left)
		return ch_fail(err, CH_E_INVALID, "the pictures and files have more than %u bytes together", API_PARTS_MAX);
	t->limits.bytes_left -= n;
	return CH_OK;
}

ch_status api_image_check(struct api_turn *t, const char *data, const char **ret_mime, struct ch_err *err)
{
	char head[IMAGE_SNIFF_BYTES];
	size_t n = strlen(data), len = 0;
	int64_t max = config_int(gw_config(t->gw), limit_path(t, "images", "maxBytes"), 10 << 20);
	const char *mime;

	if ((int64_t)(n / 4 * 3) > max)
		return ch_fail(err, CH_E_INVALID, "an image has more than %lld bytes", (long long)max);
	if (!is_base64(data, n))
		return ch_fail(err, CH_E_INVALID, "an image's data is not base64");
	if (!b64_decode(data, CH_MIN(n, (size_t)20), head, sizeof(head), &len))
		len = 0;
	mime = image_mime(head, len);
	if (!mime)
		return ch_fail(err, CH_E_INVALID, "an image is none of PNG, JPEG, GIF and WebP");
	if (!is_listed(t, "images", "allowedMimes", mime))
		return ch_fail(err, CH_E_INVALID, "images of type %s are not allowed here", mime);
	*ret_mime = mime;
	return api_take_bytes(t, n / 4 * 3, err);
}

/* "*.example.com" stands for what is below it, not for it. */
static bool host_fits(const char *pattern, const char *host)
{
	size_t n = strlen(host), k;

	if (pattern[0] != '*' || pattern[1] != '.')
		return str_ieq(pattern, host);
	k = strlen(pattern) - 1;
	return n > k && str_ieq(host + n - k, pattern + 1);
}

static bool is_host_allowed(const struct api_turn *t, const char *what, const char *host)
{
	const char *const *list = config_list(gw_config(t->gw), limit_path(t, what, "urlAllowlist"));

	if (!list || !list[0])
		return true;
	for (; *list; list++)
		if (host_fits(*list, host))
			return true;
	return false;
}

static ch_status check_url(struct api_turn *t, const char *what, const char *url, struct ch_err *err)
{
	struct url u;
	ch_status st = url_parse(t->arena, url, &u, err);

	if (st)
		return ch_fail(err, CH_E_INVALID, "the address of a part cannot be read");
	if (!str_in(u.scheme, (const char *const[]){ "http", "https" }, 2))
		return ch_fail(err, CH_E_INVALID, "a part's address must begin with http:// or https://");
	if (!config_bool(gw_config(t->gw), limit_path(t, what, "allowUrl"), false))
		return ch_fail(err, CH_E_INVALID, "%s by address are not fetched here (%s); send them as data", what,
			       limit_path(t, what, "allowUrl"));
	if (!is_host_allowed(t, what, u.host))
		return ch_fail(err, CH_E_INVALID, "the host of a part's address is not in %s",
			       limit_path(t, what, "urlAllowlist"));
	if (t->limits.urls_left-- <= 0)
		return ch_fail(err, CH_E_INVALID, "too many parts are given by address");
	return CH_OK;
}

static bool has_host_list(const struct api_turn *t, const char *what)
{
	const char *const *list = config_list(gw_config(t->gw), limit_path(t, what, "urlAllowlist"));

	return list && list[0];
}

/* The guard looks at each hop; with a list of hosts each is asked for by itself, so that it passes the list as well. */
static CH_FIBER ch_status follow(struct api_turn *t, const char *what, const char *url, int64_t deadline_ms,
				 struct http_resp **ret, struct ch_err *err)
{
	int64_t hops = config_int(gw_config(t->gw), limit_path(t, what, "maxRedirects"), 3);
	int unseen = has_host_list(t, what) ? 0 : (int)hops;
	ch_status st;

	for (;;) {
		CH_AUTO(http_resp_free) struct http_resp *r = NULL;
		struct http_out rq = { .url = url, .guard = GUARD_PUBLIC_ONLY, .max_redirects = unseen,
				       .headers_deadline_ms = deadline_ms };
		const char *next;
		int status;

		st = http_open(t->gw->http, &rq, &r, err);
		if (st)
			return st;
		status = http_resp_status(r);
		next = http_resp_header(r, "location");
		if (status == 200) {
			*ret = CH_TAKE(r);
			return CH_OK;
		}
		if (status < 300 || status > 399 || !next)
			return ch_fail(err, CH_E_INVALID, "a part's address answered with status %d", status);
		if (hops-- <= 0)
			return ch_fail(err, CH_E_INVALID, "a part's address leads from one to the next too often");
		url = arena_strdup(t->arena, next);
		t->limits.urls_left++;           /* a hop is no further part */
		st = check_url(t, what, url, err);
		if (st)
			return st;
	}
}

ch_status api_fetch(struct api_turn *t, const char *what, const char *url, struct buf *ret, const char **ret_mime,
		    struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	int64_t deadline_ms = fiber_deadline(config_int(gw_config(t->gw), limit_path(t, what, "timeoutMs"), 10000));
	struct ch_err why;
	ch_status st = check_url(t, what, url, err);

	if (st)
		return st;
	st = follow(t, what, url, deadline_ms, &r, &why);
	if (!st) {
		const char *type = http_resp_header(r, "content-type");

		*ret_mime = type ? arena_strndup(t->arena, type, strcspn(type, "; ")) : NULL;
		buf_init(ret, CH_MIN((size_t)config_int(gw_config(t->gw), limit_path(t, what, "maxBytes"), 5 << 20),
				     t->limits.bytes_left + 1));
		st = http_read_all(r, ret, deadline_ms, &why);
	}
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "canceled");
	return st ? ch_fail(err, CH_E_INVALID, "a part could not be fetched: %s", why.text) : CH_OK;
}

static CH_FIBER ch_status fetch_image(struct api_turn *t, const char *url, const char **ret_data, struct ch_err *err)
{
	CH_AUTO_BUF struct buf bytes = { 0 };
	const char *mime;
	char *text;
	ch_status st = api_fetch(t, "images", url, &bytes, &mime, err);

	if (st)
		return st;
	text = arena_try_alloc(t->arena, 4 * ((bytes.len + 2) / 3) + 1);
	if (!text)
		return ch_fail(err, CH_E_LIMIT, "the images are too large together");
	b64_encode(buf_str(&bytes), bytes.len, text);
	*ret_data = text;
	return CH_OK;
}

ch_status api_image_url(struct api_turn *t, const char *url, struct json **ret_block, struct ch_err *err)
{
	const char *data = url, *mime, *comma;
	ch_status st = CH_OK;

	if (!strncasecmp(url, "data:", 5)) {
		comma = strchr(url, ',');
		if (!comma || comma - url < 7 || strncasecmp(comma - 7, ";base64", 7) != 0)
			return ch_fail(err, CH_E_INVALID, "an image's data: address must be base64 encoded");
		data = comma + 1;
	} else {
		st = fetch_image(t, url, &data, err);
	}
	if (!st)
		st = api_image_check(t, data, &mime, err);
	if (!st)
		*ret_block = api_image_block(t->arena, mime, data);
	return st;
}
