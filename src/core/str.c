/*
 * core/str.c - comparing strings, numbers with units, "did you mean".
 * Base64 and hexadecimal are in b64.c, UTF-8 in utf8.c.
 */
#include "core/str.h"

#include <math.h>
#include <string.h>

#include "core/num.h"

#define DISTANCE_LEN_MAX 128   /* longer names are not compared: quadratic work */

static inline char fold(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

static inline bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

bool str_eq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_ieq(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	while (*a && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return fold(*a) == fold(*b);
}

bool str_empty(const char *s)
{
	return !s || !*s;
}

bool str_wild(const char *pattern, const char *s)
{
	const char *star = NULL, *resume = NULL;

	while (*s) {
		if (*pattern == '*') {
			star = pattern++;
			resume = s;
		} else if (fold(*pattern) == fold(*s)) {
			pattern++;
			s++;
		} else if (star) {
			pattern = star + 1;
			s = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

bool str_starts(const char *s, const char *prefix)
{
	return s && prefix && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n, m;

	if (!s || !suffix)
		return false;
	n = strlen(s);
	m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_in(const char *s, const char *const *list, size_t n)
{
	for (size_t i = 0; s && i < n; i++)
		if (str_eq(s, list[i]))
			return true;
	return false;
}

char *str_trim(struct arena *a, const char *s)
{
	size_t n;

	if (!s)
		return NULL;
	while (is_blank(*s))
		s++;
	n = strlen(s);
	while (n > 0 && is_blank(s[n - 1]))
		n--;
	return arena_strndup(a, s, n);
}

void str_lower(char *s)
{
	for (; *s; s++)
		*s = fold(*s);
}

bool str_to_i64(const char *s, int64_t *ret_value)
{
	bool is_negative = *s == '-';
	int64_t v = 0;

	s += *s == '-' || *s == '+';
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		/* Counting downwards reaches INT64_MIN, which has no positive twin. */
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *s - '0', &v))
			return false;
	}
	if (!is_negative && v == INT64_MIN)
		return false;
	*ret_value = is_negative ? v : -v;
	return true;
}

bool str_to_u16(const char *s, uint16_t *ret_value)
{
	int64_t v;

	if (!str_to_i64(s, &v) || v < 0 || v > UINT16_MAX)
		return false;
	*ret_value = (uint16_t)v;
	return true;
}

bool str_to_double(const char *s, double *ret_value)
{
	double v;

	if (!num_parse(s, &v) || !isfinite(v))
		return false;
	*ret_value = v;
	return true;
}

struct unit {
	const char *name;
	int64_t factor;
};

/* "<decimal number><unit>", the unit from the table or, when absent, `bare`. */
static bool parse_with_unit(const char *s, const struct unit *units, size_t n, int64_t bare, int64_t *ret)
{
	size_t digits = strspn(s, "0123456789.");
	int64_t factor = s[digits] ? 0 : bare;
	char number[32];
	double v;

	if (digits == 0 || digits >= sizeof(number))
		return false;
	memcpy(number, s, digits);
	number[digits] = '\0';
	for (size_t i = 0; i < n; i++)
		if (str_ieq(s + digits, units[i].name))
			factor = units[i].factor;
	if (factor == 0 || !num_parse(number, &v))
		return false;
	/* 2^53: up to there the product is exact for whole numbers. */
	v = round(v * (double)factor);
	if (v > 9007199254740992.0)
		return false;
	*ret = (int64_t)v;
	return true;
}

bool str_to_duration_ms(const char *s, int64_t unit_ms, int64_t *ret_ms)
{
	static const struct unit units[] = {
		{ "ms", 1 },        { "s", 1000 },      { "m", 60000 },
		{ "h", 3600000 },   { "d", 86400000 },  { "w", 604800000 },
	};

	return parse_with_unit(s, units, CH_ARRAY_LEN(units), unit_ms, ret_ms);
}

bool str_to_bytes(const char *s, int64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "b", 1 },
		{ "k", 1 << 10 }, { "kb", 1 << 10 }, { "kib", 1 << 10 },
		{ "m", 1 << 20 }, { "mb", 1 << 20 }, { "mib", 1 << 20 },
		{ "g", 1 << 30 }, { "gb", 1 << 30 }, { "gib", 1 << 30 },
		{ "t", 1ll << 40 }, { "tb", 1ll << 40 }, { "tib", 1ll << 40 },
	};

	return parse_with_unit(s, units, CH_ARRAY_LEN(units), 1, ret_bytes);
}

size_t str_distance(const char *a, const char *b, size_t cap)
{
	uint8_t rows[3][DISTANCE_LEN_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > DISTANCE_LEN_MAX || m > DISTANCE_LEN_MAX)
		return strcmp(a, b) ? cap : 0;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (uint8_t)j;
	for (size_t i = 1; i <= n; i++) {
		uint8_t *row = rows[i % 3];
		const uint8_t *above = rows[(i - 1) % 3], *twice_above = rows[(i + 1) % 3];
		size_t best = row[0] = (uint8_t)i;

		for (size_t j = 1; j <= m; j++) {
			size_t d = above[j - 1] + (a[i - 1] != b[j - 1]);

			d = CH_MIN(d, 1u + CH_MIN(above[j], row[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d = CH_MIN(d, twice_above[j - 2] + 1u);
			row[j] = (uint8_t)d;
			best = CH_MIN(best, d);
		}
		/* A transposition may still come from the row above this one. */
		if (best > cap)
			return cap;
	}
	return CH_MIN((size_t)rows[n % 3][m], cap);
}

const char *str_nearest(const char *s, const char *const *list, size_t n)
{
	size_t limit = strlen(s) / 3 + 1, best = limit;
	const char *found = NULL;

	for (size_t i = 0; i < n; i++) {
		size_t d = str_distance(s, list[i], best);

		if (d < best) {
			best = d;
			found = list[i];
		}
	}
	return found;
}
