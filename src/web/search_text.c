/*
 * web/search_text.c - what services answer, made into clean lines.
 */
#include <string.h>

#include "core/buf.h"
#include "core/clock.h"
#include "core/str.h"
#include "net/url.h"
#include "web/html.h"
#include "web/search_priv.h"

struct entity { const char *text; const char *means; };

static const struct entity entities[] = {
	{ "&amp;", "&" }, { "&lt;", "<" }, { "&gt;", ">" }, { "&quot;", "\"" }, { "&#39;", "'" }, { "&#x27;", "'" },
	{ "&apos;", "'" }, { "&nbsp;", " " }, { "&#x2F;", "/" }, { "&#34;", "\"" },
};

/* Bytes of markup at p, and what they mean; 0: it is text. */
static size_t markup_at(const char *p, const char **ret_means)
{
	*ret_means = "";
	if (*p == '<' && (p[1] == '/' || (p[1] >= 'a' && p[1] <= 'z') || (p[1] >= 'A' && p[1] <= 'Z'))) {
		size_t n = strcspn(p, ">");

		return p[n] ? n + 1 : 0;
	}
	for (size_t i = 0; *p == '&' && i < CH_ARRAY_LEN(entities); i++) {
		if (!str_starts(p, entities[i].text))
			continue;
		*ret_means = entities[i].means;
		return strlen(entities[i].text);
	}
	return 0;
}

static void put_blank(struct buf *out)
{
	if (out->len && out->data[out->len - 1] != ' ')
		buf_putc(out, ' ');
}

const char *search_clean(struct arena *a, const char *text, size_t max_bytes, bool with_markup)
{
	CH_AUTO_BUF struct buf out = { 0 };
	size_t left = text ? strlen(text) : 0;

	buf_init(&out, max_bytes + 16);
	while (left && out.len < max_bytes) {
		const char *means;
		uint32_t cp = 0;
		size_t n = with_markup ? markup_at(text, &means) : 0;

		if (n) {
			*means == ' ' ? put_blank(&out) : buf_puts(&out, means);
		} else {
			n = utf8_decode(text, left, &cp);
			if (n && cp > ' ' && cp != 0xa0 && !html_drops_cp(cp))
				buf_append(&out, text, n);
			else if (!n || cp <= ' ' || cp == 0xa0)
				put_blank(&out);
			n = n ? n : 1;
		}
		text += n;
		left -= n;
	}
	while (out.len && out.data[out.len - 1] == ' ')
		buf_truncate(&out, out.len - 1);
	return arena_strndup(a, buf_str(&out), utf8_cut(buf_str(&out), out.len, max_bytes));
}

static bool digits_at(const char *s, const char *form)
{
	for (; *form; form++, s++)
		if (*form == '9' ? !(*s >= '0' && *s <= '9') : *s != *form)
			return false;
	return true;
}

/* "Tue, 10 Nov 2026 08:49:37 GMT" (RFC 9110 5.6.7). */
static const char *from_http_date(struct arena *a, const char *s)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	char name[4] = "";
	const char *at;

	if (strlen(s) != 29 || !digits_at(s + 5, "99 ") || !digits_at(s + 11, " 9999 99:99:99 GMT"))
		return NULL;
	memcpy(name, s + 8, 3);
	at = strstr(months, name);
	if (!at || (at - months) % 3)
		return NULL;
	return arena_printf(a, "%.4s-%02d-%.2sT%.8sZ", s + 12, (int)(at - months) / 3 + 1, s + 5, s + 17);
}

const char *search_date(struct arena *a, const char *text)
{
	if (!text)
		return NULL;
	if (digits_at(text, "9999-99-99") && strlen(text) <= 40 && text[strspn(text, "0123456789-:.TZ+ ")] == '\0')
		return arena_strdup(a, text);
	return from_http_date(a, text);
}

bool search_hit_set(struct arena *a, struct search_hit *hit, const char *title, const char *url, const char *snippet, const char *date,
		    bool with_markup)
{
	const char *clean = url ? url_join(a, "https://search.invalid/", url) : NULL;
	struct url u;

	if (!clean || url_parse(a, clean, &u, NULL) || !str_starts(u.scheme, "http") || str_eq(u.host, "search.invalid"))
		return false;
	*hit = (struct search_hit){ .title = search_clean(a, title, SEARCH_TITLE_MAX, with_markup), .url = clean,
				    .snippet = search_clean(a, snippet, SEARCH_SNIPPET_MAX, with_markup),
				    .published = search_date(a, date),
				    .site_name = str_starts(u.host, "www.") ? u.host + 4 : u.host };
	if (!*hit->title)
		hit->title = hit->site_name;
	if (!*hit->snippet)
		hit->snippet = NULL;
	return true;
}

void search_param(struct arena *a, struct buf *url, const char *name, const char *value)
{
	if (str_empty(value))
		return;
	buf_printf(url, "%c%s=%s", strchr(buf_str(url), '?') ? '&' : '?', name, url_encode(a, value));
}
