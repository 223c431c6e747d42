/*
 * gateway/connect.c - judges a connect request: the first frame, and the order of the steps.
 */
#include "core/fiber.h"
#include "core/str.h"
#include "gateway/connect_judge.h"
#include "gateway/hub.h"
#include "gateway/origin.h"

#define ORIGIN_MESSAGE                                                                    \
	"origin not allowed (open the Control UI from the gateway host or allow it in gateway." \
	"controlUi.allowedOrigins)"

/* -- protocol, role, origin -- */

static bool step_protocol(struct judge *j)
{
	struct json *d;

	if (policy_protocol_fits(&j->p))
		return true;
	d = judge_details(j, "PROTOCOL_MISMATCH");
	json_set(j->a, d, "clientMinProtocol", json_new_int(j->a, j->p.min_protocol));
	json_set(j->a, d, "clientMaxProtocol", json_new_int(j->a, j->p.max_protocol));
	json_set(j->a, d, "expectedProtocol", json_new_int(j->a, GW_PROTOCOL));
	json_set(j->a, d, "minimumProbeProtocol", json_new_int(j->a, 3));
	return judge_refuse_plain(j, CH_E_INVALID, "protocol mismatch", d, 1002);
}

static bool step_role(struct judge *j)
{
	j->facts.role = role_find(j->p.role);
	if (!j->facts.role)
		return judge_refuse_plain(j, CH_E_INVALID, "invalid role", NULL, 1008);
	scope_list_from_json(&j->scopes, j->p.scopes);
	if (j->facts.role == GW_ROLE_NODE)
		j->scopes = (struct scope_list){0};
	return true;
}

static bool step_origin(struct judge *j)
{
	const struct conn_peer *peer = &j->c->hs->peer;
	const struct config *cfg = gw_config(j->gw);
	struct origin_query q = {
		.origin = peer->origin,
		.host = peer->host,
		.is_tls = peer->is_tls,
		.via_proxy = peer->via_proxy,
		.is_local = peer->is_local,
		.allowed = config_list(cfg, "gateway.controlUi.allowedOrigins"),
		.allow_host_fallback =
			config_bool(cfg, "gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback", false),
	};
	bool is_page = connect_is_webchat(&j->p) || connect_is(&j->p, "openclaw-control-ui", NULL);
	enum origin_verdict v;
	struct json *d;

	if (!j->facts.has_origin && !is_page)
		return true;
	v = origin_check(j->a, &q);
	if (v < ORIGIN_INVALID)
		return true;
	d = judge_details(j, "CONTROL_UI_ORIGIN_NOT_ALLOWED");
	judge_put(j, d, "reason", v == ORIGIN_INVALID ? "origin missing or invalid" : "origin not allowed");
	return judge_refuse_plain(j, CH_E_INVALID, ORIGIN_MESSAGE, d, 1008);
}

/* -- the whole -- */

static bool is_gone(const struct judge *j)
{
	return j->c->phase != CONN_JUDGED;
}

CH_FIBER static void judge_steps(struct judge *j)
{
	if (!step_protocol(j) || !step_role(j) || !step_origin(j))
		return;
	judge_shared_secret(j);
	if (!judge_device_need(j) || !judge_device_proof(j) || !judge_credentials(j))
		return;
	if (is_gone(j) || !judge_pairing(j) || !judge_token(j))
		return;
	judge_let_in(j);
}

CH_FIBER static void judge_run(void *arg)
{
	struct judge *j = arg;
	struct gw_conn *c = j->c;
	struct arena *a = j->a;

	c->judge = fiber_self();
	if (!is_gone(j))
		judge_steps(j);
	c->judge = NULL;
	c->gw->hub->judging--;
	hub_give_arena(c->gw->hub, a);
	conn_unref(c);
}

/*
 * Pages on this machine guess under their own name, and are locked out; programs on it are only slowed
 * down.
 */
static void name_source(struct judge *j)
{
	const struct conn_peer *peer = &j->c->hs->peer;

	if (peer->is_local && j->facts.has_origin) {
		j->source = arena_printf(j->a, "browser-origin:%s", peer->origin);
		return;
	}
	j->source = peer->ip;
	j->is_exempt = peer->is_local && j->gw->auth->exempt_loopback;
}

/* Takes the arena. */
static void judge_begin(struct gw_conn *c, struct arena *a, const struct frame *f,
			const struct connect_params *p)
{
	struct judge *j = arena_alloc(a, sizeof(*j));

	j->gw = c->gw;
	j->c = conn_ref(c);
	j->a = a;
	j->frame_id = f->id;
	j->p = *p;
	j->facts.params = &j->p;
	j->facts.is_local = c->hs->peer.is_local;
	j->facts.has_origin = !str_empty(c->hs->peer.origin);
	name_source(j);
	c->phase = CONN_JUDGED;
	c->gw->hub->judging++;
	fiber_spawn(c->gw->loop, "connect", FIBER_DETACHED, judge_run, j);
}

static void refuse_first(struct gw_conn *c, const struct frame *f, const char *message)
{
	struct judge j = { .gw = c->gw, .c = c, .frame_id = f->id };

	(void)judge_refuse_plain(&j, CH_E_INVALID, message, NULL, 1008);
}

void connect_first_frame(struct gw_conn *c, char *text, size_t len)
{
	struct arena *a = hub_take_arena(c->gw->hub);
	struct connect_params p;
	struct ch_err err = {0};
	struct frame f;

	frame_parse(a, text, len, &f, &err);
	if (f.kind == FRAME_NOT_JSON)
		conn_close(c, 1000, NULL);
	else if (f.kind == FRAME_BAD)
		conn_close(c, 1008, "invalid request frame");
	else if (str_eq(f.method, "connect") && connect_claims_worker(f.params))
		conn_close(c, 1008, "invalid-handshake");
	else if (!str_eq(f.method, "connect"))
		refuse_first(c, &f, "invalid handshake: first request must be connect");
	else if (connect_params_parse(f.params, &p, &err))
		refuse_first(c, &f, err.text);
	else {
		judge_begin(c, a, &f, &p);
		return;
	}
	hub_give_arena(c->gw->hub, a);
}
