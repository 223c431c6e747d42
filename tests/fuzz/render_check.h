/*
 * render_check.h - is a text what its network would take? For fuzz_render and channels/test_render.
 *
 * Telegram  tags of the Bot API, balanced, in the nesting it allows; the four entities; no other "<", ">", "&".
 * Slack     links and mentions whole, the three entities, nothing that rings a room.
 * Discord   fences closed, nothing that rings a room.
 */
#ifndef CH_TESTS_RENDER_CHECK_H
#define CH_TESTS_RENDER_CHECK_H

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "channels/render.h"
#include "core/str.h"

static inline bool check_entity(const char *s, const char *const *known, size_t *ret_len)
{
	for (size_t i = 0; known[i]; i++) {
		if (strncmp(s, known[i], strlen(known[i])) == 0) {
			*ret_len = strlen(known[i]);
			return true;
		}
	}
	return false;
}

/* One tag of Telegram at s: pushes it to or pops it from the stack of first letters. NULL: right. */
static inline const char *check_tag(const char *s, const char *end, char *stack, size_t *depth)
{
	static const struct { const char *open, *close; char letter; } tags[] = {
		{ "<b>", "</b>", 'b' }, { "<i>", "</i>", 'i' }, { "<u>", "</u>", 'u' }, { "<s>", "</s>", 's' },
		{ "<tg-spoiler>", "</tg-spoiler>", 't' }, { "<code>", "</code>", 'c' }, { "<pre>", "</pre>", 'p' },
		{ "<blockquote>", "</blockquote>", 'q' }, { "<a href=\"", "</a>", 'a' }, { "<code class=\"language-", NULL, 'c' },
	};
	size_t n = (size_t)(end - s) + 1;

	for (size_t i = 0; i < CH_ARRAY_LEN(tags); i++) {
		bool has_value = strchr(tags[i].open, '"') != NULL;

		if (tags[i].close && n == strlen(tags[i].close) && !memcmp(s, tags[i].close, n)) {
			if (!*depth || stack[*depth - 1] != tags[i].letter)
				return "a tag is closed that is not the last one opened";
			--*depth;
			return NULL;
		}
		if (has_value ? strncmp(s, tags[i].open, strlen(tags[i].open)) || end[-1] != '"'
			      : n != strlen(tags[i].open) || memcmp(s, tags[i].open, n))
			continue;
		for (size_t k = 0; k < *depth; k++) {
			if (stack[k] == 'c' || (stack[k] == 'p' && !(has_value && tags[i].letter == 'c' && k == *depth - 1)))
				return "a tag within code";
			if (stack[k] == tags[i].letter)
				return "a tag within its like";
		}
		if ((tags[i].letter == 'c' || tags[i].letter == 'p') && *depth && stack[*depth - 1] != 'q' && stack[*depth - 1] != 'p')
			return "code within a style";
		stack[(*depth)++] = tags[i].letter;
		return NULL;
	}
	return "a tag that Telegram does not know";
}

static inline const char *check_telegram(const char *s)
{
	static const char *const entities[] = { "&lt;", "&gt;", "&amp;", "&quot;", NULL };
	char stack[16];
	size_t depth = 0, len;

	for (; *s; s++) {
		if (*s == '&') {
			if (!check_entity(s, entities, &len))
				return "a bare &";
			s += len - 1;
		} else if (*s == '<') {
			const char *end = strchr(s, '>'), *why;

			if (!end)
				return "a tag without an end";
			why = check_tag(s, end, stack, &depth);
			if (why)
				return why;
			if (depth >= sizeof(stack))
				return "tags too deep";
			s = end;
		} else if (*s == '>') {
			return "a bare >";
		}
	}
	return depth ? "a tag is not closed" : NULL;
}

static inline const char *check_slack(const char *s)
{
	static const char *const entities[] = { "&lt;", "&gt;", "&amp;", NULL };
	static const char *const tokens[] = { "http://", "https://", "mailto:", "tg://", "@U", "@W", "#C", "#G", NULL };
	size_t len;

	for (; *s; s++) {
		if (*s == '&') {
			if (!check_entity(s, entities, &len))
				return "a bare &";
			s += len - 1;
		} else if (*s == '<') {
			const char *end = strpbrk(s + 1, "<>\n");
			bool is_known = false;

			for (size_t i = 0; tokens[i]; i++)
				is_known |= strncasecmp(s + 1, tokens[i], strlen(tokens[i])) == 0;
			if (!end || *end != '>' || !is_known)
				return "a token that is none";
			s = end;
		}
	}
	return NULL;
}

static inline const char *check_discord(const char *s)
{
	bool in_fence = false, in_code = false;

	for (; *s; s++) {
		if (*s == '\\' && !in_fence && !in_code && s[1]) {
			s++;
		} else if (strncmp(s, "```", 3) == 0 && !in_code) {
			in_fence = !in_fence;
			s += 2;
		} else if (*s == '`' && !in_fence) {
			in_code = !in_code;
		} else if (!in_fence && !in_code && (!strncmp(s, "@everyone", 9) || !strncmp(s, "@here", 5))) {
			return "a mention of everybody";
		}
	}
	return in_fence ? "a fence is not closed" : in_code ? "code is not closed" : NULL;
}

/* NULL: the network would take it. */
static inline const char *render_check(enum chan_flavour flavour, const char *text)
{
	if (!utf8_valid(text, strlen(text)))
		return "not UTF-8";
	switch (flavour) {
	case CHAN_TELEGRAM_HTML:
		return check_telegram(text);
	case CHAN_SLACK_MRKDWN:
		return check_slack(text);
	case CHAN_DISCORD_MD:
		return check_discord(text);
	default:
		return NULL;
	}
}

static inline bool check_is_letter(const char *s)
{
	return (*s | 32) - 'a' < 26u && (*s | 32) >= 'a';
}

/* Are all letters of `whole` in the parts, in their order? (Table heads come again, so there may be more.) */
static inline bool render_check_nothing_lost(const char *whole, const struct render_part *parts, size_t count)
{
	size_t part = 0;
	const char *at = count ? parts[0].plain : "";

	for (const char *s = whole; *s; s++) {
		if (!check_is_letter(s))
			continue;
		while (part < count && *at != *s) {
			if (*at)
				at++;
			else if (++part < count)
				at = parts[part].plain;
		}
		if (part >= count)
			return false;
		at++;
	}
	return true;
}

#endif
