/*
 * channels/render.h - Markdown to what a network shows, cut to what it takes. No I/O.
 *
 * Markdown is read by md4c to a list of blocks and spans; a flavour writes it. Cutting happens on that list, so no tag, entity,
 * link, code fence or grapheme is ever split; a fence that must be is closed and opened again with its language, a list goes on
 * with its number, a table that must be cut repeats its head.
 * Limits  RENDER_IN_MAX bytes; nesting RENDER_DEPTH_MAX; deeper or broken input is shown as text.
 * Fails   never for content: what a flavour cannot show it says in text. CH_E_LIMIT past RENDER_IN_MAX, CH_E_INVALID for a limit
 *         below RENDER_TEXT_MIN.
 */
#ifndef CH_CHANNELS_RENDER_H
#define CH_CHANNELS_RENDER_H

#include "channels/channel.h"

#define RENDER_IN_MAX (1u << 20)
#define RENDER_DEPTH_MAX 32
#define RENDER_TEXT_MIN 64               /* a smaller limit is refused: it has no room for marks */

enum render_tables { RENDER_TABLES_DEFAULT, RENDER_TABLES_OFF, RENDER_TABLES_BULLETS, RENDER_TABLES_CODE, RENDER_TABLES_BLOCK };

struct render_opts {
	enum chan_flavour flavour;
	enum chan_unit unit;
	int text_max;                    /* of a part, in unit, after rendering */
	int first_max;                   /* of the first part when that differs (a caption); 0: text_max */
	int lines_max;                   /* 0: none */
	bool by_paragraph;               /* streaming.chunkMode "newline": cut at blank lines first */
	enum render_tables tables;
};
struct render_part { const char *text; const char *plain; };     /* in the flavour, and without markup */

/* *ret lives on the arena. No text gives no parts. */
CH_MUST_USE ch_status render_message(struct arena *a, const char *markdown, size_t len, const struct render_opts *opts,
				     const struct render_part **ret, size_t *ret_count, struct ch_err *err);
/* How long a text is for a network. */
size_t render_len(const char *text, size_t len, enum chan_unit unit);
/* Text as it is, safe within the flavour ("<" -> "&lt;"); on the arena. */
const char *render_escape(struct arena *a, enum chan_flavour flavour, const char *text);
enum render_tables render_tables_parse(const char *name);        /* unknown or NULL: DEFAULT */

/*
 * What a model says to the core, not to the person: [[reply_to_current]], [[reply_to:<id>]], [[audio_as_voice]], [[silent]] and
 * the like, and a reply that is NO_REPLY. text is what is left, on the arena.
 */
struct render_tags { const char *text; const char *reply_to; bool reply_to_current, as_voice, is_silent_reply;
		     const char *const *media; size_t media_count; /* MEDIA:<path or url> lines */ };
void render_tags(struct arena *a, const char *reply, size_t len, struct render_tags *ret);

#endif
