/*
 * cli/prompt.c - asking a person: notes beside the answer, secrets that the terminal does not show.
 */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "cli/models_auth.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"

void cli_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fflush(stderr);
}

/* Ctrl-C while the echo is off must give it back first. */
struct hidden {
	struct termios before;
	uv_signal_t on_int;
	struct fiber *fiber;
	bool is_on, is_closed;
};

static void on_sigint(uv_signal_t *h, int signum)
{
	fiber_cancel(((struct hidden *)h->data)->fiber);
}

static void on_closed(uv_handle_t *h)
{
	struct hidden *x = h->data;

	x->is_closed = true;
	fiber_wake(x->fiber);
}

static void hide(struct cli *c, struct hidden *x)
{
	struct termios quiet;

	*x = (struct hidden){ .fiber = fiber_self() };
	if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &x->before))
		return;
	if (uv_signal_init(loop_uv(c->loop), &x->on_int))
		return;
	x->on_int.data = x;
	x->is_on = true;
	uv_signal_start(&x->on_int, on_sigint, SIGINT);
	quiet = x->before;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
}

static CH_FIBER void show(struct hidden *x)
{
	if (!x->is_on)
		return;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &x->before);
	cli_note("\n");
	fiber_mask(1);
	uv_close((uv_handle_t *)&x->on_int, on_closed);
	while (!x->is_closed)
		(void)!fiber_park(FIBER_FOREVER);        /* libuv always closes */
	fiber_mask(-1);
}

CH_FIBER ch_status cli_read_secret(struct cli *c, const char *prompt, struct secret **ret, struct ch_err *err)
{
	struct hidden x;
	char *line = NULL, *at;
	size_t len, n;
	ch_status st;

	/* First: who is asked may answer at once. */
	hide(c, &x);
	if (isatty(STDIN_FILENO))
		cli_note("%s: ", prompt);
	st = cli_read_line(c, &line, err);
	show(&x);
	if (st)
		return st == CH_E_EOF ? ch_fail(err, CH_E_INVALID,
						"nothing came on standard input: pipe the secret in, or run "
						"this in a terminal")
				      : st;
	at = line + strspn(line, " \t\r\n");
	len = strlen(line);
	n = strlen(at);
	while (n && strchr(" \t\r\n", at[n - 1]))
		at[--n] = '\0';
	if (n == 0 || n > AUTH_SECRET_MAX)
		st = ch_fail(err, CH_E_INVALID, n ? "that is too long for a key" : "the line is empty");
	for (size_t i = 0; !st && i < n; i++) {
		if ((unsigned char)at[i] <= ' ' || (unsigned char)at[i] > '~')
			st = ch_fail(err, CH_E_INVALID,
				     "that is no key: it holds blanks or characters that keys do not have");
	}
	if (!st)
		*ret = secret_new(at);
	ch_free_wipe(line, len);
	return st;
}
