/*
 * core/num.c - decimal text to double and back.
 *
 * Most numbers have at most 15 digits and a small exponent; those are exact
 * products or quotients of two doubles (Clinger's observation) and need no
 * library call. The rest goes through strtod and snprintf with the decimal
 * point pinned down.
 */
#include "core/num.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXACT_DIGITS 15     /* any such integer is a double */
#define EXACT_POW10 22      /* 10^22 is the largest exact power */

static const double pow10_exact[EXACT_POW10 + 1] = {
	1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
	1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
};

/* A decimal number taken apart; exact only while digits <= EXACT_DIGITS. */
struct decimal {
	uint64_t mantissa;
	int digits;          /* significant ones seen */
	int exp10;           /* clamped, see decimal_exponent() */
	bool is_negative;
};

static inline bool is_digit(char c)
{
	return (unsigned char)(c - '0') < 10;
}

/* Digits with an optional point; gives the text after them, NULL when there is no digit. */
static const char *decimal_digits(struct decimal *d, const char *s)
{
	bool any = false, after_point = false;

	for (;; s++) {
		if (*s == '.' && !after_point) {
			after_point = true;
			continue;
		}
		if (!is_digit(*s))
			return any ? s : NULL;
		any = true;
		if (d->digits == 0 && *s == '0') {
			d->exp10 -= after_point;
			continue;
		}
		if (d->digits < EXACT_DIGITS)
			d->mantissa = d->mantissa * 10 + (uint64_t)(*s - '0');
		d->digits += d->digits <= EXACT_DIGITS;
		d->exp10 -= after_point;
	}
}

static const char *decimal_exponent(struct decimal *d, const char *s)
{
	bool is_negative = s[1] == '-';
	int e = 0;

	s += s[1] == '+' || s[1] == '-' ? 2 : 1;
	if (!is_digit(*s))
		return NULL;
	for (; is_digit(*s); s++)
		e = e < 100000 ? e * 10 + (*s - '0') : e;
	d->exp10 += is_negative ? -e : e;
	return s;
}

static double parse_slowly(const char *s)
{
	/* In glibc the full "C" locale is a static object: nothing is allocated. */
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	double v = strtod_l(s, NULL, c);

	freelocale(c);
	return v;
}

bool num_parse(const char *s, double *ret_value)
{
	struct decimal d = { .is_negative = *s == '-' };
	const char *at = decimal_digits(&d, *s == '-' || *s == '+' ? s + 1 : s);
	double v;

	if (at && (*at == 'e' || *at == 'E'))
		at = decimal_exponent(&d, at);
	if (!at || *at)
		return false;

	if (d.digits > EXACT_DIGITS || d.exp10 > EXACT_POW10 || d.exp10 < -EXACT_POW10) {
		*ret_value = parse_slowly(s);
		return true;
	}
	v = (double)d.mantissa;
	v = d.exp10 < 0 ? v / pow10_exact[-d.exp10] : v * pow10_exact[d.exp10];
	*ret_value = d.is_negative ? -v : v;
	return true;
}

/* value > 0 as exactly `digits` digits d.ddd times 10^ret_exp; ret_digits without a point. */
static void round_to(double value, int digits, char ret_digits[20], int *ret_exp)
{
	char text[40];
	int n = 0;
	const char *e;

	/* d<point>ddde+xx, where the locale chooses <point>: take the digits only. */
	snprintf(text, sizeof(text), "%.*e", digits - 1, value);
	e = strchr(text, 'e');
	for (const char *p = text; p < e; p++)
		if (is_digit(*p))
			ret_digits[n++] = *p;
	ret_digits[n] = '\0';
	*ret_exp = (int)strtol(e + 1, NULL, 10);
}

static bool reads_back(const char *digits, int exp10, double value)
{
	char text[40];

	snprintf(text, sizeof(text), "%se%d", digits, exp10 - (int)strlen(digits) + 1);
	return parse_slowly(text) == value;
}

/* digits d1d2…dn times 10^(exp10-n+1), as ECMA-262 Number::toString places the point. */
static size_t lay_out(const char *digits, int exp10, char *out)
{
	int n = (int)strlen(digits), len;

	if (exp10 >= 0 && exp10 < 21 && n <= exp10 + 1) {
		memcpy(out, digits, (size_t)n);
		memset(out + n, '0', (size_t)(exp10 + 1 - n));
		out[len = exp10 + 1] = '\0';
	} else if (exp10 >= 0 && exp10 < 21) {
		len = snprintf(out, NUM_TEXT_LEN, "%.*s.%s", exp10 + 1, digits, digits + exp10 + 1);
	} else if (exp10 < 0 && exp10 >= -6) {
		len = snprintf(out, NUM_TEXT_LEN, "0.%.*s%s", -exp10 - 1, "000000", digits);
	} else {
		len = snprintf(out, NUM_TEXT_LEN, "%c%s%se%+d", digits[0], n > 1 ? "." : "", digits + 1,
			       exp10);
	}
	return (size_t)len;
}

size_t num_format(double value, char ret_text[NUM_TEXT_LEN])
{
	char digits[20], *out = ret_text;
	int exp10, n, precision;

	if (fabs(value) < 1e15 && value == (double)(int64_t)value) {
		n = (int)num_format_i64((int64_t)value, out);
		out[n] = '\0';
		return (size_t)n;
	}
	if (value < 0) {
		*out++ = '-';
		value = -value;
	}
	/*
	 * A normal double whose shortest form has up to 15 digits shows it, with
	 * zeros behind, at 15. A subnormal has fewer digits to begin with.
	 */
	precision = value < DBL_MIN ? 1 : 15;
	do
		round_to(value, precision, digits, &exp10);
	while (precision++ < 17 && !reads_back(digits, exp10, value));

	n = (int)strlen(digits);
	while (n > 1 && digits[n - 1] == '0')
		digits[--n] = '\0';
	return (size_t)(out - ret_text) + lay_out(digits, exp10, out);
}

size_t num_format_i64(int64_t value, char ret_text[NUM_TEXT_LEN])
{
	uint64_t u = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	char tmp[20], *p = tmp + sizeof(tmp), *out = ret_text;
	size_t n;

	do
		*--p = (char)('0' + u % 10);
	while (u /= 10);
	if (value < 0)
		*out++ = '-';
	n = (size_t)(tmp + sizeof(tmp) - p);
	memcpy(out, p, n);
	return (size_t)(out - ret_text) + n;
}
