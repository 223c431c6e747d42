/*
 * exec/process.c - the table of commands that run or have run, each with its output and its end.
 *
 *	process_start -> RUNNING -(exit, kill, limit)-> DONE | FAILED | KILLED | TIMEOUT -(keep_ms)-> forgotten
 */
#include "exec/process.h"

#include <signal.h>
#include <string.h>

#include "core/clock.h"
#include "core/str.h"
#include "exec/process_priv.h"

#define TAIL_BYTES 2000                  /* of the output, for who is told of an end */
#define FLOOD_WINDOW_MS 100
#define KILL_LEFT_MS 1000                /* from SIGKILL to the end of a drain */

const char *process_state_name(enum process_state s)
{
	static const char *const names[] = { "running", "completed", "failed", "killed", "timeout" };

	return names[s];
}

/* ---- one process ---- */

struct process *process_ref(struct process *p)
{
	p->refs++;
	return p;
}

void process_unref(struct process *p)
{
	if (!p || --p->refs)
		return;
	child_free(p->child);
	if (p->has_sandbox)
		sandbox_wrapped_done(&p->sandbox);
	loop_timer_free(p->limit);
	loop_timer_free(p->flood);
	ring_done(&p->output);
	ch_free(p->agent_id);
	ch_free(p->session_key);
	ch_free(p->run_id);
	ch_free(p->tool_call_id);
	ch_free(p->command);
	ch_free(p->where);
	ch_free(p->root);
	ch_free(p->record);
	ch_free(p);
}

/* Takes it out of the table; it lives on while somebody has a reference. */
static void forget(struct process *p)
{
	struct process_host *h = p->host;

	if (!h)
		return;
	for (size_t i = 0; i < h->all.len; i++) {
		if (h->all.at[i] == p) {
			vec_remove(&h->all, i);
			break;
		}
	}
	p->host = NULL;
	if (p->state == PROCESS_RUNNING) {
		h->running--;
		fiber_cond_broadcast(&h->ended);
	}
	process_unref(p);
}

/* ---- keeping ended ones ---- */

static int64_t forget_at(const struct process *p)
{
	return p->ended_at + (p->keep_ms ? p->keep_ms : PROCESS_KEEP_MS);
}

static void prune(void *arg)
{
	struct process_host *h = arg;
	int64_t now = now_wall_ms(), next = INT64_MAX;
	size_t kept = 0, bytes = 0;

	/* From the newest, so that the limits fall on the oldest. The newest stays whatever its size. */
	for (size_t i = h->all.len; i-- > 0; ) {
		struct process *p = h->all.at[i];

		if (p->state == PROCESS_RUNNING || !p->is_background)
			continue;
		kept++;
		bytes += p->output.kept.len;
		if (p->waiters)
			next = CH_MIN(next, CH_MAX(forget_at(p), now + 1));
		else if (now >= forget_at(p) || kept > PROCESSES_KEPT_MAX || (kept > 1 && bytes > PROCESSES_KEPT_BYTES))
			forget(p);
		else
			next = CH_MIN(next, forget_at(p));
	}
	if (next != INT64_MAX)
		loop_timer_start(h->prune, next - now);
}

/* ---- its end ---- */

/* Silent success is not worth a turn; a person who killed it knows. */
static bool is_worth_telling(const struct process *p)
{
	if (!p->is_background || p->is_quiet || p->state == PROCESS_KILLED)
		return false;
	return p->state != PROCESS_DONE || ring_end(&p->output) || p->tells_empty_success;
}

static void tell(struct process *p)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct process_info info;
	struct process_text tail;
	uint64_t end = ring_end(&p->output);

	if (!p->host || !p->host->ops.on_done || !is_worth_telling(p))
		return;
	a = arena_new(0);
	process_info(p, &info);
	process_text(p, end > TAIL_BYTES ? end - TAIL_BYTES : 0, TAIL_BYTES, a, &tail);
	p->host->ops.on_done(p->host->ops.arg, &info, tail.text, tail.len);
}

static void tell_end(struct process *p)
{
	struct process_info info;

	if (!p->host || !p->host->ops.on_end || !p->record)
		return;
	process_info(p, &info);
	p->host->ops.on_end(p->host->ops.arg, &info);
}

static void on_child_exit(void *arg, const struct child_exit *e)
{
	struct process *p = arg;

	p->end = *e;
	p->ended_at = now_wall_ms();
	p->state = p->wanted != PROCESS_RUNNING ? p->wanted : e->code == 0 ? PROCESS_DONE : PROCESS_FAILED;
	loop_timer_stop(p->limit);
	loop_timer_stop(p->flood);
	child_free(CH_TAKE(p->child));
	if (p->has_sandbox)
		sandbox_wrapped_done(&p->sandbox);
	p->has_sandbox = false;
	fiber_cond_broadcast(&p->changed);
	if (!p->host)
		return;
	p->host->running--;
	fiber_cond_broadcast(&p->host->ended);
	if (!p->waiters)                 /* who waits hears of it, and tells if it does not come to that */
		tell(p);
	if (p->is_background)
		tell_end(p);
	prune(p->host);
}

static void end_as(struct process *p, enum process_state wanted)
{
	if (p->state != PROCESS_RUNNING)
		return;
	if (p->wanted == PROCESS_RUNNING)
		p->wanted = wanted;
	if (p->child) {
		child_pause(p->child, false);
		child_stop(p->child);
	}
}

static void on_limit(void *arg)
{
	end_as(arg, PROCESS_TIMEOUT);
}

/* ---- its output ---- */

static void on_flood_over(void *arg)
{
	struct process *p = arg;

	p->flood_bytes = 0;
	p->flood_since = now_mono_ms();
	if (p->child)
		child_pause(p->child, false);
}

static void on_child_output(void *arg, enum child_stream s, const char *data, size_t len)
{
	struct process *p = arg;
	int64_t now = now_mono_ms();

	ring_add(&p->output, data, len);
	if (p->has_tty)
		modes_feed(&p->modes, data, len);
	p->written_at = now;
	if (now - p->flood_since >= FLOOD_WINDOW_MS) {
		p->flood_since = now;
		p->flood_bytes = 0;
	}
	p->flood_bytes += len;
	if (p->flood_bytes > PROCESS_READ_MAX / (1000 / FLOOD_WINDOW_MS) && p->child) {
		child_pause(p->child, true);
		loop_timer_start(p->flood, FLOOD_WINDOW_MS);
	}
	fiber_cond_broadcast(&p->changed);
}

void process_text(const struct process *p, uint64_t from, size_t max, struct arena *a, struct process_text *ret)
{
	ring_text(&p->output, from, max, p->state != PROCESS_RUNNING, a, ret);
}

void process_lines(const struct process *p, size_t first, size_t count, struct arena *a, struct process_text *ret, size_t *ret_lines)
{
	ring_lines(&p->output, first, count, a, ret, ret_lines);
}

void process_mark_read(struct process *p, uint64_t upto)
{
	p->read_upto = CH_MAX(p->read_upto, CH_MIN(upto, ring_end(&p->output)));
}

/* ---- starting ---- */

static size_t running_of(const struct process_host *h, const char *agent_id)
{
	size_t n = 0;

	for (size_t i = 0; i < h->all.len; i++)
		n += h->all.at[i]->state == PROCESS_RUNNING && str_eq(h->all.at[i]->agent_id, agent_id);
	return n;
}

static struct process *process_new(struct process_host *h, const struct process_start *s)
{
	struct process *p = ch_alloc(sizeof(*p));

	p->refs = 1;
	p->host = h;
	p->agent_id = ch_strdup(s->agent_id);
	p->session_key = ch_strdup(s->session_key);
	p->run_id = ch_strdup(s->run_id);
	p->tool_call_id = ch_strdup(s->tool_call_id);
	p->command = ch_strdup(s->command);
	p->where = ch_strdup(s->host);
	p->root = ch_strdup(s->root);
	p->record = ch_strdup(s->record);
	p->has_tty = s->child.has_tty;
	p->is_tainted = s->is_tainted;
	p->is_quiet = s->is_quiet;
	p->tells_empty_success = s->tells_empty_success;
	p->keep_ms = s->keep_ms;
	p->started_at = now_wall_ms();
	p->written_at = p->flood_since = now_mono_ms();
	p->limit = loop_timer_new(h->loop, on_limit, p);
	p->flood = loop_timer_new(h->loop, on_flood_over, p);
	ring_init(&p->output);
	fiber_cond_init(&p->changed);
	if (s->sandbox) {
		p->sandbox = *s->sandbox;
		p->has_sandbox = true;
		*s->sandbox = (struct sandbox_wrapped){ 0 };
		for (size_t i = 0; i < CH_ARRAY_LEN(s->sandbox->fds); i++)
			s->sandbox->fds[i] = -1;
	}
	return p;
}

ch_status process_start(struct process_host *h, const struct process_start *s, struct process **ret, struct ch_err *err)
{
	CH_AUTO(process_unref) struct process *p = process_new(h, s);
	struct child_spec spec = s->child;
	ch_status st;

	if (h->is_drained) {
		p->host = NULL;
		return ch_fail(err, CH_E_CANCELED, "the gateway is stopping");
	}
	if (running_of(h, p->agent_id) >= PROCESSES_MAX) {
		p->host = NULL;
		return ch_fail(err, CH_E_LIMIT, "%d commands of this agent run already: end one of them (process, action kill)",
			       PROCESSES_MAX);
	}
	process_name(h, p->id);
	/* In the table from now on, so that the name is taken and the limit counts it while it starts. */
	vec_push(&h->all, process_ref(p));
	h->running++;
	if (s->sandbox && spec.fds == s->sandbox->fds)
		spec.fds = p->sandbox.fds;       /* they were moved */
	spec.on_output = on_child_output;
	spec.on_exit = on_child_exit;
	spec.arg = p;
	st = child_start(h->loop, &spec, &p->child, err);
	if (st) {
		forget(p);
		return st;
	}
	/* The host may have been drained meanwhile, or the session deleted. */
	if (!p->host)
		return ch_fail(err, CH_E_CANCELED, "canceled while it started");
	if (p->wanted != PROCESS_RUNNING)
		child_stop(p->child);
	p->pid = child_pid(p->child);
	if (s->timeout_ms > 0)
		loop_timer_start(p->limit, s->timeout_ms);
	*ret = p;
	return CH_OK;
}

void process_background(struct process *p)
{
	if (p->is_background)
		return;
	p->is_background = true;
	if (p->state != PROCESS_RUNNING && p->host)
		prune(p->host);          /* it is kept for a time from now on */
}

void process_set_record(struct process *p, const char *record)
{
	ch_free(p->record);
	p->record = ch_strdup(record);
}

void process_taint(struct process *p)
{
	p->is_tainted = true;
}

/* ---- for those who hold one ---- */

ch_status process_wait(struct process *p, uint64_t since, int64_t deadline_ms)
{
	ch_status st = CH_OK;

	process_ref(p);
	p->waiters++;
	while (!st && p->state == PROCESS_RUNNING && (since == UINT64_MAX || ring_end(&p->output) <= since))
		st = fiber_cond_wait(&p->changed, deadline_ms);
	p->waiters--;
	if (p->state != PROCESS_RUNNING) {
		/* The last who waited is gone without having seen its end. */
		if (st == CH_E_CANCELED && !p->waiters)
			tell(p);
		if (st != CH_E_CANCELED)
			st = CH_OK;
	}
	process_unref(p);
	return st;
}

void process_info(const struct process *p, struct process_info *ret)
{
	bool takes_input = p->child && child_reads(p->child);

	*ret = (struct process_info){
		.id = p->id, .agent_id = p->agent_id, .session_key = p->session_key, .command = p->command,
		.host = p->where, .root = p->root, .record = p->record, .run_id = p->run_id, .tool_call_id = p->tool_call_id, .state = p->state,
		.is_background = p->is_background, .has_tty = p->has_tty, .is_tainted = p->is_tainted,
		.is_quiet = p->is_quiet, .tells_empty_success = p->tells_empty_success, .takes_input = takes_input,
		.may_wait_for_input = takes_input && now_mono_ms() - p->written_at >= PROCESS_IDLE_MS,
		.has_app_keys = p->modes.has_app_keys, .idle_ms = now_mono_ms() - p->written_at,
		.pid = p->pid, .exit_code = p->end.code, .signal = p->end.signal,
		.started_at = p->started_at, .ended_at = p->ended_at,
		.output_first = p->output.first, .output_end = ring_end(&p->output), .read_upto = p->read_upto,
	};
}

ch_status process_input(struct process *p, const char *data, size_t len, struct ch_err *err)
{
	if (!p->child)
		return ch_fail(err, CH_E_EOF, "%s has ended", p->id);
	return child_write(p->child, data, len, err);
}

void process_eof(struct process *p)
{
	if (p->child)
		child_close_stdin(p->child);
}

void process_kill(struct process *p)
{
	end_as(p, PROCESS_KILLED);
}

void process_kill_now(struct process *p)
{
	end_as(p, PROCESS_KILLED);
	if (p->child)
		child_signal(p->child, SIGKILL);
}

ch_status process_remove(struct process *p, struct ch_err *err)
{
	if (p->state == PROCESS_RUNNING)
		return ch_fail(err, CH_E_BUSY, "%s is still running", p->id);
	forget(p);
	return CH_OK;
}

void process_discard(struct process *p)
{
	process_ref(p);
	if (p->child)
		tell_end(p);
	forget(p);
	if (p->child) {
		child_free(CH_TAKE(p->child));
		p->state = PROCESS_KILLED;
		p->ended_at = now_wall_ms();
		p->end = (struct child_exit){ .code = -1, .signal = SIGKILL };
		loop_timer_stop(p->limit);
		loop_timer_stop(p->flood);
		fiber_cond_broadcast(&p->changed);
	}
	process_unref(p);
}

/* ---- the table ---- */

struct process_host *process_host_new(struct loop *l)
{
	struct process_host *h = ch_alloc(sizeof(*h));

	h->loop = l;
	h->prune = loop_timer_new(l, prune, h);
	fiber_cond_init(&h->ended);
	return h;
}

void process_host_free(struct process_host *h)
{
	if (!h)
		return;
	h->ops = (struct process_ops){ 0 };
	while (h->all.len)
		process_discard(h->all.at[h->all.len - 1]);
	vec_done(&h->all);
	loop_timer_free(h->prune);
	ch_free(h);
}

void process_host_set_ops(struct process_host *h, const struct process_ops *ops)
{
	h->ops = *ops;
}

static void await_none(struct process_host *h, int64_t deadline_ms)
{
	ch_status st = CH_OK;

	while (h->running && !st)
		st = fiber_cond_wait(&h->ended, deadline_ms);
}

CH_FIBER void process_host_drain(struct process_host *h, int64_t deadline_ms)
{
	h->is_drained = true;
	h->ops = (struct process_ops){ 0 };      /* nobody can be woken any more */
	for (size_t i = 0; i < h->all.len; i++)
		process_kill(h->all.at[i]);
	await_none(h, deadline_ms);
	for (size_t i = 0; i < h->all.len; i++)
		process_kill_now(h->all.at[i]);
	await_none(h, fiber_deadline(KILL_LEFT_MS));
}

struct process *process_find(struct process_host *h, const char *agent_id, const char *id)
{
	for (size_t i = 0; i < h->all.len; i++)
		if (str_eq(h->all.at[i]->id, id) && str_eq(h->all.at[i]->agent_id, agent_id))
			return h->all.at[i];
	return NULL;
}

void process_each(struct process_host *h, const char *agent_id, bool (*each)(void *arg, struct process *p), void *arg)
{
	for (size_t i = 0; i < h->all.len; i++)
		if ((!agent_id || str_eq(h->all.at[i]->agent_id, agent_id)) && !each(arg, h->all.at[i]))
			return;
}

void process_forget_session(struct process_host *h, const char *session_key, bool is_deleted)
{
	for (size_t i = h->all.len; i-- > 0; ) {
		struct process *p = h->all.at[i];

		if (str_eq(p->session_key, session_key) && p->is_background && (is_deleted || p->state != PROCESS_RUNNING))
			process_discard(p);
	}
}

size_t process_running(const struct process_host *h)
{
	return h->running;
}
