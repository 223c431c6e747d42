/*
 * core/image.c - PNG, JPEG, GIF and WebP by their first bytes.
 */
#include "core/image.h"

#include <string.h>

struct magic { const char *bytes; size_t len, at; const char *mime; };

static const struct magic magics[] = {
	{ "\x89PNG\r\n\x1a\n", 8, 0, "image/png" },
	{ "\xff\xd8\xff", 3, 0, "image/jpeg" },
	{ "GIF87a", 6, 0, "image/gif" },
	{ "GIF89a", 6, 0, "image/gif" },
	{ "WEBP", 4, 8, "image/webp" },
};

const char *image_mime(const void *p, size_t n)
{
	const char *bytes = p;

	for (size_t i = 0; i < CH_ARRAY_LEN(magics); i++) {
		const struct magic *m = &magics[i];

		if (n >= m->at + m->len && !memcmp(bytes + m->at, m->bytes, m->len))
			return m->mime;
	}
	return NULL;
}
