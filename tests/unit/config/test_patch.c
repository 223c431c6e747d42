/*
 * config/patch: lists in merge patches; config/write: what cannot be changed from afar.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/config.h"
#include "config/patch.h"
#include "config/scratch.h"
#include "core/loop.h"
#include "core/str.h"

static struct arena *arena;

static int setup(void **state)
{
	(void)state;
	arena = arena_new(0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_unref(arena);
	return 0;
}

static struct json *json(const char *text)
{
	struct json *v = NULL;

	if (text && json_parse(arena, text, strlen(text), JSON_JSON5, &v, NULL))
		fail_msg("bad JSON in the test: %s", text);
	return v;
}

/* wanted: the whole after merging, or NULL: refused because of `lost`. */
static const struct list_case {
	const char *base, *patch, *replace, *wanted, *lost;
} cases[] = {
	{ "{a:1}", "{a:2,b:{c:null}}", "[]", "{a:2,b:{}}", NULL },
	/* Plain lists may grow, not shrink, in any order. */
	{ "{l:[1,2]}", "{l:[2,3,1]}", "[]", "{l:[2,3,1]}", NULL },
	{ "{l:[1,1]}", "{l:[1,2]}", "[]", NULL, "l" },
	{ "{l:[1,2]}", "{l:[1]}", "[]", NULL, "l" },
	{ "{l:[1,2]}", "{l:[1]}", "['l']", "{l:[1]}", NULL },
	{ "{l:[1,2]}", "{l:[]}", NULL, "{l:[]}", NULL },
	{ "{l:[1]}", "{l:null}", "[]", NULL, "l" },
	{ "{l:[1]}", "{l:null}", "['l']", "{}", NULL },
	{ "{l:[1]}", "{l:'x'}", "[]", NULL, "l" },
	{ "{l:[]}", "{l:[1]}", "[]", "{l:[1]}", NULL },
	/* With ids they are merged; new entries follow. */
	{ "{m:[{id:'a',x:1},{id:'b',y:2}]}", "{m:[{id:'b',y:3},{id:'c'}]}", "[]",
	  "{m:[{id:'a',x:1},{id:'b',y:3},{id:'c'}]}", NULL },
	{ "{m:[{id:'a',x:1}]}", "{m:[{id:'b'}]}", "['m']", "{m:[{id:'b'}]}", NULL },
	{ "{m:[{id:'a',i:['t','u']}]}", "{m:[{id:'a',i:['t']}]}", "[]", NULL, "m[].i" },
	{ "{m:[{id:'a',i:['t','u']}]}", "{m:[{id:'a',i:['t']}]}", "['m[].i']", "{m:[{id:'a',i:['t']}]}", NULL },
	/* A parent's name stands for itself only. */
	{ "{o:{l:[1],p:{}}}", "{o:null}", "['o']", NULL, "o.l" },
	{ "{o:{l:[1],p:{}}}", "{o:null}", "['o.l']", "{}", NULL },
	{ "{o:{l:[]}}", "{o:5}", "[]", NULL, "o.l" },
	{ "{o:{p:{q:1}}}", "{o:null}", "[]", "{}", NULL },
};

static void test_lists(void **state)
{
	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(cases); i++) {
		const struct list_case *c = &cases[i];
		struct json *patch = NULL;
		struct ch_err err = {0};
		ch_status st = config_patch_lists(arena, json(c->base), json(c->patch), json(c->replace), &patch, &err);

		if (!c->wanted) {
			const char *named = arena_printf(arena, "path(s): %s.", c->lost);

			if (st != CH_E_INVALID || !strstr(err.text, named))
				fail_msg("case %zu: status %d, \"%s\"", i, st, err.text);
			continue;
		}
		if (st)
			fail_msg("case %zu: %s", i, err.text);
		if (!json_equal(json_merge(arena, json(c->base), patch), json(c->wanted)))
			fail_msg("case %zu: %s", i, json_to_str(arena, json_merge(arena, json(c->base), patch)));
	}
}

/* -- from afar -- */

static const char local_text[] =
	"{\n"
	"  // programs are chosen here\n"
	"  secrets: { providers: { vault: { source: 'exec', command: '/usr/bin/vault', args: ['a'] } } },\n"
	"  agents: { defaults: { model: { primary: 'offline/demo' } } },\n"
	"}\n";

static struct scratch dir;
static struct loop *loop;
static struct config_store *store;

static int open_store(void **state)
{
	struct config_store_opts opts = {.passive = true};

	setup(state);
	scratch_init(&dir);
	scratch_write(&dir, "chela.json", local_text);
	loop = loop_new();
	opts.path = arena_strdup(arena, scratch_path(&dir, "chela.json"));
	opts.state_dir = dir.dir;
	assert_int_equal(config_store_open(loop, &opts, &store, NULL), CH_OK);
	return 0;
}

static int close_store(void **state)
{
	config_store_close(store);
	loop_free(loop);
	scratch_done(&dir);
	return teardown(state);
}

static ch_status patch_from(bool is_remote, const char *patch, struct ch_err *err)
{
	struct config_write_how how = {.is_remote = is_remote};

	return config_write_patch_as(store, json(patch), &how, err);
}

static void test_programs_are_chosen_here(void **state)
{
	static const char *const refused[] = {
		"{secrets:{providers:{vault:{command:'/tmp/x'}}}}",
		"{secrets:{providers:{vault:{args:['b']}}}}",
		"{secrets:{providers:{vault:{env:{LD_PRELOAD:'/tmp/x.so'}}}}}",
		"{secrets:{providers:{other:{source:'exec',command:'/tmp/x'}}}}",
		"{gateway:{controlUi:{root:'/etc'}}}",
		"{agents:{'$include':'/etc/passwd'}}",
		"{secrets:{providers:{other:{source:'file',path:'/home/me/.ssh/id_ed25519',mode:'singleValue'}}}}",
		"{logging:{file:'/home/me/.bashrc'}}",
		"{gateway:{tls:{keyPath:'/tmp/key.pem'}}}",
		"{gateway:{tls:{certPath:'/tmp/cert.pem'}}}",
	};
	struct config_write_how how = {.is_remote = true};
	struct ch_err err;
	char *text;

	(void)state;
	for (size_t i = 0; i < CH_ARRAY_LEN(refused); i++) {
		ch_status st = patch_from(true, refused[i], &err);

		if (st != CH_E_DENIED && !(i == 5 && st == CH_E_INVALID))
			fail_msg("%s: status %d", refused[i], st);
	}
	text = scratch_read(&dir, "chela.json");
	assert_string_equal(text, local_text);
	ch_free(text);
	/* What stands there already may be written back, and may go. */
	assert_int_equal(config_write_raw_as(store, local_text, strlen(local_text), &how, &err), CH_OK);
	assert_int_equal(patch_from(true, "{secrets:{providers:{vault:{timeoutMs:7000}}}}", &err), CH_OK);
	assert_int_equal(patch_from(true, "{secrets:{providers:{vault:null}}}", &err), CH_OK);
	/* On this machine everything is allowed. */
	assert_int_equal(patch_from(false, "{secrets:{providers:{vault:{source:'exec',command:'/usr/bin/true'}}}}", &err),
			 CH_OK);
}

static void test_a_broken_file_is_mended_without_programs(void **state)
{
	static const char mended[] = "{gateway:{port:18790}}";
	static const char sly[] = "{secrets:{providers:{v:{source:'exec',command:'/tmp/x'}}}}";
	struct config_write_how how = {.is_remote = true};
	struct ch_err err;

	(void)state;
	scratch_write(&dir, "chela.json", "{ broken");
	assert_int_equal(config_write_raw_as(store, sly, strlen(sly), &how, &err), CH_E_DENIED);
	assert_int_equal(config_write_raw_as(store, mended, strlen(mended), &how, &err), CH_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lists, setup, teardown),
		cmocka_unit_test_setup_teardown(test_programs_are_chosen_here, open_store, close_store),
		cmocka_unit_test_setup_teardown(test_a_broken_file_is_mended_without_programs, open_store, close_store),
	};

	return cmocka_run_group_tests_name("config/patch", tests, NULL, NULL);
}
