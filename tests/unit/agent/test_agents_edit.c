/*
 * Agents made, changed and removed in a configuration file; IDENTITY.md read and written; files by name.
 */
#include "agent_fixture.h"

#include "agent/agents_edit.h"
#include "core/file.h"

static void identity_lines(void **state)
{
	static const char text[] = "# Me\n\n- **Name:** Chela \n* Emoji: 🦀\r\nTheme:\nAvatar : a.png\nNamed: no\n";
	struct fixture *f = *state;

	assert_string_equal(identity_get(f->arena, text, "name"), "Chela");
	assert_string_equal(identity_get(f->arena, text, "Emoji"), "🦀");
	assert_null(identity_get(f->arena, text, "theme"));
	assert_string_equal(identity_get(f->arena, text, "avatar"), "a.png");
	assert_null(identity_get(f->arena, text, "vibe"));
	assert_null(identity_get(f->arena, "", "name"));
	assert_null(identity_get(f->arena, "Name", "name"));
	assert_string_equal(identity_set(f->arena, text, "Name", "Rex"),
			    "# Me\n\n- **Name:** Rex \n* Emoji: 🦀\r\nTheme:\nAvatar : a.png\nNamed: no\n");
	assert_string_equal(identity_set(f->arena, "Theme:", "Theme", "dry"), "Theme: dry");
	assert_string_equal(identity_set(f->arena, "# Me", "Name", "Rex"), "# Me\n- Name: Rex\n");
	assert_string_equal(identity_set(f->arena, "- Name: A\n", "Name", ""), "- Name: \n");
}

static void ids_of_names(void **state)
{
	static const struct { const char *name, *id; } rows[] = {
		{ "Work", "work" }, { "My  Agent!", "my-agent" }, { "--x--", "x" }, { "_a_", "a_" }, { "Ünï", "n" }, { "!!", NULL },
		{ "", NULL }, { "a.b/c", "a-b-c" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < CH_ARRAY_LEN(rows); i++) {
		const char *id = agent_id_of_name(f->arena, rows[i].name);

		if (rows[i].id)
			assert_string_equal(id, rows[i].id);
		else
			assert_null(id);
	}
}

/* A store on a file in the fixture's directory. */
static struct config_store *open_store(struct fixture *f, const char *text)
{
	struct config_store_opts opts = { .path = arena_printf(f->arena, "%s/chela.json", f->base), .state_dir = f->base,
					  .passive = true };
	struct config_store *cs;

	assert_int_equal(file_write_atomic(opts.path, text, strlen(text), 0600, &f->err), CH_OK);
	assert_int_equal(config_store_open(f->loop, &opts, &cs, &f->err), CH_OK);
	return cs;
}

static const char *written(struct fixture *f)
{
	struct buf b;
	const char *text;

	assert_int_equal(file_read(arena_printf(f->arena, "%s/chela.json", f->base), 1u << 20, &b, &f->err), CH_OK);
	text = arena_strdup(f->arena, buf_str(&b));
	buf_done(&b);
	return text;
}

static void edits(void **state)
{
	struct fixture *f = *state;
	struct config_store *cs = open_store(f, "{\n  // mine\n  bindings: [{ agentId: 'work', match: { channel: 'x' } }],\n}\n");
	struct agent_change change = { .name = "Work", .emoji = "🔧" };
	const struct agent_info *info;
	int64_t bindings;

	assert_int_equal(agent_create(cs, f->base, &change, f->arena, &info, &f->err), CH_OK);
	assert_string_equal(info->id, "work");
	assert_string_equal(info->workspace, arena_printf(f->arena, "%s/workspace-work", f->base));
	assert_string_equal(agent_default_id(config_store_current(cs), f->arena), "main");
	assert_int_equal(agent_create(cs, f->base, &change, f->arena, &info, &f->err), CH_E_EXISTS);
	change = (struct agent_change){ .name = "a\nb" };
	assert_int_equal(agent_create(cs, f->base, &change, f->arena, &info, &f->err), CH_E_INVALID);
	change = (struct agent_change){ .emoji = "", .theme = "dry", .model = "mock/mock-1" };
	assert_int_equal(agent_update(cs, f->base, "work", &change, f->arena, &f->err), CH_OK);
	info = agent_find(config_store_current(cs), f->base, f->arena, "work");
	assert_string_equal(info->emoji, "🦀");     /* that of a new workspace */
	assert_string_equal(info->theme, "dry");
	assert_string_equal(info->model_ref, "mock/mock-1");
	assert_int_equal(agent_update(cs, f->base, "nobody", &change, f->arena, &f->err), CH_E_NOT_FOUND);
	assert_non_null(strstr(written(f), "// mine"));
	assert_int_equal(agent_remove(cs, "work", f->arena, &bindings, &f->err), CH_OK);
	assert_int_equal(bindings, 1);
	assert_int_equal(agent_remove(cs, "main", f->arena, &bindings, &f->err), CH_E_INVALID);
	assert_int_equal(agent_remove(cs, "work", f->arena, &bindings, &f->err), CH_E_NOT_FOUND);
	config_store_close(cs);
}

static void fallbacks_stay(void **state)
{
	struct fixture *f = *state;
	struct config_store *cs = open_store(f, "{agents:{entries:{a:{model:{primary:'x/y',fallbacks:['p/q']}}}}}");
	struct agent_change change = { .model = "mock/mock-2" };

	assert_int_equal(agent_update(cs, f->base, "a", &change, f->arena, &f->err), CH_OK);
	assert_non_null(strstr(written(f), "p/q"));
	assert_string_equal(agent_find(config_store_current(cs), f->base, f->arena, "a")->model_ref, "mock/mock-2");
	config_store_close(cs);
}

/* What was read of an agent is good after the snapshot that it was read from is gone: its workspace is moved away then. */
static void info_outlives_the_configuration(void **state)
{
	struct fixture *f = *state;
	struct config_store *cs = open_store(f, "{agents:{entries:{main:{},work:{workspace:'/srv/work',name:'Work',model:'x/y',"
						"identity:{emoji:'W',theme:'dry',avatar:'a.png'}}}}}");
	const struct agent_info *info = agent_find(config_store_current(cs), f->base, f->arena, "work");
	const struct json *entry = config_get(config_store_current(cs), "agents.entries.work");
	int64_t bindings;

	assert_ptr_not_equal(info->workspace, json_get_str(entry, "workspace"));
	assert_ptr_not_equal(info->model_ref, json_get_str(entry, "model"));
	assert_int_equal(agent_remove(cs, "work", f->arena, &bindings, &f->err), CH_OK);
	assert_null(agent_find(config_store_current(cs), f->base, f->arena, "work"));
	config_store_close(cs);
	assert_string_equal(info->workspace, "/srv/work");
	assert_string_equal(info->name, "Work");
	assert_string_equal(info->emoji, "W");
	assert_string_equal(info->theme, "dry");
	assert_string_equal(info->avatar, "a.png");
	assert_string_equal(info->model_ref, "x/y");
}

static void files(void **state)
{
	struct fixture *f = *state;
	const char *ws = arena_printf(f->arena, "%s/ws", f->base), *to;
	struct agent_file file;

	assert_int_equal(agent_file_look(ws, "SOUL.md", true, f->arena, &file, &f->err), CH_OK);
	assert_true(file.is_missing);
	assert_int_equal(agent_file_look(ws, "../SOUL.md", true, f->arena, &file, &f->err), CH_E_INVALID);
	assert_int_equal(agent_file_put(ws, "SOUL.md", "a\n", 2, NULL, f->arena, &file, &f->err), CH_OK);
	assert_int_equal(file.size, 2);
	assert_int_equal(agent_file_put(ws, "SOUL.md", "b\n", 2, "00", f->arena, &file, &f->err), CH_E_CONFLICT);
	assert_int_equal(agent_file_put(ws, "SOUL.md", "b\n", 2, arena_strdup(f->arena, file.hash), f->arena, &file, &f->err), CH_OK);
	assert_int_equal(symlink("/etc/passwd", arena_printf(f->arena, "%s/USER.md", ws)), 0);
	assert_int_equal(agent_file_look(ws, "USER.md", true, f->arena, &file, &f->err), CH_E_DENIED);
	assert_int_equal(agent_trash(f->base, ws, f->arena, &to, &f->err), CH_OK);
	assert_true(file_exists(arena_printf(f->arena, "%s/SOUL.md", to)));
	assert_int_equal(agent_trash(f->base, ws, f->arena, &to, &f->err), CH_E_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		FX_TEST(identity_lines), FX_TEST(ids_of_names), FX_TEST(edits), FX_TEST(fallbacks_stay),
		FX_TEST(info_outlives_the_configuration), FX_TEST(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
