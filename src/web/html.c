/*
 * web/html.c - a page from its text to what is given to a model.
 */
#include "web/html.h"

#include <string.h>

#include "core/str.h"
#include "net/url.h"
#include "web/html_priv.h"

#define HITS_MAX 50
#define SNIPPET_MAX 2000

static uint32_t find_body(const struct html_tree *t)
{
	uint32_t i = html_find(t, 0, GUMBO_TAG_BODY);

	return i == HTML_NONE ? 0 : i;
}

/* <base href> counts only against the page's own address. */
static const char *base_of(const struct html_tree *t, const char *url)
{
	uint32_t i = html_find(t, 0, GUMBO_TAG_BASE);
	const char *href = i == HTML_NONE ? NULL : html_attr(&t->at[i], "href");
	const char *joined = href && url ? url_join(t->arena, url, href) : NULL;

	return joined ? joined : url;
}

static const char *meta_title(const struct html_tree *t)
{
	for (uint32_t i = 0; i < t->len; i++) {
		const struct html_node *n = &t->at[i];

		if (n->tag == GUMBO_TAG_META && (str_ieq(html_attr(n, "property"), "og:title") || str_ieq(html_attr(n, "name"), "og:title")))
			return html_attr(n, "content");
	}
	return NULL;
}

/* A title may be written by anybody, too: on one line, without what is invisible. */
static const char *clean_title(struct arena *a, const char *text)
{
	CH_AUTO_BUF struct buf out = { 0 };
	size_t left = strlen(text);

	buf_init(&out, HTML_TITLE_MAX + 4);
	while (left && out.len < HTML_TITLE_MAX) {
		uint32_t cp = 0;
		size_t n = utf8_decode(text, left, &cp);

		if (n && cp > ' ' && cp != 0xa0 && !html_drops_cp(cp))
			buf_append(&out, text, n);
		else if (out.len && out.data[out.len - 1] != ' ')
			buf_putc(&out, ' ');
		n = n ? n : 1;
		text += n;
		left -= n;
	}
	return str_trim(a, buf_str(&out));
}

static const char *title_of(const struct html_tree *t)
{
	uint32_t i = html_find(t, 0, GUMBO_TAG_TITLE);
	const char *title = i == HTML_NONE ? "" : html_text_of(t, i, HTML_TITLE_MAX);

	if (!*title) {
		const char *og = meta_title(t);

		title = og ? og : "";
	}
	if (!*title) {
		i = html_find(t, 0, GUMBO_TAG_H1);
		title = i == HTML_NONE || t->at[i].is_hidden ? "" : html_text_of(t, i, HTML_TITLE_MAX);
	}
	return clean_title(t->arena, title);
}

ch_status html_convert(const struct html_in *in, struct arena *a, struct html_out *ret, struct ch_err *err)
{
	struct html_tree t = { .arena = a, .on_limit = in->on_limit };
	struct html_write w = { .tree = &t, .is_plain = in->is_plain };
	ch_status st = html_tree_parse(&t, in->text, in->len, err);
	uint32_t main = HTML_NONE;

	if (st)
		return st;
	w.root = find_body(&t);
	w.base = base_of(&t, in->url);
	if (!in->is_whole)
		main = html_main_content(&t, w.root);
	if (main != HTML_NONE) {
		bool *skip = arena_alloc(a, t.len);

		html_mark_clutter(&t, main, skip);
		w.skip = skip;
		w.root = main;
	}
	ret->title = title_of(&t);
	ret->is_main = main != HTML_NONE;
	ret->is_cut = t.is_cut;
	html_write(&w, &ret->text);
	return buf_status(&ret->text, err, "the page's text");
}

/* -- results of DuckDuckGo -- */

/* "//duckduckgo.com/l/?uddg=<address>&rut=…" is a redirect through which clicks are counted. */
static const char *hit_url(struct arena *a, const char *base, const char *href)
{
	const char *absolute = base ? url_join(a, base, href) : href, *target;
	struct url u;

	if (!absolute || url_parse(a, absolute, &u, NULL))
		return NULL;
	if (!(str_eq(u.host, "duckduckgo.com") || str_ends(u.host, ".duckduckgo.com")))
		return absolute;
	target = str_starts(u.path, "/l/") ? url_query_get(a, u.query, "uddg") : NULL;
	return target && !url_parse(a, target, &u, NULL) ? target : NULL;
}

/* An advertisement's links lie in a box of class result--ad. */
static bool is_advert(const struct html_tree *t, uint32_t i)
{
	for (; i != HTML_NONE; i = t->at[i].parent)
		if (html_has_class(&t->at[i], "result--ad"))
			return true;
	return false;
}

/* The snippet that follows the link, before the next one. */
static const char *snippet_after(const struct html_tree *t, uint32_t link)
{
	for (uint32_t i = t->at[link].end; i < t->len && !html_has_class(&t->at[i], "result__a"); i++)
		if (html_has_class(&t->at[i], "result__snippet") || html_has_class(&t->at[i], "result-snippet"))
			return html_text_of(t, i, SNIPPET_MAX);
	return "";
}

static bool is_challenge(const struct html_tree *t)
{
	for (uint32_t i = 0; i < t->len; i++) {
		const struct html_node *n = &t->at[i];

		if (html_has_class(n, "anomaly-modal__title") || html_has_class(n, "g-recaptcha") ||
		    str_eq(html_attr(n, "id"), "challenge-form"))
			return true;
	}
	return false;
}

ch_status html_duckduckgo(const struct html_in *in, struct arena *a, const struct html_hit **ret, size_t *ret_count,
			  bool *ret_is_challenge, struct ch_err *err)
{
	struct html_tree t = { .arena = a, .on_limit = in->on_limit };
	struct html_hit *hits = arena_alloc(a, HITS_MAX * sizeof(*hits));
	ch_status st = html_tree_parse(&t, in->text, in->len, err);
	size_t n = 0;

	if (st)
		return st;
	for (uint32_t i = 0; i < t.len && n < HITS_MAX; i++) {
		const char *href = html_attr(&t.at[i], "href"), *url;

		if (t.at[i].tag != GUMBO_TAG_A || t.at[i].is_hidden || !href || is_advert(&t, i))
			continue;
		if (!html_has_class(&t.at[i], "result__a") && !html_has_class(&t.at[i], "result-link"))
			continue;
		url = hit_url(a, in->url, href);
		if (url)
			hits[n++] = (struct html_hit){ html_text_of(&t, i, HTML_TITLE_MAX), url, snippet_after(&t, i) };
	}
	*ret = hits;
	*ret_count = n;
	*ret_is_challenge = n == 0 && is_challenge(&t);
	return CH_OK;
}
