/*
 * Questions to a person: what may be asked, who answers first, what expires, what a restart and a failing disk leave.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "approvals/question.h"
#include "core/clock.h"
#include "core/fiber.h"
#include "core/mem.h"
#include "core/str.h"

#define WAIT_MS 10000
#define COLOR "{questionId:'color',header:'Color',question:'Which one?',options:[{label:'Red'},{label:'Blue',description:'like the sky'}]}"
#define SECRET "{questionId:'key',header:'Key',question:'The key?',options:[],isSecret:true," \
	       "secretStore:{name:'API_KEY',kind:'secret'}}"

struct fixture {
	struct loop *loop;
	struct db *db;
	struct questions *qs;
	struct arena *arena;
	char told[512];                  /* "+a -a:answered …" */
	int orphans;
	char stored[64];
	bool fails_orphan;
	void (*body)(struct fixture *f);
	struct ch_err err;
};

static struct json *js(struct fixture *f, const char *text)
{
	struct json *v;

	if (json_parse(f->arena, text, strlen(text), JSON_JSON5, &v, &f->err))
		fail_msg("%s: %s", f->err.text, text);
	return v;
}

static void on_event(void *arg, enum question_event ev, const struct question *q)
{
	struct fixture *f = arg;
	size_t n = strlen(f->told);

	if (ev == QUESTION_EV_REQUESTED)
		snprintf(f->told + n, sizeof(f->told) - n, "+%s ", q->id);
	else
		snprintf(f->told + n, sizeof(f->told) - n, "-%s:%s ", q->id, question_status_name(q->status));
}

static ch_status on_orphan(void *arg, const struct question *q, struct ch_err *err)
{
	struct fixture *f = arg;

	f->orphans++;
	return f->fails_orphan ? ch_fail(err, CH_E_IO, "no") : CH_OK;
}

static ch_status store_secret(void *arg, const struct question *q, const struct json *question, const char *value,
			      struct ch_err *err)
{
	struct fixture *f = arg;

	snprintf(f->stored, sizeof(f->stored), "%s=%s", json_str(json_path(question, "secretStore.name")), value);
	return CH_OK;
}

static void open_questions(struct fixture *f)
{
	const struct question_ops ops = { f, on_event, on_orphan, store_secret };

	assert_int_equal(questions_open(f->loop, f->db, &f->qs, &f->err), CH_OK);
	questions_set_ops(f->qs, &ops);
}

static int setup(void **state)
{
	struct fixture *f = ch_alloc(sizeof(*f));

	f->loop = loop_new();
	f->arena = arena_new(0);
	assert_int_equal(db_open(":memory:", DB_CREATE, &f->db, &f->err), CH_OK);
	clock_fake(1000000, 1795332738000);
	open_questions(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	clock_real();
	questions_free(f->qs);
	db_close(f->db);
	loop_free(f->loop);
	arena_unref(f->arena);
	ch_free(f);
	return 0;
}

static void body_fiber(void *arg)
{
	struct fixture *f = arg;

	f->body(f);
	loop_stop(f->loop);
}

static void run(struct fixture *f, void (*body)(struct fixture *f))
{
	f->body = body;
	fiber_spawn(f->loop, "test", FIBER_DETACHED, body_fiber, f);
	loop_run(f->loop);
}

static ch_status ask_as(struct fixture *f, const char *id, const char *questions, bool wakes)
{
	struct question_ask ask = { .id = id, .agent_id = "main", .session_key = "agent:main:main", .run_id = "r1",
				    .questions = js(f, questions), .wakes = wakes };
	const char *got;
	ch_status st = question_create(f->qs, &ask, f->arena, &got, &f->err);

	if (!st)
		assert_string_equal(got, id);
	return st;
}

static ch_status ask(struct fixture *f, const char *id)
{
	return ask_as(f, id, "[" COLOR "]", true);
}

static ch_status answer(struct fixture *f, const char *id, const char *answers, struct question *ret)
{
	return question_resolve(f->qs, id, answers ? js(f, answers) : NULL, json_new_str(f->arena, "me"), "res-1", f->arena, ret,
				&f->err);
}

/* -- what may be asked and answered -- */

static void what_may_be_asked(void **state)
{
	static const struct { const char *questions, *error; } rows[] = {
		{ "[" COLOR "]", NULL },
		{ "[]", "ask 1 to 3" }, { "{}", "ask 1 to 3" }, { "[1]", "lower-case words" },
		{ "[" COLOR "," COLOR "]", "duplicate question id" },
		{ "[{questionId:'A',header:'h',question:'q',options:[]}]", "lower-case words" },
		{ "[{questionId:'a',header:'thirteen chars',question:'q',options:[]}]", "at most 12" },
		{ "[{questionId:'a',header:'h',question:'',options:[]}]", "no text" },
		{ "[{questionId:'a',header:'h',question:'q'}]", "list of at most" },
		{ "[{questionId:'a',header:'h',question:'q',options:[{label:'x'}]}]", "2 to 4" },
		{ "[{questionId:'a',header:'h',question:'q',options:[{label:'x'},{label:' '}]}]", "without a label" },
		{ "[{questionId:'a',header:'h',question:'q',options:[{label:'x'},{label:' X '}]}]", "duplicate option" },
		{ "[{questionId:'a',header:'h',question:'q',options:[],isSecret:true}]", "not supported yet" },
		{ "[" SECRET "]", NULL }, { "[" COLOR "," SECRET "]", "one free-text" },
		{ "[{questionId:'a',header:'h',question:'q',options:[],secretStore:{name:'A',kind:'secret'}}]", "requires a secret" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		ch_status st = question_check(js(f, rows[i].questions), true, &f->err);

		assert_int_equal(st, rows[i].error ? CH_E_INVALID : CH_OK);
		if (rows[i].error && !strstr(f->err.text, rows[i].error))
			fail_msg("%s: %s", rows[i].questions, f->err.text);
	}
	assert_int_equal(question_check(js(f, "[" SECRET "]"), false, &f->err), CH_E_INVALID);
}

static void what_is_an_answer(void **state)
{
	static const struct { const char *answers, *taken; } rows[] = {
		{ "{color:[' Red ']}", "{\"color\":[\"Red\"]}" }, { "{color:['Green']}", NULL }, { "{color:[]}", NULL },
		{ "{}", NULL }, { "{color:['Red','Blue']}", NULL }, { "{color:['Red'],size:['1']}", NULL }, { "{color:[7]}", NULL },
		{ "{color:'Red'}", NULL },
	};
	static const struct { const char *text, *taken; } lines[] = {
		{ "2", "Blue" }, { " blue ", "Blue" }, { "green, rather", "green, rather" }, { "7", "7" }, { " ", NULL },
	};
	struct fixture *f = *state;
	struct json *open = js(f, "[{questionId:'color',header:'h',question:'q',isOther:true,options:[{label:'Red'},{label:'Blue'}]}]");
	struct json *got;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		ch_status st = question_check_answers(js(f, "[" COLOR "]"), js(f, rows[i].answers), f->arena, &got, &f->err);

		assert_int_equal(st, rows[i].taken ? CH_OK : CH_E_INVALID);
		if (rows[i].taken)
			assert_string_equal(json_to_str(f->arena, got), rows[i].taken);
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(lines); i++) {
		ch_status st = question_from_text(open, lines[i].text, f->arena, &got, &f->err);

		assert_int_equal(st, lines[i].taken ? CH_OK : CH_E_INVALID);
		if (lines[i].taken)
			assert_string_equal(json_str(json_path(got, "color.0")), lines[i].taken);
	}
	json_set(f->arena, json_at(open, 0), "multiSelect", json_new_bool(f->arena, true));
	assert_int_equal(question_from_text(open, "2, red", f->arena, &got, &f->err), CH_OK);
	assert_string_equal(json_to_str(f->arena, got), "{\"color\":[\"Blue\",\"Red\"]}");
	assert_int_equal(question_from_text(js(f, "[" SECRET "]"), "hunter2", f->arena, &got, &f->err), CH_E_INVALID);
}

/* -- asking and answering -- */

static void answer_fiber(void *arg)
{
	struct fixture *f = arg;
	struct question q;

	assert_int_equal(answer(f, "a", "{color:['Blue']}", &q), CH_OK);
	assert_int_equal(answer(f, "a", "{color:['Red']}", &q), CH_E_CONFLICT);
	assert_int_equal(q.status, QUESTION_ANSWERED);
	assert_string_equal(json_str(json_path(q.answers, "color.0")), "Blue");
}

static void waits_body(struct fixture *f)
{
	struct question q;

	assert_int_equal(ask(f, "a"), CH_OK);
	assert_int_equal(ask(f, "a"), CH_E_EXISTS);
	assert_int_equal(question_wait(f->qs, "a", fiber_deadline(0), f->arena, &q, &f->err), CH_E_TIMEOUT);
	fiber_spawn(f->loop, "answer", FIBER_DETACHED, answer_fiber, f);
	assert_int_equal(question_wait(f->qs, "a", fiber_deadline(WAIT_MS), f->arena, &q, &f->err), CH_OK);
	assert_int_equal(q.status, QUESTION_ANSWERED);
	assert_string_equal(json_str(json_path(q.answers, "color.0")), "Blue");
	assert_string_equal(json_str(q.resolved_by), "me");
	assert_string_equal(q.resolution_id, "res-1");
	assert_string_equal(f->told, "+a -a:answered ");
	assert_int_equal(f->orphans, 0);
	assert_int_equal(question_wait(f->qs, "b", fiber_deadline(0), f->arena, &q, &f->err), CH_E_NOT_FOUND);
}

static void the_first_answer_wins(void **state)
{
	run(*state, waits_body);
}

static void cancels_and_expires(void **state)
{
	struct fixture *f = *state;
	struct question q;

	assert_int_equal(ask(f, "a"), CH_OK);
	assert_int_equal(answer(f, "a", NULL, &q), CH_OK);
	assert_int_equal(q.status, QUESTION_CANCELLED);
	assert_int_equal(ask(f, "b"), CH_OK);
	clock_fake(now_mono_ms() + QUESTION_TTL_MS, now_wall_ms() + QUESTION_TTL_MS);
	assert_int_equal(answer(f, "b", "{color:['Red']}", &q), CH_E_CONFLICT);
	assert_int_equal(q.status, QUESTION_EXPIRED);
	assert_int_equal(ask(f, "c"), CH_OK);
	assert_int_equal(question_cancel_run(f->qs, "another", &f->err), CH_OK);
	assert_int_equal(question_cancel_run(f->qs, "r1", &f->err), CH_OK);
	assert_string_equal(f->told, "+a -a:cancelled +b -b:expired +c -c:cancelled ");
	assert_int_equal(f->orphans, 0);
}

static void test_threat_dos_an_agent_cannot_bury_its_person(void **state)
{
	struct fixture *f = *state;
	char id[16];

	for (int i = 0; i < QUESTIONS_PENDING_MAX; i++) {
		snprintf(id, sizeof(id), "q%d", i);
		assert_int_equal(ask(f, id), CH_OK);
	}
	assert_int_equal(ask(f, "more"), CH_E_LIMIT);
}

/* -- secrets -- */

static void test_threat_secrets_an_answer_is_never_written(void **state)
{
	struct fixture *f = *state;
	struct question q;

	assert_int_equal(ask_as(f, "a", "[" SECRET "]", false), CH_OK);
	assert_int_equal(answer(f, "a", "{key:[' hunter2']}", &q), CH_OK);
	assert_string_equal(f->stored, "API_KEY= hunter2");
	assert_string_equal(json_to_str(f->arena, q.answers), "{\"key\":[\"stored\"]}");
	assert_int_equal(question_find(f->qs, "a", f->arena, &q, &f->err), CH_OK);
	assert_string_equal(json_to_str(f->arena, q.answers), "{\"key\":[\"stored\"]}");
}

/* -- what a restart leaves -- */

static void a_restart_keeps_it_pending(void **state)
{
	struct fixture *f = *state;
	struct question q;

	assert_int_equal(ask(f, "a"), CH_OK);
	assert_int_equal(ask_as(f, "b", "[" COLOR "]", false), CH_OK);
	questions_free(f->qs);
	open_questions(f);
	f->fails_orphan = true;
	assert_int_equal(answer(f, "a", "{color:['Red']}", &q), CH_E_IO);
	f->fails_orphan = false;
	assert_int_equal(answer(f, "a", "{color:['Red']}", &q), CH_OK);
	assert_int_equal(answer(f, "b", "{color:['Red']}", &q), CH_OK);
	assert_int_equal(f->orphans, 2);
	assert_string_equal(f->told, "+a +b -a:answered -b:answered ");
	questions_free(f->qs);
	clock_fake(now_mono_ms(), now_wall_ms() + QUESTION_KEPT_MS + 1);
	open_questions(f);
	assert_int_equal(question_find(f->qs, "a", f->arena, &q, &f->err), CH_E_NOT_FOUND);
}

/* Each write that fails leaves the question as it was, and nothing is told. */
static void a_failing_disk_tells_nothing(void **state)
{
	struct fixture *f = *state;
	struct question q;
	int n = 1;

	for (;; n++) {
		f->told[0] = '\0';
		db_fail_nth(f->db, n);
		if (ask(f, "a") == CH_OK)
			break;
		assert_string_equal(f->told, "");
		assert_int_equal(question_find(f->qs, "a", f->arena, &q, &f->err), CH_E_NOT_FOUND);
	}
	assert_true(n > 1);
	for (n = 1;; n++) {
		f->told[0] = '\0';
		db_fail_nth(f->db, n);
		if (answer(f, "a", "{color:['Red']}", &q) == CH_OK)
			break;
		assert_string_equal(f->told, "");
		db_fail_nth(f->db, 0);
		assert_int_equal(question_find(f->qs, "a", f->arena, &q, &f->err), CH_OK);
		assert_int_equal(q.status, QUESTION_PENDING);
	}
	assert_true(n > 1);
	db_fail_nth(f->db, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_may_be_asked), TEST(what_is_an_answer), TEST(the_first_answer_wins), TEST(cancels_and_expires),
		TEST(test_threat_dos_an_agent_cannot_bury_its_person), TEST(test_threat_secrets_an_answer_is_never_written),
		TEST(a_restart_keeps_it_pending), TEST(a_failing_disk_tells_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
