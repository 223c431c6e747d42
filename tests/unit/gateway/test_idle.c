/*
 * A gateway that nobody talks to asks no model: the whole of it, with a conversation in it, over a day of the fake
 * clock that its timers and deadlines run by. The model is a server that counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/clock.h"
#include "core/fiber.h"
#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "gateway/gw.h"
#include "http_api/routes.h"
#include "../temp_dir.h"

#define STEP_MS 5000
#define DAY_MS 86400000
#define HOUR_MS 3600000
#define KEY "agent:main:idle"

static const char answer[] =
	"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
	"data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n"
	"data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
	"data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":10,\"completion_tokens\":1}}\n\ndata: [DONE]\n\n";

/* -- the model -- */

struct client { uv_tcp_t tcp; uv_write_t write; char in[65536]; size_t len; bool is_answered; };

struct world {
	char dir[64];
	struct loop *loop;
	uv_tcp_t model;
	int connections, requests;
	struct gw *gw;
	bool is_done;
	int hours;                       /* told by a timer of the test's own */
	struct loop_timer *hourly;
};

static struct world world;

static void on_closed(uv_handle_t *h)
{
	free(h->data);
}

static void on_written(uv_write_t *w, int status)
{
	struct client *c = w->data;

	uv_close((uv_handle_t *)&c->tcp, on_closed);
}

static void on_alloc(uv_handle_t *h, size_t want, uv_buf_t *b)
{
	struct client *c = h->data;

	*b = uv_buf_init(c->in + c->len, (unsigned)(sizeof(c->in) - 1 - c->len));
}

/* The body is JSON that ends with the request; its last bytes are awaited by the length that the head names. */
static bool is_whole(struct client *c)
{
	const char *head, *length;

	c->in[c->len] = '\0';
	head = strstr(c->in, "\r\n\r\n");
	length = strcasestr(c->in, "content-length: ");
	return head && length && c->len >= (size_t)(head + 4 - c->in) + (size_t)strtoul(length + 16, NULL, 10);
}

static void on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
	struct client *c = s->data;
	uv_buf_t out = uv_buf_init((char *)answer, sizeof(answer) - 1);

	if (n < 0) {
		if (!uv_is_closing((uv_handle_t *)&c->tcp))
			uv_close((uv_handle_t *)&c->tcp, on_closed);
		return;
	}
	c->len += (size_t)n;
	if (c->is_answered || !is_whole(c))
		return;
	c->is_answered = true;
	world.requests++;
	c->write.data = c;
	uv_write(&c->write, s, &out, 1, on_written);
}

static void on_connection(uv_stream_t *server, int status)
{
	struct client *c = calloc(1, sizeof(*c));

	world.connections++;
	uv_tcp_init(loop_uv(world.loop), &c->tcp);
	c->tcp.data = c;
	assert_int_equal(uv_accept(server, (uv_stream_t *)&c->tcp), 0);
	uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static uint16_t listen_here(uv_tcp_t *tcp, uv_connection_cb cb)
{
	struct sockaddr_in at;
	int len = sizeof(at);

	uv_ip4_addr("127.0.0.1", 0, &at);
	uv_tcp_init(loop_uv(world.loop), tcp);
	assert_int_equal(uv_tcp_bind(tcp, (struct sockaddr *)&at, 0), 0);
	assert_int_equal(uv_listen((uv_stream_t *)tcp, 16, cb), 0);
	assert_int_equal(uv_tcp_getsockname(tcp, (struct sockaddr *)&at, &len), 0);
	return ntohs(at.sin_port);
}

/* -- the gateway -- */

static void write_config(uint16_t model, uint16_t port)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/chela.json", world.dir);
	CH_AUTO_STR char *text = ch_asprintf(
		"{gateway: {port: %u, auth: {mode: 'token', token: 'tok-0123456789abcdef'}}, agents: {defaults: {model: {"
		" primary: 'acme/m', fallbacks: ['acme/n']}}}, models: {mode: 'replace', providers: {acme: {"
		" baseUrl: 'http://127.0.0.1:%u/v1', models: [{id: 'm', contextWindow: 64000}, {id: 'n'}]}}}}",
		port, model);
	struct ch_err err;

	if (file_write_atomic(path, text, strlen(text), 0600, &err))
		fail_msg("%s", err.text);
}

static void start(void *arg)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/chela.json", world.dir);
	struct gw_opts opts = { .state_dir = world.dir, .config_path = path, .http = http_api_server() };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "hi", .client_id = "c", .client_mode = "backend",
				.sender_is_owner = true };
	struct submit_result sent;
	struct input_row row;
	struct ch_err err = { .text = "" };

	if (gw_start(world.loop, &opts, &world.gw, &err))
		fail_msg("%s", err.text);
	if (agent_submit(world.gw->agents, &in, a, &sent, &err) ||
	    agent_wait(world.gw->agents, "r1", fiber_deadline(10000), a, &row, &err))
		fail_msg("%s", err.text);
	assert_int_equal(row.state, INPUT_DONE);
	world.is_done = true;
}

static void stop(void *arg)
{
	gw_stop(world.gw, "test", fiber_deadline(10000));
	gw_free(world.gw);
	world.is_done = true;
}

static void on_hour(void *arg)
{
	world.hours++;
	loop_timer_start(world.hourly, HOUR_MS);
}

static void turn_loop(int times)
{
	for (int i = 0; i < times; i++)
		uv_run(loop_uv(world.loop), UV_RUN_NOWAIT);
}

/* By the real clock, as a thread may have to finish something. */
static void until_done(fiber_fn fn)
{
	world.is_done = false;
	fiber_spawn(world.loop, "test", FIBER_DETACHED, fn, NULL);
	while (!world.is_done)
		uv_run(loop_uv(world.loop), UV_RUN_ONCE);
	turn_loop(3);
}

static int64_t ledger_rows(void)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = false;

	assert_int_equal(db_prep(world.gw->db, "SELECT count(*) FROM ledger", &s, NULL), CH_OK);
	assert_int_equal(db_step(s, &row, NULL), CH_OK);
	return db_int(s, 0);
}

static void test_a_day_without_anybody(void **state)
{
	int64_t mono = now_mono_ms(), wall = now_wall_ms();
	uv_tcp_t free_port;
	uint16_t model, port;

	temp_dir_make(world.dir, "idle");
	world.loop = loop_new();
	model = listen_here(&world.model, on_connection);
	port = listen_here(&free_port, on_connection);
	uv_close((uv_handle_t *)&free_port, NULL);
	turn_loop(2);
	write_config(model, port);
	until_done(start);
	assert_int_equal(world.requests, 1);
	world.hourly = loop_timer_new(world.loop, on_hour, NULL);
	loop_timer_start(world.hourly, HOUR_MS);

	mono = CH_MAX(mono, now_mono_ms());
	for (int64_t t = 0; t <= DAY_MS; t += STEP_MS) {
		clock_fake(mono + t, wall + t);
		turn_loop(3);
	}

	assert_int_equal(world.hours, 24);               /* the loop's timers did run by it */
	assert_int_equal(world.requests, 1);
	assert_int_equal(world.connections, 1);
	assert_int_equal(ledger_rows(), 1);
	loop_timer_free(world.hourly);
	clock_real();
	until_done(stop);
	uv_close((uv_handle_t *)&world.model, NULL);
	turn_loop(3);
	loop_free(world.loop);
	temp_dir_remove(world.dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_a_day_without_anybody) };

	unsetenv("OLLAMA_HOST");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
