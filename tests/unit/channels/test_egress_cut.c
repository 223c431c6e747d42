/*
 * channels/egress_cut: which platform messages a message becomes; outbox_json: that they survive being stored; sniff.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "channels/egress_priv.h"
#include "channels/sniff.h"
#include "core/str.h"
#include "fake_network.h"

static struct arena *arena;
static struct ch_err err;

static int set_up(void **state)
{
	arena = arena_new(0);
	return 0;
}

static int tear_down(void **state)
{
	arena_unref(arena);
	return 0;
}

static const struct chan_ops *network = &fake_full;

/* "f2:text+b|text!" : files, text, b buttons, ! answers, e edit, p poll. */
static const char *shape(const char *keys, const struct chan_message *m, const char *const *mimes)
{
	CH_AUTO(chan_cfg_unref) struct chan_cfg *cfg = NULL;
	struct config *config;
	const struct outbox_part *parts;
	const char *out = "";
	size_t count;

	assert_int_equal(config_parse(keys, strlen(keys), NULL, &config, &err), CH_OK);
	cfg = chan_cfg_new(config, "telegram", "default");
	if (egress_cut(network, cfg, m, mimes, arena, &parts, &count, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < count; i++) {
		const struct outbox_part *p = &parts[i];

		out = arena_printf(arena, "%s%s%s%s%s%s%s%s", out, i ? "|" : "",
				   p->file_count ? arena_printf(arena, "f%zu:", p->file_count) : "",
				   p->text ? strlen(p->text) > 20 ? "long" : p->text : "", p->has_buttons ? "+b" : "",
				   p->has_poll ? "+p" : "", p->is_reply ? "!" : "", p->is_edit ? "+e" : "");
	}
	config_unref(config);
	return out;
}

#define PLAIN "{channels:{telegram:{botToken:'1:a'}}}"
#define ALL "{channels:{telegram:{botToken:'1:a',replyToMode:'all'}}}"

static const char *repeated(char c, size_t n)
{
	char *s = arena_alloc(arena, n + 1);

	for (size_t i = 0; i < n; i++)
		s[i] = i % 50 == 49 ? ' ' : c;
	return s;
}

static void test_texts_and_answers(void **state)
{
	struct chan_message m = { .text = "short", .reply_to = "5" };

	assert_string_equal(shape(PLAIN, &m, NULL), "short!");
	m.text = repeated('x', 9000);
	assert_string_equal(shape(PLAIN, &m, NULL), "long!|long|long");
	assert_string_equal(shape(ALL, &m, NULL), "long!|long!|long!");
	m.draft_id = "d";
	assert_string_equal(shape(PLAIN, &m, NULL), "long!+e|long|long");
	m = (struct chan_message){ .text = "x", .prefix = "[Molly]" };
	assert_string_equal(shape(PLAIN, &m, NULL), "[Molly] x");
}

/* Where an edit takes less than a message, the first part is short, and the rest as long as ever. */
static void test_what_replaces_a_draft_is_as_long_as_an_edit(void **state)
{
	struct chan_message m = { .text = repeated('x', 5000) };
	struct chan_ops ops = fake_full;

	ops.limits.edit_max = 100;
	network = &ops;
	assert_string_equal(shape(PLAIN, &m, NULL), "long|long");
	m.text = repeated('x', 3900);
	assert_string_equal(shape(PLAIN, &m, NULL), "long");
	m.draft_id = "d";
	assert_string_equal(shape(PLAIN, &m, NULL), "long+e|long");
	network = &fake_full;
}

static void test_captions_and_albums(void **state)
{
	static const struct chan_file files[] = { { .name = "1" }, { .name = "2" }, { .name = "3" }, { .name = "4" } };
	static const char *const mimes[] = { "image/png", "video/mp4", "application/pdf", "image/png" };
	static const struct chan_button button = { .text = "b", .data = "d" };
	struct chan_message m = { .text = "look", .files = files, .file_count = 2 };

	assert_string_equal(shape(PLAIN, &m, mimes), "f2:look");
	m.file_count = 4;
	assert_string_equal(shape(PLAIN, &m, mimes), "f2:look|f1:|f1:");
	m.file_count = 1;
	m.buttons = &button;
	m.button_count = 1;
	assert_string_equal(shape(PLAIN, &m, mimes), "f1:look+b");
	m.text = repeated('x', 3000);
	assert_string_equal(shape(PLAIN, &m, mimes), "f1:long|long+b");
	m.draft_id = "d";
	assert_string_equal(shape(PLAIN, &m, mimes), "long+e|f1:+b");
	m = (struct chan_message){ .files = files, .file_count = 2 };
	assert_string_equal(shape(PLAIN, &m, mimes), "f2:");
}

static void test_polls_come_last(void **state)
{
	struct chan_poll poll = { .question = "q", .options = (const char *const[]){ "a", "b" }, .option_count = 2 };
	struct chan_message m = { .text = "first", .poll = &poll };

	assert_string_equal(shape(PLAIN, &m, NULL), "first|+p");
}

static void test_stored_and_read_again(void **state)
{
	CH_AUTO_BUF struct buf json = { 0 };
	static const struct chan_file files[] = { { .staged = "s", .name = "n", .mime = "m", .as_voice = true } };
	static const struct chan_button buttons[] = { { .text = "b", .data = "d", .style = CHAN_BUTTON_DANGER, .ends_row = true } };
	struct chan_poll poll = { .question = "q", .options = (const char *const[]){ "a", "b" }, .option_count = 2,
				  .max_selections = 2, .duration_s = 60, .is_anonymous = true };
	struct chan_location place = { .lat = 1.5, .lon = -2.25, .name = "here" };
	struct chan_message m = { .peer = { .kind = CHAN_GROUP, .id = "-1", .thread = "4" }, .reply_to = "9", .text = "t \"q\" \x01",
				  .prefix = "p", .files = files, .file_count = 1, .buttons = buttons, .button_count = 1, .poll = &poll,
				  .location = &place, .handle = "h", .ephemeral_to = "u", .draft_id = "dr", .is_silent = true,
				  .is_batch = true };
	static const struct outbox_part part = { .text = "x", .plain = "y", .file_first = 0, .file_count = 1, .has_buttons = true,
						 .has_poll = true, .has_location = true, .is_reply = true, .is_edit = true };
	struct chan_message got;
	const struct outbox_part *parts;
	size_t count;

	buf_init(&json, 1 << 20);
	assert_int_equal(outbox_write(&m, &part, 1, &json, &err), CH_OK);
	assert_int_equal(outbox_read(buf_str(&json), arena, &got, &parts, &count, &err), CH_OK);
	assert_int_equal(count, 1);
	assert_memory_equal(&parts[0].file_count, &part.file_count, sizeof(part) - offsetof(struct outbox_part, file_count));
	assert_string_equal(got.text, m.text);
	assert_string_equal(got.peer.thread, "4");
	assert_string_equal(got.files[0].staged, "s");
	assert_true(got.files[0].as_voice);
	assert_int_equal(got.buttons[0].style, CHAN_BUTTON_DANGER);
	assert_true(got.buttons[0].ends_row);
	assert_string_equal(got.poll->options[1], "b");
	assert_int_equal(got.poll->duration_s, 60);
	assert_true(got.location->lon == -2.25);
	assert_string_equal(got.draft_id, "dr");
	assert_true(got.is_silent && got.is_batch);
}

static void test_files_are_what_their_bytes_say(void **state)
{
	static const struct { const char *bytes; size_t len; const char *name, *claimed, *want; } rows[] = {
		{ "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16, "a.txt", "text/plain", "image/png" },
		{ "%PDF-1.7 x", 10, "a.png", "image/png", "application/pdf" },
		{ "OggS\0\2", 6, NULL, NULL, "audio/ogg" },
		{ "\0\0\0\x18""ftypisom", 12, NULL, NULL, "video/mp4" },
		{ "PK\x03\x04", 4, "x.docx", NULL, "application/vnd.openxmlformats-officedocument.wordprocessingml.document" },
		{ "PK\x03\x04", 4, "x.zip", NULL, "application/zip" },
		{ "a,b\n", 4, "x.csv", NULL, "text/csv" },
		{ "hello", 5, "x", "image/png", "text/plain" },
		{ "\0\1\2\3", 4, "x.csv", "text/csv", "application/octet-stream" },
		{ "", 0, "x", NULL, "text/plain" },
	};

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++)
		assert_string_equal(sniff_mime(rows[i].bytes, rows[i].len, rows[i].name, rows[i].claimed), rows[i].want);
	assert_int_equal(sniff_kind("image/svg+xml"), CHAN_DOCUMENT);
	assert_int_equal(sniff_kind("video/mp4"), CHAN_VIDEO);
	assert_string_equal(sniff_extension("image/jpeg"), ".jpg");
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_texts_and_answers), T(test_what_replaces_a_draft_is_as_long_as_an_edit),
		T(test_captions_and_albums),
		T(test_polls_come_last),
		T(test_stored_and_read_again),
		T(test_files_are_what_their_bytes_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
