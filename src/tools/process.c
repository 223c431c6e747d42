/*
 * tools/process.c - process: the commands that exec left running. Each action is a row with a function.
 *
 * Only what was put into the background is seen, and only by its own agent. Output is what the command wrote: when the
 * command was started by a tainted turn its output is fenced like anything from outside.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "exec/process.h"
#include "tools/exec.h"
#include "tools/exec_text.h"
#include "tools/process_keys.h"
#include "tools/table.h"

#define POLL_WAIT_MAX_MS 30000
#define LOG_LINES 200                    /* of a log without offset and limit */
#define OUT_MAX (100u << 10)             /* of one answer */
#define INPUT_MAX (256u << 10)
#define LIST_COMMAND_CHARS 120
#define LIST_TAIL_BYTES 200
#define KEYS_MAX 256

struct call {
	struct tool_ctx *ctx;
	const struct json *args;
	struct tool_result *ret;
	struct process *p;               /* NULL for list */
	struct process_info info;        /* of p, when the call began */
	struct json *details;
};

static void say(struct call *c, const char *status, const char *text)
{
	json_set(c->ctx->arena, c->details, "status", json_new_str(c->ctx->arena, status));
	tool_result_text(c->ctx, c->ret, text, strlen(text));
}

/* -- facts about one process, for clients -- */

static void put_input(struct arena *a, struct json *to, const struct process_info *i)
{
	json_set(a, to, "stdinWritable", json_new_bool(a, i->takes_input));
	json_set(a, to, "waitingForInput", json_new_bool(a, i->may_wait_for_input));
	json_set(a, to, "idleMs", json_new_int(a, i->idle_ms));
	json_set(a, to, "lastOutputAt", json_new_int(a, now_wall_ms() - i->idle_ms));
}

static void put_exit(struct arena *a, struct json *to, const struct process_info *i)
{
	if (i->exit_code >= 0)
		json_set(a, to, "exitCode", json_new_int(a, i->exit_code));
	if (i->signal)
		json_set(a, to, "exitSignal", json_new_str(a, exec_signal_name(a, i->signal)));
	if (i->state == PROCESS_TIMEOUT)
		json_set(a, to, "timedOut", json_new_bool(a, true));
}

/* A stop that was asked for is an answer, not a failure. */
static const char *outcome(const struct process_info *i)
{
	if (i->state == PROCESS_RUNNING)
		return "running";
	return i->state == PROCESS_DONE || i->state == PROCESS_KILLED ? "completed" : "failed";
}

static void put_state(struct call *c, const struct process_info *i)
{
	struct arena *a = c->ctx->arena;

	json_set(a, c->details, "status", json_new_str(a, outcome(i)));
	json_set(a, c->details, "name", json_new_str(a, exec_short_name(a, i->command)));
	if (i->state == PROCESS_RUNNING)
		put_input(a, c->details, i);
	else
		put_exit(a, c->details, i);
}

/* -- list -- */

struct listing {
	struct call *call;
	struct json *rows;
	struct buf out;
};

static bool list_one(void *arg, struct process *p)
{
	struct listing *l = arg;
	struct arena *a = l->call->ctx->arena;
	struct process_info i;
	struct process_text tail;
	struct json *row;
	int64_t ran_ms;

	process_info(p, &i);
	if (!i.is_background)
		return true;
	/* The command is text of the turn that started it. */
	if (i.is_tainted) {
		l->call->ctx->is_outside = true;
		l->call->ctx->source = arena_printf(a, "command %s", i.id);
	}
	process_text(p, i.output_end > LIST_TAIL_BYTES ? i.output_end - LIST_TAIL_BYTES : 0, LIST_TAIL_BYTES, a, &tail);
	ran_ms = (i.ended_at ? i.ended_at : now_wall_ms()) - i.started_at;
	row = json_new_obj(a);
	json_set(a, row, "sessionId", json_new_str(a, i.id));
	json_set(a, row, "name", json_new_str(a, exec_short_name(a, i.command)));
	json_set(a, row, "status", json_new_str(a, i.state == PROCESS_KILLED ? "killed" : outcome(&i)));
	json_set(a, row, "startedAt", json_new_int(a, i.started_at));
	json_set(a, row, "runtimeMs", json_new_int(a, ran_ms));
	json_set(a, row, "command", json_new_str(a, i.command));
	json_set(a, row, "tail", json_new_strn(a, tail.text, tail.len));
	json_set(a, row, "truncated", json_new_bool(a, i.output_first > 0));
	if (i.state == PROCESS_RUNNING) {
		json_set(a, row, "pid", json_new_int(a, i.pid));
		put_input(a, row, &i);
	} else {
		json_set(a, row, "endedAt", json_new_int(a, i.ended_at));
		put_exit(a, row, &i);
	}
	json_push(l->rows, row);
	buf_printf(&l->out, "%s  %-9s  %s  %s%s\n", i.id, process_state_name(i.state), exec_duration(a, ran_ms),
		   exec_shorten(a, i.command, LIST_COMMAND_CHARS), i.may_wait_for_input ? "  [may be waiting for input]" : "");
	return true;
}

static CH_FIBER ch_status do_list(struct call *c, struct ch_err *err)
{
	struct listing l = { .call = c, .rows = json_new_arr(c->ctx->arena) };

	buf_init(&l.out, OUT_MAX);
	process_each(c->ctx->host->processes, c->ctx->agent_id, list_one, &l);
	json_set(c->ctx->arena, c->details, "sessions", l.rows);
	say(c, "completed", l.out.len ? arena_strndup(c->ctx->arena, l.out.data, l.out.len - 1)
				      : "No commands run in the background, and none has ended lately.");
	buf_done(&l.out);
	return CH_OK;
}

/* -- output -- */

static void add_input_hint(struct buf *out, const struct process_info *i)
{
	if (i->may_wait_for_input)
		buf_printf(out, "\n[no output for %lld s: it may be waiting for input; use write, submit, send-keys or paste]",
			   (long long)(i->idle_ms / 1000));
}

static void mark_outside(struct call *c, const struct process_info *i)
{
	const char *source = NULL;

	struct ch_err why = { 0 };

	if (!i->is_tainted && !exec_may_have_read(c->ctx->host, i, c->ctx->arena, &source))
		return;
	if (exec_taint(c->ctx->host, c->p, c->ctx->arena, &why))
		log_warn("exec", "session=%s: what %s writes is not marked as text from outside: %s", c->ctx->session_key, i->id, why.text);
	c->ctx->is_outside = true;
	c->ctx->source = source ? source : arena_printf(c->ctx->arena, "command %s", i->id);
}

static CH_FIBER ch_status do_poll(struct call *c, struct ch_err *err)
{
	int64_t wait_ms = CH_MIN(json_get_int(c->args, "timeout", 0), POLL_WAIT_MAX_MS);
	CH_AUTO_BUF struct buf out = { 0 };
	struct process_text t;
	struct process_info i;
	ch_status st;

	if (wait_ms > 0) {
		st = process_wait(c->p, c->info.read_upto, fiber_deadline(wait_ms));
		if (st == CH_E_CANCELED)
			return ch_fail(err, st, "canceled");
	}
	buf_init(&out, OUT_MAX + 4096);
	process_info(c->p, &i);
	process_text(c->p, i.read_upto, OUT_MAX, c->ctx->arena, &t);
	process_mark_read(c->p, t.upto);
	if (t.from > i.read_upto)
		buf_printf(&out, "[%llu bytes of output before this are lost: it was not polled for too long]\n",
			   (unsigned long long)(t.from - i.read_upto));
	buf_append(&out, t.len ? t.text : "(no new output)", t.len ? t.len : strlen("(no new output)"));
	if (t.upto < i.output_end && i.output_end - t.upto > 3)
		buf_puts(&out, "\n[there is more: poll again]");
	buf_printf(&out, "\n\n%s", exec_state_text(c->ctx->arena, &i));
	add_input_hint(&out, &i);
	mark_outside(c, &i);
	put_state(c, &i);
	json_set(c->ctx->arena, c->details, "aggregated", json_new_strn(c->ctx->arena, t.text, t.len));
	c->ret->is_error = str_eq(outcome(&i), "failed");
	tool_result_text(c->ctx, c->ret, buf_str(&out), out.len);
	return CH_OK;
}

static CH_FIBER ch_status do_log(struct call *c, struct ch_err *err)
{
	struct arena *a = c->ctx->arena;
	bool has_offset = json_get(c->args, "offset") != NULL, has_limit = json_get(c->args, "limit") != NULL;
	int64_t offset = json_get_int(c->args, "offset", 0), limit = json_get_int(c->args, "limit", LOG_LINES);
	CH_AUTO_BUF struct buf out = { 0 };
	struct process_text t;
	size_t lines, first, count;

	buf_init(&out, OUT_MAX + 4096);
	process_lines(c->p, 0, 0, a, &t, &lines);
	count = has_offset && !has_limit ? SIZE_MAX : (size_t)CH_MAX(limit, 0);
	first = has_offset ? (size_t)CH_MAX(offset, 0) : lines > count ? lines - count : 0;
	process_lines(c->p, first, count, a, &t, &lines);
	if (c->info.output_first)
		buf_printf(&out, "[the first %llu bytes are not kept any more; line 0 is the first that is]\n",
			   (unsigned long long)c->info.output_first);
	buf_append(&out, t.len ? t.text : "(no output)", t.len ? CH_MIN(t.len, OUT_MAX) : strlen("(no output)"));
	if (t.len > OUT_MAX)
		buf_puts(&out, "\n[cut here: use offset and limit]");
	if (t.len && (first || count < lines - CH_MIN(first, lines)))
		buf_printf(&out, "\n[lines %zu to %zu of %zu; use offset and limit for others]", first,
			   CH_MIN(lines, count == SIZE_MAX ? lines : first + count) - 1, lines);
	buf_printf(&out, "\n\n%s", exec_state_text(a, &c->info));
	add_input_hint(&out, &c->info);
	mark_outside(c, &c->info);
	put_state(c, &c->info);
	json_set(a, c->details, "output", json_new_strn(a, t.text, CH_MIN(t.len, OUT_MAX)));
	json_set(a, c->details, "total", json_new_int(a, (int64_t)lines));
	json_set(a, c->details, "totalLines", json_new_int(a, (int64_t)lines));
	json_set(a, c->details, "totalChars", json_new_int(a, (int64_t)(c->info.output_end - c->info.output_first)));
	json_set(a, c->details, "truncated", json_new_bool(a, c->info.output_first > 0));
	tool_result_text(c->ctx, c->ret, buf_str(&out), out.len);
	return CH_OK;
}

/* -- input -- */

static ch_status type_in(struct call *c, const char *data, size_t len, struct ch_err *err)
{
	struct arena *a = c->ctx->arena;
	ch_status st = c->ctx->grant->is_tainted ? exec_taint(c->ctx->host, c->p, a, err) : CH_OK;

	if (!st)
		st = process_input(c->p, data, len, err);
	if (st)
		return st;
	say(c, "running", arena_printf(a, "Sent %zu byte%s to %s.", len, len == 1 ? "" : "s", c->info.id));
	json_set(a, c->details, "name", json_new_str(a, exec_short_name(a, c->info.command)));
	return CH_OK;
}

static CH_FIBER ch_status do_write(struct call *c, struct ch_err *err)
{
	const struct json *data = json_get(c->args, "data");
	bool has_eof = json_get_bool(c->args, "eof", false);
	ch_status st;

	if (!data && !has_eof)
		return ch_fail(err, CH_E_INVALID, "write needs data, or eof: true");
	st = type_in(c, data ? data->str : "", data ? data->len : 0, err);
	if (!st && has_eof)
		process_eof(c->p);
	return st;
}

static ch_status need_terminal(const struct call *c, const char *what, struct ch_err *err)
{
	if (c->info.has_tty)
		return CH_OK;
	return ch_fail(err, CH_E_INVALID, "%s needs a terminal, and %s has none: start it with pty: true, or use write", what,
		       c->info.id);
}

/* Literal text, then bytes, then keys. */
static CH_FIBER ch_status do_send_keys(struct call *c, struct ch_err *err)
{
	const struct json *literal = json_get(c->args, "literal");
	CH_AUTO_BUF struct buf out = { 0 };
	ch_status st = need_terminal(c, "send-keys", err);

	if (st)
		return st;
	buf_init(&out, INPUT_MAX);
	if (literal)
		buf_append(&out, literal->str, literal->len);
	json_each(h, json_get(c->args, "hex"))
		if (!key_hex(h->str, &out))
			return ch_fail(err, CH_E_INVALID, "hex: '%.20s' is no byte; write two digits, as \"1b\"", h->str);
	json_each(k, json_get(c->args, "keys"))
		if (!key_encode(k->str, c->info.has_app_keys, &out))
			return ch_fail(err, CH_E_INVALID, "keys: '%.40s' has no meaning; text goes into literal", k->str);
	st = buf_status(&out, err, "the keys");
	if (!st && !out.len)
		return ch_fail(err, CH_E_INVALID, "send-keys needs keys, hex or literal");
	return st ? st : type_in(c, out.data, out.len, err);
}

static CH_FIBER ch_status do_submit(struct call *c, struct ch_err *err)
{
	return type_in(c, c->info.has_tty ? "\r" : "\n", 1, err);
}

static CH_FIBER ch_status do_paste(struct call *c, struct ch_err *err)
{
	const struct json *text = json_get(c->args, "text");
	CH_AUTO_BUF struct buf out = { 0 };
	ch_status st;

	if (!text || !text->len)
		return ch_fail(err, CH_E_INVALID, "paste needs text");
	buf_init(&out, INPUT_MAX);
	key_paste(text->str, text->len, c->info.has_tty && json_get_bool(c->args, "bracketed", true), &out);
	st = buf_status(&out, err, "the text");
	return st ? st : type_in(c, out.data, out.len, err);
}

/* -- end -- */

static ch_status done(struct call *c, const char *text)
{
	say(c, "completed", text);
	json_set(c->ctx->arena, c->details, "name",
		 json_new_str(c->ctx->arena, exec_short_name(c->ctx->arena, c->info.command)));
	return CH_OK;
}

static CH_FIBER ch_status do_kill(struct call *c, struct ch_err *err)
{
	ch_status st;

	if (c->info.state != PROCESS_RUNNING)
		return ch_fail(err, CH_E_INVALID, "%s has ended already", c->info.id);
	process_kill(c->p);
	st = process_wait(c->p, UINT64_MAX, fiber_deadline(2 * CHILD_GRACE_MS));
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "canceled");
	return done(c, st ? arena_printf(c->ctx->arena, "%s was told to end, and is ending.", c->info.id)
			  : arena_printf(c->ctx->arena, "%s has been stopped.", c->info.id));
}

static CH_FIBER ch_status do_clear(struct call *c, struct ch_err *err)
{
	ch_status st = process_remove(c->p, err);

	return st ? st : done(c, arena_printf(c->ctx->arena, "%s is forgotten.", c->info.id));
}

static CH_FIBER ch_status do_remove(struct call *c, struct ch_err *err)
{
	bool ran = c->info.state == PROCESS_RUNNING;

	process_discard(c->p);
	return done(c, arena_printf(c->ctx->arena, "%s was %sforgotten.", c->info.id, ran ? "stopped and " : ""));
}

/* -- the tool -- */

struct action {
	char name[12];
	bool is_input;                   /* it reaches what runs */
	CH_FIBER ch_status (*run)(struct call *c, struct ch_err *err);
};
static const struct action actions[] = {
	{ "list", false, do_list },           { "poll", false, do_poll },     { "log", false, do_log },
	{ "write", true, do_write },          { "send-keys", true, do_send_keys }, { "submit", true, do_submit },
	{ "paste", true, do_paste },          { "kill", false, do_kill },     { "clear", false, do_clear },
	{ "remove", false, do_remove },
};

static const struct action *action_of(const struct json *args)
{
	const char *name = json_get_str(args, "action");

	for (size_t i = 0; i < CH_ARRAY_LEN(actions); i++)
		if (str_eq(actions[i].name, name))
			return &actions[i];
	return NULL;
}

static CH_FIBER ch_status run_on(struct call *c, const struct action *act, struct ch_err *err)
{
	const char *id = json_get_str(c->args, "sessionId");
	struct process *p;
	ch_status st;

	if (str_empty(id))
		return ch_fail(err, CH_E_INVALID, "%s needs sessionId: the name that exec gave, see action list", act->name);
	p = process_find(c->ctx->host->processes, c->ctx->agent_id, id);
	if (p)
		process_info(p, &c->info);
	if (!p || !c->info.is_background)
		return ch_fail(err, CH_E_NOT_FOUND, "there is no command '%.40s': see action list", id);
	c->p = process_ref(p);
	json_set(c->ctx->arena, c->details, "sessionId", json_new_str(c->ctx->arena, c->info.id));
	st = act->run(c, err);
	process_unref(c->p);
	return st;
}

static CH_FIBER ch_status process_run(struct tool_ctx *ctx, const struct json *args, struct tool_result *ret,
				      struct ch_err *err)
{
	struct call c = { .ctx = ctx, .args = args, .ret = ret, .details = json_new_obj(ctx->arena) };
	const struct action *act = action_of(args);
	struct ch_err why = { 0 };
	ch_status st;

	if (!ctx->host || !ctx->host->processes)
		return ch_fail(err, CH_E_UNSUPPORTED, "process is not available here");
	if (!act)
		return ch_fail(err, CH_E_INVALID, "action: not one of list, poll, log, write, send-keys, submit, paste, kill, clear, remove");
	ret->details = c.details;
	st = act->run == do_list ? do_list(&c, &why) : run_on(&c, act, &why);
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "%s", why.text);
	if (st) {
		json_set(ctx->arena, c.details, "error", json_new_str(ctx->arena, why.text));
		say(&c, "failed", arena_strdup(ctx->arena, why.text));
		ret->is_error = true;
	}
	return CH_OK;
}

/* What is typed into a shell on the host runs on the host. */
static bool process_has_effects(const struct tool_ctx *ctx, const struct json *args)
{
	const struct action *act = action_of(args);
	const char *id = json_get_str(args, "sessionId");
	struct process_info i;
	struct process *p;

	if (!act || !act->is_input || !ctx->host || !ctx->host->processes || !id)
		return false;
	p = process_find(ctx->host->processes, ctx->agent_id, id);
	if (!p)
		return false;
	process_info(p, &i);
	return !str_eq(i.host, "sandbox");
}

static bool process_available(const struct tool_host *host, const char *agent_id, struct arena *a, const char **ret_why)
{
	*ret_why = "commands do not run here";
	return host->processes != NULL;
}

static const char *process_meta(struct arena *a, const struct json *args)
{
	const char *id = json_get_str(args, "sessionId");

	return arena_printf(a, "%s%s%s", json_str_or(json_get(args, "action"), ""), id ? " " : "", id ? id : "");
}

_Static_assert(KEYS_MAX == 256, "the schema below names this limit");

const struct tool tool_process = {
	.name = "process",
	.label = "Process",
	.description =
		"Commands that exec left running in the background: list; poll new output (timeout: wait for some, ms); log "
		"(lines, offset and limit); write data to stdin (eof closes it); send-keys to a terminal (Enter, C-c, Up, F5, "
		"^D); submit (Enter); paste; kill; clear a finished one; remove (kill and clear).",
	.schema_json =
		"{\"type\":\"object\",\"properties\":{"
		"\"action\":{\"type\":\"string\",\"enum\":[\"list\",\"poll\",\"log\",\"write\",\"send-keys\",\"submit\",\"paste\","
		"\"kill\",\"clear\",\"remove\"]},"
		"\"sessionId\":{\"type\":\"string\",\"description\":\"for all but list\"},"
		"\"data\":{\"type\":\"string\",\"description\":\"write: text for stdin\"},"
		"\"keys\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":256,\"description\":\"send-keys: names of keys\"},"
		"\"hex\":{\"type\":\"array\",\"items\":{\"type\":\"string\"},\"maxItems\":256,\"description\":\"send-keys: bytes\"},"
		"\"literal\":{\"type\":\"string\",\"description\":\"send-keys: text\"},"
		"\"text\":{\"type\":\"string\",\"description\":\"paste: text\"},"
		"\"bracketed\":{\"type\":\"boolean\",\"description\":\"paste: default true\"},"
		"\"eof\":{\"type\":\"boolean\",\"description\":\"write: close stdin afterwards\"},"
		"\"offset\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"log: first line, from 0\"},"
		"\"limit\":{\"type\":\"integer\",\"minimum\":1,\"description\":\"log: lines\"},"
		"\"timeout\":{\"type\":\"integer\",\"minimum\":0,\"description\":\"poll: ms to wait, 30000 at most\"}},"
		"\"required\":[\"action\"],\"additionalProperties\":false}",
	.risk = TOOL_RUNS,
	.timeout_ms = POLL_WAIT_MAX_MS + 10000,
	.out_max_bytes = OUT_MAX + 4096,
	.group = "runtime",
	.has_effects = process_has_effects,
	.is_available = process_available,
	.meta = process_meta,
	.run = process_run,
};
