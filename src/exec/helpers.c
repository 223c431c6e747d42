/*
 * exec/helpers.c - see helpers.h: a helper is a row.
 */
#include "exec/helpers.h"

#include "core/child_guard.h"
#include "core/str.h"
#include "exec/runner.h"
#include "exec/sandbox.h"

static const struct {
	const char *word;
	int (*run)(int argc, char **argv);
} helpers[] = {
	{ CHILD_GUARD_WORD, child_guard_main },
	{ EXEC_RUNNER_WORD, exec_runner_main },
	{ SANDBOX_INSIDE, sandbox_inside_main },
};

bool exec_helper_main(int argc, char **argv, int *ret_code)
{
	for (size_t i = 0; argc > 1 && i < CH_ARRAY_LEN(helpers); i++) {
		if (str_eq(argv[1], helpers[i].word)) {
			*ret_code = helpers[i].run(argc, argv);
			return true;
		}
	}
	return false;
}
