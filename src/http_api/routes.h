/*
 * http_api/routes.h - what the gateway answers over HTTP.
 *
 *	/health /healthz /ready /readyz /startup /startupz     probes
 *	/v1/…                                                  OpenAI's and Anthropic's APIs, when switched on
 *	/tools/invoke /sessions/<key>/history                  one tool; a conversation
 *	/avatar/<agent> /api/chat/media/…                      pictures
 *	/__openclaw__/… /api/…                                 otherwise 404, never the page
 *	anything else                                          a WebSocket upgrade, a file of the page or it
 */
#ifndef CH_HTTP_API_ROUTES_H
#define CH_HTTP_API_ROUTES_H

#include "net/http_server.h"

/* For gw_opts.http; its arg becomes the gateway. */
const struct http_server_opts *http_api_server(void);

#endif
