/*
 * cli/stdin.c - lines from standard input, awaited by a fiber.
 *
 * A terminal or a pipe is polled by the loop; a regular file cannot be and never
 * blocks for long, so it is read straight. Bytes behind the line stay for the next call.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/fiber.h"
#include "core/mem.h"

#define STDIN_LINE_MAX (16u << 20)

struct poller {
	uv_poll_t handle;
	struct fiber *fiber;
	bool ready, closed;
};

static void on_ready(uv_poll_t *h, int status, int events)
{
	struct poller *p = h->data;

	p->ready = true;
	fiber_wake(p->fiber);
}

static void on_closed(uv_handle_t *h)
{
	struct poller *p = h->data;

	p->closed = true;
	fiber_wake(p->fiber);
}

/* Until stdin has bytes or ended. Forever: a person thinks as long as they like. */
static CH_FIBER ch_status wait_readable(struct loop *l)
{
	struct poller p = { .fiber = fiber_self() };
	ch_status st = CH_OK;

	if (uv_poll_init(loop_uv(l), &p.handle, STDIN_FILENO) < 0)
		return CH_OK;            /* a regular file: always readable */
	p.handle.data = &p;
	uv_poll_start(&p.handle, UV_READABLE, on_ready);
	while (!p.ready && !st)
		st = fiber_park(FIBER_FOREVER);
	fiber_mask(1);
	uv_close((uv_handle_t *)&p.handle, on_closed);
	while (!p.closed)
		(void)!fiber_park(FIBER_FOREVER);   /* libuv always closes */
	fiber_mask(-1);
	return st;
}

/* What was read behind the last line; one standard input per process. */
static struct buf rest = { .max_bytes = STDIN_LINE_MAX };

static char *take_line(size_t n)
{
	char *line = ch_strndup(rest.data, n);

	buf_consume(&rest, CH_MIN(n + 1, rest.len));
	return line;
}

ch_status cli_read_line(struct cli *c, char **ret_line, struct ch_err *err)
{
	for (;;) {
		char *nl = rest.len ? memchr(rest.data, '\n', rest.len) : NULL;
		char chunk[1024];
		ch_status st;

		if (nl) {
			*ret_line = take_line((size_t)(nl - rest.data));
			return CH_OK;
		}
		st = wait_readable(c->loop);
		if (st)
			return ch_fail(err, st, "interrupted");
		ssize_t n = read(STDIN_FILENO, chunk, sizeof(chunk));

		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return ch_fail_errno(err, CH_E_IO, errno, "cannot read standard input");
		if (n == 0 && rest.len) {
			*ret_line = take_line(rest.len);
			return CH_OK;
		}
		if (n == 0) {
			buf_done(&rest);
			buf_init(&rest, STDIN_LINE_MAX);
			return ch_fail(err, CH_E_EOF, "end of input");
		}
		buf_append(&rest, chunk, (size_t)n);
		st = buf_status(&rest, err, "a line of standard input");
		if (st)
			return st;
	}
}

void cli_drop_typed(void)
{
	if (!isatty(STDIN_FILENO))
		return;
	buf_clear(&rest);
	tcflush(STDIN_FILENO, TCIFLUSH);
}
