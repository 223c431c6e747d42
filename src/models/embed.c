/*
 * models/embed.c - see embed.h. Each way to ask is a dialect as far as the request goes, so that URLs, keys and
 * headers are made as for other requests; its answer is one JSON document.
 */
#include "models/embed.h"

#include "core/clock.h"
#include "core/fiber.h"
#include "core/str.h"
#include "models/attempt.h"
#include "models/budget.h"
#include "models/dialect.h"

#define BODY_MAX ((size_t)8 << 20)
#define ANSWER_MAX ((size_t)16 << 20)

static const char *const json_headers[] = { "content-type: application/json", NULL };

/* Prices in USD per million tokens, of models that are in no catalog. */
static const struct known { const char *provider, *id; double price; } known[] = {
	{ "openai",  "text-embedding-3-small", 0.02 },
	{ "google",  "gemini-embedding-001",   0.15 },
	{ "mistral", "mistral-embed",          0.10 },
	{ "openai",  "text-embedding-3-large", 0.13 },
	{ "openai",  "text-embedding-ada-002", 0.10 },
};
#define DEFAULTS 3                       /* the first rows, in this order */

/* -- requests -- */

static void begin_request(struct model_http *http, struct jw *w)
{
	http->headers = json_headers;
	*w = JW(http->body);
	jw_obj(w);
}

static int64_t dimensions_of(const struct model_call *call)
{
	return json_get_int(call->params, "dimensions", 0);
}

static ch_status build_openai(struct arena *a, const struct model_call *call, const struct model_entry *m,
			      struct model_http *ret, struct ch_err *err)
{
	struct jw w;

	begin_request(ret, &w);
	ret->path = "/embeddings";
	jw_kstr(&w, "model", m->id);
	jw_kvalue(&w, "input", call->messages);
	jw_kstr(&w, "encoding_format", "float");
	if (dimensions_of(call))
		jw_kint(&w, "dimensions", dimensions_of(call));
	jw_end(&w);
	return buf_status(ret->body, err, "the texts");
}

static ch_status build_ollama(struct arena *a, const struct model_call *call, const struct model_entry *m,
			      struct model_http *ret, struct ch_err *err)
{
	struct jw w;

	begin_request(ret, &w);
	ret->path = "/api/embed";
	jw_kstr(&w, "model", m->id);
	jw_kvalue(&w, "input", call->messages);
	if (dimensions_of(call))
		jw_kint(&w, "dimensions", dimensions_of(call));
	jw_end(&w);
	return buf_status(ret->body, err, "the texts");
}

static ch_status build_google(struct arena *a, const struct model_call *call, const struct model_entry *m,
			      struct model_http *ret, struct ch_err *err)
{
	const char *id = str_starts(m->id, "models/") ? m->id + strlen("models/") : m->id;
	struct jw w;

	begin_request(ret, &w);
	ret->path = arena_printf(a, "/models/%s:batchEmbedContents", id);
	jw_karr(&w, "requests");
	json_each(text, call->messages) {
		jw_obj(&w);
		jw_kstr(&w, "model", arena_printf(a, "models/%s", id));
		jw_kobj(&w, "content");
		jw_karr(&w, "parts");
		jw_obj(&w);
		jw_kvalue(&w, "text", text);
		jw_end(&w);
		jw_end(&w);
		jw_end(&w);
		if (dimensions_of(call))
			jw_kint(&w, "outputDimensionality", dimensions_of(call));
		jw_end(&w);
	}
	jw_end(&w);
	jw_end(&w);
	return buf_status(ret->body, err, "the texts");
}

/* -- answers: the array of vectors, in order -- */

/* Items carry their index; most services send them in order, none must. */
static void read_openai(const struct json *answer, const struct json **ret, size_t n, int64_t *ret_tokens)
{
	size_t at = 0;

	json_each(item, json_get(answer, "data")) {
		int64_t i = json_get_int(item, "index", (int64_t)at++);

		if (i >= 0 && (size_t)i < n)
			ret[i] = json_get(item, "embedding");
	}
	*ret_tokens = json_int_or(json_path(answer, "usage.prompt_tokens"), 0);
}

static void read_ollama(const struct json *answer, const struct json **ret, size_t n, int64_t *ret_tokens)
{
	size_t i = 0;

	json_each(vector, json_get(answer, "embeddings"))
		if (i < n)
			ret[i++] = vector;
	*ret_tokens = json_get_int(answer, "prompt_eval_count", 0);
}

static void read_google(const struct json *answer, const struct json **ret, size_t n, int64_t *ret_tokens)
{
	size_t i = 0;

	json_each(item, json_get(answer, "embeddings"))
		if (i < n)
			ret[i++] = json_get(item, "values");
	*ret_tokens = json_int_or(json_path(answer, "usageMetadata.promptTokenCount"), 0);
}

struct way {
	struct dialect dialect;
	void (*read)(const struct json *answer, const struct json **ret, size_t n, int64_t *ret_tokens);
};

static const struct way ways[] = {
	{ { .api = "openai-completions", .auth = AUTH_BEARER, .build = build_openai }, read_openai },
	{ { .api = "openai-responses", .auth = AUTH_BEARER, .build = build_openai }, read_openai },
	{ { .api = "ollama", .auth = AUTH_BEARER, .build = build_ollama }, read_ollama },
	{ { .api = "google-generative-ai", .auth = AUTH_X_GOOG_API_KEY, .build = build_google }, read_google },
};

static const struct way *find_way(const char *api)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(ways); i++)
		if (str_eq(ways[i].dialect.api, api))
			return &ways[i];
	return NULL;
}

/* -- one exchange -- */

struct exchange {
	struct models *m;
	struct arena *arena;
	struct model_call call;
	struct model_entry entry;
	const struct way *way;
	struct model_target target;
	struct model_result result;
	struct embed_result *ret;
};

static ch_status refused(struct exchange *x, struct http_resp *r, const struct buf *body, struct ch_err *err)
{
	const char *wait = http_resp_header(r, "retry-after");
	char words[128] = "";

	x->result.error_class = error_read_body(x->result.http_status, buf_str(body), body->len, words, sizeof(words));
	x->result.retry_after_ms = retry_after_parse(wait, now_wall_ms());
	return ch_fail(err, CH_E_PEER, "%s: HTTP %d%s%s", x->entry.ref, x->result.http_status, *words ? ": " : "", words);
}

static ch_status read_answer(struct exchange *x, const struct buf *body, struct ch_err *err)
{
	size_t n = json_len(x->call.messages);
	struct json *answer;
	struct ch_err why;

	if (json_parse(x->arena, buf_str(body), body->len, JSON_STRICT, &answer, &why)) {
		x->result.error_class = MODEL_ERR_SERVER;
		return ch_fail(err, CH_E_PEER, "%s: the answer is not JSON: %s", x->entry.ref, why.text);
	}
	x->ret->vectors = arena_alloc(x->arena, (n + 1) * sizeof(*x->ret->vectors));
	x->way->read(answer, x->ret->vectors, n, &x->ret->tokens);
	for (size_t i = 0; i < n; i++)
		if (!json_len(x->ret->vectors[i])) {
			x->result.error_class = MODEL_ERR_SERVER;
			return ch_fail(err, CH_E_PEER, "%s: the answer has no vector for each text", x->entry.ref);
		}
	x->result.usage.input = x->ret->tokens;
	return CH_OK;
}

static CH_FIBER ch_status ask(struct exchange *x, struct ch_err *err)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = ANSWER_MAX };
	struct model_target *t = &x->target;
	struct http_out rq = {
		.method = "POST", .url = t->url, .headers = t->headers.at, .header_count = t->headers.len, .body = t->body,
		.body_len = t->body_len, .guard = t->guard, .headers_deadline_ms = fiber_deadline(t->silence_ms),
		.ret_sent = &t->was_sent,
	};
	ch_status st = http_open(x->m->opts.http, &rq, &r, err);

	if (!st)
		st = http_read_all(r, &body, fiber_deadline(t->silence_ms), err);
	if (st) {
		x->result.error_class = st == CH_E_TIMEOUT ? MODEL_ERR_TIMEOUT : MODEL_ERR_NETWORK;
		return st;
	}
	x->result.http_status = http_resp_status(r);
	if (x->result.http_status != 200)
		return refused(x, r, &body, err);
	return read_answer(x, &body, err);
}

static void settle(struct exchange *x, ch_status st, int64_t began_ms)
{
	struct model_result *r = &x->result;

	r->has_cost = cost_of(&x->entry, &r->usage, &r->cost);
	r->total_ms = now_mono_ms() - began_ms;
	x->ret->error_class = r->error_class;
	x->ret->retry_after_ms = r->retry_after_ms;
	if (!x->target.was_sent)
		return;
	if (st != CH_E_CANCELED)
		auth_report(x->m, &x->target.lease, x->entry.id, r->error_class, r->retry_after_ms);
	ledger_add(x->m->opts.db, &(struct ledger_row){
					  .call = &x->call, .result = r, .attempt = 1, .auth_profile = x->target.lease.profile,
					  .outcome = !st                  ? "ok"
						     : st == CH_E_CANCELED ? "canceled"
									   : model_error_class_name(r->error_class) });
}

static CH_FIBER ch_status exchange(struct exchange *x, struct ch_err *err)
{
	CH_AUTO_BUF struct buf body = { .max_bytes = BODY_MAX };
	int64_t began_ms = now_mono_ms();
	ch_status st = model_target_init(&x->target, x->m, x->arena, &x->call, &x->entry, &x->way->dialect, &body, err);

	if (st)
		x->result.error_class = MODEL_ERR_AUTH;
	else
		st = ask(x, err);
	settle(x, st, began_ms);
	model_target_done(&x->target);
	return st;
}

/* -- which model -- */

static void put_price(struct model_entry *e)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(known) && !e->has_cost; i++) {
		if (!str_eq(known[i].provider, e->provider) || !str_eq(known[i].id, e->id))
			continue;
		e->has_cost = true;
		e->cost_input = known[i].price;
	}
}

const char *model_embed_default(struct models *m)
{
	static const char *const refs[DEFAULTS] = {
		"openai/text-embedding-3-small", "google/gemini-embedding-001", "mistral/mistral-embed",
	};

	for (size_t i = 0; i < DEFAULTS; i++)
		if (models_provider_ready(m, known[i].provider))
			return refs[i];
	return NULL;
}

CH_FIBER ch_status model_embed(struct models *m, const struct embed_call *call, struct arena *a, struct embed_result *ret,
			       struct ch_err *err)
{
	struct exchange x = { .m = m, .arena = a, .ret = ret, .result = { .first_byte_ms = -1, .attempts = 1 } };
	struct json *params = json_new_obj(a);
	struct budget_hold hold = { 0 };
	ch_status st;

	*ret = (struct embed_result){ 0 };
	json_set(a, params, "dimensions", json_new_int(a, call->dimensions));
	x.call = (struct model_call){ .ref = call->ref, .messages = call->texts, .params = params, .agent_id = call->agent_id,
				      .reason = MODEL_FOR_EMBEDDING };
	st = model_resolve(m, call->ref, call->agent_id, a, &x.entry, NULL, err);
	if (st)
		return st;
	x.way = find_way(x.entry.api);
	if (!x.way)
		return ch_fail(err, CH_E_UNSUPPORTED, "%s: this provider has no embeddings", x.entry.ref);
	put_price(&x.entry);
	FIELD_SET(x.result.provider, x.entry.provider);
	FIELD_SET(x.result.model, x.entry.id);
	FIELD_SET(x.result.api, x.entry.api);
	st = budget_take(m, &x.call, &x.entry, &hold, err);
	if (st)
		return st;
	st = exchange(&x, err);
	budget_release(&hold);
	return st;
}
