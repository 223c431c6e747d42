/*
 * core/str.h - strings: comparing, parsing numbers, base64, hex, UTF-8.
 *
 * Parsers read the whole text or fail; none looks at the locale.
 */
#ifndef CH_CORE_STR_H
#define CH_CORE_STR_H

#include "core/arena.h"
#include "core/auto.h"

bool str_eq(const char *a, const char *b);                       /* NULL equals only NULL */
bool str_ieq(const char *a, const char *b);                      /* ASCII case folded */
bool str_empty(const char *s);                                   /* NULL or "" */
bool str_starts(const char *s, const char *prefix);
bool str_wild(const char *pattern, const char *s);              /* '*' is any run of characters; ASCII case folded */
bool str_ends(const char *s, const char *suffix);
bool str_in(const char *s, const char *const *list, size_t n);
/* Trims ASCII white space; the result is on the arena. */
char *str_trim(struct arena *a, const char *s);
void str_lower(char *s);                                         /* ASCII, in place */

bool str_to_i64(const char *s, int64_t *ret_value);
bool str_to_u16(const char *s, uint16_t *ret_value);
bool str_to_double(const char *s, double *ret_value);
/* "500ms", "30s", "5m", "2h", "1d", "1w" or a bare number of `unit_ms`. */
bool str_to_duration_ms(const char *s, int64_t unit_ms, int64_t *ret_ms);
/* "250", "64kb", "10mb", "10gb" (1024 based). */
bool str_to_bytes(const char *s, int64_t *ret_bytes);

/* Edit distance (two neighbours swapped count as one), capped; for "did you mean". */
size_t str_distance(const char *a, const char *b, size_t cap);
/* The nearest of n candidates within distance 1/3 of the length, or NULL. */
const char *str_nearest(const char *s, const char *const *list, size_t n);

/* base64url without padding; decode accepts both alphabets, with or without padding. */
size_t b64url_encoded_len(size_t n);
void b64url_encode(const void *p, size_t n, char *ret_text);     /* b64url_encoded_len()+1 bytes */
bool b64_decode(const char *s, size_t n, void *ret_bytes, size_t cap, size_t *ret_len);
void b64_encode(const void *p, size_t n, char *ret_text);        /* standard, padded; 4*((n+2)/3)+1 bytes */
void hex_encode(const void *p, size_t n, char *ret_text);        /* 2n+1 bytes, lower case */
bool hex_decode(const char *s, size_t n, void *ret_bytes);       /* n/2 bytes */

/* RFC 3629: no surrogates, no overlong forms, at most U+10FFFF. */
bool utf8_valid(const char *s, size_t n);
/* Bytes of the longest valid prefix (for streams cut inside a character). */
size_t utf8_valid_prefix(const char *s, size_t n);
/* Decodes one code point; gives its length, 0 when invalid. */
size_t utf8_decode(const char *s, size_t n, uint32_t *ret_cp);
size_t utf8_encode(uint32_t cp, char ret_bytes[4]);
/* Largest length <= n that does not cut a character of valid UTF-8. */
size_t utf8_cut(const char *s, size_t n, size_t max_bytes);
/* Copy with invalid sequences replaced by U+FFFD. */
char *utf8_repair(struct arena *a, const char *s, size_t n, size_t *ret_len);

#endif
