/*
 * gateway/connect_auth.c - the shared secret, the need of a device, its proof, its token.
 */
#include "core/clock.h"
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "gateway/connect_judge.h"
#include "gateway/device_auth.h"

static bool has_device_candidate(const struct judge *j)
{
	return j->p.has_device && (j->p.device_token || j->p.token);
}

void judge_shared_secret(struct judge *j)
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

/*
 * A wrong secret counts; where nobody is locked out, the answer waits. Cancelled: the gateway stops, answer
 * at once.
 */
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
	bool may_retry = reason == AUTH_TOKEN_MISMATCH && j->p.has_device && j->p.token &&
			 !j->p.device_token && !j->p.bootstrap_token;
	struct frame_error e = { .code = "INVALID_REQUEST" };
	struct json *d = judge_details(j, t->code);

	judge_put(j, d, "authReason", t->name);
	json_set(j->a, d, "canRetryWithDeviceToken", json_new_bool(j->a, may_retry));
	judge_put(j, d, "recommendedNextStep", may_retry ? "retry_with_device_token" : t->next_step);
	e.message = auth_message(reason, &j->p, j->facts.is_local);
	e.details = d;
	if (reason == AUTH_RATE_LIMITED) {
		e.is_retryable = true;
		e.retry_after_ms = limiter_wait_ms(j->gw->auth->limiter, limited_class, j->source);
	}
	settle_failure(j);
	judge_refuse(j, &e, 1008, NULL);
	return false;
}

CH_FIBER bool judge_device_need(struct judge *j)
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
		return judge_refuse_plain(
			j, CH_E_INVALID,
			"control ui requires device identity (use HTTPS or localhost secure context)",
			judge_details(j, "CONTROL_UI_DEVICE_IDENTITY_REQUIRED"), 1008);
	case DEVICE_NEEDED:
		break;
	}
	settle_failure(j);
	return judge_refuse_plain(j, CH_E_UNPAIRED, "device identity required",
				  judge_details(j, "DEVICE_IDENTITY_REQUIRED"), 1008);
}

CH_FIBER bool judge_device_proof(struct judge *j)
{
	const struct device_proof_error *e;
	struct json *d;

	if (!j->p.has_device)
		return true;
	e = device_proof_error(device_prove(j->a, &j->p, j->c->nonce, now_wall_ms(), &j->public_key));
	if (!e)
		return true;
	settle_failure(j);
	d = judge_details(j, e->code);
	judge_put(j, d, "reason", e->reason);
	return judge_refuse_plain(j, CH_E_INVALID, e->message, d, 1008);
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

/* Judges auth.bootstrapToken; it is used up when the device is paired. */
static enum auth_reason check_code(struct judge *j)
{
	struct limiter *limiter = j->gw->auth->limiter;

	if (limiter_wait_ms(limiter, AUTH_BOOTSTRAP, j->source) > 0)
		return AUTH_RATE_LIMITED;
	if (bootstrap_find(j->gw->db, j->a, j->p.bootstrap_token, &j->code, NULL) ||
	    !bootstrap_allows(j->code.profile, j->facts.role, &j->scopes)) {
		(void)limiter_fail(limiter, AUTH_BOOTSTRAP, j->source, j->is_exempt);
		return AUTH_BOOTSTRAP_INVALID;
	}
	limiter_reset(limiter, AUTH_BOOTSTRAP, j->source);
	return AUTH_OK;
}

CH_FIBER bool judge_refuse_code(struct judge *j)
{
	return refuse_auth(j, AUTH_BOOTSTRAP_INVALID, AUTH_BOOTSTRAP);
}

static bool settle_method(struct judge *j, enum auth_method method)
{
	j->facts.auth_ok = true;
	j->facts.method = method;
	return true;
}

CH_FIBER bool judge_credentials(struct judge *j)
{
	enum auth_reason reason = j->shared;
	const char *limited_class = AUTH_SHARED;

	if (j->facts.auth_ok)
		return true;
	if (j->p.has_device && j->p.bootstrap_token) {
		reason = check_code(j);
		if (reason == AUTH_OK)
			return settle_method(j, AUTH_BY_BOOTSTRAP);
		limited_class = AUTH_BOOTSTRAP;
	}
	if (has_device_candidate(j)) {
		reason = check_device_token(j);
		if (reason == AUTH_OK)
			return settle_method(j, AUTH_BY_DEVICE_TOKEN);
		if (reason != j->shared)
			limited_class = AUTH_DEVICE;
	}
	return refuse_auth(j, reason, limited_class);
}
