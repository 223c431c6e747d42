/*
 * fuzz_user_manifest.c - manifests of user tools: what passes has a schema that arguments can be checked against.
 */
#include "fuzz.h"

#include <string.h>

#include "core/json.h"
#include "core/str.h"
#include "tools/user_manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = NULL;
	struct user_manifest m = { 0 };
	struct ch_err err = { 0 };
	static const char sample[] = "{\"a\":1,\"b\":[{}],\"c\":\"x\"}";
	struct json *args = NULL;

	if (size > USER_MANIFEST_MAX)
		return 0;
	a = arena_new(16u << 20);
	if (user_manifest_parse(a, (const char *)data, size, "tool", &m, &err)) {
		FUZZ_ASSERT(err.text[0]);
		return 0;
	}
	FUZZ_ASSERT(m.program[0] && !strchr(m.program, '/') && m.program[0] != '.');
	FUZZ_ASSERT(m.timeout_ms >= 1000 && m.description[0]);
	/* The checker trusts schemas that passed; any word that it does not know would abort here. */
	const struct tool t = { .name = m.name, .schema_json = m.schema_json };

	FUZZ_ASSERT(json_parse(a, sample, sizeof(sample) - 1, JSON_STRICT, &args, NULL) == CH_OK);
	(void)!tool_check_args(&t, args, &err);
	return 0;
}
