/*
 * exec/sandbox_run.c - a sandboxed command run to its end, its output kept: for the probe and for user tools.
 */
#include <string.h>

#include "core/child.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/proc.h"
#include "exec/sandbox_priv.h"

struct run {
	struct proc_result *result;
	struct fiber *fiber;
	bool is_over;
};

static void on_output(void *arg, enum child_stream s, const char *data, size_t len)
{
	struct run *r = arg;
	struct buf *b = s == CHILD_STDOUT ? &r->result->out : &r->result->errout;
	size_t room = b->max_bytes - b->len;

	buf_append(b, data, CH_MIN(len, room));
	if (len > room)
		r->result->truncated = true;
}

static void on_exit_told(void *arg, const struct child_exit *e)
{
	struct run *r = arg;

	r->result->exit_code = e->code;
	r->result->signal = e->signal;
	r->is_over = true;
	fiber_wake(r->fiber);
}

/* Cancelled or too late: it is killed at once; what is inside dies with bubblewrap. */
static CH_FIBER ch_status await(struct run *r, struct child *child, int64_t deadline_ms, struct ch_err *err)
{
	ch_status st = CH_OK;

	while (!st && !r->is_over)
		st = fiber_park(deadline_ms);
	child_free(child);
	if (r->is_over)
		return CH_OK;
	return ch_fail(err, st, st == CH_E_TIMEOUT ? "still running at its time limit, ended" : "canceled");
}

CH_FIBER ch_status sandbox_run_wrapped(struct loop *l, const struct sandbox_wrapped *w, const struct sandbox_run_spec *run,
				       struct proc_result *ret, struct ch_err *err)
{
	struct run r = { .result = ret, .fiber = fiber_self() };
	struct child_spec spec = {
		.argv = w->argv,
		.exe_fd = -1,
		.env = w->env,
		.cwd = "/",
		.cwd_fd = -1,
		.fds = w->fds,
		.fd_count = w->fd_count,
		.is_contained = true,
		.on_output = on_output,
		.on_exit = on_exit_told,
		.arg = &r,
	};
	struct child *child = NULL;
	ch_status st;

	*ret = (struct proc_result){ .exit_code = -1 };
	buf_init(&ret->out, run->out_max_bytes);
	buf_init(&ret->errout, run->out_max_bytes);
	st = child_start(l, &spec, &child, err);
	if (st)
		return st;
	/* A command that reads no more has said what it wanted; one that was not told all of it must not begin. */
	st = run->input ? child_write(child, run->input, run->input_len, err) : CH_OK;
	if (st && st != CH_E_EOF) {
		child_free(child);
		return st;
	}
	child_close_stdin(child);
	return await(&r, child, run->deadline_ms, err);
}

CH_FIBER ch_status sandbox_run(struct loop *l, const struct sandbox_settings *s, const struct sandbox_cmd *cmd,
			       const struct sandbox_run_spec *run, struct proc_result *ret, struct ch_err *err)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_DONE(sandbox_wrapped_done) struct sandbox_wrapped w = { .fds = { -1, -1, -1, -1, -1, -1, -1, -1 } };
	ch_status st;

	*ret = (struct proc_result){ .exit_code = -1 };
	buf_init(&ret->out, run->out_max_bytes);
	buf_init(&ret->errout, run->out_max_bytes);
	st = sandbox_wrap(l, s, cmd, a, &w, err);
	return st ? st : sandbox_run_wrapped(l, &w, run, ret, err);
}
