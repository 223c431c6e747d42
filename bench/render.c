/*
 * render.c - what it costs to make a reply a network's messages: the fastest of many turns for each flavour, and for the tags of a
 * reply. Without a file: 10 KB as dense as a model writes them (headings, lists, tables, links, styles, code).
 *
 *	ninja -C build bench/render && build/bench/render [file.md]
 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "channels/render.h"
#include "core/file.h"
#include "core/str.h"

#define TURNS 1000
#define DENSE_BYTES 10240

static const struct { const char *name; struct render_opts opts; } flavours[] = {
	{ "plain", { .flavour = CHAN_PLAIN, .unit = CHAN_BYTES, .text_max = 1 << 20 } },
	{ "Telegram", { .flavour = CHAN_TELEGRAM_HTML, .unit = CHAN_UTF16, .text_max = 4000 } },
	{ "Slack", { .flavour = CHAN_SLACK_MRKDWN, .unit = CHAN_CODEPOINTS, .text_max = 8000 } },
	{ "Discord", { .flavour = CHAN_DISCORD_MD, .unit = CHAN_CODEPOINTS, .text_max = 2000 } },
};

/* Processor time of this process. */
static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void put_dense(struct buf *out)
{
	for (int i = 1; out->len < DENSE_BYTES; i++) {
		buf_printf(out, "## %d. The **store** and `row_%d`\n\nEvery *message* is kept — and **answered once**, see "
				"[the notes](https://example.org/notes/%d?a=1&b=2) & https://example.org/%d.\n\n", i, i, i, i);
		buf_printf(out, "- first, the *inbox* with `id < %d`\n- then **the turn**, ~~twice~~ once\n  1. [a](https://x.org/%d)\n", i, i);
		buf_printf(out, "\n| Name | Value | Note |\n|---|---|---|\n| `a_%d` | %d | **told** |\n| b | 2 | [c](https://x.org) |\n", i, i * 7);
		buf_printf(out, "\n> A *quote* of \"two\" <words>\n\n```python\ndef f_%d(x):\n    return x & 3 < 2\n```\n\n", i);
	}
	buf_truncate(out, DENSE_BYTES);
}

static double render_us(const struct buf *text, const struct render_opts *opts, size_t *ret_parts)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const struct render_part *parts;
	double start = now_us();

	if (render_message(a, buf_str(text), text->len, opts, &parts, ret_parts, NULL))
		*ret_parts = 0;
	return now_us() - start;
}

static double tags_us(const struct buf *text)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	struct render_tags tags;
	double start = now_us();

	render_tags(a, buf_str(text), text->len, &tags);
	return now_us() - start;
}

int main(int argc, char **argv)
{
	CH_AUTO_BUF struct buf text = { 0 };
	double best;
	struct ch_err err;
	size_t parts = 0;

	buf_init(&text, RENDER_IN_MAX);
	if (argc < 2) {
		put_dense(&text);
	} else if (file_read(argv[1], RENDER_IN_MAX, &text, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (size_t i = 0; i < CH_ARRAY_LEN(flavours); i++) {
		best = render_us(&text, &flavours[i].opts, &parts);
		for (int turn = 1; turn < TURNS; turn++)
			best = CH_MIN(best, render_us(&text, &flavours[i].opts, &parts));
		printf("| %zu bytes for %s, us | %.0f |\n", text.len, flavours[i].name, best);
	}
	best = tags_us(&text);
	for (int turn = 1; turn < TURNS; turn++)
		best = CH_MIN(best, tags_us(&text));
	printf("| tags of %zu bytes, us | %.0f |\n", text.len, best);
	return 0;
}
