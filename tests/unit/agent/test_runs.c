/*
 * Accepting, queueing, aborting and settling of runs, and what a failing database leaves behind.
 */
#include "agent_fixture.h"

#include "core/sanitize.h"

#define TEXT(t) { ST_TEXT, t }
#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { TEXT("hello"), DONE };
static const struct step again[] = { TEXT("again"), DONE };
static const struct step slow[] = { TEXT("one "), { ST_WAIT }, TEXT("two"), DONE };
static const struct step silent_slow[] = { { ST_WAIT }, TEXT("late"), DONE };

/* -- the plain turn -- */

static void plain_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct input_row row;
	struct json *outcome;

	assert_int_equal(fx_send(f, "r1", "  What is this?\nsecond line"), SUBMIT_STARTED);
	assert_true(agent_is_active(f->host, KEY));
	row = fx_wait_run(f, "r1");
	assert_int_equal(row.state, INPUT_DONE);
	assert_false(agent_is_active(f->host, KEY));
	outcome = fx_parse(f, row.outcome);
	assert_string_equal(json_str(json_path(outcome, "terminalReply.text")), "hello");
	assert_string_equal(json_str(json_path(outcome, "terminalReceipt.effective.provider")), "mock");
	assert_int_equal(json_int_or(json_path(outcome, "usage.totalTokens"), 0), 12);
	assert_string_equal(fx_roles(f), "user assistant");
	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	assert_string_equal(s->status, "done");
	assert_string_equal(s->derived_title, "What is this?");
	assert_string_equal(s->last_run_id, "r1");
	assert_string_equal(s->model, "mock-1");
	assert_null(s->model_override_source);
	assert_int_equal(s->input_tokens, 10);
	assert_int_equal(s->output_tokens, 2);
	assert_int_equal(s->total_tokens, 10);
	assert_int_equal(s->context_tokens, 200000);
}

static void plain(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, plain_body);
}

static void duplicates_body(struct fixture *f)
{
	assert_int_equal(fx_send(f, "r1", "a"), SUBMIT_STARTED);
	assert_int_equal(fx_send(f, "r1", "a"), SUBMIT_IN_FLIGHT);
	assert_string_equal(f->sent.known.run_id, "r1");
	fx_reach(f, 1);
	assert_int_equal(fx_send(f, "r1", "a"), SUBMIT_IN_FLIGHT);
	fx_release(f);
	fx_wait_run(f, "r1");
	assert_int_equal(fx_send(f, "r1", "a"), SUBMIT_ENDED);
	assert_int_equal(f->sent.known.state, INPUT_DONE);
	assert_string_equal(fx_roles(f), "user assistant");
	assert_int_equal(f->at, 1);
}

static void a_run_id_runs_once(void **state)
{
	static const struct step *const script[] = { slow, NULL };

	fx_run(*state, script, duplicates_body);
}

static void context_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	fx_wait_run(f, "r1");
	fx_send(f, "r2", "b");
	fx_wait_run(f, "r2");
	struct json *asked = fx_parse(f, f->asked.at[1]);

	assert_int_equal(json_len(asked), 3);
	assert_string_equal(json_str(json_path(asked, "0.content")), "a");
	assert_string_equal(json_str(json_path(asked, "1.content.0.text")), "hello");
	assert_string_equal(json_str(json_path(asked, "2.content")), "b");
	assert_string_equal(f->prompts.at[0], f->prompts.at[1]);
}

static void the_history_goes_along(void **state)
{
	static const struct step *const script[] = { hello, again, NULL };

	fx_run(*state, script, context_body);
}

static void wait_body(struct fixture *f)
{
	struct run_in_flight fly;
	struct input_row row;

	assert_int_equal(agent_wait(f->host, "nobody", fiber_deadline(0), f->arena, &row, &f->err), CH_E_NOT_FOUND);
	fx_send(f, "r1", "a");
	fx_reach(f, 1);
	assert_int_equal(agent_wait(f->host, "r1", fiber_deadline(0), f->arena, &row, &f->err), CH_E_TIMEOUT);
	assert_int_equal(agent_in_flight(f->host, KEY, f->arena, &fly, &f->err), CH_OK);
	assert_string_equal(fly.run_id, "r1");
	assert_string_equal(fly.text, "one");
	assert_string_equal(agent_active_runs(f->host, KEY, f->arena)[0], "r1");
	fx_release(f);
	fx_wait_run(f, "r1");
	assert_int_equal(agent_in_flight(f->host, KEY, f->arena, &fly, &f->err), CH_E_NOT_FOUND);
	assert_null(agent_active_runs(f->host, KEY, f->arena)[0]);
}

static void waits_and_looks(void **state)
{
	static const struct step *const script[] = { slow, NULL };

	fx_run(*state, script, wait_body);
}

static void refuse_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r", .text = "", .sender_is_owner = true };
	struct submit_result res;

	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_INVALID);
	in.text = "x";
	in.queue_mode = "sometimes";
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_INVALID);
	in.queue_mode = NULL;
	in.run_id = "";
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_INVALID);
	in.run_id = "r";
	in.attachments = fx_parse(f, "[{\"mimeType\":\"application/pdf\",\"content\":\"AAAA\"}]");
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_UNSUPPORTED);
	in.attachments = fx_parse(f, "[{\"mimeType\":\"image/png\",\"content\":\"\"}]");
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_INVALID);
	in.attachments = fx_parse(f, "[{\"mimeType\":\"image/png\",\"content\":\"data:image/png;base64,AAAA\"}]");
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_OK);
	fx_wait_run(f, "r");
	struct json *user = json_at(fx_rows(f), 0);

	assert_string_equal(json_str(json_path(user, "content.0.text")), "x");
	assert_string_equal(json_str(json_path(user, "content.1.data")), "AAAA");
	assert_string_equal(json_str(json_path(user, "content.1.mimeType")), "image/png");
}

static void checks_its_input(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, refuse_body);
}

/* -- the queue -- */

static void followup_body(struct fixture *f)
{
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	assert_int_equal(fx_send_mode(f, "r2", "second", "followup"), SUBMIT_QUEUED);
	assert_int_equal(fx_send_mode(f, "r3", "third", "collect"), SUBMIT_QUEUED);
	fx_turns(f);
	/* Their ids are settled; the turns come under ids of their own. */
	assert_int_equal(fx_count(f, "\"seq\":1,\"state\":\"final\""), 2);
	assert_int_equal(fx_send_mode(f, "r2", "second", "followup"), SUBMIT_IN_FLIGHT);
	fx_quiet(f);
	fx_release(f);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_DONE);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
	assert_string_equal(fx_roles(f), "user assistant user assistant user assistant");
	assert_string_equal(fx_text(f, 2), "second");
	assert_string_equal(fx_text(f, 4), "third");
	assert_true(fx_count(f, "reply-dispatch") > 0);
	assert_int_equal(f->runs.len, 5);
}

static void followups_run_after(void **state)
{
	static const struct step *const script[] = { slow, hello, again, NULL };

	fx_run(*state, script, followup_body);
}

static void interrupt_body(struct fixture *f)
{
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	fx_send_mode(f, "r2", "waiting", "followup");
	fx_quiet(f);
	assert_int_equal(fx_send_mode(f, "r3", "now", "interrupt"), SUBMIT_STARTED);
	assert_true(f->sent.interrupted_active);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_DONE);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
	assert_string_equal(fx_roles(f), "user assistant user assistant user assistant");
	assert_string_equal(fx_text(f, 1), "one");
	assert_string_equal(fx_text(f, 2), "now");
	assert_string_equal(fx_text(f, 4), "waiting");
	assert_int_equal(fx_count(f, "\"stopReason\":\"aborted\",\"message\""), 1);
}

static void interrupts(void **state)
{
	static const struct step *const script[] = { slow, hello, again, NULL };

	fx_run(*state, script, interrupt_body);
}

static void steer_tool_body(struct fixture *f)
{
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	fx_send(f, "r2", "and this");
	fx_release(f);
	fx_wait_run(f, "r1");
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_ABSORBED);
	assert_string_equal(fx_roles(f), "user assistant toolResult toolResult user assistant");
	assert_int_equal(fx_count(f, "Skipped: the user sent a new message"), 1);
	assert_string_equal(fx_text(f, 4), "and this");
}

static void steers_at_a_tool_boundary(void **state)
{
	static const struct step calls[] = { { ST_TOOL, "c1", "session_status", "{}" },
					     { ST_TOOL, "c2", "write", "{\"path\":\"x\",\"content\":\"\"}" }, { ST_WAIT }, DONE };
	static const struct step *const script[] = { calls, hello, NULL };

	fx_run(*state, script, steer_tool_body);
}

static void cap_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r4", .text = "x", .sender_is_owner = true };
	struct submit_result res;

	fx_set_config(f, "{messages:{queue:{mode:'followup',cap:2,drop:'new'}}}");
	fx_send(f, "r1", "first");
	fx_reach(f, 1);
	assert_int_equal(fx_send(f, "r2", "x"), SUBMIT_QUEUED);
	assert_int_equal(fx_send(f, "r3", "x"), SUBMIT_QUEUED);
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_BUSY);
	fx_quiet(f);
	fx_release(f);
	fx_wait_run(f, "r3");
}

static void the_queue_has_a_cap(void **state)
{
	static const struct step *const script[] = { slow, hello, again, NULL };

	fx_run(*state, script, cap_body);
}

/* -- aborting -- */

static const char *session_status(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	return arena_strdup(f->arena, s->status);
}

static size_t abort_run(struct fixture *f, const char *run)
{
	const char *const *ids;
	size_t n = 0;

	assert_int_equal(agent_abort(f->host, KEY, run, "rpc", f->arena, &ids, &f->err), CH_OK);
	while (ids[n])
		n++;
	return n;
}

static void abort_before_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	assert_int_equal(abort_run(f, "r1"), 1);         /* its fiber has not run yet */
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_int_equal(f->at, 0);
	assert_string_equal(session_status(f), "killed");
	assert_int_equal(abort_run(f, "r1"), 0);
	assert_int_equal(abort_run(f, NULL), 0);
	fx_send(f, "r2", "b");
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
}

static void aborts_before_the_start(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, abort_before_body);
}

static void abort_silent_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	fx_reach(f, 1);
	assert_int_equal(abort_run(f, NULL), 1);
	assert_int_equal(fx_send(f, "r2", "b"), SUBMIT_STARTED);         /* while the first still unwinds */
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
	assert_string_equal(fx_roles(f), "user user assistant");
	assert_int_equal(fx_count(f, "reply-dispatch"), 0);
}

static void aborts_before_any_text(void **state)
{
	static const struct step *const script[] = { silent_slow, hello, NULL };

	fx_run(*state, script, abort_silent_body);
}

static void abort_partial_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	fx_reach(f, 1);
	abort_run(f, "r1");
	fx_wait_run(f, "r1");
	struct json *row = json_at(fx_rows(f), 1);

	assert_string_equal(fx_text(f, 1), "one");
	assert_string_equal(json_get_str(row, "model"), "gateway-injected");
	assert_string_equal(json_get_str(row, "idempotencyKey"), "r1:assistant");
	assert_string_equal(json_str(json_path(row, "openclawAbort.origin")), "rpc");
	fx_send(f, "r2", "go on");
	fx_wait_run(f, "r2");
	assert_non_null(strstr(f->asked.at[1], "one\\n[stopped here before it was complete]"));
}

static void keeps_the_partial_text(void **state)
{
	static const struct step *const script[] = { slow, hello, NULL };

	fx_run(*state, script, abort_partial_body);
}

static void abort_queue_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	fx_reach(f, 1);
	fx_send_mode(f, "r2", "b", "followup");
	fx_send(f, "r3", "c");
	fx_turns(f);
	assert_int_equal(abort_run(f, "r3"), 1);
	assert_int_equal(fx_wait_run(f, "r3").state, INPUT_CANCELED);
	assert_int_equal(abort_run(f, NULL), 2);
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_CANCELED);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_int_equal(f->at, 1);
}

static void aborts_the_queue_too(void **state)
{
	static const struct step *const script[] = { slow, NULL };

	fx_run(*state, script, abort_queue_body);
}

static void timeout_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "x", .sender_is_owner = true, .timeout_ms = 5000 };
	struct submit_result res;

	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_OK);
	fx_reach(f, 1);
	clock_fake(now_mono_ms() + 5001, now_wall_ms() + 5001);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_ABORTED);
	assert_int_equal(fx_count(f, "\"stopReason\":\"timeout\""), 2);
}

static void a_run_has_a_deadline(void **state)
{
	static const struct step *const script[] = { slow, NULL };

	fx_run(*state, script, timeout_body);
}

/* -- text -- */

static void throttle_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	fx_reach(f, 1);          /* "a" was told at once, "b" is held back */
	assert_int_equal(fx_count(f, "\"stream\":\"assistant\""), 1);
	clock_fake(now_mono_ms() + 80, now_wall_ms() + 80);
	fx_turns(f);
	assert_int_equal(fx_count(f, "\"stream\":\"assistant\""), 2);
	assert_int_equal(fx_count(f, "\"deltaText\":\" b\""), 1);
	fx_release(f);
	fx_wait_run(f, "r1");
	assert_int_equal(fx_count(f, "\"deltaText\":\" c\""), 1);
}

static void text_is_told_in_time(void **state)
{
	static const struct step words[] = { TEXT(" \n a"), TEXT(" "), TEXT("b "), { ST_WAIT }, TEXT("c\n"), DONE };
	static const struct step *const script[] = { words, NULL };

	fx_run(*state, script, throttle_body);
	assert_int_equal(fx_count(*state, "\"text\":\"a b c\""), 4);
}

static void retry_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	assert_string_equal(fx_text(f, 1), "better");
	assert_int_equal(fx_count(f, "\"delta\":\"\",\"itemId\":\"<item>:1\",\"replace\":true"), 1);
	assert_int_equal(fx_count(f, "\"deltaText\":\"better\",\"replace\":true"), 1);
	assert_int_equal(json_len(json_get(json_at(fx_rows(f), 1), "content")), 1);
}

static void a_retry_takes_text_back(void **state)
{
	static const struct step words[] = { TEXT("bad start"), { ST_TOOL, "c0", "read", "{}" },
					     { ST_RETRY, "cut", .n = 1000, .m = 2, .k = 3 }, { ST_STOP, .n = MODEL_STOP_END },
					     TEXT("better"), DONE };
	static const struct step *const script[] = { words, NULL };

	fx_run(*state, script, retry_body);
}

static void blocks_body(struct fixture *f)
{
	fx_send(f, "r1", "a");
	fx_wait_run(f, "r1");
	struct json *c = json_get(json_at(fx_rows(f), 1), "content");

	assert_int_equal(json_len(c), 4);
	assert_string_equal(json_str(json_path(c, "0.thinking")), "hm, well");
	assert_string_equal(json_str(json_path(c, "0.thinkingSignature")), "sig");
	assert_string_equal(json_str(json_path(c, "1.text")), "first ");
	assert_string_equal(json_str(json_path(c, "2.thinkingSignature")), "redacted:xyz");
	assert_string_equal(json_str(json_path(c, "3.text")), "second");
	assert_int_equal(fx_count(f, "first\\n\\nsecond"), 4);
}

static void keeps_blocks_apart(void **state)
{
	static const struct step words[] = { { ST_THINK, "hm, " }, { ST_THINK, "well" }, { ST_SIGN, "sig" }, TEXT("first "),
					     { ST_SIGN, "redacted:xyz" }, TEXT("second"), DONE };
	static const struct step *const script[] = { words, NULL };

	fx_run(*state, script, blocks_body);
}

/* -- failures -- */

static void fail_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;

	fx_send(f, "r1", "a");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_FAILED);
	assert_int_equal(sess_find(f->sessions, KEY, &s, &f->err), CH_OK);
	assert_string_equal(s->status, "failed");
	assert_string_equal(s->last_run_error, "wrong key");
	assert_string_equal(fx_text(f, 1), "half\n\nwrong key");
	assert_int_equal(fx_count(f, "\"state\":\"error\""), 2);
	assert_int_equal(fx_count(f, "\"failoverReason\":\"auth\""), 3);
	fx_send(f, "r2", "b");
	fx_wait_run(f, "r2");
	assert_non_null(strstr(f->asked.at[1], "[this reply failed: half"));
}

static void a_failed_turn_is_told(void **state)
{
	static const struct step bad[] = { TEXT("half"), { ST_FAIL, "wrong key", .n = MODEL_ERR_AUTH }, { ST_END } };
	static const struct step *const script[] = { bad, hello, NULL };

	fx_run(*state, script, fail_body);
}

static void no_model_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "x", .model = "nope/x", .sender_is_owner = true };
	struct submit_result res;

	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_OK);
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_FAILED);
	assert_string_equal(fx_roles(f), "user assistant");
	assert_string_equal(fx_text(f, 1), "there is no model 'nope/x'");
}

static void a_missing_model_fails_the_turn(void **state)
{
	fx_run(*state, NULL, no_model_body);
}

static void overflow_body(struct fixture *f)
{
	for (int i = 0; i < 3; i++) {
		char run[8];

		snprintf(run, sizeof(run), "r%d", i);
		fx_send(f, run, "question");
		fx_wait_run(f, run);
	}
	/* The last turn was refused, a summary could not be had, so it came again with less, and the user was told. */
	assert_int_equal(f->asked.len, 5);
	assert_true(json_len(fx_parse(f, f->asked.at[4])) < json_len(fx_parse(f, f->asked.at[2])));
	assert_string_equal(fx_roles(f), "user assistant user assistant user assistant assistant");
}

static void an_overflow_is_tried_with_less(void **state)
{
	static const struct step full[] = { { ST_FAIL, "too long", .n = MODEL_ERR_CONTEXT }, { ST_END } };
	static const struct step down[] = { { ST_FAIL, "overloaded", .n = MODEL_ERR_OVERLOADED }, { ST_END } };
	static const struct step *const script[] = { hello, hello, full, down, again, NULL };

	fx_run(*state, script, overflow_body);
}

/* -- the database fails -- */

static int fail_at;
static enum input_state seen_state;

/* Whatever fails, the transcript holds whole steps only: no reply without its question, no call without its result. */
static void assert_whole(struct fixture *f)
{
	static const char *const wholes[] = { "", "user", "user assistant", "user assistant toolResult",
					      "user assistant toolResult assistant" };

	if (!str_in(fx_roles(f), wholes, CH_ARRAY_LEN(wholes)))
		fail_msg("write %d failed: the transcript is '%s'", fail_at, fx_roles(f));
	if (seen_state == INPUT_DONE)
		assert_string_equal(fx_roles(f), "user assistant toolResult assistant");
	assert_int_equal(db_tx_depth(f->db), 0);
}

/* The next turn of the session is as if nothing had been. */
static void assert_goes_on(struct fixture *f)
{
	fx_send(f, "r2", "and now?");
	assert_int_equal(fx_wait_run(f, "r2").state, INPUT_DONE);
	assert_false(agent_is_active(f->host, KEY));
}

static void db_fail_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r1", .text = "read it", .client_id = "c", .sender_is_owner = true };
	struct submit_result res;
	struct input_row row;
	ch_status st;

	db_fail_nth(f->db, fail_at);
	st = agent_submit(f->host, &in, f->arena, &res, &f->err);
	if (!st)
		assert_int_equal(agent_wait(f->host, "r1", fiber_deadline(WAIT_MS), f->arena, &row, &f->err), CH_OK);
	fx_turns(f);
	db_fail_nth(f->db, 0);
	seen_state = st ? INPUT_CANCELED : row.state;
	assert_whole(f);
	assert_goes_on(f);
}

static void a_failing_database_leaves_no_half_turn(void **state)
{
	static const struct step call[] = { { ST_TOOL, "c1", "session_status", "{}" }, DONE };
	static const struct step *const script[] = { call, hello, again, again, NULL };
	int n;

	for (n = 1; n < 100; n++) {
		void *mine = NULL;
		struct fixture *f;

		fx_setup(&mine);
		f = mine;
		fail_at = n;
		fx_run(f, script, db_fail_body);
		fx_teardown(&mine);
		if (seen_state == INPUT_DONE)
			break;
	}
	assert_in_range(n, 5, 60);       /* every write of the turn was made to fail once */
	clock_fake(1000000, 1795332738000);
}

/* -- start and end of the host -- */

static void drain_body(struct fixture *f)
{
	struct run_input in = { .session_key = KEY, .run_id = "r2", .text = "x", .sender_is_owner = true };
	struct submit_result res;
	struct input_row row;

	fx_send(f, "r1", "a");
	fx_reach(f, 1);
	agent_host_drain(f->host, now_mono_ms());        /* the deadline is now */
	assert_int_equal(agent_wait(f->host, "r1", fiber_deadline(0), f->arena, &row, &f->err), CH_OK);
	assert_int_equal(row.state, INPUT_ABORTED);
	assert_string_equal(fx_text(f, 1), "one");
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_BUSY);
}

static void drains(void **state)
{
	static const struct step *const script[] = { slow, NULL };

	fx_run(*state, script, drain_body);
}

static void recover_body(struct fixture *f)
{
	CH_AUTO(sess_unref) struct sess *s = NULL;
	struct sess_key key;

	assert_int_equal(sess_key_parse(f->arena, KEY, "main", &key, &f->err), CH_OK);
	assert_int_equal(sess_open(f->sessions, &key, "operator", &s, NULL, &f->err), CH_OK);
	sess_set_str(s, &s->status, "running");
	assert_int_equal(sess_save(s, &f->err), CH_OK);
	assert_int_equal(agent_host_recover(f->host, &f->err), CH_OK);
	assert_string_equal(s->status, "failed");
	assert_int_equal(s->aborted_last_run, 1);
}

static void recovers(void **state)
{
	fx_run(*state, NULL, recover_body);
}

/* -- memory; the sanitizers bring allocators of their own -- */

#if !defined(SANITIZE_ADDRESS) && !defined(SANITIZE_THREAD)

#define HOLES 32768              /* of a KiB; one in HELD stays, so that the heap cannot shrink from its end alone */
#define HELD 64

static int64_t resident_pages(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long size, resident;

	assert_non_null(f);
	assert_int_equal(fscanf(f, "%lld %lld", &size, &resident), 2);
	fclose(f);
	return resident;
}

static void holes_body(struct fixture *f)
{
	static char *at[HOLES];
	int64_t before;

	for (size_t i = 0; i < HOLES; i++)
		at[i] = memset(ch_alloc(1024), 1, 1024);
	for (size_t i = 0; i < HOLES; i++)
		if (i % HELD)
			ch_free(at[i]);
	before = resident_pages();
	fx_send(f, "r1", "go");
	assert_int_equal(fx_wait_run(f, "r1").state, INPUT_DONE);
	clock_fake(now_mono_ms() + 2001, now_wall_ms() + 2001);
	fx_turns(f);
	assert_true(before - resident_pages() > HOLES / 4 / 2);
	for (size_t i = 0; i < HOLES; i += HELD)
		ch_free(at[i]);
}

/* What many turns at once needed does not stay resident. */
static void memory_is_given_back_after_a_turn(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, holes_body);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(plain), FX_TEST(a_run_id_runs_once), FX_TEST(the_history_goes_along), FX_TEST(waits_and_looks),
		FX_TEST(checks_its_input), FX_TEST(followups_run_after), FX_TEST(interrupts),
		FX_TEST(steers_at_a_tool_boundary), FX_TEST(the_queue_has_a_cap), FX_TEST(aborts_before_the_start),
		FX_TEST(aborts_before_any_text), FX_TEST(keeps_the_partial_text), FX_TEST(aborts_the_queue_too),
		FX_TEST(a_run_has_a_deadline), FX_TEST(text_is_told_in_time), FX_TEST(a_retry_takes_text_back),
		FX_TEST(keeps_blocks_apart), FX_TEST(a_failed_turn_is_told), FX_TEST(a_missing_model_fails_the_turn),
		FX_TEST(an_overflow_is_tried_with_less), cmocka_unit_test(a_failing_database_leaves_no_half_turn),
		FX_TEST(drains), FX_TEST(recovers),
#if !defined(SANITIZE_ADDRESS) && !defined(SANITIZE_THREAD)
		FX_TEST(memory_is_given_back_after_a_turn),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
