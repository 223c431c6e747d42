/*
 * cli/cmd_gateway.c - the gateway itself: run it, look at it, call it, stop it.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/again.h"
#include "cli/rpc.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/gw.h"
#include "store/lock.h"
#include "http_api/routes.h"

#define STOP_GRACE_MS 10000      /* runs in flight may end; then they are aborted, partial text kept */
#define STOP_WAIT_MS 20000

/* -- gateway run -- */

struct waiter {
	struct fiber *fiber;
	int signal;
	bool restarts;
	uv_signal_t handles[3];
	int open;
};

static void on_signal(uv_signal_t *h, int signum)
{
	struct waiter *w = h->data;

	if (w->signal && signum == SIGINT)
		_exit(130);              /* asked twice: now */
	w->signal = signum;
	fiber_wake(w->fiber);
}

static void on_signal_closed(uv_handle_t *h)
{
	struct waiter *w = h->data;

	w->open--;
	fiber_wake(w->fiber);
}

/* Before anybody can connect: who sees us answer may tell us to stop, and that must be a clean stop. */
static void watch_signals(struct waiter *w, struct loop *l)
{
	static const int signals[] = { SIGINT, SIGTERM, SIGHUP };

	w->fiber = fiber_self();
	for (size_t i = 0; i < CH_ARRAY_LEN(signals); i++) {
		uv_signal_init(loop_uv(l), &w->handles[i]);
		w->handles[i].data = w;
		uv_signal_start(&w->handles[i], on_signal, signals[i]);
		w->open++;
	}
}

static CH_FIBER void wait_for_signal(struct waiter *w)
{
	/* Forever: a server runs until it is told to stop. */
	while (!w->signal && !w->restarts && fiber_park(FIBER_FOREVER) != CH_E_CANCELED)
		;
}

static void on_restart(void *arg)
{
	struct waiter *w = arg;

	w->restarts = true;
	fiber_wake(w->fiber);
}

static CH_FIBER void close_signals(struct waiter *w)
{
	fiber_mask(1);
	for (size_t i = 0; i < CH_ARRAY_LEN(w->handles); i++)
		uv_close((uv_handle_t *)&w->handles[i], on_signal_closed);
	while (w->open)
		(void)!fiber_park(FIBER_FOREVER);   /* libuv always closes */
	fiber_mask(-1);
}

/* The lines a person sees. The token is for eyes only: what is not a terminal may be a journal that others read. */
static void print_welcome(struct cli *c, struct gw *gw)
{
	CH_AUTO(secret_unref) struct secret *secret = NULL;
	struct ch_err err;
	struct model_entry model;
	const char *source = "offline";
	const char *scheme = gw->is_tls ? "https" : "http";
	bool is_password = false;
	bool has_token = isatty(STDOUT_FILENO) && cli_gateway_secret(c, &secret, &is_password, &err) == CH_OK && secret && !is_password;

	cli_print("%schela %s%s is running\n\n", cli_on(c, CLI_BOLD), CHELA_VERSION, cli_off(c));
	cli_print("  open    %s%s://127.0.0.1:%u/%s%s%s\n", cli_on(c, CLI_CYAN), scheme, gw->port,
		  has_token ? "#token=" : "", has_token ? secret_reveal(secret) : "", cli_off(c));
	if (model_resolve(gw->models, NULL, NULL, c->arena, &model, &source, &err) == CH_OK)
		cli_print("  model   %s%s\n", model.ref,
			  str_eq(source, "offline") ? "  (built in, no network; a real one: chela setup)"
			  : str_eq(source, "environment") ? "  (from the key in the environment)"
			  : str_eq(source, "ollama") ? "  (the Ollama on this machine)" : "");
	cli_print("  state   %s\n  stop    Ctrl+C\n", c->state_dir);
	if (config_store_degraded(gw->config)) {
		size_t n;
		const struct config_issue *issues = config_store_issues(gw->config, &n);

		for (size_t i = 0; i < n; i++)
			if (issues[i].severity == CONFIG_ERROR)
				fprintf(stderr, "chela: %s is broken: %s%s%s; the last good configuration is used\n",
					c->config_path, issues[i].path, issues[i].path[0] ? ": " : "", issues[i].message);
	}
	fflush(stdout);
}

static CH_FIBER ch_status run_gateway(struct cli *c, struct ch_err *err)
{
	const char *port_text = cli_opt(c, "port") ? cli_opt(c, "port") : getenv("CHELA_GATEWAY_PORT");
	struct gw_opts opts = { .state_dir = c->state_dir, .config_path = c->config_path, .bind = cli_opt(c, "bind"),
				.token = getenv("CHELA_GATEWAY_TOKEN"), .verbose = cli_flag(c, "verbose"), .http = http_api_server() };
	struct waiter waiter = { 0 };
	struct gw *gw;
	ch_status st;

	if (!str_empty(port_text) && (!str_to_u16(port_text, &opts.port) || !opts.port))
		return ch_fail(err, CH_E_INVALID, "'%s' is not a port (1 to 65535)", port_text);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);        /* a write beyond the limit fails like any other */
	watch_signals(&waiter, c->loop);
	opts.on_restart = on_restart;
	opts.on_restart_arg = &waiter;
	st = gw_start(c->loop, &opts, &gw, err);
	if (st) {
		close_signals(&waiter);
		return st;
	}
	print_welcome(c, gw);
	wait_for_signal(&waiter);
	cli_print("\nchela is %s (Ctrl+C again: at once)\n", waiter.restarts ? "restarting" : "stopping");
	fflush(stdout);
	gw_stop(gw, waiter.restarts ? "gateway restarting" : "gateway stopping", fiber_deadline(STOP_GRACE_MS));
	gw_free(gw);
	close_signals(&waiter);
	/* Told to stop while restarting: stopped it is. */
	return waiter.restarts && !waiter.signal ? cli_exec_again(err) : CH_OK;
}

const struct cli_command cli_gateway_run = {
	.name = "gateway run",
	.summary = "start the gateway in the foreground",
	.opts = (const struct cli_opt[]){
		{ "port", 'p', "<port>", "listen here instead of gateway.port (18789)" },
		{ "bind", 0, "<where>", "loopback (default), lan, or an address" },
		{ "verbose", 'v', NULL, "debug lines on the console" },
		{ 0 },
	},
	.examples = "  chela gateway run\n  chela gateway run --port 19000\n",
	.run = run_gateway,
};

/* -- the lock file: who runs -- */

/* The pid of the gateway that holds the state directory; 0 when none does. */
static ch_status holder_pid(struct cli *c, int64_t *ret_pid, struct ch_err *err)
{
	struct lock_info info;
	ch_status st = lock_holder(c->state_dir, &info, err);

	*ret_pid = st ? 0 : info.pid;
	return st == CH_E_NOT_FOUND ? CH_OK : st;
}

static CH_FIBER ch_status stop_gateway(struct cli *c, struct ch_err *err)
{
	int64_t pid, holder, deadline = fiber_deadline(STOP_WAIT_MS);
	ch_status st = holder_pid(c, &pid, err);

	if (st)
		return st;
	if (!pid)
		return ch_fail(err, CH_E_NOT_FOUND, "no gateway runs in %s", c->state_dir);
	if (kill((pid_t)pid, SIGTERM) < 0)
		return ch_fail_errno(err, CH_E_DENIED, errno, "cannot stop process %lld", (long long)pid);
	do {
		st = fiber_sleep(20);
		if (!st)
			st = holder_pid(c, &holder, err);
		if (st)
			return st;
	} while (holder == pid && now_mono_ms() < deadline);
	if (holder == pid)
		return ch_fail(err, CH_E_TIMEOUT, "process %lld did not stop in %d s; kill -9 %lld ends it (nothing accepted is lost)",
			       (long long)pid, STOP_WAIT_MS / 1000, (long long)pid);
	if (c->json) {
		struct json *doc = json_new_obj(c->arena);

		json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
		json_set(c->arena, doc, "pid", json_new_int(c->arena, pid));
		cli_print_json(doc);
	} else {
		cli_print("stopped (process %lld)\n", (long long)pid);
	}
	return CH_OK;
}

const struct cli_command cli_gateway_stop = {
	.name = "gateway stop",
	.summary = "stop the gateway of this state directory",
	.run = stop_gateway,
};

/* -- gateway status, gateway call -- */

static CH_FIBER ch_status gateway_status(struct cli *c, struct ch_err *err)
{
	CH_AUTO(rpc_close) struct rpc *r = NULL;
	struct json *doc = json_new_obj(c->arena);
	struct ch_err probe_err = { 0 };
	int64_t pid;
	const char *url;
	ch_status st = holder_pid(c, &pid, err);

	if (!st)
		st = cli_gateway_url(c, "ws", &url, err);
	if (st)
		return st;
	st = rpc_open(c, "read", NULL, &r, &probe_err);
	const char *version = st ? NULL : json_get_str(json_get(rpc_hello(r), "server"), "version");

	json_set(c->arena, doc, "running", json_new_bool(c->arena, pid != 0));
	json_set(c->arena, doc, "pid", pid ? json_new_int(c->arena, pid) : json_new_null(c->arena));
	json_set(c->arena, doc, "url", json_new_str(c->arena, url));
	json_set(c->arena, doc, "reachable", json_new_bool(c->arena, st == CH_OK));
	json_set(c->arena, doc, "version", json_new_str(c->arena, version));
	json_set(c->arena, doc, "connectMs", st ? json_new_null(c->arena) : json_new_int(c->arena, rpc_connect_ms(r)));
	json_set(c->arena, doc, "error", json_new_str(c->arena, st ? probe_err.text : NULL));
	c->exit_code = st ? 1 : 0;
	if (c->json) {
		cli_print_json(doc);
		return CH_OK;
	}
	cli_print("gateway  %s%s%s\n", cli_on(c, pid ? CLI_GREEN : CLI_RED), pid ? "running" : "not running", cli_off(c));
	if (pid)
		cli_print("process  %lld\n", (long long)pid);
	cli_print("address  %s\n", url);
	if (st)
		cli_print("answers  no: %s\n", cli_safe(c->arena, probe_err.text));
	else
		cli_print("answers  yes, in %lld ms (chela %s)\n", (long long)rpc_connect_ms(r), cli_safe(c->arena, version));
	return CH_OK;
}

const struct cli_command cli_gateway_status = {
	.name = "gateway status",
	.summary = "does it run, does it answer",
	.run = gateway_status,
};

static CH_FIBER ch_status gateway_call(struct cli *c, struct ch_err *err)
{
	const char *params = cli_opt(c, "params");
	struct json *parsed, *payload;
	ch_status st;

	if (params) {
		st = json_parse(c->arena, params, strlen(params), JSON_JSON5, &parsed, err);
		if (st)
			return ch_wrap(err, "--params");
		params = json_to_str(c->arena, parsed);
	}
	st = rpc_once(c, cli_opt(c, "scopes") ? cli_opt(c, "scopes") : "admin,read,write,approvals,pairing", c->args[0], params,
		      &payload, err);
	if (!st)
		cli_print_json(payload);
	return st;
}

const struct cli_command cli_gateway_call = {
	.name = "gateway call",
	.summary = "call any method of the gateway and print its answer",
	.args = "<method>",
	.args_min = 1,
	.args_max = 1,
	.opts = (const struct cli_opt[]){
		{ "params", 0, "<json5>", "the parameters (default {})" },
		{ "scopes", 0, "<list>", "ask for these only, e.g. read" },
		{ 0 },
	},
	.examples = "  chela gateway call health\n  chela gateway call sessions.list --params '{limit: 5}'\n",
	.run = gateway_call,
};
