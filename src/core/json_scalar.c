/*
 * core/json_scalar.c - the reader's strings, names and numbers.
 *
 * A string is copied while it is scanned: eight bytes are loaded and stored,
 * then a few word operations tell whether one of them ends the run (a quote,
 * a backslash, a control byte). What is stored too much is overwritten.
 */
#include <endian.h>
#include <math.h>

#include "core/json_priv.h"
#include "core/num.h"
#include "core/str.h"

#define ONES 0x0101010101010101ull
#define HIGH_BITS 0x8080808080808080ull

static inline uint64_t load8(const char *p)
{
	uint64_t word;

	memcpy(&word, p, 8);
	return le64toh(word);
}

/* High bit set in the lowest byte that ends a run; higher bytes may be wrong. */
static inline uint64_t run_stops(uint64_t word, uint64_t quotes)
{
	uint64_t quote = word ^ quotes, slash = word ^ (ONES * '\\');
	uint64_t hits = (word - ONES * 0x20) | (quote - ONES) | (slash - ONES);

	/* A byte above 0x7f never ends a run: drop its bit whatever the borrow did. */
	return hits & ~word & HIGH_BITS;
}

/*
 * Copies up to the next quote, backslash or control byte, or the end of the
 * text, and checks the UTF-8 of what it copied.
 */
static inline bool copy_run(struct json_reader *r, char quote)
{
	const char *start = r->p, *p = r->p, *end = r->end;
	uint64_t quotes = ONES * (unsigned char)quote, high = 0;
	char *out = r->out;

	while (end - p >= 8) {
		uint64_t word = load8(p), stops = run_stops(word, quotes);

		memcpy(out, p, 8);
		if (stops) {
			int n = __builtin_ctzll(stops) >> 3;

			high |= n ? word << (64 - 8 * n) : 0;
			p += n;
			out += n;
			goto stopped;
		}
		high |= word;
		p += 8;
		out += 8;
	}
	while (p < end && *p != quote && *p != '\\' && (unsigned char)*p >= 0x20) {
		high |= (unsigned char)*p;
		*out++ = *p++;
	}
stopped:
	r->p = p;
	r->out = out;
	if (high & HIGH_BITS) {
		size_t n = (size_t)(p - start), good = utf8_valid_prefix(start, n);

		if (good < n)
			return json_fail_at(r, start + good, "invalid UTF-8 (byte 0x%02x)",
					    (unsigned char)start[good]);
	}
	return true;
}

static bool read_hex(struct json_reader *r, int digits, uint32_t *ret_value)
{
	uint32_t v = 0;

	for (int i = 0; i < digits; i++, r->p++) {
		char c = r->p < r->end ? *r->p : 0;

		if (c >= '0' && c <= '9')
			v = v << 4 | (uint32_t)(c - '0');
		else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
			v = v << 4 | (uint32_t)((c | 0x20) - 'a' + 10);
		else
			return json_unexpected(r, digits == 4 ? "four hexadecimal digits after \\u"
							      : "two hexadecimal digits after \\x");
	}
	*ret_value = v;
	return true;
}

/* Behind "\u": a code point, which may take a second escape. */
static bool read_unicode_escape(struct json_reader *r, uint32_t *ret_cp)
{
	const char *start = r->p - 2;
	uint32_t cp = 0, low = 0;

	if (!read_hex(r, 4, &cp))
		return false;
	if (cp >= 0xd800 && cp < 0xdc00) {
		if (r->end - r->p < 2 || r->p[0] != '\\' || r->p[1] != 'u')
			return json_fail_at(r, start, "lone surrogate \\u%04x, expected a pair", cp);
		r->p += 2;
		if (!read_hex(r, 4, &low))
			return false;
		if (low < 0xdc00 || low > 0xdfff)
			return json_fail_at(r, start, "lone surrogate \\u%04x, expected a pair", cp);
		cp = 0x10000 + ((cp - 0xd800) << 10 | (low - 0xdc00));
	} else if (cp >= 0xdc00 && cp < 0xe000) {
		return json_fail_at(r, start, "lone surrogate \\u%04x, expected a pair", cp);
	}
	*ret_cp = cp;
	return true;
}

/* The escapes that JSON5 adds; r->p is behind the backslash, at c. */
static bool read_escape5(struct json_reader *r, char c)
{
	uint32_t cp;
	size_t n;

	r->p++;
	switch (c) {
	case 'v': *r->out++ = '\v'; return true;
	case '\n': return true;
	case '\r':
		r->p += r->p < r->end && *r->p == '\n';
		return true;
	case '0':
		if (r->p < r->end && *r->p >= '0' && *r->p <= '9')
			return json_fail_at(r, r->p - 2, "octal escapes are not allowed");
		*r->out++ = '\0';
		return true;
	case 'x':
		if (!read_hex(r, 2, &cp))
			return false;
		r->out += utf8_encode(cp, r->out);
		return true;
	case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
		return json_fail_at(r, r->p - 2, "a digit cannot be escaped");
	default:
		break;
	}
	r->p--;
	n = utf8_decode(r->p, (size_t)(r->end - r->p), &cp);
	if (n == 0)
		return json_fail_at(r, r->p, "invalid UTF-8 (byte 0x%02x)", (unsigned char)*r->p);
	r->p += n;
	if (cp != 0x2028 && cp != 0x2029)
		r->out += utf8_encode(cp, r->out);
	return true;
}

/* At a backslash. */
static bool read_escape(struct json_reader *r)
{
	static const char plain[] = "\"\\/bfnrt", meaning[] = "\"\\/\b\f\n\r\t";
	const char *found;
	uint32_t cp;
	char c;

	r->p++;
	if (r->p == r->end)
		return json_unexpected(r, "an escape");
	c = *r->p;
	found = c ? strchr(plain, c) : NULL;
	if (found) {
		*r->out++ = meaning[found - plain];
		r->p++;
		return true;
	}
	if (c == 'u') {
		r->p++;
		if (!read_unicode_escape(r, &cp))
			return false;
		r->out += utf8_encode(cp, r->out);
		return true;
	}
	if (r->json5)
		return read_escape5(r, c);
	return json_unexpected(r, "one of \" \\ / b f n r t u after the backslash");
}

bool json_read_string(struct json_reader *r, const char **ret_str, size_t *ret_len)
{
	const char *start = r->p, quote = *r->p;
	char *str = r->out;

	r->p++;
	for (;;) {
		if (!copy_run(r, quote))
			return false;
		if (r->p == r->end)
			return json_fail_at(r, start, "this string is not closed, expected %c", quote);
		if (*r->p == quote)
			break;
		if (*r->p == '\\') {
			if (!read_escape(r))
				return false;
		} else if (r->json5 && *r->p != '\n' && *r->p != '\r') {
			*r->out++ = *r->p++;
		} else {
			return json_fail_at(r, r->p,
					    "raw control character 0x%02x in a string, expected an escape",
					    (unsigned char)*r->p);
		}
	}
	r->p++;
	*ret_str = str;
	*ret_len = (size_t)(r->out - str);
	*r->out++ = '\0';
	return true;
}

/*
 * May stand in an identifier. Without Unicode's tables every character above
 * ASCII that is not white space counts as a letter, which takes more than the
 * grammar and nothing that could mean something else.
 */
static bool is_name_char(uint32_t cp, bool is_first)
{
	if (cp >= 0x80)
		return !json5_is_blank(cp);
	if (cp == '_' || cp == '$')
		return true;
	if (cp >= '0' && cp <= '9')
		return !is_first;
	return (cp | 0x20) >= 'a' && (cp | 0x20) <= 'z';
}

bool json5_read_name(struct json_reader *r, const char **ret_str, size_t *ret_len)
{
	char *str = r->out;

	while (r->p < r->end) {
		const char *at = r->p;
		uint32_t cp;
		size_t n = utf8_decode(r->p, (size_t)(r->end - r->p), &cp);
		bool is_escape = r->end - r->p >= 2 && r->p[0] == '\\' && r->p[1] == 'u';

		if (is_escape) {
			r->p += 2;
			if (!read_unicode_escape(r, &cp))
				return false;
			if (!is_name_char(cp, r->out == str))
				return json_fail_at(r, at, "this escape is no letter, expected a key");
		} else if (n == 0 || !is_name_char(cp, r->out == str)) {
			break;
		} else {
			r->p += n;
		}
		r->out += utf8_encode(cp, r->out);
	}
	if (r->out == str)
		return json_unexpected(r, "a key");
	*ret_str = str;
	*ret_len = (size_t)(r->out - str);
	*r->out++ = '\0';
	return true;
}

static inline bool is_digit(const struct json_reader *r, const char *p)
{
	return p < r->end && (unsigned char)(*p - '0') < 10;
}

static inline const char *skip_digits(const struct json_reader *r, const char *p)
{
	while (is_digit(r, p))
		p++;
	return p;
}

/* A number that is no int64: n bytes of strict JSON text, kept beside the double. */
static void keep_number(struct json *v, char *text, size_t n)
{
	v->type = JSON_NUM;
	v->str = text;
	v->len = n;
	CH_BUG_ON(!num_parse(text, &v->num));
}

static void keep_int(struct json *v, int64_t i)
{
	v->type = JSON_INT;
	v->i = i;
}

static bool int_of_digits(const char *p, const char *end, bool is_negative, int64_t *ret_value)
{
	uint64_t u = 0;

	if (end - p > 19)
		return false;
	for (; p < end; p++)
		u = u * 10 + (uint64_t)(*p - '0');
	if (u > (uint64_t)INT64_MAX + is_negative)
		return false;
	*ret_value = is_negative ? (int64_t)(0 - u) : (int64_t)u;
	return true;
}

/* At "e" or "E": gives what follows the exponent, NULL after failing. */
static const char *skip_exponent(struct json_reader *r, const char *p)
{
	p++;
	if (p < r->end && (*p == '+' || *p == '-'))
		p++;
	if (!is_digit(r, p)) {
		r->p = p;
		json_unexpected(r, "a digit in the exponent");
		return NULL;
	}
	return skip_digits(r, p);
}

static bool read_number_strict(struct json_reader *r, struct json *v)
{
	bool is_negative = *r->p == '-';
	const char *start = r->p, *digits = start + is_negative, *p = skip_digits(r, digits);
	int64_t i;
	size_t n;

	if (p == digits || (*digits == '0' && p > digits + 1)) {
		r->p = p == digits ? p : digits + 1;
		return json_unexpected(r, p == digits ? "a digit" : "no digit after a leading 0");
	}
	if (p == r->end || (*p != '.' && (*p | 0x20) != 'e')) {
		if (int_of_digits(digits, p, is_negative, &i)) {
			keep_int(v, i);
			r->p = p;
			return true;
		}
	} else {
		if (*p == '.') {
			r->p = p + 1;
			if (!is_digit(r, p + 1))
				return json_unexpected(r, "a digit after the point");
			p = skip_digits(r, p + 1);
		}
		if (p < r->end && (*p | 0x20) == 'e' && !(p = skip_exponent(r, p)))
			return false;
	}
	n = (size_t)(p - start);
	memcpy(r->out, start, n);
	r->out[n] = '\0';
	keep_number(v, r->out, n);
	r->out += n + 1;
	r->p = p;
	return true;
}

/* Behind the sign, at "0x". Exact up to 64 bits, then the nearest double. */
static bool read_hex_number(struct json_reader *r, struct json *v, bool is_negative)
{
	uint64_t u = 0;
	double d = 0;
	bool fits = true;
	const char *start = r->p += 2;

	for (; r->p < r->end; r->p++) {
		char c = *r->p | 0x20;
		unsigned digit = is_digit(r, r->p) ? (unsigned)(*r->p - '0')
			       : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a' + 10) : 16;

		if (digit == 16)
			break;
		fits = fits && u >> 60 == 0;
		u = u << 4 | digit;
		d = d * 16 + digit;
	}
	if (r->p == start)
		return json_unexpected(r, "a hexadecimal digit");
	if (fits && u <= (uint64_t)INT64_MAX + is_negative) {
		keep_int(v, is_negative ? (int64_t)(0 - u) : (int64_t)u);
		return true;
	}
	v->type = JSON_NUM;
	v->num = is_negative ? -d : d;
	return true;
}

/* Decimal digits as JSON5 allows them, text without the sign; made into strict JSON. */
static bool read_decimal5(struct json_reader *r, struct json *v, bool is_negative)
{
	const char *whole = r->p, *point = skip_digits(r, whole), *frac = point, *exp, *p;
	bool has_point = point < r->end && *point == '.';
	char *text, *out;

	if (has_point)
		frac = skip_digits(r, point + 1);
	if (point == whole && frac <= point + 1) {
		r->p = frac;
		return json_unexpected(r, has_point ? "a digit" : "a number");
	}
	if (*whole == '0' && point > whole + 1)
		return json_fail_at(r, whole, "a number cannot start with 0");
	exp = p = frac;
	if (p < r->end && (*p | 0x20) == 'e' && !(p = skip_exponent(r, p)))
		return false;
	/* "-" and "0" in front at most, the terminator behind. */
	text = out = arena_try_alloc(r->arena, (size_t)(p - whole) + 3);
	if (!text)
		return json_no_room(r);
	if (is_negative)
		*out++ = '-';
	if (point == whole)
		*out++ = '0';
	out = mempcpy(out, whole, (size_t)(point - whole));
	if (frac > point + 1)
		out = mempcpy(out, point, (size_t)(frac - point));
	out = mempcpy(out, exp, (size_t)(p - exp));
	*out = '\0';
	keep_number(v, text, (size_t)(out - text));
	r->p = p;
	return true;
}

static bool read_number5(struct json_reader *r, struct json *v)
{
	bool is_negative = *r->p == '-';
	const char *digits, *p, *after;
	int64_t i;

	r->p += *r->p == '-' || *r->p == '+';
	digits = r->p;
	p = skip_digits(r, digits);
	if (r->end - digits >= 2 && digits[0] == '0' && (digits[1] | 0x20) == 'x')
		return read_hex_number(r, v, is_negative);
	if (r->end - digits >= 8 && memcmp(digits, "Infinity", 8) == 0) {
		v->type = JSON_NUM;
		v->num = is_negative ? -INFINITY : INFINITY;
		r->p += 8;
		return true;
	}
	if (r->end - digits >= 3 && memcmp(digits, "NaN", 3) == 0) {
		v->type = JSON_NUM;
		v->num = NAN;
		r->p += 3;
		return true;
	}
	/* "5." is the integer 5. */
	after = p + (p < r->end && *p == '.');
	if (p > digits && !is_digit(r, after) && (after == r->end || (*after | 0x20) != 'e') &&
	    (*digits != '0' || p == digits + 1) && int_of_digits(digits, p, is_negative, &i)) {
		keep_int(v, i);
		r->p = after;
		return true;
	}
	return read_decimal5(r, v, is_negative);
}

bool json_read_number(struct json_reader *r, struct json *v)
{
	return r->json5 ? read_number5(r, v) : read_number_strict(r, v);
}
