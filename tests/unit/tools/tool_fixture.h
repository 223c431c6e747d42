/*
 * A workspace in a temporary directory, and a way to run one tool in a fiber.
 */
#ifndef TEST_TOOL_FIXTURE_H
#define TEST_TOOL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/fiber.h"
#include "core/str.h"
#include "tools/table.h"
#include "../temp_dir.h"

struct fixture {
	char base[64], root[96], outside[96];    /* base holds both */
	int fd;
	struct loop *loop;
	struct arena *arena;
	struct tool_ctx ctx;
	/* of the last call */
	struct tool_result result;
	struct ch_err err;
	ch_status st;
	const char *text;                        /* of the first block */
};

struct fixture_call { struct fixture *f; const struct tool *tool; const char *args; };

static inline void fixture_put(const struct fixture *f, const char *name, const char *text, size_t n)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->root, name);
	file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, n, file), n);
	fclose(file);
}

static inline char *fixture_get(const struct fixture *f, const char *path, char *ret, size_t cap)
{
	char full[512];
	FILE *file;
	size_t n;

	snprintf(full, sizeof(full), "%s%s%s", path[0] == '/' ? "" : f->root, path[0] == '/' ? "" : "/", path);
	file = fopen(full, "r");
	assert_non_null(file);
	n = fread(ret, 1, cap - 1, file);
	ret[n] = '\0';
	fclose(file);
	return ret;
}

static inline int fixture_setup(void **state)
{
	static const struct tool_grant owner = { .is_owner = true };
	struct fixture *f = calloc(1, sizeof(*f));

	temp_dir_make(f->base, "tools");
	snprintf(f->root, sizeof(f->root), "%s/ws", f->base);
	snprintf(f->outside, sizeof(f->outside), "%s/out", f->base);
	assert_int_equal(mkdir(f->root, 0700), 0);
	assert_int_equal(mkdir(f->outside, 0700), 0);
	f->fd = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(f->fd >= 0);
	f->loop = loop_new();
	f->arena = arena_new(0);
	f->ctx = (struct tool_ctx){ .agent_id = "main", .session_key = "agent:main:main", .run_id = "r",
				    .tool_call_id = "c", .workspace = f->root, .workspace_fd = f->fd,
				    .arena = f->arena, .grant = &owner };
	*state = f;
	return 0;
}

static inline int fixture_teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(loop_fibers(f->loop), 0);
	loop_free(f->loop);
	arena_unref(f->arena);
	close(f->fd);
	temp_dir_remove(f->base);
	free(f);
	return 0;
}

static inline void fixture_fiber(void *arg)
{
	struct fixture_call *c = arg;
	struct fixture *f = c->f;
	struct json *args;

	f->st = json_parse(f->arena, c->args, strlen(c->args), JSON_STRICT, &args, &f->err);
	if (!f->st)
		f->st = tool_check_args(c->tool, args, &f->err);
	f->ctx.deadline_ms = fiber_deadline(10000);
	if (!f->st)
		f->st = c->tool->run(&f->ctx, args, &f->result, &f->err);
	loop_stop(f->loop);
}

/* Runs it; f->st, f->err, f->text and f->result tell how it went. */
static inline ch_status fixture_run(struct fixture *f, const struct tool *tool, const char *args)
{
	struct fixture_call c = { f, tool, args };

	f->result = (struct tool_result){ 0 };
	f->err = (struct ch_err){ 0 };
	fiber_spawn(f->loop, "tool", FIBER_DETACHED, fixture_fiber, &c);
	loop_run(f->loop);
	f->text = json_str(json_path(f->result.content, "0.text"));
	if (f->st)
		f->text = f->err.text;
	return f->st;
}

#endif
