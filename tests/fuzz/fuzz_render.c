/*
 * fuzz_render.c - any Markdown, in any flavour, cut to any size: valid parts, none too long, nothing lost; and the tags of a reply.
 *
 * The first six bytes choose flavour, unit, tables, sizes; the rest is the message.
 */
#include <stdlib.h>
#include <string.h>

#include "channels/render.h"
#include "fuzz.h"
#include "render_check.h"

static struct render_opts choose(const uint8_t *data)
{
	return (struct render_opts){
		.flavour = (enum chan_flavour)(data[0] & 3),
		.unit = (enum chan_unit)((data[0] >> 2 & 3) % 3),
		.by_paragraph = data[0] & 16,
		.tables = (enum render_tables)(data[1] % 5),
		.text_max = RENDER_TEXT_MIN + data[2] * (data[1] & 128 ? 16 : 1),
		.first_max = data[3] & 1 ? RENDER_TEXT_MIN + data[3] : 0,
		.lines_max = data[4] & 1 ? 5 + (data[4] >> 1) : 0,
	};
}

static void say(const char *why, const char *text)
{
	if (why)
		fprintf(stderr, "%s:\n%s\n", why, text);
	FUZZ_ASSERT(!why);
}

static int count_lines(const char *s)
{
	int n = 1;

	for (; *s; s++)
		n += *s == '\n';
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct render_part *parts = NULL, *whole = NULL;
	size_t count = 0, whole_count = 0;
	struct render_opts opts, wide;
	struct render_tags tags;

	if (size < 6)
		return 0;
	opts = choose(data);
	data += 6;
	size -= 6;
	FUZZ_ASSERT(render_message(a, (const char *)data, size, &opts, &parts, &count, NULL) == CH_OK);
	for (size_t i = 0; i < count; i++) {
		size_t max = (size_t)(i == 0 && opts.first_max ? opts.first_max : opts.text_max);

		FUZZ_ASSERT(*parts[i].text);
		say(render_check(opts.flavour, parts[i].text), parts[i].text);
		say(render_check(CHAN_PLAIN, parts[i].plain), parts[i].plain);
		say(render_len(parts[i].text, strlen(parts[i].text), opts.unit) > max ? "too long" : NULL, parts[i].text);
		say(render_len(parts[i].plain, strlen(parts[i].plain), opts.unit) > max ? "plain too long" : NULL, parts[i].plain);
		say(opts.lines_max && count_lines(parts[i].text) > opts.lines_max ? "too many lines" : NULL, parts[i].text);
	}
	wide = opts;
	wide.text_max = 1 << 28;
	wide.first_max = wide.lines_max = 0;
	FUZZ_ASSERT(render_message(a, (const char *)data, size, &wide, &whole, &whole_count, NULL) == CH_OK);
	FUZZ_ASSERT(whole_count <= 1 && !whole_count == !count);
	if (whole_count)
		say(render_check_nothing_lost(whole[0].plain, parts, count) ? NULL : "something is lost", whole[0].plain);
	render_tags(a, (const char *)data, size, &tags);
	FUZZ_ASSERT(strlen(tags.text) <= size);
	return 0;
}
