/*
 * Compaction: what is replaced, what must survive, how it fails, and that turns go on either way.
 */
#include "agent_fixture.h"

#include "agent/compact.h"

#define WINDOW 9000

static const char good[] =
	"## Where things stand\nThe port is 8443 and the file is /srv/app/config.yaml.\n"
	"## Decisions and rules\nKeep it short.\n## Open asks\nnone\n"
	"## Exact identifiers\n`8443`, `/srv/app/config.yaml`\n## Next steps\nGo on.\n";

/* -- pieces -- */

static void finds_identifiers(void **state)
{
	static const char text[] =
		"Look at /srv/app/config.yaml and https://example.org/a?b=1. Port 8443, and/or not; id "
		"3f2504e0-4f89-11d3-9a0c-0305e82c3301, v2.4.1 of my_table for ann@example.org (`launch-code`), 1,234,567 rows, "
		"2nd try, the year 2026, snake_case_name, ORION-7!";
	static const char *const want[] = {
		"/srv/app/config.yaml", "https://example.org/a?b=1", "8443", "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
		"v2.4.1", "my_table", "ann@example.org", "launch-code", "1,234,567", "2026", "snake_case_name", "ORION-7",
	};
	struct fixture *f = *state;
	struct pins p = { .arena = f->arena };

	pins_collect(&p, text, strlen(text), PINS_MAX);
	for (size_t i = 0; i < CH_ARRAY_LEN(want) && i < p.len; i++)
		assert_string_equal(p.at[i], want[i]);
	assert_int_equal(p.len, CH_ARRAY_LEN(want));
	pins_collect(&p, text, strlen(text), PINS_MAX);
	assert_int_equal(p.len, CH_ARRAY_LEN(want));             /* each once */
}

static void finds_what_is_missing(void **state)
{
	struct fixture *f = *state;
	struct pins p = { .arena = f->arena };
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 4096);
	pins_collect(&p, "1234 and /a/b", 13, PINS_MAX);
	assert_int_equal(pins_missing(&p, "there is 12345 and /a/b.", &out), 1);
	assert_string_equal(buf_str(&out), "`1234`");
	assert_int_equal(pins_missing(&p, "1234, /a/b", &out), 0);
}

static void checks_headings(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(compact_check(good, strlen(good), 1000, &f->err), CH_OK);
	assert_int_equal(compact_check(good, strlen(good), 10, &f->err), CH_E_LIMIT);
	assert_int_equal(compact_check("just text", 9, 1000, &f->err), CH_E_INVALID);
	assert_non_null(strstr(f->err.text, "## Where things stand"));
}

static void renders_as_text(void **state)
{
	struct fixture *f = *state;
	CH_AUTO_BUF struct buf out = { 0 };

	buf_init(&out, 65536);
	compact_render(&out, fx_parse(f, "{\"role\":\"user\",\"content\":\"close </conversation> this\"}"), 1000);
	compact_render(&out, fx_parse(f, "{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":\"hm\"},"
					 "{\"type\":\"toolCall\",\"id\":\"c\",\"name\":\"read\",\"arguments\":{\"path\":\"a\"}}]}"), 1000);
	compact_render(&out, fx_parse(f, "{\"role\":\"toolResult\",\"toolName\":\"read\",\"isError\":true,\"content\":["
					 "{\"type\":\"text\",\"text\":\"0123456789abcdefghij0123456789\"},"
					 "{\"type\":\"image\",\"data\":\"AAAA\"}]}"), 16);
	assert_string_equal(buf_str(&out),
		"[person] close <\\/conversation> this\n"
		"[agent calls read] {\"path\":\"a\"}\n"
		"[result of read, failed] 0123456789ab […14 bytes left out…] 6789\n"
		"[result: an image, not shown here]\n");
}

/* -- plans -- */

static struct sess *session(struct fixture *f)
{
	struct sess_key key;
	struct sess *s;

	assert_int_equal(sess_key_parse(f->arena, KEY, "main", &key, &f->err), CH_OK);
	assert_int_equal(sess_open(f->sessions, &key, "operator", &s, NULL, &f->err), CH_OK);
	return s;
}

static void put(struct fixture *f, struct sess *s, const char *message)
{
	struct json *m = fx_parse(f, message);
	struct tr_entry e = { .type = "message", .role = json_get_str(m, "role"), .message = message };

	assert_int_equal(tr_append(s, NULL, 0, &e, f->arena, &f->err), CH_OK);
}

#define CALL "{\"role\":\"assistant\",\"content\":[{\"type\":\"toolCall\",\"id\":\"c\",\"name\":\"read\",\"arguments\":{}}]}"

/* Five turns of about 165 tokens, of which the calls and their results may not part. */
static void plans_whole_turns(void **state)
{
	struct fixture *f = *state;
	CH_AUTO(sess_unref) struct sess *s = session(f);
	CH_AUTO(history_free) struct history *h = history_new();
	char row[600];

	for (int i = 0; i < 5; i++) {
		snprintf(row, sizeof(row), "{\"role\":\"user\",\"content\":\"q%d %0400d\"}", i, 0);
		put(f, s, row);
		put(f, s, CALL);
		put(f, s, "{\"role\":\"toolResult\",\"toolCallId\":\"c\",\"toolName\":\"read\",\"content\":[]}");
		put(f, s, "{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"done\"}]}");
	}
	assert_int_equal(history_load(h, s, &f->err), CH_OK);
	assert_int_equal(compact_plan(h, 1000000, 3, INT64_MAX), 0);     /* all of it may stay */
	assert_int_equal(compact_plan(h, 420, 0, INT64_MAX), 12);
	assert_int_equal(compact_plan(h, 0, 3, INT64_MAX), 8);           /* three turns stay, whatever the tokens */
	assert_int_equal(compact_plan(h, 0, 3, 420), 12);                /* but never more than fits */
	/* One turn is too long: from the newest place that parts no call from its result. */
	assert_int_equal(compact_plan(h, 30, 3, 30), 19);
	assert_int_equal(compact_plan(h, 70, 3, 70), 17);
	assert_int_equal(history_next_begin(h, 18), 19);
}

/* -- turns -- */

static char filler[8001];

static const char *fill(const char *what)
{
	static char text[12000];

	memset(filler, 'x', sizeof(filler) - 1);
	for (size_t i = 7; i < sizeof(filler) - 1; i += 8)
		filler[i] = ' ';
	snprintf(text, sizeof(text), "%s %s", what, filler);
	return text;
}

static const char *last_asked(const struct fixture *f)
{
	return f->asked.at[f->asked.len - 1];
}

static bool told(const struct fixture *f, const char *part)
{
	for (size_t i = 0; i < f->lines.len; i++)
		if (strstr(f->lines.at[i], part))
			return true;
	return false;
}

static const struct step ok[] = { { ST_TEXT, "ok" }, { ST_END } };
static const struct step summary[] = { { ST_TEXT, good }, { ST_USAGE, .n = 100, .m = 10, .k = 2 }, { ST_END } };
static const struct step no_summary[] = { { ST_TEXT, "I would rather chat." }, { ST_END } };
static const struct step broken[] = { { ST_FAIL, "the provider is down", .n = MODEL_ERR_SERVER }, { ST_END } };
static const struct step too_long[] = { { ST_FAIL, "prompt is too long", .n = MODEL_ERR_CONTEXT }, { ST_END } };

static int64_t compactions(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = session(f);

	return s->compaction_count;
}

/* Fills the window in two turns; the third does not fit. */
static void three_turns(struct fixture *f)
{
	fx_send(f, "r1", fill("The port is 8443, the file /srv/app/config.yaml."));
	fx_wait_run(f, "r1");
	fx_send(f, "r2", fill("second"));
	fx_wait_run(f, "r2");
	fx_send(f, "r3", fill("third"));
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_DONE);
}

static void check_compacted(struct fixture *f)
{
	struct json *rows = fx_rows(f), *divider;

	three_turns(f);
	assert_int_equal(f->at, 4);
	assert_non_null(strstr(f->asked.at[2], "<conversation>"));
	assert_non_null(strstr(f->asked.at[2], "`/srv/app/config.yaml`"));
	/* The request that followed: the summary, then what stayed. */
	assert_non_null(strstr(last_asked(f), "[What was said before this point"));
	assert_non_null(strstr(last_asked(f), "## Exact identifiers"));
	assert_non_null(strstr(last_asked(f), "third"));
	assert_null(strstr(last_asked(f), "The port is 8443, the file"));
	assert_int_equal(compactions(f), 1);
	assert_true(told(f, "\"stream\":\"compaction\",\"data\":{\"phase\":\"start\""));
	assert_true(told(f, "\"completed\":true,\"willRetry\":false,\"outcome\":\"completed\""));
	assert_true(told(f, "\"sessions.changed\",\"key\":\"compact\""));
	/* Nothing is gone. */
	assert_string_equal(fx_roles(f), "user assistant user assistant user system assistant");
	rows = fx_rows(f);
	divider = json_get(json_at(rows, 5), "compaction");
	assert_non_null(json_get_str(divider, "firstKeptEntryId"));
	assert_string_equal(json_get_str(divider, "reason"), "threshold");
	assert_true(json_get_int(divider, "tokensBefore", 0) > json_get_int(divider, "tokensAfter", 0));
}

static void compacts_before_overflow(void **state)
{
	static const struct step *const script[] = { ok, ok, summary, ok };
	struct fixture *f = *state;

	f->window = WINDOW;
	fx_run(f, script, check_compacted);
}

static void check_survives_restart(struct fixture *f)
{
	check_compacted(f);
	agent_host_drain(f->host, fiber_deadline(WAIT_MS));
	agent_host_free(f->host);
	fx_new_host(f);
	fx_send(f, "r4", "after the restart");
	fx_wait_run(f, "r4");
	assert_non_null(strstr(last_asked(f), "[What was said before this point"));
	assert_null(strstr(last_asked(f), "The port is 8443, the file"));
	assert_non_null(strstr(last_asked(f), "after the restart"));
}

static void survives_restart(void **state)
{
	static const struct step *const script[] = { ok, ok, summary, ok, ok };
	struct fixture *f = *state;

	f->window = WINDOW;
	fx_run(f, script, check_survives_restart);
}

/* The first record lacks its headings, the second is one but forgets an identifier: it is added. */
static const struct step forgetful[] = {
	{ ST_TEXT, "## Where things stand\na\n## Decisions and rules\nb\n## Open asks\nnone\n## Exact identifiers\n`8443`\n## Next steps\nc" },
	{ ST_END } };

static void check_quality(struct fixture *f)
{
	three_turns(f);
	assert_int_equal(f->at, 5);
	assert_non_null(strstr(f->asked.at[3], "Your last attempt could not be used"));
	assert_non_null(strstr(last_asked(f), "## Also mentioned, exactly"));
	assert_non_null(strstr(last_asked(f), "`/srv/app/config.yaml`"));
}

static void writes_again_once(void **state)
{
	static const struct step *const script[] = { ok, ok, no_summary, forgetful, ok };
	struct fixture *f = *state;

	f->window = WINDOW;
	fx_run(f, script, check_quality);
}

static void check_failed(struct fixture *f)
{
	three_turns(f);
	assert_int_equal(compactions(f), 0);
	assert_true(told(f, "\"completed\":false,\"willRetry\":false,\"outcome\":\"failed\""));
	assert_string_equal(fx_roles(f), "user assistant user assistant user assistant assistant");
	assert_non_null(strstr(fx_text(f, 5), "could not be summarised"));
	/* The oldest turn was left out of the request, and the notice never reaches the model. */
	assert_null(strstr(last_asked(f), "The port is 8443"));
	assert_null(strstr(last_asked(f), "could not be summarised"));
	assert_non_null(strstr(last_asked(f), "third"));
}

static void failing_summary_keeps_history(void **state)
{
	static const struct step *const twice_bad[] = { ok, ok, no_summary, no_summary, ok };
	struct fixture *f = *state;

	f->window = WINDOW;
	fx_run(f, twice_bad, check_failed);
}

static void check_down(struct fixture *f)
{
	check_failed(f);
	/* Not tried again at once: each attempt costs. */
	fx_send(f, "r4", "fourth");
	fx_wait_run(f, "r4");
	assert_int_equal(f->at, 5);
	clock_fake(now_mono_ms() + 11 * 60 * 1000, now_wall_ms() + 11 * 60 * 1000);
	fx_send(f, "r5", "fifth");
	fx_wait_run(f, "r5");
	assert_int_equal(compactions(f), 1);
}

static void failing_provider_is_left_alone(void **state)
{
	static const struct step *const script[] = { ok, ok, broken, ok, ok, summary, ok };
	struct fixture *f = *state;

	f->window = WINDOW;
	fx_run(f, script, check_down);
}

static void check_overflow(struct fixture *f)
{
	three_turns(f);
	assert_int_equal(f->at, 5);
	assert_int_equal(compactions(f), 1);
	assert_true(told(f, "\"completed\":true,\"willRetry\":true"));
	assert_non_null(strstr(last_asked(f), "[What was said before this point"));
}

static void compacts_when_the_provider_refuses(void **state)
{
	static const struct step *const script[] = { ok, ok, too_long, summary, ok };
	struct fixture *f = *state;

	f->window = 100000;      /* we think it fits */
	fx_run(f, script, check_overflow);
}

static void check_abort(struct fixture *f)
{
	const char *const *ids;

	fx_send(f, "r1", fill("one"));
	fx_wait_run(f, "r1");
	fx_send(f, "r2", fill("two"));
	fx_wait_run(f, "r2");
	fx_send(f, "r3", fill("three"));
	fx_reach(f, 1);
	assert_int_equal(agent_abort(f->host, KEY, "r3", "rpc", f->arena, &ids, &f->err), CH_OK);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_ABORTED);
	assert_int_equal(compactions(f), 0);
	assert_true(told(f, "\"outcome\":\"aborted\""));
}

static void abort_ends_a_summary(void **state)
{
	static const struct step waits[] = { { ST_TEXT, "## Where" }, { ST_WAIT }, { ST_END } };
	static const struct step *const script[] = { ok, ok, waits };
	struct fixture *f = *state;

	f->window = WINDOW;
	fx_run(f, script, check_abort);
}

/* Twenty summaries on top of each other, by a writer that only ever copies the headings. */
#define ROUNDS 20
static void check_chain(struct fixture *f)
{
	char id[16], text[64];

	fx_send(f, "r0", fill("The launch code is ORION-7-4411; never tell anybody."));
	fx_wait_run(f, "r0");
	while (compactions(f) < ROUNDS) {
		int n = (int)f->asked.len;

		snprintf(id, sizeof(id), "r%d", n);
		snprintf(text, sizeof(text), "step %d", n);
		fx_send(f, id, fill(text));
		fx_wait_run(f, id);
		assert_true(n < 200);
	}
	assert_non_null(strstr(last_asked(f), "ORION-7-4411"));
	/* Every message ever said is there. */
	assert_non_null(strstr(json_to_str(f->arena, fx_rows(f)), "never tell anybody"));
}

static ch_status chain_stream(void *arg, const struct model_call *call, model_event_fn fn, void *fn_arg,
			      struct model_result *ret, struct ch_err *err)
{
	struct fixture *f = arg;
	CH_AUTO_BUF struct buf b = { 0 };
	const char *text = "ok";

	buf_init(&b, 64u << 20);
	json_write(&b, call->messages, 0);
	vec_push(&f->asked, buf_take(&b, NULL));
	if (call->reason == MODEL_FOR_COMPACTION)
		text = "## Where things stand\n-\n## Decisions and rules\n-\n## Open asks\n-\n## Exact identifiers\n-\n## Next steps\n-";
	fx_tell(fn, fn_arg, MODEL_EV_TEXT, text);
	return CH_OK;
}

static void facts_survive_twenty_summaries(void **state)
{
	struct fixture *f = *state;
	struct agent_model_ops ops = { f, fx_resolve, chain_stream };
	struct agent_host_opts opts = {
		.loop = f->loop, .sessions = f->sessions, .model_ops = &ops, .config = fx_config, .config_arg = f,
		.state_dir = f->base, .ops = { fx_on_event, f },
	};

	agent_host_free(f->host);
	f->host = agent_host_new(&opts);
	f->window = WINDOW;
	fx_run(f, NULL, check_chain);
}

/* -- outside of a turn -- */

static void check_command(struct fixture *f)
{
	fx_send(f, "c0", "/compact");
	fx_wait_run(f, "c0");
	assert_non_null(strstr(fx_text(f, 1), "Nothing to compact"));
	fx_send(f, "r1", fill("The port is 8443."));
	fx_wait_run(f, "r1");
	fx_send(f, "r2", "second");
	fx_wait_run(f, "r2");
	fx_send(f, "c1", "/compact keep the <focus> port");
	fx_wait_run(f, "c1");
	assert_int_equal(compactions(f), 1);
	assert_int_equal(f->last_reason, MODEL_FOR_COMPACTION);
	assert_non_null(strstr(last_asked(f), "<focus>\\nkeep the <focus> port"));
	assert_non_null(strstr(fx_text(f, 8), "Compacted ("));
	fx_send(f, "c2", "/compact");
	fx_wait_run(f, "c2");
	assert_non_null(strstr(fx_text(f, 10), "Already compacted"));
}

static void a_command_compacts(void **state)
{
	static const struct step *const script[] = { ok, ok, summary };

	fx_run(*state, script, check_command);
}

static void check_asked_for(struct fixture *f)
{
	struct agent_compact want = { .session_key = KEY, .operation_id = "op-1" };
	struct agent_compacted got;

	assert_int_equal(agent_compact(f->host, &want, f->arena, &got, &f->err), CH_E_NOT_FOUND);
	fx_send(f, "r1", fill("one"));
	fx_reach(f, 1);
	assert_int_equal(agent_compact(f->host, &want, f->arena, &got, &f->err), CH_E_INVALID);
	fx_release(f);
	fx_wait_run(f, "r1");
	assert_int_equal(agent_compact(f->host, &want, f->arena, &got, &f->err), CH_OK);
	assert_false(got.is_compacted);
	assert_string_equal(got.reason, "Nothing to compact (session too small)");
	fx_send(f, "r2", "two");
	fx_wait_run(f, "r2");
	/* A failing writer: nothing changes. */
	assert_int_equal(agent_compact(f->host, &want, f->arena, &got, &f->err), CH_E_PEER);
	assert_string_equal(fx_roles(f), "user assistant user assistant");
	/* Without a writer: the newest two messages. */
	want.max_entries = 2;
	assert_int_equal(agent_compact(f->host, &want, f->arena, &got, &f->err), CH_OK);
	assert_true(got.is_compacted);
	assert_int_equal(got.kept, 2);
	fx_send(f, "r3", "three");
	fx_wait_run(f, "r3");
	assert_null(strstr(last_asked(f), "one xxx"));
	assert_non_null(strstr(last_asked(f), "two"));
	assert_non_null(strstr(last_asked(f), "left out at the user's request"));
}

static void compacts_on_request(void **state)
{
	static const struct step waits[] = { { ST_WAIT }, { ST_TEXT, "ok" }, { ST_END } };
	static const struct step *const script[] = { waits, ok, broken, ok };

	fx_run(*state, script, check_asked_for);
}

/* Each write of a summary fails once: the view is the old one, or the new one and complete. */
static int fail_at;
static bool was_written;

static void check_db_fails(struct fixture *f)
{
	struct agent_compact want = { .session_key = KEY, .operation_id = "op-1" };
	struct agent_compacted got;
	ch_status st;

	fx_send(f, "r1", fill("one"));
	fx_wait_run(f, "r1");
	fx_send(f, "r2", "two");
	fx_wait_run(f, "r2");
	db_fail_nth(f->db, fail_at);
	st = agent_compact(f->host, &want, f->arena, &got, &f->err);
	db_fail_nth(f->db, 0);
	was_written = !st;
	assert_int_equal(db_tx_depth(f->db), 0);
	assert_int_equal(compactions(f), was_written);
	assert_string_equal(fx_roles(f), was_written ? "user assistant user assistant system" : "user assistant user assistant");
	fx_send(f, "r3", "three");
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_DONE);
	assert_int_equal(strstr(last_asked(f), "one xxx") == NULL, was_written);
}

static void a_failing_database_leaves_the_old_view(void **state)
{
	static const struct step *const script[] = { ok, ok, summary, ok, ok };
	int n;

	for (n = 1; n < 60; n++) {
		void *mine = NULL;

		fx_setup(&mine);
		fail_at = n;
		fx_run(mine, script, check_db_fails);
		fx_teardown(&mine);
		if (was_written)
			break;
	}
	assert_in_range(n, 3, 40);
	clock_fake(1000000, 1795332738000);
}

/* -- another writer -- */

static ch_status two_models(void *arg, const struct model_route_want *want, struct arena *a, struct model_route *ret,
			    struct ch_err *err)
{
	struct model_entry *at = arena_alloc(a, 2 * sizeof(*at));
	const char *source;

	assert_int_equal(fx_resolve(arg, "mock/mock-1", want->agent_id, a, &at[0], &source, err), CH_OK);
	assert_int_equal(fx_resolve(arg, "mock/mock-2", want->agent_id, a, &at[1], &source, err), CH_OK);
	*ret = (struct model_route){ .at = at, .len = 2, .source = "config" };
	return CH_OK;
}

static void check_other_writer(struct fixture *f)
{
	three_turns(f);
	assert_int_equal(f->at, 5);
	assert_int_equal(compactions(f), 1);
	assert_string_equal(json_get_str(json_get(json_at(fx_rows(f), 5), "compaction"), "model"), "mock/mock-2");
}

static void another_model_writes_when_one_fails(void **state)
{
	static const struct step *const script[] = { ok, ok, broken, summary, ok };
	struct fixture *f = *state;
	struct agent_model_ops ops = { f, fx_resolve, fx_stream, two_models };
	struct agent_host_opts opts = {
		.loop = f->loop, .sessions = f->sessions, .model_ops = &ops, .config = fx_config, .config_arg = f,
		.state_dir = f->base, .ops = { fx_on_event, f },
	};

	agent_host_free(f->host);
	f->host = agent_host_new(&opts);
	f->window = WINDOW;
	fx_run(f, script, check_other_writer);
}

/* -- telling the user -- */

static void check_notice(struct fixture *f)
{
	three_turns(f);
	assert_string_equal(fx_roles(f), "user assistant user assistant user system assistant assistant");
	assert_non_null(strstr(fx_text(f, 6), "is summarised ("));
	assert_null(strstr(last_asked(f), "is summarised ("));
}

static void tells_the_user_when_asked_to(void **state)
{
	static const struct step *const script[] = { ok, ok, summary, ok };
	struct fixture *f = *state;

	fx_set_config(f, "{agents:{defaults:{compaction:{notifyUser:true}}}}");
	f->window = WINDOW;
	fx_run(f, script, check_notice);
}

static void check_disabled(struct fixture *f)
{
	three_turns(f);
	assert_int_equal(compactions(f), 0);
	assert_int_equal(f->at, 3);
}

static void can_be_switched_off(void **state)
{
	static const struct step *const script[] = { ok, ok, ok };
	struct fixture *f = *state;

	fx_set_config(f, "{agents:{defaults:{compaction:{enabled:true}},entries:{main:{compaction:{enabled:false}}}}}");
	f->window = WINDOW;
	fx_run(f, script, check_disabled);
}

/* A turn that is too long by itself: its request stays word for word, calls and results stay together. */
static const struct step big_call[] = { { ST_TOOL, "c", "read", "{\"path\":\"big.txt\"}" }, { ST_END } };

static void check_split(struct fixture *f)
{
	char path[128];
	FILE *file;

	fx_send(f, "r0", "hi");
	fx_wait_run(f, "r0");
	snprintf(path, sizeof(path), "%s/workspace/big.txt", f->base);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(fill(""), file);
	fclose(file);
	fx_send(f, "r1", "Please compare all parts of the report, word for word.");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	assert_int_equal(compactions(f), 1);
	assert_non_null(strstr(last_asked(f), "## The request being worked on, word for word"));
	assert_non_null(strstr(last_asked(f), "Please compare all parts of the report, word for word."));
	/* Every result follows its call. */
	assert_true(strstr(last_asked(f), "\"toolCall\"") < strstr(last_asked(f), "\"toolResult\""));
}

static void a_long_turn_is_split(void **state)
{
	static const struct step *const script[] = { ok, big_call, big_call, big_call, summary, ok, ok, ok };
	struct fixture *f = *state;

	f->window = WINDOW;
	fx_run(f, script, check_split);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(finds_identifiers), FX_TEST(finds_what_is_missing), FX_TEST(checks_headings), FX_TEST(renders_as_text),
		FX_TEST(plans_whole_turns), FX_TEST(compacts_before_overflow), FX_TEST(survives_restart),
		FX_TEST(writes_again_once), FX_TEST(failing_summary_keeps_history), FX_TEST(failing_provider_is_left_alone),
		FX_TEST(compacts_when_the_provider_refuses), FX_TEST(abort_ends_a_summary),
		FX_TEST(facts_survive_twenty_summaries), FX_TEST(a_command_compacts), FX_TEST(compacts_on_request),
		cmocka_unit_test(a_failing_database_leaves_the_old_view), FX_TEST(another_model_writes_when_one_fails),
		FX_TEST(tells_the_user_when_asked_to),
		FX_TEST(can_be_switched_off), FX_TEST(a_long_turn_is_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
