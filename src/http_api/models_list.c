/*
 * http_api/models_list.c - GET /v1/models and /v1/models/{id}: the agents, as models.
 *
 * Clients of Anthropic's API, known by their header, get its shape; the two have no member in common that differs.
 */
#include "core/clock.h"
#include "core/str.h"
#include "core/vec.h"
#include "http_api/api.h"
#include "http_api/handlers.h"

struct ids { VEC(const char *) list; };

static void add(struct ids *ids, const char *id)
{
	for (size_t i = 0; i < ids->list.len; i++)
		if (str_eq(ids->list.at[i], id))
			return;
	vec_push(&ids->list, id);
}

static void collect(struct gw *gw, struct arena *a, struct ids *ids)
{
	const struct agent_info *agents;
	size_t n = agents_list(gw_config(gw), gw->state_dir, a, &agents);

	add(ids, "openclaw");
	add(ids, "openclaw/default");
	for (size_t i = 0; i < n; i++)
		add(ids, arena_printf(a, "openclaw/%s", agents[i].id));
}

static bool is_anthropic(const struct http_request *rq)
{
	return http_header(rq, "anthropic-version") != NULL;
}

static void put_model(struct jw *w, const char *id, bool anthropic)
{
	char since[CLOCK_ISO_LEN];

	jw_obj(w);
	jw_kstr(w, "id", id);
	if (anthropic) {
		clock_iso(0, since);
		jw_kstr(w, "type", "model");
		jw_kstr(w, "display_name", id);
		jw_kstr(w, "created_at", since);
	} else {
		jw_kstr(w, "object", "model");
		jw_kint(w, "created", 0);
		jw_kstr(w, "owned_by", "openclaw");
		jw_karr(w, "permission");
		jw_end(w);
	}
	jw_end(w);
}

static void put_list(struct jw *w, const struct ids *ids, bool anthropic)
{
	jw_obj(w);
	if (!anthropic)
		jw_kstr(w, "object", "list");
	jw_karr(w, "data");
	for (size_t i = 0; i < ids->list.len; i++)
		put_model(w, ids->list.at[i], anthropic);
	jw_end(w);
	if (anthropic) {
		jw_kbool(w, "has_more", false);
		jw_kstr(w, "first_id", ids->list.at[0]);
		jw_kstr(w, "last_id", ids->list.at[ids->list.len - 1]);
	}
	jw_end(w);
}

static bool has(const struct ids *ids, const char *id)
{
	for (size_t i = 0; i < ids->list.len; i++)
		if (str_eq(ids->list.at[i], id))
			return true;
	return false;
}

void models_list(struct http_call *call, const struct http_request *rq, void *arg)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);
	struct ids ids = { VEC_INIT };
	bool anthropic = is_anthropic(rq);
	const char *id = str_starts(rq->path, "/v1/models/") ? rq->path + strlen("/v1/models/") : NULL;

	buf_init(&body, 1u << 20);
	collect(arg, rq->arena, &ids);
	if (!id) {
		put_list(&w, &ids, anthropic);
	} else if (has(&ids, id)) {
		put_model(&w, id, anthropic);
	} else {
		api_error_reply(call, anthropic ? &api_anthropic : &api_openai, 404,
				arena_printf(rq->arena, "Model '%.200s' not found.", id));
		vec_done(&ids.list);
		return;
	}
	http_reply_header(call, "Cache-Control", "no-store");
	http_reply_json(call, 200, buf_str(&body), body.len);
	vec_done(&ids.list);
}
