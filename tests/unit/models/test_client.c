/* models/client against a provider double: answers, retries, refusals, cancelling, the ledger, discovery. */
#include "models/model.h"

#include <stdlib.h>

#include "core/clock.h"
#include "models/attempt.h"
#include "models/auth_store.h"
#include "provider_double.h"

#define OPENAI_TEXT                                                                                        \
	"data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hello\"}}]}\n\n" \
	"data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n" \
	"data: {\"id\":\"c1\",\"choices\":[],\"usage\":{\"prompt_tokens\":1000,\"completion_tokens\":100}}\n\n"      \
	"data: [DONE]\n\n"
#define OPENAI_HALF "data: {\"id\":\"c1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hel\"}}]}\n\n"
#define ANTHROPIC_TEXT                                                                                     \
	"data: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"model\":\"x\",\"usage\":{\"input_tokens\":5}}}\n\n" \
	"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hello\"}}\n\n" \
	"data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":2}}\n\n" \
	"data: {\"type\":\"message_stop\"}\n\n"
#define OLLAMA_TEXT                                                                                        \
	"{\"model\":\"m\",\"message\":{\"content\":\"Hello\"},\"done\":false}\n"                               \
	"{\"model\":\"m\",\"message\":{\"content\":\"\"},\"done\":true,\"prompt_eval_count\":3,\"eval_count\":1}"
#define SSE "Content-Type: text/event-stream\r\n"

static struct config *snapshot;

static struct config *current(void *arg)
{
	return snapshot;
}

struct bench {
	struct loop *loop;
	struct http_client *http;
	struct db *db;
	struct models *models;
	struct provider provider;
	struct buf log;                  /* events as text */
	int retries, refuse_retry_at, stop_at_text;      /* 0: never */
	bool saw_output;
	struct model_result ret;
	struct ch_err err;
	ch_status st;
};

static bool on_event(void *arg, const struct model_event *ev)
{
	struct bench *b = arg;

	switch (ev->kind) {
	case MODEL_EV_START: buf_puts(&b->log, "<"); break;
	case MODEL_EV_TEXT:
		buf_puts(&b->log, ev->text);
		return !b->stop_at_text;
	case MODEL_EV_RETRY:
		b->retries++;
		b->saw_output = ev->had_output;
		assert_int_equal(ev->attempt, b->retries + 1);
		assert_true(ev->text && *ev->text && ev->delay_ms >= 0);
		buf_printf(&b->log, "[%s %d/%d]", ev->error_class, ev->attempt, ev->max_attempts);
		return !b->refuse_retry_at || b->retries < b->refuse_retry_at;
	default: break;
	}
	return true;
}

static const char *budgets = "";         /* a root key of the next configuration, with a comma */

static void bench_config(struct bench *b, const char *api, const char *more)
{
	CH_AUTO_STR char *text = ch_asprintf(
		"{%smodels: {providers: {acme: {baseUrl: 'http://127.0.0.1:%u%s', api: '%s', apiKey: '" DOUBLE_KEY "', %s"
		" models: [{id: 'm', cost: {input: 2, output: 10}}]}}}}",
		budgets, b->provider.peer.port, str_eq(api, "openai-completions") ? "/v1" : "", api, more);
	struct ch_err err = { .text = "" };

	config_unref(CH_TAKE(snapshot));
	if (config_parse(text, strlen(text), NULL, &snapshot, &err))
		fail_msg("%s", err.text);
}

static void bench_start(struct bench *b, struct loop *l, const struct answer *script, size_t count, const char *api)
{
	struct models_opts opts = { .loop = l, .config = current, .retry_base_ms = 1, .silence_ms = 4000 };

	*b = (struct bench){ .loop = l, .http = http_client_new(l) };
	buf_init(&b->log, 1 << 16);
	assert_int_equal(db_open(":memory:", DB_CREATE, &b->db, NULL), CH_OK);
	opts.http = b->http;
	opts.db = b->db;
	provider_start(&b->provider, l, script, count, DOUBLE_KEY);
	bench_config(b, api, "");
	b->models = models_new(&opts);
}

static void bench_stop(struct bench *b)
{
	models_free(b->models);
	http_client_free(b->http);
	provider_stop(&b->provider);
	db_close(b->db);
	buf_done(&b->log);
	config_unref(CH_TAKE(snapshot));
}

static void ask_with(struct bench *b, const char *ref, const char *messages)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	static const struct model_tool tools[] = { { "now", "The time.", NULL } };
	struct json *list = NULL;
	struct model_call call = { .ref = ref, .system_stable = "S", .system_volatile = "V", .tools = tools, .tool_count = 1,
				   .agent_id = "main", .session_key = "agent:main:main", .run_id = "run-1" };

	assert_int_equal(json_parse(a, messages, strlen(messages), JSON_JSON5, &list, NULL), CH_OK);
	call.messages = list;
	/* How the last request went is another test's subject (test_auth.c). */
	if (b->st)
		assert_int_equal(db_exec(b->db, "DELETE FROM auth_health", NULL), CH_OK);
	buf_clear(&b->log);
	b->retries = 0;
	b->err = (struct ch_err){ .text = "" };
	b->st = model_stream(b->models, &call, on_event, b, &b->ret, &b->err);
	assert_null(strstr(b->err.text, DOUBLE_KEY));
}

static void ask(struct bench *b)
{
	ask_with(b, "acme/m", "[{role:'user',content:'hi'}]");
}

/* "outcome:status:input/output:cost" of each row, in order. */
static const char *ledger(struct bench *b, struct buf *out)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = true;

	buf_clear(out);
	assert_int_equal(db_prep(b->db,
				 "SELECT outcome, http_status, input_tokens, output_tokens, cost_total, attempt, session_key,"
				 " run_id, reason, provider, model, api FROM ledger ORDER BY id",
				 &s, NULL),
			 CH_OK);
	for (;;) {
		assert_int_equal(db_step(s, &row, NULL), CH_OK);
		if (!row)
			break;
		buf_printf(out, "%d %s %d %d/%d %.4f;", (int)db_int(s, 5), db_text(s, 0), (int)db_int(s, 1), (int)db_int(s, 2),
			   (int)db_int(s, 3), db_num(s, 4));
		assert_string_equal(db_text(s, 6), "agent:main:main");
		assert_string_equal(db_text(s, 7), "run-1");
		assert_string_equal(db_text(s, 8), "turn");
		assert_string_equal(db_text(s, 9), "acme");
		assert_string_equal(db_text(s, 10), "m");
	}
	return buf_str(out);
}

static void expect_ledger(struct bench *b, const char *expected)
{
	CH_AUTO_BUF struct buf out = { .max_bytes = 4096 };

	assert_string_equal(ledger(b, &out), expected);
}

/* -- good answers -- */

static void run_text(struct loop *l, void *arg)
{
	static const struct { const char *api, *body, *ledger; } rows[] = {
		{ "openai-completions", OPENAI_TEXT, "1 ok 200 1000/100 0.0030;1 ok 200 1000/100 0.0030;" },
		{ "anthropic-messages", ANTHROPIC_TEXT, "1 ok 200 5/2 0.0000;1 ok 200 5/2 0.0000;" },
		{ "ollama", OLLAMA_TEXT, "1 ok 200 3/1 0.0000;1 ok 200 3/1 0.0000;" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *type = i == 2 ? "Content-Type: application/x-ndjson\r\n" : SSE;
		const struct answer script[] = { { 200, type, rows[i].body }, { 200, type, rows[i].body } };
		struct bench b;

		bench_start(&b, l, script, 2, rows[i].api);
		for (int twice = 0; twice < 2; twice++) {
			ask(&b);
			if (b.st)
				fail_msg("%s", b.err.text);
			assert_string_equal(buf_str(&b.log), "<Hello");
			assert_int_equal(b.ret.stop, MODEL_STOP_END);
			assert_string_equal(b.ret.provider, "acme");
			assert_string_equal(b.ret.model, "m");
			assert_string_equal(b.ret.api, rows[i].api);
			assert_int_equal(b.ret.attempts, 1);
			assert_true(b.ret.has_cost && b.ret.first_byte_ms >= 0 && b.ret.total_ms >= b.ret.first_byte_ms);
		}
		expect_ledger(&b, rows[i].ledger);
		assert_int_equal(b.provider.peer.accepted, 1); /* the connection was used again */
		bench_stop(&b);
	}
}

static void test_text(void **state)
{
	in_fiber(run_text, NULL);
}

/* A history with everything in it passes each provider's rules. */
static void run_history(struct loop *l, void *arg)
{
	static const char messages[] =
		"[{role:'assistant',content:[{type:'text',text:'before'}]},{role:'user',content:'a'},{role:'user',content:'b'},"
		"{role:'assistant',content:[{type:'thinking',thinking:'t'},{type:'toolCall',id:'x|1',name:'now',arguments:{}},"
		"{type:'toolCall',id:'y',name:'now',arguments:'bad'}]},{role:'user',content:'steer'},"
		"{role:'toolResult',toolCallId:'y',content:[]},"
		"{role:'assistant',stopReason:'error',content:[{type:'text',text:'half'}]},{role:'user',content:'again'},"
		"{role:'assistant',content:[{type:'toolCall',id:'z',name:'now',arguments:{}}]},"
		"{role:'toolResult',toolCallId:'z',content:[{type:'text',text:'noon'}]}]";
	static const char *const apis[] = { "anthropic-messages", "openai-completions", "ollama" };
	static const char *const bodies[] = { ANTHROPIC_TEXT, OPENAI_TEXT, OLLAMA_TEXT };

	for (size_t i = 0; i < CH_ARRAY_LEN(apis); i++) {
		const struct answer script[] = { { 200, NULL, bodies[i] } };
		struct bench b;

		bench_start(&b, l, script, 1, apis[i]);
		ask_with(&b, "acme/m", messages);
		if (b.st || b.provider.complaint)
			fail_msg("%s: %s", b.err.text, buf_str(&b.provider.last_body));
		bench_stop(&b);
	}
}

static void test_history(void **state)
{
	in_fiber(run_history, NULL);
}

/* -- answers that pass -- */

static void run_retries(struct loop *l, void *arg)
{
	static const struct answer script[] = {
		{ 429, "Retry-After-Ms: 20\r\n", "{\"error\":{\"message\":\"slow down\"}}" },
		{ 200, SSE, OPENAI_TEXT },
		{ 500, NULL, "{\"error\":{\"message\":\"boom\"}}" },
		{ 529, NULL, "" },
		{ -1 }, /* a connection that was used before and says nothing: libcurl asks again by itself */
		{ -1 },
		{ 200, SSE, OPENAI_TEXT },
		{ 200, SSE, OPENAI_HALF, true },
		{ 200, SSE, OPENAI_TEXT },
		{ 200, SSE, OPENAI_HALF },
		{ 200, SSE, "data: {\"error\":{\"message\":\"Overloaded\"}}\n\n" },
		{ 200, SSE, "data: <html>\n\n" },
		{ 200, SSE, OPENAI_TEXT },
	};
	int64_t began_ms = now_mono_ms();
	struct bench b;

	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "[rate_limit 2/10]<Hello");
	assert_true(now_mono_ms() - began_ms >= 20);
	assert_int_equal(b.ret.attempts, 2);
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "[server_error 2/9][overloaded 3/9][timeout 4/9]<Hello");
	assert_false(b.saw_output);
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "<Hel[timeout 2/9]<Hello");
	assert_true(b.saw_output);
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "<Hel[timeout 2/9][overloaded 3/9][server_error 4/9]<Hello");
	expect_ledger(&b, "1 rate_limit 429 0/0 0.0000;2 ok 200 1000/100 0.0030;"
			  "1 server_error 500 0/0 0.0000;2 overloaded 529 0/0 0.0000;3 network 0 0/0 0.0000;4 ok 200 1000/100 0.0030;"
			  "1 cut 200 0/0 0.0000;2 ok 200 1000/100 0.0030;"
			  "1 cut 200 0/0 0.0000;2 overloaded 200 0/0 0.0000;3 server_error 200 0/0 0.0000;4 ok 200 1000/100 0.0030;");
	bench_stop(&b);
}

static void test_retries(void **state)
{
	in_fiber(run_retries, NULL);
}

static void run_refused_retry(struct loop *l, void *arg)
{
	static const struct answer script[] = { { 200, SSE, OPENAI_HALF, true }, { 500, NULL, "{}" }, { 500, NULL, "{}" } };
	struct bench b;

	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	b.refuse_retry_at = 1;
	ask(&b);
	assert_int_equal(b.st, CH_E_PEER);
	assert_int_equal(b.ret.error_class, MODEL_ERR_CUT);
	assert_non_null(strstr(b.err.text, "acme/m: the reply was cut off"));
	assert_int_equal(b.provider.served, 1);
	b.refuse_retry_at = 2;
	ask(&b);
	assert_int_equal(b.st, CH_E_PEER);
	assert_int_equal(b.ret.error_class, MODEL_ERR_SERVER);
	assert_int_equal(b.provider.served, 3);
	bench_stop(&b);
}

static void test_a_caller_that_wants_no_retry(void **state)
{
	in_fiber(run_refused_retry, NULL);
}

static void run_limits(struct loop *l, void *arg)
{
	struct answer script[24];
	struct bench b;

	for (size_t i = 0; i < CH_ARRAY_LEN(script); i++)
		script[i] = (struct answer){ i < 10 ? 429 : 503, NULL, "{}" };
	script[19] = (struct answer){ 429, "Retry-After: 61\r\n", "{}" };
	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	ask(&b);
	assert_int_equal(b.ret.attempts, 10);
	assert_int_equal(b.ret.error_class, MODEL_ERR_RATE_LIMIT);
	assert_non_null(strstr(b.err.text, "limits requests"));
	ask(&b);
	assert_int_equal(b.ret.attempts, 9);
	assert_int_equal(b.ret.error_class, MODEL_ERR_SERVER);
	ask(&b);        /* who wants a minute and more is not waited for */
	assert_int_equal(b.ret.attempts, 1);
	assert_int_equal(b.ret.retry_after_ms, 61000);
	assert_int_equal(b.err.retry_after_ms, 61000);
	bench_stop(&b);
}

static void test_retry_limits(void **state)
{
	in_fiber(run_limits, NULL);
}

/* Two credentials: when one is refused the other is tried, once. */
static void run_rotation(struct loop *l, void *arg)
{
	static const struct answer script[] = { { 401, NULL, "{}" }, { 200, SSE, OPENAI_TEXT }, { 401, NULL, "{}" }, { 401, NULL, "{}" } };
	static const char who[] = "SELECT group_concat(auth_profile || ' ' || outcome, ', ') FROM ledger";
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row = false;
	struct bench b;

	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	b.provider.key = NULL;
	for (int i = 0; i < 2; i++) {
		const struct auth_profile p = { .agent_id = "", .id = i ? "acme:two" : "acme:one", .provider = "acme",
						.kind = AUTH_KIND_API_KEY };

		assert_int_equal(auth_store_put(b.db, &p, i ? "key-2" : "key-1", NULL, &b.err), CH_OK);
	}
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "[auth 2/9]<Hello");
	assert_int_equal(b.provider.served, 2);
	b.st = CH_E_PEER;       /* forget the cooldown */
	ask(&b);
	assert_int_equal(b.st, CH_E_PEER);
	assert_int_equal(b.ret.error_class, MODEL_ERR_AUTH);
	assert_int_equal(b.provider.served, 4);
	assert_int_equal(db_prep(b.db, who, &s, NULL), CH_OK);
	assert_int_equal(db_step(s, &row, NULL), CH_OK);
	assert_string_equal(db_text(s, 0), "acme:one auth, acme:two ok, acme:two auth, acme:one auth");
	db_done(CH_TAKE(s));
	bench_stop(&b);
}

static void test_rotation(void **state)
{
	in_fiber(run_rotation, NULL);
}

/* The output is capped to what is left; when that is nothing, nothing goes out, not even another attempt. */
static void run_budget(struct loop *l, void *arg)
{
	static const struct answer script[] = {
		{ 200, SSE, OPENAI_TEXT }, { 200, SSE, OPENAI_HALF, true }, { 200, SSE, OPENAI_TEXT }, { 200, SSE, OPENAI_TEXT },
	};
	struct bench b;

	budgets = "budgets: {perDayTokens: 2600},";
	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_non_null(strstr(buf_str(&b.provider.last_body), "tokens\":25"));         /* 2600 less the prompt */
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_int_equal(b.provider.served, 3);
	assert_int_equal(b.ret.attempts, 2);
	ask(&b);        /* 2200 are gone: 400 less the prompt */
	assert_int_equal(b.st, CH_OK);
	assert_non_null(strstr(buf_str(&b.provider.last_body), "tokens\":3"));
	ask(&b);
	assert_int_equal(b.st, CH_E_LIMIT);
	assert_int_equal(b.ret.error_class, MODEL_ERR_NONE);
	assert_non_null(strstr(b.err.text, "chela config set budgets.perDayTokens"));
	assert_int_equal(b.provider.served, 4);
	bench_stop(&b);
	budgets = "";
}

static void test_budget(void **state)
{
	in_fiber(run_budget, NULL);
}

static void run_nobody(struct loop *l, void *arg)
{
	struct bench b;

	bench_start(&b, l, NULL, 0, "openai-completions");
	provider_stop(&b.provider);
	ask(&b);
	assert_int_equal(b.st, CH_E_PEER);
	assert_int_equal(b.ret.error_class, MODEL_ERR_NETWORK);
	assert_int_equal(b.retries, 8);
	assert_non_null(strstr(b.err.text, "acme/m: no connection (http://127.0.0.1:"));
	expect_ledger(&b, ""); /* nothing reached anybody */
	provider_start(&b.provider, l, NULL, 0, NULL);
	bench_stop(&b);
}

static void test_nobody_there(void **state)
{
	in_fiber(run_nobody, NULL);
}

/* -- answers that do not -- */

static void run_final_errors(struct loop *l, void *arg)
{
	static const struct {
		struct answer answer;
		enum model_error_class class;
		const char *text;
	} rows[] = {
		{ { 400, NULL, "{\"error\":{\"message\":\"prompt is too long: 9 tokens\"}}" }, MODEL_ERR_CONTEXT, "/new begins a fresh one" },
		{ { 404, NULL, "{\"error\":{\"message\":\"no such model\"}}" }, MODEL_ERR_NOT_FOUND, "models list" },
		{ { 402, NULL, "" }, MODEL_ERR_BILLING, "no credit left (HTTP 402)" },
		{ { 403, NULL, "{\"error\":{\"message\":\"bad key " DOUBLE_KEY "\"}}" }, MODEL_ERR_AUTH,
		  "Check models.providers.acme.apiKey" },
		{ { 422, NULL, "{\"detail\":\"what?\"}" }, MODEL_ERR_FORMAT, "acme/m: HTTP 422: what?" },
		{ { 302, "Location: http://127.0.0.1:1/\r\n", "" }, MODEL_ERR_FORMAT, "HTTP 302" },
		{ { 200, "Content-Type: text/html; charset=utf-8\r\n", "<html>login</html>" }, MODEL_ERR_FORMAT, "HTTP 200" },
		{ { 200, "Content-Type: application/json\r\n", "{\"error\":{\"message\":\"invalid api key\"}}" }, MODEL_ERR_AUTH, "HTTP 200" },
	};
	struct answer script[CH_ARRAY_LEN(rows)];
	struct bench b;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		script[i] = rows[i].answer;
	bench_start(&b, l, script, CH_ARRAY_LEN(rows), "openai-completions");
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		ask(&b);
		assert_int_equal(b.st, CH_E_PEER);
		assert_int_equal(b.ret.error_class, rows[i].class);
		if (!strstr(b.err.text, rows[i].text))
			fail_msg("%s", b.err.text);
		assert_int_equal(b.ret.attempts, 1);
		assert_int_equal(b.provider.served, i + 1);
	}
	bench_stop(&b);
}

static void test_final_errors(void **state)
{
	in_fiber(run_final_errors, NULL);
}

static void run_keys(struct loop *l, void *arg)
{
	static const struct answer ok[] = {
		{ 200, SSE, OPENAI_TEXT }, { 200, SSE, OPENAI_TEXT }, { 200, SSE, OPENAI_TEXT }, { 200, SSE, OPENAI_TEXT },
	};
	struct bench b;

	bench_start(&b, l, ok, CH_ARRAY_LEN(ok), "openai-completions");
	bench_config(&b, "openai-completions", "headers: {'X-Team': 'blue', 'authorization': 'Basic x'},");
	ask(&b);
	assert_int_equal(b.st, CH_E_PEER);      /* a header of one's own wins, here to no good */
	assert_int_equal(b.ret.error_class, MODEL_ERR_AUTH);
	bench_config(&b, "openai-completions", "headers: {'X-Team': 'blue'},");
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_non_null(strstr(b.provider.last_head, "X-Team: blue\r\n"));
	/* The name of a variable instead of a key. */
	setenv("ACME_TEST_KEY", DOUBLE_KEY, 1);
	bench_config(&b, "openai-completions", "apiKey: 'ACME_TEST_KEY',");
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	unsetenv("ACME_TEST_KEY");
	ask(&b);
	assert_int_equal(b.ret.error_class, MODEL_ERR_AUTH);
	/* No key where one is needed. */
	unsetenv("OPENAI_API_KEY");
	ask_with(&b, "openai/gpt-4o", "[{role:'user',content:'hi'}]");
	assert_int_equal(b.st, CH_E_NOT_FOUND);
	assert_int_equal(b.ret.error_class, MODEL_ERR_AUTH);
	assert_string_equal(b.err.text, "there is no key for openai: set models.providers.openai.apiKey or OPENAI_API_KEY, or "
					   "`chela models auth paste-api-key --provider openai`");
	bench_stop(&b);

	bench_start(&b, l, ok, 1, "anthropic-messages");        /* as a bearer token: not what this double wants */
	bench_config(&b, "anthropic-messages", "auth: 'token',");
	ask(&b);
	assert_int_equal(b.ret.error_class, MODEL_ERR_AUTH);
	assert_non_null(strcasestr(b.provider.last_head, "authorization: Bearer " DOUBLE_KEY));
	bench_stop(&b);
}

static void test_keys_and_headers(void **state)
{
	in_fiber(run_keys, NULL);
}

static void run_unusable(struct loop *l, void *arg)
{
	struct bench b;

	bench_start(&b, l, NULL, 0, "pi-messages");
	ask(&b);
	assert_int_equal(b.st, CH_E_UNSUPPORTED);
	assert_non_null(strstr(b.err.text, "pi-messages"));
	ask_with(&b, "nobody/x", "[{role:'user',content:'hi'}]");
	assert_int_equal(b.st, CH_E_NOT_FOUND);
	bench_config(&b, "openai-completions", "");
	ask_with(&b, "acme/m", "[]");
	assert_int_equal(b.st, CH_E_INVALID);
	/* The last member of that name counts: the cloud's own address, which nobody may configure. */
	bench_config(&b, "openai-completions", "baseUrl: 'http://169.254.169.254/v1',");
	ask(&b);
	assert_int_equal(b.st, CH_E_DENIED);
	assert_int_equal(b.retries, 0);
	assert_int_equal(b.provider.served, 0);
	bench_stop(&b);
}

static void test_unusable(void **state)
{
	in_fiber(run_unusable, NULL);
}

/* -- silence and cancelling -- */

static void run_silence(struct loop *l, void *arg)
{
	static const struct answer script[] = { { 0 }, { 200, SSE, OPENAI_TEXT } };
	struct models_opts opts = { .loop = l, .config = current, .retry_base_ms = 1, .silence_ms = 30 };
	struct bench b;

	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	opts.http = b.http;
	opts.db = b.db;
	models_free(b.models);
	b.models = models_new(&opts);
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "[timeout 2/9]<Hello");
	expect_ledger(&b, "1 timeout 0 0/0 0.0000;2 ok 200 1000/100 0.0030;");
	bench_stop(&b);
}

static void test_silence(void **state)
{
	in_fiber(run_silence, NULL);
}

static void run_stop(struct loop *l, void *arg)
{
	static const struct answer script[] = { { 200, SSE, OPENAI_TEXT } };
	struct bench b;

	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	b.stop_at_text = 1;
	ask(&b);
	assert_int_equal(b.st, CH_E_CANCELED);
	assert_string_equal(buf_str(&b.log), "<Hello");
	expect_ledger(&b, "1 canceled 200 0/0 0.0000;");
	bench_stop(&b);
}

static void test_a_caller_that_stops(void **state)
{
	in_fiber(run_stop, NULL);
}

static void asking(void *arg)
{
	ask(arg);
}

static void run_cancel(struct loop *l, void *arg)
{
	static const struct answer silent[] = { { 0 } };
	static const struct answer limited[] = { { 429, "Retry-After: 50\r\n", "{}" } };
	static const struct answer *const scripts[] = { silent, limited };

	for (size_t i = 0; i < CH_ARRAY_LEN(scripts); i++) {
		struct fiber *f;
		struct bench b;

		bench_start(&b, l, scripts[i], 1, "openai-completions");
		f = fiber_spawn(l, "asking", FIBER_JOINABLE, asking, &b);
		while (!b.provider.served || (i == 1 && !b.retries))
			assert_int_equal(fiber_yield(), CH_OK);
		fiber_cancel(f);
		assert_int_equal(fiber_join(f, fiber_deadline(2000)), CH_OK);
		assert_int_equal(b.st, CH_E_CANCELED);
		expect_ledger(&b, i ? "1 rate_limit 429 0/0 0.0000;" : "1 canceled 0 0/0 0.0000;");
		bench_stop(&b);
	}
}

static void test_cancel(void **state)
{
	in_fiber(run_cancel, NULL);
}

/* The configuration changes while a reply streams: the reply ends as it began. */
static void run_config_change(struct loop *l, void *arg)
{
	static const struct answer script[] = { { 429, "Retry-After-Ms: 30\r\n", "{}" }, { 200, SSE, OPENAI_TEXT } };
	struct fiber *f;
	struct bench b;

	bench_start(&b, l, script, CH_ARRAY_LEN(script), "openai-completions");
	f = fiber_spawn(l, "asking", FIBER_JOINABLE, asking, &b);
	while (!b.retries)
		assert_int_equal(fiber_yield(), CH_OK);
	config_unref(CH_TAKE(snapshot));
	assert_int_equal(config_parse("{}", 2, NULL, &snapshot, NULL), CH_OK);
	models_config_changed(b.models);
	assert_int_equal(fiber_join(f, fiber_deadline(2000)), CH_OK);
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "[rate_limit 2/10]<Hello");
	bench_stop(&b);
}

static void test_a_configuration_that_changes(void **state)
{
	in_fiber(run_config_change, NULL);
}

static void run_ledger_failure(struct loop *l, void *arg)
{
	static const struct answer script[] = { { 200, SSE, OPENAI_TEXT } };
	struct bench b;

	bench_start(&b, l, script, 1, "openai-completions");
	db_fail_nth(b.db, 1);
	ask(&b);
	assert_int_equal(b.st, CH_OK);
	expect_ledger(&b, "");
	bench_stop(&b);
}

static void test_a_full_disk_does_not_cost_the_reply(void **state)
{
	in_fiber(run_ledger_failure, NULL);
}

static void run_offline(struct loop *l, void *arg)
{
	struct bench b;

	bench_start(&b, l, NULL, 0, "openai-completions");
	ask_with(&b, "offline/demo", "[{role:'user',content:'say hi'}]");
	assert_int_equal(b.st, CH_OK);
	assert_string_equal(buf_str(&b.log), "<hi");
	assert_string_equal(b.ret.provider, "offline");
	assert_string_equal(b.ret.model, "demo");
	assert_true(b.ret.has_cost && b.ret.cost.total == 0);
	bench_stop(&b);
}

static void test_offline(void **state)
{
	in_fiber(run_offline, NULL);
}

/* -- Ollama on this machine -- */

static void serve_ollama(struct peer_conn *pc)
{
	const char *head;

	while (*(head = peer_head(pc))) {
		bool is_tags = str_starts(head, "GET /api/tags "), is_llama;
		const char *body;
		char out[600];

		if (!is_tags)
			assert_true(peer_want(pc, (size_t)(strstr(head, "\r\n\r\n") - head) + 4 + 10));
		is_llama = strstr(buf_str(&pc->in), "llama") != NULL;
		body = is_tags    ? "{\"models\":[{\"name\":\"embed\"},{\"name\":\"gemma\"},{\"name\":\"llama:8b\"},{\"name\":\"\"}]}"
		       : is_llama ? "{\"capabilities\":[\"completion\",\"tools\",\"thinking\",\"vision\"],"
				    "\"model_info\":{\"general.architecture\":\"llama\",\"llama.context_length\":131072}}"
		       : strstr(buf_str(&pc->in), "gemma")
			       ? "{\"capabilities\":[\"completion\"],\"model_info\":{\"gemma.context_length\":4096}}"
			       : "{\"capabilities\":[\"embedding\"]}";
		buf_clear(&pc->in);
		snprintf(out, sizeof(out), "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
			 strlen(body), body);
		peer_puts(pc, out);
	}
}

static void run_discover(struct loop *l, void *arg)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct http_client *http = http_client_new(l);
	struct models_opts opts = { .loop = l, .http = http };
	struct model_entry e;
	const char *source;
	struct models *m;
	struct peer p;
	char url[64], conf[160];

	peer_start(&p, l, serve_ollama, NULL);
	snprintf(url, sizeof(url), "http://127.0.0.1:%u", p.port);
	opts.ollama_url = url;
	m = models_new(&opts);
	models_discover(m);
	assert_int_equal(model_resolve(m, NULL, NULL, a, &e, &source, NULL), CH_OK);
	assert_string_equal(source, "ollama");
	assert_string_equal(e.ref, "ollama/llama:8b"); /* the first that takes tools */
	assert_int_equal(e.context_window, 32768);
	assert_true(e.reasoning && e.input_image);
	assert_string_equal(e.base_url, url);
	assert_int_equal(model_resolve(m, "ollama/gemma", NULL, a, &e, NULL, NULL), CH_OK);
	assert_int_equal(e.context_window, 4096);
	assert_false(json_get_bool(e.compat, "supportsTools", true));
	peer_stop(&p);

	models_discover(m);     /* it went away */
	assert_int_equal(model_resolve(m, NULL, NULL, a, &e, &source, NULL), CH_OK);
	assert_string_equal(source, "offline");
	models_free(m);

	peer_start(&p, l, serve_ollama, NULL);  /* where the configuration says */
	snprintf(conf, sizeof(conf), "{models: {providers: {ollama: {baseUrl: 'http://127.0.0.1:%u/v1/'}}}}", p.port);
	assert_int_equal(config_parse(conf, strlen(conf), NULL, &snapshot, NULL), CH_OK);
	opts.ollama_url = NULL;
	opts.config = current;
	m = models_new(&opts);
	models_discover(m);
	assert_int_equal(model_resolve(m, NULL, NULL, a, &e, &source, NULL), CH_OK);
	assert_string_equal(e.ref, "ollama/llama:8b");
	models_free(m);
	config_unref(CH_TAKE(snapshot));
	peer_stop(&p);
	http_client_free(http);
}

static void test_discover(void **state)
{
	in_fiber(run_discover, NULL);
}

static void test_retry_after(void **state)
{
	static const struct { const char *text; int64_t ms; } rows[] = {
		{ NULL, 0 }, { "", 0 }, { "5", 5000 }, { "2.5", 2500 }, { "0", 0 }, { "-1", 0 }, { "soon", 0 }, { "1e99", 0 },
		{ "Thu, 01 Jan 1970 00:01:00 GMT", 60000 }, { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777000 }, { "Sun, 06 Xxx 1994 08:49:37 GMT", 0 },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_int_equal(retry_after_parse(rows[i].text, 0), rows[i].ms);
	assert_int_equal(retry_after_parse("Thu, 01 Jan 1970 00:01:00 GMT", 90000), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_history),
		cmocka_unit_test(test_retries),
		cmocka_unit_test(test_a_caller_that_wants_no_retry),
		cmocka_unit_test(test_retry_limits),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_final_errors),
		cmocka_unit_test(test_keys_and_headers),
		cmocka_unit_test(test_unusable),
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_a_caller_that_stops),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_a_configuration_that_changes),
		cmocka_unit_test(test_a_full_disk_does_not_cost_the_reply),
		cmocka_unit_test(test_offline),
		cmocka_unit_test(test_discover),
		cmocka_unit_test(test_retry_after),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
