/*
 * core/regex.c - see regex.h; opens PCRE2 and fills a table, as net/curl_api does for libcurl.
 */
#include "core/regex.h"

#include <dlfcn.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "core/mem.h"
#include "core/str.h"

#define HEAP_KIB 4096

#define API_MAP(X)                                                                                             \
	X(pcre2_code_free_8) X(pcre2_compile_8) \
	X(pcre2_get_error_message_8) X(pcre2_get_ovector_pointer_8) X(pcre2_match_8) X(pcre2_match_context_create_8) \
	X(pcre2_match_context_free_8) X(pcre2_match_data_create_8) X(pcre2_match_data_free_8)                     \
	X(pcre2_set_depth_limit_8) X(pcre2_set_heap_limit_8) X(pcre2_set_match_limit_8)

struct api {
#define X(name) __typeof__(&name) name;
	API_MAP(X)
#undef X
};

struct regex {
	const struct api *api;
	pcre2_code_8 *code;
	pcre2_match_context_8 *limits;
	pcre2_match_data_8 *data;
};

/* A process has one PCRE2: the one mutable value of this file. */
static struct api loaded;

static ch_status load(struct ch_err *err)
{
	static const struct { const char *name; size_t at; } symbols[] = {
#define X(name) { #name, offsetof(struct api, name) },
		API_MAP(X)
#undef X
	};
	struct api found;
	void *lib;

	if (loaded.pcre2_compile_8)
		return CH_OK;
	lib = dlopen("libpcre2-8.so.0", RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return ch_fail(err, CH_E_ABSENT, "PCRE2 is not installed, and regular expressions need it: apt-get install libpcre2-8-0");
	for (size_t i = 0; i < CH_ARRAY_LEN(symbols); i++) {
		void *symbol = dlsym(lib, symbols[i].name);

		if (!symbol) {
			dlclose(lib);
			return ch_fail(err, CH_E_ABSENT, "PCRE2 lacks %s: version 10.40 or newer is needed", symbols[i].name);
		}
		memcpy((char *)&found + symbols[i].at, &symbol, sizeof(symbol));
	}
	loaded = found;
	return CH_OK;
}

static uint32_t compile_options(int flags)
{
	uint32_t o = PCRE2_UTF | (flags & REGEX_ANY_BYTES ? PCRE2_MATCH_INVALID_UTF : 0u);

	if (flags & REGEX_LITERAL)
		return o | PCRE2_LITERAL | (flags & REGEX_CASELESS ? PCRE2_CASELESS : 0u);
	o |= PCRE2_NEVER_BACKSLASH_C;
	if (flags & REGEX_CASELESS)
		o |= PCRE2_CASELESS;
	if (flags & REGEX_ECMA)
		o |= PCRE2_ALT_BSUX | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS | PCRE2_MATCH_UNSET_BACKREF;
	if (flags & REGEX_LINES)
		o |= PCRE2_MULTILINE;
	return o;
}

void regex_free(struct regex *re)
{
	if (!re)
		return;
	if (re->code)
		re->api->pcre2_code_free_8(re->code);
	if (re->limits)
		re->api->pcre2_match_context_free_8(re->limits);
	if (re->data)
		re->api->pcre2_match_data_free_8(re->data);
	ch_free(re);
}

ch_status regex_compile(const char *pattern, size_t len, int flags, struct regex **ret, struct ch_err *err)
{
	CH_AUTO(regex_free) struct regex *re = NULL;
	int code = 0;
	size_t at = 0;
	char why[120] = "";
	ch_status st = load(err);

	if (st)
		return st;
	if (len > REGEX_PATTERN_MAX)
		return ch_fail(err, CH_E_LIMIT, "the regular expression is longer than %d bytes", REGEX_PATTERN_MAX);
	if (!utf8_valid(pattern, len))
		return ch_fail(err, CH_E_INVALID, "the regular expression is not valid UTF-8");
	re = ch_alloc(sizeof(*re));
	re->api = &loaded;
	re->code = loaded.pcre2_compile_8((PCRE2_SPTR8)pattern, len, compile_options(flags), &code, &at, NULL);
	if (!re->code) {
		loaded.pcre2_get_error_message_8(code, (PCRE2_UCHAR8 *)why, sizeof(why));
		return ch_fail(err, CH_E_INVALID, "the regular expression is wrong at character %zu: %s", at, why);
	}
	re->limits = loaded.pcre2_match_context_create_8(NULL);
	re->data = loaded.pcre2_match_data_create_8(1, NULL);
	if (!re->limits || !re->data)
		return ch_fail(err, CH_E_NOMEM, "there is no memory for a regular expression");
	loaded.pcre2_set_match_limit_8(re->limits, REGEX_STEPS);
	loaded.pcre2_set_depth_limit_8(re->limits, REGEX_DEPTH);
	loaded.pcre2_set_heap_limit_8(re->limits, HEAP_KIB);
	*ret = CH_TAKE(re);
	return CH_OK;
}

ch_status regex_find(const struct regex *re, const char *text, size_t len, size_t from, size_t *ret_start, size_t *ret_end)
{
	const size_t *found;
	int n;

	if (from > len)
		return CH_E_NOT_FOUND;
	n = re->api->pcre2_match_8(re->code, (PCRE2_SPTR8)text, len, from, 0, re->data, re->limits);
	if (n == PCRE2_ERROR_NOMATCH)
		return CH_E_NOT_FOUND;
	if (n == PCRE2_ERROR_MATCHLIMIT || n == PCRE2_ERROR_DEPTHLIMIT || n == PCRE2_ERROR_HEAPLIMIT)
		return CH_E_LIMIT;
	if (n < 0)
		return CH_E_INVALID; /* not UTF-8, or an offset inside a character */
	found = re->api->pcre2_get_ovector_pointer_8(re->data);
	if (ret_start)
		*ret_start = found[0];
	if (ret_end)
		*ret_end = CH_MAX(found[0], found[1]); /* \K may put the end before the start */
	return CH_OK;
}
