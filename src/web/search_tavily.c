/*
 * web/search_tavily.c - Tavily: POST /search with a bearer token.
 */
#include <string.h>

#include "core/str.h"
#include "web/search_priv.h"

#define PATH "plugins.entries.tavily.config.webSearch."

static ch_status tavily_build(const struct search_job *job, struct search_request *ret, struct ch_err *err)
{
	const struct search_in *in = job->in;
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);

	buf_init(&body, 32u << 10);
	jw_obj(&w);
	jw_kstr(&w, "query", in->query);
	jw_kint(&w, "max_results", job->count);
	jw_kstr(&w, "search_depth", "basic");
	jw_kstr(&w, "topic", "general");
	jw_kbool(&w, "include_answer", false);
	jw_kstr_opt(&w, "time_range", in->freshness);
	jw_kstr_opt(&w, "start_date", in->date_after);
	jw_kstr_opt(&w, "end_date", in->date_before);
	jw_end(&w);
	ret->url = arena_printf(job->a, "%s/search", job->base);
	ret->body = arena_strdup(job->a, buf_str(&body));
	ret->headers[ret->header_count++] = (struct http_header){ "authorization", arena_printf(job->a, "Bearer %s", job->key) };
	return buf_status(&body, err, "the search");
}

static ch_status tavily_parse(const struct search_job *job, const char *text, size_t len, struct search_hit *hits, size_t *ret_count,
			      struct ch_err *err)
{
	struct json *v = NULL;
	size_t n = 0;

	if (json_parse(job->a, text, len, JSON_STRICT, &v, NULL))
		return ch_fail(err, CH_E_PEER, "Tavily did not answer with JSON");
	json_each(r, json_get(v, "results"))
		if (n < (size_t)job->count)
			n += search_hit_set(job->a, &hits[n], json_get_str(r, "title"), json_get_str(r, "url"), json_get_str(r, "content"),
					    json_get_str(r, "published_date"), false);
	*ret_count = n;
	return CH_OK;
}

static const char *tavily_explain(int status)
{
	return status == 432 || status == 433 ? "the plan's limit is used up: see app.tavily.com" : NULL;
}

const struct search_provider search_tavily = {
	.id = "tavily",
	.label = "Tavily Search",
	.hint = "Results made for models; needs a key.",
	.docs_url = "https://docs.openclaw.ai/tools/tavily",
	.signup_url = "https://tavily.com/",
	.key_path = PATH "apiKey",
	.key_env = "TAVILY_API_KEY",
	.base_path = PATH "baseUrl",
	.base_env = "TAVILY_BASE_URL",
	.base = "https://api.tavily.com",
	.filters = SEARCH_FRESHNESS | SEARCH_DATES,
	.build = tavily_build,
	.parse = tavily_parse,
	.explain = tavily_explain,
};
