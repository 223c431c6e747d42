/*
 * tools/command_watch.c - one command, watched for text from outside; see command_ops.h.
 */
#include <string.h>

#include "core/log.h"
#include "core/rand.h"
#include "tools/changed.h"
#include "tools/command_ops.h"

#define FROM_TURN "a turn that had read text from outside"

void command_id(char ret_id[COMMAND_ID_MAX])
{
	_Static_assert(UUID_LEN <= COMMAND_ID_MAX, "the id is a UUID");

	rand_uuid(ret_id);
}

static ch_status keep(struct command_watch *w, const char *source, struct ch_err *err)
{
	struct command_record record = { .session_key = w->ctx->session_key, .command = w->command, .root = w->reach.root,
					 .source = source, .since_ms = w->since_ms };
	char id[COMMAND_ID_MAX];
	ch_status st;

	command_id(id);
	record.id = id;
	st = w->ops->keep(w->ops->arg, &record, err);
	if (!st)
		memcpy(w->id, id, sizeof(id));
	return st;
}

ch_status command_watch_begin(struct tool_ctx *ctx, const struct command_reach *reach, bool is_writable, const char *outside,
			      const char *command, struct command_watch *ret, struct ch_err *err)
{
	struct command_watch w = { .ctx = ctx, .ops = ctx->host->command_ops, .reach = *reach, .command = command,
				   .is_writable = is_writable, .since_ms = changed_now_ms(), .source = outside };
	const char *source;
	ch_status st;

	if (!w.source && w.ops)
		w.ops->may_read(w.ops->arg, reach, ctx->arena, &w.source);
	source = w.source ? w.source : ctx->grant->is_tainted ? FROM_TURN : NULL;
	st = source && is_writable && w.ops ? keep(&w, source, err) : CH_OK;
	if (st)
		return ch_wrap(err, "the command was not run: it cannot be put on record");
	*ret = w;
	return CH_OK;
}

void command_watch_read(struct command_watch *w)
{
	struct ch_err why = { 0 };

	/* Others may have written meanwhile. */
	if (!w->source && w->ops)
		w->ops->may_read(w->ops->arg, &w->reach, w->ctx->arena, &w->source);
	if (!w->source)
		return;
	if (w->ops && w->is_writable && !w->id[0] && keep(w, w->source, &why))
		log_warn("exec", "session=%s: what a command wrote is not marked as text from outside: %s", w->ctx->session_key, why.text);
	w->ctx->is_outside = true;
	if (!w->ctx->source)
		w->ctx->source = w->source;
}

void command_watch_end(struct command_watch *w)
{
	if (w->ops && w->id[0])
		w->ops->settle(w->ops->arg, w->id);
	w->id[0] = '\0';
}
