/*
 * channels/action_run.c - doing an action, and what is told of it.
 */
#include "channels/action.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"

static struct json *done(struct arena *a)
{
	struct json *v = json_new_obj(a);

	json_set(a, v, "ok", json_new_bool(a, true));
	return v;
}

static void set(struct arena *a, struct json *v, const char *key, const char *value)
{
	if (value)
		json_set(a, v, key, json_new_str(a, value));
}

static struct json *sent(const struct chan_action *x, const struct chan_receipt *r, struct arena *a)
{
	struct json *v = done(a), *ids;

	set(a, v, "messageId", r->message_id);
	if (r->message_count > 1) {
		ids = json_new_arr(a);
		for (size_t i = 0; i < r->message_count; i++)
			json_push(ids, json_new_str(a, r->message_ids[i]));
		json_set(a, v, "messageIds", ids);
	}
	set(a, v, "chatId", x->target.peer.id);
	set(a, v, "threadId", x->target.peer.thread);
	return v;
}

static CH_FIBER ch_status put(struct chan_egress *e, const struct chan_action *x, struct arena *a, int64_t *ret_id, struct ch_err *err)
{
	struct chan_message m = x->message;
	ch_status st = egress_stage(e, x->agent_id, &m, a, err);

	if (st)
		return st;
	st = egress_put(e, &m, ret_id, err);
	if (st)
		egress_unstage(e, &m);
	return st == CH_E_EXISTS ? CH_OK : st;
}

static CH_FIBER ch_status run_send(struct chan_egress *e, const struct chan_action *x, struct arena *a, struct json **ret,
				   struct ch_err *err)
{
	struct chan_receipt r;
	struct ch_err why = { 0 };
	int64_t id = 0;
	ch_status st = put(e, x, a, &id, err);

	if (st)
		return st;
	st = egress_wait(e, id, fiber_deadline(ACTION_WAIT_MS), a, &r, &why);
	if (st == CH_E_TIMEOUT || st == CH_E_CANCELED)
		return ch_fail(err, CH_E_BUSY, "not sent yet, it stays in the outbox and is sent when that is possible (%s)", why.text);
	if (st)
		return ch_fail(err, st, "%s", why.text);
	if (!str_eq(r.state, "sent"))
		return ch_fail(err, CH_E_PEER, "%s: %s", str_eq(r.state, "unsure") ? "it may not have arrived" : "it was not sent",
			       r.error ? r.error : "no reason was given");
	*ret = sent(x, &r, a);
	return CH_OK;
}

static CH_FIBER ch_status run_react(struct chan_egress *e, const struct chan_action *x, struct arena *a, struct json **ret,
				    struct ch_err *err)
{
	const struct chan_target *t = &x->target;
	ch_status st = egress_react(e, t->ops->id, t->account, &t->peer, x->message_id, x->emoji, x->is_removed, err);

	if (st)
		return st;
	*ret = done(a);
	if (x->is_removed)
		json_set(a, *ret, "removed", *x->emoji ? json_new_str(a, x->emoji) : json_new_bool(a, true));
	else
		set(a, *ret, "added", x->emoji);
	return CH_OK;
}

static CH_FIBER ch_status run_edit(struct chan_egress *e, const struct chan_action *x, struct arena *a, struct json **ret,
				   struct ch_err *err)
{
	const struct chan_target *t = &x->target;
	ch_status st = egress_edit(e, t->ops->id, t->account, &t->peer, x->message_id, x->text, NULL, 0, err);

	if (st)
		return st;
	*ret = done(a);
	set(a, *ret, "messageId", x->message_id);
	set(a, *ret, "chatId", t->peer.id);
	return CH_OK;
}

static CH_FIBER ch_status run_delete(struct chan_egress *e, const struct chan_action *x, struct arena *a, struct json **ret,
				     struct ch_err *err)
{
	const struct chan_target *t = &x->target;
	ch_status st = egress_remove(e, t->ops->id, t->account, &t->peer, x->message_id, err);

	if (st)
		return st;
	*ret = done(a);
	json_set(a, *ret, "deleted", json_new_bool(a, true));
	return CH_OK;
}

static CH_FIBER ch_status run_read(struct chan_egress *e, const struct chan_action *x, struct arena *a, struct json **ret,
				   struct ch_err *err)
{
	const struct chan_target *t = &x->target;
	struct json *messages;
	ch_status st = egress_read(e, t->ops->id, t->account, &t->peer, x->limit, a, &messages, err);

	if (st)
		return st;
	*ret = done(a);
	json_set(a, *ret, "messages", messages);
	return CH_OK;
}

CH_FIBER ch_status chan_action_run(struct chan_host *h, const struct chan_action *x, struct arena *a, struct json **ret,
				   struct ch_err *err)
{
	struct chan_egress *e = chan_host_egress(h);

	switch (x->kind) {
	case ACTION_SEND:
	case ACTION_POLL:
		return run_send(e, x, a, ret, err);
	case ACTION_REACT:
		return run_react(e, x, a, ret, err);
	case ACTION_EDIT:
		return run_edit(e, x, a, ret, err);
	case ACTION_DELETE:
		return run_delete(e, x, a, ret, err);
	case ACTION_READ:
		return run_read(e, x, a, ret, err);
	}
	ch_bug(__FILE__, __LINE__, "an action without a kind");
}
