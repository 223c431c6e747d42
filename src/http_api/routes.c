/*
 * http_api/routes.c - the table of routes. A new one is a row above the last.
 */
#include "http_api/routes.h"

#include "core/str.h"
#include "gateway/upgrade.h"
#include "http_api/api.h"
#include "http_api/handlers.h"

#define TOOLS_INVOKE_BODY_MAX (2u << 20)
#define EMBEDDINGS_BODY_MAX (5u << 20)

static void not_found(struct http_call *call, const struct http_request *rq, void *arg)
{
	http_reply_error(call, 404, "not_found", "Not Found");
}

static void post_only(struct http_call *call, const struct http_request *rq, void *arg)
{
	http_reply_header(call, "Allow", "POST");
	http_reply_error(call, 405, "method_not_allowed", "Method Not Allowed");
}

static void page_or_socket(struct http_call *call, const struct http_request *rq, void *arg)
{
	if (rq->is_upgrade)
		gw_upgrade(call, rq, arg);
	else
		ui_serve(call, rq, arg);
}

/* The page has addresses below /sessions/, too. */
static void history_or_page(struct http_call *call, const struct http_request *rq, void *arg)
{
	if (str_ends(rq->path, "/history"))
		session_history(call, rq, arg);
	else
		page_or_socket(call, rq, arg);
}

static const char *const chat[] = { "chatCompletions", NULL };
static const char *const responses[] = { "responses", NULL };
static const char *const messages[] = { "messages", NULL };
static const char *const openai[] = { "chatCompletions", "responses", NULL };
static const char *const any[] = { "chatCompletions", "responses", "messages", NULL };

/* What is asked for before a body is read; a new one is a row above the last. */
static const struct http_gate gates[] = {
	/* path                       endpoints  scope            errors */
	{ "/v1/chat/completions",     chat,      GW_SCOPE_WRITE,  &api_openai },
	{ "/v1/embeddings",           openai,    GW_SCOPE_WRITE,  &api_openai },
	{ "/v1/messages",             messages,  GW_SCOPE_WRITE,  &api_anthropic },
	{ "/v1/messages/*",           messages,  GW_SCOPE_WRITE,  &api_anthropic },
	{ "/v1/models",               any,       GW_SCOPE_READ,   &api_openai },
	{ "/v1/models/*",             any,       GW_SCOPE_READ,   &api_openai },
	{ "/v1/responses",            responses, GW_SCOPE_WRITE,  &api_openai },
	{ "/api/chat/media/*",        NULL,      GW_SCOPE_READ,   &api_gateway },
	{ "/sessions/*/history",      NULL,      GW_SCOPE_READ,   &api_gateway },
	{ "/tools/invoke",            NULL,      GW_SCOPE_WRITE,  &api_gateway },
	{0},
};

static bool admit(struct http_call *call, const struct http_request *rq, void *arg)
{
	const struct http_gate *gate;

	if (!gw_admit(call, rq, arg))
		return false;
	gate = http_gate_find(gates, rq->path);
	return !gate || http_gate_admit(gate, call, rq, arg);
}

static const struct http_route routes[] = {
	/* method  path                                       body  run */
	{ "GET",   "/health",                                 0,    probe_health },
	{ "GET",   "/healthz",                                0,    probe_health },
	{ "GET",   "/ready",                                  0,    probe_ready },
	{ "GET",   "/readyz",                                 0,    probe_ready },
	{ "GET",   "/startup",                                0,    probe_startup },
	{ "GET",   "/startupz",                               0,    probe_startup },
	{ "GET",   "/control-ui-config.json",                 0,    ui_config },
	{ "GET",   "/__openclaw/control-ui-config.json",      0,    ui_config },
	{ "GET",   "/__openclaw__/control-ui-config.json",    0,    ui_config },
	{ "GET",   "/__openclaw__/*",                         0,    not_found },
	{ "GET",   "/api/chat/media/*",                       0,    media },
	{ "GET",   "/api/*",                                  0,    not_found },
	{ "GET",   "/avatar/*",                               0,    avatar },
	{ "GET",   "/j/*",                                    0,    join_link },
	{ "GET",   "/sessions/*",                             0,    history_or_page },
	{ "POST",  "/tools/invoke",                           TOOLS_INVOKE_BODY_MAX, tools_invoke },
	{ NULL,    "/tools/invoke",                           0,    post_only },
	{ "POST",  "/v1/chat/completions",                    API_BODY_MAX, openai_chat },
	{ "POST",  "/v1/embeddings",                          EMBEDDINGS_BODY_MAX, embeddings },
	{ "POST",  "/v1/messages",                            API_BODY_MAX, anthropic_messages },
	{ "POST",  "/v1/messages/count_tokens",               API_BODY_MAX, anthropic_count_tokens },
	{ "GET",   "/v1/models",                              0,    models_list },
	{ "GET",   "/v1/models/*",                            0,    models_list },
	{ "POST",  "/v1/responses",                           API_BODY_MAX, openai_responses },
	{ NULL,    "/v1/chat/completions",                    0,    post_only },
	{ NULL,    "/v1/embeddings",                          0,    post_only },
	{ NULL,    "/v1/messages*",                           0,    post_only },
	{ NULL,    "/v1/responses",                           0,    post_only },
	{ NULL,    "/v1/*",                                   0,    not_found },
	{ "GET",   "*",                                       0,    page_or_socket },
	{0},
};

static const struct http_server_opts server = { .routes = routes, .admit = admit, .extra = channel_hook_route };

const struct http_server_opts *http_api_server(void)
{
	return &server;
}
