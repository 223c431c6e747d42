/*
 * config/text.h - JSON5 text as text: where its parts begin and end.
 *
 * Every function here takes text that json_parse(JSON_JSON5) has accepted;
 * that is what keeps them short. Offsets are bytes from the start.
 */
#ifndef CH_CONFIG_TEXT_H
#define CH_CONFIG_TEXT_H

#include "config/path.h"
#include "core/buf.h"

struct text {
	const char *p;
	size_t len;
};

/* A member of an object or an item of a list (which has no key: key_start == key_end == start). */
struct text_part {
	size_t key_start, key_end;
	size_t start, end;               /* of the value */
	size_t comma;                    /* offset of the comma behind it, SIZE_MAX without one */
	size_t index;
};

/* Behind white space and comments: the next token, or len. */
size_t text_skip_blank(const struct text *t, size_t at);
/* Behind one piece of white space or one comment; `at` itself when there is none. */
size_t text_skip_piece(const struct text *t, size_t at);
/* Behind the value that begins at `at`. */
size_t text_skip_value(const struct text *t, size_t at);

/* Walks a container that begins at `open`: part->end == 0 asks for the first. False at the end. */
bool text_next_part(const struct text *t, size_t open, struct text_part *part);
/* The closing bracket of the container at `open`. */
size_t text_close(const struct text *t, size_t open);
/* Is this the member's name? a: scratch for names written with escapes. */
bool text_key_is(const struct text *t, const struct text_part *part, const char *name, struct arena *a);
/* The member's name, decoded, on the arena. */
const char *text_key(const struct text *t, const struct text_part *part, struct arena *a);
/* A line feed, carriage return, line or paragraph separator. */
bool text_is_line_end(const struct text *t, size_t at);
/* The last part with that name, or the item with that number; false when absent. */
bool text_find_part(const struct text *t, size_t open, const char *name, struct arena *a,
		    struct text_part *ret);

#endif
