/*
 * Pages: any bytes. What comes out is valid UTF-8 without characters that a reader would not see, in every mode; the
 * addresses of search results can be fetched.
 *
 * The first byte chooses the mode. The input is kept short because libgumbo's tree may be the square of it.
 */
#include <string.h>

#include "fuzz.h"

#include "core/str.h"
#include "net/url.h"
#include "web/charset.h"
#include "web/html.h"

#define INPUT_MAX 6000

static void check_text(const char *text, size_t n)
{
	FUZZ_ASSERT(utf8_valid(text, n));
	while (n) {
		uint32_t cp = 0;
		size_t k = utf8_decode(text, n, &cp);

		FUZZ_ASSERT(k && !html_drops_cp(cp));
		text += k;
		n -= k;
	}
}

static void page(struct arena *a, const struct html_in *in)
{
	struct html_out out = { 0 };

	buf_init(&out.text, HTML_OUT_MAX);
	if (!html_convert(in, a, &out, NULL)) {
		check_text(buf_str(&out.text), out.text.len);
		check_text(out.title, strlen(out.title));
		FUZZ_ASSERT(strlen(out.title) <= HTML_TITLE_MAX + 4 && !strchr(out.title, '\n'));
	}
	buf_done(&out.text);
}

static void results(struct arena *a, const struct html_in *in)
{
	const struct html_hit *hits;
	bool is_challenge;
	struct url u;
	size_t n;

	if (html_duckduckgo(in, a, &hits, &n, &is_challenge, NULL))
		return;
	for (size_t i = 0; i < n; i++) {
		FUZZ_ASSERT(!url_parse(a, hits[i].url, &u, NULL));
		check_text(hits[i].title, strlen(hits[i].title));
		check_text(hits[i].snippet, strlen(hits[i].snippet));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	CH_AUTO_BUF struct buf text = { 0 };
	struct charset_in raw = { .data = (const char *)data + 1, .len = size - 1, .is_html = true };
	struct html_in in = { 0 };
	const char *charset;
	int mode;

	if (!size || size > INPUT_MAX)
		return 0;
	mode = data[0];
	buf_init(&text, 4 * INPUT_MAX);
	if (charset_to_utf8(&raw, &text, &charset, NULL))
		return 0;
	in.text = buf_str(&text);
	in.len = text.len;
	in.is_plain = mode & 1;
	in.is_whole = mode & 2;
	in.url = mode & 4 ? NULL : "https://example.org/a/b?c";
	if (mode & 8)
		results(a, &in);
	else
		page(a, &in);
	return 0;
}
