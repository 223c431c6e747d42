/* config/endpoint and web/request: what an endpoint may say, what is sent, and what of the answer is told. */
#include "web_fixture.h"

#include "web/request.h"

#define SECRET "s3cret/value+42"

static struct json *parse(struct arena *a, const char *text)
{
	struct json *v = NULL;
	struct ch_err err = { 0 };

	if (json_parse(a, text, strlen(text), JSON_JSON5, &v, &err))
		fail_msg("%s: %s", text, err.text);
	return v;
}

/* -- what may be configured -- */

static void wrong_endpoints(void **state)
{
	static const struct { const char *conf, *says; } rows[] = {
		{ "{}", "url: is missing" },
		{ "{url:'ftp://h/'}", "url: must begin with https" },
		{ "{url:'{scheme}://h/'}", "url: must begin with https" },
		{ "{url:'https://{host}/x',schema:{type:'object',properties:{host:{type:'string'}}}}", "url: host and port must not" },
		{ "{url:'https://h:{port}/',schema:{type:'object',properties:{port:{type:'integer'}}}}", "url: host and port must not" },
		{ "{url:'https://user:pw@h/'}", "is not a host" },
		{ "{url:'https:///x'}", "is not a host" },
		{ "{url:'https://h/#x'}", "url: byte 0x23" },
		{ "{url:'https://h/a b'}", "url: byte 0x20" },
		{ "{url:'https://h/{x}'}", "url: {x} is no property of schema" },
		{ "{url:'https://h/{x}',schema:{type:'object',properties:{x:{type:'string'}}}}", "so schema must require it" },
		{ "{url:'https://h/{x'}", "begins no {name}" },
		{ "{url:'https://h/',schema:[]}", "schema: what stands at the top" },
		{ "{url:'https://h/',schema:{type:'string'}}", "schema: its type must be object" },
		{ "{url:'https://h/',schema:{type:'object',properties:{a:{type:'text'}}}}", "schema: 'type' at a" },
		{ "{url:'https://h/',schema:{type:'object',properties:{a:{type:'string',pattern:'x'}}}}", "schema: 'pattern' at a" },
		{ "{url:'https://h/',schema:{type:'object',required:['b'],properties:{}}}", "names 'b', which is no property" },
		{ "{url:'https://h/',headers:['x']}", "headers: must be an object" },
		{ "{url:'https://h/',headers:{'Host':'x'}}", "headers: 'Host'" },
		{ "{url:'https://h/',headers:{'a b':'x'}}", "headers: 'a b'" },
		{ "{url:'https://h/',headers:{a:'x\\ny'}}", "holds a line end" },
		{ "{url:'https://h/',bearer:'x',headers:{Authorization:'y'}}", "exclude each other" },
		{ "{url:'https://h/',body:{}}", "body: a GET has no body" },
		{ "{url:'https://h/',method:'POST',body:{a:'{b}'}}", "body: {b} is no property" },
		{ "{url:'https://h/',method:'POST',body:{},form:{}}", "either body or form" },
		{ "{url:'https://h/',method:'POST',form:{a:1}}", "form: 'a' must be a text" },
		{ "{url:'https://h/',select:'a/b'}", "select: " },
		{ "{url:'https://h/',select:['/a',7]}", "select: " },
		{ "{url:'https://h/',hosts:['other']}", "hosts: h, the url's own" },
		{ "{url:'https://h/',hosts:['*.h']}", "is no exact host" },
		{ "{url:'https://h/',method:'POST',risk:'reads'}", "risk: a POST sends" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		CH_AUTO(config_unref) struct config *c = NULL;
		struct endpoint e;
		struct ch_err err = { 0 };
		const struct config_issue *issues;
		size_t n;

		if (endpoint_read(a, "x", parse(a, rows[i].conf), &e, &err) != CH_E_INVALID || !strstr(err.text, rows[i].says))
			fail_msg("%s: %s", rows[i].conf, err.text);
		/* The same is said of the file, with the way to it. */
		c = fx_config(arena_printf(a, "{tools:{http:{bad:%s}}}", rows[i].conf));
		issues = config_issues(c, &n);
		while (n && !str_eq(issues->path, "tools.http.bad")) {
			issues++;
			n--;
		}
		assert_true(n > 0);
		assert_int_equal(issues->severity, CONFIG_ERROR);
	}
}

/* What has no names is refused before anybody asks for one. */
static void a_list_of_endpoints(void **state)
{
	CH_AUTO(config_unref) struct config *c = fx_config("{tools:{http:[{url:'https://h/'}]}}");
	size_t n;

	assert_string_equal(config_issues(c, &n)->path, "tools.http");
	assert_true(n > 0);
}

static void names_and_secrets_stay_local(void **state)
{
	static const char *const keys[] = { "tools.http", "tools.http.x", "tools.http.x.url", "tools.http.x.headers.k", "tools.http.x.hosts",
					    "tools.http.x.bearer", "tools.http.x.body", "tools.http.x.method" };

	for (size_t i = 0; i < CH_ARRAY_LEN(keys); i++)
		assert_true(config_row_find(keys[i])->flags & CFG_LOCAL);
	assert_true(config_path_is_secret("tools.http.x.headers.k"));
	assert_true(config_path_is_secret("tools.http.x.bearer"));
}

/* -- what is sent -- */

#define ARGS "schema:{type:'object',required:['id'],properties:{id:{type:'string'},n:{type:'integer'},q:{type:'string'}," \
	"l:{type:'array',items:{type:'string'}},o:{type:'object'}}}"

static void templates(void **state)
{
	static const struct { const char *conf, *args, *url, *body; } rows[] = {
		{ "url:'https://h/v1/{id}/x?q={q}&n={n}&k=1'", "{id:'a b/?&#',q:'x&y=z',n:3}", "https://h/v1/a%20b%2F%3F%26%23/x?q=x%26y%3Dz&n=3&k=1" },
		{ "url:'https://h/v1/{id}?q={q}&n={n}'", "{id:'\u00e9',n:1}", "https://h/v1/%C3%A9?n=1" },
		{ "url:'https://h/{id}?q={q}'", "{id:'x'}", "https://h/x" },
		{ "url:'https://h/a{{b}}/{id}'", "{id:'...'}", "https://h/a{b}/..." },
		{ "url:'https://h:8443?l={l}'", "{id:'x',l:['a','b']}", "https://h:8443?l=%5B%22a%22%2C%22b%22%5D" },
		{ "method:'POST',url:'https://h/{id}'", "{id:'x',n:5,q:'\"'}", "https://h/x", "{\"n\":5,\"q\":\"\\\"\"}" },
		{ "method:'POST',url:'https://h/',body:{a:'{q}',b:['{n}','n={n}'],c:{d:'{o}',e:true,f:null}}", "{id:'x',q:'\"}{',n:7,o:{k:[1]}}",
		  "https://h/", "{\"a\":\"\\\"}{\",\"b\":[7,\"n=7\"],\"c\":{\"d\":{\"k\":[1]},\"e\":true,\"f\":null}}" },
		{ "method:'PUT',url:'https://h/',body:{a:'{q}',b:'{n} of {q}'}", "{id:'x',n:1}", "https://h/", "{}" },
		{ "method:'POST',url:'https://h/',form:{a:'{q}',b:'{n}',c:'{id}!'}", "{id:'x y',q:'1&2'}", "https://h/", "a=1%262&c=x%20y%21" },
		{ "method:'DELETE',url:'https://h/{id}'", "{id:'x'}", "https://h/x", NULL },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		struct endpoint e;
		struct request rq;
		struct ch_err err = { 0 };

		if (endpoint_read(a, "x", parse(a, arena_printf(a, "{%s," ARGS "}", rows[i].conf)), &e, &err) ||
		    request_expand(a, &e, parse(a, rows[i].args), &rq, &err))
			fail_msg("%s: %s", rows[i].conf, err.text);
		assert_string_equal(rq.url, rows[i].url);
		if (rows[i].body)
			assert_string_equal(rq.body, rows[i].body);
		else
			assert_null(rq.body);
	}
}

static void test_threat_ssrf_arguments_stay_in_their_place(void **state)
{
	static const struct { const char *url, *args, *headers; } rows[] = {
		{ "https://h/v1/{id}/x", "{id:'..'}", "" },   { "https://h/v1/{id}", "{id:'.'}", "" },
		{ "https://h/v1/{id}", "{id:''}", "" },       { "https://h/v1/.{id}/x", "{id:'.'}", "" },
		{ "https://h/v1/%2e{id}", "{id:'.'}", "" },   { "https://h/v1/{id}", "{id:'a\\u0000b'}", "" },
		{ "https://h/{id}", "{id:'x',q:'a\\r\\nHost: evil'}", "headers:{x:'{q}'}," },
		{ "https://h/{id}", "{id:'x\\ny'}", "headers:{x:'k {id}'}," },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		CH_AUTO(arena_unref) struct arena *a = arena_new(0);
		const char *conf = arena_printf(a, "{url:'%s',%s schema:{type:'object',required:['id','q'],properties:{id:{type:'string'},"
						"q:{type:'string'}}}}", rows[i].url, rows[i].headers);
		struct endpoint e;
		struct request rq;
		struct ch_err err = { 0 };

		if (endpoint_read(a, "x", parse(a, conf), &e, &err))
			fail_msg("%s", err.text);
		if (request_expand(a, &e, parse(a, rows[i].args), &rq, &err) != CH_E_INVALID)
			fail_msg("%s with %s gave %s", rows[i].url, rows[i].args, rq.url);
	}
}

/* -- what is told -- */

static void selection(void **state)
{
	static const struct { const char *select, *want; } rows[] = {
		{ "'/a/b'", "1" }, { "''", "{\"a\":{\"b\":1},\"l\":[{\"t\":1,\"u\":[5]},{\"t\":2,\"u\":[6]}],\"x/y\":{\"~\":3}}" },
		{ "['/a/b','/none']", "{\"/a/b\":1,\"/none\":null}" }, { "{n:'/l/1/t'}", "{\"n\":2}" },
		{ "'/l/*/t'", "[1,2]" }, { "'/l/*/u/*'", "[[5],[6]]" }, { "'/x~1y/~0'", "3" }, { "'/l/7/t'", "null" },
		{ "'/a/*'", "[1]" }, { "'/a/b/c'", "null" },
	};
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct json *answer = parse(a, "{a:{b:1},l:[{t:1,u:[5]},{t:2,u:[6]}],'x/y':{'~':3}}");

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_string_equal(json_to_str(a, request_select(a, parse(a, rows[i].select), answer)), rows[i].want);
}

static void test_threat_secrets_echoed_are_blotted(void **state)
{
	static const char *const echoes[] = { SECRET, "s3cret%2Fvalue%2B42", "czNjcmV0L3ZhbHVlKzQy", "x" SECRET "y" SECRET };
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);

	for (size_t i = 0; i < CH_ARRAY_LEN(echoes); i++) {
		const char *text = request_blot(a, arena_printf(a, "{\"h\":\"%s\"}", echoes[i]), SECRET);

		assert_null(strstr(text, echoes[i]));
		assert_non_null(strstr(text, "[redacted]"));
	}
	assert_string_equal(request_blot(a, "{\"a\":\"q\\\"uoted!\"}", "q\"uoted!"), "{\"a\":\"[redacted]\"}");
	assert_string_equal(request_blot(a, "abc", "abc"), "abc");
}

/* -- over the wire -- */

static void serve(struct peer_conn *pc)
{
	struct fixture *f = pc->peer->arg;
	const char *head;

	while (*(head = peer_head(pc))) {
		char *rq = arena_strdup(f->arena, head);
		const char *length = strcasestr(rq, "\r\ncontent-length:");

		peer_drop(pc, length ? (size_t)strtoull(length + 17, NULL, 10) : 0);
		f->requests++;
		if (strstr(rq, " /away"))
			fx_text(pc, "307 Go", NULL, arena_printf(f->arena, "Location: http://127.0.0.1:%u/echo\r\n", f->other.port), "");
		else if (strstr(rq, " /out"))
			fx_text(pc, "302 Found", NULL, "Location: http://localhost:1/\r\n", "");
		else if (strstr(rq, " /bad"))
			fx_text(pc, "422 No", "application/json", "", "{\"error\":\"which\"}");
		else
			fx_text(pc, "200 OK", "application/json", "", json_to_str(f->arena, json_new_str(f->arena, rq)));
	}
}

static ch_status call(struct fixture *f, const char *conf, struct request_out *o, struct ch_err *err)
{
	struct endpoint e;
	struct request_in in = { .endpoint = &e, .args = json_new_obj(f->arena), .deadline_ms = fiber_deadline(5000) };
	ch_status st;

	*err = (struct ch_err){ 0 };
	fx_use(f, arena_printf(f->arena, "{env:{vars:{TOKEN_X:'" SECRET "'}},tools:{http:{t:%s}}}", conf));
	in.config = f->config;
	st = endpoint_read(f->arena, "t", config_get(f->config, "tools.http.t"), &e, err);
	return st ? st : request_run(f->web, &in, f->arena, o, err);
}

static void run_wire(struct loop *l, void *arg)
{
	struct fixture f;
	struct request_out o;
	struct ch_err err;
	unsigned port;

	fx_open(&f, l, serve);
	port = f.peer.port;
	assert_int_equal(call(&f, arena_printf(f.arena, "{url:'http://127.0.0.1:%u/echo',bearer:{source:'env',id:'TOKEN_X'},headers:{'x-k':'$TOKEN_X',"
					       "'accept':'text/x','x-plain':'shown'}}", port), &o, &err), CH_OK);
	assert_null(strstr(o.text, SECRET));
	assert_non_null(strstr(o.text, "authorization: Bearer [redacted]"));
	assert_non_null(strstr(o.text, "x-k: [redacted]"));
	assert_non_null(strstr(o.text, "x-plain: shown"));
	assert_non_null(strstr(o.text, "accept: text/x"));
	assert_null(strstr(o.text, "application/json"));
	/* Another port is another origin: followed where the list has the host, without what the owner wrote for his. */
	assert_int_equal(call(&f, arena_printf(f.arena, "{url:'http://127.0.0.1:%u/away',bearer:'" SECRET "',headers:{'x-plain':'shown'}}", port),
			      &o, &err), CH_OK);
	assert_null(strcasestr(o.text, "authorization"));
	assert_null(strstr(o.text, "shown"));
	assert_int_equal(call(&f, arena_printf(f.arena, "{url:'http://127.0.0.1:%u/out'}", port), &o, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "localhost is not among the hosts"));
	/* What acts is sent once, wherever the server would like it to go. */
	assert_int_equal(call(&f, arena_printf(f.arena, "{method:'POST',url:'http://127.0.0.1:%u/away'}", port), &o, &err), CH_OK);
	assert_int_equal(o.status, 307);
	assert_int_equal(call(&f, arena_printf(f.arena, "{url:'http://127.0.0.1:%u/bad',select:'/x'}", port), &o, &err), CH_OK);
	assert_int_equal(o.status, 422);
	assert_string_equal(o.text, "{\"error\":\"which\"}");
	/* Unencrypted, a credential stays at home; a stored one without a store goes nowhere. */
	assert_int_equal(call(&f, "{url:'http://api.example.org/',bearer:'" SECRET "'}", &o, &err), CH_E_DENIED);
	assert_non_null(strstr(err.text, "unencrypted"));
	assert_int_equal(call(&f, arena_printf(f.arena, "{url:'http://127.0.0.1:%u/',bearer:{source:'store',id:'NAME'}}", port), &o, &err),
			 CH_E_DENIED);
	assert_int_equal(call(&f, "{url:'http://169.254.169.254/latest/'}", &o, &err), CH_E_DENIED);
	fx_close(&f);
}

static void test_threat_secrets_go_to_their_host_only(void **state)
{
	in_fiber(run_wire, NULL);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(wrong_endpoints),
	cmocka_unit_test(a_list_of_endpoints),
	cmocka_unit_test(names_and_secrets_stay_local),
	cmocka_unit_test(templates),
	cmocka_unit_test(test_threat_ssrf_arguments_stay_in_their_place),
	cmocka_unit_test(selection),
	cmocka_unit_test(test_threat_secrets_echoed_are_blotted),
	cmocka_unit_test(test_threat_secrets_go_to_their_host_only),
};
FX_MAIN(tests, NULL)
