/*
 * main.c - the program: everything is in the library.
 */
#include "cli/cli.h"
#include "exec/helpers.h"

int main(int argc, char **argv)
{
	int code;

	if (exec_helper_main(argc, argv, &code))
		return code;
	return cli_main(argc, argv);
}
