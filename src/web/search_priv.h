/*
 * web/search_priv.h - a search service is a row: what it is called, what it needs, how it is asked and read (private).
 *
 * build() and parse() do no I/O (DuckDuckGo's page goes through the child that reads pages), so they are tested from
 * texts alone.
 */
#ifndef CH_WEB_SEARCH_PRIV_H
#define CH_WEB_SEARCH_PRIV_H

#include "net/http_client.h"
#include "web/search.h"

enum search_filter { SEARCH_COUNTRY = 1, SEARCH_LANGUAGE = 2, SEARCH_FRESHNESS = 4, SEARCH_DATES = 8 };
#define SEARCH_TITLE_MAX 256
#define SEARCH_SNIPPET_MAX 2000

struct search_job {
	const struct search_in *in;
	int count;
	const char *base;                /* "https://api.example", without a slash at the end */
	const char *key;                 /* the credential, or NULL */
	struct arena *a;
};
struct search_request {
	const char *url, *body;          /* body: a POST of JSON */
	struct http_header headers[6];
	size_t header_count;
};
struct search_provider {
	const char *id, *label, *hint, *docs_url, *signup_url;
	const char *key_path, *key_env;  /* NULL: it needs no key */
	const char *base_path, *base_env, *base;         /* base NULL: it must be configured */
	unsigned filters;                /* enum search_filter */
	CH_MUST_USE ch_status (*build)(const struct search_job *job, struct search_request *ret, struct ch_err *err);
	/* Fills at most job->count hits on the arena. */
	CH_FIBER CH_MUST_USE ch_status (*parse)(const struct search_job *job, const char *text, size_t len, struct search_hit *hits,
						size_t *ret_count, struct ch_err *err);
	/* What a status means here when it is not the usual; NULL: the usual. */
	const char *(*explain)(int status);
};
extern const struct search_provider search_brave, search_tavily, search_searxng, search_duckduckgo;

/* -- search_text.c -- */
/* One line without invisible characters; with_markup: tags and entities are resolved. "" for NULL. */
const char *search_clean(struct arena *a, const char *text, size_t max_bytes, bool with_markup);
/* An ISO date or time as it is, an HTTP date as ISO; NULL: something else. */
const char *search_date(struct arena *a, const char *text);
/* Fills hit; false when the address is none. text and snippet are cleaned. */
bool search_hit_set(struct arena *a, struct search_hit *hit, const char *title, const char *url, const char *snippet, const char *date,
		    bool with_markup);
/* "&name=value", percent-encoded; nothing when value is NULL. */
void search_param(struct arena *a, struct buf *url, const char *name, const char *value);

/* -- search_pick.c -- */
const struct search_provider *search_find(const char *id);
/* The i-th of those to be tried when none is named; NULL at the end. */
const struct search_provider *search_auto(const struct config *c, size_t i);
bool search_is_configured(const struct search_provider *p, const struct config *c);
/* The key and the base, checked. ret_key may be NULL inside. */
CH_FIBER CH_MUST_USE ch_status search_access(const struct search_provider *p, const struct config *c, struct arena *a,
					     struct secret **ret_key, const char **ret_base, struct ch_err *err);

#endif
