/*
 * web/html_main.c - which part of a page is its text.
 *
 * What the page calls main is believed. Otherwise paragraphs vote for the boxes around them: by their length and
 * commas for the parent, half of it for the grandparent, less further up; names such as "article" or "sidebar" count,
 * and a box full of links loses. The idea is the one of the readability bookmarklets.
 */
#include <string.h>

#include "core/str.h"
#include "web/html_priv.h"

#define PARAGRAPH_MIN 25                 /* bytes of a paragraph that has a vote */
#define MAIN_MIN 140                     /* bytes of a text that may stand for the page */
#define MAIN_SHARE 5                     /* and it is at least the fifth part of all */
#define VOTE_LEVELS 4
#define CLUTTER_MAX 1500                 /* bytes: a box called "share" with more text than this is no clutter */

/* What is known of each node; filled from the end, so that children come before their parents. */
struct weight {
	uint32_t text;                   /* visible bytes without white space */
	uint32_t link;                   /* of them inside links */
	uint32_t own;                    /* of them directly in it */
	uint32_t commas;
	float score;
};

static bool has_word(const char *names, const char *const *words, size_t count)
{
	for (size_t i = 0; names && i < count; i++)
		if (strcasestr(names, words[i]))
			return true;
	return false;
}

static float name_weight(const struct html_node *n)
{
	static const char *const good[] = { "article", "content", "entry", "main", "post", "story", "text", "blog", "markdown" };
	static const char *const bad[] = { "comment", "footer", "sidebar", "nav", "menu", "share", "promo", "related", "banner",
					   "cookie", "advert", "sponsor", "widget", "masthead", "breadcrumb" };
	const char *names[] = { html_attr(n, "class"), html_attr(n, "id") };
	float w = 0;

	for (size_t i = 0; i < CH_ARRAY_LEN(names); i++) {
		w += has_word(names[i], good, CH_ARRAY_LEN(good)) ? 25 : 0;
		w -= has_word(names[i], bad, CH_ARRAY_LEN(bad)) ? 25 : 0;
	}
	return w;
}

static void count_text(const char *text, struct weight *w)
{
	for (const char *p = text; *p; p++) {
		w->text += (unsigned char)*p > ' ';
		w->commas += *p == ',';
	}
}

static struct weight *weigh(const struct html_tree *t)
{
	struct weight *w = arena_alloc(t->arena, t->len * sizeof(*w));

	CH_BUG_ON(!w);                   /* never; the analyzer does not see it */
	for (size_t i = t->len; i-- > 0;) {
		const struct html_node *n = &t->at[i];
		struct weight *up = n->parent == HTML_NONE ? NULL : &w[n->parent];

		if (n->text && !n->is_hidden)
			count_text(n->text, &w[i]);
		if (n->tag == GUMBO_TAG_A)
			w[i].link = w[i].text;
		if (!up)
			continue;
		up->text += w[i].text;
		up->link += w[i].link;
		up->commas += w[i].commas;
		if (n->text)
			up->own += w[i].text;
	}
	return w;
}

static bool is_paragraph(const struct html_node *n, const struct weight *w)
{
	if (n->is_hidden || w->text < PARAGRAPH_MIN)
		return false;
	switch (n->tag) {
	case GUMBO_TAG_P: case GUMBO_TAG_PRE: case GUMBO_TAG_TD: case GUMBO_TAG_BLOCKQUOTE: case GUMBO_TAG_LI: return true;
	case GUMBO_TAG_DIV: case GUMBO_TAG_SECTION: return w->own >= PARAGRAPH_MIN;
	default: return false;
	}
}

static void vote(const struct html_tree *t, struct weight *w)
{
	for (uint32_t i = 0; i < t->len; i++) {
		uint32_t up = t->at[i].parent;
		float score;

		if (!is_paragraph(&t->at[i], &w[i]))
			continue;
		score = 1 + (float)w[i].commas + CH_MIN((float)w[i].text / 100, 3);
		for (int level = 1; up != HTML_NONE && level <= VOTE_LEVELS; level++) {
			w[up].score += score / (float)(level == 1 ? 1 : level == 2 ? 2 : 3 * (level - 1));
			up = t->at[up].parent;
		}
	}
}

static bool is_big_enough(const struct weight *w, uint32_t body, uint32_t i)
{
	return i != HTML_NONE && w[i].text >= MAIN_MIN && w[i].text >= w[body].text / MAIN_SHARE;
}

/* <main>, role=main, or the only <article>. */
static uint32_t named_main(const struct html_tree *t, const struct weight *w, uint32_t body)
{
	uint32_t article = HTML_NONE, articles = 0;

	for (uint32_t i = body; i < t->at[body].end; i++) {
		const struct html_node *n = &t->at[i];

		if (n->is_hidden || n->text)
			continue;
		if ((n->tag == GUMBO_TAG_MAIN || str_ieq(html_attr(n, "role"), "main")) && is_big_enough(w, body, i))
			return i;
		if (n->tag == GUMBO_TAG_ARTICLE) {
			article = i;
			articles++;
		}
	}
	return articles == 1 && is_big_enough(w, body, article) ? article : HTML_NONE;
}

static uint32_t best_box(const struct html_tree *t, const struct weight *w, uint32_t body)
{
	uint32_t best = HTML_NONE;
	float most = 0;

	for (uint32_t i = body; i < t->at[body].end; i++) {
		float score;

		if (w[i].score <= 0 || t->at[i].is_hidden || !w[i].text)
			continue;
		score = (w[i].score + name_weight(&t->at[i])) * (1 - (float)w[i].link / (float)w[i].text);
		if (score > most) {
			most = score;
			best = i;
		}
	}
	return best;
}

uint32_t html_main_content(const struct html_tree *t, uint32_t body)
{
	struct weight *w = weigh(t);
	uint32_t found = named_main(t, w, body);

	if (found != HTML_NONE)
		return found;
	vote(t, w);
	found = best_box(t, w, body);
	return found != body && is_big_enough(w, body, found) ? found : HTML_NONE;
}

static bool is_clutter(const struct html_node *n, const struct weight *w)
{
	static const char *const roles[] = { "navigation", "banner", "contentinfo", "complementary", "search", "alert", "dialog" };
	static const char *const words[] = { "cookie", "consent", "newsletter", "share", "social", "related", "advert", "promo",
					     "sidebar", "breadcrumb", "subscribe", "toolbar", "pagination" };
	const char *role = html_attr(n, "role");

	switch (n->tag) {
	case GUMBO_TAG_NAV: case GUMBO_TAG_ASIDE: case GUMBO_TAG_FOOTER: case GUMBO_TAG_BUTTON: return true;
	case GUMBO_TAG_FORM: return w->text < CLUTTER_MAX;
	default: break;
	}
	if (role && str_in(role, roles, CH_ARRAY_LEN(roles)))
		return true;
	if (!html_is_block(n->tag) || w->text > CLUTTER_MAX)
		return false;
	return has_word(html_attr(n, "class"), words, CH_ARRAY_LEN(words)) || has_word(html_attr(n, "id"), words, CH_ARRAY_LEN(words));
}

void html_mark_clutter(const struct html_tree *t, uint32_t root, bool *skip)
{
	const struct weight *w = weigh(t);

	for (uint32_t i = root + 1; i < t->at[root].end; i++) {
		if (t->at[i].text || !is_clutter(&t->at[i], &w[i]))
			continue;
		for (uint32_t k = i; k < t->at[i].end; k++)
			skip[k] = true;
		i = t->at[i].end - 1;
	}
}
