/*
 * exec/process.h - the commands that agents run: a table of processes, in the foreground or left in the background.
 *
 * Owns    each process (core/child), its sandbox and the last bytes of its output. Ended ones are kept for
 *         tools.exec.cleanupMs (30 minutes by default) so that they can be asked for.
 * Scope   a process belongs to the agent and session that started it; others of another agent do not see it.
 * Output  one sequence of bytes, UTF-8 made valid when shown, addressed by offsets that count from the first byte;
 *         what no longer fits PROCESS_OUTPUT_MAX is dropped from the front and said so.
 * Ends    with the gateway (child.h), by kill, by its time limit. on_done tells of one that ended in the background.
 * Ids     two words and a digit, easy to say ("amber-otter-3"); unique among those kept.
 */
#ifndef CH_EXEC_PROCESS_H
#define CH_EXEC_PROCESS_H

#include "core/arena.h"
#include "core/child.h"
#include "exec/sandbox.h"

#define PROCESS_OUTPUT_MAX (200u * 1024u)
#define PROCESSES_MAX 64                 /* of one agent, running */

enum process_state { PROCESS_RUNNING, PROCESS_DONE, PROCESS_FAILED, PROCESS_KILLED, PROCESS_TIMEOUT };
const char *process_state_name(enum process_state s);

struct process_host;
struct process;

struct process_start {
	const char *agent_id, *session_key, *run_id, *tool_call_id;
	const char *command;             /* for people; the exact text that was asked for */
	struct child_spec child;         /* callbacks are filled in by the host */
	struct sandbox_wrapped *sandbox; /* taken over; or NULL */
	const char *host;                /* "sandbox", "gateway" */
	int64_t timeout_ms;              /* 0: none */
	bool is_tainted;                 /* its output is not the owner's word */
};
struct process_info {
	const char *id, *agent_id, *session_key, *command, *host;
	enum process_state state;
	bool is_background, has_tty;
	int pid, exit_code, signal;
	int64_t started_at, ended_at;    /* wall ms */
	uint64_t output_first, output_end;       /* offsets: first byte kept, one past the last */
	uint64_t read_upto;              /* what poll has given */
};
/* One that ended in the background and that nobody has polled since: the session may be woken. Must not park. */
struct process_ops { void *arg; void (*on_done)(void *arg, const struct process_info *p, const char *tail, size_t len); };

struct process_host *process_host_new(struct loop *l);
void process_host_free(struct process_host *h);
void process_host_set_ops(struct process_host *h, const struct process_ops *ops);
/* How long ended ones are kept. */
void process_host_set_keep(struct process_host *h, int64_t ms);
/* SIGTERM to all, SIGKILL at the deadline, until none is left. */
CH_FIBER void process_host_drain(struct process_host *h, int64_t deadline_ms);

CH_FIBER CH_MUST_USE ch_status process_start(struct process_host *h, const struct process_start *s, struct process **ret, struct ch_err *err);
/* Until it has ended, there is output past `since`, or the deadline. */
CH_FIBER CH_MUST_USE ch_status process_wait(struct process *p, uint64_t since, int64_t deadline_ms);
/* From now on it is a background process: its end is told. */
void process_background(struct process *p);
void process_info(const struct process *p, struct process_info *ret);
/* Up to max bytes from the offset; *ret_from says where they really begin. On the arena, valid UTF-8. */
const char *process_output(const struct process *p, uint64_t from, size_t max, struct arena *a, size_t *ret_len, uint64_t *ret_from);
void process_mark_read(struct process *p, uint64_t upto);
CH_MUST_USE ch_status process_input(struct process *p, const char *data, size_t len, struct ch_err *err);
void process_eof(struct process *p);
void process_kill(struct process *p);
/* Forgets an ended one. */
CH_MUST_USE ch_status process_remove(struct process *p, struct ch_err *err);
/* NULL: none of that agent. Valid until the next wait. */
struct process *process_find(struct process_host *h, const char *agent_id, const char *id);
void process_each(struct process_host *h, const char *agent_id, bool (*each)(void *arg, struct process *p), void *arg);
size_t process_running(const struct process_host *h);

#endif
