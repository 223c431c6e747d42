/*
 * web/html_priv.h - what the files of the HTML reader share (private).
 */
#ifndef CH_WEB_HTML_PRIV_H
#define CH_WEB_HTML_PRIV_H

#include "web/html.h"
#include "web/html_tree.h"

/* -- html_main.c -- */
/* The root of the main content; HTML_NONE when no part of the page stands out. */
uint32_t html_main_content(const struct html_tree *t, uint32_t body);
/* Navigation, forms, boxes beside the text: left out of a main content. skip[i] for each node. */
void html_mark_clutter(const struct html_tree *t, uint32_t root, bool *skip);

/* -- html_write.c -- */
struct html_write {
	const struct html_tree *tree;
	uint32_t root;
	const bool *skip;                /* by node; NULL: none */
	const char *base;                /* NULL: links stay as they are */
	bool is_plain;
};
void html_write(const struct html_write *w, struct buf *out);

#endif
