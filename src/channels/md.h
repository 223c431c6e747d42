/*
 * channels/md.h - Markdown as a list of blocks, each with its text and the runs of one style in it. Private to the renderer.
 *
 * A block is a leaf: a paragraph, a heading, a code block, a rule. What surrounds it (quotes, lists) is told by its fields, so
 * that a cutter needs no tree. Text is as it is read: entities decoded, markup gone, control characters left out.
 * Owns    everything in struct md_doc until md_doc_done().
 * Limits  MD_IN_MAX bytes are read as Markdown, nesting RENDER_DEPTH_MAX, MD_GROW times the input: past them, and when md4c is
 *         not installed, the text is taken as it is, in paragraphs.
 * Fails   CH_E_LIMIT and CH_E_NOMEM only.
 */
#ifndef CH_CHANNELS_MD_H
#define CH_CHANNELS_MD_H

#include "channels/render.h"
#include "core/vec.h"

#define MD_IN_MAX (128u << 10)           /* longer replies do not exist; stops what a parser takes more than linear time for */
#define MD_GROW 16                       /* runs, cells and text that an input may become: tables fill short rows up */
#define MD_URL_MAX 2048
#define MD_LANG_MAX 24
#define MD_PAD 64                        /* md4c 0.4 looks behind the end of a text that does not end with a line */

enum md_style {
	MD_BOLD = 1, MD_ITALIC = 2, MD_UNDER = 4, MD_STRIKE = 8, MD_SPOILER = 16, MD_CODE = 32, MD_LINK = 64,
	MD_TAIL = 128,                   /* " (url)" behind a link's text: for where links cannot be shown */
	MD_MARK = 256,                   /* "||": for where spoilers cannot be shown */
};

struct md_run {
	uint32_t at, len;                /* bytes of doc.text */
	uint16_t style;                  /* what the author means */
	uint16_t shown;                  /* what the flavour can show of it (render_flavour) */
	bool is_hidden;                  /* a tail or mark that the flavour has no need of */
	int link;                        /* index, or -1 */
};

struct md_link {
	char *url;
	uint32_t line_ends;              /* in its text, counted by the flavour */
	bool is_bare;                    /* the text is the address */
	bool is_shown;                   /* as a link, by the flavour */
};

enum md_kind { MD_PARA, MD_HEADING, MD_CODE_BLOCK, MD_RULE };
enum md_marker { MD_NO_MARKER, MD_BULLET, MD_NUMBER, MD_TASK_OPEN, MD_TASK_DONE };

struct md_block {
	enum md_kind kind;
	int level;                       /* of a heading: 1 to 6 */
	enum md_marker marker;           /* of the list item that this block begins */
	unsigned number;
	int outdent, indent;             /* columns before the marker, and before lines without one */
	bool is_quote;
	bool is_tight;                   /* no empty line before it */
	uint32_t at, len;                /* bytes of doc.text */
	uint32_t head;                   /* of them, the head of a table: said again when it is cut */
	size_t run, runs;                /* indices of doc.runs */
	char lang[MD_LANG_MAX + 1];      /* of code: letters, digits, "+-_#."; or "" */
};

struct md_doc {
	struct buf text;
	VEC(struct md_run) runs;
	VEC(struct md_block) blocks;
	VEC(struct md_link) links;
};

CH_MUST_USE ch_status md_read(struct md_doc *doc, const char *markdown, size_t len, enum render_tables tables, struct ch_err *err);
void md_doc_done(struct md_doc *doc);

/* -- private to md*.c: building a document -- */

struct md_cell { uint32_t at, len; size_t run, runs; };
struct md_table { VEC(struct md_cell) cells; size_t columns; };

void md_append(struct md_doc *doc, const char *text, size_t len, unsigned style, int link);
/* The block gets what was appended since it was begun. */
void md_begin(struct md_doc *doc, struct md_block *b);
void md_end(struct md_doc *doc, struct md_block *b);
/* The text as it is given to md4c: it ends with a line, and MD_PAD readable bytes stand behind it. */
void md_source(struct buf *out, const char *markdown, size_t len);
/* A table as blocks like `like`. */
void md_table_blocks(struct md_doc *doc, const struct md_table *t, enum render_tables mode, const struct md_block *like);
/* "&amp;" -> "&"; 0: not one that is known. */
size_t md_entity(const char *s, size_t n, char ret[8]);

#endif
