/*
 * agent/commands.c - slash commands: a message that is nothing but "/name arguments".
 *
 * Answered by the gateway itself, without a model and outside the model's context. Those that
 * only look are answered beside an active turn; the others end it first. Unknown names are no
 * commands: the message goes to the model.
 */
#include <string.h>

#include "agent/host.h"
#include "agent/messages.h"
#include "agent/run_events.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define ANSWER_MAX (256u << 10)

static const char *const help_aliases[] = { "commands", NULL };
static const char *const whoami_aliases[] = { "id", NULL };
static const char *const stop_aliases[] = { "abort", NULL };

enum { HELP, MODEL, NEW, RESET, STATUS, STOP, WHOAMI };

/* Sorted by name. */
static const struct slash_command commands[] = {
	[HELP] = { "help", help_aliases, "Show the commands.", NULL, "status" },
	[MODEL] = { "model", NULL, "Show or choose this session's model.", "[ref | list | default]", "options" },
	[NEW] = { "new", NULL, "Start a new conversation; the old one is kept.", "[model]", "session" },
	[RESET] = { "reset", NULL, "Forget this conversation's context, in place.", NULL, "session" },
	[STATUS] = { "status", NULL, "Show model, context, cost and queue of this session.", NULL, "status" },
	[STOP] = { "stop", stop_aliases, "Stop what runs and waits in this session.", NULL, "session" },
	[WHOAMI] = { "whoami", whoami_aliases, "Show who you are to the gateway.", NULL, "status" },
};

const struct slash_command *slash_commands(size_t *ret_count)
{
	*ret_count = CH_ARRAY_LEN(commands);
	return commands;
}

bool command_is_immediate(const struct slash_command *c)
{
	return c != &commands[NEW] && c != &commands[RESET] && c != &commands[STOP];
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

const struct slash_command *command_parse(const char *text, struct arena *a, const char **ret_args)
{
	const char *whole = str_trim(a, text), *name;
	size_t n;

	if (whole[0] != '/' || strpbrk(whole, "\r\n"))
		return NULL;
	n = strcspn(whole + 1, " \t:");
	name = arena_strndup(a, whole + 1, n);
	for (size_t i = 0; i < CH_ARRAY_LEN(commands); i++) {
		const struct slash_command *c = &commands[i];
		const char *args = whole + 1 + n;

		if (!is_named(c, name))
			continue;
		args += strspn(args, " \t:");
		if (*args && !c->args_hint)
			return NULL;     /* "/help me with this" is for the model */
		*ret_args = args;
		return c;
	}
	return NULL;
}

/* -- answers -- */

static ch_status do_help(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	buf_puts(out, "Commands:\n\n");
	for (size_t i = 0; i < CH_ARRAY_LEN(commands); i++) {
		const struct slash_command *c = &commands[i];

		buf_printf(out, "- `/%s%s%s` - %s\n", c->name, c->args_hint ? " " : "", c->args_hint ? c->args_hint : "",
			   c->description);
	}
	buf_puts(out, "\nEverything else goes to the model.");
	return CH_OK;
}

static bool list_model(void *arg, const struct model_entry *e)
{
	struct buf *out = arg;

	buf_printf(out, "- `%s`\n", e->ref);
	return out->len < ANSWER_MAX / 2;
}

static ch_status pin_model(struct run *r, const char *wanted, struct buf *out, struct ch_err *err)
{
	struct sess *s = r->sess;
	struct model_entry m;
	const char *source;
	ch_status st;

	st = r->host->model_ops.resolve(r->host->model_ops.arg, wanted, r->agent_id, r->arena, &m, &source, err);
	if (st)
		return st;
	sess_set_str(s, &s->model_provider, m.provider);
	sess_set_str(s, &s->model, m.id);
	sess_set_str(s, &s->model_override_source, "user");
	st = sess_save(s, err);
	if (!st)
		buf_printf(out, "Model of this session: `%s`.", m.ref);
	return st;
}

static ch_status unpin_model(struct run *r, struct buf *out, struct ch_err *err)
{
	struct sess *s = r->sess;
	ch_status st;

	sess_set_str(s, &s->model_provider, NULL);
	sess_set_str(s, &s->model, NULL);
	sess_set_str(s, &s->model_override_source, NULL);
	st = sess_save(s, err);
	if (!st)
		buf_puts(out, "This session uses the default model again.");
	return st;
}

static ch_status show_model(struct run *r, struct buf *out, struct ch_err *err)
{
	const char *wanted = NULL, *source;
	struct sess *s = r->sess;
	struct model_entry m;
	ch_status st;

	if (s->model_override_source && s->model_provider && s->model)
		wanted = arena_printf(r->arena, "%s/%s", s->model_provider, s->model);
	st = r->host->model_ops.resolve(r->host->model_ops.arg, wanted, r->agent_id, r->arena, &m, &source, err);
	if (!st)
		buf_printf(out, "Model: `%s` (from: %s). `/model <ref>` chooses another, `/model list` shows what there is.",
			   m.ref, source);
	return st;
}

static ch_status do_model(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	if (!*args || str_ieq(args, "status"))
		return show_model(r, out, err);
	if (str_ieq(args, "default"))
		return unpin_model(r, out, err);
	if (!str_ieq(args, "list"))
		return pin_model(r, args, out, err);
	buf_puts(out, "Models:\n\n");
	if (r->host->opts.models)
		models_each(r->host->opts.models, list_model, out);
	return CH_OK;
}

static ch_status do_new(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	ch_status st;

	st = sess_rotate(r->sess, "new", err);
	if (st)
		return st;
	r->session_id = arena_strdup(r->arena, r->sess->session_id);
	buf_puts(out, "✅ New session started.");
	if (!*args)
		return CH_OK;
	buf_putc(out, ' ');
	return pin_model(r, args, out, err);
}

static ch_status do_reset(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	ch_status st;

	st = sess_reset(r->sess, "reset", err);
	if (!st)
		buf_puts(out, "✅ Session reset.");
	return st;
}

static ch_status do_status(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	return status_text(r->host, r->sess, out, err);
}

static ch_status do_stop(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	if (r->stopped)
		buf_printf(out, "⏹ Stopped %zu run%s.", r->stopped, r->stopped == 1 ? "" : "s");
	else
		buf_puts(out, "Nothing is running in this session.");
	return CH_OK;
}

static ch_status do_whoami(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	buf_printf(out, "You are the owner of this gateway, writing by `%s` in session `%s` of agent `%s`.",
		   r->channel ? r->channel : "unknown", r->session_key, r->agent_id);
	return CH_OK;
}

typedef ch_status (*command_fn)(struct run *r, const char *args, struct buf *out, struct ch_err *err);

static const command_fn actions[CH_ARRAY_LEN(commands)] = {
	[HELP] = do_help, [MODEL] = do_model, [NEW] = do_new, [RESET] = do_reset,
	[STATUS] = do_status, [STOP] = do_stop, [WHOAMI] = do_whoami,
};

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

void command_run(struct run *r)
{
	struct exchange x = { 0 };
	CH_AUTO_BUF struct buf answer;
	struct ch_err err = { 0 };

	buf_init(&answer, ANSWER_MAX);
	buf_init(&x.row, TR_MESSAGE_MAX);
	buf_init(&x.frame, TR_MESSAGE_MAX);
	if (actions[r->command - commands](r, r->command_args, &answer, &err)) {
		buf_clear(&answer);
		buf_printf(&answer, "⚠️ %s", err.text);
	}
	fill(r, &answer, &x);
	r->ended_at = now_wall_ms();
	if (commit_rows(r, &x, &r->failure)) {
		log_error("agent", "session=%s run=%s: the answer to /%s could not be written: %s", r->session_key, r->run_id,
			  r->command->name, r->failure.text);
		run_ended(r);
		ev_failed(r, NULL);
	} else {
		run_ended(r);
		ev_command(r, buf_str(&x.frame), x.frame.len, &x.user, &x.answer);
	}
	buf_done(&x.row);
	buf_done(&x.frame);
}
