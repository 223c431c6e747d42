/*
 * gateway/methods/m_users.c - users.self: the profile a connection acts as.
 *
 * There is one profile, the gateway's owner; clients that stay (those in presence) act as it.
 */
#include "core/str.h"
#include "gateway/conn.h"
#include "gateway/methods/methods.h"

static ch_status run_self(struct gw_call *call, struct ch_err *err)
{
	char *since = NULL;
	int64_t created_at = 0;
	struct jw *w;
	ch_status st;

	if (!call->conn->client->is_tracked)
		return ch_fail(err, CH_E_DENIED, "users.self requires an authenticated user");
	st = kv_get(call->gw->db, call->arena, "owner.created_at", &since, err);
	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (st || !str_to_i64(since, &created_at))
		created_at = call->gw->started_wall_ms;
	w = gw_reply_begin(call);
	jw_obj(w);
	jw_kobj(w, "profile");
	jw_kstr(w, "id", "gateway-owner");
	jw_knull(w, "displayName");
	jw_knull(w, "avatarMime");
	jw_knull(w, "mergedInto");
	jw_kint(w, "createdAt", created_at);
	jw_kint(w, "updatedAt", created_at);
	jw_karr(w, "emails");
	jw_end(w);
	jw_knull(w, "githubIdentity");
	jw_kbool(w, "hasAvatar", false);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

const struct gw_method gwm_users[] = {
	/* name          run       scope          flags */
	{ "users.self",  run_self, GW_SCOPE_READ, GW_INLINE },
};
const size_t gwm_users_count = CH_ARRAY_LEN(gwm_users);
