/*
 * exec/process_priv.h - what the files of exec/process know of each other.
 */
#ifndef CH_EXEC_PROCESS_PRIV_H
#define CH_EXEC_PROCESS_PRIV_H

#include "core/buf.h"
#include "core/fiber.h"
#include "core/vec.h"
#include "exec/process.h"

#define PROCESS_ID_MAX 24
#define OUTPUT_SLACK (64u << 10)         /* dropped from the front in pieces of this size, not at each byte */

/* What a process has written: the last bytes of it. */
struct process_ring {
	struct buf kept;
	uint64_t first;                  /* offset of kept.data[0] */
};
/* Which sequences the program wants for the arrow keys: ESC [ ? 1 h and l, wherever the pieces are cut. */
struct process_modes {
	unsigned at;                     /* bytes of the sequence seen */
	bool has_app_keys;
};
void modes_feed(struct process_modes *m, const char *data, size_t len);
void ring_init(struct process_ring *r);
void ring_done(struct process_ring *r);
void ring_add(struct process_ring *r, const char *data, size_t len);
uint64_t ring_end(const struct process_ring *r);
/* is_whole: no more comes, so an incomplete character at the end is not waited for. */
void ring_text(const struct process_ring *r, uint64_t from, size_t max, bool is_whole, struct arena *a, struct process_text *ret);
void ring_lines(const struct process_ring *r, size_t first, size_t count, struct arena *a, struct process_text *ret, size_t *ret_lines);

struct process_host {
	struct loop *loop;
	struct process_ops ops;
	VEC(struct process *) all;       /* oldest first */
	size_t running;
	bool is_drained;                 /* nothing starts any more */
	struct fiber_cond ended;
	struct loop_timer *prune;
};

struct process {
	int refs;
	struct process_host *host;       /* NULL: forgotten */
	struct child *child;             /* NULL before and after it ran */
	struct sandbox_wrapped sandbox;
	bool has_sandbox;
	char id[PROCESS_ID_MAX];
	char *agent_id, *session_key, *run_id, *tool_call_id, *command, *where, *root, *record;
	enum process_state state, wanted;        /* wanted: what it becomes when it ends; PROCESS_RUNNING: by its exit */
	bool is_background, has_tty, is_tainted, is_quiet, tells_empty_success;
	struct child_exit end;
	int pid;
	int64_t started_at, ended_at, keep_ms;
	int64_t written_at;              /* mono: when it last wrote */
	struct process_ring output;
	struct process_modes modes;      /* of the terminal */
	uint64_t read_upto;
	size_t waiters;
	struct fiber_cond changed;
	struct loop_timer *limit, *flood;
	size_t flood_bytes;              /* read in this window */
	int64_t flood_since;
};

/* A name that nothing in the table has. */
void process_name(const struct process_host *h, char ret_id[PROCESS_ID_MAX]);

#endif
