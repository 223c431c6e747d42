/*
 * What a request begins with: the workspace, its files, the stable and the volatile part, who the agent is.
 */
#include "agent_fixture.h"

#define DONE { ST_USAGE, .n = 10, .m = 2 }, { ST_END }

static const struct step hello[] = { { ST_TEXT, "hello" }, DONE };
static const struct step *const four[] = { hello, hello, hello, hello, hello, hello, NULL };

static void put(const struct fixture *f, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/workspace/%s", f->base, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int turn_number;

static const char *turn(struct fixture *f)
{
	char run[16];

	snprintf(run, sizeof(run), "r%d", ++turn_number);
	fx_send(f, run, "hi");
	fx_wait_run(f, run);
	return f->prompts.at[f->prompts.len - 1];
}

static void seed_body(struct fixture *f)
{
	const char *first = turn(f);
	char path[128];
	struct stat st;

	assert_int_equal(strncmp(first, "You are Chela, a personal assistant", 35), 0);
	assert_non_null(strstr(first, "\n## AGENTS.md\n\n# How we work here\n"));
	assert_non_null(strstr(first, "\n## SOUL.md\n"));
	assert_non_null(strstr(first, "\n## USER.md\n"));
	assert_null(strstr(first, "MEMORY.md"));
	/* The budget for our own words, without the files: 1,500 tokens. */
	assert_in_range(strstr(first, "# Files of the workspace") - first, 500, 1500 * 4);
	snprintf(path, sizeof(path), "%s/workspace", f->base);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0700);
	/* What a person removes is not put back. */
	snprintf(path, sizeof(path), "%s/workspace/USER.md", f->base);
	assert_int_equal(unlink(path), 0);
	assert_non_null(strstr(turn(f), "## USER.md\n\n(this file is missing)\n"));
	assert_int_equal(stat(path, &st), -1);
}

static void seeds_a_workspace(void **state)
{
	fx_run(*state, four, seed_body);
}

static void stable_body(struct fixture *f)
{
	char *first = ch_strdup(turn(f));

	clock_fake(now_mono_ms(), now_wall_ms() + 5 * 86400000ll);
	assert_string_equal(turn(f), first);
	assert_non_null(strstr(f->volatile_prompt, "Today is "));
	assert_non_null(strstr(f->volatile_prompt, "mock/mock-1"));
	assert_null(strstr(f->volatile_prompt, ":12:"));
	put(f, "AGENTS.md", "new rules");
	assert_non_null(strstr(turn(f), "\n## AGENTS.md\n\nnew rules\n"));
	put(f, "MEMORY.md", "it rained");
	assert_non_null(strstr(turn(f), "\n## MEMORY.md\n\nit rained\n"));
	ch_free(first);
}

static void is_the_same_until_a_file_changes(void **state)
{
	fx_run(*state, four, stable_body);
}

static void limits_body(struct fixture *f)
{
	CH_AUTO_BUF struct buf big = { 0 };
	const char *p;

	turn(f);
	buf_init(&big, 1u << 20);
	while (big.len < 50000)
		buf_puts(&big, "é");             /* two bytes a character */
	put(f, "AGENTS.md", big.data);
	put(f, "USER.md", big.data);
	put(f, "SOUL.md", "  \n");
	p = turn(f);
	assert_non_null(strstr(p, "[AGENTS.md is cut here: 40000 of 50000 bytes are shown; read it for the rest]"));
	assert_non_null(strstr(p, "[USER.md is cut here: 8000 of 50000 bytes are shown"));
	assert_null(strstr(p, "## SOUL.md"));
	fx_set_config(f, "{agents:{defaults:{bootstrapMaxChars:10,bootstrapTotalMaxChars:15},"
			 "entries:{main:{bootstrapMaxChars:12}}}}");
	p = turn(f);
	assert_non_null(strstr(p, "[AGENTS.md is cut here: 24 of 50000 bytes"));
	assert_true(utf8_valid(p, strlen(p)));
	fx_set_config(f, "{agents:{defaults:{contextInjection:'never'}}}");
	assert_null(strstr(turn(f), "# Files of the workspace"));
	fx_set_config(f, "{agents:{defaults:{contextInjection:'continuation-skip'}}}");
	assert_null(strstr(turn(f), "# Files of the workspace"));
}

static void files_have_limits(void **state)
{
	fx_run(*state, four, limits_body);
}

static void odd_files_body(struct fixture *f)
{
	char path[128];

	turn(f);
	snprintf(path, sizeof(path), "%s/workspace/USER.md", f->base);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/hostname", path), 0);
	assert_non_null(strstr(turn(f), "## USER.md\n\n(cannot be shown: 'USER.md' leads out of the workspace"));
	put(f, "AGENTS.md", "caf\xe9");
	assert_non_null(strstr(turn(f), "caf\xef\xbf\xbd"));
}

static void odd_files_do_no_harm(void **state)
{
	fx_run(*state, four, odd_files_body);
}

/* -- agents -- */

static void agents_body(struct fixture *f)
{
	const struct agent_info *list, *a;
	char path[128];
	size_t n;

	n = agents_list(f->config, f->base, f->arena, &list);
	assert_int_equal(n, 1);
	assert_string_equal(list[0].id, "main");
	assert_true(list[0].is_default);
	snprintf(path, sizeof(path), "%s/workspace", f->base);
	assert_string_equal(list[0].workspace, path);
	assert_string_equal(list[0].name, "Chela");        /* what its workspace will begin with */
	turn(f);
	a = agent_find(f->config, f->base, f->arena, "main");
	assert_string_equal(a->name, "Chela");
	assert_string_equal(a->emoji, "🦀");
	put(f, "IDENTITY.md", "# me\n* **Name:** Molty\n_Emoji_: 🦞\nVibe: x\n");
	a = agent_find(f->config, f->base, f->arena, "main");
	assert_string_equal(a->name, "Molty");
	assert_string_equal(a->emoji, "🦞");
	assert_null(a->theme);
	assert_null(agent_find(f->config, f->base, f->arena, "other"));
	fx_set_config(f, "{agents:{defaults:{workspace:'/srv/ws',model:{primary:'a/b'}},entries:{"
			 "helper:{model:'c/d',identity:{name:'Hel'}},boss:{default:true,workspace:'/srv/boss'},main:{}}}}");
	n = agents_list(f->config, f->base, f->arena, &list);
	assert_int_equal(n, 3);
	assert_string_equal(agent_default_id(f->config, f->arena), "boss");
	a = agent_find(f->config, f->base, f->arena, "helper");
	assert_string_equal(a->workspace, "/srv/ws/helper");
	assert_string_equal(a->model_ref, "c/d");
	assert_string_equal(a->name, "Hel");
	a = agent_find(f->config, f->base, f->arena, "boss");
	assert_string_equal(a->workspace, "/srv/boss");
	assert_string_equal(a->model_ref, "a/b");
	assert_true(a->is_default);
	fx_set_config(f, "{agents:{entries:{helper:{}}}}");
	assert_string_equal(agent_default_id(f->config, f->arena), "helper");
}

static void knows_its_agents(void **state)
{
	fx_run(*state, four, agents_body);
}

static void another_body(struct fixture *f)
{
	struct run_input in = { .session_key = "agent:helper:main", .run_id = "h1", .text = "hi", .sender_is_owner = true };
	struct submit_result res;
	char path[128];
	struct stat st;

	fx_set_config(f, "{agents:{entries:{main:{},helper:{name:'Hel'}}}}");
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_OK);
	fx_wait_run(f, "h1");
	snprintf(path, sizeof(path), "%s/workspace-helper/AGENTS.md", f->base);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(strncmp(f->prompts.at[0], "You are Hel, ", 13), 0);
	in.session_key = "agent:ghost:main";
	in.run_id = "g1";
	assert_int_equal(agent_submit(f->host, &in, f->arena, &res, &f->err), CH_E_INVALID);
	assert_non_null(strstr(f->err.text, "ghost"));
}

static void each_agent_has_its_home(void **state)
{
	fx_run(*state, four, another_body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(seeds_a_workspace), FX_TEST(is_the_same_until_a_file_changes), FX_TEST(files_have_limits),
		FX_TEST(odd_files_do_no_harm), FX_TEST(knows_its_agents), FX_TEST(each_agent_has_its_home),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
