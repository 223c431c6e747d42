/*
 * web/search_duckduckgo.c - DuckDuckGo's page for browsers without scripts: GET /html/. No interface for programs, so
 * it may ask whether a person is there, and it may look different tomorrow.
 */
#include <string.h>

#include "core/str.h"
#include "web/html_child.h"
#include "web/search_priv.h"

#define PATH "plugins.entries.duckduckgo.config.webSearch."

/* kp: 1 strict, -1 moderate, -2 off. */
static const char *safe_search(const struct config *c)
{
	const char *level = config_str(c, PATH "safeSearch");

	return str_eq(level, "strict") ? "1" : str_eq(level, "off") ? "-2" : "-1";
}

static ch_status duckduckgo_build(const struct search_job *job, struct search_request *ret, struct ch_err *err)
{
	const struct search_in *in = job->in;
	CH_AUTO_BUF struct buf url = { 0 };

	buf_init(&url, 32u << 10);
	buf_printf(&url, "%s/html/", job->base);
	search_param(job->a, &url, "q", in->query);
	search_param(job->a, &url, "kl", config_str(in->config, PATH "region"));
	search_param(job->a, &url, "kp", safe_search(in->config));
	search_param(job->a, &url, "df", in->freshness ? arena_strndup(job->a, in->freshness, 1) : NULL);
	ret->url = arena_strdup(job->a, buf_str(&url));
	return buf_status(&url, err, "the search's address");
}

static CH_FIBER ch_status duckduckgo_parse(const struct search_job *job, const char *text, size_t len, struct search_hit *hits,
					   size_t *ret_count, struct ch_err *err)
{
	struct html_job page = { .kind = HTML_DUCKDUCKGO, .text = text, .len = len, .deadline_ms = job->in->deadline_ms,
				 .url = arena_printf(job->a, "%s/html/", job->base) };
	struct json *v = NULL;
	size_t n = 0;
	ch_status st = html_child_run(&page, job->a, &v, err);

	if (st)
		return st;
	if (json_get_bool(v, "isChallenge", false))
		return ch_fail(err, CH_E_BUSY, "DuckDuckGo asks whether a person is there: wait a while, or configure another search service");
	json_each(r, json_get(v, "hits"))
		if (n < (size_t)job->count)
			n += search_hit_set(job->a, &hits[n], json_get_str(r, "title"), json_get_str(r, "url"), json_get_str(r, "snippet"),
					    NULL, false);
	*ret_count = n;
	return CH_OK;
}

const struct search_provider search_duckduckgo = {
	.id = "duckduckgo",
	.label = "DuckDuckGo Search (experimental)",
	.hint = "Needs no key; read from its page, so it may fail.",
	.docs_url = "https://docs.openclaw.ai/tools/duckduckgo-search",
	.signup_url = "https://duckduckgo.com/",
	.base_path = PATH "baseUrl",
	.base = "https://html.duckduckgo.com",
	.filters = SEARCH_FRESHNESS,
	.build = duckduckgo_build,
	.parse = duckduckgo_parse,
};
