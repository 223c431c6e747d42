/*
 * An agent's workspace: its first files, the end of the first talk, and that a lost one is not silently made anew.
 */
#include "agent_fixture.h"

#include "agent/agents_edit.h"
#include "agent/home.h"
#include "core/file.h"

#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, DONE };

static const char *at(struct fixture *f, const char *name)
{
	return arena_printf(f->arena, "%s/workspace/%s", f->base, name);
}

static bool is_there(struct fixture *f, const char *name)
{
	return file_exists(at(f, name));
}

static void put(struct fixture *f, const char *name, const char *text)
{
	assert_int_equal(file_write_atomic(at(f, name), text, strlen(text), 0600, &f->err), CH_OK);
}

static const char *turn(struct fixture *f, const char *run)
{
	fx_send(f, run, "hi");
	fx_wait_run(f, run);
	return f->prompts.at[f->prompts.len - 1];
}

static void ritual_body(struct fixture *f)
{
	const struct agent_info *info = agent_find(f->config, f->base, f->arena, "main");

	assert_string_equal(info->name, "Chela");        /* known before the first turn makes the file */
	assert_false(is_there(f, "IDENTITY.md"));
	assert_non_null(strstr(turn(f, "r1"), "## BOOTSTRAP.md"));
	assert_true(is_there(f, "BOOTSTRAP.md"));
	put(f, "AGENTS.md", "other rules");
	assert_non_null(strstr(turn(f, "r2"), "## BOOTSTRAP.md"));       /* says nothing of who they are */
	put(f, "IDENTITY.md", "- Name: Rex\n");
	assert_null(strstr(turn(f, "r3"), "## BOOTSTRAP.md"));
	assert_false(is_there(f, "BOOTSTRAP.md"));
	assert_string_equal(agent_find(f->config, f->base, f->arena, "main")->name, "Rex");
}

static void the_first_talk_ends(void **state)
{
	static const struct step *const script[] = { hello, hello, hello, NULL };

	fx_run(*state, script, ritual_body);
}

static void own_body(struct fixture *f)
{
	assert_int_equal(file_mkdirs(at(f, ""), 0700, &f->err), CH_OK);
	put(f, "SOUL.md", "mine");
	turn(f, "r1");
	assert_false(is_there(f, "BOOTSTRAP.md"));
	assert_false(is_there(f, "AGENTS.md"));
	put(f, "BOOTSTRAP.md", "my own");
	turn(f, "r2");
	assert_true(is_there(f, "BOOTSTRAP.md"));        /* not ours to take away */
}

static void a_workspace_of_ones_own_is_left_alone(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, own_body);
}

static void named_body(struct fixture *f)
{
	fx_set_config(f, "{agents:{entries:{main:{identity:{name:'Ada',emoji:'🦊'}}}}}");
	turn(f, "r1");
	assert_false(is_there(f, "BOOTSTRAP.md"));
	assert_non_null(strstr(f->prompts.at[0], "- Name: Ada\n- Emoji: 🦊\n"));
}

static void who_is_named_needs_no_introduction(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, named_body);
}

static void lost_body(struct fixture *f)
{
	struct input_row row;

	turn(f, "r1");
	assert_int_equal(rename(at(f, ""), arena_printf(f->arena, "%s/elsewhere", f->base)), 0);
	fx_send(f, "r2", "hi");
	row = fx_wait_run(f, "r2");
	assert_int_equal(row.state, INPUT_FAILED);
	assert_non_null(strstr(row.error, "which is gone. Put it back"));
	assert_false(is_there(f, ""));
	/* An empty directory is a person's word that it may begin anew. */
	assert_int_equal(file_mkdirs(at(f, ""), 0700, &f->err), CH_OK);
	turn(f, "r3");
	assert_true(is_there(f, "AGENTS.md"));
}

static void a_lost_workspace_is_missed(void **state)
{
	static const struct step *const script[] = { hello, hello, NULL };

	fx_run(*state, script, lost_body);
}

static void refuse_workspace(struct fixture *f, const char *run, const char *path)
{
	struct input_row row;

	fx_set_config(f, arena_printf(f->arena, "{agents:{defaults:{workspace:'%s'}}}", path));
	fx_send(f, run, "hi");
	row = fx_wait_run(f, run);
	assert_int_equal(row.state, INPUT_FAILED);
	assert_non_null(strstr(row.error, "holds the gateway's own state"));
}

static void state_body(struct fixture *f)
{
	const char *link = arena_printf(f->arena, "%s/workspace-link", f->base);

	refuse_workspace(f, "r1", f->base);
	refuse_workspace(f, "r2", arena_printf(f->arena, "%s/..", f->base));
	refuse_workspace(f, "r3", "/");
	assert_int_equal(symlink(f->base, link), 0);
	refuse_workspace(f, "r4", link);
	assert_false(file_exists(arena_printf(f->arena, "%s/AGENTS.md", f->base)));
}

static void no_workspace_holds_the_state(void **state)
{
	static const struct step *const script[] = { hello, NULL };

	fx_run(*state, script, state_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(the_first_talk_ends), FX_TEST(a_workspace_of_ones_own_is_left_alone),
		FX_TEST(who_is_named_needs_no_introduction), FX_TEST(a_lost_workspace_is_missed),
		FX_TEST(no_workspace_holds_the_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
