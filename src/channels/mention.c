/*
 * channels/mention.c - see mention.h.
 */
#include "channels/mention.h"

#include <ctype.h>
#include <string.h>

#include "core/str.h"

#define GROUPS_MAX 32            /* of one pattern, within each other */
#define WORD_CHAR "[\\p{L}\\p{N}\\p{M}_]"

/* ---- is a pattern safe? ---- */

/* Reading one expression: what each open group holds. */
struct scan {
	const char *at;
	bool repeats[GROUPS_MAX + 1];    /* something in this group is repeated; [0] is the whole */
	int depth;
	bool last_repeats;               /* what was just read is a group that holds a repetition */
	bool has_last;                   /* there is something that a quantifier can stand behind */
};

/* Past a class "[…]"; NULL: it does not end. */
static const char *skip_class(const char *s)
{
	for (s++; *s && *s != ']'; s++)
		if (*s == '\\' && s[1])
			s++;
	return *s ? s : NULL;
}

/* What may follow "(?"; gives what is past it, NULL: not JavaScript's. */
static const char *skip_group_head(const char *s)
{
	static const char *const heads[] = { ":", "=", "!", "<=", "<!" };

	for (size_t i = 0; i < CH_ARRAY_LEN(heads); i++)
		if (str_starts(s, heads[i]))
			return s + strlen(heads[i]);
	if (*s != '<' || !isalpha((unsigned char)s[1]))
		return NULL;
	for (s++; isalnum((unsigned char)*s) || *s == '_'; s++)
		;
	return *s == '>' ? s + 1 : NULL;
}

/* A quantifier at s: its length, 0 when there is none; *ret_many: it can repeat more than once. */
static size_t quantifier(const char *s, bool *ret_many)
{
	size_t n = 0;

	*ret_many = *s == '*' || *s == '+';
	if (*s == '*' || *s == '+' || *s == '?') {
		n = 1;
	} else if (*s == '{' && isdigit((unsigned char)s[1])) {
		size_t digits = strspn(s + 1, "0123456789"), more;

		n = 1 + digits;
		*ret_many = digits > 1 || s[1] > '1';
		if (s[n] == ',') {
			more = strspn(s + n + 1, "0123456789");
			*ret_many |= more != 1 || s[n + 1] > '1';
			n += 1 + more;
		}
		n = s[n] == '}' ? n + 1 : 0;
		*ret_many &= n > 0;
	}
	return n && (s[n] == '?' || s[n] == '+') ? n + 1 : n;    /* lazy, possessive */
}

static ch_status open_group(struct scan *s, struct ch_err *err)
{
	if (s->at[1] == '*')
		return ch_fail(err, CH_E_INVALID, "it begins a group with \"(*\"");
	if (s->depth == GROUPS_MAX)
		return ch_fail(err, CH_E_INVALID, "more than %d groups within each other", GROUPS_MAX);
	s->repeats[++s->depth] = false;
	s->has_last = false;
	s->at++;
	if (*s->at == '?') {
		s->at = skip_group_head(s->at + 1);
		if (!s->at)
			return ch_fail(err, CH_E_INVALID, "it has a group that is not one of (?: (?= (?! (?<= (?<! (?<name>");
	}
	return CH_OK;
}

static ch_status close_group(struct scan *s, struct ch_err *err)
{
	if (!s->depth)
		return ch_fail(err, CH_E_INVALID, "it closes a group that was not opened");
	s->last_repeats = s->repeats[s->depth--];
	s->repeats[s->depth] |= s->last_repeats;
	s->has_last = true;
	s->at++;
	return CH_OK;
}

static ch_status repeat(struct scan *s, size_t len, bool is_many, struct ch_err *err)
{
	if (!s->has_last)
		return ch_fail(err, CH_E_INVALID, "it repeats nothing");
	if (is_many && s->last_repeats)
		return ch_fail(err, CH_E_INVALID, "it repeats what holds a repetition, which can take for ever");
	s->repeats[s->depth] |= is_many;
	s->has_last = false;
	s->at += len;
	return CH_OK;
}

static ch_status step(struct scan *s, struct ch_err *err)
{
	bool is_many;
	size_t len = quantifier(s->at, &is_many);

	if (len)
		return repeat(s, len, is_many, err);
	if (*s->at == '(')
		return open_group(s, err);
	if (*s->at == ')')
		return close_group(s, err);
	s->has_last = *s->at != '|' && *s->at != '^';
	s->last_repeats = false;
	if (*s->at == '[') {
		s->at = skip_class(s->at);
		if (!s->at)
			return ch_fail(err, CH_E_INVALID, "its class does not end");
	} else if (*s->at == '\\') {
		s->at++;
		if (!*s->at)
			return ch_fail(err, CH_E_INVALID, "it ends in a backslash");
	}
	s->at++;
	return CH_OK;
}

ch_status mention_pattern_check(const char *pattern, struct ch_err *err)
{
	struct scan s = { .at = pattern };
	ch_status st = CH_OK;

	if (!*pattern)
		return ch_fail(err, CH_E_INVALID, "it is empty and would match everything");
	if (strlen(pattern) > REGEX_PATTERN_MAX)
		return ch_fail(err, CH_E_INVALID, "it has more than %d bytes", REGEX_PATTERN_MAX);
	while (!st && *s.at)
		st = step(&s, err);
	if (!st && s.depth)
		st = ch_fail(err, CH_E_INVALID, "a group does not end");
	return st;
}

/* ---- matching ---- */

/* Each ASCII character that is neither letter nor digit is escaped; runs of white space stand for any. */
static void put_literal(struct buf *out, const char *text)
{
	for (const char *p = text; *p; p++) {
		if (*p == ' ' || *p == '\t') {
			if (p[1] != ' ' && p[1] != '\t')
				buf_puts(out, "\\s+");
			continue;
		}
		if (!((unsigned char)*p & 0x80) && !isalnum((unsigned char)*p))
			buf_putc(out, '\\');
		buf_putc(out, *p);
	}
}

static bool pattern_matches(struct chan_gate *gate, const char *pattern, const char *text, bool *ret_usable)
{
	const struct regex *re = chan_gate_pattern(gate, pattern);

	*ret_usable |= re != NULL;
	return re && regex_find(re, text, strlen(text), 0, NULL, NULL) == CH_OK;
}

/* The name as a word of its own, "@" before it or not; the emoji anywhere. */
static bool identity_matches(const struct mention_of *m, const char *text, struct arena *a, bool *ret_usable)
{
	const char *name = m->name ? str_trim(a, m->name) : NULL, *emoji = m->emoji ? str_trim(a, m->emoji) : NULL;
	CH_AUTO_BUF struct buf pattern = { 0 };
	bool hit = false;

	buf_init(&pattern, REGEX_PATTERN_MAX);
	if (name && *name) {
		buf_puts(&pattern, "(?:@|(?<!" WORD_CHAR "))");
		put_literal(&pattern, name);
		buf_puts(&pattern, "(?!" WORD_CHAR ")");
		hit = !pattern.failed && pattern_matches(m->gate, buf_str(&pattern), text, ret_usable);
	}
	if (emoji && *emoji) {
		*ret_usable = true;
		hit |= strstr(text, emoji) != NULL;
	}
	return hit;
}

static bool list_has(const struct json *list, const char *id)
{
	json_each(v, list)
		if (id && str_eq(json_str(v), id))
			return true;
	return false;
}

/* Do patterns count in this room? */
static bool counts_here(const struct mention_of *m, struct arena *a)
{
	const struct json *scope = chan_cfg_get(m->cfg, "mentionPatterns");
	const struct json *allow = json_get(scope, "allowIn"), *deny = json_get(scope, "denyIn");
	const char *word = m->ops->rooms && m->ops->rooms->thread_word ? m->ops->rooms->thread_word : "thread";
	const char *topic = m->peer->thread ? arena_printf(a, "%s:%s:%s", m->peer->id, word, m->peer->thread) : NULL;

	if (list_has(deny, m->peer->id) || list_has(deny, topic) || list_has(deny, m->peer->parent))
		return false;
	return !str_eq(json_get_str(scope, "mode"), "deny") || list_has(allow, m->peer->id) || list_has(allow, topic) ||
	       list_has(allow, m->peer->parent);
}

static const struct json *configured(const struct mention_of *m, struct arena *a)
{
	const struct json *own = m->agent_id ? config_get(m->config, arena_printf(a,
				"agents.entries[\"%s\"].groupChat.mentionPatterns", m->agent_id)) : NULL;

	if (!json_is(own, JSON_ARR))
		own = config_get(m->config, "messages.groupChat.mentionPatterns");
	return json_is(own, JSON_ARR) ? own : NULL;
}

enum mention mention_test(const struct mention_of *m, const char *text, struct arena *a)
{
	const struct json *patterns = configured(m, a);
	bool hit = false, is_usable = false;

	if (!counts_here(m, a))
		return MENTION_NO_PATTERNS;
	if (!text)
		text = "";
	if (!patterns)
		hit = identity_matches(m, text, a, &is_usable);
	json_each(p, patterns)
		if (json_str(p) && !hit)
			hit = pattern_matches(m->gate, json_str(p), text, &is_usable);
	return hit ? MENTION_YES : is_usable ? MENTION_NOT : MENTION_NO_PATTERNS;
}

/* ---- our own name in front ---- */

static const char *skip_space(const char *s)
{
	return s + strspn(s, " \t\r\n");
}

/* Past the word, when s begins with it and it ends there; else NULL. Letter case does not count. */
static const char *skip_word(const char *s, const char *word)
{
	size_t n = strlen(word);

	if (!n || strncasecmp(s, word, n) != 0 || isalnum((unsigned char)s[n]) || s[n] == '_')
		return NULL;
	return s + n;
}

/* Past one mention of us at s; NULL: there is none. */
static const char *skip_mention(const char *s, const char *id, const char *username)
{
	const char *past = NULL;

	if (id && str_starts(s, "<@")) {
		size_t n = strlen(id), head = s[2] == '!' ? 3 : 2;

		if (!strncmp(s + head, id, n) && s[head + n] == '>')
			past = s + head + n + 1;
	} else if (!str_empty(username) && *s == '@') {
		past = skip_word(s + 1, username[0] == '@' ? username + 1 : username);
	} else if (!str_empty(username)) {
		past = skip_word(s, username);
		past = past && (*past == ':' || *past == ',') ? past : NULL;     /* a bare name only when it addresses */
	}
	return past && (*past == ':' || *past == ',') ? past + 1 : past;
}

const char *mention_strip(struct arena *a, const char *text, const char *self_id, const char *self_username)
{
	const char *s, *past, *at;

	if (!text)
		return "";
	s = skip_space(text);
	past = skip_mention(s, self_id, self_username);
	s = past ? skip_space(past) : text;
	if (*s != '/' || str_empty(self_username))
		return s;
	at = s + strcspn(s, "@ \t\r\n");
	past = *at == '@' ? skip_word(at + 1, self_username) : NULL;
	return past ? arena_printf(a, "%.*s%s", (int)(at - s), s, past) : s;
}
