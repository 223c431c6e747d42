/*
 * net/http_route.c - which handler a request goes to, and looking into requests.
 */
#include <string.h>

#include "core/buf.h"
#include "core/str.h"
#include "net/http_conn.h"

static bool path_matches(const char *pattern, const char *path)
{
	size_t n = strlen(pattern);

	if (n && pattern[n - 1] == '*')
		return !strncmp(pattern, path, n - 1);
	return !strcmp(pattern, path);
}

/* HEAD is GET whose body is not sent. */
static bool method_matches(const char *row, const char *method)
{
	return !row || !strcmp(row, method) || (!strcmp(row, "GET") && !strcmp(method, "HEAD"));
}

const struct http_route *http_route_find(const struct http_route *routes, const struct http_request *rq,
					 const char **ret_allow)
{
	const char *allow = NULL;

	for (const struct http_route *row = routes; row->run; row++) {
		if (!path_matches(row->path, rq->path))
			continue;
		if (method_matches(row->method, rq->method)) {
			*ret_allow = NULL;
			return row;
		}
		if (allow && strstr(allow, row->method))
			continue;
		allow = allow ? arena_printf(rq->arena, "%s, %s", allow, row->method) : row->method;
		if (str_eq(row->method, "GET"))
			allow = arena_printf(rq->arena, "%s, HEAD", allow);
	}
	*ret_allow = allow;
	return NULL;
}

/* Joined in one allocation: a peer chooses how often a header is repeated. */
static const char *join_all(const struct http_request *rq, const char *name)
{
	CH_AUTO_BUF struct buf joined = { 0 };

	buf_init(&joined, 2 * HTTP_HEADER_MAX);
	for (size_t i = 0; i < rq->header_count; i++) {
		if (strcmp(rq->headers[i].name, name) != 0)
			continue;
		if (joined.data)
			buf_puts(&joined, ", ");
		buf_reserve(&joined, 0);
		buf_puts(&joined, rq->headers[i].value);
	}
	return arena_strndup(rq->arena, buf_str(&joined), joined.len);
}

const char *http_header(const struct http_request *rq, const char *name)
{
	const char *value = NULL;

	for (size_t i = 0; i < rq->header_count; i++) {
		if (strcmp(rq->headers[i].name, name) != 0)
			continue;
		if (value)
			return join_all(rq, name);
		value = rq->headers[i].value;
	}
	return value;
}
