/*
 * fuzz_directives.c - what people type: directives in a message, the arguments of /queue, lines of IDENTITY.md.
 *
 * Taking directives out leaves a subsequence of the text, and once more finds what the first time had no room
 * for. A value that was set in IDENTITY.md is what is read there afterwards.
 */
#include <string.h>

#include "agent/agents_edit.h"
#include "agent/command.h"
#include "agent/queue.h"
#include "core/str.h"
#include "fuzz.h"

static bool is_subsequence(const char *part, const char *whole)
{
	for (; *part; part++) {
		whole = strchr(whole, *part);
		if (!whole)
			return false;
		whole++;
	}
	return true;
}

static void directives(struct arena *a, const char *text)
{
	struct directives d;
	const char *args;

	directives_find(a, text, &d);
	FUZZ_ASSERT(d.len <= CH_ARRAY_LEN(d.at));
	FUZZ_ASSERT(is_subsequence(d.rest, text));
	if (!d.len)
		FUZZ_ASSERT(str_eq(d.rest, text));
	for (size_t i = 0; i < d.len; i++) {
		FUZZ_ASSERT(d.at[i].command->flags & SLASH_DIRECTIVE);
		FUZZ_ASSERT(d.at[i].command == &cmd_model || option_value(d.at[i].command, d.at[i].args));
	}
	for (args = text; command_word(a, &args);) {
		/* ends: each word is shorter than what is left */
	}
}

static void queue(struct arena *a, const char *text)
{
	CH_AUTO(config_unref) struct config *none = NULL;
	struct queue_choice c;
	struct sess s = { 0 };
	struct queue_settings q;

	FUZZ_ASSERT(config_parse("{}", 2, NULL, &none, NULL) == CH_OK);
	s.extra = text;          /* whatever stands there is read with care */
	queue_settings_of(none, &s, NULL, &q);
	if (queue_parse(a, text, &c, NULL))
		return;
	FUZZ_ASSERT(!c.has_cap || (c.to.cap >= 1 && c.to.cap <= QUEUE_CAP_MAX));
	FUZZ_ASSERT(!c.has_debounce || (c.to.debounce_ms >= 0 && c.to.debounce_ms <= QUEUE_DEBOUNCE_MAX_MS));
}

static void identity(struct arena *a, const char *text)
{
	const char *set = identity_set(a, text, "Name", "Rex");

	FUZZ_ASSERT(str_eq(identity_get(a, set, "name"), "Rex"));
	identity_get(a, text, "emoji");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *text = arena_strndup(a, (const char *)data, size);

	if (memchr(data, 0, size))
		return 0;
	directives(a, text);
	queue(a, text);
	identity(a, text);
	return 0;
}
