/*
 * gateway/methods/m_dead_letters.c - messages of networks that could not be handled or sent, and trying them again.
 *
 * Ours: OpenClaw's command line looks into its own database. An id is "in:<row>" or "out:<row>"; for what came in, the network's
 * event id does as well.
 */
#include "channels/egress.h"
#include "channels/host.h"
#include "channels/inbox.h"
#include "channels/ingress.h"
#include "channels/route.h"
#include "core/str.h"
#include "gateway/methods/absent.h"

#define LIST_DEFAULT 100
#define LIST_MAX 1000

/* -- list -- */

struct listing { struct jw *w; struct arena *arena; };

static void write_in(void *arg, const struct inbox_row *r)
{
	struct listing *l = arg;
	struct chan_in in = { 0 };
	bool has_payload = r->payload && !chan_in_read(r->payload, strlen(r->payload), l->arena, &in, NULL);

	jw_obj(l->w);
	jw_kstr(l->w, "id", arena_printf(l->arena, "in:%lld", (long long)r->id));
	jw_kstr(l->w, "direction", "in");
	jw_kstr(l->w, "channel", r->channel);
	jw_kstr(l->w, "accountId", r->account);
	jw_kstr(l->w, "eventId", r->event_id);
	jw_kstr(l->w, "kind", chan_in_kind_name(r->kind));
	jw_kstr(l->w, "reason", r->reason);
	jw_kint(l->w, "attempts", r->attempts);
	jw_kint(l->w, "createdAt", r->received_at);
	jw_kint(l->w, "failedAt", r->ended_at);
	jw_kbool(l->w, "canResubmit", has_payload);
	if (has_payload) {
		jw_kvalue(l->w, "peer", chan_peer_json(l->arena, &in.peer));
		jw_kstr_opt(l->w, "senderId", in.sender.id);
		jw_kstr_opt(l->w, "text", in.text);
	}
	jw_end(l->w);
}

static void write_out(void *arg, const struct egress_row *r)
{
	struct listing *l = arg;

	jw_obj(l->w);
	jw_kstr(l->w, "id", arena_printf(l->arena, "out:%lld", (long long)r->id));
	jw_kstr(l->w, "direction", "out");
	jw_kstr(l->w, "channel", r->channel);
	jw_kstr(l->w, "accountId", r->account);
	jw_kstr(l->w, "state", r->state);
	jw_kstr_opt(l->w, "origin", r->origin);
	jw_kstr_opt(l->w, "sessionKey", r->session_key);
	jw_kstr(l->w, "reason", r->error);
	jw_kint(l->w, "attempts", r->attempts);
	jw_kint(l->w, "createdAt", r->created_at);
	jw_kint(l->w, "failedAt", r->ended_at);
	jw_kbool(l->w, "canResubmit", true);
	jw_kvalue(l->w, "peer", chan_peer_json(l->arena, &r->peer));
	jw_kstr_opt(l->w, "text", r->text);
	jw_end(l->w);
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	const char *channel = json_get_str(call->params, "channel"), *account = json_get_str(call->params, "accountId");
	size_t limit = (size_t)json_get_int(call->params, "limit", LIST_DEFAULT);
	CH_AUTO_BUF struct buf out = { 0 };
	struct jw w = JW(&out);
	struct listing l = { &w, call->arena };
	struct chan_host *h = call->gw->channels;
	ch_status st;

	if (channel && !chan_host_network(h, channel))
		return ch_fail(err, CH_E_NOT_FOUND, "unknown channel: %s", gwm_short_param(call, "channel"));
	buf_init(&out, GW_FRAME_MAX / 2);
	jw_obj(&w);
	jw_karr(&w, "deadLetters");
	st = inbox_dead(call->gw->db, channel, account, limit, call->arena, write_in, &l, err);
	if (!st)
		st = egress_dead(chan_host_egress(h), channel, account, limit, call->arena, write_out, &l, err);
	jw_end(&w);
	jw_end(&w);
	if (!st)
		st = buf_status(&out, err, "the list of dead letters");
	if (st)
		return st;
	jw_raw(gw_reply_begin(call), out.data, out.len);
	gw_reply_end(call);
	return CH_OK;
}

/* -- again -- */

struct search { const char *event_id; int64_t id; const char *channel, *account; const char *lane; int64_t found; struct arena *arena; };

static void look(void *arg, const struct inbox_row *r)
{
	struct search *s = arg;

	if (s->found || (s->id ? r->id != s->id : !str_eq(r->event_id, s->event_id)))
		return;
	s->found = r->id;
	s->lane = arena_strdup(s->arena, r->lane);
}

static ch_status resubmit_in(struct gw_call *call, struct search *s, struct ch_err *err)
{
	ch_status st = inbox_dead(call->gw->db, s->channel, s->account, LIST_MAX, call->arena, look, s, err);

	if (!st && !s->found)
		return ch_fail(err, CH_E_NOT_FOUND, "no dead letter %s", gwm_short_param(call, "id"));
	if (!st)
		st = inbox_resubmit(call->gw->db, s->found, err);
	if (!st)
		ingress_wake(chan_host_ingress(call->gw->channels), s->lane);
	return st;
}

static CH_FIBER ch_status run_resubmit(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "id");
	struct search s = { .event_id = id, .channel = json_get_str(call->params, "channel"),
			    .account = json_get_str(call->params, "accountId"), .arena = call->arena };
	struct jw *w;
	ch_status st;
	int64_t row;

	if (str_starts(id, "out:") && str_to_i64(id + 4, &row)) {
		st = egress_resubmit(chan_host_egress(call->gw->channels), row, err);
	} else {
		if (str_starts(id, "in:") && str_to_i64(id + 3, &row))
			s.id = row;
		st = resubmit_in(call, &s, err);
	}
	if (st)
		return st;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kbool(w, "ok", true);
	jw_kstr(w, "id", id);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param list_params[] = {
	{ "channel", GP_STR, GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{ "limit", GP_INT, .min = 1, .max = LIST_MAX },
	{0},
};
static const struct gw_param resubmit_params[] = {
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "channel", GP_STR, GP_NON_EMPTY },
	{ "accountId", GP_STR, GP_NON_EMPTY },
	{0},
};

const struct gw_method gwm_dead_letters[] = {
	{ "channels.deadLetters.list", run_list, GW_SCOPE_READ, GW_INLINE | GW_HIDDEN, list_params },
	{ "channels.deadLetters.resubmit", run_resubmit, GW_SCOPE_ADMIN, GW_HIDDEN | GW_CONTROL_WRITE, resubmit_params },
};
const size_t gwm_dead_letters_count = CH_ARRAY_LEN(gwm_dead_letters);
