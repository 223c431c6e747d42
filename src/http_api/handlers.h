/*
 * http_api/handlers.h - route handlers; arg is the gateway.
 */
#ifndef CH_HTTP_API_HANDLERS_H
#define CH_HTTP_API_HANDLERS_H

#include "gateway/gw.h"

CH_FIBER void probe_health(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void probe_ready(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void probe_startup(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void ui_config(struct http_call *call, const struct http_request *rq, void *arg);
/* A file of the page, or the page for every address of its own. */
CH_FIBER void ui_serve(struct http_call *call, const struct http_request *rq, struct gw *gw);
/* "none", "data", "remote" or "local" (a file of the workspace). */
const char *avatar_status(const char *avatar);
/* The picture of an agent, judged and answered. */
CH_FIBER void avatar_serve(struct http_call *call, const struct http_request *rq, struct gw *gw, const char *agent_id);
/* OpenClaw's own page from gateway.controlUi.root. */
CH_FIBER void control_ui_serve(struct http_call *call, const struct http_request *rq, const char *root,
			       const char *base_path, const char *path);

/* The APIs that stand behind gates (routes.c). */
CH_FIBER void openai_chat(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void openai_responses(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void anthropic_messages(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void anthropic_count_tokens(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void avatar(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void embeddings(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void join_link(struct http_call *call, const struct http_request *rq, void *arg);
/* The route of a channel's webhook, or NULL; it may have answered (too many of them). */
const struct http_route *channel_hook_route(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void media(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void session_history(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void tools_invoke(struct http_call *call, const struct http_request *rq, void *arg);
CH_FIBER void models_list(struct http_call *call, const struct http_request *rq, void *arg);

/* What every answer to a browser carries. csp NULL: none (files that are not pages). */
void security_headers(struct http_call *call, struct gw *gw, const char *csp);
/* An address the page handles by itself: no extension in its last part. */
bool ui_is_page_path(const char *path);

#endif
