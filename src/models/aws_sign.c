/*
 * models/aws_sign.c - AWS Signature Version 4 of one request.
 *
 *	canonical request = method \n path, encoded again \n query \n headers \n names \n hash of the body
 *	text to sign      = algorithm \n date \n scope \n hash of the canonical request
 *	key               = HMAC chain over secret, day, region, service, "aws4_request"
 */
#include "models/aws_sign.h"

#include <string.h>

#include "core/clock.h"
#include "core/crypto.h"
#include "core/str.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define DAY_LEN 8
#define CANONICAL_MAX (64u * 1024u)
#define SECRET_MAX 512

/* "2026-11-22T09:12:53.123Z" without what separates, and without the fraction. */
static void basic_date(int64_t wall_ms, char ret[AWS_DATE_LEN + 1])
{
	char iso[CLOCK_ISO_LEN];
	size_t n = 0;

	clock_iso(wall_ms, iso);
	for (const char *p = iso; *p && *p != '.' && n < AWS_DATE_LEN - 1; p++) {
		if (*p != '-' && *p != ':')
			ret[n++] = *p;
	}
	ret[n++] = 'Z';
	ret[n] = '\0';
}

static bool is_unreserved(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || strchr("-._~/", c);
}

static void put_encoded(struct buf *b, const char *path)
{
	for (; *path; path++) {
		if (is_unreserved(*path))
			buf_putc(b, *path);
		else
			buf_printf(b, "%%%02X", (unsigned char)*path);
	}
}

static void put_hash(struct buf *b, const void *p, size_t n)
{
	char digest[2 * SHA256_LEN + 1];

	sha256_hex(p, n, digest);
	buf_puts(b, digest);
}

static const char *signed_headers(const struct aws_keys *keys)
{
	return keys->token ? "content-type;host;x-amz-date;x-amz-security-token" : "content-type;host;x-amz-date";
}

static void put_canonical(struct buf *b, const struct aws_request *rq, const struct aws_keys *keys, const char *date)
{
	buf_printf(b, "%s\n", rq->method);
	put_encoded(b, rq->path);
	buf_printf(b, "\n\ncontent-type:%s\nhost:%s\nx-amz-date:%s\n", rq->content_type, rq->host, date);
	if (keys->token)
		buf_printf(b, "x-amz-security-token:%s\n", keys->token);
	buf_printf(b, "\n%s\n", signed_headers(keys));
	put_hash(b, rq->body, rq->body_len);
}

static void derive_key(const struct aws_request *rq, const char *secret, const char *date, uint8_t ret[SHA256_LEN])
{
	char first[4 + SECRET_MAX] = "AWS4";
	size_t n = CH_MIN(strlen(secret), SECRET_MAX);

	memcpy(first + 4, secret, n);
	hmac_sha256(first, 4 + n, date, DAY_LEN, ret);
	explicit_bzero(first, sizeof(first));
	hmac_sha256(ret, SHA256_LEN, rq->region, strlen(rq->region), ret);
	hmac_sha256(ret, SHA256_LEN, rq->service, strlen(rq->service), ret);
	hmac_sha256(ret, SHA256_LEN, "aws4_request", strlen("aws4_request"), ret);
}

void aws_sign(const struct aws_request *rq, const struct aws_keys *keys, char ret_date[AWS_DATE_LEN + 1],
	      struct buf *ret_authorization)
{
	CH_AUTO_BUF struct buf canonical = { .max_bytes = CANONICAL_MAX }, text = { .max_bytes = CANONICAL_MAX };
	uint8_t key[SHA256_LEN], mac[SHA256_LEN];
	char signature[2 * SHA256_LEN + 1], scope[256];

	basic_date(rq->wall_ms, ret_date);
	snprintf(scope, sizeof(scope), "%.*s/%s/%s/aws4_request", DAY_LEN, ret_date, rq->region, rq->service);
	put_canonical(&canonical, rq, keys, ret_date);
	buf_printf(&text, ALGORITHM "\n%s\n%s\n", ret_date, scope);
	put_hash(&text, buf_str(&canonical), canonical.len);
	derive_key(rq, keys->secret, ret_date, key);
	hmac_sha256(key, sizeof(key), buf_str(&text), text.len, mac);
	hex_encode(mac, sizeof(mac), signature);
	buf_printf(ret_authorization, ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s", keys->id, scope,
		   signed_headers(keys), signature);
	explicit_bzero(key, sizeof(key));
	if (canonical.failed)            /* a token beyond all measure: better no signature than a wrong one */
		ret_authorization->failed = canonical.failed;
	if (canonical.data)
		explicit_bzero(canonical.data, canonical.cap);
}
