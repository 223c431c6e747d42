/*
 * core/utf8.c - UTF-8 as RFC 3629 defines it: no surrogates, no overlong
 * forms, nothing above U+10FFFF.
 *
 *	00-7f                      one byte
 *	c2-df 80-bf                two
 *	e0    a0-bf 80-bf          three; ed 80-9f keeps the surrogates out
 *	f0    90-bf 80-bf 80-bf    four; f4 80-8f ends at U+10FFFF
 */
#include "core/str.h"

#include <string.h>

#define HIGH_BITS 0x8080808080808080ull

static inline bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

size_t utf8_decode(const char *s, size_t n, uint32_t *ret_cp)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t cp;

	if (n == 0)
		return 0;
	if (p[0] < 0x80) {
		*ret_cp = p[0];
		return 1;
	}
	if (p[0] < 0xc2 || p[0] > 0xf4 || n < 2 || !is_tail(p[1]))
		return 0;
	if (p[0] < 0xe0) {
		*ret_cp = (p[0] & 0x1fu) << 6 | (p[1] & 0x3fu);
		return 2;
	}
	if (n < 3 || !is_tail(p[2]))
		return 0;
	if (p[0] < 0xf0) {
		cp = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
		if (cp < 0x800 || (cp >= 0xd800 && cp < 0xe000))
			return 0;
		*ret_cp = cp;
		return 3;
	}
	if (n < 4 || !is_tail(p[3]))
		return 0;
	cp = (p[0] & 0x07u) << 18 | (p[1] & 0x3fu) << 12 | (p[2] & 0x3fu) << 6 | (p[3] & 0x3fu);
	if (cp < 0x10000 || cp > 0x10ffff)
		return 0;
	*ret_cp = cp;
	return 4;
}

size_t utf8_encode(uint32_t cp, char ret_bytes[4])
{
	if (cp < 0x80) {
		ret_bytes[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		ret_bytes[0] = (char)(0xc0 | cp >> 6);
		ret_bytes[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		ret_bytes[0] = (char)(0xe0 | cp >> 12);
		ret_bytes[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		ret_bytes[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	ret_bytes[0] = (char)(0xf0 | cp >> 18);
	ret_bytes[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	ret_bytes[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	ret_bytes[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

size_t utf8_valid_prefix(const char *s, size_t n)
{
	size_t i = 0, step;
	uint64_t word;
	uint32_t cp;

	while (i < n) {
		if (n - i >= 8) {
			memcpy(&word, s + i, 8);
			if (!(word & HIGH_BITS)) {
				i += 8;
				continue;
			}
		}
		step = utf8_decode(s + i, n - i, &cp);
		if (step == 0)
			return i;
		i += step;
	}
	return n;
}

bool utf8_valid(const char *s, size_t n)
{
	return utf8_valid_prefix(s, n) == n;
}

size_t utf8_cut(const char *s, size_t n, size_t max_bytes)
{
	if (n <= max_bytes)
		return n;
	while (max_bytes > 0 && is_tail((unsigned char)s[max_bytes]))
		max_bytes--;
	return max_bytes;
}

/*
 * Length of the ill-formed piece at s that one U+FFFD stands for: the longest
 * start of a well-formed character, else one byte (Unicode 3.9, "maximal
 * subpart").
 */
static size_t broken_piece(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	unsigned lo = p[0] == 0xe0 ? 0xa0 : p[0] == 0xf0 ? 0x90 : 0x80;
	unsigned hi = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	size_t whole = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2, len = 2;

	if (p[0] < 0xc2 || p[0] > 0xf4 || n < 2 || p[1] < lo || p[1] > hi)
		return 1;
	while (len < whole && len < n && is_tail(p[len]))
		len++;
	return len;
}

static size_t repair_to(char *out, const char *s, size_t n)
{
	size_t len = 0;

	while (n > 0) {
		size_t good = utf8_valid_prefix(s, n), bad;

		if (out)
			memcpy(out + len, s, good);
		len += good;
		if (good == n)
			break;
		bad = broken_piece(s + good, n - good);
		if (out)
			memcpy(out + len, "\xef\xbf\xbd", 3);
		len += 3;
		s += good + bad;
		n -= good + bad;
	}
	return len;
}

char *utf8_repair(struct arena *a, const char *s, size_t n, size_t *ret_len)
{
	size_t len = repair_to(NULL, s, n);
	char *out = arena_try_alloc(a, len + 1);

	if (!out)
		return NULL;
	repair_to(out, s, n);
	out[len] = '\0';
	if (ret_len)
		*ret_len = len;
	return out;
}
