/* net/http_client and the guard: redirects, URL tricks, the pool, proxies. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "http_peer.h"

#define PUBLIC_IP "11.22.33.44"      /* given to the loopback interface of our own network namespace */

static bool have_public_ip;

/* Where user namespaces are forbidden there is no such network; not to have looked is not to have passed. */
static void need_public_ip(void)
{
	if (!have_public_ip)
		fail_msg("this test needs a network namespace of its own (as root, or sysctl kernel.unprivileged_userns_clone=1)");
}

/* -- redirects -- */

static void serve_redirects(struct peer_conn *pc)
{
	static const struct { const char *path, *status, *location; } rows[] = {
		{ "/301 ", "301 Moved", "/echo?301" },    { "/302 ", "302 Found", "echo?302" },
		{ "/303 ", "303 See Other", "/echo?303" }, { "/307 ", "307 Temporary", "/echo?307" },
		{ "/308 ", "308 Permanent", "/echo?308" }, { "/loop ", "302 Found", "/loop" },
		{ "/bad ", "302 Found", "http://[::" },    { "/user ", "302 Found", "http://u:p@127.0.0.1/" },
		{ "/ftp ", "302 Found", "ftp://127.0.0.1/" }, { "/none ", "302 Found", NULL },
		{ "/meta ", "302 Found", "http://169.254.169.254/latest/" },
		{ "/lo ", "302 Found", "http://127.0.0.1:1/" },
		{ "/octal ", "302 Found", "http://0177.1:1/" },
		{ "/name ", "302 Found", "//localhost:1/" },
	};
	const char *head;

	while (*(head = peer_head(pc))) {
		const char *path = strchr(head, ' ') + 1;
		size_t i = 0;
		char out[300];

		while (i < CH_ARRAY_LEN(rows) && !str_starts(path, rows[i].path))
			i++;
		if (i == CH_ARRAY_LEN(rows)) {
			echo(pc, head);
			continue;
		}
		if (rows[i].location)
			snprintf(out, sizeof(out), "HTTP/1.1 %s\r\nContent-Length: 0\r\nLocation: %s\r\n\r\n", rows[i].status,
				 rows[i].location);
		else
			snprintf(out, sizeof(out), "HTTP/1.1 %s\r\nContent-Length: 0\r\n\r\n", rows[i].status);
		peer_drop(pc, strstr(head, "POST ") == head ? 2 : 0);
		peer_puts(pc, out);
	}
}

static const struct redirect {
	const char *path, *method;
	int max;
	ch_status st;
	int status;
	const char *starts, *ends;
} redirects[] = {
	{ "/301", "POST", 3, CH_OK, 200, "GET /echo?301 ", "\r\n\r\n" },
	{ "/302", "POST", 3, CH_OK, 200, "GET /echo?302 ", "\r\n\r\n" },
	{ "/303", "POST", 3, CH_OK, 200, "GET /echo?303 ", "\r\n\r\n" },
	{ "/307", "POST", 3, CH_OK, 200, "POST /echo?307 ", "\r\n\r\nhi" },
	{ "/308", "POST", 3, CH_OK, 200, "POST /echo?308 ", "\r\n\r\nhi" },
	{ "/301", "GET", 1, CH_OK, 200, "GET /echo?301 ", "\r\n\r\n" },
	{ "/301", "GET", 0, CH_OK, 301, "", "" },
	{ "/none", "GET", 3, CH_OK, 302, "", "" },
	{ "/loop", "GET", 5, CH_E_LIMIT, 0, "", "" },
	{ "/bad", "GET", 5, CH_E_PEER, 0, "", "" },
	{ "/user", "GET", 5, CH_E_PEER, 0, "", "" },
	{ "/ftp", "GET", 5, CH_E_INVALID, 0, "", "" },
	{ "/meta", "GET", 5, CH_E_DENIED, 0, "", "" },
	{ "/lo", "GET", 5, CH_E_DENIED, 0, "", "" },
	{ "/octal", "GET", 5, CH_E_DENIED, 0, "", "" },
	{ "/name", "GET", 5, CH_E_DENIED, 0, "", "" },
};

static void redirect_check(struct http_client *c, const struct redirect *x, const char *url, enum guard_policy guard)
{
	CH_AUTO(http_resp_free) struct http_resp *r = NULL;
	CH_AUTO_BUF struct buf body = { .max_bytes = 4096 };
	bool is_post = str_eq(x->method, "POST");
	struct ch_err err = { 0 };
	struct http_out rq = { .url = url, .method = x->method, .guard = guard, .max_redirects = x->max,
			       .body = is_post ? "hi" : NULL, .body_len = is_post ? 2 : 0,
			       .headers_deadline_ms = soon() };

	assert_int_equal(http_open(c, &rq, &r, &err), x->st);
	if (x->st)
		return;
	assert_int_equal(http_resp_status(r), x->status);
	assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
	if (!str_starts(buf_str(&body), x->starts) || !str_ends(buf_str(&body), x->ends))
		fail_msg("%s %s: %s", x->method, x->path, buf_str(&body));
	if (x->status == 200)
		assert_non_null(strstr(http_resp_url(r), "/echo?"));
}

static void run_redirects(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct peer p;

	peer_start(&p, l, serve_redirects, NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(redirects); i++)
		redirect_check(c, &redirects[i], url_of(&p, redirects[i].path), GUARD_TRUST_ORIGIN);
	http_client_free(c);
	peer_stop(&p);
}

static void test_redirects(void **state)
{
	in_fiber(run_redirects, NULL);
}

/* From a public address: followed within public space with bare headers, never into private space. */
static void serve_hop(struct peer_conn *pc)
{
	const struct peer *target = pc->peer->arg;
	char out[200];

	peer_head(pc);
	snprintf(out, sizeof(out), "HTTP/1.1 307 Go\r\nContent-Length: 0\r\nLocation: http://%s:%u/\r\n\r\n", PUBLIC_IP,
		 target->port);
	peer_puts(pc, out);
	peer_wait_eof(pc);
}

static void peer_rebind_public(struct peer *p, struct loop *l, peer_fn fn, void *arg)
{
	struct sockaddr_in addr;
	int n = sizeof(addr);

	*p = (struct peer){ .loop = l, .fn = fn, .arg = arg };
	uv_tcp_init(loop_uv(l), &p->listener);
	p->listener.data = p;
	uv_ip4_addr(PUBLIC_IP, 0, &addr);
	assert_int_equal(uv_tcp_bind(&p->listener, (struct sockaddr *)&addr, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)&p->listener, 16, peer_on_connection), 0);
	uv_tcp_getsockname(&p->listener, (struct sockaddr *)&addr, &n);
	p->port = ntohs(addr.sin_port);
}

static void run_public(struct loop *l, void *arg)
{
	static const struct http_header secrets[] = {
		{ "Authorization", "Bearer s" }, { "x-api-key", "s" }, { "Cookie", "s=1" }, { "Accept", "text/plain" },
	};
	struct http_client *c = http_client_new(l);
	struct peer target, hop, redirecting;
	struct http_out rq = { .guard = GUARD_PUBLIC_ONLY, .max_redirects = 3, .headers = secrets, .header_count = 4 };
	CH_AUTO_BUF struct buf body = { .max_bytes = 4096 };
	struct http_resp *r = NULL;
	struct ch_err err;
	char url[100];

	peer_rebind_public(&target, l, serve_echo, NULL);
	peer_rebind_public(&hop, l, serve_hop, &target);
	peer_rebind_public(&redirecting, l, serve_redirects, NULL);

	rq.headers_deadline_ms = soon();
	rq.url = url;
	snprintf(url, sizeof(url), "http://%s:%u/", PUBLIC_IP, hop.port);
	assert_int_equal(http_open(c, &rq, &r, &err), CH_OK);
	assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
	assert_non_null(strstr(buf_str(&body), "Accept: text/plain\r\n"));
	assert_null(strcasestr(buf_str(&body), "authorization"));
	assert_null(strcasestr(buf_str(&body), "x-api-key"));
	assert_null(strcasestr(buf_str(&body), "cookie"));
	http_resp_free(r);

	for (size_t i = 0; i < CH_ARRAY_LEN(redirects); i++) {
		snprintf(url, sizeof(url), "http://%s:%u%s", PUBLIC_IP, redirecting.port, redirects[i].path);
		redirect_check(c, &redirects[i], url, GUARD_PUBLIC_ONLY);
	}
	http_client_free(c);
	peer_stop(&hop);
	peer_stop(&redirecting);
	peer_stop(&target);
}

static void test_public_redirects(void **state)
{
	need_public_ip();
	in_fiber(run_public, NULL);
}

/* -- the guard -- */

static void run_guard(struct loop *l, void *arg)
{
	static const char *const loopback[] = {
		"127.0.0.1", "127.1", "0x7f000001", "0x7f.1", "0177.0.0.1", "2130706433", "localhost", "0.0.0.0",
		"127.0.0.1.", "localhost.", "LOCALHOST", "x.localhost", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]",
		"[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[2002:7f00:1::]", "%31%32%37.0.0.1",
		"\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1", /* full-width digits */
	};
	static const char *const metadata[] = {
		"169.254.169.254", "0xa9fea9fe", "2852039166", "0251.0376.0251.0376", "169.254.43518", "169.254.169.254.",
		"[::ffff:169.254.169.254]", "[fd00:ec2::254]", "[fe80::a9fe:a9fe]", "[64:ff9b::a9fe:a9fe]",
		"[2002:a9fe:a9fe::]", "100.100.100.200", "169.254.1.1", "[fe80::1]",
	};
	struct http_client *c = http_client_new(l);
	struct peer p;

	peer_start(&p, l, serve_hello, NULL);
	for (size_t i = 0; i < CH_ARRAY_LEN(loopback) + CH_ARRAY_LEN(metadata); i++) {
		bool is_loopback = i < CH_ARRAY_LEN(loopback);
		struct http_resp *r = NULL;
		struct ch_err err = { 0 };
		char url[200];
		struct http_out rq = { .url = url, .headers_deadline_ms = soon() };
		ch_status st;

		snprintf(url, sizeof(url), "http://%s:%u/", is_loopback ? loopback[i] : metadata[i - CH_ARRAY_LEN(loopback)],
			 p.port);
		rq.guard = is_loopback ? GUARD_PUBLIC_ONLY : GUARD_TRUST_ORIGIN;
		st = http_open(c, &rq, &r, &err);
		/* A form that libcurl or the resolver does not take for an address is fine too, reaching it is not. */
		if (st != CH_E_DENIED && st != CH_E_PEER && st != CH_E_INVALID && st != CH_E_TIMEOUT)
			fail_msg("%s: %s (%s)", url, ch_status_name(st), err.text);
		if (i < 8 || (!is_loopback && i < CH_ARRAY_LEN(loopback) + 5))
			assert_int_equal(st, CH_E_DENIED);
	}
	assert_int_equal(p.accepted, 0);
	http_client_free(c);
	peer_stop(&p);
}

static void test_guard_and_url_tricks(void **state)
{
	in_fiber(run_guard, NULL);
}

static void run_pool(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	CH_AUTO_BUF struct buf body = { .max_bytes = 100 };
	struct http_resp *r = NULL;
	struct ch_err err;
	struct peer p;
	char url[100];
	struct http_out rq = { .url = url, .guard = GUARD_PUBLIC_ONLY, .headers_deadline_ms = soon() };

	peer_start(&p, l, serve_hello, NULL);
	snprintf(url, sizeof(url), "http://localhost:%u/", p.port);
	assert_int_equal(get(c, url, &r, &err), CH_OK);
	assert_int_equal(http_read_all(r, &body, soon(), &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(p.accepted, 1);
	/* The pool has a connection to that very origin now. */
	assert_int_equal(http_open(c, &rq, &r, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "127.0.0.1 is a loopback address"));
	http_client_free(c);
	peer_stop(&p);
}

static void test_pool_is_no_way_around_the_guard(void **state)
{
	in_fiber(run_pool, NULL);
}

static void run_proxy(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct ch_err err;
	struct peer p, proxy;
	char text[100];

	peer_start(&p, l, serve_hello, NULL);
	peer_start(&proxy, l, serve_hello, NULL);
	snprintf(text, sizeof(text), "http://127.0.0.1:%u", proxy.port);
	setenv("http_proxy", text, 1);
	/* This machine is never reached through a proxy. */
	snprintf(text, sizeof(text), "http://localhost:%u/", p.port);
	assert_int_equal(get(c, text, &r, &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(get(c, url_of(&p, "/"), &r, &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(proxy.accepted, 0);
	/* A configured origin elsewhere is. */
	assert_int_equal(get(c, "http://model.example/", &r, &err), CH_OK);
	http_resp_free(r);
	assert_int_equal(proxy.accepted, 1);
	setenv("no_proxy", "other.example,model.example", 1);
	if (have_public_ip)
		assert_int_equal(get(c, "http://model.example/", &r, &err), CH_E_PEER);
	assert_int_equal(proxy.accepted, 1);
	unsetenv("no_proxy");
	unsetenv("http_proxy");
	http_client_free(c);
	peer_stop(&p);
	peer_stop(&proxy);
}

static void test_proxy_of_the_environment(void **state)
{
	in_fiber(run_proxy, NULL);
}

static void run_unresolvable(struct loop *l, void *arg)
{
	struct http_client *c = http_client_new(l);
	struct http_resp *r = NULL;
	struct ch_err err;

	assert_int_equal(get(c, "http://no-such-host.invalid/", &r, &err), CH_E_PEER);
	assert_non_null(strstr(err.text, "resolving the name failed"));
	http_client_free(c);
}

static void test_a_name_nobody_knows(void **state)
{
	need_public_ip();
	in_fiber(run_unresolvable, NULL);
}

/* -- a network of our own, so that a public address can be served without leaving the machine -- */

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd >= 0) {
		if (write(fd, text, strlen(text)) < 0)
			fprintf(stderr, "# %s: not written\n", path);
		close(fd);
	}
}

static bool set_interface(int fd, const char *name, const char *ip)
{
	struct ifreq ifr = { .ifr_flags = 0 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", name);
	if (ip) {
		inet_pton(AF_INET, ip, &in.sin_addr);
		memcpy(&ifr.ifr_addr, &in, sizeof(in));
		if (ioctl(fd, SIOCSIFADDR, &ifr) != 0)
			return false;
	}
	ifr.ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK;
	return ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
}

static int own_network(void **state)
{
	char map[64];
	int fd;
	unsigned int uid = getuid(), gid = getgid();

	if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
		return 0; /* not allowed here */
	write_file("/proc/self/setgroups", "deny");
	snprintf(map, sizeof(map), "0 %u 1", uid);
	write_file("/proc/self/uid_map", map);
	snprintf(map, sizeof(map), "0 %u 1", gid);
	write_file("/proc/self/gid_map", map);
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	have_public_ip = set_interface(fd, "lo", "127.0.0.1") && set_interface(fd, "lo:1", PUBLIC_IP);
	close(fd);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_public_redirects),
		cmocka_unit_test(test_guard_and_url_tricks),
		cmocka_unit_test(test_pool_is_no_way_around_the_guard),
		cmocka_unit_test(test_proxy_of_the_environment),
		cmocka_unit_test(test_a_name_nobody_knows),
	};

	return cmocka_run_group_tests(tests, own_network, NULL);
}
