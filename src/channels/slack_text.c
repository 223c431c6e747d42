/*
 * channels/slack_text.c - Slack's text to plain text: <@U1>, <#C1|room>, <!here>, <https://…|label>, &amp;.
 *
 * What is in angle brackets was put there by Slack: people's own brackets come as &lt; and &gt;. Names are looked up by the
 * caller; a mention whose name is not known keeps its id. No I/O but through struct slack_known.
 */
#include "channels/slack.h"

#include <string.h>

#include "core/str.h"

#define ID_MIN 9                         /* Slack's ids; shorter ones must have a digit, so that words are none */

bool slack_is_id(const char *text, const char *letters)
{
	bool has_digit = false;
	size_t n = 0;

	if (!text || !*text || !strchr(letters, *text))
		return false;
	for (; text[n]; n++) {
		const char c = text[n];

		if (!((c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9')))
			return false;
		has_digit = has_digit || c <= '9';
	}
	return n >= 2 && n <= CHAN_ID_MAX && (has_digit || n >= ID_MIN);
}

int64_t slack_ts_ms(const char *ts)
{
	int64_t s = 0, ms = 0;
	size_t i = 0;

	if (!ts)
		return 0;
	for (; ts[i] >= '0' && ts[i] <= '9'; i++) {
		if (i >= 12)
			return 0;
		s = s * 10 + (ts[i] - '0');
	}
	if (!i || ts[i] != '.')
		return 0;
	for (size_t k = 1; k <= 3; k++) {
		const char c = ts[i + k];

		if (c < '0' || c > '9')
			return 0;
		ms = ms * 10 + (c - '0');
	}
	return s * 1000 + ms;
}

/* -- entities -- */

static size_t put_entity(struct buf *out, const char *p)
{
	static const struct { const char *name; char c; } entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' } };

	for (size_t i = 0; i < CH_ARRAY_LEN(entities); i++)
		if (str_starts(p, entities[i].name)) {
			buf_putc(out, entities[i].c);
			return strlen(entities[i].name);
		}
	buf_putc(out, *p);
	return 1;
}

static void put_unescaped(struct buf *out, const char *s)
{
	while (*s)
		s += put_entity(out, s);
}

/* -- what is in angle brackets -- */

struct plain {
	const struct slack_known *known;
	struct arena *a;
	struct buf *out;
	bool has_self, has_others;
};

/* Names are their owners' to choose: one line, whatever they hold. */
static void put_name(struct buf *out, const char *name)
{
	for (; *name; name++)
		buf_putc(out, (unsigned char)*name < ' ' || *name == 0x7f ? ' ' : *name);
}

static void put_user(struct plain *p, const char *id, const char *label)
{
	const char *name = NULL;

	if (str_eq(id, p->known->self_id)) {
		p->has_self = true;
		name = p->known->self_name;
	} else {
		p->has_others = true;
		name = p->known->user_name ? p->known->user_name(p->known->arg, id) : NULL;
		if (!name || !*name)
			name = label;
	}
	buf_putc(p->out, '@');
	put_name(p->out, name && *name ? name : id);
}

/* "!here", "!subteam^S1|@team", "!date^123^{date}|yesterday" */
static void put_special(struct plain *p, const char *what, const char *label)
{
	if (str_starts(what, "subteam^")) {
		p->has_others = true;
		buf_printf(p->out, "@%s", label ? label + (*label == '@') : what + strlen("subteam^"));
		return;
	}
	if (str_eq(what, "here") || str_eq(what, "channel") || str_eq(what, "everyone"))
		buf_printf(p->out, "@%s", what);
	else
		put_unescaped(p->out, label ? label : what);
}

static void put_link(struct plain *p, const char *url, const char *label)
{
	const char *bare = str_starts(url, "mailto:") ? url + strlen("mailto:") : url;

	if (label && !str_eq(label, bare) && !str_eq(label, url)) {
		put_unescaped(p->out, label);
		buf_puts(p->out, " (");
		put_unescaped(p->out, bare);
		buf_putc(p->out, ')');
		return;
	}
	put_unescaped(p->out, bare);
}

static void put_bracket(struct plain *p, const char *text, size_t n)
{
	char *inner = arena_strndup(p->a, text, n), *label = strchr(inner, '|');
	const char *name = NULL;

	if (label)
		*label++ = '\0';
	switch (*inner) {
	case '@': put_user(p, inner + 1, label); break;
	case '#':
		if (str_empty(label) && p->known->room_kind)
			(void)p->known->room_kind(p->known->arg, inner + 1, CHAN_CHANNEL, &name);
		buf_printf(p->out, "#%s", !str_empty(label) ? label : name ? name : inner + 1);
		break;
	case '!': put_special(p, inner + 1, label); break;
	default: put_link(p, inner, label);
	}
}

/* Mentions and addresses; anything else is text. */
static bool is_bracket(const char *inner, const char *end)
{
	return end > inner && (strchr("@#!", *inner) || memchr(inner, ':', (size_t)(end - inner)));
}

const char *slack_plain(const char *text, const struct slack_known *known, struct arena *a, bool *ret_self, bool *ret_others)
{
	/* Names and labels may make it longer; what is too long is cut by the core. */
	CH_AUTO_BUF struct buf out = { .max_bytes = 4 * CHAN_TEXT_MAX };
	struct plain p = { .known = known, .a = a, .out = &out };

	for (const char *s = text; *s; ) {
		const char *end = *s == '<' ? strpbrk(s + 1, "<>\n") : NULL;

		if (end && *end == '>' && is_bracket(s + 1, end)) {
			put_bracket(&p, s + 1, (size_t)(end - s - 1));
			s = end + 1;
			continue;
		}
		s += put_entity(&out, s);
	}
	*ret_self = p.has_self;
	*ret_others = p.has_others;
	return arena_strdup(a, buf_str(&out));
}
