/*
 * channels/live_priv.h - one turn's signs of life, from inside; for live.c and live_*.c.
 *
 * A turn has a fiber of its own, which does one thing after the other: what is told of the run only changes what is wanted, so a
 * slow network makes steps be left out, never waited for. live_*_due() says when there is something to do next, live_*_do() does it.
 */
#ifndef CH_CHANNELS_LIVE_PRIV_H
#define CH_CHANNELS_LIVE_PRIV_H

#include "channels/live.h"
#include "core/fiber.h"
#include "core/vec.h"

#define LIVE_NEVER INT64_MAX
#define LIVE_EDIT_MS 1000                /* between two edits of a place */
#define LIVE_TURN_MAX_MS (24 * 3600000LL)        /* a turn of whose end nothing is heard is forgotten */
#define LIVE_TEXT_MAX (256u << 10)       /* of a reply that is looked at while it is made */
#define LIVE_LINES_MAX 64
#define LIVE_EMOJI_MAX 64
#define LIVE_START_MS 1500               /* work that takes no longer has no progress draft */
#define LIVE_FIRST_CHARS 30              /* a preview begins with so much, or after LIVE_FIRST_MS: its notification is read */
#define LIVE_FIRST_MS 2500

enum live_typing { LIVE_TYPING_NEVER, LIVE_TYPING_INSTANT, LIVE_TYPING_THINKING, LIVE_TYPING_MESSAGE };
enum live_draft_mode { LIVE_DRAFT_OFF, LIVE_DRAFT_PARTIAL, LIVE_DRAFT_BLOCK, LIVE_DRAFT_PROGRESS };
enum live_status { LIVE_QUEUED, LIVE_THINKING, LIVE_TOOL, LIVE_COMPACTING, LIVE_DONE, LIVE_ERROR, LIVE_STALL_SOFT, LIVE_STALL_HARD,
		   LIVE_STATUSES };

/* What the configuration says for a turn, read when it begins. */
struct live_cfg {
	enum live_typing typing;
	int64_t typing_ms;
	char ack[LIVE_EMOJI_MAX];        /* "": none */
	char busy[LIVE_EMOJI_MAX];       /* typingReaction; "": none */
	bool removes_ack, has_status, shows_errors_only;
	char status[LIVE_STATUSES][LIVE_EMOJI_MAX];
	enum live_draft_mode draft;
	char label[96];                  /* "": none */
	int lines_max, line_chars;
	bool shows_tools, shows_commands;
	size_t draft_min;                /* steps of LIVE_DRAFT_BLOCK, in bytes */
	bool streams;                    /* the preview grows where it stands, as long as it can */
	bool is_reply;                   /* the first message answers the one it is for (replyToMode) */
	bool has_blocks, blocks_at_end;
	size_t block_min, block_max;
	int64_t idle_ms, pause_min_ms, pause_max_ms;
};

struct live_state {
	struct chan_live *live;
	int refs;
	struct arena *arena;             /* the texts below */
	const char *run_id, *session_key, *agent_id;
	struct chan_place place;
	struct live_cfg cfg;
	struct fiber *fiber;
	bool is_over, is_error, is_closing;      /* ended; with an error; no preview may be begun any more */
	int64_t begun_at, over_at;
	struct fiber_cond settled;       /* nothing of the preview is on its way */

	/* typing */
	bool wants_typing, is_typing, has_busy;  /* has_busy: the reaction that stands for typing is there */
	int64_t typing_at;               /* when to say it next */

	/* reactions */
	char shown[LIVE_EMOJI_MAX];      /* ours on the message now; "": none */
	enum live_status status;
	int64_t status_at, activity_at;  /* when it is to be shown; when something last happened */
	bool has_acked;

	/* the text, and its preview */
	struct buf text;
	bool is_silent;                  /* may yet be NO_REPLY */
	int64_t text_at, first_text_at, work_at;
	char *lines[LIVE_LINES_MAX];     /* of tools, oldest first; heap */
	size_t line_count;
	char *draft_id, *draft_text;     /* heap; what the network shows now */
	bool is_dirty, is_drafting;      /* something new to show; a request is on its way */
	bool has_given_draft;            /* the reply replaces it */
	int64_t draft_at;
	bool is_streaming, wants_end;    /* it grows; it is to end with what the text is now */
	struct buf streamed;             /* Markdown that it has */

	/* blocks */
	struct buf pending;              /* the rest of a text that another one took the place of */
	size_t sent_of_text, sending;    /* bytes of `text` that were sent; that will be when the piece at hand is */
	unsigned texts;                  /* how many there were */
	unsigned blocks;
	int64_t block_at;                /* not before */
};

/* What live_end() said, for when the reply has to be settled once more. */
struct live_ended { char *run_id, *draft_id, *text; size_t sent_bytes; };
#define LIVE_ENDED_MAX 32

struct chan_live {
	struct chan_host *host;
	VEC(struct live_state *) turns;
	VEC(struct live_sweep *) sweeps; /* accounts that came up, and whose left previews are looked for */
	struct live_ended ended_runs[LIVE_ENDED_MAX];    /* a ring */
	size_t next_ended;
	struct fiber_cond ended;
	bool is_draining;
};

/* -- live.c -- */
/* The account, when it can be used now; NULL otherwise. Looked up anew after each wait. */
struct chan_acct *live_acct(const struct live_state *t);
void live_wake(struct live_state *t);
/* Something failed: said once, and the feature is off for this turn. */
void live_failed(struct live_state *t, const char *what, const struct ch_err *err);

/* -- live_cfg.c -- */
void live_cfg_read(struct chan_host *h, const struct live_turn *t, struct live_cfg *ret);

/* -- live_react.c -- */
int64_t live_react_due(const struct live_state *t);
CH_FIBER void live_react_do(struct live_state *t);
void live_react_status(struct live_state *t, enum live_status s);

/* -- live_draft.c -- */
int64_t live_draft_due(const struct live_state *t);
CH_FIBER void live_draft_do(struct live_state *t);
void live_draft_line(struct live_state *t, const char *name, const char *meta, bool is_end, bool is_error);
/* Takes the preview away that the reply does not replace. */
CH_FIBER void live_draft_clean(struct live_state *t);

/* -- live_left.c -- */
/* It is shown: kept until it is gone or forgotten. */
void live_left_note(const struct live_state *t, const struct chan_acct *acct);
/* What became of taking it away, at once: it is forgotten, or tried again when the account comes up. */
void live_left_gone(struct chan_live *l, const char *channel, const char *account, const char *run_id, ch_status st,
		    const struct ch_err *why);
/* No account is looked through any more. */
void live_left_stop(struct chan_live *l);

/* -- live_stream.c -- */
/* Sends what is new of the Markdown (NULL: nothing). CH_E_UNSUPPORTED: it cannot grow to this, an edit can. */
CH_FIBER CH_MUST_USE ch_status live_stream_show(struct live_state *t, struct chan_acct *acct, const struct chan_out *out,
						const char *markdown, bool is_end, struct arena *a, struct ch_err *err);

/* -- live_block.c -- */
int64_t live_block_due(const struct live_state *t);
CH_FIBER void live_block_do(struct live_state *t);
/* What an earlier process sent of the run's last text. */
void live_block_kept(struct chan_live *l, const char *run_id, struct arena *a, struct live_end *ret);
bool live_block_is_digest(const char *text, size_t n, const char *digest);
/* A new text begins: what was not sent of the one before becomes a block. */
void live_block_flush(struct live_state *t);

#endif
