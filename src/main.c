/*
 * main.c - the program: everything is in the library.
 */
#include <string.h>

#include "cli/cli.h"
#include "exec/helpers.h"
#include "web/html_child.h"

int main(int argc, char **argv)
{
	int code;

	if (exec_helper_main(argc, argv, &code))
		return code;
	/* Ourselves, re-executed for one page: before anything of the command line is set up. */
	if (argc == 2 && strcmp(argv[1], HTML_CHILD_ARG) == 0)
		return html_child_main();
	return cli_main(argc, argv);
}
