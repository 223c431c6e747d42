/*
 * web/fetch.c - one GET: its hops, its body, what is kept of it.
 *
 * Redirects are followed here and not by the HTTP client, because each hop needs a rule of its own (fetch_hosts.c)
 * and its own headers.
 */
#include "web/fetch.h"

#include <string.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/fiber.h"
#include "core/str.h"
#include "web/body.h"
#include "web/cache.h"
#include "web/fetch_priv.h"

#define RESPONSE_MIN 32000
#define RESPONSE_MAX 10000000
#define URL_MAX 8192                     /* bytes: what servers take */
#define REDIRECT_URL_MAX 2048            /* a longer one is not told, as the reference */

struct fetch {
	struct web *web;
	const struct fetch_in *in;
	struct arena *a;
	const char *url;                 /* asked for, without its fragment */
	struct url origin;               /* of it */
	struct fetch_headers headers;
	size_t max_bytes;
	int64_t ttl_ms, max_chars;
	char key[2 * SHA256_LEN + 1];    /* of the cache */
	const char *at;                  /* where the redirects have led */
};

/* -- what is asked -- */

static ch_status read_url(struct fetch *f, struct ch_err *err)
{
	const char *url = str_trim(f->a, f->in->url);
	ch_status st;

	if (strlen(url) > URL_MAX)
		return ch_fail(err, CH_E_INVALID, "the url is longer than %d bytes", URL_MAX);
	st = url_parse(f->a, url, &f->origin, err);
	if (!st && !str_starts(f->origin.scheme, "http"))
		st = ch_fail(err, CH_E_INVALID, "url: only http:// and https:// can be fetched, not %s://", f->origin.scheme);
	if (!st)
		f->url = arena_strndup(f->a, url, strcspn(url, "#"));
	return st;
}

static void read_limits(struct fetch *f)
{
	const struct config *c = f->in->config;
	int64_t cap = config_int(c, "tools.web.fetch.maxCharsCap", 20000);
	int64_t bytes = config_int(c, "tools.web.fetch.maxResponseBytes", 750000);

	f->max_chars = f->in->max_chars > 0 ? f->in->max_chars : config_int(c, "tools.web.fetch.maxChars", 20000);
	f->max_chars = CH_MIN(f->max_chars, cap);
	f->max_bytes = (size_t)CH_MIN(CH_MAX(bytes, RESPONSE_MIN), RESPONSE_MAX);
	f->ttl_ms = web_ttl_ms(c, "tools.web.fetch.cacheTtlMinutes");
}

/* Everything that decides what comes back, also which hosts may be asked now; hashed, because headers may be secret. */
static void make_key(struct fetch *f)
{
	const struct json *policy = config_get(f->in->config, "tools.web.fetch.ssrfPolicy");
	CH_AUTO_BUF struct buf text = { 0 };

	buf_init(&text, 1u << 20);
	buf_printf(&text, "fetch\n%d %d %zu\n%s\n", f->in->is_plain, config_bool(f->in->config, "tools.web.fetch.readability", true),
		   f->max_bytes, f->url);
	if (policy)
		json_write(&text, policy, 0);
	for (size_t i = 0; i < f->headers.count; i++)
		buf_printf(&text, "%s: %s\n", f->headers.at[i].name, f->headers.at[i].value);
	sha256_hex(buf_str(&text), text.len, f->key);
	if (text.data)
		explicit_bzero(text.data, text.len);
}

/* -- the hops -- */

static CH_FIBER ch_status open_hop(struct fetch *f, struct http_resp **ret, struct ch_err *err)
{
	struct http_out rq = { .url = f->at, .headers_deadline_ms = f->in->deadline_ms };
	struct url u;
	ch_status st = url_parse(f->a, f->at, &u, err);

	if (!st && !str_starts(u.scheme, "http"))
		st = ch_fail(err, CH_E_DENIED, "redirected to %s://, which cannot be fetched", u.scheme);
	if (!st)
		st = fetch_judge_host(f->in->config, u.host, &rq.guard, err);
	if (st)
		return st;
	/* Those of the configuration stand first. */
	rq.headers = f->headers.at;
	rq.header_count = f->headers.count;
	if (!url_same_origin(&u, &f->origin)) {
		rq.headers += f->headers.own_count;
		rq.header_count -= f->headers.own_count;
	}
	return http_open(web_http(f->web), &rq, ret, err);
}

static const char *redirect_of(const struct http_resp *r)
{
	int status = http_resp_status(r);

	if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
		return NULL;
	return http_resp_header(r, "location");
}

static CH_FIBER ch_status open_following(struct fetch *f, struct http_resp **ret, struct ch_err *err)
{
	int64_t max = config_int(f->in->config, "tools.web.fetch.maxRedirects", 3);

	f->at = f->url;
	for (int64_t followed = 0;; followed++) {
		CH_AUTO(http_resp_free) struct http_resp *r = NULL;
		const char *location, *next;
		ch_status st = open_hop(f, &r, err);

		if (st)
			return followed ? ch_wrap(err, "redirect %lld of %.80s", (long long)followed, f->url) : st;
		location = redirect_of(r);
		if (!location) {
			*ret = CH_TAKE(r);
			return CH_OK;
		}
		if (followed >= max)
			return ch_fail(err, CH_E_LIMIT, "more than %lld redirects; the last leads to %.100s", (long long)max, location);
		next = url_join(f->a, f->at, location);
		if (!next)
			return ch_fail(err, CH_E_PEER, "%.80s redirects to something that is not a URL", f->at);
		f->at = arena_strndup(f->a, next, strcspn(next, "#"));
	}
}

/* -- the answer -- */

static int64_t count_chars(const char *text)
{
	int64_t n = 0;

	for (; *text; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

/* At most max_chars characters of the text. */
static void cut(struct fetch *f, struct fetch_page *p)
{
	int64_t left = f->max_chars;
	const char *at = p->text;

	p->raw_length = count_chars(p->text);
	p->length = CH_MIN(p->raw_length, f->max_chars);
	if (p->raw_length <= f->max_chars)
		return;
	for (; *at; at++)
		if (((unsigned char)*at & 0xc0) != 0x80 && left-- == 0)
			break;
	p->text = arena_strndup(f->a, p->text, (size_t)(at - p->text));
	p->is_truncated = true;
}

static CH_FIBER ch_status read_page(struct fetch *f, struct http_resp *r, struct fetch_page *p, struct ch_err *err)
{
	struct fetch_body body = { .url = f->at, .is_plain = f->in->is_plain, .deadline_ms = f->in->deadline_ms,
				   .is_whole = !config_bool(f->in->config, "tools.web.fetch.readability", true) };
	CH_AUTO_BUF struct buf data = { 0 };
	bool is_cut = false;
	ch_status st;

	buf_init(&data, f->max_bytes + 1024);
	p->status = http_resp_status(r);
	p->content_type = arena_strdup(f->a, http_resp_header(r, "content-type"));
	p->final_url = strlen(f->at) <= REDIRECT_URL_MAX ? f->at : f->url;
	st = web_body_read(r, f->max_bytes, f->in->deadline_ms, &data, &is_cut, err);
	if (st)
		return st;
	body.data = buf_str(&data);
	body.len = data.len;
	body.content_type = p->content_type;
	st = fetch_extract(&body, f->a, p, err);
	if (st)
		return ch_wrap(err, "HTTP %d", p->status);
	if (is_cut) {
		p->warning = arena_printf(f->a, "The response is longer than %zu bytes; the rest was not read.", f->max_bytes);
		p->is_truncated = true;
	}
	return CH_OK;
}

/* -- what is kept -- */

static void keep(struct fetch *f, const struct fetch_page *p)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, CACHE_ENTRY_MAX);
	jw_obj(&w);
	jw_kstr(&w, "finalUrl", p->final_url);
	jw_kint(&w, "status", p->status);
	jw_kstr_opt(&w, "contentType", p->content_type);
	jw_kstr_opt(&w, "title", p->title);
	jw_kstr_opt(&w, "warning", p->warning);
	jw_kstr(&w, "extractor", p->extractor);
	jw_kbool(&w, "cut", p->is_truncated);
	jw_kint(&w, "fetchedAt", p->fetched_at);
	jw_kstr(&w, "text", p->text);
	jw_end(&w);
	if (!out.failed)
		web_cache_put(web_cache(f->web), f->key, f->ttl_ms, out.data, out.len);
}

static bool take_kept(struct fetch *f, struct fetch_page *p)
{
	struct json *v = NULL;
	size_t len = 0;
	const char *kept = web_cache_get(web_cache(f->web), f->key, f->ttl_ms, &len);

	if (!kept || json_parse(f->a, kept, len, JSON_STRICT, &v, NULL))
		return false;
	*p = (struct fetch_page){
		.final_url = json_get_str(v, "finalUrl"), .status = (int)json_get_int(v, "status", 200),
		.content_type = json_get_str(v, "contentType"), .title = json_get_str(v, "title"),
		.warning = json_get_str(v, "warning"), .extractor = json_get_str(v, "extractor"),
		.text = json_str_or(json_get(v, "text"), ""), .is_truncated = json_get_bool(v, "cut", false),
		.fetched_at = json_get_int(v, "fetchedAt", 0), .is_cached = true,
	};
	return true;
}

static CH_FIBER ch_status fetch_anew(struct fetch *f, struct fetch_page *p, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	ch_status st = open_following(f, &r, err);

	p->fetched_at = now_wall_ms();
	if (!st)
		st = read_page(f, r, p, err);
	/* One that was cancelled is not a page, whatever had come. */
	if (!st && fiber_canceled())
		st = ch_fail(err, CH_E_CANCELED, "cancelled");
	if (!st && p->status >= 200 && p->status < 300)
		keep(f, p);
	return st;
}

CH_FIBER ch_status web_fetch(struct web *web, const struct fetch_in *in, struct arena *a, struct fetch_page *ret,
			     struct ch_err *err)
{
	struct fetch f = { .web = web, .in = in, .a = a };
	struct fetch_page p = { 0 };
	int64_t started = now_mono_ms();
	ch_status st = read_url(&f, err);

	if (!st && fiber_canceled())
		st = ch_fail(err, CH_E_CANCELED, "cancelled");
	if (st)
		return st;
	read_limits(&f);
	st = fetch_headers_read(in->config, a, &f.headers, err);
	if (!st) {
		make_key(&f);
		if (!take_kept(&f, &p))
			st = fetch_anew(&f, &p, err);
	}
	fetch_headers_done(&f.headers);
	if (st)
		return st;
	p.url = f.url;
	p.took_ms = now_mono_ms() - started;
	cut(&f, &p);
	*ret = p;
	return CH_OK;
}
