/* web/search: services asked as their contracts say, answers read, failures explained. */
#include "web_fixture.h"

#include "web/search_priv.h"

#define KEY "key-0123456789"

/*
 * The doubles: each answers only what its service would, with the credential in its place. What is asked for decides:
 * "busy" is over the rate, "broken" is no JSON.
 */
static const char brave_web[] =
	"{\"type\":\"search\",\"web\":{\"results\":["
	"{\"title\":\"<strong>First</strong> &amp; best\",\"url\":\"https://www.one.example/a?b=1\",\"description\":\"About <b>it</b>\\u200b.\","
	"\"age\":\"2 days ago\",\"page_age\":\"2026-11-20T08:00:00\"},"
	"{\"title\":\"No address\",\"url\":\"javascript:alert(1)\"},"
	"{\"title\":\"\",\"url\":\"http://two.example/\",\"description\":\"x\",\"page_age\":\"yesterday\"},"
	"{\"title\":\"Third\",\"url\":\"https://three.example/\"}]}}";
static const char brave_context[] =
	"{\"grounding\":{\"generic\":[{\"url\":\"https://one.example/\",\"title\":\"One\",\"snippets\":[\"a < b\",\"c\"]}]},"
	"\"sources\":{\"https://one.example/\":{\"title\":\"One\",\"age\":[\"Monday, January 15, 2026\",\"2026-01-15\",\"300 days ago\"]}}}";
static const char tavily[] =
	"{\"query\":\"q\",\"results\":[{\"title\":\"T\",\"url\":\"https://t.example/\",\"content\":\"text\",\"score\":0.9,"
	"\"published_date\":\"Tue, 10 Nov 2026 08:49:37 GMT\"}]}";
static const char searxng[] =
	"{\"query\":\"q\",\"results\":[{\"title\":\"S\",\"url\":\"https://s.example/\",\"content\":\"text\",\"publishedDate\":null}]}";
static const char duckduckgo[] =
	"<a class=result__a href='//duckduckgo.com/l/?uddg=https%3A%2F%2Fd.example%2F'>D</a><a class=result__snippet>text</a>";

static bool has(const char *text, const char *part)
{
	return strcasestr(text, part) != NULL;
}

static void serve(struct peer_conn *pc)
{
	struct fixture *f = pc->peer->arg;
	const char *head;

	while (*(head = peer_head(pc))) {
		const char *length = strcasestr(head, "\r\ncontent-length:");
		size_t n = length ? (size_t)strtoull(length + 17, NULL, 10) : 0, head_len = (size_t)(strstr(head, "\r\n\r\n") - head) + 4;
		char *rq;

		assert_true(peer_want(pc, head_len + n));
		rq = arena_strndup(f->arena, pc->in.data, head_len + n);
		peer_drop(pc, n);
		f->requests++;
		if (has(rq, "q=busy") || has(rq, "\"busy\""))
			fx_text(pc, "429 Too Many Requests", "application/json", "", "{}");
		else if (has(rq, "q=broken"))
			fx_text(pc, "200 OK", "application/json", "", "<html>");
		else if (has(rq, "q=away"))
			fx_text(pc, "302 Found", NULL, "Location: http://127.0.0.1:1/\r\n", "");
		else if (str_starts(rq, "GET /res/v1/"))
			!has(rq, "\r\nX-Subscription-Token: " KEY "\r\n") ? fx_text(pc, "401 Unauthorized", "application/json", "", "{}")
			: fx_text(pc, "200 OK", "application/json", "", str_starts(rq, "GET /res/v1/llm/") ? brave_context : brave_web);
		else if (str_starts(rq, "POST /search "))
			!has(rq, "\r\nAuthorization: Bearer " KEY "\r\n") ? fx_text(pc, "401 Unauthorized", "application/json", "", "{}")
			: fx_text(pc, has(rq, "\"max_results\":9") ? "432 Plan" : "200 OK", "application/json", "", tavily);
		else if (str_starts(rq, "GET /search?"))
			has(rq, "format=json") ? fx_text(pc, "200 OK", "application/json", "", searxng)
					       : fx_text(pc, "403 Forbidden", "text/html", "", "");
		else if (str_starts(rq, "GET /html/?"))
			fx_text(pc, "200 OK", "text/html", "", has(rq, "q=robot") ? "<div class=anomaly-modal__title>x</div>" : duckduckgo);
		else
			fx_text(pc, "404 Not Found", "text/plain", "", "");
	}
}

/* All four at the peer; `more` is put into tools.web.search. */
static void use(struct fixture *f, const char *brave, const char *more)
{
	unsigned port = f->peer.port;

	fx_use(f, arena_printf(f->arena, "{tools:{web:{search:{%s}}},plugins:{entries:{"
			       "brave:{config:{webSearch:{baseUrl:'http://127.0.0.1:%u/',%s}}},"
			       "tavily:{config:{webSearch:{apiKey:'" KEY "',baseUrl:'http://127.0.0.1:%u'}}},"
			       "searxng:{config:{webSearch:{baseUrl:'http://127.0.0.1:%u',categories:'news'}}},"
			       "duckduckgo:{config:{webSearch:{baseUrl:'http://127.0.0.1:%u',region:'us-en',safeSearch:'strict'}}}}}}",
			       more, port, brave, port, port, port));
}

static ch_status search(struct fixture *f, struct search_in in, struct search_out *o, struct ch_err *err)
{
	*err = (struct ch_err){ 0 };
	*o = (struct search_out){ 0 };
	in.config = f->config;
	in.deadline_ms = fiber_deadline(5000);
	return web_search(f->web, &in, f->arena, o, err);
}

static void must_fail(struct fixture *f, struct search_in in, ch_status want, const char *text)
{
	struct search_out o;
	struct ch_err err;
	ch_status st = search(f, in, &o, &err);

	if (st != want || !strstr(err.text, text))
		fail_msg("%s: %s (%s)", in.query, ch_status_name(st), err.text);
}

static struct search_out must_find(struct fixture *f, struct search_in in)
{
	struct search_out o;
	struct ch_err err;

	if (search(f, in, &o, &err))
		fail_msg("%s: %s", in.query, err.text);
	return o;
}

#define Q(text, ...) ((struct search_in){ .query = (text), __VA_ARGS__ })

static void run_services(struct loop *l, void *arg)
{
	struct fixture f;
	struct search_out o;

	fx_open(&f, l, serve);
	use(&f, "apiKey:'" KEY "'", "provider:'brave'");
	o = must_find(&f, Q("q"));
	assert_string_equal(o.provider, "brave");
	assert_int_equal(o.count, 3);
	assert_string_equal(o.hits[0].title, "First & best");
	assert_string_equal(o.hits[0].snippet, "About it.");
	assert_string_equal(o.hits[0].published, "2026-11-20T08:00:00");
	assert_string_equal(o.hits[0].site_name, "one.example");
	assert_string_equal(o.hits[1].title, "two.example");
	assert_null(o.hits[1].published);
	assert_null(o.hits[2].snippet);
	assert_int_equal(must_find(&f, Q("q", .count = 1)).count, 1);
	assert_true(must_find(&f, Q("q")).is_cached);
	assert_false(must_find(&f, Q("q", .is_uncached = true)).is_cached);
	use(&f, "apiKey:'" KEY "',mode:'llm-context'", "provider:'brave'");
	o = must_find(&f, Q("q"));
	assert_string_equal(o.hits[0].snippet, "a < b c");
	assert_string_equal(o.hits[0].published, "2026-01-15");
	must_fail(&f, Q("q", .date_before = "2026-01-01"), CH_E_UNSUPPORTED, "date_after");
	use(&f, "apiKey:'x'", "provider:'tavily'");
	o = must_find(&f, Q("q"));
	assert_string_equal(o.provider, "tavily");
	assert_string_equal(o.hits[0].published, "2026-11-10T08:49:37Z");
	must_fail(&f, Q("q", .count = 9), CH_E_BUSY, "limit is used up");
	use(&f, "apiKey:'x'", "provider:'searxng'");
	assert_string_equal(must_find(&f, Q("q")).hits[0].url, "https://s.example/");
	use(&f, "apiKey:'x'", "provider:'duckduckgo'");
	o = must_find(&f, Q("q"));
	assert_string_equal(o.hits[0].url, "https://d.example/");
	assert_string_equal(o.hits[0].snippet, "text");
	must_fail(&f, Q("robot"), CH_E_BUSY, "whether a person is there");
	fx_close(&f);
}

static void services(void **state)
{
	in_fiber(run_services, NULL);
}

static void run_failures(struct loop *l, void *arg)
{
	struct fixture f;

	fx_open(&f, l, serve);
	use(&f, "apiKey:'wrong-key'", "provider:'brave'");
	must_fail(&f, Q("q"), CH_E_DENIED, "check plugins.entries.brave.config.webSearch.apiKey");
	must_fail(&f, Q("busy"), CH_E_BUSY, "rate or quota");
	must_fail(&f, Q("broken"), CH_E_PEER, "JSON");
	must_fail(&f, Q("away"), CH_E_PEER, "HTTP 302");
	must_fail(&f, Q(" "), CH_E_INVALID, "'query'");
	must_fail(&f, Q("q", .date_after = "1.1.2026"), CH_E_INVALID, "date_after");
	must_fail(&f, Q("q", .date_after = "2026-02-01", .date_before = "2026-01-01"), CH_E_INVALID, "later");
	must_fail(&f, Q("q", .date_after = "2026-02-01", .freshness = "day"), CH_E_INVALID, "not both");
	use(&f, "", "provider:'brave'");
	must_fail(&f, Q("q"), CH_E_NOT_FOUND, "no credential");
	use(&f, "", "provider:'exa'");
	must_fail(&f, Q("q"), CH_E_NOT_FOUND, "does not have");
	use(&f, "", "enabled:false");
	must_fail(&f, Q("q"), CH_E_NOT_FOUND, "enabled is false");
	use(&f, "", "provider:'tavily'");
	must_fail(&f, Q("q", .country = "DE"), CH_E_UNSUPPORTED, "no filter by country");
	/* The key does not leave one's own network unencrypted. */
	fx_use(&f, "{tools:{web:{search:{provider:'brave'}}},plugins:{entries:{brave:{config:{webSearch:{apiKey:'k',"
		   "baseUrl:'http://brave.example'}}}}}}");
	must_fail(&f, Q("q"), CH_E_INVALID, "must be https");
	fx_use(&f, "{tools:{web:{search:{provider:'brave'}}},plugins:{entries:{brave:{config:{webSearch:{apiKey:'k',"
		   "baseUrl:'http://169.254.169.254'}}}}}}");
	must_fail(&f, Q("q"), CH_E_DENIED, "metadata");
	fx_close(&f);
}

static void failures(void **state)
{
	in_fiber(run_failures, NULL);
}

/* Without a choice the first that has what it needs, then the next; one that was chosen stands alone. */
static void run_automatic(struct loop *l, void *arg)
{
	struct fixture f;
	const char *why = NULL;

	fx_open(&f, l, serve);
	use(&f, "apiKey:'wrong-key'", "");
	assert_string_equal(search_selected(f.config, &why), "brave");
	assert_string_equal(must_find(&f, Q("q")).provider, "tavily");
	must_fail(&f, Q("q", .provider = "brave"), CH_E_DENIED, "Brave");
	must_fail(&f, Q("q", .language = "de", .country = "DE"), CH_E_DENIED, "Brave");
	use(&f, "", "");
	assert_string_equal(search_selected(f.config, &why), "tavily");
	fx_use(&f, "{plugins:{entries:{searxng:{config:{webSearch:{baseUrl:'http://localhost:1'}}}}}}");
	assert_string_equal(search_selected(f.config, &why), "searxng");
	fx_use(&f, "{plugins:{entries:{searxng:{enabled:false,config:{webSearch:{baseUrl:'http://localhost:1'}}}}}}");
	assert_null(search_selected(f.config, &why));
	fx_use(&f, "{env:{vars:{BRAVE_API_KEY:'from-env'}}}");
	assert_string_equal(search_selected(f.config, &why), "brave");
	fx_use(&f, "{}");
	assert_null(search_selected(f.config, &why));
	assert_non_null(strstr(why, "BRAVE_API_KEY"));
	fx_close(&f);
}

static void automatic(void **state)
{
	in_fiber(run_automatic, NULL);
}

static void requests(void **state)
{
	static const struct { const struct search_provider *p; struct search_in in; const char *url, *body; } rows[] = {
		{ &search_brave, { .query = "a b&c", .country = "DE", .language = "de", .freshness = "week" },
		  "https://x/res/v1/web/search?q=a%20b%26c&count=5&country=DE&search_lang=de&freshness=pw", NULL },
		{ &search_brave, { .query = "q", .date_after = "2026-01-01", .date_before = "2026-02-01", .ui_lang = "en-US" },
		  "https://x/res/v1/web/search?q=q&count=5&ui_lang=en-US&freshness=2026-01-01to2026-02-01", NULL },
		{ &search_tavily, { .query = "q\"", .freshness = "day" }, "https://x/search",
		  "{\"query\":\"q\\\"\",\"max_results\":5,\"search_depth\":\"basic\",\"topic\":\"general\",\"include_answer\":false,"
		  "\"time_range\":\"day\"}" },
		{ &search_searxng, { .query = "q", .language = "en" }, "https://x/search?q=q&format=json&language=en", NULL },
		{ &search_duckduckgo, { .query = "q", .freshness = "month" }, "https://x/html/?q=q&kp=-1&df=m", NULL },
	};
	CH_AUTO(config_unref) struct config *c = fx_config("{}");
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		struct search_in in = rows[i].in;
		struct search_job job = { .in = &in, .count = 5, .base = "https://x", .key = KEY, .a = a };
		struct search_request rq = { 0 };
		struct ch_err err = { 0 };

		in.config = c;
		assert_int_equal(rows[i].p->build(&job, &rq, &err), CH_OK);
		assert_string_equal(rq.url, rows[i].url);
		if (rows[i].body)
			assert_string_equal(rq.body, rows[i].body);
	}
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(services),
	cmocka_unit_test(failures),
	cmocka_unit_test(automatic),
	cmocka_unit_test(requests),
};
FX_MAIN(tests, NULL)
