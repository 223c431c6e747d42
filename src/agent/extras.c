/*
 * agent/extras.c - what a client of an HTTP API brings to a run: history, tools, wishes; and its follower.
 */
#include "agent/extras.h"

#include <string.h>

#include "agent/home.h"
#include "agent/turn.h"
#include "core/clock.h"
#include "core/str.h"

/* -- taken with the input -- */

static ch_status check(const struct run_extras *in, struct ch_err *err)
{
	if (in->tool_count > EXTRAS_TOOLS_MAX)
		return ch_fail(err, CH_E_INVALID, "%zu tools were given; at most %d can be", in->tool_count,
			       EXTRAS_TOOLS_MAX);
	for (size_t i = 0; i < in->tool_count; i++)
		for (size_t k = 0; k < i; k++)
			if (str_eq(in->tools[i].name, in->tools[k].name))
				return ch_fail(err, CH_E_INVALID, "two tools are named '%.80s'", in->tools[i].name);
	return CH_OK;
}

ch_status extras_take(struct run *r, const struct run_extras *in, struct ch_err *err)
{
	struct arena *a = r->arena;
	struct run_extras *x;
	struct model_tool *tools;
	ch_status st;

	if (!in)
		return CH_OK;
	st = check(in, err);
	if (st)
		return st;
	x = arena_alloc(a, sizeof(*x));
	tools = arena_alloc(a, CH_MAX(in->tool_count, 1) * sizeof(*tools));
	for (size_t i = 0; i < in->tool_count; i++)
		tools[i] = (struct model_tool){ arena_strdup(a, in->tools[i].name), arena_strdup(a, in->tools[i].description),
						arena_strdup(a, in->tools[i].schema_json) };
	*x = (struct run_extras){
		.history = in->history ? json_clone(a, in->history) : NULL, .history_new = in->history_new,
		.result = in->result ? json_clone(a, in->result) : NULL,
		.tools = tools, .tool_count = in->tool_count, .tool_choice = arena_strdup(a, in->tool_choice),
		.params = in->params ? json_clone(a, in->params) : NULL, .stop = in->stop ? json_clone(a, in->stop) : NULL,
		.max_tokens = in->max_tokens, .follower = in->follower,
	};
	r->extras = x;
	return CH_OK;
}

const char *extras_role(const struct run *r)
{
	return r->extras && r->extras->result ? "toolResult" : "user";
}

const char *extras_message(const struct run *r)
{
	return r->extras && r->extras->result ? json_to_str(r->arena, r->extras->result) : NULL;
}

/* -- history -- */

static ch_status append_one(struct run *r, const struct json *message, struct ch_err *err)
{
	const char *role = json_get_str(message, "role");
	const struct json *content = json_get(message, "content");
	struct tr_entry e = { .message = json_to_str(r->round, message), .created_at = now_wall_ms() };

	e.message_len = strlen(e.message);
	e.search_text = json_str(content) ? json_str(content) : json_str(json_path(content, "0.text"));
	return turn_append(r, &e, str_eq(role, "user") ? "user" : str_eq(role, "toolResult") ? "toolResult" : "assistant",
			   err);
}

ch_status extras_append_history(struct run *r, struct ch_err *err)
{
	struct tr_stat stat;
	size_t n = r->extras ? json_len(r->extras->history) : 0, skip;
	ch_status st;

	if (!n)
		return CH_OK;
	st = tr_stat(r->sess->store, r->session_id, &stat, err);
	if (st)
		return st;
	skip = stat.last_raw_seq ? n - CH_MIN(n, r->extras->history_new) : 0;
	json_each(message, r->extras->history) {
		if (skip) {
			skip--;
			continue;
		}
		st = append_one(r, message, err);
		if (st)
			return st;
	}
	return CH_OK;
}

/* -- the request -- */

bool extras_has_tool(const struct run *r, const char *name)
{
	for (size_t i = 0; r->extras && i < r->extras->tool_count; i++)
		if (str_eq(r->extras->tools[i].name, name))
			return true;
	return false;
}

void extras_prompt(struct buf *out, const struct run *r)
{
	if (!r->extras || !r->extras->tool_count)
		return;
	buf_puts(out, "The program that sent this message runs further tools for you: ");
	for (size_t i = 0; i < r->extras->tool_count; i++)
		buf_printf(out, "%s%s", i ? ", " : "", r->extras->tools[i].name);
	buf_puts(out, ". Call them like your own; the turn goes on when it has their results.\n");
}

/* The agent's tools that are not hidden by one of the client's, then the client's. */
static void merge_tools(struct run *r, struct model_call *call)
{
	const struct run_extras *x = r->extras;
	struct model_tool *all = arena_alloc(r->round, (call->tool_count + x->tool_count) * sizeof(*all));
	size_t n = 0;

	for (size_t i = 0; i < call->tool_count; i++)
		if (!extras_has_tool(r, call->tools[i].name))
			all[n++] = call->tools[i];
	for (size_t i = 0; i < x->tool_count; i++)
		all[n++] = x->tools[i];
	call->tools = all;
	call->tool_count = n;
}

void extras_apply(struct run *r, struct model_call *call)
{
	const struct run_extras *x = r->extras;

	if (!x)
		return;
	if (x->tool_count)
		merge_tools(r, call);
	if (x->tool_choice)
		call->tool_choice = x->tool_choice;
	if (x->params)
		call->params = call->params ? json_merge(r->round, call->params, x->params) : x->params;
	if (x->stop)
		call->stop = x->stop;
	if (x->max_tokens)
		call->max_tokens = x->max_tokens;
}

/* -- handing out -- */

static void hand_out(struct run *r, const struct run_call *call)
{
	struct arena *a = r->arena;

	vec_push(&r->handed, ((struct run_handed){ arena_strdup(a, call->id), arena_strdup(a, call->name),
						   arena_strdup(a, call->args_text), json_clone(a, call->args) }));
}

/* Malformed ones stay: the agent answers them, and the model tries again. */
bool extras_hand_out(struct run *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->calls.len; i++) {
		struct run_call *call = &r->calls.at[i];

		if (extras_has_tool(r, call->name) && !call->args_error)
			hand_out(r, call);
		else
			r->calls.at[kept++] = *call;
	}
	r->calls.len = kept;
	return r->handed.len > 0;
}

/* -- the follower -- */

static struct run_follower *follower(const struct run *r)
{
	return r->extras ? r->extras->follower : NULL;
}

void follow_text(struct run *r, const char *delta, size_t len)
{
	struct run_follower *f = follower(r);

	if (!f || !f->on_text || !len || r->abort_origin)
		return;
	r->is_followed = true;
	f->on_text(f->arg, delta, len);
}

bool follow_allows_retry(const struct run *r)
{
	const struct run_follower *f = follower(r);

	return !f || !f->on_text || !r->is_followed || r->msg_end == r->msg_start;
}

static enum input_state end_state(const struct run *r)
{
	if (r->abort_origin)
		return INPUT_ABORTED;
	if (r->stop_reason && !str_eq(r->stop_reason, "error"))
		return INPUT_DONE;
	return r->failure.code ? INPUT_FAILED : INPUT_CANCELED;
}

void follow_end(struct run *r)
{
	struct run_follower *f = follower(r);
	enum input_state state = end_state(r);
	struct run_end end = {
		.state = state, .stop = r->stop_reason,
		.error = state == INPUT_ABORTED ? r->abort_error : state == INPUT_FAILED ? r->failure.text : NULL,
		.error_class = r->failure_class, .code = r->failure.code, .text = buf_str(&r->reply), .text_len = r->reply.len,
		.usage = r->spent.sum, .handed = r->handed.at, .handed_count = r->handed.len,
	};

	if (!f)
		return;
	r->extras->follower = NULL;
	f->on_end(f->arg, &end);
}

void agent_unfollow(struct agent_host *h, const char *run_id)
{
	struct run *r = map_find(h->runs, run_id);

	if (r && r->extras)
		r->extras->follower = NULL;
}
