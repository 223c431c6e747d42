/*
 * config/secret.c - handles to credentials. Where they come from is in
 * secret_source.c, how they are kept out of sight in redact.c.
 */
#include <string.h>

#include "config/config.h"
#include "core/crypto.h"
#include "core/log.h"
#include "core/mem.h"

struct secret {
	unsigned refs;
	size_t len;
	char value[];
};

/* "https://host:8080/" and nothing more: it may stand where a credential may, and hiding it would break every address there. */
static bool is_plain_address(const char *value)
{
	const char *host = strstr(value, "://");
	size_t n = host ? strcspn(host + 3, "/?#@") : 0;

	return host && (!host[3 + n] || (host[3 + n] == '/' && !host[4 + n]));
}

struct secret *secret_new(const char *value)
{
	size_t len = strlen(value);
	struct secret *s = ch_alloc(sizeof(*s) + len + 1);

	s->refs = 1;
	s->len = len;
	memcpy(s->value, value, len + 1);
	if (!is_plain_address(s->value))
		log_redact(s->value);
	return s;
}

struct secret *secret_ref(struct secret *s)
{
	if (s)
		s->refs++;
	return s;
}

void secret_unref(struct secret *s)
{
	if (!s || --s->refs)
		return;
	if (!is_plain_address(s->value))
		log_redact_forget(s->value);
	ch_free_wipe(s, sizeof(*s) + s->len + 1);
}

const char *secret_reveal(const struct secret *s)
{
	return s ? s->value : NULL;
}

bool secret_equal(const struct secret *s, const char *text)
{
	return s && text && ct_equal(s->value, s->len, text, strlen(text));
}
