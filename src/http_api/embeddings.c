/*
 * http_api/embeddings.c - POST /v1/embeddings: texts to vectors, at the provider that x-openclaw-model names or the
 * first one that can.
 */
#include "core/mem.h"
#include "core/str.h"
#include "http_api/api.h"
#include "http_api/handlers.h"
#include "models/embed.h"

#define INPUTS_MAX 128
#define INPUT_CHARS 8192
#define TOTAL_CHARS 65536
#define NONE "No provider with embeddings is set up. Set OPENAI_API_KEY, GEMINI_API_KEY or MISTRAL_API_KEY, or name a "     \
	     "model by the header x-openclaw-model."

struct embeddings {
	const char *model, *format, *agent_id;
	struct json *texts;
	int64_t dimensions;
};

static ch_status check_texts(const struct json *texts, struct ch_err *err)
{
	size_t total = 0;

	if (!json_len(texts))
		return ch_fail(err, CH_E_INVALID, "`input` must contain at least one non-empty string.");
	if (json_len(texts) > INPUTS_MAX)
		return ch_fail(err, CH_E_INVALID, "Too many inputs (max %d).", INPUTS_MAX);
	json_each(text, texts) {
		if (!json_str(text))
			return ch_fail(err, CH_E_INVALID, "`input` must be a string or an array of strings.");
		if (!text->len)
			return ch_fail(err, CH_E_INVALID, "`input` must contain at least one non-empty string.");
		if (text->len > INPUT_CHARS)
			return ch_fail(err, CH_E_INVALID, "Input too long (max %d bytes).", INPUT_CHARS);
		total += text->len;
	}
	if (total > TOTAL_CHARS)
		return ch_fail(err, CH_E_INVALID, "Total input too large (max %d bytes).", TOTAL_CHARS);
	return CH_OK;
}

static ch_status read_texts(struct api_turn *t, struct embeddings *e, struct ch_err *err)
{
	struct json *input = json_get(t->body, "input");

	if (json_is(input, JSON_STR)) {
		e->texts = json_new_arr(t->arena);
		json_push(e->texts, json_clone(t->arena, input));
	} else if (json_is(input, JSON_ARR)) {
		e->texts = input;
	} else {
		return ch_fail(err, CH_E_INVALID, "`input` must be a string or an array of strings.");
	}
	return check_texts(e->texts, err);
}

static ch_status read_request(struct api_turn *t, struct embeddings *e, struct ch_err *err)
{
	ch_status st = api_str(t->body, "model", &e->model, err);

	e->format = "float";
	if (!st && str_empty(e->model))
		st = ch_fail(err, CH_E_INVALID, "Missing `model`.");
	if (!st)
		st = api_agent_of_request(t->gw, t->rq, e->model, &e->agent_id, err);
	if (!st)
		st = api_str(t->body, "encoding_format", &e->format, err);
	if (!st && !str_in(e->format, (const char *const[]){ "float", "base64" }, 2))
		st = ch_fail(err, CH_E_INVALID, "encoding_format must be float or base64");
	if (!st)
		st = api_int(t->body, "dimensions", 1, &e->dimensions, err);
	if (!st)
		st = read_texts(t, e, err);
	if (!st)
		st = api_model_override(t->rq, &t->who, &t->model_override, err);
	return st;
}

/* The vector as 32-bit floats, little endian as every machine we run on. */
static void put_base64(struct jw *w, const struct json *vector)
{
	size_t n = json_len(vector), i = 0;
	float *floats = ch_alloc(n * sizeof(*floats));
	CH_AUTO_STR char *text = ch_alloc(4 * ((n * sizeof(*floats) + 2) / 3) + 1);

	json_each(v, vector)
		floats[i++] = (float)json_num_or(v, 0);
	b64_encode(floats, n * sizeof(*floats), text);
	jw_kstr(w, "embedding", text);
	ch_free(floats);
}

static void reply(struct api_turn *t, const struct embeddings *e, const struct embed_result *r)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);

	buf_init(&body, API_OUT_MAX);
	jw_obj(&w);
	jw_kstr(&w, "object", "list");
	jw_karr(&w, "data");
	for (size_t i = 0; i < json_len(e->texts); i++) {
		jw_obj(&w);
		jw_kstr(&w, "object", "embedding");
		jw_kint(&w, "index", (int64_t)i);
		if (str_eq(e->format, "base64"))
			put_base64(&w, r->vectors[i]);
		else
			jw_kvalue(&w, "embedding", r->vectors[i]);
		jw_end(&w);
	}
	jw_end(&w);
	jw_kstr(&w, "model", e->model);
	jw_kobj(&w, "usage");
	jw_kint(&w, "prompt_tokens", r->tokens);
	jw_kint(&w, "total_tokens", r->tokens);
	jw_end(&w);
	jw_end(&w);
	http_reply_header(t->call, "Cache-Control", "no-store");
	http_reply_json(t->call, 200, buf_str(&body), body.len);
}

static int status_of(ch_status st, const struct embed_result *r)
{
	if (st == CH_E_LIMIT)
		return 429;
	if (st == CH_E_NOT_FOUND)
		return 400;
	return r->error_class == MODEL_ERR_RATE_LIMIT ? 429 : r->error_class == MODEL_ERR_FORMAT ? 400 : api_status_of(st);
}

static CH_FIBER void serve(struct api_turn *t)
{
	struct embeddings e = { 0 };
	struct embed_result r;
	struct embed_call call;
	struct ch_err err;
	ch_status st = read_request(t, &e, &err);

	if (st) {
		api_error_fail(t->call, t->style, st, &err);
		return;
	}
	call = (struct embed_call){ .ref = t->model_override ? t->model_override : model_embed_default(t->gw->models),
				    .texts = e.texts, .dimensions = e.dimensions, .agent_id = e.agent_id };
	if (!call.ref) {
		api_error_reply(t->call, t->style, 400, NONE);
		return;
	}
	st = model_embed(t->gw->models, &call, t->arena, &r, &err);
	if (!st)
		reply(t, &e, &r);
	else
		api_error_reply(t->call, t->style, status_of(st, &r), err.text);
}

void embeddings(struct http_call *call, const struct http_request *rq, void *arg)
{
	struct api_turn t;

	if (!api_turn_init(&t, call, rq, arg, &api_openai, "chatCompletions"))
		return;
	serve(&t);
	api_turn_done(&t);
}
