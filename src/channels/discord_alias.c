/*
 * channels/discord_alias.c - mentionAliases: handles of the configuration as mentions that ping. "@everyone" is none, code is left
 * alone.
 */
#include "channels/discord_send.h"

#include <ctype.h>
#include <string.h>

#include "core/str.h"

static bool is_handle_byte(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '-' || c == '.' || (unsigned char)c >= 0x80;
}

/* The id behind a handle; NULL: there is none. Dots at the end belong to the sentence. */
static const char *find_alias(const struct json *aliases, const char *s, size_t *n)
{
	while (*n && s[*n - 1] == '.')
		(*n)--;
	json_each(alias, aliases)
		if (alias->key_len == *n && *n && !strncasecmp(alias->key, s, *n) && discord_is_id(json_str(alias)))
			return json_str(alias);
	return NULL;
}

static bool add_user(struct discord_text *t, const char *id)
{
	for (size_t i = 0; i < t->user_count; i++)
		if (str_eq(t->users[i], id))
			return true;
	if (t->user_count == DISCORD_ALIASES_MAX)
		return false;
	t->users[t->user_count++] = id;
	return true;
}

/* How long a run of backquotes and what it encloses is; 0: it is not closed. */
static size_t code_len(const char *s)
{
	size_t ticks = strspn(s, "`");

	for (const char *at = s + ticks; (at = strchr(at, '`'));) {
		size_t n = strspn(at, "`");

		if (n == ticks)
			return (size_t)(at - s) + n;
		at += n;
	}
	return 0;
}

void discord_aliases(struct arena *a, const struct chan_cfg *cfg, const char *text, struct discord_text *ret)
{
	const struct json *aliases = chan_cfg_get(cfg, "mentionAliases");
	CH_AUTO_BUF struct buf out = { .max_bytes = DISCORD_TEXT_MAX * 4 };
	struct discord_text t = { .text = text };
	size_t i = 0;

	*ret = t;
	if (!json_len(aliases))
		return;
	while (text[i]) {
		size_t n = text[i] == '`' ? code_len(text + i) : 0, len = 0;
		const char *id = NULL;

		if (!n && text[i] == '@' && (!i || !is_handle_byte(text[i - 1]))) {
			while (is_handle_byte(text[i + 1 + len]))
				len++;
			id = find_alias(aliases, text + i + 1, &len);
		}
		if (id && add_user(&t, id)) {
			buf_printf(&out, "<@%s>", id);
			i += len + 1;
			continue;
		}
		n = n ? n : text[i] == '`' ? strspn(text + i, "`") : 1;
		buf_append(&out, text + i, n);
		i += n;
	}
	/* A text that became too long is sent as it was. */
	if (!t.user_count || out.failed || out.len > DISCORD_TEXT_MAX)
		return;
	t.text = arena_strdup(a, buf_str(&out));
	*ret = t;
}
