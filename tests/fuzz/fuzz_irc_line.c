/*
 * IRC: a line of any bytes. What is taken apart stays within the line; text made for people is valid UTF-8 without control bytes;
 * cutting a text gives pieces of at most the wanted length that do not split a character.
 */
#include "fuzz.h"

#include "channels/irc_line.h"
#include "core/clock.h"
#include "core/str.h"

static void check_text(const char *text, struct arena *a)
{
	bool is_action;
	const char *out = irc_text(text, a, &is_action);
	size_t len = out ? strlen(out) : 0;

	if (!out)
		return;
	FUZZ_ASSERT(utf8_valid(out, len));
	for (size_t i = 0; i < len; i++)
		FUZZ_ASSERT((unsigned char)out[i] >= ' ' || out[i] == '\t');
	for (size_t at = 0; at < len;) {
		size_t n = irc_cut(out + at, len - at, 64);

		FUZZ_ASSERT(n > 0 && n <= 64 && at + n <= len && utf8_valid(out + at, n));
		at += n;
	}
	(void)irc_mentions(IRC_RFC1459, out, "chela");
}

/* What is taken for a moment is written as it. */
static void check_time(const char *text)
{
	char iso[CLOCK_ISO_LEN];
	int64_t at_ms;

	if (!text || !irc_time(text, &at_ms))
		return;
	clock_iso(at_ms, iso);
	FUZZ_ASSERT(strncmp(iso, text, 19) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	char *text = arena_strndup(a, (const char *)data, size);
	char *end = text + strlen(text);
	struct irc_line l;

	check_text(text, a);
	if (irc_line_parse(arena_strdup(a, text), &l, NULL))
		return 0;
	FUZZ_ASSERT(*l.command && l.param_count <= IRC_PARAMS_MAX);
	for (size_t i = 0; i < l.param_count; i++) {
		FUZZ_ASSERT(strlen(l.params[i]) <= (size_t)(end - text));
		check_text(l.params[i], a);
	}
	FUZZ_ASSERT(!*irc_param(&l, IRC_PARAMS_MAX));
	(void)irc_tag(&l, "msgid", a);
	check_time(irc_tag(&l, "time", a));
	FUZZ_ASSERT(irc_same(IRC_RFC1459, l.nick, l.nick));
	return 0;
}
