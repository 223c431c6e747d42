/*
 * Pruning: old tool results and images leave the view after a pause, the same way from then on and after a restart.
 */
#include "agent_fixture.h"

#include "agent/history.h"

#define ROUNDS 6
static char big[30001];
static const struct step call[] = { { ST_TOOL, "c", "read", "{\"path\":\"big.txt\"}" }, { ST_END } };
static const struct step ok[] = { { ST_TEXT, "ok" }, { ST_USAGE, .n = 10, .m = 2 }, { ST_END } };

static void put(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/workspace", f->base);
	(void)!mkdir(path, 0700);
	snprintf(path, sizeof(path), "%s/workspace/%s", f->base, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void fill_file(struct fixture *f)
{
	for (size_t i = 0; i < sizeof(big) - 1; i++)
		big[i] = i % 60 == 59 ? '\n' : 'x';
	memcpy(big, "BEGIN", 5);
	memcpy(big + 15000, "MIDDLE", 6);
	put(f, "big.txt", big);
}

static void turn(struct fixture *f, int n)
{
	char run[16];

	snprintf(run, sizeof(run), "r%d", n);
	fx_send(f, run, "read it");
	fx_wait_run(f, run);
}

static void pass(int64_t minutes)
{
	clock_fake(now_mono_ms() + minutes * 60000, now_wall_ms() + minutes * 60000);
}

static size_t count(const char *text, const char *part)
{
	size_t n = 0;

	while ((text = strstr(text, part))) {
		text += strlen(part);
		n++;
	}
	return n;
}

static const char *last_asked(const struct fixture *f)
{
	return f->asked.at[f->asked.len - 1];
}

static size_t hidden(struct fixture *f)
{
	CH_AUTO(db_done) struct db_stmt *s = NULL;
	bool row;

	assert_int_equal(db_prep(f->db, "SELECT count(*) FROM transcript WHERE type = 'context_prune'", &s, &f->err), CH_OK);
	assert_int_equal(db_step(s, &row, &f->err), CH_OK);
	return (size_t)db_int(s, 0);
}

static void check_trims(struct fixture *f)
{
	fill_file(f);
	for (int i = 0; i < ROUNDS; i++)
		turn(f, i);
	assert_int_equal(count(last_asked(f), "MIDDLE"), ROUNDS);        /* no pause: all of it */
	pass(6);
	turn(f, ROUNDS);
	/* Results since the last three replies stay whole (two of them, and the new one), the others keep their ends. */
	assert_int_equal(count(last_asked(f), "BEGIN"), ROUNDS + 1);
	assert_in_range(count(last_asked(f), "MIDDLE"), 2, 3);
	assert_int_equal(hidden(f), 1);
	/* The transcript has them. */
	assert_int_equal(count(json_to_str(f->arena, fx_rows(f)), "MIDDLE"), ROUNDS + 1);
}

static void check_stays(struct fixture *f)
{
	const char *before;
	size_t n;

	check_trims(f);
	before = last_asked(f);
	n = count(before, "MIDDLE");
	agent_host_drain(f->host, fiber_deadline(WAIT_MS));
	agent_host_free(f->host);
	fx_new_host(f);
	turn(f, ROUNDS + 1);
	/* Without a pause the view only grows: its front is the same bytes. */
	assert_int_equal(strncmp(before, last_asked(f), strlen(before) - 1), 0);
	assert_int_equal(count(last_asked(f), "MIDDLE"), n + 1);
	assert_int_equal(hidden(f), 1);
}

static void trims_after_a_pause(void **state)
{
	static const struct step *const script[] = { call, ok, call, ok, call, ok, call, ok, call, ok, call, ok, call, ok, call, ok };
	struct fixture *f = *state;

	fx_set_config(f, "{agents:{defaults:{contextPruning:{mode:'cache-ttl'},compaction:{enabled:false}}}}");
	f->window = 100000;      /* filled by about two fifths */
	fx_run(f, script, check_stays);
}

/* Results too short to be trimmed, but many. */
#define MANY 22

static void check_clears(struct fixture *f)
{
	fill_file(f);
	big[3500] = '\0';
	put(f, "big.txt", big);
	for (int i = 0; i < MANY; i++)
		turn(f, i);
	assert_int_equal(count(last_asked(f), "BEGIN"), MANY);
	pass(6);
	turn(f, MANY);
	assert_int_equal(count(last_asked(f), "BEGIN") + count(last_asked(f), "[gone]"), MANY + 1);
	assert_in_range(count(last_asked(f), "BEGIN"), 2, 3);
	/* The next turn tells the same story. */
	turn(f, MANY + 1);
	assert_in_range(count(last_asked(f), "BEGIN"), 3, 4);
}

static void clears_when_half_full(void **state)
{
	static const struct step *script[2 * (MANY + 2)];
	struct fixture *f = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(script); i++)
		script[i] = i % 2 ? ok : call;
	fx_set_config(f, "{agents:{defaults:{contextPruning:{mode:'cache-ttl',hardClear:{placeholder:'[gone]'}},"
			 "compaction:{enabled:false}}}}");
	f->window = 40000;
	fx_run(f, script, check_clears);
}

static void check_never(struct fixture *f)
{
	fill_file(f);
	for (int i = 0; i < ROUNDS; i++)
		turn(f, i);
	pass(90);
	turn(f, ROUNDS);
	assert_int_equal(count(last_asked(f), "MIDDLE"), ROUNDS + 1);
	assert_int_equal(hidden(f), 0);
}

static void is_off_unless_asked_for(void **state)
{
	static const struct step *const script[] = { call, ok, call, ok, call, ok, call, ok, call, ok, call, ok, call, ok };
	struct fixture *f = *state;

	f->window = 100000;
	fx_run(f, script, check_never);
}

static void denied_tools_stay(void **state)
{
	static const struct step *const script[] = { call, ok, call, ok, call, ok, call, ok, call, ok, call, ok, call, ok };
	struct fixture *f = *state;

	fx_set_config(f, "{agents:{defaults:{contextPruning:{mode:'cache-ttl',tools:{deny:['re*']}},compaction:{enabled:false}}}}");
	f->window = 100000;
	fx_run(f, script, check_never);
}

/* -- images -- */

static void check_images(struct fixture *f)
{
	struct json *att = fx_parse(f, "[{\"type\":\"image\",\"mimeType\":\"image/png\",\"content\":\"iVBORw0KGgo=\"}]");
	struct run_input in = { .session_key = KEY, .run_id = "p", .text = "look", .attachments = att, .sender_is_owner = true };

	assert_int_equal(agent_submit(f->host, &in, f->arena, &f->sent, &f->err), CH_OK);
	fx_wait_run(f, "p");
	for (int i = 0; i < 3; i++) {
		turn(f, i);
		assert_non_null(strstr(last_asked(f), "iVBORw0KGgo="));
	}
	turn(f, 3);
	assert_null(strstr(last_asked(f), "iVBORw0KGgo="));
	assert_non_null(strstr(last_asked(f), "[An image stood here"));
	assert_non_null(strstr(json_to_str(f->arena, fx_rows(f)), "iVBORw0KGgo="));
}

static void old_images_are_named(void **state)
{
	static const struct step *const script[] = { ok, ok, ok, ok, ok };

	fx_run(*state, script, check_images);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(trims_after_a_pause), FX_TEST(clears_when_half_full), FX_TEST(is_off_unless_asked_for),
		FX_TEST(denied_tools_stay), FX_TEST(old_images_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
