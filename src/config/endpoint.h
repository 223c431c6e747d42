/*
 * config/endpoint.h - an HTTP endpoint of the configuration (tools.http.<name>), read and checked as a whole.
 *
 * The same function serves the validation of the file and the tool that calls the endpoint, so that what is offered
 * is what was checked. Templates hold "{name}" for an argument; "{{" and "}}" are braces.
 *
 * Owns    nothing: all of struct endpoint is borrowed from the configuration's tree or on the arena.
 * Fails   CH_E_INVALID; the text begins with the key that is wrong ("url: …").
 */
#ifndef CH_CONFIG_ENDPOINT_H
#define CH_CONFIG_ENDPOINT_H

#include "core/arena.h"
#include "core/json.h"

#define ENDPOINT_NAME_MAX 48             /* a tool's name has at most 64, with "http_" in front */
#define ENDPOINT_URL_MAX 4096
#define ENDPOINT_DEPTH_MAX 16            /* of schema and body */
#define ENDPOINT_HEADERS_MAX 24
#define ENDPOINT_SELECT_MAX 64

struct endpoint {
	const char *name, *description, *method, *url;
	const char *scheme, *host;       /* of url, lower case; host without brackets, port or trailing dot */
	const struct json *headers, *body, *form, *schema, *select;      /* NULL when unset */
	const struct json *hosts;        /* NULL: the url's own */
	bool has_bearer, is_enabled, is_sending;
	int64_t timeout_ms;
	size_t max_bytes;
};
CH_MUST_USE ch_status endpoint_read(struct arena *a, const char *name, const struct json *conf, struct endpoint *ret, struct ch_err *err);

/* One piece of a template: a text, or an argument's name. */
struct endpoint_part {
	const char *text;
	size_t len;
	bool is_arg;
};
/* False at the end, or at a brace that is none of the above: then *at stands on it, not on the terminator. */
bool endpoint_next(const char **at, struct endpoint_part *ret);

/* -- endpoint_schema.c -- */
/* Is this a schema that tool_check_args() understands, and an object's? */
CH_MUST_USE ch_status endpoint_check_schema(const struct json *schema, struct ch_err *err);

#endif
