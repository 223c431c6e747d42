/*
 * reexec.c - in each test program: what it is when the code under test starts itself as a helper (exec/helpers.h).
 */
#include <stdlib.h>

#include "exec/helpers.h"

/* glibc gives main()'s arguments to constructors. */
__attribute__((constructor)) static void become_helper(int argc, char **argv)
{
	int code;

	if (exec_helper_main(argc, argv, &code))
		_Exit(code);
}
