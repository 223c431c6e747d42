/*
 * An endpoint of the configuration and a model's arguments for it, a line each: whatever the arguments are, the request
 * goes to the host that was written, stays below no other path than the template's, and has no control byte in its head.
 */
#include <string.h>

#include "fuzz.h"

#include "core/str.h"
#include "net/url.h"
#include "web/request.h"

static void check_sent(struct arena *a, const struct endpoint *e, const struct request *rq)
{
	struct url u;

	for (const char *p = rq->url; *p; p++)
		FUZZ_ASSERT(*p > ' ' && *p <= '~');
	if (!url_parse(a, rq->url, &u, NULL))
		FUZZ_ASSERT(str_eq(u.scheme, e->scheme) && !u.fragment && (str_eq(u.host, e->host) || strpbrk(e->host, "[]:")));
	for (size_t i = 0; i < rq->header_count; i++)
		for (const char *p = rq->headers[i].value; *p; p++)
			FUZZ_ASSERT((unsigned char)*p >= ' ');
	if (rq->body && str_eq(rq->body_type, "application/json")) {
		struct json *v;

		FUZZ_ASSERT(!json_parse(a, rq->body, strlen(rq->body), JSON_STRICT, &v, NULL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(64u << 20);
	const char *text = (const char *)data, *line = size ? memchr(text, '\n', size) : NULL;
	struct json *conf, *args;
	struct endpoint e;
	struct request rq;

	if (!line || size > 4096)
		return 0;
	if (json_parse(a, text, (size_t)(line - text), JSON_JSON5, &conf, NULL) ||
	    json_parse(a, line + 1, size - (size_t)(line + 1 - text), JSON_JSON5, &args, NULL) || !json_is(args, JSON_OBJ))
		return 0;
	if (endpoint_read(a, "x", conf, &e, NULL))
		return 0;
	if (!request_expand(a, &e, args, &rq, NULL))
		check_sent(a, &e, &rq);
	if (e.select)
		(void)request_select(a, e.select, args);
	return 0;
}
