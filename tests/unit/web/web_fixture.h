/*
 * web_fixture.h - a loop, a web and a configuration for tests that ask a peer on loopback. Header only.
 */
#ifndef TEST_WEB_FIXTURE_H
#define TEST_WEB_FIXTURE_H

#include <stdlib.h>
#include <string.h>

#include "../net/http_peer.h"
#include "config/config.h"
#include "core/str.h"
#include "web/html_child.h"
#include "web/web.h"

struct fixture {
	struct loop *loop;
	struct http_client *http;
	struct web *web;
	struct arena *arena;
	struct config *config;
	struct peer peer, other;         /* other: another origin */
	int requests;                    /* that the peers answered */
};

static CH_UNUSED struct config *fx_config(const char *text)
{
	struct config *c = NULL;
	struct ch_err err = { 0 };

	if (config_parse(text, strlen(text), NULL, &c, &err))
		fail_msg("%s", err.text);
	return c;
}

/* The peers answer through fn; their arg is the fixture. */
static CH_UNUSED void fx_open(struct fixture *f, struct loop *l, peer_fn fn)
{
	*f = (struct fixture){ .loop = l, .http = http_client_new(l), .arena = arena_new(0) };
	f->web = web_new(f->http);
	peer_start(&f->peer, l, fn, f);
	peer_start(&f->other, l, fn, f);
}

static CH_UNUSED void fx_use(struct fixture *f, const char *config)
{
	config_unref(f->config);
	f->config = fx_config(config);
}

static CH_UNUSED void fx_close(struct fixture *f)
{
	config_unref(f->config);
	web_free(f->web);
	http_client_free(f->http);
	peer_stop(&f->peer);
	peer_stop(&f->other);
	arena_unref(f->arena);
}

static CH_UNUSED const char *fx_url(struct fixture *f, const char *path)
{
	return arena_printf(f->arena, "http://127.0.0.1:%u%s", f->peer.port, path);
}

/* A whole answer; body may hold any bytes. extra: header lines with their ends, or "". */
static CH_UNUSED void fx_answer(struct peer_conn *pc, const char *status, const char *type, const char *extra, const void *body, size_t len)
{
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 64u << 20);
	buf_printf(&out, "HTTP/1.1 %s\r\nContent-Length: %zu\r\n%s%s%s%s\r\n", status, len, type ? "Content-Type: " : "", type ? type : "",
		   type ? "\r\n" : "", extra);
	buf_append(&out, body, len);
	peer_write(pc, out.data, out.len);
}

static CH_UNUSED void fx_text(struct peer_conn *pc, const char *status, const char *type, const char *extra, const char *body)
{
	fx_answer(pc, status, type, extra, body, strlen(body));
}

/* main() of a test that parses pages: the reader of pages is this program, too. */
#define FX_MAIN(tests, setup)                                                            \
	int main(int argc, char **argv)                                                  \
	{                                                                                \
		if (argc == 2 && strcmp(argv[1], HTML_CHILD_ARG) == 0)                   \
			return html_child_main();                                        \
		return cmocka_run_group_tests(tests, setup, NULL);                       \
	}

#endif
