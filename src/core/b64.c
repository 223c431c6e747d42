/*
 * core/b64.c - base64 (RFC 4648, both alphabets) and hexadecimal.
 *
 * Decoding is strict about what could give one value two spellings: no white
 * space, no bits set behind the last byte, padding whole or absent.
 */
#include "core/str.h"

#include <string.h>

static const char std_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[65] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static char *encode(const char *alphabet, const unsigned char *p, size_t n, char *out)
{
	for (; n >= 3; n -= 3, p += 3) {
		*out++ = alphabet[p[0] >> 2];
		*out++ = alphabet[(p[0] & 3) << 4 | p[1] >> 4];
		*out++ = alphabet[(p[1] & 15) << 2 | p[2] >> 6];
		*out++ = alphabet[p[2] & 63];
	}
	if (n > 0) {
		unsigned char second = n == 2 ? p[1] : 0;

		*out++ = alphabet[p[0] >> 2];
		*out++ = alphabet[(p[0] & 3) << 4 | second >> 4];
		if (n == 2)
			*out++ = alphabet[(second & 15) << 2];
	}
	return out;
}

size_t b64url_encoded_len(size_t n)
{
	return n / 3 * 4 + (n % 3 ? n % 3 + 1 : 0);
}

void b64url_encode(const void *p, size_t n, char *ret_text)
{
	*encode(url_alphabet, p, n, ret_text) = '\0';
}

void b64_encode(const void *p, size_t n, char *ret_text)
{
	char *end = encode(std_alphabet, p, n, ret_text);

	while ((end - ret_text) % 4)
		*end++ = '=';
	*end = '\0';
}

/* The six bits of a digit, 64 and up when it is none. */
static unsigned digit_value(unsigned char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26u;
	if (c >= '0' && c <= '9')
		return c - '0' + 52u;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return 64;
}

bool b64_decode(const char *s, size_t n, void *ret_bytes, size_t cap, size_t *ret_len)
{
	unsigned char *out = ret_bytes;
	size_t len = 0, bits = 0;
	uint32_t word = 0;

	if (n > 0 && n % 4 == 0 && s[n - 1] == '=')
		n -= s[n - 2] == '=' ? 2 : 1;
	if (n % 4 == 1 || n / 4 * 3 + (n % 4 ? n % 4 - 1 : 0) > cap)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned v = digit_value((unsigned char)s[i]);

		if (v > 63)
			return false;
		word = (word << 6 | v) & 0xffffff;
		bits += 6;
		if (bits >= 8) {
			bits -= 8;
			out[len++] = (unsigned char)(word >> bits);
		}
	}
	if (word & ((1u << bits) - 1))
		return false;
	*ret_len = len;
	return true;
}

void hex_encode(const void *p, size_t n, char *ret_text)
{
	static const char digits[17] = "0123456789abcdef";
	const unsigned char *at = p;

	for (size_t i = 0; i < n; i++) {
		ret_text[2 * i] = digits[at[i] >> 4];
		ret_text[2 * i + 1] = digits[at[i] & 15];
	}
	ret_text[2 * n] = '\0';
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_decode(const char *s, size_t n, void *ret_bytes)
{
	unsigned char *out = ret_bytes;

	if (n % 2)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		int hi = nibble(s[i]), lo = nibble(s[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i / 2] = (unsigned char)(hi << 4 | lo);
	}
	return true;
}
