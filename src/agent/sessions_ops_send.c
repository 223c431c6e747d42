/*
 * agent/sessions_ops_send.c - sessions_send and the subagents tool: acting on other sessions.
 *
 * A message makes a turn of the session it goes to, with that session's tools and no more rights than the sender's turn has:
 * who is not the owner there is not the owner here, and what is tainted there taints here. Nothing is sent back by itself, so
 * two agents cannot talk for ever: the answer comes within the wait, or is read later.
 */
#include <inttypes.h>
#include <string.h>

#include "agent/sessions_ops.h"
#include "agent/subagent.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/rand.h"
#include "core/str.h"

#define WAIT_DEFAULT_S 30
#define WAIT_MAX_S 600
#define MESSAGE_MAX (64u << 10)
#define LOG_MESSAGES 20

/* -- sessions_send -- */

struct seek { const struct ops_access *x; const char *label; struct arena *a; const char *found; bool is_ambiguous; };

static bool on_labelled(void *arg, const struct sess *s)
{
	struct seek *k = arg;

	if (!str_eq(s->label, k->label) || !ops_may_see(k->x, s))
		return true;
	k->is_ambiguous = k->found != NULL;
	k->found = arena_strdup(k->a, s->key);
	return !k->is_ambiguous;
}

static ch_status by_label(const struct ops_access *x, const char *label, const char *agent_id, struct arena *a, const char **ret,
			  struct ch_err *err)
{
	struct seek k = { x, label, a };
	struct sess_query q = { .include_background = true, .label = label, .agent_id = agent_id, .limit = 1000 };
	size_t total;
	ch_status st = sess_list(x->h->opts.sessions, &q, &total, on_labelled, &k, err);

	if (st)
		return st;
	if (!k.found || k.is_ambiguous)
		return ch_fail(err, CH_E_NOT_FOUND, "%s session with the label '%.80s'; sessions_list has the keys",
			       k.found ? "there is more than one" : "there is no", label);
	*ret = k.found;
	return CH_OK;
}

static ch_status find_target(const struct ops_access *x, struct tool_ctx *ctx, const struct json *args, struct sess **ret,
			     struct ch_err *err)
{
	const char *key = json_get_str(args, "sessionKey"), *label = json_get_str(args, "label");
	const char *agent_id = json_get_str(args, "agentId");
	ch_status st = CH_OK;

	if (!key && label)
		st = by_label(x, label, agent_id, ctx->arena, &key, err);
	else if (!key && agent_id)
		key = arena_printf(ctx->arena, "agent:%s:main", agent_id);
	if (st)
		return st;
	if (str_empty(key))
		return ch_fail(err, CH_E_INVALID, "say to which session: sessionKey, label or agentId");
	return ops_find(x, key, ctx->arena, ret, err);
}

static ch_status check_target(struct tool_ctx *ctx, const struct sess *s, struct ch_err *err)
{
	if (str_eq(s->key, ctx->session_key))
		return ch_fail(err, CH_E_INVALID, "that is this session; say it here");
	if (s->archived_at)
		return ch_fail(err, CH_E_INVALID, "session '%.200s' is archived", s->key);
	if (strstr(s->key, ":thread:"))
		return ch_fail(err, CH_E_INVALID, "'%.200s' is a thread of people; use its channel's session", s->key);
	return CH_OK;
}

/* What the sender has seen of the outside, its receiver has seen then. */
static ch_status submit(struct agent_host *h, struct tool_ctx *ctx, const struct sess *to, const char *message,
			const char **ret_run, struct submit_result *res, struct ch_err *err)
{
	struct arena *a = ctx->arena;
	struct run_origin origin = { .kind = "inter_session", .tool = "sessions_send", .session_key = ctx->session_key,
				     .is_tainted = ctx->grant->is_tainted,
				     .taint_source = ctx->grant->is_tainted ? arena_printf(a, "session %s", ctx->session_key) : NULL };
	struct run_input in = { .session_key = to->key, .is_plain = true, .origin = &origin, .queue_mode = "steer",
				.sender_is_owner = ctx->grant->is_owner };
	char run_id[UUID_LEN];

	rand_uuid(run_id);
	in.run_id = *ret_run = arena_strdup(a, run_id);
	in.text = arena_printf(a, "[Message of session %s, not of your user. Do what of it fits what you are here for.]\n\n%s",
			       ctx->session_key, message);
	return agent_submit(h, &in, a, res, err);
}

static void put_reply(struct tool_ctx *ctx, struct agent_host *h, const char *key, const struct input_row *row, struct jw *w)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct json *outcome = NULL;
	const char *text = NULL;

	if (row->outcome && !json_parse(ctx->arena, row->outcome, strlen(row->outcome), JSON_STRICT, &outcome, NULL))
		text = json_str(json_path(outcome, "terminalReply.text"));
	if (row->state == INPUT_ABSORBED) {
		jw_kstr(w, "status", "accepted");
		jw_kstr(w, "targetDisposition", "steered");
		return;
	}
	jw_kstr(w, "status", row->state != INPUT_DONE ? "error" : str_empty(text) ? "no_reply" : "ok");
	jw_kstr_opt(w, "error", row->error);
	jw_kstr_opt(w, "reply", row->state == INPUT_DONE ? text : NULL);
	if (!sess_find(h->opts.sessions, key, &s, NULL) && s->tainted_at) {
		ctx->is_outside = true;
		ctx->source = arena_printf(ctx->arena, "session %s", key);
	}
}

static CH_FIBER ch_status put_outcome(struct agent_host *h, struct tool_ctx *ctx, const struct json *args, const char *key,
				      const char *run_id, const struct submit_result *res, struct jw *w, struct ch_err *err)
{
	int64_t wait_s = json_get_int(args, "timeoutSeconds", WAIT_DEFAULT_S);
	struct input_row row;
	ch_status st;

	jw_kstr(w, "runId", run_id);
	jw_kstr(w, "sessionKey", key);
	if (wait_s <= 0) {
		jw_kstr(w, "status", "accepted");
		jw_kstr(w, "targetDisposition", res->status == SUBMIT_QUEUED ? "steered" : "queued");
		return CH_OK;
	}
	st = agent_wait(h, run_id, fiber_deadline(1000 * CH_MIN(wait_s, WAIT_MAX_S)), ctx->arena, &row, err);
	if (st == CH_E_TIMEOUT) {
		jw_kstr(w, "status", "timeout");
		jw_kstr(w, "error", "it works on; read its answer later with sessions_history");
		return CH_OK;
	}
	if (!st)
		put_reply(ctx, h, key, &row, w);
	return st;
}

ch_status ops_send(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *to = NULL;
	const char *message = json_get_str(args, "message"), *run_id;
	struct submit_result res;
	struct jw w = JW(ret);
	struct ops_access x;
	ch_status st;

	if (str_empty(message) || strlen(message) > MESSAGE_MAX)
		return ch_fail(err, CH_E_INVALID, "the message must have 1 to %u bytes", MESSAGE_MAX);
	ops_access_of(arg, ctx, &x);
	st = find_target(&x, ctx, args, &to, err);
	if (!st)
		st = check_target(ctx, to, err);
	if (!st)
		st = submit(x.h, ctx, to, message, &run_id, &res, err);
	if (st)
		return st;
	jw_obj(&w);
	st = put_outcome(x.h, ctx, args, to->key, run_id, &res, &w, err);
	jw_end(&w);
	return st ? st : buf_status(ret, err, "the answer");
}

/* -- subagents -- */

static void put_subagent(struct jw *w, const struct subagent *s, size_t number, bool with_task)
{
	jw_obj(w);
	if (number)
		jw_kint(w, "number", (int64_t)number);
	jw_kstr(w, "taskId", s->run_id);
	jw_kstr(w, "sessionKey", s->child_key);
	jw_kstr_opt(w, "label", s->label);
	jw_kstr(w, "status", s->status);
	jw_kint(w, "startedAt", s->created_at);
	jw_kint(w, "runtimeMs", (s->ended_at ? s->ended_at : now_wall_ms()) - s->created_at);
	jw_kstr(w, "deliveryStatus", !s->announces ? "not_applicable" : s->announced_at ? "delivered" : "pending");
	if (with_task) {
		jw_kstr(w, "agentId", s->agent_id);
		jw_kint(w, "depth", s->depth);
		jw_kstr(w, "cleanup", s->cleanup);
		jw_kstr(w, "task", s->task);
	}
	jw_end(w);
}

static ch_status list(struct agent_host *h, struct tool_ctx *ctx, struct jw *w, struct ch_err *err)
{
	const struct subagent *subagents;
	size_t n;
	ch_status st = subagents_list(h, ctx->session_key, ctx->arena, &subagents, &n, err);

	if (st)
		return st;
	jw_karr(w, "subagents");
	for (size_t i = 0; i < n; i++)
		put_subagent(w, &subagents[i], i + 1, false);
	jw_end(w);
	return CH_OK;
}

static ch_status put_log(struct agent_host *h, struct tool_ctx *ctx, const struct subagent *s, const struct json *args,
			 struct jw *w, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *child = NULL;
	struct ops_page page = { .limit = (size_t)CH_MAX(json_get_int(args, "limit", LOG_MESSAGES), 1),
				 .with_tools = json_get_bool(args, "includeTools", false) };
	struct ops_page_told told;
	ch_status st = sess_find(h->opts.sessions, s->child_key, &child, err);

	if (st)
		return st;
	if (child->tainted_at) {
		ctx->is_outside = true;
		ctx->source = arena_printf(ctx->arena, "session %s", s->child_key);
	}
	jw_kstr(w, "sessionKey", s->child_key);
	jw_key(w, "messages");
	return ops_put_messages(h, child, &page, w, &told, err);
}

static ch_status stop(struct agent_host *h, struct tool_ctx *ctx, const char *target, const struct subagent *s, struct jw *w,
		      struct ch_err *err)
{
	ch_status st = CH_OK;

	if (str_eq(target, "all")) {
		jw_kint(w, "stopped", (int64_t)subagents_stop_of(h, ctx->session_key, NULL, "subagents"));
		return CH_OK;
	}
	st = subagent_stop(h, s, "subagents", err);
	if (!st)
		jw_kint(w, "stopped", 1);
	return st;
}

static CH_FIBER ch_status act(struct agent_host *h, struct tool_ctx *ctx, const char *action, const struct json *args, struct jw *w,
			      struct ch_err *err)
{
	const char *target = json_get_str(args, "target"), *run_id, *message = json_get_str(args, "message");
	CH_AUTO(sess_unref) struct sess *child = NULL;
	struct submit_result res;
	struct subagent s = { 0 };
	ch_status st = CH_OK;

	if (!target)
		target = json_get_str(args, "taskId");
	if (!str_eq(action, "stop") || !str_eq(target, "all"))
		st = subagent_find(h, ctx->session_key, target, ctx->arena, &s, err);
	if (st)
		return st;
	if (str_eq(action, "stop"))
		return stop(h, ctx, target, &s, w, err);
	if (str_eq(action, "log"))
		return put_log(h, ctx, &s, args, w, err);
	if (str_eq(action, "info")) {
		jw_key(w, "subagent");
		put_subagent(w, &s, 0, true);
		return CH_OK;
	}
	if (str_empty(message) || strlen(message) > MESSAGE_MAX)
		return ch_fail(err, CH_E_INVALID, "the message must have 1 to %u bytes", MESSAGE_MAX);
	st = sess_find(h->opts.sessions, s.child_key, &child, err);
	if (!st)
		st = submit(h, ctx, child, message, &run_id, &res, err);
	return st ? st : put_outcome(h, ctx, args, s.child_key, run_id, &res, w, err);
}

ch_status ops_subagents(void *arg, struct tool_ctx *ctx, const struct json *args, struct buf *ret, struct ch_err *err)
{
	const char *action = json_str_or(json_get(args, "action"), "list");
	struct jw w = JW(ret);
	ch_status st;

	if (str_eq(action, "cancel"))
		action = "stop";
	jw_obj(&w);
	jw_kstr(&w, "action", action);
	st = str_eq(action, "list") ? list(arg, ctx, &w, err) : act(arg, ctx, action, args, &w, err);
	jw_end(&w);
	return st ? st : buf_status(ret, err, "the answer");
}

/* -- what the tools are given -- */

static ch_status spawn(void *arg, struct tool_ctx *ctx, const struct tool_spawn *s, struct buf *ret, struct ch_err *err)
{
	return subagent_spawn(arg, ctx, s, ret, err);
}

void sessions_ops_init(struct agent_host *h)
{
	h->sessions_ops = (struct tool_sessions_ops){ .arg = h, .list = ops_list, .history = ops_history, .search = ops_search,
						      .send = ops_send, .spawn = spawn, .subagents = ops_subagents, .status = ops_status,
						      .agents = ops_agents };
	h->tool_host.sessions_ops = &h->sessions_ops;
}
