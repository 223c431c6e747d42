/*
 * http_api/api_error.c - errors of OpenAI's and Anthropic's APIs and of our own.
 */
#include "http_api/api_error.h"

#include "core/json.h"
#include "core/str.h"

struct type_row { int status; const char *openai, *anthropic, *ours; };

static const struct type_row types[] = {
	{ 400, "invalid_request_error", "invalid_request_error", "invalid_request" },
	{ 401, "unauthorized",          "authentication_error",  "unauthorized" },
	{ 403, "forbidden",             "permission_error",      "forbidden" },
	{ 404, "invalid_request_error", "not_found_error",       "not_found" },
	{ 413, "invalid_request_error", "request_too_large",     "invalid_request" },
	{ 429, "rate_limited",          "rate_limit_error",      "rate_limited" },
	{ 503, "api_error",             "overloaded_error",      "unavailable" },
	{ 0,   "api_error",             "api_error",             "tool_error" },
};

static const struct type_row *row_of(int status)
{
	const struct type_row *row = types;

	while (row->status && row->status != status)
		row++;
	return row;
}

static void write_openai(struct buf *out, int status, const char *message, const char *code)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kobj(&w, "error");
	jw_kstr(&w, "message", message);
	jw_kstr(&w, "type", row_of(status)->openai);
	jw_knull(&w, "param");
	jw_kstr(&w, "code", code);
	jw_end(&w);
	jw_end(&w);
}

static void write_anthropic(struct buf *out, int status, const char *message, const char *code)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kstr(&w, "type", "error");
	jw_kobj(&w, "error");
	jw_kstr(&w, "type", row_of(status)->anthropic);
	jw_kstr(&w, "message", message);
	jw_end(&w);
	jw_end(&w);
}

static void write_ours(struct buf *out, int status, const char *message, const char *code)
{
	struct jw w = JW(out);

	jw_obj(&w);
	jw_kbool(&w, "ok", false);
	jw_kobj(&w, "error");
	jw_kstr(&w, "type", code ? code : row_of(status)->ours);
	jw_kstr(&w, "message", message);
	jw_end(&w);
	jw_end(&w);
}

const struct api_style api_openai = { write_openai };
const struct api_style api_anthropic = { write_anthropic };
const struct api_style api_gateway = { write_ours };

void api_error_reply(struct http_call *call, const struct api_style *style, int status, const char *message)
{
	CH_AUTO_BUF struct buf body = { 0 };

	buf_init(&body, 65536);
	style->write(&body, status, message, NULL);
	http_reply_header(call, "Cache-Control", "no-store");
	http_reply_json(call, status, buf_str(&body), body.len);
}

int api_status_of(ch_status st)
{
	switch (st) {
	case CH_OK:            return 200;
	case CH_E_INVALID:
	case CH_E_UNSUPPORTED:
	case CH_E_EXISTS:      return 400;
	case CH_E_DENIED:      return 403;
	case CH_E_NOT_FOUND:   return 404;
	case CH_E_CONFLICT:    return 409;
	case CH_E_LIMIT:       return 413;
	case CH_E_BUSY:        return 503;
	case CH_E_PEER:        return 502;
	case CH_E_TIMEOUT:     return 504;
	default:               return 500;
	}
}

void api_error_fail(struct http_call *call, const struct api_style *style, ch_status st, const struct ch_err *err)
{
	api_error_reply(call, style, api_status_of(st), str_empty(err->text) ? "internal error" : err->text);
}
