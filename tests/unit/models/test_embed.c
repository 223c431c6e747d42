/* models/embed against a peer that answers as told: the three ways to ask, their answers, and what goes wrong. */
#include "models/embed.h"

#include <stdlib.h>

#include "../net/raw_peer.h"
#include "core/json.h"
#include "core/str.h"
#include "net/http_client.h"

#define KEY "sk-test-1234567890"

/* One answer for each request; what was asked is kept. */
struct service {
	struct peer peer;
	int status;
	const char *answer;
	char head[1024];
	struct buf body;
};

static void serve(struct peer_conn *pc)
{
	struct service *s = CH_CONTAINER_OF(pc->peer, struct service, peer);
	const char *head;

	while (*(head = peer_head(pc))) {
		size_t head_len = (size_t)(strstr(head, "\r\n\r\n") - head) + 4;
		const char *length = strcasestr(head, "\r\ncontent-length:");
		size_t n = length ? (size_t)strtoll(length + 17, NULL, 10) : 0;
		CH_AUTO_BUF struct buf out = { .max_bytes = 1 << 20 };

		assert_true(peer_want(pc, head_len + n));
		snprintf(s->head, sizeof(s->head), "%.*s", (int)head_len, pc->in.data);
		buf_clear(&s->body);
		buf_append(&s->body, pc->in.data + head_len, n);
		buf_consume(&pc->in, head_len + n);
		buf_printf(&out, "HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", s->status,
			   strlen(s->answer), s->answer);
		if (!peer_write(pc, out.data, out.len))
			return;
	}
}

static struct config *snapshot;

static struct config *current(void *arg)
{
	return snapshot;
}

struct bench {
	struct service service;
	struct http_client *http;
	struct db *db;
	struct models *models;
	struct arena *arena;
	struct embed_result ret;
	struct ch_err err;
};

static void bench_start(struct bench *b, struct loop *l, const char *api, int status, const char *answer)
{
	struct models_opts opts = { .loop = l, .config = current, .silence_ms = 4000 };
	CH_AUTO_STR char *text = NULL;

	*b = (struct bench){ .service = { .status = status, .answer = answer }, .http = http_client_new(l),
			     .arena = arena_new(0) };
	buf_init(&b->service.body, 1 << 20);
	assert_int_equal(db_open(":memory:", DB_CREATE, &b->db, NULL), CH_OK);
	opts.http = b->http;
	opts.db = b->db;
	peer_start(&b->service.peer, l, serve, NULL);
	text = ch_asprintf("{models: {providers: {acme: {baseUrl: 'http://127.0.0.1:%u/v1', api: '%s', apiKey: '" KEY "',"
			   " models: [{id: 'm', cost: {input: 2, output: 0}}]}}}}", b->service.peer.port, api);
	if (config_parse(text, strlen(text), NULL, &snapshot, &b->err))
		fail_msg("%s", b->err.text);
	b->models = models_new(&opts);
}

static void bench_stop(struct bench *b)
{
	models_free(b->models);
	http_client_free(b->http);
	peer_stop(&b->service.peer);
	buf_done(&b->service.body);
	db_close(b->db);
	arena_unref(b->arena);
	config_unref(CH_TAKE(snapshot));
}

static ch_status ask(struct bench *b, const char *texts, int64_t dimensions)
{
	struct embed_call call = { .ref = "acme/m", .dimensions = dimensions, .agent_id = "main" };
	struct json *list;

	assert_int_equal(json_parse(b->arena, texts, strlen(texts), JSON_JSON5, &list, NULL), CH_OK);
	call.texts = list;
	return model_embed(b->models, &call, b->arena, &b->ret, &b->err);
}

static double first(const struct bench *b, size_t i)
{
	return json_num_or(json_first(b->ret.vectors[i]), -1);
}

/* "reason outcome tokens" of the only row. */
static void expect_ledger(struct bench *b, const char *wanted)
{
	struct db_stmt *s;
	bool found = false;
	char got[128];

	assert_int_equal(db_prep(b->db, "SELECT reason, outcome, input_tokens FROM ledger", &s, NULL), CH_OK);
	assert_int_equal(db_step(s, &found, NULL), CH_OK);
	assert_true(found);
	snprintf(got, sizeof(got), "%s %s %lld", db_text(s, 0), db_text(s, 1), (long long)db_int(s, 2));
	db_done(s);
	assert_string_equal(got, wanted);
}

/* -- the three ways -- */

static const struct row {
	const char *api, *request, *header, *body, *answer, *ledger;
} rows[] = {
	{ "openai-completions", "POST /v1/embeddings ", "authorization: Bearer " KEY "\r\n",
	  "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"encoding_format\":\"float\",\"dimensions\":2}",
	  /* Out of order: the index counts. */
	  "{\"data\":[{\"index\":1,\"embedding\":[2.5,0]},{\"index\":0,\"embedding\":[1.5,0]}],\"usage\":{\"prompt_tokens\":7}}",
	  "embedding ok 7" },
	{ "ollama", "POST /api/embed ", "authorization: Bearer " KEY "\r\n",
	  "{\"model\":\"m\",\"input\":[\"a\",\"b\"],\"dimensions\":2}",
	  "{\"model\":\"m\",\"embeddings\":[[1.5,0],[2.5,0]],\"prompt_eval_count\":3}", "embedding ok 3" },
	{ "google-generative-ai", "POST /v1/models/m:batchEmbedContents ", "x-goog-api-key: " KEY "\r\n",
	  "{\"requests\":[{\"model\":\"models/m\",\"content\":{\"parts\":[{\"text\":\"a\"}]},\"outputDimensionality\":2},"
	  "{\"model\":\"models/m\",\"content\":{\"parts\":[{\"text\":\"b\"}]},\"outputDimensionality\":2}]}",
	  "{\"embeddings\":[{\"values\":[1.5,0]},{\"values\":[2.5,0]}]}", "embedding ok 0" },
};

static void run_ways(struct loop *l, void *arg)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct bench b;

		bench_start(&b, l, rows[i].api, 200, rows[i].answer);
		if (ask(&b, "['a','b']", 2))
			fail_msg("%s: %s", rows[i].api, b.err.text);
		assert_true(str_starts(b.service.head, rows[i].request));
		assert_non_null(strcasestr(b.service.head, rows[i].header));
		assert_string_equal(buf_str(&b.service.body), rows[i].body);
		assert_true(first(&b, 0) == 1.5 && first(&b, 1) == 2.5);
		expect_ledger(&b, rows[i].ledger);
		bench_stop(&b);
	}
}

static void test_ways(void **state)
{
	in_fiber(run_ways, NULL);
}

/* -- what goes wrong -- */

static void run_failures(struct loop *l, void *arg)
{
	static const struct { const char *api; int status; const char *answer; ch_status st; enum model_error_class class; } cases[] = {
		{ "openai-completions", 401, "{\"error\":{\"message\":\"bad key\"}}", CH_E_PEER, MODEL_ERR_AUTH },
		{ "openai-completions", 429, "{}", CH_E_PEER, MODEL_ERR_RATE_LIMIT },
		{ "openai-completions", 200, "<html>", CH_E_PEER, MODEL_ERR_SERVER },
		{ "openai-completions", 200, "{\"data\":[{\"index\":0,\"embedding\":[1]}]}", CH_E_PEER, MODEL_ERR_SERVER },
		{ "openai-completions", 200, "{\"data\":[{\"index\":9,\"embedding\":[1]},{\"index\":-1,\"embedding\":[1]}]}", CH_E_PEER,
		  MODEL_ERR_SERVER },
		{ "ollama", 200, "{\"embeddings\":[[1],[]]}", CH_E_PEER, MODEL_ERR_SERVER },
		{ "google-generative-ai", 200, "{\"embeddings\":[{\"values\":7},{}]}", CH_E_PEER, MODEL_ERR_SERVER },
		{ "anthropic-messages", 200, "{}", CH_E_UNSUPPORTED, MODEL_ERR_NONE },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		struct bench b;

		bench_start(&b, l, cases[i].api, cases[i].status, cases[i].answer);
		assert_int_equal(ask(&b, "['a','b']", 0), cases[i].st);
		assert_int_equal(b.ret.error_class, cases[i].class);
		assert_null(strstr(b.err.text, KEY));
		bench_stop(&b);
	}
}

static void test_failures(void **state)
{
	in_fiber(run_failures, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_ways), cmocka_unit_test(test_failures) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
