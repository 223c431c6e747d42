/*
 * core/work.c - blocking work on libuv's thread pool, awaited from a fiber.
 *
 * The request lives in the frame of the fiber that waits, which therefore
 * cannot leave before libuv is done with it.
 */
#include "core/work.h"

#include "core/fiber.h"

struct work {
	uv_work_t req;
	struct fiber *fiber;
	void (*fn)(void *arg);
	void *arg;
	bool is_done;
};

static void on_thread(uv_work_t *req)
{
	struct work *w = CH_CONTAINER_OF(req, struct work, req);

	w->fn(w->arg);
}

static void on_done(uv_work_t *req, int status)
{
	struct work *w = CH_CONTAINER_OF(req, struct work, req);

	w->is_done = true;
	fiber_wake(w->fiber);
}

ch_status work_run(void (*fn)(void *arg), void *arg, struct ch_err *err)
{
	struct work w = { .fiber = fiber_self(), .fn = fn, .arg = arg };
	bool is_canceled = false;
	ch_status st;
	int rc;

	rc = uv_queue_work(loop_uv(fiber_loop()), &w.req, on_thread, on_done);
	if (rc)
		return ch_fail(err, CH_E_IO, "cannot queue work for a thread: %s", uv_strerror(rc));
	while (!w.is_done) {
		/* For ever: the thread uses our frame, so there is no leaving before it is done. */
		st = fiber_park(FIBER_FOREVER);
		if (st != CH_E_CANCELED || is_canceled)
			continue;
		is_canceled = true;
		fiber_mask(+1);
		/* Works while no thread has begun it; on_done comes either way. */
		uv_cancel((uv_req_t *)&w.req);
	}
	if (!is_canceled)
		return CH_OK;
	fiber_mask(-1);
	return ch_fail(err, CH_E_CANCELED, "canceled");
}
