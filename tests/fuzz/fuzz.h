/*
 * fuzz.h - what the targets share. A target is fuzz_<name>.c with one
 * LLVMFuzzerTestOneInput(), seeds in corpus/<name>/ and, where it helps, a
 * dictionary dict/<name>.dict; it gets a row in meson.build.
 */
#ifndef CH_TESTS_FUZZ_H
#define CH_TESTS_FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "core/auto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stays in force with NDEBUG; libFuzzer keeps the input that got here. */
#define FUZZ_ASSERT(cond)                                                                        \
	do {                                                                                     \
		if (!(cond)) {                                                                   \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);               \
			abort();                                                                 \
		}                                                                                \
	} while (0)

#endif
