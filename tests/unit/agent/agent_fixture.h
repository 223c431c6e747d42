/*
 * An agent host on an in-memory database with a scripted model, and a recorder of its events.
 *
 * A test's body runs in a fiber. The script is a list of requests, each a list of steps.
 */
#ifndef TEST_AGENT_FIXTURE_H
#define TEST_AGENT_FIXTURE_H

#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/agent.h"
#include "agent/host.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"
#include "sessions/transcript.h"
#include "store/db.h"

#define KEY "agent:main:t1"
#define WAIT_MS 10000

enum step_kind { ST_END, ST_TEXT, ST_THINK, ST_SIGN, ST_TOOL, ST_WAIT, ST_RETRY, ST_FAIL, ST_USAGE, ST_STOP };

/* TEXT a; THINK a; SIGN a; TOOL a=id b=name c=args; FAIL a=text n=class; RETRY a=text n=delay m=attempt of k; USAGE n in m out; STOP n */
struct step { enum step_kind kind; const char *a, *b, *c; int64_t n, m, k; };

struct fixture {
	char base[64];
	struct loop *loop;
	struct db *db;
	struct sess_store *sessions;
	struct config *config;
	struct agent_host *host;
	struct arena *arena;
	/* the script */
	const struct step *const *requests;
	size_t at;                       /* the next request */
	struct fiber_cond gate, reached;
	int waits_reached, waits_open;
	VEC(char *) asked;               /* messages of each request, JSON */
	VEC(char *) prompts;             /* stable parts */
	char volatile_prompt[2048];
	/* what was told */
	VEC(char *) lines;               /* normalised JSON */
	VEC(char *) runs;                /* run ids in order of appearance */
	void (*on_event)(struct fixture *f, const struct run_event *ev);
	void (*body)(struct fixture *f);
	struct ch_err err;
	struct submit_result sent;
};

/* -- the model -- */

static inline ch_status fx_resolve(void *arg, const char *wanted, const char *agent_id, struct arena *a,
				   struct model_entry *ret, const char **ret_source, struct ch_err *err)
{
	if (wanted && !str_eq(wanted, "mock/mock-1") && !str_eq(wanted, "mock/mock-2"))
		return ch_fail(err, CH_E_NOT_FOUND, "there is no model '%s'", wanted);
	*ret = (struct model_entry){ .provider = "mock", .id = wanted ? wanted + 5 : "mock-1", .name = "Mock",
				     .api = "openai-completions", .ref = wanted ? arena_strdup(a, wanted) : "mock/mock-1",
				     .context_window = 200000, .max_tokens = 8000 };
	*ret_source = wanted ? "session" : "config";
	return CH_OK;
}

static inline bool fx_tell(model_event_fn fn, void *arg, enum model_event_kind kind, const char *text)
{
	struct model_event ev = { .kind = kind, .text = text, .len = text ? strlen(text) : 0 };

	return fn(arg, &ev);
}

static inline bool fx_tool(model_event_fn fn, void *arg, const struct step *s)
{
	struct model_event ev = { .kind = MODEL_EV_TOOL_END, .id = s->a, .name = s->b, .text = s->c, .len = strlen(s->c) };

	return fn(arg, &ev);
}

static inline bool fx_retry(model_event_fn fn, void *arg, const struct step *s)
{
	struct model_event ev = { .kind = MODEL_EV_RETRY, .text = s->a, .len = strlen(s->a), .attempt = (int)s->m,
				  .max_attempts = (int)s->k, .delay_ms = s->n, .error_class = "timeout" };

	return fn(arg, &ev);
}

static inline ch_status fx_wait(struct fixture *f)
{
	int mine = ++f->waits_reached;

	fiber_cond_broadcast(&f->reached);
	while (f->waits_open < mine) {
		ch_status st = fiber_cond_wait(&f->gate, fiber_deadline(WAIT_MS));

		if (st)
			return st;
	}
	return CH_OK;
}

static inline ch_status fx_step(struct fixture *f, const struct step *s, model_event_fn fn, void *arg,
				struct model_result *ret, struct ch_err *err)
{
	bool go_on = true;

	switch (s->kind) {
	case ST_TEXT:
		go_on = fx_tell(fn, arg, MODEL_EV_TEXT, s->a);
		break;
	case ST_THINK:
		go_on = fx_tell(fn, arg, MODEL_EV_THINKING, s->a);
		break;
	case ST_SIGN:
		go_on = fx_tell(fn, arg, MODEL_EV_SIGNATURE, s->a);
		break;
	case ST_TOOL:
		ret->stop = MODEL_STOP_TOOLS;
		go_on = fx_tool(fn, arg, s);
		break;
	case ST_RETRY:
		go_on = fx_retry(fn, arg, s);
		break;
	case ST_WAIT:
		return fx_wait(f) ? ch_fail(err, CH_E_CANCELED, "canceled") : CH_OK;
	case ST_FAIL:
		ret->error_class = (enum model_error_class)s->n;
		return ch_fail(err, CH_E_PEER, "%s", s->a);
	case ST_USAGE:
		ret->usage = (struct model_usage){ .input = s->n, .output = s->m };
		ret->has_cost = s->k > 0;
		ret->cost = (struct model_cost){ .total = (double)s->k };
		break;
	case ST_STOP:
		ret->stop = (enum model_stop)s->n;
		break;
	case ST_END:
		break;
	}
	return go_on ? CH_OK : ch_fail(err, CH_E_CANCELED, "stopped");
}

static inline ch_status fx_stream(void *arg, const struct model_call *call, model_event_fn fn, void *fn_arg,
				  struct model_result *ret, struct ch_err *err)
{
	struct fixture *f = arg;
	const struct step *s = f->requests ? f->requests[f->at] : NULL;
	CH_AUTO_BUF struct buf b;

	assert_non_null(s);
	f->at++;
	buf_init(&b, 64u << 20);
	json_write(&b, call->messages, 0);
	vec_push(&f->asked, buf_take(&b, NULL));
	vec_push(&f->prompts, ch_strdup(call->system_stable));
	snprintf(f->volatile_prompt, sizeof(f->volatile_prompt), "%s", call->system_volatile);
	snprintf(ret->response_id, sizeof(ret->response_id), "resp-1");
	snprintf(ret->response_model, sizeof(ret->response_model), "mock-1");
	for (; s->kind != ST_END; s++) {
		ch_status st = fx_step(f, s, fn, fn_arg, ret, err);

		if (st)
			return st;
	}
	return CH_OK;
}

/* -- what was told, normalised -- */

static inline const char *fx_run_name(struct fixture *f, const char *id)
{
	size_t i = 0;

	while (i < f->runs.len && !str_eq(f->runs.at[i], id))
		i++;
	if (i == f->runs.len)
		vec_push(&f->runs, ch_strdup(id));
	return arena_printf(f->arena, "<run%zu>", i + 1);
}

static inline struct json *fx_norm(struct fixture *f, const struct json *v, const char *key)
{
	static const char *const times[] = { "startedAt", "endedAt", "timestamp", "ts" };
	struct arena *a = f->arena;
	struct json *out;

	if (key && json_is(v, JSON_INT) && str_in(key, times, CH_ARRAY_LEN(times)))
		return json_new_str(a, "<ts>");
	if (json_is(v, JSON_STR) && (str_eq(key, "runId") || str_eq(key, "turnId")))
		return json_new_str(a, fx_run_name(f, json_str(v)));
	if (json_is(v, JSON_STR) && str_eq(key, "sessionId"))
		return json_new_str(a, "<session>");
	if (json_is(v, JSON_STR) && str_eq(key, "itemId") && v->len > 37 && v->str[36] == ':')
		return json_new_str(a, arena_printf(a, "<item>%s", v->str + 36));
	if (json_is(v, JSON_OBJ)) {
		out = json_new_obj(a);
		json_each(m, v)
			json_set(a, out, m->key, fx_norm(f, m, m->key));
		return out;
	}
	if (json_is(v, JSON_ARR)) {
		out = json_new_arr(a);
		json_each(m, v)
			json_push(out, fx_norm(f, m, NULL));
		return out;
	}
	return json_clone(a, v);
}

static inline struct json *fx_parse(struct fixture *f, const char *text)
{
	struct json *v;

	if (json_parse(f->arena, text, strlen(text), JSON_STRICT, &v, &f->err))
		fail_msg("%s: %s", f->err.text, text);
	return v;
}

static inline void fx_chat_payload(struct jw *w, const struct run_event *ev)
{
	static const char *const states[] = { "status", "delta", "final", "error", "aborted" };

	jw_kstr(w, "runId", ev->run_id);
	jw_kstr(w, "sessionKey", "<key>");
	jw_kstr_opt(w, "agentId", ev->agent_id);
	jw_kint(w, "seq", ev->seq);
	jw_kstr(w, "state", states[ev->state]);
	jw_kstr_opt(w, "phase", ev->phase);
	jw_kstr_opt(w, "stopReason", ev->stop_reason);
	jw_kstr_opt(w, "errorMessage", ev->error_message);
	if (ev->error_detail)
		jw_kraw(w, "errorDetail", ev->error_detail, strlen(ev->error_detail));
	if (ev->state == CHAT_DELTA) {
		jw_key(w, "deltaText");
		jw_strn(w, ev->delta, ev->delta_len);
		if (ev->replace)
			jw_kbool(w, "replace", true);
	}
	if (ev->message_json) {
		jw_kraw(w, "message", ev->message_json, strlen(ev->message_json));
	} else if (ev->state == CHAT_DELTA || ev->has_message) {
		jw_kobj(w, "message");
		jw_kstr(w, "role", "assistant");
		jw_karr(w, "content");
		jw_obj(w);
		jw_kstr(w, "type", "text");
		jw_key(w, "text");
		jw_strn(w, ev->text, ev->text_len);
		jw_end(w);
		jw_end(w);
		jw_kint(w, "timestamp", ev->ts);
		jw_end(w);
	}
}

static inline void fx_agent_payload(struct jw *w, const struct run_event *ev)
{
	jw_kstr(w, "runId", ev->run_id);
	jw_kstr(w, "sessionKey", "<key>");
	if (ev->with_session_id)
		jw_kstr(w, "sessionId", ev->session_id);
	jw_kstr(w, "agentId", ev->agent_id);
	jw_kstr_opt(w, "lane", ev->lane);
	jw_kstr(w, "stream", ev->stream);
	jw_kraw(w, "data", ev->data, ev->data_len);
	jw_kint(w, "seq", ev->seq);
	jw_kint(w, "ts", ev->ts);
	jw_kbool(w, "isHeartbeat", false);
}

static inline void fx_row_payload(struct fixture *f, struct jw *w, const struct run_event *ev)
{
	struct json *m = fx_parse(f, ev->entry->message), *meta = NULL;

	if (ev->entry->meta)
		meta = fx_parse(f, ev->entry->meta);
	jw_kstr(w, "role", ev->entry->role);
	jw_kstr_opt(w, "stopReason", json_get_str(m, "stopReason"));
	if (json_get(meta, "steerTargetRunId"))
		jw_kbool(w, "steered", true);
}

static inline void fx_on_event(void *arg, const struct run_event *ev)
{
	struct fixture *f = arg;
	CH_AUTO_BUF struct buf b, line;
	struct jw w = JW(&b);

	buf_init(&b, 64u << 20);
	buf_init(&line, 64u << 20);
	assert_int_equal(db_tx_depth(f->db), 0);         /* told only after the commit */
	if (f->on_event)
		f->on_event(f, ev);
	if (ev->kind == RUN_EV_TIMING)
		return;
	jw_obj(&w);
	if (ev->kind == RUN_EV_AGENT || ev->kind == RUN_EV_CHAT) {
		jw_kstr(&w, "event", ev->kind == RUN_EV_AGENT ? "agent" : "chat");
		jw_kobj(&w, "payload");
		if (ev->kind == RUN_EV_AGENT)
			fx_agent_payload(&w, ev);
		else
			fx_chat_payload(&w, ev);
		jw_end(&w);
	} else if (ev->kind == RUN_EV_ROW) {
		jw_kstr(&w, "event", "session.message");
		fx_row_payload(f, &w, ev);
	} else {
		jw_kstr(&w, "event", "sessions.changed");
		jw_kstr(&w, "key", ev->reason ? ev->reason : ev->phase);
	}
	jw_end(&w);
	json_write(&line, fx_norm(f, fx_parse(f, b.data), NULL), 0);
	vec_push(&f->lines, buf_take(&line, NULL));
}

/* How many told lines hold this text. */
static inline size_t fx_count(const struct fixture *f, const char *text)
{
	size_t n = 0;

	for (size_t i = 0; i < f->lines.len; i++)
		n += strstr(f->lines.at[i], text) != NULL;
	return n;
}

static inline void fx_dump(const struct fixture *f)
{
	for (size_t i = 0; i < f->lines.len; i++)
		fprintf(stderr, "  %s\n", f->lines.at[i]);
}

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
	CH_AUTO_BUF struct buf b;

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

	snprintf(f->base, sizeof(f->base), "/tmp/chela-agent-XXXXXX");
	assert_non_null(mkdtemp(f->base));
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

static inline int fx_remove(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	return remove(path);
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
	nftw(f->base, fx_remove, 16, FTW_DEPTH | FTW_PHYS);
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
