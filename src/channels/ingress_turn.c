/*
 * channels/ingress_turn.c - the messages of one input become a turn of the session that they belong to.
 *
 * Files are fetched first, as that waits; then everything is looked up as it is now, and the rows are handed over in the
 * transaction that accepts the input.
 */
#include "channels/ingress_priv.h"

#include <string.h>

#include "channels/context.h"
#include "channels/egress.h"
#include "channels/live.h"
#include "channels/media_in.h"
#include "core/log.h"
#include "core/str.h"

/* What is done in the transaction that accepts the input. */
struct handing { struct chan_ingress *g; const struct batch *b; const struct chan_route *route; const char *run_id; };

static ch_status hand_over(void *arg, struct ch_err *err)
{
	const struct handing *h = arg;
	const struct inbox_row *first = &h->b->at[0]->row;
	ch_status st = CH_OK;

	h->g->has_handed = true;
	for (size_t i = 0; i < h->b->len && !st; i++)
		st = inbox_hand(h->g->db, h->b->at[i]->row.id, h->route->session_key, h->run_id, err);
	if (!st)
		st = place_put(h->g->db, h->route->session_key, first->channel, first->account, &h->b->in, h->run_id, err);
	if (!st && !h->b->is_command)
		st = inbox_forget_overheard(h->g->db, first->lane, first->id, 0, err);   /* the turn has them */
	return st;
}

/* Its run was there before: the rows get what became of it. */
static ch_status hand_again(struct handing *h, struct ch_err *err)
{
	CH_AUTO(db_rollback) struct db *tx = NULL;
	ch_status st = db_begin(h->g->db, err);

	if (st)
		return st;
	tx = h->g->db;
	st = hand_over(h, err);
	if (!st)
		st = db_commit(CH_TAKE(tx), err);
	if (!st)
		ingress_run_ended(h->g, h->route->session_key, h->run_id, false);
	return st;
}

/* It will not be taken: the person is told, the operator finds it among the dead letters. */
static ch_status refuse(struct chan_ingress *g, const struct batch *b, const char *why, struct ch_err *err)
{
	const struct inbox_row *rows[CH_ARRAY_LEN(b->at)];

	for (size_t i = 0; i < b->len; i++)
		rows[i] = &b->at[i]->row;
	return ingress_give_up(g, rows, b->len, b->at[0], why, err);
}

/*
 * From here on it is seen that we are at it. What came by a command of the platform or a button is answered there, perhaps to one
 * person alone: nothing of it is shown in the room.
 */
static void show_life(struct chan_ingress *g, const struct chan_turn *turn, const struct handing *h)
{
	const struct chan_in *in = &h->b->in;

	if (in->handle)
		return;
	live_begin(chan_host_live(g->host), &(struct live_turn){
		.run_id = turn->run_id, .session_key = h->route->session_key, .agent_id = h->route->agent_id,
		.place = { .channel = turn->channel, .account = turn->account, .peer = in->peer, .message_id = in->message_id,
			   .sender_id = in->sender.id, .at = in->at_ms },
		.is_group = chan_access_is_group(turn->access), .was_mentioned = chan_access_was_mentioned(turn->access),
	});
}

static ch_status submit(struct chan_ingress *g, struct chan_turn *turn, struct handing *h, struct arena *a, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(g->host);
	enum chan_taken taken;
	ch_status st;

	turn->also = hand_over;
	turn->also_arg = h;
	st = up->submit(up->arg, turn, a, &taken, err);
	if (!st && taken == CHAN_TAKEN_BEFORE)
		return hand_again(h, err);
	if (!st && taken == CHAN_TAKEN)
		show_life(g, turn, h);
	if (!st || st == CH_E_BUSY || st == CH_E_IO || st == CH_E_CANCELED)
		return st;
	return refuse(g, h->b, arena_strdup(a, err->text), err);
}

static const char *name_of(const struct chan_sender *s)
{
	return !str_empty(s->name) ? s->name : !str_empty(s->username) ? s->username : s->id;
}

/* Kept in the workspace of the agent that will answer, as far as that is known before the fetching. */
CH_FIBER static ch_status take_media(struct chan_ingress *g, struct chan_acct *acct, const struct batch *b, struct arena *a,
				     struct chan_media_taken *ret, struct ch_err *err)
{
	const struct chan_up *up = chan_host_up(g->host);
	const struct inbox_row *first = &b->at[0]->row;
	const char *workspace = NULL;
	struct chan_route route;

	if (!b->in.media_count)
		return CH_OK;
	if (up->workspace && !chan_route(chan_host_config(g->host), chan_acct_ops(acct), first->account, &b->in.peer, &b->in.sender, a,
					 &route, NULL) &&
	    up->workspace(up->arg, route.agent_id, a, &workspace, NULL))
		workspace = NULL;
	return media_in_take(acct, &b->in, first->id, workspace, a, ret, err);
}

#define EARLIER_DEFAULT 20               /* messages of a thread that its first turn is told: thread.initialHistoryLimit */

static bool is_before(const struct json *row, const struct chan_in *in, int64_t received_at)
{
	return json_get_int(row, "at", 0) < (in->at_ms ? in->at_ms : received_at) && !str_eq(json_get_str(row, "id"), in->message_id);
}

/* The last words before the message; what came since is a message of its own, with an answer of its own. */
static struct json *before_message(const struct json *list, const struct chan_in *in, int64_t received_at, size_t limit, struct arena *a)
{
	struct json *kept = json_new_arr(a);
	size_t n = 0;

	json_each(row, list)
		n += is_before(row, in, received_at);
	json_each(row, list)
		if (is_before(row, in, received_at) && n-- <= limit)
			json_push(kept, json_clone(a, row));
	return kept;
}

/*
 * The first turn of a thread is told what was said there before we were asked. NULL: it is not the first, or the network does not
 * know; only the gateway's end is a failure.
 */
CH_FIBER static ch_status fetch_earlier(struct chan_ingress *g, struct chan_acct *acct, const struct batch *b, struct arena *a,
					const struct json **ret, struct ch_err *err)
{
	const struct chan_ops *ops = chan_acct_ops(acct);
	const struct chan_peer *peer = &b->in.peer;
	int64_t limit = CH_MIN((int64_t)ingress_history_limit(acct),
			       chan_cfg_int(chan_acct_cfg(acct), "thread.initialHistoryLimit", EARLIER_DEFAULT));
	struct json *list = NULL;
	struct chan_place place;
	struct chan_route route;
	struct ch_err why = { 0 };
	ch_status st;

	*ret = NULL;
	if (b->is_command || peer->kind == CHAN_DIRECT || (!peer->thread && !peer->parent) || limit <= 0 || !ops->history)
		return CH_OK;
	if (chan_route(chan_host_config(g->host), ops, b->at[0]->row.account, peer, &b->in.sender, a, &route, NULL) ||
	    ingress_place(g, route.session_key, a, &place, NULL) != CH_E_NOT_FOUND)
		return CH_OK;
	st = ops->history(acct, peer, (int)(limit + (int64_t)b->len), a, &list, &why);     /* it has this message, too */
	if (st == CH_E_CANCELED)
		return ch_fail(err, st, "the gateway stops");
	if (st)
		log_info("channels", "%s/%s: what was said before in a thread could not be read: %s; the turn goes without it", ops->id,
			 chan_acct_id(acct), why.text);
	else
		*ret = before_message(list, &b->at[0]->in, b->at[0]->row.received_at, (size_t)limit, a);
	return CH_OK;
}

ch_status ingress_turn(struct chan_ingress *g, struct chan_acct *acct, struct batch *b, struct arena *a, struct ch_err *err)
{
	const struct inbox_row *first = &b->at[0]->row;
	struct chan_media_taken media = { 0 };
	struct chan_route route;
	struct chan_turn turn = { 0 };
	struct handing h = { .g = g, .b = b, .route = &route };
	const struct chan_access *x;
	const struct json *earlier = NULL;
	ch_status st = take_media(g, acct, b, a, &media, err);

	if (!st)
		st = fetch_earlier(g, acct, b, a, &earlier, err);
	if (st)
		return st;
	/* Waiting is over: the configuration may be another one by now. */
	x = chan_authorise(acct, &b->at[0]->in, a);
	if (chan_access_verdict(x) != CHAN_ADMIT)
		return CH_OK;            /* it is judged anew */
	st = chan_route(chan_host_config(g->host), chan_acct_ops(acct), first->account, &b->in.peer, &b->in.sender, a, &route, err);
	if (st)
		return refuse(g, b, arena_strdup(a, err->text), err);
	h.run_id = arena_printf(a, "chan:%lld", (long long)first->id);
	turn = (struct chan_turn){
		.run_id = h.run_id, .channel = first->channel, .account = first->account, .route = &route, .access = x,
		.text = b->text, .attachments = media.attachments, .sender_id = b->in.sender.id,
		.sender_name = name_of(&b->in.sender), .message_id = b->in.message_id, .group_prompt = chan_access_prompt(x),
		.tools = chan_access_tools(x), .thread = route.lane, .peer_name = b->in.peer.name, .is_command = b->is_command,
	};
	if (!b->is_command) {
		st = context_make(g, acct, x, b, &media, earlier, a, &turn, err);
		if (st)
			return st;
	}
	return submit(g, &turn, &h, a, err);
}
