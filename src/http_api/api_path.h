/*
 * http_api/api_path.h - addresses whose parts are names: a name may hold an encoded '/', so the parts are cut first
 * and decoded then.
 */
#ifndef CH_HTTP_API_API_PATH_H
#define CH_HTTP_API_API_PATH_H

#include "net/http_server.h"

/* "/a/b%2Fc/d?x" gives "a", "b/c", "d". False: more than max parts, an empty one, or a malformed one. */
bool api_path_parts(const struct http_request *rq, const char **ret_parts, size_t max, size_t *ret_count);

#endif
