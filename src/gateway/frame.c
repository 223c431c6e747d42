/*
 * gateway/frame.c - parsing request frames, writing response frames.
 */
#include "gateway/frame.h"

#include "core/str.h"
#include "gateway/params.h"

static const char *const req_types[] = { "req", NULL };

static const struct gw_param req_schema[] = {
	{ "type", GP_ENUM, GP_REQUIRED, .choices = req_types },
	{ "id", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "method", GP_STR, GP_REQUIRED | GP_NON_EMPTY },
	{ "params", GP_ANY },
	{ "traceparent", GP_STR, .max = 128 },
	{ "expectedProfileId", GP_STR, GP_NON_EMPTY },
	{0},
};

void frame_parse(struct arena *a, const char *text, size_t len, struct frame *ret, struct ch_err *err)
{
	struct json *v;
	const char *id;

	*ret = (struct frame){ .kind = FRAME_NOT_JSON, .id = "invalid" };
	if (json_parse(a, text, len, JSON_STRICT, &v, err))
		return;
	id = json_get_str(v, "id");
	if (!str_empty(id))
		ret->id = id;
	ret->kind = FRAME_BAD;
	if (!json_is(v, JSON_OBJ)) {
		(void)ch_fail(err, CH_E_INVALID, "invalid request frame: must be object");
		return;
	}
	if (gw_params_check_as("invalid request frame", req_schema, false, v, err))
		return;
	ret->kind = FRAME_REQ;
	ret->method = json_get_str(v, "method");
	ret->params = json_get(v, "params");
}

void frame_res_begin(struct jw *w, const char *id)
{
	jw_obj(w);
	jw_kstr(w, "type", "res");
	jw_kstr(w, "id", id);
	jw_kbool(w, "ok", true);
	jw_key(w, "payload");
}

void frame_res_end(struct jw *w)
{
	jw_end(w);
}

void frame_res_error(struct jw *w, const char *id, const struct frame_error *e)
{
	jw_obj(w);
	jw_kstr(w, "type", "res");
	jw_kstr(w, "id", id);
	jw_kbool(w, "ok", false);
	jw_kobj(w, "error");
	jw_kstr(w, "code", e->code);
	jw_kstr(w, "message", e->message);
	if (e->details)
		jw_kvalue(w, "details", e->details);
	if (e->is_retryable)
		jw_kbool(w, "retryable", true);
	if (e->retry_after_ms > 0)
		jw_kint(w, "retryAfterMs", e->retry_after_ms);
	jw_end(w);
	jw_end(w);
}
