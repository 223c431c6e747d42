/*
 * channels/tags.c - what a model says to the core within its reply: see render_tags().
 *
 *	[[reply_to_current]]  [[reply_to: <id>]]  [[audio_as_voice]]  [[silent]]    anywhere outside code; taken out
 *	MEDIA:<path or url>   MEDIA:"<path with spaces>"                          a line of its own outside code; taken out
 *	NO_REPLY                                                                  the whole reply: nothing is to be said
 */
#include "channels/render.h"

#include <string.h>

#include "core/str.h"
#include "core/vec.h"

#define MEDIA_MAX 32                     /* files of one reply; more of such lines stay text */
#define TAG_MAX 320
#define TICKS_MAX 32                     /* more backticks in a row enclose nothing, as for md4c: each length may look through the line */

struct scan {
	struct arena *a;
	struct buf out;
	struct render_tags *tags;
	VEC(const char *) media;
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **s, size_t *n)
{
	while (*n && is_blank(**s)) {
		++*s;
		--*n;
	}
	while (*n && is_blank((*s)[*n - 1]))
		--*n;
}

static bool is_word(const char *s, size_t n, const char *word)
{
	return n == strlen(word) && !strncasecmp(s, word, n);
}

/* What stands between "[[" and "]]"; false: it is not for us. */
static bool take_tag(struct scan *c, const char *s, size_t n)
{
	static const char reply_to[] = "reply_to";
	struct render_tags *tags = c->tags;

	trim(&s, &n);
	if (is_word(s, n, "reply_to_current")) {
		tags->reply_to_current = true;
		return true;
	}
	if (is_word(s, n, "audio_as_voice")) {
		tags->as_voice = true;
		return true;
	}
	if (is_word(s, n, "silent")) {
		tags->is_silent_reply = true;
		return true;
	}
	if (n <= sizeof(reply_to) - 1 || strncasecmp(s, reply_to, sizeof(reply_to) - 1) != 0)
		return false;
	s += sizeof(reply_to) - 1;
	n -= sizeof(reply_to) - 1;
	trim(&s, &n);
	if (!n || *s != ':')
		return false;
	s++;
	n--;
	trim(&s, &n);
	if (!n || n > CHAN_ID_MAX)
		return false;
	tags->reply_to = arena_strndup(c->a, s, n);
	return true;
}

/* The bytes of a run of backticks and what it encloses, or of the run alone when nothing closes it. */
static size_t code_len(const char *s, const char *end)
{
	size_t ticks = 0, run = 0;

	while (s + ticks < end && s[ticks] == '`')
		ticks++;
	if (ticks > TICKS_MAX)
		return ticks;
	for (const char *p = s + ticks; p < end; p++) {
		run = *p == '`' ? run + 1 : 0;
		if (run == ticks && (p + 1 == end || p[1] != '`'))
			return (size_t)(p + 1 - s);
	}
	return ticks;
}

/* What goes on as it is: code, or one character and what follows it up to the next that may begin something. */
static size_t text_len(const char *s, const char *end)
{
	size_t n = 1;

	if (*s == '`')
		return code_len(s, end);
	while (s + n < end && s[n] != '[' && s[n] != '`')
		n++;
	return n;
}

/* A line outside fences, without the tags. true: there were any. */
static bool put_line(struct scan *c, const char *s, const char *end)
{
	bool has_tags = false;

	while (s < end) {
		const char *close = *s == '[' && s + 1 < end && s[1] == '['
					    ? memmem(s + 2, CH_MIN((size_t)(end - s - 2), TAG_MAX), "]]", 2) : NULL;
		size_t n;

		if (close && take_tag(c, s + 2, (size_t)(close - s - 2))) {
			has_tags = true;
			s = close + 2;
			/* One space of the two around it stays. */
			while (s < end && is_blank(*s) && (!c->out.len || is_blank(c->out.data[c->out.len - 1]) ||
							   c->out.data[c->out.len - 1] == '\n'))
				s++;
			continue;
		}
		n = text_len(s, end);
		buf_append(&c->out, s, n);
		s += n;
	}
	return has_tags;
}

static bool take_media(struct scan *c, const char *s, size_t n)
{
	/* Indented further it would be code. */
	if ((n && *s == '\t') || (n > 3 && !memcmp(s, "    ", 4)))
		return false;
	trim(&s, &n);
	if (n <= 6 || strncmp(s, "MEDIA:", 6) != 0 || c->media.len >= MEDIA_MAX)
		return false;
	s += 6;
	n -= 6;
	trim(&s, &n);
	if (n >= 2 && (*s == '"' || *s == '\'') && s[n - 1] == *s) {
		s++;
		n -= 2;
	}
	if (!n || memchr(s, '`', n))
		return false;
	vec_push(&c->media, arena_strndup(c->a, s, n));
	return true;
}

/* The run of backticks or tildes that opens or closes a fence; 0: the line is none. */
static size_t fence_of(const char *s, size_t n, char *ret_char)
{
	size_t ticks = 0;

	trim(&s, &n);
	while (ticks < n && s[ticks] == s[0] && (s[0] == '`' || s[0] == '~'))
		ticks++;
	if (ticks < 3)
		return 0;
	*ret_char = s[0];
	return ticks;
}

static void scan_lines(struct scan *c, const char *reply, size_t len)
{
	const char *end = reply + len;
	size_t fence = 0;
	char fence_char = 0;

	for (const char *s = reply, *next; s < end; s = next) {
		const char *eol = memchr(s, '\n', (size_t)(end - s)), *line_end = eol ? eol : end;
		size_t n = (size_t)(line_end - s), before = c->out.len, ticks;
		char ch = 0;

		next = line_end + (eol != NULL);
		ticks = fence_of(s, n, &ch);
		if (ticks && (!fence || (ch == fence_char && ticks >= fence))) {
			fence_char = ch;
			fence = fence ? 0 : ticks;
			buf_append(&c->out, s, (size_t)(next - s));
		} else if (fence) {
			buf_append(&c->out, s, (size_t)(next - s));
		} else if (!take_media(c, s, n)) {
			bool had_tags = put_line(c, s, line_end);

			/* A line that held nothing but tags is gone with them. */
			if (eol && !(had_tags && c->out.len == before))
				buf_putc(&c->out, '\n');
		}
	}
}

void render_tags(struct arena *a, const char *reply, size_t len, struct render_tags *ret)
{
	struct scan c = { .a = a, .tags = ret, .media = VEC_INIT };
	const char *text, *word, **media;
	size_t n, word_len;

	*ret = (struct render_tags){ 0 };
	buf_init(&c.out, len + 16);
	scan_lines(&c, reply, len);
	text = buf_str(&c.out);
	n = c.out.len;
	while (n && (is_blank(text[n - 1]) || text[n - 1] == '\n'))
		n--;
	while (n && *text == '\n') {
		text++;
		n--;
	}
	word = text;
	word_len = n;
	trim(&word, &word_len);
	if (is_word(word, word_len, "NO_REPLY")) {
		ret->is_silent_reply = true;
		n = 0;
	}
	ret->text = arena_strndup(a, text, n);
	media = arena_alloc(a, (c.media.len + 1) * sizeof(*media));
	if (c.media.len)
		memcpy(media, c.media.at, c.media.len * sizeof(*media));
	ret->media = media;
	ret->media_count = c.media.len;
	vec_done(&c.media);
	buf_done(&c.out);
}
