/*
 * http_api/avatar.c - GET /avatar/<agent>: the picture of an agent, a file of its workspace.
 *
 * With meta=1 a JSON object says where its face comes from. A picture that stands elsewhere is not fetched for
 * anybody: the address is told and the page decides.
 */
#include "core/image.h"
#include "core/str.h"
#include "core/vec.h"
#include "http_api/api_error.h"
#include "http_api/handlers.h"
#include "http_api/http_auth.h"
#include "net/http_static.h"
#include "net/url.h"

static bool is_remote(const char *avatar)
{
	return str_starts(avatar, "https://") || str_starts(avatar, "http://");
}

static bool is_picture_name(const char *name)
{
	static const char *const ends[] = { ".png", ".jpg", ".jpeg", ".gif", ".webp" };
	char lower[16];
	size_t n = strlen(name);

	snprintf(lower, sizeof(lower), "%s", n > 10 ? name + n - 10 : name);
	str_lower(lower);
	for (size_t i = 0; i < CH_ARRAY_LEN(ends); i++)
		if (str_ends(lower, ends[i]))
			return true;
	return false;
}

/* An emoji or a letter is no picture. */
const char *avatar_status(const char *avatar)
{
	if (str_empty(avatar))
		return "none";
	if (str_starts(avatar, "data:"))
		return "data";
	if (is_remote(avatar))
		return "remote";
	return is_picture_name(avatar) ? "local" : "none";
}

static void reply_meta(struct http_call *call, const struct agent_info *agent, const char *path)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);
	const char *status = avatar_status(agent->avatar);
	bool is_file = str_eq(status, "local");

	buf_init(&body, 1u << 20);
	jw_obj(&w);
	jw_kstr(&w, "avatarUrl", is_file ? path : str_eq(status, "remote") ? agent->avatar : NULL);
	jw_kstr(&w, "avatarSource", agent->avatar);
	jw_kstr(&w, "avatarStatus", status);
	jw_knull(&w, "avatarReason");
	jw_end(&w);
	http_reply_header(call, "Cache-Control", "no-store");
	http_reply_json(call, 200, buf_str(&body), body.len);
}

CH_FIBER void avatar_serve(struct http_call *call, const struct http_request *rq, struct gw *gw, const char *agent_id)
{
	static const struct http_gate gate = { "/avatar/*", NULL, GW_SCOPE_READ, &api_gateway };
	const struct agent_info *agent;
	const char *meta = rq->query ? url_query_get(rq->arena, rq->query, "meta") : NULL;
	struct ch_err err;

	if (!http_gate_admit(&gate, call, rq, gw))
		return;
	agent = strchr(agent_id, '/') ? NULL : agent_find(gw_config(gw), gw->state_dir, rq->arena, agent_id);
	if (agent && str_eq(meta, "1")) {
		reply_meta(call, agent, rq->path);
		return;
	}
	if (agent && str_eq(avatar_status(agent->avatar), "local") && agent->workspace) {
		http_reply_header(call, "Content-Security-Policy", "default-src 'none'; sandbox");
		http_reply_header(call, "Vary", "Authorization");
		if (!http_static_file(call, rq, agent->workspace, agent->avatar, &err))
			return;
	}
	api_error_reply(call, &api_gateway, 404, "Not Found");
}

void avatar(struct http_call *call, const struct http_request *rq, void *arg)
{
	avatar_serve(call, rq, arg, rq->path + strlen("/avatar/"));
}
