/*
 * web/fetch_text.c - a response's bytes as text for a model: pages extracted, texts passed, the rest refused by name.
 */
#include <string.h>

#include "core/str.h"
#include "web/charset.h"
#include "web/fetch_priv.h"
#include "web/html.h"
#include "web/html_child.h"

#define DECODED_MAX (40u << 20)          /* a response of 10 MB, three bytes for each of its own */

enum form { FORM_BINARY, FORM_PDF, FORM_HTML, FORM_JSON, FORM_MARKDOWN, FORM_TEXT };

/* Types beside text, all of which are texts. */
static const char *const text_types[] = {
	"application/xml", "application/rss", "application/atom", "application/javascript", "application/ecmascript",
	"application/x-javascript", "application/yaml", "application/x-yaml", "application/toml", "application/x-ndjson",
	"application/ndjson", "application/jsonl", "application/x-sh", "application/sql", "application/graphql",
	"application/x-www-form-urlencoded", "application/rtf", "message/rfc822", "image/svg+xml",
};

static bool looks_like_html(const char *p, size_t n)
{
	CH_AUTO(arena_unref) struct arena *a = arena_new(0);
	const char *head = arena_strndup(a, p, CH_MIN(n, 512));

	head += strspn(head, " \t\r\n\xef\xbb\xbf");
	return strncasecmp(head, "<!doctype html", 14) == 0 || strncasecmp(head, "<html", 5) == 0;
}

/* No NUL in it, unless it begins as UTF-16 does. */
static bool looks_like_text(const char *p, size_t n)
{
	bool is_utf16 = n >= 2 && (memcmp(p, "\xff\xfe", 2) == 0 || memcmp(p, "\xfe\xff", 2) == 0);

	return is_utf16 || !n || !memchr(p, '\0', n);
}

static enum form form_by_type(const char *type)
{
	if (str_eq(type, "text/html") || str_eq(type, "application/xhtml+xml"))
		return FORM_HTML;
	if (str_eq(type, "application/pdf") || str_eq(type, "application/x-pdf"))
		return FORM_PDF;
	if (str_eq(type, "application/json") || str_eq(type, "text/json") || str_ends(type, "+json"))
		return FORM_JSON;
	if (str_eq(type, "text/markdown") || str_eq(type, "text/x-markdown"))
		return FORM_MARKDOWN;
	if (str_starts(type, "text/") || str_ends(type, "+xml"))
		return FORM_TEXT;
	return str_in(type, text_types, CH_ARRAY_LEN(text_types)) ? FORM_TEXT : FORM_BINARY;
}

/* By the header, and where that is missing or says nothing, by the bytes; a text with NULs in it is none. */
static enum form find_form(const struct fetch_body *in, const char *type)
{
	bool says_nothing = !*type || str_eq(type, "application/octet-stream") || str_eq(type, "application/unknown");
	enum form form = says_nothing ? FORM_TEXT : form_by_type(type);
	bool is_utf16 = in->content_type && strcasestr(in->content_type, "utf-16");

	if (in->len >= 5 && memcmp(in->data, "%PDF-", 5) == 0)
		return FORM_PDF;
	if (form > FORM_PDF && !is_utf16 && !looks_like_text(in->data, in->len))
		return FORM_BINARY;
	if (says_nothing && utf8_valid_prefix(in->data, in->len) + 4 < in->len)
		return FORM_BINARY;
	if ((says_nothing || str_eq(type, "text/plain")) && looks_like_html(in->data, in->len))
		return FORM_HTML;
	return form;
}

/* A copy without the characters that a person would not see. */
static const char *clean_text(struct arena *a, const char *p, size_t n)
{
	char *out = arena_try_alloc(a, n + 1), *to = out;

	if (!out)
		return NULL;
	while (n) {
		uint32_t cp = 0;
		size_t k = utf8_decode(p, n, &cp);

		if (k && !html_drops_cp(cp)) {
			memcpy(to, p, k);
			to += k;
		}
		k = k ? k : 1;
		p += k;
		n -= k;
	}
	*to = '\0';
	return out;
}

static CH_FIBER ch_status extract_html(const struct fetch_body *in, const struct buf *text, struct arena *a, struct fetch_page *ret,
				       struct ch_err *err)
{
	struct html_job job = { .kind = HTML_PAGE, .text = buf_str(text), .len = text->len, .url = in->url,
				.is_plain = in->is_plain, .is_whole = in->is_whole, .deadline_ms = in->deadline_ms };
	struct json *page = NULL;
	ch_status st = html_child_run(&job, a, &page, err);

	if (st)
		return st;
	ret->text = json_str_or(json_get(page, "text"), "");
	ret->extractor = json_get_bool(page, "isMain", false) ? "readability" : "html";
	if (*json_str_or(json_get(page, "title"), ""))
		ret->title = json_get_str(page, "title");
	if (json_get_bool(page, "isCut", false))
		ret->warning = "The page is larger than what can be shown; parts of it were left out.";
	else if (!*ret->text)
		ret->warning = "The page has no text that can be read without running its scripts.";
	return CH_OK;
}

static ch_status refuse(const struct fetch_body *in, enum form form, const char *type, struct ch_err *err)
{
	if (form == FORM_PDF)
		return ch_fail(err, CH_E_UNSUPPORTED, "this is a PDF, and web_fetch reads no PDFs; look for the same text as a web page");
	return ch_fail(err, CH_E_UNSUPPORTED, "this is no text but %.80s (%zu bytes); web_fetch reads pages, JSON and other texts only",
		       *type ? type : "binary data of an unnamed type", in->len);
}

CH_FIBER ch_status fetch_extract(const struct fetch_body *in, struct arena *a, struct fetch_page *ret, struct ch_err *err)
{
	static const char *const names[] = { [FORM_JSON] = "json", [FORM_MARKDOWN] = "markdown", [FORM_TEXT] = "raw" };
	CH_AUTO_BUF struct buf text = { 0 };
	char *type = arena_strdup(a, in->content_type ? in->content_type : "");
	const char *charset = NULL;
	enum form form;
	ch_status st;

	type[strcspn(type, "; \t")] = '\0';
	str_lower(type);
	form = find_form(in, type);
	if (form <= FORM_PDF)
		return refuse(in, form, type, err);
	buf_init(&text, DECODED_MAX);
	st = charset_to_utf8(&(struct charset_in){ in->data, in->len, in->content_type, form == FORM_HTML }, &text, &charset, err);
	if (st)
		return st;
	if (form == FORM_HTML)
		return extract_html(in, &text, a, ret, err);
	ret->extractor = names[form];
	ret->text = clean_text(a, buf_str(&text), text.len);
	return ret->text ? CH_OK : ch_fail(err, CH_E_NOMEM, "no memory for the text");
}
