/*
 * exec/process.h - the commands that agents run: a table of processes, in the foreground or left in the background.
 *
 * Owns    each process (core/child), its sandbox and the last bytes of its output. Ended ones are kept for
 *         tools.exec.cleanupMs (30 minutes by default) so that they can be asked for.
 * Scope   a process belongs to the agent and session that started it; others of another agent do not see it.
 * Output  one sequence of bytes, UTF-8 made valid when shown, addressed by offsets that count from the first byte;
 *         what no longer fits PROCESS_OUTPUT_MAX is dropped from the front and said so.
 * Flood   a command that writes without end is read at PROCESS_READ_MAX bytes a second, so that it slows itself, not us.
 * Ends    with the gateway (child.h), by kill, by its time limit. on_done tells of one that ended in the background.
 * Lives   the host keeps a reference while it knows the process; who waits or keeps a pointer across a wait has one, too.
 * Ids     two words and a digit, easy to say ("amber-otter-3"); unique among those kept.
 */
#ifndef CH_EXEC_PROCESS_H
#define CH_EXEC_PROCESS_H

#include "core/arena.h"
#include "core/child.h"
#include "exec/sandbox.h"

#define PROCESS_OUTPUT_MAX (200u * 1024u)
#define PROCESSES_MAX 64                 /* of one agent, running */
#define PROCESSES_KEPT_MAX 50            /* ended, of all agents; the oldest go first */
#define PROCESSES_KEPT_BYTES 2000000u    /* their output together */
#define PROCESS_KEEP_MS (30 * 60000LL)
#define PROCESS_READ_MAX (16u << 20)
#define PROCESS_IDLE_MS 15000            /* silent for so long, with an open input: it may wait for some */

enum process_state { PROCESS_RUNNING, PROCESS_DONE, PROCESS_FAILED, PROCESS_KILLED, PROCESS_TIMEOUT };
const char *process_state_name(enum process_state s);

struct process_host;
struct process;

struct process_start {
	const char *agent_id, *session_key, *run_id, *tool_call_id;
	const char *command;             /* for people; the exact text that was asked for */
	struct child_spec child;         /* callbacks are filled in by the host */
	struct sandbox_wrapped *sandbox; /* taken over (emptied), also when it fails; or NULL */
	const char *host;                /* "sandbox", "gateway" */
	const char *root;                /* the directory that it has for its workspace; or NULL */
	const char *record;              /* under which id somebody keeps a record of it (on_end); NULL: nobody does */
	int64_t timeout_ms;              /* 0: none */
	bool is_tainted;                 /* its output is not the owner's word */
	int64_t keep_ms;                 /* how long it is kept once ended; 0: PROCESS_KEEP_MS */
	bool is_quiet;                   /* its end is not told */
	bool tells_empty_success;        /* it is, also when it succeeded without a word */
};
struct process_info {
	const char *id, *agent_id, *session_key, *command, *host, *root, *record;
	enum process_state state;
	const char *run_id, *tool_call_id;
	bool is_background, has_tty, is_tainted, is_quiet, tells_empty_success;
	bool takes_input;                /* its input is open */
	bool may_wait_for_input;         /* and it has been silent for PROCESS_IDLE_MS */
	bool has_app_keys;               /* its terminal wants the other sequences for the arrow keys (DECCKM) */
	int64_t idle_ms;
	int pid, exit_code, signal;
	int64_t started_at, ended_at;    /* wall ms */
	uint64_t output_first, output_end;       /* offsets: first byte kept, one past the last */
	uint64_t read_upto;              /* what poll has given */
};
/* A piece of output, valid UTF-8. */
struct process_text {
	const char *text; size_t len;
	uint64_t from, upto;             /* the bytes it stands for; from > what was asked: that much is lost */
};
struct process_ops {
	void *arg;
	/*
	 * One that ended in the background by itself, while nobody waited for it: the session may be woken. Must not park. The
	 * tail is valid UTF-8.
	 */
	void (*on_done)(void *arg, const struct process_info *p, const char *tail, size_t len);
	/* One with a record is over: it has ended in the background, or was dropped (PROCESS_RUNNING: it is being killed). Not told while
	 * draining. Must not park. */
	void (*on_end)(void *arg, const struct process_info *p);
};

struct process_host *process_host_new(struct loop *l);
void process_host_free(struct process_host *h);
void process_host_set_ops(struct process_host *h, const struct process_ops *ops);
/* SIGTERM to all, SIGKILL at the deadline, until none is left. Nothing starts from now on: CH_E_CANCELED. */
CH_FIBER void process_host_drain(struct process_host *h, int64_t deadline_ms);

/* *ret is the host's: take a reference before the next wait. CH_E_LIMIT: too many run. Else as child_start(). */
CH_FIBER CH_MUST_USE ch_status process_start(struct process_host *h, const struct process_start *s, struct process **ret, struct ch_err *err);
struct process *process_ref(struct process *p);
void process_unref(struct process *p);
CH_AUTO_DEFINE(process_unref, struct process)
/* Until it has ended or there is output past `since` (UINT64_MAX: only its end). CH_E_TIMEOUT at the deadline, CH_E_CANCELED. */
CH_FIBER CH_MUST_USE ch_status process_wait(struct process *p, uint64_t since, int64_t deadline_ms);
/* From now on it is a background process: its end is told. */
void process_background(struct process *p);
/* There is a record of it from now on. */
void process_set_record(struct process *p, const char *record);
/* What it writes from now on is not the owner's word. */
void process_taint(struct process *p);
void process_info(const struct process *p, struct process_info *ret);
/* Up to max bytes from the offset; *ret_from says where they really begin. On the arena, valid UTF-8. */
void process_text(const struct process *p, uint64_t from, size_t max, struct arena *a, struct process_text *ret);
/* Some of what is kept, by lines counted from 0; *ret_lines: how many there are. */
void process_lines(const struct process *p, size_t first, size_t count, struct arena *a, struct process_text *ret, size_t *ret_lines);
void process_mark_read(struct process *p, uint64_t upto);
CH_MUST_USE ch_status process_input(struct process *p, const char *data, size_t len, struct ch_err *err);
void process_eof(struct process *p);
void process_kill(struct process *p);
/* SIGKILL for all of it, at once. */
void process_kill_now(struct process *p);
/* Forgets an ended one; CH_E_BUSY while it runs. */
CH_MUST_USE ch_status process_remove(struct process *p, struct ch_err *err);
/* Kills it if it runs, and forgets it. */
void process_discard(struct process *p);
/* Of a session that is reset or deleted: ended ones are forgotten, running ones too when it is deleted. */
void process_forget_session(struct process_host *h, const char *session_key, bool is_deleted);
/* NULL: none of that agent. Valid until the next wait. */
struct process *process_find(struct process_host *h, const char *agent_id, const char *id);
void process_each(struct process_host *h, const char *agent_id, bool (*each)(void *arg, struct process *p), void *arg);
size_t process_running(const struct process_host *h);

#endif
