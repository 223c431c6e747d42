/*
 * channels/egress_priv.h - inside the outbox: lanes, the way of one row, its parts and its files.
 *
 * A lane is one place of one account; its rows go one after the other, by a fiber that lives as long as there is something to
 * do now. What has to wait (backoff, a slow place) gives its fiber back and is taken up when it is due.
 */
#ifndef CH_CHANNELS_EGRESS_PRIV_H
#define CH_CHANNELS_EGRESS_PRIV_H

#include "channels/egress.h"
#include "channels/outbox.h"
#include "channels/pace.h"
#include "core/deadline.h"
#include "core/fiber.h"
#include "core/map.h"

#define EGRESS_FIBERS_MAX 64             /* lanes that send at the same time */
#define EGRESS_SHORT_MS 1000             /* waits up to this keep their fiber */
#define EGRESS_RETRY_MS 400              /* the first backoff; doubles */
#define EGRESS_RETRY_MAX_MS 30000
#define EGRESS_LOGIN_MS 60000            /* the login is not valid: looked at again after that */
#define EGRESS_STORE_MS 5000             /* the database failed: the same */
#define EGRESS_FETCH_MS 60000            /* for a file from an address */
#define EGRESS_FETCH_TRIES 3

#define EGRESS_TOO_LATE "it could not be sent for a day"

struct egress_lane {
	struct deadline due;             /* in egress.due while it waits */
	struct chan_egress *egress;
	struct fiber *fiber;             /* NULL: it waits */
	char *key, *channel, *account;
	bool is_poked;                   /* something came while it ran */
	int64_t turn_at;                 /* the turn of the pace that was taken and not used yet (mono); 0: none */
	bool is_sending;                 /* the network has it: not to be cancelled before the deadline of draining */
	/* What became of a part, as long as the disk did not take it. */
	struct { int64_t row_id; int part; enum chan_outcome outcome; char *message_id, *thread; } known;
};

struct egress_wait { int64_t id; struct egress_wait *next; };
struct egress_intent;                    /* egress_intent.c */

struct chan_egress {
	struct chan_host *host;
	struct db *db;
	struct pace *pace;
	struct map *lanes;               /* struct egress_lane by key */
	struct deadline_heap due;
	struct loop_timer *timer;        /* for the first of due */
	struct loop_timer *keeper;       /* looks for what has waited too long; armed when there is anything */
	struct fiber_cond ended;         /* a row ended, or a lane's fiber did */
	struct egress_wait *waits;       /* who waits for a row; on their stacks */
	struct egress_intent *intents;   /* of this turn, on their lanes' stacks; NULL: none */
	size_t running;
	bool is_started, is_draining, is_kept;
};

struct pace *egress_pace(struct chan_egress *e);
/* Does somebody wait in egress_wait() for this row? */
bool egress_is_waited(const struct chan_egress *e, int64_t id);

/* -- lanes (egress_lane.c) -- */
void egress_poke(struct chan_egress *e, const char *channel, const char *account, const char *lane);
void out_lanes_pump(struct chan_egress *e);
void out_lanes_free(struct chan_egress *e);

/* -- one step of a lane (egress_send.c) -- */
enum egress_next { EGRESS_AGAIN, EGRESS_LATER, EGRESS_DONE };
/* Sends the next part of the lane's first row, or sees that it has to wait: *ret_wait_ms with EGRESS_LATER. */
CH_FIBER enum egress_next egress_step(struct chan_egress *e, struct egress_lane *l, int64_t *ret_wait_ms);
/* The row ends as failed or unsure: kept, logged, told to the operator. A failure changed nothing. */
CH_MUST_USE ch_status egress_give_up(struct chan_egress *e, const struct outbox_row *row, enum outbox_state state,
				     const char *reason, struct ch_err *err);

/* -- intents (egress_intent.c) -- */
/* The row's next part may be out once this is CH_OK; those that are asked for in one turn of the loop share a write to the disk. */
CH_FIBER CH_MUST_USE ch_status egress_intend(struct chan_egress *e, int64_t row_id, struct ch_err *err);

/* -- parts (egress_cut.c) -- */
/* How the message is cut for its network. files_mime: of each file, by its bytes. */
CH_MUST_USE ch_status egress_cut(const struct chan_ops *ops, const struct chan_cfg *cfg, const struct chan_message *m,
				 const char *const *files_mime, struct arena *a, const struct outbox_part **ret, size_t *ret_count,
				 struct ch_err *err);
/* What the network's keys say about rendering; also for edits. */
struct render_opts;
void egress_render_opts(const struct chan_ops *ops, const struct chan_cfg *cfg, struct render_opts *ret);
/* How long a text may be that takes the place of a message's. */
int egress_edit_max(const struct chan_ops *ops);

/* -- replies (egress_reply.c) -- */
/* Which parts answer: the room's word, its chat type's, the account's, the network's; NULL: none is said. */
const char *egress_reply_mode(const struct chan_ops *ops, const struct chan_cfg *cfg, const struct chan_peer *peer);

/* -- files (egress_files.c) -- */
/* A file of media/outbound in memory. */
struct egress_bytes {
	struct buf buf;
	const char *mime, *name;
	enum chan_media_kind kind;
};
CH_MUST_USE ch_status egress_file_load(struct chan_egress *e, const struct chan_file *f, size_t max_bytes, struct arena *a,
				       struct egress_bytes *ret, struct ch_err *err);
/* "image/png": by the first bytes. */
CH_MUST_USE ch_status egress_file_mime(struct chan_egress *e, const struct chan_file *f, const char **ret, struct ch_err *err);
/* One file, from its address or bytes or path (below root; NULL: none are taken). */
CH_FIBER CH_MUST_USE ch_status egress_file_stage(struct chan_egress *e, const char *root, size_t max_bytes, struct chan_file *f,
						 struct arena *a, struct ch_err *err);
/* Largest file of the account, in bytes. */
size_t egress_file_max(const struct chan_ops *ops, const struct chan_cfg *cfg);
/* Deletes the files that a row's message names, and those that no row names. */
void egress_files_drop(struct chan_egress *e, const char *message);
void egress_files_sweep(struct chan_egress *e);

#endif
