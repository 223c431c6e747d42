/*
 * What search services answer: any bytes. A hit has an address that can be fetched and lines without control characters.
 * The first byte chooses the service.
 */
#include <string.h>

#include "fuzz.h"

#include "core/str.h"
#include "net/url.h"
#include "web/search_priv.h"

static void check_line(const char *text)
{
	FUZZ_ASSERT(utf8_valid(text, strlen(text)));
	for (; *text; text++)
		FUZZ_ASSERT((unsigned char)*text >= ' ');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct { const struct search_provider *p; const char *config; } services[] = {
		{ &search_brave, "{}" }, { &search_tavily, "{}" }, { &search_searxng, "{}" },
		{ &search_brave, "{plugins:{entries:{brave:{config:{webSearch:{mode:'llm-context'}}}}}}" },
	};
	static struct config *configs[CH_ARRAY_LEN(services)];
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct search_hit hits[SEARCH_COUNT_MAX];
	struct search_in in = { .query = "q" };
	struct search_job job = { .in = &in, .count = SEARCH_COUNT_MAX, .base = "https://x", .a = a };
	size_t which, n = 0;
	struct url u;

	if (!size)
		return 0;
	which = data[0] % CH_ARRAY_LEN(services);
	if (!configs[which])
		FUZZ_ASSERT(!config_parse(services[which].config, strlen(services[which].config), NULL, &configs[which], NULL));
	in.config = configs[which];
	if (services[which].p->parse(&job, (const char *)data + 1, size - 1, hits, &n, NULL))
		return 0;
	FUZZ_ASSERT(n <= SEARCH_COUNT_MAX);
	for (size_t i = 0; i < n; i++) {
		FUZZ_ASSERT(!url_parse(a, hits[i].url, &u, NULL) && str_starts(u.scheme, "http"));
		check_line(hits[i].title);
		check_line(hits[i].snippet ? hits[i].snippet : "");
		check_line(hits[i].published ? hits[i].published : "");
	}
	return 0;
}
