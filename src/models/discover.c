/*
 * models/discover.c - what an Ollama on this machine has: /api/tags for the
 * names, /api/show for what each can do. All of it within DISCOVER_MS;
 * a model that was not asked about in time is taken as it is.
 */
#include "core/fiber.h"
#include "core/log.h"
#include "core/str.h"
#include "models/models_priv.h"
#include "net/http_client.h"
#include "net/probe.h"

#define DISCOVER_MS 500
#define MODELS_MAX 64
#define ANSWER_MAX ((size_t)4 << 20)
#define DEFAULT_WINDOW 8192
#define WINDOW_MAX 32768                 /* a window costs memory when the model is loaded, used or not */

struct asking {
	struct models *m;
	struct arena *arena;             /* of the result */
	const char *base_url;
	int64_t deadline_ms;
};

static CH_FIBER ch_status ask(const struct asking *q, const char *path, const char *body, struct arena *a,
			      struct json **ret, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf text = { .max_bytes = ANSWER_MAX };
	const struct http_header type = { "content-type", "application/json" };
	struct http_out rq = {
		.url = arena_printf(a, "%s%s", q->base_url, path),
		.headers = &type,
		.header_count = body ? 1 : 0,
		.body = body,
		.body_len = body ? strlen(body) : 0,
		.guard = GUARD_TRUST_ORIGIN,
		.headers_deadline_ms = q->deadline_ms,
	};
	ch_status st;

	st = http_open(q->m->opts.http, &rq, &r, err);
	if (!st)
		st = http_read_all(r, &text, q->deadline_ms, err);
	if (st)
		return st;
	if (http_resp_status(r) != 200)
		return ch_fail(err, CH_E_PEER, "%s answered %d", path, http_resp_status(r));
	return json_parse(a, buf_str(&text), text.len, JSON_STRICT, ret, err);
}

static bool list_has(const struct json *list, const char *word)
{
	json_each(v, list) {
		if (str_eq(json_str(v), word))
			return true;
	}
	return false;
}

/* "llama.context_length", "qwen3.context_length", … */
static int64_t context_length(const struct json *info)
{
	json_each(v, info) {
		if (str_ends(v->key, ".context_length"))
			return json_int_or(v, DEFAULT_WINDOW);
	}
	return DEFAULT_WINDOW;
}

/* false when the model cannot chat. */
static bool take_details(const struct asking *q, const struct json *show, struct model_entry *e)
{
	const struct json *can = json_get(show, "capabilities");
	struct json *compat;

	e->context_window = CH_MIN(context_length(json_get(show, "model_info")), WINDOW_MAX);
	if (!can)
		return true;
	e->reasoning = list_has(can, "thinking");
	e->input_image = list_has(can, "vision");
	if (!list_has(can, "tools")) {
		compat = json_new_obj(q->arena);
		json_set(q->arena, compat, "supportsTools", json_new_bool(q->arena, false));
		e->compat = compat;
	}
	return list_has(can, "completion");
}

static CH_FIBER bool describe(const struct asking *q, const char *id, struct model_entry *ret)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *show = NULL, *body = json_new_obj(a);

	*ret = (struct model_entry){
		.provider = "ollama",
		.id = arena_strdup(q->arena, id),
		.name = arena_strdup(q->arena, id),
		.api = "ollama",
		.base_url = q->base_url,
		.ref = arena_printf(q->arena, "ollama/%s", id),
		.context_window = DEFAULT_WINDOW,
		.input_text = true,
		.has_cost = true,       /* it costs nothing */
	};
	json_set(a, body, "model", json_new_str(a, id));
	if (ask(q, "/api/show", json_to_str(a, body), a, &show, NULL))
		return true;
	return take_details(q, show, ret);
}

static void adopt(struct models *m, struct arena *arena, const struct model_entry *entries, size_t n)
{
	arena_unref(m->found_arena);
	m->found_arena = arena;
	m->found.len = 0;
	m->found_default = NULL;
	for (size_t i = 0; i < n; i++) {
		bool takes_tools = json_get_bool(entries[i].compat, "supportsTools", true);

		vec_push(&m->found, entries[i]);
		if (takes_tools && !m->found_default)
			m->found_default = entries[i].id;
	}
	if (n && !m->found_default)
		m->found_default = entries[0].id;
	catalog_drop(m);
}

/* Where the configuration has it, if it speaks its own API there; else on this machine. */
static const char *ollama_base(struct models *m, struct arena *a)
{
	const struct json *conf = provider_config(m, "ollama");
	const char *url = json_get_str(conf, "baseUrl");
	size_t n;

	if (m->opts.ollama_url || str_empty(url) || !str_eq(json_str_or(json_get(conf, "api"), "ollama"), "ollama"))
		return arena_strdup(a, m->opts.ollama_url ? m->opts.ollama_url : OLLAMA_URL);
	n = strlen(url);
	while (n && url[n - 1] == '/')
		n--;
	if (n >= 3 && memcmp(url + n - 3, "/v1", 3) == 0)
		n -= 3;
	return arena_strndup(a, url, n);
}

CH_FIBER void models_discover(struct models *m)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO(arena_unref) struct arena *kept = arena_new(0);
	struct model_entry *entries;
	struct json *tags = NULL;
	struct ch_err err;
	size_t n = 0;
	struct asking q = {
		.m = m,
		.arena = kept,
		.base_url = ollama_base(m, kept),
		.deadline_ms = fiber_deadline(DISCOVER_MS),
	};

	/* Most machines have none: a refused connection is cheaper than loading libcurl for it. */
	if (!probe_listens(m->opts.loop, q.base_url, q.deadline_ms)) {
		log_debug("models", "no Ollama here: nobody listens at %s", q.base_url);
		adopt(m, NULL, NULL, 0);
		return;
	}
	if (ask(&q, "/api/tags", NULL, a, &tags, &err)) {
		log_debug("models", "no Ollama here: %s", err.text);
		adopt(m, NULL, NULL, 0);
		return;
	}
	entries = arena_alloc(a, MODELS_MAX * sizeof(*entries));
	json_each(v, json_get(tags, "models")) {
		const char *id = json_get_str(v, "name");

		if (!str_empty(id) && n < MODELS_MAX && describe(&q, id, &entries[n]))
			n++;
	}
	adopt(m, CH_TAKE(kept), entries, n);
	log_debug("models", "Ollama has %zu models", n);
}
