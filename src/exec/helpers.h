/*
 * exec/helpers.h - what this program is when it starts itself: a word that no person types, and what it does then.
 *
 * main() asks before anything else, so that a helper costs no more than loading the program.
 */
#ifndef CH_EXEC_HELPERS_H
#define CH_EXEC_HELPERS_H

#include "core/auto.h"

/* True when argv is a helper's: it has run, *ret_code is the exit code. */
bool exec_helper_main(int argc, char **argv, int *ret_code);

#endif
