/*
 * fuzz_mention.c - patterns of mentions, and our name in front of a text.
 *
 * Input   the pattern, a NUL, the text.
 * Holds   what the checker lets through ends within the limits of core/regex, compiled or refused; the stripped text is the end
 *         of the one that came in, but for a command's own name.
 */
#include <string.h>

#include "channels/gate.h"
#include "channels/mention.h"
#include "core/arena.h"
#include "core/mem.h"
#include "core/str.h"
#include "fuzz.h"

static bool is_end_of(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return m <= n && !strcmp(text + n - m, end);
}

static void match(const char *pattern, const char *text)
{
	CH_AUTO(chan_gate_free) struct chan_gate *gate = chan_gate_new();
	const struct regex *re = chan_gate_pattern(gate, pattern);
	size_t start = 0, end = 0;

	FUZZ_ASSERT(!re || !mention_pattern_check(pattern, NULL));
	if (re && regex_find(re, text, strlen(text), 0, &start, &end) == CH_OK)
		FUZZ_ASSERT(start <= end && end <= strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *pattern = arena_strndup(a, (const char *)data, size), *rest;
	size_t n = strlen(pattern);
	const char *text = n < size ? arena_strndup(a, (const char *)data + n + 1, size - n - 1) : "";

	match(pattern, text);
	rest = mention_strip(a, text, "U500", "clawbot");
	FUZZ_ASSERT(is_end_of(text, rest) || *rest == '/');
	return 0;
}
