/*
 * web/html.h - a page as Markdown or plain text.
 *
 * What is written is what a reader of the page sees: its main content (the densest part, or what the page itself calls
 * main) with headings, lists, tables, code and links made absolute; images as their alternative text.
 * Hidden text, scripts, comments and invisible characters are left out.
 *
 * Runs    in web/html_child, a process without rights: what parses foreign bytes here is not ours.
 * Limits  HTML_OUT_MAX bytes of text; see html_tree.h for the tree's.
 */
#ifndef CH_WEB_HTML_H
#define CH_WEB_HTML_H

#include "core/arena.h"
#include "core/buf.h"
#include "core/err.h"

#define HTML_OUT_MAX (4u << 20)
#define HTML_TITLE_MAX 256
#define HTML_MEMORY_MAX ((size_t)256 << 20)

struct html_in {
	const char *text;                /* UTF-8 */
	size_t len;
	const char *url;                 /* of the page, for its links; NULL: they stay as they are */
	bool is_plain;                   /* plain text instead of Markdown */
	bool is_whole;                   /* all of it, not the main content */
	void (*on_limit)(void);          /* html_tree.h */
};
struct html_out {
	const char *title;               /* "" when it has none; on the arena */
	struct buf text;                 /* the caller's: buf_init() before, buf_done() after */
	bool is_main;                    /* a main content was found */
	bool is_cut;
};
CH_MUST_USE ch_status html_convert(const struct html_in *in, struct arena *a, struct html_out *ret, struct ch_err *err);

/* A code point that must not reach a model: invisible, or one that changes the order of what is read. */
bool html_drops_cp(uint32_t cp);

/* One hit of a page of search results. */
struct html_hit { const char *title, *url, *snippet; };
/*
 * DuckDuckGo's page without scripts: links of class result__a with their result__snippet, advertisements left out;
 * links through its own redirect are taken apart. ret_is_challenge: it asks whether a person is there.
 */
CH_MUST_USE ch_status html_duckduckgo(const struct html_in *in, struct arena *a, const struct html_hit **ret, size_t *ret_count,
				      bool *ret_is_challenge, struct ch_err *err);

#endif
