/*
 * bench/load.c - load generator for the gateway protocol: many WebSockets, one thread, epoll.
 *
 *	load rpc   PORT TOKEN CONNS INFLIGHT SECONDS METHOD [PARAMS]
 *	load idle  PORT TOKEN CONNS              connects, prints, holds until stdin ends
 *	load repeat PORT TOKEN COUNT INFLIGHT METHOD [PARAMS]   so many calls; each "%u" in PARAMS becomes the call's number
 *	load turns PORT TOKEN SESSIONS TURNS MESSAGE    one connection, a turn at a time per session
 *	load fanout PORT TOKEN CLIENTS TURNS MESSAGE    one session; a turn ends when every client has seen its end
 *
 * Each prints one JSON line. Client frames are masked with a zero key (RFC 6455 allows any).
 * Not part of the gateway.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SESSIONS_MAX 4096

enum state { ST_UPGRADE, ST_CHALLENGE, ST_HELLO, ST_OPEN };

struct conn {
	int fd;
	enum state state;
	char *in;
	size_t in_len, in_cap;
	int64_t sent_ns[64];             /* ring of requests in flight */
	unsigned head, tail;
};

struct session { char key[64]; int64_t sent_ns, first_ns; int turns_left; bool waiting; };

static struct {
	const char *mode, *token, *method, *params, *message;
	int port, conns, inflight, session_count, turns;
	int64_t until_ns, begun_ns;
	int epoll_fd, open, failed;
	int64_t *lat, *first;            /* nanoseconds */
	size_t lat_len, lat_cap, first_len, first_cap;
	int64_t frames, bytes;
	struct session sessions[SESSIONS_MAX];
	int sessions_done, turn_errors;
	unsigned next_run, next_call;
	int call_count, finals;          /* repeat; fanout: clients that saw the end of this turn */
} g;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void keep(int64_t **list, size_t *len, size_t *cap, int64_t v)
{
	if (*len == *cap) {
		*cap = *cap ? *cap * 2 : 65536;
		*list = realloc(*list, *cap * sizeof(**list));
		if (!*list)
			die("realloc");
	}
	(*list)[(*len)++] = v;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double percentile_us(const int64_t *sorted, size_t n, double p)
{
	return n ? (double)sorted[(size_t)((double)(n - 1) * p)] / 1000.0 : 0;
}

/* -- sending -- */

static void send_raw(struct conn *c, const char *p, size_t n)
{
	while (n) {
		ssize_t done = send(c->fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (done <= 0)
			die("send");
		p += done;
		n -= (size_t)done;
	}
}

static void send_text(struct conn *c, const char *text, size_t n)
{
	char frame[70000];
	size_t h = 2;

	frame[0] = (char)0x81;
	if (n < 126) {
		frame[1] = (char)(0x80 | n);
	} else {
		frame[1] = (char)(0x80 | 126);
		frame[2] = (char)(n >> 8);
		frame[3] = (char)n;
		h = 4;
	}
	if (n > 65000)
		die("a request over 65,000 bytes");
	memset(frame + h, 0, 4);
	memcpy(frame + h + 4, text, n);
	send_raw(c, frame, h + 4 + n);
}

/* The parameters of the next call: each "%u" is its number. */
static size_t write_params(char *out, size_t cap)
{
	size_t n = 0;

	for (const char *p = g.params; *p && n + 16 < cap; p++) {
		if (p[0] == '%' && p[1] == 'u') {
			n += (size_t)snprintf(out + n, cap - n, "%u", g.next_call);
			p++;
		} else {
			out[n++] = *p;
		}
	}
	out[n] = '\0';
	g.next_call++;
	return n;
}

static void send_rpc(struct conn *c)
{
	char params[3500], text[4096];
	int n;

	write_params(params, sizeof(params));
	n = snprintf(text, sizeof(text), "{\"type\":\"req\",\"id\":\"r\",\"method\":\"%s\",\"params\":%s}", g.method, params);

	c->sent_ns[c->head++ % 64] = now_ns();
	send_text(c, text, (size_t)n);
}

static void send_turn(struct conn *c, struct session *s)
{
	char text[4096];
	int n = snprintf(text, sizeof(text),
			 "{\"type\":\"req\",\"id\":\"t\",\"method\":\"chat.send\",\"params\":{\"sessionKey\":\"%s\",\"message\":\"%s\","
			 "\"idempotencyKey\":\"bench-%d-%u\"}}", s->key, g.message, (int)getpid(), g.next_run++);

	s->turns_left--;
	s->waiting = true;
	s->first_ns = 0;
	s->sent_ns = now_ns();
	send_text(c, text, (size_t)n);
}

/* -- receiving -- */

static const char *member(const char *text, const char *name, size_t *ret_len)
{
	char pattern[64];
	const char *at, *end;

	snprintf(pattern, sizeof(pattern), "\"%s\":\"", name);
	at = strstr(text, pattern);
	if (!at)
		return NULL;
	at += strlen(pattern);
	end = strchr(at, '"');
	*ret_len = end ? (size_t)(end - at) : 0;
	return at;
}

static struct session *session_of(const char *text)
{
	size_t n;
	const char *key = member(text, "sessionKey", &n);

	for (int i = 0; key && i < g.session_count; i++)
		if (strlen(g.sessions[i].key) == n && memcmp(g.sessions[i].key, key, n) == 0)
			return &g.sessions[i];
	return NULL;
}

static void on_chat(struct conn *c, const char *text)
{
	struct session *s = session_of(text);
	size_t n;
	const char *state = member(text, "state", &n);

	if (!s || !state || !s->waiting)
		return;
	if (n == 5 && memcmp(state, "delta", 5) == 0 && !s->first_ns) {
		s->first_ns = now_ns();
		keep(&g.first, &g.first_len, &g.first_cap, s->first_ns - s->sent_ns);
	}
	bool is_final = n == 5 && memcmp(state, "final", 5) == 0;
	bool is_error = n == 5 && memcmp(state, "error", 5) == 0;

	if (!is_final && !is_error)
		return;
	if (strcmp(g.mode, "fanout") == 0 && ++g.finals < g.conns)
		return;
	g.finals = 0;
	g.turn_errors += is_error;
	s->waiting = false;
	keep(&g.lat, &g.lat_len, &g.lat_cap, now_ns() - s->sent_ns);
	if (s->turns_left > 0)
		send_turn(c, s);
	else
		g.sessions_done++;
}

/* repeat: the next call, as long as there are any left. */
static void on_answer(struct conn *c, const char *text)
{
	keep(&g.lat, &g.lat_len, &g.lat_cap, now_ns() - c->sent_ns[c->tail++ % 64]);
	if (strstr(text, "\"ok\":false")) {
		fprintf(stderr, "load: %s was refused: %.300s\n", g.method, text);
		exit(1);
	}
	if (g.call_count ? (int)g.next_call < g.call_count : now_ns() < g.until_ns)
		send_rpc(c);
}

static bool is_calling(void)
{
	return strcmp(g.mode, "rpc") == 0 || strcmp(g.mode, "repeat") == 0;
}

static bool is_turning(void)
{
	return strcmp(g.mode, "turns") == 0 || strcmp(g.mode, "fanout") == 0;
}

static void on_open(struct conn *c)
{
	c->state = ST_OPEN;
	g.open++;
	if (is_calling())
		for (int i = 0; i < g.inflight; i++)
			send_rpc(c);
	if (!is_turning())
		return;
	static const char subscribe[] = "{\"type\":\"req\",\"id\":\"s\",\"method\":\"sessions.subscribe\",\"params\":{}}";

	send_text(c, subscribe, sizeof(subscribe) - 1);
	if (g.open < g.conns)            /* the last one talks, when all listen */
		return;
	for (int i = 0; i < g.session_count; i++) {
		struct session *s = &g.sessions[i];
		char text[256];

		snprintf(s->key, sizeof(s->key), "agent:main:bench-%d-%d", (int)getpid(), i);
		int n = snprintf(text, sizeof(text), "{\"type\":\"req\",\"id\":\"m\",\"method\":\"sessions.messages.subscribe\","
				 "\"params\":{\"key\":\"%s\"}}", s->key);

		send_text(c, text, (size_t)n);
		s->turns_left = g.turns;
	}
	g.begun_ns = now_ns();
	for (int i = 0; i < g.session_count; i++)
		send_turn(c, &g.sessions[i]);
}

static void on_text(struct conn *c, const char *text, size_t n)
{
	g.frames++;
	g.bytes += (int64_t)n;
	if (c->state == ST_CHALLENGE) {
		char out[1024];
		int len = snprintf(out, sizeof(out),
				   "{\"type\":\"req\",\"id\":\"c\",\"method\":\"connect\",\"params\":{\"minProtocol\":4,\"maxProtocol\":4,"
				   "\"client\":{\"id\":\"gateway-client\",\"version\":\"1\",\"platform\":\"linux\",\"mode\":\"backend\"},"
				   "\"role\":\"operator\",\"scopes\":[\"operator.read\",\"operator.write\",\"operator.admin\"],\"caps\":[],"
				   "\"auth\":{\"token\":\"%s\"}}}", g.token);

		send_text(c, out, (size_t)len);
		c->state = ST_HELLO;
	} else if (c->state == ST_HELLO && strstr(text, "\"id\":\"c\"")) {
		if (!strstr(text, "\"ok\":true")) {
			fprintf(stderr, "load: refused: %.200s\n", text);
			exit(1);
		}
		on_open(c);
	} else if (is_calling() && strncmp(text, "{\"type\":\"res\"", 13) == 0) {
		on_answer(c, text);
	} else if (is_turning() && strncmp(text, "{\"type\":\"event\",\"event\":\"chat\",", 31) == 0) {
		on_chat(c, text);
	}
}

/* Whole frames at the front of the buffer; server frames are unmasked and, here, unfragmented. */
static void take_frames(struct conn *c)
{
	size_t at = 0;

	while (c->in_len - at >= 2) {
		unsigned char *p = (unsigned char *)c->in + at;
		size_t n = p[1] & 0x7f, h = 2;

		if (n == 126)
			h = 4;
		else if (n == 127)
			h = 10;
		if (c->in_len - at < h)
			break;
		if (n >= 126) {
			size_t bytes = h - 2;

			n = 0;
			for (size_t i = 0; i < bytes; i++)
				n = n << 8 | p[2 + i];
		}
		if (c->in_len - at < h + n)
			break;
		if ((p[0] & 0x0f) == 1) {
			char saved = (char)p[h + n];

			p[h + n] = '\0';
			on_text(c, (char *)p + h, n);
			p[h + n] = (unsigned char)saved;
		} else if ((p[0] & 0x0f) == 9) {
			static const char pong[] = { (char)0x8a, (char)0x80, 0, 0, 0, 0 };

			send_raw(c, pong, sizeof(pong));
		}
		at += h + n;
	}
	memmove(c->in, c->in + at, c->in_len - at);
	c->in_len -= at;
}

static bool on_readable(struct conn *c)
{
	for (;;) {
		if (c->in_cap - c->in_len < 16384) {
			c->in_cap = c->in_cap ? c->in_cap * 2 : 32768;
			c->in = realloc(c->in, c->in_cap + 1);
			if (!c->in)
				die("realloc");
		}
		ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, 0);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			break;
		if (n <= 0)
			return false;
		c->in_len += (size_t)n;
		c->in[c->in_len] = '\0';
	}
	if (c->state == ST_UPGRADE) {
		char *end = strstr(c->in, "\r\n\r\n");

		if (!end)
			return true;
		if (strncmp(c->in, "HTTP/1.1 101", 12) != 0)
			return false;
		c->state = ST_CHALLENGE;
		size_t used = (size_t)(end + 4 - c->in);

		memmove(c->in, end + 4, c->in_len - used);
		c->in_len -= used;
	}
	take_frames(c);
	if (c->state == ST_OPEN && strcmp(g.mode, "idle") == 0 && !c->in_len) {
		free(c->in);
		c->in = NULL;
		c->in_cap = 0;
	}
	return true;
}

/* -- the modes -- */

static void open_conn(struct conn *c)
{
	static const char upgrade[] = "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n";
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)g.port) };
	int one = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		die("connect");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	fcntl(c->fd, F_SETFL, O_NONBLOCK);
	epoll_ctl(g.epoll_fd, EPOLL_CTL_ADD, c->fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = c });
	send_raw(c, upgrade, sizeof(upgrade) - 1);
}

static void poll_once(int timeout_ms)
{
	struct epoll_event events[256];
	int n = epoll_wait(g.epoll_fd, events, 256, timeout_ms);

	for (int i = 0; i < n; i++) {
		struct conn *c = events[i].data.ptr;

		if (!on_readable(c)) {
			if (c->state != ST_OPEN || strcmp(g.mode, "idle") != 0) {
				fprintf(stderr, "load: the gateway closed a connection\n");
				exit(1);
			}
			epoll_ctl(g.epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
			g.failed++;
		}
	}
}

static void connect_all(struct conn *conns)
{
	int64_t deadline = now_ns() + 60000000000LL;

	for (int i = 0; i < g.conns; i++) {
		open_conn(&conns[i]);
		while (i + 1 - g.open >= 16)     /* at most 16 handshakes at once: the pre-auth limit is 32 */
			poll_once(1000);
	}
	while (g.open < g.conns && now_ns() < deadline)
		poll_once(1000);
	if (g.open < g.conns)
		die("not all connections were let in");
}

static void report(int64_t wall_ns)
{
	qsort(g.lat, g.lat_len, sizeof(*g.lat), by_value);
	qsort(g.first, g.first_len, sizeof(*g.first), by_value);
	printf("{\"count\":%zu,\"errors\":%d,\"seconds\":%.3f,\"per_s\":%.1f,\"p50_us\":%.1f,\"p99_us\":%.1f,"
	       "\"first_p50_us\":%.1f,\"first_p99_us\":%.1f,\"frames\":%lld,\"bytes\":%lld}\n",
	       g.lat_len, g.turn_errors, (double)wall_ns / 1e9, (double)g.lat_len / ((double)wall_ns / 1e9),
	       percentile_us(g.lat, g.lat_len, 0.5), percentile_us(g.lat, g.lat_len, 0.99), percentile_us(g.first, g.first_len, 0.5),
	       percentile_us(g.first, g.first_len, 0.99), (long long)g.frames, (long long)g.bytes);
}

static void hold_until_eof(void)
{
	fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
	for (;;) {
		char c;
		ssize_t n = read(STDIN_FILENO, &c, 1);

		if (n == 0 || (n < 0 && errno != EAGAIN))
			return;
		poll_once(100);
	}
}

int main(int argc, char **argv)
{
	struct rlimit files = { 65536, 65536 };

	if (argc < 5)
		return fprintf(stderr, "usage: load rpc|repeat|idle|turns|fanout PORT TOKEN N …\n"), 2;
	setrlimit(RLIMIT_NOFILE, &files);
	g.mode = argv[1];
	g.port = (int)strtol(argv[2], NULL, 10);
	g.token = argv[3];
	g.conns = (int)strtol(argv[4], NULL, 10);
	g.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (strcmp(g.mode, "rpc") == 0 && argc >= 8) {
		g.inflight = (int)strtol(argv[5], NULL, 10);
		g.until_ns = now_ns() + (int64_t)(strtod(argv[6], NULL) * 1e9);
		g.method = argv[7];
		g.params = argc > 8 ? argv[8] : "{}";
	} else if (strcmp(g.mode, "turns") == 0 && argc >= 7) {
		g.session_count = g.conns < SESSIONS_MAX ? g.conns : SESSIONS_MAX;
		g.conns = 1;
		g.turns = (int)strtol(argv[5], NULL, 10);
		g.message = argv[6];
	} else if (strcmp(g.mode, "fanout") == 0 && argc >= 7) {
		g.session_count = 1;
		g.turns = (int)strtol(argv[5], NULL, 10);
		g.message = argv[6];
	} else if (strcmp(g.mode, "repeat") == 0 && argc >= 7) {
		g.call_count = g.conns;
		g.conns = 1;
		g.inflight = (int)strtol(argv[5], NULL, 10);
		g.method = argv[6];
		g.params = argc > 7 ? argv[7] : "{}";
	} else if (strcmp(g.mode, "idle") != 0) {
		return fprintf(stderr, "load: wrong arguments\n"), 2;
	}
	struct conn *conns = calloc((size_t)g.conns, sizeof(*conns));
	int64_t begun = now_ns();

	if (!conns)
		die("calloc");
	connect_all(conns);
	if (strcmp(g.mode, "idle") == 0) {
		printf("{\"connected\":%d,\"connect_ms\":%.1f}\n", g.open, (double)(now_ns() - begun) / 1e6);
		fflush(stdout);
		hold_until_eof();
		return g.failed ? 1 : 0;
	}
	if (strcmp(g.mode, "rpc") == 0) {
		while (now_ns() < g.until_ns || g.lat_len == 0)
			poll_once(1000);
		report(now_ns() - begun);
		return 0;
	}
	if (strcmp(g.mode, "repeat") == 0) {
		while (g.lat_len < (size_t)g.call_count)
			poll_once(1000);
		report(now_ns() - begun);
		return 0;
	}
	while (g.sessions_done < g.session_count)
		poll_once(1000);
	report(now_ns() - g.begun_ns);
	return g.turn_errors ? 1 : 0;
}
