/*
 * web/search_brave.c - Brave Search: GET /res/v1/web/search, and /res/v1/llm/context for texts made for models.
 */
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "web/search_priv.h"

#define PATH "plugins.entries.brave.config.webSearch."

static bool is_context(const struct search_job *job)
{
	return str_eq(config_str(job->in->config, PATH "mode"), "llm-context");
}

/* "pd", or a range of dates. */
static const char *freshness_of(const struct search_job *job, struct ch_err *err, ch_status *ret_st)
{
	const struct search_in *in = job->in;
	char today[CLOCK_ISO_LEN];

	*ret_st = CH_OK;
	if (in->freshness)
		return arena_printf(job->a, "p%c", in->freshness[0]);
	if (!in->date_after && !in->date_before)
		return NULL;
	if (!in->date_after && is_context(job)) {
		*ret_st = ch_fail(err, CH_E_UNSUPPORTED, "Brave's llm-context mode needs date_after beside date_before");
		return NULL;
	}
	clock_iso(now_wall_ms(), today);
	today[10] = '\0';
	return arena_printf(job->a, "%sto%s", in->date_after ? in->date_after : "1970-01-01", in->date_before ? in->date_before : today);
}

static ch_status brave_build(const struct search_job *job, struct search_request *ret, struct ch_err *err)
{
	const struct search_in *in = job->in;
	CH_AUTO_BUF struct buf url = { 0 };
	ch_status st;
	const char *freshness = freshness_of(job, err, &st);

	if (st)
		return st;
	if (in->ui_lang && is_context(job))
		return ch_fail(err, CH_E_UNSUPPORTED, "Brave's llm-context mode has no ui_lang: leave it out");
	buf_init(&url, 32u << 10);
	buf_printf(&url, "%s%s", job->base, is_context(job) ? "/res/v1/llm/context" : "/res/v1/web/search");
	search_param(job->a, &url, "q", in->query);
	search_param(job->a, &url, "count", arena_printf(job->a, "%d", job->count));
	search_param(job->a, &url, "country", in->country);
	search_param(job->a, &url, "search_lang", in->search_lang ? in->search_lang : in->language);
	search_param(job->a, &url, "ui_lang", in->ui_lang);
	search_param(job->a, &url, "freshness", freshness);
	ret->url = arena_strdup(job->a, buf_str(&url));
	ret->headers[ret->header_count++] = (struct http_header){ "x-subscription-token", job->key };
	return buf_status(&url, err, "the search's address");
}

static size_t from_web(const struct search_job *job, const struct json *v, struct search_hit *hits)
{
	size_t n = 0;

	json_each(r, json_path(v, "web.results"))
		if (n < (size_t)job->count)
			n += search_hit_set(job->a, &hits[n], json_get_str(r, "title"), json_get_str(r, "url"),
					    json_get_str(r, "description"), json_get_str(r, "page_age"), true);
	return n;
}

/* The ages of a source are in several spellings; one of them is a date. */
static const char *age_of(const struct search_job *job, const struct json *v, const char *url)
{
	json_each(age, json_get(json_get(json_get(v, "sources"), url), "age"))
		if (search_date(job->a, json_str(age)))
			return json_str(age);
	return NULL;
}

static const char *join_snippets(struct arena *a, const struct json *list)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, SEARCH_RESPONSE_MAX);
	json_each(s, list)
		buf_printf(&out, "%s%s", out.len ? " " : "", json_str_or(s, ""));
	return arena_strdup(a, buf_str(&out));
}

static size_t from_context(const struct search_job *job, const struct json *v, struct search_hit *hits)
{
	size_t n = 0;

	json_each(r, json_path(v, "grounding.generic")) {
		const char *url = json_get_str(r, "url");

		if (n < (size_t)job->count && url)
			n += search_hit_set(job->a, &hits[n], json_get_str(r, "title"), url,
					    join_snippets(job->a, json_get(r, "snippets")), age_of(job, v, url), false);
	}
	return n;
}

static ch_status brave_parse(const struct search_job *job, const char *text, size_t len, struct search_hit *hits, size_t *ret_count,
			     struct ch_err *err)
{
	struct json *v = NULL;
	ch_status st = json_parse(job->a, text, len, JSON_STRICT, &v, err);

	if (st)
		return ch_fail(err, CH_E_PEER, "Brave did not answer with JSON");
	*ret_count = is_context(job) ? from_context(job, v, hits) : from_web(job, v, hits);
	return CH_OK;
}

const struct search_provider search_brave = {
	.id = "brave",
	.label = "Brave Search",
	.hint = "Results of Brave's own index; needs a key.",
	.docs_url = "https://docs.openclaw.ai/tools/brave-search",
	.signup_url = "https://api-dashboard.search.brave.com/app/keys",
	.key_path = PATH "apiKey",
	.key_env = "BRAVE_API_KEY",
	.base_path = PATH "baseUrl",
	.base = "https://api.search.brave.com",
	.filters = SEARCH_COUNTRY | SEARCH_LANGUAGE | SEARCH_FRESHNESS | SEARCH_DATES,
	.build = brave_build,
	.parse = brave_parse,
};
