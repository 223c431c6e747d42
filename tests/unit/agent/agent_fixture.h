/*
 * An agent host on an in-memory database with a scripted model, and a recorder of its events.
 *
 * A test's body runs in a fiber. The clock stands still unless a test moves it.
 */
#ifndef TEST_AGENT_FIXTURE_H
#define TEST_AGENT_FIXTURE_H

#include "../temp_dir.h"
#include "fx_events.h"
#include "fx_model.h"

/* -- doing -- */

static inline enum submit_status fx_send_mode(struct fixture *f, const char *run, const char *text, const char *mode)
{
	struct run_input in = { .session_key = KEY, .run_id = run, .text = text, .queue_mode = mode,
				.client_id = "gateway-client", .client_mode = "backend", .sender_is_owner = true };

	if (agent_submit(f->host, &in, f->arena, &f->sent, &f->err))
		fail_msg("submit: %s", f->err.text);
	return f->sent.status;
}

static inline enum submit_status fx_send(struct fixture *f, const char *run, const char *text)
{
	return fx_send_mode(f, run, text, NULL);
}

static inline struct input_row fx_wait_run(struct fixture *f, const char *run)
{
	struct input_row row;

	if (agent_wait(f->host, run, fiber_deadline(WAIT_MS), f->arena, &row, &f->err))
		fail_msg("wait for %s: %s", run, f->err.text);
	(void)!fiber_yield();    /* its fiber ends after its waiters woke */
	return row;
}

/* The clock stands still, so nothing can sleep: some turns of the loop instead. */
static inline void fx_turns(struct fixture *f)
{
	for (int i = 0; i < 20; i++)
		assert_int_equal(fiber_yield(), CH_OK);
}

/* The quiet time of what waits in the queue is over. */
static inline void fx_quiet(struct fixture *f)
{
	clock_fake(now_mono_ms() + 600, now_wall_ms() + 600);
}

/* Until the script stands at its n-th ST_WAIT. */
static inline void fx_reach(struct fixture *f, int n)
{
	while (f->waits_reached < n)
		if (fiber_cond_wait(&f->reached, fiber_deadline(WAIT_MS)))
			fail_msg("the script did not reach wait %d", n);
}

static inline void fx_release(struct fixture *f)
{
	f->waits_open++;
	fiber_cond_broadcast(&f->gate);
}

struct fx_rows { struct fixture *f; struct json *rows; };

static inline bool fx_each_row(void *arg, const struct tr_entry *e)
{
	struct fx_rows *r = arg;
	struct json *m = fx_parse(r->f, arena_strndup(r->f->arena, e->message, e->message_len));

	json_push(r->rows, m);
	return true;
}

/* The transcript's messages. */
static inline struct json *fx_rows(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct fx_rows r = { f, json_new_arr(f->arena) };
	struct tr_range range = { 0 };

	if (sess_find(f->sessions, KEY, &s, &f->err))
		return r.rows;
	assert_int_equal(tr_read(f->sessions, s->session_id, &range, fx_each_row, &r, &f->err), CH_OK);
	return r.rows;
}

/* "user assistant toolResult …" */
static inline const char *fx_roles(struct fixture *f)
{
	CH_AUTO_BUF struct buf b = { 0 };

	buf_init(&b, 4096);
	json_each(m, fx_rows(f))
		buf_printf(&b, "%s%s", b.len ? " " : "", json_get_str(m, "role"));
	return arena_strdup(f->arena, buf_str(&b));
}

static inline const char *fx_text(struct fixture *f, size_t row)
{
	const struct json *m = json_at(fx_rows(f), row), *c = json_get(m, "content");

	return json_str(c) ? json_str(c) : json_str(json_path(c, "0.text"));
}

/* -- set up -- */

static inline struct config *fx_config(void *arg)
{
	struct fixture *f = arg;

	return f->config;
}

static inline void fx_set_config(struct fixture *f, const char *text)
{
	config_unref(f->config);
	f->config = NULL;
	if (config_parse(text, strlen(text), NULL, &f->config, &f->err))
		fail_msg("config: %s", f->err.text);
}

static inline void fx_new_host(struct fixture *f)
{
	struct agent_model_ops ops = { f, fx_resolve, fx_stream };
	struct agent_host_opts opts = {
		.loop = f->loop, .sessions = f->sessions, .model_ops = &ops, .config = fx_config, .config_arg = f,
		.state_dir = f->base, .ops = { fx_on_event, f },
	};

	f->host = agent_host_new(&opts);
}

static inline int fx_setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct ch_err err;

	temp_dir_make(f->base, "agent");
	f->loop = loop_new();
	f->arena = arena_new(0);
	if (db_open(":memory:", DB_CREATE, &f->db, &err))
		fail_msg("%s", err.text);
	f->sessions = sess_store_new(f->db);
	fiber_cond_init(&f->gate);
	fiber_cond_init(&f->reached);
	fx_set_config(f, "{}");
	fx_new_host(f);
	clock_fake(1000000, 1795332738000);
	*state = f;
	return 0;
}

static inline void fx_free_strings(char **at, size_t n)
{
	for (size_t i = 0; i < n; i++)
		ch_free(at[i]);
}

static inline int fx_teardown(void **state)
{
	struct fixture *f = *state;

	clock_real();
	assert_int_equal(loop_fibers(f->loop), 0);
	agent_host_free(f->host);
	config_unref(f->config);
	sess_store_free(f->sessions);
	db_close(f->db);
	loop_free(f->loop);
	fx_free_strings(f->lines.at, f->lines.len);
	fx_free_strings(f->runs.at, f->runs.len);
	fx_free_strings(f->asked.at, f->asked.len);
	fx_free_strings(f->prompts.at, f->prompts.len);
	vec_done(&f->lines);
	vec_done(&f->runs);
	vec_done(&f->asked);
	vec_done(&f->prompts);
	arena_unref(f->arena);
	temp_dir_remove(f->base);
	free(f);
	return 0;
}

static inline void fx_fiber(void *arg)
{
	struct fixture *f = arg;

	f->body(f);
	agent_host_drain(f->host, fiber_deadline(WAIT_MS));
	loop_stop(f->loop);
}

static inline void fx_run(struct fixture *f, const struct step *const *requests, void (*body)(struct fixture *f))
{
	f->requests = requests;
	f->body = body;
	fiber_spawn(f->loop, "test", FIBER_DETACHED, fx_fiber, f);
	loop_run(f->loop);
	/* What the last callbacks woke has its turn before the fibers are counted. */
	for (int i = 0; i < 3; i++)
		uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
}

#define FX_TEST(name) cmocka_unit_test_setup_teardown(name, fx_setup, fx_teardown)

#endif
