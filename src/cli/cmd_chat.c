/*
 * cli/cmd_chat.c - talking to an agent: one turn (`agent`) or a conversation (`chat`).
 *
 * Answers stream to stdout as they come. A turn that failed or was aborted
 * is an error of the command; Ctrl+C aborts the turn on the gateway, not only here.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/approval.h"
#include "cli/question.h"
#include "cli/models_auth.h"
#include "cli/rpc.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/rand.h"
#include "core/str.h"
#include "sessions/text.h"

#define TURN_TIMEOUT_MS 600000

struct turn {
	struct cli *c;
	struct rpc *r;
	const char *session_key;
	char run_id[UUID_LEN];
	size_t printed;                  /* bytes of the reply on the terminal */
	bool stream;                     /* print deltas */
	struct json *final;              /* the final's message, on the cli's arena */
	uv_signal_t sigint;
	struct fiber *fiber;
	bool interrupted, sigint_closed;
};

static void on_sigint(uv_signal_t *h, int signum)
{
	struct turn *t = h->data;

	if (t->interrupted)
		_exit(130);
	t->interrupted = true;
	fiber_cancel(t->fiber);
}

/* Model text may hold anything: newlines and tabs pass, other control bytes are shown. */
static void print_model_text(struct turn *t, const char *text)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	while (*text) {
		size_t n = strcspn(text, "\n\t");

		fputs(cli_safe(a, arena_strndup(a, text, n)), stdout);
		text += n;
		if (*text)
			putchar(*text++);
	}
	fflush(stdout);
}

static void print_tool(struct turn *t, const struct json *data)
{
	if (!str_eq(json_get_str(data, "phase"), "start") || !t->stream)
		return;
	cli_print("%s%s%s%s\n", t->printed ? "\n" : "", cli_on(t->c, CLI_DIM),
		  cli_safe(t->c->arena, json_str_or(json_get(data, "title"), json_str_or(json_get(data, "name"), "tool"))),
		  cli_off(t->c));
	fflush(stdout);
}

/* The reply so far is cumulative; print what is new of it. */
static void print_progress(struct turn *t, const struct json *payload)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text = tr_text(a, json_get(payload, "message"), "");
	size_t n = strlen(text);

	if (!t->stream || n <= t->printed)
		return;
	print_model_text(t, text + t->printed);
	t->printed = n;
}

/* One event of the turn; *ret_done when it ended. */
static ch_status take_event(struct turn *t, const struct json *frame, bool *ret_done, struct ch_err *err)
{
	const struct json *payload = json_get(frame, "payload");
	const char *event = json_get_str(frame, "event");
	const char *state = json_get_str(payload, "state");

	if (!str_eq(json_get_str(payload, "runId"), t->run_id))
		return CH_OK;
	if (str_eq(event, "agent") && str_eq(json_get_str(payload, "stream"), "item"))
		print_tool(t, json_get(payload, "data"));
	if (!str_eq(event, "chat"))
		return CH_OK;
	if (str_eq(state, "delta")) {
		print_progress(t, payload);
	} else if (str_eq(state, "final")) {
		print_progress(t, payload);
		t->final = json_clone(t->c->arena, json_get(payload, "message"));
		*ret_done = true;
	} else if (str_eq(state, "aborted")) {
		return ch_fail(err, CH_E_CANCELED, "the turn was aborted");
	} else if (str_eq(state, "error")) {
		return ch_fail(err, CH_E_PEER, "%s", json_str_or(json_get(payload, "errorMessage"), "the turn failed"));
	}
	return CH_OK;
}

/* The turn, or a sub-agent of it, waits for a yes: ask here, or say how. The turn's time does not run meanwhile. */
static CH_FIBER ch_status take_approval(struct turn *t, const struct json *payload, int64_t *deadline_ms, struct ch_err *err)
{
	const struct json *approval = json_get(payload, "approval");
	int64_t begun_ms = now_mono_ms(), left_ms = json_get_int(approval, "expiresAtMs", 0) - now_wall_ms();
	ch_status st;

	if (!str_eq(json_get_str(payload, "phase"), "pending"))
		return CH_OK;
	if (t->printed)
		cli_note("\n");
	st = cli_approval_prompt(t->c, approval, err);
	*deadline_ms += cli_approval_can_ask() ? now_mono_ms() - begun_ms : CH_MAX(left_ms, 0);
	return st;
}

/* The turn asks its person something. */
static CH_FIBER ch_status take_question(struct turn *t, const struct json *question, int64_t *deadline_ms, struct ch_err *err)
{
	int64_t begun_ms = now_mono_ms(), left_ms = json_get_int(question, "expiresAtMs", 0) - now_wall_ms();
	ch_status st;

	if (!str_eq(json_get_str(question, "runId"), t->run_id))
		return CH_OK;
	st = cli_question_prompt(t->c, question, err);
	*deadline_ms += cli_approval_can_ask() ? now_mono_ms() - begun_ms : CH_MAX(left_ms, 0);
	return st;
}

static CH_FIBER ch_status send_turn(struct turn *t, const char *message, const char *model, struct ch_err *err)
{
	CH_AUTO_BUF struct buf params = { 0 };
	struct jw w = JW(&params);
	struct json *ack;
	int64_t deadline = fiber_deadline(CH_MAX(t->c->timeout_ms, TURN_TIMEOUT_MS));
	bool done = false;
	ch_status st = CH_OK;

	rand_uuid(t->run_id);
	t->printed = 0;
	buf_init(&params, RPC_MESSAGE_MAX);
	if (model) {
		jw_obj(&w);
		jw_kstr(&w, "key", t->session_key);
		jw_kstr(&w, "model", model);
		jw_end(&w);
		st = rpc_call(t->r, "sessions.patch", params.data, &ack, err);
		buf_clear(&params);
	}
	if (st)
		return st;
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", t->session_key);
	jw_kstr(&w, "message", message);
	jw_kstr(&w, "idempotencyKey", t->run_id);
	jw_kstr_opt(&w, "thinking", cli_opt(t->c, "thinking"));
	jw_end(&w);
	st = buf_status(&params, err, "the message");
	if (!st)
		st = rpc_call(t->r, "chat.send", params.data, &ack, err);
	while (!st && !done) {
		struct json *frame;

		st = rpc_event(t->r, deadline, &frame, err);
		if (!st && str_eq(json_get_str(frame, "event"), "session.approval"))
			st = take_approval(t, json_get(frame, "payload"), &deadline, err);
		else if (!st && str_eq(json_get_str(frame, "event"), "question.requested"))
			st = take_question(t, json_get(frame, "payload"), &deadline, err);
		else if (!st)
			st = take_event(t, frame, &done, err);
	}
	return st;
}

/* Ctrl+C: tell the gateway, so that it does not go on spending. */
static CH_FIBER void abort_turn(struct turn *t)
{
	CH_AUTO_BUF struct buf params = { 0 };
	struct jw w = JW(&params);
	struct json *reply;
	struct ch_err err;

	buf_init(&params, 4096);
	jw_obj(&w);
	jw_kstr(&w, "sessionKey", t->session_key);
	jw_kstr(&w, "runId", t->run_id);
	jw_end(&w);
	fiber_mask(1);
	if (rpc_call(t->r, "chat.abort", params.data, &reply, &err))
		fprintf(stderr, "chela: the turn could not be aborted: %s\n", err.text);
	fiber_mask(-1);
}

static void on_sigint_closed(uv_handle_t *h)
{
	struct turn *t = h->data;

	t->sigint_closed = true;
	fiber_wake(t->fiber);
}

static CH_FIBER ch_status hear_approvals(struct turn *t, struct ch_err *err)
{
	struct json *params = json_new_obj(t->c->arena), *reply;

	json_set(t->c->arena, params, "key", json_new_str(t->c->arena, t->session_key));
	json_set(t->c->arena, params, "includeApprovals", json_new_bool(t->c->arena, true));
	return rpc_call(t->r, "sessions.messages.subscribe", json_to_str(t->c->arena, params), &reply, err);
}

static CH_FIBER ch_status open_turn(struct cli *c, struct turn *t, struct ch_err *err)
{
	const char *key = cli_opt(c, "session-key");

	*t = (struct turn){ .c = c, .session_key = key ? key : "main", .fiber = fiber_self() };
	if (!key && cli_opt(c, "agent"))
		t->session_key = arena_printf(c->arena, "agent:%s:main", cli_opt(c, "agent"));
	ch_status st = rpc_open(c, "read,write,admin", "tool-events", &t->r, err);

	if (st)
		return st;
	/* The gateway answers with its own form of the key; use that in what follows. */
	struct json *resolved;
	struct json *params = json_new_obj(c->arena);

	json_set(c->arena, params, "key", json_new_str(c->arena, t->session_key));
	st = rpc_call(t->r, "sessions.resolve", json_to_str(c->arena, params), &resolved, err);
	if (!st && json_get_str(resolved, "key"))
		t->session_key = json_get_str(resolved, "key");
	if (!st)
		st = hear_approvals(t, err);
	if (st) {
		rpc_close(t->r);
		return st;
	}
	uv_signal_init(loop_uv(c->loop), &t->sigint);
	t->sigint.data = t;
	uv_signal_start(&t->sigint, on_sigint, SIGINT);
	return CH_OK;
}

static CH_FIBER void close_turn(struct turn *t)
{
	fiber_mask(1);
	uv_close((uv_handle_t *)&t->sigint, on_sigint_closed);
	while (!t->sigint_closed)
		(void)!fiber_park(FIBER_FOREVER);   /* libuv always closes */
	rpc_close(t->r);
	fiber_mask(-1);
}

/* -- agent -m -- */

static ch_status read_message(struct cli *c, const char **ret, struct ch_err *err)
{
	CH_AUTO_BUF struct buf all = { 0 };
	const char *message = cli_opt(c, "message");

	if (message && !str_eq(message, "-")) {
		*ret = message;
		return CH_OK;
	}
	if (!message && isatty(STDIN_FILENO))
		return ch_fail(err, CH_E_INVALID, "what should the agent answer? chela agent -m \"…\" (or pipe the text in)");
	buf_init(&all, RPC_MESSAGE_MAX);
	for (;;) {
		CH_AUTO_STR char *line = NULL;
		ch_status st = cli_read_line(c, &line, err);

		if (st == CH_E_EOF)
			break;
		if (st)
			return st;
		buf_printf(&all, "%s%s", all.len ? "\n" : "", line);
	}
	*ret = arena_strdup(c->arena, buf_str(&all));
	return buf_status(&all, err, "the message");
}

static CH_FIBER ch_status run_agent(struct cli *c, struct ch_err *err)
{
	struct turn t;
	const char *message = NULL;
	ch_status st = read_message(c, &message, err);

	if (!st)
		st = open_turn(c, &t, err);
	if (st)
		return st;
	t.stream = !c->json;
	st = send_turn(&t, message, cli_opt(c, "model"), err);
	if (t.interrupted) {
		abort_turn(&t);
		c->exit_code = 130;
	}
	if (!st && c->json) {
		struct json *doc = json_new_obj(c->arena);

		json_set(c->arena, doc, "ok", json_new_bool(c->arena, true));
		json_set(c->arena, doc, "runId", json_new_str(c->arena, t.run_id));
		json_set(c->arena, doc, "sessionKey", json_new_str(c->arena, t.session_key));
		json_set(c->arena, doc, "text", json_new_str(c->arena, tr_text(c->arena, t.final, "")));
		json_set(c->arena, doc, "message", t.final ? t.final : json_new_null(c->arena));
		cli_print_json(doc);
	} else if (!st && !t.printed) {
		print_model_text(&t, tr_text(c->arena, t.final, ""));
		cli_print("\n");
	} else if (t.printed) {
		cli_print("\n");
	}
	close_turn(&t);
	return st;
}

#define TALK_OPTS                                                                        \
	{ "session-key", 0, "<key>", "the session (default main)" },                     \
	{ "agent", 0, "<id>", "the agent (its main session)" },                          \
	{ "model", 0, "<ref>", "use this model from now on in the session" },            \
	{ "thinking", 0, "<level>", "off, minimal, low, medium, high" }

const struct cli_command cli_agent = {
	.name = "agent",
	.summary = "one turn: send a message, print the answer",
	.opts = (const struct cli_opt[]){
		{ "message", 'm', "<text>", "the message; - or a pipe reads stdin" },
		TALK_OPTS,
		{ 0 },
	},
	.examples = "  chela agent -m \"list files\"\n  git diff | chela agent -m - --json\n",
	.run = run_agent,
};

/* -- chat -- */

static CH_FIBER ch_status run_chat(struct cli *c, struct ch_err *err)
{
	struct turn t;
	bool is_terminal = isatty(STDIN_FILENO);
	const char *model = cli_opt(c, "model");
	ch_status st = open_turn(c, &t, err);

	if (st)
		return st;
	t.stream = true;
	if (is_terminal)
		cli_print("%s%s - /help for commands, Ctrl+D ends%s\n", cli_on(c, CLI_DIM), t.session_key, cli_off(c));
	for (;;) {
		CH_AUTO_STR char *line = NULL;
		struct ch_err turn_err = { 0 };

		if (is_terminal) {
			cli_print("%s> %s", cli_on(c, CLI_BOLD), cli_off(c));
			fflush(stdout);
		}
		st = cli_read_line(c, &line, err);
		if (st == CH_E_EOF || t.interrupted) {
			st = CH_OK;
			break;
		}
		if (st)
			break;
		if (str_empty(line))
			continue;
		st = send_turn(&t, line, model, &turn_err);
		model = NULL;
		cli_print("\n");
		if (t.interrupted) {
			abort_turn(&t);
			c->exit_code = 130;
			break;
		}
		if (st && !rpc_is_open(t.r)) {
			st = ch_fail(err, st, "%s", turn_err.text);
			break;
		}
		if (st)                  /* a failed turn ends the turn, not the conversation */
			fprintf(stderr, "chela: %s\n", cli_safe(c->arena, turn_err.text));
	}
	close_turn(&t);
	return st;
}

const struct cli_command cli_chat = {
	.name = "chat",
	.summary = "a conversation, line by line",
	.opts = (const struct cli_opt[]){ TALK_OPTS, { 0 } },
	.examples = "  chela chat\n  chela chat --session-key work\n",
	.run = run_chat,
};
