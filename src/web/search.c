/*
 * web/search.c - one search: a service is picked, asked and read; the answer is kept for a while.
 */
#include "web/search.h"

#include <string.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/fiber.h"
#include "core/str.h"
#include "web/body.h"
#include "web/cache.h"
#include "web/search_priv.h"

#define KEPT_MAX (64u << 10)

static ch_status check_date(const char *name, const char *date, struct ch_err *err)
{
	if (!date)
		return CH_OK;
	for (size_t i = 0; i < 10; i++)
		if (i == 4 || i == 7 ? date[i] != '-' : date[i] < '0' || date[i] > '9')
			return ch_fail(err, CH_E_INVALID, "'%s' must be a date as 2026-01-31", name);
	return date[10] ? ch_fail(err, CH_E_INVALID, "'%s' must be a date as 2026-01-31", name) : CH_OK;
}

static ch_status check_in(const struct search_in *in, struct ch_err *err)
{
	ch_status st = check_date("date_after", in->date_after, err);

	if (!st)
		st = check_date("date_before", in->date_before, err);
	if (!st && in->date_after && in->date_before && strcmp(in->date_after, in->date_before) > 0)
		st = ch_fail(err, CH_E_INVALID, "'date_after' must not be later than 'date_before'");
	if (!st && in->freshness && (in->date_after || in->date_before))
		st = ch_fail(err, CH_E_INVALID, "give either 'freshness' or dates, not both");
	if (!st && (!in->query[strspn(in->query, " \t\r\n")] || strlen(in->query) > SEARCH_QUERY_MAX))
		st = ch_fail(err, CH_E_INVALID, "'query' must have 1 to %d bytes", SEARCH_QUERY_MAX);
	return st;
}

static ch_status check_filters(const struct search_provider *p, const struct search_in *in, struct ch_err *err)
{
	const struct { unsigned bit; const char *name; bool is_given; } filters[] = {
		{ SEARCH_COUNTRY, "country", in->country }, { SEARCH_LANGUAGE, "language", in->language || in->search_lang },
		{ SEARCH_LANGUAGE | SEARCH_COUNTRY, "ui_lang", in->ui_lang }, { SEARCH_FRESHNESS, "freshness", in->freshness },
		{ SEARCH_DATES, "date_after and date_before", in->date_after || in->date_before },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(filters); i++)
		if (filters[i].is_given && (p->filters & filters[i].bit) != filters[i].bit)
			return ch_fail(err, CH_E_UNSUPPORTED, "%s has no filter by %s: leave it out", p->label, filters[i].name);
	return CH_OK;
}

/* -- asking -- */

/* What a status means, and the way out. */
static ch_status explain_status(const struct search_provider *p, int status, struct ch_err *err)
{
	const char *special = p->explain ? p->explain(status) : NULL;

	if (special)
		return ch_fail(err, CH_E_BUSY, "%s refused the search (HTTP %d): %s", p->label, status, special);
	if (status == 401 || status == 403)
		return ch_fail(err, CH_E_DENIED, "%s does not accept the credential (HTTP %d): check %s or choose another service",
			       p->label, status, p->key_path ? p->key_path : p->base_path);
	if (status == 429 || status == 402)
		return ch_fail(err, CH_E_BUSY, "%s refused the search for its rate or quota (HTTP %d): wait, or check the account", p->label,
			       status);
	if (status == 400 || status == 422)
		return ch_fail(err, CH_E_INVALID, "%s does not accept this search (HTTP %d): try it with fewer filters", p->label, status);
	if (status >= 500)
		return ch_fail(err, CH_E_PEER, "%s has trouble of its own (HTTP %d): try again later", p->label, status);
	return ch_fail(err, CH_E_PEER, "%s answered with HTTP %d: check %s", p->label, status, p->base_path);
}

static CH_FIBER ch_status ask(struct web *web, const struct search_provider *p, const struct search_job *job,
			      struct search_request *rq, struct buf *out, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	struct http_out http = { .url = rq->url, .body = rq->body, .body_len = rq->body ? strlen(rq->body) : 0, .headers = rq->headers,
				 .guard = GUARD_TRUST_ORIGIN, .headers_deadline_ms = job->in->deadline_ms };
	bool is_cut = false;
	ch_status st;

	if (rq->body)
		rq->headers[rq->header_count++] = (struct http_header){ "content-type", "application/json" };
	rq->headers[rq->header_count++] = (struct http_header){ "accept", "application/json, text/html;q=0.9" };
	rq->headers[rq->header_count++] = (struct http_header){ "accept-encoding", BODY_ACCEPT_ENCODING };
	http.header_count = rq->header_count;
	st = http_open(web_http(web), &http, &r, err);
	if (st)
		return ch_wrap(err, "%s", p->label);
	if (http_resp_status(r) != 200)
		return explain_status(p, http_resp_status(r), err);
	st = web_body_read(r, SEARCH_RESPONSE_MAX, job->in->deadline_ms, out, &is_cut, err);
	if (st)
		return ch_wrap(err, "%s", p->label);
	return is_cut ? ch_fail(err, CH_E_LIMIT, "%s: the answer is longer than %u bytes", p->label, SEARCH_RESPONSE_MAX) : CH_OK;
}

/* -- keeping -- */

static void keep(struct web *web, const char *key, int64_t ttl_ms, const struct search_out *o)
{
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);

	buf_init(&out, KEPT_MAX);
	jw_arr(&w);
	for (size_t i = 0; i < o->count; i++) {
		jw_obj(&w);
		jw_kstr(&w, "title", o->hits[i].title);
		jw_kstr(&w, "url", o->hits[i].url);
		jw_kstr_opt(&w, "snippet", o->hits[i].snippet);
		jw_kstr_opt(&w, "published", o->hits[i].published);
		jw_kstr_opt(&w, "siteName", o->hits[i].site_name);
		jw_end(&w);
	}
	jw_end(&w);
	if (!out.failed)
		web_cache_put(web_cache(web), key, ttl_ms, out.data, out.len);
}

static bool take_kept(struct web *web, const char *key, int64_t ttl_ms, struct arena *a, struct search_hit *hits, size_t max,
		      size_t *ret_count)
{
	struct json *v = NULL;
	size_t len = 0, n = 0;
	const char *kept = web_cache_get(web_cache(web), key, ttl_ms, &len);

	if (!kept || json_parse(a, kept, len, JSON_STRICT, &v, NULL))
		return false;
	json_each(h, v)
		if (n < max)
			hits[n++] = (struct search_hit){ json_get_str(h, "title"), json_get_str(h, "url"), json_get_str(h, "snippet"),
							 json_get_str(h, "published"), json_get_str(h, "siteName") };
	*ret_count = n;
	return true;
}

/* The request is what was asked; the credential is not part of it. */
static void make_key(const struct search_provider *p, const struct search_request *rq, int count, char ret[2 * SHA256_LEN + 1])
{
	CH_AUTO_BUF struct buf text = { 0 };

	buf_init(&text, 128u << 10);
	buf_printf(&text, "search\n%s %d\n%s\n%s", p->id, count, rq->url, rq->body ? rq->body : "");
	sha256_hex(buf_str(&text), text.len, ret);
}

/* -- one service -- */

static CH_FIBER ch_status search_anew(struct web *web, const struct search_provider *p, const struct search_job *job,
				      struct search_request *rq, struct search_hit *hits, size_t *ret_count, struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { 0 };
	const char *text;
	size_t len;
	ch_status st;

	buf_init(&body, SEARCH_RESPONSE_MAX + 1024);
	st = ask(web, p, job, rq, &body, err);
	if (st)
		return st;
	len = body.len;
	text = utf8_valid(buf_str(&body), len) ? buf_str(&body) : utf8_repair(job->a, body.data, body.len, &len);
	return p->parse(job, text, len, hits, ret_count, err);
}

static CH_FIBER ch_status search_with(struct web *web, const struct search_provider *p, const struct search_in *in, struct arena *a,
				      struct search_out *ret, struct ch_err *err)
{
	CH_AUTO(secret_unref) struct secret *key = NULL;
	int64_t count = in->count > 0 ? in->count : config_int(in->config, "tools.web.search.maxResults", 5);
	int64_t ttl_ms = in->is_uncached ? 0 : web_ttl_ms(in->config, "tools.web.search.cacheTtlMinutes");
	struct search_job job = { .in = in, .count = (int)CH_MIN(count, SEARCH_COUNT_MAX), .a = a };
	struct search_hit *hits = arena_alloc(a, SEARCH_COUNT_MAX * sizeof(*hits));
	struct search_request rq = { 0 };
	char hash[2 * SHA256_LEN + 1];
	ch_status st = check_filters(p, in, err);

	if (!st)
		st = search_access(p, in->config, a, &key, &job.base, err);
	if (st)
		return st;
	job.key = secret_reveal(key);
	st = p->build(&job, &rq, err);
	if (st)
		return st;
	make_key(p, &rq, job.count, hash);
	*ret = (struct search_out){ .provider = p->id, .hits = hits };
	if (take_kept(web, hash, ttl_ms, a, hits, SEARCH_COUNT_MAX, &ret->count)) {
		ret->is_cached = true;
		return CH_OK;
	}
	st = search_anew(web, p, &job, &rq, hits, &ret->count, err);
	if (!st)
		keep(web, hash, ttl_ms, ret);
	return st;
}

/* The next service is asked when one fails for reasons of its own; the first failure is told. */
static CH_FIBER ch_status search_auto_all(struct web *web, const struct search_in *in, struct arena *a, struct search_out *ret,
					  struct ch_err *err)
{
	ch_status first = CH_OK;
	struct ch_err why = { 0 };
	const struct search_provider *p;

	for (size_t i = 0; (p = search_auto(in->config, i)); i++) {
		struct ch_err this_err = { 0 };
		ch_status st = search_with(web, p, in, a, ret, &this_err);

		if (!st)
			return CH_OK;
		if (!first) {
			first = st;
			why = this_err;
		}
		if (st == CH_E_CANCELED || now_mono_ms() >= in->deadline_ms)
			break;
	}
	return ch_fail(err, first, "%s", why.text);
}

CH_FIBER ch_status web_search(struct web *web, const struct search_in *in, struct arena *a, struct search_out *ret, struct ch_err *err)
{
	const char *named = in->provider ? in->provider : config_str(in->config, "tools.web.search.provider"), *why = NULL;
	const struct search_provider *p = search_find(named);
	int64_t started = now_mono_ms();
	ch_status st = check_in(in, err);

	if (st)
		return st;
	if (!in->provider && !search_selected(in->config, &why))
		return ch_fail(err, CH_E_NOT_FOUND, "%s", why);
	if (in->provider && !p)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no search service '%.40s'", in->provider);
	st = p ? search_with(web, p, in, a, ret, err) : search_auto_all(web, in, a, ret, err);
	if (!st)
		ret->took_ms = now_mono_ms() - started;
	return st;
}
