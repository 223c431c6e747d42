/*
 * web/html_tree.h - a page as a flat list of nodes in document order (private to web/).
 *
 * A subtree is a run of the list, so that whatever looks at a page is a loop and not a recursion: how deep a page
 * nests is the page's choice. What a reader of the page would not see is marked: scripts and styles, and text that
 * is hidden by an attribute or an inline style, where instructions for a model like to be.
 *
 * Owns    nothing: nodes, texts and libgumbo's own tree live on the arena.
 * Limits  HTML_NODES_MAX nodes, HTML_DEPTH_MAX levels (what is deeper is left out); the arena's ceiling is libgumbo's,
 *         which cannot be told that there is no memory: `on_limit` must not return.
 */
#ifndef CH_WEB_HTML_TREE_H
#define CH_WEB_HTML_TREE_H

#include "core/arena.h"
#include "web/gumbo_api.h"
#include "web/html.h"

#define HTML_NODES_MAX 400000u
#define HTML_DEPTH_MAX 2000u
#define HTML_TAG_TEXT 0xffffu            /* html_node.tag of a text */
#define HTML_NONE UINT32_MAX

struct html_node {
	uint32_t parent;                 /* HTML_NONE for the root */
	uint32_t end;                    /* the index behind its last descendant */
	uint16_t depth;
	uint16_t tag;                    /* GumboTag, or HTML_TAG_TEXT */
	bool is_hidden;                  /* and with it everything below */
	const char *text;                /* of a text */
	const GumboElement *element;     /* of an element */
};

struct html_tree {
	struct arena *arena;
	void (*on_limit)(void);          /* NULL: abort */
	struct html_node *at;
	size_t len, cap;
	bool is_cut;                     /* some of it was left out */
};

/* text is UTF-8 and must outlive the tree. t->arena and t->on_limit are set by the caller. */
CH_MUST_USE ch_status html_tree_parse(struct html_tree *t, const char *text, size_t len, struct ch_err *err);
/* The value of an attribute, or NULL; also NULL for texts. */
const char *html_attr(const struct html_node *n, const char *name);
/* Does the class attribute have this word? */
bool html_has_class(const struct html_node *n, const char *word);
/* The visible text of a subtree, white space collapsed, at most max bytes. On the arena. */
char *html_text_of(const struct html_tree *t, uint32_t i, size_t max_bytes);
/* The first element with this tag in a subtree; HTML_NONE when there is none. */
uint32_t html_find(const struct html_tree *t, uint32_t root, GumboTag tag);
/* Is this element laid out as a block of its own? */
bool html_is_block(unsigned tag);

#endif
