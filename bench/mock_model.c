/*
 * bench/mock_model.c - an OpenAI-compatible model that answers at once, for the benchmark.
 *
 *	mock_model PORT        serves POST /v1/chat/completions on 127.0.0.1
 *
 * The last "MOCK{n=50;us=0;tool=none}" in the request steers it: n deltas ("w0 w1 …"),
 * us microseconds between them, tool=read asks for the tool `read` with {"path":"bench.txt"},
 * tool=exec for `exec` with {"command":"true"} first, unless a tool result already follows the marker. Not part of the gateway.
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX 1024
#define BODY_MAX (16u << 20)

struct conn {
	int fd;
	char *in;
	size_t in_len, in_cap;
	int deltas_left, delta_no;
	int64_t gap_ns, next_ns;         /* paced replies */
	bool is_streaming;
};

static struct conn conns[CONNS_MAX];
static int epoll_fd;

static int64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static void drop(struct conn *c)
{
	close(c->fd);
	free(c->in);
	*c = (struct conn){ .fd = -1 };
}

/* The replies are small and the reader is the program under test: a full socket buffer waits. */
static bool send_all(struct conn *c, const char *p, size_t n)
{
	while (n) {
		ssize_t done = send(c->fd, p, n, MSG_NOSIGNAL);

		if (done < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (done <= 0)
			return false;
		p += done;
		n -= (size_t)done;
	}
	return true;
}

static size_t put_chunk(char *out, size_t cap, const char *data)
{
	return (size_t)snprintf(out, cap, "%zx\r\n%s\r\n", strlen(data), data);
}

static size_t put_delta(char *out, size_t cap, int no)
{
	char event[256];

	snprintf(event, sizeof(event),
		 "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock-1\","
		 "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"w%d \"},\"finish_reason\":null}]}\n\n", no);
	return put_chunk(out, cap, event);
}

static size_t put_end(char *out, size_t cap, const char *reason, int tokens)
{
	char event[512];
	size_t n;

	snprintf(event, sizeof(event),
		 "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock-1\","
		 "\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"%s\"}]}\n\n"
		 "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock-1\",\"choices\":[],"
		 "\"usage\":{\"prompt_tokens\":100,\"completion_tokens\":%d,\"total_tokens\":%d}}\n\ndata: [DONE]\n\n",
		 reason, tokens, 100 + tokens);
	n = put_chunk(out, cap, event);
	return n + (size_t)snprintf(out + n, cap - n, "0\r\n\r\n");
}

static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

static bool reply_tool(struct conn *c, const char *name, const char *args)
{
	char out[4096], event[1024];
	size_t n = (size_t)snprintf(out, sizeof(out), "%s", head);

	snprintf(event, sizeof(event),
		       "data: {\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"mock-1\","
		       "\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"tool_calls\":[{\"index\":0,\"id\":\"call_bench\","
		       "\"type\":\"function\",\"function\":{\"name\":\"%s\",\"arguments\":\"%s\"}}]},"
		       "\"finish_reason\":null}]}\n\n", name, args);
	n += put_chunk(out + n, sizeof(out) - n, event);
	n += put_end(out + n, sizeof(out) - n, "tool_calls", 9);
	return send_all(c, out, n);
}

static bool reply_text(struct conn *c, int deltas, int64_t us)
{
	size_t cap = 1024 + (size_t)deltas * 320, n;
	char *out = malloc(cap);
	bool ok;

	if (!out)
		return false;
	n = (size_t)snprintf(out, cap, "%s", head);
	if (us) {
		c->is_streaming = true;
		c->deltas_left = deltas;
		c->delta_no = 0;
		c->gap_ns = us * 1000;
		c->next_ns = now_ns();
	} else {
		for (int i = 0; i < deltas; i++)
			n += put_delta(out + n, cap - n, i);
		n += put_end(out + n, cap - n, "stop", deltas);
	}
	ok = send_all(c, out, n);
	free(out);
	return ok;
}

static int64_t option(const char *marker, const char *name, int64_t def)
{
	const char *end = strchr(marker, '}'), *at = strstr(marker, name);

	return at && end && at < end ? strtoll(at + strlen(name), NULL, 10) : def;
}

static bool answer(struct conn *c, const char *body)
{
	static const char *const tools[][3] = { { "tool=read", "read", "{\\\"path\\\":\\\"bench.txt\\\"}" },
						{ "tool=exec", "exec", "{\\\"command\\\":\\\"true\\\"}" } };
	const char *marker = NULL, *tool;

	for (const char *p = body; (p = strstr(p, "MOCK{")); p++)
		marker = p;
	if (!marker)
		return reply_text(c, 3, 0);
	for (size_t i = 0; i < sizeof(tools) / sizeof(tools[0]); i++) {
		tool = strstr(marker, tools[i][0]);
		if (tool && tool < strchr(marker, '}') && !strstr(marker, "\"role\":\"tool\""))
			return reply_tool(c, tools[i][1], tools[i][2]);
	}
	return reply_text(c, (int)option(marker, "n=", 50), option(marker, "us=", 0));
}

/* One request when it is all there; false drops the connection. */
static bool handle(struct conn *c)
{
	while (c->in_len) {
		char *end = memmem(c->in, c->in_len, "\r\n\r\n", 4);
		char *length;
		size_t body, total;
		char saved;

		if (!end)
			return true;
		length = strcasestr(c->in, "content-length:");
		body = length && length < end ? strtoull(length + 15, NULL, 10) : 0;
		total = (size_t)(end - c->in) + 4 + body;
		if (body > BODY_MAX)
			return false;
		if (c->in_len < total)
			return true;
		saved = c->in[total];
		c->in[total] = '\0';
		bool ok = answer(c, end + 4);

		c->in[total] = saved;
		memmove(c->in, c->in + total, c->in_len - total);
		c->in_len -= total;
		if (!ok)
			return false;
	}
	return true;
}

static bool on_readable(struct conn *c)
{
	for (;;) {
		if (c->in_cap - c->in_len < 65536) {
			c->in_cap = c->in_cap ? c->in_cap * 2 : 131072;
			c->in = realloc(c->in, c->in_cap + 1);
			if (!c->in || c->in_cap > 2 * BODY_MAX)
				return false;
		}
		ssize_t n = recv(c->fd, c->in + c->in_len, c->in_cap - c->in_len, MSG_DONTWAIT);

		if (n < 0)
			return (errno == EAGAIN || errno == EINTR) && handle(c);
		if (n == 0)
			return false;
		c->in_len += (size_t)n;
		c->in[c->in_len] = '\0';
	}
}

static void on_accept(int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), one = 1;

	if (fd < 0)
		return;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	for (int i = 0; i < CONNS_MAX; i++) {
		if (conns[i].fd >= 0)
			continue;
		conns[i].fd = fd;
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.ptr = &conns[i] });
		return;
	}
	close(fd);
}

/* Sends what is due; gives the milliseconds until the next. */
static int pace(void)
{
	int64_t soonest = INT64_MAX, now = now_ns();

	for (int i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &conns[i];

		while (c->fd >= 0 && c->is_streaming && c->next_ns <= now) {
			char out[1024];
			bool last = c->deltas_left == 0;
			size_t n = last ? put_end(out, sizeof(out), "stop", c->delta_no) : put_delta(out, sizeof(out), c->delta_no++);

			c->deltas_left--;
			c->next_ns += c->gap_ns;
			c->is_streaming = !last;
			if (!send_all(c, out, n))
				drop(c);
		}
		if (c->fd >= 0 && c->is_streaming && c->next_ns < soonest)
			soonest = c->next_ns;
	}
	return soonest == INT64_MAX ? -1 : (int)((soonest - now) / 1000000) + 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct epoll_event events[64];

	if (argc != 2)
		return fprintf(stderr, "usage: mock_model PORT\n"), 2;
	addr.sin_port = htons((uint16_t)strtoul(argv[1], NULL, 10));
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 512) < 0)
		return perror("mock_model"), 1;
	for (int i = 0; i < CONNS_MAX; i++)
		conns[i].fd = -1;
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &(struct epoll_event){ .events = EPOLLIN });
	puts("ready");
	fflush(stdout);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 64, pace());

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c)
				on_accept(listener);
			else if (c->fd >= 0 && !on_readable(c))
				drop(c);
		}
	}
}
