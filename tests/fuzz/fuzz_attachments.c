/*
 * Attachments of a message: any JSON array. What is taken is a picture by its bytes or text; the rest is refused
 * with a reason.
 */
#include "fuzz.h"

#include "core/str.h"
#include "gateway/attachments.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *a = arena_new(0);
	struct json *given, *images;
	const char *text;
	struct ch_err err = { 0 };
	ch_status st;

	if (json_parse(a, (const char *)data, size, JSON_STRICT, &given, NULL) || !json_is(given, JSON_ARR)) {
		arena_unref(a);
		return 0;
	}
	st = attachments_take(a, given, "text", &images, &text, &err);
	if (st) {
		FUZZ_ASSERT(err.text[0] && utf8_valid(err.text, strlen(err.text)));
	} else {
		FUZZ_ASSERT(str_starts(text, "text") && utf8_valid(text, strlen(text)));
		json_each(image, images)
			FUZZ_ASSERT(str_starts(json_get_str(image, "mimeType"), "image/") && json_get_str(image, "content"));
	}
	arena_unref(a);
	return 0;
}
