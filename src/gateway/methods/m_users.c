/*
 * gateway/methods/m_users.c - users.*: the profile a connection acts as, and what its pages remember.
 *
 * There is one profile, the gateway's owner; clients that stay (those in presence) act as it.
 */
#include "core/clock.h"
#include "core/str.h"
#include "gateway/conn.h"
#include "gateway/methods/methods.h"
#include "sessions/prefs.h"

#define DISPLAY_NAME_MAX 256
#define PREFS_PER_CALL 32

/* -- the profile -- */

struct profile { const char *display_name; int64_t created_at, updated_at; };

static ch_status load_number(struct gw_call *call, const char *name, int64_t def, int64_t *ret, struct ch_err *err)
{
	char *text = NULL;
	ch_status st = kv_get(call->gw->db, call->arena, name, &text, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	if (st || !str_to_i64(text, ret))
		*ret = def;
	return CH_OK;
}

static ch_status load_profile(struct gw_call *call, struct profile *ret, struct ch_err *err)
{
	char *name = NULL;
	ch_status st = kv_get(call->gw->db, call->arena, "owner.display_name", &name, err);

	if (st && st != CH_E_NOT_FOUND)
		return st;
	ret->display_name = st ? NULL : name;
	st = load_number(call, "owner.created_at", call->gw->started_wall_ms, &ret->created_at, err);
	return st ? st : load_number(call, "owner.updated_at", ret->created_at, &ret->updated_at, err);
}

static void put_profile(struct jw *w, const struct profile *p)
{
	jw_obj(w);
	jw_kstr(w, "id", GW_OWNER_PROFILE);
	jw_kstr(w, "displayName", p->display_name);
	jw_knull(w, "avatarMime");
	jw_knull(w, "mergedInto");
	jw_kint(w, "createdAt", p->created_at);
	jw_kint(w, "updatedAt", p->updated_at);
	jw_karr(w, "emails");
	jw_end(w);
	jw_knull(w, "githubIdentity");
	jw_kbool(w, "hasAvatar", false);
	jw_end(w);
}

static bool acts_as_owner(const struct gw_call *call)
{
	return call->conn->client->is_tracked;
}

static ch_status reply_profile(struct gw_call *call, struct ch_err *err)
{
	struct profile p;
	ch_status st = load_profile(call, &p, err);

	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_key(w, "profile");
	put_profile(w, &p);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_self(struct gw_call *call, struct ch_err *err)
{
	if (!acts_as_owner(call))
		return ch_fail(err, CH_E_DENIED, "users.self requires an authenticated user");
	return reply_profile(call, err);
}

static ch_status run_list(struct gw_call *call, struct ch_err *err)
{
	struct profile p;
	ch_status st = load_profile(call, &p, err);

	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_karr(w, "profiles");
	put_profile(w, &p);
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param set_name_params[] = {
	{ "profileId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "displayName", GP_STR, GP_REQUIRED | GP_NULLABLE, .min = 0, .max = DISPLAY_NAME_MAX },
	{ 0 },
};

static ch_status run_set_name(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "profileId");
	const char *name = str_trim(call->arena, json_str_or(json_get(call->params, "displayName"), ""));
	ch_status st;

	if (!str_eq(id, GW_OWNER_PROFILE))
		return ch_fail(err, CH_E_INVALID, "there is no profile '%s'; the only one is %s", id, GW_OWNER_PROFILE);
	if (!acts_as_owner(call) && !gw_conn_has(call->conn, GW_SCOPE_ADMIN))
		return ch_fail(err, CH_E_DENIED, "users.setDisplayName requires an authenticated user");
	st = *name ? kv_put(call->gw->db, "owner.display_name", name, err) : kv_delete(call->gw->db, "owner.display_name", err);
	if (!st)
		st = kv_put(call->gw->db, "owner.updated_at", arena_printf(call->arena, "%lld", (long long)now_wall_ms()), err);
	return st ? st : reply_profile(call, err);
}

/* -- preferences -- */

static const struct gw_param prefs_get_params[] = {
	{ "keys", GP_ARR, GP_NON_EMPTY | GP_UNIQUE, 0, PREFS_PER_CALL, .item = GP_STR },
	{ 0 },
};

static ch_status reply_status(struct gw_call *call, const char *status)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "status", status);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_prefs_get(struct gw_call *call, struct ch_err *err)
{
	ch_status st;

	if (!acts_as_owner(call))
		return reply_status(call, "no_durable_identity");
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "status", "ok");
	jw_key(w, "entries");
	st = prefs_write_json(call->gw->db, GW_OWNER_PROFILE, json_get(call->params, "keys"), w, err);
	if (st)
		return st;
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param prefs_set_params[] = {
	{ "entries", GP_OBJ, GP_REQUIRED, 0, PREFS_PER_CALL, .item = GP_ANY },
	{ "expectedEntries", GP_OBJ, 0, 0, PREFS_PER_CALL, .item = GP_ANY },
	{ 0 },
};

/* One line of 1 to PREFS_NAME_MAX characters. */
static ch_status check_names(const char *where, const struct json *entries, struct ch_err *err)
{
	json_each(it, entries) {
		size_t chars = 0;

		for (size_t i = 0; i < it->key_len; i++)
			chars += ((unsigned char)it->key[i] & 0xC0) != 0x80;
		if (chars < 1 || chars > PREFS_NAME_MAX || strlen(it->key) != it->key_len || strpbrk(it->key, "\r\n"))
			return ch_fail(err, CH_E_INVALID, "invalid users.prefs.set params: at /%s: a name is one line of 1 to %d characters",
				       where, PREFS_NAME_MAX);
	}
	return CH_OK;
}

static bool is_owner_conn(const struct gw_conn *c, void *arg)
{
	return c->client->is_tracked;
}

static void tell_changed(struct gw *gw, const struct json *entries)
{
	CH_AUTO_BUF struct buf payload = { 0 };
	struct jw w = JW(&payload);

	if (!json_len(entries))
		return;
	buf_init(&payload, PREFS_PER_CALL * PREFS_NAME_MAX * 8);
	jw_obj(&w);
	jw_kstr(&w, "profileId", GW_OWNER_PROFILE);
	jw_karr(&w, "keys");
	json_each(it, entries)
		jw_str(&w, it->key);
	jw_end(&w);
	jw_end(&w);
	gw_broadcast(gw, &(struct gw_event){ .name = "users.prefs.changed", .payload = buf_str(&payload), .len = payload.len,
					     .filter = is_owner_conn });
}

static ch_status refuse_full(struct gw_call *call, int64_t count, struct ch_err *err)
{
	struct json *details = json_new_obj(call->arena);

	json_set(call->arena, details, "code", json_new_str(call->arena, "USER_PREFS_LIMIT_EXCEEDED"));
	json_set(call->arena, details, "limit", json_new_int(call->arena, PREFS_MAX));
	json_set(call->arena, details, "currentCount", json_new_int(call->arena, count));
	return gw_fail_details(call, err, CH_E_INVALID, details, "users.prefs.set exceeds the %d-key profile limit (current count: %lld)",
			       PREFS_MAX, (long long)count);
}

static ch_status run_prefs_set(struct gw_call *call, struct ch_err *err)
{
	const struct json *entries = json_get(call->params, "entries"), *expected = json_get(call->params, "expectedEntries");
	enum prefs_result result;
	int64_t count;
	ch_status st = check_names("entries", entries, err);

	if (!st)
		st = check_names("expectedEntries", expected, err);
	if (st)
		return st;
	if (!acts_as_owner(call))
		return reply_status(call, "no_durable_identity");
	st = prefs_set(call->gw->db, GW_OWNER_PROFILE, entries, expected, &result, &count, err);
	if (st)
		return st;
	if (result == PREFS_FULL)
		return refuse_full(call, count, err);
	st = reply_status(call, result == PREFS_CONFLICT ? "conflict" : "ok");
	if (result == PREFS_SAVED)
		tell_changed(call->gw, entries);
	return st;
}

const struct gw_method gwm_users[] = {
	/* name                   run             scope            flags      params */
	{ "users.list",           run_list,       GW_SCOPE_READ,   GW_INLINE },
	{ "users.prefs.get",      run_prefs_get,  GW_SCOPE_READ,   GW_INLINE, prefs_get_params },
	{ "users.prefs.set",      run_prefs_set,  GW_SCOPE_WRITE,  GW_INLINE, prefs_set_params },
	{ "users.self",           run_self,       GW_SCOPE_READ,   GW_INLINE },
	{ "users.setDisplayName", run_set_name,   GW_SCOPE_WRITE,  GW_INLINE, set_name_params },
};
const size_t gwm_users_count = CH_ARRAY_LEN(gwm_users);
