/*
 * temp_dir.h - a directory of a test's own, gone afterwards with all that is in it.
 *
 *	char dir[TEMP_DIR_MAX];
 *	temp_dir_make(dir, "topic");
 *	temp_dir_remove(dir);
 */
#ifndef CH_TESTS_TEMP_DIR_H
#define CH_TESTS_TEMP_DIR_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/auto.h"
#include "core/err.h"

#define TEMP_DIR_MAX 32

static inline void temp_dir_make(char dir[TEMP_DIR_MAX], const char *topic)
{
	snprintf(dir, TEMP_DIR_MAX, "/tmp/chela-%s-XXXXXX", topic);
	CH_BUG_ON(!mkdtemp(dir));
}

/* By rm: a test may make paths that are too long to be named in one call. */
static inline void temp_dir_remove(const char *dir)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execl("/bin/rm", "rm", "-rf", "--", dir, NULL);
		_exit(127);
	}
	CH_BUG_ON(pid < 0 || waitpid(pid, &status, 0) != pid || status);
}

#endif
