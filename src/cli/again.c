/*
 * cli/again.c - see again.h. The process keeps its id, so a supervisor sees no change.
 */
#include "cli/again.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "core/file.h"
#include "core/mem.h"
#include "core/str.h"
#include "core/vec.h"

#define CMDLINE_MAX (256u << 10)
#define DELETED " (deleted)"             /* the kernel's mark when the file was replaced */

/* On the heap. */
static ch_status own_path(char **ret, struct ch_err *err)
{
	CH_AUTO_STR char *path = ch_alloc(PATH_MAX);
	ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);

	if (n < 0)
		return ch_fail_errno(err, CH_E_IO, errno, "finding our own program");
	path[n] = '\0';
	if (str_ends(path, DELETED))
		path[(size_t)n - strlen(DELETED)] = '\0';
	*ret = CH_TAKE(path);
	return CH_OK;
}

ch_status cli_exec_again(struct ch_err *err)
{
	CH_AUTO_BUF struct buf text = {0};
	VEC(char *) argv = {0};
	CH_AUTO_STR char *path = NULL;
	int failure;
	ch_status st = own_path(&path, err);

	if (!st)
		st = file_read("/proc/self/cmdline", CMDLINE_MAX, &text, err);
	if (st)
		return st;
	for (size_t at = 0; at < text.len; at += strlen(text.data + at) + 1)
		vec_push(&argv, text.data + at);
	vec_push(&argv, NULL);
	execve(path, argv.at, environ);
	failure = errno;
	vec_done(&argv);
	return ch_fail_errno(err, CH_E_IO, failure, "starting %s again", path);
}
