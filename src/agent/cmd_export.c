/*
 * agent/cmd_export.c - /export-session: the conversation as one HTML file in the workspace.
 *
 * All text is escaped and nothing is loaded from elsewhere, so the file is as harmless as what it
 * shows is private.
 */
#include "agent/command.h"

#include <string.h>

#include "agent/home.h"
#include "core/clock.h"
#include "core/str.h"
#include "tools/file.h"

#define EXPORT_MAX (64u << 20)           /* bytes of the file */

static const char head[] =
	"<!doctype html>\n<html><head><meta charset=\"utf-8\">\n"
	"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
	"<style>body{font:15px/1.5 system-ui,sans-serif;max-width:46rem;margin:2rem auto;padding:0 1rem}"
	"article{border-top:1px solid #8884;padding:.6rem 0}h2{font-size:.8rem;color:#888;margin:0}"
	"pre{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit;margin:.3rem 0}.toolResult pre,.toolCall{"
	"font:13px/1.4 ui-monospace,monospace;color:#777}</style>\n";

static void put_escaped(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		switch (*p) {
		case '&': buf_puts(out, "&amp;"); break;
		case '<': buf_puts(out, "&lt;"); break;
		case '>': buf_puts(out, "&gt;"); break;
		case '"': buf_puts(out, "&quot;"); break;
		default: buf_putc(out, *p);
		}
	}
}

static void put_text(struct buf *out, const char *text)
{
	buf_puts(out, "<pre>");
	put_escaped(out, text);
	buf_puts(out, "</pre>\n");
}

static void put_block(struct arena *a, struct buf *out, const struct json *block)
{
	const char *type = json_get_str(block, "type");

	if (json_get_str(block, "text")) {
		put_text(out, json_get_str(block, "text"));
	} else if (str_eq(type, "toolCall")) {
		buf_puts(out, "<pre class=\"toolCall\">");
		put_escaped(out, json_str_or(json_get(block, "name"), "tool"));
		buf_putc(out, ' ');
		put_escaped(out, json_get(block, "arguments") ? json_to_str(a, json_get(block, "arguments")) : "{}");
		buf_puts(out, "</pre>\n");
	} else if (str_eq(type, "image")) {
		buf_puts(out, "<pre>[image]</pre>\n");
	}
}

struct exporting { struct buf *out; size_t count; };

static bool put_entry(void *arg, const struct tr_entry *e)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct exporting *x = arg;
	char when[CLOCK_ISO_LEN];
	struct json *m, *content;

	if (!e->message || json_parse(a, e->message, e->message_len, JSON_STRICT, &m, NULL))
		return true;             /* a divider */
	x->count++;
	clock_iso(e->created_at, when);
	buf_puts(x->out, "<article class=\"");
	put_escaped(x->out, e->role ? e->role : "system");
	buf_puts(x->out, "\"><h2>");
	put_escaped(x->out, e->role ? e->role : "system");
	buf_printf(x->out, " · %s</h2>\n", when);
	content = json_get(m, "content");
	if (json_str(content))
		put_text(x->out, json_str(content));
	json_each(block, content)
		put_block(a, x->out, block);
	buf_puts(x->out, "</article>\n");
	return !x->out->failed;
}

static ch_status render(struct run *r, struct buf *out, size_t *ret_count, struct ch_err *err)
{
	const struct sess *s = r->sess;
	struct exporting x = { out, 0 };
	struct tr_range range = { 0 };
	ch_status st;

	buf_puts(out, head);
	buf_puts(out, "<title>");
	put_escaped(out, s->label ? s->label : s->derived_title ? s->derived_title : s->key);
	buf_puts(out, "</title></head><body>\n<h1>");
	put_escaped(out, s->label ? s->label : s->derived_title ? s->derived_title : s->key);
	buf_puts(out, "</h1>\n");
	st = tr_read(r->host->opts.sessions, s->session_id, &range, put_entry, &x, err);
	buf_puts(out, "</body></html>\n");
	*ret_count = x.count;
	return st ? st : buf_status(out, err, "the export");
}

static ch_status do_export(struct run *r, const char *args, struct buf *out, struct ch_err *err)
{
	CH_AUTO(home_unref) struct home *home = NULL;
	const char *path = args;
	char when[CLOCK_ISO_LEN];
	CH_AUTO_BUF struct buf html = { 0 };
	bool created;
	size_t count;
	ch_status st;

	buf_init(&html, EXPORT_MAX);
	clock_iso(now_wall_ms(), when);
	if (!*path)
		path = arena_printf(r->arena, "exports/session-%.8s-%.10s-%.2s%.2s%.2s.html", r->sess->session_id, when, when + 11,
				    when + 14, when + 17);
	st = home_open(r->host, r->agent_id, &home, err);
	if (!st)
		st = render(r, &html, &count, err);
	if (!st)
		st = ws_replace(home->fd, path, buf_str(&html), html.len, NULL, &created, err);
	if (!st)
		buf_printf(out, "📄 %zu messages are in `%s/%s`. The file shows all that was said; share it with care.", count,
			   home->workspace, path);
	return st;
}

const struct slash_command cmd_export_session = {
	.name = "export-session",
	.aliases = (const char *const[]){ "export", NULL },
	.description = "Write this conversation into an HTML file in the workspace.",
	.args_hint = "[path]",
	.category = "session",
	.args = (const struct slash_arg[]){ { "path", "Where in the workspace" }, { 0 } },
	.run = do_export,
};
