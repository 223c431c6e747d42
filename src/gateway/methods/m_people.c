/*
 * gateway/methods/m_people.c - who is with whom in which session, and the panels beside a conversation.
 *
 * One person uses this gateway, so the answers are short: the owner, nobody else. Panels
 * whose subject this build does not have (a companion, discussions, foreign catalogs, GitHub) say so by being empty.
 */
#include "core/mem.h"
#include "core/str.h"
#include "gateway/hub.h"
#include "gateway/methods/methods.h"
#include "gateway/render.h"

#define WATCHED_MAX 32
#define TYPING_PREVIEW_MAX 400

static const struct gw_param session_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

/* The session that is meant; CH_E_INVALID when there is none. */
static ch_status find_session(struct gw_call *call, struct sess **ret, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	if (!st)
		st = sess_find(call->gw->sessions, key.key, ret, err);
	return st == CH_E_NOT_FOUND ? ch_fail(err, CH_E_INVALID, "session not found: %s", key.key) : st;
}

static ch_status reply_text(struct gw_call *call, const char *json)
{
	jw_raw(gw_reply_begin(call), json, strlen(json));
	gw_reply_end(call);
	return CH_OK;
}

/* A panel that is empty for every session whose key is one. */
static ch_status reply_empty(struct gw_call *call, const char *json, struct ch_err *err)
{
	struct sess_key key;
	ch_status st = gw_session_key_param(call, &key, err);

	return st ? st : reply_text(call, json);
}

/* -- who is here -- */

static void put_owner(struct jw *w, bool with_label)
{
	jw_obj(w);
	jw_kstr(w, "type", "human");
	jw_kstr(w, "id", GW_OWNER_PROFILE);
	jw_kobj(w, "identity");
	jw_kstr(w, "type", "profile");
	jw_kstr(w, "id", GW_OWNER_PROFILE);
	jw_end(w);
	if (with_label)
		jw_kstr(w, "label", GW_OWNER_PROFILE);
	jw_end(w);
}

static ch_status run_members(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	ch_status st = find_session(call, &s, err);

	if (st)
		return st;
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "sessionKey", s->key);
	jw_key(w, "owner");
	put_owner(w, false);
	jw_karr(w, "members");
	jw_end(w);
	jw_karr(w, "identities");
	put_owner(w, true);
	jw_end(w);
	jw_kstr(w, "role", "admin");
	jw_karr(w, "allowedVisibilities");
	jw_str(w, "shared");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static ch_status run_mentions(struct gw_call *call, struct ch_err *err)
{
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kstr(w, "gatewayInstanceId", call->gw->instance_id);
	jw_kint(w, "revision", 0);
	jw_karr(w, "items");
	jw_end(w);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

static const struct gw_param typing_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "sessionId", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "typing", GP_BOOL, GP_REQUIRED },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "preview", GP_STR, .min = 0, .max = TYPING_PREVIEW_MAX },
	{ 0 },
};

/* Told to other people who look at the session; here there are none. */
static ch_status run_typing(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	ch_status st = find_session(call, &s, err);

	return st ? st : reply_text(call, "{\"ok\":true,\"broadcast\":false}");
}

/* -- sessions.viewers.set -- */

static const struct gw_param viewers_params[] = {
	{ "sessionKeys", GP_ARR, GP_REQUIRED | GP_NON_EMPTY, 0, WATCHED_MAX, .item = GP_STR },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

/* The canonical keys as a JSON array; one that is named twice stands once. */
static ch_status put_watched(struct gw_call *call, struct jw *w, struct ch_err *err)
{
	CH_AUTO(map_free) struct map *seen = map_new();

	jw_arr(w);
	json_each(item, json_get(call->params, "sessionKeys")) {
		struct sess_key key;
		ch_status st = gw_session_key(call, json_str(item), &key, err);

		if (st)
			return st;
		if (map_find(seen, key.key))
			continue;
		map_put(seen, key.key, call);
		jw_str(w, key.key);
	}
	jw_end(w);
	return buf_status(w->out, err, "sessionKeys");
}

static ch_status run_viewers(struct gw_call *call, struct ch_err *err)
{
	CH_AUTO_BUF struct buf keys = { 0 };
	struct jw k = JW(&keys);
	const char *now;
	ch_status st;

	buf_init(&keys, WATCHED_MAX * (SESS_KEY_MAX * 6u + 3) + 2);
	st = put_watched(call, &k, err);
	if (st)
		return st;
	now = keys.len > 2 ? buf_str(&keys) : NULL;
	if (!str_eq(now, call->conn->watched)) {
		ch_free(call->conn->watched);
		call->conn->watched = now ? ch_strdup(now) : NULL;
		if (call->conn->client->is_tracked)
			hub_presence_changed(call->gw->hub);
	}
	struct jw *w = gw_reply_begin(call);

	jw_obj(w);
	jw_kraw(w, "sessionKeys", keys.data, keys.len);
	jw_end(w);
	gw_reply_end(call);
	return CH_OK;
}

/* -- panels -- */

static const struct gw_param observer_params[] = {
	{ "visible", GP_BOOL, GP_REQUIRED },
	{ 0 },
};

/* Says whether the page can be seen: nothing here digests sessions for it. */
static ch_status run_observer(struct gw_call *call, struct ch_err *err)
{
	return reply_text(call, "{\"ok\":true}");
}

static ch_status run_companion(struct gw_call *call, struct ch_err *err)
{
	return reply_empty(call, "{\"exchanges\":[]}", err);
}

static ch_status run_discussion(struct gw_call *call, struct ch_err *err)
{
	return reply_empty(call, "{\"state\":\"none\"}", err);
}

static const struct gw_param github_params[] = {
	{ "sessionKey", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "idempotencyKey", GP_STR, GP_NON_EMPTY },
	{ 0 },
};

static ch_status run_github(struct gw_call *call, struct ch_err *err)
{
	return reply_empty(call,
			   "{\"personal\":{\"state\":\"disconnected\",\"generation\":null,\"account\":null,"
			   "\"accessExpiresAtMs\":null,\"refreshState\":\"not_applicable\",\"pending\":null},"
			   "\"shared\":null,\"pendingPersonal\":null,\"latestShared\":null}", err);
}

static const struct gw_param catalog_params[] = {
	{ "catalogId", GP_STR, GP_NON_EMPTY },
	{ "metadataOnly", GP_BOOL },
	{ "cursors", GP_OBJ, .item = GP_STR },
	{ "agentId", GP_STR, GP_NON_EMPTY },
	{ "progressId", GP_STR, GP_NON_EMPTY, 1, 128 },
	{ "allowPartialResults", GP_BOOL },
	{ "search", GP_STR },
	{ "limitPerHost", GP_INT, .min = 1, .max = INT64_MAX },
	{ "hostIds", GP_ARR, GP_NON_EMPTY, .item = GP_STR },
	{ 0 },
};

/* Sessions of other programs (catalogs): none is known here. */
static ch_status run_catalog(struct gw_call *call, struct ch_err *err)
{
	const char *id = json_get_str(call->params, "catalogId");

	if (id)
		return ch_fail(err, CH_E_INVALID, "unknown session catalog: %s", id);
	return reply_text(call, "{\"catalogs\":[]}");
}

const struct gw_method gwm_people[] = {
	/* name                            run             scope            flags      params */
	{ "mentions.list",                 run_mentions,   GW_SCOPE_READ,   GW_INLINE },
	{ "session.discussion.info",       run_discussion, GW_SCOPE_READ,   GW_INLINE, session_params },
	{ "session.members.list",          run_members,    GW_SCOPE_READ,   GW_INLINE, session_params },
	{ "session.members.listEvidence",  run_members,    GW_SCOPE_READ,   GW_INLINE, session_params },
	{ "session.typing",                run_typing,     GW_SCOPE_WRITE,  GW_INLINE, typing_params },
	{ "sessions.catalog.list",         run_catalog,    GW_SCOPE_READ,   GW_INLINE, catalog_params },
	{ "sessions.companion.state",      run_companion,  GW_SCOPE_READ,   GW_INLINE, session_params },
	{ "sessions.github.options",       run_github,     GW_SCOPE_READ,   GW_INLINE, github_params },
	{ "sessions.observer.visibility",  run_observer,   GW_SCOPE_READ,   GW_INLINE, observer_params },
	{ "sessions.viewers.set",          run_viewers,    GW_SCOPE_READ,   GW_INLINE, viewers_params },
};
const size_t gwm_people_count = CH_ARRAY_LEN(gwm_people);
