/*
 * agent/commands.c - slash commands: a message that is nothing but "/name arguments".
 *
 * Answered by the gateway itself, outside the model's context. Those that only look are
 * answered beside an active turn; the others wait for it, or end it. Unknown names are no
 * commands: the message goes to the model. The rows are in cmd_*.c.
 */
#include "agent/command.h"

#include <string.h>

#include "agent/history.h"
#include "agent/messages.h"
#include "agent/run_events.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define ANSWER_MAX (256u << 10)

/* Sorted by name. */
static const struct slash_command *const commands[] = {
	&cmd_activation,
	&cmd_agents,
	&cmd_answer,
	&cmd_approve,
	&cmd_commands,
	&cmd_compact,
	&cmd_config,
	&cmd_context,
	&cmd_diagnostics,
	&cmd_elevated,
	&cmd_exec,
	&cmd_export_session,
	&cmd_fast,
	&cmd_help,
	&cmd_login,
	&cmd_model,
	&cmd_models,
	&cmd_name,
	&cmd_new,
	&cmd_openclaw,
	&cmd_queue,
	&cmd_reasoning,
	&cmd_reset,
	&cmd_restart,
	&cmd_session,
	&cmd_status,
	&cmd_steer,
	&cmd_stop,
	&cmd_subagents,
	&cmd_tasks,
	&cmd_think,
	&cmd_tools,
	&cmd_trace,
	&cmd_update,
	&cmd_usage,
	&cmd_verbose,
	&cmd_whoami,
};

const struct slash_command *const *slash_commands(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(commands);
	return commands;
}

static bool is_enabled(const struct slash_command *cmd, const struct config *c)
{
	return !cmd->needs || config_bool(c, cmd->needs, false);
}

bool slash_is_listed(const struct slash_command *cmd, const struct config *c)
{
	return !(cmd->flags & SLASH_HIDDEN) && is_enabled(cmd, c);
}

static bool is_named(const struct slash_command *c, const char *name)
{
	if (str_ieq(c->name, name))
		return true;
	for (const char *const *alias = c->aliases; alias && *alias; alias++)
		if (str_ieq(*alias, name))
			return true;
	return false;
}

const struct slash_command *command_find(const char *name)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(commands); i++)
		if (is_named(commands[i], name))
			return commands[i];
	return NULL;
}

bool slash_is_command(const char *text, const struct config *c)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	const struct slash_command *cmd;

	if (text[0] != '/')
		return false;
	a = arena_new(0);
	cmd = command_find(arena_strndup(a, text + 1, strcspn(text + 1, " \t\r\n:@")));
	return cmd && slash_is_listed(cmd, c);
}

const struct slash_command *command_parse(const struct config *c, const char *text, struct arena *a,
					  const char **ret_args)
{
	const char *whole = str_trim(a, text), *args;
	const struct slash_command *cmd;
	size_t n;

	if (whole[0] != '/' || strpbrk(whole, "\r\n"))
		return NULL;
	n = strcspn(whole + 1, " \t:");
	cmd = command_find(arena_strndup(a, whole + 1, n));
	if (!cmd || !is_enabled(cmd, c))
		return NULL;
	args = whole + 1 + n;
	args += strspn(args, " \t:");
	if (*args && !cmd->args_hint)
		return NULL;             /* "/help me with this" is for the model */
	if (*args && cmd->takes && !cmd->takes(args))
		return NULL;
	*ret_args = args;
	return cmd;
}

const char *command_word(struct arena *a, const char **args)
{
	const char *start = *args + strspn(*args, " \t");
	size_t n = strcspn(start, " \t");

	*args = start + n + strspn(start + n, " \t");
	return n ? arena_strndup(a, start, n) : NULL;
}

/* -- running -- */

struct exchange { struct tr_entry user, answer; struct buf row, frame; };

static void fill(struct run *r, const struct buf *answer, struct exchange *x)
{
	struct msg_own m = { .text = buf_str(answer), .len = answer->len, .ts = now_wall_ms(),
			     .idempotency_key = r->run_id, .is_context_free = true };

	msg_own(&x->row, &m);
	m.with_openclaw = true;
	msg_own(&x->frame, &m);
	x->user = (struct tr_entry){ .type = "message", .role = "user", .message = r->message,
				     .message_len = strlen(r->message), .meta = r->meta, .created_at = m.ts,
				     .idempotency_key = arena_printf(r->arena, "%s:user", r->run_id) };
	x->answer = (struct tr_entry){ .type = "message", .role = "assistant", .message = buf_str(&x->row),
				       .message_len = x->row.len, .meta = "{\"contextFreeCommand\":true}",
				       .created_at = m.ts, .idempotency_key = r->run_id };
}

static ch_status write_rows(struct run *r, struct exchange *x, struct ch_err *err)
{
	struct sess_store *store = r->host->opts.sessions;
	ch_status st;

	st = buf_status(&x->frame, err, "the answer");
	if (!st)
		st = tr_append(r->sess, NULL, 0, &x->user, r->arena, err);
	if (!st)
		st = tr_append(r->sess, NULL, 0, &x->answer, r->arena, err);
	if (!st)
		st = input_end(store, r->session_key, r->run_id, INPUT_DONE, NULL, NULL, err);
	return st;
}

static ch_status commit_rows(struct run *r, struct exchange *x, struct ch_err *err)
{
	struct db *db = sess_store_db(r->host->opts.sessions);
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st;

	st = db_begin(db, err);
	if (st)
		return st;
	tx = db;
	st = write_rows(r, x, err);
	return st ? st : db_commit(CH_TAKE(tx), err);
}

/* The rows are not for the model, but the history must know that they are there. */
static void tell_history(struct run *r, const struct exchange *x)
{
	const struct desk *d = desk_find(r->host, r->session_key);

	if (!d || !d->history)
		return;
	history_add(d->history, &x->user);
	history_add(d->history, &x->answer);
}

static void settle(struct run *r, const struct buf *answer)
{
	struct exchange x = { 0 };

	buf_init(&x.row, TR_MESSAGE_MAX);
	buf_init(&x.frame, TR_MESSAGE_MAX);
	fill(r, answer, &x);
	r->ended_at = now_wall_ms();
	if (commit_rows(r, &x, &r->failure)) {
		log_error("agent", "session=%s run=%s: the answer to /%s could not be written: %s", r->session_key, r->run_id,
			  r->command->name, r->failure.text);
		run_ended(r);
		ev_failed(r, NULL);
	} else {
		tell_history(r, &x);
		run_ended(r);
		ev_command(r, buf_str(&x.frame), x.frame.len, &x.user, &x.answer);
	}
	buf_done(&x.row);
	buf_done(&x.frame);
}

/* A person in a chat has no scopes: they are told who they are, and who can do what they cannot. */
static ch_status refuse(const struct run *r, struct ch_err *err)
{
	const struct run_channel *from = r->from;

	if (!from)
		return ch_fail(err, CH_E_DENIED, "/%s takes the scope operator.admin, which you do not have", r->command->name);
	return ch_fail(err, CH_E_DENIED, "/%s is for this gateway's owner. Ask them to do it; or to make you an owner, which takes "
		       "your id %.20s:%.60s in commands.ownerAllowFrom.", r->command->name, from->channel,
		       from->sender_id ? from->sender_id : "?");
}

static ch_status run_checked(struct run *r, struct buf *out, struct ch_err *err)
{
	if (r->command->flags & SLASH_ADMIN && !r->sender_is_admin)
		return refuse(r, err);
	return r->command->run(r, r->command_args, out, err);
}

void command_run(struct run *r)
{
	CH_AUTO_BUF struct buf answer = { 0 };
	struct ch_err err = { 0 };

	buf_init(&answer, ANSWER_MAX);
	if (run_checked(r, &answer, &err)) {
		buf_clear(&answer);
		buf_printf(&answer, "⚠️ %s", err.text);
	}
	settle(r, &answer);
}

static void beside_fiber(void *arg)
{
	CH_AUTO(run_unref) struct run *r = arg;

	command_run(r);
	r->fiber = NULL;
	host_left(r->host);
}

void command_start(struct run *r)
{
	if (!(r->command->flags & SLASH_PARKS)) {
		command_run(r);
		return;
	}
	r->host->active++;
	r->fiber = fiber_spawn(r->host->opts.loop, "command", FIBER_DETACHED, beside_fiber, run_ref(r));
}
