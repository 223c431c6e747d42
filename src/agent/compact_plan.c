/*
 * agent/compact_plan.c - which messages a summary replaces.
 */
#include "agent/compact.h"

/* Where a turn begins that has itself and all behind it within both limits; len: none does. */
static size_t whole_turns(const struct history *h, int64_t keep_tokens, int64_t keep_turns, int64_t max_tokens)
{
	size_t len = history_len(h), start = len;
	int64_t sum = 0, turns = 0;

	for (size_t i = len; i-- > 0;) {
		sum += history_tokens(h, i, i + 1);
		if (sum > max_tokens || (sum > keep_tokens && turns >= keep_turns))
			break;
		if (!history_starts_turn(h, i))
			continue;
		turns++;
		start = i;
	}
	return start;
}

/* The last turn is too long to be kept whole: its newest part, at least one message. */
static size_t part_of_turn(const struct history *h, int64_t keep_tokens)
{
	size_t len = history_len(h), start = len, last = 0;
	int64_t sum = 0;

	for (size_t i = 0; i < len; i = last + 1) {
		last = history_next_begin(h, i);
		if (last < len)
			start = last;
	}
	for (size_t i = len; i-- > 0;) {
		sum += history_tokens(h, i, i + 1);
		if (sum > keep_tokens)
			break;
		if (history_next_begin(h, i) == i)
			start = CH_MIN(start, i);
	}
	return start;
}

size_t compact_plan(const struct history *h, int64_t keep_tokens, int64_t keep_turns, int64_t max_tokens)
{
	size_t start = whole_turns(h, CH_MIN(keep_tokens, max_tokens), CH_MAX(keep_turns, 1), max_tokens);

	if (start == history_len(h))
		start = part_of_turn(h, CH_MIN(keep_tokens, max_tokens));
	return start == history_len(h) ? 0 : start;
}
