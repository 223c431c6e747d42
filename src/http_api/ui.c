/*
 * http_api/ui.c - the web page: the embedded one, or OpenClaw's own from a directory.
 *
 * An address without an extension belongs to the page, which routes it itself; a file that is not there is
 * 404.
 */
#include "core/str.h"
#include "gateway/auth.h"
#include "http_api/handlers.h"
#include "http_api/ui_assets.h"

static const char page_csp[] =
	"default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'none'; "
	"script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self' data: blob:; "
	"font-src 'self'; connect-src 'self' ws: wss:; worker-src 'self'; manifest-src 'self'";

static const char no_page[] =
	"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>chela</title>"
	"<h1>chela is running</h1><p>This binary was built without the web page. Build it with "
	"<code>make build</code> (Node.js and npm are needed), or use <code>chela chat</code>.</p></html>";

bool ui_is_page_path(const char *path)
{
	const char *last = strrchr(path, '/');

	return !strchr(last ? last : path, '.');
}

/* The page's links are relative, so at "/a/b" it asks for "/a/assets/…": folders in front are skipped. */
static const struct http_asset *find_asset(const char *path)
{
	for (; path; path = strchr(path + 1, '/'))
		for (size_t i = 0; i < ui_assets_count; i++)
			if (str_eq(ui_assets[i].path, path))
				return &ui_assets[i];
	return NULL;
}

static void serve_embedded(struct http_call *call, const struct http_request *rq, struct gw *gw,
			   const char *path)
{
	const struct http_asset *asset;
	bool is_page = ui_is_page_path(path) || str_eq(path, "/index.html");

	if (is_page && ui_assets_count == 0) {
		security_headers(call, gw, page_csp);
		http_reply_header(call, "X-Content-Type-Options", "nosniff");
		http_reply(call, 200, "text/html; charset=utf-8", no_page, sizeof(no_page) - 1);
		return;
	}
	asset = find_asset(is_page ? "/index.html" : path);
	if (!asset) {
		http_reply_error(call, 404, "not_found", "Not Found");
		return;
	}
	security_headers(call, gw, is_page ? page_csp : NULL);
	http_static_asset(call, rq, asset);
}

/* The part of the path below gateway.controlUi.basePath; NULL when it is outside. */
static const char *below_base(const char *base, const char *path)
{
	size_t n = strlen(base);

	if (n == 0)
		return path;
	if (strncmp(path, base, n) != 0 || (path[n] && path[n] != '/'))
		return NULL;
	return path[n] ? path + n : "/";
}

/* "/ui" of "ui/", "/ui/" and the like; "" for none. */
static const char *base_path(struct gw *gw, struct arena *a)
{
	const char *set = config_str(gw_config(gw), "gateway.controlUi.basePath");
	char *base;
	size_t n;

	if (str_empty(set) || str_eq(set, "/"))
		return "";
	base = arena_printf(a, "%s%s", *set == '/' ? "" : "/", set);
	for (n = strlen(base); n > 1 && base[n - 1] == '/'; n--)
		base[n - 1] = '\0';
	return base;
}

/* The bare root above a base path, and the base path without its slash: relative links need it. */
static bool lacks_base(const char *base, const char *path)
{
	return !str_empty(base) && (str_eq(path, "/") || str_eq(path, base));
}

CH_FIBER void ui_serve(struct http_call *call, const struct http_request *rq, struct gw *gw)
{
	CH_AUTO(config_unref) struct config *c = config_ref(gw_config(gw));
	const char *root = config_str(c, "gateway.controlUi.root");
	const char *base = base_path(gw, rq->arena), *path = below_base(base, rq->path);

	if (!config_bool(c, "gateway.controlUi.enabled", true)) {
		http_reply_error(call, 404, "not_found",
				 "The web page is switched off (gateway.controlUi.enabled)");
	} else if (lacks_base(base, rq->path)) {
		http_reply_header(call, "Location", arena_printf(rq->arena, "%s/", base));
		http_reply(call, 302, "text/plain; charset=utf-8", "", 0);
	} else if (!path) {
		http_reply_error(call, 404, "not_found", "Not Found");
	} else if (str_ends(path, "/control-ui-config.json")) {
		ui_config(call, rq, gw);
	} else if (str_starts(path, "/avatar/")) {
		avatar_serve(call, rq, gw, path + strlen("/avatar/"));
	} else if (str_empty(root)) {
		serve_embedded(call, rq, gw, path);
	} else {
		security_headers(call, gw, NULL);
		control_ui_serve(call, rq, root, base, path);
	}
}

static void put_avatar(struct gw *gw, struct jw *w, struct arena *a, const char *agent_id, const char *avatar)
{
	const char *status = avatar_status(avatar), *shown = str_empty(avatar) ? "A" : avatar;

	if (str_eq(status, "local"))
		shown = arena_printf(a, "%s/avatar/%s", base_path(gw, a), agent_id);
	jw_kstr(w, "assistantAvatar", shown);
	jw_kstr(w, "assistantAvatarSource", str_empty(avatar) ? NULL : avatar);
	jw_kstr(w, "assistantAvatarStatus", status);
	jw_knull(w, "assistantAvatarReason");
}

/* What OpenClaw's page asks for before it connects. */
static void write_config(struct gw *gw, struct jw *w, struct arena *a)
{
	const char *id = agent_default_id(gw_config(gw), a);
	const struct agent_info *agent = agent_find(gw_config(gw), gw->state_dir, a, id);

	jw_obj(w);
	jw_kstr(w, "basePath", base_path(gw, a));
	jw_kstr(w, "assistantName", agent && !str_empty(agent->name) ? agent->name : "Assistant");
	put_avatar(gw, w, a, id, agent ? agent->avatar : NULL);
	jw_kstr(w, "assistantAgentId", id);
	jw_kstr(w, "serverVersion", gw->version);
	jw_kstr(w, "embedSandbox", "strict");
	jw_kbool(w, "allowExternalEmbedUrls", false);
	jw_kbool(w, "automaticallyFetchFavicons", false);
	jw_kbool(w, "communityInvite", false);
	jw_kbool(w, "terminalEnabled", false);
	jw_kbool(w, "cliAgentsEnabled", false);
	jw_kbool(w, "pluginAssetsRequireAuth", true);
	jw_karr(w, "pluginFrameGrants");
	jw_end(w);
	jw_end(w);
}

void ui_config(struct http_call *call, const struct http_request *rq, void *arg)
{
	CH_AUTO_BUF struct buf body = { 0 };
	struct jw w = JW(&body);
	struct gw *gw = arg;

	buf_init(&body, 65536);
	security_headers(call, gw, NULL);
	http_reply_header(call, "X-Content-Type-Options", "nosniff");
	http_reply_header(call, "Cache-Control", "no-store");
	if (!auth_bearer_ok(gw, rq)) {
		http_reply_error(call, 401, "unauthorized", "Unauthorized");
		return;
	}
	write_config(gw, &w, rq->arena);
	http_reply_json(call, 200, buf_str(&body), body.len);
}
