/*
 * http_api/control_ui.c - serves OpenClaw's stock Control UI from the user's own installation of it.
 *
 * Files go out as they are. The page itself is adapted: attributes on <html> that tell it its base path and
 * that there is no terminal, asset addresses made absolute (it is served at deep addresses as well), and a
 * Content-Security-Policy that names the hash of each inline script.
 */
#include "core/crypto.h"
#include "core/file.h"
#include "core/log.h"
#include "core/str.h"
#include "http_api/handlers.h"
#include "net/http_static.h"

#define INDEX_MAX (1u << 20)
#define SCRIPTS_MAX 32

static const char csp_before[] =
	"default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; "
	"frame-src 'self'; script-src 'self'";
static const char csp_after[] =
	" 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; "
	"font-src 'self' data:; media-src 'self' data: blob:; worker-src 'self'; "
	"connect-src 'self' ws: wss: data:";

static const char *find(const char *p, const char *end, const char *needle)
{
	return p < end ? memmem(p, (size_t)(end - p), needle, strlen(needle)) : NULL;
}

static void put_hash(struct buf *csp, const char *script, size_t len)
{
	uint8_t digest[SHA256_LEN];
	char text[64];

	sha256(script, len, digest);
	b64_encode(digest, sizeof(digest), text);
	buf_printf(csp, " 'sha256-%s'", text);
}

/* Appends the hash of each script element that carries its code. */
static void put_script_hashes(struct buf *csp, const char *html, size_t len)
{
	const char *p = html, *end = html + len;

	for (int i = 0; i < SCRIPTS_MAX && (p = find(p, end, "<script")); i++) {
		const char *open_end = find(p, end, ">"),
			   *close = open_end ? find(open_end, end, "</script") : NULL;

		if (!close)
			return;
		if (!find(p, open_end, " src="))
			put_hash(csp, open_end + 1, (size_t)(close - open_end - 1));
		p = close;
	}
}

/* Copies html with "./" at the start of src and href values replaced by the base path. */
static void put_absolute(struct buf *out, const char *html, const char *end, const char *base)
{
	const char *p = html, *at;

	while ((at = find(p, end, "=\"./"))) {
		buf_append(out, p, (size_t)(at + 2 - p));
		buf_printf(out, "%s/", base);
		p = at + 4;
	}
	buf_append(out, p, (size_t)(end - p));
}

static void adapt(struct buf *out, const char *html, size_t len, const char *base)
{
	const char *end = html + len, *tag = find(html, end, "<html");

	if (!tag) {
		put_absolute(out, html, end, base);
		return;
	}
	tag += strlen("<html");
	buf_append(out, html, (size_t)(tag - html));
	buf_printf(out, " data-openclaw-control-ui-base-path=\"%s\" data-openclaw-terminal-enabled=\"false\"",
		   base);
	put_absolute(out, tag, end, base);
}

/* The base path stands in an attribute: nothing that could end one. */
static bool is_plain_path(const char *s)
{
	for (; *s; s++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/-_.", *s))
			return false;
	return true;
}

static void serve_index(struct http_call *call, const struct http_request *rq, const char *root,
			const char *base)
{
	CH_AUTO_BUF struct buf html = { 0 };
	CH_AUTO_BUF struct buf page = { 0 };
	CH_AUTO_BUF struct buf csp = { 0 };
	struct ch_err err;

	buf_init(&page, 2 * INDEX_MAX);
	buf_init(&csp, 16384);
	if (file_read(arena_printf(rq->arena, "%s/index.html", root), INDEX_MAX, &html, &err)) {
		log_warn("http", "gateway.controlUi.root: %s; answered 503", err.text);
		http_reply_error(call, 503, "unavailable",
				 "gateway.controlUi.root holds no readable index.html");
		return;
	}
	adapt(&page, buf_str(&html), html.len, is_plain_path(base) ? base : "");
	buf_puts(&csp, csp_before);
	put_script_hashes(&csp, buf_str(&page), page.len);
	buf_puts(&csp, csp_after);
	http_reply_header(call, "X-Content-Type-Options", "nosniff");
	http_reply_header(call, "Content-Security-Policy", buf_str(&csp));
	http_reply_header(call, "Cache-Control", "no-cache");
	http_reply(call, 200, "text/html; charset=utf-8", buf_str(&page), page.len);
}

CH_FIBER void control_ui_serve(struct http_call *call, const struct http_request *rq, const char *root,
			       const char *base_path, const char *path)
{
	struct ch_err err;

	if (ui_is_page_path(path) || str_eq(path, "/index.html")) {
		serve_index(call, rq, root, base_path);
		return;
	}
	if (http_static_file(call, rq, root, path + 1, &err))
		http_reply_error(call, 404, "not_found", "Not Found");
}
