/*
 * channels/render_pen.h - writes pieces of a document in a flavour and knows at every moment how long the message would be.
 * Private to the renderer.
 *
 * What is open (styles, a quote, a fence) is closed at the end of a piece: `used` + `closing` never passes the limit once the caller
 * has checked it (pen_fits), so a part can end anywhere. A pen that is past its limit may stop writing: what it has is taken back.
 * Without `out` a pen only measures.
 */
#ifndef CH_CHANNELS_RENDER_PEN_H
#define CH_CHANNELS_RENDER_PEN_H

#include "channels/md.h"

#define PEN_STYLES 8

struct pen {
	enum chan_flavour flavour;
	enum chan_unit unit;
	bool is_fallback;                /* the plain twin of a part: shows no more than the part has room for */
	struct buf *out;                 /* NULL: measure */
	const struct md_doc *doc;
	size_t max;                      /* of the part, in unit; SIZE_MAX: none */
	int lines_max;                   /* 0: none */
	size_t used, closing;            /* in unit: written, and what would close all that is open */
	int lines;                       /* line ends written */
	unsigned open[PEN_STYLES];       /* styles that are open, outermost first; never twice the same */
	int open_link, depth;
	bool in_quote, at_line_start;
	const char *block_end;           /* of the text that is being written */
};

/* Which styles the flavour can show, for each run and link; a link longer than url_max is shown as text. */
void render_flavour(struct md_doc *doc, enum chan_flavour flavour, size_t url_max);

void pen_init(struct pen *p, enum chan_flavour flavour, enum chan_unit unit, const struct md_doc *doc, struct buf *out);
/* Room for what is written and what closes it? lines_to_come are those that closing takes. */
bool pen_fits(const struct pen *p, int lines_to_come);
/* The empty line or line end between two blocks. */
void pen_between(struct pen *p, const struct md_block *next);
/* Marker, fence and the like; `is_rest`: the block was begun in another part. */
void pen_begin_block(struct pen *p, const struct md_block *b, bool is_rest);
/* Bytes [from, to) of the block's text, all in run i unless the pen is a plain one. */
void pen_text(struct pen *p, const struct md_block *b, size_t i, uint32_t from, uint32_t to);
void pen_end_block(struct pen *p, const struct md_block *b);
/* Closes what is left at the end of a message. */
void pen_end(struct pen *p);
/* Units that opening and closing these styles takes, links apart. */
size_t pen_marks_len(enum chan_flavour flavour, unsigned styles);
/* Bytes of the smallest piece at s that may not be cut but for graphemes: a character, a mention. */
size_t pen_atom(enum chan_flavour flavour, const char *s, size_t n);

#endif
