/*
 * models/sink.c - telling events; the tool calls of a reply and the rest that is remembered of it while it streams in.
 */
#include <string.h>

#include "core/str.h"
#include "models/dialect.h"

ch_status sink_event(const struct sink *to, const struct model_event *ev)
{
	return to->fn(to->arg, ev) ? CH_OK : CH_E_CANCELED;
}

ch_status sink_text(const struct sink *to, enum model_event_kind kind, const char *text, size_t len)
{
	if (len == 0)
		return CH_OK;
	return sink_event(to, &(struct model_event){ .kind = kind, .text = text, .len = len });
}

void field_set(char *field, size_t cap, const char *text)
{
	size_t n = text ? utf8_cut(text, strlen(text), cap - 1) : 0;

	if (n)
		memcpy(field, text, n);
	field[n] = '\0';
}

ch_status sink_start(const struct sink *to, const char *id, const char *model, struct model_result *ret)
{
	FIELD_SET(ret->response_id, id);
	FIELD_SET(ret->response_model, model);
	return sink_event(to, &(struct model_event){
				      .kind = MODEL_EV_START,
				      .text = id,
				      .len = id ? strlen(id) : 0,
				      .name = model,
			      });
}

ch_status sink_usage(const struct sink *to, const struct model_usage *usage, struct model_result *ret)
{
	ret->usage = *usage;
	return sink_event(to, &(struct model_event){ .kind = MODEL_EV_USAGE, .usage = *usage });
}

void tool_calls_done(struct tool_calls *t)
{
	for (size_t i = 0; i < t->list.len; i++) {
		ch_free(t->list.at[i].id);
		ch_free(t->list.at[i].name);
		buf_done(&t->list.at[i].args);
	}
	vec_done(&t->list);
}

struct tool_call *tool_calls_find(struct tool_calls *t, int64_t index)
{
	for (size_t i = 0; i < t->list.len; i++) {
		if (t->list.at[i].index == index)
			return &t->list.at[i];
	}
	return NULL;
}

ch_status tool_calls_begin(struct tool_calls *t, const struct sink *to, int64_t index, const char *id,
			   const char *name, struct tool_call **ret, struct ch_err *err)
{
	struct tool_call *c;

	if (t->list.len == TOOL_CALLS_MAX)
		return ch_fail(err, CH_E_LIMIT, "the model asked for more than %d tool calls at once", TOOL_CALLS_MAX);
	vec_push(&t->list, ((struct tool_call){ .index = index, .id = ch_strdup(id), .name = ch_strdup(name) }));
	c = &t->list.at[t->list.len - 1];
	buf_init(&c->args, TOOL_ARGS_MAX);
	*ret = c;
	return sink_event(to, &(struct model_event){ .kind = MODEL_EV_TOOL_START, .id = c->id, .name = c->name });
}

ch_status tool_call_args(struct tool_call *c, const struct sink *to, const char *text, size_t len, struct ch_err *err)
{
	if (len == 0 || c->is_ended)
		return CH_OK;
	buf_append(&c->args, text, len);
	if (c->args.failed)
		return buf_status(&c->args, err, "the arguments of a tool call");
	return sink_event(to, &(struct model_event){
				      .kind = MODEL_EV_TOOL_ARGS,
				      .id = c->id,
				      .name = c->name,
				      .text = text,
				      .len = len,
			      });
}

ch_status tool_call_end(struct tool_call *c, const struct sink *to)
{
	if (c->is_ended)
		return CH_OK;
	c->is_ended = true;
	return sink_event(to, &(struct model_event){
				      .kind = MODEL_EV_TOOL_END,
				      .id = c->id,
				      .name = c->name,
				      .text = c->args.len ? c->args.data : "{}",
				      .len = c->args.len ? c->args.len : 2,
			      });
}

ch_status tool_calls_end_all(struct tool_calls *t, const struct sink *to)
{
	ch_status st = CH_OK;

	for (size_t i = 0; i < t->list.len && !st; i++)
		st = tool_call_end(&t->list.at[i], to);
	return st;
}

/* -- a reply while it is read -- */

struct dialect_parser *dialect_parser_new(void)
{
	struct dialect_parser *p = ch_alloc(sizeof(*p));

	p->arena = arena_new(0);
	p->index = -1;
	buf_init(&p->signature, TOOL_ARGS_MAX);
	return p;
}

void dialect_parser_free(struct dialect_parser *p)
{
	if (!p)
		return;
	arena_unref(p->arena);
	tool_calls_done(&p->calls);
	buf_done(&p->signature);
	ch_free(p);
}
