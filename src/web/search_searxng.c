/*
 * web/search_searxng.c - SearXNG, an instance of one's own: GET /search?format=json.
 */
#include <string.h>

#include "core/str.h"
#include "web/search_priv.h"

#define PATH "plugins.entries.searxng.config.webSearch."

static ch_status searxng_build(const struct search_job *job, struct search_request *ret, struct ch_err *err)
{
	const struct search_in *in = job->in;
	CH_AUTO_BUF struct buf url = { 0 };

	buf_init(&url, 32u << 10);
	buf_printf(&url, "%s/search", job->base);
	search_param(job->a, &url, "q", in->query);
	search_param(job->a, &url, "format", "json");
	search_param(job->a, &url, "categories", config_str(in->config, PATH "categories"));
	search_param(job->a, &url, "language", in->language ? in->language : config_str(in->config, PATH "language"));
	search_param(job->a, &url, "time_range", in->freshness);
	ret->url = arena_strdup(job->a, buf_str(&url));
	return buf_status(&url, err, "the search's address");
}

static ch_status searxng_parse(const struct search_job *job, const char *text, size_t len, struct search_hit *hits, size_t *ret_count,
			       struct ch_err *err)
{
	struct json *v = NULL;
	size_t n = 0;

	if (json_parse(job->a, text, len, JSON_STRICT, &v, NULL))
		return ch_fail(err, CH_E_PEER, "SearXNG did not answer with JSON: enable 'json' under search.formats of its settings.yml");
	json_each(r, json_get(v, "results"))
		if (n < (size_t)job->count)
			n += search_hit_set(job->a, &hits[n], json_get_str(r, "title"), json_get_str(r, "url"), json_get_str(r, "content"),
					    json_get_str(r, "publishedDate"), false);
	*ret_count = n;
	return CH_OK;
}

static const char *searxng_explain(int status)
{
	return status == 403 ? "enable 'json' under search.formats of its settings.yml" : NULL;
}

const struct search_provider search_searxng = {
	.id = "searxng",
	.label = "SearXNG Search",
	.hint = "An instance of your own; needs its address.",
	.docs_url = "https://docs.openclaw.ai/tools/searxng-search",
	.signup_url = "https://docs.searxng.org/",
	.base_path = PATH "baseUrl",
	.base_env = "SEARXNG_BASE_URL",
	.filters = SEARCH_LANGUAGE | SEARCH_FRESHNESS,
	.build = searxng_build,
	.parse = searxng_parse,
	.explain = searxng_explain,
};
