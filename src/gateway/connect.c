/*
 * gateway/connect.c - judges a connect request.
 *
 * A struct judge carries one request through the steps; a step that refuses has answered, closed the
 * connection and returns false.
 */
#include "gateway/connect.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/auth.h"
#include "gateway/device_auth.h"
#include "gateway/dispatch.h"
#include "gateway/hub.h"
#include "gateway/origin.h"
#include "gateway/pair.h"

#define ORIGIN_MESSAGE \
	"origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)"
#define SEEN_EVERY_MS 60000              /* how exact "last seen" is */

struct judge {
	struct gw *gw;
	struct gw_conn *c;
	struct arena *a;
	const char *frame_id;
	struct connect_params p;
	struct connect_facts facts;
	struct scope_list scopes;
	const char *source;              /* whom the limiter counts */
	bool is_exempt;
	enum auth_reason shared;         /* how the shared secret fared */
	const char *public_key;
	bool is_paired;
	struct device device;            /* when is_paired */
	struct connect_outcome out;
};

/* -- refusing -- */

static void refuse(struct judge *j, const struct frame_error *e, uint16_t close_code, const char *close_reason)
{
	if (hub_may_log(j->gw->hub))
		log_warn("gateway", "refused conn=%s peer=%s client=%s: %s", j->c->id, j->c->hs->peer.ip,
			 j->p.client.id ? log_quote(j->p.client.id) : "-", log_quote(e->message));
	dispatch_error(j->c, j->frame_id, e);
	conn_close(j->c, close_code, close_reason ? close_reason : e->message);
}

static struct json *details_new(struct judge *j, const char *code)
{
	struct json *d = json_new_obj(j->a);

	json_set(j->a, d, "code", json_new_str(j->a, code));
	return d;
}

static void put_str(struct judge *j, struct json *d, const char *key, const char *value)
{
	if (value)
		json_set(j->a, d, key, json_new_str(j->a, value));
}

static bool refuse_plain(struct judge *j, ch_status st, const char *message, const struct json *details, uint16_t close_code)
{
	refuse(j, &(struct frame_error){ .code = ch_status_wire(st), .message = message, .details = details }, close_code, NULL);
	return false;
}

/* -- protocol, role, origin -- */

static bool step_protocol(struct judge *j)
{
	struct json *d;

	if (policy_protocol_fits(&j->p))
		return true;
	d = details_new(j, "PROTOCOL_MISMATCH");
	json_set(j->a, d, "clientMinProtocol", json_new_int(j->a, j->p.min_protocol));
	json_set(j->a, d, "clientMaxProtocol", json_new_int(j->a, j->p.max_protocol));
	json_set(j->a, d, "expectedProtocol", json_new_int(j->a, GW_PROTOCOL));
	json_set(j->a, d, "minimumProbeProtocol", json_new_int(j->a, 3));
	return refuse_plain(j, CH_E_INVALID, "protocol mismatch", d, 1002);
}

static bool step_role(struct judge *j)
{
	j->facts.role = role_find(j->p.role);
	if (!j->facts.role)
		return refuse_plain(j, CH_E_INVALID, "invalid role", NULL, 1008);
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
		.origin = peer->origin, .host = peer->host, .is_tls = peer->is_tls, .via_proxy = peer->via_proxy,
		.is_local = peer->is_local,
		.allowed = config_list(cfg, "gateway.controlUi.allowedOrigins"),
		.allow_host_fallback = config_bool(cfg, "gateway.controlUi.dangerouslyAllowHostHeaderOriginFallback", false),
	};
	bool is_page = connect_is_webchat(&j->p) || connect_is(&j->p, "openclaw-control-ui", NULL);
	enum origin_verdict v;
	struct json *d;

	if (!j->facts.has_origin && !is_page)
		return true;
	v = origin_check(j->a, &q);
	if (v < ORIGIN_INVALID)
		return true;
	d = details_new(j, "CONTROL_UI_ORIGIN_NOT_ALLOWED");
	put_str(j, d, "reason", v == ORIGIN_INVALID ? "origin missing or invalid" : "origin not allowed");
	return refuse_plain(j, CH_E_INVALID, ORIGIN_MESSAGE, d, 1008);
}

/* -- credentials -- */

static bool has_device_candidate(const struct judge *j)
{
	return j->p.has_device && (j->p.device_token || j->p.token);
}

static void step_shared_secret(struct judge *j)
{
	struct gw_auth *auth = j->gw->auth;
	bool is_given = j->p.token || j->p.password;

	j->facts.method = auth_shared_method(auth);
	if (is_given && limiter_wait_ms(auth->limiter, AUTH_SHARED, j->source) > 0)
		j->shared = AUTH_RATE_LIMITED;
	else
		j->shared = auth_check_shared(auth, j->p.token, j->p.password);
	j->facts.auth_ok = j->shared == AUTH_OK;
	j->facts.shared_ok = j->facts.auth_ok && auth->mode != AUTH_MODE_NONE;
	if (j->facts.shared_ok)
		limiter_reset(auth->limiter, AUTH_SHARED, j->source);
}

/* A wrong secret counts; where nobody is locked out, the answer waits. Cancelled: the gateway stops, answer at once. */
CH_FIBER static void settle_failure(struct judge *j)
{
	int64_t delay_ms;
	ch_status st;

	if (j->shared != AUTH_TOKEN_MISMATCH && j->shared != AUTH_PASSWORD_MISMATCH)
		return;
	delay_ms = limiter_fail(j->gw->auth->limiter, AUTH_SHARED, j->source, j->is_exempt);
	st = delay_ms > 0 ? fiber_sleep(delay_ms) : CH_OK;
	if (st)
		log_debug("gateway", "conn=%s: delay ended early (%s)", j->c->id, ch_status_name(st));
}

CH_FIBER static bool refuse_auth(struct judge *j, enum auth_reason reason, const char *limited_class)
{
	const struct auth_reason_text *t = auth_reason_text(reason);
	bool may_retry = reason == AUTH_TOKEN_MISMATCH && j->p.has_device && j->p.token && !j->p.device_token &&
			 !j->p.bootstrap_token;
	struct frame_error e = { .code = "INVALID_REQUEST" };
	struct json *d = details_new(j, t->code);

	put_str(j, d, "authReason", t->name);
	json_set(j->a, d, "canRetryWithDeviceToken", json_new_bool(j->a, may_retry));
	put_str(j, d, "recommendedNextStep", may_retry ? "retry_with_device_token" : t->next_step);
	e.message = auth_message(reason, &j->p, j->facts.is_local);
	e.details = d;
	if (reason == AUTH_RATE_LIMITED) {
		e.is_retryable = true;
		e.retry_after_ms = limiter_wait_ms(j->gw->auth->limiter, limited_class, j->source);
	}
	settle_failure(j);
	refuse(j, &e, 1008, NULL);
	return false;
}

CH_FIBER static bool step_device_need(struct judge *j)
{
	enum device_need need = policy_device_need(&j->facts);

	/* Without a device only the local CLI and backends keep what they ask for. */
	if (!j->p.has_device && !policy_keeps_scopes(&j->facts))
		j->scopes = (struct scope_list){0};
	switch (need) {
	case DEVICE_NOT_NEEDED:
		return true;
	case DEVICE_NEED_UNAUTHORIZED:
		return refuse_auth(j, j->shared, AUTH_SHARED);
	case DEVICE_NEEDED_BY_UI:
		settle_failure(j);
		return refuse_plain(j, CH_E_INVALID,
				    "control ui requires device identity (use HTTPS or localhost secure context)",
				    details_new(j, "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"), 1008);
	case DEVICE_NEEDED:
		break;
	}
	settle_failure(j);
	return refuse_plain(j, CH_E_UNPAIRED, "device identity required", details_new(j, "DEVICE_IDENTITY_REQUIRED"), 1008);
}

CH_FIBER static bool step_device_proof(struct judge *j)
{
	const struct device_proof_error *e;
	struct json *d;

	if (!j->p.has_device)
		return true;
	e = device_proof_error(device_prove(j->a, &j->p, j->c->nonce, now_wall_ms(), &j->public_key));
	if (!e)
		return true;
	settle_failure(j);
	d = details_new(j, e->code);
	put_str(j, d, "reason", e->reason);
	return refuse_plain(j, CH_E_INVALID, e->message, d, 1008);
}

/* Judges auth.deviceToken, or auth.token taken as one. */
static enum auth_reason check_device_token(struct judge *j)
{
	const char *value = j->p.device_token ? j->p.device_token : j->p.token;
	enum auth_reason wrong = j->p.device_token ? AUTH_DEVICE_TOKEN_MISMATCH : j->shared;
	struct limiter *limiter = j->gw->auth->limiter;
	struct device_token t;
	ch_status st;

	if (limiter_wait_ms(limiter, AUTH_DEVICE, j->source) > 0)
		return AUTH_RATE_LIMITED;
	st = device_token_find(j->gw->db, j->a, value, &t, NULL);
	if (st || t.revoked_at || !str_eq(t.device_id, j->p.device.id) || t.role != j->facts.role) {
		(void)limiter_fail(limiter, AUTH_DEVICE, j->source, j->is_exempt);
		return wrong;
	}
	if (!scope_allows(t.scopes.bits, j->scopes.bits)) {
		(void)limiter_fail(limiter, AUTH_DEVICE, j->source, j->is_exempt);
		return AUTH_SCOPE_MISMATCH;
	}
	limiter_reset(limiter, AUTH_DEVICE, j->source);
	j->out.device_token = value;
	j->out.token_issued_at = t.rotated_at ? t.rotated_at : t.created_at;
	return AUTH_OK;
}

CH_FIBER static bool step_credentials(struct judge *j)
{
	enum auth_reason reason = j->shared;

	if (j->facts.auth_ok)
		return true;
	/* Setup codes are not handed out yet, so none can be right. */
	if (j->p.has_device && j->p.bootstrap_token)
		reason = AUTH_BOOTSTRAP_INVALID;
	if (has_device_candidate(j))
		reason = check_device_token(j);
	if (reason == AUTH_OK) {
		j->facts.auth_ok = true;
		j->facts.method = AUTH_BY_DEVICE_TOKEN;
		return true;
	}
	return refuse_auth(j, reason, reason == AUTH_RATE_LIMITED && reason != j->shared ? AUTH_DEVICE : AUTH_SHARED);
}

/* -- pairing -- */

static struct pair_request make_ask(const struct judge *j, enum pair_reason r, bool is_silent)
{
	const struct conn_peer *peer = &j->c->hs->peer;

	return (struct pair_request){
		.device_id = j->p.device.id, .public_key = j->public_key, .display_name = j->p.client.display_name,
		.platform = j->p.client.platform, .device_family = j->p.client.device_family,
		.client_id = j->p.client.id, .client_mode = j->p.client.mode,
		.reason = pair_reason_text(r)->name, .remote_ip = peer->is_local ? NULL : peer->ip,
		.role = j->facts.role, .roles = j->facts.role, .scopes = j->scopes,
		.is_silent = is_silent, .is_repair = j->is_paired,
	};
}

static bool refuse_internal(struct judge *j, const struct ch_err *err)
{
	log_error("gateway", "handshake of conn=%s failed: %s; the client may retry", j->c->id, err->text);
	refuse(j, &(struct frame_error){ .code = "UNAVAILABLE", .message = "the gateway could not read its device table",
					 .is_retryable = true, .retry_after_ms = 1000 }, 1013, NULL);
	return false;
}

static bool refuse_unpaired(struct judge *j, enum pair_reason r, const struct pair_request *request)
{
	const struct pair_reason_text *t = pair_reason_text(r);
	struct json *d = details_new(j, "PAIRING_REQUIRED");
	struct frame_error e = { .code = "NOT_PAIRED", .message = t->message, .details = d };
	char close_reason[160];

	put_str(j, d, "reason", t->name);
	put_str(j, d, "requestId", request->id);
	put_str(j, d, "remediationHint", arena_printf(j->a, "%s %s", t->hint, request->id));
	if (connect_is_control_ui(&j->p) || connect_is_webchat(&j->p)) {
		put_str(j, d, "recommendedNextStep", "wait_then_retry");
		json_set(j->a, d, "retryable", json_new_bool(j->a, true));
		json_set(j->a, d, "pauseReconnect", json_new_bool(j->a, false));
	}
	put_str(j, d, "deviceId", j->p.device.id);
	put_str(j, d, "requestedRole", role_name(j->facts.role));
	if (j->scopes.count)
		json_set(j->a, d, "requestedScopes", scope_list_json(j->a, &j->scopes));
	if (j->is_paired) {
		struct json *roles = json_new_arr(j->a);

		if (j->device.roles & GW_ROLE_OPERATOR)
			json_push(roles, json_new_str(j->a, "operator"));
		if (j->device.roles & GW_ROLE_NODE)
			json_push(roles, json_new_str(j->a, "node"));
		json_set(j->a, d, "approvedRoles", roles);
		if (j->device.scopes.count)
			json_set(j->a, d, "approvedScopes", scope_list_json(j->a, &j->device.scopes));
	}
	snprintf(close_reason, sizeof(close_reason), "%s (requestId: %s)", t->message, request->id);
	refuse(j, &e, 1008, close_reason);
	return false;
}

/* Gets the device approved for r, silently where the rules allow. */
static bool require_pairing(struct judge *j, enum pair_reason r)
{
	bool auto_local = config_bool(gw_config(j->gw), "gateway.nodes.pairing.autoApproveLocal", true);
	bool is_silent = policy_is_silent(&j->facts, r, j->is_paired, auto_local);
	struct pair_request ask = make_ask(j, r, is_silent), filed;
	struct ch_err err = {0};

	if (is_silent) {
		if (pair_approve_silently(j->gw, j->a, &ask, &j->device, &err))
			return refuse_internal(j, &err);
		j->is_paired = true;
		j->out.device_token = NULL;      /* the grant changed: its tokens are void */
		return true;
	}
	if (r != PAIR_NOT_PAIRED)
		log_warn("gateway", "device=%.12s asks for more: %s", j->p.device.id, pair_reason_text(r)->name);
	if (pair_ask(j->gw, j->a, &ask, &filed, &err))
		return refuse_internal(j, &err);
	return refuse_unpaired(j, r, &filed);
}

static bool note_seen(struct judge *j)
{
	const char *reason = j->facts.method == AUTH_BY_DEVICE_TOKEN ? "device-token-auth" : "connect";
	int64_t now = now_wall_ms();
	struct ch_err err = {0};
	ch_status st = CH_OK;

	if (policy_platform_refresh(j->a, &j->p, &j->device))
		st = device_set_platform(j->gw->db, j->device.id, j->p.client.platform, &err);
	if (!st && now - j->device.last_seen_at >= SEEN_EVERY_MS)
		st = device_seen(j->gw->db, j->device.id, now, reason, j->c->hs->peer.is_local ? NULL : j->c->hs->peer.ip,
				 j->p.client.display_name, &err);
	if (!st && j->out.device_token && now - j->device.last_seen_at >= SEEN_EVERY_MS)
		st = device_token_used(j->gw->db, j->out.device_token, now, &err);
	return st ? refuse_internal(j, &err) : true;
}

static bool step_pairing(struct judge *j)
{
	bool skips = policy_skips_pairing(&j->facts) ||
		     (connect_is_control_ui(&j->p) && j->gw->auth->mode == AUTH_MODE_NONE);
	enum pair_reason r = PAIR_NOTHING;
	struct ch_err err = {0};
	ch_status st;

	if (!j->p.has_device)
		return true;
	st = device_find(j->gw->db, j->a, j->p.device.id, &j->device, &err);
	if (st && st != CH_E_NOT_FOUND)
		return refuse_internal(j, &err);
	j->is_paired = !st;
	if (skips)
		return !j->is_paired || note_seen(j);
	if (!j->is_paired)
		return require_pairing(j, PAIR_NOT_PAIRED);
	while ((r = policy_next_reason(j->a, &j->facts, &j->device, &j->scopes, r)) != PAIR_NOTHING)
		if (!require_pairing(j, r))
			return false;
	return note_seen(j);
}

/* A paired device leaves with a token: the one it came with, or a new one. */
static bool step_token(struct judge *j)
{
	struct scope_list scopes = j->device.scopes;
	char *token;
	struct ch_err err = {0};

	if (!j->is_paired || !(j->device.roles & j->facts.role) || j->out.device_token)
		return true;
	if (j->facts.role == GW_ROLE_NODE)
		scopes = (struct scope_list){0};
	token = arena_alloc(j->a, DEVICE_TOKEN_LEN + 1);
	j->out.token_issued_at = now_wall_ms();
	if (device_token_issue(j->gw->db, j->device.id, j->facts.role, &scopes, j->out.token_issued_at, false, token, &err))
		return refuse_internal(j, &err);
	j->out.device_token = token;
	return true;
}

/* -- letting in -- */

static char *join_caps(const struct json *caps)
{
	CH_AUTO_BUF struct buf out;

	buf_init(&out, GW_PREAUTH_FRAME_MAX);
	buf_putc(&out, '\n');
	json_each(it, caps)
	{
		buf_append(&out, it->str, it->len);
		buf_putc(&out, '\n');
	}
	return buf_take(&out, NULL);
}

static struct conn_client *make_client(const struct judge *j)
{
	struct conn_client *cl = ch_alloc(sizeof(*cl));
	const struct connect_params *p = &j->p;

	cl->id = ch_strdup(p->client.id);
	cl->mode = ch_strdup(p->client.mode);
	cl->version = ch_strdup(p->client.version);
	cl->platform = ch_strdup(p->client.platform);
	cl->display_name = ch_strdup(p->client.display_name);
	cl->device_family = ch_strdup(p->client.device_family);
	cl->model_identifier = ch_strdup(p->client.model_identifier);
	cl->time_zone = ch_strdup(p->client.time_zone);
	cl->instance_id = ch_strdup(p->client.instance_id);
	cl->device_id = p->has_device ? ch_strdup(p->device.id) : NULL;
	cl->ip = j->c->hs->peer.is_local ? NULL : ch_strdup(j->c->hs->peer.ip);
	cl->caps = p->caps ? join_caps(p->caps) : NULL;
	cl->role = j->facts.role;
	cl->scopes = j->scopes;
	cl->is_tracked = !connect_is_ephemeral(p);
	cl->uses_shared_auth = j->facts.method != AUTH_BY_DEVICE_TOKEN;
	cl->is_device_token = j->facts.method == AUTH_BY_DEVICE_TOKEN;
	cl->online_since_ms = cl->last_activity_ms = now_wall_ms();
	return cl;
}

static void cap_scopes(struct judge *j)
{
	struct scope_list cap = {0};

	if (!j->c->hs->peer.scopes_cap)
		return;
	scope_list_from_text(&cap, j->c->hs->peer.scopes_cap);
	scope_list_cap(&j->scopes, cap.bits);
}

static void send_hello(struct judge *j)
{
	struct buf out;
	struct jw w = JW(&out);

	hub_take_buf(j->gw->hub, &out, GW_FRAME_MAX);
	frame_res_begin(&w, j->frame_id);
	hello_write(j->gw, &w, j->c, &j->out);
	frame_res_end(&w);
	if (!out.failed)
		conn_send(j->c, out.data, out.len);
	hub_give_buf(j->gw->hub, &out);
}

static void let_in(struct judge *j)
{
	struct gw_conn *c = j->c;

	cap_scopes(j);
	j->out.params = &j->p;
	j->out.role = j->facts.role;
	j->out.scopes = j->scopes;
	j->out.method = j->facts.method;
	conn_open(c, make_client(j));
	log_info("gateway", "connected conn=%s client=%s/%s role=%s auth=%s scopes=%u peer=%s", c->id, c->client->id,
		 c->client->mode, role_name(c->client->role), auth_method_name(j->out.method), c->client->scopes.count,
		 c->hs->peer.ip);
	if (c->client->is_tracked) {
		c->awaits_health = true;
		hub_presence_changed(j->gw->hub);
	}
	send_hello(j);
	conn_replay(c);
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
	step_shared_secret(j);
	if (!step_device_need(j) || !step_device_proof(j) || !step_credentials(j))
		return;
	if (is_gone(j) || !step_pairing(j) || !step_token(j))
		return;
	let_in(j);
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

/* Pages on this machine guess under their own name, and are locked out; programs on it are only slowed down. */
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
static void judge_begin(struct gw_conn *c, struct arena *a, const struct frame *f, const struct connect_params *p)
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

	(void)refuse_plain(&j, CH_E_INVALID, message, NULL, 1008);
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
