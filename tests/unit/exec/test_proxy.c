/*
 * exec/proxy: what a request asks for, which hosts it may reach, and whole exchanges with curl as the client.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../core/in_fiber.h"
#include "core/buf.h"
#include "core/proc.h"
#include "core/str.h"
#include "exec/proxy.h"
#include "exec/sandbox_priv.h"
#include "net/http_client.h"

#define SOON_MS 20000

static struct proxy_target target;
static struct ch_err err;

static ch_status parse(struct arena *a, const char *text)
{
	err = (struct ch_err){ 0 };
	return proxy_request_parse(a, text, strlen(text), &target, &err);
}

static void test_requests(void **state)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const char *const bad[] = {
		"", "\r\n", "GET\r\n\r\n", "GET /path HTTP/1.1\r\n\r\n", "GET http://h/ HTTP/2.0\r\n\r\n", "GET https://h/ HTTP/1.1\r\n\r\n",
		"CONNECT h HTTP/1.1\r\n\r\n", "CONNECT h:0 HTTP/1.1\r\n\r\n", "CONNECT h:70000 HTTP/1.1\r\n\r\n", "CONNECT :443 HTTP/1.1\r\n\r\n",
		"CONNECT a@h:443 HTTP/1.1\r\n\r\n", "CONNECT h/x:443 HTTP/1.1\r\n\r\n", "CONNECT [::1:443 HTTP/1.1\r\n\r\n",
		"CONNECT h\t:443 HTTP/1.1\r\n\r\n", "CONNECT .h:443 HTTP/1.1\r\n\r\n", "GET http://u:p@h/ HTTP/1.1\r\n\r\n",
		"GET http://h/ HTTP/1.1\r\nNo colon\r\n\r\n", "GET http://h/ HTTP/1.1\r\nA : b\r\n\r\n", "GET http://h/ HTTP/1.1\r\n folded: b\r\n\r\n",
		"GET http://h/ HTTP/1.1\r\nA: b\rX: c\r\n\r\n", "GET http://h/ HTTP/1.1\r\nA: b\r\n", "GET http://h/ x HTTP/1.1\r\n\r\n",
		"GET http://h/ HTTP/1.1\nA: b\n\n", "GET http://h/ HTTP/1.1\r\n\r\nextra",
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		if (parse(a, bad[i]) != CH_E_INVALID)
			fail_msg("%s", bad[i]);
	assert_int_equal(parse(a, "CONNECT Example.ORG.:443 HTTP/1.1\r\nHost: other:1\r\nProxy-Authorization: x\r\n\r\n"), CH_OK);
	assert_string_equal(target.host, "example.org");
	assert_int_equal(target.port, 443);
	assert_true(target.is_connect);
	assert_null(target.head);
	assert_int_equal(parse(a, "CONNECT [2001:DB8::1]:8443 HTTP/1.1\r\n\r\n"), CH_OK);
	assert_string_equal(target.host, "2001:db8::1");
	assert_true(target.is_ipv6);
	/* The Host that goes on is the target's, and what was meant for the proxy stays. */
	assert_int_equal(parse(a, "POST http://a.org:81/x?y=1 HTTP/1.1\r\nHost: evil.org\r\nhOSt: b\r\nProxy-Connection: keep-alive\r\n"
				  "Connection: keep-alive\r\nProxy-Authorization: Basic x\r\nContent-Length: 3\r\nX-A: b\r\n\r\n"), CH_OK);
	assert_string_equal(target.head, "POST /x?y=1 HTTP/1.1\r\nHost: a.org:81\r\nConnection: close\r\nContent-Length: 3\r\nX-A: b\r\n\r\n");
}

static void test_hosts(void **state)
{
	static const char *const list[] = { "api.example.org", "*.sub.org", "ports.org:8443", "[2001:db8::1]", "rooted.net.", NULL };
	static const char *const any[] = { "*", NULL };
	static const struct { const char *host; uint16_t port; bool is_allowed; } rows[] = {
		{ "api.example.org", 443, true }, { "api.example.org", 80, true }, { "api.example.org", 22, false },
		{ "example.org", 443, false }, { "xapi.example.org", 443, false }, { "api.example.org.evil.net", 443, false },
		{ "a.sub.org", 443, true }, { "a.b.sub.org", 443, true }, { "sub.org", 443, false }, { "xsub.org", 443, false },
		{ "ports.org", 8443, true }, { "ports.org", 443, false }, { "2001:db8::1", 443, true }, { "rooted.net", 443, true },
		{ "127.0.0.1", 80, false }, { "", 443, false },
	};
	static const char *const bad[] = { "", "a b", "http://a.org", "a.org/", "a.org:", "a.org:x", "a.org:0", "*.", "*a.org", "a.*.org", "[::1", "-a" };

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		if (proxy_host_allowed(list, rows[i].host, rows[i].port) != rows[i].is_allowed)
			fail_msg("%s:%u", rows[i].host, rows[i].port);
	assert_true(proxy_host_allowed(any, "anything.org", 443));
	assert_false(proxy_host_allowed(any, "anything.org", 25));
	assert_false(proxy_host_allowed(NULL, "a.org", 443));
	for (size_t i = 0; i < CH_ARRAY_LEN(bad); i++)
		if (proxy_host_valid(bad[i]))
			fail_msg("%s", bad[i]);
}

/* -- whole exchanges -- */

static int listen_any(int *ret_port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &len), 0);
	*ret_port = ntohs(addr.sin_port);
	return fd;
}

/* Another process: answers each connection with the head that it got. */
static pid_t start_origin(int fd)
{
	static const char redirect[] = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
	static char head[8192], reply[9000];
	pid_t pid = fork();

	if (pid)
		return pid;
	for (;;) {
		int c = accept(fd, NULL, NULL);
		ssize_t n, len = 0;

		while (len < (ssize_t)sizeof(head) - 1 && (n = read(c, head + len, sizeof(head) - 1 - (size_t)len)) > 0) {
			len += n;
			head[len] = '\0';
			if (strstr(head, "\r\n\r\n"))
				break;
		}
		head[len] = '\0';
		/* A reset in the middle of an upload. */
		if (strstr(head, "PUT /drop"))
			setsockopt(c, SOL_SOCKET, SO_LINGER, &(struct linger){ .l_onoff = 1 }, sizeof(struct linger));
		else if (strstr(head, "GET /redirect"))
			(void)!write(c, redirect, sizeof(redirect) - 1);
		else
			(void)!write(c, reply, (size_t)snprintf(reply, sizeof(reply), "HTTP/1.1 200 OK\r\nContent-Length: %zd\r\nConnection: close\r\n\r\n%s", len, head));
		close(c);
	}
}

static struct {
	struct sandbox_proxy *proxy;
	struct http_client *http;
	int origin_port, port;
	char allowed[64];
	struct proc_result got;
} t;

static CH_FIBER const char *curl(const char *url, const char *option)
{
	char proxy[64];
	const char *const argv[] = { "/usr/bin/curl", "-sS", "-m", "10", "-x", proxy, "-w", "%{http_code} %{http_connect}", option, url, NULL };
	struct proc_spec spec = { .argv = argv, .out_max_bytes = 1u << 16, .deadline_ms = fiber_deadline(SOON_MS) };

	snprintf(proxy, sizeof(proxy), "http://user:secret@127.0.0.1:%d", t.port);
	proc_result_done(&t.got);
	assert_int_equal(proc_run(&spec, &t.got, &err), CH_OK);
	return buf_str(&t.got.out);
}

static CH_FIBER void begin(bool allows_private)
{
	const char *const hosts[] = { t.allowed, "127.0.0.3", "metadata.invalid", NULL };
	struct proxy_opts opts = { .hosts = hosts, .http = t.http, .allows_private = allows_private };
	int fd = -1, listener;

	assert_int_equal(proxy_start(fiber_loop(), &opts, &t.proxy, &fd, &err), CH_OK);
	/* As the program inside does, but on any port. */
	listener = listen_any(&t.port);
	assert_true(fd_send(fd, listener));
	close(listener);
	close(fd);
}

static void exchanges(void *arg)
{
	char url[128];
	const char *text;
	int origin = listen_any(&t.origin_port);
	pid_t pid = start_origin(origin);

	close(origin);
	t.http = http_client_new(fiber_loop());
	snprintf(t.allowed, sizeof(t.allowed), "127.0.0.1:%d", t.origin_port);
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/path?q=1", t.origin_port);
	begin(true);
	text = curl(url, "--no-keepalive");
	assert_non_null(strstr(text, "GET /path?q=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(text, "200 000"));
	assert_null(strstr(text, "Proxy-"));
	/* A tunnel. */
	text = curl(url, "--proxytunnel");
	assert_non_null(strstr(text, "GET /path?q=1 HTTP/1.1\r\n"));
	assert_non_null(strstr(text, "200 200"));
	/* Elsewhere: refused in words that name the key; also after a redirect. */
	text = curl("http://example.org/", "-s");
	assert_non_null(strstr(text, PROXY_HOSTS_KEY));
	assert_non_null(strstr(text, "403"));
	text = curl("https://example.org/", "-s");
	assert_non_null(strstr(text, "000 403"));
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/redirect", t.origin_port);
	assert_non_null(strstr(curl(url, "-L"), "403"));
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/drop", t.origin_port);
	for (int i = 0; i < 5; i++)
		assert_null(strstr(curl(url, "-T/bin/bash"), "200"));
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/after", t.origin_port);
	assert_non_null(strstr(curl(url, "-s"), "GET /after"));
	proxy_free(CH_TAKE(t.proxy));
	/* The guard holds although the list names it. */
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/", t.origin_port);
	begin(false);
	text = curl(url, "-s");
	assert_non_null(strstr(text, "403"));
	assert_null(strstr(text, "GET /"));
	assert_non_null(strstr(curl(url, "--proxytunnel"), "000 403"));
	assert_non_null(strstr(curl("http://metadata.invalid/", "-s"), "502"));
	proxy_free(CH_TAKE(t.proxy));
	proc_result_done(&t.got);
	http_client_free(t.http);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void test_threat_ssrf_exchanges(void **state)
{
	in_fiber(exchanges, NULL);
}

/* What does not come from the program inside is not listened on; one that is freed early leaves nothing. */
static void odd_listeners(void *arg)
{
	static const char *const hosts[] = { "a.org", NULL };
	static const char *const bad_hosts[] = { "a.org/x", NULL };
	struct proxy_opts opts = { .hosts = hosts };
	int fd = -1;

	assert_int_equal(proxy_start(fiber_loop(), &opts, &t.proxy, &fd, &err), CH_OK);
	proxy_free(CH_TAKE(t.proxy));
	close(fd);
	assert_int_equal(proxy_start(fiber_loop(), &opts, &t.proxy, &fd, &err), CH_OK);
	assert_true(fd_send(fd, STDIN_FILENO));
	assert_int_equal(fiber_yield(), CH_OK);
	close(fd);
	assert_int_equal(fiber_yield(), CH_OK);
	proxy_free(CH_TAKE(t.proxy));
	opts.hosts = bad_hosts;
	assert_int_equal(proxy_start(fiber_loop(), &opts, &t.proxy, &fd, &err), CH_E_INVALID);
}

static void test_odd_listeners(void **state)
{
	in_fiber(odd_listeners, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_threat_ssrf_exchanges),
		cmocka_unit_test(test_odd_listeners),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
