/*
 * agent/cmd_options.c - settings of the session: /think, /fast, /verbose, /reasoning, /queue.
 *
 * Alone they are kept, within a message they hold for its turn (directive.c). "default" takes a
 * choice back.
 */
#include "agent/command.h"

#include <inttypes.h>
#include <string.h>

#include "agent/queue.h"
#include "core/str.h"

/* -- values -- */

struct word { const char *word, *value; };

static const struct word defaults[] = {
	{ "default", "" }, { "inherit", "" }, { "inherited", "" }, { "clear", "" }, { "reset", "" }, { "unpin", "" }, { 0 },
};
static const struct word levels[] = {
	{ "x-high", "xhigh" }, { "x_high", "xhigh" }, { "extra-high", "xhigh" }, { "extra_high", "xhigh" }, { "highest", "high" },
	{ "none", "off" }, { 0 },
};
static const struct word fast[] = {
	{ "on", "on" }, { "off", "off" }, { "auto", "auto" }, { 0 },
};
static const struct word verbose[] = {
	{ "on", "on" }, { "off", "off" }, { "full", "full" }, { 0 },
};
static const struct word reasoning[] = {
	{ "on", "on" }, { "off", "off" }, { "stream", "stream" }, { 0 },
};
static const struct word queue[] = {
	{ "steer", "steer" }, { "followup", "followup" }, { "collect", "collect" }, { "interrupt", "interrupt" }, { 0 },
};

static const char *look_up(const struct word *words, const char *word)
{
	for (const struct word *w = words; w->word; w++)
		if (str_ieq(w->word, word))
			return w->value;
	return NULL;
}

static const char *thinking_value(const char *word)
{
	enum thinking_level level;

	if (thinking_parse(word, &level))
		return thinking_name(level);
	return look_up(levels, word);
}

const char *option_value(const struct slash_command *option, const char *word)
{
	const char *value = look_up(defaults, word);

	if (value)
		return value;
	if (option == &cmd_think)
		return thinking_value(word);
	if (option == &cmd_fast)
		return look_up(fast, word);
	if (option == &cmd_verbose)
		return look_up(verbose, word);
	if (option == &cmd_reasoning)
		return look_up(reasoning, word);
	return option == &cmd_queue ? look_up(queue, word) : NULL;
}

static bool is_one_word(const char *args)
{
	return !args[strcspn(args, " \t")];
}

/* -- keeping them -- */

static ch_status keep(struct run *r, const char **field, const char *value, struct ch_err *err)
{
	sess_set_str(r->sess, field, *value ? value : NULL);
	return sess_save(r->sess, err);
}

static const char *list_of(struct arena *a, const char *const *options)
{
	const char *list = "";

	for (size_t i = 0; options[i]; i++)
		list = arena_printf(a, "%s%s%s", list, i ? ", " : "", options[i]);
	return list;
}

ch_status option_check_thinking(const struct model_entry *m, const char *level, struct ch_err *err)
{
	const char *const *options = thinking_options(m->reasoning);
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; options[i]; i++)
		if (str_eq(options[i], level))
			return CH_OK;
	return ch_fail(err, CH_E_INVALID, "`%s` does not think at level '%s'. Its levels: %s.", m->ref, level,
		       list_of(a, options));
}

static ch_status do_think(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	const char *level = option_value(&cmd_think, args), *source;
	struct model_entry m;
	ch_status st = command_model(r, &m, &source, err);

	if (st)
		return st;
	if (!*args) {
		buf_printf(out, "Thinking: %s. `%s` has: %s.",
			   r->sess->thinking_level ? r->sess->thinking_level : m.reasoning ? "as the agent's default" : "off", m.ref,
			   list_of(r->arena, thinking_options(m.reasoning)));
		return CH_OK;
	}
	if (!level)
		return ch_fail(err, CH_E_INVALID, "'%.40s' is no thinking level. `%s` has: %s.", args, m.ref,
			       list_of(r->arena, thinking_options(m.reasoning)));
	st = *level ? option_check_thinking(&m, level, err) : CH_OK;
	if (!st)
		st = keep(r, &r->sess->thinking_level, level, err);
	if (!st)
		buf_printf(out, "⚙️ Thinking of this session: %s.", *level ? level : "the default again");
	return st;
}

const struct slash_command cmd_think = {
	.name = "think",
	.aliases = (const char *const[]){ "thinking", "t", NULL },
	.description = "Show or set how much the model thinks before it answers.",
	.args_hint = "[level | default]",
	.category = "options",
	.args = (const struct slash_arg[]){ { "level", "How much", .is_dynamic = true }, { 0 } },
	.flags = SLASH_DIRECTIVE,
	.takes = is_one_word,
	.run = do_think,
};

/* The settings that are a word in a column of the session's row. */
struct plain { const struct slash_command *command; const char *label, *choices; };

static ch_status keep_plain(struct run *r, const struct plain *p, const char **field, const char *now, const char *args,
			    struct buf *out, struct ch_err *err)
{
	const char *value = option_value(p->command, args);
	ch_status st;

	if (!*args || (p->command == &cmd_fast && str_ieq(args, "status"))) {
		buf_printf(out, "%s: %s. Choices: %s, default.", p->label, now, p->choices);
		return CH_OK;
	}
	if (!value)
		return ch_fail(err, CH_E_INVALID, "'%.40s' is not one of %s, default", args, p->choices);
	st = keep(r, field, value, err);
	if (!st)
		buf_printf(out, "⚙️ %s of this session: %s.", p->label, *value ? value : "the default again");
	return st;
}

static ch_status do_fast(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	static const struct plain p = { &cmd_fast, "Fast mode", "on, off, auto" };
	struct agent_settings now;

	agent_settings_of(host_config(r->host), r->sess, &now);
	return keep_plain(r, &p, &r->sess->fast_mode, now.fast, args, out, err);
}

const struct slash_command cmd_fast = {
	.name = "fast",
	.description = "Use the provider's faster tier; auto: for what begins in a turn's first minute.",
	.args_hint = "[on | off | auto | default]",
	.category = "options",
	.args = (const struct slash_arg[]){
		{ "mode", "on, off or auto", (const char *const[]){ "status", "auto", "on", "off", "default", NULL } }, { 0 } },
	.flags = SLASH_DIRECTIVE,
	.takes = is_one_word,
	.run = do_fast,
};

static ch_status do_verbose(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	static const struct plain p = { &cmd_verbose, "Verbose", "on, full, off" };
	struct agent_settings now;

	agent_settings_of(host_config(r->host), r->sess, &now);
	return keep_plain(r, &p, &r->sess->verbose_level, now.verbose, args, out, err);
}

const struct slash_command cmd_verbose = {
	.name = "verbose",
	.aliases = (const char *const[]){ "v", NULL },
	.description = "Say each tool call in the conversation; full: with what came out.",
	.args_hint = "[on | full | off | default]",
	.category = "options",
	.args = (const struct slash_arg[]){
		{ "mode", "on, full or off", (const char *const[]){ "on", "full", "off", "default", NULL } }, { 0 } },
	.flags = SLASH_DIRECTIVE,
	.takes = is_one_word,
	.run = do_verbose,
};

static ch_status do_reasoning(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	static const struct plain p = { &cmd_reasoning, "Shown reasoning", "on, stream, off" };
	struct agent_settings now;

	agent_settings_of(host_config(r->host), r->sess, &now);
	return keep_plain(r, &p, &r->sess->reasoning_level, now.reasoning, args, out, err);
}

const struct slash_command cmd_reasoning = {
	.name = "reasoning",
	.aliases = (const char *const[]){ "reason", NULL },
	.description = "Show what the model thinks; stream: while it does.",
	.args_hint = "[on | stream | off | default]",
	.category = "options",
	.args = (const struct slash_arg[]){
		{ "mode", "on, stream or off", (const char *const[]){ "on", "off", "stream", "default", NULL } }, { 0 } },
	.flags = SLASH_DIRECTIVE,
	.takes = is_one_word,
	.run = do_reasoning,
};

/* -- /queue -- */

static void show_queue(struct run *r, struct buf *out)
{
	struct queue_settings q;

	queue_settings_of(host_config(r->host), r->sess, r->channel, &q);
	buf_printf(out, "Queue: %s, debounce %" PRId64 " ms, cap %" PRId64 ", drop %s. "
		   "`/queue steer|followup|collect|interrupt debounce:1s cap:20 drop:summarize|old|new` sets it, `/queue default` "
		   "takes it back.", queue_mode_name(q.mode), q.debounce_ms, q.cap, queue_drop_name(q.drop));
}

static ch_status do_queue(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	struct queue_choice choice;
	ch_status st;

	if (!*args) {
		show_queue(r, out);
		return CH_OK;
	}
	st = queue_parse(r->arena, args, &choice, err);
	if (st)
		return st;
	queue_choose(r->arena, r->sess, &choice);
	st = sess_save(r->sess, err);
	if (st)
		return st;
	buf_puts(out, "⚙️ ");
	show_queue(r, out);
	return CH_OK;
}

/* "/queue up the next song" is for the model. */
static bool is_queue(const char *args)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct queue_choice choice;

	return is_one_word(args) || strpbrk(args, ":=") || !queue_parse(a, args, &choice, NULL);
}

const struct slash_command cmd_queue = {
	.name = "queue",
	.description = "Show or set what happens to messages that come while a turn runs.",
	.args_hint = "[mode] [debounce:] [cap:] [drop:]",
	.category = "options",
	.args = (const struct slash_arg[]){
		{ "mode", "What happens to them",
		  (const char *const[]){ "steer", "interrupt", "followup", "collect", "default", NULL } },
		{ "debounce", "Quiet time before they get their turn: 500ms, 2s" },
		{ "cap", "How many may wait" },
		{ "drop", "What happens to one more", (const char *const[]){ "old", "new", "summarize", NULL } },
		{ 0 } },
	.flags = SLASH_DIRECTIVE,
	.takes = is_queue,
	.run = do_queue,
};
