/*
 * channels/limits.h - what a network can, how much it takes at once, and how fast; part of its row (channels/channel.h, which
 * includes it).
 */
#ifndef CH_CHANNELS_LIMITS_H
#define CH_CHANNELS_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

enum chan_cap {
	CHAN_EDIT = 1, CHAN_DELETE = 2, CHAN_REACT = 4, CHAN_TYPING = 8, CHAN_MEDIA = 16, CHAN_THREADS = 32, CHAN_POLL = 64,
	CHAN_BUTTONS = 128, CHAN_HISTORY = 256, CHAN_REPLY = 1024, CHAN_GROUPS = 2048,
	CHAN_IDEMPOTENT = 4096,          /* a send repeated with the same key shows once */
	CHAN_NATIVE_COMMANDS = 8192,
	CHAN_LOCATION = 16384,
	CHAN_EPHEMERAL = 32768,          /* what answers a command or a press can be shown to its user alone */
	CHAN_PIN = 65536,
	CHAN_STREAM = 131072,            /* a message can grow where it stands */
};

enum chan_unit { CHAN_UTF16, CHAN_CODEPOINTS, CHAN_BYTES };      /* what the platform counts lengths in */

struct chan_limits {
	int text_max;                    /* of one message, in `unit`: the platform's own */
	int text_default;                /* textChunkLimit's default; <= text_max */
	int lines_max;                   /* 0: none; maxLinesPerMessage's default */
	int edit_max;                    /* of a text that takes the place of a message's; 0: text_max */
	int caption_max;                 /* of a text with media; 0: media takes no text */
	int album_max;                   /* files in one message; 1 when 0 */
	int64_t media_max_bytes;         /* mediaMaxMb's default */
	int buttons_max, options_max;    /* options: of a poll */
	enum chan_unit unit;
	int debounce_ms;                 /* quiet time before texts of one sender become an input; 0: each is one at once */
	/* Pace: messages a second over the account, and to one peer (0: none), with bursts. */
	double rate, peer_rate; int burst, peer_burst;
	bool peer_counts_posts;          /* peer_rate is of new messages alone: edits, reactions and the like have limits of their own */
};

#endif
