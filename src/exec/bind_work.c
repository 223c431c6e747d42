/*
 * exec/bind_work.c - see bind_work.h.
 */
#include "exec/bind_work.h"

#include "core/work.h"

struct job {
	const struct exec_want *want;    /* to bind */
	const struct json *binding;      /* to reopen */
	struct exec_bound *bound;        /* the result, or what is to be checked */
	ch_status st;
	struct ch_err err;
};

static void bind_on_thread(void *arg)
{
	struct job *j = arg;

	j->st = exec_bind(j->want, &j->bound, &j->err);
}

static void reopen_on_thread(void *arg)
{
	struct job *j = arg;

	j->st = exec_bind_reopen(j->binding, &j->bound, &j->err);
}

static void check_on_thread(void *arg)
{
	struct job *j = arg;

	j->st = exec_bound_check(j->bound, &j->err);
}

static CH_FIBER ch_status run(void (*fn)(void *arg), struct job *j, struct ch_err *err)
{
	ch_status st = work_run(fn, j, err);

	return st || !j->st ? st : ch_fail(err, j->st, "%s", j->err.text);
}

CH_FIBER ch_status exec_bind_wait(const struct exec_want *want, struct exec_bound **ret, struct ch_err *err)
{
	struct job j = { .want = want };
	ch_status st = run(bind_on_thread, &j, err);

	if (st)
		exec_bound_unref(j.bound);       /* bound, and then cancelled */
	else
		*ret = j.bound;
	return st;
}

CH_FIBER ch_status exec_bind_reopen_wait(const struct json *binding, struct exec_bound **ret, struct ch_err *err)
{
	struct job j = { .binding = binding };
	ch_status st = run(reopen_on_thread, &j, err);

	if (st)
		exec_bound_unref(j.bound);
	else
		*ret = j.bound;
	return st;
}

CH_FIBER ch_status exec_bound_check_wait(struct exec_bound *b, struct ch_err *err)
{
	struct job j = { .bound = exec_bound_ref(b) };
	ch_status st = run(check_on_thread, &j, err);

	exec_bound_unref(b);
	return st;
}
