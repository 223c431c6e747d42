/*
 * agent/turn_route.c - which model answers a turn: the candidates of the route, one after the other.
 *
 * A candidate whose credentials are all resting is passed over without a request. One that fails for a reason that
 * another model may not have makes room for the next; a request that nobody could answer (its format, its length, a
 * refusal, a budget) does not. The choice holds for the rest of this turn and no longer. What tools did is in the
 * transcript by then, so the next candidate goes on from there and repeats nothing.
 */
#include "agent/turn.h"

#include "agent/run_events.h"
#include "core/clock.h"
#include "core/log.h"
#include "core/str.h"

#define DETAIL_MAX 200                   /* characters of a failure in frames and in the final text */

const struct model_entry *turn_chosen(const struct run *r)
{
	return r->route.chain.len ? &r->route.chain.at[0] : &r->entry;
}

/* -- giving up on a candidate -- */

static void note(struct run *r, const struct model_entry *e, const char *reason, const char *detail)
{
	struct run_route *x = &r->route;

	CH_BUG_ON(x->failed_len == x->chain.len);
	x->failed[x->failed_len++] = (struct run_failed){
		.ref = e->ref,
		.reason = reason,
		.detail = arena_strndup(r->arena, detail, utf8_cut(detail, strlen(detail), DETAIL_MAX)),
	};
}

static void note_resting(struct run *r, const struct model_entry *e, const struct model_state *state)
{
	int64_t s = (state->until - now_wall_ms() + 999) / 1000;
	const char *reason = str_empty(state->reason) ? "unknown" : arena_strdup(r->arena, state->reason);
	char at[9];

	clock_hms(state->until, at);
	note(r, e, reason,
	     arena_printf(r->arena, "%s: its credentials failed lately (%s) and rest until %s (%lld s); `chela models status` "
			  "shows which", e->ref, reason, at, (long long)s));
	log_info("agent", "session=%s run=%s: %s is passed over, it rests for %lld s", r->session_key, r->event_id, e->ref,
		 (long long)s);
}

/* The first that may be asked, beginning with number `from`. Those before it are noted. */
static bool find_usable(struct run *r, size_t from)
{
	const struct agent_model_ops *ops = &r->host->model_ops;
	const struct model_route *chain = &r->route.chain;

	r->route.is_asked = false;
	for (size_t i = from; i < chain->len; i++) {
		struct model_state state = { .standing = MODEL_READY };

		r->route.at = i;
		r->entry = chain->at[i];
		if (ops->state)
			ops->state(ops->arg, r->agent_id, &r->entry, &state);
		/* Without any credential asking costs nothing, and the answer says what to set. */
		if (state.standing != MODEL_RESTS)
			return true;
		note_resting(r, &r->entry, &state);
	}
	return false;
}

/* Nobody is left: what each of them said. */
static ch_status exhausted(struct run *r, ch_status st, struct ch_err *err)
{
	CH_AUTO_BUF struct buf out = { 0 };
	const struct run_route *x = &r->route;

	buf_init(&out, 4096);
	if (x->failed_len == 1)
		return ch_fail(err, st, "%s", x->failed[0].detail);
	buf_printf(&out, "All %zu models failed: ", x->failed_len);
	for (size_t i = 0; i < x->failed_len; i++)
		buf_printf(&out, "%s%s (%s)", i ? ", " : "", x->failed[i].ref, x->failed[i].reason);
	buf_printf(&out, ". The last one: %s", x->failed[x->failed_len - 1].detail);
	return ch_fail(err, st, "%s", buf_str(&out));
}

/* -- the route -- */

static ch_status find_chain(struct run *r, struct ch_err *err)
{
	const struct agent_model_ops *ops = &r->host->model_ops;
	struct model_route *chain = &r->route.chain;
	struct model_route_want want = {
		.wanted = r->model ? r->model : agent_wanted_model(r->sess, r->arena),
		.agent_id = r->agent_id,
		.reason = MODEL_FOR_TURN,
		/* Our own JSON: a quote inside of text would be escaped. */
		.has_images = strstr(r->message, "\"type\":\"image\"") != NULL,
	};
	struct model_entry *only;
	ch_status st;

	if (ops->route)
		return ops->route(ops->arg, &want, r->arena, chain, err);
	only = arena_alloc(r->arena, sizeof(*only));
	st = ops->resolve(ops->arg, want.wanted, want.agent_id, r->arena, only, &chain->source, err);
	if (!st) {
		chain->at = only;
		chain->len = 1;
	}
	return st;
}

ch_status turn_route_open(struct run *r, struct ch_err *err)
{
	ch_status st = find_chain(r, err);

	if (st) {
		r->route.chain.len = 0;
		return st;
	}
	r->route.failed = arena_alloc(r->arena, r->route.chain.len * sizeof(*r->route.failed));
	if (find_usable(r, 0))
		return CH_OK;
	r->failure_class = MODEL_ERR_RATE_LIMIT;
	return exhausted(r, CH_E_BUSY, err);
}

/* Might another model do better? */
static bool may_move(const struct run *r, ch_status st)
{
	switch (r->failure_class) {
	case MODEL_ERR_RATE_LIMIT:
	case MODEL_ERR_OVERLOADED:
	case MODEL_ERR_TIMEOUT:
	case MODEL_ERR_SERVER:
	case MODEL_ERR_NETWORK:
	case MODEL_ERR_CUT:
	case MODEL_ERR_AUTH:
	case MODEL_ERR_BILLING:
	case MODEL_ERR_NOT_FOUND: return true;
	case MODEL_ERR_NONE: return st == CH_E_UNSUPPORTED || st == CH_E_DENIED || st == CH_E_NOT_FOUND;
	case MODEL_ERR_FORMAT:
	case MODEL_ERR_CONTEXT:
	case MODEL_ERR_REFUSAL: break;
	}
	return false;
}

/* The session shows who is at it. */
static ch_status show_active(struct run *r, struct ch_err *err)
{
	sess_set_str(r->sess, &r->sess->active_provider, r->entry.provider);
	sess_set_str(r->sess, &r->sess->active_model, r->entry.id);
	r->sess->context_tokens = r->entry.context_window;
	return sess_save(r->sess, err);
}

static ch_status go_on(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;
	ch_status st;

	log_warn("agent", "session=%s run=%s: %s failed (%s), now %s", r->session_key, r->event_id,
		 r->route.failed[r->route.failed_len - 1].ref, r->route.failed[r->route.failed_len - 1].reason, r->entry.ref);
	st = show_active(r, err);
	if (!st)
		st = turn_equip(r, err);
	if (!st)
		st = turn_volatile_prompt(t, err);       /* it names the model */
	if (!st)
		ev_route_resumed(r);
	return st;
}

ch_status turn_route_ask(struct turn *t, struct ch_err *err)
{
	struct run *r = t->r;

	for (;;) {
		size_t from = r->route.at;
		ch_status st;

		r->route.is_asked = true;
		st = turn_ask(t, err);
		if (!st || r->abort_origin || (!may_move(r, st) && !r->failure_class))
			return st;
		note(r, &r->entry, r->failure_class ? model_error_class_wire(r->failure_class) : "unknown", err->text);
		if (!may_move(r, st) || !follow_allows_retry(r))
			return st;
		if (from + 1 == r->route.chain.len)
			return from ? exhausted(r, st, err) : st;
		stream_give_up(&t->stream);
		ev_route_left(r, err->text);
		if (!find_usable(r, from + 1)) {
			ev_route_skipped(r, from + 1);
			return exhausted(r, st, err);
		}
		ev_route_skipped(r, from + 1);
		st = go_on(t, err);
		if (st)
			return st;
	}
}

/* -- telling of it, once per change -- */

static const char *render_notice(struct run *r)
{
	struct json *v = json_new_obj(r->arena);

	json_set(r->arena, v, "selected", json_new_str(r->arena, turn_chosen(r)->ref));
	json_set(r->arena, v, "active", json_new_str(r->arena, r->entry.ref));
	json_set(r->arena, v, "reason", json_new_str(r->arena, r->route.failed[0].reason));
	return json_to_str(r->arena, v);
}

void turn_route_settle(struct run *r)
{
	struct sess *s = r->sess;
	struct json *was = NULL;
	const char *selected, *active;

	if (!r->route.chain.len)
		return;
	if (s->fallback && json_parse(r->arena, s->fallback, strlen(s->fallback), JSON_STRICT, &was, NULL))
		was = NULL;
	selected = json_get_str(was, "selected");
	active = json_get_str(was, "active");
	r->route.notice = ROUTE_SAME;
	if (!r->route.at) {
		if (active && str_eq(selected, r->entry.ref)) {
			r->route.notice = ROUTE_BACK;
			r->route.was_active = active;
		}
		sess_set_str(s, &s->fallback, NULL);
		return;
	}
	sess_set_str(s, &s->active_provider, r->entry.provider);
	sess_set_str(s, &s->active_model, r->entry.id);
	if (str_eq(selected, turn_chosen(r)->ref) && str_eq(active, r->entry.ref))
		return;
	r->route.notice = ROUTE_MOVED;
	sess_set_str(s, &s->fallback, render_notice(r));
}
