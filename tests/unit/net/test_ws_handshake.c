/* net/ws_handshake: what is sent, and which answers are taken. */
#include "net/ws_handshake.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/arena.h"

/* The example of RFC 6455 1.3. */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

static void write_request(const char *url, const struct http_header *headers, size_t n, ch_status expected_st,
			  const char *expected)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf out = { .max_bytes = 4096 };
	struct url u;

	assert_int_equal(url_parse(a, url, &u, NULL), CH_OK);
	assert_int_equal(ws_handshake_write(&out, &u, headers, n, KEY, NULL), expected_st);
	if (!expected_st)
		assert_string_equal(buf_str(&out), expected);
}

#define FIXED "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"

static void test_request(void **state)
{
	static const struct http_header two[] = { { "Origin", "http://x" }, { "Authorization", "Bearer t" } };
	static const struct http_header bad[] = {
		{ "Host", "x" }, { "upgrade", "x" }, { "Sec-WebSocket-Extensions", "x" }, { "a b", "x" }, { "a", "x\r\ny: z" },
		{ "", "x" },
	};

	write_request("ws://h.example", NULL, 0, CH_OK, "GET / HTTP/1.1\r\nHost: h.example" FIXED "\r\n");
	write_request("ws://h:8080/a/b?c=d#e", two, 2, CH_OK,
		      "GET /a/b?c=d HTTP/1.1\r\nHost: h:8080" FIXED "Origin: http://x\r\nAuthorization: Bearer t\r\n\r\n");
	write_request("wss://h:443/", NULL, 0, CH_OK, "GET / HTTP/1.1\r\nHost: h" FIXED "\r\n");
	write_request("wss://[::1]:80/", NULL, 0, CH_OK, "GET / HTTP/1.1\r\nHost: [::1]:80" FIXED "\r\n");
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		write_request("ws://h", &bad[i], 1, CH_E_INVALID, "");
}

#define UP "Upgrade: websocket\r\nConnection: Upgrade\r\n"
#define OK_ANSWER "HTTP/1.1 101 Switching Protocols\r\n" UP "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n"

static const struct {
	const char *head;
	ch_status st;
} answers[] = {
	{ OK_ANSWER, CH_OK },
	{ "HTTP/1.1 101\r\n" UP "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_OK },
	{ "HTTP/1.1 101 x\r\nUPGRADE:WebSocket\r\nconnection:  keep-alive ,\tupgrade \r\nX-Other:\r\nsec-websocket-accept:\t" ACCEPT
	  " \r\n\r\n",
	  CH_OK },
	{ "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Extensions:\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_OK },
	{ "HTTP/1.1 401 No\r\n\r\n", CH_E_DENIED },
	{ "HTTP/1.1 403 No\r\n\r\n", CH_E_DENIED },
	{ "HTTP/1.1 200 OK\r\n" UP "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 302 Found\r\nLocation: ws://x/\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\nUpgrade: websockets\r\nConnection: upgrade\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: \r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: S3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: " ACCEPT ACCEPT ACCEPT ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n",
	  CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP "rubbish\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 101 x\r\n" UP " folded: x\r\nSec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/2 101 x\r\n" UP "Sec-WebSocket-Accept: " ACCEPT "\r\n\r\n", CH_E_PEER },
	{ "HTTP/1.1 1O1 x\r\n\r\n", CH_E_PEER },
	{ "SSH-2.0-OpenSSH_9.2\r\n\r\n", CH_E_PEER },
	{ "\r\n\r\n", CH_E_PEER },
};

static void test_answers(void **state)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(answers); i++) {
		struct ch_err err = { 0 };
		ch_status st = ws_handshake_check(answers[i].head, strlen(answers[i].head), KEY, &err);

		if (st != answers[i].st)
			fail_msg("%s: %s (%s)", answers[i].head, ch_status_name(st), err.text);
	}
}

static void test_every_cut_is_refused(void **state)
{
	size_t n = strlen(OK_ANSWER);

	for (size_t cut = 0; cut < n - strlen("\r\n"); cut++) {
		char *copy = strndup(OK_ANSWER, cut); /* exact memory, for ASan */

		assert_int_equal(ws_handshake_check(copy, cut, KEY, NULL), CH_E_PEER);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_every_cut_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
