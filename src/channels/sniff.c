/*
 * channels/sniff.c - see sniff.h.
 */
#include "channels/sniff.h"

#include <string.h>

#include "core/image.h"
#include "core/str.h"

struct magic { size_t at, len; const char *bytes; const char *mime; };

static const struct magic magics[] = {
	{ 0, 5, "%PDF-", "application/pdf" },
	{ 0, 4, "OggS", "audio/ogg" },
	{ 0, 4, "fLaC", "audio/flac" },
	{ 0, 3, "ID3", "audio/mpeg" },
	{ 0, 2, "\xff\xfb", "audio/mpeg" },
	{ 0, 2, "\xff\xf3", "audio/mpeg" },
	{ 0, 2, "\xff\xf1", "audio/aac" },
	{ 0, 2, "\xff\xf9", "audio/aac" },
	{ 8, 4, "WAVE", "audio/wav" },
	{ 8, 4, "AVI ", "video/x-msvideo" },
	{ 4, 8, "ftypM4A ", "audio/mp4" },
	{ 4, 8, "ftypqt  ", "video/quicktime" },
	{ 4, 8, "ftypheic", "image/heic" },
	{ 4, 8, "ftypavif", "image/avif" },
	{ 4, 4, "ftyp", "video/mp4" },
	{ 0, 4, "\x1a\x45\xdf\xa3", "video/webm" },
	{ 0, 2, "\x1f\x8b", "application/gzip" },
	{ 0, 6, "7z\xbc\xaf\x27\x1c", "application/x-7z-compressed" },
	{ 0, 4, "PK\x03\x04", "application/zip" },
	{ 0, 4, "II*\0", "image/tiff" },
	{ 0, 4, "MM\0*", "image/tiff" },
};

/* Types of documents, which bytes alone do not tell apart. */
static const struct { const char *extension, *mime; bool is_zip; } documents[] = {
	{ ".csv", "text/csv", false },
	{ ".docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document", true },
	{ ".epub", "application/epub+zip", true },
	{ ".html", "text/html", false },
	{ ".json", "application/json", false },
	{ ".md", "text/markdown", false },
	{ ".odt", "application/vnd.oasis.opendocument.text", true },
	{ ".pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation", true },
	{ ".svg", "image/svg+xml", false },
	{ ".txt", "text/plain", false },
	{ ".xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", true },
	{ ".xml", "application/xml", false },
};

static const struct { const char *mime, *extension; } extensions[] = {
	{ "application/gzip", ".gz" }, { "application/pdf", ".pdf" }, { "application/zip", ".zip" }, { "audio/aac", ".aac" },
	{ "audio/flac", ".flac" }, { "audio/mp4", ".m4a" }, { "audio/mpeg", ".mp3" }, { "audio/ogg", ".ogg" },
	{ "audio/wav", ".wav" }, { "image/gif", ".gif" }, { "image/jpeg", ".jpg" }, { "image/png", ".png" },
	{ "image/webp", ".webp" }, { "video/mp4", ".mp4" }, { "video/quicktime", ".mov" }, { "video/webm", ".webm" },
};

static const char *by_magic(const char *p, size_t n)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(magics); i++) {
		const struct magic *m = &magics[i];

		if (n >= m->at + m->len && memcmp(p + m->at, m->bytes, m->len) == 0)
			return m->mime;
	}
	return NULL;
}

/* A document of that name, or of that claimed type. */
static const char *document(const char *name, const char *claimed, bool is_zip)
{
	size_t len = name ? strlen(name) : 0;

	for (size_t i = 0; i < CH_ARRAY_LEN(documents); i++) {
		size_t n = strlen(documents[i].extension);
		bool is_named = len > n && str_ieq(name + len - n, documents[i].extension);

		if (documents[i].is_zip == is_zip && (is_named || str_ieq(claimed, documents[i].mime)))
			return documents[i].mime;
	}
	return NULL;
}

static bool is_text(const char *p, size_t n)
{
	return !memchr(p, 0, n) && utf8_valid_prefix(p, n) + 4 > n;
}

const char *sniff_mime(const void *p, size_t n, const char *name, const char *claimed)
{
	const char *image = image_mime(p, n);
	const char *found = image ? image : by_magic(p, n);
	const char *doc;

	n = CH_MIN(n, SNIFF_BYTES);
	if (found && !str_eq(found, "application/zip"))
		return found;
	if (!found && !is_text(p, n))
		return "application/octet-stream";
	doc = document(name, claimed, found != NULL);
	if (doc)
		return doc;
	return found ? found : "text/plain";
}

enum chan_media_kind sniff_kind(const char *mime)
{
	static const char *const pictures[] = { "image/gif", "image/jpeg", "image/png", "image/webp" };

	if (str_in(mime, pictures, CH_ARRAY_LEN(pictures)))
		return CHAN_IMAGE;
	if (str_starts(mime, "video/"))
		return CHAN_VIDEO;
	if (str_starts(mime, "audio/"))
		return CHAN_AUDIO;
	return CHAN_DOCUMENT;
}

const char *sniff_extension(const char *mime)
{
	for (size_t i = 0; i < CH_ARRAY_LEN(extensions); i++)
		if (str_eq(extensions[i].mime, mime))
			return extensions[i].extension;
	for (size_t i = 0; i < CH_ARRAY_LEN(documents); i++)
		if (str_eq(documents[i].mime, mime))
			return documents[i].extension;
	return "";
}
