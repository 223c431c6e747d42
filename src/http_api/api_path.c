/*
 * http_api/api_path.c - see api_path.h.
 */
#include "http_api/api_path.h"

#include <string.h>

#include "net/url.h"

bool api_path_parts(const struct http_request *rq, const char **ret_parts, size_t max, size_t *ret_count)
{
	const char *p = rq->target, *end = p + strcspn(p, "?#");
	size_t n = 0;

	while (p < end) {
		size_t len;

		if (*p != '/')
			return false;
		len = strcspn(++p, "/?#");
		if (!len || n == max)
			return false;
		ret_parts[n] = url_decode(rq->arena, p, len);
		if (!ret_parts[n++])
			return false;
		p += len;
	}
	*ret_count = n;
	return true;
}
