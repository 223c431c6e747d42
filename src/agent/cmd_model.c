/*
 * agent/cmd_model.c - /model and /models: what answers in this session, and what else could.
 */
#include "agent/command.h"

#include <string.h>

#include "core/str.h"

#define LIST_MAX_BYTES (64u << 10)

ch_status command_model(struct run *r, struct model_entry *ret, const char **ret_source, struct ch_err *err)
{
	const char *wanted = agent_wanted_model(r->sess, r->arena);

	return r->host->model_ops.resolve(r->host->model_ops.arg, wanted, r->agent_id, r->arena, ret, ret_source, err);
}

ch_status command_pin_model(struct run *r, const char *wanted, struct buf *out, struct ch_err *err)
{
	struct sess *s = r->sess;
	struct model_entry m;
	const char *source;
	ch_status st;

	st = r->host->model_ops.resolve(r->host->model_ops.arg, wanted, r->agent_id, r->arena, &m, &source, err);
	if (st)
		return st;
	agent_pin_model(s, &m);
	st = sess_save(s, err);
	if (!st)
		buf_printf(out, "Model of this session: `%s`.", m.ref);
	return st;
}

static ch_status unpin(struct run *r, struct buf *out, struct ch_err *err)
{
	struct sess *s = r->sess;
	ch_status st;

	agent_pin_model(s, NULL);
	st = sess_save(s, err);
	if (!st)
		buf_puts(out, "This session uses the default model again.");
	return st;
}

static ch_status show(struct run *r, struct buf *out, struct ch_err *err)
{
	const char *source;
	struct model_entry m;
	ch_status st;

	st = command_model(r, &m, &source, err);
	if (!st)
		buf_printf(out, "Model: `%s` (from: %s). `/model <ref>` chooses another, `/model list` shows what there is.",
			   m.ref, source);
	return st;
}

/* -- the list -- */

struct listing { struct buf *out; const char *provider; size_t count; };

static bool list_one(void *arg, const struct model_entry *e)
{
	struct listing *l = arg;

	if (l->provider && !str_ieq(l->provider, e->provider))
		return true;
	l->count++;
	buf_printf(l->out, "- `%s`\n", e->ref);
	return l->out->len < LIST_MAX_BYTES;
}

static void list(struct run *r, const char *provider, struct buf *out)
{
	struct listing l = { out, provider, 0 };

	if (provider)
		buf_printf(out, "Models of %s:\n\n", provider);
	else
		buf_puts(out, "Models:\n\n");
	if (r->host->opts.models)
		models_each(r->host->opts.models, list_one, &l);
	if (!l.count)
		buf_puts(out, "None. `chela models auth` on the gateway's machine connects a provider.");
}

/* The scope behind the reference: this session is what a bare /model changes too. */
static ch_status take_scope(struct run *r, const char *args, const char **ret_ref, struct ch_err *err)
{
	const char *ref = command_word(r->arena, &args), *word;

	while ((word = command_word(r->arena, &args))) {
		if (str_eq(word, "-s") || str_eq(word, "--session"))
			continue;
		if (str_in(word, (const char *const[]){ "-a", "--agent", "-g", "--global" }, 4))
			return ch_fail(err, CH_E_UNSUPPORTED, "/model changes this session only; `chela models set %.80s` on the "
				       "gateway's machine changes the default", ref);
		return ch_fail(err, CH_E_INVALID, "/model takes one model, not '%.60s' too", word);
	}
	*ret_ref = ref;
	return CH_OK;
}

static ch_status do_model(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	const char *ref;
	ch_status st;

	if (!*args || str_ieq(args, "status"))
		return show(r, out, err);
	if (str_ieq(args, "list")) {
		list(r, NULL, out);
		return CH_OK;
	}
	st = take_scope(r, args, &ref, err);
	if (st)
		return st;
	return str_ieq(ref, "default") ? unpin(r, out, err) : command_pin_model(r, ref, out, err);
}

/* One model, with flags behind it; more words are a message. */
static bool is_choice(const char *args)
{
	const char *more = args + strcspn(args, " \t");

	more += strspn(more, " \t");
	return !*more || *more == '-';
}

const struct slash_command cmd_model = {
	.name = "model",
	.description = "Show or choose this session's model.",
	.args_hint = "[ref | list | status | default]",
	.category = "options",
	.args = (const struct slash_arg[]){ { "model", "A model as provider/model, an alias, list, status or default" }, { 0 } },
	.flags = SLASH_DIRECTIVE,
	.takes = is_choice,
	.run = do_model,
};

static ch_status do_models(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	list(r, command_word(r->arena, &args), out);
	return CH_OK;
}

const struct slash_command cmd_models = {
	.name = "models",
	.description = "List the models that can be chosen.",
	.args_hint = "[provider]",
	.category = "options",
	.args = (const struct slash_arg[]){ { "provider", "Only this provider's" }, { 0 } },
	.run = do_models,
};
