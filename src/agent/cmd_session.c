/*
 * agent/cmd_session.c - commands on the session itself: /new, /reset, /name, /stop.
 */
#include "agent/command.h"

#include <string.h>

#include "core/str.h"
#include "models/auth.h"

#define NAME_MAX_BYTES 200

/* A cache that was kept warm with one account is of no use to a new conversation. */
static void forget_credential(struct run *r)
{
	if (r->host->opts.models)
		auth_session_forget(r->host->opts.models, r->session_key);
}

static ch_status do_new(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct model_entry m;
	const char *source;
	ch_status st = CH_OK;

	if (*args)               /* before anything ends: a mistyped name must not cost the conversation */
		st = r->host->model_ops.resolve(r->host->model_ops.arg, args, r->agent_id, r->arena, &m, &source, err);
	if (!st)
		st = sess_rotate(r->sess, "new", err);
	if (st)
		return st;
	r->session_id = arena_strdup(r->arena, r->sess->session_id);
	forget_credential(r);
	buf_puts(out, "✅ New session started.");
	if (!*args)
		return CH_OK;
	buf_putc(out, ' ');
	return command_pin_model(r, args, out, err);
}

const struct slash_command cmd_new = {
	.name = "new",
	.description = "Start a new conversation; the old one is kept.",
	.args_hint = "[model]",
	.category = "session",
	.args = (const struct slash_arg[]){ { "model", "Model of the new conversation" }, { 0 } },
	.when = SLASH_ENDS_RUNS,
	.run = do_new,
};

/* "soft" keeps the transcript; what is forgotten is the parsed history and the window's counters. */
static ch_status do_reset(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	ch_status st;

	if (*args && !str_ieq(args, "soft"))
		return ch_fail(err, CH_E_INVALID, "/reset takes nothing or 'soft', not '%.60s'", args);
	if (*args) {
		desk_forget_history(r->host, r->session_key);
		buf_puts(out, "✅ The workspace's files are read anew; the conversation goes on as it was.");
		return CH_OK;
	}
	st = sess_reset(r->sess, "reset", err);
	if (st)
		return st;
	forget_credential(r);
	buf_puts(out, "✅ Session reset.");
	return CH_OK;
}

const struct slash_command cmd_reset = {
	.name = "reset",
	.description = "Forget this conversation's context, in place; soft keeps it and starts up anew.",
	.args_hint = "[soft]",
	.category = "session",
	.args = (const struct slash_arg[]){
		{ "mode", "soft keeps the conversation", (const char *const[]){ "soft", NULL } }, { 0 } },
	.when = SLASH_ENDS_RUNS,
	.run = do_reset,
};

static ch_status do_name(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct sess *s = r->sess;
	size_t n = utf8_cut(args, strlen(args), NAME_MAX_BYTES);
	ch_status st;

	if (!*args) {
		buf_printf(out, "Name of this session: %s. `/name <title>` changes it.",
			   s->label ? s->label : s->derived_title ? s->derived_title : "none yet");
		return CH_OK;
	}
	sess_set_str(s, &s->label, arena_strndup(r->arena, args, n));
	st = sess_save(s, err);
	if (!st)
		buf_printf(out, "✅ This session is called \"%s\" now.", s->label);
	return st;
}

const struct slash_command cmd_name = {
	.name = "name",
	.description = "Show or set this session's name.",
	.args_hint = "[title]",
	.category = "session",
	.args = (const struct slash_arg[]){ { "title", "The new name" }, { 0 } },
	.run = do_name,
};

static ch_status do_stop(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	if (r->stopped)
		buf_printf(out, "⏹ Stopped %zu run%s.", r->stopped, r->stopped == 1 ? "" : "s");
	else
		buf_puts(out, "Nothing is running in this session.");
	return CH_OK;
}

const struct slash_command cmd_stop = {
	.name = "stop",
	.aliases = (const char *const[]){ "abort", NULL },
	.description = "Stop what runs and waits in this session.",
	.category = "session",
	.when = SLASH_ENDS_RUNS,
	.run = do_stop,
};

/* Taken apart where input is accepted: the words go to the model, into the running turn. */
static ch_status do_steer(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	buf_puts(out, "`/steer <message>` puts the message into the turn that runs, whatever the queue's mode.");
	return CH_OK;
}

const struct slash_command cmd_steer = {
	.name = "steer",
	.aliases = (const char *const[]){ "tell", NULL },
	.description = "Say something into the turn that runs.",
	.args_hint = "<message>",
	.category = "tools",
	.args = (const struct slash_arg[]){ { "message", "What to say", .is_required = true }, { 0 } },
	.run = do_steer,
};
