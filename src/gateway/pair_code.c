/*
 * gateway/pair_code.c - pairing by setup code: used up, approved and given its tokens in one transaction.
 */
#include "core/log.h"
#include "core/clock.h"
#include "core/str.h"
#include "gateway/pair.h"

/* One token for each role that the code hands over. */
static ch_status issue_tokens(struct db *db, struct arena *a, const struct pair_request *ask,
			      struct pair_code_grant *g, struct ch_err *err)
{
	static const enum gw_role roles[] = { GW_ROLE_OPERATOR, GW_ROLE_NODE };
	ch_status st = CH_OK;

	g->issued_at = now_wall_ms();
	for (size_t i = 0; !st && i < CH_ARRAY_LEN(roles); i++) {
		struct pair_code_token t = { .role = roles[i] };

		if (!(ask->roles & roles[i]))
			continue;
		if (roles[i] == GW_ROLE_OPERATOR)
			t.scopes = ask->scopes;
		t.token = arena_alloc(a, DEVICE_TOKEN_LEN + 1);
		st = device_token_issue(db, ask->device_id, t.role, &t.scopes, g->issued_at, false, t.token, err);
		if (t.role == ask->role)
			g->own = t;
		else
			g->other = t;
	}
	return st;
}

static ch_status in_transaction(struct gw *gw, struct arena *a, const struct pair_request *ask, const char *code,
				struct pair_code_grant *g, struct ch_err *err)
{
	struct pair_request open;
	ch_status st = bootstrap_use(gw->db, code, ask->device_id, ask->display_name, err);

	if (!st)
		st = pair_grant(gw, a, ask, "bootstrap", &g->device, err);
	if (!st)
		st = issue_tokens(gw->db, a, ask, g, err);
	if (!st && !pair_request_of(gw->db, a, ask->device_id, &open, NULL))
		st = pair_request_delete(gw->db, open.id, err);
	return st;
}

ch_status pair_by_code(struct gw *gw, struct arena *a, const struct pair_request *ask, const struct bootstrap *b,
		       const char *code, struct pair_code_grant *ret, struct ch_err *err)
{
	struct pair_code_grant g = {0};
	struct pair_request r = *ask;
	ch_status st = db_begin_durable(gw->db, err);

	if (st)
		return st;
	r.roles = b->profile->roles;
	r.scopes = bootstrap_scopes(b->profile);
	st = in_transaction(gw, a, &r, code, &g, err);
	if (st) {
		db_rollback(gw->db);
		return st;
	}
	st = db_commit(gw->db, err);
	if (st)
		return st;
	log_info("gateway", "device paired by setup code device=%.12s setup=%s profile=%s client=%s", r.device_id,
		 b->setup_id, b->profile->name, log_quote(r.client_id));
	pair_tell_approved(gw, a, r.device_id);
	*ret = g;
	return CH_OK;
}
