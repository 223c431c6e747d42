/*
 * http_api/api_turn.c - the body of a request, and the plain members of it.
 */
#include "core/clock.h"
#include "core/rand.h"
#include "core/str.h"
#include "http_api/api.h"

static bool refuse(struct api_turn *t, int status, const char *why)
{
	api_error_reply(t->call, t->style, status, why);
	api_turn_done(t);
	return false;
}

/* How many values there are, itself included; counting stops past the limit. Depth is the parser's. */
static size_t count_values(const struct json *v, size_t max)
{
	size_t n = 1;

	json_each(child, v) {
		if (n > max)
			break;
		n += count_values(child, max - n);
	}
	return n;
}

bool api_turn_init(struct api_turn *t, struct http_call *call, const struct http_request *rq, struct gw *gw,
		   const struct api_style *style, const char *endpoint)
{
	struct ch_err err;
	int64_t urls = 8;

	*t = (struct api_turn){
		.gw = gw, .call = call, .rq = rq, .arena = arena_new(API_ARENA_MAX), .parsed = arena_new(API_PARSED_MAX),
		.style = style, .who = http_caller_of(gw, rq), .created_s = now_wall_ms() / 1000,
	};
	t->messages = json_new_arr(t->arena);
	buf_init(&t->instructions, API_SYSTEM_MAX);
	urls = config_int(gw_config(gw), arena_printf(t->arena, "gateway.http.endpoints.%s.maxUrlParts", endpoint), urls);
	t->limits = (struct api_limits){ endpoint, (int)urls, API_PARTS_MAX };
	if (json_parse(t->parsed, rq->body, rq->body_len, JSON_STRICT, &t->body, &err))
		return refuse(t, err.code == CH_E_LIMIT || err.code == CH_E_NOMEM ? 413 : 400,
			      arena_printf(t->arena, "the body is not valid JSON: %s", err.text));
	if (!json_is(t->body, JSON_OBJ))
		return refuse(t, 400, "the body must be a JSON object");
	if (count_values(t->body, API_VALUES_MAX) > API_VALUES_MAX)
		return refuse(t, 413, arena_printf(t->arena, "the body holds more than %d JSON values", API_VALUES_MAX));
	return true;
}

void api_turn_done(struct api_turn *t)
{
	buf_done(&t->instructions);
	arena_unref(t->arena);
	arena_unref(t->parsed);
}

void api_system_add(struct api_turn *t, const char *text)
{
	if (str_empty(text))
		return;
	if (t->instructions.len)
		buf_puts(&t->instructions, "\n\n");
	buf_puts(&t->instructions, text);
}

static const struct json *member(const struct json *body, const char *key)
{
	const struct json *v = json_get(body, key);

	return v && v->type != JSON_NULL ? v : NULL;
}

ch_status api_num(const struct json *body, const char *key, double min, double max, struct json **ret, struct ch_err *err)
{
	const struct json *v = member(body, key);
	double d;

	if (!v)
		return CH_OK;
	d = json_num_or(v, min - 1);
	if ((v->type != JSON_INT && v->type != JSON_NUM) || d < min || d > max)
		return ch_fail(err, CH_E_INVALID, "%s must be a number from %g to %g", key, min, max);
	*ret = json_get(body, key);
	return CH_OK;
}

ch_status api_int(const struct json *body, const char *key, int64_t min, int64_t *ret, struct ch_err *err)
{
	const struct json *v = member(body, key);
	int64_t n = v ? json_int_or(v, min - 1) : min;

	if (!v)
		return CH_OK;
	if (n < min || n > (int64_t)1 << 53)
		return ch_fail(err, CH_E_INVALID, "%s must be a whole number of at least %lld", key, (long long)min);
	*ret = n;
	return CH_OK;
}

ch_status api_bool(const struct json *body, const char *key, bool *ret, struct ch_err *err)
{
	const struct json *v = member(body, key);

	if (!v)
		return CH_OK;
	if (v->type != JSON_BOOL)
		return ch_fail(err, CH_E_INVALID, "%s must be true or false", key);
	*ret = v->b;
	return CH_OK;
}

ch_status api_str(const struct json *body, const char *key, const char **ret, struct ch_err *err)
{
	const struct json *v = member(body, key);

	if (!v)
		return CH_OK;
	if (v->type != JSON_STR)
		return ch_fail(err, CH_E_INVALID, "%s must be a string", key);
	*ret = v->str;
	return CH_OK;
}

ch_status api_sampling(struct api_turn *t, const char *key, double min, double max, struct ch_err *err)
{
	struct json *v = NULL;
	ch_status st = api_num(t->body, key, min, max, &v, err);

	if (st || !v)
		return st;
	if (!t->params)
		t->params = json_new_obj(t->arena);
	json_set(t->arena, t->params, key, json_clone(t->arena, v));
	return CH_OK;
}
