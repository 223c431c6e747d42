/*
 * Tables of cases in tests/fixtures/models/: what a dialect builds, and what
 * it makes of a recorded stream. Header only.
 */
#ifndef TEST_MODELS_FIXTURE_H
#define TEST_MODELS_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "core/file.h"
#include "core/str.h"
#include "models/dialect.h"
#include "net/sse.h"

static CH_UNUSED struct json *fixture_load(struct arena *a, const char *name)
{
	CH_AUTO_STR char *path = ch_asprintf("%s/models/%s", TEST_FIXTURES, name);
	struct json *v = NULL;
	struct ch_err err = { .text = "" };
	struct buf text;

	if (file_read(path, 4 << 20, &text, &err) || json_parse(a, buf_str(&text), text.len, JSON_JSON5, &v, &err))
		fail_msg("%s: %s", path, err.text);
	buf_done(&text);
	return v;
}

static CH_UNUSED struct model_entry fixture_entry(const struct json *v)
{
	return (struct model_entry){
		.provider = json_str_or(json_get(v, "provider"), "acme"),
		.id = json_str_or(json_get(v, "id"), "m1"),
		.name = "M1",
		.ref = "acme/m1",
		.api = json_get_str(v, "api"),
		.context_window = json_get_int(v, "contextWindow", 0),
		.max_tokens = json_get_int(v, "maxTokens", 0),
		.reasoning = json_get_bool(v, "reasoning", false),
		.input_text = true,
		.input_image = json_get_bool(v, "image", false),
		.configured = json_get_bool(v, "configured", false),
		.compat = json_get(v, "compat"),
	};
}

static CH_UNUSED struct model_call fixture_call(struct arena *a, const struct json *v)
{
	const struct json *tools = json_get(v, "tools");
	struct model_tool *list = arena_alloc(a, (json_len(tools) + 1) * sizeof(*list));
	enum thinking_level level = THINK_OFF;
	size_t n = 0;

	if (json_get_str(v, "thinking"))
		assert_true(thinking_parse(json_get_str(v, "thinking"), &level));
	json_each(t, tools) {
		list[n].name = json_get_str(t, "name");
		list[n].description = json_get_str(t, "description");
		list[n++].schema_json = json_get(t, "schema") ? json_to_str(a, json_get(t, "schema")) : NULL;
	}
	return (struct model_call){
		.ref = "acme/m1",
		.system_stable = json_get_str(v, "system"),
		.system_volatile = json_get_str(v, "volatile"),
		.messages = json_get(v, "messages"),
		.tools = list,
		.tool_count = n,
		.max_tokens = json_get_int(v, "maxTokens", 0),
		.thinking = level,
		.session_key = json_get_str(v, "sessionKey"),
		.params = json_get(v, "params"),
		.tool_choice = json_get_str(v, "toolChoice"),
		.stop = json_get(v, "stop"),
		.is_fast = json_get_bool(v, "fast", false),
	};
}

/* {name, entry, call, body, path?} or {…, error}. */
static CH_UNUSED void fixture_check_build(const struct dialect *d, const struct json *c)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct model_entry entry = fixture_entry(json_get(c, "entry"));
	struct model_call call = fixture_call(a, json_get(c, "call"));
	CH_AUTO_BUF struct buf body = { .max_bytes = 1 << 20 };
	CH_AUTO_BUF struct buf again = { .max_bytes = 1 << 20 };
	struct model_http http = { .body = &body };
	struct ch_err err = { .text = "" };
	struct json *got = NULL;
	ch_status st;

	if (!entry.api)
		entry.api = d->api;
	st = d->build(a, &call, &entry, &http, &err);
	if (json_get(c, "error")) {
		assert_int_equal(st, CH_E_INVALID);
		return;
	}
	if (st)
		fail_msg("%s: %s", json_get_str(c, "name"), err.text);
	assert_int_equal(json_parse(a, body.data, body.len, JSON_STRICT, &got, &err), CH_OK);
	if (!json_equal(got, json_get(c, "body")))
		fail_msg("%s:\n got      %s\n expected %s", json_get_str(c, "name"), body.data,
			 json_to_str(a, json_get(c, "body")));
	if (json_get(c, "path"))
		assert_string_equal(http.path, json_get_str(c, "path"));
	http.body = &again;
	assert_int_equal(d->build(a, &call, &entry, &http, &err), CH_OK);
	assert_string_equal(body.data, again.data);
}

static CH_UNUSED void fixture_builds(const struct dialect *d, const char *name)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *cases = fixture_load(a, name);

	assert_true(json_len(cases) > 0);
	json_each(c, cases)
		fixture_check_build(d, c);
}

/* -- streams -- */

struct fixture_run {
	const struct dialect *d;
	struct dialect_parser *p;
	struct buf log;
	struct model_result ret;
	struct ch_err err;
	ch_status st;
	size_t events, stop_after;       /* 0: never */
};

static CH_UNUSED bool fixture_on_event(void *arg, const struct model_event *ev)
{
	struct fixture_run *r = arg;

	if (ev->text)
		assert_int_equal(strlen(ev->text), ev->len);
	switch (ev->kind) {
	case MODEL_EV_START: buf_printf(&r->log, "start %s %s\n", ev->text ? ev->text : "-", ev->name ? ev->name : "-"); break;
	case MODEL_EV_TEXT: buf_printf(&r->log, "text %s\n", ev->text); break;
	case MODEL_EV_THINKING: buf_printf(&r->log, "thinking %s\n", ev->text); break;
	case MODEL_EV_SIGNATURE: buf_printf(&r->log, "signature %s\n", ev->text); break;
	case MODEL_EV_TOOL_START: buf_printf(&r->log, "tool %s %s\n", ev->id, ev->name); break;
	case MODEL_EV_TOOL_ARGS: buf_printf(&r->log, "args %s %s\n", ev->id, ev->text); break;
	case MODEL_EV_TOOL_END: buf_printf(&r->log, "end %s %s %s\n", ev->id, ev->name, ev->text); break;
	case MODEL_EV_USAGE:
		buf_printf(&r->log, "usage %lld %lld %lld %lld\n", (long long)ev->usage.input, (long long)ev->usage.output,
			   (long long)ev->usage.cache_read, (long long)ev->usage.cache_write);
		break;
	case MODEL_EV_RETRY: fail_msg("a dialect never retries");
	}
	r->events++;
	return !r->stop_after || r->events < r->stop_after;
}

static bool fixture_feed(struct fixture_run *r, const char *event, const char *data, size_t len)
{
	r->st = r->d->feed(r->p, event, (char *)data, len, fixture_on_event, r, &r->ret, &r->err);
	return !r->st && !r->p->is_complete;
}

static CH_UNUSED bool fixture_on_sse(void *arg, const struct sse_event *ev)
{
	return fixture_feed(arg, ev->event, ev->data, ev->data_len);
}

static CH_UNUSED bool fixture_on_line(void *arg, const char *line, size_t len)
{
	return fixture_feed(arg, NULL, line, len);
}

/* The whole of a stream, in pieces of `step` bytes. AWS's events are written down as SSE, which has names too. */
static CH_UNUSED void fixture_stream(struct fixture_run *r, const struct dialect *d, const char *text, size_t n,
				     size_t step)
{
	struct sse sse;
	struct ndjson lines;

	*r = (struct fixture_run){ .d = d, .p = dialect_parser_new(), .stop_after = r->stop_after };
	buf_init(&r->log, 1 << 20);
	sse_init(&sse, 1 << 20);
	ndjson_init(&lines, 1 << 20);
	for (size_t at = 0; at < n && !r->st && !r->p->is_complete; at += step) {
		size_t len = CH_MIN(step, n - at);
		ch_status st = d->stream != STREAM_NDJSON ? sse_feed(&sse, text + at, len, fixture_on_sse, r, &r->err)
						       : ndjson_feed(&lines, text + at, len, fixture_on_line, r, &r->err);

		assert_int_equal(st, CH_OK);
	}
	if (!r->st && d->stream == STREAM_NDJSON && !r->p->is_complete)
		assert_int_equal(ndjson_end(&lines, fixture_on_line, r, &r->err), CH_OK);
	if (!r->st)
		r->st = d->end(r->p, fixture_on_event, r, &r->ret, &r->err);
	sse_done(&sse);
	ndjson_done(&lines);
	dialect_parser_free(r->p);
}

static CH_UNUSED const char *fixture_join(struct arena *a, const struct json *lines)
{
	CH_AUTO_BUF struct buf b = { .max_bytes = 1 << 20 };

	json_each(v, lines) {
		buf_puts(&b, json_str(v));
		buf_putc(&b, '\n');
	}
	return arena_strndup(a, buf_str(&b), b.len);
}

/* {name, stream:[lines], events:[…], stop?, class?, model?, id?} at several cuts. */
static CH_UNUSED void fixture_check_stream(const struct dialect *d, const struct json *c)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text = fixture_join(a, json_get(c, "stream")), *expected = fixture_join(a, json_get(c, "events"));
	const char *class = json_get_str(c, "class"), *name = json_get_str(c, "name");
	size_t n = strlen(text);
	const size_t steps[] = { n, 1, 2, 3, 7, 64 };

	for (size_t i = 0; i < CH_ARRAY_LEN(steps); i++) {
		struct fixture_run r = { .stop_after = 0 };

		fixture_stream(&r, d, text, n, CH_MAX(steps[i], 1));
		if (strcmp(buf_str(&r.log), expected) != 0)
			fail_msg("%s (step %zu):\n%s\nexpected:\n%s", name, steps[i], buf_str(&r.log), expected);
		if ((class != NULL) != (r.st != CH_OK))
			fail_msg("%s: %s (%s)", name, ch_status_name(r.st), r.err.text);
		if (class)
			assert_string_equal(model_error_class_name(r.ret.error_class), class);
		else
			assert_string_equal(model_stop_name(r.ret.stop), json_str_or(json_get(c, "stop"), "stop"));
		if (json_get(c, "model"))
			assert_string_equal(r.ret.response_model, json_get_str(c, "model"));
		buf_done(&r.log);
	}
}

static CH_UNUSED void fixture_streams(const struct dialect *d, const char *name)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *cases = fixture_load(a, name);

	assert_true(json_len(cases) > 0);
	json_each(c, cases)
		fixture_check_stream(d, c);
}

/* A caller that stops after any event gets CH_E_CANCELED and nothing more. */
static CH_UNUSED void fixture_stops(const struct dialect *d, const char *name)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	json_each(c, fixture_load(a, name)) {
		const char *text = fixture_join(a, json_get(c, "stream"));
		size_t total = json_len(json_get(c, "events"));

		for (size_t stop = 1; stop <= total; stop++) {
			struct fixture_run r = { .stop_after = stop };

			fixture_stream(&r, d, text, strlen(text), strlen(text));
			assert_int_equal(r.st, CH_E_CANCELED);
			assert_int_equal(r.events, stop);
			buf_done(&r.log);
		}
	}
}

/* Every way to cut a good stream short is noticed, and no cut crashes. */
static CH_UNUSED void fixture_cuts(const struct dialect *d, const char *name)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	json_each(c, fixture_load(a, name)) {
		const char *text = fixture_join(a, json_get(c, "stream"));
		size_t n = strlen(text);

		if (json_get(c, "class"))
			continue;
		for (size_t cut = 0; cut < n; cut++) {
			struct fixture_run r = { .stop_after = 0 };

			fixture_stream(&r, d, text, cut, CH_MAX(cut, 1));
			if (r.st)
				assert_true(r.ret.error_class == MODEL_ERR_CUT || r.ret.error_class == MODEL_ERR_SERVER);
			buf_done(&r.log);
		}
	}
}

#endif
