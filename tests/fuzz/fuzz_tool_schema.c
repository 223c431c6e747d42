/*
 * A tool's JSON Schema put into Gemini's words: any text gives an object with
 * a type, of bounded size, however its references lead in circles.
 */
#include "fuzz.h"

#include <string.h>

#include "core/str.h"
#include "models/dialect_google.h"

#define RESULT_MAX ((size_t)4 << 20)
#define ARENA_USE_MAX ((size_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a;
	const struct json *reduced;
	char *text;

	if (size > 2048 || memchr(data, '\0', size))
		return 0;
	a = arena_new(0);
	text = arena_strndup(a, (const char *)data, size);
	reduced = google_schema(a, text);
	FUZZ_ASSERT(json_is(reduced, JSON_OBJ) && json_get(reduced, "type"));
	FUZZ_ASSERT(strlen(json_to_str(a, reduced)) < RESULT_MAX && arena_used(a) < ARENA_USE_MAX);
	arena_unref(a);
	return 0;
}
