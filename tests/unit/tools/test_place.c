/*
 * How far the file tools reach: roots, the whole file system, what is kept from them, and text from outside in files.
 */
#include "tool_fixture.h"

#include "config/config.h"

/* What the tools ask of above. */
struct above {
	struct config *config;
	char tainted[512], written[512]; /* paths, each with a ';' behind it */
	char *home_before;
	struct tool_host host;
	struct tool_grant grant;
};

static struct config *config_of(void *arg)
{
	return ((struct above *)arg)->config;
}

static ch_status note_written(void *arg, const struct tool_ctx *ctx, const char *path, bool is_tainted, struct ch_err *err)
{
	struct above *b = arg;
	size_t n = strlen(b->written);

	snprintf(b->written + n, sizeof(b->written) - n, "%c%s;", is_tainted ? '+' : '-', path);
	return CH_OK;
}

static bool is_tainted_file(void *arg, const struct tool_ctx *ctx, const char *path, const char **ret_source)
{
	struct above *b = arg;

	*ret_source = "https://example.org/";
	return strstr(b->tainted, path) != NULL;
}

static void configure(struct fixture *f, struct above *b, const char *text)
{
	config_unref(b->config);
	b->config = NULL;
	assert_int_equal(config_parse(text, strlen(text), NULL, &b->config, &f->err), CH_OK);
}

/* HOME is the directory `out`, the state directory is in it. */
static void begin(struct fixture *f, struct above *b, const char *config)
{
	static char state_dir[160];

	*b = (struct above){ .home_before = getenv("HOME") ? strdup(getenv("HOME")) : NULL };
	setenv("HOME", f->outside, 1);
	snprintf(state_dir, sizeof(state_dir), "%s/.state", f->outside);
	assert_int_equal(mkdir(state_dir, 0700), 0);
	b->host = (struct tool_host){ .arg = b, .config = config_of, .note_written = note_written,
				      .is_tainted_file = is_tainted_file, .state_dir = state_dir };
	configure(f, b, config);
	f->ctx.host = &b->host;
	f->ctx.grant = &b->grant;
}

static void end(struct above *b)
{
	if (b->home_before)
		setenv("HOME", b->home_before, 1);
	free(b->home_before);
	config_unref(b->config);
}

static ch_status with_path(struct fixture *f, const struct tool *t, const char *path, const char *more)
{
	return fixture_run(f, t, arena_printf(f->arena, "{\"path\":\"%s\"%s}", path, more));
}

static ch_status reading(struct fixture *f, const char *path)
{
	return with_path(f, &tool_read, path, "");
}

static ch_status writing(struct fixture *f, const char *path)
{
	return with_path(f, &tool_write, path, ",\"content\":\"new\\n\"");
}

static const char *outside(struct fixture *f, const char *name)
{
	return arena_printf(f->arena, "%s/%s", f->outside, name);
}

static void put_outside(struct fixture *f, const char *name)
{
	fixture_put(f, arena_printf(f->arena, "../out/%s", name), "text\n", 5);
}

static void roots(void **state)
{
	struct fixture *f = *state;
	struct above b;

	begin(f, &b, "{}");
	assert_int_equal(mkdir(outside(f, "docs"), 0700), 0);
	assert_int_equal(mkdir(outside(f, "docs/mine"), 0700), 0);
	put_outside(f, "docs/a.txt");
	put_outside(f, "b.txt");
	assert_int_equal(symlink("../b.txt", outside(f, "docs/up")), 0);
	assert_int_equal(reading(f, outside(f, "docs/a.txt")), CH_E_DENIED);
	configure(f, &b, arena_printf(f->arena, "{tools:{fs:{roots:[{path:'%s/docs'},{path:'~/docs/mine',access:'rw'}]}}}", f->outside));
	assert_int_equal(reading(f, outside(f, "docs/a.txt")), CH_OK);
	assert_string_equal(f->text, "text\n");
	assert_int_equal(reading(f, "~/docs/a.txt"), CH_OK);
	assert_int_equal(writing(f, outside(f, "docs/a.txt")), CH_E_DENIED);
	assert_non_null(strstr(f->text, "is read-only"));
	assert_int_equal(writing(f, outside(f, "docs/mine/n/c.txt")), CH_OK);
	assert_int_equal(reading(f, outside(f, "docs/mine/n/c.txt")), CH_OK);
	/* Found and searched there, with names that read takes. */
	assert_int_equal(with_path(f, &tool_fs_find, outside(f, "docs"), ",\"pattern\":\"a.*\""), CH_OK);
	assert_string_equal(f->text, outside(f, "docs/a.txt"));
	assert_int_equal(with_path(f, &tool_grep, outside(f, "docs"), ",\"pattern\":\"text\",\"output\":\"files\""), CH_OK);
	assert_string_equal(f->text, outside(f, "docs/a.txt"));
	/* A root is a wall, too. */
	assert_int_equal(reading(f, outside(f, "docs/../b.txt")), CH_E_DENIED);
	assert_int_equal(reading(f, outside(f, "docs/up")), CH_E_DENIED);
	assert_int_equal(reading(f, outside(f, "docs2")), CH_E_DENIED);
	/* An agent's own roots, and a session that is to keep to its workspace. */
	configure(f, &b, arena_printf(f->arena, "{tools:{fs:{roots:[{path:'%s/docs'}]}},agents:{entries:{main:{tools:{fs:{roots:[]}}}}}}",
				      f->outside));
	assert_int_equal(reading(f, outside(f, "docs/a.txt")), CH_E_DENIED);
	configure(f, &b, arena_printf(f->arena, "{tools:{fs:{roots:[{path:'%s/docs'}]}}}", f->outside));
	b.grant.mode = TOOL_MODE_WORKSPACE;
	assert_int_equal(reading(f, outside(f, "docs/a.txt")), CH_E_DENIED);
	end(&b);
}

static void the_whole_file_system(void **state)
{
	struct fixture *f = *state;
	struct above b;

	begin(f, &b, "{tools:{fs:{workspaceOnly:false}}}");
	put_outside(f, "a.txt");
	assert_int_equal(reading(f, outside(f, "a.txt")), CH_OK);
	assert_int_equal(writing(f, "~/new/b.txt"), CH_OK);
	assert_int_equal(reading(f, outside(f, "new/b.txt")), CH_OK);
	assert_int_equal(reading(f, "/etc/hostname"), CH_OK);
	assert_int_equal(reading(f, "../out/a.txt"), CH_E_DENIED);
	/* apply_patch has a switch of its own. */
	assert_int_equal(fixture_run(f, &tool_apply_patch, arena_printf(f->arena, "{\"input\":\"*** Begin Patch\\n*** Delete File: %s\\n"
				     "*** End Patch\"}", outside(f, "a.txt"))), CH_E_DENIED);
	configure(f, &b, "{tools:{fs:{workspaceOnly:false},exec:{applyPatch:{workspaceOnly:false}}}}");
	assert_int_equal(fixture_run(f, &tool_apply_patch, arena_printf(f->arena, "{\"input\":\"*** Begin Patch\\n*** Delete File: %s\\n"
				     "*** End Patch\"}", outside(f, "a.txt"))), CH_OK);
	/* Modes of a session stand above the configuration. */
	b.grant.mode = TOOL_MODE_GUARDED;
	assert_int_equal(reading(f, outside(f, "new/b.txt")), CH_E_DENIED);
	b.grant.mode = TOOL_MODE_FULL;
	configure(f, &b, "{}");
	assert_int_equal(reading(f, outside(f, "new/b.txt")), CH_OK);
	b.grant.mode = TOOL_MODE_READ_ONLY;
	fixture_put(f, "w.txt", "w\n", 2);
	assert_int_equal(reading(f, "w.txt"), CH_OK);
	assert_int_equal(writing(f, "w.txt"), CH_E_DENIED);
	assert_non_null(strstr(f->text, "this session is read-only"));
	end(&b);
}

/* A file tool does not get round a sandbox that keeps the workspace from commands. */
static void test_threat_sandbox_escape_by_file_tools(void **state)
{
	struct fixture *f = *state;
	struct above b;

	begin(f, &b, "{agents:{defaults:{sandbox:{workspaceAccess:'ro'}}}}");
	fixture_put(f, "a.txt", "a\n", 2);
	assert_int_equal(reading(f, "a.txt"), CH_OK);
	assert_int_equal(writing(f, "a.txt"), CH_E_DENIED);
	assert_non_null(strstr(f->text, "workspaceAccess \"ro\""));
	assert_int_equal(fixture_run(f, &tool_apply_patch, "{\"input\":\"*** Begin Patch\\n*** Delete File: a.txt\\n*** End Patch\"}"),
			 CH_E_DENIED);
	configure(f, &b, "{agents:{defaults:{sandbox:{workspaceAccess:'none'}}}}");
	assert_int_equal(reading(f, "a.txt"), CH_E_DENIED);
	b.grant.mode = TOOL_MODE_FULL;
	assert_int_equal(writing(f, "a.txt"), CH_E_DENIED);
	configure(f, &b, "{agents:{defaults:{sandbox:{mode:'non-main',workspaceAccess:'none'}}}}");
	assert_int_equal(writing(f, "a.txt"), CH_OK);
	end(&b);
}

/* With text from outside in the turn, changing what lies beyond the workspace needs a person. */
static void writing_beyond_the_workspace_has_effects(void **state)
{
	struct fixture *f = *state;
	static const char *const within[] = { "a.txt", "./a/b", "../out/a", "~x" };
	const char *beyond[] = { "/etc/motd", "~/a.txt", "~", outside(f, "a.txt"), arena_printf(f->arena, "%s-2/a", f->root) };
	const struct tool *const tools[] = { &tool_write, &tool_edit };

	for (size_t t = 0; t < CH_ARRAY_LEN(tools); t++) {
		struct json *args = json_new_obj(f->arena);

		for (size_t i = 0; i < CH_ARRAY_LEN(within); i++) {
			json_set(f->arena, args, "path", json_new_str(f->arena, within[i]));
			assert_false(tools[t]->has_effects(&f->ctx, args));
		}
		json_set(f->arena, args, "path", json_new_str(f->arena, arena_printf(f->arena, "%s/a", f->root)));
		assert_false(tools[t]->has_effects(&f->ctx, args));
		for (size_t i = 0; i < CH_ARRAY_LEN(beyond); i++) {
			json_set(f->arena, args, "path", json_new_str(f->arena, beyond[i]));
			assert_true(tools[t]->has_effects(&f->ctx, args));
		}
	}
	for (int i = 0; i < 2; i++) {
		struct json *args = json_new_obj(f->arena);
		const char *text = arena_printf(f->arena, "*** Begin Patch\n*** Add File: a\n+x\n*** Update File: b\n*** Move to: %s\n*** End Patch",
						i ? "/etc/c" : "c");

		json_set(f->arena, args, "input", json_new_str(f->arena, text));
		assert_int_equal(tool_apply_patch.has_effects(&f->ctx, args), i);
	}
}

/* Reading keys through a file tool, in the words of several advisories: nothing here is within reach. */
static void test_threat_path_traversal_credentials(void **state)
{
	struct fixture *f = *state;
	static const char *const kept[] = { "~/.ssh/id", "~/.aws/credentials", "~/.config/gh/hosts.yml", "~/.netrc", "~/.state/db",
					    "/proc/self/environ", "/proc/1/environ", "/sys/kernel/uevent_seqnum", "/dev/zero",
					    "/dev/null", "/etc/shadow" };
	static const char *const dirs[] = { ".ssh", ".aws", ".config", ".config/gh", "other", "other/.ssh" };
	struct above b;

	begin(f, &b, "{tools:{fs:{workspaceOnly:false,roots:[{path:'~/.ssh',access:'rw'}]},exec:{applyPatch:{workspaceOnly:false}}}}");
	for (size_t i = 0; i < CH_ARRAY_LEN(dirs); i++)
		assert_int_equal(mkdir(outside(f, dirs[i]), 0700), 0);
	put_outside(f, ".ssh/id");
	put_outside(f, ".aws/credentials");
	put_outside(f, ".config/gh/hosts.yml");
	put_outside(f, ".netrc");
	put_outside(f, ".state/db");
	put_outside(f, "other/.ssh/id");
	for (size_t i = 0; i < CH_ARRAY_LEN(kept); i++) {
		if (reading(f, kept[i]) != CH_E_DENIED && f->st != CH_E_NOT_FOUND)
			fail_msg("'%s' can be read: %d %s", kept[i], f->st, f->text);
		if (writing(f, kept[i]) != CH_E_DENIED)
			fail_msg("'%s' can be written: %d %s", kept[i], f->st, f->text);
		assert_int_not_equal(with_path(f, &tool_grep, kept[i], ",\"pattern\":\".\""), CH_OK);
	}
	/* Not by another name, another home, a link, or a walk. */
	assert_int_equal(reading(f, outside(f, "other/.ssh/id")), CH_E_DENIED);
	assert_int_equal(reading(f, outside(f, "new/../.ssh/id")), CH_E_NOT_FOUND);
	assert_int_equal(reading(f, outside(f, "other/../.ssh/id")), CH_E_DENIED);
	assert_int_equal(symlink(".ssh/id", outside(f, "link")), 0);
	assert_int_equal(symlink(".ssh", outside(f, "dir")), 0);
	assert_int_equal(reading(f, outside(f, "link")), CH_E_DENIED);
	assert_int_equal(writing(f, outside(f, "link")), CH_E_DENIED);
	assert_int_equal(writing(f, outside(f, "dir/new")), CH_E_DENIED);
	assert_int_equal(writing(f, outside(f, ".ssh/authorized_keys")), CH_E_DENIED);
	assert_int_equal(with_path(f, &tool_grep, "~", ",\"pattern\":\"text\",\"hidden\":true,\"noIgnore\":true"), CH_OK);
	assert_null(strstr(f->text, "ssh"));
	assert_null(strstr(f->text, ".aws"));
	assert_null(strstr(f->text, ".state"));
	assert_int_equal(with_path(f, &tool_list, "~", ",\"depth\":5"), CH_OK);
	assert_null(strstr(f->text, "hosts.yml"));
	assert_int_equal(fixture_run(f, &tool_view_image, "{\"path\":\"~/.ssh/id\"}"), CH_E_DENIED);
	end(&b);
}

/* A workspace that is the home directory itself does not open what lies in it. */
static void a_home_as_workspace(void **state)
{
	struct fixture *f = *state;
	struct above b;

	begin(f, &b, "{}");
	close(f->fd);
	f->fd = open(f->outside, O_PATH | O_DIRECTORY | O_CLOEXEC);
	f->ctx.workspace = f->outside;
	f->ctx.workspace_fd = f->fd;
	assert_int_equal(mkdir(outside(f, ".ssh"), 0700), 0);
	put_outside(f, ".ssh/id");
	put_outside(f, ".state/db");
	put_outside(f, "a.txt");
	assert_int_equal(reading(f, "a.txt"), CH_OK);
	assert_int_equal(writing(f, "new.txt"), CH_OK);
	assert_int_equal(reading(f, ".ssh/id"), CH_E_DENIED);
	assert_int_equal(reading(f, ".state/db"), CH_E_DENIED);
	assert_int_equal(writing(f, ".state/config.json"), CH_E_DENIED);
	assert_int_equal(writing(f, ".netrc"), CH_E_DENIED);
	/* A project's own directory of that name is the project's. */
	assert_int_equal(mkdir(outside(f, "project"), 0700), 0);
	assert_int_equal(writing(f, "project/.aws/config"), CH_OK);
	end(&b);
}

static void text_from_outside(void **state)
{
	struct fixture *f = *state;
	struct above b;
	char path[160];

	begin(f, &b, "{}");
	fixture_put(f, "a.txt", "a\n", 2);
	fixture_put(f, "t.txt", "t needle\n", 9);
	snprintf(path, sizeof(path), "%s/ln", f->root);
	assert_int_equal(symlink("t.txt", path), 0);
	snprintf(b.tainted, sizeof(b.tainted), "t.txt;");
	assert_int_equal(reading(f, "a.txt"), CH_OK);
	assert_false(f->ctx.is_outside);
	assert_int_equal(reading(f, "./ln"), CH_OK);
	assert_true(f->ctx.is_outside);
	assert_string_equal(f->ctx.source, "https://example.org/");
	f->ctx.is_outside = false;
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"needle\"}"), CH_OK);
	assert_true(f->ctx.is_outside);
	f->ctx.is_outside = false;
	assert_int_equal(fixture_run(f, &tool_grep, "{\"pattern\":\"nothing\"}"), CH_OK);
	assert_false(f->ctx.is_outside);
	/* A clean turn clears what it writes anew; a tainted one marks it, before it is there. */
	b.grant.is_tainted = true;
	assert_int_equal(writing(f, "./d/../n.txt"), CH_E_NOT_FOUND);
	b.grant.is_tainted = false;
	assert_int_equal(writing(f, "./d/../ln"), CH_E_NOT_FOUND);
	b.written[0] = '\0';
	assert_int_equal(writing(f, ".//n.txt"), CH_OK);
	assert_string_equal(b.written, "-n.txt;");
	b.grant.is_tainted = true;
	b.written[0] = '\0';
	assert_int_equal(writing(f, "d/e/n.txt"), CH_OK);
	assert_int_equal(writing(f, "ln"), CH_OK);
	assert_int_equal(with_path(f, &tool_edit, "n.txt", ",\"edits\":[{\"oldText\":\"new\",\"newText\":\"newer\"}]"), CH_OK);
	assert_string_equal(b.written, "+d/e/n.txt;+t.txt;+n.txt;");
	/* A move takes the mark along, also in a clean turn. */
	b.grant.is_tainted = false;
	b.written[0] = '\0';
	assert_int_equal(fixture_run(f, &tool_apply_patch, "{\"input\":\"*** Begin Patch\\n*** Update File: t.txt\\n*** Move to: u.txt\\n"
				     "*** Delete File: n.txt\\n*** Add File: v.txt\\n+v\\n*** End Patch\"}"), CH_OK);
	assert_string_equal(b.written, "+u.txt;-t.txt;-n.txt;-v.txt;");
	end(&b);
}

static void views_images(void **state)
{
	struct fixture *f = *state;
	static char big[4000000] = "\x89PNG\r\n\x1a\n";

	fixture_put(f, "a.png", "\x89PNG\r\n\x1a\nxyz", 11);
	fixture_put(f, "b.gif", "GIF89a......", 12);
	fixture_put(f, "c.png", "text", 4);
	fixture_put(f, "big1.png", big, sizeof(big));
	fixture_put(f, "big2.png", big, sizeof(big));
	assert_int_equal(fixture_run(f, &tool_view_image, "{\"paths\":[\"a.png\",\"b.gif\"],\"prompt\":\"a cat\"}"), CH_OK);
	assert_string_equal(f->text, "a.png [image/png, 11 bytes]");
	assert_string_equal(json_str(json_path(f->result.content, "1.type")), "image");
	assert_string_equal(json_str(json_path(f->result.content, "3.mimeType")), "image/gif");
	assert_string_equal(json_str(json_path(f->result.content, "4.text")), "Look for: a cat");
	assert_int_equal(fixture_run(f, &tool_view_image, "{\"path\":\"big1.png\"}"), CH_OK);
	assert_int_equal(fixture_run(f, &tool_view_image, "{\"path\":\"big1.png\",\"paths\":[\"big2.png\"]}"), CH_E_LIMIT);
	assert_non_null(strstr(f->text, "6000000 bytes together"));
	assert_int_equal(fixture_run(f, &tool_view_image, "{\"path\":\"c.png\"}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_view_image, "{}"), CH_E_INVALID);
	assert_int_equal(fixture_run(f, &tool_view_image, "{\"path\":\"../out/a.png\"}"), CH_E_DENIED);
}

static void helps_with_names(void **state)
{
	struct fixture *f = *state;
	char path[160];

	snprintf(path, sizeof(path), "%s/src", f->root);
	assert_int_equal(mkdir(path, 0700), 0);
	fixture_put(f, "src/main.c", "x\n", 2);
	fixture_put(f, "src/main.h", "x\n", 2);
	fixture_put(f, "src/README", "x\n", 2);
	assert_int_equal(reading(f, "src/mian.c"), CH_OK);
	assert_true(f->result.is_error);
	assert_string_equal(f->text, "'src/mian.c' does not exist. Similar names: src/main.c, src/main.h");
	assert_int_equal(reading(f, "src/readme"), CH_OK);
	assert_string_equal(f->text, "'src/readme' does not exist. Similar names: src/README");
	assert_int_equal(reading(f, "src/quite-other"), CH_E_NOT_FOUND);
	assert_int_equal(reading(f, "src"), CH_OK);
	assert_string_equal(f->text, "'src' is a directory with 3 entries: README, main.c, main.h. Read one of its files; list and find "
			    "show more.");
}

#define T(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(roots), T(the_whole_file_system), T(test_threat_sandbox_escape_by_file_tools), T(writing_beyond_the_workspace_has_effects),
		T(test_threat_path_traversal_credentials), T(a_home_as_workspace),
		T(text_from_outside), T(views_images), T(helps_with_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
