/*
 * web/search.h - a question to a search service.
 *
 * Which  tools.web.search.provider, or the first of those that need a credential or an address and have one, in the
 *        reference's order (Brave, Tavily, SearXNG); when that fails, the next. DuckDuckGo needs neither and is asked only
 *        when it is named.
 * Keys   plugins.entries.<id>.config.webSearch.apiKey (a text or a reference), else the service's usual variable. They go
 *        to the service's configured origin and nowhere else: redirects are not followed.
 * Limits tools.web.search.*; SEARCH_RESPONSE_MAX bytes of an answer.
 * Fails  CH_E_UNSUPPORTED (a filter the service does not have), CH_E_DENIED (the credential), CH_E_BUSY (its rate or quota),
 *        CH_E_NOT_FOUND (no service configured), CH_E_PEER, CH_E_TIMEOUT, CH_E_CANCELED. Texts name the way out.
 */
#ifndef CH_WEB_SEARCH_H
#define CH_WEB_SEARCH_H

#include "web/web.h"

#define SEARCH_COUNT_MAX 10
#define SEARCH_QUERY_MAX 2000
#define SEARCH_RESPONSE_MAX (2u << 20)

struct search_in {
	struct config *config;           /* referenced by the caller for the call */
	const char *provider;            /* this one; NULL: as configured */
	const char *query;
	int64_t count;                   /* 0: tools.web.search.maxResults */
	/* Filters; NULL: none. freshness: day, week, month, year. Dates: YYYY-MM-DD. */
	const char *country, *language, *search_lang, *ui_lang, *freshness, *date_after, *date_before;
	bool is_uncached;
	int64_t deadline_ms;
};
struct search_hit { const char *title, *url, *snippet, *published, *site_name; };  /* all but title and url may be NULL */
struct search_out {
	const char *provider;
	const struct search_hit *hits;
	size_t count;
	int64_t took_ms;
	bool is_cached;
};
CH_FIBER CH_MUST_USE ch_status web_search(struct web *w, const struct search_in *in, struct arena *a, struct search_out *ret,
					  struct ch_err *err);

/* -- what there is, for webSearch.status -- */
struct search_info {
	const char *id, *label, *hint, *docs_url, *signup_url;
	const char *credential_path;     /* NULL: it needs none */
	const char *credential_source;   /* "config", "secretRef", "env", "none", "missing" */
	bool is_configured, is_enabled;
};
size_t search_provider_count(void);
void search_provider_info(size_t i, const struct config *c, struct search_info *ret);
/* The id of the one that would be asked, or NULL: then *ret_why says what to do. */
const char *search_selected(const struct config *c, const char **ret_why);

#endif
